//! Presses behind cranks and tables side by side, through a cycle in which nothing happens to them.
//!
//! What [`Linked::walk`] does place by place, of axes that move on, or rest, in each of the substeps, below their limits: operation
//! by operation, to the last bit. Whatever else an axis does is found out on the way, and it is left to the walk.

#![allow(
    clippy::needless_range_loop,
    reason = "an iterator's adapter over vectors is not made for the unit"
)]

mod step;

use super::{LARGEST_A, Linked};
use crate::axis::cascade::States;
use crate::axis::params::{LaneParams, SUBSTEPS};
use crate::axis::walk::{Ways, per_step_s};
use crate::axis::{AxisState, Reference};
use crate::lane::{Lane, ZERO};
use crate::press::near::{Near, TERMS};
use crate::simd::Vector;

/// What the presses of a lane meet with their rams.
#[derive(Clone, Copy, Debug)]
pub struct Parts<'a> {
    /// Where parts begin (m).
    pub contact_m: &'a Lane,
    /// Their stiffness as a current (A/m); 0: none.
    pub stiffness_a_per_m: &'a Lane,
    /// Direction of the way in (1 or -1).
    pub direction: &'a Lane,
    /// A bit for each press whose part has a curve: in it, the walk is taken.
    pub formed: u8,
    /// No part is deeper (m).
    pub deepest_m: f64,
    /// Below this velocity of the ram on the way in (m/s) it is on its way back, and meets nothing.
    pub returning_m_per_s: f64,
}

/// Rams of a lane.
#[derive(Clone, Copy, Debug)]
pub struct Abreast {
    places: u8,
    middle_m: Lane,
    series: [Lane; TERMS],
    low_m: Lane,
    high_m: Lane,
    mass: Lane,
    carried_a: Lane,
    carried_a_per_m: Lane,
    carried_at_m: Lane,
    more: Lane,
    less: Lane,
}

impl Abreast {
    /// None.
    pub const NONE: Self = Self {
        places: 0,
        middle_m: ZERO,
        series: [ZERO; TERMS],
        low_m: ZERO,
        high_m: ZERO,
        mass: ZERO,
        carried_a: ZERO,
        carried_a_per_m: ZERO,
        carried_at_m: ZERO,
        more: ZERO,
        less: ZERO,
    };

    /// Puts a ram at place `l`, whose axis is at the beginning of a cycle.
    pub fn put(&mut self, p: &LaneParams, l: usize, linked: &Linked, before: &AxisState) {
        let near = linked.near(before.position_m[l], before.velocity_m_per_s[l], p.period_s);
        let Near {
            middle,
            series,
            reach,
        } = near;
        self.places |= 1 << l;
        self.middle_m[l] = middle;
        for (lane, c) in self.series.iter_mut().zip(series) {
            lane[l] = c;
        }
        [self.low_m[l], self.high_m[l]] = reach;
        let per_kf = linked.per_kf();
        self.mass[l] = linked.ram_mass_kg * per_kf;
        self.carried_a[l] = linked.counterbalance.constant_n * per_kf;
        self.carried_a_per_m[l] = linked.counterbalance.rate_n_per_m * per_kf;
        self.carried_at_m[l] = linked.counterbalance.at_m;
        (self.more[l], self.less[l]) = linked.losses();
    }

    /// Steps those of these axes by a cycle, from `before` into `after`, to which nothing happens in it, and which are told positions
    /// alone (the bits of `alone`): to the bits that the walk would end with. Returns a bit for each of them; the others are left as
    /// they were.
    #[inline(always)]
    pub fn advance<V: Vector>(
        &self,
        (p, reference, alone): (&LaneParams, &Reference, u8),
        parts: &Parts<'_>,
        before: &AxisState,
        after: &mut AxisState,
    ) -> u8 {
        let able = self.places & alone & p.continuous & !p.fine.quick;
        let mut held = 0;
        for part in 0..V::PARTS {
            if able & V::places(part) == 0 {
                continue;
            }
            let z = States::<V>::load(before, part);
            let cycle = Cycle::<V>::load(self, p, parts, z.disturbance_a, part);
            let (good, next) = cycle.advanced(Ways::part_of(p, reference, part), &z, able);
            States {
                position_m: V::select(good, next.x, V::load(&after.position_m, part)),
                velocity_m_per_s: V::select(good, next.v, V::load(&after.velocity_m_per_s, part)),
                current_a: V::select(good, next.i, V::load(&after.current_a, part)),
                integral_a: V::select(good, next.q, V::load(&after.integral_a, part)),
                reported_a: V::select(good, next.r, V::load(&after.reported_a, part)),
                disturbance_a: V::load(&after.disturbance_a, part),
            }
            .store(after, part);
            held |= V::bits(good, part);
        }
        held
    }
}

/// Axes at the end of a substep.
#[derive(Clone, Copy)]
struct Now<V> {
    x: V,
    v: V,
    i: V,
    q: V,
    r: V,
}

