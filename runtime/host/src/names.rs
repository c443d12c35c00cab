//! From the cycle's indexes back to the names of the configuration, and the facts that all events of a run share.

use crate::attached::ProcessData;
use crate::false_alarms::{Exposure, Extrapolated};
use crate::health::presses::is_followed;
use crate::limits::Limits;
use crate::lines::FalseAlarmsLine;
use crate::press_plan;
use crate::ptp::{self, PtpLine, SharedPtp};
use crate::record::ring::{EventRecordingsLine, RingCounts};
use crate::record::tally::{Progress, RecordingLine};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use twinstep_config::machine::{AxisKind, EnvelopeDemand, Machine};
use twinstep_cycle::event::Source;
use twinstep_models::channel::Channel;
use twinstep_models::sample::{Context, FACTORS, Factors};

/// Name of the bus in events and faults.
pub const BUS: &str = "bus";
/// Name of the process that sends the set-points, in events.
pub const CONTROLLER: &str = "controller";
/// Name of who stores events, in those about what was not stored.
pub const SCRIBE: &str = "scribe";

/// Names, asset ids and units of a machine, by the indexes that the cycle uses.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Names {
    /// Servo axes first, then presses.
    axes: Vec<Named>,
    stations: Vec<Named>,
    /// In the order of the wire.
    subdevices: Vec<Named>,
    machine_asset_id: String,
    /// Recipes, tools, loads and bands of the temperature.
    factors: [Vec<String>; FACTORS],
    parts: Vec<String>,
    /// Evaluation objects of each axis or press.
    objects: Vec<Vec<String>>,
    /// Envelopes of each axis or press that judge no stroke: they are not taught.
    not_taught: Vec<Vec<(String, EnvelopeDemand)>>,
    /// Presses whose health is followed by their strokes.
    followed: usize,
    /// Name of the bus, and of its controller, where the machine has several.
    bus: Option<(String, String)>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Named {
    name: String,
    asset_id: String,
    /// Unit of the drive's effort: a current, or a force or torque for recordings that hold these.
    effort_unit: &'static str,
    /// How an axis moves; linear what is none.
    moves: AxisKind,
}

impl Names {
    /// Collects the names of `machine`.
    pub fn of(machine: &Machine) -> Self {
        let asset = |own: &Option<String>| own.clone().unwrap_or_else(|| machine.asset_id.clone());
        let presses = machine.presses.iter().map(|press| &press.axis);
        let axes = machine
            .axes
            .iter()
            .chain(presses)
            .map(|axis| Named {
                name: axis.name.clone(),
                asset_id: asset(&axis.asset_id),
                effort_unit: axis.effort(),
                moves: axis.kind,
            })
            .collect();
        let stations = machine
            .stations
            .iter()
            .map(|station| Named {
                name: station.name.clone(),
                asset_id: asset(&station.asset_id),
                effort_unit: "A",
                moves: AxisKind::Linear,
            })
            .collect();
        let subdevices = (machine.bus.iter().flat_map(|bus| &bus.subdevices))
            .map(|subdevice| Named {
                name: subdevice.name.clone(),
                asset_id: machine.asset_id.clone(),
                effort_unit: "1",
                moves: AxisKind::Linear,
            })
            .collect();
        let objects = (machine.axes.iter().map(|_| Vec::new()))
            .chain((0..machine.presses.len()).map(|n| {
                let judged = press_plan::judged(machine, n);
                judged.into_iter().map(|(name, _)| name).collect()
            }))
            .collect();
        let not_taught = (machine.axes.iter().map(|_| Vec::new()))
            .chain((0..machine.presses.len()).map(|n| press_plan::not_taught(machine, n)))
            .collect();
        let bus = (machine.place.as_ref()).map(|place| {
            let controller = format!("{}.{CONTROLLER}", place.name);
            (place.name.clone(), controller)
        });
        Self {
            objects,
            not_taught,
            followed: (machine.presses.iter())
                .filter(|press| is_followed(press))
                .count(),
            bus,
            axes,
            stations,
            subdevices,
            machine_asset_id: machine.asset_id.clone(),
            factors: machine.factor_names(),
            parts: machine.parts.iter().map(|part| part.name.clone()).collect(),
        }
    }

