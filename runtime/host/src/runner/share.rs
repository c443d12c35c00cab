//! What other programs see of a cycle.

use super::Runner;
use crate::attached::Attached;
use crate::shared::{AxisState, CycleHeader};
use twinstep_models::channel::Regime;
use twinstep_models::sample::{Context, CycleStamp};

impl<B: Attached> Runner<'_, B> {
    /// Samples of all axes for other programs.
    pub(super) fn show_shared(&mut self, stamp: CycleStamp) {
        let Some(mut shared) = self.shared.take() else {
            return;
        };
        let context = Context {
            recipe: self.image.recipe,
            part: self.image.part,
        };
        let controller = self.source.as_ref().and_then(|source| source.controller());
        let header = CycleHeader::new(stamp, context, controller);
        shared.axes(header, self.axes.len(), |n| self.axis_state(n));
        self.shared = Some(shared);
    }

    fn axis_state(&self, n: usize) -> AxisState {
        let reading = match self.axes[n] {
            Ok(reading) => reading,
            Err(missing) => {
                return AxisState {
                    missing: missing as u8,
                    ..AxisState::default()
                };
            }
        };
        let predicted = self.pipeline.compared(n).unwrap_or_default();
        let load = self.pipeline.load(n);
        AxisState {
            position_m: reading.position_m,
            velocity_m_per_s: reading.velocity_m_per_s,
            current_a: reading.current_a,
            target_m: reading.target_m,
            predicted_position_m: predicted[0],
            predicted_velocity_m_per_s: predicted[1],
            predicted_current_a: predicted[2],
            residual_sigma: self.pipeline.judge(n).map_or(0.0, |j| j.latest_sigma),
            missing: 0,
            drive_state: reading.state as u8,
            regime: load.map_or(Regime::Settling, |(_, _, regime)| regime) as u8,
            ..AxisState::default()
        }
    }
}
