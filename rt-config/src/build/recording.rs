//! Recordings from elsewhere: columns to the quantities of axes and stations.

use super::Whole;
use crate::check::{Bounds, Check};
use crate::error::shortened;
use crate::machine::{
    Axis, AxisColumns, AxisKind, Column, EffortUnit, MAX_SEGMENT_COLUMNS, Press, RecordingMap,
    Station, StationColumns,
};
use crate::raw::{AxisColumnsTable, ColumnTable, RecordingTable, StationColumnsTable};
use crate::units::{
    ANGLE, ANGULAR_VELOCITY, CURRENT, Dimension, FORCE, LENGTH, NUMBER, PRESSURE, TIME, TORQUE,
    VELOCITY,
};

/// Longest header of a column (bytes).
const MAX_HEADER: usize = 128;

/// What stands for the effort: a force if the `current` column has a unit of force, or of torque where the axis is rotary.
pub(super) fn effort_unit(raw: &AxisColumnsTable, kind: AxisKind) -> EffortUnit {
    match &raw.current.unit {
        Some(unit) if force_of(kind).unit(&unit.value).is_some() => EffortUnit::Newton,
        _ => EffortUnit::Ampere,
    }
}

fn force_of(kind: AxisKind) -> &'static Dimension {
    match kind {
        AxisKind::Linear => &FORCE,
        AxisKind::Rotary => &TORQUE,
    }
}

pub(super) fn recording(
    raw: &RecordingTable,
    axes: &[Axis],
    presses: &[Press],
    stations: &[Station],
    whole: &Whole,
    check: &mut Check,
) -> RecordingMap {
    if let Some(last) = raw.segment_by.last() {
        let count = raw.segment_by.len();
        check.at_most(
            &last.span,
            "columns in `segment_by`",
            count,
            MAX_SEGMENT_COLUMNS,
        );
    }
    let tables: &[AxisColumnsTable] = raw.axis.as_ref().map_or(&[], |axis| &axis.value);
    check.unique("recorded axes", tables.iter().map(|table| &table.axis));
    let known: Vec<&Axis> = axes
        .iter()
        .chain(presses.iter().map(|press| &press.axis))
        .collect();
    let names: Vec<&str> = known.iter().map(|axis| axis.name.as_str()).collect();
    for table in tables {
        if !names.contains(&table.axis.value.as_str()) {
            check.unknown("axis or press", &table.axis, &names);
        }
    }
    let mut mapped = Vec::new();
    for axis in known {
        match tables.iter().find(|table| table.axis.value == axis.name) {
            Some(table) => mapped.push(columns(table, axis, whole, check)),
            None => check.problem(
                &place(raw),
                format!("no [[recording.axis]] is for {}", axis.name),
                "not complete",
                format!(
                    "add [[recording.axis]] with `axis = \"{}\"` and its columns",
                    axis.name
                ),
            ),
        }
    }
    RecordingMap {
        time: time(raw, check),
        index: raw.index,
        segment_by: raw
            .segment_by
            .iter()
            .map(|name| name.value.clone())
            .collect(),
        uneven: raw.uneven,
        resample: raw.resample,
        axes: mapped,
        stations: station_columns(raw, stations, check),
    }
}

fn station_columns(
    raw: &RecordingTable,
    stations: &[Station],
    check: &mut Check,
) -> Vec<StationColumns> {
    let tables: &[StationColumnsTable] = raw.station.as_ref().map_or(&[], |table| &table.value);
    check.unique(
        "recorded stations",
        tables.iter().map(|table| &table.station),
    );
    let names: Vec<&str> = stations
        .iter()
        .map(|station| station.name.as_str())
        .collect();
    for table in tables {
        if !names.contains(&table.station.value.as_str()) {
            check.unknown("station", &table.station, &names);
        }
    }
    // A station without an entry is not in the recording: on a bus its process data has it, else it has no readings.
    let entry = |name: &&str| tables.iter().find(|table| table.station.value == **name);
    let switch = |raw: &Option<ColumnTable>, check: &mut Check| {
        raw.as_ref()
            .map(|raw| column(raw, &[(&NUMBER, 1.0)], check))
    };
    names
        .iter()
        .filter_map(entry)
        .map(|table| StationColumns {
            station: table.station.value.clone(),
            pressure: column(&table.pressure, &[(&PRESSURE, 1.0)], check),
            ejector: switch(&table.ejector, check),
            blow_off: switch(&table.blow_off, check),
        })
        .collect()
}

