//! Properties of the axis twin as a whole: cascade, mechanics, observer and `current_load` together.

use super::load::{LAG, LoadEstimate, LoadFilter, Newest};
use super::params::AxisParams;
use super::{AxisState, LaneParams, Reference, cascade, observer};
use crate::lane::{LANES, Lane, ZERO};
use crate::simd::{Portable, Vector};
use proptest::prelude::*;

const PERIOD_S: f64 = 0.001;
const INERTIA: f64 = 0.4;

/// A drive and its mass: neither dry friction nor a weight.
pub(super) const DRIVE: AxisParams = AxisParams {
    inertia: INERTIA,
    viscous: 0.3,
    position_gain_per_s: 60.0,
    velocity_gain: 140.0,
    integral_gain: 7000.0,
    velocity_feedforward: 1.0,
    current_time_constant_s: 0.0004,
    current_filter_s: 0.0008,
    cascade_valid: true,
    ..AxisParams::IDLE
};

fn params() -> AxisParams {
    AxisParams {
        coulomb_positive_a: 0.8,
        coulomb_negative_a: 0.7,
        stribeck_a: 0.1,
        stribeck_velocity_m_per_s: 0.01,
        gravity_a: 0.2,
        limit_a: 10.0,
        dead_time_s: 0.0025,
        observer: crate::kalman::steady(
            1e-3,
            INERTIA,
            &crate::kalman::AxisNoise::of_bandwidth(100.0, 1e-6, INERTIA, 1e-3),
        )
        .unwrap()
        .gains,
        ..DRIVE
    }
}

fn all(x: f64) -> Lane {
    [x; LANES]
}

#[test]
fn a_resting_axis_sticks_without_chatter() {
    for period_s in [31.25e-6, 0.001, 0.004] {
        let lane = LaneParams::new(&[params(); LANES], period_s);
        // Anything between gravity minus and plus the static friction holds it.
        for current_a in [0.2 - 0.75, 0.0, 0.2, 0.2 + 0.85] {
            let (mut x, mut v) = (0.1, 0.0);
            for _ in 0..2000 {
                (x, v) = cascade::mechanics(&lane, 0, x, v, current_a, 0.0, lane.step_s);
                assert_eq!((x, v), (0.1, 0.0), "{current_a} A at {period_s} s");
            }
        }
        let (_, v) = cascade::mechanics(&lane, 0, 0.1, 0.0, 1.3, 0.0, lane.step_s);
        assert!(v > 0.0);
    }
}

#[test]
fn friction_stops_an_axis_and_never_turns_it_around() {
    let lane = LaneParams::new(&[params(); LANES], PERIOD_S);
    let (mut x, mut v) = (0.0, 0.05);
    for _ in 0..2000 {
        let before = v;
        (x, v) = cascade::mechanics(&lane, 0, x, v, 0.2, 0.0, lane.step_s);
        assert!((0.0..=before).contains(&v), "{v} after {before}");
    }
    assert_eq!(v, 0.0);
    assert!(x > 0.0);
}

#[test]
fn the_cascade_reaches_its_target() {
    let lane = LaneParams::new(&[params(); LANES], PERIOD_S);
    let (mut state, mut reference) = (AxisState::REST, Reference::default());
    for _ in 0..3000 {
        reference.push(&all(0.002));
        cascade::advance(&lane, &reference, &mut state, &ZERO);
    }
    assert!(
        (state.position_m[3] - 0.002).abs() < 1e-6,
        "{}",
        state.position_m[3]
    );
}

#[test]
fn an_unknown_load_ends_up_in_the_disturbance() {
    let lane = LaneParams::new(&[params(); LANES], PERIOD_S);
    let (mut plant, mut twin, mut reference) =
        (AxisState::REST, AxisState::REST, Reference::default());
    for k in 0..1500 {
        reference.push(&all(0.0002 * f64::from(k)));
        cascade::advance(&lane, &reference, &mut plant, &all(0.5));
        cascade::advance(&lane, &reference, &mut twin, &ZERO);
        observer::correct(
            &lane,
            &lane.gains,
            &mut twin,
            &plant.position_m,
            &plant.reported_a,
            u8::MAX,
        );
    }
    assert!(
        (twin.disturbance_a[0] - 0.5).abs() < 0.01,
        "{}",
        twin.disturbance_a[0]
    );
    assert!((twin.position_m[0] - plant.position_m[0]).abs() < 1e-7);
}

