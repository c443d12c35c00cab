//! What the healthy record never showed is not judged by figures of movements.

use super::AxisJudge;
use crate::plan::AxisPlan;
use twinstep_models::blocks::{Block, FEATURES, Feature};

impl AxisJudge {
    /// Takes out the figures of regimes that this movement went through at a pace that no baseline was learnt at, and counts the
    /// movement. Returns whether any was.
    pub(super) fn leave_out(
        &mut self,
        plan: &AxisPlan,
        blocks: &mut [Option<Block>; FEATURES],
    ) -> bool {
        let mut left_out = false;
        for (feature, (block, paces)) in
            (Feature::ALL.into_iter()).zip(blocks.iter_mut().zip(&plan.slow.paces))
        {
            let (Some(figure), Some(paces)) = (*block, paces) else {
                continue;
            };
            if !paces.hold(figure.pace(feature, plan.inertia.unwrap_or(1.0))) {
                *block = None;
                left_out = true;
            }
        }
        self.not_learnt = self.not_learnt.saturating_add(u64::from(left_out));
        left_out
    }

    /// Movements of which a figure was left out, because the record that the twin was calibrated with holds nothing at their pace.
    pub const fn not_learnt(&self) -> u64 {
        self.not_learnt
    }
}
