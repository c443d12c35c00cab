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
//! rest on nothing but the fit. From the level that `reach` names the tail goes on with a shape of its own, 0 or more, and as
//! steeply as a tail of that shape and the same mean excess is there. A machine has many streams, and asked for an interval within its
//! record it asks each of them for less than one alarm: there the fit alone holds, over as many records as there are streams. Asked for
//! longer it holds to the level that is passed some times in the record: a shape that was read off some tens of clusters is off by
//! 0.15, and what is extrapolated with it is off by that wherever it ends.
//!
//! The interval of a rate takes the shapes at either end of their 90 % intervals, with the scale that keeps the mean excess, and the
//! count of clusters as a Poisson figure. The standard error of a shape is 1.2 / sqrt(clusters) (Hosking and Wallis 1987, for
//! shapes around 0), where what is known beforehand counts as clusters: [`PRIOR_WITHIN`] of them within the record, [`PRIOR_STATED`]
//! beyond: fewer than it counts for in the shape, since this machine may be another one than those that are known.
//! The end beyond is never further up than that error over `beyond_shape`; and for a tail that
//! ended within its record not further than over the shape that was drawn towards the heaviest that is known, [`SQUARE_SHAPE`].

/// Shapes that a tail may have: below it nothing is left to extrapolate, above it the variance is infinite.
pub const SHAPES: (f64, f64) = (-0.5, 0.5);
/// 95 % point of the normal distribution: both ends of an interval together hold 90 %.
const Z: f64 = 1.644_853_626_951_472_7;
/// Standard error of a shape that rests on one cluster.
pub const SHAPE_ERROR: f64 = 1.2;
/// Shape of an amplitude: innovations of a real axis had a kurtosis of 25, as a Student t with 4.3 degrees of freedom has,
/// whose tail has the shape 1 / 4.3.
pub const AMPLITUDE_SHAPE: f64 = 0.23;
/// Shape of a mean of squares of such an amplitude.
pub const SQUARE_SHAPE: f64 = 2.0 * AMPLITUDE_SHAPE;
/// Clusters that the shape known beforehand counts for, within the record.
pub const PRIOR_WITHIN: f64 = 10.0;
/// And beyond it, for the interval that is stated.
pub const PRIOR_STATED: f64 = 60.0;
/// What the shape beyond the record was raised by when it was fitted, since rates are lopsided in the shape (1).
pub const RAISE: f64 = 0.022;
/// Clusters below which no shape is fitted, and none was drawn towards anything.
pub const LEAST_CLUSTERS: f64 = 3.0;
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
    /// Length over which the fit alone holds (records, > 0): below 1 for what is asked beyond the record, the number of streams for what
    /// they share of it.
    pub reach: f64,
    /// What `beyond_shape` was raised by, which the lower end of an interval takes back (1, >= 0): [`Self::raise_of`].
    pub raised: f64,
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

    /// The level that is passed with `rate_per_s` (1/s, > 0); never below the threshold.
    pub fn level(&self, rate_per_s: f64) -> f64 {
        let ratio = self.clusters / (rate_per_s * self.record_s);
        if ratio.is_nan() || ratio <= 1.0 {
            return self.threshold;
        }
        let ratio = if ratio > 1e300 { 1e300 } else { ratio };
        let seen = self.seen();
        if ratio <= seen {
            return self.threshold + self.scale * box_cox(ratio, self.shape);
        }
        let (edge, scale, shape) = self.beyond();
        edge + scale * box_cox(ratio / seen, shape)
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
            return pareto((level - edge) / scale, shape) / self.seen();
        }
        pareto(excess / self.scale, self.shape)
    }

    /// Clusters in the length over which the fit alone holds: it begins at the threshold at least.
    fn seen(&self) -> f64 {
        let seen = self.clusters * self.reach;
        if seen > 1.0 { seen } else { 1.0 }
    }

    /// Where the fit ends, and how the tail goes on from there: level, scale, shape.
    fn beyond(&self) -> (f64, f64, f64) {
        let edge = self.scale * box_cox(self.seen(), self.shape);
        // The larger the scale the rarer is what is meant: that of the fit there, or of a tail with the other shape and the same mean.
        let fitted = self.scale + self.shape * edge;
        let mean = self.scale / (1.0 - self.shape);
        let other = mean * (1.0 - self.beyond_shape) + self.beyond_shape * edge;
        let scale = -smallest([-fitted, -mean, -other]);
        (self.threshold + edge, scale, self.beyond_shape)
    }

    /// The same tail, asked for rates that `streams` (>= 1) share.
    pub fn reaching(&self, streams: f64) -> Self {
        Self {
            reach: if streams > 1.0 { streams } else { 1.0 },
            ..*self
        }
    }

    /// What the shape beyond the record of a tail with this `reach` as it stands in a configuration was raised by (1): [`RAISE`].
    /// One of an earlier calibration has no `reach`, which is 1, and was raised by a standard error of its `clusters`.
    pub fn raise_of(reach: f64, clusters: f64) -> f64 {
        if reach < 1.0 {
            RAISE
        } else {
            shape_error(clusters, PRIOR_STATED)
        }
    }

    /// The tail with its shape at an end of its interval.
    fn bent(&self, sign: f64) -> Self {
        let error = |prior: f64| shape_error(self.clusters, prior);
        let shape = self.shape + sign * Z * error(PRIOR_WITHIN);
        let shape = limited(shape, SHAPES.0, SHAPES.1);
        let beyond_shape = if sign > 0.0 {
            // `shape` was drawn with the lighter weight: this is what the heavier one makes of it at most.
            let drawn = (self.clusters + PRIOR_WITHIN) * self.shape
                + (PRIOR_STATED - PRIOR_WITHIN) * SQUARE_SHAPE;
            let drawn = drawn / (self.clusters + PRIOR_STATED);
            let up = Z * error(PRIOR_STATED);
            limited(drawn + up, self.beyond_shape, self.beyond_shape + up)
        } else {
            self.beyond_shape + sign * (self.raised + Z * error(PRIOR_STATED))
        };
        Self {
            shape,
            scale: self.scale / (1.0 - self.shape) * (1.0 - shape),
            beyond_shape: limited(beyond_shape, 0.0, SHAPES.1),
            ..*self
        }
    }
}

