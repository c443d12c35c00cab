//! The cycle's kernel in CSP with offsets, in CSV and in CST, against the scalar servo axis, which is sampled and stepped by code of its
//! own. The current in CSV is bounded apart: the servo ramps to its target, and the kernel steps in the middle.
#![allow(
    clippy::disallowed_methods,
    reason = "the motion that is asked for is no part of what is judged"
)]

use twinstep_models::axis::cascade::TARGETS;
use twinstep_models::axis::told::Told;
use twinstep_models::axis::{AxisParams, AxisState, LaneParams, Reference, cascade};
use twinstep_models::lane::{Lane, ZERO};
use twinstep_models::sample;
use twinstep_models::servo::{
    Command, Drive, Friction, ServoParams, ServoParts, ServoPlan, ServoState,
};

const PERIOD_S: f64 = 1e-3;
const CYCLES: u32 = 1500;

fn parts() -> ServoParts {
    let mut parts = ServoParts::example(Drive::BallScrew { lead_m: 0.01 });
    parts.tick_s = 15.625e-6;
    parts.motor.dead_time_s = 0.0;
    // Cold for good: the kernel knows no temperature.
    parts.thermal.ambient_c = 20.0;
    parts.thermal.winding.capacity_j_per_k = 1e6;
    parts.mechanics.gravity_n = 60.0;
    parts.mechanics.motor_friction.stribeck_n = 0.0;
    if let Friction::Static(friction) = &mut parts.mechanics.load_friction {
        friction.stribeck_n = 0.0;
    }
    parts
}

fn params(p: &ServoParts, reference_delay_s: f64) -> AxisParams {
    let newton_per_a = p.motor.torque_constant_nm_per_a * 2.0 * std::f64::consts::PI / 0.01;
    let m = &p.mechanics;
    AxisParams {
        inertia: (m.motor_mass_kg + m.load_mass_kg) / newton_per_a,
        coulomb_positive_a: 0.3,
        coulomb_negative_a: 0.3,
        gravity_a: m.gravity_n / newton_per_a,
        position_gain_per_s: p.loops.position_gain_per_s,
        velocity_gain: p.loops.velocity_gain_a_s_per_m,
        integral_gain: p.loops.integral_gain_a_per_m,
        velocity_feedforward: p.loops.velocity_feedforward,
        limit_a: p.motor.current_max_a,
        current_time_constant_s: p.motor.current_time_constant_s,
        dead_time_s: PERIOD_S,
        reference_delay_s: Some(reference_delay_s),
        cascade_valid: true,
        ..AxisParams::IDLE
    }
}

/// What the drive is told in cycle `k`: the mode, a position (m), a velocity (m/s) and a current (A).
type Motion = fn(f64) -> (sample::Told, f64, f64, f64);

fn smooth(t: f64) -> f64 {
    let start = (t / 0.2).min(1.0);
    start * start * (3.0 - 2.0 * start)
}

fn wave(t: f64, hz: f64) -> f64 {
    smooth(t) * (2.0 * std::f64::consts::PI * hz * t).sin()
}

/// Largest errors of position, velocity and current over their ranges.
fn errors(reference_delay_s: f64, motion: Motion) -> [f64; 3] {
    let parts = parts();
    let plan =
        ServoPlan::new(&ServoParams::new(parts).expect("in range"), PERIOD_S).expect("a plan");
    let lane = LaneParams::new(&[params(&parts, reference_delay_s); 2], PERIOD_S);
    let mut servo = ServoState::rest(&plan, 0.0);
    let (mut targets, mut told, mut twin) = (Reference::default(), Told::NOTHING, AxisState::REST);
    let (mut error, mut size) = ([0.0f64; 3], [1e-9f64; 3]);
    for k in 1..=CYCLES {
        let (mode, position_m, m_per_s, a) = motion(f64::from(k) * PERIOD_S);
        let command = match mode {
            sample::Told::Velocity => Command::Csv {
                velocity_m_per_s: m_per_s,
                current_offset_a: a,
            },
            sample::Told::Torque => Command::Cst { current_a: a },
            _ => Command::Csp {
                position_m,
                velocity_offset_m_per_s: m_per_s,
                current_offset_a: a,
            },
        };
        plan.step(&mut servo, command, 0.0);
        let mut newest: Lane = ZERO;
        newest[1] = position_m;
        targets.push(&newest);
        told.push(1, mode, m_per_s, a);
        if told.any() == 0 {
            cascade::advance(&lane, &targets, &mut twin, &ZERO);
        } else {
            cascade::advance_told(&lane, &targets, &told, &mut twin, None);
        }
        let pairs = [
            (twin.position_m[1], servo.mechanics.position_m),
            (
                twin.velocity_m_per_s[1],
                servo.mechanics.motor_velocity_m_per_s,
            ),
            (twin.current_a[1], servo.current_a),
        ];
        for (n, (kernel, truth)) in pairs.into_iter().enumerate() {
            error[n] = error[n].max((kernel - truth).abs());
            size[n] = size[n].max(truth.abs());
        }
    }
    [0, 1, 2].map(|n| error[n] / size[n])
}

