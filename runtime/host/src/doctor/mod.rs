//! What the doctor looks at: everything on this computer that decides whether the cycle keeps its time.
//!
//! One file a group of checks. All of them only read, below a root that may be a folder of files standing for a computer. What
//! takes a live system (a clock, a system call, two readings some time apart) is "not read under --sysroot" there.

mod clock;
mod command_line;
pub mod cpus;
mod interrupts;
mod isolation;
mod kernel;
mod kernel_work;
mod memory;
mod nic;
mod noise;
mod parameters;
mod power;
mod rights;
mod rivals;
mod root;
pub mod script;
mod throttling;

pub use nic::interrupts as interrupts_of;
pub use rivals::{REMEDY as REMEDY_OF_RIVALS, Rival, rivals};
pub use root::Root;

use cpus::Cpus;
use serde::Serialize;
use std::fmt;
use twinstep_config::machine::Ptp;

/// What a check came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// As it should be.
    Ok,
    /// It costs time now and then; the figures still mean something.
    Warn,
    /// Durations measured here say nothing about a machine.
    Bad,
    /// This computer does not have it, or it cannot be read.
    NotHere,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Ok => "ok",
            Self::Warn => "warn",
            Self::Bad => "bad",
            Self::NotHere => "not here",
        })
    }
}

/// How a remedy is applied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fix {
    /// Write `value` into the file `path`, until the next start of the computer.
    Write {
        /// Below the root.
        path: String,
        /// Without the end of the line.
        value: String,
    },
    /// Run a command, until the next start of the computer.
    Run(String),
    /// The same of a line for the shell, with what the shell makes of it.
    Shell(String),
    /// Add a parameter to the kernel's command line and start anew.
    Boot(String),
}

/// One check.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "type", rename = "check")]
pub struct Check {
    /// Group and subject, such as `kernel.realtime`.
    pub name: &'static str,
    /// The file that was read, or the call that was made.
    pub path: String,
    /// What was found.
    pub value: String,
    /// What that means.
    pub verdict: Verdict,
    /// Why it matters.
    pub why: &'static str,
    /// What to do exactly; empty where nothing is to be done.
    pub remedy: String,
    /// What of the remedy a script can do.
    #[serde(skip)]
    pub fixes: Vec<Fix>,
}

impl Check {
    /// A check that has found nothing yet.
    fn new(name: &'static str, path: impl Into<String>, why: &'static str) -> Self {
        Self {
            name,
            path: path.into(),
            value: String::new(),
            verdict: Verdict::NotHere,
            why,
            remedy: String::new(),
            fixes: Vec::new(),
        }
    }

    fn judged(mut self, verdict: Verdict, value: impl Into<String>, remedy: &str) -> Self {
        self.verdict = verdict;
        self.value = value.into();
        remedy.clone_into(&mut self.remedy);
        self
    }

    /// It is as it should be.
    fn ok(self, value: impl Into<String>) -> Self {
        self.judged(Verdict::Ok, value, "")
    }

    /// It costs time now and then.
    fn warn(self, value: impl Into<String>, remedy: &str) -> Self {
        self.judged(Verdict::Warn, value, remedy)
    }

    /// It invalidates what is measured.
    fn bad(self, value: impl Into<String>, remedy: &str) -> Self {
        self.judged(Verdict::Bad, value, remedy)
    }

    /// It is not here, and why.
    fn not_here(self, value: impl Into<String>) -> Self {
        self.judged(Verdict::NotHere, value, "")
    }

    /// [`Self::ok`] where `fine`, else [`Self::warn`].
    fn ok_or_warn(self, fine: bool, value: impl Into<String>, remedy: &str) -> Self {
        if fine {
            self.ok(value)
        } else {
            self.warn(value, remedy)
        }
    }

    fn is_wrong(&self) -> bool {
        matches!(self.verdict, Verdict::Warn | Verdict::Bad)
    }

    /// Adds a file to write, if something is wrong.
    fn write(mut self, path: impl Into<String>, value: impl Into<String>) -> Self {
        if self.is_wrong() {
            self.fixes.push(Fix::Write {
                path: path.into(),
                value: value.into(),
            });
        }
        self
    }

