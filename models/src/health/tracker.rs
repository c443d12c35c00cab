//! Inertia, Coulomb friction, viscous friction and gravity, tracked from movement to movement with their covariance.
//!
//! # Derivation
//! State x: the deviations from the calibrated values, in the scales of [`super::movement::Scales`]. A random walk,
//! `x[k+1] = x[k] + w`, with the standard deviation `WALK` a movement. A movement in direction s measures
//!
//! ```text
//! z = A x + e,   A = | 1 0 0 0 |   inertia
//!                    | 0 s 0 1 |   level: friction against the motion, gravity always the same way
//!                    | 0 0 1 0 |   viscous friction
//! ```
//!
//! and the update is Kalman's with S = A P A' + R. R is the movement's own covariance times a factor that is learnt from
//! the normalised innovations: a residual that is not white makes it grow until the stated covariance is the one that is seen. A movement
//! that fits badly (Huber) has its R widened until its pull is that of one on the edge; several in a row are no outliers but
//! a change, and the covariance is opened to the prior.
//!
//! Without excitation the walk would let the covariance grow without end: every variance stops at the prior's.
#![allow(
    clippy::needless_range_loop,
    reason = "indexes of rows and columns run over several arrays at once"
)]

use super::matrix::{Matrix, diagonal, dot, inverse, times};
use super::movement::{MovementFit, UNKNOWNS};

/// Tracked parameters.
pub const PARAMETERS: usize = 4;
/// Place of the inertia.
pub const INERTIA: usize = 0;
/// Place of the Coulomb friction.
pub const COULOMB: usize = 1;
/// Place of the viscous friction.
pub const VISCOUS: usize = 2;
/// Place of gravity.
pub const GRAVITY: usize = 3;

/// Standard deviation of a parameter before anything was seen (relative).
const PRIOR: f64 = 0.5;
/// Standard deviation of the walk of a parameter in one movement (relative).
const WALK: f64 = 0.004;
/// Normalised innovation (three degrees of freedom) beyond which a movement is an outlier: 1 in 1000.
const OUTLIER: f64 = 16.3;
/// Outliers in a row that are a change.
const CHANGE: u32 = 3;
/// Error of a movement that its own residual does not show: the two directions of a screw differ (relative standard deviations,
/// times the learnt factor).
const SYSTEMATIC: [f64; UNKNOWNS] = [0.01, 0.005, 0.02];
/// What each change makes of the factor on the noise: changes that never end are noise.
const CHANGE_NOISE: f64 = 4.0;
/// Movements before the noise is learnt: until then the prior rules.
const LEARN_AFTER: u32 = 6;
/// Weight of the newest innovation in the factor on the noise.
const LEARN: f64 = 0.05;

/// The tracked deviations.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Tracker {
    /// Deviations from the calibrated values, in scales.
    pub x: [f64; PARAMETERS],
    /// Their covariance.
    pub p: Matrix<PARAMETERS>,
    /// Factor on the covariance of a movement.
    noise: f64,
    /// Movements taken in, by direction: positive, negative.
    seen: [u32; 2],
    outliers: u32,
}

impl Default for Tracker {
    fn default() -> Self {
        Self {
            x: [0.0; PARAMETERS],
            p: diagonal(&[PRIOR * PRIOR; PARAMETERS]),
            noise: 4.0,
            seen: [0; 2],
            outliers: 0,
        }
    }
}

