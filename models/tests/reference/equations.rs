//! The continuous equations of an axis under its cascade, written out apart from the kernel, and the classic Runge-Kutta method on them.

use std::cell::Cell;

use twinstep_models::axis::AxisParams;

/// Substeps of Runge-Kutta in a cycle.
pub const RK4_SUBSTEPS: usize = 4;
/// Length of a run (s).
pub const RUN_S: f64 = 2.0;

/// Position, velocity, current, integrator, reported current.
pub type Y = [f64; 5];

pub fn params(velocity_hz: f64, stribeck_a: f64, dead_cycles: f64, period_s: f64) -> AxisParams {
    let inertia = 0.4;
    let velocity_gain = 2.0 * std::f64::consts::PI * velocity_hz * inertia;
    AxisParams {
        inertia,
        coulomb_positive_a: 0.8,
        coulomb_negative_a: 0.7,
        viscous: 0.3,
        stribeck_a,
        stribeck_velocity_m_per_s: 0.01,
        gravity_a: 0.2,
        position_gain_per_s: 60.0,
        velocity_gain,
        integral_gain: 50.0 * velocity_gain,
        velocity_feedforward: 1.0,
        limit_a: 30.0,
        current_time_constant_s: 4e-4,
        current_filter_s: 8e-4,
        dead_time_s: dead_cycles * period_s,
        sampled: false,
        cascade_valid: true,
        ..AxisParams::IDLE
    }
}

/// A motion that reverses: two harmonics, started smoothly.
pub fn target(t: f64) -> f64 {
    let start = (t / 0.2).min(1.0);
    let blend = start * start * (3.0 - 2.0 * start);
    blend
        * (0.02 * (2.0 * std::f64::consts::PI * 1.3 * t).sin()
            + 0.003 * (2.0 * std::f64::consts::PI * 7.0 * t).sin())
}

/// The targets as the drive sees them: target of cycle k is reached at the end of cycle k, plus the dead time; linear.
pub struct Targets {
    pub period_s: f64,
    pub dead_s: f64,
    /// A cycle, its target and the next one's: many substeps in a row ask for the same.
    last: Cell<(i64, f64, f64)>,
}

/// A part in the way of positive motion, elastic both ways.
#[derive(Clone, Copy, Debug)]
pub struct Part {
    pub contact_m: f64,
    pub stiffness_a_per_m: f64,
}

impl Part {
    /// Nothing is in the way.
    pub const NONE: Self = Self {
        contact_m: 0.0,
        stiffness_a_per_m: 0.0,
    };

    pub fn current_a(&self, x: f64) -> f64 {
        self.stiffness_a_per_m * (x - self.contact_m).max(0.0)
    }
}

impl Targets {
    pub fn new(period_s: f64, dead_s: f64) -> Self {
        Self {
            period_s,
            dead_s,
            last: Cell::new((i64::MIN, 0.0, 0.0)),
        }
    }

    pub fn of_cycle(&self, k: i64) -> f64 {
        if k < 0 {
            0.0
        } else {
            target(k as f64 * self.period_s)
        }
    }

    /// Set-point and its slope within the stretch that begins at `begin_s`: the kink itself belongs to both sides.
    pub fn at(&self, t: f64, begin_s: f64) -> (f64, f64) {
        // Cycle k starts at k T and its target stands for its start, the dead time later.
        let inside = (begin_s - self.dead_s) / self.period_s + 1e-6;
        let k = inside.floor() as i64;
        if self.last.get().0 != k {
            self.last.set((k, self.of_cycle(k), self.of_cycle(k + 1)));
        }
        let (_, from, to) = self.last.get();
        let share = (t - self.dead_s) / self.period_s - k as f64;
        (from + (to - from) * share, (to - from) / self.period_s)
    }
}

pub fn dry(p: &AxisParams, d: f64, v: f64) -> f64 {
    let coulomb = if d > 0.0 {
        p.coulomb_positive_a
    } else {
        p.coulomb_negative_a
    };
    coulomb + p.stribeck_a / (1.0 + (v / p.stribeck_velocity_m_per_s).powi(2))
}

/// The equations, with dry friction given (A, with its sign) or the axis held.
pub fn slopes(p: &AxisParams, r: (f64, f64), y: &Y, friction_a: Option<f64>, part_a: f64) -> Y {
    let [x, v, i, q, reported] = *y;
    let wanted = p.position_gain_per_s * (r.0 - x) + p.velocity_feedforward * r.1;
    let error = wanted - v;
    let asked = p.velocity_gain * error + q;
    let limited = asked.clamp(-p.limit_a, p.limit_a);
    // A drive that closes its loops once a cycle holds what flows.
    let held = if p.sampled { 0.0 } else { 1.0 };
    let free = if asked == limited { held } else { 0.0 };
    let a = match friction_a {
        None => 0.0,
        Some(f) => (i - p.gravity_a - part_a - p.viscous * v - f) / p.inertia,
    };
    [
        if friction_a.is_some() { v } else { 0.0 },
        a,
        held * (limited - i) / p.current_time_constant_s,
        free * p.integral_gain * error,
        (i - reported) / p.current_filter_s,
    ]
}

/// Dry friction as a Runge-Kutta scheme has it: `None` for the sign of v, else tanh with this slope (s/m).
pub fn rk4_friction(p: &AxisParams, y: &Y, slope: Option<f64>, part_a: f64) -> Option<f64> {
    let (v, push) = (y[1], y[2] - p.gravity_a - part_a);
    if let Some(slope) = slope {
        return Some((v * slope).tanh() * dry(p, v, v));
    }
    if v == 0.0 && push <= dry(p, 1.0, 0.0) && push >= -dry(p, -1.0, 0.0) {
        return None;
    }
    let d = if v != 0.0 { v.signum() } else { push.signum() };
    Some(d * dry(p, d, v))
}

pub fn rk4(
    p: &AxisParams,
    (targets, met): (&Targets, &Part),
    y: &mut Y,
    at: (f64, f64),
    slope: Option<f64>,
) {
    rk4_in(p, (targets, |x| met.current_a(x)), y, at, slope);
}

/// [`rk4`] in a part that asks for any current (A) at a position (m).
pub fn rk4_in(
    p: &AxisParams,
    (targets, current_a): (&Targets, impl Fn(f64) -> f64),
    y: &mut Y,
    (t, h): (f64, f64),
    slope: Option<f64>,
) {
    // The pair of targets is that of the whole substep: a stage at its end must not see the slope behind a kink.
    let begin_s = t;
    let f = |t: f64, y: &Y| {
        let part_a = current_a(y[0]);
        let friction = rk4_friction(p, y, slope, part_a);
        slopes(p, targets.at(t, begin_s), y, friction, part_a)
    };
    let shifted = |k: &Y, by: f64| {
        let mut out = *y;
        for n in 0..5 {
            out[n] += by * k[n];
        }
        out
    };
    let k1 = f(t, y);
    let k2 = f(t + 0.5 * h, &shifted(&k1, 0.5 * h));
    let k3 = f(t + 0.5 * h, &shifted(&k2, 0.5 * h));
    let k4 = f(t + h, &shifted(&k3, h));
    for n in 0..5 {
        y[n] += h / 6.0 * (k1[n] + 2.0 * k2[n] + 2.0 * k3[n] + k4[n]);
    }
}
