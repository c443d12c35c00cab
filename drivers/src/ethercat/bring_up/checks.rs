//! What is looked at before ethercrab begins, and what its errors mean.

use super::REMEMBER_NS;
use crate::ethercat::error::BringUpError;
use crate::ethercat::frame::command;
use crate::ethercat::line::Line;
use crate::ethercat::port::{Port, Sdo};
use crate::ethercat::registers::{FIRST_ADDRESS, count};
use crate::ethercat::states::REGISTER_TRIES;
use crate::link::{Link, RingState};
use ethercrab::error::{Error, MailboxError};
use twinstep_config::machine::Bus;

/// Tries to count the SubDevices, and how long each waits (ns).
const COUNT_TRIES: u32 = 5;
const COUNT_TIMEOUT_NS: u64 = 50_000_000;
/// Control and status of the SII interface, and its bit for a wrong checksum.
const SII_STATUS: u16 = 0x0502;
const SII_CHECKSUM: u16 = 0x0800;

pub(super) fn check_count<L: Link>(port: &mut Port<L>, bus: &Bus) -> Result<(), BringUpError> {
    let expected = bus.subdevices.len();
    let mut found = None;
    for _ in 0..COUNT_TRIES {
        let deadline_ns = port.clock().now_ns().saturating_add(COUNT_TIMEOUT_NS);
        found = count(port, deadline_ns);
        if found.is_some() {
            break;
        }
    }
    if let Some(error) = port.take_error() {
        return Err(error.into());
    }
    if port.link().is_redundant() && found != Some(expected) {
        // Who cannot be reached from the first end may be reached from the second.
        port.link_mut().close_ring();
        // An end that is silent is so for sure after some tries.
        for _ in 0..COUNT_TRIES {
            let deadline_ns = port.clock().now_ns().saturating_add(COUNT_TIMEOUT_NS);
            let _ = count(port, deadline_ns);
        }
        if let Some(RingState::Broken { answered: [a, b] }) = port.link().ring()
            && usize::from(a) + usize::from(b) == expected
        {
            let name = |n: usize| bus.subdevices.get(n).map(|known| known.name.clone());
            return Err(BringUpError::Ring {
                before: usize::from(a).checked_sub(1).and_then(name),
                behind: name(usize::from(a)),
            });
        }
    }
    match found {
        None => Err(BringUpError::NoAnswer),
        Some(found) if found == expected && found > 0 => Ok(()),
        Some(found) => Err(BringUpError::Count {
            expected,
            found,
            missing: bus
                .subdevices
                .get(found)
                .map(|subdevice| subdevice.name.clone()),
        }),
    }
}

/// A SubDevice that cannot read its EEPROM is named before anybody else stumbles over it.
pub(super) fn check_eeproms<L: Link>(port: &mut Port<L>, bus: &Bus) -> Result<(), BringUpError> {
    let mut line = Line::new();
    for (position, subdevice) in bus.subdevices.iter().enumerate() {
        let place = 0_u16.wrapping_sub(position as u16);
        let status = (0..REGISTER_TRIES).find_map(|_| {
            line.deadline_ns = port.clock().now_ns().saturating_add(REMEMBER_NS);
            line.access(port, command::APRD, place, SII_STATUS, 2, &[])
                .map(|bytes| u16::from_le_bytes([bytes[0], bytes[1]]))
        });
        if status.is_some_and(|status| status & SII_CHECKSUM != 0) {
            return Err(BringUpError::Eeprom {
                position,
                name: subdevice.name.clone(),
            });
        }
    }
    Ok(())
}

/// Whose mailbox ethercrab has failed at, and at which object.
pub(super) fn mailbox_error(
    error: &BringUpError,
    sdo: Option<Sdo>,
    bus: &Bus,
) -> Option<BringUpError> {
    let BringUpError::Protocol { error, .. } = error else {
        return None;
    };
    let Sdo {
        station,
        index,
        subindex,
        abort,
    } = sdo?;
    let n = usize::from(station.wrapping_sub(FIRST_ADDRESS));
    let name = bus.subdevices.get(n)?.name.clone();
    match (error, abort) {
        (Error::Mailbox(MailboxError::Aborted { .. }), Some(code)) => {
            Some(BringUpError::SdoAborted {
                name,
                index,
                subindex,
                code,
            })
        }
        (Error::Timeout(_), None) => Some(BringUpError::MailboxSilent {
            name,
            index,
            subindex,
        }),
        _ => None,
    }
}
