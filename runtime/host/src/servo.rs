//! Brings the starts of the cycle onto the whole periods of another clock, and keeps them there. No clock is read here.
//!
//! Start k lies at s on CLOCK_MONOTONIC and at c(s) on the other clock. Its phase error e is the distance of c(s) from the nearest
//! c = n period + phase, positive when late. The next start lies one period later, less
//!
//! u = P e + d,  d <- d + I e
//!
//! so that d becomes what the other clock gains in a period. With P = 0.1 and I = 0.005 the poles are 0.95 +- 0.05 i: an error is
//! a hundredth after a hundred cycles. u is at most a fiftieth of the period: two starts are never nearer than 98 % of one,
//! whatever the other clock does. From farther away than that d is left alone: when the other clock jumps, the starts walk to
//! where they belong, and nothing of it is taken for drift.

/// Share of the phase error that is corrected at once.
const PROPORTIONAL: f64 = 0.1;
/// Share of the phase error that goes into the estimate of the drift.
const INTEGRAL: f64 = 0.005;
/// Largest correction of one start, as part of the period.
const LIMIT_PART: u64 = 50;
/// Largest drift that is believed, as part of the period: 0.1 %. No quartz is off by more.
const DRIFT_PART: u64 = 1_000;
/// Reading both clocks takes at most this long, or the reading does not count (ns).
const MAX_WIDTH_NS: u64 = 20_000;
/// The other clock has jumped when it moved against CLOCK_MONOTONIC by more than this (ns) and a [`DRIFT_PART`] of the time since.
const JUMP_NS: u64 = 2 * MAX_WIDTH_NS;
/// Near enough to be locked: this part of the period, or [`NEAR_NS`] where that is longer.
const NEAR_PART: u64 = 500;
/// See [`NEAR_PART`] (ns).
const NEAR_NS: u64 = 1_000;
/// Cycles near enough after which it is locked.
const LOCK_CYCLES: u32 = 50;
/// Cycles beyond five times that after which it is not locked any more.
const LOST_CYCLES: u32 = 8;

/// A reading of both clocks, and the start of the cycle that it belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reading {
    /// Start of the cycle on CLOCK_MONOTONIC (ns).
    pub start_ns: u64,
    /// When both were read, on CLOCK_MONOTONIC (ns).
    pub monotonic_ns: u64,
    /// What the other clock showed then (ns).
    pub other_ns: u64,
    /// Time that the reading took (ns).
    pub width_ns: u64,
}

impl Reading {
    /// What the other clock minus CLOCK_MONOTONIC is (ns); wraps around, only differences count.
    const fn offset_ns(&self) -> i64 {
        self.other_ns.wrapping_sub(self.monotonic_ns).cast_signed()
    }

    /// What the other clock showed at the start of the cycle (ns).
    const fn start_on_other_ns(&self) -> u64 {
        self.start_ns.wrapping_add_signed(self.offset_ns())
    }
}

/// See the module.
#[derive(Clone, Debug)]
pub struct Servo {
    period_ns: u64,
    phase_ns: u64,
    drift_ns: f64,
    /// Offset of the last reading that counted, and its time on CLOCK_MONOTONIC (ns).
    last: Option<(i64, u64)>,
    error_ns: Option<i64>,
    near: u32,
    far: u32,
    /// Cycles in a row without a reading.
    blind: u32,
    locked: bool,
    /// Times that the other clock jumped.
    pub jumps: u64,
    /// Cycles in which it could not be read, or not fast enough.
    pub unread: u64,
    /// Times that the lock was lost.
    pub lost: u64,
}

impl Servo {
    /// Starts are to lie on whole periods and `phase_ns` later.
    pub const fn new(period_ns: u64, phase_ns: u64) -> Self {
        Self {
            period_ns,
            phase_ns,
            drift_ns: 0.0,
            last: None,
            error_ns: None,
            near: 0,
            far: 0,
            blind: 0,
            locked: false,
            jumps: 0,
            unread: 0,
            lost: 0,
        }
    }

    /// Whether the starts lie where they should.
    pub const fn is_locked(&self) -> bool {
        self.locked
    }

    /// Where the last start lay against where it should (ns, positive: late); none before the first reading, and where the
    /// clock cannot be read any more.
    pub const fn error_ns(&self) -> Option<i64> {
        self.error_ns
    }

