//! Checking: raw values to SI, gathering every problem instead of stopping at the first.

use crate::error::{Problem, closest, shortened};
use crate::machine::{AxisKind, MAX_NAME};
use crate::units::{Dimension, TIME, UnitError};
use crate::value::{At, Dim, Quantity, Scalar, Span};
use twinstep_models::axis::range::Range;

/// What a value may be.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    min: f64,
    max: f64,
    /// The minimum itself is not allowed.
    open: bool,
}

impl Bounds {
    /// Beyond this no quantity of a machine is meant, in whatever SI unit.
    const HUGE: f64 = 1e15;

    /// Any number.
    pub(crate) const fn any() -> Self {
        Self::between(-Self::HUGE, Self::HUGE)
    }

    /// More than 0.
    pub(crate) const fn positive() -> Self {
        Self {
            open: true,
            ..Self::between(0.0, Self::HUGE)
        }
    }

    /// 0 or more.
    pub(crate) const fn not_negative() -> Self {
        Self::between(0.0, Self::HUGE)
    }

    /// From `min` to `max`, both included.
    pub(crate) const fn between(min: f64, max: f64) -> Self {
        Self {
            min,
            max,
            open: false,
        }
    }

    /// Above 0 and at most `max`.
    pub(crate) const fn up_to(max: f64) -> Self {
        Self {
            min: 0.0,
            max,
            open: true,
        }
    }

    /// What the kernel takes.
    pub(crate) const fn of(range: Range) -> Self {
        Self::between(range.low, range.high)
    }

    /// The same in both directions.
    pub(crate) const fn either_way(range: Range) -> Self {
        Self::between(-range.high, range.high)
    }

    fn hold(&self, value: f64) -> bool {
        value <= self.max && (value > self.min || (!self.open && value >= self.min))
    }

    fn told(&self, unit: &str) -> String {
        let low = match (self.min <= -Self::HUGE, self.open) {
            (true, _) => String::new(),
            (false, true) => format!("more than {}{unit}", short(self.min)),
            (false, false) => format!("at least {}{unit}", short(self.min)),
        };
        match (low.is_empty(), self.max >= Self::HUGE) {
            (true, _) => format!("at most {:e}{unit} in size", Self::HUGE),
            (false, true) if self.hold(Self::HUGE / 10.0) && self.max > 0.0 => low,
            (false, _) => format!("{low} and at most {}{unit}", short(self.max)),
        }
    }
}

/// A bound without rows of zeros.
fn short(bound: f64) -> String {
    match bound.abs() {
        0.0 | 1e-4..1e7 => format!("{bound}"),
        _ => format!("{bound:e}"),
    }
}

/// Gathers problems. A value that could not be read becomes NaN, and no comparison with NaN is true: write
/// checks as "if it is wrong", and one mistake is reported once.
#[derive(Debug, Default)]
pub(crate) struct Check {
    pub(crate) problems: Vec<Problem>,
    /// Keys are read as those of an axis of this kind: of a rotary one a length is an angle.
    pub(crate) of_axis: Option<AxisKind>,
}

impl Check {
    pub(crate) fn problem(
        &mut self,
        span: &Span,
        message: impl Into<String>,
        label: impl Into<String>,
        help: impl Into<String>,
    ) {
        self.problems.push(Problem::new(span, message, label, help));
    }

    /// The quantity in SI, NaN if it is none or out of bounds.
    pub(crate) fn si<D: Dim>(&mut self, key: &str, raw: &Quantity<D>, bounds: Bounds) -> f64 {
        let Some(dimension) = D::DIMENSIONS.first() else {
            return f64::NAN;
        };
        self.si_of(key, raw, dimension, bounds)
    }

    /// As [`Self::si`], `missing` where the key is not there.
    pub(crate) fn si_or<D: Dim>(
        &mut self,
        key: &str,
        raw: Option<&Quantity<D>>,
        bounds: Bounds,
        missing: f64,
    ) -> f64 {
        raw.map_or(missing, |raw| self.si(key, raw, bounds))
    }

