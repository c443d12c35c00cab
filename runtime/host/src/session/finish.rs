//! The end of a run: its summary, and what it came to.

use super::house::Part;
use super::seat::Ridden;
use crate::cycle_clock::ClockLine;
use crate::error::{Exit, HostError};
use crate::health::{self, HealthLine};
use crate::lines::{FalseAlarmsLine, SummaryLine};
use crate::output::Output;
use crate::scribe::ScribeTotals;
use crate::{plan, tables, thresholds};

/// Prints the summary of a run on one bus. Returns what it came to.
pub(super) fn finish(
    part: Part<'_>,
    output: &Output,
    ridden: &Ridden,
    totals: ScribeTotals,
) -> Result<Exit, HostError> {
    tell(&ridden.done.health, &summary(part, ridden, totals), output);
    outcome(ridden)?;
    Ok(exit(part, totals.raised))
}

/// What one bus came to, as the line of a summary.
pub(super) fn summary(
    (machine, _): Part<'_>,
    ridden: &Ridden,
    totals: ScribeTotals,
) -> SummaryLine {
    let done = &ridden.done;
    let shares = plan::shares(machine);
    let extrapolated = thresholds::extrapolated(machine, shares);
    SummaryLine {
        bus_name: machine.place.as_ref().map(|place| place.name.clone()),
        cycles: done.cycles,
        period_ns: machine.cycle.period_ns,
        events: totals.raised,
        dropped_events: totals.dropped,
        overruns: done.overruns,
        overrun_causes: ridden.causes.of_overruns(done.overruns),
        digest: format!("{:016x}", done.digest),
        false_alarms: FalseAlarmsLine {
            asked_s: machine.judge.false_alarm_interval_s as u64,
            extrapolated_s: extrapolated.map(|all| all.interval_s() as u64),
            extrapolated_low_s: extrapolated.map(|all| all.low_s() as u64),
            demonstrated_s: totals.exposure.demonstrated_s(),
            streams: shares.streams(),
        },
        process_data: ridden.process_data,
        bus: done.bus,
        phase: done.phase,
        launch: done.launch,
        unpublished: done.unpublished,
        clock: ClockLine::of(machine, done.clock),
        coast: done.coast,
        context: done.context,
        not_judged: done.not_judged.clone(),
        shared: done.shared.clone(),
        recording: ridden.recorded.clone(),
        phases: done.summary_phases,
        jitter: done.jitter,
        trust: done.trust,
        buses: Vec::new(),
    }
}

/// Prints lives, then the summary.
pub(super) fn tell(health: &[HealthLine], summary: &SummaryLine, output: &Output) {
    if output.json() {
        health.iter().for_each(|line| output.json_line(line));
        output.json_line(summary);
    } else {
        if !health.is_empty() {
            output.line(&health::text(health));
        }
        output.line(&tables::summary_text(summary));
    }
}

/// Whether deviations were found, where that is to be judged.
pub(super) fn exit((_, options): Part<'_>, raised: u64) -> Exit {
    if options.judge && raised > 0 {
        Exit::Deviations
    } else {
        Exit::Fine
    }
}

/// Whether a bus ended as it should.
pub(super) fn outcome(ridden: &Ridden) -> Result<(), HostError> {
    let done = &ridden.done;
    if let Some(trouble) = done.trouble.as_ref().filter(|_| !done.owns_outputs) {
        return Err(HostError::machine(
            format!("the source of the process data failed: {trouble}"),
            "what came before was judged",
        ));
    }
    if let Some(ended) = &done.ended {
        let then = done.trouble.as_ref().map_or("it was stopped in order".to_owned(), |trouble| {
            format!("it did not stop in order: {trouble}; make sure that it stands before anybody enters")
        });
        return Err(HostError::machine(
            format!("the machine was stopped: {ended}"),
            then,
        ));
    }
    if let Some(trouble) = &done.trouble {
        return Err(HostError::machine(
            format!("the machine did not stop in order: {trouble}"),
            "make sure that it stands before anybody enters; the drives' watchdogs act on their own options",
        ));
    }
    Ok(())
}
