//! One fault of the bus is one event: what the bus finds out about missing process data updates the event that says that it is
//! missing, and its end carries the cause that was found.
//!
//! The event on `frames` comes out of the pipeline and a replay has it too, without the findings; it is put together here,
//! behind the digest.

use crate::findings;
use twinstep_cycle::event::{Event, EventState, Severity, Source};
use twinstep_drivers::ethercat::{News, Report};
use twinstep_models::cause::Cause;
use twinstep_models::channel::Channel;
use twinstep_models::sample::{Context, CycleStamp};

/// Findings that are told as part of the event, at most; further ones stay events of their own.
const ABSORBED: usize = 64;

/// The best that is known of the fault.
#[derive(Clone, Copy, Debug)]
struct Named {
    cause: Cause,
    subdevice: Option<u16>,
    measured: f64,
    severity: Severity,
}

/// See the module.
#[derive(Debug)]
pub struct Merge {
    /// The event on `frames` is raised and not cleared.
    open: bool,
    named: Option<Named>,
    /// Findings that are part of it and not over: SubDevice and channel.
    absorbed: Vec<(Option<usize>, Channel)>,
}

impl Merge {
    /// Nothing is missing. Takes its memory here.
    pub fn new() -> Self {
        Self {
            open: false,
            named: None,
            absorbed: Vec::with_capacity(ABSORBED),
        }
    }

    /// An event of the pipeline on its way out.
    pub fn pass(&mut self, mut event: Event) -> Event {
        if event.source != Source::Bus || event.channel != Channel::Frames {
            return event;
        }
        self.open = event.state != EventState::Cleared;
        if self.open {
            self.named = None;
        } else if let Some(named) = self.named.take() {
            event.cause = named.cause;
            event.subdevice = named.subdevice;
            event.severity = named.severity;
            (event.measured, event.residual) = (named.measured, named.measured);
        }
        event
    }

    /// A finding as an event; none: it is told already.
    pub fn finding(
        &mut self,
        report: &Report,
        stamp: CycleStamp,
        context: Context,
    ) -> Option<Event> {
        let mut event = findings::event(report, stamp, context);
        let rank = rank_of(report.cause);
        if rank == 0 {
            return Some(event);
        }
        let key = (report.subdevice, event.channel);
        let known = self.absorbed.iter().position(|one| *one == key);
        match (report.news, known) {
            (News::Cleared, Some(at)) => {
                self.absorbed.swap_remove(at);
                if !self.open || !self.is_news(&event, report) {
                    return None;
                }
            }
            (_, Some(_)) if self.open => {}
            (_, Some(at)) => {
                // Its event is over and it is not: it goes on by itself.
                self.absorbed.swap_remove(at);
                event.state = EventState::Raised;
                return Some(event);
            }
            (News::Raised, None) if self.open && self.absorbed.len() < ABSORBED => {
                self.absorbed.push(key);
            }
            (_, None) => return Some(event),
        }
        event.source = Source::Bus;
        event.channel = Channel::Frames;
        event.state = EventState::Updated;
        event.subdevice = report.subdevice.map(|n| n as u16);
        if self.named.is_none_or(|named| rank_of(named.cause) <= rank) {
            self.named = Some(Named {
                cause: event.cause,
                subdevice: event.subdevice,
                measured: event.measured,
                severity: event.severity,
            });
        }
        Some(event)
    }

    /// Whether the end of a finding says more than is known; its figure is kept for the end of the event.
    fn is_news(&mut self, event: &Event, report: &Report) -> bool {
        let Some(named) = &mut self.named else {
            return true;
        };
        if named.cause == report.cause {
            named.measured = event.measured;
            return false;
        }
        rank_of(named.cause) <= rank_of(report.cause)
    }
}

