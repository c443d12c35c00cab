//! Durations, budgets and overruns of a run.
//!
//! Everything here is sized once and belongs to the cycle thread: recording neither allocates nor locks. Histograms
//! keep two significant digits (1 %): a set of fourteen takes about 330 kB, which stays in a second-level cache beside
//! the models, and a quantile is found in a scan of some microseconds. Maxima are kept exactly.

use super::{Buckets, Group, GroupLaps, Laps, Phase, Row, Trace, WhatIf};
use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

/// Quantiles and maximum of one row (ns).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PhaseFigures {
    /// Half of all cycles are faster.
    pub p50_ns: u64,
    /// 99 % are.
    pub p99_ns: u64,
    /// 99.9 % are.
    pub p999_ns: u64,
    /// 99.99 % are.
    pub p9999_ns: u64,
    /// The slowest, exactly.
    pub max_ns: u64,
}

impl PhaseFigures {
    /// Of the [`QUANTILES`] and the maximum (ns).
    const fn of(quantiles_ns: [u64; QUANTILES.len()], max_ns: u64) -> Self {
        let [p50_ns, p99_ns, p999_ns, p9999_ns] = quantiles_ns;
        Self {
            p50_ns,
            p99_ns,
            p999_ns,
            p9999_ns,
            max_ns,
        }
    }
}

/// What is shown of the rows: a copy, some cycles old. Arrays go by [`Row::index`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PhaseSnapshot {
    /// The last cycle.
    pub now_ns: [u64; Row::COUNT],
    /// Figures since the warm-up or the last reset.
    pub figures: [PhaseFigures; Row::COUNT],
    /// Figures of the warm-up.
    pub warm_up: [PhaseFigures; Row::COUNT],
    /// Cycles in `figures`.
    pub cycles: u64,
    /// Cycles in `warm_up`.
    pub warm_up_cycles: u64,
    /// Budgets (ns), none where none is set.
    pub budget_ns: [Option<u64>; Row::COUNT],
    /// Cycles in which the row took more than its budget; of slack, in which less than that was left.
    pub over_budget: [u64; Row::COUNT],
    /// Cycles that took longer than the period.
    pub overruns: u64,
    /// What other periods would have led to.
    pub what_if: WhatIf,
}

/// Durations recorded up to here (ns); longer ones count as this, but the maximum stays exact.
const LONGEST_NS: u64 = 1_000_000_000;
/// What [`PhaseFigures`] hold besides the maximum.
const QUANTILES: [f64; 4] = [0.5, 0.99, 0.999, 0.9999];
/// Significant decimal digits of the histograms.
const DIGITS: u8 = 2;
/// Cycles that are kept apart at the start: first touches of memory and cold caches say nothing about the machine.
pub const WARM_UP_CYCLES: u64 = 1000;

/// Place of the slack.
const SLACK: usize = Phase::Slack as usize;

/// Histograms of all rows over one span of the run.
struct Span {
    rows: Vec<Histogram<u64>>,
    max_ns: [u64; Row::COUNT],
    cycles: u64,
    /// By how much the lateness of a wake-up differs from that of the one before.
    jitter: Histogram<u64>,
    jitter_max_ns: u64,
}

impl Span {
    fn new() -> Result<Self, hdrhistogram::CreationError> {
        let mut rows = Vec::with_capacity(Row::COUNT);
        for _ in Row::all() {
            // Bounds are fixed and auto-resize is off, so that recording never allocates.
            rows.push(Histogram::new_with_bounds(1, LONGEST_NS, DIGITS)?);
        }
        Ok(Self {
            rows,
            max_ns: [0; Row::COUNT],
            cycles: 0,
            jitter: Histogram::new_with_bounds(1, LONGEST_NS, DIGITS)?,
            jitter_max_ns: 0,
        })
    }

    fn record(&mut self, durations_ns: &[u64; Row::COUNT]) {
        self.cycles += 1;
        for ((histogram, max_ns), &ns) in (self.rows.iter_mut())
            .zip(&mut self.max_ns)
            .zip(durations_ns)
        {
            histogram.saturating_record(ns);
            *max_ns = (*max_ns).max(ns);
        }
    }

