//! One simulated SubDevice: the memory of its controller, and what accesses make it do.

mod effects;
mod faults;
mod power;
mod ram;
mod states;

use super::Description;
use super::al::Al;
use super::application::{AlState, Application};
use super::coe::CoeServer;
use super::dc::Dc;
use super::fmmu::{Fmmu, copy_bits};
use super::mailbox::Message;
use super::plant::Plant;
use super::registers::{
    Access, Effects, FMMUS, MEMORY_BYTES, RAM_START, SYNC_MANAGERS, effect, rows,
};
use super::sii;
use super::sync_manager::SyncManager;

/// Receive mailbox (SM0).
pub const RX_MAILBOX: u16 = 0x1000;
/// Send mailbox (SM1).
pub const TX_MAILBOX: u16 = 0x1080;
/// Size of each mailbox (bytes).
pub const MAILBOX_BYTES: u16 = 128;
/// Outputs (SM2).
pub const OUTPUTS_START: u16 = 0x1100;
/// Inputs (SM3).
pub const INPUTS_START: u16 = 0x1800;
/// Most outputs or inputs of one SubDevice (bytes): three buffers of outputs end before the inputs.
pub const MAX_PROCESS_DATA: usize = 0x200;

/// Time from one SubDevice to the next (ns): with the way back it makes about 1 us a node.
pub const HOP_NS: u64 = 500;

/// Where a SubDevice stands in the line.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    /// SubDevices before it.
    pub before: u64,
    /// SubDevices behind it.
    pub behind: u64,
}

/// How bytes that were read join those already in the datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Merge {
    /// They replace them.
    Copy,
    /// Bitwise or: broadcast.
    Or,
}

/// One SubDevice.
pub struct Device {
    /// What it is.
    pub description: Description,
    memory: Box<[u8]>,
    sii: Vec<u8>,
    fmmus: [Fmmu; FMMUS],
    sync_managers: [SyncManager; SYNC_MANAGERS],
    /// Its clock.
    pub dc: Dc,
    /// Its state machine.
    pub al: Al,
    coe: CoeServer,
    answer: Message,
    /// Of the mailbox service that is under way.
    counter: u8,
    place: Place,
    /// Outputs came since the last SYNC0.
    fresh: bool,
    /// SYNC0 pulses in OP without new outputs.
    missed: u16,
    /// Outputs came since SAFE-OP was entered, the last at this segment time (ns).
    outputs_at: Option<u64>,
    watchdog_ns: u64,
    application: Box<dyn Application>,
    firmware: faults::Firmware,
}

impl Device {
    /// Powers a SubDevice up.
    pub fn new(description: Description, place: Place, application: Box<dyn Application>) -> Self {
        let mut device = Self {
            sii: sii::image(&description),
            description,
            memory: vec![0; MEMORY_BYTES].into_boxed_slice(),
            fmmus: [Fmmu::default(); FMMUS],
            sync_managers: [SyncManager::default(); SYNC_MANAGERS],
            dc: Dc::default(),
            al: Al::default(),
            coe: CoeServer::default(),
            answer: Message::default(),
            counter: 0,
            place,
            fresh: false,
            missed: 0,
            outputs_at: None,
            watchdog_ns: 0,
            application,
            firmware: faults::Firmware::default(),
        };
        // Type, revision, build 0; 8 FMMUs, 4 SyncManagers, 8 KiB; two MII ports; DC with 64 bit and enhanced SYNC.
        device.put(
            0x0000,
            &[
                0x11,
                0,
                0,
                0,
                FMMUS as u8,
                SYNC_MANAGERS as u8,
                8,
                0x0f,
                0x0c,
                0x01,
            ],
        );
        device.put(0x0100, &[0x01, 0x00, 0x07, 0x00]);
        // DL status: PDI running, watchdog fine; links and open loops of the ports in use, closed loops elsewhere.
        let last = place.behind == 0;
        let links = if last { 0x13 } else { 0x33 };
        let loops = if last { 0x56 } else { 0x5a };
        device.put(0x0110, &[links, loops]);
        device.put(0x0140, &[0x05]);
        device.put(0x0400, &2498_u16.to_le_bytes());
        device.put(0x0410, &1000_u16.to_le_bytes());
        device.put(0x0420, &1000_u16.to_le_bytes());
        device.put(0x0440, &[0x01]);
        device.put(0x0502, &[0xc0, 0x00]);
        device.put(0x0930, &[0x00, 0x10, 0x00, 0x00, 0x00, 0x0c]);
        device.apply_watchdog();
        device.publish_al();
        device
    }