/// How much a cause explains of missing process data; 0: nothing, it is an event of its own.
const fn rank_of(cause: Cause) -> u8 {
    match cause {
        Cause::LineBroken
        | Cause::LinkLost
        | Cause::CableBroken
        | Cause::PowerLost
        | Cause::NoAnswer
        | Cause::EepromUnreadable
        | Cause::FramesDamaged => 3,
        Cause::WorkingCounter | Cause::AlError | Cause::Refused => 2,
        Cause::FramesLate | Cause::FramesForeign => 1,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frames(state: EventState) -> Event {
        let report = Report {
            news: News::Raised,
            subdevice: None,
            cause: Cause::FramesLate,
            measured: 1.0,
        };
        let mut event = findings::event(&report, CycleStamp::default(), Context::default());
        (event.state, event.cause) = (state, Cause::FramesLost);
        event
    }

    /// What becomes of findings: state, source, cause, SubDevice.
    type Told = (EventState, Source, Cause, Option<u16>);

    fn told(event: Event) -> Told {
        (event.state, event.source, event.cause, event.subdevice)
    }

    fn find(merge: &mut Merge, news: News, subdevice: usize, cause: Cause) -> Option<Told> {
        let report = Report {
            news,
            subdevice: Some(subdevice),
            cause,
            measured: 2.0,
        };
        let event = merge.finding(&report, CycleStamp::default(), Context::default());
        event.map(told)
    }

    #[test]
    fn a_break_is_one_event_from_its_first_lost_frame_to_the_calm_after_it() {
        use EventState::{Cleared, Raised, Updated};
        let mut merge = Merge::new();
        let m = &mut merge;
        let bus = |state, cause, n| (state, Source::Bus, cause, n);
        assert_eq!(
            told(m.pass(frames(Raised))),
            bus(Raised, Cause::FramesLost, None)
        );
        let broken = find(m, News::Raised, 3, Cause::LineBroken);
        assert_eq!(broken, Some(bus(Updated, Cause::LineBroken, Some(3))));
        // A consequence is told, and does not take the place of the cause.
        let left = find(m, News::Raised, 4, Cause::AlError);
        assert_eq!(left, Some(bus(Updated, Cause::AlError, Some(4))));
        assert_eq!(find(m, News::Cleared, 4, Cause::AlError), None);
        let known = find(m, News::Cleared, 3, Cause::CableBroken);
        assert_eq!(known, Some(bus(Updated, Cause::CableBroken, Some(3))));
        let end = told(m.pass(frames(Cleared)));
        assert_eq!(end, bus(Cleared, Cause::CableBroken, Some(3)));
        // The next has nothing of it.
        m.pass(frames(Raised));
        assert_eq!(told(m.pass(frames(Cleared))).2, Cause::FramesLost);
    }

    #[test]
    fn what_costs_no_process_data_or_lasts_longer_is_an_event_of_its_own() {
        use EventState::{Cleared, Raised};
        let mut merge = Merge::new();
        let m = &mut merge;
        let own = |state, cause| Some((state, Source::SubDevice(1), cause, None));
        assert_eq!(
            find(m, News::Raised, 1, Cause::AlError),
            own(Raised, Cause::AlError)
        );
        assert_eq!(
            find(m, News::Cleared, 1, Cause::AlError),
            own(Cleared, Cause::AlError)
        );
        m.pass(frames(Raised));
        assert_eq!(
            find(m, News::Raised, 1, Cause::ClockOff),
            own(Raised, Cause::ClockOff)
        );
        find(m, News::Raised, 1, Cause::AlError);
        m.pass(frames(Cleared));
        assert_eq!(
            find(m, News::Updated, 1, Cause::Refused),
            own(Raised, Cause::Refused)
        );
        assert_eq!(
            find(m, News::Cleared, 1, Cause::Refused),
            own(Cleared, Cause::Refused)
        );
        // The end of one whose event was over before says nothing more.
        m.pass(frames(Raised));
        find(m, News::Raised, 1, Cause::AlError);
        m.pass(frames(Cleared));
        assert_eq!(find(m, News::Cleared, 1, Cause::AlError), None);
    }
}
