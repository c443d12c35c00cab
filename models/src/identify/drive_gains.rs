//! Gains of a drive whose table is known: do position and velocity gain stand in the recording as they stand there?
//!
//! # Derivation
//! The drive of [`crate::axis`] with full feed-forward, behind the filters of its current, is
//!
//! ```text
//! i = F [ kv (u + kx e) + kv / Ti Int(u + kx e) ],   e = r(t - d) - x,   u = r'(t - d) - v(t - tv)
//! ```
//!
//! F being the lags of current loop and torque filter, and another `ti` that no table knows. The drive sees its velocity late
//! by `tv`: without it `kv tv x''`, of the size of `kv u` itself, would go into the gains and turn them into anything. All is
//! high-passed alike, which takes the constant of the integral and its drift away. What is left is linear enough for Gauss and
//! Newton in `kv, kx, d, tv, ti` and, if asked, `1 / Ti`.
//!
//! The loop is closed: noise of the current moves the axis, so that error and current have noise in common, and the mechanics
//! are a second relation between the same signals. Both spoil plain least squares. Gradients are therefore replaced by what of
//! them follows from the reference (two-stage least squares): velocity, acceleration, jerk and direction of the set-points.
//!
//! With full feed-forward `kx` and `1 / Ti` change places without a trace where `tv` is small: the integral time is the
//! table's unless the recording contradicts it. Where both are alike, neither is known then.

mod descent;
mod equation;

use super::axis::{AxisRecord, Estimate};
use super::stretches::{halves, stretches};
use descent::{Found, descend};
use equation::Equation;

/// Start of a stretch that the filters need (s).
pub const SETTLE_S: f64 = 0.5;
/// Least samples of what is fitted, and of what is not.
pub(super) const LEAST: usize = 2000;
/// What sampling leaves of either gain (1): its interpolation, derivatives from differences.
const SAMPLING: f64 = 0.005;
/// The same where the integral time is looked for as well: it shares what is left with both gains.
const SAMPLING_OF_THREE: f64 = 0.015;
/// Largest standard error of a gain or integral time that is identified (1).
const UNCERTAIN: f64 = 0.05;
/// Share of the current's mean square that the loops must explain at least.
const EXPLAINED: f64 = 0.95;
/// Standard errors, and share of its value, from which a gain is another than that of the table.
const OTHER: (f64, f64) = (3.0, 0.03);
/// What an integral time may be off by without being told from that of the table: a third of it, as a standard error (1).
const TIME_OFF: f64 = 0.06;
/// By how much the residual of a part that was not fitted must fall (1).
const BETTER: f64 = 0.95;
/// Longest period, of the integral time: the loops act within it.
const LONGEST: f64 = 0.5;

/// What the drive's table says.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GainTable {
    /// Position gain (1/s, > 0).
    pub position_gain_per_s: f64,
    /// Velocity gain (A s/m, > 0).
    pub velocity_gain: f64,
    /// Integral time (s, > 0).
    pub integral_time_s: f64,
    /// Current loop time constant (s, >= 0).
    pub current_time_constant_s: f64,
    /// Time constant of the torque filter (s, >= 0).
    pub current_filter_s: f64,
}

/// What the recording says.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GainsFit {
    /// Position gain (1/s), with the table's integral time where none stands beside it.
    pub position_gain_per_s: Estimate,
    /// Velocity gain (A s/m).
    pub velocity_gain: Estimate,
    /// Integral time (s), where the recording contradicts the table's.
    pub integral_time_s: Option<Estimate>,
    /// Dead time of the set-points (s).
    pub dead_time_s: f64,
    /// Its standard error (s), corrected for autocorrelation, with what sampling leaves of a period.
    pub dead_time_error_s: f64,
    /// By how much the drive sees its velocity late (s).
    pub velocity_lag_s: f64,
    /// Residual of a part that nothing was fitted to or chosen by: with the gains of the table, and with these (A, root mean square).
    pub not_fitted_rms_a: [f64; 2],
    /// Position gain and velocity gain that are to be taken instead of the table's: they differ from it by more than their interval, or were
    /// found with another integral time, and these predict what was not fitted better.
    pub another: [bool; 2],
}

