//! An axis in closed loop, ahead of any measurement: what follows from targets alone.
//!
//! # Derivation
//! The kernel of the live twin ([`crate::axis::cascade`]) predicts the next sample from the state and the targets that were sent. The
//! observer takes the measurement in between two predictions; without it the same kernel goes on by itself, and what it says is what the
//! machine would do. The drive follows a reference that lies back by the dead time of d cycles: at the sample k it is the target of
//! cycle k - d, on the straight line between two targets. What the loops ask for there tells whether the current is at its limit:
//!
//! ```text
//! r[k] = t[k - d],   asked = kv (kx (r - x) + kff r' - v) + q
//! ```

use crate::axis::cascade::{self, AxisState, Reference};
use crate::axis::params::{AxisParams, DEAD_MAX, LaneParams};
use crate::lane::ZERO;

/// An axis that nobody measures.
#[derive(Clone, Debug, PartialEq)]
pub struct Rollout {
    lane: LaneParams,
    reference: Reference,
    state: AxisState,
    /// Whole cycles of the dead time.
    whole: usize,
}

/// The axis at one sample.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Moment {
    /// Where the drive wants it to be (m).
    pub reference_m: f64,
    /// Position (m).
    pub position_m: f64,
    /// Velocity (m/s).
    pub velocity_m_per_s: f64,
    /// Current in the motor (A).
    pub current_a: f64,
    /// Current as the drive reports it: behind the torque filter (A).
    pub reported_a: f64,
    /// Current that the loops ask for, before it is limited (A).
    pub asked_a: f64,
    /// They ask for more than the limit.
    pub limited: bool,
}

impl Rollout {
    /// An axis that has been at rest at `position_m` for long: its integrator carries the constant load.
    pub fn at_rest(params: &AxisParams, period_s: f64, position_m: f64) -> Self {
        let lane = LaneParams::new(&[*params], period_s);
        let mut state = AxisState::REST;
        state.position_m[0] = position_m;
        state.current_a[0] = params.gravity_a;
        state.reported_a[0] = params.gravity_a;
        if params.integral_gain > 0.0 {
            state.integral_a[0] = params.gravity_a;
        }
        let mut reference = Reference::default();
        reference.lock(0, position_m);
        let dead = params.dead_time_s / period_s;
        let whole = dead.clamp(0.0, DEAD_MAX - 1.0) as usize;
        Self {
            lane,
            reference,
            state,
            whole,
        }
    }

    /// The same from a motion that was measured: velocity (m/s) and current (A).
    pub fn moving(mut self, velocity_m_per_s: f64, current_a: f64) -> Self {
        self.state.velocity_m_per_s[0] = velocity_m_per_s;
        self.state.current_a[0] = current_a;
        self.state.reported_a[0] = current_a;
        self
    }

    /// Position and velocity now (m, m/s).
    pub const fn motion(&self) -> (f64, f64) {
        (self.state.position_m[0], self.state.velocity_m_per_s[0])
    }

    /// Sends a target (m) and goes on to the next sample. `contact_a` is the load of a part (A), constant over the cycle.
    pub fn step(&mut self, target_m: f64, contact_a: f64) -> Moment {
        let before_m = self.state.position_m[0];
        let lane_of = |x: f64| {
            let mut lane = ZERO;
            lane[0] = x;
            lane
        };
        self.reference.push(&lane_of(target_m));
        cascade::advance(
            &self.lane,
            &self.reference,
            &mut self.state,
            &lane_of(contact_a),
        );
        self.moment(before_m)
    }

