//! Evaluation objects of a press: what a stroke must look like.

use crate::check::{Bounds, Check, listed};
use crate::error::closest;
use crate::machine::{Curve, Demand, EnvelopeDemand, Evaluation, Press, Stroke};
use crate::raw::{CurveTable, EnvelopeTable, EvaluationTable, PartTable, PressTable};
use crate::value::{At, Dim, Quantity, Span};
use twinstep_models::press::curve::Branch;
use twinstep_models::press::evaluate::envelope::{Envelope, NODES};
use twinstep_models::press::evaluate::features::{Chord, Gap, Limits, Loop, Peak};
use twinstep_models::press::evaluate::passage::{Quad, Sides};
use twinstep_models::press::evaluate::reference::Reference;
use twinstep_models::press::evaluate::threshold::{Crossing, Line, Threshold};
use twinstep_models::press::evaluate::trapezium::{QuadError, trapezium};
use twinstep_models::press::evaluate::{MAX_OBJECTS, Object, Shape, Side};

/// Points over the way from `begin` to `bottom`, unless `step` is given.
const POINTS: f64 = 1000.0;
/// Force of contact unless given (N).
const CONTACT_N: f64 = 50.0;
/// Share of good strokes within an envelope unless given.
const COVERAGE: f64 = 0.9999;
/// Confidence of it unless given.
const CONFIDENCE: f64 = 0.95;
/// All X.
const EVERYWHERE: [f64; 2] = [f64::NEG_INFINITY, f64::INFINITY];

/// Every kind with the keys it needs and those it may have; `name`, `kind`, `part`, `branch`, `reference` and `trigger`
/// are for all.
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

/// What is taken where [press.curve] says nothing.
pub(super) fn default_curve(stroke: &Stroke) -> Curve {
    Curve {
        begin_m: stroke.approach_m,
        step_m: (stroke.bottom_m - stroke.approach_m).abs() / POINTS,
        step_n: f64::INFINITY,
        contact_n: CONTACT_N,
        frame_m_per_n: 0.0,
    }
}

/// Puts curve and evaluations of `raw` into `press`.
pub(super) fn fill(press: &mut Press, raw: &PressTable, parts: &[PartTable], check: &mut Check) {
    if let Some(table) = &raw.curve {
        press.curve = curve(table, &press.stroke, check);
    }
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
        let Some(demand) = demand(one, parts, check) else {
            continue;
        };
        let name = match &one.value.name {
            Some(name) => name.value.clone(),
            None => format!("{}-{}", one.value.kind.value, number + 1),
        };
        press.evaluations.push(Evaluation { name, demand });
    }
}

fn curve(raw: &CurveTable, stroke: &Stroke, check: &mut Check) -> Curve {
    let begin_m = check.si_or(
        "begin",
        raw.begin.as_ref(),
        Bounds::any(),
        stroke.approach_m,
    );
    if let Some(begin) = &raw.begin
        && (begin_m >= stroke.bottom_m || begin_m < stroke.top_m)
    {
        check.problem(
            &begin.span,
            format!(
                "`begin` is {}, and the stroke goes from {}m to {}m",
                begin.scalar.shown(),
                stroke.top_m,
                stroke.bottom_m
            ),
            "outside the stroke",
            "put it between `top` and `bottom` of [press.stroke]",
        );
    }
    let frame = check.si_or(
        "frame_stiffness",
        raw.frame_stiffness.as_ref(),
        Bounds::positive(),
        f64::INFINITY,
    );
    Curve {
        begin_m,
        step_m: check.si_or(
            "step",
            raw.step.as_ref(),
            Bounds::positive(),
            (stroke.bottom_m - begin_m).abs() / POINTS,
        ),
        step_n: check.si_or(
            "force_step",
            raw.force_step.as_ref(),
            Bounds::positive(),
            f64::INFINITY,
        ),
        contact_n: check.si_or(
            "contact_force",
            raw.contact_force.as_ref(),
            Bounds::positive(),
            CONTACT_N,
        ),
        frame_m_per_n: 1.0 / frame,
    }
}

