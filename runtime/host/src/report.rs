//! The page of one event: what the store has of it, and what a recording that holds its cycles adds.
//!
//! Curves are not recorded, they are predicted anew: the recording goes through the very pipeline that judged the run, up to a
//! little after the event. What is missing is said on the page, which comes out in any case.

mod gather;
pub(crate) mod html;
mod replayed;
pub(crate) mod svg;
mod trace;

use crate::error::HostError;
use crate::record::ring;
use gather::Gathered;
use replayed::Replayed;
use std::path::{Path, PathBuf};
use twinstep_drivers::recording::MAX_BYTES;

/// Largest recording that is looked at unasked, the one that the run left beside its store (bytes).
const MAX_UNASKED_BYTES: u64 = 256 << 20;
/// Most memory that its rows may take once they are read (bytes): a file holds them compressed, and a gateway has 512 MiB for all it does.
const MAX_UNASKED_ROWS: usize = 128 << 20;

/// Most recordings that are looked at for an event.
const MAX_LOOKED_AT: usize = 8;

/// One page.
#[derive(Debug)]
pub struct Report {
    /// HTML: one file that loads nothing.
    pub html: String,
    /// The recording that the curves come from; none where there are none.
    pub recording: Option<PathBuf>,
    /// What is missing on the page, in words.
    pub missing: Vec<String>,
}

/// Makes the page of event `seq` of the store in `folder`. What people did stands in the gateway's book in the folder `book`, that of
/// the store unless given. Without `recording` the one that the run left of this event is taken, where there is one.
///
/// # Errors
/// [`HostError::Usage`] where there is no such event, or a recording that was named cannot be read.
pub fn make(
    folder: &Path,
    book: Option<&Path>,
    seq: u64,
    recording: Option<&Path>,
) -> Result<Report, HostError> {
    let gathered = gather::gather(folder, book.unwrap_or(folder), seq)?;
    let (path, replayed) = match recording {
        Some(path) => {
            let replayed = replayed::replay(path, &gathered.event, MAX_BYTES)?;
            (Some(path.to_owned()), replayed)
        }
        None => unasked(folder, &gathered),
    };
    Ok(finish(&gathered, path, replayed))
}

/// What the run left of this event. Events close to each other share a file, which has the number of the first; several buses write
/// side by side.
fn unasked(folder: &Path, gathered: &Gathered) -> (Option<PathBuf>, Result<Box<Replayed>, String>) {
    let none =
        "The run left no recording of this event: there are no curves. Name one with --recording.";
    let mut why = none.to_owned();
    for path in left(&folder.join(ring::FOLDER), gathered.event.seq) {
        if std::fs::metadata(&path).map_or(0, |about| about.len()) > MAX_UNASKED_BYTES {
            why = format!(
                "{} is too large to be looked at unasked: there are no curves. Name it with --recording.",
                path.display()
            );
            continue;
        }
        // What was not asked for must not keep the page from coming out.
        match replayed::replay(&path, &gathered.event, MAX_UNASKED_ROWS) {
            Ok(Ok(replayed)) => return (Some(path), Ok(replayed)),
            Ok(Err(other)) => why = other,
            Err(error) => why = error.in_a_line(),
        }
    }
    (None, Err(why))
}

/// Recordings of events that may hold event `seq`, the likeliest first.
fn left(folder: &Path, seq: u64) -> Vec<PathBuf> {
    let files = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut numbers: Vec<u64> = files
        .filter_map(|file| ring::event_of(&file.file_name()))
        .filter(|number| *number <= seq)
        .collect();
    numbers.sort_unstable_by(|a, b| b.cmp(a));
    numbers.truncate(MAX_LOOKED_AT);
    let path = |number| folder.join(ring::file_name(number));
    numbers.into_iter().map(path).collect()
}

fn finish(
    gathered: &Gathered,
    path: Option<PathBuf>,
    replayed: Result<Box<Replayed>, String>,
) -> Report {
    let mut missing = gathered.missing.clone();
    let replayed = replayed.map_err(|why| missing.push(why)).ok();
    if let Some(replayed) = &replayed {
        missing.extend(replayed.missing.iter().cloned());
    }
    Report {
        html: html::page(gathered, replayed.as_deref(), path.as_deref(), &missing),
        recording: path.filter(|_| replayed.is_some()),
        missing,
    }
}
