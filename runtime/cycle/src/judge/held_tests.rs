//! An axis that stands although its drive pushes.

use super::tests::{THRESHOLDS, at, plan};
use super::*;
use twinstep_models::innovation::{Statistics, WHITENED};
use twinstep_models::rank::RANKED;

/// An axis with 1 A of friction that has moved before.
fn axis() -> (AxisPlan, AxisJudge, Outbox) {
    let plan = AxisPlan {
        inertia: Some(0.45),
        ..plan()
    };
    let mut judge = AxisJudge::default();
    judge.last[Feature::ConstantPositive as usize].friction_a = 1.0;
    (plan, judge, Outbox::default())
}

/// Cycles from a surprise on: where the axis is and the current of its drive, by the cycle. The events.
fn told(
    (plan, mut judge, mut out): (AxisPlan, AxisJudge, Outbox),
    cycles: u64,
    look: impl Fn(u64) -> (f64, f64),
) -> Vec<Event> {
    let still = Statistics {
        window: 0.0,
        cusum: 0.0,
    };
    for cycle in 0..cycles {
        let (position_m, current_a) = look(cycle);
        let evidence = Innovation {
            measured: [position_m, 0.0, current_a],
            // Beyond the limit of 0.5 A all along.
            predicted: [position_m, 0.0, current_a - 0.6],
            whitened: [still; WHITENED],
        };
        judge.innovation(
            &plan,
            &THRESHOLDS,
            &at(cycle),
            Regime::Standstill,
            &evidence,
            &mut out,
        );
    }
    core::iter::from_fn(|| out.pop()).collect()
}

fn jammed(cycle: u64) -> (f64, f64) {
    let share = (cycle as f64 / 20.0).min(1.0);
    (50e-6 * share, 15.0 * share)
}

#[test]
fn a_surprise_that_holds_the_axis_is_told_once_more_and_once() {
    let events = told(axis(), 200, jammed);
    let [first, second] = &events[..] else {
        panic!("{events:?}");
    };
    assert_eq!(
        (first.state, first.cause),
        (EventState::Raised, Cause::Disturbance)
    );
    assert_eq!(
        (second.channel, second.state, second.cause),
        (Channel::CurrentNext, EventState::Updated, Cause::HeldAtRest)
    );
    let causes = second.causes.unwrap().0;
    assert_eq!(causes.len(), RANKED);
    assert!(causes[0].1 > 0.5 && causes[1].0 == Cause::EncoderSlip);
}

#[test]
fn what_moves_is_not_held_and_neither_is_what_never_moved_or_has_no_inertia() {
    let moves = |cycle: u64| (1e-3 * cycle as f64, jammed(cycle).1);
    let mut unknown = axis();
    unknown.1 = AxisJudge::default();
    let mut weightless = axis();
    weightless.0.inertia = None;
    for events in [
        told(axis(), 200, moves),
        told(unknown, 200, jammed),
        told(weightless, 200, jammed),
    ] {
        assert!(
            events.iter().all(|e| e.cause != Cause::HeldAtRest),
            "{events:?}"
        );
    }
}

#[test]
fn what_the_features_say_goes_before() {
    let (plan, mut judge, out) = axis();
    let shifts = [Shift::default(); FEATURES];
    judge.known = Some(rank_with(&shifts, &facts(&plan), &Evidence::default()));
    let events = told((plan, judge, out), 200, jammed);
    assert_eq!(events.len(), 1, "{events:?}");
}
