//! A coarse histogram to be shown: two buckets an octave, counted as the cycles come.

/// Octave in which the first bucket ends: 2^6 ns.
const FIRST: u32 = 6;
/// Octaves up to 2^30 ns, about a second.
const OCTAVES: u32 = 24;
/// Number of buckets: one below, two an octave, one above.
const COUNT: usize = 2 * OCTAVES as usize + 2;

/// Counts of durations, by half octaves: the upper ends are 64, 96, 128, 192, 256 ns and so on up to 1.07 s.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Buckets([u64; COUNT]);

impl Default for Buckets {
    fn default() -> Self {
        Self([0; COUNT])
    }
}

impl Buckets {
    /// Counts one duration.
    #[inline]
    pub fn add(&mut self, duration_ns: u64) {
        if let Some(count) = self.0.get_mut(index(duration_ns)) {
            *count += 1;
        }
    }

    /// Forgets all.
    pub fn clear(&mut self) {
        self.0 = [0; COUNT];
    }

    /// The buckets that hold something, in ascending order: the end that a duration of it is below (ns; `u64::MAX` for
    /// the last), and how many.
    pub fn filled(&self) -> impl Iterator<Item = (u64, u64)> + '_ {
        let all = self.0.iter().enumerate();
        all.filter(|(_, count)| **count > 0)
            .map(|(index, count)| (end_ns(index), *count))
    }
}

/// Bucket of a duration.
#[inline]
fn index(duration_ns: u64) -> usize {
    if duration_ns < 1 << FIRST {
        return 0;
    }
    let octave = duration_ns.ilog2();
    // The second highest bit tells the upper half of an octave from the lower one.
    let half = (duration_ns >> (octave - 1)) & 1;
    let index = 1 + 2 * (octave - FIRST) as usize + half as usize;
    index.min(COUNT - 1)
}

/// End of a bucket (ns).
fn end_ns(index: usize) -> u64 {
    if index + 1 >= COUNT {
        return u64::MAX;
    }
    // Bucket 0 ends at 2^6, 1 at 1.5 * 2^6, 2 at 2^7.
    let octave = FIRST + (index / 2) as u32;
    let start = 1_u64 << octave;
    if index.is_multiple_of(2) {
        start
    } else {
        start + start / 2
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_below_the_end_of_its_bucket_and_not_below_that_before() {
        let near_ends = (0..COUNT - 1).flat_map(|n| [end_ns(n) - 1, end_ns(n), end_ns(n) + 1]);
        for duration_ns in near_ends.chain([0, 1, 1 << 40, u64::MAX]) {
            let at = index(duration_ns);
            assert!(duration_ns < end_ns(at) || at == COUNT - 1, "{duration_ns}");
            assert!(at == 0 || duration_ns >= end_ns(at - 1), "{duration_ns}");
        }
        assert!((0..COUNT - 1).all(|n| end_ns(n) < end_ns(n + 1)));
    }

    #[test]
    fn only_filled_buckets_are_listed() {
        let mut buckets = Buckets::default();
        for duration_ns in [10, 100, 100, 2_000_000_000] {
            buckets.add(duration_ns);
        }
        let filled: Vec<_> = buckets.filled().collect();
        assert_eq!(filled, [(64, 1), (128, 2), (u64::MAX, 1)]);
        buckets.clear();
        assert_eq!(buckets.filled().count(), 0);
    }
}
