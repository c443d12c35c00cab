//! Why the store cannot be read: all of it, or the events behind one of them.

use super::{Page, StoreId};
use crate::error::HostError;
use crate::store::StoreError;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::watch;

/// How often a place must fail before that is said: one in a store that is being replaced may fail once.
const FAILURES: u32 = 3;

/// A place in the store that cannot be read.
#[derive(Debug)]
struct Place {
    store: StoreId,
    /// The event before it.
    after: u64,
    text: Arc<str>,
    failures: u32,
}

#[derive(Debug, Default)]
struct Known {
    /// The store that was looked at last.
    store: StoreId,
    look: Option<Arc<str>>,
    place: Option<Place>,
}

/// See the module.
#[derive(Debug)]
pub struct Troubles {
    known: Mutex<Known>,
    tell: watch::Sender<Option<Arc<str>>>,
}

impl Default for Troubles {
    fn default() -> Self {
        Self {
            known: Mutex::default(),
            tell: watch::channel(None).0,
        }
    }
}

impl Troubles {
    /// What is wrong, and whenever that changes.
    pub fn watch(&self) -> watch::Receiver<Option<Arc<str>>> {
        self.tell.subscribe()
    }

    fn with(&self, work: impl FnOnce(&mut Known)) {
        // No call leaves it half done.
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        work(&mut known);
        let place = known.place.as_ref();
        let place = || {
            Some(Arc::clone(
                &place.filter(|place| place.failures >= FAILURES)?.text,
            ))
        };
        let trouble = known.look.clone().or_else(place);
        self.tell.send_if_modified(|was| {
            let news = *was != trouble;
            *was = trouble;
            news
        });
    }

    /// The store was looked at: it is this one, or it cannot be read.
    pub fn looked(&self, found: Result<StoreId, &str>) {
        self.with(|known| match found {
            Ok(store) => {
                known.look = None;
                known.store = store;
                if known
                    .place
                    .as_ref()
                    .is_some_and(|place| place.store != store)
                {
                    known.place = None;
                }
            }
            Err(text) => known.look = Some(text.into()),
        });
    }

    /// There is no store.
    pub fn gone(&self) {
        self.with(|known| (known.look, known.place) = (None, None));
    }

    /// `limit` events after number `after` were asked for.
    pub fn read(&self, after: u64, limit: usize, read: &Result<Page, StoreError>) {
        self.with(|known| match read {
            // Every look says so too.
            Err(StoreError::Missing(_)) => {}
            Err(error) => {
                // The first of several is the one that others wait behind.
                let before = known.place.as_ref();
                if before.is_none_or(|place| after <= place.after) {
                    let same = before.filter(|place| place.after == after);
                    let failures = same.map_or(0, |place| place.failures).saturating_add(1);
                    let what = format!("the events behind number {after} are not told: {error}");
                    let text = HostError::machine(what, error.remedy()).in_a_line();
                    known.place = Some(Place {
                        store: known.store,
                        after,
                        text: text.into(),
                        failures,
                    });
                }
            }
            Ok(page) => {
                let last = page.events.last().map_or(after, |event| event.seq);
                let beyond = |place: &Place| {
                    let whole = page.events.len() < limit;
                    place.after >= after && (last > place.after || whole)
                };
                if known.place.as_ref().is_some_and(beyond) {
                    known.place = None;
                }
            }
        });
    }
}
