//! A twin behind a crank, through the real binary: found by `calibrate` in a recording whose masses and friction are known, and what its strokes
//! say then.
#![allow(
    clippy::unwrap_used,
    reason = "a test fails by panicking, its helpers too"
)]
#![allow(
    clippy::disallowed_methods,
    reason = "expected values within a tolerance, on whatever platform"
)]

use serde_json::Value;
use std::f64::consts::PI;
use std::path::PathBuf;
use twinstep_drivers::rng::Rng;
use twinstep_tests::crank::{BALANCE_N, CONTACT_M, CRANK_M, GEAR, KT, ROD_M, part_n, travel_m};
use twinstep_tests::press::{near, value};
use twinstep_tests::run::{Place, Run, number, shipped};

/// A turn of the motor (m), and the force per current that follows (N/A).
const LEAD_M: f64 = 0.36;
const KF: f64 = 2.0 * PI * KT / LEAD_M;
/// What turns with the motor (kg), and its friction.
const MASS_KG: f64 = 1.4;
const COULOMB_N: f64 = 18.0;
const VISCOUS_N_S_PER_M: f64 = 1.5;
/// Ram and tool (kg): up to some half of that at the axis.
const RAM_KG: f64 = 90.0;
const EFFICIENCY: f64 = 0.92;
const BACK: f64 = 0.9;
/// Where a swing begins and ends, and where it turns (rad).
const ENDS_RAD: [f64; 2] = [10.0 * PI / 180.0, 170.0 * PI / 180.0];
/// How long swings take (s), in turn.
const SWINGS_S: [f64; 3] = [1.0, 1.6, 2.4];
/// How long the ram rests after a swing, and before the first one, which is seen when judging has begun (s).
const RESTS_S: [f64; 2] = [0.4, 0.6];

/// Way of the ram per angle of the crank, and how it changes: by the cosine rule.
fn derivatives(q: f64) -> [f64; 2] {
    let (b, db) = (CRANK_M * q.cos(), -CRANK_M * q.sin());
    let rest = ROD_M * ROD_M - CRANK_M * CRANK_M;
    let g = (b * b + rest).sqrt();
    [
        -db * (1.0 + b / g),
        b * (1.0 + b / g) - db * db * rest / (g * g * g),
    ]
}

/// Force of part and frame; on the way back the part springs with ten times its stiffness.
fn met_n(q: f64, goes_in: bool, factor: f64) -> f64 {
    if goes_in {
        return part_n(travel_m(q), factor);
    }
    let deepest_m = travel_m(ENDS_RAD[1]);
    let back = 9.5 * part_n(CONTACT_M + 1.0, factor) * (deepest_m - travel_m(q));
    (part_n(deepest_m, factor) - back).max(0.0)
}

/// `count` swings; the parts are `factor` times as stiff as they should be, and the friction of the motor is `friction` times what it was.
fn recording(count: usize, factor: f64, friction: f64) -> String {
    let mut text = "t_s,motor_deg,current_a\n".to_owned();
    let (mut begun_s, mut row) = (RESTS_S[1], 0);
    let mut rng = Rng::new(7, 1);
    // One way of the axis per angle of the crank.
    let m_per_rad = GEAR * LEAD_M / (2.0 * PI);
    for n in 0..count {
        let lasts_s = SWINGS_S[n % SWINGS_S.len()];
        while f64::from(row) * 1e-3 < begun_s + lasts_s + RESTS_S[0] {
            let t = f64::from(row) * 1e-3;
            let swung_s = (t - begun_s).clamp(0.0, lasts_s);
            let rests = swung_s <= 0.0 || swung_s >= lasts_s;
            let (w, phase) = (2.0 * PI / lasts_s, 2.0 * PI * swung_s / lasts_s);
            let half = 0.5 * (ENDS_RAD[1] - ENDS_RAD[0]);
            let q = ENDS_RAD[0] + half * (1.0 - phase.cos());
            let (dq, ddq) = if rests {
                (0.0, 0.0)
            } else {
                (half * w * phase.sin(), half * w * w * phase.cos())
            };
            let [ds, dds] = derivatives(q);
            let ram_n = RAM_KG * (ds * ddq + dds * dq * dq) + BALANCE_N;
            let through_n = (ram_n + met_n(q, dq > 0.0, factor)) * ds / m_per_rad;
            let paid_n = if rests {
                through_n
            } else if through_n * dq > 0.0 {
                through_n / EFFICIENCY
            } else {
                through_n * BACK
            };
            let (v, a) = (dq * m_per_rad, ddq * m_per_rad);
            let dry_n = if v == 0.0 {
                0.0
            } else {
                v.signum() * COULOMB_N
            };
            let own_n = MASS_KG * a + friction * (dry_n + VISCOUS_N_S_PER_M * v);
            // Noise of the sensor, of 10 mA.
            let current = (own_n + paid_n) / KF + 0.017 * rng.symmetric();
            text.push_str(&format!("{t},{},{current}\n", GEAR * q.to_degrees()));
            row += 1;
        }
        begun_s += lasts_s + RESTS_S[0];
    }
    text
}

