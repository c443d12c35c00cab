//! Envelopes of presses without a twin, through the real binary: until they are taught everything says that they judge nothing;
//! `calibrate` teaches them from good strokes, each press its own; and what they find is an event in which nothing is predicted.
#![allow(
    clippy::unwrap_used,
    reason = "a test fails by panicking, its helpers too"
)]

use serde_json::{Value, json};
use std::fmt::Write as _;
use std::path::Path;
use twinstep_tests::crank::{forces, swings, table};
use twinstep_tests::press::{nok, with_band};
use twinstep_tests::run::{Place, Run};

/// Stiffness of good parts. The band is some ten of its standard deviations wide, or 300 N.
const GOOD: [f64; 6] = [1.0, 1.001, 0.999, 1.0005, 0.9995, 1.0];
/// What no other object of the shipped machine finds.
const SOFT: f64 = 0.97;
const X: [&str; 2] = ["101mm", "118mm"];

fn replay(place: &Place, config: &Path, record: &Path, state: &str) -> Run {
    let args = format!(
        "replay {} {} --json --state {}",
        config.display(),
        record.display(),
        place.path(state).display()
    );
    place.twinstep(&args).fine()
}

fn calibrate(place: &Place, config: &Path, record: &Path) -> Run {
    let args = format!(
        "calibrate {} {} --write --json",
        config.display(),
        record.display()
    );
    place.twinstep(&args).fine()
}

/// Envelopes that `check` says are not taught, press by press.
fn not_taught(place: &Place, config: &Path) -> Vec<Value> {
    let run = place.twinstep(&format!("check {} --json", config.display()));
    let presses = run.fine().of_type("check")[0]["presses"].take();
    let presses = presses.as_array().unwrap().iter();
    (presses.map(|press| press["envelopes_not_taught"].clone())).collect()
}

/// What a run said to a person, in one line.
fn said(run: &Run) -> String {
    let words = run.stderr.split_whitespace();
    words.collect::<Vec<_>>().join(" ")
}

const MISSING: &str = "ram: the envelope band is not taught, and judges no stroke";

#[test]
fn an_envelope_behind_a_crank_is_missed_then_taught_and_then_judges() {
    let place = Place::new();
    let config = place.file("machine.toml", with_band("crank-press.toml", X));
    let good = place.file("good.csv", table(&swings(&GOOD, 0.0)));
    let soft = place.file("soft.csv", table(&swings(&[1.0, SOFT], 0.0)));

    // Nothing that judges nothing reads as OK in silence.
    assert_eq!(not_taught(&place, &config), [json!(["band"])]);
    let check = place.twinstep(&format!("check {}", config.display()));
    assert!(check.fine().stdout.contains(MISSING));
    let before = replay(&place, &config, &soft, "before");
    assert!(said(&before).contains(MISSING), "{before:?}");
    let strokes = before.of_type("stroke");
    assert_eq!(strokes.len(), 2);
    for stroke in &strokes {
        assert_eq!(stroke["verdict"], "ok", "{stroke}");
        let missed = json!([{ "name": "band", "reason": "not_taught" }]);
        assert_eq!(stroke["not_judged"], missed, "{stroke}");
    }
    let missed = json!([{ "source": "ram", "envelopes_not_taught": 1 }]);
    assert_eq!(before.summary()["not_judged"], missed);

    let run = calibrate(&place, &config, &good);
    let taught = run.of_type("calibration_envelope");
    let expected = json!({
        "type": "calibration_envelope", "source": "ram", "object": "band", "part": "blank", "recipe": null, "strokes": 6,
    });
    assert_eq!(taught, [expected]);

    assert_eq!(not_taught(&place, &config), [json!([])]);
    for stroke in replay(&place, &config, &good, "good").of_type("stroke") {
        assert_eq!((&stroke["verdict"], nok(&stroke)), (&json!("ok"), vec![]));
        assert_eq!(stroke["not_judged"], Value::Null, "{stroke}");
        assert_eq!(stroke["objects"].as_array().unwrap().len(), 5, "{stroke}");
    }
    let after = replay(&place, &config, &soft, "after");
    assert!(!said(&after).contains("not taught"), "{after:?}");
    assert_eq!(after.summary()["not_judged"], Value::Null);
    let strokes = after.of_type("stroke");
    assert_eq!(nok(&strokes[0]), [] as [&str; 0]);
    assert_eq!(nok(&strokes[1]), ["band"]);

    // Without a twin nothing is predicted: neither the measured force nor 0 is told as a prediction.
    let event = after.of_type("event").remove(0);
    assert_eq!(
        (&event["channel"], &event["nok"]["object"]),
        (&json!("stroke"), &json!("band"))
    );
    assert!(event["measured"].as_f64().unwrap() > 25e3, "{event}");
    assert_eq!(
        (&event["predicted"], &event["residual"]),
        (&Value::Null, &Value::Null)
    );
    let text = place.twinstep(&format!("events --state {}", place.path("after").display()));
    let text = text.fine().stdout;
    assert!(text.contains(" N, nothing predicted, pressing)"), "{text}");
}

