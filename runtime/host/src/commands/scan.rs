//! `twinstep scan`: who is on a bus, or what a capture of somebody's holds.

mod bus;
mod capture;
mod skeleton;

use crate::cli::ScanArgs;
use crate::error::{Exit, HostError};
use crate::output::Output;

/// Runs the command.
///
/// # Errors
/// [`HostError`]: an interface or a file that cannot be had, a bus that does not answer.
pub fn run(args: &ScanArgs, output: &Output) -> Result<Exit, HostError> {
    match (&args.capture, &args.interface) {
        (Some(path), _) => capture::run(path, output),
        (None, Some(interface)) => bus::run(interface, args, output),
        (None, None) => Err(HostError::usage(
            "nothing to look at",
            "name --interface IF, or --capture FILE",
        )),
    }
}
