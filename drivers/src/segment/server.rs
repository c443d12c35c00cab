//! Serves a simulated segment on a link in real time, for any MainDevice on the other end of the cable.

use super::Segment;
use crate::link::{Link, LinkError, MAX_FRAME};
use std::sync::atomic::{AtomicBool, Ordering};

/// Longest wait between two looks at the stop flag (ns). SYNC0 events are caught up with in order after it.
const IDLE_NS: u64 = 1_000_000;

/// Answers frames until `stop` is set. Returns the number of frames answered.
///
/// The times of injected faults count from the moment when all SubDevices have reached OP.
///
/// # Errors
/// [`LinkError`] when the link itself fails.
pub fn serve<L: Link>(
    segment: &mut Segment,
    link: &mut L,
    stop: &AtomicBool,
) -> Result<u64, LinkError> {
    let mut buffer = [0; MAX_FRAME];
    let mut answered = 0;
    let mut started = false;
    // Relaxed: the flag stands alone, nothing is handed over with it.
    while !stop.load(Ordering::Relaxed) {
        let deadline_ns = link.clock().now_ns().saturating_add(IDLE_NS);
        let received = link.receive(&mut buffer, deadline_ns)?;
        let now_ns = link.clock().now_ns();
        match received.and_then(|length| buffer.get_mut(..length)) {
            Some(frame) => {
                if segment.process(frame, now_ns) {
                    link.send(frame)?;
                    answered += 1;
                }
            }
            None => segment.advance(now_ns),
        }
        if !started && segment.is_operational() {
            started = true;
            segment.start_of_operation(now_ns);
        }
    }
    Ok(answered)
}
