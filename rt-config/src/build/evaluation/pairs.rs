//! Pairs of limits, sides and words.

use crate::check::{Bounds, Check};
use crate::raw::EvaluationTable;
use crate::value::{At, Dim, Quantity};
use twinstep_models::press::evaluate::Side;
use twinstep_models::press::evaluate::features::Limits;
use twinstep_models::press::evaluate::passage::Sides;

/// All X.
const EVERYWHERE: [f64; 2] = [f64::NEG_INFINITY, f64::INFINITY];

pub(super) fn range(raw: &EvaluationTable, check: &mut Check) -> Option<[f64; 2]> {
    match &raw.x {
        None => Some(EVERYWHERE),
        Some(_) => pair("x", raw.x.as_ref(), check),
    }
}

pub(super) fn limits<D: Dim>(
    key: &str,
    raw: Option<&At<Vec<Quantity<D>>>>,
    check: &mut Check,
) -> Option<Limits> {
    pair(key, raw, check).map(|[min, max]| Limits::between(min, max))
}

/// Smallest and largest value. None where the key is missing, which was reported, or wrong.
pub(super) fn pair<D: Dim>(
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

pub(super) fn sides(
    key: &str,
    raw: Option<&At<Vec<At<String>>>>,
    check: &mut Check,
) -> Option<Sides> {
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
pub(in crate::build) fn one_of<T: Copy>(
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
