//! Recordings of our own that cannot be: every message names the object as the header of the recording has it.
#![allow(
    clippy::disallowed_methods,
    reason = "a motion of a test need not be the same on every platform"
)]

use super::super::{Finding, check, refuse_nonsense};
use std::path::Path;
use twinstep_config::machine::Machine;
use twinstep_drivers::recording::{AxisRecord, Recording, StationRecord};
use twinstep_models::sample::Told;

fn machine() -> Machine {
    twinstep_config::load(twinstep_config::PRESS_CELL, "press-cell.toml").unwrap()
}

/// Twelve seconds of the first axis, which moves over its program, and of the station; the first second it is not enabled, and its
/// target is none.
fn healthy() -> Recording {
    let rows = 12_000;
    let each = |value: &dyn Fn(f64) -> f64| -> Vec<f64> {
        (0..rows).map(|k| value(f64::from(k) / 1000.0)).collect()
    };
    let moving = |t: f64| 2.0 * (t - 1.0).max(0.0);
    let on = |t: f64| t >= 1.0;
    let axis = AxisRecord {
        name: "infeed".into(),
        reference_m: Some(each(&|t| {
            if on(t) {
                0.4 - 0.35 * moving(t).cos()
            } else {
                0.0
            }
        })),
        position_m: each(&|t| 0.4 - 0.35 * moving(t).cos()),
        velocity_m_per_s: each(&|t| 0.7 * moving(t).sin()),
        current_a: each(&|t| 0.8 * moving(t).sin().signum() + 0.6 * moving(t).cos()),
        told: vec![(Told::Position, 0.0, 0.0); rows as usize],
        enabled: (0..rows).map(|k| k >= 1000).collect(),
    };
    let station = StationRecord {
        name: "gripper".into(),
        pressure_pa: each(&|t| 60_000.0 + 35_000.0 * moving(t).cos()),
        ejector_on: vec![false; rows as usize],
        blow_off: vec![false; rows as usize],
    };
    Recording {
        period_s: 0.001,
        time_s: each(&|t| t),
        axes: vec![axis],
        stations: vec![station],
        ..Recording::default()
    }
}

fn found(change: impl FnOnce(&mut AxisRecord)) -> Vec<Finding> {
    let mut recording = healthy();
    change(&mut recording.axes[0]);
    check(&machine(), &recording)
}

fn scale(values: &mut [f64], factor: f64) {
    values.iter_mut().for_each(|v| *v *= factor);
}

#[test]
fn a_healthy_one_is_taken_without_a_word() {
    assert_eq!(found(|_| {}), []);
}

#[test]
fn a_column_that_never_changes_is_said() {
    let still = "it never changes, and the position does";
    for (all, says) in [
        (
            found(|a| a.position_m.fill(0.4)),
            "column `infeed.0x6064`: it never changes".to_owned(),
        ),
        (
            found(|a| a.current_a.fill(0.7)),
            format!("column `infeed.0x6077`: {still}"),
        ),
        (
            found(|a| a.velocity_m_per_s.fill(0.0)),
            format!("column `infeed.0x606c`: {still}"),
        ),
        (
            found(|a| a.reference_m = Some(vec![0.4; 12_000])),
            format!("column `infeed.0x607a`: {still}"),
        ),
    ] {
        let said = all.iter().find(|f| f.text.starts_with(&says));
        assert!(said.is_some_and(|f| !f.nonsense), "{says}: {all:?}");
    }
}

#[test]
fn positions_and_currents_beyond_program_and_drive_are_said() {
    for (all, says) in [
        (
            found(|a| {
                a.position_m.iter_mut().for_each(|x| *x += 0.5);
                a.reference_m = None;
            }),
            [
                "column `infeed.0x6064`: it goes from",
                "beyond the motion program",
            ],
        ),
        (
            found(|a| scale(&mut a.current_a, 10.0)),
            ["column `infeed.0x6077`: it reaches", "`rated_current`"],
        ),
        (
            found(|a| scale(&mut a.current_a, 1e-3)),
            ["column `infeed.0x6077`: it reaches", "in permille"],
        ),
        (
            found(|a| a.velocity_m_per_s.iter_mut().for_each(|v| *v *= -3.0)),
            [
                "column `infeed.0x606c`: it is -3.",
                "times the derivative of the position",
            ],
        ),
        (
            found(|a| a.enabled.fill(false)),
            ["column `infeed.0x6041`: ", "never in operation enabled"],
        ),
        (
            found(|a| a.current_a[..4000].fill(f64::NAN)),
            ["column `infeed.0x6077`: 33 % of it", "without a value"],
        ),
    ] {
        assert!(
            matches!(&all[..], [one] if !one.nonsense && says.iter().all(|w| one.text.contains(w))),
            "{says:?}: {all:?}"
        );
    }
}

