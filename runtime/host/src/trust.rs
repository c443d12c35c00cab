//! Whether the durations of this run can be believed: what the computer granted, read back from the kernel.

use crate::crew::Granted;
use crate::doctor::{self, Root};
use crate::ptp::PtpLine;
use crate::realtime::Way;
use serde::Serialize;
use std::path::Path;

/// How a thread is scheduled, as the kernel says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Scheduling {
    /// SCHED_FIFO.
    Fifo,
    /// SCHED_DEADLINE.
    Deadline,
    /// Anything else.
    #[default]
    Other,
}

impl Scheduling {
    /// Whether it comes before all ordinary threads.
    pub const fn is_realtime(self) -> bool {
        matches!(self, Self::Fifo | Self::Deadline)
    }
}

/// What was found. Written into every summary.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(into = "TrustLine")]
pub struct Trust {
    /// The kernel is a PREEMPT_RT one.
    pub realtime_kernel: bool,
    /// The cycle thread runs under SCHED_FIFO.
    pub sched_fifo: bool,
    /// The memory of the process is locked.
    pub memory_locked: bool,
    /// All that durations rest on, so that they say something about the machine controller.
    pub timing_valid: bool,
    /// How the cycle thread is scheduled.
    pub policy: Scheduling,
    /// The one core that the cycle thread may run on; none where there are several.
    pub core: Option<usize>,
    /// The kernel keeps that core free.
    pub isolated: bool,
    /// Real-time threads are never stopped for running too long.
    pub throttling_off: bool,
    /// Ordinary threads that starve on that core are known to be given a share of it.
    pub starved_are_served: bool,
    /// `/dev/cpu_dma_latency` is held, so that cores stay out of slow idle states.
    pub cpu_dma_latency_held: bool,
    /// The kernel knows idle states; without them there is no such file, and nothing to hold.
    pub idle_states: bool,
    /// There is a hypervisor below the kernel.
    pub virtual_machine: bool,
    /// How the start of a cycle is awaited; none in virtual time.
    pub wait: Option<Way>,
    /// Workers that share the models on cores of their own.
    pub workers: usize,
    /// Those that have their core and the policy that was asked for.
    pub workers_granted: usize,
    /// The ordinary policy was asked for, and its lack of precedence is no news.
    pub asks_for_nothing: bool,
    /// A core was asked for, and the cycle runs elsewhere.
    pub core_denied: bool,
    /// Something of `[realtime.nic]` was asked for, and is not so.
    pub nic_denied: bool,
    /// Real-time threads of other programs that came first on the cores of cycle and workers at the start; none where nobody looked.
    pub rivals: Option<usize>,
    /// The interface keeps the launch times of what is published; none where it has none.
    pub launch_times_kept: Option<bool>,
    /// TAI - UTC of this computer (s); none where nothing goes by CLOCK_TAI.
    pub tai_offset_s: Option<i64>,
    /// What ptp4l says of the clock; none where nobody asks.
    pub ptp: Option<PtpLine>,
}

/// Something that was not granted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Lack {
    /// What.
    pub what: &'static str,
    /// What to do about it.
    pub remedy: &'static str,
}

/// [`Trust`] as it is written: with what is missing, and how to have it.
#[derive(Serialize)]
struct TrustLine {
    realtime_kernel: bool,
    sched_fifo: bool,
    memory_locked: bool,
    timing_valid: bool,
    policy: Scheduling,
    core: Option<usize>,
    isolated: bool,
    throttling_off: bool,
    cpu_dma_latency_held: bool,
    virtual_machine: bool,
    wait: Option<Way>,
    workers: usize,
    workers_granted: usize,
    rivals: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    launch_times_kept: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tai_offset_s: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ptp: Option<PtpLine>,
    missing: Vec<Lack>,
}

impl From<Trust> for TrustLine {
    fn from(trust: Trust) -> Self {
        Self {
            realtime_kernel: trust.realtime_kernel,
            sched_fifo: trust.sched_fifo,
            memory_locked: trust.memory_locked,
            timing_valid: trust.timing_valid,
            policy: trust.policy,
            core: trust.core,
            isolated: trust.isolated,
            throttling_off: trust.throttling_off,
            cpu_dma_latency_held: trust.cpu_dma_latency_held,
            virtual_machine: trust.virtual_machine,
            wait: trust.wait,
            workers: trust.workers,
            workers_granted: trust.workers_granted,
            rivals: trust.rivals,
            launch_times_kept: trust.launch_times_kept,
            tai_offset_s: trust.tai_offset_s,
            ptp: trust.ptp,
            missing: trust.missing().collect(),
        }
    }
}

