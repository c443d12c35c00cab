//! The gateway stays off the cores of the cycle.
//!
//! A cycle that sleeps lends its core to whoever comes, and finds its caches emptied when it wakes. Which cores these are stands in
//! the status of the instance: a gateway that was started first, or outlives a run, follows it.

use super::buses;
use crate::control::status::StatusLine;
use crate::output::Output;
use crate::realtime::aside::{self, Kept};
use serde_json::Value;

/// Where the gateway runs, as far as the instance has told it.
pub struct Cores {
    taken: Vec<usize>,
    output: Output,
}

impl Cores {
    /// Nothing is known of any instance yet. To be called before threads are started.
    pub fn new(output: Output) -> Self {
        aside::allowed();
        Self {
            taken: Vec::new(),
            output,
        }
    }

    /// Follows the instance with this status.
    pub fn follow(&mut self, status: &StatusLine) {
        let taken = of_the_cycles(status);
        if taken.is_empty() || taken == self.taken {
            return;
        }
        let cores: Vec<String> = taken.iter().map(usize::to_string).collect();
        let cores = cores.join(", ");
        match aside::leave_to_others(&taken) {
            Ok(Kept::Aside) => {}
            Ok(Kept::NoOther) => self.output.note(&format!(
                "the gateway may run on no other core than the cycle ({cores}), and may disturb it: give it one more, see CPUAffinity= of its unit and taskset"
            )),
            Err(error) => self.output.note(&format!(
                "the gateway cannot keep off core {cores}, which is the cycle's ({error}), and may disturb it: allow it sched_setaffinity, or set CPUAffinity= in its unit"
            )),
        }
        self.taken = taken;
    }
}

/// Cores that cycles and their workers are pinned to, in ascending order. A cycle in virtual time is on none, however few the process has.
fn of_the_cycles(status: &StatusLine) -> Vec<usize> {
    let waits = |bus: &&StatusLine| !bus.trust["wait"].is_null();
    let mut cores: Vec<usize> = (buses::each(status).iter())
        .filter(waits)
        .flat_map(|bus| {
            let core = bus.trust.get("core").and_then(Value::as_u64);
            let core = core.and_then(|core| usize::try_from(core).ok());
            core.into_iter()
                .chain(bus.identity.model_cores.iter().copied())
        })
        .collect();
    cores.sort_unstable();
    cores.dedup();
    cores
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gateway::buses::tests::two;

    #[test]
    fn all_buses_and_their_workers_count() {
        let mut two = two();
        for bus in &mut two.buses {
            bus.trust["wait"] = "hybrid".into();
        }
        two.buses[0].trust["core"] = 3.into();
        two.buses[0].identity.model_cores = vec![2, 1];
        two.buses[1].trust["core"] = 2.into();
        assert_eq!(of_the_cycles(&two), [1, 2, 3]);
        // One that is not pinned takes none.
        two.buses[1].trust["core"] = Value::Null;
        two.buses[0].identity.model_cores.clear();
        assert_eq!(of_the_cycles(&two), [3]);
        two.buses[0].trust["wait"] = Value::Null;
        assert!(of_the_cycles(&two).is_empty());
    }
}
