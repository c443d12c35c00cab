//! Serves a simulated segment in real time, for any MainDevice on the other end of the cable, or of both.

use super::Segment;
use super::faults::{FOREIGN_SOURCE, Fate};
use crate::link::stragglers::Stragglers;
use crate::link::{Ends, LinkError, MAX_FRAME};
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
pub fn serve<E: Ends>(
    segment: &mut Segment,
    ends: &mut E,
    stop: &AtomicBool,
    mut watch: impl FnMut(Turn, &mut Segment),
) -> Result<(), LinkError> {
    let mut buffer = [0; MAX_FRAME];
    let mut stragglers = Stragglers::default();
    let mut straggler = [0; MAX_FRAME];
    let mut started = false;
    // Relaxed: the flag stands alone, nothing is handed over with it.
    while !stop.load(Ordering::Relaxed) {
        while let Some((side, length)) = stragglers.take(ends.clock().now_ns(), &mut straggler) {
            ends.send(side, straggler.get(..length).unwrap_or_default())?;
        }
        let idle_ns = ends.clock().now_ns().saturating_add(IDLE_NS);
        // The machine is computed when its SYNC0 has come, in the gap between two frames: the next frame does not wait for it.
        let pulse_ns = segment.next_pulse_ns(ends.clock().now_ns());
        let next_ns = [stragglers.next_ns(), pulse_ns];
        let deadline_ns = next_ns.into_iter().flatten().fold(idle_ns, u64::min);
        let received = ends.receive(&mut buffer, deadline_ns)?;
        let now_ns = ends.clock().now_ns();
        let frame =
            received.and_then(|(side, length)| buffer.get_mut(..length).map(|frame| (side, frame)));
        let turn = match frame {
            Some((side, frame)) => {
                if let Some(side) = segment.process_from(side, frame, now_ns) {
                    match segment.fate(frame.len()) {
                        Fate::Straight => ends.send(side, frame)?,
                        Fate::Late(by_ns) => {
                            stragglers.hold(side, frame, now_ns.saturating_add(by_ns))
                        }
                        Fate::Twice => {
                            ends.send(side, frame)?;
                            ends.send(side, frame)?;
                        }
                        Fate::Cut(length) => {
                            ends.send(side, frame.get(..length).unwrap_or_default())?
                        }
                        Fate::BehindForeign => {
                            stragglers.hold_foreign(side, frame, now_ns, FOREIGN_SOURCE);
                            if let Some((side, length)) = stragglers.take(now_ns, &mut straggler) {
                                ends.send(side, straggler.get(..length).unwrap_or_default())?;
                            }
                            ends.send(side, frame)?;
                        }
                    }
                    Turn::Answered(ends.clock().now_ns().saturating_sub(now_ns))
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;
    use crate::link::Side;
    use crate::segment::testing::bench;
    use twinstep_config::fault::{BusFault, Fault, FaultKind};

    /// BRD of one byte at 0x0000.
    const COUNT: [u8; 29] = [
        255, 255, 255, 255, 255, 255, 0x10, 0, 0, 0, 0, 0, 0x88, 0xa4, 13, 0x10, 7, 1, 0, 0, 0, 0,
        1, 0, 0, 0, 0, 0, 0,
    ];

    /// A cable whose other end sends a frame every millisecond, and notes what comes back and when.
    struct Other {
        clock: Clock,
        frames: u64,
        came: Vec<(u64, usize, u8)>,
    }

    impl Ends for Other {
        fn send(&mut self, _: Side, frame: &[u8]) -> Result<(), LinkError> {
            let us = self.clock.now_ns() / 1_000;
            self.came.push((us, frame.len(), frame[6]));
            Ok(())
        }

        fn receive(
            &mut self,
            buffer: &mut [u8],
            deadline_ns: u64,
        ) -> Result<Option<(Side, usize)>, LinkError> {
            let next_ns = self.frames * 1_000_000;
            if next_ns > deadline_ns {
                self.clock.wait_until_ns(deadline_ns);
                return Ok(None);
            }
            self.clock.wait_until_ns(next_ns);
            self.frames += 1;
            buffer[..COUNT.len()].copy_from_slice(&COUNT);
            Ok(Some((Side::Primary, COUNT.len())))
        }

        fn clock(&self) -> &Clock {
            &self.clock
        }
    }

    #[test]
    fn answers_meet_their_fate_on_a_cable_too() {
        let (_, mut segment) = bench(&[(4, 4)], 1_000_000);
        segment.start_of_operation(0);
        let by_ns = 1_500_000;
        for (ms, fault) in [
            (1, BusFault::FrameLate { by_ns, count: 1 }),
            (4, BusFault::FrameDuplicate { count: 1 }),
            (5, BusFault::FrameTruncate { count: 1 }),
            (6, BusFault::FrameForeign { count: 1 }),
        ] {
            let fault = Fault {
                kind: FaultKind::Bus(fault),
                target: "bus".to_owned(),
                at_ns: ms * 1_000_000,
                ramp_ns: 0,
            };
            segment.inject(&fault).unwrap();
        }
        let mut link = Other {
            clock: Clock::virtual_from(0),
            frames: 0,
            came: Vec::new(),
        };
        let stop = AtomicBool::new(false);
        let mut turns = 0;
        serve(&mut segment, &mut link, &stop, |_, _| {
            turns += 1;
            stop.store(turns > 16, Ordering::Relaxed);
        })
        .unwrap();
        let expected = [
            (0, 29, 0x12),
            (2_000, 29, 0x12),
            // That of 1 ms.
            (2_500, 29, 0x12),
            (3_000, 29, 0x12),
            (4_000, 29, 0x12),
            (4_000, 29, 0x12),
            (5_000, 26, 0x12),
            (6_000, 29, 0x03),
            (6_000, 29, 0x12),
            (7_000, 29, 0x12),
        ];
        assert_eq!(link.came[..expected.len()], expected);
    }

    #[test]
    fn the_machine_is_computed_in_the_gap_between_two_frames() {
        let (_, mut segment) = bench(&[(4, 4), (4, 4)], 1_000_000);
        segment.advance(0);
        // Frames come at whole milliseconds, SYNC0 300 us before them.
        for device in &mut segment.devices {
            let start_ns = device.dc.system_ns(2_700_000);
            device.dc.activate(3, start_ns, (1_000_000, 0), 0);
        }
        let mut link = Other {
            clock: Clock::virtual_from(0),
            frames: 0,
            came: Vec::new(),
        };
        let stop = AtomicBool::new(false);
        let (mut before, mut answered) = (0, 0);
        serve(&mut segment, &mut link, &stop, |turn, segment| {
            let pulses = segment.devices[1].dc.pulses;
            if let Turn::Answered(_) = turn {
                assert_eq!(pulses, before, "frame {answered} waited for the machine");
                answered += 1;
            }
            before = pulses;
            stop.store(answered > 10, Ordering::Relaxed);
        })
        .unwrap();
        assert_eq!(before, 8);
    }
}
