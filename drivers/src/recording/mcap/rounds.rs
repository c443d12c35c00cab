//! Rounds of checkpoints, and which of them a replay begins with.

use super::row::Pieces;

/// Most parts of a round.
const MAX_PARTS: u32 = 4096;
/// Most bytes of a part, and of a round: a larger one is none of ours.
const MAX_PART_BYTES: usize = 1 << 20;
const MAX_ROUND_BYTES: usize = 64 << 20;

/// A part of the twins' state.
///
/// A message holds, little-endian, `round`, `cycle` (eight bytes each), `part`, `parts` (four each), and then `bytes`, whose form
/// stands in the schema of the channel. The parts of a round follow each other, from 0 on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Checkpoint {
    /// Number of the round.
    pub round: u64,
    /// The cycle that the part was taken after.
    pub cycle: u64,
    /// Number of the part, from 0.
    pub part: u32,
    /// Parts of the round (1 to 4096).
    pub parts: u32,
    /// The state.
    pub bytes: Vec<u8>,
}

impl Checkpoint {
    /// Appends the message.
    pub(super) fn encode(&self, message: &mut Vec<u8>) {
        message.extend(self.round.to_le_bytes());
        message.extend(self.cycle.to_le_bytes());
        message.extend(self.part.to_le_bytes());
        message.extend(self.parts.to_le_bytes());
        message.extend_from_slice(&self.bytes);
    }

    /// Reads a message; none where it is none.
    pub(super) fn decode(message: &[u8]) -> Option<Self> {
        let mut pieces = Pieces(message);
        let all = Self {
            round: pieces.long()?,
            cycle: pieces.long()?,
            part: pieces.four()?,
            parts: pieces.four()?,
            bytes: pieces.0.to_vec(),
        };
        (all.part < all.parts && all.parts <= MAX_PARTS).then_some(all)
    }
}

/// Keeps the last whole round that ends by a cycle, else the first one.
#[derive(Debug, Default)]
pub(super) struct Rounds {
    /// That cycle.
    by: u64,
    whole: Vec<Checkpoint>,
    open: Vec<Checkpoint>,
}

impl Rounds {
    /// None yet; of those to come the last one by cycle `by`.
    pub fn by(by: u64) -> Self {
        Self {
            by,
            ..Self::default()
        }
    }

    /// Whether a part after `cycle` could still be wanted.
    fn wants(&self, cycle: u64) -> bool {
        self.whole.is_empty() || cycle <= self.by
    }

    /// Takes a part in.
    pub fn push(&mut self, part: Checkpoint) {
        if !self.wants(part.cycle) {
            return;
        }
        let follows = match self.open.last() {
            _ if part.bytes.len() > MAX_PART_BYTES => false,
            _ if part.part == 0 => {
                self.open.clear();
                true
            }
            Some(last) => {
                (last.round, last.part + 1, last.parts) == (part.round, part.part, part.parts)
                    && last.cycle < part.cycle
            }
            None => false,
        };
        if !follows {
            self.open.clear();
            return;
        }
        let held: usize = self.open.iter().map(|part| part.bytes.len()).sum();
        if held + part.bytes.len() > MAX_ROUND_BYTES {
            self.open.clear();
            return;
        }
        let last = part.part + 1 == part.parts;
        self.open.push(part);
        if last {
            self.whole = core::mem::take(&mut self.open);
        }
    }

    /// The round that was kept; empty where there was no whole one.
    pub fn into_whole(self) -> Vec<Checkpoint> {
        self.whole
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(round: u64, part: u32) -> Checkpoint {
        Checkpoint {
            round,
            cycle: 100 * round + u64::from(part),
            part,
            parts: 3,
            bytes: vec![part as u8; 5],
        }
    }

    #[test]
    fn the_last_whole_round_before_a_cycle_is_kept_else_the_first() {
        let kept = |by: u64, lost: Option<(u64, u32)>| {
            let mut rounds = Rounds::by(by);
            for round in 1..5 {
                for n in (0..3).filter(|n| Some((round, *n)) != lost) {
                    rounds.push(part(round, n));
                }
            }
            let whole = rounds.into_whole();
            assert!(whole.is_empty() || whole.len() == 3);
            whole.first().map(|part| part.round)
        };
        assert_eq!(kept(0, None), Some(1));
        assert_eq!(kept(0, Some((1, 1))), Some(2));
        assert_eq!(kept(302, None), Some(3));
        assert_eq!(kept(301, None), Some(2));
        assert_eq!(kept(350, Some((3, 0))), Some(2));
        assert_eq!(kept(350, Some((3, 2))), Some(2));
    }

    #[test]
    fn a_round_that_is_larger_than_any_of_ours_is_not_kept() {
        let round = |bytes: usize| {
            let mut rounds = Rounds::by(0);
            for n in 0..100 {
                rounds.push(Checkpoint {
                    cycle: u64::from(n),
                    part: n,
                    parts: 100,
                    bytes: vec![0; bytes],
                    ..Checkpoint::default()
                });
            }
            rounds.into_whole().len()
        };
        assert_eq!(round(1000), 100);
        assert_eq!(round(MAX_PART_BYTES + 1), 0);
        assert_eq!(round(MAX_PART_BYTES), 0);
        assert_eq!(round(MAX_ROUND_BYTES / 100), 100);
    }

    #[test]
    fn a_message_is_read_as_it_was_written_and_short_ones_are_none() {
        let mut message = Vec::new();
        part(7, 2).encode(&mut message);
        assert_eq!(Checkpoint::decode(&message), Some(part(7, 2)));
        for end in 0..24 {
            assert_eq!(Checkpoint::decode(&message[..end]), None);
        }
        message[16..20].copy_from_slice(&3u32.to_le_bytes());
        assert_eq!(Checkpoint::decode(&message), None, "part 3 of 3");
    }
}
