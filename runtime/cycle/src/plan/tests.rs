//! What is found in a plan, and by what.

use super::*;
use twinstep_models::press::workpiece::Forming;

#[test]
fn what_is_met_is_that_of_the_recipe_where_it_has_its_own() {
    let contact = |contact_m| Contact {
        contact_m,
        stiffness_a_per_m: 100.0,
        direction: 1.0,
    };
    let context = Context::of;
    let mut plan = AxisPlan {
        limits: [None; NEXT],
        whitened: [None; WHITENED],
        regime: RegimeParams {
            standstill_m_per_s: 0.0,
            steady_m_per_s2: 0.0,
            reversal_cycles: 0,
            pressing_a: 0.0,
        },
        baseline: [None; FEATURES],
        slow: SlowPlan::default(),
        gravity_a: 0.0,
        observer: Steady::BLIND,
        inertia: None,
        carries_weight: false,
        viscous: 0.0,
        cycle_way_m: 1.0,
        hop_m: 0.5,
        carried: 0.0,
        drift_limit_m: None,
        contacts: [Contact::default(); MAX_PARTS],
        by_recipe: [None; MAX_BY_RECIPE],
        movement_m: 0.0,
        modes: Modes::POSITION,
    };
    assert!(!plan.presses());
    plan.by_recipe[0] = Some(RecipeContact {
        context: context(2, 1),
        contact: contact(0.5),
    });
    assert!(plan.presses(), "a part that one recipe alone knows");
    plan.contacts[1] = contact(0.25);
    let met = |recipe, part| plan.contact(context(recipe, part)).map(|c| c.contact_m);
    assert_eq!((met(0, 1), met(2, 1)), (Some(0.25), Some(0.5)));
    // Another part, and one that no plan has.
    assert_eq!((met(2, 0), met(2, 200)), (Some(0.0), None));
}

#[test]
fn the_curve_of_a_press_is_found_among_those_of_others() {
    let table = Forming::new(&[0.0, 1.0], &[0.0, 1.0], 1.0).unwrap();
    let curve = |axis, part, recipe| PartCurve {
        axis,
        part,
        recipe,
        workpiece: Workpiece::Forming(table),
        clear_m: 0.0,
    };
    let curves = [
        curve(8, 0, None),
        curve(8, 2, Some(1)),
        curve(8, 2, Some(3)),
        curve(8, 2, None),
        curve(9, 0, Some(1)),
        curve(9, 2, None),
    ];
    let plan = Plan {
        period_ns: 1_000_000,
        lanes: &[],
        judges: &[],
        axes: &[],
        stations: &[],
        presses: &[],
        objects: &[],
        curves: &curves,
        linked: &[],
        contexts: &[],
        first_axis: 8,
        thresholds: Thresholds {
            slack: 0.0,
            threshold: 0.0,
            settle_cycles: 0,
            horizon_cycles: 1,
            warm_up: None,
        },
        level: Level::PORTABLE,
    };
    let found = |n, recipe, part| plan.curve(n, Context::of(recipe, part));
    for recipe in 0..5 {
        let own = [None, Some(1), None, Some(2), None][usize::from(recipe)];
        assert_eq!(found(0, recipe, 2), own.or(Some(3)), "{recipe}");
        assert_eq!(found(0, recipe, 0), Some(0));
        assert_eq!(found(1, recipe, 0), (recipe == 1).then_some(4));
        assert_eq!(found(1, recipe, 2), Some(5));
        assert_eq!(found(0, recipe, 1), None);
        assert_eq!(found(2, recipe, 0), None);
    }
}

#[test]
fn an_axis_has_the_contexts_that_are_its_own() {
    let bases = |axis, recipe| ContextBases {
        axis,
        only: Only {
            recipe: Some(recipe),
            ..Only::ALWAYS
        },
        baseline: [None; FEATURES],
        slow: SlowPlan::default(),
    };
    let mut contexts = vec![bases(3, 0), bases(3, 4), bases(5, 1)];
    contexts.extend((0..20).map(|recipe| bases(7, recipe)));
    let mut plan = Plan {
        period_ns: 1_000_000,
        lanes: &[],
        judges: &[],
        axes: &[],
        stations: &[],
        presses: &[],
        objects: &[],
        curves: &[],
        linked: &[],
        contexts: &contexts,
        first_axis: 0,
        thresholds: Thresholds {
            slack: 0.0,
            threshold: 0.0,
            settle_cycles: 0,
            horizon_cycles: 1,
            warm_up: None,
        },
        level: Level::PORTABLE,
    };
    let of = |plan: &Plan<'_>, n| -> Vec<u8> {
        plan.contexts_of(n)
            .iter()
            .filter_map(|one| one.only.recipe)
            .collect()
    };
    assert_eq!(of(&plan, 3), [0, 4]);
    assert_eq!(of(&plan, 5), [1]);
    assert_eq!(of(&plan, 7).len(), MAX_CONTEXT_BASES);
    for none in [0, 4, 6, 8] {
        assert!(of(&plan, none).is_empty());
    }
    // A section counts its axes from its own first one.
    plan.first_axis = 2;
    assert_eq!(of(&plan, 1), [0, 4]);
}