    /// The same, where `this` is what is wrong.
    fn write_if(self, this: bool, path: impl Into<String>, value: impl Into<String>) -> Self {
        if this { self.write(path, value) } else { self }
    }

    /// Adds a command, if something is wrong.
    fn run(mut self, command: impl Into<String>) -> Self {
        if self.is_wrong() {
            self.fixes.push(Fix::Run(command.into()));
        }
        self
    }

    /// Adds a line for the shell, if something is wrong.
    fn shell(mut self, line: impl Into<String>) -> Self {
        if self.is_wrong() {
            self.fixes.push(Fix::Shell(line.into()));
        }
        self
    }

    /// Adds a parameter of the kernel, if something is wrong.
    fn boot(mut self, parameter: impl Into<String>) -> Self {
        if self.is_wrong() {
            self.fixes.push(Fix::Boot(parameter.into()));
        }
        self
    }
}

/// Said of whatever takes a live system.
const NOT_UNDER_SYSROOT: &str = "not read under --sysroot";

/// What is looked at.
#[derive(Clone, Debug)]
pub struct Subject {
    root: Root,
    /// The core that the cycle runs on.
    core: usize,
    /// Cores that share the models with it.
    model_cores: Vec<usize>,
    /// Cores of the cycles of other buses: no place for anything else either.
    beside: Vec<usize>,
    /// All cores that are online.
    online: Cpus,
    /// The network interfaces of the machine, as far as they are named.
    interfaces: Vec<String>,
    /// Priority of the cycle thread under SCHED_FIFO.
    priority: u8,
    /// How ptp4l is asked, where the configuration says so.
    ptp: Option<Ptp>,
    /// The configuration sets something of a network interface.
    sets_network: bool,
    /// Interfaces of `[tsn]`: it shares the queues out among its classes.
    tsn: Vec<String>,
}

impl Subject {
    /// `core` is the cycle's; without it, the last isolated one, or the last one of all, as `run` takes it: none of `model_cores`.
    pub fn new(
        root: Root,
        core: Option<usize>,
        model_cores: &[usize],
        interfaces: Vec<String>,
        priority: u8,
    ) -> Self {
        let online = online_cores(&root);
        let last = |cores: &Cpus| cores.iter().filter(|one| !model_cores.contains(one)).last();
        let core = core.or_else(|| last(&isolated(&root).intersection(&online)));
        let core = core.or_else(|| last(&online)).unwrap_or(0);
        Self {
            root,
            core,
            model_cores: model_cores.to_vec(),
            beside: Vec::new(),
            online,
            interfaces,
            priority,
            ptp: None,
            sets_network: false,
            tsn: Vec::new(),
        }
    }

    /// The same, with ptp4l as the configuration has it.
    #[must_use]
    pub fn with_ptp(mut self, ptp: Option<Ptp>) -> Self {
        self.ptp = ptp;
        self
    }

    /// The same, where the configuration sets something of a network interface.
    #[must_use]
    pub const fn setting_network(mut self, sets: bool) -> Self {
        self.sets_network = sets;
        self
    }

    /// The same with these interfaces of `[tsn]`.
    #[must_use]
    pub fn with_tsn(mut self, interfaces: Vec<String>) -> Self {
        self.tsn = interfaces;
        self
    }

    /// The same beside the cycles of other buses, on these cores.
    #[must_use]
    pub fn beside(mut self, cores: &[usize]) -> Self {
        self.beside = cores
            .iter()
            .copied()
            .filter(|core| *core != self.core)
            .collect();
        self
    }

    /// The cycle's core.
    pub const fn core(&self) -> usize {
        self.core
    }

    /// Cores that share the models with the cycle.
    fn workers(&self) -> Cpus {
        all_of(&self.model_cores)
    }

    /// The cycle's core, those of the workers, and those of other buses.
    fn busy(&self) -> Cpus {
        let others = self.workers().union(&all_of(&self.beside));
        others.union(&Cpus::one(self.core))
    }

