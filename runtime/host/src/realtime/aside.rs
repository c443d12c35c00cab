//! Who is not the cycle's stays off its cores.
//!
//! A cycle that sleeps lends its core to whoever comes, and finds its caches emptied when it wakes. Precedence does not help
//! against that, only another core does. So the threads of a run that are neither cycle nor worker, and a gateway, are kept off
//! the cores that cycle and workers are pinned to, wherever there is another core for them.

use rustix::process::Pid;
use rustix::thread::{CpuSet, gettid, sched_getaffinity, sched_setaffinity};
use std::io;
use std::sync::{Mutex, OnceLock, PoisonError};

/// Looks at the list of threads at most: one that is started while it is read is found by the next.
const MAX_LOOKS: usize = 8;

/// Cycles and workers of this process, with the core of those that could be pinned. A run has one for each bus and worker.
static PINNED: Mutex<Vec<(Pid, Option<usize>)>> = Mutex::new(Vec::new());

/// Where it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kept {
    /// All other threads run elsewhere from now on.
    Aside,
    /// There is no other core: they run wherever the process may.
    NoOther,
}

/// The cores that this process may run on, as it was when this was first called: before anything was pinned or kept off.
pub fn allowed() -> CpuSet {
    static ALLOWED: OnceLock<CpuSet> = OnceLock::new();
    // Where the kernel does not say, none: nothing is changed then.
    *ALLOWED.get_or_init(|| sched_getaffinity(None).unwrap_or_default())
}

/// Lets the calling thread run wherever the process may, though another bus may have kept it off a core: who is kept off some is refused a share
/// of SCHED_DEADLINE.
pub(super) fn come_back() {
    // What is not permitted leaves it where it is, and its policy says the rest.
    let _ = sched_setaffinity(None, &allowed());
}

/// Makes the calling thread a cycle's or a worker's: pins it by `pin`, and remembers it and the core that this has given it. Nobody else is
/// kept off anything meanwhile.
pub(super) fn pinned(pin: impl FnOnce()) {
    // As it was before.
    allowed();
    let mut pinned = PINNED.lock().unwrap_or_else(PoisonError::into_inner);
    pin();
    let own = sched_getaffinity(None).map(|own| listed(&own));
    let core = own.ok().and_then(|own| match own[..] {
        [core] => Some(core),
        _ => None,
    });
    pinned.retain(|(thread, _)| *thread != gettid() && is_there(*thread));
    pinned.push((gettid(), core));
}

/// Keeps all threads of this process but cycles and workers off the cores of those.
///
/// # Errors
/// What the kernel says.
pub fn leave_to_the_pinned() -> io::Result<Kept> {
    let pinned = PINNED.lock().unwrap_or_else(PoisonError::into_inner);
    let cores: Vec<usize> = pinned.iter().filter_map(|(_, core)| *core).collect();
    if cores.is_empty() {
        return Ok(Kept::NoOther);
    }
    keep_off(&cores, |thread| {
        pinned.iter().any(|(own, _)| *own == thread)
    })
}

/// Keeps all threads of this process off `cores`, which are another one's. What it did before with other cores is undone.
///
/// # Errors
/// What the kernel says: a filter of system calls may refuse it.
pub fn leave_to_others(cores: &[usize]) -> io::Result<Kept> {
    keep_off(cores, |_| false)
}

fn keep_off(cores: &[usize], stays: impl Fn(Pid) -> bool) -> io::Result<Kept> {
    let (rest, kept) = match without(&allowed(), cores) {
        Some(rest) => (rest, Kept::Aside),
        None => (allowed(), Kept::NoOther),
    };
    if rest.count() == 0 {
        return Ok(kept);
    }
    let mut done: Vec<Pid> = Vec::new();
    let mut failed = None;
    for _ in 0..MAX_LOOKS {
        let before = done.len();
        for entry in std::fs::read_dir("/proc/self/task")? {
            let name = entry?.file_name();
            let thread = name.to_str().and_then(|name| name.parse().ok());
            let Some(thread) = thread.and_then(Pid::from_raw) else {
                continue;
            };
            if stays(thread) || done.contains(&thread) {
                continue;
            }
            match sched_setaffinity(Some(thread), &rest) {
                // It has ended in the meantime.
                Ok(()) | Err(rustix::io::Errno::SRCH) => {}
                Err(error) => failed = Some(error),
            }
            done.push(thread);
        }
        if done.len() == before {
            break;
        }
    }
    failed.map_or(Ok(kept), |error| Err(error.into()))
}

/// `allowed` without `cores`; none where nothing would be left.
fn without(allowed: &CpuSet, cores: &[usize]) -> Option<CpuSet> {
    let mut rest = *allowed;
    for core in cores.iter().filter(|core| **core < CpuSet::MAX_CPU) {
        rest.unset(*core);
    }
    (rest.count() > 0).then_some(rest)
}

fn listed(cores: &CpuSet) -> Vec<usize> {
    (0..CpuSet::MAX_CPU)
        .filter(|core| cores.is_set(*core))
        .collect()
}

fn is_there(thread: Pid) -> bool {
    std::fs::exists(format!("/proc/self/task/{}", thread.as_raw_nonzero())).unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(cores: &[usize]) -> CpuSet {
        let mut set = CpuSet::new();
        cores.iter().for_each(|core| set.set(*core));
        set
    }

    #[test]
    fn something_must_be_left() {
        let all = set(&[0, 1, 2, 3]);
        let left =
            |allowed: &CpuSet, cores: &[usize]| without(allowed, cores).map(|rest| listed(&rest));
        assert_eq!(left(&all, &[3, 1]), Some(vec![0, 2]));
        assert_eq!(left(&all, &[]), Some(vec![0, 1, 2, 3]));
        assert_eq!(left(&all, &[7, usize::MAX]), Some(vec![0, 1, 2, 3]));
        assert_eq!(left(&set(&[1]), &[1]), None);
        assert_eq!(left(&set(&[]), &[]), None);
    }
}
