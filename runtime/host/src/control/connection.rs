//! One client of the control socket: bounded buffers, never waited for.

use super::request::MAX_LINE;
use crate::store::StoreReader;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;

/// Nothing more is answered while this much is still to be read by the client (bytes).
const MAX_UNREAD: usize = 64 << 10;

/// What a client is waiting for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Waiting {
    /// Nothing: its next request can be read.
    Nothing,
    /// The answer of this bus to this command, and the rest of its request.
    Answer(usize, u64),
    /// A status that was asked for before it came, and so is not its own.
    NextStatus,
    /// The statuses of the round with this number.
    Status(u64),
}

/// A follower of the event store.
pub(super) struct Follower {
    pub reader: StoreReader,
    pub after: u64,
}

/// A client.
pub(super) struct Connection {
    stream: UnixStream,
    input: Vec<u8>,
    output: Vec<u8>,
    /// It sends nothing more.
    ended: bool,
    /// It is to go once it has read what is there.
    closing: bool,
    /// It has gone; what it has sent is still read.
    pub hung_up: bool,
    pub waiting: Waiting,
    /// The waiting ends here (CLOCK_MONOTONIC, ns).
    pub until_ns: u64,
    pub follower: Option<Follower>,
}

impl Connection {
    /// Takes a client over.
    pub fn new(stream: UnixStream) -> io::Result<Self> {
        stream.set_nonblocking(true)?;
        Ok(Self {
            stream,
            input: Vec::new(),
            output: Vec::new(),
            ended: false,
            closing: false,
            hung_up: false,
            waiting: Waiting::Nothing,
            until_ns: 0,
            follower: None,
        })
    }

    /// For waiting.
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }

    /// Whether more input is wanted.
    pub fn reads(&self) -> bool {
        !self.ended && !self.closing && self.input.len() < MAX_LINE
    }

    /// Whether output is left.
    pub fn writes(&self) -> bool {
        !self.output.is_empty()
    }

    /// Whether another answer may be made.
    pub fn has_room(&self) -> bool {
        self.output.len() < MAX_UNREAD
    }

    /// Reads what is there, up to the longest line. False: the client is gone.
    pub fn read(&mut self) -> bool {
        let mut piece = [0; 4096];
        while self.reads() {
            let room = piece.len().min(MAX_LINE - self.input.len());
            let Some(piece) = piece.get_mut(..room) else {
                break;
            };
            match self.stream.read(piece) {
                Ok(0) => self.ended = true,
                Ok(count) => self
                    .input
                    .extend_from_slice(piece.get(..count).unwrap_or_default()),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return false,
            }
        }
        true
    }

    /// The next line, without its end. The error is a line that is too long.
    pub fn next_line(&mut self) -> Result<Option<Vec<u8>>, ()> {
        let Some(end) = self.input.iter().position(|byte| *byte == b'\n') else {
            return if self.input.len() >= MAX_LINE {
                Err(())
            } else {
                Ok(None)
            };
        };
        let mut line: Vec<u8> = self.input.drain(..=end).collect();
        line.pop();
        Ok(Some(line))
    }

    /// Queues text for the client.
    pub fn send(&mut self, text: &str) {
        self.output.extend_from_slice(text.as_bytes());
    }

    /// The client goes once it has read what is there.
    pub fn close(&mut self) {
        self.closing = true;
    }

    /// Writes what the client takes. False: it is gone.
    pub fn write(&mut self) -> bool {
        while !self.output.is_empty() {
            match self.stream.write(&self.output) {
                Ok(0) => return false,
                Ok(count) => drop(self.output.drain(..count)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return true,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return false,
            }
        }
        true
    }

    /// Whether nothing is left to do for it.
    pub fn is_over(&self) -> bool {
        let idle = self.output.is_empty();
        let asks = self.waiting != Waiting::Nothing || self.input.contains(&b'\n');
        idle && (self.closing || self.ended && !asks)
    }
}
