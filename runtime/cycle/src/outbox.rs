//! What one cycle found, until the publish phase takes it away.

use crate::event::Event;

/// Most events of one cycle: more than that is one fault that everything sees.
pub const MAX_PER_CYCLE: usize = 64;

/// Events of the cycle in progress; what does not fit is counted.
#[derive(Clone, Debug, Default, serde::Serialize, serde::Deserialize)]
pub struct Outbox {
    events: heapless::Deque<Event, MAX_PER_CYCLE>,
    dropped: u64,
}

impl Outbox {
    /// Puts an event in, or counts it as dropped.
    pub fn push(&mut self, event: Event) {
        if self.events.push_back(event).is_err() {
            self.dropped += 1;
        }
    }

    /// Takes the oldest event out.
    pub fn pop(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// Moves everything to the end of `out`; what finds no room there, or found none here, is counted there.
    pub(crate) fn empty_into(&mut self, out: &mut Self) {
        while let Some(event) = self.pop() {
            out.push(event);
        }
        out.dropped += core::mem::take(&mut self.dropped);
    }

    /// Makes this a copy of `from`, at the cost of the events that there are.
    pub fn copy_from(&mut self, from: &Self) {
        self.events.clear();
        for event in &from.events {
            // Both have the same room.
            let _ = self.events.push_back(*event);
        }
        self.dropped = from.dropped;
    }

    /// Events that did not fit, since the start.
    pub fn dropped(&self) -> u64 {
        self.dropped
    }
}
