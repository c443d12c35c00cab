//! What happens to eight axes in a cycle: the three kernels that the pipeline runs on the vector unit.
//!
//! The common case, an axis that is measured, enabled and quiet, is all arithmetic on lanes. Whatever is rare (a missing
//! sample, a drive that is not enabled, a threshold, the end of a segment) leaves the lane and is handled axis by axis.
#![allow(
    clippy::needless_range_loop,
    reason = "a lane index runs over many arrays at once: that is what becomes SIMD"
)]

mod views;

use crate::contact::contacts;
use crate::digest::mix;
use crate::event::Source;
use crate::judge::{AxisJudge, Innovation, Occasion};
use crate::outbox::Outbox;
use crate::plan::Plan;
use twinstep_models::axis::load::{LoadEstimate, LoadFilter};
use twinstep_models::axis::params::{LaneGains, LaneParams};
use twinstep_models::axis::{AxisState, Reference, cascade, observer};
use twinstep_models::innovation::Watch;
use twinstep_models::lane::{LANES, Lane, ZERO};
use twinstep_models::regime::{Classified, Segments};
use twinstep_models::sample::{AxisReading, Context, CycleStamp, DriveState, Missing, Samples};
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
    measured_m_per_s: Lane,
    pub(crate) measured_a: Lane,
    target_m: Lane,
    contact_a: Lane,
    /// What was predicted for this cycle, before the measurement was taken in.
    predicted: [Lane; 3],
    load: LoadEstimate,
    /// 1 where the sample of this cycle may be used.
    used: Lane,
    /// 1 where it was judged.
    judged: Lane,
    /// Cycles until judging begins (again).
    settle: Lane,
    hash: [u64; LANES],
    /// A bit for each axis that was put where it was measured; the next good sample locks the others.
    locked: u8,
    /// A bit for each axis whose observer is not in steady state.
    unsteady: u8,
    /// A bit for each axis that the next cycle must look at by itself: something is raised.
    attention: u8,
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
        measured_m_per_s: ZERO,
        measured_a: ZERO,
        target_m: ZERO,
        contact_a: ZERO,
        predicted: [ZERO; 3],
        load: LoadEstimate::NONE,
        used: ZERO,
        judged: ZERO,
        settle: ZERO,
        hash: [0; LANES],
        locked: 0,
        unsteady: 0,
        attention: 0,
    };

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
            if judge.presses != 0 {
                let (x, v) = (lane.twin.position_m, lane.twin.velocity_m_per_s);
                contacts(self.plan, n, self.context, (&x, &v), &mut lane.contact_a);
            }
            cascade::advance_on::<V>(params, &lane.reference, &mut lane.twin, &lane.contact_a);
            lane.predicted = [
                lane.twin.position_m,
                lane.twin.velocity_m_per_s,
                lane.twin.reported_a,
            ];
        }
    }
}

/// Compares the samples with the predictions.
pub(crate) struct Compare<'a, 'p> {
    pub plan: &'a Plan<'p>,
    pub lanes: &'a mut [LaneState],
    pub axes: &'a mut [AxisJudge],
    pub out: &'a mut Outbox,
    pub stamp: CycleStamp,
    pub samples: &'a Samples<'a>,
}

impl Kernel for Compare<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn run<V: Vector>(mut self) {
        let lanes = core::mem::take(&mut self.lanes);
        let plan = self.plan;
        let places = |n: usize| self.samples.axes.get(n * LANES..).unwrap_or(&[]);
        // A lane is taken in one before the other is compared: eight single stores must have settled before they are read at once.
        let mut next = lanes.first_mut().map_or(0, |lane| lane.take_in(places(0)));
        for (n, judge) in plan.judges.iter().enumerate() {
            let mut alone = next;
            if let Some(lane) = lanes.get_mut(n + 1) {
                next = lane.take_in(places(n + 1));
            }
            let Some(lane) = lanes.get_mut(n) else {
                break;
            };
            for l in 0..LANES {
                let waits = lane.settle[l] > 0.0;
                lane.judged[l] = if waits { 0.0 } else { lane.used[l] };
                lane.settle[l] = if waits {
                    lane.settle[l] - lane.used[l]
                } else {
                    0.0
                };
            }
            let places = u8::MAX >> LANES.saturating_sub(places(n).len());
            alone |= (lane.attention | lane.unsteady | !lane.locked) & places;
            if alone != 0 {
                self.alone(n, lane, alone);
            }
            let mut innovation = [ZERO; 3];
            for l in 0..LANES {
                innovation[0][l] = lane.measured_m[l] - lane.predicted[0][l];
                innovation[1][l] = lane.measured_m_per_s[l] - lane.predicted[1][l];
                innovation[2][l] = lane.measured_a[l] - lane.predicted[2][l];
            }
            let beyond = lane.watch.push(&judge.watch, &innovation, &lane.judged);
            if beyond != ZERO || lane.attention != 0 {
                self.surprised(n, lane, &beyond);
            }
        }
    }
}

