//! What became of a recording, for the summary of its run.

use crate::recorder::Drops;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

/// Counted by the recorder's thread, told at the end.
#[derive(Debug, Default)]
pub struct Tally {
    /// Files that were begun.
    pub files: AtomicU64,
    /// Files that were removed to keep within the limit.
    pub removed: AtomicU64,
    /// Cycles that came to the recorder and could not be written.
    pub lost: AtomicU64,
    /// Events that came to the recorder and could not be written.
    pub events_lost: AtomicU64,
    failure: Mutex<Option<String>>,
}

impl Tally {
    /// Adds to one of the counts.
    pub fn add(count: &AtomicU64, more: u64) {
        count.fetch_add(more, Ordering::Relaxed);
    }

    /// Keeps the first reason.
    pub fn failed(&self, why: &str) {
        let mut failure = self.failure.lock().unwrap_or_else(PoisonError::into_inner);
        failure.get_or_insert_with(|| why.to_owned());
    }
}

/// A recording while it goes on.
#[derive(Debug)]
pub struct Progress {
    /// The file or folder.
    pub path: PathBuf,
    /// What the recorder's thread counts.
    pub tally: Arc<Tally>,
    /// What the cycle counts.
    pub drops: Drops,
    /// Events that found no room on the way.
    pub events_missing: Arc<AtomicU64>,
}

impl Progress {
    /// As it stands now.
    pub fn line(&self) -> RecordingLine {
        let events_missing = self.events_missing.load(Ordering::Relaxed);
        RecordingLine::of(&self.path, &self.tally, self.drops.count(), events_missing)
    }
}

/// A recording in the summary of its run, and in the status while it goes on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordingLine {
    /// The file, or the folder of its files.
    pub path: String,
    /// Files that were begun.
    pub files: u64,
    /// Older files that were removed to keep the folder within its limit.
    pub files_removed: u64,
    /// Cycles that are missing: the disk did not keep up, or took no more.
    pub cycles_missing: u64,
    /// Events that are missing in it; they are in the store.
    pub events_missing: u64,
    /// The first reason why something could not be written; absent where there was none.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub failure: Option<String>,
}

impl RecordingLine {
    /// What came of the recording at `path`; so many cycles never came to the recorder, so many events found no room on the way.
    pub fn of(path: &Path, tally: &Tally, dropped: u64, events_missing: u64) -> Self {
        let count = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let failure = tally.failure.lock().unwrap_or_else(PoisonError::into_inner);
        Self {
            path: path.display().to_string(),
            files: count(&tally.files),
            files_removed: count(&tally.removed),
            cycles_missing: dropped.saturating_add(count(&tally.lost)),
            events_missing: events_missing.saturating_add(count(&tally.events_lost)),
            failure: failure.clone(),
        }
    }

    /// What a person should know of it; nothing where all went well.
    pub fn text(&self) -> Option<String> {
        let mut told = Vec::new();
        if self.cycles_missing > 0 {
            let why = match &self.failure {
                None => "the disk did not keep up",
                Some(why) => why,
            };
            told.push(format!(
                "{} cycles are missing in the recording: {why}",
                self.cycles_missing
            ));
        }
        if self.events_missing > 0 {
            told.push(format!(
                "{} events are missing in the recording; they are in the store",
                self.events_missing
            ));
        }
        if self.files_removed > 0 {
            told.push(format!(
                "{} older files of {} were removed to keep within the limit",
                self.files_removed, self.path
            ));
        }
        (!told.is_empty()).then(|| told.join("\n"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_told_with_its_reason() {
        let tally = Tally::default();
        let line = RecordingLine::of(Path::new("r"), &tally, 0, 0);
        assert_eq!(line.text(), None);
        Tally::add(&tally.lost, 3);
        let text = RecordingLine::of(Path::new("r"), &tally, 2, 0).text();
        assert!(text.unwrap().starts_with("5 cycles"));
        tally.failed("no space");
        tally.failed("something later");
        Tally::add(&tally.removed, 1);
        let line = RecordingLine::of(Path::new("r"), &tally, 0, 7);
        let text = line.text().unwrap();
        assert!(text.contains("3 cycles are missing in the recording: no space"));
        assert!(text.contains("7 events") && text.contains("1 older files of r"));
    }
}
