//! From the evidence to the cause: a pure function.

use super::kernel::KernelDelta;
use super::usage::Usage;
use crate::crew::Late;
use crate::phases::{GroupLaps, Laps, Phase, Row};
use serde::{Deserialize, Serialize};
use twinstep_models::sample::Missing;

/// Why a cycle took too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum OverrunCause {
    /// The thread was woken or scheduled too late.
    LateWake,
    /// The frame came back, but late.
    BusRoundTrip,
    /// A working counter was wrong, and what follows from that took the time.
    WorkingCounter,
    /// A frame did not come back, and its deadline was waited for.
    LostFrame,
    /// Memory was not there.
    PageFault,
    /// Another thread took the core.
    InvoluntarySwitch,
    /// Interrupts or soft interrupts kept the core busy.
    Interrupts,
    /// The models need more than they are given.
    ModelsOverBudget,
    /// The hypervisor gave the core to somebody else.
    HypervisorSteal,
    /// The firmware may have taken the processor.
    SmiSuspected,
    /// Nothing of this.
    Unknown,
}

impl OverrunCause {
    /// Number of causes.
    pub const COUNT: usize = 11;
    /// All causes.
    pub const ALL: [Self; Self::COUNT] = [
        Self::LateWake,
        Self::BusRoundTrip,
        Self::WorkingCounter,
        Self::LostFrame,
        Self::PageFault,
        Self::InvoluntarySwitch,
        Self::Interrupts,
        Self::ModelsOverBudget,
        Self::HypervisorSteal,
        Self::SmiSuspected,
        Self::Unknown,
    ];

    /// The stable word.
    pub const fn name(self) -> &'static str {
        match self {
            Self::LateWake => "late_wake",
            Self::BusRoundTrip => "bus_round_trip",
            Self::WorkingCounter => "working_counter",
            Self::LostFrame => "lost_frame",
            Self::PageFault => "page_fault",
            Self::InvoluntarySwitch => "involuntary_switch",
            Self::Interrupts => "interrupts",
            Self::ModelsOverBudget => "models_over_budget",
            Self::HypervisorSteal => "hypervisor_steal",
            Self::SmiSuspected => "smi_suspected",
            Self::Unknown => "unknown",
        }
    }

    /// What to do next.
    pub const fn next_step(self) -> &'static str {
        match self {
            Self::LateWake => {
                "Run `twinstep doctor`: PREEMPT_RT kernel, SCHED_FIFO, an isolated core, no deep idle states (/dev/cpu_dma_latency)."
            }
            Self::BusRoundTrip => {
                "Look at interrupt affinity and coalescing of the network card (`ethtool -C IF rx-usecs 0`), and at what else is on the cable."
            }
            Self::WorkingCounter => {
                "Look at the events of the bus at this time: they name the SubDevice that did not take part."
            }
            Self::LostFrame => {
                "Look at the events of the bus at this time, and at cable and connectors; `ethtool -S IF` counts errors of the port."
            }
            Self::PageFault => {
                "Lock the memory: raise RLIMIT_MEMLOCK (`ulimit -l unlimited`) or give the program CAP_IPC_LOCK; `twinstep doctor` says whether it is."
            }
            Self::InvoluntarySwitch => {
                "Isolate the core (isolcpus= or a cpuset partition) and look for threads of a higher priority on it: `ps -eLo pid,rtprio,psr,comm --sort -rtprio`."
            }
            Self::Interrupts => {
                "Move interrupts off the core (irqaffinity=, /proc/irq/N/smp_affinity_list); /proc/interrupts and /proc/softirqs say which it were."
            }
            Self::ModelsOverBudget => {
                "Give them more (`twinstep budget --set`, or `twinstep budget CONFIG --for 60s` for a recommendation), a longer period, or fewer axes on this core."
            }
            Self::HypervisorSteal => {
                "Run on a machine of its own, or give the virtual machine a dedicated core; timing in a shared one is not valid."
            }
            Self::SmiSuspected => {
                "Look for system management interrupts with `rtla hwnoise`; turn off USB legacy support and power management in the firmware."
            }
            Self::Unknown => {
                "Look at the cycles around it in the dump; `rtla osnoise` and `rtla timerlat` look deeper than this program may."
            }
        }
    }
}

