//! The targets of a recording instead of those of the program, and beside the twin what the recording holds.

use super::changes::Change;
use super::kept::Kept;
use super::keys::OF_SERVO;
use super::keys::rated_a;
use super::meter::{Against, Figures};
use super::part::Part;
use super::simulate::{AxisResult, BEHIND_A_LINKAGE, LeftOut, Outcome};
use crate::error::HostError;
use crate::plan::PlanStore;
use std::path::Path;
use twinstep_config::machine::{Axis, Machine};
use twinstep_drivers::recording::{AxisRecord, Recording, columns};
use twinstep_models::axis::AxisParams;
use twinstep_models::rollout::{Moment, Rollout};
use twinstep_models::sample::Told;

/// Shortest stretch of a recording that says anything (s).
const LEAST_S: f64 = 1.0;
/// Time at its start that is not measured: the twin does not know the integrator of the drive (s).
const SETTLE_S: f64 = 0.5;
/// Share of the limit from which on a measured current is at it: the drive reports in steps.
const AT_LIMIT: f64 = 0.998;
/// Keys that change the targets, which a recording brings.
const OF_TARGETS: [&str; 7] = [
    "velocity",
    "acceleration",
    "jerk",
    "dwell",
    "period",
    "recipe",
    "press_velocity",
];

/// Reads a recording; nothing that changes its targets may be set.
///
/// # Errors
/// [`HostError::Usage`].
pub fn open(path: &Path, machine: &Machine, changes: &[Change]) -> Result<Recording, HostError> {
    let moved = changes
        .iter()
        .find(|change| OF_TARGETS.contains(&change.key));
    if let Some(change) = moved {
        return Err(HostError::usage(
            format!(
                "'{}' cannot be set with a recording: it holds the targets as they were sent",
                super::changes::name_of(change)
            ),
            "leave --recording out to compute the program, or set what the targets do not depend on, such as mass",
        ));
    }
    if let Some(change) = (changes.iter()).find(|change| OF_SERVO.contains(&change.key)) {
        return Err(HostError::usage(
            format!(
                "'{}' changes nothing with a recording: the servo axis in full is not computed there",
                super::changes::name_of(change)
            ),
            "leave --recording out to compute the program, or set what the twin knows, such as mass",
        ));
    }
    columns(path, machine).map_err(crate::commands::replay::refused)
}

/// Where figures come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum From {
    /// The recording.
    Recording,
    /// The twins, on its targets.
    Twins,
}

/// What the recording holds, or what the twins of the machine make of its targets, for every axis.
pub fn outcome(machine: &Machine, recording: &Recording, from: From, keep: bool) -> Outcome {
    let store = PlanStore::new(machine);
    let plan = store.plan();
    let presses = machine.presses.iter().map(|press| &press.axis);
    let mut all = Vec::new();
    for (n, axis) in machine.axes.iter().chain(presses).enumerate() {
        let params = &store.params[n];
        let record = recording.axes.get(n);
        let stretch = record.and_then(|record| stretch(recording, record));
        let why = why_not(axis, params, store.is_linked(n));
        let (Some(record), Some(stretch), None) = (record, &stretch, why) else {
            all.push(Err(LeftOut {
                source: axis.name.clone(),
                reason: why.unwrap_or("the recording has too little of it"),
            }));
            continue;
        };
        let mut part = Part::default();
        let is_press = n >= machine.axes.len();
        let load = |k: usize, motion: (f64, f64)| {
            if is_press {
                // Of the middle of the cycle, as in the live twin.
                let middle_m = motion.0 + 0.5 * recording.period_s * motion.1;
                part.load_a(&plan, n, recording.context[k], middle_m, motion.1)
            } else {
                0.0
            }
        };
        let moments = match from {
            From::Twins => rolled_out(params, stretch, recording.period_s, load),
            From::Recording => measured(params, record, stretch, recording.period_s),
        };
        all.push(Ok(result(axis, params, recording.period_s, &moments, keep)));
    }
    all
}

fn why_not(axis: &Axis, params: &AxisParams, is_linked: bool) -> Option<&'static str> {
    if axis.twin.is_none() {
        Some("it has no twin: `twinstep calibrate` finds it")
    } else if is_linked {
        Some(BEHIND_A_LINKAGE)
    } else if !params.cascade_valid {
        Some("its twin has no cascade that calibration could validate")
    } else {
        None
    }
}

/// The longest stretch of one axis that was measured without a gap, its drive enabled where that is known.
struct Stretch<'a> {
    from: usize,
    to: usize,
    reference_m: &'a [f64],
    record: &'a AxisRecord,
}

