//! Files that are read again when they change while the gateway runs.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How often files are looked at.
pub const LOOK: Duration = Duration::from_millis(500);

/// What tells a file from what it was: which one it is, its length, when it was written; none where there is none.
type Seen = Option<(u64, u64, i64, i64)>;

/// Files that belong together.
pub struct Files {
    paths: Vec<PathBuf>,
    seen: Vec<Seen>,
    read: Option<Vec<Seen>>,
}

impl Files {
    /// Those at `paths`. Nobody has read them yet: they count as changed once.
    pub fn new<'a>(paths: impl IntoIterator<Item = &'a Path>) -> Self {
        let paths: Vec<_> = paths.into_iter().map(Path::to_owned).collect();
        let seen = look(&paths);
        Self {
            paths,
            seen,
            read: None,
        }
    }

    /// The same; they are read from here on as they are now.
    pub fn about_to_be_read(self) -> Self {
        let read = Some(self.seen.clone());
        Self { read, ..self }
    }

    /// Waits until one of them has become another one. A file that is being written is another one at the next look: they are told when two
    /// looks have found the same.
    pub async fn changed(&mut self) {
        loop {
            tokio::time::sleep(LOOK).await;
            let now = look(&self.paths);
            let before = std::mem::replace(&mut self.seen, now);
            if self.seen == before && self.read.as_ref() != Some(&self.seen) {
                self.read = Some(self.seen.clone());
                return;
            }
        }
    }
}

fn look(paths: &[PathBuf]) -> Vec<Seen> {
    let seen = paths.iter().map(|path| {
        let file = std::fs::metadata(path).ok()?;
        Some((file.ino(), file.len(), file.mtime(), file.mtime_nsec()))
    });
    seen.collect()
}
