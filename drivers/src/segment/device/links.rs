//! Ports and events: what a SubDevice sees of its cables, and what it reports of itself in every datagram.

use super::super::fmmu::Fmmu;
use super::super::registers::SYNC_MANAGER_START;
use super::super::sync_manager::MAILBOX_FULL;
use super::super::topology::{PORTS, Place};
use super::Device;

/// Event: the DL status has changed; reading 0x0110 clears it.
const DL_STATUS: u16 = 1 << 2;
/// Event: the AL status has changed; reading 0x0130 clears it.
const AL_STATUS: u16 = 1 << 3;
/// Bit of SyncManager 0 among the events for the MainDevice; eight are told.
const SYNC_MANAGER_BIT: usize = 4;
/// All eight.
const SYNC_MANAGER_EVENTS: u16 = 0x0ff0;
/// Bits of the AL event request: process data watchdog, SyncManager 0.
const AL_WATCHDOG: u32 = 1 << 6;
const AL_SYNC_MANAGER_BIT: usize = 8;
/// First lost link counter; a byte for each port.
const LOST_LINKS: usize = 0x0310;

impl Device {
    /// The ring has found it; ports that others answer at are open.
    pub fn set_place(&mut self, place: Place, count_losses: bool) {
        let before = self.links;
        self.place = place;
        self.links = place.received_ns.map(|received| received.is_some());
        self.links_changed(before, count_losses);
    }

    /// The cable at port 0 has broken.
    pub fn lose_cable(&mut self, count_losses: bool) {
        let before = self.links;
        self.links[0] = false;
        self.links_changed(before, count_losses);
    }

    fn links_changed(&mut self, before: [bool; PORTS], count_losses: bool) {
        let now = self.links;
        for (port, (before, now)) in before.iter().zip(now).enumerate() {
            if count_losses && *before && !now {
                self.count_error(LOST_LINKS + port);
            }
        }
        if before != now {
            self.publish_links();
            if count_losses {
                self.ecat_events |= DL_STATUS;
            }
        }
    }

    /// DL control keeps a port closed.
    pub fn is_closed(&self, port: usize) -> bool {
        self.byte(0x0101) >> (2 * port) & 3 == 3
    }

    /// DL status: PDI running, its watchdog fine; link, loop and communication of every port.
    pub(super) fn publish_links(&mut self) {
        let mut status = 0x0003_u16;
        for (port, &open) in self.links.iter().enumerate() {
            status |= if open {
                1 << (4 + port) | 2 << (8 + 2 * port)
            } else {
                1 << (8 + 2 * port)
            };
        }
        self.put(0x0110, &status.to_le_bytes());
    }

    /// An error counter counts up to 255.
    pub fn count_error(&mut self, register: usize) {
        let count = self.byte(register).saturating_add(1);
        self.put(register, &[count]);
    }

    /// Station address, and the alias where DL control enables it (0: none).
    pub fn addresses(&self) -> [u16; 2] {
        let alias = if self.byte(0x0103) & 1 != 0 {
            self.word(0x0012)
        } else {
            0
        };
        [self.word(0x0010), alias]
    }

    /// FMMUs that it has.
    pub fn fmmu_count(&self) -> usize {
        self.description.controller.fmmus
    }

    /// First and last logical byte of each active FMMU.
    pub fn mapped(&self) -> impl Iterator<Item = (u32, u32)> {
        self.fmmus.iter().filter_map(Fmmu::bytes)
    }

    /// Events that it reports in datagrams.
    pub fn event_mask(&self) -> u16 {
        self.word(0x0200)
    }

    /// What it reports in datagrams now.
    pub fn events(&self) -> u16 {
        match self.event_mask() {
            mask if mask & SYNC_MANAGER_EVENTS == 0 => self.ecat_events & mask,
            mask => self.event_request() & mask,
        }
    }

    fn full(&self, sync_manager: usize) -> bool {
        self.byte(usize::from(SYNC_MANAGER_START) + sync_manager * 8 + 5) & MAILBOX_FULL != 0
    }

    fn event_request(&self) -> u16 {
        let count = self.description.controller.sync_managers.min(8);
        let full = (0..count).filter(|&n| self.full(n));
        full.fold(self.ecat_events, |all, n| all | 1 << (SYNC_MANAGER_BIT + n))
    }

    /// The event registers are about to be read.
    pub(super) fn publish_events(&mut self) {
        self.put(0x0210, &self.event_request().to_le_bytes());
        let count = self.description.controller.sync_managers;
        let waiting = (0..count).filter(|&n| {
            let from_bus = self.sync_managers.get(n).is_some_and(|sm| sm.bus_writes());
            from_bus && self.full(n)
        });
        let mut request = waiting.fold(0_u32, |all, n| all | 1 << (AL_SYNC_MANAGER_BIT + n));
        if self.byte(0x0440) & 1 == 0 {
            request |= AL_WATCHDOG;
        }
        self.put(0x0220, &request.to_le_bytes());
    }

    /// The AL status has changed.
    pub(super) fn al_event(&mut self) {
        self.ecat_events |= AL_STATUS;
    }

    /// DL status or AL status was read.
    pub(super) fn acknowledge(&mut self, dl: bool, al: bool) {
        if dl {
            self.ecat_events &= !DL_STATUS;
        }
        if al {
            self.ecat_events &= !AL_STATUS;
        }
    }
}
