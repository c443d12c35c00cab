//! What a write to a register triggers.

use super::super::fmmu::Fmmu;
use super::super::plant::Plant;
use super::super::registers::{
    Effects, FMMU_START, FMMUS, SYNC_MANAGER_START, SYNC_MANAGERS, effect,
};
use super::super::sync_manager::SyncManager;
use super::{Device, HOP_NS};

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
            self.sii_command();
        }
        if effects & effect::FMMU != 0 {
            for index in 0..FMMUS {
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
            let back = self.dc.local_ns(now_ns + 2 * self.place.behind * HOP_NS);
            self.put(0x0900, &(local as u32).to_le_bytes());
            if self.place.behind > 0 {
                self.put(0x0904, &(back as u32).to_le_bytes());
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
            let (activation, start_ns, cycle_ns) = (
                self.byte(0x0981),
                self.long(0x0990),
                self.long(0x09a0) as u32,
            );
            self.dc.activate(activation, start_ns, cycle_ns, now_ns);
        }
        if effects & effect::WATCHDOG != 0 {
            self.apply_watchdog();
        }
        if effects & effect::RAM != 0 {
            self.ram_written(start, data.len(), now_ns);
        }
    }

    pub(super) fn sii_command(&mut self) {
        let control = self.word(0x0502);
        let word = usize::from(self.word(0x0504));
        let mut status = 0x00c0; // eight bytes at a time, two address bytes
        if self.byte(0x0500) & 1 != 0 && control & 0x0700 != 0 {
            status |= 0x2000; // the PDI owns the EEPROM
        } else if control & 0x0100 != 0 {
            let mut bytes = [0xff; 8];
            for (target, byte) in bytes
                .iter_mut()
                .zip(self.sii.get(word * 2..).unwrap_or_default())
            {
                *target = *byte;
            }
            self.put(0x0508, &bytes);
        } else if control & 0x0200 != 0 {
            let data = self.word(0x0508).to_le_bytes();
            match self.sii.get_mut(word * 2..word * 2 + 2) {
                Some(target) if control & 1 != 0 => target.copy_from_slice(&data),
                _ => status |= 0x2000,
            }
        } else if control & 0x0400 != 0 {
            let alias = self
                .sii
                .get(8..10)
                .map(|b| [b[0], b[1]])
                .unwrap_or_default();
            self.put(0x0012, &alias);
        }
        self.put(0x0502, &u16::to_le_bytes(status));
        self.flag_eeprom();
    }

    pub(super) fn apply_sync_managers(&mut self) {
        for index in 0..SYNC_MANAGERS {
            let at = usize::from(SYNC_MANAGER_START) + index * 8;
            if let (Some(bytes), Some(sm)) = (
                self.memory.get(at..at + 8).and_then(|b| b.try_into().ok()),
                self.sync_managers.get_mut(index),
            ) {
                *sm = SyncManager::decode(bytes);
                if !sm.enabled {
                    self.put(at + 5, &[0]);
                }
            }
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
