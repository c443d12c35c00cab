//! How the figures of movements and rests are judged, and what follows from it.

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
    let machine = twinstep_config::load(twinstep_config::PRESS_CELL, "press-cell.toml").unwrap();
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
    let shipped = || twinstep_config::load(twinstep_config::PRESS_CELL, "press-cell.toml").unwrap();
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
    let shipped = || twinstep_config::load(twinstep_config::PRESS_CELL, "press-cell.toml").unwrap();
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
