//! Makes the calling thread as real-time as this computer allows, and says how far that went.

use crate::trust::Trust;
use thread_priority::{
    RealtimeThreadSchedulePolicy, ThreadPriority, ThreadPriorityValue, ThreadSchedulePolicy,
    set_thread_priority_and_policy, thread_native_id,
};

/// Priority under SCHED_FIFO: above the interrupt threads (50 unless somebody changed them), below the watchdogs (99).
const PRIORITY: u8 = 80;

/// Pins the thread to the last core, schedules it SCHED_FIFO and locks the memory, as far as permitted. What could not be had
/// is false in the returned [`Trust`]; nothing fails.
pub fn enter() -> Trust {
    // The last core: the first one takes most interrupts.
    if let Some(core) = core_affinity::get_core_ids().and_then(|ids| ids.last().copied()) {
        core_affinity::set_for_current(core);
    }
    if let Ok(priority) = ThreadPriorityValue::try_from(PRIORITY) {
        let policy = ThreadSchedulePolicy::Realtime(RealtimeThreadSchedulePolicy::Fifo);
        // Not permitted for an ordinary user: the run goes on and the trust header says so.
        let _ = set_thread_priority_and_policy(
            thread_native_id(),
            ThreadPriority::Crossplatform(priority),
            policy,
        );
    }
    let _ = rustix::mm::mlockall(
        rustix::mm::MlockAllFlags::CURRENT | rustix::mm::MlockAllFlags::FUTURE,
    );
    Trust::observe()
}
