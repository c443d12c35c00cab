//! A press behind a toggle that is given by rows, replayed from its screw and its motor's current through the real binary, against the
//! geometry of the links and virtual work.
#![allow(
    clippy::unwrap_used,
    reason = "a test fails by panicking, its helpers too"
)]
#![allow(
    clippy::disallowed_methods,
    reason = "expected values within a tolerance, on whatever platform"
)]

use serde_json::Value;
use std::fmt::Write;
use twinstep_tests::press::{self, near, nok, value, with_band};
use twinstep_tests::run::number;
use twinstep_tests::run::{Place, shipped};

/// The figures of the shipped machine, once more and by hand.
const LINK_M: f64 = 0.2;
const KNEE_M: f64 = 0.15;
const LEAD_M: f64 = 0.01;
const KT: f64 = 2.0;
const PART_N_PER_M: f64 = 4.0e6;
const FRAME_N_PER_M: f64 = 400.0e6;
const CONTACT_M: f64 = 0.125;
const BALANCE_N: f64 = 800.0;
const BOTTOM_M: f64 = 0.14;

/// Travel of a rigid ram: both links are hypotenuses of what the knee is beside the line.
fn travel_m(screw_m: f64) -> f64 {
    let beside = KNEE_M - screw_m;
    let height = |x: f64| (LINK_M * LINK_M - x * x).sqrt();
    2.0 * (height(beside) - height(KNEE_M))
}

/// Part and frame in series, the ram at `travel_m` behind a rigid frame.
fn part_n(travel_m: f64) -> f64 {
    as_stiff_n(travel_m, 1.0)
}

/// The same of a part that is `factor` times as stiff.
fn as_stiff_n(travel_m: f64, factor: f64) -> f64 {
    let part = factor * PART_N_PER_M;
    let both = part * FRAME_N_PER_M / (part + FRAME_N_PER_M);
    both * (travel_m - CONTACT_M).max(0.0)
}

/// Two strokes with this friction of the ram's guide.
fn recording(friction_n: f64) -> String {
    strokes_of(&[1.0, 1.0], friction_n)
}

/// A stroke of 2 s for each of the parts, which are so many times as stiff as they should be. On the way back a part springs with ten times
/// its stiffness.
fn strokes_of(parts: &[f64], friction_n: f64) -> String {
    let mut text = "t_s,screw_mm,current_a\n".to_owned();
    for k in 0..2000 * parts.len() + 200 {
        let factor = parts.get(k / 2000).or(parts.last()).copied().unwrap();
        let part_n = |travel_m| as_stiff_n(travel_m, factor);
        let t = k as f64 * 1e-3;
        let screw_m = 0.5 * BOTTOM_M * (1.0 - (std::f64::consts::PI * t).cos());
        let goes_in = (std::f64::consts::PI * t).sin() > 0.0;
        // Virtual work, by a difference quotient: the force of the screw for one on the ram.
        let h = 1e-7;
        let ratio = (travel_m(screw_m + h) - travel_m(screw_m - h)) / (2.0 * h);
        let a_per_n = ratio * LEAD_M / std::f64::consts::TAU / KT;
        let current = if goes_in {
            (part_n(travel_m(screw_m)) + BALANCE_N + friction_n) * a_per_n / 0.85
        } else {
            let deepest_m = travel_m(BOTTOM_M);
            let elastic = 10.0 * factor * PART_N_PER_M;
            let both = elastic * FRAME_N_PER_M / (elastic + FRAME_N_PER_M);
            let back_n = part_n(deepest_m) - both * (deepest_m - travel_m(screw_m));
            (back_n.max(0.0) + BALANCE_N - friction_n) * a_per_n * 0.8
        };
        writeln!(text, "{t},{},{current}", screw_m * 1e3).unwrap();
    }
    text
}

/// The strokes of a replay of the shipped machine, with `from` replaced.
fn strokes(friction_n: f64, from: &str, to: &str) -> Vec<Value> {
    press::strokes("toggle-press.toml", recording(friction_n), from, to)
}

