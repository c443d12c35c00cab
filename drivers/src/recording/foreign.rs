//! Tables from elsewhere, mapped by the configuration.
//!
//! Row k becomes cycle k. Before a new segment one cycle is left out, so that nobody takes the jump for a movement. Where
//! the sampling is declared uneven, a row moves on by as many cycles as its step in time has periods, rounded, at least
//! one. A velocity that the table lacks is the difference to the row before, over the period (uneven: over the step);
//! looking one row ahead would be more exact, but a prediction must not know the future. So the first row of a segment has no
//! velocity, nor has the row after one without a position. A table without a time (`index`) is a stroke that was taken step
//! by step: a row is a period after the one before it, its velocity is nominal, and it begins at rest.
//!
//! With `resample` the time stamps are honoured exactly: the values at the cycles' times are interpolated linearly between the
//! rows on both sides, switches, recipe and part keep the value of the row before. So a value holds a share of a row up to one step later; that
//! is meant for slow signals, such as a pressure, not for judging a prediction one cycle ahead. Steps of more than
//! five periods are not interpolated: their cycles are a gap.

use super::MAX_GAP_CYCLES;
use super::context::ContextSource;
use super::error::{Problem, RecordingError};
use super::resample::Resampler;
use super::store::{Head, Store};
use super::table::{Table, number};
use crate::bus::ProcessImage;
use crate::object_map::{ColumnMap, RAW_INPUT_BYTES, RAW_OUTPUT_BYTES};
use std::ops::ControlFlow;
use twinstep_config::machine::{Column, ContextFrom, RecordingMap};
use twinstep_models::sample::{CycleStamp, Missing};

/// Share of the period by which a step in time may deviate.
const UNEVEN_SHARE: f64 = 0.1;

/// Columns of one axis.
struct AxisSource {
    reference: Option<usize>,
    position: usize,
    velocity: Option<usize>,
    current: usize,
    /// Reference over position, each in the unit of its column; only where the table has the following error.
    reference_per_error: Option<f64>,
    /// The current has no sign of its own.
    magnitude: bool,
    /// Position and reference in the row before.
    previous: f64,
    previous_reference: f64,
    /// In which the reference moved last: 1 or -1.
    direction: f64,
    /// The velocity of the first row of a segment, where it is a difference: none, or rest in a table without a time.
    first_velocity: f64,
}

/// A loaded table.
pub(super) struct Loaded {
    pub(super) store: Store,
    /// First cycle of every segment.
    pub(super) segment_starts: Vec<u64>,
    /// First cycle of every run: where the first of the columns that cut segments changes.
    pub(super) run_starts: Vec<u64>,
    /// Time of every row as the table has it (s).
    pub(super) time_s: Vec<f64>,
    /// Step between two rows in the middle (s); none where the table has no time, or only rows that begin a segment.
    pub(super) row_step_s: Option<f64>,
}

