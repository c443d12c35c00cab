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
//! A part that moves alone can look like c where the others are hardly known: a load on a horizontal axis is inertia alone, and its
//! friction is only known to a few per cent. So c has two rivals, load alone (inertia and gravity free, frictions as calibrated) and
//! friction alone (the other way round), and must leave less than either by `DISTINCT`.
//!
//! What is left beyond its expectation widens the variance of c (Birge): friction that has risen alone leaves much, and c says nothing.

use super::matrix::{Matrix, diagonal, dot, inverse, times};
use super::movement::MovementFit;
use super::tracker::{COULOMB, GRAVITY, INERTIA, PARAMETERS, VISCOUS};

/// What the model may be wrong by, relative to the calibrated value: inertia, Coulomb and viscous friction (which warm up),
/// gravity.
const MODEL_ERROR: [f64; PARAMETERS] = [0.01, 0.03, 0.10, 0.02];
/// The same for a parameter that is calibrated as nearly nothing, in scales.
const LEAST_ERROR: f64 = 0.02;
/// Chi-squared with 3 degrees of freedom that 1 of 100 exceeds.
const CONSISTENT: f64 = 11.3;
/// How much less than its rivals the factor must leave (chi-squared): e times likelier.
const DISTINCT: f64 = 2.0;
/// Variance of a parameter that a rival leaves free, relative to what is known of it.
const FREE: f64 = 1e6;
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
    /// The least that load alone or friction alone leaves unexplained (chi-squared, 2 degrees of freedom).
    pub rival: f64,
    /// The factor alone explains what has changed.
    pub consistent: bool,
}

impl CommonFactor {
    /// Whether the factor explains the change better than its rivals, and there is one: three standard deviations.
    pub fn explains(&self) -> bool {
        let away = self.factor - 1.0;
        self.consistent
            && self.left + DISTINCT < self.rival
            && away * away > 9.0 * self.sigma * self.sigma
    }
}

/// Deviations and their covariance from a movement and the one back again, in the order of the tracker: the two directions
/// tell friction from gravity. A single figure that knows nothing of those before it, as a trend needs.
pub fn out_and_back(
    there: &MovementFit,
    back: &MovementFit,
) -> ([f64; PARAMETERS], Matrix<PARAMETERS>) {
    let (mut x, mut p) = ([0.0; PARAMETERS], [[0.0; PARAMETERS]; PARAMETERS]);
    for m in [there, back] {
        // Half of each movement: x = sum B z, P = sum B R B'.
        let s = m.direction;
        let mut b = [[0.0; 3]; PARAMETERS];
        b[INERTIA][0] = 0.5;
        b[COULOMB][1] = 0.5 * s;
        b[VISCOUS][2] = 0.5;
        b[GRAVITY][1] = 0.5;
        for (i, row) in b.iter().enumerate() {
            x[i] += dot(row, &m.deviation);
            let of_row = times(&m.covariance, row);
            for (p, other) in p[i].iter_mut().zip(&b) {
                *p += dot(other, &of_row);
            }
        }
    }
    (x, p)
}

/// Tests for a common factor: `x` are the deviations and `p` their covariance, `calibrated` the calibrated values, all in scales.
pub fn common_factor(
    x: &[f64; PARAMETERS],
    p: &Matrix<PARAMETERS>,
    calibrated: &[f64; PARAMETERS],
) -> Option<CommonFactor> {
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
    for (row, p) in w.iter_mut().zip(p) {
        for (w, p) in row.iter_mut().zip(p) {
            *w += p;
        }
    }
    let load = left_with_free(&w, x, &[INERTIA, GRAVITY])?;
    let friction = left_with_free(&w, x, &[COULOMB, VISCOUS])?;
    let w = inverse(&w)?;
    let wt = times(&w, calibrated);
    let information = dot(calibrated, &wt);
    if information <= 0.0 {
        return None;
    }
    let away = dot(x, &wt) / information;
    let left = (dot(x, &times(&w, x)) - away * away * information).max(0.0);
    let birge = (left / FREEDOM).max(1.0);
    Some(CommonFactor {
        factor: 1.0 + away,
        sigma: libm::sqrt(birge / information),
        left,
        rival: load.min(friction),
        consistent: left < CONSISTENT,
    })
}

/// What is left (chi-squared) where the parameters `free` may be anything.
fn left_with_free(
    covariance: &Matrix<PARAMETERS>,
    x: &[f64; PARAMETERS],
    free: &[usize],
) -> Option<f64> {
    let mut w = *covariance;
    for &n in free {
        w[n][n] += FREE * (w[n][n] + x[n] * x[n]);
    }
    Some(dot(x, &times(&inverse(&w)?, x)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::health::matrix::diagonal;
    use crate::health::tracker::Tracker;

    /// A vertical axis: gravity is twice the friction.
    const CALIBRATED: [f64; 4] = [1.0, 1.0, 0.3, 2.0];

    fn known(x: [f64; 4], calibrated: &[f64; 4]) -> CommonFactor {
        common_factor(&x, &diagonal(&[1e-6, 1e-5, 1e-4, 1e-5]), calibrated).expect("known")
    }

    #[test]
    fn everything_together_is_the_torque_constant() {
        for c in [0.9, 1.05, 1.2] {
            let x = CALIBRATED.map(|t| (c - 1.0) * t);
            let found = known(x, &CALIBRATED);
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
            let found = known(x, &CALIBRATED);
            assert!(!found.explains(), "{x:?}: {found:?}");
        }
    }

    #[test]
    fn a_load_on_a_horizontal_axis_is_not() {
        let horizontal = [1.0, 1.0, 0.3, 0.0];
        for percent in -20..=20 {
            let more = 0.01 * f64::from(percent);
            let found = known([more, 0.0, 0.0, 0.0], &horizontal);
            assert!(!found.explains(), "{percent} %: {found:?}");
            let found = known([0.0, more, 0.3 * more, 0.0], &horizontal);
            assert!(!found.explains(), "{percent} % friction: {found:?}");
        }
        let found = known(horizontal.map(|t| 0.06 * t), &horizontal);
        assert!(found.explains(), "{found:?}");
    }

    #[test]
    fn a_movement_and_the_one_back_tell_friction_from_gravity() {
        let m = |direction: f64, level| MovementFit {
            deviation: [0.1, level, 0.02],
            covariance: [[1e-4, 0.0, 0.0], [0.0, 4e-4, 1e-4], [0.0, 1e-4, 9e-4]],
            direction,
            samples: 100.0,
        };
        // Friction 0.3 against either motion, gravity 0.05 always the same way.
        let (x, p) = out_and_back(&m(1.0, 0.35), &m(-1.0, -0.25));
        for (x, wanted) in x.iter().zip([0.1, 0.3, 0.02, 0.05]) {
            assert!((x - wanted).abs() < 1e-12, "{x} {wanted}");
        }
        for (n, wanted) in [5e-5, 2e-4, 4.5e-4, 2e-4].into_iter().enumerate() {
            assert!((p[n][n] - wanted).abs() < 1e-12, "{p:?}");
        }
        // What friction and viscous friction share in one direction cancels over both; what gravity shares adds up.
        assert!(p[COULOMB][VISCOUS].abs() < 1e-12 && (p[GRAVITY][VISCOUS] - 5e-5).abs() < 1e-12);
    }

    #[test]
    fn what_is_not_known_yet_is_wide() {
        let nothing = Tracker::default();
        let found = common_factor(&nothing.x, &nothing.p, &CALIBRATED).expect("a prior is enough");
        assert!(found.sigma > 0.1 && !found.explains(), "{found:?}");
    }
}
