//! Sections: some of a pipeline's lanes with all that belongs to them, which another core may work on.
//!
//! A section is a value that moves. Whoever works on it owns it, so that no lane is ever touched from two sides, and nothing
//! here is shared, locked or unsafe. The pipeline gives its sections to a [`Crew`] for each stage of the cycle and has them back
//! before it goes on; one that does not come back is absent from then on, and its axes answer nothing instead of something old.
//!
//! Every section has an outbox of its own. They are emptied in the order of the lanes, so that events, and with them the
//! digest, are those of a pipeline in one piece, whoever was done first.

mod all;

pub(crate) use all::Sections;
pub use all::lanes_each;

use crate::health::{AxisHealth, HealthSample};
use crate::judge::AxisJudge;
use crate::lanes::{Compare, Correct, LaneState, Predict};
use crate::outbox::Outbox;
use crate::plan::Plan;
use twinstep_models::lane::LANES;
use twinstep_models::sample::{AxisReading, Context, CycleStamp, Missing};

/// Most sections of a pipeline: two for each of sixteen cores.
pub const MAX_SECTIONS: usize = 32;

/// What is done to every lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Models are advanced to the sample that is about to arrive.
    Predict,
    /// The samples are compared with the predictions.
    Compare,
    /// Observers take the samples in.
    Correct,
    /// Health is tracked.
    Track,
}

/// A stage of one cycle, the same for all sections.
#[derive(Clone, Copy, Debug)]
pub struct Order<'s> {
    /// What is to be done.
    pub stage: Stage,
    /// The cycle; of no matter for [`Stage::Predict`]. Not copied from stage to stage: what was just written in pieces is slow to be
    /// read in one.
    pub stamp: &'s CycleStamp,
    /// Recipe and part: those of the last sample for [`Stage::Predict`], else of this one.
    pub context: Context,
    /// Samples of all axes of the pipeline; of no matter but for [`Stage::Compare`].
    pub samples: &'s [Result<AxisReading, Missing>],
}

/// What a section takes along when it is away.
#[derive(Debug)]
pub struct Luggage<'a> {
    /// Room for the samples of its axes: eight a lane.
    pub samples: &'a mut [Result<AxisReading, Missing>],
    /// What it finds.
    pub out: &'a mut Outbox,
}

/// Whoever works on the sections of a pipeline.
pub trait Crew<'a> {
    /// Does what `order` says with every section that is there, in whatever order, each once. All are back in their
    /// places when it returns; one that is not is lost for good.
    fn work(&mut self, sections: &mut [Option<Section<'a>>], order: &Order<'_>);
}

/// A crew of one: the caller.
#[derive(Clone, Copy, Debug, Default)]
pub struct Alone;

impl<'a> Crew<'a> for Alone {
    fn work(&mut self, sections: &mut [Option<Section<'a>>], order: &Order<'_>) {
        for section in sections.iter_mut().flatten() {
            section.work(order);
        }
    }
}

/// Some lanes, their axes, and what judges them.
#[derive(Debug)]
pub struct Section<'a> {
    /// Cut to the lanes of this section.
    plan: Plan<'a>,
    number: usize,
    /// Place of its first axis among all.
    first_axis: usize,
    lanes: &'a mut [LaneState],
    axes: &'a mut [AxisJudge],
    health: &'a mut [AxisHealth],
    luggage: Option<Luggage<'a>>,
    /// What is to be done while it is away.
    packed: Option<(Stage, CycleStamp, Context)>,
}

impl<'a> Section<'a> {
    /// All lanes in one piece.
    fn whole(plan: Plan<'a>, lanes: &'a mut [LaneState], axes: &'a mut [AxisJudge]) -> Self {
        Self {
            plan,
            number: 0,
            first_axis: 0,
            lanes,
            axes,
            health: &mut [],
            luggage: None,
            packed: None,
        }
    }

    /// Keeps the first `lanes` lanes and returns the rest.
    fn split_off(&mut self, lanes: usize) -> Self {
        let axes = lanes * LANES;
        let mut rest = Self {
            number: self.number + 1,
            first_axis: self.first_axis + axes,
            ..Self::whole(
                self.plan,
                tail(&mut self.lanes, lanes),
                tail(&mut self.axes, axes),
            )
        };
        rest.health = tail(&mut self.health, axes);
        let (here, there) = (&mut self.plan, &mut rest.plan);
        (here.lanes, there.lanes) = here.lanes.split_at(lanes.min(here.lanes.len()));
        (here.judges, there.judges) = here.judges.split_at(lanes.min(here.judges.len()));
        (here.axes, there.axes) = here.axes.split_at(axes.min(here.axes.len()));
        there.first_axis += axes;
        rest
    }

