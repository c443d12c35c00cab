//! Makes the calling thread as real-time as this computer allows, and says how far that went.

pub mod aside;
pub mod capabilities;
mod claim;
mod cores;
pub mod nic;
mod prefault;
mod wait;

pub use claim::{claim_bus, claim_core, claim_tsn};
pub use cores::enter_worker;
pub use wait::{Chosen, Way};

use crate::doctor::{self, Root};
use crate::error::HostError;
use crate::lock::WriterLock;
use crate::trust::{ASKED_CORE, RIVALS, Trust};
use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::time::Duration;
use thread_priority::unix::DeadlineFlags;
use thread_priority::{
    RealtimeThreadSchedulePolicy, ThreadPriority, ThreadPriorityValue, ThreadSchedulePolicy,
    set_thread_priority_and_policy, thread_native_id,
};
use twinstep_config::machine::{DEFAULT_PRIORITY, Policy, Realtime};

/// Priority under SCHED_FIFO unless the configuration has another.
pub const PRIORITY: u8 = DEFAULT_PRIORITY;
/// Who holds this file open with a number in it (us) keeps the cores out of idle states that take longer to leave.
pub const DMA_LATENCY: &str = "/dev/cpu_dma_latency";
/// Share of the period that SCHED_DEADLINE reserves, in parts of four: the kernel admits 95 % of a core at most.
const DEADLINE_QUARTERS: u32 = 3;

/// What is held as long as the cycle runs.
#[derive(Debug, Default)]
pub struct Held {
    _latency: Option<File>,
    _cores: Vec<WriterLock>,
}

/// What the calling thread has become.
#[derive(Debug)]
pub struct Entered {
    /// What was granted, read back.
    pub trust: Trust,
    /// How the start of a cycle is awaited.
    pub wait: Chosen,
    /// What else comes first on the cores of cycle and workers, in words; [`Trust::rivals`] counts them.
    pub rivals: Vec<String>,
    /// What may run elsewhere too, and ran there last: it may come, and is not counted.
    pub seen: Vec<String>,
    /// Goes with the run.
    pub held: Held,
}

/// Makes the calling thread the cycle's: memory locked and touched, idle states held off, pinned, scheduled; then the lateness
/// of wake-ups is measured. What could not be had is in [`Entered::trust`].
///
/// # Errors
/// [`HostError::Usage`] for a core that is not there, or none left for the cycle. [`HostError::Machine`] for one that another twinstep has, and, with
/// `require`, for whatever was not granted.
pub fn enter(settings: &Realtime, period_ns: u64) -> Result<Entered, HostError> {
    let root = Root::live();
    // As they were before the first cycle was pinned.
    aside::allowed();
    let core = cores::of_the_cycle(&root, settings)?;
    cores::are_permitted(&root, &settings.model_cores)?;
    // A core that somebody asked for, or that the kernel keeps free, is for one cycle alone.
    let mut claims = if settings.policy == Policy::Other {
        Vec::new()
    } else {
        let all = core.iter().chain(&settings.model_cores);
        all.map(|core| claim_core(*core))
            .collect::<Result<_, _>>()?
    };
    lock_memory();
    let policy = |settings: &Realtime| match settings.policy {
        Policy::Fifo => set_fifo(settings.priority),
        Policy::Deadline => set_deadline(period_ns),
        Policy::Other => Ok(()),
    };
    // A reserved share is admitted only to a thread that may run anywhere, and can be pinned behind it at best.
    if settings.policy == Policy::Deadline {
        aside::come_back();
        let _ = policy(settings);
        pin(core, &[], settings.others.before);
    } else {
        let taken = [settings.model_cores.as_slice(), &settings.others.cores].concat();
        pin(core, &taken, settings.others.before);
        // Not permitted for an ordinary user: the run goes on and the trust header says so.
        let _ = policy(settings);
    }
    if settings.policy != Policy::Other {
        // Not permitted by some filters of system calls: threads of this process come to the core then as they always did.
        let _ = aside::leave_to_the_pinned();
    }
    let latency = hold_dma_latency().ok();
    let mut trust = Trust::observe();
    // A core that a cpuset keeps free is found out on the core alone. Of several buses of a machine the first one claims its own: the others
    // may have to share it.
    let found = trust
        .core
        .filter(|found| trust.isolated && core != Some(*found) && settings.others.before == 0);
    if let (Some(found), false) = (found, settings.policy == Policy::Other) {
        claims.push(claim_core(found)?);
    }
    trust.cpu_dma_latency_held = latency.is_some();
    trust.asks_for_nothing = settings.policy == Policy::Other;
    trust.core_denied = settings.core.is_some() && trust.core != settings.core;
    let found = rivals(&root, settings, trust.core);
    trust.rivals = found.as_ref().map(|(rivals, _)| rivals.len());
    let (rivals, seen) = found.unwrap_or_default();
    if settings.require {
        refuse_without(&trust, settings.core, &rivals)?;
    }
    let wait = wait::choose(settings.wait, period_ns, &trust);
    trust.wait = Some(wait.way);
    Ok(Entered {
        trust,
        wait,
        rivals,
        seen,
        held: Held {
            _latency: latency,
            _cores: claims,
        },
    })
}

