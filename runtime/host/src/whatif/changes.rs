//! What is to be otherwise: `AXIS.KEY=VALUE`, with the names, units and bounds of the configuration.

use super::keys::{KEYS, Key, PRESS_KEYS};
use crate::error::HostError;
use serde::Serialize;
use twinstep_config::machine::{Axis, AxisKind, Machine, Stroke, Turn};
use twinstep_config::units::{Dimension, NUMBER, TIME, UnitError};
use twinstep_models::axis::range;

/// Most changes at once.
pub const MAX_CHANGES: usize = 256;
/// Periods that the configuration allows on a bus (s).
const PERIODS_S: (f64, f64) = (31.25e-6, 10e-3);
/// Stands for every axis and press that has the key.
const ALL: &str = "*";

/// One value that is otherwise, and what it was.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Change {
    /// Name of the axis or press; none: the machine.
    pub source: Option<String>,
    /// Key.
    pub key: &'static str,
    /// As it is.
    pub from: Setting,
    /// As it would be.
    pub to: Setting,
    /// Unit of both; empty for a number or a name.
    pub unit: &'static str,
    /// It was set for all, and not for this one by its name.
    #[serde(skip)]
    pub of_all: bool,
}

/// A value of a key.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Setting {
    /// In SI.
    Number(f64),
    /// The name of something.
    Name(String),
}

/// What an axis has not, of all those that `*` stands for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct NotSet {
    /// Name of the axis or press.
    pub source: String,
    /// Key.
    pub key: &'static str,
    /// Why.
    pub reason: String,
}

/// What was changed, and what was not.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Applied {
    /// Values that are otherwise.
    pub changes: Vec<Change>,
    /// Axes without the key that was set for all.
    pub not_set: Vec<NotSet>,
}

/// How a value is meant.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Asked {
    /// That it is.
    Value(f64),
    /// Times that.
    Factor(f64),
    /// That more, or less.
    More(f64),
}

impl Asked {
    /// What becomes of `value`.
    pub fn of(self, value: f64) -> f64 {
        match self {
            Self::Value(new) => new,
            Self::Factor(factor) => value * factor,
            Self::More(more) => value + more,
        }
    }
}

/// Changes the machine as `sets` ask for, in their order, and says what was changed. What is set for all is set where it is.
///
/// # Errors
/// [`HostError::Usage`]: a name is none, no axis has the key, a value is none, out of its bounds, or set twice.
pub fn apply(machine: &mut Machine, sets: &[String]) -> Result<Applied, HostError> {
    if sets.len() > MAX_CHANGES {
        return Err(HostError::usage(
            format!(
                "{} values are set, at most {MAX_CHANGES} can be",
                sets.len()
            ),
            "set fewer, or set one for all axes with '*.KEY=VALUE'",
        ));
    }
    super::servo::keep_what_was_found(machine);
    let mut applied = Applied::default();
    for set in sets {
        for change in one(machine, set, &mut applied.not_set)? {
            let changes = &mut applied.changes;
            if (changes.iter()).any(|c| c.source == change.source && c.key == change.key) {
                return Err(HostError::usage(
                    format!("'{}' is set twice", name_of(&change)),
                    "set it once",
                ));
            }
            changes.push(change);
        }
    }
    if !applied.changes.is_empty() {
        no_twin_beyond_check(machine)?;
    }
    Ok(applied)
}

/// Refuses a twin that `check` would refuse in a configuration: each value may be within its bounds, and what comes of all is not.
fn no_twin_beyond_check(machine: &Machine) -> Result<(), HostError> {
    let period_s = machine.cycle.period_ns as f64 / 1e9;
    let presses = machine.presses.iter().map(|press| {
        let carried_kg = press.drive_train.least_ram_kg(&press.stroke);
        (&press.axis, carried_kg)
    });
    for (axis, carried_kg) in machine.axes.iter().map(|axis| (axis, 0.0)).chain(presses) {
        let Some(twin) = &axis.twin else {
            continue;
        };
        let carried = carried_kg / twin.force_constant_n_per_a;
        let (name, unit) = (shown(&axis.name), axis.kind.unit("N"));
        for (key, force_n) in [
            ("coulomb_positive", twin.coulomb_positive_n),
            ("coulomb_negative", twin.coulomb_negative_n),
            ("stribeck", twin.stribeck_n),
            ("gravity", twin.gravity_n.abs()),
        ] {
            let most = range::FORCE_N.high;
            if force_n > most {
                return Err(HostError::usage(
                    format!("with what is set `{key}` of '{name}' would be {force_n:e} {unit}"),
                    format!("it may be {most:e} {unit}, as in a configuration: set less"),
                ));
            }
        }
        if let Err(error) = range::loops_carrying(&twin.loops(), carried, period_s) {
            return Err(HostError::usage(
                format!(
                    "with what is set '{name}' is none that a twin follows at a period of {period_s} s: {error}"
                ),
                "set less, or a shorter period: `twinstep check` would refuse a configuration like that too",
            ));
        }
    }
    Ok(())
}