    /// Its place among the sections of its pipeline.
    pub const fn number(&self) -> usize {
        self.number
    }

    /// Takes along what `order` needs: the samples of its own axes.
    pub fn pack(&mut self, order: &Order<'_>) {
        self.packed = Some((order.stage, *order.stamp, order.context));
        if let (Stage::Compare, Some(luggage)) = (order.stage, &mut self.luggage) {
            let own = order.samples.get(self.first_axis..).unwrap_or(&[]);
            for (to, from) in luggage.samples.iter_mut().zip(own) {
                *to = *from;
            }
        }
    }

    /// Does what was packed, once.
    pub fn work_packed(&mut self) {
        let Some((stage, stamp, context)) = self.packed.take() else {
            return;
        };
        let Some(luggage) = self.luggage.take() else {
            return;
        };
        let places = self.plan.axes.len().min(luggage.samples.len());
        let order = Order {
            stage,
            stamp: &stamp,
            context,
            samples: &luggage.samples[..places],
        };
        self.run(&order, order.samples, luggage.out);
        self.luggage = Some(luggage);
    }

    /// Does what `order` says, with its own outbox. A pipeline in one piece has none, and calls no crew.
    pub fn work(&mut self, order: &Order<'_>) {
        if let Some(luggage) = self.luggage.take() {
            self.work_into(order, luggage.out);
            self.luggage = Some(luggage);
        }
    }

    /// The same with somebody else's outbox. Part of each of its callers, who know the stage: a press alone notices calls.
    #[inline(always)]
    fn work_into(&mut self, order: &Order<'_>, out: &mut Outbox) {
        let own = order.samples.get(self.first_axis..).unwrap_or(&[]);
        let own = own.get(..self.plan.axes.len()).unwrap_or(own);
        self.run(order, own, out);
    }

    /// `samples` are those of its own axes.
    #[inline(always)]
    fn run(
        &mut self,
        order: &Order<'_>,
        samples: &[Result<AxisReading, Missing>],
        out: &mut Outbox,
    ) {
        let (plan, first_axis) = (&self.plan, self.first_axis);
        let (stamp, context) = (order.stamp, order.context);
        match order.stage {
            Stage::Predict => plan.level.run(Predict {
                plan,
                lanes: self.lanes,
                axes: self.axes,
                context,
            }),
            Stage::Compare => plan.level.run(Compare {
                plan,
                first_axis,
                lanes: self.lanes,
                axes: self.axes,
                out,
                stamp,
                context,
                samples,
            }),
            Stage::Correct => plan.level.run(Correct {
                plan,
                first_axis,
                lanes: self.lanes,
                axes: self.axes,
                out,
                stamp,
                context,
            }),
            Stage::Track => self.track(stamp),
        }
    }

    fn track(&mut self, stamp: &CycleStamp) {
        for (n, health) in self.health.iter_mut().enumerate() {
            let (Some(lane), Some(params)) =
                (self.lanes.get(n / LANES), self.plan.lanes.get(n / LANES))
            else {
                break;
            };
            let judge = self.axes.get(n);
            let ended = judge.and_then(|judge| judge.ended);
            let warm_up = self.plan.thresholds.warm_up.as_ref();
            match lane.health_sample(params, self.plan.linked_at(n), n % LANES, stamp) {
                None => health.interrupt(),
                Some(sample) => health.cycle(&HealthSample {
                    ended: ended.is_some_and(|(cycle, _)| cycle == stamp.cycle),
                    warms: judge.is_some_and(|judge| judge.warms(warm_up, stamp.cycle)),
                    ..sample
                }),
            }
        }
    }

    /// Moves what it has found into `out`, what found no room included.
    fn empty_into(&mut self, out: &mut Outbox) {
        if let Some(luggage) = &mut self.luggage {
            luggage.out.empty_into(out);
        }
    }
}

/// Cuts `slice` to its first `at` places and returns the others.
fn tail<'a, T>(slice: &mut &'a mut [T], at: usize) -> &'a mut [T] {
    let all = core::mem::take(slice);
    let (head, tail) = all.split_at_mut(at.min(all.len()));
    *slice = head;
    tail
}
