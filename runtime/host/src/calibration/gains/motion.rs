//! The motion in recordings that tells most of a drive: where its set-points accelerate.

use std::ops::Range;
use twinstep_drivers::recording::{AxisRecord, Recording};
use twinstep_models::identify::{self, GAINS_SETTLE_S};
use twinstep_models::sample::Told;

/// Length of a piece that is taken or left as a whole (s): a move there and back, as a rule.
const PIECE_S: f64 = 4.0;
/// Shortest piece (samples).
const PIECE_LEAST: usize = 1000;
/// Pieces that must fit among the samples that are taken, however short the period is.
const PIECES_LEAST: usize = 4;
/// One of so many samples may be part of a jump.
const JUMPS: usize = 250;

/// One axis in one recording.
pub(super) struct Motion<'a> {
    pub(super) record: &'a AxisRecord,
    reference: &'a [f64],
    /// Stretches that follow a set-point: in csp without offsets, enabled, below the limit of the current, without a gap.
    stretches: Vec<Range<usize>>,
}

impl<'a> Motion<'a> {
    /// Of axis `n`, whose drive may be limited from `limit_a` on; none where the recording has no set-points of it.
    pub(super) fn new(recording: &'a Recording, n: usize, limit_a: f64) -> Option<Self> {
        let record = recording.axes.get(n)?;
        let reference = record.reference_m.as_deref()?;
        let usable = |k: usize| {
            // With another mode or offset the loops follow something else.
            let csp = (record.told.get(k)).is_none_or(|(told, speed, a)| {
                *told == Told::Position && *speed == 0.0 && *a == 0.0
            });
            let finite = record.position_m[k].is_finite() && reference[k].is_finite();
            // No number is not below the limit.
            record.enabled[k] && csp && finite && record.current_a[k].abs() < limit_a
        };
        let mut segments = recording.segments.iter().copied().peekable();
        let mut stretches = Vec::new();
        let mut from = None;
        let length = recording.time_s.len();
        for k in 0..=length {
            let cut = segments.next_if(|s| *s <= k).is_some();
            let good = k < length && usable(k);
            if let (Some(start), true) = (from, cut || !good) {
                stretches.push(start..k);
                from = None;
            }
            if from.is_none() && good {
                from = Some(k);
            }
        }
        Some(Self {
            record,
            reference,
            stretches,
        })
    }

    /// How much the set-points change their speed in a piece. A jump in them is no motion: of all samples the few that bend most are left out.
    fn tells(&self, piece: &Range<usize>) -> f64 {
        let bends = self.reference[piece.clone()].windows(3);
        let mut bends: Vec<f64> = (bends.map(|r| (r[2] - 2.0 * r[1] + r[0]).abs())).collect();
        bends.sort_by(f64::total_cmp);
        bends[..bends.len() - bends.len() / JUMPS].iter().sum()
    }
}

/// The samples that were chosen, one piece behind the other.
#[derive(Default)]
pub(super) struct Chosen {
    position_m: Vec<f64>,
    current_a: Vec<f64>,
    reference_m: Vec<f64>,
    /// The first of each piece is not: nothing may be differentiated across it.
    pub(super) usable: Vec<bool>,
}

impl Chosen {
    pub(super) fn record(&self, period_s: f64) -> identify::AxisRecord<'_> {
        identify::AxisRecord {
            period_s,
            position_m: &self.position_m,
            current_a: &self.current_a,
            reference_m: &self.reference_m,
            usable: &self.usable,
        }
    }

    fn push(&mut self, motion: &Motion<'_>, piece: Range<usize>) {
        let length = self.usable.len();
        self.position_m
            .extend_from_slice(&motion.record.position_m[piece.clone()]);
        self.current_a
            .extend_from_slice(&motion.record.current_a[piece.clone()]);
        self.reference_m.extend_from_slice(&motion.reference[piece]);
        self.usable.resize(self.reference_m.len(), true);
        self.usable[length] = false;
    }
}

