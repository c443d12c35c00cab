//! Strokes of a press that is replayed from a table, held against geometry and virtual work.

use crate::run::{Place, number, shipped};
use serde_json::Value;

/// The strokes of a replay of `table` by the shipped `machine`, with `from` replaced by `to` in it.
///
/// # Panics
/// Where `from` is not there, or the replay fails.
pub fn strokes(machine: &str, table: String, from: &str, to: &str) -> Vec<Value> {
    let place = Place::new();
    let text = std::fs::read_to_string(shipped(machine))
        .unwrap_or_else(|error| panic!("{machine}: {error}"));
    assert!(text.contains(from), "{from} is not in {machine}");
    let machine = place.file("machine.toml", text.replacen(from, to, 1));
    let table = place.file("run.csv", table);
    let args = format!(
        "replay {} {} --json --state {}",
        machine.display(),
        table.display(),
        place.path("state").display()
    );
    place.twinstep(&args).fine().of_type("stroke")
}

/// The value of one of its objects.
///
/// # Panics
/// Where it has none of this name, or that has no value.
pub fn value(stroke: &Value, name: &str) -> f64 {
    let objects = stroke["objects"].as_array().into_iter().flatten();
    let object = (objects.into_iter().find(|object| object["name"] == name))
        .unwrap_or_else(|| panic!("{name} of {stroke}"));
    number(object, "value")
}

/// Holds `actual` to a share of `expected`.
///
/// # Panics
/// Where it is further off.
pub fn near(what: &str, actual: f64, expected: f64, share: f64) {
    let off = (actual - expected).abs();
    assert!(
        off <= share * expected.abs(),
        "{what}: {actual}, expected {expected}"
    );
}

/// The shipped `machine` with an envelope `band` of its blank over `x`.
///
/// # Panics
/// Where it has no part.
#[must_use]
pub fn with_band(machine: &str, x: [&str; 2]) -> String {
    let text = std::fs::read_to_string(shipped(machine))
        .unwrap_or_else(|error| panic!("{machine}: {error}"));
    let Some((press, part)) = text.split_once("[[part]]") else {
        panic!("{machine} has no part")
    };
    let [from, to] = x;
    format!(
        "{press}[[press.evaluation]]\nname = \"band\"\nkind = \"envelope\"\npart = \"blank\"\nx = [\"{from}\", \"{to}\"]\n\
         floor = \"300N\"\n\n[[part]]{part}"
    )
}

/// Names of the objects of a stroke that are not OK.
#[must_use]
pub fn nok(stroke: &Value) -> Vec<&str> {
    let objects = stroke["objects"].as_array().into_iter().flatten();
    let nok = objects.filter(|object| object["ok"] == false);
    nok.filter_map(|object| object["name"].as_str()).collect()
}
