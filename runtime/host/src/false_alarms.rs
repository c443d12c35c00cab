//! What healthy time proves about the interval between false alarms.
//!
//! Alarms are counted as a Poisson process. With `n` alarms in the time `T`, the mean count is below the 95 % point of
//! the gamma distribution with `n + 1`, so the interval is at least `T` over that point. For `n = 0` the point is
//! `-ln 0.05`, which is 3 in round figures: no alarm in `T` proves `T / 3` and no more.
//! For `n > 0` the point is half the 95 % quantile of chi-square with `2 n + 2` degrees of freedom, in the
//! Wilson-Hilferty form, which is within 0.5 % here.

use twinstep_models::tail::Tail;

/// Time watched under one plan, and the alarms in it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Exposure {
    /// Time watched (ns).
    pub seen_ns: u64,
    /// Statistical deviations raised in it. Every one counts as a false alarm until somebody has proven otherwise.
    pub alarms: u64,
}

impl Exposure {
    /// Interval between false alarms that this exposure demonstrates (s, whole seconds, 95 %).
    pub fn demonstrated_s(self) -> u64 {
        let seen_s = self.seen_ns as f64 * 1e-9;
        // Float to integer casts saturate, and the value is never negative.
        (seen_s / upper_count(self.alarms)) as u64
    }
}

/// Streams of a machine among which the asked rate of false alarms is shared out: all axes, their channels and detectors.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Shares {
    /// Detectors and figures whose tail was learnt from the healthy record.
    pub tails: usize,
    /// Figures without one: leak rates of holds, and what an earlier calibration learnt.
    pub figures: usize,
}

impl Shares {
    /// All of them.
    pub fn streams(self) -> usize {
        self.tails + self.figures
    }

    /// Rate of false alarms that each may have (1/s): what was asked, shared out evenly.
    pub fn per_s(self, asked_s: f64) -> f64 {
        1.0 / (asked_s.max(1e-3) * self.streams().max(1) as f64)
    }
}

/// What tail models say of the rate of false alarms at the thresholds in force.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Extrapolated {
    /// Rate of all streams together (1/s).
    pub rate_per_s: f64,
    /// Its upper end (1/s): the upper ends of all streams together, since their errors may have one cause.
    pub high_per_s: f64,
    /// Streams that were added up.
    pub streams: usize,
}

impl Extrapolated {
    /// Adds a stream: its tail, and its threshold in the tail's unit.
    pub fn add(&mut self, tail: &Tail, threshold: f64) {
        self.rate_per_s += tail.rate_per_s(threshold);
        self.high_per_s += tail.rate_interval(threshold).high;
        self.streams += 1;
    }

    /// Adds a stream with its rate and the upper end of that (1/s).
    pub fn add_rate(&mut self, rate_per_s: f64, high_per_s: f64) {
        self.rate_per_s += rate_per_s;
        self.high_per_s += high_per_s.max(rate_per_s);
        self.streams += 1;
    }

    /// Adds `count` streams without a tail, whose thresholds were computed for `rate_per_s` each.
    pub fn add_designed(&mut self, count: usize, rate_per_s: f64) {
        self.rate_per_s += count as f64 * rate_per_s;
        self.high_per_s += count as f64 * rate_per_s;
        self.streams += count;
    }

    /// Interval between false alarms (s); infinite without streams.
    pub fn interval_s(&self) -> f64 {
        1.0 / self.rate_per_s
    }

    /// Lower end of that interval (s, 95 %).
    pub fn low_s(&self) -> f64 {
        1.0 / self.high_per_s
    }
}

/// 95 % upper bound of the mean count when `alarms` were seen.
fn upper_count(alarms: u64) -> f64 {
    if alarms == 0 {
        return 3.0;
    }
    /// 95 % point of the normal distribution.
    const Z: f64 = 1.644_853_626_951_472_7;
    let freedom = 2.0 * alarms as f64 + 2.0;
    let spread = 2.0 / (9.0 * freedom);
    let root = 1.0 - spread + Z * libm::sqrt(spread);
    0.5 * freedom * root * root * root
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_alarm_in_t_proves_a_third_of_t() {
        let exposure = Exposure {
            seen_ns: 1_920_000_000_000,
            alarms: 0,
        };
        assert_eq!(exposure.demonstrated_s(), 640);
    }

    #[test]
    fn bound_agrees_with_the_tables() {
        // Upper 95 % limits of a Poisson mean, from standard tables.
        for (alarms, bound) in [
            (1, 4.744),
            (2, 6.296),
            (5, 10.513),
            (10, 16.962),
            (20, 29.062),
        ] {
            let found = upper_count(alarms);
            assert!(
                (found / bound - 1.0).abs() < 0.005,
                "{alarms}: {found} instead of {bound}"
            );
        }
    }

    #[test]
    fn streams_with_their_share_together_have_the_asked_rate() {
        let tail = Tail {
            threshold: 3.0,
            scale: 0.4,
            shape: 0.1,
            beyond_shape: 0.1,
            clusters: 60.0,
            record_s: 180.0,
            largest: 4.0,
            reach: 1.0,
            raised: 0.0,
        };
        let asked_s = 2_592_000.0;
        let mut all = Extrapolated::default();
        let shares = Shares {
            tails: 27,
            figures: 10,
        };
        for _ in 0..27 {
            all.add(&tail, tail.level(shares.per_s(asked_s)));
        }
        all.add_designed(10, shares.per_s(asked_s));
        assert_eq!(all.streams, shares.streams());
        assert!((all.interval_s() / asked_s - 1.0).abs() < 1e-6, "{all:?}");
        assert!(all.low_s() < all.interval_s());
    }

    #[test]
    fn extremes_stay_finite() {
        let all = Exposure {
            seen_ns: u64::MAX,
            alarms: u64::MAX,
        };
        assert_eq!(all.demonstrated_s(), 0);
        assert_eq!(Exposure::default().demonstrated_s(), 0);
    }
}
