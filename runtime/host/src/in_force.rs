//! The thresholds in force, channel by channel, as `check` and `calibrate` show them.

use crate::plan;
use crate::tables::number;
use crate::thresholds;
use serde::Serialize;
use twinstep_config::machine::{Axis, AxisKind, HealthyInnovation, Machine};
use twinstep_models::innovation::WHITENED_CHANNELS;

/// What one channel of one source is judged by; a detector without a threshold is off.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct InForce {
    /// Name of the axis, press or station.
    pub source: String,
    /// As in events.
    pub channel: &'static str,
    /// Size of the residual from which on `fast_limit` speaks, in `unit`.
    pub limit: Option<f64>,
    /// Unit of `limit`.
    pub unit: &'static str,
    /// Mean square of the whitened innovation from which on `window` speaks, relative to the healthy one.
    pub window: Option<f64>,
    /// Sum from which on `cusum` speaks (healthy standard deviations); of a leak rate that over the holds.
    pub cusum: Option<f64>,
}

/// All of a machine: axes, presses, stations; what is off altogether is left out.
pub fn of(machine: &Machine) -> Vec<InForce> {
    let presses = machine.presses.iter().map(|press| &press.axis);
    let mut all: Vec<InForce> = (machine.axes.iter().chain(presses))
        .flat_map(|axis| of_axis(machine, axis))
        .collect();
    let (asked_s, shares) = (machine.judge.false_alarm_interval_s, plan::shares(machine));
    for station in &machine.stations {
        let Some(twin) = &station.twin else { continue };
        let row = |channel, limit, unit, cusum| InForce {
            source: station.name.clone(),
            channel,
            limit,
            unit,
            window: None,
            cusum,
        };
        let limit_pa = thresholds::pressure_pa(twin, asked_s, shares);
        all.extend(limit_pa.map(|limit_pa| row("pressure_next", Some(limit_pa), "Pa", None)));
        let cusum = Some(plan::figures_threshold(machine));
        all.push(row("leak_rate", station.leak_limit_pa_per_s, "Pa/s", cusum));
    }
    all
}

fn of_axis(machine: &Machine, axis: &Axis) -> Vec<InForce> {
    let Some(twin) = &axis.twin else {
        return Vec::new();
    };
    let asked_s = machine.judge.false_alarm_interval_s;
    let found = thresholds::of(twin, asked_s, plan::shares(machine));
    let [position, velocity, current] = found.limits;
    let limits = [position, velocity, current, found.drift_m];
    let [way, speed] = ["m", "m/s"].map(|linear| axis.kind.unit(linear));
    let units = [way, speed, axis.effort(), way];
    let channels = HealthyInnovation::CHANNELS.into_iter().enumerate();
    let rows = channels.zip(limits.into_iter().zip(units));
    rows.filter_map(|((c, channel), (limit, unit))| {
        let place = WHITENED_CHANNELS.iter().position(|whitened| *whitened == c);
        let whitened = place.and_then(|w| found.whitened[w]);
        // A detector without a tail has a threshold that nothing passes.
        let level = |level: f64| Some(level).filter(|level| level.is_finite());
        let row = InForce {
            source: axis.name.clone(),
            channel,
            limit,
            unit,
            window: whitened.and_then(|w| level(w.window)),
            cusum: whitened.and_then(|w| level(w.cusum)),
        };
        let on = row.limit.is_some() || row.window.is_some() || row.cusum.is_some();
        on.then_some(row)
    })
    .collect()
}

/// A detector: its name, what is read of a row, and the unit of that.
pub type Detector = (&'static str, fn(&InForce) -> Option<f64>, &'static str);

impl InForce {
    /// The same channel of the same source.
    pub fn is_of(&self, other: &Self) -> bool {
        self.source == other.source && self.channel == other.channel
    }

    /// The same channel without a threshold.
    pub fn off(&self) -> Self {
        Self {
            limit: None,
            window: None,
            cusum: None,
            ..self.clone()
        }
    }

