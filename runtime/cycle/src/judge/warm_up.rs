//! Warming up: what rests on friction is not judged while lubricant and bearings are cold.
//!
//! Grease is stiffer in the morning. The friction of a cold axis lies tens of percent above that of the healthy record, which was taken
//! from a warm machine, and falls for as long as the axis warms. That is no fault, and no threshold that lets it pass finds one. So an axis
//! that has rested long enough has a time in which the figures of its movements, its free runs and its signatures are left out and counted.
//! What surprises within one cycle is judged all the while: it rests on the cycle before, not on the record. What is summed up over cycles
//! (window and CUSUM of innovations) is not: at a start the observer takes in the friction only within tens of milliseconds.
//!
//! Nobody knows how long a machine stood before its run: every axis begins cold.

use super::AxisJudge;

/// When an axis is warming up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WarmUp {
    /// Cycles from its first movement after a rest until it is warm.
    pub lasts_cycles: u64,
    /// Cycles without a movement after which it is cold again.
    pub rest_cycles: u64,
}

/// How warm an axis is, as far as its movements say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) struct Warmth {
    /// The cycle in which it was first seen to move since it was cold; none: it has not moved.
    since: Option<u64>,
    /// The cycle in which it was last seen to move.
    moved: u64,
}

impl Warmth {
    /// It was seen to move.
    pub(crate) const fn moves(&mut self, plan: &WarmUp, cycle: u64) {
        if self.since.is_none() || self.rested(plan, cycle) {
            self.since = Some(cycle);
        }
        self.moved = cycle;
    }

    /// Whether it is warming up, or cold.
    pub(crate) const fn warming(&self, plan: &WarmUp, cycle: u64) -> bool {
        match self.since {
            None => true,
            Some(since) => {
                self.rested(plan, cycle) || cycle.saturating_sub(since) < plan.lasts_cycles
            }
        }
    }

    const fn rested(&self, plan: &WarmUp, cycle: u64) -> bool {
        cycle.saturating_sub(self.moved) >= plan.rest_cycles
    }
}

impl AxisJudge {
    /// It was seen to move: a movement has ended, or a free run in which it moved. The second is every second or so, so that an axis that
    /// never stops is seen too.
    pub(super) fn warm(&mut self, plan: Option<&WarmUp>, cycle: u64) {
        if let Some(plan) = plan {
            self.warmth.moves(plan, cycle);
        }
    }

    /// What follows is of another time: nobody knows how long it rested.
    pub(crate) fn cool(&mut self) {
        self.warmth = Warmth::default();
    }

    /// Whether what rests on friction is left out in this cycle.
    pub fn warms(&self, plan: Option<&WarmUp>, cycle: u64) -> bool {
        plan.is_some_and(|plan| self.warmth.warming(plan, cycle))
    }
}

#[cfg(test)]
mod tests {
    use super::super::Innovation;
    use super::super::drift_tests::ended;
    use super::super::tests::{THRESHOLDS, at, plan};
    use super::*;
    use crate::event::EventState;
    use crate::outbox::Outbox;
    use crate::plan::{AxisPlan, Thresholds};
    use twinstep_models::channel::{Channel, Regime};
    use twinstep_models::innovation::{Statistics, WHITENED, Whitened};
    use twinstep_models::regime::Segment;

    const WARM_UP: WarmUp = WarmUp {
        lasts_cycles: 1000,
        rest_cycles: 5000,
    };

    /// A movement of 180 cycles with so much more friction (A), that ends in this cycle.
    fn movement(judge: &mut AxisJudge, plan: &AxisPlan, cycle: u64, more_a: f64, out: &mut Outbox) {
        let thresholds = Thresholds {
            warm_up: Some(WARM_UP),
            ..THRESHOLDS
        };
        let segment = Segment {
            regime: Regime::ConstantSpeed,
            forward: true,
            cycles: 180.0,
            measured_a: 180.0 * (1.0 + more_a),
            predicted_a: 180.0,
            ..Segment::default()
        };
        judge.segment(plan, &[], &thresholds, &at(cycle), &segment, out);
        judge.movement_end(plan, &[], &thresholds, &at(cycle), out);
        let rest = Segment {
            cycles: 20.0,
            ..Segment::default()
        };
        judge.segment(plan, &[], &thresholds, &at(cycle + 20), &rest, out);
    }

    fn raised(out: &mut Outbox) -> usize {
        core::iter::from_fn(|| out.pop())
            .filter(|event| {
                event.state == EventState::Raised && event.channel == Channel::CurrentLoad
            })
            .count()
    }

