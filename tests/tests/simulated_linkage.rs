//! Simulated presses behind a crank and a toggle, through the real binary: their strokes are judged by the force that the motor's current
//! tells over the linkage, against geometry.
#![allow(
    clippy::unwrap_used,
    reason = "a test fails by panicking, its helpers too"
)]
#![allow(
    clippy::disallowed_methods,
    reason = "expected values within a tolerance, on whatever platform"
)]

use serde_json::Value;
use twinstep_tests::linkage::{crank, toggle};
use twinstep_tests::press::{near, nok, value};
use twinstep_tests::release_binary;
use twinstep_tests::run::{Place, Run, number};

fn demo(place: &Place, machine: &str, more: &str) -> Run {
    let config = place.file("press.toml", machine);
    let args = format!(
        "demo --config {} --fast --json --cycles 20000 --seed 4 --state {} {more}",
        config.display(),
        place.path("state").display()
    );
    place.run(release_binary(), &args).fine()
}

/// Part and frame in series to the bottom of the stroke: the simulated frame is 60 times as stiff as the stiffest part that there is.
fn peak_n(machine: &str) -> f64 {
    let machine = twinstep_config::load(machine, "press.toml").unwrap();
    let press = &machine.presses[0];
    let bottom_m = press.drive_train.ram_m(press.stroke.bottom_m);
    let stiffest = machine.parts.iter().map(|part| part.stiffness_n_per_m);
    let frame = 60.0 * stiffest.fold(0.0, f64::max);
    let part = &machine.parts[0];
    (bottom_m - part.contact_m) * part.stiffness_n_per_m * frame / (part.stiffness_n_per_m + frame)
}

/// Would show a force that is wrong by its linkage, its losses or its counterbalance, a stroke that is not seen, a loop that swings.
#[test]
fn good_strokes_are_ok_and_their_force_is_that_of_the_part() {
    for (name, machine) in [("crank", crank()), ("toggle", toggle())] {
        let place = Place::new();
        let run = demo(&place, &machine, "");
        let strokes = run.of_type("stroke");
        assert!(strokes.len() >= 6, "{name}: {}", strokes.len());
        for stroke in &strokes {
            assert_eq!(stroke["verdict"], "ok", "{name}: {stroke}");
            assert_eq!(stroke["force_unknown"], 0, "{name}: {stroke}");
            // On the way in: while the ram holds and turns, friction of the axis is on the other side of the current.
            near(name, value(stroke, "peak"), peak_n(&machine), 0.05);
        }
        assert_eq!(run.of_type("event"), [] as [Value; 0], "{name}");
    }
}

/// Would show a fault that never reaches the ram, or a wrong part that is judged like the right one.
#[test]
fn a_wrong_part_is_nok_and_friction_moves_the_zero_alone() {
    for (name, machine) in [("crank", crank()), ("toggle", toggle())] {
        let place = Place::new();
        let run = demo(&place, &machine, "--inject wrong_part:ram:part=hard@8s");
        let strokes = run.of_type("stroke");
        let last = strokes.last().unwrap();
        assert_eq!(strokes[0]["verdict"], "ok", "{name}: {}", strokes[0]);
        assert_eq!(last["verdict"], "nok", "{name}: {last}");
        assert!(nok(last).contains(&"peak"), "{name}: {last}");
        let events = run.of_type("event");
        let told = |e: &&Value| e["channel"] == "stroke" && e["state"] == "raised";
        let raised = events.iter().find(told).unwrap();
        let cause = raised["cause"].as_str().unwrap();
        assert!(cause.contains("force too high"), "{name}: {raised}");

        let place = Place::new();
        let rubs = demo(&place, &machine, "--inject friction:ram:factor=2@8s");
        let rubbing = rubs.of_type("stroke");
        let zeros_n = [0, rubbing.len() - 1].map(|n| number(&rubbing[n], "tare_n"));
        assert!(zeros_n[1] > 1.4 * zeros_n[0], "{name}: {zeros_n:?}");
        for stroke in &rubbing {
            assert_eq!(stroke["verdict"], "ok", "{name}: {stroke}");
        }
    }
}

/// Would show a load that is held against what turns instead of the ram.
#[test]
fn faults_that_it_cannot_have_are_refused() {
    let place = Place::new();
    let config = place.file("press.toml", crank());
    let args = format!(
        "demo --config {} --fast --json --cycles 100",
        config.display()
    );
    let heavy = format!("{args} --inject load:ram:mass=5000kg");
    place.refuse(&heavy, 2, &["is not between -90 and 1800"]);
}
