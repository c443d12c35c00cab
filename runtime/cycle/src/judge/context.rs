//! Baselines by context: in another recipe, with another tool or load, or warmer, an axis carries something else, or moves it otherwise, and is
//! healthy in another way.
//!
//! An axis has rows of its own for some contexts, and rows that hold in all others. Which of them judge a movement:
//!
//! - Those of the first context that holds from its start to its end: those that name most come first ([`rank`](twinstep_models::sample::Only::rank)).
//! - None where something that rows of this axis name changed within it. Its figures are means over all of its way, and nobody knows from when
//!   on the machine did what the new recipe says: the load may have been handed over before the movement or after it. One movement at a change
//!   says little that its neighbours do not say.
//! - None where nobody tells something that rows of this axis name: it may be one that has rows of its own. What none of them names does not
//!   matter.
//! - A figure that has rows in other contexts, and none that holds in this one, is not judged: what is healthy of it was never seen.
//!
//! What is left out is counted. Two contexts are never in force at once, so each figure goes on with one sum, in standard deviations of
//! the row in force: on a healthy machine it is a sum over figures of one law, whatever the order of the contexts, and a fault that is there
//! in all of them adds up over all. So the rows of a figure are one stream when false alarms are shared out, however many there are.
//!
//! Evidence beside the figures has healthy values that are learnt in the run. Those are of one context, the first that is judged: a load that
//! differs by recipe would be taken for a shift of what holds it.

use super::AxisJudge;
use super::renewal::Bases;
use crate::plan::{AxisPlan, Baseline, ContextBases, SlowPlan};
use twinstep_models::blocks::{Block, FEATURES, Feature, Paces};
use twinstep_models::sample::{Context, FACTORS, Factors};

/// A bit for each of recipe, tool, load and temperature that a row of the axis names.
fn named(own: &[ContextBases]) -> u8 {
    own.iter().fold(0, |bits, one| bits | one.only.named())
}

/// The contexts of the movements of one axis. What changed within a movement is unknown in it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(super) struct Contexts {
    /// Of the movement in progress, or the rest before it, as far as it is the same since it was first looked at.
    begun: Option<Factors>,
    /// That of the movement that ended last; none: none has ended.
    ended: Option<Factors>,
    /// The one that evidence beside the figures is gathered in; none: in all, or not yet known.
    evidence: Option<Factors>,
}

impl Contexts {
    /// Forgets the movement in progress.
    pub fn forget(&mut self) {
        self.begun = None;
    }

    /// Something of the movement in progress has ended in this context.
    pub fn see(&mut self, here: Factors) {
        self.begun = Some(self.begun.map_or(here, |begun| begun.same(here)));
    }

    /// The movement has ended. Returns what it had from its start to its end.
    pub fn end(&mut self, here: Factors) -> Factors {
        let whole = self.begun.map_or(here, |begun| begun.same(here));
        (self.begun, self.ended) = (None, Some(whole));
        whole
    }

    /// Whether a movement in this context is none of those that evidence is gathered in.
    pub fn is_another(&mut self, own: &[ContextBases], whole: Factors) -> bool {
        if own.is_empty() {
            return false;
        }
        let Some(here) = whole.known(named(own)) else {
            return true;
        };
        *self.evidence.get_or_insert(here) != here
    }

    /// Whether what holds the axis at rest is comparable: it rested in one context, that of the evidence.
    pub fn hold_alike(&self, own: &[ContextBases], here: Factors) -> bool {
        if own.is_empty() {
            return true;
        }
        let named = named(own);
        let alike = |evidence| {
            let rests = here.known(named) == Some(evidence);
            rests && self.ended.and_then(|ended| ended.known(named)) == Some(evidence)
        };
        self.evidence.is_some_and(alike)
    }

    /// What a rest in this context has in common with the movement before it; what changed in between is unknown.
    pub fn resting(&self, here: Factors) -> Factors {
        self.ended
            .map_or(Factors([Context::UNKNOWN; FACTORS]), |ended| {
                ended.same(here)
            })
    }

    /// Evidence is to be gathered anew.
    pub fn renew(&mut self) {
        self.evidence = None;
    }
}

/// The rows that hold for a movement or a rest.
#[derive(Clone, Copy, Debug)]
pub(super) enum Rows<'a> {
    /// Those of every context without its own.
    General,
    /// Those of one context, and its number among those of the axis.
    Own(usize, &'a ContextBases),
    /// None: the context changed, or nobody knows it.
    Between,
}

