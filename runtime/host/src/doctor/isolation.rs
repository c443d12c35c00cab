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
    let mut checks = vec![core(subject), isolated(subject), one_way(subject)];
    checks.extend(checks_of_core(subject));
    checks.extend(models(subject));
    checks
}

/// What is asked of the core of a worker too.
pub(super) fn checks_of_core(subject: &Subject) -> Vec<Check> {
    vec![nohz_full(subject), siblings(subject)]
}

/// Cores of the workers, where there are any: the cycle waits for each of them.
fn models(subject: &Subject) -> Option<Check> {
    let cores = &subject.model_cores;
    let check = Check::new(
        "isolation.models",
        ISOLATED,
        "the cycle waits for the worker on each of these cores: what runs there delays it as on its own",
    );
    let list = |cores: &[usize]| {
        let names: Vec<String> = cores.iter().map(usize::to_string).collect();
        names.join(",")
    };
    let which = |wanted: &dyn Fn(&usize) -> bool| -> Vec<usize> {
        cores.iter().copied().filter(|core| wanted(core)).collect()
    };
    let absent = which(&|core| !subject.online.contains(*core) || *core == subject.core);
    let all = super::isolated(&subject.root);
    let shared = which(&|core| !all.contains(*core));
    let mut together: Vec<usize> = cores.iter().copied().chain([subject.core]).collect();
    together.sort_unstable();
    let together = list(&together);
    let value = format!("models on core {} beside the cycle's", list(cores));
    match (cores.as_slice(), absent.as_slice(), shared.as_slice()) {
        ([], ..) => None,
        (_, [], []) => Some(check.ok(value)),
        (_, [], shared) => Some(check.warn(
            format!("{value}, of which {} is not isolated", list(shared)),
            &format!(
                "isolate them like the cycle's core: isolcpus=managed_irq,domain,{together} nohz_full={together}"
            ),
        )),
        (_, absent, _) => Some(check.bad(
            format!("{value}; {} is not online, or is the cycle's", list(absent)),
            "name others in [realtime] model_cores",
        )),
    }
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
            .boot(format!("isolcpus=managed_irq,domain,{}", subject.busy()))
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
    let told = format!("nohz_full {cpus}, for core {core}");
    let parameter = format!("nohz_full={}", subject.busy());
    let remedy = format!("start the kernel with {parameter}");
    check
        .ok_or_warn(cpus.contains(core), told, &remedy)
        .boot(parameter)
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
    let busy = others.intersection(&subject.busy());
    if !busy.is_empty() {
        return check.warn(
            format!("core {core} shares its unit with {others}, and {busy} works for the cycle too"),
            "name cores that share none in [realtime] core and model_cores; `lscpu -e` lists which do",
        );
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::{Root, Verdict};

    #[test]
    fn the_core_of_a_worker_is_asked_what_the_cycles_is() {
        let folder = tempfile::tempdir().unwrap();
        let put = |file: &str, text: &str| {
            let path = folder.path().join("sys/devices/system/cpu").join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        put("online", "0-3\n");
        put("isolated", "2-3\n");
        put("nohz_full", "3\n");
        put("cpu3/topology/thread_siblings_list", "3\n");
        put("cpu2/topology/thread_siblings_list", "1-2\n");
        put("cpu2/cpufreq/scaling_governor", "powersave\n");
        let wrong = |models: &[usize]| {
            let root = Root::folder(folder.path());
            let subject = Subject::new(root, Some(3), models, Vec::new(), 80);
            let wrong = subject.examine().into_iter().filter(Check::is_wrong);
            wrong.collect::<Vec<_>>()
        };
        let names = |checks: &[Check]| checks.iter().map(|check| check.name).collect::<Vec<_>>();
        let alone = names(&wrong(&[]));
        for name in ["isolation.nohz_full", "isolation.smt", "power.governor"] {
            assert!(!alone.contains(&name), "{alone:?}");
        }
        let beside = wrong(&[2]);
        for name in ["isolation.nohz_full", "isolation.smt", "power.governor"] {
            assert_eq!(names(&beside).iter().filter(|one| **one == name).count(), 1);
        }
        // One parameter of the kernel for all of them: the last one named counts there.
        let boot = crate::doctor::script::script(&beside);
        assert!(boot.contains("nohz_full=2-3"), "{boot}");
        let nohz = beside.iter().find(|one| one.name == "isolation.nohz_full");
        assert!(nohz.is_some_and(|one| one.remedy.contains("nohz_full=2-3")));
        assert!(boot.contains("cpu1/online"), "{boot}");
        // A core that works for the cycle is never taken away from it.
        for core in [2, 3] {
            put(&format!("cpu{core}/topology/thread_siblings_list"), "2-3\n");
        }
        let siblings = wrong(&[2]);
        let script = crate::doctor::script::script(&siblings);
        assert!(!script.contains("/online"), "{script}");
        let told = |one: &&Check| one.name == "isolation.smt" && one.remedy.contains("model_cores");
        assert_eq!(siblings.iter().filter(told).count(), 2);
    }

    #[test]
    fn cores_of_workers_are_looked_at_where_there_are_any() {
        let folder = tempfile::tempdir().unwrap();
        let cpu = folder.path().join("sys/devices/system/cpu");
        std::fs::create_dir_all(&cpu).unwrap();
        std::fs::write(cpu.join("online"), "0-3\n").unwrap();
        std::fs::write(cpu.join("isolated"), "2-3\n").unwrap();
        let look = |core, cores: &[usize]| {
            let root = Root::folder(folder.path());
            let subject = Subject::new(root, core, cores, Vec::new(), 80);
            let check = models(&subject)?;
            Some((
                subject.core,
                check.verdict,
                format!("{} {}", check.value, check.remedy),
            ))
        };
        assert_eq!(look(None, &[]), None);
        // The last isolated core is the worker's here, so that the cycle takes the other one.
        let (core, verdict, _) = look(None, &[3]).unwrap();
        assert_eq!((core, verdict), (2, Verdict::Ok));
        let (_, verdict, said) = look(Some(3), &[1, 2]).unwrap();
        assert_eq!(verdict, Verdict::Warn);
        assert!(said.contains("of which 1 is not isolated"), "{said}");
        assert!(said.contains("isolcpus=managed_irq,domain,1,2,3"), "{said}");
        for cores in [&[3][..], &[2, 7]] {
            assert_eq!(look(Some(3), cores).unwrap().1, Verdict::Bad, "{cores:?}");
        }
    }
}
