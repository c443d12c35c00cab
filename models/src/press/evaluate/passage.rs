//! The way of a curve through a convex area with four sides: what windows and trapezia share.
//!
//! # Derivation
//! Left and right are vertical, bottom and top are straight lines, so the signed distance to each side is affine in X and Y:
//! `d_left = x - x_min`, `d_right = x_max - x`, `d_bottom = y - b(x)`, `d_top = t(x) - y`, and inside all are 0 or more. Along
//! a piece of the curve from a to b a distance goes linearly from `d(a)` to `d(b)`; where it comes up through 0 at
//! `u = d(a) / (d(a) - d(b))` the piece may come in, where it falls through 0 it goes out (Cyrus and Beck). It is inside
//! between the last coming in and the first going out, if they are in this order. So a piece that cuts a corner between two
//! samples is seen, and the side it came through is known.

use super::{Miss, Outcome, Side, Unit, Violation};
use crate::press::curve::Point;

/// A set of sides, and the inside itself: a curve that begins or ends in the area.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sides(u8);

impl Sides {
    /// None.
    pub const NONE: Self = Self(0);
    /// Beginning or ending within.
    pub const WITHIN: Self = Self(1 << 4);
    /// Any side, or within.
    pub const ANY: Self = Self(0x1f);

    /// These and `side`.
    #[must_use]
    pub const fn with(self, side: Side) -> Self {
        Self(self.0 | 1 << side as u8)
    }

    /// Both sets.
    #[must_use]
    pub const fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// One side.
    pub const fn of(side: Side) -> Self {
        Self::NONE.with(side)
    }

    /// Whether `side` is in the set.
    pub const fn has(self, side: Side) -> bool {
        self.0 & (1 << side as u8) != 0
    }

    /// Whether the curve may begin or end within.
    pub const fn within(self) -> bool {
        self.0 & Self::WITHIN.0 != 0
    }
}

/// The area with its entries and exits.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Quad {
    /// Left side (m).
    pub x_min_m: f64,
    /// Right side (m, more than the left one).
    pub x_max_m: f64,
    /// Bottom at the left and at the right side (N).
    pub bottom_n: [f64; 2],
    /// Top at the left and at the right side (N, each at least the bottom).
    pub top_n: [f64; 2],
    /// Sides through which the curve may come in.
    pub entry: Sides,
    /// Sides through which it must leave in the end.
    pub exit: Sides,
}

impl Quad {
    /// Signed distances to the sides, in the order of [`Side::ALL`]; inside all are 0 or more.
    fn distances(&self, p: Point) -> [f64; 4] {
        let u = (p.position_m - self.x_min_m) / (self.x_max_m - self.x_min_m);
        let line = |ends: [f64; 2]| ends[0] + u * (ends[1] - ends[0]);
        [
            p.position_m - self.x_min_m,
            self.x_max_m - p.position_m,
            p.force_n - line(self.bottom_n),
            line(self.top_n) - p.force_n,
        ]
    }
}

/// How a curve came through so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Passage {
    /// It has been inside.
    entered: bool,
    /// It is inside.
    inside: bool,
    /// Some piece was seen.
    begun: bool,
    /// The side it left through last, and where.
    left: Option<(Side, Point)>,
    /// The first thing that is wrong.
    wrong: Option<(Miss, Side, Point)>,
    /// By how far it was beyond each side, as long as it was between the two sides across.
    beyond: [f64; 4],
    /// Closest to the area without being in it, between left and right (N), with side and place.
    nearest: Option<(f64, Side, Point)>,
    /// The last point.
    last: Point,
}

impl Passage {
    /// Takes in a piece.
    pub fn push(&mut self, q: &Quad, a: Point, b: Point) {
        let (da, db) = (q.distances(a), q.distances(b));
        if !self.begun {
            self.begun = true;
            self.inside = da.iter().all(|d| *d >= 0.0);
            if self.inside {
                self.entered = true;
                if !q.entry.within() {
                    self.blame(Miss::WrongEntry, closest(&da), a);
                }
            }
            self.measure(q, &da, a);
        }
        self.measure(q, &db, b);
        self.last = b;
        // When, as a share of the piece, and through which side.
        let (mut into, mut out) = ((0.0, None), (1.0, None));
        for side in Side::ALL {
            let (d0, d1) = (da[side as usize], db[side as usize]);
            if d0 < 0.0 && d1 < 0.0 {
                return;
            }
            let u = d0 / (d0 - d1);
            if d0 < 0.0 && (into.1.is_none() || u > into.0) {
                into = (u, Some(side));
            } else if d1 < 0.0 && (out.1.is_none() || u < out.0) {
                out = (u, Some(side));
            }
        }
        if into.0 > out.0 {
            return;
        }
        if let (Some(side), false) = (into.1, self.inside) {
            self.come_in(q, side, between(a, b, into.0));
        }
        if let (Some(side), true) = (out.1, self.inside) {
            self.go_out(q, side, between(a, b, out.0));
        }
    }

