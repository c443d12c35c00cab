//! What is cut out of the ring around an event: its file.

use super::chunk::{Chunk, Entry};
use crate::names::RunInfo;
use std::collections::{BTreeMap, VecDeque};
use twinstep_drivers::bus::ProcessImage;
use twinstep_drivers::recording::RecordingError;
use twinstep_drivers::recording::mcap::McapWriter;

/// A piece, from the event that it begins with to the end of its file.
pub(super) struct Piece {
    /// Time of the cycle that sent its first event, and of the last cycle that belongs to it (ns).
    pub first_ns: u64,
    pub end_ns: u64,
    /// Time of its first cycle (ns).
    pub from_ns: u64,
    /// Events that the run had sent by its end.
    pub sent: u64,
    /// All its cycles are in the file.
    pub written: bool,
    /// Its file, once the number of the event is known.
    pub writer: Option<McapWriter>,
    /// Where it stands in the ring: chunk since the start of the run, entry, cycle of the chunk.
    pub at: (u64, usize, usize),
    last_cycle: Option<u64>,
    missing: u64,
}

impl Piece {
    pub fn new(first_ns: u64, end_ns: u64, from: (u64, u64), sent: u64) -> Self {
        Self {
            first_ns,
            end_ns,
            from_ns: from.1,
            sent,
            written: false,
            writer: None,
            at: (from.0, 0, 0),
            last_cycle: None,
            missing: 0,
        }
    }

    /// Writes up to `rows` cycles of the ring, whose first chunk has the number `first`.
    pub fn write(
        &mut self,
        (first, chunks): (u64, &VecDeque<Chunk>),
        rows: usize,
        info: &RunInfo,
        image: &mut ProcessImage,
    ) -> Result<(), RecordingError> {
        let Some(writer) = &mut self.writer else {
            return Ok(());
        };
        let mut left = rows;
        // What the ring has given up is missing.
        if self.at.0 < first {
            self.at = (first, 0, 0);
        }
        while left > 0 && !self.written {
            let Ok(n) = usize::try_from(self.at.0 - first) else {
                break;
            };
            let Some(chunk) = chunks.get(n) else { break };
            let Some(entry) = chunk.entries.get(self.at.1) else {
                if n + 1 == chunks.len() {
                    break;
                }
                self.at = (self.at.0 + 1, 0, 0);
                continue;
            };
            // What is beside a cycle has the time of day of its chunk: the order counts.
            let utc_ns = info.utc_ns(chunk.from_ns);
            match entry {
                Entry::Row => {
                    if let Some((stamp, result)) = chunk.rows.get(self.at.2, image) {
                        if stamp.time_ns > self.end_ns {
                            self.written = true;
                            break;
                        }
                        if let Some(last) = self.last_cycle.replace(stamp.cycle) {
                            self.missing += (stamp.cycle - last).saturating_sub(1);
                        }
                        writer.write(info.utc_ns(stamp.time_ns), &stamp, &result, image)?;
                    }
                    self.at.2 += 1;
                    left -= 1;
                }
                Entry::Digest(cycle, digest) => writer.digest(utc_ns, *cycle, *digest)?,
                Entry::Told(cycle, told) => {
                    let told = serde_json::json!({ "cycle": cycle, "command": told });
                    writer.command(utc_ns, *cycle, &told.to_string())?;
                }
                Entry::Part(part) => writer.checkpoint(utc_ns, part)?,
            }
            self.at.1 += 1;
        }
        Ok(())
    }

    /// Ends the file.
    pub fn finish(self) -> Result<(), RecordingError> {
        let Some(writer) = self.writer else {
            return Ok(());
        };
        writer.finish(&BTreeMap::from([(
            "cycles_missing".to_owned(),
            self.missing.to_string(),
        )]))
    }
}
