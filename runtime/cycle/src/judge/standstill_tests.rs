//! What holds an axis at rest: found in a step and in a slow ramp while it stands, silent on healthy rests however long they are.

use super::super::drift_tests::ended;
use super::super::tests::{THRESHOLDS, at, movement, plan};
use super::*;
use crate::event::{Event, EventState};
use crate::plan::SlowPlan;
use twinstep_models::cause::Cause;
use twinstep_models::channel::Channel;
use twinstep_models::rank::rank_with;
use twinstep_models::rest::STAGES;
use twinstep_models::sample::{Context, Only};

const HOLD_A: f64 = 1.5;
const SIGMA_A: f64 = 0.02;

/// A lift that is held with 1.5 A after a movement up.
fn lift() -> AxisPlan {
    let mut standstill = [[None; STAGES]; RESTS];
    standstill[Rested::Positive as usize] = [Some(Baseline {
        mean_a: HOLD_A,
        sigma_a: SIGMA_A,
    }); STAGES];
    AxisPlan {
        slow: SlowPlan {
            rests: true,
            standstill,
            ..SlowPlan::default()
        },
        gravity_a: 1.6,
        carries_weight: true,
        inertia: Some(0.25),
        ..plan()
    }
}

/// A rest that goes on: its sums as they grow.
#[derive(Default)]
struct Rest(RestSum);

impl Rest {
    /// The next figure, of so many cycles of this current (A).
    fn figure(&mut self, judge: &mut AxisJudge, plan: &AxisPlan, hold_a: f64, out: &mut Outbox) {
        self.0.cycles += 1000;
        self.0.step += 1;
        self.0.measured_a += 1000.0 * hold_a;
        let at = at(self.0.began + self.0.cycles);
        judge.rest(plan, &[], &THRESHOLDS, &at, &self.0, out);
    }

    /// A rest behind a healthy movement; the first look at it marks where its first figure begins.
    fn behind_movement(judge: &mut AxisJudge, plan: &AxisPlan, out: &mut Outbox) -> Self {
        // The first of a run may have begun before it.
        for _ in 0..2 {
            movement(judge, plan, 0.0, out);
        }
        let mut rest = Self::default();
        rest.0.began = judge.standstill.rests * 10;
        rest.figure(judge, plan, 9.0, out);
        rest
    }
}

fn events(out: &mut Outbox) -> Vec<Event> {
    core::iter::from_fn(|| out.pop()).collect()
}

fn states(out: &mut Outbox) -> Vec<EventState> {
    events(out).iter().map(|event| event.state).collect()
}

#[test]
fn a_step_of_the_held_load_is_raised_while_the_axis_stands_and_cleared_when_it_goes() {
    let (plan, mut judge, mut out) = (lift(), AxisJudge::default(), Outbox::default());
    let mut rest = Rest::behind_movement(&mut judge, &plan, &mut out);
    for _ in 0..20 {
        rest.figure(&mut judge, &plan, HOLD_A, &mut out);
    }
    assert!(events(&mut out).is_empty());
    for _ in 0..20 {
        rest.figure(&mut judge, &plan, HOLD_A + 0.3, &mut out);
    }
    let found = events(&mut out);
    let [raised] = &found[..] else {
        panic!("{found:?}")
    };
    assert_eq!(
        (raised.channel, raised.regime, raised.cause),
        (Channel::CurrentLoad, Regime::Standstill, Cause::LoadAdded)
    );
    assert!((raised.measured - HOLD_A - 0.3).abs() < 1e-9);
    assert_eq!(raised.predicted, HOLD_A);
    assert!((raised.residual - 0.3).abs() < 1e-9);
    for _ in 0..3 {
        rest.figure(&mut judge, &plan, HOLD_A, &mut out);
    }
    assert_eq!(states(&mut out), [EventState::Cleared]);
}

