//! A commissioning run for the machines of the benchmarks: limits and baselines for every channel and feature.

use crate::fleet::Fleet;
use twinstep_config::machine::{Axis, FigureOf, HealthyInnovation, Machine, RegimeBaseline};
use twinstep_cycle::plan::NEXT;
use twinstep_host::plan::PlanStore;
use twinstep_models::blocks::{FEATURES, Feature};
use twinstep_models::sample::{CycleStamp, Samples};

/// Limits over the largest healthy innovation.
const MARGIN: f64 = 3.0;
/// Smallest standard deviation of a feature (A).
const LEAST_SIGMA_A: f64 = 0.02;

/// What was seen of one axis.
#[derive(Clone, Debug, Default)]
struct Seen {
    largest: [f64; NEXT],
    features: [Vec<f64>; FEATURES],
}

/// Lets `machine` run for `cycles`, enters limits and baselines into its twins, and returns the plan that holds them with
/// the machine in motion.
///
/// Features that no movement showed (pressing, on a servo axis) get a wide baseline: nothing is switched off.
pub fn commission(machine: &mut Machine, seed: u64, cycles: u64) -> (PlanStore, Fleet) {
    for axis in axes_mut(machine) {
        if let Some(twin) = &mut axis.twin {
            (
                twin.position_limit_m,
                twin.velocity_limit_m_per_s,
                twin.current_limit_a,
            ) = (None, None, None);
            twin.baseline.clear();
        }
    }
    let plan = PlanStore::new(machine);
    let mut fleet = Fleet::new(machine, &plan, seed);
    let seen = observe(&plan, &mut fleet, cycles);
    for (axis, seen) in axes_mut(machine).zip(&seen) {
        enter(axis, seen);
    }
    (PlanStore::new(machine), fleet)
}

fn axes_mut(machine: &mut Machine) -> impl Iterator<Item = &mut Axis> {
    machine
        .axes
        .iter_mut()
        .chain(machine.presses.iter_mut().map(|press| &mut press.axis))
}

fn observe(plan: &PlanStore, fleet: &mut Fleet, cycles: u64) -> Vec<Seen> {
    let settle = u64::from(plan.plan().thresholds.settle_cycles);
    let mut state = plan.state();
    let mut pipeline = plan.pipeline(&mut state);
    let mut seen = vec![Seen::default(); plan.params.len()];
    for cycle in 0..cycles {
        pipeline.predict();
        fleet.next();
        let stamp = CycleStamp {
            cycle,
            time_ns: cycle * plan.plan().period_ns,
            dc_time_ns: 0,
        };
        let samples = samples(fleet);
        pipeline.compare(stamp, &samples);
        pipeline.correct(stamp, &samples);
        while pipeline.take_event().is_some() {}
        for (n, (seen, reading)) in seen.iter_mut().zip(&fleet.axis_readings).enumerate() {
            let (Ok(r), Some(predicted)) = (reading, pipeline.compared(n)) else {
                continue;
            };
            let measured = [r.position_m, r.velocity_m_per_s, r.current_a];
            for (largest, (m, p)) in seen.largest.iter_mut().zip(measured.iter().zip(&predicted)) {
                *largest = if cycle < settle {
                    0.0
                } else {
                    largest.max((m - p).abs())
                };
            }
            let ended = pipeline.ended(n).into_iter().flatten();
            for (figures, block) in seen.features.iter_mut().zip(ended) {
                figures.extend(block.map(|block| block.residual_a));
            }
        }
    }
    seen
}

/// The samples of the cycle that the fleet has just measured.
pub fn samples(fleet: &Fleet) -> Samples<'_> {
    Samples {
        axes: &fleet.axis_readings,
        stations: &fleet.station_readings,
        context: fleet.context(),
        bus: Ok(()),
    }
}

fn enter(axis: &mut Axis, seen: &Seen) {
    let Some(twin) = &mut axis.twin else { return };
    let limit = |channel: usize| Some(MARGIN * seen.largest[channel]);
    (
        twin.position_limit_m,
        twin.velocity_limit_m_per_s,
        twin.current_limit_a,
    ) = (limit(0), limit(1), limit(2));
    // The tails are those of another machine: on a scale on which nothing of this one is surprising they stay on and silent.
    for (innovation, largest) in twin.innovations.iter_mut().zip(seen.largest) {
        if let Some(innovation) = innovation {
            innovation.sigma = MARGIN * largest;
        }
    }
    twin.innovations[HealthyInnovation::DRIFT] = None;
    twin.baseline = (Feature::ALL.iter().zip(&seen.features))
        .map(|(feature, figures)| {
            let n = figures.len() as f64;
            let mean_a = if figures.is_empty() {
                0.0
            } else {
                figures.iter().sum::<f64>() / n
            };
            let square = figures
                .iter()
                .map(|figure| (figure - mean_a) * (figure - mean_a))
                .sum::<f64>();
            // A handful of movements says little about the spread, so that it is taken twice.
            let sigma_a = if figures.len() < 2 {
                1.0
            } else {
                2.0 * (square / (n - 1.0)).sqrt()
            };
            RegimeBaseline {
                of: FigureOf::CurrentLoad,
                law: None,
                regime: feature.name().to_owned(),
                only: Default::default(),
                stage: 0,
                mean_a,
                sigma_a: sigma_a.max(LEAST_SIGMA_A),
            }
        })
        .collect();
}
