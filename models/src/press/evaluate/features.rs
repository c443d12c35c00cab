//! Figures of a stroke with limits: peak, work, hysteresis, gap between the branches, gradient.
//!
//! # Derivation
//! The curve is a polygon, so everything is exact on it: work in a range is the trapezium under each piece, cut at the ends
//! of the range; a gradient between two places is the chord between the first crossings of both; a peak in a range is the
//! largest of the points and of the cuts at its ends. Work on the way back is counted negative, so the area between the
//! branches is the plain sum over both.

use super::passage::between;
use super::threshold::{Crossing, Line, Threshold, ThresholdState};
use super::{Miss, Outcome, Side, Unit, Violation};
use crate::press::curve::{Branch, Point};

/// Smallest and largest value; infinite where there is no limit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Limits {
    /// Smallest.
    pub min: f64,
    /// Largest.
    pub max: f64,
}

impl Limits {
    /// No limits.
    pub const ANY: Self = Self {
        min: f64::NEG_INFINITY,
        max: f64::INFINITY,
    };

    /// From `min` to `max`.
    pub const fn between(min: f64, max: f64) -> Self {
        Self { min, max }
    }

    /// What is wrong with `value`, found at `at`.
    pub fn violation(&self, value: f64, unit: Unit, at: Point) -> Option<Violation> {
        let (miss, side, by) = if value < self.min {
            (Miss::Below, Side::Bottom, self.min - value)
        } else if value > self.max {
            (Miss::Above, Side::Top, value - self.max)
        } else {
            return None;
        };
        Some(Violation {
            miss,
            side: Some(side),
            at,
            by,
            unit,
        })
    }
}

/// A piece cut to a range of X; none where it is outside.
fn cut(x_m: [f64; 2], a: Point, b: Point) -> Option<(Point, Point)> {
    let at = |x: f64| between(a, b, (x - a.position_m) / (b.position_m - a.position_m));
    let clip = |p: Point| {
        if p.position_m < x_m[0] {
            at(x_m[0])
        } else if p.position_m > x_m[1] {
            at(x_m[1])
        } else {
            p
        }
    };
    let (low, high) = if a.position_m < b.position_m {
        (a.position_m, b.position_m)
    } else {
        (b.position_m, a.position_m)
    };
    (high >= x_m[0] && low <= x_m[1]).then(|| (clip(a), clip(b)))
}

/// The largest force in a range of X.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Peak {
    /// Range (m), infinite for all.
    pub x_m: [f64; 2],
    /// Limits of the force (N).
    pub force: Limits,
    /// Limits of the place (m).
    pub position: Limits,
}

/// The largest force so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct PeakState(Option<Point>);

impl PeakState {
    /// Takes in a piece.
    pub fn push(&mut self, p: &Peak, a: Point, b: Point) {
        let Some((a, b)) = cut(p.x_m, a, b) else {
            return;
        };
        for point in [a, b] {
            if self.0.is_none_or(|most| point.force_n > most.force_n) {
                self.0 = Some(point);
            }
        }
    }

    /// After the last piece.
    pub fn finish(&self, p: &Peak, block: Point) -> Outcome {
        let Some(peak) = self.0 else {
            return Outcome::nothing(Miss::NotReached, block, Unit::Newton);
        };
        let force = Outcome::of_value(peak.force_n, p.force, Unit::Newton, peak);
        Outcome {
            violation: (force.violation)
                .or_else(|| p.position.violation(peak.position_m, Unit::Metre, peak)),
            ..force
        }
    }
}

/// Work in a range of X, of one branch or around both.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Loop {
    /// Range (m), infinite for all.
    pub x_m: [f64; 2],
    /// Limits of the work (J).
    pub limits: Limits,
}

/// The work so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct LoopState {
    work_j: f64,
    seen: bool,
}

impl LoopState {
    /// Takes in a piece.
    pub fn push(&mut self, l: &Loop, a: Point, b: Point) {
        let Some((a, b)) = cut(l.x_m, a, b) else {
            return;
        };
        self.seen = true;
        self.work_j += 0.5 * (a.force_n + b.force_n) * (b.position_m - a.position_m);
    }

