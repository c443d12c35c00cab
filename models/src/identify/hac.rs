//! Covariance of a least squares estimate whose residuals are not white.
//!
//! # Derivation
//! With rows `a[t]` and residuals `e[t]`, the estimate's error is `B sum a[t] e[t]`, `B = (sum a a')^-1`. White residuals make
//! the sum's covariance `s^2 sum a a'`; correlated ones add the products of neighbours. Newey and West (1987) weigh these by
//! `1 - lag / L`. The same is, term by term, the sum over all windows of L scores `a e`, each added up and squared, over L: one
//! pass whatever the bandwidth. L follows Andrews (1991): first-order models of the scores, Bartlett kernel.

/// Largest share of the rows that a bandwidth takes: beyond it hardly any independent windows are left.
const WIDEST: usize = 4;

/// `B S B` and the bandwidth (rows) for `scores`, row by row `a[t] e[t]`, and `bread`, the inverse normal matrix, both with
/// `columns` columns.
pub(super) fn covariance(scores: &[f64], columns: usize, bread: &[f64]) -> (Vec<f64>, usize) {
    let bandwidth = bandwidth(scores, columns);
    let meat = long_run(scores, columns, bandwidth);
    let left = product(bread, &meat, columns);
    (product(&left, bread, columns), bandwidth)
}

fn product(a: &[f64], b: &[f64], n: usize) -> Vec<f64> {
    let mut c = vec![0.0; n * n];
    for i in 0..n {
        for j in 0..n {
            c[i * n + j] = (0..n).map(|k| a[i * n + k] * b[k * n + j]).sum();
        }
    }
    c
}

/// Sum over all lags of the products of scores, Bartlett weights.
fn long_run(scores: &[f64], columns: usize, bandwidth: usize) -> Vec<f64> {
    let rows = scores.len() / columns;
    let mut sum = vec![0.0; columns];
    let mut out = vec![0.0; columns * columns];
    // The windows that hold row 0 alone to those that hold the last row alone.
    for end in 0..rows + bandwidth - 1 {
        for (c, s) in sum.iter_mut().enumerate() {
            if end < rows {
                *s += scores[end * columns + c];
            }
            if end >= bandwidth {
                *s -= scores[(end - bandwidth) * columns + c];
            }
        }
        for (i, a) in sum.iter().enumerate() {
            for (j, b) in sum.iter().enumerate() {
                out[i * columns + j] += a * b;
            }
        }
    }
    out.iter_mut().for_each(|x| *x /= bandwidth as f64);
    out
}

fn bandwidth(scores: &[f64], columns: usize) -> usize {
    let rows = scores.len() / columns;
    let (mut above, mut below) = (0.0, 0.0);
    for c in 0..columns {
        let (mut square, mut lagged) = (0.0, 0.0);
        for t in 0..rows {
            let s = scores[t * columns + c];
            square += s * s;
            if t > 0 {
                lagged += s * scores[(t - 1) * columns + c];
            }
        }
        if square <= 0.0 {
            continue;
        }
        let rho = (lagged / square).clamp(-0.999, 0.999);
        // Scores in units of their own spread: every parameter weighs the same.
        let white = (1.0 - rho * rho) * (1.0 - rho * rho);
        let (less, more) = ((1.0 - rho) * (1.0 - rho), (1.0 + rho) * (1.0 + rho));
        above += 4.0 * rho * rho * white / (less * less * less * more);
        below += white / (less * less);
    }
    if below <= 0.0 {
        return 1;
    }
    let length = 1.1447 * libm::cbrt(above / below * rows as f64);
    // A cast from float saturates.
    (length.ceil() as usize).clamp(1, (rows / WIDEST).max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noise(seed: u64, rho: f64, n: usize) -> Vec<f64> {
        let mut state = seed;
        let mut last = 0.0;
        (0..n)
            .map(|_| {
                let mut sum = 0.0;
                for _ in 0..4 {
                    state = state
                        .wrapping_mul(6_364_136_223_846_793_005)
                        .wrapping_add(1_442_695_040_888_963_407);
                    sum += (state >> 11) as f64 / (1_u64 << 53) as f64 - 0.5;
                }
                last = rho * last + sum;
                last
            })
            .collect()
    }

    #[test]
    fn windows_are_the_bartlett_sum() {
        let s = noise(3, 0.7, 60);
        let length = 7;
        let mut expected: f64 = s.iter().map(|x| x * x).sum();
        for lag in 1..length {
            let products: f64 = (lag..s.len()).map(|t| s[t] * s[t - lag]).sum();
            expected += 2.0 * (1.0 - lag as f64 / length as f64) * products;
        }
        let actual = long_run(&s, 1, length)[0];
        assert!(
            (actual / expected - 1.0).abs() < 1e-12,
            "{actual} {expected}"
        );
    }

    /// The mean of correlated noise: its standard error is known.
    #[test]
    fn the_error_of_a_mean_is_that_of_many_means() {
        let n = 4000;
        for rho in [0.0, 0.5, 0.9] {
            let (mut spread, mut told) = (0.0, 0.0);
            let runs = 60;
            for seed in 0..runs {
                let s = noise(seed, rho, n);
                let mean = s.iter().sum::<f64>() / n as f64;
                let scores: Vec<f64> = s.iter().map(|x| x - mean).collect();
                spread += mean * mean / runs as f64;
                told += covariance(&scores, 1, &[1.0 / n as f64]).0[0] / runs as f64;
            }
            let ratio = (told / spread).sqrt();
            assert!(
                (0.75..1.33).contains(&ratio),
                "rho {rho}: ratio {ratio}, seeds 0 to {runs}"
            );
        }
    }
}
