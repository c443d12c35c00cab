//! Parts with a force curve: the twin learns the configured table, and through the real binary a healthy run is quiet and a part with
//! another curve is found and named.
#![allow(
    clippy::unwrap_used,
    reason = "a test fails by panicking, its helpers too"
)]

use serde_json::Value;
use twinstep_config::machine::{Machine, Part};
use twinstep_models::press::workpiece::{Forming, Pressed, Workpiece};
use twinstep_tests::release_binary;
use twinstep_tests::run::{Place, Run, number, shipped};

/// The share of the drive's force that arrives at the ram on the way in: `efficiency` of forming-press.toml.
const EFFICIENCY: f64 = 0.96;

fn machine() -> Machine {
    let path = shipped("forming-press.toml");
    let text = std::fs::read_to_string(path).unwrap();
    twinstep_config::load(&text, "forming-press.toml").unwrap()
}

/// The part of this name as the models have it, over the way behind its contact.
fn pressed(part: &Part) -> Pressed {
    let curve = part.curve.as_ref().unwrap();
    let table = Forming::new(&curve.ways_m, &curve.forces_n, curve.elastic_n_per_m);
    Pressed::new(Workpiece::Forming(table.unwrap()))
}

fn demo(seed: u64, cycles: u64, more: &str) -> Run {
    let place = Place::new();
    let args = format!(
        "demo --config {} --fast --json --cycles {cycles} --seed {seed} --state {} {more}",
        shipped("forming-press.toml").display(),
        place.path("state").display()
    );
    place.run(release_binary(), &args).fine()
}

fn mean(strokes: &[&Value], key: &str) -> f64 {
    strokes.iter().map(|s| number(s, key)).sum::<f64>() / strokes.len() as f64
}

/// Work on the way `depth_m` into a part, and what of it comes back (J), by the models.
fn work_j(part: &Part, depth_m: f64) -> (f64, f64) {
    let mut part = pressed(part);
    let steps = 100_000;
    let step_m = depth_m / f64::from(steps);
    let mut along = |n: i32| part.press((f64::from(n) + 0.5) * step_m) * step_m;
    let into: f64 = (0..steps).map(&mut along).sum();
    (into, (0..steps).rev().map(&mut along).sum())
}

#[test]
fn the_strokes_of_the_commissioning_run_are_those_of_the_table() {
    for part in &machine().parts[..2] {
        let twin = part.twin.as_ref().unwrap();
        // The motor gives what the screw loses on its way to the ram.
        let factor = twin.factor.unwrap() * EFFICIENCY;
        assert!((factor - 1.0).abs() < 0.02, "{}: {factor}", part.name);
        assert!((twin.contact_m - part.contact_m).abs() < 60e-6, "{twin:?}");
        // The band of the good strokes lies around the table, the whole way in.
        let band = twin.envelope.as_ref().unwrap();
        let nodes = band.lower_n.len();
        let step_m = (band.x_max_m - band.x_min_m) / (nodes - 1) as f64;
        let mut part_in_press = pressed(part);
        for n in 0..nodes {
            let x_m = band.x_min_m + n as f64 * step_m;
            let table_n = part_in_press.press(x_m - twin.contact_m) / EFFICIENCY;
            let middle_n = 0.5 * (band.lower_n[n] + band.upper_n[n]);
            let off_n = middle_n - table_n;
            assert!(
                off_n.abs() < 200.0,
                "{} at {x_m} m: {middle_n} N, not {table_n}",
                part.name
            );
        }
    }
}

#[test]
fn healthy_strokes_raise_nothing_and_give_back_what_springs() {
    let machine = machine();
    let cap = &machine.parts[0];
    for seed in [3, 8] {
        let run = demo(seed, 40_000, "");
        assert_eq!(run.of_type("event"), [] as [Value; 0], "seed {seed}");
        let strokes = run.of_type("stroke");
        assert!(strokes.len() >= 12, "{}", strokes.len());
        for stroke in &strokes {
            assert_eq!(stroke["verdict"], "ok", "seed {seed}: {stroke}");
            // The largest residual is that of the turn, where friction is that of standstill; 9 kN are pressed.
            let residual = number(stroke, "residual_n");
            assert!(residual.abs() < 1200.0, "seed {seed}: {stroke}");
        }
        let caps: Vec<&Value> = strokes.iter().filter(|s| s["part"] == "cap").collect();
        let depth_m = mean(&caps, "block_position_m") - cap.twin.unwrap().contact_m;
        let (into_j, back_j) = work_j(cap, depth_m);
        let work = mean(&caps, "work_j") * EFFICIENCY;
        let back = mean(&caps, "work_j") - mean(&caps, "hysteresis_j");
        println!("seed {seed}: work {work:.2} of {into_j:.2} J, back {back:.2} of {back_j:.2} J");
        assert!((work / into_j - 1.0).abs() < 0.04, "{work} of {into_j} J");
        // A spring as soft as the table rises would give back all of it.
        assert!(
            (back / back_j - 1.0).abs() < 0.4,
            "{back} of {back_j} J came back"
        );
    }
}

#[test]
fn a_part_with_another_curve_is_found_and_named() {
    for seed in [3, 8] {
        let run = demo(seed, 35_000, "--inject wrong_part:press:part=cap-thick@20s");
        let events = run.of_type("event");
        for (channel, says) in [
            ("current_load", "not the recipe's"),
            ("stroke", "force too high"),
        ] {
            let told = |e: &&Value| e["channel"] == channel && e["state"] != "cleared";
            let last = events.iter().rfind(told);
            let last =
                last.unwrap_or_else(|| panic!("seed {seed}: nothing on {channel}: {events:#?}"));
            assert_eq!(last["source"], "press");
            assert!(
                last["cause"].as_str().unwrap().contains(says),
                "seed {seed}: {last}"
            );
            assert!(number(last, "cycle") > 20_000.0, "seed {seed}: {last}");
        }
    }
}
