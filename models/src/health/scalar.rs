//! A single figure with its sigma, tracked as a random walk: leak rate, stiffness, lost motion.
//!
//! # Derivation
//! As in [`super::tracker`], in one dimension: `x[k+1] = x[k] + w`, `z = x + e`. The noise of a measurement is the sigma that
//! comes with it times a learnt factor. Beyond `OUTLIER` sigmas a measurement's noise is widened (Huber), and several
//! of one sign in a row are a change, not outliers.
//!
//! A figure that wears drifts, and then the innovations have a mean: the way by which x lags. Were it taken for noise, x would be
//! left behind for good. So the noise is learnt from the difference of neighbouring innovations, which a drift leaves out
//! (half its mean square is the variance of white ones), and beside it goes the mean d of the innovations in standard deviations s,
//! with the weight w for the newest one. Where d is too large for white innovations (its own variance is then w / (2 - w)), the variance of x is
//! at least `d^2 r`, so that x catches up; and the square of the lag, `(d^2 - w / (2 - w)) s^2`, belongs to what is not known of x. There r
//! and s are those of measurements as they usually are: a poor one among them moves x no more for it.

/// Innovation (standard deviations) beyond which a measurement is an outlier.
const OUTLIER: f64 = 3.5;
/// Outliers of one sign in a row that are a change.
const CHANGE: i32 = 3;
/// Weight of the newest innovation in the factor on the noise.
const LEARN: f64 = 0.05;
/// Weight of the newest innovation in their mean.
const DRIFT: f64 = 0.2;
/// Variance of that mean where nothing drifts.
const DRIFT_VARIANCE: f64 = DRIFT / (2.0 - DRIFT);
/// Times what a measurement usually says that one of them counts for at most.
const PRECISE: f64 = 4.0;
/// Mean of the innovations (standard deviations) beyond which the figure drifts: 2.4 of its own.
const DRIFTS: f64 = 0.8;
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
    /// The last innovation and the mean of all (standard deviations).
    last: f64,
    drift: f64,
    /// What a measurement usually says: the mean of 1 over its variance.
    usual: f64,
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
                usual: (1.0 / r).clamp(1e-300, 1e300),
                ..Self::default()
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
                (self.outliers, self.drift) = (0, 0.0);
                self.p = 100.0 * noise.max(innovation * innovation);
            } else {
                let over = size * size / (OUTLIER * OUTLIER);
                noise *= over * libm::sqrt(over);
            }
        } else {
            self.outliers = 0;
            if self.seen >= LEARN_AFTER {
                let step = size - self.last;
                let ratio = 0.5 * step * step;
                self.noise = (self.noise * (1.0 + LEARN * (ratio - 1.0))).clamp(0.05, 1e6);
                self.drift += DRIFT * (size - self.drift);
                if self.drift.abs() > DRIFTS {
                    self.p = self.p.max(self.drift * self.drift / self.usual);
                }
            }
            self.last = size;
            // What cannot be inverted any more says nothing.
            // One that is far more precise than the others does not make them so.
            let says = (1.0 / noise).min(PRECISE * self.usual);
            self.usual = (self.usual + DRIFT * (says - self.usual)).clamp(1e-300, 1e300);
        }
        let gain = self.p / (self.p + noise);
        self.x += gain * innovation;
        self.p = ((1.0 - gain) * self.p).max(1e-300);
        self.seen = self.seen.saturating_add(1);
    }

    /// Variance, with the way by which it lags behind a figure that drifts.
    pub fn variance(&self) -> f64 {
        let lag = (self.drift * self.drift - DRIFT_VARIANCE).max(0.0);
        self.p + lag * (self.p + 1.0 / self.usual)
    }

    /// Standard deviation of the same.
    pub fn sigma(&self) -> f64 {
        libm::sqrt(self.variance())
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

    /// Share of 300 sequences whose 90 % interval has the figure after 39 measurements of its drift (per measurement, in sigmas of one), the
    /// mean distance from it, and the mean sigma. `other` is the sigma of measurement `at` in those of the others.
    fn under_drift(drift: f64, at: usize, other: f64) -> (f64, f64, f64) {
        let (mut hits, mut away, mut told) = (0.0, 0.0, 0.0);
        let mut state = 7_u64;
        let mut normal = || {
            // The sum of twelve uniform numbers.
            let sum: f64 = (0..12)
                .map(|_| {
                    state = (state.wrapping_mul(6_364_136_223_846_793_005)).wrapping_add(1);
                    (state >> 11) as f64 / (1_u64 << 53) as f64
                })
                .sum();
            sum - 6.0
        };
        for _ in 0..300 {
            let (mut t, mut truth) = (ScalarTracker::default(), 1.0);
            for k in 0..60 {
                truth -= if k > 20 { 0.01 * drift } else { 0.0 };
                let sigma = if k == at { 0.01 * other } else { 0.01 };
                t.push(truth + sigma * normal(), sigma, 0.001);
            }
            let error = (t.x - truth).abs();
            hits += f64::from(u8::from(error <= 1.645 * t.sigma()));
            away += error;
            told += t.sigma();
        }
        (hits / 300.0, away / 300.0, told / 300.0)
    }

    #[test]
    fn a_figure_that_drifts_is_followed_and_its_interval_has_it() {
        for (drift, least, most) in [
            (0.0, 0.9, 0.003),
            (0.02, 0.85, 0.004),
            (0.05, 0.75, 0.006),
            (0.1, 0.75, 0.009),
            (0.2, 0.75, 0.01),
            (0.5, 0.75, 0.012),
            (1.0, 0.8, 0.02),
        ] {
            let (hits, away, told) = under_drift(drift, 0, 1.0);
            println!(
                "{drift} sigma a measurement: {hits} in their interval, {away} away, told {told}"
            );
            assert!(hits >= least && away < most, "{drift}: {hits}, {away}");
            // It says something.
            assert!(told < 2.5 * away, "{drift}: {told} for {away}");
            // A poor one at the end moves it little.
            let (poor_hits, poor, _) = under_drift(drift, 59, 30.0);
            println!("    a poor one last: {poor_hits} in their interval, {poor} away");
            assert!(poor < 2.0 * most, "{drift}: {poor}");
            // A precise one before the drift leaves it as it is.
            let (precise_hits, precise, _) = under_drift(drift, 20, 1.0 / 400.0);
            println!("    a precise one first: {precise_hits} in their interval, {precise} away");
            assert!(
                precise < 1.5 * most && precise_hits > least - 0.1,
                "{drift}: {precise}"
            );
        }
    }

    proptest! {
        #[test]
        fn whatever_comes_it_stays_finite(values in proptest::collection::vec((-1e9..1e9f64, 1e-9..1e9f64), 1..80)) {
            let mut t = ScalarTracker::default();
            for (z, sigma) in values {
                t.push(z, sigma, 0.01);
                prop_assert!(t.x.is_finite() && t.p.is_finite() && t.p > 0.0, "{t:?}");
                prop_assert!(t.sigma().is_finite(), "{t:?}");
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