    /// Each detector: its name, its threshold as people read it, and the unit of that.
    pub fn detectors(&self) -> [Detector; 3] {
        [
            ("limit", |row| row.shown().0, self.shown().1),
            ("window", |row| row.window, "x healthy"),
            ("cusum", |row| row.cusum, "sigma"),
        ]
    }

    /// The limit as people read it: a number and its unit.
    pub fn shown(&self) -> (Option<f64>, &'static str) {
        let (scale, unit) = match self.unit {
            "m" => AxisKind::Linear.small(),
            "m/s" => AxisKind::Linear.speed(),
            "rad" => AxisKind::Rotary.small(),
            "rad/s" => AxisKind::Rotary.speed(),
            "Pa" => (1e-2, "mbar"),
            "Pa/s" => (1e-2, "mbar/s"),
            other => (1.0, other),
        };
        (self.limit.map(|limit| scale * limit), unit)
    }

    /// A row of a table.
    pub fn text(&self) -> String {
        let or_none = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), number);
        let (limit, unit) = self.shown();
        let limit = match limit {
            Some(limit) => format!("{} {unit}", number(limit)),
            None => "-".to_owned(),
        };
        format!(
            "{:<16} {:<14} {limit:>14} {:>10} {:>10}",
            self.source,
            self.channel,
            or_none(self.window),
            or_none(self.cusum)
        )
    }

    /// What stands above the rows.
    pub fn head() -> String {
        format!(
            "{:<16} {:<14} {:>14} {:>10} {:>10}",
            "threshold of", "channel", "limit", "window", "cusum"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shipped() -> Machine {
        twinstep_config::load(twinstep_config::PRESS_CELL, "press-cell.toml").unwrap()
    }

    #[test]
    fn every_channel_that_is_judged_is_there_with_what_the_plan_has() {
        let machine = shipped();
        let rows = of(&machine);
        let store = plan::PlanStore::new(&machine);
        let plan = store.plan();
        let names = crate::calibration::axes(&machine).map(|axis| &axis.name);
        for (axis, name) in plan.axes.iter().zip(names) {
            let row = |channel: &str| {
                let mut all = rows.iter();
                all.find(|row| row.source == *name && row.channel == channel)
            };
            let limit = |channel| row(channel).and_then(|row| row.limit);
            assert_eq!(limit("position_next"), axis.limits[0], "{name}");
            assert_eq!(limit("current_next"), axis.limits[2], "{name}");
            assert_eq!(limit("drift"), axis.drift_limit_m, "{name}");
            let cusum = row("position_next").and_then(|row| row.cusum);
            assert_eq!(cusum, axis.whitened[0].map(|w| w.cusum), "{name}");
        }
        let of_gripper: Vec<&InForce> = (rows.iter())
            .filter(|row| row.source == "gripper")
            .collect();
        assert_eq!(of_gripper.len(), 2, "{of_gripper:?}");
        assert_eq!(of_gripper[0].limit, plan.stations[0].limit_pa);
        assert_eq!(of_gripper[1].cusum, Some(plan.thresholds.threshold));
    }

    #[test]
    fn what_is_off_is_left_out_and_a_longer_interval_asks_for_more() {
        let mut machine = shipped();
        let usual = of(&machine);
        machine.judge.false_alarm_interval_s *= 12.0;
        let rare = of(&machine);
        assert_eq!(usual.len(), rare.len());
        for (usual, rare) in usual.iter().zip(&rare) {
            assert!(
                rare.cusum >= usual.cusum && rare.limit >= usual.limit,
                "{rare:?}"
            );
        }
        machine.axes[0].twin = None;
        let name = machine.axes[0].name.clone();
        assert!(of(&machine).iter().all(|row| row.source != name));
        let row = InForce {
            source: "lift".to_owned(),
            channel: "position_next",
            limit: Some(1.234e-6),
            unit: "m",
            window: None,
            cusum: Some(9.87),
        };
        let text = row.text();
        assert!(
            text.contains("1.234 um") && text.contains("9.870"),
            "{text}"
        );
        let row = InForce {
            limit: Some(5.0 * std::f64::consts::PI / 180e3),
            unit: "rad",
            ..row
        };
        assert!(row.text().contains("5.000 mdeg"), "{}", row.text());
    }
}
