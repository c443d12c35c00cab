//! Whether a replay does what the run did: digests as the recording has them beside those that come out. What the operator told
//! the run and what changes its judging is told the replay before the same cycle.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::PoisonError;
use twinstep_drivers::recording::mcap::Contents;

/// A command that an axis learns its baseline anew, as it stands in recordings; the number of the axis follows.
pub const BASELINE: &str = "baseline ";

/// What became of a replay.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// Digests that were compared.
    pub compared: u64,
    /// Cycle of the first digest that differs.
    pub differs: Option<u64>,
}

/// The digests of a recording, and what became of them.
#[derive(Debug, Default)]
pub struct Checks {
    /// By cycle, ascending.
    digests: Vec<(u64, u64)>,
    /// First cycle that it holds for, and axis; ascending.
    baselines: Vec<(u64, usize)>,
    /// Cycles and digest of a run that ended in order and is whole here.
    end: Option<(u64, u64)>,
    verdict: Mutex<Verdict>,
}

/// The cycle thread's side.
#[derive(Debug)]
pub struct Follower<'c> {
    checks: &'c Checks,
    next: usize,
    next_baseline: usize,
    verdict: Verdict,
}

impl Checks {
    /// Those of a recording.
    pub fn of(contents: &Contents) -> Self {
        let mut digests = contents.digests.clone();
        digests.sort_unstable();
        let mut baselines: Vec<_> = (contents.commands.iter())
            .filter_map(|line| baseline(line))
            .collect();
        baselines.sort_unstable();
        Self {
            digests,
            baselines,
            end: contents.end.as_ref().and_then(end),
            verdict: Mutex::default(),
        }
    }

    /// Compares the digest of the whole run, once it has ended.
    pub fn end(&self, digest: u64) {
        let Some((cycles, recorded)) = self.end else {
            return;
        };
        let mut verdict = self.verdict.lock().unwrap_or_else(PoisonError::into_inner);
        verdict.compared += 1;
        if digest != recorded {
            verdict.differs.get_or_insert(cycles);
        }
    }

    /// The same without what comes from cycle `missing` on, which the recording does not have.
    pub fn up_to(mut self, missing: Option<u64>) -> Self {
        if let Some(missing) = missing {
            self.digests.retain(|(cycle, _)| *cycle < missing);
            self.end = None;
        }
        self
    }

    /// The cycle thread's side.
    pub fn follow(&self) -> Follower<'_> {
        Follower {
            checks: self,
            next: 0,
            next_baseline: 0,
            verdict: Verdict::default(),
        }
    }

    /// What became of them, once the run has ended.
    pub fn verdict(&self) -> Verdict {
        *self.verdict.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Cycles and digest of a run that is whole.
fn end(end: &BTreeMap<String, String>) -> Option<(u64, u64)> {
    let number = |key: &str| end.get(key)?.parse::<u64>().ok();
    let digest = u64::from_str_radix(end.get("digest")?, 16).ok()?;
    (number("cycles_missing") == Some(0)).then_some((number("cycles")?, digest))
}

/// The first cycle and the axis of a command that asks for a baseline.
fn baseline(line: &str) -> Option<(u64, usize)> {
    let command: serde_json::Value = serde_json::from_str(line).ok()?;
    let axis = command["command"].as_str()?.strip_prefix(BASELINE)?;
    Some((command["cycle"].as_u64()?, axis.parse().ok()?))
}

impl Follower<'_> {
    /// The axis whose baseline is learnt anew from `cycle` on; called before it.
    pub fn baseline(&mut self, cycle: u64) -> Option<usize> {
        let baselines = &self.checks.baselines;
        let (from, axis) = *baselines.get(self.next_baseline)?;
        if from > cycle {
            return None;
        }
        self.next_baseline += 1;
        Some(axis)
    }

    /// Compares what came out of `cycle`, where the recording has a digest of it.
    pub fn cycle(&mut self, cycle: u64, digest: impl FnOnce() -> u64) {
        let mut due = None;
        while let Some((at, recorded)) = self.checks.digests.get(self.next).filter(|d| d.0 <= cycle)
        {
            self.next += 1;
            due = (*at == cycle).then_some(*recorded);
        }
        let Some(recorded) = due else { return };
        self.verdict.compared += 1;
        if self.verdict.differs.is_none() && digest() != recorded {
            self.verdict.differs = Some(cycle);
        }
    }
}

impl Drop for Follower<'_> {
    fn drop(&mut self) {
        let mut verdict = (self.checks.verdict.lock()).unwrap_or_else(PoisonError::into_inner);
        *verdict = self.verdict;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_baseline_is_asked_for_before_the_cycle_that_it_was_asked_for_in() {
        let line = |text: &str| text.to_owned();
        let checks = Checks::of(&Contents {
            commands: vec![
                line(r#"{"cycle":9,"command":"baseline 3"}"#),
                line(r#"{"cycle":4,"command":"inject friction:x:factor=2"}"#),
                line(r#"{"cycle":7,"command":"baseline 1"}"#),
                line("no command"),
            ],
            ..Contents::default()
        });
        let mut follower = checks.follow();
        let asked: Vec<_> = (5..11).map(|cycle| follower.baseline(cycle)).collect();
        assert_eq!(asked, [None, None, Some(1), None, Some(3), None]);
    }

    #[test]
    fn the_digest_of_the_whole_run_is_compared_where_the_recording_is_whole() {
        let checks = |missing: &str| {
            let end = [
                ("cycles", "40"),
                ("digest", "00000000000000ff"),
                ("cycles_missing", missing),
            ];
            Checks::of(&Contents {
                end: Some(
                    end.map(|(key, value)| (key.to_owned(), value.to_owned()))
                        .into(),
                ),
                ..Contents::default()
            })
        };
        for (missing, digest, compared, differs) in [
            ("0", 255, 1, None),
            ("0", 254, 1, Some(40)),
            ("2", 254, 0, None),
        ] {
            let checks = checks(missing);
            checks.end(digest);
            assert_eq!(checks.verdict(), Verdict { compared, differs });
        }
    }

    #[test]
    fn nothing_is_compared_from_a_missing_cycle_on() {
        let end = [("cycles", "9"), ("digest", "00"), ("cycles_missing", "0")];
        let checks = Checks::of(&Contents {
            digests: vec![(5, 50), (7, 70)],
            end: Some(
                end.map(|(key, value)| (key.to_owned(), value.to_owned()))
                    .into(),
            ),
            ..Contents::default()
        });
        let checks = checks.up_to(Some(6));
        let mut follower = checks.follow();
        (0..9).for_each(|cycle| follower.cycle(cycle, || if cycle < 6 { 50 } else { 1 }));
        drop(follower);
        checks.end(1);
        let expected = Verdict {
            compared: 1,
            differs: None,
        };
        assert_eq!(checks.verdict(), expected);
    }

    #[test]
    fn the_first_digest_that_differs_is_named() {
        let checks = Checks::of(&Contents {
            digests: vec![(5, 50), (7, 70), (9, 90)],
            ..Contents::default()
        });
        let mut follower = checks.follow();
        (0..7).for_each(|cycle| follower.cycle(cycle, || cycle * 10));
        // Cycle 7 never came.
        follower.cycle(8, || 80);
        follower.cycle(9, || 91);
        drop(follower);
        assert_eq!(
            checks.verdict(),
            Verdict {
                compared: 2,
                differs: Some(9)
            }
        );
    }
}
