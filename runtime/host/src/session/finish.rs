//! The end of a run: its summary, and what it came to.

use super::{Done, Options};
use crate::attached::ProcessData;
use crate::cycle_clock::ClockLine;
use crate::error::{Exit, HostError};
use crate::health;
use crate::lines::{FalseAlarmsLine, SummaryLine};
use crate::output::Output;
use crate::overruns::cause::Kind;
use crate::overruns::record::Causes;
use crate::scribe::ScribeTotals;
use crate::{plan, tables, thresholds};
use twinstep_config::machine::Machine;

pub(super) fn finish(
    machine: &Machine,
    options: &Options,
    output: &Output,
    done: &Done,
    totals: ScribeTotals,
    (causes, process_data): (&Causes, Option<ProcessData>),
) -> Result<Exit, HostError> {
    let shares = plan::shares(machine);
    let extrapolated = thresholds::extrapolated(machine, shares);
    let summary = SummaryLine {
        cycles: done.cycles,
        period_ns: machine.cycle.period_ns,
        events: totals.raised,
        dropped_events: totals.dropped,
        overruns: done.overruns,
        overrun_causes: causes.by_cause(Kind::Overrun),
        digest: format!("{:016x}", done.digest),
        false_alarms: FalseAlarmsLine {
            asked_s: machine.judge.false_alarm_interval_s as u64,
            extrapolated_s: extrapolated.map(|all| all.interval_s() as u64),
            extrapolated_low_s: extrapolated.map(|all| all.low_s() as u64),
            demonstrated_s: totals.exposure.demonstrated_s(),
            streams: shares.streams(),
        },
        process_data,
        bus: done.bus,
        phase: done.phase,
        launch: done.launch,
        clock: ClockLine::of(machine, done.clock),
        coast: done.coast,
        shared: done.shared.clone(),
        phases: done.summary_phases,
        trust: done.trust,
    };
    if output.json() {
        done.health.iter().for_each(|line| output.json_line(line));
        output.json_line(&summary);
    } else {
        if !done.health.is_empty() {
            output.line(&health::text(&done.health));
        }
        output.line(&tables::summary_text(&summary));
    }
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
    Ok(if options.judge && totals.raised > 0 {
        Exit::Deviations
    } else {
        Exit::Fine
    })
}
