//! The scribe: takes events from the cycle, stores them, and only then announces them.
//!
//! It runs at normal priority. Between it and the cycle thread stand one lock-free queue and two atomics, so the cycle
//! never waits for a disk. What does not fit into the queue is counted by the cycle; the scribe turns the count into a
//! stored event of its own (source `scribe`, channel `events_dropped`), so that a gap is never silent.
//!
//! When the store cannot be written (full disk, foreign lock), events wait in the scribe's memory and are tried again;
//! what is still not stored at the end is printed to standard error as JSON and makes the command fail.

use crate::error::HostError;
use crate::false_alarms::Exposure;
use crate::lines::EventRecord;
use crate::names::RunInfo;
use crate::store::{StoreError, StoreWriter};
use heapless::spsc::{Consumer, Producer, Queue};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;
use twinstep_cycle::event::{Detector, Event, EventState};

/// Slots of the queue between cycle and scribe; one of them stays empty. A machine of 1024 axes can raise one event on
/// nearly every axis in the same cycle.
pub const EVENT_QUEUE: usize = 1024;
/// Events that wait in memory while the store cannot be written. More are counted as dropped.
const MAX_PENDING: usize = 65_536;
/// How often the scribe looks into the queue. Short for a person, long for a processor.
const POLL: Duration = Duration::from_millis(2);
/// Wait after a failed transaction.
const RETRY: Duration = Duration::from_millis(500);
/// Attempts to store what is left at the end.
const LAST_ATTEMPTS: u32 = 5;

/// What is done with an event once it is stored: its record and its line of JSON.
pub type Announce = Box<dyn FnMut(&EventRecord, &str) + Send>;

/// What both ends see without a lock.
#[derive(Debug, Default)]
struct Shared {
    /// Events that the cycle could not put into the queue.
    dropped: AtomicU64,
    /// The last cycle and time that the cycle reported a drop for.
    dropped_cycle: AtomicU64,
    dropped_time_ns: AtomicU64,
    /// Time watched in this run (ns), set with `stop`.
    seen_ns: AtomicU64,
    /// No more events will come.
    stop: AtomicBool,
    /// The scribe thread has ended, for whatever reason.
    ended: AtomicBool,
}

/// The cycle's end of the queue. Sending allocates nothing, takes no lock and never waits.
pub struct EventSender {
    producer: Producer<'static, Event>,
    shared: Arc<Shared>,
}

impl EventSender {
    /// Sends one event; returns false when it did not fit and was counted as dropped.
    #[inline]
    pub fn send(&mut self, event: Event) -> bool {
        let sent = self.producer.enqueue(event).is_ok();
        if !sent {
            self.count_dropped(1, event.cycle, event.time_ns);
        }
        sent
    }

    /// Sends one event and gives the scribe the time to make room. For virtual time only, where nothing is late:
    /// a run must not lose events just because it is faster than the disk. A scribe that has ended counts as full.
    pub fn send_waiting(&mut self, event: Event) -> bool {
        while !self.producer.ready() && !self.shared.ended.load(Ordering::Acquire) {
            std::thread::yield_now();
        }
        self.send(event)
    }

    /// Counts events that were dropped before they came here, found in `cycle` at `time_ns`.
    pub fn count_dropped(&mut self, count: u64, cycle: u64, time_ns: u64) {
        // Release on the count publishes the two stores before it; there is one writer, so a plain load is current.
        self.shared.dropped_cycle.store(cycle, Ordering::Relaxed);
        self.shared
            .dropped_time_ns
            .store(time_ns, Ordering::Relaxed);
        let before = self.shared.dropped.load(Ordering::Relaxed);
        self.shared
            .dropped
            .store(before.saturating_add(count), Ordering::Release);
    }

    /// Events dropped so far.
    pub fn dropped(&self) -> u64 {
        self.shared.dropped.load(Ordering::Relaxed)
    }
}

/// What the scribe did in a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ScribeTotals {
    /// Deviations raised.
    pub raised: u64,
    /// Events of this run stored, all states and the scribe's own.
    pub stored: u64,
    /// Events dropped before they could be stored.
    pub dropped: u64,
    /// Number of the last stored event.
    pub last_seq: u64,
    /// What was watched under the plan, earlier runs included.
    pub exposure: Exposure,
}

/// The running scribe.
pub struct Scribe {
    thread: JoinHandle<Result<Vec<ScribeTotals>, HostError>>,
    /// One for each queue.
    shared: Vec<Arc<Shared>>,
}

impl Scribe {
    /// Starts the scribe on `store`. Numbers go on where the store ends.
    ///
    /// # Errors
    /// [`HostError`] when the store cannot be read or no thread can be started.
    pub fn start(
        store: StoreWriter,
        run: Arc<RunInfo>,
        announce: Announce,
    ) -> Result<(EventSender, Self), HostError> {
        let (mut senders, scribe) = Self::start_for(store, &[run], Vec::new(), announce)?;
        match senders.pop() {
            Some(sender) => Ok((sender, scribe)),
            None => Err(HostError::machine(
                "the scribe has no queue",
                "this is a fault of twinstep: please report it",
            )),
        }
    }