/// `AXIS.KEY`, or the key of the machine.
pub fn name_of(change: &Change) -> String {
    match &change.source {
        Some(source) => format!("{source}.{}", change.key),
        None => change.key.to_owned(),
    }
}

fn one(
    machine: &mut Machine,
    set: &str,
    not_set: &mut Vec<NotSet>,
) -> Result<Vec<Change>, HostError> {
    let Some((name, value)) = set.split_once('=') else {
        return Err(HostError::usage(
            format!("'{}' sets nothing", shown(set)),
            "write AXIS.KEY=VALUE, such as carriage.velocity=x1.2 or carriage.mass=+15kg",
        ));
    };
    let (name, value) = (name.trim(), value.trim());
    if name == "period" {
        return period(machine, value).map(|change| vec![change]);
    }
    let Some((source, key)) = name.rsplit_once('.') else {
        return Err(HostError::usage(
            format!("'{}' names no axis", shown(name)),
            format!(
                "write AXIS.KEY=VALUE, or period=TIME; the axes are {}",
                sources(machine)
            ),
        ));
    };
    if key == "recipe" {
        return recipe(machine, source, value).map(|change| vec![change]);
    }
    let known = KEYS.iter().chain(PRESS_KEYS).find(|k| k.name == key);
    let Some(known) = known else {
        return Err(unknown_key(key));
    };
    let (all, before) = (source == ALL, not_set.len());
    let mut changes = Vec::new();
    let axes = (machine.axes.iter_mut()).map(|axis| (axis, None));
    let presses =
        (machine.presses.iter_mut()).map(|press| (&mut press.axis, Some(&mut press.stroke)));
    for (axis, stroke) in axes.chain(presses) {
        if known.of_press.is_some() && stroke.is_none() {
            continue;
        }
        // Of all axes, those without a twin are left alone: they are not computed.
        if all && axis.twin.is_some() {
            match missing(axis, stroke.as_deref(), known) {
                None => changes.push(Change {
                    of_all: true,
                    ..changed(axis, stroke, known, value)?
                }),
                Some(reason) => not_set.push(NotSet {
                    source: axis.name.clone(),
                    key: known.name,
                    reason,
                }),
            }
        } else if axis.name == source {
            changes.push(changed(axis, stroke, known, value)?);
        }
    }
    if changes.is_empty() {
        return Err(nothing_set(machine, source, known, &not_set[before..]));
    }
    Ok(changes)
}

/// Why a key was set nowhere.
fn nothing_set(machine: &Machine, source: &str, key: &Key, not_set: &[NotSet]) -> HostError {
    if source == ALL {
        let reason = match (not_set, key.of_press) {
            ([], None) => "a twin",
            ([], Some(_)) => "a press with a twin",
            _ => key.needs,
        };
        return HostError::usage(
            format!("nothing in this machine has a `{}` to set", key.name),
            comes_from(reason),
        );
    }
    if machine.axes.iter().any(|axis| axis.name == source) {
        return HostError::usage(
            format!(
                "'{}' is an axis, and `{}` is of a press",
                shown(source),
                key.name
            ),
            "leave it out",
        );
    }
    HostError::usage(
        format!("no axis is called '{}'", shown(source)),
        format!("the axes are {}", sources(machine)),
    )
}

/// What an axis must have, and where that comes from.
fn comes_from(needs: &str) -> String {
    if needs.contains("[axis.servo]") {
        format!("it needs {needs} ([press.servo] of a press): see docs/whatif.md")
    } else {
        format!("it needs {needs}; `twinstep calibrate` finds twins")
    }
}

