//! Health of a vacuum station: its leak rate.

use super::{Reading, Usage, Wear};
use twinstep_models::health::life::life;
use twinstep_models::health::scalar::ScalarTracker;
use twinstep_models::health::trend::{Reservoir, trend};

/// Health of one vacuum station.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub struct StationHealth {
    /// Healthy leak rate and its standard deviation from hold to hold (Pa/s); none: not calibrated.
    healthy: Option<(f64, f64)>,
    limit_pa_per_s: f64,
    leak: ScalarTracker,
    /// Leak rate over holds.
    trend: Reservoir,
    time_ns: u64,
    /// Hours of earlier runs.
    earlier_h: f64,
    holds: u64,
}

impl StationHealth {
    /// Nothing seen yet.
    pub fn new(healthy: Option<(f64, f64)>, limit_pa_per_s: f64) -> Self {
        Self {
            healthy,
            limit_pa_per_s,
            leak: ScalarTracker::default(),
            trend: Reservoir::default(),
            time_ns: 0,
            earlier_h: 0.0,
            holds: 0,
        }
    }

    /// Goes on from `from`, which an earlier run left after `time_ns` of its time; the limit of the life stays its own. False, and
    /// nothing happens, where another leak rate is the healthy one.
    pub fn resume(&mut self, from: &Self, time_ns: u64) -> bool {
        if self.healthy != from.healthy {
            return false;
        }
        *self = Self {
            limit_pa_per_s: self.limit_pa_per_s,
            time_ns: 0,
            earlier_h: from.earlier_h + time_ns as f64 / 3.6e12,
            ..from.clone()
        };
        true
    }

    /// Takes in the leak rate of a hold and its standard deviation (Pa/s).
    pub fn hold(&mut self, rate: f64, sigma: f64, time_ns: u64) {
        self.time_ns = time_ns;
        self.holds = self.holds.saturating_add(1);
        self.leak.push(rate, sigma, 0.1 * sigma);
        self.trend.push(self.holds as f64, rate, sigma);
    }

    /// What was used so far.
    pub fn usage(&self) -> Usage {
        Usage {
            hours: self.earlier_h + self.time_ns as f64 / 3.6e12,
            strokes: self.holds,
            metres: 0.0,
        }
    }

    /// The leak rate; none before the first hold.
    pub fn reading(&self) -> Option<Reading> {
        if self.leak.seen == 0 {
            return None;
        }
        let points = self.trend.points();
        let (healthy, _) = self.healthy?;
        Some(Reading {
            parameter: "leak_rate",
            unit: "Pa/s",
            value: self.leak.x,
            sigma: self.leak.sigma(),
            healthy: Some(healthy),
            limit: Some(self.limit_pa_per_s),
            lower_bound: false,
            left_out: 0,
            inferred: false,
            over: Wear::Strokes,
            course: points,
            trend: trend(&points),
            life: life(&points, healthy, self.limit_pa_per_s, self.holds as f64),
        })
    }
}
