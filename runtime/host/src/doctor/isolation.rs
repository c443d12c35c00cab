//! Whether anything but the cycle may run on the cycle's core.

use super::command_line::CommandLine;
use super::cpus::Cpus;
use super::{Check, Subject, cpus_in};

/// Cores that were isolated when the kernel started.
pub(super) const ISOLATED: &str = "/sys/devices/system/cpu/isolated";
/// Cores in isolated partitions of cpusets.
pub(super) const PARTITION: &str = "/sys/fs/cgroup/cpuset.cpus.isolated";
const NOHZ_FULL: &str = "/sys/devices/system/cpu/nohz_full";

pub(super) fn checks(subject: &Subject) -> Vec<Check> {
    vec![
        core(subject),
        isolated(subject),
        one_way(subject),
        nohz_full(subject),
        siblings(subject),
    ]
}

fn core(subject: &Subject) -> Check {
    let check = Check::new(
        "isolation.core",
        "/sys/devices/system/cpu/online",
        "the cycle needs a core of its own, and core 0 has work that cannot be moved away from it",
    );
    let (core, online) = (subject.core, &subject.online);
    let value = format!("cycle on core {core} of {online}");
    let other = "name another core in [realtime] core, or with --core";
    if online.is_empty() {
        return check.not_here("absent");
    }
    if !online.contains(core) {
        check.bad(value, other)
    } else if online.len() == 1 {
        check.bad(
            value,
            "take a computer with two cores at least: the rest of it runs on the other one",
        )
    } else if core == 0 {
        check.warn(value, other)
    } else {
        check.ok(value)
    }
}

fn isolated(subject: &Subject) -> Check {
    let (root, core) = (&subject.root, subject.core);
    let check = Check::new(
        "isolation.isolated",
        ISOLATED,
        "on a core that is not isolated the scheduler also puts other threads, and moves them while the cycle waits",
    );
    let at_start = cpus_in(root, ISOLATED).unwrap_or_default();
    let partition = cpus_in(root, PARTITION).unwrap_or_default();
    if at_start.contains(core) {
        check.ok(format!("isolcpus {at_start}"))
    } else if partition.contains(core) {
        check.ok(format!("cpuset partition {partition}"))
    } else {
        check
            .warn(
                format!("core {core} is not isolated (isolcpus {at_start}, cpuset partition {partition})"),
                &format!(
                    "start the kernel with isolcpus=managed_irq,domain,{core}, or make a cpuset partition of type isolated with core {core}"
                ),
            )
            .boot(format!("isolcpus=managed_irq,domain,{core}"))
    }
}

fn one_way(subject: &Subject) -> Check {
    let root = &subject.root;
    let check = Check::new(
        "isolation.one_way",
        PARTITION,
        "isolcpus= and an isolated cpuset partition exclude each other: the kernel makes the partition invalid (seen on 6.12)",
    );
    let line = CommandLine::read(root).unwrap_or_default();
    let isolcpus = line.value("isolcpus");
    let Some(partition) = cpus_in(root, PARTITION) else {
        return check.not_here(root.missing(PARTITION));
    };
    match isolcpus {
        Some(list) if !partition.is_empty() => check.warn(
            format!("isolcpus={list} and partition {partition}"),
            "keep one of the two: remove isolcpus= from the kernel's command line, or the partition",
        ),
        Some(list) => check.ok(format!("isolcpus={list} alone")),
        None => check.ok(format!("partition {partition}")),
    }
}

fn nohz_full(subject: &Subject) -> Check {
    let (root, core) = (&subject.root, subject.core);
    let check = Check::new(
        "isolation.nohz_full",
        NOHZ_FULL,
        "without it the timer tick interrupts the cycle 100 to 1000 times a second",
    );
    if root.read(NOHZ_FULL).is_none() {
        return check.not_here(root.missing(NOHZ_FULL));
    }
    let cpus = cpus_in(root, NOHZ_FULL).unwrap_or_default();
    let told = format!("nohz_full {cpus}");
    let remedy = format!("start the kernel with nohz_full={core}");
    check
        .ok_or_warn(cpus.contains(core), told, &remedy)
        .boot(format!("nohz_full={core}"))
}

fn siblings(subject: &Subject) -> Check {
    let (root, core) = (&subject.root, subject.core);
    let path = format!("/sys/devices/system/cpu/cpu{core}/topology/thread_siblings_list");
    let check = Check::new(
        "isolation.smt",
        path.as_str(),
        "a sibling shares caches and execution units: what runs there slows the cycle down by up to half",
    );
    let Some(all) = cpus_in(root, &path) else {
        return check.not_here(root.missing(&path));
    };
    let others = all.without(&Cpus::one(core));
    if others.is_empty() {
        return check.ok("no sibling");
    }
    let files: Vec<String> = others
        .iter()
        .map(|cpu| format!("/sys/devices/system/cpu/cpu{cpu}/online"))
        .collect();
    let remedy = format!(
        "take the sibling offline (echo 0 > {}), or switch SMT off (nosmt)",
        files.join(" ")
    );
    let mut check = check.warn(
        format!("core {core} shares its unit with {others}"),
        &remedy,
    );
    // Core 0 cannot be taken offline.
    for file in files.iter().filter(|file| !file.contains("/cpu0/")) {
        check = check.write(file.as_str(), "0");
    }
    check.boot("nosmt")
}
