//! `twinstep budget CONFIG --for 60s`: a run that is measured, and the budgets that follow from it.

use super::recommend::{Recommendation, RowBudget, recommend};
use crate::cli::{BudgetArgs, CycleArgs, RunArgs};
use crate::commands::{load_bus, run};
use crate::control::status::WhatIfLine;
use crate::error::{Exit, HostError, read_text};
use crate::output::Output;
use crate::phases::{Delivery, MAX_CYCLES, Measured};
use crate::tables::us;
use crate::trust::Trust;
use serde::Serialize;
use std::fmt::Write;
use std::path::Path;
use twinstep_config::machine::Bus;
use twinstep_config::units::TIME;

/// Length of a run unless given.
const USUAL: &str = "60s";
/// Probability a cycle unless given.
pub const PROBABILITY: f64 = 1e-6;
/// Cycles below which nothing is recommended.
const LEAST_CYCLES: u64 = 1_000;

/// What `--json` prints.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename = "budget")]
struct BudgetLine<'a> {
    cycles: u64,
    period_ns: u64,
    /// Asked for, a cycle and row.
    probability: f64,
    rows: &'a [RowBudget],
    busy: &'a RowBudget,
    overruns: u64,
    overrun_extrapolated: Option<f64>,
    overrun_demonstrated: f64,
    what_if: WhatIfLine,
    trust: Trust,
    /// None where the phases need more than the period.
    toml: Option<&'a str>,
}

/// Runs, recommends, and writes where asked.
///
/// # Errors
/// [`HostError`]: as a run; a time or probability that is none; budgets that the period does not hold and that were to be written.
pub fn run(args: &BudgetArgs, config: &Path, output: &Output) -> Result<Exit, HostError> {
    let machine = load_bus(config, args.bus.as_deref())?;
    let follows = |bus: &Bus| bus.tap.is_some() || bus.pubsub.is_some();
    if machine.bus.as_ref().is_none_or(follows) {
        return Err(HostError::usage(
            "this machine has no cycle of its own: a tap, a subscriber and a recording follow somebody else's",
            "budgets are found on a machine that twinstep runs, or simulates",
        ));
    }
    let period_ns = machine.cycle.period_ns;
    let cycles = cycles(args.time.as_deref().unwrap_or(USUAL), period_ns)?;
    let probability = args.probability.unwrap_or(PROBABILITY);
    if !(probability > 0.0 && probability < 1.0) {
        return Err(HostError::usage(
            format!("{probability} is no probability"),
            "name one above 0 and below 1, such as 1e-6",
        ));
    }
    let measured = measure(args, config, cycles)?;
    let found = recommend(&measured.trace, period_ns, probability);
    if (measured.trace.len() as u64) < LEAST_CYCLES {
        return Err(HostError::machine(
            format!(
                "only {} cycles were measured after the warm-up, too few to recommend anything",
                measured.trace.len()
            ),
            "let it run for longer: --for 60s",
        ));
    }
    let patch = found.patch(period_ns, args.bus.as_deref());
    if output.json() {
        output.json_line(&BudgetLine {
            cycles: measured.trace.len() as u64,
            period_ns,
            probability,
            rows: &found.rows,
            busy: &found.busy,
            overruns: measured.phases.overruns,
            overrun_extrapolated: found.overrun_extrapolated,
            overrun_demonstrated: found.overrun_demonstrated,
            what_if: WhatIfLine::from(&measured.phases.what_if),
            trust: measured.trust,
            toml: patch.as_deref(),
        });
    } else {
        output.line(&text(&found, &measured, period_ns, probability));
        if let Some(patch) = patch.as_ref().filter(|_| !args.write) {
            output.line(&format!("\n{}", patch.trim_end()));
        }
    }
    match (patch, args.write) {
        (Some(patch), true) => write(config, &patch, output).map(|()| Exit::Fine),
        (None, true) => Err(HostError::machine(
            format!(
                "nothing was written: the phases need {} us together, and the period is {} us",
                us(found.sum_ns),
                us(period_ns)
            ),
            "choose a longer period, a larger --probability, or see `twinstep doctor` for what makes the tails long",
        )),
        _ => Ok(Exit::Fine),
    }
}