impl Tracker {
    /// Takes in a movement.
    pub fn update(&mut self, m: &MovementFit) {
        self.walk();
        let s = m.direction;
        let a: [[f64; PARAMETERS]; UNKNOWNS] = [
            [1.0, 0.0, 0.0, 0.0],
            [0.0, s, 0.0, 1.0],
            [0.0, 0.0, 1.0, 0.0],
        ];
        let Some((mut gain, mut nis, mut innovation)) = self.gain(&a, m, self.noise) else {
            return;
        };
        let direction = usize::from(s < 0.0);
        if nis > OUTLIER {
            self.outliers += 1;
            if self.outliers >= CHANGE {
                // No outlier but a change: what was believed is given up.
                self.outliers = 0;
                self.p = diagonal(&[PRIOR * PRIOR; PARAMETERS]);
                self.seen = [0; 2];
                self.noise = (self.noise * CHANGE_NOISE).min(1e6);
                let Some(opened) = self.gain(&a, m, self.noise) else {
                    return;
                };
                (gain, nis, innovation) = opened;
            } else {
                let wide = self.noise * libm::sqrt(nis / OUTLIER) * nis / OUTLIER;
                let Some(widened) = self.gain(&a, m, wide) else {
                    return;
                };
                gain = widened.0;
            }
        } else {
            self.outliers = 0;
        }
        if self.seen[0].min(self.seen[1]) >= LEARN_AFTER {
            // Bounded, so that one movement changes little; the mean of a chi-squared figure with three degrees is 3.
            let ratio = nis.min(OUTLIER) / UNKNOWNS as f64;
            self.noise = (self.noise * (1.0 + LEARN * (ratio - 1.0))).clamp(1e-2, 1e6);
        }
        for (x, row) in self.x.iter_mut().zip(&gain) {
            *x += dot(row, &innovation);
        }
        // P - K A P, made symmetric.
        let mut p = self.p;
        for i in 0..PARAMETERS {
            for j in 0..PARAMETERS {
                for (k, row) in a.iter().enumerate() {
                    let ap: f64 = (0..PARAMETERS).map(|n| row[n] * self.p[n][j]).sum();
                    p[i][j] -= gain[i][k] * ap;
                }
            }
        }
        for i in 0..PARAMETERS {
            for j in 0..PARAMETERS {
                self.p[i][j] = 0.5 * (p[i][j] + p[j][i]);
            }
            // Rounding must not make a variance negative.
            self.p[i][i] = self.p[i][i].max(1e-12);
        }
        self.seen[direction] = self.seen[direction].saturating_add(1);
    }

    /// Whether movements in both directions were seen since the last change: friction and gravity are told apart.
    pub fn ready(&self) -> bool {
        self.seen[0].min(self.seen[1]) >= 2
    }

    /// Movements taken in since the last change.
    pub fn seen(&self) -> u32 {
        self.seen[0].saturating_add(self.seen[1])
    }

    /// Standard deviation of parameter `n`.
    pub fn sigma(&self, n: usize) -> f64 {
        libm::sqrt(self.p[n][n])
    }

    fn walk(&mut self) {
        for i in 0..PARAMETERS {
            self.p[i][i] += WALK * WALK;
            if self.p[i][i] > PRIOR * PRIOR {
                // Row and column together keep the matrix positive definite.
                let shrink = PRIOR / libm::sqrt(self.p[i][i]);
                for j in 0..PARAMETERS {
                    self.p[i][j] *= shrink;
                    self.p[j][i] *= shrink;
                }
            }
        }
    }

    /// Gain, normalised innovation and innovation with the movement's covariance times `factor`.
    fn gain(
        &self,
        a: &[[f64; PARAMETERS]; UNKNOWNS],
        m: &MovementFit,
        factor: f64,
    ) -> Option<([[f64; UNKNOWNS]; PARAMETERS], f64, [f64; UNKNOWNS])> {
        // P A'
        let mut pa = [[0.0; UNKNOWNS]; PARAMETERS];
        for i in 0..PARAMETERS {
            for (k, row) in a.iter().enumerate() {
                pa[i][k] = dot(&self.p[i], row);
            }
        }
        let mut s = m.covariance;
        for (i, row) in a.iter().enumerate() {
            for k in 0..UNKNOWNS {
                let apa: f64 = (0..PARAMETERS).map(|n| row[n] * pa[n][k]).sum();
                s[i][k] = factor * s[i][k] + apa;
            }
            s[i][i] += factor * SYSTEMATIC[i] * SYSTEMATIC[i];
        }
        let s = inverse(&s)?;
        let expected = times(a, &self.x);
        let mut innovation = m.deviation;
        for (innovation, expected) in innovation.iter_mut().zip(&expected) {
            *innovation -= expected;
        }
        let nis = dot(&innovation, &times(&s, &innovation));
        let mut gain = [[0.0; UNKNOWNS]; PARAMETERS];
        for (gain, pa) in gain.iter_mut().zip(&pa) {
            *gain = times(&s, pa);
        }
        nis.is_finite().then_some((gain, nis, innovation))
    }
}

#[cfg(test)]
mod tests {
    use super::super::movement::tests::moved;
    use super::*;
    use proptest::prelude::*;

    /// Sum of twelve uniform numbers: nearly normal, the same everywhere.
    pub(crate) fn normal(seed: &mut u64) -> f64 {
        let mut sum = -6.0;
        for _ in 0..12 {
            *seed = seed
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            sum += (*seed >> 11) as f64 / (1u64 << 53) as f64;
        }
        sum
    }

    fn run(change: impl Fn(u32) -> [f64; 4], movements: u32, seed: u64) -> Tracker {
        let (mut t, mut seed) = (Tracker::default(), seed);
        for k in 0..movements {
            let s = if k % 2 == 0 { 1.0 } else { -1.0 };
            t.update(&moved(s, change(k), || 0.03 * normal(&mut seed)));
        }
        t
    }

