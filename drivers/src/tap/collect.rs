//! Puts the frames of one cycle of somebody else's master together. Nothing allocates after it is made.
//!
//! A cycle begins with the frame that carries the anchor, the datagram after the longest pause, and is whole when every
//! configured byte has come back. When the next one begins first, a frame was lost. What groups with cycles of their own
//! bring is no part of that: their youngest values stand beside it, as long as their own working counters are right.

use super::apart::Apart;
use super::exchange::{Exchange, exchanges, is_logical};
use super::layout::{Layout, Span};
use super::map::weights;
use super::pairing::Number;
use crate::bus::ProcessImage;
use crate::ethercat::AlReport;
use crate::ethercat::plan::Direction;
use crate::frame::command as c;
use twinstep_models::sample::Missing;

const AL_STATUS: u16 = 0x0130;
const AL_CODE: u16 = 0x0134;
/// Bit of an AL status: the SubDevice has left its state by itself, or refused one.
const AL_ERROR: u8 = 0x10;
/// AL errors that wait: as many as there can be SubDevices on one bus.
const MAX_REPORTS: usize = 256;
const SYSTEM_TIME: u16 = 0x0910;
const OP: u8 = 8;
/// Several states at once: whose is whose, the broadcast does not say.
const MIXED: u8 = 0xff;
/// Logical datagrams whose expected working counter is kept.
const MAX_KNOWN: usize = 64;

/// Command and logical address.
pub type Key = (u8, u32);

/// What a cycle came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Collected {
    /// Everything is there, and every working counter is right.
    Whole,
    /// Everything is there.
    WorkingCounter {
        /// What the FMMUs imply.
        expected: u16,
        /// What came back.
        actual: u16,
    },
    /// A frame did not come back.
    Lost,
}

/// How process data of another group fare.
#[derive(Clone, Copy)]
struct Beside {
    /// Cycles after which they are missing.
    limit: u32,
    /// Cycles since they were right.
    age: u32,
    /// The working counter was wrong last.
    wrong: bool,
}

/// A datagram of another group.
struct Other {
    key: Key,
    under_way: Option<Number>,
}

/// See the module.
pub struct Collector {
    spans: Vec<Span>,
    /// For each span of another group.
    beside: Vec<Option<Beside>>,
    others: Vec<Other>,
    addresses: Vec<Option<u16>>,
    /// AL status by SubDevice; 0 where nobody asked for it.
    states: Vec<u8>,
    anchor: Key,
    known: Vec<((u8, u32, usize), u16)>,
    /// Number of the first frame of the cycle that began last.
    first: Number,
    /// It is not whole yet.
    open: bool,
    covered: Vec<usize>,
    wrong: Vec<bool>,
    cause: Option<(u16, u16)>,
    outputs: Vec<u8>,
    inputs: Vec<u8>,
    under_way: u64,
    /// Errors that the master read, not taken yet; further ones are not told.
    pub reports: Vec<AlReport>,
    /// System time of the reference clock as it was read last (ns), 0 without one.
    pub dc_time_ns: u64,
    /// Frames with process data that never came back, or not before the next cycle.
    pub lost: u64,
    /// Such frames that came back after it had begun.
    pub late: u64,
    /// Datagrams with a wrong working counter.
    pub working_counter_errors: u64,
}

impl Collector {
    /// `states` are the AL states as far as they are known, by SubDevice of the configuration.
    pub fn new(layout: &Layout, image: &ProcessImage, apart: &Apart, states: Vec<u8>) -> Self {
        let beside = |limit: &Option<u32>| {
            limit.map(|limit| Beside {
                limit,
                age: u32::MAX,
                wrong: false,
            })
        };
        let other = |key: &Key| Other {
            key: *key,
            under_way: None,
        };
        Self {
            beside: apart.limits.iter().map(beside).collect(),
            others: apart.keys.iter().map(other).collect(),
            covered: vec![0; layout.spans.len()],
            spans: layout.spans.clone(),
            addresses: layout.addresses.clone(),
            wrong: vec![false; states.len()],
            states,
            anchor: apart.anchor,
            known: Vec::with_capacity(MAX_KNOWN),
            first: Number::MAX,
            open: false,
            cause: None,
            outputs: image.outputs.clone(),
            inputs: image.inputs.clone(),
            under_way: 0,
            reports: Vec::with_capacity(MAX_REPORTS),
            dc_time_ns: 0,
            lost: 0,
            late: 0,
            working_counter_errors: 0,
        }
    }