    /// What a dimension is on the axis whose keys are read.
    pub(crate) fn here<'d>(&self, dimension: &'d Dimension) -> &'d Dimension {
        match self.of_axis {
            Some(AxisKind::Rotary) => dimension.rotary().unwrap_or(dimension),
            Some(AxisKind::Linear) | None => dimension,
        }
    }

    /// What to say where the unit is one of an axis of the other kind.
    fn other_kind(&self, dimension: &Dimension, text: &str) -> &'static str {
        let is_of =
            |other: Option<&Dimension>| other.is_some_and(|other| other.parse(text).is_ok());
        match self.of_axis {
            Some(AxisKind::Rotary) if is_of(dimension.linear()) => {
                "; this axis is rotary (`kind`), so ways are angles, masses inertias and forces torques"
            }
            Some(AxisKind::Linear) if is_of(dimension.rotary()) => {
                "; an axis that turns says so by `kind = \"rotary\"`"
            }
            _ => "",
        }
    }

    /// As [`Self::si`] for a key whose dimension depends on another one.
    pub(crate) fn si_of<D>(
        &mut self,
        key: &str,
        raw: &Quantity<D>,
        dimension: &Dimension,
        bounds: Bounds,
    ) -> f64 {
        let dimension = self.here(dimension);
        let Some(value) = self.parsed(key, raw, dimension, 0) else {
            return f64::NAN;
        };
        if bounds.hold(value) {
            return value;
        }
        self.problem(
            &raw.span,
            format!("`{key}` is {}, which is out of range", raw.scalar.shown()),
            "out of range",
            format!("`{key}` must be {}", bounds.told(dimension.si())),
        );
        f64::NAN
    }

    fn parsed<D>(
        &mut self,
        key: &str,
        raw: &Quantity<D>,
        dimension: &Dimension,
        pow10: i32,
    ) -> Option<f64> {
        let (text, plain) = match &raw.scalar {
            Scalar::Text(text) => (text, false),
            Scalar::Plain(number) => (number, true),
        };
        let problem = match dimension.parse_scaled(text, pow10) {
            Ok(value) => return Some(value),
            Err(problem) => problem,
        };
        let shown = raw.scalar.shown();
        let what = if plain && problem == UnitError::NoUnit {
            format!(
                "`{key}` is the plain number {shown}, but {} needs a unit",
                dimension.name
            )
        } else {
            format!(
                "`{key}` is {shown}, expected {}: {}",
                dimension.name,
                told(&problem)
            )
        };
        let help = if dimension.is_number() {
            format!(
                "write a number such as `{key} = {}`, or text with one of the units {}",
                dimension.example,
                dimension.allowed()
            )
        } else {
            format!(
                "write text with a unit such as `{key} = \"{}\"`; allowed units: {}{}",
                dimension.example,
                dimension.allowed(),
                self.other_kind(dimension, text)
            )
        };
        self.problem(&raw.span, what, told(&problem), help);
        None
    }

    /// A time in whole nanoseconds, 0 if it is none or out of bounds.
    pub(crate) fn nanoseconds<D>(
        &mut self,
        key: &str,
        raw: &Quantity<D>,
        (min, max): (u64, u64),
    ) -> u64 {
        let Some(value) = self.parsed(key, raw, &TIME, 9) else {
            return 0;
        };
        // Up to 2^53 ns (104 days) every whole number is an f64.
        let whole = value.floor() == value;
        if whole && value >= min as f64 && value <= max as f64 {
            return value as u64;
        }
        self.problem(
            &raw.span,
            format!(
                "`{key}` is {}, which is {}",
                raw.scalar.shown(),
                if whole {
                    "out of range"
                } else {
                    "no whole number of nanoseconds"
                }
            ),
            if whole { "out of range" } else { "not whole" },
            format!("`{key}` must be {} to {}", duration(min), duration(max)),
        );
        0
    }

    /// A name that faults, recipes or references can use.
    pub(crate) fn name(&mut self, name: &At<String>) {
        let text = &name.value;
        let allowed = |c: char| matches!(c, 'a'..='z' | '0'..='9' | '_' | '-');
        if text.is_empty() || text.len() > MAX_NAME || !text.chars().all(allowed) {
            self.problem(
                &name.span,
                format!("`name` is \"{}\", which is no name here", shortened(text)),
                "not allowed",
                format!("use 1 to {MAX_NAME} of the characters a to z, 0 to 9, _ and -"),
            );
        } else if text == "bus" {
            self.problem(
                &name.span,
                "`name` is \"bus\", which is the fault target for the bus itself",
                "reserved",
                "choose another name",
            );
        }
    }

    /// Refuses the second of two equal names.
    pub(crate) fn unique<'a>(&mut self, what: &str, names: impl Iterator<Item = &'a At<String>>) {
        let mut seen = std::collections::BTreeSet::new();
        for name in names {
            if !seen.insert(name.value.as_str()) {
                self.problem(
                    &name.span,
                    format!("the name \"{}\" is taken already", shortened(&name.value)),
                    "second time",
                    format!("names are unique among {what}; choose another one"),
                );
            }
        }
    }

    /// Reports a reference to something that is not there.
    pub(crate) fn unknown(&mut self, what: &str, name: &At<String>, known: &[&str]) {
        let text = shortened(&name.value);
        let mut help = closest(&name.value, known)
            .map(|near| format!("did you mean \"{near}\"? "))
            .unwrap_or_default();
        help.push_str(&if known.is_empty() {
            format!("there is no {what} in this configuration")
        } else {
            format!("known: {}", listed(known))
        });
        self.problem(
            &name.span,
            format!("there is no {what} \"{text}\""),
            "unknown name",
            help,
        );
    }

    /// Reports a list that is longer than its bound.
    pub(crate) fn at_most(&mut self, span: &Span, what: &str, count: usize, max: usize) {
        if count > max {
            self.problem(
                span,
                format!("{count} {what}, and at most {max} are possible"),
                "too many",
                format!("keep to {max} {what}"),
            );
        }
    }
}

/// Names for a message; the first 40 of a long list.
pub(crate) fn listed(names: &[&str]) -> String {
    let mut text = names
        .iter()
        .take(40)
        .copied()
        .collect::<Vec<_>>()
        .join(", ");
    if names.len() > 40 {
        text.push_str(", ...");
    }
    text
}

fn told(problem: &UnitError) -> String {
    match problem {
        UnitError::WrongUnit(unit) => UnitError::WrongUnit(shortened(unit)).to_string(),
        other => other.to_string(),
    }
}

/// Nanoseconds in the unit that makes them short.
pub(crate) fn duration(ns: u64) -> String {
    let value = ns as f64;
    match ns {
        0..1_000 => format!("{ns}ns"),
        1_000..1_000_000 => format!("{}us", value / 1e3),
        1_000_000..1_000_000_000 => format!("{}ms", value / 1e6),
        _ => format!("{}s", value / 1e9),
    }
}
