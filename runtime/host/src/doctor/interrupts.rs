//! Interrupts: where they go, and what really arrives on the cycle's core.

use super::cpus::Cpus;
use super::{Check, NOT_UNDER_SYSROOT, Root, Subject, cpus_in, isolated, nic, noise};
use crate::clock;

/// Time between two readings of the counters (ns).
pub(super) const WATCHED_NS: u64 = 500_000_000;
/// More interrupts of devices in that time are too many.
const MOST: u64 = 5;
/// Lines of a list that are shown.
const SHOWN: usize = 8;

/// Counters of one core.
pub(super) struct Counts {
    at_ns: u64,
    interrupts: Vec<(String, u64)>,
    softirqs: Vec<(String, u64)>,
}

impl Counts {
    /// Reads both files, on a live system; empty elsewhere.
    pub(super) fn read(subject: &Subject) -> Self {
        let file = |path: &str| {
            let text = subject.root.read(path).unwrap_or_default();
            column(&text, subject.core)
        };
        if !subject.root.is_live() {
            return Self {
                at_ns: 0,
                interrupts: Vec::new(),
                softirqs: Vec::new(),
            };
        }
        Self {
            at_ns: clock::monotonic_ns(),
            interrupts: file(INTERRUPTS),
            softirqs: file(SOFTIRQS),
        }
    }
}

const INTERRUPTS: &str = "/proc/interrupts";
const SOFTIRQS: &str = "/proc/softirqs";
const DEFAULT: &str = "/proc/irq/default_smp_affinity";

/// The counters of one core, by name and what stands at the end of the line. The head names the cores that are online.
fn column(text: &str, core: usize) -> Vec<(String, u64)> {
    let mut lines = text.lines();
    let heads: Vec<&str> = lines
        .next()
        .unwrap_or_default()
        .split_whitespace()
        .collect();
    let wanted = format!("CPU{core}");
    let Some(place) = heads.iter().position(|head| *head == wanted) else {
        return Vec::new();
    };
    lines
        .filter_map(|line| {
            let (name, rest) = line.split_once(':')?;
            let mut words = rest.split_whitespace();
            let count = words.nth(place)?.parse().ok()?;
            let name = name.trim();
            // What is left are the other cores' counters, and who it is. The core's own have names that say it all.
            let device = words
                .next_back()
                .filter(|_| name.starts_with(|c: char| c.is_ascii_digit()));
            let name = device.map_or(name.to_owned(), |device| format!("{name} {device}"));
            Some((name, count))
        })
        .collect()
}

pub(super) fn checks(subject: &Subject, before: &Counts) -> Vec<Check> {
    let mut checks = vec![
        default_affinity(subject),
        affinities(subject),
        balancer(subject),
        threads(subject),
    ];
    checks.extend(rates(subject, before));
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
            !cpus.contains(subject.core),
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

fn affinities(subject: &Subject) -> Check {
    let check = Check::new(
        "interrupts.affinity",
        "/proc/irq/*/effective_affinity_list",
        "every interrupt on the cycle's core stops the cycle, whatever its priority",
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
        .filter(|irq| affinity(root, irq).is_some_and(|cpus| cpus.contains(subject.core)))
        .collect();
    if on_core.is_empty() {
        return check.ok(format!("none of {} on core {}", irqs.len(), subject.core));
    }
    let rest = subject.housekeeping().to_string();
    let names: Vec<&str> = on_core.iter().take(SHOWN).map(|irq| irq.as_str()).collect();
    let more = if on_core.len() > SHOWN { " ..." } else { "" };
    let value = format!(
        "{} of {} on core {}: {}{more}",
        on_core.len(),
        irqs.len(),
        subject.core,
        names.join(" ")
    );
    let remedy = format!(
        "echo {rest} > /proc/irq/N/smp_affinity_list for each (some belong to a core and refuse)"
    );
    // Those of the bus have a core of their own: see `nic.interrupts`.
    let of_bus = subject.interface.as_deref();
    let of_bus = of_bus.map_or(Vec::new(), |name| nic::interrupts(root, name));
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
    let running = noise::processes(root).any(|process| process.name == "irqbalance");
    if !running {
        return check.ok("not running");
    }
    let isolated = isolated(root).contains(subject.core)
        || cpus_in(root, "/sys/devices/system/cpu/nohz_full")
            .is_some_and(|cpus| cpus.contains(subject.core));
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
                subject.core
            ),
        )
        .run("systemctl disable --now irqbalance")
}

