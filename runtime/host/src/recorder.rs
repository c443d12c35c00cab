//! The recorder: takes whole cycles from the cycle thread and writes them to a file.
//!
//! Buffers are made once and go round: free → cycle → full → recorder → free, through two lock-free queues. In real
//! time the cycle never waits: when no buffer is free, the cycle's record is counted as dropped, and the recording
//! shows a gap. In virtual time nothing is late, so the cycle may wait for a buffer and a recording is always complete.

use crate::error::HostError;
use crate::record::checkpoint::Taken;
use crate::record::notes::Note;
use heapless::spsc::{Consumer, Producer, Queue};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::Receiver;
use std::thread::JoinHandle;
use std::time::Duration;
use twinstep_cycle::checkpoint::Slot;
use twinstep_drivers::bus::{BusFault, ProcessImage};
use twinstep_drivers::recording::Writer;
use twinstep_models::sample::CycleStamp;

/// Buffers that go round: one second at 1 ms, which a busy disk may well take.
pub const RECORD_BUFFERS: usize = 1024;
/// Its niceness in real time: threads of the kernel that pass frames on go first. It keeps a tenth of a core that others fill.
const NICENESS: i32 = 10;
/// Slots of each queue; one of them stays empty, and all buffers must fit.
const QUEUE: usize = RECORD_BUFFERS + 1;
/// How often the recorder looks for full buffers.
const POLL: Duration = Duration::from_millis(2);
/// Parts of checkpoints that may be on their way. In real time the next waits for a cycle in which there is room.
const SLOTS: usize = 8;
/// How long a note is waited for in virtual time before it is taken for lost.
const NOTE_PATIENCE: Duration = Duration::from_secs(5);

/// One cycle as the bus brought it.
#[derive(Clone, Debug)]
pub struct Record {
    /// Which cycle.
    pub stamp: CycleStamp,
    /// What the exchange returned.
    pub result: Result<CycleStamp, BusFault>,
    /// Outputs, inputs, their validity and the context.
    pub image: ProcessImage,
    /// A digest: the cycle after which it holds, and itself.
    pub digest: Option<(u64, u64)>,
    /// What the operator told the run before this cycle.
    pub told: Told,
    /// A part of the twins' state, taken after the cycle before.
    pub part: Option<Taken>,
    /// Events that the cycle has sent since the start, this one included.
    pub events: u64,
    /// Some of them, since the record before, say that a deviation was raised.
    pub raised: bool,
}

/// What the operator told the run: short enough for a record.
pub type Told = heapless::String<MAX_TOLD>;
/// Most bytes of what the operator told the run; more is cut.
pub const MAX_TOLD: usize = 160;

/// Where records go.
pub trait RecordSink: Send {
    /// Writes one cycle.
    ///
    /// # Errors
    /// [`HostError::Machine`] with the path and the remedy.
    fn write(&mut self, record: &Record) -> Result<(), HostError>;

    /// Takes what came from another thread than the cycle.
    ///
    /// # Errors
    /// As [`Self::write`].
    fn note(&mut self, _note: &Note) -> Result<(), HostError> {
        Ok(())
    }

    /// Bytes in the file so far, where that is counted.
    fn bytes(&self) -> u64 {
        0
    }

    /// Called every few milliseconds, whether something came or not.
    ///
    /// # Errors
    /// As [`Self::write`].
    fn tick(&mut self) -> Result<(), HostError> {
        Ok(())
    }

    /// Whether it has a place for checkpoints.
    fn wants_checkpoints(&self) -> bool {
        false
    }

    /// Whether it can go on only with the next note. Asked after every cycle; in real time nobody may wait.
    fn wants_note(&self) -> bool {
        false
    }

    /// The note that was waited for did not come.
    fn miss_note(&mut self) {}

    /// Completes the file, in which `dropped` cycles are missing.
    ///
    /// # Errors
    /// As [`Self::write`].
    fn finish(self: Box<Self>, dropped: u64) -> Result<(), HostError>;
}

