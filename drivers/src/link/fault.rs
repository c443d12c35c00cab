//! A link around a link that misbehaves on demand: for tests of what a MainDevice makes of bad frames.

use super::{Link, LinkError, MAX_FRAME};
use crate::clock::Clock;

/// What happens to the next answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mischief {
    /// The answer is lost.
    Lose,
    /// The answer comes this much later than it should (ns).
    Delay(u64),
    /// The answer comes twice.
    Duplicate,
    /// The answer ends after this many bytes.
    Truncate(usize),
    /// A frame that nobody sent comes first.
    Foreign,
    /// The byte at this offset from the end of the frame is changed (1: the last byte of the last working counter).
    Corrupt(usize),
}

/// Largest number of answers planned ahead.
const PLANNED: usize = 64;

/// See the module.
pub struct FaultyLink<L> {
    inner: L,
    plan: Vec<(u32, Mischief)>,
    held: [u8; MAX_FRAME],
    held_length: usize,
    held_until_ns: u64,
}

impl<L: Link> FaultyLink<L> {
    /// Wraps a link; nothing happens until [`FaultyLink::plan`].
    pub fn new(inner: L) -> Self {
        Self {
            inner,
            plan: Vec::with_capacity(PLANNED),
            held: [0; MAX_FRAME],
            held_length: 0,
            held_until_ns: 0,
        }
    }

    /// Plans mischief for the answer after `skip` good ones, at most 64 of them; one answer is held back at a time.
    pub fn plan(&mut self, skip: u32, mischief: Mischief) {
        if self.plan.len() < PLANNED {
            self.plan.push((skip, mischief));
        }
    }

    /// The wrapped link.
    pub fn inner_mut(&mut self) -> &mut L {
        &mut self.inner
    }

    fn hold(&mut self, frame: &[u8], until_ns: u64) {
        if let Some(held) = self.held.get_mut(..frame.len()) {
            held.copy_from_slice(frame);
            self.held_length = frame.len();
            self.held_until_ns = until_ns;
        }
    }

    fn release(&mut self, buffer: &mut [u8]) -> usize {
        let length = self.held_length.min(buffer.len());
        if let (Some(to), Some(from)) = (buffer.get_mut(..length), self.held.get(..length)) {
            to.copy_from_slice(from);
        }
        self.held_length = 0;
        length
    }
}

impl<L: Link> Link for FaultyLink<L> {
    fn send(&mut self, frame: &[u8]) -> Result<(), LinkError> {
        self.inner.send(frame)
    }

    fn receive(&mut self, buffer: &mut [u8], deadline_ns: u64) -> Result<Option<usize>, LinkError> {
        loop {
            if self.held_length > 0 && self.held_until_ns <= self.inner.clock().now_ns() {
                return Ok(Some(self.release(buffer)));
            }
            let until_ns = if self.held_length > 0 {
                deadline_ns.min(self.held_until_ns)
            } else {
                deadline_ns
            };
            let Some(length) = self.inner.receive(buffer, until_ns)? else {
                if self.held_length > 0 && self.held_until_ns <= deadline_ns {
                    continue;
                }
                return Ok(None);
            };
            let now_ns = self.inner.clock().now_ns();
            let mut chosen = None;
            self.plan.retain_mut(|(skip, mischief)| {
                let due = *skip == 0 && chosen.is_none();
                if due {
                    chosen = Some(*mischief);
                }
                *skip = skip.saturating_sub(1);
                !due
            });
            match chosen {
                None => return Ok(Some(length)),
                Some(Mischief::Lose) => {}
                Some(Mischief::Delay(by_ns)) => {
                    let frame = buffer.get(..length).unwrap_or_default();
                    self.hold(frame, now_ns + by_ns);
                }
                Some(Mischief::Duplicate) => {
                    let frame = buffer.get(..length).unwrap_or_default();
                    self.hold(frame, now_ns);
                    return Ok(Some(length));
                }
                Some(Mischief::Truncate(to)) => return Ok(Some(length.min(to))),
                Some(Mischief::Foreign) => {
                    let frame = buffer.get(..length).unwrap_or_default();
                    self.hold(frame, now_ns);
                    if let Some(source) = buffer.get_mut(6..12) {
                        source.copy_from_slice(&[0x03, 1, 1, 1, 1, 1]);
                    }
                    return Ok(Some(length));
                }
                Some(Mischief::Corrupt(from_end)) => {
                    if let Some(byte) = length
                        .checked_sub(from_end)
                        .and_then(|at| buffer.get_mut(at))
                    {
                        *byte ^= 0xff;
                    }
                    return Ok(Some(length));
                }
            }
        }
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