    fn come_in(&mut self, q: &Quad, side: Side, at: Point) {
        // Once it has been inside, noise may take it back and forth over any side that it may pass at all.
        let allowed = q.entry.has(side) || (self.entered && q.exit.has(side));
        (self.entered, self.inside) = (true, true);
        if !allowed {
            self.blame(Miss::WrongEntry, side, at);
        }
    }

    fn go_out(&mut self, q: &Quad, side: Side, at: Point) {
        self.inside = false;
        self.left = Some((side, at));
        if !(q.exit.has(side) || q.entry.has(side)) {
            self.blame(Miss::WrongExit, side, at);
        }
    }

    fn blame(&mut self, miss: Miss, side: Side, at: Point) {
        if self.wrong.is_none() {
            self.wrong = Some((miss, side, at));
        }
    }

    fn measure(&mut self, q: &Quad, d: &[f64; 4], p: Point) {
        let within_x = d[0] >= 0.0 && d[1] >= 0.0;
        let low = if q.bottom_n[0] < q.bottom_n[1] {
            q.bottom_n[0]
        } else {
            q.bottom_n[1]
        };
        let high = if q.top_n[0] > q.top_n[1] {
            q.top_n[0]
        } else {
            q.top_n[1]
        };
        let within_y = p.force_n >= low && p.force_n <= high;
        for side in Side::ALL {
            let beyond = -d[side as usize];
            let across = match side {
                Side::Left | Side::Right => within_y,
                Side::Bottom | Side::Top => within_x,
            };
            if across && beyond > self.beyond[side as usize] {
                self.beyond[side as usize] = beyond;
            }
        }
        if within_x && !self.entered {
            let (gap, side) = if d[2] < d[3] {
                (-d[2], Side::Bottom)
            } else {
                (-d[3], Side::Top)
            };
            if self.nearest.is_none_or(|(least, ..)| gap < least) {
                self.nearest = Some((gap, side, p));
            }
        }
    }

    /// After the last piece.
    pub fn finish(&self, q: &Quad) -> Outcome {
        Outcome {
            violation: self.violation(q),
            ..Outcome::default()
        }
    }

    fn violation(&self, q: &Quad) -> Option<Violation> {
        let told = |miss, side: Side, at, by: f64| {
            Some(Violation {
                miss,
                side: Some(side),
                at,
                by: if by > 0.0 { by } else { 0.0 },
                unit: match side {
                    Side::Left | Side::Right => Unit::Metre,
                    Side::Bottom | Side::Top => Unit::Newton,
                },
            })
        };
        if !self.entered {
            return match self.nearest {
                Some((gap, side, at)) => told(Miss::NotEntered, side, at, gap),
                None if self.last.position_m < q.x_min_m => told(
                    Miss::NotEntered,
                    Side::Left,
                    self.last,
                    q.x_min_m - self.last.position_m,
                ),
                None => told(Miss::NotEntered, Side::Right, self.last, 0.0),
            };
        }
        if let Some((miss, side, at)) = self.wrong {
            return told(miss, side, at, self.beyond[side as usize]);
        }
        if self.inside {
            if q.exit.within() {
                return None;
            }
            return Some(Violation {
                miss: Miss::NotLeft,
                side: None,
                at: self.last,
                by: 0.0,
                unit: Unit::Newton,
            });
        }
        match self.left {
            Some((side, at)) if !q.exit.has(side) => {
                told(Miss::WrongExit, side, at, self.beyond[side as usize])
            }
            _ => None,
        }
    }
}

/// The side that a point inside is closest to, in shares of nothing but its own distance: used for words only.
fn closest(d: &[f64; 4]) -> Side {
    let mut side = Side::Left;
    for other in Side::ALL {
        if d[other as usize] < d[side as usize] {
            side = other;
        }
    }
    side
}

/// The point at the share `u` of the piece from `a` to `b`.
pub(super) fn between(a: Point, b: Point, u: f64) -> Point {
    Point {
        position_m: a.position_m + u * (b.position_m - a.position_m),
        force_n: a.force_n + u * (b.force_n - a.force_n),
    }
}