#[test]
fn a_slow_ramp_is_raised_before_it_is_at_its_end() {
    for (sign, cause) in [(1.0, Cause::LoadAdded), (-1.0, Cause::LoadRemoved)] {
        let (plan, mut judge, mut out) = (lift(), AxisJudge::default(), Outbox::default());
        let mut rest = Rest::behind_movement(&mut judge, &plan, &mut out);
        let mut at = None;
        for n in 0..1000 {
            let shift_a = sign * 0.5 * f64::from(n) / 1000.0;
            rest.figure(&mut judge, &plan, HOLD_A + shift_a, &mut out);
            if let Some(event) = out.pop() {
                assert_eq!((event.state, event.cause), (EventState::Raised, cause));
                at = Some(shift_a.abs());
                break;
            }
        }
        // Slack and threshold, in spreads that hold the error of the model too.
        let spread_a = (SIGMA_A * SIGMA_A + (0.01 * HOLD_A) * (0.01 * HOLD_A)).sqrt();
        let expected_a = 6.0 * spread_a;
        assert!(
            (at.unwrap() / expected_a - 1.0).abs() < 0.02,
            "{at:?}, expected {expected_a}"
        );
    }
}

#[test]
fn a_long_rest_counts_once_and_rests_that_all_are_off_add_up() {
    let spread_a = (SIGMA_A * SIGMA_A + (0.01 * HOLD_A) * (0.01 * HOLD_A)).sqrt();
    let off_a = HOLD_A + 3.0 * spread_a;
    let (plan, mut judge, mut out) = (lift(), AxisJudge::default(), Outbox::default());
    let mut rest = Rest::behind_movement(&mut judge, &plan, &mut out);
    // Three spreads off, for a day.
    for _ in 0..86_400 {
        rest.figure(&mut judge, &plan, off_a, &mut out);
    }
    assert!(events(&mut out).is_empty());
    // Two more are one too many for a sum of four: each adds one.
    let mut raised_at = None;
    for n in 1..=6 {
        let mut rest = Rest::behind_movement(&mut judge, &plan, &mut out);
        rest.figure(&mut judge, &plan, off_a, &mut out);
        if states(&mut out) == [EventState::Raised] {
            raised_at = Some(n);
        }
    }
    assert!(matches!(raised_at, Some(3 | 4)), "{raised_at:?}");
}

#[test]
fn only_rests_that_came_about_as_the_healthy_ones_are_judged() {
    let far_a = HOLD_A + 1.0;
    let judged = |prepare: fn(&mut AxisJudge, &mut Rest), plan: &AxisPlan| {
        let (mut judge, mut out) = (AxisJudge::default(), Outbox::default());
        let mut rest = Rest::behind_movement(&mut judge, plan, &mut out);
        prepare(&mut judge, &mut rest);
        rest.figure(&mut judge, plan, far_a, &mut out);
        states(&mut out).len()
    };
    let as_ever = |_: &mut AxisJudge, _: &mut Rest| {};
    assert_eq!(judged(as_ever, &lift()), 1);
    // A lost frame: the rest begins anew for its sums, and is the same.
    let lost = |judge: &mut AxisJudge, rest: &mut Rest| {
        judge.forget();
        rest.0.began += 1;
    };
    assert_eq!(judged(lost, &lift()), 0);
    // The brake held it meanwhile, or its reference went on.
    assert_eq!(judged(|judge, _| judge.let_go(), &lift()), 0);
    // One stretch was not looked at.
    assert_eq!(judged(|_, rest| rest.0.step += 1, &lift()), 0);
    // Nothing learnt of rests after a movement in this direction.
    let mut down = lift();
    down.slow.standstill.reverse();
    assert_eq!(judged(as_ever, &down), 0);
    // A press holds its part.
    let mut press = lift();
    press.contacts[0].stiffness_a_per_m = 100.0;
    assert_eq!(judged(as_ever, &press), 0);
}

#[test]
fn lost_frames_within_a_rest_do_not_make_it_several() {
    let (plan, mut judge, mut out) = (lift(), AxisJudge::default(), Outbox::default());
    let mut rest = Rest::behind_movement(&mut judge, &plan, &mut out);
    for _ in 0..50 {
        judge.forget();
        rest.0.began += 1;
        // The first look after it marks, the second has a figure.
        for _ in 0..2 {
            rest.figure(&mut judge, &plan, HOLD_A + 0.075, &mut out);
        }
    }
    assert!(events(&mut out).is_empty());
    assert_eq!(judge.standstill.rests, 1);
}

