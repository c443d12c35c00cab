//! Where the process data of the configured machine stand in somebody else's frames.
//!
//! After an observed start-up the FMMUs say it. A tap that joined later takes the configuration, and what the frames
//! show as evidence. SubDevices that are known by an EEPROM image alone are nobody's: they count in
//! the working counter, and their bytes are skipped.

use super::learn::{Learner, Station};
use super::map::{Mapped, ProcessMap};
use super::mismatch::Mismatch;
use crate::ethercat::is_nobodys;
use crate::ethercat::plan::Direction;
use crate::ethercat::wire::entry_bytes;
use crate::segment::process_data;
use twinstep_config::machine::{Bus, PdoEntry, SubDevice};

/// Process data of one SubDevice in one direction, or a part of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// SubDevice on the bus, for the working counter.
    pub owner: usize,
    /// SubDevice of the configuration and offset in the image's inputs or outputs; none for what only counts.
    pub image: Option<(usize, usize)>,
    /// Direction.
    pub direction: Direction,
    /// First logical address.
    pub logical: u32,
    /// Length (bytes).
    pub length: usize,
}

impl Span {
    /// The part of an access of `length` bytes at `logical` that this span is: first byte in the datagram, first in the
    /// span, number.
    pub fn overlap(&self, logical: u32, length: usize) -> Option<(usize, usize, usize)> {
        let (mine, theirs) = (u64::from(self.logical), u64::from(logical));
        let first = mine.max(theirs);
        let end = (mine + self.length as u64).min(theirs + length as u64);
        (first < end).then(|| {
            (
                (first - theirs) as usize,
                (first - mine) as usize,
                (end - first) as usize,
            )
        })
    }
}

/// See the module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    /// Ordered by owner.
    pub spans: Vec<Span>,
    /// Station address of each configured SubDevice, where it is known.
    pub addresses: Vec<Option<u16>>,
    /// From a start-up that was observed, else from the configuration.
    pub learnt: bool,
}

/// Objects of a SubDevice in one direction.
fn entries(device: &SubDevice, direction: Direction) -> &[PdoEntry] {
    match direction {
        Direction::Input => &device.inputs,
        Direction::Output => &device.outputs,
    }
}

/// Both, in the order in which pairs of figures are written here.
const DIRECTIONS: [Direction; 2] = [Direction::Input, Direction::Output];

impl Layout {
    /// The layout that an observed start-up gives.
    ///
    /// # Errors
    /// [`Mismatch`] with the configuration.
    pub fn learnt(bus: &Bus, learner: &Learner) -> Result<Self, Mismatch> {
        let map = ProcessMap::of(learner);
        let mut spans: Vec<Span> = Vec::new();
        let mut addresses = Vec::new();
        let mut offsets = [0_usize; 2];
        let mut stations = learner.stations().iter().enumerate();
        let mut taken = Vec::new();
        for (number, device) in bus.subdevices.iter().enumerate() {
            if is_nobodys(device) {
                // Its place on the wire is taken where it shows; its bytes are among all else that answers.
                let mut ahead = stations.clone();
                let found = ahead.find(|(at, known)| is_meant(device, known, *at, &map));
                if found.is_some() {
                    stations = ahead;
                }
                addresses.push(found.map(|(_, station)| station.address));
                continue;
            }
            // Couplers and terminals that the configuration does not know stand between its SubDevices.
            let Some((at, station)) =
                stations.find(|(at, known)| is_meant(device, known, *at, &map))
            else {
                return Err(Mismatch::Absent {
                    name: device.name.clone(),
                });
            };
            addresses.push(Some(station.address));
            taken.push(at);
            for (direction, offset) in DIRECTIONS.into_iter().zip(&mut offsets) {
                let mine = mine(&map, at, direction);
                judge(device, direction, &mine)?;
                for piece in mine {
                    let length = (piece.bits / 8) as usize;
                    spans.push(Span {
                        owner: at,
                        image: Some((number, *offset)),
                        direction,
                        logical: (piece.logical_bit / 8) as u32,
                        length,
                    });
                    *offset += length;
                }
            }
        }
        // All else that answers counts too, in whole bytes.
        let others = map
            .pieces
            .iter()
            .filter(|piece| piece.is_mailbox_status() || !taken.contains(&piece.station));
        spans.extend(others.map(|piece| Span {
            owner: piece.station,
            image: None,
            direction: piece.direction,
            logical: (piece.logical_bit / 8) as u32,
            length: ((piece.logical_bit % 8 + piece.bits).div_ceil(8)) as usize,
        }));
        spans.sort_by_key(|span| span.owner);
        Ok(Self {
            spans,
            addresses,
            learnt: true,
        })
    }

