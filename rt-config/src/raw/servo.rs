//! The tables `[axis.servo]` and `[press.servo]`.

use crate::value::{
    At, AxisMass, AxisPlace, AxisStiffness, AxisViscous, Inertia, Number, Quantity, Torque,
};
use schemars::JsonSchema;
use serde::Deserialize;

/// What the twin's one mass leaves out, from drawings and data sheets: `twinstep whatif` sends the program through two masses
/// with a spring and a gap, losses, bristles and cogging with it, beside the twin. Mass, friction and gravity stay those of
/// the twin. Needs the table `motor`; nothing in the cycle knows of it.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ServoTable {
    /// ball_screw (`lead` of 0.1mm to 200mm) or belt (`lead` of 6.3mm to 6.28m) on a linear axis, gear (0.1 to 1000) or direct
    /// (`gear` of 1) on a rotary one; a screw up to 200mm and a belt beyond, or a gear, unless given.
    pub(crate) transmission: Option<At<String>>,
    /// Share of the motor's power that reaches the load while the motor drives it, 1 unless given (0.05 to 1).
    pub(crate) efficiency: Option<Quantity<Number>>,
    /// Share of the load's power that reaches the motor while the load drives it; as much is lost that way as the other, 2 - 1
    /// / `efficiency` and at least 0, unless given; 0 locks itself (0 to 1).
    pub(crate) efficiency_back: Option<Quantity<Number>>,
    /// Inertia of what turns with the motor: rotor, brake, coupling, screw or pulley. The rest of the twin's `mass` is the
    /// load. Needed with `stiffness`; no mass behind the transmission unless given (above 0).
    pub(crate) motor_inertia: Option<Quantity<Inertia>>,
    /// Share of the twin's friction on the motor's side: bearings, seals, nut; the rest is the guide's. 0.2 unless given (0 to
    /// 1).
    pub(crate) motor_friction_share: Option<Quantity<Number>>,
    /// Stiffness between motor and load, seen from the load; rigid unless given (1N/m to 1e10N/m).
    pub(crate) stiffness: Option<Quantity<AxisStiffness>>,
    /// Damping beside that spring, 2 % of the critical one unless given; needs `stiffness` (1e-3 to 1e7N s/m).
    pub(crate) damping: Option<Quantity<AxisViscous>>,
    /// Gap between motor and load from flank to flank, none unless given; needs `stiffness` (0 to 100mm).
    pub(crate) backlash: Option<Quantity<AxisPlace>>,
    /// Stiffness of the guide's bristles, its break-away force over the way before it slides: friction is LuGre then. It
    /// sticks and breaks away without a way unless given (1N/m to 1e10N/m).
    pub(crate) bristle_stiffness: Option<Quantity<AxisStiffness>>,
    /// Damping of the bristles, 0 unless given; needs `bristle_stiffness` (0 to 1e7N s/m).
    pub(crate) bristle_damping: Option<Quantity<AxisViscous>>,
    /// Cogging torque over one revolution of the motor in even steps, the first where the axis is at 0, positive towards
    /// larger positions; none unless given (4 to 256 points of -1e5N m to 1e5N m).
    pub(crate) cogging: Option<At<Vec<Quantity<Torque>>>>,
    /// Where the encoder of the position loop sits, motor or load; motor unless given. The velocity loop has the motor's.
    pub(crate) encoder: Option<At<String>>,
    /// Inertia that the drive feeds a torque forward for, as it is set in the drive, seen as a mass on the axis; no torque is
    /// fed forward unless given (0 to 1e9kg).
    pub(crate) feedforward_mass: Option<Quantity<AxisMass>>,
}
