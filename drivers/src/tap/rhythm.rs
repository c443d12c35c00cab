//! Where a cycle of somebody else's master begins.

use super::collect::Key;

/// Datagrams among which the first one of a cycle is looked for.
const MAX_KEYS: usize = 64;

/// Finds where a cycle begins: at the datagram after the longest pause.
#[derive(Debug, Default)]
pub struct Rhythm {
    /// Datagram, sum of the pauses before it (ns), how often it came.
    keys: Vec<(Key, u64, u64)>,
    last_ns: Option<u64>,
}

impl Rhythm {
    /// Takes a datagram that went out at `now_ns`.
    pub fn take(&mut self, key: Key, now_ns: u64) {
        let Some(last_ns) = self.last_ns.replace(now_ns) else {
            return;
        };
        let pause_ns = now_ns.saturating_sub(last_ns);
        if let Some((_, sum, count)) = self.keys.iter_mut().find(|(known, ..)| *known == key) {
            *sum = sum.saturating_add(pause_ns);
            *count += 1;
        } else if self.keys.len() < MAX_KEYS {
            self.keys.push((key, pause_ns, 1));
        }
    }

    /// The datagram after the longest pause; none before two were taken.
    pub fn anchor(&self) -> Option<Key> {
        let longest = self.keys.iter().max_by_key(|(_, sum, count)| sum / count);
        longest.map(|(key, ..)| *key)
    }
}
