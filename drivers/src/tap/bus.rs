//! A tapped bus: waits for the master's next cycle and brings its inputs and outputs.
//!
//! Cycle 0 is the first one after a cycle in which every configured SubDevice was in OP and every working counter right;
//! until then [`TapBus::ready`] listens and learns. After that a cycle of the master is a cycle here. Where it makes none
//! for [`PAUSE_PERIODS`] periods, every missing one is a fault of its own, so that the twins coast; after
//! [`MAX_PAUSE`] periods of a capture a new segment begins instead.
//!
//! A master that starts again with the same layout is followed; one that starts with another is learnt anew, and its cycles
//! are missing until then. What no longer fits the configuration is an error of the source.

mod learning;

use super::collect::{Collected, Collector};
use super::evidence::Evidence;
use super::exchange::{Exchange, exchanges};
use super::layout::Layout;
use super::learn::Learner;
use super::mismatch::Mismatch;
use super::pairing::{FrameCounts, Number, Pairing, Seen};
use super::restart::Restart;
use super::rhythm::Rhythm;
use super::source::{FrameSource, MAX_CAPTURED, Next, TapError};
use crate::bus::{Bus, BusCause, BusCounters, BusFault, ProcessImage};
use crate::clock::Clock;
use crate::ethercat::AlReport;
use crate::object_map::Layout as ImageLayout;
use std::time::Duration;
use twinstep_config::machine::{Bus as Configured, ImageOrder, Machine};
use twinstep_models::sample::{CycleStamp, Missing};

/// A master that is late by less than this is late; beyond, its cycles are missing (periods).
pub const PAUSE_PERIODS: u64 = 3;
/// A longer pause in a capture is not replayed cycle by cycle (periods).
pub const MAX_PAUSE: u64 = 1000;
/// Longest that [`TapBus::ready`] listens before it returns (ns).
const LISTEN_NS: u64 = 50_000_000;

/// Places on the bus of all presses, where the machine has more than one part and nobody tells which: a twin that expects the
/// wrong one is worse than none.
pub fn presses_of_several_parts(machine: &Machine) -> Vec<usize> {
    if machine.parts.len() < 2 || machine.context.tells_part() {
        return Vec::new();
    }
    let is_press = |name: &str| machine.presses.iter().any(|press| press.axis.name == name);
    let devices = machine.bus.iter().flat_map(|bus| &bus.subdevices);
    devices
        .enumerate()
        .filter(|(_, device)| is_press(&device.name))
        .map(|(place, _)| place)
        .collect()
}

/// See the module.
pub struct TapBus<S> {
    source: S,
    clock: Clock,
    pairing: Pairing,
    learner: Learner,
    evidence: Evidence,
    rhythm: Rhythm,
    machine: Machine,
    bus: Configured,
    layout: Option<Layout>,
    restart: Restart,
    order: Option<ImageOrder>,
    image: ProcessImage,
    /// SubDevices of presses that a twin cannot follow: nobody tells which of several parts lies in them.
    unknown_part: Vec<usize>,
    collector: Option<Collector>,
    learnt: bool,
    /// Cycles in which frames and configuration disagreed.
    disagreed: u64,
    mismatch: Option<Mismatch>,
    ready: bool,
    ended: bool,
    period_ns: u64,
    cycle: u64,
    /// When the last cycle of the master began (ns); none before the first.
    began_ns: Option<u64>,
    /// Cycles that were missing since, as told so far.
    told: u64,
    /// Cycles that are missing before the one that was heard last.
    missing: u64,
    /// The next fault is the boundary of a segment.
    segment: bool,
    /// What was collected and not told yet.
    collected: Option<Collected>,
    /// Counts when cycle 0 began.
    before: FrameCounts,
    /// Counts of the collectors before this one.
    counted: BusCounters,
    /// What they had still to tell.
    reports: Vec<AlReport>,
    error: Option<TapError>,
    /// When the last frame was heard (ns).
    heard_ns: u64,
    waited_ns: u64,
    buffer: [u8; MAX_CAPTURED],
}

impl<S: FrameSource> TapBus<S> {
    /// Taps `source` for `machine`.
    ///
    /// # Errors
    /// [`TapError::NoBus`] for a machine without one.
    pub fn new(source: S, machine: &Machine) -> Result<Self, TapError> {
        let bus = machine.bus.clone().ok_or(TapError::NoBus)?;
        let image = ImageLayout::new(machine)
            .map_err(|_| TapError::NoBus)?
            .image();
        Ok(Self {
            source,
            clock: Clock::monotonic(),
            pairing: Pairing::default(),
            learner: Learner::default(),
            evidence: Evidence::default(),
            rhythm: Rhythm::default(),
            order: bus.tap.as_ref().and_then(|tap| tap.order),
            bus,
            machine: machine.clone(),
            layout: None,
            restart: Restart::default(),
            image,
            unknown_part: presses_of_several_parts(machine),
            collector: None,
            learnt: false,
            disagreed: 0,
            mismatch: None,
            ready: false,
            ended: false,
            period_ns: machine.cycle.period_ns.max(1),
            cycle: 0,
            began_ns: None,
            told: 0,
            missing: 0,
            segment: false,
            collected: None,
            before: FrameCounts::default(),
            counted: BusCounters::default(),
            reports: Vec::new(),
            error: None,
            heard_ns: 0,
            waited_ns: 0,
            buffer: [0; MAX_CAPTURED],
        })
    }

