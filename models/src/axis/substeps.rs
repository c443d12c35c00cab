//! Cycles that do not hold exactly: one axis by itself, in substeps.
//!
//! A substep is exact where the whole cycle is not: most of them are. Only the one in which the axis starts, stops, turns around
//! or meets its limit is cut into short semi-implicit steps.

use super::cascade::{AxisState, dry_friction_a, mechanics};
use super::params::{CUTS, LaneParams, SUBSTEPS};
use super::transition::COLUMNS;
use crate::lane::{LANES, Lane, clamp};

/// The piece of the reference that one axis follows.
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

/// The axes of a lane whose exact step does not hold: those whose bit is set in `left`.
///
/// `ways` are start, end and the slopes of their references (see [`Path`]); `next` is position, velocity, current, integrator and
/// reported current after the step.
#[cold]
#[inline(never)]
pub(super) fn one_by_one(
    p: &LaneParams,
    ways: &[Lane; 4],
    before: &AxisState,
    contact_a: Option<&Lane>,
    left: u8,
    next: &mut [Lane; 5],
) {
    for l in (0..LANES).filter(|l| left & (1 << l) != 0) {
        let [from_m, to_m, first_m, second_m] = [0, 1, 2, 3].map(|n| ways[n][l]);
        let path = Path {
            from_m,
            to_m,
            first_m,
            second_m,
        };
        let load_a = before.disturbance_a[l] + contact_a.map_or(0.0, |lane| lane[l]);
        let stepped = substeps(p, l, &path, before, load_a);
        for (lane, value) in next.iter_mut().zip(stepped) {
            lane[l] = value;
        }
    }
}

/// One axis by itself, in substeps: those that hold exactly are exact, and those in which it starts, stops, turns around or
/// meets its limit are cut once more.
fn substeps(p: &LaneParams, l: usize, path: &Path, before: &AxisState, load_a: f64) -> [f64; 5] {
    let mut z = [
        before.position_m[l],
        before.velocity_m_per_s[l],
        before.current_a[l],
        before.integral_a[l],
        before.reported_a[l],
    ];
    let mut from_m = path.from_m;
    for n in 1..=SUBSTEPS {
        let to_m = path.at(n as f64 / SUBSTEPS as f64, p.bend[l]);
        z = exact_substep(p, l, z, from_m, to_m, load_a)
            .unwrap_or_else(|| cut_substep(p, l, z, from_m, to_m, load_a));
        from_m = to_m;
    }
    z
}

/// A substep of one axis along a straight piece of its reference; none where it does not hold exactly.
fn exact_substep(
    p: &LaneParams,
    l: usize,
    [x, v, i, q, r]: [f64; 5],
    from_m: f64,
    to_m: f64,
    load_a: f64,
) -> Option<[f64; 5]> {
    let step = p.step_s;
    let (moving, resting) = &p.fine.steps[l];
    let load = load_a + p.gravity_a[l];
    let (e, slope) = (from_m - x, (to_m - from_m) / step);
    let row = |c: &[f64; COLUMNS], v: f64, b: f64| {
        c[0] * e + c[1] * v + c[2] * i + c[3] * q + c[4] * slope + c[6] * b + c[7] * r
    };
    let direction = if v > 0.0 { 1.0 } else { -1.0 };
    let guess = row(
        &moving.velocity,
        v,
        load + direction * dry_friction_a(p, l, v),
    );
    let b = load + direction * dry_friction_a(p, l, 0.5 * (v + guess));
    let v1 = row(&moving.velocity, v, b);
    let z = if v * direction > 0.0 && v1 * direction > 0.0 && guess * direction > 0.0 {
        [
            x + row(&moving.way, v, b),
            v1,
            row(&moving.current, v, b),
            row(&moving.integral, v, b),
            row(&moving.reported, v, b),
        ]
    } else if v == 0.0 && held(p, l, i - load) {
        let i1 = row(&resting.current, 0.0, 0.0);
        if !held(p, l, i1 - load) {
            return None;
        }
        let (q1, r1) = (
            row(&resting.integral, 0.0, 0.0),
            row(&resting.reported, 0.0, 0.0),
        );
        [x, 0.0, i1, q1, r1]
    } else {
        return None;
    };
    let asked = |m: f64, [x, v, _, q, _]: [f64; 5]| {
        p.velocity_gain[l]
            * (p.position_gain_per_s[l] * (m - x) + p.velocity_feedforward[l] * slope - v)
            + q
    };
    let limit = p.limit_a[l];
    let free = asked(from_m, [x, v, i, q, r]).abs() <= limit
        && asked(to_m, z).abs() <= limit
        && z[2].abs() <= limit;
    (free || p.continuous & (1 << l) == 0).then_some(z)
}

/// Whether static friction holds an axis at rest against `push_a`.
fn held(p: &LaneParams, l: usize, push_a: f64) -> bool {
    push_a <= p.coulomb_positive_a[l] + p.stribeck_a[l]
        && push_a >= -(p.coulomb_negative_a[l] + p.stribeck_a[l])
}

/// A substep of one axis in short semi-implicit steps, in which friction can stop it, let it go, and the limit can hold.
fn cut_substep(
    p: &LaneParams,
    l: usize,
    [mut x, mut v, mut i, mut q, mut r]: [f64; 5],
    from_m: f64,
    to_m: f64,
    load_a: f64,
) -> [f64; 5] {
    let step = p.step_s / CUTS as f64;
    let slope = (to_m - from_m) / p.step_s;
    // Half of what the velocity changes in a step, as it was in the one before.
    let mut half_rise = 0.0;
    for n in 0..CUTS {
        let target_m = from_m + (n as f64 + 0.5) * step * slope;
        if p.continuous & (1 << l) != 0 {
            // The middle of the step is half a step's way further on.
            let wanted = p.position_gain_per_s[l] * (target_m - x - 0.5 * step * v)
                + p.velocity_feedforward[l] * slope;
            let error = wanted - (v + half_rise);
            let asked = p.velocity_gain[l] * error + q;
            let limited = clamp(asked, p.limit_a[l]);
            // The integrator stops while the output is limited.
            if asked == limited {
                q += p.fine.integral_gain[l] * error * step;
            }
            let after = limited + (i - limited) * p.fine.current_decay[l];
            r = mean(i, after) + (r - mean(i, after)) * p.fine.filter_decay[l];
            let before = v;
            (x, v) = mechanics(p, l, x, v, mean(i, after), load_a, step);
            half_rise = 0.5 * (v - before);
            i = after;
        } else {
            r = i + (r - i) * p.fine.filter_decay[l];
            (x, v) = mechanics(p, l, x, v, i, load_a, step);
        }
    }
    [x, v, i, q, r]
}

fn mean(a: f64, b: f64) -> f64 {
    0.5 * (a + b)
}

impl Path {
    /// Reference (m) at the share `t` of the cycle.
    fn at(&self, t: f64, bend: f64) -> f64 {
        if t < bend {
            self.from_m + t * self.first_m
        } else {
            self.to_m - (1.0 - t) * self.second_m
        }
    }
}