    fn record_jitter(&mut self, ns: u64) {
        self.jitter.saturating_record(ns);
        self.jitter_max_ns = self.jitter_max_ns.max(ns);
    }

    /// One of the [`QUANTILES`] of a row (ns).
    fn quantile_ns(&self, row: usize, which: usize) -> u64 {
        match (self.rows.get(row), self.max_ns.get(row)) {
            (Some(histogram), Some(&max_ns)) => quantile_ns(histogram, max_ns, QUANTILES[which]),
            _ => 0,
        }
    }

    fn figures(&self, row: usize) -> PhaseFigures {
        match (self.rows.get(row), self.max_ns.get(row)) {
            (Some(histogram), Some(&max_ns)) => figures(histogram, max_ns),
            _ => PhaseFigures::default(),
        }
    }

    fn clear(&mut self) {
        self.rows.iter_mut().for_each(Histogram::reset);
        self.max_ns = [0; Row::COUNT];
        self.cycles = 0;
        self.jitter.reset();
        self.jitter_max_ns = 0;
    }
}

/// What a histogram tells of durations whose longest is `max_ns`.
fn figures(histogram: &Histogram<u64>, max_ns: u64) -> PhaseFigures {
    PhaseFigures::of(
        QUANTILES.map(|quantile| quantile_ns(histogram, max_ns, quantile)),
        max_ns,
    )
}

fn quantile_ns(histogram: &Histogram<u64>, max_ns: u64, quantile: f64) -> u64 {
    if histogram.is_empty() {
        return 0;
    }
    // A bucket's upper edge may lie above the slowest cycle.
    histogram.value_at_quantile(quantile).min(max_ns)
}

/// How durations are judged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Timing {
    /// Cycles start by the clock: they can be late and overrun.
    #[default]
    Real,
    /// Virtual time: phases are real durations, but wake and slack are 0 and nothing can overrun.
    Virtual,
}

/// Cycles at the start that are kept apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WarmUp {
    /// `WARM_UP_CYCLES`, or a tenth of a shorter run.
    #[default]
    Usual,
    /// So many.
    Cycles(u64),
}

/// How a run is to be counted.
#[derive(Clone, Copy, Debug, Default)]
pub struct PhaseSettings {
    /// How durations are judged.
    pub timing: Timing,
    /// Period (ns).
    pub period_ns: u64,
    /// Budgets of the phases (ns), none where none is set.
    pub budget_ns: [Option<u64>; Phase::COUNT],
    /// Budgets of the groups of models (ns), none where none is set.
    pub model_budget_ns: [Option<u64>; Group::COUNT],
    /// What is kept apart.
    pub warm_up: WarmUp,
    /// Length of the run (cycles); none: open end.
    pub cycles: Option<u64>,
}

/// Durations, budgets and overruns of a run.
pub struct PhaseStatistics {
    timing: Timing,
    period_ns: u64,
    warm_up_cycles: u64,
    warm_up: Span,
    steady: Span,
    buckets: [Buckets; Row::COUNT],
    snapshot: PhaseSnapshot,
    /// Lateness of the last wake-up (ns); none before the first.
    last_wake_ns: Option<u64>,
    /// Row whose quantiles are refreshed.
    next: usize,
    /// Those of them that are there, in the order of [`QUANTILES`].
    found_ns: heapless::Vec<u64, { QUANTILES.len() }>,
    /// Rows whose warm-up figures are still to be taken.
    warm_up_left: usize,
    /// A bit for every row that exceeded its budget in the last cycle.
    over: u16,
    /// Every cycle after the warm-up, where that was asked for.
    trace: Option<Trace>,
}

