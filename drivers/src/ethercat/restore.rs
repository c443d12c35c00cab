//! Brings a SubDevice back that has forgotten its configuration: after a loss of power, or a reset.
//!
//! What made it work is remembered as it stood in OP: the registers of its mailboxes, SyncManagers, FMMUs and SYNC0, and
//! the objects that were set by SDO. It is written again, one access at a time, in the order in which a start-up writes it,
//! while the cycle goes on; the other SubDevices never notice. A SubDevice is told by its place in the line, and only taken
//! back when its identity in the SII is that of before.
//!
//! Its clock has started afresh. Its own and one that is right are read by one frame: the difference, less what the frame
//! needs from one to the other (0x0928), is the new offset, and the control loop of the SubDevice does the rest.

use super::frame::{command, working_counter};
use super::line::Line;
use super::port::Port;
use super::registers::{ACKNOWLEDGE, address};
use super::saved::{
    ACTIVATION, DELAY, FMMUS, START, SYNC_CYCLES, SYNC_MANAGER_BYTES, SYNC_MANAGERS, Saved, Startup,
};
use crate::link::Link;
use twinstep_models::cause::Cause;

/// Pause after a look that found nobody (ns).
const ABSENT_NS: u64 = 20_000_000;
/// Refusals in a row until a SubDevice is reported as one that does not come back, and the pause between two attempts from
/// then on (ns).
const REFUSALS: u8 = 3;
const HOPELESS_NS: u64 = 1_000_000_000;
/// Status bit of the SII interface, in its high byte: the checksum of the configuration area is wrong.
const SII_CHECKSUM: u8 = 0x08;
/// Longest a state may take before it all begins anew (ns).
const STATE_NS: u64 = 2_000_000_000;
/// SYNC0 begins this many periods after it is configured.
const LEAD_PERIODS: u64 = 20;
/// Most bytes of a mailbox that are written.
const BLOCK: usize = 128;
/// The two SyncManagers of the mailboxes, which are written in INIT; the others follow in PRE-OP.
const MAILBOX_BYTES: usize = 16;
const STATION_ADDRESS: u16 = 0x0010;
const AL_CONTROL: u16 = 0x0120;
const AL_STATUS: u16 = 0x0130;
const SII_CONTROL: u16 = 0x0502;
const SII_DATA: u16 = 0x0508;
const SYSTEM_TIME: u16 = 0x0910;
const OFFSET: u16 = 0x0920;
/// SII word of the vendor id; product code and revision follow.
const SII_IDENTITY: u16 = 0x0008;

/// The clocks of the segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Clocks {
    /// SubDevice whose clock is the system time.
    pub reference: Option<usize>,
    /// Period of SYNC0 (ns).
    pub period_ns: u64,
}

impl Clocks {
    /// A SubDevice whose system time is right while that of `n` is not, and its delay (ns): the reference clock; and for that
    /// itself the next one, which has run on by itself meanwhile.
    fn witness(&self, saved: &[Saved], n: usize) -> Option<(usize, u64)> {
        let other = match self.reference? {
            reference if reference != n => reference,
            _ => (0..saved.len())
                .find(|at| *at != n && saved.get(*at).is_some_and(Saved::has_clock))?,
        };
        Some((other, saved.get(other)?.delay_ns()))
    }
}

/// What is done next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Look,
    AskIdentity,
    CheckIdentity,
    Address,
    Init,
    Mailboxes,
    PreOp,
    Startup(usize),
    StartupAnswer(usize),
    Fmmus(usize),
    SyncManagers,
    ClearOffset,
    Clocks,
    Offset(u64),
    Delay,
    Start,
    Cycles,
    Activate,
    SafeOp,
    Op,
    /// Until AL status is this.
    Await(u8),
    Done,
}

/// Brings back one SubDevice at a time.
#[derive(Debug)]
pub struct Restorer {
    line: Line,
    /// SubDevice under way, and the step.
    now: Option<(usize, Step)>,
    /// What follows after a state was reached.
    after: Step,
    /// Not before this (ns).
    not_before_ns: u64,
    /// The state must be reached by then (ns).
    until_ns: u64,
    next: usize,
    counter: u8,
    /// SubDevices brought back since the start.
    pub restored: u64,
    /// A SubDevice that answers again and has forgotten everything, once.
    blank: Option<usize>,
    /// Why a SubDevice could not be brought back, once.
    refused: Option<(usize, Cause, u16)>,
    /// Refusals of each SubDevice in a row.
    refusals: Vec<u8>,
}

