//! Life of a deviation: raised once, cleared once, held back where it must be.

use super::*;
use crate::event::Source;
use crate::plan::{Baseline, MAX_BY_RECIPE, MAX_PARTS, Modes, SlowPlan};
use twinstep_models::innovation::{Statistics, WHITENED, Whitened};
use twinstep_models::press::Contact;
use twinstep_models::regime::RegimeParams;
use twinstep_models::sample::{AxisReading, Context, CycleStamp, DriveState};

const STILL: Statistics = Statistics {
    window: 0.0,
    cusum: 0.0,
};

pub(super) fn plan() -> AxisPlan {
    let baseline = Some(Baseline {
        mean_a: 0.0,
        sigma_a: 0.01,
    });
    AxisPlan {
        limits: [Some(1e-5), None, Some(0.5)],
        whitened: [None; WHITENED],
        regime: RegimeParams {
            standstill_m_per_s: 0.001,
            steady_m_per_s2: 0.1,
            reversal_cycles: 30,
            pressing_a: 0.1,
        },
        baseline: [baseline; FEATURES],
        slow: SlowPlan::default(),
        gravity_a: 0.0,
        observer: twinstep_models::kalman::Steady::BLIND,
        inertia: None,
        carries_weight: false,
        viscous: 0.1,
        cycle_way_m: 1e-5,
        hop_m: 5e-6,
        // A surprise that stays although it was taken in has a velocity: no slip.
        carried: 1.2,
        contacts: [Contact::default(); MAX_PARTS],
        drift_limit_m: Some(1e-4),
        by_recipe: [None; MAX_BY_RECIPE],
        movement_m: 0.0005,
        modes: Modes::POSITION,
    }
}

pub(super) const THRESHOLDS: Thresholds = Thresholds {
    slack: 2.0,
    threshold: 4.0,
    settle_cycles: 500,
    horizon_cycles: 100,
    warm_up: None,
};

pub(super) fn at(cycle: u64) -> Occasion {
    let stamp = CycleStamp {
        cycle,
        time_ns: cycle * 1_000_000,
        dc_time_ns: 0,
    };
    Occasion {
        stamp,
        source: Source::Axis(0),
        context: Context::default(),
    }
}

fn states(out: &mut Outbox) -> Vec<(Channel, EventState)> {
    core::iter::from_fn(|| out.pop())
        .map(|event| (event.channel, event.state))
        .collect()
}

#[test]
fn a_limit_is_raised_once_and_cleared_once_it_is_calm() {
    let (plan, mut judge, mut out) = (plan(), AxisJudge::default(), Outbox::default());
    for cycle in 0..1000 {
        // Above the limit, then between half of it and the limit, then calm; velocity has no limit.
        let residual = match cycle {
            100..150 => 2e-5,
            150..400 => 0.8e-5,
            _ => 0.0,
        };
        let evidence = Innovation {
            measured: [residual, 9.0, 0.0],
            predicted: [0.0; 3],
            whitened: [STILL; WHITENED],
        };
        judge.innovation(
            &plan,
            &THRESHOLDS,
            &at(cycle),
            Regime::ConstantSpeed,
            &evidence,
            &mut out,
        );
    }
    assert_eq!(
        states(&mut out),
        [
            (Channel::PositionNext, EventState::Raised),
            (Channel::PositionNext, EventState::Cleared)
        ]
    );
}

/// One movement with `extra_a` more friction than predicted.
pub(super) fn movement(judge: &mut AxisJudge, plan: &AxisPlan, extra_a: f64, out: &mut Outbox) {
    let segment = Segment {
        regime: Regime::ConstantSpeed,
        forward: true,
        cycles: 180.0,
        measured_a: 180.0 * (1.0 + extra_a),
        predicted_a: 180.0,
        ..Segment::default()
    };
    judge.segment(plan, &[], &THRESHOLDS, &at(190), &segment, out);
    judge.movement_end(plan, &[], &THRESHOLDS, &at(200), out);
}

