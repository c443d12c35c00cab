//! What one movement says about inertia, friction and gravity, from a few sums.
//!
//! # Derivation
//! Where the axis really moves, away from reversals and contact, the residual of `current_load` is linear in what the
//! parameters have changed by. Everything is divided by a scale, so that all four unknowns are relative figures:
//!
//! ```text
//! r = dJ a + dFc s + dFv v + dg       s = sign(v), constant within a movement
//!   = x0 (J a) + z1 C + x2 V v        z1 C = s dFc + dg,  C = Coulomb scale, V = viscous scale
//! ```
//!
//! So one movement has three unknowns: inertia, level and viscous friction. Friction and gravity are told apart by movements in
//! both directions, which is the business of [`super::tracker`]. Nine sums are enough for the least squares and its residual.
//!
//! The residual is averaged over a window of sixteen cycles; taken every [`EVERY`] cycles little is lost, and neighbours are
//! hardly correlated any more.

use super::matrix::{Matrix, inverse, times};

/// Cycles from one sample to the next: half the window of `current_load`.
pub const EVERY: u64 = 8;
/// Unknowns of one movement: inertia, level, viscous friction.
pub const UNKNOWNS: usize = 3;
/// Samples that a movement needs.
const LEAST: f64 = 10.0;
/// How far a parameter may be from its calibrated value before the movement is believed at all (relative, standard deviation).
const WIDE: f64 = 10.0;

/// Scales that make the unknowns relative, all in effort ratios.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Scales {
    /// Inertia (A s2/m, > 0).
    pub inertia: f64,
    /// Coulomb friction and gravity (A, > 0).
    pub level_a: f64,
    /// Viscous friction (A s/m, > 0).
    pub viscous: f64,
    /// Slowest velocity that is used (m/s, > 0): below it bristles make the friction.
    pub least_m_per_s: f64,
}

/// Sums over the movement in progress.
#[derive(Clone, Copy, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Movement {
    n: f64,
    a: f64,
    v: f64,
    aa: f64,
    av: f64,
    vv: f64,
    r: f64,
    ra: f64,
    rv: f64,
    rr: f64,
    direction: f64,
    mixed: bool,
}

/// What a movement came to.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct MovementFit {
    /// Deviations of inertia, level and viscous friction from the calibrated ones, in scales.
    pub deviation: [f64; UNKNOWNS],
    /// Their covariance if the residual were white.
    pub covariance: Matrix<UNKNOWNS>,
    /// +1 or -1.
    pub direction: f64,
    /// Samples.
    pub samples: f64,
}

impl Movement {
    /// Takes in a sample: residual (A), velocity (m/s) and acceleration (m/s2), all averaged over the same window.
    #[inline]
    pub fn push(&mut self, s: &Scales, residual_a: f64, velocity: f64, acceleration: f64) {
        let direction = if velocity >= s.least_m_per_s {
            1.0
        } else if velocity <= -s.least_m_per_s {
            -1.0
        } else {
            return;
        };
        self.mixed |= self.direction * direction < 0.0;
        self.direction = direction;
        let (a, v) = (s.inertia * acceleration, s.viscous * velocity);
        self.n += 1.0;
        self.a += a;
        self.v += v;
        self.aa += a * a;
        self.av += a * v;
        self.vv += v * v;
        self.r += residual_a;
        self.ra += residual_a * a;
        self.rv += residual_a * v;
        self.rr += residual_a * residual_a;
    }

    /// Solves the movement and forgets it. None where it was too short or turned around on its way.
    pub fn finish(&mut self, s: &Scales) -> Option<MovementFit> {
        let m = core::mem::take(self);
        if m.n < LEAST || m.mixed {
            return None;
        }
        let c = s.level_a;
        let normal = [
            [m.aa, c * m.a, m.av],
            [c * m.a, c * c * m.n, c * m.v],
            [m.av, c * m.v, m.vv],
        ];
        let right = [m.ra, c * m.r, m.rv];
        // A weak prior keeps a movement without, say, constant speed solvable; its covariance says what it did not see. The
        // level of the noise it is weighed with is a hundredth of the Coulomb scale.
        let weak = 1e-4 * c * c / (WIDE * WIDE);
        let mut regular = normal;
        for (i, row) in regular.iter_mut().enumerate() {
            row[i] += weak;
        }
        let inverse = inverse(&regular)?;
        let deviation = times(&inverse, &right);
        let explained: f64 = deviation.iter().zip(&right).map(|(x, b)| x * b).sum();
        let left = (m.rr - explained).max(0.0) / (m.n - UNKNOWNS as f64);
        // Never more certain than a thousandth of the Coulomb scale: currents come in steps.
        let variance = left.max(1e-6 * c * c);
        let mut covariance = inverse;
        for value in covariance.iter_mut().flatten() {
            *value *= variance;
        }
        Some(MovementFit {
            deviation,
            covariance,
            direction: m.direction,
            samples: m.n,
        })
    }

    /// Forgets the movement in progress.
    pub fn clear(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use proptest::prelude::*;

    pub(crate) const S: Scales = Scales {
        inertia: 0.4,
        level_a: 0.9,
        viscous: 0.2,
        least_m_per_s: 0.02,
    };

    /// A smooth movement with `change` of inertia, Coulomb, viscous and gravity (relative), noise from `noise`.
    pub(crate) fn moved(
        direction: f64,
        change: [f64; 4],
        mut noise: impl FnMut() -> f64,
    ) -> MovementFit {
        let mut m = Movement::default();
        for k in 0..60 {
            let u = f64::from(k) / 60.0;
            let (v, a) = if u < 0.25 {
                (u * 4.0, 4.0)
            } else if u < 0.75 {
                (1.0, 0.0)
            } else {
                (4.0 - 4.0 * u, -4.0)
            };
            let (v, a) = (direction * v, direction * a);
            let r = change[0] * S.inertia * a
                + change[1] * S.level_a * direction
                + change[2] * S.viscous * v
                + change[3] * S.level_a
                + noise();
            m.push(&S, r, v, a);
        }
        m.finish(&S).expect("long enough")
    }

    #[test]
    fn a_short_or_turning_movement_says_nothing() {
        let mut m = Movement::default();
        for _ in 0..9 {
            m.push(&S, 0.1, 1.0, 0.0);
        }
        assert_eq!(m.finish(&S), None);
        for k in 0..40 {
            m.push(&S, 0.1, if k < 20 { 1.0 } else { -1.0 }, 0.0);
        }
        assert_eq!(m.finish(&S), None);
        assert_eq!(m, Movement::default());
    }

    proptest! {
        #[test]
        fn exact_changes_come_back(j in -0.5..0.5f64, f in -0.5..1.0f64, b in -0.5..1.0f64, g in -0.5..0.5f64, up in any::<bool>()) {
            let s = if up { 1.0 } else { -1.0 };
            let fit = moved(s, [j, f, b, g], || 0.0);
            for (found, put) in fit.deviation.iter().zip([j, s * f + g, b]) {
                prop_assert!((found - put).abs() < 1e-3, "{fit:?}");
            }
        }

        #[test]
        fn nothing_wild_comes_out(r in -1e6..1e6f64, v in -1e3..1e3f64, a in -1e6..1e6f64) {
            let mut m = Movement::default();
            for _ in 0..20 {
                m.push(&S, r, v, a);
            }
            if let Some(fit) = m.finish(&S) {
                prop_assert!(fit.deviation.iter().chain(fit.covariance.iter().flatten()).all(|x| x.is_finite()));
            }
        }
    }
}
