//! `drift`: how far the mechanics of an axis, driven by its measured current alone, part from it over a horizon.
//!
//! Nothing is corrected on the way, and nothing that the observer holds for a disturbance is known: what is wrong with friction,
//! load or inertia adds up twice, and shows in metres. No drive cascade is needed. Start and current are those of the sample
//! two cycles ago, the youngest whose current is known whatever its delay (see [`twinstep_models::axis::load`]).
//!
//! One lane runs at a time, and the next one begins where it ends: a cycle costs the same however many axes there are, and an
//! axis is judged once in as many horizons as there are lanes. A run counts for an axis that was judged all the while, that
//! moved, and that was not in a part, whose force on the way back nobody knows.
//!
//! # Causes
//! What the features of the load say is said of the drift too, at once where they deviate already, else as `updated` at the end of the movement.
//! Until then a run that ends at constant speed has a figure of its own: a force that is always there lets the axis lag by
//! `1/2 F / m T^2`, so that a drift d along the motion is a current of `-2 m d / T^2`, which is ranked as the feature of that direction would be.
//! What ends elsewhere has been through several regimes and is ranked as any surprise there ([`mod@twinstep_models::abrupt`]).

use crate::contact::PressLane;
use crate::event::{Detector, Event, EventState, Severity};
use crate::judge::Occasion;
use crate::lanes::LaneState;
use crate::outbox::Outbox;
use crate::plan::{AxisPlan, JudgeLane, LinkedPress, Plan};
use twinstep_models::axis::LaneParams;
use twinstep_models::axis::cascade::mechanics_on;
use twinstep_models::axis::load::LAG;
use twinstep_models::cause::Cause;
use twinstep_models::channel::{Channel, Regime};
use twinstep_models::lane::{LANES, Lane, ZERO};
use twinstep_models::rank::{Ranking, Shift};
use twinstep_models::sample::Context;
use twinstep_models::simd::{Kernel, Vector};

/// Runs below half the limit, one after the other, after which a deviation is cleared.
pub const CALM_RUNS: u8 = 3;
/// Standard deviations that a limit stands from 0: less than it does, whose tail is that of an interval between false alarms.
const LIMIT_SIGMAS: f64 = 3.0;

/// The free run in progress.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct FreeRun {
    lane: usize,
    /// Cycles since its start.
    cycle: u32,
    /// A bit for each axis that it counts for.
    counts: u8,
    position_m: Lane,
    velocity_m_per_s: Lane,
    from_m: Lane,
    /// Where the axes were measured to be.
    measured_m: Lane,
    /// Current of the sample before (A).
    before_a: Lane,
}

/// A run that has ended.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Drifted {
    /// Its lane.
    pub lane: usize,
    /// A bit for each axis that it counts for.
    pub counts: u8,
    /// Where the axes were measured (m).
    pub measured_m: Lane,
    /// Where they ran by themselves (m).
    pub free_m: Lane,
}

impl FreeRun {
    /// Begins with the first lane.
    pub const NEW: Self = Self {
        lane: 0,
        cycle: 0,
        counts: u8::MAX,
        position_m: ZERO,
        velocity_m_per_s: ZERO,
        from_m: ZERO,
        measured_m: ZERO,
        before_a: ZERO,
    };

    /// The lane that runs.
    pub(crate) const fn lane(&self) -> usize {
        self.lane
    }

    /// Takes in a cycle of the lane that runs. Returns whether the run ends with it: then [`Self::end`] follows.
    #[inline]
    pub(crate) fn push(
        &mut self,
        plan: &Plan<'_>,
        state: Option<&mut LaneState>,
        context: Context,
    ) -> bool {
        let (Some(params), Some(state)) = (plan.lanes.get(self.lane), state) else {
            *self = Self::NEW;
            return false;
        };
        self.counts &= state.judged;
        let ends = self.cycle >= LAG as u32 + horizon_cycles(plan);
        if self.counts == 0 {
            // Nobody is told where such a run went.
            self.cycle += 1;
            return ends;
        }
        let judge = plan.judges.get(self.lane);
        let presses = judge.is_some_and(|j| j.presses != 0);
        if presses {
            state.press.meet(plan, self.lane, context);
        }
        let linked: &[LinkedPress] = if presses {
            plan.linked_of(self.lane)
        } else {
            &[]
        };
        plan.level.run(Step {
            params,
            state,
            run: self,
            judge,
            linked,
        });
        self.cycle += 1;
        ends
    }

