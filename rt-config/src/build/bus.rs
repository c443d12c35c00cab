//! The bus: which SubDevices in which order, and what process data they carry.

mod second;
mod terminal;
mod tree;

use super::{Whole, pubsub, text};
use crate::check::{Check, listed};
use crate::machine::{Bus, ImageOrder, MAX_SUBDEVICES, Overrun, PdoEntry, SubDevice, Tap};
use crate::objects::{self, MAX_ENTRIES};
use crate::raw::{BusTable, File};
use crate::value::At;

/// Identity of the simulated SubDevices: no vendor's own, "TWIN" in ASCII.
pub const SIMULATED_VENDOR_ID: u32 = 0x5457_494e;
/// Product code of a simulated drive.
pub const SIMULATED_DRIVE: u32 = 0x0000_0402;
/// Product code of a simulated I/O station.
pub const SIMULATED_STATION: u32 = 0x0000_0401;

/// What the tables of an axis, press or station say about its SubDevice.
struct Device<'a> {
    name: &'a At<String>,
    drive: bool,
    ids: Ids<'a>,
    outputs: Option<&'a At<Vec<At<String>>>>,
    inputs: Option<&'a At<Vec<At<String>>>>,
    /// Modes of the steps of its program, where they say one.
    modes: Vec<&'a At<String>>,
}

/// What tells a SubDevice from another.
struct Ids<'a> {
    vendor_id: Option<&'a At<u32>>,
    product_code: Option<&'a At<u32>>,
}

pub(super) fn bus(file: &File, whole: &Whole, period_ns: u64, check: &mut Check) -> Bus {
    let none = BusTable::default();
    let raw = file.bus.as_ref().unwrap_or(&none);
    let devices = devices(file);
    check.at_most(
        &file.machine.name.span,
        "SubDevices on one bus",
        devices.len() + raw.subdevice.iter().filter(|one| one.is_its_own()).count(),
        MAX_SUBDEVICES,
    );
    let interface = (raw.interface.as_ref()).map(|name| interface("interface", name, check));
    let is_tsn = raw.kind.as_ref().is_some_and(|kind| kind.value == "tsn");
    let tap = tap(raw, check);
    let frame_shift_ns = raw.frame_shift.as_ref().map_or(period_ns / 4, |shift| {
        // A period that has a problem of its own is 0 here and says nothing about the shift.
        let longest = period_ns.checked_sub(1).unwrap_or(u64::MAX);
        check.nanoseconds("frame_shift", shift, (0, longest))
    });
    let mut built: Vec<SubDevice> = devices
        .iter()
        .map(|device| subdevice(device, whole, check))
        .collect();
    terminal::add(raw, whole, &mut built, check);
    second::join(&raw.subdevice, &devices, &mut built, check);
    let mut subdevices = match &raw.subdevices {
        // The order of names that have problems of their own says nothing.
        Some(order) if whole.named => ordered(order, &built, check),
        _ => built,
    };
    if whole.named {
        tree::place(&raw.subdevice, &mut subdevices, check);
    }
    let pubsub = pubsub::subscribed(raw, is_tsn, &subdevices, check);
    let mut bus = Bus {
        interface,
        redundant_interface: None,
        subdevices,
        frame_shift_ns,
        overrun: overrun(raw, tap.is_some() || is_tsn, check),
        tap,
        pubsub,
    };
    bus.redundant_interface = redundant(raw, &bus, check);
    bus
}

/// The second interface of a ring.
fn redundant(raw: &BusTable, bus: &Bus, check: &mut Check) -> Option<String> {
    let name = raw.redundant_interface.as_ref()?;
    let second = interface("redundant_interface", name, check);
    let (problem, remedy) = if bus.interface.is_none()
        || raw.kind.as_ref().is_some_and(|k| k.value == "tap")
    {
        (
            "`redundant_interface` is the second interface of a MainDevice, and there is no first"
                .to_owned(),
            "name the first one as `interface`; a tap has none",
        )
    } else if bus.interface.as_ref() == Some(&second) {
        (
            "`redundant_interface` is the first interface itself".to_owned(),
            "name the interface that the cable from the last SubDevice is plugged into",
        )
    } else if let Some(one) = bus.at_port_c() {
        (
            format!(
                "with `redundant_interface` frames go on at port B and never come back to port C, where \"{}\" hangs",
                one.name
            ),
            "hang branches at port D",
        )
    } else {
        return Some(second);
    };
    check.problem(&name.span, problem, "no ring", remedy);
    None
}

pub(super) fn interface(key: &str, name: &At<String>, check: &mut Check) -> String {
    // IFNAMSIZ is 16 with its final 0.
    let wrong = |c: char| c == '/' || c.is_whitespace() || c.is_control();
    if name.value.is_empty() || name.value.len() > 15 || name.value.contains(wrong) {
        check.problem(
            &name.span,
            format!("`{key}` is no name of a network interface"),
            "1 to 15 bytes without spaces or slashes",
            "`ip link` lists the interfaces of this computer",
        );
    }
    text(key, name, check)
}