impl LaneState {
    /// Takes the samples in. Returns a bit for each place that is not simply measured and enabled.
    #[inline(always)]
    fn take_in(&mut self, places: &[Result<AxisReading, Missing>]) -> u8 {
        let mut alone = 0_u8;
        self.used = ZERO;
        for (l, sample) in places.iter().take(LANES).enumerate() {
            match sample {
                Ok(r) => {
                    self.used[l] = 1.0;
                    self.measured_m[l] = r.position_m;
                    self.measured_m_per_s[l] = r.velocity_m_per_s;
                    self.measured_a[l] = r.current_a;
                    self.target_m[l] = r.target_m;
                    alone |= u8::from(r.state != DriveState::OperationEnabled) << l;
                }
                Err(_) => alone |= 1 << l,
            }
        }
        alone
    }
}

impl Compare<'_, '_> {
    fn occasion(&self, n: usize) -> Occasion {
        Occasion {
            stamp: self.stamp,
            source: Source::Axis(n as u16),
            context: self.samples.context,
        }
    }

    /// Axes that are not simply measured and enabled.
    #[cold]
    #[inline(never)]
    fn alone(&mut self, n: usize, lane: &mut LaneState, places: u8) {
        for l in (0..LANES).filter(|l| places & (1 << l) != 0) {
            let axis = n * LANES + l;
            let (Some(sample), Some(plan)) =
                (self.samples.axes.get(axis), self.plan.axes.get(axis))
            else {
                break;
            };
            let at = self.occasion(axis);
            let Some(judge) = self.axes.get_mut(axis) else {
                break;
            };
            let settle = f64::from(self.plan.thresholds.settle_cycles);
            match sample {
                Ok(r) => {
                    let enabled = r.state == DriveState::OperationEnabled;
                    if lane.locked & (1 << l) == 0 || !enabled {
                        lane.lock(self.plan, n, l, r);
                        judge.coasting.lock(&plan.observer);
                        judge.forget();
                        lane.unsteady |= 1 << l;
                        (lane.settle[l], lane.judged[l]) = (settle, 0.0);
                    } else if judge.coasting.measured(&plan.observer) {
                        lane.unsteady &= !(1 << l);
                    } else if lane.settle[l] < 1.0 {
                        (lane.settle[l], lane.judged[l]) = (1.0, 0.0);
                    }
                    judge.states(plan, &at, r, self.out);
                    lane.watch_place(l, judge.watched());
                }
                Err(reason) => {
                    // The axis coasts; nothing is judged until the observer has taken in enough samples again. After a
                    // gap, or when it has coasted for long, it may be anywhere: the next sample locks it.
                    judge.forget();
                    lane.unsteady |= 1 << l;
                    (lane.settle[l], lane.judged[l]) = (settle, 0.0);
                    let gap = matches!(reason, Missing::Gap | Missing::NewSegment);
                    if judge.coasting.missing(&plan.observer) || gap {
                        lane.locked &= !(1 << l);
                    }
                }
            }
        }
    }

    /// Axes with a detector beyond its threshold, or with something raised.
    #[cold]
    #[inline(never)]
    fn surprised(&mut self, n: usize, lane: &mut LaneState, beyond: &Lane) {
        for l in 0..LANES {
            let axis = n * LANES + l;
            let at = self.occasion(axis);
            let (Some(plan), Some(judge)) = (self.plan.axes.get(axis), self.axes.get_mut(axis))
            else {
                break;
            };
            if lane.judged[l] == 0.0 || (beyond[l] == 0.0 && !judge.watched()) {
                continue;
            }
            let measured = [
                lane.measured_m[l],
                lane.measured_m_per_s[l],
                lane.measured_a[l],
            ];
            let evidence = Innovation::of(&lane.watch, l, measured, lane.compared(l));
            judge.innovation(plan, &at, lane.segments.regime(l), &evidence, self.out);
            lane.watch_place(l, judge.watched());
        }
    }
}

