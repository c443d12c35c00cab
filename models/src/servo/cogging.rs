//! Cogging: a torque that depends on the motor's angle, as a table over one revolution.
//!
//! # Derivation
//! Between the points the torque is the cubic through the two around it whose slopes are the central differences of the
//! points (Catmull-Rom), with the table closed to a ring. It passes through every point, is smooth to the first derivative,
//! and the error for a harmonic of n periods over N points is of third order in n / N.

use super::error::{ParamError, within};
use core::f64::consts::PI;

/// Most points of a table.
pub const POINTS_MAX: usize = 256;

/// Cogging torque over one revolution of the motor, in equal steps from 0.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cogging {
    torque_nm: [f64; POINTS_MAX],
    points: usize,
}

impl Cogging {
    /// From 4 to 256 points; a positive torque pushes towards larger angles (N m, -1e5 to 1e5).
    ///
    /// # Errors
    /// Too few or too many points, or one out of range.
    pub fn new(torque_nm: &[f64]) -> Result<Self, ParamError> {
        let points = torque_nm.len();
        let hint = "points over one revolution of the motor";
        within("points", points as f64, 4.0, POINTS_MAX as f64, hint)?;
        let mut table = [0.0; POINTS_MAX];
        for (to, from) in table.iter_mut().zip(torque_nm) {
            within(
                "torque_nm",
                *from,
                -1e5,
                1e5,
                "a point of the cogging table",
            )?;
            *to = *from;
        }
        Ok(Self {
            torque_nm: table,
            points,
        })
    }

    /// Torque at the motor's angle (N m).
    pub fn torque_nm(&self, angle_rad: f64) -> f64 {
        let turns = angle_rad / (2.0 * PI);
        let place = (turns - libm::floor(turns)) * self.points as f64;
        let whole = libm::floor(place);
        let u = place - whole;
        // `turns - floor` may round up to 1, which is 0 again; an angle that is no number reads the first point.
        let n = (whole as usize) % self.points;
        let at = |k: usize| self.torque_nm[(n + k) % self.points];
        let (before, p, q, after) = (at(self.points - 1), at(0), at(1), at(2));
        let (slope_p, slope_q) = (0.5 * (q - before), 0.5 * (after - p));
        let d = q - p;
        p + u
            * (slope_p
                + u * (3.0 * d - 2.0 * slope_p - slope_q + u * (slope_p + slope_q - 2.0 * d)))
    }

    /// Largest torque that the cubic can reach: 1.25 times the largest point (N m).
    pub fn bound_nm(&self) -> f64 {
        let largest = |m: f64, x: &f64| if x.abs() > m { x.abs() } else { m };
        1.25 * self.torque_nm.iter().fold(0.0, largest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn harmonic(points: usize, n: f64) -> Cogging {
        let table: std::vec::Vec<f64> = (0..points)
            .map(|k| libm::sin(2.0 * PI * n * k as f64 / points as f64))
            .collect();
        Cogging::new(&table).unwrap()
    }

    #[test]
    fn a_harmonic_is_followed_and_the_ring_is_closed() {
        let table = harmonic(128, 6.0);
        for k in -3000..3000 {
            let angle = f64::from(k) * 0.01;
            let error = (table.torque_nm(angle) - libm::sin(6.0 * angle)).abs();
            assert!(error < 2e-3, "{error} at {angle}");
        }
    }

    #[test]
    fn the_error_is_of_third_order() {
        let worst = |points: usize| {
            let table = harmonic(points, 3.0);
            (0..2000)
                .map(|k| f64::from(k) * 0.003_1)
                .map(|x| (table.torque_nm(x) - libm::sin(3.0 * x)).abs())
                .fold(0.0, f64::max)
        };
        let ratio = worst(64) / worst(128);
        assert!(ratio > 6.0, "{ratio}");
    }

    #[test]
    fn nothing_exceeds_the_bound() {
        let table = Cogging::new(&[1.0, -1.0, 1.0, 1.0, -1.0]).unwrap();
        for k in 0..10_000 {
            assert!(table.torque_nm(f64::from(k) * 0.007).abs() <= table.bound_nm());
        }
        assert!(table.torque_nm(1e300).is_finite() && table.torque_nm(f64::NAN).is_nan());
        assert_eq!(Cogging::new(&[0.0; 3]).unwrap_err().name, "points");
    }
}
