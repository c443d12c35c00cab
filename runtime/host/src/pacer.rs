//! When the next cycle starts.
//!
//! A simulated segment runs on a virtual clock: one period a cycle, whatever the computer does meanwhile. `demo` in real time
//! only paces it by the wall clock, so that a hiccup of the computer costs time and never a set-point: a run in real time and
//! one with `--fast` have the same digest. On a real interface the bus runs on the monotonic clock, and the cycle's start is
//! steered so that the frame passes at SYNC0 plus the shift.

use crate::clock;
use std::time::Duration;
use twinstep_drivers::clock::Clock;

/// Share of the phase error that is corrected at once.
const PROPORTIONAL: f64 = 0.1;
/// Share of the phase error that goes into the estimate of the clocks' drift.
const INTEGRAL: f64 = 0.005;
/// Part of the period that acyclic work leaves before the next start.
const RESERVE: u64 = 10;
/// Lateness after which the wall clock's schedule starts anew instead of catching up (periods).
const GIVE_UP: u64 = 50;

/// What the cycle waits for.
#[derive(Clone, Debug)]
pub enum Pace {
    /// Nothing: as fast as the processor allows. The clock is the virtual one of the bus, if it has one.
    Virtual(Option<Clock>),
    /// The wall clock paces a bus on a virtual clock.
    Wall(Clock),
    /// The bus is real and so is its clock.
    Bus(Clock),
}

/// Keeps the schedule of the cycle.
#[derive(Clone, Debug)]
pub struct Pacer {
    pace: Pace,
    period_ns: u64,
    /// Start of the next cycle on the clock of the bus (ns).
    next_ns: u64,
    /// The same on the wall clock (ns).
    wall_ns: u64,
    drift_ns: f64,
}

impl Pacer {
    /// The first cycle starts at `next_ns` on the clock of the bus.
    pub fn new(pace: Pace, period_ns: u64, next_ns: u64) -> Self {
        let wall_ns = if let Pace::Bus(_) = pace {
            next_ns
        } else {
            clock::monotonic_ns()
        };
        Self {
            pace,
            period_ns,
            next_ns,
            wall_ns,
            drift_ns: 0.0,
        }
    }

    /// Whether durations can be late at all.
    pub fn is_real(&self) -> bool {
        !matches!(self.pace, Pace::Virtual(_))
    }

    /// Time that is left until the next start (ns), 0 in virtual time.
    pub fn slack_ns(&self) -> u64 {
        if self.is_real() {
            self.wall_ns.saturating_sub(clock::monotonic_ns())
        } else {
            0
        }
    }

    /// Time for work outside the cycle's data: on a real bus what is left of the period, less a reserve, since an answer to a
    /// register access takes as long as one to process data. A simulated bus answers in virtual time, at once.
    pub fn acyclic_budget(&self) -> Duration {
        let budget_ns = match self.pace {
            Pace::Bus(_) => self.slack_ns().saturating_sub(self.period_ns / RESERVE),
            Pace::Wall(_) | Pace::Virtual(_) => self.period_ns / RESERVE,
        };
        Duration::from_nanos(budget_ns)
    }

    /// Waits for the start of the cycle and returns how late it is (ns).
    pub fn wait(&mut self) -> u64 {
        match &self.pace {
            Pace::Virtual(bus) => {
                if let Some(bus) = bus {
                    bus.wait_until_ns(self.next_ns);
                }
                0
            }
            Pace::Wall(bus) => {
                clock::sleep_until_ns(self.wall_ns);
                bus.wait_until_ns(self.next_ns);
                clock::monotonic_ns().saturating_sub(self.wall_ns)
            }
            Pace::Bus(bus) => {
                bus.wait_until_ns(self.next_ns);
                bus.now_ns().saturating_sub(self.next_ns)
            }
        }
    }

    /// Plans the next start. `phase_error_ns` is where the frame passed against where it should have.
    pub fn advance(&mut self, phase_error_ns: Option<i64>) {
        let error = phase_error_ns.unwrap_or(0) as f64;
        self.drift_ns += INTEGRAL * error;
        let correction = libm::round(PROPORTIONAL * error + self.drift_ns) as i64;
        self.next_ns = self
            .next_ns
            .saturating_add(self.period_ns)
            .saturating_add_signed(-correction);
        self.wall_ns = match self.pace {
            Pace::Bus(_) => {
                // A start that has passed is skipped: two set-points are never sent in one SYNC0.
                while self.next_ns < clock::monotonic_ns().saturating_sub(self.period_ns / 2) {
                    self.next_ns += self.period_ns;
                }
                self.next_ns
            }
            _ => {
                let next = self.wall_ns.saturating_add(self.period_ns);
                let now = clock::monotonic_ns();
                if now.saturating_sub(next) > GIVE_UP * self.period_ns {
                    now
                } else {
                    next
                }
            }
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_drifting_clock_is_followed() {
        // The frame passes at next_ns; SYNC0 of a clock that runs 100 ppm fast comes 100 ns earlier with every cycle.
        let bus = Clock::virtual_from(0);
        let mut pacer = Pacer::new(Pace::Virtual(Some(bus.clone())), 1_000_000, 1_000_000);
        let mut sync_ns = 1_000_300.0;
        let mut last = f64::NAN;
        for _ in 0..5_000 {
            pacer.wait();
            last = bus.now_ns() as f64 - sync_ns;
            pacer.advance(Some(last as i64));
            sync_ns += 1_000_000.0 - 100.0;
        }
        assert!(last.abs() < 10.0, "phase error {last} ns");
    }
}
