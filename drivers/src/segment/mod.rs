//! The simulated EtherCAT segment: a line of SubDevices with their controllers, firmware and the machine behind them.
//!
//! A segment is given frames and the time, and nothing else: [`Segment::process`] lets a frame pass all SubDevices in
//! place and says whether it comes back. Time is a parameter. Before a frame passes, every SYNC0 that was due is
//! executed in order, so that outputs and inputs meet the plant at the right instant.
//!
//! Nothing allocates after [`Segment::new`] but [`Segment::inject`] and SDO information.

mod absence;
pub mod al;
pub mod application;
mod assemble;
pub mod cia402;
mod coe;
mod coe_information;
mod coe_objects;
pub mod controller;
pub mod datagram;
mod dc;
mod description;
mod device;
pub mod faults;
pub(crate) mod fmmu;
#[cfg(test)]
mod igh_tests;
mod images;
pub mod io_station;
mod mailbox;
pub mod pdo;
pub(crate) mod pdo_config;
pub mod plant;
mod published;
#[cfg(test)]
mod register_tests;
mod registers;
mod ring;
pub mod server;
mod sii;
pub mod sii_image;
pub(crate) mod sync_manager;
mod synchronisation;
mod terminal;
#[cfg(test)]
mod terminal_tests;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
mod topology;

pub use assemble::SegmentError;
pub use description::{Description, Identity};
pub use device::MAX_PROCESS_DATA;
pub use images::{ImageError, load_images, process_data};
pub use topology::HOP_NS;

use crate::frame::{Datagram, HEADERS, command, datagrams, is_ethercat, is_well_formed};
use crate::link::Side;
use absence::{Absence, MAX_ABSENCES};
use application::{AlState, Application};
use device::Device;
use faults::{BusFaults, Verdict};
use plant::Plant;
use ring::{Ring, Travel};
use twinstep_config::fault::{Fault, FaultKind};
use twinstep_config::machine::Machine;

use crate::rng::Rng;

/// SYNC0 pulses this close together are one event (ns): the clocks of a segment agree within far less, and the
/// machine is then latched once for all drives.
const SYNC0_WINDOW_NS: u64 = 1_000;
/// Pulses further back than this are skipped when time has jumped (ns): a clock that jumps cannot stall the segment.
const CATCH_UP_NS: u64 = 2_000_000_000;

/// The segment.
pub struct Segment {
    machine: Machine,
    devices: Vec<Device>,
    ring: Ring,
    plant: Plant,
    faults: BusFaults,
    absences: Vec<Absence>,
    /// Caller's time at which the segment was first seen (ns).
    origin_ns: Option<u64>,
    /// Caller's time of the first cycle in OP (ns).
    operation_ns: Option<u64>,
    /// Caller's time of the last call (ns).
    seen_ns: u64,
    /// Segment time of the last call (ns).
    last_ns: u64,
    /// Somebody exchanges process data some time after SYNC0.
    shifted: bool,
    drift_ppb: i64,
    /// The drift counts from here: caller's time since the origin, and segment time (ns).
    drift_from: (u64, u64),
}

impl Segment {
    /// Builds the segment that a machine's bus describes; `machine_seed` draws the machine, `seed` the day.
    ///
    /// # Errors
    /// [`SegmentError`] where the machine has no bus, or a SubDevice names nothing or does not fit.
    pub fn new(machine: &Machine, machine_seed: u64, seed: u64) -> Result<Self, SegmentError> {
        let parts = assemble::parts(machine)?;
        let plant = Plant::new(machine, machine_seed, seed);
        Ok(Self::with_applications(machine.clone(), parts, plant, seed))
    }

    /// Builds a segment of given SubDevices.
    pub(crate) fn with_applications(
        machine: Machine,
        parts: Vec<(Description, Box<dyn Application>)>,
        plant: Plant,
        seed: u64,
    ) -> Self {
        let mut rng = Rng::new(seed, STREAM_CLOCKS);
        let mut devices: Vec<Device> = parts
            .into_iter()
            .map(|(description, application)| {
                let mut device = Device::new(description, application);
                // Each controller was switched on at a time of its own, up to 17 s ago.
                device.dc.local_offset_ns = rng.next_u64() >> 30;
                device
            })
            .collect();
        let subdevices = machine.bus.iter().flat_map(|bus| &bus.subdevices);
        let mut hooks: Vec<_> = subdevices
            .map(|one| one.behind.map(|b| (b.subdevice, usize::from(b.port))))
            .collect();
        hooks.resize(devices.len(), None);
        let ring = Ring::new(&hooks, &mut devices);
        Self {
            machine,
            devices,
            ring,
            plant,
            faults: BusFaults::new(),
            absences: Vec::with_capacity(MAX_ABSENCES),
            origin_ns: None,
            operation_ns: None,
            seen_ns: 0,
            last_ns: 0,
            shifted: false,
            drift_ppb: 0,
            drift_from: (0, 0),
        }
    }

