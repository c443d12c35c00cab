//! How much of an axis' current its motion explains, beside a plain linear regression.
//!
//! The twin is that of the configuration. The regression `i = a acc + b vel + c sign(vel) + d` is fitted on the very record it
//! is judged on, with the same smoothing: the strongest it can be, and unfair to the twin, which was fitted elsewhere.
//!
//! Friction is not the same on every day. What the twin is worth once that is known stands beside: its prediction plus the mean
//! of what it has lacked so far, of the last 4 s mostly. Nothing of what is predicted is in that mean.

use crate::lines::ExplainedLine;
use twinstep_models::identify::LeastSquares;

/// Time over which the level of friction is followed (s).
const FOLLOWED_S: f64 = 4.0;
/// Time for which what is configured counts at the start (s).
const CONFIGURED_S: f64 = 1.0;
/// Terms of the regression.
const TERMS: usize = 4;
/// Least samples that are worth a line.
const LEAST: usize = 20;
/// Cycles of the second figure: what is left when the noise of the current is averaged out.
const AVERAGED_CYCLES: usize = 250;

/// One evaluation of `current_load`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Figure {
    /// Measured, smoothed (A).
    pub measured: f64,
    /// Explained by twin and motion (A).
    pub predicted: f64,
    /// Velocity (m/s).
    pub velocity: f64,
    /// Acceleration (m/s2).
    pub acceleration: f64,
}

/// Gathers the figures of one axis.
#[derive(Clone, Debug, Default)]
pub struct Explained {
    figures: Vec<Figure>,
}

impl Explained {
    /// Takes in one cycle.
    pub fn push(&mut self, figure: Figure) {
        self.figures.push(figure);
    }

    /// The lines of one axis: every cycle, and averages over 250 cycles.
    pub fn lines(&self, source: &str, unit: &str, period_s: f64) -> Vec<ExplainedLine> {
        let averaged: Vec<Figure> = self
            .figures
            .chunks_exact(AVERAGED_CYCLES)
            .map(mean)
            .collect();
        let averaged_s = AVERAGED_CYCLES as f64 * period_s;
        [(0.0, &self.figures), (averaged_s, &averaged)]
            .into_iter()
            .filter_map(|(averaged_s, figures)| {
                let (r2, rms) = score(figures, |f| f.predicted)?;
                let step_s = averaged_s.max(period_s);
                let followed = followed(figures, step_s);
                let (followed_r2, followed_rms) = score(&followed, |f| f.predicted)?;
                let x = regression(figures)?;
                let (regression_r2, regression_rms) = score(figures, |f| {
                    terms(f).iter().zip(&x).map(|(term, x)| term * x).sum()
                })?;
                Some(ExplainedLine {
                    source: source.to_owned(),
                    channel: "current_load".to_owned(),
                    unit: unit.to_owned(),
                    averaged_s,
                    samples: figures.len() as u64,
                    r2,
                    rms,
                    followed_r2,
                    followed_rms,
                    regression_r2,
                    regression_rms,
                })
            })
            .collect()
    }
}

/// The figures, predicted with the level of friction that was seen before each of them, `step_s` (s) apart.
fn followed(figures: &[Figure], step_s: f64) -> Vec<Figure> {
    let mut level = 0.0;
    (figures.iter().zip(1_u32..))
        .map(|(f, count)| {
            let predicted = f.predicted + level;
            let seen_s = f64::from(count) * step_s;
            let share = step_s / (seen_s + CONFIGURED_S).min(FOLLOWED_S);
            level += share.min(1.0) * (f.measured - predicted);
            Figure { predicted, ..*f }
        })
        .collect()
}

fn mean(figures: &[Figure]) -> Figure {
    let of = |get: fn(&Figure) -> f64| {
        figures.iter().map(get).sum::<f64>() / figures.len().max(1) as f64
    };
    Figure {
        measured: of(|f| f.measured),
        predicted: of(|f| f.predicted),
        velocity: of(|f| f.velocity),
        acceleration: of(|f| f.acceleration),
    }
}

