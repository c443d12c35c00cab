//! Interrupts: where they go, and what really arrives on the cycle's core and on those of its workers.

mod counters;

use super::cpus::Cpus;
use super::{Check, Root, Subject, cpus_in, isolated, nic, noise};

pub(super) use counters::Counts;

/// Lines of a list that are shown.
const SHOWN: usize = 8;

const DEFAULT: &str = "/proc/irq/default_smp_affinity";

pub(super) fn checks(subject: &Subject, before: &Counts) -> Vec<Check> {
    let mut checks = vec![
        default_affinity(subject),
        affinities(subject, "interrupts.affinity", &Cpus::one(subject.core)),
    ];
    let workers = subject.workers();
    if !workers.is_empty() {
        checks.push(affinities(subject, "interrupts.models_affinity", &workers));
    }
    checks.extend([balancer(subject), threads(subject)]);
    checks.extend(counters::checks(subject, before));
    checks
}

fn default_affinity(subject: &Subject) -> Check {
    let check = Check::new(
        "interrupts.default_affinity",
        DEFAULT,
        "devices that appear later send their interrupts to every core in this mask",
    );
    let root = &subject.root;
    let Some(cpus) = root.read(DEFAULT).and_then(|text| Cpus::parse_mask(&text)) else {
        return check.not_here(root.missing(DEFAULT));
    };
    let rest = subject.housekeeping();
    let remedy = format!(
        "echo {} > {DEFAULT}, or start the kernel with irqaffinity={rest}",
        rest.mask()
    );
    check
        .ok_or_warn(
            cpus.intersection(&subject.busy()).is_empty(),
            format!("cores {cpus}"),
            &remedy,
        )
        .write(DEFAULT, rest.mask())
        .boot(format!("irqaffinity={rest}"))
}

/// Where one interrupt goes: the cores that it really goes to where the kernel tells, else those that it may go to.
fn affinity(root: &Root, irq: &str) -> Option<Cpus> {
    let effective = cpus_in(root, &format!("/proc/irq/{irq}/effective_affinity_list"));
    let effective = effective.filter(|cpus| !cpus.is_empty());
    effective.or_else(|| cpus_in(root, &format!("/proc/irq/{irq}/smp_affinity_list")))
}

/// Cores in words.
fn told(cores: &Cpus) -> String {
    let word = if cores.len() == 1 { "core" } else { "cores" };
    format!("{word} {cores}")
}

fn affinities(subject: &Subject, name: &'static str, cores: &Cpus) -> Check {
    let check = Check::new(
        name,
        "/proc/irq/*/effective_affinity_list",
        "every interrupt on the cycle's core, or on that of a worker that it waits for, stops the cycle, whatever its priority",
    );
    let root = &subject.root;
    let irqs: Vec<String> = root
        .entries("/proc/irq")
        .into_iter()
        .filter(|name| name.parse::<u32>().is_ok())
        .collect();
    if irqs.is_empty() {
        return check.not_here(root.missing("/proc/irq"));
    }
    let on_core: Vec<&String> = irqs
        .iter()
        .filter(|irq| affinity(root, irq).is_some_and(|cpus| !cpus.intersection(cores).is_empty()))
        .collect();
    if on_core.is_empty() {
        return check.ok(format!("none of {} on {}", irqs.len(), told(cores)));
    }
    let rest = subject.housekeeping().to_string();
    let names: Vec<&str> = on_core.iter().take(SHOWN).map(|irq| irq.as_str()).collect();
    let more = if on_core.len() > SHOWN { " ..." } else { "" };
    let value = format!(
        "{} of {} on {}: {}{more}",
        on_core.len(),
        irqs.len(),
        told(cores),
        names.join(" ")
    );
    let remedy = format!(
        "echo {rest} > /proc/irq/N/smp_affinity_list for each (some belong to a core and refuse)"
    );
    // Those of the bus have a core of their own: see `nic.interrupts`.
    let of_bus: Vec<String> = (subject.interfaces.iter())
        .flat_map(|name| nic::interrupts(root, name))
        .collect();
    on_core
        .iter()
        .filter(|irq| !of_bus.contains(irq))
        .fold(check.warn(value, &remedy), |check, irq| {
            check.write(format!("/proc/irq/{irq}/smp_affinity_list"), rest.as_str())
        })
}

fn balancer(subject: &Subject) -> Check {
    let check = Check::new(
        "interrupts.irqbalance",
        "/proc/*/comm",
        "irqbalance moves interrupts about, and leaves out only isolated and banned cores",
    );
    let root = &subject.root;
    let running = noise::threads(root).any(|thread| thread.name == "irqbalance");
    if !running {
        return check.ok("not running");
    }
    let nohz_full = cpus_in(root, "/sys/devices/system/cpu/nohz_full").unwrap_or_default();
    let left_out = isolated(root).union(&nohz_full);
    let isolated = subject.busy().without(&left_out).is_empty();
    let banned = root
        .read("/etc/default/irqbalance")
        .unwrap_or_default()
        .lines()
        .any(|line| line.starts_with("IRQBALANCE_BANNED_CPU"));
    let value = match (isolated, banned) {
        (true, _) => "running, the core is isolated",
        (false, true) => "running, with banned cores",
        (false, false) => "running",
    };
    check
        .ok_or_warn(
            isolated || banned,
            value,
            &format!(
                "systemctl disable --now irqbalance, or IRQBALANCE_BANNED_CPULIST={} in /etc/default/irqbalance",
                subject.busy()
            ),
        )
        // For good it is somebody's decision, who reads the remedy.
        .run("systemctl stop irqbalance")
}