    fn named(&self, source: Source) -> Option<&Named> {
        match source {
            Source::Axis(index) => self.axes.get(usize::from(index)),
            Source::Station(index) => self.stations.get(usize::from(index)),
            Source::SubDevice(index) => self.subdevices.get(usize::from(index)),
            Source::Bus | Source::Controller => None,
        }
    }

    /// Name of the bus where the machine has several; else none.
    pub fn bus(&self) -> Option<&str> {
        self.bus.as_ref().map(|(bus, _)| bus.as_str())
    }

    /// Name of a source; `bus` for the bus, `controller` for the controller, `unknown` for an index that the plan does not have. Where
    /// the machine has several buses they are `NAME` and `NAME.controller`.
    pub fn source(&self, source: Source) -> &str {
        match source {
            Source::Bus => self.bus().unwrap_or(BUS),
            Source::Controller => {
                (self.bus.as_ref()).map_or(CONTROLLER, |(_, controller)| controller)
            }
            _ => self.named(source).map_or("unknown", |named| &named.name),
        }
    }

    /// Whether an axis, a station or a SubDevice has this name: those are what tells one machine from another.
    pub fn has(&self, name: &str) -> bool {
        let named = [&self.axes, &self.stations, &self.subdevices];
        (named.into_iter().flatten()).any(|named| named.name == name)
    }

    /// Whether `name` is a source that each machine has: its bus, its controller, or the scribe.
    pub fn is_on_all(&self, name: &str) -> bool {
        let of_bus = [Source::Bus, Source::Controller].map(|source| self.source(source));
        name == SCRIBE || of_bus.contains(&name)
    }

    /// Asset id of a source: its own, else the machine's; may be empty.
    pub fn asset_id(&self, source: Source) -> &str {
        self.named(source)
            .map_or(&self.machine_asset_id, |named| &named.asset_id)
    }

    /// Asset id of the machine as a whole; may be empty.
    pub fn machine_asset_id(&self) -> &str {
        &self.machine_asset_id
    }

