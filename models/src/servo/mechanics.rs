//! What moves: one mass, or two with a spring, a damper and a gap between them.
//!
//! Everything is in the axis' own coordinate: m, N and kg for a linear axis, rad, N m and kg m2 for a rotary one. The
//! motor's inertia J appears as the mass J / r^2 (r: travel per radian), its torque T as the force T / r. A load force is
//! positive against positive motion; gravity is the one that is always there. Derivations: [`super::one_mass`],
//! [`super::two_mass`].

use super::error::{ParamError, within};
use super::friction::{Friction, StaticFriction};
use super::one_mass;
use super::transmission::Transmission;
use super::two_mass::TwoMassPlan;

/// Acceleration of free fall (m/s2).
pub const FREE_FALL_M_PER_S2: f64 = 9.806_65;

/// What gives between motor and load.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Compliance {
    /// Stiffness (N/m, 1 to 1e10).
    pub stiffness_n_per_m: f64,
    /// Damping beside the spring (N s/m, 0 to 1e7; with a gap > 0).
    pub damping_n_s_per_m: f64,
    /// Width of the gap, from one flank to the other (m, 0 to 0.1).
    pub gap_m: f64,
}

/// The mechanics of an axis.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Mechanics {
    /// Mass on the motor's side: inertia over travel per radian squared (kg, 1e-6 to 1e9).
    pub motor_mass_kg: f64,
    /// Mass on the load's side (kg, 1e-6 to 1e9 with a compliance, else from 0).
    pub load_mass_kg: f64,
    /// Friction of bearings and screw, on the motor's side.
    pub motor_friction: StaticFriction,
    /// Friction of the guide, on the load's side.
    pub load_friction: Friction,
    /// Force that always pulls towards smaller positions, the counterbalance taken off (N, -1e6 to 1e6).
    pub gravity_n: f64,
    /// None: motor and load are one mass.
    pub compliance: Option<Compliance>,
    /// Losses between motor and load.
    pub transmission: Transmission,
}

/// State of the mechanics.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct MechanicsState {
    /// Position of the load (m).
    pub position_m: f64,
    /// Deflection of the spring (m); 0 with one mass.
    pub stretch_m: f64,
    /// Place in the gap: motor minus load minus deflection, half the gap either way (m).
    pub gap_m: f64,
    /// Velocity of the motor (m/s).
    pub motor_velocity_m_per_s: f64,
    /// Velocity of the load (m/s).
    pub load_velocity_m_per_s: f64,
    /// Deflection of the bristles (m); 0 with static friction.
    pub bristle_m: f64,
}

impl MechanicsState {
    /// At rest at `position_m`, spring relaxed, in the middle of the gap.
    pub fn rest(position_m: f64) -> Self {
        Self {
            position_m,
            ..Self::default()
        }
    }

    /// Position of the motor (m).
    pub fn motor_position_m(&self) -> f64 {
        self.position_m + (self.stretch_m + self.gap_m)
    }
}

impl Mechanics {
    /// The force of gravity on `mass_kg` along an axis that rises by `incline_rad`, with `counterbalance_n` against it (N).
    pub fn gravity_n(mass_kg: f64, incline_rad: f64, counterbalance_n: f64) -> f64 {
        mass_kg * FREE_FALL_M_PER_S2 * libm::sin(incline_rad) - counterbalance_n
    }

    /// Root of twice the energy in masses, spring and bristles (sqrt J).
    pub(super) fn root(&self, at: &MechanicsState) -> f64 {
        let square = |of: f64, x: f64| of * x * x;
        let spring = self.compliance.map_or(0.0, |c| c.stiffness_n_per_m);
        let bristles = match self.load_friction.bristles() {
            Some(lugre) => lugre.bristle_stiffness_n_per_m,
            None => 0.0,
        };
        libm::sqrt(
            square(self.motor_mass_kg, at.motor_velocity_m_per_s)
                + square(self.load_mass_kg, at.load_velocity_m_per_s)
                + square(spring, at.stretch_m)
                + square(bristles, at.bristle_m),
        )
    }

    /// Checks every value against its range.
    ///
    /// # Errors
    /// The first value that is out of range.
    pub fn check(&self) -> Result<(), ParamError> {
        let hint = "masses are in kg on the axis' coordinate";
        within("motor_mass_kg", self.motor_mass_kg, 1e-6, 1e9, hint)?;
        let least = if self.compliance.is_some() { 1e-6 } else { 0.0 };
        within("load_mass_kg", self.load_mass_kg, least, 1e9, hint)?;
        self.motor_friction.check()?;
        self.load_friction.check()?;
        within(
            "gravity_n",
            self.gravity_n,
            -1e6,
            1e6,
            "a force, not a mass",
        )?;
        if let Some(c) = &self.compliance {
            let hint = "between motor and load";
            within("stiffness_n_per_m", c.stiffness_n_per_m, 1.0, 1e10, hint)?;
            within("gap_m", c.gap_m, 0.0, 0.1, "metres from flank to flank")?;
            let (least, hint) = if c.gap_m > 0.0 {
                (1e-3, "a shaft in a gap needs damping")
            } else {
                (0.0, hint)
            };
            within("damping_n_s_per_m", c.damping_n_s_per_m, least, 1e7, hint)?;
        }
        self.transmission.check()
    }
}

/// Mechanics with what can be computed beforehand for one step.
#[derive(Clone, Copy, Debug, PartialEq)]
#[allow(
    clippy::large_enum_variant,
    reason = "a plan is built once and stays where it is; there is no heap to move it to"
)]
pub enum MechanicsPlan {
    /// One mass.
    OneMass {
        /// The mechanics.
        mechanics: Mechanics,
        /// Length of the step (s).
        step_s: f64,
    },
    /// Two masses.
    TwoMass(TwoMassPlan),
}

impl MechanicsPlan {
    /// The plan for steps of `step_s` (s, > 0). `mechanics` is expected to have passed [`Mechanics::check`].
    pub fn new(mechanics: &Mechanics, step_s: f64) -> Self {
        match mechanics.compliance {
            Some(compliance) => Self::TwoMass(TwoMassPlan::new(mechanics, compliance, step_s)),
            None => Self::OneMass {
                mechanics: *mechanics,
                step_s,
            },
        }
    }

    /// Advances by one step with constant forces of the motor and of the load, gravity left to the model (N).
    pub fn advance(&self, state: &mut MechanicsState, motor_force_n: f64, load_force_n: f64) {
        match self {
            Self::OneMass { mechanics, step_s } => {
                one_mass::advance(mechanics, state, motor_force_n, load_force_n, *step_s);
            }
            Self::TwoMass(plan) => plan.advance(state, motor_force_n, load_force_n),
        }
    }
}
