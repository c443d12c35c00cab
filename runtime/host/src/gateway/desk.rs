//! The operator's desk: which alarms stand, which of them somebody has seen, and which nobody wants to hear of for a while.
//!
//! An alarm is a bus, a source and a channel. It stands from `raised` to `cleared`, and stays on the list until it is cleared **and**
//! acknowledged. A shelved alarm stands as before and is stored as before; who shows alarms shows it apart. What people do
//! is in the book before it takes effect.

mod left;
mod place;
mod shelving;

pub use place::Buses;
pub use shelving::{ONE_SHOT, SHELF_S, Shelved};

use self::left::Left;
use super::book::{Acknowledgement, Book, MAX_TEXT, Shelf, target};
use super::journal::{Journal, MAX_PAGE, StoreId};
use crate::clock::utc_ns;
use crate::error::HostError;
use crate::lines::EventRecord;
use crate::standing::is_end;
use crate::store::{Standing, StoreError};
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::watch;

/// Most alarms on the list. Of more, those go first that do not stand any more; then the oldest.
pub const MAX_ALARMS: usize = 4096;
/// Events that are read again at the start to know what stands.
const PAST: u64 = 100_000;
/// Numbers that an alarm keeps of its events.
const MAX_EVENTS: usize = 32;
/// One alarm.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Alarm {
    /// Number of the event that raised it: its name, as long as it stands.
    pub raised_seq: u64,
    /// Number of its last event.
    pub last_seq: u64,
    /// Numbers of its events, the newest last; of many, the last ones.
    #[serde(skip)]
    pub events: Vec<u64>,
    /// When it was raised (ns since 1970, UTC): tells it from one with the same number in another store.
    pub raised_utc_ns: u64,
    /// It stands.
    pub active: bool,
    /// When a new run ended it without having judged it (ns since 1970, UTC); none where it stands, or was found to be over.
    pub ended_utc_ns: Option<u64>,
    /// Who has seen it.
    pub acknowledged: Option<Acknowledgement>,
    /// On the shelf until then (ns since 1970, UTC); none where it is not.
    pub shelved_until_utc_ns: Option<u64>,
    /// Who put it there, and what was said.
    pub shelved: Option<Shelved>,
    /// Its last event: source, channel, figures, cause, action. The one by which a new run ends it says none of these: it is the one before.
    pub event: EventRecord,
}

/// Bus, source and channel; the bus is empty where the machine has one.
type Key = (String, String, String);

fn key_of(record: &EventRecord) -> Key {
    (
        record.bus.clone().unwrap_or_default(),
        record.source.clone(),
        record.channel.to_string(),
    )
}

impl Alarm {
    /// Whether the event with this number is one of its own. Numbers are those of the store, so that ranges of alarms overlap.
    fn has(&self, seq: u64) -> bool {
        self.raised_seq == seq || self.events.contains(&seq)
    }

    /// When it came to where it is (ns since 1970, UTC), by the machine's own time.
    pub fn last_utc_ns(&self) -> u64 {
        self.ended_utc_ns.unwrap_or(self.event.time_utc_ns)
    }
}

#[derive(Debug, Default)]
struct State {
    alarms: BTreeMap<Key, Alarm>,
    /// What has left because it was cleared and acknowledged.
    left: Left,
    shelves: BTreeMap<Key, Shelf>,
    /// The last event that was taken in.
    seen: u64,
    /// The store that it is of.
    store: StoreId,
    /// Alarms that found no place.
    dropped: u64,
    /// On the shelf for one time until then (ns since 1970, UTC), and cleared since they were put there.
    over: BTreeMap<Key, u64>,
    /// The store has been read up to its end once.
    caught_up: bool,
}

impl State {
    fn take(&mut self, record: EventRecord, acknowledged: Option<Acknowledgement>) {
        self.seen = record.seq;
        let key = key_of(&record);
        let raised = record.state == "raised";
        if record.state == "cleared"
            && let Some((shelf, until_utc_ns)) = self.one_time(&key, record.seq)
        {
            self.over.insert(shelf, until_utc_ns);
        }
        match self.alarms.get_mut(&key) {
            Some(alarm) if !raised => {
                alarm.last_seq = record.seq;
                if alarm.events.len() >= MAX_EVENTS {
                    alarm.events.remove(0);
                }
                alarm.events.push(record.seq);
                alarm.active = record.state != "cleared";
                alarm.ended_utc_ns = is_end(&record).then_some(record.time_utc_ns);
                // What it was, and what to do, is wanted of one that nobody has seen yet.
                if alarm.ended_utc_ns.is_none() {
                    alarm.event = record;
                }
                if !alarm.active && alarm.acknowledged.is_some() {
                    self.leave(&key);
                }
            }
            // What ended before our time is nobody's business any more.
            None if record.state == "cleared" => {}
            _ => {
                let raised = (record.seq, record.time_utc_ns);
                self.put(key, record, raised, acknowledged);
            }
        }
    }

