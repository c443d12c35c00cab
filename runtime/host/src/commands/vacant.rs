//! Whether a bus has a MainDevice already: before the first frame is sent on an interface, it is listened on.

use crate::error::HostError;
use crate::realtime::claim_bus;
use twinstep_config::machine::{Machine, Tsn};
use twinstep_drivers::clock::Clock;
use twinstep_drivers::link::LinkError;
use twinstep_drivers::tap::overhear::{Overheard, overhear};
use twinstep_drivers::tap::socket::LiveSource;
use twinstep_drivers::tap::source::TapError;

/// Listens on the interfaces of one bus, and on nothing once this has returned. Of two, one that is down is silent: `scan` goes on over the
/// other one.
///
/// # Errors
/// [`HostError::Machine`] where somebody else's EtherCAT frames pass, and what `not_opened` makes of an interface that cannot be had.
pub(super) fn check(
    interfaces: &[&str],
    not_opened: impl Fn(LinkError) -> HostError,
) -> Result<(), HostError> {
    check_some(interfaces, interfaces.len(), not_opened)
}

/// As [`check`] of a bus whose bring-up goes over its first interface: that one must be up.
pub(super) fn check_first(
    interfaces: &[&str],
    not_opened: impl Fn(LinkError) -> HostError,
) -> Result<(), HostError> {
    let (first, second) = interfaces.split_at(interfaces.len().min(1));
    check_some(first, 1, &not_opened)?;
    check_some(second, interfaces.len(), &not_opened)
}

/// Listens on some of the interfaces of a bus, which has `ends` of them.
fn check_some(
    interfaces: &[&str],
    ends: usize,
    not_opened: impl Fn(LinkError) -> HostError,
) -> Result<(), HostError> {
    let mut down = 0;
    for interface in interfaces {
        match hear(interface) {
            Ok(None) => {}
            Ok(Some(heard)) => return Err(occupied(interface, &heard)),
            Err(TapError::Link(error)) if error.is_down() => {
                down += 1;
                if down == ends {
                    return Err(not_opened(error));
                }
            }
            Err(TapError::Link(error)) => return Err(not_opened(error)),
            // A live source has no file.
            Err(other) => return Err(HostError::machine(other.to_string(), "see `ip link`")),
        }
    }
    Ok(())
}

fn hear(interface: &str) -> Result<Option<Overheard>, TapError> {
    let mut source = LiveSource::both_ways(interface).map_err(TapError::Link)?;
    overhear(&mut source, &Clock::monotonic())
}

fn occupied(interface: &str, heard: &Overheard) -> HostError {
    HostError::machine(
        format!(
            "another MainDevice runs the bus on {interface}: {heard} (where a segment answers, the first byte is 2 more); \
             nothing was sent there"
        ),
        "a bus has one MainDevice: stop the other one, or follow it as a tap ([bus] kind = \"tap\", docs/tap.md)",
    )
}

/// The same before `[tsn]` sets anything on an interface that a bus of `machines` is on, or whose VLAN it is on: those of the command
/// line, `first` and `second`, or its own. Who takes the bus claims it and listens once more.
///
/// # Errors
/// As [`check`], and those of [`claim_bus`].
pub(super) fn before_tsn(
    machines: &[Machine],
    [first, second]: [Option<&str>; 2],
    not_opened: impl Fn(LinkError) -> HostError,
) -> Result<(), HostError> {
    for machine in machines {
        let (Some(tsn), Some(bus)) = (&machine.tsn, &machine.bus) else {
            continue;
        };
        if bus.tap.is_some() || bus.pubsub.is_some() {
            continue;
        }
        let own = [
            first.or(bus.interface.as_deref()),
            second.or(bus.redundant_interface.as_deref()),
        ];
        let own: Vec<&str> = own.into_iter().flatten().collect();
        let set = own.iter().filter(|name| is_set_by(tsn, name));
        let claims: Vec<_> = set.map(|name| claim_bus(name)).collect::<Result<_, _>>()?;
        if !claims.is_empty() {
            // The VLAN's may not be there yet, and what passes on it is heard on its interface.
            check_some(&[&tsn.interface], own.len(), &not_opened)?;
        }
    }
    Ok(())
}

/// Whether what `[tsn]` sets is of `interface`: its queues are those of its VLAN too.
fn is_set_by(tsn: &Tsn, interface: &str) -> bool {
    tsn.interface == interface || tsn.vlan_interface().as_deref() == Some(interface)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_tsn_sets_is_of_its_interface_and_of_its_vlan() {
        let text = twinstep_config::PRESS_CELL;
        let tsn = "\n[tsn]\ninterface = \"eth1\"\nvlan = 5\n";
        let machine = twinstep_config::load(&format!("{text}{tsn}"), "cell.toml").unwrap();
        let tsn = machine.tsn.unwrap();
        let names = ["eth1", "eth1.5", "eth1.6", "eth2"];
        let set = names.map(|name| is_set_by(&tsn, name));
        assert_eq!(set, [true, true, false, false]);
    }
}
