//! What happens to eight axes in a cycle: the three kernels that the pipeline runs on the vector unit.
//!
//! The common case, an axis that is measured, enabled and quiet, is all arithmetic on lanes. Whatever is rare (a missing
//! sample, a drive that is not enabled, a threshold, the end of a segment) leaves the lane and is handled axis by axis: it is
//! told by a bit for each axis.

mod compare;
mod views;

pub(crate) use compare::Compare;

use crate::contact::PressLane;
use crate::digest::mix;
use crate::event::Source;
use crate::judge::{AxisJudge, Occasion};
use crate::outbox::Outbox;
use crate::plan::{JudgeLane, Plan};
use twinstep_models::axis::load::LoadFilter;
use twinstep_models::axis::params::{LaneGains, LaneParams};
use twinstep_models::axis::{AxisState, Reference, cascade, observer};
use twinstep_models::innovation::Watch;
use twinstep_models::lane::{LANES, Lane, ZERO};
use twinstep_models::regime::{Classified, Seen, Segments};
use twinstep_models::sample::{Context, CycleStamp};
use twinstep_models::simd::{Kernel, Vector};

/// State of eight axes.
#[derive(Clone, Debug, PartialEq)]
#[repr(align(64))]
pub struct LaneState {
    /// What the twin believes; after `predict` it is the prediction for the coming sample.
    pub twin: AxisState,
    /// Targets sent.
    pub reference: Reference,
    pub(crate) filter: LoadFilter,
    segments: Segments,
    watch: Watch,
    measured_m: Lane,
    pub(crate) measured_a: Lane,
    /// What was predicted for this cycle, before the measurement was taken in.
    pub(crate) predicted: [Lane; 3],
    hash: [u64; LANES],
    /// A bit for each axis whose sample of this cycle may be used.
    used: u8,
    /// A bit for each axis whose sample was judged.
    pub(crate) judged: u8,
    /// A bit for each axis that is not judged yet (again).
    settling: u8,
    /// A bit for each axis that was put where it was measured; the next good sample locks the others.
    locked: u8,
    /// A bit for each axis whose observer is not in steady state.
    unsteady: u8,
    /// A bit for each axis that the next cycle must look at by itself: something is raised.
    attention: u8,
    /// Cycles until judging begins (again).
    settle: [u32; LANES],
    /// What presses have beside.
    pub(crate) press: PressLane,
}

impl LaneState {
    /// Nothing known yet.
    pub const NEW: Self = Self {
        twin: AxisState::REST,
        reference: Reference {
            history_m: [ZERO; cascade::TARGETS],
        },
        filter: LoadFilter::EMPTY,
        segments: Segments::NEW,
        watch: Watch::NEW,
        measured_m: ZERO,
        measured_a: ZERO,
        predicted: [ZERO; 3],
        hash: [0; LANES],
        used: 0,
        judged: 0,
        settling: 0,
        locked: 0,
        unsteady: 0,
        attention: 0,
        settle: [0; LANES],
        press: PressLane::NEW,
    };

    /// Bytes of it that presses alone touch.
    pub const PRESS_BYTES: usize = size_of::<PressLane>();

    /// Running hashes of the predictions.
    pub const fn digest(&self) -> [u64; LANES] {
        self.hash
    }
}

/// Advances every axis to the sample that is about to arrive.
pub(crate) struct Predict<'a, 'p> {
    pub plan: &'a Plan<'p>,
    pub lanes: &'a mut [LaneState],
    pub context: Context,
}

impl Kernel for Predict<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn run<V: Vector>(self) {
        let lanes = self
            .lanes
            .iter_mut()
            .zip(self.plan.lanes)
            .zip(self.plan.judges);
        for (n, ((lane, params), judge)) in lanes.enumerate() {
            let mut contact_a = None;
            if judge.presses != 0 {
                lane.press.meet(self.plan, n, self.context);
                for part in 0..V::PARTS {
                    let [x, v] =
                        V::each([&lane.twin.position_m, &lane.twin.velocity_m_per_s], part);
                    lane.press.touch(x, v, part);
                }
                contact_a = Some(&lane.press.contact_a);
            }
            cascade::advance_on::<V>(params, &lane.reference, &mut lane.twin, contact_a);
            lane.predicted = [
                lane.twin.position_m,
                lane.twin.velocity_m_per_s,
                lane.twin.reported_a,
            ];
        }
    }
}

/// Observers take the measurement in; then the slow channel is judged.
pub(crate) struct Correct<'a, 'p> {
    pub plan: &'a Plan<'p>,
    /// Place of the first axis among all of the pipeline.
    pub first_axis: usize,
    pub lanes: &'a mut [LaneState],
    pub axes: &'a mut [AxisJudge],
    pub out: &'a mut Outbox,
    pub stamp: CycleStamp,
    pub context: Context,
}

