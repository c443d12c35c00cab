//! `twinstep replay`: a recording through the very pipeline that runs on a bus.

use super::load_buses;
use super::several::{bus_of, choose};
use crate::accuracy;
use crate::attached::not_tapped;
use crate::cli::ReplayArgs;
use crate::error::{Exit, HostError};
use crate::movements;
use crate::output::Output;
use crate::pacer::{Pace, Pacer};
use crate::plan::PlanStore;
use crate::rehearsal::rehearse;
use crate::session::{self, Options};
use crate::tables;
use std::path::Path;
use twinstep_config::machine::Machine;
use twinstep_drivers::recording::{RecordingBus, RecordingError, columns};
use twinstep_drivers::tap::TapBus;
use twinstep_drivers::tap::capture::{CaptureFile, is_capture};

/// Runs the command.
///
/// # Errors
/// [`HostError`]; a recording that is broken anywhere is refused before anything runs.
pub fn run(args: &ReplayArgs, output: &Output) -> Result<Exit, HostError> {
    let machines = load_buses(&args.config)?;
    let bus = args
        .bus
        .as_deref()
        .or_else(|| bus_of(&args.recording, &machines));
    let bus = bus.map(str::to_owned);
    let mut machines = choose(machines, bus.as_deref())?;
    let Some(machine) = machines.pop().filter(|_| machines.is_empty()) else {
        return Err(HostError::usage(
            "the machine has several buses, and a recording is of one of them",
            "name it with --bus: a run records into FILE.NAME.csv, which says so itself",
        ));
    };
    let capture = is_capture(&args.recording);
    let state = match &args.state {
        Some(folder) => folder.clone(),
        None => crate::store::temporary_folder()?,
    };
    output.note(&format!(
        "events: twinstep events --state {}",
        state.display()
    ));
    let bus = if capture {
        None
    } else {
        Some(RecordingBus::open(&args.recording, &machine).map_err(refused)?)
    };
    if machine.recording.is_some() && !capture {
        show_accuracy(&machine, &args.recording, output)?;
    }
    let options = Options {
        state,
        judge: args.judge,
        quiet: true,
        ..Options::default()
    };
    let pacer = Pacer::new(Pace::Virtual(None), machine.cycle.period_ns, 0);
    match bus {
        Some(bus) => session::run(&machine, &options, output, move || Ok((bus, pacer))),
        None => {
            let source = CaptureFile::open(&args.recording).map_err(not_tapped)?;
            let bus = TapBus::new(source, &machine).map_err(not_tapped)?;
            super::tap::tell_unjudged(&machine, output);
            session::run(&machine, &options, output, move || Ok((bus, pacer)))
        }
    }
}

/// A recording from elsewhere was made without us: say first how far the twin can be believed on it.
fn show_accuracy(machine: &Machine, path: &Path, output: &Output) -> Result<(), HostError> {
    let recording = columns(path, machine).map_err(refused)?;
    for finding in crate::calibration::plausible::check(machine, &recording) {
        output.note(&format!("{}, {}", path.display(), finding.text));
    }
    let plan = PlanStore::new(machine);
    let (tables, free_runs) = accuracy::judge(machine, &plan, &recording);
    let movements = movements::lines(machine, &plan, path)?;
    if output.json() {
        movements.iter().for_each(|line| output.json_line(line));
        tables.iter().for_each(|line| output.json_line(line));
        free_runs.iter().for_each(|line| output.json_line(line));
    } else {
        output.line(&tables::accuracy_text(&tables, &free_runs));
        output.line(&movements::text(&movements));
    }
    let (explained, leaks) = rehearse(machine, path)?;
    if output.json() {
        explained.iter().for_each(|line| output.json_line(line));
        leaks.iter().for_each(|line| output.json_line(line));
    } else {
        for l in &explained {
            output.line(&format!(
                "{} {}, averaged over {} s: R2 {:.4}, RMS {:.4} {}; a linear regression of this very record: R2 {:.4}, RMS {:.4} {}",
                l.source, l.channel, l.averaged_s, l.r2, l.rms, l.unit, l.regression_r2, l.regression_rms, l.unit
            ));
        }
        for l in &leaks {
            let rate = l.rate_pa_per_s.zip(l.sigma_pa_per_s);
            let rate = rate.map_or_else(
                || "unknown".into(),
                |(r, s)| format!("{r:.1} +- {s:.1} Pa/s"),
            );
            output.line(&format!(
                "{} after {:.1} s: {}, leak {rate}",
                l.source, l.seconds, l.verdict
            ));
        }
    }
    Ok(())
}

/// An error in a recording, for the user.
pub fn refused(error: RecordingError) -> HostError {
    // The remedy stands in the sentence already.
    HostError::usage(error.to_string(), "")
}
