//! Where the life of a part ends: the tables `[axis.health]`, `[press.health]` and `[station.health]`.

use crate::value::{AxisPlace, Force, Length, Number, Quantity};
use schemars::JsonSchema;
use serde::Deserialize;

/// Where the life of an axis ends. Remaining life is told towards these limits; nothing is judged by them.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AxisHealthTable {
    /// Coulomb or viscous friction relative to the calibrated one, 1.01 to 100, 1.5 unless given.
    pub(crate) friction_factor: Option<Quantity<Number>>,
    /// Lost motion gained at reversals, 1um to 100mm, 100um unless given; of a rotary axis 1urad to 100mrad, 100urad unless given.
    pub(crate) backlash_gap: Option<Quantity<AxisPlace>>,
    /// Torque constant relative to that of the drive's table, 0.1 to 0.99, 0.9 unless given.
    pub(crate) torque_constant_fraction: Option<Quantity<Number>>,
    /// Share of the moved inertia that sits on the motor's side of the gap: rotor, coupling, screw or pulley, 0.02 to 0.98. Lost motion
    /// is told more exactly with it; 0.25 to 0.5 is assumed unless given.
    pub(crate) motor_inertia_share: Option<Quantity<Number>>,
}

/// Where the life of a press ends. Remaining life is told towards these limits; nothing is judged by them.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PressHealthTable {
    /// Coulomb or viscous friction relative to the calibrated one, 1.01 to 100, 1.5 unless given.
    pub(crate) friction_factor: Option<Quantity<Number>>,
    /// Lost motion gained at reversals, 1um to 100mm, 100um unless given.
    pub(crate) backlash_gap: Option<Quantity<Length>>,
    /// Torque constant relative to that of the drive's table, 0.1 to 0.99, 0.9 unless given.
    pub(crate) torque_constant_fraction: Option<Quantity<Number>>,
    /// Stiffness against the part relative to the calibrated one, 0.1 to 0.99, 0.8 unless given.
    pub(crate) stiffness_factor: Option<Quantity<Number>>,
    /// Loading gradient of the strokes with a part relative to that of its first strokes, 0.1 to 0.99; no limit unless given. A press with a
    /// twin is followed by its strokes only where this or `tare` is given; one without always is.
    pub(crate) gradient_factor: Option<Quantity<Number>>,
    /// Tare of a stroke, which `tare` of the table `[press.curve]` has taken; no limit unless given (above 0).
    pub(crate) tare: Option<Quantity<Force>>,
}

/// Where the life of a station ends. Nothing is judged by it; `leak_limit` of the station judges.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct StationHealthTable {
    /// Leak rate relative to the calibrated one, 1.01 to 1e6, 10 unless given.
    pub(crate) leak_factor: Option<Quantity<Number>>,
}
