//! Presses and recipes.

use super::axis::{counts_per_m, drive_or_neutral, plant_if_simulated};
use super::kinematics::{carries_its_ram, kinematics};
use super::twin::{stated_gravity, twin};
use super::{Whole, asset_id, in_counts, needs};
use crate::check::{Bounds, Check};
use crate::machine::{
    Axis, AxisKind, DriveTrain, EffortUnit, MAX_RECIPE_PARTS, MAX_SCHEDULED_STROKES, MAX_TURNS,
    Motion, OperationMode, Press, Recipe, Step, Stroke, Turn,
};
use crate::raw::{PartTable, PressTable, RecipeTable, StrokeTable, TurnTable};
use crate::value::At;

pub(super) fn press(
    raw: &PressTable,
    effort: EffortUnit,
    whole: &Whole,
    check: &mut Check,
) -> Press {
    let drive = drive_or_neutral(&raw.name, raw.drive.as_ref(), "press.drive", whole, check);
    let (drive_train, stroke) = kinematics(raw, &drive, effort, check);
    ram_weighs(raw, &drive_train, whole, check);
    stroke_in_order(&raw.stroke, &stroke, counts_per_m(&drive), check);
    let velocity_m_per_s = check.si("velocity", &raw.motion.velocity, Bounds::up_to(1000.0));
    if stroke.press_velocity_m_per_s > velocity_m_per_s {
        let pressing = &raw.stroke.press_velocity;
        check.problem(
            &pressing.span,
            format!(
                "`press_velocity` is {}, more than the press' own limit of {velocity_m_per_s}m/s",
                pressing.scalar.shown()
            ),
            "above the limit",
            "lower it, or raise `velocity` in [press.motion]",
        );
    }
    let step = |to_m, velocity_m_per_s, dwell_s| Step {
        to_m,
        velocity_m_per_s,
        dwell_s,
        mode: OperationMode::Position,
    };
    let program = vec![
        step(stroke.approach_m, None, 0.0),
        step(
            stroke.bottom_m,
            Some(stroke.press_velocity_m_per_s),
            stroke.hold_s,
        ),
        step(stroke.top_m, None, stroke.rest_s),
    ];
    let tares = (raw.curve.as_ref()).is_some_and(|curve| curve.tare.is_some());
    if raw.servo.is_some() && raw.motor.is_none() {
        needs(check, &raw.name, "press.motor", "beside [press.servo]");
    }
    let twin = (raw.twin.as_ref())
        .map(|raw| twin(raw, effort, drive_train.least_ram_kg(&stroke), whole, check));
    let axis = Axis {
        name: raw.name.value.clone(),
        asset_id: asset_id(raw.asset_id.as_ref(), check),
        kind: AxisKind::Linear,
        motion: Motion {
            start_m: stroke.top_m,
            velocity_m_per_s,
            acceleration_m_per_s2: check.si(
                "acceleration",
                &raw.motion.acceleration,
                Bounds::up_to(1e5),
            ),
            jerk_m_per_s3: check.si("jerk", &raw.motion.jerk, Bounds::up_to(1e8)),
            program,
        },
        motor: (raw.motor.as_ref()).map(|raw| super::motor::motor(raw, &drive, check)),
        servo: (raw.servo.as_ref())
            .map(|raw| super::servo::servo(raw, &drive, twin.as_ref(), check)),
        drive,
        twin,
        stated_gravity_n: stated_gravity(
            raw.calibrate.as_ref(),
            raw.drive.is_some() || effort == EffortUnit::Newton,
            check,
        ),
        signature: None,
        healthy: None,
        health: super::health::press(raw.health.as_ref(), tares, check),
        plant: plant_if_simulated(&raw.name, raw.plant.as_ref(), "press.plant", whole, check),
        effort_unit: effort,
    };
    if let Some(twin) = &axis.twin {
        carries_its_ram(&drive_train, twin, raw, check);
    }
    Press {
        axis,
        curve: super::evaluation::default_curve(&of_ram(&drive_train, &stroke)),
        drive_train,
        stroke,
        evaluations: Vec::new(),
    }
}

/// Refuses a simulated ram behind a crank or a table that weighs nothing: `load_mass` of its plant is what turns with the drive.
fn ram_weighs(raw: &PressTable, train: &DriveTrain, whole: &Whole, check: &mut Check) {
    let table = raw.kinematics.as_ref();
    if !whole.simulated || train.linkage.is_none() || train.ram_mass_kg > 0.0 {
        return;
    }
    let Some(kind) = table.and_then(|table| table.kind.as_ref()) else {
        return;
    };
    check.problem(
        &kind.span,
        format!(
            "a simulated press behind a \"{}\" needs `ram_mass`: `load_mass` of [press.plant] is what turns with the drive",
            crate::error::shortened(&kind.value)
        ),
        "the ram weighs nothing",
        "add `ram_mass = \"200kg\"`, ram and upper tool, to [press.kinematics]",
    );
}

