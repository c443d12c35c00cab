//! Whether somebody else's EtherCAT passes on an interface, heard before anything is sent there.
//!
//! A segment only answers: who is silent for [`LISTEN_NS`] has no MainDevice, as far as can be heard. One frame alone is no MainDevice
//! either: it may be the last answer to one that has just ended. So where something was heard, the interface is listened on once more,
//! and only who is heard then too is told of. Frames on their way out and frames that come back both count: a MainDevice that goes past
//! the place where sockets listen is heard by its answers.

use super::source::{FrameSource, MAX_CAPTURED, Next, TapError};
use crate::clock::Clock;
use crate::frame::is_well_formed;
use std::fmt;

/// How long an interface is listened on at a time (ns): ten cycles of the longest period that a machine may have (10 ms), so that neither
/// such a MainDevice nor one that is held up for some cycles is missed.
pub const LISTEN_NS: u64 = 100_000_000;
/// Source addresses that are told apart; a MainDevice has one, its answers another.
const MAX_SOURCES: usize = 4;
/// Bytes of a frame before its source address, and behind it.
const SOURCE: std::ops::Range<usize> = 6..12;

/// Somebody else's frames.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Overheard {
    /// All of them.
    pub frames: u64,
    /// The time in which they were heard (ns).
    pub listened_ns: u64,
    /// The first source addresses, and the frames of each.
    pub sources: Vec<([u8; 6], u64)>,
}

impl fmt::Display for Overheard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plural = if self.frames == 1 { "" } else { "s" };
        write!(
            f,
            "{} EtherCAT frame{plural} in {} ms from",
            self.frames,
            self.listened_ns / 1_000_000
        )?;
        for (n, ([a, b, c, d, e, g], frames)) in self.sources.iter().enumerate() {
            let comma = if n > 0 { "," } else { "" };
            write!(
                f,
                "{comma} {a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x} ({frames})"
            )?;
        }
        let told: u64 = self.sources.iter().map(|(_, frames)| frames).sum();
        if told < self.frames {
            write!(f, " and others ({})", self.frames - told)?;
        }
        Ok(())
    }
}

/// Listens, for [`LISTEN_NS`] where all is silent and for twice that at most. None: nobody is there.
///
/// # Errors
/// [`TapError`] where the source fails.
pub fn overhear(
    source: &mut impl FrameSource,
    clock: &Clock,
) -> Result<Option<Overheard>, TapError> {
    let mut heard = Overheard {
        frames: 0,
        listened_ns: 0,
        sources: Vec::with_capacity(MAX_SOURCES),
    };
    for _ in 0..2 {
        let before = heard.frames;
        let from_ns = clock.now_ns();
        listen(source, from_ns, &mut heard)?;
        heard.listened_ns += LISTEN_NS;
        if heard.frames == before {
            return Ok(None);
        }
    }
    Ok(Some(heard))
}

/// Counts what arrives within [`LISTEN_NS`] from `from_ns` on. What had arrived before and was waiting is of no time in particular. A
/// thread that was held up until after the end finds what arrived in the queue: it reads on until that is empty, or the first frame of later.
fn listen(
    source: &mut impl FrameSource,
    from_ns: u64,
    heard: &mut Overheard,
) -> Result<(), TapError> {
    let mut buffer = [0; MAX_CAPTURED];
    let until_ns = from_ns.saturating_add(LISTEN_NS);
    loop {
        match source.next(&mut buffer, until_ns)? {
            Next::Nothing | Next::End => return Ok(()),
            Next::Frame(frame) if frame.time_ns >= until_ns => return Ok(()),
            Next::Frame(frame) => {
                let bytes = buffer.get(..frame.length).unwrap_or_default();
                if frame.time_ns >= from_ns && is_well_formed(bytes) {
                    note(bytes, heard);
                }
            }
        }
    }
}