/// What an overrun leads to.
fn overrun(raw: &BusTable, listens: bool, check: &mut Check) -> Overrun {
    let Some(raw) = &raw.overrun else {
        return Overrun::Skip;
    };
    match raw.value.as_str() {
        "skip" => Overrun::Skip,
        "stop" if listens => {
            check.problem(
                &raw.span,
                "who only listens cannot stop the machine",
                "not with a tap, nor where data sets are subscribed to",
                "leave `overrun` out: the machine is another controller's",
            );
            Overrun::Skip
        }
        "stop" => Overrun::Stop,
        _ => {
            check.problem(
                &raw.span,
                "this answer to an overrun is not known",
                "not known",
                "write \"skip\", which leaves out the starts that have passed, or \"stop\", which stops the machine",
            );
            Overrun::Skip
        }
    }
}

/// How the bus is listened to; none where twinstep is its MainDevice.
fn tap(raw: &BusTable, check: &mut Check) -> Option<Tap> {
    let is_tap = match raw.kind.as_ref().map(|kind| (kind, kind.value.as_str())) {
        None | Some((_, "main_device" | "tsn")) => false,
        Some((_, "tap")) => true,
        Some((kind, _)) => {
            check.problem(
                &kind.span,
                "this kind of bus is not known",
                "not known",
                "write \"main_device\", where twinstep sends the frames, \"tap\", where it only listens, or \"tsn\", \
                 where the devices publish",
            );
            return None;
        }
    };
    let only = [
        ("returned_interface", &raw.returned_interface),
        ("order", &raw.order),
    ];
    for (key, value) in only {
        if let (Some(value), false) = (value, is_tap) {
            check.problem(
                &value.span,
                format!("`{key}` is of a tap, and this bus is none"),
                "not used",
                "add kind = \"tap\" to [bus], or leave the key out",
            );
        }
    }
    let order = raw.order.as_ref().and_then(|order| {
        let known = match order.value.as_str() {
            "inputs_first" => Some(ImageOrder::InputsFirst),
            "outputs_first" => Some(ImageOrder::OutputsFirst),
            _ => None,
        };
        if known.is_none() {
            check.problem(
                &order.span,
                "this order of the process image is not known",
                "not known",
                "write \"inputs_first\" (ethercrab, twinstep) or \"outputs_first\" (SOEM, IgH)",
            );
        }
        known
    });
    let returned = raw.returned_interface.as_ref();
    let returned_interface = returned.map(|name| interface("returned_interface", name, check));
    is_tap.then_some(Tap {
        returned_interface,
        order,
    })
}

/// Axes, presses and stations in the order of the file.
fn devices(file: &File) -> Vec<Device<'_>> {
    let drives = file.axis.iter().map(|axis| {
        let steps = axis.motion.iter().flat_map(|motion| &motion.program);
        let modes = steps.filter_map(|step| step.value.mode.as_ref()).collect();
        (&axis.name, axis.drive.as_ref(), modes)
    });
    let presses = file
        .press
        .iter()
        .map(|press| (&press.name, press.drive.as_ref(), Vec::new()));
    let mut devices: Vec<Device<'_>> = drives
        .chain(presses)
        .map(|(name, drive, modes)| Device {
            name,
            modes,
            drive: true,
            ids: Ids {
                vendor_id: drive.and_then(|drive| drive.vendor_id.as_ref()),
                product_code: drive.and_then(|drive| drive.product_code.as_ref()),
            },
            outputs: drive.and_then(|drive| drive.outputs.as_ref()),
            inputs: drive.and_then(|drive| drive.inputs.as_ref()),
        })
        .collect();
    devices.extend(file.station.iter().map(|station| Device {
        name: &station.name,
        modes: Vec::new(),
        drive: false,
        ids: Ids {
            vendor_id: station.vendor_id.as_ref(),
            product_code: station.product_code.as_ref(),
        },
        outputs: station.outputs.as_ref(),
        inputs: station.inputs.as_ref(),
    }));
    devices
}

fn subdevice(device: &Device<'_>, whole: &Whole, check: &mut Check) -> SubDevice {
    let (table, product_code, outputs, inputs): (_, _, &[PdoEntry], &[PdoEntry]) = if device.drive {
        (
            "its drive",
            SIMULATED_DRIVE,
            &objects::DRIVE_OUTPUTS,
            &objects::DRIVE_INPUTS,
        )
    } else {
        (
            "[[station]]",
            SIMULATED_STATION,
            &objects::STATION_OUTPUTS,
            &objects::STATION_INPUTS,
        )
    };
    let (vendor_id, product_code) = identify(
        device.name,
        &device.ids,
        (product_code, table),
        whole,
        check,
    );
    let needed: (&[u16], &[u16]) = if device.drive {
        (&[0x6040, 0x607a], &[0x6041, 0x6064])
    } else {
        (&[], &[])
    };
    let sent = entries("outputs", device.outputs, outputs, needed.0, check);
    carries_modes(device, &sent, check);
    SubDevice {
        name: device.name.value.clone(),
        vendor_id,
        product_code,
        outputs: sent,
        inputs: entries("inputs", device.inputs, inputs, needed.1, check),
        ..SubDevice::default()
    }
}

