//! All three detectors on the one-cycle innovation of one channel.

use super::limit::{Limit, Turn};
use super::whiten::{ORDER, Whitener};
use super::window::Window;

/// Slack of the CUSUM over single cycles (standard deviations): a shift of twice this is found soonest.
pub const SLACK: f64 = 1.0;
/// An innovation beyond this counts as this in the CUSUM (standard deviations): single outliers are the fast limit's.
pub const CLIP: f64 = 4.0;
/// Largest sum of a CUSUM.
const LARGEST_SUM: f64 = 1e6;

/// How one channel is judged. Limits are infinite where a detector is switched off.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ChannelPlan {
    /// Autoregression of the innovation; unused places are 0.
    pub whiten: [f32; ORDER],
    /// Healthy standard deviation of the innovation (its unit, > 0).
    pub sigma: f64,
    /// Healthy standard deviation of the whitened innovation (its unit, > 0).
    pub white_sigma: f64,
    /// Limit of the whitened innovation (`white_sigma`, > 0).
    pub fast_limit: f64,
    /// Limit of the window's mean of squares (1, > 0).
    pub window_limit: f64,
    /// Limit of the CUSUM (`sigma`, > 0).
    pub cusum_limit: f64,
}

impl ChannelPlan {
    /// Everything is switched off.
    pub const OFF: Self = Self {
        whiten: [0.0; ORDER],
        sigma: 1.0,
        white_sigma: 1.0,
        fast_limit: f64::INFINITY,
        window_limit: f64::INFINITY,
        cusum_limit: f64::INFINITY,
    };
}

/// What the detectors look at, in the units of their limits.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Statistics {
    /// Whitened innovation, with its sign (`white_sigma`).
    pub white: f64,
    /// Weighted mean of its squares (1).
    pub window: f64,
    /// The larger CUSUM (`sigma`).
    pub cusum: f64,
}

/// What the detectors did in a cycle.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// The limit of the whitened innovation.
    pub fast_limit: Option<Turn>,
    /// The window.
    pub window: Option<Turn>,
    /// The CUSUM.
    pub cusum: Option<Turn>,
}

/// State of the three detectors of one channel.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ChannelDetectors {
    whitener: Whitener,
    window: Window,
    up: f32,
    down: f32,
    limits: [Limit; 3],
}

/// Five channels of an axis share 200 bytes.
const _: () = assert!(core::mem::size_of::<ChannelDetectors>() <= 40);

impl ChannelDetectors {
    /// Takes in one innovation (the channel's unit, finite).
    ///
    /// After a start or [`Self::clear`] the first [`ORDER`] cycles lack a history: call this, and [`Self::judge`] later.
    #[inline]
    pub fn measure(&mut self, plan: &ChannelPlan, innovation: f64) -> Statistics {
        let white = self.whitener.push(&plan.whiten, innovation) / plan.white_sigma;
        let window = self.window.push(white);
        let z = clipped(innovation / plan.sigma);
        let top = if 2.0 * plan.cusum_limit < LARGEST_SUM {
            2.0 * plan.cusum_limit
        } else {
            LARGEST_SUM
        };
        let up = summed(self.up, z, top);
        let down = summed(self.down, -z, top);
        self.up = up as f32;
        self.down = down as f32;
        Statistics {
            white,
            window,
            cusum: if up > down { up } else { down },
        }
    }

    /// Compares with the limits. `widening` (>= 1) is how much wider the innovation spreads while the observer is locking
    /// again after missing samples, see [`crate::kalman::Steady::widening`].
    #[inline]
    pub fn judge(&mut self, plan: &ChannelPlan, s: &Statistics, widening: f64) -> Verdict {
        let size = if s.white < 0.0 { -s.white } else { s.white };
        let wide = widening;
        Verdict {
            fast_limit: self.limits[0].push(size / (plan.fast_limit * wide)),
            window: self.limits[1].push(s.window / (plan.window_limit * wide * wide)),
            cusum: self.limits[2].push(s.cusum / (plan.cusum_limit * wide)),
        }
    }

