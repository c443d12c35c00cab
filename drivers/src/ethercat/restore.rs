//! Brings a SubDevice back that has forgotten its configuration: after a loss of power, or a reset.
//!
//! What made it work is remembered as it stood in OP: the registers of its mailboxes, SyncManagers, FMMUs and SYNC0, and
//! the objects that were set by SDO. It is written again, one access at a time, in the order in which a start-up writes it,
//! while the cycle goes on; the other SubDevices never notice. A SubDevice is told by its place in the line, and only taken
//! back when its identity in the SII is that of before.
//!
//! Its clock has started afresh. Its own and one that is right are read by one frame: the difference, less what the frame
//! needs from one to the other (0x0928), is the new offset, and the control loop of the SubDevice does the rest.

use super::frame::{self, command, working_counter};
use super::port::Port;
use super::registers::{ACKNOWLEDGE, address};
use crate::link::{Link, MAX_FRAME};

/// Pause after a look that found nobody (ns).
const ABSENT_NS: u64 = 20_000_000;
/// Longest a state may take before it all begins anew (ns).
const STATE_NS: u64 = 2_000_000_000;
/// SYNC0 begins this many periods after it is configured.
const LEAD_PERIODS: u64 = 20;
/// Bytes of the largest block of registers that is remembered.
const BLOCK: usize = 128;
/// Registers that are remembered and written again, and when: with the mailboxes in INIT, with process data in PRE-OP.
const SYNC_MANAGERS: u16 = 0x0800;
const FMMUS: u16 = 0x0600;
const MAILBOX_BYTES: usize = 16;
const SYNC_MANAGER_BYTES: usize = 64;
const FMMU_BYTES: usize = 128;
const STATION_ADDRESS: u16 = 0x0010;
const AL_CONTROL: u16 = 0x0120;
const AL_STATUS: u16 = 0x0130;
const SII_CONTROL: u16 = 0x0502;
const SII_DATA: u16 = 0x0508;
const SYSTEM_TIME: u16 = 0x0910;
const OFFSET: u16 = 0x0920;
const DELAY: u16 = 0x0928;
const ACTIVATION: u16 = 0x0980;
const START: u16 = 0x0990;
const SYNC_CYCLES: u16 = 0x09a0;
/// SII word of the vendor id; product code and revision follow.
const SII_IDENTITY: u16 = 0x0008;

/// An object that is set by SDO in PRE-OP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Startup {
    /// Index.
    pub index: u16,
    /// Subindex.
    pub subindex: u8,
    /// Value, little-endian.
    pub value: [u8; 4],
    /// Its length (bytes, 1 to 4).
    pub length: u8,
}

/// What is remembered of one SubDevice.
#[derive(Clone, Debug)]
pub struct Saved {
    /// Vendor id and product code.
    pub identity: [u8; 8],
    fmmus: [u8; FMMU_BYTES],
    sync_managers: [u8; SYNC_MANAGER_BYTES],
    delay: [u8; 4],
    activation: [u8; 2],
    start_ns: u64,
    cycles: [u8; 8],
    /// Objects set in PRE-OP.
    pub startup: Vec<Startup>,
}

impl Saved {
    /// Nothing read yet.
    pub fn of(identity: (u32, u32), startup: Vec<Startup>) -> Self {
        let mut bytes = [0; 8];
        let (vendor, product) = bytes.split_at_mut(4);
        vendor.copy_from_slice(&identity.0.to_le_bytes());
        product.copy_from_slice(&identity.1.to_le_bytes());
        Self {
            identity: bytes,
            fmmus: [0; FMMU_BYTES],
            sync_managers: [0; SYNC_MANAGER_BYTES],
            delay: [0; 4],
            activation: [0; 2],
            start_ns: 0,
            cycles: [0; 8],
            startup,
        }
    }

    /// Whether it takes part in SYNC0.
    fn has_clock(&self) -> bool {
        self.activation[1] & 1 != 0
    }

    /// What a frame needs to it from the reference clock (ns).
    fn delay_ns(&self) -> u64 {
        u64::from(u32::from_le_bytes(self.delay))
    }

    /// Reads the registers of SubDevice `n`, which is in OP. Returns whether all answered.
    pub fn read<L: Link>(&mut self, line: &mut Line, port: &mut Port<L>, n: usize) -> bool {
        let mut start = [0; 8];
        let station = address(n);
        let mut read = |register: u16, into: &mut [u8]| {
            let answer = line.access(port, command::FPRD, station, register, into.len(), &[]);
            answer.is_some_and(|bytes| {
                into.copy_from_slice(bytes);
                true
            })
        };
        let (low, high) = self.fmmus.split_at_mut(FMMU_BYTES / 2);
        // A small controller has fewer of each: what it lacks does not answer, and stays zero.
        let _ = read(FMMUS + 64, high);
        let all = read(FMMUS, low)
            && read(SYNC_MANAGERS, &mut self.sync_managers[..32])
            && read(DELAY, &mut self.delay)
            && read(ACTIVATION, &mut self.activation)
            && read(START, &mut start)
            && read(SYNC_CYCLES, &mut self.cycles);
        let _ = read(SYNC_MANAGERS + 32, &mut self.sync_managers[32..]);
        self.start_ns = u64::from_le_bytes(start);
        // What a SyncManager does at the moment is not to be written again.
        for sm in self.sync_managers.chunks_mut(8) {
            sm[5] = 0;
            sm[6] &= 1;
            sm[7] = 0;
        }
        all
    }
}

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

/// One datagram at a time, in a frame that is built in place.
#[derive(Debug, Default)]
pub struct Line {
    frame: Vec<u8>,
    answer: Vec<u8>,
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

    fn begin(&mut self) {
        frame::begin(&mut self.frame);
    }

    fn push(
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

    fn exchange<L: Link>(&mut self, port: &mut Port<L>) -> Option<()> {
        let sent = port.send(&self.frame);
        let answer = super::registers::wait(port, sent, self.deadline_ns)?;
        self.answer.clear();
        self.answer.extend_from_slice(answer);
        Some(())
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
}

impl Restorer {
    /// Nothing to do yet.
    pub fn new() -> Self {
        Self {
            line: Line::new(),
            now: None,
            after: Step::Done,
            not_before_ns: 0,
            until_ns: 0,
            next: 0,
            counter: 1,
            restored: 0,
        }
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
                self.restored += u64::from(step == Step::Await(8));
                None
            }
            Some(next) => Some((n, next)),
            // Nobody there, somebody else, or an access that was lost: again after a while, others first.
            None => {
                self.not_before_ns = now_ns.saturating_add(if matches!(step, Step::Look) {
                    ABSENT_NS / saved.len().max(1) as u64
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
                (found == [0, 0]).then_some(Step::AskIdentity)
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
                match status.first()? {
                    status if *status == state => Some(self.after),
                    // A refusal: it is reported by who looks at the states, and tried anew.
                    status if status & 0x10 != 0 => None,
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
