//! `twinstep whatif`: the program on the twins as the machine is, and as it would be.

use super::load_bus;
use crate::calibration::plausible;
use crate::cli::WhatifArgs;
use crate::error::{Exit, HostError};
use crate::output::Output;
use crate::whatif::changes::{self, Applied, Change, NotSet};
use crate::whatif::lines::{self, AxisLine, Case, ChangeLine, SummaryLine};
use crate::whatif::recorded::{self, From};
use crate::whatif::simulate::{AxisResult, LeftOut, Outcome, Settings, simulate};
use crate::whatif::{plot, text, verdict};
use twinstep_config::machine::{AxisKind, Machine};
use twinstep_config::units::{ANGLE, Dimension, LENGTH, TIME};

/// Longest time that is looked at (s).
const MAX_TIME_S: f64 = 3600.0;
/// Widest band (m).
const MAX_BAND_M: f64 = 1.0;

/// The machines that are compared, and what became of each.
struct Compared {
    cases: Vec<(Case, Machine, Outcome)>,
    changes: Vec<Change>,
    not_set: Vec<NotSet>,
    band_m: f64,
}

/// Runs the command.
///
/// # Errors
/// [`HostError`]: the configuration, a change or the recording is wrong, or nothing can be computed.
pub fn run(args: &WhatifArgs, output: &Output) -> Result<Exit, HostError> {
    // Around the target of a rotary axis a metre is a radian.
    let band = match ANGLE.parse(&args.band) {
        Ok(_) => &ANGLE,
        Err(_) => &LENGTH,
    };
    let settings = Settings {
        time_s: (args.time.as_ref())
            .map(|time| quantity("--for", time, &TIME, MAX_TIME_S))
            .transpose()?,
        band_m: quantity("--band", &args.band, band, MAX_BAND_M)?,
        keep: args.plot.is_some(),
    };
    let compared = compare(args, &settings, output)?;
    let left_out = left_out(&compared)?;
    let exceeding = exceeding(&compared);
    if output.json() {
        show_json(&compared, &left_out, &exceeding, output);
    } else {
        show_text(&compared, &left_out, output);
    }
    if let Some(path) = &args.plot {
        let page = page(&compared, &args.config.display().to_string());
        std::fs::write(path, page).map_err(|error| {
            HostError::usage(
                format!("cannot write {}: {error}", path.display()),
                "name another file with --plot",
            )
        })?;
        output.note(&format!("page: {}", path.display()));
    }
    if args.judge && !exceeding.is_empty() {
        return Ok(Exit::Deviations);
    }
    Ok(Exit::Fine)
}

/// `--for` or `--band` in SI.
fn quantity(name: &str, value: &str, dimension: &Dimension, most: f64) -> Result<f64, HostError> {
    let example = dimension.example;
    let si = dimension.parse(value).map_err(|error| {
        let shown: String = value.chars().take(40).collect();
        HostError::usage(
            format!(
                "'{}' is no value of {name}: {error}",
                shown.escape_default()
            ),
            format!("write a number and its unit, such as {name} {example}"),
        )
    })?;
    if si > 0.0 && si <= most {
        return Ok(si);
    }
    Err(HostError::usage(
        format!("{name} is {si}{}", dimension.si()),
        format!("it may be more than 0, up to {most}{}", dimension.si()),
    ))
}

/// Computes every machine that is compared.
fn compare(args: &WhatifArgs, settings: &Settings, output: &Output) -> Result<Compared, HostError> {
    let machine = load_bus(&args.config, args.bus.as_deref())?;
    let mut other = machine.clone();
    let Applied { changes, not_set } = changes::apply(&mut other, &args.set)?;
    let mut cases = Vec::new();
    if let Some(path) = &args.recording {
        let recording = recorded::open(path, &machine, &changes)?;
        for finding in plausible::check(&machine, &recording) {
            output.note(&format!("{}, {}", path.display(), finding.text));
        }
        let outcome =
            |machine: &Machine, from| recorded::outcome(machine, &recording, from, settings.keep);
        cases.push((
            Case::Measured,
            machine.clone(),
            outcome(&machine, From::Recording),
        ));
        if !changes.is_empty() {
            let outcome = outcome(&other, From::Twins);
            cases.push((Case::WouldBe, other, outcome));
        }
        let outcome = outcome(&machine, From::Twins);
        cases.insert(1, (Case::AsIs, machine, outcome));
    } else {
        let outcome = simulate(&machine, settings)?;
        cases.push((Case::AsIs, machine, outcome));
        if !changes.is_empty() {
            let outcome = simulate(&other, settings)?;
            cases.push((Case::WouldBe, other, outcome));
        }
    }
    Ok(Compared {
        cases,
        changes,
        not_set,
        band_m: settings.band_m,
    })
}

