//! Judges one axis: limits on the one-cycle innovations, CUSUMs on the features of `current_load`, states.
//!
//! A deviation is raised once, updated when its likeliest cause changes, and cleared when the evidence is gone (hysteresis).
//! Reversals are judged on `current_next`: a gap surprises the prediction and leaves the load as it is. One deviation of `current_next` holds
//! both its detectors and those of the reversals.

mod context;
mod innovation;
mod not_judged;
mod occasion;
mod renewal;
mod slow;
mod standstill;
mod states;
mod warm_up;

use context::{Contexts, Rows};
pub use innovation::Innovation;
use innovation::Next;
use not_judged::Behind;
pub use not_judged::NotJudged;
pub use occasion::Occasion;
pub use renewal::MOVEMENTS as RENEWAL_MOVEMENTS;
use renewal::{Bases, Renewal};
pub use slow::DIRECTIONS;
use slow::Slow;
pub use standstill::RestFigure;
use standstill::Standstill;
pub use warm_up::WarmUp;
pub(crate) use warm_up::Warmth;

use crate::coasting::Coasting;
use crate::drift::{DriftJudge, Ended};
use crate::event::{Detector, Event, EventState, Severity};
use crate::outbox::Outbox;
use crate::plan::{AxisPlan, Baseline, ContextBases, NEXT, Thresholds};
use twinstep_models::abrupt;
use twinstep_models::blocks::{Block, Blocks, FEATURES, Feature};
use twinstep_models::cause::Cause;
use twinstep_models::channel::{Channel, Regime};
use twinstep_models::detect::Cusum;
use twinstep_models::evidence::{Calibrated, Evidence, Gather};
use twinstep_models::held::Held;
use twinstep_models::rank::{Facts, Ranking, Shift, rank_with};
use twinstep_models::regime::Segment;

/// Place of the current among the innovations.
const CURRENT: usize = 2;
/// Cycles below half the limit after which a fast limit is cleared.
pub const CALM_CYCLES: u32 = 200;
/// Weight of the newest movement in the shift of a feature.
const NEWEST: f64 = 0.5;
/// Change of a feature from movement to movement that is a step (standard deviations).
const STEP: f64 = 5.0;
/// Error of the model that may always be there, relative to the current it explains: warm-up of friction, part spread.
const MODEL_ERROR: [f64; FEATURES] = [0.03, 0.03, 0.01, 0.10, 0.04];

/// What the model may always be wrong by (A).
fn model_error(feature: Feature, block: &Block, mean_a: f64) -> f64 {
    let explained = match feature {
        Feature::ConstantPositive | Feature::ConstantNegative => block.friction_a,
        Feature::Reversal => mean_a,
        Feature::Acceleration => block.inertial_a,
        Feature::Pressing => block.contact_a,
    };
    MODEL_ERROR[feature as usize] * explained
}

/// What is calibrated of the axis that a ranking needs.
fn facts(plan: &AxisPlan) -> Facts {
    Facts {
        gravity_a: plan.gravity_a,
        inertia: plan.inertia,
    }
}

/// State of the judging of one axis.
#[derive(Clone, Copy, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct AxisJudge {
    /// The observer while it is not in steady state.
    pub coasting: Coasting,
    /// Features of the latest movement and the cycle in which it ended.
    pub ended: Option<(u64, [Option<Block>; FEATURES])>,
    /// The latest movement's largest deviation from its healthy mean (standard deviations), for display.
    pub latest_sigma: f64,
    blocks: Blocks,
    cusum: [Cusum; FEATURES],
    shifts: [Shift; FEATURES],
    /// The latest figure of every feature.
    last: [Block; FEATURES],
    load_cause: Option<Cause>,
    backlash_raised: bool,
    next: [Next; NEXT],
    /// The causes behind the features while these deviate.
    known: Option<Ranking>,
    /// The measured position jumped in this movement.
    jumped: bool,
    /// A surprise of the position in the cycle before: which cycle, and how far (m).
    hop: Option<(u64, f64)>,
    /// What the drive has pushed since a surprise.
    held: Option<Held>,
    beside: Gather,
    drift: DriftJudge,
    slow: Slow,
    standstill: Standstill,
    renewal: Renewal,
    not_judged: NotJudged,
    behind: Behind,
    warmth: Warmth,
    contexts: Contexts,
    /// The movement in progress has been in a mode in which innovations are not judged.
    unlearnt_mode: bool,
    fault_raised: bool,
    rest_m: Option<f64>,
    rest_cycles: u32,
    moved_raised: bool,
}

