//! A press behind a crank or a table: what its ram asks of the axis, as a load current.
//!
//! # Derivation
//! x is the way of the axis, `s(x)` the place of the ram, `J = ds/dx` and `J' = dJ/dx`. With `M0` what turns with the motor, m the mass of ram
//! and tool, the kinetic energy is `(M0 + m J^2) x'^2 / 2`, so that by Lagrange
//!
//! ```text
//! (M0 + m J^2) x'' + m J J' x'^2 = kf i - friction - Fg - J (F_part(s) + F_c(s))
//! ```
//!
//! `J x'' + J' x'^2` is the acceleration of the ram. F_c is the counterbalance less the weight of what it carries. Written in currents, with
//! `M0 / kf` the inertia of the axis, everything but that inertia is a load current:
//!
//! ```text
//! L(x, v, a) = T / kf,   T = J (m (J a + J' v^2) + F_part + F_c)
//! ```
//!
//! and the axis stays as it is ([`mod@crate::axis`]): one constant inertia and an exact step. What goes through the linkage costs: the
//! motor pays `T / eta` where it drives the ram, and gets back `T eta_b` where the ram drives it ([`mod@super::frame`]). That is a friction which goes
//! with T: `T (1 / eta - 1)` one way and `T (1 - eta_b)` the other. Ahead it is as much more dry friction of the axis ([`Burden`]), and holds it at
//! rest, stops it and turns around with it as that does. A velocity that was measured is noise at rest: there the loss rises with it up to the
//! velocity below which the axis stands. Friction of the ram in its guides is no figure of its own: what of it goes with the force is in the
//! efficiency, the rest in the friction of the axis.
//!
//! # One cycle ahead
//! Such an axis is stepped by itself, in the substeps of [`mod@crate::axis::walk`]. Over a substep the load stands still; it is
//! that of the middle of it, and of its mean acceleration a. That one is not known before the step, and a load that goes by the
//! acceleration of the substep before would diverge as soon as `m J^2 > M0`. So a substep is tried, first under the T of the
//! substep before, and in the first of a cycle, or out of a rest, under that of the balance of forces at its start. The step is
//! linear in what the motor pays, `dv1/dL = -c` being in its matrix: paying nothing its mean acceleration would be `f = (v1 - v)
//! / h + c / h L1`, h being its length and L1 what was paid. With T0, which is T without a, and J in the middle between start and
//! end of that pass, and e for 1 / eta or eta_b, the T under which the step ends as it says is
//!
//! ```text
//! T / kf = T0 / kf + m J^2 / kf a,   a = f - c / h e T / kf:   T / kf = (T0 / kf + m J^2 / kf f) / (1 + e m J^2 / kf c / h)
//! ```
//!
//! and with that it is tried again. At its start the same holds with `c / h = kf / M0`. Where the axis meets its limit or comes back from it
//! the step is not linear, and J is not quite that of the first pass anyway: the secant through both passes says which T it is, and with that the step is
//! made. What T is off by falls by 1 for each more of T at least, and by no more than the bare axis answers with: the secant is held between both. Where
//! the axis starts, stops or turns around T stays that of the second pass. A load that stands still leaves an error of second order in h, which grows with
//! `m J^2 / M0`: over a whole cycle it was that of Runge-Kutta and more with a heavy ram. `models/tests/linked.rs` has how far from the exact
//! solution it is, and that it holds up to [`RAM_SHARE_MAX`].
//!
//! Where the ram is comes from its power series around the middle of the cycle (`press/near.rs`), and the middle of a pass from that of the substep, by
//! J' and J''. Axes to which nothing happens in a cycle are stepped side by side ([`Abreast`]), operation by operation as one by itself is.

mod abreast;

pub use abreast::{Abreast, Parts};

use super::frame::{Counterbalance, ForceUnknown, Motor};
use super::near::Near;
use super::ram::Linkage;
use crate::axis::cascade::{AxisState, dry_friction_a};
use crate::axis::params::SUBSTEPS;
use crate::axis::told::Told;
use crate::axis::walk::{Burden, Walk, Ways, per_step_s, places};
use crate::axis::{LaneParams, Reference};
use crate::lane::clamp;

/// Largest inertia of the ram at the axis, `m J^2` at the largest J of the stroke, over that of what turns with the motor (1).
pub const RAM_SHARE_MAX: f64 = 4.0;