    /// Puts an alarm on the list that stands, with number and time of the event that raised it.
    fn put(
        &mut self,
        key: Key,
        record: EventRecord,
        (raised_seq, raised_utc_ns): (u64, u64),
        acknowledged: Option<Acknowledgement>,
    ) {
        if self.alarms.len() >= MAX_ALARMS && !self.alarms.contains_key(&key) {
            self.make_room();
        }
        let alarm = Alarm {
            raised_seq,
            last_seq: record.seq,
            events: vec![record.seq],
            raised_utc_ns,
            active: true,
            ended_utc_ns: None,
            acknowledged,
            shelved_until_utc_ns: None,
            shelved: None,
            event: record,
        };
        self.alarms.insert(key, alarm);
    }

    /// Takes an alarm off the list that is cleared and acknowledged.
    fn leave(&mut self, key: &Key) {
        if let Some(alarm) = self.alarms.remove(key) {
            self.left.push(alarm);
        }
    }

    fn make_room(&mut self) {
        let oldest = self
            .alarms
            .iter()
            .min_by_key(|(_, alarm)| (alarm.active, alarm.raised_seq));
        if let Some(key) = oldest.map(|(key, _)| key.clone()) {
            self.alarms.remove(&key);
            self.dropped += 1;
        }
    }
}

/// The desk. Clones share it.
#[derive(Clone, Debug)]
pub struct Desk {
    state: Arc<Mutex<State>>,
    book: Book,
    changes: Arc<watch::Sender<u64>>,
}

impl Desk {
    /// A desk that knows nothing yet; [`Self::follow`] keeps it up to date.
    ///
    /// # Errors
    /// [`HostError::Machine`] when the book cannot be read.
    pub fn new(book: Book) -> Result<Self, HostError> {
        let shelves = book.shelves(utc_ns())?.into_iter();
        let state = State {
            shelves: shelves
                .map(|shelf| (shelving::key_of(&shelf), shelf))
                .collect(),
            ..State::default()
        };
        Ok(Self {
            state: Arc::new(Mutex::new(state)),
            book,
            changes: Arc::new(watch::channel(0).0),
        })
    }