#[test]
fn what_a_movement_says_goes_before_what_a_rest_says() {
    let (plan, mut judge, mut out) = (lift(), AxisJudge::default(), Outbox::default());
    for _ in 0..3 {
        movement(&mut judge, &plan, 0.0, &mut out);
    }
    let mut rest = Rest::behind_movement(&mut judge, &plan, &mut out);
    rest.figure(&mut judge, &plan, HOLD_A + 0.3, &mut out);
    assert_eq!(states(&mut out), [EventState::Raised]);
    // A movement that is as ever neither clears nor raises, and what is raised has one place.
    movement(&mut judge, &plan, 0.0, &mut out);
    assert!(events(&mut out).is_empty());
    let mut rest = Rest::behind_movement(&mut judge, &plan, &mut out);
    for _ in 0..8 {
        rest.figure(&mut judge, &plan, HOLD_A, &mut out);
        if let Some(event) = out.pop() {
            assert_eq!(event.state, EventState::Cleared);
        }
        rest = Rest::behind_movement(&mut judge, &plan, &mut out);
    }
    assert!(judge.load_cause.is_none());
}

#[test]
fn what_a_rest_alone_has_raised_says_nothing_of_a_drift() {
    let (plan, mut judge, mut out) = (lift(), AxisJudge::default(), Outbox::default());
    let mut rest = Rest::behind_movement(&mut judge, &plan, &mut out);
    let run = ended(-3e-3);
    let by_itself = judge.behind_drift(&plan, &run, 1e-4);
    rest.figure(&mut judge, &plan, HOLD_A + 0.3, &mut out);
    assert_eq!(states(&mut out), [EventState::Raised]);
    assert_eq!(judge.behind_drift(&plan, &run, 1e-4), by_itself);
    // That of the figures of movements would be another.
    let shifts = rank_with(&judge.shifts, &facts(&plan), &judge.beside.evidence());
    assert_ne!(shifts, by_itself);
}

#[test]
fn a_new_baseline_is_that_of_the_next_rests() {
    let (plan, mut judge, mut out) = (lift(), AxisJudge::default(), Outbox::default());
    let off_a = HOLD_A + 0.3;
    let mut rest = Rest::behind_movement(&mut judge, &plan, &mut out);
    rest.figure(&mut judge, &plan, off_a, &mut out);
    assert_eq!(states(&mut out), [EventState::Raised]);
    judge.ask_for_renewal();
    for _ in 0..20 {
        let mut rest = Rest::behind_movement(&mut judge, &plan, &mut out);
        for _ in 0..3 {
            rest.figure(&mut judge, &plan, off_a, &mut out);
        }
    }
    assert_eq!(states(&mut out), [EventState::Cleared]);
    let mut rest = Rest::behind_movement(&mut judge, &plan, &mut out);
    rest.figure(&mut judge, &plan, off_a + 0.3, &mut out);
    let found = events(&mut out);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!((found[0].predicted - off_a).abs() < 1e-9);
}

#[test]
fn what_creeps_is_judged_stage_by_stage_and_not_where_none_was_learnt() {
    // What friction held goes over to the drive within some seconds.
    let held_a = [1.9, 1.7, 1.6, 1.55, 1.5, 1.5];
    let mut plan = lift();
    let stages = &mut plan.slow.standstill[Rested::Positive as usize];
    for (stage, base) in stages.iter_mut().enumerate() {
        *base = Some(Baseline {
            mean_a: held_a[stage],
            sigma_a: SIGMA_A,
        });
    }
    stages[5] = None;
    let found = |more_a: [f64; STAGES]| {
        let (mut judge, mut out) = (AxisJudge::default(), Outbox::default());
        for _ in 0..3 {
            let mut rest = Rest::behind_movement(&mut judge, &plan, &mut out);
            for stage in 0..STAGES {
                rest.0.stage = stage as u8;
                rest.figure(&mut judge, &plan, held_a[stage] + more_a[stage], &mut out);
            }
        }
        states(&mut out)
    };
    assert_eq!(found([0.0; STAGES]), []);
    // Beyond what was learnt nothing is judged, whatever it is.
    assert_eq!(found([0.0, 0.0, 0.0, 0.0, 0.0, 5.0]), []);
    assert_eq!(found([0.0, 0.0, 0.0, 0.5, 0.5, 0.0])[0], EventState::Raised);
}