/// The same for a thread beside the cycle's: nothing is claimed, held or required. It takes the last core, as a cycle does that names none:
/// where the computer stands still for a while, neither is late for the other.
pub fn enter_beside() -> Trust {
    lock_memory();
    pin(None, &[], 0);
    let _ = set_fifo(PRIORITY);
    Trust::observe()
}

/// Threads of other programs that come before those of this one on their cores: those that are pinned there, and those that ran there last.
/// None: nobody looked, since a share that is reserved comes before all priorities, and who asks for no precedence has no rivals.
fn rivals(
    root: &Root,
    settings: &Realtime,
    core: Option<usize>,
) -> Option<(Vec<String>, Vec<String>)> {
    if settings.policy != Policy::Fifo {
        return None;
    }
    let cores: Vec<usize> = core.iter().chain(&settings.model_cores).copied().collect();
    let found = doctor::rivals(root, &cores, settings.priority);
    let told = |rival: &doctor::Rival| format!("{rival} on core {}", rival.core);
    let (stay, others): (Vec<_>, Vec<_>) = found.iter().partition(|rival| rival.stays);
    let seen = others.into_iter().filter(|rival| rival.was_there);
    Some((
        stay.into_iter().map(told).collect(),
        seen.map(told).collect(),
    ))
}

/// Refuses to go on where something is missing that durations rest on; `rivals` are those that [`Trust::rivals`] counts.
///
/// # Errors
/// [`HostError::Machine`], with a remedy for each.
pub fn refuse_without(
    trust: &Trust,
    asked_core: Option<usize>,
    rivals: &[String],
) -> Result<(), HostError> {
    let mut missing: Vec<String> = trust
        .required_missing()
        // It is named below.
        .filter(|lack| lack.what != ASKED_CORE || asked_core.is_none())
        .map(|lack| match lack.what {
            RIVALS => (lack.what, format!("{}: {}", rivals.join(", "), lack.remedy)),
            what => (what, lack.remedy.to_owned()),
        })
        .map(|(what, remedy)| format!("{what}: {remedy}"))
        .collect();
    if let (Some(core), true) = (asked_core, trust.core != asked_core) {
        missing.push(format!(
            "core {core} for itself: this process may not run on it (see its cpuset and taskset)"
        ));
    }
    if missing.is_empty() {
        return Ok(());
    }
    let what: Vec<&str> = missing
        .iter()
        .filter_map(|one| one.split(':').next())
        .collect();
    Err(HostError::machine(
        format!(
            "[realtime] require = true, and this computer does not grant {}",
            what.join(", ")
        ),
        missing.join("; "),
    ))
}

/// Pins the calling thread to `core`, else to the last one that it may run on and that is not among `taken`: the first one
/// takes most interrupts. `before` others do the same, and each takes the next one.
fn pin(core: Option<usize>, taken: &[usize], before: usize) {
    aside::pinned(|| {
        let id = |id| core_affinity::CoreId { id };
        if core.is_some_and(|core| core_affinity::set_for_current(id(core))) {
            return;
        }
        // Not those that this thread is left with: another bus may have kept it off its core.
        let allowed = aside::allowed();
        let free: Vec<_> = (0..rustix::thread::CpuSet::MAX_CPU)
            .rev()
            .filter(|core| allowed.is_set(*core) && !taken.contains(core))
            .collect();
        // With fewer cores than buses some share one.
        if let Some(next) = before.checked_rem(free.len()).and_then(|n| free.get(n)) {
            core_affinity::set_for_current(id(*next));
        }
    });
}