fn stretch<'a>(recording: &Recording, record: &'a AxisRecord) -> Option<Stretch<'a>> {
    let reference_m = record.reference_m.as_deref()?;
    let knows_enabled = record.enabled.iter().any(|on| *on);
    let usable = |k: usize| {
        record.position_m[k].is_finite()
            && record.current_a[k].is_finite()
            && reference_m[k].is_finite()
            // A drive in another mode, or with offsets, follows more than this reference.
            && record.told.get(k).is_none_or(|told| told.0 == Told::Position)
            && (record.enabled[k] || !knows_enabled)
    };
    let (mut best, mut from) = ((0, 0), None);
    let count = record.position_m.len();
    for k in 0..=count {
        let ends = k == count || !usable(k) || recording.segments.contains(&k);
        if ends && let Some(start) = from {
            if k - start > best.1 - best.0 {
                best = (start, k);
            }
            from = None;
        }
        if k < count && from.is_none() && usable(k) {
            from = Some(k);
        }
    }
    let (from, to) = best;
    let least = ((LEAST_S + SETTLE_S) / recording.period_s) as usize;
    (to - from > least).then_some(Stretch {
        from,
        to,
        reference_m,
        record,
    })
}

/// A sample, the way since the one before (m), and the load of a part on it (A).
type Sample = (Moment, f64, f64);

/// What the twin makes of the targets, from the measured start on.
fn rolled_out(
    params: &AxisParams,
    stretch: &Stretch<'_>,
    period_s: f64,
    mut load: impl FnMut(usize, (f64, f64)) -> f64,
) -> Vec<Sample> {
    let Stretch { from, to, .. } = *stretch;
    let (x, i) = (&stretch.record.position_m, &stretch.record.current_a);
    let velocity = (x[from + 1] - x[from]) / period_s;
    let mut rollout = Rollout::at_rest(params, period_s, x[from]).moving(velocity, i[from]);
    (from..to - 1)
        .map(|k| {
            let motion = rollout.motion();
            let part_a = load(k, motion);
            let moment = rollout.step(stretch.reference_m[k], part_a);
            (moment, moment.position_m - motion.0, part_a)
        })
        .collect()
}

/// What was measured, with the reference that the drive followed by the twin's dead time.
fn measured(
    params: &AxisParams,
    record: &AxisRecord,
    stretch: &Stretch<'_>,
    period_s: f64,
) -> Vec<Sample> {
    let (x, i) = (&record.position_m, &record.current_a);
    let dead = params.dead_time_s / period_s;
    (stretch.from + 1..stretch.to)
        .map(|k| {
            let way_m = x[k] - x[k - 1];
            let current_a = i[k];
            let moment = Moment {
                reference_m: between(stretch, k as f64 - dead),
                position_m: x[k],
                velocity_m_per_s: way_m / period_s,
                current_a,
                reported_a: current_a,
                asked_a: current_a,
                limited: current_a.abs() >= AT_LIMIT * params.limit_a,
            };
            (moment, way_m, 0.0)
        })
        .collect()
}

/// The target at a time in cycles (m), straight between two of them.
fn between(stretch: &Stretch<'_>, at: f64) -> f64 {
    let at = at.max(stretch.from as f64);
    let whole = at as usize;
    let here = stretch.reference_m[whole];
    let next = stretch.reference_m.get(whole + 1).copied();
    here + (at - whole as f64) * (next.filter(|m| m.is_finite()).unwrap_or(here) - here)
}

fn result(
    axis: &Axis,
    params: &AxisParams,
    period_s: f64,
    samples: &[Sample],
    keep: bool,
) -> AxisResult {
    let against = Against {
        period_s,
        band_m: 0.0,
        force_constant_n_per_a: axis.twin.as_ref().map_or(0.0, |t| t.force_constant_n_per_a),
    };
    let skipped = (SETTLE_S / period_s) as usize;
    let mut whole = Figures::default();
    let mut kept = Kept::default();
    for (k, (moment, way_m, part_a)) in samples.iter().enumerate().skip(skipped) {
        whole.take(&against, moment, *way_m, *part_a);
        if keep {
            kept.push(k as f64 * period_s, moment);
        }
    }
    AxisResult {
        source: axis.name.clone(),
        kind: axis.kind,
        unit: axis.effort(),
        measured_s: whole.samples as f64 * period_s,
        whole,
        period_s,
        limit_a: params.limit_a,
        rated_a: rated_a(axis),
        kept,
        ..AxisResult::default()
    }
}
