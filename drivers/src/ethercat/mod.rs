//! The EtherCAT MainDevice: ethercrab takes the segment from INIT to PRE-OP and configures it, the cyclic exchange is
//! our own fixed plan, and both go through one port over one link on one thread.

pub mod al_status;
mod bring_up;
mod diagnose;
pub mod emergency;
mod error;
mod exchange;
mod executor;
#[cfg(test)]
mod fault_tests;
pub mod frame;
#[cfg(test)]
mod large_tests;
mod line;
pub mod plan;
mod port;
mod recover;
mod redundancy;
#[cfg(test)]
mod redundancy_tests;
mod registers;
mod report;
mod restore;
#[cfg(test)]
mod restore_tests;
mod saved;
pub mod scan;
pub mod sdo_abort;
mod states;
#[cfg(test)]
mod tests;
pub mod wire;

pub use al_status::AlReport;
pub(crate) use bring_up::is_nobodys;
pub use error::BringUpError;
pub use report::{News, Report};

use crate::bus::{Bus, BusCounters, BusFault, ProcessImage};
use crate::clock::Clock;
use crate::link::Link;
use diagnose::Diagnosis;
use plan::{Direction, Plan};
use port::{Port, Ticket};
use recover::Recovery;
use redundancy::Redundancy;
use registers::{AlStatus, Registers};
use report::Reports;
use restore::{Clocks, Restorer};
use saved::Saved;
use std::time::Duration;
use twinstep_config::machine::Machine;
use twinstep_models::cause::Cause;
use twinstep_models::sample::{CycleStamp, Missing};

/// AL state OP.
const OP: u8 = 8;
/// Nobody answers for so many cycles: the line is broken in front of the first SubDevice.
const SILENT_CYCLES: u32 = 10;
/// A phase error beyond this part of the period is corrected at once, a smaller one by this part of itself a cycle.
const FAR_PART: u64 = 8;
const NUDGE: i64 = 8;

/// Scaling that a drive reports; none where it does not have the object.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DriveScaling {
    /// Motor rated current 0x6075 (mA).
    pub rated_current_ma: Option<u32>,
    /// Motor rated torque 0x6076 (mN m).
    pub rated_torque_mnm: Option<u32>,
}

/// A segment in OP, ready for its cycle.
pub struct EthercatBus<L> {
    port: Port<L>,
    registers: Registers,
    plan: Plan,
    /// Ticket of each planned frame in this cycle; none once it is answered.
    tickets: Vec<Option<Ticket>>,
    /// Copy of each planned frame's answer.
    answers: Vec<Vec<u8>>,
    names: Vec<String>,
    scaling: Vec<Option<DriveScaling>>,
    statuses: Vec<AlStatus>,
    /// The statuses may be out of date: the broadcast said something else.
    suspect: bool,
    /// A working counter was wrong though all are in OP.
    doubtful: bool,
    recovery: Recovery,
    diagnosis: Diagnosis,
    reports: Reports,
    /// Cycles in a row in which nobody could be asked.
    silence: u32,
    /// Break of the line that was looked at.
    gap: Option<usize>,
    redundancy: Redundancy,
    restorer: Restorer,
    saved: Vec<Saved>,
    clocks: Clocks,
    input_bytes: usize,
    output_bytes: usize,
    period_ns: u64,
    shift_ns: u64,
    cycle: u64,
    next_cycle_ns: u64,
    phase_error_ns: Option<i64>,
}

impl<L: Link> EthercatBus<L> {
    /// Takes the segment behind `link` from INIT to OP. Ends with the bus cycling in phase with SYNC0; the next
    /// [`Bus::exchange`] is cycle 0 and is due at [`EthercatBus::next_cycle_ns`]; outputs that stay away for longer than
    /// the SubDevices' watchdog (usually 100 ms) take them out of OP again.
    ///
    /// # Errors
    /// [`BringUpError`], which names the SubDevice.
    pub fn bring_up(link: L, machine: &Machine) -> Result<Self, BringUpError> {
        bring_up::bring_up(link, machine)
    }

