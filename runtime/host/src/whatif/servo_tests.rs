use super::super::motor::tests::ample;
use super::*;
use twinstep_config::machine::{Bristles, Machine, SpringAndGap};
use twinstep_models::servo::{MechanicsPlan, MechanicsState};

fn cell() -> Machine {
    twinstep_config::load(twinstep_config::PRESS_CELL, "press-cell.toml").unwrap()
}

fn rigid() -> AxisServo {
    AxisServo {
        transmission: TransmissionKind::BallScrew,
        efficiency: 1.0,
        efficiency_back: None,
        motor_inertia_kg_m2: None,
        motor_friction_share: 0.2,
        spring: None,
        bristles: None,
        cogging_nm: Vec::new(),
        encoder_on_load: false,
        feedforward_mass_kg: 0.0,
        found: None,
    }
}

fn made(name: &str, servo: &AxisServo) -> Result<(ServoParams, AxisTwin), String> {
    let machine = cell();
    let axis = (machine.axes.iter().find(|axis| axis.name == name)).unwrap();
    let twin = axis.twin.clone().unwrap();
    let cascade = twin.cascade.unwrap();
    let limit_a = cascade.limit_a;
    params(&axis.drive, &ample(), &twin, &cascade, Some(servo), limit_a)
        .map(|params| (params, twin))
}

/// Force of the motor at which the axis just creeps in a direction (N).
fn creeps_n(params: &ServoParams, direction: f64) -> f64 {
    let plan = MechanicsPlan::new(&params.parts().mechanics, 1e-3);
    let leaves = |force_n: f64| {
        let mut state = MechanicsState::rest(0.0);
        plan.advance(&mut state, force_n, 0.0);
        state.motor_velocity_m_per_s * direction > 0.0
    };
    let (mut stays, mut goes) = (-1e5 * direction, 1e5 * direction);
    assert!(leaves(goes) && !leaves(stays));
    for _ in 0..60 {
        let middle = 0.5 * (stays + goes);
        *(if leaves(middle) {
            &mut goes
        } else {
            &mut stays
        }) = middle;
    }
    goes
}

#[test]
fn with_losses_the_axis_still_asks_for_what_the_twin_was_found_with() {
    for name in ["carriage", "lift"] {
        for (efficiency, efficiency_back) in [(1.0, None), (0.97, None), (0.95, Some(0.97))] {
            let servo = AxisServo {
                efficiency,
                efficiency_back,
                ..rigid()
            };
            let (params, twin) = made(name, &servo).unwrap();
            let up_n = twin.gravity_n + twin.coulomb_positive_n + twin.stribeck_n;
            let down_n = twin.gravity_n - twin.coulomb_negative_n - twin.stribeck_n;
            for (direction, expected_n) in [(1.0, up_n), (-1.0, down_n)] {
                let found_n = creeps_n(&params, direction);
                assert!(
                    (found_n - expected_n).abs() < 1e-6 * expected_n.abs().max(1.0),
                    "{name} {efficiency} {direction}: {found_n} {expected_n}"
                );
            }
        }
    }
}

#[test]
fn without_losses_gravity_and_friction_are_those_of_the_twin() {
    let (params, twin) = made("lift", &rigid()).unwrap();
    let m = &params.parts().mechanics;
    let load = m.load_friction.map();
    let near = |a: f64, b: f64| assert!((a - b).abs() < 1e-9 * (1.0 + b.abs()), "{a} {b}");
    near(m.gravity_n, twin.gravity_n);
    near(
        load.coulomb_positive_n + m.motor_friction.coulomb_positive_n,
        twin.coulomb_positive_n,
    );
    near(load.coulomb_negative_n, 0.8 * twin.coulomb_negative_n);
    near(
        load.viscous_n_s_per_m + m.motor_friction.viscous_n_s_per_m,
        twin.viscous_n_s_per_m,
    );
}

#[test]
fn the_rest_of_the_mass_is_the_load_and_the_spring_is_damped() {
    let servo = AxisServo {
        motor_inertia_kg_m2: Some(7e-4),
        spring: Some(SpringAndGap {
            stiffness_n_per_m: 9e7,
            damping_n_s_per_m: None,
            backlash_m: 6e-6,
        }),
        bristles: Some(Bristles {
            stiffness_n_per_m: 3e7,
            damping_n_s_per_m: 0.0,
        }),
        ..rigid()
    };
    let (params, twin) = made("carriage", &servo).unwrap();
    let m = &params.parts().mechanics;
    assert!((m.motor_mass_kg - 69.087).abs() < 0.01, "{m:?}");
    assert_eq!(m.motor_mass_kg + m.load_mass_kg, twin.mass_kg);
    let (spring, reduced_kg) = (
        m.compliance.unwrap(),
        m.motor_mass_kg * m.load_mass_kg / twin.mass_kg,
    );
    let ratio = spring.damping_n_s_per_m / (2.0 * (9e7 * reduced_kg).sqrt());
    assert!((ratio - 0.02).abs() < 1e-12, "{ratio}");
    assert!(m.load_friction.bristles().is_some());
    let all_motor = AxisServo {
        motor_inertia_kg_m2: Some(2e-3),
        ..servo
    };
    let why = made("carriage", &all_motor).unwrap_err();
    assert!(why.contains("leave nothing for the load"), "{why}");
}

#[test]
fn losses_that_the_twin_has_not_are_refused() {
    let servo = AxisServo {
        efficiency: 0.3,
        efficiency_back: Some(0.0),
        ..rigid()
    };
    let why = made("lift", &servo).unwrap_err();
    assert!(why.contains("more of its weight"), "{why}");
}
