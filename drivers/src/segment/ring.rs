//! The way of a datagram round the segment: which SubDevices it concerns, without asking each of them.

use super::absence::Absence;
use super::datagram::Passing;
use super::device::Device;
use super::plant::Plant;
use super::topology::{Place, Topology};
use crate::frame::{Datagram, command as c};

/// Registers below this address hold what the ring remembers of each SubDevice: its addresses, its event mask, its FMMUs.
const REMEMBERED_END: u16 = 0x0700;

/// A piece of the logical address space.
#[derive(Clone, Copy, Debug)]
struct Mapped {
    /// First and last logical byte.
    bytes: (u32, u32),
    /// Position of the SubDevice.
    at: usize,
}

/// The ring as it is now.
#[derive(Debug)]
pub struct Ring {
    topology: Topology,
    /// Positions of those that a frame reaches, in the order that it passes them.
    order: Vec<usize>,
    places: Vec<Place>,
    /// Station address and alias (0: none) of each, side by side with `order`.
    addresses: Vec<[u16; 2]>,
    /// What their FMMUs map, in the same order.
    mapped: Vec<Mapped>,
    /// Somebody reports events in datagrams.
    events: bool,
    /// What is remembered may be out of date.
    stale: bool,
}

/// How far a frame comes, and who does not look at it.
#[derive(Clone, Copy, Debug)]
pub struct Way {
    /// SubDevices, in the order of the ring, that it passes whole.
    pub turns: usize,
    /// This one lets its logical datagrams pass.
    pub let_pass: Option<usize>,
}

impl Ring {
    /// The ring of SubDevices that hang at the given ports; see [`Topology::new`].
    pub fn new(hooks: &[Option<(usize, usize)>], devices: &mut [Device]) -> Self {
        // Room for all that can be active: nothing allocates in the cycle.
        let fmmus = devices.iter().map(Device::fmmu_count).sum();
        let mut ring = Self {
            topology: Topology::new(hooks),
            order: Vec::with_capacity(hooks.len()),
            places: vec![Place::default(); hooks.len()],
            addresses: Vec::with_capacity(hooks.len()),
            mapped: Vec::with_capacity(fmmus),
            events: false,
            stale: true,
        };
        ring.survey(&[], 0, devices, false);
        ring
    }

    /// Those that a frame reaches, in the order that it passes them.
    pub fn order(&self) -> &[usize] {
        &self.order
    }

    /// When SubDevice `at` has its turn; none where no frame reaches it.
    pub fn turn_of(&self, at: usize) -> Option<usize> {
        self.order.iter().position(|known| *known == at)
    }

    /// Nobody is reached.
    pub fn is_empty(&self) -> bool {
        self.order.is_empty()
    }

    /// Lets a frame find its way past the gaps; SubDevices see whether their links are up.
    pub fn survey(
        &mut self,
        absences: &[Absence],
        segment_ns: u64,
        devices: &mut [Device],
        count_losses: bool,
    ) {
        let cut = |at| {
            let mut here = absences.iter().filter(|absence| absence.position == at);
            here.any(|absence| absence.is_there(segment_ns))
        };
        self.topology
            .survey(&cut, &mut self.order, &mut self.places);
        let reached = |at: &usize| self.order.contains(at);
        for (at, (device, place)) in devices.iter_mut().zip(&self.places).enumerate() {
            // Who is not reached keeps its links but the one that broke: nobody knows what it sees.
            if reached(&at) {
                device.set_place(*place, count_losses);
            } else if cut(at) {
                device.lose_cable(count_losses);
            }
        }
        self.stale = true;
    }

    fn remember(&mut self, devices: &[Device]) {
        self.addresses.clear();
        self.mapped.clear();
        self.events = false;
        for &at in &self.order {
            let Some(device) = devices.get(at) else {
                continue;
            };
            self.addresses.push(device.addresses());
            let mapped = device.mapped().map(|bytes| Mapped { bytes, at });
            self.mapped.extend(mapped);
            self.events |= device.event_mask() != 0;
        }
        self.stale = false;
    }

    /// Lets a datagram pass.
    pub fn pass(
        &mut self,
        frame: &mut [u8],
        datagram: Datagram,
        way: Way,
        devices: &mut [Device],
        segment_ns: u64,
        plant: &mut Plant,
    ) {
        if self.stale {
            self.remember(devices);
        }
        let Some(mut passing) = Passing::new(frame, datagram, segment_ns) else {
            return;
        };
        let order = (self.order.get(..way.turns)).unwrap_or(&self.order);
        let count = order.len();
        let position = passing.position();
        match datagram.command {
            c::APRD | c::APWR | c::APRW | c::ARMW => {
                // It is meant where the position, counted up on the way, is 0.
                let meant = usize::from(0_u16.wrapping_sub(position));
                if datagram.command == c::ARMW {
                    for (n, &at) in order.iter().enumerate() {
                        passing.apply(devices.get_mut(at), n == meant, plant);
                    }
                } else if let Some(&at) = order.get(meant) {
                    passing.apply(devices.get_mut(at), true, plant);
                }
                passing.count_up(count);
            }
            c::FPRD | c::FPWR | c::FPRW => {
                for (addresses, &at) in self.addresses.iter().zip(order) {
                    if answers(addresses, position) {
                        passing.apply(devices.get_mut(at), true, plant);
                    }
                }
            }
            c::FRMW => {
                for (addresses, &at) in self.addresses.iter().zip(order) {
                    passing.apply(devices.get_mut(at), answers(addresses, position), plant);
                }
            }
            c::BRD | c::BWR | c::BRW => {
                for &at in order {
                    passing.apply(devices.get_mut(at), true, plant);
                }
                passing.count_up(count);
            }
            c::LRD | c::LWR | c::LRW => {
                let (first, length) = passing.logical();
                let last = u64::from(first) + length as u64;
                let mut done = None;
                for &Mapped { bytes, at } in &self.mapped {
                    let overlaps = u64::from(bytes.0) < last && bytes.1 >= first;
                    // A SubDevice looks at all of its FMMUs at once.
                    let comes = count == self.order.len() || order.contains(&at);
                    let looks = comes && way.let_pass != Some(at);
                    if overlaps && looks && done != Some(at) {
                        passing.apply(devices.get_mut(at), true, plant);
                        done = Some(at);
                    }
                }
            }
            _ => {}
        }
        if self.events {
            let reported = order.iter().filter_map(|&at| devices.get(at));
            passing.report(reported.fold(0, |all, device| all | device.events()));
        }
        if passing.is_physical_write() && passing.offset() < REMEMBERED_END {
            self.stale = true;
        }
    }

    /// All that a frame has passed see its end.
    pub fn end_of_frame(&self, way: Way, devices: &mut [Device], plant: &mut Plant) {
        for &at in self.order.iter().take(way.turns) {
            if let Some(device) = devices.get_mut(at) {
                device.free_run(plant);
            }
        }
    }
}

/// Station address, or alias where it is in use.
fn answers(addresses: &[u16; 2], address: u16) -> bool {
    addresses[0] == address || (addresses[1] == address && address != 0)
}