    fn with<T>(&self, work: impl FnOnce(&mut State) -> T) -> T {
        // No call leaves it half done.
        work(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn changed(&self) {
        self.changes.send_modify(|version| *version += 1);
    }

    /// Grows whenever an alarm or a shelf changes.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// All alarms, the newest first.
    pub fn alarms(&self) -> Vec<Alarm> {
        self.of_store().1
    }

    /// The same, with the store that they are of.
    pub fn of_store(&self) -> (StoreId, Vec<Alarm>) {
        let now = utc_ns();
        self.with(|state| {
            let shelves = &state.shelves;
            let mut all: Vec<_> = (state.alarms.iter())
                .map(|(key, alarm)| {
                    let shelf = shelving::of(shelves, key).filter(|one| one.until_utc_ns > now);
                    Alarm {
                        shelved_until_utc_ns: shelf.map(|shelf| shelf.until_utc_ns),
                        shelved: shelf.map(Shelved::of),
                        ..alarm.clone()
                    }
                })
                .collect();
            all.sort_by_key(|alarm| std::cmp::Reverse(alarm.raised_seq));
            (state.store, all)
        })
    }

    /// Alarms that found no place so far.
    pub fn dropped(&self) -> u64 {
        self.with(|state| state.dropped)
    }

    /// Whether the store has been read up to its end: before that nobody knows what stands.
    pub fn is_known(&self) -> bool {
        self.with(|state| state.caught_up)
    }

    /// Number of the last event that the list knows.
    pub fn seen(&self) -> u64 {
        self.with(|state| state.seen)
    }

    /// Acknowledges the alarm that event `seq` belongs to.
    ///
    /// # Errors
    /// [`HostError::Usage`] when no alarm on the list has it, or the words are too long; [`HostError::Machine`] when it
    /// cannot be written down, and then nothing has happened.
    pub fn acknowledge(&self, seq: u64, who: &str, comment: &str) -> Result<(), HostError> {
        check_words(who, comment)?;
        let found = self.with(|state| {
            let mut alarms = state.alarms.iter();
            let found = alarms.find(|(_, alarm)| alarm.has(seq));
            found.map(|(key, alarm)| (key.clone(), alarm.raised_seq, alarm.raised_utc_ns))
        });
        let Some((key, raised_seq, raised_utc_ns)) = found else {
            return Err(HostError::usage(
                format!("no alarm on the list has the event number {seq}"),
                "it may have been cleared and acknowledged already; look at the list again",
            ));
        };
        let by = Acknowledgement {
            who: who.to_owned(),
            time_utc_ns: utc_ns(),
            comment: comment.to_owned(),
        };
        self.book.acknowledge(
            (raised_seq, raised_utc_ns),
            &target(&key.0, &key.1, &key.2),
            &by,
        )?;
        self.with(|state| {
            // It may have been raised anew in between: that one is not acknowledged.
            let same = state.alarms.get_mut(&key).filter(|alarm| {
                (alarm.raised_seq, alarm.raised_utc_ns) == (raised_seq, raised_utc_ns)
            });
            if let Some(alarm) = same {
                alarm.acknowledged = Some(by);
                if !alarm.active {
                    state.leave(&key);
                }
            }
        });
        self.changed();
        Ok(())
    }

    /// Keeps the list up to date with the journal, until that ends.
    pub async fn follow(self, journal: Journal) {
        let mut stand = journal.stand();
        stand.mark_unchanged();
        self.begin(&journal, PAST).await;
        loop {
            // A store that cannot be read now may be read later; the page is tried again with the next news, or soon.
            let read = loop {
                match self.take_page(&journal).await {
                    Ok(true) => {}
                    other => break other,
                }
            };
            if read.is_ok() {
                self.end_one_shots();
            }
            let news = tokio::time::timeout(std::time::Duration::from_secs(1), stand.changed());
            if matches!(news.await, Ok(Err(_))) {
                return;
            }
            self.end_shelves();
        }
    }

    /// Begins `past` events before the end of the store, with what stands from before.
    async fn begin(&self, journal: &Journal, past: u64) {
        let start = journal.look().await;
        let from = start.last.saturating_sub(past);
        self.with(|state| state.store = start.store);
        // Where the store does not say what stands, and where it cannot be read, the list begins with what is read.
        if let Ok((store, all)) = journal.standing(from, MAX_ALARMS).await
            && store == start.store
        {
            for Standing { event, raised } in all {
                if let Ok(record) = serde_json::from_str::<EventRecord>(&event.json) {
                    // It was acknowledged by the event that raised it, however long ago.
                    let by = self.book.acknowledgement(raised.0, raised.1);
                    let key = key_of(&record);
                    self.with(|state| state.put(key, record, raised, by.unwrap_or_default()));
                }
            }
        }
        self.with(|state| state.seen = from);
    }

    fn take(&self, record: EventRecord) {
        let by = self.book.acknowledgement(record.seq, record.time_utc_ns);
        self.with(|state| state.take(record, by.unwrap_or_default()));
    }

    /// Takes one page in; whether there may be more.
    async fn take_page(&self, journal: &Journal) -> Result<bool, StoreError> {
        let after = self.seen();
        let page = journal.page(after, MAX_PAGE).await?;
        let replaced = self.with(|state| {
            let replaced = std::mem::replace(&mut state.store, page.store) != page.store;
            if replaced {
                // Another store counts from 1 again, and what stood in the one before stands nowhere.
                state.seen = 0;
                state.alarms.clear();
                state.left.clear();
                state.caught_up = false;
            }
            replaced
        });
        if replaced {
            self.changed();
            if after > 0 {
                return Ok(true);
            }
        }
        for event in &page.events {
            // What a later version wrote may not be readable; it is passed over, and its number counts.
            match serde_json::from_str::<EventRecord>(&event.json) {
                Ok(record) => self.take(record),
                Err(_) => self.with(|state| state.seen = event.seq),
            }
        }
        if !page.events.is_empty() {
            self.changed();
        }
        // Damage makes pages short: only an empty one is the end.
        Ok(!page.events.is_empty())
    }
}

fn check_words(who: &str, comment: &str) -> Result<(), HostError> {
    if who.is_empty() || who.len() > MAX_TEXT || comment.len() > MAX_TEXT {
        return Err(HostError::usage(
            format!("a name of 1 to {MAX_TEXT} bytes and a comment of at most {MAX_TEXT} are kept"),
            "say it in fewer words",
        ));
    }
    Ok(())
}

#[cfg(test)]
#[path = "desk_tests.rs"]
mod tests;