/// The stroke as the ram makes it.
pub(super) fn of_ram(train: &DriveTrain, stroke: &Stroke) -> Stroke {
    Stroke {
        top_m: train.ram_m(stroke.top_m),
        approach_m: train.ram_m(stroke.approach_m),
        bottom_m: train.ram_m(stroke.bottom_m),
        ..stroke.clone()
    }
}

fn stroke_in_order(raw: &StrokeTable, stroke: &Stroke, counts_per_m: f64, check: &mut Check) {
    in_counts("top", stroke.top_m, counts_per_m, &raw.top.span, check);
    in_counts(
        "bottom",
        stroke.bottom_m,
        counts_per_m,
        &raw.bottom.span,
        check,
    );
    for (above, upper, key, lower, at) in [
        (
            "top",
            stroke.top_m,
            "approach",
            stroke.approach_m,
            &raw.approach,
        ),
        (
            "approach",
            stroke.approach_m,
            "bottom",
            stroke.bottom_m,
            &raw.bottom,
        ),
    ] {
        if lower <= upper {
            check.problem(
                &at.span,
                format!(
                    "`{key}` is {}, which is not beyond `{above}` at {upper}m",
                    at.scalar.shown()
                ),
                format!("must be more than `{above}`"),
                "positive is down: top < approach < bottom; `direction = -1` in [press.drive] turns the motor's direction",
            );
        }
    }
}

/// The turns of the recipes.
pub(super) fn schedule(
    raw: &[TurnTable],
    recipes: &[RecipeTable],
    no_press: bool,
    check: &mut Check,
) -> Vec<Turn> {
    if let (Some(first), true) = (raw.first(), no_press) {
        check.problem(
            &first.recipe.span,
            "a schedule counts strokes of the first press, and this machine has no press",
            "nothing counts these",
            "leave `[[schedule]]` out: the first recipe is in force",
        );
    }
    let mut left = MAX_SCHEDULED_STROKES;
    let mut turns = Vec::new();
    for one in raw.iter().take(MAX_TURNS + 1) {
        let recipe = recipe_index(&one.recipe, recipes, check);
        let strokes = one.strokes.value;
        if strokes == 0 || strokes > left || turns.len() == MAX_TURNS {
            check.problem(
                &one.strokes.span,
                format!(
                    "a schedule has at most {MAX_TURNS} turns of 1 or more strokes, {MAX_SCHEDULED_STROKES} together, and here are {strokes} more"
                ),
                format!("1 to {left} strokes are possible here"),
                "shorten the round: it is repeated for ever",
            );
            break;
        }
        left -= strokes;
        if let Some(recipe) = recipe {
            turns.push(Turn { recipe, strokes });
        }
    }
    turns
}

/// The index of the recipe of this name; says so where there is none.
pub(super) fn recipe_index(
    name: &At<String>,
    recipes: &[RecipeTable],
    check: &mut Check,
) -> Option<u8> {
    let known: Vec<&str> = (recipes.iter())
        .map(|one| one.name.value.as_str())
        .collect();
    match known.iter().position(|known| *known == name.value) {
        // More than MAX_RECIPES recipes are refused elsewhere, so the index of an accepted machine fits.
        Some(index) => Some(u8::try_from(index).unwrap_or(u8::MAX)),
        None => {
            check.unknown("recipe", name, &known);
            None
        }
    }
}

pub(super) fn recipe(raw: &RecipeTable, parts: &[PartTable], check: &mut Check) -> Recipe {
    check.name(&raw.name);
    let names: Vec<&str> = parts.iter().map(|part| part.name.value.as_str()).collect();
    let (span, wanted) = (&raw.parts.span, &raw.parts.value);
    check.at_most(span, "parts in a recipe", wanted.len(), MAX_RECIPE_PARTS);
    if wanted.is_empty() {
        check.problem(
            span,
            "the recipe has no part",
            "empty",
            "name at least one part; a machine without presses needs no recipe",
        );
    }
    let mut indexes = Vec::new();
    for part in wanted {
        let index = names.iter().position(|name| *name == part.value);
        // More than MAX_PARTS parts are refused elsewhere, so the index of an accepted machine fits.
        match index.map(u8::try_from) {
            Some(index) => indexes.push(index.unwrap_or(u8::MAX)),
            None => check.unknown("part", part, &names),
        }
    }
    Recipe {
        name: raw.name.value.clone(),
        parts: indexes,
    }
}
