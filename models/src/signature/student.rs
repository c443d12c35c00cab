//! Student's t distribution: what a spread that was learnt from few runs is worth in the tail.
//!
//! # Derivation
//! With x = n / (n + t^2), the upper tail of t with n degrees of freedom is half the regularised incomplete beta function
//! I_x(n/2, 1/2), here by its continued fraction (modified Lentz).

/// Steps of the continued fraction; it converges in about sqrt(n).
const STEPS: usize = 300;
/// Where the fraction has converged.
const CONVERGED: f64 = 1.0e-14;
/// Smallest number that is divided by.
const TINY: f64 = 1.0e-300;

/// Probability of more than `t` >= 0 with `n` > 0 degrees of freedom.
pub fn tail(t: f64, n: f64) -> f64 {
    let x = n / (n + t * t);
    let (a, b) = (0.5 * n, 0.5);
    let front = libm::exp(
        libm::lgamma(a + b) - libm::lgamma(a) - libm::lgamma(b)
            + a * libm::log(x)
            + b * libm::log1p(-x),
    );
    if t <= 0.0 {
        return 0.5;
    }
    // The fraction converges fast on one side of the mean only.
    let beta = if x < (a + 1.0) / (a + b + 2.0) {
        front * fraction(a, b, x) / a
    } else {
        1.0 - front * fraction(b, a, 1.0 - x) / b
    };
    0.5 * beta
}

fn fraction(a: f64, b: f64, x: f64) -> f64 {
    let kept = |v: f64| if libm::fabs(v) < TINY { TINY } else { v };
    let mut c = 1.0;
    let mut d = 1.0 / kept(1.0 - (a + b) * x / (a + 1.0));
    let mut h = d;
    for step in 1..STEPS {
        let m = step as f64;
        let even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        d = 1.0 / kept(1.0 + even * d);
        c = kept(1.0 + even / c);
        h *= d * c;
        let odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        d = 1.0 / kept(1.0 + odd * d);
        c = kept(1.0 + odd / c);
        h *= d * c;
        if libm::fabs(d * c - 1.0) < CONVERGED {
            break;
        }
    }
    h
}

/// The t that is exceeded with `probability` (above 0, at most 0.5) with `n` > 0 degrees of freedom; at most 1e6.
pub fn quantile(probability: f64, n: f64) -> f64 {
    let (mut low, mut high) = (0.0, 1.0e6);
    for _ in 0..80 {
        let middle = 0.5 * (low + high);
        if tail(middle, n) > probability {
            low = middle;
        } else {
            high = middle;
        }
    }
    high
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_agree() {
        // Upper quantiles from printed tables.
        for (probability, n, t) in [
            (0.05, 1.0, 6.3138),
            (0.025, 5.0, 2.5706),
            (0.005, 10.0, 3.1693),
            (0.001, 8.0, 4.5008),
            (0.0005, 30.0, 3.6460),
        ] {
            let found = quantile(probability, n);
            assert!((found - t).abs() < 1e-3, "{probability} {n}: {found}");
        }
    }

    #[test]
    fn one_degree_of_freedom_is_cauchy() {
        for t in [0.1, 1.0, 7.0, 300.0] {
            let cauchy = libm::atan(1.0 / t) / std::f64::consts::PI;
            assert!((tail(t, 1.0) / cauchy - 1.0).abs() < 1e-9, "{t}");
        }
    }

    #[test]
    fn more_runs_need_a_lower_threshold() {
        let mut before = f64::INFINITY;
        for n in [2.0, 4.0, 8.0, 20.0, 100.0, 1000.0] {
            let t = quantile(1e-5, n);
            assert!(t < before && t > 4.26, "{n}: {t}");
            before = t;
        }
    }
}