/// Why an axis has nothing of a key; none where it has.
fn missing(axis: &Axis, stroke: Option<&Stroke>, key: &Key) -> Option<String> {
    if key.name == "dwell" && stroke.is_some() {
        return Some("what a press rests is in [press.stroke]".to_owned());
    }
    let has = key.of_press.is_some() || (key.get)(axis).is_some();
    (!has).then(|| format!("it needs {}", key.needs))
}

/// Changes one key of one axis.
fn changed(
    axis: &mut Axis,
    stroke: Option<&mut Stroke>,
    key: &Key,
    value: &str,
) -> Result<Change, HostError> {
    let name = format!("{}.{}", axis.name, key.name);
    let linear = (key.dimension)(axis);
    let dimension = match axis.kind {
        AxisKind::Linear => linear,
        AxisKind::Rotary => linear.rotary().unwrap_or(linear),
    };
    let asked = asked(&name, value, dimension, key.factor_only)?;
    let from = match (key.of_press, stroke.as_deref()) {
        (Some(of_press), Some(stroke)) => Some((of_press.get)(stroke)),
        _ => (key.get)(axis),
    };
    let Some(from) = from else {
        return Err(HostError::usage(
            format!(
                "'{}' has nothing to set `{}` of",
                shown(&axis.name),
                key.name
            ),
            comes_from(key.needs),
        ));
    };
    if key.name == "dwell" && stroke.is_some() {
        return Err(HostError::usage(
            format!("'{name}' cannot be set: what a press rests is in [press.stroke]"),
            "change `hold` or `rest` in the configuration and run `twinstep whatif` on both",
        ));
    }
    let to = asked.of(from);
    let (low, mut high) = key.bounds;
    if key.of_press.is_some() {
        // No step is faster than its axis, as in the configuration.
        high = high.min(axis.motion.velocity_m_per_s);
    }
    if !(low..=high).contains(&to) {
        let unit = dimension.si();
        return Err(HostError::usage(
            format!("'{name}' would be {to}{unit}"),
            format!("it may be {low} to {high}{unit}; it is {from}{unit}"),
        ));
    }
    match (key.of_press, stroke) {
        (Some(of_press), Some(stroke)) => (of_press.put)(stroke, to),
        (_, stroke) => {
            (key.put)(axis, to, asked);
            if let Some(stroke) = stroke.filter(|_| key.name == "velocity") {
                let own = match asked {
                    Asked::Factor(factor) => stroke.press_velocity_m_per_s * factor,
                    _ => stroke.press_velocity_m_per_s,
                };
                stroke.press_velocity_m_per_s = own.min(to);
            }
        }
    }
    Ok(Change {
        source: Some(axis.name.clone()),
        key: key.name,
        from: Setting::Number(from),
        to: Setting::Number(to),
        unit: dimension.si(),
        of_all: false,
    })
}

/// Reads `1.2m/s`, `x1.2` or `+0.2m/s`.
fn asked(
    name: &str,
    value: &str,
    dimension: &Dimension,
    factor_only: bool,
) -> Result<Asked, HostError> {
    let refuse = |why: String| {
        let example = dimension.example;
        let help = if factor_only {
            format!("write a factor: {name}=x1.5")
        } else {
            format!(
                "write a value ({name}={example}), a factor ({name}=x1.2) or a difference ({name}=+{example})"
            )
        };
        HostError::usage(
            format!("'{}' is no value of '{name}': {why}", shown(value)),
            help,
        )
    };
    if let Some(factor) = value.strip_prefix('x') {
        let factor = NUMBER
            .parse(factor)
            .map_err(|error| refuse(error.to_string()))?;
        return if factor > 0.0 {
            Ok(Asked::Factor(factor))
        } else {
            Err(refuse("a factor is more than 0".to_owned()))
        };
    }
    let number = (dimension.parse(value)).map_err(|error| match error {
        UnitError::WrongUnit(_) | UnitError::NoUnit => {
            refuse(format!("{error}; units are {}", dimension.allowed()))
        }
        UnitError::NoNumber | UnitError::TooLarge => refuse(error.to_string()),
    })?;
    let difference = value.starts_with(['+', '-']);
    match (factor_only, difference) {
        (true, true) => Err(refuse("a difference has no meaning here".to_owned())),
        // A plain number is the factor.
        (true, false) if number > 0.0 => Ok(Asked::Factor(number)),
        (true, false) => Err(refuse("a factor is more than 0".to_owned())),
        (false, true) => Ok(Asked::More(number)),
        (false, false) => Ok(Asked::Value(number)),
    }
}

