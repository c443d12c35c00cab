//! Runs ethercrab's futures on this thread: polled by hand, frames through our port, timers on our clock.

use super::diagnose::emergency;
use super::frame::{DATAGRAM_HEADER, HEADERS, command, working_counter};
use super::port::{Port, Sdo, Ticket};
use crate::clock::take_next_wake_ns;
use crate::frame::Datagram;
use crate::link::{Link, MAX_FRAME};
use core::future::Future;
use core::task::{Context, Poll, Waker};
use ethercrab::{PduRx, PduTx};

/// Frames that ethercrab may have under way at once. A power of two.
pub const FRAMES: usize = 16;
/// How long ethercrab waits for an answer (ns): an answer after that is late, and what it read of a mailbox is lost. A computer that
/// serves others may stand still for tens of milliseconds.
pub const PDU_TIMEOUT_NS: u64 = 100_000_000;
/// How long the answer behind an emergency is waited for (ns): less than ethercrab's own patience.
const BEHIND_EMERGENCY_NS: u64 = 20_000_000;
/// Pause before a mailbox is read once more (ns).
const POLL_NS: u64 = 100_000;
/// First address behind the registers.
const FIRST_MEMORY: u16 = 0x1000;
/// CoE in a mailbox header, the SDO request in a CoE header, and the command of an abort.
const COE: u8 = 3;
const SDO_REQUEST: u8 = 2;
const SDO_ABORT: u8 = 0x80;
/// Longest wait without looking at the future (ns).
const IDLE_NS: u64 = 1_000_000;

/// Runs a future to its end. Every future that comes here ends by its own timeouts.
pub fn run<L: Link, F: Future>(
    port: &mut Port<L>,
    tx: &mut PduTx<'_>,
    rx: &mut PduRx<'_>,
    future: F,
) -> F::Output {
    let clock = port.clock().clone();
    let _entered = clock.enter();
    // Futures of a large segment are too large for the stack.
    let mut future = Box::pin(future);
    let mut context = Context::from_waker(Waker::noop());
    let mut flying: Vec<(Ticket, u64)> = Vec::with_capacity(FRAMES);
    let mut buffer = [0; MAX_FRAME];
    // A read of a mailbox that is repeated, because an emergency stood in it, and until when.
    let mut again = None;
    let mut until_ns = 0;
    take_next_wake_ns();
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
            for (ticket, _) in flying {
                port.give_up(ticket);
            }
            return output;
        }
        while let Some(frame) = tx.next_sendable_frame() {
            let mut ticket = None;
            // The port never fails: a broken link looks like a lost frame, and ethercrab's timeouts see to it.
            let _ = frame.send_blocking(|bytes| {
                ticket = Some(port.send(bytes));
                Ok(bytes.len())
            });
            flying.extend(ticket.map(|ticket| (ticket, clock.now_ns())));
        }
        let now_ns = clock.now_ns();
        flying.retain(|&(ticket, sent_ns)| {
            let waiting = now_ns.saturating_sub(sent_ns) < PDU_TIMEOUT_NS;
            if !waiting {
                port.give_up(ticket);
            }
            waiting
        });
        let deadline_ns = take_next_wake_ns().min(now_ns.saturating_add(IDLE_NS));
        if flying.is_empty() && again.is_none() {
            clock.wait_until_ns(deadline_ns);
        } else if let Some((ticket, answer)) = port.receive(deadline_ns) {
            flying.retain(|&(known, _)| known != ticket);
            let length = answer.len();
            let Some(copy) = buffer.get_mut(..length) else {
                continue;
            };
            copy.copy_from_slice(answer);
            if let Some((station, code)) = emergency_in(copy) {
                port.keep_emergency(station, code);
                until_ns = now_ns.saturating_add(BEHIND_EMERGENCY_NS);
                ask_again(port, copy, &mut again);
                continue;
            }
            if let Some(sdo) = sdo_in(copy) {
                port.note_sdo(sdo);
            }
            if again.is_some_and(|known| known == ticket) {
                // The mailbox is still empty: the answer behind the emergency is not made yet.
                if is_unanswered(copy) && clock.now_ns() < until_ns {
                    clock.wait_until_ns(clock.now_ns().saturating_add(POLL_NS));
                    ask_again(port, copy, &mut again);
                    continue;
                }
                again = None;
            }
            // What ethercrab does not recognise has timed out on its side; nothing is lost with it.
            let _ = rx.receive_frame(copy);
        }
    }
}

