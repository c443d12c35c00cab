//! Strokes of a press: from the samples of the cycle to one verdict per stroke, with the model's residual beside it.
//!
//! # Derivation
//! The force on the ram is what the measured current has beyond the motion: with `F = kf i` and the current that motion,
//! friction and gravity explain, `F_ram = kf (i_measured - i_motion)`. The window of `current_load` has both, smoothed over
//! the same triangle and for the same place, so the force over the travel is taken from there, and its residual is `kf` times
//! that of `current_load`: what is beyond motion **and** the part that the twin knows. A press without a twin tells the
//! force from its current as it is, a recording that holds a force as it comes; both have no residual. At standstill
//! friction takes any part of a current's force, so nothing is taken then. The residual is that of the way in: of the way
//! back the twin knows nothing.
//!
//! Behind a crank or a table the ram is not where the axis is, and the force is that of the axis over the Jacobian
//! ([`mod@twinstep_models::press::ram`]). With a twin there the losses of ram and part are explained with the motion, and what was not predicted goes
//! through the same losses. Where that is not known, near a dead centre, the sample is left out and counted: the
//! curve has a hole there, and no object sees a force that nobody measured.
//!
//! A stroke may be given a zero of its own ([`mod@twinstep_models::press::tare`]). It is known before the part is met and
//! applied when the stroke ends, to all of it alike.
//!
//! A stroke is judged in portions over the cycles after it: the cost of a cycle does not grow with the stroke.

mod cause;
mod copy;
mod linked;

use crate::event::{Detector, Event, EventState, Severity, Source, StrokeNok};
use crate::judge::Occasion;
use crate::outbox::Outbox;
use twinstep_models::cause::Cause;
use twinstep_models::channel::{Channel, Regime};
use twinstep_models::press::curve::{Curve, Point, Sampling};
use twinstep_models::press::evaluate::verdict::{Evaluation, Features, Verdict};
use twinstep_models::press::evaluate::{MAX_OBJECTS, Object, Outcome};
use twinstep_models::press::frame::{ForceUnknown, Frame};
use twinstep_models::press::ram::Ram;
use twinstep_models::press::stroke::{Segmenter, Step, StrokeParams, Totals};
use twinstep_models::press::tare::{Tare, TareParams, TareSum};
use twinstep_models::sample::{Context, CycleStamp};

/// Points of a curve that are judged in one cycle.
pub const POINTS_PER_CYCLE: usize = 32;

/// Where the force on the ram is taken from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ForceFrom {
    /// What the current has beyond the motion that the twin explains: `current_load`.
    Load,
    /// The measured current as it is: a press without a twin.
    Current,
    /// A force on the ram that is measured itself.
    Sensor,
}

impl ForceFrom {
    /// The stable word.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Load => "load",
            Self::Current => "current",
            Self::Sensor => "sensor",
        }
    }
}

/// How the strokes of one press are judged.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PressPlan {
    /// Its axis in the plan.
    pub axis: u16,
    /// Where its force is taken from.
    pub force: ForceFrom,
    /// From the axis to the ram.
    pub ram: Ram,
    /// The way in leads to larger (+1) or smaller (-1) positions.
    pub direction: f64,
    /// Below this velocity the axis stands (m/s).
    pub standstill_m_per_s: f64,
    /// Where strokes begin and end, in the direction of the way in.
    pub stroke: StrokeParams,
    /// Which points are kept.
    pub sampling: Sampling,
    /// What yields between drive and ram.
    pub frame: Frame,
    /// The free part of the way in whose mean force is the zero of a stroke; none: it has no zero of its own.
    pub tare: Option<TareParams>,
    /// Its objects: first one in the plan's list.
    pub first_object: usize,
    /// Its objects: how many, at most [`MAX_OBJECTS`].
    pub objects: usize,
}

impl PressPlan {
    /// A cycle from a current (A) and, where the twin knows a part, the share of it that the part explains (A).
    #[inline]
    pub fn of_current(
        &self,
        axis_m: f64,
        axis_m_per_s: f64,
        current_a: f64,
        part_a: Option<f64>,
    ) -> PressSample {
        let travel = self.ram.travel(axis_m);
        let force = |current_a| self.ram.force_at_n(current_a, travel, axis_m_per_s);
        PressSample {
            predicted_n: part_a.and_then(|part_a| force(part_a).ok()),
            ..self.sample(travel, axis_m_per_s, force(current_a))
        }
    }

    /// The axis stands at this velocity (m/s), and its current says nothing of the force. A force that is measured itself
    /// does.
    #[inline]
    pub fn stands(&self, axis_m_per_s: f64) -> bool {
        self.force != ForceFrom::Sensor
            && axis_m_per_s * axis_m_per_s < self.standstill_m_per_s * self.standstill_m_per_s
    }

