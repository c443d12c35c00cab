//! How long the cyclic frames occupy the wire, and how long until they are back.
//!
//! 100 Mbit/s full duplex: 80 ns per byte. A frame takes its bytes plus preamble (8), check sequence (4) and
//! inter-frame gap (12), and never less than 84 byte times (6.72 us). Every node delays a frame on its way out and
//! back by about 1 us together.

use super::plan::{Direction, Piece, Plan};
use twinstep_config::machine::{Machine, PdoEntry};

/// Time of one byte at 100 Mbit/s (ns).
pub const BYTE_NS: u64 = 80;
/// Delay of one node, both ways together (ns).
pub const NODE_NS: u64 = 1_000;
/// Preamble, check sequence and inter-frame gap (bytes).
const OVERHEAD: usize = 8 + 4 + 12;
/// Shortest frame with all of it (byte times).
const SHORTEST: usize = 84;

/// Time that a frame of `bytes` (from the destination address to the last datagram) occupies the wire (ns).
pub const fn frame_time_ns(bytes: usize) -> u64 {
    let total = bytes + OVERHEAD;
    (if total < SHORTEST { SHORTEST } else { total }) as u64 * BYTE_NS
}

/// Time from the first bit sent until the last cyclic frame is back (ns), 0 for a machine without a bus.
///
/// `check` refuses a period that this does not fit into.
pub fn wire_time_ns(machine: &Machine) -> u64 {
    let Some(bus) = &machine.bus else {
        return 0;
    };
    let sizes: Vec<_> = bus
        .subdevices
        .iter()
        .map(|subdevice| {
            (
                entry_bytes(&subdevice.outputs),
                entry_bytes(&subdevice.inputs),
            )
        })
        .collect();
    // Its addresses are those of the layout that bring-up uses; only their lengths matter here.
    let plan = Plan::new(&layout(&sizes), sizes.len(), Some(0));
    let frames: u64 = plan.frame_lengths().map(frame_time_ns).sum();
    frames + sizes.len() as u64 * NODE_NS
}

/// Length of a list of objects (bytes).
pub fn entry_bytes(entries: &[PdoEntry]) -> usize {
    entries
        .iter()
        .map(|entry| usize::from(entry.bits))
        .sum::<usize>()
        .div_ceil(8)
}

/// The logical layout that ethercrab gives SubDevices of the given (outputs, inputs): all inputs, then all outputs.
pub fn layout(sizes: &[(usize, usize)]) -> Vec<Piece> {
    let mut pieces = Vec::with_capacity(sizes.len() * 2);
    let mut logical = 0;
    for direction in [Direction::Input, Direction::Output] {
        let mut image = 0;
        for (subdevice, &(outputs, inputs)) in sizes.iter().enumerate() {
            let length = match direction {
                Direction::Input => inputs,
                Direction::Output => outputs,
            };
            if length > 0 {
                pieces.push(Piece {
                    subdevice,
                    direction,
                    logical,
                    length,
                    image: Some(image),
                });
            }
            logical += length as u32;
            image += length;
        }
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shortest_and_longest_frame() {
        assert_eq!(frame_time_ns(29), 6_720);
        assert_eq!(frame_time_ns(60), 6_720);
        assert_eq!(frame_time_ns(1514), 123_040);
    }

    #[test]
    fn a_hundred_drives_take_two_frames() {
        // 1 600 bytes of process data and 4 headers of frames and datagrams; nobody gets below that.
        let plan = Plan::new(&layout(&[(8, 8); 100]), 100, Some(0));
        assert_eq!(plan.frame_lengths().count(), 2);
        let total: u64 = plan.frame_lengths().map(frame_time_ns).sum();
        assert_eq!(
            total,
            (1600 + 2 * (16 + 24) + 20 + 14 + 2 * 12) as u64 * BYTE_NS
        );
    }
}
