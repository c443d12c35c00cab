//! The step of a lane with axes that are told more than a position, or something else: see the derivation in the parent module.

mod alone;

use super::plan::Steps;
use super::{Modes, Told};
use crate::axis::cascade::{Loops, States, in_substeps, sampled};
use crate::axis::params::LaneParams;
use crate::axis::reference::{Reference, TARGETS};
use crate::axis::steps::{Added, Begin};
use crate::axis::substeps::Left;
use crate::lane::Lane;
use crate::simd::Vector;

/// What a part of the axes is after a cycle in which some are told more than a position.
#[inline(always)]
pub(in crate::axis) fn stepped_told<V: Vector>(
    p: &LaneParams,
    reference: &Reference,
    told: &Told,
    s: States<V>,
    contact_a: Option<&Lane>,
    part: usize,
) -> States<V> {
    let modes = told.modes(p);
    let steps = &p.fine.told;
    let mixed;
    // Where nobody knows the drive, its step is the same in every mode.
    let unknown = !(p.continuous | p.sampled);
    // Lanes of axes alone that all are in one mode are the common ones: nothing needs to be chosen place by place.
    if p.sampled == 0 && contact_a.is_none() {
        if modes.velocity | unknown == u8::MAX {
            return alone::in_velocity(p, told, s, part);
        }
        if modes.torque | unknown == u8::MAX {
            return alone::in_torque(p, told, s, part);
        }
    }
    let (moving, resting) = if modes.apart() == 0 {
        (&p.moving, &p.resting)
    } else if modes.velocity | unknown == u8::MAX {
        (&steps.velocity.moving, &steps.velocity.resting)
    } else if modes.torque | unknown == u8::MAX {
        (&steps.torque.moving, &steps.torque.resting)
    } else {
        mixed = Steps::mixed::<V>(p, &modes);
        (&mixed.moving, &mixed.resting)
    };

    let (zero, one, per_s) = (V::splat(0.0), V::splat(1.0), V::splat(p.per_s));
    let in_velocity = V::mask(modes.velocity, part);
    let in_torque = V::mask(modes.torque, part);
    let apart = V::mask(modes.apart(), part);
    let shifted = V::mask(modes.offsets, part);
    let any = V::mask(modes.offsets | modes.apart(), part);
    let limit = V::load(&p.limit_a, part);
    let acting = told.acting::<V>(p, &modes, part);
    let (w, w_change) = (acting.m_per_s[0], acting.m_per_s[1] - acting.m_per_s[0]);
    let (c, c_change) = (acting.a[0], acting.a[1] - acting.a[0]);

    let (x, v) = (s.position_m, s.velocity_m_per_s);
    let own = s.integral_a;
    let q = V::select(any, own + c, own);
    let q = V::select(in_torque, c, q);
    let mut load = s.disturbance_a;
    if let Some(contact_a) = contact_a {
        load = load + V::load(contact_a, part);
    }
    let load = load + V::load(&p.gravity_a, part);
    let paths = reference.paths::<V>(p, part);
    let e = paths.from_m - x;
    // Slopes of the references at their beginning, by how much they change, and at their end.
    let told_w = V::select(in_velocity, w, zero);
    let slope = V::select(apart, told_w, paths.first_m * per_s);
    let told_bent = V::select(in_velocity, w_change, zero);
    let bent = V::select(apart, told_bent, (paths.second_m - paths.first_m) * per_s);
    let told_second = V::select(in_velocity, acting.m_per_s[1], zero);
    let second = V::select(apart, told_second, paths.second_m * per_s);

    let added = if modes.offsets == 0 {
        None
    } else {
        Some(Added {
            steps: &steps.offsets,
            inputs: [w, w_change, c_change],
            places: shifted,
        })
    };
    let begin = Begin {
        moving,
        resting,
        x,
        v,
        i: s.current_a,
        q,
        r: s.reported_a,
        e: V::select(apart, c_change, e),
        slope,
        bent,
        load,
        coulomb_positive: V::load(&p.coulomb_positive_a, part),
        coulomb_negative: V::load(&p.coulomb_negative_a, part),
        stribeck: V::load(&p.stribeck_a, part),
        added,
    };
    let (holds, mut next) = begin.step(p, part);
    let [x1, v1, i1, q1, _] = next;
    // Nothing pulls an axis in CST back to where it was to stop.
    let stops = V::both(v.size().above(zero), v1.inside(zero));
    let stops_in_torque = V::both(in_torque, stops);
    if V::bits(stops_in_torque, part) != 0 {
        next[0] = V::select(stops_in_torque, begin.stopped(p, part), x1);
    }

    let loops = Loops::load(p, part);
    let loops = Loops {
        kx: V::select(apart, zero, loops.kx),
        kv: V::select(in_torque, zero, loops.kv),
        kff: V::select(apart, one, loops.kff),
    };
    let wanted_before = fed(loops.wanted(e, slope), shifted, w);
    let asked_before = loops.asked(wanted_before, v, q);
    let wanted_after = loops.wanted(paths.to_m - x1, second);
    let asked_after = loops.asked(fed(wanted_after, shifted, acting.m_per_s[1]), v1, q1);
    let asked_bent = asked_before + loops.kv * loops.kff * bent;
    // What is told jumps too, at an instant of its own; a current that is not asked of a loop is cut to the limit by itself.
    let asked_told = asked_before + (loops.kv * w_change + c_change);
    let largest = asked_before.size().larger(asked_after.size());
    let largest = largest.larger(asked_bent.size().larger(asked_told.size()));
    let free_of_limit = largest.larger(i1.size()).within(limit);
    let free_of_limit = V::either(free_of_limit, V::mask(!p.continuous, part));
    let exact = V::both(holds, free_of_limit);
    // No position loop takes back what is lost of the way in which an axis stops. In CST that way is known; in CSV, where the current answers
    // to it, such a cycle is stepped to the moment.
    let stops_not = V::either(v.inside(zero), v1.size().above(zero));
    let stops_not = V::either(stops_not, V::mask(!modes.velocity, part));
    let exact = V::both(exact, stops_not);

    next[3] = V::select(any, q1 - acting.a[1], q1);
    next[3] = V::select(in_torque, own, next[3]);
    let quick = (p.quick & !modes.apart()) | (steps.quick & modes.velocity);
    let left = (V::bits(exact, part) ^ V::places(part)) | (quick & V::places(part));
    if left != 0 {
        let left = Left {
            places: left,
            told: Some((told, modes.offsets | modes.apart())),
        };
        let [_, _, i1, _, r1] = next;
        next = in_substeps(p, &paths, s, contact_a, left, next, part);
        // Without loops the currents do not depend on the motion: their steps hold whatever it does.
        let apart_from_motion = V::both(in_torque, i1.inside(V::splat(f64::MAX)));
        next[2] = V::select(apart_from_motion, i1, next[2]);
        next[4] = V::select(apart_from_motion, r1, next[4]);
    }
    if p.sampled != 0 {
        // What is told is that of the last substep; of offsets it is the mean, as they are held.
        let share = V::select(
            apart,
            V::load(&steps.last, part),
            V::load(&p.fine.told_change, part),
        );
        let mean_w = mean(acting.m_per_s, share);
        let mean_c = mean(acting.a, share);
        let told_last = V::select(in_velocity, mean_w, zero);
        let second = V::select(apart, told_last, second);
        let wanted = fed(loops.wanted(paths.to_m - next[0], second), shifted, mean_w);
        let besides = V::select(any, mean_c, zero);
        next = sampled(p, &loops, wanted, Some((any, besides)), x, next, part);
    }
    s.after(next)
}

