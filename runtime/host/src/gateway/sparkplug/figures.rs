//! What an instance tells in Sparkplug's terms: figures of the node and of its devices, which are axes, presses and stations.

use crate::control::status::{AxisLine, StationLine, StatusLine};
use crate::gateway::buses::each;
use crate::gateway::mqtt::topics::level;
use serde::Deserialize;
use serde_json::Value as Json;

/// Most devices of a node: 1024 axes and 64 stations, and 8 buses.
pub const MAX_DEVICES: usize = 1096;

/// `[sparkplug.deadband]`: a figure is told again once it has moved by more than this.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Deadband {
    /// Positions (m).
    pub position_m: f64,
    /// Velocities (m/s).
    pub velocity_m_per_s: f64,
    /// Currents (A).
    pub current_a: f64,
    /// Pressures (Pa).
    pub pressure_pa: f64,
    /// Residuals (standard deviations).
    pub residual_sigma: f64,
}

impl Default for Deadband {
    fn default() -> Self {
        Self {
            position_m: 1e-5,
            velocity_m_per_s: 1e-3,
            current_a: 0.01,
            pressure_pa: 50.0,
            residual_sigma: 0.1,
        }
    }
}

impl Deadband {
    /// All of them.
    pub const fn all(&self) -> [f64; 5] {
        [
            self.position_m,
            self.velocity_m_per_s,
            self.current_a,
            self.pressure_pa,
            self.residual_sigma,
        ]
    }
}

/// A value with its type.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Yes or no.
    Flag(Option<bool>),
    /// A count.
    Count(Option<u64>),
    /// A number.
    Number(Option<f64>),
    /// A text.
    Text(Option<String>),
}

impl Value {
    /// Whether this is worth telling after `before`.
    pub fn differs(&self, before: &Self, deadband: f64) -> bool {
        match (self, before) {
            (Self::Number(Some(now)), Self::Number(Some(before))) => {
                (now - before).abs() > deadband
            }
            _ => self != before,
        }
    }
}

/// A figure.
#[derive(Clone, Debug, PartialEq)]
pub struct Figure {
    /// Its name.
    pub name: &'static str,
    /// Its unit; empty for none.
    pub unit: &'static str,
    /// Changes up to this are not told.
    pub deadband: f64,
    /// Its value.
    pub value: Value,
}

impl Figure {
    const fn new(name: &'static str, value: Value) -> Self {
        Self {
            name,
            unit: "",
            deadband: 0.0,
            value,
        }
    }

    const fn number(
        name: &'static str,
        unit: &'static str,
        deadband: f64,
        value: Option<f64>,
    ) -> Self {
        Self {
            name,
            unit,
            deadband,
            value: Value::Number(value),
        }
    }
}

/// A device.
#[derive(Clone, Debug, PartialEq)]
pub struct Device {
    /// Its identifier in topics.
    pub id: String,
    /// Its figures.
    pub figures: Vec<Figure>,
}

/// Figures of the node. Of several buses: counts of all together, the cycle of the first, and armed where all are.
pub fn node(status: Option<&StatusLine>) -> Vec<Figure> {
    let text = |text: Option<&str>| Value::Text(text.map(str::to_owned));
    let sum =
        |of: fn(&StatusLine) -> u64| Value::Count(status.map(|s| each(s).iter().map(of).sum()));
    vec![
        Figure::new(
            "Properties/Machine",
            text(status.map(|status| status.identity.machine.as_str())),
        ),
        Figure::new("Properties/Version", text(Some(env!("CARGO_PKG_VERSION")))),
        Figure::new(
            "Properties/Plan",
            text(status.map(|status| status.identity.plan.as_str())),
        ),
        Figure::new("Instance/Online", Value::Flag(Some(status.is_some()))),
        Figure::new(
            "Instance/Armed",
            Value::Flag(status.map(|status| each(status).iter().all(|bus| bus.armed))),
        ),
        Figure::new(
            "Cycle/Count",
            Value::Count(status.map(|status| status.cycle)),
        ),
        Figure::new("Cycle/Overruns", sum(|bus| bus.overruns.count)),
        Figure::new("Bus/Lost Frames", sum(|bus| bus.bus.counters.lost)),
        Figure::new(
            "Bus/Working Counter Errors",
            sum(|bus| bus.bus.counters.working_counter_errors),
        ),
        Figure::new("Deviations", sum(|bus| bus.events)),
    ]
}

/// A bus of several, as a device beside those that hang on it.
fn bus(name: &str, status: &StatusLine) -> Device {
    let count = |name, value| Figure::new(name, Value::Count(Some(value)));
    let counters = &status.bus.counters;
    Device {
        id: level(name),
        figures: vec![
            Figure::new(
                "Properties/Plan",
                Value::Text(Some(status.identity.plan.clone())),
            ),
            Figure::new("Instance/Armed", Value::Flag(Some(status.armed))),
            count("Cycle/Count", status.cycle),
            count("Cycle/Overruns", status.overruns.count),
            count("Bus/Lost Frames", counters.lost),
            count(
                "Bus/Working Counter Errors",
                counters.working_counter_errors,
            ),
            count("Deviations", status.events),
        ],
    }
}

