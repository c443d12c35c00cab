//! The law of a figure that comes once a movement: mean, spread, and how heavy its tail is.
//!
//! # Derivation
//! A commissioning run has tens of movements, too few for a tail of its own kind. A figure is a mean over many samples, so its law is
//! close to normal, and what is not known is its spread: a new figure over a spread that was learnt from n others follows Student's t
//! with n - 1 degrees of freedom. Where the record shows a heavier tail than the normal one, t of fewer degrees has it: its excess
//! kurtosis is `6 / (freedom - 4)`. It counts as far as it is beyond what n normal figures show in one record of twenty, whose standard
//! error is `sqrt(24 / n)`.
//!
//! Neighbours may be alike (warm-up, parts of one batch). What a CUSUM sums up then has the long-run variance, that of the figures
//! times `(1 + r) / (1 - r)` with r their lag-1 correlation, where it is significant.

/// Figures below which nothing is learnt.
pub const LEAST_FIGURES: usize = 4;
/// 95 % point of the normal distribution.
const Z: f64 = 1.644_853_626_951_472_7;
/// Largest correlation that is believed: figures that only ever drift would have no spread left to judge.
const CORRELATION_MAX: f64 = 0.9;

/// Law of one figure.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FigureFit {
    /// Mean (the figure's unit).
    pub mean: f64,
    /// Standard deviation, neighbours that are alike included (the figure's unit, >= 0).
    pub sigma: f64,
    /// Degrees of freedom of Student's t that it has (1, at least 1).
    pub freedom: f64,
    /// Figures in the record.
    pub count: usize,
}

/// Learns the law of `values`, finite and in the order in which they came; none for fewer than [`LEAST_FIGURES`].
pub fn fit_figures(values: &[f64]) -> Option<FigureFit> {
    if values.len() < LEAST_FIGURES {
        return None;
    }
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let moment = |power: fn(f64) -> f64| values.iter().map(|v| power(v - mean)).sum::<f64>() / n;
    let square = moment(|d| d * d);
    let fourth = moment(|d| d * d * d * d);
    let mut freedom = n - 1.0;
    let mut long_run = 1.0;
    if square > 0.0 {
        let excess = fourth / (square * square) - 3.0 - Z * libm::sqrt(24.0 / n);
        if excess > 0.0 {
            freedom = freedom.min(4.0 + 6.0 / excess);
        }
        let neighbours = values.windows(2).map(|w| (w[0] - mean) * (w[1] - mean));
        let correlation = neighbours.sum::<f64>() / (n * square);
        if correlation > Z / libm::sqrt(n) {
            let r = correlation.min(CORRELATION_MAX);
            long_run = (1.0 + r) / (1.0 - r);
        }
    }
    Some(FigureFit {
        mean,
        sigma: libm::sqrt(square * n / (n - 1.0) * long_run),
        freedom,
        count: values.len(),
    })
}

#[cfg(test)]
mod tests {
    use super::super::noise::Noise;
    use super::*;

    fn normal(noise: &mut Noise) -> f64 {
        (0..12).map(|_| noise.uniform()).sum::<f64>() - 6.0
    }

    #[test]
    fn normal_figures_have_the_freedom_of_their_number() {
        let mut heavy = 0;
        for seed in 0..40 {
            let mut noise = Noise::new(seed);
            let values: Vec<f64> = (0..80).map(|_| 3.0 + 0.1 * normal(&mut noise)).collect();
            let fit = fit_figures(&values).unwrap();
            assert!((fit.mean - 3.0).abs() < 0.06, "seed {seed}: {fit:?}");
            assert!((0.06..0.2).contains(&fit.sigma), "seed {seed}: {fit:?}");
            heavy += usize::from(fit.freedom < 79.0);
        }
        assert!(heavy <= 6, "{heavy} of 40 were taken for heavy");
    }

    #[test]
    fn a_heavy_tail_leaves_fewer_degrees_of_freedom() {
        let mut noise = Noise::new(5);
        let values: Vec<f64> = (0..400).map(|_| noise.student(5.0)).collect();
        let fit = fit_figures(&values).unwrap();
        assert!((4.0..15.0).contains(&fit.freedom), "{fit:?}");
    }

    #[test]
    fn neighbours_that_are_alike_widen_the_spread() {
        let mut noise = Noise::new(7);
        let mut x = 0.0;
        // An autoregression of 0.7: its long-run deviation is 1 / (1 - 0.7).
        let values: Vec<f64> = (0..2000)
            .map(|_| {
                x = 0.7 * x + normal(&mut noise);
                x
            })
            .collect();
        let fit = fit_figures(&values).unwrap();
        assert!((fit.sigma * 0.3 - 1.0).abs() < 0.15, "{fit:?}");
    }

    #[test]
    fn few_or_equal_figures_are_no_error() {
        assert_eq!(fit_figures(&[1.0; 3]), None);
        let fit = fit_figures(&[1.0; 9]).unwrap();
        assert_eq!((fit.mean, fit.sigma, fit.freedom), (1.0, 0.0, 8.0));
    }
}
