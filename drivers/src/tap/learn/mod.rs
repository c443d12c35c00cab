//! What a start-up tells: addresses, names, memory management, SyncManagers, objects, states and clocks of every SubDevice.
//!
//! Registers are kept by byte range, as in the device: whatever a master writes and a SubDevice accepts stands here too,
//! and so does what it reads back. Bounds: [`MAX_STATIONS`]; further ones are counted.

mod mailbox;
mod sii;

pub use mailbox::{MAX_OBJECT_BYTES, MAX_OBJECTS, Mailbox};
pub use sii::{MAX_SII_WORDS, Sii, SiiPdo};

use super::exchange::Exchange;
use crate::frame::command as c;
use crate::segment::fmmu::Fmmu;
use crate::segment::sync_manager::SyncManager;

/// Most SubDevices that are told apart.
pub const MAX_STATIONS: usize = 256;

const STATION_ADDRESS: u16 = 0x0010;
const AL_STATUS: u16 = 0x0130;
const AL_CODE: u16 = 0x0134;
const FMMUS: u16 = 0x0600;
const SYNC_MANAGERS: u16 = 0x0800;
const SYSTEM_TIME: u16 = 0x0910;
const SYNC_ACTIVATION: u16 = 0x0981;
const SYNC0_CYCLE: u16 = 0x09a0;

/// One SubDevice.
#[derive(Clone, Debug)]
pub struct Station {
    /// Configured station address.
    pub address: u16,
    /// Place in the ring, counted from 0; none where it was addressed before the listening began.
    pub position: Option<u16>,
    /// AL status and status code, as read last.
    pub al: Option<(u8, u16)>,
    /// Its EEPROM, as far as it was read.
    pub sii: Sii,
    /// Its objects, as far as they passed.
    pub mailbox: Mailbox,
    fmmus: [u8; 256],
    sync_managers: [u8; 128],
    sync0_cycle: [u8; 4],
    sync_activation: [u8; 1],
}

impl Station {
    fn new(address: u16, position: Option<u16>) -> Self {
        Self {
            address,
            position,
            al: None,
            sii: Sii::default(),
            mailbox: Mailbox::default(),
            fmmus: [0; 256],
            sync_managers: [0; 128],
            sync0_cycle: [0; 4],
            sync_activation: [0; 1],
        }
    }

    /// The FMMUs in use.
    pub fn fmmus(&self) -> impl Iterator<Item = Fmmu> {
        let entries = self.fmmus.as_chunks::<16>().0.iter();
        entries
            .map(Fmmu::decode)
            .filter(|fmmu| fmmu.active && fmmu.bits > 0)
    }

    /// The SyncManagers with their numbers, those that are off included.
    pub fn sync_managers(&self) -> impl Iterator<Item = (u16, SyncManager)> {
        let entries = self.sync_managers.as_chunks::<8>().0.iter();
        (0_u16..).zip(entries.map(SyncManager::decode))
    }

    /// Period of SYNC0 (ns); none where it is off.
    pub fn sync0_ns(&self) -> Option<u32> {
        let period_ns = u32::from_le_bytes(self.sync0_cycle);
        let [activation] = self.sync_activation;
        (activation & 0x03 == 0x03 && period_ns > 0).then_some(period_ns)
    }

    /// Objects of the process data in SyncManager `number`, in order, by CoE, else by the SII; empty where neither says.
    pub fn process_objects(&self, number: u16, inputs: bool) -> Vec<(u16, u8, u8)> {
        self.mailbox
            .process_objects(number, &self.sii)
            .unwrap_or_else(|| self.sii.process_objects(number, inputs))
    }

    /// Takes bytes that stand in registers from `offset` on, because they were written or read.
    fn stand(&mut self, offset: u16, data: &[u8]) {
        overlay(&mut self.fmmus, FMMUS, offset, data);
        overlay(&mut self.sync_managers, SYNC_MANAGERS, offset, data);
        overlay(&mut self.sync0_cycle, SYNC0_CYCLE, offset, data);
        overlay(&mut self.sync_activation, SYNC_ACTIVATION, offset, data);
    }

    fn take(&mut self, exchange: &Exchange<'_>) {
        if exchange.wrote() {
            self.stand(exchange.offset, exchange.sent);
            self.sii.written(exchange);
            self.post(exchange, true);
        }
        if exchange.read() {
            if !exchange.is_broadcast() && !exchange.wrote() {
                self.stand(exchange.offset, exchange.back);
            }
            self.sii.read(exchange);
            self.post(exchange, false);
            if let Some(&[status, _]) = exchange.part(exchange.back, AL_STATUS, 2) {
                let code = exchange.part(exchange.back, AL_CODE, 2);
                let before = self.al.map_or(0, |(_, code)| code);
                let code = code.map_or(before, |code| u16::from_le_bytes([code[0], code[1]]));
                self.al = Some((status, code));
            }
        }
    }

