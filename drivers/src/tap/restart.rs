//! Notices when somebody else's master has started again with another layout of its process data.

use super::exchange::Exchange;

/// Answers with process data from one look to the next: a look builds a layout.
const LOOK_EVERY: u32 = 16;
/// Looks that must find the same: a master that brings one SubDevice back clears its FMMUs for a moment.
const LOOKS: u32 = 4;
/// Frames with process data without the one that begins a cycle, after which another one must be looked for. A group
/// that comes most often has [`MAX_EVERY`](super::rhythm::MAX_EVERY) in a cycle.
const WITHOUT: u32 = 256;

/// What stands in the SubDevices now, against what is collected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// The same.
    Same,
    /// Something else, or nothing that fits the configuration.
    Other,
}

/// See the module.
#[derive(Debug, Default)]
pub struct Restart {
    /// FMMUs were written since the layout was looked at.
    mapped: bool,
    answers: u32,
    others: u32,
    without: u32,
}

impl Restart {
    /// Takes a datagram other than process data.
    pub fn take(&mut self, exchange: &Exchange<'_>) {
        let first = usize::from(exchange.offset);
        let touches = first < 0x0700 && first + exchange.sent.len() > 0x0600;
        if exchange.wrote() && touches {
            (self.mapped, self.others) = (true, 0);
        }
    }

    /// A frame with process data went out. Says whether a cycle must be looked for anew.
    pub fn sent(&mut self, begins: bool) -> bool {
        self.without = if begins { 0 } else { self.without + 1 };
        self.without > WITHOUT
    }

    /// Process data came back. Says whether the layout is to be looked at.
    pub fn answered(&mut self) -> bool {
        self.answers = (self.answers + 1) % LOOK_EVERY;
        self.mapped && self.answers == 0
    }

    /// What the look found. Says whether everything is to be learnt anew.
    pub fn looked(&mut self, look: Look) -> bool {
        self.others = match look {
            Look::Same => 0,
            Look::Other => self.others + 1,
        };
        self.mapped = look == Look::Other && self.others < LOOKS;
        self.others >= LOOKS
    }
}
