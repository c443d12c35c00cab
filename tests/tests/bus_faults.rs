//! Every fault of the bus while the machine cycles in OP: fault, reaction, cycles to recovery, as one golden table.
//!
//! The table is `bus_faults.txt` beside this file. To see what has changed, run this test; it prints the table that it found.
//! `TWINSTEP_WRITE_GOLDEN=1` writes it.
#![allow(
    clippy::unwrap_used,
    reason = "a test fails by panicking, its helpers too"
)]

use serde_json::Value;
use std::fmt::Write as _;
use std::fs;
use twinstep_tests::release_binary;
use twinstep_tests::root;
use twinstep_tests::run::Place;

const SEED: u32 = 7;
/// Cycle in which every fault happens, and length of the run.
const AT: u64 = 2_000;
const CYCLES: u64 = 8_000;

/// Faults, several of which may happen at once.
const FAULTS: &[&[&str]] = &[
    &["frame_loss:bus:count=1"],
    &["frame_loss:bus:count=5"],
    &["frame_late:bus:by=900us,count=4"],
    &["frame_duplicate:bus:count=3"],
    &["frame_truncate:bus:count=2"],
    &["frame_corrupt:cross:count=3"],
    &["frame_foreign:bus:count=3"],
    &["working_counter:gripper:count=6"],
    &["working_counter:lift:count=40"],
    &["cable:infeed:for=50ms"],
    &["cable:cross:for=50ms"],
    &["cable:cross:for=500ms"],
    &["power:gripper:for=200ms"],
    &["power:cross:for=500ms"],
    &["al_refuse:press:state=op,code=0x001a,count=2"],
    &["al_refuse:press:state=op,code=0x0032"],
    &["al_refuse:press:state=safeop,code=0x001e"],
    &["watchdog:lift"],
    &["emergency:insert:code=0x8130"],
    &["mailbox_late:insert:by=50ms", "power:insert:for=100ms"],
    &["mailbox_busy:insert:for=300ms", "power:insert:for=100ms"],
    &["sdo_abort:insert:count=9", "power:insert:for=100ms"],
    &["eeprom_checksum:gripper", "power:gripper:for=100ms"],
    &["clock_drift:bus:rate=100ppm"],
    &["clock_jump:lift:step=20us"],
    &["clock_jump:infeed:step=-20us"],
    &["drive_fault:lift:code=0x2310"],
];

/// The same with a redundant cable, whose own break is the last.
const RING_FAULTS: &[&[&str]] = &[
    &["cable:infeed:for=500ms"],
    &["cable:cross:for=500ms"],
    &["cable:gripper:for=3s"],
    &["cable:bus:for=500ms"],
    &["cable:cross:for=3s", "cable:lift:for=500ms"],
    &["power:cross:for=500ms"],
    &["frame_loss:bus:count=1"],
];

/// Last cycle without all inputs, counted from the fault, and how many there were.
fn without_inputs(recording: &str) -> (u64, u64) {
    let mut lines = recording.lines();
    let header: Vec<&str> = lines.next().unwrap().split(',').collect();
    let column = |name: &str| header.iter().position(|known| *known == name).unwrap();
    let (cycle, bus, valid) = (column("cycle"), column("bus"), column("valid"));
    let (mut last, mut count) = (AT - 1, 0);
    for line in lines {
        let row: Vec<&str> = line.split(',').collect();
        let number: u64 = row[cycle].parse().unwrap();
        let good = row[bus] == "ok" && row[valid].bytes().all(|letter| letter == b'v');
        assert!(good || number >= AT, "before the fault: {line}");
        if !good {
            (last, count) = (number, count + 1);
        }
    }
    (last + 1 - AT, count)
}

/// What the bus itself found out: `+`, `*`, `-` for raised, updated, cleared, the cycle after the fault, and the cause.
fn findings(lines: &[Value]) -> Vec<String> {
    let mut all = Vec::new();
    for line in lines.iter().filter(|line| line["type"] == "event") {
        let channel = line["channel"].as_str().unwrap();
        let from_bus = matches!(channel, "frames" | "al_state" | "phase" | "drive_state");
        let sign = match line["state"].as_str().unwrap() {
            "raised" => '+',
            "updated" => '*',
            _ => '-',
        };
        let after = line["cycle"].as_u64().unwrap() - AT;
        let source = line["source"].as_str().unwrap();
        if from_bus {
            let cause = line["cause"].as_str().unwrap();
            all.push(format!("{sign}{after} {source} {channel}: {cause}"));
        }
    }
    all
}

