//! MainDevice and segment on the two ends of a veth pair, in real time. Needs root; says so and passes without.
#![allow(
    clippy::unwrap_used,
    reason = "a test fails by panicking, its helpers too"
)]

use std::fs::OpenOptions;
use std::io::Write;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use twinstep_drivers::bus::Bus;
use twinstep_drivers::ethercat::EthercatBus;
use twinstep_drivers::link::OneEnd;
use twinstep_drivers::link::raw_socket::RawSocket;
use twinstep_drivers::segment::{
    Segment,
    server::{Turn, serve},
};

/// A veth pair that disappears with the value.
struct Veth {
    near: String,
    far: String,
}

fn ip(arguments: &[&str]) -> bool {
    let output = Command::new("ip").args(arguments).output();
    output.is_ok_and(|output| output.status.success())
}

impl Veth {
    fn new() -> Option<Self> {
        let id = std::process::id();
        let (near, far) = (format!("tsn{id}"), format!("tsf{id}"));
        if !ip(&["link", "add", &near, "type", "veth", "peer", "name", &far]) {
            return None;
        }
        let veth = Self { near, far };
        (ip(&["link", "set", &veth.near, "up"]) && ip(&["link", "set", &veth.far, "up"]))
            .then_some(veth)
    }
}

impl Drop for Veth {
    fn drop(&mut self) {
        ip(&["link", "del", &self.near]);
    }
}

/// Says so on the screen, and in the file where the test run gathers what was skipped.
fn skip(reason: &str) {
    let line = format!("skipped: press_cell_over_a_real_interface: {reason}\n");
    print!("{line}");
    if let Some(file) = std::env::var_os("TWINSTEP_SKIPS") {
        let mut file = OpenOptions::new()
            .create(true)
            .append(true)
            .open(file)
            .unwrap();
        file.write_all(line.as_bytes()).unwrap();
    }
}

#[test]
fn press_cell_over_a_real_interface() {
    let Some(veth) = Veth::new() else {
        skip("no permission to create a veth pair (root is needed), or no `ip` command");
        return;
    };
    let far = match RawSocket::open(&veth.far) {
        Ok(far) => far,
        Err(error) => {
            skip(&error.to_string());
            return;
        }
    };
    if !far.bypasses_qdisc() {
        eprintln!("the queueing discipline is not bypassed here");
    }
    let machine = twinstep_config::load(twinstep_config::PRESS_CELL, "press-cell.toml").unwrap();
    let mut segment = Segment::new(&machine, 1, 1).unwrap();
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let served = scope.spawn(|| {
            let mut answered = 0;
            let count = |turn, _: &mut Segment| answered += u64::from(turn != Turn::Idle);
            serve(&mut segment, &mut OneEnd(far), &stop, count).map(|()| answered)
        });
        let near = RawSocket::open(&veth.near).unwrap();
        let mut good = 0;
        let result = EthercatBus::bring_up(near, &machine).map(|mut bus| {
            let mut image = bus.new_image();
            let clock = bus.clock().clone();
            let mut next_ns = bus.next_cycle_ns();
            for _ in 0..500 {
                clock.wait_until_ns(next_ns);
                next_ns = clock.now_ns().max(next_ns) + machine.cycle.period_ns;
                good += u32::from(bus.exchange(&mut image, &mut || {}).is_ok());
                bus.acyclic(Duration::from_micros(100));
            }
            let counters = bus.counters();
            (bus.shutdown(), counters)
        });
        stop.store(true, Ordering::Relaxed);
        let answered = served.join().unwrap().unwrap();
        let (down, counters) = result.unwrap_or_else(|error| panic!("{error}"));
        // On a busy machine frames may be late; that most arrive shows that the way is right.
        assert!(good > 250, "{good} of 500 cycles, {counters:?}");
        assert_eq!(counters.foreign, 0);
        assert!(answered > 1_000);
        assert!(down);
    });
}