impl RecordSink for Writer {
    fn write(&mut self, record: &Record) -> Result<(), HostError> {
        Self::write(self, &record.stamp, &record.result, &record.image)
            .map_err(|error| HostError::machine(error.to_string(), error.remedy()))
    }

    fn finish(self: Box<Self>, _dropped: u64) -> Result<(), HostError> {
        Self::finish(*self).map_err(|error| HostError::machine(error.to_string(), error.remedy()))
    }
}

#[derive(Debug, Default)]
struct Shared {
    dropped: AtomicU64,
    stop: AtomicBool,
    /// The recorder thread has ended; no buffer will ever become free again.
    ended: AtomicBool,
}

/// The cycle's end. Recording allocates nothing and takes no lock.
pub struct RecordSender {
    free: Consumer<'static, Box<Record>>,
    full: Producer<'static, Box<Record>>,
    shared: Arc<Shared>,
    /// Room for parts of checkpoints; none where nobody wants any.
    slots: Option<Consumer<'static, Box<Slot>>>,
    spare: Option<Box<Slot>>,
    /// For the next record.
    digest: Option<(u64, u64)>,
    told: Told,
    part: Option<Taken>,
    events: u64,
    raised: bool,
}

impl RecordSender {
    /// Has the next record say that `digest` holds after `cycle`.
    pub fn note_digest(&mut self, cycle: u64, digest: u64) {
        self.digest = Some((cycle, digest));
    }

    /// Counts an event that the cycle has sent; `raised`: it says that a deviation was raised.
    pub fn note_event(&mut self, raised: bool) {
        self.events += 1;
        self.raised |= raised;
    }

    /// Whether parts of checkpoints are wanted.
    pub fn takes_parts(&self) -> bool {
        self.slots.is_some()
    }

    /// Room for a part; none where all of it is on its way. Never waits.
    pub fn slot(&mut self) -> Option<Box<Slot>> {
        if self.part.is_some() {
            return None;
        }
        self.spare.take().or_else(|| self.slots.as_mut()?.dequeue())
    }

    /// The same, waiting for room. For virtual time only.
    pub fn slot_waiting(&mut self) -> Option<Box<Slot>> {
        while self.part.is_none()
            && self.spare.is_none()
            && self.slots.as_ref().is_some_and(|slots| !slots.ready())
            && !self.shared.ended.load(Ordering::Acquire)
        {
            std::thread::yield_now();
        }
        self.slot()
    }

    /// Has the next record carry a part.
    pub fn note_part(&mut self, part: Taken) {
        self.part = Some(part);
    }

    /// Takes room back that was not filled.
    pub fn keep_slot(&mut self, slot: Box<Slot>) {
        self.spare = Some(slot);
    }

    /// What the next record says that the operator told the run.
    pub fn told(&mut self) -> &mut Told {
        self.told.clear();
        &mut self.told
    }

    /// Records one cycle; returns false when no buffer was free and the record was counted as dropped. Never waits.
    #[inline]
    pub fn record(
        &mut self,
        stamp: CycleStamp,
        result: &Result<CycleStamp, BusFault>,
        image: &ProcessImage,
    ) -> bool {
        let fits = self
            .free
            .peek()
            .is_some_and(|buffer| same_shape(image, &buffer.image));
        let recorded = fits
            && self.free.dequeue().is_some_and(|mut buffer| {
                buffer.stamp = stamp;
                buffer.result = *result;
                copy_image(image, &mut buffer.image);
                buffer.digest = self.digest.take();
                buffer.told.clone_from(&self.told);
                self.told.clear();
                buffer.part = self.part.take();
                buffer.events = self.events;
                buffer.raised = core::mem::take(&mut self.raised);
                // The queue holds all buffers, so this cannot fail.
                self.full.enqueue(buffer).is_ok()
            });
        if !recorded {
            // One writer: a plain load is current.
            let before = self.shared.dropped.load(Ordering::Relaxed);
            self.shared
                .dropped
                .store(before.saturating_add(1), Ordering::Relaxed);
        }
        recorded
    }

