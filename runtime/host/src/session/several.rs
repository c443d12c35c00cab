//! A machine of several buses: one process, one store, one control socket, and a cycle thread a bus.

use super::finish::{exit, outcome, summary, tell};
use super::house::{House, Part};
use super::seat::{Ridden, SeatSlot};
use super::{Options, give_up_rights, tell_lost, tell_the_service};
use crate::context_watch::ContextLine;
use crate::error::{Exit, HostError};
use crate::false_alarms::Exposure;
use crate::lines::{FalseAlarmsLine, SummaryLine};
use crate::output::Output;
use crate::plan;
use crate::realtime::nic;
use crate::scribe::ScribeTotals;
use crate::tables;
use crate::thresholds;
use rustix::thread::CapabilitySet;
use std::collections::BTreeMap;
use twinstep_config::machine::Machine;
use twinstep_cycle::digest;

/// `text`, with the name of the bus that it is of in front.
pub(crate) fn named(bus: Option<&str>, text: &str) -> String {
    bus.map_or_else(|| text.to_owned(), |bus| format!("{bus}: {text}"))
}

/// Title of a run on `machine`: its name, and the bus where it is one of several.
pub fn title_of(machine: &Machine) -> String {
    match &machine.place {
        None => machine.name.clone(),
        Some(place) => format!("{}, {}", machine.name, place.name),
    }
}

/// Runs all buses of a machine, each as `one` does, which is told how: in real time side by side, in virtual time one after the other,
/// so that every run is the same. A bus that fails stops the others in order. Ends with the summary of the machine.
///
/// # Errors
/// [`HostError`] of the first bus that failed; those of others are noted.
pub fn run_several(
    machines: &[Machine],
    options: &[Options],
    output: &Output,
    one: impl Fn(&Machine, &Options) -> Result<Exit, HostError> + Sync,
) -> Result<Exit, HostError> {
    let parts: Vec<Part<'_>> = machines.iter().zip(options).collect();
    let (house, seats) = House::open(&parts, false, output)?;
    let controls: Vec<_> = seats.iter().map(|seat| seat.control.clone()).collect();
    let slots: Vec<SeatSlot> = seats.into_iter().map(SeatSlot::of).collect();
    let real_time = options.iter().any(|options| options.real_time);
    let stop = house.control.clone();
    let ride = |n: usize| {
        let (Some((machine, options)), Some(slot), Some(control)) =
            (parts.get(n), slots.get(n), controls.get(n))
        else {
            return Ok(());
        };
        // Whatever becomes of it, nobody waits for it any more.
        let _finish = control.finish_at_the_end();
        let options = Options {
            seat: Some(slot.clone()),
            ..(*options).clone()
        };
        let ended = one(machine, &options).map(|_| ());
        // It is one machine: where one bus cannot go on, the others stop in order.
        if ended.is_err() || slot.failed() {
            stop.request_stop();
        }
        ended
    };
    let ended: Vec<Result<(), HostError>> = if real_time {
        std::thread::scope(|scope| {
            let threads: Vec<_> = (0..parts.len())
                .map(|n| {
                    let bus = parts[n].0.place.as_ref().map_or("", |place| &place.name);
                    let thread = std::thread::Builder::new().name(format!("bus-{bus}"));
                    let ride = &ride;
                    let stop = &stop;
                    let started = thread.spawn_scoped(scope, move || ride(n));
                    started.map_err(|error| {
                        stop.request_stop();
                        HostError::machine(
                            format!("cannot start the thread of a bus: {error}"),
                            "raise the limit of processes",
                        )
                    })
                })
                .collect();
            // What is set on an interface is set back by this thread.
            let tsn = machines.iter().any(|machine| machine.tsn.is_some());
            let kept = if tsn {
                nic::RIGHTS
            } else {
                CapabilitySet::empty()
            };
            give_up_rights(kept, output);
            tell_the_service(controls.clone(), output);
            let join = |thread: Result<std::thread::ScopedJoinHandle<'_, _>, _>| {
                thread?.join().unwrap_or_else(|_| {
                    Err(HostError::machine(
                        "the thread of a bus panicked",
                        "this is a fault of twinstep: please report it",
                    ))
                })
            };
            threads.into_iter().map(join).collect()
        })
    } else {
        let mut all: Vec<Result<(), HostError>> = Vec::new();
        for n in 0..parts.len() {
            // One that has failed has stopped the machine.
            if all.iter().all(Result::is_ok) {
                all.push(ride(n));
            }
        }
        all
    };
    let mut ridden: Vec<_> = slots.iter().map(SeatSlot::take_ridden).collect();
    let known: Vec<Option<&Ridden>> = ridden.iter().map(Option::as_deref).collect();
    let closed = house.close(&parts, &known);
    let recorded: Vec<_> = (ridden.iter_mut().flatten())
        .map(|ridden| ridden.finish_recording())
        .collect();
    let known: Vec<Option<&Ridden>> = ridden.iter().map(Option::as_deref).collect();
    let mut failures: Vec<HostError> = Vec::new();
    for (n, ended) in ended.into_iter().enumerate() {
        let bus = parts[n].0.place.as_ref().map(|place| place.name.as_str());
        let ended = ended.and_then(|()| known[n].map_or(Ok(()), outcome));
        failures.extend(ended.err().map(|error| error.of(bus.unwrap_or_default())));
    }
    // Whether the machine stands comes before what could not be kept of the run.
    let totals = closed.unwrap_or_else(|error| {
        failures.push(error);
        Vec::new()
    });
    failures.extend(recorded.into_iter().filter_map(Result::err));
    for (part, ridden) in parts.iter().zip(&known) {
        if let Some(ridden) = ridden {
            tell_lost(*part, ridden, output);
        }
    }
    let each: Vec<SummaryLine> = (parts.iter().zip(&known).zip(&totals))
        .filter_map(|((part, ridden), totals)| Some(summary(*part, (*ridden)?, *totals)))
        .collect();
    // Without all of them there is no summary of the machine, but an error.
    if let (Some(first), true) = (each.first().cloned(), each.len() == parts.len()) {
        let digests = known.iter().flatten().map(|ridden| ridden.done.digest);
        let whole = whole(first, each, machines, digests, &totals);
        let health: Vec<_> = known
            .iter()
            .flatten()
            .flat_map(|ridden| ridden.done.health.clone())
            .collect();
        if !output.json() {
            whole
                .buses
                .iter()
                .for_each(|bus| output.line(&tables::bus_text(bus)));
        }
        tell(&health, &whole, output);
    }
    let mut failures = failures.into_iter();
    match failures.next() {
        Some(first) => {
            failures.for_each(|error| output.note(error.render(false).trim_end()));
            Err(first)
        }
        None => {
            let raised = totals.iter().map(|totals| totals.raised).sum();
            Ok(parts.first().map_or(Exit::Fine, |part| exit(*part, raised)))
        }
    }
}

