//! SDO information (ETG.1000.6, 5.6.3.3): which objects there are, their names, types and access.

use super::Description;
use super::application::{ABORT_NO_OBJECT, ABORT_NO_SUBINDEX, Application};
use super::coe_objects::{Entry, communication};
use super::pdo_config::PdoConfig;

/// Opcodes.
const LIST_REQUEST: u8 = 1;
const OBJECT_REQUEST: u8 = 3;
const ENTRY_REQUEST: u8 = 5;
/// Opcode of a refusal.
pub const ERROR: u8 = 7;
/// Abort: command specifier not valid or unknown.
const ABORT_COMMAND: u32 = 0x0504_0001;
/// Object codes (CiA 301).
const VARIABLE: u8 = 7;
const RECORD: u8 = 9;
/// Access to an entry: read in PRE-OP, SAFE-OP and OP; write likewise; mappable into RxPDO, TxPDO.
const READ: u16 = 0x0007;
const WRITE: u16 = 0x0038;
const WRITE_PRE_OP: u16 = 0x0008;
const RX_MAPPABLE: u16 = 0x0040;
const TX_MAPPABLE: u16 = 0x0080;

/// An object, gathered from its entries.
struct Object {
    name: &'static str,
    data_type: u16,
    highest: u8,
}

/// Answers one request: opcode of the response, and its data in `out`.
///
/// # Errors
/// A CoE abort code.
pub fn inform(
    request: &[u8],
    description: &Description,
    pdos: &PdoConfig,
    application: &dyn Application,
    out: &mut Vec<u8>,
) -> Result<u8, u32> {
    let word = |at: usize| match request.get(at..at + 2) {
        Some(bytes) => Ok(u16::from_le_bytes([bytes[0], bytes[1]])),
        None => Err(ABORT_COMMAND),
    };
    let opcode = request.first().ok_or(ABORT_COMMAND)? & 0x7f;
    out.clear();
    match opcode {
        LIST_REQUEST => list(word(4)?, description, pdos, application, out)?,
        OBJECT_REQUEST => {
            let index = word(4)?;
            let object = object(index, description, pdos, application)?;
            // A PDO without objects is a list all the same.
            let is_list = matches!(index, 0x1600..=0x17ff | 0x1a00..=0x1bff | 0x1c00..=0x1c1f);
            let code = if object.highest > 0 || is_list {
                RECORD
            } else {
                VARIABLE
            };
            out.extend_from_slice(&index.to_le_bytes());
            out.extend_from_slice(&object.data_type.to_le_bytes());
            out.extend_from_slice(&[object.highest, code]);
            out.extend_from_slice(object.name.as_bytes());
        }
        ENTRY_REQUEST => {
            let (index, subindex) = (word(4)?, *request.get(6).ok_or(ABORT_COMMAND)?);
            // Units, default, least and largest value are not told: the value information says so.
            let (name, data_type, bits, access) =
                entry(index, subindex, description, pdos, application)?;
            out.extend_from_slice(&index.to_le_bytes());
            out.extend_from_slice(&[subindex, 0]);
            for value in [data_type, bits, access] {
                out.extend_from_slice(&value.to_le_bytes());
            }
            out.extend_from_slice(name.as_bytes());
        }
        _ => return Err(ABORT_COMMAND),
    }
    Ok(opcode + 1)
}

