//! SubDevice Information Interface: the EEPROM image that a SubDevice's description becomes (ETG.2010).

use super::Description;
use super::controller::Controller;
use super::registers::SYNC_MANAGERS;
use super::sii_image::{PdoRow, category, checksum, protocol};

/// Size of the image (bytes): 2 KiB, a 16 kbit EEPROM.
pub const BYTES: usize = 2048;
/// CoE details: SDO services, SDO information, PDO assignment, PDO configuration, complete access.
const COE_SDO: u8 = 0x2f;
/// AssignActivate of a drive synchronised by SYNC0.
const ASSIGN_ACTIVATE_SYNC0: u16 = 0x0300;

/// Builds the image.
pub fn image(description: &Description) -> Vec<u8> {
    let mut image = vec![0; 0x80];
    let mut put = |word: usize, value: u16| {
        if let Some(bytes) = image.get_mut(word * 2..word * 2 + 2) {
            bytes.copy_from_slice(&value.to_le_bytes());
        }
    };
    let controller = &description.controller;
    put(0x00, controller.pdi[0]);
    put(0x01, controller.pdi[1]);
    let who = description.identity;
    let identity = [who.vendor_id, who.product_code, who.revision, who.serial];
    for (index, value) in identity.iter().enumerate() {
        put(0x08 + index * 2, *value as u16);
        put(0x09 + index * 2, (*value >> 16) as u16);
    }
    if let Some(boxes) = controller.mailboxes {
        put(0x18, boxes.receive_start);
        put(0x19, boxes.receive_bytes);
        put(0x1a, boxes.send_start);
        put(0x1b, boxes.send_bytes);
        put(0x1c, if controller.coe { protocol::COE } else { 0 });
    }
    put(0x3e, (BYTES * 8 / 1024 - 1) as u16);
    put(0x3f, 1);
    let checksum = checksum(image.get(..14).unwrap_or_default());
    if let Some(byte) = image.get_mut(14) {
        *byte = checksum;
    }

    append(&mut image, category::STRINGS, &strings(description));
    append(&mut image, category::GENERAL, &general(controller));
    append(&mut image, category::FMMU, &fmmus(controller));
    append(
        &mut image,
        category::SYNC_MANAGER,
        &sync_managers(controller),
    );
    append(&mut image, category::TX_PDO, &pdos(&description.tx_pdos));
    append(&mut image, category::RX_PDO, &pdos(&description.rx_pdos));
    if controller.mailboxes.is_some() {
        append(&mut image, category::DC, &dc());
    }
    image.extend_from_slice(&category::END.to_le_bytes());
    image.resize(image.len().max(BYTES), 0xff);
    image
}

/// Appends a category; an empty one is left out.
fn append(image: &mut Vec<u8>, kind: u16, data: &[u8]) {
    if data.is_empty() {
        return;
    }
    image.extend_from_slice(&kind.to_le_bytes());
    image.extend_from_slice(&(data.len().div_ceil(2) as u16).to_le_bytes());
    image.extend_from_slice(data);
    if !data.len().is_multiple_of(2) {
        image.push(0);
    }
}

fn strings(description: &Description) -> Vec<u8> {
    let mut data = vec![2];
    for text in [description.name.as_str(), "twinstep simulated SubDevice"] {
        // Names are at most 32 bytes long, so a length fits a byte.
        data.push(text.len().min(255) as u8);
        data.extend_from_slice(
            text.as_bytes()
                .get(..text.len().min(255))
                .unwrap_or_default(),
        );
    }
    data
}

fn general(controller: &Controller) -> [u8; 32] {
    let mut data = [0; 32];
    data[2] = 1; // order string
    data[3] = 2; // name string
    data[5] = if controller.coe { COE_SDO } else { 0 };
    let [a, b, c, d] = controller.ports;
    data[16] = a | b << 4;
    data[17] = c | d << 4;
    data
}

/// One for the outputs, one for the inputs, one for the state of the mailbox.
fn fmmus(controller: &Controller) -> Vec<u8> {
    match controller.mailboxes {
        Some(_) => vec![1, 2, 3, 0xff],
        None => {
            let outputs = controller.outputs.iter().map(|_| 1);
            outputs.chain(controller.inputs.iter().map(|_| 2)).collect()
        }
    }
}

fn sync_managers(controller: &Controller) -> Vec<u8> {
    // Start, length, control, usage.
    let mut rows = [(0, 0, 0, 0); SYNC_MANAGERS];
    if let Some(boxes) = controller.mailboxes {
        rows[0] = (boxes.receive_start, boxes.receive_bytes, 0x26, 1);
        rows[1] = (boxes.send_start, boxes.send_bytes, 0x22, 2);
    }
    for (areas, control, usage) in [
        (&controller.outputs, 0x64, 3),
        (&controller.inputs, 0x20, 4),
    ] {
        for area in areas {
            if let Some(row) = rows.get_mut(area.sync_manager) {
                *row = (area.start, area.bytes, control, usage);
            }
        }
    }
    let used = rows.iter().rposition(|row| row.3 != 0);
    let mut data = Vec::new();
    for (start, length, control, usage) in rows.iter().take(used.map_or(0, |last| last + 1)) {
        data.extend_from_slice(&start.to_le_bytes());
        data.extend_from_slice(&length.to_le_bytes());
        data.extend_from_slice(&[*control, 0, u8::from(*length > 0), *usage]);
    }
    data
}

fn pdos(rows: &[PdoRow]) -> Vec<u8> {
    let mut data = Vec::new();
    for pdo in rows.iter().filter(|pdo| !pdo.entries.is_empty()) {
        data.extend_from_slice(&pdo.index.to_le_bytes());
        let sync_manager = pdo.sync_manager.unwrap_or(0xff);
        data.extend_from_slice(&[pdo.entries.len() as u8, sync_manager, 0, 0, 0, 0]);
        for entry in &pdo.entries {
            data.extend_from_slice(&entry.index.to_le_bytes());
            // Basic data types of CiA 301: UNSIGNED8, UNSIGNED16, UNSIGNED32.
            let data_type = match entry.bits {
                8 => 5,
                16 => 6,
                _ => 7,
            };
            data.extend_from_slice(&[entry.subindex, 0, data_type, entry.bits, 0, 0]);
        }
    }
    data
}

fn dc() -> [u8; 24] {
    let mut data = [0; 24];
    let [low, high] = ASSIGN_ACTIVATE_SYNC0.to_le_bytes();
    data[14] = low;
    data[15] = high;
    data
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn categories_can_be_walked_to_the_end() {
        let image = image(&Description::for_test("lift", 12, 14));
        let word = |at: usize| u16::from_le_bytes([image[at * 2], image[at * 2 + 1]]);
        let mut at = 0x40;
        let mut seen = Vec::new();
        while word(at) != category::END {
            seen.push(word(at));
            at += 2 + usize::from(word(at + 1));
        }
        assert_eq!(seen, [10, 30, 40, 41, 50, 51, 60]);
        assert_eq!(word(0x1c), protocol::COE);
    }

    #[test]
    fn checksum_is_the_standard_one() {
        // "123456789" with this polynomial and start value (CRC-8/ROHC is the reflected kin; this is the plain one).
        assert_eq!(checksum(b"123456789"), 0xfb);
    }
}