impl Restorer {
    /// Nothing to do yet, for so many SubDevices.
    pub fn new(subdevices: usize) -> Self {
        Self {
            line: Line::new(),
            now: None,
            after: Step::Done,
            not_before_ns: 0,
            until_ns: 0,
            next: 0,
            counter: 1,
            restored: 0,
            blank: None,
            refused: None,
            refusals: vec![0; subdevices],
        }
    }

    /// A SubDevice that has forgotten everything, once.
    pub fn take_blank(&mut self) -> Option<usize> {
        self.blank.take()
    }

    /// A SubDevice that refuses to come back for the third time, and why, once each time.
    pub fn take_refused(&mut self) -> Option<(usize, Cause, u16)> {
        let refused = self.refused.take()?;
        let refusals = self.refusals.get_mut(refused.0)?;
        *refusals = refusals.saturating_add(1);
        (*refusals >= REFUSALS).then_some(refused)
    }

    /// Whether SubDevice `n` is being brought back.
    pub fn is_at(&self, n: usize) -> bool {
        self.now.is_some_and(|(at, _)| at == n)
    }

    /// Does one access for a SubDevice in need, if there is one, until `deadline_ns`. `lost(n)` says whether SubDevice n does
    /// not answer or is below SAFE-OP.
    pub fn step<L: Link>(
        &mut self,
        port: &mut Port<L>,
        saved: &[Saved],
        clocks: &Clocks,
        deadline_ns: u64,
        lost: impl Fn(usize) -> bool,
    ) {
        self.line.deadline_ns = deadline_ns;
        let now_ns = port.clock().now_ns();
        if now_ns < self.not_before_ns {
            return;
        }
        if self.now.is_none() {
            let found = (0..saved.len())
                .map(|turn| (self.next + turn) % saved.len())
                .find(|n| lost(*n));
            let Some(n) = found else { return };
            self.next = n + 1;
            self.now = Some((n, Step::Look));
        }
        let Some((n, step)) = self.now else { return };
        let Some(known) = saved.get(n) else {
            self.now = None;
            return;
        };
        let witness = clocks.witness(saved, n);
        let next = self.take(port, n, step, known, witness, clocks.period_ns);
        self.now = match next {
            Some(Step::Done) => {
                if let (Step::Await(8), Some(refusals)) = (step, self.refusals.get_mut(n)) {
                    self.restored += 1;
                    *refusals = 0;
                }
                None
            }
            Some(next) => Some((n, next)),
            // Nobody there, somebody else, or an access that was lost: again after a while, others first.
            None => {
                let hopeless = self.refusals.get(n).is_some_and(|r| *r >= REFUSALS);
                self.not_before_ns = now_ns.saturating_add(if matches!(step, Step::Look) {
                    ABSENT_NS / saved.len().max(1) as u64
                } else if hopeless {
                    HOPELESS_NS / saved.len().max(1) as u64
                } else {
                    ABSENT_NS
                });
                None
            }
        };
    }

