//! When the next cycle starts.
//!
//! A simulated segment runs on a virtual clock: one period a cycle, whatever the computer does meanwhile. `demo` in real time
//! only paces it by the wall clock, so that a hiccup of the computer costs time and never a set-point: a run in real time and
//! one with `--fast` have the same digest. On a real interface the bus runs on the monotonic clock, and the cycle's start is
//! steered so that the frame passes at SYNC0 plus the shift.

mod apart;

use crate::clock;
use crate::cycle_clock::{ClockFigures, Grid};
use apart::{Apart, Left, Next};
use std::time::Duration;
use twinstep_drivers::clock::Clock;

/// Share of the phase error that is corrected at once.
const PROPORTIONAL: f64 = 0.1;
/// Share of the phase error that goes into the estimate of the clocks' drift.
const INTEGRAL: f64 = 0.005;
/// Part of the period that acyclic work leaves before the next start.
const RESERVE: u64 = 10;
/// Part of the period by which the usual lateness is learnt in a cycle.
const USUAL_PART: u64 = 4096;
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
    Bus {
        /// The clock.
        clock: Clock,
        /// Where the frame is to pass behind SYNC0 (ns, below the period); none without distributed clocks, where SubDevices act on
        /// the frame itself and there is no pulse for two set-points.
        shift_ns: Option<u64>,
    },
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
    /// When the cycle was woken on the clock of a real bus (ns).
    woken_ns: u64,
    /// How much later than their start and than usual its frames left, as far as is known (ns).
    late_ns: u64,
    /// The lateness that half of all cycles exceed (ns).
    usual_late_ns: u64,
    /// What sending takes at least (ns).
    shortest_send_ns: u64,
    /// Where a frame that is not late passes behind SYNC0 (ns).
    passes_ns: i64,
    /// Keeps frames apart where the starts do not follow the distributed clocks that their SYNC0 is of.
    apart: Option<Apart>,
}

impl Pacer {
    /// The first cycle starts at `next_ns` on the clock of the bus.
    pub fn new(pace: Pace, period_ns: u64, next_ns: u64) -> Self {
        let wall_ns = if let Pace::Bus { .. } = pace {
            next_ns
        } else {
            clock::monotonic_ns()
        };
        let passes_ns = match pace {
            Pace::Bus { shift_ns, .. } => shift_ns.unwrap_or(0).cast_signed(),
            Pace::Virtual(_) | Pace::Wall(_) | Pace::Frames => 0,
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
            woken_ns: next_ns,
            late_ns: 0,
            usual_late_ns: 0,
            shortest_send_ns: u64::MAX,
            passes_ns,
            apart: None,
        }
    }

    /// Holds the starts against a clock. Where that one is followed the first start is put where it should be, up to a period
    /// later, and distributed clocks are not followed: their pulses are crossed then. Nothing where the cycle has no start of its
    /// own.
    pub fn hold_against(&mut self, grid: Grid) {
        match self.pace {
            Pace::Virtual(_) | Pace::Frames => return,
            Pace::Wall(_) => {
                self.wall_ns = self.wall_ns.saturating_add(grid.wait_ns(self.wall_ns));
            }
            Pace::Bus { shift_ns, .. } => {
                self.next_ns = self.next_ns.saturating_add(grid.wait_ns(self.next_ns));
                self.wall_ns = self.next_ns;
                let crossing = grid.follows() && shift_ns.is_some();
                self.apart = crossing.then(|| Apart::new(self.period_ns));
            }
        }
        self.grid = Some(grid);
    }

    /// What became of the clock that the starts are held against; none where there is none.
    pub fn clock_figures(&self) -> Option<ClockFigures> {
        self.grid.as_ref().map(Grid::figures)
    }