    /// Segment time at which a frame sent into the segment at `segment_ns` passes here.
    pub fn passing(&self, segment_ns: u64) -> u64 {
        segment_ns + self.place.before * HOP_NS
    }

    /// Configured station address, and the alias where DL control enables it.
    pub fn answers_to(&self, address: u16) -> bool {
        address == self.word(0x0010)
            || (self.byte(0x0103) & 1 != 0 && address != 0 && address == self.word(0x0012))
    }

    /// Reads `data.len()` bytes from `address` on; returns whether any of them exist and may be read.
    pub fn read(&mut self, address: u16, data: &mut [u8], merge: Merge, segment_ns: u64) -> bool {
        let start = usize::from(address);
        let mut any = false;
        for row in rows(address, data.len()) {
            if row.on_read & effect::SYSTEM_TIME != 0 {
                let now = self.dc.system_ns(self.passing(segment_ns));
                self.put(0x0910, &now.to_le_bytes());
            }
            let first = start.max(usize::from(row.first));
            let end = (start + data.len()).min(usize::from(row.last) + 1);
            if row.first == RAM_START && !self.may_read(first, end - first) {
                continue;
            }
            any = true;
            if let (Some(source), Some(target)) = (
                self.memory.get(first..end),
                data.get_mut(first - start..end - start),
            ) {
                match merge {
                    Merge::Copy => target.copy_from_slice(source),
                    Merge::Or => target.iter_mut().zip(source).for_each(|(t, s)| *t |= s),
                }
            }
        }
        if any {
            self.was_read(start, data.len());
        }
        any
    }

    /// Writes bytes from `address` on; returns whether any of them exist and may be written.
    pub fn write(&mut self, address: u16, data: &[u8], segment_ns: u64, plant: &mut Plant) -> bool {
        let start = usize::from(address);
        let mut effects: Effects = 0;
        let mut any = false;
        for row in rows(address, data.len()) {
            let first = start.max(usize::from(row.first));
            let end = (start + data.len()).min(usize::from(row.last) + 1);
            match row.access {
                Access::ReadOnly => continue,
                Access::Trigger => {
                    if row.on_write & effect::CLEAR != 0
                        && let Some(range) = self
                            .memory
                            .get_mut(usize::from(row.first)..=usize::from(row.last))
                    {
                        range.fill(0);
                    }
                }
                Access::ReadWrite => {
                    if row.first == RAM_START && !self.may_write(first, end - first) {
                        continue;
                    }
                    if let (Some(target), Some(source)) = (
                        self.memory.get_mut(first..end),
                        data.get(first - start..end - start),
                    ) {
                        target.copy_from_slice(source);
                    }
                }
            }
            any = true;
            effects |= row.on_write;
        }
        if effects != 0 {
            self.written(effects, start, data, self.passing(segment_ns), plant);
        }
        any
    }

