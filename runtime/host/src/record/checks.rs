//! Whether a replay does what the run did: digests as the recording has them beside those that come out. What the operator told
//! the run and what changes its judging is told the replay before the same cycle.

use super::checkpoint::{Given, decode, form};
use crate::error::HostError;
use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::PoisonError;
use twinstep_cycle::pipeline::Pipeline;
use twinstep_drivers::recording::mcap::Contents;

/// A command that an axis learns its baseline anew, as it stands in recordings; the number of the axis follows.
pub const BASELINE: &str = "baseline ";

/// Largest number that a replay's first event may have: others follow it.
const MAX_SEQ: u64 = i64::MAX as u64 / 2;

/// What became of a replay.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// Digests that were compared.
    pub compared: u64,
    /// Cycle of the first digest that differs.
    pub differs: Option<u64>,
    /// The checkpoints are of other twins: nothing was judged.
    pub unfit: bool,
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
    /// What the state is made of before anything is compared; empty where the replay begins as the run did.
    parts: Vec<Given>,
    /// The recording is cut out of a run: it ends in the middle of it.
    cut_out: bool,
    verdict: Mutex<Verdict>,
}

/// The cycle thread's side.
#[derive(Debug)]
pub struct Follower<'c> {
    checks: &'c Checks,
    next: usize,
    next_baseline: usize,
    next_part: usize,
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
            parts: Vec::new(),
            cut_out: contents.head.facts.contains_key("event"),
            verdict: Mutex::default(),
        }
    }

    /// The same for a replay that begins with the checkpoints of the recording, in the middle of its run.
    ///
    /// # Errors
    /// [`HostError::Usage`] where it has none that this version reads.
    pub fn from_checkpoint(contents: &Contents) -> Result<Self, HostError> {
        let refused = |what: String, remedy: &str| Err(HostError::usage(what, remedy));
        if contents.checkpoints.is_empty() {
            return refused(
                "the recording has no whole checkpoint to begin at".to_owned(),
                "a piece of at least two seconds has one; `export` shows what is in it",
            );
        }
        if contents.checkpoint_form.as_deref() != Some(form()) {
            let version = contents.head.facts.get("version");
            return refused(
                format!(
                    "the checkpoints of the recording are those of another version of the twins: it is of twinstep {}, this is {}, and a field differs",
                    version.map_or("?", String::as_str),
                    env!("CARGO_PKG_VERSION")
                ),
                "replay it with the program that recorded it, or a recording of the whole run from its start",
            );
        }
        let parts = contents.checkpoints.iter().map(decode);
        match parts.collect::<Result<Vec<_>, _>>() {
            Ok(parts) => {
                let first = parts.first().map_or(0, |part| part.cycle);
                let mut checks = Self {
                    parts,
                    ..Self::of(contents)
                };
                // What was learnt before stands in the checkpoints.
                checks.baselines.retain(|(from, _)| *from > first + 1);
                Ok(checks)
            }
            Err(what) => refused(what, "it is damaged: record it again"),
        }
    }

    /// What a replay of a recording is compared with whose first cycle is `first`. It begins with the checkpoints where the recording
    /// begins in the middle of its run, or where that is `asked` for.
    ///
    /// # Errors
    /// [`HostError::Usage`] where checkpoints are needed and there are none that this version reads.
    pub fn for_replay(contents: &Contents, first: u64, asked: bool) -> Result<Self, HostError> {
        let cut_out = contents.head.facts.contains_key("event");
        let ours =
            !contents.checkpoints.is_empty() && contents.checkpoint_form.as_deref() == Some(form());
        if asked || (first > 0 && (ours || cut_out)) {
            return Self::from_checkpoint(contents);
        }
        // What was before the first cycle is not known.
        Ok(Self::of(contents).up_to((first > 0).then_some(first)))
    }

    /// Number of the first event that the replay will find, where the recording has one and is no whole run.
    pub fn first_seq(&self, contents: &Contents) -> Option<u64> {
        if !self.cut_out && self.parts.is_empty() {
            return None;
        }
        let whole = self.parts.last().map(|part| part.cycle);
        (contents.events.iter())
            .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
            .filter(|event| event["cycle"].as_u64() > whole)
            .filter_map(|event| event["seq"].as_u64())
            .filter(|seq| *seq <= MAX_SEQ)
            .min()
    }

    /// The first cycle of the replay; none: that of the recording.
    pub fn first_cycle(&self) -> Option<u64> {
        self.parts.first().map(|part| part.cycle.saturating_add(1))
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
            next_part: 0,
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
    /// Whether the state is that of the run.
    pub fn is_whole(&self) -> bool {
        self.next_part >= self.checks.parts.len() && !self.verdict.unfit
    }

    /// Whether the recording ends in the middle of the run.
    pub fn ends_open(&self) -> bool {
        self.checks.cut_out
    }

    /// Before the first cycle: puts back what belongs there.
    pub fn put_back_first(&mut self, pipeline: &mut Pipeline<'_>) {
        if let Some(first) = self.checks.first_cycle() {
            self.put_back(first - 1, pipeline);
        }
    }

    /// Puts back what belongs after `cycle`.
    pub fn put_back(&mut self, cycle: u64, pipeline: &mut Pipeline<'_>) {
        while let Some(given) = self.checks.parts.get(self.next_part) {
            if given.cycle > cycle {
                return;
            }
            self.next_part += 1;
            let all = self.checks.parts.len() == pipeline.parts();
            if given.cycle != cycle || !all || !pipeline.put_back(given.number, &given.part) {
                self.verdict.unfit = true;
            }
        }
    }

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
    use twinstep_drivers::recording::mcap::Checkpoint;

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
            assert_eq!(
                checks.verdict(),
                Verdict {
                    compared,
                    differs,
                    unfit: false
                }
            );
        }
    }

    #[test]
    fn checkpoints_that_cannot_be_put_back_are_refused_in_words() {
        let refused = |contents: &Contents| {
            let error = Checks::from_checkpoint(contents).unwrap_err();
            error.render(false)
        };
        let mut contents = Contents::default();
        assert!(refused(&contents).contains("no whole checkpoint"));
        contents.checkpoints = vec![Checkpoint {
            cycle: 1000,
            parts: 1,
            bytes: vec![7; 20],
            ..Checkpoint::default()
        }];
        contents.checkpoint_form = Some(form().replace("free_run", "free_runs"));
        let said = refused(&contents);
        assert!(said.contains("another version of the twins"), "{said}");
        contents.checkpoint_form = Some(form().to_owned());
        let said = refused(&contents);
        assert!(said.contains("after cycle 1000 cannot be read"), "{said}");
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
            unfit: false,
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
                differs: Some(9),
                unfit: false
            }
        );
    }
}
