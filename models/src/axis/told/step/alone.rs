//! Lanes whose axes are all in CSV, or all in CST, with drives that are continuous or known by nobody: what the step of any lane
//! computes, without what these need not choose.

use super::super::{Modes, Told};
use super::reached;
use crate::axis::cascade::{States, in_substeps};
use crate::axis::params::LaneParams;
use crate::axis::reference::Paths;
use crate::axis::steps::Begin;
use crate::axis::substeps::Left;
use crate::axis::told::plan::Steps;
use crate::simd::Vector;

/// What such a lane begins with, beside what it is.
#[derive(Clone, Copy)]
struct Inputs<'a, V> {
    steps: &'a Steps,
    /// Integrator, with what is told of the current (A).
    q: V,
    /// Change of what is told of the current (A).
    change_a: V,
    /// Slope of the reference (m/s), and its change.
    slope: V,
    bent: V,
}

impl<'a, V: Vector> Inputs<'a, V> {
    #[inline(always)]
    fn begin(&self, p: &LaneParams, s: &States<V>, part: usize) -> Begin<'a, V> {
        Begin {
            moving: &self.steps.moving,
            resting: &self.steps.resting,
            x: s.position_m,
            v: s.velocity_m_per_s,
            i: s.current_a,
            q: self.q,
            r: s.reported_a,
            e: self.change_a,
            slope: self.slope,
            bent: self.bent,
            load: s.disturbance_a + V::load(&p.gravity_a, part),
            coulomb_positive: V::load(&p.coulomb_positive_a, part),
            coulomb_negative: V::load(&p.coulomb_negative_a, part),
            stribeck: V::load(&p.stribeck_a, part),
            added: None,
        }
    }
}

/// All in CSV.
#[inline(always)]
pub(super) fn in_velocity<V: Vector>(
    p: &LaneParams,
    told: &Told,
    s: States<V>,
    part: usize,
) -> States<V> {
    let modes = told.modes(p);
    let steps = &p.fine.told;
    let (zero, followed) = (V::splat(0.0), V::mask(modes.velocity, part));
    let [w, w_after] = reached::<V>(&told.velocity_m_per_s, p, part);
    let [c, c_after] = reached::<V>(&told.current_a, p, part);
    let (w, w_after) = (
        V::select(followed, w, zero),
        V::select(followed, w_after, zero),
    );
    let (c, c_after) = (
        V::select(followed, c, zero),
        V::select(followed, c_after, zero),
    );
    let inputs = Inputs {
        steps: &steps.velocity,
        q: s.integral_a + c,
        change_a: c_after - c,
        slope: w,
        bent: w_after - w,
    };
    let (holds, mut next) = inputs.begin(p, &s, part).step(p, part);
    let [_, v1, i1, q1, _] = next;

    // What is asked at the beginning, at the end, and where what is told jumps.
    let (v, kv) = (s.velocity_m_per_s, V::load(&p.velocity_gain, part));
    let asked_before = kv * (w - v) + inputs.q;
    let asked_after = kv * (w_after - v1) + q1;
    let asked_bent = asked_before + kv * inputs.bent;
    let asked_told = asked_before + (kv * inputs.bent + inputs.change_a);
    let largest = asked_before.size().larger(asked_after.size());
    let largest = largest.larger(asked_bent.size().larger(asked_told.size()));
    let below = largest.larger(i1.size()).within(V::load(&p.limit_a, part));
    next[3] = q1 - c_after;
    let quick = (p.quick & !modes.velocity) | (steps.quick & modes.velocity);
    let below = V::either(below, V::mask(!p.continuous, part));
    // See the step of any lane.
    let stops_not = V::either(v.inside(zero), v1.size().above(zero));
    let stops_not = V::either(stops_not, V::mask(!modes.velocity, part));
    let exact = V::both(V::both(holds, below), stops_not);
    let left = (V::bits(exact, part) ^ V::places(part)) | (quick & V::places(part));
    if left != 0 {
        next = left_alone(p, told, &modes, s, left, next, part);
    }
    s.after(next)
}

/// All in CST.
#[inline(always)]
pub(super) fn in_torque<V: Vector>(
    p: &LaneParams,
    told: &Told,
    s: States<V>,
    part: usize,
) -> States<V> {
    let modes = told.modes(p);
    let (zero, followed) = (V::splat(0.0), V::mask(modes.torque, part));
    let limit = V::load(&p.limit_a, part);
    let [c, c_after] = reached::<V>(&told.current_a, p, part);
    let (c, c_after) = (
        V::select(followed, c.limited(limit), zero),
        V::select(followed, c_after.limited(limit), zero),
    );
    let inputs = Inputs {
        steps: &p.fine.told.torque,
        q: V::select(followed, c, s.integral_a),
        change_a: c_after - c,
        slope: zero,
        bent: zero,
    };
    let begin = inputs.begin(p, &s, part);
    let (holds, mut next) = begin.step(p, part);
    let [x1, v1, i1, q1, r1] = next;
    let stops = V::both(s.velocity_m_per_s.size().above(zero), v1.inside(zero));
    let stops = V::both(stops, followed);
    if V::bits(stops, part) != 0 {
        next[0] = V::select(stops, begin.stopped(p, part), x1);
    }

    let asked_told = inputs.q + inputs.change_a;
    let largest = inputs.q.size().larger(q1.size()).larger(asked_told.size());
    let below = largest.larger(i1.size()).within(limit);
    next[3] = V::select(followed, s.integral_a, q1);
    let exact = V::both(holds, V::either(below, V::mask(!p.continuous, part)));
    let quick = p.quick & !modes.torque;
    let left = (V::bits(exact, part) ^ V::places(part)) | (quick & V::places(part));
    if left != 0 {
        next = left_alone(p, told, &modes, s, left, next, part);
        // Without loops the currents do not depend on the motion: their steps hold whatever it does.
        let apart_from_motion = V::both(followed, i1.inside(V::splat(f64::MAX)));
        next[2] = V::select(apart_from_motion, i1, next[2]);
        next[4] = V::select(apart_from_motion, r1, next[4]);
    }
    s.after(next)
}

/// `next` with the axes of `left` stepped one by one.
#[inline(always)]
fn left_alone<V: Vector>(
    p: &LaneParams,
    told: &Told,
    modes: &Modes,
    s: States<V>,
    left: u8,
    next: [V; 5],
    part: usize,
) -> [V; 5] {
    let left = Left {
        places: left,
        told: Some((told, modes.apart())),
    };
    // None of them follows a position.
    let nowhere = V::splat(0.0);
    let paths = Paths {
        from_m: nowhere,
        to_m: nowhere,
        first_m: nowhere,
        second_m: nowhere,
    };
    in_substeps(p, &paths, s, None, left, next, part)
}
