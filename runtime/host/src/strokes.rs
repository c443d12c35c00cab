//! Judged strokes on their way from the cycle to whoever looks at them: a lock-free queue, and a thread that writes one line a
//! stroke and keeps the last ones with their curves for the control socket.
//!
//! A stroke line is output, not an event: what is NOK is an event as well and goes through the store.

mod board;
mod curve;
mod shapes;

pub use board::{RECENT, RECENT_IN_ALL, StrokeBoard, StrokeCurveLine};
pub use curve::{CURVE_POINTS, ShortCurve};
pub use shapes::ShapeLine;

use crate::error::HostError;
use crate::names::RunInfo;
use crate::output::Output;
use heapless::spsc::{Consumer, Producer, Queue};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;
use twinstep_cycle::event::Source;
use twinstep_cycle::press::StrokeRecord;
use twinstep_models::press::evaluate::{Outcome, Violation};
use twinstep_models::press::tare::Tare;
use twinstep_models::sample::Context;

/// Slots of the queue; one stays empty. A press makes less than a stroke in 50 ms, and the thread looks every 2 ms.
const STROKE_QUEUE: usize = 64;
/// How often the thread looks into the queue.
const POLL: Duration = Duration::from_millis(2);

/// Why an object is NOK, in words.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NokLine {
    /// Number of the stroke.
    pub stroke: u64,
    /// Name of the object.
    pub object: String,
    /// What is wrong: `not_entered`, `wrong_entry`, `wrong_exit`, `not_left`, `not_reached`, `below`, `above`, `no_reference`.
    pub miss: String,
    /// `left`, `right`, `bottom` or `top`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub side: Option<String>,
    /// By how much, in `unit`.
    pub by: f64,
    /// Unit of `by`.
    pub unit: String,
    /// Where, counted from the object's reference (m).
    pub position_m: f64,
    /// Force there (N).
    pub force_n: f64,
    /// Whether the stroke has a zero of its own: `taken`, `too_few_samples` or `beyond_limit`; missing where none was asked for.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub tare: Option<String>,
    /// Mean force over the free part of the way in (N): what was taken away from the stroke where `tare` is `taken`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub tare_n: Option<f64>,
}

/// The word for a zero that was asked for.
fn tare_word(tare: Tare) -> Option<&'static str> {
    (tare != Tare::Off).then(|| tare.name())
}

impl NokLine {
    /// Puts the words to a violation.
    pub fn new(stroke: u64, object: &str, v: &Violation, tare: Tare) -> Self {
        Self {
            stroke,
            object: object.to_owned(),
            miss: v.miss.name().to_owned(),
            side: v.side.map(|side| side.name().to_owned()),
            by: v.by,
            unit: v.unit.name().to_owned(),
            position_m: v.at.position_m,
            force_n: v.at.force_n,
            tare: tare_word(tare).map(str::to_owned),
            tare_n: tare.mean_n(),
        }
    }

    /// As one phrase.
    pub fn text(&self) -> String {
        let side = self
            .side
            .as_ref()
            .map_or_else(String::new, |side| format!(" {side}"));
        format!(
            "{} {}{side} by {:.4} {}",
            self.object, self.miss, self.by, self.unit
        )
    }
}

/// An object that would judge a stroke, and did not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObjectNotJudged {
    /// Name.
    pub name: String,
    /// Why: `not_taught`, an envelope that no good strokes have taught yet.
    pub reason: Cow<'static, str>,
}

impl ObjectNotJudged {
    /// Those of a stroke of press `source` in this context.
    pub fn all(run: &RunInfo, source: Source, context: Context) -> Vec<Self> {
        let all = run.names.not_taught(source, context);
        all.map(|name| Self {
            name: name.to_owned(),
            reason: "not_taught".into(),
        })
        .collect()
    }

    /// All of them as one phrase, with a separator before it; empty without any.
    pub fn text(all: &[Self]) -> String {
        if all.is_empty() {
            return String::new();
        }
        let each = all
            .iter()
            .map(|one| format!("{} ({})", one.name, one.reason.replace('_', " ")));
        format!(", not judged: {}", each.collect::<Vec<_>>().join(", "))
    }
}

/// What one object said.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ObjectLine {
    /// Name.
    pub name: String,
    /// OK.
    pub ok: bool,
    /// The figure that was judged, where the object has one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub value: Option<f64>,
    /// Unit of the figure.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub unit: Option<Cow<'static, str>>,
    /// Why not.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub nok: Option<NokLine>,
}

