//! Which motion a recording lacks, and which parameters cannot be known without it.

use super::axis::{AxisFit, AxisRecord};
use super::regressors::SLOW;
use std::fmt;

/// Rows of movement that a fit needs at least.
pub const LEAST_ROWS: usize = 100;
/// Share of the movement that the rarer direction must have.
const LEAST_SHARE: f64 = 0.01;
/// Spread of the speed, relative to its mean, below which there is one speed only.
const LEAST_SPREAD: f64 = 0.02;
/// A standard error above this share of what it belongs to is worth a warning.
const UNCERTAIN: f64 = 0.3;

/// What is missing in a recording, with the parameters that it leaves unknown.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum MissingMotion {
    /// Too little of anything.
    Short {
        /// Samples of movement that are there.
        moving: usize,
    },
    /// The position never changes.
    Still,
    /// The current never changes.
    ConstantCurrent,
    /// Only movement to larger or smaller positions.
    OneDirection {
        /// To larger positions.
        positive: bool,
    },
    /// The speed is always the same.
    OneSpeed,
    /// Nothing in the recording sets the parameters apart, for no reason that has a name.
    Variety,
    /// The fitted inertia is not positive: no acceleration, or a current with the wrong sign.
    Inertia,
}

impl fmt::Display for MissingMotion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Short { moving } => write!(
                f,
                "the recording is too short: {moving} samples of undisturbed movement, at least {} are needed; record several moves in both directions",
                2 * LEAST_ROWS
            ),
            Self::Still => write!(
                f,
                "the axis does not move in the recording: mass, friction and constant load cannot be identified; record moves in both directions"
            ),
            Self::ConstantCurrent => write!(
                f,
                "the current never changes in the recording: mass, friction and constant load cannot be identified"
            ),
            Self::OneDirection { positive } => {
                let (is, lacks) = if *positive {
                    ("positive", "negative")
                } else {
                    ("negative", "positive")
                };
                write!(
                    f,
                    "it moves in {is} direction only: Coulomb friction and constant load cannot be told apart; record moves in {lacks} direction too"
                )
            }
            Self::OneSpeed => write!(
                f,
                "it moves at one constant speed only, without acceleration: mass cannot be identified, and viscous and Coulomb friction cannot be told apart; record at least two speeds, with the ramps between them"
            ),
            Self::Variety => write!(
                f,
                "inertia, friction and load cannot be told apart: the recording needs moves in both directions, with constant speed and with acceleration"
            ),
            Self::Inertia => write!(
                f,
                "the fitted inertia is not positive: the recording lacks acceleration, or the sign of the current is not that of the position"
            ),
        }
    }
}

/// Whether `rows` move in positive (true) or negative direction (false) only; none: in both.
pub(super) fn one_way(v: &[f64], rows: &[usize], fastest: f64) -> Option<bool> {
    let count = rows.len() as f64;
    let positive = rows.iter().filter(|k| v[**k] > SLOW * fastest).count() as f64 / count;
    let both = (LEAST_SHARE..=1.0 - LEAST_SHARE).contains(&positive);
    (!both).then_some(positive > 0.5)
}

/// What is missing for certain, before anything is fitted; `rows` are the samples of movement. Where the constant load is known, one direction
/// is enough.
pub(super) fn missing(
    r: &AxisRecord<'_>,
    v: &[f64],
    rows: &[usize],
    fastest: f64,
    load_is_known: bool,
) -> Option<MissingMotion> {
    if fastest <= 0.0 {
        return Some(MissingMotion::Still);
    }
    if rows.len() < LEAST_ROWS {
        return Some(MissingMotion::Short {
            moving: 2 * rows.len(),
        });
    }
    if !load_is_known && let Some(positive) = one_way(v, rows, fastest) {
        return Some(MissingMotion::OneDirection { positive });
    }
    let count = rows.len() as f64;
    let first = r.current_a[rows[0]];
    if rows.iter().all(|k| r.current_a[*k] == first) {
        return Some(MissingMotion::ConstantCurrent);
    }
    // Of the smoothed speed: the steps of an encoder are no other speed.
    let smooth = |k: usize| {
        let h = super::regressors::MARGIN - 1;
        ((r.position_m[k + h] - r.position_m[k - h]) / (2.0 * h as f64 * r.period_s)).abs()
    };
    let mean = rows.iter().map(|k| smooth(*k)).sum::<f64>() / count;
    let square = rows
        .iter()
        .map(|k| (smooth(*k) - mean) * (smooth(*k) - mean))
        .sum::<f64>();
    ((square / count).sqrt() < LEAST_SPREAD * mean).then_some(MissingMotion::OneSpeed)
}

/// What a fit leaves uncertain, with the motion that would help. `fastest_m_per_s` is the largest speed of the recording.
pub(super) fn uncertain(fit: &AxisFit, fastest_m_per_s: f64) -> Vec<String> {
    let mut all = Vec::new();
    let mut warn = |name: &str, error: f64, of: f64, what: &str, remedy: &str| {
        // Written so that an error that is no number is a warning too.
        let certain = error <= UNCERTAIN * of;
        if !certain {
            let share = 100.0 * error / of;
            all.push(format!(
                "{name} is poorly identified, its standard error is {share:.0} % of {what}: {remedy}"
            ));
        }
    };
    let coulomb_a = fit.coulomb_a.value.abs();
    let coulomb_a = fit
        .coulomb_negative_a
        .map_or(coulomb_a, |negative| negative.value.abs().max(coulomb_a));
    let friction_a = coulomb_a + fit.viscous.value.abs() * fastest_m_per_s;
    warn(
        "mass",
        fit.inertia.standard_error,
        fit.inertia.value.abs(),
        "it",
        "record moves with more acceleration",
    );
    let slow_and_fast = "record slow and fast moves in both directions";
    let positive = fit
        .coulomb_negative_a
        .map_or("coulomb", |_| "coulomb in positive direction");
    // A direction that was not moved has no figure of its own, and a warning of its own.
    if fit.one_way != Some(false) {
        warn(
            positive,
            fit.coulomb_a.standard_error,
            friction_a,
            "the friction",
            slow_and_fast,
        );
    }
    if let Some(negative) = fit.coulomb_negative_a.filter(|_| fit.one_way != Some(true)) {
        warn(
            "coulomb in negative direction",
            negative.standard_error,
            friction_a,
            "the friction",
            slow_and_fast,
        );
    }
    warn(
        "viscous",
        fit.viscous.standard_error * fastest_m_per_s,
        friction_a,
        "the friction",
        "record constant speed at two or more speeds",
    );
    warn(
        "gravity",
        fit.gravity_a.standard_error,
        fit.gravity_a.value.abs().max(friction_a),
        "the load",
        "record as much movement in one direction as in the other",
    );
    all
}

#[cfg(test)]
#[path = "motion_tests.rs"]
mod tests;