#[test]
fn the_detector_that_is_furthest_is_named() {
    let (mut plan, mut judge, mut out) = (plan(), AxisJudge::default(), Outbox::default());
    plan.whitened[0] = Some(Whitened {
        correlation: 0.9,
        sigma: 1e-6,
        window: 3.0,
        cusum: 10.0,
    });
    for (whitened, detector) in [
        (
            Statistics {
                window: 4.0,
                ..STILL
            },
            Detector::Window,
        ),
        (
            Statistics {
                cusum: 12.0,
                ..STILL
            },
            Detector::Cusum,
        ),
    ] {
        let evidence = Innovation {
            measured: [1e-6, 0.0, 0.0],
            predicted: [0.0; 3],
            whitened: [whitened, STILL],
        };
        judge.innovation(
            &plan,
            &THRESHOLDS,
            &at(0),
            Regime::Standstill,
            &evidence,
            &mut out,
        );
        let raised = out.pop().expect("raised");
        assert_eq!(
            (raised.channel, raised.state, raised.detector),
            (Channel::PositionNext, EventState::Raised, detector)
        );
        judge = AxisJudge::default();
    }
}

#[test]
fn what_surprises_once_a_movement_is_raised_a_few_times_and_then_stays() {
    // Blows: what was carried on was a velocity.
    let plan = AxisPlan {
        carried: 2.0,
        ..plan()
    };
    let (mut judge, mut out) = (AxisJudge::default(), Outbox::default());
    let mut raised = Vec::new();
    // A surprise of one cycle every 1000, for 60 movements; then one more, much later.
    for cycle in (0..60_000).chain(1_000_000..1_000_600) {
        let surprise = if cycle % 1000 == 0 { 2e-5 } else { 0.0 };
        let evidence = Innovation {
            measured: [surprise, 0.0, 0.0],
            predicted: [0.0; 3],
            whitened: [STILL; WHITENED],
        };
        judge.innovation(
            &plan,
            &THRESHOLDS,
            &at(cycle),
            Regime::Standstill,
            &evidence,
            &mut out,
        );
        while let Some(event) = out.pop() {
            raised.push((cycle, event.state));
        }
    }
    use EventState::{Cleared, Raised};
    let expected = [
        (0, Raised),
        (200, Cleared),
        (1000, Raised),
        (1400, Cleared),
        (2000, Raised),
        (2800, Cleared),
        (3000, Raised),
    ];
    assert_eq!(raised[..7], expected);
    // It needs 1600 calm cycles by now, and never had them: it is one deviation.
    assert_eq!(raised.len(), 7, "{raised:?}");
}

#[test]
fn grown_friction_is_raised_named_and_cleared() {
    let (plan, mut judge, mut out) = (plan(), AxisJudge::default(), Outbox::default());
    for _ in 0..20 {
        movement(&mut judge, &plan, 0.0, &mut out);
    }
    assert_eq!(states(&mut out), []);
    for _ in 0..5 {
        movement(&mut judge, &plan, 0.2, &mut out);
    }
    let raised = out.pop().expect("raised");
    assert_eq!(
        (raised.state, raised.channel),
        (EventState::Raised, Channel::CurrentLoad)
    );
    assert_eq!(
        (raised.cause, raised.regime),
        (Cause::FrictionIncreased, Regime::ConstantSpeed)
    );
    assert!((raised.residual - 0.2).abs() < 1e-9, "{raised:?}");
    assert_eq!(states(&mut out), []);
    for _ in 0..20 {
        movement(&mut judge, &plan, 0.0, &mut out);
    }
    assert_eq!(
        states(&mut out),
        [(Channel::CurrentLoad, EventState::Cleared)]
    );
}

