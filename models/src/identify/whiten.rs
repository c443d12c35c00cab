//! Learns the autoregression that whitens an innovation: Burg's method.
//!
//! # Derivation
//! Burg (1967) finds the reflection coefficient of each order that makes forward and backward errors smallest together,
//!
//! ```text
//! k = 2 sum f(t) b(t-1) / sum (f(t)2 + b(t-1)2)
//! ```
//!
//! which lies within -1 to 1, so that the autoregression is stable whatever the record. Sums run over all stretches together. The order
//! is the one with the smallest Bayesian information criterion, `n ln(variance) + p ln n`, counting with the samples that the
//! innovation is worth.

use crate::detect::ORDER;

/// Samples that a whitening needs.
pub const LEAST: usize = 500;

/// A whitening, and what it leaves.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct WhitenFit {
    /// Coefficients of the innovations before, the newest first; unused ones are 0.
    pub coefficients: [f32; ORDER],
    /// Standard deviation of the innovation, mean included (its unit).
    pub sigma: f64,
    /// Standard deviation of what is left (its unit).
    pub white_sigma: f64,
    /// Lag-1 autocorrelation of the innovation.
    pub autocorrelation: f64,
    /// Kurtosis of the innovation.
    pub kurtosis: f64,
}

/// Fits the whitening of an innovation that was recorded in `stretches` without gaps.
///
/// None with fewer than `LEAST` samples, or for an innovation that is always 0.
pub fn fit_whitening(stretches: &[Vec<f64>]) -> Option<WhitenFit> {
    let count: usize = stretches.iter().map(Vec::len).sum();
    let samples = count as f64;
    let moment =
        |f: &dyn Fn(f64) -> f64| stretches.iter().flatten().map(|e| f(*e)).sum::<f64>() / samples;
    let square = moment(&|e| e * e);
    if count < LEAST || square.is_nan() || square <= 0.0 {
        return None;
    }
    let fourth = moment(&|e| (e * e / square) * (e * e / square));
    let mut forward: Vec<Vec<f64>> = stretches.to_vec();
    let mut backward = forward.clone();
    let mut a: Vec<f64> = Vec::new();
    let mut variance = square;
    let mut best = (samples * libm::log(square), a.clone(), square);
    let mut first = 0.0;
    for order in 1..=ORDER {
        let (mut cross, mut power) = (0.0, 0.0);
        for (f, b) in forward.iter().zip(&backward) {
            for (f, b) in f.iter().skip(order).zip(b.iter().skip(order - 1)) {
                cross += f * b;
                power += f * f + b * b;
            }
        }
        if power <= 0.0 {
            break;
        }
        let k = 2.0 * cross / power;
        if order == 1 {
            first = k;
        }
        let mut next: Vec<f64> = (0..order - 1)
            .map(|i| a[i] - k * a[order - 2 - i])
            .collect();
        next.push(k);
        a = next;
        variance *= 1.0 - k * k;
        for (f, b) in forward.iter_mut().zip(&mut backward) {
            for t in (order..f.len()).rev() {
                let (old_f, old_b) = (f[t], b[t - 1]);
                f[t] = old_f - k * old_b;
                b[t] = old_b - k * old_f;
            }
        }
        if variance <= 0.0 {
            break;
        }
        let criterion = samples * libm::log(variance) + order as f64 * libm::log(samples);
        if criterion < best.0 {
            best = (criterion, a.clone(), variance);
        }
    }
    let mut coefficients = [0.0; ORDER];
    for (to, a) in coefficients.iter_mut().zip(&best.1) {
        *to = *a as f32;
    }
    Some(WhitenFit {
        coefficients,
        sigma: libm::sqrt(square),
        white_sigma: libm::sqrt(best.2),
        autocorrelation: first,
        kurtosis: fourth,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identify::noise::Noise;

    /// An autoregression driven by Student t figures.
    fn driven(a: [f64; 2], count: usize, seed: u64) -> Vec<f64> {
        let mut noise = Noise::new(seed);
        let mut past = [0.0; 2];
        let next = |_| {
            let e = noise.student(5.0) + a[0] * past[0] + a[1] * past[1];
            past = [e, past[0]];
            e
        };
        (0..count).map(next).collect()
    }

    #[test]
    fn coefficients_are_found_and_stretches_are_not_joined() {
        let seed = 11;
        let stretches: Vec<Vec<f64>> = (0..4)
            .map(|n| driven([1.2, -0.4], 20_000, seed + n))
            .collect();
        let fit = fit_whitening(&stretches).unwrap();
        for (found, true_value) in fit.coefficients.iter().zip([1.2, -0.4, 0.0, 0.0]) {
            assert!(
                (f64::from(*found) - true_value).abs() < 0.03,
                "seed {seed}: {fit:?}"
            );
        }
        // Variance 5/3 of a t with 5 degrees of freedom.
        let ratio = fit.white_sigma * fit.white_sigma / (5.0 / 3.0);
        assert!((ratio - 1.0).abs() < 0.1, "seed {seed}: {fit:?}");
    }

    #[test]
    fn white_noise_keeps_order_zero_and_nothing_gives_nothing() {
        let seed = 5;
        let white = vec![driven([0.0, 0.0], 50_000, seed)];
        let fit = fit_whitening(&white).unwrap();
        assert!(
            fit.coefficients.iter().all(|a| a.abs() < 0.03),
            "seed {seed}: {fit:?}"
        );
        assert_eq!(fit_whitening(&[vec![0.0; 10_000]]), None);
        assert_eq!(fit_whitening(&[vec![1.0; LEAST - 1]]), None);
    }
}
