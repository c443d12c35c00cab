//! `[tsn]`: set before a run, read back, taken back after it however it ends.

use crate::clock;
use crate::error::{Exit, HostError};
use crate::output::Output;
use crate::realtime::{capabilities, claim_tsn, nic};
use crate::snapshot::hold_signals;
use twinstep_config::machine::{Machine, Qdisc};
use twinstep_drivers::net::{NetError, Setup};

/// Runs `run` with what the configuration asks for on its network interface.
///
/// # Errors
/// Those of `run`; [`HostError::Machine`] where the kernel or the network card refuses, with nothing left behind.
pub fn with(
    machine: &Machine,
    output: &Output,
    run: impl FnOnce() -> Result<Exit, HostError>,
) -> Result<Exit, HostError> {
    let Some(tsn) = &machine.tsn else {
        return run();
    };
    // A signal that comes before the run listens to them must not end the process with everything in place.
    hold_signals().map_err(|error| {
        HostError::machine(format!("signals cannot be caught: {error}"), "try again")
    })?;
    // As long as the set-up stands, no other run takes it for one that was left behind.
    let _claim = claim_tsn(&tsn.interface)?;
    let mut setup = Setup::apply(tsn).map_err(refused)?;
    if !setup.left_behind().is_empty() {
        output.note(&format!(
            "{}: a run that was killed had left {}: taken back",
            tsn.interface,
            setup.left_behind().join(" and ")
        ));
    }
    let by_the_clock = !tsn.offload && !matches!(tsn.qdisc, None | Some(Qdisc::Mqprio(_)));
    if by_the_clock && clock::tai_offset_s() == 0 {
        output.note(
            "TAI - UTC is 0 on this computer: gates and launch times follow its own idea of CLOCK_TAI, \
             not that of the network (docs/tsn.md)",
        );
    }
    let done = run();
    // The run has given up its rights, but for the one that this takes.
    let left = capabilities::with(nic::RIGHTS, || setup.restore());
    for trouble in left {
        output.note(&format!("{}: {trouble}", tsn.interface));
    }
    done
}

fn refused(error: NetError) -> HostError {
    HostError::machine(error.to_string(), error.remedy())
}
