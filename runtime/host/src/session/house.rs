//! What the buses of a machine have in common: the store with its scribe, the control socket, the flag that stops them.

use super::Options;
use super::record::{overheard, say};
use super::seat::{Prepared, Ridden, Seat};
use crate::control::queue;
use crate::control::status::Identity;
use crate::control::{self, Place, Server, Setting};
use crate::error::HostError;
use crate::lines::EventRecord;
use crate::output::Output;
use crate::overruns::watcher::Watcher;
use crate::record::lasting::Say;
use crate::scribe::{Announce, Scribe, ScribeTotals};
use crate::shared::EventOutlet;
use crate::snapshot::Control;
use crate::standing;
use crate::store::{StoreError, StoreWriter};
use crate::tables;
use std::sync::{Arc, mpsc};
use twinstep_config::machine::Machine;

/// Events that wait for the live view; it shows the last few only.
const VIEW_EVENTS: usize = 1024;

/// A bus that is to be run: its machine, and how.
pub(super) type Part<'a> = (&'a Machine, &'a Options);

/// See the module.
pub(super) struct House {
    scribe: Scribe,
    server: Option<Server>,
    /// Events for the live view.
    pub shown_events: mpsc::Receiver<EventRecord>,
    /// That of the first bus; a stop is that of all.
    pub control: Control,
}

