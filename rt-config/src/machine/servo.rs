//! What the twin's one mass leaves out of an axis, for what-if.

/// What turns the motor's angle into the way of the axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TransmissionKind {
    /// A screw.
    BallScrew,
    /// A belt, or rack and pinion.
    Belt,
    /// A gear in front of a rotary axis.
    Gear,
    /// A rotary axis on the motor's shaft.
    Direct,
}

impl TransmissionKind {
    /// All kinds.
    pub const ALL: [Self; 4] = [Self::BallScrew, Self::Belt, Self::Gear, Self::Direct];

    /// As the configuration has it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::BallScrew => "ball_screw",
            Self::Belt => "belt",
            Self::Gear => "gear",
            Self::Direct => "direct",
        }
    }

    /// Whether it stands in front of a rotary axis.
    pub const fn turns(self) -> bool {
        matches!(self, Self::Gear | Self::Direct)
    }
}

/// The spring between motor and load.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SpringAndGap {
    /// Stiffness (N/m, 1 to 1e10).
    pub stiffness_n_per_m: f64,
    /// Damping (N s/m, 1e-3 to 1e7); none: 2 % of the critical one.
    pub damping_n_s_per_m: Option<f64>,
    /// Gap from flank to flank (m, 0 to 0.1).
    pub backlash_m: f64,
}

/// Bristles of the guide (LuGre).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bristles {
    /// Stiffness (N/m, 1 to 1e10).
    pub stiffness_n_per_m: f64,
    /// Damping (N s/m, 0 to 1e7).
    pub damping_n_s_per_m: f64,
}

/// What the twin's one mass leaves out. What runs in the cycle does not know it.
#[derive(Clone, Debug, PartialEq)]
pub struct AxisServo {
    /// The kind of its transmission.
    pub transmission: TransmissionKind,
    /// Efficiency where the motor drives the load (1, 0.05 to 1).
    pub efficiency: f64,
    /// Efficiency where the load drives the motor (1, 0 to 1); none: it loses as much that way.
    pub efficiency_back: Option<f64>,
    /// Inertia on the motor's side (kg m2); none: all of the twin's mass is there.
    pub motor_inertia_kg_m2: Option<f64>,
    /// Share of the twin's friction on the motor's side (1, 0 to 1).
    pub motor_friction_share: f64,
    /// What gives between motor and load; none: nothing does.
    pub spring: Option<SpringAndGap>,
    /// Bristles of the guide; none: it sticks without a way.
    pub bristles: Option<Bristles>,
    /// Cogging torque over a revolution of the motor (N m), 4 to 256 points; none: there is none.
    pub cogging_nm: Vec<f64>,
    /// The position loop's encoder is on the load.
    pub encoder_on_load: bool,
    /// Mass that the drive feeds a torque forward for (kg, 0 to 1e9).
    pub feedforward_mass_kg: f64,
    /// What its twin was found with, where a what-if changes either; none: what they are.
    pub found: Option<Found>,
}

/// A twin's friction and gravity, and the efficiencies that it was found with.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Found {
    /// Coulomb friction in positive direction (N).
    pub coulomb_positive_n: f64,
    /// Coulomb friction in negative direction (N, positive number).
    pub coulomb_negative_n: f64,
    /// Constant force, positive towards smaller positions (N).
    pub gravity_n: f64,
    /// Efficiency where the motor drives the load (1).
    pub efficiency: f64,
    /// Efficiency where the load drives the motor (1).
    pub efficiency_back: f64,
}

impl AxisServo {
    /// What `twin` was found with: what was kept of it, else what both are.
    pub fn found_with(&self, twin: &super::AxisTwin) -> Found {
        self.found.unwrap_or_else(|| Found {
            coulomb_positive_n: twin.coulomb_positive_n,
            coulomb_negative_n: twin.coulomb_negative_n,
            gravity_n: twin.gravity_n,
            efficiency: self.efficiency,
            efficiency_back: self.efficiency_back(),
        })
    }

    /// Efficiency where the load drives the motor (1, 0 to 1). Of a force F on the load a motor that drives loses F (1 / e -
    /// 1), and one that is driven F (1 - e_back): as much with e_back = 2 - 1 / e.
    pub fn efficiency_back(&self) -> f64 {
        let alike = (2.0 - 1.0 / self.efficiency).max(0.0);
        self.efficiency_back.unwrap_or(alike)
    }
}
