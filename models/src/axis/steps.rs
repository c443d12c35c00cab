//! The two exact steps of a cycle: that of axes which move on, and that of axes which rest.
//!
//! Both hold in every mode of a drive, each with columns of its own: which ones, the caller says.

#![allow(
    clippy::needless_range_loop,
    reason = "an iterator's adapter over vectors is not made for the unit"
)]

use super::params::LaneParams;
use super::transition::{COLUMNS, OFFSETS, Transition};
use crate::lane::{LANES, Lane, ZERO};
use crate::simd::Vector;

/// Rows of the exact step of eight axes: [`Transition`] turned on its side.
#[derive(Clone, Copy, Debug, PartialEq)]
#[repr(align(64))]
pub struct Step {
    /// Way (m) from e, v, i, q, slope, change of slope, load. Where the position loop is open: from the change of the current instead of e.
    pub way: [Lane; 7],
    /// Velocity (m/s), likewise.
    pub velocity: [Lane; 7],
    /// Current (A), likewise.
    pub current: [Lane; 7],
    /// Integrator (A), likewise.
    pub integral: [Lane; 7],
    /// Reported current (A), likewise and from itself.
    pub reported: [Lane; COLUMNS],
}

/// The exact step of eight resting axes: what of it is not 0 or 1.
#[derive(Clone, Copy, Debug, PartialEq)]
#[repr(align(64))]
pub struct RestingStep {
    /// Current (A) from e, i, q, slope, change of slope.
    pub current: [Lane; 5],
    /// Growth of the integrator (A) from e, slope, change of slope.
    pub integral: [Lane; 3],
    /// Reported current (A) from e, i, q, slope, change of slope, and itself.
    pub reported: [Lane; 6],
}

impl Step {
    /// Nothing comes of anything.
    pub(super) const NONE: Self = Self {
        way: [ZERO; 7],
        velocity: [ZERO; 7],
        current: [ZERO; 7],
        integral: [ZERO; 7],
        reported: [ZERO; COLUMNS],
    };

    /// Sets the columns of place `l`.
    pub(super) fn put(&mut self, l: usize, moving: &Transition) {
        for c in 0..7 {
            self.way[c][l] = moving.way[c];
            self.velocity[c][l] = moving.velocity[c];
            self.current[c][l] = moving.current[c];
            self.integral[c][l] = moving.integral[c];
            self.reported[c][l] = moving.reported[c];
        }
        self.reported[7][l] = moving.reported[7];
    }
}

impl RestingStep {
    /// Nothing comes of anything.
    pub(super) const NONE: Self = Self {
        current: [ZERO; 5],
        integral: [ZERO; 3],
        reported: [ZERO; 6],
    };

    /// Sets the columns of place `l`.
    pub(super) fn put(&mut self, l: usize, resting: &Transition) {
        for (to, from) in [0, 2, 3, 4, 5].into_iter().enumerate() {
            self.current[to][l] = resting.current[from];
            self.reported[to][l] = resting.reported[from];
        }
        self.reported[5][l] = resting.reported[7];
        for (to, from) in [0, 4, 5].into_iter().enumerate() {
            self.integral[to][l] = resting.integral[from];
        }
    }
}

/// What offsets add to both steps in CSP: way, velocity, current, integrator and reported current from a velocity (m/s), its change, and that
/// of the current (A): see [`super::transition`].
#[derive(Clone, Copy, Debug, PartialEq)]
#[repr(align(64))]
pub struct OffsetSteps {
    /// Of moving axes.
    pub moving: [[Lane; OFFSETS]; 5],
    /// Of resting ones: current, integrator and reported current.
    pub resting: [[Lane; OFFSETS]; 3],
}

/// Offsets on their way through a step.
#[derive(Clone, Copy)]
pub(super) struct Added<'a, V: Vector> {
    /// Their columns.
    pub steps: &'a OffsetSteps,
    /// Velocity (m/s), its change, change of the current (A).
    pub inputs: [V; OFFSETS],
    /// The places that have any: all others keep their very bits.
    pub places: V::Mask,
}

