//! Sums over the constant speed of one stroke, from which its share of a signature follows. One pass, fixed memory.
//!
//! # Derivation
//! Of the current x_k, k = 0 .. n-1, a straight line `a + b k` is taken off by least squares, so that a drift over the stroke
//! is no ripple. Everything needed is linear in x and is summed on the way: with the screw's angle p_k,
//!
//! ```text
//! b = (sum k x - km sum x) / (n (n^2 - 1) / 12),  a = sum x / n - b km,  km = (n - 1) / 2
//! ripple = 2/n | sum x e^{ip} - a sum e^{ip} - b sum k e^{ip} |
//! unrest^2 = sum (x - x_0)^2 / n - (sum (x - x_0) / n)^2 - b^2 (n^2 - 1) / 12
//! ```
//!
//! with x_0 the first of them, which keeps the difference of two large sums out of it.

/// Samples over which the following error is smoothed for hunting.
pub const SMOOTHING: usize = 4;

/// Sums of one stroke.
#[derive(Clone, Copy, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub(super) struct Stroke {
    /// -1, 1, or 0 while the axis is told to stand.
    pub(super) direction: i8,
    /// Samples taken.
    pub(super) n: f64,
    /// Way of the reference in them (m).
    way_m: f64,
    x: f64,
    kx: f64,
    /// The first current, and the squares of what the others differ from it by.
    first: f64,
    square: f64,
    /// cos and sin of the screw's angle, plain, times k, and times x.
    e: [f64; 2],
    ke: [f64; 2],
    xe: [f64; 2],
    last_error_m: [f64; SMOOTHING],
    smooth_n: f64,
    smooth: f64,
    smooth_square: f64,
    second_n: f64,
    second_square: f64,
}

/// What one stroke adds to a signature.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Share {
    pub(super) current_a: f64,
    pub(super) hunting_square: f64,
    pub(super) roughness_square: f64,
    pub(super) ripple_square: f64,
    pub(super) unrest_square: f64,
}

impl Stroke {
    pub(super) fn towards(direction: i8) -> Self {
        Self {
            direction,
            ..Self::default()
        }
    }

    /// Takes in a sample at constant speed: way since the last one, without sign (m), current in the direction of the motion (A), following
    /// error (m), angle (rad).
    pub(super) fn push(&mut self, way_m: f64, current_a: f64, error_m: f64, angle_rad: f64) {
        let k = self.n;
        self.way_m += way_m;
        let e = [libm::cos(angle_rad), libm::sin(angle_rad)];
        if k == 0.0 {
            self.first = current_a;
        }
        let from_first = current_a - self.first;
        self.square += from_first * from_first;
        self.x += current_a;
        self.kx += k * current_a;
        for (j, e) in e.iter().enumerate() {
            self.e[j] += e;
            self.ke[j] += k * e;
            self.xe[j] += current_a * e;
        }
        self.n += 1.0;
        self.last_error_m.rotate_left(1);
        self.last_error_m[SMOOTHING - 1] = error_m;
        let [.., before, last, now] = self.last_error_m;
        if self.n >= 3.0 {
            let second = now - 2.0 * last + before;
            self.second_n += 1.0;
            self.second_square += second * second;
        }
        if self.n >= SMOOTHING as f64 {
            let mut mean = 0.0;
            for error in self.last_error_m {
                mean += error / SMOOTHING as f64;
            }
            self.smooth_n += 1.0;
            self.smooth += mean;
            self.smooth_square += mean * mean;
        }
    }

    /// Mean way in a sample (m).
    pub(super) fn mean_way_m(&self) -> f64 {
        self.way_m / self.n
    }

    /// The stroke's share; meaningful from [`SMOOTHING`] + 1 samples on.
    pub(super) fn share(&self) -> Share {
        let n = self.n;
        let middle = 0.5 * (n - 1.0);
        let b = (self.kx - middle * self.x) / (n * (n * n - 1.0) / 12.0);
        let a = self.x / n - b * middle;
        let mut ripple_square = 0.0;
        for j in 0..2 {
            let part = 2.0 / n * (self.xe[j] - a * self.e[j] - b * self.ke[j]);
            ripple_square += part * part;
        }
        let from_first = self.x / n - self.first;
        let sloping = b * b * (n * n - 1.0) / 12.0;
        let unrest_square = self.square / n - from_first * from_first - sloping;
        let mean = self.smooth / self.smooth_n;
        let hunting_square = self.smooth_square / self.smooth_n - mean * mean;
        Share {
            current_a: self.x / n,
            hunting_square: not_negative(hunting_square),
            roughness_square: self.second_square / (6.0 * self.second_n),
            ripple_square,
            unrest_square: not_negative(unrest_square),
        }
    }
}

/// Rounding may leave a spread of nothing just below 0.
fn not_negative(square: f64) -> f64 {
    if square > 0.0 { square } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ripple_on_a_drift_is_told_from_it() {
        let mut stroke = Stroke::towards(1);
        for k in 0..100 {
            let angle = 1.2 * f64::from(k);
            let x = 0.8 + 0.003 * f64::from(k) + 0.05 * libm::cos(angle + 0.4);
            stroke.push(1e-3, x, 0.0, angle);
        }
        let share = stroke.share();
        assert!(
            (share.ripple_square.sqrt() - 0.05).abs() < 1e-3,
            "{share:?}"
        );
        assert!((share.current_a - 0.9485).abs() < 2e-3, "{share:?}");
        // An amplitude has sqrt(2) times the spread of its sine.
        assert!(
            (share.unrest_square.sqrt() - 0.05 / libm::sqrt(2.0)).abs() < 1e-3,
            "{share:?}"
        );
        assert_eq!(share.hunting_square, 0.0);
        assert_eq!(share.roughness_square, 0.0);
    }

    #[test]
    fn slow_and_fast_errors_land_in_their_own_figure() {
        let (mut slow, mut fast) = (Stroke::towards(1), Stroke::towards(1));
        for k in 0..200 {
            slow.push(1e-3, 1.0, 1e-4 * libm::sin(0.1 * f64::from(k)), 0.0);
            fast.push(1e-3, 1.0, if k % 2 == 0 { 1e-4 } else { -1e-4 }, 0.0);
        }
        let (slow, fast) = (slow.share(), fast.share());
        assert!(
            slow.hunting_square > 1000.0 * slow.roughness_square,
            "{slow:?}"
        );
        assert!(
            fast.roughness_square > 1000.0 * fast.hunting_square,
            "{fast:?}"
        );
    }
}
