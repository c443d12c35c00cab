//! Interrupts that this process has moved. Ports of one card may share one, those of two buses too, and end in any order: the last of them
//! puts it back as it was before the first.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// One of them.
#[derive(Debug)]
struct Moved {
    file: PathBuf,
    /// What the last port writes back.
    first: String,
    /// What the note of each port that has moved it says.
    noted: Vec<String>,
}

/// All of them.
#[derive(Debug)]
pub(super) struct All(Vec<Moved>);

static MOVED: Mutex<All> = Mutex::new(All(Vec::new()));

/// Those of this process. Who looks what stands in a file, and writes to it, holds this in between: buses start side by side.
pub(super) fn all() -> MutexGuard<'static, All> {
    MOVED.lock().unwrap_or_else(PoisonError::into_inner)
}

impl All {
    fn of(&self, file: &Path) -> Option<&Moved> {
        self.0.iter().find(|moved| moved.file == file)
    }

    /// What stood in `file` before its interrupt was moved, where it was.
    pub(super) fn first(&self, file: &Path) -> Option<&str> {
        self.of(file).map(|moved| moved.first.as_str())
    }

    /// Notes that a port has moved the interrupt of `file`, in which stood `first` by its note. One that `is_older` was left by an earlier run, and
    /// comes before what a port of this process has found.
    pub(super) fn note(&mut self, file: &Path, first: &str, is_older: bool) {
        let noted = first.to_owned();
        match self.0.iter_mut().find(|moved| moved.file == file) {
            Some(moved) => {
                if is_older {
                    moved.first.clone_from(&noted);
                }
                moved.noted.push(noted);
            }
            None => self.0.push(Moved {
                file: file.to_owned(),
                first: noted.clone(),
                noted: vec![noted],
            }),
        }
    }

    /// A port ends whose note says `noted`: puts the interrupt of `file` back, unless another port has moved it too. What stood in it before all
    /// of them.
    pub(super) fn put_back(&mut self, file: &Path, noted: &str) -> Option<String> {
        let at = self.0.iter().position(|moved| moved.file == file)?;
        let moved = &mut self.0[at];
        if let Some(own) = moved.noted.iter().position(|one| one == noted) {
            moved.noted.swap_remove(own);
        }
        let first = moved.first.clone();
        if moved.noted.is_empty() {
            self.0.swap_remove(at);
            let _ = std::fs::write(file, format!("{first}\n"));
        }
        Some(first)
    }

    /// Whether a port that has moved the interrupt of `file` has a note that says `cores`. It sets it back, or the next run does.
    pub(super) fn has_noted(&self, file: &Path, cores: &str) -> bool {
        self.of(file)
            .is_some_and(|moved| moved.noted.iter().any(|noted| noted == cores))
    }

    /// As if the process had been killed.
    #[cfg(test)]
    pub(super) fn forget(&mut self, file: &Path) {
        self.0.retain(|moved| moved.file != file);
    }
}