    #[test]
    fn a_batch_of_least_squares_says_the_same() {
        // Constant parameters: the mean over the movements of both directions is the batch solution.
        let change = [0.05, 0.2, -0.1, 0.1];
        let (mut t, mut seed) = (Tracker::default(), 7);
        let (mut sums, n) = ([[0.0; 3]; 2], 200.0);
        for k in 0..400 {
            let s = if k % 2 == 0 { 1.0 } else { -1.0 };
            let fit = moved(s, change, || 0.03 * normal(&mut seed));
            for (sum, z) in sums[k % 2].iter_mut().zip(&fit.deviation) {
                *sum += z / n;
            }
            t.update(&fit);
        }
        let [up, down] = sums;
        let batch = [
            0.5 * (up[0] + down[0]),
            0.5 * (up[1] - down[1]),
            0.5 * (up[2] + down[2]),
            0.5 * (up[1] + down[1]),
        ];
        for n in 0..PARAMETERS {
            // The tracker forgets, so it knows less than the batch: by its own sigma.
            assert!(
                (t.x[n] - batch[n]).abs() < 3.0 * t.sigma(n),
                "{n}: {t:?} {batch:?}"
            );
            assert!((batch[n] - change[n]).abs() < 0.005, "{n}: {batch:?}");
            assert!(t.sigma(n) < 0.03, "{n}: {t:?}");
        }
    }

    #[test]
    fn the_stated_sigma_is_the_one_that_is_seen() {
        let change = [0.0, 0.3, 0.1, -0.2];
        let mut sum = [0.0; PARAMETERS];
        let seeds = 60;
        for seed in 0..seeds {
            let t = run(|_| change, 80, 1000 + seed);
            for (n, sum) in sum.iter_mut().enumerate() {
                let z = (t.x[n] - change[n]) / t.sigma(n);
                *sum += z * z / seeds as f64;
            }
        }
        for (n, z) in sum.iter().enumerate() {
            // Rather too wide than too narrow: the noise here has no systematic share, the tracker expects one.
            assert!((0.03..2.0).contains(z), "{n}: mean square {z}");
        }
    }

    #[test]
    fn a_step_is_followed_and_a_single_outlier_is_not() {
        let t = run(
            |k| {
                if k < 40 {
                    [0.0; 4]
                } else {
                    [0.0, 0.5, 0.0, 0.0]
                }
            },
            60,
            3,
        );
        assert!((t.x[COULOMB] - 0.5).abs() < 0.05, "{t:?}");
        let t = run(
            |k| {
                if k == 40 {
                    [0.0, 0.5, 0.0, 0.0]
                } else {
                    [0.0; 4]
                }
            },
            42,
            3,
        );
        assert!(t.x[COULOMB].abs() < 0.05, "{t:?}");
    }

    #[test]
    fn without_excitation_the_covariance_stays_bounded() {
        let mut t = Tracker::default();
        let mut fit = moved(1.0, [0.0; 4], || 0.0);
        // Nothing is learnt from such a movement.
        fit.covariance = diagonal(&[1e9; UNKNOWNS]);
        for _ in 0..100_000 {
            t.update(&fit);
        }
        for n in 0..PARAMETERS {
            assert!(t.sigma(n) <= PRIOR * 1.0001, "{t:?}");
        }
        assert!(inverse(&t.p).is_some());
        // One direction alone cannot tell friction from gravity.
        let mut t = Tracker::default();
        for _ in 0..1000 {
            t.update(&moved(1.0, [0.0, 0.2, 0.0, 0.0], || 0.0));
        }
        assert!(!t.ready() && t.sigma(COULOMB) > 0.2, "{t:?}");
    }

    proptest! {
        #[test]
        fn whatever_comes_it_stays_finite_and_positive(
            values in proptest::collection::vec((-1e6..1e6f64, -1e6..1e6f64, -1e6..1e6f64, 1e-9..1e6f64, any::<bool>()), 1..60),
        ) {
            let mut t = Tracker::default();
            for (x, y, z, c, up) in values {
                t.update(&MovementFit {
                    deviation: [x, y, z],
                    covariance: diagonal(&[c; UNKNOWNS]),
                    direction: if up { 1.0 } else { -1.0 },
                    samples: 20.0,
                });
                prop_assert!(t.x.iter().all(|x| x.is_finite()), "{t:?}");
                prop_assert!((0..PARAMETERS).all(|n| t.p[n][n] > 0.0 && t.sigma(n) <= PRIOR * 1.01), "{t:?}");
            }
        }
    }
}