impl GainsFit {
    /// The recording contradicts the table.
    pub fn contradicts(&self) -> bool {
        self.another.contains(&true)
    }
}

/// Identifies the gains.
///
/// # Errors
/// In words, what the recording lacks.
pub fn fit_gains(r: &AxisRecord<'_>, table: &GainTable) -> Result<GainsFit, String> {
    if r.period_s > LONGEST * table.integral_time_s {
        return Err(format!(
            "its period of {:.2} ms is too long to see the loops of the drive act: with an integral time of {:.2} ms at most {:.2} ms",
            1e3 * r.period_s,
            1e3 * table.integral_time_s,
            1e3 * LONGEST * table.integral_time_s
        ));
    }
    let all = stretches(r);
    let count: usize = all.iter().map(|(from, to)| to - from).sum();
    if count < 2 * LEAST {
        return Err(format!(
            "only {count} samples follow a set-point with the current below its limit, half a second after each start or gap left out: record for longer"
        ));
    }
    // A half is fitted; a quarter chooses between what was found, and the last one judges what was chosen.
    let (fitted, rest) = halves(&all, count / 2);
    let (choosing, judging) = halves(&rest, (count - count / 2) / 2);
    let equation = &mut Equation::new(r, table);
    let start = [
        table.velocity_gain,
        table.position_gain_per_s,
        late_s(r, &all)?,
        0.0,
        0.0,
        1.0 / table.integral_time_s,
    ];
    let as_told = descend(equation, &fitted, start, &[2, 3, 4])?;
    let fixed = descend(equation, &fitted, as_told.theta, &[0, 1, 2, 3, 4])?;
    // Whether the integral time is the table's is asked in every case: the position gain takes up what it is off by.
    // It and the position gain may have changed places on the way there: both are tried, and what leaves less is taken.
    let mut swapped = fixed.theta;
    swapped.swap(1, 5);
    let mut ends: Vec<(f64, Found)> = Vec::new();
    for start in [fixed.theta, swapped, as_told.theta] {
        if let Ok(end) = descend(equation, &fitted, start, &[0, 1, 2, 3, 4, 5]) {
            ends.push((equation.residual(&fitted, end.theta).0, end));
        }
    }
    ends.sort_by(|(a, _), (b, _)| a.total_cmp(b));
    let (least, free) = ends.first().ok_or_else(|| unknown_time(table))?;
    let elsewhere = |end: &Found| (end.theta[1] / free.theta[1] - 1.0).abs() > UNCERTAIN;
    if (ends.iter()).any(|(left, end)| elsewhere(end) && left * BETTER < *least) {
        // Two that are as good: the table is right, or nothing is known.
        let fit = judged(equation, table, &judging, &as_told, &fixed, None)?;
        return if fit.contradicts() {
            Err(unknown_time(table))
        } else {
            Ok(fit)
        };
    }
    let (per_s, error_per_s) = (free.theta[5], free.errors[5]);
    let off = (per_s * table.integral_time_s - 1.0).abs();
    let error = error_per_s * table.integral_time_s;
    // Which of the two zeros is the integral's is known only as far as the table is.
    let another = off > OTHER.0 * (error + SAMPLING) + 5.0 * OTHER.1;
    let [with, without] = [free, &fixed].map(|one| equation.residual(&choosing, one.theta).0);
    if another || with < BETTER * without {
        // Written so that an error that is no number is a refusal too.
        let certain = per_s > 0.0 && error_per_s <= UNCERTAIN * per_s;
        if !certain {
            return Err(unknown_time(table));
        }
        let time_s = 1.0 / per_s;
        let fit = judged(
            equation,
            table,
            &judging,
            &as_told,
            free,
            Some(Estimate {
                value: time_s,
                standard_error: time_s * libm::hypot(error_per_s * time_s, SAMPLING_OF_THREE),
                naive_error: free.naive[5] * time_s * time_s,
            }),
        )?;
        // Gains stand beside the integral time that they were found with: else those with the table's.
        if fit.contradicts() {
            return Ok(fit);
        }
    }
    judged(equation, table, &judging, &as_told, &fixed, None)
}

