//! A crank or a table between the axis and the ram of a press, and the ram that hangs on it.
//!
//! # Derivation
//! With `x` the way of the axis behind the motor's gear, `s(x)` the place of the ram and `J = ds/dx`, what turns weighs `M0`
//! and the ram `m`, so that together they move as the mass `M(x) = M0 + m J^2` at `x`. Lagrange's equation for the energy
//! `M x'^2 / 2` and what works on both sides is
//!
//! `(M0 + m J^2) x'' + m J J' x'^2 = kf i - friction - J (F_part(s) + F_balance(s))`.
//!
//! The term with `x'^2` does no work of its own: multiplied by `x'` the left side is the change of `M x'^2 / 2`. So with
//! `w = sqrt(M) x'` the whole equation is `w' = force / sqrt(M)`, and while no force acts `w` stays. That is how a step goes:
//! on the way from one place to the next `x'` changes as `1 / sqrt(M)`, then the forces act at the mass of the new place.
//! No second derivative of the linkage is needed, in a dead centre (`J = 0`) nothing is divided by, and energy is neither
//! won nor lost whatever the step is.
//!
//! A crank of radius r and a rod l, q from the upper dead centre: the rod leans by `sin b = r sin q / l`, the ram is at
//! `s = (r + l) - (r cos q + l cos b)`, and as the rod turns about its pole the ram moves by `ds/dq = r sin(q + b) / cos b`.
//!
//! A table is a cubic spline through its rows: two continuous derivatives, as a real linkage has them, so that the force of
//! inertia does not jump at a row. Its slopes solve
//! `h1 m0 + 2 (h0 + h1) m1 + h0 m2 = 3 (h1 d0 + h0 d1)` over neighbouring pieces of widths h and chords d; at the ends they
//! are those of the cubic through the last four rows. Beyond its ends it goes on straight.

use super::mechanics::GRAVITY_M_PER_S2;
use twinstep_config::machine::{DriveTrain, Mechanism, Shape, Stroke};

/// Rows that the slope at an end of a table is taken from.
const END_ROWS: usize = 4;

/// From the axis to the ram.
#[derive(Clone, Debug)]
pub(super) enum Link {
    /// A crank.
    Crank {
        /// Radius of the crank (m).
        radius_m: f64,
        /// Length of the rod (m).
        rod_m: f64,
        /// Turn of the crank per way of the axis (rad/m).
        rad_per_m: f64,
        /// Place of the axis in the upper dead centre (m).
        zero_m: f64,
    },
    /// Rows, in places of the axis.
    Rows(Spline),
}

impl Link {
    /// What the builder's drawing says.
    pub fn new(mechanism: &Mechanism) -> Self {
        let (rad_per_m, zero_m) = (mechanism.rad_per_m, mechanism.zero_m);
        match &mechanism.shape {
            Shape::Crank { radius_m, rod_m } => Self::Crank {
                radius_m: *radius_m,
                rod_m: *rod_m,
                rad_per_m,
                zero_m,
            },
            Shape::Rows(rows) => {
                let axis_m = rows.iter().map(|[q_rad, _]| zero_m + q_rad / rad_per_m);
                let ram_m = rows.iter().map(|[_, ram_m]| *ram_m);
                Self::Rows(Spline::new(axis_m.collect(), ram_m.collect()))
            }
        }
    }

    /// Where the ram is (m) and how far it goes per way of the axis (1).
    #[inline]
    pub fn at(&self, axis_m: f64) -> (f64, f64) {
        match self {
            Self::Crank {
                radius_m,
                rod_m,
                rad_per_m,
                zero_m,
            } => {
                let (sin_q, cos_q) = libm::sincos((axis_m - zero_m) * rad_per_m);
                let sin_b = radius_m * sin_q / rod_m;
                let cos_b = libm::sqrt(1.0 - sin_b * sin_b);
                let above_m = radius_m * cos_q + rod_m * cos_b;
                let per_rad = radius_m * (sin_q * cos_b + cos_q * sin_b) / cos_b;
                (radius_m + rod_m - above_m, per_rad * rad_per_m)
            }
            Self::Rows(spline) => spline.at(axis_m),
        }
    }
}

/// A cubic spline.
#[derive(Clone, Debug)]
pub(super) struct Spline {
    x: Vec<f64>,
    y: Vec<f64>,
    slope: Vec<f64>,
}

impl Spline {
    /// Through `y` over rising `x`, two or more of each.
    fn new(x: Vec<f64>, y: Vec<f64>) -> Self {
        let last = x.len() - 1;
        let width = |n: usize| x[n + 1] - x[n];
        let chord = |n: usize| (y[n + 1] - y[n]) / width(n);
        let mut slope = vec![0.0; last + 1];
        slope[0] = end_slope(&x, &y);
        let turned = |all: &[f64]| all.iter().rev().copied().collect::<Vec<f64>>();
        slope[last] = end_slope(&turned(&x), &turned(&y));
        // Elimination forwards, then back; each row is dominated by its middle.
        let mut above = vec![0.0; last + 1];
        for n in 1..last {
            let (h0, h1) = (width(n - 1), width(n));
            let middle = 2.0 * (h0 + h1) - h1 * above[n - 1];
            let right = 3.0 * (h1 * chord(n - 1) + h0 * chord(n)) - h1 * slope[n - 1];
            above[n] = h0 / middle;
            slope[n] = right / middle;
        }
        for n in (1..last).rev() {
            slope[n] -= above[n] * slope[n + 1];
        }
        Self { x, y, slope }
    }