impl AxisJudge {
    /// Forgets the movement in progress: after a start, a gap, or while the axis is not enabled.
    pub fn forget(&mut self) {
        self.blocks.clear();
        self.beside.clear();
        (self.behind, self.unlearnt_mode) = (Behind::default(), false);
        self.contexts.forget();
        self.held = None;
    }

    /// Whether the next cycle must be looked at even if nothing is beyond a threshold in it.
    pub fn watched(&self) -> bool {
        self.next.iter().any(|next| next.raised.is_some())
            || self.fault_raised
            || self.moved_raised
            || self.rest_m.is_some()
            || self.rest_cycles > 0
    }

    /// A free run of the axis has ended that counts.
    pub fn drifted(
        &mut self,
        plan: &AxisPlan,
        t: &Thresholds,
        at: &Occasion,
        ended: &Ended,
        out: &mut Outbox,
    ) {
        self.warm(t.warm_up.as_ref(), at.stamp.cycle);
        if let Some(limit_m) = plan.drift_limit_m
            && !self.warms(t.warm_up.as_ref(), at.stamp.cycle)
        {
            let rank = || self.behind_drift(plan, ended, limit_m);
            let mut drift = self.drift;
            drift.push(limit_m, at, ended, rank, out);
            self.drift = drift;
        }
    }

    /// The causes of a drift: what the features say where they deviate, else what the run itself says.
    fn behind_drift(&self, plan: &AxisPlan, ended: &Ended, limit_m: f64) -> Ranking {
        // What a rest alone has raised says nothing of a movement.
        if self.load_cause.is_some() && !self.standstill.told {
            return rank_with(&self.shifts, &facts(plan), &self.beside.evidence());
        }
        let (Some(f), Some(inertia), false) = (ended.feature(), plan.inertia, self.jumped) else {
            return abrupt::rank(ended.regime, self.jumped, plan.carries_weight);
        };
        let last = &self.last[f];
        if last.friction_a == 0.0 {
            // No movement in this direction has said yet what is expected of it.
            return abrupt::rank(ended.regime, self.jumped, plan.carries_weight);
        }
        let like = Shift {
            friction_a: last.friction_a,
            inertial_a: last.inertial_a,
            ..Shift::default()
        };
        let mut shifts = [Shift::default(); FEATURES];
        shifts[f] = ended.shift(limit_m, inertia, &like);
        rank_with(&shifts, &facts(plan), &Evidence::default())
    }

    /// A segment of `current_load` has ended. `own` are the contexts in which the axis has baselines of its own.
    pub fn segment(
        &mut self,
        plan: &AxisPlan,
        own: &[ContextBases],
        t: &Thresholds,
        at: &Occasion,
        segment: &Segment,
        out: &mut Outbox,
    ) {
        self.blocks.add(segment);
        self.beside.add(segment);
        self.standstill.see(segment);
        self.contexts.see(at.context.factors());
        // What a press holds is its part.
        // A cold axis holds with more friction than it will.
        if segment.regime == Regime::Standstill
            && !plan.presses()
            && self.contexts.hold_alike(own, at.context.factors())
            && !self.warms(t.warm_up.as_ref(), at.stamp.cycle)
        {
            let healthy = self.healthy();
            if self.beside.rest(segment, healthy) && self.load_cause.is_some() {
                self.decide(plan, t, at, None, out);
            }
        }
    }

    /// Nothing deviates.
    fn healthy(&self) -> bool {
        self.load_cause.is_none()
            && !self.backlash_raised
            && !self.jumped
            && self.next.iter().all(|next| next.raised.is_none())
    }