    /// Number of SubDevices.
    pub fn len(&self) -> usize {
        self.devices.len()
    }

    /// A segment without SubDevices answers nothing.
    pub fn is_empty(&self) -> bool {
        self.devices.is_empty()
    }

    /// Whether frames take the time of a wire: they do unless the machine is simulated without.
    pub fn has_wire_time(&self) -> bool {
        (self.machine.simulation).is_none_or(|simulation| simulation.wire_time)
    }

    /// The machine behind the drives.
    pub fn plant_mut(&mut self) -> &mut Plant {
        &mut self.plant
    }

    /// Rate of the segment's clocks against the caller's (1e-9; positive: the segment's run fast). Set before the
    /// first frame; 0 unless set.
    pub fn set_clock_drift_ppb(&mut self, drift_ppb: i32) {
        self.drift_ppb = i64::from(drift_ppb);
    }

    /// The segment's clocks run at another rate from the last frame on.
    fn change_drift(&mut self, drift_ppb: i64) {
        let elapsed_ns = (self.seen_ns).saturating_sub(self.origin_ns.unwrap_or(self.seen_ns));
        self.drift_from = (elapsed_ns, self.segment_time_ns(elapsed_ns));
        self.drift_ppb = drift_ppb;
    }

    /// Makes SubDevice `position` refuse its next request for `state` with an AL status code.
    pub fn refuse(&mut self, position: usize, state: AlState, code: u16) {
        if let Some(device) = self.devices.get_mut(position) {
            device.al.refuse = Some((state, code));
            device.al.refusals = 1;
        }
    }

    /// Damages the EEPROM of SubDevice `position`: its checksum is wrong, and it refuses to leave INIT.
    pub fn damage_eeprom(&mut self, position: usize) {
        if let Some(device) = self.devices.get_mut(position) {
            device.damage_eeprom();
        }
    }

    /// AL state of SubDevice `position`, and whether its error bit is set.
    pub fn al_state(&self, position: usize) -> Option<(AlState, bool)> {
        self.devices
            .get(position)
            .map(|device| (device.al.state, device.al.error))
    }

    /// Every SubDevice is in OP.
    pub fn is_operational(&self) -> bool {
        !self.devices.is_empty()
            && self
                .devices
                .iter()
                .all(|device| device.al.state == AlState::Op)
    }

    /// The first cycle in OP: the times of all faults count from here.
    pub fn start_of_operation(&mut self, now_ns: u64) {
        let segment_ns = self.segment_ns(now_ns);
        self.operation_ns = Some(now_ns);
        self.plant.start_of_operation(segment_ns);
    }

    /// Injects a fault; the machine's go to the plant, those of the bus stay here.
    ///
    /// # Errors
    /// A sentence for the user.
    pub fn inject(&mut self, fault: &Fault) -> Result<(), String> {
        self.inject_at(fault, fault.at_ns)
    }

    fn inject_at(&mut self, fault: &Fault, at_ns: u64) -> Result<(), String> {
        match fault.kind {
            FaultKind::FrameLoss { count } if fault.target == "bus" => self.lose(at_ns, count),
            FaultKind::FrameLoss { .. } => Err(format!(
                "frames are lost on 'bus', not on '{}'",
                fault.target
            )),
            FaultKind::Bus(kind) => self.inject_bus(kind, &fault.target, at_ns),
            _ => self.plant.inject(fault, at_ns, &self.machine),
        }
    }

    /// Takes back every fault that waits or lasts: the machine is as it was built, with what has happened to it. A drive that
    /// has tripped stays so, an encoder that has slipped slips back, a cable or power that is out comes back in its time.
    pub fn clear_faults(&mut self) {
        self.faults.clear();
        self.plant.clear_faults();
    }

    /// Takes SubDevice `position` and all that hang behind it out of reach for `for_ns`, `in_ns` from the last frame: a broken
    /// cable in front of it, or its power. Returns whether there is such a SubDevice, and room for one more gap.
    pub fn cut(&mut self, position: usize, unpowered: bool, in_ns: u64, for_ns: u64) -> bool {
        // Not before the next frame: what the last one saw stands.
        let from_ns = self.last_ns.saturating_add(in_ns.max(1));
        self.absences
            .retain(|absence| absence.until_ns > self.last_ns);
        // One more than there are SubDevices: the redundant cable.
        if position > self.devices.len() || self.absences.len() >= MAX_ABSENCES {
            return false;
        }
        self.absences.push(Absence {
            position,
            unpowered,
            from_ns,
            until_ns: from_ns.saturating_add(for_ns),
            seen: false,
        });
        true
    }

