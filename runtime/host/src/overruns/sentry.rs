//! The cycle's end: keeps the ring, and hands over what is known of a cycle that took too long. It neither allocates nor waits.

use super::cause::{Evidence, Kind, Outcome};
use super::ring::{AFTER, Dump, Entry, Ring};
use super::usage::Usage;
use crate::crew::Late;
use crate::phases::{GroupLaps, Laps, Phase, PhaseSnapshot, Row};
use heapless::spsc::{Consumer, Producer, Queue};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// Slots of the queue of incidents; one stays empty. Between two looks of the watcher, 20 ms apart, the shortest period has 640
/// cycles, and after a pause of the computer each of them may be late.
const INCIDENTS: usize = 1024;
/// Buffers for dumps that are in use at a time.
pub(super) const DUMPS: usize = 2;
/// Time between two looks at exceeded budgets (ns): overruns are all looked at.
const BUDGET_NS: u64 = 10_000_000;
/// Lateness of a wake-up that is nothing special (ns).
const WAKE_NS: u64 = 100_000;

/// A cycle that took too long, as the cycle thread knows it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Incident {
    /// The cycle.
    pub cycle: u64,
    /// Its nominal time from the start of the run (ns).
    pub time_ns: u64,
    /// Core that the thread was on.
    pub core: usize,
    /// All but what the kernel counted on the core.
    pub evidence: Evidence,
    /// It began late because the one before was longer than the period: it has the same cause.
    pub follows: bool,
}

/// What is counted on the way.
#[derive(Debug, Default)]
pub struct Dropped {
    /// Incidents that found no room in the queue.
    pub incidents: AtomicU64,
    /// Exceeded budgets that were not looked at, because another one had been shortly before.
    pub unexamined: AtomicU64,
    /// Overruns whose surroundings were not dumped, because all buffers were in use or used up.
    pub dumps: AtomicU64,
    /// The last cycle that was run.
    pub cycle: AtomicU64,
    /// One more than the core that it ran on; 0 before the first one.
    core: AtomicUsize,
}

impl Dropped {
    fn runs_here(&self) -> usize {
        let core = rustix::thread::sched_getcpu();
        // Relaxed: a figure of its own.
        self.core.store(core.saturating_add(1), Ordering::Relaxed);
        core
    }

    /// The core that the last cycle ran on; none before the cycle's thread has begun.
    pub fn core(&self) -> Option<usize> {
        self.core.load(Ordering::Relaxed).checked_sub(1)
    }
}

/// The other end of the queues.
pub struct Post {
    /// Incidents.
    pub incidents: Consumer<'static, Incident>,
    /// Dumps that are whole.
    pub dumps: Consumer<'static, Box<Dump>>,
    /// Buffers for more of them.
    pub empty: Producer<'static, Box<Dump>>,
    /// What is counted.
    pub dropped: Arc<Dropped>,
}

/// See the module.
pub struct Sentry {
    ring: Ring,
    usage: Usage,
    incidents: Producer<'static, Incident>,
    dumps: Producer<'static, Box<Dump>>,
    empty: Consumer<'static, Box<Dump>>,
    /// A dump that is being made, and the last cycle that it is to hold.
    dump: Option<(Box<Dump>, u64)>,
    dropped: Arc<Dropped>,
    next_budget_ns: u64,
    period_ns: u64,
    /// What the cycle before took beyond the period (ns).
    overhang_ns: u64,
}

/// Makes both ends, for a cycle of this period (ns).
pub fn channel(period_ns: u64) -> (Sentry, Post) {
    // They live as long as the process: a run has one pair, and either end may go first.
    let incidents: &'static mut Queue<Incident, INCIDENTS> = Box::leak(Box::new(Queue::new()));
    let whole: &'static mut Queue<Box<Dump>, { DUMPS + 1 }> = Box::leak(Box::new(Queue::new()));
    let empty: &'static mut Queue<Box<Dump>, { DUMPS + 1 }> = Box::leak(Box::new(Queue::new()));
    let (tell, hear) = incidents.split();
    let (hand_over, take) = whole.split();
    let (mut give_back, get) = empty.split();
    for _ in 0..DUMPS {
        // There is room for as many.
        let _ = give_back.enqueue(Box::default());
    }
    let dropped = Arc::new(Dropped::default());
    let sentry = Sentry {
        ring: Ring::default(),
        usage: Usage::default(),
        incidents: tell,
        dumps: hand_over,
        empty: get,
        dump: None,
        dropped: Arc::clone(&dropped),
        next_budget_ns: 0,
        period_ns,
        overhang_ns: 0,
    };
    let post = Post {
        incidents: hear,
        dumps: take,
        empty: give_back,
        dropped,
    };
    (sentry, post)
}

