//! One cycle ahead: the drive cascade and the mechanics. See the derivations in the parent module and in [`super::transition`].
//!
//! An axis that moves on in its direction, or rests, with its current below the limit is stepped exactly, eight at a time.
//! The Stribeck term, which is not linear, is taken at the mean velocity of the cycle, found in two passes. A cycle in which an
//! axis starts, stops, turns around or meets its limit is stepped by itself, in substeps.
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
    #[inline(always)]
    pub fn push(&mut self, target_m: &Lane) {
        for n in (1..TARGETS).rev() {
            self.history_m[n] = self.history_m[n - 1];
        }
        self.history_m[0] = *target_m;
    }

    /// The reference that the drive of lane `l` follows in the coming cycle.
    #[inline(always)]
    fn path(&self, p: &LaneParams, l: usize) -> Path {
        let (h, dead, bend) = (&self.history_m, p.dead_cycles[l], p.bend[l]);
        let mut older = h[1][l];
        let mut middle = h[0][l];
        // Before the next target has come the reference goes on as it did.
        let mut newer = h[0][l] + (h[0][l] - h[1][l]);
        for n in 1..TARGETS - 1 {
            let reached = dead >= n as f64;
            older = if reached { h[n + 1][l] } else { older };
            middle = if reached { h[n][l] } else { middle };
            newer = if reached { h[n - 1][l] } else { newer };
        }
        let first = middle - older;
        let second = newer - middle;
        Path {
            from_m: middle - bend * first,
            to_m: middle + (1.0 - bend) * second,
            first_m: first,
            second_m: second,
        }
    }
}