/// One judged stroke. Figures that this stroke does not have are null.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename = "stroke")]
pub struct StrokeLine {
    /// Number of the stroke since the start, from 1.
    pub stroke: u64,
    /// Name of the press.
    pub source: String,
    /// Cycle in which it was judged.
    pub cycle: u64,
    /// Time of that cycle (ns).
    pub time_ns: u64,
    /// Recipe in force when it began: the objects are those of this recipe.
    pub recipe: Option<String>,
    /// Part that the recipe said.
    pub part: Option<String>,
    /// `ok` or `nok`.
    pub verdict: Cow<'static, str>,
    /// The first object that is NOK.
    pub object: Option<String>,
    /// Why.
    pub cause: Option<String>,
    /// Largest force (N).
    pub peak_n: f64,
    /// Where it was (m).
    pub peak_position_m: f64,
    /// Work on the way in (J).
    pub work_j: f64,
    /// Gradient of the rise, from 20 to 80 % of the peak (N/m).
    pub gradient_n_per_m: Option<f64>,
    /// Work that did not come back (J).
    pub hysteresis_j: f64,
    /// Deepest travel (m).
    pub block_position_m: f64,
    /// Force there (N).
    pub block_force_n: f64,
    /// Travel at which the force of contact was reached (m).
    pub contact_m: Option<f64>,
    /// Largest residual of the force against the twin on the way in (N).
    pub residual_n: Option<f64>,
    /// Where it was (m).
    pub residual_position_m: Option<f64>,
    /// Whether it has a zero of its own: `taken`, `too_few_samples` or `beyond_limit`; missing where none was asked for.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub tare: Option<Cow<'static, str>>,
    /// Mean force over the free part of the way in (N): what was taken away from every force where `tare` is `taken`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub tare_n: Option<f64>,
    /// Samples that were left out because their force is not known.
    pub force_unknown: u32,
    /// Why: `dead_centre` or `self_locking`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub force_unknown_reason: Option<Cow<'static, str>>,
    /// Points of the curve that were judged.
    pub points: u32,
    /// What every object said.
    pub objects: Vec<ObjectLine>,
    /// Objects of this recipe and part that could not judge it: the verdict is that of the others. Absent where there are none.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub not_judged: Vec<ObjectNotJudged>,
}

impl StrokeLine {
    /// Puts the names to a judged stroke.
    pub fn of(record: &StrokeRecord, run: &RunInfo) -> Self {
        let name = |n: usize| run.names.object(record.source, n);
        let t = &record.features.totals;
        let first = (record.verdict.first)
            .map(|(n, v)| NokLine::new(record.stroke, name(usize::from(n)), &v, record.tare));
        let line = |(n, outcome): (usize, &Outcome)| ObjectLine {
            name: name(n).to_owned(),
            ok: outcome.violation.is_none(),
            value: outcome.value,
            unit: outcome.value.map(|_| outcome.unit.name().into()),
            nok: (outcome.violation).map(|v| NokLine::new(record.stroke, name(n), &v, record.tare)),
        };
        Self {
            stroke: record.stroke,
            source: run.names.source(record.source).to_owned(),
            cycle: record.stamp.cycle,
            time_ns: record.stamp.time_ns,
            recipe: run.names.recipe(record.context).map(str::to_owned),
            part: run.names.part(record.context).map(str::to_owned),
            verdict: if record.verdict.ok() { "ok" } else { "nok" }.into(),
            cause: first.as_ref().map(NokLine::text),
            object: first.map(|nok| nok.object),
            peak_n: t.peak.force_n,
            peak_position_m: t.peak.position_m,
            work_j: t.work_j,
            gradient_n_per_m: record.features.gradient_n_per_m,
            hysteresis_j: t.hysteresis_j(),
            block_position_m: t.block.position_m,
            block_force_n: t.block.force_n,
            contact_m: t.contact_m,
            residual_n: record.residual.map(|r| r.residual_n()),
            residual_position_m: record.residual.map(|r| r.position_m),
            tare: tare_word(record.tare).map(Cow::from),
            tare_n: record.tare.mean_n(),
            force_unknown: record.unknown.map_or(0, |(samples, _)| samples),
            force_unknown_reason: record.unknown.map(|(_, reason)| reason.name().into()),
            points: record.features.points,
            objects: (record.outcomes.iter().enumerate())
                .filter_map(|(n, outcome)| Some(line((n, outcome.as_ref()?))))
                .collect(),
            not_judged: ObjectNotJudged::all(run, record.source, record.context),
        }
    }

