//! EtherCAT frames as a segment sees them: datagrams, commands and working counters (ETG.1000.4).

use super::device::{Device, Merge};
use super::plant::Plant;

/// EtherType of EtherCAT.
pub const ETHERTYPE: [u8; 2] = [0x88, 0xa4];
/// Ethernet header and EtherCAT header (bytes).
pub const HEADERS: usize = 16;
/// Datagram header (bytes).
pub const DATAGRAM_HEADER: usize = 10;

/// Commands of a datagram.
pub mod command {
    /// No operation.
    pub const NOP: u8 = 0;
    /// Auto-increment read.
    pub const APRD: u8 = 1;
    /// Auto-increment write.
    pub const APWR: u8 = 2;
    /// Auto-increment read and write.
    pub const APRW: u8 = 3;
    /// Configured address read.
    pub const FPRD: u8 = 4;
    /// Configured address write.
    pub const FPWR: u8 = 5;
    /// Configured address read and write.
    pub const FPRW: u8 = 6;
    /// Broadcast read.
    pub const BRD: u8 = 7;
    /// Broadcast write.
    pub const BWR: u8 = 8;
    /// Broadcast read and write.
    pub const BRW: u8 = 9;
    /// Logical read.
    pub const LRD: u8 = 10;
    /// Logical write.
    pub const LWR: u8 = 11;
    /// Logical read and write.
    pub const LRW: u8 = 12;
    /// Auto-increment read, multiple write.
    pub const ARMW: u8 = 13;
    /// Configured address read, multiple write.
    pub const FRMW: u8 = 14;
}

/// Where the next datagram of a frame stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Datagram {
    /// Offset of its header in the frame.
    pub at: usize,
    /// Command.
    pub command: u8,
    /// Length of its data (bytes).
    pub length: usize,
    /// Another one follows.
    pub more: bool,
}

impl Datagram {
    /// Reads the datagram header at `at`; none where the frame is too short for header, data and working counter.
    pub fn parse(frame: &[u8], at: usize) -> Option<Self> {
        let header = frame.get(at..at + DATAGRAM_HEADER)?;
        let flags = u16::from_le_bytes([header[6], header[7]]);
        let datagram = Self {
            at,
            command: header[0],
            length: usize::from(flags & 0x07ff),
            more: flags & 0x8000 != 0,
        };
        frame.get(at..datagram.end())?;
        Some(datagram)
    }

    /// Offset behind the working counter.
    pub fn end(&self) -> usize {
        self.at + DATAGRAM_HEADER + self.length + 2
    }
}

/// The datagrams of a well-formed frame, one after the other.
pub fn datagrams(frame: &[u8]) -> impl Iterator<Item = Datagram> {
    let first = Datagram::parse(frame, HEADERS);
    core::iter::successors(first, |datagram| {
        (datagram.more)
            .then(|| Datagram::parse(frame, datagram.end()))
            .flatten()
    })
}

/// Walks over the datagrams of a frame; none where it is no well-formed EtherCAT frame.
pub fn is_well_formed(frame: &[u8]) -> bool {
    if frame.get(12..14) != Some(&ETHERTYPE) {
        return false;
    }
    let Some(header) = frame.get(14..16) else {
        return false;
    };
    let header = u16::from_le_bytes([header[0], header[1]]);
    let length = usize::from(header & 0x07ff);
    if header >> 12 != 1 || length == 0 {
        return false;
    }
    let mut at = HEADERS;
    loop {
        match Datagram::parse(frame, at) {
            Some(datagram) if datagram.end() <= HEADERS + length => {
                at = datagram.end();
                if !datagram.more {
                    return true;
                }
            }
            _ => return false,
        }
    }
}

/// Lets one datagram pass one SubDevice.
pub fn execute(
    frame: &mut [u8],
    datagram: Datagram,
    device: &mut Device,
    segment_ns: u64,
    plant: &mut Plant,
) {
    use command as c;
    let Some(bytes) = frame.get_mut(datagram.at..datagram.end()) else {
        return;
    };
    let Some((header, rest)) = bytes.split_at_mut_checked(DATAGRAM_HEADER) else {
        return;
    };
    let Some((data, counter)) = rest.split_at_mut_checked(datagram.length) else {
        return;
    };
    let position = u16::from_le_bytes([header[2], header[3]]);
    let offset = u16::from_le_bytes([header[4], header[5]]);
    let logical = u32::from_le_bytes([header[2], header[3], header[4], header[5]]);
    let by_position = matches!(datagram.command, c::APRD | c::APWR | c::APRW | c::ARMW);
    let broadcast = matches!(datagram.command, c::BRD | c::BWR | c::BRW);
    let meant = if by_position {
        position == 0
    } else {
        broadcast || device.answers_to(position)
    };
    let merge = if broadcast { Merge::Or } else { Merge::Copy };
    let mut count = 0_u16;
    match datagram.command {
        c::APRD | c::FPRD | c::BRD if meant => {
            count += u16::from(device.read(offset, data, merge, segment_ns));
        }
        c::APWR | c::FPWR | c::BWR if meant => {
            count += u16::from(device.write(offset, data, segment_ns, plant));
        }
        c::APRW | c::FPRW | c::BRW if meant => {
            // Read and write happen in one pass: the write takes what arrived, the answer is what stood there.
            let mut arrived = [0_u8; MAX_DATA];
            if let Some(arrived) = arrived.get_mut(..data.len()) {
                arrived.copy_from_slice(data);
                count += u16::from(device.read(offset, data, merge, segment_ns));
                count += 2 * u16::from(device.write(offset, arrived, segment_ns, plant));
            }
        }
        c::ARMW | c::FRMW => {
            count += u16::from(if meant {
                device.read(offset, data, Merge::Copy, segment_ns)
            } else {
                device.write(offset, data, segment_ns, plant)
            });
        }
        c::LRD => count += u16::from(device.read_logical(logical, data, segment_ns)),
        c::LWR => count += u16::from(device.write_logical(logical, data, segment_ns, plant)),
        c::LRW => {
            // Writes take what arrived; inputs may overlap outputs, so they come second.
            count += 2 * u16::from(device.write_logical(logical, data, segment_ns, plant));
            count += u16::from(device.read_logical(logical, data, segment_ns));
        }
        _ => {}
    }
    if by_position || broadcast {
        let [low, high] = position.wrapping_add(1).to_le_bytes();
        header[2] = low;
        header[3] = high;
    }
    if let [low, high] = counter {
        let total = u16::from_le_bytes([*low, *high]).wrapping_add(count);
        [*low, *high] = total.to_le_bytes();
    }
}

/// Largest data of a datagram: its length field has 11 bits.
const MAX_DATA: usize = 2048;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cut_and_foreign_frames_are_not_well_formed() {
        let mut frame = vec![0; 12];
        frame.extend_from_slice(&ETHERTYPE);
        frame.extend_from_slice(&[0x0d, 0x10]); // 13 bytes
        frame.extend_from_slice(&[7, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
        assert!(is_well_formed(&frame));
        for length in 0..frame.len() {
            assert!(!is_well_formed(&frame[..length]), "{length}");
        }
        frame[12] = 8;
        assert!(!is_well_formed(&frame));
        frame[12] = 0x88;
        frame[22] = 2; // the datagram claims more than the frame
        assert!(!is_well_formed(&frame));
    }
}
