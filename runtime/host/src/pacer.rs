//! When the next cycle starts.
//!
//! A simulated segment runs on a virtual clock: one period a cycle, whatever the computer does meanwhile. `demo` in real time
//! only paces it by the wall clock, so that a hiccup of the computer costs time and never a set-point: a run in real time and
//! one with `--fast` have the same digest. On a real interface the bus runs on the monotonic clock, and the cycle's start is
//! steered so that the frame passes at SYNC0 plus the shift.

use crate::clock;
use crate::cycle_clock::{ClockFigures, Grid};
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
    /// Somebody else's frames, which the exchange waits for.
    Frames,
}

/// Keeps the schedule of the cycle.
#[derive(Debug)]
pub struct Pacer {
    pace: Pace,
    period_ns: u64,
    /// Start of the next cycle on the clock of the bus (ns).
    next_ns: u64,
    /// The same on the wall clock (ns).
    wall_ns: u64,
    drift_ns: f64,
    /// Time before a start that is spun away instead of slept (ns).
    spin_ns: u64,
    /// See [`Pacer::started_ns`].
    started_ns: Option<u64>,
    /// A clock that the starts are held against.
    grid: Option<Grid>,
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
            spin_ns: 0,
            started_ns: None,
            grid: None,
        }
    }

    /// Holds the starts against a clock. Where that one is followed the first start is put where it should be, up to a period
    /// later, and distributed clocks are not followed. Nothing where the cycle has no start of its own.
    pub fn hold_against(&mut self, grid: Grid) {
        match self.pace {
            Pace::Virtual(_) | Pace::Frames => return,
            Pace::Wall(_) => {
                self.wall_ns = self.wall_ns.saturating_add(grid.wait_ns(self.wall_ns));
            }
            Pace::Bus(_) => {
                self.next_ns = self.next_ns.saturating_add(grid.wait_ns(self.next_ns));
                self.wall_ns = self.next_ns;
            }
        }
        self.grid = Some(grid);
    }

    /// What became of the clock that the starts are held against; none where there is none.
    pub fn clock_figures(&self) -> Option<ClockFigures> {
        self.grid.as_ref().map(Grid::figures)
    }

    /// When the last cycle was to start, on CLOCK_MONOTONIC (ns); none in virtual time, and where somebody else's frames begin it.
    pub fn started_ns(&self) -> Option<u64> {
        self.started_ns
    }

    /// The last `spin_ns` before a start are spun away, the rest is slept; 0 unless told. Virtual time needs neither.
    pub fn spin_for(&mut self, spin_ns: u64) {
        self.spin_ns = spin_ns;
    }

    /// The period (ns).
    pub fn period_ns(&self) -> u64 {
        self.period_ns
    }

    /// Whether durations can be late at all.
    pub fn is_real(&self) -> bool {
        !matches!(self.pace, Pace::Virtual(_))
    }

    /// When the next cycle starts, on CLOCK_MONOTONIC (ns): now, where somebody else's frame begins it.
    pub fn next_wall_ns(&self) -> u64 {
        match self.pace {
            Pace::Frames => clock::monotonic_ns(),
            Pace::Virtual(_) | Pace::Wall(_) | Pace::Bus(_) => self.wall_ns,
        }
    }

    /// Time that is left until the next start (ns), 0 in virtual time.
    pub fn slack_ns(&self) -> u64 {
        if self.is_real() && !matches!(self.pace, Pace::Frames) {
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
            Pace::Frames => 0,
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
                self.started_ns = Some(self.wall_ns);
                clock::wait_until_ns(self.wall_ns, self.spin_ns);
                bus.wait_until_ns(self.next_ns);
                clock::monotonic_ns().saturating_sub(self.wall_ns)
            }
            Pace::Bus(bus) => {
                // A real bus goes by the same clock; a virtual one is taken along.
                self.started_ns = Some(self.next_ns);
                clock::wait_until_ns(self.next_ns, self.spin_ns);
                bus.wait_until_ns(self.next_ns);
                bus.now_ns().saturating_sub(self.next_ns)
            }
            Pace::Frames => 0,
        }
    }

    /// Plans the next start. `phase_error_ns` is where the frame passed against where it should have. Returns how many starts
    /// have passed unused: two set-points are never sent in one SYNC0.
    pub fn advance(&mut self, phase_error_ns: Option<i64>) -> u32 {
        if let Pace::Frames = self.pace {
            return 0;
        }
        // A simulated bus has a clock of its own, which the starts on the wall clock do not move.
        let real_bus = matches!(self.pace, Pace::Bus(_));
        let start_ns = if real_bus { self.next_ns } else { self.wall_ns };
        let bus_error_ns = phase_error_ns.filter(|_| real_bus);
        let grid = self.grid.as_mut();
        let followed = grid.and_then(|grid| grid.advance(start_ns, bus_error_ns));
        let correction = match followed {
            Some(correction) if real_bus => correction,
            _ => {
                let error = phase_error_ns.unwrap_or(0) as f64;
                self.drift_ns += INTEGRAL * error;
                libm::round(PROPORTIONAL * error + self.drift_ns) as i64
            }
        };
        self.next_ns =
            (self.next_ns.saturating_add(self.period_ns)).saturating_add_signed(-correction);
        if let Pace::Bus(bus) = &self.pace {
            let skipped = starts_before(bus.now_ns(), self.next_ns, self.period_ns);
            self.next_ns = self.next_ns.saturating_add(skipped * self.period_ns);
            self.wall_ns = self.next_ns;
            return u32::try_from(skipped).unwrap_or(u32::MAX - 1);
        }
        let next = (self.wall_ns.saturating_add(self.period_ns))
            .saturating_add_signed(-followed.unwrap_or(0));
        let now = clock::monotonic_ns();
        let hopeless = now.saturating_sub(next) > GIVE_UP * self.period_ns;
        self.wall_ns = if hopeless { now } else { next };
        0
    }
}

/// Starts, every `period_ns` from `next_ns` on, that lie at or before `now_ns`.
fn starts_before(now_ns: u64, next_ns: u64, period_ns: u64) -> u64 {
    if now_ns < next_ns {
        0
    } else {
        (now_ns - next_ns) / period_ns + 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_start_that_has_passed_is_never_used() {
        for (now, skipped) in [
            (0, 0),
            (999, 0),
            (1000, 1),
            (1001, 1),
            (1999, 1),
            (2000, 2),
            (5300, 5),
        ] {
            assert_eq!(starts_before(now, 1000, 1000), skipped, "{now}");
        }
    }

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
