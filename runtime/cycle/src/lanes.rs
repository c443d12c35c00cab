//! What happens to eight axes in a cycle: the three kernels that the pipeline runs on the vector unit.
//!
//! The common case, an axis that is measured, enabled and quiet, is all arithmetic on lanes. Whatever is rare (a missing
//! sample, a drive that is not enabled, a threshold, the end of a segment) leaves the lane and is handled axis by axis: it is
//! told by a bit for each axis.

mod behind;
mod compare;
mod rest;
mod told;
mod views;

pub(crate) use compare::Compare;

use self::behind::Looks;
use self::told::PredictTold;
use crate::contact::{PressLane, Presses};
use crate::event::Source;
use crate::judge::{AxisJudge, Occasion};
use crate::outbox::Outbox;
use crate::plan::{JudgeLane, Plan};
use twinstep_models::axis::cascade::{Measured, States};
use twinstep_models::axis::load::{LoadFilter, Newest};
use twinstep_models::axis::params::{LaneGains, LaneParams};
use twinstep_models::axis::told::Told;
use twinstep_models::axis::{AxisState, Reference, cascade, observer};
use twinstep_models::innovation::Watch;
use twinstep_models::lane::{LANES, ZERO};
use twinstep_models::regime::{Classified, Course, Seen, Segments};
use twinstep_models::sample::{Context, CycleStamp};
use twinstep_models::simd::{Kernel, Vector};

/// State of eight axes.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[repr(align(64))]
pub struct LaneState {
    /// What is predicted for the coming sample, and, after it was compared, what was: the observer takes it in when the next
    /// prediction is made.
    pub twin: AxisState,
    /// Targets sent.
    pub reference: Reference,
    pub(crate) filter: LoadFilter,
    segments: Segments,
    course: Course,
    watch: Watch,
    hash: [u64; LANES],
    /// Place of the newest sample in the filter.
    pub(crate) newest: Newest,
    /// A bit for each axis whose sample of this cycle may be used.
    used: u8,
    /// A bit for each axis whose sample was judged.
    pub(crate) judged: u8,
    /// A bit for each axis that is not judged yet (again).
    settling: u8,
    /// A bit for each axis that was put where it was measured; the next good sample locks the others.
    locked: u8,
    /// A bit for each axis that this cycle put there.
    moved: u8,
    /// A bit for each axis whose observer is not in steady state.
    unsteady: u8,
    /// A bit for each axis that the next cycle must look at by itself: something is raised.
    attention: u8,
    /// A bit for each axis that is told anything but a position: see [`Told::any`].
    told_any: u8,
    rare: Rare,
    /// What those axes are told.
    pub(crate) told: Told,
    /// What presses have beside.
    pub(crate) press: PressLane,
}

/// What of a lane is touched while an axis settles, or when it is looked at.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[repr(align(64))]
struct Rare {
    /// Cycles until judging begins (again).
    settle: [u32; LANES],
    /// What had been predicted for the axes that this cycle put where they were measured.
    predicted: [[f64; 3]; LANES],
    /// How the axes follow their references.
    looks: Looks,
}

impl LaneState {
    /// Nothing known yet.
    pub const NEW: Self = Self {
        twin: AxisState::REST,
        reference: Reference::at(&ZERO),
        filter: LoadFilter::EMPTY,
        segments: Segments::NEW,
        course: Course::NEW,
        watch: Watch::NEW,
        hash: [0; LANES],
        newest: Newest::FIRST,
        used: 0,
        judged: 0,
        settling: 0,
        locked: 0,
        moved: 0,
        unsteady: 0,
        attention: 0,
        told_any: 0,
        told: Told::NOTHING,
        rare: Rare {
            settle: [0; LANES],
            predicted: [[0.0; 3]; LANES],
            looks: Looks::NEW,
        },
        press: PressLane::NEW,
    };

