//! The part in a press, as a load current.

use crate::plan::Plan;
use twinstep_models::axis::LaneParams;
use twinstep_models::axis::load::ContactFilter;
use twinstep_models::lane::{LANES, Lane, ZERO};
use twinstep_models::sample::Context;
use twinstep_models::simd::Vector;

/// Below this velocity on the way in (m/s) the ram is on its way back; while it holds, the velocity is noise around 0.
const RETURNING_M_PER_S: f64 = -1.0e-4;

/// What the presses of a lane have beside other axes. Where no axis is a press which knows a part nothing of it is touched.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[repr(align(64))]
pub(crate) struct PressLane {
    /// What the part asks of the drive (A); 0 for axes that are no presses.
    pub contact_a: Lane,
    /// What is met in `context`: see [`twinstep_models::press::Contact`].
    contact_m: Lane,
    stiffness_a_per_m: Lane,
    direction: Lane,
    filter: ContactFilter,
    /// None before the first cycle.
    context: Option<Context>,
}

impl PressLane {
    /// Nothing known yet.
    pub const NEW: Self = Self {
        contact_a: ZERO,
        contact_m: ZERO,
        stiffness_a_per_m: ZERO,
        direction: ZERO,
        filter: ContactFilter::EMPTY,
        context: None,
    };

    /// The presses of lane `n` meet what they meet in this context.
    #[inline(always)]
    pub fn meet(&mut self, plan: &Plan<'_>, n: usize, context: Context) {
        if self.context != Some(context) {
            self.change(plan, n, context);
        }
    }

    #[cold]
    #[inline(never)]
    fn change(&mut self, plan: &Plan<'_>, n: usize, context: Context) {
        self.context = Some(context);
        let presses = plan.judges.get(n).map_or(0, |judge| judge.presses);
        for l in 0..LANES {
            let axis = plan
                .axes
                .get(n * LANES + l)
                .filter(|_| presses & (1 << l) != 0);
            // A recording may name a part that this plan does not know: nothing is in the press then.
            let met = axis.and_then(|axis| axis.contact(context)).copied();
            let met = met.unwrap_or_default();
            self.contact_m[l] = met.contact_m;
            self.stiffness_a_per_m[l] = met.stiffness_a_per_m;
            self.direction[l] = met.direction;
        }
    }

    /// Load currents of the parts on the way in, at these positions (m) and velocities (m/s); nothing is known of the way back.
    #[inline(always)]
    pub fn touch<V: Vector>(&mut self, x: V, v: V, part: usize) {
        let (zero, direction) = (V::splat(0.0), V::load(&self.direction, part));
        let stiffness = V::load(&self.stiffness_a_per_m, part);
        let way = direction * (x - V::load(&self.contact_m, part));
        let meets = V::both(
            V::both(way.above(zero), stiffness.above(zero)),
            (direction * v).above(V::splat(RETURNING_M_PER_S)),
        );
        V::select(meets, direction * stiffness * way, zero).store(&mut self.contact_a, part);
    }

    /// [`Self::touch`], and the current takes its way through the filter of `current_load`. Returns what comes out of it (A).
    #[inline(always)]
    pub fn filter<V: Vector>(&mut self, p: &LaneParams, x: V, v: V, part: usize) -> V {
        self.touch(x, v, part);
        let contact_a = V::load(&self.contact_a, part);
        self.filter.push(p, contact_a, part)
    }

    /// The current of the part in the balance of this cycle (A).
    #[inline(always)]
    pub fn balanced_a<V: Vector>(&self, part: usize) -> V {
        self.filter.balanced_a(part)
    }

    /// What comes out of the filter (A).
    pub const fn filtered_a(&self) -> &Lane {
        self.filter.filtered_a()
    }

    /// Axis `l` is put where it was measured.
    pub fn lock(&mut self, l: usize) {
        self.filter.lock(l);
    }

    /// Bits of the axes that a part stands in the way of at these positions (m), whatever the direction of the motion.
    #[inline(always)]
    pub fn in_a_part<V: Vector>(&self, x: V, part: usize) -> u8 {
        let way = V::load(&self.direction, part) * (x - V::load(&self.contact_m, part));
        let stiffness = V::load(&self.stiffness_a_per_m, part);
        let zero = V::splat(0.0);
        V::bits(V::both(way.above(zero), stiffness.above(zero)), part)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use twinstep_models::simd::Portable;

    #[test]
    fn a_part_is_felt_on_the_way_in_and_by_its_own_press_alone() {
        let mut press = PressLane::NEW;
        press.contact_m[5] = 0.25;
        press.stiffness_a_per_m[5] = 100.0;
        press.direction[5] = 1.0;
        let mut felt = |x: f64, v: f64| {
            let mut in_a_part = 0;
            for part in 0..Portable::PARTS {
                press.touch(Portable::splat(x), Portable::splat(v), part);
                in_a_part |= press.in_a_part(Portable::splat(x), part);
            }
            let others = press.contact_a.iter().enumerate().filter(|(l, _)| *l != 5);
            assert!(others.map(|(_, a)| *a).all(|a| a == 0.0));
            (press.contact_a[5], in_a_part)
        };
        assert_eq!(felt(1.0, 0.1), (75.0, 1 << 5));
        assert_eq!(felt(0.2, 0.1), (0.0, 0));
        // While it holds the velocity is noise; on the way back nothing is known, but the part is there.
        assert_eq!(felt(1.0, -0.5e-4), (75.0, 1 << 5));
        assert_eq!(felt(1.0, -0.1), (0.0, 1 << 5));
    }
}
