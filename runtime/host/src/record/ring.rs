//! The ring: the last seconds of a run that keeps them, in memory, and a file of them around each event.
//!
//! A deviation that is raised, or any other event that begins, opens a piece: from [`BEFORE_NS`] before it, and a whole round of
//! checkpoints more, to [`AFTER_NS`] after it. An event within a piece prolongs it, up to [`LONGEST_NS`] after the first: they share
//! the file, which has the number of the first. A file is begun as soon as the event is stored and has its number, and written some
//! cycles at a time, so that no cycle is held up. When the folder has more than `MAX_FILES` files or `MAX_BYTES` the oldest go.

mod chunk;
mod keep;
mod piece;

pub use keep::{FOLDER, event_of, file_name};
use keep::{MAX_BYTES, MAX_FILES};

use super::notes::Note;
use crate::clock;
use crate::names::RunInfo;
use crate::recorder::Record;
use chunk::Chunk;
use piece::Piece;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use twinstep_config::machine::Machine;
use twinstep_drivers::bus::ProcessImage;
use twinstep_drivers::recording::RecordingError;
use twinstep_drivers::recording::mcap::{CHUNK_NS, Description, McapWriter};

/// Time before an event that its file holds (ns).
pub const BEFORE_NS: u64 = 10_000_000_000;
/// Time after an event that its file holds (ns).
pub const AFTER_NS: u64 = 5_000_000_000;
/// Most time between the first event of a file and its end (ns).
pub const LONGEST_NS: u64 = 60_000_000_000;
/// Most memory of the ring (bytes): with more process data a second it holds less time.
pub const MEMORY_BYTES: usize = 64 << 20;
/// Most files that are written at a time.
const MAX_PIECES: usize = 4;
/// Most lines of events that are kept for files to come.
const MAX_LINES: usize = 4096;
/// Cycles that are written into a file with each that is recorded: it catches up within a fifteenth of its time.
const ROWS: usize = 16;
/// In real time, how long events are waited for after the end of a piece (ns of the run).
const PATIENCE_NS: u64 = 2_000_000_000;
/// What was written is in the system's hands after so long (ns).
const FLUSH_NS: u64 = CHUNK_NS;

/// Why a piece has no file.
const NOT_STORED: &str = "an event was not stored, so that its recording has no number";

/// What became of the pieces.
#[derive(Debug, Default)]
pub struct RingCounts {
    /// Files written.
    pub written: AtomicU64,
    /// Older files removed.
    pub removed: AtomicU64,
    /// Pieces without a file, or whose file is not whole.
    pub failed: AtomicU64,
    trouble: Mutex<Option<String>>,
}

impl RingCounts {
    /// Whether there is a file.
    pub fn has_written(&self) -> bool {
        self.written.load(Ordering::Relaxed) > 0
    }

    /// As they stand now.
    pub fn line(&self) -> EventRecordingsLine {
        let [written, removed, failed] =
            [&self.written, &self.removed, &self.failed].map(|n| n.load(Ordering::Relaxed));
        EventRecordingsLine {
            written,
            removed,
            failed,
            failure: self.trouble(),
        }
    }

    /// Why the last one failed, in words.
    fn trouble(&self) -> Option<String> {
        let trouble = self.trouble.lock();
        trouble.unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn fail(&self, why: String) {
        self.failed.fetch_add(1, Ordering::Relaxed);
        *self.trouble.lock().unwrap_or_else(PoisonError::into_inner) = Some(why);
    }
}

/// What became of the recordings around events, in a status.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventRecordingsLine {
    /// Files written.
    pub written: u64,
    /// Older files that were removed to keep the folder within its bounds.
    pub removed: u64,
    /// Events without a whole file.
    pub failed: u64,
    /// Why the last of them has none; absent where all have.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub failure: Option<String>,
}

/// A stored event, as files have it.
struct Line {
    cycle: u64,
    time_ns: u64,
    json: String,
}

/// See the module. It belongs to the recorder's thread.
pub struct Ring {
    machine: Machine,
    description: Description,
    info: Arc<RunInfo>,
    folder: PathBuf,
    real_time: bool,
    image: ProcessImage,
    chunks: VecDeque<Chunk>,
    /// Number of the first of them since the start of the run.
    first: u64,
    lines: VecDeque<Line>,
    /// Events that were noted, and that the last record knew to be sent.
    noted: u64,
    pieces: Vec<Piece>,
    newest_ns: u64,
    flush_ns: u64,
    counts: Arc<RingCounts>,
}

