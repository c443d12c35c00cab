//! Cycles that do not hold exactly: one axis by itself, in substeps.
//!
//! A substep is exact where the whole cycle is not: most of them are, and so is one in which the current is at its limit from the beginning to
//! the end: what is asked is constant then, as in torque mode. The one in which the axis meets its limit or comes back from it goes to the very
//! moment ([`super::pieces`]), and in CSV so does one in which it starts, stops or turns around; in other modes that one is cut into short
//! semi-implicit steps as long as it stays below its limit.

use super::cascade::{AxisState, dry_friction_a, mechanics_under};
use super::params::{CUTS, DAMPED, LaneParams};
use super::pieces::{Acts, Stretch};
use super::told::Told;
use super::transition::{COLUMNS, Transition};
use super::walk::{Burden, Walk, path, places, under};
use crate::lane::{Lane, clamp};

/// What a turn in cuts leaves of the way the loops take back, but not while their current is at its limit: one that is asked for more than this
/// share of it turns at its moment.
const NEAR_LIMIT: f64 = 0.5;

/// The piece of the reference that one axis follows.
#[derive(Clone, Copy)]
pub(super) struct Path {
    /// Start (m).
    pub from_m: f64,
    /// End (m).
    pub to_m: f64,
    /// Slope before the bend (m/cycle).
    pub first_m: f64,
    /// Slope after it (m/cycle).
    pub second_m: f64,
}

/// Which axes of a lane are stepped one by one.
#[derive(Clone, Copy)]
pub(super) struct Left<'a> {
    /// A bit for each of them.
    pub places: u8,
    /// What drives are told besides positions, and a bit for each axis that it counts for.
    pub told: Option<(&'a Told, u8)>,
}

/// The loops of one axis in its mode: what is open has a gain of 0.
#[derive(Clone, Copy)]
pub(super) struct Loops<'a> {
    /// Exact substeps, moving and resting.
    pub steps: &'a (Transition, Transition),
    /// See [`super::AxisParams`].
    pub position_gain_per_s: f64,
    /// Likewise.
    pub velocity_feedforward: f64,
    /// Likewise.
    pub velocity_gain: f64,
    /// Likewise.
    pub integral_gain: f64,
    /// What stands in the integrator and is not the loop's (A): an offset of the current.
    pub offset_a: f64,
}

impl<'a> Loops<'a> {
    /// Cyclic synchronous position.
    pub fn position(p: &'a LaneParams, l: usize) -> Self {
        Self {
            steps: &p.fine.steps[l],
            position_gain_per_s: p.position_gain_per_s[l],
            velocity_feedforward: p.velocity_feedforward[l],
            velocity_gain: p.velocity_gain[l],
            integral_gain: p.fine.integral_gain[l],
            offset_a: 0.0,
        }
    }

    /// Cyclic synchronous velocity: the reference is a way whose slope is the target.
    pub fn velocity(p: &'a LaneParams, l: usize) -> Self {
        Self {
            steps: &p.fine.velocity_steps[l],
            position_gain_per_s: 0.0,
            velocity_feedforward: 1.0,
            ..Self::position(p, l)
        }
    }

    /// Cyclic synchronous torque: what is asked for stands in the integrator, which no loop moves.
    pub fn torque(p: &'a LaneParams, l: usize) -> Self {
        Self {
            steps: &p.fine.torque_steps[l],
            velocity_gain: 0.0,
            integral_gain: 0.0,
            ..Self::velocity(p, l)
        }
    }

    /// What the drive asks for along a stretch (A), at the reference `to_m`.
    fn asked_a(&self, [x, v, _, q, _]: &[f64; 5], to_m: f64, along: &Stretch) -> f64 {
        self.velocity_gain
            * (self.position_gain_per_s * (to_m - x) + self.velocity_feedforward * along.slope()
                - v)
            + q
    }
}

/// The axes of a lane whose exact step does not hold: those of `left`.
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
    left: Left<'_>,
    next: &mut [Lane; 5],
) {
    for l in places(left.places) {
        let told = left.told.filter(|(_, places)| places & (1 << l) != 0);
        let told = told.map(|(told, _)| told);
        let walk = Walk::along(p, l, path(ways, l), told, before);
        let load_a = contact_a.map_or(0.0, |lane| lane[l]);
        for (lane, value) in next.iter_mut().zip(under(walk, load_a)) {
            lane[l] = value;
        }
    }
}

