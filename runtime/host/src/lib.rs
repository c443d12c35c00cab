//! The shell around the cycle: command line, threads, event store, recordings and the live view.

pub mod accuracy;
pub mod arx;
pub mod attached;
pub mod calibration;
pub mod cause_text;
pub mod cli;
pub mod clock;
mod coast_watch;
pub mod commands;
mod context_watch;
pub mod control;
pub mod crew;
pub mod cycle_clock;
pub mod day;
pub mod doctor;
pub mod error;
pub mod ethtool;
pub mod explained;
pub mod false_alarms;
pub mod findings;
pub mod gateway;
pub mod health;
pub mod in_force;
mod keyboard;
pub mod launch;
pub mod limits;
pub mod lines;
pub mod live;
pub mod lock;
mod merge;
pub mod movements;
pub mod names;
pub mod not_judged;
pub mod output;
pub mod overruns;
pub mod pacer;
pub mod pass;
pub mod phases;
pub mod plain;
pub mod plan;
pub mod press_plan;
pub mod ptp;
pub mod realtime;
pub mod record;
pub mod recorder;
pub mod refusals;
pub mod rehearsal;
pub mod report;
pub mod runner;
pub mod scribe;
pub mod service;
pub mod servo;
pub mod session;
pub mod shared;
pub mod simd;
pub mod snapshot;
pub mod standing;
pub mod store;
pub mod store_error;
pub mod store_reader;
mod store_standing;
pub mod strokes;
pub mod tables;
pub mod thresholds;
pub mod top;
pub mod trust;
pub mod tsn;
pub mod uadp;
pub mod whatif;

use std::ffi::OsString;
use std::process::ExitCode;

/// Runs the command that `args` ask for, the program's name first, and returns its exit code.
pub fn run(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let cli = match cli::parse(args) {
        Ok(cli) => cli,
        Err(error) => {
            // Help goes to standard output and may find it closed; there is nobody left to tell.
            let _ = error.print();
            return ExitCode::from(
                u8::try_from(error.exit_code()).unwrap_or(error::Exit::Usage as u8),
            );
        }
    };
    let output = output::Output::stdout(cli.command.json());
    let exit =
        commands::dispatch(&cli.command, &output).and_then(|exit| output.finish().map(|()| exit));
    exit.unwrap_or_else(|error| {
        output::show_error(&error);
        error.exit()
    })
    .into()
}
