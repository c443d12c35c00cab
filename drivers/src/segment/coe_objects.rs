//! The communication area of the object dictionary, 0x1000 to 0x1FFF: it follows from the description.

use super::Description;
use super::application::{ABORT_NO_OBJECT, ABORT_NO_SUBINDEX};
use super::controller::{Area, Controller};
use super::sii_image::PdoRow;
use twinstep_config::machine::PdoEntry;

/// Abort: out of memory.
pub const ABORT_MEMORY: u32 = 0x0504_0005;

/// How a SubDevice is synchronised: what 0x1C32 and 0x1C33 say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Synchronisation {
    /// Cycle of SYNC0 (ns); none: each frame is an event of its own.
    pub sync0_ns: Option<u32>,
    /// SYNC0 pulses in OP without new outputs.
    pub missed: u16,
}

/// An object of the communication area.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    /// Index.
    pub index: u16,
    /// Name.
    pub name: &'static str,
    /// Data type of the object, or of its record (CiA 301).
    pub data_type: u16,
    /// Highest subindex.
    pub entries: u8,
}

/// Data types (CiA 301).
const UNSIGNED8: u16 = 0x0005;
const UNSIGNED16: u16 = 0x0006;
const UNSIGNED32: u16 = 0x0007;
const VISIBLE_STRING: u16 = 0x0009;
const RECORD_MAPPING: u16 = 0x0021;
const RECORD_IDENTITY: u16 = 0x0023;
const RECORD_SYNC: u16 = 0x0029;
/// Highest subindex of 0x1C32 and 0x1C33.
const SYNC_ENTRIES: u8 = 32;

/// All objects of the communication area, ascending.
pub fn communication(description: &Description) -> Vec<Entry> {
    let object = |index, name, data_type, entries| Entry {
        index,
        name,
        data_type,
        entries,
    };
    let mut all = vec![
        object(0x1000, "Device type", UNSIGNED32, 0),
        object(0x1001, "Error register", UNSIGNED8, 0),
        object(0x1008, "Manufacturer device name", VISIBLE_STRING, 0),
        object(0x1009, "Manufacturer hardware version", VISIBLE_STRING, 0),
        object(0x100a, "Manufacturer software version", VISIBLE_STRING, 0),
        object(0x1018, "Identity object", RECORD_IDENTITY, 4),
    ];
    // A PDO has at most 255 entries, and a device at most 255 of them: configuration and SII see to it.
    for (pdos, name) in [
        (&description.rx_pdos, "Receive PDO mapping"),
        (&description.tx_pdos, "Transmit PDO mapping"),
    ] {
        let mapping =
            |pdo: &PdoRow| object(pdo.index, name, RECORD_MAPPING, pdo.entries.len() as u8);
        all.extend(pdos.iter().map(mapping));
    }
    let types = communication_types(description).count() as u8;
    all.push(object(
        0x1c00,
        "SyncManager communication type",
        UNSIGNED8,
        types,
    ));
    for (pdos, areas, name) in [
        (
            &description.rx_pdos,
            &description.controller.outputs,
            "RxPDO assign",
        ),
        (
            &description.tx_pdos,
            &description.controller.inputs,
            "TxPDO assign",
        ),
    ] {
        let assigned = |area: &Area| {
            let count = assigned(pdos, area.sync_manager).count() as u8;
            object(assignment_index(area.sync_manager), name, UNSIGNED16, count)
        };
        all.extend(areas.iter().map(assigned));
    }
    for (index, name) in [
        (0x1c32, "Output SyncManager parameter"),
        (0x1c33, "Input SyncManager parameter"),
    ] {
        all.push(object(index, name, RECORD_SYNC, SYNC_ENTRIES));
    }
    all.sort_by_key(|entry| entry.index);
    all
}

/// Object that assigns PDOs to a SyncManager.
const fn assignment_index(sync_manager: usize) -> u16 {
    // A controller has at most 16 SyncManagers.
    0x1c10 + sync_manager as u16
}

/// PDOs that a SyncManager carries.
fn assigned(pdos: &[PdoRow], sync_manager: usize) -> impl Iterator<Item = &PdoRow> {
    pdos.iter().filter(move |pdo| {
        !pdo.entries.is_empty() && pdo.sync_manager.map(usize::from) == Some(sync_manager)
    })
}

/// Communication types of the SyncManagers in use: 1 and 2 mailbox from and to the MainDevice, 3 outputs, 4 inputs.
fn communication_types(description: &Description) -> impl Iterator<Item = u8> {
    let Controller {
        mailboxes,
        outputs,
        inputs,
        ..
    } = &description.controller;
    let last = outputs.iter().chain(inputs).map(|area| area.sync_manager);
    let count = last.max().unwrap_or(1) + 1;
    (0..count).map(move |n| match n {
        0 if mailboxes.is_some() => 1,
        1 if mailboxes.is_some() => 2,
        n if outputs.iter().any(|area| area.sync_manager == n) => 3,
        n if inputs.iter().any(|area| area.sync_manager == n) => 4,
        _ => 0,
    })
}

impl Entry {
    /// Data type and bits of one of its entries.
    pub fn entry(&self, subindex: u8, description: &Description) -> (u16, u16) {
        let length = match self.index {
            0x1008 => description.name.len() as u16,
            0x1009 | 0x100a => 3,
            _ => 0,
        };
        match (self.index, subindex) {
            (0x1008..=0x100a, _) => (VISIBLE_STRING, 8 * length),
            (0x1000, _) => (UNSIGNED32, 32),
            (0x1001, _) | (_, 0) => (UNSIGNED8, 8),
            (0x1c00, _) => (UNSIGNED8, 8),
            (0x1c10..=0x1c1f, _) => (UNSIGNED16, 16),
            (0x1c32 | 0x1c33, n) => match sync_width(n) {
                2 => (UNSIGNED16, 16),
                1 => (UNSIGNED8, 8),
                _ => (UNSIGNED32, 32),
            },
            _ => (UNSIGNED32, 32),
        }
    }
}

