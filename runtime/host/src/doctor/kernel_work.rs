//! Work of the kernel that can be kept off the cycle's core.

use super::command_line::CommandLine;
use super::cpus::Cpus;
use super::{Check, Subject, cpus_in};

/// Statistics of memory are gathered at least this seldom (s).
const STAT_INTERVAL_S: i64 = 10;
const WORKQUEUES: &str = "/sys/devices/virtual/workqueue";

pub(super) fn checks(subject: &Subject) -> Vec<Check> {
    vec![
        workqueues(subject),
        watchdog(subject),
        nmi_watchdog(subject),
        timer_migration(subject),
        stat_interval(subject),
        rcu_callbacks(subject),
        rcu_priority(subject),
    ]
}

/// What is asked of the core of a worker too.
pub(super) fn checks_of_core(subject: &Subject) -> Vec<Check> {
    vec![
        workqueues(subject),
        watchdog(subject),
        rcu_callbacks(subject),
    ]
}

fn workqueues(subject: &Subject) -> Check {
    let path = format!("{WORKQUEUES}/cpumask");
    let check = Check::new(
        "kernel_work.workqueues",
        path.as_str(),
        "unbound work of drivers and file systems runs on every core in this mask",
    );
    let root = &subject.root;
    let mut masks: Vec<String> = root
        .entries(WORKQUEUES)
        .into_iter()
        .map(|queue| format!("{WORKQUEUES}/{queue}/cpumask"))
        .collect();
    masks.push(path.clone());
    masks.retain(|mask| {
        let cpus = root.read(mask).and_then(|text| Cpus::parse_mask(&text));
        cpus.is_some_and(|cpus| cpus.contains(subject.core))
    });
    let Some(all) = root.read(&path).and_then(|text| Cpus::parse_mask(&text)) else {
        return check.not_here(root.missing(&path));
    };
    if masks.is_empty() {
        return check.ok(format!("cores {all}"));
    }
    let mask = subject.housekeeping().mask();
    let value = format!(
        "cores {all}, {} masks with core {}",
        masks.len(),
        subject.core
    );
    let remedy = format!("echo {mask} > {path} (and the cpumask of each queue below {WORKQUEUES})");
    masks
        .iter()
        .fold(check.warn(value, &remedy), |check, path| {
            check.write(path.as_str(), mask.as_str())
        })
}

fn watchdog(subject: &Subject) -> Check {
    const ON: &str = "/proc/sys/kernel/watchdog";
    const CPUS: &str = "/proc/sys/kernel/watchdog_cpumask";
    let check = Check::new(
        "kernel_work.watchdog",
        ON,
        "the watchdog wakes a thread of the highest priority on every core in its mask",
    );
    let root = &subject.root;
    let Some(on) = root.number(ON) else {
        return check.not_here(root.missing(ON));
    };
    if on == 0 {
        return check.ok("off");
    }
    let Some(cpus) = cpus_in(root, CPUS) else {
        return check
            .warn("on, cores unknown", &format!("echo 0 > {ON}"))
            .write(ON, "0")
            .boot("nosoftlockup");
    };
    let rest = subject.housekeeping().to_string();
    let remedy = format!("echo {rest} > {CPUS}");
    check
        .ok_or_warn(
            !cpus.contains(subject.core),
            format!("on, cores {cpus}, for core {}", subject.core),
            &remedy,
        )
        .write(CPUS, rest)
}

fn nmi_watchdog(subject: &Subject) -> Check {
    const PATH: &str = "/proc/sys/kernel/nmi_watchdog";
    let check = Check::new(
        "kernel_work.nmi_watchdog",
        PATH,
        "it interrupts every core with an interrupt that nothing can mask",
    );
    match subject.root.number(PATH) {
        None => check.not_here(subject.root.missing(PATH)),
        Some(on) => check
            .ok_or_warn(
                on == 0,
                if on == 0 { "off" } else { "on" },
                &format!("echo 0 > {PATH}, or nmi_watchdog=0"),
            )
            .write(PATH, "0")
            .boot("nmi_watchdog=0"),
    }
}

fn timer_migration(subject: &Subject) -> Check {
    const PATH: &str = "/proc/sys/kernel/timer_migration";
    let check = Check::new(
        "kernel_work.timer_migration",
        PATH,
        "with 1 timers of other programs leave the isolated core instead of waking it",
    );
    match subject.root.number(PATH) {
        None => check.not_here(subject.root.missing(PATH)),
        Some(on) => check
            .ok_or_warn(on == 1, on.to_string(), &format!("echo 1 > {PATH}"))
            .write(PATH, "1"),
    }
}

fn stat_interval(subject: &Subject) -> Check {
    const PATH: &str = "/proc/sys/vm/stat_interval";
    let check = Check::new(
        "kernel_work.stat_interval",
        PATH,
        "this often a worker of the kernel gathers memory statistics on every core",
    );
    match subject.root.number(PATH) {
        None => check.not_here(subject.root.missing(PATH)),
        Some(interval_s) => check
            .ok_or_warn(
                interval_s >= STAT_INTERVAL_S,
                format!("{interval_s} s"),
                &format!("echo {STAT_INTERVAL_S} > {PATH}"),
            )
            .write(PATH, STAT_INTERVAL_S.to_string()),
    }
}

fn rcu_callbacks(subject: &Subject) -> Check {
    let check = Check::new(
        "kernel_work.rcu_callbacks",
        CommandLine::PATH,
        "RCU callbacks of the whole kernel run on the core that queued them unless they are moved away",
    );
    let (root, core) = (&subject.root, subject.core);
    let Some(line) = CommandLine::read(root) else {
        return check.not_here(root.missing(CommandLine::PATH));
    };
    // nohz_full moves them away too.
    let moved = ["rcu_nocbs", "nohz_full"].iter().any(|name| {
        let cpus = line.cpus(name, subject.online.last()).and_then(Result::ok);
        cpus.is_some_and(|cpus| cpus.contains(core))
    });
    let value = if moved {
        format!("moved away from core {core}")
    } else {
        format!("on core {core}")
    };
    let parameter = format!("rcu_nocbs={}", subject.busy());
    let remedy = format!("start the kernel with {parameter}");
    check.ok_or_warn(moved, value, &remedy).boot(parameter)
}

fn rcu_priority(subject: &Subject) -> Check {
    const PATH: &str = "/sys/module/rcutree/parameters/kthread_prio";
    let check = Check::new(
        "kernel_work.rcu_priority",
        PATH,
        "RCU's own threads must not be above the cycle, or they run instead of it",
    );
    match subject.root.number(PATH) {
        None => check.not_here(subject.root.missing(PATH)),
        Some(priority) => check
            .ok_or_warn(
                priority < i64::from(subject.priority),
                format!("{priority}, the cycle has {}", subject.priority),
                "start the kernel with rcutree.kthread_prio=1",
            )
            .boot("rcutree.kthread_prio=1"),
    }
}
