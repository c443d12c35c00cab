//! Sets of cores, in the two ways in which the kernel writes them: `0-2,5` and `27` (a mask in hex, groups of 32 by commas).

use std::collections::BTreeSet;
use std::fmt::{self, Write as _};

/// Largest number of a core that is understood: the kernel's own bound (`CONFIG_NR_CPUS`).
pub const MAX_CPU: usize = 8191;

/// A set of cores.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cpus(BTreeSet<usize>);

impl Cpus {
    /// One core alone.
    pub fn one(cpu: usize) -> Self {
        Self(BTreeSet::from([cpu]))
    }

    /// Reads a list; empty text is the empty set. None where it is no list.
    pub fn parse_list(text: &str) -> Option<Self> {
        Self::parse_parameter(text, None)
    }

    /// Reads a list as parameters of the kernel have them: `N` is the `last` core, `all` is every one, and
    /// `0-15:2/4` is the first 2 of every 4.
    pub fn parse_parameter(text: &str, last: Option<usize>) -> Option<Self> {
        let number = |text: &str| match (text, last) {
            ("N", Some(last)) => Some(last),
            _ => text.parse().ok().filter(|cpu| *cpu <= MAX_CPU),
        };
        let mut set = BTreeSet::new();
        for part in text.trim().split(',').map(str::trim) {
            if part.is_empty() || part == "(null)" {
                continue;
            }
            if let ("all", Some(last)) = (part, last) {
                set.extend(0..=last);
                continue;
            }
            let (range, stride) = part.split_once(':').unwrap_or((part, "1/1"));
            let (used, group) = stride.split_once('/')?;
            let (used, group): (usize, usize) = (used.parse().ok()?, group.parse().ok()?);
            let (first, end) = range.split_once('-').unwrap_or((range, range));
            let (first, end) = (number(first)?, number(end)?);
            if first > end || group == 0 || used == 0 || used > group {
                return None;
            }
            set.extend((first..=end).filter(|cpu| (cpu - first) % group < used));
        }
        Some(Self(set))
    }

    /// Reads a mask. None where it is no mask.
    pub fn parse_mask(text: &str) -> Option<Self> {
        let digits: String = text.trim().chars().filter(|c| *c != ',').collect();
        if digits.is_empty() || digits.len() * 4 > MAX_CPU + 1 {
            return None;
        }
        let mut set = BTreeSet::new();
        for (place, digit) in digits.chars().rev().enumerate() {
            let bits = digit.to_digit(16)?;
            set.extend(
                (0..4)
                    .filter(|bit| bits >> bit & 1 == 1)
                    .map(|bit| place * 4 + bit),
            );
        }
        Some(Self(set))
    }

    /// As a mask that the kernel takes.
    pub fn mask(&self) -> String {
        let groups = self.last().unwrap_or(0) / 32 + 1;
        let mut words = vec![0_u32; groups];
        for cpu in &self.0 {
            if let Some(word) = words.get_mut(cpu / 32) {
                *word |= 1 << (cpu % 32);
            }
        }
        let mut text = String::new();
        for (n, word) in words.iter().rev().enumerate() {
            // Writing to a string cannot fail.
            let _ = if n == 0 {
                write!(text, "{word:x}")
            } else {
                write!(text, ",{word:08x}")
            };
        }
        text
    }

    /// Whether `cpu` is in it.
    pub fn contains(&self, cpu: usize) -> bool {
        self.0.contains(&cpu)
    }

    /// Whether it is empty.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// The one with the largest number.
    pub fn last(&self) -> Option<usize> {
        self.0.last().copied()
    }

    /// All cores, in order.
    pub fn iter(&self) -> impl Iterator<Item = usize> + '_ {
        self.0.iter().copied()
    }

    /// Those in either.
    pub fn union(&self, other: &Self) -> Self {
        Self(self.0.union(&other.0).copied().collect())
    }

    /// Those in both.
    pub fn intersection(&self, other: &Self) -> Self {
        Self(self.0.intersection(&other.0).copied().collect())
    }

    /// Those that are not in `other`.
    pub fn without(&self, other: &Self) -> Self {
        Self(self.0.difference(&other.0).copied().collect())
    }
}

/// The list, `none` where it is empty.
impl fmt::Display for Cpus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.iter().peekable();
        if rest.peek().is_none() {
            return f.write_str("none");
        }
        let mut comma = "";
        while let Some(first) = rest.next() {
            let mut end = first;
            while let Some(next) = rest.next_if_eq(&(end + 1)) {
                end = next;
            }
            if first == end {
                write!(f, "{comma}{first}")?;
            } else {
                write!(f, "{comma}{first}-{end}")?;
            }
            comma = ",";
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn set(cpus: &[usize]) -> Cpus {
        Cpus(cpus.iter().copied().collect())
    }

    #[test]
    fn lists_are_read_as_the_kernel_writes_them() {
        for (text, cpus) in [
            ("", set(&[])),
            ("(null)", set(&[])),
            ("3", set(&[3])),
            ("0-2,5", set(&[0, 1, 2, 5])),
            (" 1,3 \n", set(&[1, 3])),
            ("0-7:2/4", set(&[0, 1, 4, 5])),
        ] {
            assert_eq!(Cpus::parse_list(text), Some(cpus), "{text:?}");
        }
        for text in [
            "x",
            "3-1",
            "0-8192",
            "-1",
            "1-",
            "0-3:0/2",
            "0-3:2",
            "N",
            "99999999999999999999",
        ] {
            assert_eq!(Cpus::parse_list(text), None, "{text:?}");
        }
        assert_eq!(Cpus::parse_parameter("2-N", Some(3)), Some(set(&[2, 3])));
        assert_eq!(Cpus::parse_parameter("all", Some(1)), Some(set(&[0, 1])));
    }

    #[test]
    fn masks_are_read_in_groups_of_32() {
        assert_eq!(Cpus::parse_mask("5"), Some(set(&[0, 2])));
        assert_eq!(Cpus::parse_mask("1,00000001"), Some(set(&[0, 32])));
        assert_eq!(Cpus::parse_mask("g"), None);
        assert_eq!(Cpus::parse_mask(""), None);
        assert_eq!(set(&[0, 32]).mask(), "1,00000001");
        assert_eq!(set(&[]).to_string(), "none");
    }

    proptest! {
        #[test]
        fn both_ways_give_the_set_back(cpus in prop::collection::btree_set(0_usize..300, 1..40)) {
            let cpus = Cpus(cpus);
            prop_assert_eq!(Cpus::parse_list(&cpus.to_string()), Some(cpus.clone()));
            prop_assert_eq!(Cpus::parse_mask(&cpus.mask()), Some(cpus));
        }

        #[test]
        fn no_text_is_too_strange(text in "[0-9N,:/a-f -]{0,40}") {
            let _ = Cpus::parse_parameter(&text, Some(7));
            let _ = Cpus::parse_mask(&text);
        }
    }
}
