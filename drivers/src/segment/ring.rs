//! The way of a datagram round the segment: which SubDevices it concerns, without asking each of them.

use super::absence::Absence;
use super::datagram::Passing;
use super::device::Device;
use super::plant::Plant;
use super::topology::{Place, Topology};
use crate::frame::{Datagram, command as c};
use crate::link::Side;

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

/// What is known of the frames that come in at one end.
#[derive(Debug, Default)]
struct Way {
    /// Positions of those that they reach, in the order that they pass them.
    order: Vec<usize>,
    /// Station address and alias (0: none) of each, side by side with `order`.
    addresses: Vec<[u16; 2]>,
    /// What their FMMUs map, in the same order.
    mapped: Vec<Mapped>,
    /// Somebody reports events in datagrams.
    events: bool,
    /// Where they come out; none: nowhere.
    exit: Option<Side>,
}

impl Way {
    /// Room for all that can be active: nothing allocates in the cycle.
    fn new(subdevices: usize, fmmus: usize) -> Self {
        Self {
            order: Vec::with_capacity(subdevices),
            addresses: Vec::with_capacity(subdevices),
            mapped: Vec::with_capacity(fmmus),
            ..Self::default()
        }
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
    }
}

/// The ring as it is now.
#[derive(Debug)]
pub struct Ring {
    topology: Topology,
    /// Ways from either end.
    ways: [Way; 2],
    places: Vec<Place>,
    /// No cable in front of each; last, whether the redundant cable is cut.
    cut: Vec<bool>,
    /// The line comes back to the MainDevice by a redundant cable.
    redundant: bool,
    /// The port that it is plugged into is closed by DL control.
    closed: bool,
    /// What is remembered may be out of date.
    stale: bool,
}

/// How far a frame comes, and who does not look at it.
#[derive(Clone, Copy, Debug)]
pub struct Travel {
    /// End that it comes in at.
    pub side: Side,
    /// SubDevices, in the order of the ring, that it passes whole.
    pub turns: usize,
    /// This one lets its logical datagrams pass.
    pub let_pass: Option<usize>,
}

impl Ring {
    /// The ring of SubDevices that hang at the given ports; see [`Topology::new`].
    pub fn new(hooks: &[Option<(usize, usize)>], devices: &mut [Device]) -> Self {
        let fmmus = devices.iter().map(Device::fmmu_count).sum();
        let mut ring = Self {
            topology: Topology::new(hooks),
            ways: [Way::new(hooks.len(), fmmus), Way::new(hooks.len(), fmmus)],
            places: vec![Place::default(); hooks.len()],
            cut: vec![false; hooks.len() + 1],
            redundant: false,
            closed: false,
            stale: true,
        };
        ring.find_ways(devices, false);
        ring
    }

    /// Plugs a redundant cable in.
    pub fn make_redundant(&mut self, devices: &mut [Device]) {
        self.redundant = true;
        self.find_ways(devices, false);
    }

    /// There is a redundant cable.
    pub fn is_redundant(&self) -> bool {
        self.redundant
    }

    fn way(&self, side: Side) -> &Way {
        let [first, second] = &self.ways;
        match side {
            Side::Primary => first,
            Side::Secondary => second,
        }
    }

    /// Those that a frame from an end reaches, in the order that it passes them.
    pub fn order(&self, side: Side) -> &[usize] {
        &self.way(side).order
    }

    /// Where a frame from an end comes out; none: nowhere.
    pub fn exit(&self, side: Side) -> Option<Side> {
        self.way(side).exit
    }

    /// When SubDevice `at` has its turn; none where no frame from that end reaches it.
    pub fn turn_of(&self, side: Side, at: usize) -> Option<usize> {
        self.order(side).iter().position(|known| *known == at)
    }