    /// A message in a mailbox, on its way to the device (`written`) or from it.
    fn post(&mut self, exchange: &Exchange<'_>, written: bool) {
        let data = if written {
            exchange.sent
        } else {
            exchange.back
        };
        let boxes = self.sync_managers.as_chunks::<8>().0.iter();
        let mut boxes = boxes.map(SyncManager::decode);
        let begins = |sm: &SyncManager| {
            sm.is_mailbox()
                && sm.enabled
                && sm.bus_writes() == written
                && sm.start == exchange.offset
        };
        if !boxes.any(|sm| begins(&sm)) {
            return;
        }
        if written {
            self.mailbox.sent(data);
        } else {
            self.mailbox.received(data);
        }
    }
}

/// A name, in ASCII.
fn printable(bytes: &[u8]) -> String {
    let printable = |byte: &u8| {
        if byte.is_ascii_graphic() || *byte == b' ' {
            char::from(*byte)
        } else {
            '?'
        }
    };
    bytes.iter().map(printable).collect()
}

/// Copies the part of `data`, which begins at register `offset`, that lies in `shadow`, which begins at `start`.
fn overlay(shadow: &mut [u8], start: u16, offset: u16, data: &[u8]) {
    let (start, offset) = (usize::from(start), usize::from(offset));
    let first = start.max(offset);
    let end = (start + shadow.len()).min(offset + data.len());
    if first >= end {
        return;
    }
    if let (Some(to), Some(from)) = (
        shadow.get_mut(first - start..end - start),
        data.get(first - offset..end - offset),
    ) {
        to.copy_from_slice(from);
    }
}

/// What was learnt of a whole segment.
#[derive(Clone, Debug, Default)]
pub struct Learner {
    stations: Vec<Station>,
    /// SubDevices beyond [`MAX_STATIONS`].
    pub dropped: u64,
    /// SubDevices that answered a broadcast last.
    pub count: Option<u16>,
    /// Station address of the clock that the others follow.
    pub reference_clock: Option<u16>,
}

impl Learner {
    /// SubDevices in the order of the ring; those whose place is not known come last, by address.
    pub fn stations(&self) -> &[Station] {
        &self.stations
    }

    /// Takes a datagram that came back.
    pub fn take(&mut self, exchange: &Exchange<'_>) {
        if exchange.is_logical() || exchange.counter == 0 {
            return;
        }
        if exchange.is_broadcast() {
            if exchange.command == c::BRD {
                self.count = Some(exchange.counter);
            }
            for station in &mut self.stations {
                station.take_broadcast(exchange);
            }
            return;
        }
        let named = exchange
            .wrote()
            .then(|| exchange.part(exchange.sent, STATION_ADDRESS, 2));
        if let (Some(position), Some(Some(&[low, high]))) = (exchange.ring_position(), named) {
            self.name(position, u16::from_le_bytes([low, high]));
        }
        if matches!(exchange.command, c::FRMW | c::ARMW) && exchange.offset == SYSTEM_TIME {
            self.reference_clock = exchange.address().or_else(|| {
                let known = self.by_position(exchange.ring_position()?)?;
                Some(known.address)
            });
            return;
        }
        let station = match (exchange.address(), exchange.ring_position()) {
            (Some(address), _) => self.by_address(address),
            (None, Some(position)) => self.by_position(position),
            (None, None) => None,
        };
        if let Some(station) = station {
            station.take(exchange);
        }
    }

    fn by_position(&mut self, position: u16) -> Option<&mut Station> {
        self.stations
            .iter_mut()
            .find(|station| station.position == Some(position))
    }

    fn by_address(&mut self, address: u16) -> Option<&mut Station> {
        if !self.stations.iter().any(|known| known.address == address) {
            self.add(Station::new(address, None));
        }
        self.stations
            .iter_mut()
            .find(|station| station.address == address)
    }

    /// The SubDevice at `position` has got an address.
    fn name(&mut self, position: u16, address: u16) {
        // Whoever had the address before has lost it; one that was known by it alone now has a place.
        let holder = self
            .stations
            .iter()
            .position(|known| known.address == address);
        if let Some(station) = holder.and_then(|at| self.stations.get_mut(at))
            && station.position.is_none_or(|known| known == position)
        {
            station.position = Some(position);
        } else if let Some(station) = self.by_position(position) {
            station.address = address;
        } else {
            self.add(Station::new(address, Some(position)));
        }
        self.sort();
    }

    fn add(&mut self, station: Station) {
        if self.stations.len() < MAX_STATIONS {
            self.stations.push(station);
            self.sort();
        } else {
            self.dropped += 1;
        }
    }

    fn sort(&mut self) {
        self.stations
            .sort_by_key(|known| (known.position.unwrap_or(u16::MAX), known.address));
    }
}

impl Station {
    fn take_broadcast(&mut self, exchange: &Exchange<'_>) {
        // The states of all, or-ed: only where they are equal it is the state of each.
        if let (c::BRD, Some(&[status, _])) =
            (exchange.command, exchange.part(exchange.back, AL_STATUS, 2))
            && matches!(status, 1 | 2 | 4 | 8)
        {
            self.al = Some((status, 0));
        }
        if exchange.wrote() {
            self.stand(exchange.offset, exchange.sent);
            self.sii.written(exchange);
        }
    }
}