    /// The cores that are left for everything else: all but the busy and the isolated ones; core 0 where nothing
    /// is left.
    fn housekeeping(&self) -> Cpus {
        let mut rest = self.online.without(&self.busy());
        let open = rest.without(&isolated(&self.root));
        if !open.is_empty() {
            rest = open;
        }
        if rest.is_empty() { Cpus::one(0) } else { rest }
    }

    /// The same for the core of a worker, which the cycle waits for; the cycle's own is beside it.
    fn of_worker(&self, core: usize) -> Self {
        let mut worker = self.clone();
        worker.beside.push(self.core);
        worker.core = core;
        worker
    }

    /// What holds for the core of a worker as for the cycle's. Whether it is isolated and which interrupts it has is looked at for
    /// all of them together.
    fn examine_core(&self) -> Vec<Check> {
        let mut checks = isolation::checks_of_core(self);
        checks.push(throttling::fair_server(self));
        checks.extend(kernel_work::checks_of_core(self));
        checks.extend(power::checks_of_core(self));
        checks
    }

    /// Runs all checks, in the order in which they are shown.
    pub fn examine(&self) -> Vec<Check> {
        // Readings some time apart are taken around all the others, so that nobody waits twice.
        let before = interrupts::Counts::read(self);
        let smi_before = noise::smi_count(self);
        let mut checks = Vec::new();
        checks.extend(kernel::checks(self));
        checks.extend(isolation::checks(self));
        checks.extend(throttling::checks(self));
        checks.extend(rights::checks(self));
        checks.extend(kernel_work::checks(self));
        checks.extend(power::checks(self));
        checks.extend(clock::checks(self));
        checks.extend(memory::checks(self));
        checks.extend(nic::checks(self));
        checks.extend(interrupts::checks(self, &before));
        checks.extend(noise::checks(self, smi_before));
        for &core in &self.model_cores {
            // What is the same for several cores is said once.
            for check in self.of_worker(core).examine_core() {
                if !checks.contains(&check) {
                    checks.push(check);
                }
            }
        }
        checks
    }
}

fn all_of(cores: &[usize]) -> Cpus {
    let cores = cores.iter().map(|&core| Cpus::one(core));
    cores.fold(Cpus::default(), |all, core| all.union(&core))
}

/// A list of cores in a file.
fn cpus_in(root: &Root, path: &str) -> Option<Cpus> {
    Cpus::parse_list(&root.read(path)?)
}

/// Cores that are online.
pub fn online_cores(root: &Root) -> Cpus {
    cpus_in(root, "/sys/devices/system/cpu/online").unwrap_or_default()
}

/// Whether real-time threads are never stopped for running too long.
pub fn throttling_is_off(root: &Root) -> bool {
    throttling::is_off(root).unwrap_or(false)
}

/// Whether the kernel is a PREEMPT_RT one, and whether a hypervisor is below it.
pub fn kernel_is_realtime_and_virtual(root: &Root) -> (bool, bool) {
    (kernel::is_realtime(root), kernel::is_virtual(root))
}

/// Cores that the kernel keeps free and that this process may have: all that were isolated at its start.
pub fn isolated_cores(root: &Root) -> Cpus {
    cpus_in(root, isolation::ISOLATED).unwrap_or_default()
}

/// Whether the kernel keeps `core` free, in whatever way.
pub fn is_isolated(root: &Root, core: usize) -> bool {
    isolated(root).contains(core)
}

/// Whether ordinary threads that starve on `core` are known to be given a share of it.
pub fn starved_are_served(root: &Root, core: usize) -> bool {
    throttling::share_of_the_starved_ns(root, core).is_some_and(|ns| ns > 0)
}

/// What to do without PREEMPT_RT, without rights, and with throttling.
pub const REMEDIES: [&str; 3] = [kernel::REALTIME_REMEDY, rights::SERVICE, throttling::REMEDY];

/// Cores that the kernel keeps free: at its start, or as a partition of cpusets.
pub fn isolated(root: &Root) -> Cpus {
    let at_start = cpus_in(root, isolation::ISOLATED).unwrap_or_default();
    at_start.union(&cpus_in(root, isolation::PARTITION).unwrap_or_default())
}