/// The shipped machine with this ram, calibrated with 30 swings.
fn calibrated(place: &Place) -> (PathBuf, Run) {
    let text = std::fs::read_to_string(shipped("crank-press.toml")).unwrap();
    let text = text.replace(
        "gear = 12\n",
        &format!("gear = 12\nram_mass = \"{RAM_KG}kg\"\n"),
    );
    let machine = place.file("machine.toml", text);
    let table = place.file("healthy.csv", recording(30, 1.0, 1.0));
    let args = format!(
        "calibrate {} {} --json --write",
        machine.display(),
        table.display()
    );
    let run = place.twinstep(&args).fine();
    (machine, run)
}

fn replayed(place: &Place, machine: &std::path::Path, table: String) -> Run {
    let table = place.file("run.csv", table);
    let args = format!(
        "replay {} {} --json --state {}",
        machine.display(),
        table.display(),
        place.path("state").display()
    );
    place.twinstep(&args).fine()
}

#[test]
fn calibrate_finds_what_turns_with_the_motor_and_what_the_ram_meets() {
    let place = Place::new();
    let (machine, run) = calibrated(&place);
    let found = run.of_type("calibration").remove(0);
    let first = |key: &str| {
        found[key][0]
            .as_f64()
            .unwrap_or_else(|| panic!("{key}: {found}"))
    };
    near("mass", first("mass_kg"), MASS_KG, 0.02);
    near("coulomb", first("coulomb_n"), COULOMB_N, 0.05);
    near(
        "viscous",
        first("viscous_n_s_per_m"),
        VISCOUS_N_S_PER_M,
        0.2,
    );
    assert!(first("gravity_n").abs() < 1.0, "{found}");
    let text = std::fs::read_to_string(&machine).unwrap();
    let loaded = twinstep_config::load(&text, "machine.toml").unwrap();
    let part = loaded.parts[0].twin.as_ref().expect("it was pressed");
    // Part and frame in series, where the ram is.
    near("contact", part.contact_m, CONTACT_M, 2e-3);
    let series = part_n(CONTACT_M + 1.0, 1.0);
    near("stiffness", part.stiffness_n_per_m, series, 0.03);

    let check = place
        .twinstep(&format!("check {} --json", machine.display()))
        .fine();
    let press = &check.of_type("check")[0]["presses"][0];
    assert_eq!(press["force_from"], "load");
    assert_eq!(press["ram_mass_kg"].as_f64(), Some(RAM_KG));
    let share = press["ram_share"].as_f64().unwrap();
    assert!((0.3..1.0).contains(&share), "{press}");
}

#[test]
fn strokes_have_a_residual_and_friction_of_the_motor_is_found() {
    let place = Place::new();
    let (machine, _) = calibrated(&place);
    let healthy = replayed(&place, &machine, recording(12, 1.0, 1.0));
    assert_eq!(healthy.summary()["events"], 0, "{}", healthy.stdout);
    let strokes = healthy.of_type("stroke");
    assert_eq!(strokes.len(), 12);
    for stroke in &strokes {
        assert_eq!(stroke["verdict"], "ok", "{stroke}");
        near(
            "rise",
            value(stroke, "rise"),
            part_n(CONTACT_M + 1.0, 1.0),
            0.05,
        );
        let residual = number(stroke, "residual_n");
        assert!(residual.abs() < 0.1 * number(stroke, "peak_n"), "{stroke}");
    }
    let channels = |run: &Run| -> Vec<Value> {
        let raised = run.of_type("event").into_iter();
        let raised = raised.filter(|event| event["state"] == "raised");
        raised.map(|event| event["channel"].clone()).collect()
    };
    let sticks = replayed(&place, &machine, recording(30, 1.0, 1.5));
    assert!(
        channels(&sticks).contains(&"current_load".into()),
        "{}",
        sticks.stdout
    );
}