/// What became of the exchange of the cycle.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum Outcome {
    /// All is well.
    #[default]
    Good,
    /// A frame did not come back in time.
    NoFrame,
    /// A working counter was wrong.
    WorkingCounter,
    /// A recording has no row.
    Gap,
}

impl From<Result<(), Missing>> for Outcome {
    fn from(exchange: Result<(), Missing>) -> Self {
        match exchange {
            Err(Missing::NoFrame) => Self::NoFrame,
            Err(Missing::WorkingCounter) => Self::WorkingCounter,
            Err(Missing::Gap | Missing::NewSegment) => Self::Gap,
            // The others are matters of one SubDevice.
            Ok(()) | Err(_) => Self::Good,
        }
    }
}

/// What exceeded what.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// The cycle was longer than the period.
    #[default]
    Overrun,
    /// A phase or group of models was longer than its budget.
    Budget,
}

/// Everything that is known of a cycle that took too long.
#[derive(Clone, Copy, Debug, Default)]
pub struct Evidence {
    /// What exceeded what.
    pub kind: Kind,
    /// The phase or group whose budget was exceeded, by [`Row::index`]; with [`Kind::Overrun`] it does not matter.
    pub row: usize,
    /// Phases (ns).
    pub laps: Laps,
    /// Groups of models (ns).
    pub groups: GroupLaps,
    /// What half of the cycles stay below, by [`Row::index`] (ns).
    pub usual_ns: [u64; Row::COUNT],
    /// What the exchange came to.
    pub outcome: Outcome,
    /// What the kernel counted of the thread since the end of the cycle before.
    pub usage: Usage,
    /// What the kernel counted on the core; none where it cannot be read.
    pub kernel: Option<KernelDelta>,
    /// The worker on another core that was waited for longest, where models are shared.
    pub worker: Option<Late>,
}

/// Interrupts a cycle that are none: the network card's own, and a timer.
const INTERRUPTS_A_CYCLE: u64 = 4;
/// A worker on another core that is waited for longer than this is late (ns): below it nobody is quicker than the others for ever.
const LATE_NS: u64 = 5_000;
/// Share of the time that must have been stolen (one in so many).
const STOLEN_PART: u64 = 20;
/// A row that exceeds its budget and is no longer than so many times what is usual does so by itself.
const USUAL_FACTOR: u64 = 3;

/// Phases in which models work.
const MODEL_PHASES: [Phase; 3] = [Phase::Predict, Phase::Compare, Phase::Correct];

impl Evidence {
    /// The phase that took the most beyond what is usual, and how much (ns); where cycles usually take that long because of
    /// their models, the longest of these, and all that it took.
    pub fn longest(&self) -> (Phase, u64) {
        if self.models_alone() {
            let models = MODEL_PHASES.map(|phase| (phase, self.laps[phase as usize]));
            let longest = models.into_iter().max_by_key(|(_, ns)| *ns);
            return longest.unwrap_or((Phase::Predict, 0));
        }
        let work = Phase::ALL.into_iter().filter(|p| *p != Phase::Slack);
        let excess = |phase: Phase| {
            let n = phase as usize;
            // Lateness is no work: none of it is usual, however often it comes.
            let usual_ns = if phase == Phase::Wake {
                0
            } else {
                self.usual_ns[n]
            };
            (phase, self.laps[n].saturating_sub(usual_ns))
        };
        work.map(excess)
            .max_by_key(|(_, ns)| *ns)
            .unwrap_or((Phase::Wake, 0))
    }

    /// The phase to explain: that whose budget was exceeded, else the longest one. None for a group of models.
    fn phase(&self) -> Option<Phase> {
        match self.kind {
            Kind::Overrun => Some(self.longest().0),
            Kind::Budget => Phase::ALL.get(self.row).copied(),
        }
    }

    /// Duration of a row (ns).
    fn row_ns(&self, row: usize) -> u64 {
        let all = self.laps.iter().chain(&self.groups);
        all.copied().nth(row).unwrap_or(0)
    }