/// The core that was asked for, as a lack.
pub const ASKED_CORE: &str = "the core that was asked for";

/// Nobody else with precedence on the cores of cycle and workers, as a lack.
pub const RIVALS: &str = "cores without other real-time threads";

/// SCHED_FIFO as it stands in the kernel's `stat` files.
const SCHED_FIFO: &str = "1";
/// SCHED_DEADLINE there.
const SCHED_DEADLINE: &str = "6";

impl Trust {
    /// Reads what was granted. To be called in the cycle thread, before its first cycle: the policy is the caller's own.
    pub fn observe() -> Self {
        Self::observe_under(&Root::live())
    }

    /// The same for a folder of files that stands for a computer.
    pub fn observe_in(folder: &Path) -> Self {
        Self::observe_under(&Root::folder(folder))
    }

    fn observe_under(root: &Root) -> Self {
        let read = |path: &str| root.read(path).unwrap_or_default();
        let (realtime_kernel, virtual_machine) = doctor::kernel_is_realtime_and_virtual(root);
        let policy = match policy(&read("/proc/thread-self/stat")) {
            Some(SCHED_FIFO) => Scheduling::Fifo,
            Some(SCHED_DEADLINE) => Scheduling::Deadline,
            _ => Scheduling::Other,
        };
        let memory_locked = locked_kb(&read("/proc/self/status")) > 0;
        let throttling_off = doctor::throttling_is_off(root);
        let core = only_core(&read("/proc/thread-self/status"));
        Self {
            realtime_kernel,
            sched_fifo: policy == Scheduling::Fifo,
            memory_locked,
            timing_valid: realtime_kernel
                && policy.is_realtime()
                && memory_locked
                && throttling_off
                && !virtual_machine,
            policy,
            core,
            isolated: core.is_some_and(|core| doctor::is_isolated(root, core)),
            throttling_off,
            starved_are_served: core.is_some_and(|core| doctor::starved_are_served(root, core)),
            idle_states: root.exists("/sys/devices/system/cpu/cpuidle"),
            virtual_machine,
            ..Self::default()
        }
    }

    /// The same with workers beside the cycle: what they were not granted, durations rest on too.
    pub fn with_workers(self, granted: Granted) -> Self {
        Self {
            workers: granted.asked,
            workers_granted: granted.granted,
            timing_valid: self.timing_valid && granted.granted == granted.asked,
            ..self
        }
    }

    /// Whether the cycle may hold on to its core for ever: it is its own, and the kernel stops nobody for it, or for who starves there.
    pub const fn may_spin(&self) -> bool {
        let never_stopped = self.throttling_off && !self.starved_are_served;
        never_stopped && self.isolated && matches!(self.policy, Scheduling::Fifo)
    }

    /// What was not granted of that which `[realtime] require` insists on.
    pub fn required_missing(&self) -> impl Iterator<Item = Lack> {
        let [kernel, rights, throttling] = doctor::REMEDIES;
        let lack = |granted: bool, what, remedy| (!granted).then_some(Lack { what, remedy });
        [
            lack(self.realtime_kernel, "a PREEMPT_RT kernel", kernel),
            lack(
                self.policy.is_realtime() || self.sched_fifo,
                "SCHED_FIFO or SCHED_DEADLINE",
                if self.asks_for_nothing {
                    "write policy = \"fifo\" in [realtime]"
                } else {
                    rights
                },
            ),
            lack(self.memory_locked, "locked memory", rights),
            lack(self.throttling_off, "real-time throttling off", throttling),
            lack(
                self.workers_granted == self.workers,
                "every worker on its core, scheduled as the cycle is",
                "let this process run on all of [realtime] model_cores, with the rights of the cycle",
            ),
            lack(
                !self.core_denied,
                ASKED_CORE,
                "let this process run on [realtime] core (see its cpuset and taskset), or name another one",
            ),
            lack(self.rivals.unwrap_or(0) == 0, RIVALS, doctor::REMEDY_OF_RIVALS),
            lack(
                self.cpu_dma_latency_held || !self.idle_states,
                "a hold on /dev/cpu_dma_latency",
                "see power.cpu_dma_latency of `twinstep doctor`",
            ),
        ]
        .into_iter()
        .flatten()
    }

