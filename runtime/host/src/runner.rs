//! The cycle: a flat list of named phases, each timed against its budget. After the start it takes no heap, no log line and no
//! lock, and waits for nothing but its next start and, with a deadline, the frame.

mod context;
mod film;
mod share;
mod show;
mod step;
mod stop;
mod strokes;

use crate::attached::Attached;
use crate::coast_watch::CoastWatch;
use crate::context_watch::ContextWatch;
use crate::control::queue::CycleEnd;
use crate::control::status::WrongWorkingCounter;
use crate::crew::Crew;
use crate::findings::PhaseWatch;
use crate::health::keeper::HealthSender;
use crate::merge::Merge;
use crate::overruns::cause::Outcome;
use crate::overruns::sentry::Sentry;
use crate::pacer::Pacer;
use crate::phases::{Phase, PhaseStatistics, PhaseTimer, Trace};
use crate::record::checks::Follower;
use crate::recorder::RecordSender;
use crate::scribe::EventSender;
use crate::shared::{HaltWatch, SharedOutlet};
use crate::snapshot::{Control, SnapshotSender};
use crate::strokes::{ShortCurve, StrokeSender};
use crate::trust::Trust;
use crate::uadp::Predictions;
pub(crate) use context::samples_of;
use twinstep_cycle::event::{Event, EventState};
use twinstep_cycle::pipeline::Pipeline;
use twinstep_cycle::setpoint::{AxisSetpoint, SetpointSource, Setpoints, StationSetpoint};
use twinstep_drivers::bus::{BusCause, ProcessImage};
use twinstep_drivers::link::launch::LaunchSocket;
use twinstep_drivers::object_map::{AxisCommand, ObjectMap, mode, outcome};
use twinstep_models::sample::{AxisReading, CycleStamp, Missing, StationReading};

/// The ends of everything that leaves the cycle thread.
pub struct Outlets {
    /// Events to the scribe.
    pub events: EventSender,
    /// Judged strokes to their writer; none where there is no press.
    pub strokes: Option<StrokeSender>,
    /// Cycles to the recorder.
    pub record: Option<RecordSender>,
    /// Predictions and deviations to whoever subscribes.
    pub uadp: Option<Predictions<LaunchSocket>>,
    /// Snapshots to the live view.
    pub snapshots: SnapshotSender,
    /// Wishes of the user.
    pub control: Control,
    /// Commands from the control socket; none where nobody listens.
    pub commands: Option<CycleEnd>,
    /// Looks at cycles that took too long; none where nothing can be late.
    pub sentry: Option<Sentry>,
    /// Health to who keeps it; none where nobody does.
    pub health: Option<HealthSender>,
}

/// What a cycle led to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    /// The next cycle follows.
    Next,
    /// The source has no more data.
    End,
}

/// The cycle thread's own.
pub struct Runner<'a, B> {
    bus: B,
    pacer: Pacer,
    map: ObjectMap,
    image: ProcessImage,
    pipeline: Pipeline<'a>,
    crew: Crew<'a>,
    source: Option<Box<dyn SetpointSource + 'a>>,
    outlets: Outlets,
    /// Shared memory of other programs; it belongs to this thread, and is made on it.
    shared: Option<SharedOutlet>,
    halts: HaltWatch,
    phases: PhaseStatistics,
    timer: PhaseTimer,
    axes: Vec<Result<AxisReading, Missing>>,
    stations: Vec<Result<StationReading, Missing>>,
    axis_setpoints: Vec<AxisSetpoint>,
    station_setpoints: Vec<StationSetpoint>,
    trust: Trust,
    next_snapshot_ns: u64,
    cycles: u64,
    raised: u64,
    /// Stamp of the last cycle.
    last: CycleStamp,
    phase: PhaseWatch,
    merge: Merge,
    coast: CoastWatch,
    told: ContextWatch,
    /// Events that found no room in the cycle they were found in, as far as they were passed on.
    outbox_dropped: u64,
    stops_on_overrun: bool,
    /// Starts were left out since the last samples.
    skipped: bool,
    /// Stamp of the last samples.
    last_good: CycleStamp,
    /// Why the run ended before anybody asked it to, in words.
    ended: Option<String>,
    /// A status that was asked for, while it is filled.
    status: Option<show::Filling>,
    /// Health that was asked for, while it is copied.
    health: Option<show::Copying>,
    wrong_working_counter: Option<WrongWorkingCounter>,
    armed: bool,
    /// Curves of strokes that were judged and not sent yet, by press.
    curves: Vec<ShortCurve>,
    next_digest_ns: u64,
    round: film::Round,
    /// Compares this run with the one that its recording is of.
    follower: Option<Follower<'a>>,
}

