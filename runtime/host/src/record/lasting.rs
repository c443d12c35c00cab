//! A recording that outlasts a disk that takes no more: it is said once, what is missing is counted, and the run goes on.
//!
//! In a folder it begins another file as soon as there is room; a file alone ends there.

use super::folder::Folder;
use super::notes::Note;
use super::tally::Tally;
use crate::clock;
use crate::error::HostError;
use crate::names::RunInfo;
use crate::recorder::{Record, RecordSink};
use std::path::Path;
use std::sync::Arc;

/// Time between two attempts to begin another file (ns).
const AGAIN_NS: u64 = 2_000_000_000;

/// Begins a file.
pub type Begin = Box<dyn FnMut(&Path) -> Result<Box<dyn RecordSink>, HostError> + Send>;
/// Says something to the user, where that is possible.
pub type Say = Box<dyn Fn(&str) + Send>;

/// Files of a folder, one after the other.
pub struct Files {
    /// The folder.
    pub folder: Folder,
    /// How one is begun.
    pub begin: Begin,
    /// Time of day.
    pub info: Arc<RunInfo>,
}

/// See the module.
pub struct Lasting {
    /// What is written into; none while nothing can be.
    file: Option<Box<dyn RecordSink>>,
    /// Where others come from; none: it is the only one.
    files: Option<Files>,
    /// Time of the file's first cycle (ns of the run).
    since_ns: u64,
    /// The cycle before, and those that are missing in the file, the gap before it included.
    last: Option<u64>,
    missing: u64,
    /// Bytes that the file had, and cycles that came since: they are lost where it takes no more.
    bytes: u64,
    unsure: u64,
    /// Not before (ns, monotonic).
    again_ns: u64,
    broken: Option<HostError>,
    tally: Arc<Tally>,
    say: Say,
}

impl Lasting {
    /// One file.
    pub fn file(file: Box<dyn RecordSink>, tally: Arc<Tally>, say: Say) -> Self {
        Tally::add(&tally.files, 1);
        Self::new(Some(file), None, tally, say)
    }

    /// The files of a folder; the first is begun with the first cycle.
    pub fn files(files: Files, tally: Arc<Tally>, say: Say) -> Self {
        Self::new(None, Some(files), tally, say)
    }

    fn new(
        file: Option<Box<dyn RecordSink>>,
        files: Option<Files>,
        tally: Arc<Tally>,
        say: Say,
    ) -> Self {
        Self {
            file,
            files,
            since_ns: 0,
            last: None,
            missing: 0,
            bytes: 0,
            unsure: 0,
            again_ns: 0,
            broken: None,
            tally,
            say,
        }
    }

    /// Whether there is a file to write `record` into, after one more was begun where that is due.
    fn ready(&mut self, record: &Record) -> bool {
        let time_ns = record.stamp.time_ns;
        if let (Some(files), Some(file)) = (&self.files, &self.file)
            && files.folder.is_full(file.bytes(), self.since_ns, time_ns)
            && let Some(full) = self.file.take()
            && let Err(error) = full.finish(self.missing)
        {
            self.fail(error);
        }
        if self.file.is_some() {
            return true;
        }
        let Some(files) = &mut self.files else {
            return false;
        };
        if self.broken.is_some() && clock::monotonic_ns() < self.again_ns {
            return false;
        }
        let utc_ns = files.info.utc_ns(time_ns);
        let begun = files
            .folder
            .next(utc_ns, record.stamp.cycle)
            .and_then(|(path, removed)| {
                Tally::add(&self.tally.removed, removed);
                let begun = (files.begin)(&path).inspect_err(|_| {
                    // Nothing of use is in it.
                    let _ = std::fs::remove_file(&path);
                })?;
                Ok((begun, path))
            });
        match begun {
            Ok((file, path)) => {
                self.file = Some(file);
                self.since_ns = time_ns;
                (self.missing, self.bytes, self.unsure) = (0, 0, 0);
                Tally::add(&self.tally.files, 1);
                if self.broken.take().is_some() {
                    (self.say)(&format!(
                        "the recording goes on in {} from cycle {} on",
                        path.display(),
                        record.stamp.cycle
                    ));
                }
                true
            }
            Err(error) => {
                self.fail(error);
                false
            }
        }
    }

    /// What is being written takes no more.
    fn fail(&mut self, error: HostError) {
        self.file = None;
        Tally::add(&self.tally.lost, std::mem::take(&mut self.unsure));
        self.again_ns = clock::monotonic_ns().saturating_add(AGAIN_NS);
        self.tally.failed(&error.in_a_line());
        if self.broken.is_none() {
            let after = self
                .last
                .map_or_else(String::new, |cycle| format!(" after about cycle {cycle}"));
            let then = if self.files.is_some() {
                "it is tried again"
            } else {
                "the recording ends there"
            };
            (self.say)(&format!(
                "nothing can be recorded{after}, the run goes on: {}; {then}",
                error.in_a_line()
            ));
            self.broken = Some(error);
        }
    }
}

impl RecordSink for Lasting {
    fn write(&mut self, record: &Record) -> Result<(), HostError> {
        let cycle = record.stamp.cycle;
        let ready = self.ready(record);
        let gap = self.last.map_or(0, |last| cycle.saturating_sub(last + 1));
        self.last = Some(cycle);
        self.missing += gap;
        let Some(file) = self.file.as_mut().filter(|_| ready) else {
            Tally::add(&self.tally.lost, 1);
            return Ok(());
        };
        self.unsure += 1;
        match file.write(record) {
            Ok(()) => {
                let bytes = file.bytes();
                // Where bytes are not counted nothing is known of the last ones.
                if bytes == 0 || bytes != self.bytes {
                    (self.bytes, self.unsure) = (bytes, 0);
                }
            }
            Err(error) => self.fail(error),
        }
        Ok(())
    }

    fn note(&mut self, note: &Note) -> Result<(), HostError> {
        let event = u64::from(matches!(note, Note::Event { .. }));
        match self.file.as_mut().map(|file| file.note(note)) {
            Some(Ok(())) => {}
            // With the first cycle comes the first file: what was noted before belongs to none.
            None if self.last.is_none() => {}
            None => Tally::add(&self.tally.events_lost, event),
            Some(Err(error)) => {
                Tally::add(&self.tally.events_lost, event);
                self.fail(error);
            }
        }
        Ok(())
    }

    fn wants_checkpoints(&self) -> bool {
        // The files of a folder are MCAP.
        let file = self.file.as_ref().map(|file| file.wants_checkpoints());
        file.unwrap_or(self.files.is_some())
    }

    fn tick(&mut self) -> Result<(), HostError> {
        if let Some(Err(error)) = self.file.as_mut().map(|file| file.tick()) {
            self.fail(error);
        }
        Ok(())
    }

    fn finish(mut self: Box<Self>, dropped: u64) -> Result<(), HostError> {
        if let Some(file) = self.file.take() {
            // Of one file alone the recorder knows more: cycles after the last one that came, too.
            let missing = if self.files.is_some() {
                self.missing
            } else {
                dropped
            };
            if let Err(error) = file.finish(missing) {
                self.fail(error);
            }
        }
        self.broken.map_or(Ok(()), Err)
    }
}

#[cfg(test)]
#[path = "lasting_tests.rs"]
mod tests;
