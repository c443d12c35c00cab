//! The way out of a run: nothing is judged any more, and the machine is brought to a standstill.

use super::Runner;
use crate::attached::Attached;
use twinstep_drivers::bus::BusFault;
use twinstep_drivers::object_map::outcome;

/// Time that drives are given to follow a quick stop (s).
const QUICK_STOP_S: f64 = 1.0;

impl<B: Attached> Runner<'_, B> {
    /// Brings the machine to a stop: ramp, standstill confirmed, operation disabled, then out of OP. Nothing is judged any
    /// more. Returns what went wrong, in words.
    pub fn stop(&mut self) -> Option<String> {
        let stop_s = self
            .source
            .as_ref()
            .map_or(0.0, |source| source.stop_time_s());
        if let Some(source) = &mut self.source {
            source.stop();
        }
        let mut stuck = None;
        if !self.cycle_until_stopped(stop_s) {
            if let Some(source) = &mut self.source {
                source.quick_stop();
            }
            stuck = Some(if self.cycle_until_stopped(QUICK_STOP_S) {
                "the axes did not come to a confirmed standstill and were stopped by quick stop"
                    .to_owned()
            } else {
                "drives are still enabled after a quick stop; their SyncManager watchdogs are all that is left".to_owned()
            });
        }
        let bus = self.bus.leave();
        stuck.or(bus)
    }

    /// Cycles without judging until everything stands and is disabled, for at most `time_s`. Returns whether it is.
    fn cycle_until_stopped(&mut self, time_s: f64) -> bool {
        let mut left = (time_s * 1e9 / self.pacer.period_ns() as f64) as u64;
        while self.source.as_ref().is_some_and(|source| !source.stopped()) {
            if left == 0 {
                return false;
            }
            left -= 1;
            self.outlets.control.count_beat();
            self.pacer.wait();
            let Self {
                bus, pacer, image, ..
            } = self;
            let result = bus.exchange(image, &mut || pacer.left());
            let exchange = outcome(&result);
            self.map
                .read(&self.image, exchange, &mut self.axes, &mut self.stations);
            let (Ok(stamp) | Err(BusFault { stamp, .. })) = result;
            self.show_shared(stamp, false);
            let skipped = self.pacer.advance(self.bus.phase_error_ns());
            self.setpoints(exchange, skipped);
            self.bus.acyclic(self.pacer.acyclic_budget());
        }
        true
    }
}