    /// Forgets the past innovations, not what is raised: after a gap, or when the observer has been locked anew.
    pub fn clear(&mut self) {
        *self = Self {
            limits: self.limits,
            ..Self::default()
        };
    }
}

fn clipped(z: f64) -> f64 {
    let z = if z > CLIP { CLIP } else { z };
    if z < -CLIP { -CLIP } else { z }
}

fn summed(sum: f32, z: f64, top: f64) -> f64 {
    let sum = f64::from(sum) + z - SLACK;
    if sum > top {
        top
    } else if sum > 0.0 {
        sum
    } else {
        // Also what is no number: it must not stay.
        0.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const PLAN: ChannelPlan = ChannelPlan {
        whiten: [0.9, 0.0, 0.0, 0.0],
        sigma: 2.0,
        white_sigma: 0.5,
        fast_limit: 6.0,
        window_limit: 4.0,
        cusum_limit: 20.0,
    };

    /// Cycles until each detector has raised an alarm.
    fn found(innovations: impl Iterator<Item = f64>) -> [Option<usize>; 3] {
        let mut state = ChannelDetectors::default();
        let mut first = [None; 3];
        for (k, e) in innovations.enumerate() {
            let s = state.measure(&PLAN, e);
            let v = state.judge(&PLAN, &s, 1.0);
            for (first, turn) in first.iter_mut().zip([v.fast_limit, v.window, v.cusum]) {
                if turn == Some(Turn::Raised) && first.is_none() {
                    *first = Some(k);
                }
            }
        }
        first
    }

    #[test]
    fn each_detector_finds_what_it_is_for() {
        // Small noise that the limits allow.
        let noise = |k: usize| if k.is_multiple_of(2) { 0.3 } else { -0.3 };
        assert_eq!(found((0..2000).map(noise)), [None; 3]);
        let jump = (0..600).map(|k| noise(k) + if k == 500 { 4.0 } else { 0.0 });
        assert_eq!(found(jump), [Some(500), None, None]);
        let rough = (0..600).map(|k| noise(k) * if k >= 500 { 3.0 } else { 1.0 });
        let [fast, window, cusum] = found(rough);
        assert_eq!((fast, cusum), (None, None));
        assert!((501..540).contains(&window.unwrap()), "{window:?}");
        // A slow rise is foretold by the autoregression, and adds up.
        let shift = (0..900).map(|k| noise(k) + 4.0 * ((k as f64 - 500.0) / 100.0).clamp(0.0, 1.0));
        let [fast, window, cusum] = found(shift);
        assert_eq!((fast, window), (None, None));
        assert!((560..640).contains(&cusum.unwrap()), "{cusum:?}");
    }

    #[test]
    fn limits_widen_after_missing_samples() {
        let mut state = ChannelDetectors::default();
        let s = Statistics {
            white: -8.0,
            ..Statistics::default()
        };
        assert_eq!(state.judge(&PLAN, &s, 1.5).fast_limit, None);
        assert_eq!(state.judge(&PLAN, &s, 1.0).fast_limit, Some(Turn::Raised));
        state.clear();
        assert_eq!(state.judge(&PLAN, &s, 1.0).fast_limit, None, "still raised");
    }

    proptest! {
        #[test]
        fn statistics_stay_finite_whatever_comes(
            innovations in prop::collection::vec(-1e30..1e30_f64, 1..200),
        ) {
            let mut state = ChannelDetectors::default();
            for e in innovations {
                let s = state.measure(&PLAN, e);
                prop_assert!(s.white.is_finite() && s.window.is_finite(), "{s:?}");
                prop_assert!(s.cusum >= 0.0 && s.cusum <= 2.0 * PLAN.cusum_limit, "{s:?}");
            }
        }
    }
}
