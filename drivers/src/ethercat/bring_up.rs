//! From INIT to SAFE-OP and OP.
//!
//! ethercrab counts, addresses and reads the SubDevices, sets up mailboxes, clocks, SyncManagers and FMMUs. What it
//! configured is read back and becomes the plan of the cyclic exchange. The states above PRE-OP are requested here, so
//! that a refusal is reported with its AL status code and not as a timeout.

use super::error::BringUpError;
use super::executor::{FRAMES, PDU_TIMEOUT_NS, run};
use super::frame::command;
use super::line::Line;
use super::plan::{Direction, Piece, Plan};
use super::port::Port;
use super::registers::{AlStatus, Registers, count};
use super::saved::{Saved, Startup};
use super::states::{
    POLL_NS, REGISTER_TRIES, STATE_TIMEOUT_NS, await_all, first_error, poll, request_all,
};
use super::wire::entry_bytes;
use super::{DriveScaling, EthercatBus, News};
use crate::link::{Link, MAX_FRAME};
use core::cell::Cell;
use core::time::Duration;
use ethercrab::error::{Error, MailboxError};
use ethercrab::subdevice_group::DcConfiguration;
use ethercrab::{
    DcSync, DefaultLock, MainDevice, MainDeviceConfig, PduStorage, RetryBehaviour, SubDeviceGroup,
    SubDeviceGroupHandle, SubDeviceRef, Timeouts,
};
use twinstep_config::machine::{Bus, MAX_SUBDEVICES, Machine, SECOND_AXIS, SubDevice};
use twinstep_models::cause::Cause;

/// Most process data that ethercrab may map (bytes). Its own image is not used, only its limit counts.
const MAX_IMAGE: usize = 16_384;
/// Largest process data of one SubDevice in one direction (bytes): it must fit one datagram of one frame.
const MAX_PIECE: usize = 1_024;
/// FMMUs that are read back: ethercrab uses those of outputs and inputs, within the first four.
const FMMUS_READ: u16 = 4;
/// Tries to count the SubDevices, and how long each waits (ns).
const COUNT_TRIES: u32 = 5;
const COUNT_TIMEOUT_NS: u64 = 50_000_000;
/// Time from configuring SYNC0 to its first pulse (ns), and what each SubDevice adds to it: it must not start in the
/// past of a SubDevice that is configured last.
const SYNC0_DELAY_NS: u64 = 50_000_000;
const SYNC0_DELAY_PER_SUBDEVICE_NS: u64 = 2_000_000;
/// System times sent before SYNC0 is configured: the clocks drift together.
const STATIC_SYNC: u32 = 1_000;
/// How long the registers of one SubDevice may take to be read (ns).
const REMEMBER_NS: u64 = 5_000_000;
/// Control and status of the SII interface, and its bit for a wrong checksum.
const SII_STATUS: u16 = 0x0502;
const SII_CHECKSUM: u16 = 0x0800;
/// Cyclic synchronous position (0x6060).
const MODE_CSP: i8 = 8;

type Group = SubDeviceGroup<MAX_SUBDEVICES, MAX_IMAGE, DefaultLock>;

/// What ethercrab found and configured.
struct Configured {
    pieces: Vec<Piece>,
    scaling: Vec<Option<DriveScaling>>,
    /// First SubDevice with a distributed clock, and how many have one.
    reference: Option<usize>,
    clocks: u16,
}

fn sync0_delay_ns(bus: &Bus) -> u64 {
    SYNC0_DELAY_NS + SYNC0_DELAY_PER_SUBDEVICE_NS * bus.subdevices.len() as u64
}