    /// Takes a frame that went out. Says whether it begins a cycle, and what the one before it came to if it was not
    /// told yet.
    pub fn outbound(&mut self, number: Number, frame: &[u8]) -> (bool, Option<Collected>) {
        let (mut ours, mut begins) = (false, false);
        for datagram in exchanges(frame, frame).filter(Exchange::is_logical) {
            let key = (datagram.command, datagram.logical());
            begins |= key == self.anchor;
            match self.others.iter_mut().find(|other| other.key == key) {
                Some(other) => {
                    self.lost += u64::from(other.under_way.replace(number).is_some());
                }
                None => ours = true,
            }
        }
        if !begins {
            self.under_way += u64::from(ours && self.open);
            return (false, None);
        }
        let unfinished = self.open.then_some(Collected::Lost);
        if unfinished.is_some() {
            self.lost += self.under_way;
        }
        (self.first, self.open) = (number, true);
        self.under_way = 1;
        for beside in self.beside.iter_mut().flatten() {
            beside.age = beside.age.saturating_add(1);
        }
        self.covered.fill(0);
        self.wrong.fill(false);
        self.cause = None;
        (true, unfinished)
    }

    /// Takes an answer. Says what the cycle came to, once it is whole.
    pub fn answer(&mut self, number: Number, sent: &[u8], answer: &[u8]) -> Option<Collected> {
        let mut logical = false;
        let current = self.open && number >= self.first;
        for exchange in exchanges(sent, answer) {
            if !is_logical(exchange.command) {
                self.look(&exchange);
            } else if let Some(youngest) = self.other(&exchange, number) {
                if youngest {
                    self.take(&exchange, true);
                }
            } else {
                logical = true;
                if current {
                    self.take(&exchange, false);
                }
            }
        }
        if !logical {
            return None;
        }
        if !current {
            if number < self.first && self.first != Number::MAX {
                self.late += 1;
                self.lost = self.lost.saturating_sub(1);
            }
            return None;
        }
        self.under_way = self.under_way.saturating_sub(1);
        let spans = self.spans.iter().zip(&self.covered).zip(&self.beside);
        let whole = spans
            .filter(|((span, _), beside)| span.image.is_some() && beside.is_none())
            .all(|((span, covered), _)| *covered >= span.length);
        if !whole {
            return None;
        }
        self.open = false;
        Some(match self.cause {
            None => Collected::Whole,
            Some((expected, actual)) => Collected::WorkingCounter { expected, actual },
        })
    }

    /// Cycle 0 is next: what was dropped on the way there does not count.
    pub fn begin(&mut self) {
        self.reports.clear();
        self.lost = 0;
        self.late = 0;
        self.working_counter_errors = 0;
    }

    /// Every SubDevice was in OP when it was last asked, if anybody asked.
    pub fn is_operational(&self) -> bool {
        self.states.iter().all(|state| usable(*state))
    }

    /// Fills the image with a cycle that is whole; after a fault only says what may not be used.
    pub fn fill(&self, collected: Collected, image: &mut ProcessImage) {
        let good = collected == Collected::Whole;
        if good {
            image.inputs.copy_from_slice(&self.inputs);
        }
        if collected == Collected::Lost {
            image.valid.fill(Err(Missing::NoFrame));
            return;
        }
        image.outputs.copy_from_slice(&self.outputs);
        for ((valid, state), wrong) in image.valid.iter_mut().zip(&self.states).zip(&self.wrong) {
            *valid = match (wrong, usable(*state)) {
                (true, _) => Err(Missing::WorkingCounter),
                (false, false) => Err(Missing::NotOperational),
                (false, true) => Ok(()),
            };
        }
        let groups = self.spans.iter().zip(&self.beside);
        for (subdevice, beside) in
            groups.filter_map(|(span, beside)| Some((span.image?.0, (*beside)?)))
        {
            let Some(valid) = image.valid.get_mut(subdevice).filter(|valid| valid.is_ok()) else {
                continue;
            };
            if beside.wrong {
                *valid = Err(Missing::WorkingCounter);
            } else if beside.age > beside.limit {
                *valid = Err(Missing::NoFrame);
            }
        }
    }

