//! The models of a large bus on several cores: a worker for each of `[realtime] model_cores`, and a barrier behind each stage.
//!
//! A stage (predict, compare, correct, health) is shared out by sections of the pipeline. The cycle puts those of a worker into
//! its inbox, works on its own, and has all back before it goes on. A section is owned by whoever holds it, so that a late worker
//! costs time and never a wrong figure:
//!
//! 1. What a worker has not begun when the cycle is done, and a while longer, the cycle takes out of the inbox and does itself.
//! 2. For what it has begun the cycle waits, and the time is kept with the worker's core: [`Crew::take_late`]. The stage is long
//!    then, as it would be had the cycle itself been held up, and an overrun says which core it was.
//! 3. The wait is bounded. Beyond the bound the section is lost and the run must end ([`Crew::lost`]): set-points go on
//!    and the machine is stopped in order, as far as its SubDevices have not tripped meanwhile: their SyncManager watchdogs do so
//!    after 100 ms unless they are set otherwise. The axes of the section answer nothing any more.
//!
//! Inboxes and the ways back are bounded queues without locks; nothing here takes the heap after the start. What comes out is bit for
//! bit what one core finds (see [`twinstep_cycle::section`]).
//!
//! On the real clock a worker waits for the next cycle as the cycle does, asleep until shortly before its start, and spins between
//! the stages. In virtual time nobody is late: workers yield, run on whatever core there is, and the bound is a minute.

mod hire;
mod worker;

pub use hire::{Granted, Hiring, Hook};

use crate::clock::monotonic_ns;
use crossbeam_queue::ArrayQueue;
use heapless::spsc::Consumer;
use std::sync::Arc;
use twinstep_cycle::section::{self, Alone, Order, Section};
use worker::Signals;

/// Least time after which what a worker has not begun is taken over (ns): below it the way of its memory between the cores costs more.
const GRACE_NS: u64 = 2_000;
/// After this time on the real clock a section is lost (ns): several times what throttling stops a thread for.
const LOST_NS: u64 = 1_000_000_000;
/// The same in virtual time, where a worker may have to wait for the processor like everybody else (ns).
const LOST_VIRTUAL_NS: u64 = 60_000_000_000;
/// Looks at the ways back before the processor is offered to others, in virtual time.
const LOOKS: u32 = 100;

/// A worker that was waited for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Late {
    /// Its core.
    pub core: usize,
    /// How long the cycle waited for it after its own part was done, in all stages of a cycle together (ns).
    pub late_ns: u64,
}

/// The cycle's side of one worker.
struct Desk<'a> {
    core: usize,
    inbox: &'a ArrayQueue<Section<'a>>,
    back: Consumer<'a, Section<'a>>,
    /// Sections that are not back yet.
    away: usize,
    late_ns: u64,
    signals: Arc<Signals>,
}

/// Everybody who works on one pipeline: the cycle thread, which owns this, and its workers.
pub struct Crew<'a> {
    desks: Vec<Desk<'a>>,
    real: bool,
    lost_after_ns: u64,
    lost: Option<Late>,
}

impl<'a> Crew<'a> {
    /// Nobody but the caller.
    pub const fn alone() -> Self {
        Self {
            desks: Vec::new(),
            real: false,
            lost_after_ns: LOST_NS,
            lost: None,
        }
    }

    /// Gives a section up after this time instead of a second (ns).
    pub fn lose_after(&mut self, time_ns: u64) {
        self.lost_after_ns = time_ns;
    }

    /// Workers may rest until shortly before the next stage, which comes no earlier than this (ns on CLOCK_MONOTONIC).
    #[inline]
    pub fn rest_until(&self, start_ns: u64) {
        for desk in &self.desks {
            desk.signals.rest_until(start_ns);
        }
    }

    /// The worker that was waited for longest since the last call, if any was.
    pub fn take_late(&mut self) -> Option<Late> {
        let mut longest: Option<Late> = None;
        for desk in &mut self.desks {
            let late_ns = std::mem::take(&mut desk.late_ns);
            if late_ns > longest.map_or(0, |late| late.late_ns) {
                longest = Some(Late {
                    core: desk.core,
                    late_ns,
                });
            }
        }
        longest
    }

