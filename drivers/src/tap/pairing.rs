//! Pairs frames on their way out with what came back of them, and counts everything else by kind.
//!
//! A segment sets bit 1 of the first source address byte, counts positions up and changes data and working counters; all
//! else comes back as it was. A returned frame belongs to the youngest outbound one that it can be an answer to: masters
//! that number their datagrams or frames leave no choice, and of equal frames the older one was lost. Bounded: the last
//! [`REMEMBERED`] outbound frames.

use super::source::Way;
use crate::ethercat::frame::answers;
use crate::frame::{ETHERTYPE, HEADERS, is_well_formed};
use crate::link::MAX_FRAME;

/// Outbound frames that are remembered.
pub const REMEMBERED: usize = 128;
/// A frame that is not back after this time was lost, for the master too (ns).
const ANSWER_NS: u64 = 100_000_000;
/// Bit of the first source address byte that the segment sets.
const RETURNED: u8 = 0x02;
/// Protocols that are counted apart.
pub const MAX_PROTOCOLS: usize = 16;

/// Frames by kind. They add up to `frames`, but that an outbound frame and its answer are two.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FrameCounts {
    /// All that were heard.
    pub frames: u64,
    /// EtherCAT on its way out.
    pub outbound: u64,
    /// Answers to it, in time.
    pub returned: u64,
    /// Answers that came after [`REMEMBERED`] frames or 100 ms, but could still be told.
    pub late: u64,
    /// Answers that came twice.
    pub duplicate: u64,
    /// Outbound frames that never came back.
    pub unanswered: u64,
    /// Outbound frames whose answer was still under way at the end.
    pub under_way: u64,
    /// Answers before the first pair: their frame left before the listening began.
    pub before: u64,
    /// Answers to nothing that was heard.
    pub orphan: u64,
    /// Frames that are shorter here than on the wire, or than their datagrams say.
    pub truncated: u64,
    /// EtherCAT whose datagrams do not add up.
    pub malformed: u64,
    /// EtherCAT other than datagrams: network variables, mailbox gateway.
    pub other_ethercat: u64,
    /// Other protocols.
    pub foreign: u64,
    /// The same, by EtherType.
    pub protocols: Vec<(u16, u64)>,
}

impl FrameCounts {
    /// Frames that nothing explains: answers without a question, and what cannot be read.
    pub fn unexplained(&self) -> u64 {
        self.orphan + self.truncated + self.malformed
    }
}

/// Number of an outbound frame, counted from 0.
pub type Number = u64;

/// What a frame turned out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seen {
    /// On its way out.
    Outbound(Number),
    /// The answer to one that went out.
    Answer(Number),
    /// It was counted, and means nothing further.
    Other,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Waiting,
    Lost,
    Answered,
}

struct Flight {
    state: State,
    time_ns: u64,
    length: usize,
    sent: [u8; MAX_FRAME],
}

impl Flight {
    fn bytes(&self) -> &[u8] {
        self.sent.get(..self.length).unwrap_or_default()
    }
}

/// See the module. Everything is allocated when it is made.
pub struct Pairing {
    flights: Vec<Flight>,
    /// Number of the next outbound frame.
    next: Number,
    /// All before this one are no longer waited for.
    settled: Number,
    answer: [u8; MAX_FRAME],
    answer_length: usize,
    last_ns: u64,
    counts: FrameCounts,
}

impl Default for Pairing {
    fn default() -> Self {
        let flight = || Flight {
            state: State::Answered,
            time_ns: 0,
            length: 0,
            sent: [0; MAX_FRAME],
        };
        Self {
            flights: (0..REMEMBERED).map(|_| flight()).collect(),
            next: 0,
            settled: 0,
            answer: [0; MAX_FRAME],
            answer_length: 0,
            last_ns: 0,
            counts: FrameCounts {
                protocols: Vec::with_capacity(MAX_PROTOCOLS),
                ..FrameCounts::default()
            },
        }
    }
}

impl Pairing {
    /// What was heard so far.
    pub fn counts(&self) -> &FrameCounts {
        &self.counts
    }

    /// The counts of a capture that has ended: what is still waited for is told from what never came.
    pub fn finish(mut self) -> FrameCounts {
        for number in self.settled..self.next {
            let (last_ns, flight) = (self.last_ns, self.flight(number));
            match flight.map(|flight| (flight.state, flight.time_ns)) {
                Some((State::Waiting, sent_ns)) if last_ns.saturating_sub(sent_ns) < ANSWER_NS => {
                    self.counts.under_way += 1;
                }
                Some((State::Waiting, _)) => self.counts.unanswered += 1,
                _ => {}
            }
        }
        self.counts
    }

    /// An outbound frame, while it is remembered.
    pub fn sent(&self, number: Number) -> &[u8] {
        let kept = number < self.next && self.next - number <= REMEMBERED as u64;
        let flight = self.flights.get(slot(number)).filter(|_| kept);
        flight.map_or(&[], Flight::bytes)
    }

    /// The answer that was seen last.
    pub fn answer(&self) -> &[u8] {
        self.answer.get(..self.answer_length).unwrap_or_default()
    }

