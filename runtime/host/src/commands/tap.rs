//! `twinstep run` on somebody else's bus: listens, and sends nothing.

use crate::attached::not_tapped;
use crate::cli::RunArgs;
use crate::error::{Exit, HostError};
use crate::output::Output;
use crate::pacer::{Pace, Pacer};
use crate::realtime::{self, nic};
use crate::session::{self, Options, SeatSlot, title_of};
use crate::store;
use twinstep_config::machine::Machine;
use twinstep_drivers::tap::TapBus;
use twinstep_drivers::tap::bus::presses_of_several_parts;
use twinstep_drivers::tap::socket::LiveSource;

/// Says which presses are not judged, because nobody tells which part lies in them.
pub fn tell_unjudged(machine: &Machine, output: &Output) {
    let devices = machine.bus.iter().flat_map(|bus| &bus.subdevices);
    let names: Vec<&str> = devices.map(|device| device.name.as_str()).collect();
    for name in presses_of_several_parts(machine)
        .iter()
        .filter_map(|place| names.get(*place))
    {
        output.note(&format!(
            "{name} is not judged: nobody tells which of the {} parts is pressed; [context] names who does",
            machine.parts.len()
        ));
    }
}

/// Runs the machine's twins on what is heard, until the user ends it.
///
/// # Errors
/// [`HostError`].
pub fn run(
    args: &RunArgs,
    machine: &Machine,
    output: &Output,
    seat: Option<SeatSlot>,
) -> Result<Exit, HostError> {
    refuse_outputs(args, "a tap")?;
    let bus = machine.bus.as_ref();
    let interface = interface(args, machine, "the bus is tapped")?;
    let returned = bus
        .and_then(|bus| bus.tap.as_ref())
        .and_then(|tap| tap.returned_interface.clone());
    let interfaces: Vec<_> = std::iter::once(interface.clone())
        .chain(returned.clone())
        .collect();
    // Of several buses all were given back before any was set.
    if seat.is_none() {
        nic::give_back(&interfaces, output);
    }
    let nic = nic::set(&interfaces, machine, output)?;
    let source = match &returned {
        None => LiveSource::both_ways(&interface),
        Some(returned) => LiveSource::two_ports(&interface, returned),
    };
    let bus = source
        .map_err(Into::into)
        .and_then(|source| TapBus::new(source, machine))
        .map_err(not_tapped)?;
    let state = store::folder(args.cycle.state.as_deref())?;
    let mut options = Options {
        seat,
        nic_denied: nic.denied,
        interfaces,
        ..Options::new(&title_of(machine), &args.cycle, state, false)
    };
    options.interface = Some(interface.clone());
    realtime::capabilities::prepare();
    tell_unjudged(machine, output);
    // Whoever starts the master next may wait for this line.
    output.note(&format!("listening on {interface}; nothing is sent"));
    let pacer = Pacer::new(Pace::Frames, machine.cycle.period_ns, 0);
    session::run(machine, &options, output, move || Ok((bus, pacer)))
}

/// Refuses what only a MainDevice can do.
pub(super) fn refuse_outputs(args: &RunArgs, who: &str) -> Result<(), HostError> {
    let refused = [
        ("--arm", args.arm),
        ("--fast", args.cycle.fast),
        ("--inject", !args.cycle.inject.is_empty()),
        ("--pcap", args.cycle.pcap.is_some()),
    ];
    if let Some((option, _)) = refused.iter().find(|(_, given)| *given) {
        return Err(HostError::usage(
            format!(
                "{who} has no outputs, no faults and no clock of its own: it knows no {option}"
            ),
            "leave it out; frames are captured with tcpdump or Wireshark, and such captures are replayed",
        ));
    }
    Ok(())
}

/// The interface of a bus that is only listened to.
pub(super) fn interface(
    args: &RunArgs,
    machine: &Machine,
    what: &str,
) -> Result<String, HostError> {
    let configured = machine.bus.as_ref().and_then(|bus| bus.interface.clone());
    args.interface.clone().or(configured).ok_or_else(|| {
        HostError::usage(
            format!("{what} and no interface is named"),
            "name the one that hears its frames: `interface` in [bus], or --interface",
        )
    })
}
