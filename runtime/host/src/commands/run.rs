//! `twinstep run`: a machine with its twins in the cycle.

use super::several::{choose, interfaces, one_is_wanted, run_all};
use super::{load_buses, simulated, vacant};
use crate::attached::{HostLink, check_scaling};
use crate::cli::RunArgs;
use crate::error::{Exit, HostError};
use crate::output::Output;
use crate::pacer::{Pace, Pacer};
use crate::phases::Delivery;
use crate::realtime::{self, nic};
use crate::session::{self, Options, SeatSlot, title_of};
use crate::{store, tsn};
use std::path::Path;
use twinstep_config::machine::Machine;
use twinstep_drivers::ethercat::EthercatBus;
use twinstep_drivers::link::LinkError;
use twinstep_drivers::link::raw_socket::{RawPair, RawSocket};
use twinstep_drivers::link::redundant::Redundant;

/// Runs the command.
///
/// # Errors
/// [`HostError`].
pub fn run(args: &RunArgs, output: &Output) -> Result<Exit, HostError> {
    run_for(args, output, None)
}

/// The same; every cycle is left in `samples` for who finds budgets.
///
/// # Errors
/// [`HostError`].
pub fn run_for(
    args: &RunArgs,
    output: &Output,
    samples: Option<Delivery>,
) -> Result<Exit, HostError> {
    let machines = choose(load_buses(&args.config)?, args.cycle.bus.as_deref())?;
    for machine in &machines {
        super::check::judge_timing(machine, args.interface.as_deref())?;
    }
    match machines.as_slice() {
        [machine] => {
            refuse_what_is_simulated(args, machine)?;
            listen_before_tsn(args, &machines)?;
            tsn::with(machine, output, || {
                attend(args, machine, output, Of(samples, None))
            })
        }
        several if samples.is_some() => Err(one_is_wanted(several)),
        several => run_all(args, several, output),
    }
}

/// Listens on the interfaces that `[tsn]` is about to set.
///
/// # Errors
/// Somebody else runs a bus there.
pub(super) fn listen_before_tsn(args: &RunArgs, machines: &[Machine]) -> Result<(), HostError> {
    let names = [&args.interface, &args.redundant_interface].map(|name| name.as_deref());
    vacant::before_tsn(machines, names, not_opened)
}

/// Sets back what earlier runs have left on the interfaces of all buses, before any of them is set. Where there is something, a bus is claimed
/// and listened on first; who takes it claims it and listens once more.
///
/// # Errors
/// Somebody else runs one of them.
pub(super) fn give_back(
    args: &RunArgs,
    machines: &[Machine],
    output: &Output,
) -> Result<(), HostError> {
    for machine in machines {
        let names = interfaces(machine);
        if !nic::is_left(&names) {
            continue;
        }
        let mut claims = Vec::new();
        if real_interface(args, machine).is_some() {
            for name in &names {
                claims.push(realtime::claim_bus(name)?);
            }
            let both: Vec<&str> = names.iter().map(String::as_str).collect();
            vacant::check_first(&both, not_opened)?;
        }
        nic::give_back(&names, output);
        drop(claims);
    }
    Ok(())
}

/// The interface that twinstep is MainDevice on, if it is.
fn real_interface(args: &RunArgs, machine: &Machine) -> Option<String> {
    let bus = machine.bus.as_ref();
    let listens_only = bus.is_some_and(|bus| bus.tap.is_some() || bus.pubsub.is_some());
    let configured = || bus.and_then(|bus| bus.interface.clone());
    args.interface
        .clone()
        .or_else(configured)
        .filter(|_| !listens_only)
}

/// Refuses options of a simulated machine for one on a real interface.
///
/// # Errors
/// [`HostError::Usage`].
fn refuse_what_is_simulated(args: &RunArgs, machine: &Machine) -> Result<(), HostError> {
    let cycle = &args.cycle;
    let Some(interface) = real_interface(args, machine).filter(|_| {
        cycle.fast || cycle.ring || !cycle.inject.is_empty() || !machine.inject.is_empty()
    }) else {
        return Ok(());
    };
    Err(HostError::usage(
        format!(
            "{interface} is a real interface: it knows neither --fast nor --ring nor injected faults"
        ),
        "leave them out, or run the simulated machine",
    ))
}

/// Where cycles are left for who finds budgets, and the seat of one of several buses.
pub(super) struct Of(pub Option<Delivery>, pub Option<SeatSlot>);

/// Whether a machine without an interface of its own has a use for rights all the same.
pub(super) fn uses_rights(machine: &Machine) -> bool {
    machine.tsn.is_some() || machine.publish.is_some()
}

