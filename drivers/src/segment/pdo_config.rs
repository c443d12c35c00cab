//! PDO mapping and assignment as they are now: 0x1600 and 0x1A00 on, 0x1C10 on (ETG.1000.6, 5.6.7.4; ETG.1020, 8).
//!
//! Both are lists. A list is written in PRE-OP only: its subindex 0 first, with 0, then its entries in order, then subindex 0
//! with their number. What it says is checked against the lengths of the SyncManagers when SAFE-OP is entered.

use super::Description;
use super::application::{
    ABORT_LENGTH, ABORT_NO_OBJECT, ABORT_NO_SUBINDEX, ABORT_RANGE, ABORT_READ_ONLY,
};
use super::controller::Area;
use super::sii_image::PdoRow;
use twinstep_config::machine::PdoEntry;

/// Abort: the object cannot be mapped into the PDO.
pub const ABORT_NOT_MAPPABLE: u32 = 0x0604_0041;
/// Abort: number and length of the objects exceed the length of the PDO.
pub const ABORT_TOO_LONG: u32 = 0x0604_0042;
/// Abort: not in this state.
pub const ABORT_STATE: u32 = 0x0800_0022;
/// Abort: an entry can only be written while subindex 0 is 0.
pub const ABORT_IN_USE: u32 = 0x0601_0003;
/// Most entries of a list.
pub const MAX_ENTRIES: usize = 64;

/// A list with the number of its entries in use: subindex 0.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct List<T> {
    entries: Vec<T>,
    count: usize,
}

impl<T: Copy> List<T> {
    fn of(entries: impl IntoIterator<Item = T>) -> Self {
        let entries: Vec<T> = entries.into_iter().collect();
        Self {
            count: entries.len(),
            entries,
        }
    }

    fn in_use(&self) -> &[T] {
        self.entries.get(..self.count).unwrap_or_default()
    }

    /// Subindex 0 is written.
    fn set_count(&mut self, data: &[u8]) -> Result<(), u32> {
        let &[count] = data else {
            return Err(ABORT_LENGTH);
        };
        let count = usize::from(count);
        if count == 0 {
            self.entries.clear();
            self.count = 0;
        } else if self.count != 0 && count != self.count {
            return Err(ABORT_IN_USE);
        } else if count > self.entries.len() {
            return Err(ABORT_RANGE);
        } else {
            self.count = count;
        }
        Ok(())
    }

    /// Another subindex is written.
    fn set(&mut self, subindex: u8, entry: T) -> Result<(), u32> {
        if self.count != 0 {
            return Err(ABORT_IN_USE);
        }
        let at = usize::from(subindex).saturating_sub(1);
        if at >= MAX_ENTRIES {
            return Err(ABORT_TOO_LONG);
        }
        let next = self.entries.len();
        match self.entries.get_mut(at) {
            Some(place) => *place = entry,
            None if at == next => self.entries.push(entry),
            None => return Err(ABORT_NO_SUBINDEX),
        }
        Ok(())
    }
}

/// A PDO.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Pdo {
    index: u16,
    entries: List<PdoEntry>,
}

/// A SyncManager with process data and the PDOs assigned to it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Channel {
    sync_manager: usize,
    start: u16,
    /// What it carries where no PDO says it: a device without PDOs.
    fixed_bytes: u16,
    pdos: List<u16>,
}

/// One direction.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Direction {
    pdos: Vec<Pdo>,
    channels: Vec<Channel>,
    /// Objects that may be mapped beside those that the application has: those of the image.
    known: Vec<PdoEntry>,
}

/// What a write concerns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Target {
    Mapping(usize),
    Assignment(usize),
}

/// See the module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PdoConfig {
    /// Outputs, inputs.
    directions: [Direction; 2],
    can_assign: bool,
    can_map: bool,
    /// It was written to since it was looked at last.
    changed: bool,
    largest_bytes: usize,
}

/// Whether the application has an object, by bits; and whether it may stand in an RxPDO (else a TxPDO).
pub type Mappable<'a> = &'a dyn Fn(PdoEntry, bool) -> Result<(), u32>;

