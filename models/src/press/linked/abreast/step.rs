//! A substep of presses side by side: [`Linked::ahead_near`] and the substep that it is for, operation by operation.
//!
//! [`Linked::ahead_near`]: super::super::Linked::ahead_near

#![allow(
    clippy::needless_range_loop,
    reason = "an iterator's adapter over vectors is not made for the unit"
)]

use super::super::{CLOSE, FASTEST_M_PER_S};
use super::{Cycle, Middles, Now};
use crate::lane::Lane;
use crate::simd::Vector;

/// A substep, and whether nothing happens in it.
pub(super) struct Stepped<V: Vector> {
    pub good: V::Mask,
    pub next: Now<V>,
    /// T of the axes that moved on (A), if any did.
    pub torque_a: Option<V>,
}

/// What a substep begins with.
struct Begin<V> {
    /// Error of the position (m), slope of the reference (m/s), and its end (m).
    e: V,
    slope: V,
    to_m: V,
    /// Where axes are expected in the middle of it (m), their rams there, and how J' changes (1/m2).
    ahead_m: V,
    ahead: Middles<V>,
    third: V,
    /// What the ram asks for without its acceleration, and what pushes the axis without dry friction (A).
    standing_a: V,
    push_a: V,
    /// T of the substep before (A).
    before_a: Option<V>,
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
    pub(super) fn substep(
        &self,
        now: &Now<V>,
        [from_m, to_m]: [V; 2],
        before_a: Option<V>,
    ) -> Stepped<V> {
        let slope = (to_m - from_m).over(self.step_s);
        let e = from_m - now.x;
        let asked_a = self.kv * (self.kx * e + self.kff * slope - now.v) + now.q;
        let ahead_m = now.x + self.half * self.step_s * now.v;
        let (near, ahead, third) = self.follow(ahead_m, now.v);
        let (known, standing_a) = self.standing_a(&ahead);
        let known = V::both(V::both(near, known), asked_a.inside(self.limit_a));
        let begin = Begin {
            e,
            slope,
            to_m,
            ahead_m,
            ahead,
            third,
            standing_a,
            push_a: now.i - self.disturbance_a - self.gravity_a - self.viscous * now.v,
            before_a,
        };
        let moves = now.v.size().above(self.zero);
        let stands = now.v.inside(self.zero);
        let mut stepped = Stepped {
            good: V::mask(0, self.part),
            next: *now,
            torque_a: None,
        };
        if V::bits(moves, self.part) != 0 {
            let (goes_on, moved, torque_a) = self.moving(now, &begin);
            stepped.good = V::both(moves, goes_on);
            stepped.next = moved;
            stepped.torque_a = Some(torque_a);
        }
        if V::bits(stands, self.part) != 0 {
            let (rests, rested) = self.resting(now, &begin);
            stepped.good = V::either(stepped.good, V::both(stands, rests));
            stepped.next = chosen(stands, &rested, &stepped.next);
        }
        stepped.good = V::both(known, stepped.good);
        stepped
    }

    /// The ram with the axis there and as fast, where its series holds, and how J' changes.
    #[inline(always)]
    fn follow(&self, x: V, v: V) -> (V::Mask, Middles<V>, V) {
        let d = x - self.middle_m;
        let holds = V::both(self.low_m.within(d), d.within(self.high_m));
        let [c0, c1, c2, c3, c4, c5] = self.series;
        let [n2, n3, n4, n5, n6] = [
            V::splat(2.0),
            V::splat(3.0),
            V::splat(4.0),
            V::splat(5.0),
            V::splat(6.0),
        ];
        let [n12, n20, n24, n60] = [
            V::splat(12.0),
            V::splat(20.0),
            V::splat(24.0),
            V::splat(60.0),
        ];
        let d2 = d * d;
        let middles = Middles {
            v,
            ram_m: (c0 + c1 * d) + ((c2 + c3 * d) + (c4 + c5 * d) * d2) * d2,
            per_way: (c1 + n2 * c2 * d) + ((n3 * c3 + n4 * c4 * d) + n5 * c5 * d2) * d2,
            bend_per_m: (n2 * c2 + n6 * c3 * d) + (n12 * c4 + n20 * c5 * d) * d2,
        };
        let third = (n6 * c3 + n24 * c4 * d) + n60 * c5 * d2;
        (holds, middles, third)
    }

