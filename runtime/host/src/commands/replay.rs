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
use crate::record::checks::{Checks, Verdict};
use crate::rehearsal::rehearse;
use crate::session::{self, Options};
use crate::tables;
use std::path::Path;
use std::sync::Arc;
use twinstep_config::machine::Machine;
use twinstep_drivers::recording::{MissingCycles, RecordingBus, RecordingError, columns, mcap};
use twinstep_drivers::tap::TapBus;
use twinstep_drivers::tap::capture::{CaptureFile, is_capture};

/// Runs the command.
///
/// # Errors
/// [`HostError`]; a recording that is broken anywhere is refused before anything runs.
pub fn run(args: &ReplayArgs, output: &Output) -> Result<Exit, HostError> {
    let machine = machine(args)?;
    let capture = is_capture(&args.recording);
    let state = match &args.state {
        Some(folder) => folder.clone(),
        None => crate::store::temporary_folder()?,
    };
    output.note(&format!(
        "events: twinstep events --state {}",
        state.display()
    ));
    let mut bus = if capture {
        if args.from.is_some() {
            return Err(no_checkpoints());
        }
        None
    } else {
        let by = args.from.unwrap_or(0);
        Some(RecordingBus::open_for(&args.recording, &machine, by).map_err(refused)?)
    };
    if capture && args.accuracy {
        return Err(HostError::usage(
            "a capture is told frame by frame, and holds no columns to compare twins with",
            "leave --accuracy out, or record with --record and replay that",
        ));
    }
    if (machine.recording.is_some() || args.accuracy) && !capture {
        show_accuracy(&machine, &args.recording, output)?;
    }
    let checks = match bus.as_mut() {
        Some(bus) => checks(bus, args, &machine, output)?,
        None => None,
    };
    let options = Options {
        state,
        judge: args.judge,
        quiet: true,
        checks: checks.as_ref().map(|all| Arc::clone(&all.checks)),
        first_seq: checks.as_ref().and_then(|all| all.first_seq),
        ..Options::default()
    };
    let pacer = Pacer::new(Pace::Virtual(None), machine.cycle.period_ns, 0);
    let exit = match bus {
        Some(bus) => session::run(&machine, &options, output, move || Ok((bus, pacer))),
        None => {
            let source = CaptureFile::open(&args.recording).map_err(not_tapped)?;
            let bus = TapBus::new(source, &machine).map_err(not_tapped)?;
            super::tap::tell_unjudged(&machine, output);
            session::run(&machine, &options, output, move || Ok((bus, pacer)))
        }
    }?;
    if let Some(all) = checks {
        compare(all.checks.verdict(), all.same_plan, output)?;
    }
    Ok(exit)
}

/// What a replay is compared with.
struct Compared {
    checks: Arc<Checks>,
    /// The plan is that of the run.
    same_plan: bool,
    /// Number of the first event.
    first_seq: Option<u64>,
}

/// What a replay of an MCAP recording is compared with, and whether its plan is that of the run. A recording that begins in the middle
/// of its run is replayed from its checkpoints on.
fn checks(
    bus: &mut RecordingBus,
    args: &ReplayArgs,
    machine: &Machine,
    output: &Output,
) -> Result<Option<Compared>, HostError> {
    let begins = bus.first_cycle().unwrap_or(0);
    let Some(contents) = bus.take_contents() else {
        return match args.from {
            None => Ok(None),
            Some(_) => Err(no_checkpoints()),
        };
    };
    let checks = Checks::for_replay(&contents, begins, args.from.is_some())?;
    let same_plan = contents.head.facts.get("plan") == Some(&hash_of(machine));
    let first_seq = checks.first_seq(&contents);
    let whole = checks.first_cycle();
    if let Some(first) = whole {
        bus.skip_to(first);
    }
    let missing = bus.missing();
    tell(&contents, begins, whole, missing, output);
    let checks = checks.up_to(missing.map(|missing| missing.first));
    Ok(Some(Compared {
        first_seq,
        checks: Arc::new(checks),
        same_plan,
    }))
}

/// The machine of the arguments, else the recording's own: its part on the bus that was recorded.
fn machine(args: &ReplayArgs) -> Result<Machine, HostError> {
    let Some(config) = &args.config else {
        return machine_in(&args.recording, args.bus.as_deref());
    };
    let machines = load_buses(config)?;
    let bus = args
        .bus
        .as_deref()
        .or_else(|| bus_of(&args.recording, &machines));
    let bus = bus.map(str::to_owned);
    only(choose(machines, bus.as_deref())?)
}

