//! Links: what carries Ethernet frames between a MainDevice and a segment.
//!
//! The trait is narrow on purpose; captures and faults are links around links.

pub(crate) mod attachment;
pub mod fault;
pub mod in_process;
pub mod launch;
pub mod pcap;
pub mod raw_socket;
pub mod redundant;
pub mod stragglers;

use crate::clock::Clock;

/// Largest Ethernet frame without its check sequence (bytes).
pub const MAX_FRAME: usize = 1514;

/// What goes wrong on a link.
#[derive(Debug)]
pub enum LinkError {
    /// There is no interface of this name.
    NoInterface(String),
    /// The system does not let this user open a raw socket.
    NoPermission(String),
    /// A frame is longer than Ethernet carries.
    TooLong(usize),
    /// The interface is down or the system call failed.
    System {
        /// What was tried.
        what: &'static str,
        /// What the system said.
        error: std::io::Error,
    },
}

impl core::fmt::Display for LinkError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::NoInterface(name) => {
                write!(f, "there is no network interface '{name}' (see `ip link`)")
            }
            Self::NoPermission(name) => write!(
                f,
                "no permission to open a raw socket on '{name}': CAP_NET_RAW is needed \
                 (run as root, or `setcap cap_net_raw=ep` on the program)"
            ),
            Self::TooLong(bytes) => write!(f, "a frame of {bytes} bytes, at most {MAX_FRAME} fit"),
            Self::System { what, error } => write!(f, "{what}: {error}"),
        }
    }
}

impl std::error::Error for LinkError {}

impl LinkError {
    /// Whether the interface is there no more. One that is down may come up again; this one never does.
    pub fn has_gone(&self) -> bool {
        let Self::System { error, .. } = self else {
            return false;
        };
        matches!(error.raw_os_error(), Some(libc::ENODEV | libc::ENXIO))
    }

    /// Whether the interface is there and down.
    pub fn is_down(&self) -> bool {
        let Self::System { error, .. } = self else {
            return false;
        };
        error.raw_os_error() == Some(libc::ENETDOWN)
    }
}

/// An end of the line: that of the MainDevice's first interface, or, with a redundant cable, that of its second.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Side {
    /// The first interface; the only one without a redundant cable.
    #[default]
    Primary,
    /// The second interface.
    Secondary,
}

/// Both ends of a line at once: two interfaces, or a simulated segment with a redundant cable.
pub trait Ends {
    /// As [`Link::send`], at one end.
    ///
    /// # Errors
    /// [`LinkError`]; the frame did not leave.
    fn send(&mut self, side: Side, frame: &[u8]) -> Result<(), LinkError>;

    /// As [`Link::receive`], from whichever end it comes.
    ///
    /// # Errors
    /// [`LinkError`] when an end itself failed.
    fn receive(
        &mut self,
        buffer: &mut [u8],
        deadline_ns: u64,
    ) -> Result<Option<(Side, usize)>, LinkError>;

    /// The clock of both.
    fn clock(&self) -> &Clock;

    /// See [`Link::start_of_operation`].
    fn start_of_operation(&mut self) {}

    /// See [`Link::take_segment_time_ns`].
    fn take_segment_time_ns(&mut self) -> u64 {
        0
    }
}

/// A link as the only end of a line. What is sent at the other end is lost.
#[derive(Debug)]
pub struct OneEnd<L>(pub L);

impl<L: Link> Ends for OneEnd<L> {
    fn send(&mut self, side: Side, frame: &[u8]) -> Result<(), LinkError> {
        match side {
            Side::Primary => self.0.send(frame),
            Side::Secondary => Ok(()),
        }
    }

    fn receive(
        &mut self,
        buffer: &mut [u8],
        deadline_ns: u64,
    ) -> Result<Option<(Side, usize)>, LinkError> {
        let received = self.0.receive(buffer, deadline_ns)?;
        Ok(received.map(|length| (Side::Primary, length)))
    }

    fn clock(&self) -> &Clock {
        self.0.clock()
    }
}

/// The ring that line and redundant cable make, as the last answers show it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RingState {
    /// Frames go round.
    Whole,
    /// Frames come back to the end that they were sent from.
    Broken {
        /// SubDevices that answered at the first end, and at the second.
        answered: [u16; 2],
    },
}

/// Carries frames. Nothing here may allocate after the link was opened.
pub trait Link {
    /// Sends a frame (without check sequence).
    ///
    /// # Errors
    /// [`LinkError`]; the frame did not leave.
    fn send(&mut self, frame: &[u8]) -> Result<(), LinkError>;

    /// Waits for a frame until `deadline_ns` on [`Link::clock`] and returns its length in `buffer`; none in time: `None`.
    /// A deadline that has passed still takes a frame that is already there. What does not fit is cut off.
    ///
    /// # Errors
    /// [`LinkError`] when the link itself failed.
    fn receive(&mut self, buffer: &mut [u8], deadline_ns: u64) -> Result<Option<usize>, LinkError>;

    /// The clock that deadlines are on.
    fn clock(&self) -> &Clock;

    /// The first cycle in OP is about to be sent: a simulated segment counts the times of its faults from here.
    fn start_of_operation(&mut self) {}

    /// Real time that a simulated segment and its plant took since the last call (ns): it is no part of any phase.
    /// 0 for links to something real.
    fn take_segment_time_ns(&mut self) -> u64 {
        0
    }

    /// The line comes back to a second interface.
    fn is_redundant(&self) -> bool {
        false
    }

    /// From here on frames are sent at both ends, where there are two: the segment has its station addresses.
    fn close_ring(&mut self) {}

    /// The ring; none without a redundant cable, and before it is closed.
    fn ring(&self) -> Option<RingState> {
        None
    }
}

impl<L: Link + ?Sized> Link for &mut L {
    fn send(&mut self, frame: &[u8]) -> Result<(), LinkError> {
        (**self).send(frame)
    }

    fn receive(&mut self, buffer: &mut [u8], deadline_ns: u64) -> Result<Option<usize>, LinkError> {
        (**self).receive(buffer, deadline_ns)
    }

    fn clock(&self) -> &Clock {
        (**self).clock()
    }

    fn start_of_operation(&mut self) {
        (**self).start_of_operation();
    }

    fn take_segment_time_ns(&mut self) -> u64 {
        (**self).take_segment_time_ns()
    }

    fn is_redundant(&self) -> bool {
        (**self).is_redundant()
    }

    fn close_ring(&mut self) {
        (**self).close_ring();
    }

    fn ring(&self) -> Option<RingState> {
        (**self).ring()
    }
}

impl<L: Link + ?Sized> Link for Box<L> {
    fn send(&mut self, frame: &[u8]) -> Result<(), LinkError> {
        (**self).send(frame)
    }

    fn receive(&mut self, buffer: &mut [u8], deadline_ns: u64) -> Result<Option<usize>, LinkError> {
        (**self).receive(buffer, deadline_ns)
    }

    fn clock(&self) -> &Clock {
        (**self).clock()
    }

    fn start_of_operation(&mut self) {
        (**self).start_of_operation();
    }

    fn take_segment_time_ns(&mut self) -> u64 {
        (**self).take_segment_time_ns()
    }

    fn is_redundant(&self) -> bool {
        (**self).is_redundant()
    }

    fn close_ring(&mut self) {
        (**self).close_ring();
    }

    fn ring(&self) -> Option<RingState> {
        (**self).ring()
    }
}
