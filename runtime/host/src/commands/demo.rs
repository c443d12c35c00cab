//! `twinstep demo`: the simulated press cell with its twins, without root, hardware or broker.

use super::page::Page;
use super::several::{choose, demo_all};
use super::{built_in_machine, load_buses, simulated};
use crate::cli::DemoArgs;
use crate::error::{Exit, HostError};
use crate::output::Output;
use crate::session::Options;

/// Length of a run that nobody watches and for which no length was given (ns).
const UNWATCHED_NS: u64 = 30_000_000_000;

/// Runs the command.
///
/// # Errors
/// [`HostError`].
pub fn run(args: &DemoArgs, output: &Output) -> Result<Exit, HostError> {
    let machines = match &args.config {
        Some(path) => choose(load_buses(path)?, args.cycle.bus.as_deref())?,
        None => choose(vec![built_in_machine()?], args.cycle.bus.as_deref())?,
    };
    for machine in &machines {
        super::check::judge_timing(machine, None)?;
    }
    let state = match &args.cycle.state {
        Some(folder) => folder.clone(),
        None => crate::store::temporary_folder()?,
    };
    output.note(&format!(
        "events: twinstep events --state {}",
        state.display()
    ));
    let mut options = Options::new("demo", &args.cycle, state, true);
    let watched = output.is_terminal() && !output.json();
    if let (None, Some(first), true) = (
        options.cycles,
        machines.first(),
        !watched || args.cycle.fast,
    ) {
        options.cycles = Some(UNWATCHED_NS / first.cycle.period_ns);
    }
    // In virtual time there is nothing to be watched.
    let page =
        (!args.no_page && !args.cycle.fast).then(|| Page::open(&mut options, output, !watched));
    let exit = match machines.as_slice() {
        [machine] => simulated::run(machine, &args.cycle, &options, output),
        several => demo_all(&args.cycle, several, &options, output),
    };
    drop(page);
    exit
}
