//! The event store as the sinks see it: a number that grows, and pages to read.
//!
//! A thread of its own looks at the store, because SQLite blocks. It only reads: nobody here can hold up the scribe.

mod troubles;

use crate::store::{FILE, Standing, StoreError, StoreReader, StoredEvent};
use crate::store_reader::wal_path;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::watch;
use troubles::Troubles;

/// How often the store is looked at.
const LOOK: Duration = Duration::from_millis(50);
/// How often a store is looked for that is not there.
const RETRY: Duration = Duration::from_millis(200);
/// Looks in a row that must fail before that is said: a store that is being replaced may fail once.
const FAILURES: u32 = 5;
/// Most events of a page.
pub const MAX_PAGE: usize = 512;

/// Tells a store from the one that was there before, however long either is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StoreId {
    /// The file (its inode). No other file has the same while this one is open.
    file: u64,
    /// When its first event was (ns since 1970, UTC); 0 while it is empty. Also names it over restarts of the gateway.
    pub first_utc_ns: u64,
}

/// Where the store stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stand {
    /// Which store.
    pub store: StoreId,
    /// Number of its last event; 0 for none.
    pub last: u64,
}

/// Events in order.
#[derive(Debug)]
pub struct Page {
    /// The store that they are of.
    pub store: StoreId,
    /// The events.
    pub events: Vec<StoredEvent>,
}

/// The store. Clones share it.
#[derive(Clone, Debug)]
pub struct Journal {
    shared: Arc<Shared>,
    stand: watch::Receiver<Stand>,
}

#[derive(Debug)]
struct Shared {
    folder: PathBuf,
    /// The open store, and the file that it is (its inode).
    reader: Mutex<Option<(StoreReader, u64)>>,
    troubles: Troubles,
}