#[test]
fn an_axis_that_moves_while_disabled_is_a_deviation_and_one_that_coasts_is_not() {
    let (plan, mut judge, mut out) = (plan(), AxisJudge::default(), Outbox::default());
    let reading = |position_m, velocity_m_per_s, state| AxisReading {
        position_m,
        velocity_m_per_s,
        state,
        ..AxisReading::default()
    };
    for k in 0..300 {
        let coasting = reading(0.001 * f64::from(k), 1.0, DriveState::SwitchedOn);
        judge.states(&plan, &at(0), &coasting, &mut out);
    }
    for _ in 0..300 {
        judge.states(
            &plan,
            &at(1),
            &reading(0.3, 0.0, DriveState::SwitchedOn),
            &mut out,
        );
    }
    assert_eq!(states(&mut out), []);
    for _ in 0..3 {
        judge.states(
            &plan,
            &at(2),
            &reading(0.302, 0.0, DriveState::SwitchedOn),
            &mut out,
        );
    }
    judge.states(
        &plan,
        &at(3),
        &reading(0.302, 0.0, DriveState::OperationEnabled),
        &mut out,
    );
    assert_eq!(
        states(&mut out),
        [
            (Channel::Movement, EventState::Raised),
            (Channel::Movement, EventState::Cleared)
        ]
    );
}

/// One cycle with the position `away_m` and the current `away_a` from what was predicted.
fn surprise(
    judge: &mut AxisJudge,
    plan: &AxisPlan,
    cycle: u64,
    regime: Regime,
    away: [f64; 2],
    out: &mut Outbox,
) {
    let evidence = Innovation {
        measured: [away[0], 0.0, away[1]],
        predicted: [0.0; 3],
        whitened: [STILL; WHITENED],
    };
    judge.innovation(plan, &THRESHOLDS, &at(cycle), regime, &evidence, out);
}

#[test]
fn a_surprise_is_ranked_where_it_happens_and_a_jump_is_a_slip() {
    let plan = plan();
    for (regime, away_m, cause) in [
        (Regime::Reversal, 2e-5, Cause::Backlash),
        (Regime::ConstantSpeed, 2e-5, Cause::Disturbance),
        // 10 um a cycle at the current limit: 40 um is no mechanics.
        (Regime::Reversal, 4e-5, Cause::EncoderSlip),
        (Regime::ConstantSpeed, -4e-5, Cause::EncoderSlip),
    ] {
        let (mut judge, mut out) = (AxisJudge::default(), Outbox::default());
        surprise(&mut judge, &plan, 5, regime, [away_m, 0.0], &mut out);
        let raised = out.pop().expect("raised");
        assert_eq!(raised.cause, cause, "{raised:?}");
        let causes = raised.causes.expect("ranked");
        assert!(causes.first() == cause && causes.0[1].1 > 0.0, "{causes:?}");
    }
}

#[test]
fn a_short_slip_is_told_one_cycle_later_and_a_blow_is_not_one() {
    let plan = plan();
    // The observer has taken the first surprise in: what is left of a slip is what it carried on, of a blow the velocity.
    for (second_m, cause) in [
        ((0.9 - 1.2) * 2e-5, Cause::EncoderSlip),
        ((2.0 - 1.2) * 2e-5, Cause::Disturbance),
    ] {
        let (mut judge, mut out) = (AxisJudge::default(), Outbox::default());
        for (cycle, away_m) in [(5, 2e-5), (6, second_m), (7, 0.0)] {
            let regime = Regime::ConstantSpeed;
            surprise(&mut judge, &plan, cycle, regime, [away_m, 0.0], &mut out);
        }
        let told: Vec<Event> = core::iter::from_fn(|| out.pop()).collect();
        assert_eq!(told[0].cause, Cause::Disturbance, "{told:?}");
        assert_eq!(told.last().expect("raised").cause, cause, "{told:?}");
    }
}

#[test]
fn a_movement_in_which_the_encoder_slipped_is_not_judged() {
    let (plan, mut out) = (plan(), Outbox::default());
    for slips in [true, false] {
        let mut judge = AxisJudge::default();
        for _ in 0..5 {
            movement(&mut judge, &plan, 0.0, &mut out);
        }
        for n in 0..5 {
            if slips {
                surprise(
                    &mut judge,
                    &plan,
                    10 + n,
                    Regime::Acceleration,
                    [1e-4, 0.0],
                    &mut out,
                );
            }
            movement(&mut judge, &plan, 0.2, &mut out);
        }
        let load = states(&mut out).iter().any(|s| s.0 == Channel::CurrentLoad);
        assert_eq!(load, !slips);
    }
}

