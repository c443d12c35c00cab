//! The circumstances of an event.

use crate::event::{Detector, Event, EventState, Severity, Source};
use twinstep_models::cause::Cause;
use twinstep_models::channel::{Channel, Regime};
use twinstep_models::sample::{Context, CycleStamp};

/// Everything an event of one cycle needs besides what happened.
#[derive(Clone, Copy, Debug)]
pub struct Occasion {
    /// When.
    pub stamp: CycleStamp,
    /// Which axis.
    pub source: Source,
    /// Recipe, part, tool, load and temperature.
    pub context: Context,
}

impl Occasion {
    /// An event of this occasion.
    #[expect(
        clippy::too_many_arguments,
        reason = "an event has this many fields and is built in one place"
    )]
    pub fn event(
        &self,
        channel: Channel,
        state: EventState,
        detector: Detector,
        severity: Severity,
        measured: f64,
        predicted: f64,
        regime: Regime,
        cause: Cause,
    ) -> Event {
        Event {
            cycle: self.stamp.cycle,
            time_ns: self.stamp.time_ns,
            source: self.source,
            channel,
            state,
            detector,
            severity,
            measured,
            predicted,
            residual: measured - predicted,
            regime,
            context: self.context,
            cause,
            subdevice: None,
            causes: None,
            nok: None,
        }
    }
}