impl Shared {
    /// Reads with the open store; an error closes it, so that the next call opens whatever is there then.
    fn with<T>(
        &self,
        read: impl FnOnce(&StoreReader) -> Result<T, StoreError>,
    ) -> Result<(StoreId, T), StoreError> {
        // A panic while reading leaves a reader that still reads.
        let mut slot = self.reader.lock().unwrap_or_else(PoisonError::into_inner);
        let inode = || std::fs::metadata(self.folder.join(FILE)).map_or(0, |file| file.ino());
        let mut file = inode();
        let kept = slot.take().filter(|(reader, open)| {
            // One that was opened while nobody wrote sees nothing that is written since; a new store is another file.
            *open == file && !(reader.is_immutable() && wal_path(&self.folder.join(FILE)).exists())
        });
        let reader = match kept {
            Some((reader, _)) => reader,
            None => {
                // It may be replaced while it is opened: it is looked at until both were of one file.
                let mut opened = StoreReader::open(&self.folder)?;
                for _ in 0..3 {
                    let now = inode();
                    if now == file {
                        break;
                    }
                    file = now;
                    opened = StoreReader::open(&self.folder)?;
                }
                opened
            }
        };
        let id = StoreId {
            file,
            first_utc_ns: reader.first_utc_ns()?,
        };
        let value = read(&reader)?;
        *slot = Some((reader, file));
        Ok((id, value))
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
            troubles: Troubles::default(),
        });
        let (tell, stand) = watch::channel(Stand::default());
        let looked = Arc::clone(&shared);
        std::thread::Builder::new()
            .name("journal".into())
            .spawn(move || {
                let mut failures = 0_u32;
                let troubles = &looked.troubles;
                while !tell.is_closed() {
                    let wait = match looked.with(StoreReader::last_seq) {
                        Ok((store, last)) => {
                            let stand = Stand { store, last };
                            tell.send_if_modified(|was| std::mem::replace(was, stand) != stand);
                            failures = 0;
                            troubles.looked(Ok(store));
                            LOOK
                        }
                        // The instance may come later.
                        Err(StoreError::Missing(_)) => {
                            failures = 0;
                            troubles.gone();
                            RETRY
                        }
                        Err(error) => {
                            failures = failures.saturating_add(1);
                            if failures >= FAILURES {
                                troubles.looked(Err(&error.into_machine().in_a_line()));
                            }
                            RETRY
                        }
                    };
                    std::thread::sleep(wait);
                }
            })?;
        Ok(Self { shared, stand })
    }

    /// Why the store cannot be read, and what to do about it; none where it can be, or there is none yet.
    pub fn trouble(&self) -> watch::Receiver<Option<Arc<str>>> {
        self.shared.troubles.watch()
    }

    /// Has `say` told whenever the store cannot be read any more, or can be again.
    pub async fn tell_trouble(&self, say: impl Fn(&str)) {
        let mut trouble = self.trouble();
        if trouble.borrow().is_some() {
            // It was there before.
            trouble.mark_changed();
        }
        while trouble.changed().await.is_ok() {
            match &*trouble.borrow_and_update() {
                Some(text) => say(&format!("the event store cannot be read: {text}")),
                None => say("the trouble with the event store is over"),
            }
        }
    }

    /// Folder of the store.
    pub fn folder(&self) -> &Path {
        &self.shared.folder
    }

    /// Where the store stands; looked at every 50 ms.
    pub fn stand(&self) -> watch::Receiver<Stand> {
        self.stand.clone()
    }

    /// Number of the last stored event, 0 for none, as it was looked at last.
    pub fn newest(&self) -> u64 {
        self.stand.borrow().last
    }

    /// What stands and was raised up to event `seq`, each with its last event up to there, at most `most`, the newest, with the store that
    /// they are of; nothing where the store does not say.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot be read.
    pub async fn standing(
        &self,
        seq: u64,
        most: usize,
    ) -> Result<(StoreId, Vec<Standing>), StoreError> {
        let shared = Arc::clone(&self.shared);
        let read = move || shared.with(|reader| reader.standing(seq, most));
        match tokio::task::spawn_blocking(read).await {
            Ok(read) => read,
            Err(_) => Ok((self.stand.borrow().store, Vec::new())),
        }
    }

    /// Where the store stands now; where it did before, if it cannot be read.
    pub async fn look(&self) -> Stand {
        let shared = Arc::clone(&self.shared);
        let read = tokio::task::spawn_blocking(move || shared.with(StoreReader::last_seq)).await;
        match read {
            Ok(Ok((store, last))) => Stand { store, last },
            _ => *self.stand.borrow(),
        }
    }

    /// The next `limit` events after number `after`, at most [`MAX_PAGE`], in order; fewer where the store ends, or cannot be read from
    /// there on. They are of the store that is there now: who has read another one before begins anew.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot be read, or not the event behind `after`; that becomes the trouble of the journal too.
    pub async fn page(&self, after: u64, limit: usize) -> Result<Page, StoreError> {
        let shared = Arc::clone(&self.shared);
        let read = move || {
            let mut some = limit.min(MAX_PAGE);
            let read = loop {
                match shared.with(|reader| reader.some(after, some)) {
                    // What stands before the damage is told.
                    Err(StoreError::Sqlite { .. } | StoreError::Damaged(_)) if some > 1 => {
                        some /= 2
                    }
                    read => break read,
                }
            };
            let read = read.map(|(store, events)| Page { store, events });
            shared.troubles.read(after, some, &read);
            read
        };
        match tokio::task::spawn_blocking(read).await {
            Ok(read) => read,
            // The runtime is going down, or the read panicked; there is nothing to be read any more.
            Err(_) => Ok(Page {
                store: self.stand.borrow().store,
                events: Vec::new(),
            }),
        }
    }
}

#[cfg(test)]
pub mod tests_store {
    //! Stores for tests.

    use super::FILE;
    use crate::false_alarms::Exposure;
    use crate::lines::EventRecord;
    use crate::lines::tests::{leak, run_info};
    use crate::store::StoreWriter;
    use std::path::Path;

    /// An event in each of these cycles. Stores that differ in the first one are not the same, as files that come after each other may be.
    pub fn records(cycles: std::ops::Range<u64>) -> Vec<EventRecord> {
        cycles
            .map(|cycle| EventRecord::of(&leak(cycle), &run_info(), Exposure::default()))
            .collect()
    }

    /// A store with these events.
    pub fn store(folder: &Path, cycles: std::ops::Range<u64>) -> StoreWriter {
        let mut store = StoreWriter::open(folder).unwrap();
        store.append(&mut records(cycles)).unwrap();
        store
    }

