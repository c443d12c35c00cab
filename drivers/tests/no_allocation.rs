//! The cycle of the press cell, segment and plant included, allocates nothing once it is in OP.
#![allow(unsafe_code)] // a counting allocator is an allocator

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::time::Duration;
use twinstep_drivers::bus::{Bus, BusCause};
use twinstep_drivers::clock::Clock;
use twinstep_drivers::ethercat::EthercatBus;
use twinstep_drivers::link::in_process::InProcess;
use twinstep_drivers::link::pcap::PcapLink;
use twinstep_drivers::segment::Segment;
use twinstep_drivers::tap::TapBus;
use twinstep_drivers::tap::capture::CaptureFile;
use twinstep_drivers::tap::source::{FrameSource, Heard, MAX_CAPTURED, Next, TapError, Way};

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

/// Frames in memory, some left out and some twice.
struct Frames(Vec<(Vec<u8>, u64)>, usize);

impl FrameSource for Frames {
    fn next(&mut self, buffer: &mut [u8], _: u64) -> Result<Next, TapError> {
        let Some((frame, time_ns)) = self.0.get(self.1) else {
            return Ok(Next::End);
        };
        self.1 += 1;
        buffer[..frame.len()].copy_from_slice(frame);
        Ok(Next::Frame(Heard {
            length: frame.len(),
            wire_length: frame.len(),
            time_ns: *time_ns,
            way: Way::Both,
        }))
    }

    fn is_live(&self) -> bool {
        false
    }
}

#[test]
fn a_tap_allocates_nothing_while_it_listens() {
    let path = std::env::temp_dir().join(format!("twinstep-alloc-{}.pcap", std::process::id()));
    let machine = twinstep_config::load(twinstep_config::PRESS_CELL, "press-cell.toml").unwrap();
    let segment = Segment::new(&machine, 1, 1).unwrap();
    let link = InProcess::new(segment, Clock::virtual_from(0));
    let link = PcapLink::create(link, &path).unwrap();
    let mut bus = EthercatBus::bring_up(link, &machine).unwrap();
    let mut image = bus.new_image();
    let (clock, mut next_ns) = (bus.clock().clone(), bus.next_cycle_ns());
    for _ in 0..3000 {
        clock.wait_until_ns(next_ns);
        next_ns += machine.cycle.period_ns;
        bus.exchange(&mut image, &mut || {}).unwrap();
    }
    bus.link_mut().finish().unwrap();
    let mut source = CaptureFile::open(&path).unwrap();
    let (mut frames, mut buffer, mut count) = (Vec::new(), [0; MAX_CAPTURED], 0);
    while let Next::Frame(heard) = source.next(&mut buffer, 0).unwrap() {
        let frame = (buffer[..heard.length].to_vec(), heard.time_ns);
        count += 1;
        // The start-up is left as it is.
        if count > 4000 && count % 301 == 0 {
            frames.push(frame.clone());
        }
        if count < 4000 || count % 97 != 0 {
            frames.push(frame);
        }
    }
    std::fs::remove_file(&path).unwrap();
    let mut tap = TapBus::new(Frames(frames, 0), &machine).unwrap();
    assert!(tap.ready().unwrap());
    let before = COUNT.with(Cell::get);
    let (mut good, mut bad) = (0, 0);
    loop {
        match tap.exchange(&mut image, &mut || {}) {
            Ok(_) => good += 1,
            Err(fault) if fault.cause == BusCause::End => break,
            Err(_) => bad += 1,
        }
    }
    assert_eq!(COUNT.with(Cell::get) - before, 0);
    assert!(good > 2000 && bad > 5, "{good} good, {bad} bad");
}

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
