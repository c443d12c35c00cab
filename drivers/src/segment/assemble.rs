//! From the configuration to SubDevices: which firmware stands behind which name.

use super::application::Application;
use super::cia402::Drive;
use super::description::bytes;
use super::device::MAX_PROCESS_DATA;
use super::images::{self, ImageError};
use super::io_station::IoStation;
use super::terminal::Terminal;
use super::{Description, Identity};
use twinstep_config::machine::{Behind, Bus, Machine, SubDevice};

/// Why a segment cannot be built.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SegmentError {
    /// The machine has no bus.
    NoBus,
    /// A SubDevice carries the name of no axis, press or station.
    UnknownName(String),
    /// A SubDevice hangs at a port that the other one does not have.
    NoPort {
        /// The SubDevice.
        name: String,
        /// The one that it hangs at.
        behind: String,
        /// The port: 1 (B), 2 (C) or 3 (D).
        port: u8,
    },
    /// The EEPROM image of a SubDevice cannot be used.
    Image {
        /// The SubDevice.
        name: String,
        /// The file.
        path: String,
        /// Why.
        why: ImageError,
    },
    /// More process data than a simulated SubDevice has room for.
    ProcessData {
        /// The SubDevice.
        name: String,
        /// Its outputs or inputs (bytes).
        bytes: usize,
    },
}

impl core::fmt::Display for SegmentError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::NoBus => write!(f, "the machine has no bus to simulate"),
            Self::UnknownName(name) => write!(
                f,
                "SubDevice '{name}' is named like no axis, press or station of the machine"
            ),
            Self::NoPort { name, behind, port } => {
                let letter = char::from(b'A' + port);
                write!(
                    f,
                    "SubDevice '{name}' hangs at port {letter} of '{behind}', which has no such port: name another port, or the order in `subdevices`"
                )
            }
            Self::Image { name, path, why } => {
                write!(f, "SubDevice '{name}', EEPROM image {path}: {why}")
            }
            Self::ProcessData { name, bytes } => write!(
                f,
                "SubDevice '{name}' has {bytes} bytes of process data in one direction, at most {MAX_PROCESS_DATA} are simulated"
            ),
        }
    }
}

impl std::error::Error for SegmentError {}

/// One SubDevice to be: what it is and its firmware.
pub(super) type Part = (Description, Box<dyn Application>);

/// The SubDevices of a machine's bus, in the order of the wire.
pub(super) fn parts(machine: &Machine) -> Result<Vec<Part>, SegmentError> {
    let bus = machine.bus.as_ref().ok_or(SegmentError::NoBus)?;
    let parts: Vec<Part> = bus
        .subdevices
        .iter()
        .enumerate()
        .zip(1..)
        .map(|((place, subdevice), serial)| {
            if let Some(file) = &subdevice.sii {
                let description = images::description(file).map_err(|why| SegmentError::Image {
                    name: subdevice.name.clone(),
                    path: file.path.clone(),
                    why,
                })?;
                let terminal = Terminal::new(machine, place);
                return Ok((description, Box::new(terminal) as Box<dyn Application>));
            }
            for entries in [&subdevice.outputs, &subdevice.inputs] {
                let bytes = bytes(entries);
                if bytes > MAX_PROCESS_DATA || entries.len() > usize::from(u8::MAX) {
                    return Err(SegmentError::ProcessData {
                        name: subdevice.name.clone(),
                        bytes,
                    });
                }
            }
            let application: Box<dyn Application> = if subdevice.terminal {
                Box::new(Terminal::new(machine, place))
            } else {
                application(machine, &subdevice.name)?
            };
            Ok((describe(subdevice, serial), application))
        })
        .collect::<Result<_, _>>()?;
    check_ports(bus, &parts)?;
    Ok(parts)
}

/// Every SubDevice hangs at a port that there is.
fn check_ports(bus: &Bus, parts: &[Part]) -> Result<(), SegmentError> {
    for (at, subdevice) in bus.subdevices.iter().enumerate().skip(1) {
        let Behind {
            subdevice: parent,
            port,
        } = subdevice.behind.unwrap_or(Behind {
            subdevice: at - 1,
            port: 1,
        });
        let physics = parts
            .get(parent)
            .and_then(|(description, _)| description.controller.ports.get(usize::from(port)));
        if physics.is_none_or(|&physics| physics == 0) {
            let behind = bus.subdevices.get(parent);
            return Err(SegmentError::NoPort {
                name: subdevice.name.clone(),
                behind: behind.map(|one| one.name.clone()).unwrap_or_default(),
                port: port.min(3),
            });
        }
    }
    Ok(())
}

fn describe(subdevice: &SubDevice, serial: u32) -> Description {
    let identity = Identity {
        vendor_id: subdevice.vendor_id,
        product_code: subdevice.product_code,
        revision: 0x0001_0000,
        serial,
    };
    let (outputs, inputs) = (subdevice.outputs.clone(), subdevice.inputs.clone());
    Description::new(&subdevice.name, identity, outputs, inputs)
}

fn application(machine: &Machine, name: &str) -> Result<Box<dyn Application>, SegmentError> {
    let axes = machine
        .axes
        .iter()
        .chain(machine.presses.iter().map(|press| &press.axis));
    if let Some(index) = axes.clone().position(|axis| axis.name == name) {
        return Ok(Box::new(Drive::new(index, machine)));
    }
    if let Some(index) = machine
        .stations
        .iter()
        .position(|station| station.name == name)
    {
        return Ok(Box::new(IoStation::new(index, machine)));
    }
    Err(SegmentError::UnknownName(name.to_owned()))
}
