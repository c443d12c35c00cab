//! Lost motion from the crossing of the gap while an axis brakes: the figure that a start at a reversal cannot give.
//!
//! # Derivation
//! A load that is driven lies on one flank of the gap. Braking harder than its own friction does, it runs ahead, crosses the whole
//! gap and lies on the other flank. Near the end the braking falls below its friction again: it stays behind, and stops somewhere
//! in the gap. So a start against the last movement (see [`super::backlash`]) shows at most what it has stayed behind, however
//! wide the gap is: 35 um on a screw whose gap is 100 um. The crossing shows all of it.
//!
//! The current moves the centre of mass, wherever the load stands in the gap; the encoder sees the motor. With the direction s of the
//! movement, the load's share q of the inertia J and what is left over b (friction is not quite the calibrated one),
//!
//! ```text
//! c'' = (s (i - g) - F - B v) / J - b        the centre, from the current
//! e = c - s x                                 rises by q gap from flank to flank
//! ```
//!
//! While the axis drives, an observer with three equal poles holds c to the encoder and learns b. It lets go where the braking reaches
//! `RELEASE` of F / J, before the load leaves its flank. Twice later, when the load lies on the other flank, e is read: e1 and e2.
//! An inertia that is wrong by a share r bends e by r Y, Y being how far the motor has fallen behind a steady movement; what does not grow
//! with Y is
//!
//! ```text
//! d = (e1 Y2 - e2 Y1) / (Y2 - Y1) = d0 + q gap
//! ```
//!
//! d0 holds what the observer was late by and the twist of the screw. It is the same for movements that are alike, so
//! that every kind of movement has a d0 of its own, learnt from its first ones, and what *was gained* is `(d - d0) / q`. A kind that is
//! seen first when a gap is there has the known gain taken off.
//!
//! The currents cannot tell q well, so it is a parameter.
//!
//! The load leaves its flank where the motor alone would brake as hard as the load does, at `(1 - p) / q` of F / J, p being the motor's
//! share of the friction. Where that is much less than `RELEASE` the observer takes a part of the crossing for bias, and d is too small. It
//! shows: the motor then brakes with what its own inertia needs alone, so that from `ONSET` to `RELEASE` the encoder loses more
//! velocity than the current takes from the centre ([`CrossingMeter::leaves_early`]).
//!
//! # Kinds without a place
//! A program may have more kinds of movements than there are places. Every movement of a kind gives it credit, every movement of a kind without
//! a place takes one from all, and who has none left makes room. So what comes often stays and is learnt, whatever else comes, and
//! a new program has its places after `CREDIT_MOST` movements. Movements that had no place are counted.

use super::backlash::MeterParams;

/// Kinds of movements that are told apart.
const KINDS: usize = 16;
/// Credit of a kind that has come once, what every further movement adds, and the most there is (movements without a place).
const CREDIT_NEW: u16 = 32;
const CREDIT_AGAIN: u16 = 64;
const CREDIT_MOST: u16 = 256;
/// Movements of a kind that say nothing: the bias is not yet learnt.
const SKIP: u32 = 2;
/// Movements of a kind after these that make its d0.
pub const LEARN: u32 = 6;
/// Deceleration (F / J) at which the observer lets go, and from which on an axis brakes so that its load leaves its flank.
const RELEASE: f64 = 0.75;
/// Deceleration (F / J) from which on the time to `RELEASE` is counted.
const ONSET: f64 = 0.25;
/// Movements in a row without such braking after which starts show the whole gap again: what they are averaged over is from then on.
const HEALED: u32 = 32;
/// Time constant of the observer (s).
const OBSERVER_S: f64 = 0.008;
/// Time in which the loops of a drive have settled after the load has hit the flank (s).
const SETTLED_S: f64 = 0.012;
/// Least time from letting go to the first reading (s).
const LEAST_S: f64 = 0.03;
/// Longest time from letting go to the second reading (cycles): what is longer is not read.
const LONGEST: u32 = 1 << 16;
/// What the motor may lose more velocity than the centre up to `RELEASE` (relative), and more than while its kind was learnt: up to 0.09 where
/// the load leaves its flank shortly before, which is no harm, and 0.14 and more where figures are too small.
const TOGETHER: f64 = 0.12;
/// Weight of a movement in the mean of that.
const EARLY_WEIGHT: f64 = 0.125;
/// What movements of one kind differ by at most, in length and speed (relative).
const ALIKE: f64 = 0.05;
/// What d changes by with friction, relative to `(F / J) t^2`, for a relative change of it. Seen on the press cell: 0.14 to 0.6.
const FRICTION: f64 = 0.45;

