//! What the host needs of a bus besides the exchange.

use twinstep_drivers::bus::Bus;
use twinstep_drivers::ethercat::{AlReport, EthercatBus};
use twinstep_drivers::link::Link;
use twinstep_drivers::link::in_process::InProcess;
use twinstep_drivers::link::pcap::PcapLink;
use twinstep_drivers::link::raw_socket::RawSocket;
use twinstep_drivers::recording::RecordingBus;

/// A bus, with what concerns its start and its end.
pub trait Attached: Bus {
    /// Real time that a simulated segment and its plant took since the last call (ns): no part of any phase.
    fn plant_time_ns(&mut self) -> u64 {
        0
    }

    /// The next SubDevice that was found out of OP, once each.
    fn take_al_report(&mut self) -> Option<AlReport> {
        None
    }

    /// Whether outputs are sent at all; a recording has its own.
    fn takes_outputs(&self) -> bool {
        true
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

    /// Completes what the link writes on the side. Returns what went wrong, in words.
    fn complete(&mut self) -> Option<String> {
        None
    }
}

impl HostLink for InProcess {
    fn plant_time_ns(&mut self) -> u64 {
        self.take_segment_time_ns()
    }
}

impl HostLink for RawSocket {}

impl<L: HostLink> HostLink for PcapLink<L> {
    fn plant_time_ns(&mut self) -> u64 {
        self.inner_mut().plant_time_ns()
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

    fn take_al_report(&mut self) -> Option<AlReport> {
        Self::take_al_report(self)
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
