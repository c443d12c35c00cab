//! Which core is the cycle's, and which are those of the workers that share its models.

use super::{aside, lock_memory, pin, prefault, set_fifo};
use crate::doctor::{self, Root};
use crate::error::HostError;
use crate::trust::Trust;
use twinstep_config::machine::{Policy, Realtime};

/// The core of the cycle: the one that was asked for, else the last isolated one that no worker has. None: any that no worker has.
///
/// # Errors
/// [`HostError::Usage`] for a core that is not there, and where the workers have them all.
pub(super) fn of_the_cycle(root: &Root, settings: &Realtime) -> Result<Option<usize>, HostError> {
    let models = &settings.model_cores;
    for core in models {
        that_is_there(root, "model_cores has", *core)?;
    }
    if let Some(core) = settings.core {
        return that_is_there(root, "core =", core).map(Some);
    }
    let others = &settings.others;
    let free = |core: &usize| !models.contains(core) && !others.cores.contains(core);
    let online = doctor::online_cores(root);
    if !models.is_empty() && !online.iter().any(|core| !models.contains(&core)) {
        return Err(HostError::usage(
            format!("[realtime] model_cores names all cores of this computer, {online}"),
            "leave one for the cycle",
        ));
    }
    // Each of several buses takes one that those before it have left.
    let isolated: Vec<usize> = doctor::isolated_cores(root).iter().filter(free).collect();
    Ok(isolated.iter().rev().nth(others.before).copied())
}

/// Refuses cores for workers that this process may not run on: there they would stand in each other's way. To be called before
/// the calling thread is pinned. Isolated cores are in nobody's affinity unless it is put there (`isolcpus`), and may be had all
/// the same; one outside of the cpuset shows as a worker that was not granted.
///
/// # Errors
/// [`HostError::Machine`] with the core.
pub(super) fn are_permitted(root: &Root, cores: &[usize]) -> Result<(), HostError> {
    // As it was at first: another bus may have kept this thread off its core.
    let permitted = aside::allowed();
    if permitted.count() == 0 {
        return Ok(());
    }
    let isolated = doctor::isolated_cores(root);
    let may_have = |core: usize| permitted.is_set(core) || isolated.contains(core);
    match cores.iter().find(|core| !may_have(**core)) {
        None => Ok(()),
        Some(core) => Err(HostError::machine(
            format!("[realtime] model_cores has {core}, and this process may not run on it"),
            "name another one, or see the cpuset and taskset of this process",
        )),
    }
}

/// `core`, if this computer has it.
fn that_is_there(root: &Root, key_is: &str, core: usize) -> Result<usize, HostError> {
    let online = doctor::online_cores(root);
    // More the mask of the call does not hold.
    if online.contains(core) && core < rustix::thread::CpuSet::MAX_CPU {
        return Ok(core);
    }
    Err(HostError::usage(
        format!("[realtime] {key_is} {core}, and the cores of this computer are {online}"),
        "name one of them; `twinstep doctor` says which one is free",
    ))
}

/// Makes the calling thread a worker on `core`, scheduled as the cycle is. Returns whether it is alone there and has its policy.
pub fn enter_worker(settings: &Realtime, core: usize) -> bool {
    lock_memory();
    pin(Some(core), &[], 0);
    if settings.policy != Policy::Other {
        let _ = aside::leave_to_the_pinned();
    }
    if settings.policy == Policy::Fifo {
        // Not permitted for an ordinary user: the run goes on and the trust header says so.
        let _ = set_fifo(settings.priority);
    }
    prefault::stack();
    let trust = Trust::observe();
    // Whatever rights it had are not needed any more.
    let _ = super::capabilities::give_up_all();
    trust.core == Some(core) && (trust.sched_fifo || settings.policy != Policy::Fifo)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn computer(isolated: &str) -> (tempfile::TempDir, Root) {
        let folder = tempfile::tempdir().unwrap();
        let cpu = folder.path().join("sys/devices/system/cpu");
        std::fs::create_dir_all(&cpu).unwrap();
        std::fs::write(cpu.join("online"), "0-3\n").unwrap();
        std::fs::write(cpu.join("isolated"), isolated).unwrap();
        let root = Root::folder(folder.path());
        (folder, root)
    }

    fn settings(core: Option<usize>, model_cores: &[usize]) -> Realtime {
        Realtime {
            core,
            model_cores: model_cores.to_vec(),
            ..Realtime::default()
        }
    }

    #[test]
    fn a_core_that_is_not_there_is_a_mistake_of_the_configuration() {
        let (_folder, root) = computer("2-3\n");
        let of = |core, models: &[usize]| of_the_cycle(&root, &settings(core, models));
        assert_eq!(of(Some(3), &[]).unwrap(), Some(3));
        assert_eq!(of(Some(3), &[1, 2]).unwrap(), Some(3));
        for (core, models) in [(Some(4), &[] as &[usize]), (None, &[2, 4])] {
            let error = of(core, models).unwrap_err();
            assert_eq!(error.exit(), crate::error::Exit::Usage);
            assert!(
                error
                    .render(false)
                    .contains("cores of this computer are 0-3")
            );
        }
        let error = of(None, &[0, 1, 2, 3]).unwrap_err();
        assert!(error.render(false).contains("leave one for the cycle"));
    }

    #[test]
    fn the_cycle_takes_the_last_isolated_core_that_no_worker_has() {
        let (_folder, root) = computer("2-3\n");
        let of = |models: &[usize]| of_the_cycle(&root, &settings(None, models)).unwrap();
        assert_eq!(of(&[]), Some(3));
        assert_eq!(of(&[3]), Some(2));
        let beside = |cores: &[usize], before| {
            let others = twinstep_config::machine::OtherBuses {
                cores: cores.to_vec(),
                before,
            };
            let settings = Realtime {
                others,
                ..Realtime::default()
            };
            of_the_cycle(&root, &settings).unwrap()
        };
        assert_eq!(
            (beside(&[3], 0), beside(&[], 1), beside(&[2], 1)),
            (Some(2), Some(2), None)
        );
        // None is isolated: one of the others, wherever this process may run.
        assert_eq!(of(&[2, 3]), None);
    }
}
