//! Frames that a link has really lost: the causes of the cycles that waited for them.
#![allow(
    clippy::unwrap_used,
    reason = "a test fails by panicking, its helpers too"
)]

use serde_json::Value;
use std::fs;
use std::process::Stdio;
use twinstep_tests::cable::{Cable, ENDS};
use twinstep_tests::release_binary;
use twinstep_tests::run::{Place, json_lines, shipped};
use twinstep_tests::sim::Sim;

/// Frames are lost so often (ms), and two in a row, since not each one is of the cycle.
const EVERY_MS: u64 = 100;
/// No more faults may wait at a time.
const LOSSES: u64 = 32;
/// Losses that must show as such.
const ENOUGH: usize = 20;

#[test]
fn cycles_whose_frame_is_lost_on_a_cable_are_named_so() {
    let test = "cycles_whose_frame_is_lost_on_a_cable_are_named_so";
    let Some(cable) = Cable::new(test) else {
        return;
    };
    let place = Place::new();
    let text = fs::read_to_string(shipped("press-cell.toml")).unwrap();
    // Both ends share the processor. A frame that does not come is waited for until long after the budget, and the cycle still ends in time.
    let mut changed = text.clone();
    for (from, to) in [
        ("period = \"1ms\"", "period = \"2ms\""),
        ("receive = \"300us\"", "receive = \"1200us\""),
    ] {
        let next = changed.replacen(from, to, 1);
        assert_ne!(next, changed, "{from}");
        changed = next;
    }
    let config = place.file("cell.toml", changed);
    let config = config.to_str().unwrap();
    let losses = (1..=LOSSES).map(|n| format!("frame_loss:bus:count=2@{}ms", 1000 + n * EVERY_MS));
    let losses: Vec<_> = losses
        .flat_map(|loss| ["--fault".to_owned(), loss])
        .collect();
    let losses: Vec<_> = losses.iter().map(String::as_str).collect();
    let sim = Sim::start(&cable, config, &losses);
    let state = place.path("state");
    let cycles = ((1000 + (LOSSES + 5) * EVERY_MS) / 2).to_string();
    let args = [
        "run",
        config,
        "--interface",
        ENDS[0],
        "--json",
        "--cycles",
        &cycles,
        "--state",
        state.to_str().unwrap(),
    ];
    let output = cable
        .command(release_binary(), args)
        .stderr(Stdio::piped())
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let swallowed = sim.end().last().unwrap()["swallowed"].as_u64().unwrap();
    let lines = json_lines(&String::from_utf8(output.stdout).unwrap());
    let lost = lines.last().unwrap()["bus"]["lost"].as_u64().unwrap();
    let records = fs::read_to_string(state.join("overruns.jsonl")).unwrap();
    let records = json_lines(&records);
    // A frame that is late for its deadline is lost to the cycle as well.
    let own = records.iter().filter(|record| record["follows"] == false);
    let (lost_ones, others): (Vec<&Value>, Vec<_>) =
        own.partition(|record| record["evidence"]["exchange"] == "no_frame");
    let of = |cause: &str| lost_ones.iter().filter(|r| r["cause"] == cause).count();
    let (right, unknown) = (of("lost_frame"), of("unknown"));
    println!(
        "| lost_frame, on a cable | frames swallowed {swallowed}, lost to the run {lost} | cycles {} | named right {right} | unknown {unknown} |",
        lost_ones.len()
    );
    assert!(swallowed >= LOSSES, "{swallowed}");
    assert!(right >= ENOUGH, "{right}: {records:?}");
    // The others began so late that this was longer still.
    assert!(10 * right >= 9 * lost_ones.len(), "{right}: {lost_ones:?}");
    assert!(20 * unknown <= lost_ones.len(), "{lost_ones:?}");
    for record in others {
        assert_ne!(record["cause"], "lost_frame", "{record}");
    }
}
