//! Budgets from a run that was measured.
//!
//! # How a budget is found
//! A budget is the duration that a row exceeds with the asked probability a cycle. For rare cycles that is further out than anything that
//! was seen: the tail of the row is fitted (clusters of the highest durations follow a generalised Pareto distribution, see
//! `twinstep_models::identify::tail`) and the upper end of its 90 % interval is taken. A budget is never below the longest duration seen.
//!
//! Two figures stand beside it. *Extrapolated* is what the fit says of the probability that the budget is exceeded, upper end. *Demonstrated* is what
//! the run itself proves with 95 %: no exceedance in N cycles proves 3 / N and no more (Garwood's bound for a Poisson count, in the
//! approximation of Wilson and Hilferty).

use crate::phases::{Group, Phase, PhaseFigures, Row, Trace};
use serde::Serialize;
use twinstep_models::identify::{AMPLITUDE_SHAPE, fit_tail};
use twinstep_models::tail::Tail;

/// Cycles of calm that end a cluster of long ones.
const CALM_CYCLES: usize = 10;
/// Budgets are whole multiples of this (ns).
const STEP_NS: u64 = 100;
/// 95 % point of the normal distribution.
const Z95: f64 = 1.644_853_626_951_472_7;

/// What is known of a row.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RowBudget {
    /// Its stable word.
    pub name: &'static str,
    /// What was seen (ns).
    #[serde(flatten)]
    pub seen: PhaseFigures,
    /// The recommended budget (ns): for slack, what must be left; for `busy`, the shortest period that would do.
    pub budget_ns: u64,
    /// Probability a cycle that it is exceeded, by the fitted tail, upper end of its 90 % interval; none where nothing could be fitted.
    pub extrapolated: Option<f64>,
    /// The same that the run proves, 95 %.
    pub demonstrated: f64,
}

/// The tail of a row, and its figures.
struct Fit {
    seen: PhaseFigures,
    tail: Option<Tail>,
    sorted: Vec<f64>,
    period_s: f64,
}

impl Fit {
    fn new(trace: &Trace, row: Row, period_ns: u64) -> Self {
        let period_s = period_ns as f64 * 1e-9;
        let stretch: Vec<f64> = trace.row(row).collect();
        let stretches = [stretch];
        let fit = fit_tail(&stretches, period_s, CALM_CYCLES, AMPLITUDE_SHAPE);
        let [mut sorted] = stretches;
        sorted.sort_by(f64::total_cmp);
        let at = |quantile: f64| {
            let place = (quantile * sorted.len() as f64).ceil() as usize;
            let place = place.clamp(1, sorted.len().max(1)) - 1;
            sorted.get(place).copied().unwrap_or(0.0) as u64
        };
        Self {
            seen: PhaseFigures {
                p50_ns: at(0.5),
                p99_ns: at(0.99),
                p999_ns: at(0.999),
                p9999_ns: at(0.9999),
                max_ns: at(1.0),
            },
            // A probability may be asked for that the run has seen: to there the fit alone holds.
            tail: fit.map(|fit| fit.tail.reaching(1.0)),
            sorted,
            period_s,
        }
    }

    /// The duration (ns) that is exceeded with `probability` a cycle, upper end, and not below what was seen.
    fn level_ns(&self, probability: f64) -> u64 {
        let fitted = self.tail.as_ref().map_or(0.0, |tail| {
            tail.level_interval(probability / self.period_s).high
        });
        // Casts from float saturate.
        let ns = (fitted.ceil() as u64).max(self.seen.max_ns);
        ns.div_ceil(STEP_NS).max(1) * STEP_NS
    }

    /// Probability a cycle that `ns` is exceeded, by the fit, upper end.
    fn extrapolated(&self, ns: u64) -> Option<f64> {
        let tail = self.tail.as_ref()?;
        Some((tail.rate_interval(ns as f64).high * self.period_s).min(1.0))
    }

    /// The same that the record proves, 95 %.
    fn demonstrated(&self, ns: u64) -> f64 {
        let within = self.sorted.partition_point(|x| *x <= ns as f64);
        at_most(
            (self.sorted.len() - within) as u64,
            self.sorted.len() as u64,
        )
    }
}

