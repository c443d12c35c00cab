//! Learns how the innovation of a channel is whitened for [`crate::innovation`].
//!
//! # Derivation
//! Of an autoregression of order one, `e = a e' + y`, Burg (1967) takes the coefficient that makes forward and backward errors smallest
//! together,
//!
//! ```text
//! a = 2 sum e e' / sum (e2 + e'2)
//! ```
//!
//! which lies within -1 to 1, so that the autoregression is stable whatever the record. Sums run over all stretches together.
//! What is left has the variance `(1 - a2)` times that of the innovation; here it is measured.

use crate::innovation::CORRELATION_MAX;

/// Samples that a whitening needs.
pub const LEAST: usize = 500;

/// A whitening.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct WhitenFit {
    /// Correlation with the innovation before (-0.99 to 0.99).
    pub correlation: f64,
    /// Standard deviation of what is left, mean included (the innovation's unit, > 0).
    pub sigma: f64,
}

/// Fits the whitening of an innovation (finite) that was recorded in `stretches` without gaps.
///
/// None with fewer than `LEAST` samples, or for an innovation that is always 0.
pub fn fit_whitening(stretches: &[Vec<f64>]) -> Option<WhitenFit> {
    let (mut cross, mut power, mut count) = (0.0, 0.0, 0_usize);
    for pair in pairs(stretches) {
        cross += pair.0 * pair.1;
        power += pair.0 * pair.0 + pair.1 * pair.1;
        count += 1;
    }
    if count < LEAST || power.is_nan() || power <= 0.0 {
        return None;
    }
    let correlation = (2.0 * cross / power).clamp(-CORRELATION_MAX, CORRELATION_MAX);
    let left: f64 = pairs(stretches)
        .map(|(before, e)| (e - correlation * before) * (e - correlation * before))
        .sum();
    let sigma = libm::sqrt(left / count as f64);
    (sigma > 0.0).then_some(WhitenFit { correlation, sigma })
}

/// Every innovation with the one before.
fn pairs(stretches: &[Vec<f64>]) -> impl Iterator<Item = (f64, f64)> {
    stretches
        .iter()
        .flat_map(|s| s.windows(2).filter_map(|w| Some((*w.first()?, *w.last()?))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identify::noise::Noise;

    /// An autoregression driven by Student t figures.
    fn driven(a: f64, count: usize, seed: u64) -> Vec<f64> {
        let mut noise = Noise::new(seed);
        let mut past = 0.0;
        let next = |_| {
            past = noise.student(5.0) + a * past;
            past
        };
        (0..count).map(next).collect()
    }

    #[test]
    fn correlation_is_found_and_stretches_are_not_joined() {
        let seed = 11;
        for a in [0.95, 0.0, -0.4] {
            let stretches: Vec<Vec<f64>> = (0..4).map(|n| driven(a, 20_000, seed + n)).collect();
            let fit = fit_whitening(&stretches).unwrap();
            assert!((fit.correlation - a).abs() < 0.02, "seed {seed}: {fit:?}");
            // Variance 5/3 of a t with 5 degrees of freedom.
            let ratio = fit.sigma * fit.sigma / (5.0 / 3.0);
            assert!((ratio - 1.0).abs() < 0.1, "seed {seed}: {fit:?}");
        }
    }

    #[test]
    fn a_drift_is_bounded_and_nothing_gives_nothing() {
        let ramp: Vec<f64> = (0..10_000).map(f64::from).collect();
        assert_eq!(fit_whitening(&[ramp]).unwrap().correlation, CORRELATION_MAX);
        assert_eq!(fit_whitening(&[vec![0.0; 10_000]]), None);
        assert_eq!(fit_whitening(&[vec![1.0; LEAST]]), None);
    }
}