/// A piece of the reference, one cycle long, bent once.
#[derive(Clone, Copy)]
struct Path {
    /// Start (m).
    from_m: f64,
    /// End (m).
    to_m: f64,
    /// Slope before the bend (m/cycle).
    first_m: f64,
    /// Slope after it (m/cycle).
    second_m: f64,
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
#[inline(always)]
pub fn advance(p: &LaneParams, reference: &Reference, s: &mut AxisState, contact_a: &Lane) {
    let before = *s;
    // 1 where the exact step does not hold.
    let mut otherwise = ZERO;
    let per_s = 1.0 / p.period_s;
    let quarter_s = p.step_s;
    for l in 0..LANES {
        let path = reference.path(p, l);
        let (x, v) = (before.position_m[l], before.velocity_m_per_s[l]);
        let (i, q, r) = (before.current_a[l], before.integral_a[l], before.reported_a[l]);
        let load = before.disturbance_a[l] + contact_a[l] + p.gravity_a[l];
        let e = path.from_m - x;
        let slope = path.first_m * per_s;
        let bent = (path.second_m - path.first_m) * per_s;

        // Moving on: friction at the velocity that was, then at the mean one.
        let positive = v > 0.0;
        let direction = if positive { 1.0 } else { -1.0 };
        let coulomb = if positive {
            p.coulomb_positive_a[l]
        } else {
            p.coulomb_negative_a[l]
        };
        let m = &p.moving;
        let free = m.velocity[0][l] * e
            + m.velocity[1][l] * v
            + m.velocity[2][l] * i
            + m.velocity[3][l] * q
            + m.velocity[4][l] * slope
            + m.velocity[5][l] * bent;
        let dry = coulomb + p.stribeck_a[l] / (1.0 + v * v * p.stribeck_per_v2[l]);
        let guess = free + m.velocity[6][l] * (load + direction * dry);
        let mean = 0.5 * (v + guess);
        let dry_mean = coulomb + p.stribeck_a[l] / (1.0 + mean * mean * p.stribeck_per_v2[l]);
        let b = load + direction * dry_mean;
        let v1 = free + m.velocity[6][l] * b;
        let way = m.way[0][l] * e
            + m.way[1][l] * v
            + m.way[2][l] * i
            + m.way[3][l] * q
            + m.way[4][l] * slope
            + m.way[5][l] * bent
            + m.way[6][l] * b;
        let i1 = m.current[0][l] * e
            + m.current[1][l] * v
            + m.current[2][l] * i
            + m.current[3][l] * q
            + m.current[4][l] * slope
            + m.current[5][l] * bent
            + m.current[6][l] * b;
        let q1 = m.integral[0][l] * e
            + m.integral[1][l] * v
            + m.integral[2][l] * i
            + m.integral[3][l] * q
            + m.integral[4][l] * slope
            + m.integral[5][l] * bent
            + m.integral[6][l] * b;
        let r1 = m.reported[0][l] * e
            + m.reported[1][l] * v
            + m.reported[2][l] * i
            + m.reported[3][l] * q
            + m.reported[4][l] * slope
            + m.reported[5][l] * bent
            + m.reported[6][l] * b
            + m.reported[7][l] * r;
        let goes_on = (v1 * direction > 0.0) & (guess * direction > 0.0) & (v != 0.0);

        // Resting: what velocity there is ends in the first substep.
        let t = &p.resting;
        let i1_rest = t.current[0][l] * e
            + t.current[1][l] * i
            + t.current[2][l] * q
            + t.current[3][l] * slope
            + t.current[4][l] * bent;
        let q1_rest =
            q + t.integral[0][l] * e + t.integral[1][l] * slope + t.integral[2][l] * bent;
        let r1_rest = t.reported[0][l] * e
            + t.reported[1][l] * i
            + t.reported[2][l] * q
            + t.reported[3][l] * slope
            + t.reported[4][l] * bent
            + t.reported[5][l] * r;
        let impulse = quarter_s * p.acceleration_per_a[l];
        let push = v + (i - load - p.viscous[l] * v) * impulse;
        let positive = if v != 0.0 { positive } else { push >= 0.0 };
        let held = if positive {
            p.coulomb_positive_a[l]
        } else {
            p.coulomb_negative_a[l]
        };
        let brake = (held + p.stribeck_a[l]) * impulse;
        let after = i1_rest - load;
        let rests = (push <= brake)
            & (push >= -brake)
            & (after <= p.coulomb_positive_a[l] + p.stribeck_a[l])
            & (after >= -(p.coulomb_negative_a[l] + p.stribeck_a[l]));

        // The current stays below its limit from the first moment to the last.
        let (x1, v1, i1, q1, r1) = if goes_on {
            (x + way, v1, i1, q1, r1)
        } else {
            (x + 0.5 * v * quarter_s, 0.0, i1_rest, q1_rest, r1_rest)
        };
        let asked_before = p.velocity_gain[l]
            * (p.position_gain_per_s[l] * e + p.velocity_feedforward[l] * slope - v)
            + q;
        let asked_after = p.velocity_gain[l]
            * (p.position_gain_per_s[l] * (path.to_m - x1)
                + p.velocity_feedforward[l] * path.second_m * per_s
                - v1)
            + q1;
        let free_of_limit = (asked_before <= p.limit_a[l])
            & (asked_before >= -p.limit_a[l])
            & (asked_after <= p.limit_a[l])
            & (asked_after >= -p.limit_a[l]);
        let exact = (goes_on | rests) & (free_of_limit | (p.continuous[l] == 0.0));
        otherwise[l] = if exact { 0.0 } else { 1.0 };
        s.position_m[l] = x1;
        s.velocity_m_per_s[l] = v1;
        s.current_a[l] = i1;
        s.integral_a[l] = q1;
        s.reported_a[l] = r1;
    }
    if otherwise != ZERO {
        for l in 0..LANES {
            if otherwise[l] != 0.0 {
                let path = reference.path(p, l);
                let load_a = before.disturbance_a[l] + contact_a[l];
                substeps(p, l, &path, &before, s, load_a);
            }
        }
    }
    sampled(p, reference, &before, s);
}

/// Drives that close their loops once a cycle compute what they hold until the next sample.
#[inline(always)]
fn sampled(p: &LaneParams, reference: &Reference, before: &AxisState, s: &mut AxisState) {
    for l in 0..LANES {
        let path = reference.path(p, l);
        let v = (s.position_m[l] - before.position_m[l]) / p.period_s;
        let wanted = p.position_gain_per_s[l] * (path.to_m - s.position_m[l])
            + p.velocity_feedforward[l] * path.second_m / p.period_s;
        let next = clamp(p.velocity_gain[l] * (wanted - v), p.limit_a[l]);
        s.current_a[l] += p.sampled[l] * (next - s.current_a[l]);
        s.reported_a[l] += p.sampled[l] * (next - s.reported_a[l]);
    }
}

/// One axis by itself: semi-implicit substeps, in which friction can stop it, let it go, and the limit can hold.
#[cold]
#[inline(never)]
fn substeps(
    p: &LaneParams,
    l: usize,
    path: &Path,
    before: &AxisState,
    s: &mut AxisState,
    load_a: f64,
) {
    let a = &p.axes[l];
    let step = p.step_s;
    let continuous = a.cascade_valid && !a.sampled;
    let current_decay = decay(step, a.current_time_constant_s);
    let filter_decay = decay(step, a.current_filter_s);
    let (mut x, mut v) = (before.position_m[l], before.velocity_m_per_s[l]);
    let (mut i, mut q, mut r) = (before.current_a[l], before.integral_a[l], before.reported_a[l]);
    for n in 0..SUBSTEPS {
        let (target_m, slope_m) = path.at((n as f64 + 0.5) / SUBSTEPS as f64, p.bend[l]);
        if continuous {
            let wanted =
                a.position_gain_per_s * (target_m - x) + a.velocity_feedforward * slope_m / p.period_s;
            let error = wanted - v;
            let asked = a.velocity_gain * error + q;
            let limited = clamp(asked, a.limit_a);
            // The integrator stops while the output is limited.
            if asked == limited {
                q += a.integral_gain * error * step;
            }
            i = limited + (i - limited) * current_decay;
        }
        r = i + (r - i) * filter_decay;
        (x, v) = mechanics(p, l, x, v, i, load_a, step);
    }
    s.position_m[l] = x;
    s.velocity_m_per_s[l] = v;
    s.current_a[l] = i;
    s.integral_a[l] = q;
    s.reported_a[l] = r;
}

impl Path {
    /// Reference (m) and slope (m/cycle) at the share `t` of the cycle.
    fn at(&self, t: f64, bend: f64) -> (f64, f64) {
        if t < bend {
            (self.from_m + t * self.first_m, self.first_m)
        } else {
            (self.to_m - (1.0 - t) * self.second_m, self.second_m)
        }
    }
}

/// Decay of a first-order lag over a step: exp(-step / tau), 0 for no lag.
fn decay(step_s: f64, tau_s: f64) -> f64 {
    if tau_s > 0.0 {
        libm::exp(-step_s / tau_s)
    } else {
        0.0
    }
}

