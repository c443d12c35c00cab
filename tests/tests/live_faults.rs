//! Faults that are typed into `twinstep sim` while `twinstep run` cycles on the other end of a virtual cable: each is named by its
//! cause, and where the fault allows it all is well again. What is connected later is found. With two cables the line is a ring, and a break stops nobody.
//!
//! Nothing here judges time: on a busy computer frames are late by themselves, so only the causes that are asked for are.
#![allow(
    clippy::unwrap_used,
    reason = "a test fails by panicking, its helpers too"
)]

use serde_json::Value;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, ChildStdout, Stdio};
use twinstep_tests::cable::{Cable, ENDS, SECOND_ENDS};
use twinstep_tests::release_binary;
use twinstep_tests::run::{Place, shipped};
use twinstep_tests::sim::{Sim, interrupt};

/// Longer than the shipped one: here the segment shares the processor with its master.
const PERIOD: &str = "period = \"2ms\"";
/// A run that nobody ends is over after this many cycles, and the test fails then: four minutes.
const MOST_CYCLES: &str = "120000";

/// A running `twinstep run`.
struct Master {
    child: Child,
    output: BufReader<ChildStdout>,
    told: Vec<String>,
}

impl Master {
    fn start(cable: &Cable, config: &str, state: &str, more: &[&str]) -> Self {
        let mut args = vec!["run", config, "--interface", ENDS[0], "--json", "--arm"];
        args.extend_from_slice(&["--cycles", MOST_CYCLES, "--state", state]);
        args.extend_from_slice(more);
        let mut child = cable.command(release_binary(), args).spawn().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        Self {
            child,
            output,
            told: Vec::new(),
        }
    }

    /// Waits until it cycles: what happens to its start is no business of these tests.
    fn wait_for_cycles(&mut self, cable: &Cable) {
        loop {
            let ended = self.child.try_wait().unwrap();
            assert_eq!(ended, None, "run has ended before its first cycle");
            let status = cable.command(release_binary(), ["status", "--json"]);
            let mut status = status;
            let answer = status.stderr(Stdio::null()).output().unwrap();
            let answer = String::from_utf8(answer.stdout).unwrap();
            let cycle = serde_json::from_str::<Value>(answer.lines().next().unwrap_or_default());
            if cycle.is_ok_and(|line| line["cycle"].as_u64() > Some(0)) {
                return;
            }
        }
    }

    /// Reads events until one has `state`, and all of `words` in its cause or as its channel.
    fn wait_for(&mut self, fault: &str, state: &[&str], words: &[&str]) {
        loop {
            let mut line = String::new();
            let read = self.output.read_line(&mut line).unwrap();
            let told = || self.told.join("\n");
            assert!(
                read > 0,
                "{fault}: run has ended without {words:?}:\n{}",
                told()
            );
            let line: Value = serde_json::from_str(&line).unwrap();
            assert_ne!(
                line["type"],
                "summary",
                "{fault}: no {words:?}:\n{}",
                told()
            );
            if line["type"] != "event" {
                continue;
            }
            let text = |key: &str| line[key].as_str().unwrap().to_owned();
            let cause = text("cause");
            self.told.push(format!(
                "{} {} {} {}: {cause}",
                line["cycle"],
                text("state"),
                text("source"),
                text("channel")
            ));
            if state.contains(&text("state").as_str())
                && words
                    .iter()
                    .all(|word| cause.contains(word) || text("channel") == *word)
            {
                println!("{fault}: {}", self.told.last().unwrap());
                return;
            }
        }
    }

    fn end(mut self) -> Value {
        interrupt(&self.child);
        let mut text = String::new();
        self.output.read_to_string(&mut text).unwrap();
        let last = text.lines().rev().find(|line| line.contains("\"summary\""));
        serde_json::from_str(last.unwrap()).unwrap()
    }
}

impl Drop for Master {
    fn drop(&mut self) {
        // A test that has failed leaves nobody behind.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn configuration(place: &Place) -> String {
    let text = fs::read_to_string(shipped("press-cell.toml")).unwrap();
    let changed = text.replacen("period = \"1ms\"", PERIOD, 1);
    assert_ne!(text, changed);
    let path = place.file("cell.toml", changed);
    path.to_str().unwrap().to_owned()
}

/// The news of a fault, and of its end.
const BEGUN: [&str; 2] = ["raised", "updated"];

/// One fault.
struct Case {
    /// Lines as they are typed.
    typed: &'static str,
    /// Words of the cause that must be named.
    named: &'static [&'static str],
    /// SubDevices leave OP and come back to it.
    leaves_op: bool,
}

