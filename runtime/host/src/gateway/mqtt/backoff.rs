//! How long to wait before the next try.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

/// The first wait at most.
const FIRST: Duration = Duration::from_millis(500);
/// The longest.
const LONGEST: Duration = Duration::from_secs(30);

/// Waits that double up to 30 s, each between half and all of it, so that many machines do not come back at once.
#[derive(Debug, Default)]
pub struct Backoff {
    tries: u32,
}

impl Backoff {
    /// The next wait.
    pub fn wait(&mut self) -> Duration {
        let whole = (FIRST * 2_u32.saturating_pow(self.tries.min(10))).min(LONGEST);
        self.tries = self.tries.saturating_add(1);
        // A hasher of the standard library is seeded at random.
        let dice = RandomState::new().hash_one(self.tries);
        let share = 0.5 + 0.5 * (dice >> 11) as f64 / (1_u64 << 53) as f64;
        whole.mul_f64(share)
    }

    /// Something has arrived: the next wait is a short one again.
    pub const fn reset(&mut self) {
        self.tries = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_half_a_minute_and_are_never_the_same() {
        let mut backoff = Backoff::default();
        let mut whole = FIRST;
        for _ in 0..40 {
            let wait = backoff.wait();
            assert!(wait >= whole / 2 && wait <= whole, "{wait:?} of {whole:?}");
            whole = (whole * 2).min(LONGEST);
        }
        let waits: std::collections::BTreeSet<_> = (0..20).map(|_| backoff.wait()).collect();
        assert!(waits.len() > 10);
        backoff.reset();
        assert!(backoff.wait() <= FIRST);
    }
}