    /// Whether the process data come from a start-up that was observed; else from the configuration.
    pub fn is_learnt(&self) -> bool {
        self.learnt
    }

    /// The last error of the source since it gave a frame.
    pub fn error(&self) -> Option<&TapError> {
        self.error.as_ref()
    }

    /// The last error of the source, once. To the cycle it looks like missing frames.
    pub fn take_error(&mut self) -> Option<TapError> {
        self.error.take()
    }

    /// The next AL error that the master has read, once each.
    pub fn take_al_report(&mut self) -> Option<AlReport> {
        if !self.reports.is_empty() {
            return Some(self.reports.remove(0));
        }
        let reports = &mut self.collector.as_mut().filter(|_| self.ready)?.reports;
        (!reports.is_empty()).then(|| reports.remove(0))
    }

    /// Part of the last exchange in which the master's frame was waited for (ns), 0 for a file.
    pub fn waited_ns(&self) -> u64 {
        self.waited_ns
    }

    /// Listens, for 50 ms at most, and says whether the next exchange is cycle 0. A file is read as far as needed.
    ///
    /// # Errors
    /// [`TapError`] of the source, or [`TapError::Mismatch`] where frames and configuration do not belong together.
    pub fn ready(&mut self) -> Result<bool, TapError> {
        let until_ns = self.clock.now_ns().saturating_add(LISTEN_NS);
        while !self.ready {
            match self.source.next(&mut self.buffer, until_ns)? {
                Next::Frame(heard) => {
                    let collected = self.hear(&heard);
                    if let Some(mismatch) = self
                        .mismatch
                        .take_if(|_| self.disagreed >= learning::DISAGREE)
                    {
                        return Err(TapError::Mismatch(mismatch));
                    }
                    self.begin_if_in_order(collected);
                }
                Next::Nothing => break,
                Next::End => {
                    return Err(self
                        .mismatch
                        .take()
                        .map_or(TapError::NoCycle, TapError::Mismatch));
                }
            }
            if self.source.is_live() && self.clock.now_ns() >= until_ns {
                break;
            }
        }
        Ok(self.ready)
    }

    fn begin_if_in_order(&mut self, collected: Option<Collected>) {
        let Some(collector) = &mut self.collector else {
            return;
        };
        if collected != Some(Collected::Whole) || !collector.is_operational() {
            return;
        }
        self.ready = true;
        collector.begin();
        self.before = self.pairing.counts().clone();
        self.missing = 0;
        self.segment = false;
    }

    /// Takes what was heard. Says what a cycle came to, when it is over.
    fn hear(&mut self, heard: &super::source::Heard) -> Option<Collected> {
        let frame = self.buffer.get(..heard.length).unwrap_or_default();
        match self
            .pairing
            .take(frame, heard.wire_length, heard.time_ns, heard.way)
        {
            Seen::Outbound(number) => self.outbound(number, heard.time_ns),
            Seen::Answer(number) => {
                let Some(collector) = &mut self.collector else {
                    self.learn(number);
                    return None;
                };
                let (sent, answer) = (self.pairing.sent(number), self.pairing.answer());
                let collected = collector.answer(number, sent, answer);
                self.watch(number);
                collected
            }
            Seen::Other => None,
        }
    }

    fn outbound(&mut self, number: Number, now_ns: u64) -> Option<Collected> {
        let frame = self.pairing.sent(number);
        let Some(collector) = &mut self.collector else {
            for datagram in exchanges(frame, frame).filter(Exchange::is_logical) {
                let key = (datagram.command, datagram.logical());
                self.rhythm.take(key, datagram.sent.len(), now_ns);
            }
            return None;
        };
        let logical = exchanges(frame, frame).any(|datagram| datagram.is_logical());
        let (begins, unfinished) = collector.outbound(number, frame);
        if logical && self.restart.sent(begins) {
            self.start_over();
        }
        if begins {
            let since_ns = self
                .began_ns
                .map_or(0, |began| now_ns.saturating_sub(began));
            let periods = since_ns.saturating_add(self.period_ns / 2) / self.period_ns;
            if periods > PAUSE_PERIODS {
                self.missing = (periods - 1).saturating_sub(self.told);
            }
            // A live pause was told cycle by cycle already.
            if self.missing > MAX_PAUSE {
                (self.missing, self.segment) = (1, true);
            }
            (self.began_ns, self.told) = (Some(now_ns), 0);
        }
        unfinished
    }

    fn stamp(&mut self) -> CycleStamp {
        let stamp = CycleStamp {
            cycle: self.cycle,
            time_ns: self.cycle.saturating_mul(self.period_ns),
            dc_time_ns: self.collector.as_ref().map_or(0, |known| known.dc_time_ns),
        };
        self.cycle += 1;
        stamp
    }