#[test]
fn the_rows_are_the_linkage() {
    let place = Place::new();
    let path = shipped("toggle-press.toml");
    let run = place
        .twinstep(&format!("check {} --json", path.display()))
        .fine();
    let press = &run.of_type("check")[0]["presses"][0];
    assert_eq!(
        (&press["kinematics"], &press["force_from"]),
        (&"table".into(), &"current".into())
    );
    for (n, screw_m) in [0.0, 0.08, BOTTOM_M].into_iter().enumerate() {
        let ram_m = press["ram_m"][n].as_f64().unwrap();
        assert!((ram_m - travel_m(screw_m)).abs() < 1e-8, "{press}");
    }
}

#[test]
fn force_and_travel_of_the_ram_agree_with_geometry_and_virtual_work() {
    let peak_n = part_n(travel_m(BOTTOM_M));
    for friction_n in [0.0, 1500.0] {
        let strokes = strokes(friction_n, "", "");
        assert_eq!(strokes.len(), 2);
        for stroke in &strokes {
            assert_eq!(stroke["verdict"], "ok", "{stroke}");
            assert_eq!(stroke["force_unknown"], 0);
            near("peak", number(stroke, "peak_n"), peak_n, 1e-3);
            let deepest_m = CONTACT_M + peak_n / PART_N_PER_M;
            near("place", number(stroke, "peak_position_m"), deepest_m, 1e-5);
            near("contact", number(stroke, "contact_m"), CONTACT_M, 5e-3);
            near(
                "work",
                value(stroke, "work"),
                peak_n * peak_n / 2.0 / PART_N_PER_M,
                5e-3,
            );
            near("rise", value(stroke, "rise"), PART_N_PER_M, 1e-3);
            // The part springs back with ten times its stiffness: nine tenths of the work stay in it.
            let kept_j = 0.9 * peak_n * peak_n / 2.0 / PART_N_PER_M;
            if friction_n == 0.0 {
                near("hysteresis", number(stroke, "hysteresis_j"), kept_j, 5e-3);
                assert!(number(stroke, "tare_n").abs() < 1.0, "{stroke}");
            } else {
                // What the guide takes is in the zero and not in the windows.
                near("zero", number(stroke, "tare_n"), friction_n, 2e-3);
            }
        }
    }
}

#[test]
fn a_part_that_is_too_soft_is_nok_and_says_by_which_object() {
    let stiffer = "gradient = [\"4.4kN/mm\", \"4.8kN/mm\"]";
    let strokes = strokes(0.0, "gradient = [\"3.8kN/mm\", \"4.2kN/mm\"]", stiffer);
    assert_eq!(strokes.len(), 2);
    for stroke in strokes {
        assert_eq!(stroke["verdict"], "nok", "{stroke}");
        assert_eq!(nok(&stroke), ["rise"], "{stroke}");
    }
}

#[test]
fn an_envelope_is_taught_from_good_strokes_and_finds_a_soft_part() {
    let place = Place::new();
    let text = with_band("toggle-press.toml", ["126mm", "134mm"]);
    let config = place.file("machine.toml", text);
    let good = [1.0, 1.001, 0.999, 1.0005, 0.9995];
    let good = place.file("good.csv", strokes_of(&good, 0.0));
    // 3 % softer, which no other object finds.
    let soft = place.file("soft.csv", strokes_of(&[1.0, 0.97], 0.0));
    let args = format!("calibrate {} {} --write", config.display(), good.display());
    let run = place.twinstep(&args).fine();
    let said = "envelope band of blank taught from 5 good strokes";
    assert!(run.stdout.contains(said), "{run:?}");
    let args = format!(
        "replay {} {} --json --state {}",
        config.display(),
        soft.display(),
        place.path("state").display()
    );
    let strokes = place.twinstep(&args).fine().of_type("stroke");
    let found: Vec<Vec<&str>> = strokes.iter().map(nok).collect();
    assert_eq!(found, [vec![], vec!["band"]]);
}
