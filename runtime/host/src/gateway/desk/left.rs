//! How alarms were that have left the list: who tells of alarms may look at it only after that.

use super::{Alarm, Desk, Key, key_of};
use std::collections::VecDeque;

/// Most that are kept; of more, the last ones. A new run may end as many at once as there are on the list, but few of them are seen already.
const MAX_LEFT: usize = 512;

/// The alarms that have left last, in their order.
#[derive(Debug, Default)]
pub(super) struct Left(VecDeque<Alarm>);

impl Left {
    pub fn push(&mut self, alarm: Alarm) {
        if self.0.len() >= MAX_LEFT {
            self.0.pop_front();
        }
        self.0.push_back(alarm);
    }

    pub fn clear(&mut self) {
        self.0.clear();
    }

    /// The alarm of this name that was raised by the event with this number, at this time (ns since 1970, UTC).
    fn find(&self, key: &Key, raised: (u64, u64)) -> Option<&Alarm> {
        let mut newest = self.0.iter().rev();
        newest.find(|alarm| {
            (alarm.raised_seq, alarm.raised_utc_ns) == raised && key_of(&alarm.event) == *key
        })
    }
}

impl Desk {
    /// How `alarm` was when it left the list because it was cleared and acknowledged; none where it has not, or where that is long ago.
    pub fn left(&self, alarm: &Alarm) -> Option<Alarm> {
        let (key, raised) = (
            key_of(&alarm.event),
            (alarm.raised_seq, alarm.raised_utc_ns),
        );
        self.with(|state| state.left.find(&key, raised).cloned())
    }
}

#[cfg(test)]
mod tests {
    use super::super::State;
    use super::super::tests::record;
    use super::*;
    use crate::gateway::book::Acknowledgement;

    #[test]
    fn the_last_ones_are_kept() {
        let by = Acknowledgement {
            who: "eva".into(),
            time_utc_ns: 0,
            comment: String::new(),
        };
        let mut state = State::default();
        for n in 0..=MAX_LEFT as u64 {
            for (seq, told) in [(2 * n + 1, "raised"), (2 * n + 2, "cleared")] {
                let mut record = record(told);
                record.seq = seq;
                state.take(record, Some(by.clone()));
            }
        }
        assert!(state.alarms.is_empty());
        assert_eq!(state.left.0.len(), MAX_LEFT);
        let seqs = |alarm: Option<&Alarm>| alarm.map(|alarm| (alarm.raised_seq, alarm.last_seq));
        assert_eq!(seqs(state.left.0.front()), Some((3, 4)));
        let last = 2 * MAX_LEFT as u64 + 1;
        assert_eq!(seqs(state.left.0.back()), Some((last, last + 1)));
    }
}
