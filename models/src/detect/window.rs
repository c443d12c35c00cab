//! The windowed innovation test: whether the scatter has grown.
//!
//! # Derivation
//! For white normal w with standard deviation 1 the sum of squares over N cycles is chi-square with N degrees of freedom. An
//! exponentially weighted mean needs one number instead of N,
//!
//! ```text
//! q(k) = q(k-1) + b (w(k)2 - q(k-1))
//! ```
//!
//! and has mean 1 and variance `2 b / (2 - b)` times `(kurtosis - 1) / 2`: as much as chi-square over its degrees of freedom has
//! with `(2 - b) / b` times `2 / (kurtosis - 1)` degrees (Welch 1938, Satterthwaite 1946). That gives a threshold where no healthy
//! record is at hand; with one, [`crate::tail`] knows better.

/// Weight of the newest cycle: the window looks back over some 63 cycles.
pub const WEIGHT: f64 = 1.0 / 32.0;
/// A square beyond this counts as this (standard deviations squared): single outliers are the fast limit's.
pub const LARGEST_SQUARE: f64 = 16.0;

/// Weighted mean of squares (4 bytes).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Window {
    mean: f32,
}

impl Default for Window {
    fn default() -> Self {
        Self { mean: 1.0 }
    }
}

impl Window {
    /// Takes in one whitened innovation (standard deviations) and gives the mean of squares, 1 on a healthy machine.
    #[inline]
    pub fn push(&mut self, white: f64) -> f64 {
        let square = white * white;
        let square = if square > LARGEST_SQUARE {
            LARGEST_SQUARE
        } else {
            square
        };
        let mean = f64::from(self.mean);
        let mean = mean + WEIGHT * (square - mean);
        self.mean = mean as f32;
        mean
    }

    /// Forgets everything: after a gap.
    pub fn clear(&mut self) {
        *self = Self::default();
    }
}

/// Effective degrees of freedom of the window for whitened innovations of this `kurtosis` (3 for normal ones, at least 1.01).
pub fn freedom(kurtosis: f64) -> f64 {
    let excess = if kurtosis > 1.01 {
        kurtosis - 1.0
    } else {
        0.01
    };
    (2.0 - WEIGHT) / WEIGHT * 2.0 / excess
}

/// The mean of squares that a healthy window exceeds with `probability` (1e-15 to 0.5) at one instant, by chi-square with
/// `freedom` degrees (0.1 to 1e4).
pub fn threshold(freedom: f64, probability: f64) -> f64 {
    let half = 0.5 * within(freedom, 0.1, 1e4);
    let probability = within(probability, 1e-15, 0.5);
    // The upper tail falls: bracket it, then halve.
    let mut low = 0.0;
    let mut high = 2.0 * half + 10.0;
    while upper_gamma(half, high) > probability {
        high *= 2.0;
    }
    for _ in 0..80 {
        let middle = 0.5 * (low + high);
        if upper_gamma(half, middle) > probability {
            low = middle;
        } else {
            high = middle;
        }
    }
    high / half
}

fn within(x: f64, low: f64, high: f64) -> f64 {
    if x > high {
        high
    } else if x > low {
        x
    } else {
        low
    }
}

/// Regularised upper incomplete gamma function Q(a, x), a > 0, x >= 0: the series below a + 1, Lentz' continued fraction above
/// (Abramowitz, Stegun 6.5.29 and 6.5.31).
fn upper_gamma(a: f64, x: f64) -> f64 {
    const MOST: u32 = 10_000;
    const SMALL: f64 = 1e-16;
    if x <= 0.0 {
        return 1.0;
    }
    let front = libm::exp(a * libm::log(x) - x - libm::lgamma(a));
    if x < a + 1.0 {
        let (mut term, mut sum) = (1.0 / a, 1.0 / a);
        for n in 1..MOST {
            term *= x / (a + f64::from(n));
            sum += term;
            if term < SMALL * sum {
                break;
            }
        }
        return 1.0 - front * sum;
    }
    let mut b = x + 1.0 - a;
    let mut c = 1.0 / 1e-300;
    let mut d = 1.0 / b;
    let mut h = d;
    for n in 1..MOST {
        let n = f64::from(n);
        let an = -n * (n - a);
        b += 2.0;
        d = 1.0 / (an * d + b);
        c = b + an / c;
        let step = d * c;
        h *= step;
        if libm::fabs(step - 1.0) < SMALL {
            break;
        }
    }
    front * h
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threshold_agrees_with_the_tables_of_chi_square() {
        // Upper points of chi-square over its degrees of freedom; the last two from scipy.stats.chi2.isf.
        for (freedom, probability, point) in [
            (1.0, 0.05, 3.841_458_820_694_124),
            (10.0, 0.01, 23.209_251_158_954_356),
            (63.0, 0.001, 103.442_377_319_873_24),
            (2.0, 1e-12, 55.262_042_231_857_09),
            (5.25, 1e-9, 51.368_517_451_909_554),
        ] {
            let found = threshold(freedom, probability) * freedom;
            assert!(
                (found / point - 1.0).abs() < 1e-9,
                "{freedom} {probability}: {found} for {point}"
            );
        }
    }

    #[test]
    fn window_has_the_freedom_that_is_said_and_its_threshold_holds() {
        // A hash of the index as uniform numbers; twelve of them less 6 have the kurtosis 3 - 0.1.
        let uniform = |k: u64| {
            let mut z = k.wrapping_mul(0x9E37_79B9_7F4A_7C15);
            z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
            ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
        };
        let normal = |k: u64| (0..12).map(|n| uniform(12 * k + n)).sum::<f64>() - 6.0;
        let count = 400_000;
        let limit = threshold(freedom(2.9), 0.01);
        let mut window = Window::default();
        let (mut sum, mut square, mut beyond) = (0.0, 0.0, 0);
        for k in 0..count {
            let q = window.push(normal(k));
            sum += q;
            square += (q - 1.0) * (q - 1.0);
            beyond += u32::from(q > limit);
        }
        let n = count as f64;
        assert!((sum / n - 1.0).abs() < 0.01, "mean {}", sum / n);
        let found = 2.0 / (square / n);
        assert!((found / freedom(2.9) - 1.0).abs() < 0.05, "freedom {found}");
        let share = f64::from(beyond) / n;
        assert!((0.008..0.0125).contains(&share), "{share} beyond 1 %");
    }

    #[test]
    fn one_outlier_is_bounded_and_forgotten() {
        let mut window = Window::default();
        assert!(window.push(1e200) < 1.6);
        for _ in 0..1000 {
            window.push(0.0);
        }
        assert!(window.push(0.0) < 1.0);
    }
}
