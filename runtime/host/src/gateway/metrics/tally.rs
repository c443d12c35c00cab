//! Stored events, counted by channel and state since the gateway started.

use crate::gateway::journal::{Journal, MAX_PAGE};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Channels that are told apart; those of a store that names more become `other`.
const MAX_CHANNELS: usize = 64;
/// How long a store that could not be read is left alone.
const RETRY: Duration = Duration::from_secs(1);

/// The parts of an event that are counted by.
#[derive(Deserialize)]
struct Counted {
    channel: String,
    state: String,
}

/// The counts. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct Tally(Arc<Mutex<BTreeMap<(String, &'static str), u64>>>);

impl Tally {
    /// Counts one event.
    pub fn count(&self, channel: &str, state: &str) {
        let state = match state {
            "raised" => "raised",
            "updated" => "updated",
            "cleared" => "cleared",
            _ => "other",
        };
        // No call leaves it half done.
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Four states at most are kept of each channel.
        let known = counts.range((channel.to_owned(), "")..).next();
        let known = known.is_some_and(|((name, _), _)| name == channel);
        let channel = if known || counts.len() < 4 * MAX_CHANNELS {
            channel
        } else {
            "other"
        };
        *counts.entry((channel.to_owned(), state)).or_default() += 1;
    }

    /// Every channel and state with its count, in order.
    pub fn counts(&self) -> Vec<((String, &'static str), u64)> {
        let counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        counts.iter().map(|(key, n)| (key.clone(), *n)).collect()
    }

    /// Counts what is stored from now on, until the journal ends.
    pub async fn follow(self, journal: Journal) {
        let mut last = journal.last();
        // The first look at the store says where it stands; an empty store says nothing until its first event.
        let mut seen = *last.borrow_and_update();
        if seen == 0 && last.changed().await.is_ok() {
            seen = *last.borrow_and_update();
            if let Ok(page) = journal.page(0, 1).await
                && page.first().is_some_and(|first| first.seq == seen)
            {
                seen = 0;
            }
        }
        loop {
            match journal.page(seen, MAX_PAGE).await {
                Ok(page) => {
                    for event in &page {
                        seen = event.seq;
                        // What a later version wrote may not be readable; it is counted all the same.
                        match serde_json::from_str::<Counted>(&event.json) {
                            Ok(event) => self.count(&event.channel, &event.state),
                            Err(_) => self.count("other", "other"),
                        }
                    }
                    if page.len() == MAX_PAGE {
                        continue;
                    }
                }
                Err(_) => tokio::time::sleep(RETRY).await,
            }
            if last.changed().await.is_err() {
                return;
            }
            // A store that was replaced counts from 1 again.
            seen = seen.min(*last.borrow_and_update());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn channels_are_bounded() {
        let tally = Tally::default();
        for n in 0..10_000 {
            tally.count(&format!("channel {n}"), "raised");
        }
        let counts = tally.counts();
        assert!(counts.len() <= 4 * MAX_CHANNELS + 4, "{}", counts.len());
        let sum: u64 = counts.iter().map(|(_, n)| n).sum();
        assert_eq!(sum, 10_000);
        // A channel that is known stays so.
        tally.count("channel 1", "cleared");
        let key = ("channel 1".to_owned(), "cleared");
        assert!(
            tally
                .counts()
                .iter()
                .any(|(name, n)| *name == key && *n == 1)
        );
    }
}
