//! What is told of an overrun: a JSON line, and counts.

use super::cause::{Evidence, Kind, Outcome, OverrunCause};
use super::sentry::Incident;
use crate::phases::{Group, Phase, Row};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, VecDeque};

/// Records that are kept for a status.
pub const RECENT: usize = 16;
/// Stands for a cause where overruns came faster than they could be looked at.
pub const NOT_LOOKED_AT: &str = "not_looked_at";

/// An overrun, or an exceeded budget, with its cause.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OverrunLine {
    /// Always `overrun`.
    #[serde(rename = "type")]
    pub line: String,
    /// `overrun`: longer than the period; `budget`: a row was longer than its budget.
    pub kind: Kind,
    /// The cycle.
    pub cycle: u64,
    /// Its nominal time from the start of the run (ns).
    pub time_ns: u64,
    /// The same as time of day (ns since 1970, UTC).
    pub time_utc_ns: u64,
    /// The row that exceeded its budget, or the phase that took most beyond what is usual.
    pub row: String,
    /// What it took (ns).
    pub took_ns: u64,
    /// What half of the cycles stay below (ns).
    pub usual_ns: u64,
    /// All phases but slack (ns).
    pub busy_ns: u64,
    /// It began late because the cycle before overran, and has the cause of that.
    pub follows: bool,
    /// The cause.
    pub cause: OverrunCause,
    /// What to do next.
    pub next_step: String,
    /// What it rests on.
    pub evidence: EvidenceLine,
}

/// Evidence as it is told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EvidenceLine {
    /// Durations of the phases (ns).
    pub phases_ns: BTreeMap<String, u64>,
    /// Durations of the groups of models (ns).
    pub models_ns: BTreeMap<String, u64>,
    /// What the exchange came to.
    pub exchange: Outcome,
    /// Page faults of the thread since the end of the cycle before.
    pub minor_faults: u64,
    /// The same, from a disk.
    pub major_faults: u64,
    /// Times that the thread was made to wait.
    pub involuntary_switches: u64,
    /// Times that it waited by itself.
    pub voluntary_switches: u64,
    /// Core that it was on.
    pub core: usize,
    /// What was counted on that core around the cycle; none where the kernel does not tell.
    pub kernel: Option<KernelLine>,
    /// The worker on another core that was waited for; none where nobody was.
    #[serde(default)]
    pub worker: Option<WorkerLine>,
}

/// A worker that was waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkerLine {
    /// Its core.
    pub core: usize,
    /// How long the cycle waited for it (ns).
    pub late_ns: u64,
}

/// What to do next; a worker that was late is named.
fn next_step(evidence: &Evidence, cause: OverrunCause) -> String {
    match evidence.late_worker() {
        Some(late) if cause == OverrunCause::ModelsOverBudget => format!(
            "The worker on core {} finished {:.0} us late: see what else runs there (`twinstep doctor --core {0}`), and isolate it like the cycle's core.",
            late.core,
            late.late_ns as f64 / 1000.0
        ),
        _ => cause.next_step().to_owned(),
    }
}

/// What was counted on the core.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KernelLine {
    /// Over this time (ns).
    pub interval_ns: u64,
    /// In so many cycles.
    pub cycles: u64,
    /// Interrupts of devices.
    pub interrupts: u64,
    /// Soft interrupts of network, disks and tasklets.
    pub softirqs: u64,
    /// Time that the hypervisor gave to others (ns).
    pub steal_ns: u64,
    /// System management interrupts; none where they cannot be counted.
    pub smi: Option<u64>,
}

impl OverrunLine {
    /// Puts words to an incident.
    pub fn new(incident: &Incident, cause: OverrunCause, time_utc_ns: u64) -> Self {
        let Evidence {
            kind,
            row,
            laps,
            groups,
            usual_ns,
            ..
        } = incident.evidence;
        let row = match kind {
            Kind::Overrun => incident.evidence.longest().0 as usize,
            Kind::Budget => row,
        };
        Self {
            line: "overrun".to_owned(),
            kind,
            cycle: incident.cycle,
            time_ns: incident.time_ns,
            time_utc_ns,
            row: Row::all().nth(row).map_or("", Row::name).to_owned(),
            took_ns: laps.iter().chain(&groups).copied().nth(row).unwrap_or(0),
            usual_ns: usual_ns.get(row).copied().unwrap_or(0),
            busy_ns: laps[..Phase::Slack as usize].iter().sum(),
            follows: incident.follows,
            cause,
            next_step: next_step(&incident.evidence, cause),
            evidence: EvidenceLine::new(incident),
        }
    }
}