fn threads(subject: &Subject) -> Check {
    let check = Check::new(
        "interrupts.threads",
        "/proc/*/stat",
        "a thread of an interrupt at or above the cycle's priority on its core runs instead of it",
    );
    let mut count = 0;
    let mut above = Vec::new();
    for process in noise::processes(&subject.root) {
        if !process.name.starts_with("irq/") {
            continue;
        }
        count += 1;
        if process.priority >= u32::from(subject.priority) && process.allowed.contains(subject.core)
        {
            above.push(process);
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
        .map(|process| format!("{} {}", process.name, process.priority))
        .collect();
    let first = above
        .iter()
        .map(|process| format!("chrt --fifo --pid 50 {}", process.id));
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

/// What arrived on the core while the other checks ran, at least for [`WATCHED_NS`].
fn rates(subject: &Subject, before: &Counts) -> Vec<Check> {
    let interrupts = Check::new(
        "interrupts.rate",
        INTERRUPTS,
        "what really arrives on the cycle's core, wherever it should go",
    );
    let softirqs = Check::new(
        "interrupts.softirqs",
        SOFTIRQS,
        "soft interrupts run behind hard ones, and network ones may take a millisecond",
    );
    if !subject.root.is_live() {
        return vec![
            interrupts.not_here(NOT_UNDER_SYSROOT),
            softirqs.not_here(NOT_UNDER_SYSROOT),
        ];
    }
    clock::sleep_until_ns(before.at_ns + WATCHED_NS);
    let after = Counts::read(subject);
    let over_ms = (after.at_ns - before.at_ns) / 1_000_000;
    let deltas = |before: &[(String, u64)], after: &[(String, u64)]| -> Vec<(String, u64)> {
        let mut deltas: Vec<(String, u64)> = after
            .iter()
            .filter_map(|(name, count)| {
                let (_, first) = before.iter().find(|(other, _)| other == name)?;
                Some((name.clone(), count.saturating_sub(*first)))
            })
            .filter(|(_, delta)| *delta > 0)
            .collect();
        deltas.sort_by_key(|(_, delta)| u64::MAX - delta);
        deltas
    };
    let told = |deltas: &[(String, u64)]| {
        let list: Vec<String> = deltas
            .iter()
            .take(SHOWN)
            .map(|(name, delta)| format!("{name} {delta}"))
            .collect();
        let list = if list.is_empty() {
            "none".to_owned()
        } else {
            list.join(", ")
        };
        format!("in {over_ms} ms: {list}")
    };
    let hard = deltas(&before.interrupts, &after.interrupts);
    // The numbered ones are those of devices; the core's own have letters.
    let of_devices = |name: &str| name.starts_with(|c: char| c.is_ascii_digit());
    let devices: u64 = hard
        .iter()
        .filter(|(name, _)| of_devices(name))
        .map(|(_, delta)| delta)
        .sum();
    let soft = deltas(&before.softirqs, &after.softirqs);
    let of_network: u64 = soft
        .iter()
        .filter(|(name, _)| ["NET_RX", "NET_TX", "BLOCK"].contains(&name.as_str()))
        .map(|(_, delta)| delta)
        .sum();
    vec![
        interrupts.ok_or_warn(
            devices <= MOST,
            told(&hard),
            "see interrupts.affinity; the number is that of /proc/irq/N",
        ),
        softirqs.ok_or_warn(
            of_network <= MOST,
            told(&soft),
            "move the interrupts of network and disk to other cores (interrupts.affinity), and their programs too",
        ),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_column_is_that_of_the_core_that_the_head_names() {
        let text = "           CPU0       CPU2\n  0:         12          7   IO-APIC   2-edge      timer\nLOC:    1000   2000   Local timer interrupts\nERR:          0\n";
        let found = column(text, 2);
        assert_eq!(found, [("0 timer".to_owned(), 7), ("LOC".to_owned(), 2000)]);
        assert_eq!(column(text, 1), []);
    }
}
