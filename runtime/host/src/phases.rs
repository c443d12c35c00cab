//! The nine phases of a cycle: their durations, budgets and histograms.
//!
//! Everything here is sized once and belongs to the cycle thread: recording neither allocates nor locks. Histograms
//! keep two significant digits (1 %): a set of ten then takes about 240 kB, which stays in a second-level cache beside
//! the models, and a quantile is found in a scan of some microseconds. Maxima are kept exactly.

use crate::clock;
use hdrhistogram::Histogram;
use serde::Serialize;

/// One phase of the cycle, in the order in which they run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Phase {
    /// Wait for the start of the cycle; its figure is the lateness, not the wait.
    Wake = 0,
    /// Process data leave.
    Send = 1,
    /// Models are advanced to the sample that is about to arrive.
    Predict = 2,
    /// Until the frame is back or the deadline has passed.
    Receive = 3,
    /// Bytes to SI, residuals, detectors.
    Compare = 4,
    /// Flags, events and records go into their queues.
    Publish = 5,
    /// Observers take the measurement in.
    Correct = 6,
    /// Bounded work outside the cycle's data.
    Acyclic = 7,
    /// What is left until the next start.
    Slack = 8,
}

impl Phase {
    /// Number of phases.
    pub const COUNT: usize = 9;
    /// All phases, in the order of the cycle.
    pub const ALL: [Self; Self::COUNT] = [
        Self::Wake,
        Self::Send,
        Self::Predict,
        Self::Receive,
        Self::Compare,
        Self::Publish,
        Self::Correct,
        Self::Acyclic,
        Self::Slack,
    ];

    /// The stable word.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Wake => "wake",
            Self::Send => "send",
            Self::Predict => "predict",
            Self::Receive => "receive",
            Self::Compare => "compare",
            Self::Publish => "publish",
            Self::Correct => "correct",
            Self::Acyclic => "acyclic",
            Self::Slack => "slack",
        }
    }
}

/// Durations of one cycle (ns), by phase.
pub type Laps = [u64; Phase::COUNT];

/// A stopwatch that is never stopped: every lap ends one phase and begins the next.
#[derive(Clone, Copy, Debug, Default)]
pub struct PhaseTimer {
    last_ns: u64,
    laps: Laps,
}

impl PhaseTimer {
    /// Begins a cycle at `now_ns` (CLOCK_MONOTONIC); all phases are empty.
    #[inline]
    pub fn begin(&mut self, now_ns: u64) {
        self.last_ns = now_ns;
        self.laps = [0; Phase::COUNT];
    }

    /// Ends `phase` now. A phase that comes more than once in a cycle adds up.
    #[inline]
    pub fn lap(&mut self, phase: Phase) {
        self.lap_at(phase, clock::monotonic_ns());
    }

    /// Ends `phase` at `now_ns`.
    #[inline]
    pub fn lap_at(&mut self, phase: Phase, now_ns: u64) {
        self.laps[phase as usize] += now_ns.saturating_sub(self.last_ns);
        self.last_ns = now_ns;
    }

    /// Sets a phase whose figure is no lap: the lateness of the wake-up, the slack that is left.
    #[inline]
    pub fn set(&mut self, phase: Phase, duration_ns: u64) {
        self.laps[phase as usize] = duration_ns;
    }

    /// The durations of this cycle so far.
    #[inline]
    pub const fn laps(&self) -> &Laps {
        &self.laps
    }
}

/// Quantiles and maximum of one phase (ns).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct PhaseFigures {
    /// Half of all cycles are faster.
    pub p50_ns: u64,
    /// 99 % are.
    pub p99_ns: u64,
    /// 99.9 % are.
    pub p999_ns: u64,
    /// The slowest, exactly.
    pub max_ns: u64,
}

/// What the live view shows of the phases: a copy, some cycles old.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PhaseSnapshot {
    /// Figures per phase.
    pub figures: [PhaseFigures; Phase::COUNT],
    /// Budgets (ns), none where the configuration sets none.
    pub budget_ns: [Option<u64>; Phase::COUNT],
    /// Cycles in which the phase took more than its budget.
    pub over_budget: [u64; Phase::COUNT],
    /// Cycles that took longer than the period.
    pub overruns: u64,
}

/// Durations recorded up to here (ns); longer ones count as this, but the maximum stays exact.
const LONGEST_NS: u64 = 1_000_000_000;
/// Significant decimal digits of the histograms.
const DIGITS: u8 = 2;
/// Cycles that are kept apart at the start: first touches of memory and cold caches say nothing about the machine.
pub const WARM_UP_CYCLES: u64 = 1000;

/// Histograms of all phases over one span of the run.
struct Span {
    phases: Vec<Histogram<u64>>,
    max_ns: Laps,
    cycles: u64,
}

impl Span {
    fn new() -> Result<Self, hdrhistogram::CreationError> {
        let mut phases = Vec::with_capacity(Phase::COUNT);
        for _ in Phase::ALL {
            // Bounds are fixed and auto-resize is off, so that recording never allocates.
            phases.push(Histogram::new_with_bounds(1, LONGEST_NS, DIGITS)?);
        }
        Ok(Self {
            phases,
            max_ns: [0; Phase::COUNT],
            cycles: 0,
        })
    }

