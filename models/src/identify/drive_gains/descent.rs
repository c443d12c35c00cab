//! Gauss and Newton on the equation, with gradients replaced by what of them follows from the instruments.
//!
//! # Derivation
//! With instruments Z, gradient A and residual y, a round solves `(P A)' (P A) d = (P A)' y`, `P = Z (Z'Z)^-1 Z'`. As P is a projection this is
//! `A'Z W d = W' Z'y`, `W = (Z'Z)^-1 Z'A`: three sums over the samples, and none of the rows has to be kept. Only the scores of the last
//! round, of which the covariance is made, are rows again: `W' z y`.

use super::super::hac;
use super::super::least_squares::LeastSquares;
use super::equation::{Equation, INSTRUMENTS, MOST};

/// Most rounds.
const ROUNDS: usize = 10;
/// A round that moves no parameter by more than this is the last (its standard errors, if the residuals were white).
const SETTLED: f64 = 1e-3;

/// Where a descent ended.
#[derive(Clone, Copy)]
pub(super) struct Found {
    pub(super) theta: [f64; MOST],
    pub(super) errors: [f64; MOST],
    pub(super) naive: [f64; MOST],
}

/// Sums over the samples.
struct Sums {
    rows: u64,
    zz: [f64; INSTRUMENTS * INSTRUMENTS],
    za: [[f64; MOST]; INSTRUMENTS],
    zy: [f64; INSTRUMENTS],
    yy: f64,
}

impl Sums {
    fn over(equation: &mut Equation<'_>, ranges: &[(usize, usize)], theta: [f64; MOST]) -> Self {
        let mut sums = Self {
            rows: 0,
            zz: [0.0; INSTRUMENTS * INSTRUMENTS],
            za: [[0.0; MOST]; INSTRUMENTS],
            zy: [0.0; INSTRUMENTS],
            yy: 0.0,
        };
        equation.each(ranges, theta, |row| {
            sums.rows += 1;
            sums.yy += row.left_a * row.left_a;
            for (i, z) in row.instruments.iter().enumerate() {
                sums.zy[i] += z * row.left_a;
                for (sum, other) in sums.zz[i * INSTRUMENTS..].iter_mut().zip(&row.instruments) {
                    *sum += z * other;
                }
                for (sum, a) in sums.za[i].iter_mut().zip(&row.gradient) {
                    *sum += z * a;
                }
            }
        });
        sums
    }

    /// W for the parameters `free`, column by column.
    fn weights(&self, free: &[usize]) -> Option<Vec<[f64; INSTRUMENTS]>> {
        let instruments =
            LeastSquares::of_sums(self.rows, self.zz.to_vec(), self.zy.to_vec(), self.yy);
        let inverse = instruments.solve()?.inverse_normal;
        let column = |f: &usize| {
            std::array::from_fn(|i| {
                (0..INSTRUMENTS)
                    .map(|k| inverse[i * INSTRUMENTS + k] * self.za[k][*f])
                    .sum()
            })
        };
        Some(free.iter().map(column).collect())
    }

    /// The equations of one round.
    fn projected(&self, free: &[usize], weights: &[[f64; INSTRUMENTS]]) -> LeastSquares {
        let dot = |w: &[f64; INSTRUMENTS], of: &dyn Fn(usize) -> f64| -> f64 {
            w.iter().enumerate().map(|(i, w)| w * of(i)).sum()
        };
        let mut normal = Vec::with_capacity(free.len() * free.len());
        for w in weights {
            normal.extend(free.iter().map(|f| dot(w, &|i| self.za[i][*f])));
        }
        let right = weights.iter().map(|w| dot(w, &|i| self.zy[i])).collect();
        LeastSquares::of_sums(self.rows, normal, right, self.yy)
    }
}

/// Gauss and Newton over the parameters `free`.
pub(super) fn descend(
    equation: &mut Equation<'_>,
    ranges: &[(usize, usize)],
    mut theta: [f64; MOST],
    free: &[usize],
) -> Result<Found, String> {
    let alike = || {
        "the set-points have too few kinds of motion to tell the gains apart: record moves in csp at several speeds, with acceleration, both ways".to_owned()
    };
    let period_s = equation.r.period_s;
    let n = free.len();
    let mut round = 0;
    loop {
        round += 1;
        let sums = Sums::over(equation, ranges, theta);
        let weights = sums.weights(free).ok_or_else(alike)?;
        let step = sums.projected(free, &weights).solve().ok_or_else(alike)?;
        let before = theta;
        for (f, d) in free.iter().zip(&step.x) {
            theta[*f] += d;
        }
        if theta.iter().any(|x| !x.is_finite()) {
            return Err(alike());
        }
        // A set-point is followed within the six cycles of `late_s`.
        theta[2] = theta[2].clamp(0.0, 6.0 * period_s);
        // A velocity is seen late or in time; a negative lag would be another drive.
        theta[3] = theta[3].clamp(0.0, 10.0 * period_s);
        let moved = |(f, error): (&usize, &f64)| (theta[*f] - before[*f]).abs() > SETTLED * error;
        if round < ROUNDS && free.iter().zip(&step.standard_error).any(moved) {
            continue;
        }
        let mut scores = Vec::with_capacity(sums.rows as usize * n);
        equation.each(ranges, before, |row| {
            scores.extend(weights.iter().map(|w| {
                let along: f64 = w.iter().zip(&row.instruments).map(|(w, z)| w * z).sum();
                along * row.left_a
            }));
        });
        let (covariance, _) = hac::covariance(&scores, n, &step.inverse_normal);
        let (mut errors, mut naive) = ([0.0; MOST], [0.0; MOST]);
        for (place, f) in free.iter().enumerate() {
            errors[*f] = libm::sqrt(covariance[place * n + place].max(0.0));
            naive[*f] = step.standard_error[place];
        }
        return Ok(Found {
            theta,
            errors,
            naive,
        });
    }
}
