//! One simulated SubDevice: the memory of its controller, and what accesses make it do.

mod buffers;
mod eeprom;
mod effects;
mod exchange;
mod faults;
mod links;
mod power;
mod published;
mod ram;
mod states;

use super::Description;
use super::al::Al;
use super::application::Application;
use super::coe::CoeServer;
use super::dc::Dc;
use super::fmmu::{Fmmu, copy_bits};
use super::mailbox::Message;
use super::pdo_config::PdoConfig;
use super::plant::Plant;
use super::registers::{
    Access, CHANNELS_END, Effects, FMMU_START, FMMUS, MEMORY_BYTES, RAM_START, Range,
    SYNC_MANAGER_START, SYNC_MANAGERS, effect, rows,
};
use super::sync_manager::SyncManager;
use super::synchronisation::SyncConfig;
use super::topology::{PORTS, Place};
use buffers::{Buffers, Piece};

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

/// What the SyncManagers are set to, at a glance.
#[derive(Clone, Copy, Debug, Default)]
struct Channels {
    /// SyncManagers up to the last one in use.
    in_use: usize,
    /// One carries outputs.
    outputs: bool,
    /// One that carries outputs feeds the watchdog.
    watched: bool,
    /// One carries inputs.
    inputs: bool,
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
    buffers: [Buffers; SYNC_MANAGERS],
    /// SyncManagers whose outputs the access under way has completed, a bit each.
    completed: u16,
    channels: Channels,
    /// PDO mapping and assignment.
    pdos: PdoConfig,
    /// 0x1C32 and 0x1C33.
    sync: SyncConfig,
    /// Exchanges of outputs and of inputs that come some time after SYNC0 (segment time, ns).
    pending: [Option<u64>; 2],
    /// Room for process data of several SyncManagers.
    gathered: Vec<u8>,
    /// Its clock.
    pub dc: Dc,
    /// Its state machine.
    pub al: Al,
    coe: CoeServer,
    answer: Message,
    /// Of the mailbox service that is under way.
    counter: u8,
    place: Place,
    /// Ports with somebody at the other end.
    links: [bool; PORTS],
    /// Events of DL and AL status that nobody has read yet.
    ecat_events: u16,
    eeprom_fits: bool,
    /// Outputs came since the last SYNC0.
    fresh: bool,
    /// SYNC0 pulses in OP without new outputs.
    missed: u16,
    /// Outputs came since SAFE-OP was entered, the last at this segment time (ns).
    outputs_at: Option<u64>,
    /// When each SyncManager that feeds the watchdog was written last (segment time, ns).
    fed_ns: [u64; SYNC_MANAGERS],
    watchdog_ns: u64,
    application: Box<dyn Application>,
    firmware: faults::Firmware,
}

impl Device {
    /// Powers a SubDevice up that no frame has found yet.
    pub fn new(description: Description, application: Box<dyn Application>) -> Self {
        let eeprom = description.eeprom.clone();
        Self::with_eeprom(description, eeprom, application)
    }

    /// Powers a SubDevice up whose EEPROM was written to since it was built.
    fn with_eeprom(
        description: Description,
        eeprom: Vec<u8>,
        application: Box<dyn Application>,
    ) -> Self {
        let controller = &description.controller;
        let mailboxes = controller.mailboxes;
        let room = mailboxes.map_or(0, |boxes| usize::from(boxes.send_bytes));
        let most =
            (description.output_bytes().max(description.input_bytes())).max(MAX_PROCESS_DATA);
        // Type, revision, build 0; channels, 8 KiB; ports; DC with 64 bit and enhanced SYNC.
        let information = [
            controller.kind,
            0,
            0,
            0,
            controller.fmmus as u8,
            controller.sync_managers as u8,
            8,
            controller.port_descriptor(),
            0x0c,
            0x01,
        ];
        let [pdi, pdi_configuration] = controller.pdi;
        let mut device = Self {
            sii: eeprom,
            pdos: PdoConfig::new(&description, most),
            description,
            memory: vec![0; MEMORY_BYTES].into_boxed_slice(),
            fmmus: [Fmmu::default(); FMMUS],
            sync_managers: [SyncManager::default(); SYNC_MANAGERS],
            buffers: [Buffers::default(); SYNC_MANAGERS],
            completed: 0,
            channels: Channels::default(),
            sync: SyncConfig::default(),
            pending: [None; 2],
            gathered: vec![0; most],
            dc: Dc::default(),
            al: Al::default(),
            coe: CoeServer::new(room),
            answer: Message::default(),
            counter: 0,
            place: Place::default(),
            links: [false; PORTS],
            ecat_events: 0,
            eeprom_fits: true,
            fresh: false,
            missed: 0,
            outputs_at: None,
            fed_ns: [0; SYNC_MANAGERS],
            watchdog_ns: 0,
            application,
            firmware: faults::Firmware::default(),
        };
        device.put(0x0000, &information);
        device.put(0x0100, &[0x01, 0x00, 0x07, 0x00]);
        device.put(0x0140, &pdi.to_le_bytes());
        device.put(0x0150, &pdi_configuration.to_le_bytes());
        device.put(0x0400, &2498_u16.to_le_bytes());
        device.put(0x0410, &1000_u16.to_le_bytes());
        device.put(0x0420, &1000_u16.to_le_bytes());
        device.put(0x0440, &[0x01]);
        device.put(0x0930, &[0x00, 0x10, 0x00, 0x00, 0x00, 0x0c]);
        device.load_eeprom();
        device.publish_links();
        device.apply_watchdog();
        device.publish_al();
        // Nobody has seen another state before.
        device.ecat_events = 0;
        device
    }

