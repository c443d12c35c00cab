//! Movements in several recipes: which rows judge them, and what is left out.

use super::super::Segment;
use super::super::tests::{THRESHOLDS, at, plan};
use super::*;
use crate::event::EventState;
use crate::judge::Occasion;
use crate::outbox::Outbox;
use twinstep_models::cause::Cause;
use twinstep_models::channel::{Channel, Regime};
use twinstep_models::sample::Context;

fn row(mean_a: f64) -> [Option<Baseline>; FEATURES] {
    [Some(Baseline {
        mean_a,
        sigma_a: 0.01,
    }); FEATURES]
}

fn own(recipe: u8, baseline: [Option<Baseline>; FEATURES]) -> RecipeBases {
    RecipeBases {
        axis: 0,
        recipe,
        baseline,
        slow: SlowPlan::default(),
    }
}

/// A machine with so many rows; what it has found.
struct Rig {
    plan: AxisPlan,
    own: Vec<RecipeBases>,
    judge: AxisJudge,
    out: Outbox,
}

impl Rig {
    /// Rows for every recipe, if any, and for some of them.
    fn new(general: [Option<Baseline>; FEATURES], own: Vec<RecipeBases>) -> Self {
        let mut rig = Self {
            plan: AxisPlan {
                baseline: general,
                ..plan()
            },
            own,
            judge: AxisJudge::default(),
            out: Outbox::default(),
        };
        // The first movement is not seen from its start on.
        rig.movement(0, 0, 0.0);
        rig
    }

    /// A movement with so much more current than predicted (A), that begins and ends in these recipes.
    fn movement(&mut self, from: u8, to: u8, more_a: f64) {
        let occasion = |cycle, recipe| Occasion {
            context: Context { recipe, part: 0 },
            ..at(cycle)
        };
        let segment = Segment {
            regime: Regime::ConstantSpeed,
            forward: true,
            cycles: 180.0,
            measured_a: 180.0 * (1.0 + more_a),
            predicted_a: 180.0,
            disturbance_a: 180.0 * more_a,
            ..Segment::default()
        };
        let rest = Segment {
            cycles: 20.0,
            ..Segment::default()
        };
        let (plan, judge, out) = (&self.plan, &mut self.judge, &mut self.out);
        judge.segment(
            plan,
            &self.own,
            &THRESHOLDS,
            &occasion(10, from),
            &rest,
            out,
        );
        judge.segment(
            plan,
            &self.own,
            &THRESHOLDS,
            &occasion(190, to),
            &segment,
            out,
        );
        judge.movement_end(plan, &self.own, &THRESHOLDS, &occasion(200, to), out);
    }

    fn raised(&mut self) -> Vec<(Channel, Cause)> {
        core::iter::from_fn(|| self.out.pop())
            .filter(|event| event.state == EventState::Raised)
            .map(|event| (event.channel, event.cause))
            .collect()
    }
}

const LOAD: (Channel, Cause) = (Channel::CurrentLoad, Cause::FrictionIncreased);

#[test]
fn a_movement_is_judged_by_the_row_of_its_recipe() {
    let rows = vec![own(0, row(0.0)), own(3, row(0.3))];
    let mut rig = Rig::new([None; FEATURES], rows);
    for _ in 0..50 {
        rig.movement(0, 0, 0.0);
        rig.movement(3, 3, 0.3);
    }
    assert_eq!(rig.raised(), []);
    assert_eq!(rig.judge.not_judged().recipe, 0);
    // The healthy figure of one is a deviation in the other.
    for _ in 0..4 {
        rig.movement(3, 3, 0.0);
    }
    let raised = rig.raised();
    assert_eq!(raised.len(), 1, "{raised:?}");
    assert_eq!(raised[0].0, Channel::CurrentLoad);
}

#[test]
fn what_is_there_in_both_recipes_adds_up_as_in_one() {
    let until = |recipes: [(u8, f64); 2]| {
        let mut rig = Rig::new([None; FEATURES], vec![own(0, row(0.0)), own(1, row(0.3))]);
        for n in 0..50 {
            let (recipe, healthy_a) = recipes[n % 2];
            rig.movement(recipe, recipe, healthy_a + 0.1);
            if rig.raised().contains(&LOAD) {
                return Some(n);
            }
        }
        None
    };
    let one = until([(0, 0.0); 2]);
    assert!(one.is_some_and(|n| n > 0), "{one:?}");
    assert_eq!(until([(0, 0.0), (1, 0.3)]), one);
}

#[test]
fn a_recipe_that_nothing_was_learnt_of_is_counted_and_raises_nothing() {
    let mut rig = Rig::new([None; FEATURES], vec![own(0, row(0.0))]);
    for _ in 0..20 {
        rig.movement(1, 1, 0.5);
    }
    assert_eq!(rig.raised(), []);
    assert_eq!(rig.judge.not_judged().recipe, 20);
    // The recipe that was learnt is judged as ever, and what came between has left nothing behind.
    rig.movement(0, 0, 0.0);
    assert_eq!(rig.raised(), []);
    for _ in 0..5 {
        rig.movement(0, 0, 0.2);
    }
    assert_eq!(rig.raised(), [LOAD]);
    assert_eq!(rig.judge.not_judged().recipe, 20);
}

