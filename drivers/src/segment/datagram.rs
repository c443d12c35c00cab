//! What a SubDevice does with a datagram that passes: commands and working counters (ETG.1000.4).

use super::device::{Device, Merge};
use super::plant::Plant;
use crate::frame::{DATAGRAM_HEADER, Datagram, command};

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
