//! From frames to a collector, at the start and whenever the master starts again.

use super::super::apart::{Apart, apart};
use super::super::collect::Collector;
use super::super::evidence::Evidence;
use super::super::exchange::exchanges;
use super::super::layout::Layout;
use super::super::mismatch::Mismatch;
use super::super::pairing::Number;
use super::super::restart::{Look, Restart};
use super::super::rhythm::Rhythm;
use super::super::source::{FrameSource, TapError};
use super::TapBus;

/// Cycles that frames and configuration may disagree for before that is an error: a start-up may not be over.
pub(super) const DISAGREE: u64 = 200;

impl<S: FrameSource> TapBus<S> {
    /// Before the process data are known: learns, and looks whether they are now.
    pub(super) fn learn(&mut self, number: Number) {
        let mut cycled = false;
        for exchange in exchanges(self.pairing.sent(number), self.pairing.answer()) {
            if exchange.is_logical() {
                let before = self.evidence.cycles;
                self.evidence.take(&exchange);
                cycled |= self.evidence.cycles > before;
            } else {
                self.learner.take(&exchange);
            }
        }
        // A few cycles first: where one begins has to show.
        if !cycled || self.evidence.cycles < 4 {
            return;
        }
        let observed = self
            .learner
            .stations()
            .iter()
            .any(|known| known.position.is_some());
        let layout = if observed {
            Layout::learnt(&self.bus, &self.learner).map(Some)
        } else {
            self.evidence.decide(&self.bus, &self.learner, self.order)
        };
        match (layout, self.rhythm.groups(self.period_ns)) {
            (Ok(Some(layout)), Some(groups)) => match apart(&layout, &groups, &self.machine) {
                Ok(apart) => self.collect(layout, &apart),
                Err(mismatch) => self.disagree(mismatch),
            },
            (Ok(_), _) => {}
            (Err(mismatch), _) => self.disagree(mismatch),
        }
    }

    fn disagree(&mut self, mismatch: Mismatch) {
        self.disagreed += 1;
        if self.ready && self.disagreed == DISAGREE {
            // The twins coast; who ends the run is told why.
            self.error = Some(TapError::Mismatch(mismatch));
        } else {
            self.mismatch = Some(mismatch);
        }
    }

    fn collect(&mut self, layout: Layout, apart: &Apart) {
        let stations = self.learner.stations();
        let state = |address: &Option<u16>| {
            let station = stations
                .iter()
                .find(|known| Some(known.address) == *address);
            station
                .and_then(|known| known.al)
                .map_or(0, |(status, _)| status)
        };
        let states = layout.addresses.iter().map(state).collect();
        self.learnt = layout.learnt;
        self.collector = Some(Collector::new(&layout, &self.image, apart, states));
        self.layout = Some(layout);
    }

    /// While cycles are collected: whether the master has started again with another layout.
    pub(super) fn watch(&mut self, number: Number) {
        let mut answered = false;
        for exchange in exchanges(self.pairing.sent(number), self.pairing.answer()) {
            if exchange.is_logical() {
                answered |= exchange.counter > 0;
            } else {
                self.restart.take(&exchange);
                self.learner.take(&exchange);
            }
        }
        if !answered || !self.restart.answered() {
            return;
        }
        let look = match Layout::learnt(&self.bus, &self.learner) {
            Ok(layout) if self.layout.as_ref() == Some(&layout) => Look::Same,
            // A SubDevice was brought back by a master whose start was not heard.
            Err(_) if !self.learnt => Look::Same,
            _ => Look::Other,
        };
        if self.restart.looked(look) {
            self.start_over();
        }
    }

    /// What was known of the process data no longer holds.
    pub(super) fn start_over(&mut self) {
        self.restart = Restart::default();
        self.evidence = Evidence::default();
        self.rhythm = Rhythm::default();
        (self.disagreed, self.mismatch) = (0, None);
        if let Some(mut collector) = self.collector.take().filter(|_| self.ready) {
            self.counted.lost += collector.lost;
            self.counted.late += collector.late;
            self.counted.working_counter_errors += collector.working_counter_errors;
            self.reports.append(&mut collector.reports);
        }
    }
}
