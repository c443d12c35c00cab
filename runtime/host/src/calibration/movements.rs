//! Figures of the movements of one axis in the healthy record, by context.
//!
//! Where the record holds one recipe, what it says holds in every recipe. Where it holds several, each has rows of its own: nobody has to say
//! which axes carry another load in another recipe, and the spread of a figure is not that between two loads. The same goes for tools, loads
//! and bands of the temperature, and where several of them vary each combination that the record holds has its own. It costs figures: each has
//! its own movements alone, and fewer of them make wider thresholds.

use super::LEAST_SIGMA_A;
use super::rests::Rests;
use std::collections::BTreeMap;
use twinstep_config::machine::{
    FigureLaw, FigureOf, MAX_CONTEXT_BASES, RegimeBaseline, RegimePaces,
};
use twinstep_cycle::judge::RestFigure;
use twinstep_models::blocks::{Block, FEATURES, Feature, Paces};
use twinstep_models::identify::{LEAST_FIGURES, fit_figures};
use twinstep_models::sample::{FACTOR_NAMES, FACTORS, Factors, Only};

/// The names of recipes, tools, loads and bands of the temperature.
type Names = [Vec<String>; FACTORS];

/// What was seen of one axis.
#[derive(Clone, Debug, Default)]
pub(super) struct Movements(BTreeMap<Factors, InContext>);

/// The same in one context.
#[derive(Clone, Debug, Default)]
struct InContext {
    blocks: [Vec<Block>; FEATURES],
    rests: Rests,
    /// Cycles that were judged.
    cycles: usize,
}

/// What is learnt of it.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Learnt {
    pub baseline: Vec<RegimeBaseline>,
    pub paces: Vec<RegimePaces>,
    /// What is missing, in words.
    pub lacks: Vec<String>,
}

impl Movements {
    /// A cycle that is judged.
    pub fn cycle(&mut self, context: Factors) {
        self.0.entry(context).or_default().cycles += 1;
    }

    /// A movement has ended that was in this context from its start to its end.
    pub fn add(&mut self, context: Factors, figures: &[Option<Block>; FEATURES]) {
        let seen = self.0.entry(context).or_default();
        for (blocks, figure) in seen.blocks.iter_mut().zip(figures) {
            blocks.extend(*figure);
        }
    }

    /// A rest has a figure, in this recording and in the context that it has in common with the movement before it.
    pub fn rest(&mut self, recording: usize, figure: &RestFigure) {
        let seen = self.0.entry(figure.context).or_default();
        seen.rests.add(recording, figure);
    }

    /// What was seen in each context that the machine has. Numbers of another configuration say nothing: where it has no list, all of them are
    /// one, and one without a name is that of nobody knows which.
    fn known(&self, names: &Names) -> BTreeMap<Factors, InContext> {
        let mut known: BTreeMap<Factors, InContext> = BTreeMap::new();
        for (context, seen) in &self.0 {
            let mut context = *context;
            let mut is_known = true;
            for (factor, names) in context.0.iter_mut().zip(names) {
                if names.is_empty() {
                    *factor = 0;
                } else {
                    is_known &= usize::from(*factor) < names.len();
                }
            }
            if is_known {
                known.entry(context).or_default().take(seen);
            }
        }
        known
    }