    /// Injects a fault while the segment is in use: its time counts from now. Before the first cycle in OP what befalls SubDevices
    /// and cables begins at once; the rest waits for it.
    ///
    /// # Errors
    /// A sentence for the user.
    pub fn inject_now(&mut self, fault: &Fault) -> Result<(), String> {
        if self.operation_ns.is_none() && fault.at_ns == 0 {
            return self.inject_before_operation(fault);
        }
        let since_ns = self
            .operation_ns
            .map_or(0, |op| self.seen_ns.saturating_sub(op));
        self.inject_at(fault, fault.at_ns.saturating_add(since_ns))
    }

    /// When the next SYNC0 is due (ns, on the caller's clock, as exactly as that runs like the segment's); none without one.
    pub fn next_pulse_ns(&self, now_ns: u64) -> Option<u64> {
        let due = |device: &Device| device.dc.next_pulse_ns();
        let pulse_ns = self.devices.iter().filter_map(due).min()?;
        let elapsed_ns = now_ns.saturating_sub(self.origin_ns?);
        let left_ns = pulse_ns.saturating_sub(self.segment_time_ns(elapsed_ns));
        Some(now_ns.saturating_add(left_ns))
    }

    /// Time passes without a frame: every SYNC0 due up to `now_ns` is executed in order.
    pub fn advance(&mut self, now_ns: u64) {
        let segment_ns = self.segment_ns(now_ns);
        self.advance_to(segment_ns);
    }

    /// Plugs a redundant cable into port B of the last SubDevice of the trunk (along ports B from the first on): frames come in
    /// and out at both ends. Before the first frame.
    pub fn make_redundant(&mut self) {
        self.ring.make_redundant(&mut self.devices);
    }

    /// Lets a frame pass all SubDevices, in place. Returns whether it comes back: a frame that is not EtherCAT, is cut
    /// short or was lost to a fault does not.
    pub fn process(&mut self, frame: &mut [u8], now_ns: u64) -> bool {
        self.process_from(Side::Primary, frame, now_ns).is_some()
    }

    /// As [`Segment::process`], for a frame that comes in at `side`. Returns where it comes out.
    pub fn process_from(&mut self, side: Side, frame: &mut [u8], now_ns: u64) -> Option<Side> {
        let segment_ns = self.segment_ns(now_ns);
        self.advance_to(segment_ns);
        let exit = self.ring.exit(side)?;
        if !is_well_formed(frame) {
            // What claims to be EtherCAT and is not counts as an error of the first processing unit.
            if let (true, Some(first)) = (is_ethercat(frame), self.devices.first_mut()) {
                first.count_error(PROCESSING_UNIT_ERRORS);
            }
            return None;
        }
        // A frame that nobody processes on its way round meets no fault.
        let verdict = if self.ring.order(side).is_empty() {
            self.faults.none()
        } else {
            self.verdict(frame, now_ns)
        };
        if verdict.lost {
            return None;
        }
        // What is damaged on the way is processed by nobody behind, and dropped where it comes back to.
        let damaged = verdict
            .damaged_at
            .and_then(|at| self.ring.turn_of(side, at));
        if let Some(from) = damaged {
            for (n, &at) in self.ring.order(side).iter().enumerate().skip(from) {
                if let Some(device) = self.devices.get_mut(at) {
                    device.damaged_frame(n == from);
                }
            }
        }
        let travel = Travel {
            side,
            turns: damaged.unwrap_or(usize::MAX),
            let_pass: verdict.let_pass,
        };
        let Self {
            devices,
            ring,
            plant,
            ..
        } = self;
        let mut at = HEADERS;
        while let Some(datagram) = Datagram::parse(frame, at) {
            ring.pass(frame, datagram, travel, devices, segment_ns, plant);
            at = datagram.end();
            if !datagram.more {
                break;
            }
        }
        ring.end_of_frame(travel, devices, plant);
        // The first controller marks the frame as returned in its source address.
        if let Some(byte) = frame.get_mut(6) {
            *byte |= 0x02;
        }
        damaged.is_none().then_some(exit)
    }