impl EvidenceLine {
    fn new(incident: &Incident) -> Self {
        let evidence = &incident.evidence;
        let phases = Phase::ALL.iter().map(|phase| phase.name().to_owned());
        let models = Group::ALL.iter().map(|group| group.name().to_owned());
        Self {
            phases_ns: phases.zip(evidence.laps).collect(),
            models_ns: models.zip(evidence.groups).collect(),
            exchange: evidence.outcome,
            minor_faults: evidence.usage.minor_faults,
            major_faults: evidence.usage.major_faults,
            involuntary_switches: evidence.usage.involuntary_switches,
            voluntary_switches: evidence.usage.voluntary_switches,
            core: incident.core,
            kernel: evidence.kernel.map(|kernel| KernelLine {
                interval_ns: kernel.interval_ns,
                cycles: kernel.cycles,
                interrupts: kernel.interrupts,
                softirqs: kernel.softirqs,
                steal_ns: kernel.steal_ns,
                smi: kernel.smi,
            }),
            worker: evidence.worker.map(|late| WorkerLine {
                core: late.core,
                late_ns: late.late_ns,
            }),
        }
    }
}

/// Overruns and exceeded budgets of a run, by cause.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Causes {
    overruns: [u64; OverrunCause::COUNT],
    budgets: [u64; OverrunCause::COUNT],
    /// The last records, the newest last.
    pub recent: VecDeque<OverrunLine>,
    /// Records that were counted, but not written: more than a run may write, or the disk failed.
    pub unwritten: u64,
    /// Incidents that found no room on their way: they have no cause.
    pub dropped: u64,
    /// Exceeded budgets that were not looked at, because another one had been shortly before.
    pub unexamined: u64,
    /// Dumps written.
    pub dumps: u64,
    /// Dumps that were not made or not written.
    pub dumps_dropped: u64,
}

impl Causes {
    /// Counts a record and keeps it.
    pub fn add(&mut self, record: OverrunLine) {
        let counts = match record.kind {
            Kind::Overrun => &mut self.overruns,
            Kind::Budget => &mut self.budgets,
        };
        counts[record.cause as usize] += 1;
        if self.recent.len() >= RECENT {
            self.recent.pop_front();
        }
        self.recent.push_back(record);
    }

    /// How many there are of a kind and a cause.
    pub fn count(&self, kind: Kind, cause: OverrunCause) -> u64 {
        match kind {
            Kind::Overrun => self.overruns[cause as usize],
            Kind::Budget => self.budgets[cause as usize],
        }
    }

    /// The same of `overruns` cycles that overran: those that came too fast for the watcher stand as [`NOT_LOOKED_AT`].
    pub fn of_overruns(&self, overruns: u64) -> BTreeMap<String, u64> {
        let mut causes = self.by_cause(Kind::Overrun);
        let missed = overruns.saturating_sub(causes.values().sum());
        if missed > 0 {
            causes.insert(NOT_LOOKED_AT.to_owned(), missed);
        }
        causes
    }

    /// Counts of a kind by cause, those that are not 0.
    pub fn by_cause(&self, kind: Kind) -> BTreeMap<String, u64> {
        OverrunCause::ALL
            .into_iter()
            .map(|cause| (cause.name().to_owned(), self.count(kind, cause)))
            .filter(|(_, count)| *count > 0)
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overruns_that_nobody_looked_at_stand_beside_the_causes() {
        let mut causes = Causes::default();
        causes.overruns[OverrunCause::LateWake as usize] = 2;
        causes.budgets[OverrunCause::LateWake as usize] = 9;
        let late = ("late_wake".to_owned(), 2);
        assert_eq!(causes.of_overruns(2), BTreeMap::from([late.clone()]));
        let missed = (NOT_LOOKED_AT.to_owned(), 3);
        assert_eq!(causes.of_overruns(5), BTreeMap::from([late, missed]));
        assert!(Causes::default().of_overruns(0).is_empty());
    }
}
