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
//! motor pays `T / eta` where it drives the ram, and gets back `T eta_b` where the ram drives it ([`mod@super::frame`]). At rest it holds T. A loss
//! that jumps with the sign of the velocity would push an axis at rest to and fro, so ahead it rises with the velocity up to that which it would make
//! by itself in a cycle, of axis and ram, and is whole from there on. A velocity that was measured moves nothing: there it is whole as soon as the
//! axis does not stand. Friction of the ram in its guides is no figure of its own: what of it goes with the force is
//! in the efficiency, the rest in the friction of the axis.
//!
//! # One cycle ahead
//! Over a cycle the load stands still; it is that of the middle of the cycle (as in `runtime/cycle/src/contact.rs`), and of the mean acceleration a of
//! the cycle. That one is not known before the step, and a load that goes by the acceleration of the cycle before would diverge
//! as soon as `m J^2 > M0`. So the cycle is stepped twice. First under the load L1 with the a of the balance of forces at its start,
//! `a = (kf i - friction - Fg - T0) / (M0 + m J^2)`, T0 being T without a; it ends at `v1`. The step is linear in the load, `dv1/dL = -c` being
//! in its matrix. So with T0 and J in the middle between start and end of that pass, the a under whose load the step ends as it says is
//!
//! ```text
//! a = ((v1 - v) / h + c / h (L1 - T0 / kf)) / (1 + c / h m J^2 / kf)
//! ```
//!
//! h being the period, and under that load the cycle is stepped again. Where the axis starts, stops or meets its limit
//! the step is not linear, and a rest stays of what the first a was off. `models/tests/linked.rs` has how far from the exact solution that is, and that
//! it holds up to [`RAM_SHARE_MAX`].

use super::frame::{Counterbalance, ForceUnknown, Motor};
use super::ram::Linkage;
use crate::axis::cascade::{self, AxisState, dry_friction_a};
use crate::axis::told::Told;
use crate::axis::{LaneParams, Reference};
use crate::lane::{LANES, ZERO, clamp};

/// Largest inertia of the ram at the axis, `m J^2` at the largest J of the stroke, over that of what turns with the motor (1).
pub const RAM_SHARE_MAX: f64 = 4.0;

/// Beyond this velocity (m/s) no ram is thrown outwards any further: no axis is that fast, and a wrong one must not feed on itself.
const FASTEST_M_PER_S: f64 = 1000.0;
/// No ram asks for more (A).
const LARGEST_A: f64 = 1e12;

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
    /// Velocity of the ram (m/s).
    pub fn ram_m_per_s(&self) -> f64 {
        self.per_way * self.axis_m_per_s
    }
}

/// The load of a cycle, and the acceleration that it was made for.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Load {
    /// The load (A).
    pub load_a: f64,
    /// Mean acceleration of the axis (m/s2).
    pub axis_m_per_s2: f64,
}

/// What turns with the motor, and how long a cycle is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Own {
    /// Inertia of the axis (A s2/m, > 0).
    pub inertia: f64,
    /// Period (s, > 0).
    pub period_s: f64,
}

impl Own {
    /// Of place `l` of a lane.
    pub fn of(p: &LaneParams, l: usize) -> Self {
        Self {
            inertia: p.inertia[l],
            period_s: p.period_s,
        }
    }
}

impl Linked {
    /// The ram with the axis at `axis_m` (m), moving at `axis_m_per_s` (m/s).
    pub fn at(&self, axis_m: f64, axis_m_per_s: f64) -> Middle {
        let (ram_m, per_way) = self.linkage.travel(axis_m);
        Middle {
            axis_m_per_s,
            ram_m,
            per_way,
            bend_per_m: self.linkage.bend(axis_m),
        }
    }

    /// The ram in the middle of the cycle that begins with this state of place `l`, which goes on as fast as it is.
    pub fn ahead(&self, p: &LaneParams, l: usize, s: &AxisState) -> Middle {
        let v = s.velocity_m_per_s[l];
        self.at(s.position_m[l] + 0.5 * p.period_s * v, v)
    }

    /// The ram in the middle between two states of place `l`.
    pub fn between(&self, l: usize, before: &AxisState, after: &AxisState) -> Middle {
        self.at(
            0.5 * (before.position_m[l] + after.position_m[l]),
            0.5 * (before.velocity_m_per_s[l] + after.velocity_m_per_s[l]),
        )
    }

    /// What the ram's inertia is at the axis (A s2/m).
    fn inertia(&self, m: &Middle) -> f64 {
        self.ram_mass_kg / self.motor.torque_constant_nm_per_a * m.per_way * m.per_way
    }

    /// Whether an axis that was measured stands.
    pub fn stands(&self, m: &Middle) -> bool {
        m.axis_m_per_s * m.axis_m_per_s < self.standstill_m_per_s * self.standstill_m_per_s
    }