    /// One step. None: it failed.
    fn take<L: Link>(
        &mut self,
        port: &mut Port<L>,
        n: usize,
        step: Step,
        known: &Saved,
        witness: Option<(usize, u64)>,
        period_ns: u64,
    ) -> Option<Step> {
        let place = 0_u16.wrapping_sub(n as u16);
        let station = address(n);
        let now_ns = port.clock().now_ns();
        let line = &mut self.line;
        // Writes to the station address, and goes on.
        let mut write = |register: u16, data: &[u8]| {
            line.access(port, command::FPWR, station, register, data.len(), data)
                .map(|_| ())
        };
        match step {
            Step::Look => {
                let found = line.access(port, command::APRD, place, STATION_ADDRESS, 2, &[])?;
                // Who still has an address is configured, or was given to somebody: its state says more.
                if found == station.to_le_bytes() {
                    let status = line.access(port, command::FPRD, station, AL_STATUS, 2, &[])?;
                    let below = matches!(status.first().map(|s| s & 0x0f), Some(1..=3));
                    return Some(if below { Step::AskIdentity } else { Step::Done });
                }
                (found == [0, 0]).then(|| {
                    self.blank = Some(n);
                    Step::AskIdentity
                })
            }
            Step::AskIdentity => {
                let [low, high] = SII_IDENTITY.to_le_bytes();
                let ask = [0, 1, low, high, 0, 0];
                line.access(port, command::APWR, place, SII_CONTROL, 6, &ask)?;
                Some(Step::CheckIdentity)
            }
            Step::CheckIdentity => {
                let found = line.access(port, command::APRD, place, SII_CONTROL, 14, &[])?;
                if found.get(1)? & 0x80 != 0 {
                    return Some(Step::CheckIdentity);
                }
                if found.get(1)? & SII_CHECKSUM != 0 {
                    self.refused = Some((n, Cause::EepromUnreadable, 0));
                    return None;
                }
                // Four bytes at a time tell the vendor alone.
                let wide = found.first()? & 0x40 != 0;
                let length = if wide { 8 } else { 4 };
                let at = usize::from(SII_DATA - SII_CONTROL);
                (found.get(at..at + length)? == known.identity.get(..length)?)
                    .then_some(Step::Address)
            }
            Step::Address => {
                let data = station.to_le_bytes();
                line.access(port, command::APWR, place, STATION_ADDRESS, 2, &data)?;
                Some(Step::Init)
            }
            Step::Init => self.request(port, station, 1 | ACKNOWLEDGE, Step::Mailboxes),
            Step::Mailboxes => {
                write(SYNC_MANAGERS, known.sync_managers.get(..MAILBOX_BYTES)?)?;
                Some(Step::PreOp)
            }
            Step::PreOp => self.request(port, station, 2, Step::Startup(0)),
            Step::Startup(at) => {
                let Some(object) = known.startup.get(at) else {
                    return Some(Step::Fmmus(0));
                };
                let (start, length) = mailbox(known, 0)?;
                let mut message = [0; BLOCK];
                download(object, self.counter, &mut message);
                self.counter = self.counter % 7 + 1;
                let room = message.get(..length.min(BLOCK))?;
                // The last byte completes the mailbox, so all of it is written.
                self.line
                    .access(port, command::FPWR, station, start, length, room)?;
                self.until_ns = now_ns.saturating_add(STATE_NS);
                Some(Step::StartupAnswer(at))
            }
            Step::StartupAnswer(at) => {
                let status =
                    line.access(port, command::FPRD, station, SYNC_MANAGERS + 8 + 5, 1, &[])?;
                if status.first()? & 0x08 == 0 {
                    return (now_ns < self.until_ns).then_some(step);
                }
                let (start, length) = mailbox(known, 1)?;
                // What an object says to its old value is no reason to leave the SubDevice behind.
                line.access(port, command::FPRD, station, start, length, &[])?;
                Some(Step::Startup(at + 1))
            }
            Step::Fmmus(at) => {
                let Some(block) = known.fmmus.get(at..at + 16) else {
                    return Some(Step::SyncManagers);
                };
                if block.iter().any(|byte| *byte != 0) {
                    // FMMU n of 16 bytes each: at most 8 are remembered.
                    write(FMMUS + at as u16, block)?;
                }
                Some(Step::Fmmus(at + 16))
            }
            Step::SyncManagers => {
                let used = known
                    .sync_managers
                    .rchunks(8)
                    .position(|sm| sm.iter().any(|b| *b != 0));
                let end = SYNC_MANAGER_BYTES - 8 * used.unwrap_or(SYNC_MANAGER_BYTES / 8);
                let rest = known
                    .sync_managers
                    .get(MAILBOX_BYTES..end)
                    .unwrap_or_default();
                if !rest.is_empty() {
                    write(SYNC_MANAGERS + MAILBOX_BYTES as u16, rest)?;
                }
                Some(if known.has_clock() {
                    Step::ClearOffset
                } else {
                    Step::SafeOp
                })
            }
            Step::ClearOffset => {
                write(ACTIVATION, &[0, 0])?;
                write(OFFSET, &[0; 8])?;
                Some(if witness.is_some() {
                    Step::Clocks
                } else {
                    Step::Start
                })
            }
            Step::Clocks => {
                let (other, other_delay_ns) = witness?;
                line.begin();
                let of_other = line.push(command::FPRD, address(other), SYSTEM_TIME, 8, &[]);
                let own = line.push(command::FPRD, station, SYSTEM_TIME, 8, &[]);
                line.exchange(port)?;
                let time = |at: usize| -> Option<u64> {
                    let bytes = line.answer.get(at..at + 8)?.try_into().ok()?;
                    (working_counter(&line.answer, at, 8) == 1).then(|| u64::from_le_bytes(bytes))
                };
                let later_ns = known.delay_ns().wrapping_sub(other_delay_ns);
                let offset = time(of_other)?
                    .wrapping_add(later_ns)
                    .wrapping_sub(time(own)?);
                Some(Step::Offset(offset))
            }
            Step::Offset(offset) => {
                write(OFFSET, &offset.to_le_bytes())?;
                Some(Step::Delay)
            }
            Step::Delay => {
                write(DELAY, &known.delay)?;
                Some(Step::Start)
            }
            Step::Start => {
                if !known.has_clock() {
                    return Some(Step::SafeOp);
                }
                let time = line.access(port, command::FPRD, station, SYSTEM_TIME, 8, &[])?;
                let time = u64::from_le_bytes(time.try_into().ok()?);
                // In step with the pulses of before: a whole number of periods after them.
                let period = period_ns.max(1);
                let soon = time.wrapping_add(LEAD_PERIODS * period);
                let start = soon.wrapping_sub(soon.wrapping_sub(known.start_ns) % period);
                line.access(port, command::FPWR, station, START, 8, &start.to_le_bytes())?;
                Some(Step::Cycles)
            }
            Step::Cycles => {
                write(SYNC_CYCLES, &known.cycles)?;
                Some(Step::Activate)
            }
            Step::Activate => {
                write(ACTIVATION, &known.activation)?;
                Some(Step::SafeOp)
            }
            Step::SafeOp => self.request(port, station, 4, Step::Op),
            Step::Op => self.request(port, station, 8, Step::Done),
            Step::Await(state) => {
                let status = line.access(port, command::FPRD, station, AL_STATUS, 6, &[])?;
                let status_code = status.get(4..6)?;
                match status.first()? {
                    status if *status == state => Some(self.after),
                    // A refusal: it is reported by who looks at the states, and tried anew.
                    status if status & 0x10 != 0 => {
                        let code =
                            u16::from_le_bytes([*status_code.first()?, *status_code.get(1)?]);
                        self.refused = Some((n, Cause::Refused, code));
                        None
                    }
                    _ => (now_ns < self.until_ns).then_some(step),
                }
            }
            Step::Done => Some(Step::Done),
        }
    }

