//! The network interfaces of the machine.

mod live;
mod reception;

use super::cpus::Cpus;
use super::{Check, Root, Subject, cpus_in};

/// Slower links do not carry EtherCAT (Mbit/s).
const SLOWEST: i64 = 100;

pub(super) fn checks(subject: &Subject) -> Vec<Check> {
    let several = subject.interfaces.len() > 1;
    let all = subject.interfaces.iter().flat_map(|interface| {
        let mut checks = of_one(subject, interface);
        for check in checks.iter_mut().filter(|_| several) {
            // Which of them a check is of stands in its path, and in front of what people read.
            check.value = format!("{interface}: {}", check.value);
        }
        checks
    });
    let all: Vec<Check> = all.collect();
    if all.is_empty() {
        return vec![present().not_here("none named: add CONFIG or --interface IF to look at one")];
    }
    all
}

fn present() -> Check {
    Check::new(
        "nic.interface",
        "/sys/class/net",
        "the frames of the bus go through it",
    )
}

fn of_one(subject: &Subject, interface: &str) -> Vec<Check> {
    let present = present();
    let nic = Nic {
        root: &subject.root,
        name: interface,
        folder: format!("/sys/class/net/{interface}"),
    };
    if !subject.root.exists(&nic.folder) {
        let others = subject.root.entries("/sys/class/net").join(", ");
        let others = if others.is_empty() {
            "it has none"
        } else {
            &others
        };
        return vec![present.bad(
            format!("no interface {interface}"),
            &format!("name one of this computer's: {others}"),
        )];
    }
    vec![
        nic.link(present),
        nic.speed(),
        nic.quiet(),
        nic.affinity(subject),
        nic.threaded(subject),
        nic.holding_back(),
        nic.coalescing(),
        nic.offloads(),
        nic.channels(subject),
        nic.power(),
        nic.eee(),
        nic.time_stamping(),
        nic.ptp(),
    ]
}

/// Interrupts of an interface, by number: those of its device, or those that `/proc/interrupts` names after it.
pub fn interrupts(root: &Root, interface: &str) -> Vec<String> {
    let of_device = root.entries(&format!("/sys/class/net/{interface}/device/msi_irqs"));
    if !of_device.is_empty() {
        return of_device;
    }
    let table = root.read("/proc/interrupts").unwrap_or_default();
    let named = table.lines().filter_map(|line| {
        let (number, rest) = line.split_once(':')?;
        let device = rest.split_whitespace().next_back()?;
        let own = device == interface || device.strip_prefix(interface)?.starts_with('-');
        (own && number.trim().parse::<u32>().is_ok()).then(|| number.trim().to_owned())
    });
    named.collect()
}

struct Nic<'a> {
    root: &'a Root,
    name: &'a str,
    folder: String,
}