    /// Bytes of it that presses alone touch.
    pub const PRESS_BYTES: usize = size_of::<PressLane>();
    /// Bytes of it that are touched when an axis settles, a segment ends, or an axis is told more than a position.
    pub const RARE_BYTES: usize = size_of::<Rare>() + size_of::<Told>() + Segments::RARE_BYTES;

    /// Running hashes of the predictions.
    pub const fn digest(&self) -> [u64; LANES] {
        self.hash
    }
}

/// The observers take the last sample in, and every axis is advanced to the sample that is about to arrive.
pub(crate) struct Predict<'a, 'p> {
    pub plan: &'a Plan<'p>,
    pub lanes: &'a mut [LaneState],
    pub axes: &'a [AxisJudge],
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
            let own;
            let gains = if lane.unsteady == 0 {
                &params.gains
            } else {
                own = own_gains(self.axes, n, lane.unsteady, params);
                &own
            };
            let presses = judge.presses != 0;
            if presses {
                lane.press.meet(self.plan, n, self.context);
            }
            let presses = presses.then(|| Presses {
                curves: self.plan.curves,
                linked: self.plan.linked_of(n),
            });
            if judge.few::<V>() {
                lane.predict::<V::Few>(params, gains, presses, judge.places);
            } else {
                lane.predict::<V>(params, gains, presses, judge.places);
            }
        }
    }
}

impl LaneState {
    /// The observers take the last sample in, and every axis is advanced. `presses` are those of the lane where it has any.
    #[inline(always)]
    fn predict<V: Vector>(
        &mut self,
        params: &LaneParams,
        gains: &LaneGains,
        presses: Option<Presses<'_>>,
        places: u8,
    ) {
        let apart = |presses: Presses<'_>| !presses.linked.is_empty() || self.press.any_stiff();
        if self.told_any != 0 || presses.is_some_and(apart) {
            let lane = self;
            return V::apart::<V, _>(PredictTold {
                lane,
                params,
                gains,
                presses,
                places,
            });
        }
        let curves = presses.map(|presses| presses.curves);
        let [position_m, current_a] = self.filter.sample(self.newest);
        let (twin, press, used) = (&mut self.twin, &mut self.press, self.used);
        // In one part nothing need go through memory between the observer and the prediction.
        if V::PARTS == 1 && curves.is_none() {
            let measured = Measured {
                gains,
                position_m,
                current_a,
                used,
            };
            cascade::correct_and_advance_on::<V>(params, &measured, &self.reference, twin);
            return;
        }
        if V::PARTS == 1 {
            let z = States::<V>::load(twin, 0);
            let measured = V::each([position_m, current_a], 0);
            let z = observer::corrected(params, gains, z, measured, used, 0);
            let curves = curves.unwrap_or_default();
            let (x, v) = (z.position_m, z.velocity_m_per_s);
            press.touch(params.period_s, curves, x, v, 0);
            let contact_a = Some(&press.contact_a);
            cascade::advanced(params, &self.reference, z, contact_a, 0).store(twin, 0);
            return;
        }
        observer::correct_on::<V>(params, gains, twin, [position_m, current_a], used);
        let mut contact_a = None;
        if let Some(curves) = curves {
            for part in 0..V::PARTS {
                let [x, v] = V::each([&twin.position_m, &twin.velocity_m_per_s], part);
                press.touch(params.period_s, curves, x, v, part);
            }
            contact_a = Some(&press.contact_a);
        }
        cascade::advance_on::<V>(params, &self.reference, twin, contact_a);
    }
}

/// The gains of a lane with axes whose observers are not in steady state.
#[cold]
#[inline(never)]
fn own_gains(axes: &[AxisJudge], n: usize, unsteady: u8, params: &LaneParams) -> LaneGains {
    let mut gains = params.gains;
    for l in (0..LANES).filter(|l| unsteady & (1 << l) != 0) {
        let judge = axes.get(n * LANES + l);
        if let Some(own) = judge.and_then(|judge| judge.coasting.gains()) {
            gains.put(l, &own);
        }
    }
    gains
}

