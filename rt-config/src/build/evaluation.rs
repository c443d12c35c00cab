//! Evaluation objects of a press: what a stroke must look like.

mod curve;
mod pairs;

use super::kinematics::begins_with_a_force;
use super::press::{of_ram, recipe_index};
pub(super) use curve::{default_curve, taught};
pub(super) use pairs::one_of;

use crate::check::{Bounds, Check, listed};
use crate::error::closest;
use crate::machine::{Demand, EnvelopeDemand, Evaluation, Press};
use crate::raw::{EvaluationTable, PartTable, PressTable, RecipeTable};
use crate::value::{At, Span};
use curve::curve;
use pairs::{limits, pair, range, sides};
use twinstep_models::press::curve::Branch;
use twinstep_models::press::evaluate::features::{Chord, Gap, Limits, Loop, Peak};
use twinstep_models::press::evaluate::passage::Quad;
use twinstep_models::press::evaluate::reference::Reference;
use twinstep_models::press::evaluate::threshold::{Crossing, Line, Threshold};
use twinstep_models::press::evaluate::trapezium::{QuadError, trapezium};
use twinstep_models::press::evaluate::{MAX_OBJECTS, Object, Shape};

/// Share of good strokes within an envelope unless given.
const COVERAGE: f64 = 0.9999;
/// Confidence of it unless given.
const CONFIDENCE: f64 = 0.95;

/// Every kind with the keys it needs and those it may have; `name`, `kind`, `part`, `recipe`, `branch`, `reference` and
/// `trigger` are for all.
const KINDS: [(&str, &[&str], &[&str]); 9] = [
    ("window", &["x", "y"], &["entry", "exit"]),
    ("trapezium", &["x", "y_left", "y_right"], &["entry", "exit"]),
    ("threshold", &[], &["at", "at_force", "crossing", "x", "y"]),
    (
        "envelope",
        &["part", "x"],
        &["coverage", "confidence", "floor"],
    ),
    ("peak", &["y"], &["x"]),
    ("work", &["work"], &["x"]),
    ("gradient", &["x", "gradient"], &[]),
    ("hysteresis", &[], &["work", "x", "at", "y"]),
    ("block", &[], &["x", "y"]),
];

/// Puts curve and evaluations of `raw` into `press`.
pub(super) fn fill(
    press: &mut Press,
    raw: &PressTable,
    parts: &[PartTable],
    recipes: &[RecipeTable],
    check: &mut Check,
) {
    if let Some(table) = &raw.curve {
        press.curve = curve(table, &of_ram(&press.drive_train, &press.stroke), check);
    }
    begins_with_a_force(press, raw, check);
    if let Some(last) = raw.evaluation.last() {
        check.at_most(
            &last.span,
            "evaluations of a press",
            raw.evaluation.len(),
            MAX_OBJECTS,
        );
    }
    let named = raw
        .evaluation
        .iter()
        .filter_map(|one| one.value.name.as_ref());
    for name in named.clone() {
        check.name(name);
    }
    check.unique("evaluations of a press", named);
    for (number, one) in raw.evaluation.iter().enumerate() {
        let Some(demand) = demand(one, parts, recipes, check) else {
            continue;
        };
        let name = match &one.value.name {
            Some(name) => name.value.clone(),
            None => format!("{}-{}", one.value.kind.value, number + 1),
        };
        if has_its_band(press, &demand) {
            check.problem(
                &one.span,
                "this press has an envelope of the same part and recipe already, and learns one band of both",
                "second one",
                "keep one of them; windows, trapezia and gradients judge other places and the way back",
            );
        }
        press.evaluations.push(Evaluation { name, demand });
    }
}

/// Whether another envelope of the press would be judged with the same band.
fn has_its_band(press: &Press, demand: &Demand) -> bool {
    let key = |demand: &Demand| match demand {
        Demand::Envelope(one) => Some((one.part, one.recipe)),
        Demand::Object(_) => None,
    };
    let mine = key(demand);
    mine.is_some() && (press.evaluations.iter()).any(|other| key(&other.demand) == mine)
}

