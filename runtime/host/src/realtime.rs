//! Makes the calling thread as real-time as this computer allows, and says how far that went.

use crate::trust::Trust;
use std::io;
use std::os::unix::fs::FileExt;
use thread_priority::{
    RealtimeThreadSchedulePolicy, ThreadPriority, ThreadPriorityValue, ThreadSchedulePolicy,
    set_thread_priority_and_policy, thread_native_id,
};

/// Priority under SCHED_FIFO: above the interrupt threads (50 unless somebody changed them), below the watchdogs (99).
pub const PRIORITY: u8 = 80;

/// Pins the thread to the last core, schedules it SCHED_FIFO and locks the memory, as far as permitted. What could not be had
/// is false in the returned [`Trust`]; nothing fails.
pub fn enter() -> Trust {
    // The last core: the first one takes most interrupts.
    if let Some(core) = core_affinity::get_core_ids().and_then(|ids| ids.last().copied()) {
        core_affinity::set_for_current(core);
    }
    // Not permitted for an ordinary user: the run goes on and the trust header says so.
    let _ = set_fifo(PRIORITY);
    let _ = rustix::mm::mlockall(
        rustix::mm::MlockAllFlags::CURRENT | rustix::mm::MlockAllFlags::FUTURE,
    );
    Trust::observe()
}

/// Who holds this file open with a number in it (us) keeps the cores out of idle states that take longer to leave.
pub const DMA_LATENCY: &str = "/dev/cpu_dma_latency";

/// The limit that is in force now (us), none where only writing is allowed.
///
/// # Errors
/// The file is absent, or this user may not write it.
pub fn dma_latency_us() -> io::Result<Option<i32>> {
    // Opening alone is a wish for the default, which limits nothing, and it ends with the file.
    let file = std::fs::OpenOptions::new().write(true).open(DMA_LATENCY)?;
    drop(file);
    let mut bytes = [0; 4];
    let read = std::fs::File::open(DMA_LATENCY).and_then(|file| file.read_exact_at(&mut bytes, 0));
    Ok(read.is_ok().then(|| i32::from_ne_bytes(bytes)))
}

/// Whether a thread of this process is granted SCHED_FIFO at `priority`: tried in one that ends at once.
///
/// # Errors
/// What the kernel said.
pub fn try_fifo(priority: u8) -> io::Result<()> {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new()
            .name("try-fifo".to_owned())
            .spawn_scoped(scope, || set_fifo(priority))?;
        thread
            .join()
            .unwrap_or_else(|_| Err(io::ErrorKind::Other.into()))
    })
}

/// Whether this process may lock its memory: tried, and unlocked again.
///
/// # Errors
/// What the kernel said.
pub fn try_lock() -> io::Result<()> {
    rustix::mm::mlockall(rustix::mm::MlockAllFlags::CURRENT)?;
    rustix::mm::munlockall()?;
    Ok(())
}

/// Schedules the calling thread by SCHED_FIFO.
fn set_fifo(priority: u8) -> io::Result<()> {
    let refused = |error| match error {
        thread_priority::Error::OS(code) => io::Error::from_raw_os_error(code),
        other => io::Error::other(other.to_string()),
    };
    let priority = ThreadPriorityValue::try_from(priority)
        .map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
    let policy = ThreadSchedulePolicy::Realtime(RealtimeThreadSchedulePolicy::Fifo);
    set_thread_priority_and_policy(
        thread_native_id(),
        ThreadPriority::Crossplatform(priority),
        policy,
    )
    .map_err(refused)
}
