//! The commands, one file each.

pub mod budget;
pub mod calibrate;
pub mod check;
pub mod demo;
pub mod doctor;
pub mod events;
pub mod export;
mod page;
pub mod replay;
pub mod report;
pub mod run;
pub mod scan;
mod several;
pub mod sim;
mod simulated;
pub mod status;
pub mod steer;
mod tap;
pub mod token;
pub mod top;
mod tsn;
mod typed;
mod vacant;
pub mod whatif;

use crate::cli::Command;
use crate::error::{Exit, HostError, read_text};
use crate::output::Output;
use std::path::Path;
use twinstep_config::machine::Machine;
use twinstep_drivers::segment::load_images;

/// Runs one command.
///
/// # Errors
/// [`HostError`], which names the exit code.
pub fn dispatch(command: &Command, output: &Output) -> Result<Exit, HostError> {
    match command {
        Command::Demo(args) => demo::run(args, output),
        Command::Run(args) => run::run(args, output),
        Command::Scan(args) => scan::run(args, output),
        Command::Sim(args) => sim::run(args, output),
        Command::Check(args) => check::run(args, output),
        Command::Replay(args) => replay::run(args, output),
        Command::Calibrate(args) => calibrate::run(args, output),
        Command::Whatif(args) => whatif::run(args, output),
        Command::Events(args) => events::run(args, output),
        Command::Status(args) => status::run(args, output),
        Command::Top(args) => top::run(args, output),
        Command::Budget(args) => budget::run(args, output),
        Command::Inject(args) => steer::inject(args, output),
        Command::Reset(args) => steer::reset(args, output),
        Command::Arm(args) => steer::arm(args, output),
        Command::Baseline(args) => steer::baseline(args, output),
        Command::Doctor(args) => doctor::run(args, output),
        Command::Gateway(args) => crate::gateway::run(args, output),
        Command::Token(args) => token::run(args, output),
        Command::Export(args) => export::run(args, output),
        Command::Report(args) => report::run(args, output),
    }
}

/// Reads and checks the configuration at `path`, of a machine with one bus.
///
/// # Errors
/// [`HostError::Usage`] that points at the line.
pub fn load_machine(path: &Path) -> Result<Machine, HostError> {
    load_bus(path, None)
}

/// Reads and checks the configuration at `path`: the machine, or its part on `bus`, which must be named where there are several.
///
/// # Errors
/// [`HostError::Usage`] that points at the line, or names the buses.
pub fn load_bus(path: &Path, bus: Option<&str>) -> Result<Machine, HostError> {
    let mut machines = several::choose(load_buses(path)?, bus)?;
    match machines.pop() {
        Some(machine) if machines.is_empty() => Ok(machine),
        last => {
            machines.extend(last);
            Err(several::one_is_wanted(&machines))
        }
    }
}

/// Reads and checks the configuration at `path`: one machine a bus.
///
/// # Errors
/// [`HostError::Usage`] that points at the line.
pub fn load_buses(path: &Path) -> Result<Vec<Machine>, HostError> {
    let text = read_text(path, "configuration")?;
    let mut machines = twinstep_config::load_buses(&text, &path.display().to_string())
        .map_err(HostError::from_usage)?;
    let folder = path.parent().unwrap_or(Path::new(""));
    for machine in &mut machines {
        load_images(machine, folder).map_err(|error| {
            HostError::usage(
                error.to_string(),
                "`sii` names the binary EEPROM image of a device, relative to the configuration",
            )
        })?;
    }
    Ok(machines)
}

/// The press cell that is built into the program.
///
/// # Errors
/// None in a released program: its tests load it.
pub fn built_in_machine() -> Result<Machine, HostError> {
    twinstep_config::load(twinstep_config::PRESS_CELL, "built-in press-cell.toml")
        .map_err(HostError::from_usage)
}
