//! Where the objects of a device's dictionary lie in its process data.

use twinstep_config::machine::{Machine, PdoEntry};

/// One object of a dictionary: the table says what exists, an array of values beside it what it holds.
#[derive(Clone, Copy, Debug)]
pub struct Object {
    /// Index.
    pub index: u16,
    /// Subindex.
    pub subindex: u8,
    /// Length (bits): 8, 16 or 32.
    pub bits: u8,
    /// Sign-extended when read into a value.
    pub signed: bool,
    /// SDO download is allowed.
    pub writable: bool,
    /// Value at start, where the machine does not say otherwise.
    pub initial: i64,
    /// Its name, as SDO information tells it.
    pub name: &'static str,
}

/// Position of an object in a table; for use in constants, where a missing object does not compile.
pub(super) const fn slot_of(table: &[Object], index: u16, subindex: u8) -> usize {
    let mut n = 0;
    while n < table.len() {
        if table[n].index == index && table[n].subindex == subindex {
            return n;
        }
        n += 1;
    }
    panic!("no such object in the table")
}

/// One mapped object.
#[derive(Clone, Copy, Debug)]
struct Place {
    /// Position in the object table; none for an object that is not in it: its bytes are ignored, or left as they are.
    slot: Option<usize>,
    /// First byte in the process data.
    offset: usize,
    /// Length (bytes).
    bytes: usize,
}

/// The layout of one direction of a device's process data.
#[derive(Clone, Debug, Default)]
pub(super) struct Layout(Vec<Place>);

impl Layout {
    /// The layout of `entries`, back to back. Objects of the table lie `shift` further in them than in the table.
    pub fn new(table: &[Object], entries: &[PdoEntry], shift: u16) -> Self {
        let mut offset = 0;
        let place = |entry: &PdoEntry| {
            let bytes = usize::from(entry.bits.div_ceil(8));
            let slot = table.iter().position(|o| {
                o.index.checked_add(shift) == Some(entry.index) && o.subindex == entry.subindex
            });
            let place = Place {
                slot,
                offset,
                bytes,
            };
            offset += bytes;
            place
        };
        Self(entries.iter().map(place).collect())
    }

    /// Layouts of the outputs and the inputs of the SubDevice called `name`.
    pub fn of_subdevice(table: &[Object], machine: &Machine, name: &str) -> (Self, Self) {
        let subdevices = machine.bus.as_ref().map_or(&[][..], |bus| &bus.subdevices);
        subdevices
            .iter()
            .find(|subdevice| subdevice.name == name)
            .map_or_else(
                || (Self::default(), Self::default()),
                |s| {
                    let layout = |entries| Self::new(table, entries, 0);
                    (layout(&s.outputs), layout(&s.inputs))
                },
            )
    }

    /// Takes values out of the process data; objects beyond its end keep theirs.
    pub fn decode(&self, table: &[Object], rx: &[u8], values: &mut [i64]) {
        for place in &self.0 {
            let Some(slot) = place.slot else { continue };
            let (Some(object), Some(value)) = (table.get(slot), values.get_mut(slot)) else {
                continue;
            };
            if let Some(bytes) = rx.get(place.offset..place.offset + place.bytes) {
                *value = from_bytes(bytes, object.signed);
            }
        }
    }

    /// Puts values into the process data.
    pub fn encode(&self, values: &[i64], tx: &mut [u8]) {
        for place in &self.0 {
            let Some(&value) = place.slot.and_then(|slot| values.get(slot)) else {
                continue;
            };
            if let Some(bytes) = tx.get_mut(place.offset..place.offset + place.bytes) {
                // At most eight bytes, so the source is always long enough.
                for (to, from) in bytes.iter_mut().zip(value.to_le_bytes()) {
                    *to = from;
                }
            }
        }
    }
}

/// Subindex 0 of an object with others: their number.
pub(super) fn is_count(objects: &[Object], object: &Object) -> bool {
    let other = |one: &Object| one.index == object.index && one.subindex > 0;
    object.subindex == 0 && objects.iter().any(other)
}

/// Whether an object may stand in an RxPDO (`outputs`) or in a TxPDO.
///
/// # Errors
/// A CoE abort code.
pub(super) fn mappable(objects: &[Object], entry: PdoEntry, outputs: bool) -> Result<(), u32> {
    let slot = find(objects, entry.index, entry.subindex)?;
    let Some(object) = objects.get(slot) else {
        return Err(super::application::ABORT_NO_OBJECT);
    };
    if is_count(objects, object) || (outputs && !object.writable) {
        return Err(super::pdo_config::ABORT_NOT_MAPPABLE);
    }
    if object.bits != entry.bits {
        return Err(super::application::ABORT_LENGTH);
    }
    Ok(())
}

/// A little-endian value of up to eight bytes.
pub(super) fn from_bytes(bytes: &[u8], signed: bool) -> i64 {
    let negative = signed && bytes.last().is_some_and(|high| high & 0x80 != 0);
    let mut all = if negative { [0xff; 8] } else { [0; 8] };
    for (to, from) in all.iter_mut().zip(bytes) {
        *to = *from;
    }
    i64::from_le_bytes(all)
}

/// SDO upload from a table with its values.
pub(super) fn upload(
    table: &[Object],
    values: &[i64],
    index: u16,
    subindex: u8,
    data: &mut [u8],
) -> Result<usize, u32> {
    let slot = find(table, index, subindex)?;
    let (Some(object), Some(value)) = (table.get(slot), values.get(slot)) else {
        return Err(super::application::ABORT_NO_OBJECT);
    };
    let length = usize::from(object.bits / 8);
    let Some(target) = data.get_mut(..length) else {
        return Err(super::application::ABORT_LENGTH);
    };
    for (to, from) in target.iter_mut().zip(value.to_le_bytes()) {
        *to = from;
    }
    Ok(length)
}

/// SDO download into a table's values; returns the position of what was written.
pub(super) fn download(
    table: &[Object],
    values: &mut [i64],
    index: u16,
    subindex: u8,
    data: &[u8],
) -> Result<usize, u32> {
    let slot = find(table, index, subindex)?;
    let (Some(object), Some(value)) = (table.get(slot), values.get_mut(slot)) else {
        return Err(super::application::ABORT_NO_OBJECT);
    };
    if !object.writable {
        return Err(super::application::ABORT_READ_ONLY);
    }
    if data.len() != usize::from(object.bits / 8) {
        return Err(super::application::ABORT_LENGTH);
    }
    *value = from_bytes(data, object.signed);
    Ok(slot)
}

fn find(table: &[Object], index: u16, subindex: u8) -> Result<usize, u32> {
    let mut known = false;
    for (slot, object) in table.iter().enumerate() {
        if object.index == index {
            known = true;
            if object.subindex == subindex {
                return Ok(slot);
            }
        }
    }
    Err(if known {
        super::application::ABORT_NO_SUBINDEX
    } else {
        super::application::ABORT_NO_OBJECT
    })
}