    /// Records one cycle and waits for a free buffer where there is none. For virtual time only.
    /// A recorder that has ended leaves no buffer free, and the record is counted as dropped.
    pub fn record_waiting(
        &mut self,
        stamp: CycleStamp,
        result: &Result<CycleStamp, BusFault>,
        image: &ProcessImage,
    ) -> bool {
        while !self.free.ready() && !self.shared.ended.load(Ordering::Acquire) {
            std::thread::yield_now();
        }
        self.record(stamp, result, image)
    }

    /// Cycles that are missing in the recording so far.
    pub fn dropped(&self) -> u64 {
        self.shared.dropped.load(Ordering::Relaxed)
    }
}

/// Buffers were made for images of one shape; a stranger's is refused, not fitted.
fn same_shape(one: &ProcessImage, other: &ProcessImage) -> bool {
    one.outputs.len() == other.outputs.len()
        && one.inputs.len() == other.inputs.len()
        && one.valid.len() == other.valid.len()
}

/// Copies between images of one shape, without the allocations of `clone`.
fn copy_image(from: &ProcessImage, to: &mut ProcessImage) {
    to.outputs.copy_from_slice(&from.outputs);
    to.inputs.copy_from_slice(&from.inputs);
    to.valid.copy_from_slice(&from.valid);
    (to.recipe, to.part, to.conditions) = (from.recipe, from.part, from.conditions);
}

/// What a recording holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RecorderTotals {
    /// Cycles written.
    pub written: u64,
    /// Cycles that found no free buffer.
    pub dropped: u64,
}

/// Cycles that found no free buffer, for who asks from another thread.
#[derive(Clone, Debug)]
pub struct Drops(Arc<Shared>);

impl Drops {
    /// So many until now.
    pub fn count(&self) -> u64 {
        self.0.dropped.load(Ordering::Relaxed)
    }
}

/// The running recorder.
pub struct Recorder {
    thread: JoinHandle<Result<u64, HostError>>,
    shared: Arc<Shared>,
}

impl Recorder {
    /// Starts the recorder. `template` gives the shape of all images to come.
    ///
    /// # Errors
    /// [`HostError::Machine`] when no thread can be started.
    pub fn start(
        sink: Box<dyn RecordSink>,
        template: &ProcessImage,
    ) -> Result<(RecordSender, Self), HostError> {
        Self::start_with(sink, template, None, false)
    }

    /// The same, with notes from other threads; in real time it stands back.
    ///
    /// # Errors
    /// As [`Self::start`].
    pub fn start_with(
        sink: Box<dyn RecordSink>,
        template: &ProcessImage,
        notes: Option<Receiver<Note>>,
        real_time: bool,
    ) -> Result<(RecordSender, Self), HostError> {
        // Both queues live as long as the process: a run has one recorder, and either end may go first.
        let free: &'static mut Queue<Box<Record>, QUEUE> = Box::leak(Box::new(Queue::new()));
        let full: &'static mut Queue<Box<Record>, QUEUE> = Box::leak(Box::new(Queue::new()));
        let stamp = CycleStamp::default();
        for _ in 0..RECORD_BUFFERS {
            let record = Box::new(Record {
                stamp,
                result: Ok(stamp),
                image: template.clone(),
                digest: None,
                told: Told::new(),
                part: None,
                events: 0,
                raised: false,
            });
            // There are as many places as buffers.
            let _ = free.enqueue(record);
        }
        let (slots, slots_back) = if sink.wants_checkpoints() {
            let slots: &'static mut Queue<Box<Slot>, { SLOTS + 1 }> =
                Box::leak(Box::new(Queue::new()));
            for _ in 0..SLOTS {
                let _ = slots.enqueue(Box::default());
            }
            let (back, slots) = slots.split();
            (Some(slots), Some(back))
        } else {
            (None, None)
        };
        let (give_back, free) = free.split();
        let (full, take) = full.split();
        let shared = Arc::new(Shared::default());
        let worker = Worker {
            take,
            give_back,
            slots_back,
            shared: Arc::clone(&shared),
            notes,
            sink,
            written: 0,
            failure: None,
        };
        let thread = std::thread::Builder::new()
            .name("recorder".into())
            .spawn(move || {
                // Its files are open; what cannot be given up harms nobody here.
                let _ = crate::realtime::capabilities::give_up_all();
                if real_time {
                    let _ = rustix::process::setpriority_process(None, NICENESS);
                }
                worker.run()
            })
            .map_err(|error| {
                HostError::machine(
                    format!("cannot start the recorder thread: {error}"),
                    "raise the limit of processes",
                )
            })?;
        let sender = RecordSender {
            free,
            full,
            shared: Arc::clone(&shared),
            slots,
            spare: None,
            digest: None,
            told: Told::new(),
            part: None,
            events: 0,
            raised: false,
        };
        Ok((sender, Self { thread, shared }))
    }

