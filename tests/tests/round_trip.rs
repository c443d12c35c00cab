//! Live and replay are one pipeline: what was recorded gives the same predictions, events and causes.
#![allow(
    clippy::unwrap_used,
    reason = "a test fails by panicking, its helpers too"
)]

use serde_json::Value;
use twinstep_tests::run::{Place, Run, shipped};

/// The events of a run without what belongs to the store and to the day.
fn events(run: &Run) -> Vec<Value> {
    let mut events = run.of_type("event");
    for event in &mut events {
        if let Some(event) = event.as_object_mut() {
            event.remove("seq");
            event.remove("time_utc_ns");
        }
    }
    events
}

/// Runs the demo with `options`, replays its recording and compares. Returns the events.
fn round_trip(options: &str) -> Vec<Value> {
    let place = Place::new();
    let record = place.path("run.csv");
    let live = place.twinstep(&format!(
        "demo --fast --json {options} --record {}",
        record.display()
    ));
    let live = live.fine();
    let config = shipped("press-cell.toml");
    let replayed = place.twinstep(&format!(
        "replay {} {} --json",
        config.display(),
        record.display()
    ));
    let replayed = replayed.fine();
    assert_eq!(events(&live), events(&replayed), "{options}");
    let (one, other) = (live.summary(), replayed.summary());
    for key in ["cycles", "period_ns", "events", "digest"] {
        assert_eq!(one[key], other[key], "{key}, {options}");
    }
    // A recording knows the frames of the cycle; those of mailboxes and registers are lost with them unseen.
    let lost = [one, other].map(|summary| summary["bus"]["lost"].as_u64().unwrap());
    assert!(lost[1] <= lost[0], "{lost:?}, {options}");
    assert_eq!(lost[1] == 0, lost[0] == 0, "{lost:?}, {options}");
    events(&live)
}

#[test]
fn a_healthy_run_replays() {
    round_trip("--cycles 6000 --seed 1");
}

#[test]
fn runs_with_faults_replay_with_their_causes() {
    let seed = 4;
    let found = round_trip(&format!(
        "--cycles 9000 --seed {seed} --inject drive_fault:cross:code=0x7305@5s --inject frame_loss:bus:count=3@6s \
         --inject friction:carriage:factor=2@5s"
    ));
    let has = |source: &str, cause: &str| {
        found.iter().any(|event| {
            event["source"] == source
                && event["cause"]
                    .as_str()
                    .is_some_and(|text| text.starts_with(cause))
        })
    };
    assert!(
        has("cross", "the drive reports a fault: error code 0x7305"),
        "seed {seed}: {found:#?}"
    );
    assert!(
        has("bus", "frames lost on the bus"),
        "seed {seed}: {found:#?}"
    );
}

#[test]
fn a_recording_of_real_time_replays() {
    let place = Place::new();
    let record = place.path("run.csv").display().to_string();
    let live = place
        .twinstep(&format!(
            "demo --json --cycles 400 --seed 2 --record {record}"
        ))
        .fine();
    let config = shipped("press-cell.toml").display().to_string();
    let replayed = place
        .twinstep(&format!("replay {config} {record} --json"))
        .fine();
    assert_eq!(live.digest(), replayed.digest());
}
