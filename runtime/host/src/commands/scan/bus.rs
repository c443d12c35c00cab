//! Who is on a bus, how they hang together, what they count and map; and a configuration to begin with.

use super::skeleton;
use crate::error::{Exit, HostError};
use crate::output::Output;
use crate::realtime::claim_bus;
use serde::Serialize;
use std::fmt::Write as _;
use std::path::Path;
use twinstep_config::machine::PdoEntry;
use twinstep_drivers::ethercat::al_status::{meaning, state_name};
use twinstep_drivers::ethercat::scan::{ErrorCounters, Found, scan};
use twinstep_drivers::link::raw_socket::RawSocket;

/// One SubDevice.
#[derive(Serialize)]
struct SubDeviceLine<'a> {
    r#type: &'static str,
    position: usize,
    /// Position of the SubDevice that it hangs at.
    parent: Option<usize>,
    name: &'a str,
    order: &'a str,
    address: u16,
    alias: u16,
    vendor_id: u32,
    product_code: u32,
    revision: u32,
    serial: u32,
    al_state: &'static str,
    al_error: bool,
    al_code: u16,
    /// Ports A to D with a link.
    links: [bool; 4],
    distributed_clock: bool,
    coe: bool,
    eeprom_error: bool,
    errors: ErrorsLine,
    outputs: Vec<String>,
    inputs: Vec<String>,
}

/// Error counters of the ports A to D.
#[derive(Serialize)]
struct ErrorsLine {
    invalid_frames: [u8; 4],
    receive_errors: [u8; 4],
    forwarded: [u8; 4],
    lost_links: [u8; 4],
}

/// The last line.
#[derive(Serialize)]
struct SummaryLine {
    r#type: &'static str,
    subdevices: usize,
    written: Option<String>,
}

/// Runs the command.
///
/// # Errors
/// [`HostError`]: an interface that cannot be had, a bus that does not answer, a file that cannot be written.
pub fn run(interface: &str, write: Option<&Path>, output: &Output) -> Result<Exit, HostError> {
    // Whoever runs the bus would lose it to the scan.
    let _claim = claim_bus(interface)?;
    let socket = RawSocket::open(interface).map_err(|error| {
        HostError::machine(
            error.to_string(),
            "name an interface that `ip link` lists and that is up; see README.md, \"A real bus\"",
        )
    })?;
    let found = scan(socket).map_err(|error| {
        HostError::machine(
            error.to_string(),
            "a bus that another controller runs cannot be scanned; see its cables and power",
        )
    })?;
    for one in &found {
        if output.json() {
            output.json_line(&line(one));
        } else {
            output.line(&text(one));
        }
    }
    if let Some(path) = write {
        let skeleton = skeleton::of(&found, interface);
        // What exists is somebody's work.
        let written = std::fs::File::create_new(path)
            .and_then(|mut file| std::io::Write::write_all(&mut file, skeleton.as_bytes()));
        written.map_err(|error| {
            HostError::usage(
                format!("cannot write {}: {error}", path.display()),
                "name a file that does not exist, in a folder that this user may write to",
            )
        })?;
    }
    let summary = SummaryLine {
        r#type: "summary",
        subdevices: found.len(),
        written: write.map(|path| path.display().to_string()),
    };
    if output.json() {
        output.json_line(&summary);
    } else {
        output.line(&format!("{} SubDevices", found.len()));
    }
    Ok(Exit::Fine)
}

/// An entry as the configuration writes it.
pub(super) fn entry(entry: &PdoEntry) -> String {
    format!(
        "0x{:04X}:{:02X}/{}",
        entry.index, entry.subindex, entry.bits
    )
}

fn line(found: &Found) -> SubDeviceLine<'_> {
    let ErrorCounters {
        invalid_frames,
        receive_errors,
        forwarded,
        lost_links,
    } = found.errors;
    SubDeviceLine {
        r#type: "subdevice",
        position: found.position,
        parent: found.parent,
        name: &found.name,
        order: &found.order,
        address: found.address,
        alias: found.alias,
        vendor_id: found.vendor_id,
        product_code: found.product_code,
        revision: found.revision,
        serial: found.serial,
        al_state: state_name(found.al_status),
        al_error: found.al_status & 0x10 != 0,
        al_code: found.al_code,
        links: found.links,
        distributed_clock: found.has_clock,
        coe: found.coe,
        eeprom_error: found.eeprom_error,
        errors: ErrorsLine {
            invalid_frames,
            receive_errors,
            forwarded,
            lost_links,
        },
        outputs: found.outputs.iter().map(entry).collect(),
        inputs: found.inputs.iter().map(entry).collect(),
    }
}

fn text(found: &Found) -> String {
    let ports: String = (found.links.iter().zip('A'..='D'))
        .filter_map(|(link, name)| link.then_some(name))
        .collect();
    let at = found
        .parent
        .map_or_else(|| "the computer".to_owned(), |parent| parent.to_string());
    let mut text = format!(
        "{:>3} {} ({}) at {at}, ports {ports}\n    vendor 0x{:08x} product 0x{:08x} revision 0x{:08x} serial {}\n    {}",
        found.position,
        found.order,
        found.name,
        found.vendor_id,
        found.product_code,
        found.revision,
        found.serial,
        state_name(found.al_status),
    );
    // Writing to a String cannot fail.
    if found.al_status & 0x10 != 0 {
        let _ = write!(
            text,
            " with an error: AL status code 0x{:04x}, {}",
            found.al_code,
            meaning(found.al_code)
        );
    }
    if found.eeprom_error {
        text.push_str(", EEPROM with a wrong checksum");
    }
    if found.errors != ErrorCounters::default() {
        let e = &found.errors;
        let _ = write!(
            text,
            "\n    ports A to D: invalid frames {:?}, receive errors {:?}, passed on {:?}, lost links {:?}",
            e.invalid_frames, e.receive_errors, e.forwarded, e.lost_links
        );
    }
    for (word, entries) in [("outputs", &found.outputs), ("inputs", &found.inputs)] {
        let list: Vec<_> = entries.iter().map(entry).collect();
        let _ = write!(text, "\n    {word} {}", list.join(" "));
    }
    text
}