    /// The layout that the configuration gives, where the first logical addresses of each SubDevice's inputs and outputs
    /// are known.
    pub(super) fn configured(bus: &Bus, learner: &Learner, places: &[[u32; 2]]) -> Self {
        let mut spans = Vec::new();
        let mut offsets = [0; 2];
        for (number, (device, place)) in bus.subdevices.iter().zip(places).enumerate() {
            let lengths = lengths(device);
            for (way, direction) in DIRECTIONS.into_iter().enumerate() {
                if lengths[way] == 0 {
                    continue;
                }
                spans.push(Span {
                    owner: number,
                    image: (!is_nobodys(device)).then_some((number, offsets[way])),
                    direction,
                    logical: place[way],
                    length: lengths[way],
                });
                if !is_nobodys(device) {
                    offsets[way] += lengths[way];
                }
            }
        }
        // By their order, where as many addresses were spoken to as there are SubDevices.
        let all = learner.stations().len() == bus.subdevices.len();
        let addresses = learner.stations().iter().map(|known| Some(known.address));
        Self {
            spans,
            addresses: if all {
                addresses.collect()
            } else {
                vec![None; bus.subdevices.len()]
            },
            learnt: false,
        }
    }
}

/// Inputs and outputs of a SubDevice in the frames (bytes).
pub(super) fn lengths(device: &SubDevice) -> [usize; 2] {
    let (outputs, inputs) = process_data(device);
    [inputs, outputs]
}

/// The FMMUs of a station for process data in one direction, in the order of its memory.
fn mine(map: &ProcessMap, station: usize, direction: Direction) -> Vec<&Mapped> {
    let mut mine: Vec<&Mapped> = (map.pieces.iter())
        .filter(|piece| {
            piece.station == station && piece.direction == direction && !piece.is_mailbox_status()
        })
        .collect();
    mine.sort_by_key(|piece| piece.physical);
    mine
}

/// Whether `station` can be the configured `device`: by its identity where its SII was read, else by having process data.
fn is_meant(device: &SubDevice, station: &Station, at: usize, map: &ProcessMap) -> bool {
    match (station.sii.vendor_id(), station.sii.product_code()) {
        (Some(vendor), Some(product)) => {
            (vendor, product) == (device.vendor_id, device.product_code)
        }
        _ => map
            .pieces
            .iter()
            .any(|piece| piece.station == at && !piece.is_mailbox_status()),
    }
}

/// Compares what a SubDevice maps with its configuration.
fn judge(device: &SubDevice, direction: Direction, mine: &[&Mapped]) -> Result<(), Mismatch> {
    if mine
        .iter()
        .any(|piece| piece.logical_bit % 8 != 0 || piece.bits % 8 != 0)
    {
        return Err(Mismatch::Bits {
            name: device.name.clone(),
        });
    }
    let found = mine.iter().map(|piece| (piece.bits / 8) as usize).sum();
    let configured = entry_bytes(entries(device, direction));
    if found != configured {
        return Err(Mismatch::Length {
            name: device.name.clone(),
            direction,
            configured,
            found,
        });
    }
    // Objects that nothing told are taken on trust.
    let objects = mine.iter().flat_map(|piece| &piece.objects);
    for (entry, found) in entries(device, direction).iter().zip(objects) {
        let configured = (entry.index, entry.subindex, entry.bits);
        if configured != *found {
            return Err(Mismatch::Object {
                name: device.name.clone(),
                direction,
                configured,
                found: *found,
            });
        }
    }
    Ok(())
}
