//! Life of a deviation: raised once, cleared once, held back where it must be.

use super::*;
use crate::plan::{Baseline, MAX_PARTS};
use twinstep_models::innovation::Whitened;
use twinstep_models::press::Contact;
use twinstep_models::regime::RegimeParams;

const STILL: Statistics = Statistics {
    window: 0.0,
    cusum: 0.0,
};

fn plan() -> AxisPlan {
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
        gravity_a: 0.0,
        inertia: None,
        carries_weight: false,
        viscous: 0.1,
        cycle_way_m: 1e-5,
        contacts: [Contact::default(); MAX_PARTS],
        movement_m: 0.0005,
    }
}

const THRESHOLDS: Thresholds = Thresholds {
    slack: 2.0,
    threshold: 4.0,
    settle_cycles: 500,
};

fn at(cycle: u64) -> Occasion {
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
fn movement(judge: &mut AxisJudge, plan: &AxisPlan, extra_a: f64, out: &mut Outbox) {
    let segment = Segment {
        regime: Regime::ConstantSpeed,
        forward: true,
        cycles: 180.0,
        measured_a: 180.0 * (1.0 + extra_a),
        predicted_a: 180.0,
        ..Segment::default()
    };
    judge.segment(plan, &THRESHOLDS, &at(190), &segment, out);
    judge.movement_end(plan, &THRESHOLDS, &at(200), out);
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
        judge.innovation(&plan, &at(0), Regime::Standstill, &evidence, &mut out);
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
    let (plan, mut judge, mut out) = (plan(), AxisJudge::default(), Outbox::default());
    let mut raised = Vec::new();
    // A surprise of one cycle every 1000, for 60 movements; then one more, much later.
    for cycle in (0..60_000).chain(1_000_000..1_000_600) {
        let surprise = if cycle % 1000 == 0 { 2e-5 } else { 0.0 };
        let evidence = Innovation {
            measured: [surprise, 0.0, 0.0],
            predicted: [0.0; 3],
            whitened: [STILL; WHITENED],
        };
        judge.innovation(&plan, &at(cycle), Regime::Standstill, &evidence, &mut out);
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
