//! What the pipeline says of a healthy machine.

use super::innovations::{Innovations, learn_drift};
use super::page::{self, Judged};
use super::{Report, axis_mut};
use crate::error::HostError;
use crate::pass;
use crate::plan::PlanStore;
use std::path::PathBuf;
use twinstep_config::machine::{HealthyInnovation, Machine, RegimeBaseline};
use twinstep_cycle::pipeline::Pipeline;
use twinstep_drivers::recording::RecordingBus;
use twinstep_models::blocks::{FEATURES, Feature};

/// The limit of a station's innovation stands this far above the largest one of the healthy record.
const ABOVE_LARGEST: f64 = 3.0;
/// Cycles that are drawn of a record.
const DRAWN: usize = 20_000;
/// Movements that a baseline needs.
const LEAST_MOVEMENTS: usize = 4;
/// Part of a recording in which the machine may still be anywhere (cycles).
const SKIP_CYCLES: u64 = 1000;

/// Figures of one axis.
#[derive(Clone, Debug, Default)]
struct Seen {
    innovations: Innovations,
    features: [Vec<f64>; FEATURES],
    /// Free runs that counted (m).
    drift_m: Vec<f64>,
    /// Cycles that were judged.
    cycles: usize,
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
    let store = PlanStore::new(machine);
    let axes = store.plan().axes.len();
    let period_s = machine.cycle.period_ns as f64 / 1e9;
    let mut seen = vec![Seen::default(); axes];
    let mut stations = vec![0.0_f64; machine.stations.len()];
    let mut view = View {
        stride: rows.div_ceil(DRAWN).max(1),
        cycles: 0,
        axes: vec![Vec::new(); axes],
    };
    for path in paths {
        let mut bus =
            RecordingBus::open(path, machine).map_err(crate::commands::replay::refused)?;
        let mut state = store.state();
        let mut pipeline = store.pipeline(&mut state);
        seen.iter_mut().for_each(|axis| axis.innovations.gap());
        run(&mut bus, &mut pipeline, &mut seen, &mut stations, &mut view);
    }
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
        let Some(twin) = &mut axis.twin else { continue };
        if twin.cascade.is_some() {
            // Tails say more than limits: those of an earlier calibration go.
            twin.position_limit_m = None;
            twin.velocity_limit_m_per_s = None;
            twin.current_limit_a = None;
            twin.innovations = seen.innovations.learn(period_s);
        }
        // The free run needs no cascade.
        let record_s = seen.cycles as f64 * period_s;
        twin.innovations[HealthyInnovation::DRIFT] = learn_drift(&seen.drift_m, record_s);
        twin.baseline.clear();
        for feature in Feature::ALL {
            let values = &seen.features[feature as usize];
            if values.len() < LEAST_MOVEMENTS {
                continue;
            }
            let count = values.len() as f64;
            let mean_a = values.iter().sum::<f64>() / count;
            let variance = values
                .iter()
                .map(|v| (v - mean_a) * (v - mean_a))
                .sum::<f64>()
                / (count - 1.0);
            // A few movements say little of the spread: widened as a Student t would.
            let sigma_a = variance.sqrt() * (1.0 + 2.0 / count);
            twin.baseline.push(RegimeBaseline {
                regime: feature.name().to_owned(),
                mean_a,
                sigma_a: sigma_a.max(1e-6),
            });
        }
        if twin.baseline.is_empty() {
            report.remarks.push(format!(
                "{name}: current_load is off, fewer than {LEAST_MOVEMENTS} movements in each regime"
            ));
        }
    }
    for (station, largest) in machine.stations.iter_mut().zip(stations) {
        if let Some(twin) = &mut station.twin {
            twin.pressure_limit_pa = (largest > 0.0).then_some(ABOVE_LARGEST * largest);
        }
    }
    Ok(())
}

fn run(
    bus: &mut RecordingBus,
    pipeline: &mut Pipeline<'_>,
    seen: &mut [Seen],
    stations: &mut [f64],
    view: &mut View,
) {
    pass::over(bus, pipeline, |pipeline, stamp, readings| {
        view.push(pipeline);
        if stamp.cycle < SKIP_CYCLES {
            return;
        }
        for (n, (seen, reading)) in seen.iter_mut().zip(readings).enumerate() {
            let (true, Some(predicted), Ok(r)) =
                (pipeline.judged(n), pipeline.compared(n), reading)
            else {
                seen.innovations.gap();
                continue;
            };
            seen.cycles += 1;
            seen.drift_m.extend(pipeline.drift_m(n));
            let measured = [r.position_m, r.velocity_m_per_s, r.current_a];
            seen.innovations
                .push(std::array::from_fn(|c| measured[c] - predicted[c]));
            for (values, block) in seen
                .features
                .iter_mut()
                .zip(pipeline.ended(n).into_iter().flatten())
            {
                values.extend(block.map(|b| b.residual_a));
            }
        }
        for (n, largest) in stations.iter_mut().enumerate() {
            let innovation = pipeline.station(n).and_then(|s| s.innovation_pa);
            *largest = largest.max(innovation.unwrap_or(0.0).abs());
        }
    });
}