impl PhaseStatistics {
    /// Sizes everything.
    ///
    /// # Errors
    /// None in practice: the bounds are constants that the histograms accept.
    pub fn new(settings: &PhaseSettings) -> Result<Self, hdrhistogram::CreationError> {
        let warm_up_cycles = match (settings.warm_up, settings.cycles) {
            (WarmUp::Cycles(cycles), _) => cycles,
            (WarmUp::Usual, None) => WARM_UP_CYCLES,
            (WarmUp::Usual, Some(cycles)) => WARM_UP_CYCLES.min(cycles / 10),
        };
        let mut budget_ns = [None; Row::COUNT];
        let set = settings.budget_ns.iter().chain(&settings.model_budget_ns);
        for (slot, budget) in budget_ns.iter_mut().zip(set) {
            *slot = *budget;
        }
        Ok(Self {
            timing: settings.timing,
            period_ns: settings.period_ns,
            warm_up_cycles,
            warm_up: Span::new()?,
            steady: Span::new()?,
            buckets: [Buckets::default(); Row::COUNT],
            snapshot: PhaseSnapshot {
                budget_ns,
                ..PhaseSnapshot::default()
            },
            last_wake_ns: None,
            next: 0,
            found_ns: heapless::Vec::new(),
            warm_up_left: Row::COUNT,
            over: 0,
            trace: None,
        })
    }

    /// Keeps every cycle after the warm-up, as many as there is room for.
    pub fn with_trace(mut self, trace: Trace) -> Self {
        self.trace = Some(trace);
        self
    }

    /// What was kept.
    pub fn take_trace(&mut self) -> Trace {
        self.trace.take().unwrap_or_default()
    }

    /// Takes one cycle in; returns whether it took longer than the period.
    ///
    /// Budgets and overruns are counted in the warm-up too: the machine does not forgive them.
    pub fn record(&mut self, laps: &Laps, groups: &GroupLaps) -> bool {
        let mut laps = *laps;
        if self.timing == Timing::Virtual {
            laps[Phase::Wake as usize] = 0;
            laps[Phase::Slack as usize] = 0;
        }
        let busy_ns: u64 = laps[..Phase::Slack as usize].iter().sum();
        let mut rows = [0; Row::COUNT];
        for (row, ns) in rows.iter_mut().zip(laps.iter().chain(groups)) {
            *row = *ns;
        }
        rows[Row::Busy.index()] = busy_ns;
        self.snapshot.now_ns = rows;
        let warming_up = self.warm_up.cycles < self.warm_up_cycles;
        if warming_up {
            self.warm_up.record(&rows);
        } else {
            if self.steady.cycles == 0 {
                // Those of a row are of one span.
                self.found_ns.clear();
            }
            self.steady.record(&rows);
            for (buckets, &ns) in self.buckets.iter_mut().zip(&rows) {
                buckets.add(ns);
            }
            if let Some(trace) = &mut self.trace {
                trace.push(&rows);
            }
        }
        if self.timing == Timing::Virtual {
            return false;
        }
        let wake_ns = laps[Phase::Wake as usize];
        if !warming_up && self.steady.cycles == 1 {
            // The step from a cycle that is not of this span is none of it.
            self.last_wake_ns = None;
        }
        if let Some(last_ns) = self.last_wake_ns.replace(wake_ns) {
            let span = if warming_up {
                &mut self.warm_up
            } else {
                &mut self.steady
            };
            span.record_jitter(wake_ns.abs_diff(last_ns));
        }
        if !warming_up {
            self.snapshot.what_if.add(busy_ns);
        }
        self.over = 0;
        let over = &mut self.snapshot.over_budget;
        for (row, ((over, budget_ns), &ns)) in (over.iter_mut())
            .zip(&self.snapshot.budget_ns)
            .zip(&rows)
            .enumerate()
        {
            // The budget of slack is what must be left.
            let exceeded = |budget_ns| match row {
                SLACK => ns < budget_ns,
                _ => ns > budget_ns,
            };
            let exceeded = budget_ns.is_some_and(exceeded);
            *over += u64::from(exceeded);
            self.over |= u16::from(exceeded) << row;
        }
        let overran = busy_ns > self.period_ns;
        self.snapshot.overruns += u64::from(overran);
        overran
    }

    /// A bit for every row ([`Row::index`]) whose budget was exceeded in the last cycle. Slack is what others left of it, and has none.
    pub const fn over(&self) -> u16 {
        self.over & !(1 << SLACK)
    }

