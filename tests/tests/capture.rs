//! Real frames: what `--pcap` writes is EtherCAT in the eyes of a tool that is not ours.
#![allow(
    clippy::unwrap_used,
    reason = "a test fails by panicking, its helpers too"
)]

use std::path::Path;

use twinstep_tests::program;
use twinstep_tests::run::Place;

/// Number of frames of `capture` that pass the display filter.
fn count(place: &Place, tshark: &Path, capture: &str, filter: &str) -> usize {
    let args = [
        "-r",
        capture,
        "-Y",
        filter,
        "-T",
        "fields",
        "-e",
        "frame.number",
    ];
    let output = place.command(tshark, args).output().unwrap();
    assert!(
        output.status.success(),
        "{filter}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    output.stdout.iter().filter(|byte| **byte == b'\n').count()
}

#[test]
fn every_cycle_has_its_frames_and_none_is_malformed() {
    let Some(tshark) = program("every_cycle_has_its_frames_and_none_is_malformed", "tshark") else {
        return;
    };
    const CYCLES: usize = 2000;
    let place = Place::new();
    let capture = place.path("run.pcap").display().to_string();
    let run = place
        .twinstep(&format!(
            "demo --fast --json --cycles {CYCLES} --seed 1 --pcap {capture}"
        ))
        .fine();
    assert_eq!(run.summary()["cycles"], CYCLES);
    let count = |filter: &str| count(&place, &tshark, &capture, filter);
    let all = count("frame");
    assert_eq!(count("ecat"), all, "nothing but EtherCAT");
    assert_eq!(
        count("_ws.malformed || _ws.short || _ws.expert.severity >= error"),
        0
    );
    // Ways out and back are told apart by the bit that SubDevices set in the source address.
    let (out, back) = (
        count("ecat.cmd == 12 && eth.src.lg == 0"),
        count("ecat.cmd == 12 && eth.src.lg == 1"),
    );
    assert!(out >= CYCLES, "{out} LRW for {CYCLES} cycles");
    assert_eq!(out, back, "every frame comes back");
    // Ten SubDevices with inputs and outputs: each adds 3.
    assert!(
        count("ecat.cmd == 12 && ecat.cnt == 30") >= CYCLES,
        "working counters of a whole segment"
    );
    assert!(count("ecat.cmd == 14") >= CYCLES, "FRMW for the DC clocks");
    // The way to OP: AL control is written, mailboxes are spoken with.
    assert!(count("ecat.ado == 0x120") > 0);
    assert!(count("ecat_mailbox") > 0);
}

#[test]
fn lost_frames_are_missing_in_the_capture() {
    let Some(tshark) = program("lost_frames_are_missing_in_the_capture", "tshark") else {
        return;
    };
    let place = Place::new();
    let capture = place.path("run.pcap").display().to_string();
    let args = format!(
        "demo --fast --json --cycles 1000 --inject frame_loss:bus:count=3@500ms --pcap {capture}"
    );
    assert_eq!(place.twinstep(&args).fine().summary()["bus"]["lost"], 3);
    // Whatever the frames carried: mailbox and registers share the wire with the process data.
    let out = count(&place, &tshark, &capture, "ecat && eth.src.lg == 0");
    let back = count(&place, &tshark, &capture, "ecat && eth.src.lg == 1");
    assert_eq!(out - back, 3);
}
