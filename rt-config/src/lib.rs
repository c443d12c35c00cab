//! What the machine is: the TOML that a controls engineer writes, with units in its values, parsed, checked and
//! built into a typed [`machine::Machine`].
//!
//! ```
//! let machine = twinstep_config::load(twinstep_config::PRESS_CELL, "press-cell.toml").unwrap();
//! assert_eq!(machine.cycle.period_ns, 1_000_000);
//! let error = twinstep_config::load("[machine]\nnmae = \"cell\"", "cell.toml").unwrap_err();
//! assert!(error.plain().starts_with("cell.toml:2:1: "));
//! ```

mod build;
mod buses;
mod check;
mod error;
pub mod fault;
pub mod machine;
mod objects;
mod patch;
mod raw;
mod schema;
pub mod units;
mod value;

pub use error::{ConfigError, MAX_PROBLEMS, Problem};
pub use patch::{apply_budgets, apply_patch, patch_of_budgets, patch_of_budgets_of, twin_patch};

use check::Check;
use machine::Machine;

/// The press cell that `demo` runs: `machines/press-cell.toml`.
pub const PRESS_CELL: &str = include_str!("../machines/press-cell.toml");

/// Longest configuration (bytes).
pub const MAX_TEXT: usize = 4 << 20;

/// Reads a configuration of a machine with one bus, or without any; `name` is what messages call it.
///
/// # Errors
/// [`ConfigError`] with every problem found, each at its place in `text`; that there are several buses is one.
pub fn load(text: &str, name: &str) -> Result<Machine, ConfigError> {
    let mut machines = load_buses(text, name)?;
    let several = |machines: &[Machine]| {
        let names = (machines.iter()).filter_map(|machine| machine.place.as_ref());
        names
            .map(|place| place.name.as_str())
            .collect::<Vec<_>>()
            .join(", ")
    };
    match machines.pop() {
        Some(machine) if machines.is_empty() => Ok(machine),
        last => {
            machines.extend(last);
            let message = format!("the machine has several buses: {}", several(&machines));
            let problem = Problem::new(&(0..0), message, "", "one of them is wanted here");
            Err(ConfigError::one(text, name, problem))
        }
    }
}

/// Reads a configuration: one machine a bus, in the order of the file. A machine with one bus, or without any, is itself.
///
/// # Errors
/// [`ConfigError`] with every problem found, each at its place in `text`.
pub fn load_buses(text: &str, name: &str) -> Result<Vec<Machine>, ConfigError> {
    if text.len() > MAX_TEXT {
        let message = format!("the configuration has {} bytes", text.len());
        let help = format!("at most {MAX_TEXT} bytes are read; is this the right file?");
        let problem = Problem::new(&(0..0), message, "", help);
        return Err(ConfigError::one("", name, problem));
    }
    let file: raw::File = toml::from_str(text)
        .map_err(|error| ConfigError::one(text, name, error::from_toml(text, &error)))?;
    let mut check = Check::default();
    let files = buses::split(file, || toml::from_str(text).ok(), &mut check);
    let mut machines: Vec<Machine> = (files.iter())
        .map(|file| build::machine(file, &mut check))
        .collect();
    // What is wrong with the machine as a whole was found once a bus.
    let mut told = std::collections::HashSet::new();
    check
        .problems
        .retain(|problem| told.insert((problem.at, problem.message.clone())));
    build::know_each_other(&mut machines);
    let read = machine::Text(text.into());
    machines
        .iter_mut()
        .for_each(|machine| machine.text = read.clone());
    match ConfigError::from_problems(text, name, check.problems) {
        Some(error) => Err(error),
        None => Ok(machines),
    }
}

#[cfg(test)]
mod tests;
