//! How the sinks are doing, as the page and the metrics show it.

use serde::Serialize;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// Longest trouble that is kept (bytes).
const MAX_TROUBLE: usize = 512;

/// What a sink says of itself. Counters only grow.
#[derive(Debug)]
pub struct SinkState {
    name: &'static str,
    /// Messages that have arrived: acknowledged, where the protocol knows that.
    pub sent: AtomicU64,
    /// Messages that did not arrive and were tried again or given up.
    pub failed: AtomicU64,
    /// Messages of a look at the machine that were never sent: there were more than one look may have, or than the network took.
    pub left_out: AtomicU64,
    /// Number of the last event that has arrived for good; 0 where the sink has no cursor.
    pub cursor: AtomicU64,
    /// It has somebody to speak to.
    pub connected: AtomicBool,
    trouble: Mutex<Option<String>>,
}

impl SinkState {
    /// Its name.
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// Notes the last trouble, or that there is none any more. Returns whether that is news, so that it is logged once.
    pub fn set_trouble(&self, trouble: Option<&str>) -> bool {
        let mut kept = self.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        let trouble = trouble.map(|text| text.chars().take(MAX_TROUBLE).collect::<String>());
        let news = *kept != trouble;
        *kept = trouble;
        news
    }

    /// One look at it, beside the number of the last stored event.
    pub fn line(&self, last_seq: u64) -> SinkLine {
        let cursor = self.cursor.load(Ordering::Relaxed);
        SinkLine {
            name: self.name,
            sent: self.sent.load(Ordering::Relaxed),
            failed: self.failed.load(Ordering::Relaxed),
            left_out: self.left_out.load(Ordering::Relaxed),
            cursor,
            behind: if cursor == 0 {
                0
            } else {
                last_seq.saturating_sub(cursor)
            },
            connected: self.connected.load(Ordering::Relaxed),
            trouble: self
                .trouble
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .clone(),
        }
    }
}

/// A sink in JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SinkLine {
    /// Its name.
    pub name: &'static str,
    /// Messages that have arrived.
    pub sent: u64,
    /// Messages that did not.
    pub failed: u64,
    /// Messages of a look that were never sent.
    pub left_out: u64,
    /// The last event that has arrived for good; 0 for none.
    pub cursor: u64,
    /// Stored events that have not.
    pub behind: u64,
    /// It has somebody to speak to.
    pub connected: bool,
    /// The last trouble.
    pub trouble: Option<String>,
}

/// All sinks of a gateway.
#[derive(Clone, Debug, Default)]
pub struct Sinks(Arc<Mutex<Vec<Arc<SinkState>>>>);

impl Sinks {
    /// Adds one.
    pub fn register(&self, name: &'static str) -> Arc<SinkState> {
        let state = Arc::new(SinkState {
            name,
            sent: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            left_out: AtomicU64::new(0),
            cursor: AtomicU64::new(0),
            connected: AtomicBool::new(false),
            trouble: Mutex::new(None),
        });
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.push(Arc::clone(&state));
        state
    }

    /// One look at each.
    pub fn lines(&self, last_seq: u64) -> Vec<SinkLine> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.iter().map(|sink| sink.line(last_seq)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trouble_is_news_once() {
        let sinks = Sinks::default();
        let sink = sinks.register("mqtt");
        assert!(sink.set_trouble(Some("no broker")) && !sink.set_trouble(Some("no broker")));
        sink.cursor.store(7, Ordering::Relaxed);
        let line = &sinks.lines(10)[0];
        assert_eq!(
            (line.behind, line.trouble.as_deref()),
            (3, Some("no broker"))
        );
        assert!(sink.set_trouble(None) && !sink.set_trouble(None));
    }
}
