//! What `check` tells of thresholds: what they rest on, and which are provisional.

use crate::in_force::{self, InForce};
use crate::plan::{self, figures};
use crate::thresholds;
use serde::Serialize;
use std::fmt::Write;
use twinstep_config::machine::Machine;

/// How far thresholds rest on the healthy record.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Thresholds {
    /// Interval between false alarms that is asked for (s).
    pub(super) asked_s: f64,
    /// Detectors whose threshold comes from a tail.
    pub(super) tails: usize,
    /// Figures of movements and holds of whose tail nothing is known.
    pub(super) figures: usize,
    /// Which thresholds are provisional, and why.
    pub(super) provisional: Vec<String>,
    /// Threshold of the sums over figures of movements and holds (standard deviations of a figure).
    pub(super) figures_cusum: f64,
    /// What every channel is judged by one cycle ahead, and over a free run.
    pub(super) in_force: Vec<InForce>,
}

impl Thresholds {
    /// Those of a machine.
    pub(super) fn of(machine: &Machine) -> Self {
        let asked_s = machine.judge.false_alarm_interval_s;
        let shares = plan::shares(machine);
        let mut provisional = Vec::new();
        if let Some(record_s) = thresholds::shortest_record_s(machine).filter(|s| *s < asked_s) {
            provisional.push(format!(
                "{} detectors and figures are extrapolated from a healthy record of {record_s:.0} s to {asked_s:.0} s",
                shares.tails
            ));
        }
        let fewest = figures::laws(machine).min_by(|a, b| a.figures.total_cmp(&b.figures));
        if let Some(law) = fewest.filter(|law| law.record_s < asked_s) {
            provisional.push(format!(
                "{} figures of movements rest on {:.0} movements of {:.0} s at least, as Student's t of {:.1} degrees of freedom",
                figures::counts(machine).0,
                law.figures,
                law.record_s,
                law.freedom
            ));
        }
        for axis in &machine.axes {
            if let (Some(healthy), Some(_)) = (&axis.healthy, &axis.signature) {
                let record_s = healthy.movement_time_s * f64::from(healthy.movements);
                if record_s < asked_s {
                    provisional.push(format!(
                        "the signatures of {} rest on {} movements of some {record_s:.0} s, as Student's t of {:.0} degrees of freedom",
                        axis.name, healthy.movements, healthy.degrees_of_freedom
                    ));
                }
            }
        }
        if shares.figures > 0 {
            provisional.push(format!(
                "{} leak rates of holds, or figures that were learnt before tails were, are judged by a formula for white normal figures",
                shares.figures
            ));
        }
        for station in &machine.stations {
            let twin = station.twin.as_ref();
            if twin.is_some_and(|t| t.pressure_limit_pa.is_some() && t.pressure_tail.is_none()) {
                provisional.push(format!(
                    "the pressure limit of {} has no tail, so that nothing is extrapolated for the machine",
                    station.name
                ));
            }
        }
        Self {
            asked_s,
            tails: shares.tails,
            figures: shares.figures,
            provisional,
            figures_cusum: plan::figures_threshold(machine),
            in_force: in_force::of(machine),
        }
    }

    /// A table of them; empty where nothing is judged.
    pub(super) fn table(&self) -> String {
        let mut text = String::new();
        if self.in_force.is_empty() {
            return text;
        }
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{}", InForce::head());
        for row in &self.in_force {
            let _ = writeln!(text, "{}", row.text());
        }
        let _ = writeln!(
            text,
            "figures of movements and holds: cusum {:.2} of their spread",
            self.figures_cusum
        );
        text
    }
}
