//! The simulated machine on a bus in this process: what `demo` runs, and `run` when no interface is named.

use crate::attached::{HostLink, check_scaling};
use crate::cli::CycleArgs;
use crate::error::{Exit, HostError};
use crate::output::Output;
use crate::pacer::{Pace, Pacer};
use crate::session::{self, Options};
use std::path::Path;
use twinstep_config::fault::Fault;
use twinstep_config::machine::Machine;
use twinstep_drivers::clock::Clock;
use twinstep_drivers::ethercat::EthercatBus;
use twinstep_drivers::link::in_process::InProcess;
use twinstep_drivers::link::pcap::PcapLink;
use twinstep_drivers::link::redundant::Redundant;
use twinstep_drivers::segment::Segment;

/// Start of virtual time (ns): no clock in the segment starts at 0.
const START_NS: u64 = 1_000_000_000;

/// Runs the simulated machine.
///
/// # Errors
/// [`HostError`], as [`session::run`].
pub fn run(
    machine: &Machine,
    args: &CycleArgs,
    options: &Options,
    output: &Output,
) -> Result<Exit, HostError> {
    let options = &Options {
        simulated: true,
        ..options.clone()
    };
    let link = || {
        let segment = segment(
            machine,
            args.machine_seed,
            args.seed,
            args.ring,
            &args.inject,
        )?;
        Ok(InProcess::new(segment, Clock::virtual_from(START_NS)))
    };
    let fast = args.fast;
    match (&args.pcap, args.ring) {
        (None, false) => session::run(machine, options, output, || attach(link()?, machine, fast)),
        (None, true) => session::run(machine, options, output, || {
            attach(Redundant::new(link()?), machine, fast)
        }),
        (Some(path), false) => session::run(machine, options, output, || {
            attach(capture(link()?, path)?, machine, fast)
        }),
        (Some(path), true) => session::run(machine, options, output, || {
            attach(capture(Redundant::new(link()?), path)?, machine, fast)
        }),
    }
}

/// The segment of a simulated machine, with the faults of its configuration and those in `inject`.
///
/// # Errors
/// [`HostError::Usage`] for a machine that is not simulated, and for what cannot be injected.
pub fn segment(
    machine: &Machine,
    machine_seed: Option<u64>,
    seed: u64,
    ring: bool,
    inject: &[String],
) -> Result<Segment, HostError> {
    let Some(simulation) = machine.simulation else {
        return Err(HostError::usage(
            "this machine is not simulated",
            "name the network interface of its bus with --interface, or give the configuration a [simulation] section",
        ));
    };
    let machine_seed = machine_seed.unwrap_or(simulation.machine_seed);
    // The lines of one machine are not the same day over again: noise and start phase differ.
    let place = machine.place.as_ref().map_or(0, |place| place.index as u64);
    let seed = seed.wrapping_add(place << 32);
    let mut segment = Segment::new(machine, machine_seed, seed).map_err(|error| {
        HostError::usage(
            format!("the simulated segment cannot be built: {error}"),
            "mend the configuration",
        )
    })?;
    if ring {
        let port_c = machine.bus.as_ref().and_then(|bus| bus.at_port_c());
        if let Some(one) = port_c {
            return Err(HostError::usage(
                format!(
                    "with a redundant cable nothing can hang at a port C, as '{}' does",
                    one.name
                ),
                "hang branches at port D",
            ));
        }
        segment.make_redundant();
    }
    let mut faults = machine.inject.clone();
    for text in inject {
        faults.push(Fault::parse(text, machine).map_err(HostError::from_usage)?);
    }
    for fault in &faults {
        segment.inject(fault).map_err(|error| {
            let fault = fault.of(machine.kind_of(&fault.target));
            HostError::usage(
                format!("{fault} cannot be injected: {error}"),
                Fault::usage(),
            )
        })?;
    }
    Ok(segment)
}

fn attach<L: HostLink>(
    link: L,
    machine: &Machine,
    fast: bool,
) -> Result<(EthercatBus<L>, Pacer), HostError> {
    let bus = EthercatBus::bring_up(link, machine).map_err(|error| {
        HostError::machine(
            format!("the segment does not reach OP: {error}"),
            "compare the configuration with the bus",
        )
    })?;
    check_scaling(&bus, machine)?;
    let clock = bus.clock().clone();
    let pace = if fast {
        Pace::Virtual(Some(clock))
    } else {
        Pace::Wall(clock)
    };
    let pacer = Pacer::new(pace, machine.cycle.period_ns, bus.next_cycle_ns());
    Ok((bus, pacer))
}

/// Puts a capture around a link.
///
/// # Errors
/// [`HostError::Usage`] naming the file.
pub fn capture<L: HostLink>(link: L, path: &Path) -> Result<PcapLink<L>, HostError> {
    PcapLink::create(link, path).map_err(|error| {
        HostError::usage(
            format!("cannot write the capture {}: {error}", path.display()),
            "name a file in a folder that this user may write to",
        )
    })
}
