//! The evaluation objects that docs/press.md shows are those that the program takes, all kinds of them, and a good stroke of the machine that
//! they are written for is OK by each.
#![allow(
    clippy::unwrap_used,
    reason = "a test fails by panicking, its helpers too"
)]

use std::collections::BTreeSet;
use twinstep_tests::crank::{swings, table};
use twinstep_tests::press::nok;
use twinstep_tests::root;
use twinstep_tests::run::{Place, shipped};

const KINDS: [&str; 9] = [
    "window",
    "trapezium",
    "threshold",
    "envelope",
    "peak",
    "work",
    "gradient",
    "hysteresis",
    "block",
];

/// Examples of the page with evaluation objects.
fn examples() -> Vec<String> {
    let page = std::fs::read_to_string(root().join("docs/press.md")).unwrap();
    let blocks = page.split("```toml\n").skip(1);
    let blocks = blocks.map(|block| block.split("```").next().unwrap().to_owned());
    blocks
        .filter(|block| block.contains("[[press.evaluation]]"))
        .collect()
}

/// The shipped crank press, judged by `objects` alone.
fn machine(objects: &str) -> String {
    let text = std::fs::read_to_string(shipped("crank-press.toml")).unwrap();
    let (head, rest) = text.split_once("[[press.evaluation]]").unwrap();
    let (_, parts) = rest.split_once("[[part]]").unwrap();
    format!("{head}{objects}\n[[part]]{parts}")
}

#[test]
fn every_example_is_taken_by_itself_and_all_kinds_are_shown() {
    let mut kinds = BTreeSet::new();
    for example in examples() {
        let text = machine(&example);
        if let Err(error) = twinstep_config::load(&text, "docs/press.md") {
            panic!("{example}\n{}", error.plain());
        }
        for line in example.lines() {
            kinds.extend(
                line.strip_prefix("kind = ")
                    .map(|k| k.trim_matches('"').to_owned()),
            );
        }
    }
    let expected: BTreeSet<String> = KINDS.map(str::to_owned).into();
    assert_eq!(kinds, expected);
}

#[test]
fn a_good_stroke_is_ok_by_all_of_them() {
    let place = Place::new();
    let objects = examples().concat();
    let config = place.file("machine.toml", machine(&objects));
    let record = place.file("run.csv", table(&swings(&[1.0; 6], 0.0)));
    let [config, record] = [config, record].map(|path| path.display().to_string());
    let _ = place
        .twinstep(&format!("calibrate {config} {record} --write"))
        .fine();
    let state = place.path("state");
    let args = format!(
        "replay {config} {record} --json --state {}",
        state.display()
    );
    let strokes = place.twinstep(&args).fine().of_type("stroke");
    assert_eq!(strokes.len(), 6);
    let written = objects.matches("[[press.evaluation]]").count();
    for stroke in strokes {
        assert_eq!(nok(&stroke), [] as [&str; 0], "{stroke}");
        let judged = stroke["objects"].as_array().unwrap().len();
        assert_eq!(judged, written, "{stroke}");
    }
}