    fn record(&mut self, laps: &Laps) {
        self.cycles += 1;
        for ((histogram, max_ns), &lap_ns) in self.phases.iter_mut().zip(&mut self.max_ns).zip(laps)
        {
            histogram.saturating_record(lap_ns);
            *max_ns = (*max_ns).max(lap_ns);
        }
    }

    fn figures(&self, phase: usize) -> PhaseFigures {
        let (Some(histogram), Some(&max_ns)) = (self.phases.get(phase), self.max_ns.get(phase))
        else {
            return PhaseFigures::default();
        };
        if histogram.is_empty() {
            return PhaseFigures::default();
        }
        // A bucket's upper edge may lie above the slowest cycle.
        let at = |quantile| histogram.value_at_quantile(quantile).min(max_ns);
        PhaseFigures {
            p50_ns: at(0.5),
            p99_ns: at(0.99),
            p999_ns: at(0.999),
            max_ns,
        }
    }

    fn clear(&mut self) {
        self.phases.iter_mut().for_each(Histogram::reset);
        self.max_ns = [0; Phase::COUNT];
        self.cycles = 0;
    }
}

/// How durations are judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Timing {
    /// Cycles start by the clock: they can be late and overrun.
    Real,
    /// Virtual time: phases are real durations, but wake and slack are 0 and nothing can overrun.
    Virtual,
}

/// Durations, budgets and overruns of a run.
pub struct PhaseStatistics {
    timing: Timing,
    period_ns: u64,
    warm_up_cycles: u64,
    warm_up: Span,
    steady: Span,
    snapshot: PhaseSnapshot,
    /// Phase whose quantiles are refreshed next.
    next: usize,
}

impl PhaseStatistics {
    /// Sizes everything for a run of `cycles` (none: open end). The first [`WARM_UP_CYCLES`], or a tenth of a shorter
    /// run, are kept apart.
    ///
    /// # Errors
    /// None in practice: the bounds are constants that the histograms accept.
    pub fn new(
        timing: Timing,
        period_ns: u64,
        budget_ns: [Option<u64>; Phase::COUNT],
        cycles: Option<u64>,
    ) -> Result<Self, hdrhistogram::CreationError> {
        let warm_up_cycles =
            cycles.map_or(WARM_UP_CYCLES, |cycles| WARM_UP_CYCLES.min(cycles / 10));
        Ok(Self {
            timing,
            period_ns,
            warm_up_cycles,
            warm_up: Span::new()?,
            steady: Span::new()?,
            snapshot: PhaseSnapshot {
                budget_ns,
                ..PhaseSnapshot::default()
            },
            next: 0,
        })
    }

    /// Takes one cycle in; returns whether it took longer than the period.
    ///
    /// Budgets and overruns are counted in the warm-up too: the machine does not forgive them.
    pub fn record(&mut self, laps: &Laps) -> bool {
        let mut laps = *laps;
        if self.timing == Timing::Virtual {
            laps[Phase::Wake as usize] = 0;
            laps[Phase::Slack as usize] = 0;
        }
        if self.warm_up.cycles < self.warm_up_cycles {
            self.warm_up.record(&laps);
        } else {
            self.steady.record(&laps);
        }
        if self.timing == Timing::Virtual {
            return false;
        }
        let over = &mut self.snapshot.over_budget;
        for ((over, budget_ns), &lap_ns) in over.iter_mut().zip(&self.snapshot.budget_ns).zip(&laps)
        {
            *over += u64::from(budget_ns.is_some_and(|budget_ns| lap_ns > budget_ns));
        }
        let busy_ns: u64 = laps[..Phase::Slack as usize].iter().sum();
        let overran = busy_ns > self.period_ns;
        self.snapshot.overruns += u64::from(overran);
        overran
    }

    /// Brings the quantiles of one phase up to date, the next one with each call: a bounded slice of the acyclic phase.
    pub fn refresh_one(&mut self) {
        let figures = self.current().figures(self.next);
        if let Some(slot) = self.snapshot.figures.get_mut(self.next) {
            *slot = figures;
        }
        self.next = (self.next + 1) % Phase::COUNT;
    }

    /// A copy for the live view, as fresh as the last [`Self::refresh_one`] of each phase.
    pub const fn snapshot(&self) -> &PhaseSnapshot {
        &self.snapshot
    }

    /// The figures after the warm-up; a run that ended within it shows the warm-up, since it has nothing else.
    pub fn figures(&self) -> [PhaseFigures; Phase::COUNT] {
        let span = self.current();
        std::array::from_fn(|phase| span.figures(phase))
    }

    /// The figures of the warm-up.
    pub fn warm_up_figures(&self) -> [PhaseFigures; Phase::COUNT] {
        std::array::from_fn(|phase| self.warm_up.figures(phase))
    }

    /// Cycles that took longer than the period.
    pub const fn overruns(&self) -> u64 {
        self.snapshot.overruns
    }

    /// Forgets durations and budget counts, on the user's request; overruns of the run stay counted.
    pub fn reset(&mut self) {
        self.steady.clear();
        self.snapshot.over_budget = [0; Phase::COUNT];
        self.snapshot.figures = [PhaseFigures::default(); Phase::COUNT];
    }

    fn current(&self) -> &Span {
        if self.steady.cycles == 0 && self.warm_up.cycles < self.warm_up_cycles.max(1) {
            &self.warm_up
        } else {
            &self.steady
        }
    }
}

#[cfg(test)]
#[path = "phases_tests.rs"]
mod tests;
