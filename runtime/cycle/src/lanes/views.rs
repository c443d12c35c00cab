//! What others see of a lane: one axis at a time.

use super::LaneState;
use crate::health::HealthSample;
use crate::press::{PressPlan, PressSample};
use twinstep_models::axis::LaneParams;
use twinstep_models::channel::Regime;
use twinstep_models::press::linked::Linked;
use twinstep_models::sample::CycleStamp;

impl LaneState {
    /// The last evaluation of `current_load` of place `l`: measured and predicted (A), and its regime.
    pub fn load(&self, l: usize) -> (f64, f64, Regime) {
        let (measured_a, predicted_a) = self.filter.currents_a(l);
        (measured_a, predicted_a, self.course.regime(l))
    }

    /// Velocity (m/s) and acceleration (m/s2) of place `l` that `current_load` was evaluated with.
    #[inline]
    pub fn load_motion(&self, params: &LaneParams, l: usize) -> (f64, f64) {
        let load = self.filter.estimate(params, l);
        (load.velocity_m_per_s, load.acceleration_m_per_s2)
    }

    /// Whether place `l` is not judged yet (again).
    #[inline]
    pub(crate) const fn settles(&self, l: usize) -> bool {
        self.settling & (1 << l) != 0
    }

    /// The force on the ram at place `l`, behind the lag of `current_load`.
    #[inline]
    pub(crate) fn press_sample(
        &self,
        params: &LaneParams,
        plan: &PressPlan,
        linked: Option<&Linked>,
        l: usize,
    ) -> PressSample {
        let load = self.filter.estimate(params, l);
        let contact_a = self.press.filtered_a()[l];
        if let Some(linked) = linked {
            return plan.of_linked(linked, &load, contact_a);
        }
        plan.of_current(
            load.position_m,
            load.velocity_m_per_s,
            load.measured_a - load.predicted_a + contact_a,
            Some(contact_a),
        )
    }

    /// What health needs of place `l` after a cycle; none while nothing is judged.
    pub(crate) fn health_sample(
        &self,
        params: &LaneParams,
        linked: Option<&Linked>,
        l: usize,
        stamp: &CycleStamp,
    ) -> Option<HealthSample> {
        (!self.settles(l)).then(|| {
            let load = self.filter.estimate(params, l);
            let [position_m, current_a] = self.filter.sample(self.newest);
            let contact_a = self.press.filtered_a()[l];
            let mut residual_a = load.measured_a - load.predicted_a;
            if let (Some(linked), Regime::Pressing) = (linked, self.course.regime(l)) {
                // The part is known without losses, and so is what is left of it.
                let at = linked.at(load.position_m, load.velocity_m_per_s);
                let of = [contact_a, residual_a];
                let asked_a = linked.asked_a(&at, load.acceleration_m_per_s2, of, 0.0);
                residual_a = asked_a.map_or(0.0, |asked_a| asked_a - contact_a);
            }
            HealthSample {
                residual_a,
                contact_a,
                window_m: load.position_m,
                velocity_m_per_s: load.velocity_m_per_s,
                acceleration_m_per_s2: load.acceleration_m_per_s2,
                position_m: position_m[l],
                current_a: current_a[l],
                regime: self.course.regime(l),
                ended: false,
                warms: false,
                time_ns: stamp.time_ns,
                cycle: stamp.cycle,
            }
        })
    }

    /// What was predicted for the sample of place `l` that was compared last: position (m), velocity (m/s), current (A).
    pub fn compared(&self, l: usize) -> [f64; 3] {
        if self.moved & (1 << l) != 0 {
            return self.rare.predicted[l];
        }
        let twin = &self.twin;
        [
            twin.position_m[l],
            twin.velocity_m_per_s[l],
            twin.reported_a[l],
        ]
    }

    /// Whether place `l` was judged in the last cycle.
    pub fn judged(&self, l: usize) -> bool {
        self.judged & (1 << l) != 0
    }
}