impl LaneState {
    fn watch_place(&mut self, l: usize, watched: bool) {
        self.attention = (self.attention & !(1 << l)) | (u8::from(watched) << l);
    }

    /// Puts a place where it was measured to be.
    fn lock(&mut self, plan: &Plan<'_>, n: usize, l: usize, r: &AxisReading) {
        let Some(params) = plan.lanes.get(n) else {
            return;
        };
        observer::lock(
            params,
            &mut self.twin,
            l,
            r.position_m,
            r.velocity_m_per_s,
            r.current_a,
        );
        for target in &mut self.reference.history_m {
            target[l] = r.target_m;
        }
        self.filter
            .lock(l, r.position_m, r.current_a, params.gravity_a[l]);
        self.locked |= 1 << l;
    }
}

/// Observers take the measurement in; then the slow channel is judged.
pub(crate) struct Correct<'a, 'p> {
    pub plan: &'a Plan<'p>,
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
            let own;
            let gains = if lane.unsteady == 0 {
                &params.gains
            } else {
                own = self.gains(n, lane.unsteady, params);
                &own
            };
            observer::correct(
                params,
                gains,
                &mut lane.twin,
                &lane.measured_m,
                &lane.measured_a,
                &lane.used,
            );
            lane.reference.push(&lane.target_m);
            // A gap would show as a jump: the coasting twin stands in, and settling outlasts the filter.
            for l in 0..LANES {
                let used = lane.used[l] != 0.0;
                lane.measured_m[l] = if used {
                    lane.measured_m[l]
                } else {
                    lane.twin.position_m[l]
                };
                lane.measured_a[l] = if used {
                    lane.measured_a[l]
                } else {
                    lane.twin.reported_a[l]
                };
            }
            let load = if judge.presses != 0 {
                let v = lane.twin.velocity_m_per_s;
                contacts(
                    plan,
                    n,
                    self.context,
                    (&lane.measured_m, &v),
                    &mut lane.contact_a,
                );
                lane.filter
                    .push(params, &lane.measured_m, &lane.measured_a, &lane.contact_a)
            } else {
                lane.filter
                    .push_free(params, &lane.measured_m, &lane.measured_a)
            };
            let mut settling = ZERO;
            for l in 0..LANES {
                settling[l] = if lane.settle[l] > 0.0 { 1.0 } else { 0.0 };
            }
            let classified = lane.segments.classify(&judge.regime, &load, &settling);
            if classified.attention != ZERO {
                self.ended(n, lane, &classified);
            }
            let (square, rest_a) = (&lane.watch.square, &lane.twin.disturbance_a);
            lane.segments.add(&classified, &load, square, rest_a);
            lane.hash();
            lane.load = load;
        }
    }
}

impl Correct<'_, '_> {
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
        for l in (0..LANES).filter(|l| classified.attention[*l] != 0.0) {
            let axis = n * LANES + l;
            let (Some(plan), Some(judge)) = (self.plan.axes.get(axis), self.axes.get_mut(axis))
            else {
                break;
            };
            let (t, stamp) = (&self.plan.thresholds, self.stamp);
            let at = Occasion {
                stamp,
                source: Source::Axis(axis as u16),
                context: self.context,
            };
            if let Some(segment) = lane.segments.ended(classified, l) {
                judge.segment(plan, t, &at, &segment, self.out);
            }
            if lane.segments.movement_ended(l) {
                judge.movement_end(plan, t, &at, self.out);
            }
        }
    }
}

impl LaneState {
    /// Takes the predictions of this cycle into the digest: four figures an axis, each turned so that none hides another.
    ///
    /// The current that the load explains is that of the cycle before: it is known only after this cycle's measurement.
    #[inline(always)]
    fn hash(&mut self) {
        for l in 0..LANES {
            let word = self.predicted[0][l].to_bits()
                ^ self.predicted[1][l].to_bits().rotate_left(17)
                ^ self.predicted[2][l].to_bits().rotate_left(34)
                ^ self.load.predicted_a[l].to_bits().rotate_left(51);
            self.hash[l] = mix(self.hash[l], word);
        }
    }
}
