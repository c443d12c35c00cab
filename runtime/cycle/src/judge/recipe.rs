//! Baselines by recipe: in another recipe an axis carries another load, or moves it otherwise, and is healthy in another way.
//!
//! An axis has rows of its own for some recipes, and rows that hold in all others. Which of them judge a movement:
//!
//! - Those of the recipe that was in force from its start to its end.
//! - None where the recipe changed within it. Its figures are means over all of its way, and nobody knows from when on the machine did what the
//!   new recipe says: the load may have been handed over before the movement or after it. One movement at a change says little that its
//!   neighbours do not say.
//! - None where nobody tells the recipe: it may be one that has rows of its own.
//! - A figure that has rows in other recipes, and none that holds in this one, is not judged: what is healthy of it was never seen.
//!
//! What is left out is counted. Two recipes are never in force at once, so each figure goes on with one sum, in standard deviations of
//! the row in force: on a healthy machine it is a sum over figures of one law, whatever the order of the recipes, and a fault that is there
//! in all of them adds up over all. So the rows of a figure are one stream when false alarms are shared out, however many there are.
//!
//! Evidence beside the figures has healthy values that are learnt in the run. Those are of one recipe, the first that is judged: a load that
//! differs by recipe would be taken for a shift of what holds it.

use super::AxisJudge;
use super::renewal::Bases;
use crate::plan::{AxisPlan, Baseline, RecipeBases, SlowPlan};
use twinstep_models::blocks::{Block, FEATURES, Feature, Paces};
use twinstep_models::sample::Context;

/// The recipe, where somebody tells it.
fn known(recipe: Option<u8>) -> Option<u8> {
    recipe.filter(|recipe| *recipe != Context::UNKNOWN)
}

/// The recipes of the movements of one axis.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(super) struct Recipes {
    /// In force when the movement in progress, or the rest before it, was first looked at.
    begun: Option<u8>,
    /// Another one was since.
    changed: bool,
    /// That of the movement that ended last; none: it changed within it, or none has ended.
    ended: Option<u8>,
    /// The one that evidence beside the figures is gathered in; none: in all, or not yet known.
    evidence: Option<u8>,
}

impl Recipes {
    /// Forgets the movement in progress.
    pub fn forget(&mut self) {
        (self.begun, self.changed) = (None, false);
    }

    /// Something of the movement in progress has ended in this recipe.
    pub fn see(&mut self, recipe: u8) {
        let begun = *self.begun.get_or_insert(recipe);
        self.changed |= begun != recipe;
    }

    /// The movement has ended. Returns the recipe that it had from its start to its end.
    pub fn end(&mut self, recipe: u8) -> Option<u8> {
        self.see(recipe);
        self.ended = self.begun.filter(|_| !self.changed);
        self.forget();
        self.ended
    }

    /// Whether a movement in `recipe` is none of those that evidence is gathered in.
    pub fn is_another(&mut self, own: &[RecipeBases], recipe: Option<u8>) -> bool {
        if own.is_empty() {
            return false;
        }
        if self.evidence.is_none() {
            self.evidence = known(recipe);
        }
        recipe.is_none() || recipe != self.evidence
    }

    /// Whether what holds the axis at rest is comparable: it rested in one recipe, that of the evidence.
    pub fn hold_alike(&self, own: &[RecipeBases], recipe: u8) -> bool {
        let alike = |one| one == recipe && self.ended == Some(one);
        own.is_empty() || self.evidence.is_some_and(alike)
    }

    /// That of the movement that ended last; none where it changed within it.
    pub const fn ended(&self) -> Option<u8> {
        self.ended
    }

    /// Evidence is to be gathered anew.
    pub fn renew(&mut self) {
        self.evidence = None;
    }
}

/// The rows that hold for a movement.
#[derive(Clone, Copy, Debug)]
pub(super) enum Rows<'a> {
    /// Those of every recipe without its own.
    General,
    /// Those of one recipe, and its number among those of the axis.
    Own(usize, &'a RecipeBases),
    /// None: the recipe changed, or nobody knows it.
    Between,
}

impl<'a> Rows<'a> {
    /// Those for a movement in `recipe`, none where it changed or is not known.
    pub fn of(own: &'a [RecipeBases], recipe: Option<u8>) -> Self {
        if own.is_empty() {
            return Self::General;
        }
        let Some(recipe) = known(recipe) else {
            return Self::Between;
        };
        (own.iter().enumerate())
            .find(|(_, one)| one.recipe == recipe)
            .map_or(Self::General, |(n, one)| Self::Own(n, one))
    }

    /// Number of the recipe among those of the axis.
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

    /// Their baselines. Between two recipes nothing is left that would be judged by them.
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
    /// Counts a movement with a figure that nothing is learnt of in its recipe, and takes all of them out where the recipe changed within it.
    /// Returns whether it is one.
    pub(super) fn leave_out_unlearnt(
        &mut self,
        plan: &AxisPlan,
        own: &[RecipeBases],
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
        self.not_judged.recipe = self.not_judged.recipe.saturating_add(u64::from(left_out));
        left_out
    }

    /// The recipe of the movement that ended last; none where it changed within it.
    pub const fn ended_recipe(&self) -> Option<u8> {
        self.recipes.ended
    }

    /// What the plan says is healthy of `feature` in the recipe of that movement.
    pub(crate) fn healthy_of(
        &self,
        plan: &AxisPlan,
        own: &[RecipeBases],
        feature: Feature,
    ) -> Option<Baseline> {
        let rows = Rows::of(own, self.recipes.ended);
        if matches!(rows, Rows::Between) {
            return None;
        }
        rows.rows(plan).0[feature as usize]
    }
}

#[cfg(test)]
#[path = "recipe_tests.rs"]
mod tests;
