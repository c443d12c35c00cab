//! Every cycle of a run that was made to find budgets.

use super::{PhaseSnapshot, Row};
use crate::trust::Trust;
use std::sync::{Arc, Mutex, PoisonError};

/// Most cycles that are kept: 104 MB.
pub const MAX_CYCLES: u64 = 2_000_000;

/// Durations of all rows of the cycles after the warm-up, by [`Row::index`]; beyond 4.29 s they are cut to that.
#[derive(Clone, Debug, Default)]
pub struct Trace {
    rows: Vec<[u32; Row::COUNT]>,
}

impl Trace {
    /// Room for so many cycles, at most [`MAX_CYCLES`], whose memory is there already.
    pub fn new(cycles: u64) -> Self {
        let cycles = usize::try_from(cycles.min(MAX_CYCLES)).unwrap_or(0);
        let mut rows = vec![[1; Row::COUNT]; cycles];
        rows.clear();
        Self { rows }
    }

    /// Takes a cycle in, while there is room.
    #[inline]
    pub fn push(&mut self, durations_ns: &[u64; Row::COUNT]) {
        if self.rows.len() < self.rows.capacity() {
            self.rows
                .push(durations_ns.map(|ns| u32::try_from(ns).unwrap_or(u32::MAX)));
        }
    }

    /// Cycles in it.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Durations of one row (ns), in the order of the cycles.
    pub fn row(&self, row: Row) -> impl Iterator<Item = f64> + '_ {
        self.rows
            .iter()
            .map(move |rows| f64::from(rows[row.index()]))
    }
}

/// What such a run brings back.
#[derive(Clone, Debug, Default)]
pub struct Measured {
    /// Every cycle.
    pub trace: Trace,
    /// Overruns and what-if.
    pub phases: PhaseSnapshot,
    /// Whether the durations can be believed.
    pub trust: Trust,
}

/// Where the cycle thread leaves it when the run is over.
#[derive(Clone, Debug, Default)]
pub struct Delivery(Arc<Mutex<Option<Measured>>>);

impl Delivery {
    /// Leaves it.
    pub fn put(&self, measured: Measured) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(measured);
    }

    /// Takes it; none where the run did not get that far.
    pub fn take(&self) -> Option<Measured> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::phases::Phase;

    #[test]
    fn it_never_grows() {
        let mut trace = Trace::new(3);
        for ns in 0..10 {
            trace.push(&[ns; Row::COUNT]);
        }
        assert_eq!(trace.len(), 3);
        let row: Vec<_> = trace.row(Row::Phase(Phase::Send)).collect();
        assert_eq!(row, [0.0, 1.0, 2.0]);
        trace = Trace::new(1);
        trace.push(&[u64::MAX; Row::COUNT]);
        assert_eq!(trace.row(Row::Busy).next(), Some(f64::from(u32::MAX)));
    }
}
