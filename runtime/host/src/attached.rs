//! What the host needs of a bus besides the exchange.

use crate::error::HostError;
use twinstep_config::fault::Fault;
use twinstep_config::machine::Machine;
use twinstep_drivers::bus::Bus;
use twinstep_drivers::ethercat::{EthercatBus, News, Report};
use twinstep_drivers::link::in_process::InProcess;
use twinstep_drivers::link::pcap::PcapLink;
use twinstep_drivers::link::raw_socket::{RawPair, RawSocket};
use twinstep_drivers::link::redundant::Redundant;
use twinstep_drivers::link::{Ends, Link, LinkError, OneEnd};
use twinstep_drivers::recording::RecordingBus;
use twinstep_drivers::segment::Segment;
use twinstep_drivers::tap::TapBus;
use twinstep_drivers::tap::source::{FrameSource, TapError};
use twinstep_drivers::tsn::TsnBus;
use twinstep_drivers::tsn::bus::TsnError;
use twinstep_models::cause::Cause;

/// Largest difference between a drive's rated values and the configuration's (1).
const TOLERANCE: f64 = 0.01;

/// Why a fault is not injected.
const NOT_SIMULATED: &str = "faults are injected on simulated machines only";

/// What says where somebody else's process data stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ProcessData {
    /// The start-up of their master, which was heard.
    StartUp,
    /// The configuration: it was not heard.
    Configuration,
}

impl ProcessData {
    /// The stable word of it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::StartUp => "start_up",
            Self::Configuration => "configuration",
        }
    }

    /// It in words.
    pub const fn text(self) -> &'static str {
        match self {
            Self::StartUp => "process data as learnt from the master's start-up",
            Self::Configuration => {
                "process data as the configuration has them: the master's start-up was not heard"
            }
        }
    }
}

/// A bus, with what concerns its start and its end.
pub trait Attached: Bus {
    /// Real time that a simulated segment and its plant took since the last call (ns): no part of any phase.
    fn plant_time_ns(&mut self) -> u64 {
        0
    }

    /// The next finding from between the cycles, once each.
    fn take_report(&mut self) -> Option<Report> {
        None
    }

    /// Whether outputs are sent at all; a recording has its own.
    fn takes_outputs(&self) -> bool {
        true
    }

    /// Whether the next exchange is cycle 0. A bus that waits for somebody else returns after a moment, to be asked again.
    ///
    /// # Errors
    /// [`HostError`] where it never will be.
    fn ready(&mut self) -> Result<bool, HostError> {
        Ok(true)
    }

    /// Where the places of the process data were learnt from; none where nothing had to be learnt.
    fn process_data(&self) -> Option<ProcessData> {
        None
    }

    /// Part of the last exchange in which somebody else's frame was waited for (ns): it is no work, but slack.
    fn waited_ns(&self) -> u64 {
        0
    }

    /// Why the bus will never answer again, in words: its interface has gone.
    fn gone(&mut self) -> Option<String> {
        None
    }

    /// Injects a fault whose time counts from now.
    ///
    /// # Errors
    /// A sentence for the user; where the bus is not simulated that is it.
    fn inject(&mut self, _fault: &Fault) -> Result<(), String> {
        Err(NOT_SIMULATED.to_owned())
    }

    /// Takes back the faults that wait or last; false where the bus is not simulated.
    fn clear_faults(&mut self) -> bool {
        false
    }

    /// Leaves OP in order. Returns what went wrong, in words.
    fn leave(&mut self) -> Option<String> {
        None
    }
}

/// A link whose segment may be simulated.
pub trait HostLink: Link {
    /// See [`Attached::plant_time_ns`].
    fn plant_time_ns(&mut self) -> u64 {
        0
    }

    /// The simulated segment behind it; none behind an interface.
    fn segment_mut(&mut self) -> Option<&mut Segment> {
        None
    }

    /// Completes what the link writes on the side. Returns what went wrong, in words.
    fn complete(&mut self) -> Option<String> {
        None
    }
}

impl HostLink for InProcess {
    fn plant_time_ns(&mut self) -> u64 {
        Link::take_segment_time_ns(self)
    }

    fn segment_mut(&mut self) -> Option<&mut Segment> {
        Some(Self::segment_mut(self))
    }
}

impl HostLink for RawSocket {}

/// The ends of a cable that a segment is served on.
pub trait HostEnds: Ends {
    /// See [`HostLink::complete`].
    fn complete(&mut self) -> Option<String> {
        None
    }
}

impl<L: HostLink> HostEnds for OneEnd<L> {
    fn complete(&mut self) -> Option<String> {
        self.0.complete()
    }
}

impl HostEnds for RawPair {}

impl<E: Ends> HostLink for Redundant<E> {
    fn plant_time_ns(&mut self) -> u64 {
        self.take_segment_time_ns()
    }
}

impl<L: HostLink> HostLink for PcapLink<L> {
    fn plant_time_ns(&mut self) -> u64 {
        self.inner_mut().plant_time_ns()
    }

    fn segment_mut(&mut self) -> Option<&mut Segment> {
        self.inner_mut().segment_mut()
    }

    fn complete(&mut self) -> Option<String> {
        self.finish()
            .err()
            .map(|error| format!("the capture is not complete: {error}"))
    }
}

impl<L: HostLink> Attached for EthercatBus<L> {
    fn plant_time_ns(&mut self) -> u64 {
        self.link_mut().plant_time_ns()
    }

    fn take_report(&mut self) -> Option<Report> {
        Self::take_report(self)
    }

    fn gone(&mut self) -> Option<String> {
        vanished(self.take_link_error().as_ref())
    }

