//! The shipped simulated crank press, commissioned: its twin is found by `calibrate`, a healthy run of the same machine is quiet, and a fault of its
//! axis and a wrong part are found. Plant and twin share no code.
#![allow(
    clippy::unwrap_used,
    reason = "a test fails by panicking, its helpers too"
)]

use serde_json::Value;
use std::path::{Path, PathBuf};
use twinstep_tests::release_binary;
use twinstep_tests::run::{Place, Run, number, shipped};

fn demo(place: &Place, config: &Path, seed: u64, cycles: u64, more: &str) -> Run {
    let args = format!(
        "demo --config {} --fast --json --cycles {cycles} --seed {seed} --state {} {more}",
        config.display(),
        place.path(&format!("state{seed}")).display()
    );
    place.run(release_binary(), &args).fine()
}

/// The machine with what was learnt in four minutes of it.
fn commissioned(place: &Place) -> (PathBuf, Value) {
    let text = std::fs::read_to_string(shipped("servo-crank-press.toml")).unwrap();
    let config = place.file("press.toml", text);
    let record = place.path("healthy.csv");
    let more = format!("--record {}", record.display());
    let _ = demo(place, &config, 101, 240_000, &more);
    let args = format!(
        "calibrate {} {} --json --write",
        config.display(),
        record.display()
    );
    let run = place.run(release_binary(), &args).fine();
    (config, run.of_type("calibration").remove(0))
}

fn raised(run: &Run) -> Vec<String> {
    let events = run.of_type("event").into_iter();
    (events.filter(|event| event["state"] == "raised"))
        .map(|event| event["channel"].as_str().unwrap_or_default().to_owned())
        .collect()
}

#[test]
fn a_commissioned_crank_press_is_quiet_and_finds_what_is_wrong() {
    let place = Place::new();
    let (config, found) = commissioned(&place);
    // What the machine was drawn with is up to some per cent off.
    let per_m = 2.0 * std::f64::consts::PI / 0.36;
    let drawn_kg = 60e-4 * per_m * per_m + 0.6;
    let mass_kg = found["mass_kg"][0].as_f64().unwrap();
    assert!(
        (mass_kg / drawn_kg - 1.0).abs() < 0.15,
        "{drawn_kg}: {found}"
    );
    assert_eq!(found["cascade"], true, "{found}");

    let healthy = demo(&place, &config, 202, 120_000, "");
    assert!(raised(&healthy).is_empty(), "{}", healthy.stdout);
    let strokes = healthy.of_type("stroke");
    assert!(strokes.len() > 30, "{}", strokes.len());
    for stroke in &strokes {
        assert_eq!(stroke["verdict"], "ok", "{stroke}");
        let residual_n = number(stroke, "residual_n").abs();
        assert!(residual_n < 0.1 * number(stroke, "peak_n"), "{stroke}");
    }

    let sticks = demo(
        &place,
        &config,
        203,
        120_000,
        "--inject friction:ram:factor=2@20s",
    );
    let channels = raised(&sticks);
    assert!(
        channels.iter().any(|channel| channel == "current_load"),
        "{channels:?}"
    );
    // The hard part is stiffer by a quarter.
    let wrong = demo(
        &place,
        &config,
        204,
        60_000,
        "--inject wrong_part:ram:part=hard@20s",
    );
    assert!(
        raised(&wrong).iter().any(|channel| channel == "stroke"),
        "{}",
        wrong.stdout
    );
}
