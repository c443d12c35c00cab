//! The simulated segment as a link: a frame is processed when it is sent and can be read when a real one would be back.

use super::stragglers::Stragglers;
use super::{Ends, Link, LinkError, MAX_FRAME, Side};
use crate::clock::{Clock, monotonic_ns};
use crate::ethercat::wire::{NODE_NS, frame_time_ns};
use crate::segment::Segment;
use crate::segment::faults::{FOREIGN_SOURCE, Fate};

/// Most answers under way at once: more frames than a cycle of the largest machine has.
const CAPACITY: usize = 64;

/// An answer on its way back.
struct Answer {
    bytes: [u8; MAX_FRAME],
    length: usize,
    ready_ns: u64,
    side: Side,
}

/// A segment in this process.
pub struct InProcess {
    segment: Segment,
    clock: Clock,
    answers: Vec<Answer>,
    first: usize,
    count: usize,
    stragglers: Stragglers,
    /// When the last frame will have left either port (ns): frames follow each other on the wire.
    free_ns: [u64; 2],
    /// Frames take the time of a wire.
    wire_time: bool,
    segment_time_ns: u64,
}

impl InProcess {
    /// Puts a segment behind a link on `clock`, with the time of a wire unless its machine is simulated without.
    pub fn new(segment: Segment, clock: Clock) -> Self {
        let wire_time = segment.has_wire_time();
        let answer = || Answer {
            bytes: [0; MAX_FRAME],
            length: 0,
            ready_ns: 0,
            side: Side::Primary,
        };
        Self {
            segment,
            clock,
            answers: (0..CAPACITY).map(|_| answer()).collect(),
            first: 0,
            count: 0,
            stragglers: Stragglers::default(),
            free_ns: [0; 2],
            wire_time,
            segment_time_ns: 0,
        }
    }

    /// The segment.
    pub fn segment_mut(&mut self) -> &mut Segment {
        &mut self.segment
    }
}

impl Ends for InProcess {
    fn send(&mut self, side: Side, frame: &[u8]) -> Result<(), LinkError> {
        let now_ns = self.clock.now_ns();
        let [first, second] = &mut self.free_ns;
        let free_ns = match side {
            Side::Primary => first,
            Side::Secondary => second,
        };
        let ready_ns = if self.wire_time {
            *free_ns = (*free_ns).max(now_ns) + frame_time_ns(frame.len());
            *free_ns + self.segment.len() as u64 * NODE_NS
        } else {
            now_ns
        };
        if self.count == CAPACITY {
            // As on a wire, what nobody takes is lost.
            return Ok(());
        }
        let slot = (self.first + self.count) % CAPACITY;
        let Some(answer) = self.answers.get_mut(slot) else {
            return Ok(());
        };
        let Some(bytes) = answer.bytes.get_mut(..frame.len()) else {
            return Err(LinkError::TooLong(frame.len()));
        };
        bytes.copy_from_slice(frame);
        let started_ns = monotonic_ns();
        let exit = self.segment.process_from(side, bytes, now_ns);
        self.segment_time_ns += monotonic_ns().saturating_sub(started_ns);
        let Some(side) = exit else {
            return Ok(());
        };
        answer.length = frame.len();
        (answer.ready_ns, answer.side) = (ready_ns, side);
        match self.segment.fate(frame.len()) {
            Fate::Straight => {}
            Fate::Late(by_ns) => {
                self.stragglers
                    .hold(side, bytes, ready_ns.saturating_add(by_ns));
                return Ok(());
            }
            Fate::Twice => self.stragglers.hold(side, bytes, ready_ns),
            Fate::BehindForeign => {
                (self.stragglers).hold_foreign(side, bytes, ready_ns, FOREIGN_SOURCE);
            }
            Fate::Cut(length) => answer.length = length,
        }
        self.count += 1;
        Ok(())
    }

