//! One run from start to end: store, scribe, recorder and view around the cycle thread of each bus.

mod clocks;
mod cycle;
mod finish;
mod house;
mod options;
mod record;
mod seat;
mod several;
mod strokes;
mod workers;

pub use options::Options;
pub use seat::SeatSlot;
pub(crate) use several::named;
pub use several::{run_several, title_of};

use crate::attached::Attached;
use crate::error::{Exit, HostError};
use crate::output::Output;
use crate::overruns::watcher::Watcher;
use crate::pacer::Pacer;
use crate::plan;
use crate::realtime::{capabilities, nic};
use crate::record::tally::RecordingLine;
use crate::runner::Outlets;
use crate::shared::Moved;
use crate::snapshot::{self, Control, Looks};
use crate::strokes::StrokeWriter;
use crate::{live, plain, service};
use cycle::cycle_thread;
use finish::{finish, outcome};
use house::House;
use record::Unfinished;
use rustix::thread::CapabilitySet;
use seat::{Ridden, Seat};
use std::sync::Arc;
use twinstep_config::machine::Machine;
use twinstep_cycle::setpoint::ProgramSource;

/// Runs `machine` on the bus that `attach` makes on the cycle thread. Ends with the summary, or, as one of several buses, leaves what
/// it came to in its seat.
///
/// # Errors
/// [`HostError`] from the store, the recording, or the bus before it was in OP.
pub fn run<B, F>(
    machine: &Machine,
    options: &Options,
    output: &Output,
    attach: F,
) -> Result<Exit, HostError>
where
    B: Attached,
    F: FnOnce() -> Result<(B, Pacer), HostError> + Send,
{
    if let Some(slot) = &options.seat {
        let Some(seat) = slot.take_seat() else {
            return Err(HostError::machine(
                "a bus was to be run twice",
                "this is a fault of twinstep: please report it",
            ));
        };
        slot.leave(ride(machine, options, output, *seat, None, attach)?);
        return Ok(Exit::Fine);
    }
    let part = (machine, options);
    let interactive = !options.quiet && output.is_terminal();
    let (house, mut seats) = House::open(&[part], interactive, output)?;
    let Some(seat) = seats.pop() else {
        return Err(HostError::usage("there is no bus to run", "name one"));
    };
    let ridden = ride(machine, options, output, seat, Some(&house), attach);
    // Whatever the cycle came to, what it handed over is stored and written first.
    let totals = house.close(&[part], &[ridden.as_ref().ok()]);
    let mut ridden = ridden?;
    let recorded = ridden.finish_recording();
    tell_lost(part, &ridden, output);
    // Whether the machine stands comes before what could not be kept of the run.
    let exit = match totals {
        Ok(totals) => {
            let totals = totals.first().copied().unwrap_or_default();
            finish(part, output, &ridden, totals)?
        }
        Err(error) => {
            outcome(&ridden)?;
            return Err(error);
        }
    };
    recorded.map(|()| exit)
}

