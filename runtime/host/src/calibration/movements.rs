//! Figures of the movements of one axis in the healthy record, by recipe.
//!
//! Where the record holds one recipe, what it says holds in every recipe. Where it holds several, each has rows of its own: nobody has to say
//! which axes carry another load in another recipe, and the spread of a figure is not that between two loads. It costs figures: each recipe has
//! its own movements alone, and fewer of them make wider thresholds.

use super::LEAST_SIGMA_A;
use super::rests::Rests;
use std::collections::BTreeMap;
use twinstep_config::machine::{
    FigureLaw, FigureOf, MAX_RECIPE_BASES, Recipe, RegimeBaseline, RegimePaces,
};
use twinstep_cycle::judge::RestFigure;
use twinstep_models::blocks::{Block, FEATURES, Feature, Paces};
use twinstep_models::identify::{LEAST_FIGURES, fit_figures};

/// What was seen of one axis.
#[derive(Clone, Debug, Default)]
pub(super) struct Movements(BTreeMap<u8, InRecipe>);

/// The same in one recipe.
#[derive(Clone, Debug, Default)]
struct InRecipe {
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
    pub fn cycle(&mut self, recipe: u8) {
        self.0.entry(recipe).or_default().cycles += 1;
    }

    /// A movement has ended that was in this recipe from its start to its end.
    pub fn add(&mut self, recipe: u8, figures: &[Option<Block>; FEATURES]) {
        let seen = self.0.entry(recipe).or_default();
        for (blocks, figure) in seen.blocks.iter_mut().zip(figures) {
            blocks.extend(*figure);
        }
    }

    /// A rest has a figure, in this recording and recipe.
    pub fn rest(&mut self, recording: usize, recipe: u8, figure: &RestFigure) {
        let seen = self.0.entry(recipe).or_default();
        seen.rests.add(recording, figure);
    }

    /// What is healthy of the rests, likewise, of a drive of this rated current (A); 0: not known.
    pub fn learn_rests(&self, recipes: &[Recipe], period_s: f64, rated_a: f64) -> Learnt {
        let mut learnt = Learnt::default();
        let mut all = InRecipe::default();
        let mut known = Vec::new();
        for (n, seen) in &self.0 {
            if recipes.is_empty() || usize::from(*n) < recipes.len() {
                all.cycles += seen.cycles;
                all.rests.extend(&seen.rests);
                known.push((*n, seen));
            }
        }
        let rows = |of: &InRecipe, recipe| {
            let record_s = of.cycles as f64 * period_s;
            of.rests.baselines(recipe, record_s, rated_a)
        };
        if recipes.is_empty() || known.len() < 2 {
            learnt.baseline = rows(&all, None);
        } else {
            let known = known.iter().take(MAX_RECIPE_BASES);
            learnt.baseline = known.flat_map(|(n, seen)| rows(seen, Some(*n))).collect();
        }
        if learnt.baseline.is_empty() {
            learnt.lacks.extend(all.rests.lacks());
        }
        learnt
    }

