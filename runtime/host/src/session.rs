//! One run from start to end: store, scribe, recorder and view around the cycle thread.

mod clocks;
mod finish;
mod options;
mod record;
mod strokes;
mod workers;

pub use options::Options;

use crate::attached::Attached;
use crate::coast_watch::CoastLine;
use crate::control::queue::{self, CycleEnd};
use crate::control::status::Identity;
use crate::control::{self, Place, Server, Setting};
use crate::cycle_clock::ClockFigures;
use crate::error::{Exit, HostError};
use crate::findings::PhaseLine;
use crate::health::{self, HealthLine};
use crate::launch::LaunchLine;
use crate::lines::{BusLine, EventRecord, PhasesLine};
use crate::names::{Names, RunInfo};
use crate::output::Output;
use crate::overruns::sentry::{self, Sentry};
use crate::overruns::watcher::{SharedCauses, Watcher};
use crate::pacer::Pacer;
use crate::phases::{Measured, PhaseSettings, PhaseStatistics, Timing, Trace, WarmUp};
use crate::plan::{self, PlanStore};
use crate::ptp::PtpWatch;
use crate::realtime::{Chosen, Held, capabilities, nic};
use crate::record::notes::Note;
use crate::recorder::Recorder;
use crate::runner::{Outlets, Runner};
use crate::scribe::Scribe;
use crate::shared::{self, Moved, SharedLine};
use crate::snapshot::{self, Control};
use crate::store::{StoreError, StoreWriter};
use crate::strokes::{StrokeBoard, StrokeWriter};
use crate::trust::Trust;
use crate::uadp::Predictions;
use crate::{clock, live, plain, realtime, service, tables, thresholds};
use finish::finish;
use rustix::thread::CapabilitySet;
use std::sync::{Arc, mpsc};
use std::thread::Scope;
use twinstep_config::machine::{Machine, Overrun};
use twinstep_cycle::pipeline::Pipeline;
use twinstep_cycle::setpoint::{ProgramSource, SetpointSource};
use twinstep_drivers::object_map::ObjectMap;
use workers::hire;

/// Events that wait for the live view; it shows the last few only.
const VIEW_EVENTS: usize = 1024;

/// What the cycle thread brings back.
struct Done {
    cycles: u64,
    digest: u64,
    summary_phases: PhasesLine,
    overruns: u64,
    bus: BusLine,
    phase: Option<PhaseLine>,
    coast: CoastLine,
    launch: Option<LaunchLine>,
    clock: Option<ClockFigures>,
    shared: Option<SharedLine>,
    trust: Trust,
    trouble: Option<String>,
    /// Why the run ended before anybody asked it to.
    ended: Option<String>,
    /// The outputs of the machine are ours.
    owns_outputs: bool,
    health: Vec<HealthLine>,
}