/// The summary of a machine of several buses: the keys are those of the first one, but for what is of the machine: events, overruns,
/// false alarms, and the digest, which takes in those of all buses in their order.
fn whole(
    first: SummaryLine,
    each: Vec<SummaryLine>,
    machines: &[Machine],
    digests: impl Iterator<Item = u64>,
    totals: &[ScribeTotals],
) -> SummaryLine {
    let mut overrun_causes = BTreeMap::new();
    for (cause, count) in each.iter().flat_map(|bus| &bus.overrun_causes) {
        *overrun_causes.entry(cause.clone()).or_insert(0) += count;
    }
    // Watched is what all of them have seen together.
    let exposure = Exposure {
        seen_ns: totals
            .iter()
            .map(|one| one.exposure.seen_ns)
            .min()
            .unwrap_or(0),
        alarms: totals.iter().map(|one| one.exposure.alarms).sum(),
    };
    let extrapolated = machines
        .iter()
        .map(|machine| thresholds::extrapolated(machine, plan::shares(machine)));
    let known: Vec<_> = extrapolated.flatten().collect();
    let interval_s = |rate_per_s: f64| (!known.is_empty()).then_some((1.0 / rate_per_s) as u64);
    let folded = digest::finish(digests.fold(0, digest::mix));
    SummaryLine {
        events: each.iter().map(|bus| bus.events).sum(),
        dropped_events: each.iter().map(|bus| bus.dropped_events).sum(),
        overruns: each.iter().map(|bus| bus.overruns).sum(),
        overrun_causes,
        digest: format!("{folded:016x}"),
        false_alarms: FalseAlarmsLine {
            asked_s: first.false_alarms.asked_s / machines.len().max(1) as u64,
            extrapolated_s: interval_s(known.iter().map(|all| all.rate_per_s).sum()),
            extrapolated_low_s: interval_s(known.iter().map(|all| all.high_per_s).sum()),
            demonstrated_s: exposure.demonstrated_s(),
            streams: each.iter().map(|bus| bus.false_alarms.streams).sum(),
        },
        context: (each.iter())
            .filter_map(|bus| bus.context)
            .reduce(ContextLine::and),
        not_judged: (each.iter())
            .flat_map(|bus| bus.not_judged.clone())
            .collect(),
        buses: each,
        ..first
    }
}
