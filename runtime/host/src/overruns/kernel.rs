//! What the kernel counts on a core: interrupts, soft interrupts, stolen time, and what the processor counts of its firmware.
//!
//! Never read by the cycle thread: these are files, and long ones.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// Register that counts system management interrupts (Intel).
const MSR_SMI_COUNT: u64 = 0x34;
/// The clock tick of `/proc/stat` (ns): 1/100 s on every Linux that a user sees.
const TICK_NS: u64 = 10_000_000;
/// Soft interrupts that are work for somebody else: the rest are ticks, timers and what belongs to them.
const SOFTIRQS: [&str; 5] = ["HI", "NET_TX", "NET_RX", "BLOCK", "TASKLET"];

/// Counts on one core.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KernelCounts {
    /// Interrupts of devices: the numbered lines of `/proc/interrupts`.
    pub interrupts: u64,
    /// Soft interrupts of network, disks and tasklets.
    pub softirqs: u64,
    /// Time that the hypervisor gave to others (ns, in ticks of 10 ms).
    pub steal_ns: u64,
    /// System management interrupts; none where the processor's register cannot be read.
    pub smi: Option<u64>,
}

/// How far the counts of a core went up in a time that the cycle lies in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KernelDelta {
    /// The time (ns).
    pub interval_ns: u64,
    /// Cycles in it.
    pub cycles: u64,
    /// Interrupts of devices.
    pub interrupts: u64,
    /// Soft interrupts of network, disks and tasklets.
    pub softirqs: u64,
    /// Time that the hypervisor gave to others (ns).
    pub steal_ns: u64,
    /// System management interrupts; none where they cannot be counted.
    pub smi: Option<u64>,
    /// This computer is a virtual one.
    pub virtual_machine: bool,
}

/// Reads the counts.
#[derive(Clone, Debug)]
pub struct Kernel {
    root: PathBuf,
    virtual_machine: bool,
}

impl Kernel {
    /// Of the computer whose files lie below `root`.
    pub fn under(root: &Path) -> Self {
        let cpuinfo = std::fs::read_to_string(root.join("proc/cpuinfo")).unwrap_or_default();
        let mut flags = cpuinfo.lines().filter(|line| line.starts_with("flags"));
        let virtual_machine = flags
            .next()
            .is_some_and(|flags| flags.split_ascii_whitespace().any(|f| f == "hypervisor"));
        Self {
            root: root.to_owned(),
            virtual_machine,
        }
    }

    /// The counts of `core`; none where the kernel does not tell.
    pub fn read(&self, core: usize) -> Option<KernelCounts> {
        let text = |path: &str| std::fs::read_to_string(self.root.join(path)).ok();
        Some(KernelCounts {
            interrupts: interrupts(&text("proc/interrupts")?, core)?,
            softirqs: softirqs(&text("proc/softirqs")?, core)?,
            steal_ns: steal_ticks(&text("proc/stat")?, core)? * TICK_NS,
            smi: self.smi(core),
        })
    }

    /// How far `now` is beyond `before`, over `interval_ns` with so many cycles.
    pub fn delta(
        &self,
        now: &KernelCounts,
        before: &KernelCounts,
        interval_ns: u64,
        cycles: u64,
    ) -> KernelDelta {
        KernelDelta {
            interval_ns,
            cycles,
            interrupts: now.interrupts.saturating_sub(before.interrupts),
            softirqs: now.softirqs.saturating_sub(before.softirqs),
            steal_ns: now.steal_ns.saturating_sub(before.steal_ns),
            smi: now.smi.zip(before.smi).map(|(n, b)| n.saturating_sub(b)),
            virtual_machine: self.virtual_machine,
        }
    }

    fn smi(&self, core: usize) -> Option<u64> {
        // A virtual processor answers, and counts nothing.
        if self.virtual_machine {
            return None;
        }
        let msr = File::open(self.root.join(format!("dev/cpu/{core}/msr"))).ok()?;
        let mut bytes = [0; 8];
        msr.read_exact_at(&mut bytes, MSR_SMI_COUNT).ok()?;
        // The upper half is reserved.
        Some(u64::from_le_bytes(bytes) & 0xffff_ffff)
    }
}

/// Column of `core` in a table whose first line names the cores.
fn column(table: &str, core: usize) -> Option<usize> {
    let name = format!("CPU{core}");
    let head = table.lines().next()?;
    head.split_ascii_whitespace().position(|word| word == name)
}

