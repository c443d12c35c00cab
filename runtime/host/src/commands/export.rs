//! `twinstep export`: a recording in forms that other programs read.

use super::replay::{machine_in, refused};
use crate::error::{Exit, HostError};
use crate::output::Output;
use crate::record::args::ExportArgs;
use serde::Serialize;
use twinstep_drivers::bus::{Bus, BusCause};
use twinstep_drivers::recording::{RecordingBus, Writer};

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
    let mut writer = Writer::create(&args.csv, &machine).map_err(refused)?;
    let mut image = bus.object_map().image();
    let mut line = ExportLine {
        kind: "export",
        file: args.csv.display().to_string(),
        cycles: 0,
        missing: 0,
    };
    loop {
        let result = bus.exchange(&mut image, &mut || {});
        match &result {
            Err(fault) if fault.cause == BusCause::End => break,
            // A cycle without a row has none in a table either.
            Err(fault) if fault.cause == BusCause::Gap => line.missing += 1,
            Err(fault) => {
                writer
                    .write(&fault.stamp, &result, &image)
                    .map_err(refused)?;
                line.cycles += 1;
            }
            Ok(stamp) => {
                writer.write(stamp, &result, &image).map_err(refused)?;
                line.cycles += 1;
            }
        }
    }
    writer.finish().map_err(refused)?;
    if output.json() {
        output.json_line(&line);
    } else {
        output.line(&format!("{}: {} cycles", line.file, line.cycles));
    }
    Ok(Exit::Fine)
}
