//! The last cycles, always kept, and dumps of them around an overrun.
//!
//! The ring belongs to the cycle thread and is written every cycle. For a dump the cycle copies it into a buffer that was made
//! before, `A_CYCLE` entries a cycle, oldest first: the ring overwrites one entry a cycle, so that the copy stays ahead.

use super::cause::Outcome;
use crate::phases::{Group, GroupLaps, Laps, Phase};

/// Cycles in the ring.
pub const RING: usize = 4096;
/// Cycles after an overrun that its dump holds.
pub const AFTER: u64 = 256;
/// Entries that are copied in one cycle.
const A_CYCLE: usize = 64;

const _: () = assert!(A_CYCLE > 1 && RING.is_multiple_of(A_CYCLE));

/// One cycle. Durations beyond 4.29 s are cut to that.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Entry {
    /// The cycle.
    pub cycle: u64,
    /// Phases (ns).
    pub laps: [u32; Phase::COUNT],
    /// Groups of models (ns).
    pub groups: [u32; Group::COUNT],
    /// What the exchange came to.
    pub outcome: Outcome,
}

impl Entry {
    /// Packs a cycle.
    #[inline]
    pub fn new(cycle: u64, laps: &Laps, groups: &GroupLaps, outcome: Outcome) -> Self {
        let cut = |ns: u64| u32::try_from(ns).unwrap_or(u32::MAX);
        Self {
            cycle,
            laps: laps.map(cut),
            groups: groups.map(cut),
            outcome,
        }
    }
}

/// A copy of the ring around an overrun.
#[derive(Clone, Debug)]
pub struct Dump {
    /// The cycle that overran.
    pub overrun: u64,
    /// Cycles around it, oldest first.
    pub entries: Vec<Entry>,
}

impl Dump {
    /// With room for all.
    pub fn new() -> Self {
        Self {
            overrun: 0,
            entries: Vec::with_capacity(RING),
        }
    }
}

impl Default for Dump {
    fn default() -> Self {
        Self::new()
    }
}

/// The ring.
#[derive(Clone, Debug)]
pub struct Ring {
    entries: Vec<Entry>,
    /// Where the next cycle goes.
    next: usize,
    /// Cycles in it, at most [`RING`].
    count: usize,
}

impl Default for Ring {
    fn default() -> Self {
        Self {
            entries: vec![Entry::default(); RING],
            next: 0,
            count: 0,
        }
    }
}

impl Ring {
    /// Takes a cycle in.
    #[inline]
    pub fn push(&mut self, entry: Entry) {
        if let Some(slot) = self.entries.get_mut(self.next) {
            *slot = entry;
        }
        self.next = (self.next + 1) % RING;
        self.count = (self.count + 1).min(RING);
    }

    /// Copies a portion into `dump`, those before `end` (a cycle) that it does not have yet. Returns whether it is whole.
    pub fn copy(&self, dump: &mut Dump, end: u64) -> bool {
        let last = dump.entries.last().map(|entry| entry.cycle);
        let oldest = (self.next + RING - self.count) % RING;
        let place = |n: usize| (oldest + n) % RING;
        // Cycles ascend, so that what is still to come is found by halving.
        let (mut from, mut to) = (0, self.count);
        while from < to {
            let middle = from.midpoint(to);
            let known = |entry: &Entry| last.is_some_and(|last| entry.cycle <= last);
            if self.entries.get(place(middle)).is_some_and(known) {
                from = middle + 1;
            } else {
                to = middle;
            }
        }
        for n in from..(from + A_CYCLE).min(self.count) {
            match self.entries.get(place(n)) {
                Some(entry) if entry.cycle <= end && dump.entries.len() < RING => {
                    dump.entries.push(*entry);
                }
                _ => return true,
            }
        }
        from + A_CYCLE >= self.count
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(cycle: u64) -> Entry {
        Entry {
            cycle,
            ..Entry::default()
        }
    }

    #[test]
    fn the_last_cycles_are_kept_and_copied_while_it_goes_on() {
        for filled in [10, 300, 4096, 5000, 20_000_u64] {
            let mut ring = Ring::default();
            (0..filled).for_each(|cycle| ring.push(entry(cycle)));
            let (mut dump, end) = (Dump::new(), filled - 1);
            let mut next = filled;
            while !ring.copy(&mut dump, end) {
                // The next cycle overwrites the oldest.
                ring.push(entry(next));
                next += 1;
            }
            let cycles: Vec<_> = dump.entries.iter().map(|e| e.cycle).collect();
            let first = filled.saturating_sub(RING as u64);
            assert_eq!(cycles, (first..filled).collect::<Vec<_>>(), "{filled}");
            assert!(dump.entries.capacity() == RING, "it never grew");
        }
    }

    #[test]
    fn long_durations_are_cut_and_not_wrapped() {
        let packed = Entry::new(
            7,
            &[u64::MAX; Phase::COUNT],
            &[5; Group::COUNT],
            Outcome::Gap,
        );
        assert_eq!(packed.laps, [u32::MAX; Phase::COUNT]);
        assert_eq!(packed.groups, [5; Group::COUNT]);
    }
}
