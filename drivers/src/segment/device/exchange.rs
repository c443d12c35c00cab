//! When process data goes to the firmware and comes from it, and the copies on the way.

use super::super::application::AlState;
use super::super::plant::Plant;
use super::super::synchronisation::Event;
use super::{Device, Merge, Piece};

impl Device {
    /// SYNC0 at segment time `now_ns`. Returns whether something of it is to come later: see [`Self::due_ns`].
    pub fn sync0(&mut self, now_ns: u64, plant: &mut Plant) -> bool {
        self.dc.pulsed();
        if let Some(sync0) = self.dc.sync0 {
            self.put(0x0990, &sync0.next_ns.to_le_bytes());
        }
        if let Some(next_ns) = self.dc.next_sync1_ns() {
            self.put(0x0998, &next_ns.to_le_bytes());
        }
        if self.al.state == AlState::Op && self.channels.outputs && !self.fresh {
            self.missed = self.missed.saturating_add(1);
        }
        self.fresh = false;
        for inputs in [false, true] {
            let event_ns = match self.sync.event(inputs, true) {
                Event::Frame => continue,
                Event::Sync0 => Some(0),
                Event::Sync1 => self.dc.sync1_after_pulse(),
            };
            let Some(event_ns) = event_ns else { continue };
            let wait_ns = event_ns + u64::from(self.sync.shift_ns(inputs));
            if wait_ns == 0 {
                self.exchange(inputs, plant);
            } else {
                self.pending[usize::from(inputs)] = Some(now_ns.saturating_add(wait_ns));
            }
        }
        self.due_ns().is_some()
    }

    /// Segment time of the next exchange that comes some time after its SYNC0.
    pub fn due_ns(&self) -> Option<u64> {
        self.pending.into_iter().flatten().min()
    }

    /// Exchanges what is due at segment time `now_ns`; outputs before inputs.
    pub fn shifted(&mut self, now_ns: u64, plant: &mut Plant) {
        for inputs in [false, true] {
            let pending = &mut self.pending[usize::from(inputs)];
            if pending.is_some_and(|at_ns| at_ns <= now_ns) {
                *pending = None;
                self.exchange(inputs, plant);
            }
        }
    }

    /// A frame passed a SubDevice that is not synchronised by its clock: it is its own event.
    pub fn free_run(&mut self, plant: &mut Plant) {
        let sync0 = self.dc.sync0.is_some();
        for inputs in [false, true] {
            if self.sync.event(inputs, sync0) == Event::Frame {
                self.exchange(inputs, plant);
            }
        }
    }

    /// Hands outputs to the application (in OP), or takes its inputs (in SAFE-OP and OP).
    fn exchange(&mut self, inputs: bool, plant: &mut Plant) {
        if inputs {
            if self.al.state >= AlState::SafeOp && self.channels.inputs {
                self.take_inputs(plant);
            }
        } else if self.al.state == AlState::Op {
            if !self.channels.outputs {
                // Firmware without outputs works all the same.
                self.application.outputs(&[], plant);
            } else if self.outputs_at.is_some() {
                self.give_outputs(plant);
            }
        }
    }

    fn give_outputs(&mut self, plant: &mut Plant) {
        let mut channels = self.pdos.assignments(false);
        let (first, second) = (channels.next(), channels.next());
        drop(channels);
        if let (Some((sync_manager, _)), None) = (first, second) {
            if let Some(bytes) = self
                .whole(sync_manager)
                .and_then(|area| self.memory.get(area))
            {
                self.application.outputs(bytes, plant);
            }
            return;
        }
        let mut at = 0;
        for n in 0..self.pdos.assignments(false).count() {
            let Some((sync_manager, _)) = self.pdos.assignments(false).nth(n) else {
                continue;
            };
            let Some(area) = self.whole(sync_manager) else {
                // The values of one of them were never written whole.
                return;
            };
            let end = at + area.len();
            if let (Some(to), Some(from)) = (self.gathered.get_mut(at..end), self.memory.get(area))
            {
                to.copy_from_slice(from);
                at = end;
            }
        }
        self.application
            .outputs(self.gathered.get(..at).unwrap_or_default(), plant);
    }

    fn take_inputs(&mut self, plant: &Plant) {
        let mut channels = self.pdos.assignments(true);
        let (first, second) = (channels.next(), channels.next());
        drop(channels);
        if let (Some((sync_manager, _)), None) = (first, second) {
            let area = self.next_inputs(sync_manager);
            if let Some(bytes) = self.memory.get_mut(area) {
                self.application.inputs(bytes, plant);
            }
            return;
        }
        self.application.inputs(&mut self.gathered, plant);
        let mut at = 0;
        for n in 0..self.pdos.assignments(true).count() {
            let Some((sync_manager, _)) = self.pdos.assignments(true).nth(n) else {
                continue;
            };
            let area = self.next_inputs(sync_manager);
            let end = at + area.len();
            if let (Some(to), Some(from)) = (self.memory.get_mut(area), self.gathered.get(at..end))
            {
                to.copy_from_slice(from);
                at = end;
            }
        }
    }

    /// The bus reads from `first` on; returns whether it may read any of it.
    pub(super) fn copy_out(
        &mut self,
        first: usize,
        target: &mut [u8],
        merge: Merge,
        ram: bool,
    ) -> bool {
        let end = first + target.len();
        let (mut at, mut any) = (first, false);
        while at < end {
            let piece = self.piece_or_whole(at, end, ram);
            let length = piece.end - at;
            let source = piece
                .at
                .and_then(|from| self.memory.get(from..from + length));
            let to = target.get_mut(at - first..piece.end - first);
            if let (Some(source), Some(to)) = (source, to) {
                match merge {
                    Merge::Copy => to.copy_from_slice(source),
                    Merge::Or => to.iter_mut().zip(source).for_each(|(t, s)| *t |= s),
                }
                any = true;
            }
            at = piece.end;
        }
        any
    }

    /// The bus writes from `first` on; returns whether it may write any of it.
    pub(super) fn copy_in(&mut self, first: usize, source: &[u8], ram: bool) -> bool {
        let end = first + source.len();
        let (mut at, mut any) = (first, false);
        while at < end {
            let piece = self.piece_or_whole(at, end, ram);
            let length = piece.end - at;
            let target = piece.at.and_then(|to| self.memory.get_mut(to..to + length));
            if let (Some(to), Some(from)) = (target, source.get(at - first..piece.end - first)) {
                to.copy_from_slice(from);
                any = true;
            }
            at = piece.end;
        }
        any
    }

    /// Registers, and RAM without buffers, are where they seem to be.
    fn piece_or_whole(&mut self, at: usize, end: usize, ram: bool) -> Piece {
        if ram {
            self.piece(at, end, false)
        } else {
            Piece { end, at: Some(at) }
        }
    }

    /// Where bits of an access lie that stays within one buffer; none where they may not be touched.
    pub(super) fn piece_of_bits(&mut self, first: usize, length: usize) -> Option<usize> {
        let piece = self.piece(first, first + length, true);
        piece.at.filter(|_| piece.end == first + length)
    }
}