/// Runs one bus: its cycle thread, and beside it who watches. `house`: it is the only one, which this thread watches and the service
/// manager is told of.
fn ride<B, F>(
    machine: &Machine,
    options: &Options,
    output: &Output,
    seat: Seat,
    house: Option<&House>,
    attach: F,
) -> Result<Ridden, HostError>
where
    B: Attached,
    F: FnOnce() -> Result<(B, Pacer), HostError> + Send,
{
    let Seat {
        prepared,
        strokes: (_, strokes),
        record,
        watch,
        uadp,
        control,
        events,
        commands,
        health,
    } = seat;
    let Some(events) = events else {
        return Err(HostError::machine(
            "there is no scribe for this bus",
            "this is a fault of twinstep: please report it",
        ));
    };
    let (plan, info) = (prepared.plan, prepared.info);
    // It is asked for as long as the bus runs.
    let _ptp = prepared.ptp;
    let mut state = plan.state_for(machine.realtime.model_cores.len() + 1);
    let (health, mut keeper) = health.unzip();
    if let Some(keeper) = &mut keeper {
        keeper.put_back(&mut state, output);
        if options.real_time {
            keeper.start()?;
        }
    }
    let pipeline = plan.pipeline(&mut state);
    let mut programs = plan::programs(machine);
    let stations = plan::station_programs(machine);
    let contexts = machine.stroke_contexts();
    let source = ProgramSource::new(
        &mut programs,
        &stations,
        &contexts,
        machine.axes.len(),
        machine.cycle.period_ns as f64 / 1e9,
        plan::stop_ramp_s(machine),
        options.armed,
    );
    let mut moved = Moved::of(machine);
    let refused = Arc::clone(&moved.refused);
    let set_points = (source, &mut moved);
    let (strokes, writer) = strokes.unzip();
    let (record, recording) = match record {
        Some(all) => {
            let unfinished = Unfinished {
                recorder: all.recorder,
                notes: all.notes,
                ring: all.ring,
                progress: all.progress,
            };
            (Some(all.sender), Some(unfinished))
        }
        None => (None, None),
    };
    let (sentry, watcher) = watch.unzip();
    let interactive = house.is_some() && !options.quiet && output.is_terminal();
    let looks = match (interactive, options.quiet) {
        (true, _) => Looks::Live,
        (false, false) => Looks::Lines,
        (false, true) => Looks::Never,
    };
    let (snapshots, mut receiver) = snapshot::channel(looks);
    let outlets = Outlets {
        uadp,
        events,
        strokes,
        record,
        snapshots,
        control: control.clone(),
        commands,
        sentry,
        health,
    };
    let map = prepared.map;

    let done = std::thread::scope(|scope| {
        let name = match info.names.bus() {
            None => "cycle".to_owned(),
            Some(bus) => format!("cycle-{bus}"),
        };
        let cycle = std::thread::Builder::new()
            .name(name)
            .spawn_scoped(scope, || {
                // Whatever happens here, the views must end.
                let finish = control.finish_at_the_end();
                let remark = |text: &str| {
                    if !interactive {
                        output.note(&several::named(info.names.bus(), text));
                    }
                };
                let done = cycle_thread(
                    scope, machine, options, pipeline, set_points, map, outlets, &info, &remark,
                    attach,
                );
                drop(finish);
                done
            });
        // The cycle thread has taken its own along; here nothing takes any but the interface, which is set back at the end.
        let kept = if machine.realtime.nic.is_asked() || machine.tsn.is_some() {
            nic::RIGHTS
        } else {
            CapabilitySet::empty()
        };
        give_up_rights(kept, output);
        let asks = (machine.shared.as_ref()).is_some_and(|shared| shared.controller.is_some());
        if asks && options.real_time {
            let (say, control) = (record::say(options, output), control.clone());
            scope.spawn(move || refused.tell(|| control.is_finished(), say));
        }
        if house.is_some() {
            tell_the_service(vec![control.clone()], output);
        }
        let cycle = cycle.map_err(|error| {
            HostError::machine(
                format!("cannot start the cycle thread: {error}"),
                "raise the limit of processes",
            )
        })?;
        match house.filter(|_| interactive) {
            Some(house) => {
                let title = options.title.as_str();
                let mut view = live::View::new(title, Arc::clone(&info), machine.cycle.period_ns);
                view.page = options.page.clone();
                if let Err(error) = live::watch(view, &mut receiver, &house.shown_events, &control)
                {
                    output.note(error.render(false).trim_end());
                }
            }
            None if !options.quiet => plain::watch(&mut receiver, &info.names, output, &control),
            None => {}
        }
        cycle.join().unwrap_or_else(|_| {
            Err(HostError::machine(
                "the cycle thread panicked",
                "this is a fault of twinstep: please report it",
            ))
        })
    });
    if let (Some(checks), Ok(done)) = (&options.checks, &done) {
        checks.end(done.digest);
    }
    let causes = watcher.map(Watcher::stop).unwrap_or_default();
    let last = done.as_ref().ok().and_then(|done| done.kept.as_deref());
    let unkept = keeper.and_then(|keeper| keeper.stop(last));
    let untold = writer.map_or(0, StrokeWriter::stop);
    let done = match (done, recording) {
        (Ok(done), recording) => Ok((done, recording)),
        // Nobody waits for its last events: the run is no run.
        (Err(error), Some(recording)) => {
            recording.give_up();
            Err(error)
        }
        (Err(error), None) => Err(error),
    };
    let (done, recording) = done?;
    Ok(Ridden {
        done,
        causes,
        recording,
        ring: None,
        unrecorded: 0,
        recorded: None,
        untold,
        unkept,
        process_data: info.process_data(),
    })
}

/// Says what found no room beside the cycle.
fn tell_lost((_, options): house::Part<'_>, ridden: &Ridden, output: &Output) {
    if ridden.untold > 0 {
        output.note(&format!(
            "{} strokes have no line: whatever reads the output did not keep up",
            ridden.untold
        ));
    }
    if let Some(text) = &ridden.unkept {
        output.note(text);
    }
    if let Some(text) = ridden.recorded.as_ref().and_then(RecordingLine::text) {
        output.note(&text);
    }
    let kept = ridden.ring.as_ref().is_some_and(|ring| ring.has_written());
    if ridden.unrecorded > 0 && ridden.recorded.is_none() && kept {
        output.note(&format!(
            "{} cycles are missing in the recordings of events: the disk did not keep up",
            ridden.unrecorded
        ));
    }
    if let Some(ring) = &ridden.ring {
        record::tell_ring(ring, &options.state, output);
    }
}

/// Tells the service manager of the cycles behind `controls`. Nobody waits for the thread: a service manager that does not listen must
/// not keep the run from ending.
fn tell_the_service(controls: Vec<Control>, output: &Output) {
    let notify = std::thread::Builder::new().name("notify".to_owned());
    if let Err(error) = notify.spawn(move || service::attend(&controls)) {
        output.note(&format!(
            "the service manager is not told anything: {error}"
        ));
    }
}

/// Gives up the rights of the calling thread but `kept`.
fn give_up_rights(kept: CapabilitySet, output: &Output) {
    if let Err(error) = capabilities::give_up(kept) {
        output.note(&format!(
            "rights that are not needed any more could not be given up: {error}"
        ));
    }
}
