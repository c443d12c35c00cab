//! Recordings around events, cut out of a run by itself, and replays that begin in the middle of one: bit for bit as the run was.
#![allow(
    clippy::unwrap_used,
    reason = "a test fails by panicking, its helpers too"
)]

use serde_json::Value;
use twinstep_tests::pieces::pieces;
use twinstep_tests::run::{Place, Run};

/// Events between two cycles, without what belongs to the day.
fn events(run: &Run, from: u64, to: u64) -> Vec<Value> {
    let mut events = run.of_type("event");
    events.retain(|event| (from..=to).contains(&event["cycle"].as_u64().unwrap()));
    for event in &mut events {
        if let Some(event) = event.as_object_mut() {
            event.remove("time_utc_ns");
            event.remove("false_alarm_interval_demonstrated_s");
        }
    }
    events
}

#[test]
fn what_the_ring_kept_of_an_event_is_replayed_as_it_was() {
    let place = Place::new();
    let (state, file) = (place.path("state"), place.path("run.mcap"));
    let live = place
        .twinstep(&format!(
            "demo --fast --json --cycles 30000 --seed 4 --inject frame_loss:bus:count=3@3s \
             --inject friction:carriage:factor=2@21s --state {} --record {}",
            state.display(),
            file.display()
        ))
        .fine();
    let all = pieces(&state);
    let said = format!("recordings of events: {} written", all.len());
    assert!(live.stderr.contains(&said), "{}", live.stderr);
    let raised: Vec<_> = (live.of_type("event").iter())
        .filter(|event| event["state"] == "raised")
        .map(|event| {
            (
                event["seq"].as_u64().unwrap(),
                event["cycle"].as_u64().unwrap(),
            )
        })
        .collect();
    assert!(all.len() >= 2, "{all:?}, {raised:?}");
    let mut from_checkpoints = 0;
    for (number, path) in &all {
        let (_, cycle) = raised.iter().find(|(seq, _)| seq == number).unwrap();
        let replayed = place
            .twinstep(&format!("replay {} --json", path.display()))
            .fine();
        let says = |what: &str| assert!(replayed.stderr.contains(what), "{}", replayed.stderr);
        says("as the run was");
        if *cycle > 12_000 {
            says("the replay begins at the checkpoint after cycle");
            from_checkpoints += 1;
        }
        let end = replayed.summary()["cycles"].as_u64().unwrap() - 1;
        assert!(end >= (cycle + 4_990).min(29_999), "{end}");
        let from = cycle.saturating_sub(10_000);
        let expected = events(&live, from, end);
        assert!(!expected.is_empty());
        assert_eq!(events(&replayed, from, end), expected, "{number}.mcap");
    }
    assert!(from_checkpoints > 0, "{all:?}, {raised:?}");

    // Every event of the run has a page with curves from what the run left of it, whatever number its file has.
    let shared = (raised.iter()).filter(|(seq, _)| all.iter().all(|(number, _)| number != seq));
    let chosen = shared.chain(raised.last()).take(2);
    for (seq, cycle) in chosen {
        let page = place
            .twinstep(&format!("report {seq} --json --state {}", state.display()))
            .fine();
        let line = page.of_type("report").remove(0);
        let missing = line["missing"].as_array().unwrap();
        assert_eq!(missing.len(), 1, "{line}");
        let no_gateway = missing[0].as_str().unwrap().contains("No gateway");
        assert!(no_gateway, "{line}");
        let html = std::fs::read_to_string(place.path(line["file"].as_str().unwrap())).unwrap();
        let confirmed = html.contains("found this event with the same values");
        assert!(confirmed && html.contains("<svg"), "{seq} at {cycle}");
    }

    // The whole run from one of its checkpoints has its digest too.
    let late = place
        .twinstep(&format!("replay --from 21500 {} --json", file.display()))
        .fine();
    assert!(
        late.stderr
            .contains("the replay begins at the checkpoint after cycle 2"),
        "{}",
        late.stderr
    );
    assert!(late.stderr.contains("as the run was"), "{}", late.stderr);
    assert_eq!(late.summary()["digest"], live.summary()["digest"]);
    assert_eq!(events(&late, 21_500, 29_999), events(&live, 21_500, 29_999));
}

#[test]
fn a_run_that_is_told_to_keep_nothing_keeps_nothing() {
    let place = Place::new();
    let (state, file) = (place.path("state"), place.path("run.mcap"));
    let run = place
        .twinstep(&format!(
            "demo --fast --json --cycles 11500 --no-event-recordings --inject frame_loss:bus:count=3@1s --state {} --record {}",
            state.display(),
            file.display()
        ))
        .fine();
    assert!(!run.of_type("event").is_empty());
    assert!(!state.join("events").exists());
    // The recording of the whole run has its checkpoints all the same.
    let late = place
        .twinstep(&format!("replay --from 11000 {} --json", file.display()))
        .fine();
    assert!(
        late.stderr.contains("the replay begins at the checkpoint"),
        "{late:?}"
    );
    assert_eq!(late.summary()["digest"], run.summary()["digest"]);
    let none = place.twinstep("replay --from 5 gone.csv");
    assert_eq!(none.status.code(), Some(2));
}
