//! Keeps two frames out of one interval between two SYNC0 pulses, where the starts follow another clock and so cross the pulses.
//!
//! On the distributed clocks, from the last pulse before it: a frame passed at s, and left l behind its start. The next one leaves
//! a = (1 + k) period - u - l after it or later, where k starts are left out and u is what the clock that is followed corrects. It
//! passes at s + a or later, and must not before the next pulse. What is missing to that the frame is held back; where that would
//! be more than a [`MOST_PART`] of the period, one more start is left out instead.
//!
//! So where the distributed clocks are the slower ones frames are held back a little longer each time as they near the pulse, and
//! then one start is left out: next to the pulse lateness, which is different every time, decides nothing.

use super::within_half;

/// A frame is held back by at most this part of the period.
const MOST_PART: i64 = 10;
/// It passes this part of the period behind the pulse at least: the way to the reference clock does not always take as long.
const GUARD_PART: i64 = 100;
/// Part of the time that the clocks move against each other at most: 0.1 %. No quartz is off by more.
const DRIFT_PART: i64 = 1_000;

/// What the next start comes to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Next {
    /// Starts that are left out before it.
    pub left_out: u64,
    /// Its frame is held back by this (ns).
    pub hold_ns: u64,
}

/// The frame of a cycle.
#[derive(Clone, Copy, Debug)]
pub struct Left {
    /// Where it passed behind the last pulse (ns, below the period), where the reference clock has told.
    pub passed_ns: Option<i64>,
    /// How much later than its start it left, what it was held back included (ns).
    pub late_ns: i64,
    /// What the next start is earlier by than a period later (ns).
    pub correction_ns: i64,
}

/// See the module.
#[derive(Clone, Copy, Debug)]
pub struct Apart {
    period_ns: i64,
    /// Where the frame of the next start passes at the earliest, less whole periods (ns); none before one was heard of.
    earliest_ns: Option<i64>,
    next: Next,
}

impl Apart {
    /// For starts every `period_ns`.
    pub fn new(period_ns: u64) -> Self {
        Self {
            period_ns: period_ns.max(1).cast_signed(),
            earliest_ns: None,
            next: Next::default(),
        }
    }

    /// The frame of the next start is held back by this (ns).
    pub fn hold_ns(&self) -> u64 {
        self.next.hold_ns
    }

    /// Plans what comes behind a frame. At least `passed` starts lie at or before now; `is_ahead` tells whether a start still lies ahead
    /// when it is held back, which the last one of these may.
    pub fn plan(&mut self, frame: Left, passed: u64, is_ahead: impl Fn(Next) -> bool) -> Next {
        let Some(seen_ns) = self.seen_ns(frame) else {
            self.next = Next {
                left_out: passed,
                hold_ns: 0,
            };
            return self.next;
        };
        let least_ns = |time_ns: i64| time_ns - time_ns / DRIFT_PART;
        let ahead_ns = self.period_ns - frame.correction_ns - frame.late_ns;
        let pulse_ns = self.period_ns + self.period_ns / GUARD_PART;
        let missing_ns = pulse_ns - seen_ns - least_ns(ahead_ns);
        // Another start is later by this.
        let each_ns = least_ns(self.period_ns).max(1);
        let too_much_ns = (missing_ns - self.period_ns / MOST_PART).max(0);
        let asked = (too_much_ns + each_ns - 1) / each_ns;
        let held = |left_out: u64| {
            let later_ns = left_out.cast_signed().saturating_mul(each_ns);
            Next {
                left_out,
                hold_ns: missing_ns.saturating_sub(later_ns).max(0).cast_unsigned(),
            }
        };
        let mut next = held(asked.cast_unsigned().max(passed.saturating_sub(1)));
        if next.left_out < passed && !is_ahead(next) {
            next = held(passed);
        }
        let periods = next.left_out.cast_signed();
        let later_ns = periods
            .saturating_mul(self.period_ns)
            .saturating_add(ahead_ns);
        self.earliest_ns = Some(seen_ns.saturating_add(later_ns).rem_euclid(self.period_ns));
        self.next = next;
        next
    }

    /// Where the frame passed behind the last pulse (ns), less what its way has taken longer than usual: the next one's may not. Unheard
    /// of, where it should have passed. None where none was ever heard of.
    fn seen_ns(&self, frame: Left) -> Option<i64> {
        let step_ns = self.period_ns / DRIFT_PART;
        let expected_ns = self.earliest_ns.map(|ns| ns.saturating_add(frame.late_ns));
        match (frame.passed_ns, expected_ns) {
            (Some(passed_ns), None) => Some(passed_ns),
            (Some(passed_ns), Some(expected_ns)) => {
                let later_ns = within_half(passed_ns - expected_ns, self.period_ns.unsigned_abs());
                Some(passed_ns - (later_ns - step_ns).max(0))
            }
            // What the clocks have moved since is unknown: near the next pulse it may have come behind that one.
            (None, expected_ns) => expected_ns.map(|ns| {
                let guard_ns = self.period_ns / GUARD_PART;
                (ns.saturating_add(guard_ns)).rem_euclid(self.period_ns) - guard_ns - step_ns
            }),
        }
    }
}

#[cfg(test)]
#[path = "apart_tests.rs"]
mod tests;