#[test]
fn every_mode_is_as_accurate_as_csp_is() {
    let csp = errors(0.0, |t| {
        let x = 0.02 * wave(t, 1.3) + 0.002 * wave(t, 5.0);
        (sample::Told::Position, x, 0.0, 0.0)
    });
    println!("csp: {csp:?}");
    let others: [(&str, f64, Motion); 4] = [
        ("offsets", 0.0, |t| {
            let x = 0.02 * wave(t, 1.3);
            let (w, c) = (0.05 * wave(t, 2.1), 0.5 * wave(t, 3.0));
            (sample::Told::PositionAndOffsets, x, w, c)
        }),
        // A ramp between two targets is met in its middle by a step.
        ("csv", 0.5 * PERIOD_S, |t| {
            (sample::Told::Velocity, 0.0, 0.2 * wave(t, 1.3), 0.0)
        }),
        ("csv with an offset", 0.5 * PERIOD_S, |t| {
            (sample::Told::Velocity, 0.0, 0.2 * wave(t, 1.3), 0.4)
        }),
        ("cst", 0.0, |t| {
            (sample::Told::Torque, 0.0, 0.0, 2.5 * wave(t, 2.0))
        }),
    ];
    for (name, delay_s, motion) in others {
        let found = errors(delay_s, motion);
        println!("{name}: {found:?}");
        let bound = if name.starts_with("csv") { RAMP } else { BOUND };
        for (n, (found, csp)) in found.iter().zip(csp).enumerate() {
            assert!(
                *found < bound[n].max(2.0 * csp),
                "{name}: {found} of {n}, csp {csp}"
            );
        }
    }
    // What was told as a mean is not the same as what was told a cycle later: the delay matters.
    let late = errors(1.5 * PERIOD_S, others[1].2);
    assert!(late[1] > 2.0 * RAMP[1], "{late:?}");
}

/// Largest errors of position, velocity and current over their ranges that no mode may exceed.
const BOUND: [f64; 3] = [2e-3, 2e-3, 5e-3];
/// The same where the servo ramps to a target within the cycle, and the kernel steps to it in the middle of that.
const RAMP: [f64; 3] = [2e-3, 2e-3, 0.04];

#[test]
fn an_axis_beside_one_in_another_mode_keeps_its_bits() {
    let parts = parts();
    let lane = LaneParams::new(&[params(&parts, 0.0); 3], PERIOD_S);
    let (mut alone, mut beside) = (AxisState::REST, AxisState::REST);
    let (mut targets, mut told) = (Reference::default(), Told::NOTHING);
    for k in 1..=CYCLES {
        let t = f64::from(k) * PERIOD_S;
        let mut newest: Lane = ZERO;
        newest[0] = 0.02 * wave(t, 1.3);
        targets.push(&newest);
        told.push(1, sample::Told::Torque, 0.0, wave(t, 2.0));
        told.push(2, sample::Told::PositionAndOffsets, 0.1 * wave(t, 2.0), 0.1);
        cascade::advance(&lane, &targets, &mut alone, &ZERO);
        cascade::advance_told(&lane, &targets, &told, &mut beside, None);
        let of = |s: &AxisState| {
            [
                s.position_m[0],
                s.velocity_m_per_s[0],
                s.current_a[0],
                s.integral_a[0],
            ]
            .map(f64::to_bits)
        };
        assert_eq!(of(&alone), of(&beside), "cycle {k}");
        assert_eq!(beside.position_m[3..], [0.0; 5]);
    }
    assert!(beside.position_m[1] != 0.0 && beside.position_m[2] != 0.0);
}