/// Upper 95 % bound of a probability, after `count` cases in `cycles`.
pub fn at_most(count: u64, cycles: u64) -> f64 {
    if cycles == 0 {
        return 1.0;
    }
    let n = count as f64 + 1.0;
    let root = 1.0 - 1.0 / (9.0 * n) + Z95 / (3.0 * n.sqrt());
    (n * root * root * root / cycles as f64).min(1.0)
}

/// Recommended budgets.
#[derive(Clone, Debug, PartialEq)]
pub struct Recommendation {
    /// Phases and groups, in the order of [`Row::all`], without the whole.
    pub rows: Vec<RowBudget>,
    /// All phases but slack. Its budget is what the period would have to be.
    pub busy: RowBudget,
    /// Probability a cycle that the period is exceeded, by the fitted tail, upper end; none where nothing could be fitted.
    pub overrun_extrapolated: Option<f64>,
    /// The same that the run proves, 95 %.
    pub overrun_demonstrated: f64,
    /// Sum of the phases' budgets without slack (ns).
    pub sum_ns: u64,
}

/// Finds budgets that are exceeded with `probability` a cycle (0 < probability < 1).
pub fn recommend(trace: &Trace, period_ns: u64, probability: f64) -> Recommendation {
    let budget = |row: Row| {
        let fit = Fit::new(trace, row, period_ns);
        let budget_ns = fit.level_ns(probability);
        RowBudget {
            name: row.name(),
            seen: fit.seen,
            budget_ns,
            extrapolated: fit.extrapolated(budget_ns),
            demonstrated: fit.demonstrated(budget_ns),
        }
    };
    let mut rows: Vec<RowBudget> = Row::all()
        .filter(|row| *row != Row::Busy)
        .map(budget)
        .collect();
    let sum_ns = rows[..Phase::Slack as usize]
        .iter()
        .map(|row| row.budget_ns)
        .sum();
    let whole = Fit::new(trace, Row::Busy, period_ns);
    let (overrun_extrapolated, overrun_demonstrated) =
        (whole.extrapolated(period_ns), whole.demonstrated(period_ns));
    if let Some(slack) = rows.get_mut(Phase::Slack as usize) {
        // Nothing is taken from it: it is what is left when every phase takes its budget.
        slack.budget_ns = period_ns.saturating_sub(sum_ns);
        slack.extrapolated = None;
        let few = trace
            .row(Row::Phase(Phase::Slack))
            .filter(|left| *left < slack.budget_ns as f64);
        slack.demonstrated = at_most(few.count() as u64, trace.len() as u64);
    }
    Recommendation {
        rows,
        busy: budget(Row::Busy),
        overrun_extrapolated,
        overrun_demonstrated,
        sum_ns,
    }
}