    /// The same for several cycles, each with a queue of its own, in the order of `runs`. Their events have numbers of one sequence, and
    /// come after those of `first`, which are nobody's own ([`crate::standing`]). Those are stored once a cycle begins, and never where none
    /// does.
    ///
    /// # Errors
    /// As [`Self::start`].
    pub fn start_for(
        store: StoreWriter,
        runs: &[Arc<RunInfo>],
        first: Vec<EventRecord>,
        announce: Announce,
    ) -> Result<(Vec<EventSender>, Self), HostError> {
        let mut senders = Vec::new();
        let mut inlets = Vec::new();
        for run in runs {
            let (sender, inlet) = inlet(&store, Arc::clone(run))?;
            senders.push(sender);
            inlets.push(inlet);
        }
        let shared: Vec<_> = inlets.iter().map(|one| Arc::clone(&one.shared)).collect();
        let worker = Worker {
            inlets,
            store,
            announce,
            first,
            pending: Vec::new(),
        };
        let thread = std::thread::Builder::new()
            .name("scribe".into())
            .spawn(move || {
                // Its files are open; what cannot be given up harms nobody here, and the cycle's thread tells it.
                let _ = crate::realtime::capabilities::give_up_all();
                worker.run()
            })
            .map_err(|error| {
                HostError::machine(
                    format!("cannot start the scribe thread: {error}"),
                    "raise the limit of processes",
                )
            })?;
        Ok((senders, Self { thread, shared }))
    }

    /// Ends the scribe: everything sent so far is stored, and `seen_ns`, the time watched in this run, is added to
    /// the exposure of the plan. To be called after the last event was sent.
    ///
    /// # Errors
    /// [`HostError::Machine`] when events could not be stored.
    pub fn stop(self, seen_ns: u64) -> Result<ScribeTotals, HostError> {
        let totals = self.stop_all(&[seen_ns])?;
        Ok(totals.first().copied().unwrap_or_default())
    }

    /// The same for several cycles, in their order.
    ///
    /// # Errors
    /// As [`Self::stop`].
    pub fn stop_all(self, seen_ns: &[u64]) -> Result<Vec<ScribeTotals>, HostError> {
        let Self { thread, shared } = self;
        for (shared, seen_ns) in shared.iter().zip(seen_ns) {
            shared.seen_ns.store(*seen_ns, Ordering::Relaxed);
        }
        for shared in &shared {
            // Release on the flag publishes the time before it.
            shared.stop.store(true, Ordering::Release);
        }
        thread.thread().unpark();
        thread.join().unwrap_or_else(|_| {
            Err(HostError::machine(
                "the scribe thread panicked",
                "stored events are complete up to that point",
            ))
        })
    }
}

/// Makes the queue of one cycle.
fn inlet(store: &StoreWriter, run: Arc<RunInfo>) -> Result<(EventSender, Inlet), HostError> {
    let before = store.exposure(&run.plan).map_err(StoreError::into_usage)?;
    run.set_exposure(before, 0);
    // The queue lives as long as the process: both ends may outlive this call in any order, and a cycle has one.
    let queue: &'static mut Queue<Event, EVENT_QUEUE> = Box::leak(Box::new(Queue::new()));
    let (producer, consumer) = queue.split();
    let shared = Arc::new(Shared::default());
    let sender = EventSender {
        producer,
        shared: Arc::clone(&shared),
    };
    let inlet = Inlet {
        consumer,
        shared,
        run,
        before,
        alarms: 0,
        overflowed: 0,
        seen_dropped: 0,
        totals: ScribeTotals::default(),
    };
    Ok((sender, inlet))
}

/// One cycle, as the scribe sees it.
struct Inlet {
    consumer: Consumer<'static, Event>,
    shared: Arc<Shared>,
    run: Arc<RunInfo>,
    /// Exposure of earlier runs under the same plan.
    before: Exposure,
    /// Statistical deviations raised in this run.
    alarms: u64,
    /// Events that found no place in `pending`. Apart from the cycle's count, which has one writer only.
    overflowed: u64,
    /// Drops of both kinds that have become an event.
    seen_dropped: u64,
    totals: ScribeTotals,
}

impl Inlet {
    /// Moves everything that has arrived into `pending`.
    fn collect(&mut self, pending: &mut Vec<EventRecord>) {
        while let Some(event) = self.consumer.dequeue() {
            if pending.len() >= MAX_PENDING {
                self.overflowed += 1;
                continue;
            }
            let record = EventRecord::of(&event, &self.run, self.exposure(event.time_ns));
            if event.state == EventState::Raised {
                self.totals.raised += 1;
                self.alarms += u64::from(event.detector != Detector::State);
                self.run.set_exposure(self.before, self.alarms);
            }
            self.push(pending, record);
        }
        let dropped = self
            .shared
            .dropped
            .load(Ordering::Acquire)
            .saturating_add(self.overflowed);
        let new = dropped.saturating_sub(self.seen_dropped);
        if new > 0 && pending.len() < MAX_PENDING {
            let cycle = self.shared.dropped_cycle.load(Ordering::Relaxed);
            let time_ns = self.shared.dropped_time_ns.load(Ordering::Relaxed);
            let exposure = self.exposure(time_ns);
            let record = EventRecord::dropped(new, cycle, time_ns, &self.run, exposure);
            self.push(pending, record);
            self.seen_dropped = dropped;
        }
        self.totals.dropped = dropped;
    }