    fn assemble(
        port: Port<L>,
        registers: Registers,
        plan: Plan,
        machine: &Machine,
        bus: &twinstep_config::machine::Bus,
        scaling: Vec<Option<DriveScaling>>,
        reference: Option<usize>,
    ) -> Self {
        let bytes = |direction: Direction| {
            let pieces = plan
                .pieces
                .iter()
                .filter(|(piece, _)| piece.direction == direction && piece.image.is_some());
            pieces.map(|(piece, _)| piece.length).sum()
        };
        Self {
            tickets: vec![None; plan.frames.len()],
            answers: plan.frames.clone(),
            names: bus
                .subdevices
                .iter()
                .map(|known| known.name.clone())
                .collect(),
            scaling,
            statuses: vec![AlStatus::default(); bus.subdevices.len()],
            suspect: true,
            doubtful: false,
            recovery: Recovery::new(bus.subdevices.len()),
            diagnosis: Diagnosis::new(bus.subdevices.len()),
            reports: Reports::new(),
            silence: 0,
            gap: None,
            redundancy: Redundancy::new(bus.subdevices.len()),
            restorer: Restorer::new(bus.subdevices.len()),
            saved: Vec::new(),
            clocks: Clocks {
                reference,
                period_ns: machine.cycle.period_ns,
            },
            input_bytes: bytes(Direction::Input),
            output_bytes: bytes(Direction::Output),
            period_ns: machine.cycle.period_ns,
            shift_ns: bus.frame_shift_ns,
            cycle: 0,
            next_cycle_ns: port.clock().now_ns(),
            phase_error_ns: None,
            port,
            registers,
            plan,
        }
    }

    /// An image of the right size, outputs all zero.
    pub fn new_image(&self) -> ProcessImage {
        ProcessImage {
            outputs: vec![0; self.output_bytes],
            inputs: vec![0; self.input_bytes],
            valid: vec![Err(Missing::NoFrame); self.names.len()],
            recipe: 0,
            part: 0,
            conditions: Default::default(),
        }
    }

    /// The clock that the cycle runs on.
    pub fn clock(&self) -> &Clock {
        self.port.clock()
    }

    /// When cycle 0 should start on [`EthercatBus::clock`] (ns): not before now, in phase with SYNC0 plus the shift.
    /// The host starts here and then steers with [`Bus::phase_error_ns`].
    pub fn next_cycle_ns(&self) -> u64 {
        let late_ns = self.clock().now_ns().saturating_sub(self.next_cycle_ns);
        self.next_cycle_ns + late_ns.div_ceil(self.period_ns.max(1)) * self.period_ns
    }

    /// Whether there is a reference clock, whose SYNC0 the SubDevices act on.
    pub const fn has_reference_clock(&self) -> bool {
        self.clocks.reference.is_some()
    }

    /// The link underneath.
    pub fn link_mut(&mut self) -> &mut L {
        self.port.link_mut()
    }

    /// Real time that a simulated segment and its plant took since the last call (ns), 0 on a real bus.
    pub fn take_segment_time_ns(&mut self) -> u64 {
        self.port.link_mut().take_segment_time_ns()
    }

    /// Name of a SubDevice.
    pub fn name(&self, subdevice: usize) -> &str {
        self.names.get(subdevice).map_or("?", String::as_str)
    }

    /// Scaling that a drive reported in PRE-OP; none for other SubDevices.
    pub fn scaling(&self, subdevice: usize) -> Option<DriveScaling> {
        self.scaling.get(subdevice).copied().flatten()
    }

    /// The next finding since OP; at most 64 wait, further ones are counted in [`EthercatBus::dropped_reports`].
    pub fn take_report(&mut self) -> Option<Report> {
        self.reports.take()
    }

    /// SubDevices that had lost their configuration and were brought back to OP.
    pub fn restored(&self) -> u64 {
        self.restorer.restored
    }

    /// Reports that found no room.
    pub fn dropped_reports(&self) -> u64 {
        self.reports.dropped
    }

    /// The last error of the link itself, once. To the cycle it looks like a lost frame.
    pub fn take_link_error(&mut self) -> Option<crate::link::LinkError> {
        self.port.take_error()
    }

    /// OP to INIT, one state after the other. Outputs stop with SAFE-OP. Returns whether every SubDevice took part.
    pub fn shutdown(&mut self) -> bool {
        let mut all = true;
        for state in [4, 2, 1] {
            for subdevice in 0..self.names.len() {
                let deadline_ns = self.clock().now_ns().saturating_add(recover::REGISTER_NS);
                all &= self
                    .registers
                    .request(&mut self.port, subdevice, state, deadline_ns);
            }
            let statuses = self.poll_states(recover::REGISTER_NS);
            all &= statuses.iter().all(|status| status.status == state);
        }
        all
    }

    fn parts(&mut self) -> (&mut Port<L>, &mut Registers) {
        (&mut self.port, &mut self.registers)
    }

    fn statuses(&self) -> &[AlStatus] {
        &self.statuses
    }

    /// Asks all SubDevices for their AL status, for at most `timeout_ns`.
    fn poll_states(&mut self, timeout_ns: u64) -> &[AlStatus] {
        let deadline_ns = self.clock().now_ns().saturating_add(timeout_ns);
        if self
            .registers
            .poll(&mut self.port, &mut self.statuses, deadline_ns)
        {
            self.suspect = false;
        }
        &self.statuses
    }

