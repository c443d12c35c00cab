//! What holds an axis at rest, judged while it stands: the mean current of the rest against that of healthy rests after a movement in the
//! same direction.
//!
//! Figures of one rest are alike, since static friction keeps what it took when the axis stopped ([`twinstep_models::rest`]). Summed up one by
//! one, a rest that happens to lie two standard deviations off would be an alarm after a minute. So a rest counts once in the CUSUM: its
//! latest figure takes the place of the one before, and the sum of the rests before it stays as it was. A load that grows while the axis
//! stands is raised in that rest, and cleared where it goes; one that is a little off in every rest adds up over them.
//!
//! What holds an axis creeps after each stop, so a figure is judged against healthy ones of the same stage. The sum goes on over all stages, in
//! standard deviations of the row in force. A stage that was not learnt is not judged.
//!
//! A rest is judged by the rows of the context that it has in common with the movement before it: friction is what that movement left, and the
//! load what is carried now. Where something that rows of the axis name changed in between, or nobody tells it, it is not judged.
//!
//! Lost frames change nothing of what friction took: the rest goes on behind them, is the same one, and as old as it is. The stretch that they
//! cut has no figure. A drive that was disabled, or an axis that was nowhere to be seen, was shaken, or was told to go on where it stood, stands
//! as nobody knows; it is judged again after its next movement.

use super::context::Rows;
use super::{AxisJudge, Occasion, facts};
use crate::outbox::Outbox;
use crate::plan::{AxisPlan, Baseline, ContextBases, Thresholds};
use twinstep_models::blocks::Feature;
use twinstep_models::channel::Regime;
use twinstep_models::detect::Cusum;
use twinstep_models::rank::{AtRest, Ranking, at_rest};
use twinstep_models::regime::{STILL, Segment};
use twinstep_models::rest::{RESTS, RestSum, Rested};
use twinstep_models::sample::Factors;

/// What a holding current may always be wrong by, relative to itself: the torque constant falls as the motor warms.
const MODEL_ERROR: f64 = 0.01;

/// One figure of a rest.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct RestFigure {
    /// The cycle in which it was known.
    pub cycle: u64,
    /// Number of the rest: figures of one rest have the same.
    pub rest: u64,
    /// Direction of the movement before.
    pub after: Rested,
    /// Stage of the rest.
    pub stage: u8,
    /// Mean of the measured current (A).
    pub hold_a: f64,
    /// The context of that movement and of the rest; what changed within the movement or since is unknown.
    pub context: Factors,
}

/// State of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub(super) struct Standstill {
    /// Direction of the latest movement; none: how the axis came to stand is not known.
    came: Option<Rested>,
    /// It has moved since the latest figure.
    moved: bool,
    /// Direction of what was seen to move last, and that something moved since a movement ended.
    seen: Option<Rested>,
    stirred: bool,
    /// The cycle before the first one of the rest.
    since: u64,
    /// Where the axis was told to be at the last look at the rest (m).
    target_m: Option<f64>,
    /// Rests that had figures.
    rests: u64,
    /// Where the figure in progress begins.
    mark: Option<RestSum>,
    /// Sums with the latest rest in them, and as they were before it.
    cusum: [Cusum; RESTS],
    before: Cusum,
    /// The latest figure, and how it differs from the healthy ones.
    latest: Option<RestFigure>,
    shift: Option<Shift>,
    /// What was told last of `current_load` was told of a rest.
    pub(super) told: bool,
}

/// A figure against the healthy ones.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
struct Shift {
    hold_a: f64,
    mean_a: f64,
    sigma_a: f64,
}

impl Standstill {
    /// Takes in what moved; rests change nothing.
    pub(super) fn see(&mut self, s: &Segment) {
        if matches!(s.regime, Regime::ConstantSpeed | Regime::Acceleration) {
            self.seen = Some(Rested::after(s.forward));
        }
        self.stirred |= !matches!(s.regime, Regime::Standstill | Regime::Settling);
    }

    /// The axis has come to rest in `cycle`, [`STILL`] of which it has stood, behind a whole movement with figures or another one. What shook and went nowhere, or was not seen from its
    /// start, leaves friction as nobody knows.
    pub(super) fn comes_to_rest(&mut self, whole: bool, cycle: u64) {
        if core::mem::take(&mut self.stirred) {
            self.since = cycle.saturating_sub(u64::from(STILL));
            self.target_m = None;
            self.came = self.seen.filter(|_| whole);
            self.moved |= whole;
        }
    }

    /// The largest sum.
    pub(super) fn evidence(&self) -> f64 {
        self.cusum.iter().fold(0.0, |most, cusum| {
            if cusum.largest() > most {
                cusum.largest()
            } else {
                most
            }
        })
    }

    /// Whether the latest figure deviates by itself.
    pub(super) fn speaks(&self, t: &Thresholds) -> bool {
        (self.shift).is_some_and(|s| (s.hold_a - s.mean_a).abs() > t.slack * s.sigma_a)
    }

