//! What the pipeline says of a healthy machine.

use super::innovations::{Innovations, Pressure, learn_drift};
use super::movements::Movements;
use super::page::{self, Judged};
use super::{Report, axis_mut};
use crate::error::HostError;
use crate::pass;
use crate::plan::PlanStore;
use std::path::PathBuf;
use twinstep_config::machine::{HealthyInnovation, Machine, OperationMode, OperationModes};
use twinstep_cycle::pipeline::Pipeline;
use twinstep_drivers::recording::RecordingBus;
use twinstep_models::identify::LEAST_FIGURES;
use twinstep_models::sample::Told;

/// Cycles that are drawn of a record.
const DRAWN: usize = 20_000;
/// Cycles in a mode of operation from which on its innovations are learnt.
const LEAST_CYCLES: usize = 1000;
/// Part of a recording in which the machine may still be anywhere: so many cycles, and no longer than this time (s).
const SKIP_CYCLES: u64 = 1000;
const SKIP_S: f64 = 1.0;

/// Figures of one axis.
#[derive(Clone, Debug, Default)]
struct Seen {
    innovations: Innovations,
    movements: Movements,
    /// Free runs that counted (m).
    drift_m: Vec<f64>,
    /// Cycles that were judged.
    cycles: usize,
    /// The same by mode of operation.
    by_mode: [usize; OperationMode::ALL.len()],
}

impl Seen {
    /// Modes of operation that were seen long enough.
    fn modes(&self) -> OperationModes {
        (OperationMode::ALL.into_iter().zip(self.by_mode))
            .filter(|(_, cycles)| *cycles >= LEAST_CYCLES)
            .fold(None, |modes, (mode, _)| {
                Some(modes.unwrap_or(OperationModes::NONE).with(mode))
            })
            .unwrap_or_default()
    }
}

/// What the page draws: every so many cycles, so that a long record is no longer than a short one.
struct View {
    stride: usize,
    /// Cycles so far, over all recordings.
    cycles: usize,
    axes: Vec<Vec<Judged>>,
}

impl View {
    fn push(&mut self, pipeline: &Pipeline<'_>) {
        let cycle = self.cycles;
        self.cycles += 1;
        if !cycle.is_multiple_of(self.stride) {
            return;
        }
        for (n, seen) in self.axes.iter_mut().enumerate() {
            if let (true, Some((measured_a, predicted_a, _))) =
                (pipeline.judged(n), pipeline.load(n))
            {
                seen.push(Judged {
                    cycle,
                    measured_a,
                    predicted_a,
                });
            }
        }
    }
}

/// Runs the pipeline over all recordings and writes limits and baselines into the twins that were `fitted`.
pub(super) fn learn(
    machine: &mut Machine,
    paths: &[PathBuf],
    fitted: &[bool],
    rows: usize,
    report: &mut Report,
) -> Result<(), HostError> {
    // While it is learnt, every mode is looked at.
    let store = PlanStore::new(&in_all_modes(machine));
    let axes = store.plan().axes.len();
    let period_s = machine.cycle.period_ns as f64 / 1e9;
    let mut seen = vec![Seen::default(); axes];
    let mut stations = vec![Pressure::default(); machine.stations.len()];
    let mut view = View {
        stride: rows.div_ceil(DRAWN).max(1),
        cycles: 0,
        axes: vec![Vec::new(); axes],
    };
    for (recording, path) in paths.iter().enumerate() {
        let mut bus =
            RecordingBus::open(path, machine).map_err(crate::commands::replay::refused)?;
        let mut state = store.state();
        let mut pipeline = store.pipeline(&mut state);
        seen.iter_mut().for_each(|axis| axis.innovations.gap());
        stations.iter_mut().for_each(Pressure::gap);
        let seen = (recording, &mut seen[..]);
        let (skipped, stations) = (skipped(period_s), &mut stations[..]);
        run(&mut bus, &mut pipeline, skipped, seen, stations, &mut view);
    }
    let names = machine.factor_names();
    let (servo_axes, standstill) = (machine.axes.len(), machine.judge.standstill);
    for (n, seen) in seen.iter().enumerate() {
        if !fitted.get(n).copied().unwrap_or(false) {
            continue;
        }
        let axis = axis_mut(machine, n);
        if let (Some(one), Some(judged)) = (report.axes.get_mut(n), view.axes.get(n)) {
            let drawn = page::judged_curves(axis, judged, period_s);
            one.curves.splice(0..0, drawn);
        }
        let name = axis.name.clone();
        let rated_a = axis.drive.rated_current_a;
        let Some(twin) = &mut axis.twin else { continue };
        if twin.cascade.is_some() {
            // Tails say more than limits: those of an earlier calibration go.
            twin.position_limit_m = None;
            twin.velocity_limit_m_per_s = None;
            twin.current_limit_a = None;
            twin.innovations = seen.innovations.learn(period_s);
        }
        twin.modes = seen.modes();
        // The free run needs no cascade.
        let record_s = seen.cycles as f64 * period_s;
        twin.innovations[HealthyInnovation::DRIFT] = learn_drift(&seen.drift_m, record_s);
        let inertia = twin.mass_kg / twin.force_constant_n_per_a;
        let learnt = seen.movements.learn(&names, period_s, inertia);
        (twin.baseline, twin.paces) = (learnt.baseline, learnt.paces);
        let lacks = learnt.lacks.iter();
        (report.remarks).extend(lacks.map(|what| format!("{name}: {what}")));
        let off = twin.baseline.is_empty();
        if standstill && n < servo_axes {
            let learnt = (seen.movements).learn_rests(&names, period_s, rated_a);
            twin.baseline.extend(learnt.baseline);
            let lacks = learnt.lacks.iter();
            (report.remarks).extend(lacks.map(|what| format!("{name}: {what}")));
        } else if standstill {
            report.remarks.push(format!(
                "{name}: `standstill` of [judge] is of servo axes: a press holds its part at rest, and is not judged there"
            ));
        }
        if off {
            report.remarks.push(format!(
                "{name}: current_load is off, fewer than {LEAST_FIGURES} movements in each regime"
            ));
        }
    }
    let calm = (store.plan().stations.iter()).map(|plan| plan.vacuum.calm_cycles);
    for ((station, pressure), calm) in machine.stations.iter_mut().zip(stations).zip(calm) {
        if let Some(twin) = &mut station.twin {
            // Tails say more than limits: that of an earlier calibration goes.
            twin.pressure_limit_pa = None;
            twin.pressure_tail = pressure.learn(period_s, calm);
        }
    }
    Ok(())
}

