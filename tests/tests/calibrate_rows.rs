//! Stations and parts in what `calibrate` shows: in the table, on the page, as JSON, and in the patch, the same figures everywhere.
#![allow(
    clippy::unwrap_used,
    reason = "a test fails by panicking, its helpers too"
)]

use serde_json::Value;
use twinstep_tests::release_binary;
use twinstep_tests::run::{Place, shipped};

/// Leak that the plant of the shipped cell has, its time constant, and the stiffness of a part: those of one run beside those of the
/// commissioning.
const NEAR: std::ops::RangeInclusive<f64> = 0.9..=1.1;
/// How far a part is met from where it was met in the commissioning (m): parts differ by tens of micrometres.
const CONTACT_M: f64 = 1e-4;

/// A part is met where it was, and as stiff.
fn assert_near(line: &Value) {
    let of = |key: &str| [&line[key], &line["before"][key]].map(|v| v.as_f64().unwrap());
    let [now, before] = of("contact_m");
    assert!((now - before).abs() < CONTACT_M, "{line}");
    let [now, before] = of("stiffness_n_per_m");
    assert!(NEAR.contains(&(now / before)), "{line}");
}

/// Whether a row of the table is that of a quantity.
fn has_row(text: &str, name: &str, quantity: &str) -> bool {
    text.lines().any(|line| {
        let mut words = line.split_whitespace();
        (words.next(), words.next()) == (Some(name), Some(quantity))
    })
}

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
    for key in ["final_pressure_pa", "leak_pa_per_s"] {
        let (value, error) = pair(&station, key);
        let before = station["before"][key].as_f64().unwrap();
        assert!(NEAR.contains(&(value / before)), "{key}: {station}");
        assert!(error > 0.0 && error < 0.1 * value, "{key}: {station}");
    }
    // The plant's 80 ms within what machines differ by, and a valve of 12 ms with sensor and bus behind it; without the dead time in the twin
    // its time constant has both.
    let (tau_s, tau_error_s) = pair(&station, "evacuation_time_constant_s");
    let (valve_s, valve_error_s) = pair(&station, "valve_delay_s");
    let was = &station["before"];
    let both_s = was["evacuation_time_constant_s"].as_f64().unwrap()
        + was["valve_delay_s"].as_f64().unwrap_or(0.0);
    assert!((0.076..0.086).contains(&tau_s), "{station}");
    assert!((0.012..0.018).contains(&valve_s), "{station}");
    assert!((tau_s + valve_s - both_s).abs() < 1e-3, "{station}");
    for error_s in [tau_error_s, valve_error_s] {
        assert!(error_s > 0.0 && error_s < 1e-3, "{station}");
    }
    assert!(station["holds"].as_u64().unwrap() >= 3, "{station}");
    let parts = run.of_type("calibration_part");
    let names: Vec<&Value> = parts.iter().map(|line| &line["source"]).collect();
    assert_eq!(names, ["bush-a", "bush-b"], "{parts:?}");
    for line in &parts {
        assert_near(line);
        assert!(
            line["factor"].is_null() && line["recipe"].is_null(),
            "{line}"
        );
        let error = |key: &str| line[key].as_f64().unwrap_or(f64::NAN);
        let contact_m = error("contact_standard_error_m");
        assert!(contact_m > 0.0 && contact_m < CONTACT_M, "{line}");
        let share = error("stiffness_standard_error_n_per_m") / error("stiffness_n_per_m");
        assert!(share > 0.0 && share < 0.1, "{line}");
        assert!(line["factor_standard_error"].is_null(), "{line}");
    }
    // What is judged by what, before and after.
    let thresholds = run.of_type("calibration_threshold");
    let of = |source: &str, channel: &str| {
        let mut all = thresholds.iter();
        all.find(|line| line["source"] == source && line["channel"] == channel)
            .unwrap_or_else(|| panic!("{source} {channel} in {thresholds:?}"))
    };
    for channel in ["position_next", "current_next", "drift"] {
        let line = of("carriage", channel);
        for limit in [&line["limit"], &line["before"]["limit"]] {
            assert!(limit.as_f64().is_some_and(|limit| limit > 0.0), "{line}");
        }
    }
    assert!(of("gripper", "leak_rate")["cusum"].as_f64().is_some());
    let axis = run.of_type("calibration").remove(0);
    let delay = axis["current_delay_standard_error_s"].as_f64();
    assert!(delay.is_some_and(|s| s > 0.0 && s < 1e-3), "{axis}");

    // The same figures on the page.
    let html = std::fs::read_to_string(&page).unwrap();
    let leak = format!("<td>{:.4}</td>", pair(&station, "leak_pa_per_s").0);
    assert!(html.contains(&leak), "{leak} is not on the page");
    assert!(html.contains("<h2>bush-a</h2>"), "the part is not on it");
    assert!(html.contains("<h2>Thresholds</h2>") && html.contains("Current delay"));

    // And for people: a row each, the patch below them.
    let run = place.run(release_binary(), &format!("calibrate {config} {record}"));
    let text = run.fine().stdout;
    for (name, quantity) in [
        ("gripper", "pressure"),
        ("gripper", "evacuation"),
        ("gripper", "valve"),
        ("gripper", "leak"),
        ("bush-a", "contact"),
        ("bush-b", "stiffness"),
        ("carriage", "current"),
        ("carriage", "position_next"),
    ] {
        assert!(has_row(&text, name, quantity), "{name} {quantity}: {text}");
    }
    let patched = format!("valve_delay = \"{valve_s}s\"");
    assert!(text.contains(&patched), "{patched} is not in {text}");
    assert!(
        html.contains("<td>valve delay</td>"),
        "the valve is not on the page"
    );
    assert!(
        !has_row(&text, "bush-a", "factor"),
        "it has no curve: {text}"
    );
    let patched = format!("leak = \"{}Pa/s\"", pair(&station, "leak_pa_per_s").0);
    assert!(text.contains(&patched), "{patched} is not in {text}");
}

#[test]
fn a_part_with_a_curve_has_a_factor_of_it() {
    let place = Place::new();
    let config = shipped("forming-press.toml").display().to_string();
    let record = place.path("run.csv").display().to_string();
    let page = place.path("page.html").display().to_string();
    let args =
        format!("demo --config {config} --fast --cycles 30000 --seed 7 --record {record} --json");
    let _ = place.run(release_binary(), &args).fine();
    let args = format!("calibrate {config} {record} --report {page} --json");
    let parts = (place.run(release_binary(), &args).fine()).of_type("calibration_part");
    let names: Vec<&Value> = parts.iter().map(|line| &line["source"]).collect();
    assert_eq!(names, ["cap", "pin"], "{parts:?}");
    let html = std::fs::read_to_string(&page).unwrap();
    let text = place.run(release_binary(), &format!("calibrate {config} {record}"));
    let text = text.fine().stdout;
    for line in &parts {
        assert_near(line);
        let [now, before] =
            [&line["factor"], &line["before"]["factor"]].map(|v| v.as_f64().unwrap());
        assert!((now - before).abs() < 0.02, "{line}");
        let on_page = format!("<tr><td>factor</td><td>{before:.4}</td><td>{now:.4}</td>");
        assert!(html.contains(&on_page), "{on_page} is not on the page");
        let name = line["source"].as_str().unwrap();
        let row = text.lines().find(|line| has_row(line, name, "factor"));
        let figures = row
            .map(|row| row.contains(&format!("{before:.4}")) && row.contains(&format!("{now:.4}")));
        assert_eq!(figures, Some(true), "{name}: {text}");
    }
}
