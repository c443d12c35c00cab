//! Stored events, counted by bus, channel and state since the gateway started.

use crate::gateway::journal::{Journal, MAX_PAGE, Stand};
use crate::store::StoreError;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Channels that are told apart, of all buses together; those of a store that names more become `other`.
const MAX_CHANNELS: usize = 512;
/// How long a store that could not be read is left alone.
const RETRY: Duration = Duration::from_secs(1);

/// The parts of an event that are counted by.
#[derive(Deserialize)]
struct Counted {
    #[serde(default)]
    bus: Option<String>,
    channel: String,
    state: String,
}

/// What is counted by.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    /// The bus, where the machine has several.
    pub bus: Option<String>,
    /// The channel.
    pub channel: String,
    /// The state; empty before all others.
    pub state: &'static str,
}

/// The counts. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct Tally(Arc<Mutex<BTreeMap<Key, u64>>>);

impl Tally {
    /// Counts one event.
    pub fn count(&self, bus: Option<&str>, channel: &str, state: &str) {
        let state = match state {
            "raised" => "raised",
            "updated" => "updated",
            "cleared" => "cleared",
            _ => "other",
        };
        let key = |channel: &str, state| Key {
            bus: bus.map(str::to_owned),
            channel: channel.to_owned(),
            state,
        };
        // No call leaves it half done.
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Four states at most are kept of each channel.
        let known = counts.range(key(channel, "")..).next();
        let known =
            known.is_some_and(|(known, _)| known.bus.as_deref() == bus && known.channel == channel);
        let key = if known || counts.len() < 4 * MAX_CHANNELS {
            key(channel, state)
        } else {
            Key {
                bus: None,
                channel: "other".to_owned(),
                state,
            }
        };
        *counts.entry(key).or_default() += 1;
    }

    /// Every bus, channel and state with its count, in order.
    pub fn counts(&self) -> Vec<(Key, u64)> {
        let counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        counts.iter().map(|(key, n)| (key.clone(), *n)).collect()
    }

    /// Counts what is stored from now on, until the journal ends.
    pub async fn follow(self, journal: Journal) {
        let mut stand = journal.stand();
        // The first look at the store says where it stands; an empty store says nothing until its first event.
        let mut seen = *stand.borrow_and_update();
        if seen.last == 0 && stand.changed().await.is_ok() {
            seen = *stand.borrow_and_update();
            if let Ok(page) = journal.page(0, 1).await
                && (page.events.first()).is_some_and(|first| first.seq == seen.last)
            {
                seen.last = 0;
            }
        }
        loop {
            match self.take(&journal, &mut seen).await {
                Ok(true) => continue,
                Ok(false) => {}
                Err(_) => tokio::time::sleep(RETRY).await,
            }
            if stand.changed().await.is_err() {
                return;
            }
        }
    }

    /// Counts one page behind `seen`; whether there may be more.
    async fn take(&self, journal: &Journal, seen: &mut Stand) -> Result<bool, StoreError> {
        let page = journal.page(seen.last, MAX_PAGE).await?;
        if page.store != seen.store {
            // A store that was replaced counts from 1 again, and all of it is new. Of an empty one nothing was counted.
            *seen = Stand {
                store: page.store,
                last: 0,
            };
            return Ok(true);
        }
        for event in &page.events {
            seen.last = event.seq;
            // What a later version wrote may not be readable; it is counted all the same.
            match serde_json::from_str::<Counted>(&event.json) {
                Ok(event) => self.count(event.bus.as_deref(), &event.channel, &event.state),
                Err(_) => self.count(None, "other", "other"),
            }
        }
        Ok(page.events.len() == MAX_PAGE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gateway::journal::tests_store::{records, remove, store};

    #[test]
    fn channels_are_bounded() {
        let tally = Tally::default();
        for n in 0..10_000 {
            tally.count(None, &format!("channel {n}"), "raised");
        }
        let counts = tally.counts();
        assert!(counts.len() <= 4 * MAX_CHANNELS + 4, "{}", counts.len());
        let sum: u64 = counts.iter().map(|(_, n)| n).sum();
        assert_eq!(sum, 10_000);
        // A channel that is known stays so.
        tally.count(None, "channel 1", "cleared");
        let key = Key {
            bus: None,
            channel: "channel 1".to_owned(),
            state: "cleared",
        };
        assert!(
            tally
                .counts()
                .iter()
                .any(|(known, n)| *known == key && *n == 1)
        );
    }

    #[tokio::test]
    async fn all_of_a_store_that_replaces_another_is_new() {
        let folder = tempfile::tempdir().unwrap();
        let mut before = store(folder.path(), 0..2);
        let journal = Journal::open(folder.path()).unwrap();
        let tally = Tally::default();
        let sum = || tally.counts().iter().map(|(_, n)| n).sum::<u64>();
        let mut stand = journal.stand();
        let mut seen = *stand.wait_for(|stand| stand.last == 2).await.unwrap();
        // What was there is not counted; what is added is.
        before.append(&mut records(2..3)).unwrap();
        while tally.take(&journal, &mut seen).await.unwrap() {}
        assert_eq!((sum(), seen.last), (1, 3));
        drop(before);
        remove(folder.path());
        let _longer = store(folder.path(), 7..16);
        while tally.take(&journal, &mut seen).await.unwrap() {}
        assert_eq!((sum(), seen.last), (10, 9));
    }
}
