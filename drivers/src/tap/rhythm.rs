//! Where a cycle of somebody else's master begins, and which of its datagrams come more often or less often.
//!
//! A master may exchange groups of SubDevices with cycles of their own. The cycle of the tap is that of the group whose
//! time is nearest to the configured period; it begins at that group's datagram after the longest pause. What the other
//! groups bring stands beside it, the youngest values each.

use super::collect::Key;

/// Datagrams that are told apart; further ones belong to the cycle.
pub const MAX_KEYS: usize = 64;
/// Often enough to say how often a datagram comes.
const ENOUGH: u64 = 3;
/// Cycles after which a datagram that came less often is nobody's: a look that the master took once. Groups that come
/// every 64th cycle have come often enough by then.
const LOOKED_AT: u64 = 3 * MAX_EVERY as u64;
/// Slowest group, in cycles.
pub const MAX_EVERY: u32 = 64;
/// Times that differ by less than this factor are those of one group.
const SAME: f64 = 1.5;

#[derive(Clone, Copy, Debug)]
struct Known {
    key: Key,
    length: usize,
    /// Sum of the pauses before it (ns).
    pauses_ns: u64,
    count: u64,
    first_ns: u64,
    last_ns: u64,
}

impl Known {
    fn cadence_ns(&self) -> f64 {
        let steps = self.count.saturating_sub(1).max(1);
        (self.last_ns.saturating_sub(self.first_ns) / steps) as f64
    }
}

/// A datagram that comes again and again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Member {
    /// Command and logical address.
    pub key: Key,
    /// Length (bytes).
    pub length: usize,
    /// Cycles from one to the next, rounded up, where it is of another group; 1 for one that comes more often.
    pub every: Option<u32>,
}

/// The master's cycle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Groups {
    /// Datagram that begins the cycle.
    pub anchor: Key,
    /// All of them.
    pub members: Vec<Member>,
}

/// See the module.
#[derive(Debug, Default)]
pub struct Rhythm {
    keys: Vec<Known>,
    last_ns: Option<u64>,
}

/// How far apart two times are: 1 for equal ones.
fn factor(a_ns: f64, b_ns: f64) -> f64 {
    a_ns.max(b_ns).max(1.0) / a_ns.min(b_ns).max(1.0)
}

impl Rhythm {
    /// Takes a datagram that went out at `now_ns`.
    pub fn take(&mut self, key: Key, length: usize, now_ns: u64) {
        let Some(last_ns) = self.last_ns.replace(now_ns) else {
            return;
        };
        let pause_ns = now_ns.saturating_sub(last_ns);
        if let Some(known) = self.keys.iter_mut().find(|known| known.key == key) {
            known.pauses_ns = known.pauses_ns.saturating_add(pause_ns);
            known.count += 1;
            known.length = known.length.max(length);
            known.last_ns = now_ns;
        } else if self.keys.len() < MAX_KEYS {
            self.keys.push(Known {
                key,
                length,
                pauses_ns: pause_ns,
                count: 1,
                first_ns: now_ns,
                last_ns: now_ns,
            });
        }
    }

    /// The groups for a machine whose cycle is `period_ns`; none while they have not shown.
    pub fn groups(&self, period_ns: u64) -> Option<Groups> {
        let most = self.keys.iter().map(|known| known.count).max()?;
        let rare = |known: &Known| known.count < ENOUGH;
        if most < ENOUGH || (self.keys.iter().any(rare) && most < LOOKED_AT) {
            return None;
        }
        let often = || self.keys.iter().filter(|known| !rare(known));
        let period_ns = period_ns as f64;
        let nearest = often()
            .min_by(|a, b| {
                factor(a.cadence_ns(), period_ns).total_cmp(&factor(b.cadence_ns(), period_ns))
            })?
            .cadence_ns();
        let apart = |known: &Known| {
            (factor(known.cadence_ns(), nearest) > SAME).then(|| {
                let cycles = known.cadence_ns() / nearest.max(1.0);
                // Saturates; below 1 for a group that comes more often.
                (cycles as u32).saturating_add(1).min(MAX_EVERY)
            })
        };
        let every = |known: &Known| {
            let more_often = known.cadence_ns() < nearest;
            apart(known).map(|every| if more_often { 1 } else { every })
        };
        let anchor = often()
            .filter(|known| apart(known).is_none())
            .max_by_key(|known| known.pauses_ns / known.count)?;
        Some(Groups {
            anchor: anchor.key,
            members: often()
                .map(|known| Member {
                    key: known.key,
                    length: known.length,
                    every: every(known),
                })
                .collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;
    const FAST: Key = (12, 0);
    const SLOW: Key = (12, 0x1_0000);

    /// Two groups for `cycles` of 1 ms; the second every fourth, `late_ns` after the first.
    fn beats(cycles: u64, late_ns: i64) -> Rhythm {
        let mut rhythm = Rhythm::default();
        for cycle in 1..=cycles {
            let fast = (FAST, cycle * MS);
            let slow = (SLOW, (cycle * MS).saturating_add_signed(late_ns));
            let mut both = vec![fast];
            if cycle % 4 == 0 {
                both.push(slow);
            }
            both.sort_by_key(|(_, at)| *at);
            for (key, at) in both {
                rhythm.take(key, 8, at);
            }
        }
        rhythm
    }

    fn every(groups: &Groups) -> [Option<u32>; 2] {
        [FAST, SLOW].map(|key| {
            let mut members = groups.members.iter();
            members.find(|member| member.key == key).unwrap().every
        })
    }

    #[test]
    fn the_group_with_the_machines_period_is_the_cycle() {
        for late_ns in [-10_000, 0, 10_000, 500_000] {
            let rhythm = beats(30, late_ns);
            let fast = rhythm.groups(MS).unwrap();
            assert_eq!((fast.anchor, every(&fast)), (FAST, [None, Some(5)]));
            let slow = rhythm.groups(4 * MS).unwrap();
            assert_eq!((slow.anchor, every(&slow)), (SLOW, [Some(1), None]));
        }
    }

    #[test]
    fn a_slow_group_is_waited_for_and_a_single_look_is_not() {
        assert_eq!(beats(8, 0).groups(MS), None);
        let mut rhythm = beats(2, 0);
        rhythm.take((10, 77), 1, 3 * MS);
        for cycle in 4..LOOKED_AT + 10 {
            let expected = cycle >= LOOKED_AT + 2;
            rhythm.take(FAST, 8, cycle * MS);
            assert_eq!(rhythm.groups(MS).is_some(), expected, "{cycle}");
        }
        let groups = rhythm.groups(MS).unwrap();
        assert_eq!((groups.anchor, groups.members.len()), (FAST, 1));
    }

    #[test]
    fn datagrams_of_one_burst_are_one_group() {
        let mut rhythm = Rhythm::default();
        for cycle in 1..10 {
            for part in 0..3 {
                rhythm.take((12, part * 100), 100, cycle * MS + u64::from(part) * 5_000);
            }
        }
        let groups = rhythm.groups(MS).unwrap();
        assert_eq!(groups.anchor, (12, 0));
        assert!(groups.members.iter().all(|member| member.every.is_none()));
    }
}
