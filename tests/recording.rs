//! Recordings as a reader sees them that nobody here wrote.

use crate::root;
use crate::run::Place;
use serde_json::Value;
use std::path::Path;

/// What the second reader says of a file: read from front to back and as far as it is whole with `cut`, by its index without.
///
/// # Panics
/// Where it fails.
#[must_use]
pub fn read(place: &Place, python: &Path, file: &Path, cut: &str) -> Value {
    let script = root().join("tests/recordings/read.py");
    let args = format!("{} {} {cut}", script.display(), file.display());
    let run = place.run(python, args.trim_end()).fine();
    serde_json::from_str(&run.stdout).unwrap_or_else(|error| panic!("{error}: {run:?}"))
}
