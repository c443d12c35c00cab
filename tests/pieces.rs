//! Recordings around events, as a run leaves them in its state folder.
#![allow(
    clippy::unwrap_used,
    reason = "a test fails by panicking, its helpers too"
)]

use crate::release_binary;
use crate::run::Place;
use serde_json::Value;
use std::path::{Path, PathBuf};

/// Recordings of events below the state folder `state`, by the number of their event.
///
/// # Panics
/// Where there is no such folder, or something else lies in it.
#[must_use]
pub fn pieces(state: &Path) -> Vec<(u64, PathBuf)> {
    let folder = std::fs::read_dir(state.join("events")).unwrap();
    let mut all: Vec<_> = folder
        .map(|entry| {
            let path = entry.unwrap().path();
            let number = path.file_stem().unwrap().to_str().unwrap().parse().unwrap();
            (number, path)
        })
        .collect();
    all.sort();
    all
}

/// Replays the recording of each event of a run in real time, whose `lines` say which were raised. Each must do what the run did and
/// raise its event, unless that is one of frames; one of a computer that stood still for too long says that cycles are missing. Returns how many were replayed.
///
/// # Panics
/// Where one does not.
pub fn replayed(place: &Place, state: &Path, lines: &[Value]) -> usize {
    let all = pieces(state);
    for (number, path) in &all {
        let raised = lines
            .iter()
            .find(|line| line["type"] == "event" && line["seq"] == *number);
        let raised = raised.unwrap_or_else(|| panic!("no event {number} for {}", path.display()));
        let replay = format!("replay {} --json", path.display());
        let run = place.run(release_binary(), &replay).fine();
        if run.stderr.contains("are missing") {
            println!("{number}: {}", run.stderr);
            continue;
        }
        assert!(run.stderr.contains("as the run was"), "{number}: {run:?}");
        // Frames are no matter of the machine: a replay has none.
        if raised["source"] == "bus" {
            continue;
        }
        let same = run.of_type("event").into_iter().any(|event| {
            ["source", "channel", "cycle", "measured", "predicted"]
                .iter()
                .all(|key| event[*key] == raised[*key])
        });
        assert!(same, "{number}: {raised} is not in {run:?}");
    }
    all.len()
}