    /// What the other clock gains on CLOCK_MONOTONIC, as far as the loop has found out (parts per billion).
    pub fn drift_ppb(&self) -> f64 {
        self.drift_ns / self.period_ns as f64 * 1e9
    }

    /// Time from a start at `start_ns` to the first one after it that lies where it should (ns), below the period.
    pub fn wait_ns(&self, reading: &Reading) -> u64 {
        let error_ns = self.phase_error_ns(reading.start_on_other_ns());
        if error_ns > 0 {
            self.period_ns - error_ns.unsigned_abs()
        } else {
            error_ns.unsigned_abs()
        }
    }

    /// Distance of `other_ns` from the nearest place where a start should be (ns), at most half a period.
    fn phase_error_ns(&self, other_ns: u64) -> i64 {
        let late_ns = other_ns.wrapping_sub(self.phase_ns) % self.period_ns;
        if late_ns > self.period_ns / 2 {
            -((self.period_ns - late_ns).cast_signed())
        } else {
            late_ns.cast_signed()
        }
    }

    /// Takes a reading in; none: the clock could not be read. Returns what the next start is to be earlier by than one period
    /// after this one (ns).
    pub fn advance(&mut self, reading: Option<Reading>) -> i64 {
        let Some(reading) = reading.filter(|reading| reading.width_ns <= MAX_WIDTH_NS) else {
            self.unread += 1;
            self.blind = self.blind.saturating_add(1);
            if self.blind >= LOST_CYCLES {
                self.go_blind();
            }
            return self.limited(self.drift_ns);
        };
        self.blind = 0;
        let jumped = self.has_jumped(&reading);
        self.last = Some((reading.offset_ns(), reading.monotonic_ns));
        // Between the start and the reading the other clock has gained, too.
        let since_ns = reading.monotonic_ns.wrapping_sub(reading.start_ns);
        let periods = since_ns.cast_signed() as f64 / self.period_ns as f64;
        let gained_ns = libm::round(self.drift_ns * periods) as i64;
        let start_ns = reading.start_on_other_ns();
        let error_ns = self.phase_error_ns(start_ns.wrapping_add_signed(-gained_ns));
        self.error_ns = Some(error_ns);
        if jumped {
            self.jumps += 1;
        }
        self.judge(error_ns.unsigned_abs(), jumped);
        let wanted_ns = PROPORTIONAL * error_ns as f64 + self.drift_ns;
        let correction_ns = self.limited(wanted_ns);
        // From far away it is no drift.
        if error_ns.unsigned_abs() <= self.period_ns / LIMIT_PART && !jumped {
            let most_ns = self.period_ns as f64 / DRIFT_PART as f64;
            let drift_ns = self.drift_ns + INTEGRAL * error_ns as f64;
            self.drift_ns = drift_ns.clamp(-most_ns, most_ns);
        }
        correction_ns
    }

    /// Nobody knows any more where the starts lie; they go on with the drift that was found.
    fn go_blind(&mut self) {
        self.error_ns = None;
        (self.near, self.far) = (0, 0);
        if self.locked {
            self.locked = false;
            self.lost += 1;
        }
    }

    fn limited(&self, correction_ns: f64) -> i64 {
        let most_ns = (self.period_ns / LIMIT_PART) as f64;
        libm::round(correction_ns.clamp(-most_ns, most_ns)) as i64
    }

    fn has_jumped(&self, reading: &Reading) -> bool {
        self.last.is_some_and(|(offset_ns, at_ns)| {
            let moved_ns = reading.offset_ns().wrapping_sub(offset_ns).unsigned_abs();
            let since_ns = reading.monotonic_ns.saturating_sub(at_ns);
            moved_ns > JUMP_NS + since_ns / DRIFT_PART
        })
    }

    fn judge(&mut self, error_ns: u64, jumped: bool) {
        let near_ns = (self.period_ns / NEAR_PART).max(NEAR_NS);
        self.near = if error_ns <= near_ns {
            self.near.saturating_add(1)
        } else {
            0
        };
        self.far = if error_ns > 5 * near_ns {
            self.far.saturating_add(1)
        } else {
            0
        };
        if self.locked && (jumped && error_ns > near_ns || self.far >= LOST_CYCLES) {
            self.locked = false;
            self.lost += 1;
        } else if self.near >= LOCK_CYCLES {
            self.locked = true;
        }
    }
}

#[cfg(test)]
#[path = "servo_tests.rs"]
mod tests;