/// What is needed beside the parameters of the start's meter.
#[derive(Clone, Copy, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct CrossingParams {
    /// Calibrated viscous friction (A s/m).
    viscous: f64,
    /// Velocity below which an axis stands, or nearly (m/s).
    slow_m_per_s: f64,
    /// The load's share of the inertia (1, 0 to 1).
    load_share: f64,
    gains: [f64; 3],
    settle_cycles: u32,
}

impl CrossingParams {
    /// `viscous` (A s/m), `slow_m_per_s` (> 0), share of the inertia that sits on the motor's side of the gap `motor_share` (0 to 1,
    /// ends excluded), period `period_s` (> 0).
    pub fn new(viscous: f64, slow_m_per_s: f64, motor_share: f64, period_s: f64) -> Self {
        let length = (OBSERVER_S / period_s).max(4.0);
        let pole = libm::exp(-1.0 / length);
        let rest = 1.0 - pole;
        Self {
            viscous,
            slow_m_per_s,
            load_share: (1.0 - motor_share).clamp(0.01, 1.0),
            gains: [
                1.0 - pole * pole * pole,
                1.5 * rest * rest * (1.0 + pole) / period_s,
                rest * rest * rest / (period_s * period_s),
            ],
            settle_cycles: (3.0 * length) as u32,
        }
    }
}

/// What is known of a gap before a movement.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Known {
    /// What it has gained (m).
    pub gained_m: f64,
    /// Widest gain that shall be seen whole (m, > 0).
    pub widest_m: f64,
}

/// Where the meter stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
enum Stage {
    /// At rest, or nothing known.
    #[default]
    Away,
    /// Moving; the observer holds the centre to the encoder.
    Driven,
    /// Braking; the current alone moves the centre.
    Free,
    /// Read, or of no use: until the axis stands.
    Over,
}

/// A kind of movements.
#[derive(Clone, Copy, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
struct Kind {
    direction: f64,
    cycles: f64,
    speed_m_per_s: f64,
    /// When e is read (cycles after letting go).
    read: [u32; 2],
    seen: u32,
    sum_m: f64,
    ahead_sum: f64,
    /// Movements without a place that it outlasts.
    credit: u16,
}

/// Watches the movements of one axis.
#[derive(Clone, Copy, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct CrossingMeter {
    past_m: [f64; 4],
    known: u32,
    stage: Stage,
    direction: f64,
    /// Since the stage began.
    cycles: u32,
    /// Since the deceleration has passed `ONSET`.
    onset: u32,
    /// Velocity then, and what the centre has lost since by its current (m/s).
    onset_m_per_s: f64,
    lost_m_per_s: f64,
    /// What the motor has lost more than the centre when the observer let go (relative), and how much more that is than it should be, mean over
    /// the latest movements.
    ahead: f64,
    early: f64,
    /// The deceleration was beyond `RELEASE` in the cycle before too.
    beyond: bool,
    /// It was so for two cycles in this movement: one alone may be noise.
    hard: bool,
    centre_m: f64,
    centre_m_per_s: f64,
    /// Bias of the movement in progress and the latest one of each direction, negative and positive (m/s2).
    bias: f64,
    biases: [f64; 2],
    /// Where and how fast it let go.
    from_m: f64,
    from_m_per_s: f64,
    /// Place of its kind.
    kind: u8,
    first: [f64; 2],
    /// There was a movement that braked hard.
    braked: bool,
    /// Movements since then.
    soft: u32,
    kinds: [Kind; KINDS],
    left_out: u32,
    /// `(F / J) t^2` of the latest braking (m), t the time from `ONSET` to `RELEASE`.
    length_m: f64,
}

impl CrossingMeter {
    /// After a gap in the samples the movement in progress is of no use.
    pub fn clear(&mut self) {
        self.known = 0;
        self.stage = Stage::Away;
    }

    /// Whether the axis brakes so that its load leaves the flank: a start then shows a part of the gap alone.
    pub fn brakes(&self) -> bool {
        self.braked && self.soft < HEALED
    }

    /// Whether the load leaves its flank well before the observer lets go: a crossing then shows a part of the gap alone.
    pub fn leaves_early(&self) -> bool {
        self.early > TOGETHER
    }

