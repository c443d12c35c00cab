//! Registers outside the cycle: single datagrams, and the AL status of all SubDevices in few frames.

use super::frame::{self, command, working_counter};
use super::port::Port;
use crate::link::Link;

/// Station address of the first SubDevice; the others follow.
pub const FIRST_ADDRESS: u16 = 0x1000;
/// AL control.
const AL_CONTROL: u16 = 0x0120;
/// AL status, two reserved bytes, AL status code.
const AL_STATUS: u16 = 0x0130;
/// SubDevices asked in one frame: 18 bytes each.
const PER_FRAME: usize = 80;
/// Acknowledges an error in AL control.
pub const ACKNOWLEDGE: u8 = 0x10;

/// AL status of one SubDevice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AlStatus {
    /// AL status: state in the low four bits, error in bit 4; 0 where it did not answer.
    pub status: u8,
    /// AL status code.
    pub code: u16,
}

/// Frames for register access, built once.
pub struct Registers {
    polls: Vec<Vec<u8>>,
    control: Vec<u8>,
}

impl Registers {
    /// For so many SubDevices.
    pub fn new(subdevices: usize) -> Self {
        let addresses: Vec<u16> = (0..subdevices).map(address).collect();
        let polls = addresses
            .chunks(PER_FRAME)
            .map(|chunk| {
                let mut poll = frame::new();
                for &address in chunk {
                    frame::push_datagram(&mut poll, command::FPRD, address, AL_STATUS, 6);
                }
                poll
            })
            .collect();
        let mut control = frame::new();
        frame::push_datagram(&mut control, command::FPWR, 0, AL_CONTROL, 2);
        Self { polls, control }
    }

    /// Asks all SubDevices for their AL status. Returns whether all answers came back in time.
    pub fn poll<L: Link>(
        &self,
        port: &mut Port<L>,
        into: &mut [AlStatus],
        deadline_ns: u64,
    ) -> bool {
        for (poll, statuses) in self.polls.iter().zip(into.chunks_mut(PER_FRAME)) {
            let sent = port.send(poll);
            let Some(answer) = wait(port, sent, deadline_ns) else {
                return false;
            };
            let mut data = frame::HEADERS + frame::DATAGRAM_HEADER;
            for status in statuses {
                *status = match (answer.get(data..data + 6), working_counter(answer, data, 6)) {
                    (Some(bytes), 1) => AlStatus {
                        status: bytes[0],
                        code: u16::from_le_bytes([bytes[4], bytes[5]]),
                    },
                    _ => AlStatus::default(),
                };
                data += 6 + frame::DATAGRAM_OVERHEAD;
            }
        }
        true
    }

    /// Writes AL control of one SubDevice. Returns whether it took it.
    pub fn request<L: Link>(
        &mut self,
        port: &mut Port<L>,
        subdevice: usize,
        state: u8,
        deadline_ns: u64,
    ) -> bool {
        let data = frame::HEADERS + frame::DATAGRAM_HEADER;
        let position = address(subdevice).to_le_bytes();
        for (at, byte) in [
            (frame::HEADERS + 2, position[0]),
            (frame::HEADERS + 3, position[1]),
            (data, state),
        ] {
            if let Some(target) = self.control.get_mut(at) {
                *target = byte;
            }
        }
        let sent = port.send(&self.control);
        wait(port, sent, deadline_ns).is_some_and(|answer| working_counter(answer, data, 2) == 1)
    }
}

/// Counts the SubDevices: working counter of a broadcast read.
pub fn count<L: Link>(port: &mut Port<L>, deadline_ns: u64) -> Option<usize> {
    let mut count = frame::new();
    frame::push_datagram(&mut count, command::BRD, 0, 0x0000, 1);
    let sent = port.send(&count);
    let answer = wait(port, sent, deadline_ns)?;
    let data = frame::HEADERS + frame::DATAGRAM_HEADER;
    Some(usize::from(working_counter(answer, data, 1)))
}

/// Station address of a SubDevice.
pub fn address(subdevice: usize) -> u16 {
    FIRST_ADDRESS.wrapping_add(subdevice as u16)
}

/// Waits for one answer; others that come meanwhile belong to nobody any more.
pub fn wait<L: Link>(
    port: &mut Port<L>,
    sent: super::port::Ticket,
    deadline_ns: u64,
) -> Option<&[u8]> {
    // The answer is looked for by its ticket first: a borrow cannot be returned from within the loop.
    loop {
        match port.receive(deadline_ns) {
            Some((ticket, _)) if ticket == sent => return Some(port.answer()),
            Some(_) => {}
            None => {
                port.give_up(sent);
                return None;
            }
        }
    }
}
