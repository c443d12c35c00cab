//! What is kept of a motion for its drawing: the least and the largest value of each stretch of time, however long the motion is.

use twinstep_models::rollout::Moment;

/// Most stretches of one line: several to each column of pixels. With both values of each, an axis takes no more than 400 kB.
pub const MAX_STRETCHES: usize = 4096;
const _: () = assert!(
    MAX_STRETCHES.is_multiple_of(2),
    "stretches are joined in pairs"
);
const _: () = assert!(LINES * MAX_STRETCHES * size_of::<Stretch>() < 400_000);

/// Number of lines.
const LINES: usize = 3;

/// What is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Drawn {
    /// Position (m).
    Position = 0,
    /// Reference of the drive less position (m).
    FollowingError = 1,
    /// Current as the drive reports it (A).
    Current = 2,
}

/// The lines of one axis.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Kept {
    lines: [Trace; LINES],
}

impl Kept {
    /// Takes in the axis at `time_s` (s), later than at any time before.
    pub fn push(&mut self, time_s: f64, m: &Moment) {
        let values = [m.position_m, m.reference_m - m.position_m, m.reported_a];
        for (line, value) in self.lines.iter_mut().zip(values) {
            line.push([time_s, value]);
        }
    }

    /// The points of a line: time (s) and value.
    pub fn points(&self, what: Drawn) -> impl Iterator<Item = [f64; 2]> {
        self.lines[what as usize].points()
    }
}

/// The least and the largest point of a stretch of time.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Stretch {
    low: [f64; 2],
    high: [f64; 2],
}

impl Stretch {
    fn join(&mut self, other: &Self) {
        if other.low[1] < self.low[1] {
            self.low = other.low;
        }
        if other.high[1] > self.high[1] {
            self.high = other.high;
        }
    }
}

/// One line.
#[derive(Clone, Debug, PartialEq)]
struct Trace {
    stretches: Vec<Stretch>,
    /// Points of a stretch (1 or more).
    length: u64,
    /// Points in the last one.
    last: u64,
}

impl Default for Trace {
    fn default() -> Self {
        Self {
            stretches: Vec::new(),
            length: 1,
            last: 0,
        }
    }
}

impl Trace {
    fn push(&mut self, point: [f64; 2]) {
        if !point[1].is_finite() {
            return;
        }
        let own = Stretch {
            low: point,
            high: point,
        };
        if let Some(stretch) = self.stretches.last_mut()
            && self.last < self.length
        {
            stretch.join(&own);
            self.last += 1;
            return;
        }
        if self.stretches.len() == MAX_STRETCHES {
            self.join_pairs();
        }
        self.stretches.push(own);
        self.last = 1;
    }

    /// Half as many stretches, twice as long.
    fn join_pairs(&mut self) {
        for n in 0..MAX_STRETCHES / 2 {
            let mut joined = self.stretches[2 * n];
            joined.join(&self.stretches[2 * n + 1]);
            self.stretches[n] = joined;
        }
        self.stretches.truncate(MAX_STRETCHES / 2);
        self.length *= 2;
    }

    fn points(&self) -> impl Iterator<Item = [f64; 2]> {
        self.stretches.iter().flat_map(|stretch| {
            let Stretch { low, high } = *stretch;
            let (first, second) = if low[0] <= high[0] {
                (low, high)
            } else {
                (high, low)
            };
            let two = second[0] > first[0];
            std::iter::once(first).chain(two.then_some(second))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(samples: u32, value: impl Fn(u32) -> f64) -> Kept {
        let mut kept = Kept::default();
        for n in 0..samples {
            let moment = Moment {
                reported_a: value(n),
                ..Moment::default()
            };
            kept.push(1e-3 * f64::from(n), &moment);
        }
        kept
    }

    #[test]
    fn a_short_motion_is_kept_sample_by_sample() {
        let samples = MAX_STRETCHES as u32;
        let all: Vec<_> = kept(samples, f64::from).points(Drawn::Current).collect();
        let expected: Vec<_> = (0..samples)
            .map(|n| [1e-3 * f64::from(n), f64::from(n)])
            .collect();
        assert_eq!(all, expected);
    }

    #[test]
    fn a_long_motion_takes_no_more_room_and_keeps_its_peaks_in_their_order() {
        // One sample of a hundred thousand is a peak, one a dip right behind it.
        let peaks = |n: u32| match n % 100_000 {
            70_001 => f64::from(n),
            70_002 => -f64::from(n),
            _ => 0.25,
        };
        let kept = kept(1_000_000, peaks);
        let points: Vec<_> = kept.points(Drawn::Current).collect();
        assert!(points.len() <= 2 * MAX_STRETCHES, "{}", points.len());
        assert!(
            kept.lines
                .iter()
                .all(|line| line.stretches.len() <= MAX_STRETCHES)
        );
        assert!(points.is_sorted_by(|a, b| a[0] < b[0]));
        for n in 0..10_u32 {
            let at = 100_000 * n + 70_001;
            for at in [at, at + 1] {
                let point = [1e-3 * f64::from(at), peaks(at)];
                assert!(points.contains(&point), "{point:?}");
            }
        }
        // What never moves is one point a stretch.
        let still: Vec<_> = kept.points(Drawn::Position).collect();
        assert!(still.len() <= MAX_STRETCHES && still.iter().all(|p| p[1] == 0.0));
        assert!(still.last().is_some_and(|p| p[0] > 995.0));
    }

    #[test]
    fn what_is_no_number_is_not_drawn() {
        let some = kept(3, |n| if n == 1 { f64::NAN } else { 1.0 });
        assert_eq!(some.points(Drawn::Current).count(), 2);
    }
}
