//! Rights of the process: taken at the start, given up once everything is set up.
//!
//! The kernel keeps them per thread, so every thread of a run gives its own up.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustix::thread::{
    CapabilitySet, CapabilitySets, capabilities, clear_ambient_capability_set,
    remove_capability_from_bounding_set, set_capabilities, set_no_new_privs,
};
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};

/// Whether the threads of this process are to give up their rights.
static WANTED: AtomicBool = AtomicBool::new(false);

/// From here on [`give_up`] does something. Memory is allowed to grow first: what is locked counts against a limit for
/// whoever has no rights.
pub fn prepare() {
    let all = Rlimit {
        current: None,
        maximum: None,
    };
    // Where that is not permitted, the right to lock memory is kept.
    let _ = setrlimit(Resource::Memlock, all);
    // Relaxed: threads that are started from here on see it anyway.
    WANTED.store(true, Ordering::Relaxed);
}

/// Gives up all rights of the calling thread but those in `kept`, which it may take up again with [`with`].
///
/// Where [`prepare`] was not called nothing is given up.
///
/// # Errors
/// What the kernel said; the rights are as they were then.
pub fn give_up(kept: CapabilitySet) -> io::Result<()> {
    if !WANTED.load(Ordering::Relaxed) {
        return Ok(());
    }
    let mut needed = CapabilitySet::empty();
    if getrlimit(Resource::Memlock).current.is_some() {
        needed |= CapabilitySet::IPC_LOCK;
    }
    let own = capabilities(None)?;
    set_no_new_privs(true)?;
    clear_ambient_capability_set()?;
    // Only who may set capabilities may shrink the bounding set; without it there is nothing to be had by it either, since
    // no new program gets any.
    if own.effective.contains(CapabilitySet::SETPCAP) {
        for one in CapabilitySet::all().difference(kept | needed).iter() {
            // Older kernels do not know the newest ones.
            let _ = remove_capability_from_bounding_set(one);
        }
    }
    let needed = needed & own.permitted;
    set_capabilities(
        None,
        CapabilitySets {
            effective: needed,
            permitted: (kept & own.permitted) | needed,
            inheritable: CapabilitySet::empty(),
        },
    )?;
    Ok(())
}

/// Gives up all rights of the calling thread.
///
/// # Errors
/// As [`give_up`].
pub fn give_up_all() -> io::Result<()> {
    give_up(CapabilitySet::empty())
}

/// Runs `work` with `rights` taken up, as far as they were kept.
pub fn with<T>(rights: CapabilitySet, work: impl FnOnce() -> T) -> T {
    let before = capabilities(None).ok();
    if let Some(own) = before {
        let raised = CapabilitySets {
            effective: own.effective | (own.permitted & rights),
            ..own
        };
        let _ = set_capabilities(None, raised);
    }
    let result = work();
    if let Some(own) = before {
        let _ = set_capabilities(None, own);
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_gives_up_what_it_does_not_keep() {
        // A thread of its own: what is given up is gone for good.
        std::thread::spawn(|| {
            let before = capabilities(None).unwrap();
            assert!(give_up(CapabilitySet::empty()).is_ok());
            assert_eq!(
                capabilities(None).unwrap(),
                before,
                "nobody has asked for it yet"
            );
            prepare();
            give_up(CapabilitySet::NET_ADMIN).unwrap();
            let after = capabilities(None).unwrap();
            let locked = getrlimit(Resource::Memlock).current.is_some();
            let allowed = if locked {
                CapabilitySet::IPC_LOCK
            } else {
                CapabilitySet::empty()
            };
            assert_eq!(after.effective, allowed & before.permitted);
            assert_eq!(
                after.permitted,
                (allowed | CapabilitySet::NET_ADMIN) & before.permitted
            );
            let raised = with(CapabilitySet::NET_ADMIN, || {
                capabilities(None).unwrap().effective
            });
            assert_eq!(raised, after.permitted);
            assert_eq!(capabilities(None).unwrap(), after);
            assert!(rustix::thread::no_new_privs().unwrap());
            WANTED.store(false, Ordering::Relaxed);
        })
        .join()
        .unwrap();
    }
}
