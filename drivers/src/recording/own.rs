//! Our own form: its header, and reading it back.

use super::MAX_GAP_CYCLES;
use super::error::{Problem, RecordingError};
use super::store::{Head, Store};
use super::table::{Table, integer, unsigned};
use crate::bus::{BusCause, ProcessImage};
use crate::object_map::{Layout, Slot};
use twinstep_models::sample::{CycleStamp, Missing};

/// Marks the form and its version.
pub(super) const MARK: &str = "twinstep_recording_v1";
/// What every version's mark starts with.
const ANY_MARK: &str = "twinstep_recording_v";
/// Columns before the process data.
pub(super) const HEAD_COLUMNS: [&str; 8] = [
    "cycle",
    "time_ns",
    "dc_time_ns",
    "bus",
    "valid",
    "recipe",
    "part",
    MARK,
];

/// Columns behind the process data, where a controller tells some of them: nothing else in the row does.
pub(super) const CONDITION_COLUMNS: [&str; 3] = ["tool", "load", "temperature"];

/// The columns of [`CONDITION_COLUMNS`] that recordings of a machine have: all or none.
pub(super) fn condition_columns(layout: &Layout) -> &'static [&'static str] {
    if layout.conditions {
        &CONDITION_COLUMNS
    } else {
        &[]
    }
}

/// Letters of the column `valid`, in the order of [`Missing::ALL`].
const LETTERS: [(u8, Missing); 7] = [
    (b'n', Missing::NoFrame),
    (b'w', Missing::WorkingCounter),
    (b'o', Missing::NotOperational),
    (b'g', Missing::Gap),
    (b'x', Missing::NotANumber),
    (b'm', Missing::NotMapped),
    (b's', Missing::NewSegment),
];

/// The letter of one SubDevice in the column `valid`.
pub(super) fn letter(valid: Result<(), Missing>) -> u8 {
    match valid {
        Ok(()) => b'v',
        Err(missing) => LETTERS
            .iter()
            .find(|(_, known)| *known == missing)
            .map_or(b'm', |(letter, _)| *letter),
    }
}

fn from_letter(letter: u8) -> Option<Result<(), Missing>> {
    if letter == b'v' {
        return Some(Ok(()));
    }
    LETTERS
        .iter()
        .find(|(known, _)| *known == letter)
        .map(|(_, missing)| Err(*missing))
}

/// One column of process data.
#[derive(Clone, Debug)]
pub(super) struct DataColumn {
    pub(super) name: String,
    pub(super) output: bool,
    pub(super) slot: Slot,
}

/// The columns of process data of a machine, in their order.
pub(super) fn data_columns(layout: &Layout) -> Vec<DataColumn> {
    let mut columns = Vec::new();
    for subdevice in &layout.subdevices {
        let outputs = subdevice.outputs.iter().map(|entry| (true, entry));
        let inputs = subdevice.inputs.iter().map(|entry| (false, entry));
        for (output, entry) in outputs.chain(inputs) {
            let (index, subindex) = (entry.object.index, entry.object.subindex);
            columns.push(DataColumn {
                name: if subindex == 0 {
                    format!("{}.0x{index:04x}", subdevice.name)
                } else {
                    format!("{}.0x{index:04x}:{subindex:02x}", subdevice.name)
                },
                output,
                slot: entry.slot,
            });
        }
    }
    columns
}

/// Whether a header is that of our own form, in any version.
pub(super) fn is_own(header: &[String]) -> bool {
    header
        .get(HEAD_COLUMNS.len() - 1)
        .is_some_and(|name| name.starts_with(ANY_MARK))
}

/// Reads all rows.
pub(super) fn load(
    table: &mut Table,
    layout: &Layout,
    period_ns: u64,
    image: &mut ProcessImage,
) -> Result<Store, RecordingError> {
    let columns = data_columns(layout);
    let behind = condition_columns(layout);
    check_header(table, &columns, behind)?;
    let mut store = Store::new(image).with_conditions(layout.conditions);
    let mut previous: Option<CycleStamp> = None;
    while table.next_row()? {
        let head = head(table, image)?;
        if let Some(previous) = previous {
            check_order(table, previous, head.stamp, period_ns)?;
        }
        previous = Some(head.stamp);
        for (number, column) in columns.iter().enumerate() {
            data(table, HEAD_COLUMNS.len() + number, column, &head, image)?;
        }
        let mut told = <[u8; 3]>::default();
        let first = HEAD_COLUMNS.len() + columns.len();
        for (number, (to, _)) in told.iter_mut().zip(behind).enumerate() {
            *to = byte(table, first + number)?;
        }
        if layout.conditions {
            image.conditions = told.into();
        }
        if !store.push(&head, image) {
            return Err(table.error(Problem::TooLarge));
        }
    }
    Ok(store)
}