#[test]
fn every_fault_of_the_bus_has_its_reaction() {
    let place = Place::new();
    let mut table = format!(
        "press cell, seed {SEED}, 1 kHz; cycles count from the fault; + raised, * updated, - cleared;\na twin whose drive is off is not locked\n"
    );
    let lines = FAULTS.iter().map(|faults| (faults, ""));
    let rings = RING_FAULTS.iter().map(|faults| (faults, " --ring"));
    for (faults, ring) in lines.chain(rings) {
        let inject: String = faults
            .iter()
            .map(|fault| format!(" --inject {fault}@{AT}ms"))
            .collect();
        let args = format!(
            "demo --fast --json --cycles {CYCLES} --seed {SEED}{ring}{inject} --record {}",
            place.path("run.csv").display()
        );
        let run = place.run(release_binary(), &args);
        let recording = fs::read_to_string(place.path("run.csv")).unwrap();
        let (recovered, bad) = without_inputs(&recording);
        let lines = run.lines();
        let summary = run.summary();
        assert_eq!(summary["cycles"], CYCLES, "{faults:?}");
        let back = if recovered > CYCLES - AT - 500 {
            "not back".to_owned()
        } else {
            format!("all inputs again after {recovered} cycles, {bad} without")
        };
        let exit = run.status.code().unwrap();
        writeln!(
            table,
            "\n{}{ring}\n    {back}; exit code {exit}",
            faults.join(" + ")
        )
        .unwrap();
        let phase = |key: &str| summary["phase"][key].as_u64().unwrap();
        writeln!(
            table,
            "    phase against SYNC0: p50 {} ns, p99 {} ns, max {} ns",
            phase("p50_ns"),
            phase("p99_ns"),
            phase("max_ns")
        )
        .unwrap();
        let coast = &summary["coast"];
        let coasted = coast["cycles"].as_u64().unwrap();
        if coasted > 0 {
            let locked = match coast["relock_cycles"].as_u64() {
                Some(cycles) => format!("all locked again {cycles} cycles after the first of them"),
                None => "not all locked again".to_owned(),
            };
            writeln!(table, "    twins coasted for {coasted} cycles, {locked}").unwrap();
        }
        for finding in findings(&lines) {
            writeln!(table, "    {finding}").unwrap();
        }
        let others: Vec<String> = lines
            .iter()
            .filter(|line| line["type"] == "event" && line["state"] == "raised")
            .filter(|line| {
                !matches!(
                    line["channel"].as_str(),
                    Some("frames" | "al_state" | "phase" | "drive_state")
                )
            })
            .map(|line| format!("{} {}", line["source"], line["channel"]))
            .collect();
        if !others.is_empty() {
            writeln!(table, "    twins: {}", others.join(", ")).unwrap();
        }
    }
    let golden = root().join("tests/tests/bus_faults.txt");
    if std::env::var_os("TWINSTEP_WRITE_GOLDEN").is_some() {
        fs::write(&golden, &table).unwrap();
    }
    let expected = fs::read_to_string(&golden).unwrap_or_default();
    assert!(table == expected, "the table is now:\n{table}");
}

#[test]
fn the_cycle_locks_on_sync0_within_two_seconds() {
    let place = Place::new();
    let events = |args: &str| -> (Vec<(String, i64)>, u64) {
        let run = place.run(release_binary(), args).fine();
        let phase = run
            .of_type("event")
            .into_iter()
            .filter(|line| line["channel"] == "phase" && line["source"] == "bus");
        let told = phase.map(|line| {
            let state = line["state"].as_str().unwrap().to_owned();
            (state, line["cycle"].as_i64().unwrap())
        });
        (
            told.collect(),
            run.summary()["phase"]["max_ns"].as_u64().unwrap(),
        )
    };
    for seed in 1..=6 {
        // Every seed starts the clocks at another phase; what drifts drifts from the first cycle on.
        for rate in ["100ppm", "-100ppm", "37.5ppm"] {
            let args = format!(
                "demo --fast --json --cycles 4000 --seed {seed} --inject clock_drift:bus:rate={rate}"
            );
            let (told, max_ns) = events(&args);
            println!("seed {seed}, {rate}: largest phase error after 2 s {max_ns} ns");
            assert!(
                told.is_empty() && max_ns < 1_000,
                "{args}: {told:?}, {max_ns} ns"
            );
        }
        for step in ["50us", "-200us"] {
            let args = format!(
                "demo --fast --json --cycles 6000 --seed {seed} --inject clock_jump:infeed:step={step}@3s"
            );
            let (told, _) = events(&args);
            let [(raised, at), (cleared, until)] = told.as_slice() else {
                panic!("{args}: {told:?}")
            };
            println!("seed {seed}, {step}: out of step {} cycles", until - at);
            assert_eq!((raised.as_str(), cleared.as_str()), ("raised", "cleared"));
            assert!(
                (3_000..3_020).contains(at) && *until < 5_000,
                "{args}: {told:?}"
            );
        }
    }
}
