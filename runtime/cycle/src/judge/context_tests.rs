//! Movements in several recipes, and with several tools: which rows judge them, and what is left out.

use super::super::Segment;
use super::super::tests::{THRESHOLDS, at, plan};
use super::*;
use crate::event::EventState;
use crate::judge::Occasion;
use crate::outbox::Outbox;
use twinstep_models::cause::Cause;
use twinstep_models::channel::{Channel, Regime};
use twinstep_models::sample::Only;

fn recipe(recipe: u8) -> Factors {
    Context::of(recipe, 0).factors()
}

fn row(mean_a: f64) -> [Option<Baseline>; FEATURES] {
    [Some(Baseline {
        mean_a,
        sigma_a: 0.01,
    }); FEATURES]
}

fn own(recipe: u8, baseline: [Option<Baseline>; FEATURES]) -> ContextBases {
    let only = Only {
        recipe: Some(recipe),
        ..Only::ALWAYS
    };
    only_in(only, baseline)
}

fn only_in(only: Only, baseline: [Option<Baseline>; FEATURES]) -> ContextBases {
    ContextBases {
        axis: 0,
        only,
        baseline,
        slow: SlowPlan::default(),
    }
}

/// A machine with so many rows; what it has found.
struct Rig {
    plan: AxisPlan,
    own: Vec<ContextBases>,
    judge: AxisJudge,
    out: Outbox,
}

impl Rig {
    /// Rows for every recipe, if any, and for some of them.
    fn new(general: [Option<Baseline>; FEATURES], own: Vec<ContextBases>) -> Self {
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
        self.moves(Context::of(from, 0), Context::of(to, 0), more_a);
    }