fn check_header(
    table: &Table,
    columns: &[DataColumn],
    behind: &[&str],
) -> Result<(), RecordingError> {
    let header = table.header();
    if let Some(actual) = header
        .get(HEAD_COLUMNS.len() - 1)
        .filter(|name| *name != MARK)
    {
        return Err(table.error(Problem::Version {
            actual: actual.clone(),
        }));
    }
    let expected = HEAD_COLUMNS
        .iter()
        .copied()
        .chain(columns.iter().map(|column| column.name.as_str()))
        .chain(behind.iter().copied());
    let mut actual = header.iter();
    for expected in expected {
        let actual = actual.next().map_or("", String::as_str);
        if actual != expected {
            return Err(table.error(Problem::OtherMachine {
                expected: expected.to_owned(),
                actual: actual.to_owned(),
            }));
        }
    }
    match actual.next() {
        None => Ok(()),
        Some(more) => Err(table.error(Problem::OtherMachine {
            expected: String::new(),
            actual: more.clone(),
        })),
    }
}

fn byte(table: &Table, column: usize) -> Result<u8, RecordingError> {
    unsigned(table.cell(column))
        .and_then(|value| u8::try_from(value).ok())
        .ok_or_else(|| table.cell_error(column, "an integer from 0 to 255"))
}

fn head(table: &Table, image: &mut ProcessImage) -> Result<Head, RecordingError> {
    let long = |column: usize| {
        unsigned(table.cell(column))
            .ok_or_else(|| table.cell_error(column, "an integer from 0 to 2^64 - 1"))
    };
    let stamp = CycleStamp {
        cycle: long(0)?,
        time_ns: long(1)?,
        dc_time_ns: long(2)?,
    };
    let cause = cause(table.cell(3)).ok_or_else(|| {
        table.cell_error(
            3,
            "`ok`, `no_frame`, `working_counter:EXPECTED:ACTUAL` or `gap`",
        )
    })?;
    let letters = table.cell(4);
    let count = image.valid.len();
    let valid_error = || {
        let expected = format!("{count} letters out of v, n, w, o, g, x and m");
        table.cell_error(4, expected)
    };
    if letters.len() != count {
        return Err(valid_error());
    }
    let (recipe, part) = (byte(table, 5)?, byte(table, 6)?);
    for (number, &letter) in letters.iter().enumerate() {
        let valid = from_letter(letter).ok_or_else(&valid_error)?;
        if let Some(place) = image.valid.get_mut(number) {
            *place = valid;
        }
    }
    if !table.cell(7).is_empty() {
        return Err(table.cell_error(7, "an empty cell"));
    }
    Ok(Head {
        stamp,
        cause,
        recipe,
        part,
    })
}

fn cause(cell: &[u8]) -> Option<Option<BusCause>> {
    match cell {
        b"ok" => return Some(None),
        b"no_frame" => return Some(Some(BusCause::NoFrame)),
        b"gap" => return Some(Some(BusCause::Gap)),
        b"segment" => return Some(Some(BusCause::Segment)),
        _ => {}
    }
    let counters = cell.strip_prefix(b"working_counter:")?;
    let colon = counters.iter().position(|&byte| byte == b':')?;
    let counter = |cell: &[u8]| u16::try_from(unsigned(cell)?).ok();
    Some(Some(BusCause::WorkingCounter {
        expected: counter(counters.get(..colon)?)?,
        actual: counter(counters.get(colon + 1..)?)?,
    }))
}

fn check_order(
    table: &Table,
    previous: CycleStamp,
    stamp: CycleStamp,
    period_ns: u64,
) -> Result<(), RecordingError> {
    if stamp.cycle <= previous.cycle {
        let problem = Problem::CycleOrder {
            previous: previous.cycle,
            actual: stamp.cycle,
        };
        return Err(table.column_error(0, problem));
    }
    if stamp.time_ns <= previous.time_ns {
        let problem = Problem::TimeOrder {
            previous_s: previous.time_ns as f64 / 1e9,
            actual_s: stamp.time_ns as f64 / 1e9,
        };
        return Err(table.column_error(1, problem));
    }
    let cycles = stamp.cycle - previous.cycle;
    if cycles - 1 > MAX_GAP_CYCLES {
        let problem = Problem::GapTooLong { actual: cycles - 1 };
        return Err(table.column_error(0, problem));
    }
    let step_ns = stamp.time_ns - previous.time_ns;
    let nominal_ns = cycles.saturating_mul(period_ns);
    if step_ns.abs_diff(nominal_ns) > nominal_ns / 10 {
        let problem = Problem::Uneven {
            period_s: period_ns as f64 / 1e9,
            actual_s: step_ns as f64 / cycles as f64 / 1e9,
            cycles: 1,
            own: true,
        };
        return Err(table.column_error(1, problem));
    }
    Ok(())
}

fn data(
    table: &Table,
    number: usize,
    column: &DataColumn,
    head: &Head,
    image: &mut ProcessImage,
) -> Result<(), RecordingError> {
    if !column.output && head.cause.is_some() {
        return if table.cell(number).is_empty() {
            Ok(())
        } else {
            Err(table.cell_error(number, "an empty cell, since the exchange failed,"))
        };
    }
    let (low, high) = column.slot.range();
    let bytes = if column.output {
        &mut image.outputs
    } else {
        &mut image.inputs
    };
    match integer(table.cell(number)) {
        Some(raw) if (low..=high).contains(&raw) && column.slot.put(bytes, raw) => Ok(()),
        _ => Err(table.cell_error(number, format!("an integer from {low} to {high}"))),
    }
}
