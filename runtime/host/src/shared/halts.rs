//! Halts of a controller's machine, as events. They are no part of the digest: a recording has no controller.

use crate::findings::finding;
use twinstep_cycle::controller::{Halt, Phase};
use twinstep_cycle::event::{Event, EventState, Severity, Source};
use twinstep_models::cause::Cause;
use twinstep_models::channel::Channel;
use twinstep_models::sample::{Context, CycleStamp};

/// Tells when the axes are halted, and when the controller is followed again.
#[derive(Debug, Default)]
pub struct HaltWatch {
    /// What was raised and is not over.
    raised: Option<(Source, Cause)>,
}

impl HaltWatch {
    /// One cycle. `phase` is how the controller is followed.
    pub fn cycle(&mut self, phase: Phase, stamp: CycleStamp, context: Context) -> Option<Event> {
        let now = match phase {
            Phase::Halted(halt) => told(halt),
            Phase::Waiting | Phase::Following => None,
        };
        let (state, (source, cause), measured) = match (self.raised, now) {
            // One halt is one event, whatever else is found while it lasts.
            (None, Some(halt)) => (EventState::Raised, halt, 1.0),
            (Some(halt), None) => (EventState::Cleared, halt, 0.0),
            _ => return None,
        };
        self.raised = now;
        Some(finding(
            source,
            Channel::Setpoints,
            state,
            Severity::Fault,
            cause,
            measured,
            (stamp, context),
        ))
    }
}

/// Source and cause of a halt; a stop that was asked for is no deviation.
fn told(halt: Halt) -> Option<(Source, Cause)> {
    match halt {
        Halt::Silent => Some((Source::Controller, Cause::ControllerSilent)),
        Halt::Step(n) => Some((Source::Axis(n), Cause::TargetStep)),
        Halt::Drive(n) => Some((Source::Axis(n), Cause::DriveDropped)),
        Halt::Asked => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_halt_is_told_once_and_its_end_too() {
        let mut watch = HaltWatch::default();
        let (stamp, context) = (CycleStamp::default(), Context::default());
        let mut told = |phase| {
            let event = watch.cycle(phase, stamp, context);
            event.map(|event| (event.state, event.source, event.cause))
        };
        assert_eq!(told(Phase::Waiting), None);
        assert_eq!(told(Phase::Following), None);
        let silent = (Source::Controller, Cause::ControllerSilent);
        let raised = Some((EventState::Raised, silent.0, silent.1));
        assert_eq!(told(Phase::Halted(Halt::Silent)), raised);
        assert_eq!(told(Phase::Halted(Halt::Silent)), None);
        let cleared = Some((EventState::Cleared, silent.0, silent.1));
        assert_eq!(told(Phase::Following), cleared);
        let step = Some((EventState::Raised, Source::Axis(3), Cause::TargetStep));
        assert_eq!(told(Phase::Halted(Halt::Step(3))), step);
        told(Phase::Following);
        assert_eq!(told(Phase::Halted(Halt::Asked)), None);
    }
}