    /// A cycle with a force on the ram that is measured itself (N).
    #[inline]
    pub fn of_force(&self, axis_m: f64, axis_m_per_s: f64, force_n: f64) -> PressSample {
        self.sample(self.ram.travel(axis_m), axis_m_per_s, Ok(force_n))
    }

    fn sample(
        &self,
        (position_m, per_way): (f64, f64),
        axis_m_per_s: f64,
        force_n: Result<f64, ForceUnknown>,
    ) -> PressSample {
        PressSample {
            position_m,
            velocity_m_per_s: per_way * axis_m_per_s,
            stands: self.stands(axis_m_per_s),
            force_n,
            predicted_n: None,
        }
    }

    /// The objects of this press out of those of the plan.
    pub fn objects<'a>(&self, all: &'a [Object]) -> &'a [Object] {
        let end = self.first_object.saturating_add(self.objects);
        all.get(self.first_object..end).unwrap_or_default()
    }
}

/// One cycle of a press.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PressSample {
    /// Position of the ram behind a rigid frame (m).
    pub position_m: f64,
    /// Velocity of the ram (m/s).
    pub velocity_m_per_s: f64,
    /// The axis stands, and its current says nothing of the force.
    pub stands: bool,
    /// Force on the ram in its direction (N), or why it is not known.
    pub force_n: Result<f64, ForceUnknown>,
    /// Force that the twin expects of the part (N); none where it knows no part.
    pub predicted_n: Option<f64>,
}

/// The largest residual of a stroke.
#[derive(Clone, Copy, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
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
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
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
    /// The zero of the stroke.
    pub tare: Tare,
    /// Samples without a force, and why the first of them had none; none: every force was known.
    pub unknown: Option<(u32, ForceUnknown)>,
    /// What every object said; none where it is for another part or recipe.
    pub outcomes: [Option<Outcome>; MAX_OBJECTS],
}

/// What stays of a stroke while it is judged.
#[derive(Clone, Copy, Debug, Default, serde::Serialize, serde::Deserialize)]
struct Judged {
    totals: Totals,
    residual: Option<StrokeResidual>,
    /// What all of the way in shares of the residual (N).
    common_n: f64,
    tare: Tare,
    unknown: Option<(u32, ForceUnknown)>,
}

/// State of one press.
#[derive(Clone, Debug, Default, serde::Serialize, serde::Deserialize)]
pub struct StrokeJudge {
    segmenter: Segmenter,
    curve: Curve,
    evaluation: Evaluation,
    /// Of the stroke that is judged; the segmenter may be in the next one.
    judged: Judged,
    strokes: u64,
    context: Context,
    /// The smallest and the largest residual so far: one of them is the largest in size, wherever the zero is.
    residuals: Option<[StrokeResidual; 2]>,
    sum: TareSum,
    unknown: Option<(u32, ForceUnknown)>,
    raised: Option<(u8, Cause)>,
    finished: Option<StrokeRecord>,
}

impl StrokeJudge {
    /// Forgets the stroke in progress: after a gap.
    pub fn clear(&mut self) {
        self.segmenter.clear();
        self.sum = TareSum::default();
    }

    /// Takes the record of a stroke that was judged.
    pub fn take(&mut self) -> Option<StrokeRecord> {
        self.finished.take()
    }

    /// The stroke that was judged and not taken yet.
    #[inline]
    pub fn judged(&self) -> Option<&StrokeRecord> {
        self.finished.as_ref()
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
        if s.stands {
            return;
        }
        let force_n = match s.force_n {
            Ok(force_n) => plan.direction * force_n,
            Err(reason) => {
                if self.segmenter.in_stroke() {
                    let (before, first) = self.unknown.unwrap_or((0, reason));
                    self.unknown = Some((before.saturating_add(1), first));
                }
                return;
            }
        };
        let point = Point {
            position_m: plan.frame.ram_m(plan.direction * s.position_m, force_n),
            force_n,
        };
        let (step, before) = self.segmenter.push(&self.params(plan), point);
        match step {
            Step::Idle => return,
            Step::Began => {
                // The buffer is needed now: what is left of the last stroke is judged at once.
                self.finish(plan, objects, at, out);
                self.curve.begin(plan.sampling);
                self.context = at.context;
                (self.residuals, self.unknown) = (None, None);
                self.strokes += 1;
                if let Some(before) = before {
                    self.curve.push(before);
                }
                self.curve.push(point);
            }
            Step::Goes(_) => self.curve.push(point),
            Step::Ended => {
                self.ended(plan, objects, point);
                return;
            }
        }
        if let Some(params) = &plan.tare {
            self.sum.push(params, point.position_m, force_n);
        }
        let along = plan.direction * s.velocity_m_per_s;
        if let (Some(predicted_n), true) = (s.predicted_n, along > 0.0) {
            self.residual(StrokeResidual {
                position_m: point.position_m,
                measured_n: force_n,
                predicted_n: plan.direction * predicted_n,
            });
        }
    }

