//! How a recording from elsewhere is read.

/// How the columns of a recording from elsewhere map to axis quantities.
#[derive(Clone, Debug, PartialEq)]
pub struct RecordingMap {
    /// Column of the time and the factor to seconds; no name with `index`.
    pub time: Column,
    /// The table has no time: row k is cycle k.
    pub index: bool,
    /// Columns whose change starts a new segment.
    pub segment_by: Vec<String>,
    /// Uneven sampling is allowed (it is refused otherwise beyond 10 % of the period).
    pub uneven: bool,
    /// Values are interpolated to the period; uneven sampling is allowed then.
    pub resample: bool,
    /// One entry per axis, in the order of `axes`.
    pub axes: Vec<AxisColumns>,
    /// One entry per station, in the order of `stations`.
    pub stations: Vec<StationColumns>,
}

/// Columns of one station.
#[derive(Clone, Debug, PartialEq)]
pub struct StationColumns {
    /// Name of the station.
    pub station: String,
    /// Pressure (to Pa, before the station's offset is added).
    pub pressure: Column,
    /// Ejector on where it is not 0.
    pub ejector: Option<Column>,
    /// Blow-off open where it is not 0.
    pub blow_off: Option<Column>,
}

/// Columns of one axis.
#[derive(Clone, Debug, PartialEq)]
pub struct AxisColumns {
    /// Name of the axis.
    pub axis: String,
    /// Reference (to m).
    pub reference: Option<Column>,
    /// Position (to m), or what is left to the reference where `following_error` is true.
    pub position: Column,
    /// The column `position` holds reference minus position.
    pub following_error: bool,
    /// Velocity (to m/s); differentiated from the position where missing.
    pub velocity: Option<Column>,
    /// Current, or the drive input that stands for it (to A, or to whatever unit `force_constant_n_per_a` takes).
    pub current: Column,
    /// The column `current` has no sign: it counts in the direction in which the reference moved last.
    pub current_magnitude: bool,
}

/// A column and its factor to SI.
#[derive(Clone, Debug, PartialEq)]
pub struct Column {
    /// Header of the column.
    pub name: String,
    /// Factor to the SI unit.
    pub factor: f64,
}
