//! `drift`: how far the mechanics of an axis, driven by its measured current alone, part from it over a horizon.
//!
//! Nothing is corrected on the way, and nothing that the observer holds for a disturbance is known: what is wrong with friction,
//! load or inertia adds up twice, and shows in metres. No drive cascade is needed. Start and current are those of the sample
//! two cycles ago, the youngest whose current is known whatever its delay (see [`twinstep_models::axis::load`]).
//!
//! One lane runs at a time, and the next one begins where it ends: a cycle costs the same however many axes there are, and an
//! axis is judged once in as many horizons as there are lanes. A run counts for an axis that was judged all the while, that
//! moved, and that was not in a part, whose force on the way back nobody knows.

use crate::event::{Detector, EventState, Severity};
use crate::judge::Occasion;
use crate::lanes::LaneState;
use crate::outbox::Outbox;
use crate::plan::{AxisPlan, Plan};
use twinstep_models::axis::LaneParams;
use twinstep_models::axis::cascade::mechanics;
use twinstep_models::axis::load::LAG;
use twinstep_models::cause::Cause;
use twinstep_models::channel::{Channel, Regime};
use twinstep_models::lane::{LANES, Lane, ZERO};
use twinstep_models::sample::Context;
use twinstep_models::simd::{Kernel, Vector};

/// Runs below half the limit, one after the other, after which a deviation is cleared.
pub const CALM_RUNS: u8 = 3;

/// The free run in progress.
#[derive(Clone, Debug, PartialEq)]
pub struct FreeRun {
    lane: usize,
    /// Cycles since its start.
    cycle: u32,
    /// A bit for each axis that it counts for.
    counts: u8,
    position_m: Lane,
    velocity_m_per_s: Lane,
    from_m: Lane,
    /// Current of the sample before (A).
    before_a: Lane,
}

/// A run that has ended.
#[derive(Clone, Copy, Debug, PartialEq)]
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
        before_a: ZERO,
    };

    /// Takes in a cycle, before the observers do. Returns the run that ends with it.
    pub(crate) fn push(
        &mut self,
        plan: &Plan<'_>,
        lanes: &[LaneState],
        context: Context,
    ) -> Option<Drifted> {
        let (Some(params), Some(state)) = (plan.lanes.get(self.lane), lanes.get(self.lane)) else {
            *self = Self::NEW;
            return None;
        };
        for l in 0..LANES {
            self.counts &= !(u8::from(!state.judged(l)) << l);
        }
        let (measured_m, current_a) = state.filter.aligned(params, &state.measured_a);
        let lag = LAG as u32;
        if self.cycle == 0 {
            // The velocity of this sample, whose current is known only later.
            self.velocity_m_per_s = core::array::from_fn(|l| state.compared(l)[1]);
        } else if self.cycle == lag {
            (self.position_m, self.from_m) = (measured_m, measured_m);
        } else if self.cycle > lag {
            plan.level.run(Step {
                params,
                run: self,
                current_a: &current_a,
            });
        }
        self.before_a = current_a;
        self.in_a_part(plan, context);
        self.cycle += 1;
        let horizon = plan.thresholds.horizon_cycles.max(1);
        if self.cycle <= lag + horizon {
            return None;
        }
        let least =
            |axis: &AxisPlan| axis.regime.standstill_m_per_s * f64::from(horizon) * params.period_s;
        for (l, (to_m, from_m)) in measured_m.iter().zip(self.from_m).enumerate() {
            let way = to_m - from_m;
            let axis = plan.axes.get(self.lane * LANES + l);
            if axis.is_none_or(|axis| way * way < least(axis) * least(axis)) {
                self.counts &= !(1 << l);
            }
        }
        let ended = Drifted {
            lane: self.lane,
            counts: self.counts,
            measured_m,
            free_m: self.position_m,
        };
        *self = Self {
            lane: (self.lane + 1) % plan.lanes.len().max(1),
            ..Self::NEW
        };
        Some(ended)
    }

    /// Leaves out the axes that are in a part.
    fn in_a_part(&mut self, plan: &Plan<'_>, context: Context) {
        let presses = plan.judges.get(self.lane).map_or(0, |judge| judge.presses);
        for l in (0..LANES).filter(|l| presses & (1 << l) != 0) {
            let contact = (plan.axes.get(self.lane * LANES + l)).and_then(|a| a.contact(context));
            if contact.is_some_and(|c| c.current_a(self.position_m[l]) != 0.0) {
                self.counts &= !(1 << l);
            }
        }
    }
}

/// One cycle of the mechanics of eight axes.
struct Step<'a> {
    params: &'a LaneParams,
    run: &'a mut FreeRun,
    current_a: &'a Lane,
}

impl Kernel for Step<'_> {
    type Output = ();

    #[inline(always)]
    fn run<V: Vector>(self) {
        let (p, run) = (self.params, self.run);
        for l in 0..LANES {
            // A sampled drive holds its output until the next sample; else it goes there in a straight line.
            let held = run.before_a[l];
            let share = if p.sampled[l] > 0.0 { 0.0 } else { 0.5 };
            let i = held + share * (self.current_a[l] - held);
            let (x, v) = mechanics(
                p,
                l,
                run.position_m[l],
                run.velocity_m_per_s[l],
                i,
                0.0,
                p.period_s,
            );
            run.position_m[l] = x;
            run.velocity_m_per_s[l] = v;
        }
    }
}

/// Judging of the drift of one axis.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct DriftJudge {
    raised: bool,
    calm: u8,
}

impl DriftJudge {
    /// Judges a run that counts. `cause` is what the load points to, where it does.
    pub(crate) fn push(
        &mut self,
        limit_m: f64,
        at: &Occasion,
        (measured_m, free_m): (f64, f64),
        regime: Regime,
        cause: Option<Cause>,
        out: &mut Outbox,
    ) {
        let excess = (measured_m - free_m) / limit_m;
        let square = excess * excess;
        self.calm = if square < 0.25 {
            self.calm.saturating_add(1)
        } else {
            0
        };
        let state = if square > 1.0 && !self.raised {
            EventState::Raised
        } else if self.raised && self.calm >= CALM_RUNS {
            EventState::Cleared
        } else {
            return;
        };
        self.raised = state == EventState::Raised;
        out.push(at.event(
            Channel::Drift,
            state,
            Detector::FastLimit,
            Severity::Warning,
            measured_m,
            free_m,
            regime,
            cause.unwrap_or(Cause::Disturbance),
        ));
    }
}
