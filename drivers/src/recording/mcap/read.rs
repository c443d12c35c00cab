//! Reads such files, cut ones too.

use super::super::MAX_GAP_CYCLES;
use super::super::error::{Problem, RecordingError};
use super::super::store::Store;
use super::rounds::{Checkpoint, Rounds};
use super::row::Pieces;
use super::write::problem;
use super::{
    CHECKPOINTS, COMMANDS, CONFIGURATION, DIGESTS, END, EVENTS, FORM, MAX_NOTE_BYTES, MAX_NOTES,
    MAX_RECORD_BYTES, METADATA, PROCESS_DATA, schema,
};
use crate::bus::ProcessImage;
use crate::object_map::Layout;
use mcap::records::Record;
use mcap::sans_io::linear_reader::{LinearReadEvent, LinearReader, LinearReaderOptions};
use mcap::{MAGIC, McapError};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// What stands in front of a file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Head {
    /// What the file says of its run: `form`, `version`, `plan`, `machine`, ...
    pub facts: BTreeMap<String, String>,
    /// The configuration of the machine.
    pub configuration: String,
}

/// What a file holds beside its cycles.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Contents {
    /// What stands in front.
    pub head: Head,
    /// What was written at the end; none where the run did not end in order, or the file was cut.
    pub end: Option<BTreeMap<String, String>>,
    /// Time of day of the first cycle (ns since 1970, UTC).
    pub first_utc_ns: u64,
    /// Stored events, as JSON.
    pub events: Vec<String>,
    /// What the operator told the run, as JSON.
    pub commands: Vec<String>,
    /// Digests after cycles, by cycle.
    pub digests: Vec<(u64, u64)>,
    /// The round of checkpoints that a replay may begin with; empty where the file has no whole one.
    pub checkpoints: Vec<Checkpoint>,
    /// The form of their bytes, as the file says it.
    pub checkpoint_form: Option<String>,
    /// What ended reading before the file's end: it was cut, or is damaged there.
    pub cut: Option<String>,
}

/// Whether a file begins as MCAP files do.
pub fn is_mcap(path: impl AsRef<Path>) -> bool {
    let mut start = [0; MAGIC.len()];
    File::open(path).is_ok_and(|mut file| file.read_exact(&mut start).is_ok()) && start == *MAGIC
}

/// Reads what stands in front of a recording: from it comes the machine.
///
/// # Errors
/// [`RecordingError`] when the file cannot be read or is none of ours.
pub fn head(path: impl AsRef<Path>) -> Result<Head, RecordingError> {
    let path = path.as_ref();
    let mut head = Head::default();
    let mut found = [false; 2];
    each(path, |record| {
        match record {
            Record::Metadata(metadata) if metadata.name == METADATA => {
                (head.facts, found[0]) = (metadata.metadata, true);
            }
            Record::Attachment { header, data, .. } if header.name == CONFIGURATION => {
                head.configuration = String::from_utf8_lossy(&data).into_owned();
                found[1] = true;
            }
            _ => {}
        }
        Ok(found != [true; 2])
    })
    .map_err(|problem| RecordingError::new(path, problem))?;
    match head.facts.get("form") {
        _ if found != [true; 2] => Err(RecordingError::new(path, Problem::NotOurs)),
        Some(form) if form == FORM => Ok(head),
        other => {
            let actual = other.cloned().unwrap_or_default();
            Err(RecordingError::new(path, Problem::Version { actual }))
        }
    }
}

/// Reads all of a recording of a machine whose process data lie as in `layout`, at most `max_bytes` of rows. Of the checkpoints the last
/// whole round by cycle `by` is kept, else the first.
pub(in super::super) fn load(
    path: &Path,
    layout: &Layout,
    image: &ProcessImage,
    by: u64,
    max_bytes: usize,
) -> Result<(Store, Contents), RecordingError> {
    let wrong = |problem| RecordingError::new(path, problem);
    let mut contents = Contents {
        head: head(path)?,
        ..Contents::default()
    };
    let mut store = Store::within(image, max_bytes).with_conditions(layout.conditions);
    let mut channels: BTreeMap<u16, (String, u16)> = BTreeMap::new();
    let mut schemas: BTreeMap<u16, Vec<u8>> = BTreeMap::new();
    let expected = schema::process_data(layout);
    let mut last = None;
    let mut rounds = Rounds::by(by);
    let mut budget = MAX_NOTE_BYTES;
    let cut = each(path, |record| {
        match record {
            Record::Schema { header, data } if spare(&mut budget, data.len()) => {
                schemas.insert(header.id, data.into_owned());
            }
            Record::Channel(channel) => {
                if channel.topic == PROCESS_DATA
                    && schemas.get(&channel.schema_id).map(Vec::as_slice)
                        != Some(expected.as_bytes())
                {
                    return Err(other_machine(&expected, schemas.get(&channel.schema_id)));
                }
                if channel.topic == CHECKPOINTS {
                    let form = schemas.get(&channel.schema_id);
                    contents.checkpoint_form =
                        form.map(|form| String::from_utf8_lossy(form).into_owned());
                }
                channels.insert(channel.id, (channel.topic, channel.schema_id));
            }
            Record::Message { header, data } => {
                let topic = channels
                    .get(&header.channel_id)
                    .map(|(topic, _)| topic.as_str());
                if topic == Some(CHECKPOINTS) {
                    let part = Checkpoint::decode(&data).ok_or_else(|| short(CHECKPOINTS))?;
                    rounds.push(part);
                    return Ok(true);
                }
                if topic == Some(PROCESS_DATA) && store.rows() == 0 {
                    contents.first_utc_ns = header.log_time;
                }
                message(
                    topic.unwrap_or_default(),
                    &data,
                    &mut store,
                    &mut contents,
                    &mut last,
                    &mut budget,
                )?;
            }
            Record::Metadata(metadata) if metadata.name == END => {
                contents.end = Some(metadata.metadata);
            }
            _ => {}
        }
        Ok(true)
    })
    .map_err(wrong)?;
    contents.cut = cut;
    contents.checkpoints = rounds.into_whole();
    if store.rows() == 0 {
        return Err(wrong(Problem::NoRows));
    }
    Ok((store, contents))
}