/// Sends the request that `answer` answers once more.
fn ask_again<L: Link>(port: &mut Port<L>, answer: &mut [u8], again: &mut Option<Ticket>) {
    if let Some(datagram) = Datagram::parse(answer, HEADERS)
        && let Some(data) = answer.get_mut(HEADERS + DATAGRAM_HEADER..datagram.end())
    {
        data.fill(0);
        *again = Some(port.send(answer));
    }
}

/// Nobody took part in the first datagram of a frame.
fn is_unanswered(answer: &[u8]) -> bool {
    Datagram::parse(answer, HEADERS).is_some_and(|datagram| {
        let data = HEADERS + DATAGRAM_HEADER;
        working_counter(answer, data, datagram.length) == 0
    })
}

/// Station address and error code of the CoE emergency that a frame brings: ethercrab 0.7 asserts that none comes where it
/// waits for an SDO answer.
fn emergency_in(frame: &[u8]) -> Option<(u16, u16)> {
    let (command, station, message) = mailbox_in(frame)?;
    let code = emergency(message).filter(|_| command == command::FPRD)?;
    Some((station, code))
}

/// The SDO that a frame has brought to a SubDevice, or its abort from there.
fn sdo_in(frame: &[u8]) -> Option<Sdo> {
    let (command, station, message) = mailbox_in(frame)?;
    let &[
        _,
        _,
        _,
        _,
        _,
        kind,
        _,
        service,
        specifier,
        low,
        high,
        subindex,
        a,
        b,
        c,
        d,
        ..,
    ] = message
    else {
        return None;
    };
    let aborted = specifier == SDO_ABORT;
    let asked = command == command::FPWR && service >> 4 == SDO_REQUEST;
    let is_sdo = kind & 0x0f == COE && (asked || (command == command::FPRD && aborted));
    is_sdo.then(|| Sdo {
        station,
        index: u16::from_le_bytes([low, high]),
        subindex,
        abort: aborted.then(|| u32::from_le_bytes([a, b, c, d])),
    })
}

/// Command, station address and message of a frame that one SubDevice's mailbox has taken part in.
fn mailbox_in(frame: &[u8]) -> Option<(u8, u16, &[u8])> {
    let datagram = Datagram::parse(frame, HEADERS)?;
    let data = HEADERS + DATAGRAM_HEADER;
    if !matches!(datagram.command, command::FPRD | command::FPWR)
        || datagram.more
        || working_counter(frame, data, datagram.length) != 1
    {
        return None;
    }
    let station = u16::from_le_bytes([*frame.get(HEADERS + 2)?, *frame.get(HEADERS + 3)?]);
    let register = u16::from_le_bytes([*frame.get(HEADERS + 4)?, *frame.get(HEADERS + 5)?]);
    // Registers end where the memory of mailboxes and process data begins.
    if register < FIRST_MEMORY {
        return None;
    }
    let message = frame.get(data..data + datagram.length)?;
    Some((datagram.command, station, message))
}

#[cfg(test)]
mod tests {
    use super::super::frame;
    use super::*;

    #[test]
    fn an_emergency_is_told_from_everything_else() {
        let mut answer = frame::new();
        frame::push_datagram(&mut answer, command::FPRD, 0x1003, 0x1080, 128);
        let data = HEADERS + frame::DATAGRAM_HEADER;
        answer[data..data + 10].copy_from_slice(&[10, 0, 0, 0, 0, 0x13, 0, 0x10, 0x10, 0x23]);
        // Nobody took part in it.
        assert_eq!(emergency_in(&answer), None);
        answer[data + 128] = 1;
        assert_eq!(emergency_in(&answer), Some((0x1003, 0x2310)));
        // An abort tells what of.
        let message = [
            10, 0, 0, 0, 0, 0x13, 0, 0x20, 0x80, 0xc2, 0x60, 1, 0x30, 0, 9, 6,
        ];
        let mut abort = answer.clone();
        abort[data..data + 16].copy_from_slice(&message);
        let expected = Sdo {
            station: 0x1003,
            index: 0x60c2,
            subindex: 1,
            abort: Some(0x0609_0030),
        };
        assert_eq!(
            (emergency_in(&abort), sdo_in(&abort)),
            (None, Some(expected))
        );
        assert_eq!(sdo_in(&answer), None);
        // An SDO answer; a register.
        answer[data + 7] = 0x30;
        assert_eq!(emergency_in(&answer), None);
        answer[data + 7] = 0x10;
        answer[HEADERS + 5] = 0x05;
        assert_eq!(emergency_in(&answer), None);
    }
}
