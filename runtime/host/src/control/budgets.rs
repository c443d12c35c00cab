//! The budgets in force, as the control thread knows them: it is the only one that changes them.

use super::request::Wrong;
use crate::phases::{Phase, Row};
use twinstep_config::machine::Cycle;
use twinstep_config::{patch_of_budgets, patch_of_budgets_of};

/// Budgets by [`Row::index`] (ns), none where none is set.
#[derive(Clone, Copy, Default)]
pub(super) struct Budgets([Option<u64>; Row::COUNT]);

impl Budgets {
    /// Those of the configuration.
    pub fn of(cycle: &Cycle) -> Self {
        let mut budgets = Self::default();
        let set = cycle.budget_ns.iter().chain(&cycle.model_budget_ns);
        for (slot, budget_ns) in budgets.0.iter_mut().zip(set) {
            *slot = *budget_ns;
        }
        budgets
    }

    /// Sets one, or takes it away.
    pub fn set(&mut self, row: Row, budget_ns: Option<u64>) {
        self.0[row.index()] = budget_ns;
    }

    /// Sum over the phases (ns).
    fn sum_ns(&self) -> u64 {
        self.0[..Phase::COUNT].iter().flatten().sum()
    }

    /// As a patch for the configuration; `bus`: of one of several.
    pub fn toml(&self, bus: Option<&str>) -> String {
        let named = |row: Row| Some((row.name(), self.0[row.index()]?));
        let phases: Vec<_> = Phase::ALL
            .into_iter()
            .map(Row::Phase)
            .filter_map(named)
            .collect();
        let groups = Row::all().filter(|row| matches!(row, Row::Group(_)));
        let groups = groups.filter_map(named).collect::<Vec<_>>();
        match bus {
            None => patch_of_budgets(&phases, &groups),
            Some(bus) => patch_of_budgets_of(bus, &phases, &groups),
        }
    }

    /// Whether `new` may be set beside the others: the phases may take the period together, as in the configuration.
    ///
    /// # Errors
    /// Which one is too long, and what to do.
    pub fn check(&self, new: &[(Row, Option<u64>)], period_ns: u64) -> Result<(), Wrong> {
        let mut all = *self;
        for &(row, budget_ns) in new {
            all.set(row, budget_ns);
            if budget_ns.is_some_and(|ns| ns > period_ns) {
                return Err(Wrong::new(
                    format!(
                        "the budget of {} is longer than the period of {period_ns} ns",
                        row.name()
                    ),
                    "lower it",
                ));
            }
        }
        let sum_ns = all.sum_ns();
        if sum_ns > period_ns && sum_ns > self.sum_ns() {
            return Err(Wrong::new(
                format!(
                    "the budgets of the phases would be {sum_ns} ns together, more than the period of {period_ns} ns"
                ),
                "lower others in the same request, or take them away with null",
            ));
        }
        Ok(())
    }
}
