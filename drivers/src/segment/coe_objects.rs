//! The communication area of the object dictionary, 0x1000 to 0x1FFF: it follows from the description.

use super::Description;
use super::application::{ABORT_NO_OBJECT, ABORT_NO_SUBINDEX};
use super::controller::Controller;
use super::pdo_config::PdoConfig;
use super::synchronisation::{self, Synchronisation};

/// Abort: out of memory.
pub const ABORT_MEMORY: u32 = 0x0504_0005;

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

/// All objects of the communication area, ascending.
pub fn communication(description: &Description, pdos: &PdoConfig) -> Vec<Entry> {
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
    for (inputs, name) in [
        (false, "Receive PDO mapping"),
        (true, "Transmit PDO mapping"),
    ] {
        // A PDO has at most 255 entries, and a device at most 255 of them: configuration and SII see to it.
        let mapping = |(index, entries)| object(index, name, RECORD_MAPPING, entries as u8);
        all.extend(pdos.pdos(inputs).map(mapping));
    }
    let types = communication_types(description).count() as u8;
    all.push(object(
        0x1c00,
        "SyncManager communication type",
        UNSIGNED8,
        types,
    ));
    for (inputs, name) in [(false, "RxPDO assign"), (true, "TxPDO assign")] {
        let assigned = |(sync_manager, count)| {
            object(
                assignment_index(sync_manager),
                name,
                UNSIGNED16,
                count as u8,
            )
        };
        all.extend(pdos.assignments(inputs).map(assigned));
    }
    for (index, name) in [
        (0x1c32, "Output SyncManager parameter"),
        (0x1c33, "Input SyncManager parameter"),
    ] {
        all.push(object(index, name, RECORD_SYNC, synchronisation::ENTRIES));
    }
    all.sort_by_key(|entry| entry.index);
    all
}

/// Object that assigns PDOs to a SyncManager.
const fn assignment_index(sync_manager: usize) -> u16 {
    // A controller has at most 16 SyncManagers.
    0x1c10 + sync_manager as u16
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
            (0x1c32 | 0x1c33, n) => match synchronisation::width(n) {
                2 => (UNSIGNED16, 16),
                1 => (UNSIGNED8, 8),
                _ => (UNSIGNED32, 32),
            },
            _ => (UNSIGNED32, 32),
        }
    }
}

/// The objects 0x1000 to 0x1FFF that the description answers; none where the application has the word.
pub fn describe(
    description: &Description,
    pdos: &PdoConfig,
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
        0x1c10..=0x1c1f | 0x1600..=0x17ff | 0x1a00..=0x1bff => match pdos.read(index, subindex) {
            Some(found) => found.and_then(|(one, bytes)| number(value, one, bytes)),
            None => Err(ABORT_NO_OBJECT),
        },
        0x1c32 | 0x1c33 => sync
            .read(index == 0x1c33, subindex)
            .and_then(|(one, bytes)| number(value, one, bytes)),
        other if (0x1000..0x2000).contains(&other) => Err(ABORT_NO_OBJECT),
        _ => return None,
    })
}

fn put(value: &mut [u8], data: &[u8]) -> Result<usize, u32> {
    value
        .get_mut(..data.len())
        .ok_or(ABORT_MEMORY)?
        .copy_from_slice(data);
    Ok(data.len())
}
