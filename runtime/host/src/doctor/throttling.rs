//! Whether the kernel stops real-time threads that run too long for its taste.

use super::{Check, Root, Subject};

/// Time a second that real-time threads may run (us); -1: all of it.
pub const RUNTIME: &str = "/proc/sys/kernel/sched_rt_runtime_us";
const PERIOD: &str = "/proc/sys/kernel/sched_rt_period_us";

/// What to do about it.
pub const REMEDY: &str = "sysctl -w kernel.sched_rt_runtime_us=-1, and kernel.sched_rt_runtime_us = -1 in /etc/sysctl.d/90-twinstep.conf";

/// Whether real-time threads are never stopped; none where nothing is known.
pub fn is_off(root: &Root) -> Option<bool> {
    let runtime_us = root.number(RUNTIME)?;
    // Without the period nothing is known to be enough.
    let period_us = root.number(PERIOD).unwrap_or(i64::MAX);
    Some(runtime_us < 0 || runtime_us >= period_us)
}

pub(super) fn checks(subject: &Subject) -> Vec<Check> {
    vec![
        global(&subject.root),
        fair_server(subject),
        group(&subject.root),
    ]
}

fn global(root: &Root) -> Check {
    let check = Check::new(
        "throttling.rt_runtime",
        RUNTIME,
        "a real-time thread that uses up its share of the second, as a spinning one does, is stopped for the rest of it: 50 ms with the usual 950000",
    );
    match (is_off(root), root.number(RUNTIME)) {
        (Some(true), Some(runtime)) => check.ok(format!("{runtime}: never")),
        (_, Some(runtime)) => {
            let period = root
                .number(PERIOD)
                .map_or("unknown".to_owned(), |us| us.to_string());
            check
                .bad(format!("{runtime} of {period} us"), REMEDY)
                .write(RUNTIME, "-1")
        }
        (_, None) => check.not_here(root.missing(RUNTIME)),
    }
}

fn fair_server_path(core: usize) -> String {
    format!("/sys/kernel/debug/sched/fair_server/cpu{core}/runtime")
}

/// What ordinary threads that starve on `core` are given (ns of each second); none where nothing is known, as without debugfs.
pub fn share_of_the_starved_ns(root: &Root, core: usize) -> Option<i64> {
    root.number(&fair_server_path(core))
}

pub(super) fn fair_server(subject: &Subject) -> Check {
    let path = fair_server_path(subject.core);
    let check = Check::new(
        "throttling.fair_server",
        path.as_str(),
        "kernels from 6.12 on give ordinary threads that starve on this core a share of every second, 50 ms unless set",
    );
    match share_of_the_starved_ns(&subject.root, subject.core) {
        None => check.not_here(subject.root.missing(&path)),
        Some(runtime_ns) => check
            .ok_or_warn(
                runtime_ns == 0,
                format!("{runtime_ns} ns a second"),
                &format!("echo 0 > {path}"),
            )
            .write(path, "0"),
    }
}

/// Control groups of the first version hold a share of their own, which is 0 unless somebody gave one.
fn group(root: &Root) -> Check {
    let own = root.read("/proc/self/cgroup").unwrap_or_default();
    let group = own.lines().find_map(|line| {
        let (_, rest) = line.split_once(':')?;
        let (controllers, path) = rest.split_once(':')?;
        controllers
            .split(',')
            .any(|one| one == "cpu")
            .then_some(path)
    });
    let path = group.map_or_else(
        || "/sys/fs/cgroup/cpu/cpu.rt_runtime_us".to_owned(),
        |group| {
            format!(
                "/sys/fs/cgroup/cpu{}/cpu.rt_runtime_us",
                group.trim_end_matches('/')
            )
        },
    );
    let check = Check::new(
        "throttling.control_group",
        path.as_str(),
        "a control group (v1) without real-time share refuses SCHED_FIFO to all that run in it",
    );
    match root.number(&path) {
        None => check.not_here(root.missing(&path)),
        Some(0) => check
            .bad(
                "0 us",
                &format!("echo 950000 > {path}, or start the kernel with cgroup_no_v1=cpu"),
            )
            .write(path, "950000"),
        Some(runtime) => check.ok(format!("{runtime} us")),
    }
}
