//! What the bus found out between the cycles: who left OP, where the line is broken, whose datagram nobody answered.

use std::collections::VecDeque;
use twinstep_models::cause::Cause;

/// Reports that wait to be taken.
const REPORTS: usize = 64;

/// Whether a finding is new.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum News {
    /// It is.
    Raised,
    /// More is known about it.
    Updated,
    /// It is over.
    Cleared,
}

/// One finding.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Report {
    /// New, known better, or over.
    pub news: News,
    /// Index of the SubDevice, as in the configuration; none for the bus as a whole. Of a broken line it is the first that
    /// does not answer.
    pub subdevice: Option<usize>,
    /// What it is.
    pub cause: Cause,
    /// A code, a count, or a time in seconds, as the cause says.
    pub measured: f64,
}

/// Reports in the order in which they were made.
#[derive(Debug)]
pub struct Reports {
    waiting: VecDeque<Report>,
    /// Reports that found no room.
    pub dropped: u64,
}

impl Reports {
    /// None yet.
    pub fn new() -> Self {
        Self {
            waiting: VecDeque::with_capacity(REPORTS),
            dropped: 0,
        }
    }

    /// One more.
    pub fn push(&mut self, news: News, subdevice: Option<usize>, cause: Cause, measured: f64) {
        if self.waiting.len() < REPORTS {
            self.waiting.push_back(Report {
                news,
                subdevice,
                cause,
                measured,
            });
        } else {
            self.dropped += 1;
        }
    }

    /// The oldest.
    pub fn take(&mut self) -> Option<Report> {
        self.waiting.pop_front()
    }
}