    /// Whether a datagram is of another group, and then whether it is the youngest answer; none for one of the cycle's.
    fn other(&mut self, exchange: &Exchange<'_>, number: Number) -> Option<bool> {
        let key = (exchange.command, exchange.logical());
        let other = self.others.iter_mut().find(|other| other.key == key)?;
        let youngest = other.under_way == Some(number);
        if youngest {
            other.under_way = None;
        } else {
            self.late += 1;
            self.lost = self.lost.saturating_sub(1);
        }
        Some(youngest)
    }

    /// Takes an answer of the cycle, or of a group that stands beside it.
    fn take(&mut self, exchange: &Exchange<'_>, is_beside: bool) {
        let (logical, length) = (exchange.logical(), exchange.back.len());
        let expected = self.expected(exchange.command, logical, length);
        let right = exchange.counter == expected;
        if !right {
            self.working_counter_errors += 1;
            if !is_beside {
                self.cause = self.cause.or(Some((expected, exchange.counter)));
            }
        }
        let (read, write) = weights(exchange.command);
        let spans = self.spans.iter().zip(&mut self.covered);
        for ((span, covered), beside) in spans.zip(&mut self.beside) {
            if beside.is_some() != is_beside {
                continue;
            }
            let (Some((subdevice, offset)), Some((from, at, bytes))) =
                (span.image, span.overlap(logical, length))
            else {
                continue;
            };
            let (data, image, meant) = match span.direction {
                Direction::Input => (exchange.back, &mut self.inputs, read),
                Direction::Output => (exchange.sent, &mut self.outputs, write),
            };
            if meant == 0 {
                continue;
            }
            if let Some(beside) = beside {
                beside.wrong = !right;
                if !right {
                    continue;
                }
                beside.age = 0;
            }
            if let (Some(to), Some(from)) = (
                image.get_mut(offset + at..offset + at + bytes),
                data.get(from..from + bytes),
            ) {
                to.copy_from_slice(from);
            }
            *covered += bytes;
            if let (false, Some(wrong)) = (right, self.wrong.get_mut(subdevice)) {
                *wrong = true;
            }
        }
    }

    fn expected(&mut self, command: u8, logical: u32, length: usize) -> u16 {
        let key = (command, logical, length);
        if let Some((_, expected)) = self.known.iter().find(|(known, _)| *known == key) {
            return *expected;
        }
        let (read, write) = weights(command);
        let (mut total, mut owner, mut counted) = (0_u16, None, [false; 2]);
        for span in &self.spans {
            if owner != Some(span.owner) {
                (owner, counted) = (Some(span.owner), [false; 2]);
            }
            let (way, weight) = match span.direction {
                Direction::Input => (0, read),
                Direction::Output => (1, write),
            };
            let touched = span.overlap(logical, length).is_some();
            if touched && !core::mem::replace(&mut counted[way], true) {
                total = total.wrapping_add(weight);
            }
        }
        if self.known.len() < MAX_KNOWN {
            self.known.push((key, total));
        }
        total
    }

    /// States and clock pass beside the process data.
    fn look(&mut self, exchange: &Exchange<'_>) {
        if !exchange.read() {
            return;
        }
        if let Some(time) = exchange.part(exchange.back, SYSTEM_TIME, 8)
            && let (c::FRMW | c::ARMW, Ok(time)) = (exchange.command, time.try_into())
        {
            self.dc_time_ns = u64::from_le_bytes(time);
        }
        let Some(&[status, _]) = exchange.part(exchange.back, AL_STATUS, 2) else {
            return;
        };
        if exchange.command == c::BRD {
            match status {
                1 | 2 | 4 | OP => self.states.fill(status),
                _ => self.states.fill(MIXED),
            }
        }
        let mut places = self.addresses.iter();
        if let Some(address) = exchange.address()
            && let Some(place) = places.position(|known| *known == Some(address))
            && let Some(state) = self.states.get_mut(place)
        {
            let before = core::mem::replace(state, status);
            if status & AL_ERROR != 0 && before != status && self.reports.len() < MAX_REPORTS {
                let code = exchange.part(exchange.back, AL_CODE, 2);
                self.reports.push(AlReport {
                    subdevice: place,
                    status,
                    code: code.map_or(0, |code| u16::from_le_bytes([code[0], code[1]])),
                });
            }
        }
    }
}

/// Inputs count only from a SubDevice in OP. One whose state nobody asks for is believed, since its working counter is right.
fn usable(state: u8) -> bool {
    matches!(state, 0 | OP)
}