    /// T without the acceleration of the axis, and without losses (A). `part_a` is the force of the part over the force constant.
    fn standing_a(&self, m: &Middle, part_a: f64) -> f64 {
        let kf = self.motor.torque_constant_nm_per_a;
        let v = clamp(m.axis_m_per_s, FASTEST_M_PER_S);
        let thrown_a = self.ram_mass_kg / kf * m.bend_per_m * v * v;
        let carried_a = self.counterbalance.force_n(m.ram_m) / kf;
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

    /// The same in a cycle ahead.
    fn share(&self, own: &Own, m: &Middle, torque_a: f64) -> f64 {
        let (more, less) = self.losses();
        // By how much the velocity changes within a cycle where the loss turns around.
        let moved = own.inertia + self.inertia(m);
        let slow = own.period_s / moved * (more + less) * torque_a;
        self.paid(if slow * slow > 0.0 {
            m.axis_m_per_s / slow
        } else {
            0.0
        })
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

    /// What a part asks of the axis, without losses (A).
    pub fn through_a(&self, m: &Middle, part_a: f64) -> f64 {
        clamp(m.per_way * part_a, LARGEST_A)
    }

    /// What the ram alone asks of an axis that moves and accelerates so, without losses (A).
    fn ram_a(&self, m: &Middle, axis_m_per_s2: f64) -> f64 {
        self.standing_a(m, 0.0) + self.inertia(m) * axis_m_per_s2
    }

    /// What the load of an axis that was measured to move and accelerate so has beside a part, which is `through_a` ([`Self::through_a`], A): the
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

    /// The load under which `push_a` (A), less friction, accelerates the axis: what balances at once.
    fn balanced(&self, own: &Own, m: &Middle, part_a: f64, push_a: f64) -> Load {
        let (standing_a, inertia) = (self.standing_a(m, part_a), self.inertia(m));
        let under = |share: f64| (push_a - share * standing_a) / (own.inertia + share * inertia);
        let torque = |a: f64| clamp(standing_a + inertia * a, LARGEST_A);
        // Once without losses tells who drives whom.
        let share = self.share(own, m, torque(under(1.0)));
        let axis_m_per_s2 = under(share);
        Load {
            load_a: share * torque(axis_m_per_s2),
            axis_m_per_s2,
        }
    }

    /// The load of the cycle that begins with this state of place `l`, as far as it can be known: `m` is [`Self::ahead`], `part_a` the
    /// force of the part there over the force constant.
    pub fn first(&self, p: &LaneParams, l: usize, s: &AxisState, m: &Middle, part_a: f64) -> Load {
        let own = Own::of(p, l);
        let v = s.velocity_m_per_s[l];
        let push_a = s.current_a[l] - s.disturbance_a[l] - p.gravity_a[l] - p.viscous[l] * v;
        let along = if v != 0.0 {
            v
        } else {
            push_a - self.load_a(m, 0.0, part_a)
        };
        // At rest the direction is that in which it is pushed.
        let towards = if v == 0.0 && along < 0.0 {
            -f64::MIN_POSITIVE
        } else {
            v
        };
        let dry_a = dry_friction_a(p, l, towards);
        if v == 0.0 && along * along <= dry_a * dry_a {
            return Load {
                load_a: push_a - along,
                axis_m_per_s2: 0.0,
            };
        }
        let dry_a = if along > 0.0 { dry_a } else { -dry_a };
        self.balanced(&own, m, part_a, push_a - dry_a)
    }

    /// The same once the cycle was stepped with `first` from `before` to `after`, in the mode that is `told`: `m` is [`Self::between`].
    pub fn again(
        &self,
        (p, told): (&LaneParams, &Told),
        l: usize,
        (before, after): (&AxisState, &AxisState),
        m: &Middle,
        part_a: f64,
        first: &Load,
    ) -> f64 {
        let own = Own::of(p, l);
        let (v0, v1) = (before.velocity_m_per_s[l], after.velocity_m_per_s[l]);
        let mean = (v1 - v0) * p.per_s;
        let (standing_a, inertia) = (self.standing_a(m, part_a), self.inertia(m));
        let torque = |a: f64| clamp(standing_a + inertia * a, LARGEST_A);
        let share = self.share(&own, m, torque(first.axis_m_per_s2));
        // How the mean acceleration answers to a load: that of an axis at rest does not.
        let answers = if v0 == 0.0 && v1 == 0.0 {
            0.0
        } else {
            -told.by_load(p, l) * p.per_s
        };
        let agreed = (mean + answers * (first.load_a - share * standing_a))
            / (1.0 + share * inertia * answers);
        share * torque(agreed)
    }
}

impl Linked {
    /// Advances the axes with the bits of `places` by one cycle, each with this ram and nothing in the press.
    pub fn advance(
        &self,
        p: &LaneParams,
        reference: &Reference,
        told: &Told,
        places: u8,
        s: &mut AxisState,
    ) {
        let (before, mut after) = (*s, *s);
        let (mut loads_a, mut first) = (ZERO, [Load::default(); LANES]);
        let places = (0..LANES).filter(|l| places & (1 << l) != 0);
        for l in places.clone() {
            first[l] = self.first(p, l, &before, &self.ahead(p, l, &before), 0.0);
            loads_a[l] = first[l].load_a;
        }
        cascade::advance_told(p, reference, told, &mut after, Some(&loads_a));
        for l in places {
            let m = self.between(l, &before, &after);
            loads_a[l] = self.again((p, told), l, (&before, &after), &m, 0.0, &first[l]);
        }
        cascade::advance_told(p, reference, told, s, Some(&loads_a));
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

    /// The load (A) under which a current of `current_a` drives place `l` at `axis_m` (m) and `axis_m_per_s` (m/s), with nothing in the press.
    pub fn driven_a(&self, p: &LaneParams, l: usize, axis_m: f64, v: f64, current_a: f64) -> f64 {
        let mut s = AxisState::REST;
        (s.position_m[l], s.velocity_m_per_s[l]) = (axis_m, v);
        s.current_a[l] = current_a;
        self.first(p, l, &s, &self.ahead(p, l, &s), 0.0).load_a
    }
}