    /// A movement has ended: judges its features. `own` are the contexts in which the axis has baselines of its own.
    pub fn movement_end(
        &mut self,
        plan: &AxisPlan,
        own: &[ContextBases],
        t: &Thresholds,
        at: &Occasion,
        out: &mut Outbox,
    ) {
        let context = self.contexts.end(at.context.factors());
        let Some(mut blocks) = self.blocks.end() else {
            self.standstill.comes_to_rest(false, at.stamp.cycle);
            (self.behind, self.unlearnt_mode) = (Behind::default(), false);
            return;
        };
        // What shakes and goes nowhere has no figure.
        let whole = blocks.iter().any(Option::is_some);
        self.standstill.comes_to_rest(whole, at.stamp.cycle);
        if whole {
            self.warm(t.warm_up.as_ref(), at.stamp.cycle);
        }
        self.leave_out_reversal(&mut blocks);
        self.ended = Some((at.stamp.cycle, blocks));
        let rows = Rows::of(own, context);
        let left_out = if self.warms(t.warm_up.as_ref(), at.stamp.cycle) {
            self.leave_out_cold(&mut blocks);
            true
        } else {
            let unlearnt = self.leave_out_unlearnt(plan, own, &rows, &mut blocks);
            self.leave_out(plan, &rows, &mut blocks) || unlearnt
        };
        for (last, block) in self.last.iter_mut().zip(&blocks) {
            if let Some(block) = block {
                *last = *block;
            }
        }
        self.latest_sigma = 0.0;
        if self.renewal.begins() {
            self.renew(at, out);
        }
        if core::mem::take(&mut self.jumped) {
            // The encoder did not say where the axis was: nothing else can be told of this movement.
            self.beside.clear();
            return;
        }
        let bases = self.renewal.bases(rows.number(), rows.bases(plan));
        self.renewal.learn(rows.number(), &blocks);
        let friction_a = [1, 0].map(|f: usize| blocks[f].map(|block| block.friction_a));
        let calibrated = Calibrated {
            viscous: plan.viscous,
            constant_a: [1, 0].map(|f: usize| bases.load[f].map(|b| (b.mean_a, b.sigma_a))),
        };
        let healthy = self.healthy();
        if left_out || self.contexts.is_another(own, context) {
            self.beside.clear();
        } else {
            self.beside.end(&calibrated, &friction_a, healthy);
        }
        let mut stepped = false;
        for feature in Feature::ALL {
            let f = feature as usize;
            if let (Some(block), Some(base)) = (blocks[f], bases.load[f]) {
                stepped |= self.judge_feature(feature, &block, base.mean_a, base.sigma_a, t);
            }
        }
        if stepped {
            self.beside.stepped();
            // What was not seen in this movement, such as the other direction, is of the time before.
            for (shift, block) in self.shifts.iter_mut().zip(&blocks) {
                if block.is_none() {
                    *shift = Shift::default();
                }
            }
        }
        self.pressed(plan, &bases, at, &blocks, stepped);
        let f = Feature::Reversal as usize;
        let reversal = blocks[f].zip(bases.load[f]);
        self.slow.push(&bases, t, &blocks);
        let told = self.decide(plan, t, at, reversal, out);
        self.slow.tell(&bases, t, at, told, out);
    }

    /// What a stroke says of the part that was met, and of what gave way behind it.
    fn pressed(
        &mut self,
        plan: &AxisPlan,
        bases: &Bases,
        at: &Occasion,
        blocks: &[Option<Block>; FEATURES],
        stepped: bool,
    ) {
        let f = Feature::Pressing as usize;
        let (Some(block), Some(base), Some(contact)) =
            (blocks[f], bases.load[f], plan.contact(at.context))
        else {
            return;
        };
        if block.contact_a > 0.0 {
            let share = 1.0 + (block.residual_a - base.mean_a) / block.contact_a;
            let (part, k) = (at.context.part, contact.stiffness_a_per_m);
            self.beside.pressed(part, k, share, stepped);
        }
    }

    /// Returns whether the feature has stepped.
    fn judge_feature(
        &mut self,
        feature: Feature,
        block: &Block,
        mean_a: f64,
        sigma_a: f64,
        t: &Thresholds,
    ) -> bool {
        let f = feature as usize;
        let model_a = model_error(feature, block, mean_a);
        let sigma = libm::sqrt(sigma_a * sigma_a + model_a * model_a);
        let shift = block.residual_a - mean_a;
        let z = shift / sigma;
        if z * z > self.latest_sigma * self.latest_sigma {
            self.latest_sigma = z;
        }
        self.cusum[f].push(z, t.slack, t.threshold);
        let old = &self.shifts[f];
        // What is far beyond the noise is a step: half of it would name a smaller one.
        let seen = old.sigma_a > 0.0;
        let stepped = seen && (shift - old.shift_a).abs() > STEP * sigma;
        let weight = if seen && !stepped { NEWEST } else { 1.0 };
        self.shifts[f] = Shift {
            shift_a: old.shift_a + weight * (shift - old.shift_a),
            sigma_a: sigma,
            friction_a: block.friction_a,
            inertial_a: block.inertial_a,
            contact_a: block.contact_a,
            healthy_a: mean_a,
        };
        stepped
    }