const fn case(typed: &'static str, named: &'static [&'static str], leaves_op: bool) -> Case {
    Case {
        typed,
        named,
        leaves_op,
    }
}

/// An event on `frames` is over a thousand good cycles after the last bad one.
const FAULTS: &[Case] = &[
    case(
        "frame_loss:bus:count=20",
        &["frames lost on the bus"],
        false,
    ),
    case("frame_duplicate:bus:count=20", &["came back twice"], false),
    case("frame_foreign:bus:count=20", &["somebody else"], false),
    case("frame_truncate:bus:count=20", &["or cut short"], false),
    case("frame_late:bus:by=3ms,count=20", &["too late"], false),
    case(
        "frame_corrupt:cross:count=20",
        &["damaged between carriage and cross"],
        false,
    ),
    case(
        "working_counter:gripper:count=60",
        &["gripper does not process its datagram"],
        false,
    ),
    case(
        "emergency:insert:code=0x2310",
        &["0x2310", "over-current"],
        false,
    ),
    case(
        "clock_jump:lift:step=50us",
        &["the clock of lift is off"],
        false,
    ),
    case("watchdog:lift", &["0x001b", "watchdog"], true),
    case(
        "al_refuse:press:state=op,code=0x001a,count=2",
        &["0x001a", "SYNC0"],
        true,
    ),
    case(
        "cable:cross:for=400ms",
        &["broken between carriage and cross"],
        true,
    ),
    case(
        "power:gripper:for=300ms",
        &["gripper was without power"],
        true,
    ),
    case(
        "mailbox_late:insert:by=50ms\npower:insert:for=300ms",
        &["insert was without power"],
        true,
    ),
    case(
        "mailbox_busy:pusher:for=500ms\npower:pusher:for=300ms",
        &["pusher was without power"],
        true,
    ),
    case(
        "sdo_abort:insert:count=9\npower:insert:for=300ms",
        &["insert was without power"],
        true,
    ),
    case(
        "clock_jump:infeed:step=-200us",
        &["the clock of infeed is off"],
        false,
    ),
    case("clock_drift:bus:rate=100ppm", &[], false),
    case(
        "al_refuse:lift:state=op,code=0x0032",
        &["refuses to come back", "0x0032"],
        false,
    ),
    case(
        "eeprom_checksum:gripper\npower:gripper:for=300ms",
        &["gripper", "EEPROM"],
        false,
    ),
];

/// It is told only where all is well otherwise.
const ALL_WELL: (&str, [&str; 2]) = ("emergency:press:code=0x8130", ["0x8130", "life guard"]);

#[test]
fn every_fault_that_is_typed_in_is_named() {
    let Some(cable) = Cable::new("every_fault_that_is_typed_in_is_named") else {
        return;
    };
    let place = Place::new();
    let config = configuration(&place);
    let mut sim = Sim::start(&cable, &config, &[]);
    let state = place.path("state");
    let mut master = Master::start(&cable, &config, state.to_str().unwrap(), &[]);
    sim.wait_for_op();
    master.wait_for_cycles(&cable);
    let mut typed = 0;
    for fault in FAULTS {
        sim.inject(fault.typed);
        typed += fault.typed.lines().count();
        if !fault.named.is_empty() {
            master.wait_for(fault.typed, &BEGUN, fault.named);
        }
        // What comes before it is over would only update it, or be no news at all.
        if fault.typed.starts_with("frame_") || fault.typed.starts_with("working_counter") {
            master.wait_for(fault.typed, &["cleared"], &["frames"]);
        }
        if fault.typed.starts_with("clock_jump:lift") {
            master.wait_for(fault.typed, &["cleared"], &["the clock of lift was off"]);
        }
        if fault.leaves_op {
            sim.wait_for_op();
            let (emergency, words) = ALL_WELL;
            sim.inject(emergency);
            typed += 1;
            master.wait_for(fault.typed, &BEGUN, &words);
        }
    }
    let summary = master.end();
    assert!(summary["cycles"].as_u64().unwrap() > 100, "{summary}");
    let lines = sim.end();
    let served = lines.last().unwrap();
    assert_eq!(served["faults"], typed, "every line was taken: {served}");
}

#[test]
fn a_ring_over_two_cables_survives_a_break() {
    let Some(cable) = Cable::new("a_ring_over_two_cables_survives_a_break") else {
        return;
    };
    cable.lay(SECOND_ENDS);
    let place = Place::new();
    let config = configuration(&place);
    let mut sim = Sim::start(&cable, &config, &["--redundant-interface", SECOND_ENDS[1]]);
    let state = place.path("state");
    let second = ["--redundant-interface", SECOND_ENDS[0]];
    let mut master = Master::start(&cable, &config, state.to_str().unwrap(), &second);
    sim.wait_for_op();
    master.wait_for_cycles(&cable);
    for (fault, words) in [
        (
            "cable:cross:for=600ms",
            ["ring", "between carriage and cross"],
        ),
        (
            "cable:infeed:for=600ms",
            ["ring", "between the computer and infeed"],
        ),
        (
            "cable:bus:for=600ms",
            ["ring", "between gripper and the second interface"],
        ),
    ] {
        sim.inject(fault);
        master.wait_for(fault, &BEGUN, &words);
        master.wait_for(fault, &["cleared"], &words);
    }
    // Everybody was reached all the time.
    let left = |line: &&String| line.contains("left OP") || line.contains("does not answer");
    let first = master.told.iter().find(left);
    assert_eq!(first, None);
    println!("{}", master.end()["bus"]);
    drop(sim.end());
}

#[test]
fn what_is_connected_later_is_found() {
    let Some(cable) = Cable::new("what_is_connected_later_is_found") else {
        return;
    };
    let machine = shipped("press-cell.toml").display().to_string();
    let mut sim = Sim::start(&cable, &machine, &[]);
    let scan = || {
        let args = ["scan", "--interface", ENDS[0], "--json"];
        let output = cable.command(release_binary(), args).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let summary = text.lines().last().unwrap_or_default();
        let summary: Value = serde_json::from_str(summary).unwrap();
        summary["subdevices"].as_u64().unwrap()
    };
    assert_eq!(scan(), 10);
    // Longer than a scan takes, and it begins when the line has been read.
    sim.inject("cable:cross:for=4s");
    let few = (0..100).map(|_| scan()).find(|count| *count != 10);
    assert_eq!(few, Some(4));
    // Which scan is the first to find them all is the computer's business.
    let all = (0..1000).map(|_| scan()).find(|count| *count != 4);
    assert_eq!(all, Some(10));
    drop(sim.end());
}
