//! What a write to a register triggers.

use super::super::fmmu::Fmmu;
use super::super::plant::Plant;
use super::super::registers::{Effects, FMMU_START, SYNC_MANAGER_START, effect};
use super::super::sync_manager::SyncManager;
use super::{Channels, Device};

impl Device {
    pub(super) fn written(
        &mut self,
        effects: Effects,
        start: usize,
        data: &[u8],
        now_ns: u64,
        plant: &mut Plant,
    ) {
        if effects & effect::AL_CONTROL != 0 {
            let control = self.byte(0x0120);
            self.request_state(control, now_ns, plant);
        }
        if effects & effect::SII_CONTROL != 0 && start + data.len() > 0x0503 {
            self.eeprom_command();
        }
        if effects & effect::FMMU != 0 {
            for index in 0..self.description.controller.fmmus {
                let at = usize::from(FMMU_START) + index * 16;
                if let (Some(bytes), Some(fmmu)) = (
                    self.memory.get(at..at + 16).and_then(|b| b.try_into().ok()),
                    self.fmmus.get_mut(index),
                ) {
                    *fmmu = Fmmu::decode(bytes);
                }
            }
        }
        if effects & effect::SYNC_MANAGER != 0 {
            self.apply_sync_managers();
        }
        if effects & effect::RECEIVE_TIME != 0 {
            let local = self.dc.local_ns(now_ns);
            let sent_ns = now_ns.wrapping_sub(self.place.passing_ns);
            for (port, received_ns) in self.place.received_ns.into_iter().enumerate() {
                // A closed port keeps what it saw last.
                if let Some(received_ns) = received_ns {
                    let time = self.dc.local_ns(sent_ns.wrapping_add(received_ns)) as u32;
                    self.put(0x0900 + 4 * port, &time.to_le_bytes());
                }
            }
            self.put(0x0918, &local.to_le_bytes());
        }
        if effects & effect::SYSTEM_TIME != 0 {
            let mut received = self.dc.system_ns(now_ns).to_le_bytes();
            for (target, byte) in received.iter_mut().zip(
                data.get(0x0910_usize.saturating_sub(start)..)
                    .unwrap_or_default(),
            ) {
                *target = *byte;
            }
            let difference = self.dc.receive(now_ns, u64::from_le_bytes(received));
            self.put(0x092c, &difference.to_le_bytes());
        }
        if effects & effect::TIME_OFFSET != 0 {
            self.dc.set_offset(self.long(0x0920));
            self.dc.delay_ns = self.long(0x0928) as u32;
        }
        if effects & effect::SYNC_ACTIVATION != 0 {
            let cycles = self.long(0x09a0);
            let (sync0_ns, sync1_ns) = (cycles as u32, (cycles >> 32) as u32);
            let (activation, start_ns) = (self.byte(0x0981), self.long(0x0990));
            self.dc
                .activate(activation, start_ns, (sync0_ns, sync1_ns), now_ns);
            if let Some(next_ns) = self.dc.next_sync1_ns() {
                self.put(0x0998, &next_ns.to_le_bytes());
            }
        }
        if effects & effect::WATCHDOG != 0 {
            self.apply_watchdog();
        }
        if effects & effect::RAM != 0 {
            self.ram_written(start, data.len(), now_ns);
        }
    }

    pub(super) fn apply_sync_managers(&mut self) {
        self.channels = Channels::default();
        for index in 0..self.description.controller.sync_managers {
            let at = usize::from(SYNC_MANAGER_START) + index * 8;
            if let (Some(bytes), Some(sm)) = (
                self.memory.get(at..at + 8).and_then(|b| b.try_into().ok()),
                self.sync_managers.get_mut(index),
            ) {
                let before = core::mem::replace(sm, SyncManager::decode(bytes));
                let (now, is_enabled) = (*sm, sm.enabled);
                if is_enabled {
                    self.channels.in_use = index + 1;
                } else {
                    self.put(at + 5, &[0]);
                }
                if !now.is_same_area(&before) {
                    self.reset_buffers(index);
                }
            }
        }
        self.share_buffers();
        let sm = |at: usize| self.sync_managers.get(at).filter(|sm| sm.enabled);
        let enabled = |(at, _): (usize, usize)| sm(at).is_some();
        let watched = |(at, _): (usize, usize)| sm(at).is_some_and(SyncManager::feeds_watchdog);
        self.channels.outputs = self.pdos.assignments(false).any(enabled);
        self.channels.watched = self.pdos.assignments(false).any(watched);
        self.channels.inputs = self.pdos.assignments(true).any(enabled);
        if self.description.controller.mailboxes.is_none() {
            return;
        }
        // Repeat request: the last answer is put back and the toggle acknowledged.
        let repeat = u8::from(self.sync_managers[1].repeat) << 1;
        if self.byte(0x080f) & 0x02 != repeat {
            self.put(0x080f, &[repeat]);
            if !self.answer.as_bytes().is_empty() {
                self.send_answer();
            }
        }
    }

    pub(super) fn apply_watchdog(&mut self) {
        let unit_ns = (u64::from(self.word(0x0400)) + 2) * 40;
        self.watchdog_ns = u64::from(self.word(0x0420)) * unit_ns;
    }
}