/// Where rams are, and how they follow: see [`super::Middle`].
#[derive(Clone, Copy)]
struct Middles<V> {
    v: V,
    ram_m: V,
    per_way: V,
    bend_per_m: V,
}

/// What stands still over a cycle.
struct Cycle<'a, V: Vector> {
    p: &'a LaneParams,
    part: usize,
    /// Places whose parts have no curve.
    plain: V::Mask,
    any_stribeck: bool,
    zero: V,
    one: V,
    half: V,
    largest_a: V,
    step_s: V,
    per_step_s: V,
    deepest_m: V,
    returning_m_per_s: V,
    contact_m: V,
    stiffness_a_per_m: V,
    direction: V,
    middle_m: V,
    series: [V; TERMS],
    low_m: V,
    high_m: V,
    mass: V,
    carried_a: V,
    carried_a_per_m: V,
    carried_at_m: V,
    more: V,
    less: V,
    bare: V,
    answers: V,
    disturbance_a: V,
    gravity_a: V,
    viscous: V,
    coulomb_positive_a: V,
    coulomb_negative_a: V,
    stribeck_a: V,
    limit_a: V,
    kx: V,
    kv: V,
    kff: V,
}

impl<'a, V: Vector> Cycle<'a, V> {
    #[inline(always)]
    fn load(
        rams: &Abreast,
        p: &'a LaneParams,
        parts: &Parts<'_>,
        disturbance_a: V,
        part: usize,
    ) -> Self {
        let (zero, per_step_s) = (V::splat(0.0), V::splat(per_step_s(p)));
        let mut series = [zero; TERMS];
        for n in 0..TERMS {
            series[n] = V::load(&rams.series[n], part);
        }
        let bare = V::load(&p.acceleration_per_a, part);
        let loops = (zero - V::load(&p.fine.abreast.0.velocity[6], part)) * per_step_s;
        let known = V::both(loops.above(zero), loops.within(V::splat(f64::MAX)));
        let stribeck_a = V::load(&p.stribeck_a, part);
        Self {
            p,
            part,
            plain: V::mask(!parts.formed, part),
            any_stribeck: V::bits(stribeck_a.above(zero), part) != 0,
            zero,
            one: V::splat(1.0),
            half: V::splat(0.5),
            largest_a: V::splat(LARGEST_A),
            step_s: V::splat(p.step_s),
            per_step_s,
            deepest_m: V::splat(parts.deepest_m),
            returning_m_per_s: V::splat(parts.returning_m_per_s),
            contact_m: V::load(parts.contact_m, part),
            stiffness_a_per_m: V::load(parts.stiffness_a_per_m, part),
            direction: V::load(parts.direction, part),
            middle_m: V::load(&rams.middle_m, part),
            series,
            low_m: V::load(&rams.low_m, part),
            high_m: V::load(&rams.high_m, part),
            mass: V::load(&rams.mass, part),
            carried_a: V::load(&rams.carried_a, part),
            carried_a_per_m: V::load(&rams.carried_a_per_m, part),
            carried_at_m: V::load(&rams.carried_at_m, part),
            more: V::load(&rams.more, part),
            less: V::load(&rams.less, part),
            bare,
            answers: V::select(known, loops, bare),
            disturbance_a,
            gravity_a: V::load(&p.gravity_a, part),
            viscous: V::load(&p.viscous, part),
            coulomb_positive_a: V::load(&p.coulomb_positive_a, part),
            coulomb_negative_a: V::load(&p.coulomb_negative_a, part),
            stribeck_a,
            limit_a: V::load(&p.limit_a, part),
            kx: V::load(&p.position_gain_per_s, part),
            kv: V::load(&p.velocity_gain, part),
            kff: V::load(&p.velocity_feedforward, part),
        }
    }

    /// The cycle of each, and whether nothing happens in it; references are start, end and slopes.
    #[inline(always)]
    fn advanced(
        &self,
        [start_m, end_m, first_m, second_m]: [V; 4],
        z: &States<V>,
        able: u8,
    ) -> (V::Mask, Now<V>) {
        let mut now = Now {
            x: z.position_m,
            v: z.velocity_m_per_s,
            i: z.current_a,
            q: z.integral_a,
            r: z.reported_a,
        };
        let mut good = V::mask(able, self.part);
        let bend = V::load(&self.p.bend, self.part);
        let mut from_m = start_m;
        let mut torque_a = None;
        for n in 1..=SUBSTEPS {
            let t = V::splat(n as f64 / SUBSTEPS as f64);
            let before = start_m + t * first_m;
            let after = end_m - (self.one - t) * second_m;
            // At the bend itself the second slope holds already.
            let to_m = V::select(bend.above(t), before, after);
            let stepped = self.substep(&now, [from_m, to_m], torque_a);
            good = V::both(good, stepped.good);
            (now, torque_a) = (stepped.next, stepped.torque_a);
            from_m = to_m;
            if V::bits(good, self.part) == 0 {
                break;
            }
        }
        (good, now)
    }
}
