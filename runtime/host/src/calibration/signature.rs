//! What the signatures of healthy movements look like.
//!
//! Runs differ: a machine that was switched off, cooled down and greased itself anew is not quite what it was. So a spread
//! has two components, within a run (W) and between runs (B), by analysis of variance:
//!
//! ```text
//! W = sum over runs of (y - mean of its run)^2 / (N - R)
//! B = sum over runs of (mean of the run - mean of its load)^2 / (R - G) - W / (movements a run), not below 0
//! sigma^2 = W (1 + G/N) + B (1 + G/R)
//! ```
//!
//! with N movements in R runs at G loads; the shares with G are what the means themselves are uncertain by. R - G degrees
//! of freedom are all that such a spread is worth.

use super::Report;
use crate::error::HostError;
use crate::movements;
use std::path::PathBuf;
use twinstep_config::machine::{Healthy, HealthyLoad, MAX_LOADS, Machine};
use twinstep_cycle::signature::SignaturePlan;
use twinstep_drivers::recording::RecordingBus;
use twinstep_models::blocks::Paces;
use twinstep_models::signature::{FIGURES, Family, Figure, Settings, Signature};

/// Recordings whose loads differ by less are of one load (standard deviations of the load within a recording).
const SAME_LOAD_SIGMAS: f64 = 5.0;
/// Degrees of freedom that a spread needs.
const LEAST_FREEDOM: usize = 2;
/// No spread is believed to be smaller: friction (A), logarithms and scores (1).
const LEAST_SIGMAS: [f64; 3] = [1e-6, 0.01, 0.01];

/// What was learnt of one axis, for people.
#[derive(Clone, Debug, PartialEq)]
pub struct SignatureReport {
    /// Name of the axis.
    pub axis: String,
    /// Movements, runs and loads.
    pub counts: [usize; 3],
}

/// Signatures of one run of the machine.
#[derive(Clone, Debug, Default)]
struct Run {
    /// Number of its recording, and of its load once that is known.
    recording: usize,
    load: usize,
    signatures: Vec<Signature>,
}

/// Learns the healthy signatures of every axis that has them, in place.
pub(super) fn learn(
    machine: &mut Machine,
    paths: &[PathBuf],
    report: &mut Report,
) -> Result<(), HostError> {
    for n in 0..machine.axes.len() {
        let Some(settings) = machine.axes[n].signature else {
            continue;
        };
        let name = machine.axes[n].name.clone();
        let plan = SignaturePlan {
            axis: u16::try_from(n).unwrap_or(u16::MAX),
            settings: Settings::new(
                settings.screw_lead_m,
                settings.settle_s,
                machine.cycle.period_ns,
            ),
            healthy: None,
        };
        let (mut runs, mut times_s) = (Vec::new(), Vec::new());
        for (recording, path) in paths.iter().enumerate() {
            let mut bus =
                RecordingBus::open(path, machine).map_err(crate::commands::replay::refused)?;
            take(&mut bus, &plan, recording, &mut runs, &mut times_s);
        }
        match healthy(&mut runs, &mut times_s) {
            Ok((healthy, counts)) => {
                machine.axes[n].healthy = Some(healthy);
                report
                    .signatures
                    .push(SignatureReport { axis: name, counts });
            }
            Err(why) => report
                .remarks
                .push(format!("{name}: no healthy signature, {why}")),
        }
    }
    Ok(())
}

/// Takes the signatures out of one recording, and the times between them (s).
fn take(
    bus: &mut RecordingBus,
    plan: &SignaturePlan,
    recording: usize,
    runs: &mut Vec<Run>,
    times_s: &mut Vec<f64>,
) {
    let run_starts = bus.run_starts().to_vec();
    let first = runs.len();
    runs.resize_with(first + run_starts.len().max(1), || Run {
        recording,
        ..Run::default()
    });
    let mut last_ns = None;
    movements::each(bus, plan, |stamp, signature, _| {
        let run = run_starts.partition_point(|start| *start <= stamp.cycle);
        if let Some(run) = runs.get_mut(first + run.saturating_sub(1)) {
            run.signatures.push(*signature);
        }
        if let Some(last_ns) = last_ns.replace(stamp.time_ns) {
            times_s.push((stamp.time_ns - last_ns) as f64 / 1e9);
        }
    });
}

