//! The parameters of an axis as tables show them: names, and what stands before and after.

use twinstep_config::machine::AxisTwin;
use twinstep_models::identify::{AxisFit, COMMON};

/// What a parameter is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Word {
    /// In tables and warnings.
    pub name: &'static str,
    /// In a line of JSON.
    pub key: &'static str,
    /// Unit.
    pub unit: &'static str,
}

impl Word {
    const fn new(name: &'static str, key: &'static str, unit: &'static str) -> Self {
        Self { name, key, unit }
    }
}

const MASS: Word = Word::new("mass", "mass_kg", "kg");
const COULOMB: Word = Word::new("coulomb", "coulomb_n", "N");
const POSITIVE: Word = Word::new("coulomb positive", "coulomb_n", "N");
const NEGATIVE: Word = Word::new("coulomb negative", "coulomb_negative_n", "N");
const VISCOUS: Word = Word::new("viscous", "viscous_n_s_per_m", "N s/m");
const GRAVITY: Word = Word::new("gravity", "gravity_n", "N");
const STATED: Word = Word::new("gravity (stated)", "gravity_n", "N");

/// What the parameters of [`AxisFit::common`] are called, in its order.
pub fn common(fit: &AxisFit) -> [Word; COMMON] {
    if fit.known_a().is_some() {
        [MASS, POSITIVE, VISCOUS, NEGATIVE]
    } else {
        [MASS, COULOMB, VISCOUS, GRAVITY]
    }
}

/// The place among them of the friction in a direction that was not moved, which is no finding.
pub fn not_moved(fit: &AxisFit) -> Option<usize> {
    fit.one_way.map(|positive| if positive { 3 } else { 1 })
}

/// One parameter of an axis.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Row {
    /// What it is called.
    pub word: Word,
    /// Value of the twin that was there, in the unit of the word.
    pub was: Option<f64>,
    /// Value that is written.
    pub is: f64,
    /// Place of what was found in [`AxisFit::common`]; none: it was not found, but stated, or left as it was.
    pub place: Option<usize>,
}

/// The parameters of a twin. Coulomb friction has a row for each direction where they may differ: where gravity is stated, or a twin has two figures.
pub fn rows(old: Option<&AxisTwin>, new: &AxisTwin, fit: &AxisFit) -> Vec<Row> {
    let stated = fit.known_a().is_some();
    let found = |place: usize| Some(place).filter(|place| Some(*place) != not_moved(fit));
    let row = |word: Word, place: Option<usize>, get: fn(&AxisTwin) -> f64| Row {
        word,
        was: old.map(get),
        is: get(new),
        place,
    };
    let apart = |twin: &AxisTwin| twin.coulomb_positive_n != twin.coulomb_negative_n;
    let both = stated || apart(new) || old.is_some_and(apart);
    let mut rows = vec![
        row(MASS, Some(0), |twin| twin.mass_kg),
        row(if both { POSITIVE } else { COULOMB }, found(1), |twin| {
            twin.coulomb_positive_n
        }),
    ];
    if both {
        // One figure was found for both where gravity was sought.
        let place = if stated { found(3) } else { Some(1) };
        rows.push(row(NEGATIVE, place, |twin| twin.coulomb_negative_n));
    }
    rows.push(row(VISCOUS, Some(2), |twin| twin.viscous_n_s_per_m));
    let (gravity, place) = if stated {
        (STATED, None)
    } else {
        (GRAVITY, Some(3))
    };
    rows.push(row(gravity, place, |twin| twin.gravity_n));
    rows
}