/// What both begin with.
#[derive(Clone, Copy)]
pub(super) struct Begin<'a, V: Vector> {
    /// Columns of the step of moving axes.
    pub moving: &'a Step,
    /// Of resting ones.
    pub resting: &'a RestingStep,
    /// Position (m).
    pub x: V,
    /// Velocity (m/s).
    pub v: V,
    /// Current (A).
    pub i: V,
    /// Integrator (A).
    pub q: V,
    /// Reported current (A).
    pub r: V,
    /// Error of the position (m).
    pub e: V,
    /// Slope of the reference (m/s).
    pub slope: V,
    /// Its change at the bend (m/s).
    pub bent: V,
    /// What acts beside dry friction (A).
    pub load: V,
    /// Coulomb friction in positive direction (A).
    pub coulomb_positive: V,
    /// In negative direction (A).
    pub coulomb_negative: V,
    /// Static minus Coulomb friction (A).
    pub stribeck: V,
    /// Offsets, where an axis has any.
    pub added: Option<Added<'a, V>>,
}

impl<V: Vector> Begin<'_, V> {
    /// A figure of a step with what offsets add to it, by row `n` of what they add to moving or to resting axes.
    #[inline(always)]
    fn with_offsets(&self, figure: V, moving: bool, n: usize, part: usize) -> V {
        let Some(added) = &self.added else {
            return figure;
        };
        let (steps, inputs) = (added.steps, &added.inputs);
        let row = if moving {
            &steps.moving[n]
        } else {
            &steps.resting[n]
        };
        let more = V::load(&row[0], part) * inputs[0]
            + V::load(&row[1], part) * inputs[1]
            + V::load(&row[2], part) * inputs[2];
        V::select(added.places, figure + more, figure)
    }

    /// Moving on: friction at the velocity that was, then at the mean one. Whether it holds, and position, velocity, current, integrator and
    /// reported current after it.
    #[inline(always)]
    fn moves(&self, p: &LaneParams, part: usize) -> (V::Mask, [V; 5]) {
        let Self {
            x,
            v,
            i,
            q,
            r,
            e,
            slope,
            bent,
            load,
            stribeck,
            ..
        } = *self;
        let (zero, one, half) = (V::splat(0.0), V::splat(1.0), V::splat(0.5));
        // What stands is let go when more pushes than static friction holds, just where it does not rest: it moves that way from the first
        // moment on.
        let impulse = V::splat(p.step_s) * V::load(&p.acceleration_per_a, part);
        let (stands, push) = (v.inside(zero), (i - load) * impulse);
        let holds = [self.coulomb_positive, self.coulomb_negative];
        let [forward, backward] = [
            (holds[0] + stribeck) * impulse,
            (holds[1] + stribeck) * impulse,
        ];
        let lets_go = V::both(stands, push.above(forward));
        let lets_back = V::both(stands, (zero - push).above(backward));
        let positive = V::either(v.above(zero), lets_go);
        let direction = V::select(positive, one, zero - one);
        let coulomb = V::select(positive, self.coulomb_positive, self.coulomb_negative);
        let per_v2 = V::load(&p.stribeck_per_v2, part);
        let inputs = [e, v, i, q, slope, bent];
        let m = self.moving;
        let free = weighted(&m.velocity, &inputs, part);
        let free = self.with_offsets(free, true, 1, part);
        let on_velocity = V::load(&m.velocity[6], part);
        let dry = coulomb + stribeck.over(one + v * v * per_v2);
        let guess = free + on_velocity * (load + direction * dry);
        let mean = half * (v + guess);
        let dry_mean = coulomb + stribeck.over(one + mean * mean * per_v2);
        let b = load + direction * dry_mean;
        let v1 = free + on_velocity * b;
        let way = weighted(&m.way, &inputs, part);
        let way = self.with_offsets(way, true, 0, part) + V::load(&m.way[6], part) * b;
        let i1 = weighted(&m.current, &inputs, part);
        let i1 = self.with_offsets(i1, true, 2, part) + V::load(&m.current[6], part) * b;
        let q1 = weighted(&m.integral, &inputs, part);
        let q1 = self.with_offsets(q1, true, 3, part) + V::load(&m.integral[6], part) * b;
        let r1 = weighted(&m.reported, &inputs, part);
        let r1 = self.with_offsets(r1, true, 4, part)
            + V::load(&m.reported[7], part) * r
            + V::load(&m.reported[6], part) * b;
        let goes_on = V::both(
            (v1 * direction).above(zero),
            (guess * direction).above(zero),
        );
        // A standing axis that is held has no direction to go on in.
        let went = V::either((v * direction).above(zero), V::either(lets_go, lets_back));
        let goes_on = V::both(goes_on, went);
        (goes_on, [x + way, v1, i1, q1, r1])
    }

    /// Resting, likewise: what velocity there is ends in the first substep.
    #[inline(always)]
    fn rests(&self, p: &LaneParams, part: usize) -> (V::Mask, [V; 5]) {
        let Self {
            x,
            v,
            i,
            q,
            r,
            e,
            slope,
            bent,
            load,
            stribeck,
            ..
        } = *self;
        let (zero, half) = (V::splat(0.0), V::splat(0.5));
        let t = self.resting;
        let i1 = V::load(&t.current[0], part) * e
            + V::load(&t.current[1], part) * i
            + V::load(&t.current[2], part) * q
            + V::load(&t.current[3], part) * slope
            + V::load(&t.current[4], part) * bent;
        let i1 = self.with_offsets(i1, false, 0, part);
        let q1 = q
            + V::load(&t.integral[0], part) * e
            + V::load(&t.integral[1], part) * slope
            + V::load(&t.integral[2], part) * bent;
        let q1 = self.with_offsets(q1, false, 1, part);
        let r1 = V::load(&t.reported[0], part) * e
            + V::load(&t.reported[1], part) * i
            + V::load(&t.reported[2], part) * q
            + V::load(&t.reported[3], part) * slope
            + V::load(&t.reported[4], part) * bent
            + V::load(&t.reported[5], part) * r;
        let r1 = self.with_offsets(r1, false, 2, part);
        let step = V::splat(p.step_s);
        let impulse = step * V::load(&p.acceleration_per_a, part);
        let push = v + (i - load - V::load(&p.viscous, part) * v) * impulse;
        let (hold_positive, hold_negative) = (
            self.coulomb_positive + stribeck,
            self.coulomb_negative + stribeck,
        );
        let after = i1 - load;
        let holds_first = V::both(
            push.within(hold_positive * impulse),
            (zero - push).within(hold_negative * impulse),
        );
        let holds_last = V::both(
            after.within(hold_positive),
            (zero - after).within(hold_negative),
        );
        let rests = V::both(holds_first, holds_last);
        (rests, [x + half * v * step, zero, i1, q1, r1])
    }

    /// Where an axis comes to rest (m) that stops in the first substep, its current not asking how fast it is: `v t / 2` further, t being the
    /// time that the friction which holds it then, less what pushes, needs.
    #[inline(always)]
    pub fn stopped(&self, p: &LaneParams, part: usize) -> V {
        let (zero, half, step) = (V::splat(0.0), V::splat(0.5), V::splat(p.step_s));
        let push = self.i - self.load - V::load(&p.viscous, part) * self.v;
        let brake = V::select(
            self.v.above(zero),
            self.coulomb_positive + self.stribeck,
            zero - (self.coulomb_negative + self.stribeck),
        );
        let per_substep = (brake - push) * (step * V::load(&p.acceleration_per_a, part));
        // It stops within the substep; rounding may leave so little of large forces that it would not.
        let share = self
            .v
            .size()
            .over(per_substep.size())
            .smaller(V::splat(1.0));
        self.x + half * self.v * step * share
    }

    /// The step of each place. Lanes of few axes wait for nobody else: where all of them stand, or all move on, the other step is not
    /// looked at.
    #[inline(always)]
    pub fn step(&self, p: &LaneParams, part: usize) -> (V::Mask, [V; 5]) {
        let few = V::PARTS * V::WIDTH < LANES;
        let zero = V::splat(0.0);
        if few && V::bits(self.v.size().above(zero), part) == 0 {
            let (rests, rested) = self.rests(p, part);
            // What stands does not move on, unless it is let go.
            if V::bits(rests, part) == V::places(part) {
                return (rests, rested);
            }
        }
        let (goes_on, moved) = self.moves(p, part);
        if few && V::bits(goes_on, part) == V::places(part) {
            return (goes_on, moved);
        }
        let (rests, rested) = self.rests(p, part);
        let mut next = moved;
        for n in 0..5 {
            next[n] = V::select(goes_on, moved[n], rested[n]);
        }
        (V::either(goes_on, rests), next)
    }
}

/// A row of the exact step, but for its last columns. Sums of sums are known sooner than one term after the other.
#[inline(always)]
fn weighted<V: Vector, const N: usize>(row: &[Lane; N], inputs: &[V; 6], part: usize) -> V {
    let of_error = V::load(&row[0], part) * inputs[0] + V::load(&row[1], part) * inputs[1];
    let of_current = V::load(&row[2], part) * inputs[2] + V::load(&row[3], part) * inputs[3];
    let of_slope = V::load(&row[4], part) * inputs[4] + V::load(&row[5], part) * inputs[5];
    of_slope + (of_current + of_error)
}