#[test]
fn features_update_the_cause_of_a_surprise_and_name_the_next_one() {
    let (plan, mut judge, mut out) = (plan(), AxisJudge::default(), Outbox::default());
    for _ in 0..5 {
        movement(&mut judge, &plan, 0.0, &mut out);
    }
    surprise(
        &mut judge,
        &plan,
        10,
        Regime::ConstantSpeed,
        [2e-5, 0.0],
        &mut out,
    );
    assert_eq!(out.pop().expect("raised").cause, Cause::Disturbance);
    for _ in 0..5 {
        movement(&mut judge, &plan, 0.2, &mut out);
    }
    let told: Vec<_> = core::iter::from_fn(|| out.pop())
        .map(|e| (e.channel, e.state, e.cause))
        .collect();
    use Cause::FrictionIncreased;
    let updated = (
        Channel::PositionNext,
        EventState::Updated,
        FrictionIncreased,
    );
    let raised = (Channel::CurrentLoad, EventState::Raised, FrictionIncreased);
    assert_eq!(told, [updated, raised]);
    // What is cleared is what was told last, and the next surprise is no riddle any more.
    for cycle in 20..20 + u64::from(CALM_CYCLES) {
        surprise(
            &mut judge,
            &plan,
            cycle,
            Regime::ConstantSpeed,
            [0.0; 2],
            &mut out,
        );
    }
    let cleared = out.pop().expect("cleared");
    assert_eq!(
        (cleared.state, cleared.cause),
        (EventState::Cleared, FrictionIncreased)
    );
    surprise(
        &mut judge,
        &plan,
        900,
        Regime::Reversal,
        [0.0, 1.0],
        &mut out,
    );
    assert_eq!(out.pop().expect("raised").cause, FrictionIncreased);
}

/// A movement whose only surprise is its reversal.
fn reversal(judge: &mut AxisJudge, plan: &AxisPlan, rms_a: f64, out: &mut Outbox) {
    let segment = Segment {
        regime: Regime::Reversal,
        cycles: 30.0,
        innovation_square: rms_a * rms_a,
        ..Segment::default()
    };
    judge.segment(plan, &[], &THRESHOLDS, &at(190), &segment, out);
    judge.movement_end(plan, &[], &THRESHOLDS, &at(200), out);
}

#[test]
fn backlash_and_its_surprises_are_one_deviation_of_the_current() {
    let (mut plan, mut judge, mut out) = (plan(), AxisJudge::default(), Outbox::default());
    plan.baseline[Feature::Reversal as usize] = Some(Baseline {
        mean_a: 0.2,
        sigma_a: 0.01,
    });
    for _ in 0..5 {
        reversal(&mut judge, &plan, 0.2, &mut out);
    }
    surprise(
        &mut judge,
        &plan,
        10,
        Regime::ConstantSpeed,
        [0.0, 1.0],
        &mut out,
    );
    for _ in 0..5 {
        reversal(&mut judge, &plan, 0.4, &mut out);
    }
    // Calm and surprised again: the deviation goes on.
    for cycle in 300..900 {
        let away_a = if cycle == 700 { 1.0 } else { 0.0 };
        surprise(
            &mut judge,
            &plan,
            cycle,
            Regime::Reversal,
            [0.0, away_a],
            &mut out,
        );
    }
    use EventState::{Cleared, Raised, Updated};
    let current = |out: &mut Outbox| -> Vec<_> {
        states(out)
            .into_iter()
            .filter(|s| s.0 == Channel::CurrentNext)
            .map(|s| s.1)
            .collect()
    };
    assert_eq!(current(&mut out), [Raised, Updated]);
    for cycle in 1000..2500 {
        surprise(
            &mut judge,
            &plan,
            cycle,
            Regime::Reversal,
            [0.0; 2],
            &mut out,
        );
    }
    for _ in 0..20 {
        reversal(&mut judge, &plan, 0.2, &mut out);
    }
    assert_eq!(current(&mut out), [Cleared]);
}
