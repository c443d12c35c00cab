//! What saves power and costs time.

use super::{Check, NOT_UNDER_SYSROOT, Subject};
use crate::realtime;

/// Longest wake-up from an idle state that is no matter (us).
const IDLE_US: i64 = 10;

pub(super) fn checks(subject: &Subject) -> Vec<Check> {
    vec![
        dma_latency(subject),
        idle_states(subject),
        governor(subject),
        turbo(subject),
        aspm(subject),
    ]
}

/// What is asked of the core of a worker too.
pub(super) fn checks_of_core(subject: &Subject) -> Vec<Check> {
    vec![idle_states(subject), governor(subject)]
}

fn dma_latency(subject: &Subject) -> Check {
    let path = realtime::DMA_LATENCY;
    let check = Check::new(
        "power.cpu_dma_latency",
        path,
        "whoever holds this file open with 0 in it keeps every core out of idle states that take time to leave; `twinstep run` does",
    );
    let root = &subject.root;
    if !root.exists(path) {
        return check.not_here("absent");
    }
    if !root.is_live() {
        return check.not_here(NOT_UNDER_SYSROOT);
    }
    match realtime::dma_latency_us() {
        Ok(Some(0)) => check.ok("0 us, and this user may hold it"),
        Ok(Some(limit)) => check.ok(format!("limit {limit} us now, and this user may hold it at 0")),
        Ok(None) => check.ok("this user may hold it"),
        Err(error) => check.warn(
            format!("cannot be written ({error})"),
            "chmod is forgotten at the next start: run as the service in docs/realtime.md, or add a udev rule: KERNEL==\"cpu_dma_latency\", GROUP=\"realtime\", MODE=\"0660\"",
        ),
    }
}

fn idle_states(subject: &Subject) -> Check {
    let folder = format!("/sys/devices/system/cpu/cpu{}/cpuidle", subject.core);
    let check = Check::new(
        "power.idle_states",
        folder.as_str(),
        "leaving a deep idle state takes as long as its latency says, at every start of a cycle",
    );
    let root = &subject.root;
    let mut deepest: Option<(i64, String)> = None;
    let mut deep = Vec::new();
    for state in root.entries(&folder) {
        let path = |file: &str| format!("{folder}/{state}/{file}");
        let Some(latency_us) = root.number(&path("latency")) else {
            continue;
        };
        if root.number(&path("disable")) == Some(1) {
            continue;
        }
        let name = root.read(&path("name")).unwrap_or_else(|| state.clone());
        if latency_us > IDLE_US {
            deep.push(path("disable"));
        }
        if deepest
            .as_ref()
            .is_none_or(|(other, _)| latency_us > *other)
        {
            deepest = Some((latency_us, name));
        }
    }
    let Some((latency_us, name)) = deepest else {
        return check.not_here("no idle states, or all are off");
    };
    let value = format!("deepest enabled: {name}, {latency_us} us");
    let remedy = format!(
        "`twinstep run` holds /dev/cpu_dma_latency against them; for good: echo 1 > {}",
        deep.join(" ")
    );
    let check = check.ok_or_warn(deep.is_empty(), value, &remedy);
    deep.iter()
        .fold(check, |check, path| check.write(path.as_str(), "1"))
}

fn governor(subject: &Subject) -> Check {
    let path = format!(
        "/sys/devices/system/cpu/cpu{}/cpufreq/scaling_governor",
        subject.core
    );
    let check = Check::new(
        "power.governor",
        path.as_str(),
        "a governor that follows the load finds the core idle between cycles, and slows it down",
    );
    match subject.root.read(&path) {
        None => check.not_here(subject.root.missing(&path)),
        Some(governor) => check
            .ok_or_warn(
                governor == "performance",
                governor.as_str(),
                &format!("echo performance > {path}"),
            )
            .write(path, "performance"),
    }
}

fn turbo(subject: &Subject) -> Check {
    const INTEL: &str = "/sys/devices/system/cpu/intel_pstate/no_turbo";
    const OTHERS: &str = "/sys/devices/system/cpu/cpufreq/boost";
    let root = &subject.root;
    let (path, off) = if root.exists(INTEL) {
        (INTEL, 1)
    } else {
        (OTHERS, 0)
    };
    let check = Check::new(
        "power.turbo",
        path,
        "with turbo the clock of the core depends on what the other cores do, and changing it halts the core",
    );
    match root.number(path) {
        None => check.not_here(root.missing(path)),
        Some(value) => check
            .ok_or_warn(
                value == off,
                if value == off { "off" } else { "on" },
                &format!("echo {off} > {path}, or switch it off in the firmware"),
            )
            .write(path, off.to_string()),
    }
}

fn aspm(subject: &Subject) -> Check {
    const PATH: &str = "/sys/module/pcie_aspm/parameters/policy";
    let check = Check::new(
        "power.aspm",
        PATH,
        "a PCIe link that sleeps between frames wakes up microseconds late",
    );
    match subject.root.chosen(PATH) {
        None => check.not_here(subject.root.missing(PATH)),
        Some(policy) => check
            .ok_or_warn(
                policy == "performance",
                policy.as_str(),
                &format!("echo performance > {PATH}, or start the kernel with pcie_aspm=off"),
            )
            .write(PATH, "performance")
            .boot("pcie_aspm=off"),
    }
}
