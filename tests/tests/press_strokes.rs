//! The press of the cell: healthy strokes raise nothing, a wrong part is NOK with the model's residual on the same event.
#![allow(
    clippy::unwrap_used,
    reason = "a test fails by panicking, its helpers too"
)]

use twinstep_tests::release_binary;
use twinstep_tests::run::{Place, Run};

fn demo(inject: &str) -> Run {
    let place = Place::new();
    let state = place.path("state");
    let args = format!(
        "demo --fast --json --cycles 30000 --seed 7 --state {} {inject}",
        state.display()
    );
    place.run(release_binary(), &args).fine()
}

#[test]
fn healthy_strokes_have_a_verdict_each_and_no_event() {
    let run = demo("");
    let strokes = run.of_type("stroke");
    assert!(strokes.len() >= 10, "{}", strokes.len());
    for (n, stroke) in strokes.iter().enumerate() {
        assert_eq!(stroke["stroke"], n + 1);
        assert_eq!(stroke["verdict"], "ok", "{stroke}");
        let judged = stroke["objects"].as_array().unwrap();
        // Window, work, and the envelope of the part.
        assert_eq!(judged.len(), 3, "{stroke}");
        // Far below the force of the stroke: the twin knows the part.
        let (residual, peak) = (&stroke["residual_n"], &stroke["peak_n"]);
        assert!(
            residual.as_f64().unwrap().abs() < 0.2 * peak.as_f64().unwrap(),
            "{stroke}"
        );
    }
    assert!(run.of_type("event").is_empty());
}

#[test]
fn a_wrong_part_is_nok_with_the_residual_on_the_same_event() {
    // A bush of the other kind: every second stroke is as it should be.
    let run = demo("--inject wrong_part:press:part=bush-b@10s");
    let strokes = run.of_type("stroke");
    let late = |s: &&serde_json::Value| s["time_ns"].as_u64().unwrap() > 15_000_000_000;
    for stroke in strokes.iter().filter(late) {
        let wrong = stroke["part"] == "bush-a";
        assert_eq!(
            stroke["verdict"],
            if wrong { "nok" } else { "ok" },
            "{stroke}"
        );
    }
    let events = run.of_type("event");
    let event = events.iter().find(|e| e["channel"] == "stroke").unwrap();
    assert_eq!(event["source"], "press");
    assert_eq!(event["state"], "raised");
    assert_eq!(event["unit"], "N");
    assert_eq!(event["nok"]["object"], "bush-a");
    assert_eq!(event["nok"]["side"], "top");
    let number = |key: &str| event[key].as_f64().unwrap();
    assert!(number("residual") > 1000.0, "{event}");
    assert!((number("measured") - number("predicted") - number("residual")).abs() < 1e-6);
}