    /// The run has ended; the next lane's begins.
    #[cold]
    #[inline(never)]
    pub(crate) fn end(&mut self, plan: &Plan<'_>) -> Drifted {
        let period_s = plan.lanes.get(self.lane).map_or(0.0, |p| p.period_s);
        let horizon = f64::from(horizon_cycles(plan));
        let least = |axis: &AxisPlan| axis.regime.standstill_m_per_s * horizon * period_s;
        for (l, (to_m, from_m)) in self.measured_m.iter().zip(self.from_m).enumerate() {
            let way = to_m - from_m;
            let axis = plan.axes.get(self.lane * LANES + l);
            if axis.is_none_or(|axis| way * way < least(axis) * least(axis)) {
                self.counts &= !(1 << l);
            }
        }
        let ended = Drifted {
            lane: self.lane,
            counts: self.counts,
            measured_m: self.measured_m,
            free_m: self.position_m,
        };
        *self = Self {
            lane: (self.lane + 1) % plan.lanes.len().max(1),
            ..Self::NEW
        };
        ended
    }
}

/// Horizon of the plan (cycles).
pub(crate) fn horizon_cycles(plan: &Plan<'_>) -> u32 {
    plan.thresholds.horizon_cycles.max(1)
}

/// One cycle of the mechanics of eight axes.
struct Step<'a> {
    params: &'a LaneParams,
    state: &'a LaneState,
    run: &'a mut FreeRun,
    judge: Option<&'a JudgeLane>,
    linked: &'a [LinkedPress],
}

impl Kernel for Step<'_> {
    type Output = ();

    #[inline(always)]
    fn run<V: Vector>(self) {
        if self.judge.is_some_and(JudgeLane::few::<V>) {
            self.lane::<V::Few>();
        } else {
            self.lane::<V>();
        }
    }
}

impl Step<'_> {
    #[inline(always)]
    fn lane<V: Vector>(self) {
        let (p, run, lag) = (self.params, self.run, LAG as u32);
        // Some of the axes may be in a part, where the run does not count.
        let presses = self.judge.is_some_and(|j| j.presses != 0);
        for part in 0..V::PARTS {
            if run.cycle == 0 {
                // The velocity of this sample, whose current is known only later.
                let predicted = V::load(&self.state.twin.velocity_m_per_s, part);
                predicted.store(&mut run.velocity_m_per_s, part);
            }
            let state = self.state;
            let (x, current_a) = state.filter.aligned::<V>(p, state.newest, part);
            x.store(&mut run.measured_m, part);
            if run.cycle == lag {
                x.store(&mut run.position_m, part);
                x.store(&mut run.from_m, part);
            } else if run.cycle > lag {
                // A sampled drive holds its output until the next sample; else it goes there in a straight line.
                let held = V::load(&run.before_a, part);
                let (zero, half) = (V::splat(0.0), V::splat(0.5));
                let sampled = V::mask(p.sampled, part);
                let mut i = held + V::select(sampled, zero, half) * (current_a - held);
                let [x, v] = V::each([&run.position_m, &run.velocity_m_per_s], part);
                if !self.linked.is_empty() {
                    let mut current_a = ZERO;
                    i.store(&mut current_a, part);
                    let at = [&run.position_m, &run.velocity_m_per_s];
                    let left = PressLane::driven(p, (self.linked, V::places(part)), at, &current_a);
                    i = V::load(&left, part);
                }
                let (x, v) = mechanics_on(p, part, x, v, i);
                x.store(&mut run.position_m, part);
                v.store(&mut run.velocity_m_per_s, part);
            }
            current_a.store(&mut run.before_a, part);
            // Before the run has begun the axis is nowhere.
            if presses && run.cycle >= lag {
                let x = V::load(&run.position_m, part);
                run.counts &= !if self.linked.is_empty() {
                    self.state.press.in_a_part(x, part)
                } else {
                    (self.state.press).rams_in_parts(self.linked, V::places(part), &run.position_m)
                };
            }
        }
    }
}

