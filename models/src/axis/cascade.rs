//! One cycle ahead: the drive cascade and the mechanics. See the derivations in the parent module and in [`super::transition`].
//!
//! An axis that moves on in its direction, or rests, with its current below the limit is stepped exactly, eight at a time.
//! The Stribeck term, which is not linear, is taken at the mean velocity of the cycle, found in two passes. A cycle in which an
//! axis starts in the middle of it, stops, turns around or meets its limit is stepped by itself, in substeps.
use super::observer::corrected;
use super::params::{DAMPED, LaneGains, LaneParams};
use super::reference::Paths;
pub use super::reference::{Reference, TARGETS};
use super::steps::Begin;
use super::substeps::{Left, one_by_one};
use super::told::Told;
use super::told::step::stepped_told;
use super::walk::Burden;
use crate::lane::{LANES, Lane, ZERO};
use crate::simd::{Portable, Vector};

/// State of eight axes as the twin estimates it.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
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

/// The same of several axes, on their way through a cycle.
#[derive(Clone, Copy)]
pub struct States<V> {
    /// Position (m).
    pub position_m: V,
    /// Velocity (m/s).
    pub velocity_m_per_s: V,
    /// Current in the motor (A).
    pub current_a: V,
    /// Current as the drive reports it (A).
    pub reported_a: V,
    /// Integrator of the velocity loop (A).
    pub integral_a: V,
    /// Disturbance (A).
    pub disturbance_a: V,
}

impl<V: Vector> States<V> {
    /// A part of a lane.
    #[inline(always)]
    pub fn load(s: &AxisState, part: usize) -> Self {
        Self {
            position_m: V::load(&s.position_m, part),
            velocity_m_per_s: V::load(&s.velocity_m_per_s, part),
            current_a: V::load(&s.current_a, part),
            reported_a: V::load(&s.reported_a, part),
            integral_a: V::load(&s.integral_a, part),
            disturbance_a: V::load(&s.disturbance_a, part),
        }
    }

    /// After a step: position, velocity, current, integrator and reported current. What disturbs stays.
    #[inline(always)]
    pub(super) fn after(self, [x, v, i, q, r]: [V; 5]) -> Self {
        Self {
            position_m: x,
            velocity_m_per_s: v,
            current_a: i,
            reported_a: r,
            integral_a: q,
            disturbance_a: self.disturbance_a,
        }
    }

    /// Back to memory.
    #[inline(always)]
    pub fn store(self, s: &mut AxisState, part: usize) {
        self.position_m.store(&mut s.position_m, part);
        self.velocity_m_per_s.store(&mut s.velocity_m_per_s, part);
        self.current_a.store(&mut s.current_a, part);
        self.reported_a.store(&mut s.reported_a, part);
        self.integral_a.store(&mut s.integral_a, part);
        self.disturbance_a.store(&mut s.disturbance_a, part);
    }
}

/// A measurement of eight axes that is not taken in yet.
#[derive(Clone, Copy)]
pub struct Measured<'a> {
    /// Gains of the observers.
    pub gains: &'a LaneGains,
    /// Position (m).
    pub position_m: &'a Lane,
    /// Current (A).
    pub current_a: &'a Lane,
    /// A bit for each axis whose measurement may be used.
    pub used: u8,
}

/// Coulomb and Stribeck friction that would brake at velocity `v` (A, a size without sign).
#[inline(always)]
pub fn dry_friction_a(p: &LaneParams, l: usize, v: f64) -> f64 {
    let (positive_a, negative_a) = (p.coulomb_positive_a[l], p.coulomb_negative_a[l]);
    // Two shares, one of them 0: a choice between two places in memory would be gathered one by one.
    let forward = if v >= 0.0 { 1.0 } else { 0.0 };
    let coulomb = forward * positive_a + (1.0 - forward) * negative_a;
    let stribeck_a = p.stribeck_a[l];
    // Most axes have none, and a division takes as long as all else.
    if stribeck_a == 0.0 {
        return coulomb;
    }
    coulomb + stribeck_a / (1.0 + v * v * p.stribeck_per_v2[l])
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
    mechanics_under(p, l, [x, v, i], &Burden::of(load_a), step_s)
}

/// [`mechanics`] under a load that comes with losses, of position, velocity and current.
#[inline(always)]
pub(super) fn mechanics_under(
    p: &LaneParams,
    l: usize,
    [x, v, i]: [f64; 3],
    burden: &Burden,
    step_s: f64,
) -> (f64, f64) {
    let mut per_a = p.acceleration_per_a[l];
    let damping = p.viscous[l] * per_a * step_s;
    if damping > DAMPED {
        per_a /= 1.0 + damping;
    }
    let push = (i - burden.load_a - p.gravity_a[l] - p.viscous[l] * v) * per_a * step_s;
    let free = v + push;
    let direction = if v != 0.0 { v } else { free };
    let dry_a = dry_friction_a(p, l, direction) + burden.friction_a(direction);
    let brake = dry_a * per_a * step_s;
    let next = if free > brake {
        free - brake
    } else if free < -brake {
        free + brake
    } else {
        0.0
    };
    (x + 0.5 * (v + next) * step_s, next)
}

