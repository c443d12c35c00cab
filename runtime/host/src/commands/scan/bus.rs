//! Who is on a bus, how they hang together, what they count and map; and a configuration to begin with.

use super::skeleton;
use crate::cli::ScanArgs;
use crate::commands::vacant;
use crate::error::{Exit, HostError};
use crate::output::Output;
use crate::realtime::claim_bus;
use serde::Serialize;
use std::fmt::Write as _;
use std::path::Path;
use twinstep_config::machine::PdoEntry;
use twinstep_drivers::ethercat::al_status::{meaning, state_name};
use twinstep_drivers::ethercat::scan::{
    Depth, ErrorCounters, Found, Ring, ScanError, scan, scan_ring,
};
use twinstep_drivers::link::LinkError;
use twinstep_drivers::link::raw_socket::{RawPair, RawSocket};

/// One SubDevice.
#[derive(Serialize)]
struct SubDeviceLine<'a> {
    r#type: &'static str,
    position: usize,
    /// Position of the SubDevice that it hangs at, and its port.
    parent: Option<usize>,
    parent_port: Option<char>,
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
    /// The process data were told by CoE, else by the SII.
    by_coe: bool,
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
    /// With two interfaces: whether frames go round, and who answers at either end.
    ring: Option<RingLine>,
    written: Option<String>,
}

/// The ring.
#[derive(Clone, Copy, Serialize)]
struct RingLine {
    whole: bool,
    answering: [usize; 2],
}

/// Runs the command.
///
/// # Errors
/// [`HostError`]: an interface that cannot be had, a bus that does not answer, a file that cannot be written.
pub fn run(interface: &str, args: &ScanArgs, output: &Output) -> Result<Exit, HostError> {
    // Whoever runs the bus would lose it to the scan.
    let _claim = claim_bus(interface)?;
    let _second = args
        .redundant_interface
        .as_deref()
        .map(claim_bus)
        .transpose()?;
    let depth = if args.preop {
        Depth::PreOp
    } else {
        Depth::Look
    };
    let both: Vec<&str> = std::iter::once(interface)
        .chain(args.redundant_interface.as_deref())
        .collect();
    vacant::check(&both, not_opened)?;
    let (found, ring) = match &args.redundant_interface {
        None => {
            let socket = RawSocket::open(interface).map_err(not_opened)?;
            (scan(socket, depth).map_err(not_scanned)?, None)
        }
        Some(second) => {
            let both = RawPair::open(interface, second).map_err(not_opened)?;
            let (found, ring) = scan_ring(both, depth).map_err(not_scanned)?;
            (found, Some(ring))
        }
    };
    let ring = ring.map(|ring| match ring {
        Ring::Whole => RingLine {
            whole: true,
            answering: [found.len(), 0],
        },
        Ring::Broken { first } => RingLine {
            whole: false,
            answering: [first, found.len().saturating_sub(first)],
        },
    });
    for one in &found {
        if output.json() {
            output.json_line(&line(one));
        } else {
            output.line(&text(one));
        }
    }
    if let Some(path) = &args.write {
        let (skeleton, images) =
            skeleton::of(&found, interface, args.redundant_interface.as_deref());
        for (name, bytes) in images {
            keep_image(path, &name, bytes)?;
        }
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
        ring,
        written: args.write.as_ref().map(|path| path.display().to_string()),
    };
    if output.json() {
        output.json_line(&summary);
    } else {
        output.line(&format!("{} SubDevices", found.len()));
        if let Some(ring) = ring {
            output.line(&ring_text(ring));
        }
    }
    Ok(Exit::Fine)
}

fn ring_text(ring: RingLine) -> String {
    let [first, second] = ring.answering;
    let before = first
        .checked_sub(1)
        .map_or("the first interface".to_owned(), |n| n.to_string());
    match (ring.whole, second) {
        (true, _) => "the ring is whole".to_owned(),
        (false, 0) => format!("the ring is broken between {before} and the second interface"),
        (false, _) => format!(
            "the ring is broken between {before} and {first}: {first} answer at the first interface, {second} at the second"
        ),
    }
}

fn not_opened(error: LinkError) -> HostError {
    HostError::machine(
        error.to_string(),
        "name an interface that `ip link` lists and that is up; see README.md, \"A real bus\"",
    )
}

fn not_scanned(error: ScanError) -> HostError {
    HostError::machine(
        error.to_string(),
        "a bus that another controller runs cannot be scanned; see its cables and power",
    )
}

/// Writes the image of an EEPROM beside the configuration.
fn keep_image(config: &Path, name: &str, bytes: &[u8]) -> Result<(), HostError> {
    let path = config.with_file_name(name);
    let written = std::fs::File::create_new(&path)
        .and_then(|mut file| std::io::Write::write_all(&mut file, bytes));
    written.map_err(|error| {
        HostError::usage(
            format!("cannot write {}: {error}", path.display()),
            "name a folder that this user may write to, and in which no image of that name is",
        )
    })
}

/// An entry as the configuration writes it.
pub(super) fn entry(entry: &PdoEntry) -> String {
    format!(
        "0x{:04X}:{:02X}/{}",
        entry.index, entry.subindex, entry.bits
    )
}

/// Ports as their plugs are called.
pub(super) fn port_letter(port: usize) -> Option<char> {
    ['A', 'B', 'C', 'D'].get(port).copied()
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
        parent_port: found.parent.and_then(|_| port_letter(found.parent_port)),
        by_coe: found.by_coe,
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
    let at = found.parent.map_or_else(
        || "the computer".to_owned(),
        |parent| {
            let port = port_letter(found.parent_port).unwrap_or('?');
            format!("port {port} of {parent}")
        },
    );
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