impl Kernel for Correct<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn run<V: Vector>(mut self) {
        let lanes = core::mem::take(&mut self.lanes);
        let plan = self.plan;
        for (n, ((lane, params), judge)) in
            (lanes.iter_mut().zip(plan.lanes).zip(plan.judges)).enumerate()
        {
            if judge.presses == 0 {
                self.lane::<V, false>(n, lane, params, judge);
            } else {
                self.lane::<V, true>(n, lane, params, judge);
            }
        }
    }
}

impl Correct<'_, '_> {
    #[inline(always)]
    fn lane<V: Vector, const PRESSES: bool>(
        &mut self,
        n: usize,
        lane: &mut LaneState,
        params: &LaneParams,
        judge: &JudgeLane,
    ) {
        lane.hash();
        let own;
        let gains = if lane.unsteady == 0 {
            &params.gains
        } else {
            own = self.gains(n, lane.unsteady, params);
            &own
        };
        if PRESSES {
            lane.press.meet(self.plan, n, self.context);
        }
        let mut seen = Seen::default();
        for part in 0..V::PARTS {
            let measured = V::each([&lane.measured_m, &lane.measured_a], part);
            observer::correct_on(params, gains, &mut lane.twin, measured, lane.used, part);
            if lane.used != u8::MAX {
                lane.stand_in::<V>(part);
            }
            let motion = lane.filter.motion::<V>(params, part);
            let mut contact_a = None;
            if PRESSES {
                let [x, v] = V::each([&lane.measured_m, &lane.twin.velocity_m_per_s], part);
                contact_a = Some(lane.press.filter::<V>(params, x, v, part));
            }
            seen.put(&judge.regime, &motion, contact_a, part);
        }
        let classified = lane.segments.classify(&judge.regime, &seen, lane.settling);
        if classified.attention() != 0 {
            self.ended(n, lane, &classified);
        }
        lane.segments.begin::<V>(&classified);
        for part in 0..V::PARTS {
            let measured = V::each([&lane.measured_m, &lane.measured_a], part);
            let contact_a = PRESSES.then(|| lane.press.balanced_a(part));
            let balance = lane.filter.balance(params, measured, contact_a, part);
            let velocity = lane.filter.velocity_m_per_s::<V>(params, part);
            let [square, rest_a] = V::each([&lane.watch.square, &lane.twin.disturbance_a], part);
            (lane.segments).add(&balance, velocity, square, rest_a, part);
            if PRESSES {
                let filtered_a = V::load(lane.press.filtered_a(), part);
                lane.segments.add_contact(filtered_a, part);
            }
        }
    }

    /// The gains of a lane with axes whose observers are not in steady state.
    #[cold]
    #[inline(never)]
    fn gains(&self, n: usize, unsteady: u8, params: &LaneParams) -> LaneGains {
        let mut gains = params.gains;
        for l in (0..LANES).filter(|l| unsteady & (1 << l) != 0) {
            let judge = self.axes.get(n * LANES + l);
            if let Some(own) = judge.and_then(|judge| judge.coasting.gains()) {
                gains.put(l, &own);
            }
        }
        gains
    }

    /// Axes whose segment, or movement, ends with this cycle.
    #[cold]
    #[inline(never)]
    fn ended(&mut self, n: usize, lane: &LaneState, classified: &Classified) {
        for l in (0..LANES).filter(|l| classified.attention() & (1 << l) != 0) {
            let axis = n * LANES + l;
            let (Some(plan), Some(judge)) = (self.plan.axes.get(axis), self.axes.get_mut(axis))
            else {
                break;
            };
            let (t, stamp) = (&self.plan.thresholds, self.stamp);
            let at = Occasion {
                stamp,
                source: Source::Axis((self.first_axis + axis) as u16),
                context: self.context,
            };
            if let Some(segment) = lane.segments.ended(classified, l) {
                judge.segment(plan, t, &at, &segment, self.out);
            }
            if classified.movement_ended & (1 << l) != 0 {
                judge.movement_end(plan, t, &at, self.out);
            }
        }
    }
}

impl LaneState {
    /// A gap would show as a jump: the coasting twin stands in, and settling outlasts the filter.
    #[inline(always)]
    fn stand_in<V: Vector>(&mut self, part: usize) {
        let used = V::mask(self.used, part);
        for (measured, twin) in [
            (&mut self.measured_m, &self.twin.position_m),
            (&mut self.measured_a, &self.twin.reported_a),
        ] {
            V::select(used, V::load(measured, part), V::load(twin, part)).store(measured, part);
        }
    }

    /// Takes the predictions of this cycle into the digest: four figures an axis, each turned so that none hides another.
    ///
    /// The current that the load explains is that of the cycle before: it is known only after this cycle's measurement.
    #[inline(always)]
    fn hash(&mut self) {
        let words = (self.predicted[0].iter().zip(&self.predicted[1]))
            .zip(self.predicted[2].iter().zip(&self.filter.predicted_a));
        for (hash, ((x, v), (i, load))) in self.hash.iter_mut().zip(words) {
            let word = x.to_bits()
                ^ v.to_bits().rotate_left(17)
                ^ i.to_bits().rotate_left(34)
                ^ load.to_bits().rotate_left(51);
            *hash = mix(*hash, word);
        }
    }
}
