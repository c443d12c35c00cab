//! Strokes of a press: from the samples of the cycle to one verdict per stroke, with the model's residual beside it.
//!
//! # Derivation
//! The force on the ram is what the measured current has beyond the motion: with `F = kf i` and the current that motion,
//! friction and gravity explain, `F_ram = kf (i_measured - i_motion)`. The window of `current_load` has both, smoothed over
//! the same triangle and for the same place, so the force over the travel is taken from there, and its residual is `kf` times
//! that of `current_load`: what is beyond motion **and** the part that the twin knows. A press without a twin, or a
//! recording that holds a force, is taken as it comes, and has no residual. At standstill friction takes any part of the
//! force, so nothing is taken then. The residual is that of the way in: of the way back the twin knows nothing.
//!
//! A stroke is judged in portions over the cycles after it: the cost of a cycle does not grow with the stroke.

use crate::event::{Detector, Event, EventState, Severity, Source, StrokeNok};
use crate::judge::Occasion;
use crate::outbox::Outbox;
use twinstep_models::cause::Cause;
use twinstep_models::channel::{Channel, Regime};
use twinstep_models::press::curve::{Curve, Point, Sampling};
use twinstep_models::press::evaluate::verdict::{Evaluation, Features, Verdict};
use twinstep_models::press::evaluate::{MAX_OBJECTS, Object, Outcome, Side, Unit, Violation};
use twinstep_models::press::frame::Frame;
use twinstep_models::press::stroke::{Segmenter, Step, StrokeParams, Totals};
use twinstep_models::sample::{Context, CycleStamp};

/// Points of a curve that are judged in one cycle.
pub const POINTS_PER_CYCLE: usize = 32;

/// How the strokes of one press are judged.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PressPlan {
    /// Its axis in the plan.
    pub axis: u16,
    /// Force per current (N/A); 1 where the recording holds a force.
    pub force_n_per_a: f64,
    /// The force is taken from `current_load`; else as it is measured.
    pub from_load: bool,
    /// The way in leads to larger (+1) or smaller (-1) positions.
    pub direction: f64,
    /// Below this velocity the ram stands (m/s).
    pub standstill_m_per_s: f64,
    /// Where strokes begin and end, in the direction of the way in.
    pub stroke: StrokeParams,
    /// Which points are kept.
    pub sampling: Sampling,
    /// What yields between drive and ram.
    pub frame: Frame,
    /// Its objects: first one in the plan's list.
    pub first_object: usize,
    /// Its objects: how many, at most [`MAX_OBJECTS`].
    pub objects: usize,
}

impl PressPlan {
    /// The objects of this press out of those of the plan.
    pub fn objects<'a>(&self, all: &'a [Object]) -> &'a [Object] {
        let end = self.first_object.saturating_add(self.objects);
        all.get(self.first_object..end).unwrap_or_default()
    }
}

/// One cycle of a press.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct PressSample {
    /// Position of the axis (m).
    pub position_m: f64,
    /// Velocity of the axis (m/s).
    pub velocity_m_per_s: f64,
    /// Force on the ram in the axis' direction (N).
    pub force_n: f64,
    /// Force that the twin expects of the part (N); none where it knows no part.
    pub predicted_n: Option<f64>,
}

/// The largest residual of a stroke.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct StrokeResidual {
    /// Where (m).
    pub position_m: f64,
    /// Measured there (N).
    pub measured_n: f64,
    /// Predicted there (N).
    pub predicted_n: f64,
}

impl StrokeResidual {
    /// Measured minus predicted (N).
    pub fn residual_n(&self) -> f64 {
        self.measured_n - self.predicted_n
    }
}

/// One judged stroke.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StrokeRecord {
    /// Number of the stroke since the start, from 1.
    pub stroke: u64,
    /// Cycle in which it was judged.
    pub stamp: CycleStamp,
    /// The press.
    pub source: Source,
    /// Recipe and part when it began.
    pub context: Context,
    /// The verdict.
    pub verdict: Verdict,
    /// Figures.
    pub features: Features,
    /// The largest residual; none where the twin knows no part.
    pub residual: Option<StrokeResidual>,
    /// What every object said; none where it is for another part.
    pub outcomes: [Option<Outcome>; MAX_OBJECTS],
}

/// State of one press.
#[derive(Clone, Debug, Default)]
pub struct StrokeJudge {
    segmenter: Segmenter,
    curve: Curve,
    evaluation: Evaluation,
    /// Of the stroke that is judged; the segmenter may be in the next one.
    totals: Totals,
    strokes: u64,
    context: Context,
    residual: Option<StrokeResidual>,
    raised: Option<(u8, Cause)>,
    finished: Option<StrokeRecord>,
}

impl StrokeJudge {
    /// Forgets the stroke in progress: after a gap.
    pub fn clear(&mut self) {
        self.segmenter.clear();
    }

    /// Takes the record of a stroke that was judged.
    pub fn take(&mut self) -> Option<StrokeRecord> {
        self.finished.take()
    }

    /// The curve of the stroke in progress, or of the last one until the next begins.
    pub fn curve(&self) -> &Curve {
        &self.curve
    }