/// Does all of it.
pub(super) fn bring_up<L: Link>(
    link: L,
    machine: &Machine,
) -> Result<EthercatBus<L>, BringUpError> {
    let bus = machine.bus.as_ref().ok_or(BringUpError::NoBus)?;
    for subdevice in &bus.subdevices {
        for (direction, entries) in [
            ("outputs", &subdevice.outputs),
            ("inputs", &subdevice.inputs),
        ] {
            let found = entry_bytes(entries);
            if found > MAX_PIECE {
                return Err(BringUpError::ProcessData {
                    name: subdevice.name.clone(),
                    direction,
                    expected: MAX_PIECE,
                    found,
                });
            }
        }
    }
    let mut port = Port::new(link);
    check_count(&mut port, bus)?;
    check_eeproms(&mut port, bus)?;
    let mut registers = Registers::new(bus.subdevices.len());
    let configured = match configure(&mut port, machine, bus) {
        Ok(configured) => configured,
        Err(error @ BringUpError::Protocol { .. }) => {
            // A refused PRE-OP is only a timeout to ethercrab: the SubDevices know better.
            let mut statuses = vec![AlStatus::default(); bus.subdevices.len()];
            poll(&mut port, &registers, &mut statuses);
            return Err(first_error(bus, &statuses, 2).unwrap_or(error));
        }
        Err(error) => return Err(error),
    };
    if let Some(error) = port.take_error() {
        return Err(error.into());
    }
    let reference = configured.reference.map(super::registers::address);
    let mut plan = Plan::new(&configured.pieces, bus.subdevices.len(), reference);
    plan.expect_clocks(configured.clocks);
    request_all(&mut port, &mut registers, bus, 4)?;
    await_all(&mut port, &registers, bus, 4)?;
    let mut ethercat = EthercatBus::assemble(
        port,
        registers,
        plan,
        machine,
        bus,
        configured.scaling,
        configured.reference,
    );
    ethercat.reach_op(bus, sync0_delay_ns(bus))?;
    ethercat.remember(machine, bus)?;
    Ok(ethercat)
}

impl<L: Link> EthercatBus<L> {
    /// Remembers what made every SubDevice work, while the cycle goes on.
    fn remember(&mut self, machine: &Machine, bus: &Bus) -> Result<(), BringUpError> {
        let mut line = Line::new();
        let mut image = self.new_image();
        for (n, subdevice) in bus.subdevices.iter().enumerate() {
            let startup = startup(subdevice, machine.cycle.period_ns);
            let mut saved = Saved::of((subdevice.vendor_id, subdevice.product_code), startup);
            let read = (0..REGISTER_TRIES).any(|_| {
                self.idle_cycle(&mut image);
                line.deadline_ns = self.clock().now_ns().saturating_add(REMEMBER_NS);
                saved.read(&mut line, &mut self.port, n)
            });
            if !read {
                return Err(BringUpError::NoAnswer);
            }
            self.saved.push(saved);
            let deadline_ns = self.clock().now_ns().saturating_add(REMEMBER_NS);
            self.diagnosis.read_counters(&mut self.port, n, deadline_ns);
        }
        while let Some((station, code)) = self.port.take_emergency() {
            let n = usize::from(station.wrapping_sub(super::registers::FIRST_ADDRESS));
            (self.reports).push(News::Raised, Some(n), Cause::Emergency, f64::from(code));
        }
        // One more cycle, in phase; cycles count from here.
        self.idle_cycle(&mut image);
        self.begin();
        Ok(())
    }
}

/// Objects of a SubDevice that are set by SDO in PRE-OP: see [`prepare_drive`].
fn startup(subdevice: &SubDevice, period_ns: u64) -> Vec<Startup> {
    let carries = |index: u16| subdevice.outputs.iter().any(|entry| entry.index == index);
    let mut all = Vec::new();
    let mut set = |index, subindex, value: i8| {
        let [low] = value.to_le_bytes();
        all.push(Startup {
            index,
            subindex,
            value: [low, 0, 0, 0],
            length: 1,
        });
    };
    if carries(0x6040) {
        if !carries(0x6060) {
            set(0x6060, 0, MODE_CSP);
        }
        if let Some((value, exponent)) = interpolation_period(period_ns) {
            set(0x60c2, 1, value.cast_signed());
            set(0x60c2, 2, exponent);
        }
    }
    all
}

