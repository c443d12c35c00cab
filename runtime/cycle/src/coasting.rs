//! How sure the observer of one axis is while it is not in steady state: after a start, and from a lost sample on.
//!
//! A cycle without a sample carries the covariance on, so that it widens; the samples that follow are taken in with the gains
//! that belong to it, larger ones first, until it is as narrow as in steady state. Deviations are held back until then.

use twinstep_models::kalman::{Covariance, Gains, LONGEST, Steady};

/// An innovation that spreads by less than this more than in steady state is that of steady state.
const STEADY: f64 = 1.01;

/// The observer of one axis. In steady state it is not asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Coasting {
    /// Cycles without a sample, up to now.
    coasted: u32,
    /// Before the next sample; none in steady state.
    covariance: Option<Covariance>,
    /// For the sample of this cycle; none: those of steady state, or none came.
    gains: Option<Gains>,
}

impl Coasting {
    /// A sample did not come. Returns whether the axis may be anywhere now: the next sample locks it.
    pub fn missing(&mut self, observer: &Steady) -> bool {
        self.coasted = self.coasted.saturating_add(1);
        self.gains = None;
        if self.coasted > LONGEST {
            return true;
        }
        let before = self.covariance.unwrap_or(observer.covariance);
        self.covariance = Some(observer.coast(&before));
        false
    }

    /// The axis was put where it was measured: no more is known than after the longest coast.
    pub fn lock(&mut self, observer: &Steady) {
        *self = Self {
            coasted: 0,
            covariance: Some(observer.lost),
            gains: None,
        };
    }

    /// A sample came. Returns whether the observer is in steady state from the next one on.
    pub fn measured(&mut self, observer: &Steady) -> bool {
        self.coasted = 0;
        let Some(before) = self.covariance else {
            self.gains = None;
            return true;
        };
        let (gains, after) = observer.take_in(&before);
        let next = observer.coast(&after);
        let steady = observer.widening(&next) < STEADY;
        self.gains = Some(gains);
        self.covariance = (!steady).then_some(next);
        steady
    }

    /// Gains for the sample of this cycle, where they are not those of steady state.
    pub const fn gains(&self) -> Option<Gains> {
        self.gains
    }

    /// How much wider the innovation of the next sample spreads than in steady state (1 there).
    pub fn widening(&self, observer: &Steady) -> f64 {
        self.covariance.map_or(1.0, |p| observer.widening(&p))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use twinstep_models::kalman::{AxisNoise, steady};

    fn observer() -> Steady {
        let noise = AxisNoise::of_bandwidth(20.0, 1e-7, 0.4, 1e-3);
        steady(1e-3, 0.4, &noise).expect("a plain axis")
    }

    #[test]
    fn what_is_lost_widens_and_what_comes_narrows() {
        let (o, mut c) = (observer(), Coasting::default());
        assert_eq!(c.widening(&o), 1.0);
        assert!(c.measured(&o) && c.gains().is_none());
        let mut widest = 1.0;
        for _ in 0..8 {
            assert!(!c.missing(&o));
            let now = c.widening(&o);
            assert!(now > widest, "{now} after {widest}");
            widest = now;
        }
        assert!(!c.measured(&o));
        let first = c.gains().expect("gains of its own");
        assert!(first.position > o.gains.position, "{first:?}");
        assert!(first.velocity_per_s > o.gains.velocity_per_s, "{first:?}");
        let left = (0..100).position(|_| c.measured(&o));
        assert!(left.is_some_and(|n| (1..40).contains(&n)), "{left:?}");
        assert_eq!(c.widening(&o), 1.0);
    }

    #[test]
    fn whoever_coasts_too_long_may_be_anywhere() {
        let (o, mut c) = (observer(), Coasting::default());
        let lost = (0..LONGEST).filter(|_| c.missing(&o)).count();
        assert_eq!(lost, 0);
        assert!(c.missing(&o));
        let wide = c.widening(&o);
        c.lock(&o);
        assert_eq!(c.widening(&o), wide);
        assert!(!c.measured(&o) && c.gains().is_some());
    }
}
