//! Parts: what a press meets.

mod curve;
mod press_twin;

use super::press::{of_ram, recipe_index};
use crate::check::{Bounds, Check};
use crate::machine::{Lender, Part, PartTwin, Press, home_press};
use crate::raw::{EnvelopeTable, PartTable, RecipeTable, RecipeTwinTable};
use crate::value::{Length, Number, Quantity, Span, Stiffness};

pub(super) fn part(
    raw: &PartTable,
    (presses, lender): (&[Press], Option<&Lender>),
    recipes: &[RecipeTable],
    check: &mut Check,
) -> Part {
    check.name(&raw.name);
    let own = raw.recipe_twin.iter().map(|one| &one.value.recipe);
    check.unique("the recipe twins of a part", own);
    let contact_m = check.si("contact", &raw.contact, Bounds::any());
    let answer = answers_by(raw, check);
    let curve = match answer {
        Answer::Force => curve::force_curve(raw, check),
        Answer::Fit => {
            (raw.press_fit.as_ref()).and_then(|fit| curve::curve_of_fit(&fit.value, check))
        }
        Answer::Stiffness | Answer::Unclear => None,
    };
    let mut part = Part {
        name: raw.name.value.clone(),
        contact_m,
        stiffness_n_per_m: check.si_or(
            "stiffness",
            raw.stiffness.as_ref(),
            Bounds::positive(),
            f64::NAN,
        ),
        curve,
        stiffness_spread: check.si_or(
            "stiffness_spread",
            raw.stiffness_spread.as_ref(),
            Bounds::between(0.0, 0.5),
            0.0,
        ),
        twin: None,
        by_recipe: Vec::new(),
        by_press: Vec::new(),
    };
    if let Some(curve) = &part.curve {
        let ways = presses.iter().map(|press| {
            let stroke = of_ram(&press.drive_train, &press.stroke);
            stroke.bottom_m - contact_m
        });
        let deepest_m = ways.fold(0.0, f64::max);
        let way_m = if deepest_m > 0.0 {
            deepest_m
        } else {
            curve.ways_m.last().copied().unwrap_or(f64::NAN)
        };
        part.stiffness_n_per_m = curve.largest_n(way_m) / way_m;
    }
    for press in presses {
        meets(raw, &part, press, check);
    }
    let home = home_press(presses, lender);
    for one in &raw.press_twin {
        let presses = (presses, home);
        press_twin::press_twin(&one.value, &mut part, presses, (answer, recipes), check);
    }
    let lends = match home.and_then(|home| presses.get(home)) {
        Some(home) => home.axis.twin.is_some(),
        None => lender.is_some_and(|lender| lender.has_twin),
    };
    let general = predict(presses, &part, (home, lends), false);
    part.twin = (raw.twin.as_ref()).map(|raw| {
        let learnt = Learnt {
            contact: &raw.contact,
            stiffness: raw.stiffness.as_ref(),
            factor: raw.factor.as_ref(),
            envelope: raw.envelope.as_ref(),
        };
        learnt.twin((&part, &general), answer, check)
    });
    let by_recipe = predict(presses, &part, (home, lends), true);
    part.by_recipe = (raw.recipe_twin.iter())
        .filter_map(|one| recipe_twin(&one.value, (&part, &by_recipe), answer, recipes, check))
        .collect();
    part
}

/// The presses that predict a part with what stands in its `twin`, or, `by_recipe`, in its `recipe_twin`: the home press, and where it `lends`,
/// those with a twin that have learnt nothing of the part by themselves ([`crate::machine::Machine::known_on`]).
fn predict<'a>(
    presses: &'a [Press],
    part: &Part,
    (home, lends): (Option<usize>, bool),
    by_recipe: bool,
) -> Vec<&'a Press> {
    let borrows = |n: usize, press: &Press| {
        let own = part.by_press.iter().find(|one| one.press == n);
        let has_own =
            own.is_some_and(|own| own.twin.is_some() || (by_recipe && !own.by_recipe.is_empty()));
        lends && press.axis.twin.is_some() && !has_own
    };
    (presses.iter().enumerate())
        .filter(|(n, press)| home == Some(*n) || borrows(*n, press))
        .map(|(_, press)| press)
        .collect()
}