    fn moment(&self, before_m: f64) -> Moment {
        let (p, s) = (&self.lane, &self.state);
        let target = |n: usize| self.reference.ago_m(n)[0];
        let middle_m = target(self.whole);
        let way_m = match self.whole {
            // The target of this cycle has not come yet: the reference goes on as it did.
            0 => target(0) - target(1),
            n => target(n - 1) - middle_m,
        };
        let reference_m = middle_m + (1.0 - p.bend[0]) * way_m;
        let (x, v) = (s.position_m[0], s.velocity_m_per_s[0]);
        let wanted = p.position_gain_per_s[0] * (reference_m - x)
            + p.velocity_feedforward[0] * way_m * p.per_s;
        let asked_a = if p.sampled & 1 != 0 {
            p.velocity_gain[0] * (wanted - (x - before_m) * p.per_s)
        } else {
            p.velocity_gain[0] * (wanted - v) + s.integral_a[0]
        };
        Moment {
            reference_m,
            position_m: x,
            velocity_m_per_s: v,
            current_a: s.current_a[0],
            reported_a: s.reported_a[0],
            asked_a,
            limited: asked_a.abs() > p.limit_a[0],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PERIOD_S: f64 = 0.001;

    fn params() -> AxisParams {
        AxisParams {
            inertia: 0.4,
            coulomb_positive_a: 0.8,
            coulomb_negative_a: 0.8,
            viscous: 0.2,
            stribeck_velocity_m_per_s: 0.01,
            gravity_a: 1.5,
            position_gain_per_s: 60.0,
            velocity_gain: 140.0,
            integral_gain: 7000.0,
            velocity_feedforward: 1.0,
            limit_a: 10.0,
            current_time_constant_s: 4e-4,
            current_filter_s: 8e-4,
            dead_time_s: 0.0025,
            cascade_valid: true,
            ..AxisParams::IDLE
        }
    }

    #[test]
    fn what_rests_stays_and_carries_its_load() {
        for dead in [0.0, 0.001, 0.0025, 0.004] {
            let p = AxisParams {
                dead_time_s: dead,
                ..params()
            };
            let mut axis = Rollout::at_rest(&p, PERIOD_S, 0.3);
            let last = (0..1000).map(|_| axis.step(0.3, 0.0)).last().unwrap();
            assert!((last.position_m - 0.3).abs() < 1e-9, "{dead}: {last:?}");
            assert!((last.current_a - 1.5).abs() < 0.9, "{dead}: {last:?}");
            assert!(!last.limited && last.reference_m == 0.3);
        }
    }

    #[test]
    fn the_reference_lies_back_by_the_dead_time() {
        for dead in [0.0, 0.0007, 0.001, 0.0025, 0.004] {
            let p = AxisParams {
                dead_time_s: dead,
                ..params()
            };
            let mut axis = Rollout::at_rest(&p, PERIOD_S, 0.0);
            for k in 0..400 {
                let m = axis.step(0.2 * f64::from(k) * PERIOD_S, 0.0);
                if k > 10 {
                    let expected = 0.2 * (f64::from(k + 1) * PERIOD_S - dead);
                    assert!((m.reference_m - expected).abs() < 1e-12, "{dead}: {m:?}");
                }
            }
        }
    }

    #[test]
    fn at_constant_speed_the_current_is_what_friction_and_weight_need() {
        let p = params();
        let mut axis = Rollout::at_rest(&p, PERIOD_S, 0.0);
        let last = (0..3000)
            .map(|k| axis.step(0.1 * f64::from(k) * PERIOD_S, 0.0))
            .last()
            .unwrap();
        let needed = p.coulomb_positive_a + p.viscous * 0.1 + p.gravity_a;
        assert!((last.current_a - needed).abs() < 1e-6, "{last:?}");
        assert!((last.position_m - last.reference_m).abs() < 1e-7);
        assert!((last.asked_a - last.current_a).abs() < 1e-6, "{last:?}");
    }

    #[test]
    fn what_is_asked_beyond_the_limit_is_told_and_does_not_flow() {
        let p = AxisParams {
            limit_a: 3.0,
            ..params()
        };
        let mut axis = Rollout::at_rest(&p, PERIOD_S, 0.0);
        let mut limited = 0;
        for k in 0..300 {
            let t = f64::from(k) * PERIOD_S;
            // 10 m/s2 asks for 4 A beside friction and weight.
            let m = axis.step(5.0 * t * t, 0.0);
            assert!(m.current_a.abs() <= 3.0 + 1e-12, "{m:?}");
            limited += u32::from(m.limited);
        }
        let last = axis.step(5.0 * 0.09, 0.0);
        assert!(limited > 250 && last.limited, "{limited}");
        assert!(last.reference_m - last.position_m > 0.1, "{last:?}");
    }

    #[test]
    fn a_part_is_carried_by_the_current() {
        let p = params();
        let mut axis = Rollout::at_rest(&p, PERIOD_S, 0.0);
        let last = (0..2000).map(|_| axis.step(0.0, 4.0)).last().unwrap();
        let rest = last.current_a - p.gravity_a - 4.0;
        assert!(rest.abs() <= p.coulomb_positive_a + 1e-9, "{last:?}");
    }
}
