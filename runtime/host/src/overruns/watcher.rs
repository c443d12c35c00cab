//! The thread that finds the causes and writes them down, at normal priority.

use super::cause::{OverrunCause, decide};
use super::kernel::{Kernel, KernelCounts};
use super::record::{Causes, OverrunLine};
use super::ring::Dump;
use super::sentry::{Incident, Post};
use crate::clock::monotonic_ns;
use crate::error::HostError;
use crate::names::RunInfo;
use crate::phases::{Group, Phase};
use std::fmt::Write as _;
use std::fs::{File, OpenOptions};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

/// File of the records in the folder of the event store.
pub const FILE: &str = "overruns.jsonl";
/// Folder of the dumps in it.
pub const FOLDER: &str = "overruns";
/// Records that a run writes; more are counted.
pub const MAX_RECORDS: u64 = 10_000;
/// Dumps that a run writes at once; more are counted.
pub const MAX_DUMPS: u64 = 16;
/// After how long it may write one more (ns): an overrun in the third month is to have its dump too.
const ANOTHER_NS: u64 = 600_000_000_000;
/// Dumps in the folder; the oldest make room.
const MAX_KEPT: usize = 64;
/// Buffers for dumps that are on their way.
const BUFFERS: u64 = super::sentry::DUMPS as u64;
/// How often the queue is looked at.
const POLL: Duration = Duration::from_millis(20);
/// How old the counts of the kernel may be that a cycle is compared with (ns).
const BASELINE_NS: u64 = 100_000_000;

/// The causes so far, shared between the watcher and whoever shows them; the cycle never sees it.
#[derive(Clone, Debug, Default)]
pub struct SharedCauses(Arc<Mutex<Causes>>);