fn recipe_twin(
    raw: &RecipeTwinTable,
    part: (&Part, &[&Press]),
    answer: Answer,
    recipes: &[RecipeTable],
    check: &mut Check,
) -> Option<(u8, PartTwin)> {
    let learnt = Learnt {
        contact: &raw.contact,
        stiffness: raw.stiffness.as_ref(),
        factor: raw.factor.as_ref(),
        envelope: raw.envelope.as_ref(),
    };
    let twin = learnt.twin(part, answer, check);
    Some((recipe_index(&raw.recipe, recipes, check)?, twin))
}

/// What a part answers the ram with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answer {
    Stiffness,
    Force,
    Fit,
    /// None, or several: was refused.
    Unclear,
}

/// Exactly one of the three is there.
fn answers_by(raw: &PartTable, check: &mut Check) -> Answer {
    let stiffness = raw.stiffness.as_ref().map(|one| &one.span);
    let force = raw.force.as_ref().map(|one| &one.span);
    let fit = raw.press_fit.as_ref().map(|one| &one.span);
    let answer = match (stiffness, force, fit) {
        (Some(_), None, None) => Answer::Stiffness,
        (None, Some(_), None) => Answer::Force,
        (None, None, Some(_)) => Answer::Fit,
        (None, None, None) => {
            check.problem(
                &raw.name.span,
                "a part needs one of `stiffness`, `force` and `press_fit`, and this one has none",
                "answers the ram with nothing",
                "add `stiffness`, or `force` with `elastic`, or a table [part.press_fit]",
            );
            Answer::Unclear
        }
        _ => {
            let second = fit.or(force).unwrap_or(&raw.name.span);
            check.problem(
                second,
                "a part needs one of `stiffness`, `force` and `press_fit`, and this one has several",
                "one too many",
                "keep the one that describes the part",
            );
            Answer::Unclear
        }
    };
    if let (Some(elastic), Answer::Stiffness | Answer::Fit) = (&raw.elastic, answer) {
        check.problem(
            &elastic.span,
            "`elastic` belongs to `force`, which this part does not have",
            "not used",
            "leave it out",
        );
    }
    answer
}

/// The table of what calibration learnt of a part, in every recipe or in one.
struct Learnt<'a> {
    contact: &'a Quantity<Length>,
    stiffness: Option<&'a Quantity<Stiffness>>,
    factor: Option<&'a Quantity<Number>>,
    envelope: Option<&'a EnvelopeTable>,
}

impl Learnt<'_> {
    fn twin(
        &self,
        (part, presses): (&Part, &[&Press]),
        answer: Answer,
        check: &mut Check,
    ) -> PartTwin {
        let contact_m = check.si("contact", self.contact, Bounds::any());
        let stiffness = check.si_or("stiffness", self.stiffness, Bounds::positive(), f64::NAN);
        let factor = check.si_or("factor", self.factor, Bounds::between(0.1, 10.0), f64::NAN);
        let curved = matches!(answer, Answer::Force | Answer::Fit);
        // One key that a curve does not have, and one that nothing else has.
        let (wanted, other, has) = if curved {
            (
                "factor",
                self.stiffness.map(|one| &one.span),
                self.factor.is_some(),
            )
        } else {
            (
                "stiffness",
                self.factor.map(|one| &one.span),
                self.stiffness.is_some(),
            )
        };
        let wrong: Option<&Span> = match (has, other) {
            _ if answer == Answer::Unclear => None,
            (true, other) => other,
            (false, other) => Some(other.unwrap_or(&self.contact.span)),
        };
        if let Some(span) = wrong {
            check.problem(
                span,
                format!(
                    "what was learnt of {} needs `{wanted}`, and that alone: the part answers by {}",
                    part.name,
                    if curved { "a force curve" } else { "a stiffness" }
                ),
                "does not fit the part",
                "calibrate the part again: `twinstep calibrate CONFIG RECORDING... --write`",
            );
        }
        if let (Some(curve), Some(span)) = (&part.curve, self.factor.map(|one| &one.span)) {
            let snaps = |press: &&&Press| {
                let frame = press.curve.frame_m_per_n;
                curve.snaps(factor * frame) && !curve.snaps(frame)
            };
            if let Some(press) = presses.iter().find(snaps) {
                check.problem(
                    span,
                    format!(
                        "with `factor` {factor} the force of {} falls faster than the frame of {} springs back: the ram jumps there",
                        part.name, press.axis.name
                    ),
                    "no force over the way of the motor",
                    "check the force curve and `frame_stiffness` of [press.curve], and calibrate the part again",
                );
            }
        }
        PartTwin {
            contact_m,
            stiffness_n_per_m: if curved {
                factor * part.stiffness_n_per_m
            } else {
                stiffness
            },
            factor: curved.then_some(factor),
            envelope: self
                .envelope
                .map(|raw| super::evaluation::taught(raw, check)),
        }
    }
}