    fn push(&mut self, pending: &mut Vec<EventRecord>, record: EventRecord) {
        pending.push(record);
        // The scribe ends with an error where one of them is not stored in the end.
        self.totals.stored += 1;
    }

    /// What was watched under this plan before `time_ns` of this run.
    fn exposure(&self, time_ns: u64) -> Exposure {
        Exposure {
            seen_ns: self.before.seen_ns.saturating_add(time_ns),
            alarms: self.before.alarms.saturating_add(self.alarms),
        }
    }

    /// Notes in the store what was watched.
    fn finish(&mut self, store: &mut StoreWriter) -> Result<ScribeTotals, StoreError> {
        let seen_ns = self.shared.seen_ns.load(Ordering::Relaxed);
        let exposure = self.exposure(seen_ns);
        store.add_run(&self.run, seen_ns)?;
        store.set_exposure(&self.run.plan, exposure)?;
        self.totals.last_seq = store.last_seq();
        self.totals.exposure = exposure;
        Ok(self.totals)
    }
}

/// The scribe's own side.
struct Worker {
    inlets: Vec<Inlet>,
    store: StoreWriter,
    announce: Announce,
    /// What comes before the events of the cycles, until one begins.
    first: Vec<EventRecord>,
    pending: Vec<EventRecord>,
}

impl Worker {
    fn run(mut self) -> Result<Vec<ScribeTotals>, HostError> {
        // Whatever ends this thread, a cycle in virtual time must not wait for it.
        let inlets = self.inlets.iter();
        let _ended: Vec<_> = inlets
            .map(|one| EndedGuard(Arc::clone(&one.shared)))
            .collect();
        loop {
            // Read before the queues are emptied: what was sent before the flags were set is then found below.
            let mut all = self.inlets.iter();
            let stopping = all.all(|one| one.shared.stop.load(Ordering::Acquire));
            for inlet in &mut self.inlets {
                inlet.collect(&mut self.pending);
            }
            self.begin();
            if stopping {
                return self.finish();
            }
            let wait = match self.store_pending() {
                Ok(()) => POLL,
                Err(_) => RETRY,
            };
            std::thread::park_timeout(wait);
        }
    }

    /// Puts what comes first before what has been collected, once a cycle begins. Looked at behind the collecting: who has sent an
    /// event has begun.
    fn begin(&mut self) {
        if self.first.is_empty() || !self.inlets.iter().any(|one| one.run.has_begun()) {
            return;
        }
        let mut first = std::mem::take(&mut self.first);
        for record in &mut first {
            let run = self.inlets.iter().find(|one| one.run.plan == record.plan);
            record.time_utc_ns = run.map_or(record.time_utc_ns, |one| one.run.utc_ns(0));
        }
        self.pending.splice(0..0, first);
    }

    /// Stores what is pending in one transaction, then announces it.
    fn store_pending(&mut self) -> Result<(), StoreError> {
        if self.pending.is_empty() {
            return Ok(());
        }
        let lines = self.store.append(&mut self.pending)?;
        for (record, line) in self.pending.iter().zip(&lines) {
            (self.announce)(record, line);
        }
        self.pending.clear();
        Ok(())
    }

    fn finish(mut self) -> Result<Vec<ScribeTotals>, HostError> {
        let mut attempt = 1;
        while let Err(error) = self.store_pending() {
            if attempt == LAST_ATTEMPTS {
                return Err(self.lost(&error));
            }
            attempt += 1;
            std::thread::park_timeout(RETRY);
        }
        let Self { inlets, store, .. } = &mut self;
        (inlets.iter_mut())
            .map(|inlet| inlet.finish(store).map_err(StoreError::into_machine))
            .collect()
    }

    /// The events that found no place in the store go to standard error, where a journal may keep them.
    fn lost(&self, error: &StoreError) -> HostError {
        use std::io::Write;
        let mut stderr = std::io::stderr().lock();
        for record in &self.pending {
            if let Ok(line) = serde_json::to_string(record) {
                let _ = writeln!(stderr, "{line}");
            }
        }
        HostError::machine(
            format!(
                "{} events could not be stored and stand on standard error: {error}",
                self.pending.len()
            ),
            error.remedy(),
        )
    }
}

struct EndedGuard(Arc<Shared>);

impl Drop for EndedGuard {
    fn drop(&mut self) {
        self.0.ended.store(true, Ordering::Release);
    }
}

#[cfg(test)]
#[path = "scribe_tests.rs"]
mod tests;