    /// The latest figure that was judged, and the healthy one (A).
    pub(super) fn figures(&self) -> (f64, f64) {
        self.shift.map_or((0.0, 0.0), |s| (s.hold_a, s.mean_a))
    }

    /// What is healthy is another thing from now on.
    pub(super) fn renew(&mut self) {
        (self.cusum, self.before, self.shift) = Default::default();
    }

    /// Judges a figure.
    fn push(&mut self, figure: &RestFigure, base: &Baseline, t: &Thresholds) {
        let model_a = MODEL_ERROR * base.mean_a;
        let sigma_a = libm::sqrt(base.sigma_a * base.sigma_a + model_a * model_a);
        let cusum = &mut self.cusum[figure.after as usize];
        *cusum = self.before;
        cusum.push(
            (figure.hold_a - base.mean_a) / sigma_a,
            t.slack,
            t.threshold,
        );
        self.shift = Some(Shift {
            hold_a: figure.hold_a,
            mean_a: base.mean_a,
            sigma_a,
        });
    }

    /// The figure that ends here; none where there is none yet.
    fn figure(&mut self, cycle: u64, sum: &RestSum, context: Factors) -> Option<RestFigure> {
        let hold_a = self.mark.and_then(|mark| sum.mean_since(&mark));
        self.mark = Some(*sum);
        let (hold_a, after) = (hold_a?, self.came?);
        if core::mem::take(&mut self.moved) {
            self.rests = self.rests.wrapping_add(1);
            self.before = self.cusum[after as usize];
        }
        self.latest = Some(RestFigure {
            cycle,
            rest: self.rests,
            after,
            stage: sum.stage,
            hold_a,
            context,
        });
        self.latest
    }
}

impl AxisJudge {
    /// Age of the rest in `cycle` (cycles): lost frames do not make it younger.
    pub(crate) const fn rest_age(&self, cycle: u64) -> u64 {
        cycle.saturating_sub(self.standstill.since)
    }

    /// The axis rests, and is told to be there (m). How far that is from where it was told to be at the look before, lost frames in between or
    /// not (m).
    pub(crate) fn is_told(&mut self, target_m: f64) -> f64 {
        let before_m = self.standstill.target_m.replace(target_m);
        before_m.map_or(0.0, |before_m| (target_m - before_m).abs())
    }

    /// Nobody knows how the axis came to stand: it is not enabled, was not seen, or its reference goes on while it stands.
    pub(crate) const fn let_go(&mut self) {
        (self.standstill.came, self.standstill.mark) = (None, None);
    }

    /// The figure of a rest that was known in this cycle.
    pub fn rest_figure(&self, cycle: u64) -> Option<&RestFigure> {
        (self.standstill.latest.as_ref()).filter(|figure| figure.cycle == cycle)
    }

    /// The axis rests, and something of this rest begins or ends. `own` are the contexts in which the axis has baselines of its own.
    pub(crate) fn rest(
        &mut self,
        plan: &AxisPlan,
        own: &[ContextBases],
        t: &Thresholds,
        at: &Occasion,
        sum: &RestSum,
        out: &mut Outbox,
    ) {
        // What a press holds is its part.
        if plan.presses() {
            return;
        }
        let fresh = self.standstill.moved;
        let context = self.contexts.resting(at.context.factors());
        let Some(figure) = (self.standstill).figure(at.stamp.cycle, sum, context) else {
            return;
        };
        if self.warms(t.warm_up.as_ref(), at.stamp.cycle) {
            return;
        }
        let rows = Rows::of(own, figure.context);
        if matches!(rows, Rows::Between) {
            return;
        }
        let calibrated = rows.bases(plan);
        let bases = self.renewal.bases(rows.number(), calibrated);
        if fresh {
            (self.renewal).learn_rest(rows.number(), &figure, &calibrated);
        }
        let stages = &bases.standstill[figure.after as usize];
        if let Some(base) = stages.get(usize::from(figure.stage)).copied().flatten() {
            self.standstill.push(&figure, &base, t);
            self.decide(plan, t, at, None, out);
        }
    }

    /// The causes behind the latest rest that was judged.
    pub(super) fn behind_rest(&self, plan: &AxisPlan) -> Option<Ranking> {
        let shift = self.standstill.shift?;
        let friction_a = [Feature::ConstantPositive, Feature::ConstantNegative]
            .map(|feature| self.last[feature as usize].friction_a.abs());
        let rest = AtRest {
            shift_a: shift.hold_a - shift.mean_a,
            sigma_a: shift.sigma_a,
            healthy_a: shift.mean_a,
            friction_a: friction_a[0].max(friction_a[1]),
            carries_weight: plan.carries_weight,
        };
        Some(at_rest(&rest, &facts(plan)))
    }
}

#[cfg(test)]
#[path = "standstill_tests.rs"]
mod tests;