/// Bytes of an entry of 0x1C32 and 0x1C33 (ETG.1020).
const fn sync_width(subindex: u8) -> usize {
    match subindex {
        0 | 32 => 1,
        1 | 4 | 11..=14 => 2,
        _ => 4,
    }
}

/// An entry of 0x1C32 or 0x1C33: synchronised by SYNC0 when that runs, else with the SyncManager's own event.
fn sync_parameter(value: &mut [u8], subindex: u8, sync: &Synchronisation) -> Result<usize, u32> {
    let cycle_ns = sync.sync0_ns.unwrap_or(0);
    let number: u32 = match subindex {
        0 => u32::from(SYNC_ENTRIES),
        // 2: SYNC0; 1: SyncManager.
        1 => {
            if sync.sync0_ns.is_some() {
                2
            } else {
                1
            }
        }
        2 | 10 => cycle_ns,
        // Bit 1: SyncManager, bit 2: SYNC0.
        4 => 0x0006,
        5 => super::dc::Dc::SHORTEST_CYCLE_NS,
        12 => u32::from(sync.missed),
        3 | 6..=9 | 11 | 13..=32 => 0,
        _ => return Err(ABORT_NO_SUBINDEX),
    };
    let bytes = number.to_le_bytes();
    put(value, bytes.get(..sync_width(subindex)).unwrap_or_default())
}

/// The objects 0x1000 to 0x1FFF that the description answers; none where the application has the word.
pub fn describe(
    description: &Description,
    sync: &Synchronisation,
    index: u16,
    subindex: u8,
    value: &mut [u8],
) -> Option<Result<usize, u32>> {
    // Device profile 402 (drives) with servo drive as its type, or 401 (generic I/O).
    let mut mapped = description.rx_pdos.iter().flat_map(|pdo| &pdo.entries);
    let is_drive = mapped.any(|entry| entry.index == 0x6040);
    let number = |value: &mut [u8], number: u32, bytes: usize| {
        put(value, number.to_le_bytes().get(..bytes).unwrap_or_default())
    };
    let who = description.identity;
    let identity = [4, who.vendor_id, who.product_code, who.revision, who.serial];
    let only = |found: Result<usize, u32>| {
        if subindex == 0 {
            found
        } else {
            Err(ABORT_NO_SUBINDEX)
        }
    };
    Some(match index {
        0x1000 => only(number(
            value,
            if is_drive { 0x0002_0192 } else { 0x0000_0191 },
            4,
        )),
        0x1001 => only(number(value, 0, 1)),
        0x1008 => only(put(value, description.name.as_bytes())),
        0x1009 | 0x100a => only(put(value, b"1.0")),
        0x1018 => match identity.get(usize::from(subindex)) {
            Some(&entry) => number(value, entry, if subindex == 0 { 1 } else { 4 }),
            None => Err(ABORT_NO_SUBINDEX),
        },
        0x1c00 => match usize::from(subindex).checked_sub(1) {
            None => number(value, communication_types(description).count() as u32, 1),
            Some(at) => match communication_types(description).nth(at) {
                Some(kind) => number(value, u32::from(kind), 1),
                None => Err(ABORT_NO_SUBINDEX),
            },
        },
        0x1c10..=0x1c1f => assignment(description, usize::from(index - 0x1c10), subindex, value),
        0x1600..=0x17ff | 0x1a00..=0x1bff => {
            let mut pdos = description.rx_pdos.iter().chain(&description.tx_pdos);
            match pdos.find(|pdo| pdo.index == index) {
                Some(pdo) => mapping(value, subindex, &pdo.entries),
                None => Err(ABORT_NO_OBJECT),
            }
        }
        0x1c32 | 0x1c33 => sync_parameter(value, subindex, sync),
        other if (0x1000..0x2000).contains(&other) => Err(ABORT_NO_OBJECT),
        _ => return None,
    })
}

fn assignment(
    description: &Description,
    sync_manager: usize,
    subindex: u8,
    value: &mut [u8],
) -> Result<usize, u32> {
    let Controller {
        outputs, inputs, ..
    } = &description.controller;
    let carries = |areas: &[Area]| areas.iter().any(|area| area.sync_manager == sync_manager);
    let pdos = if carries(outputs) {
        &description.rx_pdos
    } else if carries(inputs) {
        &description.tx_pdos
    } else {
        return Err(ABORT_NO_OBJECT);
    };
    let mut assigned = assigned(pdos, sync_manager);
    match usize::from(subindex).checked_sub(1) {
        // At most 255 PDOs.
        None => put(value, &[assigned.count() as u8]),
        Some(at) => {
            let pdo = assigned.nth(at).ok_or(ABORT_NO_SUBINDEX)?;
            put(value, &pdo.index.to_le_bytes())
        }
    }
}

fn mapping(value: &mut [u8], subindex: u8, entries: &[PdoEntry]) -> Result<usize, u32> {
    let Some(at) = usize::from(subindex).checked_sub(1) else {
        return put(value, &[entries.len() as u8]);
    };
    let entry = entries.get(at).ok_or(ABORT_NO_SUBINDEX)?;
    let word =
        u32::from(entry.index) << 16 | u32::from(entry.subindex) << 8 | u32::from(entry.bits);
    put(value, &word.to_le_bytes())
}

fn put(value: &mut [u8], data: &[u8]) -> Result<usize, u32> {
    value
        .get_mut(..data.len())
        .ok_or(ABORT_MEMORY)?
        .copy_from_slice(data);
    Ok(data.len())
}