    /// Whether this controller has a row of the map: it may have fewer channels than the map.
    fn has(&self, row: &Range) -> bool {
        let controller = &self.description.controller;
        if !(FMMU_START..CHANNELS_END).contains(&row.first) {
            return true;
        }
        let (start, count, bytes) = if row.first < SYNC_MANAGER_START {
            (FMMU_START, controller.fmmus, 16)
        } else {
            (SYNC_MANAGER_START, controller.sync_managers, 8)
        };
        usize::from(row.first) < usize::from(start) + count * bytes
    }

    /// Segment time at which a frame sent into the segment at `segment_ns` passes here.
    pub fn passing(&self, segment_ns: u64) -> u64 {
        segment_ns + self.place.passing_ns
    }

    /// Reads `data.len()` bytes from `address` on; returns whether any of them exist and may be read.
    pub fn read(&mut self, address: u16, data: &mut [u8], merge: Merge, segment_ns: u64) -> bool {
        let start = usize::from(address);
        let mut any = false;
        let mut effects: Effects = 0;
        for row in rows(address, data.len()) {
            if row.on_read & effect::SYSTEM_TIME != 0 {
                let now = self.dc.system_ns(self.passing(segment_ns));
                self.put(0x0910, &now.to_le_bytes());
            }
            if row.on_read & effect::EVENTS != 0 {
                self.publish_events();
            }
            effects |= row.on_read;
            let first = start.max(usize::from(row.first));
            let end = (start + data.len()).min(usize::from(row.last) + 1);
            let open = if row.on_write & effect::RAM != 0 {
                self.may_read(first, end - first)
            } else {
                self.has(row)
            };
            if !open {
                continue;
            }
            if let Some(target) = data.get_mut(first - start..end - start) {
                any |= self.copy_out(first, target, merge, row.on_write & effect::RAM != 0);
            }
        }
        if effects & (effect::DL_STATUS | effect::AL_STATUS) != 0 {
            self.acknowledge(
                effects & effect::DL_STATUS != 0,
                effects & effect::AL_STATUS != 0,
            );
        }
        if any && start + data.len() > usize::from(RAM_START) {
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
            if !self.has(row) {
                continue;
            }
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
                    if row.on_write & effect::RAM != 0 && !self.may_write(first, end - first) {
                        continue;
                    }
                    let ram = row.on_write & effect::RAM != 0;
                    let source = data.get(first - start..end - start);
                    if !source.is_some_and(|source| self.copy_in(first, source, ram)) {
                        continue;
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
        for index in 0..self.description.controller.fmmus {
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
            } else if self.may_read(first, length)
                && let Some(from) = self.piece_of_bits(first, length)
            {
                copy_bits(
                    &self.memory,
                    from * 8 + mapped.physical_bit % 8,
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
        for index in 0..self.description.controller.fmmus {
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
            } else if self.may_write(first, length)
                && let Some(to) = self.piece_of_bits(first, length)
            {
                copy_bits(
                    data,
                    mapped.datagram_bit,
                    &mut self.memory,
                    to * 8 + mapped.physical_bit % 8,
                    mapped.bits,
                );
                self.ram_written(first, length, self.passing(segment_ns));
                any = true;
            }
        }
        any
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
