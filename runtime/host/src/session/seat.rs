//! What one bus needs for its run beside the bus itself, made before anything moves.

use super::cycle::Done;
use super::record::{self, Recording, Unfinished};
use super::{Options, clocks, named, strokes};
use crate::attached::ProcessData;
use crate::control::queue::CycleEnd;
use crate::error::HostError;
use crate::health::keeper::{HealthSender, Keeper};
use crate::limits::Limits;
use crate::names::{Names, RunInfo};
use crate::output::Output;
use crate::overruns::record::Causes;
use crate::overruns::sentry::{self, Sentry};
use crate::overruns::watcher::Watcher;
use crate::plan::{self, PlanStore};
use crate::press_plan;
use crate::ptp::PtpWatch;
use crate::record::ring::RingCounts;
use crate::record::tally::RecordingLine;
use crate::scribe::EventSender;
use crate::snapshot::Control;
use crate::strokes::{StrokeBoard, StrokeSender, StrokeWriter};
use crate::uadp::Predictions;
use crate::{clock, thresholds};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use twinstep_config::machine::Machine;
use twinstep_drivers::link::launch::LaunchSocket;
use twinstep_drivers::object_map::ObjectMap;

/// The twins of one bus, before the store is opened.
pub(super) struct Prepared {
    pub plan: PlanStore,
    pub info: Arc<RunInfo>,
    pub map: ObjectMap,
    pub ptp: Option<PtpWatch>,
}

impl Prepared {
    pub fn new(machine: &Machine, options: &Options, output: &Output) -> Result<Self, HostError> {
        let plan = PlanStore::new(machine);
        let names = Names::of(machine);
        tell_not_taught(machine, &names, output);
        let hash = plan.hash_on(names.bus().unwrap_or_default());
        let asked_s = machine.judge.false_alarm_interval_s;
        let shares = plan::shares(machine);
        let extrapolated = thresholds::extrapolated(machine, shares);
        let info = RunInfo::new(names, hash, asked_s, clock::utc_ns());
        let ptp = clocks::watch(machine, options, output)?;
        let info = info
            .with_ptp(ptp.as_ref().map(PtpWatch::shared))
            .with_limits(Limits::of(&plan.plan()));
        let map = ObjectMap::new(machine).map_err(|error| {
            HostError::usage(
                error.to_string(),
                "mend the process data of this SubDevice in the configuration",
            )
        })?;
        Ok(Self {
            plan,
            info: Arc::new(info.with_extrapolated(extrapolated, shares.streams())),
            map,
            ptp,
        })
    }
}

/// Says which envelopes judge no stroke of this run.
fn tell_not_taught(machine: &Machine, names: &Names, output: &Output) {
    for (n, press) in machine.presses.iter().enumerate() {
        for object in names.all_not_taught(machine.axes.len() + n) {
            let text = press_plan::not_taught_text(&press.axis.name, object);
            output.note(&named(names.bus(), &text));
        }
    }
}

/// All that one bus writes to and hears from.
pub(super) struct Seat {
    pub prepared: Prepared,
    pub strokes: (StrokeBoard, Option<(StrokeSender, StrokeWriter)>),
    pub record: Option<Recording>,
    pub watch: Option<(Sentry, Watcher)>,
    pub uadp: Option<Predictions<LaunchSocket>>,
    pub control: Control,
    /// Set once the scribe has started.
    pub events: Option<EventSender>,
    /// Set once the control thread has started; none where nobody listens.
    pub commands: Option<CycleEnd>,
    /// Who keeps health; none where the run ends with it.
    pub health: Option<(HealthSender, Keeper)>,
}

impl Seat {
    pub fn new(
        prepared: Prepared,
        (machine, options): (&Machine, &Options),
        control: Control,
        output: &Output,
    ) -> Result<Self, HostError> {
        let judged = !prepared.plan.plan().presses.is_empty();
        let info = &prepared.info;
        let strokes = strokes::start(machine, output, info, judged)?;
        let record = record::start(machine, options, info, &prepared.map, output)?;
        let watch = start_watcher(machine, options, info)?;
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
        let keep = || Keeper::open(machine, options, info, output);
        let health = options.keeps_health.then(keep).flatten();
        Ok(Self {
            prepared,
            strokes,
            record,
            watch,
            uadp,
            control,
            events: None,
            commands: None,
            health,
        })
    }
}

/// What a bus has come to.
pub(super) struct Ridden {
    pub done: Done,
    pub causes: Causes,
    /// The recording, until the last events are stored.
    pub recording: Option<Unfinished>,
    /// What became of the recordings around events; known once it is finished.
    pub ring: Option<Arc<RingCounts>>,
    /// Cycles that are missing in them; known once it is finished.
    pub unrecorded: u64,
    /// What became of the recording of the whole run; known once it is finished.
    pub recorded: Option<RecordingLine>,
    /// Strokes without a line.
    pub untold: u64,
    /// Why its health is not kept, in words.
    pub unkept: Option<String>,
    /// What says where the process data of a tapped bus stand.
    pub process_data: Option<ProcessData>,
}

impl Ridden {
    /// Ends the recording, once every event is stored.
    pub fn finish_recording(&mut self) -> Result<(), HostError> {
        if let Some(recording) = self.recording.take() {
            self.ring.clone_from(&recording.ring);
            self.unrecorded = recording.recorder.drops().count();
            let (line, finished) = recording.finish(self.done.cycles, self.done.digest);
            self.recorded = line;
            finished?;
        }
        Ok(())
    }
}

/// Where one of several buses finds its seat, and leaves what it came to.
#[derive(Clone, Default)]
pub struct SeatSlot(Arc<Mutex<Slot>>);

/// What lies there.
#[derive(Default)]
struct Slot {
    seat: Option<Box<Seat>>,
    ridden: Option<Box<Ridden>>,
}

impl SeatSlot {
    pub(super) fn of(seat: Seat) -> Self {
        Self(Arc::new(Mutex::new(Slot {
            seat: Some(Box::new(seat)),
            ridden: None,
        })))
    }

    /// A thread that panicked while it held the lock has left whole values.
    fn slot(&self) -> MutexGuard<'_, Slot> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn take_seat(&self) -> Option<Box<Seat>> {
        self.slot().seat.take()
    }

    pub(super) fn leave(&self, ridden: Ridden) {
        self.slot().ridden = Some(Box::new(ridden));
    }

    /// Whether its bus ended before anybody asked it to, or did not stop in order.
    pub(super) fn failed(&self) -> bool {
        let slot = self.slot();
        let done = slot.ridden.as_ref().map(|ridden| &ridden.done);
        done.is_some_and(|done| done.ended.is_some() || done.trouble.is_some())
    }

    pub(super) fn take_ridden(&self) -> Option<Box<Ridden>> {
        self.slot().ridden.take()
    }
}

impl fmt::Debug for SeatSlot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SeatSlot")
    }
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