impl<'a, B: Attached> Runner<'a, B> {
    /// Everything is sized here; nothing allocates afterwards.
    #[expect(
        clippy::too_many_arguments,
        reason = "the one place where the parts of a run come together"
    )]
    pub fn new(
        bus: B,
        pacer: Pacer,
        map: ObjectMap,
        pipeline: Pipeline<'a>,
        source: Option<Box<dyn SetpointSource + 'a>>,
        outlets: Outlets,
        phases: PhaseStatistics,
        trust: Trust,
    ) -> Self {
        let axes = pipeline.plan().axes.len();
        let stations = pipeline.plan().stations.len();
        Self {
            image: map.image(),
            axes: vec![Err(Missing::NoFrame); axes],
            stations: vec![Err(Missing::NoFrame); stations],
            axis_setpoints: vec![AxisSetpoint::default(); axes],
            station_setpoints: vec![StationSetpoint::default(); stations],
            next_snapshot_ns: 0,
            cycles: 0,
            raised: 0,
            last: CycleStamp::default(),
            phase: PhaseWatch::new(pacer.period_ns()),
            merge: Merge::new(),
            coast: CoastWatch::default(),
            told: ContextWatch::default(),
            outbox_dropped: 0,
            stops_on_overrun: false,
            skipped: false,
            last_good: CycleStamp::default(),
            ended: None,
            status: None,
            health: None,
            curves: vec![ShortCurve::default(); pipeline.plan().presses.len()],
            next_digest_ns: 0,
            round: film::Round::default(),
            follower: None,
            wrong_working_counter: None,
            armed: source.as_ref().is_some_and(|source| source.armed()),
            timer: PhaseTimer::default(),
            bus,
            pacer,
            map,
            pipeline,
            crew: Crew::alone(),
            source,
            outlets,
            shared: None,
            halts: HaltWatch::default(),
            phases,
            trust,
        }
    }

    /// Has `crew` work on the pipeline, which is in as many sections.
    pub fn with_crew(mut self, crew: Crew<'a>) -> Self {
        self.crew = crew;
        self
    }

    /// Runs until the source ends, `cycles` are done or the user asks for a stop.
    pub fn run(&mut self, cycles: Option<u64>) {
        if let Some(sentry) = &mut self.outlets.sentry {
            sentry.begin();
        }
        while cycles.is_none_or(|cycles| self.cycles < cycles)
            && !self.outlets.control.stop_requested()
        {
            if self.cycle() == Flow::End {
                break;
            }
            self.outlets.control.count_beat();
            self.ended = self.must_end();
            if self.ended.is_some() {
                break;
            }
        }
        let context = self.context();
        if !self.ends_open() {
            self.pipeline.finish_strokes(self.last, context);
        }
        self.copy_curves();
        self.publish(self.last);
    }

    /// The first overrun ends the run; without it the starts that have passed are skipped.
    pub fn stop_on_overrun(&mut self) {
        self.stops_on_overrun = true;
    }

    /// Why the run ended before anybody asked it to, in words.
    pub fn take_ended(&mut self) -> Option<String> {
        self.ended.take()
    }

    fn must_end(&mut self) -> Option<String> {
        if self.stops_on_overrun && self.phases.overruns() > 0 {
            return Some(format!(
                "cycle {} overran, and [bus] overrun = \"stop\"",
                self.last.cycle
            ));
        }
        self.crew.lost().or_else(|| self.bus.gone())
    }

    /// One cycle.
    pub fn cycle(&mut self) -> Flow {
        // wake
        let late_ns = self.pacer.wait();
        self.timer.begin(crate::clock::monotonic_ns());
        self.timer.set(Phase::Wake, late_ns);

        // send, predict, receive
        let Self {
            bus,
            pacer,
            image,
            pipeline,
            crew,
            timer,
            ..
        } = self;
        let result = bus.exchange(image, &mut || {
            pacer.left();
            timer.lap(Phase::Send);
            pipeline.predict_by(crew, |group| timer.mark(group));
            timer.lap(Phase::Predict);
        });
        self.timer.lap(Phase::Receive);
        let waited_ns = self.bus.waited_ns();
        self.timer.set(
            Phase::Receive,
            self.timer.laps()[Phase::Receive as usize].saturating_sub(waited_ns),
        );
        // The simulated machine is computed inside of "send" and is none of the cycle's business.
        let plant_ns = self.bus.plant_time_ns();
        self.timer.set(
            Phase::Send,
            self.timer.laps()[Phase::Send as usize].saturating_sub(plant_ns),
        );
        let result = self.in_step(result);
        self.keep_wrong_counter(&result);
        let stamp = match &result {
            Ok(stamp) => *stamp,
            Err(fault) if fault.cause == BusCause::End => return Flow::End,
            Err(fault) => fault.stamp,
        };

        // compare
        let exchange = outcome(&result);
        let before = self.pipeline.context().conditions;
        self.map.tell_context(&mut self.image, exchange, before);
        self.map
            .read(&self.image, exchange, &mut self.axes, &mut self.stations);
        let samples = samples_of(&self.axes, &self.stations, &self.image, exchange);
        self.timer.begin_groups();
        self.pipeline
            .compare_by(&mut self.crew, stamp, &samples, |group| {
                self.timer.mark(group)
            });
        self.timer.lap(Phase::Compare);

        // publish
        self.publish(stamp);
        self.show_shared(stamp, true);
        self.publish_figures(stamp);
        if let Some(record) = &mut self.outlets.record {
            // In virtual time nothing is late, so that a recording may wait for the disk.
            if self.pacer.is_real() {
                record.record(stamp, &result, &self.image);
            } else {
                record.record_waiting(stamp, &result, &self.image);
            }
        }
        self.timer.lap(Phase::Publish);

        // correct
        let samples = samples_of(&self.axes, &self.stations, &self.image, exchange);
        self.pipeline
            .correct_by(&mut self.crew, stamp, &samples, |group| {
                self.timer.mark(group)
            });
        let all = self.axes.iter().all(Result::is_ok);
        let axes = 0..self.axes.len();
        let steady = |n| self.pipeline.widening(n).is_none_or(|wide| wide <= 1.0);
        self.coast.cycle(all, || axes.into_iter().all(steady));
        self.timer.lap(Phase::Correct);

        // acyclic
        (self.cycles, self.last) = (stamp.cycle + 1, stamp);
        self.obey();
        self.show(stamp);
        self.copy_curves();
        let skipped = self.pacer.advance(self.bus.phase_error_ns());
        self.skipped |= skipped > 0;
        self.setpoints(exchange, skipped);
        self.bus.acyclic(self.pacer.acyclic_budget());
        self.report_findings(stamp);
        self.pipeline.track_by(&mut self.crew, stamp);
        self.remember(stamp);
        self.crew.rest_until(self.pacer.next_wall_ns());
        self.timer.lap(Phase::Acyclic);

        // slack
        self.timer
            .set(Phase::Slack, self.pacer.slack_ns() + waited_ns);
        let (laps, groups) = (self.timer.laps(), self.timer.groups());
        let overran = self.phases.record(laps, groups);
        if let Some(sentry) = &mut self.outlets.sentry {
            sentry.cycle(
                (stamp.cycle, stamp.time_ns),
                (laps, groups),
                (Outcome::from(exchange), self.crew.take_late()),
                (overran, self.phases.over()),
                self.phases.snapshot(),
            );
        }
        Flow::Next
    }

    /// Cycles done.
    pub fn cycles(&self) -> u64 {
        self.cycles
    }

    /// Digest of all predictions and events.
    pub fn digest(&self) -> u64 {
        self.pipeline.digest()
    }

    /// The bus.
    pub fn bus(&self) -> &B {
        &self.bus
    }

    /// The cycle against SYNC0.
    pub fn phase(&self) -> &PhaseWatch {
        &self.phase
    }

    /// What the twins had to do without.
    pub fn coast(&self) -> &CoastWatch {
        &self.coast
    }

    /// Durations.
    pub fn phases(&self) -> &PhaseStatistics {
        &self.phases
    }

    /// Every cycle, where the statistics were to keep them.
    pub fn take_trace(&mut self) -> Trace {
        self.phases.take_trace()
    }

    /// The pipeline, for calibration.
    pub fn pipeline(&self) -> &Pipeline<'a> {
        &self.pipeline
    }

    fn publish(&mut self, stamp: CycleStamp) {
        if self.is_put_back() {
            self.forget();
            return;
        }
        let dropped = self.pipeline.outbox.dropped();
        if dropped > self.outbox_dropped {
            self.outlets.events.count_dropped(
                dropped - self.outbox_dropped,
                stamp.cycle,
                stamp.time_ns,
            );
            self.outbox_dropped = dropped;
        }
        self.publish_strokes();
        while let Some(event) = self.pipeline.take_event() {
            let event = self.merge.pass(event);
            self.send(event);
        }
    }

    /// What the bus found out between the cycles. It is no part of the digest: a recording has no acyclic traffic.
    fn report_findings(&mut self, stamp: CycleStamp) {
        let context = self.context();
        while let Some(report) = self.bus.take_report() {
            if let Some(event) = self.merge.finding(&report, stamp, context) {
                self.send(event);
            }
        }
        if let Some(event) = self.phase.cycle(self.bus.phase_error_ns(), stamp, context) {
            self.send(event);
        }
        if let Some(event) = self.halt(stamp, context) {
            self.send(event);
        }
        if let Some(event) = self.watch_context(stamp) {
            self.send(event);
        }
    }

    fn send(&mut self, event: Event) {
        if let Some(shared) = &mut self.shared {
            shared.flag(&event);
        }
        self.raised += u64::from(event.state == EventState::Raised);
        if let Some(record) = &mut self.outlets.record {
            record.note_event(event.state == EventState::Raised);
        }
        if let Some(uadp) = &mut self.outlets.uadp {
            uadp.note(&event);
        }
        if self.pacer.is_real() {
            self.outlets.events.send(event);
        } else {
            self.outlets.events.send_waiting(event);
        }
    }

    /// Decides what the next frame tells the drives, and writes it into the image.
    fn setpoints(&mut self, exchange: Result<(), Missing>, skipped: u32) {
        if !self.bus.takes_outputs() {
            return;
        }
        let Some(source) = &mut self.source else {
            return;
        };
        let samples = samples_of(&self.axes, &self.stations, &self.image, exchange);
        let context = samples.context;
        let mut out = Setpoints {
            cycle: self.last.cycle,
            axes: &mut self.axis_setpoints,
            stations: &mut self.station_setpoints,
            context,
        };
        source.next(&samples, skipped, &mut out);
        let context = out.context;
        for (n, set) in self.axis_setpoints.iter().enumerate() {
            let command = AxisCommand {
                controlword: set.controlword,
                target_m: set.target_m,
                velocity_offset_m_per_s: set.told_m_per_s,
                torque_offset_a: set.told_a,
                mode: mode::of(set.told),
            };
            // What is not mapped was refused before the start.
            let _ = self.map.write_axis(&mut self.image, n, &command);
        }
        for (n, set) in self.station_setpoints.iter().enumerate() {
            let _ = self
                .map
                .write_station(&mut self.image, n, set.ejector_on, set.blow_off);
        }
        let controller = source.controller().is_some();
        self.map.set_context(&mut self.image, context, controller);
    }
}