#[test]
fn an_axis_that_is_not_measured_coasts() {
    let lane = LaneParams::new(&[params(); LANES], PERIOD_S);
    let mut state = AxisState::REST;
    let before = state;
    observer::correct(&lane, &lane.gains, &mut state, &all(1.0), &all(5.0), 0);
    assert_eq!(state, before);
}

/// Runs a smooth motion whose current obeys the model plus `extra_a` against the motion; returns the last evaluation, and
/// the measured current that passed the same lag.
fn evaluate(delay_cycles: f64, extra_a: f64) -> (LoadEstimate, f64) {
    let p = AxisParams {
        current_delay_s: delay_cycles * PERIOD_S,
        ..params()
    };
    let lane = LaneParams::new(&[p; LANES], PERIOD_S);
    let (mut filter, mut out) = (LoadFilter::EMPTY, LoadEstimate::default());
    let w = 4.0;
    let position = |t: f64| 0.1 * libm::sin(w * t);
    let current = |t: f64| {
        let v = 0.1 * w * libm::cos(w * t);
        let a = -0.1 * w * w * libm::sin(w * t);
        let dry = cascade::dry_friction_a(&lane, 0, v) + extra_a;
        p.inertia * a + if v > 0.0 { dry } else { -dry } + p.viscous * v + p.gravity_a
    };
    let share = lane.load_share;
    let mut newest = Newest::FIRST;
    let (mut first, mut truth) = (0.0, 0.0);
    for k in 0..300 {
        let t = f64::from(k) * PERIOD_S;
        let measured = current(t - delay_cycles * PERIOD_S);
        newest = newest.next();
        for part in 0..Portable::PARTS {
            let sample = [position(t), measured].map(Portable::splat);
            filter.put(newest, sample, part);
            let motion = filter.motion::<Portable>(&lane, newest, part);
            filter.balance::<Portable>(&lane, newest, &motion, None, part);
        }
        out = filter.estimate(&lane, 5);
        first += share * (current(t - LAG as f64 * PERIOD_S) - first);
        truth += share * (first - truth);
    }
    (out, truth)
}

#[test]
fn current_load_explains_a_motion_whatever_the_delay() {
    for delay_cycles in [-1.0, -0.4, 0.0, 0.3, 1.0, 1.7, 2.0] {
        let (out, truth) = evaluate(delay_cycles, 0.0);
        let residual = out.measured_a - out.predicted_a;
        assert!(residual.abs() < 2e-4, "{delay_cycles}: {residual}");
        assert!((out.measured_a - truth).abs() < 2e-3, "{delay_cycles}");
    }
}

#[test]
fn extra_friction_is_the_residual_of_current_load() {
    let (out, _) = evaluate(0.6, 0.15);
    assert!((out.measured_a - out.predicted_a - 0.15).abs() < 2e-4);
}

proptest! {
    #[test]
    fn nothing_a_configuration_allows_diverges(
        inertia in 0.001..50.0f64, coulomb in 0.0..20.0f64, viscous in 0.0..50.0f64, gain in 0.0..2.0f64,
        limit in 0.1..100.0f64, target in -1.0..1.0f64, seed in 0..1000u32,
    ) {
        let mut p = params();
        p.inertia = inertia;
        (p.coulomb_positive_a, p.coulomb_negative_a) = (coulomb, coulomb);
        p.viscous = viscous;
        // Velocity loops up to a third of the substep's rate.
        p.velocity_gain = gain * inertia * 1000.0 * 0.6;
        p.limit_a = limit;
        let lane = LaneParams::new(&[p; LANES], PERIOD_S);
        let (mut state, mut reference) = (AxisState::REST, Reference::default());
        for k in 0..500u32 {
            reference.push(&all(target * f64::from((k + seed) % 97) / 97.0));
            cascade::advance(&lane, &reference, &mut state, &ZERO);
            prop_assert!(state.position_m[0].is_finite() && state.velocity_m_per_s[0].is_finite());
            prop_assert!(state.current_a[0].abs() <= limit * 1.000_001, "{}", state.current_a[0]);
        }
    }
}
