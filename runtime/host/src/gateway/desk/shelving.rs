//! What nobody wants to hear of for a while: put on the shelf, taken off it, and what comes off by itself.

use super::{Desk, Key, MAX_ALARMS, State, check_words};
use crate::clock::utc_ns;
use crate::error::HostError;
use crate::gateway::book::{MAX_TEXT, Shelf};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// Words on the shelf of an alarm that is to come off it by itself when it is cleared.
pub const ONE_SHOT: &str = "until it is cleared (one shot)";
/// Shortest and longest time on the shelf (s).
pub const SHELF_S: std::ops::RangeInclusive<u64> = 1..=30 * 86_400;

/// Who put an alarm on the shelf.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Shelved {
    /// Who.
    pub who: String,
    /// What was said.
    pub comment: String,
}

impl Shelved {
    /// Of what is on the shelf.
    pub(super) fn of(shelf: &Shelf) -> Self {
        Self {
            who: shelf.who.clone(),
            comment: shelf.comment.clone(),
        }
    }
}

/// What is on this shelf.
pub(super) fn key_of(shelf: &Shelf) -> Key {
    (
        shelf.bus.clone(),
        shelf.source.clone(),
        shelf.channel.clone(),
    )
}

/// What an alarm is on the shelf by: its own entry, or one without a bus, which was made before there were buses, or before the machine had
/// several.
pub(super) fn of<'a>(shelves: &'a BTreeMap<Key, Shelf>, key: &Key) -> Option<&'a Shelf> {
    let nameless = || shelves.get(&(String::new(), key.1.clone(), key.2.clone()));
    shelves.get(key).or_else(nameless)
}

impl State {
    /// What the alarm is on the shelf by for one time, and until when, where event `seq` came after it was put there.
    pub(super) fn one_time(&self, key: &Key, seq: u64) -> Option<(Key, u64)> {
        let shelf = of(&self.shelves, key).filter(|shelf| shelf.comment == ONE_SHOT)?;
        let (behind, store) = shelf.behind;
        (store != self.store.first_utc_ns || seq > behind)
            .then(|| (key_of(shelf), shelf.until_utc_ns))
    }
}

impl Desk {
    /// What is on the shelf.
    pub fn shelves(&self) -> Vec<Shelf> {
        let now = utc_ns();
        self.with(|state| {
            state.shelves.retain(|_, shelf| shelf.until_utc_ns > now);
            state.shelves.values().cloned().collect()
        })
    }

    /// What is on the shelf and has no alarm on the list, in the order of bus, source and channel.
    pub fn shelves_without_alarm(&self) -> Vec<Shelf> {
        let now = utc_ns();
        self.with(|state| {
            let used: BTreeSet<Key> = (state.alarms.keys())
                .filter_map(|key| of(&state.shelves, key).map(key_of))
                .collect();
            let alone = (state.shelves.iter())
                .filter(|(key, shelf)| shelf.until_utc_ns > now && !used.contains(*key));
            alone.map(|(_, shelf)| shelf.clone()).collect()
        })
    }

    /// Puts an alarm on the shelf for `seconds`, whether it stands or not.
    ///
    /// # Errors
    /// [`HostError::Usage`] when the time is outside [`SHELF_S`] or a word is empty or too long; [`HostError::Machine`] when
    /// it cannot be written down.
    pub fn shelve(
        &self,
        (bus, source, channel): (&str, &str, &str),
        seconds: u64,
        who: &str,
        comment: &str,
    ) -> Result<(), HostError> {
        check_words(who, comment)?;
        if source.is_empty()
            || channel.is_empty()
            || [bus, source, channel]
                .iter()
                .any(|name| name.len() > MAX_TEXT)
        {
            return Err(HostError::usage(
                "an alarm has a source and a channel",
                "name both, as its event does",
            ));
        }
        if !SHELF_S.contains(&seconds) {
            return Err(HostError::usage(
                format!("an alarm cannot be shelved for {seconds} s"),
                format!("from {} s to {} s", SHELF_S.start(), SHELF_S.end()),
            ));
        }
        let now = utc_ns();
        let shelf = Shelf {
            bus: bus.to_owned(),
            source: source.to_owned(),
            channel: channel.to_owned(),
            until_utc_ns: now + seconds * 1_000_000_000,
            who: who.to_owned(),
            comment: comment.to_owned(),
            behind: self.with(|state| (state.seen, state.store.first_utc_ns)),
        };
        let key = key_of(&shelf);
        let full = self
            .with(|state| state.shelves.len() >= MAX_ALARMS && !state.shelves.contains_key(&key));
        if full {
            return Err(HostError::usage(
                format!("{MAX_ALARMS} alarms are shelved already"),
                "take some off the shelf first",
            ));
        }
        self.book.shelve(&shelf, now)?;
        self.with(|state| {
            state.over.remove(&key);
            state.shelves.insert(key, shelf);
        });
        self.changed();
        Ok(())
    }

    /// Takes an alarm off the shelf; whether it was there. One of before there were buses is there without its own.
    ///
    /// # Errors
    /// [`HostError::Machine`] when it cannot be written down.
    pub fn unshelve(
        &self,
        (bus, source, channel): (&str, &str, &str),
        who: &str,
    ) -> Result<bool, HostError> {
        check_words(who, "")?;
        let key = (bus.to_owned(), source.to_owned(), channel.to_owned());
        let shelf_of = |key: &Key| self.with(|state| of(&state.shelves, key).map(key_of));
        let mut next = Some(shelf_of(&key).unwrap_or_else(|| key.clone()));
        let mut was = false;
        // Behind its own there may be one of before there were buses.
        while let Some(found) = next {
            let name = (&*found.0, &*found.1, &*found.2);
            was |= self.book.unshelve(name, None, who, utc_ns())?;
            let removed = self.with(|state| state.shelves.remove(&found));
            next = removed.and_then(|_| shelf_of(&key));
        }
        self.changed();
        Ok(was)
    }

    /// Takes off the shelf what was there for one time and has been cleared, once the store has been read up to its end. An alarm
    /// that no event has cleared stays there: its store may have been replaced, and the machine raises it anew.
    pub(super) fn end_one_shots(&self) {
        if !self.with(|state| std::mem::replace(&mut state.caught_up, true)) {
            self.changed();
        }
        let over = self.with(|state| {
            let over = std::mem::take(&mut state.over).into_iter();
            over.filter_map(|(key, until)| Some((state.shelves.get(&key)?.who.clone(), key, until)))
                .collect::<Vec<_>>()
        });
        for (who, key, until) in over {
            // Somebody may put it there anew meanwhile: that is for another time.
            let name = (key.0.as_str(), key.1.as_str(), key.2.as_str());
            if (self.book.unshelve(name, Some(until), &who, utc_ns())).is_ok() {
                self.with(|state| {
                    let same = state.shelves.get(&key).map(|shelf| shelf.until_utc_ns);
                    if same == Some(until) {
                        state.shelves.remove(&key);
                    }
                });
                self.changed();
            } else {
                // What cannot be written down stays on the shelf, and is tried again.
                self.with(|state| state.over.insert(key, until));
            }
        }
    }

    /// Takes what its time has run out for off the shelf: it is shown as before.
    pub(super) fn end_shelves(&self) {
        let now = utc_ns();
        let ended = self.with(|state| {
            let before = state.shelves.len();
            state.shelves.retain(|_, shelf| shelf.until_utc_ns > now);
            state.shelves.len() < before
        });
        if ended {
            self.changed();
        }
    }
}
