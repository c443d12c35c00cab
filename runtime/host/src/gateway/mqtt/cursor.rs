//! How far a sink has come in the event store, over restarts of the gateway.

use crate::error::HostError;
use crate::gateway::book::Book;
use crate::gateway::journal::{Journal, Stand, StoreId};
use crate::gateway::sinks::SinkState;
use serde::Deserialize;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::store::StoredEvent;

/// Events that are read at a time.
const PAGE: usize = 64;
/// Why a cursor is of no use any more.
const REPLACED: &str = "the event store was replaced by another one";

/// The parts of an event that senders need.
#[derive(Debug, Deserialize)]
pub struct Head {
    /// Its source.
    pub source: String,
    /// Its bus, where the machine has several.
    #[serde(default)]
    pub bus: Option<String>,
    /// Its channel.
    pub channel: String,
    /// When (ns since 1970, UTC).
    pub time_utc_ns: u64,
}

impl Head {
    /// Of an event; what a later version wrote in another form has no source and no channel, and is sent all the same.
    pub fn of(event: &StoredEvent) -> Self {
        serde_json::from_str(&event.json).unwrap_or_else(|_| Self {
            source: "unknown".to_owned(),
            bus: None,
            channel: "unknown".to_owned(),
            time_utc_ns: 0,
        })
    }
}

/// Events of one store in order, and which of them have arrived.
#[derive(Debug)]
pub struct Cursor {
    journal: Journal,
    book: Book,
    sink: Arc<SinkState>,
    /// The store.
    store: StoreId,
    /// Name of the cursor in the book: another store has another one, because it counts from 1 again.
    key: String,
    page: VecDeque<StoredEvent>,
    /// The last event that was read.
    read: u64,
    /// The last event that has arrived.
    arrived: u64,
    /// The last one of which the book knows that.
    written: u64,
}

impl Cursor {
    /// The cursor of `sink` in the store as it is now; none while that is empty.
    ///
    /// # Errors
    /// Why the store or the book cannot be read, in words.
    pub async fn open(
        journal: &Journal,
        book: &Book,
        sink: &Arc<SinkState>,
    ) -> Result<Option<Self>, String> {
        let first = journal.page(0, 1).await;
        let first = first.map_err(|error| error.to_string())?;
        if first.events.is_empty() {
            return Ok(None);
        }
        let store = first.store;
        let key = format!("{} {}", sink.name(), store.first_utc_ns);
        let mut arrived = book.cursor(&key).map_err(|error| error.in_a_line())?;
        // A copy of the same store from before that event goes another way from there: all of it is sent again.
        if arrived > 0 {
            let page = journal.page(arrived - 1, 1).await;
            let page = page.map_err(|error| error.to_string())?;
            if page.events.first().map(|event| event.seq) != Some(arrived) {
                arrived = 0;
            }
        }
        sink.cursor.store(arrived, Ordering::Relaxed);
        sink.keeps_cursor.store(true, Ordering::Relaxed);
        Ok(Some(Self {
            journal: journal.clone(),
            book: book.clone(),
            sink: Arc::clone(sink),
            store,
            key,
            page: VecDeque::new(),
            read: arrived,
            arrived,
            written: arrived,
        }))
    }

    /// Has the sink show how far it has come before it has anybody to speak to: what waits is known in an outage too. Why that cannot be
    /// read is said where events are to be sent.
    pub async fn look(journal: &Journal, book: &Book, sink: &Arc<SinkState>) {
        let _ = Self::open(journal, book, sink).await;
    }

    /// What names the store in every message: the time of its first event (ns since 1970, UTC).
    pub const fn store(&self) -> u64 {
        self.store.first_utc_ns
    }

    /// Whether there is more to be read, where the store stands so.
    ///
    /// # Errors
    /// That another store is there now: its events have another cursor.
    pub fn is_behind(&self, stand: Stand) -> Result<bool, String> {
        if stand.store != self.store && stand != Stand::default() {
            return Err(REPLACED.to_owned());
        }
        Ok(self.read < stand.last)
    }

    /// The last event that was read.
    pub const fn read(&self) -> u64 {
        self.read
    }

