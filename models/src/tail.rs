//! Tail model of a healthy statistic: how often it exceeds a level, also one that nobody has seen yet.
//!
//! # Derivation
//! What exceeds a high threshold u comes in clusters, because the statistic is autocorrelated: one cluster is one alarm. Its
//! largest excess over u follows a generalised Pareto distribution whatever the statistic (Pickands 1975, Balkema and de
//! Haan 1974), so clusters beyond x come at the rate
//!
//! ```text
//! r(x) = (clusters / record) (1 + shape (x - u) / scale)^(-1/shape)
//! ```
//!
//! A negative shape means an end that cannot be passed. That may be so within the record; beyond it the claim would
//! rest on nothing but the fit. From the level seen once in the record the tail goes on with a shape of its own, 0 or more, and at
//! least with the mean excess as its scale. A rate that the
//! record is too short for never gets a level below the largest value seen.
//!
//! The interval of a rate takes the shape at either end of its 90 % interval, its standard error being 1.2 / sqrt(clusters)
//! (Hosking and Wallis 1987, for shapes around 0), with the scale that keeps the mean excess, and the count of clusters as a Poisson figure.

/// Shapes that a tail may have: below it nothing is left to extrapolate, above it the variance is infinite.
pub const SHAPES: (f64, f64) = (-0.5, 0.5);
/// 95 % point of the normal distribution: both ends of an interval together hold 90 %.
const Z: f64 = 1.644_853_626_951_472_7;
/// Standard error of a shape that rests on one cluster.
const SHAPE_ERROR: f64 = 1.2;
/// Shapes closer to 0 than this are taken as 0.
const EXPONENTIAL: f64 = 1e-9;

/// Tail of one statistic, learnt from a healthy record.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tail {
    /// Threshold u that the clusters exceed (the statistic's unit).
    pub threshold: f64,
    /// Scale of the excess (the statistic's unit, > 0).
    pub scale: f64,
    /// Shape of the excess (1, -0.5 to 0.5).
    pub shape: f64,
    /// Shape of what lies beyond the record (1, 0 to 0.5).
    pub beyond_shape: f64,
    /// Clusters in the record (>= 1).
    pub clusters: f64,
    /// Length of the record (s, > 0).
    pub record_s: f64,
    /// The largest value in it (the statistic's unit).
    pub largest: f64,
}

/// Lower and upper end of a 90 % interval, 95 % each.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Interval {
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

impl Tail {
    /// Rate of clusters beyond `level` (1/s). Below the threshold the rate at the threshold: the model knows no more.
    pub fn rate_per_s(&self, level: f64) -> f64 {
        self.clusters / self.record_s * self.survival(level)
    }

    /// The level that is passed with `rate_per_s` (1/s, > 0); never below the threshold, nor below the largest value when
    /// the record is too short for that rate.
    pub fn level(&self, rate_per_s: f64) -> f64 {
        let ratio = self.clusters / (rate_per_s * self.record_s);
        if ratio.is_nan() || ratio <= 1.0 {
            return self.threshold;
        }
        let ratio = if ratio > 1e300 { 1e300 } else { ratio };
        if ratio <= self.clusters {
            return self.threshold + self.scale * box_cox(ratio, self.shape);
        }
        let (edge, scale, shape) = self.beyond();
        let level = edge + scale * box_cox(ratio / self.clusters, shape);
        if level < self.largest {
            self.largest
        } else {
            level
        }
    }

    /// 90 % interval of [`Self::rate_per_s`].
    pub fn rate_interval(&self, level: f64) -> Interval {
        let spread = Z / libm::sqrt(self.clusters);
        // With the mean excess kept, a heavier tail lies lower near the threshold: either shape may give either end.
        let rates = [-1.0, 0.0, 1.0].map(|sign| self.bent(sign).rate_per_s(level));
        Interval {
            low: smallest(rates) * libm::exp(-spread),
            high: -smallest(rates.map(|x| -x)) * libm::exp(spread),
        }
    }

    /// 90 % interval of [`Self::level`].
    pub fn level_interval(&self, rate_per_s: f64) -> Interval {
        let spread = Z / libm::sqrt(self.clusters);
        let levels = |rate| [-1.0, 0.0, 1.0].map(|sign| self.bent(sign).level(rate));
        Interval {
            low: smallest(levels(rate_per_s * libm::exp(spread))),
            high: -smallest(levels(rate_per_s * libm::exp(-spread)).map(|x| -x)),
        }
    }

    /// The same tail of a statistic that is `factor` (> 0) times as large.
    pub fn scaled(&self, factor: f64) -> Self {
        Self {
            threshold: factor * self.threshold,
            scale: factor * self.scale,
            largest: factor * self.largest,
            ..*self
        }
    }

    /// Share of the clusters beyond `level`.
    fn survival(&self, level: f64) -> f64 {
        let excess = level - self.threshold;
        if excess.is_nan() || excess <= 0.0 {
            return 1.0;
        }
        let (edge, scale, shape) = self.beyond();
        if level > edge {
            return pareto((level - edge) / scale, shape) / self.clusters;
        }
        pareto(excess / self.scale, self.shape)
    }

    /// Where the record ends, and how the tail goes on from there: level, scale, shape.
    fn beyond(&self) -> (f64, f64, f64) {
        let seen_once = self.scale * box_cox(self.clusters, self.shape);
        // As steep as the fit is there, but not steeper than the mean excess, which its shape has no part in.
        let steep = self.scale + self.shape * seen_once;
        let mean = self.scale / (1.0 - self.shape);
        let scale = if steep > mean { steep } else { mean };
        (self.threshold + seen_once, scale, self.beyond_shape)
    }