#[test]
fn too_few_good_strokes_teach_nothing_and_are_counted() {
    let place = Place::new();
    let config = place.file("machine.toml", with_band("crank-press.toml", X));
    let few = place.file("few.csv", table(&swings(&GOOD[..4], 0.0)));
    let args = format!("calibrate {} {}", config.display(), few.display());
    let said = "blank: no envelope, 4 good strokes reach over its range and 5 are needed";
    place.refuse(&args, 2, &["nothing could be identified", said]);
    // One that another object finds NOK is not good: here its peak is too low.
    let parts = [1.0, 1.001, 0.8, 0.999, 1.0005];
    let bad = place.file("bad.csv", table(&swings(&parts, 0.0)));
    let args = format!("calibrate {} {}", config.display(), bad.display());
    place.refuse(&args, 2, &[said]);
}

#[test]
fn an_envelope_of_a_force_that_is_measured_itself_is_taught_and_judges() {
    let place = Place::new();
    let mut text = with_band("crank-press.toml", X);
    for (from, to) in [
        (
            "current = { column = \"current_a\" }",
            "current = { column = \"current_a\", unit = \"N\" }",
        ),
        (
            "efficiency = 0.92\nefficiency_back = 0.9\ncounterbalance = \"1.5kN\"\n",
            "",
        ),
    ] {
        assert!(text.contains(from), "{from}");
        text = text.replace(from, to);
    }
    let config = place.file("machine.toml", text);
    let good = place.file("good.csv", table(&forces(&GOOD)));
    let soft = place.file("soft.csv", table(&forces(&[1.0, SOFT])));
    let check = place.twinstep(&format!("check {} --json", config.display()));
    let check = check.fine().of_type("check").remove(0);
    assert_eq!(check["presses"][0]["force_from"], "sensor");
    let taught = calibrate(&place, &config, &good).of_type("calibration_envelope");
    assert_eq!(taught[0]["strokes"], 6, "{taught:?}");
    let run = replay(&place, &config, &soft, "state");
    let found: Vec<Value> = run.of_type("stroke");
    let found: Vec<Vec<&str>> = found.iter().map(nok).collect();
    assert_eq!(found, [vec![], vec!["band"]]);
    assert_eq!(run.of_type("event")[0]["predicted"], Value::Null);
}

/// Two presses alike, both with the band.
fn two_presses() -> String {
    let text = with_band("crank-press.toml", X);
    let (head, rest) = text.split_once("[[press]]").unwrap();
    let (press, parts) = rest.split_once("[[part]]").unwrap();
    let second = press.replacen("name = \"ram\"", "name = \"second\"", 1);
    format!(
        "{head}[[press]]{press}[[press]]{second}[[part]]{parts}\n[[recording.axis]]\naxis = \"second\"\n\
         position = {{ column = \"motor2_deg\", unit = \"deg\" }}\ncurrent = {{ column = \"current2_a\" }}\n"
    )
}

/// What both presses say at once, of parts that are so many times as stiff.
fn both(first: f64, second: f64) -> String {
    let swings = |factor: f64| swings(&GOOD.map(|good| factor * good), 0.0);
    let mut text = "t_s,motor_deg,current_a,motor2_deg,current2_a\n".to_owned();
    for (k, ([a, b], [c, d])) in swings(first).iter().zip(&swings(second)).enumerate() {
        writeln!(text, "{},{a},{b},{c},{d}", k as f64 * 1e-3).unwrap();
    }
    text
}

#[test]
fn two_presses_learn_the_same_part_each_for_itself() {
    let place = Place::new();
    let config = place.file("machine.toml", two_presses());
    // What is pressed on the second is 4 % stiffer, as of another frame.
    let good = place.file("good.csv", both(1.0, 1.04));
    let swapped = place.file("swapped.csv", both(1.04, 1.0));
    let run = calibrate(&place, &config, &good);
    let taught = run.of_type("calibration_envelope");
    let sources: Vec<&Value> = taught.iter().map(|line| &line["source"]).collect();
    assert_eq!(sources, ["ram", "second"]);
    let text = std::fs::read_to_string(&config).unwrap();
    for table in [
        "[part.twin.envelope]",
        "[[part.press_twin]]\npress = \"second\"",
        "[part.press_twin.envelope]",
    ] {
        assert!(text.contains(table), "{table} is not in {text}");
    }
    for (record, expected) in [(&good, vec![]), (&swapped, vec!["band"])] {
        let run = replay(&place, &config, record, "state");
        let strokes = run.of_type("stroke");
        assert_eq!(strokes.len(), 2 * GOOD.len());
        for stroke in strokes {
            assert_eq!(nok(&stroke), expected, "{stroke}");
        }
    }
    // Learnt again, each band is replaced by its own.
    let _ = calibrate(&place, &config, &swapped);
    for stroke in replay(&place, &config, &swapped, "again").of_type("stroke") {
        assert_eq!(nok(&stroke), [] as [&str; 0], "{stroke}");
    }
}
