//! The part in a press, as a load current.
//!
//! A part with a stiffness is known on the way in: current rises with the way behind the contact. A part with a force curve is known on the way
//! back too, along its elastic line ([`mod@twinstep_models::press::workpiece`]). Its only memory is the deepest point that was measured. It is
//! forgotten when the ram is out of the part, when recipe or part change, or when the axis was lost and is found again. The curve is a table with a choice
//! at every row, so these few presses are worked on one by one.
//!
//! The force of a part stands still over a cycle. One on which the axis swings fast is a spring within the cycle, or a curve, line by line
//! ([`stiff`]); what is met behind a crank or a table is not.

mod linked;

use crate::plan::{LinkedPress, PartCurve, Plan};
use twinstep_models::axis::load::ContactFilter;
use twinstep_models::axis::stiff::{self, Met};
use twinstep_models::axis::{AxisState, LaneParams};
use twinstep_models::lane::{LANES, Lane, ZERO, larger};
use twinstep_models::press::linked::LARGEST_A;
use twinstep_models::press::workpiece::{Forming, Workpiece};
use twinstep_models::sample::Context;
use twinstep_models::simd::Vector;

/// Below this velocity on the way in (m/s) the ram is on its way back; while it holds, the velocity is noise around 0.
const RETURNING_M_PER_S: f64 = -1.0e-4;

/// No part is deeper (m): what a ram further off would meet is no larger, however wrong its position is.
const DEEPEST_M: f64 = 1000.0;

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
    formed: Formed,
    /// A bit for each press whose part is stiff: see [`stiff`].
    stiff: u8,
    /// None before the first cycle.
    context: Option<Context>,
}

/// What presses have that meet a part with a curve.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
struct Formed {
    /// A bit for each of them.
    presses: u8,
    /// Places of their curves in the plan.
    curve: [u16; LANES],
    /// Deepest way behind the contact that was measured in this part (m, >= 0).
    deepest_m: Lane,
    /// How far the ram is predicted to come back, by the end of the cycle, from a deeper point in it (m, >= 0): no sample shows that one.
    back_m: Lane,
}

/// What the presses of a lane meet, and what they stand behind.
#[derive(Clone, Copy)]
pub(crate) struct Presses<'a> {
    /// Curves of parts, those of the plan.
    pub curves: &'a [PartCurve],
    /// Those of the lane that stand behind a crank or a table.
    pub linked: &'a [LinkedPress],
}

/// The samples that a part remembers.
#[derive(Clone, Copy)]
enum Remembers<'a> {
    /// None: the position is a prediction.
    Nothing,
    /// Those of the axes with these bits, at the end of a cycle of which this was predicted.
    Measured(u8, Predicted<'a>),
}

/// Where the axes were predicted to be at the end of a cycle.
#[derive(Clone, Copy)]
struct Predicted<'a> {
    period_s: f64,
    twin: &'a AxisState,
}

impl Predicted<'_> {
    /// How far the ram of axis `l` has come back by its sample, `way_m` behind `contact_m`, where it was predicted to come back
    /// by `back_m` (m).
    ///
    /// Braked evenly by a, a ram has come back by `v^2 / 2 a`, v being its speed then. A sample that is deeper than predicted by
    /// e in a cycle of T is of a ram that came in faster, turned later, and is slower on its way back by `e / T`: else the part
    /// would be believed to be deeper than it was pressed, by up to e.
    fn came_back_m(
        &self,
        l: usize,
        back_m: f64,
        direction: f64,
        way_m: f64,
        contact_m: f64,
    ) -> f64 {
        if back_m <= 0.0 {
            return 0.0;
        }
        let (x, v) = (self.twin.position_m[l], self.twin.velocity_m_per_s[l]);
        let deeper_m = way_m - direction * (x - contact_m);
        let would_m = -direction * v * self.period_s;
        if deeper_m <= 0.0 {
            back_m
        } else if deeper_m < would_m {
            let share = 1.0 - deeper_m / would_m;
            back_m * share * share
        } else {
            0.0
        }
    }
}

impl PressLane {
    /// Nothing known yet.
    pub const NEW: Self = Self {
        contact_a: ZERO,
        contact_m: ZERO,
        stiffness_a_per_m: ZERO,
        direction: ZERO,
        filter: ContactFilter::EMPTY,
        formed: Formed {
            presses: 0,
            curve: [0; LANES],
            deepest_m: ZERO,
            back_m: ZERO,
        },
        stiff: 0,
        context: None,
    };

    /// The presses of lane `n` meet what they meet in this context.
    #[inline(always)]
    pub fn meet(&mut self, plan: &Plan<'_>, n: usize, context: Context) {
        let context = context.of_press();
        if self.context != Some(context) {
            self.change(plan, n, context);
        }
    }

