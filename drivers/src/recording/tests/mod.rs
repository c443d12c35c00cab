mod context;
mod foreign;
mod own;

use super::*;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// A file of its own for every test, removed when the test is over.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Self {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        // Only uniqueness is needed, no order with anything else.
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("twinstep-recording-{}-{number}.csv", std::process::id());
        Self(std::env::temp_dir().join(name))
    }

    fn with(content: impl AsRef<[u8]>) -> Self {
        let scratch = Self::new();
        fs::write(&scratch.0, content).unwrap();
        scratch
    }
}

impl AsRef<Path> for Scratch {
    fn as_ref(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

fn open_error(
    content: impl AsRef<[u8]>,
    machine: &twinstep_config::machine::Machine,
) -> RecordingError {
    let file = Scratch::with(content);
    let error = RecordingBus::open(&file, machine).unwrap_err();
    let text = error.to_string();
    assert!(
        text.contains("twinstep-recording-"),
        "names the file: {text}"
    );
    assert!(text.contains(error.remedy()), "names the remedy: {text}");
    error
}
