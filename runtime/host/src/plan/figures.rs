//! How the figures of movements are judged: their baselines, widened to what their record is worth.
//!
//! Siegmund's formula gives the threshold of all figures, and holds for normal figures of known spread. The spread of a figure was
//! learnt from few movements, and Student's t says how much further than a normal figure it may stray as rarely as is asked:
//! its spread is taken that much wider. So few movements, or a heavy tail, cost sensitivity and no false alarms.
//!
//! What the thresholds in force mean follows from the same law: the rate of the formula, and for its upper end the rate with the spread
//! at the upper end of its 95 % interval, `sigma sqrt(freedom / chi2)`, chi2 in the Wilson-Hilferty form.

use super::SLACK;
use crate::false_alarms::{Extrapolated, Shares};
use twinstep_config::machine::{AxisTwin, FigureLaw, FigureOf, Judge, Machine, RegimeBaseline};
use twinstep_cycle::plan::{Baseline, ContextBases, DIRECTIONS, MAX_CONTEXT_BASES, SlowPlan};
use twinstep_models::blocks::{FEATURES, Feature};
use twinstep_models::detect;
use twinstep_models::rest::{Rested, STAGES};
use twinstep_models::sample::Only;
use twinstep_models::signature::quantile;

/// Fastest rate at which one feature is judged, for sharing out false alarms (1/s).
const FEATURES_PER_S: f64 = 1.0;
/// Degrees of freedom beyond which t is as good as normal.
const MOST_FREEDOM: f64 = 1e4;
/// 95 % point of the normal distribution.
const Z: f64 = 1.644_853_626_951_472_7;

/// Figures between two false alarms of one stream.
pub(super) fn asked(asked_s: f64, shares: Shares) -> f64 {
    (FEATURES_PER_S / shares.per_s(asked_s)).max(1.0)
}

/// Threshold of the CUSUMs over all figures.
pub(super) fn threshold(asked_s: f64, shares: Shares) -> f64 {
    detect::threshold(SLACK, asked(asked_s, shares))
}

/// Baselines of `current_load` and of what is judged beside it: in a context, or in every one that has none of its own. Where a context has no
/// row for a figure, that holds in it which names most of the same, and at last that of all.
pub(super) fn baselines(
    twin: &AxisTwin,
    presses: bool,
    only: Only,
    judge: &Judge,
    shares: Shares,
) -> ([Option<Baseline>; FEATURES], SlowPlan) {
    let figures = asked(judge.false_alarm_interval_s, shares);
    let row = |of: FigureOf, regime: &str, stage: u8| {
        let same = |b: &&RegimeBaseline| b.of == of && b.regime == regime && b.stage == stage;
        let rows = twin.baseline.iter().filter(same);
        let holding = rows.filter(|b| b.only.holds_within(&only));
        let found = holding.min_by_key(|b| b.only.rank())?;
        Some(Baseline {
            mean_a: found.mean_a,
            sigma_a: found.sigma_a * found.law.map_or(1.0, |law| widening(&law, figures)),
        })
    };
    let of = |of: FigureOf, feature: Feature| row(of, feature.name(), 0);
    let slow = SlowPlan {
        disturbance: Feature::ALL.map(|feature| of(FigureOf::Disturbance, feature)),
        // Before it meets the part that is expected, a ram that meets another one ripples.
        ripple: std::array::from_fn::<_, DIRECTIONS, _>(|f| {
            of(FigureOf::Ripple, Feature::ALL[f]).filter(|_| !presses)
        }),
        paces: Feature::ALL.map(|feature| {
            let rows = || (twin.paces.iter()).filter(|one| one.regime == feature.name());
            let holding = rows().filter(|one| one.only.holds_within(&only));
            Some(holding.min_by_key(|one| one.only.rank())?.paces)
        }),
        rests: !presses && (judge.standstill || twin.baseline.iter().any(is_of_rests)),
        // What a press holds is its part.
        standstill: Rested::ALL.map(|rested| {
            std::array::from_fn(|stage| {
                row(FigureOf::CurrentLoad, rested.name(), stage as u8).filter(|_| !presses)
            })
        }),
    };
    let load = Feature::ALL.map(|feature| of(FigureOf::CurrentLoad, feature));
    (load, slow)
}