    /// Asks who is where, reports it, and takes one step to bring somebody back.
    fn recover(&mut self, budget_ns: u64, deadline_ns: u64) {
        self.poll_states(budget_ns);
        if self.suspect {
            // Not even the first SubDevice answers, or answers do not come in time.
            self.silence = self.silence.saturating_add(1);
            if self.silence < SILENT_CYCLES {
                return;
            }
            self.statuses.fill(AlStatus::default());
        } else {
            self.silence = 0;
        }
        let reports = &mut self.reports;
        self.recovery
            .look(&self.statuses, reports, |n| self.restorer.is_at(n));
        let gap = self.recovery.gap();
        if gap != self.gap {
            self.gap = gap;
            // The last one in reach has seen its link go.
            if let Some((gap, before)) = gap.and_then(|gap| Some((gap, gap.checked_sub(1)?)))
                && let Some(links) =
                    (self.diagnosis).lost_links(&mut self.port, before, deadline_ns)
            {
                reports.push(News::Updated, Some(gap), Cause::LinkLost, f64::from(links));
            }
        }
        self.recovery
            .step(&mut self.port, &mut self.registers, reports, deadline_ns);
        // Below SAFE-OP, or silent.
        let lost = |n: usize| (self.statuses.get(n)).is_some_and(|status| status.status & 0x0f < 4);
        self.restorer
            .step(&mut self.port, &self.saved, &self.clocks, deadline_ns, lost);
        if let Some(n) = self.restorer.take_blank() {
            self.recovery.was_without_power(n, reports);
        }
        if let Some((n, cause, code)) = self.restorer.take_refused() {
            self.recovery.give_up(n, cause, code, reports);
        }
    }

    /// A cycle during bring-up: waits for its start, exchanges, and corrects the phase.
    fn idle_cycle(&mut self, image: &mut ProcessImage) {
        let clock = self.clock().clone();
        clock.wait_until_ns(self.next_cycle_ns);
        // A fault of the exchange is no fault of bring-up: the states say whether it succeeded.
        let _ = self.transfer(image, &mut || {}, CycleStamp::default());
        let now_ns = clock.now_ns();
        // After a pause the cycle starts afresh instead of catching up.
        let start_ns = if now_ns.saturating_sub(self.next_cycle_ns) > self.period_ns {
            now_ns
        } else {
            self.next_cycle_ns
        };
        // Far off, the phase is set; near, it is only nudged, since one start may be late by itself.
        let correction_ns = match self.phase_error_ns {
            Some(error) if error.unsigned_abs() > self.period_ns / FAR_PART => error,
            Some(error) => error / NUDGE,
            None => 0,
        };
        let next_ns = start_ns.saturating_add(self.period_ns);
        self.next_cycle_ns = next_ns.saturating_add_signed(-correction_ns);
    }

    /// Bring-up is over: what was dropped on the way does not count, and cycles do from here.
    fn begin(&mut self) {
        *self.port.counters_mut() = BusCounters::default();
        self.diagnosis.begin(BusCounters::default());
        self.doubtful = false;
        self.cycle = 0;
    }
}

impl<L: Link> Bus for EthercatBus<L> {
    fn exchange(
        &mut self,
        image: &mut ProcessImage,
        in_flight: &mut dyn FnMut(),
    ) -> Result<CycleStamp, BusFault> {
        let stamp = CycleStamp {
            cycle: self.cycle,
            time_ns: self.cycle.saturating_mul(self.period_ns),
            dc_time_ns: 0,
        };
        if self.cycle == 0 {
            self.port.link_mut().start_of_operation();
        }
        self.cycle += 1;
        let result = self.transfer(image, in_flight, stamp);
        self.redundancy.report(&mut self.reports);
        result
    }

    fn acyclic(&mut self, budget: Duration) {
        let budget_ns = u64::try_from(budget.as_nanos())
            .unwrap_or(u64::MAX)
            .min(recover::REGISTER_NS);
        if budget_ns == 0 {
            return;
        }
        let deadline_ns = self.clock().now_ns().saturating_add(budget_ns);
        let all_well = !self.suspect && self.statuses.iter().all(|status| status.status == OP);
        if !all_well || !self.recovery.is_idle() {
            self.recover(budget_ns, deadline_ns);
            self.doubtful = false;
        }
        if core::mem::take(&mut self.doubtful) {
            self.diagnosis.doubt();
        }
        self.diagnosis.step(
            &mut self.port,
            &self.saved,
            &self.plan,
            self.clocks.reference,
            all_well,
            &mut self.reports,
            deadline_ns,
        );
    }

    fn phase_error_ns(&self) -> Option<i64> {
        self.phase_error_ns
    }

    fn counters(&self) -> BusCounters {
        self.port.counters()
    }
}