fn threads(subject: &Subject) -> Check {
    let check = Check::new(
        "interrupts.threads",
        "/proc/*/task/*/stat",
        "a thread of an interrupt at or above the cycle's priority on its core runs instead of it",
    );
    let busy = subject.busy();
    let mut count = 0;
    let mut above = Vec::new();
    for thread in noise::threads(&subject.root) {
        if !thread.name.starts_with("irq/") {
            continue;
        }
        count += 1;
        let meets = !thread.allowed.intersection(&busy).is_empty();
        if meets && thread.priority >= u32::from(subject.priority) {
            above.push(thread);
        }
    }
    if count == 0 {
        return check
            .not_here("no threads of interrupts (they come with PREEMPT_RT or threadirqs)");
    }
    if above.is_empty() {
        return check.ok(format!("{count} threads, none above the cycle on its core"));
    }
    let names: Vec<String> = above
        .iter()
        .take(SHOWN)
        .map(|thread| format!("{} {}", thread.name, thread.priority))
        .collect();
    let first = above
        .iter()
        .map(|thread| format!("chrt --fifo --pid 50 {}", thread.id));
    let commands: Vec<String> = first.collect();
    let remedy = commands
        .iter()
        .take(SHOWN)
        .cloned()
        .collect::<Vec<_>>()
        .join("; ");
    commands
        .iter()
        .fold(check.warn(names.join(", "), &remedy), |check, command| {
            check.run(command.as_str())
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::{Fix, Verdict};
    use std::fs;

    /// A computer of four cores: interrupt 9 on core 0, 30 on core 2, 31 on core 3.
    fn computer() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        write("sys/devices/system/cpu/online", "0-3\n");
        write("proc/irq/default_smp_affinity", "7\n");
        for (irq, core) in [(9, "0"), (30, "2"), (31, "3")] {
            write(&format!("proc/irq/{irq}/smp_affinity_list"), "0-3\n");
            write(&format!("proc/irq/{irq}/effective_affinity_list"), core);
        }
        write("proc/77/comm", "irq/30-disk\n");
        write("proc/77/stat", &STAT.replace("NAME", "irq/30-disk"));
        write("proc/77/status", "Cpus_allowed_list:\t2\n");
        folder
    }

    /// A thread under SCHED_FIFO 85.
    const STAT: &str = "77 (NAME) S 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 85 1 0 0\n";

    fn look(folder: &tempfile::TempDir, workers: &[usize]) -> Vec<Check> {
        let root = Root::folder(folder.path());
        let subject = Subject::new(root, Some(3), workers, Vec::new(), 80);
        checks(&subject, &Counts::read(&subject))
    }

    fn found<'a>(checks: &'a [Check], name: &str) -> &'a Check {
        checks.iter().find(|check| check.name == name).unwrap()
    }

    #[test]
    fn cores_of_workers_are_looked_at_where_there_are_any() {
        let folder = computer();
        let checks = look(&folder, &[]);
        assert!(!checks.iter().any(|check| check.name.contains("models")));
        let own = found(&checks, "interrupts.affinity");
        assert_eq!(own.value, "1 of 3 on core 3: 31");
        assert_eq!(
            found(&checks, "interrupts.default_affinity").verdict,
            Verdict::Ok
        );
        assert_eq!(found(&checks, "interrupts.threads").verdict, Verdict::Ok);

        let checks = look(&folder, &[1, 2]);
        let workers = found(&checks, "interrupts.models_affinity");
        assert_eq!(workers.verdict, Verdict::Warn);
        assert_eq!(workers.value, "1 of 3 on cores 1-2: 30");
        // It goes where neither the cycle nor a worker is.
        let mended = Fix::Write {
            path: "/proc/irq/30/smp_affinity_list".into(),
            value: "0".into(),
        };
        assert_eq!(workers.fixes, [mended]);
        let default = found(&checks, "interrupts.default_affinity");
        assert_eq!(default.verdict, Verdict::Warn);
        assert!(default.remedy.contains("irqaffinity=0"), "{default:?}");
        let threads = found(&checks, "interrupts.threads");
        assert_eq!(threads.value, "irq/30-disk 85");
        for name in ["interrupts.models_rate", "interrupts.models_softirqs"] {
            assert_eq!(found(&checks, name).verdict, Verdict::NotHere);
        }
        assert_eq!(
            found(&look(&folder, &[1]), "interrupts.models_affinity").value,
            "none of 3 on core 1"
        );
    }
}
