//! `twinstep top`: the live view of a running instance.

use super::load_buses;
use crate::cli::TopArgs;
use crate::clock::{monotonic_ns, sleep_until_ns};
use crate::control::client::Client;
use crate::control::name_of;
use crate::error::{Exit, HostError};
use crate::output::Output;
use crate::top::{Target, stop_on_signals, watch};
use serde_json::json;
use std::path::Path;
use std::sync::atomic::Ordering;

/// Time between two lines without a screen (ns).
const LINE_NS: u64 = 1_000_000_000;
/// Longest sleep before the flag of a signal is looked at (ns).
const NAP_NS: u64 = 100_000_000;

/// Watches the running instance until the user quits.
///
/// # Errors
/// [`HostError`]: nothing runs, several do, or there is no terminal.
pub fn run(args: &TopArgs, output: &Output) -> Result<Exit, HostError> {
    let target = match (&args.control, &args.config) {
        (Some(path), _) => Target::Path(path.clone()),
        (None, Some(config)) => {
            let machines = load_buses(config)?;
            let name = machines.first().map(name_of);
            name.map_or(Target::Only, Target::Machine)
        }
        (None, None) => Target::Only,
    };
    let client = target.connect()?;
    if output.json() {
        return lines(client, output);
    }
    if !output.is_terminal() {
        return Err(HostError::usage(
            "`top` needs a terminal, and the output is none",
            "use `twinstep status`, or `twinstep top --json`, where there is none",
        ));
    }
    watch(client, target, Path::new("."))?;
    Ok(Exit::Fine)
}

/// Prints one status a second, until the run or the user ends it or nobody reads it any more.
fn lines(mut client: Client, output: &Output) -> Result<Exit, HostError> {
    let stop = stop_on_signals()?;
    let mut seen = false;
    // The flag alone is of interest, nothing that was written before it.
    let stopped = || stop.load(Ordering::Relaxed);
    while !stopped() && !output.is_closed() {
        match client.ask(json!({"request": "status"})) {
            Ok(status) => output.json_line(&status),
            // A run that ends closes the socket: whoever watches it has seen it all.
            Err(HostError::Machine(_)) if seen => break,
            Err(error) => return Err(error),
        }
        seen = true;
        let until_ns = monotonic_ns() + LINE_NS;
        while !stopped() && monotonic_ns() < until_ns {
            sleep_until_ns(until_ns.min(monotonic_ns() + NAP_NS));
        }
    }
    Ok(Exit::Fine)
}