/// The indices of a list, ascending: 0 the lengths of all lists, 1 all, 2 and 3 those that can be mapped, 4 and 5 those that a
/// replaced device needs: none.
fn list(
    kind: u16,
    description: &Description,
    pdos: &PdoConfig,
    application: &dyn Application,
    out: &mut Vec<u8>,
) -> Result<(), u32> {
    let of = |kind: u16| -> Vec<u16> {
        let mappable = |access: u16| {
            let mapped = application
                .objects()
                .iter()
                .filter(move |o| mapping(application.objects(), o) & access != 0);
            mapped.map(|o| o.index).collect::<Vec<u16>>()
        };
        let mut all = match kind {
            1 => {
                let own = communication(description, pdos)
                    .into_iter()
                    .map(|entry| entry.index);
                own.chain(application.objects().iter().map(|o| o.index))
                    .collect()
            }
            2 => mappable(RX_MAPPABLE),
            3 => mappable(TX_MAPPABLE),
            _ => Vec::new(),
        };
        all.sort_unstable();
        all.dedup();
        all
    };
    out.extend_from_slice(&kind.to_le_bytes());
    let words: Vec<u16> = match kind {
        // A device has less than 65 536 objects of 16 bits of index.
        0 => (1..=5).map(|kind| of(kind).len() as u16).collect(),
        1..=5 => of(kind),
        _ => return Err(ABORT_COMMAND),
    };
    out.extend(words.iter().flat_map(|word| word.to_le_bytes()));
    Ok(())
}

fn object(
    index: u16,
    description: &Description,
    pdos: &PdoConfig,
    application: &dyn Application,
) -> Result<Object, u32> {
    if let Some(Entry {
        name,
        data_type,
        entries,
        ..
    }) = communication(description, pdos)
        .into_iter()
        .find(|entry| entry.index == index)
    {
        return Ok(Object {
            name,
            data_type,
            highest: entries,
        });
    }
    let mut entries = application.objects().iter().filter(|o| o.index == index);
    let first = entries.next().ok_or(ABORT_NO_OBJECT)?;
    Ok(Object {
        name: first.name,
        data_type: type_of(first.bits, first.signed),
        highest: entries.map(|o| o.subindex).max().unwrap_or(0),
    })
}

/// Name, data type, bits and access of an entry.
fn entry(
    index: u16,
    subindex: u8,
    description: &Description,
    pdos: &PdoConfig,
    application: &dyn Application,
) -> Result<(&'static str, u16, u16, u16), u32> {
    if let Some(object) = communication(description, pdos)
        .into_iter()
        .find(|entry| entry.index == index)
    {
        if subindex > object.entries {
            return Err(ABORT_NO_SUBINDEX);
        }
        let (data_type, bits) = object.entry(subindex, description);
        let writable = match index {
            0x1600..=0x17ff | 0x1a00..=0x1bff | 0x1c10..=0x1c1f => pdos.is_writable(index),
            0x1c32 | 0x1c33 => matches!(subindex, 1..=3),
            _ => false,
        };
        let access = READ | if writable { WRITE_PRE_OP } else { 0 };
        return Ok((object.name, data_type, bits, access));
    }
    let mut entries = application
        .objects()
        .iter()
        .filter(|o| o.index == index)
        .peekable();
    entries.peek().ok_or(ABORT_NO_OBJECT)?;
    let found = entries
        .find(|o| o.subindex == subindex)
        .ok_or(ABORT_NO_SUBINDEX)?;
    let access =
        READ | if found.writable { WRITE } else { 0 } | mapping(application.objects(), found);
    let data_type = type_of(found.bits, found.signed);
    Ok((found.name, data_type, u16::from(found.bits), access))
}

/// Every object but a count can be mapped: what may be written into RxPDOs as well.
fn mapping(objects: &[super::pdo::Object], object: &super::pdo::Object) -> u16 {
    match (super::pdo::is_count(objects, object), object.writable) {
        (true, _) => 0,
        (_, true) => RX_MAPPABLE | TX_MAPPABLE,
        _ => TX_MAPPABLE,
    }
}

/// Basic data types (CiA 301).
const fn type_of(bits: u8, signed: bool) -> u16 {
    match (bits, signed) {
        (8, true) => 0x0002,
        (16, true) => 0x0003,
        (_, true) => 0x0004,
        (8, false) => 0x0005,
        (16, false) => 0x0006,
        (_, false) => 0x0007,
    }
}
