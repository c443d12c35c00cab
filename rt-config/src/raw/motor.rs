//! The tables `[axis.motor]` and `[press.motor]`.

use crate::value::{
    At, Inductance, Number, Quantity, Resistance, Temperature, ThermalResistance, Time, Voltage,
};
use schemars::JsonSchema;
use serde::Deserialize;

/// The motor behind the drive, as its data sheet has it. `twinstep whatif` tells with it what voltage a program needs and how warm its winding
/// gets; nothing in the cycle knows of it.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct MotorTable {
    /// Resistance of a phase at 20 degrees, half of that between two terminals (1mohm to 1000ohm).
    pub(crate) resistance: Quantity<Resistance>,
    /// Inductance of a phase, half of that between two terminals (1uH to 1H).
    pub(crate) inductance: Quantity<Inductance>,
    /// Pairs of poles (1 to 100).
    pub(crate) pole_pairs: Quantity<Number>,
    /// DC link of the converter (2V to 1.5kV).
    pub(crate) dc_link: Quantity<Voltage>,
    /// What the currents and the torque constant of [axis.drive] are of: rms or amplitude of a phase; rms unless given.
    pub(crate) currents: Option<At<String>>,
    /// From the winding to the surroundings, with the motor mounted as it is (0.001K/W to 100K/W).
    pub(crate) thermal_resistance: Quantity<ThermalResistance>,
    /// In which the winding warms up (1s to 24h).
    pub(crate) thermal_time_constant: Quantity<Time>,
    /// Of the surroundings, 40degC unless given (-40degC to 100degC).
    pub(crate) ambient: Option<Quantity<Temperature>>,
    /// That the insulation bears, 155degC unless given (50degC to 250degC).
    pub(crate) winding_limit: Option<Quantity<Temperature>>,
}
