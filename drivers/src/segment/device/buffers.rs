//! The three buffers of a SyncManager in buffered mode (ETG.1000.4, "Buffered mode").
//!
//! One buffer is being written, one is being read, and one holds the last whole value, so neither side waits and neither sees
//! half a value. The bus addresses the first buffer always, and the controller puts it where it belongs. An access begins with
//! the first byte of the area and ends with the last one, in one datagram or in several; what does not begin there is denied,
//! and what does not end is never exchanged. Buffers lie one behind the other; an area that leaves no room for three, or lies
//! in the registers of a digital terminal, has one.

use super::super::registers::{MEMORY_BYTES, RAM_START, SYNC_MANAGER_START};
use super::Device;

/// Buffers of an area.
const BUFFERS: u8 = 3;
/// Status byte: no buffer was written yet.
const NONE_WRITTEN: u8 = 3 << 4;
/// Status byte: the bus has a buffer open for reading, for writing.
const READING: u8 = 1 << 6;
const WRITING: u8 = 1 << 7;

/// State of the buffers of one SyncManager.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Buffers {
    /// There are three.
    pub triple: bool,
    /// The one that holds the last whole value.
    latest: Option<u8>,
    /// The one that the bus has open.
    open: Option<u8>,
}

impl Buffers {
    /// One that is neither the latest nor open.
    fn free(&self) -> u8 {
        let mut all = 0..BUFFERS;
        all.find(|n| self.latest != Some(*n) && self.open != Some(*n))
            .unwrap_or(0)
    }

    fn status(&self, bus_writes: bool) -> u8 {
        let in_use = if bus_writes { WRITING } else { READING };
        self.latest.map_or(NONE_WRITTEN, |n| n << 4) | self.open.map_or(0, |_| in_use)
    }
}

/// A part of an access that lies in one place.
#[derive(Clone, Copy, Debug)]
pub(super) struct Piece {
    /// Where it ends, as the bus counts.
    pub end: usize,
    /// Where it begins in the memory; none: it is denied.
    pub at: Option<usize>,
}

impl Device {
    /// SyncManager `index` was configured anew.
    pub(super) fn reset_buffers(&mut self, index: usize) {
        let sm = self.sync_managers[index & 15];
        let (start, length) = (usize::from(sm.start), usize::from(sm.length));
        let all = start..start + length * usize::from(BUFFERS);
        let room = sm.enabled
            && !sm.is_mailbox()
            && length > 0
            && start >= usize::from(RAM_START)
            && all.end <= MEMORY_BYTES;
        self.buffers[index & 15] = Buffers {
            triple: room,
            ..Buffers::default()
        };
        if room {
            self.publish_buffers(index);
        }
    }

    /// Areas that others reach into have one buffer only.
    pub(super) fn share_buffers(&mut self) {
        for index in 0..self.channels.in_use {
            let sm = self.sync_managers[index & 15];
            let behind = usize::from(sm.start) + usize::from(sm.length);
            let others = 2 * usize::from(sm.length);
            let mut all = self.sync_managers.iter().enumerate();
            let crowded = all.any(|(n, other)| n != index && other.overlaps(behind, others));
            if crowded && self.buffers[index & 15].triple {
                self.buffers[index & 15].triple = false;
                self.put(usize::from(SYNC_MANAGER_START) + index * 8 + 5, &[0]);
            }
        }
    }

    fn publish_buffers(&mut self, index: usize) {
        let bus_writes = self.sync_managers[index & 15].bus_writes();
        let status = self.buffers[index & 15].status(bus_writes);
        self.put(usize::from(SYNC_MANAGER_START) + index * 8 + 5, &[status]);
    }

    /// The first piece of an access of the bus from `at` to `end`, which the SyncManagers do not forbid.
    pub(super) fn piece(&mut self, at: usize, end: usize, bits: bool) -> Piece {
        let mut limit = end;
        let mut found = None;
        for (index, sm) in self
            .sync_managers
            .iter()
            .enumerate()
            .take(self.channels.in_use)
        {
            if !sm.enabled || !self.buffers[index].triple {
                continue;
            }
            let area = sm.area();
            if area.contains(&at) {
                limit = limit.min(area.end);
                found = Some((index, area, sm.bus_writes()));
            } else if area.start > at {
                limit = limit.min(area.start);
            }
        }
        let Some((index, area, bus_writes)) = found else {
            return Piece {
                end: limit,
                at: Some(at),
            };
        };
        let buffers = &mut self.buffers[index];
        let mut changed = false;
        if at == area.start {
            buffers.open = None;
            let next = if bus_writes {
                buffers.free()
            } else {
                buffers.latest.unwrap_or(0)
            };
            buffers.open = Some(next);
            changed = true;
            if bits && bus_writes {
                // Bits that this access leaves alone are those of the last whole value.
                let from = area.start + usize::from(buffers.latest.unwrap_or(0)) * area.len();
                let to = area.start + usize::from(next) * area.len();
                self.memory.copy_within(from..from + area.len(), to);
            }
        }
        let buffers = &mut self.buffers[index];
        let place = buffers.open.map(|n| at + usize::from(n) * area.len());
        if let (Some(open), true) = (buffers.open, limit == area.end) {
            buffers.open = None;
            changed = true;
            if bus_writes {
                buffers.latest = Some(open);
                self.completed |= 1 << index;
            }
        }
        if changed {
            self.publish_buffers(index);
        }
        Piece {
            end: limit,
            at: place,
        }
    }