/// Devices of an instance; names that come twice are told once. Of several buses each is a device itself, and stands before the name of
/// what is on it, with a point between them: no name has one.
pub fn devices(status: &StatusLine, deadband: &Deadband) -> Vec<Device> {
    let mut seen = std::collections::BTreeSet::new();
    let buses = each(status).iter();
    let all = buses.flat_map(|status| {
        let name = status.bus_name.as_deref();
        let named = move |device: Device| match name {
            Some(bus) => Device {
                id: format!("{}.{}", level(bus), device.id),
                ..device
            },
            None => device,
        };
        let axes = status.axes.iter().map(|line| axis(line, deadband));
        let stations = status.stations.iter().map(|line| station(line, deadband));
        let on_it = axes.chain(stations).map(named);
        name.map(|name| bus(name, status)).into_iter().chain(on_it)
    });
    all.filter(|device| seen.insert(device.id.clone()))
        .take(MAX_DEVICES)
        .collect()
}

fn axis(line: &AxisLine, deadband: &Deadband) -> Device {
    let Deadband {
        position_m,
        velocity_m_per_s,
        current_a,
        residual_sigma,
        ..
    } = *deadband;
    // The deadbands are the same numbers in rad and rad/s of a rotary axis.
    let [way, speed] = ["m", "m/s"].map(|linear| line.moves().unit(linear));
    let position = |name, value| Figure::number(name, way, position_m, value);
    let velocity = |name, value| Figure::number(name, speed, velocity_m_per_s, value);
    let current = |name, value| Figure::number(name, "A", current_a, value);
    Device {
        id: level(&line.name),
        figures: vec![
            Figure::new("Valid", Value::Flag(Some(line.valid))),
            position("Position", line.position_m),
            position("Predicted Position", line.predicted_position_m),
            velocity("Velocity", line.velocity_m_per_s),
            velocity("Predicted Velocity", line.predicted_velocity_m_per_s),
            current("Current", line.current_a),
            current("Predicted Current", line.predicted_current_a),
            Figure::number("Residual", "sigma", residual_sigma, line.residual_sigma),
            Figure::new("Regime", Value::Text(line.regime.clone())),
            Figure::number("Confidence", "", 0.01, line.confidence),
        ],
    }
}

fn station(line: &StationLine, deadband: &Deadband) -> Device {
    let pressure = |name, value| Figure::number(name, "Pa", deadband.pressure_pa, value);
    Device {
        id: level(&line.name),
        figures: vec![
            Figure::new("Valid", Value::Flag(Some(line.valid))),
            pressure("Pressure", line.pressure_pa),
            pressure("Predicted Pressure", line.predicted_pressure_pa),
            Figure::number(
                "Residual",
                "sigma",
                deadband.residual_sigma,
                line.residual_sigma,
            ),
        ],
    }
}

/// Figures of an event of the store that has this name, which are the node's; without one they are announced empty.
pub fn event(event: &Json, store: Option<u64>) -> Vec<Figure> {
    let text = |key: &str| Value::Text(event[key].as_str().map(str::to_owned));
    let number = |key: &str| Value::Number(event[key].as_f64());
    let of_context = |key: &str| Value::Text(event["context"][key].as_str().map(str::to_owned));
    vec![
        Figure::new("Event/Number", Value::Count(event["seq"].as_u64())),
        Figure::new("Event/Store", Value::Count(store)),
        Figure::new("Event/Source", text("source")),
        Figure::new("Event/Bus", text("bus")),
        Figure::new("Event/Channel", text("channel")),
        Figure::new("Event/State", text("state")),
        Figure::new("Event/Severity", text("severity")),
        Figure::new("Event/Measured", number("measured")),
        Figure::new("Event/Predicted", number("predicted")),
        Figure::new("Event/Unit", text("unit")),
        Figure::new("Event/Cause", text("cause")),
        Figure::new("Event/Action", text("action")),
        Figure::new("Event/Asset", text("asset_id")),
        Figure::new("Event/Recipe", of_context("recipe")),
        Figure::new("Event/Part", of_context("part")),
        Figure::new("Event/Tool", of_context("tool")),
        Figure::new("Event/Load", of_context("load")),
        Figure::new("Event/Temperature", of_context("temperature")),
        Figure::new(
            "Event/JSON",
            Value::Text(event.is_object().then(|| event.to_string())),
        ),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_changes_of_numbers_are_not_told_and_all_others_are() {
        let number = |value| Value::Number(value);
        assert!(!number(Some(1.0)).differs(&number(Some(1.01)), 0.02));
        assert!(number(Some(1.0)).differs(&number(Some(1.03)), 0.02));
        assert!(number(None).differs(&number(Some(1.0)), 10.0));
        assert!(!number(None).differs(&number(None), 0.0));
        assert!(Value::Flag(Some(true)).differs(&Value::Flag(Some(false)), 1.0));
        assert!(Value::Count(Some(2)).differs(&Value::Count(Some(1)), 1.0));
    }

    #[test]
    fn of_several_buses_devices_have_the_bus_and_of_one_they_have_none() {
        let two = crate::gateway::buses::tests::two();
        let ids = |status: &StatusLine| -> Vec<String> {
            let all = devices(status, &Deadband::default());
            all.into_iter().map(|device| device.id).collect()
        };
        let all = ids(&two);
        assert_eq!(all[..2], ["front", "front.infeed"]);
        assert_eq!(all.last().unwrap(), "rear.r-gripper");
        let mut one = two.buses[0].clone();
        one.bus_name = None;
        assert_eq!(ids(&one)[0], "infeed");
        let overruns = |status: &StatusLine| {
            let figures = node(Some(status));
            let found = figures.iter().find(|f| f.name == "Cycle/Overruns");
            found.unwrap().value.clone()
        };
        assert_eq!(overruns(&one), Value::Count(Some(1)));
        assert_eq!(overruns(&two), Value::Count(Some(8)));
    }
}