    /// Who counts cycles that found no free buffer.
    pub fn drops(&self) -> Drops {
        Drops(Arc::clone(&self.shared))
    }

    /// Ends the recorder: everything recorded so far is written and the file is completed.
    /// To be called after the last cycle was recorded.
    ///
    /// # Errors
    /// [`HostError::Machine`] when the file could not be written.
    pub fn stop(self) -> Result<RecorderTotals, HostError> {
        self.shared.stop.store(true, Ordering::Release);
        self.thread.thread().unpark();
        let written = self.thread.join().unwrap_or_else(|_| {
            Err(HostError::machine(
                "the recorder thread panicked",
                "what was written so far is valid",
            ))
        })?;
        Ok(RecorderTotals {
            written,
            dropped: self.shared.dropped.load(Ordering::Relaxed),
        })
    }
}

struct Worker {
    take: Consumer<'static, Box<Record>>,
    give_back: Producer<'static, Box<Record>>,
    slots_back: Option<Producer<'static, Box<Slot>>>,
    shared: Arc<Shared>,
    notes: Option<Receiver<Note>>,
    sink: Box<dyn RecordSink>,
    written: u64,
    failure: Option<HostError>,
}

impl Worker {
    fn run(mut self) -> Result<u64, HostError> {
        let _ended = EndedGuard(Arc::clone(&self.shared));
        loop {
            // Read before the queue is emptied: what was recorded before the flag was set is then found below.
            let stopping = self.shared.stop.load(Ordering::Acquire);
            while let Some(mut record) = self.take.dequeue() {
                self.write(&record);
                if let (Some(back), Some(part)) = (&mut self.slots_back, record.part.take()) {
                    let _ = back.enqueue(part.slot);
                }
                // As many places as buffers: it always fits.
                let _ = self.give_back.enqueue(record);
                self.await_notes();
            }
            self.take_notes();
            if stopping {
                break;
            }
            std::thread::park_timeout(POLL);
        }
        let dropped = self.shared.dropped.load(Ordering::Relaxed);
        let finished = self.sink.finish(dropped);
        match self.failure {
            Some(error) => Err(error),
            None => finished.map(|()| self.written),
        }
    }

    /// Waits for notes that the sink cannot go on without.
    fn await_notes(&mut self) {
        while self.failure.is_none() && self.sink.wants_note() {
            let Some(notes) = &self.notes else { return };
            match notes.recv_timeout(NOTE_PATIENCE) {
                Ok(note) => self.failure = self.sink.note(&note).err(),
                Err(_) => self.sink.miss_note(),
            }
        }
    }

    fn take_notes(&mut self) {
        while let Some(note) = self.notes.as_ref().and_then(|notes| notes.try_recv().ok()) {
            if self.failure.is_none() {
                self.failure = self.sink.note(&note).err();
            }
        }
        if self.failure.is_none() {
            self.failure = self.sink.tick().err();
        }
    }

    /// Writes one record. After a failure buffers only go round, so that the cycle is not held up.
    fn write(&mut self, record: &Record) {
        if self.failure.is_some() {
            return;
        }
        match self.sink.write(record) {
            Ok(()) => self.written += 1,
            Err(error) => self.failure = Some(error),
        }
    }
}

struct EndedGuard(Arc<Shared>);

impl Drop for EndedGuard {
    fn drop(&mut self) {
        self.0.ended.store(true, Ordering::Release);
    }
}

#[cfg(test)]
#[path = "recorder_tests.rs"]
mod tests;
