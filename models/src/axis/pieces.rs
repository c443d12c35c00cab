//! Pieces of a cycle: from one thing that happens to the next.
//!
//! # Derivation
//! Between two moments at which something happens the equations of the parent module are smooth. A smooth solution is its power series, and
//! the series of linear equations is cheap: the coefficient of `t^(n+1)` is what the right side says of those of `t^n`, divided by `n + 1`.
//! Stribeck friction `g = Fs / u`, `u = 1 + (v / vs)^2`, joins in by `u g = Fs`, coefficient by coefficient.
//!
//! A series is known at every moment of its piece, so the moment is found at which what is asked reaches the limit or comes back from it, the
//! axis stops or is let go, or a part is touched or left, or answers otherwise. There the piece ends, and the next one begins with what holds
//! then. The current is in one of three states:
//!
//! ```text
//! free      i* = kv e + q     q' = ki e         e: error of the velocity
//! limited   i* = +-limit      q' = 0
//! sliding   i* = +-limit      q = +-limit - kv e
//! ```
//!
//! It slides where the integrator takes what is asked beyond the limit and without it comes back: the drive then switches between the other two as
//! fast as it can, so that what is asked stays at the limit and the integrator makes up for what the error lacks.
//!
//! What does not converge, or happens too often, is left to the cuts.

mod events;

use super::params::LaneParams;
use super::part::{Part, end_m};
use super::series::{NEAR, ORDER, Series, ZEROS, at, convergence};
use super::substeps::Loops;
use super::walk::Burden;
use crate::lane::{clamp, larger};
use crate::press::workpiece::Line;

/// Pieces of an axis in a cycle at most, whether it is stepped as a whole or in substeps; one that meets a stiff part may have as many of both.
/// A dozen are many. Each costs 1.0 to 1.3 us: a dozen sums of products for each of five figures, and a search for each event that is over at its
/// end. So an axis costs no more than some 65 us in a cycle, or twice that; behind a linkage, where each quarter of a cycle is tried twice before it
/// is made and a try has a dozen at most, three times that.
pub(super) const PIECES_MAX: usize = 48;
/// Pieces in a row that end where they begin at most. What happens twice at one moment may have been left as it was, and would go on to happen.
const STANDING_MAX: usize = 1;
/// What is asked is at the limit where it is this near to it (share of it).
const AT_LIMIT: f64 = 1e-9;

/// What an axis is under in a stretch: its place in the lane, its drive, and what acts on it.
#[derive(Clone, Copy)]
pub(super) struct Acts<'a> {
    pub p: &'a LaneParams,
    pub l: usize,
    pub loops: &'a Loops<'a>,
    /// What acts beside its own friction, the part and gravity.
    pub burden: Burden,
    /// A part that may be met.
    pub part: Option<Part<'a>>,
}

/// A straight stretch of the reference.
#[derive(Clone, Copy)]
pub(super) struct Stretch {
    /// Where it begins (m).
    pub from_m: f64,
    /// Where it ends (m).
    pub to_m: f64,
    /// How long it is (s).
    pub length_s: f64,
}

impl Stretch {
    /// Its slope (m/s).
    pub fn slope(&self) -> f64 {
        (self.to_m - self.from_m) / self.length_s
    }
}

/// What the current follows; signs are those of the limit.
#[derive(Clone, Copy, PartialEq)]
enum Drive {
    Free,
    Limited(f64),
    Sliding(f64),
}

/// What the axis does; the sign is that of its velocity.
#[derive(Clone, Copy, PartialEq)]
enum Motion {
    Rests,
    Moves(f64),
}

/// What may happen in a piece.
#[derive(Clone, Copy)]
enum Event {
    /// What is asked reaches the limit of this sign.
    Reaches(f64),
    /// It comes back from it.
    Returns(f64),
    /// It goes on beyond it without the integrator.
    Passes(f64),
    /// It comes back even with it.
    Frees(f64),
    /// The axis stops.
    Stops(f64),
    /// Friction lets it go this way.
    LetsGo(f64),
    /// A line of the part ends, on the way in (1) or back (-1).
    Leaves(f64),
}

