//! What the firmware of a SubDevice does wrong when it is told to, and what its ports count.

use super::super::application::AlState;
use super::super::mailbox::{CAPACITY, Message, Request, TYPE_COE};
use super::super::plant::Plant;
use super::Device;
use twinstep_config::fault::BusFault;

/// CoE services.
const EMERGENCY: u8 = 1;
const SDO_REQUEST: u8 = 2;
/// SDO command: abort.
const ABORT: u8 = 0x80;

/// Faults of the firmware.
#[derive(Clone, Copy, Debug, Default)]
pub struct Firmware {
    /// Abort code, and requests that are still aborted.
    abort: (u32, u32),
    /// How much later answers come (ns), and how many still do.
    late: (u64, u32),
    /// Requests stay where they are until this segment time (ns).
    busy_until_ns: u64,
    /// The answer that is made is there at this segment time (ns).
    answer_at_ns: Option<u64>,
    /// An emergency that waits for room.
    emergency: Option<u16>,
    now_ns: u64,
}

impl Firmware {
    /// The abort that takes the place of the answer to a request, if one is due.
    pub(super) fn abort_of(&mut self, request: Request<'_>) -> Option<Message> {
        let (code, left) = self.abort;
        if left == 0 || request.kind != TYPE_COE || request.body.get(1)? >> 4 != SDO_REQUEST {
            return None;
        }
        self.abort.1 = left - 1;
        let mut message = Message::new(TYPE_COE, CAPACITY);
        message.push(&[0, SDO_REQUEST << 4, ABORT]);
        message.push(request.body.get(3..6)?);
        message.push(&code.to_le_bytes());
        Some(message)
    }
}

impl Device {
    /// Begins a fault.
    pub fn misbehave(&mut self, fault: BusFault) {
        match fault {
            BusFault::SdoAbort { code, count } => self.firmware.abort = (code, count),
            BusFault::MailboxLate { by_ns, count } => self.firmware.late = (by_ns, count),
            BusFault::MailboxBusy { for_ns } => {
                self.firmware.busy_until_ns = self.firmware.now_ns.saturating_add(for_ns);
            }
            BusFault::Emergency { code } => {
                self.firmware.emergency = Some(code);
            }
            BusFault::EepromChecksum => self.damage_eeprom(),
            _ => {}
        }
    }

    /// Leaves its state for `state` with an error.
    pub fn drop_to(&mut self, state: AlState, code: u16, segment_ns: u64, plant: &mut Plant) {
        self.enter(state, segment_ns, plant);
        self.al.fail(code);
        self.publish_al();
    }

    /// Time passes for the mailbox.
    pub(super) fn mailbox_tick(&mut self, segment_ns: u64) {
        self.firmware.now_ns = segment_ns;
        if let Some(at_ns) = self.firmware.answer_at_ns
            && at_ns <= segment_ns
        {
            self.firmware.answer_at_ns = None;
            self.send_answer();
        }
        if self.firmware.busy_until_ns > 0 && self.firmware.busy_until_ns <= segment_ns {
            self.firmware.busy_until_ns = 0;
            self.serve_mailbox();
        }
        // Below SAFE-OP it waits for a request, and goes in front of the answer.
        if self.firmware.emergency.is_some() && self.al.state >= AlState::SafeOp {
            self.send_emergency();
        }
    }

    /// Whether the mailbox is not served now: it is busy, an answer is on its way, or an emergency goes first.
    pub(super) fn is_held_up(&mut self) -> bool {
        let firmware = &self.firmware;
        if firmware.busy_until_ns > firmware.now_ns || firmware.answer_at_ns.is_some() {
            return true;
        }
        self.send_emergency()
    }

    /// The answer is made: it is sent, now or later.
    pub(super) fn answer_made(&mut self) {
        let (by_ns, left) = self.firmware.late;
        if left == 0 {
            return self.send_answer();
        }
        self.firmware.late.1 = left - 1;
        self.firmware.answer_at_ns = Some(self.firmware.now_ns.saturating_add(by_ns));
    }

    /// Sends the emergency that waits, where there is room. Returns whether it did.
    fn send_emergency(&mut self) -> bool {
        if self.al.state < AlState::PreOp || self.mailbox_full(1) {
            return false;
        }
        let Some(code) = self.firmware.emergency.take() else {
            return false;
        };
        let mut message = Message::new(TYPE_COE, CAPACITY);
        message.push(&[0, EMERGENCY << 4]);
        message.push(&code.to_le_bytes());
        // Error register: generic error; no manufacturer's data.
        message.push(&[1, 0, 0, 0, 0, 0]);
        message.set_counter(self.counter % 7 + 1);
        self.answer = message;
        self.send_answer();
        true
    }

    /// A frame came with a wrong checksum; `first` where nobody before has seen that.
    pub fn damaged_frame(&mut self, first: bool) {
        self.count_error(if first { 0x0300 } else { 0x0308 });
    }
}
