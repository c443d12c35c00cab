//! `twinstep demo`: the simulated press cell with its twins, without root, hardware or broker.

use super::page::Page;
use super::{built_in_machine, load_with_text, simulated};
use crate::cli::DemoArgs;
use crate::error::{Exit, HostError};
use crate::output::Output;
use crate::session::Options;
use std::sync::Arc;

/// Length of a run that nobody watches and for which no length was given (ns).
const UNWATCHED_NS: u64 = 30_000_000_000;

/// Runs the command.
///
/// # Errors
/// [`HostError`].
pub fn run(args: &DemoArgs, output: &Output) -> Result<Exit, HostError> {
    let (machine, text) = match &args.config {
        Some(path) => load_with_text(path)?,
        None => (built_in_machine()?, Arc::from(twinstep_config::PRESS_CELL)),
    };
    super::check::judge_timing(&machine)?;
    let state = match &args.cycle.state {
        Some(folder) => folder.clone(),
        None => crate::store::temporary_folder()?,
    };
    output.note(&format!(
        "events: twinstep events --state {}",
        state.display()
    ));
    let mut options = Options::new("demo", &args.cycle, state, true);
    options.configuration = text;
    let watched = output.is_terminal() && !output.json();
    if options.cycles.is_none() && (!watched || args.cycle.fast) {
        options.cycles = Some(UNWATCHED_NS / machine.cycle.period_ns);
    }
    // In virtual time there is nothing to be watched.
    let page =
        (!args.no_page && !args.cycle.fast).then(|| Page::open(&mut options, output, !watched));
    let exit = simulated::run(&machine, &args.cycle, &options, output);
    drop(page);
    exit
}