    /// Movements that were not used, because their kind had no place.
    pub fn left_out(&self) -> u32 {
        self.left_out
    }

    /// Forgets the kinds: they were learnt for another widest gain.
    pub fn forget_kinds(&mut self) {
        self.clear();
        self.kinds = [Kind::default(); KINDS];
        self.early = 0.0;
    }

    /// What a gain may be wrong by (m) where friction has changed by `change` (relative).
    pub fn friction_error_m(&self, p: &CrossingParams, change: f64) -> f64 {
        FRICTION * self.length_m * change.abs() / p.load_share.max(0.01)
    }

    /// Takes in a raw cycle; `known` is what is known so far. Returns what the gap has gained (m) once a movement has crossed it.
    #[inline]
    pub fn push(
        &mut self,
        m: &MeterParams,
        p: &CrossingParams,
        position_m: f64,
        current_a: f64,
        known: &Known,
    ) -> Option<f64> {
        self.past_m.rotate_right(1);
        self.past_m[0] = position_m;
        self.known = self.known.saturating_add(1);
        if self.known < 4 {
            return None;
        }
        // Where the axis was when this current flowed, and a cycle before.
        let back = m.delay_cycles.clamp(0.0, 2.0);
        let whole = if back >= 1.0 { 1 } else { 0 };
        let share = back - whole as f64;
        let x = &self.past_m;
        let at_m = x[whole] + share * (x[whole + 1] - x[whole]);
        let before_m = x[whole + 1] + share * (x[whole + 2] - x[whole + 1]);
        let velocity = (at_m - before_m) / m.period_s;
        if self.stage == Stage::Away {
            if velocity.abs() > 4.0 * p.slow_m_per_s {
                self.begin(if velocity > 0.0 { 1.0 } else { -1.0 }, at_m, velocity);
            }
            return None;
        }
        let s = self.direction;
        if s * velocity < p.slow_m_per_s {
            self.stage = Stage::Away;
            self.soft = if self.hard {
                0
            } else {
                self.soft.saturating_add(1)
            };
            return None;
        }
        let (y, v, t) = (s * at_m, s * velocity, m.period_s);
        let force = s * (current_a - m.gravity_a) - m.coulomb_a - p.viscous * v;
        let acceleration = force / m.inertia - self.bias;
        let level = m.coulomb_a / m.inertia;
        let beyond = acceleration < -RELEASE * level;
        let lets_go = beyond && self.beyond && !self.hard;
        self.hard |= lets_go;
        self.braked |= lets_go;
        self.beyond = beyond;
        self.cycles = self.cycles.saturating_add(1);
        if self.stage == Stage::Over {
            return None;
        }
        self.centre_m += t * (self.centre_m_per_s + 0.5 * t * acceleration);
        self.centre_m_per_s += t * acceleration;
        if self.stage == Stage::Free {
            return self.free(p, y, t, known.gained_m);
        }
        let left = y - self.centre_m;
        self.centre_m += p.gains[0] * left;
        self.centre_m_per_s += p.gains[1] * left;
        self.bias -= p.gains[2] * left;
        if acceleration < -ONSET * level {
            self.onset = self.onset.saturating_add(1);
            self.lost_m_per_s -= t * acceleration;
        } else {
            self.onset = 0;
            (self.onset_m_per_s, self.lost_m_per_s) = (v, 0.0);
        }
        if lets_go {
            self.compare(v);
            self.release(p.settle_cycles, known.widest_m, level, y, t);
        }
        None
    }

    fn begin(&mut self, direction: f64, at_m: f64, velocity: f64) {
        self.stage = Stage::Driven;
        self.direction = direction;
        self.cycles = 0;
        self.onset = 0;
        (self.onset_m_per_s, self.lost_m_per_s) = (direction * velocity, 0.0);
        self.beyond = false;
        self.hard = false;
        self.centre_m = direction * at_m;
        self.centre_m_per_s = direction * velocity;
        self.bias = self.biases[usize::from(direction > 0.0)];
    }

    /// Whether the motor has lost more than the centre up to now, when the observer lets go at velocity `v`.
    fn compare(&mut self, v: f64) {
        let ahead = (self.onset_m_per_s - v) / self.lost_m_per_s - 1.0;
        // Where nothing was lost there is nothing to compare.
        self.ahead = if ahead.is_finite() {
            ahead.clamp(-1.0, 1.0)
        } else {
            0.0
        };
    }

