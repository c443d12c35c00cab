//! The cyclic exchange as a fixed plan: frames that are built once and only filled afterwards.
//!
//! The first frame begins with the system time (FRMW 0x0910 of the reference clock) and the AL status of all (BRD
//! 0x0130); then come LRW datagrams, cut only between SubDevices. For every datagram the expected working counter is
//! known: 1 per SubDevice that has inputs in it, plus 2 per SubDevice that has outputs in it.

use super::frame::{self, DATAGRAM_OVERHEAD, command};
use crate::bus::ProcessImage;
use twinstep_models::sample::Missing;

/// Largest Ethernet payload for datagrams (bytes): 1500 less the EtherCAT header.
const CAPACITY: usize = 1498;
/// Largest number of cyclic frames: what 256 SubDevices of 2 x 64 bytes need, with room.
pub const MAX_FRAMES: usize = 48;

/// Direction of process data, seen from the MainDevice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From the SubDevice.
    Input,
    /// To the SubDevice.
    Output,
}

/// The process data of one SubDevice in one direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece {
    /// Index of the SubDevice.
    pub subdevice: usize,
    /// Direction.
    pub direction: Direction,
    /// Logical address that its FMMU answers to.
    pub logical: u32,
    /// Length (bytes).
    pub length: usize,
    /// Offset in the process image's inputs or outputs; none: nobody's, zero outputs and inputs that are dropped.
    pub image: Option<usize>,
}

impl Piece {
    /// Its bytes in the process image.
    fn range(&self) -> Option<core::ops::Range<usize>> {
        self.image.map(|at| at..at + self.length)
    }
}

/// What a datagram of the plan is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// System time of the reference clock.
    SystemTime,
    /// AL status of all SubDevices, or-ed.
    AlStatus,
    /// Process data: pieces from the first to before the second index.
    ProcessData(usize, usize),
}

/// One datagram of the plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlannedDatagram {
    /// What it is for.
    pub purpose: Purpose,
    /// Frame that carries it.
    pub frame: usize,
    /// Offset of its data in the frame.
    pub data: usize,
    /// Length of its data (bytes).
    pub length: usize,
    /// Working counter that a healthy bus returns.
    pub expected: u16,
}

/// The plan.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Frames, complete but for tag and outputs.
    pub frames: Vec<Vec<u8>>,
    /// Datagrams in the order of the wire.
    pub datagrams: Vec<PlannedDatagram>,
    /// Pieces, ascending by logical address, with their offset in their frame.
    pub pieces: Vec<(Piece, usize)>,
}

impl Plan {
    /// Plans the exchange of `pieces` with `subdevices` SubDevices; `reference` is the station address of the DC
    /// reference clock, if there is one.
    ///
    /// The expected working counter of the system time is set by [`Plan::expect_clocks`].
    pub fn new(pieces: &[Piece], subdevices: usize, reference: Option<u16>) -> Self {
        let mut sorted = pieces.to_vec();
        sorted.sort_by_key(|piece| piece.logical);
        let mut plan = Self {
            frames: vec![frame::new()],
            datagrams: Vec::new(),
            pieces: Vec::new(),
        };
        if let Some(address) = reference {
            plan.push(Purpose::SystemTime, command::FRMW, address, 0x0910, 8, 0);
        }
        plan.push(
            Purpose::AlStatus,
            command::BRD,
            0,
            0x0130,
            2,
            subdevices as u16,
        );
        let mut at = 0;
        while let Some(first) = sorted.get(at).copied() {
            let room = CAPACITY.saturating_sub(plan.used() + DATAGRAM_OVERHEAD);
            let mut end = at;
            let mut length = 0;
            while let Some(piece) = sorted.get(end) {
                let reach = (piece.logical - first.logical) as usize + piece.length;
                if reach > room {
                    break;
                }
                length = length.max(reach);
                end += 1;
            }
            if end == at {
                // A SubDevice's data always fits an empty frame: bring-up refuses what is larger.
                plan.frames.push(frame::new());
                if plan.frames.len() > MAX_FRAMES || first.length > CAPACITY - DATAGRAM_OVERHEAD {
                    break;
                }
                continue;
            }
            let group = sorted.get(at..end).unwrap_or_default();
            let expected = expected_working_counter(group);
            let [a, b, c, d] = first.logical.to_le_bytes();
            let (position, offset) = (u16::from_le_bytes([a, b]), u16::from_le_bytes([c, d]));
            let data = plan.next_data();
            plan.push(
                Purpose::ProcessData(at, end),
                command::LRW,
                position,
                offset,
                length,
                expected,
            );
            plan.pieces.extend(
                group
                    .iter()
                    .map(|p| (*p, data + (p.logical - first.logical) as usize)),
            );
            at = end;
        }
        plan
    }

    /// Sets how many SubDevices take part in the system time.
    pub fn expect_clocks(&mut self, clocks: u16) {
        for datagram in &mut self.datagrams {
            if datagram.purpose == Purpose::SystemTime {
                datagram.expected = clocks;
            }
        }
    }

    /// Lengths of the frames (bytes).
    pub fn frame_lengths(&self) -> impl Iterator<Item = usize> {
        self.frames.iter().map(Vec::len)
    }