    /// Lets frames find their way past the gaps; SubDevices see whether their links are up.
    pub fn survey(
        &mut self,
        absences: &[Absence],
        segment_ns: u64,
        devices: &mut [Device],
        count_losses: bool,
    ) {
        self.cut.fill(false);
        for absence in absences.iter().filter(|gap| gap.is_there(segment_ns)) {
            if let Some(cut) = self.cut.get_mut(absence.position) {
                *cut = true;
            }
            if !(self.redundant && absence.unpowered) {
                continue;
            }
            // Without power there is no way on to those behind it, nor from them.
            let last = self.cut.len().saturating_sub(1);
            for behind in 0..self.cut.len() {
                let hangs = if behind == last {
                    self.topology.end() == Some(absence.position)
                } else {
                    self.topology.parent(behind) == Some(absence.position)
                };
                if let (true, Some(cut)) = (hangs, self.cut.get_mut(behind)) {
                    *cut = true;
                }
            }
        }
        self.find_ways(devices, count_losses);
    }

    fn find_ways(&mut self, devices: &mut [Device], count_losses: bool) {
        let Self {
            topology,
            ways: [first, second],
            places,
            cut,
            redundant,
            closed,
            ..
        } = self;
        let is_cut = |at: usize| cut.get(at).copied().unwrap_or(true);
        if *redundant {
            let no_cable = |at| is_cut(at) || (at == devices.len() && *closed);
            let orders = [&mut first.order, &mut second.order];
            [first.exit, second.exit] = topology.survey_ring(&no_cable, orders, places);
        } else {
            topology.survey(&is_cut, &mut first.order, places);
            first.exit = (!first.order.is_empty()).then_some(Side::Primary);
        }
        let reached = |at: &usize| first.order.contains(at) || second.order.contains(at);
        for (at, (device, place)) in devices.iter_mut().zip(&*places).enumerate() {
            // Who is not reached keeps its links but the one that broke: nobody knows what it sees.
            if reached(&at) {
                device.set_place(*place, count_losses);
            } else if is_cut(at) {
                device.lose_cable(count_losses);
            }
        }
        self.stale = true;
    }

    fn remember(&mut self, devices: &mut [Device]) {
        let end = self.topology.end().and_then(|end| devices.get(end));
        let closed = end.is_some_and(|device| device.is_closed(1));
        if self.redundant && closed != self.closed {
            self.closed = closed;
            self.find_ways(devices, false);
        }
        for way in &mut self.ways {
            way.remember(devices);
        }
        self.stale = false;
    }

    /// Lets a datagram pass.
    pub fn pass(
        &mut self,
        frame: &mut [u8],
        datagram: Datagram,
        travel: Travel,
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
        let [first, second] = &self.ways;
        let way = match travel.side {
            Side::Primary => first,
            Side::Secondary => second,
        };
        let order = (way.order.get(..travel.turns)).unwrap_or(&way.order);
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
                for (addresses, &at) in way.addresses.iter().zip(order) {
                    if answers(addresses, position) {
                        passing.apply(devices.get_mut(at), true, plant);
                    }
                }
            }
            c::FRMW => {
                for (addresses, &at) in way.addresses.iter().zip(order) {
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
                for &Mapped { bytes, at } in &way.mapped {
                    let overlaps = u64::from(bytes.0) < last && bytes.1 >= first;
                    // A SubDevice looks at all of its FMMUs at once.
                    let comes = count == way.order.len() || order.contains(&at);
                    let looks = comes && travel.let_pass != Some(at);
                    if overlaps && looks && done != Some(at) {
                        passing.apply(devices.get_mut(at), true, plant);
                        done = Some(at);
                    }
                }
            }
            _ => {}
        }
        if way.events {
            let reported = order.iter().filter_map(|&at| devices.get(at));
            passing.report(reported.fold(0, |all, device| all | device.events()));
        }
        if passing.is_physical_write() && passing.offset() < REMEMBERED_END {
            self.stale = true;
        }
    }

    /// All that a frame has passed see its end.
    pub fn end_of_frame(&self, travel: Travel, devices: &mut [Device], plant: &mut Plant) {
        for &at in self.order(travel.side).iter().take(travel.turns) {
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