    /// Unit of a channel of a source.
    pub fn unit(&self, source: Source, channel: Channel) -> &'static str {
        match channel {
            Channel::CurrentNext | Channel::CurrentLoad | Channel::Signature => {
                self.named(source).map_or("A", |named| named.effort_unit)
            }
            _ => self.moves(source).unit(channel.unit()),
        }
    }

    /// How an axis moves, which the units of its figures follow from; linear what is no axis.
    pub fn moves(&self, source: Source) -> AxisKind {
        self.named(source)
            .map_or_else(AxisKind::default, |named| named.moves)
    }

    /// Name of the recipe in force, none where the machine has no recipes.
    pub fn recipe(&self, context: Context) -> Option<&str> {
        let [recipe, ..] = self.factors(context);
        recipe
    }

    /// Names of recipe, tool, load and band of the temperature, each none where the machine has no list of them, or nobody tells it.
    pub fn factors(&self, context: Context) -> [Option<&str>; FACTORS] {
        let Factors(all) = context.factors();
        let name = |n: usize| self.factors[n].get(usize::from(all[n])).map(String::as_str);
        std::array::from_fn(name)
    }

    /// Name of the part that the recipe says is in the press, none where the machine knows no parts.
    pub fn part(&self, context: Context) -> Option<&str> {
        self.parts
            .get(usize::from(context.part))
            .map(String::as_str)
    }

    /// Name of evaluation object `n` of a press; `unknown` for one that the plan does not have.
    pub fn object(&self, source: Source, n: usize) -> &str {
        let objects = match source {
            Source::Axis(index) => self.objects.get(usize::from(index)),
            Source::Station(_) | Source::SubDevice(_) | Source::Bus | Source::Controller => None,
        };
        objects
            .and_then(|names| names.get(n))
            .map_or("unknown", String::as_str)
    }

    /// Envelopes of a press that are not taught, and would judge a stroke of this context.
    pub fn not_taught(&self, source: Source, context: Context) -> impl Iterator<Item = &str> {
        let all = match source {
            Source::Axis(index) => self.not_taught.get(usize::from(index)),
            Source::Station(_) | Source::SubDevice(_) | Source::Bus | Source::Controller => None,
        };
        let all = all.into_iter().flatten();
        all.filter(move |(_, demand)| demand.is_for(context))
            .map(|(name, _)| name.as_str())
    }

    /// All envelopes of axis or press `n` that are not taught.
    pub fn all_not_taught(&self, n: usize) -> impl Iterator<Item = &str> {
        let all = self.not_taught.get(n).into_iter().flatten();
        all.map(|(name, _)| name.as_str())
    }

    /// All parts and all recipes, in the order of the configuration.
    pub fn parts_and_recipes(&self) -> [&[String]; 2] {
        let [recipes, ..] = &self.factors;
        [&self.parts, recipes]
    }

    /// Presses whose health is followed by their strokes, at most.
    pub const fn followed_count(&self) -> usize {
        self.followed
    }

    /// Number of servo axes and presses.
    pub fn axis_count(&self) -> usize {
        self.axes.len()
    }

    /// Number of stations.
    pub fn station_count(&self) -> usize {
        self.stations.len()
    }
}

/// What all events of one run share.
#[derive(Debug)]
pub struct RunInfo {
    /// Names of the machine.
    pub names: Names,
    /// Hash of the plan, as it stands in every event.
    pub plan: String,
    /// Interval between false alarms that the user asked for (s).
    pub asked_s: f64,
    /// What the tails of the healthy record say of it; none where nothing is known.
    pub extrapolated: Option<Extrapolated>,
    /// Limits on residuals.
    pub limits: Limits,
    /// Streams that the asked rate is shared out over.
    streams: usize,
    /// Time watched under this plan before this run (ns).
    watched_ns: AtomicU64,
    /// Statistical deviations raised under it so far.
    alarms: AtomicU64,
    start_utc_ns: AtomicU64,
    /// Cycles begin: the bus is up.
    begun: AtomicBool,
    process_data: Mutex<Option<ProcessData>>,
    /// Whether its times can be believed, in words.
    trust: OnceLock<String>,
    recording: OnceLock<Arc<Progress>>,
    ring: OnceLock<Arc<RingCounts>>,
    ptp: Option<SharedPtp>,
}

impl RunInfo {
    /// `start_utc_ns` is the time of day of cycle 0; it may be set again once the first cycle in OP is known.
    pub fn new(names: Names, plan: String, asked_s: f64, start_utc_ns: u64) -> Self {
        Self {
            names,
            plan,
            asked_s,
            extrapolated: None,
            limits: Limits::default(),
            streams: 0,
            watched_ns: AtomicU64::new(0),
            alarms: AtomicU64::new(0),
            start_utc_ns: AtomicU64::new(start_utc_ns),
            begun: AtomicBool::new(false),
            process_data: Mutex::new(None),
            trust: OnceLock::new(),
            recording: OnceLock::new(),
            ring: OnceLock::new(),
            ptp: None,
        }
    }

    /// The same, with what is extrapolated, and the streams that the asked rate is shared out over.
    pub fn with_extrapolated(mut self, extrapolated: Option<Extrapolated>, streams: usize) -> Self {
        (self.extrapolated, self.streams) = (extrapolated, streams);
        self
    }

