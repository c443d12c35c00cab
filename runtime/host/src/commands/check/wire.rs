//! Whether the period holds the frames of a cycle.

use super::us;
use crate::error::HostError;
use std::path::Path;
use twinstep_config::machine::Machine;
use twinstep_drivers::ethercat::wire::wire_time_ns;

/// Refuses a period that cannot hold the frames of a cycle, unless the machine is simulated without their time. Returns their
/// time on a wire (ns). The bus is on `interface`, else on the one that the configuration names, else in this process.
///
/// # Errors
/// [`HostError::Usage`] with both figures.
pub fn judge_timing(machine: &Machine, interface: Option<&str>) -> Result<u64, HostError> {
    let wire_time_ns = wire_time_ns(machine);
    let period_ns = machine.cycle.period_ns;
    let configured = machine
        .bus
        .as_ref()
        .and_then(|bus| bus.interface.as_deref());
    let wireless = machine.simulation.is_some_and(|sim| !sim.wire_time)
        && !(interface.or(configured)).is_some_and(has_wire);
    if wire_time_ns >= period_ns && !wireless {
        return Err(HostError::usage(
            format!(
                "the frames of one cycle need {:.1} us on the wire and the period is {:.1} us",
                us(wire_time_ns),
                us(period_ns)
            ),
            format!(
                "set [cycle] period above {:.1} us, leaving time for drives and computer, \
                 or map fewer objects into the process data",
                us(wire_time_ns)
            ),
        ));
    }
    Ok(wire_time_ns)
}

/// An interface with a device behind it has a wire; one of a virtual cable has none.
fn has_wire(interface: &str) -> bool {
    Path::new("/sys/class/net")
        .join(interface)
        .join("device")
        .exists()
}

#[cfg(test)]
mod tests {
    use super::super::Report;
    use super::*;
    use crate::commands::built_in_machine;
    use crate::error::Exit;

    #[test]
    fn a_period_shorter_than_the_wire_is_refused() {
        let mut machine = built_in_machine().unwrap();
        machine.cycle.period_ns = wire_time_ns(&machine);
        let error = judge_timing(&machine, None).unwrap_err();
        assert_eq!(error.exit(), Exit::Usage);
        assert!(error.render(false).contains("on the wire"));
    }

    #[test]
    fn only_a_simulated_machine_does_without_the_wire() {
        let mut machine = built_in_machine().unwrap();
        machine.cycle.period_ns = wire_time_ns(&machine) / 2;
        machine.simulation.as_mut().unwrap().wire_time = false;
        let text = Report::of(&machine).unwrap().text();
        assert!(text.contains("; simulated without it\n"), "{text}");
        // A virtual cable has no device behind it, and lo is one everywhere.
        judge_timing(&machine, Some("lo")).unwrap();
        machine.simulation = None;
        judge_timing(&machine, None).unwrap_err();
    }
}
