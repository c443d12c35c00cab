//! One cycle ahead: the drive cascade and the mechanics, in substeps. See the derivation in the parent module.
#![allow(
    clippy::needless_range_loop,
    reason = "a lane index runs over many arrays at once: that is what becomes SIMD"
)]

use super::params::{LaneParams, SUBSTEPS};
use crate::lane::{LANES, Lane, ZERO, clamp};

/// Targets remembered for the dead time: the newest first.
pub const TARGETS: usize = 5;

/// The targets that a drive has been sent: `history[0]` is the newest.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Reference {
    /// Targets (m), newest first.
    pub history_m: [Lane; TARGETS],
}

impl Reference {
    /// Takes in the newest target.
    #[inline]
    pub fn push(&mut self, target_m: &Lane) {
        for n in (1..TARGETS).rev() {
            self.history_m[n] = self.history_m[n - 1];
        }
        self.history_m[0] = *target_m;
    }

    /// Reference of lane `l` at `cycles_back` before the newest target; negative extrapolates. Returns (m, m/cycle).
    #[inline(always)]
    fn at(&self, l: usize, cycles_back: f64) -> (f64, f64) {
        // The pair of targets around the asked time; the pair's index is small and the same for all axes of a drive type.
        let mut from = self.history_m[1][l];
        let mut to = self.history_m[0][l];
        let mut base = 0.0;
        for n in 1..TARGETS - 1 {
            let older = cycles_back > n as f64;
            from = if older {
                self.history_m[n + 1][l]
            } else {
                from
            };
            to = if older { self.history_m[n][l] } else { to };
            base = if older { n as f64 } else { base };
        }
        let slope = to - from;
        (to - (cycles_back - base) * slope, slope)
    }
}

/// State of eight axes as the twin estimates it.
#[derive(Clone, Copy, Debug, PartialEq)]
#[repr(align(64))]
pub struct AxisState {
    /// Position (m).
    pub position_m: Lane,
    /// Velocity (m/s).
    pub velocity_m_per_s: Lane,
    /// Current in the motor (A).
    pub current_a: Lane,
    /// Current as the drive reports it: behind the torque filter (A).
    pub reported_a: Lane,
    /// Integrator of the velocity loop (A).
    pub integral_a: Lane,
    /// Disturbance: load that the model does not explain (A).
    pub disturbance_a: Lane,
}

impl AxisState {
    /// At rest at 0.
    pub const REST: Self = Self {
        position_m: ZERO,
        velocity_m_per_s: ZERO,
        current_a: ZERO,
        reported_a: ZERO,
        integral_a: ZERO,
        disturbance_a: ZERO,
    };
}

/// Coulomb and Stribeck friction that would brake at velocity `v` (A, a size without sign).
#[inline(always)]
pub fn dry_friction_a(p: &LaneParams, l: usize, v: f64) -> f64 {
    let coulomb = if v >= 0.0 {
        p.coulomb_positive_a[l]
    } else {
        p.coulomb_negative_a[l]
    };
    coulomb + p.stribeck_a[l] / (1.0 + v * v * p.stribeck_per_v2[l])
}

/// One mechanical step of `step_s` with current `i`: sticks exactly, without chatter.
///
/// Dry friction acts as an impulse that can stop the axis but never turn it around.
#[inline(always)]
pub fn mechanics(
    p: &LaneParams,
    l: usize,
    x: f64,
    v: f64,
    i: f64,
    load_a: f64,
    step_s: f64,
) -> (f64, f64) {
    let push = (i - load_a - p.gravity_a[l] - p.viscous[l] * v) * p.acceleration_per_a[l] * step_s;
    let free = v + push;
    let direction = if v != 0.0 { v } else { free };
    let brake = dry_friction_a(p, l, direction) * p.acceleration_per_a[l] * step_s;
    let next = if free > brake {
        free - brake
    } else if free < -brake {
        free + brake
    } else {
        0.0
    };
    (x + 0.5 * (v + next) * step_s, next)
}

/// Advances eight axes by one cycle. `contact_a` is the workpiece's force as a current, constant over the cycle.
pub fn advance(p: &LaneParams, reference: &Reference, s: &mut AxisState, contact_a: &Lane) {
    let step = p.step_s;
    let before_m = s.position_m;
    for n in 0..SUBSTEPS {
        let tau = (n as f64 + 0.5) / SUBSTEPS as f64;
        for l in 0..LANES {
            let (r, slope) = reference.at(l, p.dead_cycles[l] - tau);
            let x = s.position_m[l];
            let v = s.velocity_m_per_s[l];
            let wanted =
                p.position_gain_per_s[l] * (r - x) + p.velocity_feedforward[l] * slope / p.period_s;
            let error = wanted - v;
            let asked = p.velocity_gain[l] * error + s.integral_a[l];
            let limited = clamp(asked, p.limit_a[l]);
            // The integrator stops while the output is limited.
            let grow = if asked == limited {
                p.integral_gain[l] * error * step
            } else {
                0.0
            };
            s.integral_a[l] += grow * p.continuous[l];
            let before = s.current_a[l];
            let aim = if p.continuous[l] > 0.0 {
                limited
            } else {
                before
            };
            let i = aim + (before - aim) * p.current_decay[l];
            s.current_a[l] = i;
            s.reported_a[l] = i + (s.reported_a[l] - i) * p.filter_decay[l];
            let load = s.disturbance_a[l] + contact_a[l];
            let (x1, v1) = mechanics(p, l, x, v, i, load, step);
            s.position_m[l] = x1;
            s.velocity_m_per_s[l] = v1;
        }
    }
    for l in 0..LANES {
        let (r, slope) = reference.at(l, p.dead_cycles[l] - 1.0);
        let v = (s.position_m[l] - before_m[l]) / p.period_s;
        let wanted = p.position_gain_per_s[l] * (r - s.position_m[l])
            + p.velocity_feedforward[l] * slope / p.period_s;
        let next = clamp(p.velocity_gain[l] * (wanted - v), p.limit_a[l]);
        s.current_a[l] += p.sampled[l] * (next - s.current_a[l]);
        s.reported_a[l] += p.sampled[l] * (next - s.reported_a[l]);
    }
}
