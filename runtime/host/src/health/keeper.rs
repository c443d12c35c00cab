//! Keeps health over the end of a run: what an earlier one left is put back before the first cycle, and what is tracked goes into
//! the same file once a minute and at the end.
//!
//! The cycle only copies, one axis, station or part of a press a cycle, into a buffer that was made before and goes round through two lock-free
//! queues; a thread of normal priority writes. While that has the buffer the next copy waits. In virtual time there is no thread:
//! the end of the run alone is kept.

use super::book::{self, ASIDE, Book, Owner, PutBack, with};
use crate::control::health::HealthBuffer;
use crate::error::HostError;
use crate::names::{Names, RunInfo};
use crate::output::Output;
use crate::plan::StateStore;
use crate::session::{Options, named};
use heapless::spsc::{Consumer, Producer, Queue};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;
use twinstep_config::machine::Machine;
use twinstep_cycle::pipeline::Pipeline;

/// Time between two copies (ns).
pub const EVERY_NS: u64 = 60_000_000_000;
/// Slots of either queue; one stays empty.
const QUEUE: usize = 2;
/// How often the thread looks for a copy.
const POLL: Duration = Duration::from_millis(200);

type Room = Queue<Box<HealthBuffer>, QUEUE>;

/// The cycle's end. It allocates nothing and never waits.
pub struct HealthSender {
    free: Consumer<'static, Box<HealthBuffer>>,
    full: Producer<'static, Box<HealthBuffer>>,
    copying: Option<Box<HealthBuffer>>,
    next_ns: u64,
    time_ns: u64,
}

/// The other end.
pub struct HealthInbox {
    free: Producer<'static, Box<HealthBuffer>>,
    full: Consumer<'static, Box<HealthBuffer>>,
}

/// Both ends, with a buffer for a machine; the first copy begins at `first_ns` of the run.
pub fn channel(names: &Names, first_ns: u64) -> (HealthSender, HealthInbox) {
    // They live as long as the process: a run has one pair, and either end may go first.
    let free: &'static mut Room = Box::leak(Box::new(Queue::new()));
    let full: &'static mut Room = Box::leak(Box::new(Queue::new()));
    // There is one place.
    let _ = free.enqueue(Box::new(HealthBuffer::of(names)));
    let ((give, take), (hand_over, receive)) = (free.split(), full.split());
    let sender = HealthSender {
        free: take,
        full: hand_over,
        copying: None,
        next_ns: first_ns,
        time_ns: 0,
    };
    let inbox = HealthInbox {
        free: give,
        full: receive,
    };
    (sender, inbox)
}

impl HealthSender {
    /// After a cycle: copies one axis, station or part of a press, where a copy is due.
    #[inline]
    pub fn cycle(&mut self, pipeline: &Pipeline<'_>, time_ns: u64) {
        self.time_ns = time_ns;
        if self.copying.is_none() {
            if time_ns < self.next_ns {
                return;
            }
            let Some(mut buffer) = self.free.dequeue() else {
                return;
            };
            buffer.clear();
            self.next_ns = time_ns.saturating_add(EVERY_NS);
            self.copying = Some(buffer);
        }
        let Some(mut buffer) = self.copying.take() else {
            return;
        };
        if buffer.copy_one(pipeline) {
            buffer.time_ns = time_ns;
            // The queue holds all buffers, so this cannot fail.
            let _ = self.full.enqueue(buffer);
        } else {
            self.copying = Some(buffer);
        }
    }

    /// Has the next copy begin as soon as there is a buffer.
    pub fn soon(&mut self) {
        self.next_ns = 0;
    }

    /// A copy of everything at once, in memory of its own: for the end of a run.
    pub fn copy_all(&self, pipeline: &Pipeline<'_>) -> Box<HealthBuffer> {
        let plan = pipeline.plan();
        let (axes, stations) = (plan.axes.len(), plan.stations.len());
        let mut buffer = Box::new(HealthBuffer::new(axes, stations, plan.presses.len()));
        while !buffer.copy_one(pipeline) {}
        buffer.time_ns = self.time_ns;
        buffer
    }
}

