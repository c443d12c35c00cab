//! What the record of one axis says of its movements and rests, by context.

use super::*;
use twinstep_models::rest::Rested;
use twinstep_models::sample::Context;

fn lists(recipes: &[&str], tools: &[&str]) -> Names {
    let all = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    [all(recipes), all(tools), Vec::new(), Vec::new()]
}

fn recipes(names: &[&str]) -> Names {
    lists(names, &[])
}

/// So many movements with this residual (A) and speed (m/s), each with half as many cycles that are judged.
fn see(movements: &mut Movements, recipe: u8, count: usize, residual_a: f64, speed: f64) {
    see_with(movements, (recipe, 0), count, residual_a, speed);
}

/// The same with this recipe and tool.
fn see_with(
    movements: &mut Movements,
    (recipe, tool): (u8, u8),
    count: usize,
    residual_a: f64,
    speed: f64,
) {
    let context = Factors([recipe, tool, 0, 0]);
    for n in 0..count {
        let block = Block {
            residual_a: residual_a + 1e-3 * (n % 2) as f64,
            speed_m_per_s: speed,
            ..Block::default()
        };
        let mut figures = [None; FEATURES];
        figures[0] = Some(block);
        movements.add(context, &figures);
        movements.cycle(context);
    }
}

fn load(learnt: &Learnt) -> Vec<(Option<u8>, f64)> {
    (learnt.baseline.iter())
        .filter(|row| row.of == FigureOf::CurrentLoad)
        .map(|row| (row.only.recipe, row.mean_a))
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
    assert!(learnt.paces.iter().all(|row| row.only == Only::ALWAYS));
    assert!(learnt.lacks.is_empty());
    assert_eq!(learnt.baseline[0].law.unwrap().record_s, 0.1);
    // Without any recipe in the configuration, too.
    assert_eq!(movements.learn(&recipes(&[]), 0.01, 1.0), learnt);
    // Time in which nobody told the recipe is none of another one.
    see(&mut movements, 255, 10, 0.3, 0.5);
    assert_eq!(movements.learn(&recipes(&["a", "b"]), 0.01, 1.0), learnt);
    assert_eq!(
        Movements::default().learn(&recipes(&[]), 0.01, 1.0),
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
    let paces: Vec<_> = paces.map(|row| (row.only.recipe, row.paces.most)).collect();
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
    assert_eq!(load(&learnt).len(), MAX_CONTEXT_BASES);
    let told = learnt.lacks.join("\n");
    assert!(told.contains("in 16 of the 20 contexts"), "{told}");
    assert!(told.contains("by recipe, those with the most"), "{told}");
    // Those with the most movements have rows.
    see(&mut movements, 19, 5, 0.1, 0.5);
    let learnt = movements.learn(&recipes(&names), 0.01, 1.0);
    let rows: Vec<_> = load(&learnt).iter().filter_map(|row| row.0).collect();
    assert_eq!(rows, (0..15).chain([19]).collect::<Vec<u8>>());
}

#[test]
fn what_varies_in_the_record_is_named_and_nothing_else() {
    let names = lists(&["a", "b"], &["gripper", "welder"]);
    let only = |recipe, tool| Only {
        recipe,
        tool,
        ..Only::ALWAYS
    };
    let rows = |movements: &Movements| {
        let learnt = movements.learn(&names, 0.01, 1.0);
        let rows = (learnt.baseline.iter()).filter(|row| row.of == FigureOf::CurrentLoad);
        let rows: Vec<_> = rows.map(|row| (row.only, row.mean_a)).collect();
        (rows, learnt.lacks)
    };
    // One recipe, two tools: rows by tool.
    let mut movements = Movements::default();
    see_with(&mut movements, (1, 0), 10, 0.1, 0.5);
    see_with(&mut movements, (1, 1), 10, 0.3, 0.5);
    let (found, lacks) = rows(&movements);
    let [(first, a), (second, b)] = found[..] else {
        panic!("{found:?}");
    };
    assert_eq!((first, second), (only(None, Some(0)), only(None, Some(1))));
    assert!((a - 0.1005).abs() < 1e-9 && (b - 0.3005).abs() < 1e-9);
    assert!(lacks.is_empty(), "{lacks:?}");
    // A movement in which the tool changed, or is none of the list, is of neither.
    see_with(&mut movements, (1, 255), 10, 9.0, 0.5);
    see_with(&mut movements, (1, 2), 10, 9.0, 0.5);
    assert_eq!(rows(&movements).0, found);
    // The second recipe with one of them makes rows by both, and one that was seen too little is told.
    see_with(&mut movements, (0, 0), 3, 0.5, 0.5);
    let (found, lacks) = rows(&movements);
    let found: Vec<_> = found.iter().map(|row| row.0).collect();
    assert_eq!(found, [only(Some(1), Some(0)), only(Some(1), Some(1))]);
    assert!(
        lacks.len() == 1 && lacks[0].contains("in recipe a, tool gripper by constant_speed"),
        "{lacks:?}"
    );
    // Nobody told any.
    let mut movements = Movements::default();
    see_with(&mut movements, (1, 255), 10, 0.1, 0.5);
    let (found, lacks) = rows(&movements);
    assert!(found.is_empty() && lacks[0].contains("nobody told a recipe and a tool"));
}

/// So many rests behind a movement up that are held with this current (A), each with a tenth of the cycles that are judged.
fn rest(movements: &mut Movements, context: [u8; FACTORS], count: u64, hold_a: f64) {
    for rest in 0..count {
        let figure = RestFigure {
            cycle: 0,
            rest,
            after: Rested::Positive,
            stage: 0,
            hold_a: hold_a + 1e-3 * (rest % 2) as f64,
            context: Factors(context),
        };
        movements.rest(0, &figure);
        (0..10).for_each(|_| movements.cycle(Factors(context)));
    }
}

#[test]
fn rests_have_rows_by_what_varies_in_the_record() {
    let names = lists(&["a", "b"], &["gripper", "welder"]);
    let unknown = Context::UNKNOWN;
    let rows = |learnt: &Learnt| -> Vec<(Option<u8>, Option<u8>, f64)> {
        let rows = learnt.baseline.iter();
        rows.map(|row| (row.only.recipe, row.only.tool, row.mean_a))
            .collect()
    };
    // What no list is of does not matter: rests of one recipe and tool hold in all.
    let mut movements = Movements::default();
    rest(&mut movements, [1, 0, unknown, 7], 10, 1.0);
    let one = movements.learn_rests(&names, 0.01, 0.0);
    assert!(matches!(rows(&one)[..], [(None, None, _)]), "{one:?}");
    // Two tools: by tool, each with its own time. What changed since the movement is of neither.
    rest(&mut movements, [1, 1, 0, 0], 20, 2.0);
    rest(&mut movements, [1, unknown, 0, 0], 10, 9.0);
    let two = movements.learn_rests(&names, 0.01, 0.0);
    let [(None, Some(0), gripper_a), (None, Some(1), welder_a)] = rows(&two)[..] else {
        panic!("{two:?}");
    };
    assert!((gripper_a - 1.0005).abs() < 1e-9 && (welder_a - 2.0005).abs() < 1e-9);
    let times: Vec<f64> = (two.baseline.iter())
        .filter_map(|row| Some(row.law?.record_s))
        .collect();
    assert_eq!(times, [1.0, 2.0]);
    assert!(two.lacks.is_empty(), "{two:?}");
    // One that was seen too little is told.
    rest(&mut movements, [0, 1, 0, 0], 3, 2.0);
    let three = movements.learn_rests(&names, 0.01, 0.0);
    assert_eq!(three.baseline.len(), 2);
    let [told] = &three.lacks[..] else {
        panic!("{three:?}");
    };
    assert!(
        told.contains("judged in recipe a, tool welder: it takes 4 rests")
            && told.contains("there were 3 at most"),
        "{told}"
    );
    // Many in all, and too few in each.
    let mut movements = Movements::default();
    rest(&mut movements, [0, 0, 0, 0], 3, 1.0);
    rest(&mut movements, [1, 0, 0, 0], 2, 1.0);
    let few = movements.learn_rests(&names, 0.01, 0.0);
    assert!(few.baseline.is_empty());
    let [told] = &few.lacks[..] else {
        panic!("{few:?}");
    };
    assert!(
        told.contains("in any context") && told.contains("there were 3 at most"),
        "{told}"
    );
}
