//! What others see of a lane: one axis at a time.

use super::LaneState;
use crate::health::HealthSample;
use crate::press::{PressPlan, PressSample};
use twinstep_models::channel::Regime;
use twinstep_models::sample::CycleStamp;

impl LaneState {
    /// The last evaluation of `current_load` of place `l`: measured and predicted (A), and its regime.
    pub fn load(&self, l: usize) -> (f64, f64, Regime) {
        (
            self.load.measured_a[l],
            self.load.predicted_a[l],
            self.segments.regime(l),
        )
    }

    /// Velocity (m/s) and acceleration (m/s2) of place `l` that `current_load` was evaluated with.
    pub fn load_motion(&self, l: usize) -> (f64, f64) {
        (
            self.load.velocity_m_per_s[l],
            self.load.acceleration_m_per_s2[l],
        )
    }

    /// The force on the ram at place `l`, behind the lag of `current_load`; none while nothing is judged.
    pub(crate) fn press_sample(&self, plan: &PressPlan, l: usize) -> Option<PressSample> {
        let (load, contact_a) = (&self.load, self.load.contact_a[l]);
        (self.settle[l] <= 0.0).then(|| {
            plan.of_current(
                load.position_m[l],
                load.velocity_m_per_s[l],
                load.measured_a[l] - load.predicted_a[l] + contact_a,
                Some(contact_a),
            )
        })
    }

    /// What health needs of place `l` after a cycle; none while nothing is judged.
    pub(crate) fn health_sample(&self, l: usize, stamp: &CycleStamp) -> Option<HealthSample> {
        (self.settle[l] <= 0.0).then(|| HealthSample {
            residual_a: self.load.measured_a[l] - self.load.predicted_a[l],
            contact_a: self.load.contact_a[l],
            window_m: self.load.position_m[l],
            velocity_m_per_s: self.load.velocity_m_per_s[l],
            acceleration_m_per_s2: self.load.acceleration_m_per_s2[l],
            position_m: self.measured_m[l],
            current_a: self.measured_a[l],
            regime: self.segments.regime(l),
            ended: false,
            time_ns: stamp.time_ns,
            cycle: stamp.cycle,
        })
    }

    /// What was predicted for the sample of place `l` that was compared last: position (m), velocity (m/s), current (A).
    pub fn compared(&self, l: usize) -> [f64; 3] {
        self.predicted.map(|lane| lane[l])
    }

    /// Whether place `l` was judged in the last cycle.
    pub fn judged(&self, l: usize) -> bool {
        self.judged[l] != 0.0
    }
}