/// Means and spreads, and the counts of movements, runs and loads.
fn healthy(runs: &mut Vec<Run>, times_s: &mut [f64]) -> Result<(Healthy, [usize; 3]), String> {
    runs.retain(|run| !run.signatures.is_empty());
    if runs.is_empty() || times_s.is_empty() {
        return Err("the axis does not move out and back at constant speed".into());
    }
    let loads = group(runs);
    let freedom = runs.len().saturating_sub(loads);
    if freedom < LEAST_FREEDOM {
        return Err(format!(
            "{} runs at {loads} loads do not tell how runs differ; record at least {} more runs, and name the \
             column that counts them first in `segment_by`",
            runs.len(),
            LEAST_FREEDOM - freedom
        ));
    }
    if loads > MAX_LOADS {
        return Err(format!("{loads} loads, and {MAX_LOADS} are the most"));
    }
    let means: Vec<Signature> = (0..loads).map(|load| mean_of(runs, load)).collect();
    let spread = |value: &dyn Fn(&Signature, &Signature) -> f64| {
        let values: Vec<Vec<f64>> = (runs.iter())
            .map(|run| {
                let mean = &means[run.load];
                run.signatures.iter().map(|s| value(s, mean)).collect()
            })
            .collect();
        sigma(&values, loads)
    };
    let mut figure_sigmas = [0.0; FIGURES];
    for figure in Figure::ALL {
        let f = figure as usize;
        let least = LEAST_SIGMAS[usize::from(figure != Figure::Friction)];
        figure_sigmas[f] = spread(&|s, mean| s.deviation(mean)[f]).max(least);
    }
    let family_sigmas = Family::ALL.map(|family| {
        let score = |s: &Signature, mean: &Signature| {
            let mut z = s.deviation(mean);
            for (z, sigma) in z.iter_mut().zip(figure_sigmas) {
                *z /= sigma;
            }
            family.score(&z)
        };
        // Friction strays upwards more than downwards: what counts is the side that this family is on.
        let above: Vec<f64> = (runs.iter())
            .flat_map(|run| run.signatures.iter().map(|s| score(s, &means[run.load])))
            .filter(|score| *score > 0.0)
            .collect();
        let square = above.iter().map(|s| s * s).sum::<f64>() / above.len().max(1) as f64;
        spread(&score).max(square.sqrt()).max(LEAST_SIGMAS[2])
    });
    times_s.sort_by(f64::total_cmp);
    let movements = runs.iter().map(|run| run.signatures.len()).sum();
    let healthy = Healthy {
        movements: u32::try_from(movements).unwrap_or(u32::MAX),
        degrees_of_freedom: freedom as f64,
        movement_time_s: times_s[times_s.len() / 2],
        load_sigma_a: spread(&|s, mean| s.load_a - mean.load_a).max(LEAST_SIGMAS[0]),
        figure_sigmas,
        family_sigmas,
        loads: (means.iter())
            .map(|mean| HealthyLoad {
                load_a: mean.load_a,
                figures: mean.figures,
            })
            .collect(),
        speeds: Paces::of((runs.iter()).flat_map(|run| run.signatures.iter().map(Signature::pace))),
    };
    Ok((healthy, [movements, runs.len(), loads]))
}

/// Gives every run the number of its load; the number of loads. One recording has one load, several may share it.
fn group(runs: &mut [Run]) -> usize {
    let loads_of = |runs: &[Run], recording: usize| -> Vec<f64> {
        (runs.iter().filter(|run| run.recording == recording))
            .flat_map(|run| run.signatures.iter().map(|s| s.load_a))
            .collect()
    };
    let mut recordings: Vec<usize> = runs.iter().map(|run| run.recording).collect();
    recordings.dedup();
    let values: Vec<Vec<f64>> = recordings.iter().map(|r| loads_of(runs, *r)).collect();
    let within = within(&values).sqrt();
    let mut order: Vec<(f64, usize)> = (values.iter().zip(&recordings))
        .map(|(values, recording)| (mean(values), *recording))
        .collect();
    order.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (mut load, mut before) = (0, None);
    for (mean_a, recording) in order {
        if before.is_some_and(|before| mean_a - before > SAME_LOAD_SIGMAS * within) {
            load += 1;
        }
        before = Some(mean_a);
        for run in runs.iter_mut().filter(|run| run.recording == recording) {
            run.load = load;
        }
    }
    load + 1
}