/// Whether a row is of what holds an axis at rest.
pub(crate) fn is_of_rests(row: &RegimeBaseline) -> bool {
    row.of == FigureOf::CurrentLoad && Rested::ALL.iter().any(|one| one.name() == row.regime)
}

/// The same of all contexts that have rows of their own, axis by axis.
pub(super) fn by_context(machine: &Machine, shares: Shares) -> Vec<ContextBases> {
    (twins(machine).zip(0..))
        .filter_map(|((twin, presses), axis)| Some((twin?, presses, axis)))
        .flat_map(|(twin, presses, axis)| {
            // No more than the cycle knows: the configuration has no more.
            (twin.contexts().into_iter().take(MAX_CONTEXT_BASES)).map(move |only| {
                let (baseline, slow) = baselines(twin, presses, only, &machine.judge, shares);
                ContextBases {
                    axis,
                    only,
                    baseline,
                    slow,
                }
            })
        })
        .collect()
}

const _: () = assert!(twinstep_config::machine::MAX_CONTEXT_BASES <= MAX_CONTEXT_BASES);

/// How much further than a normal figure this one may stray as rarely as one in `figures` (>= 1).
fn widening(law: &FigureLaw, figures: f64) -> f64 {
    let probability = 0.5 / figures.max(1.0);
    // Close to the middle both are 0.
    let normal = normal_quantile(probability);
    if normal < 0.1 {
        return 1.0;
    }
    (quantile(probability, law.freedom.min(MOST_FREEDOM)) / normal).max(1.0)
}

/// What a normal figure exceeds with `probability` (above 0, at most 0.5).
fn normal_quantile(probability: f64) -> f64 {
    let (mut low, mut high) = (0.0, 38.0);
    for _ in 0..60 {
        let middle = 0.5 * (low + high);
        if 0.5 * libm::erfc(middle * std::f64::consts::FRAC_1_SQRT_2) > probability {
            low = middle;
        } else {
            high = middle;
        }
    }
    high
}

/// The twins of all axes and presses, in the order of the plan, and whether each is of a press.
fn twins(machine: &Machine) -> impl Iterator<Item = (Option<&AxisTwin>, bool)> {
    let axes = machine.axes.iter().map(|axis| (axis.twin.as_ref(), false));
    let presses = machine.presses.iter();
    axes.chain(presses.map(|press| (press.axis.twin.as_ref(), true)))
}

/// All figures of the machine that are judged, each with its rows.
///
/// The rows of a figure are those of several contexts, of which one is in force at a time: one sum goes on over all of them, in the standard
/// deviations of the row in force. So they are one stream and have one share, and shares do not get smaller with the number of contexts.
fn streams(machine: &Machine) -> impl Iterator<Item = Vec<&RegimeBaseline>> {
    (twins(machine))
        .filter_map(|(twin, press)| Some((twin?, press)))
        .flat_map(|(twin, press)| {
            let judged =
                |b: &&RegimeBaseline| !press || (b.of != FigureOf::Ripple && !is_of_rests(b));
            let mut streams: Vec<Vec<&RegimeBaseline>> = Vec::new();
            for row in twin.baseline.iter().filter(judged) {
                let same = |one: &&mut Vec<&RegimeBaseline>| {
                    (one.first()).is_some_and(|b| b.of == row.of && b.regime == row.regime)
                };
                match streams.iter_mut().find(same) {
                    Some(stream) => stream.push(row),
                    None => streams.push(vec![row]),
                }
            }
            streams
        })
}

/// The laws of the rows of a figure, if all of them have one.
fn laws_of(rows: &[&RegimeBaseline]) -> Option<Vec<FigureLaw>> {
    rows.iter().map(|row| row.law).collect()
}

/// How many figures have laws, and how many have not.
pub(crate) fn counts(machine: &Machine) -> (usize, usize) {
    let known = streams(machine).filter(|rows| laws_of(rows).is_some());
    let known = known.count();
    (known, streams(machine).count() - known)
}

/// The laws of all rows that have one.
pub(crate) fn laws(machine: &Machine) -> impl Iterator<Item = FigureLaw> {
    streams(machine).flatten().filter_map(|row| row.law)
}