impl Nic<'_> {
    fn path(&self, file: &str) -> String {
        format!("{}/{file}", self.folder)
    }

    fn link(&self, check: Check) -> Check {
        let path = self.path("operstate");
        let state = self.root.read(&path).unwrap_or_default();
        let mut check = check;
        check.path = path;
        let name = self.name;
        let command = format!("ip link set {name} up");
        // Virtual interfaces say "unknown" and work.
        check
            .ok_or_warn(
                ["up", "unknown"].contains(&state.as_str()),
                format!("{name} is {state}"),
                &format!(
                    "{command}; where it stays down, the cable or the first SubDevice is missing"
                ),
            )
            .run(command)
    }

    fn speed(&self) -> Check {
        let path = self.path("speed");
        let check = Check::new(
            "nic.speed",
            path.as_str(),
            "EtherCAT runs at 100 Mbit/s, full duplex",
        );
        let duplex = self.root.read(&self.path("duplex")).unwrap_or_default();
        match self.root.number(&path) {
            Some(speed) if speed > 0 => check.ok_or_warn(
                speed >= SLOWEST && duplex != "half",
                format!("{speed} Mbit/s {duplex}"),
                &format!(
                    "ethtool -s {} speed 100 duplex full autoneg on, and check the cable",
                    self.name
                ),
            ),
            _ => check.not_here("no link, or its driver does not say"),
        }
    }

    /// Nobody else speaks on a bus.
    fn quiet(&self) -> Check {
        let path = format!("/proc/sys/net/ipv6/conf/{}/disable_ipv6", self.name);
        let check = Check::new(
            "nic.ipv6",
            path.as_str(),
            "with IPv6 the kernel sends frames of its own between those of the bus",
        );
        match self.root.number(&path) {
            None => check.not_here(self.root.missing(&path)),
            Some(off) => check
                .ok_or_warn(
                    off == 1,
                    if off == 1 { "off" } else { "on" },
                    &format!("echo 1 > {path}"),
                )
                .write(path, "1"),
        }
    }

    fn affinity(&self, subject: &Subject) -> Check {
        let check = Check::new(
            "nic.interrupts",
            "/proc/irq/*/smp_affinity_list",
            "the frame comes in by this interrupt: on the cycle's core it stops the cycle, on core 0 it waits for everything else",
        );
        let irqs = interrupts(self.root, self.name);
        if irqs.is_empty() {
            return check.not_here("no interrupts of its own");
        }
        let files: Vec<String> = irqs
            .iter()
            .map(|irq| format!("/proc/irq/{irq}/smp_affinity_list"))
            .collect();
        let cores = files
            .iter()
            .filter_map(|file| cpus_in(self.root, file))
            .fold(Cpus::default(), |all, cpus| all.union(&cpus));
        let best = subject.housekeeping().last().unwrap_or(0).to_string();
        let value = format!("interrupts {} on cores {cores}", irqs.join(" "));
        let remedy = format!(
            "[realtime.nic] irq_core = {best}, or: echo {best} > {}",
            files.join(" ")
        );
        let check = check.ok_or_warn(
            !cores.contains(subject.core) && cores.len() == 1,
            value,
            &remedy,
        );
        files.iter().fold(check, |check, file| {
            check.write(file.as_str(), best.as_str())
        })
    }

    fn holding_back(&self) -> Check {
        let path = self.path("gro_flush_timeout");
        let check = Check::new(
            "nic.napi_timers",
            path.as_str(),
            "frames wait for this timer (ns) while interrupts are deferred (napi_defer_hard_irqs)",
        );
        let deferred = self.path("napi_defer_hard_irqs");
        match (self.root.number(&path), self.root.number(&deferred)) {
            (Some(flush_ns), Some(defer)) => check
                .ok_or_warn(
                    flush_ns == 0 && defer == 0,
                    format!("{flush_ns} ns, {defer} deferred"),
                    &format!("echo 0 > {path}; echo 0 > {deferred}"),
                )
                .write(path, "0")
                .write(deferred, "0"),
            _ => check.not_here(self.root.missing(&path)),
        }
    }

    fn power(&self) -> Check {
        let path = self.path("device/power/control");
        let check = Check::new(
            "nic.power",
            path.as_str(),
            "with auto the kernel lets the card sleep when nothing was sent for a while",
        );
        match self.root.read(&path) {
            None => check.not_here(self.root.missing(&path)),
            Some(control) => check
                .ok_or_warn(
                    control == "on",
                    control.as_str(),
                    &format!("echo on > {path}"),
                )
                .write(path, "on"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn interrupts_are_those_of_the_device_or_of_the_name() {
        let folder = tempfile::tempdir().unwrap();
        let root = Root::folder(folder.path());
        let table = "     CPU0\n 24:  1  PCI-MSI  eth0-rx-0\n 25:  1  PCI-MSI  eth01\n 26:  1  PCI-MSI  eth0\n";
        fs::create_dir_all(folder.path().join("proc")).unwrap();
        fs::write(folder.path().join("proc/interrupts"), table).unwrap();
        assert_eq!(interrupts(&root, "eth0"), ["24", "26"]);
        let device = folder.path().join("sys/class/net/eth0/device/msi_irqs");
        fs::create_dir_all(&device).unwrap();
        for irq in ["128", "31"] {
            fs::write(device.join(irq), "msix\n").unwrap();
        }
        assert_eq!(interrupts(&root, "eth0"), ["31", "128"]);
    }
}