/// The first field that is another.
fn other_machine(expected: &str, actual: Option<&Vec<u8>>) -> Problem {
    let actual = String::from_utf8_lossy(actual.map_or(&[], Vec::as_slice)).into_owned();
    let mut lines = actual.lines();
    for line in expected.lines() {
        let other = lines.next().unwrap_or_default();
        if line != other {
            return Problem::OtherMachine {
                expected: line.to_owned(),
                actual: other.to_owned(),
            };
        }
    }
    Problem::OtherMachine {
        expected: String::new(),
        actual: lines.next().unwrap_or_default().to_owned(),
    }
}

fn short(topic: &str) -> Problem {
    Problem::Container(format!("a message of {topic} is too short"))
}

/// Takes one message in.
fn message(
    topic: &str,
    data: &[u8],
    store: &mut Store,
    contents: &mut Contents,
    last: &mut Option<(u64, u64)>,
    budget: &mut usize,
) -> Result<(), Problem> {
    let text = || String::from_utf8_lossy(data).into_owned();
    let mut pieces = Pieces(data);
    match topic {
        PROCESS_DATA => {
            let (Some(cycle), Some(time_ns)) = (pieces.long(), pieces.long()) else {
                return Err(short(topic));
            };
            if let Some((before, before_ns)) = last.replace((cycle, time_ns)) {
                in_order((before, before_ns), (cycle, time_ns))?;
            }
            store.push_row(data).map_err(|problem| match problem {
                Problem::ImageSize => short(topic),
                other => other,
            })?;
        }
        DIGESTS if contents.digests.len() < MAX_NOTES => {
            let digest = pieces.long().zip(pieces.long());
            contents.digests.push(digest.ok_or_else(|| short(topic))?);
        }
        EVENTS if contents.events.len() < MAX_NOTES && spare(budget, data.len()) => {
            contents.events.push(text());
        }
        COMMANDS if contents.commands.len() < MAX_NOTES && spare(budget, data.len()) => {
            contents.commands.push(text());
        }
        _ => {}
    }
    Ok(())
}

/// Takes so many bytes off what may be kept; false where they are more.
fn spare(budget: &mut usize, bytes: usize) -> bool {
    let left = budget.checked_sub(bytes);
    *budget = left.unwrap_or(*budget);
    left.is_some()
}

fn in_order((before, before_ns): (u64, u64), (cycle, time_ns): (u64, u64)) -> Result<(), Problem> {
    if cycle <= before {
        return Err(Problem::CycleOrder {
            previous: before,
            actual: cycle,
        });
    }
    if time_ns <= before_ns {
        return Err(Problem::TimeOrder {
            previous_s: before_ns as f64 / 1e9,
            actual_s: time_ns as f64 / 1e9,
        });
    }
    if cycle - before - 1 > MAX_GAP_CYCLES {
        return Err(Problem::GapTooLong {
            actual: cycle - before - 1,
        });
    }
    Ok(())
}

/// Calls `take` with every record until it has enough. Returns what ended reading before the end of the file.
fn each(
    path: &Path,
    mut take: impl FnMut(Record<'_>) -> Result<bool, Problem>,
) -> Result<Option<String>, Problem> {
    let mut file = File::open(path).map_err(Problem::Io)?;
    let options = LinearReaderOptions::default()
        .with_prevalidate_chunk_crcs(true)
        .with_record_length_limit(MAX_RECORD_BYTES);
    let mut reader = LinearReader::new_with_options(options);
    let mut any = false;
    while let Some(event) = reader.next_event() {
        match event {
            Ok(LinearReadEvent::ReadRequest(need)) => {
                let read = file.read(reader.insert(need)).map_err(Problem::Io)?;
                reader.notify_read(read);
            }
            Ok(LinearReadEvent::Record { opcode, data }) => {
                let record = match mcap::parse_record(opcode, data) {
                    Ok(record) => record,
                    Err(error) => return Ok(Some(error.to_string())),
                };
                any = true;
                if !take(record)? {
                    return Ok(None);
                }
            }
            Err(McapError::BadMagic) if !any => return Err(Problem::NotOurs),
            Err(error @ McapError::RecordTooLarge { .. }) if !any => return Err(problem(error)),
            Err(error) => return Ok(Some(error.to_string())),
        }
    }
    Ok(None)
}