#[test]
fn what_is_off_by_a_thousand_is_refused_and_the_remedy_is_the_scaling() {
    let refused = |change: &dyn Fn(&mut Recording)| {
        let mut recording = healthy();
        change(&mut recording);
        let refused = refuse_nonsense(&machine(), Path::new("run.csv"), &recording);
        format!("{:?}", refused.expect_err("a thousand times too much"))
    };
    let lengths = refused(&|r| {
        let axis = &mut r.axes[0];
        scale(&mut axis.position_m, 1000.0);
        scale(&mut axis.velocity_m_per_s, 1000.0);
        axis.reference_m = None;
    });
    let velocity = refused(&|r| scale(&mut r.axes[0].velocity_m_per_s, 1000.0));
    let current = refused(&|r| scale(&mut r.axes[0].current_a, 1000.0));
    let pressure = refused(&|r| scale(&mut r.stations[0].pressure_pa, 100.0));
    for (said, column) in [
        (lengths, "infeed.0x6064"),
        (velocity, "infeed.0x606c"),
        (current, "infeed.0x6077"),
        (pressure, "gripper.0x6000"),
    ] {
        assert!(
            said.contains("run.csv, column") && said.contains(column),
            "{column}: {said}"
        );
        assert!(said.contains("counts_per_rev"), "{said}");
        assert!(!said.contains("[recording]"), "{said}");
    }
}

/// An axis of a machine may well stand still while the others are recorded: its encoder trembles, and hardly a current flows.
#[test]
fn an_axis_that_holds_its_place_is_no_contradiction() {
    let all = found(|a| {
        let tremble = |k: usize| if k.is_multiple_of(3) { 1e-7 } else { 0.0 };
        for k in 0..a.position_m.len() {
            a.position_m[k] = 0.05 + tremble(k);
            a.velocity_m_per_s[k] = 1e-5 * tremble(k + 1);
            a.current_a[k] = if k.is_multiple_of(2) { 0.005 } else { 0.0 };
        }
        a.reference_m = Some(vec![0.05; 12_000]);
    });
    assert_eq!(all, []);
}

/// What is told of a velocity or a torque is no position to be followed.
#[test]
fn targets_of_other_modes_are_not_compared_with_the_position() {
    let all = found(|a| {
        a.reference_m = Some(vec![9.0; 12_000]);
        a.told.fill((Told::Velocity, 0.1, 0.0));
    });
    assert_eq!(all, []);
}

#[test]
fn a_pressure_that_never_changes_is_said() {
    let mut recording = healthy();
    recording.stations[0].pressure_pa.fill(101_325.0);
    let all = check(&machine(), &recording);
    let one = &all[0].text;
    assert!(one.starts_with("column `gripper.0x6000"), "{all:?}");
    assert!(one.contains("it never changes"), "{all:?}");
}

/// Small steps in CSP and long ways in CSV: where nobody says where the axis is to be, nothing is to be compared.
#[test]
fn a_small_target_beside_long_ways_in_another_mode_is_no_contradiction() {
    let all = found(|a| {
        let small = |x: &mut f64| *x = 0.05 + 1e-3 * (*x - 0.05);
        for k in 0..a.position_m.len() {
            if k < 6000 {
                small(&mut a.position_m[k]);
                a.velocity_m_per_s[k] *= 1e-3;
                a.reference_m.iter_mut().for_each(|r| small(&mut r[k]));
            } else {
                a.told[k].0 = Told::Velocity;
            }
        }
    });
    assert!(all.iter().all(|finding| !finding.nonsense), "{all:?}");
}
