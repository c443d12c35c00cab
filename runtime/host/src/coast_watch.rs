//! How long the twins had to do without process data, and how long until they were sure again.

use serde::Serialize;

/// The figures of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct CoastLine {
    /// Cycles in which at least one axis had no sample.
    pub cycles: u64,
    /// From the first cycle of a gap to the one in which all observers were in steady state again, the longest of the run; none
    /// where there was no gap, or the last is not over.
    pub relock_cycles: Option<u64>,
}

/// Watches the axes, cycle by cycle.
#[derive(Debug, Default)]
pub struct CoastWatch {
    cycles: u64,
    longest: u64,
    /// Cycles since the gap began.
    since: Option<u64>,
}

impl CoastWatch {
    /// One cycle. `all`: every axis has a sample; `steady` is only asked within a gap.
    pub fn cycle(&mut self, all: bool, steady: impl FnOnce() -> bool) {
        self.cycles += u64::from(!all);
        match self.since {
            None if all => {}
            None => self.since = Some(1),
            Some(since) if all && steady() => {
                self.longest = self.longest.max(since);
                self.since = None;
            }
            Some(since) => self.since = Some(since + 1),
        }
    }

    /// The figures.
    pub fn line(&self) -> CoastLine {
        let over = self.since.is_none() && self.longest > 0;
        CoastLine {
            cycles: self.cycles,
            relock_cycles: over.then_some(self.longest),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gap_lasts_until_all_are_sure_again() {
        let mut watch = CoastWatch::default();
        assert_eq!(watch.line(), CoastLine::default());
        // Three cycles missing, four more until all are sure.
        for n in 0..20 {
            watch.cycle(!(5..8).contains(&n), || n >= 12);
        }
        let line = CoastLine {
            cycles: 3,
            relock_cycles: Some(7),
        };
        assert_eq!(watch.line(), line);
        watch.cycle(false, || false);
        assert_eq!(watch.line().relock_cycles, None);
    }
}