    /// All that was not granted.
    pub fn missing(&self) -> impl Iterator<Item = Lack> {
        let lack = |granted: bool, what, remedy| (!granted).then_some(Lack { what, remedy });
        self.required_missing().chain(
            [
                lack(
                    !self.virtual_machine,
                    "real hardware",
                    "run the machine on real hardware: a hypervisor decides when this kernel runs",
                ),
                lack(
                    self.core.is_some(),
                    "a core for the cycle alone",
                    "see isolation.core of `twinstep doctor`",
                ),
                lack(
                    self.core.is_none() || self.isolated,
                    "an isolated core",
                    "see isolation.isolated of `twinstep doctor`",
                ),
                lack(
                    self.launch_times_kept != Some(false),
                    "launch times",
                    "set [tsn] qdisc = \"etf\" on the interface of [publish.uadp], or leave launch_offset out",
                ),
                lack(
                    self.tai_offset_s != Some(0),
                    "TAI - UTC",
                    "let ptp4l with phc2sys set it, or chrony with `leapsectz right/UTC` (see clock.tai of `twinstep doctor`)",
                ),
                lack(
                    self.ptp.is_none_or(|ptp| ptp.verdict.is_good()),
                    "a clock that ptp4l keeps",
                    self.ptp.unwrap_or_default().verdict.remedy(),
                ),
                lack(
                    !self.nic_denied,
                    "what [realtime.nic] asks for",
                    "leave out of [realtime.nic] what the interface cannot do, or give the process CAP_NET_ADMIN (coalescing) and root (interrupts)",
                ),
            ]
            .into_iter()
            .flatten(),
        )
    }
}

/// Field 41 of proc(5) `stat`: the scheduling policy. Fields are counted after the name, which may hold anything.
fn policy(stat: &str) -> Option<&str> {
    let (_, after_name) = stat.rsplit_once(')')?;
    // The first field after the name is number 3.
    after_name.split_ascii_whitespace().nth(41 - 3)
}

/// `VmLck` of proc(5) `status` (kB), 0 where it cannot be read.
pub fn locked_kb(status: &str) -> u64 {
    status
        .lines()
        .find_map(|line| line.strip_prefix("VmLck:"))
        .and_then(|value| value.split_ascii_whitespace().next())
        .and_then(|number| number.parse().ok())
        .unwrap_or(0)
}