impl<'a> Rows<'a> {
    /// Those for a movement or a rest in this context.
    pub fn of(own: &'a [ContextBases], whole: Factors) -> Self {
        let Some(here) = whole.known(named(own)) else {
            return Self::Between;
        };
        (own.iter().enumerate())
            .find(|(_, one)| one.only.holds(here))
            .map_or(Self::General, |(n, one)| Self::Own(n, one))
    }

    /// Number of the context among those of the axis.
    pub fn number(&self) -> Option<usize> {
        match self {
            Self::Own(n, _) => Some(*n),
            Self::General | Self::Between => None,
        }
    }

    fn rows<'p>(&self, plan: &'p AxisPlan) -> (&'p [Option<Baseline>; FEATURES], &'p SlowPlan)
    where
        'a: 'p,
    {
        match *self {
            Self::Own(_, one) => (&one.baseline, &one.slow),
            Self::General | Self::Between => (&plan.baseline, &plan.slow),
        }
    }

    /// Their baselines. Between two contexts nothing is left that would be judged by them.
    pub fn bases(&self, plan: &AxisPlan) -> Bases {
        let (baseline, slow) = self.rows(plan);
        Bases::of(baseline, slow)
    }

    /// Their paces.
    pub fn paces<'p>(&self, plan: &'p AxisPlan) -> &'p [Option<Paces>; FEATURES]
    where
        'a: 'p,
    {
        &self.rows(plan).1.paces
    }
}

/// A bit for each figure that has a baseline: of the current, the disturbance and the ripple of each feature.
fn learnt(baseline: &[Option<Baseline>; FEATURES], slow: &SlowPlan) -> u16 {
    let all = (baseline.iter().chain(&slow.disturbance)).chain(&slow.ripple);
    all.enumerate()
        .fold(0, |bits, (n, one)| bits | (u16::from(one.is_some()) << n))
}

/// The bits of the figures of one feature.
const fn bits_of(feature: usize) -> u16 {
    // The ripple has the first features alone: further bits are never set.
    (1 << feature) | (1 << (FEATURES + feature)) | (1 << (2 * FEATURES + feature))
}

const _: () = assert!(3 * FEATURES <= u16::BITS as usize);

impl AxisJudge {
    /// Counts a movement with a figure that nothing is learnt of in its context, and takes all of them out where that changed within it.
    /// Returns whether it is one.
    pub(super) fn leave_out_unlearnt(
        &mut self,
        plan: &AxisPlan,
        own: &[ContextBases],
        rows: &Rows<'_>,
        blocks: &mut [Option<Block>; FEATURES],
    ) -> bool {
        if own.is_empty() {
            return false;
        }
        let general = learnt(&plan.baseline, &plan.slow);
        let here = match rows {
            Rows::General => general,
            Rows::Own(_, one) => learnt(&one.baseline, &one.slow),
            Rows::Between => 0,
        };
        let anywhere =
            (own.iter()).fold(general, |bits, one| bits | learnt(&one.baseline, &one.slow));
        let missing = anywhere & !here;
        let left_out = (blocks.iter().enumerate())
            .any(|(feature, block)| block.is_some() && missing & bits_of(feature) != 0);
        if matches!(rows, Rows::Between) {
            *blocks = [None; FEATURES];
        }
        self.not_judged.context = self.not_judged.context.saturating_add(u64::from(left_out));
        left_out
    }

    /// The context of the movement that ended last, unknown as far as it changed within it; none where none has ended.
    pub const fn ended_factors(&self) -> Option<Factors> {
        self.contexts.ended
    }

    /// What the plan says is healthy of `feature` in the context of that movement.
    pub(crate) fn healthy_of(
        &self,
        plan: &AxisPlan,
        own: &[ContextBases],
        feature: Feature,
    ) -> Option<Baseline> {
        let rows = match self.contexts.ended {
            Some(ended) => Rows::of(own, ended),
            None if own.is_empty() => Rows::General,
            None => Rows::Between,
        };
        if matches!(rows, Rows::Between) {
            return None;
        }
        rows.rows(plan).0[feature as usize]
    }
}

#[cfg(test)]
#[path = "context_tests.rs"]
mod tests;
