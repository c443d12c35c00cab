//! Stations and parts in what `calibrate` shows: in the table, on the page, as JSON, and in the patch, the same figures everywhere.
#![allow(
    clippy::unwrap_used,
    reason = "a test fails by panicking, its helpers too"
)]

use serde_json::Value;
use twinstep_tests::release_binary;
use twinstep_tests::run::{Place, shipped};

/// Leak that the plant of the shipped cell has, and its time constant: a machine is drawn around them by 10 % or so.
const NEAR: std::ops::RangeInclusive<f64> = 0.7..=1.4;

fn pair(line: &Value, key: &str) -> (f64, f64) {
    let number = |n: usize| line[key][n].as_f64().unwrap();
    (number(0), number(1))
}

#[test]
fn stations_and_parts_are_shown_like_axes() {
    let place = Place::new();
    let config = shipped("press-cell.toml").display().to_string();
    let record = place.path("run.csv").display().to_string();
    let page = place.path("page.html").display().to_string();
    let args = format!("demo --fast --cycles 30000 --seed 7 --record {record} --json");
    let _ = place.run(release_binary(), &args).fine();

    let args = format!("calibrate {config} {record} --report {page} --json");
    let run = place.run(release_binary(), &args).fine();
    let station = run.of_type("calibration_station").remove(0);
    assert_eq!(station["source"], "gripper");
    for key in [
        "final_pressure_pa",
        "evacuation_time_constant_s",
        "leak_pa_per_s",
    ] {
        let (value, error) = pair(&station, key);
        let before = station["before"][key].as_f64().unwrap();
        assert!(NEAR.contains(&(value / before)), "{key}: {station}");
        assert!(error > 0.0 && error < 0.1 * value, "{key}: {station}");
    }
    assert!(station["holds"].as_u64().unwrap() >= 3, "{station}");
    let parts = run.of_type("calibration_part");
    let names: Vec<&Value> = parts.iter().map(|line| &line["source"]).collect();
    assert_eq!(names, ["bush-a", "bush-b"], "{parts:?}");
    for line in &parts {
        for key in ["contact_m", "stiffness_n_per_m"] {
            let (value, before) = (line[key].as_f64(), line["before"][key].as_f64());
            let ratio = value.unwrap() / before.unwrap();
            assert!(NEAR.contains(&ratio), "{key}: {line}");
        }
    }

    // The same figures on the page.
    let html = std::fs::read_to_string(&page).unwrap();
    let leak = format!("<td>{:.4}</td>", pair(&station, "leak_pa_per_s").0);
    assert!(html.contains(&leak), "{leak} is not on the page");
    assert!(html.contains("<h2>bush-a</h2>"), "the part is not on it");

    // And for people: a row each, the patch below them.
    let run = place.run(release_binary(), &format!("calibrate {config} {record}"));
    let text = run.fine().stdout;
    for (name, quantity) in [
        ("gripper", "pressure"),
        ("gripper", "evacuation"),
        ("gripper", "leak"),
        ("bush-a", "contact"),
        ("bush-b", "stiffness"),
    ] {
        let is_row = |line: &str| {
            let mut words = line.split_whitespace();
            (words.next(), words.next()) == (Some(name), Some(quantity))
        };
        assert!(text.lines().any(is_row), "{name} {quantity}: {text}");
    }
    let patched = format!("leak = \"{}Pa/s\"", pair(&station, "leak_pa_per_s").0);
    assert!(text.contains(&patched), "{patched} is not in {text}");
}
