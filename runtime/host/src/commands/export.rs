//! `twinstep export`: a recording in forms that other programs read.

use super::replay::{machine_in, refused};
use crate::error::{Exit, HostError};
use crate::output::Output;
use crate::record::args::ExportArgs;
use crate::record::known::Known;
#[cfg(feature = "parquet")]
use crate::record::parquet::ParquetWriter;
use crate::record::window::Span;
use serde::Serialize;
use std::ops::Range;
use std::path::Path;
use twinstep_config::machine::Machine;
use twinstep_drivers::bus::{Bus, BusCause, BusFault, ProcessImage};
use twinstep_drivers::object_map::outcome;
use twinstep_drivers::recording::{RecordingBus, Writer};
use twinstep_models::sample::CycleStamp;

/// What was written.
#[derive(Debug, Serialize)]
struct ExportLine {
    #[serde(rename = "type")]
    kind: &'static str,
    file: String,
    cycles: u64,
    /// Cycles that the recording has no row of.
    missing: u64,
}

/// A table that is being written.
enum Table {
    Csv(Writer),
    #[cfg(feature = "parquet")]
    Parquet(Box<ParquetWriter>),
}

impl Table {
    fn write(
        &mut self,
        stamp: &CycleStamp,
        result: &Result<CycleStamp, BusFault>,
        image: &ProcessImage,
    ) -> Result<(), HostError> {
        match self {
            Self::Csv(writer) => writer.write(stamp, result, image).map_err(refused),
            #[cfg(feature = "parquet")]
            Self::Parquet(writer) => writer.write(stamp, result, image),
        }
    }

    fn finish(self) -> Result<(), HostError> {
        match self {
            Self::Csv(writer) => writer.finish().map_err(refused),
            #[cfg(feature = "parquet")]
            Self::Parquet(writer) => writer.finish(),
        }
    }
}

#[cfg(feature = "parquet")]
fn parquet(path: &Path, machine: &Machine, bus: &RecordingBus) -> Result<Table, HostError> {
    let layout = bus.object_map().layout();
    let writer = ParquetWriter::create(path, layout, &machine.context)?;
    Ok(Table::Parquet(Box::new(writer)))
}

#[cfg(not(feature = "parquet"))]
fn parquet(_: &Path, _: &Machine, _: &RecordingBus) -> Result<Table, HostError> {
    Err(HostError::usage(
        "this twinstep was built without Parquet",
        "take a release, or build it with `cargo build --release --features parquet`",
    ))
}

/// Runs the command.
///
/// # Errors
/// [`HostError`]; a recording that is none of ours, and a file that cannot be written.
pub fn run(args: &ExportArgs, output: &Output) -> Result<Exit, HostError> {
    let machine = machine_in(&args.recording, None)?;
    let mut bus = RecordingBus::open(&args.recording, &machine).map_err(refused)?;
    if let Some(cut) = bus.contents().and_then(|contents| contents.cut.as_ref()) {
        output.note(&format!(
            "the recording was cut, what is whole is written ({cut})"
        ));
    }
    // What cannot be is said before a file is emptied.
    let part = span(&bus).part(args.from, args.to)?;
    let known = Known::of(bus.contents());
    let first = bus.first_cycle().unwrap_or_default();
    let by_object =
        machine.context.temperature.is_some() && !bus.object_map().is_told_by_controller();
    if by_object && first > 0 && known.is_empty() {
        output.note(&format!(
            "the recording begins with cycle {first} and knows nothing of those before: near the edge of a band its first rows may have the band beside (`temperature`)"
        ));
    }
    for (path, table) in tables(args, &machine, &bus)? {
        bus.rewind();
        let line = write(&mut bus, path, table, &part, &known)?;
        if output.json() {
            output.json_line(&line);
        } else {
            output.line(&format!("{}: {} cycles", line.file, line.cycles));
        }
    }
    Ok(Exit::Fine)
}

/// Where the recording lies in time.
fn span(bus: &RecordingBus) -> Span {
    let (first_ns, last_ns) = bus.times_ns().unwrap_or_default();
    let contents = bus.contents();
    Span {
        first_utc_ns: contents.map_or(0, |contents| contents.first_utc_ns),
        length_ns: (last_ns.saturating_sub(first_ns)).saturating_add(bus.period_ns()),
    }
}

/// The tables that were asked for, all of them begun before the first row is written.
fn tables<'a>(
    args: &'a ExportArgs,
    machine: &Machine,
    bus: &RecordingBus,
) -> Result<Vec<(&'a Path, Table)>, HostError> {
    let mut tables = Vec::new();
    if let Some(path) = &args.parquet {
        tables.push((path.as_path(), parquet(path, machine, bus)?));
    }
    if let Some(path) = &args.csv {
        let writer = Writer::create(path, machine).map_err(refused)?;
        tables.push((path, Table::Csv(writer)));
    }
    Ok(tables)
}

/// Writes the cycles of `part` (ns since the first one). `known` is what the recording knows of the cycles before it begins.
fn write(
    bus: &mut RecordingBus,
    path: &Path,
    mut table: Table,
    part: &Range<u64>,
    known: &Known,
) -> Result<ExportLine, HostError> {
    let first_ns = bus.times_ns().map_or(0, |(first_ns, _)| first_ns);
    let mut image = bus.object_map().image();
    let first = bus.first_cycle().unwrap_or_default();
    image.conditions = known.before(first).unwrap_or_default();
    let mut line = ExportLine {
        kind: "export",
        file: path.display().to_string(),
        cycles: 0,
        missing: 0,
    };
    loop {
        let before = image.conditions;
        let result = bus.exchange(&mut image, &mut || {});
        // Tool, load and temperature do not stand in the rows where process data tell them.
        let map = bus.object_map();
        map.tell_context(&mut image, outcome(&result), before);
        let (stamp, cause) = match &result {
            Err(fault) => (fault.stamp, Some(fault.cause)),
            Ok(stamp) => (*stamp, None),
        };
        image.conditions = known.after(stamp.cycle).unwrap_or(image.conditions);
        let since_first_ns = stamp.time_ns.saturating_sub(first_ns);
        if cause == Some(BusCause::End) || since_first_ns >= part.end {
            break;
        }
        if since_first_ns < part.start {
            continue;
        }
        // A cycle without a row has none in a table either.
        if cause == Some(BusCause::Gap) {
            line.missing += 1;
            continue;
        }
        table.write(&stamp, &result, &image)?;
        line.cycles += 1;
    }
    table.finish()?;
    Ok(line)
}