    /// After the last piece: on the way back what came back is counted positive.
    pub fn finish(&self, l: &Loop, block: Point, branch: Branch) -> Outcome {
        if !self.seen {
            return Outcome::nothing(Miss::NotReached, block, Unit::Joule);
        }
        let work_j = match branch {
            Branch::Forward => self.work_j,
            Branch::Return => -self.work_j,
        };
        Outcome::of_value(work_j, l.limits, Unit::Joule, block)
    }
}

/// The force on the way in minus the force on the way back, at one place.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Gap {
    /// The place (m).
    pub at_m: f64,
    /// Limits of the difference (N).
    pub limits: Limits,
}

/// Both crossings.
#[derive(Clone, Copy, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct GapState([ThresholdState; 2]);

impl GapState {
    /// Takes in a piece.
    pub fn push(&mut self, g: &Gap, branch: Branch, a: Point, b: Point) {
        let crossing = match branch {
            Branch::Forward => Crossing::Rising,
            Branch::Return => Crossing::Falling,
        };
        self.0[branch as usize].push(&crossing_of(Line::X(g.at_m), crossing), a, b);
    }

    /// After the last piece.
    pub fn finish(&self, g: &Gap, block: Point) -> Outcome {
        match (self.0[0].crossed(), self.0[1].crossed()) {
            (Some(on_the_way_in), Some(back)) => Outcome::of_value(
                on_the_way_in.force_n - back.force_n,
                g.limits,
                Unit::Newton,
                on_the_way_in,
            ),
            _ => Outcome::nothing(Miss::NotReached, block, Unit::Newton),
        }
    }
}

/// The gradient between two places.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Chord {
    /// The places (m), the first one smaller.
    pub x_m: [f64; 2],
    /// Limits (N/m).
    pub limits: Limits,
}

/// Both crossings.
#[derive(Clone, Copy, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct ChordState([ThresholdState; 2]);

impl ChordState {
    /// Takes in a piece.
    pub fn push(&mut self, c: &Chord, a: Point, b: Point) {
        for (state, x) in self.0.iter_mut().zip(c.x_m) {
            state.push(&crossing_of(Line::X(x), Crossing::Either), a, b);
        }
    }

    /// After the last piece.
    pub fn finish(&self, c: &Chord, block: Point) -> Outcome {
        match (self.0[0].crossed(), self.0[1].crossed()) {
            (Some(a), Some(b)) => {
                let slope = (b.force_n - a.force_n) / (c.x_m[1] - c.x_m[0]);
                Outcome::of_value(slope, c.limits, Unit::NewtonPerMetre, b)
            }
            _ => Outcome::nothing(Miss::NotReached, block, Unit::NewtonPerMetre),
        }
    }
}

const fn crossing_of(line: Line, crossing: Crossing) -> Threshold {
    Threshold {
        line,
        crossing,
        limits: Limits::ANY,
    }
}

/// How steeply the force rose: the chord from where it first had 20 % of the peak to where it first had 80 %.
#[derive(Clone, Copy, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Rise {
    levels_n: [f64; 2],
    crossings: [ThresholdState; 2],
}

/// Shares of the peak between which the rise is taken.
pub const RISE: [f64; 2] = [0.2, 0.8];

impl Rise {
    /// Of a stroke with this peak.
    pub fn of_peak(peak_n: f64) -> Self {
        Self {
            levels_n: [RISE[0] * peak_n, RISE[1] * peak_n],
            crossings: Default::default(),
        }
    }

    /// Takes in a piece of the way in.
    pub fn push(&mut self, a: Point, b: Point) {
        for (state, level) in self.crossings.iter_mut().zip(self.levels_n) {
            state.push(&crossing_of(Line::Y(level), Crossing::Rising), a, b);
        }
    }

    /// The gradient (N/m); none where the force did not rise from below the first level to the second.
    pub fn gradient_n_per_m(&self) -> Option<f64> {
        let (a, b) = (self.crossings[0].crossed()?, self.crossings[1].crossed()?);
        let dx = b.position_m - a.position_m;
        (dx > 0.0).then(|| (b.force_n - a.force_n) / dx)
    }
}

#[cfg(test)]
mod tests;
