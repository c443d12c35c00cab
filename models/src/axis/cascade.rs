//! One cycle ahead: the drive cascade and the mechanics. See the derivations in the parent module and in [`super::transition`].
//!
//! An axis that moves on in its direction, or rests, with its current below the limit is stepped exactly, eight at a time.
//! The Stribeck term, which is not linear, is taken at the mean velocity of the cycle, found in two passes. A cycle in which an
//! axis starts, stops, turns around or meets its limit is stepped by itself, in substeps.
use super::params::LaneParams;
use super::substeps::{Path, one_by_one};
use crate::lane::{LANES, Lane, ZERO};
use crate::simd::{Portable, Vector};

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

    /// The references that eight drives follow in the coming cycle.
    #[inline(always)]
    fn paths<V: Vector>(&self, p: &LaneParams) -> Paths<V> {
        let (dead, bend) = (V::load(&p.dead_cycles), V::load(&p.bend));
        let h = [
            V::load(&self.history_m[0]),
            V::load(&self.history_m[1]),
            V::load(&self.history_m[2]),
            V::load(&self.history_m[3]),
            V::load(&self.history_m[4]),
        ];
        let mut older = h[1];
        let mut middle = h[0];
        // Before the next target has come the reference goes on as it did.
        let mut newer = h[0] + (h[0] - h[1]);
        for n in 1..TARGETS - 1 {
            let reached = V::within(V::splat(n as f64), dead);
            older = V::select(reached, h[n + 1], older);
            middle = V::select(reached, h[n], middle);
            newer = V::select(reached, h[n - 1], newer);
        }
        let first_m = middle - older;
        let second_m = newer - middle;
        Paths {
            from_m: middle - bend * first_m,
            to_m: middle + (V::splat(1.0) - bend) * second_m,
            first_m,
            second_m,
        }
    }
}

/// Pieces of the references of eight axes, one cycle long, bent once.
#[derive(Clone, Copy)]
struct Paths<V> {
    /// Start (m).
    from_m: V,
    /// End (m).
    to_m: V,
    /// Slope before the bend (m/cycle).
    first_m: V,
    /// Slope after it (m/cycle).
    second_m: V,
}

