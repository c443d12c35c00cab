//! Faults of the bus: which are due, and what becomes of the frame that passes.

use super::absence::MAX_ABSENCES;
use super::application::AlState;
use super::{Segment, al};
use twinstep_config::fault::{BusFault, Fault};

/// Most faults of the bus in one run, those that are over included only until the next is injected.
pub const MAX_BUS_FAULTS: usize = 32;

/// How an answer comes back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Fate {
    /// As it should.
    #[default]
    Straight,
    /// So much later (ns).
    Late(u64),
    /// Twice.
    Twice,
    /// Without its last bytes: this many are left.
    Cut(usize),
    /// Behind a frame that nobody sent.
    BehindForeign,
}

/// Source address of a frame that nobody sent.
pub const FOREIGN_SOURCE: [u8; 6] = [0x03, 1, 1, 1, 1, 1];

/// What happens to a frame, or to one SubDevice of those it passes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Frame {
    Lost,
    Damaged { position: usize },
    Comes(Fate),
    LetPass { position: usize },
}

/// A run of frames.
#[derive(Clone, Copy, Debug)]
struct Spell {
    at_ns: u64,
    left: u32,
    what: Frame,
}

/// A fault that has not begun.
#[derive(Clone, Copy, Debug)]
struct Waiting {
    at_ns: u64,
    position: usize,
    fault: BusFault,
}

/// What a frame meets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Verdict {
    /// It does not come back.
    pub lost: bool,
    /// It is damaged in front of this SubDevice.
    pub damaged_at: Option<usize>,
    /// This SubDevice lets its logical datagrams pass.
    pub let_pass: Option<usize>,
    /// How the answer comes back.
    pub fate: Fate,
}

/// See the module.
#[derive(Debug)]
pub(super) struct BusFaults {
    spells: Vec<Spell>,
    waiting: Vec<Waiting>,
    fate: Fate,
}

impl BusFaults {
    /// None yet.
    pub fn new() -> Self {
        Self {
            spells: Vec::with_capacity(MAX_BUS_FAULTS),
            waiting: Vec::with_capacity(MAX_BUS_FAULTS),
            fate: Fate::Straight,
        }
    }

    /// Nothing is planned.
    pub fn is_empty(&self) -> bool {
        self.spells.is_empty() && self.waiting.is_empty()
    }

    /// Nothing happens to a frame.
    pub fn none(&mut self) -> Verdict {
        self.fate = Fate::Straight;
        Verdict::default()
    }

    /// What happens to a frame, `since_ns` after the first cycle in OP. Only one with logical datagrams can be let pass.
    pub fn judge(&mut self, since_ns: u64, is_logical: bool) -> Verdict {
        let mut verdict = Verdict::default();
        let mut taken = false;
        self.spells.retain_mut(|spell| {
            if spell.at_ns > since_ns {
                return true;
            }
            match spell.what {
                Frame::LetPass { position } if is_logical && verdict.let_pass.is_none() => {
                    verdict.let_pass = Some(position);
                }
                Frame::LetPass { .. } => return true,
                _ if taken => return true,
                Frame::Lost => (taken, verdict.lost) = (true, true),
                Frame::Damaged { position } => {
                    (taken, verdict.damaged_at) = (true, Some(position));
                }
                Frame::Comes(fate) => (taken, verdict.fate) = (true, fate),
            }
            spell.left = spell.left.saturating_sub(1);
            spell.left > 0
        });
        self.fate = verdict.fate;
        verdict
    }

    /// Forgets what waits or lasts.
    pub fn clear(&mut self) {
        self.spells.clear();
        self.waiting.clear();
        self.fate = Fate::Straight;
    }

    fn spell(&mut self, at_ns: u64, left: u32, what: Frame) -> bool {
        let room = self.spells.len() < MAX_BUS_FAULTS;
        if room {
            self.spells.push(Spell { at_ns, left, what });
        }
        room
    }
}

impl Segment {
    /// How the answer that [`Segment::process`] made comes back.
    pub fn fate(&self, length: usize) -> Fate {
        match self.faults.fate {
            // Within the last datagram, whatever the frame.
            Fate::Cut(_) => Fate::Cut(length.saturating_sub(3)),
            fate => fate,
        }
    }

    /// Frames that are lost in a row.
    pub(super) fn lose(&mut self, at_ns: u64, count: u32) -> Result<(), String> {
        self.plan_frames(at_ns, count, Frame::Lost)
    }

    fn plan_frames(&mut self, at_ns: u64, count: u32, what: Frame) -> Result<(), String> {
        let planned = self.faults.spell(at_ns, count, what);
        planned.then_some(()).ok_or_else(|| {
            format!("at most {MAX_BUS_FAULTS} faults of the bus can wait or last at a time")
        })
    }