impl Ring {
    /// An empty ring, whose files go into `folder`. `real_time`: nobody waits for an event to be stored.
    pub fn new(
        machine: &Machine,
        description: Description,
        info: Arc<RunInfo>,
        folder: PathBuf,
        image: &ProcessImage,
        real_time: bool,
    ) -> Self {
        Self {
            machine: machine.clone(),
            description,
            info,
            folder,
            real_time,
            image: image.clone(),
            chunks: VecDeque::new(),
            first: 0,
            lines: VecDeque::new(),
            noted: 0,
            pieces: Vec::new(),
            newest_ns: 0,
            flush_ns: 0,
            counts: Arc::default(),
        }
    }

    /// What becomes of the pieces.
    pub fn counts(&self) -> Arc<RingCounts> {
        Arc::clone(&self.counts)
    }

    /// Takes a cycle in.
    pub fn write(&mut self, record: &Record) {
        let part = record.part.as_ref().and_then(|part| part.encode());
        let begins = part.as_ref().is_some_and(|part| part.part == 0);
        // Where no round comes, memory is bounded all the same.
        let full = self
            .chunks
            .back()
            .is_none_or(|chunk| chunk.bytes() > MEMORY_BYTES / 2);
        if begins || full {
            self.chunks.push_back(Chunk::new(&self.image, record));
        }
        if let Some(chunk) = self.chunks.back_mut() {
            chunk.push(record, part);
        }
        // What is said to be raised was sent after the record before this one.
        let since_ns = self.newest_ns.min(record.stamp.time_ns);
        self.newest_ns = record.stamp.time_ns;
        if record.raised {
            self.raise(since_ns, record.events);
        }
        for piece in &mut self.pieces {
            if self.newest_ns <= piece.end_ns {
                piece.sent = record.events;
            }
        }
        self.work(ROWS);
        self.give_up();
    }

    /// An event began at `since_ns` or a little later; the run has sent `sent` by now. Opens a piece or prolongs the last one.
    fn raise(&mut self, since_ns: u64, sent: u64) {
        let now_ns = self.newest_ns;
        let until_ns = now_ns.saturating_add(AFTER_NS);
        if let Some(piece) = self
            .pieces
            .last_mut()
            .filter(|piece| since_ns <= piece.end_ns)
        {
            let most_ns = piece.first_ns.saturating_add(LONGEST_NS);
            piece.end_ns = until_ns.min(most_ns).max(piece.end_ns);
            return;
        }
        if self.pieces.len() >= MAX_PIECES {
            self.counts.fail(format!(
                "more than {MAX_PIECES} recordings of events at a time"
            ));
            return;
        }
        let from_ns = since_ns.saturating_sub(BEFORE_NS);
        let mut chunks = self.chunks.iter();
        let from = chunks
            .rposition(|chunk| chunk.whole_ns.is_some_and(|whole_ns| whole_ns <= from_ns))
            .unwrap_or(0);
        let begins_ns = self.chunks.get(from).map_or(now_ns, |chunk| chunk.from_ns);
        let from = (self.first + from as u64, begins_ns);
        let piece = Piece::new(since_ns, until_ns, from, sent);
        self.pieces.push(piece);
    }

    /// Takes a stored event in.
    pub fn note(&mut self, note: &Note) {
        let Note::Event {
            seq,
            cycle,
            time_ns,
            raised,
            json,
        } = note
        else {
            return;
        };
        self.noted += 1;
        if self.lines.len() >= MAX_LINES {
            self.lines.pop_front();
        }
        self.lines.push_back(Line {
            cycle: *cycle,
            time_ns: *time_ns,
            json: json.clone(),
        });
        let slack_ns = 2 * self.machine.cycle.period_ns;
        // An event that is stored before the cycle that tells of it comes, or that no cycle tells of any more.
        let covered =
            |piece: &Piece| *time_ns + slack_ns >= piece.first_ns && *time_ns <= piece.end_ns;
        if *raised && !self.chunks.is_empty() && !self.pieces.iter().any(covered) {
            self.raise(*time_ns, self.noted);
        }
        let mut broken = Vec::new();
        for (n, piece) in self.pieces.iter_mut().enumerate() {
            if *time_ns + slack_ns < piece.from_ns || *time_ns > piece.end_ns {
                continue;
            }
            let written = if let Some(writer) = &mut piece.writer {
                writer.event(self.info.utc_ns(*time_ns), *cycle, json)
            } else if *raised && *time_ns + slack_ns >= piece.first_ns {
                let path = self.folder.join(keep::file_name(*seq));
                let lines =
                    (self.lines.iter()).filter(|line| line.time_ns + slack_ns >= piece.from_ns);
                // Room first: also what could not be ended counts.
                let removed = keep::prune(&self.folder, MAX_FILES, MAX_BYTES).unwrap_or(0);
                self.counts.removed.fetch_add(removed, Ordering::Relaxed);
                begin(&path, &self.machine, &self.description, *seq).and_then(|mut writer| {
                    for line in lines {
                        writer.event(self.info.utc_ns(line.time_ns), line.cycle, &line.json)?;
                    }
                    piece.writer = Some(writer);
                    Ok(())
                })
            } else {
                Ok(())
            };
            if let Err(error) = written {
                broken.push((n, error));
            }
        }
        for (n, error) in broken.into_iter().rev() {
            self.counts.fail(error.to_string());
            self.pieces.remove(n);
        }
    }