    fn request<L: Link>(
        &mut self,
        port: &mut Port<L>,
        station: u16,
        state: u8,
        after: Step,
    ) -> Option<Step> {
        self.line
            .access(port, command::FPWR, station, AL_CONTROL, 2, &[state, 0])?;
        self.after = after;
        self.until_ns = port.clock().now_ns().saturating_add(STATE_NS);
        Some(Step::Await(state & 0x0f))
    }
}

/// Start and length of mailbox `n`, as its SyncManager says.
fn mailbox(known: &Saved, n: usize) -> Option<(u16, usize)> {
    let sm = known.sync_managers.get(8 * n..8 * n + 4)?;
    let length = usize::from(u16::from_le_bytes([sm[2], sm[3]]));
    (length >= 16).then(|| (u16::from_le_bytes([sm[0], sm[1]]), length))
}

/// An expedited SDO download (ETG.1000.6, 5.6.2).
fn download(object: &Startup, counter: u8, message: &mut [u8; BLOCK]) {
    let [low, high] = object.index.to_le_bytes();
    let unused = 4 - object.length.clamp(1, 4);
    let [a, b, c, d] = object.value;
    let bytes = [
        10,
        0,
        0,
        0,
        0,
        0x03 | counter << 4,
        0x00,
        0x20,
        0x23 | unused << 2,
        low,
        high,
        object.subindex,
        a,
        b,
        c,
        d,
    ];
    message.fill(0);
    for (to, from) in message.iter_mut().zip(bytes) {
        *to = from;
    }
}
