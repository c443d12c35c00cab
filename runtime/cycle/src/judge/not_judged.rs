//! What is not judged, and how much of it there was: what the healthy record never showed, and what a drive does by itself.

use super::AxisJudge;
use crate::plan::AxisPlan;
use twinstep_models::blocks::{Block, FEATURES, Feature};
use twinstep_models::sample::{AxisReading, DriveState, Told};

/// What of an axis was not judged, by reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct NotJudged {
    /// Movements of which a figure was left out: no healthy record holds any at their pace.
    pub pace: u64,
    /// Cycles in a mode of operation that no healthy record holds: their innovations were not judged.
    pub mode: u64,
    /// Cycles in which the drive was enabled and made its own set-points: nothing was predicted.
    pub own: u64,
}

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
        self.not_judged.pace = self.not_judged.pace.saturating_add(u64::from(left_out));
        left_out
    }

    /// A cycle in a mode in which the innovations are not judged.
    pub(crate) fn count_mode(&mut self, r: &AxisReading) {
        if r.state != DriveState::OperationEnabled {
            return;
        }
        let cycles = match r.told {
            Told::Own => &mut self.not_judged.own,
            _ => &mut self.not_judged.mode,
        };
        *cycles = cycles.saturating_add(1);
    }

    /// What was not judged so far.
    pub const fn not_judged(&self) -> NotJudged {
        self.not_judged
    }
}
