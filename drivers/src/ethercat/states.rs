//! The states above PRE-OP: requested from every SubDevice, awaited, and explained where one refuses.

use super::EthercatBus;
use super::al_status::AlReport;
use super::error::BringUpError;
use super::port::Port;
use super::registers::{AlStatus, Registers};
use crate::link::Link;
use twinstep_config::machine::Bus;

/// How long SubDevices may take for a change of state (ns).
pub const STATE_TIMEOUT_NS: u64 = 5_000_000_000;
/// How long one register access may take (ns).
const REGISTER_TIMEOUT_NS: u64 = 50_000_000;
/// Tries of one register access.
pub const REGISTER_TRIES: u32 = 3;
/// Pause between two looks at a register that should change (ns).
pub const POLL_NS: u64 = 100_000;

/// Requests a state from all SubDevices.
pub fn request_all<L: Link>(
    port: &mut Port<L>,
    registers: &mut Registers,
    bus: &Bus,
    state: u8,
) -> Result<(), BringUpError> {
    for (index, subdevice) in bus.subdevices.iter().enumerate() {
        let taken = (0..REGISTER_TRIES).any(|_| {
            let deadline_ns = port.clock().now_ns().saturating_add(REGISTER_TIMEOUT_NS);
            registers.request(port, index, state, deadline_ns)
        });
        if !taken {
            return Err(BringUpError::StateTimeout {
                name: subdevice.name.clone(),
                wanted: state,
                report: AlReport {
                    subdevice: index,
                    status: 0,
                    code: 0,
                },
            });
        }
    }
    Ok(())
}

/// Waits until all SubDevices are in a state.
pub fn await_all<L: Link>(
    port: &mut Port<L>,
    registers: &Registers,
    bus: &Bus,
    state: u8,
) -> Result<(), BringUpError> {
    let until_ns = port.clock().now_ns().saturating_add(STATE_TIMEOUT_NS);
    let mut statuses = vec![AlStatus::default(); bus.subdevices.len()];
    loop {
        poll(port, registers, &mut statuses);
        if let Some(error) = first_error(bus, &statuses, state) {
            return Err(error);
        }
        if statuses.iter().all(|status| status.status == state) {
            return Ok(());
        }
        if port.clock().now_ns() >= until_ns {
            return Err(first_laggard(bus, &statuses, state));
        }
        let clock = port.clock().clone();
        clock.wait_until_ns(clock.now_ns().saturating_add(POLL_NS));
    }
}

pub fn poll<L: Link>(port: &mut Port<L>, registers: &Registers, statuses: &mut [AlStatus]) {
    let deadline_ns = port.clock().now_ns().saturating_add(REGISTER_TIMEOUT_NS);
    registers.poll(port, statuses, deadline_ns);
}

/// The first SubDevice with its error bit set, as an error.
pub fn first_error(bus: &Bus, statuses: &[AlStatus], wanted: u8) -> Option<BringUpError> {
    let (index, status) = statuses
        .iter()
        .enumerate()
        .find(|(_, status)| status.status & 0x10 != 0)?;
    Some(BringUpError::Refused {
        name: bus.subdevices.get(index)?.name.clone(),
        wanted,
        report: AlReport {
            subdevice: index,
            status: status.status,
            code: status.code,
        },
    })
}

/// The first SubDevice that is not in a state, as an error.
pub fn first_laggard(bus: &Bus, statuses: &[AlStatus], wanted: u8) -> BringUpError {
    let index = statuses
        .iter()
        .position(|status| status.status != wanted)
        .unwrap_or(0);
    let status = statuses.get(index).copied().unwrap_or_default();
    BringUpError::StateTimeout {
        name: bus
            .subdevices
            .get(index)
            .map(|known| known.name.clone())
            .unwrap_or_default(),
        wanted,
        report: AlReport {
            subdevice: index,
            status: status.status,
            code: status.code,
        },
    }
}

impl<L: Link> EthercatBus<L> {
    /// Cycles until all SubDevices are in OP and the cycle stands where it should against SYNC0; first for
    /// `settle_ns`, until SYNC0 has started.
    pub(super) fn reach_op(&mut self, bus: &Bus, settle_ns: u64) -> Result<(), BringUpError> {
        let mut image = self.new_image();
        // First the clocks: SYNC0 must have started, and the cycle must be in phase with it.
        let settled_ns = self.clock().now_ns().saturating_add(settle_ns);
        while self.clock().now_ns() < settled_ns {
            self.idle_cycle(&mut image);
        }
        let (port, registers) = self.parts();
        request_all(port, registers, bus, 8)?;
        let until_ns = self.clock().now_ns().saturating_add(STATE_TIMEOUT_NS);
        loop {
            self.idle_cycle(&mut image);
            let statuses = self.poll_states(REGISTER_TIMEOUT_NS);
            if let Some(error) = first_error(bus, statuses, 8) {
                return Err(error);
            }
            if statuses.iter().all(|status| status.status == 8) {
                break;
            }
            if self.clock().now_ns() >= until_ns {
                return Err(first_laggard(bus, self.statuses(), 8));
            }
        }
        // One more cycle, seen in OP by all.
        self.idle_cycle(&mut image);
        self.begin();
        Ok(())
    }
}
