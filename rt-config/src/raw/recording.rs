//! The tables of a recording from elsewhere: which column is what.

use crate::value::{At, Number, Quantity};
use schemars::JsonSchema;
use serde::Deserialize;

/// How the columns of a recording from elsewhere map to the axes.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RecordingTable {
    /// The time, in s unless a unit is given.
    pub(crate) time: Option<ColumnTable>,
    /// The table has no time: a row is a period after the one before it. Instead of `time`; false unless given.
    #[serde(default)]
    pub(crate) index: bool,
    /// Columns whose change starts a new segment; the first one counts the runs of the machine.
    #[serde(default)]
    pub(crate) segment_by: Vec<At<String>>,
    /// Uneven sampling is allowed; refused beyond 10 % of the period otherwise; false unless given.
    #[serde(default)]
    pub(crate) uneven: bool,
    /// Values are interpolated linearly to the period, so that uneven time stamps are honoured; false unless given.
    #[serde(default)]
    pub(crate) resample: bool,
    /// One table an axis.
    pub(crate) axis: Option<At<Vec<AxisColumnsTable>>>,
    /// One table a station.
    pub(crate) station: Option<At<Vec<StationColumnsTable>>>,
}

/// Columns of one station.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct StationColumnsTable {
    /// Name of the station.
    pub(crate) station: At<String>,
    /// Pressure in Pa unless a unit is given, to which `pressure_offset` of the station is added.
    pub(crate) pressure: ColumnTable,
    /// Ejector on where it is not 0; always off where missing.
    pub(crate) ejector: Option<ColumnTable>,
    /// Blow-off open where it is not 0; always shut where missing.
    pub(crate) blow_off: Option<ColumnTable>,
}

/// Columns of one axis.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AxisColumnsTable {
    /// Name of the axis or press.
    pub(crate) axis: At<String>,
    /// Reference (target position), in m, or rad where the axis is rotary, unless a unit is given.
    pub(crate) reference: Option<ColumnTable>,
    /// Position, in m, or rad where the axis is rotary, unless a unit is given; this or `following_error`.
    pub(crate) position: Option<ColumnTable>,
    /// Reference minus position, in m, or rad where the axis is rotary, unless a unit is given, where the recording has that instead of a position.
    pub(crate) following_error: Option<ColumnTable>,
    /// Velocity, in m/s, or rad/s where the axis is rotary, unless a unit is given; differentiated from the position where missing.
    pub(crate) velocity: Option<ColumnTable>,
    /// Current in A unless a unit is given; a unit of force, of torque where the axis is rotary, makes the axis' effort one.
    pub(crate) current: ColumnTable,
    /// The current was recorded without its sign; it then counts in the direction in which the reference moved last.
    #[serde(default)]
    pub(crate) current_magnitude: bool,
}

/// A column: value in SI = number in the column * factor * unit.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ColumnTable {
    /// Header of the column.
    pub(crate) column: At<String>,
    /// Unit after the factor; the SI unit unless given.
    pub(crate) unit: Option<At<String>>,
    /// Factor to the unit, 1 unless given (any but 0).
    pub(crate) factor: Option<Quantity<Number>>,
}