    /// Takes in one cycle.
    pub fn push(
        &mut self,
        plan: &PressPlan,
        objects: &[Object],
        at: &Occasion,
        s: &PressSample,
        out: &mut Outbox,
    ) {
        let along = plan.direction * s.velocity_m_per_s;
        if plan.from_load && along * along < plan.standstill_m_per_s * plan.standstill_m_per_s {
            return;
        }
        let force_n = plan.direction * s.force_n;
        let point = Point {
            position_m: plan.frame.ram_m(plan.direction * s.position_m, force_n),
            force_n,
        };
        let (step, before) = self.segmenter.push(&plan.stroke, point);
        match step {
            Step::Idle => return,
            Step::Began => {
                // The buffer is needed now: what is left of the last stroke is judged at once.
                self.finish(plan, objects, at, out);
                self.curve.begin(plan.sampling);
                self.context = at.context;
                self.residual = None;
                self.strokes += 1;
                if let Some(before) = before {
                    self.curve.push(before);
                }
                self.curve.push(point);
            }
            Step::Goes(_) => self.curve.push(point),
            Step::Ended => {
                self.curve.end(point);
                let part = self.context.part;
                self.totals = *self.segmenter.totals();
                self.evaluation
                    .begin(objects, part, &self.curve, &self.totals);
            }
        }
        if let (Some(predicted_n), true) = (s.predicted_n, along > 0.0) {
            let new = StrokeResidual {
                position_m: point.position_m,
                measured_n: force_n,
                predicted_n: plan.direction * predicted_n,
            };
            let (r, most) = (
                new.residual_n(),
                self.residual.map_or(0.0, |r| r.residual_n()),
            );
            if self.residual.is_none() || r * r > most * most {
                self.residual = Some(new);
            }
        }
    }

    /// Judges a portion of a stroke that has ended.
    #[inline]
    pub fn judge(&mut self, plan: &PressPlan, objects: &[Object], at: &Occasion, out: &mut Outbox) {
        if self.evaluation.running() && self.evaluation.step(objects, &self.curve, POINTS_PER_CYCLE)
        {
            self.conclude(plan, objects, at, out);
        }
    }

    /// Judges all that is left of a stroke that has ended: at the end of a run, or when the next one begins.
    pub fn finish(
        &mut self,
        plan: &PressPlan,
        objects: &[Object],
        at: &Occasion,
        out: &mut Outbox,
    ) {
        if self.evaluation.running() {
            self.evaluation.step(objects, &self.curve, usize::MAX);
            self.conclude(plan, objects, at, out);
        }
    }

    fn conclude(&mut self, plan: &PressPlan, objects: &[Object], at: &Occasion, out: &mut Outbox) {
        let (verdict, features) = self.evaluation.finish(objects, &self.curve, &self.totals);
        let source = Source::Axis(plan.axis);
        let record = StrokeRecord {
            stroke: self.strokes,
            stamp: at.stamp,
            source,
            context: self.context,
            verdict,
            features,
            residual: self.residual,
            outcomes: *self.evaluation.outcomes(),
        };
        self.finished = Some(record);
        self.announce(&record, out);
    }

    /// NOK is raised with the first stroke, updated when another object or cause is the first one, cleared by an OK stroke.
    fn announce(&mut self, record: &StrokeRecord, out: &mut Outbox) {
        let now = record
            .verdict
            .first
            .map(|(object, v)| (object, cause_of(&v)));
        let state = match (self.raised, now) {
            (None, Some(_)) => EventState::Raised,
            (Some(before), Some(now)) if before != now => EventState::Updated,
            (Some(_), None) => EventState::Cleared,
            _ => return,
        };
        let cause = now
            .or(self.raised)
            .map_or(Cause::StrokeTravel, |(_, cause)| cause);
        self.raised = now;
        let peak = record.features.totals.peak;
        let (measured, predicted) = match record.residual {
            Some(r) => (r.measured_n, r.predicted_n),
            None => (peak.force_n, peak.force_n),
        };
        out.push(Event {
            cycle: record.stamp.cycle,
            time_ns: record.stamp.time_ns,
            source: record.source,
            channel: Channel::Stroke,
            state,
            detector: Detector::Evaluation,
            severity: Severity::Warning,
            measured,
            predicted,
            residual: measured - predicted,
            regime: Regime::Pressing,
            context: record.context,
            cause,
            causes: None,
            nok: record.verdict.first.map(|(object, violation)| StrokeNok {
                stroke: record.stroke,
                object,
                violation,
            }),
        });
    }
}

/// What a violation points to.
fn cause_of(v: &Violation) -> Cause {
    match (v.side, v.unit) {
        (Some(Side::Top), Unit::Newton | Unit::Joule | Unit::NewtonPerMetre) => {
            Cause::StrokeForceHigh
        }
        (Some(Side::Bottom), Unit::Newton | Unit::Joule | Unit::NewtonPerMetre) => {
            Cause::StrokeForceLow
        }
        _ => Cause::StrokeTravel,
    }
}

#[cfg(test)]
mod tests;
