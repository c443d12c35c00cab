//! A cycle's samples against the predictions.

use super::LaneState;
use super::told::following;
use crate::event::Source;
use crate::judge::{AxisJudge, Innovation, Occasion};
use crate::outbox::Outbox;
use crate::plan::{JudgeLane, Plan};
use twinstep_models::axis::cascade::States;
use twinstep_models::axis::observer;
use twinstep_models::innovation::NEXT;
use twinstep_models::lane::LANES;
use twinstep_models::sample::{AxisReading, Context, CycleStamp, DriveState, Missing, Told};
use twinstep_models::simd::{Kernel, Vector};

/// Compares the samples with the predictions.
pub(crate) struct Compare<'a, 'p> {
    pub plan: &'a Plan<'p>,
    /// Place of the first axis among all of the pipeline: an event says which axis it is of.
    pub first_axis: usize,
    pub lanes: &'a mut [LaneState],
    pub axes: &'a mut [AxisJudge],
    pub out: &'a mut Outbox,
    pub stamp: &'a CycleStamp,
    pub context: Context,
    pub samples: &'a [Sample],
}

pub(super) type Sample = Result<AxisReading, Missing>;

impl Kernel for Compare<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn run<V: Vector>(mut self) {
        let lanes = core::mem::take(&mut self.lanes);
        let plan = self.plan;
        for (n, (lane, judge)) in lanes.iter_mut().zip(plan.judges).enumerate() {
            if judge.few::<V>() {
                self.lane::<V::Few>(n, lane, judge);
            } else {
                self.lane::<V>(n, lane, judge);
            }
        }
    }
}

impl Compare<'_, '_> {
    #[inline(always)]
    fn lane<V: Vector>(&mut self, n: usize, lane: &mut LaneState, judge: &JudgeLane) {
        lane.moved = 0;
        // Before anything is put where it was measured.
        lane.hash::<V>();
        let samples = self.samples.get(n * LANES..).unwrap_or(&[]);
        // Eight axes, each simply measured and enabled, are the common case: then no place needs to be asked again.
        let (mut eight, mut others_told) = (plain(samples), None);
        if eight.is_none() {
            others_told = following(samples);
            eight = others_told.map(|all| all.readings);
        }
        let (used, others, told) = match eight {
            Some(_) => (u8::MAX, 0, others_told.map_or(0, |all| all.told)),
            None => use_of(samples),
        };
        // While nobody tells the part, nothing that a press does says anything.
        let blind = if self.context.is_known() {
            0
        } else {
            judge.presses
        };
        lane.used = used;
        lane.judged = used & !(lane.settling | blind);
        if lane.settling != 0 {
            lane.waited();
        }
        if told | lane.told_any != 0 {
            let places = told | lane.told_any;
            if others_told.is_some_and(|all| all.go_on::<V>(&mut lane.told)) {
                self.told(n, lane, judge, places);
            } else {
                self.tell(n, lane, judge, places);
            }
        }
        let places = u8::MAX >> LANES.saturating_sub(samples.len());
        let alone = others | ((lane.attention | lane.unsteady | !lane.locked | blind) & places);
        if alone != 0 {
            self.alone(n, lane, alone, blind);
        }
        let beyond = match eight {
            Some(eight) => lane.compare::<V>(judge, u8::MAX, |l| columns(eight[l])),
            // What no axis has is measured as nothing, and stays so.
            None => lane.compare::<V>(judge, used | !judge.places, |l| row(samples, l)),
        };
        if beyond != 0 || lane.attention != 0 {
            self.surprised(n, lane, beyond);
        }
    }
}

/// The readings of a lane whose eight places are all simply measured, enabled, and told a position.
#[inline(always)]
fn plain(samples: &[Sample]) -> Option<[&AxisReading; LANES]> {
    let eight = samples.first_chunk::<LANES>()?;
    let mut readings = [&NOTHING; LANES];
    for (reading, sample) in readings.iter_mut().zip(eight) {
        *reading = match sample {
            Ok(r) if r.state == DriveState::OperationEnabled && r.told == Told::Position => r,
            _ => return None,
        };
    }
    Some(readings)
}

/// Stands where there is no reading.
pub(super) static NOTHING: AxisReading = AxisReading {
    position_m: 0.0,
    velocity_m_per_s: 0.0,
    current_a: 0.0,
    target_m: 0.0,
    told_m_per_s: 0.0,
    told_a: 0.0,
    told: Told::Position,
    state: DriveState::NotReadyToSwitchOn,
    error_code: 0,
};

