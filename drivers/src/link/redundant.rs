//! A redundant cable: the line comes back to a second interface, and every frame leaves from both.
//!
//! In a whole ring the frame from the first end passes everybody and comes out at the second; the other one passes the
//! other way and nobody processes it. Where the ring is broken both come back to the end they left from, each with the
//! half that it reached. A pair of answers becomes one frame: working counters are added, inputs put together. So a
//! break costs no cycle, whoever is behind it.
//!
//! A frame that has no partner is waited for until the deadline. After `MISSES` of them in a row that way is taken to be
//! dead and nobody waits for it, until something comes from there again.

use super::{Ends, Link, LinkError, MAX_FRAME, RingState, Side};
use crate::clock::Clock;
use crate::ethercat::frame::{answers, command as c};
use crate::frame::{Datagram, HEADERS};

/// Pairs that are under way at once: more than a cycle of the largest machine has.
const PAIRS: usize = 64;
/// So many answers of one end missing in a row: nothing comes from there any more.
const MISSES: u32 = 3;
/// Bit of the second byte of the source address that marks what left from the second end.
const SECOND: u8 = 0x80;
/// Bit of the first byte that a segment sets.
const RETURNED: u8 = 0x02;
/// DL status: which ports have a link, and which are closed.
const DL_STATUS: u16 = 0x0110;

/// A frame from both ends.
struct Pair {
    length: usize,
    sent: Box<[u8; MAX_FRAME]>,
    /// What came back of each, and where.
    came: [Option<Side>; 2],
    answers: Box<[[u8; MAX_FRAME]; 2]>,
    /// It was passed on.
    done: bool,
    /// Something of it came twice before that: it is passed on once more, to be counted.
    again: bool,
}

/// What a frame that came is.
enum Noted {
    /// Half of a pair, or more of one that was passed on already.
    Half,
    /// Nobody's here: the caller may know it.
    Other,
}

/// See the module.
pub struct Redundant<E> {
    ends: E,
    /// Ring buffer: the newest is before `next`.
    pairs: Vec<Pair>,
    next: usize,
    /// Frames leave from both ends.
    closed: bool,
    /// Answers missing in a row, by the end that they left from.
    missing: [u32; 2],
    /// Who answered the last broadcast, at either end, and whether they went round.
    answered: [u16; 2],
    ring: Option<RingState>,
    scratch: [u8; MAX_FRAME],
}

impl<E: Ends> Redundant<E> {
    /// Until [`Link::close_ring`] frames leave from the first end only, whichever end they come back to.
    pub fn new(ends: E) -> Self {
        let pair = || Pair {
            length: 0,
            sent: Box::new([0; MAX_FRAME]),
            came: [None; 2],
            answers: Box::new([[0; MAX_FRAME]; 2]),
            done: true,
            again: false,
        };
        Self {
            ends,
            pairs: (0..PAIRS).map(|_| pair()).collect(),
            next: 0,
            closed: false,
            missing: [0; 2],
            answered: [0; 2],
            ring: None,
            scratch: [0; MAX_FRAME],
        }
    }

    /// Both ends.
    pub fn ends_mut(&mut self) -> &mut E {
        &mut self.ends
    }

    fn is_alive(&self, end: usize) -> bool {
        self.missing.get(end).is_some_and(|&n| n < MISSES)
    }

    /// Notes an answer of `length` bytes in the scratch.
    fn note(&mut self, side: Side, length: usize) -> Noted {
        let Self {
            scratch,
            pairs,
            missing,
            ..
        } = self;
        let answer = scratch.get(..length).unwrap_or_default();
        let Some(&[marker, kind, a, b, c, d]) = answer.get(6..12) else {
            return Noted::Other;
        };
        let source = [marker & !RETURNED, kind & !SECOND, a, b, c, d];
        let end = usize::from(kind & SECOND != 0);
        let pair = pairs.iter_mut().find(|pair| {
            let sent = pair.sent.get(..pair.length).unwrap_or_default();
            sent.get(6..12) == Some(source.as_slice()) && answers(sent, answer)
        });
        let Some(pair) = pair.filter(|_| marker & RETURNED != 0) else {
            return Noted::Other;
        };
        let (Some(copy), Some(came)) = (pair.answers.get_mut(end), pair.came.get_mut(end)) else {
            return Noted::Other;
        };
        if came.is_some() {
            pair.again |= !pair.done;
            return if pair.done { Noted::Other } else { Noted::Half };
        }
        // Padding is not kept.
        let length = length.min(pair.length);
        if let (Some(copy), Some(answer)) = (copy.get_mut(..length), answer.get(..length)) {
            copy.copy_from_slice(answer);
            *came = Some(side);
        }
        if let Some(missing) = missing.get_mut(end) {
            *missing = 0;
        }
        Noted::Half
    }