    /// When the last cycle was to start, on CLOCK_MONOTONIC (ns), whether its frame was held back or not; none in virtual time, and
    /// where somebody else's frames begin it.
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
            Pace::Virtual(_) | Pace::Wall(_) | Pace::Bus { .. } => self.wall_ns,
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
            Pace::Bus { .. } => self.slack_ns().saturating_sub(self.period_ns / RESERVE),
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
            Pace::Bus { clock: bus, .. } => {
                // A real bus goes by the same clock; a virtual one is taken along.
                self.started_ns = Some(self.next_ns);
                let held_ns = self.apart.as_ref().map_or(0, Apart::hold_ns);
                let due_ns = self.next_ns.saturating_add(held_ns);
                clock::wait_until_ns(due_ns, self.spin_ns);
                bus.wait_until_ns(due_ns);
                self.woken_ns = bus.now_ns();
                self.late_ns = self.woken_ns.saturating_sub(self.next_ns);
                self.woken_ns.saturating_sub(due_ns)
            }
            Pace::Frames => 0,
        }
    }

    /// The frames of this cycle have left: a pause between waking and sending is lateness too.
    pub fn left(&mut self) {
        if let Pace::Bus { clock, .. } = &self.pace {
            let send_ns = clock.now_ns().saturating_sub(self.woken_ns);
            self.shortest_send_ns = self.shortest_send_ns.min(send_ns);
            self.late_ns += send_ns - self.shortest_send_ns;
        }
    }

    /// Plans the next start. `phase_error_ns` is where the frame passed against where it should have. Returns how many starts are
    /// left out: those that have passed, and those whose frame would come behind a late one in the same interval between two SYNC0
    /// pulses, since two set-points are never sent in one.
    pub fn advance(&mut self, phase_error_ns: Option<i64>) -> u32 {
        if let Pace::Frames = self.pace {
            return 0;
        }
        // A simulated bus has a clock of its own, which the starts on the wall clock do not move.
        let real_bus = matches!(self.pace, Pace::Bus { .. });
        let start_ns = if real_bus { self.next_ns } else { self.wall_ns };
        let behind = self.intervals_behind(phase_error_ns);
        // What the computer was late by in this cycle says nothing of where its start lies.
        let late_ns = if real_bus {
            self.late_ns.cast_signed()
        } else {
            0
        };
        let usual_ns = self.usual_late_ns.cast_signed();
        let of_start_ns = |error_ns| within_half(error_ns - late_ns, self.period_ns);
        let bus_error_ns = phase_error_ns.filter(|_| real_bus).map(of_start_ns);
        let grid = self.grid.as_mut();
        let followed = grid.and_then(|grid| grid.advance(start_ns, bus_error_ns));
        let correction = match followed {
            Some(correction) if real_bus => correction,
            _ => {
                let error_ns = phase_error_ns.map_or(0, |error_ns| {
                    let usually_ns = error_ns - late_ns + usual_ns;
                    within_half(usually_ns, self.period_ns)
                });
                let error = error_ns as f64;
                self.drift_ns += INTEGRAL * error;
                libm::round(PROPORTIONAL * error + self.drift_ns) as i64
            }
        };
        self.next_ns =
            (self.next_ns.saturating_add(self.period_ns)).saturating_add_signed(-correction);
        if let Pace::Bus {
            clock: bus,
            shift_ns,
        } = &self.pace
        {
            let (first_ns, now_ns) = (self.next_ns, bus.now_ns());
            let start_ns = |skipped: u64| first_ns.saturating_add(skipped * self.period_ns);
            let passed = starts_before(now_ns, first_ns, self.period_ns);
            let next = match (&mut self.apart, shift_ns) {
                (Some(apart), Some(shift_ns)) => {
                    let since_ns = |error_ns| behind_pulse(*shift_ns, error_ns, self.period_ns);
                    let frame = Left {
                        passed_ns: phase_error_ns.map(since_ns),
                        late_ns,
                        correction_ns: correction,
                    };
                    let is_ahead =
                        |next: Next| start_ns(next.left_out).saturating_add(next.hold_ns) > now_ns;
                    apart.plan(frame, passed, is_ahead)
                }
                _ => Next {
                    left_out: passed.max(behind),
                    hold_ns: 0,
                },
            };
            self.usual_late_ns = towards(self.usual_late_ns, self.late_ns, self.period_ns);
            self.next_ns = start_ns(next.left_out);
            self.wall_ns = self.next_ns.saturating_add(next.hold_ns);
            return u32::try_from(next.left_out).unwrap_or(u32::MAX - 1);
        }
        let next = (self.wall_ns.saturating_add(self.period_ns))
            .saturating_add_signed(-followed.unwrap_or(0));
        let now = clock::monotonic_ns();
        let hopeless = now.saturating_sub(next) > GIVE_UP * self.period_ns;
        self.wall_ns = if hopeless { now } else { next };
        0
    }
}

impl Pacer {
    /// Intervals between two SYNC0 pulses that the frame of this cycle came after its own one, from how late it left, and exactly
    /// where the reference clock has told when it passed. 0 but on a real bus whose distributed clocks are followed.
    fn intervals_behind(&mut self, phase_error_ns: Option<i64>) -> u64 {
        let Pace::Bus {
            shift_ns: Some(shift_ns),
            ..
        } = self.pace
        else {
            return 0;
        };
        // Starts that follow another clock cross the pulses of this one: no interval is a start's own.
        if self.apart.is_some() {
            return 0;
        }
        let period_ns = self.period_ns.max(1).cast_signed();
        let (shift_ns, late_ns) = (shift_ns.cast_signed(), self.late_ns.cast_signed());
        let since_own_ns = late_ns.saturating_add(self.passes_ns);
        let behind = match phase_error_ns {
            None => since_own_ns.div_euclid(period_ns),
            Some(error_ns) => {
                let since_last_ns =
                    behind_pulse(shift_ns.cast_unsigned(), error_ns, self.period_ns);
                self.passes_ns = shift_ns + within_half(error_ns - late_ns, self.period_ns);
                // Whole but for what the two clocks and the lateness are apart.
                (since_own_ns - since_last_ns + period_ns / 2).div_euclid(period_ns)
            }
        };
        behind.max(0).cast_unsigned()
    }
}

/// `usual_ns`, a step nearer to `late_ns`: who is late by far counts no more than any other.
fn towards(usual_ns: u64, late_ns: u64, period_ns: u64) -> u64 {
    let step_ns = (period_ns / USUAL_PART).max(1);
    if late_ns > usual_ns {
        late_ns.min(usual_ns.saturating_add(step_ns))
    } else {
        late_ns.max(usual_ns.saturating_sub(step_ns))
    }
}

/// Where a frame passed behind the last SYNC0 (ns), from its phase error.
fn behind_pulse(shift_ns: u64, error_ns: i64, period_ns: u64) -> i64 {
    (shift_ns.cast_signed() + error_ns).rem_euclid(period_ns.max(1).cast_signed())
}

/// `phase_ns`, less whole periods: within half a period.
fn within_half(phase_ns: i64, period_ns: u64) -> i64 {
    let period_ns = period_ns.max(1).cast_signed();
    match phase_ns.rem_euclid(period_ns) {
        late if late > period_ns / 2 => late - period_ns,
        late => late,
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
#[path = "pacer_tests.rs"]
mod tests;
