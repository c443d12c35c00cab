//! Finds out what a wrong cycle was about, one access at a time and outside of the cycle: who did not process its datagram,
//! where frames were damaged, whose clock is off, who has an emergency to tell.

use super::frame::{DATAGRAM_OVERHEAD, command, working_counter};
use super::line::Line;
use super::plan::{Direction, Piece, Plan};
use super::port::Port;
use super::registers::address;
use super::report::{News, Reports};
use super::saved::{SYNC_MANAGERS, Saved};
use crate::bus::BusCounters;
use crate::link::Link;
use twinstep_models::cause::Cause;

/// Error counters: 0x0300 to 0x0313.
const ERRORS: u16 = 0x0300;
const ERROR_BYTES: usize = 20;
/// Status of SyncManager 1, and its bit for a mailbox that holds a message.
const MAILBOX_STATUS: u16 = SYNC_MANAGERS + 13;
const MAILBOX_FULL: u8 = 0x08;
/// Difference of system times.
const DIFFERENCE: u16 = 0x092c;
/// A clock that is off by more than this is reported (ns), and is right again below the second.
const OFF_NS: i64 = 5_000;
const RIGHT_NS: i64 = 1_000;
/// A clock may take this long to come near the reference for the first time (ns): far down a line it is not judged sooner.
const LOCK_NS: u64 = 2_000_000_000;
/// Time between two looks at mailboxes and clocks (ns).
const WATCH_NS: u64 = 20_000_000;
/// SubDevices whose mailboxes and clocks are looked at in one frame: 29 bytes each.
const PER_FRAME: usize = 50;
/// Bytes of datagrams in one frame of ours.
const ROOM: usize = 1_400;
/// A finding about frames is over when nothing came for this long (ns).
const CALM_NS: u64 = 100_000_000;
/// Largest mailbox that is read (bytes).
const MAILBOX: usize = 1024;
/// CoE in a mailbox header, and the emergency service in a CoE header.
const COE: u8 = 3;
const EMERGENCY: u8 = 1;

/// Frames of a kind that should not come.
#[derive(Clone, Copy, Debug)]
struct Burst {
    cause: Cause,
    seen: u64,
    last_ns: Option<u64>,
    count: u64,
}

impl Burst {
    const fn of(cause: Cause) -> Self {
        Self {
            cause,
            seen: 0,
            last_ns: None,
            count: 0,
        }
    }

    fn look(&mut self, total: u64, now_ns: u64, reports: &mut Reports) {
        let new = total.saturating_sub(self.seen);
        self.seen = total;
        if new > 0 {
            self.count += new;
            if self.last_ns.replace(now_ns).is_none() {
                reports.push(News::Raised, None, self.cause, self.count as f64);
            }
        } else if self.last_ns.is_some_and(|last| now_ns - last >= CALM_NS) {
            self.last_ns = None;
            let count = core::mem::take(&mut self.count);
            reports.push(News::Cleared, None, self.cause, count as f64);
        }
    }
}

/// What is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Search {
    /// Nothing.
    None,
    /// Who does not process its datagram: the next piece.
    Culprit(usize),
    /// Where frames are damaged: the next SubDevice.
    Errors(usize),
    /// The mailbox of a SubDevice.
    Mailbox(usize),
}

/// See the module.
#[derive(Debug)]
pub struct Diagnosis {
    line: Line,
    search: Search,
    bursts: [Burst; 3],
    lost: u64,
    /// Frames were lost since the error counters were read.
    look_for_errors: bool,
    counted: Vec<[u8; ERROR_BYTES]>,
    /// SubDevice that did not process its datagrams, and when last (ns).
    culprit: Option<(usize, u64)>,
    /// SubDevice behind whose front port frames were damaged, and when last (ns).
    damaged: Option<(usize, u64)>,
    /// SubDevice whose clock is off.
    clock: Option<usize>,
    /// Clocks that were right once, or had their time for it: the others are not judged.
    settled: Vec<bool>,
    /// End of that time (ns); none before the first look.
    lock_until_ns: Option<u64>,
    next_watch_ns: u64,
    /// SubDevice that is watched next.
    next: usize,
    /// What the frame under way asks: SubDevice, offset of the data, its length.
    watched: Vec<(usize, usize, usize)>,
}

