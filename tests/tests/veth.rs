//! A real interface: MainDevice and segment on the two ends of a virtual cable, in a network namespace of their own.
//!
//! Needs root and `ip`. Each test starts itself again inside the namespace, so that no other process sees the cable
//! and everything goes with the namespace, however the test ends. Nothing here judges time: on a busy computer frames
//! may be late, and that most are not shows that the way is right.
#![allow(
    clippy::unwrap_used,
    reason = "a test fails by panicking, its helpers too"
)]

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use twinstep_config::machine::Machine;
use twinstep_drivers::bus::Bus;
use twinstep_drivers::ethercat::EthercatBus;
use twinstep_drivers::link::OneEnd;
use twinstep_drivers::link::raw_socket::RawSocket;
use twinstep_drivers::segment::Segment;
use twinstep_drivers::segment::server::{Turn, serve};
use twinstep_tests::listener::{tripped, undisturbed};
use twinstep_tests::run::{Place, Run, shipped};
use twinstep_tests::{binary, program, skip};

/// Set inside the namespace.
const INSIDE: &str = "TWINSTEP_TEST_INSIDE";
/// The MainDevice's end, and the segment's.
const ENDS: [&str; 2] = ["ec0", "ec1"];
/// Twice the shipped one: here the segment shares the processor with its master.
const PERIOD: &str = "period = \"2ms\"";

/// What puts a command before everybody else, where that is allowed: a segment in hardware answers at once, and its stand-in
/// should not wait until a compiler lets the processor go.
fn real_time() -> &'static [&'static str] {
    const CHRT: [&str; 3] = ["chrt", "--fifo", "10"];
    let tried = Command::new(CHRT[0]).args(&CHRT[1..]).arg("true").output();
    let allowed = tried.is_ok_and(|output| output.status.success());
    if allowed { &CHRT } else { &[] }
}

/// A network namespace that goes with the value.
struct Namespace {
    ip: PathBuf,
    name: String,
}

impl Namespace {
    fn new(ip: PathBuf, test: &str) -> Option<Self> {
        let name = format!("twinstep-{}-{}", std::process::id(), test.len());
        let made = Command::new(&ip).args(["netns", "add", &name]).output();
        let made = made.is_ok_and(|output| output.status.success());
        made.then_some(Self { ip, name })
    }

    fn run_inside(&self, test: &str) {
        // Two tests at a time would share two processors with two segments.
        static ONE: Mutex<()> = Mutex::new(());
        let _one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
        let output = Command::new(&self.ip)
            .args(["netns", "exec", &self.name])
            .args(real_time())
            .arg(env::current_exe().unwrap())
            .args([test, "--exact", "--nocapture"])
            .env(INSIDE, "1")
            .output()
            .unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
        // A name that matches no test would pass too.
        let one = stdout.contains("1 passed") || stdout.contains("1 failed");
        assert!(one, "{test} did not run inside: {stdout}{stderr}");
        assert!(output.status.success(), "{stdout}{stderr}");
        print!("{stdout}");
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        let _ = Command::new(&self.ip)
            .args(["netns", "del", &self.name])
            .output();
    }
}

/// Whether the test goes on here: inside the namespace, with the cable in place. Outside, it is started inside.
fn inside(test: &str) -> bool {
    if env::var_os(INSIDE).is_none() {
        let Some(ip) = program(test, "ip") else {
            return false;
        };
        match Namespace::new(ip, test) {
            Some(namespace) => namespace.run_inside(test),
            None => skip(
                test,
                "no permission to make a network namespace (root is needed)",
            ),
        }
        return false;
    }
    let ip = |args: &[&str]| {
        let output = Command::new("ip").args(args).output().unwrap();
        assert!(output.status.success(), "ip {args:?}: {output:?}");
    };
    ip(&[
        "link", "add", ENDS[0], "type", "veth", "peer", "name", ENDS[1],
    ]);
    for end in ENDS {
        // Nobody else may speak on the cable. Where there is no IPv6, nobody does.
        let _ = fs::write(format!("/proc/sys/net/ipv6/conf/{end}/disable_ipv6"), "1");
        ip(&["link", "set", end, "up"]);
    }
    true
}

/// The press cell with the longer period.
fn configuration() -> String {
    let text = fs::read_to_string(shipped("press-cell.toml")).unwrap();
    let changed = text.replacen("period = \"1ms\"", PERIOD, 1);
    assert_ne!(text, changed);
    changed
}

/// Serves the simulated segment on its end of the cable while `master` runs. Returns what that returned.
fn with_segment<T>(machine: &Machine, seed: u64, master: impl FnOnce() -> T) -> T {
    let mut segment = Segment::new(machine, 1, seed).unwrap();
    let mut socket = OneEnd(RawSocket::open(ENDS[1]).unwrap());
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let served = scope.spawn(|| {
            let mut answered = 0;
            let count = |turn, _: &mut Segment| answered += u64::from(turn != Turn::Idle);
            serve(&mut segment, &mut socket, &stop, count).map(|()| answered)
        });
        let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(master));
        stop.store(true, Ordering::Relaxed);
        let answered = served.join().unwrap().unwrap();
        println!("seed {seed}: {answered} frames answered");
        match result {
            Ok(result) => result,
            Err(panic) => std::panic::resume_unwind(panic),
        }
    })
}