/// The slow channel is judged, on what the observers will hold when they have taken the sample in.
pub(crate) struct Correct<'a, 'p> {
    pub plan: &'a Plan<'p>,
    /// Place of the first axis among all of the pipeline.
    pub first_axis: usize,
    pub lanes: &'a mut [LaneState],
    pub axes: &'a mut [AxisJudge],
    pub out: &'a mut Outbox,
    pub stamp: &'a CycleStamp,
    pub context: Context,
}

impl Kernel for Correct<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn run<V: Vector>(mut self) {
        let lanes = core::mem::take(&mut self.lanes);
        let plan = self.plan;
        // One lane after the other, whatever sections there are.
        let every = behind::every(plan.period_ns);
        let before = (self.first_axis / LANES) as u64 % every;
        // The number of a cycle may be any: a recording brings its own.
        let mut turn = (self.stamp.cycle % every + every - before) % every;
        for (n, ((lane, params), judge)) in
            (lanes.iter_mut().zip(plan.lanes).zip(plan.judges)).enumerate()
        {
            match (judge.few::<V>(), judge.presses != 0) {
                (false, false) => self.lane::<V, false>(n, lane, params, judge),
                (false, true) => self.lane::<V, true>(n, lane, params, judge),
                (true, false) => self.lane::<V::Few, false>(n, lane, params, judge),
                (true, true) => self.lane::<V::Few, true>(n, lane, params, judge),
            }
            if turn == 0 {
                self.look::<V>(n, lane, params, every);
                if judge.rests & lane.course.rested() != 0 {
                    self.rests(n, lane, params, judge.rests, every);
                }
                turn = every;
            }
            turn -= 1;
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
        let own;
        let gains = if lane.unsteady == 0 {
            &params.gains
        } else {
            own = own_gains(self.axes, n, lane.unsteady, params);
            &own
        };
        if PRESSES {
            lane.press.meet(self.plan, n, self.context);
        }
        let presses = Presses {
            curves: self.plan.curves,
            linked: if PRESSES { self.plan.linked_of(n) } else { &[] },
        };
        let newest = lane.newest;
        let all_used = judge.places & !lane.used == 0;
        let mut seen = Seen::default();
        let (mut held_a, mut moves) = (V::splat(0.0), None);
        for part in 0..V::PARTS {
            if !all_used {
                lane.stand_in::<V>(part);
            }
            let motion = lane.filter.motion::<V>(params, newest, part);
            let mut contact_a = None;
            if PRESSES {
                let measured = V::each(lane.filter.sample(newest), part);
                let z = lane.corrected(params, gains, measured, part);
                let v = z.velocity_m_per_s;
                held_a = z.disturbance_a;
                let (of, x, used) = ((params, &presses, &lane.twin), measured[0], lane.used);
                let v = [v, motion.velocity_m_per_s];
                contact_a = Some(lane.press.filter::<V>(of, x, v, used, part));
            }
            seen.put(&judge.regime, &motion, contact_a, part);
            moves = Some(motion);
        }
        let (course, segments) = (&mut lane.course, &mut lane.segments);
        let classified = course.classify(segments, &judge.regime, &seen, lane.settling);
        if classified.attention() != 0 {
            self.ended(n, lane, params, &classified);
        }
        let segments = &mut lane.segments;
        lane.course.begin::<V>(segments, &classified);
        for part in 0..V::PARTS {
            let measured = V::each(lane.filter.sample(newest), part);
            let mut contact_a = PRESSES.then(|| lane.press.balanced_a(part));
            let mut beside_a = V::splat(0.0);
            if PRESSES && !presses.linked.is_empty() {
                beside_a = lane.beside::<V>(params, &presses, part);
                if let Some(part_a) = contact_a {
                    contact_a = Some(part_a + beside_a);
                }
            }
            // In one part it is known already.
            let motion = match moves {
                Some(motion) if V::PARTS == 1 => motion,
                _ => lane.filter.moves::<V>(params, part),
            };
            let filter = &mut lane.filter;
            let mut balance = filter.balance::<V>(params, newest, &motion, contact_a, part);
            if PRESSES && !presses.linked.is_empty() {
                // What moves the ram is no friction of the axis.
                let beside_a = lane.press.beside_filtered_a(params, beside_a, part);
                balance.inertial_a = balance.inertial_a + beside_a;
            }
            let rest_a = if PRESSES && V::PARTS == 1 {
                held_a
            } else {
                lane.corrected(params, gains, measured, part).disturbance_a
            };
            (lane.segments).add(&balance, motion.velocity_m_per_s, rest_a, part);
            if PRESSES {
                let filtered_a = V::load(lane.press.filtered_a(), part);
                lane.segments.add_contact(filtered_a, part);
            }
        }
        lane.segments.add_square::<V>(&lane.watch.square);
    }