/// Locks all memory of the process, and touches what the cycle will need.
fn lock_memory() {
    // Without the right to it the run goes on and the trust header says so.
    let _ = rustix::mm::mlockall(
        rustix::mm::MlockAllFlags::CURRENT | rustix::mm::MlockAllFlags::FUTURE,
    );
    prefault::stack();
    prefault::heap();
}

/// Holds idle states off until the file is dropped.
fn hold_dma_latency() -> io::Result<File> {
    let mut file = std::fs::OpenOptions::new().write(true).open(DMA_LATENCY)?;
    file.write_all(&0_i32.to_ne_bytes())?;
    Ok(file)
}
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

/// What this process may lock of its memory (kB, as the kernel counts it): tried, and unlocked again.
///
/// # Errors
/// What the kernel said.
pub fn try_lock() -> io::Result<u64> {
    rustix::mm::mlockall(rustix::mm::MlockAllFlags::CURRENT)?;
    let status = std::fs::read_to_string("/proc/self/status");
    rustix::mm::munlockall()?;
    Ok(crate::trust::locked_kb(&status?))
}

/// Schedules the calling thread by SCHED_FIFO.
fn set_fifo(priority: u8) -> io::Result<()> {
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

/// Reserves a share of every period for the calling thread.
fn set_deadline(period_ns: u64) -> io::Result<()> {
    let period = Duration::from_nanos(period_ns);
    let priority = ThreadPriority::Deadline {
        runtime: period * DEADLINE_QUARTERS / 4,
        deadline: period,
        period,
        // Threads that this one starts are ordinary ones; without it none could be started.
        flags: DeadlineFlags::RESET_ON_FORK,
    };
    let policy = ThreadSchedulePolicy::Realtime(RealtimeThreadSchedulePolicy::Deadline);
    // The library hands this on to sched_setattr(2), which takes the kernel's number of a thread and not that of pthreads: 0 is the
    // calling one.
    set_thread_priority_and_policy(0, priority, policy).map_err(refused)
}

fn refused(error: thread_priority::Error) -> io::Error {
    match error {
        thread_priority::Error::OS(code) => io::Error::from_raw_os_error(code),
        other => io::Error::other(other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_required_and_missing_is_named_with_its_remedy() {
        let nothing = Trust {
            idle_states: true,
            ..Trust::default()
        };
        let error = refuse_without(&nothing, Some(3), &[]).unwrap_err();
        assert_eq!(error.exit(), crate::error::Exit::MachineFailed);
        let said = error
            .render(false)
            .split_whitespace()
            .collect::<Vec<_>>()
            .join(" ");
        for words in [
            "PREEMPT_RT",
            "SCHED_FIFO",
            "locked memory",
            "core 3",
            "a hold on /dev/cpu_dma_latency",
            "sched_rt_runtime_us=-1",
        ] {
            assert!(said.contains(words), "{words}: {said}");
        }
        let all = Trust {
            realtime_kernel: true,
            sched_fifo: true,
            memory_locked: true,
            throttling_off: true,
            core: Some(3),
            cpu_dma_latency_held: true,
            ..Trust::default()
        };
        assert!(refuse_without(&all, Some(3), &[]).is_ok());
        // The core is said once, and by its number.
        let denied = Trust {
            core: Some(2),
            core_denied: true,
            ..all
        };
        let said = refuse_without(&denied, Some(3), &[])
            .unwrap_err()
            .render(false);
        assert!(said.contains("does not grant core 3 for itself"), "{said}");
        // So is who else is there.
        let beside = Trust {
            rivals: Some(1),
            ..all
        };
        let rivals = ["plc: axis (83) 90 on core 3".to_owned()];
        let error = refuse_without(&beside, Some(3), &rivals).unwrap_err();
        let said = error.in_a_line();
        for words in [
            "does not grant cores without other real-time threads; ",
            "plc: axis (83) 90 on core 3: lower its priority",
        ] {
            assert!(said.contains(words), "{words}: {said}");
        }
    }
}
