//! A worker: takes sections out of its inbox, works on them, and gives them back.

use super::Hook;
use crate::clock::{monotonic_ns, sleep_until_ns};
use crossbeam_queue::ArrayQueue;
use heapless::spsc::Producer;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use twinstep_cycle::section::Section;

/// Looks into an empty inbox, in virtual time, before the processor is offered to others.
const LOOKS: u32 = 200;
/// Looks after which a worker sleeps in virtual time: there is nothing to do for longer.
const YIELDS: u32 = 2_000;
/// For so long (ns).
const NAP_NS: u64 = 100_000;
/// Periods after the start of a cycle in which the next stage is spun for. Beyond it nobody seems to cycle.
const PATIENCE: u64 = 2;

/// What the cycle tells a worker beside its sections, and what the worker tells of itself.
#[derive(Debug, Default)]
pub(super) struct Signals {
    rest_until_ns: AtomicU64,
    ended: AtomicBool,
    gone: AtomicBool,
}

impl Signals {
    pub fn rest_until(&self, start_ns: u64) {
        // Relaxed: a figure of its own. Whoever reads an old one spins longer or rests a look later.
        self.rest_until_ns.store(start_ns, Ordering::Relaxed);
    }

    /// No more sections will come.
    pub fn end(&self) {
        // Relaxed: nothing is handed over with it.
        self.ended.store(true, Ordering::Relaxed);
    }

    /// The worker has ended without having been told to.
    pub fn gone(&self) -> bool {
        // Acquire: what it gave back before is found.
        self.gone.load(Ordering::Acquire)
    }
}

/// How a worker waits for the next stage.
#[derive(Clone, Copy, Debug)]
pub(super) enum Rest {
    /// As the cycle waits: asleep until so long before its start (ns), then spinning. The period (ns) tells when to give up.
    Real { spin_ns: u64, period_ns: u64 },
    /// The processor is offered to others.
    Virtual,
}

pub(super) struct Worker<'a> {
    pub number: usize,
    pub inbox: &'a ArrayQueue<Section<'a>>,
    pub back: Producer<'a, Section<'a>>,
    pub signals: Arc<Signals>,
    pub rest: Rest,
    pub hook: Option<Hook>,
}

impl Worker<'_> {
    /// Works until the cycle ends. A panic in here is told, and ends the run and not the process.
    pub fn run(mut self) {
        let signals = Arc::clone(&self.signals);
        let work = std::panic::AssertUnwindSafe(|| self.work());
        if std::panic::catch_unwind(work).is_err() {
            // Release: pairs with the load in `gone`.
            signals.gone.store(true, Ordering::Release);
        }
    }

    fn work(&mut self) {
        let mut looks = 0;
        loop {
            if let Some(mut section) = self.inbox.pop() {
                if let Some(hook) = &self.hook {
                    hook(self.number);
                }
                section.work_packed();
                // There is room for all that were ever in the inbox.
                let _ = self.back.enqueue(section);
                looks = 0;
            } else if self.signals.ended.load(Ordering::Relaxed) {
                return;
            } else {
                self.rest(looks);
                looks = looks.saturating_add(1);
            }
        }
    }

    fn rest(&self, looks: u32) {
        match self.rest {
            Rest::Virtual if looks < LOOKS => std::hint::spin_loop(),
            Rest::Virtual if looks < YIELDS => std::thread::yield_now(),
            Rest::Virtual => sleep_until_ns(monotonic_ns() + NAP_NS),
            Rest::Real { spin_ns, period_ns } => {
                let start_ns = self.signals.rest_until_ns.load(Ordering::Relaxed);
                let now_ns = monotonic_ns();
                if now_ns.saturating_add(spin_ns) < start_ns {
                    sleep_until_ns(start_ns - spin_ns);
                } else if now_ns > start_ns.saturating_add(PATIENCE * period_ns) {
                    sleep_until_ns(now_ns + NAP_NS.min(period_ns));
                } else {
                    std::hint::spin_loop();
                }
            }
        }
    }
}