impl Recommendation {
    /// The budgets as a patch for the configuration; none where the phases need more than the period. `bus`: of one of several.
    pub fn patch(&self, period_ns: u64, bus: Option<&str>) -> Option<String> {
        if self.sum_ns > period_ns {
            return None;
        }
        let named = |row: &RowBudget| (row.name, row.budget_ns);
        let (phases, groups) = self.rows.split_at(Phase::COUNT);
        let phases: Vec<_> = phases.iter().map(named).collect();
        // A group that has nothing to do on this machine needs no budget, nor one that is longer than the period.
        let groups = groups.iter().take(Group::COUNT);
        let groups: Vec<_> = groups
            .filter(|row| row.seen.max_ns > 0 && row.budget_ns <= period_ns)
            .map(named)
            .collect();
        Some(match bus {
            None => twinstep_config::patch_of_budgets(&phases, &groups),
            Some(bus) => twinstep_config::patch_of_budgets_of(bus, &phases, &groups),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Exponential durations with this mean beyond 10 us, from a fixed sequence.
    fn trace(cycles: u64, mean_ns: f64) -> Trace {
        let mut trace = Trace::new(cycles);
        let mut state = 1_u64;
        for _ in 0..cycles {
            let mut rows = [10_000; Row::COUNT];
            for row in &mut rows {
                state = state
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1);
                let uniform = ((state >> 11) as f64 + 1.0) / (1_u64 << 53) as f64;
                *row += (-mean_ns * libm::log(uniform)) as u64;
            }
            rows[Phase::Slack as usize] = 900_000;
            rows[Row::Busy.index()] = rows[..Phase::Slack as usize].iter().sum();
            trace.push(&rows);
        }
        trace
    }

    #[test]
    fn what_is_recommended_is_written_and_taken() {
        let shipped = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../../rt-config/machines/press-cell.toml"
        );
        let folder = tempfile::tempdir().unwrap();
        let config = folder.path().join("cell.toml");
        std::fs::copy(shipped, &config).unwrap();
        let found = recommend(&trace(20_000, 1_000.0), 1_000_000, 1e-6);
        let patch = found.patch(1_000_000, None).unwrap();
        let output = crate::output::Output::new(true, false, Box::new(std::io::sink()));
        super::super::measure::write(&config, &patch, &output).unwrap();
        assert_eq!(
            std::fs::read(folder.path().join("cell.toml.bak")).unwrap(),
            std::fs::read(shipped).unwrap()
        );
        // What stands there now is taken, with the budgets that were found.
        let text = std::fs::read_to_string(&config).unwrap();
        let machine = twinstep_config::load(&text, "cell.toml").unwrap();
        let predict = found.rows[Phase::Predict as usize].budget_ns;
        assert_eq!(
            machine.cycle.budget_ns[Phase::Predict as usize],
            Some(predict)
        );
    }

    #[test]
    fn a_known_tail_is_extrapolated_to_about_its_quantile() {
        let found = recommend(&trace(60_000, 1_000.0), 1_000_000, 1e-6);
        // 10 us + 1 us ln(1e6) = 23.8 us is the true quantile. The fit does not know that the tail is no heavier, and errs upwards.
        for row in &found.rows[..Phase::Slack as usize] {
            assert!((23_000..80_000).contains(&row.budget_ns), "{row:?}");
            assert!(row.budget_ns >= row.seen.max_ns);
            assert!(row.extrapolated.unwrap() < 1.2e-6, "{row:?}");
            // 60 000 cycles prove 5e-5 and no more.
            assert!((4.5e-5..5.5e-5).contains(&row.demonstrated), "{row:?}");
        }
        let sum: u64 = found.rows[..8].iter().map(|row| row.budget_ns).sum();
        assert_eq!(found.rows[8].budget_ns, 1_000_000 - sum);
        assert!(found.overrun_extrapolated.unwrap() < 1e-6);
    }

    #[test]
    fn the_patch_is_taken_by_the_configuration() {
        let found = recommend(&trace(20_000, 500.0), 1_000_000, 1e-5);
        let patch = found.patch(1_000_000, None).unwrap();
        let merged = twinstep_config::apply_budgets(twinstep_config::PRESS_CELL, &patch).unwrap();
        let cycle = twinstep_config::load(&merged, "merged").unwrap().cycle;
        assert_eq!(cycle.budget_ns[2], Some(found.rows[2].budget_ns));
        assert_eq!(cycle.model_budget_ns[0], Some(found.rows[9].budget_ns));
        // At 62.5 us eight phases of more than 10 us have no room.
        assert_eq!(
            recommend(&trace(2_000, 500.0), 62_500, 1e-5).patch(62_500, None),
            None
        );
    }

    #[test]
    fn what_a_run_proves_is_garwoods_bound() {
        // Exact: 2.996 for none, 4.744 for one, 16.962 for ten.
        for (count, exact) in [(0, 2.996), (1, 4.744), (10, 16.962)] {
            let bound = at_most(count, 1_000_000) * 1e6;
            assert!((bound - exact).abs() < 0.03 * exact, "{count}: {bound}");
        }
        assert_eq!(at_most(0, 0), 1.0);
        assert_eq!(at_most(5, 5), 1.0);
    }

    #[test]
    fn a_run_of_nothing_recommends_and_claims_nothing() {
        let found = recommend(&Trace::new(0), 1_000_000, 1e-6);
        assert!(found.rows.iter().all(|row| row.demonstrated == 1.0));
        assert!(found.busy.extrapolated.is_none());
    }
}