    fn inject(&mut self, fault: &Fault) -> Result<(), String> {
        let segment = self.link_mut().segment_mut();
        segment.map_or_else(
            || Err(NOT_SIMULATED.to_owned()),
            |segment| segment.inject_now(fault),
        )
    }

    fn clear_faults(&mut self) -> bool {
        let segment = self.link_mut().segment_mut();
        segment.map(Segment::clear_faults).is_some()
    }

    fn leave(&mut self) -> Option<String> {
        let left = self.shutdown();
        let capture = self.link_mut().complete();
        capture
            .or_else(|| (!left).then(|| "not every SubDevice followed from OP to INIT".to_owned()))
    }
}

impl Attached for RecordingBus {
    fn takes_outputs(&self) -> bool {
        false
    }
}

impl<S: FrameSource> Attached for TapBus<S> {
    fn takes_outputs(&self) -> bool {
        false
    }

    fn process_data(&self) -> Option<ProcessData> {
        Some(if self.is_learnt() {
            ProcessData::StartUp
        } else {
            ProcessData::Configuration
        })
    }

    fn take_report(&mut self) -> Option<Report> {
        // What its master reads of a SubDevice is all that a tap can know.
        self.take_al_report().map(|al| Report {
            news: News::Raised,
            subdevice: Some(al.subdevice),
            cause: if al.status == 0 {
                Cause::NoAnswer
            } else {
                Cause::AlError
            },
            measured: f64::from(al.code),
        })
    }

    fn ready(&mut self) -> Result<bool, HostError> {
        Self::ready(self).map_err(not_tapped)
    }

    fn waited_ns(&self) -> u64 {
        Self::waited_ns(self)
    }

    fn gone(&mut self) -> Option<String> {
        match self.error()? {
            TapError::Link(error) => vanished(Some(error)),
            _ => None,
        }
    }

    fn leave(&mut self) -> Option<String> {
        // That it has gone was said: it ended the run.
        if self.gone().is_some() {
            return None;
        }
        self.take_error().map(|error| error.to_string())
    }
}

impl<L: Link> Attached for TsnBus<L> {
    fn takes_outputs(&self) -> bool {
        false
    }

    fn ready(&mut self) -> Result<bool, HostError> {
        Self::ready(self).map_err(not_subscribed)
    }

    fn waited_ns(&self) -> u64 {
        Self::waited_ns(self)
    }

    fn gone(&mut self) -> Option<String> {
        vanished(self.error())
    }

    fn leave(&mut self) -> Option<String> {
        // That it has gone was said: it ended the run.
        if self.gone().is_some() {
            return None;
        }
        self.take_error().map(|error| error.to_string())
    }
}

/// That the interface behind an error is there no more, in words.
fn vanished(error: Option<&LinkError>) -> Option<String> {
    let error = error.filter(|error| error.has_gone())?;
    Some(format!("the network interface has gone ({error})"))
}

/// Why there is nothing to subscribe to, for the user.
pub fn not_subscribed(error: TsnError) -> HostError {
    match error {
        TsnError::Link(error) => crate::uadp::not_open(error),
        // The remedy stands in the sentence already.
        _ => HostError::usage(error.to_string(), ""),
    }
}

/// Why there is nothing to listen to, for the user.
pub fn not_tapped(error: TapError) -> HostError {
    let text = error.to_string();
    match error {
        TapError::Link(LinkError::NoPermission(_)) => {
            HostError::machine(text, "see README.md, \"A real bus\"")
        }
        TapError::Link(_) => HostError::machine(
            text,
            "name an interface that `ip link` lists and that is up",
        ),
        // The remedy stands in the sentence already.
        _ => HostError::usage(text, ""),
    }
}

/// Compares what the drives report of themselves with the configuration: a wrong rated current would scale every current wrong
/// without anybody noticing.
///
/// # Errors
/// [`HostError::Usage`] naming drive, object, both values and the key.
pub fn check_scaling<L: Link>(bus: &EthercatBus<L>, machine: &Machine) -> Result<(), HostError> {
    let Some(configured) = &machine.bus else {
        return Ok(());
    };
    let axes = || {
        machine
            .axes
            .iter()
            .chain(machine.presses.iter().map(|press| &press.axis))
    };
    for (place, subdevice) in configured.subdevices.iter().enumerate() {
        let Some(axis) = axes().find(|axis| axis.name == subdevice.name) else {
            continue;
        };
        let Some(scaling) = bus.scaling(place) else {
            continue;
        };
        let drive = &axis.drive;
        let torque_nm = drive.rated_current_a * drive.torque_constant_nm_per_a;
        let objects = [
            (
                "0x6075 motor rated current",
                scaling.rated_current_ma,
                drive.rated_current_a,
                "A",
                "rated_current",
            ),
            (
                "0x6076 motor rated torque",
                scaling.rated_torque_mnm,
                torque_nm,
                "N m",
                "torque_constant",
            ),
        ];
        for (object, reported, expected, unit, key) in objects {
            // A drive that leaves the object at 0 does not know its motor.
            let Some(reported) = reported
                .filter(|value| *value > 0)
                .map(|value| f64::from(value) / 1000.0)
            else {
                continue;
            };
            // The objects count in thousandths, which is coarse for a small motor.
            if (reported - expected).abs() > TOLERANCE * expected + 0.001 {
                return Err(HostError::usage(
                    format!(
                        "drive '{}' says {object} is {reported} {unit}, the configuration {expected:.3} {unit}",
                        axis.name
                    ),
                    format!(
                        "correct `{key}` in [axis.drive], or commission the drive for this motor"
                    ),
                ));
            }
        }
    }
    Ok(())
}