impl House {
    /// Makes everything that can be had before a bus is touched. `interactive`: events are shown in the live view.
    pub fn open(
        parts: &[Part<'_>],
        interactive: bool,
        output: &Output,
    ) -> Result<(Self, Vec<Seat>), HostError> {
        let Some(&(machine, options)) = parts.first() else {
            return Err(HostError::usage("there is no bus to run", "name one"));
        };
        let prepared: Vec<Prepared> = (parts.iter())
            .map(|(machine, options)| Prepared::new(machine, options, output))
            .collect::<Result<_, _>>()?;
        let place = control_place(machine, options, output)?;
        let mut store = StoreWriter::open(&options.state).map_err(StoreError::into_usage)?;
        if let Some(seq) = options.first_seq {
            store.number_from(seq);
        }
        let runs: Vec<_> = prepared.iter().map(|one| Arc::clone(&one.info)).collect();
        let progress = &mut |text: &str| output.note(text);
        if let Some(was) = &options.was {
            standing::take_over(&mut store, was, &machine.name, progress)?;
        }
        // Before anything of an earlier run is written over.
        standing::keep_apart(&mut store, &runs, &machine.name, progress)?;
        let (view_events, shown_events) = mpsc::sync_channel::<EventRecord>(VIEW_EVENTS);
        let announce: Announce = if interactive {
            // A view that does not keep up shows fewer events; they are in the store.
            Box::new(move |record, _| drop(view_events.try_send(record.clone())))
        } else {
            let output = output.clone();
            Box::new(move |record, json| {
                if output.json() {
                    output.line(json)
                } else {
                    output.line(&tables::event_text(record))
                }
            })
        };
        let control = Control::default();
        let mut seats = Vec::new();
        for (n, (prepared, part)) in prepared.into_iter().zip(parts).enumerate() {
            let own = if n == 0 {
                control.clone()
            } else {
                control.beside()
            };
            seats.push(Seat::new(prepared, *part, own, output)?);
        }
        let told = (seats.iter().zip(parts)).filter_map(|(seat, (_, options))| {
            let recording = seat.record.as_ref()?;
            Some(recording.told(options, &seat.prepared.info))
        });
        let announce = overheard(announce, told.collect());
        let announce = shown(announce, machine, options)?;
        let whole = (machine.place.as_ref()).is_none_or(|place| place.count == parts.len());
        // Old events that cannot be read are no reason to keep a machine from running.
        let first =
            standing::ended(&mut store, &runs, &machine.name, whole).unwrap_or_else(|error| {
                output.note(&format!(
                    "alarms of earlier runs are not ended: {}",
                    error.into_usage().in_a_line()
                ));
                Vec::new()
            });
        let (events, scribe) = Scribe::start_for(store, &runs, first, announce)?;
        for (seat, events) in seats.iter_mut().zip(events) {
            seat.events = Some(events);
        }
        if let Err(error) = control.stop_on_signals() {
            output.note(&format!(
                "signals cannot be caught ({error}): an interrupt ends the run without a summary"
            ));
        }
        let server =
            place.map(|place| start_server(place, parts, &mut seats, say(options, output)));
        let house = Self {
            scribe,
            server: server.transpose()?,
            shown_events,
            control,
        };
        Ok((house, seats))
    }

    /// Ends it all, once no bus runs any more: whatever they came to, what they handed over is stored first. Returns the totals of each.
    pub fn close(
        self,
        parts: &[Part<'_>],
        ridden: &[Option<&Ridden>],
    ) -> Result<Vec<ScribeTotals>, HostError> {
        if let Some(server) = self.server {
            server.stop();
        }
        let seen_ns = parts.iter().zip(ridden).map(|((machine, _), ridden)| {
            let cycles = ridden.map_or(0, |ridden| ridden.done.cycles);
            cycles.saturating_mul(machine.cycle.period_ns)
        });
        self.scribe.stop_all(&seen_ns.collect::<Vec<_>>())
    }
}

/// The same announcement, to other programs on this computer too where the machine is shared with them.
fn shown(
    mut announce: Announce,
    machine: &Machine,
    options: &Options,
) -> Result<Announce, HostError> {
    let settings = machine.shared.as_ref().filter(|_| options.real_time);
    let Some(outlet) = settings.map(EventOutlet::new).transpose()? else {
        return Ok(announce);
    };
    Ok(Box::new(move |record, json| {
        // It is stored: nobody waits for who reads standard output slowly.
        outlet.show(record);
        announce(record, json);
    }))
}

fn start_server(
    place: Place,
    parts: &[Part<'_>],
    seats: &mut [Seat],
    say: Say,
) -> Result<Server, HostError> {
    let mut buses = Vec::new();
    for (&(machine, options), seat) in parts.iter().zip(seats) {
        let (control_end, cycle_end) = queue::channel();
        seat.commands = Some(cycle_end);
        let state = std::path::absolute(&options.state).unwrap_or_else(|_| options.state.clone());
        let info = &seat.prepared.info;
        let setting = Setting {
            identity: Identity {
                machine: machine.name.clone(),
                version: env!("CARGO_PKG_VERSION").to_owned(),
                pid: std::process::id(),
                plan: info.plan.clone(),
                simulated: options.simulated,
                state: state.display().to_string(),
                period_ns: machine.cycle.period_ns,
                model_cores: match options.real_time {
                    true => machine.realtime.model_cores.clone(),
                    // Nobody is pinned in virtual time.
                    false => Vec::new(),
                },
            },
            machine: machine.clone(),
            info: Arc::clone(info),
            state,
            causes: seat
                .watch
                .as_ref()
                .map(|(_, watcher)| Watcher::causes(watcher)),
            interfaces: options.interfaces.clone(),
            strokes: seat.strokes.0.clone(),
            control: seat.control.clone(),
        };
        buses.push((setting, control_end));
    }
    Server::start(place, buses, say)
}

/// The control socket of this run. A usual one that cannot be had is no reason not to run, but a machine that is running
/// already is.
fn control_place(
    machine: &Machine,
    options: &Options,
    output: &Output,
) -> Result<Option<Place>, HostError> {
    let group = options.socket_group.as_deref();
    if let Some(path) = &options.socket {
        return Place::at(path, group).map(Some);
    }
    if !options.real_time {
        return Ok(None);
    }
    let beside = options.simulated || control::listens(machine);
    let name = control::name_of(machine);
    let place = Place::usual(&name, &options.state, beside, group)?;
    match &place {
        None => output.note("no folder for a control socket: name one with --control"),
        Some(place) if place.is_unusual() => output.note(&format!(
            "another run has the usual control socket; this one's is {}",
            place.path().display()
        )),
        Some(_) => {}
    }
    Ok(place)
}
