//! Which names the evidence of an overrun allows, read from its record alone.

pub mod shares;

use twinstep_host::overruns::cause::{Kind, Outcome, OverrunCause};
use twinstep_host::overruns::record::{KernelLine, OverrunLine};

/// Interrupts a cycle that are none.
const FEW: u64 = 4;

fn is_of_models(row: &str) -> bool {
    !["wake", "send", "receive", "publish", "acyclic", "slack"].contains(&row)
}

fn faults(record: &OverrunLine) -> u64 {
    record.evidence.minor_faults + record.evidence.major_faults
}

fn many_interrupts(kernel: &KernelLine) -> bool {
    kernel.interrupts.max(kernel.softirqs) > FEW * kernel.cycles.max(1)
}

fn is_stolen(kernel: &KernelLine) -> bool {
    kernel.steal_ns > 0 && 20 * kernel.steal_ns >= kernel.interval_ns
}

/// Whether the name of a record has in it what a name like that rests on.
pub fn has_what_it_rests_on(record: &OverrunLine) -> bool {
    let evidence = &record.evidence;
    let kernel = evidence.kernel.as_ref();
    let row = record.row.as_str();
    match record.cause {
        OverrunCause::LateWake => row == "wake",
        OverrunCause::BusRoundTrip => row == "receive" && evidence.exchange == Outcome::Good,
        OverrunCause::WorkingCounter => {
            ["receive", "acyclic"].contains(&row) && evidence.exchange == Outcome::WorkingCounter
        }
        OverrunCause::LostFrame => row == "receive" && evidence.exchange == Outcome::NoFrame,
        OverrunCause::PageFault => faults(record) > 0,
        OverrunCause::InvoluntarySwitch => evidence.involuntary_switches > 0,
        OverrunCause::Interrupts => kernel.is_some_and(many_interrupts),
        OverrunCause::HypervisorSteal => kernel.is_some_and(is_stolen),
        OverrunCause::SmiSuspected => kernel.is_some_and(|kernel| kernel.smi != Some(0)),
        OverrunCause::ModelsOverBudget => is_of_models(row) || evidence.worker.is_some(),
        OverrunCause::Unknown => !["wake", "receive"].contains(&row),
    }
}

/// The one name that the evidence of a record allows; none where it allows several, or where the record follows another one.
pub fn only_name(record: &OverrunLine) -> Option<OverrunCause> {
    let evidence = &record.evidence;
    if record.follows || evidence.worker.is_some() {
        return None;
    }
    let row = record.row.as_str();
    let as_usual = is_of_models(row) && record.took_ns <= 3 * record.usual_ns;
    if record.kind == Kind::Budget {
        return as_usual.then_some(OverrunCause::ModelsOverBudget);
    }
    // Models may be all that such a cycle is.
    if as_usual {
        return None;
    }
    match (evidence.exchange, row) {
        (Outcome::NoFrame, "receive") => return Some(OverrunCause::LostFrame),
        (Outcome::WorkingCounter, "receive" | "acyclic") => {
            return Some(OverrunCause::WorkingCounter);
        }
        _ => {}
    }
    if evidence.involuntary_switches > 0 {
        return Some(OverrunCause::InvoluntarySwitch);
    }
    if faults(record) > 0 {
        return Some(OverrunCause::PageFault);
    }
    // What was counted on a core over many cycles is no sure sign of one of them, unless it is not there at all.
    let quiet = evidence.kernel.as_ref().is_none_or(|kernel| {
        kernel.smi.unwrap_or(0) == 0 && !many_interrupts(kernel) && !is_stolen(kernel)
    });
    match row {
        "wake" if quiet => Some(OverrunCause::LateWake),
        "receive" if quiet => Some(OverrunCause::BusRoundTrip),
        _ => None,
    }
}
