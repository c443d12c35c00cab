//! What comes to the recorder from other threads than the cycle: stored events, and the end of the run.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

/// Notes that wait for the recorder. In real time more are dropped and counted; they are in the store.
const WAITING: usize = 4096;

/// One note.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Note {
    /// An event that is stored.
    Event {
        /// Its number.
        seq: u64,
        /// Its cycle.
        cycle: u64,
        /// Its time since the first cycle (ns).
        time_ns: u64,
        /// A deviation was raised, not updated or cleared.
        raised: bool,
        /// Its line.
        json: String,
    },
    /// The run has ended in order.
    End {
        /// Cycles.
        cycles: u64,
        /// Digest of all predictions and events.
        digest: u64,
    },
}

/// The end that notes are sent from.
#[derive(Clone, Debug)]
pub struct NoteSender {
    sender: SyncSender<Note>,
    dropped: Arc<AtomicU64>,
}

/// Both ends of the queue.
pub fn channel() -> (NoteSender, Receiver<Note>) {
    let (sender, receiver) = sync_channel(WAITING);
    let dropped = Arc::default();
    (NoteSender { sender, dropped }, receiver)
}

impl NoteSender {
    /// Sends a note; one that finds no room is counted.
    pub fn send(&self, note: Note) {
        if self.sender.try_send(note).is_err() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Sends a note and waits for room. For virtual time, and for the last note of a run. A recorder that has ended takes none.
    pub fn send_waiting(&self, note: Note) {
        if self.sender.send(note).is_err() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Notes that found no room.
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    /// The same as it is counted, for who has no end of the queue.
    pub fn count(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.dropped)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_too_many_is_counted() {
        let (sender, receiver) = channel();
        let note = Note::End {
            cycles: 1,
            digest: 2,
        };
        for _ in 0..=WAITING {
            sender.send(note.clone());
        }
        assert_eq!(sender.dropped(), 1);
        assert_eq!(receiver.try_iter().count(), WAITING);
        drop(receiver);
        sender.send_waiting(note);
        assert_eq!(sender.dropped(), 2);
    }
}
