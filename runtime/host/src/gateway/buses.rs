//! The buses of a machine, as the sinks tell them apart.
//!
//! Whatever hangs on a bus is named with it where the machine has several, whether they run together or one of them alone. A machine with
//! one bus has no name for it, and every name is as if there were no such thing.

use super::desk::Buses;
use crate::control::status::StatusLine;
use serde_json::Value;

/// The status of each bus: the status itself where there is one.
pub fn each(status: &StatusLine) -> &[StatusLine] {
    if status.buses.is_empty() {
        std::slice::from_ref(status)
    } else {
        &status.buses
    }
}

/// The same of a status in JSON.
pub fn each_json(status: &Value) -> &[Value] {
    match status["buses"].as_array() {
        Some(buses) if !buses.is_empty() => buses,
        _ => std::slice::from_ref(status),
    }
}

/// The buses of this status, and which of them have `source`: one of their axes, presses or stations, the bus itself or its controller.
pub fn with(status: &StatusLine, source: &str) -> Buses {
    let named = each(status).iter().filter_map(|bus| {
        let name = bus.bus_name.as_deref()?;
        let controller = source.strip_prefix(name) == Some(".controller");
        let has = source == name
            || controller
            || bus.axes.iter().any(|axis| axis.name == source)
            || bus.stations.iter().any(|station| station.name == source);
        Some((name.to_owned(), has))
    });
    let named: Vec<_> = named.collect();
    if named.is_empty() {
        Buses::One
    } else {
        Buses::Several(named)
    }
}

/// `machine`, or `machine, bus`: what an action is done to.
pub fn title(machine: &str, bus: Option<&str>) -> String {
    bus.map_or_else(|| machine.to_owned(), |bus| format!("{machine}, {bus}"))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::top::tests::example::status;

    /// A machine of two buses, `front` and `rear`.
    pub fn two() -> StatusLine {
        let mut rear = *status();
        rear.bus_name = Some("rear".to_owned());
        rear.overruns.count = 7;
        rear.cycle *= 2;
        for axis in &mut rear.axes {
            axis.name.insert_str(0, "r-");
        }
        for station in &mut rear.stations {
            station.name.insert_str(0, "r-");
        }
        let mut whole = *status();
        whole.bus_name = Some("front".to_owned());
        let front = whole.clone();
        whole.buses = vec![front, rear];
        whole
    }

    #[test]
    fn one_bus_is_itself_and_several_are_listed() {
        let one = *status();
        assert_eq!(each(&one).len(), 1);
        let two = two();
        let names: Vec<_> = (each(&two).iter())
            .map(|bus| bus.bus_name.as_deref())
            .collect();
        assert_eq!(names, [Some("front"), Some("rear")]);
        let json = serde_json::to_value(&two).unwrap();
        assert_eq!(each_json(&json)[1]["bus_name"], "rear");
        assert_eq!(each_json(&Value::Null).len(), 1);
        assert_eq!(title("cell", Some("rear")), "cell, rear");
        assert_eq!(with(&one, "lift"), Buses::One);
        let axis = &two.buses[1].axes[0].name;
        for (source, has) in [
            (axis.as_str(), [false, true]),
            ("front", [true, false]),
            ("rear.controller", [false, true]),
            ("scribe", [false, false]),
        ] {
            let has = ["front", "rear"].map(str::to_owned).into_iter().zip(has);
            assert_eq!(
                with(&two, source),
                Buses::Several(has.collect()),
                "{source}"
            );
        }
    }
}