/// An axis at a moment.
#[derive(Clone, Copy)]
struct Now {
    /// Position, velocity, current, integrator, reported current.
    z: [f64; 5],
    drive: Drive,
    motion: Motion,
    /// What the part answers.
    line: Line,
    /// The deepest way in it (m).
    deepest_m: f64,
    /// Error of the position (m) and slope of the reference (m/s).
    e: f64,
    slope: f64,
}

/// The series of a piece, over its length as the unit of time.
struct Piece {
    length_s: f64,
    way: Series,
    velocity: Series,
    current: Series,
    integral: Series,
    reported: Series,
}

impl Acts<'_> {
    /// An axis after these stretches of its reference, in no more pieces than are left; none where it is too fast for that, or too much happens.
    /// It has been as deep in its part before (m), and after it.
    pub fn along(
        &self,
        (mut z, mut deepest_m): ([f64; 5], f64),
        stretches: &[Stretch],
        left: &mut usize,
    ) -> Option<([f64; 5], f64)> {
        for stretch in stretches {
            let now = self.begin(z, deepest_m, stretch);
            (z, deepest_m) = self.straight(now, stretch, left)?;
        }
        Some((z, deepest_m))
    }

    fn straight(&self, mut now: Now, line: &Stretch, left: &mut usize) -> Option<([f64; 5], f64)> {
        // The share of the line that is still to come, and that over which a series may converge.
        let (mut rest, mut reach) = (1.0, 1.0);
        let mut standing = 0;
        while rest > NEAR {
            *left = left.checked_sub(1)?;
            let length = if rest < reach {
                rest
            } else {
                rest / libm::ceil(rest / reach)
            };
            let piece = self.piece(&now, length * line.length_s);
            let share = piece.converges()?;
            reach = if share < 1.0 {
                share * length
            } else {
                2.0 * length
            };
            let (at, event) = self.first(&now, &piece, share);
            now = self.after(&now, &piece, at, event);
            rest -= at * length;
            standing = if at * length > NEAR { 0 } else { standing + 1 };
            if standing > STANDING_MAX {
                return None;
            }
        }
        Some((now.z, now.deepest_m))
    }

    fn begin(&self, z: [f64; 5], deepest_m: f64, stretch: &Stretch) -> Now {
        let mut now = Now {
            z,
            drive: Drive::Free,
            motion: Motion::Rests,
            line: Line::NOTHING,
            deepest_m,
            e: stretch.from_m - z[0],
            slope: stretch.slope(),
        };
        if let Some(part) = &self.part {
            now.deepest_m = larger(deepest_m, part.way_m(z[0]));
            now.line = self.line(&now);
        }
        now.motion = if z[1] != 0.0 {
            Motion::Moves(if z[1] > 0.0 { 1.0 } else { -1.0 })
        } else {
            self.out_of_rest(&now)
        };
        now.line = self.line(&now);
        let asked = |now: &Now| self.loops.velocity_gain * self.error(now) + now.z[3];
        let limit = self.limit_a();
        // Beyond the limit the integrator holds no more than that, from this moment on.
        if asked(&now).abs() > limit * (1.0 + AT_LIMIT) {
            now.z[3] = self.held_a(z[3]);
        }
        let asked = asked(&now);
        let sign = if asked > 0.0 { 1.0 } else { -1.0 };
        now.drive = if asked * sign > limit * (1.0 + AT_LIMIT) {
            Drive::Limited(sign)
        } else if asked * sign < limit * (1.0 - AT_LIMIT) {
            Drive::Free
        } else {
            self.at_limit(&now, sign)
        };
        now
    }

    fn limit_a(&self) -> f64 {
        self.p.limit_a[self.l]
    }

    /// Error of the velocity (m/s).
    fn error(&self, now: &Now) -> f64 {
        let loops = self.loops;
        loops.position_gain_per_s * now.e + loops.velocity_feedforward * now.slope - now.z[1]
    }

    /// What acts beside dry friction and damping (A).
    fn load_a(&self, now: &Now) -> f64 {
        let part_a = (self.part).map_or(0.0, |part| part.force_a(now.z[0], &now.line));
        self.burden.load_a + self.p.gravity_a[self.l] + part_a
    }

    /// What the part answers to what the axis does: at rest as on the way back, which begins with the same force.
    fn line(&self, now: &Now) -> Line {
        self.part.map_or(Line::NOTHING, |part| {
            let inward = now.motion == Motion::Moves(part.direction);
            part.line(part.way_m(now.z[0]), now.deepest_m, inward)
        })
    }

    /// Coulomb friction in a direction (A).
    fn coulomb_a(&self, direction: f64) -> f64 {
        let own_a = if direction > 0.0 {
            self.p.coulomb_positive_a[self.l]
        } else {
            self.p.coulomb_negative_a[self.l]
        };
        own_a + self.burden.friction_a(direction)
    }

    /// What static friction holds in a direction (A).
    fn held_to_a(&self, direction: f64) -> f64 {
        self.coulomb_a(direction) + self.p.stribeck_a[self.l]
    }

    /// What an axis that stands does next.
    fn out_of_rest(&self, now: &Now) -> Motion {
        let push = now.z[2] - self.load_a(now);
        for direction in [1.0, -1.0] {
            if push * direction > self.held_to_a(direction) {
                return Motion::Moves(direction);
            }
        }
        Motion::Rests
    }

    /// How fast what is asked changes without the integrator (A/s).
    fn proportional_a_per_s(&self, now: &Now) -> f64 {
        let (p, l) = (self.p, self.l);
        let v = now.z[1];
        let acceleration = match now.motion {
            Motion::Rests => 0.0,
            Motion::Moves(direction) => {
                let dry = self.coulomb_a(direction)
                    + p.stribeck_a[l] / (1.0 + v * v * p.stribeck_per_v2[l]);
                let push = now.z[2] - self.load_a(now) - p.viscous[l] * v - direction * dry;
                push * p.acceleration_per_a[l]
            }
        };
        let of_way = self.loops.position_gain_per_s * (now.slope - v);
        self.loops.velocity_gain * (of_way - acceleration)
    }

    /// What the current follows where what is asked is at the limit.
    fn at_limit(&self, now: &Now, sign: f64) -> Drive {
        let proportional = sign * self.proportional_a_per_s(now);
        if proportional >= 0.0 {
            Drive::Limited(sign)
        } else if proportional + sign * self.loops.integral_gain * self.error(now) <= 0.0 {
            Drive::Free
        } else {
            Drive::Sliding(sign)
        }
    }

    /// The series from a moment on.
    fn piece(&self, now: &Now, length_s: f64) -> Piece {
        let (p, l, loops) = (self.p, self.l, self.loops);
        let mut s = Piece {
            length_s,
            way: ZEROS,
            velocity: ZEROS,
            current: ZEROS,
            integral: ZEROS,
            reported: ZEROS,
        };
        let stiffness = now.line.rise_n_per_m;
        let load = self.load_a(now);
        // Of Stribeck friction: u and g of the derivation.
        let (mut u, mut g) = (ZEROS, ZEROS);
        [_, s.velocity[0], s.current[0], s.integral[0], s.reported[0]] = now.z;
        for n in 0..ORDER {
            let step = length_s / (n + 1) as f64;
            // What is constant is in the first coefficient alone.
            let once = if n == 0 { 1.0 } else { 0.0 };
            let (v, i) = (s.velocity[n], s.current[n]);
            let e = match n {
                0 => now.e,
                1 => now.slope * length_s - s.way[1],
                _ => -s.way[n],
            };
            let error =
                loops.position_gain_per_s * e + loops.velocity_feedforward * now.slope * once - v;
            let aim = match now.drive {
                Drive::Free => loops.velocity_gain * error + s.integral[n],
                Drive::Limited(sign) | Drive::Sliding(sign) => sign * p.limit_a[l] * once,
            };
            s.current[n + 1] = step * p.fine.per_current_lag[l] * (aim - i);
            s.reported[n + 1] = step * p.fine.per_filter_lag[l] * (i - s.reported[n]);
            if now.drive == Drive::Free {
                s.integral[n + 1] = step * loops.integral_gain * error;
            }
            let Motion::Moves(direction) = now.motion else {
                continue;
            };
            if p.stribeck_a[l] != 0.0 {
                let squares: f64 = (0..=n).map(|m| s.velocity[m] * s.velocity[n - m]).sum();
                u[n] = once + p.stribeck_per_v2[l] * squares;
                let known: f64 = (1..=n).map(|m| u[m] * g[n - m]).sum();
                g[n] = (p.stribeck_a[l] * once - known) / u[0];
            }
            let constant = load + direction * self.coulomb_a(direction);
            let push =
                i - p.viscous[l] * v - stiffness * s.way[n] - direction * g[n] - constant * once;
            s.velocity[n + 1] = step * p.acceleration_per_a[l] * push;
            s.way[n + 1] = step * v;
        }
        s
    }

    /// The axis at the end of a piece, and what holds from there.
    fn after(&self, now: &Now, piece: &Piece, t: f64, event: Option<Event>) -> Now {
        let way = at(&piece.way, t);
        // What is asked may pass the limit unseen within a piece; what flows must not.
        let most = larger(now.z[2].abs(), self.limit_a());
        let reported = larger(now.z[4].abs(), most);
        let mut next = *now;
        next.z = [
            now.z[0] + way,
            at(&piece.velocity, t),
            clamp(at(&piece.current, t), most),
            at(&piece.integral, t),
            clamp(at(&piece.reported, t), reported),
        ];
        next.e = now.e + now.slope * piece.length_s * t - way;
        match now.drive {
            Drive::Free => {}
            Drive::Limited(_) => next.z[3] = self.held_a(next.z[3]),
            Drive::Sliding(sign) => {
                let asked = self.loops.velocity_gain * self.error(&next);
                next.z[3] = self.held_a(sign * self.limit_a() - asked);
            }
        }
        if let Some(part) = &self.part {
            if now.line.yields {
                next.deepest_m = larger(now.deepest_m, part.way_m(next.z[0]));
            }
            if let Some(Event::Leaves(side)) = event {
                // Where one line ends, to the last digit, the next one begins.
                let end_m = end_m(&now.line, side);
                if side > 0.0 {
                    next.deepest_m = larger(now.deepest_m, end_m);
                }
                next.line = part.line(end_m, next.deepest_m, side > 0.0);
            }
        }
        if let Some(Event::LetsGo(direction)) = event {
            next.motion = Motion::Moves(direction);
            next.line = self.line(&next);
        }
        if let Motion::Moves(direction) = now.motion
            && next.z[1] * direction <= 0.0
        {
            next.z[1] = 0.0;
            next.motion = self.out_of_rest(&next);
            next.line = self.line(&next);
        }
        match event {
            Some(Event::Reaches(sign) | Event::Returns(sign)) => {
                next.drive = self.at_limit(&next, sign);
            }
            Some(Event::Passes(sign)) => next.drive = Drive::Limited(sign),
            Some(Event::Frees(_)) => next.drive = Drive::Free,
            _ => {}
        }
        next
    }

    /// The integrator of a drive at its limit (A): it holds no more of its own than that.
    fn held_a(&self, integral_a: f64) -> f64 {
        let offset_a = self.loops.offset_a;
        offset_a + clamp(integral_a - offset_a, self.limit_a())
    }
}

impl Piece {
    /// The largest share of its length at which the series have converged.
    fn converges(&self) -> Option<f64> {
        convergence([
            &self.velocity,
            &self.current,
            &self.integral,
            &self.reported,
        ])
    }
}

#[cfg(test)]
mod tests;