impl SharedCauses {
    /// A copy.
    pub fn get(&self) -> Causes {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn change(&self, change: impl FnOnce(&mut Causes)) {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

/// The running watcher.
pub struct Watcher {
    thread: JoinHandle<()>,
    stop: Arc<AtomicBool>,
    causes: SharedCauses,
}

impl Watcher {
    /// Starts to watch; files go into `folder`.
    ///
    /// # Errors
    /// [`HostError::Machine`] when no thread can be started.
    pub fn start(post: Post, folder: &Path, info: Arc<RunInfo>) -> Result<Self, HostError> {
        let (stop, causes) = (Arc::new(AtomicBool::new(false)), SharedCauses::default());
        let kernel = Kernel::under(Path::new("/"));
        let worker = Worker::new(post, kernel, folder, info, causes.clone());
        let stopping = Arc::clone(&stop);
        let thread = std::thread::Builder::new()
            .name("watcher".into())
            .spawn(move || {
                let _ = crate::realtime::capabilities::give_up_all();
                worker.run(&stopping)
            })
            .map_err(|error| {
                HostError::machine(
                    format!("cannot start the watcher thread: {error}"),
                    "raise the limit of processes",
                )
            })?;
        Ok(Self {
            thread,
            stop,
            causes,
        })
    }

    /// The causes so far.
    pub fn causes(&self) -> SharedCauses {
        self.causes.clone()
    }

    /// Ends it, after everything that was sent; returns the causes.
    pub fn stop(self) -> Causes {
        // Release: what was sent before is found.
        self.stop.store(true, Ordering::Release);
        self.thread.thread().unpark();
        // A panic of this thread has harmed nobody; what it counted stays.
        let _ = self.thread.join();
        self.causes.get()
    }
}

/// Counts of a core at a time and cycle.
#[derive(Clone, Copy)]
struct Baseline {
    core: usize,
    counts: KernelCounts,
    at_ns: u64,
    cycle: u64,
}

/// File of the records; each of several buses has its own.
pub fn file_of(bus: Option<&str>) -> String {
    bus.map_or(FILE.to_owned(), |name| format!("overruns.{name}.jsonl"))
}

struct Worker {
    post: Post,
    kernel: Kernel,
    folder: PathBuf,
    info: Arc<RunInfo>,
    causes: SharedCauses,
    baseline: Option<Baseline>,
    file: Option<BufWriter<File>>,
    written: u64,
    /// Cause of the last incident.
    last: Option<OverrunCause>,
    /// Dumps that may be written beside those whose buffers the cycle has.
    left: u64,
    /// Buffers that are held back: without one the cycle counts what it cannot dump.
    #[expect(clippy::vec_box, reason = "they are handed to and fro as they are")]
    held: Vec<Box<Dump>>,
    /// When one more was allowed last.
    renewed_ns: u64,
}

impl Worker {
    fn new(
        post: Post,
        kernel: Kernel,
        folder: &Path,
        info: Arc<RunInfo>,
        causes: SharedCauses,
    ) -> Self {
        Self {
            post,
            kernel,
            folder: folder.to_owned(),
            info,
            causes,
            baseline: None,
            file: None,
            written: 0,
            last: None,
            left: MAX_DUMPS - BUFFERS,
            held: Vec::new(),
            renewed_ns: monotonic_ns(),
        }
    }

    fn run(mut self, stop: &AtomicBool) {
        loop {
            // Read before the queues are emptied: what was sent before the flag was set is then found below.
            let stopping = stop.load(Ordering::Acquire);
            self.look();
            if stopping {
                return;
            }
            std::thread::park_timeout(POLL);
        }
    }

    fn look(&mut self) {
        let mut incident = self.post.incidents.dequeue();
        let core = incident
            .as_ref()
            .map(|incident| incident.core)
            .or(self.post.dropped.core());
        let now_ns = monotonic_ns();
        let old = self.baseline.is_none_or(|baseline| {
            Some(baseline.core) != core || now_ns.saturating_sub(baseline.at_ns) > BASELINE_NS
        });
        let before = self.baseline;
        if incident.is_some() || old {
            self.baseline = core.and_then(|core| {
                let counts = self.kernel.read(core)?;
                let cycle = self.post.dropped.cycle.load(Ordering::Relaxed);
                Some(Baseline {
                    core,
                    counts,
                    at_ns: now_ns,
                    cycle,
                })
            });
        }
        let delta = before.zip(self.baseline).filter(|(a, b)| a.core == b.core);
        let delta = delta.map(|(a, b)| {
            let cycles = b.cycle.saturating_sub(a.cycle);
            self.kernel.delta(
                &b.counts,
                &a.counts,
                b.at_ns.saturating_sub(a.at_ns),
                cycles,
            )
        });
        while let Some(mut one) = incident {
            one.evidence.kernel = delta;
            self.record(&one);
            incident = self.post.incidents.dequeue();
        }
        while let Some(dump) = self.post.dumps.dequeue() {
            self.write_dump(dump);
        }
        self.renew(now_ns);
        if let Some(file) = &mut self.file {
            // A record that is not written whole is counted with the next one.
            let _ = file.flush();
        }
        let dropped = &self.post.dropped;
        let count = |counter: &std::sync::atomic::AtomicU64| counter.load(Ordering::Relaxed);
        let (lost, unexamined) = (count(&dropped.incidents), count(&dropped.unexamined));
        let dumps_dropped = count(&dropped.dumps);
        self.causes.change(|causes| {
            (causes.dropped, causes.unexamined) = (lost, unexamined);
            causes.dumps_dropped = dumps_dropped;
        });
    }

    fn record(&mut self, incident: &Incident) {
        let cause = match self.last {
            Some(cause) if incident.follows => cause,
            _ => decide(&incident.evidence),
        };
        self.last = Some(cause);
        let record = OverrunLine::new(incident, cause, self.info.utc_ns(incident.time_ns));
        let written = self.written < MAX_RECORDS && self.write(&record);
        self.written += u64::from(written);
        self.causes.change(|causes| {
            causes.unwritten += u64::from(!written);
            causes.add(record);
        });
    }

    fn write(&mut self, record: &OverrunLine) -> bool {
        if self.file.is_none() {
            let path = self.folder.join(file_of(self.info.names.bus()));
            let opened = OpenOptions::new().create(true).append(true).open(path);
            self.file = opened.ok().map(BufWriter::new);
        }
        let Some(file) = &mut self.file else {
            return false;
        };
        serde_json::to_string(record).is_ok_and(|line| writeln!(file, "{line}").is_ok())
    }

    fn write_dump(&mut self, dump: Box<Dump>) {
        let start_s = self.info.utc_ns(0) / 1_000_000_000;
        let folder = self.folder.join(FOLDER);
        let bus = self.info.names.bus();
        let bus = bus.map_or(String::new(), |name| format!("{name}-"));
        let path = folder.join(format!("{bus}{start_s}-cycle-{}.csv", dump.overrun));
        let written = std::fs::create_dir_all(&folder)
            .and_then(|()| std::fs::write(path, csv(&dump)))
            .is_ok();
        if written {
            make_room(&folder);
            self.causes.change(|causes| causes.dumps += 1);
        } else {
            // The one writer of this count is the cycle; a disk that fails is told by the number of dumps that is missing.
            self.causes.change(|causes| causes.unwritten += 1);
        }
        self.held.push(dump);
        self.give_back();
    }

    /// Gives the cycle a buffer, where one more dump may be written.
    fn give_back(&mut self) {
        if self.left == 0 {
            return;
        }
        if let Some(dump) = self.held.pop() {
            self.left -= 1;
            // There is room for all buffers.
            let _ = self.post.empty.enqueue(dump);
        }
    }

    fn renew(&mut self, now_ns: u64) {
        if now_ns.saturating_sub(self.renewed_ns) >= ANOTHER_NS {
            self.renewed_ns = now_ns;
            self.left = (self.left + 1).min(MAX_DUMPS - BUFFERS);
            self.give_back();
        }
    }
}

/// Removes the oldest dumps beyond [`MAX_KEPT`]. What cannot be read or removed stays.
fn make_room(folder: &Path) {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut dumps: Vec<_> = entries
        .filter(|entry| entry.path().extension().is_some_and(|kind| kind == "csv"))
        .filter_map(|entry| Some((entry.metadata().ok()?.modified().ok()?, entry.path())))
        .collect();
    dumps.sort();
    for (_, path) in dumps.iter().rev().skip(MAX_KEPT) {
        let _ = std::fs::remove_file(path);
    }
}

/// A dump as a table: a cycle a row, durations in nanoseconds.
pub fn csv(dump: &Dump) -> String {
    let mut text = String::from("cycle");
    let phases = Phase::ALL.iter().map(|phase| phase.name());
    for name in phases.chain(Group::ALL.iter().map(|group| group.name())) {
        // Writing to a string cannot fail.
        let _ = write!(text, ",{name}_ns");
    }
    text.push_str(",exchange,overrun\n");
    for entry in &dump.entries {
        let _ = write!(text, "{}", entry.cycle);
        for ns in entry.laps.iter().chain(&entry.groups) {
            let _ = write!(text, ",{ns}");
        }
        let exchange = serde_json::to_value(entry.outcome).unwrap_or_default();
        let _ = writeln!(
            text,
            ",{},{}",
            exchange.as_str().unwrap_or_default(),
            u8::from(entry.cycle == dump.overrun)
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::cause::Outcome;
    use super::super::sentry::{Sentry, channel};
    use super::*;
    use crate::names::Names;
    use crate::phases::PhaseSnapshot;

    /// One cycle of 1 ms.
    fn cycle(sentry: &mut Sentry, cycle: u64, overran: bool) {
        let busy_ns = if overran { 3_000_000 } else { 100_000 };
        let mut laps = [0; Phase::ALL.len()];
        laps[Phase::Compare as usize] = busy_ns;
        sentry.cycle(
            (cycle, cycle * 1_000_000),
            (&laps, &[0; Group::ALL.len()]),
            (Outcome::Good, None),
            (overran, 0),
            &PhaseSnapshot::default(),
        );
    }

    /// A watcher of nothing, with the cycle's end of its queues.
    fn watched(folder: &Path) -> (Sentry, Worker) {
        let machine = twinstep_config::load(twinstep_config::PRESS_CELL, "cell.toml").unwrap();
        let info = Arc::new(RunInfo::new(Names::of(&machine), "plan".to_owned(), 1.0, 0));
        let (sentry, post) = channel(1_000_000);
        let kernel = Kernel::under(folder);
        let worker = Worker::new(post, kernel, folder, info, SharedCauses::default());
        (sentry, worker)
    }

    #[test]
    fn dumps_are_bounded_and_renewed_and_the_oldest_make_room() {
        let folder = tempfile::tempdir().unwrap();
        let (mut sentry, mut worker) = watched(folder.path());
        let mut now = 0;
        let mut overrun = |sentry: &mut Sentry, worker: &mut Worker| {
            cycle(sentry, now, true);
            for n in 1..600 {
                cycle(sentry, now + n, false);
            }
            now += 600;
            worker.look();
        };
        for _ in 0..MAX_DUMPS + 4 {
            overrun(&mut sentry, &mut worker);
        }
        let causes = worker.causes.get();
        assert_eq!((causes.dumps, causes.dumps_dropped), (MAX_DUMPS, 4));
        // Ten minutes give one more, and only one.
        let mut later_ns = worker.renewed_ns;
        for more in 1..=60 {
            later_ns += ANOTHER_NS;
            worker.renew(later_ns);
            worker.renew(later_ns + 1);
            overrun(&mut sentry, &mut worker);
            overrun(&mut sentry, &mut worker);
            assert_eq!(worker.causes.get().dumps, MAX_DUMPS + more);
        }
        let dumps = std::fs::read_dir(folder.path().join(FOLDER)).unwrap();
        assert_eq!(dumps.count(), MAX_KEPT);
        // A long time without overruns saves up what a run may write at once.
        for _ in 0..100 {
            later_ns += ANOTHER_NS;
            worker.renew(later_ns);
        }
        let before = worker.causes.get().dumps;
        for _ in 0..MAX_DUMPS + 4 {
            overrun(&mut sentry, &mut worker);
        }
        assert_eq!(worker.causes.get().dumps, before + MAX_DUMPS);
    }

    #[test]
    fn the_first_overrun_of_a_run_has_what_the_kernel_counted() {
        // The core of a cycle is hardly ever the first one, and the first one is what a wrong guess would be.
        let core = core_affinity::get_core_ids().unwrap().pop().unwrap();
        assert!(core_affinity::set_for_current(core));
        let computer = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(computer.path().join("proc")).unwrap();
        let write = |name: &str, text: String| {
            std::fs::write(computer.path().join("proc").join(name), text).unwrap();
        };
        let counts = |softirqs: u64| {
            let head = format!("      CPU{}\n", core.id);
            write("interrupts", format!("{head} 24: 7 eth0\n"));
            write("softirqs", format!("{head} NET_RX: {softirqs}\n"));
            write("stat", format!("cpu{} 1 2 3 4 5 6 7 8\n", core.id));
        };
        counts(1000);
        let (mut sentry, mut worker) = watched(computer.path());
        let causes = worker.causes.clone();
        // It looks before anybody runs, which tells it nothing, and after the thread has begun.
        worker.look();
        sentry.begin();
        worker.look();
        for n in 0..5 {
            cycle(&mut sentry, n, false);
        }
        counts(6000);
        cycle(&mut sentry, 5, true);
        worker.look();
        let causes = causes.get();
        let first = &causes.recent[0];
        let kernel = first.evidence.kernel.unwrap();
        assert_eq!((first.cycle, first.evidence.core), (5, core.id));
        assert_eq!(
            (kernel.softirqs, kernel.interrupts, kernel.cycles),
            (5000, 0, 5)
        );
    }
}
