//! Every axis of a machine through its own program, on the numbers of its twin, in virtual time.
//!
//! The first round of an axis begins at rest and is not measured; what counts begins with the second one, as in a machine that runs.

use super::kept::Kept;
use super::keys::rated_a;
use super::meter::{Against, Figures, Meter, MoveFigures};
use super::motor::{self, MotorFigures};
use super::part::Part;
use super::round::Round;
use crate::error::HostError;
use crate::plan::{self, PlanStore};
use twinstep_config::machine::{Axis, AxisKind, Machine, OperationMode};
use twinstep_cycle::plan::Plan;
use twinstep_models::axis::AxisParams;
use twinstep_models::rollout::Rollout;
use twinstep_models::sample::Context;

/// Most cycles of one axis.
pub const MAX_CYCLES: f64 = 20e6;

/// What is to be computed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Settings {
    /// Time that is measured (s); none: one round.
    pub time_s: Option<f64>,
    /// Way around the target within which an axis has settled (m).
    pub band_m: f64,
    /// The motion is kept for a drawing.
    pub keep: bool,
}

/// What became of one axis.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AxisResult {
    /// Name.
    pub source: String,
    /// How it moves: what the names of units below mean.
    pub kind: AxisKind,
    /// Unit of the effort.
    pub unit: &'static str,
    /// Its round.
    pub round: Round,
    /// Figures of every move.
    pub moves: Vec<MoveFigures>,
    /// Figures of all of it.
    pub whole: Figures,
    /// Time that was measured (s).
    pub measured_s: f64,
    /// Period (s).
    pub period_s: f64,
    /// Current limit (A).
    pub limit_a: f64,
    /// Rated current (A); none where nothing is known of the drive.
    pub rated_a: Option<f64>,
    /// What its program asks of its motor, or why that is not known; none where nothing is known of the motor.
    pub motor: Option<Result<MotorFigures, String>>,
    /// What there is to be drawn.
    pub kept: Kept,
}

/// An axis that cannot be computed, and why.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct LeftOut {
    /// Name.
    pub source: String,
    /// Why.
    pub reason: &'static str,
}

/// Every axis and press, in the order of the configuration.
pub type Outcome = Vec<Result<AxisResult, LeftOut>>;

/// Computes every axis of the machine.
///
/// # Errors
/// [`HostError::Usage`] where it would take too many cycles.
pub fn simulate(machine: &Machine, settings: &Settings) -> Result<Outcome, HostError> {
    let store = PlanStore::new(machine);
    let plan = store.plan();
    let programs = plan::programs(machine);
    let strokes = strokes(machine);
    let presses = machine.presses.iter().map(|press| &press.axis);
    let mut outcome = Vec::new();
    for (n, axis) in machine.axes.iter().chain(presses).enumerate() {
        let is_press = n >= machine.axes.len();
        let contexts = if is_press {
            &strokes[..]
        } else {
            &[Context::default()]
        };
        let round = Round::new(&programs[n].program, contexts);
        let why = why_not((axis, store.is_linked(n)), &store.params[n], &round);
        outcome.push(match why {
            Some(reason) => Err(LeftOut {
                source: axis.name.clone(),
                reason,
            }),
            None => Ok(one(
                axis,
                &store.params[n],
                round,
                is_press.then_some((&plan, n)),
                machine.cycle.period_ns as f64 / 1e9,
                settings,
            )?),
        });
    }
    Ok(outcome)
}

/// Recipe and part of the strokes of a round: each part of the first recipe once.
fn strokes(machine: &Machine) -> Vec<Context> {
    let mut all = machine.stroke_contexts();
    let first = all.first().copied().unwrap_or_default();
    let parts = (machine.recipes.get(usize::from(first.recipe))).map_or(1, |r| r.parts.len());
    all.truncate(parts.max(1));
    if all.is_empty() {
        all.push(first);
    }
    all
}

/// A round that is shorter than this is none (s): the longest period.
const SHORTEST_S: f64 = 0.01;

/// Why a press behind a crank or a table is not computed.
pub(super) const BEHIND_A_LINKAGE: &str =
    "it stands behind a crank or a table, and its ram is not computed ahead";