/// Runs one bus.
pub(super) fn attend(
    args: &RunArgs,
    machine: &Machine,
    output: &Output,
    Of(samples, seat): Of,
) -> Result<Exit, HostError> {
    if machine.bus.as_ref().is_some_and(|bus| bus.tap.is_some()) {
        return super::tap::run(args, machine, output, seat);
    }
    if machine.bus.as_ref().is_some_and(|bus| bus.pubsub.is_some()) {
        return super::tsn::run(args, machine, output, seat);
    }
    let state = store::folder(args.cycle.state.as_deref())?;
    let Some(interface) = real_interface(args, machine) else {
        if uses_rights(machine) {
            realtime::capabilities::prepare();
        }
        let options = Options {
            samples,
            seat,
            ..Options::new(&title_of(machine), &args.cycle, state, true)
        };
        return simulated::run(machine, &args.cycle, &options, output);
    };
    refuse_what_is_simulated(args, machine)?;
    // Outputs of a real machine stay disabled until somebody says so.
    let mut options = Options {
        samples,
        seat,
        ..Options::new(&title_of(machine), &args.cycle, state, args.arm)
    };
    options.interface = Some(interface.clone());
    // Two MainDevices on one bus would move the same drives.
    let _claim = realtime::claim_bus(&interface)?;
    let configured = machine.bus.as_ref();
    let second = configured.and_then(|bus| bus.redundant_interface.clone());
    let second = args.redundant_interface.clone().or(second);
    let _second = second.as_deref().map(realtime::claim_bus).transpose()?;
    options.interfaces = std::iter::once(interface.clone())
        .chain(second.clone())
        .collect();
    // Nothing of the interface is changed under somebody who runs it.
    let both: Vec<&str> = options.interfaces.iter().map(String::as_str).collect();
    vacant::check_first(&both, not_opened)?;
    // Of several buses all were given back before any was set.
    if options.seat.is_none() {
        nic::give_back(&options.interfaces, output);
    }
    let nic = nic::set(&options.interfaces, machine, output)?;
    options.nic_denied = nic.denied;
    realtime::capabilities::prepare();
    if !args.arm {
        output.note("not armed: drives stay disabled; --arm enables the outputs");
    }
    let open_one = |name: &str| {
        let tsn = machine.tsn.as_ref().filter(|tsn| tsn.interface == name);
        // Frames that must wait for gates may not go past them.
        let socket = match tsn.filter(|tsn| tsn.qdisc.is_some()) {
            Some(tsn) => RawSocket::open_queued(name, tsn.bus_priority),
            None => RawSocket::open(name),
        };
        socket.map_err(not_opened)
    };
    let path = args.cycle.pcap.as_deref();
    match second {
        None => with_link(machine, &options, output, path, || open_one(&interface)),
        Some(second) => with_link(machine, &options, output, path, || {
            let both = RawPair::of(open_one(&interface)?, open_one(&second)?);
            Ok(Redundant::new(both))
        }),
    }
}

fn not_opened(error: LinkError) -> HostError {
    let remedy = match error {
        LinkError::NoPermission(_) => "see README.md, \"A real bus\"",
        _ => "name an interface with --interface that `ip link` lists and that is up",
    };
    HostError::machine(error.to_string(), remedy)
}

/// Runs on a link, with a capture around it where one is wanted.
fn with_link<L: HostLink>(
    machine: &Machine,
    options: &Options,
    output: &Output,
    pcap: Option<&Path>,
    open: impl FnOnce() -> Result<L, HostError> + Send,
) -> Result<Exit, HostError> {
    match pcap {
        None => session::run(machine, options, output, || attach(open()?, machine)),
        Some(path) => session::run(machine, options, output, || {
            attach(simulated::capture(open()?, path)?, machine)
        }),
    }
}

fn attach<L: HostLink>(link: L, machine: &Machine) -> Result<(EthercatBus<L>, Pacer), HostError> {
    let bus = EthercatBus::bring_up(link, machine).map_err(|error| {
        HostError::machine(
            format!("the segment does not reach OP: {error}"),
            "compare the configuration with the SubDevices on the wire, and check cables and power",
        )
    })?;
    check_scaling(&bus, machine)?;
    let pace = Pace::Bus {
        clock: bus.clock().clone(),
        shift_ns: (machine.bus.as_ref())
            .filter(|_| bus.has_reference_clock())
            .map(|bus| bus.frame_shift_ns),
    };
    let pacer = Pacer::new(pace, machine.cycle.period_ns, bus.next_cycle_ns());
    Ok((bus, pacer))
}
