//! What a status says of the computer around the cycle, and of the network interfaces of its bus. The control thread reads it
//! when somebody asks, at most every two seconds; the cycle has no part in it.

use crate::doctor::cpus::Cpus;
use crate::doctor::{Root, interrupts_of};
use crate::ethtool;
use serde::{Deserialize, Serialize};
use twinstep_config::machine::Machine;

/// How long what was read is good for (ns).
const GOOD_NS: u64 = 2_000_000_000;

/// Settings of the computer that durations hang on, beside those that `trust` names. None: this computer does not say.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ComputerLine {
    /// Frequency governor of the cycle's core.
    pub governor: Option<String>,
    /// Clock source of the kernel.
    pub clock_source: Option<String>,
    /// Cores that take the interrupts of the bus's interfaces, as a list such as `0-1`.
    pub interrupt_cores: Option<String>,
    /// Longest time that a received frame waits for others (us).
    pub rx_coalescing_us: Option<u32>,
}

/// A network interface of the bus.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkLine {
    /// Its name.
    pub name: String,
    /// The kernel's word for its state: `up`, `down`, `unknown` (virtual ones that work), `lowerlayerdown`; `absent` where it has gone.
    pub state: String,
    /// Speed (Mbit/s); none where its driver does not say.
    pub speed_mbit_per_s: Option<u64>,
}

impl LinkLine {
    /// Whether frames can pass.
    pub fn is_up(&self) -> bool {
        ["up", "unknown"].contains(&self.state.as_str())
    }
}

/// What was read last.
#[derive(Clone, Debug)]
pub struct Around {
    root: Root,
    interfaces: Vec<String>,
    /// SubDevices of the bus.
    pub subdevices: usize,
    /// When it was read (CLOCK_MONOTONIC, ns).
    read_ns: Option<u64>,
    computer: ComputerLine,
    links: Vec<LinkLine>,
}

impl Around {
    /// Nothing is read yet.
    pub fn new(root: Root, machine: &Machine, interfaces: Vec<String>) -> Self {
        let bus = machine.bus.as_ref();
        Self {
            root,
            interfaces,
            subdevices: bus.map_or(0, |bus| bus.subdevices.len()),
            read_ns: None,
            computer: ComputerLine::default(),
            links: Vec::new(),
        }
    }

    /// The computer, as it was read last.
    pub fn computer(&self) -> &ComputerLine {
        &self.computer
    }

    /// The interfaces, as they were read last.
    pub fn links(&self) -> &[LinkLine] {
        &self.links
    }

    /// Reads all of it, unless that was done a moment ago. `core` is the cycle's.
    pub fn look(&mut self, now_ns: u64, core: Option<usize>) {
        let good = |read_ns: u64| now_ns.saturating_sub(read_ns) < GOOD_NS;
        if self.read_ns.is_some_and(good) {
            return;
        }
        self.read_ns = Some(now_ns);
        self.links = self.interfaces.iter().map(|name| self.link(name)).collect();
        let governor = |core| format!("/sys/devices/system/cpu/cpu{core}/cpufreq/scaling_governor");
        const CLOCK_SOURCE: &str =
            "/sys/devices/system/clocksource/clocksource0/current_clocksource";
        self.computer = ComputerLine {
            governor: self.root.read(&governor(core.unwrap_or(0))),
            clock_source: self.root.read(CLOCK_SOURCE),
            interrupt_cores: self.interrupt_cores(),
            rx_coalescing_us: self.rx_coalescing_us(),
        };
    }

    fn link(&self, name: &str) -> LinkLine {
        let file = |file: &str| format!("/sys/class/net/{name}/{file}");
        let state = self.root.read(&file("operstate"));
        let speed = self.root.number(&file("speed"));
        LinkLine {
            name: name.to_owned(),
            state: state.unwrap_or_else(|| "absent".to_owned()),
            // Without a link the kernel says -1.
            speed_mbit_per_s: speed.and_then(|speed| u64::try_from(speed).ok()),
        }
    }

    fn interrupt_cores(&self) -> Option<String> {
        let interrupts = (self.interfaces.iter()).flat_map(|name| interrupts_of(&self.root, name));
        let lists = interrupts.filter_map(|irq| {
            let list = self
                .root
                .read(&format!("/proc/irq/{irq}/smp_affinity_list"))?;
            Cpus::parse_list(&list)
        });
        let cores = lists.fold(Cpus::default(), |all, cores| all.union(&cores));
        (!cores.is_empty()).then(|| cores.to_string())
    }

    fn rx_coalescing_us(&self) -> Option<u32> {
        if !self.root.is_live() {
            return None;
        }
        let times = (self.interfaces.iter()).filter_map(|name| ethtool::coalescing(name).ok());
        times.map(|coalescing| coalescing.rx_us()).max()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn the_computer_is_read_when_it_is_old_and_only_then() {
        let folder = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        write(
            "sys/devices/system/cpu/cpu3/cpufreq/scaling_governor",
            "powersave\n",
        );
        write(
            "sys/devices/system/clocksource/clocksource0/current_clocksource",
            "tsc\n",
        );
        write("sys/class/net/eth1/operstate", "up\n");
        write("sys/class/net/eth1/speed", "100\n");
        write("sys/class/net/eth1/device/msi_irqs/31", "msix\n");
        write("sys/class/net/eth1/device/msi_irqs/32", "msix\n");
        write("proc/irq/31/smp_affinity_list", "1\n");
        write("proc/irq/32/smp_affinity_list", "0-1\n");
        let machine = twinstep_config::load(twinstep_config::PRESS_CELL, "cell").unwrap();
        let interfaces = vec!["eth1".to_owned(), "eth2".to_owned()];
        let mut around = Around::new(Root::folder(folder.path()), &machine, interfaces);
        assert_eq!(around.subdevices, 10);
        around.look(5, Some(3));
        let computer = ComputerLine {
            governor: Some("powersave".to_owned()),
            clock_source: Some("tsc".to_owned()),
            interrupt_cores: Some("0-1".to_owned()),
            rx_coalescing_us: None,
        };
        assert_eq!(around.computer(), &computer);
        let states: Vec<_> = (around.links().iter())
            .map(|link| (link.state.as_str(), link.is_up(), link.speed_mbit_per_s))
            .collect();
        assert_eq!(states, [("up", true, Some(100)), ("absent", false, None)]);
        write("sys/class/net/eth1/operstate", "down\n");
        write("sys/class/net/eth1/speed", "-1\n");
        around.look(GOOD_NS, Some(3));
        assert!(around.links()[0].is_up());
        around.look(5 + GOOD_NS, Some(3));
        assert!(!around.links()[0].is_up());
        assert_eq!(around.links()[0].speed_mbit_per_s, None);
    }
}