#[test]
fn every_subdevice_reaches_op_and_most_cycles_are_whole() {
    if !inside("every_subdevice_reaches_op_and_most_cycles_are_whole") {
        return;
    }
    const CYCLES: u64 = 2000;
    let machine = twinstep_config::load(&configuration(), "cell.toml").unwrap();
    with_segment(&machine, 1, || {
        let socket = RawSocket::open(ENDS[0]).unwrap();
        // Returns only when every SubDevice is in OP.
        let mut bus =
            EthercatBus::bring_up(socket, &machine).unwrap_or_else(|error| panic!("{error}"));
        let mut image = bus.new_image();
        assert_eq!(image.valid.len(), 10);
        let clock = bus.clock().clone();
        let mut next_ns = bus.next_cycle_ns();
        let (mut whole, mut operational) = (0, 0);
        for _ in 0..CYCLES {
            clock.wait_until_ns(next_ns);
            // A start that was missed is not made up for.
            next_ns = clock.now_ns().max(next_ns) + machine.cycle.period_ns;
            let result = bus.exchange(&mut image, &mut || {});
            whole += u64::from(result.is_ok());
            operational += u64::from(result.is_ok() && image.valid.iter().all(Result::is_ok));
            bus.acyclic(Duration::from_micros(200));
        }
        let counters = bus.counters();
        assert!(
            whole >= CYCLES * 9 / 10,
            "{whole} of {CYCLES}: {counters:?}"
        );
        assert!(
            operational >= CYCLES * 9 / 10,
            "{operational} of {CYCLES}: {counters:?}"
        );
        assert_eq!(counters.foreign, 0, "{counters:?}");
        assert!(bus.shutdown(), "every SubDevice follows back to INIT");
    });
}

/// Runs `twinstep run` on the cable, and returns the run and the statuswords of every drive, cycle by cycle.
fn run_binary(place: &Place, options: &str, cycles: u64) -> (Run, Vec<Vec<u16>>) {
    let text = configuration();
    let machine = twinstep_config::load(&text, "cell.toml").unwrap();
    let config = place.file("cell.toml", text);
    let record = place.path("run.csv");
    let args = format!(
        "run {} --interface {} --cycles {cycles} --json --record {} {options}",
        config.display(),
        ENDS[0],
        record.display()
    );
    let run = with_segment(&machine, 2, || place.run(binary(), &args)).fine();
    let summary = run.summary();
    println!("{}", summary["bus"]);
    assert_eq!(summary["cycles"], cycles);
    let of_bus = |key: &str| summary["bus"][key].as_u64().unwrap();
    let bad = of_bus("lost") + of_bus("late") + of_bus("working_counter_errors");
    assert!(bad <= cycles / 10, "{summary}");
    assert_eq!(of_bus("foreign"), 0, "{summary}");
    (run, statuswords(&record))
}

/// Rows without a frame have no statuswords and are left out.
fn statuswords(record: &Path) -> Vec<Vec<u16>> {
    let text = fs::read_to_string(record).unwrap();
    let mut lines = text.lines();
    let columns: Vec<usize> = lines
        .next()
        .unwrap()
        .split(',')
        .enumerate()
        .filter_map(|(at, head)| head.ends_with(".0x6041").then_some(at))
        .collect();
    assert_eq!(columns.len(), 9, "eight axes and a press");
    lines
        .filter_map(|line| {
            let cells: Vec<_> = line.split(',').collect();
            columns.iter().map(|at| cells[*at].parse().ok()).collect()
        })
        .collect()
}

/// CiA 402: the only state in which set-points move an axis.
fn is_enabled(statusword: u16) -> bool {
    statusword & 0x6f == 0x27
}

#[test]
fn the_armed_binary_runs_the_machine() {
    if !inside("the_armed_binary_runs_the_machine") {
        return;
    }
    undisturbed(|| {
        let place = Place::new();
        let (run, statuswords) = run_binary(&place, "--arm", 3000);
        if tripped(&run.lines()) {
            return false;
        }
        let enabled = |words: &Vec<u16>| words.iter().all(|word| is_enabled(*word));
        let cycles = statuswords.iter().filter(|words| enabled(words)).count();
        assert!(
            cycles > 1000,
            "all drives enabled in {cycles} cycles: {run:#?}"
        );
        true
    });
}

#[test]
fn without_arm_no_drive_is_ever_enabled() {
    if !inside("without_arm_no_drive_is_ever_enabled") {
        return;
    }
    let place = Place::new();
    let (run, statuswords) = run_binary(&place, "", 500);
    assert!(!statuswords.is_empty());
    let enabled = statuswords.iter().flatten().any(|word| is_enabled(*word));
    assert!(!enabled, "{run:#?}");
    assert!(run.stderr.contains("--arm"), "{run:#?}");
}