    /// A gap shows at reversals alone, as a surprise; other causes that surprise are named by the load.
    fn decide_backlash(
        &mut self,
        t: &Thresholds,
        at: &Occasion,
        reversal: Option<(Block, Baseline)>,
        ranking: &Ranking,
        out: &mut Outbox,
    ) {
        let Some((block, base)) = reversal else {
            return;
        };
        let evidence = self.cusum[Feature::Reversal as usize].up;
        let state = match self.backlash_raised {
            false if evidence > t.threshold && ranking.first() == Cause::Backlash => {
                EventState::Raised
            }
            true if evidence < 0.5 * t.threshold => EventState::Cleared,
            _ => return,
        };
        self.backlash_raised = state == EventState::Raised;
        let current = &mut self.next[CURRENT];
        let state = match (&mut current.raised, state) {
            (Some(told), EventState::Raised) if told.cause != Cause::Backlash => {
                told.cause = Cause::Backlash;
                EventState::Updated
            }
            // The deviation is there already, and goes on.
            (Some(_), _) => return,
            (None, state) => state,
        };
        out.push(Event {
            causes: (state != EventState::Cleared).then_some(*ranking),
            ..at.event(
                Channel::CurrentNext,
                state,
                Detector::Cusum,
                Severity::Warning,
                block.measured_a,
                base.mean_a,
                Regime::Reversal,
                Cause::Backlash,
            )
        });
    }

    /// Returns the ranking, where one was asked for, and whether the latest movement deviates.
    fn decide(
        &mut self,
        plan: &AxisPlan,
        t: &Thresholds,
        at: &Occasion,
        reversal: Option<(Block, Baseline)>,
        out: &mut Outbox,
    ) -> Option<(Ranking, bool)> {
        let at_rest = self.standstill.evidence();
        let still = (self.cusum.iter()).all(|cusum| cusum.largest() <= t.threshold)
            && !self.backlash_raised
            && !self.slow.asks(t);
        if still && at_rest <= t.threshold && self.load_cause.is_none() {
            // The common case has nothing to be ranked.
            self.known = None;
            self.explain(at, out);
            return None;
        }
        // What holds it at rest is asked where its movements say nothing.
        let ranking = (self.behind_rest(plan))
            .filter(|_| still && at_rest > t.threshold)
            .unwrap_or_else(|| rank_with(&self.shifts, &facts(plan), &self.beside.evidence()));
        let cause = ranking.first();
        self.decide_backlash(t, at, reversal, &ranking, out);
        let mut worst = Feature::ConstantPositive;
        for feature in Feature::ALL {
            if feature != Feature::Reversal
                && self.cusum[feature as usize].largest() > self.cusum[worst as usize].largest()
            {
                worst = feature;
            }
        }
        let moving = self.cusum[worst as usize].largest();
        let evidence = at_rest.max(moving);
        // Where it has gone, it is where it was told.
        let rests = if evidence > 0.5 * t.threshold {
            at_rest > moving
        } else {
            self.standstill.told
        };
        // Sums outlast what has gone: then there is nothing left to be named.
        let speaks = self.latest_sigma.abs() > t.slack || (rests && self.standstill.speaks(t));
        let beyond = evidence > t.threshold || self.backlash_raised;
        self.known = (speaks && beyond).then_some(ranking);
        self.explain(at, out);
        let state = match self.load_cause {
            None if evidence > t.threshold => EventState::Raised,
            Some(_) if evidence < 0.5 * t.threshold => EventState::Cleared,
            Some(old) if old != cause && evidence > t.threshold && speaks && ranking.is_sure() => {
                EventState::Updated
            }
            _ => return Some((ranking, speaks)),
        };
        let told = if state == EventState::Cleared {
            self.load_cause.unwrap_or(cause)
        } else {
            cause
        };
        self.load_cause = if state == EventState::Cleared {
            None
        } else {
            Some(cause)
        };
        self.standstill.told = rests;
        // The figures are those of the feature with the most evidence, in the direction of the movement.
        let block = self.last[worst as usize];
        let of_movement = (block.measured_a, block.measured_a - block.residual_a);
        let ((measured, predicted), regime) = match rests {
            true => (self.standstill.figures(), Regime::Standstill),
            false => (of_movement, worst.regime()),
        };
        out.push(Event {
            causes: (state != EventState::Cleared).then_some(ranking),
            ..at.event(
                Channel::CurrentLoad,
                state,
                Detector::Cusum,
                Severity::Warning,
                measured,
                predicted,
                regime,
                told,
            )
        });
        Some((ranking, speaks))
    }
}

#[cfg(test)]
mod drift_tests;
#[cfg(test)]
mod held_tests;
#[cfg(test)]
mod slow_tests;
#[cfg(test)]
mod tests;
