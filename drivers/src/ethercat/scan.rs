//! Looks at a bus without touching it: who is there, how they hang together, what they count and what they map.
//!
//! Everything is read by position: no station address, state or configuration is changed, but for the EEPROM interface,
//! through which the SII is read and which is then given to the PDI. With [`Depth::PreOp`] SubDevices are taken to PRE-OP and back
//! to INIT, and those with a CoE mailbox say themselves what they map. A bus that another MainDevice runs must not be scanned.

mod preop;
mod sii;

use super::frame::command;
use super::line::Line;
use super::port::Port;
use super::registers::count;
use crate::clock::Clock;
use crate::link::{Ends, Link, LinkError, Side};
use sii::Sii;
use twinstep_config::machine::PdoEntry;

/// How long one access may take (ns), and how often it is tried.
const ACCESS_NS: u64 = 20_000_000;
const TRIES: u32 = 5;
/// Registers.
const TYPE: u16 = 0x0000;
const ADDRESSES: u16 = 0x0010;
const DL_STATUS: u16 = 0x0110;
const AL_STATUS: u16 = 0x0130;
const ERRORS: u16 = 0x0300;
const EEPROM_OWNER: u16 = 0x0500;
const EEPROM: u16 = 0x0502;
const EEPROM_DATA: u16 = 0x0508;
const EEPROM_CHECKSUM: u16 = 0x0800;

/// Why a scan failed.
#[derive(Debug)]
pub enum ScanError {
    /// The link failed.
    Link(LinkError),
    /// No frame came back.
    NoAnswer,
    /// The bus does not reach PRE-OP.
    PreOp(ethercrab::error::Error),
    /// A SubDevice was counted and does not answer.
    Silent {
        /// Its position, from 0.
        position: usize,
    },
}

impl core::fmt::Display for ScanError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Link(error) => write!(f, "{error}"),
            Self::NoAnswer => write!(
                f,
                "no frame came back: is the cable plugged in, the first SubDevice powered, the interface up?"
            ),
            Self::PreOp(error) => write!(
                f,
                "the bus does not reach PRE-OP to be asked by CoE: {error}; without it process data are those of the SII"
            ),
            Self::Silent { position } => write!(
                f,
                "the SubDevice at position {position} was counted and does not answer: does somebody else run this bus, \
                 or is a connection loose?"
            ),
        }
    }
}

impl std::error::Error for ScanError {}

/// Error counters of a SubDevice, per port A to D (0x0300 to 0x0313).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ErrorCounters {
    /// Frames with a wrong checksum.
    pub invalid_frames: [u8; 4],
    /// Errors of the physical layer.
    pub receive_errors: [u8; 4],
    /// Damaged frames that were passed on.
    pub forwarded: [u8; 4],
    /// Lost links.
    pub lost_links: [u8; 4],
}

/// One SubDevice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Place in the ring, from 0.
    pub position: usize,
    /// Position of the SubDevice that it hangs at; none for the first.
    pub parent: Option<usize>,
    /// Port of it, 1 (B) to 3 (D); 0 for the first.
    pub parent_port: usize,
    /// Station address 0x0010 and alias 0x0012.
    pub address: u16,
    /// See `address`.
    pub alias: u16,
    /// AL status 0x0130 and AL status code 0x0134.
    pub al_status: u8,
    /// See `al_status`.
    pub al_code: u16,
    /// Ports A to D with a link.
    pub links: [bool; 4],
    /// Distributed clock.
    pub has_clock: bool,
    /// Error counters.
    pub errors: ErrorCounters,
    /// The EEPROM reports a wrong checksum.
    pub eeprom_error: bool,
    /// Vendor id, product code, revision and serial number of the SII.
    pub vendor_id: u32,
    /// See `vendor_id`.
    pub product_code: u32,
    /// See `vendor_id`.
    pub revision: u32,
    /// See `vendor_id`.
    pub serial: u32,
    /// Order code and name; empty where the SII has none.
    pub order: String,
    /// See `order`.
    pub name: String,
    /// It has a CoE mailbox.
    pub coe: bool,
    /// Its SII, as far as it could be read.
    pub sii: Vec<u8>,
    /// The process data were read by CoE; else they are those that the SII assigns to a SyncManager.
    pub by_coe: bool,
    /// Outputs (RxPDO); gaps have index 0.
    pub outputs: Vec<PdoEntry>,
    /// Inputs (TxPDO), as the outputs.
    pub inputs: Vec<PdoEntry>,
}

/// How far a scan goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Depth {
    /// It only looks.
    #[default]
    Look,
    /// It takes SubDevices to PRE-OP and asks by CoE what they map.
    PreOp,
}

