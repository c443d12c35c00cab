//! Whether the durations of this run can be believed: what the computer granted, read back from the kernel.

use serde::Serialize;
use std::path::Path;

/// What was found. Written into every summary.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Trust {
    /// The kernel is a PREEMPT_RT one.
    pub realtime_kernel: bool,
    /// The cycle thread runs under SCHED_FIFO.
    pub sched_fifo: bool,
    /// The memory of the process is locked.
    pub memory_locked: bool,
    /// All of these, so that the durations say something about the machine controller.
    pub timing_valid: bool,
}

/// SCHED_FIFO as it stands in the kernel's `stat` files.
const SCHED_FIFO: &str = "1";

impl Trust {
    /// Reads what was granted. To be called in the cycle thread, before its first cycle: the policy is the caller's own.
    pub fn observe() -> Self {
        Self::observe_under(Path::new("/"))
    }

    /// The same, with all paths taken below `root`, so that a folder of files can stand for a computer.
    pub fn observe_under(root: &Path) -> Self {
        let read = |path: &str| std::fs::read_to_string(root.join(path)).unwrap_or_default();
        let realtime_kernel = read("sys/kernel/realtime").trim() == "1";
        let sched_fifo = policy(&read("proc/thread-self/stat")) == Some(SCHED_FIFO);
        let memory_locked = locked_kb(&read("proc/self/status")) > 0;
        Self {
            realtime_kernel,
            sched_fifo,
            memory_locked,
            timing_valid: realtime_kernel && sched_fifo && memory_locked,
        }
    }
}

/// Field 41 of proc(5) `stat`: the scheduling policy. Fields are counted after the name, which may hold anything.
fn policy(stat: &str) -> Option<&str> {
    let (_, after_name) = stat.rsplit_once(')')?;
    // The first field after the name is number 3.
    after_name.split_ascii_whitespace().nth(41 - 3)
}

/// `VmLck` of proc(5) `status` (kB), 0 where it cannot be read.
fn locked_kb(status: &str) -> u64 {
    status
        .lines()
        .find_map(|line| line.strip_prefix("VmLck:"))
        .and_then(|value| value.split_ascii_whitespace().next())
        .and_then(|number| number.parse().ok())
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn computer(realtime: &str, policy: u32, locked_kb: u64) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for folder in ["sys/kernel", "proc/self", "proc/thread-self"] {
            fs::create_dir_all(root.path().join(folder)).unwrap();
        }
        fs::write(root.path().join("sys/kernel/realtime"), realtime).unwrap();
        let fields: Vec<String> = (3..=52)
            .map(|field| {
                if field == 41 {
                    policy.to_string()
                } else {
                    "7".into()
                }
            })
            .collect();
        let stat = format!("12 (a) b (c) {}", fields.join(" "));
        fs::write(root.path().join("proc/thread-self/stat"), stat).unwrap();
        let status = format!("Name:\tx\nVmLck:\t  {locked_kb} kB\n");
        fs::write(root.path().join("proc/self/status"), status).unwrap();
        root
    }

    #[test]
    fn all_granted_makes_timing_valid() {
        let root = computer("1\n", 1, 4096);
        let trust = Trust::observe_under(root.path());
        assert!(
            trust.realtime_kernel && trust.sched_fifo && trust.memory_locked && trust.timing_valid
        );
    }

    #[test]
    fn one_missing_makes_timing_invalid() {
        for (realtime, policy, locked_kb) in [("0\n", 1, 4096), ("1\n", 0, 4096), ("1\n", 1, 0)] {
            let root = computer(realtime, policy, locked_kb);
            assert!(!Trust::observe_under(root.path()).timing_valid);
        }
    }

    #[test]
    fn an_empty_computer_grants_nothing() {
        let root = tempfile::tempdir().unwrap();
        assert_eq!(Trust::observe_under(root.path()), Trust::default());
    }
}
