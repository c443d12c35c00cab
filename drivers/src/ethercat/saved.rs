//! What is remembered of a SubDevice in OP, so that it can be written again.

use super::frame::command;
use super::line::Line;
use super::port::Port;
use super::registers::address;
use crate::link::Link;

/// SyncManagers, 8 bytes each.
pub const SYNC_MANAGERS: u16 = 0x0800;
/// FMMUs, 16 bytes each.
pub const FMMUS: u16 = 0x0600;
/// Propagation delay.
pub const DELAY: u16 = 0x0928;
/// Control and activation of SYNC0.
pub const ACTIVATION: u16 = 0x0980;
/// System time of the next SYNC0.
pub const START: u16 = 0x0990;
/// Periods of SYNC0 and SYNC1.
pub const SYNC_CYCLES: u16 = 0x09a0;
/// Bytes of the SyncManagers that are remembered: the first eight.
pub const SYNC_MANAGER_BYTES: usize = 64;
/// Bytes of the FMMUs that are remembered: the first eight.
const FMMU_BYTES: usize = 128;

/// An object that is set by SDO in PRE-OP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Startup {
    /// Index.
    pub index: u16,
    /// Subindex.
    pub subindex: u8,
    /// Value, little-endian.
    pub value: [u8; 4],
    /// Its length (bytes, 1 to 4).
    pub length: u8,
}

/// What is remembered of one SubDevice.
#[derive(Clone, Debug)]
pub struct Saved {
    /// Vendor id and product code.
    pub identity: [u8; 8],
    /// FMMUs.
    pub fmmus: [u8; FMMU_BYTES],
    /// SyncManagers, as they are configured.
    pub sync_managers: [u8; SYNC_MANAGER_BYTES],
    /// Propagation delay.
    pub delay: [u8; 4],
    /// Control and activation of SYNC0.
    pub activation: [u8; 2],
    /// System time of a SYNC0 (ns).
    pub start_ns: u64,
    /// Periods of SYNC0 and SYNC1.
    pub cycles: [u8; 8],
    /// Objects set in PRE-OP.
    pub startup: Vec<Startup>,
}

impl Saved {
    /// Nothing read yet.
    pub fn of(identity: (u32, u32), startup: Vec<Startup>) -> Self {
        let mut bytes = [0; 8];
        let (vendor, product) = bytes.split_at_mut(4);
        vendor.copy_from_slice(&identity.0.to_le_bytes());
        product.copy_from_slice(&identity.1.to_le_bytes());
        Self {
            identity: bytes,
            fmmus: [0; FMMU_BYTES],
            sync_managers: [0; SYNC_MANAGER_BYTES],
            delay: [0; 4],
            activation: [0; 2],
            start_ns: 0,
            cycles: [0; 8],
            startup,
        }
    }

    /// Whether it takes part in SYNC0.
    pub fn has_clock(&self) -> bool {
        self.activation[1] & 1 != 0
    }

    /// Start and length of its send mailbox, if it has one.
    pub fn mailbox(&self) -> Option<(u16, usize)> {
        let &[s0, s1, l0, l1, control, _, active, _] = self.sync_managers.get(8..16)? else {
            return None;
        };
        let length = usize::from(u16::from_le_bytes([l0, l1]));
        let is_mailbox = control & 0x0f == 0x02 && active & 1 != 0 && length >= 16;
        is_mailbox.then(|| (u16::from_le_bytes([s0, s1]), length))
    }

    /// What a frame needs to it from the reference clock (ns).
    pub fn delay_ns(&self) -> u64 {
        u64::from(u32::from_le_bytes(self.delay))
    }

    /// Reads the registers of SubDevice `n`, which is in OP. Returns whether all answered.
    pub fn read<L: Link>(&mut self, line: &mut Line, port: &mut Port<L>, n: usize) -> bool {
        let mut start = [0; 8];
        let station = address(n);
        let mut read = |register: u16, into: &mut [u8]| {
            let answer = line.access(port, command::FPRD, station, register, into.len(), &[]);
            answer.is_some_and(|bytes| {
                into.copy_from_slice(bytes);
                true
            })
        };
        let (low, high) = self.fmmus.split_at_mut(FMMU_BYTES / 2);
        // A small controller has fewer of each: what it lacks does not answer, and stays zero.
        let _ = read(FMMUS + 64, high);
        let all = read(FMMUS, low)
            && read(SYNC_MANAGERS, &mut self.sync_managers[..32])
            && read(DELAY, &mut self.delay)
            && read(ACTIVATION, &mut self.activation)
            && read(START, &mut start)
            && read(SYNC_CYCLES, &mut self.cycles);
        let _ = read(SYNC_MANAGERS + 32, &mut self.sync_managers[32..]);
        self.start_ns = u64::from_le_bytes(start);
        // What a SyncManager does at the moment is not to be written again.
        for sm in self.sync_managers.chunks_mut(8) {
            sm[5] = 0;
            sm[6] &= 1;
            sm[7] = 0;
        }
        all
    }
}