    /// The next event, in order; none where the store ends.
    ///
    /// # Errors
    /// Why it cannot be read, in words; also that another store is there now.
    pub async fn next(&mut self) -> Result<Option<StoredEvent>, String> {
        if self.page.is_empty() {
            let page = self.journal.page(self.read, PAGE).await;
            let page = page.map_err(|error| error.to_string())?;
            if page.store != self.store {
                return Err(REPLACED.to_owned());
            }
            self.page = page.events.into();
        }
        let event = self.page.pop_front();
        if let Some(event) = &event {
            self.read = event.seq;
        }
        Ok(event)
    }

    /// Event `seq`, and every one before it, has arrived.
    pub fn arrive(&mut self, seq: u64) {
        debug_assert!(seq >= self.arrived, "events arrive in order");
        self.arrived = seq;
        self.sink.sent.fetch_add(1, Ordering::Relaxed);
        self.sink.cursor.store(seq, Ordering::Relaxed);
    }

    /// Writes to the book what has arrived.
    ///
    /// # Errors
    /// [`HostError::Machine`] when that cannot be written; what arrived will arrive again.
    pub async fn write(&mut self) -> Result<(), HostError> {
        if self.arrived == self.written {
            return Ok(());
        }
        let (book, key, seq) = (self.book.clone(), self.key.clone(), self.arrived);
        let written = tokio::task::spawn_blocking(move || book.set_cursor(&key, seq)).await;
        match written {
            Ok(Ok(())) => {
                self.written = seq;
                Ok(())
            }
            Ok(Err(error)) => Err(error),
            Err(_) => Err(HostError::machine(
                "the gateway is ending",
                "what was not noted is sent again",
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gateway::journal::tests_store::{records, remove};
    use crate::gateway::sinks::Sinks;
    use crate::store::StoreWriter;

    async fn rest(cursor: &mut Cursor) -> Result<Vec<u64>, String> {
        let mut numbers = Vec::new();
        while let Some(event) = cursor.next().await? {
            cursor.arrive(event.seq);
            numbers.push(event.seq);
        }
        cursor.write().await.unwrap();
        Ok(numbers)
    }

    #[tokio::test]
    async fn the_first_events_of_a_longer_store_that_replaces_another_are_sent() {
        let folder = tempfile::tempdir().unwrap();
        let book = Book::open(folder.path()).unwrap();
        let sink = Sinks::default().register("mqtt");
        let journal = Journal::open(folder.path()).unwrap();
        let mut before = StoreWriter::open(folder.path()).unwrap();
        before.append(&mut records(0..2)).unwrap();
        let mut cursor = Cursor::open(&journal, &book, &sink).await.unwrap().unwrap();
        assert_eq!(rest(&mut cursor).await.unwrap(), [1, 2]);
        drop(before);
        remove(folder.path());
        let mut store = StoreWriter::open(folder.path()).unwrap();
        store.append(&mut records(7..11)).unwrap();
        assert_eq!(rest(&mut cursor).await.unwrap_err(), REPLACED);
        let mut stand = journal.stand();
        let stand = *stand.wait_for(|stand| stand.last == 4).await.unwrap();
        assert_eq!(cursor.is_behind(stand).unwrap_err(), REPLACED);
        let mut cursor = Cursor::open(&journal, &book, &sink).await.unwrap().unwrap();
        assert_eq!(cursor.is_behind(stand), Ok(true));
        assert_eq!(rest(&mut cursor).await.unwrap(), [1, 2, 3, 4]);
        assert_eq!(cursor.is_behind(stand), Ok(false));
        // After a restart it goes on where it was, and shows that before anybody is there to be sent to.
        let shown = Sinks::default().register("mqtt");
        Cursor::look(&journal, &book, &shown).await;
        assert_eq!(shown.line(6).behind, 2);
        let mut again = Cursor::open(&journal, &book, &sink).await.unwrap().unwrap();
        assert!(rest(&mut again).await.unwrap().is_empty());
    }

    #[tokio::test]
    async fn a_sink_that_never_had_anybody_to_send_to_is_behind() {
        let folder = tempfile::tempdir().unwrap();
        let book = Book::open(folder.path()).unwrap();
        let sink = Sinks::default().register("mqtt");
        let journal = Journal::open(folder.path()).unwrap();
        Cursor::look(&journal, &book, &sink).await;
        assert_eq!(sink.line(0).behind, 0, "there is no store");
        let mut store = StoreWriter::open(folder.path()).unwrap();
        store.append(&mut records(0..3)).unwrap();
        Cursor::look(&journal, &book, &sink).await;
        let line = sink.line(journal.look().await.last);
        assert_eq!((line.cursor, line.behind), (0, 3));
    }
}