    /// The same, with the limits on residuals.
    pub fn with_limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Says what was seen under this plan: before this run, and the alarms up to now. Called by the scribe.
    pub fn set_exposure(&self, before: Exposure, alarms: u64) {
        // Relaxed: each figure is true by itself, and nothing hangs on them.
        self.watched_ns.store(before.seen_ns, Ordering::Relaxed);
        let alarms = before.alarms.saturating_add(alarms);
        self.alarms.store(alarms, Ordering::Relaxed);
    }

    /// Intervals between false alarms at `time_ns` of this run.
    pub fn false_alarms(&self, time_ns: u64) -> FalseAlarmsLine {
        let seen = Exposure {
            seen_ns: (self.watched_ns.load(Ordering::Relaxed)).saturating_add(time_ns),
            alarms: self.alarms.load(Ordering::Relaxed),
        };
        FalseAlarmsLine {
            // Whole seconds; casts from float saturate.
            asked_s: self.asked_s as u64,
            extrapolated_s: self.extrapolated.map(|all| all.interval_s() as u64),
            extrapolated_low_s: self.extrapolated.map(|all| all.low_s() as u64),
            demonstrated_s: seen.demonstrated_s(),
            streams: self.streams,
        }
    }

    /// The same, with where ptp4l's last answer stands.
    pub fn with_ptp(mut self, ptp: Option<SharedPtp>) -> Self {
        self.ptp = ptp;
        self
    }

    /// What ptp4l said last; none where nobody asks. Not for the cycle thread while cycles run: it may wait.
    pub fn ptp(&self) -> Option<PtpLine> {
        self.ptp.as_ref().map(ptp::latest)
    }

    /// Says when cycle 0 was (ns, UTC since 1970). Called by the cycle thread once the bus is up, before its first event.
    pub fn set_start_utc_ns(&self, start_utc_ns: u64) {
        // Relaxed: the flag below, or the event queue that follows, orders it before any reader.
        self.start_utc_ns.store(start_utc_ns, Ordering::Relaxed);
        self.begun.store(true, Ordering::Release);
    }

    /// Whether the bus has come up and cycles begin.
    pub fn has_begun(&self) -> bool {
        self.begun.load(Ordering::Acquire)
    }

    /// What says where the process data stand, for the header and the store. Never called while cycles run: it may wait.
    pub fn set_process_data(&self, from: Option<ProcessData>) {
        // A thread that panicked while it held the lock has left a whole value.
        *self
            .process_data
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = from;
    }

    /// What was set last.
    pub fn process_data(&self) -> Option<ProcessData> {
        *self
            .process_data
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Says whether the times of the run can be believed. Never called while cycles run: it may wait.
    pub fn set_trust(&self, text: String) {
        // A run enters its cycle once.
        let _ = self.trust.set(text);
    }

    /// What was said; none before the cycle thread has begun.
    pub fn trust(&self) -> Option<&str> {
        self.trust.get().map(String::as_str)
    }

    /// Says that recordings around events are kept.
    pub fn set_event_recordings(&self, counts: Arc<RingCounts>) {
        // A bus has one ring.
        let _ = self.ring.set(counts);
    }

    /// What became of the recordings around events so far; none where none are kept.
    pub fn event_recordings(&self) -> Option<EventRecordingsLine> {
        self.ring.get().map(|counts| counts.line())
    }

    /// Says that the run is recorded.
    pub fn set_recording(&self, progress: Arc<Progress>) {
        // A run has one recording.
        let _ = self.recording.set(progress);
    }

    /// The recording as it stands now; none where there is none.
    pub fn recording(&self) -> Option<RecordingLine> {
        self.recording.get().map(|progress| progress.line())
    }

    /// Time of day at `time_ns` after the first cycle (ns, UTC since 1970).
    pub fn utc_ns(&self, time_ns: u64) -> u64 {
        self.start_utc_ns
            .load(Ordering::Relaxed)
            .saturating_add(time_ns)
    }
}

#[cfg(test)]
#[path = "names_tests.rs"]
pub(crate) mod tests;