/// Adds what the figures of movements say at the thresholds in force.
pub(crate) fn extrapolate(machine: &Machine, shares: Shares, all_of: &mut Extrapolated) {
    let asked_s = machine.judge.false_alarm_interval_s;
    let (figures, h) = (asked(asked_s, shares), threshold(asked_s, shares));
    for rows in streams(machine) {
        let Some(laws) = laws_of(&rows) else {
            continue;
        };
        let mut stages = [[0.0_f64; 2]; STAGES];
        for (row, law) in rows.iter().zip(&laws) {
            let per_s = law.figures / law.record_s;
            let [rate, high] = rates(per_s, SLACK, h, widening(law, figures), law.freedom);
            // Whichever context is in force: no more than in the worst of them.
            if let Some(worst) = stages.get_mut(usize::from(row.stage)) {
                *worst = [worst[0].max(rate), worst[1].max(high)];
            }
        }
        // A rest goes through its stages one after the other, and is judged in each.
        let sum = |side: usize| stages.iter().map(|worst| worst[side]).sum();
        all_of.add_rate(sum(0), sum(1));
    }
    for axis in &machine.axes {
        if let (Some(healthy), true) = (&axis.healthy, axis.signature.is_some()) {
            let share = shares.per_s(asked_s);
            let doubt = doubt(healthy.degrees_of_freedom);
            // The threshold holds for the worse of two laws: its rate is the share, or less where that is more than the least threshold gives,
            // and falls with the spread as that of normal figures.
            let (slack, h) = super::signature::in_force(healthy, 1.0 / share);
            let rate = share.min(super::signature::rate_per_s(healthy, slack, h));
            let normal = detect::run_length(slack, h);
            let more = normal / detect::run_length(slack * doubt, h * doubt);
            for _ in 0..twinstep_models::signature::FAMILIES {
                all_of.add_rate(rate, rate * more);
            }
        }
    }
}

/// Rate of false alarms (1/s) of one figure that comes `per_s` (1/s) times, judged with `slack` and threshold `h` in spreads that were taken
/// `wider`, and its upper end.
fn rates(per_s: f64, slack: f64, h: f64, wider: f64, freedom: f64) -> [f64; 2] {
    // Two sides.
    let rate = |scale: f64| 2.0 * per_s / detect::run_length(slack * scale, h * scale);
    [rate(1.0), rate((wider * doubt(freedom)).min(1.0))]
}

