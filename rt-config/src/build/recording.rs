//! Recordings from elsewhere: columns to axis quantities.

use super::Whole;
use crate::check::{Bounds, Check};
use crate::error::shortened;
use crate::machine::{
    Axis, AxisColumns, Column, EffortUnit, MAX_SEGMENT_COLUMNS, Press, RecordingMap,
};
use crate::raw::{AxisColumnsTable, ColumnTable, RecordingTable};
use crate::units::{ANGLE, ANGULAR_VELOCITY, CURRENT, Dimension, FORCE, LENGTH, TIME, VELOCITY};

/// Longest header of a column (bytes).
const MAX_HEADER: usize = 128;

/// What stands for the effort: a force if the `current` column has a unit of force.
pub(super) fn effort_unit(raw: &AxisColumnsTable) -> EffortUnit {
    match &raw.current.unit {
        Some(unit) if FORCE.unit(&unit.value).is_some() => EffortUnit::Newton,
        _ => EffortUnit::Ampere,
    }
}

pub(super) fn recording(
    raw: &RecordingTable,
    axes: &[Axis],
    presses: &[Press],
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
    let tables = &raw.axis.value;
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
                &raw.axis.span,
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
        axes: mapped,
    }
}

fn columns(raw: &AxisColumnsTable, axis: &Axis, whole: &Whole, check: &mut Check) -> AxisColumns {
    // A turn of the motor is one lead of the axis, whichever way the drive counts.
    let m_per_rad = axis.drive.feed_m_per_rev / (2.0 * std::f64::consts::PI);
    let place = [(&LENGTH, 1.0), (&ANGLE, m_per_rad)];
    let speed = [(&VELOCITY, 1.0), (&ANGULAR_VELOCITY, m_per_rad)];
    if let (EffortUnit::Newton, true, Some(unit)) = (axis.effort_unit, whole.bus, &raw.current.unit)
    {
        check.problem(
            &unit.span,
            format!(
                "the recording of {} holds a force, but its drive on the bus measures a current",
                axis.name
            ),
            "a force",
            "map a current in A, or leave [bus] and [simulation] out of a machine that is only replayed",
        );
    }
    AxisColumns {
        axis: axis.name.clone(),
        reference: raw.reference.as_ref().map(|raw| column(raw, &place, check)),
        position: column(&raw.position, &place, check),
        velocity: raw.velocity.as_ref().map(|raw| column(raw, &speed, check)),
        current: column(&raw.current, &[(&CURRENT, 1.0), (&FORCE, 1.0)], check),
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
                &raw.axis.span,
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