#[test]
fn a_row_without_a_recipe_holds_in_all_that_have_none() {
    let mut rig = Rig::new(row(0.3), vec![own(0, row(0.0))]);
    for _ in 0..20 {
        rig.movement(0, 0, 0.0);
        rig.movement(1, 1, 0.3);
        rig.movement(200, 200, 0.3);
    }
    assert_eq!(rig.raised(), []);
    assert_eq!(rig.judge.not_judged().recipe, 0);
    for _ in 0..5 {
        rig.movement(1, 1, 0.6);
    }
    assert!(rig.raised().contains(&LOAD));
}

#[test]
fn a_figure_without_a_row_is_left_out_alone() {
    let mut rig = Rig::new([None; FEATURES], vec![own(0, row(0.0))]);
    rig.plan.slow.disturbance = row(0.0);
    rig.own[0].slow.disturbance = row(0.0);
    for _ in 0..20 {
        rig.movement(1, 1, 0.0);
    }
    assert_eq!((rig.raised(), rig.judge.not_judged().recipe), (vec![], 20));
    for _ in 0..5 {
        rig.movement(1, 1, 0.5);
    }
    let raised = rig.raised();
    assert!(
        raised
            .iter()
            .all(|(channel, _)| *channel == Channel::Disturbance)
            && raised.len() == 1,
        "{raised:?}"
    );
}

#[test]
fn a_movement_over_a_change_of_recipe_is_left_out() {
    let rows = vec![own(0, row(0.0)), own(1, row(0.3))];
    let mut rig = Rig::new([None; FEATURES], rows);
    for n in 1..=20 {
        rig.movement(0, 1, 5.0);
        assert_eq!(rig.judge.ended_recipe(), None);
        rig.movement(1, 0, -5.0);
        assert_eq!(rig.judge.not_judged().recipe, 2 * n);
    }
    assert_eq!(rig.raised(), []);
    rig.movement(1, 1, 0.3);
    assert_eq!(rig.judge.ended_recipe(), Some(1));
    assert_eq!(rig.judge.not_judged().recipe, 40);
    // What was forgotten has no recipe either.
    rig.judge.recipes.see(0);
    rig.judge.forget();
    rig.judge.recipes.see(1);
    assert_eq!(rig.judge.recipes.end(1), Some(1));
}

#[test]
fn a_recipe_that_nobody_tells_has_no_rows_not_even_the_general_ones() {
    let mut rig = Rig::new(row(0.3), vec![own(0, row(0.0))]);
    for _ in 0..20 {
        rig.movement(Context::UNKNOWN, Context::UNKNOWN, 0.0);
    }
    assert_eq!((rig.raised(), rig.judge.not_judged().recipe), (vec![], 20));
}

/// Would show a page that puts the healthy figure of some recipe beside a movement of none.
#[test]
fn what_is_healthy_is_that_of_the_movement_that_ended_and_nothing_without_a_recipe() {
    let mut rig = Rig::new(row(0.3), vec![own(0, row(0.1)), own(2, [None; FEATURES])]);
    let mut healthy = |from, to| {
        rig.movement(from, to, 0.0);
        let row = (rig.judge).healthy_of(&rig.plan, &rig.own, Feature::ConstantPositive);
        (rig.judge.ended_recipe(), row.map(|row| row.mean_a))
    };
    assert_eq!(healthy(0, 0), (Some(0), Some(0.1)));
    // Rows without a recipe hold in one that has none, and not in one whose own rows lack the figure.
    assert_eq!(healthy(1, 1), (Some(1), Some(0.3)));
    assert_eq!(healthy(2, 2), (Some(2), None));
    // The recipe changed within the movement, or nobody tells it.
    assert_eq!(healthy(0, 1), (None, None));
    let unknown = Context::UNKNOWN;
    assert_eq!(healthy(unknown, unknown), (Some(unknown), None));
    assert_eq!(healthy(0, 0), (Some(0), Some(0.1)));
    // Without rows by recipe a recipe says nothing of what is healthy.
    let mut plain = Rig::new(row(0.3), Vec::new());
    plain.movement(0, 1, 0.0);
    let row = (plain.judge).healthy_of(&plain.plan, &plain.own, Feature::ConstantPositive);
    assert_eq!(row.map(|row| row.mean_a), Some(0.3));
}

#[test]
fn a_machine_without_rows_by_recipe_does_not_look_at_them() {
    let mut rig = Rig::new(row(0.0), Vec::new());
    for _ in 0..5 {
        rig.movement(0, 1, 0.0);
    }
    assert_eq!((rig.raised(), rig.judge.not_judged().recipe), (vec![], 0));
    for _ in 0..5 {
        rig.movement(1, 0, 0.2);
    }
    assert_eq!(rig.raised(), [LOAD]);
}

#[test]
fn evidence_is_that_of_one_recipe() {
    let rows = [own(0, row(0.0)), own(1, row(0.0))];
    let mut recipes = Recipes::default();
    assert!(recipes.hold_alike(&[], 0) && !recipes.hold_alike(&rows, 0));
    assert!(!recipes.is_another(&[], None));
    assert!(recipes.is_another(&rows, None));
    let mut end = |recipe| {
        let ended = recipes.end(recipe);
        let another = recipes.is_another(&rows, ended);
        (
            another,
            recipes.hold_alike(&rows, 0),
            recipes.hold_alike(&rows, 1),
        )
    };
    assert_eq!(end(1), (false, false, true));
    // It rests with the load of the recipe before as long as nobody has moved it in this one.
    assert_eq!(end(0), (true, false, false));
    assert_eq!(end(1), (false, false, true));
    recipes.renew();
    recipes.see(0);
    let ended = recipes.end(0);
    assert!(!recipes.is_another(&rows, ended) && recipes.hold_alike(&rows, 0));
}