    fn at(&self, x: f64) -> (f64, f64) {
        let last = self.x.len() - 1;
        let beyond = |n: usize| (self.y[n] + self.slope[n] * (x - self.x[n]), self.slope[n]);
        if x <= self.x[0] {
            return beyond(0);
        }
        if x >= self.x[last] {
            return beyond(last);
        }
        let n = self.x.partition_point(|row| *row <= x).saturating_sub(1);
        let (h, t) = (self.x[n + 1] - self.x[n], x - self.x[n]);
        let (m0, m1) = (self.slope[n], self.slope[n + 1]);
        let chord = (self.y[n + 1] - self.y[n]) / h;
        let bend = (3.0 * chord - 2.0 * m0 - m1) / h;
        let twist = (m0 + m1 - 2.0 * chord) / (h * h);
        (
            self.y[n] + t * (m0 + t * (bend + t * twist)),
            m0 + t * (2.0 * bend + 3.0 * t * twist),
        )
    }
}

/// Slope at the first of some rows: that of the polynomial through the first [`END_ROWS`] of them, by divided differences.
fn end_slope(x: &[f64], y: &[f64]) -> f64 {
    let count = x.len().min(END_ROWS);
    let mut difference = y[..count].to_vec();
    let (mut slope, mut product) = (0.0, 1.0);
    for order in 1..count {
        for n in 0..count - order {
            difference[n] = (difference[n + 1] - difference[n]) / (x[n + order] - x[n]);
        }
        slope += product * difference[0];
        product *= x[0] - x[order];
    }
    slope
}

/// The ram behind its linkage, with what carries it.
#[derive(Clone, Debug)]
pub(super) struct Ram {
    link: Link,
    mass_kg: f64,
    /// Mass that the counterbalance was set for (kg).
    balanced_kg: f64,
    /// Share of the weight along its way, as that of an axis (1).
    gravity: f64,
    /// Force of the counterbalance against the way in beyond the weight of the ram (N), where the ram is at `balance_m`.
    balance_n: f64,
    balance_n_per_m: f64,
    balance_m: f64,
    /// Where it is (m).
    pub at_m: f64,
    /// How far it goes per way of the axis (1).
    pub per_way: f64,
    /// Its velocity (m/s).
    pub m_per_s: f64,
}

impl Ram {
    /// The ram of `train` of this true mass, standing where the axis is at `start_m`, which is its upper end; none behind a screw.
    pub fn new(train: &DriveTrain, mass_kg: f64, gravity: f64, start_m: f64) -> Option<Self> {
        let link = Link::new(&train.mechanism()?);
        let (at_m, per_way) = link.at(start_m);
        Some(Self {
            link,
            mass_kg,
            balanced_kg: train.ram_mass_kg,
            gravity,
            balance_n: train.counterbalance.constant_n,
            balance_n_per_m: train.counterbalance.rate_n_per_m,
            balance_m: at_m,
            at_m,
            per_way,
            m_per_s: 0.0,
        })
    }

    /// The stroke of the axis as the ram makes it.
    pub fn stroke(&self, of_axis: &Stroke) -> Stroke {
        let ram_m = |axis_m| self.link.at(axis_m).0;
        Stroke {
            top_m: ram_m(of_axis.top_m),
            approach_m: ram_m(of_axis.approach_m),
            bottom_m: ram_m(of_axis.bottom_m),
            ..of_axis.clone()
        }
    }

    /// Its mass (kg).
    pub fn mass_kg(&self) -> f64 {
        self.mass_kg
    }

    /// Goes to where the axis is now.
    #[inline]
    pub fn put_at(&mut self, axis_m: f64) {
        (self.at_m, self.per_way) = self.link.at(axis_m);
    }

    /// Its mass, and what was added, as a mass of the axis where it is now (kg).
    #[inline]
    pub fn on_axis_kg(&self, added_kg: f64) -> f64 {
        (self.mass_kg + added_kg) * self.per_way * self.per_way
    }

    /// What works on it, as a force of the axis (N): `load_n` from outside, weight and counterbalance.
    #[inline]
    pub fn force_on_axis_n(&self, load_n: f64, added_kg: f64) -> f64 {
        let off_balance_kg = self.mass_kg + added_kg - self.balanced_kg;
        let weight_n = off_balance_kg * self.gravity * GRAVITY_M_PER_S2;
        let balance_n = self.balance_n + self.balance_n_per_m * (self.at_m - self.balance_m);
        self.per_way * (load_n - weight_n - balance_n)
    }
}

#[cfg(test)]
#[path = "linkage_tests.rs"]
mod tests;