    /// What the faults of the bus do to a frame.
    fn verdict(&mut self, frame: &[u8], now_ns: u64) -> Verdict {
        let Some(start) = self.operation_ns.filter(|_| !self.faults.is_empty()) else {
            return self.faults.none();
        };
        let is_logical = |d: Datagram| matches!(d.command, command::LRD..=command::LRW);
        let logical = datagrams(frame).any(is_logical);
        self.faults.judge(now_ns.saturating_sub(start), logical)
    }

    /// Time base of the segment: starts when it is first seen, runs at its own rate.
    fn segment_ns(&mut self, now_ns: u64) -> u64 {
        self.seen_ns = now_ns;
        let origin_ns = *self.origin_ns.get_or_insert(now_ns);
        self.segment_time_ns(now_ns.saturating_sub(origin_ns))
    }

    /// Segment time, `elapsed_ns` after it was first seen.
    fn segment_time_ns(&self, elapsed_ns: u64) -> u64 {
        let (from_ns, base_ns) = self.drift_from;
        let since_ns = elapsed_ns.saturating_sub(from_ns);
        let drift = i128::from(since_ns) * i128::from(self.drift_ppb) / 1_000_000_000;
        (base_ns + since_ns).saturating_add_signed(drift as i64)
    }

    /// Gaps begin and end: frames find another way, links go down and come up, and SubDevices whose power has gone or come back
    /// since the last call start anew.
    fn power(&mut self, segment_ns: u64) {
        let since_ns = core::mem::replace(&mut self.last_ns, segment_ns);
        let mut changed = false;
        for absence in &mut self.absences {
            let there = absence.is_there(segment_ns);
            // Time may have jumped over the whole of it.
            let missed = absence.from_ns > since_ns && absence.until_ns <= segment_ns;
            let here = core::mem::replace(&mut absence.seen, there) != there || missed;
            changed |= here;
            if here
                && absence.unpowered
                && let Some(device) = self.devices.get_mut(absence.position)
            {
                // A clock without power starts at 0.
                device.restart(0_u64.wrapping_sub(segment_ns), &mut self.plant);
            }
        }
        if changed {
            self.ring
                .survey(&self.absences, segment_ns, &mut self.devices, true);
        }
    }

    fn advance_to(&mut self, segment_ns: u64) {
        if let Some(start_ns) = self.operation_ns
            && !self.faults.is_empty()
        {
            self.begin_due(self.seen_ns.saturating_sub(start_ns));
        }
        if !self.absences.is_empty() {
            self.power(segment_ns);
        }
        self.last_ns = segment_ns;
        let Self {
            devices,
            plant,
            shifted,
            ..
        } = self;
        for device in devices.iter_mut() {
            device
                .dc
                .skip_before(segment_ns.saturating_sub(CATCH_UP_NS));
        }
        loop {
            let due = |device: &Device| device.dc.next_pulse_ns();
            let first = devices.iter().filter_map(due).min();
            if *shifted {
                let later = devices.iter().filter_map(Device::due_ns).min();
                *shifted = later.is_some();
                if let Some(at_ns) = later
                    && at_ns <= segment_ns
                    && first.is_none_or(|first| at_ns <= first)
                {
                    plant.advance_to(at_ns);
                    for device in devices.iter_mut() {
                        device.shifted(at_ns, plant);
                    }
                    continue;
                }
            }
            let Some(first) = first.filter(|&first| first <= segment_ns) else {
                break;
            };
            let in_window = |at: u64| at - first < SYNC0_WINDOW_NS;
            // The event stands at the pulse of the first SubDevice in the line: it is the reference clock, which
            // nothing adjusts, so the machine is latched at exact multiples of the cycle.
            let Some(event) = devices
                .iter()
                .filter_map(due)
                .find(|&at| at >= first && in_window(at))
            else {
                break;
            };
            if event > segment_ns {
                break;
            }
            plant.advance_to(event);
            for device in devices.iter_mut() {
                if device
                    .dc
                    .next_pulse_ns()
                    .is_some_and(|at| at >= first && in_window(at))
                {
                    *shifted |= device.sync0(event, plant);
                }
            }
        }
        // Without SYNC0 frames are the events, and time passes for the machine with them.
        let clocked = devices.iter().any(|device| device.dc.sync0.is_some());
        let runs = |device: &Device| device.al.state >= AlState::SafeOp;
        if !clocked && devices.iter().any(runs) {
            plant.advance_to(segment_ns);
        }
        for device in devices.iter_mut() {
            device.tick(segment_ns, plant);
        }
    }
}

/// Register of the processing unit's errors.
const PROCESSING_UNIT_ERRORS: usize = 0x030c;
/// Stream of random numbers for the clocks' offsets.
const STREAM_CLOCKS: u64 = 0x434c_4f43_4b53;
