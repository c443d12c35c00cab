//! How much single measurements scatter, learnt from the innovations of who tracks them.
//!
//! # Derivation
//! The innovation of a measurement has the variance `P + R`: of what is tracked, and of the measurement. So `v^2 - P` is an unbiased
//! figure of R, and R is their mean: at first of all of them and of a prior that counts as `PRIOR`, later of the last `MEMORY`.
//! An innovation beyond `OUTLIER` standard deviations counts as one on the edge: a change is no scatter.

/// Measurements that the prior counts as.
const PRIOR: u32 = 2;
/// Measurements that the mean goes back over.
const MEMORY: u32 = 40;
/// Innovation (standard deviations) that counts at most.
const OUTLIER: f64 = 3.0;
/// Least variance, relative to that of the prior: measurements come in steps.
const LEAST: f64 = 1e-3;

/// The scatter of one kind of measurement.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Scatter {
    variance: f64,
    least: f64,
    seen: u32,
}

impl Scatter {
    /// Nothing seen yet; `sigma` (> 0) is what is expected.
    pub const fn new(sigma: f64) -> Self {
        Self {
            variance: sigma * sigma,
            least: LEAST * sigma * sigma,
            seen: 0,
        }
    }

    /// Takes an innovation in; `p` is the variance of what was predicted for it.
    pub fn take(&mut self, innovation: f64, p: f64) {
        let square = innovation * innovation;
        if !(square.is_finite() && p >= 0.0 && p.is_finite()) {
            return;
        }
        let square = square.min(OUTLIER * OUTLIER * (p + self.variance));
        self.seen = (self.seen + 1).min(MEMORY);
        let weight = 1.0 / f64::from(self.seen + PRIOR);
        self.variance += weight * (square - p - self.variance);
        self.variance = self.variance.max(self.least);
    }

    /// Standard deviation of a measurement.
    pub fn sigma(&self) -> f64 {
        libm::sqrt(self.variance)
    }
}

#[cfg(test)]
mod tests {
    use super::super::scalar::ScalarTracker;
    use super::super::trend::tests::normal;
    use super::*;
    use proptest::prelude::*;

    /// Measurements that scatter by `sigma`, tracked as they are in the cycle.
    fn tracked(sigma: f64, count: u32, step: f64, seed: u64) -> (ScalarTracker, Scatter) {
        let (mut t, mut s, mut seed) = (ScalarTracker::default(), Scatter::new(4.0), seed);
        for k in 0..count {
            let z = 50.0 + sigma * normal(&mut seed) + if k >= count / 2 { step } else { 0.0 };
            if t.seen > 0 {
                s.take(z - t.x, t.p);
            }
            let sigma = s.sigma();
            t.push(z, sigma, 0.1 * sigma);
        }
        (t, s)
    }

    #[test]
    fn the_scatter_is_that_of_the_measurements_and_a_step_is_none() {
        for sigma in [0.5, 2.0, 9.0] {
            for (step, most) in [(0.0, 0.1), (60.0, 0.4)] {
                let found = (0..40)
                    .map(|seed| tracked(sigma, 80, step, seed).1.sigma())
                    .sum::<f64>()
                    / 40.0;
                assert!(
                    (found / sigma - 1.0).abs() < most,
                    "{sigma} {step}: {found}"
                );
            }
        }
    }

    #[test]
    fn what_is_tracked_is_as_far_off_as_it_says() {
        for sigma in [0.5, 2.0, 9.0] {
            let square = (0..200)
                .map(|seed| {
                    let (t, _) = tracked(sigma, 60, 0.0, seed);
                    let z = (t.x - 50.0) / t.sigma();
                    z * z / 200.0
                })
                .sum::<f64>();
            assert!((0.4..1.6).contains(&square), "{sigma}: {square}");
        }
    }

    proptest! {
        #[test]
        fn whatever_comes_it_stays_finite(values in proptest::collection::vec((-1e9..1e9f64, 0.0..1e9f64), 1..80)) {
            let mut s = Scatter::new(1e-6);
            for (innovation, p) in values {
                s.take(innovation, p);
                prop_assert!(s.sigma().is_finite() && s.sigma() > 0.0, "{s:?}");
            }
        }
    }
}
