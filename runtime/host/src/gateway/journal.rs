//! The event store as the sinks see it: a number that grows, and pages to read.
//!
//! A thread of its own looks at the store, because SQLite blocks. It only reads: nobody here can hold up the scribe.

use crate::store::{FILE, StoreError, StoreReader, StoredEvent};
use crate::store_reader::wal_path;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::watch;

/// How often the store is looked at.
const LOOK: Duration = Duration::from_millis(50);
/// How often a store is looked for that is not there.
const RETRY: Duration = Duration::from_secs(1);
/// Most events of a page.
pub const MAX_PAGE: usize = 512;

/// The store. Clones share it.
#[derive(Clone, Debug)]
pub struct Journal {
    shared: Arc<Shared>,
    last: watch::Receiver<u64>,
}

#[derive(Debug)]
struct Shared {
    folder: PathBuf,
    /// The open store, and the file that it is (its inode).
    reader: Mutex<Option<(StoreReader, u64)>>,
}

impl Shared {
    /// Reads with the open store; an error closes it, so that the next call opens whatever is there then.
    fn with<T>(
        &self,
        read: impl FnOnce(&StoreReader) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        // A panic while reading leaves a reader that still reads.
        let mut slot = self.reader.lock().unwrap_or_else(PoisonError::into_inner);
        let file = std::fs::metadata(self.folder.join(FILE)).map_or(0, |file| file.ino());
        let kept = slot.take().filter(|(reader, open)| {
            // One that was opened while nobody wrote sees nothing that is written since; a new store is another file.
            *open == file && !(reader.is_immutable() && wal_path(&self.folder.join(FILE)).exists())
        });
        let reader = match kept {
            Some((reader, _)) => reader,
            None => StoreReader::open(&self.folder)?,
        };
        let value = read(&reader)?;
        *slot = Some((reader, file));
        Ok(value)
    }
}

impl Journal {
    /// Starts to look at the store in `folder`, which need not be there yet. The thread ends with the last clone.
    ///
    /// # Errors
    /// What the system says when no thread can be started.
    pub fn open(folder: &Path) -> std::io::Result<Self> {
        let shared = Arc::new(Shared {
            folder: folder.to_owned(),
            reader: Mutex::new(None),
        });
        let (tell, last) = watch::channel(0);
        let looked = Arc::clone(&shared);
        std::thread::Builder::new()
            .name("journal".into())
            .spawn(move || {
                while !tell.is_closed() {
                    let wait = match looked.with(StoreReader::last_seq) {
                        Ok(seq) => {
                            tell.send_if_modified(|last| std::mem::replace(last, seq) != seq);
                            LOOK
                        }
                        Err(_) => RETRY,
                    };
                    std::thread::sleep(wait);
                }
            })?;
        Ok(Self { shared, last })
    }

    /// Folder of the store.
    pub fn folder(&self) -> &Path {
        &self.shared.folder
    }

    /// Number of the last stored event, 0 for none; looked at every 50 ms.
    pub fn last(&self) -> watch::Receiver<u64> {
        self.last.clone()
    }

    /// The next `limit` events after number `after`, at most [`MAX_PAGE`], in order; fewer where the store ends.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot be read.
    pub async fn page(&self, after: u64, limit: usize) -> Result<Vec<StoredEvent>, StoreError> {
        let shared = Arc::clone(&self.shared);
        let read =
            move || shared.with(|reader| reader.since(after).take(limit.min(MAX_PAGE)).collect());
        match tokio::task::spawn_blocking(read).await {
            Ok(page) => page,
            // The runtime is going down, or the read panicked; there is nothing to be read any more.
            Err(_) => Ok(Vec::new()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::false_alarms::Exposure;
    use crate::lines::EventRecord;
    use crate::lines::tests::{leak, run_info};
    use crate::store::StoreWriter;

    fn store(folder: &Path, events: u64) -> StoreWriter {
        let mut store = StoreWriter::open(folder).unwrap();
        let mut records: Vec<_> = (0..events)
            .map(|cycle| EventRecord::of(&leak(cycle), &run_info(), Exposure::default()))
            .collect();
        store.append(&mut records).unwrap();
        store
    }

    #[tokio::test]
    async fn a_store_that_was_replaced_is_read_anew() {
        let folder = tempfile::tempdir().unwrap();
        drop(store(folder.path(), 3));
        let journal = Journal::open(folder.path()).unwrap();
        assert_eq!(journal.page(0, 9).await.unwrap().len(), 3);
        for name in [FILE, "events.sqlite-wal", "events.sqlite-shm"] {
            let _ = std::fs::remove_file(folder.path().join(name));
        }
        let _store = store(folder.path(), 5);
        assert_eq!(journal.page(0, 9).await.unwrap().len(), 5);
    }
}