    /// Copies outputs into the frames, and the system time that those hear who are cut off from the reference clock.
    pub fn fill(&mut self, outputs: &[u8], system_time_ns: Option<u64>) {
        for datagram in &self.datagrams {
            if let (Purpose::SystemTime, Some(time_ns)) = (datagram.purpose, system_time_ns)
                && let Some(frame) = self.frames.get_mut(datagram.frame)
                && let Some(data) = frame.get_mut(datagram.data..datagram.data + 8)
            {
                data.copy_from_slice(&time_ns.to_le_bytes());
            }
            let Purpose::ProcessData(first, end) = datagram.purpose else {
                continue;
            };
            let Some(frame) = self.frames.get_mut(datagram.frame) else {
                continue;
            };
            for (piece, at) in self.pieces.get(first..end).unwrap_or_default() {
                if piece.direction == Direction::Output
                    && let (Some(to), Some(from)) = (
                        frame.get_mut(*at..at + piece.length),
                        piece.range().and_then(|range| outputs.get(range)),
                    )
                {
                    to.copy_from_slice(from);
                }
            }
        }
    }

    /// Copies the inputs of a datagram from its answer into the image.
    pub fn take(&self, purpose: Purpose, answer: &[u8], image: &mut ProcessImage) {
        for (piece, at) in self.pieces_of(purpose) {
            if piece.direction == Direction::Input
                && let (Some(to), Some(from)) = (
                    piece.range().and_then(|range| image.inputs.get_mut(range)),
                    answer.get(*at..*at + piece.length),
                )
            {
                to.copy_from_slice(from);
            }
        }
    }

    /// The outputs of a piece, by its place among all, as they were sent last.
    pub fn outputs_of(&self, number: usize) -> &[u8] {
        let carries = |datagram: &&PlannedDatagram| match datagram.purpose {
            Purpose::ProcessData(first, end) => (first..end).contains(&number),
            _ => false,
        };
        let bytes = self.pieces.get(number).and_then(|(piece, at)| {
            let frame = self
                .frames
                .get(self.datagrams.iter().find(carries)?.frame)?;
            frame.get(*at..at + piece.length)
        });
        bytes.unwrap_or_default()
    }

    /// Marks the SubDevices of a datagram as missing.
    pub fn mark(&self, purpose: Purpose, image: &mut ProcessImage, why: Missing) {
        for (piece, _) in self.pieces_of(purpose) {
            if let Some(valid) = image.valid.get_mut(piece.subdevice) {
                *valid = Err(why);
            }
        }
    }

    fn pieces_of(&self, purpose: Purpose) -> &[(Piece, usize)] {
        match purpose {
            Purpose::ProcessData(first, end) => self.pieces.get(first..end).unwrap_or_default(),
            _ => &[],
        }
    }

    fn used(&self) -> usize {
        self.frames
            .last()
            .map_or(0, |frame| frame.len() - frame::HEADERS)
    }

    fn next_data(&self) -> usize {
        self.frames.last().map_or(0, Vec::len) + frame::DATAGRAM_HEADER
    }

    fn push(
        &mut self,
        purpose: Purpose,
        command: u8,
        position: u16,
        offset: u16,
        length: usize,
        expected: u16,
    ) {
        let data = self.next_data();
        let number = self.frames.len() - 1;
        if let Some(frame) = self.frames.last_mut() {
            frame::push_datagram(frame, command, position, offset, length);
        }
        self.datagrams.push(PlannedDatagram {
            purpose,
            frame: number,
            data,
            length,
            expected,
        });
    }
}

/// 1 per SubDevice with inputs in the datagram, 2 per SubDevice with outputs in it.
fn expected_working_counter(pieces: &[Piece]) -> u16 {
    pieces
        .iter()
        .map(|piece| match piece.direction {
            Direction::Input => 1,
            Direction::Output => 2,
        })
        .sum()
}

#[cfg(test)]
mod tests {
    use super::super::wire::layout;
    use super::*;

    #[test]
    fn one_frame_counts_three_per_drive() {
        let mut plan = Plan::new(&layout(&[(8, 8), (0, 4), (4, 0)]), 3, Some(0x1000));
        plan.expect_clocks(3);
        let expected: Vec<_> = plan
            .datagrams
            .iter()
            .map(|d| (d.purpose, d.length, d.expected))
            .collect();
        assert_eq!(
            expected,
            [
                (Purpose::SystemTime, 8, 3),
                (Purpose::AlStatus, 2, 3),
                (Purpose::ProcessData(0, 4), 24, 1 + 1 + 2 + 2),
            ]
        );
        assert!(crate::frame::is_well_formed(&plan.frames[0]));
    }

    #[test]
    fn cuts_fall_between_subdevices_and_nothing_is_lost() {
        let sizes = [(37, 61); 100];
        let plan = Plan::new(&layout(&sizes), 100, Some(0x1000));
        let mut total = 0;
        for datagram in &plan.datagrams {
            if let Purpose::ProcessData(first, end) = datagram.purpose {
                let pieces = &plan.pieces[first..end];
                assert_eq!(
                    datagram.length,
                    pieces.iter().map(|(p, _)| p.length).sum::<usize>()
                );
                total += datagram.length;
            }
        }
        assert_eq!(total, 100 * (37 + 61));
        let counted: u16 = plan.datagrams.iter().skip(2).map(|d| d.expected).sum();
        assert_eq!(counted, 300);
        for frame in &plan.frames {
            assert!(frame.len() <= 1514 && crate::frame::is_well_formed(frame));
        }
    }

    #[test]
    fn outputs_go_where_their_fmmu_looks() {
        let mut plan = Plan::new(&layout(&[(2, 3), (2, 1)]), 2, None);
        plan.fill(&[1, 2, 3, 4], None);
        let data = plan.datagrams[1].data;
        assert_eq!(plan.frames[0][data..data + 8], [0, 0, 0, 0, 1, 2, 3, 4]);
    }
}
