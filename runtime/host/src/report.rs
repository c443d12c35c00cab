//! The page of one event: what the store has of it, and what a recording that holds its cycles adds.
//!
//! Curves are not recorded, they are predicted anew: the recording goes through the very pipeline that judged the run, up to a
//! little after the event. What is missing is said on the page, which comes out in any case.

mod gather;
mod html;
mod replayed;
mod svg;
mod trace;

use crate::error::HostError;
use gather::Gathered;
use replayed::Replayed;
use std::path::{Path, PathBuf};

/// Largest recording that is looked at unasked, the one that the run left beside its store (bytes).
const MAX_UNASKED_BYTES: u64 = 256 << 20;

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

/// Makes the page of event `seq` of the store in `folder`. Without `recording` the one that the run left of this event is taken,
/// where there is one.
///
/// # Errors
/// [`HostError::Usage`] where there is no such event, or a recording that was named cannot be read.
pub fn make(folder: &Path, seq: u64, recording: Option<&Path>) -> Result<Report, HostError> {
    let gathered = gather::gather(folder, seq)?;
    let (path, replayed) = match recording {
        Some(path) => {
            let replayed = replayed::replay(path, &gathered.event)?;
            (Some(path.to_owned()), replayed)
        }
        None => unasked(folder, &gathered),
    };
    Ok(finish(&gathered, path, replayed))
}

/// What the run left of this event, or of the one that it goes on from.
fn unasked(folder: &Path, gathered: &Gathered) -> (Option<PathBuf>, Result<Box<Replayed>, String>) {
    let left = [gathered.event.seq, gathered.raised_seq]
        .map(|seq| folder.join("events").join(format!("{seq}.mcap")));
    let found = left.iter().find_map(|path| {
        let bytes = std::fs::metadata(path).ok()?.len();
        Some((path.clone(), bytes))
    });
    let Some((path, bytes)) = found else {
        let none = "The run left no recording of this event: there are no curves. Name one with --recording.";
        return (None, Err(none.to_owned()));
    };
    if bytes > MAX_UNASKED_BYTES {
        let large = format!(
            "{} is too large to be looked at unasked: there are no curves. Name it with --recording.",
            path.display()
        );
        return (None, Err(large));
    }
    // What was not asked for must not keep the page from coming out.
    let replayed = replayed::replay(&path, &gathered.event);
    let replayed = replayed.unwrap_or_else(|error| Err(error.in_a_line()));
    (Some(path), replayed)
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