    /// Baselines and paces, by what of `names` there was several of. `inertia` is that of the axis (A s2/m).
    pub fn learn(&self, names: &Names, period_s: f64, inertia: f64) -> Learnt {
        let mut learnt = Learnt::default();
        let known = self.known(names);
        if known.is_empty() && !self.0.is_empty() {
            learnt.lacks.push(format!(
                "is judged by no movement: nobody told {} of the configuration in the recordings; check [context]",
                listed(names)
            ));
        }
        let (count, varies) = (known.len(), varies(&known));
        let contexts = chosen(&known, varies);
        for (only, seen) in &contexts {
            seen.learn(*only, period_s, inertia, &mut learnt);
        }
        if count < 2 {
            return learnt;
        }
        let anywhere: Vec<Feature> = (Feature::ALL.into_iter())
            .filter(|feature| learnt.has(*feature, None))
            .collect();
        for (only, seen) in &contexts {
            let lacking: Vec<Feature> = (anywhere.iter().copied())
                .filter(|feature| !learnt.has(*feature, Some(*only)))
                .collect();
            let regimes: Vec<&str> = lacking.iter().map(|feature| feature.name()).collect();
            let most = lacking
                .iter()
                .map(|feature| seen.blocks[*feature as usize].len());
            if let Some(most) = most.max() {
                learnt.lacks.push(format!(
                    "will not be judged in {} by {}: it takes {LEAST_FIGURES} movements of each, and there were {most} at most; \
                     record this for longer",
                    described(only, names),
                    regimes.join(", ")
                ));
            }
        }
        if count > MAX_CONTEXT_BASES {
            let what = (varies.iter().zip(FACTOR_NAMES))
                .filter(|(varies, _)| **varies)
                .map(|(_, name)| name);
            learnt.lacks.push(format!(
                "will be judged in {MAX_CONTEXT_BASES} of the {count} contexts of the recordings alone, by {}, those with the most movements: \
                 no more have rows of their own",
                what.collect::<Vec<_>>().join(", ")
            ));
        }
        learnt
    }

    /// What is healthy of the rests, in the same contexts, of a drive of this rated current (A); 0: not known.
    pub fn learn_rests(&self, names: &Names, period_s: f64, rated_a: f64) -> Learnt {
        let mut learnt = Learnt::default();
        let known = self.known(names);
        let contexts = chosen(&known, varies(&known));
        let mut lacking = Vec::new();
        for (only, seen) in &contexts {
            let record_s = seen.cycles as f64 * period_s;
            let rows = seen.rests.baselines(*only, record_s, rated_a);
            if rows.is_empty() {
                lacking.push((only, seen));
            }
            learnt.baseline.extend(rows);
        }
        if learnt.baseline.is_empty() {
            let within = if contexts.len() > 1 {
                " in any context"
            } else {
                ""
            };
            let most = contexts.iter().map(|(_, seen)| &seen.rests);
            let most = most.max_by_key(|rests| rests.most()).cloned();
            learnt.lacks.extend(most.unwrap_or_default().lacks(within));
            return learnt;
        }
        for (only, seen) in lacking {
            let within = format!(" in {}", described(only, names));
            learnt.lacks.extend(seen.rests.lacks(&within));
        }
        learnt
    }
}

/// Which of recipe, tool, load and temperature there was several of.
fn varies(known: &BTreeMap<Factors, InContext>) -> [bool; FACTORS] {
    std::array::from_fn(|n| {
        let mut values = known.keys().map(|context| context.0.get(n));
        let first = values.next();
        values.any(|value| Some(value) != first)
    })
}

/// The contexts that have rows of their own, by what varies: no more than the cycle knows.
fn chosen(
    known: &BTreeMap<Factors, InContext>,
    varies: [bool; FACTORS],
) -> Vec<(Only, &InContext)> {
    let mut contexts: Vec<(Only, &InContext)> = (known.iter())
        .map(|(context, seen)| {
            let only = |n: usize| context.0.get(n).copied().filter(|_| varies[n]);
            (Only::from_factors(std::array::from_fn(only)), seen)
        })
        .collect();
    if contexts.len() > MAX_CONTEXT_BASES {
        // Those that are known best; of the others the movements are left out and counted.
        contexts.sort_by_key(|(only, seen)| (std::cmp::Reverse(seen.movements()), *only));
        contexts.truncate(MAX_CONTEXT_BASES);
        contexts.sort_by_key(|(only, _)| *only);
    }
    contexts
}

/// What the machine has lists of, in words.
fn listed(names: &Names) -> String {
    let lists = (names.iter().zip(FACTOR_NAMES)).filter(|(names, _)| !names.is_empty());
    let lists: Vec<String> = lists.map(|(_, what)| format!("a {what}")).collect();
    lists.join(" and ")
}

