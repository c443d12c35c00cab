//! The communication area of the object dictionary, 0x1000 to 0x1FFF: it follows from the description.

use super::Description;
use super::application::{ABORT_NO_OBJECT, ABORT_NO_SUBINDEX};
use twinstep_config::machine::PdoEntry;

/// Abort: out of memory.
pub const ABORT_MEMORY: u32 = 0x0504_0005;

/// The objects 0x1000 to 0x1FFF that the description answers; none where the application has the word.
pub fn describe(
    description: &Description,
    index: u16,
    subindex: u8,
    value: &mut [u8],
) -> Option<Result<usize, u32>> {
    // Device profile 402 (drives) with servo drive as its type, or 401 (generic I/O).
    let is_drive = description
        .outputs
        .iter()
        .any(|entry| entry.index == 0x6040);
    let number = |value: &mut [u8], number: u32, bytes: usize| {
        put(value, number.to_le_bytes().get(..bytes).unwrap_or_default())
    };
    let identity = [
        4,
        description.vendor_id,
        description.product_code,
        description.revision,
        description.serial,
    ];
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
        // Communication types: mailbox receive, mailbox send, outputs, inputs.
        0x1c00 => match subindex {
            0 => number(value, 4, 1),
            1..=4 => number(value, u32::from(subindex), 1),
            _ => Err(ABORT_NO_SUBINDEX),
        },
        0x1c10 | 0x1c11 => only(number(value, 0, 1)),
        0x1c12 => assignment(value, subindex, 0x1600, description.outputs.is_empty()),
        0x1c13 => assignment(value, subindex, 0x1a00, description.inputs.is_empty()),
        0x1600 => mapping(value, subindex, &description.outputs),
        0x1a00 => mapping(value, subindex, &description.inputs),
        other if (0x1000..0x2000).contains(&other) => Err(ABORT_NO_OBJECT),
        _ => return None,
    })
}

fn assignment(value: &mut [u8], subindex: u8, pdo: u16, empty: bool) -> Result<usize, u32> {
    match (subindex, empty) {
        (0, _) => put(value, &[u8::from(!empty)]),
        (1, false) => put(value, &pdo.to_le_bytes()),
        _ => Err(ABORT_NO_SUBINDEX),
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