    /// Injects a fault of the bus, `at_ns` after the first cycle in OP.
    pub(super) fn inject_bus(
        &mut self,
        fault: BusFault,
        target: &str,
        at_ns: u64,
    ) -> Result<(), String> {
        let position = self.position(target);
        let named =
            position.ok_or_else(|| format!("no SubDevice of the segment is called '{target}'"));
        let (count, what) = match fault {
            BusFault::FrameLate { by_ns, count } => (count, Frame::Comes(Fate::Late(by_ns))),
            BusFault::FrameDuplicate { count } => (count, Frame::Comes(Fate::Twice)),
            BusFault::FrameTruncate { count } => (count, Frame::Comes(Fate::Cut(0))),
            BusFault::FrameForeign { count } => (count, Frame::Comes(Fate::BehindForeign)),
            BusFault::FrameCorrupt { count } => (count, Frame::Damaged { position: named? }),
            BusFault::WorkingCounter { count } => (count, Frame::LetPass { position: named? }),
            BusFault::ClockDrift { .. } => return self.wait(at_ns, 0, fault),
            BusFault::Cable { .. } if target == "bus" => {
                if !self.ring.is_redundant() {
                    return Err("the bus has no redundant cable that could break: name the SubDevice behind the cable".to_owned());
                }
                return self.wait(at_ns, self.devices.len(), fault);
            }
            _ => {
                let position = named?;
                // What the firmware does wrong it does from power-up, so that bring-up meets it.
                if at_ns == 0 && is_of_firmware(fault) {
                    self.begin(fault, position);
                    return Ok(());
                }
                return self.wait(at_ns, position, fault);
            }
        };
        self.plan_frames(at_ns, count, what)
    }

    fn wait(&mut self, at_ns: u64, position: usize, fault: BusFault) -> Result<(), String> {
        if self.faults.waiting.len() >= MAX_BUS_FAULTS {
            return Err(format!(
                "at most {MAX_BUS_FAULTS} faults of the bus can wait at a time"
            ));
        }
        self.faults.waiting.push(Waiting {
            at_ns,
            position,
            fault,
        });
        Ok(())
    }

    fn position(&self, name: &str) -> Option<usize> {
        let subdevices = &self.machine.bus.as_ref()?.subdevices;
        subdevices
            .iter()
            .position(|subdevice| subdevice.name == name)
    }

    /// Injects a fault; what would wait for the first cycle in OP, but needs none, begins now.
    pub(super) fn inject_before_operation(&mut self, fault: &Fault) -> Result<(), String> {
        let before = self.faults.waiting.len();
        self.inject(fault)?;
        if let Some(new) = self.faults.waiting.get(before).copied() {
            self.faults.waiting.truncate(before);
            self.begin(new.fault, new.position);
        }
        Ok(())
    }

    /// Begins what is due `since_ns` after the first cycle in OP.
    pub(super) fn begin_due(&mut self, since_ns: u64) {
        while let Some(at) = (self.faults.waiting.iter()).position(|w| w.at_ns <= since_ns) {
            let due = self.faults.waiting.swap_remove(at);
            self.begin(due.fault, due.position);
        }
    }

    fn begin(&mut self, fault: BusFault, position: usize) {
        let now_ns = self.last_ns;
        match fault {
            BusFault::Cable { for_ns } => {
                self.cut(position, false, 0, for_ns);
            }
            BusFault::Power { for_ns } => {
                self.cut(position, true, 0, for_ns);
            }
            BusFault::ClockDrift { rate_ppb } => self.change_drift(i64::from(rate_ppb)),
            _ => {}
        }
        let Self { devices, plant, .. } = self;
        let Some(device) = devices.get_mut(position) else {
            return;
        };
        match fault {
            BusFault::AlRefuse { state, code, count } => {
                let (state, below) = match state {
                    2 => (AlState::PreOp, AlState::Init),
                    4 => (AlState::SafeOp, AlState::PreOp),
                    _ => (AlState::Op, AlState::SafeOp),
                };
                device.al.refuse = Some((state, code));
                device.al.refusals = count;
                if device.al.state >= state {
                    device.drop_to(below, code, now_ns, plant);
                }
            }
            BusFault::Watchdog if device.al.state == AlState::Op => {
                device.drop_to(AlState::SafeOp, al::code::WATCHDOG, now_ns, plant);
            }
            BusFault::ClockJump { step_ns } => {
                device.dc.local_offset_ns = device.dc.local_offset_ns.wrapping_add_signed(step_ns);
            }
            BusFault::SdoAbort { .. }
            | BusFault::MailboxLate { .. }
            | BusFault::MailboxBusy { .. }
            | BusFault::Emergency { .. }
            | BusFault::EepromChecksum => device.misbehave(fault),
            _ => {}
        }
    }
}

/// Whether the SubDevice's own program does it.
const fn is_of_firmware(fault: BusFault) -> bool {
    matches!(
        fault,
        BusFault::AlRefuse { .. }
            | BusFault::SdoAbort { .. }
            | BusFault::MailboxLate { .. }
            | BusFault::MailboxBusy { .. }
            | BusFault::Emergency { .. }
            | BusFault::EepromChecksum
    )
}

const _: () = assert!(MAX_BUS_FAULTS <= MAX_ABSENCES);