    /// A pair that nothing more is waited for.
    fn ready(&self) -> Option<usize> {
        (0..PAIRS).map(|n| (self.next + n) % PAIRS).find(|&at| {
            self.pairs.get(at).is_some_and(|pair| {
                if pair.done {
                    return pair.again;
                }
                let [first, second] = pair.came;
                let waits = |came: Option<Side>, end| came.is_none() && self.is_alive(end);
                (first.is_some() || second == Some(Side::Secondary))
                    && !waits(first, 0)
                    && !waits(second, 1)
            })
        })
    }

    /// The oldest pair of which a half has come that says something.
    fn half(&self) -> Option<usize> {
        (0..PAIRS).map(|n| (self.next + n) % PAIRS).find(|&at| {
            let pair = self.pairs.get(at);
            pair.is_some_and(|pair| {
                !pair.done && (pair.came[0].is_some() || pair.came[1] == Some(Side::Secondary))
            })
        })
    }

    /// Puts a pair together; returns its length in `buffer`.
    fn deliver(&mut self, at: usize, buffer: &mut [u8]) -> Option<usize> {
        let Self {
            pairs,
            missing,
            answered,
            ring,
            ..
        } = self;
        let pair = pairs.get_mut(at)?;
        if core::mem::replace(&mut pair.done, true) {
            pair.again = false;
        }
        for (came, missing) in pair.came.iter().zip(&mut *missing) {
            if came.is_none() {
                *missing = missing.saturating_add(1);
            }
        }
        let length = pair.length.min(buffer.len());
        let merged = buffer.get_mut(..length)?;
        let [first, second] = &*pair.answers;
        let sent = pair.sent.get(..length)?;
        let (a, b) = (first.get(..length)?, second.get(..length)?);
        match pair.came {
            [Some(_), Some(_)] => {
                merged.copy_from_slice(a);
                merge(sent, b, merged);
            }
            [Some(_), None] => merged.copy_from_slice(a),
            _ => merged.copy_from_slice(b),
        }
        let source = (sent.get(6..12), merged.get_mut(6..12));
        if let (Some(sent), Some(source)) = source {
            source.copy_from_slice(sent);
            source[0] |= RETURNED;
        }
        if let Some(counts) = broadcast(sent, [a, b], pair.came) {
            *answered = counts;
        }
        let dead = |end: usize| missing.get(end).is_none_or(|&n| n >= MISSES);
        *ring = match pair.came {
            [Some(Side::Secondary), Some(Side::Primary)] => Some(RingState::Whole),
            // One frame that is lost is no break.
            [Some(Side::Secondary), None] if !dead(1) => *ring,
            [None, _] if !dead(0) => *ring,
            [Some(Side::Primary), None] if !dead(1) => *ring,
            _ => Some(RingState::Broken {
                answered: *answered,
            }),
        };
        Some(length)
    }

    /// Positions count from the end that a frame comes in at: for the second half they begin with the first SubDevice in it.
    fn shift_positions(&mut self, at: usize) {
        let Some(RingState::Broken {
            answered: [before, _],
        }) = self.ring
        else {
            return;
        };
        let Some(pair) = self.pairs.get(at) else {
            return;
        };
        let frame = pair.sent.get(..pair.length).unwrap_or_default();
        for datagram in crate::frame::datagrams(frame) {
            let by_position = matches!(datagram.command, c::APRD | c::APWR | c::APRW | c::ARMW);
            let place = datagram.at + 2..datagram.at + 4;
            if let (true, Some([low, high])) = (by_position, self.scratch.get_mut(place)) {
                let position = u16::from_le_bytes([*low, *high]).wrapping_add(before);
                [*low, *high] = position.to_le_bytes();
            }
        }
    }
}

/// Working counters of the first broadcast in a pair; none where there is none.
fn broadcast(sent: &[u8], answers: [&[u8]; 2], came: [Option<Side>; 2]) -> Option<[u16; 2]> {
    let is_broadcast = |d: &Datagram| d.command == c::BRD;
    let datagram = crate::frame::datagrams(sent).find(is_broadcast)?;
    let mut counts = [0; 2];
    for ((count, answer), came) in counts.iter_mut().zip(answers).zip(came) {
        if came.is_some() {
            *count = counter(answer, &datagram);
        }
    }
    Some(counts)
}

fn counter(frame: &[u8], datagram: &Datagram) -> u16 {
    match frame.get(datagram.end() - 2..datagram.end()) {
        Some(&[low, high]) => u16::from_le_bytes([low, high]),
        _ => 0,
    }
}

