//! What else takes time from the cycle: firmware, machine checks, tracers, other real-time programs.

use super::cpus::Cpus;
use super::{Check, NOT_UNDER_SYSROOT, Root, Subject, rivals};
use std::fs::File;
use std::os::unix::fs::FileExt;

/// Register that counts system management interrupts on Intel processors (MSR_SMI_COUNT).
const MSR_SMI_COUNT: u64 = 0x34;

pub(super) fn checks(subject: &Subject, smi_before: Option<u64>) -> Vec<Check> {
    vec![
        machine_checks(subject),
        smi(subject, smi_before),
        steal(subject),
        tracer(subject),
        debugging(subject),
        others(subject),
    ]
}

/// A thread as the scheduler sees it.
pub(super) struct Thread {
    /// The process that it is of.
    pub(super) process: String,
    pub(super) id: String,
    pub(super) name: String,
    /// Real-time priority, 0 without.
    pub(super) priority: u32,
    /// A share of every period is reserved for it, and comes before all priorities.
    pub(super) deadline: bool,
    /// It is the kernel's own, whatever its name.
    pub(super) of_the_kernel: bool,
    /// Where it ran last.
    pub(super) processor: Option<usize>,
    /// Where it may run; empty without a real-time priority or a reserved share, where nobody asks.
    pub(super) allowed: Cpus,
}

/// PF_KTHREAD, of field 9 of the kernel's `stat` files.
const OF_THE_KERNEL: u64 = 0x0020_0000;
/// State of a thread that has ended and is still listed.
const ENDED: &str = "Z";

/// SCHED_DEADLINE, as the kernel's `stat` files have it.
const SCHED_DEADLINE: &str = "6";

/// All threads of all processes that have not ended, those of the kernel among them.
pub(super) fn threads(root: &Root) -> impl Iterator<Item = Thread> + '_ {
    let ids = root.entries("/proc");
    let ids = ids.into_iter().filter(|name| name.parse::<u32>().is_ok());
    let all = ids.flat_map(|process| {
        let mut threads = root.entries(&format!("/proc/{process}/task"));
        if threads.is_empty() {
            // A copy that holds the processes alone.
            threads.push(process.clone());
        }
        threads.into_iter().map(move |id| (process.clone(), id))
    });
    all.filter_map(|(process, id)| {
        let own = format!("/proc/{process}/task/{id}");
        let (folder, stat) = match root.read(&format!("{own}/stat")) {
            Some(stat) => (own, stat),
            None if id == process => {
                let leader = format!("/proc/{process}");
                let stat = root.read(&format!("{leader}/stat"))?;
                (leader, stat)
            }
            // It has ended meanwhile.
            None => return None,
        };
        // The name stands in brackets and may hold anything, brackets too.
        let (head, rest) = stat.rsplit_once(')')?;
        let (_, name) = head.split_once('(')?;
        // Fields of proc(5): state, flags, and 39 to 41. The first one behind the name is number 3.
        let mut fields = rest.split_ascii_whitespace();
        if fields.next()? == ENDED {
            return None;
        }
        let flags: u64 = fields.nth(9 - 4)?.parse().ok()?;
        let mut fields = fields.skip(39 - 10);
        let processor = fields.next()?.parse().ok();
        let priority = fields.next()?.parse().ok()?;
        let deadline = fields.next() == Some(SCHED_DEADLINE);
        let status = (deadline || priority > 0).then(|| root.read(&format!("{folder}/status")));
        let status = status.flatten().unwrap_or_default();
        let allowed = status
            .lines()
            .find_map(|line| line.strip_prefix("Cpus_allowed_list:"));
        Some(Thread {
            process,
            name: name.to_owned(),
            priority,
            deadline,
            of_the_kernel: flags & OF_THE_KERNEL != 0,
            processor,
            allowed: allowed.and_then(Cpus::parse_list).unwrap_or_default(),
            id,
        })
    })
}

fn machine_checks(subject: &Subject) -> Check {
    let path = format!(
        "/sys/devices/system/machinecheck/machinecheck{}/check_interval",
        subject.core
    );
    let check = Check::new(
        "noise.machine_checks",
        path.as_str(),
        "this often (s) the kernel polls the machine-check banks on every core",
    );
    match subject.root.number(&path) {
        None => check.not_here(subject.root.missing(&path)),
        Some(interval) => check
            .ok_or_warn(
                interval == 0,
                interval.to_string(),
                &format!("echo 0 > {path}; errors still raise an interrupt"),
            )
            .write(path, "0"),
    }
}

fn msr(core: usize) -> String {
    format!("/dev/cpu/{core}/msr")
}

/// Interrupts of the firmware so far; none where they cannot be read.
pub(super) fn smi_count(subject: &Subject) -> Option<u64> {
    if !subject.root.is_live() {
        return None;
    }
    let mut bytes = [0; 8];
    let file = File::open(subject.root.place(&msr(subject.core))).ok()?;
    file.read_exact_at(&mut bytes, MSR_SMI_COUNT).ok()?;
    // The register has 32 bits.
    Some(u64::from_ne_bytes(bytes) & 0xffff_ffff)
}

