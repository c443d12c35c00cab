//! One register access at a time, outside of the cycle.

use super::frame::{self, working_counter};
use super::port::Port;
use super::registers::wait;
use crate::link::{Link, MAX_FRAME};

/// One datagram at a time, in a frame that is built in place.
#[derive(Debug, Default)]
pub struct Line {
    frame: Vec<u8>,
    /// The last answer.
    pub answer: Vec<u8>,
    /// No answer is waited for after this (ns).
    pub deadline_ns: u64,
}

impl Line {
    /// With room for any frame.
    pub fn new() -> Self {
        Self {
            frame: Vec::with_capacity(MAX_FRAME),
            answer: Vec::with_capacity(MAX_FRAME),
            deadline_ns: 0,
        }
    }

    /// Sends a datagram of `length` bytes that begin with `data`. Returns what came back, none unless exactly one SubDevice
    /// took part.
    pub fn access<L: Link>(
        &mut self,
        port: &mut Port<L>,
        command: u8,
        position: u16,
        register: u16,
        length: usize,
        data: &[u8],
    ) -> Option<&[u8]> {
        self.begin();
        let at = self.push(command, position, register, length, data);
        self.exchange(port)?;
        (working_counter(&self.answer, at, length) == 1)
            .then(|| self.answer.get(at..at + length))
            .flatten()
    }

    /// Begins a frame.
    pub fn begin(&mut self) {
        frame::begin(&mut self.frame);
    }

    /// Appends a datagram; returns where its data is.
    pub fn push(
        &mut self,
        command: u8,
        position: u16,
        register: u16,
        length: usize,
        data: &[u8],
    ) -> usize {
        frame::push_datagram(&mut self.frame, command, position, register, length);
        let at = self.frame.len() - 2 - length;
        for (to, from) in self.frame.iter_mut().skip(at).take(length).zip(data) {
            *to = *from;
        }
        at
    }

    /// Sends the frame; none: no answer came.
    pub fn exchange<L: Link>(&mut self, port: &mut Port<L>) -> Option<()> {
        let sent = port.send(&self.frame);
        let answer = wait(port, sent, self.deadline_ns)?;
        self.answer.clear();
        self.answer.extend_from_slice(answer);
        Some(())
    }
}