/// Which samples of a lane may be used, which are not simply measured and of a drive that follows us, and which are told anything but a
/// position: a bit for each place.
#[inline(never)]
fn use_of(samples: &[Sample]) -> (u8, u8, u8) {
    let (mut used, mut others, mut told) = (0, 0, 0);
    for (l, sample) in samples.iter().take(LANES).enumerate() {
        used |= u8::from(sample.is_ok()) << l;
        others |= u8::from(!matches!(sample, Ok(r) if follows(r))) << l;
        told |= u8::from(matches!(sample, Ok(r) if r.told != Told::Position)) << l;
    }
    (used, others, told)
}

/// Whether the drive does what it is told on the bus.
#[inline(always)]
fn follows(r: &AxisReading) -> bool {
    r.state == DriveState::OperationEnabled && r.told != Told::Own
}

/// What is compared of a reading, and its target.
#[inline(always)]
fn columns(r: &AxisReading) -> [f64; 4] {
    [r.position_m, r.velocity_m_per_s, r.current_a, r.target_m]
}

/// That of the sample of place `l`; zeros where there is none.
#[inline(always)]
fn row(samples: &[Sample], l: usize) -> [f64; 4] {
    match samples.get(l) {
        Some(Ok(r)) => columns(r),
        _ => [0.0; 4],
    }
}

impl LaneState {
    /// Takes the samples in, `row(l)` that of place `l` if its bit is set in `used`, and compares them. Returns a bit for each place with a detector beyond its threshold.
    #[inline(always)]
    fn compare<V: Vector>(
        &mut self,
        judge: &JudgeLane,
        used: u8,
        row: impl Fn(usize) -> [f64; 4],
    ) -> u8 {
        let mut innovation = [[0.0; LANES]; NEXT];
        let before = self.newest;
        self.newest = before.next();
        self.reference.turn();
        for part in 0..V::PARTS {
            let [mut x, v, mut i, mut target] = V::columns(part, &row);
            if used != u8::MAX {
                // What is not measured stays as it was.
                let used = V::mask(used, part);
                let old = V::each(self.filter.sample(before), part);
                x = V::select(used, x, old[0]);
                i = V::select(used, i, old[1]);
                target = V::select(used, target, V::load(self.reference.ago_m(1), part));
            }
            self.filter.put(self.newest, [x, i], part);
            self.reference.put(target, part);
            let twin = States::load(&self.twin, part);
            (x - twin.position_m).narrow(&mut innovation[0], part);
            (v - twin.velocity_m_per_s).narrow(&mut innovation[1], part);
            (i - twin.reported_a).narrow(&mut innovation[2], part);
        }
        (self.watch).push_on::<V>(&judge.watch, &innovation, self.judged)
    }
}

impl Compare<'_, '_> {
    fn occasion(&self, n: usize) -> Occasion {
        Occasion {
            stamp: *self.stamp,
            source: Source::Axis((self.first_axis + n) as u16),
            context: self.context,
        }
    }

    /// Takes in what the axes of a lane are told besides positions, each by itself. An axis whose mode is another one now goes on from where
    /// it is measured to be.
    #[cold]
    #[inline(never)]
    fn tell(&mut self, n: usize, lane: &mut LaneState, judge: &JudgeLane, places: u8) {
        let samples = self.samples.get(n * LANES..).unwrap_or(&[]);
        for l in (0..LANES).filter(|l| places & (1 << l) != 0) {
            match samples.get(l) {
                Some(Ok(r)) => {
                    if lane.told.push(l, r.told, r.told_m_per_s, r.told_a) {
                        lane.locked &= !(1 << l);
                    }
                }
                _ => lane.told.repeat(l),
            }
        }
        self.told(n, lane, judge, places);
    }

    /// What the axes of `places` are told was taken in. In a mode that nobody has learnt the innovations of an axis are not judged.
    #[inline]
    fn told(&mut self, n: usize, lane: &mut LaneState, judge: &JudgeLane, places: u8) {
        lane.told_any = lane.told.any();
        let not_learnt = places & judge.places & !judge.learnt(&lane.told);
        if not_learnt != 0 {
            self.not_learnt(n, lane, not_learnt);
        }
    }

    #[cold]
    #[inline(never)]
    fn not_learnt(&mut self, n: usize, lane: &mut LaneState, places: u8) {
        lane.judged &= !places;
        for l in (0..LANES).filter(|l| places & (1 << l) != 0) {
            let axis = n * LANES + l;
            if let (Some(judge), Some(Ok(r))) = (self.axes.get_mut(axis), self.samples.get(axis)) {
                judge.count_mode(r);
            }
        }
    }

