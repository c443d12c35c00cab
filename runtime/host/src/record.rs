//! What is recorded of a run besides its cycles, and the files that it goes into.
//!
//! The [recorder](crate::recorder) takes cycles from the cycle thread and hands them to sinks; here are the sinks that write
//! MCAP, and the queue by which the scribe's events come to them.

pub mod args;
pub mod checkpoint;
pub mod checks;
pub mod folder;
pub mod known;
pub mod lasting;
pub mod notes;
#[cfg(feature = "parquet")]
pub mod parquet;
pub mod ring;
pub mod session_file;
pub mod sinks;
pub mod tally;
pub mod window;

use std::path::Path;

/// Whether a recording of this name is to be MCAP.
pub fn named_mcap(path: &Path) -> bool {
    path.extension()
        .is_some_and(|ending| ending.eq_ignore_ascii_case("mcap"))
}