impl HealthInbox {
    /// The copy that the cycle has handed over.
    pub fn take(&mut self) -> Option<Box<HealthBuffer>> {
        self.full.dequeue()
    }

    /// Gives the buffer back.
    pub fn give(&mut self, buffer: Box<HealthBuffer>) {
        // There is a place for each.
        let _ = self.free.enqueue(buffer);
    }
}

/// Tells somebody at once.
type Say = Option<Box<dyn Fn(&str) + Send>>;

/// The book and its file.
struct Desk {
    book: Book,
    path: PathBuf,
    info: Arc<RunInfo>,
    say: Say,
    /// Why the last copy was not written.
    trouble: Option<String>,
    told: bool,
}

impl Desk {
    fn keep(&mut self, buffer: &HealthBuffer) {
        self.book.take(buffer, &self.info.names);
        self.write();
    }

    fn write(&mut self) {
        self.trouble = self.book.write(&self.path).err();
        if let (Some(why), Some(say), false) = (&self.trouble, &self.say, self.told) {
            say(&not_kept(&self.path, why));
            self.told = true;
        }
    }
}

fn not_kept(path: &Path, why: &str) -> String {
    format!(
        "health is not kept in {}: {why}; the run goes on, and it is tried again every minute and at its end",
        path.display()
    )
}

/// Who keeps the health of one bus.
pub struct Keeper {
    desk: Option<Desk>,
    thread: Option<(JoinHandle<Desk>, Arc<AtomicBool>)>,
    inbox: Option<HealthInbox>,
}

impl Keeper {
    /// Reads what an earlier run has left in the state folder, whose store this process has. What cannot be read is named, and
    /// put aside. None where that is not possible: it is not written over.
    pub fn open(
        machine: &Machine,
        options: &Options,
        info: &Arc<RunInfo>,
        output: &Output,
    ) -> Option<(HealthSender, Self)> {
        let simulated = machine.simulation.filter(|_| options.simulated);
        let seed = simulated.map(|s| options.machine_seed.unwrap_or(s.machine_seed));
        let owner = Owner::of(machine, seed);
        let path = owner.path(&options.state);
        let book = match Book::read(&path, &owner) {
            Ok(book) => book,
            Err(why) => {
                let (aside, done) = said_aside(&path, book::put_aside(&path));
                let text = format!(
                    "health begins anew: {} is of no use, {why}; {aside}",
                    path.display()
                );
                output.note(&named(info.names.bus(), &text));
                if !done {
                    return None;
                }
                None
            }
        };
        if let (None, Some(earlier), false) = (&book, owner.earlier(&options.state), path.exists())
        {
            // Once there is a file of this version it is not said again.
            let text = format!(
                "health begins anew: {} is of an earlier version of twinstep, which this one does not read, and is left alone; health of this version goes into {}",
                earlier.display(),
                path.display()
            );
            output.note(&named(info.names.bus(), &text));
        }
        let said = options.quiet || !output.is_terminal();
        let (output, bus) = (output.clone(), info.names.bus().map(str::to_owned));
        let say: Say = said
            .then(|| Box::new(move |text: &str| output.note(&named(bus.as_deref(), text))) as _);
        let (sender, inbox) = channel(&info.names, EVERY_NS);
        let desk = Desk {
            book: book.unwrap_or_else(|| Book::new(owner)),
            path,
            info: Arc::clone(info),
            say,
            trouble: None,
            told: false,
        };
        let keeper = Self {
            desk: Some(desk),
            thread: None,
            inbox: Some(inbox),
        };
        Some((sender, keeper))
    }