/// Beyond this velocity (m/s) no ram is thrown outwards any further: no axis is that fast, and a wrong one must not feed on itself.
const FASTEST_M_PER_S: f64 = 1000.0;
/// A T that is as near to what is asked for under it is taken (share of it): what is off by no more is far below what a load leaves out that stands
/// still over a substep.
const CLOSE: f64 = 1e-6;
/// No ram asks for more (A).
pub const LARGEST_A: f64 = 1e12;

/// What stands between an axis and its ram.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Linked {
    /// The crank or the table.
    pub linkage: Linkage,
    /// Force of the axis per current (as a torque constant, N/A, > 0), and the losses.
    pub motor: Motor,
    /// What carries the ram, less its weight.
    pub counterbalance: Counterbalance,
    /// Mass of ram and tool (kg, >= 0).
    pub ram_mass_kg: f64,
    /// Below this velocity (m/s, >= 0) an axis that was measured stands.
    pub standstill_m_per_s: f64,
}

/// Where the ram is, and how it follows the axis.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Middle {
    /// Velocity of the axis (m/s).
    pub axis_m_per_s: f64,
    /// Place of the ram (m).
    pub ram_m: f64,
    /// Way of the ram per way of the axis: J (1).
    pub per_way: f64,
    /// Its change per way of the axis: J' (1/m).
    pub bend_per_m: f64,
}

impl Middle {
    /// The same a small way (m) further on, at another velocity of the axis (m/s): `third` is how J' changes (1/m2).
    fn beside(&self, third: f64, way_m: f64, axis_m_per_s: f64) -> Self {
        Self {
            axis_m_per_s,
            ram_m: self.ram_m + way_m * (self.per_way + 0.5 * way_m * self.bend_per_m),
            per_way: self.per_way + way_m * self.bend_per_m,
            bend_per_m: self.bend_per_m + way_m * third,
        }
    }

    /// Velocity of the ram (m/s).
    pub fn ram_m_per_s(&self) -> f64 {
        self.per_way * self.axis_m_per_s
    }
}

impl Linked {
    /// The ram with the axis at `axis_m` (m), moving at `axis_m_per_s` (m/s).
    pub fn at(&self, axis_m: f64, axis_m_per_s: f64) -> Middle {
        let (ram_m, per_way, bend_per_m) = self.linkage.follow(axis_m);
        Middle {
            axis_m_per_s,
            ram_m,
            per_way,
            bend_per_m,
        }
    }

    /// The same for what asks where the ram is and how fast, and not what force throws it: J' stays 0.
    pub fn place(&self, axis_m: f64, axis_m_per_s: f64) -> Middle {
        let (ram_m, per_way) = self.linkage.travel(axis_m);
        Middle {
            axis_m_per_s,
            ram_m,
            per_way,
            bend_per_m: 0.0,
        }
    }

    /// Around where an axis will be in the middle of a cycle that begins here (m) and so fast (m/s).
    fn near(&self, axis_m: f64, axis_m_per_s: f64, period_s: f64) -> Near {
        self.linkage.near(axis_m + 0.5 * period_s * axis_m_per_s)
    }

    /// [`Self::at`], of what is near as far as that reaches, and how J' changes per way of the axis (1/m2): taken for 0 beyond.
    fn at_near(&self, near: &Near, axis_m: f64, axis_m_per_s: f64) -> (Middle, f64) {
        let Some([ram_m, per_way, bend_per_m, third]) = near.follow(axis_m) else {
            return (self.at(axis_m, axis_m_per_s), 0.0);
        };
        let m = Middle {
            axis_m_per_s,
            ram_m,
            per_way,
            bend_per_m,
        };
        (m, third)
    }

    /// The ram in the middle of a time of `step_s` (s) that begins with this position (m) and velocity (m/s) of the axis, which goes on as fast as
    /// it is.
    fn ahead(&self, [x, v]: [f64; 2], step_s: f64) -> Middle {
        self.at(x + 0.5 * step_s * v, v)
    }

    /// The ram in the middle between two positions (m) and velocities (m/s) of the axis.
    pub fn between(&self, [x0, v0]: [f64; 2], [x1, v1]: [f64; 2]) -> Middle {
        self.at(0.5 * (x0 + x1), 0.5 * (v0 + v1))
    }

    /// 1 / force constant (A/N).
    fn per_kf(&self) -> f64 {
        1.0 / self.motor.torque_constant_nm_per_a
    }

    /// What the ram's inertia is at the axis (A s2/m).
    fn inertia(&self, m: &Middle) -> f64 {
        self.ram_mass_kg * self.per_kf() * m.per_way * m.per_way
    }

