//! One axis in plain scalar Rust: the yardstick beside the lanes, and the plant behind the benchmarks' axes.
//!
//! The cascade of `twinstep_models::axis` with a first-order current lag, but friction smoothed by tanh and the classic
//! fourth-order Runge-Kutta scheme in four substeps: what one writes first, and what the usual peers are compared on.
//!
//! ```text
//! x' = v                      i' = (i* - i) / tau
//! v' = (i - g - f(v)) / m     i* = kv (w - v) + q, limited; q' = ki (w - v) while i* is not limited
//! w  = kx (r - x) + kff r'    f(v) = fv v + fc tanh(v / vs)
//! ```

use twinstep_models::axis::AxisParams;
use twinstep_models::sample::Told;

/// Substeps of a cycle.
const SUBSTEPS: u32 = 4;

/// Parameters; units as in [`AxisParams`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Axis {
    inertia: f64,
    coulomb_a: f64,
    viscous: f64,
    /// Velocity at which friction has three quarters of its size (m/s).
    smooth_m_per_s: f64,
    gravity_a: f64,
    position_gain_per_s: f64,
    velocity_gain: f64,
    integral_gain: f64,
    velocity_feedforward: f64,
    limit_a: f64,
    lag_s: f64,
}

impl Axis {
    /// The axis that a twin describes. A twin without a cascade has no drive to close the loops: gains stay 0.
    pub fn new(p: &AxisParams) -> Self {
        Self {
            inertia: p.inertia,
            coulomb_a: 0.5 * (p.coulomb_positive_a + p.coulomb_negative_a),
            viscous: p.viscous,
            smooth_m_per_s: 0.002,
            gravity_a: p.gravity_a,
            position_gain_per_s: p.position_gain_per_s,
            velocity_gain: p.velocity_gain,
            integral_gain: p.integral_gain,
            velocity_feedforward: p.velocity_feedforward,
            limit_a: p.limit_a,
            // Below this the scheme's step is too long for the lag.
            lag_s: p.current_time_constant_s.max(2.0e-4),
        }
    }

    /// An axis that a factory built to the same drawing: everything that a drawing leaves open differs by `part`.
    pub fn spread(mut self, mut around_one: impl FnMut() -> f64) -> Self {
        self.inertia *= around_one();
        self.coulomb_a *= around_one();
        self.viscous *= around_one();
        self.gravity_a *= around_one();
        self
    }

    /// The same with the loops open that a drive leaves open when it is told this. In CSV the reference is one that moves at the velocity told;
    /// in CST the integrator is the current told.
    pub fn told(mut self, told: Told) -> Self {
        match told {
            Told::Velocity => {
                self.position_gain_per_s = 0.0;
                self.velocity_feedforward = 1.0;
            }
            Told::Torque => {
                self.position_gain_per_s = 0.0;
                self.velocity_gain = 0.0;
                self.integral_gain = 0.0;
            }
            Told::Position | Told::PositionAndOffsets | Told::Own => {}
        }
        self
    }

    /// The same with this much more inertia on it (A s2/m): a ram, where it is just now.
    pub fn heavier(mut self, inertia: f64) -> Self {
        self.inertia += inertia;
        self
    }

    /// Position gain (1/s) and velocity gain (A s/m) of the drive.
    pub fn gains(&self) -> (f64, f64) {
        (self.position_gain_per_s, self.velocity_gain)
    }

    /// The current that a motion takes, of velocity (m/s) and acceleration (m/s2).
    pub fn motion_a(&self, m_per_s: f64, m_per_s2: f64) -> f64 {
        self.inertia * m_per_s2 + self.gravity_a + self.friction_a(m_per_s)
    }

    fn friction_a(&self, m_per_s: f64) -> f64 {
        self.viscous * m_per_s + self.coulomb_a * libm::tanh(m_per_s / self.smooth_m_per_s)
    }

    fn slope(&self, s: &State, reference_m: f64, reference_m_per_s: f64, load_a: f64) -> State {
        let wanted = self.position_gain_per_s * (reference_m - s.position_m)
            + self.velocity_feedforward * reference_m_per_s;
        let error = wanted - s.velocity_m_per_s;
        let asked = self.velocity_gain * error + s.integral_a;
        let limited = asked.clamp(-self.limit_a, self.limit_a);
        let friction = self.friction_a(s.velocity_m_per_s);
        State {
            position_m: s.velocity_m_per_s,
            velocity_m_per_s: (s.current_a - self.gravity_a - load_a - friction) / self.inertia,
            current_a: (limited - s.current_a) / self.lag_s,
            integral_a: if asked == limited {
                self.integral_gain * error
            } else {
                0.0
            },
        }
    }

    /// Advances by `period_s` while the reference moves from `from_m` to `to_m`.
    pub fn advance(&self, s: &mut State, from_m: f64, to_m: f64, load_a: f64, period_s: f64) {
        let h = period_s / f64::from(SUBSTEPS);
        let speed = (to_m - from_m) / period_s;
        for n in 0..SUBSTEPS {
            let r = from_m + speed * h * f64::from(n);
            let k1 = self.slope(s, r, speed, load_a);
            let k2 = self.slope(&s.plus(&k1, 0.5 * h), r + 0.5 * h * speed, speed, load_a);
            let k3 = self.slope(&s.plus(&k2, 0.5 * h), r + 0.5 * h * speed, speed, load_a);
            let k4 = self.slope(&s.plus(&k3, h), r + h * speed, speed, load_a);
            *s = s
                .plus(&k1, h / 6.0)
                .plus(&k2, h / 3.0)
                .plus(&k3, h / 3.0)
                .plus(&k4, h / 6.0);
        }
    }
}

/// State, and its derivative.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct State {
    /// Position (m).
    pub position_m: f64,
    /// Velocity (m/s).
    pub velocity_m_per_s: f64,
    /// Current (A).
    pub current_a: f64,
    /// Integrator of the velocity loop (A).
    pub integral_a: f64,
}

impl State {
    fn plus(&self, slope: &Self, h: f64) -> Self {
        Self {
            position_m: self.position_m + h * slope.position_m,
            velocity_m_per_s: self.velocity_m_per_s + h * slope.velocity_m_per_s,
            current_a: self.current_a + h * slope.current_a,
            integral_a: self.integral_a + h * slope.integral_a,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_axis_follows_a_ramp_and_carries_its_friction() {
        let params = AxisParams {
            inertia: 0.8,
            coulomb_positive_a: 0.6,
            coulomb_negative_a: 0.6,
            viscous: 0.5,
            position_gain_per_s: 60.0,
            velocity_gain: 140.0,
            integral_gain: 8000.0,
            velocity_feedforward: 1.0,
            limit_a: 10.0,
            current_time_constant_s: 4.0e-4,
            ..AxisParams::IDLE
        };
        let axis = Axis::new(&params);
        let mut s = State::default();
        for k in 0..1000 {
            axis.advance(
                &mut s,
                0.0002 * f64::from(k),
                0.0002 * f64::from(k + 1),
                0.0,
                0.001,
            );
        }
        assert!((s.velocity_m_per_s - 0.2).abs() < 1e-4, "{s:?}");
        assert!((s.position_m - 0.2).abs() < 1e-4, "{s:?}");
        assert!((s.current_a - 0.7).abs() < 1e-2, "{s:?}");
    }
}