fn check_count<L: Link>(port: &mut Port<L>, bus: &Bus) -> Result<(), BringUpError> {
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
fn check_eeproms<L: Link>(port: &mut Port<L>, bus: &Bus) -> Result<(), BringUpError> {
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

fn configure<L: Link>(
    port: &mut Port<L>,
    machine: &Machine,
    bus: &Bus,
) -> Result<Configured, BringUpError> {
    let storage = Box::new(PduStorage::<FRAMES, MAX_FRAME>::new());
    let protocol = |step: &'static str| move |error: Error| BringUpError::Protocol { step, error };
    // It was created in the line above, so it cannot have been split before.
    let Ok((mut tx, mut rx, pdu_loop)) = storage.try_split() else {
        return Err(protocol("starting ethercrab")(Error::Internal));
    };
    let timeouts = Timeouts {
        state_transition: Duration::from_nanos(STATE_TIMEOUT_NS),
        pdu: Duration::from_nanos(PDU_TIMEOUT_NS),
        eeprom: Duration::from_millis(100),
        wait_loop_delay: Duration::from_nanos(POLL_NS),
        ..Timeouts::default()
    };
    let config = MainDeviceConfig {
        dc_static_sync_iterations: STATIC_SYNC,
        retry_behaviour: RetryBehaviour::Count(3),
    };
    let maindevice = MainDevice::new(pdu_loop, timeouts, config);
    let clock = port.clock().clone();

    let wrong: Cell<Option<(usize, (u32, u32))>> = Cell::new(None);
    let init = maindevice.init::<MAX_SUBDEVICES, Group>(
        || clock.now_ns(),
        Group::default(),
        |group, subdevice| {
            let position = usize::from(
                subdevice
                    .configured_address()
                    .wrapping_sub(super::registers::FIRST_ADDRESS),
            );
            let identity = subdevice.identity();
            let found = (identity.vendor_id, identity.product_id);
            match bus.subdevices.get(position) {
                Some(known) if (known.vendor_id, known.product_code) == found => {
                    Ok(group as &dyn SubDeviceGroupHandle)
                }
                _ => {
                    wrong.set(Some((position, found)));
                    Err(Error::UnknownSubDevice)
                }
            }
        },
    );
    let mut group = run(port, &mut tx, &mut rx, init).map_err(|error| match wrong.get() {
        Some((position, found)) => {
            let known = bus.subdevices.get(position);
            BringUpError::Identity {
                position,
                name: known.map(|known| known.name.clone()).unwrap_or_default(),
                expected: known.map_or((0, 0), |known| (known.vendor_id, known.product_code)),
                found,
            }
        }
        None => BringUpError::Protocol {
            step: "from INIT to PRE-OP",
            error,
        },
    })?;

    let mut scaling = Vec::with_capacity(bus.subdevices.len());
    for (mut subdevice, known) in group.iter_mut(&maindevice).zip(&bus.subdevices) {
        if subdevice.dc_support().enhanced() {
            subdevice.set_dc_sync(DcSync::Sync0);
        }
        let carries = |index: u16| known.outputs.iter().any(|entry| entry.index == index);
        scaling.push(if carries(0x6040) {
            let period_ns = machine.cycle.period_ns;
            let prepare = prepare_drive(&subdevice, 0, !carries(0x6060), period_ns);
            let first = run(port, &mut tx, &mut rx, prepare)
                .map_err(protocol("preparing a drive by SDO"))?;
            if known.second.is_some() {
                let set_mode = !carries(0x6060 + SECOND_AXIS);
                let prepare = prepare_drive(&subdevice, SECOND_AXIS, set_mode, period_ns);
                run(port, &mut tx, &mut rx, prepare)
                    .map_err(protocol("preparing a second axis by SDO"))?;
            }
            Some(first)
        } else {
            None
        });
    }

    let group = run(port, &mut tx, &mut rx, group.into_pre_op_pdi(&maindevice))
        .map_err(protocol("configuring SyncManagers and FMMUs"))?;
    let mut pieces = Vec::new();
    let mut reference = None;
    let mut clocks = 0;
    let (mut inputs_at, mut outputs_at) = (0, 0);
    for (position, (subdevice, known)) in group.iter(&maindevice).zip(&bus.subdevices).enumerate() {
        if subdevice.dc_support().any() {
            reference = reference.or(Some(position));
            clocks += 1;
        }
        let mapped = run(port, &mut tx, &mut rx, read_fmmus(&subdevice))
            .map_err(protocol("reading FMMUs back"))?;
        for (direction, word, entries, image) in [
            (Direction::Input, "inputs", &known.inputs, &mut inputs_at),
            (
                Direction::Output,
                "outputs",
                &known.outputs,
                &mut outputs_at,
            ),
        ] {
            let (logical, found) = span(&mapped, direction);
            let nobodys = is_nobodys(known);
            let expected = if nobodys {
                found.min(MAX_PIECE)
            } else {
                entry_bytes(entries)
            };
            if found != expected {
                return Err(BringUpError::ProcessData {
                    name: known.name.clone(),
                    direction: word,
                    expected,
                    found,
                });
            }
            if expected > 0 {
                pieces.push(Piece {
                    subdevice: position,
                    direction,
                    logical,
                    length: expected,
                    image: (!nobodys).then_some(*image),
                });
            }
            if !nobodys {
                *image += expected;
            }
        }
    }
    if reference.is_some() {
        let delay_ns = sync0_delay_ns(bus);
        let dc = DcConfiguration {
            start_delay: Duration::from_nanos(delay_ns),
            sync0_period: Duration::from_nanos(machine.cycle.period_ns),
            sync0_shift: Duration::from_nanos(bus.frame_shift_ns),
        };
        run(
            port,
            &mut tx,
            &mut rx,
            group.configure_dc_sync(&maindevice, dc),
        )
        .map_err(protocol("configuring SYNC0"))?;
    }
    Ok(Configured {
        pieces,
        scaling,
        reference,
        clocks,
    })
}

/// A SubDevice of which the configuration has only an image: its process data is nobody's.
pub(crate) fn is_nobodys(known: &SubDevice) -> bool {
    known.sii.is_some() && known.outputs.is_empty() && known.inputs.is_empty()
}

/// Logical address and length (bytes) of all areas of one direction together: a SubDevice's lie side by side.
fn span(areas: &[(Direction, u32, usize)], direction: Direction) -> (u32, usize) {
    let of = || areas.iter().filter(|area| area.0 == direction);
    let first = of().map(|area| area.1).min().unwrap_or(0);
    let end = of().map(|area| u64::from(area.1) + area.2 as u64).max();
    // Lengths have 16 bits: it fits.
    (
        first,
        end.map_or(0, |end| (end - u64::from(first)) as usize),
    )
}

/// Process data areas that a SubDevice's FMMUs map: direction, logical address, length (bytes).
async fn read_fmmus<S>(
    subdevice: &SubDeviceRef<'_, S>,
) -> Result<Vec<(Direction, u32, usize)>, Error> {
    let mut areas = Vec::new();
    for index in 0..FMMUS_READ {
        let bytes: [u8; 16] = match subdevice.register_read(0x0600 + index * 16).await {
            Ok(bytes) => bytes,
            // Small controllers have three.
            Err(Error::WorkingCounter { received: 0, .. }) if index > 0 => break,
            Err(error) => return Err(error),
        };
        let direction = match bytes[11] & 3 {
            1 => Direction::Input,
            2 => Direction::Output,
            _ => continue,
        };
        if bytes[12] & 1 != 0 {
            let logical = u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
            let length = u16::from_le_bytes([bytes[4], bytes[5]]);
            areas.push((direction, logical, usize::from(length)));
        }
    }
    Ok(areas)
}

/// Reads a drive's scaling, and sets mode and interpolation period where it has the objects.
async fn prepare_drive<'a, S>(
    subdevice: &SubDeviceRef<'a, S>,
    shift: u16,
    set_mode: bool,
    period_ns: u64,
) -> Result<DriveScaling, Error>
where
    S: core::ops::Deref<Target = ethercrab::SubDevice>,
{
    let scaling = DriveScaling {
        rated_current_ma: optional(subdevice.sdo_read::<u32>(0x6075 + shift, 0).await)?,
        rated_torque_mnm: optional(subdevice.sdo_read::<u32>(0x6076 + shift, 0).await)?,
    };
    if set_mode {
        subdevice.sdo_write(0x6060 + shift, 0, MODE_CSP).await?;
    }
    if let Some((value, exponent)) = interpolation_period(period_ns) {
        let set = optional(subdevice.sdo_write(0x60c2 + shift, 1, value).await)?;
        if set.is_some() {
            optional(subdevice.sdo_write(0x60c2 + shift, 2, exponent).await)?;
        }
    }
    Ok(scaling)
}

/// An SDO that a drive need not have: its refusal is no error.
fn optional<T>(result: Result<T, Error>) -> Result<Option<T>, Error> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(Error::Mailbox(MailboxError::Aborted { .. })) => Ok(None),
        Err(error) => Err(error),
    }
}

/// 0x60C2: value times ten to the exponent, in seconds; none where the period cannot be written so.
fn interpolation_period(period_ns: u64) -> Option<(u8, i8)> {
    let (mut value, mut exponent) = (period_ns, -9_i8);
    while value > 0 && value.is_multiple_of(10) {
        value /= 10;
        exponent += 1;
    }
    Some((
        u8::try_from(value).ok().filter(|&value| value > 0)?,
        exponent,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn periods_as_cia_402_writes_them() {
        assert_eq!(interpolation_period(1_000_000), Some((1, -3)));
        assert_eq!(interpolation_period(250_000), Some((25, -5)));
        assert_eq!(interpolation_period(62_500), None);
        assert_eq!(interpolation_period(0), None);
    }
}
