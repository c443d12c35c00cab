//! How the signatures of movements are judged.
//!
//! The spreads in a configuration come from few runs, and runs differ. A CUSUM of such scores may leave 0 by far with a
//! single movement, as Student's t does, so its threshold is the higher one of two: what Siegmund's formula gives for an
//! exact spread, and what one movement alone may reach by the t distribution of the degrees of freedom. With many runs the
//! first is left.

use crate::false_alarms::Shares;
use std::fmt::Write;
use twinstep_config::machine::{Axis, Healthy, Machine, SignatureSettings};
use twinstep_cycle::signature::{HealthyPlan, MAX_LOADS, SignaturePlan};
use twinstep_models::blocks::Paces;
use twinstep_models::detect;
use twinstep_models::signature::{FAMILIES, Settings, Signature, quantile, tail};

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

/// Rate of false alarms of one family (1/s) with this slack and threshold, by the worse of the laws of [`threshold`].
pub(super) fn rate_per_s(healthy: &Healthy, slack: f64, threshold: f64) -> f64 {
    let single = tail(slack + threshold, healthy.degrees_of_freedom);
    let summed = 1.0 / detect::run_length(slack, threshold);
    single.max(summed) / healthy.movement_time_s
}

/// Threshold of a one-sided CUSUM for one false alarm in so many movements.
fn threshold(movements: f64, degrees_of_freedom: f64) -> f64 {
    let single = quantile(1.0 / movements, degrees_of_freedom) - SLACK;
    // The formula is for both sides.
    single.max(detect::threshold(SLACK, 0.5 * movements))
}

/// The text that stands for the plans in the name of a machine's plan. Records and stores know plans by their names, so it is that of the
/// first version: what came later is in it only where it is not as it was before there was a choice. The structs are taken apart field by
/// field, so that a new one has to be decided on here.
pub(super) fn text(plans: &[SignaturePlan]) -> String {
    let mut text = String::from("[");
    for (n, plan) in plans.iter().enumerate() {
        let SignaturePlan {
            axis,
            settings,
            healthy,
        } = plan;
        let Settings {
            screw_lead_m,
            settle_samples,
            cycles_per_sample,
            // Of the cycles in it and the period, which is in the name as well.
            sample_s: _,
        } = settings;
        // Writing to a string cannot fail.
        let _ = write!(
            text,
            "{}SignaturePlan {{ axis: {axis}, settings: Settings {{ screw_lead_m: {screw_lead_m:?}, \
             settle_samples: {settle_samples}, cycles_per_sample: {cycles_per_sample} }}, healthy: ",
            if n > 0 { ", " } else { "" }
        );
        match healthy {
            None => text.push_str("None"),
            Some(healthy) => {
                text.push_str("Some(");
                healthy_text(healthy, &mut text);
                text.push(')');
            }
        }
        text.push_str(" }");
    }
    text + "]"
}

fn healthy_text(healthy: &HealthyPlan, text: &mut String) {
    let HealthyPlan {
        loads,
        count,
        within_a,
        figure_sigmas,
        family_sigmas,
        slack,
        threshold,
        paces,
    } = healthy;
    let loads: Vec<String> = (loads.iter())
        .map(|load| {
            // What was learnt of a load has no speeds of its own.
            let Signature {
                load_a,
                figures,
                speeds_m_per_s: _,
            } = load;
            format!("Signature {{ load_a: {load_a:?}, figures: {figures:?} }}")
        })
        .collect();
    let _ = write!(
        text,
        "HealthyPlan {{ loads: [{}], count: {count}, within_a: {within_a:?}, figure_sigmas: {figure_sigmas:?}, \
         family_sigmas: {family_sigmas:?}, slack: {slack:?}, threshold: {threshold:?}",
        loads.join(", ")
    );
    if let Some(Paces { least, most }) = paces {
        let _ = write!(text, ", paces: {least:?} to {most:?}");
    }
    text.push_str(" }");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_of_a_plan_is_that_of_the_first_version() {
        let healthy = |paces| HealthyPlan {
            loads: [Signature {
                load_a: 0.5,
                figures: [1.0, 2e-5, 0.25, 0.0, 3.0],
                speeds_m_per_s: [0.0; 2],
            }; MAX_LOADS],
            count: 1,
            within_a: 0.1,
            figure_sigmas: [0.5; 5],
            family_sigmas: [1.5; FAMILIES],
            slack: 1.5,
            threshold: 6.0,
            paces,
        };
        let plan = |axis, healthy| SignaturePlan {
            axis,
            settings: Settings::new(0.005, 0.4, 1_000_000),
            healthy,
        };
        let load = "Signature { load_a: 0.5, figures: [1.0, 2e-5, 0.25, 0.0, 3.0] }";
        let loads = [load; MAX_LOADS].join(", ");
        let families = ["1.5"; FAMILIES].join(", ");
        let settings =
            "Settings { screw_lead_m: 0.005, settle_samples: 10, cycles_per_sample: 40 }";
        let first = format!(
            "[SignaturePlan {{ axis: 0, settings: {settings}, healthy: Some(HealthyPlan {{ loads: [{loads}], count: 1, within_a: 0.1, \
             figure_sigmas: [0.5, 0.5, 0.5, 0.5, 0.5], family_sigmas: [{families}], slack: 1.5, threshold: 6.0 }}) }}, \
             SignaturePlan {{ axis: 3, settings: {settings}, healthy: None }}]"
        );
        assert_eq!(text(&[plan(0, Some(healthy(None))), plan(3, None)]), first);
        assert_eq!(text(&[]), "[]");
        let paces = Some(Paces {
            least: 0.02,
            most: 0.03,
        });
        let with = text(&[plan(0, Some(healthy(paces))), plan(3, None)]);
        assert_eq!(with.replace(", paces: 0.02 to 0.03", ""), first);
        assert_ne!(with, first);
    }

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
