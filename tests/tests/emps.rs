//! The twin judged on a recorded axis: the first half of the EMPS record.
#![allow(
    clippy::unwrap_used,
    reason = "a test fails by panicking, its helpers too"
)]

use serde_json::Value;
use twinstep_tests::run::{Place, Run, shipped};
use twinstep_tests::{recordings, release_binary};

fn replay(test: &str) -> Option<Run> {
    let recording = recordings(test)?.join("emps/emps_first_half.csv");
    let args = format!(
        "replay {} {} --json",
        shipped("emps.toml").display(),
        recording.display()
    );
    Some(Place::new().run(release_binary(), &args).fine())
}

fn number(line: &Value, key: &str) -> f64 {
    line[key]
        .as_f64()
        .unwrap_or_else(|| panic!("{key} of {line}"))
}

/// The line of one channel at one horizon.
fn accuracy(run: &Run, channel: &str, horizon: u64) -> Value {
    let lines = run.of_type("accuracy");
    let found = lines
        .iter()
        .find(|line| line["channel"] == channel && line["horizon_cycles"] == horizon);
    found
        .unwrap_or_else(|| panic!("no {channel} at {horizon} in {lines:#?}"))
        .clone()
}

#[test]
fn one_cycle_ahead_and_free_run_hold_for_one_parameter_set() {
    let Some(run) = replay("one_cycle_ahead_and_free_run_hold_for_one_parameter_set") else {
        return;
    };
    let next = accuracy(&run, "position_next", 1);
    assert!(number(&next, "twin_rms") <= 0.06e-6, "{next}");
    let free = &run.of_type("free_run")[0];
    assert_eq!(
        (&free["source"], &free["channel"]),
        (&"carriage".into(), &"position".into())
    );
    assert!(number(free, "fit_percent") >= 97.0, "{free}");
    assert_eq!(run.summary()["cycles"], 12_421, "every row is a cycle");
}

#[test]
fn the_twin_beats_what_needs_no_physics() {
    let Some(run) = replay("the_twin_beats_what_needs_no_physics") else {
        return;
    };
    let mut offences = Vec::new();
    for channel in ["position_next", "current_next"] {
        for horizon in [100, 1000] {
            let line = accuracy(&run, channel, horizon);
            let twin = number(&line, "twin_rms");
            for other in ["hold_rms", "linear_rms", "arx10_rms"] {
                // Written so that a figure that is no number is an offence too.
                if twin.is_nan() || twin >= number(&line, other) {
                    offences.push(format!("{channel} at {horizon}: {other}, {line}"));
                }
            }
        }
    }
    assert!(offences.is_empty(), "{}", offences.join("\n"));
}

#[test]
fn the_same_record_has_the_same_digest_and_a_healthy_axis_no_event() {
    let test = "the_same_record_has_the_same_digest_and_a_healthy_axis_no_event";
    let (Some(first), Some(second)) = (replay(test), replay(test)) else {
        return;
    };
    assert_eq!(first.digest(), second.digest());
    assert_eq!(first.of_type("accuracy"), second.of_type("accuracy"));
    assert_eq!(first.summary()["events"], 0, "{first:#?}");
}
