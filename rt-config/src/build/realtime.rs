//! How the cycle gets its time: checked and built.

use super::clock;
use crate::check::Check;
use crate::machine::{Bus, DEFAULT_PRIORITY, MAX_CORE, Policy, Realtime, RealtimeNic, Wait};
use crate::raw::{RealtimeNicTable, RealtimeTable};
use crate::value::{At, Quantity, Time};

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
    Realtime {
        core: raw
            .core
            .as_ref()
            .map(|core| core_number("core", core, check)),
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
