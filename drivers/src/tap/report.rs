//! What a capture holds: SubDevices, process-data map, working counters, frames by kind.

use super::exchange::{Exchange, exchanges};
use super::learn::Learner;
use super::map::ProcessMap;
use super::pairing::{FrameCounts, Pairing, Seen};
use super::source::{FrameSource, MAX_CAPTURED, Next, TapError};

/// Most logical datagrams that are told apart by command, address and length.
pub const MAX_LOGICAL: usize = 256;
/// Most different working counters of one of them that are told apart.
pub const MAX_COUNTERS: usize = 16;

/// One logical datagram, over the whole capture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Logical {
    /// LRD, LWR or LRW.
    pub command: u8,
    /// Logical address.
    pub address: u32,
    /// Length (bytes).
    pub length: usize,
    /// Working counter that the FMMUs imply as they stand at the end.
    pub expected: u16,
    /// Working counters that were seen, and how often. Before OP they may be lower than expected.
    pub seen: Vec<(u16, u64)>,
    /// How often the working counter was the one that the FMMUs implied at that time.
    pub as_implied: u64,
    /// How often it went out.
    pub count: u64,
    first_ns: u64,
    last_ns: u64,
}

impl Logical {
    /// Mean time from one to the next (ns); none for a single one.
    pub fn period_ns(&self) -> Option<u64> {
        let steps = self.count.checked_sub(1).filter(|steps| *steps > 0)?;
        Some(self.last_ns.saturating_sub(self.first_ns) / steps)
    }
}

/// See the module.
#[derive(Clone, Debug)]
pub struct Report {
    /// SubDevices.
    pub learner: Learner,
    /// Their process data.
    pub map: ProcessMap,
    /// Logical datagrams.
    pub logical: Vec<Logical>,
    /// Those that found no room.
    pub dropped_logical: u64,
    /// Frames by kind.
    pub counts: FrameCounts,
    /// From the first frame to the last (ns).
    pub duration_ns: u64,
}

/// Reads a source to its end.
///
/// # Errors
/// [`TapError`] of the source.
pub fn report(source: &mut dyn FrameSource) -> Result<Report, TapError> {
    let mut buffer = [0; MAX_CAPTURED];
    let mut pairing = Pairing::default();
    let mut learner = Learner::default();
    let mut map = ProcessMap::default();
    let mut logical: Vec<Logical> = Vec::new();
    let (mut dropped_logical, mut first_ns, mut last_ns) = (0, None, 0);
    // The map is made anew when FMMUs were written and process data follow.
    let mut stale = true;
    loop {
        let heard = match source.next(&mut buffer, 0)? {
            Next::Frame(heard) => heard,
            Next::Nothing => continue,
            Next::End => break,
        };
        first_ns.get_or_insert(heard.time_ns);
        last_ns = last_ns.max(heard.time_ns);
        let frame = buffer.get(..heard.length).unwrap_or_default();
        let seen = pairing.take(frame, heard.wire_length, heard.time_ns, heard.way);
        let Seen::Answer(number) = seen else { continue };
        for exchange in exchanges(pairing.sent(number), pairing.answer()) {
            if !exchange.is_logical() {
                stale |= exchange.wrote() && touches_map(&exchange);
                learner.take(&exchange);
                continue;
            }
            if core::mem::take(&mut stale) {
                map = ProcessMap::of(&learner);
            }
            let (address, length) = (exchange.logical(), exchange.back.len());
            let key = (exchange.command, address, length);
            let known = logical
                .iter()
                .position(|known| (known.command, known.address, known.length) == key);
            let at = match known {
                Some(at) => at,
                None if logical.len() < MAX_LOGICAL => {
                    logical.push(Logical {
                        command: exchange.command,
                        address,
                        length,
                        expected: 0,
                        seen: Vec::new(),
                        as_implied: 0,
                        count: 0,
                        first_ns: heard.time_ns,
                        last_ns: heard.time_ns,
                    });
                    logical.len() - 1
                }
                None => {
                    dropped_logical += 1;
                    continue;
                }
            };
            if let Some(known) = logical.get_mut(at) {
                known.take(
                    exchange.counter,
                    map.expected(exchange.command, address, length),
                );
                known.last_ns = heard.time_ns;
            }
        }
    }
    let map = ProcessMap::of(&learner);
    for known in &mut logical {
        known.expected = map.expected(known.command, known.address, known.length);
    }
    Ok(Report {
        learner,
        map,
        logical,
        dropped_logical,
        counts: pairing.finish(),
        duration_ns: last_ns.saturating_sub(first_ns.unwrap_or(last_ns)),
    })
}

/// Whether an access reaches the FMMUs: nothing else moves what a working counter must be.
fn touches_map(exchange: &Exchange<'_>) -> bool {
    let first = usize::from(exchange.offset);
    first < 0x0700 && first + exchange.sent.len() > 0x0600
}

impl Logical {
    fn take(&mut self, counter: u16, implied: u16) {
        self.count += 1;
        self.as_implied += u64::from(counter == implied);
        if let Some((_, count)) = self.seen.iter_mut().find(|(known, _)| *known == counter) {
            *count += 1;
        } else if self.seen.len() < MAX_COUNTERS {
            self.seen.push((counter, 1));
        }
    }
}
