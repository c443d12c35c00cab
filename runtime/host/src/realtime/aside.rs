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

/// Threads of this process that have a core, with the core. A run has one for each bus and worker.
static PINNED: Mutex<Vec<(Pid, usize)>> = Mutex::new(Vec::new());

/// Where it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kept {
    /// All other threads run elsewhere from now on.
    Aside,
    /// There is no other core: nothing was changed.
    NoOther,
}

/// The cores that this process may run on, as it was when this was first called: before anything was pinned or kept off.
pub fn allowed() -> CpuSet {
    static ALLOWED: OnceLock<CpuSet> = OnceLock::new();
    // Where the kernel does not say, none: nothing is changed then.
    *ALLOWED.get_or_init(|| sched_getaffinity(None).unwrap_or_default())
}

/// Pins the calling thread by `pin`, and remembers it where that has given it a core. Nobody else is kept off anything meanwhile.
pub(super) fn pinned(pin: impl FnOnce()) {
    let mut pinned = PINNED.lock().unwrap_or_else(PoisonError::into_inner);
    pin();
    let Ok(own) = sched_getaffinity(None) else {
        return;
    };
    pinned.retain(|(thread, _)| *thread != gettid() && is_there(*thread));
    if let [core] = listed(&own)[..] {
        pinned.push((gettid(), core));
    }
}

/// Keeps all threads of this process but the pinned ones off the cores of those.
///
/// # Errors
/// What the kernel says.
pub(super) fn leave_to_the_pinned() -> io::Result<Kept> {
    let pinned = PINNED.lock().unwrap_or_else(PoisonError::into_inner);
    let cores: Vec<usize> = pinned.iter().map(|(_, core)| *core).collect();
    if cores.is_empty() {
        return Ok(Kept::NoOther);
    }
    keep_off(&cores, |thread| {
        thread == gettid() || pinned.iter().any(|(own, _)| *own == thread)
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
    let Some(rest) = without(&allowed(), cores) else {
        return Ok(Kept::NoOther);
    };
    let mut done: Vec<Pid> = Vec::new();
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
                Ok(()) | Err(rustix::io::Errno::SRCH) => done.push(thread),
                Err(error) => return Err(error.into()),
            }
        }
        if done.len() == before {
            break;
        }
    }
    Ok(Kept::Aside)
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
    (0..CpuSet::MAX_CPU).filter(|core| cores.is_set(*core)).collect()
}

fn is_there(thread: Pid) -> bool {
    std::fs::exists(format!("/proc/self/task/{}", thread.as_raw_nonzero())).unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    fn set(cores: &[usize]) -> CpuSet {
        let mut set = CpuSet::new();
        cores.iter().for_each(|core| set.set(*core));
        set
    }

    #[test]
    fn something_must_be_left() {
        let all = set(&[0, 1, 2, 3]);
        let left = |allowed: &CpuSet, cores: &[usize]| without(allowed, cores).map(|rest| listed(&rest));
        assert_eq!(left(&all, &[3, 1]), Some(vec![0, 2]));
        assert_eq!(left(&all, &[]), Some(vec![0, 1, 2, 3]));
        assert_eq!(left(&all, &[7, usize::MAX]), Some(vec![0, 1, 2, 3]));
        assert_eq!(left(&set(&[1]), &[1]), None);
        assert_eq!(left(&set(&[]), &[]), None);
    }

    #[test]
    fn others_are_kept_off_and_the_pinned_one_stays() {
        let all = listed(&allowed());
        let (first, last) = (all[0], all[all.len() - 1]);
        let (end, ended) = mpsc::channel::<()>();
        let (tell, told) = mpsc::channel();
        let other = std::thread::spawn(move || {
            tell.send(gettid()).unwrap();
            let _ = ended.recv();
        });
        let thread = told.recv().unwrap();
        let of_other = || listed(&sched_getaffinity(Some(thread)).unwrap());
        let cycle = std::thread::spawn(move || {
            pinned(|| sched_setaffinity(None, &set(&[last])).unwrap());
            let kept = leave_to_the_pinned().unwrap();
            (kept, listed(&sched_getaffinity(None).unwrap()))
        });
        let (kept, own) = cycle.join().unwrap();
        assert_eq!(own, [last]);
        if all.len() == 1 {
            assert_eq!((kept, of_other()), (Kept::NoOther, all));
        } else {
            assert_eq!(kept, Kept::Aside);
            assert_eq!(of_other(), all[..all.len() - 1]);
            // Another core later: back to all of them but that.
            leave_to_others(&[first]).unwrap();
            assert_eq!(of_other(), all[1..]);
        }
        drop(end);
        other.join().unwrap();
    }
}
