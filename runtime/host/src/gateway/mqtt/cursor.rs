//! How far a sink has come in the event store, over restarts of the gateway.

use crate::error::HostError;
use crate::gateway::book::Book;
use crate::gateway::journal::Journal;
use crate::gateway::sinks::SinkState;
use serde::Deserialize;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::store::{StoreError, StoredEvent};

/// Events that are read at a time.
const PAGE: usize = 64;

/// The parts of an event that senders need.
#[derive(Debug, Deserialize)]
pub struct Head {
    /// Its source.
    pub source: String,
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
    /// Names the store: the time of its first event.
    store: u64,
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
        let first = journal
            .page(0, 1)
            .await
            .map_err(|error| error.to_string())?;
        let Some(first) = first.first() else {
            return Ok(None);
        };
        let store = Head::of(first).time_utc_ns;
        let key = format!("{} {store}", sink.name());
        let arrived = book.cursor(&key).map_err(|error| error.in_a_line())?;
        sink.cursor.store(arrived, Ordering::Relaxed);
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

    /// What names the store in every message.
    pub const fn store(&self) -> u64 {
        self.store
    }

    /// The last event that was read.
    pub const fn read(&self) -> u64 {
        self.read
    }

    /// The next event, in order; none where the store ends.
    ///
    /// # Errors
    /// [`StoreError`] when it cannot be read.
    pub async fn next(&mut self) -> Result<Option<StoredEvent>, StoreError> {
        if self.page.is_empty() {
            self.page = self.journal.page(self.read, PAGE).await?.into();
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
