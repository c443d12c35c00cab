//! Wrong tokens, counted by where they come from: who guesses is told to stop for a while. A right token is not asked for here.

use std::collections::HashMap;

/// Wrong tokens from one place that are taken for mistakes in [`PENALTY_NS`].
pub const MAX_WRONG: u32 = 10;
/// See [`MAX_WRONG`] (ns).
pub const PENALTY_NS: u64 = 10_000_000_000;
/// Places that are remembered; of more, the one goes whose first wrong token is the longest ago.
const MAX_PLACES: usize = 256;

/// See the module.
#[derive(Debug, Default)]
pub struct Guesses(HashMap<String, (u32, u64)>);

impl Guesses {
    /// Whether there were too many from there, at `now_ns` of the monotonic clock.
    pub fn are_too_many(&mut self, from: &str, now_ns: u64) -> bool {
        let over = |since_ns: u64| now_ns.saturating_sub(since_ns) > PENALTY_NS;
        if self
            .0
            .get(from)
            .is_some_and(|(_, since_ns)| over(*since_ns))
        {
            self.0.remove(from);
        }
        self.0
            .get(from)
            .is_some_and(|(wrong, _)| *wrong >= MAX_WRONG)
    }

    /// Counts a wrong one.
    pub fn count(&mut self, from: &str, now_ns: u64) {
        if let Some((wrong, _)) = self.0.get_mut(from) {
            *wrong = wrong.saturating_add(1);
            return;
        }
        if self.0.len() >= MAX_PLACES {
            let oldest = self.0.iter().min_by_key(|(_, (_, since_ns))| *since_ns);
            if let Some(oldest) = oldest.map(|(from, _)| from.clone()) {
                self.0.remove(&oldest);
            }
        }
        self.0.insert(from.to_owned(), (1, now_ns));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_who_guesses_keeps_nobody_else_out_and_is_heard_again_later() {
        let mut guesses = Guesses::default();
        for _ in 0..MAX_WRONG {
            assert!(!guesses.are_too_many("10.0.0.1", 5));
            guesses.count("10.0.0.1", 5);
        }
        assert!(guesses.are_too_many("10.0.0.1", 5 + PENALTY_NS));
        assert!(!guesses.are_too_many("10.0.0.2", 5));
        assert!(!guesses.are_too_many("10.0.0.1", 6 + PENALTY_NS));
    }

    #[test]
    fn there_is_an_end_to_the_places() {
        let mut guesses = Guesses::default();
        for n in 0..10_000_u64 {
            guesses.count(&n.to_string(), n);
        }
        assert_eq!(guesses.0.len(), MAX_PLACES);
        assert!(guesses.0.contains_key("9999") && !guesses.0.contains_key("0"));
    }
}