    /// Baselines and paces, of the machine's `recipes` where there were several. `inertia` is that of the axis (A s2/m).
    pub fn learn(&self, recipes: &[Recipe], period_s: f64, inertia: f64) -> Learnt {
        let mut learnt = Learnt::default();
        if recipes.is_empty() {
            // Numbers of another configuration say nothing here.
            let mut all = InRecipe::default();
            for seen in self.0.values() {
                all.cycles += seen.cycles;
                for (to, from) in all.blocks.iter_mut().zip(&seen.blocks) {
                    to.extend(from.iter().copied());
                }
            }
            all.learn(None, period_s, inertia, &mut learnt);
            return learnt;
        }
        // A number without a recipe is that of nobody knows which.
        let known: Vec<(u8, &str, &InRecipe)> = (self.0.iter())
            .filter_map(|(n, seen)| Some((*n, recipes.get(usize::from(*n))?.name.as_str(), seen)))
            .collect();
        if let [(_, _, one)] = known[..] {
            one.learn(None, period_s, inertia, &mut learnt);
            return learnt;
        }
        if known.is_empty() && !self.0.is_empty() {
            let lacks = "is judged by no movement: nobody told a recipe of the configuration in the recordings; check `values` of [context]";
            learnt.lacks.push(lacks.to_owned());
        }
        for (n, _, seen) in known.iter().take(MAX_RECIPE_BASES) {
            seen.learn(Some(*n), period_s, inertia, &mut learnt);
        }
        let anywhere: Vec<Feature> = (Feature::ALL.into_iter())
            .filter(|feature| learnt.has(*feature, None))
            .collect();
        for (n, recipe, seen) in known.iter().take(MAX_RECIPE_BASES) {
            let lacking: Vec<Feature> = (anywhere.iter().copied())
                .filter(|feature| !learnt.has(*feature, Some(*n)))
                .collect();
            let regimes: Vec<&str> = lacking.iter().map(|feature| feature.name()).collect();
            let most = lacking
                .iter()
                .map(|feature| seen.blocks[*feature as usize].len());
            if let Some(most) = most.max() {
                learnt.lacks.push(format!(
                    "will not be judged in recipe {recipe} by {}: it takes {LEAST_FIGURES} movements of each, and there were {most} at most; \
                     record this recipe for longer",
                    regimes.join(", ")
                ));
            }
        }
        let count = known.len();
        if count > MAX_RECIPE_BASES {
            learnt.lacks.push(format!(
                "will be judged in the first {MAX_RECIPE_BASES} of the {count} recipes of the recordings alone: no more have rows of their own"
            ));
        }
        learnt
    }
}

impl Learnt {
    /// Whether `current_load` of this feature was learnt, in this recipe or in any.
    fn has(&self, feature: Feature, recipe: Option<u8>) -> bool {
        self.baseline.iter().any(|b| {
            b.of == FigureOf::CurrentLoad
                && b.regime == feature.name()
                && (recipe.is_none() || b.recipe == recipe)
        })
    }
}

impl InRecipe {
    fn learn(&self, recipe: Option<u8>, period_s: f64, inertia: f64, learnt: &mut Learnt) {
        let baseline = self.baselines(recipe, self.cycles as f64 * period_s);
        learnt.paces.extend(self.paces(recipe, &baseline, inertia));
        learnt.baseline.extend(baseline);
    }

