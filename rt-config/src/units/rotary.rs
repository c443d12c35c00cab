//! Rotary axes: their unit of travel is the radian where that of a linear axis is the metre.

use super::table::{
    ACCELERATION, ANGLE, ANGULAR_VELOCITY, CURRENT_PER_LENGTH, CURRENT_PER_VELOCITY, FORCE,
    FORCE_CONSTANT, INERTIA, JERK, LENGTH, MASS, STIFFNESS, TORQUE, TORQUE_CONSTANT, VELOCITY,
    VISCOUS, ten,
};
use super::{Dimension, Unit};

/// Degrees in radians, with `name` as their unit.
const fn degrees(name: &'static str) -> Unit {
    Unit {
        name,
        pow10: 0,
        mul: std::f64::consts::PI,
        div: 180.0,
    }
}

/// Angular acceleration (rad/s2).
pub const ANGULAR_ACCELERATION: Dimension = Dimension {
    name: "an angular acceleration",
    example: "20rad/s2",
    units: &[ten("rad/s2", 0), degrees("deg/s2")],
};
/// Angular jerk (rad/s3).
pub const ANGULAR_JERK: Dimension = Dimension {
    name: "an angular jerk",
    example: "400rad/s3",
    units: &[ten("rad/s3", 0), degrees("deg/s3")],
};
/// Viscous friction of a rotary axis (N m s/rad).
pub const ROTARY_VISCOUS: Dimension = Dimension {
    name: "a viscous friction (torque per angular velocity)",
    example: "3N m s/rad",
    units: &[
        ten("N m s/rad", 0),
        ten("mN m s/rad", -3),
        ten("N m/(rad/s)", 0),
        ten("N m s", 0),
    ],
};
/// Stiffness of a rotary axis (N m/rad).
pub const ROTARY_STIFFNESS: Dimension = Dimension {
    name: "a torsional stiffness",
    example: "50kN m/rad",
    units: &[ten("N m/rad", 0), ten("kN m/rad", 3), ten("MN m/rad", 6)],
};
/// Current per angular velocity (A s/rad).
pub const CURRENT_PER_ANGULAR_VELOCITY: Dimension = Dimension {
    name: "a current per angular velocity",
    example: "12A s/rad",
    units: &[ten("A s/rad", 0), ten("A/(rad/s)", 0)],
};
/// Current per angle (A/rad).
pub const CURRENT_PER_ANGLE: Dimension = Dimension {
    name: "a current per angle",
    example: "600A/rad",
    units: &[ten("A/rad", 0), ten("A/mrad", 3)],
};

/// What stands for what, linear first.
static COUNTERPARTS: [(&Dimension, &Dimension); 11] = [
    (&LENGTH, &ANGLE),
    (&VELOCITY, &ANGULAR_VELOCITY),
    (&ACCELERATION, &ANGULAR_ACCELERATION),
    (&JERK, &ANGULAR_JERK),
    (&MASS, &INERTIA),
    (&FORCE, &TORQUE),
    (&VISCOUS, &ROTARY_VISCOUS),
    (&STIFFNESS, &ROTARY_STIFFNESS),
    (&FORCE_CONSTANT, &TORQUE_CONSTANT),
    (&CURRENT_PER_VELOCITY, &CURRENT_PER_ANGULAR_VELOCITY),
    (&CURRENT_PER_LENGTH, &CURRENT_PER_ANGLE),
];

impl Dimension {
    /// What stands for it on a rotary axis, number for number in SI; none where it is the same there.
    pub fn rotary(&self) -> Option<&'static Self> {
        let found = (COUNTERPARTS.iter()).find(|(linear, _)| linear.name == self.name);
        found.map(|(_, rotary)| *rotary)
    }

    /// What stands for it on a linear axis; none where nothing else does.
    pub fn linear(&self) -> Option<&'static Self> {
        let found = (COUNTERPARTS.iter()).find(|(_, rotary)| rotary.name == self.name);
        found.map(|(linear, _)| *linear)
    }
}

/// The dimensions of a linear axis that a rotary one has others for.
#[cfg(test)]
pub(crate) const WITH_COUNTERPART: [Dimension; 11] = [
    LENGTH,
    VELOCITY,
    ACCELERATION,
    JERK,
    MASS,
    FORCE,
    VISCOUS,
    STIFFNESS,
    FORCE_CONSTANT,
    CURRENT_PER_VELOCITY,
    CURRENT_PER_LENGTH,
];