fn smi(subject: &Subject, before: Option<u64>) -> Check {
    let check = Check::new(
        "noise.firmware",
        format!("{} register 0x34", msr(subject.core)),
        "the firmware stops all cores for what it does in system management mode, up to milliseconds, unseen by the kernel",
    );
    if !subject.root.is_live() {
        return check.not_here(NOT_UNDER_SYSROOT);
    }
    firmware(check, before, smi_count(subject))
}

/// Judges two readings of the register.
fn firmware(check: Check, before: Option<u64>, after: Option<u64>) -> Check {
    let (Some(before), Some(after)) = (before, after) else {
        return check.not_here("cannot be read (modprobe msr as root; Intel processors only)");
    };
    let during = after.saturating_sub(before);
    check.ok_or_warn(
        during == 0,
        format!("{during} while the doctor looked, {after} since the start"),
        "switch off in the firmware what uses it: legacy USB, power capping, ECC polling, management controller",
    )
}

fn steal(subject: &Subject) -> Check {
    const PATH: &str = "/proc/stat";
    let check = Check::new(
        "noise.steal",
        PATH,
        "time in which the hypervisor ran somebody else on this core",
    );
    let text = subject.root.read(PATH).unwrap_or_default();
    let head = format!("cpu{} ", subject.core);
    let fields = text.lines().find_map(|line| line.strip_prefix(&head));
    // Field 8 of a line of proc(5) `stat`, in ticks since the start.
    let ticks = fields.and_then(|fields| fields.split_whitespace().nth(7)?.parse::<u64>().ok());
    match ticks {
        None => check.not_here(subject.root.missing(PATH)),
        Some(ticks) => check.ok_or_warn(
            ticks == 0,
            format!("{ticks} ticks since the start"),
            "run the machine on real hardware, or give the virtual machine a core that nobody else has",
        ),
    }
}

fn tracer(subject: &Subject) -> Check {
    const PATH: &str = "/sys/kernel/tracing/current_tracer";
    const EVENTS: &str = "/sys/kernel/tracing/events/enable";
    let check = Check::new(
        "noise.tracer",
        PATH,
        "a tracer makes every function of the kernel slower, and events that are traced what they are of",
    );
    // 0: none, 1: all, X: some.
    let events = subject.root.read(EVENTS).unwrap_or_default();
    let traced = !["", "0"].contains(&events.as_str());
    match subject.root.read(PATH) {
        None => check.not_here(subject.root.missing(PATH)),
        Some(tracer) => check
            .ok_or_warn(
                tracer == "nop" && !traced,
                if traced {
                    format!("{tracer}, and events")
                } else {
                    tracer
                },
                &format!("echo nop > {PATH}; echo 0 > {EVENTS}"),
            )
            .write(PATH, "nop")
            .write_if(traced, EVENTS, "0"),
    }
}

fn debugging(subject: &Subject) -> Check {
    const SIGNS: [(&str, &str); 3] = [
        ("/proc/lockdep", "lockdep"),
        ("/sys/kernel/debug/kmemleak", "kmemleak"),
        ("/sys/kernel/debug/kcsan", "kcsan"),
    ];
    let check = Check::new(
        "noise.debugging",
        SIGNS[0].0,
        "a kernel that checks itself is several times slower under load",
    );
    let found: Vec<&str> = SIGNS
        .iter()
        .filter(|(path, _)| subject.root.exists(path))
        .map(|(_, name)| *name)
        .collect();
    if found.is_empty() {
        check.ok("no sign of a debugging kernel")
    } else {
        check.warn(found.join(" "), "start a kernel without debugging options")
    }
}

fn others(subject: &Subject) -> Check {
    let check = Check::new(
        "noise.rivals",
        "/proc/*/task/*/stat",
        "a real-time thread at or above the cycle's priority on its core runs instead of it",
    );
    let found = rivals::rivals(&subject.root, &[subject.core], subject.priority);
    let found: Vec<String> = found.iter().map(ToString::to_string).collect();
    if found.is_empty() {
        check.ok("none")
    } else {
        let remedy = format!("the cycle has {}: {}", subject.priority, rivals::REMEDY);
        check.warn(found.join(", "), &remedy)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Verdict;

    #[test]
    fn the_firmware_is_judged_by_what_it_did_meanwhile() {
        for (before, after, verdict, value) in [
            (
                Some(7),
                Some(7),
                Verdict::Ok,
                "0 while the doctor looked, 7 since the start",
            ),
            (
                Some(7),
                Some(9),
                Verdict::Warn,
                "2 while the doctor looked, 9 since the start",
            ),
            (None, Some(9), Verdict::NotHere, "cannot be read"),
            (Some(7), None, Verdict::NotHere, "cannot be read"),
        ] {
            let check = firmware(Check::new("noise.firmware", "", ""), before, after);
            assert_eq!(check.verdict, verdict, "{check:?}");
            assert!(check.value.starts_with(value), "{check:?}");
            assert_eq!(check.remedy.is_empty(), verdict != Verdict::Warn);
        }
    }
}