/// `--for` in cycles.
fn cycles(time: &str, period_ns: u64) -> Result<u64, HostError> {
    let ns = TIME.parse_scaled(time, 9).map_err(|error| {
        HostError::usage(
            format!("'{}' is no time: {error}", time.escape_default()),
            "write a number and its unit, such as --for 60s",
        )
    })?;
    // Casts from float saturate.
    let cycles = ns.max(0.0) as u64 / period_ns;
    if !(LEAST_CYCLES..=MAX_CYCLES).contains(&cycles) {
        return Err(HostError::usage(
            format!("{time} are {cycles} cycles of {} us", us(period_ns)),
            format!("{LEAST_CYCLES} to {MAX_CYCLES} cycles can be looked at"),
        ));
    }
    Ok(cycles)
}

fn measure(args: &BudgetArgs, config: &Path, cycles: u64) -> Result<Measured, HostError> {
    let run_args = RunArgs {
        config: config.to_owned(),
        interface: args.interface.clone(),
        redundant_interface: None,
        arm: args.arm,
        cycle: CycleArgs {
            cycles: Some(cycles),
            seed: 1,
            state: Some(match &args.state {
                Some(folder) => folder.clone(),
                None => crate::store::temporary_folder()?,
            }),
            control: args.control.clone(),
            bus: args.bus.clone(),
            json: true,
            ..CycleArgs::default()
        },
    };
    let samples = Delivery::default();
    // Its events are in the store; what is printed here are budgets.
    let silent = Output::new(true, false, Box::new(std::io::sink()));
    run::run_for(&run_args, &silent, Some(samples.clone()))?;
    samples
        .take()
        .ok_or_else(|| HostError::machine("the run left no figures", "let it run to its end"))
}

/// Puts `patch` into the file; the old one stays beside it as `.bak`.
pub(super) fn write(config: &Path, patch: &str, output: &Output) -> Result<(), HostError> {
    let text = read_text(config, "configuration")?;
    let merged = twinstep_config::apply_budgets(&text, patch).map_err(HostError::from_usage)?;
    let failed = |error: std::io::Error| {
        HostError::usage(
            format!("cannot write {}: {error}", config.display()),
            "give this user write permission on it and its folder; the budgets are printed without --write",
        )
    };
    let mut backup = config.as_os_str().to_owned();
    backup.push(".bak");
    std::fs::copy(config, &backup).map_err(failed)?;
    std::fs::write(config, merged).map_err(failed)?;
    output.note(&format!(
        "written into {}; as it was: {}",
        config.display(),
        Path::new(&backup).display()
    ));
    Ok(())
}

fn text(found: &Recommendation, measured: &Measured, period_ns: u64, probability: f64) -> String {
    let mut text = format!(
        "{} cycles of {} us after the warm-up, {} overruns\n\
         budgets that are exceeded with a probability of {probability:e} a cycle: the tail of the durations, fitted, upper end of its\n\
         90 % interval, and never below the longest seen. `proven` is what the run alone shows, 95 %.\n\n\
         {:<8} {:>9} {:>9} {:>9} {:>9} {:>11} {:>9} {:>9}\n",
        measured.trace.len(),
        us(period_ns),
        measured.phases.overruns,
        "us",
        "p50",
        "p99",
        "p99.99",
        "max",
        "budget",
        "fitted",
        "proven"
    );
    for row in found.rows.iter().chain([&found.busy]) {
        // Writing to a string cannot fail.
        let _ = writeln!(
            text,
            "{:<8} {:>9} {:>9} {:>9} {:>9} {:>11} {:>9} {:>9.0e}",
            row.name,
            us(row.seen.p50_ns),
            us(row.seen.p99_ns),
            us(row.seen.p9999_ns),
            us(row.seen.max_ns),
            us(row.budget_ns),
            row.extrapolated
                .map_or("-".to_owned(), |p| format!("{p:.0e}")),
            row.demonstrated,
        );
    }
    let _ = writeln!(
        text,
        "\nprobability a cycle of an overrun at {} us: {} (fitted, upper end), {:.0e} (proven)",
        us(period_ns),
        found
            .overrun_extrapolated
            .map_or("-".to_owned(), |p| format!("{p:.0e}")),
        found.overrun_demonstrated
    );
    let _ = write!(text, "of these cycles would have overrun:");
    for one in WhatIfLine::from(&measured.phases.what_if).periods {
        let _ = write!(text, " {} at {} us,", one.overruns, us(one.period_ns));
    }
    text.truncate(text.trim_end_matches(',').len());
    if found.sum_ns > period_ns {
        let _ = write!(
            text,
            "\nthe phases need {} us together, more than the period: there are no budgets that it holds",
            us(found.sum_ns)
        );
    }
    if !measured.trust.timing_valid {
        text.push_str("\ntiming NOT valid for a machine controller: these budgets are this computer's; see `twinstep doctor`");
    }
    text
}