    /// Takes the store away.
    pub fn remove(folder: &Path) {
        for name in [FILE, "events.sqlite-wal", "events.sqlite-shm"] {
            let _ = std::fs::remove_file(folder.join(name));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::tests_store::{records, remove, store};
    use super::*;

    #[tokio::test]
    async fn a_store_that_was_replaced_is_read_anew() {
        let folder = tempfile::tempdir().unwrap();
        drop(store(folder.path(), 0..3));
        let journal = Journal::open(folder.path()).unwrap();
        // Without waiting for the first look.
        assert_eq!(journal.look().await.last, 3);
        let before = journal.page(0, 9).await.unwrap();
        assert_eq!(before.events.len(), 3);
        remove(folder.path());
        // Longer than what was read.
        let _store = store(folder.path(), 7..12);
        let after = journal.page(3, 9).await.unwrap();
        assert_eq!(after.events.len(), 2);
        assert_ne!(after.store, before.store);
        let mut stand = journal.stand();
        let found = stand.wait_for(|stand| stand.store == after.store).await;
        assert_eq!(found.unwrap().last, 5);
    }

    #[tokio::test]
    async fn a_store_that_cannot_be_read_is_said_once_until_it_can_be() {
        let folder = tempfile::tempdir().unwrap();
        let journal = Journal::open(folder.path()).unwrap();
        let mut trouble = journal.trouble();
        // One that is not there yet is no trouble, and neither is one that comes.
        std::fs::write(folder.path().join(FILE), vec![b'x'; 8192]).unwrap();
        let said = trouble.wait_for(Option::is_some).await.unwrap().clone();
        let said = said.unwrap();
        assert!(
            said.contains(FILE) && said.contains("--state DIR"),
            "{said}"
        );
        let (tell, mut told) = tokio::sync::mpsc::unbounded_channel::<String>();
        let teller = journal.clone();
        tokio::spawn(async move {
            let say = |text: &str| drop(tell.send(text.to_owned()));
            teller.tell_trouble(say).await;
        });
        let first = told.recv().await.unwrap();
        assert_eq!(first, format!("the event store cannot be read: {said}"));
        remove(folder.path());
        let _store = store(folder.path(), 0..3);
        let over = told.recv().await.unwrap();
        assert_eq!(over, "the trouble with the event store is over");
    }

    #[tokio::test]
    async fn damage_in_the_middle_is_named_and_what_stands_before_it_is_told() {
        use std::os::unix::fs::FileExt;
        const PAGE: usize = 4096;
        let folder = tempfile::tempdir().unwrap();
        // One that is closed stands in one file.
        drop(store(folder.path(), 0..900));
        let path = folder.path().join(FILE);
        let whole = std::fs::read(&path).unwrap();
        let mut places = whole.windows(10).enumerate();
        let at = places
            .find(|(_, bytes)| bytes == b"\"seq\":450,")
            .unwrap()
            .0;
        let page = at / PAGE * PAGE;
        let file = std::fs::File::options().write(true).open(&path).unwrap();
        file.write_all_at(&[0xff; 64], page as u64).unwrap();

        let journal = Journal::open(folder.path()).unwrap();
        let mut trouble = journal.trouble();
        let mut last = 0;
        while let Ok(page) = journal.page(last, MAX_PAGE).await {
            for event in page.events {
                assert_eq!(event.seq, last + 1);
                last = event.seq;
            }
        }
        // A page of the file holds some events.
        assert!((430..450).contains(&last), "{last}");
        // Whoever reads elsewhere does not make it well.
        for _ in 0..3 {
            assert_eq!(journal.page(890, 9).await.unwrap().events.len(), 9);
            assert!(journal.page(last, MAX_PAGE).await.is_err());
        }
        let said = trouble.wait_for(Option::is_some).await.unwrap().clone();
        let said = said.unwrap();
        let place = format!("the events behind number {last} are not told");
        assert!(said.contains(&place) && said.contains(".recover"), "{said}");
        file.write_all_at(&whole[page..page + 64], page as u64)
            .unwrap();
        assert_eq!(journal.page(last, 9).await.unwrap().events.len(), 9);
        assert!(trouble.wait_for(Option::is_none).await.is_ok());
    }

    #[tokio::test]
    async fn an_event_more_makes_no_other_store() {
        let folder = tempfile::tempdir().unwrap();
        let mut writer = store(folder.path(), 0..1);
        let journal = Journal::open(folder.path()).unwrap();
        let before = journal.page(0, 9).await.unwrap().store;
        writer.append(&mut records(1..2)).unwrap();
        let after = journal.page(0, 9).await.unwrap();
        assert_eq!((after.store, after.events.len()), (before, 2));
        assert_ne!(before.first_utc_ns, 0);
    }
}
