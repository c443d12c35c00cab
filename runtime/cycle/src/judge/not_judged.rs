//! What is not judged, and how much of it there was: what the healthy record never showed, and what a drive does by itself.

use super::AxisJudge;
use super::context::Rows;
use crate::plan::AxisPlan;
use twinstep_models::blocks::{Block, FEATURES, Feature};
use twinstep_models::sample::{AxisReading, DriveState, Told};

/// What of an axis was not judged, by reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct NotJudged {
    /// Movements of which a figure was left out: no healthy record holds any at their pace.
    pub pace: u64,
    /// Movements of which a figure was left out: nothing was learnt of it in their context, or that changed within them.
    pub context: u64,
    /// Movements while the axis warmed up: nothing of them but what surprised within a cycle was judged.
    pub warm_up: u64,
    /// Cycles in a mode of operation that no healthy record holds: their innovations were not judged.
    pub mode: u64,
    /// Cycles in which the drive was enabled and made its own set-points: nothing was predicted.
    pub own: u64,
}

/// Looks at an axis that is behind its reference that say how fast this was to go.
const LEAST_LOOKS: f64 = 3.0;

/// Where a movement went slower than it was told to, by figure.
#[derive(Clone, Copy, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub(super) struct Behind {
    /// How often it was looked at and did.
    looks: [f64; FEATURES],
    /// Sum of the paces that it was told then (m/s, of an acceleration m/s2).
    paces: [f64; FEATURES],
}

impl Behind {
    fn add(&mut self, feature: Feature, pace: f64) {
        self.looks[feature as usize] += 1.0;
        self.paces[feature as usize] += pace;
    }

    /// The pace at which it was to go; none where it did.
    fn pace(&self, feature: Feature) -> Option<f64> {
        let looks = self.looks[feature as usize];
        (looks >= LEAST_LOOKS).then(|| self.paces[feature as usize] / looks)
    }
}

impl AxisJudge {
    /// The axis goes slower than `pace`, at which it was told to (m/s, of an acceleration m/s2).
    pub(crate) fn is_behind(&mut self, feature: Feature, pace: f64) {
        self.behind.add(feature, pace);
    }

    /// Takes out the figures of regimes that this movement went through at a pace that no baseline was learnt at, and counts the
    /// movement. Returns whether any was. An axis that was told to go as fast as the healthy ones did, and was slower, is none that nobody
    /// knows: it is held up.
    pub(super) fn leave_out(
        &mut self,
        plan: &AxisPlan,
        rows: &Rows<'_>,
        blocks: &mut [Option<Block>; FEATURES],
    ) -> bool {
        let behind = core::mem::take(&mut self.behind);
        let mut left_out = false;
        for (feature, (block, paces)) in
            (Feature::ALL.into_iter()).zip(blocks.iter_mut().zip(rows.paces(plan)))
        {
            let (Some(figure), Some(paces)) = (*block, paces) else {
                continue;
            };
            let [from, to] = figure.pace(feature, plan.inertia.unwrap_or(1.0));
            let from = behind.pace(feature).map_or(from, |told| from.max(told));
            if !paces.hold([from, to]) {
                *block = None;
                left_out = true;
            }
        }
        self.not_judged.pace = self.not_judged.pace.saturating_add(u64::from(left_out));
        left_out
    }

    /// Takes out all figures of a movement of an axis that warms up, and counts it.
    pub(super) fn leave_out_cold(&mut self, blocks: &mut [Option<Block>; FEATURES]) {
        *blocks = [None; FEATURES];
        self.behind = Behind::default();
        self.not_judged.warm_up = self.not_judged.warm_up.saturating_add(1);
    }

    /// A cycle in a mode in which the innovations are not judged.
    pub(crate) fn count_mode(&mut self, r: &AxisReading) {
        if r.state != DriveState::OperationEnabled {
            return;
        }
        let cycles = match r.told {
            Told::Own => &mut self.not_judged.own,
            _ => &mut self.not_judged.mode,
        };
        *cycles = cycles.saturating_add(1);
        self.unlearnt_mode = true;
    }

    /// The figure of a reversal is made of innovations: in a mode in which these are not judged there is none.
    pub(super) fn leave_out_reversal(&mut self, blocks: &mut [Option<Block>; FEATURES]) {
        if core::mem::take(&mut self.unlearnt_mode) {
            blocks[Feature::Reversal as usize] = None;
        }
    }

    /// What was not judged so far.
    pub const fn not_judged(&self) -> NotJudged {
        self.not_judged
    }
}