/// Runs `machine` on the bus that `attach` makes on the cycle thread. Ends with the summary.
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
    let plan = PlanStore::new(machine);
    let mut state = plan.state_for(machine.realtime.model_cores.len() + 1);
    let pipeline = plan.pipeline(&mut state);
    let mut programs = plan::programs(machine);
    let stations = plan::station_programs(machine);
    let strokes = machine.stroke_contexts();
    let source = ProgramSource::new(
        &mut programs,
        &stations,
        &strokes,
        machine.axes.len(),
        machine.cycle.period_ns as f64 / 1e9,
        plan::stop_ramp_s(machine),
        options.armed,
    );
    let mut moved = Moved::of(machine);
    let set_points = (source, &mut moved);
    let names = Names::of(machine);
    let asked_s = machine.judge.false_alarm_interval_s;
    let shares = plan::shares(machine);
    let extrapolated = thresholds::extrapolated(machine, shares);
    let info = RunInfo::new(names.clone(), plan.hash(), asked_s, clock::utc_ns());
    let ptp = clocks::watch(machine, options, output)?;
    let info = info.with_ptp(ptp.as_ref().map(PtpWatch::shared));
    let info = Arc::new(info.with_extrapolated(extrapolated, shares.streams()));
    let map = ObjectMap::new(machine).map_err(|error| {
        HostError::usage(
            error.to_string(),
            "mend the process data of this SubDevice in the configuration",
        )
    })?;
    let place = control_place(machine, options, output)?;
    let store = StoreWriter::open(&options.state).map_err(StoreError::into_usage)?;
    let (view_events, shown_events) = mpsc::sync_channel::<EventRecord>(VIEW_EVENTS);
    let interactive = !options.quiet && output.is_terminal();
    let recording = record::start(machine, options, &info, &map)?;
    let (record, recorder, notes) = recording.map_or((None, None, None), |all| {
        (Some(all.sender), Some(all.recorder), all.notes)
    });
    let announce: crate::scribe::Announce = if interactive {
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
    let announce = record::overheard(announce, notes.clone(), options.real_time);
    let (events, scribe) = Scribe::start(store, Arc::clone(&info), announce)?;
    let judged = !plan.plan().presses.is_empty();
    let (board, strokes) = strokes::start(machine, output, &info, judged)?;
    let (strokes, writer) = strokes.unzip();
    let (snapshots, mut receiver) = snapshot::channel();
    let control = Control::default();
    if let Err(error) = control.stop_on_signals() {
        output.note(&format!(
            "signals cannot be caught ({error}): an interrupt ends the run without a summary"
        ));
    }
    let (sentry, watcher) = start_watcher(machine, options, &info)?.unzip();
    let causes = watcher.as_ref().map(Watcher::causes);
    // A replay, and a run in virtual time, have nobody to publish to.
    let publish = machine.publish.as_ref().filter(|_| options.real_time);
    let uadp = publish.map(|publish| {
        let axes = machine.axes.len() + machine.presses.len();
        Predictions::open(publish, axes, machine.stations.len())
    });
    let mut uadp = uadp.transpose()?;
    if let Some(trouble) = uadp.as_mut().and_then(Predictions::take_trouble) {
        output.note(&trouble);
    }
    let (server, commands) = start_server(place, machine, options, &info, (causes, board))?.unzip();
    let outlets = Outlets {
        uadp,
        events,
        strokes,
        record,
        snapshots,
        control: control.clone(),
        commands,
        sentry,
    };

    let done = std::thread::scope(|scope| {
        let cycle = std::thread::Builder::new()
            .name("cycle".to_owned())
            .spawn_scoped(scope, || {
                // Whatever happens here, the views must end.
                let finish = control.finish_at_the_end();
                let remark = |text: &str| {
                    if !interactive {
                        output.note(text);
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
        let service = control.clone();
        let notify = std::thread::Builder::new().name("notify".to_owned());
        // Nobody waits for it: a service manager that does not listen must not keep the run from ending.
        if let Err(error) = notify.spawn(move || service::attend(&service)) {
            output.note(&format!(
                "the service manager is not told anything: {error}"
            ));
        }
        let cycle = cycle.map_err(|error| {
            HostError::machine(
                format!("cannot start the cycle thread: {error}"),
                "raise the limit of processes",
            )
        })?;
        if interactive {
            let title = options.title.as_str();
            let mut view = live::View::new(title, Arc::clone(&info), machine.cycle.period_ns);
            view.page = options.page.clone();
            if let Err(error) = live::watch(view, &mut receiver, &shown_events, &control) {
                output.note(error.render(false).trim_end());
            }
        } else if !options.quiet {
            plain::watch(&mut receiver, &names, output, &control);
        }
        cycle.join().unwrap_or_else(|_| {
            Err(HostError::machine(
                "the cycle thread panicked",
                "this is a fault of twinstep: please report it",
            ))
        })
    });
    if let Some(server) = server {
        server.stop();
    }
    // Whatever the cycle came to, what it handed over is stored and written first.
    let cycles = done.as_ref().map_or(0, |done| done.cycles);
    let totals = scribe.stop(cycles.saturating_mul(machine.cycle.period_ns));
    if let (Some(notes), Ok(done)) = (&notes, &done) {
        notes.send_waiting(Note::End {
            cycles: done.cycles,
            digest: done.digest,
        });
    }
    let recorded = recorder.map(Recorder::stop).transpose();
    let causes = watcher.map(Watcher::stop).unwrap_or_default();
    let strokes_dropped = writer.map_or(0, StrokeWriter::stop);
    let done = done?;
    let (totals, recorded) = (totals?, recorded?);
    if strokes_dropped > 0 {
        output.note(&format!(
            "{strokes_dropped} strokes have no line: whatever reads the output did not keep up"
        ));
    }
    if let Some(lost) = recorded.filter(|r| r.dropped > 0) {
        output.note(&format!(
            "{} cycles are missing in the recording: the disk did not keep up",
            lost.dropped
        ));
    }
    finish(
        machine,
        options,
        output,
        &done,
        totals,
        (&causes, info.process_data()),
    )
}

/// Gives up the rights of the calling thread but `kept`.
fn give_up_rights(kept: CapabilitySet, output: &Output) {
    if let Err(error) = capabilities::give_up(kept) {
        output.note(&format!(
            "rights that are not needed any more could not be given up: {error}"
        ));
    }
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

fn start_server(
    place: Option<Place>,
    machine: &Machine,
    options: &Options,
    info: &Arc<RunInfo>,
    (causes, strokes): (Option<SharedCauses>, StrokeBoard),
) -> Result<Option<(Server, CycleEnd)>, HostError> {
    let Some(place) = place else { return Ok(None) };
    let (control_end, cycle_end) = queue::channel();
    let state = std::path::absolute(&options.state).unwrap_or_else(|_| options.state.clone());
    let setting = Setting {
        identity: Identity {
            machine: machine.name.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            pid: std::process::id(),
            plan: info.plan.clone(),
            simulated: options.simulated,
            state: state.display().to_string(),
            period_ns: machine.cycle.period_ns,
        },
        machine: machine.clone(),
        info: Arc::clone(info),
        state,
        causes,
        interfaces: options.interfaces.clone(),
        strokes,
    };
    let server = Server::start(place, setting, control_end)?;
    Ok(Some((server, cycle_end)))
}

/// What finds the causes of overruns; in virtual time there are none.
fn start_watcher(
    machine: &Machine,
    options: &Options,
    info: &Arc<RunInfo>,
) -> Result<Option<(Sentry, Watcher)>, HostError> {
    if !options.real_time {
        return Ok(None);
    }
    let (sentry, post) = sentry::channel(machine.cycle.period_ns);
    let watcher = Watcher::start(post, &options.state, Arc::clone(info))?;
    Ok(Some((sentry, watcher)))
}

#[expect(
    clippy::too_many_arguments,
    reason = "the one place where the parts of the cycle thread come together"
)]
fn cycle_thread<'scope, 'a: 'scope, B, F>(
    scope: &'scope Scope<'scope, '_>,
    machine: &Machine,
    options: &'a Options,
    pipeline: Pipeline<'a>,
    (source, moved): (ProgramSource<'a>, &'a mut Moved),
    map: ObjectMap,
    mut outlets: Outlets,
    info: &RunInfo,
    remark: &dyn Fn(&str),
    attach: F,
) -> Result<Done, HostError>
where
    B: Attached,
    F: FnOnce() -> Result<(B, Pacer), HostError>,
{
    // What is held stays held until the machine has stopped.
    let (trust, wait, _held) = if options.real_time {
        let entered = realtime::enter(&machine.realtime, machine.cycle.period_ns)?;
        (entered.trust, entered.wait, entered.held)
    } else {
        (Trust::observe(), Chosen::default(), Held::default())
    };
    let (crew, mut trust) = hire(scope, machine, options.real_time, trust, &wait)?;
    clocks::tell(&mut trust, machine, &mut outlets, info, remark);
    if options.interface.is_some() {
        remark(&tables::trust_text(&trust));
        remark(&format!("wait: {}", wait.text()));
    }
    let timing = if options.real_time {
        Timing::Real
    } else {
        Timing::Virtual
    };
    let period_ns = machine.cycle.period_ns;
    let phases = PhaseStatistics::new(&PhaseSettings {
        timing,
        period_ns,
        budget_ns: machine.cycle.budget_ns,
        model_budget_ns: machine.cycle.model_budget_ns,
        warm_up: (machine.cycle.warm_up_cycles).map_or(WarmUp::Usual, WarmUp::Cycles),
        cycles: options.cycles,
    })
    .map_err(|error| {
        HostError::machine(
            format!("histograms: {error}"),
            "this is a fault of twinstep: please report it",
        )
    })?;
    let phases = match (&options.samples, options.cycles) {
        (Some(_), Some(cycles)) => phases.with_trace(Trace::new(cycles)),
        _ => phases,
    };
    // In virtual time there is nobody to share with.
    let settings = machine.shared.as_ref().filter(|_| options.real_time);
    let (outlet, controller) = shared::open(settings, machine, moved, options.armed)?;
    // The bus comes last: once it is in OP, the watchdogs of the SubDevices wait for the first cycle.
    let grid = clocks::grid(machine, options)?;
    let (mut bus, mut pacer) = attach()?;
    pacer.spin_for(wait.spin_ns);
    if let Some(grid) = grid {
        pacer.hold_against(grid);
    }
    // A tap waits for somebody else's master.
    while !bus.ready()? && !outlets.control.stop_requested() {}
    // Sockets are open and the policy is set: from here on no rights are needed.
    if let Err(error) = capabilities::give_up_all() {
        remark(&format!(
            "rights that are not needed any more could not be given up: {error}"
        ));
    }
    let owns_outputs = bus.takes_outputs();
    let asks = (machine.shared.as_ref()).is_some_and(|shared| shared.controller.is_some());
    if owns_outputs && asks && controller.is_none() {
        remark(
            "in virtual time nothing is shared: the axes run their programs, not a controller's set-points",
        );
    }
    let source: Option<Box<dyn SetpointSource>> = match controller {
        _ if !owns_outputs => None,
        Some(controller) => Some(Box::new(controller)),
        None => Some(Box::new(source)),
    };
    info.set_start_utc_ns(clock::utc_ns());
    let learnt = bus.process_data();
    info.set_process_data(learnt);
    if let Some(learnt) = learnt {
        remark(learnt.text());
    }
    let mut runner =
        Runner::new(bus, pacer, map, pipeline, source, outlets, phases, trust).with_crew(crew);
    if let Some(outlet) = outlet {
        runner.share(outlet);
    }
    if (machine.bus.as_ref()).is_some_and(|bus| bus.overrun == Overrun::Stop) {
        runner.stop_on_overrun();
    }
    if let Some(checks) = &options.checks {
        runner.follow(checks.follow());
    }
    runner.run(options.cycles);
    // A master that started again may have been learnt since.
    info.set_process_data(runner.bus().process_data());
    if let Some(samples) = &options.samples {
        samples.put(Measured {
            trace: runner.take_trace(),
            phases: *runner.phases().snapshot(),
            trust,
        });
    }
    // What is counted belongs to the run; the stop comes after it.
    let done = Done {
        cycles: runner.cycles(),
        digest: runner.digest(),
        summary_phases: PhasesLine(runner.phases().figures()),
        overruns: runner.phases().overruns(),
        bus: BusLine::from(runner.bus().counters()),
        phase: runner.phase().line(),
        coast: runner.coast().line(),
        launch: runner.launches(),
        clock: runner.clock(),
        trust: Trust {
            ptp: info.ptp(),
            ..trust
        },
        shared: (runner.shared_counts()).map(|counts| SharedLine::new(counts, &info.names)),
        trouble: None,
        ended: runner.take_ended(),
        owns_outputs,
        health: health::lines(runner.pipeline(), &info.names),
    };
    Ok(Done {
        trouble: runner.stop(),
        ..done
    })
}
