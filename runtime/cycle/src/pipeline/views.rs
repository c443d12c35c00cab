//! What others see of the pipeline between two cycles.

use super::Pipeline;
use crate::health::PressHealth;
use crate::judge::{AxisJudge, RestFigure};
use crate::plan::Baseline;
use crate::station::StationJudge;
use twinstep_models::blocks::{Block, FEATURES, Feature};
use twinstep_models::channel::Regime;
use twinstep_models::lane::LANES;
use twinstep_models::sample::{Context, Factors};

impl Pipeline<'_> {
    /// The last evaluation of `current_load` of axis `n`: measured and predicted (A), and its regime.
    pub fn load(&self, n: usize) -> Option<(f64, f64, Regime)> {
        Some(self.sections.lane(n / LANES)?.0.load(n % LANES))
    }

    /// The motion behind [`Self::load`]: velocity (m/s) and acceleration (m/s2), averaged as the currents are.
    pub fn load_motion(&self, n: usize) -> Option<(f64, f64)> {
        let (lane, params) = self.sections.lane(n / LANES)?;
        Some(lane.load_motion(params, n % LANES))
    }

    /// What was predicted for the sample that was compared last: position (m), velocity (m/s), current (A).
    pub fn compared(&self, n: usize) -> Option<[f64; 3]> {
        Some(self.sections.lane(n / LANES)?.0.compared(n % LANES))
    }

    /// How much wider the next innovation of axis `n` spreads than in steady state (1 there): it coasts, or is being locked.
    pub fn widening(&self, n: usize) -> Option<f64> {
        let (plan, judge) = (self.plan.axes.get(n)?, self.judge(n)?);
        Some(judge.coasting.widening(&plan.observer))
    }

    /// Whether axis `n` was judged in the cycle that was compared last.
    pub fn judged(&self, n: usize) -> bool {
        (self.sections.lane(n / LANES)).is_some_and(|(lane, _)| lane.judged(n % LANES))
    }

    /// Features of the movement of axis `n` that ended in the last cycle.
    pub fn ended(&self, n: usize) -> Option<&[Option<Block>; FEATURES]> {
        let (cycle, blocks) = self.judge(n)?.ended.as_ref()?;
        (*cycle == self.cycle).then_some(blocks)
    }

    /// The context in which that movement went from its start to its end: what changed within it is unknown.
    pub fn ended_factors(&self, n: usize) -> Option<Factors> {
        self.judge(n)?.ended_factors()
    }

    /// The figure of a rest of axis `n` that was known in the last cycle.
    pub fn rest(&self, n: usize) -> Option<&RestFigure> {
        self.judge(n)?.rest_figure(self.cycle)
    }

    /// What is healthy of a figure of axis `n` in the context of the movement that ended last.
    pub fn healthy(&self, n: usize, feature: Feature) -> Option<Baseline> {
        let plan = self.plan.axes.get(n)?;
        (self.judge(n)?).healthy_of(plan, self.plan.contexts_of(n), feature)
    }

    /// The context of the last cycle.
    pub const fn context(&self) -> Context {
        self.context
    }

    /// Judging of axis `n`.
    pub fn judge(&self, n: usize) -> Option<&AxisJudge> {
        self.sections.axis(n)
    }

    /// Movements of axis `n` of which something was not judged, because no healthy record holds one like them.
    pub fn not_learnt(&self, n: usize) -> u64 {
        let signatures = (self.signatures.0.iter().zip(&*self.signatures.1))
            .filter(|(plan, _)| usize::from(plan.axis) == n)
            .map(|(_, judge)| judge.not_learnt());
        let own = self.judge(n).map_or(0, |judge| judge.not_judged().pace);
        own + signatures.sum::<u64>()
    }

    /// Movements of axis `n` that were not judged, because it warmed up: those of its twin or of its signature, whatever was more.
    pub fn warm_up(&self, n: usize) -> u64 {
        let signatures = (self.signatures.0.iter().zip(&*self.signatures.1))
            .filter(|(plan, _)| usize::from(plan.axis) == n)
            .map(|(_, judge)| judge.cold());
        let own = self.judge(n).map_or(0, |judge| judge.not_judged().warm_up);
        own.max(signatures.max().unwrap_or(0))
    }

    /// Whether axis `n` is warming up: its twin, and without one its signature.
    pub fn warms(&self, n: usize) -> bool {
        let warm_up = self.plan.thresholds.warm_up.as_ref();
        let has_rows = self.plan.axes.get(n).is_some_and(|axis| {
            axis.limits.iter().any(Option::is_some) || axis.baseline.iter().any(Option::is_some)
        });
        let has_twin = has_rows || !self.plan.contexts_of(n).is_empty();
        if has_twin {
            return self
                .judge(n)
                .is_some_and(|judge| judge.warms(warm_up, self.cycle));
        }
        (self.signatures.0.iter().zip(&*self.signatures.1))
            .filter(|(plan, _)| usize::from(plan.axis) == n && plan.healthy.is_some())
            .any(|(_, judge)| judge.is_cold(warm_up, self.cycle))
    }

    /// Health of press `n` by its strokes.
    pub fn press_health(&self, n: usize) -> Option<&PressHealth> {
        self.press_health.get(n)
    }

    /// Judging of station `n`.
    pub fn station(&self, n: usize) -> Option<&StationJudge> {
        self.stations.get(n)
    }

    /// The pressure that was predicted for the sample that was compared last (Pa).
    pub fn predicted_pressure_pa(&self, n: usize) -> Option<f64> {
        self.stations.get(n).map(StationJudge::predicted_pa)
    }
}
