//! What a drift is told of: by itself, by the features, and afterwards.

use super::tests::{THRESHOLDS, at, movement, plan};
use super::*;

/// A free run of 0.1 s that ended this far behind where the axis was measured to be (m).
pub(super) fn ended(ahead_m: f64) -> Ended {
    Ended {
        measured_m: ahead_m,
        free_m: 0.0,
        regime: Regime::ConstantSpeed,
        velocity_m_per_s: 0.1,
        horizon_s: 0.1,
    }
}

/// 1 A of friction, of which 0.25 A more let the axis lag by 3.1 mm in 0.1 s.
const LAG_M: f64 = 0.5 * 0.25 / 0.4 * 0.01;

fn heavy() -> AxisPlan {
    AxisPlan {
        inertia: Some(0.4),
        ..plan()
    }
}

/// An axis after healthy movements, and the events of a run that ended like this.
fn drifted(judge: &mut AxisJudge, ended: &Ended) -> Vec<Event> {
    let mut out = Outbox::default();
    judge.drifted(&heavy(), &THRESHOLDS, &at(300), ended, &mut out);
    core::iter::from_fn(|| out.pop()).collect()
}

fn healthy() -> AxisJudge {
    let (mut judge, mut out) = (AxisJudge::default(), Outbox::default());
    for _ in 0..3 {
        movement(&mut judge, &heavy(), 0.0, &mut out);
    }
    assert!(out.pop().is_none());
    judge
}

#[test]
fn a_run_at_constant_speed_is_ranked_by_the_current_it_stands_for() {
    let lag = ended(-LAG_M);
    let ahead = ended(LAG_M);
    let cases = [
        (lag, Cause::FrictionIncreased),
        (ahead, Cause::FrictionDecreased),
    ];
    for (run, cause) in cases {
        let events = drifted(&mut healthy(), &run);
        let [event] = events.as_slice() else {
            panic!("{events:?}");
        };
        let ranking = event.causes.unwrap();
        assert_eq!((event.cause, ranking.first()), (cause, cause));
        // One figure cannot be sure: what moves it in the same proportion stands behind.
        assert!(ranking.0[1].1 > 0.0 && ranking.0[0].1 < 0.99, "{ranking:?}");
    }
    // The shift is along the motion: the same lag of an axis that goes the other way.
    let shift = |run: &Ended| run.shift(1e-4, 0.4, &Shift::default());
    let back = Ended {
        velocity_m_per_s: -0.1,
        ..ahead
    };
    assert_eq!((lag.feature(), back.feature()), (Some(0), Some(1)));
    for run in [lag, back] {
        let shift = shift(&run);
        assert!((shift.shift_a - 0.25).abs() < 1e-12, "{shift:?}");
        assert!(shift.sigma_a > 0.0 && shift.sigma_a < 0.01);
    }
}

#[test]
fn a_run_through_several_regimes_or_over_a_jump_is_ranked_as_a_surprise() {
    let reversal = Ended {
        regime: Regime::Reversal,
        ..ended(LAG_M)
    };
    let events = drifted(&mut healthy(), &reversal);
    assert_eq!(
        events[0].causes,
        Some(abrupt::rank(Regime::Reversal, false, false))
    );
    let mut judge = healthy();
    judge.jumped = true;
    assert_eq!(
        drifted(&mut judge, &ended(LAG_M))[0].cause,
        Cause::EncoderSlip
    );
}

#[test]
fn features_that_deviate_say_what_drifts_before_and_afterwards() {
    let (plan, mut judge, mut out) = (heavy(), healthy(), Outbox::default());
    // A drift for a reason that is not known yet.
    let reversal = Ended {
        regime: Regime::Reversal,
        ..ended(LAG_M)
    };
    assert_eq!(drifted(&mut judge, &reversal)[0].cause, Cause::Backlash);
    for _ in 0..6 {
        movement(&mut judge, &plan, 0.25, &mut out);
    }
    let events: Vec<Event> = core::iter::from_fn(|| out.pop()).collect();
    let updated: Vec<_> = (events.iter())
        .filter(|e| e.channel == Channel::Drift)
        .collect();
    let [updated] = updated.as_slice() else {
        panic!("{events:?}");
    };
    assert_eq!(
        (updated.state, updated.cause, updated.regime),
        (
            EventState::Updated,
            Cause::FrictionIncreased,
            Regime::Reversal
        )
    );
    assert_eq!(updated.causes.unwrap().first(), Cause::FrictionIncreased);
    assert_eq!(updated.measured, LAG_M);
    // It is over, and comes again: it is known at once.
    for _ in 0..3 {
        let _ = drifted(&mut judge, &ended(0.0));
    }
    let again = drifted(&mut judge, &reversal);
    assert_eq!(again[0].cause, Cause::FrictionIncreased);
}