impl<V: Vector> Paths<V> {
    /// One axis after the other.
    #[inline(always)]
    fn each(&self) -> [Path; LANES] {
        let mut lanes = [ZERO; 4];
        for (lane, v) in
            (lanes.iter_mut()).zip([self.from_m, self.to_m, self.first_m, self.second_m])
        {
            v.store(lane);
        }
        core::array::from_fn(|l| Path {
            from_m: lanes[0][l],
            to_m: lanes[1][l],
            first_m: lanes[2][l],
            second_m: lanes[3][l],
        })
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
    let (positive_a, negative_a) = (p.coulomb_positive_a[l], p.coulomb_negative_a[l]);
    // Two shares, one of them 0: a choice between two places in memory would be gathered one by one.
    let forward = if v >= 0.0 { 1.0 } else { 0.0 };
    let coulomb = forward * positive_a + (1.0 - forward) * negative_a;
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
    advance_on::<Portable>(p, reference, s, contact_a);
}

/// [`advance`] with the vector of a unit.
#[inline(always)]
pub fn advance_on<V: Vector>(
    p: &LaneParams,
    reference: &Reference,
    s: &mut AxisState,
    contact_a: &Lane,
) {
    let zero = V::splat(0.0);
    let one = V::splat(1.0);
    let half = V::splat(0.5);
    let per_s = V::splat(p.per_s);
    let paths = reference.paths::<V>(p);
    let (x, v) = (V::load(&s.position_m), V::load(&s.velocity_m_per_s));
    let (i, q, r) = (
        V::load(&s.current_a),
        V::load(&s.integral_a),
        V::load(&s.reported_a),
    );
    let load = V::load(&s.disturbance_a) + V::load(contact_a) + V::load(&p.gravity_a);
    let e = paths.from_m - x;
    let slope = paths.first_m * per_s;
    let bent = (paths.second_m - paths.first_m) * per_s;

    // Moving on: friction at the velocity that was, then at the mean one.
    let positive = v.above(zero);
    let direction = V::select(positive, one, zero - one);
    let (coulomb_positive, coulomb_negative) = (
        V::load(&p.coulomb_positive_a),
        V::load(&p.coulomb_negative_a),
    );
    let coulomb = V::select(positive, coulomb_positive, coulomb_negative);
    let (stribeck, per_v2) = (V::load(&p.stribeck_a), V::load(&p.stribeck_per_v2));
    let inputs = [e, v, i, q, slope, bent];
    let m = &p.moving;
    let free = weighted(&m.velocity, &inputs);
    let on_velocity = V::load(&m.velocity[6]);
    let dry = coulomb + stribeck.over(one + v * v * per_v2);
    let guess = free + on_velocity * (load + direction * dry);
    let mean = half * (v + guess);
    let dry_mean = coulomb + stribeck.over(one + mean * mean * per_v2);
    let b = load + direction * dry_mean;
    let v1 = free + on_velocity * b;
    let way = weighted(&m.way, &inputs) + V::load(&m.way[6]) * b;
    let i1 = weighted(&m.current, &inputs) + V::load(&m.current[6]) * b;
    let q1 = weighted(&m.integral, &inputs) + V::load(&m.integral[6]) * b;
    let r1 =
        weighted(&m.reported, &inputs) + V::load(&m.reported[6]) * b + V::load(&m.reported[7]) * r;
    // A standing axis has no direction to go on in.
    let goes_on = V::both(
        (v1 * direction).above(zero),
        (guess * direction).above(zero),
    );
    let goes_on = V::both(goes_on, (v * direction).above(zero));

    // Resting: what velocity there is ends in the first substep.
    let t = &p.resting;
    let i1_rest = V::load(&t.current[0]) * e
        + V::load(&t.current[1]) * i
        + V::load(&t.current[2]) * q
        + V::load(&t.current[3]) * slope
        + V::load(&t.current[4]) * bent;
    let q1_rest = q
        + V::load(&t.integral[0]) * e
        + V::load(&t.integral[1]) * slope
        + V::load(&t.integral[2]) * bent;
    let r1_rest = V::load(&t.reported[0]) * e
        + V::load(&t.reported[1]) * i
        + V::load(&t.reported[2]) * q
        + V::load(&t.reported[3]) * slope
        + V::load(&t.reported[4]) * bent
        + V::load(&t.reported[5]) * r;
    let impulse = V::splat(p.step_s) * V::load(&p.acceleration_per_a);
    let push = v + (i - load - V::load(&p.viscous) * v) * impulse;
    let (hold_positive, hold_negative) = (coulomb_positive + stribeck, coulomb_negative + stribeck);
    let after = i1_rest - load;
    let holds_first = V::both(
        push.within(hold_positive * impulse),
        (zero - push).within(hold_negative * impulse),
    );
    let holds_last = V::both(
        after.within(hold_positive),
        (zero - after).within(hold_negative),
    );
    let rests = V::both(holds_first, holds_last);

    let x1 = V::select(goes_on, x + way, x + half * v * V::splat(p.step_s));
    let v1 = V::select(goes_on, v1, zero);
    let i1 = V::select(goes_on, i1, i1_rest);
    let q1 = V::select(goes_on, q1, q1_rest);
    let r1 = V::select(goes_on, r1, r1_rest);

    // The current stays below its limit from the first moment to the last; where the drive holds it, there is nothing to ask.
    let (kv, kx) = (V::load(&p.velocity_gain), V::load(&p.position_gain_per_s));
    let kff = V::load(&p.velocity_feedforward);
    let limit = V::load(&p.limit_a);
    let asked_before = kv * (kx * e + kff * slope - v) + q;
    let second = paths.second_m * per_s;
    let asked_after = kv * (kx * (paths.to_m - x1) + kff * second - v1) + q1;
    let free_of_limit = V::both(
        V::both(
            asked_before.within(limit),
            (zero - asked_before).within(limit),
        ),
        V::both(
            asked_after.within(limit),
            (zero - asked_after).within(limit),
        ),
    );
    // What is asked may pass the limit in between; what flows at the end must not.
    let free_of_limit = V::both(
        free_of_limit,
        V::both(i1.within(limit), (zero - i1).within(limit)),
    );
    let free_of_limit = V::either(free_of_limit, V::load(&p.continuous).within(zero));
    let exact = V::both(V::either(goes_on, rests), free_of_limit);

    let mut next = [x1, v1, i1, q1, r1];
    if V::bits(exact) != u8::MAX {
        let mut lanes = [ZERO; 5];
        for (lane, v) in lanes.iter_mut().zip(next) {
            v.store(lane);
        }
        one_by_one(p, &paths.each(), s, contact_a, V::bits(exact), &mut lanes);
        next = [
            V::load(&lanes[0]),
            V::load(&lanes[1]),
            V::load(&lanes[2]),
            V::load(&lanes[3]),
            V::load(&lanes[4]),
        ];
    }
    if p.any_sampled {
        // A drive that closes its loops once a cycle computes what it holds until the next sample.
        let mean = (next[0] - x) * per_s;
        let wanted = kx * (paths.to_m - next[0]) + kff * second;
        let held = limited(kv * (wanted - mean), limit);
        let sampled = V::load(&p.sampled).above(zero);
        next[2] = V::select(sampled, held, next[2]);
        next[4] = V::select(sampled, held, next[4]);
    }
    next[0].store(&mut s.position_m);
    next[1].store(&mut s.velocity_m_per_s);
    next[2].store(&mut s.current_a);
    next[3].store(&mut s.integral_a);
    next[4].store(&mut s.reported_a);
}

/// A row of the exact step, but for its last columns.
#[inline(always)]
fn weighted<V: Vector, const N: usize>(row: &[Lane; N], inputs: &[V; 6]) -> V {
    V::load(&row[0]) * inputs[0]
        + V::load(&row[1]) * inputs[1]
        + V::load(&row[2]) * inputs[2]
        + V::load(&row[3]) * inputs[3]
        + V::load(&row[4]) * inputs[4]
        + V::load(&row[5]) * inputs[5]
}

/// Limits every place to `-limit..=limit`.
#[inline(always)]
fn limited<V: Vector>(x: V, limit: V) -> V {
    limit.smaller((V::splat(0.0) - limit).larger(x))
}
