//! How many of the cycles that were run would have overrun at other periods.

/// What is counted of the cycles after the warm-up.
///
/// A cycle counts at a period that it was busy for longer than, lateness included. On a bus that uses spare time for
/// register work a shorter period would leave less of that to do: the counts are upper bounds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WhatIf {
    /// Cycles looked at.
    pub cycles: u64,
    /// Of them, those that took longer, by period.
    pub overruns: [u64; Self::PERIODS_NS.len()],
}

impl WhatIf {
    /// The periods (ns).
    pub const PERIODS_NS: [u64; 6] = [2_000_000, 1_000_000, 500_000, 250_000, 125_000, 62_500];

    /// Takes a cycle in.
    #[inline]
    pub fn add(&mut self, busy_ns: u64) {
        self.cycles += 1;
        for (overruns, period_ns) in self.overruns.iter_mut().zip(Self::PERIODS_NS) {
            *overruns += u64::from(busy_ns > period_ns);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cycle_overruns_every_period_that_it_took_longer_than() {
        let mut what_if = WhatIf::default();
        for busy_ns in [10_000, 62_500, 62_501, 400_000, 3_000_000] {
            what_if.add(busy_ns);
        }
        assert_eq!(what_if.cycles, 5);
        assert_eq!(what_if.overruns, [1, 1, 1, 2, 2, 3]);
    }
}
