//! Where the process data of the configured machine stand in somebody else's frames.
//!
//! After an observed start-up the FMMUs say it. A tap that joined later takes the configuration: SubDevices and objects as
//! listed, without gaps, all inputs first (ethercrab, twinstep) or all outputs first (SOEM, IgH). Which of the two, is a key of
//! the configuration or follows from the frames: outputs come back as they went out, so that a byte that changed is an
//! input; bytes behind the process data are SOEM's states of mailboxes.

use super::exchange::Exchange;
use super::learn::{Learner, Station};
use super::map::{Mapped, ProcessMap};
use super::mismatch::Mismatch;
use crate::ethercat::plan::Direction;
use crate::ethercat::wire::entry_bytes;
use crate::frame::command as c;
use std::ops::Range;
use twinstep_config::machine::{Bus, ImageOrder, PdoEntry, SubDevice};

/// Cycles after which the order of the image must have shown.
const DECIDED_AFTER: u64 = 2000;
/// Cycles that are looked at before anything is decided: all datagrams of a cycle have passed by then.
const LOOK_AT: u64 = 4;

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

    /// The layout that the configuration gives, with inputs and outputs beginning at these logical addresses.
    fn configured(bus: &Bus, learner: &Learner, inputs: u32, outputs: u32) -> Self {
        let mut spans = Vec::new();
        let mut next = [(inputs, 0), (outputs, 0)];
        for (number, device) in bus.subdevices.iter().enumerate() {
            for (direction, (logical, offset)) in DIRECTIONS.into_iter().zip(&mut next) {
                let length = entry_bytes(entries(device, direction));
                if length > 0 {
                    spans.push(Span {
                        owner: number,
                        image: Some((number, *offset)),
                        direction,
                        logical: *logical,
                        length,
                    });
                }
                *logical = logical.saturating_add(length as u32);
                *offset += length;
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

/// What frames show of the layout, for a tap that joined late.
#[derive(Clone, Debug, Default)]
pub struct Evidence {
    read: Option<Range<u64>>,
    written: Option<Range<u64>>,
    both: Option<Range<u64>>,
    /// Logical addresses of an LRW that came back changed: first and behind the last.
    changed: Option<Range<u64>>,
    first: Option<(u8, u32)>,
    /// Cycles, counted by the first datagram.
    pub cycles: u64,
}

fn widen(range: &mut Option<Range<u64>>, by: Range<u64>) {
    *range = Some(match range.take() {
        None => by,
        Some(known) => known.start.min(by.start)..known.end.max(by.end),
    });
}

impl Evidence {
    /// Takes a logical datagram that somebody answered.
    pub fn take(&mut self, exchange: &Exchange<'_>) {
        if exchange.counter == 0 {
            return;
        }
        let start = u64::from(exchange.logical());
        let range = start..start + exchange.back.len() as u64;
        match exchange.command {
            c::LRD => widen(&mut self.read, range),
            c::LWR => widen(&mut self.written, range),
            _ => {
                widen(&mut self.both, range);
                let pairs = (start..).zip(exchange.sent.iter().zip(exchange.back));
                for (at, _) in pairs.filter(|(_, (sent, back))| sent != back) {
                    widen(&mut self.changed, at..at + 1);
                }
            }
        }
        let key = (exchange.command, exchange.logical());
        self.cycles += u64::from(*self.first.get_or_insert(key) == key);
    }

    /// The layout of a machine whose start was not observed; none while more has to be seen.
    ///
    /// # Errors
    /// [`Mismatch`] where the frames cannot be those of this machine, or do not show the order.
    pub fn decide(
        &self,
        bus: &Bus,
        learner: &Learner,
        order: Option<ImageOrder>,
    ) -> Result<Option<Layout>, Mismatch> {
        if self.cycles < LOOK_AT {
            return Ok(None);
        }
        let bytes = |direction| -> u64 {
            let lengths = bus
                .subdevices
                .iter()
                .map(|device| entry_bytes(entries(device, direction)));
            lengths.sum::<usize>() as u64
        };
        let (inputs, outputs) = (bytes(Direction::Input), bytes(Direction::Output));
        let span =
            |range: &Option<Range<u64>>| range.as_ref().map_or(0, |range| range.end - range.start);
        // States of mailboxes: at most a byte each.
        let spare = bus.subdevices.len() as u64;
        let fits = |found: u64, needed: u64| (needed..=needed + spare).contains(&found);
        let layout = |inputs: u64, outputs: u64| {
            Ok(Some(Layout::configured(
                bus,
                learner,
                inputs as u32,
                outputs as u32,
            )))
        };
        let total = Mismatch::Total {
            configured: (inputs + outputs) as usize,
            found: (span(&self.read) + span(&self.written) + span(&self.both)) as usize,
        };
        let Some(both) = &self.both else {
            let start = |range: &Option<Range<u64>>| range.as_ref().map_or(0, |range| range.start);
            if fits(span(&self.read), inputs) && span(&self.written) == outputs {
                return layout(start(&self.read), start(&self.written));
            }
            return Err(total);
        };
        let found = both.end - both.start;
        if self.read.is_some() || self.written.is_some() || !fits(found, inputs + outputs) {
            return Err(total);
        }
        let changed = self.changed.clone().unwrap_or(both.start..both.start);
        let inputs_first = found == inputs + outputs && changed.end <= both.start + inputs;
        let none_changed = changed.is_empty();
        let outputs_first = none_changed || changed.start >= both.start + outputs;
        let first = match (order, inputs_first, outputs_first) {
            (Some(order), _, _) => order,
            (None, true, _) if outputs == 0 || inputs == 0 => ImageOrder::InputsFirst,
            (None, true, false) => ImageOrder::InputsFirst,
            (None, false, true) => ImageOrder::OutputsFirst,
            (None, false, false) => return Err(Mismatch::NoOrder),
            (None, true, true) if self.cycles < DECIDED_AFTER => return Ok(None),
            (None, true, true) => return Err(Mismatch::AnyOrder),
        };
        match first {
            ImageOrder::InputsFirst => layout(both.start, both.start + inputs),
            ImageOrder::OutputsFirst => layout(both.start + outputs, both.start),
        }
    }
}