fn columns(raw: &AxisColumnsTable, axis: &Axis, whole: &Whole, check: &mut Check) -> AxisColumns {
    // A turn of the motor is one lead of the axis, whichever way the drive counts.
    let m_per_rad = axis.drive.feed_m_per_rev / (2.0 * std::f64::consts::PI);
    let place: &[(&Dimension, f64)] = match axis.kind {
        AxisKind::Linear => &[(&LENGTH, 1.0), (&ANGLE, m_per_rad)],
        AxisKind::Rotary => &[(&ANGLE, 1.0)],
    };
    let speed: &[(&Dimension, f64)] = match axis.kind {
        AxisKind::Linear => &[(&VELOCITY, 1.0), (&ANGULAR_VELOCITY, m_per_rad)],
        AxisKind::Rotary => &[(&ANGULAR_VELOCITY, 1.0)],
    };
    if let (EffortUnit::Newton, true, Some(unit)) = (axis.effort_unit, whole.bus, &raw.current.unit)
    {
        check.problem(
            &unit.span,
            format!(
                "the recording of {} holds a {}, but its drive on the bus measures a current",
                axis.name,
                if axis.kind == AxisKind::Rotary { "torque" } else { "force" }
            ),
            "no current",
            "map a current in A, or leave [bus] and [simulation] out of a machine that is only replayed",
        );
    }
    let (position, following_error) = match (&raw.position, &raw.following_error) {
        (Some(position), None) => (column(position, place, check), false),
        (None, Some(error)) => (column(error, place, check), true),
        _ => {
            check.problem(
                &raw.axis.span,
                format!(
                    "the recording of {} needs either `position` or `following_error`",
                    axis.name
                ),
                "one of the two",
                "map the column that holds the position, or the one that holds reference minus position",
            );
            let neither = Column {
                name: String::new(),
                factor: f64::NAN,
            };
            (neither, false)
        }
    };
    let needs_reference = following_error || raw.current_magnitude;
    if needs_reference && raw.reference.is_none() {
        let key = if following_error {
            "following_error"
        } else {
            "current_magnitude"
        };
        check.problem(
            &raw.axis.span,
            format!("`{key}` of {} needs the reference", axis.name),
            "has no `reference`",
            "map the column that holds the target position",
        );
    }
    AxisColumns {
        axis: axis.name.clone(),
        reference: raw.reference.as_ref().map(|raw| column(raw, place, check)),
        position,
        following_error,
        velocity: raw.velocity.as_ref().map(|raw| column(raw, speed, check)),
        current: column(
            &raw.current,
            &[(&CURRENT, 1.0), (force_of(axis.kind), 1.0)],
            check,
        ),
        current_magnitude: raw.current_magnitude,
    }
}

/// The column of the time, or none of its own where rows are counted.
fn time(raw: &RecordingTable, check: &mut Check) -> Column {
    let counted = Column {
        name: String::new(),
        factor: 0.0,
    };
    match (&raw.time, raw.index) {
        (Some(time), false) => column(time, &[(&TIME, 1.0)], check),
        (None, true) => counted,
        (Some(time), true) => {
            check.problem(
                &time.column.span,
                "`time` and `index = true` exclude each other",
                "a time beside `index`",
                "leave `index` out where the table has a time, else `time`",
            );
            counted
        }
        (None, false) => {
            check.problem(
                &place(raw),
                "[recording] needs `time`, the column of the time",
                "no time",
                "add `time = { column = \"..\", unit = \"s\" }`, or `index = true` where the table has none",
            );
            counted
        }
    }
}

/// A column whose unit is one of `dimensions`, each with its factor to what the machine counts in.
fn column(raw: &ColumnTable, dimensions: &[(&Dimension, f64)], check: &mut Check) -> Column {
    if raw.column.value.is_empty() || raw.column.value.len() > MAX_HEADER {
        check.problem(
            &raw.column.span,
            format!("`column` must be a header of 1 to {MAX_HEADER} bytes"),
            "no header",
            "write the column's header as the first line of the recording has it",
        );
    }
    let factor = check.si_or("factor", raw.factor.as_ref(), Bounds::any(), 1.0);
    if factor == 0.0
        && let Some(raw) = &raw.factor
    {
        check.problem(
            &raw.span,
            "`factor` is 0: every value would be 0",
            "not 0",
            "give the factor from the column's numbers to the unit; negative turns the direction",
        );
    }
    let mut scale = 1.0;
    if let Some(unit) = &raw.unit {
        let found = dimensions
            .iter()
            .find_map(|(dimension, scale)| dimension.unit(&unit.value).map(|unit| (unit, scale)));
        match found {
            // The power of ten is exact as text, as everywhere in the configuration.
            Some((unit, to_machine)) => {
                let ten = format!("1e{}", unit.pow10).parse().unwrap_or(f64::NAN);
                scale = ten * unit.mul / unit.div * to_machine;
            }
            None => {
                let allowed: Vec<String> = dimensions
                    .iter()
                    .map(|(dimension, _)| format!("{} ({})", dimension.allowed(), dimension.name))
                    .collect();
                check.problem(
                    &unit.span,
                    format!(
                        "`unit` is \"{}\", which this column cannot be in",
                        shortened(&unit.value)
                    ),
                    "not a unit of this column",
                    format!(
                        "allowed units: {}; a `factor` beside it may convert anything else",
                        allowed.join("; ")
                    ),
                );
            }
        }
    }
    Column {
        name: raw.column.value.clone(),
        factor: factor * scale,
    }
}

/// Where a message points that is about the table as a whole.
fn place(raw: &RecordingTable) -> std::ops::Range<usize> {
    let axis = raw.axis.as_ref().map(|axis| axis.span.clone());
    let time = || raw.time.as_ref().map(|time| time.column.span.clone());
    let station = || raw.station.as_ref().map(|station| station.span.clone());
    axis.or_else(time).or_else(station).unwrap_or_default()
}
