//! Evaluation objects of a press, and recordings without a time.

use super::errors::wrong;
use crate::machine::Demand;
use crate::{PRESS_CELL, load};
use twinstep_models::press::evaluate::reference::Reference;
use twinstep_models::press::evaluate::{Shape, Side};

const SWITCH: &str = include_str!("../../machines/switch-force.toml");

#[test]
fn every_kind_of_evaluation_is_built() {
    let machine = load(SWITCH, "switch-force.toml").unwrap();
    let press = &machine.presses[0];
    assert_eq!(press.curve.begin_m, 0.0);
    assert_eq!(press.curve.step_n, 1e-5);
    assert_eq!(press.evaluations.len(), 12);
    let object = |name: &str| {
        let found = press.evaluations.iter().find(|e| e.name == name).unwrap();
        match &found.demand {
            Demand::Object(object) => *object,
            Demand::Envelope(_) => panic!("{name} is an envelope"),
        }
    };
    let Shape::Passage(quad) = object("corridor").shape else {
        panic!("the corridor is an area");
    };
    assert_eq!((quad.bottom_n, quad.top_n), ([0.15, 0.25], [0.9, 1.2]));
    assert!(quad.entry.has(Side::Left) && !quad.entry.has(Side::Top) && !quad.exit.within());
    assert_eq!(object("corridor").reference, Reference::Trigger(0.2));
    assert_eq!(object("stop").reference, Reference::Final);
    assert!(machine.recording.unwrap().index);
    let cell = load(PRESS_CELL, "press-cell.toml").unwrap();
    let envelopes = cell.presses[0].evaluations.iter();
    let parts: Vec<u8> = envelopes
        .filter_map(|e| match &e.demand {
            Demand::Envelope(envelope) => Some(envelope.part),
            Demand::Object(_) => None,
        })
        .collect();
    assert_eq!(parts, [0, 1]);
}

#[test]
fn every_mistake_points_at_its_line() {
    let it = |from, to, words| wrong(SWITCH, from, to, words);
    it(
        "kind = \"window\"",
        "kind = \"windw\"",
        "did you mean \"window\"?",
    );
    it(
        "branch = \"return\"",
        "branch = \"back\"",
        "known: forward, return",
    );
    it(
        "entry = [\"left\", \"bottom\"]",
        "entry = [\"lefft\"]",
        "there is no side \"lefft\"",
    );
    it("exit = [\"within\"]", "exit = []", "`exit` has no side");
    it(
        "x = [\"2.5mm\", \"5mm\"]",
        "x = [\"5mm\", \"2.5mm\"]",
        "which is not more",
    );
    it("x = [\"2.5mm\", \"5mm\"]", "x = [\"5mm\"]", "needs two");
    it(
        "x = [\"2.5mm\", \"5mm\"]",
        "x = [\"5mm\", \"6kg\"]",
        "expected a length",
    );
}

/// The text with `from` replaced is refused with all of `words`.
fn refused(base: &str, from: &str, to: &str, words: &str) {
    assert!(base.contains(from), "{from} is not there");
    let error = load(&base.replacen(from, to, 1), "it.toml")
        .expect_err(to)
        .plain();
    assert!(
        error.contains(words),
        "{from} -> {to}: expected \"{words}\" in\n{error}"
    );
}

#[test]
fn what_a_kind_needs_and_what_it_has_no_use_for() {
    let it = |from, to, words| refused(SWITCH, from, to, words);
    it(
        "reference = \"trigger\"",
        "reference = \"final\"",
        "no meaning without `reference",
    );
    it("trigger = \"0.2N\"\n", "\n", "needs `trigger`");
    it(
        "kind = \"peak\"\ny = [\"0.9N\", \"3N\"]",
        "kind = \"peak\"",
        "kind \"peak\" needs `y`",
    );
    it(
        "gradient = [\"0.02N/mm\"",
        "work = [\"1J\", \"2J\"]\ngradient = [\"0.02N/mm\"",
        "`work` has no meaning",
    );
    it(
        "at = \"1.5mm\"\ny = [\"0.25N\"",
        "y = [\"0.25N\"",
        "a threshold is `at` a travel",
    );
    it(
        "name = \"actuation\"",
        "name = \"release\"",
        "taken already",
    );
    it("x = [\"3mm\", \"4.5mm\"]", "", "has limits `x`");
    it(
        "y_right = [\"0.25N\", \"1.2N\"]",
        "y_right = [\"0.25N\", \"0.2N\"]",
        "which is not more",
    );
}

#[test]
fn an_envelope_that_was_not_taught_so_is_refused() {
    let it = |from, to, words| refused(PRESS_CELL, from, to, words);
    it(
        "from = \"0.1495m\"",
        "from = \"1m\"",
        "`to` is not beyond `from`",
    );
    it(
        "lower = [\n",
        "lower = [\"1N\",\n",
        "has 65 forces, and an envelope has 64",
    );
    it(
        "part = \"bush-a\"\nx",
        "part = \"bush-q\"\nx",
        "there is no part \"bush-q\"",
    );
    it(
        "part = \"bush-a\"\nx",
        "x",
        "kind \"envelope\" needs `part`",
    );
    it(
        "contact_force = \"300N\"",
        "begin = \"1m\"",
        "and the stroke goes from",
    );
}

#[test]
fn a_recording_has_a_time_or_counts_its_rows() {
    let time = "time = { column = \"t\" }";
    refused(
        SWITCH,
        "index = true",
        &format!("index = true\n{time}"),
        "exclude each other",
    );
    refused(SWITCH, "index = true", "", "needs `time`");
    assert!(load(&SWITCH.replacen("index = true", time, 1), "it.toml").is_ok());
}