    /// Whether an axis that was measured stands.
    pub fn stands(&self, m: &Middle) -> bool {
        m.axis_m_per_s * m.axis_m_per_s < self.standstill_m_per_s * self.standstill_m_per_s
    }

    /// T without the acceleration of the axis, and without losses (A). `part_a` is the force of the part over the force constant.
    fn standing_a(&self, m: &Middle, part_a: f64) -> f64 {
        let per_kf = self.per_kf();
        let v = clamp(m.axis_m_per_s, FASTEST_M_PER_S);
        let thrown_a = self.ram_mass_kg * per_kf * m.bend_per_m * v * v;
        let of = &self.counterbalance;
        let carried_a = of.constant_n * per_kf + of.rate_n_per_m * per_kf * (m.ram_m - of.at_m);
        clamp(m.per_way * (thrown_a + part_a + carried_a), LARGEST_A)
    }

    /// What one more of T costs where the motor drives the ram, and one less gives back where the ram drives it.
    fn losses(&self) -> (f64, f64) {
        (
            1.0 / self.motor.efficiency - 1.0,
            1.0 - self.motor.efficiency_back,
        )
    }

    /// What the motor pays for each of T: more than 1 where it drives the ram, less where the ram drives it. The velocity is `along` T, and the
    /// loss whole at 1.
    fn paid(&self, along: f64) -> f64 {
        let (more, less) = self.losses();
        let along = clamp(along, 1.0);
        if along > 0.0 {
            1.0 + more * along
        } else {
            1.0 + less * along
        }
    }

    /// The same where it was measured.
    fn measured(&self, m: &Middle, torque_a: f64) -> f64 {
        let (v, stands) = (m.axis_m_per_s, self.standstill_m_per_s);
        let forwards = if self.stands(m) {
            v / stands
        } else if v > 0.0 {
            1.0
        } else if v < 0.0 {
            -1.0
        } else {
            0.0
        };
        self.paid(if torque_a > 0.0 {
            forwards
        } else if torque_a < 0.0 {
            -forwards
        } else {
            0.0
        })
    }

    /// The load of an axis that was measured to move and accelerate so (A), `part_a` being the force of the part over the force constant.
    pub fn load_a(&self, m: &Middle, axis_m_per_s2: f64, part_a: f64) -> f64 {
        let torque_a = clamp(
            self.standing_a(m, part_a) + self.inertia(m) * axis_m_per_s2,
            LARGEST_A,
        );
        torque_a * self.measured(m, torque_a)
    }

    /// What the ram alone asks of an axis that moves and accelerates so, without losses (A).
    fn ram_a(&self, m: &Middle, axis_m_per_s2: f64) -> f64 {
        self.standing_a(m, 0.0) + self.inertia(m) * axis_m_per_s2
    }

    /// What the load of an axis that was measured to move and accelerate so has beside a part, which is `through_a`, without losses (A): the
    /// ram, and the losses of both.
    pub fn beside_a(&self, m: &Middle, axis_m_per_s2: f64, through_a: f64) -> f64 {
        let torque_a = clamp(self.ram_a(m, axis_m_per_s2) + through_a, LARGEST_A);
        torque_a * self.measured(m, torque_a) - through_a
    }

    /// What a part did ask of that axis, without losses (A), where `rest_a` (A) of the current is beyond what `through_a` of it explains with
    /// [`Self::beside_a`]. The losses are those of ram and part together, as they were and not as they were predicted. A drive that
    /// locks itself says nothing below `least_a` (A): it pays 0 for whatever drives it.
    ///
    /// # Errors
    /// [`ForceUnknown::SelfLocking`] where the current says nothing of it.
    pub fn asked_a(
        &self,
        m: &Middle,
        axis_m_per_s2: f64,
        [through_a, rest_a]: [f64; 2],
        least_a: f64,
    ) -> Result<f64, ForceUnknown> {
        let ram_a = self.ram_a(m, axis_m_per_s2);
        let explained_a = through_a + self.beside_a(m, axis_m_per_s2, through_a);
        let paid_a = explained_a + rest_a;
        let share = self.measured(m, paid_a);
        let drives = paid_a * m.axis_m_per_s > 0.0 && paid_a * paid_a >= least_a * least_a;
        if self.motor.efficiency_back > 0.0 || drives {
            Ok(paid_a / share - ram_a)
        } else {
            Err(ForceUnknown::SelfLocking)
        }
    }

