//! What the bus finds out between the cycles, as events; and the phase of the cycle against SYNC0.

use hdrhistogram::Histogram;
use serde::Serialize;
use twinstep_cycle::event::{Detector, Event, EventState, Severity, Source};
use twinstep_drivers::ethercat::{News, Report};
use twinstep_models::cause::Cause;
use twinstep_models::channel::{Channel, Regime};
use twinstep_models::sample::{Context, CycleStamp};

/// A phase error beyond this, in the same direction over so many cycles, is out of step (ns): a late start of the computer
/// is one cycle.
const LOST_NS: i64 = 5_000;
const LOST_CYCLES: u32 = 8;
/// Within this for so many cycles it is in step again (ns).
const LOCKED_NS: i64 = 1_000;
const LOCKED_CYCLES: u32 = 50;
/// The same as part of the period: long periods are kept less exactly.
const LOST_PART: u64 = 200;
/// Cycles that the lock is given before figures count: the first 2 s.
const LOCK_NS: u64 = 2_000_000_000;
/// Largest phase error that is told apart (ns).
const LARGEST_NS: u64 = 1_000_000_000;

/// An event of a finding.
pub fn event(report: &Report, stamp: CycleStamp, context: Context) -> Event {
    let (channel, severity) = class(report.cause);
    let source = match report.subdevice {
        Some(n) => Source::SubDevice(n as u16),
        None => Source::Bus,
    };
    let state = match report.news {
        News::Raised => EventState::Raised,
        News::Updated => EventState::Updated,
        News::Cleared => EventState::Cleared,
    };
    finding(
        source,
        channel,
        state,
        severity,
        report.cause,
        report.measured,
        (stamp, context),
    )
}

/// An event that reports a state, from between the cycles.
pub(crate) fn finding(
    source: Source,
    channel: Channel,
    state: EventState,
    severity: Severity,
    cause: Cause,
    measured: f64,
    (stamp, context): (CycleStamp, Context),
) -> Event {
    Event {
        cycle: stamp.cycle,
        time_ns: stamp.time_ns,
        source,
        channel,
        state,
        detector: Detector::State,
        severity,
        measured,
        predicted: 0.0,
        residual: measured,
        regime: Regime::Settling,
        context,
        cause,
        subdevice: None,
        causes: None,
        nok: None,
    }
}

/// The channel of a finding, and how bad it is.
fn class(cause: Cause) -> (Channel, Severity) {
    match cause {
        Cause::FramesDuplicated | Cause::FramesForeign => (Channel::Frames, Severity::Info),
        Cause::RingBroken | Cause::FramesLate | Cause::FramesDamaged | Cause::WorkingCounter => {
            (Channel::Frames, Severity::Warning)
        }
        Cause::Emergency => (Channel::DriveState, Severity::Fault),
        Cause::ClockOff | Cause::PhaseLost => (Channel::Phase, Severity::Warning),
        _ => (Channel::AlState, Severity::Fault),
    }
}

/// The phase of the cycle against SYNC0 plus the shift.
#[derive(Debug)]
pub struct PhaseWatch {
    /// Magnitudes after the first 2 s (ns); none where there is no room for it.
    errors: Option<Histogram<u64>>,
    lost_ns: i64,
    /// Cycles out of step on one side in a row; negative: early.
    beyond: i32,
    within: u32,
    lost: bool,
}

/// Magnitude of the phase error after the first 2 s (ns).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct PhaseLine {
    /// Half of all cycles were nearer.
    pub p50_ns: u64,
    /// 99 of 100 were nearer.
    pub p99_ns: u64,
    /// The worst.
    pub max_ns: u64,
}

impl PhaseWatch {
    /// Takes its memory here.
    pub fn new(period_ns: u64) -> Self {
        Self {
            errors: Histogram::new_with_bounds(1, LARGEST_NS, 2).ok(),
            lost_ns: LOST_NS.max(i64::try_from(period_ns / LOST_PART).unwrap_or(i64::MAX)),
            beyond: 0,
            within: 0,
            lost: false,
        }
    }

    /// One cycle. `error_ns` is where its frame passed.
    pub fn cycle(
        &mut self,
        error_ns: Option<i64>,
        stamp: CycleStamp,
        context: Context,
    ) -> Option<Event> {
        let error_ns = error_ns?;
        if stamp.time_ns < LOCK_NS {
            return None;
        }
        if let Some(errors) = &mut self.errors {
            errors.saturating_record(error_ns.unsigned_abs());
        }
        let locked_ns = self.lost_ns / LOST_NS * LOCKED_NS;
        self.beyond = match error_ns {
            e if e > self.lost_ns => self.beyond.max(0).saturating_add(1),
            e if e < -self.lost_ns => self.beyond.min(0).saturating_sub(1),
            _ => 0,
        };
        self.within = if error_ns.abs() < locked_ns {
            self.within.saturating_add(1)
        } else {
            0
        };
        let state = if !self.lost && self.beyond.unsigned_abs() >= LOST_CYCLES {
            EventState::Raised
        } else if self.lost && self.within >= LOCKED_CYCLES {
            EventState::Cleared
        } else {
            return None;
        };
        self.lost = state == EventState::Raised;
        Some(finding(
            Source::Bus,
            Channel::Phase,
            state,
            Severity::Warning,
            Cause::PhaseLost,
            error_ns as f64 * 1e-9,
            (stamp, context),
        ))
    }

    /// The figures; none without distributed clocks, or within the first 2 s.
    pub fn line(&self) -> Option<PhaseLine> {
        let errors = self.errors.as_ref().filter(|errors| !errors.is_empty())?;
        Some(PhaseLine {
            p50_ns: errors.value_at_quantile(0.5),
            p99_ns: errors.value_at_quantile(0.99),
            max_ns: errors.max(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(errors: impl IntoIterator<Item = i64>) -> (Vec<(u64, EventState)>, PhaseWatch) {
        let mut watch = PhaseWatch::new(1_000_000);
        let mut events = Vec::new();
        for (n, error) in errors.into_iter().enumerate() {
            let stamp = CycleStamp {
                cycle: n as u64,
                time_ns: LOCK_NS + n as u64 * 1_000_000,
                dc_time_ns: 0,
            };
            let event = watch.cycle(Some(error), stamp, Context::default());
            events.extend(event.map(|event| (event.cycle, event.state)));
        }
        (events, watch)
    }

    #[test]
    fn a_jump_is_told_and_its_end_and_late_starts_are_not() {
        let late_starts = (0..1000).map(|n| if n % 3 == 0 { 90_000 } else { -400 });
        assert_eq!(run(late_starts).0, []);
        let swing = (0..1000).map(|n| if n % 4 < 2 { 9_000 } else { -9_000 });
        assert_eq!(run(swing).0, []);
        let jump = (0..200).map(|n| if (100..120).contains(&n) { -20_000 } else { 30 });
        let (events, watch) = run(jump);
        assert_eq!(
            events,
            [(107, EventState::Raised), (169, EventState::Cleared)]
        );
        let line = watch.line().unwrap();
        assert_eq!((line.p50_ns, line.max_ns / 1_000), (30, 20));
    }
}