fn note(frame: &[u8], heard: &mut Overheard) {
    heard.frames += 1;
    let Some(address) = frame.get(SOURCE).and_then(|a| <[u8; 6]>::try_from(a).ok()) else {
        return;
    };
    let sources = &mut heard.sources;
    if let Some((_, frames)) = sources.iter_mut().find(|(known, _)| *known == address) {
        *frames += 1;
    } else if sources.len() < MAX_SOURCES {
        sources.push((address, 1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tap::source::{Heard, Way};

    /// Frames at given times of a virtual clock; at the end of them nothing comes any more.
    struct Script {
        clock: Clock,
        frames: std::vec::IntoIter<(u64, Vec<u8>)>,
        next: Option<(u64, Vec<u8>)>,
        /// For so long the thread stands still before it reads for the first time (ns).
        stall_ns: u64,
    }

    impl FrameSource for Script {
        fn next(&mut self, buffer: &mut [u8], deadline_ns: u64) -> Result<Next, TapError> {
            let now_ns = self.clock.now_ns() + std::mem::take(&mut self.stall_ns);
            self.clock.wait_until_ns(now_ns);
            if self.next.is_none() {
                self.next = self.frames.next();
            }
            let Some((time_ns, frame)) = self.next.take_if(|(at, _)| *at < deadline_ns.max(now_ns))
            else {
                self.clock.wait_until_ns(deadline_ns);
                return Ok(Next::Nothing);
            };
            self.clock.wait_until_ns(time_ns);
            buffer[..frame.len()].copy_from_slice(&frame);
            Ok(Next::Frame(Heard {
                length: frame.len(),
                wire_length: frame.len(),
                time_ns,
                way: Way::Both,
            }))
        }

        fn is_live(&self) -> bool {
            true
        }
    }

    const START_NS: u64 = 1_000_000_000;
    const MS: u64 = 1_000_000;

    fn frame(source: u8) -> Vec<u8> {
        let mut frame = vec![0xff; 6];
        frame.extend_from_slice(&[source, 1, 1, 1, 1, 1]);
        frame.extend_from_slice(&crate::frame::ETHERTYPE);
        frame.extend_from_slice(&[0x0d, 0x10]); // 13 bytes of datagrams
        frame.extend_from_slice(&[7, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
        frame
    }

    /// What is heard of frames at these times after the start (ms).
    fn heard(frames: impl IntoIterator<Item = (u64, Vec<u8>)>) -> (Option<Overheard>, u64) {
        heard_late(frames, 0)
    }

    /// The same by a thread that stands still for so long (ms) first.
    fn heard_late(
        frames: impl IntoIterator<Item = (u64, Vec<u8>)>,
        stall: u64,
    ) -> (Option<Overheard>, u64) {
        let clock = Clock::virtual_from(START_NS);
        let at = |(ms, frame)| (START_NS + ms * MS, frame);
        let frames: Vec<_> = frames.into_iter().map(at).collect();
        let mut script = Script {
            clock: clock.clone(),
            frames: frames.into_iter(),
            next: None,
            stall_ns: stall * MS,
        };
        let heard = overhear(&mut script, &clock).unwrap();
        (heard, (clock.now_ns() - START_NS) / MS)
    }

    #[test]
    fn silence_takes_one_time_and_is_nobody() {
        assert_eq!(heard([]), (None, 100));
    }

    #[test]
    fn a_main_device_is_told_by_its_frames_both_ways() {
        let frames = (0..40).flat_map(|n| [(10 * n, frame(1)), (10 * n, frame(3))]);
        let (found, ms) = heard(frames);
        assert_eq!(ms, 200);
        let found = found.unwrap();
        assert_eq!((found.frames, found.listened_ns), (40, 200 * MS));
        assert_eq!(
            found.to_string(),
            "40 EtherCAT frames in 200 ms from 01:01:01:01:01:01 (20), 03:01:01:01:01:01 (20)"
        );
    }

    #[test]
    fn who_stood_still_hears_what_came_meanwhile() {
        let frames = || (0..60).map(|n| (10 * n, frame(1)));
        // 0 to 90 ms, and those of a time that begins at 150 ms.
        let (found, ms) = heard_late(frames(), 150);
        assert_eq!((found.unwrap().frames, ms), (20, 250));
        // The end of one that has ended meanwhile is nobody still.
        assert_eq!(heard_late(frames().take(5), 150), (None, 250));
    }

    #[test]
    fn the_last_answers_to_somebody_who_has_ended_are_nobody() {
        let frames = (0..48).map(|_| (60, frame(0x12)));
        assert_eq!(heard(frames), (None, 200));
    }

    #[test]
    fn slow_ones_are_heard_too_and_addresses_are_bounded() {
        // One frame in each time is the least.
        assert_eq!(
            heard([(99, frame(1)), (101, frame(1))]).0.unwrap().frames,
            2
        );
        let many = (0..190).map(|n| (n, frame(n as u8)));
        let found = heard(many).0.unwrap();
        assert_eq!(found.sources.len(), MAX_SOURCES);
        assert!(found.to_string().ends_with("and others (186)"), "{found}");
    }

    #[test]
    fn what_is_no_datagram_or_waited_since_before_is_not_heard() {
        let mut variables = frame(1);
        variables[15] = 0x40; // network variables
        let mut other = frame(1);
        other[12] = 0x08;
        let cut = frame(1)[..20].to_vec();
        let all = [variables, other, cut];
        let frames = (0..20).flat_map(|n| all.clone().map(|frame| (10 * n, frame)));
        assert_eq!(heard(frames), (None, 100));
        // Frames that a busy computer hands over late are those of the time in which they arrived.
        let clock = Clock::virtual_from(START_NS);
        let mut script = Script {
            clock: clock.clone(),
            frames: vec![(START_NS - 1, frame(1)); 3].into_iter(),
            next: None,
            stall_ns: 0,
        };
        assert_eq!(overhear(&mut script, &clock).unwrap(), None);
    }
}