    /// The worker that was waited for, where that is most of what the cycle or the row took beyond what is usual.
    pub fn late_worker(&self) -> Option<Late> {
        // Workers are waited for in these; health is tracked in the acyclic phase.
        if !Self::is_of_models(self.phase()) && self.phase() != Some(Phase::Acyclic) {
            return None;
        }
        let excess_ns = match self.kind {
            Kind::Overrun => self.longest().1,
            Kind::Budget => {
                let usual_ns = self.usual_ns.get(self.row).copied().unwrap_or(0);
                self.row_ns(self.row).saturating_sub(usual_ns)
            }
        };
        (self.worker).filter(|late| late.late_ns >= LATE_NS && 2 * late.late_ns >= excess_ns)
    }

    /// The cycle took about what cycles take, and most of that are models that took about what they take: where wake-ups are
    /// late most of the time, a long cycle is usual too.
    fn models_alone(&self) -> bool {
        let busy: u64 = self.laps[..Phase::Slack as usize].iter().sum();
        let sum = |of: &[u64]| -> u64 { MODEL_PHASES.map(|phase| of[phase as usize]).iter().sum() };
        let models = sum(&self.laps);
        busy <= 2 * self.usual_ns[Row::Busy.index()]
            && models <= 2 * sum(&self.usual_ns)
            && 2 * models >= busy
    }

    fn is_of_models(phase: Option<Phase>) -> bool {
        phase.is_none_or(|phase| MODEL_PHASES.contains(&phase))
    }
}

/// Decides. Direct evidence of the cycle comes first, what was counted on the core over a longer time after it, and what the phase alone says last.
pub fn decide(evidence: &Evidence) -> OverrunCause {
    let phase = evidence.phase();
    let models = Evidence::is_of_models(phase);
    // The wait for another core was measured; what this one went through meanwhile does not matter.
    if evidence.late_worker().is_some() {
        return OverrunCause::ModelsOverBudget;
    }
    // Models that take what they always take exceed a budget that is too small for them, whatever else went on.
    if models
        && evidence.kind == Kind::Budget
        && evidence.row_ns(evidence.row)
            <= USUAL_FACTOR * evidence.usual_ns.get(evidence.row).copied().unwrap_or(0)
    {
        return OverrunCause::ModelsOverBudget;
    }
    // The same without a budget: a cycle as long as usual, most of it models, and the period too short for it.
    if evidence.kind == Kind::Overrun && evidence.models_alone() {
        return OverrunCause::ModelsOverBudget;
    }
    // A frame that is missing is waited for in "receive", and explains nothing else; a wrong counter also leads to register work.
    match (evidence.outcome, phase) {
        (Outcome::NoFrame, Some(Phase::Receive)) => return OverrunCause::LostFrame,
        (Outcome::WorkingCounter, Some(Phase::Receive | Phase::Acyclic)) => {
            return OverrunCause::WorkingCounter;
        }
        _ => {}
    }
    let usage = &evidence.usage;
    if usage.involuntary_switches > 0 {
        return OverrunCause::InvoluntarySwitch;
    }
    if usage.minor_faults + usage.major_faults > 0 {
        return OverrunCause::PageFault;
    }
    if let Some(kernel) = &evidence.kernel {
        if kernel.smi.is_some_and(|count| count > 0) {
            return OverrunCause::SmiSuspected;
        }
        let many = INTERRUPTS_A_CYCLE * kernel.cycles.max(1);
        if kernel.interrupts > many || kernel.softirqs > many {
            return OverrunCause::Interrupts;
        }
        if kernel.steal_ns > 0 && kernel.steal_ns * STOLEN_PART >= kernel.interval_ns {
            return OverrunCause::HypervisorSteal;
        }
    }
    match phase {
        Some(Phase::Wake) => OverrunCause::LateWake,
        Some(Phase::Receive) => OverrunCause::BusRoundTrip,
        // The models' work does not vary that much by itself: somebody else had the processor and left no trace.
        _ if models
            && evidence
                .kernel
                .is_some_and(|k| k.smi.is_none() && !k.virtual_machine) =>
        {
            OverrunCause::SmiSuspected
        }
        _ => OverrunCause::Unknown,
    }
}

#[cfg(test)]
#[path = "cause_tests.rs"]
mod tests;
