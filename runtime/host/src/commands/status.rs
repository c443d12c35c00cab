//! `twinstep status`: one look at a running instance.

use crate::cli::StatusArgs;
use crate::control::client::Client;
use crate::control::status::{RowLine, StatusLine};
use crate::error::{Exit, HostError};
use crate::output::Output;
use crate::tables::{causes, us};
use crate::uadp::unpublished_text;
use serde_json::json;
use std::fmt::Write;

/// Prints the status of the running instance.
///
/// # Errors
/// [`HostError`] when nothing runs.
pub fn run(args: &StatusArgs, output: &Output) -> Result<Exit, HostError> {
    let mut client = Client::connect(args.control.as_deref())?;
    let answer = client.ask(json!({"request": "status", "bus": args.bus}))?;
    if output.json() {
        output.json_line(&answer);
        return Ok(Exit::Fine);
    }
    let status = Client::read_status(answer)?;
    if status.buses.is_empty() {
        output.line(text(&status).trim_end());
    }
    for bus in &status.buses {
        output.line(&text(bus));
    }
    Ok(Exit::Fine)
}

/// A status for a person.
pub fn text(status: &StatusLine) -> String {
    let mut text = String::new();
    let who = &status.identity;
    // Writing to a string cannot fail.
    let _ = writeln!(
        text,
        "{}{} ({}, process {}): cycle {}, {:.1} s, period {} us, {}",
        who.machine,
        (status.bus_name.as_ref()).map_or(String::new(), |bus| format!(", bus {bus}")),
        if who.simulated { "simulated" } else { "real" },
        who.pid,
        status.cycle,
        status.time_ns as f64 * 1e-9,
        us(who.period_ns),
        if status.armed { "armed" } else { "not armed" },
    );
    let valid = status.trust["timing_valid"] == true;
    let _ = writeln!(
        text,
        "timing {}",
        if valid {
            "valid"
        } else {
            "NOT valid for a machine controller"
        }
    );
    head(&mut text, status.run_cycles, status.warm_up_cycles);
    let rows = status.phases.iter().chain(&status.models);
    for one in rows.chain([&status.busy]) {
        row(&mut text, one);
    }
    let overruns = &status.overruns;
    let _ = writeln!(
        text,
        "overruns {}{}",
        overruns.count,
        causes(&overruns.by_cause)
    );
    if let Some(last) = overruns.recent.last() {
        let _ = writeln!(
            text,
            "last: cycle {}, {} took {} us (usually {}): {}. {}",
            last.cycle,
            last.row,
            us(last.took_ns),
            us(last.usual_ns),
            last.cause.name().replace('_', " "),
            last.next_step
        );
    }
    let _ = write!(
        text,
        "of {} cycles would have overrun:",
        status.what_if.cycles
    );
    for one in &status.what_if.periods {
        let _ = write!(text, " {} at {} us,", one.overruns, us(one.period_ns));
    }
    text.truncate(text.trim_end_matches(',').len());
    text.push('\n');
    for axis in &status.axes {
        let number = |value: Option<f64>, scale: f64| {
            value.map_or("-".to_owned(), |value| format!("{:.3}", value * scale))
        };
        let ((way, unit), (speed, per_s)) = (axis.moves().way(), axis.moves().speed());
        let _ = writeln!(
            text,
            "{:<12} position {} {unit} (predicted {}), velocity {} {per_s} ({}), current {} A ({}), {} sigma, {}",
            axis.name,
            number(axis.position_m, way),
            number(axis.predicted_position_m, way),
            number(axis.velocity_m_per_s, speed),
            number(axis.predicted_velocity_m_per_s, speed),
            number(axis.current_a, 1.0),
            number(axis.predicted_current_a, 1.0),
            number(axis.residual_sigma, 1.0),
            axis.regime.as_deref().unwrap_or("not measured"),
        );
    }
    let bus = &status.bus;
    let counters = &bus.counters;
    let _ = writeln!(
        text,
        "bus: {} lost, {} late, {} duplicate, {} foreign, {} working counter errors; not in OP: {}",
        counters.lost,
        counters.late,
        counters.duplicate,
        counters.foreign,
        counters.working_counter_errors,
        if bus.not_operational.is_empty() {
            "none".to_owned()
        } else {
            bus.not_operational.join(", ")
        },
    );
    if let Some(launch) = &status.launch {
        let _ = writeln!(text, "{}", launch.text());
    }
    if let Some(count) = status.unpublished.filter(|count| *count > 0) {
        let _ = writeln!(text, "{}", unpublished_text(count));
    }
    if let Some(clock) = &status.clock {
        let _ = writeln!(text, "{}", clock.text());
    }
    if let Some(ptp) = ptp_text(&status.trust["ptp"]) {
        let _ = writeln!(text, "{ptp}");
    }
    if let Some(shared) = &status.shared {
        let _ = writeln!(text, "{}", shared.text());
    }
    let _ = writeln!(
        text,
        "{} deviations, {} events dropped; events: twinstep events --state {}",
        status.events, status.dropped_events, who.state
    );
    text
}

/// What ptp4l says, as it stands in `trust`; none where nobody asks.
pub(crate) fn ptp_text(ptp: &serde_json::Value) -> Option<String> {
    let word = |key: &str| ptp[key].as_str().map(|word| word.replace('_', " "));
    let verdict = word("verdict")?;
    let state = word("port_state").unwrap_or_else(|| "unknown".to_owned());
    let offset = ptp["offset_ns"].as_i64();
    let offset = offset.map_or("unknown".to_owned(), |ns| format!("{ns} ns"));
    let grandmaster = ptp["grandmaster"].as_str().unwrap_or("unknown");
    Some(format!(
        "ptp4l: {verdict}, port {state}, offset {offset}, grandmaster {grandmaster}"
    ))
}

fn head(text: &mut String, run: u64, warm_up: u64) {
    let _ = writeln!(
        text,
        "{:<8} {:>9} {:>9} {:>9} {:>9} {:>9} {:>9} {:>9} {:>8}   ({run} cycles, {warm_up} of warm-up apart)",
        "us", "now", "p50", "p99", "p99.9", "p99.99", "max", "budget", "over"
    );
}

fn row(text: &mut String, row: &RowLine) {
    let run = &row.run;
    let _ = writeln!(
        text,
        "{:<8} {:>9} {:>9} {:>9} {:>9} {:>9} {:>9} {:>9} {:>8}",
        row.name,
        us(row.now_ns),
        us(run.p50_ns),
        us(run.p99_ns),
        us(run.p999_ns),
        us(run.p9999_ns),
        us(run.max_ns),
        row.budget_ns.map_or("-".to_owned(), us),
        row.over_budget,
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::top::tests::example;

    #[test]
    fn every_axis_is_told_in_its_own_units() {
        let mut status = example::status();
        status.axes[0].axis_kind = Some("rotary".to_owned());
        let text = text(&status);
        let rest = "current 3.910 A (-12.125)";
        for line in [
            format!(
                "infeed       position 7.074 deg (predicted 7.074), velocity 28.648 deg/s (28.648), {rest}"
            ),
            format!(
                "outfeed      position 123.457 mm (predicted 123.457), velocity 500.000 mm/s (500.000), {rest}"
            ),
        ] {
            assert!(text.contains(&line), "{line} in {text}");
        }
    }
}
