//! The port: tags every frame that leaves and lets only answers to them back in.
//!
//! The source address carries the tag: a marker and a running number. A segment returns it with one bit set, and
//! everything else must come back as it was. What is late, comes twice, was cut short or never came from here is
//! counted and dropped; nothing of it is an error.

use super::frame::answers;
use crate::bus::BusCounters;
use crate::clock::Clock;
use crate::link::{Link, LinkError, MAX_FRAME};

/// First two bytes of the source address; bit 1 of the first is clear and comes back set.
const MARKER: [u8; 2] = [0x10, 0x54];
/// Bit of the first byte that the segment sets.
const RETURNED: u8 = 0x02;
/// Frames that are remembered: longer than any answer of interest can be late.
const REMEMBERED: usize = 128;

/// Emergencies that are kept.
const EMERGENCIES: usize = 32;

/// Number of a frame that was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ticket(u32);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Free,
    Waiting,
    Lost,
    Answered,
}

struct Flight {
    number: u32,
    state: State,
    length: usize,
    sent: [u8; MAX_FRAME],
}

/// See the module.
pub struct Port<L> {
    link: L,
    flights: Vec<Flight>,
    next: u32,
    buffer: [u8; MAX_FRAME],
    received: usize,
    counters: BusCounters,
    last_error: Option<LinkError>,
    /// Emergencies that came while ethercrab waited for something else: station address and error code.
    emergencies: Vec<(u16, u16)>,
    /// The last SDO that was asked for, and how it was aborted, if it was.
    sdo: Option<Sdo>,
}

/// An SDO that was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sdo {
    /// Station address of the SubDevice.
    pub station: u16,
    /// Object.
    pub index: u16,
    /// Its subindex.
    pub subindex: u8,
    /// Abort code of the answer.
    pub abort: Option<u32>,
}

impl<L: Link> Port<L> {
    /// Takes a link.
    pub fn new(link: L) -> Self {
        let flight = || Flight {
            number: 0,
            state: State::Free,
            length: 0,
            sent: [0; MAX_FRAME],
        };
        Self {
            link,
            flights: (0..REMEMBERED).map(|_| flight()).collect(),
            next: 1,
            buffer: [0; MAX_FRAME],
            received: 0,
            counters: BusCounters::default(),
            last_error: None,
            emergencies: Vec::with_capacity(EMERGENCIES),
            sdo: None,
        }
    }

    /// The link.
    pub fn link_mut(&mut self) -> &mut L {
        &mut self.link
    }

    /// The link, to look at.
    pub fn link(&self) -> &L {
        &self.link
    }

    /// The link's clock.
    pub fn clock(&self) -> &Clock {
        self.link.clock()
    }

    /// What was dropped so far.
    pub fn counters(&self) -> BusCounters {
        self.counters
    }

    /// For counting what only the caller can see.
    pub fn counters_mut(&mut self) -> &mut BusCounters {
        &mut self.counters
    }

    /// The last error of the link, once.
    pub fn take_error(&mut self) -> Option<LinkError> {
        self.last_error.take()
    }

    /// Keeps an emergency for whoever asks later.
    pub fn keep_emergency(&mut self, station: u16, code: u16) {
        if self.emergencies.len() < EMERGENCIES {
            self.emergencies.push((station, code));
        }
    }

    /// The last emergency that was kept.
    pub fn take_emergency(&mut self) -> Option<(u16, u16)> {
        self.emergencies.pop()
    }

    /// Notes an SDO that was asked for, or the end of it.
    pub fn note_sdo(&mut self, sdo: Sdo) {
        self.sdo = Some(sdo);
    }

    /// The last SDO.
    pub fn sdo(&self) -> Option<Sdo> {
        self.sdo
    }

    /// Tags and sends a frame. A link that fails is remembered and looks like a lost frame.
    pub fn send(&mut self, frame: &[u8]) -> Ticket {
        let number = self.next;
        self.next = self.next.wrapping_add(1);
        if let Some(flight) = self.flights.get_mut(number as usize % REMEMBERED)
            && let Some(sent) = flight.sent.get_mut(..frame.len())
        {
            sent.copy_from_slice(frame);
            if let Some(source) = sent.get_mut(6..12) {
                let [a, b, c, d] = number.to_be_bytes();
                source.copy_from_slice(&[MARKER[0], MARKER[1], a, b, c, d]);
            }
            flight.number = number;
            flight.length = frame.len();
            flight.state = State::Waiting;
            if let Err(error) = self.link.send(sent) {
                self.last_error = Some(error);
            }
        }
        Ticket(number)
    }

    /// Waits until `deadline_ns` for the answer to any frame under way.
    pub fn receive(&mut self, deadline_ns: u64) -> Option<(Ticket, &[u8])> {
        let (ticket, length) = loop {
            let length = match self.link.receive(&mut self.buffer, deadline_ns) {
                Ok(Some(length)) => length,
                Ok(None) => return None,
                Err(error) => {
                    self.last_error = Some(error);
                    // A link that fails at once must not make the caller spin.
                    self.link.clock().wait_until_ns(deadline_ns);
                    return None;
                }
            };
            if let Some(ticket) = self.judge(length) {
                break (ticket, length);
            }
            if self.link.clock().now_ns() > deadline_ns {
                return None;
            }
        };
        self.received = length;
        Some((ticket, self.answer()))
    }

    /// The answer that [`Port::receive`] returned last.
    pub fn answer(&self) -> &[u8] {
        self.buffer.get(..self.received).unwrap_or_default()
    }

    /// The answer did not come in time.
    pub fn give_up(&mut self, ticket: Ticket) {
        if let Some(flight) = self.flight(ticket.0)
            && flight.state == State::Waiting
        {
            flight.state = State::Lost;
            self.counters.lost += 1;
        }
    }

    fn flight(&mut self, number: u32) -> Option<&mut Flight> {
        self.flights
            .get_mut(number as usize % REMEMBERED)
            .filter(|flight| flight.number == number)
    }

    fn judge(&mut self, length: usize) -> Option<Ticket> {
        let number = match self.buffer.get(6..12) {
            Some(&[marker, kind, a, b, c, d])
                if length >= 12 && marker == MARKER[0] | RETURNED && kind == MARKER[1] =>
            {
                u32::from_be_bytes([a, b, c, d])
            }
            _ => {
                self.counters.foreign += 1;
                return None;
            }
        };
        let Self {
            flights,
            buffer,
            counters,
            ..
        } = self;
        let flight = flights.get_mut(number as usize % REMEMBERED)?;
        if flight.number != number || flight.state == State::Free {
            // Older than anything remembered, or from a program that ran here before.
            if self.next.wrapping_sub(number) < u32::MAX / 2 {
                counters.late += 1;
            } else {
                counters.foreign += 1;
            }
            return None;
        }
        let sent = flight.sent.get(..flight.length).unwrap_or_default();
        if !answers(sent, buffer.get(..length).unwrap_or_default()) {
            counters.foreign += 1;
            return None;
        }
        match core::mem::replace(&mut flight.state, State::Answered) {
            State::Waiting => return Some(Ticket(number)),
            State::Lost => {
                // It was not lost after all.
                counters.lost = counters.lost.saturating_sub(1);
                counters.late += 1;
            }
            State::Answered | State::Free => counters.duplicate += 1,
        }
        None
    }
}