    /// Finds one quantile of a row, the next one with each call, and shows the row when it has all of them: a bounded slice of the acyclic
    /// phase. A quantile is a scan of up to 25 kB, which is most of what that phase does.
    pub fn refresh_one(&mut self) {
        self.snapshot.cycles = self.steady.cycles;
        self.snapshot.warm_up_cycles = self.warm_up.cycles;
        let quantile_ns = self.current().quantile_ns(self.next, self.found_ns.len());
        // There is room: it is emptied when it is full.
        let _ = self.found_ns.push(quantile_ns);
        let Ok(found_ns) = self.found_ns.clone().into_array() else {
            return;
        };
        self.found_ns.clear();
        let max_ns = self.current().max_ns[self.next];
        self.snapshot.figures[self.next] = PhaseFigures::of(found_ns, max_ns);
        let over = self.warm_up.cycles >= self.warm_up_cycles;
        if over && self.warm_up_left > 0 {
            // They do not change any more.
            self.snapshot.warm_up[self.next] = self.warm_up.figures(self.next);
            self.warm_up_left -= 1;
        }
        self.next = (self.next + 1) % Row::COUNT;
    }

    /// A copy to be shown: each row as of four of the last 56 calls of [`Self::refresh_one`].
    pub const fn snapshot(&self) -> &PhaseSnapshot {
        &self.snapshot
    }

    /// Coarse histograms since the warm-up or the last reset, by [`Row::index`].
    pub const fn buckets(&self) -> &[Buckets; Row::COUNT] {
        &self.buckets
    }

    /// The figures of the phases after the warm-up; a run that ended within it shows the warm-up, since it has nothing else.
    pub fn figures(&self) -> [PhaseFigures; Phase::COUNT] {
        let span = self.current();
        std::array::from_fn(|phase| span.figures(phase))
    }

    /// By how much the lateness of a wake-up differs from that of the one before, within the cycles of [`Self::figures`]: the jitter of the
    /// starts. None in virtual time, where nothing is late.
    pub fn jitter(&self) -> Option<PhaseFigures> {
        let span = self.current();
        (self.timing == Timing::Real).then(|| figures(&span.jitter, span.jitter_max_ns))
    }

    /// The figures of the phases in the warm-up.
    pub fn warm_up_figures(&self) -> [PhaseFigures; Phase::COUNT] {
        std::array::from_fn(|phase| self.warm_up.figures(phase))
    }

    /// Cycles that took longer than the period.
    pub const fn overruns(&self) -> u64 {
        self.snapshot.overruns
    }

    /// Budget of a row (ns): that of [`Row::Busy`] is the period.
    pub fn budget_ns(&self, row: Row) -> Option<u64> {
        match row {
            Row::Busy => Some(self.period_ns),
            _ => self.snapshot.budget_ns.get(row.index()).copied().flatten(),
        }
    }

    /// Sets or takes away the budget of a phase or group, and forgets how often it was exceeded. The period is no budget
    /// that could be set.
    pub fn set_budget(&mut self, row: Row, budget_ns: Option<u64>) {
        if row == Row::Busy {
            return;
        }
        if let (Some(slot), Some(over)) = (
            self.snapshot.budget_ns.get_mut(row.index()),
            self.snapshot.over_budget.get_mut(row.index()),
        ) {
            (*slot, *over) = (budget_ns, 0);
        }
    }

    /// Forgets durations, budget counts and what-if, on the user's request; overruns of the run stay counted.
    pub fn reset(&mut self) {
        self.steady.clear();
        self.found_ns.clear();
        self.buckets.iter_mut().for_each(Buckets::clear);
        self.snapshot.over_budget = [0; Row::COUNT];
        self.snapshot.figures = [PhaseFigures::default(); Row::COUNT];
        self.snapshot.what_if = WhatIf::default();
    }

    fn current(&self) -> &Span {
        if self.steady.cycles == 0 && self.warm_up.cycles < self.warm_up_cycles.max(1) {
            &self.warm_up
        } else {
            &self.steady
        }
    }
}
