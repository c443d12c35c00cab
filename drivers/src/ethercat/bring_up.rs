//! From INIT to SAFE-OP and OP.
//!
//! ethercrab counts, addresses and reads the SubDevices, sets up mailboxes, clocks, SyncManagers and FMMUs. What it
//! configured is read back and becomes the plan of the cyclic exchange. The states above PRE-OP are requested here, so
//! that a refusal is reported with its AL status code and not as a timeout.

mod checks;
mod drive;

use super::error::BringUpError;
use super::executor::{FRAMES, PDU_TIMEOUT_NS, run};
use super::frame::command;
use super::line::Line;
use super::plan::{Direction, Piece, Plan};
use super::port::Port;
use super::registers::{AlStatus, Registers};
use super::saved::{Saved, Startup};
use super::states::{
    POLL_NS, REGISTER_TRIES, STATE_TIMEOUT_NS, await_all, first_error, poll, request_all,
};
use super::wire::entry_bytes;
use super::{DriveScaling, EthercatBus, News};
use crate::link::{Link, MAX_FRAME};
use checks::{check_count, check_eeproms, mailbox_error};
use core::cell::Cell;
use core::time::Duration;
use drive::{MODE_CSP, interpolation_period, prepare_drive};
use ethercrab::error::Error;
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
/// Time from configuring SYNC0 to its first pulse (ns), and what each SubDevice adds to it: it must not start in the
/// past of a SubDevice that is configured last.
const SYNC0_DELAY_NS: u64 = 50_000_000;
const SYNC0_DELAY_PER_SUBDEVICE_NS: u64 = 2_000_000;
/// System times sent before SYNC0 is configured: the clocks drift together.
const STATIC_SYNC: u32 = 1_000;
/// How long the registers of one SubDevice may take to be read (ns).
const REMEMBER_NS: u64 = 5_000_000;
/// AL status code: the SYNC0 configuration is invalid, as where its start has passed; and how often it is tried again.
const NO_SYNC0: u16 = 0x0030;
const SYNC0_TRIES: u32 = 3;
/// DL control, loops of the ports; port B closed, all automatic.
const LOOP_CONTROL: u16 = 0x0101;
const PORT_B_CLOSED: u8 = 0x0c;
const PORTS_AUTOMATIC: u8 = 0x00;

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
    let ring_end = port
        .link()
        .is_redundant()
        .then(|| bus.trunk_end())
        .flatten();
    if let Some(end) = ring_end {
        set_loop(
            &mut port,
            command::APWR,
            0_u16.wrapping_sub(end as u16),
            PORT_B_CLOSED,
        );
    }
    check_eeproms(&mut port, bus)?;
    let mut registers = Registers::new(bus.subdevices.len());
    let mut tries = 0;
    let configured = loop {
        let configured = pre_op(&mut port, &registers, machine, bus)?;
        request_all(&mut port, &mut registers, bus, 4)?;
        match await_all(&mut port, &registers, bus, 4) {
            Ok(()) => break configured,
            // This computer was held up between reading the time and the last SubDevice: SYNC0 would start in its past.
            Err(BringUpError::Refused { report, .. })
                if report.code == NO_SYNC0 && tries < SYNC0_TRIES =>
            {
                tries += 1;
            }
            Err(error) => return Err(error),
        }
    };
    let reference = configured.reference.map(super::registers::address);
    let mut plan = Plan::new(&configured.pieces, bus.subdevices.len(), reference);
    plan.expect_clocks(configured.clocks);
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
    if let Some(end) = ring_end {
        let station = super::registers::address(end);
        set_loop(&mut ethercat.port, command::FPWR, station, PORTS_AUTOMATIC);
        ethercat.port.link_mut().close_ring();
    }
    // One more cycle, in phase; cycles count from here.
    let mut image = ethercat.new_image();
    ethercat.idle_cycle(&mut image);
    ethercat.begin();
    Ok(ethercat)
}

/// ethercrab's part: from INIT to PRE-OP, everything configured.
fn pre_op<L: Link>(
    port: &mut Port<L>,
    registers: &Registers,
    machine: &Machine,
    bus: &Bus,
) -> Result<Configured, BringUpError> {
    let configured = match configure(port, machine, bus) {
        Ok(configured) => configured,
        Err(error @ BringUpError::Protocol { .. }) => {
            // A refused PRE-OP is only a timeout to ethercrab: the SubDevices know better.
            let mut statuses = vec![AlStatus::default(); bus.subdevices.len()];
            poll(port, registers, &mut statuses);
            return Err(first_error(bus, &statuses, 2)
                .or_else(|| mailbox_error(&error, port.sdo(), bus))
                .unwrap_or(error));
        }
        Err(error) => return Err(error),
    };
    if let Some(error) = port.take_error() {
        return Err(error.into());
    }
    Ok(configured)
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
        Ok(())
    }
}

/// Opens or closes the ports of one SubDevice. While the ring is open at its end, ethercrab sees a line and measures its
/// delays. One that does not take it has no redundant cable, and then there is nothing to open.
fn set_loop<L: Link>(port: &mut Port<L>, command: u8, position: u16, value: u8) {
    let mut line = Line::new();
    for _ in 0..REGISTER_TRIES {
        line.deadline_ns = port.clock().now_ns().saturating_add(REMEMBER_NS);
        if line
            .access(port, command, position, LOOP_CONTROL, 1, &[value])
            .is_some()
        {
            return;
        }
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

/// How long ethercrab is patient, and how often it tries.
pub(super) fn maindevice_config() -> (Timeouts, MainDeviceConfig) {
    let timeouts = Timeouts {
        state_transition: Duration::from_nanos(STATE_TIMEOUT_NS),
        pdu: Duration::from_nanos(PDU_TIMEOUT_NS),
        // Both outlast a frame that is lost and sent again.
        eeprom: Duration::from_nanos(4 * PDU_TIMEOUT_NS),
        mailbox_echo: Duration::from_nanos(4 * PDU_TIMEOUT_NS),
        wait_loop_delay: Duration::from_nanos(POLL_NS),
        ..Timeouts::default()
    };
    let config = MainDeviceConfig {
        dc_static_sync_iterations: STATIC_SYNC,
        retry_behaviour: RetryBehaviour::Count(3),
    };
    (timeouts, config)
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
    let (timeouts, config) = maindevice_config();
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
