//! How the signatures of movements are judged.
//!
//! The spreads in a configuration come from few runs, and runs differ. A CUSUM of such scores may leave 0 by far with a
//! single movement, as Student's t does, so its threshold is the higher one of two: what Siegmund's formula gives for an
//! exact spread, and what one movement alone may reach by the t distribution of the degrees of freedom. With many runs the
//! first is left.

use crate::false_alarms::Shares;
use twinstep_config::machine::{Axis, Healthy, Machine, SignatureSettings};
use twinstep_cycle::signature::{HealthyPlan, MAX_LOADS, SignaturePlan};
use twinstep_models::detect;
use twinstep_models::signature::{FAMILIES, Settings, Signature, quantile};

/// Slack of the CUSUMs (standard deviations): the drift from run to run must not add up to an alarm.
const SLACK: f64 = 1.5;
/// A load that is further away than this from every learnt one is strange (standard deviations of the load).
const STRANGE_SIGMAS: f64 = 10.0;

/// Figures among which false alarms are shared out.
pub(super) fn streams(machine: &Machine) -> usize {
    let judged = |axis: &&Axis| axis.signature.is_some() && axis.healthy.is_some();
    FAMILIES * machine.axes.iter().filter(judged).count()
}

/// The plans of all axes that have a signature; `shares` are those of all judged figures of the machine.
pub(super) fn plans(machine: &Machine, shares: Shares) -> Vec<SignaturePlan> {
    let taken = |(n, axis): (usize, &Axis)| {
        let settings = axis.signature?;
        let asked = 1.0 / shares.per_s(machine.judge.false_alarm_interval_s);
        let healthy = axis.healthy.as_ref();
        Some(SignaturePlan {
            axis: u16::try_from(n).ok()?,
            settings: taking(&settings, machine.cycle.period_ns),
            healthy: healthy.map(|healthy| judging(healthy, asked)),
        })
    };
    machine.axes.iter().enumerate().filter_map(taken).collect()
}

fn taking(settings: &SignatureSettings, period_ns: u64) -> Settings {
    Settings::new(settings.screw_lead_m, settings.settle_s, period_ns)
}

fn judging(healthy: &Healthy, asked_s: f64) -> HealthyPlan {
    let mut loads = [Signature::default(); MAX_LOADS];
    for (load, learnt) in loads.iter_mut().zip(&healthy.loads) {
        *load = Signature {
            load_a: learnt.load_a,
            figures: learnt.figures,
            ..Signature::default()
        };
    }
    HealthyPlan {
        loads,
        count: healthy.loads.len().min(MAX_LOADS),
        within_a: STRANGE_SIGMAS * healthy.load_sigma_a,
        figure_sigmas: healthy.figure_sigmas,
        family_sigmas: healthy.family_sigmas,
        slack: SLACK,
        threshold: in_force(healthy, asked_s).1,
        paces: healthy.speeds,
    }
}

/// Slack and threshold of the CUSUMs, asked for one false alarm of each in `asked_s`.
pub(super) fn in_force(healthy: &Healthy, asked_s: f64) -> (f64, f64) {
    let movements = (asked_s / healthy.movement_time_s).max(2.0);
    (SLACK, threshold(movements, healthy.degrees_of_freedom))
}

/// Threshold of a one-sided CUSUM for one false alarm in so many movements.
fn threshold(movements: f64, degrees_of_freedom: f64) -> f64 {
    let single = quantile(1.0 / movements, degrees_of_freedom) - SLACK;
    // The formula is for both sides.
    single.max(detect::threshold(SLACK, 0.5 * movements))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_runs_need_a_higher_threshold_and_many_the_usual_one() {
        let movements = 1e5;
        let thresholds = [2.0, 4.0, 8.0, 30.0, 1e6].map(|n| threshold(movements, n));
        assert!(thresholds.is_sorted_by(|a, b| a >= b), "{thresholds:?}");
        assert_eq!(thresholds[4], detect::threshold(SLACK, 0.5 * movements));
        assert!(
            thresholds[0] > 100.0,
            "two runs cannot promise much: {thresholds:?}"
        );
    }
}
