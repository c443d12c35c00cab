//! What other programs see of a cycle.

use super::Runner;
use crate::attached::Attached;
use crate::shared::{AxisState, CycleHeader, SharedCounts, SharedOutlet, StationState};
use twinstep_cycle::event::Event;
use twinstep_models::channel::Regime;
use twinstep_models::sample::{Context, CycleStamp};

impl<B: Attached> Runner<'_, B> {
    /// Shows flags, axes and stations to other programs too.
    pub fn share(&mut self, outlet: SharedOutlet) {
        self.shared = Some(outlet);
    }

    /// What the shared memory counts; none where nothing is shared.
    pub fn shared_counts(&self) -> Option<SharedCounts> {
        self.shared.as_ref().map(|shared| SharedCounts {
            dropped: shared.dropped(),
            controller: self.source.as_ref().and_then(|source| source.controller()),
        })
    }

    /// What was measured and predicted, for subscribers.
    pub(super) fn publish_figures(&mut self, stamp: CycleStamp) {
        let Some(uadp) = &mut self.outlets.uadp else {
            return;
        };
        for (n, reading) in self.axes.iter().enumerate() {
            uadp.axis(n, stamp.cycle, reading, self.pipeline.compared(n));
        }
        for (n, reading) in self.stations.iter().enumerate() {
            let predicted_pa = self.pipeline.predicted_pressure_pa(n).unwrap_or(0.0);
            uadp.station(n, stamp.cycle, reading, predicted_pa);
        }
        uadp.send(self.pacer.started_ns());
    }

    /// Samples of all axes and stations for other programs. `judged`: this cycle went through the pipeline.
    pub(super) fn show_shared(&mut self, stamp: CycleStamp, judged: bool) {
        let Some(mut shared) = self.shared.take() else {
            return;
        };
        let context = Context::of(self.image.recipe, self.image.part);
        let controller = self.source.as_ref().and_then(|source| source.controller());
        let header = CycleHeader::new(stamp, context, controller.map(|state| state.phase));
        if shared.is_due() {
            shared.axes(header, self.axes.len(), |n| self.axis_state(n, judged));
            shared.stations(header, self.stations.len(), |n| {
                self.station_state(n, judged)
            });
        }
        self.shared = Some(shared);
    }

    /// The event of a controller's halt, or of its end.
    pub(super) fn halt(&mut self, stamp: CycleStamp, context: Context) -> Option<Event> {
        let state = self.source.as_ref()?.controller()?;
        self.halts.cycle(state.phase, stamp, context)
    }

    fn axis_state(&self, n: usize, judged: bool) -> AxisState {
        let reading = match self.axes[n] {
            Ok(reading) => reading,
            Err(missing) => {
                return AxisState {
                    missing: missing as u8,
                    ..AxisState::default()
                };
            }
        };
        let measured = AxisState {
            position_m: reading.position_m,
            velocity_m_per_s: reading.velocity_m_per_s,
            current_a: reading.current_a,
            target_m: reading.target_m,
            drive_state: reading.state as u8,
            regime: Regime::Settling as u8,
            ..AxisState::default()
        };
        // Before the observer has locked there is nothing to predict from.
        let known = judged && self.pipeline.judged(n);
        let Some(predicted) = self.pipeline.compared(n).filter(|_| known) else {
            return measured;
        };
        let load = self.pipeline.load(n);
        AxisState {
            predicted_position_m: predicted[0],
            predicted_velocity_m_per_s: predicted[1],
            predicted_current_a: predicted[2],
            residual_sigma: self.pipeline.judge(n).map_or(0.0, |j| j.latest_sigma),
            regime: load.map_or(Regime::Settling, |(_, _, regime)| regime) as u8,
            predicted: 1,
            ..measured
        }
    }

    fn station_state(&self, n: usize, judged: bool) -> StationState {
        let reading = match self.stations[n] {
            Ok(reading) => reading,
            Err(missing) => {
                return StationState {
                    missing: missing as u8,
                    ..StationState::default()
                };
            }
        };
        let station = self.pipeline.station(n);
        // Where it is not judged the model only follows.
        let known = judged && station.is_some_and(|station| station.innovation_pa.is_some());
        let predicted_pa = station.filter(|_| known).map(|s| s.predicted_pa());
        StationState {
            pressure_pa: reading.pressure_pa,
            predicted_pressure_pa: predicted_pa.unwrap_or(0.0),
            residual_sigma: station.map_or(0.0, |station| station.latest_sigma),
            ejector_on: u8::from(reading.ejector_on),
            blow_off: u8::from(reading.blow_off),
            predicted: u8::from(predicted_pa.is_some()),
            ..StationState::default()
        }
    }
}