/// Sum over the rows of a table that `wanted` asks for, in the column of `core`.
fn sum(table: &str, core: usize, wanted: impl Fn(&str) -> bool) -> Option<u64> {
    let column = column(table, core)?;
    let rows = table.lines().skip(1).filter_map(|line| {
        let (name, counts) = line.split_once(':')?;
        wanted(name.trim()).then(|| {
            let count = counts.split_ascii_whitespace().nth(column);
            // A row may have fewer columns, or words in them.
            count.and_then(|count| count.parse().ok()).unwrap_or(0_u64)
        })
    });
    Some(rows.fold(0, u64::saturating_add))
}

/// Interrupts of devices on `core`, from `/proc/interrupts`.
fn interrupts(table: &str, core: usize) -> Option<u64> {
    sum(table, core, |name| {
        !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_digit())
    })
}

/// Soft interrupts on `core`, from `/proc/softirqs`.
fn softirqs(table: &str, core: usize) -> Option<u64> {
    sum(table, core, |name| SOFTIRQS.contains(&name))
}

/// Stolen ticks of `core`, from `/proc/stat`: its eighth figure.
fn steal_ticks(stat: &str, core: usize) -> Option<u64> {
    let name = format!("cpu{core}");
    let line = stat
        .lines()
        .find(|line| line.split_ascii_whitespace().next() == Some(&name))?;
    line.split_ascii_whitespace().nth(8)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const INTERRUPTS: &str = "            CPU0       CPU2\n  0:         12         34   IO-APIC    2-edge      timer\n 24:        100       2000   PCI-MSI  eth0\nLOC:     999999     999999   Local timer interrupts\nERR:          5\n";
    const SOFTIRQS_TABLE: &str = "                    CPU0       CPU2\n          HI:          1          2\n       TIMER:     888888     888888\n      NET_RX:         10        500\n     TASKLET:          0          4\n         RCU:     777777     777777\n";
    const STAT: &str = "cpu  1 2 3 4 5 6 7 8 9 10\ncpu0 1 2 3 4 5 6 7 80 9 10\ncpu2 1 2 3 4 5 6 7 81 9 10\nintr 5\n";

    fn computer(flags: &str) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(root.path().join("proc")).unwrap();
        let write = |path: &str, text: &str| std::fs::write(root.path().join(path), text).unwrap();
        write("proc/interrupts", INTERRUPTS);
        write("proc/softirqs", SOFTIRQS_TABLE);
        write("proc/stat", STAT);
        write(
            "proc/cpuinfo",
            &format!("processor : 0\nflags\t\t: {flags}\n"),
        );
        root
    }

    #[test]
    fn counts_are_those_of_the_core_and_of_devices() {
        let root = computer("fpu sse");
        let kernel = Kernel::under(root.path());
        let counts = kernel.read(2).unwrap();
        assert_eq!(
            counts,
            KernelCounts {
                interrupts: 2034,
                softirqs: 506,
                steal_ns: 81 * TICK_NS,
                smi: None
            }
        );
        assert_eq!(kernel.read(0).unwrap().interrupts, 112);
        // The second core is off line.
        assert_eq!(kernel.read(1), None);
        let delta = kernel.delta(&counts, &kernel.read(0).unwrap(), 5, 6);
        assert_eq!((delta.interrupts, delta.softirqs), (1922, 495));
        assert_eq!((delta.interval_ns, delta.cycles), (5, 6));
        assert!(!delta.virtual_machine);
        assert!(Kernel::under(computer("fpu hypervisor").path()).virtual_machine);
    }

    #[test]
    fn firmware_is_counted_where_the_processor_can_be_asked() {
        let root = computer("fpu");
        std::fs::create_dir_all(root.path().join("dev/cpu/2")).unwrap();
        let mut register = vec![0; MSR_SMI_COUNT as usize];
        register.extend_from_slice(&77_u64.to_le_bytes());
        std::fs::write(root.path().join("dev/cpu/2/msr"), register).unwrap();
        assert_eq!(Kernel::under(root.path()).read(2).unwrap().smi, Some(77));
    }

    #[test]
    fn an_empty_computer_counts_nothing_and_this_one_does() {
        let root = tempfile::tempdir().unwrap();
        assert_eq!(Kernel::under(root.path()).read(0), None);
        assert!(Kernel::under(Path::new("/")).read(0).is_some());
    }
}
