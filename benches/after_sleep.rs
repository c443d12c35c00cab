//! A cycle as it is: the thread sleeps to the next millisecond, and what it finds in the caches is what others left of it.

use crate::figures::{Figures, clock_cost_ns};
use crate::fleet::Fleet;
use crate::rig::{Rig, next_readings};
use twinstep_host::clock::{monotonic_ns, sleep_until_ns};
use twinstep_host::plan::PlanStore;

/// Time between two cycles (ns).
const PERIOD_NS: u64 = 1_000_000;

/// Predict, compare and correct of `cycles` cycles (ns per axis), each begun right after an absolute sleep.
///
/// The readings of a cycle are made before its sleep; the health of the last one is tracked there too, as the host does.
pub fn after_sleep(plan: &PlanStore, mut fleet: Fleet, cycles: usize) -> Figures {
    let axes = plan.params.len() as f64;
    let mut state = plan.state();
    let mut rig = Rig::new(plan.pipeline(&mut state));
    let mut readings = (fleet.axis_readings.clone(), fleet.station_readings.clone());
    for _ in 0..2 * plan.plan().thresholds.settle_cycles {
        next_readings(&mut fleet, &mut readings);
        rig.whole(&readings);
    }
    let clock = clock_cost_ns();
    let mut figures = Figures::with_capacity(cycles);
    let mut deadline_ns = monotonic_ns();
    for _ in 0..cycles {
        rig.events();
        rig.track();
        next_readings(&mut fleet, &mut readings);
        // A cycle that came late is not made up for.
        deadline_ns = (deadline_ns + PERIOD_NS).max(monotonic_ns());
        sleep_until_ns(deadline_ns);
        let start = monotonic_ns();
        rig.whole(&readings);
        figures.push(((monotonic_ns() - start) as f64 - clock) / axes);
    }
    figures
}