impl Diagnosis {
    /// Nothing known yet.
    pub fn new(subdevices: usize) -> Self {
        Self {
            line: Line::new(),
            search: Search::None,
            bursts: [
                Burst::of(Cause::FramesLate),
                Burst::of(Cause::FramesDuplicated),
                Burst::of(Cause::FramesForeign),
            ],
            lost: 0,
            look_for_errors: false,
            counted: vec![[0; ERROR_BYTES]; subdevices],
            culprit: None,
            damaged: None,
            clock: None,
            settled: vec![false; subdevices],
            lock_until_ns: None,
            next_watch_ns: 0,
            next: 0,
            watched: Vec::with_capacity(2 * PER_FRAME),
        }
    }

    /// Remembers what the error counters of SubDevice `n` stand at. Returns whether it answered.
    pub fn read_counters<L: Link>(
        &mut self,
        port: &mut Port<L>,
        n: usize,
        deadline_ns: u64,
    ) -> bool {
        self.line.deadline_ns = deadline_ns;
        let bytes = self
            .line
            .access(port, command::FPRD, address(n), ERRORS, ERROR_BYTES, &[]);
        match (bytes, self.counted.get_mut(n)) {
            (Some(bytes), Some(counted)) => {
                counted.copy_from_slice(bytes);
                true
            }
            _ => false,
        }
    }

    /// What was dropped during bring-up is no finding.
    pub fn begin(&mut self, counters: BusCounters) {
        self.lost = counters.lost;
        for (burst, total) in self.bursts.iter_mut().zip(kinds(counters)) {
            burst.seen = total;
        }
    }

    /// A cycle had a wrong working counter, though all SubDevices are in OP.
    pub fn doubt(&mut self) {
        if !matches!(self.search, Search::Culprit(_)) {
            self.search = Search::Culprit(0);
        }
    }

    /// Lost links of the port behind SubDevice `n`, since they were read last: for the report of a broken line.
    pub fn lost_links<L: Link>(
        &mut self,
        port: &mut Port<L>,
        n: usize,
        deadline_ns: u64,
    ) -> Option<u8> {
        let before = *self.counted.get(n)?;
        self.read_counters(port, n, deadline_ns).then_some(())?;
        let now = self.counted.get(n)?;
        (now.get(16..)?.iter().zip(before.get(16..)?))
            .map(|(now, before)| now.wrapping_sub(*before))
            .max()
            .filter(|links| *links > 0)
    }

