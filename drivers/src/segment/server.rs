//! Serves a simulated segment on a link in real time, for any MainDevice on the other end of the cable.

use super::Segment;
use super::faults::{FOREIGN_SOURCE, Fate};
use crate::link::stragglers::Stragglers;
use crate::link::{Link, LinkError, MAX_FRAME};
use std::sync::atomic::{AtomicBool, Ordering};

/// Longest wait between two looks at the stop flag (ns). SYNC0 events are caught up with in order after it.
const IDLE_NS: u64 = 1_000_000;

/// What a turn of [`serve`] was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// A frame was answered, this long (ns) after it had been received.
    Answered(u64),
    /// A frame was not answered: it is none of EtherCAT, is cut short, or was lost to a fault.
    Swallowed,
    /// No frame came for a while.
    Idle,
}

/// Answers frames until `stop` is set. `watch` sees every turn, and may inject faults between two.
///
/// The times of injected faults count from the moment when all SubDevices have reached OP.
///
/// # Errors
/// [`LinkError`] when the link itself fails.
pub fn serve<L: Link>(
    segment: &mut Segment,
    link: &mut L,
    stop: &AtomicBool,
    mut watch: impl FnMut(Turn, &mut Segment),
) -> Result<(), LinkError> {
    let mut buffer = [0; MAX_FRAME];
    let mut stragglers = Stragglers::default();
    let mut straggler = [0; MAX_FRAME];
    let mut started = false;
    // Relaxed: the flag stands alone, nothing is handed over with it.
    while !stop.load(Ordering::Relaxed) {
        while let Some(length) = stragglers.take(link.clock().now_ns(), &mut straggler) {
            link.send(straggler.get(..length).unwrap_or_default())?;
        }
        let idle_ns = link.clock().now_ns().saturating_add(IDLE_NS);
        let deadline_ns = stragglers.next_ns().map_or(idle_ns, |at| at.min(idle_ns));
        let received = link.receive(&mut buffer, deadline_ns)?;
        let now_ns = link.clock().now_ns();
        let turn = match received.and_then(|length| buffer.get_mut(..length)) {
            Some(frame) => {
                if segment.process(frame, now_ns) {
                    match segment.fate(frame.len()) {
                        Fate::Straight => link.send(frame)?,
                        Fate::Late(by_ns) => stragglers.hold(frame, now_ns.saturating_add(by_ns)),
                        Fate::Twice => {
                            link.send(frame)?;
                            link.send(frame)?;
                        }
                        Fate::Cut(length) => link.send(frame.get(..length).unwrap_or_default())?,
                        Fate::BehindForeign => {
                            stragglers.hold_foreign(frame, now_ns, FOREIGN_SOURCE);
                            if let Some(length) = stragglers.take(now_ns, &mut straggler) {
                                link.send(straggler.get(..length).unwrap_or_default())?;
                            }
                            link.send(frame)?;
                        }
                    }
                    Turn::Answered(link.clock().now_ns().saturating_sub(now_ns))
                } else {
                    Turn::Swallowed
                }
            }
            None => {
                segment.advance(now_ns);
                Turn::Idle
            }
        };
        if !started && segment.is_operational() {
            started = true;
            segment.start_of_operation(now_ns);
        }
        watch(turn, segment);
    }
    Ok(())
}
