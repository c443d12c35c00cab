//! The presses of a lane that stand behind a crank or a table: see [`mod@twinstep_models::press::linked`].
//!
//! The ram is not where the axis is: what it meets is looked for where the ram is, as a force over the force constant, and goes through the Jacobian to
//! the axis. Behind, these few are worked on one by one. Ahead, ram and part are one load. Behind, the current of the part is kept apart from
//! that of the ram, because it tells that it is being pressed, how stiff a press is, and what force a stroke had; what the ram
//! asks for by its motion, and what all of it loses on its way, stands in the balance of `current_load` beside it, with the acceleration of the very
//! samples that the balance is of: it passes the same filter as all else.

use super::{DEEPEST_M, PressLane, Presses, RETURNING_M_PER_S};
use crate::plan::{LinkedPress, PartCurve};
use twinstep_models::axis::load::{LoadFilter, Newest};
use twinstep_models::axis::told::Told;
use twinstep_models::axis::walk::{Walk, Ways};
use twinstep_models::axis::{AxisState, LaneParams, Reference};
use twinstep_models::lane::{LANES, Lane, ZERO};
use twinstep_models::press::linked::{Abreast, Middle, Parts};
use twinstep_models::simd::{Portable, Vector};

impl LinkedPress {
    /// Its place in its lane.
    pub(crate) fn place(&self) -> usize {
        usize::from(self.axis) % LANES
    }

    /// The bit of that place.
    pub(crate) fn bit(&self) -> u8 {
        1 << self.place()
    }
}

impl PressLane {
    /// Steps the axes of these presses by a cycle, from `before` into `after`, with their rams and what these meet: side by side as long as
    /// nothing happens to them, and one by one where it does.
    #[inline(always)]
    pub fn walk<V: Vector>(
        &self,
        (p, reference, told): (&LaneParams, &Reference, &Told),
        presses: &Presses<'_>,
        before: &AxisState,
        after: &mut AxisState,
    ) {
        let mut rams = Abreast::NONE;
        for one in presses.linked {
            rams.put(p, one.place(), &one.linked, before);
        }
        let parts = Parts {
            contact_m: &self.contact_m,
            stiffness_a_per_m: &self.stiffness_a_per_m,
            direction: &self.direction,
            formed: self.formed.presses,
            deepest_m: DEEPEST_M,
            returning_m_per_s: RETURNING_M_PER_S,
        };
        let stepped = rams.advance::<V>((p, reference, !told.any()), &parts, before, after);
        if presses.linked.iter().any(|one| stepped & one.bit() == 0) {
            self.one_by_one((p, reference, told), presses, stepped, before, after);
        }
    }

    /// Those that are not stepped yet.
    #[cold]
    #[inline(never)]
    fn one_by_one(
        &self,
        (p, reference, told): (&LaneParams, &Reference, &Told),
        presses: &Presses<'_>,
        stepped: u8,
        before: &AxisState,
        after: &mut AxisState,
    ) {
        let ways = Ways::of(p, reference);
        for (one, l) in at_places(presses.linked, !stepped) {
            let walk = Walk::begin(p, l, &ways, told, before);
            let part_a = |ram: &Middle| self.part_a(presses.curves, l, ram);
            one.linked.walk(walk, part_a, after);
        }
    }

    /// The current of the part at place `l` with the ram there (A), which is a prediction: that of [`Self::touched`].
    fn part_a(&self, curves: &[PartCurve], l: usize, ram: &Middle) -> f64 {
        let direction = self.direction[l];
        let way_m = direction * (ram.ram_m - self.contact_m[l]);
        let way_m = if way_m < DEEPEST_M { way_m } else { DEEPEST_M };
        if self.formed.presses & (1 << l) != 0 {
            let curve = curves.get(usize::from(self.formed.curve[l]));
            let deepest_m = self.formed.deepest_m[l];
            return curve.map_or(0.0, |curve| {
                direction * curve.workpiece.force_n(way_m, deepest_m)
            });
        }
        let comes = direction * ram.ram_m_per_s() > RETURNING_M_PER_S;
        if comes && way_m > 0.0 && self.stiffness_a_per_m[l] > 0.0 {
            direction * self.stiffness_a_per_m[l] * way_m
        } else {
            0.0
        }
    }