fn demand(at: &At<EvaluationTable>, parts: &[PartTable], check: &mut Check) -> Option<Demand> {
    let raw = &at.value;
    let part = raw.part.as_ref().and_then(|name| part(name, parts, check));
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

/// The band that calibration wrote.
pub(super) fn taught(raw: &EnvelopeTable, check: &mut Check) -> Envelope {
    let mut nodes = |key: &str, raw: &At<Vec<Quantity<crate::value::Force>>>| {
        let mut forces = [f64::NAN; NODES];
        if raw.value.len() != NODES {
            check.problem(
                &raw.span,
                format!(
                    "`{key}` has {} forces, and an envelope has {NODES}",
                    raw.value.len()
                ),
                "not as many",
                "teach it again with `twinstep calibrate`",
            );
        }
        for (force, raw) in forces.iter_mut().zip(&raw.value) {
            *force = check.si(key, raw, Bounds::any());
        }
        forces
    };
    let (lower_n, upper_n) = (nodes("lower", &raw.lower), nodes("upper", &raw.upper));
    let (x_min_m, x_max_m) = (
        check.si("from", &raw.from, Bounds::any()),
        check.si("to", &raw.to, Bounds::any()),
    );
    if x_max_m <= x_min_m {
        check.problem(
            &raw.to.span,
            "`to` is not beyond `from`",
            "no range",
            "teach it again with `twinstep calibrate`",
        );
    }
    if lower_n
        .iter()
        .zip(&upper_n)
        .any(|(lower, upper)| lower > upper)
    {
        check.problem(
            &raw.upper.span,
            "a force of `upper` is below its force of `lower`",
            "no band",
            "teach it again with `twinstep calibrate`",
        );
    }
    Envelope {
        x_min_m,
        x_max_m,
        lower_n,
        upper_n,
    }
}

fn range(raw: &EvaluationTable, check: &mut Check) -> Option<[f64; 2]> {
    match &raw.x {
        None => Some(EVERYWHERE),
        Some(_) => pair("x", raw.x.as_ref(), check),
    }
}

fn limits<D: Dim>(
    key: &str,
    raw: Option<&At<Vec<Quantity<D>>>>,
    check: &mut Check,
) -> Option<Limits> {
    pair(key, raw, check).map(|[min, max]| Limits::between(min, max))
}

/// Smallest and largest value. None where the key is missing, which was reported, or wrong.
fn pair<D: Dim>(
    key: &str,
    raw: Option<&At<Vec<Quantity<D>>>>,
    check: &mut Check,
) -> Option<[f64; 2]> {
    let raw = raw?;
    let [min, max] = raw.value.as_slice() else {
        check.problem(
            &raw.span,
            format!(
                "`{key}` has {} values, and needs two: smallest and largest",
                raw.value.len()
            ),
            "not two values",
            "write the smallest and the largest",
        );
        return None;
    };
    let (low, high) = (
        check.si(key, min, Bounds::any()),
        check.si(key, max, Bounds::any()),
    );
    if high <= low {
        check.problem(
            &max.span,
            format!(
                "`{key}` goes from {} to {}, which is not more",
                min.scalar.shown(),
                max.scalar.shown()
            ),
            "not more than the first one",
            "the smallest comes first",
        );
    }
    Some([low, high])
}

fn sides(key: &str, raw: Option<&At<Vec<At<String>>>>, check: &mut Check) -> Option<Sides> {
    let Some(raw) = raw else {
        return Some(Sides::ANY);
    };
    let mut sides = Sides::NONE;
    for word in &raw.value {
        let side = Side::ALL.iter().find(|side| side.name() == word.value);
        sides = match side {
            Some(side) => sides.with(*side),
            None if word.value == "within" => sides.or(Sides::WITHIN),
            None => {
                check.unknown("side", word, &["left", "right", "bottom", "top", "within"]);
                return None;
            }
        };
    }
    if sides == Sides::NONE {
        check.problem(
            &raw.span,
            format!("`{key}` has no side"),
            "empty",
            "name at least one side, or leave it out: any side will do then",
        );
        return None;
    }
    Some(sides)
}

/// The value of a word, the first of `words` where the key is missing or wrong.
fn one_of<T: Copy>(
    key: &str,
    raw: Option<&At<String>>,
    words: &[(&str, T)],
    check: &mut Check,
) -> T {
    let (_, first) = words[0];
    let Some(raw) = raw else { return first };
    match words.iter().find(|(word, _)| *word == raw.value) {
        Some((_, value)) => *value,
        None => {
            let known: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
            check.unknown(&format!("`{key}`"), raw, &known);
            first
        }
    }
}
