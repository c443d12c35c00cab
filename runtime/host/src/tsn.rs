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
    let _back = AtTheEnd(|| {
        for trouble in setup.restore() {
            output.note(&format!("{}: {trouble}", tsn.interface));
        }
    });
    run()
}

/// Does something once this goes, also where a panic comes through: the run has given up its rights by then, but for the one that this takes.
struct AtTheEnd<F: FnMut()>(F);

impl<F: FnMut()> Drop for AtTheEnd<F> {
    fn drop(&mut self) {
        capabilities::with(nic::RIGHTS, &mut self.0);
    }
}

fn refused(error: NetError) -> HostError {
    HostError::machine(error.to_string(), error.remedy())
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::thread::{CapabilitySets, capabilities as rights, set_capabilities};
    use std::cell::RefCell;
    use std::panic::{AssertUnwindSafe, catch_unwind};

    #[test]
    fn a_run_that_panics_is_taken_back_with_the_right_that_it_takes() {
        // A thread of its own, whose right is kept aside as a run keeps it.
        let aside = || {
            let own = rights(None).unwrap();
            let effective = own.effective.difference(nic::RIGHTS);
            let without = CapabilitySets { effective, ..own };
            set_capabilities(None, without).unwrap();
            let seen = RefCell::new(Vec::new());
            let run = |fails: bool| {
                let _back = AtTheEnd(|| {
                    let now = rights(None).unwrap();
                    seen.borrow_mut().push(now.effective);
                });
                assert!(!fails, "the view has failed");
            };
            let taken_up = effective | (own.permitted & nic::RIGHTS);
            assert!(catch_unwind(AssertUnwindSafe(|| run(true))).is_err());
            assert_eq!(*seen.borrow(), [taken_up]);
            run(false);
            assert_eq!(*seen.borrow(), [taken_up; 2]);
            assert_eq!(rights(None).unwrap(), without);
        };
        std::thread::spawn(aside).join().unwrap();
    }
}
