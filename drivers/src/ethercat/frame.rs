//! Building EtherCAT frames and judging whether an answer belongs to what was sent.

pub use crate::frame::{DATAGRAM_HEADER, HEADERS, command};
use crate::frame::{Datagram, ETHERTYPE};

/// Header and working counter of a datagram (bytes).
pub const DATAGRAM_OVERHEAD: usize = DATAGRAM_HEADER + 2;
/// Flag: the datagram went round in a loop; set on the way, so it is not compared.
const CIRCULATING: u8 = 0x40;
/// Flag: another datagram follows.
const MORE: u8 = 0x80;

/// A frame without datagrams. It is sent to everybody; the source address is set when it is tagged.
pub fn new() -> Vec<u8> {
    let mut frame = Vec::with_capacity(crate::link::MAX_FRAME);
    begin(&mut frame);
    frame
}

/// Makes `frame` one without datagrams.
pub fn begin(frame: &mut Vec<u8>) {
    frame.clear();
    frame.extend_from_slice(&[0xff; 6]);
    frame.extend_from_slice(&[0; 6]);
    frame.extend_from_slice(&ETHERTYPE);
    frame.extend_from_slice(&[0x00, 0x10]);
}

/// Appends a datagram of `length` zero bytes. Addresses are (position, offset), or the halves of a logical address.
pub fn push_datagram(frame: &mut Vec<u8>, command: u8, position: u16, offset: u16, length: usize) {
    let mut at = HEADERS;
    while let Some(datagram) = Datagram::parse(frame, at) {
        if !datagram.more
            && let Some(flags) = frame.get_mut(at + 7)
        {
            *flags |= MORE;
        }
        at = datagram.end();
    }
    let length = length & 0x07ff;
    frame.extend_from_slice(&[command, 0]);
    frame.extend_from_slice(&position.to_le_bytes());
    frame.extend_from_slice(&offset.to_le_bytes());
    frame.extend_from_slice(&(length as u16).to_le_bytes());
    frame.resize(frame.len() + 2 + length + 2, 0);
    let total = (frame.len() - HEADERS) as u16 & 0x07ff | 0x1000;
    if let Some(header) = frame.get_mut(14..16) {
        header.copy_from_slice(&total.to_le_bytes());
    }
}

/// Whether `answer` is what a segment made of `sent`: same length (padding aside), same headers, whatever the data.
pub fn answers(sent: &[u8], answer: &[u8]) -> bool {
    if answer.len() < sent.len() || sent.get(12..HEADERS) != answer.get(12..HEADERS) {
        return false;
    }
    let mut at = HEADERS;
    while let Some(datagram) = Datagram::parse(sent, at) {
        let (Some(ours), Some(theirs)) = (
            sent.get(at..at + DATAGRAM_HEADER),
            answer.get(at..at + DATAGRAM_HEADER),
        ) else {
            return false;
        };
        // Positions are counted up on the way; configured and logical addresses are not.
        let counted = matches!(
            datagram.command,
            command::APRD
                | command::APWR
                | command::APRW
                | command::ARMW
                | command::BRD
                | command::BWR
                | command::BRW
        );
        let same_address =
            (counted || ours.get(2..4) == theirs.get(2..4)) && ours.get(4..6) == theirs.get(4..6);
        let same_length = ours[6] == theirs[6] && (ours[7] ^ theirs[7]) & !CIRCULATING == 0;
        if ours[..2] != theirs[..2] || !same_address || !same_length {
            return false;
        }
        at = datagram.end();
        if !datagram.more {
            return true;
        }
    }
    false
}

/// Working counter behind `length` bytes of data at `data`.
pub fn working_counter(frame: &[u8], data: usize, length: usize) -> u16 {
    match frame.get(data + length..data + length + 2) {
        Some(bytes) => u16::from_le_bytes([bytes[0], bytes[1]]),
        None => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_own_answer_is_accepted() {
        let mut sent = new();
        push_datagram(&mut sent, command::BRD, 0, 0x0130, 2);
        push_datagram(&mut sent, command::FPRD, 0x1001, 0x0130, 6);
        let mut answer = sent.clone();
        answer[HEADERS + 2] = 9; // position counted up
        answer[HEADERS + 10] = 8; // data
        answer.resize(80, 0); // padding
        assert!(answers(&sent, &answer));
        assert!(!answers(&sent, &answer[..sent.len() - 1]));
        for at in [
            12,
            15,
            HEADERS,
            HEADERS + 1,
            HEADERS + 4,
            HEADERS + 6,
            HEADERS + 14 + 2,
            HEADERS + 14 + 4,
        ] {
            let mut foreign = answer.clone();
            foreign[at] ^= 1;
            assert!(!answers(&sent, &foreign), "{at}");
        }
    }
}