/// A substep of one axis along a straight piece of its reference (m), in which no more pieces than are left of the cycle are begun.
pub(super) fn substep(
    p: &LaneParams,
    l: usize,
    loops: &Loops<'_>,
    z: [f64; 5],
    [from_m, to_m]: [f64; 2],
    burden: &Burden,
    left: &mut usize,
) -> [f64; 5] {
    let stretch = &Stretch {
        from_m,
        to_m,
        length_s: p.step_s,
    };
    let goes_on = exact_step(p, l, loops.steps, z, stretch, burden);
    if p.continuous & (1 << l) == 0 {
        return goes_on.unwrap_or_else(|| cut_substep(p, l, loops, z, stretch, burden).0);
    }
    let (before, limit) = (loops.asked_a(&z, stretch.from_m, stretch), p.limit_a[l]);
    let below = |next: &[f64; 5]| {
        before.abs() <= limit
            && loops.asked_a(next, stretch.to_m, stretch).abs() <= limit
            && next[2].abs() <= limit
    };
    if let Some(next) = goes_on.filter(below) {
        return next;
    }
    if let Some(next) = limited_step(p, l, loops, z, stretch, burden) {
        return next;
    }
    let cut = || cut_substep(p, l, loops, z, stretch, burden);
    let quick = p.fine.quick & (1 << l) != 0;
    // In CSV no loop takes back what a stop or a reversal leaves of the way: they are found at their moment.
    let drifts = loops.position_gain_per_s == 0.0 && loops.velocity_gain > 0.0;
    if quick || (goes_on.is_none() && !drifts) {
        let (next, limited) = cut();
        let after = loops.asked_a(&next, stretch.to_m, stretch);
        let near = before.abs() > NEAR_LIMIT * limit || after.abs() > NEAR_LIMIT * limit;
        if quick || !(limited || near) {
            return next;
        }
    }
    let acts = Acts {
        p,
        l,
        loops,
        burden: *burden,
        part: None,
    };
    let found = acts.along((z, 0.0), &[*stretch], left);
    found.map_or_else(|| cut().0, |(next, _)| next)
}

/// A substep in which the current is at its limit from the beginning to the end; none where it is not, or the step does not hold.
fn limited_step(
    p: &LaneParams,
    l: usize,
    loops: &Loops<'_>,
    mut z: [f64; 5],
    stretch: &Stretch,
    burden: &Burden,
) -> Option<[f64; 5]> {
    let limit = p.limit_a[l];
    // See `cut_substep`.
    let integral = loops.offset_a + clamp(z[3] - loops.offset_a, limit);
    z[3] = integral;
    let asked = loops.asked_a(&z, stretch.from_m, stretch);
    let sign = if asked > 0.0 { 1.0 } else { -1.0 };
    let beyond = |asked: f64| asked * sign >= limit;
    if !beyond(asked) {
        return None;
    }
    z[3] = sign * limit;
    let mut next = exact_step(p, l, &p.fine.torque_steps[l], z, stretch, burden)?;
    next[3] = integral;
    beyond(loops.asked_a(&next, stretch.to_m, stretch)).then_some(next)
}

/// A substep of one axis that moves on in its direction or rests; none where it does not. What the drive asks for is not looked at.
fn exact_step(
    p: &LaneParams,
    l: usize,
    (moving, resting): &(Transition, Transition),
    [x, v, i, q, r]: [f64; 5],
    stretch: &Stretch,
    burden: &Burden,
) -> Option<[f64; 5]> {
    let load = burden.load_a + p.gravity_a[l];
    let dry_a = |v: f64| dry_friction_a(p, l, v) + burden.friction_a(v);
    let (e, slope) = (stretch.from_m - x, stretch.slope());
    // Sums of sums are known sooner than one term after the other, and friction is known last.
    let free = |c: &[f64; COLUMNS], v: f64| {
        (c[4] * slope + c[7] * r) + ((c[2] * i + c[3] * q) + (c[0] * e + c[1] * v))
    };
    let row = |c: &[f64; COLUMNS], v: f64, b: f64| free(c, v) + c[6] * b;
    let direction = if v > 0.0 { 1.0 } else { -1.0 };
    let (free_v, on_velocity) = (free(&moving.velocity, v), moving.velocity[6]);
    let guess = free_v + on_velocity * (load + direction * dry_a(v));
    let b = load + direction * dry_a(0.5 * (v + guess));
    let v1 = free_v + on_velocity * b;
    let slow = p.fine.quick & (1 << l) == 0;
    if slow && v * direction > 0.0 && v1 * direction > 0.0 && guess * direction > 0.0 {
        return Some([
            x + row(&moving.way, v, b),
            v1,
            row(&moving.current, v, b),
            row(&moving.integral, v, b),
            row(&moving.reported, v, b),
        ]);
    }
    if v == 0.0 && held(p, l, i - load, burden) {
        let i1 = row(&resting.current, 0.0, 0.0);
        let (q1, r1) = (
            row(&resting.integral, 0.0, 0.0),
            row(&resting.reported, 0.0, 0.0),
        );
        return held(p, l, i1 - load, burden).then_some([x, 0.0, i1, q1, r1]);
    }
    None
}