/// Scans the bus behind `link`.
///
/// # Errors
/// [`ScanError`].
pub fn scan<L: Link>(link: L, depth: Depth) -> Result<Vec<Found>, ScanError> {
    let mut port = Port::new(link);
    let mut found = None;
    for _ in 0..TRIES {
        let deadline_ns = port.clock().now_ns().saturating_add(ACCESS_NS);
        found = found.or(count(&mut port, deadline_ns));
    }
    if let Some(error) = port.take_error() {
        return Err(ScanError::Link(error));
    }
    let count = found
        .filter(|count| *count > 0)
        .ok_or(ScanError::NoAnswer)?;
    let mut reader = Reader {
        port,
        line: Line::new(),
    };
    let mut all = (0..count)
        .map(|position| {
            reader
                .subdevice(position)
                .ok_or(ScanError::Silent { position })
        })
        .collect::<Result<Vec<_>, _>>()?;
    hang_together(&mut all);
    if depth == Depth::PreOp {
        let mappings = preop::mappings(&mut reader.port).map_err(ScanError::PreOp)?;
        for (found, mapping) in all.iter_mut().zip(mappings) {
            if let Some([outputs, inputs]) = mapping {
                (found.outputs, found.inputs, found.by_coe) = (outputs, inputs, true);
            }
        }
    }
    Ok(all)
}

/// A ring as a scan found it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ring {
    /// Frames go round.
    Whole,
    /// Frames come back to where they were sent from.
    Broken {
        /// SubDevices that answer at the first end; the others answer at the second.
        first: usize,
    },
}

/// Scans a line with a redundant cable from both ends; positions count from the first.
///
/// # Errors
/// As [`scan`]; with [`Depth::PreOp`] each half of a broken ring is asked by itself.
pub fn scan_ring<E: Ends>(mut ends: E, depth: Depth) -> Result<(Vec<Found>, Ring), ScanError> {
    let mut seen = [None; 2];
    let [mut found, others] = [Side::Primary, Side::Secondary].map(|side| {
        let mut end = FromEnd {
            ends: &mut ends,
            side,
            came: None,
        };
        let found = scan(&mut end, depth);
        if let Some(seen) = seen.get_mut(usize::from(side == Side::Secondary)) {
            *seen = end.came;
        }
        found
    });
    // Nobody processes what goes round a whole ring from the second end.
    if seen[0] == Some(Side::Secondary) {
        return Ok((found?, Ring::Whole));
    }
    let first = found.as_ref().map_or(0, Vec::len);
    let behind = match others {
        Ok(others) if seen[1] == Some(Side::Secondary) => others,
        _ => return Ok((found?, Ring::Broken { first })),
    };
    if found.is_err() {
        found = Ok(Vec::new());
    }
    let mut all = found?;
    all.extend(behind.into_iter().map(|mut one| {
        one.position += first;
        one.parent = match one.parent {
            Some(parent) => Some(parent + first),
            // In front of the break.
            None => first.checked_sub(1),
        };
        one.parent_port = one.parent_port.max(usize::from(one.parent.is_some()));
        one
    }));
    Ok((all, Ring::Broken { first }))
}

/// One end of two, with a look at where answers come out.
struct FromEnd<'a, E> {
    ends: &'a mut E,
    side: Side,
    came: Option<Side>,
}

impl<E: Ends> Link for FromEnd<'_, E> {
    fn send(&mut self, frame: &[u8]) -> Result<(), LinkError> {
        self.ends.send(self.side, frame)
    }

    fn receive(&mut self, buffer: &mut [u8], deadline_ns: u64) -> Result<Option<usize>, LinkError> {
        let received = self.ends.receive(buffer, deadline_ns)?;
        Ok(received.map(|(side, length)| {
            self.came = Some(side);
            length
        }))
    }

    fn clock(&self) -> &Clock {
        self.ends.clock()
    }
}

/// In the order in which frames pass each SubDevice hangs at the last one before it that has a port left.
fn hang_together(all: &mut [Found]) {
    // Ports that others hang at, the next one last: frames pass D, then B, then C.
    let mut open: Vec<(usize, Vec<usize>)> = Vec::new();
    for found in all {
        while open.last().is_some_and(|(_, left)| left.is_empty()) {
            open.pop();
        }
        let place = open.last_mut().map(|(parent, left)| (*parent, left.pop()));
        found.parent = place.map(|(parent, _)| parent);
        found.parent_port = place.and_then(|(_, port)| port).unwrap_or(0);
        let linked = |port: &usize| found.links.get(*port).is_some_and(|link| *link);
        let behind: Vec<usize> = [2, 1, 3].into_iter().filter(linked).collect();
        open.push((found.position, behind));
    }
}