    /// How the stroke is cut: the force of contact counts from the zero, and before that is known there is no contact.
    #[inline]
    fn params(&self, plan: &PressPlan) -> StrokeParams {
        let Some(tare) = &plan.tare else {
            return plan.stroke;
        };
        let contact_n = if self.sum.left() {
            plan.stroke.contact_n + self.sum.tare(tare).force_n()
        } else {
            f64::INFINITY
        };
        StrokeParams {
            contact_n,
            ..plan.stroke
        }
    }

    fn residual(&mut self, new: StrokeResidual) {
        let [least, most] = self.residuals.get_or_insert([new; 2]);
        if new.residual_n() < least.residual_n() {
            *least = new;
        } else if new.residual_n() > most.residual_n() {
            *most = new;
        }
    }

    /// The stroke ended with `point`: its zero is applied to all of it, and its judging begins.
    fn ended(&mut self, plan: &PressPlan, objects: &[Object], point: Point) {
        self.curve.end(point);
        let zero = core::mem::take(&mut self.sum);
        let mut judged = Judged {
            totals: *self.segmenter.totals(),
            residual: self.largest_residual(0.0, 0.0),
            common_n: self.common_n(0.0),
            tare: plan.tare.as_ref().map_or(Tare::Off, |p| zero.tare(p)),
            unknown: self.unknown,
        };
        if let Tare::Taken(zero_n) = judged.tare {
            // With less force on it the frame has yielded less: the ram is further.
            let further_m = plan.frame.ram_m(0.0, -zero_n);
            let first_m = (self.curve.points().first()).map_or(point.position_m, |p| p.position_m);
            judged.totals = judged
                .totals
                .moved(zero_n, further_m, first_m, point.position_m);
            judged.residual = self.largest_residual(zero_n, further_m);
            judged.common_n = self.common_n(zero_n);
            self.curve.move_zero(zero_n, further_m);
        }
        self.judged = judged;
        self.evaluation
            .begin(objects, self.context, &self.curve, &judged.totals);
    }

    /// The largest residual in size, with the zero of the force at `zero_n` and every place further by `further_m`.
    fn largest_residual(&self, zero_n: f64, further_m: f64) -> Option<StrokeResidual> {
        let [least, most] = self.residuals?.map(|r| StrokeResidual {
            position_m: r.position_m + further_m,
            measured_n: r.measured_n - zero_n,
            ..r
        });
        let (a, b) = (least.residual_n(), most.residual_n());
        Some(if a * a > b * b { least } else { most })
    }

    /// What all of the way in shares of the residual (N), with the zero of the force at `zero_n`.
    fn common_n(&self, zero_n: f64) -> f64 {
        let [least, most] = self
            .residuals
            .map_or([0.0; 2], |both| both.map(|r| r.residual_n() - zero_n));
        if least > 0.0 {
            least
        } else if most < 0.0 {
            most
        } else {
            0.0
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
        let (verdict, features) = self
            .evaluation
            .finish(objects, &self.curve, &self.judged.totals);
        let source = Source::Axis(plan.axis);
        let record = StrokeRecord {
            stroke: self.strokes,
            stamp: at.stamp,
            source,
            context: self.context,
            verdict,
            features,
            residual: self.judged.residual,
            tare: self.judged.tare,
            unknown: self.judged.unknown,
            outcomes: *self.evaluation.outcomes(),
        };
        self.finished = Some(record);
        self.announce(&record, self.judged.common_n, out);
    }

    /// NOK is raised with the first stroke, updated when another object or cause is the first one, cleared by an OK stroke.
    fn announce(&mut self, record: &StrokeRecord, common_n: f64, out: &mut Outbox) {
        let now = record
            .verdict
            .first
            .map(|(object, v)| (object, cause::cause_of(&v)));
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
        let (measured, predicted) = match record.residual {
            Some(r) => (r.measured_n, r.predicted_n),
            // Without a twin, or of a part that it does not know, nothing was predicted.
            None => (record.features.totals.peak.force_n, f64::NAN),
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
            subdevice: None,
            causes: cause::behind(record, common_n),
            nok: record.verdict.first.map(|(object, violation)| StrokeNok {
                stroke: record.stroke,
                object,
                violation,
                tare: record.tare,
            }),
        });
    }
}

#[cfg(test)]
mod tests;
