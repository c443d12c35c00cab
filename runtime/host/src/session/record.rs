//! Who records a run.

use super::Options;
use crate::error::HostError;
use crate::names::RunInfo;
use crate::output::Output;
use crate::record::checkpoint::form;
use crate::record::named_mcap;
use crate::record::notes::{self, Note, NoteSender};
use crate::record::ring::{Ring, RingCounts};
use crate::record::session_file::SessionFile;
use crate::record::sinks::Sinks;
use crate::recorder::{RecordSender, RecordSink, Recorder};
use crate::scribe::Announce;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use twinstep_config::machine::Machine;
use twinstep_cycle::event::EventState;
use twinstep_drivers::object_map::ObjectMap;
use twinstep_drivers::recording::Writer;
use twinstep_drivers::recording::mcap::{Description, McapWriter};

/// The parts of a recorder.
pub(super) struct Recording {
    pub sender: RecordSender,
    pub recorder: Recorder,
    /// Where stored events go; none where the file has no place for them.
    pub notes: Option<NoteSender>,
    /// What becomes of the recordings around events; none where there is no ring.
    pub ring: Option<Arc<RingCounts>>,
}

/// Folder of the recordings around events, in that of the event store.
const EVENTS: &str = "events";

/// Starts the recorder, where something is to be recorded.
pub(super) fn start(
    machine: &Machine,
    options: &Options,
    info: &Arc<RunInfo>,
    map: &ObjectMap,
) -> Result<Option<Recording>, HostError> {
    let file = file(machine, options, info)?;
    let ring = (options.event_recordings && machine.bus.is_some()).then(|| {
        Ring::new(
            machine,
            description(machine, options, info),
            Arc::clone(info),
            options.state.join(EVENTS),
            &map.image(),
            options.real_time,
        )
    });
    let counts = ring.as_ref().map(Ring::counts);
    let sink: Box<dyn RecordSink> = match (file, ring) {
        (file, Some(ring)) => Box::new(Sinks::new(file, ring)),
        (Some(file), None) => file,
        (None, None) => return Ok(None),
    };
    let (notes, told) = notes::channel();
    let (sender, recorder) = Recorder::start_with(sink, &map.image(), Some(told))?;
    Ok(Some(Recording {
        sender,
        recorder,
        notes: Some(notes),
        ring: counts,
    }))
}

/// The file of the whole run, where one was asked for.
fn file(
    machine: &Machine,
    options: &Options,
    info: &Arc<RunInfo>,
) -> Result<Option<Box<dyn RecordSink>>, HostError> {
    let Some(path) = &options.record else {
        return Ok(None);
    };
    let refused = |error: twinstep_drivers::recording::RecordingError| {
        HostError::usage(error.to_string(), "")
    };
    Ok(Some(if named_mcap(path) {
        let description = description(machine, options, info);
        let writer = McapWriter::create(path, machine, &description).map_err(refused)?;
        Box::new(SessionFile::new(writer, Arc::clone(info)))
    } else {
        Box::new(Writer::create(path, machine).map_err(refused)?)
    }))
}

/// What a file says of this run.
fn description(machine: &Machine, options: &Options, info: &RunInfo) -> Description {
    let mut facts = options.facts.clone();
    let mut add = |name: &str, value: String| facts.insert(name.to_owned(), value);
    add("version", env!("CARGO_PKG_VERSION").to_owned());
    add("plan", info.plan.clone());
    add("simulated", options.simulated.to_string());
    add("real_time", options.real_time.to_string());
    if let Some(bus) = info.names.bus() {
        add("bus", bus.to_owned());
    }
    Description {
        configuration: machine.text.0.to_string(),
        facts,
        checkpoints: Some(form().to_owned()),
    }
}

/// Says what became of the recordings around events, where there were any.
pub(super) fn tell_ring(counts: &RingCounts, state: &Path, output: &Output) {
    let [written, removed, failed] =
        [&counts.written, &counts.removed, &counts.failed].map(|n| n.load(Ordering::Relaxed));
    if written > 0 {
        let folder = state.join(EVENTS);
        let removed = match removed {
            0 => String::new(),
            some => format!("; {some} older ones were removed"),
        };
        output.note(&format!(
            "recordings of events: {written} written into {}{removed}",
            folder.display()
        ));
    }
    if let (1.., Some(trouble)) = (failed, counts.trouble()) {
        output.note(&format!(
            "recordings of events: {failed} could not be kept, the last because {trouble}"
        ));
    }
}

/// Notes of one bus, and the plan that its events name.
pub(super) struct Told {
    pub plan: String,
    pub notes: NoteSender,
    /// In virtual time nothing is late, and a recording is complete.
    pub real_time: bool,
}

/// The same announcement, with a note to the recorder of the bus that the event is of.
pub(super) fn overheard(mut announce: Announce, told: Vec<Told>) -> Announce {
    if told.is_empty() {
        return announce;
    }
    Box::new(move |record, json| {
        announce(record, json);
        // Two buses never have the same plan, see `PlanStore::hash_on`.
        let Some(own) = told.iter().find(|told| told.plan == record.plan) else {
            return;
        };
        let note = Note::Event {
            seq: record.seq,
            cycle: record.cycle,
            time_ns: record.time_ns,
            raised: record.state == EventState::Raised.name(),
            json: json.to_owned(),
        };
        if own.real_time {
            own.notes.send(note);
        } else {
            own.notes.send_waiting(note);
        }
    })
}

impl Recording {
    /// Who sends notes for the recorder of this run.
    pub(super) fn told(&self, options: &Options, info: &RunInfo) -> Option<Told> {
        Some(Told {
            plan: info.plan.clone(),
            notes: self.notes.clone()?,
            real_time: options.real_time,
        })
    }
}

/// A recording whose cycles have all been sent, and which waits for the last stored events.
pub(super) struct Unfinished {
    pub recorder: Recorder,
    pub notes: Option<NoteSender>,
    pub ring: Option<Arc<RingCounts>>,
}

impl Unfinished {
    /// Ends the file of a run that failed, as far as it goes. What went wrong with it too is of no account then.
    pub(super) fn give_up(self) {
        drop(self.notes);
        let _ = self.recorder.stop();
    }

    /// Ends it, once every event is stored: what the run came to, then the file. Returns how many cycles are missing in it.
    pub(super) fn finish(self, cycles: u64, digest: u64) -> Result<u64, HostError> {
        if let Some(notes) = self.notes {
            notes.send_waiting(Note::End { cycles, digest });
        }
        self.recorder.stop().map(|recorded| recorded.dropped)
    }
}