    /// Axes whose segment, or movement, ends with this cycle.
    #[cold]
    #[inline(never)]
    fn ended(&mut self, n: usize, lane: &LaneState, params: &LaneParams, classified: &Classified) {
        for l in (0..LANES).filter(|l| classified.attention() & (1 << l) != 0) {
            let axis = n * LANES + l;
            let (Some(plan), Some(judge)) = (self.plan.axes.get(axis), self.axes.get_mut(axis))
            else {
                break;
            };
            let (t, stamp) = (&self.plan.thresholds, *self.stamp);
            let at = Occasion {
                stamp,
                source: Source::Axis((self.first_axis + axis) as u16),
                context: self.context,
            };
            let own = self.plan.contexts_of(axis);
            if let Some(mut segment) = lane.course.ended(&lane.segments, classified, l) {
                // The plan of the axis, which says it too, is far away in memory, and need not be looked at.
                segment.gravity_a = params.gravity_a[l];
                judge.segment(plan, own, t, &at, &segment, self.out);
            }
            if classified.movement_ended & (1 << l) != 0 {
                judge.movement_end(plan, own, t, &at, self.out);
            }
        }
    }
}

impl LaneState {
    /// What the twin is when its observer will have taken in this cycle's sample.
    #[inline(always)]
    fn corrected<V: Vector>(
        &self,
        params: &LaneParams,
        gains: &LaneGains,
        measured: [V; 2],
        part: usize,
    ) -> States<V> {
        let twin = States::load(&self.twin, part);
        observer::corrected(params, gains, twin, measured, self.used, part)
    }

    /// What rams behind a crank or a table have in the balance of this cycle, with the losses of ram and part (A).
    #[inline(always)]
    fn beside<V: Vector>(&self, params: &LaneParams, presses: &Presses<'_>, part: usize) -> V {
        let mut parts_a = ZERO;
        self.press.balanced_a::<V>(part).store(&mut parts_a, part);
        let of = (&self.filter, self.newest);
        V::load(
            &PressLane::beside(params, of, (presses.linked, V::places(part)), &parts_a),
            part,
        )
    }

    /// A gap would show as a jump: the coasting twin stands in, and settling outlasts the filter.
    #[inline(always)]
    fn stand_in<V: Vector>(&mut self, part: usize) {
        let used = V::mask(self.used, part);
        let [x, i] = V::each(self.filter.sample(self.newest), part);
        let twin = V::each([&self.twin.position_m, &self.twin.reported_a], part);
        let sample = [V::select(used, x, twin[0]), V::select(used, i, twin[1])];
        self.filter.put(self.newest, sample, part);
    }

    /// Takes the predictions of this cycle into the digest: four figures an axis.
    ///
    /// The current that the load explains is that of the cycle before: it is known only after this cycle's measurement.
    #[inline(always)]
    pub(crate) fn hash<V: Vector>(&mut self) {
        let twin = &self.twin;
        let figures = [
            &twin.position_m,
            &twin.velocity_m_per_s,
            &twin.reported_a,
            &self.filter.predicted_a,
        ];
        // A place that no axis has predicts nothing but 0, whose hash is 0.
        for part in 0..V::PARTS {
            V::hash(&mut self.hash, figures, part);
        }
    }
}