    /// The ram in the middle of a substep that was tried, hardly beside where it was expected.
    #[inline(always)]
    fn between(&self, now: &Now<V>, begin: &Begin<V>, next: &Now<V>) -> Middles<V> {
        let way_m = self.half * (now.x + next.x) - begin.ahead_m;
        let m = &begin.ahead;
        Middles {
            v: self.half * (now.v + next.v),
            ram_m: m.ram_m + way_m * (m.per_way + self.half * way_m * m.bend_per_m),
            per_way: m.per_way + way_m * m.bend_per_m,
            bend_per_m: m.bend_per_m + way_m * begin.third,
        }
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

    /// T without the acceleration of the axis and without losses (A), where nothing of it is beyond what there may be.
    #[inline(always)]
    fn standing_a(&self, m: &Middles<V>) -> (V::Mask, V) {
        let (known, part_a) = self.part_a(m);
        let thrown_a = self.mass * m.bend_per_m * m.v * m.v;
        let carried_a = self.carried_a + self.carried_a_per_m * (m.ram_m - self.carried_at_m);
        let standing_a = m.per_way * (thrown_a + part_a + carried_a);
        let allowed = V::both(
            m.v.inside(V::splat(FASTEST_M_PER_S)),
            standing_a.inside(self.largest_a),
        );
        (V::both(known, allowed), standing_a)
    }

    #[inline(always)]
    fn inertia(&self, m: &Middles<V>) -> V {
        self.mass * m.per_way * m.per_way
    }

    /// T in the direction of the motion (A), likewise.
    #[inline(always)]
    fn torque_a(
        &self,
        standing_a: V,
        inertia: V,
        [free, answers]: [V; 2],
        towards: V,
    ) -> (V::Mask, V) {
        let lossless_a = standing_a + inertia * free;
        let drives = (lossless_a * towards).above(self.zero);
        let share = V::select(drives, self.one + self.more, self.one - self.less);
        (
            lossless_a.inside(self.largest_a),
            lossless_a.over(self.one + share * inertia * answers),
        )
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

    /// A substep under this T, of an axis that moves on in it, and the load with which it does (A). The reported current is left for
    /// later.
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
    fn moving(&self, now: &Now<V>, begin: &Begin<V>) -> (V::Mask, Now<V>, V) {
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
        let (mut known, first_a) = match begin.before_a {
            Some(before_a) => (V::mask(u8::MAX, self.part), before_a),
            None => {
                let least = (begin.push_a - towards * free.dry_a) * self.bare;
                let inertia = self.inertia(&begin.ahead);
                self.torque_a(begin.standing_a, inertia, [least, self.bare], towards)
            }
        };
        let (good, first, _) = self.tried(now, &free, first_a);
        known = V::both(known, good);

        let m = self.between(now, begin, &first);
        let (good, standing_a) = self.standing_a(&m);
        known = V::both(known, good);
        let inertia = self.inertia(&m);
        let paid_a = first_a + towards * self.lost_a(first_a, towards);
        let least = (first.v - now.v) * self.per_step_s + self.answers * paid_a;
        let of = [least, self.answers];
        let (good, second_a) = self.torque_a(standing_a, inertia, of, towards);
        known = V::both(known, good);
        let (good, mut second, b) = self.tried(now, &free, second_a);
        known = V::both(known, good);
        second.r = self.reported(now, begin, b);
        let first_asked_a = standing_a + inertia * (first.v - now.v) * self.per_step_s;
        known = V::both(known, first_asked_a.inside(self.largest_a));

        let m = self.between(now, begin, &second);
        let (good, standing_a) = self.standing_a(&m);
        known = V::both(known, good);
        let asked_a = standing_a + self.inertia(&m) * (second.v - now.v) * self.per_step_s;
        known = V::both(known, asked_a.inside(self.largest_a));
        let off_a = asked_a - second_a;
        let close = off_a.size().within(V::splat(CLOSE) * second_a.size());
        if V::bits(V::both(known, close), self.part) == V::bits(known, self.part) {
            return (known, second, second_a);
        }
        let first_off_a = first_asked_a - first_a;
        let steepest = self.one + (self.one + self.more) * inertia * self.bare;
        let falls = (first_off_a - off_a).over(second_a - first_a);
        let falls = falls.larger(self.one).smaller(steepest);
        let third_a = second_a + off_a.over(falls);
        let (good, mut third, b) = self.tried(now, &free, third_a);
        third.r = self.reported(now, begin, b);
        let good = V::both(good, third_a.inside(self.largest_a));
        known = V::both(known, V::either(close, good));
        let next = chosen(close, &second, &third);
        (known, next, V::select(close, second_a, third_a))
    }

    /// The reported current at the end under a load (A), with what is left of it as the walk adds it up.
    #[inline(always)]
    fn reported(&self, now: &Now<V>, begin: &Begin<V>, b: V) -> V {
        let row = &self.p.fine.abreast.0.reported;
        let of_current = V::load(&row[2], self.part) * now.i + V::load(&row[3], self.part) * now.q;
        let of_error = V::load(&row[0], self.part) * begin.e + V::load(&row[1], self.part) * now.v;
        let of_slope =
            V::load(&row[4], self.part) * begin.slope + V::load(&row[7], self.part) * now.r;
        of_slope + (of_current + of_error) + V::load(&row[6], self.part) * b
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