    /// Puts back what fits, and says what does not. What is not put back stays in a file aside.
    pub fn put_back(&mut self, state: &mut StateStore, output: &Output) {
        let Some(desk) = &mut self.desk else { return };
        let info = Arc::clone(&desk.info);
        let names = &info.names;
        let done = desk.book.put_back(names, state);
        let note = |text: &str| output.note(&named(names.bus(), text));
        if done.axes + done.stations > 0 {
            note(&format!(
                "health goes on after {:.4} h of earlier runs (axes and presses: {}, stations: {}), from {}",
                done.hours,
                done.axes,
                done.stations,
                desk.path.display()
            ));
        }
        if let Some(left) = left_out(&done) {
            // The file is in its place too until the new one is, also where the disk takes none now.
            let (aside, done) = said_aside(&desk.path, book::keep_aside(&desk.path));
            note(&format!("{left}; {aside}"));
            if done {
                desk.write();
            } else {
                self.desk = None;
            }
        }
    }

    /// Has a thread write what comes during the run.
    ///
    /// # Errors
    /// [`HostError::Machine`] when no thread can be started.
    pub fn start(&mut self) -> Result<(), HostError> {
        let (Some(mut desk), Some(mut inbox)) = (self.desk.take(), self.inbox.take()) else {
            return Ok(());
        };
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let work = move || {
            // What cannot be given up harms nobody here, and the cycle's thread tells it.
            let _ = crate::realtime::capabilities::give_up_all();
            loop {
                // Acquire: what the cycle handed over before its end is seen.
                let last = stopped.load(Ordering::Acquire);
                if let Some(buffer) = inbox.take() {
                    desk.keep(&buffer);
                    inbox.give(buffer);
                }
                if last {
                    return desk;
                }
                std::thread::park_timeout(POLL);
            }
        };
        let thread = std::thread::Builder::new()
            .name("health".to_owned())
            .spawn(work)
            .map_err(|error| {
                HostError::machine(
                    format!("cannot start the thread that keeps health: {error}"),
                    "raise the limit of processes",
                )
            })?;
        self.thread = Some((thread, stop));
        Ok(())
    }

    /// Ends it with the last copy; none where there was no run. Returns why that could not be kept, in words.
    pub fn stop(mut self, last: Option<&HealthBuffer>) -> Option<String> {
        if let Some((thread, stop)) = self.thread.take() {
            // Release: the thread sees what was handed over before.
            stop.store(true, Ordering::Release);
            thread.thread().unpark();
            match thread.join() {
                Ok(desk) => self.desk = Some(desk),
                Err(_) => return Some("health is not kept: its thread panicked".to_owned()),
            }
        }
        // Where there is no desk it was said why.
        let mut desk = self.desk?;
        desk.say = None;
        desk.keep(last?);
        let why = desk.trouble?;
        Some(format!(
            "health of this run is not kept in {}: {why}",
            desk.path.display()
        ))
    }
}

/// Says what was not put back, and why.
fn left_out(done: &PutBack) -> Option<String> {
    let list = |names: &[String]| {
        let shown = names.iter().take(8).map(|name| format!("'{name}'"));
        let more = names.len().saturating_sub(8);
        let mut text = shown.collect::<Vec<_>>().join(", ");
        if more > 0 {
            text.push_str(&format!(" and {more} more"));
        }
        text
    };
    let mut said = Vec::new();
    if !done.anew.is_empty() {
        said.push(format!(
            "health of {} begins anew: the twin, or what strokes are measured by, is another one than it was kept of",
            list(&done.anew)
        ));
    }
    if !done.gone.is_empty() {
        said.push(format!(
            "health of {} is left out: the machine has no such axis, press, station, part or recipe",
            list(&done.gone)
        ));
    }
    (!said.is_empty()).then(|| said.join("; "))
}

/// Says what became of putting a file aside, and whether it is there.
fn said_aside(path: &Path, done: std::io::Result<()>) -> (String, bool) {
    let aside = with(path, ASIDE);
    match done {
        Ok(()) => (format!("the file is kept as {}", aside.display()), true),
        Err(error) => (
            format!(
                "the file cannot be kept as {} ({error}), so that health of this run is not kept",
                aside.display()
            ),
            false,
        ),
    }
}

#[cfg(test)]
#[path = "keeper_tests.rs"]
mod tests;