    /// Axes that are not simply measured and enabled, or, with their bits in `blind`, presses with nobody knows what in them.
    #[cold]
    #[inline(never)]
    fn alone(&mut self, n: usize, lane: &mut LaneState, places: u8, blind: u8) {
        for l in (0..LANES).filter(|l| places & (1 << l) != 0) {
            let axis = n * LANES + l;
            let (Some(sample), Some(plan)) = (self.samples.get(axis), self.plan.axes.get(axis))
            else {
                break;
            };
            let at = self.occasion(axis);
            let Some(judge) = self.axes.get_mut(axis) else {
                break;
            };
            let settle = self.plan.thresholds.settle_cycles;
            match sample {
                Ok(r) => {
                    if lane.locked & (1 << l) == 0 || !follows(r) {
                        lane.lock(self.plan, n, l, r);
                        judge.coasting.lock(&plan.observer);
                        judge.forget();
                        judge.let_go();
                        lane.unsteady |= 1 << l;
                        lane.wait(l, settle);
                    } else if judge.coasting.measured(&plan.observer) {
                        lane.unsteady &= !(1 << l);
                    } else if lane.rare.settle[l] == 0 {
                        lane.wait(l, 1);
                    }
                    let (v, still) = (r.velocity_m_per_s, plan.regime.standstill_m_per_s);
                    if blind & (1 << l) != 0 && v * v > still * still {
                        // It may have met a part that the twin did not expect: judged is what comes once that is over.
                        judge.forget();
                        lane.wait(l, settle);
                    }
                    judge.states(plan, &at, r, self.out);
                    lane.watch_place(l, judge.watched());
                }
                Err(reason) => {
                    if *reason == Missing::NewSegment {
                        judge.cool();
                    }
                    // The axis coasts; nothing is judged until the observer has taken in enough samples again. After a
                    // gap, or when it has coasted for long, it may be anywhere: the next sample locks it.
                    judge.forget();
                    lane.unsteady |= 1 << l;
                    lane.wait(l, settle);
                    let gap = matches!(reason, Missing::Gap | Missing::NewSegment);
                    if judge.coasting.missing(&plan.observer) || gap {
                        lane.locked &= !(1 << l);
                        lane.press.out_of_sight(l);
                    }
                }
            }
        }
    }

    /// Axes with a detector beyond its threshold, or with something raised.
    #[cold]
    #[inline(never)]
    fn surprised(&mut self, n: usize, lane: &mut LaneState, beyond: u8) {
        for l in 0..LANES {
            let axis = n * LANES + l;
            let at = self.occasion(axis);
            let (Some(plan), Some(judge)) = (self.plan.axes.get(axis), self.axes.get_mut(axis))
            else {
                break;
            };
            let Some(Ok(r)) = self.samples.get(axis) else {
                continue;
            };
            if !lane.judged(l) || (beyond & (1 << l) == 0 && !judge.watched()) {
                continue;
            }
            let measured = [r.position_m, r.velocity_m_per_s, r.current_a];
            let evidence = Innovation::of(&lane.watch, l, measured, lane.compared(l));
            let (t, regime) = (&self.plan.thresholds, lane.course.regime(l));
            judge.innovation(plan, t, &at, regime, &evidence, self.out);
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
        self.rare.predicted[l] = self.compared(l);
        self.moved |= 1 << l;
        observer::lock(
            params,
            &mut self.twin,
            l,
            r.position_m,
            r.velocity_m_per_s,
            r.current_a,
        );
        self.reference.lock(l, r.target_m);
        self.filter
            .lock(l, r.position_m, r.current_a, params.gravity_a[l]);
        self.press.lock(l);
        self.locked |= 1 << l;
    }

    /// Axis `l` is not judged now, nor for so many cycles with a sample.
    fn wait(&mut self, l: usize, cycles: u32) {
        self.rare.settle[l] = cycles;
        self.judged &= !(1 << l);
        self.settling = (self.settling & !(1 << l)) | (u8::from(cycles > 0) << l);
    }

    /// Axes that wait have waited a cycle more, if they had a sample.
    #[cold]
    #[inline(never)]
    fn waited(&mut self) {
        let waiting = self.settling & self.used;
        for l in (0..LANES).filter(|l| waiting & (1 << l) != 0) {
            self.rare.settle[l] = self.rare.settle[l].saturating_sub(1);
            if self.rare.settle[l] == 0 {
                self.settling &= !(1 << l);
            }
        }
    }
}