/// Adds the second answer to the first, which stands in `merged`.
fn merge(sent: &[u8], second: &[u8], merged: &mut [u8]) {
    for datagram in crate::frame::datagrams(sent) {
        let (ours, theirs) = (counter(merged, &datagram), counter(second, &datagram));
        let data = HEADERS.max(datagram.at + crate::frame::DATAGRAM_HEADER)..datagram.end() - 2;
        let (Some(to), Some(from), Some(before)) = (
            merged.get_mut(data.clone()),
            second.get(data.clone()),
            sent.get(data),
        ) else {
            continue;
        };
        if theirs > 0 {
            // Who is asked and passes it on is in one half, the other got what was sent.
            let is_clock = matches!(datagram.command, c::FRMW | c::ARMW);
            if ours == 0 || (is_clock && &*to == before) {
                to.copy_from_slice(from);
            } else if !is_clock {
                // Inputs are sent as zeros, and each half has filled in its own.
                to.iter_mut().zip(from).for_each(|(to, from)| *to |= from);
            }
        }
        let total = ours.saturating_add(theirs).to_le_bytes();
        if let Some(count) = merged.get_mut(datagram.end() - 2..datagram.end()) {
            count.copy_from_slice(&total);
        }
        for at in datagram.at + 8..datagram.at + 10 {
            if let (Some(to), Some(from)) = (merged.get_mut(at), second.get(at)) {
                *to |= from;
            }
        }
    }
}

/// A port that DL control keeps closed leads nowhere, though there is light at the other end: where the topology is asked for
/// it is none.
fn hide_closed_ports(frame: &mut [u8]) {
    let Some(datagram) = Datagram::parse(frame, HEADERS) else {
        return;
    };
    let register = frame.get(HEADERS + 4..HEADERS + 6);
    let data = HEADERS + crate::frame::DATAGRAM_HEADER;
    if register == Some(&DL_STATUS.to_le_bytes())
        && datagram.length >= 2
        && let Some([links, loops]) = frame.get_mut(data..data + 2)
    {
        for port in 0..4 {
            if *loops >> (2 * port) & 1 != 0 {
                *links &= !(1 << (4 + port));
            }
        }
    }
}

impl<E: Ends> Link for Redundant<E> {
    fn send(&mut self, frame: &[u8]) -> Result<(), LinkError> {
        let at = self.next;
        let Some(pair) = self.pairs.get_mut(at) else {
            return Ok(());
        };
        let Some(sent) = pair.sent.get_mut(..frame.len()) else {
            return Err(LinkError::TooLong(frame.len()));
        };
        sent.copy_from_slice(frame);
        (pair.length, pair.came) = (frame.len(), [None; 2]);
        (pair.done, pair.again) = (false, false);
        self.next = (at + 1) % PAIRS;
        let first = self.ends.send(Side::Primary, frame);
        if !self.closed {
            return first;
        }
        if let Some(copy) = self.scratch.get_mut(..frame.len()) {
            copy.copy_from_slice(frame);
            copy[7] |= SECOND;
        }
        self.shift_positions(at);
        let copy = self.scratch.get(..frame.len()).unwrap_or_default();
        // One interface that is down is a broken ring and no error.
        match (first, self.ends.send(Side::Secondary, copy)) {
            (Err(error), Err(_)) => Err(error),
            _ => Ok(()),
        }
    }

    fn receive(&mut self, buffer: &mut [u8], deadline_ns: u64) -> Result<Option<usize>, LinkError> {
        loop {
            if let Some(at) = self.ready() {
                return Ok(self.deliver(at, buffer));
            }
            let received = self.ends.receive(&mut self.scratch, deadline_ns)?;
            let Some((side, length)) = received else {
                let half = self.half();
                return Ok(half.and_then(|at| self.deliver(at, buffer)));
            };
            match self.note(side, length) {
                Noted::Half => {}
                Noted::Other => {
                    let length = length.min(buffer.len());
                    let from = self.scratch.get(..length).unwrap_or_default();
                    if let Some(to) = buffer.get_mut(..length) {
                        to.copy_from_slice(from);
                    }
                    // What left from the second end is known by the number of its pair.
                    if let Some(kind) = buffer.get_mut(7) {
                        *kind &= !SECOND;
                    }
                    return Ok(Some(length));
                }
            }
            if !self.closed
                && let Some(at) = self.half()
            {
                let length = self.deliver(at, buffer);
                hide_closed_ports(buffer);
                return Ok(length);
            }
        }
    }

    fn clock(&self) -> &Clock {
        self.ends.clock()
    }

    fn start_of_operation(&mut self) {
        self.ends.start_of_operation();
    }

    fn take_segment_time_ns(&mut self) -> u64 {
        self.ends.take_segment_time_ns()
    }

    fn is_redundant(&self) -> bool {
        true
    }

    fn close_ring(&mut self) {
        self.closed = true;
        (self.missing, self.ring) = ([0; 2], None);
    }

    fn ring(&self) -> Option<RingState> {
        self.ring.filter(|_| self.closed)
    }
}