/// The period of the cycle. What a drive needs until a target takes effect is counted in cycles, so that dead times go with it.
fn period(machine: &mut Machine, value: &str) -> Result<Change, HostError> {
    let from = machine.cycle.period_ns as f64 / 1e9;
    let to = asked("period", value, &TIME, false)?.of(from);
    let (low, high) = PERIODS_S;
    if !(low..=high).contains(&to) {
        return Err(HostError::usage(
            format!("'period' would be {to}s"),
            format!("it may be {low}s to {high}s; it is {from}s"),
        ));
    }
    machine.cycle.period_ns = (to * 1e9).round() as u64;
    let axes = (machine.axes.iter_mut()).chain(machine.presses.iter_mut().map(|p| &mut p.axis));
    for cascade in axes.filter_map(|axis| axis.twin.as_mut()?.cascade.as_mut()) {
        cascade.dead_time_s *= to / from;
        if let Some(delay_s) = &mut cascade.reference_delay_s {
            *delay_s *= to / from;
        }
    }
    Ok(Change {
        source: None,
        key: "period",
        from: Setting::Number(from),
        to: Setting::Number(to),
        unit: "s",
        of_all: false,
    })
}

/// The recipe that the press works through.
fn recipe(machine: &mut Machine, source: &str, value: &str) -> Result<Change, HostError> {
    if !machine
        .presses
        .iter()
        .any(|press| press.axis.name == source)
    {
        return Err(HostError::usage(
            format!("no press is called '{}'", shown(source)),
            "`recipe` is of a press; see [[press]] in the configuration",
        ));
    }
    let place = machine.recipes.iter().position(|r| r.name == value);
    let Some(place) = place else {
        let names: Vec<&str> = machine.recipes.iter().map(|r| r.name.as_str()).collect();
        return Err(HostError::usage(
            format!("no recipe is called '{}'", shown(value)),
            format!("the recipes are {}", names.join(", ")),
        ));
    };
    let before = (machine.stroke_contexts().first())
        .and_then(|context| machine.recipes.get(usize::from(context.recipe)));
    let from = before.map_or_else(String::new, |recipe| recipe.name.clone());
    let strokes = machine.recipes[place].parts.len();
    machine.schedule = vec![Turn {
        // At most 64 recipes of at most 256 parts.
        recipe: place as u8,
        strokes: strokes as u32,
    }];
    Ok(Change {
        source: Some(source.to_owned()),
        key: "recipe",
        from: Setting::Name(from),
        to: Setting::Name(value.to_owned()),
        unit: "",
        of_all: false,
    })
}

/// Names of axes and presses, as they are told.
pub fn sources(machine: &Machine) -> String {
    let axes = machine.axes.iter();
    let all = axes.chain(machine.presses.iter().map(|press| &press.axis));
    let names: Vec<&str> = all.map(|axis| axis.name.as_str()).take(40).collect();
    let more = (machine.axes.len() + machine.presses.len()).saturating_sub(names.len());
    if more > 0 {
        format!("{} and {more} more", names.join(", "))
    } else {
        names.join(", ")
    }
}

fn unknown_key(key: &str) -> HostError {
    let names: Vec<&str> = KEYS.iter().map(|k| k.name).collect();
    let press: Vec<&str> = PRESS_KEYS.iter().map(|k| k.name).collect();
    HostError::usage(
        format!("'{}' is no key of an axis", shown(key)),
        format!(
            "the keys are {}; of a press also {}, recipe; of the machine period",
            names.join(", "),
            press.join(", ")
        ),
    )
}

/// What somebody wrote, short and without what a terminal would take for an order.
fn shown(text: &str) -> String {
    let short: String = text.chars().take(40).collect();
    short.escape_default().to_string()
}

#[cfg(test)]
#[path = "changes_tests.rs"]
mod tests;
