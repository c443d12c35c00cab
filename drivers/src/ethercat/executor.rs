//! Runs ethercrab's futures on this thread: polled by hand, frames through our port, timers on our clock.

use super::frame::{HEADERS, command};
use super::port::{Port, Ticket};
use crate::clock::take_next_wake_ns;
use crate::frame::Datagram;
use crate::link::{Link, MAX_FRAME};
use core::future::Future;
use core::task::{Context, Poll, Waker};
use ethercrab::{PduRx, PduTx};

/// Frames that ethercrab may have under way at once. A power of two.
pub const FRAMES: usize = 16;
/// How long ethercrab waits for an answer (ns): an answer after that is late.
pub const PDU_TIMEOUT_NS: u64 = 30_000_000;
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
        if flying.is_empty() {
            clock.wait_until_ns(deadline_ns);
        } else if let Some((ticket, answer)) = port.receive(deadline_ns) {
            flying.retain(|&(known, _)| known != ticket);
            let length = answer.len();
            if let Some(copy) = buffer.get_mut(..length) {
                copy.copy_from_slice(answer);
                defuse_emergency(copy);
                // What ethercrab does not recognise has timed out on its side; nothing is lost with it.
                let _ = rx.receive_frame(copy);
            }
        }
    }
}

/// Turns a CoE emergency in a mailbox answer into an SDO abort ("general error"): ethercrab 0.7 asserts that none comes.
fn defuse_emergency(frame: &mut [u8]) {
    let Some(datagram) = Datagram::parse(frame, HEADERS) else {
        return;
    };
    if datagram.command != command::FPRD || datagram.length < 16 {
        return;
    }
    let data = HEADERS + super::frame::DATAGRAM_HEADER;
    let Some(mailbox) = frame.get_mut(data..data + 16) else {
        return;
    };
    let is_coe = mailbox[5] & 0x0f == 3;
    let is_emergency = mailbox[7] >> 4 == 1;
    let length = u16::from_le_bytes([mailbox[0], mailbox[1]]);
    if is_coe && is_emergency && length == 10 {
        mailbox[7] = 0x20;
        mailbox[8] = 0x80;
        mailbox[12..16].copy_from_slice(&0x0800_0000_u32.to_le_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::super::frame;
    use super::*;

    #[test]
    fn an_emergency_becomes_an_abort() {
        let mut answer = frame::new();
        frame::push_datagram(&mut answer, command::FPRD, 0x1000, 0x1080, 128);
        let data = HEADERS + frame::DATAGRAM_HEADER;
        answer[data..data + 10].copy_from_slice(&[10, 0, 0, 0, 0, 0x13, 0, 0x10, 0x10, 0x23]);
        defuse_emergency(&mut answer);
        assert_eq!(answer[data + 7..data + 9], [0x20, 0x80]);
        let normal = answer.clone();
        defuse_emergency(&mut answer);
        assert_eq!(answer, normal);
    }
}