/// Reads all rows.
pub(super) fn load(
    table: &mut Table,
    (map, told): (&RecordingMap, &ContextFrom),
    columns: &ColumnMap,
    period_ns: u64,
    image: &mut ProcessImage,
) -> Result<Loaded, RecordingError> {
    let time_column = if map.index {
        None
    } else {
        Some(find(table, &map.time.name)?)
    };
    let segment_columns = map
        .segment_by
        .iter()
        .map(|name| find(table, name))
        .collect::<Result<Vec<_>, _>>()?;
    let mut axes = sources(table, map, columns)?;
    let stations = station_sources(table, map, columns)?;
    let context = ContextSource::new(table, told)?;
    let mut resampler = Resampler::new(image, axes.len() * RAW_OUTPUT_BYTES);
    let uneven = map.uneven || map.resample;
    let period_s = period_ns as f64 / 1e9;

    let mut loaded = Loaded {
        store: Store::new(image).with_conditions(context.tells_conditions()),
        segment_starts: Vec::new(),
        run_starts: Vec::new(),
        time_s: Vec::new(),
        row_step_s: None,
    };
    let mut steps_s = Vec::new();
    let mut segment: Vec<Vec<u8>> = vec![Vec::new(); segment_columns.len()];
    let mut previous: Option<(u64, f64)> = None;
    while table.next_row()? {
        let time_s = row_time(table, time_column, map, loaded.time_s.len(), period_s)?;
        let changed = segment_columns
            .iter()
            .zip(&segment)
            .any(|(&column, key)| table.cell(column) != key.as_slice());
        let before_s = previous.map_or(time_s, |(_, before_s)| before_s);
        let (cycle, step_s) = match previous {
            None => (0, None),
            Some((cycle, _)) if changed => (cycle + 2, None),
            Some((cycle, before_s)) => {
                let step_s = time_s - before_s;
                let cycles = step(
                    table,
                    time_column.unwrap_or(0),
                    (before_s, time_s),
                    period_s,
                    uneven,
                )?;
                (cycle + cycles, Some(if uneven { step_s } else { period_s }))
            }
        };
        if step_s.is_none() {
            loaded.segment_starts.push(cycle);
            let run = segment_columns.first().map(|&column| table.cell(column));
            if loaded.run_starts.is_empty() || run != segment.first().map(Vec::as_slice) {
                loaded.run_starts.push(cycle);
            }
            for (&column, key) in segment_columns.iter().zip(&mut segment) {
                key.clear();
                key.extend_from_slice(table.cell(column));
            }
        }
        previous = Some((cycle, time_s));
        steps_s.extend(step_s.map(|_| time_s - before_s));
        for (number, axis) in axes.iter_mut().enumerate() {
            axis.read(table, number, step_s, image)?;
        }
        for station in &stations {
            station.read(table, image)?;
        }
        context.read(table, image);
        image.valid.fill(Ok::<(), Missing>(()));
        let mut put = |cycle: u64, time_s: f64, image: &ProcessImage| {
            let head = Head {
                stamp: CycleStamp {
                    cycle,
                    time_ns: cycle.saturating_mul(period_ns),
                    dc_time_ns: 0,
                },
                recipe: image.recipe,
                part: image.part,
                cause: None,
            };
            loaded.time_s.push(time_s);
            if loaded.store.push(&head, image) {
                ControlFlow::Continue(())
            } else {
                ControlFlow::Break(())
            }
        };
        let put = if !map.resample {
            put(cycle, time_s, image)
        } else if step_s.is_none() {
            resampler.restart(cycle, time_s, image);
            put(cycle, time_s, image)
        } else {
            resampler.advance(time_s, period_s, image, &mut put)
        };
        if put.is_break() {
            return Err(table.error(Problem::TooLarge));
        }
        if map.resample {
            // The next segment starts behind what was put, not behind the rows.
            previous = Some((resampler.cycle(), time_s));
        }
    }
    loaded.row_step_s = time_column.and_then(|_| middle(&mut steps_s));
    Ok(loaded)
}

/// The value in the middle.
fn middle(values: &mut [f64]) -> Option<f64> {
    let half = values.len() / 2;
    (half < values.len()).then(|| *values.select_nth_unstable_by(half, f64::total_cmp).1)
}

/// Time of the row (s): from its column, or as many periods as there were rows where the table has no time.
fn row_time(
    table: &Table,
    column: Option<usize>,
    map: &RecordingMap,
    rows: usize,
    period_s: f64,
) -> Result<f64, RecordingError> {
    let Some(column) = column else {
        return Ok(rows as f64 * period_s);
    };
    number(table.cell(column))
        .map(|time| time * map.time.factor)
        .filter(|time| time.is_finite())
        .ok_or_else(|| table.cell_error(column, "a time"))
}

/// Cycles from one row to the next.
fn step(
    table: &Table,
    column: usize,
    (before_s, time_s): (f64, f64),
    period_s: f64,
    uneven: bool,
) -> Result<u64, RecordingError> {
    let step_s = time_s - before_s;
    // Both times are finite, so the step is no NaN.
    if step_s <= 0.0 {
        let problem = Problem::TimeOrder {
            previous_s: before_s,
            actual_s: time_s,
        };
        return Err(table.column_error(column, problem));
    }
    let cycles = (step_s / period_s).round().max(1.0) as u64;
    if !uneven && (step_s - period_s).abs() > period_s * UNEVEN_SHARE {
        let problem = Problem::Uneven {
            period_s,
            actual_s: step_s,
            cycles,
            own: false,
        };
        return Err(table.column_error(column, problem));
    }
    if cycles - 1 > MAX_GAP_CYCLES {
        let problem = Problem::GapTooLong { actual: cycles - 1 };
        return Err(table.column_error(column, problem));
    }
    Ok(if uneven { cycles } else { 1 })
}

/// Number of the column with this name.
pub(super) fn find(table: &Table, name: &str) -> Result<usize, RecordingError> {
    let mut found = table
        .header()
        .iter()
        .enumerate()
        .filter(|(_, header)| *header == name)
        .map(|(number, _)| number);
    match (found.next(), found.next()) {
        (Some(number), None) => Ok(number),
        (Some(_), Some(_)) => Err(table.error(Problem::DoubleColumn).column_named(name)),
        (None, _) => Err(table
            .error(Problem::MissingColumn {
                available: table.header().to_vec(),
            })
            .column_named(name)),
    }
}