    /// Logical read; returns whether an FMMU mapped any of it.
    pub fn read_logical(&mut self, logical: u32, data: &mut [u8], segment_ns: u64) -> bool {
        let mut any = false;
        for index in 0..FMMUS {
            let Some(mapped) = self
                .fmmus
                .get(index)
                .filter(|fmmu| fmmu.read)
                .and_then(|fmmu| fmmu.map(logical, data.len()))
            else {
                continue;
            };
            let (first, length) = mapped.physical_bytes();
            let aligned = (mapped.datagram_bit | mapped.physical_bit | mapped.bits) % 8 == 0;
            let (Ok(address), at) = (u16::try_from(first), mapped.datagram_bit / 8) else {
                continue;
            };
            if aligned {
                if let Some(part) = data.get_mut(at..at + length) {
                    any |= self.read(address, part, Merge::Copy, segment_ns);
                }
            } else if self.may_read(first, length) {
                copy_bits(
                    &self.memory,
                    mapped.physical_bit,
                    data,
                    mapped.datagram_bit,
                    mapped.bits,
                );
                any = true;
            }
        }
        any
    }

    /// Logical write; returns whether an FMMU mapped any of it.
    pub fn write_logical(
        &mut self,
        logical: u32,
        data: &[u8],
        segment_ns: u64,
        plant: &mut Plant,
    ) -> bool {
        let mut any = false;
        for index in 0..FMMUS {
            let Some(mapped) = self
                .fmmus
                .get(index)
                .filter(|fmmu| fmmu.write)
                .and_then(|fmmu| fmmu.map(logical, data.len()))
            else {
                continue;
            };
            let (first, length) = mapped.physical_bytes();
            let aligned = (mapped.datagram_bit | mapped.physical_bit | mapped.bits) % 8 == 0;
            let (Ok(address), at) = (u16::try_from(first), mapped.datagram_bit / 8) else {
                continue;
            };
            if aligned {
                if let Some(part) = data.get(at..at + length) {
                    any |= self.write(address, part, segment_ns, plant);
                }
            } else if self.may_write(first, length) {
                copy_bits(
                    data,
                    mapped.datagram_bit,
                    &mut self.memory,
                    mapped.physical_bit,
                    mapped.bits,
                );
                self.ram_written(first, length, self.passing(segment_ns));
                any = true;
            }
        }
        any
    }

    /// SYNC0: outputs take effect, inputs are latched.
    pub fn sync0(&mut self, plant: &mut Plant) {
        self.dc.pulsed();
        if let Some(sync0) = self.dc.sync0 {
            self.put(0x0990, &sync0.next_ns.to_le_bytes());
        }
        if self.al.state == AlState::Op && self.sync_managers[2].enabled && !self.fresh {
            self.missed = self.missed.saturating_add(1);
        }
        self.fresh = false;
        self.exchange(plant);
    }

    /// A frame passed a SubDevice without SYNC0: it is its own event.
    pub fn free_run(&mut self, plant: &mut Plant) {
        if self.dc.sync0.is_none() {
            self.exchange(plant);
        }
    }

    /// Hands outputs to the application (in OP) and takes its inputs (in SAFE-OP and OP).
    fn exchange(&mut self, plant: &mut Plant) {
        let [_, _, outputs, inputs] = self.sync_managers;
        if self.al.state == AlState::Op
            && outputs.enabled
            && self.outputs_at.is_some()
            && let Some(bytes) = self.memory.get(outputs.area())
        {
            self.application.outputs(bytes, plant);
        }
        if self.al.state >= AlState::SafeOp
            && inputs.enabled
            && let Some(bytes) = self.memory.get_mut(inputs.area())
        {
            self.application.inputs(bytes, plant);
        }
    }

    fn byte(&self, at: usize) -> u8 {
        self.memory.get(at).copied().unwrap_or_default()
    }

    fn word(&self, at: usize) -> u16 {
        u16::from_le_bytes([self.byte(at), self.byte(at + 1)])
    }

    fn long(&self, at: usize) -> u64 {
        let mut bytes = [0; 8];
        for (target, byte) in bytes
            .iter_mut()
            .zip(self.memory.get(at..).unwrap_or_default())
        {
            *target = *byte;
        }
        u64::from_le_bytes(bytes)
    }

    fn put(&mut self, at: usize, bytes: &[u8]) {
        if let Some(target) = self.memory.get_mut(at..at + bytes.len()) {
            target.copy_from_slice(bytes);
        }
    }
}
