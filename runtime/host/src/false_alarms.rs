//! What healthy time proves about the interval between false alarms.
//!
//! Alarms are counted as a Poisson process. With `n` alarms in the time `T`, the mean count is below the 95 % point of
//! the gamma distribution with `n + 1`, so the interval is at least `T` over that point. For `n = 0` the point is
//! `-ln 0.05`, which is 3 in round figures: no alarm in `T` proves `T / 3` and no more.
//! For `n > 0` the point is half the 95 % quantile of chi-square with `2 n + 2` degrees of freedom, in the
//! Wilson-Hilferty form, which is within 0.5 % here.

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
    fn extremes_stay_finite() {
        let all = Exposure {
            seen_ns: u64::MAX,
            alarms: u64::MAX,
        };
        assert_eq!(all.demonstrated_s(), 0);
        assert_eq!(Exposure::default().demonstrated_s(), 0);
    }
}