impl PdoConfig {
    /// As a device has it after power-up. At most `largest_bytes` fit into one direction.
    pub fn new(description: &Description, largest_bytes: usize) -> Self {
        let direction = |rows: &[PdoRow], areas: &[Area]| Direction {
            pdos: rows
                .iter()
                .map(|row| Pdo {
                    index: row.index,
                    entries: List::of(row.entries.iter().copied()),
                })
                .collect(),
            channels: areas
                .iter()
                .map(|area| {
                    let here = |row: &&PdoRow| {
                        !row.entries.is_empty()
                            && row.sync_manager.map(usize::from) == Some(area.sync_manager)
                    };
                    let assigned = rows.iter().filter(here).map(|row| row.index);
                    let pdos = List::of(assigned);
                    Channel {
                        sync_manager: area.sync_manager,
                        start: area.start,
                        fixed_bytes: if pdos.count == 0 { area.bytes } else { 0 },
                        pdos,
                    }
                })
                .collect(),
            known: rows
                .iter()
                .flat_map(|row| row.entries.iter().copied())
                .collect(),
        };
        let controller = &description.controller;
        Self {
            directions: [
                direction(&description.rx_pdos, &controller.outputs),
                direction(&description.tx_pdos, &controller.inputs),
            ],
            can_assign: description.pdo_assignment,
            can_map: description.pdo_mapping,
            changed: false,
            largest_bytes,
        }
    }

    /// PDOs and how many objects each has now: outputs, then inputs.
    pub fn pdos(&self, inputs: bool) -> impl Iterator<Item = (u16, usize)> {
        let direction = &self.directions[usize::from(inputs)];
        let row = |pdo: &Pdo| (pdo.index, pdo.entries.count);
        direction.pdos.iter().map(row)
    }

    /// SyncManagers and how many PDOs each has now.
    pub fn assignments(&self, inputs: bool) -> impl Iterator<Item = (usize, usize)> {
        let direction = &self.directions[usize::from(inputs)];
        let row = |channel: &Channel| (channel.sync_manager, channel.pdos.count);
        direction.channels.iter().map(row)
    }

    /// The list can be written.
    pub fn is_writable(&self, index: u16) -> bool {
        match index {
            0x1c10..=0x1c1f => self.can_assign,
            _ => self.can_map,
        }
    }

    /// Objects in the process data of a direction, in order.
    pub fn entries(&self, inputs: bool) -> impl Iterator<Item = PdoEntry> {
        let direction = &self.directions[usize::from(inputs)];
        let of = |index: &u16| {
            let pdo = direction.pdos.iter().find(|pdo| pdo.index == *index);
            pdo.map_or(&[][..], |pdo| pdo.entries.in_use())
        };
        let assigned = direction.channels.iter().flat_map(|c| c.pdos.in_use());
        assigned.flat_map(of).copied()
    }

    /// What the SyncManagers of a direction have to carry.
    pub fn areas(&self, inputs: bool) -> impl Iterator<Item = Area> {
        let direction = &self.directions[usize::from(inputs)];
        direction.channels.iter().map(|channel| Area {
            sync_manager: channel.sync_manager,
            start: channel.start,
            bytes: direction.bytes(channel),
        })
    }

    /// Bytes of a direction.
    pub fn bytes(&self, inputs: bool) -> usize {
        self.areas(inputs).map(|area| usize::from(area.bytes)).sum()
    }

    /// Whether it was written to since the last call.
    pub fn take_changed(&mut self) -> bool {
        core::mem::take(&mut self.changed)
    }

    fn find(&self, index: u16) -> Option<(usize, Target)> {
        let at = |direction: &Direction| match index {
            0x1c10..=0x1c1f => {
                let sync_manager = usize::from(index - 0x1c10);
                let mut all = direction.channels.iter();
                all.position(|channel| channel.sync_manager == sync_manager)
                    .map(Target::Assignment)
            }
            _ => {
                let mut all = direction.pdos.iter();
                all.position(|pdo| pdo.index == index).map(Target::Mapping)
            }
        };
        let mut directions = self.directions.iter().enumerate();
        directions.find_map(|(n, direction)| at(direction).map(|target| (n, target)))
    }

    /// SDO upload; none where the object is no list of this device.
    pub fn read(&self, index: u16, subindex: u8) -> Option<Result<(u32, usize), u32>> {
        let (direction, target) = self.find(index)?;
        let direction = &self.directions[direction];
        let at = usize::from(subindex).checked_sub(1);
        let value = match (target, at) {
            (Target::Mapping(n), None) => Some((direction.pdos[n].entries.count as u32, 1)),
            (Target::Assignment(n), None) => Some((direction.channels[n].pdos.count as u32, 1)),
            (Target::Mapping(n), Some(at)) => {
                let entry = direction.pdos[n].entries.entries.get(at);
                entry.map(|entry| (word(*entry), 4))
            }
            (Target::Assignment(n), Some(at)) => {
                let pdo = direction.channels[n].pdos.entries.get(at);
                pdo.map(|pdo| (u32::from(*pdo), 2))
            }
        };
        Some(value.ok_or(ABORT_NO_SUBINDEX))
    }