fn terms(f: &Figure) -> [f64; TERMS] {
    let sign = if f.velocity == 0.0 {
        0.0
    } else {
        f.velocity.signum()
    };
    [f.acceleration, f.velocity, sign, 1.0]
}

/// In one direction the sign of the velocity is the constant: it is left out where the full regression has no solution.
fn regression(figures: &[Figure]) -> Option<[f64; TERMS]> {
    let solve = |used: &[usize]| {
        let mut ls = LeastSquares::new(used.len());
        for f in figures {
            let all = terms(f);
            let row: Vec<f64> = used.iter().map(|n| all[*n]).collect();
            ls.push(&row, f.measured);
        }
        let solution = ls.solve()?;
        let mut x = [0.0; TERMS];
        for (n, value) in used.iter().zip(&solution.x) {
            x[*n] = *value;
        }
        Some(x)
    };
    let both = figures.iter().any(|f| f.velocity > 0.0) && figures.iter().any(|f| f.velocity < 0.0);
    both.then(|| solve(&[0, 1, 2, 3]))
        .flatten()
        .or_else(|| solve(&[0, 1, 3]))
}

/// Share of the variance explained, and the RMS error.
fn score(figures: &[Figure], of: impl Fn(&Figure) -> f64) -> Option<(f64, f64)> {
    if figures.len() < LEAST {
        return None;
    }
    let n = figures.len() as f64;
    let mean = figures.iter().map(|f| f.measured).sum::<f64>() / n;
    let total: f64 = figures
        .iter()
        .map(|f| (f.measured - mean) * (f.measured - mean))
        .sum();
    let errors: f64 = figures
        .iter()
        .map(|f| (f.measured - of(f)) * (f.measured - of(f)))
        .sum();
    (total > 0.0 && errors.is_finite()).then(|| (1.0 - errors / total, (errors / n).sqrt()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figures(current: impl Fn(f64, f64) -> f64) -> Explained {
        let mut all = Explained::default();
        for k in 0..2000 {
            let (velocity, acceleration) = (f64::from(k % 700) - 300.0, f64::from(k % 130));
            all.push(Figure {
                measured: current(velocity, acceleration),
                predicted: 0.5 * acceleration + 0.01 * velocity,
                velocity,
                acceleration,
            });
        }
        all
    }

    #[test]
    fn a_perfect_twin_explains_everything_and_so_does_a_regression_of_a_linear_axis() {
        let lines = figures(|v, a| 0.5 * a + 0.01 * v).lines("x", "A", 0.001);
        assert_eq!(lines.len(), 1, "eight averages are too few for a line");
        assert!((lines[0].r2 - 1.0).abs() < 1e-12 && (lines[0].regression_r2 - 1.0).abs() < 1e-9);
    }

    #[test]
    fn what_the_twin_does_not_know_lowers_its_share_but_not_that_of_the_regression() {
        let lines =
            figures(|v, a| 0.5 * a + 0.01 * v + 3.0 * v.signum() + 7.0).lines("x", "A", 0.001);
        assert!(lines[0].r2 < 0.9 && lines[0].rms > 4.0, "{lines:?}");
        assert!(lines[0].regression_rms < 0.3, "{lines:?}");
    }

    /// Friction is 0.3 A higher than on the day of the calibration: that is known after some seconds, and nothing is known before.
    #[test]
    fn a_level_that_stays_is_followed() {
        let lines = figures(|v, a| 0.5 * a + 0.01 * v + 0.3).lines("x", "A", 0.1);
        assert!((lines[0].rms - 0.3).abs() < 1e-9, "{lines:?}");
        assert!(lines[0].followed_rms < 0.1 * lines[0].rms, "{lines:?}");
        let first = Figure {
            measured: 1.0,
            predicted: 0.0,
            velocity: 1.0,
            acceleration: 0.0,
        };
        assert_eq!(followed(&[first; 2], 0.25)[0].predicted, 0.0);
        assert!(followed(&[first; 2], 0.25)[1].predicted > 0.0);
    }

    #[test]
    fn a_constant_current_has_no_variance_to_explain() {
        assert!(figures(|_, _| 1.0).lines("x", "A", 0.001).is_empty());
    }
}
