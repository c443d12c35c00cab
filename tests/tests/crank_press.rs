//! A press behind a crank, replayed from its motor's angle and current through the real binary, against geometry and virtual work.
#![allow(
    clippy::unwrap_used,
    reason = "a test fails by panicking, its helpers too"
)]
#![allow(
    clippy::disallowed_methods,
    reason = "expected values within a tolerance, on whatever platform"
)]

use serde_json::Value;
use twinstep_tests::crank::{CONTACT_M, PART_N_PER_M, swings, table, travel_m};
use twinstep_tests::press::{self, near, value};
use twinstep_tests::run::number;
use twinstep_tests::run::{Place, shipped};

/// Force of the part, the ram at `travel_m` behind a rigid frame.
fn part_n(travel_m: f64) -> f64 {
    twinstep_tests::crank::part_n(travel_m, 1.0)
}

/// Two swings with this friction of the ram's guide.
fn recording(friction_n: f64) -> String {
    table(&swings(&[1.0, 1.0], friction_n))
}

/// The strokes of a replay of the shipped machine, with `from` replaced.
fn strokes(friction_n: f64, from: &str, to: &str) -> Vec<Value> {
    press::strokes("crank-press.toml", recording(friction_n), from, to)
}

#[test]
fn check_prints_what_stands_between_motor_and_ram() {
    let place = Place::new();
    let path = shipped("crank-press.toml");
    let run = place
        .twinstep(&format!("check {} --json", path.display()))
        .fine();
    let press = &run.of_type("check")[0]["presses"][0];
    assert_eq!(press["kinematics"], "crank");
    assert_eq!(press["force_from"], "current");
    for (n, degrees) in [10.0, 80.0, 170.0_f64].into_iter().enumerate() {
        let ram_m = press["ram_m"][n].as_f64().unwrap();
        assert!(
            (ram_m - travel_m(degrees.to_radians())).abs() < 1e-12,
            "{press}"
        );
    }
    let text = place.twinstep(&format!("check {}", path.display())).fine();
    assert!(
        text.stdout.contains("crank of 60 mm, rod 300 mm"),
        "{}",
        text.stdout
    );
}

#[test]
fn force_and_travel_of_the_ram_agree_with_geometry_and_virtual_work() {
    let strokes = strokes(0.0, "", "");
    assert_eq!(strokes.len(), 2);
    let peak_n = part_n(travel_m(170.0_f64.to_radians()));
    for stroke in &strokes {
        assert_eq!(stroke["verdict"], "ok", "{stroke}");
        assert_eq!(stroke["force_unknown"], 0);
        near("peak", number(stroke, "peak_n"), peak_n, 1e-4);
        let deepest_m = CONTACT_M + peak_n / PART_N_PER_M;
        near("place", number(stroke, "peak_position_m"), deepest_m, 1e-5);
        near("contact", number(stroke, "contact_m"), CONTACT_M, 5e-3);
        // F = k w over w: F^2 / 2 k. The curve is kept every 20 um.
        let work_j = peak_n * peak_n / 2.0 / PART_N_PER_M;
        near("work", value(stroke, "work"), work_j, 2e-3);
        near("end", value(stroke, "end"), PART_N_PER_M, 1e-3);
        near("rise", value(stroke, "rise"), PART_N_PER_M, 1e-3);
    }
}

#[test]
fn friction_of_the_guide_is_in_the_zero_and_not_in_the_windows() {
    let peak_n = part_n(travel_m(170.0_f64.to_radians()));
    for friction_n in [2000.0, 2600.0] {
        let tared = &strokes(friction_n, "", "")[0];
        assert_eq!(
            (&tared["verdict"], &tared["tare"]),
            (&"ok".into(), &"taken".into())
        );
        near("zero", number(tared, "tare_n"), friction_n, 1e-4);
        near("peak", number(tared, "peak_n"), peak_n, 1e-4);
        let without = "tare = [\"70mm\", \"95mm\"]\ntare_limit = \"3kN\"\n";
        let raw = &strokes(friction_n, without, "")[0];
        near("raw peak", number(raw, "peak_n"), peak_n + friction_n, 1e-4);
        assert!(raw.get("tare").is_none());
    }
    // More than that is no friction any more.
    let jammed = &strokes(3100.0, "", "")[0];
    assert_eq!(jammed["tare"], "beyond_limit");
    near("mean", number(jammed, "tare_n"), 3100.0, 1e-4);
    assert_eq!(jammed["verdict"], "nok");
    assert_eq!(jammed["objects"][0]["nok"]["tare"], "beyond_limit");
}

#[test]
fn a_force_is_not_made_up_in_the_dead_centre() {
    // Turned by 10 deg the very same swing ends in the lower dead centre.
    let place = Place::new();
    let text = std::fs::read_to_string(shipped("crank-press.toml")).unwrap();
    let text = text.replace("gear = 12\n", "gear = 12\nzero = \"-120mm\"\n");
    let text = text.replace("top = \"10deg\"", "top = \"20deg\"");
    let machine = place.file(
        "machine.toml",
        text.replace("bottom = \"170deg\"", "bottom = \"180deg\""),
    );
    let table = place.file("run.csv", recording(0.0));
    let args = format!(
        "replay {} {} --json --state {}",
        machine.display(),
        table.display(),
        place.path("state").display()
    );
    let run = place.twinstep(&args).fine();
    let strokes = run.of_type("stroke");
    assert_eq!(strokes.len(), 2);
    for stroke in strokes {
        // 1 % of the largest Jacobian is some 0.7 deg, and the swing is there for 80 ms.
        let unknown = number(&stroke, "force_unknown");
        assert!((20.0..200.0).contains(&unknown), "{stroke}");
        assert_eq!(stroke["force_unknown_reason"], "dead_centre");
        // 29 kN times the Jacobian of 170 deg over that of 179.3 deg, and no more: never infinite.
        assert!(number(&stroke, "peak_n") < 30e3 * 20.0);
    }
}