    /// SDO download of one entry; `pre_op`: the device is in PRE-OP.
    ///
    /// # Errors
    /// A CoE abort code.
    pub fn write(
        &mut self,
        index: u16,
        subindex: u8,
        data: &[u8],
        pre_op: bool,
        mappable: Mappable<'_>,
    ) -> Result<(), u32> {
        let (inputs, target) = self.find(index).ok_or(ABORT_NO_OBJECT)?;
        if !self.is_writable(index) {
            return Err(ABORT_READ_ONLY);
        }
        if !pre_op {
            return Err(ABORT_STATE);
        }
        let before = self.directions[inputs].clone();
        let direction = &mut self.directions[inputs];
        let done = direction.write(target, subindex, data, inputs == 0, mappable);
        let fits = self.bytes(inputs == 1) <= self.largest_bytes;
        let result = done.and(if fits { Ok(()) } else { Err(ABORT_TOO_LONG) });
        if result.is_err() {
            self.directions[inputs] = before;
        } else {
            self.changed = true;
        }
        result
    }

    /// SDO download of a whole list by Complete Access, from subindex 0 on: its number (16 bits), then its entries.
    ///
    /// # Errors
    /// A CoE abort code; the list is as it was then.
    pub fn write_complete(
        &mut self,
        index: u16,
        data: &[u8],
        pre_op: bool,
        mappable: Mappable<'_>,
    ) -> Result<(), u32> {
        let before = self.clone();
        let result = self.write_list(index, data, pre_op, mappable);
        if result.is_err() {
            *self = before;
        }
        result
    }

    fn write_list(
        &mut self,
        index: u16,
        data: &[u8],
        pre_op: bool,
        mappable: Mappable<'_>,
    ) -> Result<(), u32> {
        let (&[count, high], entries) = data.split_first_chunk().ok_or(ABORT_LENGTH)?;
        let width = if matches!(index, 0x1c10..=0x1c1f) {
            2
        } else {
            4
        };
        if high != 0 || entries.len() < usize::from(count) * width {
            return Err(ABORT_LENGTH);
        }
        self.write(index, 0, &[0], pre_op, mappable)?;
        for (subindex, entry) in (1..=count).zip(entries.chunks_exact(width)) {
            self.write(index, subindex, entry, pre_op, mappable)?;
        }
        self.write(index, 0, &[count], pre_op, mappable)
    }
}

impl Direction {
    fn bytes(&self, channel: &Channel) -> u16 {
        let of = |index: &u16| {
            let pdo = self.pdos.iter().find(|pdo| pdo.index == *index);
            pdo.map_or(&[][..], |pdo| pdo.entries.in_use())
        };
        let bits: usize = (channel.pdos.in_use().iter().flat_map(of))
            .map(|entry| usize::from(entry.bits))
            .sum();
        let bytes = u16::try_from(bits.div_ceil(8)).unwrap_or(u16::MAX);
        bytes.max(channel.fixed_bytes)
    }

    fn write(
        &mut self,
        target: Target,
        subindex: u8,
        data: &[u8],
        outputs: bool,
        mappable: Mappable<'_>,
    ) -> Result<(), u32> {
        match target {
            Target::Mapping(n) if subindex == 0 => self.pdos[n].entries.set_count(data),
            Target::Mapping(n) => {
                let &[bits, sub, low, high] = data else {
                    return Err(ABORT_LENGTH);
                };
                let entry = PdoEntry {
                    index: u16::from_le_bytes([low, high]),
                    subindex: sub,
                    bits,
                };
                let filler = entry.index == 0 && entry.bits.is_multiple_of(8);
                if !filler && !self.known.contains(&entry) {
                    mappable(entry, outputs)?;
                }
                self.pdos[n].entries.set(subindex, entry)
            }
            Target::Assignment(n) if subindex == 0 => self.channels[n].pdos.set_count(data),
            Target::Assignment(n) => {
                let &[low, high] = data else {
                    return Err(ABORT_LENGTH);
                };
                let index = u16::from_le_bytes([low, high]);
                let assigned = |channel: &Channel| channel.pdos.entries.contains(&index);
                if !self.pdos.iter().any(|pdo| pdo.index == index) {
                    return Err(ABORT_NOT_MAPPABLE);
                }
                if self.channels.iter().any(assigned) {
                    return Err(ABORT_RANGE);
                }
                self.channels[n].pdos.set(subindex, index)
            }
        }
    }
}

fn word(entry: PdoEntry) -> u32 {
    u32::from(entry.index) << 16 | u32::from(entry.subindex) << 8 | u32::from(entry.bits)
}

#[cfg(test)]
#[path = "pdo_config_tests.rs"]
mod tests;