/// Of all motion so many samples at most, and before each piece those that its filters need: the pieces in which the set-points accelerate
/// most, in their order. Where there are no more than that it is all.
pub(super) fn most_telling(all: &[Motion<'_>], period_s: f64, most: usize) -> Chosen {
    let longest = (most / PIECES_LEAST).max(PIECE_LEAST);
    let piece = ((PIECE_S / period_s) as usize).clamp(PIECE_LEAST, longest);
    let settle = (GAINS_SETTLE_S / period_s) as usize + 1;
    // Which recording, where the stretch begins, and the piece.
    let mut pieces: Vec<(usize, usize, Range<usize>)> = Vec::new();
    for (n, motion) in all.iter().enumerate() {
        for stretch in &motion.stretches {
            let cuts = (stretch.start..stretch.end).step_by(piece);
            pieces.extend(cuts.map(|k| (n, stretch.start, k..stretch.end.min(k + piece))));
        }
    }
    let length = |pieces: &[(usize, usize, Range<usize>)]| -> usize {
        pieces.iter().map(|(_, _, piece)| piece.len()).sum()
    };
    if length(&pieces) > most {
        let tells = |(n, _, piece): &(usize, usize, Range<usize>)| all[*n].tells(piece);
        // Sums of sizes are not negative: their bits are in their order.
        pieces.sort_by_cached_key(|piece| std::cmp::Reverse(tells(piece).to_bits()));
        let mut left = most;
        pieces.retain(|(_, _, piece)| {
            let taken = piece.len() <= left;
            left -= if taken { piece.len() } else { 0 };
            taken
        });
        pieces.sort_by_key(|(n, _, piece)| (*n, piece.start));
    }
    let mut chosen = Chosen::default();
    let mut pieces = pieces.into_iter().peekable();
    while let Some((n, stretch, mut piece)) = pieces.next() {
        let follows = |(m, of, next): &(usize, usize, Range<usize>), end| {
            (*m, *of, next.start) == (n, stretch, end)
        };
        while let Some((.., next)) = pieces.next_if(|next| follows(next, piece.end)) {
            piece.end = next.end;
        }
        // The filters run up to a piece where they can.
        piece.start = piece.start.saturating_sub(settle).max(stretch);
        chosen.push(&all[n], piece);
    }
    chosen
}

#[cfg(test)]
mod tests {
    use super::*;

    const PERIOD_S: f64 = 1e-3;
    const LIMIT_A: f64 = 10.0;

    /// Swings there and back once a second between these cycles, at rest elsewhere.
    fn recording(cycles: usize, moves: Range<usize>) -> Recording {
        let swing = |k: usize| libm::sin(std::f64::consts::TAU * k as f64 * PERIOD_S);
        let position_m: Vec<f64> = (0..cycles)
            .map(|k| if moves.contains(&k) { swing(k) } else { 0.0 })
            .collect();
        Recording {
            period_s: PERIOD_S,
            cycle: (0..cycles as u64).collect(),
            time_s: (0..cycles).map(|k| k as f64 * PERIOD_S).collect(),
            row_step_s: None,
            context: Vec::new(),
            segments: vec![0],
            axes: vec![AxisRecord {
                reference_m: Some(position_m.clone()),
                // Which sample it is.
                current_a: (0..cycles).map(|k| k as f64 * 1e-6).collect(),
                enabled: vec![true; cycles],
                position_m,
                ..AxisRecord::default()
            }],
            stations: Vec::new(),
        }
    }

    fn chosen(all: &[Recording], most: usize) -> Chosen {
        let motions: Vec<_> = (all.iter())
            .filter_map(|one| Motion::new(one, 0, LIMIT_A))
            .collect();
        most_telling(&motions, PERIOD_S, most)
    }

    #[test]
    fn what_moves_is_taken_wherever_it_is() {
        let all = [recording(40_000, 0..0), recording(40_000, 24_000..32_000)];
        let found = chosen(&all, 8_000);
        let usable = found.usable.iter().filter(|u| **u).count();
        assert!((8_000..=8_600).contains(&usable), "{usable}");
        let first = (1e6 * found.current_a[0]).round() as usize;
        assert!((23_400..24_000).contains(&first), "{first}");
        let moving = found
            .reference_m
            .windows(2)
            .filter(|r| r[0] != r[1])
            .count();
        assert!(moving > 7_900, "{moving}");
    }

    /// At 125 us a piece of 4 s is longer than all that is taken.
    #[test]
    fn at_a_short_period_what_moves_is_taken_too() {
        let one = recording(80_000, 44_000..52_000);
        let motions = [Motion::new(&one, 0, LIMIT_A).unwrap()];
        let found = most_telling(&motions, 125e-6, 30_000);
        let usable = found.usable.iter().filter(|u| **u).count();
        assert!((29_000..=45_000).contains(&usable), "{usable}");
        let steps = found.reference_m.windows(2);
        assert!(steps.filter(|r| r[0] != r[1]).count() > 7_900);
    }

    #[test]
    fn a_jump_is_no_motion() {
        let mut one = recording(40_000, 24_000..32_000);
        let reference_m = one.axes[0].reference_m.as_mut().unwrap();
        reference_m[10_000..].iter_mut().for_each(|x| *x += 100.0);
        let found = chosen(&[one], 8_000);
        let first = (1e6 * found.current_a[0]).round() as usize;
        assert!((23_400..24_000).contains(&first), "{first}");
    }

    #[test]
    fn all_is_taken_where_it_is_little_and_nothing_joins_two_stretches() {
        let mut one = recording(9_000, 0..9_000);
        one.segments.push(5_000);
        one.axes[0].current_a[7_000] = 2.0 * LIMIT_A;
        let found = chosen(&[one.clone(), one], 30_000);
        assert_eq!(found.usable.len(), 2 * 8_999, "one is beyond the limit");
        let joins: Vec<usize> = (0..found.usable.len())
            .filter(|k| !found.usable[*k])
            .collect();
        let of_one = [0, 5_000, 7_000];
        let expected = of_one.into_iter().chain(of_one.map(|k| k + 8_999));
        assert_eq!(joins, expected.collect::<Vec<_>>());
    }

    #[test]
    fn without_set_points_there_is_no_motion() {
        let mut one = recording(9_000, 0..9_000);
        one.axes[0].reference_m = None;
        assert!(Motion::new(&one, 0, LIMIT_A).is_none());
        assert!(chosen(&[one], 30_000).usable.is_empty());
    }
}
