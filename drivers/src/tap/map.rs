//! Which SubDevice answers to which logical addresses, and the working counter that follows from it.

use super::learn::{Learner, Station};
use crate::ethercat::plan::Direction;
use crate::frame::command as c;

/// Register of a mailbox's status, which SOEM maps into the process image.
const MAILBOX_STATUS: u64 = 0x080d;

/// What one FMMU maps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mapped {
    /// Index of the SubDevice among those that were learnt.
    pub station: usize,
    /// Direction, seen from the MainDevice.
    pub direction: Direction,
    /// First logical bit: address times eight, plus start bit.
    pub logical_bit: u64,
    /// Length (bits).
    pub bits: u64,
    /// First byte in the SubDevice's memory.
    pub physical: u64,
    /// SyncManager in whose memory it lies.
    pub sync_manager: Option<u16>,
    /// Objects in it, in order: index (0 is padding), subindex, bits. Empty where nothing said.
    pub objects: Vec<(u16, u8, u8)>,
}

impl Mapped {
    /// It is no process data but the state of a mailbox.
    pub fn is_mailbox_status(&self) -> bool {
        self.sync_manager.is_none() && self.physical == MAILBOX_STATUS
    }

    fn touches(&self, logical: u32, length: usize) -> bool {
        let first = u64::from(logical) * 8;
        self.logical_bit < first + length as u64 * 8 && first < self.logical_bit + self.bits
    }
}

/// What all FMMUs of a segment map.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProcessMap {
    /// In the order of the SubDevices.
    pub pieces: Vec<Mapped>,
}

impl ProcessMap {
    /// The map of what was learnt; empty where no FMMU was written yet.
    pub fn of(learner: &Learner) -> Self {
        let stations = learner.stations().iter().enumerate();
        Self {
            pieces: stations.flat_map(|(at, known)| pieces(at, known)).collect(),
        }
    }

    /// The working counter that a healthy segment answers with: for every SubDevice 1 for a read, and for a write 1,
    /// in an LRW 2.
    pub fn expected(&self, command: u8, logical: u32, length: usize) -> u16 {
        let (read, write) = weights(command);
        let (mut total, mut of, mut counted) = (0_u16, None, [false; 2]);
        for piece in &self.pieces {
            if of != Some(piece.station) {
                (of, counted) = (Some(piece.station), [false; 2]);
            }
            let (way, weight) = match piece.direction {
                Direction::Input => (0, read),
                Direction::Output => (1, write),
            };
            // Once per SubDevice and direction, however many of its FMMUs are touched.
            if piece.touches(logical, length) && !core::mem::replace(&mut counted[way], true) {
                total = total.wrapping_add(weight);
            }
        }
        total
    }
}

/// What a SubDevice adds to the working counter when it is read and when it is written.
pub fn weights(command: u8) -> (u16, u16) {
    match command {
        c::LRD => (1, 0),
        c::LWR => (0, 1),
        c::LRW => (1, 2),
        _ => (0, 0),
    }
}

fn pieces(at: usize, station: &Station) -> Vec<Mapped> {
    let mut pieces = Vec::new();
    for fmmu in station.fmmus() {
        let physical = fmmu.physical_bit / 8;
        let holder = station
            .sync_managers()
            .find(|(_, known)| known.area().contains(&(physical as usize)));
        for (mapped, direction) in [
            (fmmu.read, Direction::Input),
            (fmmu.write, Direction::Output),
        ] {
            if !mapped {
                continue;
            }
            let inputs = direction == Direction::Input;
            let number = holder.map(|(number, _)| number);
            let objects = number.map_or_else(Vec::new, |n| station.process_objects(n, inputs));
            pieces.push(Mapped {
                station: at,
                direction,
                logical_bit: fmmu.logical_bit,
                bits: fmmu.bits,
                physical,
                sync_manager: number,
                objects,
            });
        }
    }
    pieces
}