fn sources(
    table: &Table,
    map: &RecordingMap,
    columns: &ColumnMap,
) -> Result<Vec<AxisSource>, RecordingError> {
    let optional = |column: &Option<Column>| {
        column
            .as_ref()
            .map(|column| find(table, &column.name))
            .transpose()
    };
    columns
        .entries()
        .iter()
        .filter_map(|&entry| map.axes.get(entry))
        .map(|entry| {
            Ok(AxisSource {
                reference: optional(&entry.reference)?,
                position: find(table, &entry.position.name)?,
                velocity: optional(&entry.velocity)?,
                current: find(table, &entry.current.name)?,
                reference_per_error: (entry.reference.as_ref())
                    .filter(|_| entry.following_error)
                    .map(|reference| reference.factor / entry.position.factor),
                magnitude: entry.current_magnitude,
                previous: f64::NAN,
                previous_reference: f64::NAN,
                direction: 1.0,
                first_velocity: if map.index { 0.0 } else { f64::NAN },
            })
        })
        .collect()
}

/// Columns of one station, and where its values go.
struct StationSource {
    pressure: usize,
    ejector: Option<usize>,
    blow_off: Option<usize>,
    outputs: usize,
    inputs: usize,
}

fn station_sources(
    table: &Table,
    map: &RecordingMap,
    columns: &ColumnMap,
) -> Result<Vec<StationSource>, RecordingError> {
    let optional = |column: &Option<Column>| {
        column
            .as_ref()
            .map(|column| find(table, &column.name))
            .transpose()
    };
    (map.stations
        .iter()
        .enumerate()
        .take(columns.recorded_stations()))
    .map(|(place, entry)| {
        let (outputs, inputs) = columns.station_bytes(place);
        Ok(StationSource {
            pressure: find(table, &entry.pressure.name)?,
            ejector: optional(&entry.ejector)?,
            blow_off: optional(&entry.blow_off)?,
            outputs,
            inputs,
        })
    })
    .collect()
}

impl StationSource {
    fn read(&self, table: &Table, image: &mut ProcessImage) -> Result<(), RecordingError> {
        let value = |column: usize| {
            number(table.cell(column))
                .ok_or_else(|| table.cell_error(column, "a number or an empty cell"))
        };
        let switch = |column: Option<usize>| column.map_or(Ok(0.0), value);
        put(&mut image.inputs, self.inputs, value(self.pressure)?);
        put(&mut image.outputs, self.outputs, switch(self.ejector)?);
        put(&mut image.outputs, self.outputs + 8, switch(self.blow_off)?);
        Ok(())
    }
}

impl AxisSource {
    fn read(
        &mut self,
        table: &Table,
        axis: usize,
        step_s: Option<f64>,
        image: &mut ProcessImage,
    ) -> Result<(), RecordingError> {
        let value = |column: usize| {
            number(table.cell(column))
                .ok_or_else(|| table.cell_error(column, "a number or an empty cell"))
        };
        let reference = self.reference.map_or(Ok(f64::NAN), value)?;
        let position = match self.reference_per_error {
            None => value(self.position)?,
            Some(ratio) => reference * ratio - value(self.position)?,
        };
        let velocity = match (self.velocity, step_s) {
            (Some(column), _) => value(column)?,
            (None, Some(step_s)) => (position - self.previous) / step_s,
            (None, None) => self.first_velocity,
        };
        self.previous = position;
        let step = reference - self.previous_reference;
        if step_s.is_some() && step != 0.0 && step.is_finite() {
            self.direction = step.signum();
        }
        self.previous_reference = reference;
        let current = value(self.current)?;
        let current = if self.magnitude {
            self.direction * current
        } else {
            current
        };
        put(&mut image.outputs, axis * RAW_OUTPUT_BYTES, reference);
        let input = axis * RAW_INPUT_BYTES;
        put(&mut image.inputs, input, position);
        put(&mut image.inputs, input + 8, velocity);
        put(&mut image.inputs, input + 16, current);
        Ok(())
    }
}

fn put(bytes: &mut [u8], offset: usize, value: f64) {
    // NaN has many bit patterns; an image of a recording has one.
    let value = if value.is_nan() { f64::NAN } else { value };
    if let Some(place) = bytes.get_mut(offset..offset + 8) {
        place.copy_from_slice(&value.to_le_bytes());
    }
}
