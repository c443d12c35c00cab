//! About a second of the ring: cycles, and what is said beside them.

use crate::recorder::Record;
use twinstep_drivers::bus::ProcessImage;
use twinstep_drivers::recording::Rows;
use twinstep_drivers::recording::mcap::Checkpoint;

/// One thing of a chunk, in the order in which it came.
#[derive(Debug)]
pub(super) enum Entry {
    /// The next of the chunk's cycles.
    Row,
    /// A digest, and the cycle after which it holds.
    Digest(u64, u64),
    /// What the operator told the run, and the first cycle that it holds for.
    Told(u64, String),
    /// A part of a checkpoint.
    Part(Checkpoint),
}

/// It begins with a round of checkpoints, but for the first of a run.
#[derive(Debug)]
pub(super) struct Chunk {
    pub entries: Vec<Entry>,
    pub rows: Rows,
    /// Time of its first cycle (ns).
    pub from_ns: u64,
    /// The time from which on a replay that begins here does what the run did (ns): its round is whole.
    pub whole_ns: Option<u64>,
    /// Parts of its round so far, and its number.
    parts: u32,
    round: u64,
    /// Bytes of what is beside the cycles.
    beside: usize,
}

impl Chunk {
    pub fn new(image: &ProcessImage, record: &Record) -> Self {
        let from_ns = record.stamp.time_ns;
        Self {
            entries: Vec::new(),
            rows: Rows::new(image),
            from_ns,
            // A run begins with nothing, and so does its replay.
            whole_ns: (record.stamp.cycle == 0).then_some(from_ns),
            parts: 0,
            round: 0,
            beside: 0,
        }
    }

    /// Memory (bytes).
    pub fn bytes(&self) -> usize {
        self.rows.bytes() + self.beside + self.entries.len() * size_of::<Entry>()
    }

    /// Takes a record in; the part that it carries is `part`.
    pub fn push(&mut self, record: &Record, part: Option<Checkpoint>) {
        if !record.told.is_empty() {
            let told = Entry::Told(record.stamp.cycle, record.told.as_str().to_owned());
            self.beside += record.told.len();
            self.entries.push(told);
        }
        if let Some((cycle, digest)) = record.digest {
            self.entries.push(Entry::Digest(cycle, digest));
        }
        if let Some(part) = part {
            // A round of which a part was lost is none.
            let follows = part.part == self.parts && (part.part == 0 || part.round == self.round);
            if follows {
                (self.parts, self.round) = (self.parts + 1, part.round);
            }
            if self.parts == part.parts && self.whole_ns.is_none() {
                self.whole_ns = Some(record.stamp.time_ns);
            }
            self.beside += part.bytes.len();
            self.entries.push(Entry::Part(part));
        }
        if self.rows.push(&record.stamp, &record.result, &record.image) {
            self.entries.push(Entry::Row);
        }
    }
}
