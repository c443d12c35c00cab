//! What is refused at a door: every refusal is counted by its kind. The first of a kind is said, and then how many there are whenever
//! there are ten times as many: a log that grows with every stranger is of no use to anybody.

use std::collections::BTreeMap;

/// Longest description of a refusal (characters).
const MAX_WHAT: usize = 160;

/// Refusals by kind. There are as many kinds as the code has words for.
#[derive(Clone, Debug, Default)]
pub struct Refusals(BTreeMap<String, u64>);

impl Refusals {
    /// Counts one of `kind`; returns what is to be said of it, if anything. Control characters of strangers do not get into a log.
    pub fn count(&mut self, kind: &str, what: &str) -> Option<String> {
        let count = match self.0.get_mut(kind) {
            Some(count) => count,
            None => self.0.entry(kind.to_owned()).or_default(),
        };
        *count = count.saturating_add(1);
        let what: String = what.chars().take(MAX_WHAT).collect();
        let what = what.escape_debug();
        match *count {
            1 => Some(format!("{what}; further ones are counted")),
            so_far if is_power_of_ten(so_far) => Some(format!("{what}: {so_far} so far")),
            _ => None,
        }
    }

    /// All of them.
    pub fn total(&self) -> u64 {
        self.0
            .values()
            .fold(0, |sum, count| sum.saturating_add(*count))
    }
}

const fn is_power_of_ten(mut number: u64) -> bool {
    while number >= 10 && number.is_multiple_of(10) {
        number /= 10;
    }
    number == 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_is_said_once_and_then_by_its_count() {
        let mut refusals = Refusals::default();
        let said: Vec<_> = (1..=1000)
            .filter_map(|_| refusals.count("rubbish", "page: no HTTP\u{7}"))
            .collect();
        assert_eq!(
            said,
            [
                "page: no HTTP\\u{7}; further ones are counted",
                "page: no HTTP\\u{7}: 10 so far",
                "page: no HTTP\\u{7}: 100 so far",
                "page: no HTTP\\u{7}: 1000 so far",
            ]
        );
        let other = refusals.count("other", &"x".repeat(1000)).unwrap();
        assert!(other.len() < 200, "{other}");
        assert_eq!(refusals.total(), 1001);
    }
}