struct Reader<L> {
    port: Port<L>,
    line: Line,
}

impl<L: Link> Reader<L> {
    fn read<const N: usize>(&mut self, place: u16, register: u16) -> Option<[u8; N]> {
        (0..TRIES).find_map(|_| {
            self.line.deadline_ns = self.port.clock().now_ns().saturating_add(ACCESS_NS);
            let bytes = self
                .line
                .access(&mut self.port, command::APRD, place, register, N, &[]);
            bytes.and_then(|bytes| bytes.try_into().ok())
        })
    }

    fn write(&mut self, place: u16, register: u16, data: &[u8]) -> Option<()> {
        (0..TRIES).find_map(|_| {
            self.line.deadline_ns = self.port.clock().now_ns().saturating_add(ACCESS_NS);
            (self.line)
                .access(
                    &mut self.port,
                    command::APWR,
                    place,
                    register,
                    data.len(),
                    data,
                )
                .map(|_| ())
        })
    }

    fn subdevice(&mut self, position: usize) -> Option<Found> {
        let place = 0_u16.wrapping_sub(position as u16);
        let kind: [u8; 10] = self.read(place, TYPE)?;
        let addresses: [u8; 4] = self.read(place, ADDRESSES)?;
        let dl: [u8; 2] = self.read(place, DL_STATUS)?;
        let al: [u8; 6] = self.read(place, AL_STATUS)?;
        // A small controller has no error counters.
        let errors: [u8; 20] = self.read(place, ERRORS).unwrap_or([0; 20]);
        let eeprom: [u8; 2] = self.read(place, EEPROM)?;
        let pick = |from: usize, step: usize| {
            core::array::from_fn(|port| errors.get(from + port * step).copied().unwrap_or(0))
        };
        let sii = self.sii(place);
        Some(Found {
            position,
            parent: None,
            parent_port: 0,
            address: u16::from_le_bytes([addresses[0], addresses[1]]),
            alias: u16::from_le_bytes([addresses[2], addresses[3]]),
            al_status: al[0],
            al_code: u16::from_le_bytes([al[4], al[5]]),
            links: core::array::from_fn(|port| dl[0] >> (4 + port) & 1 != 0),
            has_clock: kind[8] & 0x04 != 0,
            errors: ErrorCounters {
                invalid_frames: pick(0, 2),
                receive_errors: pick(1, 2),
                forwarded: pick(8, 1),
                lost_links: pick(16, 1),
            },
            eeprom_error: u16::from_le_bytes(eeprom) & EEPROM_CHECKSUM != 0,
            vendor_id: sii.long(0x08),
            product_code: sii.long(0x0a),
            revision: sii.long(0x0c),
            serial: sii.long(0x0e),
            order: sii.order(),
            name: sii.name(),
            coe: sii.word(0x1c) & 0x04 != 0,
            outputs: sii.outputs(),
            inputs: sii.inputs(),
            by_coe: false,
            sii: sii.into_bytes(),
        })
    }

    /// Reads the SII up to its end, or as far as it answers.
    fn sii(&mut self, place: u16) -> Sii {
        let sii = self.take_sii(place);
        // What is not needed any more is the SubDevice's own again.
        let _ = self.write(place, EEPROM_OWNER, &[1]);
        sii
    }

    fn take_sii(&mut self, place: u16) -> Sii {
        let mut sii = Sii::default();
        // The MainDevice takes the EEPROM.
        if self.write(place, EEPROM_OWNER, &[0]).is_none() {
            return sii;
        }
        while let Some(word) = sii.next_word() {
            let [low, high] = word.to_le_bytes();
            let asked = self.write(place, EEPROM, &[0, 1, low, high, 0, 0]);
            let ready = asked.and_then(|()| {
                (0..TRIES * 20).find_map(|_| {
                    let status: [u8; 2] = self.read(place, EEPROM)?;
                    (status[1] & 0x80 == 0).then_some(status)
                })
            });
            let Some(status) = ready.filter(|status| status[1] & 0x20 == 0) else {
                return sii;
            };
            let Some(data) = self.read::<8>(place, EEPROM_DATA) else {
                return sii;
            };
            // Four bytes at a time, or eight.
            let wide = status[0] & 0x40 != 0;
            sii.take(data.get(..if wide { 8 } else { 4 }).unwrap_or_default());
        }
        sii
    }
}

#[cfg(test)]
mod tests;