    /// T (A) in the direction of `along`, of an axis that without it would have the mean acceleration `free` (m/s2), which answers to a load
    /// with `answers` (m/s2 per A, > 0): under what it pays for this T it has the acceleration that T is made of.
    fn torque_a(
        &self,
        (standing_a, inertia): (f64, f64),
        (free, answers): (f64, f64),
        along: f64,
    ) -> f64 {
        // Who drives whom does not depend on what that costs.
        let lossless_a = clamp(standing_a + inertia * free, LARGEST_A);
        let share = self.paid(if lossless_a * along > 0.0 { 1.0 } else { -1.0 });
        lossless_a / (1.0 + share * inertia * answers)
    }

    /// What an axis is under whose ram asks for `torque_a` (A): that, and its losses either way.
    fn burden(&self, torque_a: f64) -> Burden {
        let (more, less) = self.losses();
        let friction_a = if torque_a > 0.0 {
            [more * torque_a, less * torque_a]
        } else {
            [-less * torque_a, -more * torque_a]
        };
        Burden {
            load_a: torque_a,
            friction_a,
        }
    }

    /// What acts on place `l` of a lane in the time that begins with the velocity `v` (m/s) and `current_a` (A), less what is held for a disturbance, as far as it can be
    /// known, and in which direction the axis goes (none: it rests): `m` is [`Self::ahead`], `part_a` the force of the part there over the force
    /// constant.
    fn first(
        &self,
        (p, l): (&LaneParams, usize),
        (v, current_a): (f64, f64),
        m: &Middle,
        part_a: f64,
    ) -> (Burden, Option<f64>) {
        let push_a = current_a - p.gravity_a[l] - p.viscous[l] * v;
        let (standing_a, inertia) = (self.standing_a(m, part_a), self.inertia(m));
        // At rest the direction is that in which it is pushed.
        let along = if v != 0.0 { v } else { push_a - standing_a };
        let direction = if along < 0.0 { -1.0 } else { 1.0 };
        let towards = if v != 0.0 {
            v
        } else {
            direction * f64::MIN_POSITIVE
        };
        let dry_a = dry_friction_a(p, l, towards);
        let rests = self.burden(standing_a);
        if v == 0.0 && along * direction <= dry_a + rests.friction_a(direction) {
            return (rests, None);
        }
        let answers = p.acceleration_per_a[l];
        let free = (push_a - direction * dry_a) * answers;
        let torque_a = self.torque_a((standing_a, inertia), (free, answers), direction);
        (self.burden(torque_a), Some(direction))
    }

    /// What acts on an axis in the substep that comes, by its own mean acceleration. `part_a` is the force of a part over the force
    /// constant (A), with the ram there.
    pub fn ahead_of(&self, walk: &Walk<'_>, part_a: impl Fn(&Middle) -> f64) -> Burden {
        let ([x, v, ..], (p, _)) = (walk.now(), walk.axis());
        let near = self.near(x, v, p.step_s);
        self.ahead_near(walk, &near, None, part_a).0
    }

