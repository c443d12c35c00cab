use super::*;
use crate::press::ForceFrom;
use twinstep_models::press::curve::Sampling;
use twinstep_models::press::frame::{Counterbalance, Frame, Motor};
use twinstep_models::press::kinematics::Kinematics;
use twinstep_models::press::ram::{Linkage, Ram};
use twinstep_models::press::stroke::StrokeParams;

const KF: f64 = 50.0;
const RAD_PER_M: f64 = 60.0;
const RAM_KG: f64 = 4.0;
const BALANCE_N: f64 = 60.0;
const CONTACT_N: f64 = 100.0;

fn linked(efficiency: f64, efficiency_back: f64) -> Linked {
    let way = [0.4, 2.7].map(|q| q / RAD_PER_M);
    let crank = Kinematics::crank(0.05, 0.2).expect("a crank");
    Linked {
        linkage: Linkage::new(crank, RAD_PER_M, 0.0, way),
        motor: Motor {
            torque_constant_nm_per_a: KF,
            efficiency,
            efficiency_back,
        },
        counterbalance: Counterbalance {
            constant_n: BALANCE_N,
            ..Counterbalance::default()
        },
        ram_mass_kg: RAM_KG,
        standstill_m_per_s: 1e-3,
    }
}

fn plan(linked: &Linked) -> PressPlan {
    PressPlan {
        axis: 0,
        force: ForceFrom::Load,
        ram: Ram {
            linkage: Some(linked.linkage),
            ..Ram::screw(KF)
        },
        direction: 1.0,
        standstill_m_per_s: 1e-3,
        stroke: StrokeParams {
            begin_m: 0.0,
            turn_m: 1e-3,
            contact_n: CONTACT_N,
        },
        sampling: Sampling::EVERY,
        frame: Frame::default(),
        tare: None,
        first_object: 0,
        objects: 0,
    }
}

/// At this angle (rad), velocity and acceleration: what is said where a part has `part_n` and `predicted_n` was expected, and `noise_a` is on the
/// current. The loss is that of virtual work: more than the ram takes where it is driven, less than it gives where it drives.
fn said(
    linked: &Linked,
    [q, v, a]: [f64; 3],
    [part_n, predicted_n]: [f64; 2],
    noise_a: f64,
) -> PressSample {
    let x = q / RAD_PER_M;
    let (_, j) = linked.linkage.travel(x);
    let bend = linked.linkage.follow(x).2;
    let paid_a = |part_n: f64| {
        let torque_n = j * (RAM_KG * (j * a + bend * v * v) + BALANCE_N + part_n);
        let share = if torque_n * v > 0.0 {
            1.0 / linked.motor.efficiency
        } else {
            linked.motor.efficiency_back
        };
        share * torque_n / KF
    };
    let load = LoadEstimate {
        measured_a: paid_a(part_n) + noise_a,
        predicted_a: paid_a(predicted_n),
        position_m: x,
        velocity_m_per_s: v,
        acceleration_m_per_s2: a,
    };
    plan(linked).of_linked(linked, &load, j * predicted_n / KF)
}

/// A part that is not as predicted: softer, harder, not known at all, pulling, and on a way back of which nothing is predicted.
#[test]
fn a_force_pays_its_losses_once_whatever_was_predicted() {
    for (efficiency, back) in [(1.0, 1.0), (0.8, 0.8), (0.9, 0.3), (0.5, 0.95)] {
        let linked = linked(efficiency, back);
        for forces in [
            [3000.0, 3000.0],
            [1500.0, 3000.0],
            [4500.0, 3000.0],
            [3000.0, 0.0],
            [-2500.0, 0.0],
            [0.0, 3000.0],
            [0.0, 0.0],
        ] {
            for v in [0.2, -0.2, 0.02, -0.02] {
                for a in [0.0, 3.0, -3.0] {
                    let sample = said(&linked, [1.7, v, a], forces, 0.0);
                    let force_n = sample.force_n.expect("no dead centre");
                    assert!(
                        (force_n - forces[0]).abs() < 1e-6,
                        "{efficiency} {back} {forces:?} {v} {a}: {force_n}"
                    );
                    let predicted_n = sample.predicted_n.expect("no dead centre");
                    assert!((predicted_n - forces[1]).abs() < 1e-6, "{predicted_n}");
                }
            }
        }
    }
}

#[test]
fn a_drive_that_locks_itself_says_nothing_of_what_drives_it() {
    let linked = linked(0.8, 0.0);
    // In it the force is known, and pulling the ram out of a part that holds it.
    for (v, part_n) in [(0.2, 3000.0), (-0.2, -2500.0)] {
        let sample = said(&linked, [1.7, v, 0.0], [part_n, 0.0], 0.01);
        let force_n = sample.force_n.expect("the motor drives");
        assert!((force_n - part_n).abs() < 2.0, "{force_n}");
    }
    // On the way back it is not, whatever the noise of the current.
    for noise_a in [0.0, 0.01, -0.01, 0.2, -0.2] {
        let sample = said(&linked, [1.7, -0.2, 0.0], [3000.0, 0.0], noise_a);
        assert_eq!(sample.force_n, Err(ForceUnknown::SelfLocking), "{noise_a}");
    }
}

#[test]
fn near_a_dead_centre_there_is_neither_a_force_nor_a_prediction() {
    let linked = linked(0.8, 0.8);
    let sample = said(
        &linked,
        [core::f64::consts::PI, 0.2, 0.0],
        [3000.0, 3000.0],
        0.0,
    );
    assert_eq!(sample.force_n, Err(ForceUnknown::DeadCentre));
    assert_eq!(sample.predicted_n, None);
}
