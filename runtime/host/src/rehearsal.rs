//! The very pipeline over a recording from elsewhere before it is replayed: what it says of currents and leaks.

use crate::error::HostError;
use crate::explained::{Explained, Figure};
use crate::lines::{ExplainedLine, LeakLine};
use crate::pass;
use crate::plan::PlanStore;
use std::path::Path;
use twinstep_config::machine::Machine;
use twinstep_drivers::recording::RecordingBus;
use twinstep_models::vacuum::{Phase, Verdict};

/// Times of a hold at which its leak is told, besides its end (s).
const TOLD_S: [f64; 2] = [1.0, 10.0];

/// Runs the pipeline of `machine` over the recording.
///
/// # Errors
/// [`HostError`] when the recording is refused.
pub fn rehearse(
    machine: &Machine,
    path: &Path,
) -> Result<(Vec<ExplainedLine>, Vec<LeakLine>), HostError> {
    let store = PlanStore::new(machine);
    let mut state = store.state();
    let mut pipeline = store.pipeline(&mut state);
    let mut bus = RecordingBus::open(path, machine).map_err(crate::commands::replay::refused)?;
    let axes = store.plan().axes.len();
    let mut explained = vec![Explained::default(); axes];
    let mut leaks = Vec::new();
    let period_s = machine.cycle.period_ns as f64 / 1e9;
    pass::over(&mut bus, &mut pipeline, |pipeline, _, _| {
        for (n, explained) in explained.iter_mut().enumerate() {
            let settled = pipeline.judged(n);
            let (Some((measured, predicted, _)), Some((velocity, acceleration)), true) =
                (pipeline.load(n), pipeline.load_motion(n), settled)
            else {
                continue;
            };
            explained.push(Figure {
                measured,
                predicted,
                velocity,
                acceleration,
            });
        }
        for (n, station) in machine.stations.iter().enumerate() {
            let (Some(judge), Some(plan)) = (pipeline.station(n), store.plan().stations.get(n))
            else {
                continue;
            };
            let held_s = judge.vacuum().meter().held_s(&plan.vacuum);
            let told = |at_s: &f64| (held_s - at_s).abs() < 0.5 * period_s;
            if judge.vacuum().phase().0 == Phase::Hold && TOLD_S.iter().any(told) {
                let verdict = judge.vacuum().meter().verdict();
                leaks.push(leak_line(pipeline, plan, n, &station.name, verdict));
            }
        }
    });
    for (n, station) in machine.stations.iter().enumerate() {
        if let (Some(judge), Some(plan)) = (pipeline.station(n), store.plan().stations.get(n))
            && judge.vacuum().phase().0 == Phase::Hold
        {
            let verdict = judge.vacuum().meter().final_verdict(&plan.vacuum);
            leaks.push(leak_line(&pipeline, plan, n, &station.name, verdict));
        }
    }
    let all = machine
        .axes
        .iter()
        .chain(machine.presses.iter().map(|press| &press.axis));
    let lines = all
        .zip(&explained)
        .filter(|(axis, _)| axis.twin.is_some())
        .flat_map(|(axis, e)| e.lines(&axis.name, axis.effort(), period_s))
        .collect();
    leaks.retain(|line| line.seconds > 0.0);
    Ok((lines, leaks))
}

fn leak_line(
    pipeline: &twinstep_cycle::pipeline::Pipeline<'_>,
    plan: &twinstep_cycle::plan::StationPlan,
    n: usize,
    name: &str,
    verdict: Verdict,
) -> LeakLine {
    let meter = pipeline.station(n).map(|judge| judge.vacuum().meter());
    let rate = meter.and_then(|meter| meter.hold_rate(&plan.vacuum));
    LeakLine {
        source: name.to_owned(),
        rate_pa_per_s: rate.map(|rate| rate.rate_pa_per_s),
        sigma_pa_per_s: rate.map(|rate| rate.sigma_pa_per_s),
        seconds: meter.map_or(0.0, |meter| meter.held_s(&plan.vacuum)),
        verdict: verdict.name(),
    }
}
