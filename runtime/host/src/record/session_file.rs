//! A whole run in one MCAP file.

use super::notes::Note;
use crate::clock;
use crate::error::HostError;
use crate::names::RunInfo;
use crate::recorder::{Record, RecordSink};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use twinstep_drivers::recording::RecordingError;
use twinstep_drivers::recording::mcap::{CHUNK_NS, McapWriter};

/// Rounds of checkpoints from one that is written to the next: a replay may begin every ten seconds.
const EVERY_ROUND: u64 = 10;
/// So long after the last chunk (ns, of the computer's time) what is recorded is handed to the system in any case: it outlives this process.
const FLUSH_NS: u64 = CHUNK_NS;

/// Writes a run into an MCAP file.
pub struct SessionFile {
    writer: McapWriter,
    info: Arc<RunInfo>,
    flush_ns: u64,
    /// Chunks that were handed over when that was last looked at.
    flushes: u64,
    end: BTreeMap<String, String>,
    /// Events that found no room on the way here.
    events_missing: Arc<AtomicU64>,
}

impl SessionFile {
    /// Around a file that was begun; `events_missing` found no room on the way to it.
    pub fn new(writer: McapWriter, info: Arc<RunInfo>, events_missing: Arc<AtomicU64>) -> Self {
        Self {
            events_missing,
            writer,
            info,
            flush_ns: clock::monotonic_ns() + FLUSH_NS,
            flushes: 0,
            end: BTreeMap::new(),
        }
    }
}

/// An error of a recording, for the user.
pub(super) fn failed(error: RecordingError) -> HostError {
    HostError::machine(error.to_string(), "")
}

/// Writes one cycle with what is said of it.
fn write_record(
    writer: &mut McapWriter,
    utc_ns: u64,
    record: &Record,
) -> Result<(), RecordingError> {
    if !record.told.is_empty() {
        let cycle = record.stamp.cycle;
        let told = serde_json::json!({ "cycle": cycle, "command": record.told.as_str() });
        writer.command(utc_ns, cycle, &told.to_string())?;
    }
    if let Some((cycle, digest)) = record.digest {
        writer.digest(utc_ns, cycle, digest)?;
    }
    if let Some(part) = record
        .part
        .as_ref()
        .filter(|part| part.round.is_multiple_of(EVERY_ROUND))
        && let Some(part) = part.encode()
    {
        writer.checkpoint(utc_ns, &part)?;
    }
    writer.write(utc_ns, &record.stamp, &record.result, &record.image)
}

impl RecordSink for SessionFile {
    fn wants_checkpoints(&self) -> bool {
        true
    }

    fn write(&mut self, record: &Record) -> Result<(), HostError> {
        let utc_ns = self.info.utc_ns(record.stamp.time_ns);
        write_record(&mut self.writer, utc_ns, record).map_err(failed)
    }

    fn note(&mut self, note: &Note) -> Result<(), HostError> {
        match note {
            Note::Event {
                cycle,
                time_ns,
                json,
                ..
            } => {
                let utc_ns = self.info.utc_ns(*time_ns);
                self.writer.event(utc_ns, *cycle, json).map_err(failed)
            }
            Note::End { cycles, digest } => {
                self.end.insert("cycles".to_owned(), cycles.to_string());
                self.end
                    .insert("digest".to_owned(), format!("{digest:016x}"));
                Ok(())
            }
        }
    }

    fn bytes(&self) -> u64 {
        self.writer.bytes()
    }

    fn tick(&mut self) -> Result<(), HostError> {
        let now_ns = clock::monotonic_ns();
        let flushes = self.writer.flushes();
        if now_ns < self.flush_ns && flushes == self.flushes {
            return Ok(());
        }
        if flushes == self.flushes {
            self.writer.flush().map_err(failed)?;
        }
        self.flush_ns = now_ns + FLUSH_NS;
        self.flushes = self.writer.flushes();
        Ok(())
    }

    fn finish(self: Box<Self>, dropped: u64) -> Result<(), HostError> {
        let Self {
            writer,
            mut end,
            events_missing,
            info,
            ..
        } = *self;
        if let Some(trust) = info.trust() {
            end.insert("trust".to_owned(), trust.to_owned());
        }
        end.insert("cycles_missing".to_owned(), dropped.to_string());
        let events_missing = events_missing.load(Ordering::Relaxed).to_string();
        end.insert("events_missing".to_owned(), events_missing);
        writer.finish(&end).map_err(failed)
    }
}