/// Why an axis cannot be computed; `is_linked`: it is that of a press behind a crank or a table.
pub fn why_not(
    (axis, is_linked): (&Axis, bool),
    params: &AxisParams,
    round: &Round,
) -> Option<&'static str> {
    if axis.twin.is_none() {
        Some("it has no twin: `twinstep calibrate` finds it")
    } else if is_linked {
        Some(BEHIND_A_LINKAGE)
    } else if !params.cascade_valid {
        Some("its twin has no cascade that calibration could validate")
    } else if round.length_s <= 0.0 {
        Some("it has no motion program")
    } else if round.length_s < SHORTEST_S {
        Some("a round of its program is shorter than 10 ms")
    } else if (axis.motion.program.iter()).any(|step| step.mode != OperationMode::Position) {
        Some("steps of its program are in CSV or CST, whose loops the controller closes")
    } else {
        None
    }
}

/// One axis through its program; `press` is the plan and the place of a press in it.
fn one(
    axis: &Axis,
    params: &AxisParams,
    round: Round,
    press: Option<(&Plan<'_>, usize)>,
    period_s: f64,
    settings: &Settings,
) -> Result<AxisResult, HostError> {
    let measured_s = settings.time_s.unwrap_or(round.length_s);
    let until_s = round.length_s + measured_s;
    if until_s / period_s > MAX_CYCLES {
        return Err(HostError::usage(
            format!(
                "'{}' would take {:.0} cycles, at most {MAX_CYCLES:.0} are computed",
                axis.name,
                until_s / period_s
            ),
            "ask for less time with --for",
        ));
    }
    let twin = axis.twin.as_ref();
    let against = Against {
        period_s,
        band_m: settings.band_m,
        force_constant_n_per_a: twin.map_or(0.0, |twin| twin.force_constant_n_per_a),
    };
    let mut rollout = Rollout::at_rest(params, period_s, round.start_m());
    let mut meter = Meter::new(&round, against);
    let mut part = Part::default();
    let mut kept = Kept::default();
    // Rounds that are over, and when the one under way began.
    let mut begun_s = 0.0;
    let mut k = 0_u64;
    loop {
        let time_s = k as f64 * period_s;
        if time_s >= until_s {
            break;
        }
        let target_m = round.target_m(phase(&round, time_s, &mut begun_s));
        let (before_m, velocity_m_per_s) = rollout.motion();
        let part_a = press.map_or(0.0, |(plan, n)| {
            let (number, _) = round.at(time_s - begun_s);
            // Of the middle of the cycle, as in the live twin.
            let middle_m = before_m + 0.5 * period_s * velocity_m_per_s;
            part.load_a(
                plan,
                n,
                round.moves[number].context,
                middle_m,
                velocity_m_per_s,
            )
        });
        let moment = rollout.step(target_m, part_a);
        k += 1;
        let sample_s = k as f64 * period_s;
        if sample_s >= round.length_s && sample_s < until_s {
            let phase_s = phase(&round, sample_s, &mut begun_s);
            let way_m = moment.position_m - before_m;
            meter.take(phase_s, &moment, way_m, part_a);
            if settings.keep {
                kept.push(sample_s - round.length_s, &moment);
            }
        }
    }
    let moves = meter.finish();
    let mut whole = Figures::default();
    moves.iter().for_each(|one| whole.add(&one.figures));
    Ok(AxisResult {
        source: axis.name.clone(),
        kind: axis.kind,
        unit: axis.effort(),
        moves,
        whole,
        measured_s,
        period_s,
        limit_a: params.limit_a,
        rated_a: rated_a(axis),
        motor: motor::figures(axis, &round, press, params.limit_a, period_s),
        kept,
        round,
    })
}

/// Time in the round at `time_s` (s), which never goes back; `begun_s` is when that round began.
fn phase(round: &Round, time_s: f64, begun_s: &mut f64) -> f64 {
    while time_s - *begun_s >= round.length_s {
        *begun_s += round.length_s;
    }
    time_s - *begun_s
}

#[cfg(test)]
#[path = "simulate_tests.rs"]
mod tests;