/// Axes that cannot be computed.
///
/// # Errors
/// [`HostError::Usage`] where one of them was changed by its name, or none is left.
fn left_out(compared: &Compared) -> Result<Vec<LeftOut>, HostError> {
    let Some((_, _, outcome)) = compared.cases.last() else {
        return Ok(Vec::new());
    };
    let all: Vec<LeftOut> = outcome.iter().filter_map(|one| one.clone().err()).collect();
    for left in &all {
        let changed =
            |change: &&Change| change.source.as_ref() == Some(&left.source) && !change.of_all;
        if let Some(change) = compared.changes.iter().find(changed) {
            return Err(HostError::usage(
                format!(
                    "'{}' is set, and '{}' cannot be computed",
                    changes::name_of(change),
                    left.source
                ),
                left.reason,
            ));
        }
    }
    if all.len() == outcome.len() {
        let reason = all.first().map_or("it has no axes", |left| left.reason);
        return Err(HostError::usage(
            "no axis of this machine can be computed",
            reason,
        ));
    }
    Ok(all)
}

/// Axes that exceed a limit in the last of the machines.
fn exceeding(compared: &Compared) -> Vec<String> {
    let last = compared.cases.last().into_iter();
    last.flat_map(|(_, _, outcome)| outcome.iter().flatten())
        .filter(|axis| !verdict::exceeded(axis).is_empty())
        .map(|axis| axis.source.clone())
        .collect()
}

/// Each axis that was computed, in all machines.
fn rows(compared: &Compared) -> Vec<Vec<(Case, &AxisResult)>> {
    let count = compared.cases.first().map_or(0, |(_, _, all)| all.len());
    let row = |n: usize| {
        (compared.cases.iter())
            .map(|(case, _, all)| all.get(n)?.as_ref().ok().map(|axis| (*case, axis)))
            .collect::<Option<Vec<_>>>()
    };
    (0..count).filter_map(row).collect()
}

/// Those of them that a change touches; all of them without one.
fn touched<'a>(compared: &'a Compared) -> Vec<Vec<(Case, &'a AxisResult)>> {
    let whole = compared.changes.iter().any(|c| c.source.is_none());
    let mut rows = rows(compared);
    if !compared.changes.is_empty() && !whole {
        let is_touched = |row: &Vec<(Case, &'a AxisResult)>| {
            let source = row.first().map(|(_, axis)| &axis.source);
            (compared.changes.iter()).any(|change| change.source.as_ref() == source)
        };
        rows.retain(is_touched);
    }
    rows
}

fn show_json(compared: &Compared, left_out: &[LeftOut], exceeding: &[String], output: &Output) {
    for change in &compared.changes {
        output.json_line(&ChangeLine::new(change));
    }
    let mut axes = 0;
    for row in rows(compared) {
        axes += 1;
        for (case, axis) in row {
            let machine = (compared.cases.iter()).find(|(of, _, _)| *of == case);
            if let Some((_, machine, _)) = machine {
                let moves = lines::moves(case, axis, machine);
                moves.iter().for_each(|line| output.json_line(line));
            }
            output.json_line(&AxisLine::new(case, axis, compared.band_m));
        }
    }
    let period_ns = (compared.cases.last()).map_or(0, |(_, machine, _)| machine.cycle.period_ns);
    output.json_line(&SummaryLine::new(
        compared.changes.len(),
        axes,
        period_ns,
        compared.band_m,
        exceeding.to_vec(),
        left_out,
        &compared.not_set,
    ));
}

fn show_text(compared: &Compared, left_out: &[LeftOut], output: &Output) {
    for change in &compared.changes {
        output.line(&text::change_text(change));
    }
    for one in &compared.not_set {
        output.line(&text::not_set_text(one));
    }
    let shown = touched(compared);
    for row in &shown {
        output.line("");
        output.line(&text::axis_text(row, compared.band_m));
    }
    output.line("");
    let others = rows(compared).len() - shown.len();
    if others > 0 {
        output.line(&format!("{others} other axes are as they were"));
    }
    for left in left_out {
        output.line(&format!("{} is left out: {}", left.source, left.reason));
    }
    let all = rows(compared);
    let has = |kind: AxisKind| all.iter().flatten().any(|(_, axis)| axis.kind == kind);
    let band = |kind: AxisKind| text::length(kind, compared.band_m);
    let (linear, rotary) = (AxisKind::Linear, AxisKind::Rotary);
    let bands = match (has(linear), has(rotary)) {
        (true, true) => format!("{}, of rotary axes {},", band(linear), band(rotary)),
        (false, true) => band(rotary),
        (_, false) => band(linear),
    };
    output.line(&format!(
        "settling is into {bands} around the target; currents are those that the drive reports"
    ));
}

fn page(compared: &Compared, config: &str) -> String {
    let changes = compared.changes.iter().map(text::change_text);
    let not_set = compared.not_set.iter().map(text::not_set_text);
    let changes: Vec<String> = changes.chain(not_set).collect();
    let shown = touched(compared);
    let rows: Vec<&text::Row<'_>> = shown.iter().map(Vec::as_slice).collect();
    plot::html(
        &format!("What if: {config}"),
        &changes,
        &rows,
        compared.band_m,
    )
}