    /// Takes a frame. `wire_length` is what it had on the wire.
    pub fn take(&mut self, frame: &[u8], wire_length: usize, time_ns: u64, way: Way) -> Seen {
        self.counts.frames += 1;
        // Times of a capture may step back a little between interfaces.
        self.last_ns = self.last_ns.max(time_ns);
        let Some(&[high, low]) = frame.get(12..14) else {
            self.counts.truncated += 1;
            return Seen::Other;
        };
        if [high, low] != ETHERTYPE {
            self.count_foreign(u16::from_be_bytes([high, low]));
            return Seen::Other;
        }
        if !self.is_whole(frame, wire_length) {
            return Seen::Other;
        }
        let marked = frame.get(6).is_some_and(|byte| byte & RETURNED != 0);
        match way {
            Way::Outbound => self.take_outbound(frame, time_ns),
            Way::Returned => self.take_answer(frame, time_ns),
            Way::Both if marked => self.take_answer(frame, time_ns),
            Way::Both => self.take_outbound(frame, time_ns),
        }
    }

    /// Whether it is a whole frame of datagrams; counts it where it is not.
    fn is_whole(&mut self, frame: &[u8], wire_length: usize) -> bool {
        let Some(&[low, high]) = frame.get(14..16) else {
            self.counts.truncated += 1;
            return false;
        };
        let header = u16::from_le_bytes([low, high]);
        if header >> 12 != 1 {
            self.counts.other_ethercat += 1;
            return false;
        }
        if is_well_formed(frame) && frame.len() <= MAX_FRAME {
            return true;
        }
        let cut = frame.len() < wire_length || frame.len() < HEADERS + usize::from(header & 0x07ff);
        *(if cut {
            &mut self.counts.truncated
        } else {
            &mut self.counts.malformed
        }) += 1;
        false
    }

    fn count_foreign(&mut self, protocol: u16) {
        self.counts.foreign += 1;
        let known = &mut self.counts.protocols;
        if let Some((_, count)) = known.iter_mut().find(|(known, _)| *known == protocol) {
            *count += 1;
        } else if known.len() < MAX_PROTOCOLS {
            known.push((protocol, 1));
        }
    }

    fn flight(&mut self, number: Number) -> Option<&mut Flight> {
        self.flights.get_mut(slot(number))
    }

    fn take_outbound(&mut self, frame: &[u8], time_ns: u64) -> Seen {
        self.counts.outbound += 1;
        self.settle(time_ns);
        let number = self.next;
        self.next += 1;
        if let Some(flight) = self.flight(number)
            && let Some(sent) = flight.sent.get_mut(..frame.len())
        {
            sent.copy_from_slice(frame);
            flight.length = frame.len();
            flight.time_ns = time_ns;
            flight.state = State::Waiting;
        }
        Seen::Outbound(number)
    }

    /// Gives up what is too old or about to be overwritten.
    fn settle(&mut self, now_ns: u64) {
        while self.settled < self.next {
            let full = self.next - self.settled >= REMEMBERED as u64;
            let Some(flight) = self.flights.get_mut(slot(self.settled)) else {
                return;
            };
            if flight.state == State::Waiting {
                if !full && now_ns.saturating_sub(flight.time_ns) < ANSWER_NS {
                    return;
                }
                flight.state = State::Lost;
                self.counts.unanswered += 1;
            }
            self.settled += 1;
        }
    }

    fn take_answer(&mut self, frame: &[u8], time_ns: u64) -> Seen {
        self.settle(time_ns);
        let oldest = self.next.saturating_sub(REMEMBERED as u64);
        let matches =
            |flight: &Flight| same_source(flight.bytes(), frame) && answers(flight.bytes(), frame);
        let mut found = None;
        for number in (oldest..self.next).rev() {
            let Some(flight) = self
                .flights
                .get(slot(number))
                .filter(|flight| matches(flight))
            else {
                continue;
            };
            if flight.state == State::Waiting {
                found = Some(number);
                break;
            }
            // Only where nothing is waited for, the youngest of the others: late, or there once more.
            found = found.or(Some(number));
        }
        let Some(number) = found else {
            // Nothing was paired yet: the listening began while this one was under way.
            let first = self.counts.returned == 0;
            *(if first {
                &mut self.counts.before
            } else {
                &mut self.counts.orphan
            }) += 1;
            return Seen::Other;
        };
        let Self {
            flights,
            counts,
            answer,
            ..
        } = self;
        let (Some(flight), Some(copy)) =
            (flights.get_mut(slot(number)), answer.get_mut(..frame.len()))
        else {
            return Seen::Other;
        };
        match core::mem::replace(&mut flight.state, State::Answered) {
            State::Waiting => counts.returned += 1,
            State::Lost => {
                counts.unanswered = counts.unanswered.saturating_sub(1);
                counts.late += 1;
            }
            State::Answered => {
                counts.duplicate += 1;
                return Seen::Other;
            }
        }
        copy.copy_from_slice(frame);
        self.answer_length = frame.len();
        Seen::Answer(number)
    }
}

fn slot(number: Number) -> usize {
    (number % REMEMBERED as u64) as usize
}

/// Addresses that differ in nothing but the bit that tells the ways apart.
fn same_source(sent: &[u8], answer: &[u8]) -> bool {
    match (sent.get(..12), answer.get(..12)) {
        (Some(sent), Some(answer)) => sent
            .iter()
            .zip(answer)
            .enumerate()
            .all(|(at, (sent, answer))| sent == answer || (at == 6 && sent ^ answer == RETURNED)),
        _ => false,
    }
}