fn demand(
    at: &At<EvaluationTable>,
    parts: &[PartTable],
    recipes: &[RecipeTable],
    check: &mut Check,
) -> Option<Demand> {
    let raw = &at.value;
    let part = raw.part.as_ref().and_then(|name| part(name, parts, check));
    let recipe = (raw.recipe.as_ref()).and_then(|name| recipe_index(name, recipes, check));
    let branch = one_of(
        "branch",
        raw.branch.as_ref(),
        &[("forward", Branch::Forward), ("return", Branch::Return)],
        check,
    );
    let reference = reference(raw, check);
    if !keys(raw, &at.span, check) {
        return None;
    }
    if raw.kind.value == "envelope" {
        let share = Bounds::between(0.5, 0.999_999_999);
        return Some(Demand::Envelope(EnvelopeDemand {
            part: part.unwrap_or(u8::MAX),
            recipe,
            branch,
            reference,
            x_m: pair("x", raw.x.as_ref(), check)?,
            coverage: check.si_or("coverage", raw.coverage.as_ref(), share, COVERAGE),
            confidence: check.si_or("confidence", raw.confidence.as_ref(), share, CONFIDENCE),
            floor_n: check.si_or("floor", raw.floor.as_ref(), Bounds::not_negative(), 0.0),
        }));
    }
    let shape = match raw.kind.value.as_str() {
        "window" | "trapezium" => Shape::Passage(area(raw, &at.span, check)?),
        "threshold" => Shape::Threshold(threshold(raw, &at.span, check)?),
        "peak" => Shape::Peak(Peak {
            x_m: range(raw, check)?,
            force: limits("y", raw.y.as_ref(), check)?,
            position: Limits::ANY,
        }),
        "work" => Shape::Work(Loop {
            x_m: range(raw, check)?,
            limits: limits("work", raw.work.as_ref(), check)?,
        }),
        "gradient" => Shape::Gradient(Chord {
            x_m: pair("x", raw.x.as_ref(), check)?,
            limits: limits("gradient", raw.gradient.as_ref(), check)?,
        }),
        "hysteresis" => hysteresis(raw, &at.span, check)?,
        _ => block(raw, &at.span, check)?,
    };
    Some(Demand::Object(Object {
        shape,
        reference,
        branch,
        part,
        recipe,
    }))
}

/// Whether the kind is known and has its keys; says so where not.
fn keys(raw: &EvaluationTable, span: &Span, check: &mut Check) -> bool {
    let kind = &raw.kind;
    let names: Vec<&str> = KINDS.iter().map(|(name, ..)| *name).collect();
    let Some((_, needed, allowed)) = KINDS.iter().find(|(name, ..)| *name == kind.value) else {
        let near = closest(&kind.value, &names)
            .map(|near| format!("did you mean \"{near}\"? "))
            .unwrap_or_default();
        check.problem(
            &kind.span,
            format!(
                "there is no evaluation of kind \"{}\"",
                crate::error::shortened(&kind.value)
            ),
            "unknown kind",
            format!("{near}known: {}", listed(&names)),
        );
        return false;
    };
    let given: [(&str, Option<&Span>); 15] = [
        ("part", raw.part.as_ref().map(|v| &v.span)),
        ("x", raw.x.as_ref().map(|v| &v.span)),
        ("y", raw.y.as_ref().map(|v| &v.span)),
        ("y_left", raw.y_left.as_ref().map(|v| &v.span)),
        ("y_right", raw.y_right.as_ref().map(|v| &v.span)),
        ("entry", raw.entry.as_ref().map(|v| &v.span)),
        ("exit", raw.exit.as_ref().map(|v| &v.span)),
        ("at", raw.at.as_ref().map(|v| &v.span)),
        ("at_force", raw.at_force.as_ref().map(|v| &v.span)),
        ("crossing", raw.crossing.as_ref().map(|v| &v.span)),
        ("work", raw.work.as_ref().map(|v| &v.span)),
        ("gradient", raw.gradient.as_ref().map(|v| &v.span)),
        ("coverage", raw.coverage.as_ref().map(|v| &v.span)),
        ("confidence", raw.confidence.as_ref().map(|v| &v.span)),
        ("floor", raw.floor.as_ref().map(|v| &v.span)),
    ];
    let mut fine = true;
    for (key, place) in given {
        match place {
            None if needed.contains(&key) => {
                check.problem(
                    span,
                    format!("an evaluation of kind \"{}\" needs `{key}`", kind.value),
                    "this evaluation",
                    format!("add `{key}`; `twinstep check --schema` describes it"),
                );
                fine = false;
            }
            Some(place) if key != "part" && !needed.contains(&key) && !allowed.contains(&key) => {
                check.problem(
                    place,
                    format!(
                        "`{key}` has no meaning for an evaluation of kind \"{}\"",
                        kind.value
                    ),
                    "not for this kind",
                    "leave it out",
                );
                fine = false;
            }
            _ => {}
        }
    }
    fine
}

fn part(name: &At<String>, parts: &[PartTable], check: &mut Check) -> Option<u8> {
    let names: Vec<&str> = parts.iter().map(|part| part.name.value.as_str()).collect();
    match names.iter().position(|known| *known == name.value) {
        // More than MAX_PARTS parts are refused elsewhere, so the index of an accepted machine fits.
        Some(index) => Some(u8::try_from(index).unwrap_or(u8::MAX)),
        None => {
            check.unknown("part", name, &names);
            None
        }
    }
}

