//! How the cycle gets its time: checked and built.

use super::clock;
use crate::check::Check;
use crate::machine::{
    Bus, DEFAULT_PRIORITY, MAX_CORE, MAX_MODEL_CORES, OtherBuses, Policy, Realtime, RealtimeNic,
    Wait,
};
use crate::raw::{RealtimeNicTable, RealtimeTable};
use crate::value::{At, Quantity, Time};
use twinstep_models::lane::{LANES, lanes_for};

/// Highest priority: 99 is the watchdogs'.
const MAX_PRIORITY: u32 = 98;
/// Longest time that frames may be held back (ns).
const MAX_COALESCING_NS: u64 = 1_000_000;
/// The kernel reserves no shares of shorter periods unless it is told to (sched_deadline_period_min_us) (ns).
const MIN_DEADLINE_NS: u64 = 100_000;

pub(super) fn realtime(
    raw: Option<&RealtimeTable>,
    bus: Option<&Bus>,
    period_ns: u64,
    axes: usize,
    check: &mut Check,
) -> Realtime {
    let Some(raw) = raw else {
        return Realtime::default();
    };
    let policies = [
        ("fifo", Policy::Fifo),
        ("deadline", Policy::Deadline),
        ("other", Policy::Other),
    ];
    let policy = one_of("policy", raw.policy.as_ref(), &policies, check);
    let waits = [
        ("auto", Wait::Auto),
        ("spin", Wait::Spin),
        ("sleep", Wait::Sleep),
        ("hybrid", Wait::Hybrid),
    ];
    let wait = one_of("wait", raw.wait.as_ref(), &waits, check);
    if let (Policy::Deadline, Some(given)) = (policy, &raw.policy) {
        if period_ns > 0 && period_ns < MIN_DEADLINE_NS {
            check.problem(
                &given.span,
                "the kernel reserves no share of a period below 100 us",
                "period too short",
                "take policy = \"fifo\", or a longer period",
            );
        }
        if let (Wait::Spin, Some(wait)) = (wait, &raw.wait) {
            check.problem(
                &wait.span,
                "a thread that spins uses up the share that policy = \"deadline\" reserves, and is stopped",
                "not with \"deadline\"",
                "write wait = \"sleep\", \"hybrid\" or \"auto\", or policy = \"fifo\"",
            );
        }
    }
    let core = (raw.core.as_ref()).map(|core| core_number("core", core, check));
    if let (Policy::Deadline, Some(cores)) = (policy, &raw.model_cores) {
        check.problem(
            &cores.span,
            "policy = \"deadline\" reserves its share for one thread, and workers wait for each other",
            "not with \"deadline\"",
            "leave them out, or write policy = \"fifo\"",
        );
    }
    Realtime {
        core,
        others: OtherBuses::default(),
        model_cores: (raw.model_cores.as_ref())
            .map_or_else(Vec::new, |cores| model_cores(cores, core, axes, check)),
        policy,
        priority: priority(raw.priority.as_ref(), raw.policy.as_ref(), policy, check),
        require: raw.require,
        wait,
        nic: raw
            .nic
            .as_ref()
            .map_or_else(RealtimeNic::default, |raw| nic(raw, check)),
        clock: (raw.clock.as_ref()).map(|raw| clock::clock(raw, bus, period_ns, check)),
        ptp: raw.ptp.as_ref().map(|raw| clock::ptp(raw, check)),
    }
}

fn one_of<T: Copy + Default>(
    key: &str,
    raw: Option<&At<String>>,
    known: &[(&str, T)],
    check: &mut Check,
) -> T {
    let Some(raw) = raw else {
        return T::default();
    };
    if let Some((_, value)) = known.iter().find(|(name, _)| *name == raw.value) {
        return *value;
    }
    let names: Vec<String> = known
        .iter()
        .map(|(name, _)| format!("\"{name}\""))
        .collect();
    check.problem(
        &raw.span,
        format!(
            "`{key}` is \"{}\", which is not known",
            crate::error::shortened(&raw.value)
        ),
        "not known",
        format!("write one of {}", names.join(", ")),
    );
    T::default()
}

