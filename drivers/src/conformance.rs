//! What every [`Bus`] has to keep, as a check that runs against any of them.

use crate::bus::{Bus, BusCause, BusCounters, ProcessImage};
use std::fmt;
use std::time::Duration;
use twinstep_models::sample::CycleStamp;

/// What a bus did while it was checked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Conformance {
    /// Exchanges that went well.
    pub good: u64,
    /// Exchanges that failed, gaps included.
    pub faults: u64,
    /// The source came to its end.
    pub ended: bool,
}

/// What a bus did not keep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Violation {
    /// `in_flight` ran another number of times than once; at the end of the source: than never.
    InFlight {
        /// Exchange, counted from 0.
        exchange: u64,
        /// How often it ran.
        actual: u64,
    },
    /// Cycle numbers do not rise by one, or time does not rise by the same step each time.
    Stamp {
        /// Stamp before.
        previous: CycleStamp,
        /// Stamp now.
        actual: CycleStamp,
    },
    /// A failed exchange changed the inputs.
    InputsChanged {
        /// Its cycle.
        cycle: u64,
    },
    /// A failed exchange left all SubDevices valid.
    ValidAfterFault {
        /// Its cycle.
        cycle: u64,
    },
    /// A live bus changed the outputs.
    OutputsChanged {
        /// Cycle.
        cycle: u64,
    },
    /// The sizes of the image changed.
    SizeChanged {
        /// Cycle.
        cycle: u64,
    },
    /// A counter went down.
    CounterFell {
        /// Cycle.
        cycle: u64,
    },
    /// The source went on after its end.
    EndNotFinal,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InFlight { exchange, actual } => {
                write!(f, "exchange {exchange}: in_flight ran {actual} times")
            }
            Self::Stamp { previous, actual } => {
                write!(f, "stamp {actual:?} follows {previous:?}")
            }
            Self::InputsChanged { cycle } => {
                write!(f, "cycle {cycle}: a failed exchange changed the inputs")
            }
            Self::ValidAfterFault { cycle } => write!(
                f,
                "cycle {cycle}: the exchange failed and all SubDevices are valid"
            ),
            Self::OutputsChanged { cycle } => write!(f, "cycle {cycle}: the outputs changed"),
            Self::SizeChanged { cycle } => {
                write!(f, "cycle {cycle}: the size of the image changed")
            }
            Self::CounterFell { cycle } => write!(f, "cycle {cycle}: a counter went down"),
            Self::EndNotFinal => write!(f, "the source went on after its end"),
        }
    }
}

impl std::error::Error for Violation {}

/// Runs up to `cycles` exchanges and checks what every bus has to keep:
///
/// - `in_flight` runs exactly once per exchange, and not at all at the end of the source;
/// - cycle numbers rise by one and time by the same step, failed exchanges included;
/// - a failed exchange changes no inputs and leaves at least one SubDevice invalid, all of them where no frame came;
/// - the image keeps its sizes, a live bus (`brings_outputs` false) the outputs too;
/// - counters never fall; the end is final.
///
/// # Errors
/// The first [`Violation`].
pub fn bus_conformance(
    bus: &mut dyn Bus,
    image: &mut ProcessImage,
    cycles: u64,
    brings_outputs: bool,
) -> Result<Conformance, Violation> {
    let mut report = Conformance::default();
    let mut previous: Option<CycleStamp> = None;
    let mut step_ns: Option<u64> = None;
    let mut counters = bus.counters();
    for exchange in 0..cycles {
        let before = image.clone();
        let mut ran = 0_u64;
        let result = bus.exchange(image, &mut || ran += 1);
        let (stamp, cause) = match result {
            Ok(stamp) => (stamp, None),
            Err(fault) => (fault.stamp, Some(fault.cause)),
        };
        let ended = cause == Some(BusCause::End);
        if ran != u64::from(!ended) {
            return Err(Violation::InFlight {
                exchange,
                actual: ran,
            });
        }
        check_image(&before, image, stamp.cycle, cause, brings_outputs)?;
        if ended {
            report.ended = true;
            let again = bus.exchange(image, &mut || {});
            let final_end = matches!(again, Err(fault) if fault.cause == BusCause::End);
            return if final_end {
                Ok(report)
            } else {
                Err(Violation::EndNotFinal)
            };
        }
        if let Some(previous) = previous {
            let next = previous.cycle.checked_add(1) == Some(stamp.cycle);
            let step = stamp.time_ns.checked_sub(previous.time_ns);
            let same = step.is_some_and(|step| step > 0 && *step_ns.get_or_insert(step) == step);
            if !next || !same {
                return Err(Violation::Stamp {
                    previous,
                    actual: stamp,
                });
            }
        }
        previous = Some(stamp);
        let now = bus.counters();
        if fell(&counters, &now) {
            return Err(Violation::CounterFell { cycle: stamp.cycle });
        }
        counters = now;
        match cause {
            None => report.good += 1,
            Some(_) => report.faults += 1,
        }
        bus.acyclic(Duration::ZERO);
    }
    Ok(report)
}

fn check_image(
    before: &ProcessImage,
    after: &ProcessImage,
    cycle: u64,
    cause: Option<BusCause>,
    brings_outputs: bool,
) -> Result<(), Violation> {
    let sizes = |image: &ProcessImage| (image.outputs.len(), image.inputs.len(), image.valid.len());
    if sizes(before) != sizes(after) {
        return Err(Violation::SizeChanged { cycle });
    }
    if !brings_outputs && before.outputs != after.outputs {
        return Err(Violation::OutputsChanged { cycle });
    }
    let Some(cause) = cause else { return Ok(()) };
    if before.inputs != after.inputs {
        return Err(Violation::InputsChanged { cycle });
    }
    let mut valid = after.valid.iter();
    let some_valid = !after.valid.is_empty()
        && match cause {
            BusCause::WorkingCounter { .. } => valid.all(Result::is_ok),
            BusCause::NoFrame | BusCause::Gap | BusCause::Segment | BusCause::End => {
                valid.any(Result::is_ok)
            }
        };
    if some_valid {
        return Err(Violation::ValidAfterFault { cycle });
    }
    Ok(())
}

fn fell(before: &BusCounters, now: &BusCounters) -> bool {
    now.lost < before.lost
        || now.late < before.late
        || now.duplicate < before.duplicate
        || now.foreign < before.foreign
        || now.working_counter_errors < before.working_counter_errors
}
