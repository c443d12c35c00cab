//! What a SubDevice does with a datagram that passes: commands and working counters (ETG.1000.4).

use super::device::{Device, Merge};
use super::plant::Plant;
use crate::frame::{DATAGRAM_HEADER, Datagram, command};

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
