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

/// Whether a frame claims to be EtherCAT.
pub fn is_ethercat(frame: &[u8]) -> bool {
    frame.get(12..14) == Some(&ETHERTYPE)
}

/// Walks over the datagrams of a frame; none where it is no well-formed EtherCAT frame.
pub fn is_well_formed(frame: &[u8]) -> bool {
    if !is_ethercat(frame) {
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

/// A datagram on its way.
pub struct Passing<'a> {
    command: u8,
    header: &'a mut [u8],
    data: &'a mut [u8],
    counter: &'a mut [u8],
    position: u16,
    offset: u16,
    logical: u32,
    segment_ns: u64,
}

impl<'a> Passing<'a> {
    /// Takes the datagram apart that stands in a frame sent at `segment_ns`.
    pub fn new(frame: &'a mut [u8], datagram: Datagram, segment_ns: u64) -> Option<Self> {
        let bytes = frame.get_mut(datagram.at..datagram.end())?;
        let (header, rest) = bytes.split_at_mut_checked(DATAGRAM_HEADER)?;
        let (data, counter) = rest.split_at_mut_checked(datagram.length)?;
        Some(Self {
            command: datagram.command,
            position: u16::from_le_bytes([header[2], header[3]]),
            offset: u16::from_le_bytes([header[4], header[5]]),
            logical: u32::from_le_bytes([header[2], header[3], header[4], header[5]]),
            header,
            data,
            counter,
            segment_ns,
        })
    }

    /// Position or station address.
    pub fn position(&self) -> u16 {
        self.position
    }

    /// Address in the SubDevice.
    pub fn offset(&self) -> u16 {
        self.offset
    }

    /// Logical address and length (bytes).
    pub fn logical(&self) -> (u32, usize) {
        (self.logical, self.data.len())
    }

    /// It writes to physical addresses.
    pub fn is_physical_write(&self) -> bool {
        use command as c;
        matches!(
            self.command,
            c::APWR | c::APRW | c::FPWR | c::FPRW | c::BWR | c::BRW | c::ARMW | c::FRMW
        )
    }

    /// Positions are counted up by every SubDevice.
    pub fn count_up(&mut self, count: usize) {
        let position = self.position.wrapping_add(count as u16).to_le_bytes();
        if let Some(bytes) = self.header.get_mut(2..4) {
            bytes.copy_from_slice(&position);
        }
    }

    /// Adds events to the datagram's own.
    pub fn report(&mut self, events: u16) {
        let bytes = self.header.iter_mut().skip(8);
        bytes
            .zip(events.to_le_bytes())
            .for_each(|(byte, event)| *byte |= event);
    }

    /// Lets it pass one SubDevice: the one that it is meant for, or one of several.
    pub fn apply(&mut self, device: Option<&mut Device>, meant: bool, plant: &mut Plant) {
        use command as c;
        let Some(device) = device else {
            return;
        };
        let Self {
            offset,
            logical,
            segment_ns,
            ..
        } = *self;
        let broadcast = matches!(self.command, c::BRD | c::BWR | c::BRW);
        let merge = if broadcast { Merge::Or } else { Merge::Copy };
        let data = &mut *self.data;
        let count = match self.command {
            c::APRD | c::FPRD | c::BRD => u16::from(device.read(offset, data, merge, segment_ns)),
            c::APWR | c::FPWR | c::BWR => u16::from(device.write(offset, data, segment_ns, plant)),
            c::APRW | c::FPRW | c::BRW => {
                // Read and write happen in one pass: the write takes what arrived, the answer is what stood there.
                let mut arrived = [0_u8; MAX_DATA];
                match arrived.get_mut(..data.len()) {
                    Some(arrived) => {
                        arrived.copy_from_slice(data);
                        u16::from(device.read(offset, data, merge, segment_ns))
                            + 2 * u16::from(device.write(offset, arrived, segment_ns, plant))
                    }
                    None => 0,
                }
            }
            c::ARMW | c::FRMW if meant => {
                u16::from(device.read(offset, data, Merge::Copy, segment_ns))
            }
            c::ARMW | c::FRMW => u16::from(device.write(offset, data, segment_ns, plant)),
            c::LRD => u16::from(device.read_logical(logical, data, segment_ns)),
            c::LWR => u16::from(device.write_logical(logical, data, segment_ns, plant)),
            c::LRW => {
                // Writes take what arrived; inputs may overlap outputs, so they come second.
                2 * u16::from(device.write_logical(logical, data, segment_ns, plant))
                    + u16::from(device.read_logical(logical, data, segment_ns))
            }
            _ => 0,
        };
        if let [low, high] = &mut *self.counter {
            let total = u16::from_le_bytes([*low, *high]).wrapping_add(count);
            [*low, *high] = total.to_le_bytes();
        }
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