    /// Where the last whole value of a SyncManager lies; none where there was none yet.
    pub(super) fn whole(&self, index: usize) -> Option<core::ops::Range<usize>> {
        let (sm, buffers) = (self.sync_managers.get(index)?, self.buffers.get(index)?);
        let area = sm.area();
        if !buffers.triple {
            return Some(area);
        }
        let at = area.start + usize::from(buffers.latest?) * area.len();
        Some(at..at + area.len())
    }

    /// Where the next inputs of a SyncManager go, which are whole then.
    pub(super) fn next_inputs(&mut self, index: usize) -> core::ops::Range<usize> {
        let area = self.sync_managers[index & 15].area();
        let buffers = &mut self.buffers[index & 15];
        if !buffers.triple {
            return area;
        }
        let next = buffers.free();
        buffers.latest = Some(next);
        self.publish_buffers(index);
        let at = area.start + usize::from(next) * area.len();
        at..at + area.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::command as c;
    use crate::segment::Description;
    use crate::segment::testing::Probe;

    /// A SubDevice of 8 bytes each way, in SAFE-OP, without DC.
    fn probe() -> Probe {
        let mut probe = Probe::new(vec![Description::for_test("dev", 8, 8)]);
        probe.write(0x0800, &[0x00, 0x10, 0x80, 0, 0x26, 0, 1, 0]);
        probe.write(0x0808, &[0x80, 0x10, 0x80, 0, 0x22, 0, 1, 0]);
        probe.write(0x0120, &[2, 0]);
        probe.write(0x0810, &[0x00, 0x11, 8, 0, 0x64, 0, 1, 0]);
        probe.write(0x0818, &[0x00, 0x18, 8, 0, 0x20, 0, 1, 0]);
        probe.write(0x0120, &[4, 0]);
        assert_eq!(probe.read::<1>(0x0130), [4]);
        probe
    }

    fn outputs(probe: &mut Probe) -> [u8; 8] {
        // The frame after the one that brought them exchanges them, and the cupboard gives them back.
        probe.read::<1>(0x0130);
        probe.read(0x1800)
    }

    #[test]
    fn half_a_value_is_never_exchanged() {
        let mut probe = probe();
        assert_eq!(probe.read::<1>(0x0815), [NONE_WRITTEN]);
        assert_eq!(probe.write(0x1100, &[1; 8]), 1);
        probe.write(0x0120, &[8, 0]);
        assert_eq!(probe.read::<1>(0x0130), [8]);
        assert_eq!(outputs(&mut probe)[..7], [1; 7]);
        // The first half, and then nothing.
        assert_eq!(probe.write(0x1100, &[2; 4]), 1);
        let [status] = probe.read::<1>(0x0815);
        assert_eq!(
            status & (WRITING | 0x30),
            WRITING,
            "the first buffer is whole, another one open"
        );
        assert_eq!(outputs(&mut probe)[..7], [1; 7]);
        assert_eq!(probe.write(0x1104, &[2; 4]), 1);
        assert_eq!(probe.read::<1>(0x0815), [1 << 4]);
        assert_eq!(outputs(&mut probe)[..7], [2; 7]);
        // What does not begin with the first byte has no buffer.
        assert_eq!(probe.write(0x1104, &[3; 4]), 0);
        assert_eq!(outputs(&mut probe)[..7], [2; 7]);
        // Begun twice, whole once.
        probe.write(0x1100, &[4; 4]);
        probe.write(0x1100, &[5; 8]);
        assert_eq!(outputs(&mut probe)[..7], [5; 7]);
    }

    #[test]
    fn a_reader_sees_one_value_however_it_reads() {
        let mut probe = probe();
        // Every frame latches inputs: the last byte counts. The two halves are of one value nevertheless.
        for _ in 0..20 {
            let mut first = [0; 4];
            assert_eq!(probe.send(c::APRD, 0, 0x1800, &mut first), 1);
            let [status] = probe.read::<1>(0x081d);
            assert_eq!(status & READING, READING);
            let before = probe.read::<1>(0x0130);
            let last: [u8; 4] = probe.read(0x1804);
            assert_eq!(before, [4]);
            let whole: [u8; 8] = probe.read(0x1800);
            // Three frames have passed since the first half was read, and the second was none of them.
            assert_eq!(whole[7].wrapping_sub(last[3]), 4);
        }
        assert_eq!(probe.send(c::APRD, 0, 0x1804, &mut [0; 4]), 0, "not begun");
        assert_eq!(
            probe.write(0x1800, &[0; 8]),
            0,
            "inputs are not written by the bus"
        );
    }
}