    /// The tail with its shape at an end of its interval.
    fn bent(&self, sign: f64) -> Self {
        let shape = self.shape + sign * Z * SHAPE_ERROR / libm::sqrt(self.clusters);
        let shape = if shape > SHAPES.1 { SHAPES.1 } else { shape };
        let shape = if shape < SHAPES.0 { SHAPES.0 } else { shape };
        // What was added to the shape beyond the record stays added.
        let beyond_shape = shape + self.beyond_shape - self.shape;
        Self {
            shape,
            scale: self.scale / (1.0 - self.shape) * (1.0 - shape),
            beyond_shape: if beyond_shape > 0.0 {
                beyond_shape
            } else {
                0.0
            },
            ..*self
        }
    }
}

fn smallest(x: [f64; 3]) -> f64 {
    x.into_iter()
        .fold(f64::INFINITY, |least, x| if x < least { x } else { least })
}

/// `(ratio^shape - 1) / shape`, the logarithm for shape 0.
fn box_cox(ratio: f64, shape: f64) -> f64 {
    let log = libm::log(ratio);
    if libm::fabs(shape) < EXPONENTIAL {
        log
    } else {
        libm::expm1(shape * log) / shape
    }
}

/// `(1 + shape y)^(-1/shape)`, 0 beyond its end.
fn pareto(y: f64, shape: f64) -> f64 {
    if libm::fabs(shape) < EXPONENTIAL {
        return libm::exp(-y);
    }
    let base = shape * y;
    if base <= -1.0 {
        return 0.0;
    }
    libm::exp(-libm::log1p(base) / shape)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const TAIL: Tail = Tail {
        threshold: 2.0,
        scale: 0.5,
        shape: 0.2,
        beyond_shape: 0.2,
        clusters: 50.0,
        record_s: 100.0,
        largest: 4.5,
    };

    #[test]
    fn levels_are_those_of_the_formula() {
        // 2 + 0.5 ((50 / 5)^0.2 - 1) / 0.2
        let level = TAIL.level(0.05);
        assert!((level - 3.462_232_981).abs() < 1e-9, "{level}");
        let beyond = TAIL.level(1e-5);
        // 2 + 0.5 (50000^0.2 - 1) / 0.2
        assert!((beyond - 21.263_764_082).abs() < 1e-8, "{beyond}");
        assert_eq!(TAIL.level(0.5), 2.0);
        assert_eq!(TAIL.level(1e9), 2.0, "more often than there are clusters");
    }

    #[test]
    fn a_bounded_tail_goes_on_beyond_the_record() {
        let bounded = Tail {
            shape: -0.5,
            beyond_shape: 0.0,
            largest: 2.8,
            ..TAIL
        };
        let end = bounded.threshold + bounded.scale / 0.5;
        assert!(bounded.level(0.011) < end);
        assert!(bounded.rate_per_s(end + 0.5) > 0.0);
        assert!(bounded.level(1e-8) > end);
        let rare = Tail {
            largest: 10.0,
            ..bounded
        };
        assert_eq!(
            rare.level(0.009),
            10.0,
            "never below the largest value seen"
        );
        assert!(
            rare.level(0.011) < 10.0,
            "within the record the fit decides"
        );
    }

    fn tails() -> impl Strategy<Value = Tail> {
        (
            -1e3..1e3_f64,
            1e-6..1e3_f64,
            SHAPES.0..SHAPES.1,
            1.0..1e4_f64,
            1.0..1e7_f64,
            0.0..1e3_f64,
        )
            .prop_map(
                |(threshold, scale, shape, clusters, record_s, above)| Tail {
                    beyond_shape: if shape > 0.0 { shape } else { 0.0 },
                    threshold,
                    scale,
                    shape,
                    clusters,
                    record_s,
                    largest: threshold + above,
                },
            )
    }

    proptest! {
        #[test]
        fn level_and_rate_are_inverse_and_monotone(
            tail in tails(),
            log_rate in -60.0..10.0_f64,
        ) {
            let rate = libm::exp(log_rate);
            let level = tail.level(rate);
            prop_assert!(level.is_finite() && level >= tail.threshold, "{level}");
            prop_assert!(tail.level(0.5 * rate) >= level);
            let back = tail.rate_per_s(level);
            let top = tail.clusters / tail.record_s;
            let asked = if rate < top { rate } else { top };
            // At the largest value the level is higher than asked for, so the rate is lower.
            if level > tail.largest || tail.record_s * rate > 1.0 {
                let close = (back / asked - 1.0).abs() < 1e-3 * (1.0 + tail.threshold.abs() / tail.scale);
                prop_assert!(close, "{back} for {asked} at {level}");
            } else {
                prop_assert!(back <= asked * 1.001);
            }
        }

        #[test]
        fn intervals_hold_their_figure(tail in tails(), log_rate in -60.0..10.0_f64) {
            let rate = libm::exp(log_rate);
            let level = tail.level(rate);
            let levels = tail.level_interval(rate);
            prop_assert!(levels.low.is_finite() && levels.high.is_finite());
            prop_assert!(levels.low <= levels.high, "{levels:?}");
            prop_assert!(levels.high >= level - 1e-9 * level.abs() - 1e-9, "{level} in {levels:?}");
            let found = tail.rate_per_s(level);
            let rates = tail.rate_interval(level);
            prop_assert!(rates.high >= found * (1.0 - 1e-6), "{found} in {rates:?}");
            prop_assert!(rates.low >= 0.0 && rates.high.is_finite());
        }

        #[test]
        fn a_scaled_statistic_has_the_scaled_level(tail in tails(), factor in 1e-3..1e3_f64) {
            let (one, other) = (factor * tail.level(1e-3), tail.scaled(factor).level(1e-3));
            prop_assert!((one - other).abs() <= 1e-9 * (one.abs() + factor * tail.scale), "{one} {other}");
        }
    }
}