fn unknown_time(table: &GainTable) -> String {
    format!(
        "the recording does not say whether the integral time is the {:.2} ms of the table: without it it and the position gain change places",
        1e3 * table.integral_time_s
    )
}

/// What a descent has found, against the table and the part that judges.
fn judged(
    equation: &mut Equation<'_>,
    table: &GainTable,
    judging: &[(usize, usize)],
    as_told: &Found,
    found: &Found,
    integral_time_s: Option<Estimate>,
) -> Result<GainsFit, String> {
    let sampling = integral_time_s.map_or(SAMPLING, |_| SAMPLING_OF_THREE);
    let estimate = |n: usize| {
        let value = found.theta[n];
        Estimate {
            value,
            standard_error: libm::hypot(found.errors[n], sampling * value),
            naive_error: found.naive[n],
        }
    };
    let (velocity_gain, position_gain_per_s) = (estimate(0), estimate(1));
    for (name, one) in [
        ("velocity", &velocity_gain),
        ("position", &position_gain_per_s),
    ] {
        // Written so that an error that is no number is a refusal too.
        let certain = one.value > 0.0 && one.standard_error <= UNCERTAIN * one.value;
        if !certain {
            let why = if integral_time_s.is_some() {
                "the integral time is not that of the table, and without it it and the position gain change places"
            } else {
                "record moves in csp with more acceleration and jerk, both ways"
            };
            return Err(format!(
                "the {name} gain is known to {:.0} % only, and {:.0} % are needed: {why}",
                100.0 * (one.standard_error / one.value).abs(),
                100.0 * UNCERTAIN
            ));
        }
    }
    let [(told, _), (with, size)] =
        [as_told.theta, found.theta].map(|theta| equation.residual(judging, theta));
    if with * with > (1.0 - EXPLAINED) * size * size {
        return Err(format!(
            "position and velocity loop leave {:.0} % of the changes of the current unexplained: the drive feeds forward or filters what its table does not say",
            100.0 * with / size
        ));
    }
    let differs = |one: &Estimate, told: f64, more: f64| {
        let off = (one.value - told).abs();
        off > OTHER.0 * libm::hypot(one.standard_error, more) && off > OTHER.1 * told
    };
    // What the integral time may be off by without being another goes into the position gain.
    let more = integral_time_s.map_or(TIME_OFF / table.integral_time_s, |_| 0.0);
    let another = [
        differs(&position_gain_per_s, table.position_gain_per_s, more),
        differs(&velocity_gain, table.velocity_gain, 0.0),
    ];
    let contradicts =
        (another.contains(&true) || integral_time_s.is_some()) && with < BETTER * told;
    Ok(GainsFit {
        position_gain_per_s,
        velocity_gain,
        integral_time_s,
        dead_time_s: found.theta[2],
        dead_time_error_s: libm::hypot(found.errors[2], sampling * equation.r.period_s),
        velocity_lag_s: found.theta[3],
        not_fitted_rms_a: [told, with],
        // Gains and integral time that were found together belong together.
        another: another.map(|one| contradicts && (one || integral_time_s.is_some())),
    })
}

/// By how much the axis is behind its set-points (s): with full feed-forward that is the dead time.
fn late_s(r: &AxisRecord<'_>, all: &[(usize, usize)]) -> Result<f64, String> {
    let (mut way, mut square) = (0.0, 0.0);
    for k in all.iter().flat_map(|(from, to)| *from + 1..*to) {
        let v = (r.reference_m[k] - r.reference_m[k - 1]) / r.period_s;
        way += v * (r.reference_m[k] - r.position_m[k]);
        square += v * v;
    }
    if square <= 0.0 {
        return Err("the set-points never move: record moves in csp".to_owned());
    }
    let late_s = way / square;
    if !(-r.period_s..=6.0 * r.period_s).contains(&late_s) {
        return Err(format!(
            "the axis is {:.2} ms behind its set-points, beyond the six cycles of a drive that feeds its velocity forward: record faster moves in csp, or look whether the drive has that feed-forward",
            1e3 * late_s
        ));
    }
    Ok(late_s)
}

#[cfg(test)]
#[path = "drive_gains_tests.rs"]
mod tests;
