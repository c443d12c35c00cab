//! The zero of a stroke: the mean force over a part of the way in where the ram meets nothing yet.
//!
//! # Derivation
//! A force that is told from the current has in it whatever friction has changed by since the twin was calibrated. In the free
//! part of the approach there is nothing else, so its mean is the zero of this stroke: with n samples of noise sigma it is
//! known to `sigma / sqrt(n)`, and the window of force and travel moves with it as a whole. One zero holds for the whole
//! stroke. On the way back friction points the other way, so what friction has changed by counts twice there.
//!
//! What is taken away is told with the stroke, and beyond a limit nothing is: a part that is met too early, or a drive that
//! jams, must not become a zero.

/// Fewer samples are no zero.
pub const LEAST_SAMPLES: u32 = 8;

/// Where and how far a stroke may be tared.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TareParams {
    /// From where to where on the way in (m).
    pub range_m: [f64; 2],
    /// The most that is taken away (N, > 0).
    pub limit_n: f64,
}

/// The zero of one stroke.
#[derive(Clone, Copy, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub enum Tare {
    /// It was not asked for.
    #[default]
    Off,
    /// This force was taken away from every point (N).
    Taken(f64),
    /// The ram left fewer than [`LEAST_SAMPLES`] in the range: nothing was taken away.
    TooFew(u32),
    /// The mean was this (N), beyond the limit: nothing was taken away.
    BeyondLimit(f64),
}

impl Tare {
    /// What was taken away (N).
    pub const fn force_n(self) -> f64 {
        match self {
            Self::Taken(force_n) => force_n,
            Self::Off | Self::TooFew(_) | Self::BeyondLimit(_) => 0.0,
        }
    }

    /// The mean over the range (N), whether it was taken away or not; none where it is not known.
    pub const fn mean_n(self) -> Option<f64> {
        match self {
            Self::Taken(force_n) | Self::BeyondLimit(force_n) => Some(force_n),
            Self::Off | Self::TooFew(_) => None,
        }
    }

    /// The stable word.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Taken(_) => "taken",
            Self::TooFew(_) => "too_few_samples",
            Self::BeyondLimit(_) => "beyond_limit",
        }
    }
}

/// The mean in the making.
#[derive(Clone, Copy, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct TareSum {
    sum_n: f64,
    samples: u32,
    left: bool,
}

impl TareSum {
    /// Takes in a sample of the way in. The first one beyond the range ends it, so that nothing of the way back is in it.
    #[inline]
    pub fn push(&mut self, p: &TareParams, position_m: f64, force_n: f64) {
        if self.left || position_m < p.range_m[0] {
            return;
        }
        if position_m > p.range_m[1] {
            self.left = true;
            return;
        }
        self.sum_n += force_n;
        self.samples = self.samples.saturating_add(1);
    }

    /// Whether the ram has been through the range: the zero is known then.
    pub const fn left(&self) -> bool {
        self.left
    }

    /// The zero of the stroke.
    pub fn tare(&self, p: &TareParams) -> Tare {
        if self.samples < LEAST_SAMPLES || !self.left {
            return Tare::TooFew(self.samples);
        }
        let mean_n = self.sum_n / f64::from(self.samples);
        if mean_n * mean_n <= p.limit_n * p.limit_n {
            Tare::Taken(mean_n)
        } else {
            Tare::BeyondLimit(mean_n)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const P: TareParams = TareParams {
        range_m: [1.0, 2.0],
        limit_n: 50.0,
    };

    fn over(force: impl Fn(f64) -> f64, samples: u32, last_m: f64) -> Tare {
        let mut sum = TareSum::default();
        for k in 0..=samples {
            let x = last_m * f64::from(k) / f64::from(samples);
            sum.push(&P, x, force(x));
        }
        sum.tare(&P)
    }

    #[test]
    fn the_mean_of_the_range_is_the_zero_and_nothing_else_is() {
        // A line over the range has its middle as its mean; what lies outside would spoil it.
        let tare = over(
            |x| {
                if (1.0..=2.0).contains(&x) {
                    10.0 + x
                } else {
                    1e6
                }
            },
            256,
            4.0,
        );
        let Tare::Taken(force_n) = tare else {
            panic!("{tare:?}");
        };
        assert!((force_n - 11.5).abs() < 1e-12, "{force_n}");
        assert_eq!((tare.force_n(), tare.mean_n()), (force_n, Some(force_n)));
    }

    #[test]
    fn the_way_back_through_the_range_is_not_in_it() {
        let mut sum = TareSum::default();
        for x in [1.1, 1.2, 1.3, 1.4, 1.5, 1.6, 1.7, 1.8, 1.9] {
            sum.push(&P, x, 4.0);
        }
        assert!(!sum.left());
        sum.push(&P, 2.1, 900.0);
        sum.push(&P, 1.5, 900.0);
        assert_eq!(sum.tare(&P), Tare::Taken(4.0));
    }

    #[test]
    fn what_is_no_zero_takes_nothing_away() {
        assert_eq!(over(|_| 51.0, 256, 4.0), Tare::BeyondLimit(51.0));
        assert_eq!(over(|_| -51.0, 256, 4.0).force_n(), 0.0);
        assert_eq!(over(|_| 50.0, 256, 4.0), Tare::Taken(50.0));
        assert_eq!(over(|_| 5.0, 8, 4.0), Tare::TooFew(3));
        // It turned before the end of the range.
        assert_eq!(over(|_| 5.0, 15, 1.5).force_n(), 0.0);
    }
}