    /// The observer lets go.
    fn release(&mut self, settle_cycles: u32, widest_m: f64, level: f64, y: f64, t: f64) {
        // What has no place, or was too short, is not read.
        self.stage = Stage::Over;
        if self.cycles < settle_cycles {
            return;
        }
        self.biases[usize::from(self.direction > 0.0)] = self.bias;
        (self.from_m, self.from_m_per_s) = (y, self.centre_m_per_s);
        let onset_s = f64::from(self.onset) * t;
        self.length_m = level * onset_s * onset_s;
        let length = f64::from(self.cycles);
        let alike = |one: f64, other: f64| (one - other).abs() <= ALIKE * one.abs();
        let found = self.kinds.iter().position(|k| {
            k.seen > 0
                && k.direction * self.direction > 0.0
                && alike(length, k.cycles)
                && alike(self.from_m_per_s, k.speed_m_per_s)
        });
        let Some(at) = found.or_else(|| self.admit(widest_m, level, onset_s, t)) else {
            return;
        };
        if found.is_some() {
            let credit = &mut self.kinds[at].credit;
            *credit = credit.saturating_add(CREDIT_AGAIN).min(CREDIT_MOST);
        }
        // There are fewer than 256 places.
        self.kind = at as u8;
        self.cycles = 0;
        self.stage = Stage::Free;
    }

    /// The place of a new kind; none where all are taken.
    fn admit(&mut self, widest_m: f64, level: f64, onset_s: f64, t: f64) -> Option<usize> {
        let places = self.kinds.iter().enumerate().filter(|(_, k)| k.credit == 0);
        let Some((at, _)) = places.min_by_key(|(_, k)| k.seen) else {
            self.kinds.iter_mut().for_each(|k| k.credit -= 1);
            self.left_out = self.left_out.saturating_add(1);
            return None;
        };
        // As the deceleration grows by half of F / J in `onset_s`: the load leaves its flank a little later, and the way between it
        // and the motor grows with the cube of the time from there on.
        let jerk = (RELEASE - ONSET) * level / onset_s.max(t);
        let first_s =
            (0.6 * level / jerk + libm::cbrt(6.0 * widest_m / jerk) + SETTLED_S).max(LEAST_S);
        let first = libm::ceil((first_s / t).clamp(4.0, f64::from(LONGEST)));
        self.kinds[at] = Kind {
            direction: self.direction,
            cycles: f64::from(self.cycles),
            speed_m_per_s: self.from_m_per_s,
            read: [first as u32, libm::ceil(1.5 * first) as u32],
            seen: 1,
            credit: CREDIT_NEW,
            ..Kind::default()
        };
        Some(at)
    }

    fn free(&mut self, p: &CrossingParams, y: f64, t: f64, gained_m: f64) -> Option<f64> {
        let kind = self.kinds.get_mut(usize::from(self.kind))?;
        let lead_m = self.centre_m - y;
        let behind_m = y - self.from_m - self.from_m_per_s * f64::from(self.cycles) * t;
        if self.cycles == kind.read[0] {
            self.first = [lead_m, behind_m];
        }
        if self.cycles < kind.read[1] {
            return None;
        }
        self.stage = Stage::Over;
        let [first_m, first_behind_m] = self.first;
        // It went on braking.
        if !(first_behind_m < 0.0 && behind_m < 1.2 * first_behind_m) {
            return None;
        }
        let shift_m = (first_m * behind_m - lead_m * first_behind_m) / (behind_m - first_behind_m);
        if !shift_m.is_finite() {
            return None;
        }
        // `seen` counts from 1: it marks a kind that is there.
        kind.seen = kind.seen.saturating_add(1);
        let number = kind.seen - 1;
        if number <= SKIP {
            return None;
        }
        if number <= SKIP + LEARN {
            kind.sum_m += shift_m - p.load_share * gained_m;
            kind.ahead_sum += self.ahead;
            return None;
        }
        // Ripple of the current may let the centre seem to lose more: then that is usual.
        let usual = (kind.ahead_sum / f64::from(LEARN)).min(0.0);
        self.early += EARLY_WEIGHT * (self.ahead - usual - self.early);
        Some((shift_m - kind.sum_m / f64::from(LEARN)) / p.load_share)
    }
}

#[cfg(test)]
#[path = "crossing_tests.rs"]
mod tests;
