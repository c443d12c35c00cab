//! The cycle: period, warm-up and budgets.

use crate::check::{Check, duration};
use crate::machine::Cycle;
use crate::raw::{CycleTable, ModelBudgetTable};

/// Shortest period (ns).
const MIN_PERIOD_NS: u64 = 31_250;
/// Longest period on a bus (ns).
const MAX_BUS_PERIOD_NS: u64 = 10_000_000;
/// Longest period of a recording (ns).
const MAX_PERIOD_NS: u64 = 1_000_000_000;
/// Longest warm-up (ns): an hour.
const MAX_WARM_UP_NS: u64 = 3_600_000_000_000;
/// The same in cycles of the shortest period.
const MAX_WARM_UP_CYCLES: u64 = MAX_WARM_UP_NS / MIN_PERIOD_NS;

/// Builds the cycle. `bus`: there is one, real or simulated.
pub(super) fn cycle(raw: &CycleTable, bus: bool, check: &mut Check) -> Cycle {
    let longest = if bus {
        MAX_BUS_PERIOD_NS
    } else {
        MAX_PERIOD_NS
    };
    let period_ns = check.nanoseconds("period", &raw.period, (MIN_PERIOD_NS, longest));
    Cycle {
        period_ns,
        budget_ns: budgets(raw, period_ns, check),
        model_budget_ns: (raw.model_budget.as_ref())
            .map_or([None; 3], |budget| model_budgets(budget, period_ns, check)),
        warm_up_cycles: warm_up_cycles(raw, period_ns, check),
    }
}

fn budgets(raw: &CycleTable, period_ns: u64, check: &mut Check) -> [Option<u64>; 9] {
    let mut budget_ns = [None; 9];
    let Some(budget) = &raw.budget else {
        return budget_ns;
    };
    let phases = [
        ("wake", &budget.wake),
        ("send", &budget.send),
        ("predict", &budget.predict),
        ("receive", &budget.receive),
        ("compare", &budget.compare),
        ("publish", &budget.publish),
        ("correct", &budget.correct),
        ("acyclic", &budget.acyclic),
        ("slack", &budget.slack),
    ];
    let mut sum = 0;
    for (slot, (name, phase)) in budget_ns.iter_mut().zip(phases) {
        let Some(phase) = phase else { continue };
        let ns = check.nanoseconds(name, phase, (0, MAX_PERIOD_NS));
        *slot = Some(ns);
        let before = sum;
        sum += ns;
        if period_ns > 0 && before <= period_ns && sum > period_ns {
            check.problem(
                &phase.span,
                format!(
                    "up to and with `{name}` the budgets are {} together, more than the period of {}",
                    duration(sum),
                    duration(period_ns)
                ),
                "beyond the period from here on",
                "lower the budgets, or make the period longer",
            );
        }
    }
    budget_ns
}

fn model_budgets(budget: &ModelBudgetTable, period_ns: u64, check: &mut Check) -> [Option<u64>; 3] {
    let longest = if period_ns == 0 {
        MAX_PERIOD_NS
    } else {
        period_ns
    };
    let groups = [
        ("servo", &budget.servo),
        ("press", &budget.press),
        ("station", &budget.station),
    ];
    groups.map(|(name, group)| {
        let group = group.as_ref()?;
        Some(check.nanoseconds(name, group, (0, longest)))
    })
}

fn warm_up_cycles(raw: &CycleTable, period_ns: u64, check: &mut Check) -> Option<u64> {
    match (&raw.warm_up, &raw.warm_up_cycles) {
        (Some(_), Some(cycles)) => {
            check.problem(
                &cycles.span,
                "the warm-up is given twice, as a time and in cycles",
                "the second one",
                "leave out `warm_up` or `warm_up_cycles`",
            );
            None
        }
        (Some(time), None) => {
            let ns = check.nanoseconds("warm_up", time, (0, MAX_WARM_UP_NS));
            (period_ns > 0).then(|| ns.div_ceil(period_ns))
        }
        (None, Some(cycles)) => {
            if cycles.value > MAX_WARM_UP_CYCLES {
                check.problem(
                    &cycles.span,
                    format!(
                        "`warm_up_cycles` is {}, which is out of range",
                        cycles.value
                    ),
                    "out of range",
                    format!("0 to {MAX_WARM_UP_CYCLES} cycles"),
                );
            }
            Some(cycles.value)
        }
        (None, None) => None,
    }
}
