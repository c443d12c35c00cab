//! A bus that somebody else's MainDevice runs is noticed before anything is sent on it.
#![allow(
    clippy::unwrap_used,
    reason = "a test fails by panicking, its helpers too"
)]

use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::Stdio;
use twinstep_drivers::tap::capture::CaptureFile;
use twinstep_drivers::tap::source::{FrameSource, MAX_CAPTURED, Next};
use twinstep_tests::cable::{Cable, ENDS, SECOND_ENDS, python_of_masters};
use twinstep_tests::run::{Place, Run, shipped};
use twinstep_tests::sim::Sim;
use twinstep_tests::{release_binary, root};

/// A second MainDevice: what `args` make of it on this cable.
fn second(cable: &Cable, place: &Place, args: &str) -> Run {
    let output = cable
        .command(release_binary(), args.split_whitespace())
        .args(["--json"])
        .env("XDG_STATE_HOME", place.path("state"))
        .stderr(Stdio::piped())
        .output()
        .unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Run {
        args: args.to_owned(),
        status: output.status,
        stdout: text(&output.stdout),
        stderr: text(&output.stderr),
    }
}

/// Frames in a capture, and those of them that twinstep has sent as MainDevice.
fn frames(capture: &Path) -> (u64, u64) {
    let mut file = CaptureFile::open(capture).unwrap();
    let mut buffer = [0; MAX_CAPTURED];
    let (mut all, mut ours) = (0, 0);
    while let Next::Frame(_) = file.next(&mut buffer, u64::MAX).unwrap() {
        all += 1;
        // As they leave and as they come back.
        ours += u64::from(matches!(buffer[6..8], [0x10 | 0x12, 0x54]));
    }
    (all, ours)
}

#[test]
fn a_bus_that_soem_runs_is_left_to_it() {
    let test = "a_bus_that_soem_runs_is_left_to_it";
    let (Some(python), Some(cable)) = (python_of_masters(test), Cable::new(test)) else {
        return;
    };
    let place = Place::new();
    let config = shipped("press-cell.toml").display().to_string();
    let capture = place.path("all.pcap");
    let sim = Sim::start(&cable, &config, &["--pcap", capture.to_str().unwrap()]);
    let script = root().join("tests/masters/steady.py");
    let mut master = cable
        .command(python, [script.to_str().unwrap(), ENDS[0]])
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    let mut told = BufReader::new(master.stdout.take().unwrap()).lines();
    let mut next = || -> Value { serde_json::from_str(&told.next().unwrap().unwrap()).unwrap() };
    assert_eq!(next()["op"], serde_json::json!([8_u8; 10].to_vec()));
    // A ring's other end is silent, and its first is not.
    cable.lay(SECOND_ENDS);
    let [end, other] = [ENDS[0], SECOND_ENDS[0]];
    for args in [
        format!("run {config} --interface {end} --arm --cycles 100"),
        format!("run {config} --interface {other} --redundant-interface {end} --cycles 100"),
        format!("budget {config} --interface {end} --for 1s"),
        format!("scan --interface {end}"),
        format!("scan --interface {end} --preop"),
    ] {
        let refused = second(&cable, &place, &args);
        let said: Vec<_> = (refused.stderr.split_whitespace())
            .filter(|word| *word != "|")
            .collect();
        let said = said.join(" ");
        assert_eq!(refused.status.code(), Some(1), "{args}: {refused:?}");
        for words in [
            &format!("another MainDevice runs the bus on {end}: "),
            "EtherCAT frames in 200 ms from",
            // SOEM's, as a segment returns it.
            "03:01:01:01:01:01 (",
            "stop the other one, or follow it as a tap",
        ] {
            assert!(said.contains(words), "{args}: {words}: {said}");
        }
        assert!(
            !refused.stdout.contains("\"summary\""),
            "{args}: {refused:?}"
        );
    }
    drop(master.stdin.take());
    let seen = next();
    assert!(master.wait().unwrap().success());
    // Whoever else had addressed them would have cost it working counters or states.
    println!("{seen}");
    let count = |key: &str| seen["counts"][key].as_u64().unwrap();
    assert!(count("cycles") > 200, "{seen}");
    assert_eq!(count("wrong"), 0, "{seen}");
    assert_eq!(seen["still_op"], serde_json::json!([8_u8; 10].to_vec()));
    let _ = sim.end();
    let (all, ours) = frames(&capture);
    assert!(all > 2 * count("cycles"), "{all}: {seen}");
    assert_eq!(ours, 0, "of {all}");

    // Nobody runs it now.
    let capture = place.path("own.pcap");
    let sim = Sim::start(&cable, &config, &["--pcap", capture.to_str().unwrap()]);
    let args = format!("run {config} --interface {end} --cycles 100");
    let run = second(&cable, &place, &args).fine();
    assert_eq!(run.summary()["cycles"], 100);
    let _ = sim.end();
    let (all, ours) = frames(&capture);
    assert!(ours > 200 && ours == all, "{ours} of {all}");
}

#[test]
fn a_ring_with_one_interface_down_runs_over_the_other() {
    let Some(cable) = Cable::new("a_ring_with_one_interface_down_runs_over_the_other") else {
        return;
    };
    let place = Place::new();
    let config = shipped("press-cell.toml").display().to_string();
    cable.lay(SECOND_ENDS);
    let set = |end: &str, to: &str| {
        let done = cable.command("ip", ["link", "set", end, to]).status();
        assert!(done.unwrap().success(), "{end} {to}");
    };
    // The last SubDevice closes a port without a link: what the computer has is a line.
    let sim = Sim::start(&cable, &config, &[]);
    let [first, second_end] = [ENDS[0], SECOND_ENDS[0]];
    set(second_end, "down");
    let args = format!("scan --interface {first} --redundant-interface {second_end}");
    let found = second(&cable, &place, &args).fine();
    assert_eq!(found.summary()["subdevices"], 10, "{args}: {found:?}");
    let args =
        format!("run {config} --interface {first} --redundant-interface {second_end} --cycles 100");
    let run = second(&cable, &place, &args).fine();
    assert_eq!(run.summary()["cycles"], 100);
    // Over none there is no bus.
    set(first, "down");
    let refused = second(&cable, &place, &args);
    assert_eq!(refused.status.code(), Some(1), "{refused:?}");
    assert!(refused.stderr.contains("Network is down"), "{refused:?}");
    let _ = sim.end();
}
