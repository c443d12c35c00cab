//! Disturbance and ripple: raised by what lasts, in a step and in a slow ramp, silent on what is healthy or happens once.

use super::tests::{THRESHOLDS, at, plan};
use super::*;
use crate::plan::{Baseline, SlowPlan};

fn slow_plan() -> AxisPlan {
    let baseline = |mean_a, sigma_a| Some(Baseline { mean_a, sigma_a });
    AxisPlan {
        slow: SlowPlan {
            disturbance: [baseline(0.05, 0.01); FEATURES],
            ripple: [baseline(0.02, 0.001); DIRECTIONS],
            ..SlowPlan::default()
        },
        ..plan()
    }
}

/// One movement at constant speed: shift of `current_load`, disturbance and ripple (A).
fn movement(judge: &mut AxisJudge, [shift_a, rest_a, ripple_a]: [f64; 3], out: &mut Outbox) {
    let cycles = 180.0;
    let segment = Segment {
        regime: Regime::ConstantSpeed,
        forward: true,
        cycles,
        measured_a: cycles * (1.0 + shift_a),
        predicted_a: cycles,
        residual_square: cycles * (shift_a * shift_a + ripple_a * ripple_a),
        disturbance_a: cycles * rest_a,
        ..Segment::default()
    };
    judge.segment(&slow_plan(), &[], &THRESHOLDS, &at(190), &segment, out);
    judge.movement_end(&slow_plan(), &[], &THRESHOLDS, &at(200), out);
}

/// States of `channel` over movements whose shift, disturbance and ripple `of` gives by their number.
fn told(
    channel: Channel,
    count: usize,
    of: impl Fn(usize) -> [f64; 3],
) -> Vec<(usize, EventState)> {
    let (mut judge, mut out) = (AxisJudge::default(), Outbox::default());
    let mut states = Vec::new();
    for n in 0..count {
        movement(&mut judge, of(n), &mut out);
        while let Some(event) = out.pop() {
            if event.channel == channel {
                states.push((n, event.state));
            }
        }
    }
    states
}

use EventState::{Cleared, Raised};

#[test]
fn healthy_figures_raise_nothing() {
    for channel in [Channel::Disturbance, Channel::Ripple] {
        // Within two deviations on either side of each baseline.
        let found = told(channel, 1000, |n| {
            let side = if n % 2 == 0 { 1.0 } else { -1.0 };
            [0.0, 0.05 + 0.02 * side, 0.02 + 0.002 * side]
        });
        assert!(found.is_empty(), "{channel:?}: {found:?}");
    }
}

#[test]
fn a_disturbance_that_steps_is_raised_and_cleared() {
    let found = told(Channel::Disturbance, 60, |n| match n {
        // The first movement was not seen from its start.
        10..30 => [0.3, 0.35, 0.02],
        _ => [0.0, 0.05, 0.02],
    });
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(
        found[0] == (10, Raised) && found[1].1 == Cleared,
        "{found:?}"
    );
}

#[test]
fn a_disturbance_that_creeps_is_raised() {
    // One hundredth of the friction a movement.
    let found = told(Channel::Disturbance, 60, |n| {
        let more_a = 0.01 * n as f64;
        [more_a, 0.05 + more_a, 0.02]
    });
    assert!(
        found.len() == 1 && (8..20).contains(&found[0].0),
        "{found:?}"
    );
}

#[test]
fn an_acceleration_with_another_jerk_is_no_disturbance() {
    // A stop that leaves nothing of the healthy mean of 0.05 A.
    let (mut judge, mut out) = (AxisJudge::default(), Outbox::default());
    for _ in 0..50 {
        for speeding in [true, false] {
            let segment = Segment {
                regime: Regime::Acceleration,
                forward: true,
                speeding,
                cycles: 50.0,
                ..Segment::default()
            };
            judge.segment(&slow_plan(), &[], &THRESHOLDS, &at(190), &segment, &mut out);
        }
        judge.movement_end(&slow_plan(), &[], &THRESHOLDS, &at(200), &mut out);
    }
    assert_eq!(out.pop(), None);
}

#[test]
fn a_ripple_that_steps_or_creeps_is_raised_though_the_mean_stays() {
    let step = told(Channel::Ripple, 60, |n| match n {
        10..30 => [0.0, 0.05, 0.06],
        _ => [0.0, 0.05, 0.02],
    });
    assert_eq!(step.len(), 2, "{step:?}");
    assert!(step[0] == (11, Raised) && step[1].1 == Cleared, "{step:?}");
    let ramp = told(Channel::Ripple, 60, |n| {
        [0.0, 0.05, 0.02 * (1.0 + 0.02 * n as f64)]
    });
    assert!(ramp.len() == 1 && (12..35).contains(&ramp[0].0), "{ramp:?}");
}

#[test]
fn one_blow_or_a_shift_of_the_mean_is_no_ripple() {
    let blow = told(Channel::Ripple, 60, |n| {
        [0.0, 0.05, if n % 20 == 10 { 2.0 } else { 0.02 }]
    });
    assert!(blow.is_empty(), "{blow:?}");
    // A shift leaves a quarter of itself where the speed becomes constant.
    let shift = told(Channel::Ripple, 60, |n| {
        let shift_a = if n > 10 { 0.4 } else { 0.0 };
        [shift_a, 0.05 + shift_a, 0.02 + 0.2 * shift_a]
    });
    assert!(shift.is_empty(), "{shift:?}");
}