#[cfg(test)]
mod tests {
    use super::super::Segment;
    use super::super::tests::{THRESHOLDS, at, plan};
    use super::*;
    use crate::event::EventState;
    use crate::outbox::Outbox;
    use twinstep_models::blocks::Paces;
    use twinstep_models::cause::Cause;
    use twinstep_models::channel::{Channel, Regime};

    const LEARNT: Paces = Paces {
        least: 0.9,
        most: 1.0,
    };

    /// One movement at a speed (m/s) with so much more friction (A).
    fn movement(judge: &mut AxisJudge, plan: &AxisPlan, speed: f64, more_a: f64, out: &mut Outbox) {
        let segment = Segment {
            regime: Regime::ConstantSpeed,
            forward: true,
            cycles: 180.0,
            measured_a: 180.0 * (1.0 + more_a),
            predicted_a: 180.0,
            velocity_m_per_s: 180.0 * speed,
            ..Segment::default()
        };
        judge.segment(plan, &[], &THRESHOLDS, &at(190), &segment, out);
        judge.movement_end(plan, &[], &THRESHOLDS, &at(200), out);
    }

    /// What is raised by movements at half the learnt speed with more friction, told to go at `told` (m/s) in so many looks; and how many
    /// of the five were left out.
    fn held_up(told: f64, looks: u32) -> (Vec<(Channel, Cause)>, u64) {
        let mut plan = plan();
        plan.slow.paces[Feature::ConstantPositive as usize] = Some(LEARNT);
        let (mut judge, mut out) = (AxisJudge::default(), Outbox::default());
        for _ in 0..5 {
            movement(&mut judge, &plan, 0.95, 0.0, &mut out);
        }
        for _ in 0..5 {
            for _ in 0..looks {
                judge.is_behind(Feature::ConstantPositive, told);
            }
            movement(&mut judge, &plan, 0.5, 0.2, &mut out);
        }
        let raised = core::iter::from_fn(|| out.pop())
            .filter(|event| event.state == EventState::Raised)
            .map(|event| (event.channel, event.cause));
        (raised.collect(), judge.not_judged().pace)
    }

    #[test]
    fn an_axis_that_is_held_up_is_judged_and_one_that_is_told_to_be_slow_is_not() {
        let found = vec![(Channel::CurrentLoad, Cause::FrictionIncreased)];
        assert_eq!(held_up(0.95, 20), (found.clone(), 0));
        // A loop around the drive asks for more the further it is behind.
        assert_eq!(held_up(8.0, 20), (found, 0));
        assert_eq!(held_up(0.65, 20), (vec![], 5));
        assert_eq!(held_up(0.95, 2), (vec![], 5));
        assert_eq!(held_up(0.0, 0), (vec![], 5));
    }

    #[test]
    fn what_held_an_axis_up_in_one_movement_says_nothing_of_the_next() {
        let mut plan = plan();
        plan.slow.paces[Feature::ConstantPositive as usize] = Some(LEARNT);
        let (mut judge, mut out) = (AxisJudge::default(), Outbox::default());
        movement(&mut judge, &plan, 0.95, 0.0, &mut out);
        for n in 0..2 {
            if n == 0 {
                for _ in 0..20 {
                    judge.is_behind(Feature::ConstantPositive, 0.95);
                }
            }
            movement(&mut judge, &plan, 0.5, 0.0, &mut out);
            assert_eq!(judge.not_judged().pace, n);
        }
    }

    #[test]
    fn a_reversal_in_a_mode_that_was_not_learnt_has_no_figure() {
        let plan = plan();
        let reading = |told| AxisReading {
            state: DriveState::OperationEnabled,
            told,
            ..AxisReading::default()
        };
        let reversal = |judge: &mut AxisJudge, rms_a: f64, out: &mut Outbox| {
            let segment = Segment {
                regime: Regime::Reversal,
                cycles: 30.0,
                innovation_square: rms_a * rms_a,
                ..Segment::default()
            };
            judge.segment(&plan, &[], &THRESHOLDS, &at(190), &segment, out);
            judge.movement_end(&plan, &[], &THRESHOLDS, &at(200), out);
            judge
                .ended
                .and_then(|(_, blocks)| blocks[Feature::Reversal as usize])
        };
        let (mut judge, mut out) = (AxisJudge::default(), Outbox::default());
        assert_eq!(reversal(&mut judge, 0.0, &mut out), None);
        assert!(reversal(&mut judge, 0.0, &mut out).is_some());
        // What the detectors held when the mode changed is what they hold.
        for _ in 0..20 {
            judge.count_mode(&reading(Told::Velocity));
            assert_eq!(reversal(&mut judge, 0.4, &mut out), None);
        }
        assert!(out.pop().is_none());
        assert_eq!(judge.not_judged().mode, 20);
        assert!(reversal(&mut judge, 0.0, &mut out).is_some());
    }
}
