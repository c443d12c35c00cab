//! What `check` tells of thresholds: what they rest on, and which are provisional.

use crate::{plan, thresholds};
use serde::Serialize;
use twinstep_config::machine::Machine;

/// How far thresholds rest on the healthy record.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Thresholds {
    /// Interval between false alarms that is asked for (s).
    pub(super) asked_s: f64,
    /// Detectors whose threshold comes from a tail.
    pub(super) tails: usize,
    /// Figures of movements and holds whose threshold comes from a formula.
    pub(super) figures: usize,
    /// Which thresholds are provisional, and why.
    pub(super) provisional: Vec<String>,
}

impl Thresholds {
    /// Those of a machine.
    pub(super) fn of(machine: &Machine) -> Self {
        let asked_s = machine.judge.false_alarm_interval_s;
        let shares = plan::shares(machine);
        let mut provisional = Vec::new();
        if let Some(record_s) = thresholds::shortest_record_s(machine).filter(|s| *s < asked_s) {
            provisional.push(format!(
                "{} detectors are extrapolated from a healthy record of {record_s:.0} s to {asked_s:.0} s",
                shares.tails
            ));
        }
        if shares.figures > 0 {
            provisional.push(format!(
                "{} figures of movements and holds are judged by a formula for white normal figures, because a commissioning run has too few for a tail",
                shares.figures
            ));
        }
        for station in &machine.stations {
            if station
                .twin
                .as_ref()
                .is_some_and(|twin| twin.pressure_limit_pa.is_some())
            {
                provisional.push(format!(
                    "the pressure limit of {} stands above the largest of the healthy record, no tail is learnt, and it is not counted",
                    station.name
                ));
            }
        }
        Self {
            asked_s,
            tails: shares.tails,
            figures: shares.figures,
            provisional,
        }
    }
}