/// One more; there is one writer of each count, so that a plain load is current.
fn count(counter: &AtomicU64) {
    counter.store(counter.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
}

impl Sentry {
    /// Before the first cycle, in the cycle's thread: what the thread has been through so far counts for nothing, and its core is
    /// watched from here on.
    pub fn begin(&mut self) {
        self.usage = Usage::of_this_thread();
        self.dropped.runs_here();
    }

    /// Takes a cycle in. `over` holds a bit for every row ([`Row::index`]) whose budget was exceeded; `worker` was waited for.
    pub fn cycle(
        &mut self,
        (cycle, time_ns): (u64, u64),
        (laps, groups): (&Laps, &GroupLaps),
        (outcome, worker): (Outcome, Option<Late>),
        (overran, over): (bool, u16),
        phases: &PhaseSnapshot,
    ) {
        // Relaxed: a figure of its own.
        self.dropped.cycle.store(cycle, Ordering::Relaxed);
        let core = self.dropped.runs_here();
        let usage = Usage::of_this_thread();
        let spent = usage.since(&self.usage);
        self.usage = usage;
        self.ring.push(Entry::new(cycle, laps, groups, outcome));
        self.go_on_with_dump(cycle);
        let busy_ns: u64 = laps[..Phase::Slack as usize].iter().sum();
        let late_ns = laps[Phase::Wake as usize];
        let overhang_ns = std::mem::replace(
            &mut self.overhang_ns,
            busy_ns.saturating_sub(self.period_ns),
        );
        // All of its lateness is what the one before left behind, and without it there would have been none.
        let follows = overhang_ns > 0
            && late_ns <= overhang_ns.saturating_add(WAKE_NS)
            && (!overran || busy_ns.saturating_sub(late_ns) <= self.period_ns);
        if !overran && over == 0 {
            return;
        }
        if !overran {
            if time_ns < self.next_budget_ns {
                count(&self.dropped.unexamined);
                return;
            }
            self.next_budget_ns = time_ns.saturating_add(BUDGET_NS);
        }
        let incident = Incident {
            cycle,
            time_ns,
            core,
            evidence: Evidence {
                kind: if overran { Kind::Overrun } else { Kind::Budget },
                row: worst(laps, groups, over, phases),
                laps: *laps,
                groups: *groups,
                usual_ns: phases.figures.map(|figures| figures.p50_ns),
                outcome,
                usage: spent,
                kernel: None,
                worker,
            },
            follows,
        };
        if self.incidents.enqueue(incident).is_err() {
            count(&self.dropped.incidents);
        }
        if overran {
            self.begin_dump(cycle);
        }
    }

    fn begin_dump(&mut self, cycle: u64) {
        // An overrun within the surroundings of another one is in its dump.
        if self.dump.is_some() {
            return;
        }
        match self.empty.dequeue() {
            Some(mut dump) => {
                dump.entries.clear();
                dump.overrun = cycle;
                self.dump = Some((dump, cycle.saturating_add(AFTER)));
            }
            None => count(&self.dropped.dumps),
        }
    }

    fn go_on_with_dump(&mut self, cycle: u64) {
        let Some((dump, end)) = &mut self.dump else {
            return;
        };
        if cycle < *end || !self.ring.copy(dump, *end) {
            return;
        }
        if let Some((dump, _)) = self.dump.take() {
            // There are no more buffers than there is room for.
            let _ = self.dumps.enqueue(dump);
        }
    }
}

/// The row that exceeds its budget by most, or 0.
fn worst(laps: &Laps, groups: &GroupLaps, over: u16, phases: &PhaseSnapshot) -> usize {
    let rows = laps.iter().chain(groups).zip(&phases.budget_ns);
    let exceeding = rows.enumerate().filter(|(n, _)| over & (1 << n) != 0);
    // A group is part of phases that are shorter than their budgets: it comes first where both exceed theirs equally.
    exceeding
        .max_by_key(|(_, (ns, budget_ns))| ns.saturating_sub(budget_ns.unwrap_or(0)))
        .map_or(0, |(n, _)| n)
}

const _: () = assert!(Row::COUNT <= 16, "a bit for every row");
