//! A link around a link that writes every frame, both ways, into a classic pcap file with nanosecond times.
//!
//! It is opt-in and writes through a buffer while the cycle runs: the price of a capture is paid only by who asks for it.

use super::{Link, LinkError};
use crate::clock::Clock;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

/// Magic of a little-endian file with nanoseconds.
const MAGIC_NS: u32 = 0xa1b2_3c4d;
/// Link type Ethernet.
const LINKTYPE_ETHERNET: u32 = 1;
/// Longest frame that is kept (bytes).
const SNAP: u32 = 65_535;
const NS_PER_S: u64 = 1_000_000_000;

/// See the module.
pub struct PcapLink<L> {
    inner: L,
    file: BufWriter<File>,
    failed: Option<std::io::Error>,
}

impl<L: Link> PcapLink<L> {
    /// Creates the file, overwriting what was there.
    ///
    /// # Errors
    /// What the system said.
    pub fn create(inner: L, path: &Path) -> std::io::Result<Self> {
        let mut file = BufWriter::with_capacity(1 << 20, File::create(path)?);
        // Header: magic, version 2.4, time zone and accuracy 0.
        for word in [MAGIC_NS, 0x0004_0002, 0, 0, SNAP, LINKTYPE_ETHERNET] {
            file.write_all(&word.to_le_bytes())?;
        }
        Ok(Self {
            inner,
            file,
            failed: None,
        })
    }

    /// The wrapped link.
    pub fn inner_mut(&mut self) -> &mut L {
        &mut self.inner
    }

    /// Writes out what is buffered.
    ///
    /// # Errors
    /// The first error since the file was created: a full disc does not stop the cycle, it is reported here.
    pub fn finish(&mut self) -> std::io::Result<()> {
        match self.failed.take() {
            Some(error) => Err(error),
            None => self.file.flush(),
        }
    }

    fn record(&mut self, frame: &[u8]) {
        if self.failed.is_some() {
            return;
        }
        let now_ns = self.inner.clock().now_ns();
        let length = frame.len() as u32;
        let header = [
            (now_ns / NS_PER_S) as u32,
            (now_ns % NS_PER_S) as u32,
            length,
            length,
        ];
        let mut write = || {
            for word in header {
                self.file.write_all(&word.to_le_bytes())?;
            }
            self.file.write_all(frame)
        };
        if let Err(error) = write() {
            self.failed = Some(error);
        }
    }
}

impl<L: Link> Link for PcapLink<L> {
    fn send(&mut self, frame: &[u8]) -> Result<(), LinkError> {
        self.record(frame);
        self.inner.send(frame)
    }

    fn receive(&mut self, buffer: &mut [u8], deadline_ns: u64) -> Result<Option<usize>, LinkError> {
        let received = self.inner.receive(buffer, deadline_ns)?;
        if let Some(frame) = received.and_then(|length| buffer.get(..length)) {
            self.record(frame);
        }
        Ok(received)
    }

    fn clock(&self) -> &Clock {
        self.inner.clock()
    }

    fn start_of_operation(&mut self) {
        self.inner.start_of_operation();
    }

    fn take_segment_time_ns(&mut self) -> u64 {
        self.inner.take_segment_time_ns()
    }

    fn is_redundant(&self) -> bool {
        self.inner.is_redundant()
    }

    fn close_ring(&mut self) {
        self.inner.close_ring();
    }

    fn ring(&self) -> Option<super::RingState> {
        self.inner.ring()
    }
}