    /// As one line for a person.
    pub fn text(&self) -> String {
        let cause = self
            .cause
            .as_ref()
            .map_or_else(String::new, |cause| format!(": {cause}"));
        let residual = self
            .residual_n
            .map_or_else(String::new, |r| format!(", residual {r:.1} N"));
        let recipe = self
            .recipe
            .as_ref()
            .map_or_else(String::new, |recipe| format!(" in recipe {recipe}"));
        let tare = match (self.tare.as_deref(), self.tare_n) {
            (None, _) => String::new(),
            (Some("taken"), Some(n)) => format!(", {n:.1} N tared away"),
            (Some(why), Some(n)) => format!(", not tared: {why}, {n:.1} N"),
            (Some(why), None) => format!(", not tared: {why}"),
        };
        let unknown = (self.force_unknown_reason.as_ref()).map_or_else(String::new, |reason| {
            format!(", {} samples without a force: {reason}", self.force_unknown)
        });
        format!(
            "stroke {} of {}{recipe} {}{cause} (peak {:.4} N at {:.4} mm, work {:.4} J, hysteresis {:.4} J{residual}{tare}{unknown}{})",
            self.stroke,
            self.source,
            self.verdict,
            self.peak_n,
            self.peak_position_m * 1e3,
            self.work_j,
            self.hysteresis_j,
            ObjectNotJudged::text(&self.not_judged),
        )
    }
}

/// What both ends see.
#[derive(Debug, Default)]
struct Shared {
    dropped: AtomicU64,
    stop: AtomicBool,
    ended: AtomicBool,
}

/// A stroke on its way: the record, and as much of its curve as there is.
pub struct SentStroke {
    /// What was judged.
    pub record: StrokeRecord,
    /// Its curve; empty where the next stroke had begun before it could be copied.
    pub curve: ShortCurve,
}

/// The cycle's end. Sending allocates nothing, takes no lock and, in real time, never waits.
pub struct StrokeSender {
    producer: Producer<'static, SentStroke>,
    shared: Arc<Shared>,
}

impl StrokeSender {
    /// Sends one stroke, or counts it as dropped.
    pub fn send(&mut self, stroke: SentStroke) {
        if self.producer.enqueue(stroke).is_err() {
            self.shared.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// As [`Self::send`], giving the writer the time to make room: for virtual time, where nothing is late.
    pub fn send_waiting(&mut self, stroke: SentStroke) {
        while !self.producer.ready() && !self.shared.ended.load(Ordering::Acquire) {
            std::thread::yield_now();
        }
        self.send(stroke);
    }
}

/// The running writer.
pub struct StrokeWriter {
    thread: JoinHandle<()>,
    shared: Arc<Shared>,
}

impl StrokeWriter {
    /// Starts the thread that puts every stroke on `board` and, with an `output`, writes its line there.
    ///
    /// # Errors
    /// [`HostError`] when no thread can be started.
    pub fn start(
        run: Arc<RunInfo>,
        board: StrokeBoard,
        output: Option<Output>,
    ) -> Result<(StrokeSender, Self), HostError> {
        // The queue lives as long as the process: both ends may outlive this call in any order, and a run has one.
        let queue: &'static mut Queue<SentStroke, STROKE_QUEUE> = Box::leak(Box::new(Queue::new()));
        let (producer, mut consumer) = queue.split();
        let shared = Arc::new(Shared::default());
        let theirs = Arc::clone(&shared);
        let work = move || {
            let _ = crate::realtime::capabilities::give_up_all();
            let _ended = Ended(Arc::clone(&theirs));
            loop {
                // Read before the queue is emptied: what was sent before the flag was set is then found below.
                let stopping = theirs.stop.load(Ordering::Acquire);
                write_all(&mut consumer, &run, &board, output.as_ref());
                if stopping {
                    return;
                }
                std::thread::park_timeout(POLL);
            }
        };
        let thread = (std::thread::Builder::new().name("strokes".into()))
            .spawn(work)
            .map_err(|error| {
                HostError::machine(
                    format!("cannot start the thread that writes strokes: {error}"),
                    "raise the limit of processes",
                )
            })?;
        let sender = StrokeSender {
            producer,
            shared: Arc::clone(&shared),
        };
        Ok((sender, Self { thread, shared }))
    }

    /// Ends the thread once everything is written. Returns how many strokes were dropped.
    pub fn stop(self) -> u64 {
        self.shared.stop.store(true, Ordering::Release);
        self.thread.thread().unpark();
        // A writer that panicked has written what it could.
        let _ = self.thread.join();
        self.shared.dropped.load(Ordering::Relaxed)
    }
}

struct Ended(Arc<Shared>);

impl Drop for Ended {
    fn drop(&mut self) {
        self.0.ended.store(true, Ordering::Release);
    }
}

fn write_all(
    consumer: &mut Consumer<'static, SentStroke>,
    run: &RunInfo,
    board: &StrokeBoard,
    output: Option<&Output>,
) {
    while let Some(stroke) = consumer.dequeue() {
        let line = StrokeLine::of(&stroke.record, run);
        match output {
            Some(output) if output.json() => output.json_line(&line),
            Some(output) => output.line(&line.text()),
            None => {}
        }
        board.keep(&stroke, line);
    }
}