    /// The same with what is near in its cycle, and with the T of the substep before, if the axis has moved on in it: that is as good to begin
    /// with as the balance of forces. Beside it stands the T of this one, if it moves on.
    fn ahead_near(
        &self,
        walk: &Walk<'_>,
        near: &Near,
        before_a: Option<f64>,
        part_a: impl Fn(&Middle) -> f64,
    ) -> (Burden, Option<f64>) {
        let (p, l) = walk.axis();
        let per_step_s = per_step_s(p);
        let [x0, v0, i0, _, _] = walk.now();
        let ahead_m = x0 + 0.5 * p.step_s * v0;
        let (ahead, third) = self.at_near(near, ahead_m, v0);
        let first = if let Some(torque_a) = before_a.filter(|_| v0 != 0.0) {
            self.burden(torque_a)
        } else {
            let current_a = i0 - walk.disturbance_a();
            let part_a = part_a(&ahead);
            self.first((p, l), (v0, current_a), &ahead, part_a).0
        };
        let [x1, v1, ..] = walk.tried(&first);
        if v0 == 0.0 && v1 == 0.0 {
            return (first, None);
        }
        // The middle of what was tried is hardly beside what was expected.
        let between =
            |x1: f64, v1: f64| ahead.beside(third, 0.5 * (x0 + x1) - ahead_m, 0.5 * (v0 + v1));
        let m = between(x1, v1);
        let along = if v0 != 0.0 { v0 } else { v1 };
        let direction = if along < 0.0 { -1.0 } else { 1.0 };
        // How the mean acceleration answers to a load: as that of the bare axis where its loops turn it around within the step.
        let loops = -walk.by_load() * per_step_s;
        let bare = p.acceleration_per_a[l];
        let answers = if loops > 0.0 && loops.is_finite() {
            loops
        } else {
            bare
        };
        let paid_a = first.load_a + direction * first.friction_a(direction);
        let free = (v1 - v0) * per_step_s + answers * paid_a;
        let (standing_a, inertia) = (self.standing_a(&m, part_a(&m)), self.inertia(&m));
        let torque_a = self.torque_a((standing_a, inertia), (free, answers), direction);
        let burden = self.burden(torque_a);
        let [x2, v2, ..] = walk.tried(&burden);
        if v0 * v1 <= 0.0 || v0 * v2 <= 0.0 {
            // A mean acceleration over a rest is not that of the motion: a T that goes by it more closely is no better.
            return (burden, None);
        }
        // By how much the ram asks for more under each of these than it was taken to ask for.
        let asked_a = standing_a + inertia * (v1 - v0) * per_step_s;
        let first_off_a = clamp(asked_a, LARGEST_A) - first.load_a;
        let m = between(x2, v2);
        let asked_a = self.standing_a(&m, part_a(&m)) + self.inertia(&m) * (v2 - v0) * per_step_s;
        let off_a = clamp(asked_a, LARGEST_A) - torque_a;
        if off_a.abs() <= CLOSE * torque_a.abs() {
            return (burden, Some(torque_a));
        }
        // It falls by 1 for each more of T at least, and by no more than the bare axis answers with.
        let (more, _) = self.losses();
        let steepest = 1.0 + (1.0 + more) * inertia * bare;
        let slope = (first_off_a - off_a) / (torque_a - first.load_a);
        let slope = if slope > 1.0 { slope } else { 1.0 };
        let slope = if slope < steepest { slope } else { steepest };
        let torque_a = clamp(torque_a + off_a / slope, LARGEST_A);
        (self.burden(torque_a), Some(torque_a))
    }

    /// Advances place `l` by a cycle, from `before` into `after`. `part_a` is the force of a part over the force constant (A), with the ram there.
    pub fn walk(&self, mut walk: Walk<'_>, part_a: impl Fn(&Middle) -> f64, after: &mut AxisState) {
        let (p, _) = walk.axis();
        let [x, v, ..] = walk.now();
        let near = self.near(x, v, p.period_s);
        let mut torque_a = None;
        for _ in 0..SUBSTEPS {
            let burden;
            (burden, torque_a) = self.ahead_near(&walk, &near, torque_a, &part_a);
            walk.step(&burden);
        }
        walk.end(after);
    }
}

impl Linked {
    /// Advances the axes with the bits of `these` by one cycle, each with this ram and nothing in the press.
    pub fn advance(
        &self,
        p: &LaneParams,
        reference: &Reference,
        told: &Told,
        these: u8,
        s: &mut AxisState,
    ) {
        let ways = Ways::of(p, reference);
        for l in places(these) {
            let walk = Walk::begin(p, l, &ways, told, s);
            self.walk(walk, |_| 0.0, s);
        }
    }

    /// The force of a part over the force constant (A), of an axis that was measured to move and accelerate so under a load of `load_a` (A); none where
    /// the load says nothing of it.
    pub fn part_a(&self, m: &Middle, axis_m_per_s2: f64, load_a: f64) -> Option<f64> {
        let share = self.measured(m, load_a);
        let size = if m.per_way < 0.0 {
            -m.per_way
        } else {
            m.per_way
        };
        let rest_a = load_a / share - self.ram_a(m, axis_m_per_s2);
        (share > 0.0 && size >= self.linkage.least()).then_some(rest_a / m.per_way)
    }

    /// The load (A) under which a current of `current_a` drives place `l` at `axis_m` (m) and `v` (m/s) over a cycle, with nothing in
    /// the press.
    pub fn driven_a(&self, p: &LaneParams, l: usize, axis_m: f64, v: f64, current_a: f64) -> f64 {
        let m = self.ahead([axis_m, v], p.period_s);
        let (burden, direction) = self.first((p, l), (v, current_a), &m, 0.0);
        let Some(direction) = direction else {
            // What the losses hold is nothing that pushes.
            let [forwards_a, backwards_a] = burden.friction_a;
            let rest_a = current_a - p.gravity_a[l] - burden.load_a;
            let above_a = if rest_a > -backwards_a {
                rest_a
            } else {
                -backwards_a
            };
            return burden.load_a
                + if above_a < forwards_a {
                    above_a
                } else {
                    forwards_a
                };
        };
        burden.load_a + direction * burden.friction_a(direction)
    }
}