    #[test]
    fn friction_is_judged_once_an_axis_is_warm_and_not_again_before_it_is_warm_again() {
        let (plan, mut judge, mut out) = (plan(), AxisJudge::default(), Outbox::default());
        let told = Some(&WARM_UP);
        // It stood all the time before: nothing warms it.
        assert!(judge.warms(told, 0) && judge.warms(told, 1_000_000));
        assert!(!judge.warms(None, 0));
        let start = 1_000_000;
        for n in 0..6_u64 {
            let cycle = start + 180 + n * 200;
            movement(&mut judge, &plan, cycle, 0.4, &mut out);
            // Half of the first one may be missing: it is no movement. For calibration there are the others.
            let ended = judge.ended.map(|(ended, _)| ended);
            assert_eq!(ended, (n > 0).then_some(cycle));
        }
        assert_eq!((raised(&mut out), judge.not_judged().warm_up), (0, 5));
        // Warm, and it still takes more.
        let warm = start + 380 + 1000;
        assert!(judge.warms(told, warm - 1) && !judge.warms(told, warm));
        for n in 0..5 {
            movement(&mut judge, &plan, warm + n * 200, 0.4, &mut out);
        }
        assert_eq!((raised(&mut out), judge.not_judged().warm_up), (1, 5));
        // A short rest cools nothing.
        let short = warm + 800 + 4900;
        movement(&mut judge, &plan, short, 0.4, &mut out);
        assert_eq!(judge.not_judged().warm_up, 5);
        // A long one does, from its end on: the first start after it is that of a cold axis.
        assert!(!judge.warms(told, short + 4999) && judge.warms(told, short + 5000));
        let long = short + 5000 + 180;
        movement(&mut judge, &plan, long, 0.4, &mut out);
        assert_eq!((raised(&mut out), judge.not_judged().warm_up), (0, 6));
        assert!(judge.warms(told, long + 999) && !judge.warms(told, long + 1000));
        // What follows a cut may be another morning.
        judge.cool();
        assert!(judge.warms(told, long + 1000));
    }

    #[test]
    fn an_axis_that_never_stops_is_seen_to_move_and_one_that_only_shakes_is_not() {
        let (mut plan, told) = (plan(), Some(&WARM_UP));
        plan.drift_limit_m = None;
        let thresholds = Thresholds {
            warm_up: Some(WARM_UP),
            ..THRESHOLDS
        };
        let (mut judge, mut out) = (AxisJudge::default(), Outbox::default());
        // A free run in which it moved, every 400 cycles, for longer than a rest.
        for cycle in (400..=8000).step_by(400) {
            judge.drifted(&plan, &thresholds, &at(cycle), &ended(0.0), &mut out);
            assert_eq!(judge.warms(told, cycle), cycle < 1400, "{cycle}");
        }
        let mut judge = AxisJudge::default();
        for cycle in (400..=8000).step_by(400) {
            let twitch = Segment {
                regime: Regime::Acceleration,
                cycles: 1.0,
                ..Segment::default()
            };
            judge.segment(&plan, &[], &thresholds, &at(cycle), &twitch, &mut out);
            judge.movement_end(&plan, &[], &thresholds, &at(cycle), &mut out);
            assert!(judge.warms(told, cycle));
        }
    }

    #[test]
    fn one_cycle_of_a_cold_axis_is_judged_and_what_is_summed_up_is_not() {
        let mut plan = plan();
        plan.whitened[0] = Some(Whitened {
            correlation: 0.0,
            sigma: 1e-6,
            window: 10.0,
            cusum: 10.0,
        });
        let found = |warm_up, away_m: f64, window: f64| {
            let thresholds = Thresholds {
                warm_up,
                ..THRESHOLDS
            };
            let (mut judge, mut out) = (AxisJudge::default(), Outbox::default());
            let evidence = Innovation {
                measured: [away_m, 0.0, 0.0],
                predicted: [0.0; 3],
                whitened: [Statistics { window, cusum: 0.0 }; WHITENED],
            };
            let regime = Regime::Reversal;
            judge.innovation(&plan, &thresholds, &at(5), regime, &evidence, &mut out);
            core::iter::from_fn(|| out.pop()).count()
        };
        let (cold, limit_m) = (Some(WARM_UP), plan.limits[0].unwrap());
        assert_eq!((found(None, 0.0, 15.0), found(cold, 0.0, 15.0)), (1, 0));
        let beyond_m = 1.5 * limit_m;
        assert_eq!(
            (found(None, beyond_m, 0.0), found(cold, beyond_m, 0.0)),
            (1, 1)
        );
    }

    #[test]
    fn a_free_run_of_a_cold_axis_is_not_judged() {
        let plan = plan();
        let thresholds = Thresholds {
            warm_up: Some(WARM_UP),
            ..THRESHOLDS
        };
        for (warm_up, found) in [(None, 1), (Some(WARM_UP), 0)] {
            let thresholds = Thresholds {
                warm_up,
                ..thresholds
            };
            let (mut judge, mut out) = (AxisJudge::default(), Outbox::default());
            let far_m = plan.drift_limit_m.unwrap() * 3.0;
            judge.drifted(&plan, &thresholds, &at(5), &ended(far_m), &mut out);
            assert_eq!(core::iter::from_fn(|| out.pop()).count(), found);
        }
    }
}