/// Places at which the force behind a crank or a table is looked at.
const LOOKS: u32 = 256;

/// Force of the axis (N) that presses the part `way_m` deep, to the bottom of the stroke: behind a crank or a table the largest on the way.
fn of_axis_n(part: &Part, press: &Press, way_m: f64) -> f64 {
    let Some(linkage) = &press.drive_train.linkage else {
        return part.needed_n(way_m);
    };
    let stroke = &press.stroke;
    let step_m = (stroke.bottom_m - stroke.approach_m) / f64::from(LOOKS);
    let at = |k: u32| {
        let (ram_m, per_way) = linkage.travel(stroke.approach_m + step_m * f64::from(k));
        part.needed_n(ram_m - part.contact_m) * per_way.abs()
    };
    (0..=LOOKS).map(at).fold(0.0, f64::max)
}

/// Refuses a part that the press meets at full speed, never meets, or cannot press in.
fn meets(raw: &PartTable, part: &Part, press: &Press, check: &mut Check) {
    let contact_m = part.contact_m;
    let force = raw.force.as_ref().map(|one| &one.span);
    let answer = force.or(raw.press_fit.as_ref().map(|one| &one.span));
    if let (Some(span), false) = (answer, press.drive_train.is_explained()) {
        check.problem(
            span,
            format!(
                "a part with a force curve needs a press that can have a twin, and {} has a crank or a table and no `ram_mass`",
                press.axis.name
            ),
            "nothing is predicted of it there",
            "give its `stiffness`; the windows and envelopes of [[press.evaluation]] judge its force",
        );
    }
    let stroke = of_ram(&press.drive_train, &press.stroke);
    let name = &press.axis.name;
    if stroke.approach_m >= stroke.bottom_m {
        // The stroke has a problem of its own.
        return;
    }
    if contact_m <= stroke.approach_m || contact_m >= stroke.bottom_m {
        check.problem(
            &raw.contact.span,
            format!(
                "`contact` is {}, outside the pressing way of {name} from {}m down to {}m",
                raw.contact.scalar.shown(),
                stroke.approach_m,
                stroke.bottom_m
            ),
            "outside the pressing way",
            "put it between `approach` and `bottom` of [press.stroke], or change the stroke",
        );
        return;
    }
    if let Some(tare) = &press.curve.tare
        && tare.range_m[1] >= contact_m
    {
        check.problem(
            &raw.contact.span,
            format!(
                "`contact` is {}, and {name} takes the zero of its strokes up to {}m, where the ram must meet nothing",
                raw.contact.scalar.shown(),
                tare.range_m[1]
            ),
            "met before the zero is known",
            "end `tare` of [press.curve] before the first contact of any part",
        );
    }
    let drive = &press.axis.drive;
    let strongest_n = 2.0 * std::f64::consts::PI * drive.torque_constant_nm_per_a
        / drive.feed_m_per_rev
        * drive.rated_current_a
        * f64::from(drive.max_torque_permille)
        / 1000.0;
    let way_m = stroke.bottom_m - contact_m;
    let stiffness = raw.stiffness.as_ref().map(|one| &one.span);
    let span = stiffness.or(answer).unwrap_or(&raw.name.span);
    if let Some(last_m) = (part.curve.as_ref()).and_then(|curve| curve.ways_m.last())
        && *last_m < way_m
    {
        check.problem(
            span,
            format!(
                "the force curve of this part ends {last_m}m behind its contact, and {name} presses {way_m}m"
            ),
            "not known to the bottom",
            "add rows to `force` up to the bottom of the stroke, or raise `bottom` of [press.stroke]",
        );
    }
    if let Some(curve) = &part.curve
        && curve.snaps(press.curve.frame_m_per_n)
    {
        check.problem(
            span,
            format!("the force of this part falls faster than the frame of {name} springs back: the ram jumps there"),
            "no force over the way of the motor",
            "let the force fall over a longer way, or check `frame_stiffness` of [press.curve]",
        );
    }
    let needed_n = of_axis_n(part, press, way_m);
    if press.axis.plant.is_some() && needed_n > strongest_n {
        check.problem(
            span,
            format!(
                "pressing this part to the bottom takes {needed_n:.0} N of the axis, and {name} has {strongest_n:.0} N at its largest torque"
            ),
            "too stiff for the press",
            "lower its force, raise `bottom`, or give the press a stronger drive",
        );
    }
}
