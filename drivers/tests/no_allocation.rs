//! The cycle of the press cell, segment and plant included, allocates nothing once it is in OP.
#![allow(unsafe_code)] // a counting allocator is an allocator

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::time::Duration;
use twinstep_drivers::bus::Bus;
use twinstep_drivers::clock::Clock;
use twinstep_drivers::ethercat::EthercatBus;
use twinstep_drivers::link::in_process::InProcess;
use twinstep_drivers::segment::Segment;

struct Counting;

thread_local! {
    static COUNT: Cell<u64> = const { Cell::new(0) };
}

// SAFETY: everything is handed to the system allocator unchanged; the counter is a plain thread-local value.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        COUNT.with(|count| count.set(count.get() + 1));
        // SAFETY: the caller's promise is passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the pointer came from `System` in `alloc`.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[test]
fn ten_thousand_cycles_without_an_allocation() {
    let machine = twinstep_config::load(twinstep_config::PRESS_CELL, "press-cell.toml").unwrap();
    let segment = Segment::new(&machine, 1, 1).unwrap();
    let link = InProcess::new(segment, Clock::virtual_from(0));
    let mut bus = EthercatBus::bring_up(link, &machine).unwrap();
    let mut image = bus.new_image();
    let clock = bus.clock().clone();
    let mut next_ns = bus.next_cycle_ns();
    let before = COUNT.with(Cell::get);
    for cycle in 0..10_000_u64 {
        clock.wait_until_ns(next_ns);
        next_ns += machine.cycle.period_ns;
        image.outputs.fill(cycle as u8);
        bus.exchange(&mut image, &mut || {}).unwrap();
        bus.acyclic(Duration::from_micros(50));
        // A pause now and then: watchdogs bite, AL errors are reported and mended, and that must not allocate either.
        if cycle % 3_000 == 2_999 {
            next_ns += 200 * machine.cycle.period_ns;
        }
        let _ = bus.take_report();
    }
    assert_eq!(COUNT.with(Cell::get) - before, 0);
}
