//! A substep of presses side by side: [`Linked::ahead_of`] and the substep that it is for, operation by operation.
//!
//! [`Linked::ahead_of`]: super::super::Linked::ahead_of

#![allow(
    clippy::needless_range_loop,
    reason = "an iterator's adapter over vectors is not made for the unit"
)]

use super::super::FASTEST_M_PER_S;
use super::{Cycle, Middles, Now};
use crate::lane::Lane;
use crate::simd::Vector;

/// What a substep begins with.
struct Begin<V> {
    /// Error of the position (m), slope of the reference (m/s), and its end (m).
    e: V,
    slope: V,
    to_m: V,
    /// What the ram asks for without its acceleration, and what pushes the axis without dry friction (A).
    standing_a: V,
    push_a: V,
}

/// What a substep of moving axes comes to without a load.
struct Free<V> {
    way: V,
    velocity: V,
    current: V,
    integral: V,
    /// Dry friction at its beginning (A).
    dry_a: V,
    slope: V,
    to_m: V,
    /// 1 where axes move forwards, -1 where they move backwards.
    towards: V,
}

impl<V: Vector> Cycle<'_, V> {
    #[inline(always)]
    pub(super) fn substep(&self, now: &Now<V>, from_m: V, to_m: V) -> (V::Mask, Now<V>) {
        let slope = (to_m - from_m).over(self.step_s);
        let e = from_m - now.x;
        let asked_a = self.kv * (self.kx * e + self.kff * slope - now.v) + now.q;
        let (known, m) = self.met(now.x + self.half * self.step_s * now.v, now.v);
        let known = V::both(known, asked_a.inside(self.limit_a));
        let begin = Begin {
            e,
            slope,
            to_m,
            standing_a: self.standing_a(&m.0, m.1),
            push_a: now.i - self.disturbance_a - self.gravity_a - self.viscous * now.v,
        };
        let moves = now.v.size().above(self.zero);
        let stands = now.v.inside(self.zero);
        let (mut good, mut next) = (V::mask(0, self.part), *now);
        if V::bits(moves, self.part) != 0 {
            let (goes_on, moved) = self.moving(now, &begin, self.inertia(&m.0));
            good = V::both(moves, goes_on);
            next = moved;
        }
        if V::bits(stands, self.part) != 0 {
            let (rests, rested) = self.resting(now, &begin);
            good = V::either(good, V::both(stands, rests));
            next = chosen(stands, &rested, &next);
        }
        (V::both(known, good), next)
    }

    /// The ram with the axis there and as fast, where its series holds.
    #[inline(always)]
    fn follow(&self, x: V, v: V) -> (V::Mask, Middles<V>) {
        let d = x - self.middle_m;
        let holds = V::both(self.low_m.within(d), d.within(self.high_m));
        let [c0, c1, c2, c3, c4, c5, c6, c7] = self.series;
        let [n2, n3, n4, n5, n6] = [2.0, 3.0, 4.0, 5.0, 6.0].map(V::splat);
        let [n7, n12, n20, n30, n42] = [7.0, 12.0, 20.0, 30.0, 42.0].map(V::splat);
        let (d2, s) = (d * d, c0 + c1 * d);
        let d4 = d2 * d2;
        let middles = Middles {
            v,
            ram_m: (s + (c2 + c3 * d) * d2) + ((c4 + c5 * d) + (c6 + c7 * d) * d2) * d4,
            per_way: ((c1 + n2 * c2 * d) + (n3 * c3 + n4 * c4 * d) * d2)
                + ((n5 * c5 + n6 * c6 * d) + n7 * c7 * d2) * d4,
            bend_per_m: ((n2 * c2 + n6 * c3 * d) + (n12 * c4 + n20 * c5 * d) * d2)
                + (n30 * c6 + n42 * c7 * d) * d4,
        };
        (holds, middles)
    }

    /// The same in the middle of a substep, and what the part asks for there.
    #[inline(always)]
    fn between(&self, now: &Now<V>, next: &Now<V>) -> (V::Mask, (Middles<V>, V)) {
        self.met(self.half * (now.x + next.x), self.half * (now.v + next.v))
    }

    #[inline(always)]
    fn met(&self, x: V, v: V) -> (V::Mask, (Middles<V>, V)) {
        let (holds, m) = self.follow(x, v);
        let (known, part_a) = self.part_a(&m);
        (V::both(holds, known), (m, part_a))
    }

    /// What a part asks for (A), where it has no curve or is not met.
    #[inline(always)]
    fn part_a(&self, m: &Middles<V>) -> (V::Mask, V) {
        let zero = self.zero;
        let way_m = self.direction * (m.ram_m - self.contact_m);
        let way_m = way_m.smaller(self.deepest_m);
        let comes = (self.direction * (m.per_way * m.v)).above(self.returning_m_per_s);
        let there = V::both(way_m.above(zero), self.stiffness_a_per_m.above(zero));
        let meets = V::both(V::both(comes, there), self.plain);
        let force_a = self.direction * self.stiffness_a_per_m * way_m;
        let known = V::either(self.plain, way_m.within(zero));
        (known, V::select(meets, force_a, zero))
    }

    #[inline(always)]
    fn standing_a(&self, m: &Middles<V>, part_a: V) -> V {
        let v = m.v.limited(V::splat(FASTEST_M_PER_S));
        let thrown_a = self.mass * m.bend_per_m * v * v;
        let carried_a = self.carried_a + self.carried_a_per_m * (m.ram_m - self.carried_at_m);
        (m.per_way * (thrown_a + part_a + carried_a)).limited(self.largest_a)
    }

    #[inline(always)]
    fn inertia(&self, m: &Middles<V>) -> V {
        self.mass * m.per_way * m.per_way
    }

    #[inline(always)]
    fn torque_a(&self, standing_a: V, inertia: V, [free, answers]: [V; 2], towards: V) -> V {
        let lossless_a = (standing_a + inertia * free).limited(self.largest_a);
        let drives = (lossless_a * towards).above(self.zero);
        let share = V::select(drives, self.one + self.more, self.one - self.less);
        lossless_a.over(self.one + share * inertia * answers)
    }

    /// What is lost of `torque_a` while the axis moves `towards` (A).
    #[inline(always)]
    fn lost_a(&self, torque_a: V, towards: V) -> V {
        let drives = (torque_a * towards).above(self.zero);
        V::select(drives, self.more, self.less) * torque_a.size()
    }

    #[inline(always)]
    fn dry_a(&self, v: V, towards: V) -> V {
        let forwards = towards.above(self.zero);
        let coulomb_a = V::select(forwards, self.coulomb_positive_a, self.coulomb_negative_a);
        if self.any_stribeck {
            let per_v2 = V::load(&self.p.stribeck_per_v2, self.part);
            coulomb_a + self.stribeck_a.over(self.one + v * v * per_v2)
        } else {
            coulomb_a
        }
    }

    /// A row of the exact substep, but for its load, in the order in which the walk adds it up.
    #[inline(always)]
    fn row(&self, row: &[Lane], now: &Now<V>, e: V, slope: V) -> V {
        let of_current = V::load(&row[2], self.part) * now.i + V::load(&row[3], self.part) * now.q;
        let of_error = V::load(&row[0], self.part) * e + V::load(&row[1], self.part) * now.v;
        V::load(&row[4], self.part) * slope + (of_current + of_error)
    }

    /// Whether what is asked for at the end, and what flows, is below the limit.
    #[inline(always)]
    fn below(&self, next: &Now<V>, slope: V, to_m: V) -> V::Mask {
        let wanted = self.kx * (to_m - next.x) + self.kff * slope;
        let asked_a = self.kv * (wanted - next.v) + next.q;
        V::both(asked_a.inside(self.limit_a), next.i.inside(self.limit_a))
    }

    /// A substep under this T, of an axis that moves on in it, and the load with which it does (A). The reported current is left for later.
    #[inline(always)]
    fn tried(&self, now: &Now<V>, free: &Free<V>, torque_a: V) -> (V::Mask, Now<V>, V) {
        let (moving, towards) = (&self.p.fine.abreast.0, free.towards);
        let load_a = self.disturbance_a + torque_a + self.gravity_a;
        let lost_a = self.lost_a(torque_a, towards);
        let on_velocity = V::load(&moving.velocity[6], self.part);
        let guess = free.velocity + on_velocity * (load_a + towards * (free.dry_a + lost_a));
        let mean = self.half * (now.v + guess);
        let b = load_a + towards * (self.dry_a(mean, towards) + lost_a);
        let next = Now {
            x: now.x + (free.way + V::load(&moving.way[6], self.part) * b),
            v: free.velocity + on_velocity * b,
            i: free.current + V::load(&moving.current[6], self.part) * b,
            q: free.integral + V::load(&moving.integral[6], self.part) * b,
            r: now.r,
        };
        let goes_on = V::both(
            (next.v * towards).above(self.zero),
            (guess * towards).above(self.zero),
        );
        // So small that nothing is left of both is next to a rest.
        let goes_on = V::both(goes_on, (now.v * next.v).above(self.zero));
        (
            V::both(goes_on, self.below(&next, free.slope, free.to_m)),
            next,
            b,
        )
    }

    /// A substep of axes that move: tried twice, and made with what follows from that.
    #[inline(always)]
    fn moving(&self, now: &Now<V>, begin: &Begin<V>, inertia: V) -> (V::Mask, Now<V>) {
        let moving = &self.p.fine.abreast.0;
        let towards = V::select(now.v.above(self.zero), self.one, self.zero - self.one);
        let (e, slope) = (begin.e, begin.slope);
        let free = Free {
            way: self.row(&moving.way, now, e, slope),
            velocity: self.row(&moving.velocity, now, e, slope),
            current: self.row(&moving.current, now, e, slope),
            integral: self.row(&moving.integral, now, e, slope),
            dry_a: self.dry_a(now.v, towards),
            slope,
            to_m: begin.to_m,
            towards,
        };
        let least = (begin.push_a - towards * free.dry_a) * self.bare;
        let first_a = self.torque_a(begin.standing_a, inertia, [least, self.bare], towards);
        let (first_good, first, _) = self.tried(now, &free, first_a);

        let (first_known, m) = self.between(now, &first);
        let (standing_a, inertia) = (self.standing_a(&m.0, m.1), self.inertia(&m.0));
        let paid_a = first_a + towards * self.lost_a(first_a, towards);
        let least = (first.v - now.v) * self.per_step_s + self.answers * paid_a;
        let second_a = self.torque_a(standing_a, inertia, [least, self.answers], towards);
        let (second_good, second, _) = self.tried(now, &free, second_a);
        let asked_a = standing_a + inertia * (first.v - now.v) * self.per_step_s;
        let first_off_a = asked_a.limited(self.largest_a) - first_a;

        let (second_known, m) = self.between(now, &second);
        let asked_a =
            self.standing_a(&m.0, m.1) + self.inertia(&m.0) * (second.v - now.v) * self.per_step_s;
        let off_a = asked_a.limited(self.largest_a) - second_a;
        let steepest = self.one + (self.one + self.more) * inertia * self.bare;
        let falls = (first_off_a - off_a).over(second_a - first_a);
        let falls = falls.larger(self.one).smaller(steepest);
        let third_a = (second_a + off_a.over(falls)).limited(self.largest_a);
        let (good, mut next, b) = self.tried(now, &free, third_a);
        let reported = &moving.reported;
        // The walk adds what is left of the reported current to the slope.
        let [of_r, of_slope] = V::each([&reported[7], &reported[4]], self.part);
        let [of_e, of_v, of_i] = V::each([&reported[0], &reported[1], &reported[2]], self.part);
        let [of_q, of_b] = V::each([&reported[3], &reported[6]], self.part);
        let free_r = (of_slope * slope + of_r * now.r)
            + ((of_i * now.i + of_q * now.q) + (of_e * e + of_v * now.v));
        next.r = free_r + of_b * b;

        let known = V::both(first_known, second_known);
        let good = V::both(V::both(first_good, second_good), good);
        (V::both(known, good), next)
    }

    /// A substep of axes that rest, under what their rams ask for at rest.
    #[inline(always)]
    fn resting(&self, now: &Now<V>, begin: &Begin<V>) -> (V::Mask, Now<V>) {
        let (zero, torque_a) = (self.zero, begin.standing_a);
        let steps = &self.p.fine.abreast.1;
        let forwards_a = self.lost_a(torque_a, self.one);
        let backwards_a = self.lost_a(torque_a, zero - self.one);
        let along_a = begin.push_a - torque_a;
        let back = zero.above(along_a);
        let coulomb_a = V::select(back, self.coulomb_negative_a, self.coulomb_positive_a);
        let lost_a = V::select(back, backwards_a, forwards_a);
        let stays = along_a.size().within(coulomb_a + self.stribeck_a + lost_a);
        let holds = [
            self.coulomb_positive_a + self.stribeck_a + forwards_a,
            self.coulomb_negative_a + self.stribeck_a + backwards_a,
        ];
        let load_a = self.disturbance_a + torque_a + self.gravity_a;
        let (e, slope) = (begin.e, begin.slope);
        let [of_e, of_i, of_q, of_slope] = self.columns(&steps.current, [0, 1, 2, 3]);
        let i = of_slope * slope + ((of_i * now.i + of_q * now.q) + of_e * e);
        let [of_e, of_slope] = self.columns(&steps.integral, [0, 1]);
        let q = of_slope * slope + (now.q + of_e * e);
        let [of_e, of_i, of_q, of_slope, of_r] = self.columns(&steps.reported, [0, 1, 2, 3, 5]);
        let r = (of_slope * slope + of_r * now.r) + ((of_i * now.i + of_q * now.q) + of_e * e);
        let next = Now {
            x: now.x,
            v: zero,
            i,
            q,
            r,
        };
        let held = V::both(
            self.held(now.i - load_a, holds),
            self.held(next.i - load_a, holds),
        );
        let below = self.below(&next, slope, begin.to_m);
        (V::both(V::both(stays, held), below), next)
    }

    #[inline(always)]
    fn columns<const N: usize, const M: usize>(
        &self,
        row: &[Lane; N],
        which: [usize; M],
    ) -> [V; M] {
        let mut columns = [self.zero; M];
        for n in 0..M {
            columns[n] = V::load(&row[which[n]], self.part);
        }
        columns
    }

    #[inline(always)]
    fn held(&self, push_a: V, [forwards_a, backwards_a]: [V; 2]) -> V::Mask {
        V::both(
            push_a.within(forwards_a),
            (self.zero - backwards_a).within(push_a),
        )
    }
}

/// What is chosen where the mask is set, what else elsewhere.
#[inline(always)]
fn chosen<V: Vector>(mask: V::Mask, yes: &Now<V>, no: &Now<V>) -> Now<V> {
    Now {
        x: V::select(mask, yes.x, no.x),
        v: V::select(mask, yes.v, no.v),
        i: V::select(mask, yes.i, no.i),
        q: V::select(mask, yes.q, no.q),
        r: V::select(mask, yes.r, no.r),
    }
}