/// A lane that is in one mode takes the step of that mode, a mixed one puts its columns together.
#[test]
fn an_axis_does_the_same_in_a_lane_of_its_mode_and_in_a_mixed_one() {
    let parts = parts();
    let mut axis = params(&parts, 0.3 * PERIOD_S);
    (axis.stribeck_a, axis.stribeck_velocity_m_per_s) = (0.1, 0.01);
    for sampled in [false, true] {
        axis.sampled = sampled;
        let lane = LaneParams::new(&[axis; 8], PERIOD_S);
        for mode in [sample::Told::Velocity, sample::Told::Torque] {
            let mut states = [AxisState::REST; 2];
            let (mut told, mut targets) = ([Told::NOTHING; 2], Reference::default());
            for k in 1..=CYCLES {
                let t = f64::from(k) * PERIOD_S;
                targets.push(&ZERO);
                let (m_per_s, a) = match mode {
                    sample::Told::Velocity => (0.2 * wave(t, 1.3), 0.1 * wave(t, 7.0)),
                    _ => (0.0, 2.5 * wave(t, 2.0)),
                };
                for l in 0..8 {
                    told[0].push(l, mode, m_per_s, a);
                    if l % 3 != 0 {
                        told[1].push(l, mode, m_per_s, a);
                    }
                }
                for (told, state) in told.iter().zip(&mut states) {
                    cascade::advance_told(&lane, &targets, told, state, None);
                }
                let of = |s: &AxisState, l: usize| {
                    [
                        s.position_m[l],
                        s.velocity_m_per_s[l],
                        s.current_a[l],
                        s.integral_a[l],
                        s.reported_a[l],
                    ]
                    .map(f64::to_bits)
                };
                for l in [1, 2, 4, 5, 7] {
                    assert_eq!(of(&states[0], l), of(&states[1], l), "{mode:?}, cycle {k}");
                }
                assert_eq!(states[1].position_m[3], 0.0);
            }
            assert!(states[0].position_m[1] != 0.0);
        }
    }
}

#[test]
fn an_offset_beyond_the_limit_is_not_in_the_integrator_afterwards() {
    let parts = parts();
    let axis = AxisParams {
        limit_a: 10.0,
        ..params(&parts, 0.0)
    };
    let lane = LaneParams::new(&[axis; 2], PERIOD_S);
    let mut s = AxisState::REST;
    for l in 0..2 {
        s.integral_a[l] = 3.0;
        s.current_a[l] = 3.0;
    }
    let (mut targets, mut told) = (Reference::default(), Told::NOTHING);
    for _ in 0..4 {
        targets.push(&ZERO);
        told.push(0, sample::Told::PositionAndOffsets, 0.0, 20.0);
        told.push(1, sample::Told::Velocity, 0.0, 20.0);
    }
    cascade::advance_told(&lane, &targets, &told, &mut s, None);
    for l in 0..2 {
        assert!(s.current_a[l] <= 10.0, "{} A", s.current_a[l]);
        assert!(
            (s.integral_a[l] - 3.0).abs() < 0.5,
            "{l}: {} A",
            s.integral_a[l]
        );
    }
}

/// Friction holds just what the axis weighs, and both are so large that a current which stops the axis is lost in them.
#[test]
fn an_axis_in_cst_that_is_held_to_the_last_digit_stops_within_its_cycle() {
    for (gravity_a, m_per_s) in [(1e15, -1e-20_f64), (-1e15, 1e-20)] {
        let axis = AxisParams {
            coulomb_positive_a: 0.0,
            coulomb_negative_a: 0.0,
            stribeck_a: 1e15,
            stribeck_velocity_m_per_s: 1e3,
            gravity_a,
            ..params(&parts(), 0.0)
        };
        let lane = LaneParams::new(&[axis; 8], PERIOD_S);
        let stops_a = -0.05 * m_per_s.signum();
        let mut told = Told::NOTHING;
        for _ in 0..TARGETS {
            for l in 0..8 {
                told.push(l, sample::Told::Torque, 0.0, stops_a);
            }
        }
        for contact_a in [None, Some(&ZERO)] {
            let mut twin = AxisState::REST;
            twin.velocity_m_per_s[1] = m_per_s;
            (twin.current_a, twin.reported_a) = ([stops_a; 8], [stops_a; 8]);
            cascade::advance_told(&lane, &Reference::default(), &told, &mut twin, contact_a);
            let way_m = twin.position_m[1] * m_per_s.signum();
            assert!(
                (0.0..=m_per_s.abs() * PERIOD_S).contains(&way_m),
                "{way_m} m of {m_per_s} m/s"
            );
            assert_eq!(twin.velocity_m_per_s[1], 0.0);
        }
    }
}