/// Cycles of a recording that are left out at its begin.
fn skipped(period_s: f64) -> u64 {
    // Float to integer casts saturate, and the time is short.
    SKIP_CYCLES.min((SKIP_S / period_s) as u64)
}

/// The same machine with everything judged in every mode.
fn in_all_modes(machine: &Machine) -> Machine {
    let mut machine = machine.clone();
    let presses = machine.presses.iter_mut().map(|press| &mut press.axis);
    for axis in machine.axes.iter_mut().chain(presses) {
        if let Some(twin) = &mut axis.twin {
            twin.modes = OperationModes::ALL;
        }
    }
    machine
}

/// The mode of operation; none of a drive that makes its own set-points.
fn mode_of(told: Told) -> Option<OperationMode> {
    match told {
        Told::Position | Told::PositionAndOffsets => Some(OperationMode::Position),
        Told::Velocity => Some(OperationMode::Velocity),
        Told::Torque => Some(OperationMode::Torque),
        Told::Own => None,
    }
}

fn run(
    bus: &mut RecordingBus,
    pipeline: &mut Pipeline<'_>,
    skipped: u64,
    (recording, seen): (usize, &mut [Seen]),
    stations: &mut [Pressure],
    view: &mut View,
) {
    pass::over(bus, pipeline, |pipeline, stamp, readings| {
        view.push(pipeline);
        if stamp.cycle < skipped {
            return;
        }
        let context = pipeline.context().factors();
        for (n, (seen, reading)) in seen.iter_mut().zip(readings).enumerate() {
            let (true, Some(predicted), Ok(r)) =
                (pipeline.judged(n), pipeline.compared(n), reading)
            else {
                seen.innovations.gap();
                continue;
            };
            seen.cycles += 1;
            seen.movements.cycle(context);
            if let Some(mode) = mode_of(r.told) {
                seen.by_mode[mode as usize] += 1;
            }
            seen.drift_m.extend(pipeline.drift_m(n));
            let measured = [r.position_m, r.velocity_m_per_s, r.current_a];
            seen.innovations
                .push(std::array::from_fn(|c| measured[c] - predicted[c]));
            if let (Some(figures), Some(whole)) = (pipeline.ended(n), pipeline.ended_factors(n)) {
                seen.movements.add(whole, figures);
            }
            if let Some(figure) = pipeline.rest(n) {
                seen.movements.rest(recording, figure);
            }
        }
        for (n, pressure) in stations.iter_mut().enumerate() {
            match pipeline.station(n).and_then(|s| s.innovation_pa) {
                Some(innovation_pa) => pressure.push(innovation_pa),
                None => pressure.gap(),
            }
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Would show a slow log of which a second is not left out but a minute and a half.
    #[test]
    fn what_is_left_out_is_a_second_at_most() {
        assert_eq!(skipped(0.1), 10);
        assert_eq!(skipped(4e-3), 250);
        for fast_s in [1e-3, 250e-6, 31.25e-6] {
            assert_eq!(skipped(fast_s), SKIP_CYCLES);
        }
    }
}