/// Whether static friction holds an axis at rest against `push_a`.
fn held(p: &LaneParams, l: usize, push_a: f64, burden: &Burden) -> bool {
    let [forwards_a, backwards_a] = burden.friction_a;
    push_a <= p.coulomb_positive_a[l] + p.stribeck_a[l] + forwards_a
        && push_a >= -(p.coulomb_negative_a[l] + p.stribeck_a[l] + backwards_a)
}

/// A substep of one axis in short semi-implicit steps, in which friction can stop it, let it go, and the limit can hold. Whether the limit did
/// is told too.
fn cut_substep(
    p: &LaneParams,
    l: usize,
    loops: &Loops<'_>,
    [mut x, mut v, mut i, mut q, mut r]: [f64; 5],
    stretch: &Stretch,
    burden: &Burden,
) -> ([f64; 5], bool) {
    let step = p.step_s / CUTS as f64;
    let slope = stretch.slope();
    let mut met = false;
    let gains = CutGains::new(p, l, loops, step);
    // Half of what the velocity changes in a step, as it was in the one before.
    let mut half_rise = 0.0;
    for n in 0..CUTS {
        let target_m = stretch.from_m + (n as f64 + 0.5) * step * slope;
        if p.continuous & (1 << l) != 0 {
            // The middle of the step is half a step's way further on.
            let wanted = gains.position_per_s * (target_m - x - 0.5 * step * v)
                + loops.velocity_feedforward * slope;
            let error = wanted - (v + half_rise);
            let asked = gains.velocity * error + q;
            let limited = clamp(asked, p.limit_a[l]);
            // The integrator stops while the output is limited, and holds no more of its own than the limit: what is beyond it would never
            // come back.
            if asked == limited {
                q += gains.integral * error * step;
            } else {
                met = true;
                q = loops.offset_a + clamp(q - loops.offset_a, p.limit_a[l]);
            }
            let after = limited + (i - limited) * p.fine.current_decay[l];
            r = mean(i, after) + (r - mean(i, after)) * p.fine.filter_decay[l];
            let before = v;
            (x, v) = mechanics_under(p, l, [x, v, mean(i, after)], burden, step);
            half_rise = 0.5 * (v - before);
            i = after;
        } else {
            r = i + (r - i) * p.fine.filter_decay[l];
            (x, v) = mechanics_under(p, l, [x, v, i], burden, step);
        }
    }
    ([x, v, i, q, r], met)
}

/// The gains with which a cut is stepped: those of the drive. A loop that is faster than a cut would turn around in each of them, and further
/// each time: it has as much less gain as an implicit step would have at its end; a constant load is held off by more then.
struct CutGains {
    position_per_s: f64,
    velocity: f64,
    integral: f64,
}

impl CutGains {
    fn new(p: &LaneParams, l: usize, loops: &Loops<'_>, step_s: f64) -> Self {
        let mut gains = Self {
            position_per_s: loops.position_gain_per_s,
            velocity: loops.velocity_gain,
            integral: loops.integral_gain,
        };
        let per_a = p.acceleration_per_a[l];
        let position = gains.position_per_s * step_s;
        let velocity = gains.velocity * per_a * step_s;
        let integral = gains.integral * per_a * step_s * step_s;
        if velocity + integral > DAMPED || position > DAMPED {
            gains.position_per_s /= 1.0 + position;
            gains.velocity /= 1.0 + velocity + integral;
            gains.integral /= 1.0 + velocity + integral;
        }
        gains
    }
}

fn mean(a: f64, b: f64) -> f64 {
    0.5 * (a + b)
}

impl Path {
    /// Reference (m) at the share `t` of the cycle.
    pub fn at(&self, t: f64, bend: f64) -> f64 {
        if t < bend {
            self.from_m + t * self.first_m
        } else {
            self.to_m - (1.0 - t) * self.second_m
        }
    }
}
