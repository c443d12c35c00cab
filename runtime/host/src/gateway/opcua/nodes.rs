//! Names of nodes: texts that stay the same over restarts, so that clients may keep them.

use crate::lines::EventRecord;
use opcua::types::NodeId;
use std::collections::{BTreeMap, BTreeSet};

/// The namespace of everything that is ours.
pub const NAMESPACE: &str = "urn:twinstep:gateway";

/// Names of nodes of one machine.
#[derive(Clone, Debug)]
pub struct Nodes {
    namespace: u16,
    /// Axes and presses.
    pub axes: BTreeSet<String>,
    /// Stations.
    pub stations: BTreeSet<String>,
    /// The bus that each of them is on, where the machine has several.
    pub on: BTreeMap<String, String>,
}

impl Nodes {
    /// Of a machine without axes and stations, in the namespace with this index.
    pub const fn new(namespace: u16) -> Self {
        Self {
            namespace,
            axes: BTreeSet::new(),
            stations: BTreeSet::new(),
            on: BTreeMap::new(),
        }
    }

    /// Index of the namespace.
    pub const fn namespace(&self) -> u16 {
        self.namespace
    }

    /// The node at this path.
    pub fn at(&self, path: &str) -> NodeId {
        NodeId::new(self.namespace, path.to_owned())
    }

    /// The folder of machines.
    pub fn machines(&self) -> NodeId {
        self.at("Machines")
    }

    /// The machine.
    pub fn machine(&self) -> NodeId {
        self.at("Machine")
    }

    /// The folder of its alarms.
    pub fn alarms(&self) -> NodeId {
        self.at("Machine/Alarms")
    }

    /// `TwinDeviationAlarmType`.
    pub fn event_type(&self) -> NodeId {
        self.at("TwinDeviationAlarmType")
    }

    /// Path of what is on a bus: of the machine itself where it has one.
    pub fn root(bus: Option<&str>) -> String {
        bus.map_or_else(
            || "Machine".to_owned(),
            |bus| format!("Machine/Buses/{bus}"),
        )
    }

    /// An axis, press or station.
    pub fn component(&self, name: &str) -> NodeId {
        let root = Self::root(self.on.get(name).map(String::as_str));
        self.at(&format!("{root}/Components/{name}"))
    }

    /// One of its variables.
    pub fn variable(&self, component: &str, name: &str) -> NodeId {
        let root = Self::root(self.on.get(component).map(String::as_str));
        self.at(&format!("{root}/Components/{component}/{name}"))
    }

    /// A condition.
    pub fn condition(&self, name: &str) -> NodeId {
        self.at(&format!("Machine/Alarms/{name}"))
    }

    /// Where events of this source come from: a component, one of several buses, or the machine.
    pub fn source(&self, name: &str) -> NodeId {
        if self.axes.contains(name) || self.stations.contains(name) {
            self.component(name)
        } else if self.on.values().any(|bus| bus == name) {
            self.at(&Self::root(Some(name)))
        } else {
            self.machine()
        }
    }

    /// The variables of what is measured and predicted on the channel of `event`; null nodes where there are none.
    pub fn of_channel(&self, event: &EventRecord) -> (NodeId, NodeId) {
        let source = event.source.as_str();
        let quantity = match event.channel.as_ref() {
            "position_next" | "drift" if self.axes.contains(source) => "Position",
            "velocity_next" if self.axes.contains(source) => "Velocity",
            "current_next" | "current_load" | "disturbance" | "ripple"
                if self.axes.contains(source) =>
            {
                "Current"
            }
            "pressure_next" if self.stations.contains(source) => "Pressure",
            _ => return (NodeId::null(), NodeId::null()),
        };
        (
            self.variable(source, &format!("Actual{quantity}")),
            self.variable(source, &format!("Predicted{quantity}")),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_on_one_of_several_buses_stands_below_it() {
        let mut nodes = Nodes::new(2);
        nodes.axes.insert("pusher".to_owned());
        assert_eq!(
            nodes.source("pusher"),
            nodes.at("Machine/Components/pusher")
        );
        assert_eq!(nodes.source("rear"), nodes.machine());
        nodes.on.insert("pusher".to_owned(), "rear".to_owned());
        assert_eq!(
            nodes.variable("pusher", "Regime"),
            nodes.at("Machine/Buses/rear/Components/pusher/Regime")
        );
        assert_eq!(nodes.source("rear"), nodes.at("Machine/Buses/rear"));
    }
}