    fn fault(&mut self, cause: BusCause, image: &mut ProcessImage) -> Result<CycleStamp, BusFault> {
        image.valid.fill(Err(Missing::from(cause)));
        Err(BusFault {
            stamp: self.stamp(),
            cause,
        })
    }

    /// Until a cycle is over, one is missing, or the source ends. None: it has ended.
    fn wait(&mut self) -> Option<Waited> {
        loop {
            if self.missing > 0 {
                self.missing -= 1;
                let segment = core::mem::take(&mut self.segment);
                let cause = if segment {
                    BusCause::Segment
                } else {
                    BusCause::NoFrame
                };
                return Some(Waited::Fault(cause));
            }
            if let Some(collected) = self.collected.take() {
                return Some(Waited::Cycle(collected));
            }
            if self.ended {
                return None;
            }
            let waits = PAUSE_PERIODS + 1 + self.told;
            let since_ns = self.began_ns.unwrap_or_default();
            let deadline_ns = since_ns.saturating_add(waits.saturating_mul(self.period_ns));
            match self.source.next(&mut self.buffer, deadline_ns) {
                Ok(Next::Frame(heard)) => {
                    self.heard_ns = heard.time_ns;
                    // A link that was down is up again.
                    self.error
                        .take_if(|error| matches!(error, TapError::Link(_)));
                    self.collected = self.hear(&heard);
                    // It came before the pause that may have ended with this frame.
                    if self
                        .collected
                        .take_if(|known| *known == Collected::Lost)
                        .is_some()
                    {
                        return Some(Waited::Fault(BusCause::NoFrame));
                    }
                }
                Ok(Next::Nothing) => {
                    self.told += 1;
                    return Some(Waited::Fault(BusCause::NoFrame));
                }
                Ok(Next::End) => self.ended = true,
                Err(error) => {
                    self.error = Some(error);
                    self.ended = !self.source.is_live();
                    if !self.ended {
                        // An interface that fails at once must not make the caller spin.
                        self.clock.wait_until_ns(deadline_ns);
                        self.told += 1;
                        return Some(Waited::Fault(BusCause::NoFrame));
                    }
                }
            }
        }
    }
}

/// What the wait ended with.
enum Waited {
    Cycle(Collected),
    Fault(BusCause),
}

impl<S: FrameSource> Bus for TapBus<S> {
    fn exchange(
        &mut self,
        image: &mut ProcessImage,
        in_flight: &mut dyn FnMut(),
    ) -> Result<CycleStamp, BusFault> {
        // Nothing is under way from here: the prediction is made before the master's next frame is waited for. Only a
        // file has to be read first, since it may have ended.
        let live = self.source.is_live();
        if live {
            in_flight();
        }
        let began_ns = if live { self.clock.now_ns() } else { 0 };
        let waited = self.wait();
        if live {
            let until_ns = match waited {
                // What follows the last frame's arrival is work.
                Some(Waited::Cycle(_)) => self.heard_ns,
                _ => self.clock.now_ns(),
            };
            self.waited_ns = until_ns.saturating_sub(began_ns);
        }
        let Some(waited) = waited else {
            image.valid.fill(Err(Missing::NoFrame));
            let stamp = CycleStamp {
                cycle: self.cycle,
                time_ns: self.cycle.saturating_mul(self.period_ns),
                dc_time_ns: 0,
            };
            return Err(BusFault {
                stamp,
                cause: BusCause::End,
            });
        };
        if !live {
            in_flight();
        }
        let collected = match waited {
            Waited::Fault(cause) => return self.fault(cause, image),
            Waited::Cycle(collected) => collected,
        };
        let Some(collector) = &self.collector else {
            return self.fault(BusCause::NoFrame, image);
        };
        collector.fill(collected, image);
        for place in &self.unknown_part {
            if let Some(valid) = image.valid.get_mut(*place) {
                *valid = valid.and(Err(Missing::NotMapped));
            }
        }
        match collected {
            Collected::Whole => Ok(self.stamp()),
            Collected::WorkingCounter { expected, actual } => Err(BusFault {
                stamp: self.stamp(),
                cause: BusCause::WorkingCounter { expected, actual },
            }),
            Collected::Lost => Err(BusFault {
                stamp: self.stamp(),
                cause: BusCause::NoFrame,
            }),
        }
    }

    fn acyclic(&mut self, _budget: Duration) {}

    /// Not this bus' to steer.
    fn phase_error_ns(&self) -> Option<i64> {
        None
    }

    fn counters(&self) -> BusCounters {
        let (now, before) = (self.pairing.counts(), &self.before);
        let strange =
            |counts: &FrameCounts| counts.unexplained() + counts.foreign + counts.other_ethercat;
        let collector = self.collector.as_ref();
        BusCounters {
            lost: self.counted.lost + collector.map_or(0, |known| known.lost),
            late: self.counted.late + collector.map_or(0, |known| known.late),
            duplicate: now.duplicate - before.duplicate,
            foreign: strange(now) - strange(before),
            working_counter_errors: self.counted.working_counter_errors
                + collector.map_or(0, |known| known.working_counter_errors),
        }
    }
}
