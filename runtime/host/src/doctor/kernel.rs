//! The kernel itself: is it a real-time one, does it run on real hardware, and was it started as somebody meant.

use super::command_line::CommandLine;
use super::{Check, Root, Subject};

/// 1 on a PREEMPT_RT kernel.
pub const REALTIME: &str = "/sys/kernel/realtime";
/// Names PREEMPT_RT too; older and newer kernels have this alone.
pub const VERSION: &str = "/proc/version";
/// Flags of the processor; `hypervisor` among them is set by every hypervisor that does not hide.
pub const CPUINFO: &str = "/proc/cpuinfo";
const DMI_PRODUCT: &str = "/sys/class/dmi/id/product_name";

/// What to do about a kernel that is none.
pub const REALTIME_REMEDY: &str = "install a PREEMPT_RT kernel (Debian: apt-get install linux-image-rt-amd64; Ubuntu: pro enable realtime-kernel) and start it";

/// Whether the kernel is a PREEMPT_RT one.
pub fn is_realtime(root: &Root) -> bool {
    root.read(REALTIME).as_deref() == Some("1")
        || root
            .read(VERSION)
            .is_some_and(|version| version.split_whitespace().any(|word| word == "PREEMPT_RT"))
}

/// Whether there is a hypervisor below.
pub fn is_virtual(root: &Root) -> bool {
    let flags = root.read(CPUINFO).unwrap_or_default();
    flags
        .lines()
        .filter(|line| line.starts_with("flags"))
        .take(1)
        .any(|line| line.split_whitespace().any(|flag| flag == "hypervisor"))
}

pub(super) fn checks(subject: &Subject) -> Vec<Check> {
    let mut checks = vec![realtime(&subject.root), hypervisor(&subject.root)];
    checks.extend(command_line(subject));
    checks
}

fn realtime(root: &Root) -> Check {
    let check = Check::new(
        "kernel.realtime",
        REALTIME,
        "without PREEMPT_RT the kernel's own work delays the cycle by milliseconds, whatever the priority",
    );
    let version = root.read(VERSION).unwrap_or_default();
    let release = version
        .split_whitespace()
        .nth(2)
        .unwrap_or("unknown version");
    if is_realtime(root) {
        check.ok(format!("PREEMPT_RT, {release}"))
    } else {
        check.bad(format!("not PREEMPT_RT, {release}"), REALTIME_REMEDY)
    }
}

fn hypervisor(root: &Root) -> Check {
    let check = Check::new(
        "kernel.hypervisor",
        CPUINFO,
        "a hypervisor takes the processor away for as long as it likes, and no kernel in it can see that coming",
    );
    if root.read(CPUINFO).is_none() {
        return check.not_here(root.missing(CPUINFO));
    }
    if is_virtual(root) {
        let product = root.read(DMI_PRODUCT).unwrap_or_default();
        let value = format!("virtual machine {product}");
        check.bad(
            value.trim_end(),
            "run the machine on real hardware; here only behaviour can be judged, never time",
        )
    } else {
        check.ok("real hardware, as far as it can be seen")
    }
}

fn command_line(subject: &Subject) -> Vec<Check> {
    let path = CommandLine::PATH;
    let misspelt = Check::new(
        "kernel.command_line",
        path,
        "the kernel drops what it does not know without a word: a misspelt parameter does nothing",
    );
    let lists = Check::new(
        "kernel.cpu_lists",
        path,
        "a list that names cores which are not there, or other cores than its neighbour, isolates less than it seems to",
    );
    let unknown = Check::new(
        "kernel.unknown_parameters",
        path,
        "what is not known here may be right, or meant for a program; it may be a mistake too",
    );
    let Some(line) = CommandLine::read(&subject.root) else {
        let missing = subject.root.missing(path);
        return vec![misspelt.not_here(missing.clone()), lists.not_here(missing)];
    };
    let wrong = line.misspelt();
    let misspelt = if wrong.is_empty() {
        misspelt.ok(format!("{} parameters, none misspelt", line.len()))
    } else {
        let value: Vec<String> = wrong
            .iter()
            .map(|(found, meant)| format!("{found}= is {meant}="))
            .collect();
        let remedy: Vec<String> = wrong
            .iter()
            .map(|(found, meant)| {
                format!("write {meant}= instead of {found}= in the boot loader's configuration")
            })
            .collect();
        let mut check = misspelt.warn(value.join(", "), &remedy.join("; "));
        for (found, meant) in &wrong {
            let value = line.value(found).unwrap_or_default();
            check = check.boot(format!("{meant}={value}"));
        }
        check
    };
    let problems = line.list_problems(&subject.online);
    let lists = if problems.is_empty() {
        lists.ok(line.lists_told())
    } else {
        lists.warn(
            problems.join("; "),
            "mend the lists in the boot loader's configuration: isolcpus, nohz_full and rcu_nocbs name the cycle's core, irqaffinity all others",
        )
    };
    let names = line.unknown();
    let unknown = if names.is_empty() {
        unknown.ok("none")
    } else {
        // Many are meant for the first program: no reason to warn.
        unknown.ok(names.join(" "))
    };
    vec![misspelt, lists, unknown]
}