/// Vendor id and product code, those of a simulated SubDevice where they are not given; on a real interface they are needed.
fn identify(
    name: &At<String>,
    ids: &Ids<'_>,
    (simulated, table): (u32, &str),
    whole: &Whole,
    check: &mut Check,
) -> (u32, u32) {
    let absent: Vec<&str> = [
        ("vendor_id", ids.vendor_id),
        ("product_code", ids.product_code),
    ]
    .iter()
    .filter(|(_, value)| value.is_none())
    .map(|(key, _)| *key)
    .collect();
    if whole.real && !absent.is_empty() {
        let keys = absent.join(" and ");
        check.problem(
            &name.span,
            format!(
                "{} is on a real interface and has no {keys}: nothing tells it from another SubDevice",
                crate::error::shortened(&name.value)
            ),
            format!("{keys} missing"),
            format!("add {keys} to {table} as the SII of the device or its ESI file states them"),
        );
    }
    (
        ids.vendor_id.map_or(SIMULATED_VENDOR_ID, |id| id.value),
        ids.product_code.map_or(simulated, |code| code.value),
    )
}

/// A step in another mode needs that mode and its target among the outputs.
fn carries_modes(device: &Device<'_>, outputs: &[PdoEntry], check: &mut Check) {
    let mut told: Vec<u16> = Vec::new();
    for mode in &device.modes {
        let target = match mode.value.as_str() {
            "csv" => 0x60ff,
            "cst" => 0x6071,
            // Others are told where steps are built.
            _ => continue,
        };
        for index in [0x6060, target] {
            if told.contains(&index) || outputs.iter().any(|entry| entry.index == index) {
                continue;
            }
            told.push(index);
            check.problem(
                &mode.span,
                format!(
                    "{} has steps in {}, and its outputs do not carry 0x{index:04X}",
                    crate::error::shortened(&device.name.value),
                    mode.value
                ),
                format!("needs 0x{index:04X}"),
                format!("list `outputs` in its drive, with \"0x{index:04X}\" among them"),
            );
        }
    }
}

fn entries(
    key: &str,
    raw: Option<&At<Vec<At<String>>>>,
    default: &[PdoEntry],
    needed: &[u16],
    check: &mut Check,
) -> Vec<PdoEntry> {
    let Some(raw) = raw else {
        return default.to_vec();
    };
    check.at_most(&raw.span, "objects", raw.value.len(), MAX_ENTRIES);
    let mut list: Vec<PdoEntry> = Vec::new();
    let mut complete = true;
    for text in &raw.value {
        let wrong = match objects::parse(&text.value) {
            Ok(entry)
                if list.iter().any(|other| {
                    (other.index, other.subindex) == (entry.index, entry.subindex)
                }) =>
            {
                "it is in the list already".to_owned()
            }
            Ok(entry) => {
                list.push(entry);
                continue;
            }
            Err(wrong) => wrong,
        };
        complete = false;
        check.problem(
            &text.span,
            format!(
                "\"{}\" cannot be among the {key}: {wrong}",
                crate::error::shortened(&text.value)
            ),
            "not possible",
            "write \"0x607A\" for a CiA 402 object, or index, subindex and bits: \"0x7000:01/8\"",
        );
    }
    for index in needed {
        if complete && !list.iter().any(|entry| entry.index == *index) {
            let name = objects::KNOWN
                .iter()
                .find(|known| known.0 == *index)
                .map_or("", |known| known.3);
            check.problem(
                &raw.span,
                format!("the {key} of a drive need the {name} 0x{index:04X}"),
                format!("0x{index:04X} is missing"),
                format!("add \"0x{index:04X}\" to {key}"),
            );
        }
    }
    list
}

/// The SubDevices in the order that the configuration states.
fn ordered(order: &At<Vec<At<String>>>, built: &[SubDevice], check: &mut Check) -> Vec<SubDevice> {
    let names: Vec<&str> = built.iter().map(|device| device.name.as_str()).collect();
    check.unique("SubDevices on the wire", order.value.iter());
    let mut subdevices = Vec::new();
    for name in &order.value {
        match built.iter().find(|device| device.name == name.value) {
            Some(device) => subdevices.push(device.clone()),
            None => check.unknown("axis, press, station or [[bus.subdevice]]", name, &names),
        }
    }
    let absent: Vec<&str> = names
        .iter()
        .copied()
        .filter(|name| !order.value.iter().any(|listed| listed.value == *name))
        .collect();
    if !absent.is_empty() {
        check.problem(
            &order.span,
            format!("`subdevices` leaves out {}", listed(&absent)),
            "not complete",
            "list all of them in the order of the wire, or leave `subdevices` out",
        );
    }
    subdevices
}
