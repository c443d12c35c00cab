//! Where frames come from. A source can be read and nothing else: there is no function that sends.

use crate::link::LinkError;
use std::fmt;
use std::path::PathBuf;

/// Largest frame that is looked at (bytes), VLAN tag included.
pub const MAX_CAPTURED: usize = 1518;

/// Which way a frame was going, as far as the source knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// The source carries both ways: bit 1 of the first source address byte tells them apart.
    Both,
    /// Out to the SubDevices: the first port of a TAP.
    Outbound,
    /// Back to the MainDevice: the second port of a TAP.
    Returned,
}

/// A frame that was heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Heard {
    /// Bytes in the buffer.
    pub length: usize,
    /// Bytes that it had on the wire.
    pub wire_length: usize,
    /// When it was heard (ns): on the monotonic clock, or as the capture has it.
    pub time_ns: u64,
    /// Which way it went.
    pub way: Way,
}

/// What a source has next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// A frame.
    Frame(Heard),
    /// None before the deadline.
    Nothing,
    /// There will be none any more: the end of a file.
    End,
}

/// Frames of somebody else's bus.
pub trait FrameSource {
    /// Waits for a frame until `deadline_ns` on the monotonic clock and puts it into `buffer`, cut to what fits.
    /// A file does not wait.
    ///
    /// # Errors
    /// [`TapError`] when the interface or the file failed.
    fn next(&mut self, buffer: &mut [u8], deadline_ns: u64) -> Result<Next, TapError>;

    /// Frames come as time passes, and their times are those of the monotonic clock.
    fn is_live(&self) -> bool;
}

impl<S: FrameSource + ?Sized> FrameSource for Box<S> {
    fn next(&mut self, buffer: &mut [u8], deadline_ns: u64) -> Result<Next, TapError> {
        (**self).next(buffer, deadline_ns)
    }

    fn is_live(&self) -> bool {
        (**self).is_live()
    }
}

/// Why there are no frames, or none that mean anything to this machine.
#[derive(Debug)]
pub enum TapError {
    /// The interface.
    Link(LinkError),
    /// The file cannot be read.
    File {
        /// Its path.
        path: PathBuf,
        /// What the system said.
        error: std::io::Error,
    },
    /// The file is no capture that can be read.
    Format {
        /// Its path.
        path: PathBuf,
        /// Where (bytes from its start).
        at: u64,
        /// What is wrong.
        what: &'static str,
    },
    /// The frames do not belong to the configured machine.
    Mismatch(super::mismatch::Mismatch),
    /// The file ended before one whole cycle of process data.
    NoCycle,
    /// The machine has no bus.
    NoBus,
}

impl fmt::Display for TapError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Link(error) => error.fmt(f),
            Self::File { path, error } => {
                write!(f, "cannot read the capture {}: {error}", path.display())
            }
            Self::Format { path, at, what } => write!(
                f,
                "{} is no capture that can be read: byte {at}: {what} (pcap and pcapng of Ethernet are)",
                path.display()
            ),
            Self::Mismatch(mismatch) => mismatch.fmt(f),
            Self::NoCycle => write!(
                f,
                "the capture ends before one whole cycle of this machine's process data in OP was seen; \
                 `twinstep scan --capture FILE` shows what it holds"
            ),
            Self::NoBus => write!(f, "the machine has no [bus], so no frames belong to it"),
        }
    }
}

impl std::error::Error for TapError {}

impl From<LinkError> for TapError {
    fn from(error: LinkError) -> Self {
        Self::Link(error)
    }
}