/// A run of one axis that has ended and counts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ended {
    /// Where the axis was measured (m).
    pub measured_m: f64,
    /// Where it ran by itself (m).
    pub free_m: f64,
    /// Regime in which it ended.
    pub regime: Regime,
    /// Velocity at its end (m/s).
    pub velocity_m_per_s: f64,
    /// How long it was (s).
    pub horizon_s: f64,
}

impl Ended {
    /// Place of the feature that the run would be a figure of: 0 and 1 at constant speed forwards and backwards.
    pub(crate) fn feature(&self) -> Option<usize> {
        (self.regime == Regime::ConstantSpeed).then_some(usize::from(self.velocity_m_per_s < 0.0))
    }

    /// The current that the axis had beyond the model, along the motion, to drift that far: as a shift of that feature, whose predicted
    /// currents are those of `like`. `inertia` is in A s2/m.
    pub(crate) fn shift(&self, limit_m: f64, inertia: f64, like: &Shift) -> Shift {
        let per_metre = 2.0 * inertia / (self.horizon_s * self.horizon_s);
        let behind_m = if self.velocity_m_per_s < 0.0 {
            self.measured_m - self.free_m
        } else {
            self.free_m - self.measured_m
        };
        Shift {
            shift_a: per_metre * behind_m,
            sigma_a: per_metre * limit_m / LIMIT_SIGMAS,
            ..*like
        }
    }
}

/// What was told of a drift.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
struct Told {
    measured_m: f64,
    free_m: f64,
    regime: Regime,
    cause: Cause,
}

impl Told {
    fn event(&self, at: &Occasion, state: EventState, causes: Option<Ranking>) -> Event {
        Event {
            causes,
            ..at.event(
                Channel::Drift,
                state,
                Detector::FastLimit,
                Severity::Warning,
                self.measured_m,
                self.free_m,
                self.regime,
                self.cause,
            )
        }
    }
}

/// Judging of the drift of one axis.
#[derive(Clone, Copy, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct DriftJudge {
    raised: Option<Told>,
    calm: u8,
}

impl DriftJudge {
    /// Judges a run that counts. `rank` is asked where it is beyond the limit.
    pub(crate) fn push(
        &mut self,
        limit_m: f64,
        at: &Occasion,
        ended: &Ended,
        rank: impl FnOnce() -> Ranking,
        out: &mut Outbox,
    ) {
        let Ended {
            measured_m,
            free_m,
            regime,
            ..
        } = *ended;
        let excess = (measured_m - free_m) / limit_m;
        let square = excess * excess;
        self.calm = if square < 0.25 {
            self.calm.saturating_add(1)
        } else {
            0
        };
        let now = |cause| Told {
            measured_m,
            free_m,
            regime,
            cause,
        };
        match self.raised {
            None if square > 1.0 => {
                let ranking = rank();
                let told = now(ranking.first());
                self.raised = Some(told);
                out.push(told.event(at, EventState::Raised, Some(ranking)));
            }
            Some(told) if self.calm >= CALM_RUNS => {
                self.raised = None;
                out.push(now(told.cause).event(at, EventState::Cleared, None));
            }
            _ => {}
        }
    }

    /// A movement has ended and its features are sure of what it is: tells it, where a drift is raised for another reason.
    pub(crate) fn explain(&mut self, known: &Ranking, at: &Occasion, out: &mut Outbox) {
        let cause = known.first();
        if let Some(told) = self.raised.as_mut().filter(|told| told.cause != cause) {
            told.cause = cause;
            out.push(told.event(at, EventState::Updated, Some(*known)));
        }
    }
}