/// Mean signature of a load; of the sizes the geometric mean, since they are compared as ratios.
fn mean_of(runs: &[Run], load: usize) -> Signature {
    let one = Signature {
        figures: [0.0, 1.0, 1.0, 1.0, 1.0],
        ..Signature::default()
    };
    let of_load = || (runs.iter().filter(|run| run.load == load)).flat_map(|run| &run.signatures);
    let mut figures = [0.0; FIGURES];
    for figure in Figure::ALL {
        let f = figure as usize;
        let values: Vec<f64> = of_load().map(|s| s.deviation(&one)[f]).collect();
        figures[f] = match figure {
            Figure::Friction => mean(&values),
            _ => libm::exp(mean(&values)),
        };
    }
    Signature {
        load_a: mean(&of_load().map(|s| s.load_a).collect::<Vec<_>>()),
        figures,
        ..Signature::default()
    }
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len().max(1) as f64
}

/// Variance within the groups, pooled; 0 where each has one value.
fn within(groups: &[Vec<f64>]) -> f64 {
    let freedom: usize = groups.iter().map(|g| g.len().saturating_sub(1)).sum();
    let square: f64 = (groups.iter())
        .map(|group| {
            let mean = mean(group);
            group.iter().map(|v| (v - mean) * (v - mean)).sum::<f64>()
        })
        .sum();
    square / freedom.max(1) as f64
}

/// Spread of a new movement in a new run about the learnt mean; `runs` hold deviations from the means of their loads.
fn sigma(runs: &[Vec<f64>], loads: usize) -> f64 {
    let movements: usize = runs.iter().map(Vec::len).sum();
    let (n, r, g) = (movements as f64, runs.len() as f64, loads as f64);
    let within = within(runs);
    let means = runs.iter().map(|run| mean(run) * mean(run)).sum::<f64>();
    let between = (means / (r - g) - within * r / n).max(0.0);
    (within * (1.0 + g / n) + between * (1.0 + g / r)).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;
    use twinstep_drivers::rng::Rng;

    fn run(recording: usize, load_a: f64, friction_a: f64, rng: &mut Rng) -> Run {
        let signatures = (0..6)
            .map(|_| Signature {
                load_a: load_a + 0.005 * rng.bell(),
                figures: [friction_a + 0.01 * rng.bell(), 2e-4, 2e-4, 0.02, 0.05],
                speeds_m_per_s: [0.1 - 0.01 * rng.uniform(), 0.1],
            })
            .collect();
        Run {
            recording,
            load: 0,
            signatures,
        }
    }

    #[test]
    fn recordings_of_one_load_share_it() {
        let mut rng = Rng::new(1, 0);
        let mut runs: Vec<Run> = [(0, 0.2), (0, 0.2), (1, 0.1), (2, 0.2), (3, 0.1)]
            .iter()
            .map(|(recording, load_a)| run(*recording, *load_a, 1.0, &mut rng))
            .collect();
        assert_eq!(group(&mut runs), 2);
        let loads: Vec<usize> = runs.iter().map(|run| run.load).collect();
        assert_eq!(loads, [1, 1, 0, 1, 0]);
    }

    #[test]
    fn runs_that_differ_widen_the_spread() {
        let seed = 7;
        let mut rng = Rng::new(seed, 0);
        let mut learnt = |drift_a: f64| {
            let mut runs: Vec<Run> = (0..12)
                .map(|k| {
                    run(
                        0,
                        0.1,
                        1.0 + if k % 2 == 0 { drift_a } else { -drift_a },
                        &mut rng,
                    )
                })
                .collect();
            let (healthy, counts) = healthy(&mut runs, &mut [5.0, 5.0]).unwrap();
            assert_eq!(counts, [72, 12, 1]);
            assert_eq!(healthy.degrees_of_freedom, 11.0);
            let speeds = healthy.speeds.unwrap();
            assert!((0.09..0.1).contains(&speeds.least) && speeds.most == 0.1);
            healthy.figure_sigmas[0]
        };
        let (alike, different) = (learnt(0.0), learnt(0.03));
        assert!((0.007..0.014).contains(&alike), "seed {seed}: {alike}");
        assert!(
            (0.028..0.042).contains(&different),
            "seed {seed}: {different}"
        );
    }

    #[test]
    fn too_few_runs_are_refused_with_what_is_missing() {
        let mut rng = Rng::new(3, 0);
        let mut runs: Vec<Run> = (0..2).map(|_| run(0, 0.1, 1.0, &mut rng)).collect();
        let why = healthy(&mut runs, &mut [5.0]).unwrap_err();
        assert!(why.contains("at least 1 more"), "{why}");
        let why = healthy(&mut Vec::new(), &mut []).unwrap_err();
        assert!(why.contains("does not move"), "{why}");
    }
}