    /// Healthy figures of the movements in a record of `record_s`.
    fn baselines(&self, recipe: Option<u8>, record_s: f64) -> Vec<RegimeBaseline> {
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
                    recipe,
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
    fn paces(
        &self,
        recipe: Option<u8>,
        baselines: &[RegimeBaseline],
        inertia: f64,
    ) -> Vec<RegimePaces> {
        let learnt = |feature: &Feature| baselines.iter().any(|b| b.regime == feature.name());
        (Feature::ALL.into_iter().zip(&self.blocks))
            .filter(|(feature, _)| learnt(feature))
            .filter_map(|(feature, blocks)| {
                let paces = Paces::of(blocks.iter().map(|b| b.pace(feature, inertia)))?;
                Some(RegimePaces {
                    regime: feature.name().to_owned(),
                    recipe,
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
mod tests {
    use super::*;

    fn recipes(names: &[&str]) -> Vec<Recipe> {
        let one = |name: &&str| Recipe {
            name: (*name).to_owned(),
            parts: vec![0],
        };
        names.iter().map(one).collect()
    }

    /// So many movements with this residual (A) and speed (m/s), each with half as many cycles that are judged.
    fn see(movements: &mut Movements, recipe: u8, count: usize, residual_a: f64, speed: f64) {
        for n in 0..count {
            let block = Block {
                residual_a: residual_a + 1e-3 * (n % 2) as f64,
                speed_m_per_s: speed,
                ..Block::default()
            };
            let mut figures = [None; FEATURES];
            figures[0] = Some(block);
            movements.add(recipe, &figures);
            movements.cycle(recipe);
        }
    }

    fn load(learnt: &Learnt) -> Vec<(Option<u8>, f64)> {
        (learnt.baseline.iter())
            .filter(|row| row.of == FigureOf::CurrentLoad)
            .map(|row| (row.recipe, row.mean_a))
            .collect()
    }

    #[test]
    fn a_record_of_one_recipe_says_what_holds_in_all() {
        let mut movements = Movements::default();
        see(&mut movements, 1, 10, 0.1, 0.5);
        let learnt = movements.learn(&recipes(&["a", "b"]), 0.01, 1.0);
        let rows = load(&learnt);
        assert_eq!(rows.len(), 1, "{rows:?}");
        assert!(rows[0].0.is_none() && (rows[0].1 - 0.1005).abs() < 1e-9);
        assert!(learnt.paces.iter().all(|row| row.recipe.is_none()));
        assert!(learnt.lacks.is_empty());
        assert_eq!(learnt.baseline[0].law.unwrap().record_s, 0.1);
        // Without any recipe in the configuration, too.
        assert_eq!(movements.learn(&[], 0.01, 1.0), learnt);
        // Time in which nobody told the recipe is none of another one.
        see(&mut movements, 255, 10, 0.3, 0.5);
        assert_eq!(movements.learn(&recipes(&["a", "b"]), 0.01, 1.0), learnt);
        assert_eq!(
            Movements::default().learn(&[], 0.01, 1.0),
            Learnt::default()
        );
    }

    #[test]
    fn each_recipe_of_a_record_has_its_rows_and_its_time() {
        let mut movements = Movements::default();
        for _ in 0..5 {
            see(&mut movements, 1, 2, 0.1, 0.5);
            see(&mut movements, 0, 4, 0.3, 0.7);
        }
        let learnt = movements.learn(&recipes(&["a", "b"]), 0.01, 1.0);
        let [(Some(0), a), (Some(1), b)] = load(&learnt)[..] else {
            panic!("{learnt:?}");
        };
        assert!((a - 0.3005).abs() < 1e-9 && (b - 0.1005).abs() < 1e-9);
        // The spread is that within a recipe.
        assert!(learnt.baseline.iter().all(|row| row.sigma_a < 1e-3));
        let times: Vec<f64> = (learnt.baseline.iter())
            .filter(|row| row.of == FigureOf::CurrentLoad)
            .filter_map(|row| Some(row.law?.record_s))
            .collect();
        assert_eq!(times, [0.2, 0.1]);
        let paces = learnt.paces.iter();
        let paces: Vec<_> = paces.map(|row| (row.recipe, row.paces.most)).collect();
        assert_eq!(paces, [(Some(0), 0.7), (Some(1), 0.5)]);
        assert!(learnt.lacks.is_empty());
    }

    #[test]
    fn a_recipe_with_too_few_movements_is_told_and_one_without_a_name_is_not_learnt() {
        let mut movements = Movements::default();
        see(&mut movements, 0, 10, 0.1, 0.5);
        see(&mut movements, 1, 3, 0.1, 0.5);
        see(&mut movements, 9, 10, 0.1, 0.5);
        let learnt = movements.learn(&recipes(&["a", "b"]), 0.01, 1.0);
        let rows: Vec<_> = load(&learnt).iter().map(|row| row.0).collect();
        assert_eq!(rows, [Some(0)]);
        let [told] = &learnt.lacks[..] else {
            panic!("{learnt:?}");
        };
        for words in [
            "in recipe b by constant_speed_positive:",
            "it takes 4 movements",
            "there were 3 at most",
        ] {
            assert!(told.contains(words), "{told}");
        }
    }

    #[test]
    fn more_recipes_than_the_cycle_knows_are_told() {
        let mut movements = Movements::default();
        let names: Vec<String> = (0..20).map(|n| format!("r{n}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        for recipe in 0..20 {
            see(&mut movements, recipe, 5, 0.1, 0.5);
        }
        let learnt = movements.learn(&recipes(&names), 0.01, 1.0);
        assert_eq!(load(&learnt).len(), MAX_RECIPE_BASES);
        let told = learnt.lacks.join("\n");
        assert!(told.contains("first 16 of the 20 recipes"), "{told}");
    }
}
