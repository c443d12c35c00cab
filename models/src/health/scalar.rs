//! A single figure with its sigma, tracked as a random walk: leak rate, stiffness, lost motion.
//!
//! # Derivation
//! As in [`super::tracker`], in one dimension: `x[k+1] = x[k] + w`, `z = x + e`. The noise of a measurement is the sigma that
//! comes with it times a learnt factor. Beyond `OUTLIER` sigmas a measurement's noise is widened (Huber), and several
//! of one sign in a row are a change, not outliers.

/// Innovation (standard deviations) beyond which a measurement is an outlier.
const OUTLIER: f64 = 3.5;
/// Outliers of one sign in a row that are a change.
const CHANGE: i32 = 3;
/// Weight of the newest innovation in the factor on the noise.
const LEARN: f64 = 0.05;
/// Measurements before the noise is learnt.
const LEARN_AFTER: u32 = 4;

/// One tracked figure.
#[derive(Clone, Copy, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct ScalarTracker {
    /// Value, in the unit of what was pushed.
    pub x: f64,
    /// Variance of it.
    pub p: f64,
    /// Measurements taken in.
    pub seen: u32,
    noise: f64,
    outliers: i32,
}

impl ScalarTracker {
    /// Takes in a measurement with its standard deviation (> 0); `walk` is the standard deviation of the walk since the last one.
    pub fn push(&mut self, z: f64, sigma: f64, walk: f64) {
        let r = sigma * sigma;
        if !(z.is_finite() && r > 0.0 && r.is_finite()) {
            return;
        }
        if self.seen == 0 {
            *self = Self {
                x: z,
                p: r,
                seen: 1,
                noise: 1.0,
                outliers: 0,
            };
            return;
        }
        self.p += walk * walk;
        let innovation = z - self.x;
        let mut noise = self.noise * r;
        let size = innovation / libm::sqrt(self.p + noise);
        if size.abs() > OUTLIER {
            let up = if size > 0.0 { 1 } else { -1 };
            self.outliers = if self.outliers * up >= 0 {
                self.outliers + up
            } else {
                up
            };
            if self.outliers.abs() >= CHANGE {
                self.outliers = 0;
                self.p = 100.0 * noise.max(innovation * innovation);
            } else {
                let over = size * size / (OUTLIER * OUTLIER);
                noise *= over * libm::sqrt(over);
            }
        } else {
            self.outliers = 0;
            if self.seen >= LEARN_AFTER {
                let ratio = size * size;
                self.noise = (self.noise * (1.0 + LEARN * (ratio - 1.0))).clamp(0.05, 1e6);
            }
        }
        let gain = self.p / (self.p + noise);
        self.x += gain * innovation;
        self.p = ((1.0 - gain) * self.p).max(1e-300);
        self.seen = self.seen.saturating_add(1);
    }

    /// Standard deviation.
    pub fn sigma(&self) -> f64 {
        libm::sqrt(self.p)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn it_settles_on_the_mean_and_knows_how_well() {
        let mut t = ScalarTracker::default();
        for k in 0..200 {
            t.push(5.0 + if k % 2 == 0 { 0.1 } else { -0.1 }, 0.1, 1e-4);
        }
        assert!((t.x - 5.0).abs() < 0.02 && t.sigma() < 0.03, "{t:?}");
    }

    #[test]
    fn a_step_is_followed_and_a_single_outlier_is_not() {
        let mut t = ScalarTracker::default();
        for k in 0..40 {
            t.push(if k == 20 { 50.0 } else { 5.0 }, 0.1, 1e-3);
        }
        assert!((t.x - 5.0).abs() < 0.1, "{t:?}");
        for _ in 0..10 {
            t.push(50.0, 0.1, 1e-3);
        }
        assert!((t.x - 50.0).abs() < 0.1, "{t:?}");
    }

    proptest! {
        #[test]
        fn whatever_comes_it_stays_finite(values in proptest::collection::vec((-1e9..1e9f64, 1e-9..1e9f64), 1..80)) {
            let mut t = ScalarTracker::default();
            for (z, sigma) in values {
                t.push(z, sigma, 0.01);
                prop_assert!(t.x.is_finite() && t.p.is_finite() && t.p > 0.0, "{t:?}");
            }
        }

        #[test]
        fn what_is_no_number_is_left_out(sigma in prop_oneof![Just(0.0), Just(f64::NAN), Just(f64::INFINITY)]) {
            let mut t = ScalarTracker::default();
            t.push(1.0, sigma, 0.1);
            t.push(f64::NAN, 1.0, 0.1);
            prop_assert_eq!(t, ScalarTracker::default());
        }
    }
}
