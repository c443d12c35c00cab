//! What the shared memory counts, as the status and the summary of a run show it.

use crate::names::Names;
use serde::{Deserialize, Serialize};
use twinstep_cycle::controller::{ControllerState, Halt, Phase};
use twinstep_cycle::event::Source;

/// Counts of the cycle thread's end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SharedCounts {
    /// Flags and samples that found no memory.
    pub dropped: u64,
    /// How a controller is followed; none where none sends the set-points.
    pub controller: Option<ControllerState>,
}

/// The shared memory of a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SharedLine {
    /// Flags and samples that found no memory. What a subscriber that is too slow loses is not known here.
    pub dropped: u64,
    /// The controller; none where none sends the set-points.
    pub controller: Option<ControllerLine>,
}

/// How a controller is followed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ControllerLine {
    /// `waiting`, `following` or `halted`.
    pub state: String,
    /// Why it is halted: `silent`, `step`, `drive` or `asked`.
    pub halt: Option<String>,
    /// The axis that halted the others, for `step` and `drive`.
    pub axis: Option<String>,
    /// Cycles in which the targets went on without a request.
    pub bridged_cycles: u64,
    /// Requests that did not fit the machine or the time, and count as not sent.
    pub refused: u64,
    /// Version of the layout of its requests: 1 has no tool, load and temperature. 0 before the first one.
    #[serde(default)]
    pub layout: u8,
}

impl SharedLine {
    /// Puts the names to the counts.
    pub fn new(counts: SharedCounts, names: &Names) -> Self {
        Self {
            dropped: counts.dropped,
            controller: (counts.controller).map(|state| ControllerLine::new(state, names)),
        }
    }

    /// One line for a person.
    pub fn text(&self) -> String {
        let mut text = format!("shared memory: {} dropped", self.dropped);
        if let Some(controller) = &self.controller {
            text += &format!("; controller {}", controller.state);
            if let Some(halt) = &controller.halt {
                text += &format!(" ({halt}");
                if let Some(axis) = &controller.axis {
                    text += &format!(" of {axis}");
                }
                text.push(')');
            }
            text += &format!(
                ", {} cycles bridged, {} requests refused",
                controller.bridged_cycles, controller.refused
            );
            if controller.layout > 0 {
                text += &format!(", requests/{}", controller.layout);
            }
        }
        text
    }
}

impl ControllerLine {
    fn new(state: ControllerState, names: &Names) -> Self {
        let (word, halt, axis) = match state.phase {
            Phase::Waiting => ("waiting", None, None),
            Phase::Following => ("following", None, None),
            Phase::Halted(Halt::Silent) => ("halted", Some("silent"), None),
            Phase::Halted(Halt::Step(n)) => ("halted", Some("step"), Some(n)),
            Phase::Halted(Halt::Drive(n)) => ("halted", Some("drive"), Some(n)),
            Phase::Halted(Halt::Asked) => ("halted", Some("asked"), None),
        };
        Self {
            state: word.to_owned(),
            halt: halt.map(str::to_owned),
            axis: axis.map(|n| names.source(Source::Axis(n)).to_owned()),
            bridged_cycles: state.bridged_cycles,
            refused: state.refused,
            layout: state.layout,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_halt_is_told_with_its_reason() {
        let machine = twinstep_config::load(twinstep_config::PRESS_CELL, "it.toml").unwrap();
        let names = Names::of(&machine);
        let text = |phase| {
            let controller = Some(ControllerState {
                phase,
                bridged_cycles: 7,
                refused: 1,
                layout: 2,
            });
            let counts = SharedCounts {
                dropped: 2,
                controller,
            };
            SharedLine::new(counts, &names).text()
        };
        let step = text(Phase::Halted(Halt::Step(0)));
        let axis = &machine.axes[0].name;
        assert_eq!(
            step,
            format!(
                "shared memory: 2 dropped; controller halted (step of {axis}), 7 cycles bridged, 1 requests refused, requests/2"
            )
        );
        assert!(text(Phase::Halted(Halt::Silent)).contains("controller halted (silent), "));
        assert!(text(Phase::Following).contains("controller following, "));
    }
}