#[test]
fn a_shake_leaves_friction_as_nobody_knows_and_a_lost_frame_leaves_a_rest_its_age() {
    let (plan, mut judge, mut out) = (lift(), AxisJudge::default(), Outbox::default());
    let mut rest = Rest::behind_movement(&mut judge, &plan, &mut out);
    let began = judge.standstill.since;
    assert_eq!(judge.rest_age(began + 200), 200);
    rest.figure(&mut judge, &plan, HOLD_A, &mut out);
    // Sums begin anew behind a lost frame, with a movement that is none.
    judge.forget();
    judge.movement_end(&plan, &[], &THRESHOLDS, &at(9000), &mut out);
    assert_eq!(judge.rest_age(began + 10_000), 10_000);
    rest.figure(&mut judge, &plan, HOLD_A + 0.3, &mut out);
    assert_eq!(states(&mut out), [EventState::Raised]);
    for _ in 0..3 {
        rest.figure(&mut judge, &plan, HOLD_A, &mut out);
    }
    assert_eq!(states(&mut out), [EventState::Cleared]);
    let shake = Segment {
        regime: Regime::Acceleration,
        forward: true,
        cycles: 3.0,
        ..Segment::default()
    };
    judge.segment(&plan, &[], &THRESHOLDS, &at(20_000), &shake, &mut out);
    judge.movement_end(&plan, &[], &THRESHOLDS, &at(20_020), &mut out);
    // It has stood for so long when that is over.
    assert_eq!(judge.rest_age(20_020), u64::from(STILL));
    for _ in 0..5 {
        rest.figure(&mut judge, &plan, HOLD_A + 0.3, &mut out);
    }
    assert!(events(&mut out).is_empty());
    let mut rest = Rest::behind_movement(&mut judge, &plan, &mut out);
    rest.figure(&mut judge, &plan, HOLD_A + 0.3, &mut out);
    assert_eq!(states(&mut out), [EventState::Raised]);
}

/// The same lift, which is held with 0.5 A more with tool 1.
fn by_tool() -> [ContextBases; 2] {
    [0, 1].map(|tool| {
        let mut slow = lift().slow;
        for base in slow.standstill[Rested::Positive as usize]
            .iter_mut()
            .flatten()
        {
            base.mean_a += 0.5 * f64::from(tool);
        }
        ContextBases {
            axis: 0,
            only: Only {
                tool: Some(tool),
                ..Only::ALWAYS
            },
            baseline: lift().baseline,
            slow,
        }
    })
}

#[test]
fn a_rest_is_judged_by_the_rows_of_its_context_and_by_none_where_that_changed_since_the_movement() {
    // Tool of the movement, tool of the rest, held current; whether it is raised, and what is unknown of its context.
    let judged = |moved: u8, rested: u8, hold_a: f64| {
        let (plan, mut judge, mut out) = (lift(), AxisJudge::default(), Outbox::default());
        let own = by_tool();
        let with = |cycle, tool| {
            let mut at = at(cycle);
            at.context.conditions.tool = tool;
            at
        };
        let segment = Segment {
            regime: Regime::ConstantSpeed,
            forward: true,
            cycles: 180.0,
            measured_a: 180.0,
            predicted_a: 180.0,
            ..Segment::default()
        };
        for _ in 0..2 {
            judge.segment(
                &plan,
                &own,
                &THRESHOLDS,
                &with(190, moved),
                &segment,
                &mut out,
            );
            judge.movement_end(&plan, &own, &THRESHOLDS, &with(200, moved), &mut out);
        }
        let mut sum = RestSum::default();
        for _ in 0..10 {
            sum.cycles += 1000;
            sum.step += 1;
            sum.measured_a += 1000.0 * hold_a;
            let at = with(sum.cycles, rested);
            judge.rest(&plan, &own, &THRESHOLDS, &at, &sum, &mut out);
        }
        let context = judge.standstill.latest.map(|figure| figure.context.0[1]);
        (!events(&mut out).is_empty(), context)
    };
    assert_eq!(judged(0, 0, HOLD_A), (false, Some(0)));
    assert_eq!(judged(1, 1, HOLD_A + 0.5), (false, Some(1)));
    // What is healthy with one tool is not with the other.
    assert_eq!(judged(0, 0, HOLD_A + 0.5), (true, Some(0)));
    assert_eq!(judged(1, 1, HOLD_A), (true, Some(1)));
    // Whatever is held.
    let unknown = Context::UNKNOWN;
    assert_eq!(judged(0, 1, HOLD_A + 9.0), (false, Some(unknown)));
    assert_eq!(judged(unknown, 1, HOLD_A + 9.0), (false, Some(unknown)));
    assert_eq!(judged(1, unknown, HOLD_A + 9.0), (false, Some(unknown)));
}