/// Learnt spread over the one at the upper end of its 95 % interval.
fn doubt(freedom: f64) -> f64 {
    let spread = 2.0 / (9.0 * freedom);
    let root = 1.0 - spread - Z * spread.sqrt();
    // Below two degrees of freedom nothing is known: the form has no figure there.
    let root = root.max(0.1);
    (root * root * root).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn law(freedom: f64) -> FigureLaw {
        FigureLaw {
            freedom,
            figures: 60.0,
            record_s: 180.0,
        }
    }

    #[test]
    fn few_movements_widen_and_many_leave_the_spread_as_it_is() {
        let wider = [4.0, 9.0, 59.0, 1e4].map(|n| widening(&law(n), 1e8));
        assert!(wider.is_sorted_by(|a, b| a > b), "{wider:?}");
        // t of 59 degrees of freedom exceeds 6.5 as rarely as a normal figure 5.73.
        assert!((1.1..1.2).contains(&wider[2]), "{wider:?}");
        assert!(wider[3] < 1.01 && wider[0] > 10.0, "{wider:?}");
        assert!((normal_quantile(0.025) - 1.959_964).abs() < 1e-5);
        assert_eq!(widening(&law(9.0), 1.0), 1.0);
    }

    #[test]
    fn doubt_is_that_of_the_tables() {
        // Lower 5 % points of chi-square: 3.325 with 9 degrees of freedom, 43.19 with 60.
        for (freedom, chi2) in [(9.0, 3.325), (60.0, 43.19)] {
            let found = doubt(freedom);
            let table = (chi2 / freedom).sqrt();
            assert!((found / table - 1.0).abs() < 0.01, "{found} for {table}");
        }
    }

    #[test]
    fn what_is_asked_is_extrapolated_and_its_lower_end_is_less() {
        let machine =
            twinstep_config::load(twinstep_config::PRESS_CELL, "press-cell.toml").unwrap();
        let (count, unknown) = counts(&machine);
        assert!(count > 50 && unknown == 0, "{count} {unknown}");
        let shares = Shares {
            tails: 27,
            figures: count,
        };
        let mut found = Extrapolated::default();
        extrapolate(&machine, shares, &mut found);
        assert_eq!(found.streams, count);
        let share = shares.per_s(machine.judge.false_alarm_interval_s);
        // The formula is for one figure a second; no axis moves as often.
        assert!(found.rate_per_s <= count as f64 * share, "{found:?}");
        assert!(found.rate_per_s > 0.05 * count as f64 * share, "{found:?}");
        assert!(found.high_per_s >= found.rate_per_s, "{found:?}");
    }

    fn of_recipe(recipe: u8) -> Only {
        Only {
            recipe: Some(recipe),
            ..Only::ALWAYS
        }
    }

    /// The shipped cell, the first axis of which has each row twice: for two recipes.
    fn by_two_recipes() -> Machine {
        let mut machine =
            twinstep_config::load(twinstep_config::PRESS_CELL, "press-cell.toml").unwrap();
        let twin = machine.axes[0].twin.as_mut().unwrap();
        let rows = std::mem::take(&mut twin.baseline);
        for recipe in [3, 1] {
            twin.baseline.extend(rows.iter().map(|row| RegimeBaseline {
                only: of_recipe(recipe),
                mean_a: row.mean_a + f64::from(recipe),
                ..row.clone()
            }));
        }
        machine
    }

    #[test]
    fn recipes_of_a_figure_share_its_share() {
        let one = twinstep_config::load(twinstep_config::PRESS_CELL, "press-cell.toml").unwrap();
        let mut two = by_two_recipes();
        assert_eq!(counts(&two), counts(&one));
        assert_eq!(crate::plan::shares(&two), crate::plan::shares(&one));
        let shares = crate::plan::shares(&one);
        let extrapolated = |machine: &Machine| {
            let mut found = Extrapolated::default();
            extrapolate(machine, shares, &mut found);
            found
        };
        // Both rows have the law of the one.
        assert_eq!(extrapolated(&two), extrapolated(&one));
        // Where one is known less well, its rate counts.
        let twin = two.axes[0].twin.as_mut().unwrap();
        let law = twin.baseline[0].law.as_mut().unwrap();
        (law.figures, law.freedom) = (2.0 * law.figures, 9.0);
        assert!(extrapolated(&two).rate_per_s > extrapolated(&one).rate_per_s);
        // A figure with a row of which nothing is known is none that is known.
        let twin = two.axes[0].twin.as_mut().unwrap();
        twin.baseline[0].law = None;
        let (known, unknown) = counts(&one);
        assert_eq!(counts(&two), (known - 1, unknown + 1));
    }

    #[test]
    fn a_recipe_has_its_own_rows_and_the_general_ones_beside_them() {
        let mut machine = by_two_recipes();
        let twin = machine.axes[0].twin.as_mut().unwrap();
        // One figure of recipe 3 is general now, and recipe 1 keeps its own.
        twin.baseline[0].only = Only::ALWAYS;
        let general_a = twin.baseline[0].mean_a;
        let shares = crate::plan::shares(&machine);
        let own = by_context(&machine, shares);
        let known: Vec<_> = own.iter().map(|one| (one.axis, one.only)).collect();
        assert_eq!(known, [(0, of_recipe(1)), (0, of_recipe(3))]);
        let f = Feature::ConstantPositive as usize;
        let mean = |one: &ContextBases, f: usize| one.baseline[f].unwrap().mean_a;
        assert!((mean(&own[0], f) - mean(&own[1], f) + 2.0).abs() < 1e-9);
        assert_eq!(mean(&own[1], f), general_a);
        let f = Feature::ConstantNegative as usize;
        assert!((mean(&own[0], f) - mean(&own[1], f) + 2.0).abs() < 1e-9);
        // What holds elsewhere is that row alone; paces are those of every recipe.
        let store = crate::plan::PlanStore::new(&machine);
        let (plan, twin) = (store.plan(), machine.axes[0].twin.as_ref().unwrap());
        let general = &plan.axes[0];
        assert_eq!(general.baseline.iter().flatten().count(), 1);
        assert_eq!(general.slow.paces, own[0].slow.paces);
        assert!(!twin.paces.is_empty() && own[0].slow.paces[f].is_some());
        assert_eq!(plan.contexts_of(0), own);
        assert!(plan.contexts_of(1).is_empty());
    }

    #[test]
    fn a_figure_without_a_row_of_its_context_has_that_which_names_most_of_it() {
        let mut machine = by_two_recipes();
        let twin = machine.axes[0].twin.as_mut().unwrap();
        let row = twin.baseline[0].clone();
        let only = |recipe, tool| Only {
            recipe,
            tool,
            ..Only::ALWAYS
        };
        let at = |only, mean_a| RegimeBaseline {
            only,
            mean_a,
            ..row.clone()
        };
        let other = |mut row: RegimeBaseline| {
            row.regime = Feature::ConstantNegative.name().to_owned();
            row
        };
        twin.paces.clear();
        twin.baseline = vec![
            at(only(None, None), 1.0),
            at(only(None, Some(2)), 2.0),
            at(only(Some(0), None), 3.0),
            other(at(only(Some(0), Some(2)), 4.0)),
            other(at(only(None, Some(2)), 5.0)),
        ];
        let own = by_context(&machine, crate::plan::shares(&machine));
        let figures = own.iter().map(|one| {
            let mean = |feature: Feature| one.baseline[feature as usize].map(|base| base.mean_a);
            let both = [Feature::ConstantPositive, Feature::ConstantNegative];
            (one.only, both.map(mean))
        });
        let expected = [
            (only(Some(0), Some(2)), [Some(3.0), Some(4.0)]),
            (only(Some(0), None), [Some(3.0), None]),
            (only(None, Some(2)), [Some(2.0), Some(5.0)]),
        ];
        assert_eq!(figures.collect::<Vec<_>>(), expected);
    }

    #[test]
    fn a_plan_with_rows_by_recipe_has_a_name_of_its_own() {
        let hash = |machine: &Machine| crate::plan::PlanStore::new(machine).hash();
        let one = hash(&by_two_recipes());
        let mut two = by_two_recipes();
        assert_eq!(one, hash(&two));
        two.axes[0].twin.as_mut().unwrap().baseline[0].mean_a += 1e-9;
        assert_ne!(one, hash(&two));
    }

    #[test]
    fn rests_are_judged_by_their_rows_and_change_nothing_where_there_are_none() {
        let shipped =
            || twinstep_config::load(twinstep_config::PRESS_CELL, "press-cell.toml").unwrap();
        let plan_of = |machine: &Machine| crate::plan::PlanStore::new(machine);
        let plain = plan_of(&shipped());
        assert_eq!(plain.plan().judges[0].rests, 0);
        // Asked for alone: figures, and the same thresholds.
        let mut machine = shipped();
        machine.judge.standstill = true;
        let asked = plan_of(&machine);
        assert_ne!(asked.plan().judges[0].rests, 0);
        assert_eq!(asked.plan().thresholds, plain.plan().thresholds);
        assert_eq!(asked.plan().axes[0].baseline, plain.plan().axes[0].baseline);
        assert_ne!(asked.hash(), plain.hash());
        // The rows of an axis, whatever their stages, are one stream for each direction; those of a press are none.
        let mut machine = shipped();
        let row = machine.axes[0].twin.as_ref().unwrap().baseline[0].clone();
        let rows = |regime: &str| {
            [0, 1, 5].map(|stage| RegimeBaseline {
                regime: regime.to_owned(),
                stage,
                mean_a: 1.0 + f64::from(stage),
                ..row.clone()
            })
        };
        let twin = machine.axes[0].twin.as_mut().unwrap();
        twin.baseline.extend(rows("standstill_positive"));
        twin.baseline.extend(rows("standstill_negative"));
        let press = machine.presses[0].axis.twin.as_mut().unwrap();
        press.baseline.extend(rows("standstill_positive"));
        assert_eq!(counts(&machine).0, counts(&shipped()).0 + 2);
        let store = plan_of(&machine);
        assert_eq!(store.plan().judges[0].rests, 1);
        let held = store.plan().axes[0].slow.standstill;
        for stages in held {
            let means = stages.map(|base| base.map(|base| base.mean_a));
            let expected = [Some(1.0), Some(2.0), None, None, None, Some(6.0)];
            assert_eq!(means, expected);
        }
        let press = store.plan().axes[machine.axes.len()].slow;
        assert_eq!((press.standstill, press.rests), ([[None; 6]; 2], false));
    }

    #[test]
    fn stages_of_a_rest_add_up_and_contexts_exclude_each_other() {
        let shipped =
            || twinstep_config::load(twinstep_config::PRESS_CELL, "press-cell.toml").unwrap();
        let shares = crate::plan::shares(&shipped());
        // Whatever else there is, the shares are those: what is added is that of the rests.
        let extrapolated = |rows: &[(u8, Only)]| {
            let mut machine = shipped();
            let twin = machine.axes[0].twin.as_mut().unwrap();
            let row = twin.baseline[0].clone();
            (twin.baseline).extend(rows.iter().map(|(stage, only)| RegimeBaseline {
                regime: Rested::Positive.name().to_owned(),
                stage: *stage,
                only: *only,
                ..row.clone()
            }));
            let mut found = Extrapolated::default();
            extrapolate(&machine, shares, &mut found);
            [found.rate_per_s, found.high_per_s]
        };
        let none = extrapolated(&[]);
        let of = |rows: &[(u8, Only)]| {
            let with = extrapolated(rows);
            [with[0] - none[0], with[1] - none[1]]
        };
        let all = Only::ALWAYS;
        let one = of(&[(0, all)]);
        assert!(one[0] > 0.0 && one[1] > one[0], "{one:?}");
        let near = |a: [f64; 2], b: [f64; 2]| (0..2).all(|n| (a[n] / b[n] - 1.0).abs() < 1e-6);
        let thrice = [3.0 * one[0], 3.0 * one[1]];
        assert!(near(of(&[(0, all), (1, all), (5, all)]), thrice));
        assert!(near(of(&[(0, of_recipe(1)), (0, of_recipe(2))]), one));
        let mixed = [(0, of_recipe(1)), (1, all), (0, of_recipe(2)), (5, all)];
        assert!(near(of(&mixed), thrice));
    }

    #[test]
    fn a_stage_of_rests_has_the_row_of_its_context_that_names_most_of_it() {
        let mut machine =
            twinstep_config::load(twinstep_config::PRESS_CELL, "press-cell.toml").unwrap();
        let row = machine.axes[0].twin.as_ref().unwrap().baseline[0].clone();
        let only = |recipe, tool| Only {
            recipe,
            tool,
            ..Only::ALWAYS
        };
        let at = |only, stage, mean_a| RegimeBaseline {
            regime: Rested::Positive.name().to_owned(),
            only,
            stage,
            mean_a,
            ..row.clone()
        };
        let before = counts(&machine).0;
        let twin = machine.axes[0].twin.as_mut().unwrap();
        twin.baseline.extend([
            at(Only::ALWAYS, 0, 1.0),
            at(only(None, Some(1)), 0, 2.0),
            at(only(None, Some(1)), 1, 3.0),
            at(only(Some(0), Some(1)), 1, 4.0),
        ]);
        // One stream, however many stages and contexts.
        assert_eq!(counts(&machine).0, before + 1);
        let store = crate::plan::PlanStore::new(&machine);
        let held = |slow: &SlowPlan| {
            let stages = slow.standstill[Rested::Positive as usize];
            [0, 1, 2].map(|stage| stages[stage].map(|base| base.mean_a))
        };
        let plan = store.plan();
        let own = plan.contexts_of(0);
        let found: Vec<_> = own.iter().map(|one| (one.only, held(&one.slow))).collect();
        let expected = [
            (only(Some(0), Some(1)), [Some(2.0), Some(4.0), None]),
            (only(None, Some(1)), [Some(2.0), Some(3.0), None]),
        ];
        assert_eq!(found, expected);
        assert_eq!(held(&plan.axes[0].slow), [Some(1.0), None, None]);
        assert_eq!(plan.judges[0].rests, 1);
    }
}
