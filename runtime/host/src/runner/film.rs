//! What the cycle says of itself to the recorder, and compares with a recording.

use super::Runner;
use crate::attached::Attached;
use crate::record::checkpoint::Taken;
use crate::record::checks::Follower;
use std::fmt::Write;
use twinstep_models::sample::CycleStamp;

/// Time between two digests in a recording (ns).
const DIGEST_NS: u64 = 1_000_000_000;
/// Time between the begins of two rounds of checkpoints, where a round takes less (ns).
const ROUND_NS: u64 = 1_000_000_000;

/// Where the round of checkpoints in progress stands.
#[derive(Debug)]
pub(super) struct Round {
    number: u64,
    /// The next part.
    part: usize,
    next_ns: u64,
}

impl Default for Round {
    fn default() -> Self {
        Self {
            number: 0,
            part: 0,
            next_ns: ROUND_NS,
        }
    }
}

impl<'a, B: Attached> Runner<'a, B> {
    /// Compares this replay with the digests of its recording. One that begins with checkpoints says nothing before they are whole.
    pub fn follow(&mut self, mut follower: Follower<'a>) {
        follower.put_back_first(&mut self.pipeline);
        self.follower = Some(follower);
        self.begin_whole();
    }

    /// Whether the state is not yet that of the run.
    pub(super) fn is_put_back(&self) -> bool {
        self.follower.as_ref().is_some_and(|f| !f.is_whole())
    }

    /// Whether the recording ends in the middle of a run: what is unfinished stays so.
    pub(super) fn ends_open(&self) -> bool {
        self.follower.as_ref().is_some_and(Follower::ends_open)
    }

    /// What was dropped before is of the run.
    fn begin_whole(&mut self) {
        self.outbox_dropped = self.pipeline.outbox.dropped();
    }

    /// What was found before the state was that of the run is nothing.
    pub(super) fn forget(&mut self) {
        while self.pipeline.take_event().is_some() {}
        for n in 0..self.pipeline.plan().presses.len() {
            self.pipeline.take_stroke(n);
        }
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
            let before = follower.is_whole();
            follower.put_back(stamp.cycle, &mut self.pipeline);
            let whole = follower.is_whole();
            if whole {
                follower.cycle(stamp.cycle, || self.pipeline.digest());
            }
            if whole && !before {
                self.begin_whole();
            }
        }
        self.take_part(stamp);
        let Some(record) = &mut self.outlets.record else {
            return;
        };
        if stamp.time_ns >= self.next_digest_ns {
            self.next_digest_ns = stamp.time_ns + DIGEST_NS;
            record.note_digest(stamp.cycle, self.pipeline.digest());
        }
    }

    /// Copies the next part of a checkpoint out, where one is due.
    fn take_part(&mut self, stamp: CycleStamp) {
        let Some(record) = &mut self.outlets.record else {
            return;
        };
        let round = &mut self.round;
        if !record.takes_parts() || (round.part == 0 && stamp.time_ns < round.next_ns) {
            return;
        }
        // In virtual time nothing is late, so that a recording may be waited for.
        let slot = if self.pacer.is_real() {
            record.slot()
        } else {
            record.slot_waiting()
        };
        let Some(mut slot) = slot else { return };
        if !self.pipeline.copy_part(round.part, &mut slot) {
            // A worker has it: the round begins anew.
            record.keep_slot(slot);
            (round.part, round.next_ns) = (0, stamp.time_ns + ROUND_NS);
            return;
        }
        if round.part == 0 {
            (round.number, round.next_ns) = (round.number + 1, stamp.time_ns + ROUND_NS);
        }
        let parts = self.pipeline.parts();
        record.note_part(Taken {
            slot,
            round: round.number,
            parts,
        });
        round.part = (round.part + 1) % parts;
    }

    /// What the operator told the run, for the record of the next cycle, which is the first that it holds for.
    pub(super) fn tell(&mut self, what: std::fmt::Arguments<'_>) {
        if let Some(record) = &mut self.outlets.record {
            // What is longer than the record's room is cut.
            let _ = record.told().write_fmt(what);
        }
    }
}
