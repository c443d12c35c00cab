//! The nine phases of a cycle, the groups of models within them, and the stopwatch for both.
//!
//! What is counted of them stands in `phases/statistics.rs`.

mod buckets;
mod statistics;
mod trace;
mod what_if;

pub use buckets::Buckets;
pub use statistics::{PhaseFigures, PhaseSettings, PhaseSnapshot, PhaseStatistics, Timing, WarmUp};
pub use trace::{Delivery, MAX_CYCLES, Measured, Trace};
pub use twinstep_cycle::group::Group;
pub use what_if::WhatIf;

use crate::clock;

/// One phase of the cycle, in the order in which they run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Phase {
    /// Wait for the start of the cycle; its figure is the lateness, not the wait.
    Wake = 0,
    /// Process data leave.
    Send = 1,
    /// Models are advanced to the sample that is about to arrive.
    Predict = 2,
    /// Until the frame is back or the deadline has passed.
    Receive = 3,
    /// Bytes to SI, residuals, detectors.
    Compare = 4,
    /// Flags, events and records go into their queues.
    Publish = 5,
    /// Observers take the measurement in.
    Correct = 6,
    /// Bounded work outside the cycle's data.
    Acyclic = 7,
    /// What is left until the next start.
    Slack = 8,
}

impl Phase {
    /// Number of phases.
    pub const COUNT: usize = 9;
    /// All phases, in the order of the cycle.
    pub const ALL: [Self; Self::COUNT] = [
        Self::Wake,
        Self::Send,
        Self::Predict,
        Self::Receive,
        Self::Compare,
        Self::Publish,
        Self::Correct,
        Self::Acyclic,
        Self::Slack,
    ];

    /// The stable word.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Wake => "wake",
            Self::Send => "send",
            Self::Predict => "predict",
            Self::Receive => "receive",
            Self::Compare => "compare",
            Self::Publish => "publish",
            Self::Correct => "correct",
            Self::Acyclic => "acyclic",
            Self::Slack => "slack",
        }
    }
}

/// Durations of one cycle (ns), by phase.
pub type Laps = [u64; Phase::COUNT];
/// Time that one cycle spent on each group of models (ns): in predict, compare and correct together.
pub type GroupLaps = [u64; Group::COUNT];

/// Whatever has a duration of its own in a cycle, and may have a budget.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Row {
    /// A phase.
    Phase(Phase),
    /// A group of models.
    Group(Group),
    /// All phases but slack: what an overrun is judged by. Its budget is the period.
    Busy,
}

impl Row {
    /// Number of rows.
    pub const COUNT: usize = Phase::COUNT + Group::COUNT + 1;

    /// All rows: phases, groups, the whole.
    pub fn all() -> impl Iterator<Item = Self> {
        let phases = Phase::ALL.into_iter().map(Self::Phase);
        let groups = Group::ALL.into_iter().map(Self::Group);
        phases.chain(groups).chain([Self::Busy])
    }

    /// Its place in tables.
    pub const fn index(self) -> usize {
        match self {
            Self::Phase(phase) => phase as usize,
            Self::Group(group) => Phase::COUNT + group as usize,
            Self::Busy => Self::COUNT - 1,
        }
    }

    /// The stable word.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Phase(phase) => phase.name(),
            Self::Group(group) => group.name(),
            Self::Busy => "busy",
        }
    }

    /// The row with this stable word.
    pub fn named(name: &str) -> Option<Self> {
        Self::all().find(|row| row.name() == name)
    }
}

/// A stopwatch that is never stopped: every lap ends one phase and begins the next.
#[derive(Clone, Copy, Debug, Default)]
pub struct PhaseTimer {
    last_ns: u64,
    /// End of the last group, or start of the phase.
    mark_ns: u64,
    laps: Laps,
    groups: GroupLaps,
}

impl PhaseTimer {
    /// Begins a cycle at `now_ns` (CLOCK_MONOTONIC); all phases are empty.
    #[inline]
    pub fn begin(&mut self, now_ns: u64) {
        (self.last_ns, self.mark_ns) = (now_ns, now_ns);
        self.laps = [0; Phase::COUNT];
        self.groups = [0; Group::COUNT];
    }

    /// Ends `phase` now. A phase that comes more than once in a cycle adds up.
    #[inline]
    pub fn lap(&mut self, phase: Phase) {
        self.lap_at(phase, clock::monotonic_ns());
    }

    /// Ends `phase` at `now_ns`.
    #[inline]
    pub fn lap_at(&mut self, phase: Phase, now_ns: u64) {
        self.laps[phase as usize] += now_ns.saturating_sub(self.last_ns);
        (self.last_ns, self.mark_ns) = (now_ns, now_ns);
    }

    /// What came since the last lap was no model: the first group begins now.
    #[inline]
    pub fn begin_groups(&mut self) {
        self.mark_ns = clock::monotonic_ns();
    }

    /// Ends the work on `group` now; the next group begins.
    #[inline]
    pub fn mark(&mut self, group: Group) {
        self.mark_at(group, clock::monotonic_ns());
    }

    /// Ends the work on `group` at `now_ns`.
    #[inline]
    pub fn mark_at(&mut self, group: Group, now_ns: u64) {
        self.groups[group as usize] += now_ns.saturating_sub(self.mark_ns);
        self.mark_ns = now_ns;
    }

    /// Sets a phase whose figure is no lap: the lateness of the wake-up, the slack that is left.
    #[inline]
    pub fn set(&mut self, phase: Phase, duration_ns: u64) {
        self.laps[phase as usize] = duration_ns;
    }

    /// The durations of this cycle so far.
    #[inline]
    pub const fn laps(&self) -> &Laps {
        &self.laps
    }

    /// The time that this cycle has spent on each group so far.
    #[inline]
    pub const fn groups(&self) -> &GroupLaps {
        &self.groups
    }
}

#[cfg(test)]
mod tests;