/// A context in words: "recipe a, tool gripper"; empty for all.
pub(crate) fn described(only: &Only, names: &Names) -> String {
    let named = (only.factors().into_iter().zip(names)).zip(FACTOR_NAMES);
    let named = named.filter_map(|((of, names), what)| {
        let name = names.get(usize::from(of?))?;
        Some(format!("{what} {name}"))
    });
    named.collect::<Vec<_>>().join(", ")
}

impl Learnt {
    /// Whether `current_load` of this feature was learnt, in this context or in any.
    fn has(&self, feature: Feature, only: Option<Only>) -> bool {
        self.baseline.iter().any(|b| {
            b.of == FigureOf::CurrentLoad
                && b.regime == feature.name()
                && only.is_none_or(|only| b.only == only)
        })
    }
}

impl InContext {
    /// Movements of the feature that has the most.
    fn movements(&self) -> usize {
        self.blocks.iter().map(Vec::len).max().unwrap_or(0)
    }

    fn take(&mut self, other: &Self) {
        self.cycles += other.cycles;
        for (to, from) in self.blocks.iter_mut().zip(&other.blocks) {
            to.extend(from.iter().copied());
        }
        self.rests.extend(&other.rests);
    }

    fn learn(&self, only: Only, period_s: f64, inertia: f64, learnt: &mut Learnt) {
        let baseline = self.baselines(only, self.cycles as f64 * period_s);
        learnt.paces.extend(self.paces(only, &baseline, inertia));
        learnt.baseline.extend(baseline);
    }

    /// Healthy figures of the movements in a record of `record_s`.
    fn baselines(&self, only: Only, record_s: f64) -> Vec<RegimeBaseline> {
        let mut all = Vec::new();
        for of in FigureOf::ALL {
            for (feature, blocks) in Feature::ALL.into_iter().zip(&self.blocks) {
                let values = figures(of, feature, blocks);
                let Some(fit) = fit_figures(&values) else {
                    continue;
                };
                // A ripple is judged by its logarithm, and written as a current.
                let ripple_a = libm::exp(fit.mean);
                let (mean_a, unit_a) = match of {
                    FigureOf::Ripple => (ripple_a, ripple_a),
                    FigureOf::CurrentLoad | FigureOf::Disturbance => (fit.mean, 1.0),
                };
                all.push(RegimeBaseline {
                    of,
                    regime: feature.name().to_owned(),
                    only,
                    stage: 0,
                    mean_a,
                    sigma_a: (unit_a * fit.sigma).max(LEAST_SIGMA_A),
                    law: Some(FigureLaw {
                        freedom: fit.freedom,
                        figures: fit.count as f64,
                        record_s,
                    }),
                });
            }
        }
        all
    }

    /// At which paces those were learnt.
    fn paces(&self, only: Only, baselines: &[RegimeBaseline], inertia: f64) -> Vec<RegimePaces> {
        let learnt = |feature: &Feature| baselines.iter().any(|b| b.regime == feature.name());
        (Feature::ALL.into_iter().zip(&self.blocks))
            .filter(|(feature, _)| learnt(feature))
            .filter_map(|(feature, blocks)| {
                let paces = Paces::of(blocks.iter().map(|b| b.pace(feature, inertia)))?;
                Some(RegimePaces {
                    regime: feature.name().to_owned(),
                    only,
                    paces,
                })
            })
            .collect()
    }
}

/// One figure of each movement; none where it is not judged.
fn figures(of: FigureOf, feature: Feature, blocks: &[Block]) -> Vec<f64> {
    let constant = matches!(
        feature,
        Feature::ConstantPositive | Feature::ConstantNegative
    );
    match of {
        FigureOf::CurrentLoad => blocks.iter().map(|b| b.residual_a).collect(),
        FigureOf::Disturbance if feature != Feature::Reversal => {
            blocks.iter().map(|b| b.disturbance_a).collect()
        }
        FigureOf::Ripple if constant => (blocks.iter())
            .filter(|b| b.ripple_a > 0.0)
            .map(|b| libm::log(b.ripple_a))
            .collect(),
        FigureOf::Disturbance | FigureOf::Ripple => Vec::new(),
    }
}

#[cfg(test)]
#[path = "movements_tests.rs"]
mod tests;