    fn receive(
        &mut self,
        buffer: &mut [u8],
        deadline_ns: u64,
    ) -> Result<Option<(Side, usize)>, LinkError> {
        let next = self.answers.get(self.first).filter(|_| self.count > 0);
        if let Some(at_ns) = self.stragglers.next_ns()
            && next.is_none_or(|answer| at_ns <= answer.ready_ns)
            && at_ns <= deadline_ns.max(self.clock.now_ns())
        {
            self.clock.wait_until_ns(at_ns);
            return Ok(self.stragglers.take(at_ns, buffer));
        }
        let ready = next.filter(|answer| answer.ready_ns <= deadline_ns.max(self.clock.now_ns()));
        let Some(answer) = ready else {
            self.clock.wait_until_ns(deadline_ns);
            return Ok(None);
        };
        self.clock.wait_until_ns(answer.ready_ns);
        let (side, length) = (answer.side, answer.length.min(buffer.len()));
        if let (Some(to), Some(from)) = (buffer.get_mut(..length), answer.bytes.get(..length)) {
            to.copy_from_slice(from);
        }
        self.first = (self.first + 1) % CAPACITY;
        self.count -= 1;
        Ok(Some((side, length)))
    }

    fn clock(&self) -> &Clock {
        &self.clock
    }

    fn start_of_operation(&mut self) {
        let now_ns = self.clock.now_ns();
        self.segment.start_of_operation(now_ns);
    }

    fn take_segment_time_ns(&mut self) -> u64 {
        core::mem::take(&mut self.segment_time_ns)
    }
}

impl Link for InProcess {
    fn send(&mut self, frame: &[u8]) -> Result<(), LinkError> {
        Ends::send(self, Side::Primary, frame)
    }

    fn receive(&mut self, buffer: &mut [u8], deadline_ns: u64) -> Result<Option<usize>, LinkError> {
        let received = Ends::receive(self, buffer, deadline_ns)?;
        Ok(received.map(|(_, length)| length))
    }

    fn clock(&self) -> &Clock {
        &self.clock
    }

    fn start_of_operation(&mut self) {
        Ends::start_of_operation(self);
    }

    fn take_segment_time_ns(&mut self) -> u64 {
        Ends::take_segment_time_ns(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::segment::testing::bench;
    use twinstep_config::{PRESS_CELL, load};

    /// BRD of one byte at 0x0000.
    const COUNT: [u8; 29] = [
        255, 255, 255, 255, 255, 255, 0x10, 0, 0, 0, 0, 0, 0x88, 0xa4, 13, 0x10, 7, 1, 0, 0, 0, 0,
        1, 0, 0, 0, 0, 0, 0,
    ];

    #[test]
    fn an_answer_takes_as_long_as_the_wire() {
        let (_, segment) = bench(&[(4, 4); 3], 1_000_000);
        let clock = Clock::virtual_from(0);
        let mut link = InProcess::new(segment, clock.clone());
        let mut buffer = [0; MAX_FRAME];
        Link::send(&mut link, &COUNT).unwrap();
        assert_eq!(Link::receive(&mut link, &mut buffer, 5_000).unwrap(), None);
        assert_eq!(clock.now_ns(), 5_000);
        assert_eq!(
            Link::receive(&mut link, &mut buffer, 20_000).unwrap(),
            Some(COUNT.len())
        );
        // The shortest frame takes 6.72 us, each node 1 us.
        assert_eq!(clock.now_ns(), 9_720);
        assert_eq!(buffer[27..29], [3, 0]);
        assert_eq!(buffer[6], 0x12);
    }

    #[test]
    fn without_a_wire_an_answer_is_there_at_once() {
        let text = PRESS_CELL.replace("machine_seed = 1", "machine_seed = 1\nwire_time = false");
        let machine = load(&text, "cell.toml").unwrap();
        let clock = Clock::virtual_from(7);
        let mut link = InProcess::new(Segment::new(&machine, 1, 1).unwrap(), clock.clone());
        let mut buffer = [0; MAX_FRAME];
        for _ in 0..2 {
            Link::send(&mut link, &COUNT).unwrap();
        }
        for _ in 0..2 {
            let length = Link::receive(&mut link, &mut buffer, 20_000).unwrap();
            assert_eq!((length, clock.now_ns()), (Some(COUNT.len()), 7));
        }
    }
}
