//! Every dimension that a key can have, with its units.

use super::{Dimension, Unit};

pub(super) const fn ten(name: &'static str, pow10: i32) -> Unit {
    Unit {
        name,
        pow10,
        mul: 1.0,
        div: 1.0,
    }
}

const fn times(name: &'static str, mul: f64) -> Unit {
    Unit {
        name,
        pow10: 0,
        mul,
        div: 1.0,
    }
}

const fn per(name: &'static str, pow10: i32, div: f64) -> Unit {
    Unit {
        name,
        pow10,
        mul: 1.0,
        div,
    }
}

/// A unit of which `half_a_turn` make pi radians.
const fn degrees(name: &'static str, pow10: i32, half_a_turn: f64) -> Unit {
    Unit {
        name,
        pow10,
        mul: std::f64::consts::PI,
        div: half_a_turn,
    }
}

/// Number without a dimension (1).
pub const NUMBER: Dimension = Dimension {
    name: "a number",
    example: "1.2",
    units: &[ten("", 0), ten("%", -2), ten("permille", -3)],
};
/// Time (s).
pub const TIME: Dimension = Dimension {
    name: "a time",
    example: "250us",
    units: &[
        ten("s", 0),
        ten("ms", -3),
        ten("us", -6),
        ten("ns", -9),
        times("min", 60.0),
        times("h", 3600.0),
        times("d", 86_400.0),
        times("day", 86_400.0),
        times("days", 86_400.0),
        times("month", 30.0 * 86_400.0),
        times("months", 30.0 * 86_400.0),
    ],
};
/// Length (m).
pub const LENGTH: Dimension = Dimension {
    name: "a length",
    example: "10mm",
    units: &[
        ten("m", 0),
        ten("cm", -2),
        ten("mm", -3),
        ten("um", -6),
        ten("nm", -9),
    ],
};
/// Angle (rad).
pub const ANGLE: Dimension = Dimension {
    name: "an angle",
    example: "90deg",
    units: &[
        ten("rad", 0),
        ten("mrad", -3),
        ten("urad", -6),
        degrees("deg", 0, 180.0),
        degrees("mdeg", -3, 180.0),
        degrees("arcmin", 0, 10_800.0),
        degrees("arcsec", 0, 648_000.0),
        times("rev", 2.0 * std::f64::consts::PI),
        times("turn", 2.0 * std::f64::consts::PI),
        times("turns", 2.0 * std::f64::consts::PI),
    ],
};
/// Velocity (m/s).
pub const VELOCITY: Dimension = Dimension {
    name: "a velocity",
    example: "1.5m/s",
    units: &[
        ten("m/s", 0),
        ten("mm/s", -3),
        ten("um/s", -6),
        per("m/min", 0, 60.0),
    ],
};
/// Angular velocity (rad/s).
pub const ANGULAR_VELOCITY: Dimension = Dimension {
    name: "an angular velocity",
    example: "10rad/s",
    units: &[
        ten("rad/s", 0),
        ten("mrad/s", -3),
        degrees("deg/s", 0, 180.0),
        degrees("rev/min", 0, 30.0),
        degrees("rpm", 0, 30.0),
    ],
};
/// Acceleration (m/s2).
pub const ACCELERATION: Dimension = Dimension {
    name: "an acceleration",
    example: "10m/s2",
    units: &[ten("m/s2", 0), ten("mm/s2", -3)],
};
/// Jerk (m/s3).
pub const JERK: Dimension = Dimension {
    name: "a jerk",
    example: "50m/s3",
    units: &[ten("m/s3", 0), ten("mm/s3", -3)],
};
/// Mass (kg).
pub const MASS: Dimension = Dimension {
    name: "a mass",
    example: "25kg",
    units: &[ten("kg", 0), ten("g", -3), ten("t", 3)],
};
/// Inertia (kg m2).
pub const INERTIA: Dimension = Dimension {
    name: "an inertia",
    example: "1.2kg cm2",
    units: &[
        ten("kg m2", 0),
        ten("kg cm2", -4),
        ten("kg mm2", -6),
        ten("g cm2", -7),
    ],
};
/// Force (N).
pub const FORCE: Dimension = Dimension {
    name: "a force",
    example: "120N",
    units: &[ten("N", 0), ten("mN", -3), ten("kN", 3)],
};
/// Energy (J).
pub const ENERGY: Dimension = Dimension {
    name: "an energy",
    example: "25J",
    units: &[ten("J", 0), ten("mJ", -3), ten("kJ", 3)],
};
/// Torque (N m).
pub const TORQUE: Dimension = Dimension {
    name: "a torque",
    example: "12mN m",
    units: &[ten("N m", 0), ten("mN m", -3), ten("kN m", 3)],
};
/// Viscous friction, or the velocity gain of an axis whose effort is a force (N s/m).
pub const VISCOUS: Dimension = Dimension {
    name: "a viscous friction (force per velocity)",
    example: "35N s/m",
    units: &[
        ten("N s/m", 0),
        ten("kN s/m", 3),
        ten("N s/mm", 3),
        ten("N/(m/s)", 0),
    ],
};
/// Stiffness (N/m).
pub const STIFFNESS: Dimension = Dimension {
    name: "a stiffness",
    example: "400N/um",
    units: &[
        ten("N/m", 0),
        ten("N/mm", 3),
        ten("N/um", 6),
        ten("kN/m", 3),
        ten("kN/mm", 6),
        ten("kN/um", 9),
    ],
};
/// Modulus of elasticity (Pa).
pub const ELASTICITY: Dimension = Dimension {
    name: "a modulus of elasticity",
    example: "210GPa",
    units: &[
        ten("Pa", 0),
        ten("MPa", 6),
        ten("GPa", 9),
        ten("N/mm2", 6),
        ten("kN/mm2", 9),
    ],
};
/// Current (A).
pub const CURRENT: Dimension = Dimension {
    name: "a current",
    example: "8.2A",
    units: &[ten("A", 0), ten("mA", -3)],
};
/// Torque constant (N m/A).
pub const TORQUE_CONSTANT: Dimension = Dimension {
    name: "a torque constant",
    example: "0.7N m/A",
    units: &[ten("N m/A", 0), ten("mN m/A", -3)],
};
/// Force constant (N/A).
pub const FORCE_CONSTANT: Dimension = Dimension {
    name: "a force per current",
    example: "440N/A",
    units: &[ten("N/A", 0), ten("kN/A", 3)],
};
/// Gain (1/s).
pub const PER_SECOND: Dimension = Dimension {
    name: "a gain per second",
    example: "60/s",
    units: &[ten("/s", 0), ten("1/s", 0)],
};
/// Current per velocity (A s/m).
pub const CURRENT_PER_VELOCITY: Dimension = Dimension {
    name: "a current per velocity",
    example: "90A s/m",
    units: &[ten("A s/m", 0), ten("A/(m/s)", 0)],
};
/// Current per length (A/m).
pub const CURRENT_PER_LENGTH: Dimension = Dimension {
    name: "a current per length",
    example: "4500A/m",
    units: &[ten("A/m", 0), ten("A/mm", 3)],
};
/// Pressure (Pa).
pub const PRESSURE: Dimension = Dimension {
    name: "a pressure",
    example: "150mbar",
    units: &[
        ten("Pa", 0),
        ten("hPa", 2),
        ten("kPa", 3),
        ten("mbar", 2),
        ten("bar", 5),
    ],
};
/// Pressure rate (Pa/s).
pub const PRESSURE_RATE: Dimension = Dimension {
    name: "a pressure rate",
    example: "10mbar/s",
    units: &[
        ten("Pa/s", 0),
        ten("hPa/s", 2),
        ten("kPa/s", 3),
        ten("mbar/s", 2),
        ten("bar/s", 5),
    ],
};
/// Electric resistance (ohm).
pub const RESISTANCE: Dimension = Dimension {
    name: "a resistance",
    example: "1.2ohm",
    units: &[ten("ohm", 0), ten("mohm", -3)],
};
/// Inductance (H).
pub const INDUCTANCE: Dimension = Dimension {
    name: "an inductance",
    example: "6mH",
    units: &[ten("H", 0), ten("mH", -3), ten("uH", -6)],
};
/// Voltage (V).
pub const VOLTAGE: Dimension = Dimension {
    name: "a voltage",
    example: "560V",
    units: &[ten("V", 0), ten("kV", 3)],
};
/// Temperature (degrees Celsius).
pub const TEMPERATURE: Dimension = Dimension {
    name: "a temperature",
    example: "40degC",
    units: &[ten("degC", 0)],
};
/// Thermal resistance (K/W).
pub const THERMAL_RESISTANCE: Dimension = Dimension {
    name: "a thermal resistance",
    example: "0.9K/W",
    units: &[ten("K/W", 0)],
};