    /// Whether, in virtual time, the events of a piece are to be waited for.
    pub fn wants_note(&self) -> bool {
        let waits = |piece: &Piece| self.newest_ns > piece.end_ns && self.noted < piece.sent;
        !self.real_time && self.pieces.iter().any(waits)
    }

    /// An event that was waited for did not come: from here on nobody waits.
    pub fn miss_note(&mut self) {
        self.real_time = true;
    }

    /// What was written outlives this process.
    pub fn tick(&mut self) {
        if self.pieces.is_empty() {
            return;
        }
        let now_ns = clock::monotonic_ns();
        if now_ns < self.flush_ns {
            return;
        }
        self.flush_ns = now_ns + FLUSH_NS;
        for writer in self
            .pieces
            .iter_mut()
            .filter_map(|piece| piece.writer.as_mut())
        {
            // A file that cannot be written fails with its next cycle.
            let _ = writer.flush();
        }
    }

    /// Writes up to `rows` cycles into every open file, and ends those that are whole.
    fn work(&mut self, rows: usize) {
        if self.pieces.is_empty() {
            return;
        }
        for mut piece in core::mem::take(&mut self.pieces) {
            let ring = (self.first, &self.chunks);
            if let Err(error) = piece.write(ring, rows, &self.info, &mut self.image) {
                self.counts.fail(error.to_string());
                continue;
            }
            let late = self.newest_ns > piece.end_ns.saturating_add(PATIENCE_NS) && self.real_time;
            let told = self.noted >= piece.sent || late;
            if piece.written && told {
                self.end(piece);
            } else if piece.writer.is_none() && self.newest_ns > piece.end_ns && told {
                self.counts.fail(NOT_STORED.to_owned());
            } else {
                self.pieces.push(piece);
            }
        }
    }

    fn end(&mut self, piece: Piece) {
        match piece.finish() {
            Ok(()) => self.counts.written.fetch_add(1, Ordering::Relaxed),
            Err(error) => return self.counts.fail(error.to_string()),
        };
        match keep::prune(&self.folder, MAX_FILES, MAX_BYTES) {
            Ok(removed) => {
                self.counts.removed.fetch_add(removed, Ordering::Relaxed);
            }
            Err(error) => {
                let folder = self.folder.display();
                self.counts
                    .fail(format!("{folder}: old files cannot be removed: {error}"));
            }
        }
    }

    /// Gives up what is older than the ring holds, and no file waits for.
    fn give_up(&mut self) {
        let from_ns = self.newest_ns.saturating_sub(BEFORE_NS);
        let needed = self.pieces.iter().map(|piece| piece.at.0).min();
        loop {
            let Some(next) = self.chunks.get(1) else {
                return;
            };
            let old = next.whole_ns.is_some_and(|whole_ns| whole_ns <= from_ns)
                && needed.is_none_or(|needed| needed > self.first);
            let full = || self.chunks.iter().map(Chunk::bytes).sum::<usize>() > MEMORY_BYTES;
            if !old && !full() {
                return;
            }
            self.chunks.pop_front();
            self.first += 1;
            let kept_ns = self.chunks.front().map_or(0, |chunk| chunk.from_ns);
            while (self.lines.front()).is_some_and(|line| line.time_ns < kept_ns) {
                self.lines.pop_front();
            }
        }
    }

    /// The run has ended: what belongs to open pieces is written.
    pub fn finish(mut self) {
        self.work(usize::MAX);
        for piece in core::mem::take(&mut self.pieces) {
            if piece.writer.is_some() {
                self.end(piece);
            } else {
                self.counts.fail(NOT_STORED.to_owned());
            }
        }
    }
}

/// Begins the file of event `seq`.
fn begin(
    path: &std::path::Path,
    machine: &Machine,
    description: &Description,
    seq: u64,
) -> Result<McapWriter, RecordingError> {
    let mut description = description.clone();
    let facts = &mut description.facts;
    facts.insert("event".to_owned(), seq.to_string());
    if let Some(folder) = path.parent() {
        // What is wrong with it shows when the file is made.
        let _ = std::fs::create_dir_all(folder);
    }
    McapWriter::create(path, machine, &description)
}

#[cfg(test)]
#[path = "ring_tests.rs"]
mod tests;