    #[cold]
    #[inline(never)]
    fn change(&mut self, plan: &Plan<'_>, n: usize, context: Context) {
        self.context = Some(context);
        self.formed.presses = 0;
        self.stiff = 0;
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
            let curve = axis.and_then(|_| plan.curve(n * LANES + l, context));
            let mut stiffest_a_per_m = met.stiffness_a_per_m;
            self.formed.back_m[l] = 0.0;
            if let Some(curve) = curve {
                self.formed.presses |= 1 << l;
                // No more than MAX_CURVES are known.
                self.formed.curve[l] = curve as u16;
                self.formed.deepest_m[l] = 0.0;
                let table = table(plan.curves, curve);
                stiffest_a_per_m = table.map_or(0.0, Forming::stiffest_n_per_m);
            }
            if plan.linked_of(n).iter().all(|one| one.place() != l)
                && (plan.lanes.get(n)).is_some_and(|p| stiff::swings(p, l, stiffest_a_per_m))
            {
                self.stiff |= 1 << l;
            }
        }
    }

    /// Whether a part of the lane is stiff.
    #[inline(always)]
    pub const fn any_stiff(&self) -> bool {
        self.stiff != 0
    }

    /// The stiff parts that axes with the bits of `alone`, which are told positions alone, may meet in a cycle that begins so: on the way in, as
    /// in [`Self::touch`], and those with a curve on the way back too. Two cycles' way is as far as they may come in it.
    #[cold]
    #[inline(never)]
    pub fn met<'a>(
        &'a self,
        curves: &'a [PartCurve],
        p: &LaneParams,
        twin: &AxisState,
        alone: u8,
    ) -> Met<'a> {
        let formed = &self.formed;
        let mut met = Met {
            places: 0,
            contact_m: &self.contact_m,
            stiffness_a_per_m: &self.stiffness_a_per_m,
            direction: &self.direction,
            formed: [None; LANES],
            deepest_m: &formed.deepest_m,
        };
        for l in (0..LANES).filter(|l| self.stiff & alone & (1 << l) != 0) {
            let in_m_per_s = self.direction[l] * twin.velocity_m_per_s[l];
            let way_m = self.direction[l] * (twin.position_m[l] - self.contact_m[l]);
            let mut comes = in_m_per_s > RETURNING_M_PER_S;
            let (mut ahead_m, mut meets_m) = (2.0 * p.period_s * in_m_per_s, 0.0);
            if formed.presses & (1 << l) != 0 {
                met.formed[l] = table(curves, usize::from(formed.curve[l]));
                let Some(table) = met.formed[l] else {
                    continue;
                };
                comes = true;
                ahead_m = larger(ahead_m, 0.0);
                meets_m = table.meets_m(formed.deepest_m[l]);
            }
            if comes && way_m + ahead_m > meets_m && way_m < DEEPEST_M {
                met.places |= 1 << l;
            }
        }
        met
    }

    /// What [`stiff::advance_met`] has found of the presses that met their parts, or nothing where none was asked for.
    pub fn came_back(&mut self, back_m: Lane) {
        self.formed.back_m = back_m;
    }

    /// Load currents of the parts in the cycle of `period_s` that begins at these positions (m) and velocities (m/s), which are predictions.
    /// Nothing is known of the way back of a part without a curve.
    ///
    /// A force that stands still over a cycle leaves an error of second order where it is that of the middle, and of first order where it is
    /// that of the start (`models/tests/kernel_fine_steps.rs`).
    #[inline(always)]
    pub fn touch<V: Vector>(
        &mut self,
        period_s: f64,
        curves: &[PartCurve],
        x: V,
        v: V,
        part: usize,
    ) {
        let middle = x + V::splat(0.5 * period_s) * v;
        self.touched(curves, middle, v, Remembers::Nothing, part);
    }

    #[inline(always)]
    fn touched<V: Vector>(
        &mut self,
        curves: &[PartCurve],
        x: V,
        v: V,
        remembers: Remembers<'_>,
        part: usize,
    ) {
        let (zero, direction) = (V::splat(0.0), V::load(&self.direction, part));
        let stiffness = V::load(&self.stiffness_a_per_m, part);
        let way = direction * (x - V::load(&self.contact_m, part));
        let way = way.smaller(V::splat(DEEPEST_M));
        let meets = V::both(
            V::both(way.above(zero), stiffness.above(zero)),
            (direction * v).above(V::splat(RETURNING_M_PER_S)),
        );
        V::select(meets, direction * stiffness * way, zero).store(&mut self.contact_a, part);
        let formed = self.formed.presses & V::places(part);
        if formed != 0 {
            let mut ways_m = ZERO;
            way.store(&mut ways_m, part);
            self.form(curves, formed, &ways_m, remembers);
        }
    }

    /// Load currents of the parts with a curve, `formed` having the bits of their presses, this far behind their contacts (m).
    #[cold]
    #[inline(never)]
    fn form(&mut self, curves: &[PartCurve], formed: u8, ways_m: &Lane, remembers: Remembers<'_>) {
        for l in (0..LANES).filter(|l| formed & (1 << l) != 0) {
            let Some(curve) = curves.get(usize::from(self.formed.curve[l])) else {
                continue;
            };
            let (way_m, deepest_m) = (ways_m[l], &mut self.formed.deepest_m[l]);
            if let Remembers::Measured(used, predicted) = remembers
                && used & (1 << l) != 0
            {
                if way_m < -curve.clear_m {
                    *deepest_m = 0.0;
                } else {
                    let (back_m, contact_m) = (self.formed.back_m[l], self.contact_m[l]);
                    let direction = self.direction[l];
                    let back_m = predicted.came_back_m(l, back_m, direction, way_m, contact_m);
                    *deepest_m = larger(way_m + back_m, *deepest_m);
                }
            }
            let current_a = curve.workpiece.force_n(way_m, *deepest_m);
            self.contact_a[l] = self.direction[l] * current_a;
        }
    }

    /// [`Self::touch`] at the measured positions (m) of axes, those with the bits of `used` being samples, and the current takes its
    /// way through the filter of `current_load`. Returns what comes out of it (A). `twin` is what was predicted of these samples.
    ///
    /// The velocity `v` of an observer jumps where a part that was expected is not, and behind a linkage it counts with the Jacobian. There the ram is on its
    /// way back when the filtered velocity says so, by which strokes are judged: the filter then has all of the part until it has turned.
    #[inline(always)]
    pub fn filter<V: Vector>(
        &mut self,
        (p, presses, twin): (&LaneParams, &Presses<'_>, &AxisState),
        x: V,
        [v, filtered_v]: [V; 2],
        used: u8,
        part: usize,
    ) -> V {
        let period_s = p.period_s;
        let remembers = Remembers::Measured(used, Predicted { period_s, twin });
        if presses.linked.is_empty() {
            self.touched(presses.curves, x, v, remembers, part);
        } else {
            let (mut at, mut speed, mut filtered) = (ZERO, ZERO, ZERO);
            x.store(&mut at, part);
            v.store(&mut speed, part);
            filtered_v.store(&mut filtered, part);
            let mut linked = 0;
            for one in presses.linked {
                speed[one.place()] = filtered[one.place()];
                linked |= 1 << one.place();
            }
            // Axes that are their own rams go as far as these.
            let mut per_way = [1.0; LANES];
            let lanes = [&mut at, &mut speed, &mut per_way];
            Self::rams(presses.linked, V::places(part), lanes);
            let [x, v, per_way] = V::each([&at, &speed, &per_way], part);
            self.touched(presses.curves, x, v, remembers, part);
            // What the parts ask of the axes, and not of the rams; without losses, which jump where the axis turns.
            let own_a = V::load(&self.contact_a, part);
            let through_a = (per_way * own_a).limited(V::splat(LARGEST_A));
            // A press that is its own ram has what it would have in a lane without others.
            let contact_a = V::select(V::mask(linked, part), through_a, own_a);
            contact_a.store(&mut self.contact_a, part);
        }
        let contact_a = V::load(&self.contact_a, part);
        self.filter.push(p, contact_a, part)
    }

    /// The current of the part in the balance of this cycle (A).
    #[inline(always)]
    pub fn balanced_a<V: Vector>(&self, part: usize) -> V {
        self.filter.balanced_a(part)
    }

    /// What rams and losses, which are `beside_a` of the parts in the balance of this cycle, have in its filtered currents (A).
    #[inline(always)]
    pub fn beside_filtered_a<V: Vector>(&mut self, p: &LaneParams, beside_a: V, part: usize) -> V {
        self.filter.beside(p, beside_a, part)
    }

    /// What comes out of the filter (A).
    pub const fn filtered_a(&self) -> &Lane {
        self.filter.filtered_a()
    }

    /// Axis `l` is put where it was measured.
    pub fn lock(&mut self, l: usize) {
        self.filter.lock(l);
        self.formed.back_m[l] = 0.0;
    }

    /// Nothing is seen of axis `l` for longer than it coasts: another part may lie in the press when it is seen again.
    pub fn out_of_sight(&mut self, l: usize) {
        self.formed.deepest_m[l] = 0.0;
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

/// The table of a curve of the plan; none for what is no table.
fn table(curves: &[PartCurve], curve: usize) -> Option<&Forming> {
    match &curves.get(curve)?.workpiece {
        Workpiece::Forming(table) => Some(table),
        Workpiece::Fit(_) => None,
    }
}

#[cfg(test)]
mod tests;