    fn moves(&mut self, from: Context, to: Context, more_a: f64) {
        let occasion = |cycle, context| Occasion {
            context,
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
    assert_eq!(rig.judge.not_judged().context, 0);
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
    assert_eq!(rig.judge.not_judged().context, 20);
    // The recipe that was learnt is judged as ever, and what came between has left nothing behind.
    rig.movement(0, 0, 0.0);
    assert_eq!(rig.raised(), []);
    for _ in 0..5 {
        rig.movement(0, 0, 0.2);
    }
    assert_eq!(rig.raised(), [LOAD]);
    assert_eq!(rig.judge.not_judged().context, 20);
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
    assert_eq!(rig.judge.not_judged().context, 0);
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
    assert_eq!((rig.raised(), rig.judge.not_judged().context), (vec![], 20));
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
        let ended = rig.judge.ended_factors();
        assert_eq!(ended.map(|one| one.0[0]), Some(Context::UNKNOWN));
        rig.movement(1, 0, -5.0);
        assert_eq!(rig.judge.not_judged().context, 2 * n);
    }
    assert_eq!(rig.raised(), []);
    rig.movement(1, 1, 0.3);
    assert_eq!(rig.judge.ended_factors(), Some(recipe(1)));
    assert_eq!(rig.judge.not_judged().context, 40);
    // What was forgotten has no recipe either.
    rig.judge.contexts.see(recipe(0));
    rig.judge.forget();
    rig.judge.contexts.see(recipe(1));
    assert_eq!(rig.judge.contexts.end(recipe(1)), recipe(1));
}

#[test]
fn a_recipe_that_nobody_tells_has_no_rows_not_even_the_general_ones() {
    let mut rig = Rig::new(row(0.3), vec![own(0, row(0.0))]);
    for _ in 0..20 {
        rig.movement(Context::UNKNOWN, Context::UNKNOWN, 0.0);
    }
    assert_eq!((rig.raised(), rig.judge.not_judged().context), (vec![], 20));
}

/// Would show a page that puts the healthy figure of some recipe beside a movement of none.
#[test]
fn what_is_healthy_is_that_of_the_movement_that_ended_and_nothing_without_a_recipe() {
    let mut rig = Rig::new(row(0.3), vec![own(0, row(0.1)), own(2, [None; FEATURES])]);
    let mut healthy = |from, to| {
        rig.movement(from, to, 0.0);
        let row = (rig.judge).healthy_of(&rig.plan, &rig.own, Feature::ConstantPositive);
        let ended = rig.judge.ended_factors().unwrap();
        (ended.0[0], row.map(|row| row.mean_a))
    };
    assert_eq!(healthy(0, 0), (0, Some(0.1)));
    // Rows without a recipe hold in one that has none, and not in one whose own rows lack the figure.
    assert_eq!(healthy(1, 1), (1, Some(0.3)));
    assert_eq!(healthy(2, 2), (2, None));
    // The recipe changed within the movement, or nobody tells it.
    let unknown = Context::UNKNOWN;
    assert_eq!(healthy(0, 1), (unknown, None));
    assert_eq!(healthy(unknown, unknown), (unknown, None));
    assert_eq!(healthy(0, 0), (0, Some(0.1)));
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
    assert_eq!((rig.raised(), rig.judge.not_judged().context), (vec![], 0));
    for _ in 0..5 {
        rig.movement(1, 0, 0.2);
    }
    assert_eq!(rig.raised(), [LOAD]);
}

#[test]
fn evidence_is_that_of_one_recipe() {
    let rows = [own(0, row(0.0)), own(1, row(0.0))];
    let mut contexts = Contexts::default();
    assert!(contexts.hold_alike(&[], recipe(0)) && !contexts.hold_alike(&rows, recipe(0)));
    assert!(!contexts.is_another(&[], recipe(Context::UNKNOWN)));
    assert!(contexts.is_another(&rows, recipe(Context::UNKNOWN)));
    let mut end = |of| {
        let ended = contexts.end(recipe(of));
        let another = contexts.is_another(&rows, ended);
        (
            another,
            contexts.hold_alike(&rows, recipe(0)),
            contexts.hold_alike(&rows, recipe(1)),
        )
    };
    assert_eq!(end(1), (false, false, true));
    // It rests with the load of the recipe before as long as nobody has moved it in this one.
    assert_eq!(end(0), (true, false, false));
    assert_eq!(end(1), (false, false, true));
    contexts.renew();
    contexts.see(recipe(0));
    let ended = contexts.end(recipe(0));
    assert!(!contexts.is_another(&rows, ended) && contexts.hold_alike(&rows, recipe(0)));
}

/// In recipe 0.
fn tool(tool: u8) -> Context {
    let mut context = Context::of(0, 0);
    context.conditions.tool = tool;
    context
}

fn only(recipe: Option<u8>, tool: Option<u8>) -> Only {
    Only {
        recipe,
        tool,
        ..Only::ALWAYS
    }
}

#[test]
fn friction_that_differs_by_tool_is_healthy_with_rows_by_tool_alone() {
    let alarms = |general, own| {
        let mut rig = Rig::new(general, own);
        for _ in 0..20 {
            rig.moves(tool(0), tool(0), 0.0);
            rig.moves(tool(1), tool(1), 0.3);
        }
        (rig.raised(), rig)
    };
    let by_tool =
        || [(0, 0.0), (1, 0.3)].map(|(n, mean_a)| only_in(only(None, Some(n)), row(mean_a)));
    let (raised, mut rig) = alarms([None; FEATURES], by_tool().to_vec());
    assert_eq!((raised, rig.judge.not_judged().context), (vec![], 0));
    // A rise of friction with the tool known is found, whichever it is.
    for _ in 0..5 {
        rig.moves(tool(1), tool(1), 0.5);
    }
    assert_eq!(rig.raised(), [LOAD]);
    // One row over both takes a tool for a fault.
    let (raised, _) = alarms(row(0.0), Vec::new());
    assert!(raised.contains(&LOAD), "{raised:?}");
    // While nobody tells the tool nothing is judged, and it is counted.
    let mut rig = Rig::new([None; FEATURES], by_tool().to_vec());
    for _ in 0..20 {
        rig.moves(tool(Context::UNKNOWN), tool(Context::UNKNOWN), 5.0);
    }
    assert_eq!((rig.raised(), rig.judge.not_judged().context), (vec![], 20));
    // A load that no row is of may be anything.
    let mut other = tool(1);
    other.conditions.load = Context::UNKNOWN;
    rig.moves(other, other, 0.3);
    assert_eq!(rig.judge.not_judged().context, 20);
}

#[test]
fn of_the_rows_that_hold_those_that_name_most_are_taken() {
    // In the order of a plan.
    let rows = vec![
        only_in(only(Some(0), Some(1)), row(0.4)),
        only_in(only(Some(0), None), row(0.3)),
        only_in(only(None, Some(1)), row(0.2)),
    ];
    assert!(rows.is_sorted_by_key(|one| one.only.rank()));
    let mut rig = Rig::new(row(0.1), rows);
    let mut healthy = |recipe, of| {
        let context = Context { recipe, ..tool(of) };
        rig.moves(context, context, 0.0);
        let row = (rig.judge).healthy_of(&rig.plan, &rig.own, Feature::ConstantPositive);
        row.map(|row| row.mean_a)
    };
    assert_eq!(healthy(0, 1), Some(0.4));
    assert_eq!(healthy(0, 2), Some(0.3));
    assert_eq!(healthy(5, 1), Some(0.2));
    assert_eq!(healthy(5, 2), Some(0.1));
    // Rows are of both, so both are to be known.
    assert_eq!(healthy(0, Context::UNKNOWN), None);
    assert_eq!(healthy(Context::UNKNOWN, 1), None);
}

#[test]
fn a_movement_over_a_change_of_tool_is_left_out_where_rows_are_of_tools() {
    let by_recipe = vec![own(0, row(0.0)), own(1, row(0.3))];
    let by_tool = vec![only_in(only(None, Some(0)), row(0.0))];
    let left_out = |own| {
        let mut rig = Rig::new(row(0.0), own);
        rig.moves(tool(0), tool(1), 0.0);
        rig.judge.not_judged().context
    };
    assert_eq!(left_out(by_recipe), 0);
    assert_eq!(left_out(by_tool), 1);
}