/// [`mechanics`] of several axes without an outer load, over a whole cycle.
#[inline(always)]
pub fn mechanics_on<V: Vector>(p: &LaneParams, part: usize, x: V, v: V, i: V) -> (V, V) {
    let (zero, step) = (V::splat(0.0), V::splat(p.period_s));
    let one = V::splat(1.0);
    let (mut per_a, viscous) = (
        V::load(&p.acceleration_per_a, part),
        V::load(&p.viscous, part),
    );
    if p.damped != 0 {
        let slower = per_a.over(one + viscous * per_a * step);
        per_a = V::select(V::mask(p.damped, part), slower, per_a);
    }
    let free = v + (i - V::load(&p.gravity_a, part) - viscous * v) * per_a * step;
    let stands = V::both(v.within(zero), zero.within(v));
    let direction = V::select(stands, free, v);
    let coulomb = V::select(
        zero.within(direction),
        V::load(&p.coulomb_positive_a, part),
        V::load(&p.coulomb_negative_a, part),
    );
    // Where few axes all stand, their Coulomb friction alone holds them as a rule: the rest of it need not be known.
    if V::PARTS * V::WIDTH < LANES
        && V::bits(free.inside(coulomb * per_a * step), part) == V::places(part)
    {
        return (x + V::splat(0.5) * (v + zero) * step, zero);
    }
    let slow = one + direction * direction * V::load(&p.stribeck_per_v2, part);
    let brake = (coulomb + V::load(&p.stribeck_a, part).over(slow)) * per_a * step;
    let back = V::select((zero - free).above(brake), free + brake, zero);
    let next = V::select(free.above(brake), free - brake, back);
    (x + V::splat(0.5) * (v + next) * step, next)
}

/// Advances eight axes by one cycle. `contact_a` is the workpiece's force as a current, constant over the cycle.
pub fn advance(p: &LaneParams, reference: &Reference, s: &mut AxisState, contact_a: &Lane) {
    advance_on::<Portable>(p, reference, s, Some(contact_a));
}

/// [`advance`] with the vector of a unit; without `contact_a` none of the axes touches a part.
#[inline(always)]
pub fn advance_on<V: Vector>(
    p: &LaneParams,
    reference: &Reference,
    s: &mut AxisState,
    contact_a: Option<&Lane>,
) {
    for part in 0..V::Whole::PARTS {
        let z = States::<V::Whole>::load(s, part);
        advanced(p, reference, z, contact_a, part).store(s, part);
    }
}

/// The observer takes a measurement in and the axes are advanced by a cycle, none of them in a part: see
/// [`correct_on`](super::observer::correct_on) and [`advance_on`].
#[inline(always)]
pub fn correct_and_advance_on<V: Vector>(
    p: &LaneParams,
    measured: &Measured<'_>,
    reference: &Reference,
    s: &mut AxisState,
) {
    for part in 0..V::Whole::PARTS {
        let z = States::<V::Whole>::load(s, part);
        let m = V::Whole::each([measured.position_m, measured.current_a], part);
        let z = corrected(p, measured.gains, z, m, measured.used, part);
        advanced(p, reference, z, None, part).store(s, part);
    }
}

/// [`advance`] of axes some of which are told more than a position, or something else: see [`super::told`].
#[cold]
#[inline(never)]
pub fn advance_told(
    p: &LaneParams,
    reference: &Reference,
    told: &Told,
    s: &mut AxisState,
    contact_a: Option<&Lane>,
) {
    for part in 0..<Portable as Vector>::Whole::PARTS {
        let z = States::<<Portable as Vector>::Whole>::load(s, part);
        advanced_told(p, reference, told, z, contact_a, part).store(s, part);
    }
}

/// [`advanced`] of a lane with such axes.
#[inline(always)]
pub fn advanced_told<V: Vector>(
    p: &LaneParams,
    reference: &Reference,
    told: &Told,
    s: States<V>,
    contact_a: Option<&Lane>,
    part: usize,
) -> States<V> {
    stepped_told(p, reference, told, s, contact_a, part)
}

/// The loops of several axes in their modes: what is open has a gain of 0.
#[derive(Clone, Copy)]
pub(super) struct Loops<V> {
    /// Position gain (1/s).
    pub kx: V,
    /// Velocity gain (A s/m).
    pub kv: V,
    /// Velocity feed-forward (1).
    pub kff: V,
}

impl<V: Vector> Loops<V> {
    /// In CSP.
    #[inline(always)]
    pub fn load(p: &LaneParams, part: usize) -> Self {
        Self {
            kx: V::load(&p.position_gain_per_s, part),
            kv: V::load(&p.velocity_gain, part),
            kff: V::load(&p.velocity_feedforward, part),
        }
    }

