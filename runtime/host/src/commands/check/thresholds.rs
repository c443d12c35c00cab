//! What `check` tells of thresholds: what they rest on, and which are provisional.

use crate::in_force::{self, InForce};
use crate::plan::{self, figures};
use crate::thresholds;
use serde::Serialize;
use std::fmt::Write;
use twinstep_config::machine::{Axis, Machine};

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
        let unlearnt = |axis: &&Axis| {
            (axis.twin.as_ref()).is_some_and(|twin| !twin.baseline.iter().any(figures::is_of_rests))
        };
        let asked = machine.axes.iter().filter(|_| machine.judge.standstill);
        let without: Vec<&str> = (asked.filter(unlearnt))
            .map(|axis| axis.name.as_str())
            .collect();
        if !without.is_empty() {
            provisional.push(format!(
                "standstill of {} is asked for in [judge] and was not learnt: it is judged once `twinstep calibrate` has seen rests",
                without.join(", ")
            ));
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

#[cfg(test)]
mod tests {
    use super::*;

    fn shipped() -> Machine {
        twinstep_config::load(twinstep_config::PRESS_CELL, "press-cell.toml").unwrap()
    }

    /// The words of one row; none where there is no such row.
    fn row(machine: &Machine, source: &str, channel: &str) -> Option<Vec<String>> {
        let table = Thresholds::of(machine).table();
        let words =
            |line: &str| -> Vec<String> { line.split_whitespace().map(str::to_owned).collect() };
        let mut rows = table.lines().map(words);
        rows.find(|row| {
            row.first().is_some_and(|word| word == source)
                && row.get(1).is_some_and(|word| word == channel)
        })
    }

    /// Would show a detector that is off and reads as if it judged, or a channel that is off and still has a row.
    #[test]
    fn what_is_off_is_a_dash_and_where_all_is_off_there_is_no_row() {
        let mut machine = shipped();
        let name = machine.axes[0].name.clone();
        let of = |machine: &Machine, channel| row(machine, &name, channel);
        let all = of(&machine, "position_next").unwrap();
        assert!(!all.contains(&"-".to_owned()), "{all:?}");
        assert!(of(&machine, "drift").is_some());
        let twin = machine.axes[0].twin.as_mut().unwrap();
        twin.innovations[0].as_mut().unwrap().cusum = None;
        twin.innovations[3] = None;
        let less = of(&machine, "position_next").unwrap();
        assert_eq!(less.last().map(String::as_str), Some("-"), "{less:?}");
        assert_eq!(less.iter().filter(|word| *word == "-").count(), 1);
        assert_eq!(of(&machine, "drift"), None);
        // A limit that somebody wrote stays where its tail is gone; without it the channel is gone too.
        let twin = machine.axes[0].twin.as_mut().unwrap();
        (twin.innovations[0], twin.position_limit_m) = (None, Some(5e-6));
        let typed = Thresholds::of(&machine).in_force;
        let typed = (typed.iter()).find(|one| one.source == name && one.channel == "position_next");
        let typed = typed.map(|one| (one.limit, one.window, one.cusum));
        assert_eq!(typed, Some((Some(5e-6), None, None)));
        machine.axes[0].twin.as_mut().unwrap().position_limit_m = None;
        assert_eq!(of(&machine, "position_next"), None);
    }

    /// Would show a head without rows, as if thresholds were there and not told.
    #[test]
    fn a_machine_that_judges_nothing_has_no_table() {
        let mut machine = shipped();
        let presses = machine.presses.iter_mut().map(|press| &mut press.axis);
        for axis in machine.axes.iter_mut().chain(presses) {
            axis.twin = None;
        }
        for station in &mut machine.stations {
            station.twin = None;
        }
        let none = Thresholds::of(&machine);
        assert_eq!((none.in_force.len(), none.table()), (0, String::new()));
    }

    #[test]
    fn standstill_that_is_asked_for_and_was_not_learnt_is_told() {
        let said = |machine: &Machine| {
            let mut reasons = Thresholds::of(machine).provisional.into_iter();
            reasons.find(|reason| reason.starts_with("standstill of"))
        };
        let mut machine = shipped();
        assert_eq!(said(&machine), None);
        machine.judge.standstill = true;
        let all = said(&machine).unwrap();
        assert!(all.starts_with("standstill of infeed, outfeed,"), "{all}");
        assert!(!all.contains("press,"), "{all}");
        let twin = machine.axes[0].twin.as_mut().unwrap();
        let mut row = twin.baseline[0].clone();
        row.regime = "standstill_positive".to_owned();
        twin.baseline.push(row);
        let others = said(&machine).unwrap();
        assert!(others.starts_with("standstill of outfeed,"), "{others}");
    }
}