    /// Why the run cannot go on, in words: a worker has kept a section beyond the bound, or has ended.
    pub fn lost(&self) -> Option<String> {
        if let Some(desk) = self.desks.iter().find(|desk| desk.signals.gone()) {
            return Some(format!("the worker on core {} panicked", desk.core));
        }
        self.lost.map(|late| {
            format!(
                "the worker on core {} has kept its axes for {:.0} ms",
                late.core,
                late.late_ns as f64 / 1e6
            )
        })
    }

    /// Sends out what is a worker's of `sections`.
    fn send(&mut self, sections: &mut [Option<Section<'a>>], order: &Order<'_>) {
        let (threads, count) = (self.desks.len() + 1, sections.len());
        for (n, place) in sections.iter_mut().enumerate() {
            // The first of them are the cycle's own.
            let desk = (n * threads / count).checked_sub(1);
            let Some(desk) = desk.and_then(|desk| self.desks.get_mut(desk)) else {
                continue;
            };
            let Some(mut section) = place.take() else {
                continue;
            };
            section.pack(order);
            match desk.inbox.push(section) {
                Ok(()) => desk.away += 1,
                // There is room for all; what found none stays here.
                Err(section) => *place = Some(section),
            }
        }
    }

    /// Has everything back, or loses it. The own part began and was done at these times (ns).
    fn collect(&mut self, sections: &mut [Option<Section<'a>>], (begun_ns, done_ns): (u64, u64)) {
        let grace_ns = (done_ns.saturating_sub(begun_ns) / 2).max(GRACE_NS);
        let (mut waits_for, mut waited_ns, mut looks) = (None, 0, 0_u32);
        loop {
            let mut gone = false;
            let before = waits_for.take();
            for (n, desk) in self.desks.iter_mut().enumerate() {
                // Asked before the way back: what it brought before it ended is found there.
                let ended = desk.signals.gone();
                while desk.away > 0
                    && let Some(section) = desk.back.dequeue()
                {
                    desk.away -= 1;
                    put_back(sections, section);
                }
                if desk.away > 0 {
                    waits_for = Some(n);
                    gone |= ended && desk.inbox.is_empty();
                }
            }
            if waits_for.is_none() {
                if let Some(desk) = before.and_then(|n| self.desks.get_mut(n)) {
                    desk.late_ns += monotonic_ns().saturating_sub(done_ns);
                }
                return;
            }
            if waited_ns > grace_ns && self.take_over(sections) {
                waited_ns = monotonic_ns().saturating_sub(done_ns);
                continue;
            }
            waited_ns = monotonic_ns().saturating_sub(done_ns);
            if gone || waited_ns > self.lost_after_ns {
                let desk = waits_for.and_then(|n| self.desks.get(n));
                self.lost = desk.map(|desk| Late {
                    core: desk.core,
                    late_ns: waited_ns,
                });
                return;
            }
            looks += 1;
            if self.real || looks < LOOKS {
                std::hint::spin_loop();
            } else {
                std::thread::yield_now();
            }
        }
    }

    /// Does one section that no worker has begun. Returns whether there was one.
    fn take_over(&mut self, sections: &mut [Option<Section<'a>>]) -> bool {
        for desk in self.desks.iter_mut().filter(|desk| desk.away > 0) {
            if let Some(mut section) = desk.inbox.pop() {
                desk.away -= 1;
                section.work_packed();
                put_back(sections, section);
                return true;
            }
        }
        false
    }
}

fn put_back<'a>(sections: &mut [Option<Section<'a>>], section: Section<'a>) {
    if let Some(place) = sections.get_mut(section.number()) {
        *place = Some(section);
    }
}

impl<'a> section::Crew<'a> for Crew<'a> {
    fn work(&mut self, sections: &mut [Option<Section<'a>>], order: &Order<'_>) {
        if self.desks.is_empty() || self.lost.is_some() {
            Alone.work(sections, order);
            return;
        }
        let begun_ns = monotonic_ns();
        self.send(sections, order);
        for section in sections.iter_mut().flatten() {
            section.work(order);
        }
        self.collect(sections, (begun_ns, monotonic_ns()));
    }
}

impl Drop for Crew<'_> {
    fn drop(&mut self) {
        for desk in &self.desks {
            desk.signals.end();
        }
    }
}
