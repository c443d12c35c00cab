//! Do inertia, friction and gravity move together? Then it is the torque constant or the current sensor.
//!
//! # Derivation
//! From position, velocity and current only the ratios to the torque constant can be known: `J/Kt`, `Fc/Kt`, `Fv/Kt`, `g/Kt`.
//! If Kt falls to Kt/c, or the sensor reads c times too much, all four ratios grow by c. With the tracked deviations x, the
//! calibrated values t (both in scales) and the covariance W of x plus what the model may be wrong by,
//!
//! ```text
//! c - 1 = t' W^-1 x / t' W^-1 t        variance 1 / t' W^-1 t
//! left  = x' W^-1 x - (c - 1)^2 t' W^-1 t      chi-squared with 3 degrees of freedom if nothing but c has changed
//! ```
//!
//! What is left beyond its expectation widens the variance of c (Birge): friction that has risen alone leaves much, and c says nothing.

use super::matrix::{diagonal, dot, inverse, times};
use super::tracker::{PARAMETERS, Tracker};

/// What the model may be wrong by, relative to the calibrated value: inertia, Coulomb and viscous friction (which warm up),
/// gravity.
const MODEL_ERROR: [f64; PARAMETERS] = [0.01, 0.03, 0.10, 0.02];
/// The same for a parameter that is calibrated as nearly nothing, in scales.
const LEAST_ERROR: f64 = 0.02;
/// Chi-squared with 3 degrees of freedom that 1 of 100 exceeds.
const CONSISTENT: f64 = 11.3;
/// Degrees of freedom that are left.
const FREEDOM: f64 = 3.0;

/// The common factor.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CommonFactor {
    /// Factor on all currents (1).
    pub factor: f64,
    /// Its standard deviation, widened by what is left (1).
    pub sigma: f64,
    /// What it leaves unexplained (chi-squared, 3 degrees of freedom).
    pub left: f64,
    /// The factor alone explains what has changed.
    pub consistent: bool,
}

impl CommonFactor {
    /// Whether the factor explains the change, and there is one: three standard deviations.
    pub fn explains(&self) -> bool {
        let away = self.factor - 1.0;
        self.consistent && away * away > 9.0 * self.sigma * self.sigma
    }
}

/// Tests for a common factor. `calibrated` are the calibrated values in scales.
pub fn common_factor(tracker: &Tracker, calibrated: &[f64; PARAMETERS]) -> Option<CommonFactor> {
    let mut model = [0.0; PARAMETERS];
    for (n, model) in model.iter_mut().enumerate() {
        let error = (MODEL_ERROR[n] * calibrated[n].abs()).max(if n == 0 {
            MODEL_ERROR[0]
        } else {
            LEAST_ERROR
        });
        *model = error * error;
    }
    let mut w = diagonal(&model);
    for (row, p) in w.iter_mut().zip(&tracker.p) {
        for (w, p) in row.iter_mut().zip(p) {
            *w += p;
        }
    }
    let w = inverse(&w)?;
    let wt = times(&w, calibrated);
    let information = dot(calibrated, &wt);
    if information <= 0.0 {
        return None;
    }
    let away = dot(&tracker.x, &wt) / information;
    let left = (dot(&tracker.x, &times(&w, &tracker.x)) - away * away * information).max(0.0);
    let birge = (left / FREEDOM).max(1.0);
    Some(CommonFactor {
        factor: 1.0 + away,
        sigma: libm::sqrt(birge / information),
        left,
        consistent: left < CONSISTENT,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::health::matrix::diagonal;

    /// A vertical axis: gravity is twice the friction.
    const CALIBRATED: [f64; 4] = [1.0, 1.0, 0.3, 2.0];

    fn known(x: [f64; 4]) -> Tracker {
        let mut t = Tracker::default();
        (t.x, t.p) = (x, diagonal(&[1e-6, 1e-5, 1e-4, 1e-5]));
        t
    }

    #[test]
    fn everything_together_is_the_torque_constant() {
        for c in [0.9, 1.05, 1.2] {
            let x = CALIBRATED.map(|t| (c - 1.0) * t);
            let found = common_factor(&known(x), &CALIBRATED).expect("known");
            assert!(
                (found.factor - c).abs() < 1e-9 && found.consistent,
                "{found:?}"
            );
            assert!(found.explains(), "{found:?}");
        }
    }

    #[test]
    fn friction_load_or_nothing_is_not() {
        for x in [
            [0.0, 0.5, 0.1, 0.0],
            [0.1, 0.0, 0.0, 0.3],
            [0.0, 0.02, -0.02, 0.01],
            [0.0, -0.3, 0.0, 0.0],
        ] {
            let found = common_factor(&known(x), &CALIBRATED).expect("known");
            assert!(!found.explains(), "{x:?}: {found:?}");
        }
    }

    #[test]
    fn what_is_not_known_yet_is_wide() {
        let found = common_factor(&Tracker::default(), &CALIBRATED).expect("a prior is enough");
        assert!(found.sigma > 0.1 && !found.explains(), "{found:?}");
    }
}