    /// At most one access, until `deadline_ns`. `well`: all SubDevices are in OP.
    #[expect(
        clippy::too_many_arguments,
        reason = "everything that is known of the bus"
    )]
    pub fn step<L: Link>(
        &mut self,
        port: &mut Port<L>,
        saved: &[Saved],
        plan: &Plan,
        reference: Option<usize>,
        well: bool,
        reports: &mut Reports,
        deadline_ns: u64,
    ) {
        let now_ns = port.clock().now_ns();
        let counters = port.counters();
        for (burst, total) in self.bursts.iter_mut().zip(kinds(counters)) {
            burst.look(total, now_ns, reports);
        }
        self.look_for_errors |= counters.lost > self.lost;
        self.lost = counters.lost;
        self.calm(now_ns, reports);
        if !well {
            return;
        }
        self.line.deadline_ns = deadline_ns;
        self.search = match self.search {
            Search::Culprit(at) => self.find_culprit(port, plan, at, now_ns, reports),
            Search::Errors(at) => self.find_errors(port, at, now_ns, reports),
            Search::Mailbox(n) => self.read_mailbox(port, saved, n, reports),
            Search::None if self.look_for_errors => {
                self.look_for_errors = false;
                Search::Errors(0)
            }
            Search::None if now_ns >= self.next_watch_ns && !saved.is_empty() => {
                self.next_watch_ns = now_ns.saturating_add(WATCH_NS);
                self.watch(port, saved, reference, now_ns, reports)
            }
            Search::None => Search::None,
        };
    }

    /// What has not come again for a while is over.
    fn calm(&mut self, now_ns: u64, reports: &mut Reports) {
        for (slot, cause) in [
            (&mut self.culprit, Cause::WorkingCounter),
            (&mut self.damaged, Cause::FramesDamaged),
        ] {
            if let Some((n, last_ns)) = *slot
                && now_ns.saturating_sub(last_ns) >= CALM_NS
            {
                *slot = None;
                reports.push(News::Cleared, Some(n), cause, 0.0);
            }
        }
    }

    /// Reads the inputs of many SubDevices, a datagram each: who does not count is found. Whole pieces, so that no buffer stays
    /// open. One without inputs is sent the outputs of this cycle once more.
    fn find_culprit<L: Link>(
        &mut self,
        port: &mut Port<L>,
        plan: &Plan,
        from: usize,
        now_ns: u64,
        reports: &mut Reports,
    ) -> Search {
        self.watched.clear();
        self.line.begin();
        let (mut used, mut next) = (0, from);
        let pieces = &plan.pieces;
        let has_inputs = |n: usize| {
            let inputs =
                |(p, _): &(Piece, usize)| p.subdevice == n && p.direction == Direction::Input;
            pieces.iter().any(inputs)
        };
        for (number, (piece, _)) in pieces.iter().enumerate().skip(from) {
            used += piece.length + DATAGRAM_OVERHEAD;
            if used > ROOM || self.watched.len() == self.watched.capacity() {
                break;
            }
            next += 1;
            let (how, outputs) = match piece.direction {
                Direction::Input => (command::LRD, &[][..]),
                Direction::Output if has_inputs(piece.subdevice) => continue,
                Direction::Output => (command::LWR, plan.outputs_of(number)),
            };
            let (low, high) = (piece.logical as u16, (piece.logical >> 16) as u16);
            let data = (self.line).push(how, low, high, piece.length, outputs);
            self.watched.push((piece.subdevice, data, piece.length));
        }
        if next == from {
            return Search::None;
        }
        if self.watched.is_empty() {
            return Search::Culprit(next);
        }
        if self.line.exchange(port).is_none() {
            return Search::Culprit(from);
        }
        let answer = &self.line.answer;
        let silent = |(_, data, length): &&(usize, usize, usize)| {
            working_counter(answer, *data, *length) == 0
        };
        let Some(&(n, ..)) = self.watched.iter().find(silent) else {
            return Search::Culprit(next);
        };
        if self.culprit.is_none_or(|(known, _)| known != n) {
            reports.push(News::Raised, Some(n), Cause::WorkingCounter, 0.0);
        }
        self.culprit = Some((n, now_ns));
        Search::None
    }

    /// Compares the error counters of one SubDevice: the first that counted invalid frames is behind the place where they
    /// were damaged; those behind it only passed them on.
    fn find_errors<L: Link>(
        &mut self,
        port: &mut Port<L>,
        n: usize,
        now_ns: u64,
        reports: &mut Reports,
    ) -> Search {
        let Some(&before) = self.counted.get(n) else {
            return Search::None;
        };
        let deadline_ns = self.line.deadline_ns;
        if !self.read_counters(port, n, deadline_ns) {
            return Search::None;
        }
        let now = self.counted.get(n).copied().unwrap_or(before);
        // Invalid frames and errors of the physical layer of four ports, two bytes each.
        let new: u32 = (now.iter().zip(before).take(8))
            .map(|(now, before)| u32::from(now.wrapping_sub(before)))
            .sum();
        if new > 0 {
            if self.damaged.is_none_or(|(known, _)| known != n) {
                reports.push(News::Raised, Some(n), Cause::FramesDamaged, f64::from(new));
            }
            self.damaged = Some((n, now_ns));
        }
        Search::Errors(n + 1)
    }

    /// One frame: who has something in its mailbox, and whether a clock is off.
    fn watch<L: Link>(
        &mut self,
        port: &mut Port<L>,
        saved: &[Saved],
        reference: Option<usize>,
        now_ns: u64,
        reports: &mut Reports,
    ) -> Search {
        let lock_until_ns = *self.lock_until_ns.get_or_insert(now_ns + LOCK_NS);
        let count = saved.len();
        self.watched.clear();
        self.line.begin();
        for turn in 0..count.min(PER_FRAME) {
            let n = (self.next + turn) % count;
            let Some(known) = saved.get(n) else { continue };
            let mut ask = |register, length| {
                let data = (self.line).push(command::FPRD, address(n), register, length, &[]);
                self.watched.push((n, data, length));
            };
            if known.mailbox().is_some() {
                ask(MAILBOX_STATUS, 1);
            }
            // The reference is compared with nothing.
            if known.has_clock() && reference.is_some_and(|reference| reference != n) {
                ask(DIFFERENCE, 4);
            }
        }
        if self.watched.is_empty() || self.line.exchange(port).is_none() {
            return Search::None;
        }
        self.next = (self.next + PER_FRAME) % count;
        let mut full = None;
        let (mut clocks, mut off) = (0, 0);
        let mut worst = (0, 0_i64);
        for &(n, data, length) in &self.watched {
            if working_counter(&self.line.answer, data, length) != 1 {
                continue;
            }
            match self.line.answer.get(data..data + length) {
                Some(&[status]) if status & MAILBOX_FULL != 0 => full = full.or(Some(n)),
                Some(&[a, b, c, d]) => {
                    let raw = u32::from_le_bytes([a, b, c, d]);
                    let size_ns = i64::from(raw & 0x7fff_ffff);
                    if let Some(settled) = self.settled.get_mut(n) {
                        *settled |= size_ns <= OFF_NS || now_ns >= lock_until_ns;
                        if !*settled {
                            continue;
                        }
                    }
                    clocks += 1;
                    off += u32::from(size_ns > OFF_NS);
                    if size_ns > worst.1.abs() {
                        worst = (n, if raw >> 31 == 0 { size_ns } else { -size_ns });
                    }
                }
                _ => {}
            }
        }
        self.judge_clocks(clocks, off, worst, reference, reports);
        full.map_or(Search::None, Search::Mailbox)
    }

    /// Of `clocks` that were looked at `off` are off, the worst by so much (SubDevice, ns).
    fn judge_clocks(
        &mut self,
        clocks: u32,
        off: u32,
        worst: (usize, i64),
        reference: Option<usize>,
        reports: &mut Reports,
    ) {
        match self.clock {
            None if off > 0 => {
                // When all are off it is the one that they are compared with.
                let (n, size_ns) = match reference {
                    Some(reference) if clocks > 1 && off == clocks => (reference, -worst.1),
                    _ => worst,
                };
                self.clock = Some(n);
                reports.push(
                    News::Raised,
                    Some(n),
                    Cause::ClockOff,
                    size_ns as f64 * 1e-9,
                );
            }
            Some(n) if clocks > 0 && worst.1.abs() < RIGHT_NS => {
                self.clock = None;
                reports.push(News::Cleared, Some(n), Cause::ClockOff, 0.0);
            }
            _ => {}
        }
    }

    fn read_mailbox<L: Link>(
        &mut self,
        port: &mut Port<L>,
        saved: &[Saved],
        n: usize,
        reports: &mut Reports,
    ) -> Search {
        let mailbox = saved.get(n).and_then(Saved::mailbox);
        if let Some((start, length)) = mailbox.filter(|(_, length)| *length <= MAILBOX)
            && let Some(message) =
                (self.line).access(port, command::FPRD, address(n), start, length, &[])
            && let Some(code) = emergency(message)
        {
            reports.push(News::Raised, Some(n), Cause::Emergency, f64::from(code));
        }
        Search::None
    }
}

/// Late, double and foreign frames.
const fn kinds(counters: BusCounters) -> [u64; 3] {
    [counters.late, counters.duplicate, counters.foreign]
}

/// Error code of a CoE emergency; none for any other message.
pub fn emergency(message: &[u8]) -> Option<u16> {
    let &[
        low,
        high,
        _,
        _,
        _,
        kind,
        _,
        service,
        code_low,
        code_high,
        ..,
    ] = message
    else {
        return None;
    };
    let right =
        u16::from_le_bytes([low, high]) >= 10 && kind & 0x0f == COE && service >> 4 == EMERGENCY;
    right.then(|| u16::from_le_bytes([code_low, code_high]))
}
