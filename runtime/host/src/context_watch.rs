//! Recipe, part, tool, load and temperature as they are told from outside: how long something of them was unknown, and that it was.
//!
//! A controller may have no part between two strokes, so that they are unknown again and again: all of that is one event, until they
//! were known for a minute.

use crate::findings::finding;
use serde::Serialize;
use twinstep_cycle::event::{Event, EventState, Severity, Source};
use twinstep_models::cause::Cause;
use twinstep_models::channel::Channel;
use twinstep_models::sample::{Context, CycleStamp};

/// Known for as long, they are known again (ns).
const CALM_NS: u64 = 60_000_000_000;

/// How long something of the context was unknown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ContextLine {
    /// Cycles in which they were.
    pub unknown_cycles: u64,
    /// How often they came to be.
    pub unknown: u64,
}

impl ContextLine {
    /// One line.
    pub fn text(self) -> String {
        let Self {
            unknown_cycles,
            unknown,
        } = self;
        format!(
            "context told from outside: {unknown} times none of the configuration, {unknown_cycles} cycles, in which what depends on it was not judged"
        )
    }

    /// That of two buses.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            unknown_cycles: self.unknown_cycles + other.unknown_cycles,
            unknown: self.unknown + other.unknown,
        }
    }
}

/// Watches what is told, cycle by cycle.
#[derive(Debug, Default)]
pub struct ContextWatch {
    counted: ContextLine,
    /// When they were unknown last (ns); none before they were.
    last_ns: Option<u64>,
    is_unknown: bool,
    raised: bool,
}

impl ContextWatch {
    /// One cycle. `number` is what was told instead, where it is a number.
    pub fn cycle(
        &mut self,
        context: Context,
        stamp: CycleStamp,
        number: impl FnOnce() -> Option<f64>,
    ) -> Option<Event> {
        let unknown = !context.is_whole();
        if unknown {
            self.counted.unknown_cycles += 1;
            self.counted.unknown += u64::from(!self.is_unknown);
            self.last_ns = Some(stamp.time_ns);
        }
        self.is_unknown = unknown;
        let calm_ns = (self.last_ns).map_or(u64::MAX, |last| stamp.time_ns.saturating_sub(last));
        let (state, measured) = match self.raised {
            false if unknown => (EventState::Raised, number().unwrap_or(-1.0)),
            true if calm_ns >= CALM_NS => (EventState::Cleared, 0.0),
            _ => return None,
        };
        self.raised = state == EventState::Raised;
        Some(finding(
            Source::Bus,
            Channel::Context,
            state,
            Severity::Warning,
            Cause::ContextUnknown,
            measured,
            (stamp, context),
        ))
    }

    /// The figures.
    pub const fn line(&self) -> ContextLine {
        self.counted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_unknown_again_and_again_is_one_event_until_it_was_known_for_a_minute() {
        let mut watch = ContextWatch::default();
        let known = Context::of(0, 1);
        let unknown = Context {
            part: Context::UNKNOWN,
            ..known
        };
        let mut events = Vec::new();
        // A cycle of a second: unknown from 10 to 12 s, from 30 to 31 s, and at 200 s.
        for second in 0..300 {
            let stamp = CycleStamp {
                cycle: second,
                time_ns: second * 1_000_000_000,
                dc_time_ns: 0,
            };
            let context = match second {
                10..13 | 30..32 | 200 => unknown,
                _ => known,
            };
            let number = (second < 100).then_some(7.0);
            let event = watch.cycle(context, stamp, || number);
            events.extend(event.map(|event| (event.cycle, event.state, event.measured)));
        }
        let expected = [
            (10, EventState::Raised, 7.0),
            (91, EventState::Cleared, 0.0),
            (200, EventState::Raised, -1.0),
            (260, EventState::Cleared, 0.0),
        ];
        assert_eq!(events, expected);
        let line = watch.line();
        assert_eq!((line.unknown, line.unknown_cycles), (3, 6));
    }
}
