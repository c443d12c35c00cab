//! The table of a press that says what stands between its motor and its ram.

use crate::value::{At, DrivePlace, Force, Length, Mass, Number, Quantity, Stiffness};
use schemars::JsonSchema;
use serde::Deserialize;

/// A row of a table.
type Row = At<Vec<Quantity<DrivePlace>>>;

/// What stands between motor and ram. Positions of the ram count from its upper dead centre behind a crank, and as the table
/// says behind a table; behind a screw the ram is where the axis is.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct KinematicsTable {
    /// screw (unless given), crank, or table: knuckle, toggle or any other linkage.
    pub(crate) kind: Option<At<String>>,
    /// Crank, from the shaft to the pin; needed for a crank (above 0).
    pub(crate) crank_radius: Option<Quantity<Length>>,
    /// Rod, from pin to pin; longer than the crank; needed for a crank (above `crank_radius`).
    pub(crate) rod_length: Option<Quantity<Length>>,
    /// Rows of [drive, ram], 2 to 64: the angle of the drive, or the position of the axis, and where the ram is then. Both
    /// rise, from the upper towards the lower dead centre; needed for a table.
    pub(crate) table: Option<At<Vec<Row>>>,
    /// Turns of the motor per turn of the drive behind its gear, 1 unless given. A turn of the motor is a `lead` of the axis
    /// (above 0, at most 10000).
    pub(crate) gear: Option<Quantity<Number>>,
    /// Position of the axis at angle 0, the upper dead centre of a crank; 0 unless given (any).
    pub(crate) zero: Option<Quantity<Length>>,
    /// Share of the motor's power that reaches the ram while the motor drives it, 1 unless given (above 0, at most 1).
    pub(crate) efficiency: Option<Quantity<Number>>,
    /// Share of the ram's power that reaches the motor while the ram drives it, 1 unless given; 0 locks itself (0 to 1).
    pub(crate) efficiency_back: Option<Quantity<Number>>,
    /// Mass of ram and upper tool behind a crank or a table, from the builder's drawing; 0 unless given. What turns with the motor
    /// is `mass` of [press.twin] (above 0, at most 1000000 kg).
    pub(crate) ram_mass: Option<Quantity<Mass>>,
    /// Force of the counterbalance against the way in, with the ram at `top`, less the weight of what it carries; 0 unless given.
    /// Behind a screw a twin has it in its gravity (any).
    pub(crate) counterbalance: Option<Quantity<Force>>,
    /// Rise of that force with the way in: pneumatic; 0 unless given (any).
    pub(crate) counterbalance_rate: Option<Quantity<Stiffness>>,
}