/// The core of `Cpus_allowed_list` in proc(5) `status`, where it is one.
fn only_core(status: &str) -> Option<usize> {
    let list = (status.lines()).find_map(|line| line.strip_prefix("Cpus_allowed_list:"))?;
    let cpus = doctor::cpus::Cpus::parse_list(list)?;
    cpus.last().filter(|_| cpus.len() == 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn computer(realtime: &str, policy: u32, locked_kb: u64) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        let folders = [
            "sys/kernel",
            "sys/devices/system/cpu/cpuidle",
            "proc/self",
            "proc/thread-self",
        ];
        for folder in folders {
            fs::create_dir_all(root.path().join(folder)).unwrap();
        }
        fs::write(root.path().join("sys/kernel/realtime"), realtime).unwrap();
        let fields: Vec<String> = (3..=52)
            .map(|field| {
                if field == 41 {
                    policy.to_string()
                } else {
                    "7".into()
                }
            })
            .collect();
        let stat = format!("12 (a) b (c) {}", fields.join(" "));
        fs::write(root.path().join("proc/thread-self/stat"), stat).unwrap();
        let status = format!("Name:\tx\nCpus_allowed_list:\t1\nVmLck:\t  {locked_kb} kB\n");
        fs::write(root.path().join("proc/self/status"), &status).unwrap();
        fs::write(root.path().join("proc/thread-self/status"), status).unwrap();
        fs::create_dir_all(root.path().join("proc/sys/kernel")).unwrap();
        fs::write(
            root.path().join("proc/sys/kernel/sched_rt_runtime_us"),
            "-1\n",
        )
        .unwrap();
        root
    }

    #[test]
    fn all_granted_makes_timing_valid() {
        let root = computer("1\n", 1, 4096);
        let trust = Trust::observe_in(root.path());
        assert!(
            trust.realtime_kernel && trust.sched_fifo && trust.memory_locked && trust.timing_valid
        );
        assert_eq!(
            (trust.policy, trust.core, trust.isolated),
            (Scheduling::Fifo, Some(1), false)
        );
        assert!(!trust.may_spin());
        // What is held is known to who holds it.
        let missing: Vec<&str> = trust.required_missing().map(|lack| lack.what).collect();
        assert_eq!(missing, ["a hold on /dev/cpu_dma_latency"]);
        let trust = Trust {
            cpu_dma_latency_held: true,
            ..trust
        };
        assert_eq!(trust.required_missing().count(), 0);
        // A kernel without idle states has no file to hold.
        let root = computer("1\n", 1, 4096);
        fs::remove_dir(root.path().join("sys/devices/system/cpu/cpuidle")).unwrap();
        let trust = Trust::observe_in(root.path());
        assert_eq!(trust.required_missing().count(), 0);
        // A share of each period does as well.
        let trust = Trust::observe_in(computer("1\n", 6, 4096).path());
        assert!(trust.timing_valid && !trust.sched_fifo && trust.policy == Scheduling::Deadline);
    }

    #[test]
    fn who_is_stopped_for_those_that_starve_may_not_spin() {
        let root = computer("1\n", 1, 4096);
        let cpu = root.path().join("sys/devices/system/cpu");
        fs::write(cpu.join("online"), "0-1\n").unwrap();
        fs::write(cpu.join("isolated"), "1\n").unwrap();
        assert!(Trust::observe_in(root.path()).may_spin());
        let server = root.path().join("sys/kernel/debug/sched/fair_server/cpu1");
        fs::create_dir_all(&server).unwrap();
        for (runtime_ns, may_spin) in [("50000000\n", false), ("0\n", true)] {
            fs::write(server.join("runtime"), runtime_ns).unwrap();
            let trust = Trust::observe_in(root.path());
            assert!(trust.timing_valid, "who sleeps each cycle starves nobody");
            assert_eq!(trust.may_spin(), may_spin, "{runtime_ns}");
        }
    }

    #[test]
    fn throttling_and_a_hypervisor_make_timing_invalid() {
        let root = computer("1\n", 1, 4096);
        let throttled = root.path().join("proc/sys/kernel/sched_rt_runtime_us");
        fs::write(&throttled, "950000\n").unwrap();
        let trust = Trust::observe_in(root.path());
        assert!(!trust.timing_valid && !trust.throttling_off);
        fs::write(&throttled, "-1\n").unwrap();
        fs::write(
            root.path().join("proc/cpuinfo"),
            "flags\t\t: fpu hypervisor\n",
        )
        .unwrap();
        let trust = Trust::observe_in(root.path());
        assert!(!trust.timing_valid && trust.virtual_machine);
        let missing: Vec<&str> = trust.missing().map(|lack| lack.what).collect();
        assert_eq!(
            missing,
            [
                "a hold on /dev/cpu_dma_latency",
                "real hardware",
                "an isolated core"
            ]
        );
    }

    #[test]
    fn what_was_asked_for_and_refused_is_missing_with_its_remedy() {
        let fine = Trust {
            realtime_kernel: true,
            policy: Scheduling::Fifo,
            sched_fifo: true,
            memory_locked: true,
            throttling_off: true,
            core: Some(3),
            isolated: true,
            cpu_dma_latency_held: true,
            idle_states: true,
            ..Trust::default()
        };
        assert_eq!(fine.missing().count(), 0);
        let told = |trust: Trust| {
            let line = serde_json::to_value(trust).unwrap();
            let missing = line["missing"].as_array().unwrap().clone();
            let [lack] = &missing[..] else {
                panic!("{line}");
            };
            assert!(lack["remedy"].as_str().unwrap().len() > 20, "{line}");
            let required = trust.required_missing().count() == 1;
            (lack["what"].as_str().unwrap().to_owned(), required)
        };
        let core = Trust {
            core_denied: true,
            ..fine
        };
        assert_eq!(told(core), (ASKED_CORE.to_owned(), true));
        let beside = Trust {
            rivals: Some(2),
            ..fine
        };
        assert_eq!(told(beside), (RIVALS.to_owned(), true));
        let held = Trust {
            cpu_dma_latency_held: false,
            ..fine
        };
        assert_eq!(
            told(held),
            ("a hold on /dev/cpu_dma_latency".to_owned(), true)
        );
        // Said at the start, before anything else is tried: see `nic::set`.
        let nic = Trust {
            nic_denied: true,
            ..fine
        };
        assert_eq!(
            told(nic),
            ("what [realtime.nic] asks for".to_owned(), false)
        );
    }

    #[test]
    fn one_missing_makes_timing_invalid() {
        for (realtime, policy, locked_kb) in [("0\n", 1, 4096), ("1\n", 0, 4096), ("1\n", 1, 0)] {
            let root = computer(realtime, policy, locked_kb);
            assert!(!Trust::observe_in(root.path()).timing_valid);
        }
    }

    #[test]
    fn an_empty_computer_grants_nothing() {
        let root = tempfile::tempdir().unwrap();
        assert_eq!(Trust::observe_in(root.path()), Trust::default());
    }
}
