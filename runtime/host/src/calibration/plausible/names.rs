//! What the messages call a column: as the table has it, or the object of the bus as the header of a recording of ours does.

use super::axis_of;
use twinstep_config::machine::{Machine, Station};

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Target position.
    Reference,
    /// Position.
    Position,
    /// Velocity.
    Velocity,
    /// Current, or what stands for it.
    Current,
    /// Statusword; a table from elsewhere has none.
    State,
}

/// The column or object that holds `kind` of axis or press `n`.
pub fn column_name(machine: &Machine, n: usize, kind: Kind) -> String {
    let axis = axis_of(machine, n);
    let name = axis.map_or("", |axis| axis.name.as_str());
    let map = machine.recording.as_ref();
    let mapped = map.and_then(|map| map.axes.iter().find(|a| a.axis == name));
    if let Some(columns) = mapped {
        let column = match kind {
            Kind::Reference => columns.reference.as_ref(),
            Kind::Position | Kind::State => Some(&columns.position),
            Kind::Velocity => columns.velocity.as_ref(),
            Kind::Current => Some(&columns.current),
        };
        // A velocity that is not mapped is derived from the position.
        return column.unwrap_or(&columns.position).name.clone();
    }
    let object = match kind {
        Kind::Reference => "0x607a",
        Kind::Position => "0x6064",
        Kind::Velocity => "0x606c",
        Kind::Current => "0x6077",
        Kind::State => "0x6041",
    };
    format!("{name}.{object}")
}

/// The column or object that holds the pressure of a station; none where a table has none.
pub fn station_column(machine: &Machine, station: &Station) -> Option<String> {
    if let Some(map) = &machine.recording {
        let mut stations = map.stations.iter();
        let columns = stations.find(|columns| columns.station == station.name)?;
        return Some(columns.pressure.name.clone());
    }
    let subdevices = &machine.bus.as_ref()?.subdevices;
    let device = (subdevices.iter()).find(|device| device.name == station.name)?;
    let entry = (device.inputs.iter())
        .find(|entry| (0x6000..0x6400).contains(&entry.index) && entry.bits >= 16)?;
    let (name, index, subindex) = (&station.name, entry.index, entry.subindex);
    Some(if subindex == 0 {
        format!("{name}.0x{index:04x}")
    } else {
        format!("{name}.0x{index:04x}:{subindex:02x}")
    })
}