fn only(mut machines: Vec<Machine>) -> Result<Machine, HostError> {
    machines
        .pop()
        .filter(|_| machines.is_empty())
        .ok_or_else(|| {
            HostError::usage(
                "the machine has several buses, and a recording is of one of them",
                "name it with --bus: a run records into FILE.NAME.csv, which says so itself",
            )
        })
}

/// The machine that a recording says it is of; of several buses, `bus`, or the one that it says.
///
/// # Errors
/// [`HostError::Usage`] where it does not say so.
pub fn machine_in(path: &Path, bus: Option<&str>) -> Result<Machine, HostError> {
    std::fs::File::open(path).map_err(|error| {
        HostError::usage(
            format!("cannot read the recording {}: {error}", path.display()),
            "check the path; it is taken relative to the current folder",
        )
    })?;
    if !mcap::is_mcap(path) {
        return Err(HostError::usage(
            format!("{} does not say which machine it is of", path.display()),
            "name the configuration in front of it; MCAP recordings alone have it inside",
        ));
    }
    let head = mcap::head(path).map_err(refused)?;
    let name = format!("{} in {}", mcap::CONFIGURATION, path.display());
    let machines =
        twinstep_config::load_buses(&head.configuration, &name).map_err(HostError::from_usage)?;
    let own = head.facts.get("bus").map(String::as_str);
    only(choose(machines, bus.or(own))?)
}

/// Hash of the plan as a run on this bus states it.
fn hash_of(machine: &Machine) -> String {
    let bus = machine.place.as_ref().map_or("", |place| &place.name);
    PlanStore::new(machine).hash_on(bus)
}

fn no_checkpoints() -> HostError {
    HostError::usage(
        "this recording has no checkpoints to begin at",
        "leave --from away; MCAP recordings have some",
    )
}

/// What the user should know of a recording before it is replayed: it begins at cycle `begins`, the replay after checkpoints at `whole`.
fn tell(
    contents: &mcap::Contents,
    begins: u64,
    whole: Option<u64>,
    missing: Option<MissingCycles>,
    output: &Output,
) {
    if let Some(cut) = &contents.cut {
        output.note(&format!(
            "the recording was cut, what is whole is replayed ({cut})"
        ));
    }
    if let Some(first) = whole {
        output.note(&format!(
            "the replay begins at the checkpoint after cycle {}",
            first - 1
        ));
    } else if begins > 0 {
        output.note(&format!(
            "the recording begins at cycle {begins} without the state before it: nothing is compared with the run"
        ));
    }
    if let Some(missing) = missing {
        output.note(&format!(
            "{} cycles are missing between {} and {}: compared with the run up to there, what comes after may differ from it",
            missing.count, missing.first, missing.last
        ));
    }
    let end = |name: &str| {
        let end = contents.end.as_ref()?.get(name)?;
        end.parse().ok().filter(|count: &u64| *count > 0)
    };
    if let Some(count) = end("cycles_missing").filter(|_| missing.is_none()) {
        output.note(&format!(
            "{count} cycles are missing in the recording, before its first cycle or after its last"
        ));
    }
    if let Some(events) = end("events_missing") {
        output.note(&format!(
            "{events} events are missing in the recording; they are in the store of the run"
        ));
    }
}

/// Says whether the replay did what the run did.
fn compare(verdict: Verdict, same_plan: bool, output: &Output) -> Result<(), HostError> {
    if verdict.unfit {
        return Err(HostError::machine(
            "the checkpoint of the recording is of another machine or other twins: nothing was judged",
            "replay it with the configuration that stands in it: name none",
        ));
    }
    match verdict.differs {
        None if verdict.compared > 0 => output.note(&format!(
            "as the run was: {} digests of the recording compared",
            verdict.compared
        )),
        None => {}
        Some(cycle) if same_plan => {
            return Err(HostError::machine(
                format!("the replay differs from the run: first seen at cycle {cycle}"),
                "cycles may be missing in the recording; otherwise this is a fault of twinstep: please report it",
            ));
        }
        Some(_) => output.note(
            "the plan is another than that of the run: predictions and events differ, as is to be expected",
        ),
    }
    Ok(())
}

/// Says first how far the twins can be believed on a recording: on one from elsewhere, which was made without us, and where that is asked.
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
                "{} {}, averaged over {} s: R2 {:.4}, RMS {:.4} {}; with its friction followed: R2 {:.4}, RMS {:.4} {}; a linear regression of this very record: R2 {:.4}, RMS {:.4} {}",
                l.source, l.channel, l.averaged_s, l.r2, l.rms, l.unit, l.followed_r2, l.followed_rms, l.unit, l.regression_r2, l.regression_rms, l.unit
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
