//! Who records a run.

use super::Options;
use crate::error::HostError;
use crate::names::RunInfo;
use crate::output::Output;
use crate::record::checkpoint::form;
use crate::record::folder::{Folder, LIMIT_BYTES, is_folder};
use crate::record::lasting::{Files, Lasting, Say};
use crate::record::named_mcap;
use crate::record::notes::{self, Note, NoteSender};
use crate::record::ring::{self, EventRecordingsLine, Ring, RingCounts};
use crate::record::session_file::SessionFile;
use crate::record::sinks::Sinks;
use crate::record::tally::{Progress, RecordingLine, Tally};
use crate::recorder::{RecordSender, RecordSink, Recorder};
use crate::scribe::Announce;
use crate::standing;
use std::path::Path;
use std::sync::Arc;
use twinstep_config::machine::Machine;
use twinstep_cycle::event::EventState;
use twinstep_drivers::object_map::ObjectMap;
use twinstep_drivers::recording::Writer;
use twinstep_drivers::recording::mcap::{Description, McapWriter};

/// The parts of a recorder.
pub(super) struct Recording {
    pub sender: RecordSender,
    pub recorder: Recorder,
    /// Where stored events go.
    pub notes: NoteSender,
    /// What becomes of the recordings around events; none where there is no ring.
    pub ring: Option<Arc<RingCounts>>,
    /// How the recording of the whole run goes on; none where there is none.
    pub progress: Option<Arc<Progress>>,
}

/// Starts the recorder, where something is to be recorded.
pub(super) fn start(
    machine: &Machine,
    options: &Options,
    info: &Arc<RunInfo>,
    map: &ObjectMap,
    output: &Output,
) -> Result<Option<Recording>, HostError> {
    let (notes, told) = notes::channel();
    let file = match &options.record {
        Some(path) => Some(whole_run(path, machine, options, info, &notes, output)?),
        None => None,
    };
    let ring = (options.event_recordings && machine.bus.is_some()).then(|| {
        Ring::new(
            machine,
            description(machine, options, info),
            Arc::clone(info),
            options.state.join(ring::FOLDER),
            &map.image(),
            options.real_time,
        )
    });
    let counts = ring.as_ref().map(Ring::counts);
    if let Some(counts) = &counts {
        info.set_event_recordings(Arc::clone(counts));
    }
    let (file, tally) = file.unzip();
    let sink: Box<dyn RecordSink> = match (file, ring) {
        (file, Some(ring)) => Box::new(Sinks::new(file.map(|file| Box::new(file) as _), ring)),
        (Some(file), None) => Box::new(file),
        (None, None) => return Ok(None),
    };
    let (sender, recorder) =
        Recorder::start_with(sink, &map.image(), Some(told), options.real_time)?;
    let progress = tally.zip(options.record.as_ref()).map(|(tally, path)| {
        Arc::new(Progress {
            path: path.clone(),
            tally,
            drops: recorder.drops(),
            events_missing: notes.count(),
        })
    });
    if let Some(progress) = &progress {
        info.set_recording(Arc::clone(progress));
    }
    Ok(Some(Recording {
        sender,
        recorder,
        notes,
        ring: counts,
        progress,
    }))
}

/// The file or folder of the whole run.
fn whole_run(
    path: &Path,
    machine: &Machine,
    options: &Options,
    info: &Arc<RunInfo>,
    notes: &NoteSender,
    output: &Output,
) -> Result<(Lasting, Arc<Tally>), HostError> {
    let refused = |error: twinstep_drivers::recording::RecordingError| {
        HostError::usage(error.to_string(), "")
    };
    let tally = Arc::new(Tally::default());
    let say = say(options, output);
    let session = {
        let (info, missing) = (Arc::clone(info), notes.count());
        move |writer| SessionFile::new(writer, Arc::clone(&info), Arc::clone(&missing))
    };
    let sink = if is_folder(path) {
        let folder = Folder::open(path, options.record_limit_bytes.unwrap_or(LIMIT_BYTES))?;
        let (machine, description) = (machine.clone(), description(machine, options, info));
        let files = Files {
            folder,
            begin: Box::new(move |file| {
                McapWriter::create(file, &machine, &description)
                    .map(|writer| Box::new(session(writer)) as Box<dyn RecordSink>)
                    .map_err(|error| HostError::machine(error.to_string(), ""))
            }),
            info: Arc::clone(info),
        };
        Lasting::files(files, Arc::clone(&tally), say)
    } else if options.record_limit_bytes.is_some() {
        return Err(HostError::usage(
            format!(
                "{} is a file, and --record-limit bounds a folder",
                path.display()
            ),
            "give --record a folder: one that is there, or a name that ends in /",
        ));
    } else {
        let file: Box<dyn RecordSink> = if named_mcap(path) {
            let description = description(machine, options, info);
            let writer = McapWriter::create(path, machine, &description).map_err(refused)?;
            Box::new(session(writer))
        } else {
            Box::new(Writer::create(path, machine).map_err(refused)?)
        };
        Lasting::file(file, Arc::clone(&tally), say)
    };
    Ok((sink, tally))
}

/// How threads beside the cycle say what the user should know at once; the live view has no place for it, and what is counted is told at the
/// end or in the status.
pub(super) fn say(options: &Options, output: &Output) -> Say {
    let output = (options.quiet || !output.is_terminal()).then(|| output.clone());
    Box::new(move |text| {
        if let Some(output) = &output {
            output.note(text);
        }
    })
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
    let EventRecordingsLine {
        written,
        removed,
        failed,
        failure,
    } = counts.line();
    if written > 0 {
        let folder = state.join(ring::FOLDER);
        let removed = match removed {
            0 => String::new(),
            some => format!("; {some} older ones were removed"),
        };
        output.note(&format!(
            "recordings of events: {written} written into {}{removed}",
            folder.display()
        ));
    }
    if let Some(trouble) = failure {
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
        // What ends an earlier run is none of this one's. Two buses never have the same plan, see `PlanStore::hash_on`.
        let mut own = told.iter().filter(|_| !standing::is_end(record));
        let Some(own) = own.find(|told| told.plan == record.plan) else {
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
    pub(super) fn told(&self, options: &Options, info: &RunInfo) -> Told {
        Told {
            plan: info.plan.clone(),
            notes: self.notes.clone(),
            real_time: options.real_time,
        }
    }
}

/// A recording whose cycles have all been sent, and which waits for the last stored events.
pub(super) struct Unfinished {
    pub recorder: Recorder,
    pub notes: NoteSender,
    pub ring: Option<Arc<RingCounts>>,
    pub progress: Option<Arc<Progress>>,
}

impl Unfinished {
    /// Ends the file of a run that failed, as far as it goes. What went wrong with it too is of no account then.
    pub(super) fn give_up(self) {
        drop(self.notes);
        let _ = self.recorder.stop();
    }

    /// Ends it, once every event is stored: what the run came to, then the file. Returns what became of it.
    pub(super) fn finish(
        self,
        cycles: u64,
        digest: u64,
    ) -> (Option<RecordingLine>, Result<(), HostError>) {
        self.notes.send_waiting(Note::End { cycles, digest });
        // Who waits for notes must not wait for this end.
        drop(self.notes);
        let stopped = self.recorder.stop().map(drop);
        (self.progress.map(|progress| progress.line()), stopped)
    }
}
