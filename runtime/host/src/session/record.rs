//! Who records a run.

use super::Options;
use crate::error::HostError;
use crate::names::RunInfo;
use crate::record::named_mcap;
use crate::record::notes::{self, Note, NoteSender};
use crate::record::session_file::SessionFile;
use crate::recorder::{RecordSender, RecordSink, Recorder};
use crate::scribe::Announce;
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
    /// Where stored events go; none where the file has no place for them.
    pub notes: Option<NoteSender>,
}

/// Starts the recorder, where something is to be recorded.
pub(super) fn start(
    machine: &Machine,
    options: &Options,
    info: &Arc<RunInfo>,
    map: &ObjectMap,
) -> Result<Option<Recording>, HostError> {
    let Some(path) = &options.record else {
        return Ok(None);
    };
    let refused = |error: twinstep_drivers::recording::RecordingError| {
        HostError::usage(error.to_string(), "")
    };
    let sink: Box<dyn RecordSink> = if named_mcap(path) {
        let description = description(options, info);
        let writer = McapWriter::create(path, machine, &description).map_err(refused)?;
        Box::new(SessionFile::new(writer, Arc::clone(info)))
    } else {
        Box::new(Writer::create(path, machine).map_err(refused)?)
    };
    let (notes, told) = notes::channel();
    let (sender, recorder) = Recorder::start_with(sink, &map.image(), Some(told))?;
    Ok(Some(Recording {
        sender,
        recorder,
        notes: Some(notes),
    }))
}

/// What a file says of this run.
fn description(options: &Options, info: &RunInfo) -> Description {
    let mut facts = options.facts.clone();
    let mut add = |name: &str, value: String| facts.insert(name.to_owned(), value);
    add("version", env!("CARGO_PKG_VERSION").to_owned());
    add("plan", info.plan.clone());
    add("simulated", options.simulated.to_string());
    add("real_time", options.real_time.to_string());
    Description {
        configuration: options.configuration.to_string(),
        facts,
    }
}

/// The same announcement, with a note to the recorder.
pub(super) fn overheard(
    mut announce: Announce,
    notes: Option<NoteSender>,
    real_time: bool,
) -> Announce {
    let Some(notes) = notes else { return announce };
    Box::new(move |record, json| {
        announce(record, json);
        let note = Note::Event {
            seq: record.seq,
            cycle: record.cycle,
            time_ns: record.time_ns,
            raised: record.state == EventState::Raised.name(),
            json: json.to_owned(),
        };
        // In virtual time nothing is late, and a recording is complete.
        if real_time {
            notes.send(note);
        } else {
            notes.send_waiting(note);
        }
    })
}