    /// Puts the rams of `places` into the places of their axes: where they were measured to be (m) and how fast (m/s). Where an axis
    /// stands its ram does: while it holds and the frame springs a little, it is on no way back. `per_way` becomes how far each goes per way of
    /// its axis.
    #[cold]
    #[inline(never)]
    pub(super) fn rams(linked: &[LinkedPress], places: u8, [x, v, per_way]: [&mut Lane; 3]) {
        for (one, l) in at_places(linked, places) {
            let at = one.linked.place(x[l], v[l]);
            let stands = one.linked.stands(&at);
            (x[l], v[l]) = (at.ram_m, if stands { 0.0 } else { at.ram_m_per_s() });
            per_way[l] = at.per_way;
        }
    }

    /// What is in the balance of this cycle beside the parts of `places`, whose currents are `parts_a` (A): what the rams ask for by
    /// their motion, and the losses of both.
    #[cold]
    #[inline(never)]
    pub fn beside(
        p: &LaneParams,
        (filter, newest): (&LoadFilter, Newest),
        (linked, places): (&[LinkedPress], u8),
        parts_a: &Lane,
    ) -> Lane {
        let mut beside_a = ZERO;
        for (one, l) in at_places(linked, places) {
            let [x1, x2, x3] = filter.around(newest, l);
            let v = (x1 - x3) * (0.5 * p.per_s);
            let a = (x1 - 2.0 * x2 + x3) * (p.per_s * p.per_s);
            beside_a[l] = (one.linked).beside_a(&one.linked.at(x2, v), a, parts_a[l]);
        }
        beside_a
    }

    /// What is left of these currents (A) for axes of `places` in a free run, at these positions (m) and velocities (m/s), when their rams are moved.
    #[cold]
    #[inline(never)]
    pub fn driven(
        p: &LaneParams,
        (linked, places): (&[LinkedPress], u8),
        [x, v]: [&Lane; 2],
        current_a: &Lane,
    ) -> Lane {
        let mut left = *current_a;
        for (one, l) in at_places(linked, places) {
            left[l] -= one.linked.driven_a(p, l, x[l], v[l], current_a[l]);
        }
        left
    }

    /// [`Self::in_a_part`] where the ram is not where the axis is, of a part of the lane.
    #[cold]
    #[inline(never)]
    pub fn rams_in_parts(&self, linked: &[LinkedPress], places: u8, x: &Lane) -> u8 {
        let (mut x, mut v, mut per_way) = (*x, ZERO, ZERO);
        Self::rams(linked, places, [&mut x, &mut v, &mut per_way]);
        let bits = (0..Portable::PARTS).fold(0, |bits, part| {
            bits | self.in_a_part(Portable::load(&x, part), part)
        });
        bits & places
    }
}

/// The presses at `places`, and which ones these are.
fn at_places(linked: &[LinkedPress], places: u8) -> impl Iterator<Item = (&LinkedPress, usize)> {
    (linked.iter().map(|one| (one, one.place()))).filter(move |(_, l)| places & (1_u8 << *l) != 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use twinstep_models::press::frame::{Counterbalance, Motor};
    use twinstep_models::press::kinematics::Kinematics;
    use twinstep_models::press::linked::Linked;
    use twinstep_models::press::ram::Linkage;

    fn behind_a_crank(axis: u16) -> LinkedPress {
        let kinematics = Kinematics::crank(0.06, 0.3).unwrap();
        LinkedPress {
            axis,
            linked: Linked {
                linkage: Linkage::new(kinematics, 1.0, 0.0, [0.1, 3.0]),
                motor: Motor {
                    torque_constant_nm_per_a: 50.0,
                    efficiency: 1.0,
                    efficiency_back: 1.0,
                },
                counterbalance: Counterbalance {
                    constant_n: 0.0,
                    rate_n_per_m: 0.0,
                    at_m: 0.0,
                },
                ram_mass_kg: 100.0,
                standstill_m_per_s: 1e-3,
            },
        }
    }

    /// A free run looks at a lane part by part, and what it has not come to yet is where it was a cycle ago.
    #[test]
    fn rams_of_other_parts_of_a_lane_are_not_looked_at() {
        let mut press = PressLane::NEW;
        for l in [0, 5] {
            press.contact_m[l] = 0.05;
            press.stiffness_a_per_m[l] = 100.0;
            press.direction[l] = 1.0;
        }
        let linked = [behind_a_crank(0), behind_a_crank(5)];
        let mut x = ZERO;
        // One near its upper dead centre, one near the lower.
        (x[0], x[5]) = (0.2, 3.0);
        assert_eq!(press.rams_in_parts(&linked, u8::MAX, &x), 1 << 5);
        assert_eq!(press.rams_in_parts(&linked, 0b11, &x), 0);
    }
}