fn reference(raw: &EvaluationTable, check: &mut Check) -> Reference {
    let kinds = [("absolute", 0), ("final", 1), ("trigger", 2)];
    match (
        one_of("reference", raw.reference.as_ref(), &kinds, check),
        &raw.trigger,
    ) {
        (2, Some(force)) => Reference::Trigger(check.si("trigger", force, Bounds::positive())),
        (2, None) => {
            if let Some(reference) = &raw.reference {
                check.problem(
                    &reference.span,
                    "the reference \"trigger\" needs `trigger`, the force where X begins",
                    "at which force?",
                    "add `trigger = \"500N\"`",
                );
            }
            Reference::Absolute
        }
        (_, Some(force)) => {
            check.problem(
                &force.span,
                "`trigger` has no meaning without `reference = \"trigger\"`",
                "not used",
                "leave it out, or add the reference",
            );
            Reference::Absolute
        }
        (1, None) => Reference::Final,
        (_, None) => Reference::Absolute,
    }
}

fn area(raw: &EvaluationTable, span: &Span, check: &mut Check) -> Option<Quad> {
    let entry = sides("entry", raw.entry.as_ref(), check)?;
    let exit = sides("exit", raw.exit.as_ref(), check)?;
    let (left, right) = match &raw.y {
        Some(_) => {
            let y = pair("y", raw.y.as_ref(), check)?;
            (y, y)
        }
        None => (
            pair("y_left", raw.y_left.as_ref(), check)?,
            pair("y_right", raw.y_right.as_ref(), check)?,
        ),
    };
    let x = pair("x", raw.x.as_ref(), check)?;
    match trapezium(x, [left[0], right[0]], [left[1], right[1]], entry, exit) {
        Ok(quad) => Some(quad),
        // Its corners were reported where they stand.
        Err(QuadError::NotFinite) => None,
        Err(error @ (QuadError::Width | QuadError::Height)) => {
            check.problem(
                span,
                format!("this area is none: {error}"),
                "no area",
                "give it width and height",
            );
            None
        }
    }
}

fn threshold(raw: &EvaluationTable, span: &Span, check: &mut Check) -> Option<Threshold> {
    let crossing = one_of(
        "crossing",
        raw.crossing.as_ref(),
        &[
            ("rising", Crossing::Rising),
            ("falling", Crossing::Falling),
            ("either", Crossing::Either),
        ],
        check,
    );
    let (line, limits) = match (&raw.at, &raw.at_force, &raw.x, &raw.y) {
        (Some(at), None, None, Some(_)) => (
            Line::X(check.si("at", at, Bounds::any())),
            limits("y", raw.y.as_ref(), check)?,
        ),
        (None, Some(at), Some(_), None) => (
            Line::Y(check.si("at_force", at, Bounds::any())),
            limits("x", raw.x.as_ref(), check)?,
        ),
        _ => {
            check.problem(
                span,
                "a threshold is `at` a travel with limits `y`, or `at_force` with limits `x`",
                "neither of the two",
                "write `at = \"10mm\"` with `y = [\"1kN\", \"2kN\"]`, or `at_force = \"1kN\"` with `x = [\"9mm\", \"11mm\"]`",
            );
            return None;
        }
    };
    Some(Threshold {
        line,
        crossing,
        limits,
    })
}

fn hysteresis(raw: &EvaluationTable, span: &Span, check: &mut Check) -> Option<Shape> {
    match (&raw.work, &raw.at, &raw.y) {
        (Some(_), None, None) => Some(Shape::Hysteresis(Loop {
            x_m: range(raw, check)?,
            limits: limits("work", raw.work.as_ref(), check)?,
        })),
        (None, Some(at), Some(_)) if raw.x.is_none() => Some(Shape::Gap(Gap {
            at_m: check.si("at", at, Bounds::any()),
            limits: limits("y", raw.y.as_ref(), check)?,
        })),
        _ => {
            check.problem(
                span,
                "a hysteresis has limits of `work`, or of the force `y` `at` a travel",
                "neither of the two",
                "write `work = [\"1J\", \"2J\"]`, or `at = \"10mm\"` with `y = [\"10N\", \"20N\"]`",
            );
            None
        }
    }
}

fn block(raw: &EvaluationTable, span: &Span, check: &mut Check) -> Option<Shape> {
    if raw.x.is_none() && raw.y.is_none() {
        check.problem(
            span,
            "a block position has limits `x` of the travel, `y` of the force there, or both",
            "without limits",
            "add `x = [\"154.9mm\", \"155.1mm\"]`",
        );
        return None;
    }
    let any = |given: bool| (!given).then_some(Limits::ANY);
    Some(Shape::Block {
        position: any(raw.x.is_some()).or_else(|| limits("x", raw.x.as_ref(), check))?,
        force: any(raw.y.is_some()).or_else(|| limits("y", raw.y.as_ref(), check))?,
    })
}