/// Standard error of a shape of `clusters`, drawn towards what is known as if `prior` more had been seen.
fn shape_error(clusters: f64, prior: f64) -> f64 {
    let known = if clusters >= LEAST_CLUSTERS {
        prior
    } else {
        0.0
    };
    SHAPE_ERROR / libm::sqrt(clusters + known)
}

fn limited(x: f64, least: f64, most: f64) -> f64 {
    let x = if x < least { least } else { x };
    if x > most { most } else { x }
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
        reach: 1.0,
        raised: 0.0,
    };

    #[test]
    fn levels_are_those_of_the_formula() {
        // 2 + 0.5 ((50 / 5)^0.2 - 1) / 0.2
        let level = TAIL.level(0.05);
        assert!((level - 3.462_232_981).abs() < 1e-9, "{level}");
        let beyond = TAIL.level(1e-5);
        // 2 + 0.5 (50000^0.2 - 1) / 0.2, whichever of the two shapes is meant
        assert!((beyond - 21.263_764_082).abs() < 1e-8, "{beyond}");
        let heavier = Tail {
            beyond_shape: 0.4,
            ..TAIL
        };
        // From 2 + 0.5 (50^0.2 - 1) / 0.2 with the scale 0.625 0.6 + 0.4 2.966868, 1000 times as rare.
        let found = heavier.level(1e-5);
        assert!((found - 62.942).abs() < 1e-3, "{found}");
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
        let shared = bounded.reaching(20.0);
        let level = shared.level(0.01 / 19.0);
        assert!(level < end, "twenty streams have one alarm in two records");
        assert!((shared.rate_per_s(level) / (0.01 / 19.0) - 1.0).abs() < 1e-9);
        assert!(shared.level(1e-8) > end);
    }

    #[test]
    fn what_is_asked_beyond_the_record_hangs_on_the_known_shape_from_before_its_end() {
        let tail = Tail {
            shape: 0.0,
            beyond_shape: 0.25,
            reach: 0.1,
            ..TAIL
        };
        // Five clusters in a tenth of the record: 2 + 0.5 ln 5, with the scale of the mean there or of the fit, 0.5 either.
        let edge = 2.0 + 0.5 * libm::log(5.0);
        assert!((tail.level(0.1) - edge).abs() < 1e-12);
        // A thousand times as rare: 0.5 0.75 + 0.25 0.8047 is 0.576, and (1000^0.25 - 1) / 0.25 is 18.49.
        let found = tail.level(1e-4);
        assert!(
            (found - (edge + 0.576_18 * 18.493_65)).abs() < 1e-3,
            "{found}"
        );
        assert!((tail.rate_per_s(found) / 1e-4 - 1.0).abs() < 1e-9);
        // A tail of few clusters begins at its threshold.
        let few = Tail {
            clusters: 3.0,
            ..tail
        };
        assert_eq!(few.level(0.03), 2.0);
        assert!(few.level(0.02) > 2.0 && few.level(0.02) < 2.5);
    }

    #[test]
    fn the_light_end_takes_back_what_the_shape_was_raised_by_and_no_more() {
        let of = |reach| Tail {
            shape: 0.1,
            clusters: 60.0,
            reach,
            raised: Tail::raise_of(reach, 60.0),
            beyond_shape: 0.4,
            ..TAIL
        };
        // Two times 60 clusters: an error of 0.1095.
        let error = 1.2 / libm::sqrt(120.0);
        let light = |tail: Tail| tail.bent(-1.0).beyond_shape;
        assert!((light(of(0.1)) - (0.4 - RAISE - Z * error)).abs() < 1e-12);
        assert!((light(of(1.0)) - (0.4 - (Z + 1.0) * error)).abs() < 1e-12);
        // Held for what many streams share, it is the same tail.
        assert_eq!(light(of(0.1).reaching(20.0)), light(of(0.1)));
        // The heavy end and the figure itself are not what that is about.
        let other = Tail {
            raised: 0.3,
            ..of(0.1)
        };
        assert_eq!(other.level(1e-9), of(0.1).level(1e-9));
        assert_eq!(
            other.rate_interval(40.0).high,
            of(0.1).rate_interval(40.0).high
        );
        assert!(other.rate_interval(40.0).low < of(0.1).rate_interval(40.0).low);
    }

    fn tails() -> impl Strategy<Value = Tail> {
        (
            -1e3..1e3_f64,
            1e-6..1e3_f64,
            SHAPES.0..SHAPES.1,
            1.0..1e4_f64,
            1.0..1e7_f64,
            0.0..1e3_f64,
            0.05..1e3_f64,
        )
            .prop_map(
                |(threshold, scale, shape, clusters, record_s, above, reach)| Tail {
                    beyond_shape: if shape > 0.0 { shape } else { 0.0 },
                    threshold,
                    scale,
                    shape,
                    clusters,
                    record_s,
                    largest: threshold + above,
                    reach,
                    raised: Tail::raise_of(reach, clusters),
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
            let close = (back / asked - 1.0).abs() < 1e-3 * (1.0 + tail.threshold.abs() / tail.scale);
            prop_assert!(close, "{back} for {asked} at {level}");
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
