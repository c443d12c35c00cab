//! What the cycle says of itself to the recorder, and compares with a recording.

use super::Runner;
use crate::attached::Attached;
use crate::record::checks::Follower;
use std::fmt::Write;
use twinstep_models::sample::CycleStamp;

/// Time between two digests in a recording (ns).
const DIGEST_NS: u64 = 1_000_000_000;

impl<'a, B: Attached> Runner<'a, B> {
    /// Compares this replay with the digests of its recording.
    pub fn follow(&mut self, follower: Follower<'a>) {
        self.follower = Some(follower);
    }

    /// In a replay: what the operator told the run before its next cycle, where it changes what is judged.
    pub(super) fn obey_as_recorded(&mut self) {
        let next = self.last.cycle.saturating_add(1);
        let axis = self
            .follower
            .as_mut()
            .and_then(|follower| follower.baseline(next));
        if let Some(axis) = axis {
            // What the run could do the replay can.
            let _ = self.pipeline.renew(axis);
        }
    }

    /// At the end of a cycle: its digest, now and then.
    pub(super) fn remember(&mut self, stamp: CycleStamp) {
        if let Some(follower) = &mut self.follower {
            follower.cycle(stamp.cycle, || self.pipeline.digest());
        }
        let Some(record) = &mut self.outlets.record else {
            return;
        };
        if stamp.time_ns >= self.next_digest_ns {
            self.next_digest_ns = stamp.time_ns + DIGEST_NS;
            record.note_digest(stamp.cycle, self.pipeline.digest());
        }
    }

    /// What the operator told the run, for the record of the next cycle, which is the first that it holds for.
    pub(super) fn tell(&mut self, what: std::fmt::Arguments<'_>) {
        if let Some(record) = &mut self.outlets.record {
            // What is longer than the record's room is cut.
            let _ = record.told().write_fmt(what);
        }
    }
}
