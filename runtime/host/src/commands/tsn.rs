//! `twinstep run` on devices that publish: subscribes, and sends nothing to them.

use super::tap::{interface, refuse_outputs, tell_unjudged};
use crate::attached::not_subscribed;
use crate::cli::RunArgs;
use crate::error::{Exit, HostError};
use crate::output::Output;
use crate::pacer::{Pace, Pacer};
use crate::realtime::{self, nic};
use crate::session::{self, Options, SeatSlot, title_of};
use crate::store;
use crate::uadp::not_open;
use twinstep_config::machine::Machine;
use twinstep_drivers::link::raw_socket::RawSocket;
use twinstep_drivers::tsn::TsnBus;

/// Runs the machine's twins on what its devices publish, until the user ends it.
///
/// # Errors
/// [`HostError`].
pub fn run(
    args: &RunArgs,
    machine: &Machine,
    output: &Output,
    seat: Option<SeatSlot>,
) -> Result<Exit, HostError> {
    refuse_outputs(args, "a subscriber")?;
    let interface = interface(args, machine, "the devices publish")?;
    let interfaces = vec![interface.clone()];
    // Of several buses all were given back before any was set.
    if seat.is_none() {
        nic::give_back(&interfaces, output);
    }
    let nic = nic::set(&interfaces, machine, output)?;
    let link = RawSocket::open_uadp(&interface, None).map_err(not_open)?;
    let bus = TsnBus::new(link, machine).map_err(not_subscribed)?;
    let state = store::folder(args.cycle.state.as_deref())?;
    let options = Options {
        interfaces,
        nic_denied: nic.denied,
        seat,
        ..Options::new(&title_of(machine), &args.cycle, state, false)
    };
    realtime::capabilities::prepare();
    tell_unjudged(machine, output);
    // Whoever starts the devices next may wait for this line.
    output.note(&format!(
        "listening on {interface}; nothing is sent to the devices"
    ));
    let pacer = Pacer::new(Pace::Frames, machine.cycle.period_ns, 0);
    session::run(machine, &options, output, move || Ok((bus, pacer)))
}
