//! Whether the samples of a cycle follow those of the cycle before.

use super::Runner;
use crate::attached::Attached;
use twinstep_drivers::bus::{BusCause, BusFault};
use twinstep_models::sample::CycleStamp;

impl<B: Attached> Runner<'_, B> {
    /// Samples that are not one period after those of the cycle before are those of a new segment: the drives went on without
    /// set-points for longer than the twins know of. So it is after a start that was left out, and where the frame came to the
    /// drives too late for its SYNC0. A recording says so too, so that a replay does the same.
    pub(super) fn in_step(
        &mut self,
        result: Result<CycleStamp, BusFault>,
    ) -> Result<CycleStamp, BusFault> {
        let stamp = match result {
            Ok(stamp) => stamp,
            Err(fault) => {
                if fault.cause == BusCause::Segment {
                    self.last_good = CycleStamp::default();
                }
                return Err(fault);
            }
        };
        let last = core::mem::replace(&mut self.last_good, stamp);
        let skipped = core::mem::take(&mut self.skipped);
        let passed_ns = stamp.dc_time_ns.wrapping_sub(last.dc_time_ns).cast_signed();
        let period_ns = self.pacer.period_ns();
        let expected_ns = (stamp.cycle - last.cycle)
            .wrapping_mul(period_ns)
            .cast_signed();
        // Without distributed clocks nobody tells when the frame was there.
        let clocks = stamp.dc_time_ns > 0 && last.dc_time_ns > 0;
        let off_ns = passed_ns.wrapping_sub(expected_ns).unsigned_abs();
        if skipped || (clocks && off_ns > period_ns / 2) {
            // The next samples are the first of it.
            self.last_good = CycleStamp::default();
            return Err(BusFault {
                stamp,
                cause: BusCause::Segment,
            });
        }
        Ok(stamp)
    }
}
