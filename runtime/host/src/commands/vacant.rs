//! Whether a bus has a MainDevice already: before the first frame is sent on an interface, it is listened on.

use crate::error::HostError;
use crate::realtime::claim_bus;
use twinstep_config::machine::Machine;
use twinstep_drivers::clock::Clock;
use twinstep_drivers::link::LinkError;
use twinstep_drivers::tap::overhear::overhear;
use twinstep_drivers::tap::socket::LiveSource;
use twinstep_drivers::tap::source::TapError;

/// Listens on `interface`, and on nothing once this has returned.
///
/// # Errors
/// [`HostError::Machine`] where somebody else's EtherCAT frames pass, and what `not_opened` makes of an interface that cannot be had.
pub(super) fn check(
    interface: &str,
    not_opened: impl Fn(LinkError) -> HostError,
) -> Result<(), HostError> {
    let mut source = LiveSource::both_ways(interface).map_err(&not_opened)?;
    let heard = overhear(&mut source, &Clock::monotonic()).map_err(|error| match error {
        TapError::Link(error) => not_opened(error),
        // A live source has no file.
        other => HostError::machine(other.to_string(), "see `ip link`"),
    })?;
    match heard {
        None => Ok(()),
        Some(heard) => Err(HostError::machine(
            format!(
                "another MainDevice runs the bus on {interface}: {heard} (where a segment answers, the first byte is 2 more); \
                 nothing was sent there"
            ),
            "a bus has one MainDevice: stop the other one, or follow it as a tap ([bus] kind = \"tap\", docs/tap.md)",
        )),
    }
}

/// The same before `[tsn]` sets anything on an interface that a bus of `machines` is on: `interface`, or its own. Who takes the bus
/// claims it and listens once more.
///
/// # Errors
/// As [`check`], and those of [`claim_bus`].
pub(super) fn before_tsn(
    machines: &[Machine],
    interface: Option<&str>,
    not_opened: impl Fn(LinkError) -> HostError,
) -> Result<(), HostError> {
    for machine in machines {
        let (Some(tsn), Some(bus)) = (&machine.tsn, &machine.bus) else {
            continue;
        };
        let own = interface.or(bus.interface.as_deref());
        let listens_only = bus.tap.is_some() || bus.pubsub.is_some();
        if own == Some(tsn.interface.as_str()) && !listens_only {
            let _claim = claim_bus(&tsn.interface)?;
            check(&tsn.interface, &not_opened)?;
        }
    }
    Ok(())
}