fn priority(
    raw: Option<&At<u32>>,
    given: Option<&At<String>>,
    policy: Policy,
    check: &mut Check,
) -> u8 {
    let Some(raw) = raw else {
        return DEFAULT_PRIORITY;
    };
    if let (Some(given), true) = (given, policy != Policy::Fifo) {
        check.problem(
            &raw.span,
            format!(
                "`priority` is of policy = \"fifo\", and this is \"{}\"",
                given.value
            ),
            "not used",
            "leave it out, or write policy = \"fifo\"",
        );
    }
    if raw.value == 0 || raw.value > MAX_PRIORITY {
        check.problem(
            &raw.span,
            format!("`priority` is {}, which is out of range", raw.value),
            "out of range",
            format!("`priority` must be 1 to {MAX_PRIORITY}; interrupt threads have 50"),
        );
        return DEFAULT_PRIORITY;
    }
    u8::try_from(raw.value).unwrap_or(DEFAULT_PRIORITY)
}

fn core_number(key: &str, raw: &At<u32>, check: &mut Check) -> usize {
    // Which cores there are is the computer's matter.
    let core = raw.value as usize;
    if core > MAX_CORE {
        check.problem(
            &raw.span,
            format!("`{key}` is {core}, and no kernel has so many cores"),
            "out of range",
            format!("`{key}` must be 0 to {MAX_CORE}; `twinstep doctor` says which there are"),
        );
    }
    core
}

/// Cores that share the models with the cycle's; `axes` and presses together make the lanes that are shared out.
fn model_cores(
    raw: &At<Vec<At<u32>>>,
    cycle: Option<usize>,
    axes: usize,
    check: &mut Check,
) -> Vec<usize> {
    let before = check.problems.len();
    let mut cores = Vec::new();
    for given in &raw.value {
        let core = core_number("model_cores", given, check);
        if cycle == Some(core) {
            check.problem(
                &given.span,
                format!("core {core} is that of the cycle, which takes its part anyway"),
                "the cycle's own",
                "`model_cores` are those beside it: leave this one out",
            );
        }
        if cores.contains(&core) {
            check.problem(
                &given.span,
                format!("core {core} is named twice, and a core has one worker"),
                "second time",
                "leave it out",
            );
        }
        cores.push(core);
    }
    let (threads, lanes) = (cores.len() + 1, lanes_for(axes));
    if cores.len() > MAX_MODEL_CORES {
        check.problem(
            &raw.span,
            format!("`model_cores` names {} cores", cores.len()),
            "too many",
            format!("at most {MAX_MODEL_CORES} share the models with the cycle's"),
        );
    } else if !cores.is_empty() && threads > lanes && check.problems.len() == before {
        // How many there are says something once each of them is right.
        let lanes_text = match lanes {
            1 => "one lane".to_owned(),
            _ => format!("{lanes} lanes"),
        };
        check.problem(
            &raw.span,
            format!(
                "{threads} cores, the cycle's among them, are to share {axes} axes and presses, which are {lanes_text} of {LANES}"
            ),
            "more cores than lanes",
            if lanes > 1 {
                format!("name at most {}", lanes - 1)
            } else {
                "leave it out: one lane cannot be shared".to_owned()
            },
        );
    }
    cores
}

fn nic(raw: &RealtimeNicTable, check: &mut Check) -> RealtimeNic {
    let mut coalescing_us = |key: &str, raw: Option<&Quantity<Time>>| {
        let raw = raw?;
        let ns = check.nanoseconds(key, raw, (0, MAX_COALESCING_NS));
        if !ns.is_multiple_of(1000) {
            check.problem(
                &raw.span,
                format!("`{key}` is no whole number of microseconds"),
                "not whole",
                "network cards count in microseconds",
            );
        }
        u32::try_from(ns / 1000).ok()
    };
    let rx_coalescing_us = coalescing_us("rx_coalescing", raw.rx_coalescing.as_ref());
    let tx_coalescing_us = coalescing_us("tx_coalescing", raw.tx_coalescing.as_ref());
    RealtimeNic {
        irq_core: raw
            .irq_core
            .as_ref()
            .map(|core| core_number("irq_core", core, check)),
        rx_coalescing_us,
        tx_coalescing_us,
    }
}