    /// The velocity (m/s) that is wanted at an error (m) and a slope of the reference (m/s).
    #[inline(always)]
    pub fn wanted(&self, error: V, slope: V) -> V {
        self.kx * error + self.kff * slope
    }

    /// The current (A) that is asked for.
    #[inline(always)]
    pub fn asked(&self, wanted: V, v: V, q: V) -> V {
        self.kv * (wanted - v) + q
    }
}

/// What a part of the axes is after a cycle: see [`advance`].
#[inline(always)]
pub fn advanced<V: Vector>(
    p: &LaneParams,
    reference: &Reference,
    s: States<V>,
    contact_a: Option<&Lane>,
    part: usize,
) -> States<V> {
    let per_s = V::splat(p.per_s);
    let paths = reference.paths::<V>(p, part);
    let (x, v) = (s.position_m, s.velocity_m_per_s);
    let (i, q, r) = (s.current_a, s.integral_a, s.reported_a);
    let mut load = s.disturbance_a;
    if let Some(contact_a) = contact_a {
        load = load + V::load(contact_a, part);
    }
    let load = load + V::load(&p.gravity_a, part);
    let e = paths.from_m - x;
    let slope = paths.first_m * per_s;
    let bent = (paths.second_m - paths.first_m) * per_s;

    let begin = Begin {
        moving: &p.moving,
        resting: &p.resting,
        x,
        v,
        i,
        q,
        r,
        e,
        slope,
        bent,
        load,
        coulomb_positive: V::load(&p.coulomb_positive_a, part),
        coulomb_negative: V::load(&p.coulomb_negative_a, part),
        stribeck: V::load(&p.stribeck_a, part),
        added: None,
    };
    let (holds, mut next) = begin.step(p, part);
    let [x1, v1, i1, q1, _] = next;

    // The current stays below its limit from the first moment to the last; where the drive holds it, there is nothing to ask.
    let loops = Loops::load(p, part);
    let limit = V::load(&p.limit_a, part);
    let asked_before = loops.asked(loops.wanted(e, slope), v, q);
    let second = paths.second_m * per_s;
    let asked_after = loops.asked(loops.wanted(paths.to_m - x1, second), v1, q1);
    // Where the reference bends, what is fed forward jumps: at the start where the dead time is whole cycles.
    let asked_bent = asked_before + loops.kv * loops.kff * bent;
    // What is asked may pass the limit in between; what flows at the end must not.
    let largest = asked_before.size().larger(asked_after.size());
    let largest = largest.larger(asked_bent.size());
    let free_of_limit = largest.larger(i1.size()).within(limit);
    let free_of_limit = V::either(free_of_limit, V::mask(!p.continuous, part));
    let exact = V::both(holds, free_of_limit);

    let left = (V::bits(exact, part) ^ V::places(part)) | (p.quick & V::places(part));
    if left != 0 {
        let left = Left {
            places: left,
            told: None,
        };
        next = in_substeps(p, &paths, s, contact_a, left, next, part);
    }
    if p.sampled != 0 {
        let wanted = loops.wanted(paths.to_m - next[0], second);
        next = sampled(p, &loops, wanted, None, x, next, part);
    }
    s.after(next)
}

/// `next` with the axes of `left` stepped one by one from `s`.
#[inline(always)]
pub(super) fn in_substeps<V: Vector>(
    p: &LaneParams,
    paths: &Paths<V>,
    s: States<V>,
    contact_a: Option<&Lane>,
    left: Left<'_>,
    next: [V; 5],
    part: usize,
) -> [V; 5] {
    let mut before = AxisState::REST;
    s.store(&mut before, part);
    let mut lanes = [ZERO; 5];
    let mut ways = [ZERO; 4];
    let paths = [paths.from_m, paths.to_m, paths.first_m, paths.second_m];
    for k in 0..4 {
        paths[k].store(&mut ways[k], part);
    }
    for k in 0..5 {
        next[k].store(&mut lanes[k], part);
    }
    one_by_one(p, &ways, &before, contact_a, left, &mut lanes);
    V::each(lanes.each_ref(), part)
}

/// A drive that closes its loops once a cycle computes what it holds until the next sample, from the velocity that is wanted (m/s), the
/// position at which the cycle began (m), and what some places are told besides (A).
#[inline(always)]
pub(super) fn sampled<V: Vector>(
    p: &LaneParams,
    loops: &Loops<V>,
    wanted: V,
    besides: Option<(V::Mask, V)>,
    x: V,
    mut next: [V; 5],
    part: usize,
) -> [V; 5] {
    let mean = (next[0] - x) * V::splat(p.per_s);
    let mut asked = loops.kv * (wanted - mean);
    if let Some((places, current)) = besides {
        asked = V::select(places, asked + current, asked);
    }
    let held = asked.limited(V::load(&p.limit_a, part));
    let sampled = V::mask(p.sampled, part);
    next[2] = V::select(sampled, held, next[2]);
    next[4] = V::select(sampled, held, next[4]);
    next
}