/// A velocity that is wanted, with what is fed forward beside the reference: offsets alone, since a target is its slope.
#[inline(always)]
fn fed<V: Vector>(wanted: V, shifted: V::Mask, m_per_s: V) -> V {
    V::select(shifted, wanted + m_per_s, wanted)
}

/// What acts on a part of the axes in a cycle: before it changes, and after it. 0 where nothing of the kind does.
#[derive(Clone, Copy)]
struct Acting<V> {
    /// Velocities: targets and offsets (m/s).
    m_per_s: [V; 2],
    /// Currents: targets, cut to the limit as the drive does, and offsets (A).
    a: [V; 2],
}

/// The mean of a stretch of which this share lies before the change.
#[inline(always)]
fn mean<V: Vector>([before, after]: [V; 2], share: V) -> V {
    share * before + (V::splat(1.0) - share) * after
}

impl Told {
    #[inline(always)]
    fn acting<V: Vector>(&self, p: &LaneParams, modes: &Modes, part: usize) -> Acting<V> {
        let zero = V::splat(0.0);
        let limit = V::load(&p.limit_a, part);
        let velocity = V::mask(modes.offsets | modes.velocity, part);
        let current = V::mask(modes.offsets | modes.apart(), part);
        let torque = V::mask(modes.torque, part);
        let mut m_per_s = reached::<V>(&self.velocity_m_per_s, p, part);
        let mut a = reached::<V>(&self.current_a, p, part);
        for n in 0..2 {
            m_per_s[n] = V::select(velocity, m_per_s[n], zero);
            a[n] = V::select(torque, a[n].limited(limit), a[n]);
            a[n] = V::select(current, a[n], zero);
        }
        Acting { m_per_s, a }
    }
}

/// What of `history` acts before the change and after it.
#[inline(always)]
fn reached<V: Vector>(history: &[Lane; TARGETS], p: &LaneParams, part: usize) -> [V; 2] {
    let told = &p.fine.told;
    if let Some(whole) = told.alike {
        // Three at most, which the plan keeps to.
        let whole = usize::from(whole).min(TARGETS - 2);
        return V::each([&history[whole + 1], &history[whole]], part);
    }
    let [mut before, mut after] = V::each([&history[1], &history[0]], part);
    for n in 1..TARGETS - 1 {
        let reaches = V::mask(told.reaches[n - 1], part);
        before = V::select(reaches, V::load(&history[n + 1], part), before);
        after = V::select(reaches, V::load(&history[n], part), after);
    }
    [before, after]
}
