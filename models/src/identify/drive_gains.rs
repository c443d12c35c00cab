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

use super::axis::{AxisRecord, Estimate};
use super::hac;
use super::least_squares::LeastSquares;
use super::signals::{delayed, high, lagged, leaked, slope};
use super::stretches::{halves, stretches};

/// Parameters, in their order: kv, kx, d, tv, ti, 1 / Ti.
const MOST: usize = 6;
/// Instruments.
const INSTRUMENTS: usize = 9;
/// Corners of their high-passes (1/s); the first is that of the equation.
const CORNERS_PER_S: [f64; 3] = [10.0, 60.0, 200.0];
/// Start of a stretch that the filters need (s).
pub(super) const SETTLE_S: f64 = 0.5;
/// Least samples of either half.
pub(super) const LEAST: usize = 2000;
/// Rounds of Gauss and Newton.
const ROUNDS: usize = 10;
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
/// By how much the residual of the half that was not fitted must fall (1).
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
    /// By how much the drive sees its velocity late (s).
    pub velocity_lag_s: f64,
    /// Residual of the half that was not fitted: with the gains of the table, and with these (A, root mean square).
    pub not_fitted_rms_a: [f64; 2],
    /// Position gain and velocity gain that are to be taken instead of the table's.
    pub another: [bool; 2],
    /// A gain differs from the table by more than its interval, and these predict the other half better.
    pub contradicts: bool,
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
    let (fitted, other) = halves(&all, count / 2);
    let start = [
        table.velocity_gain,
        table.position_gain_per_s,
        late_s(r, &all)?,
        0.0,
        0.0,
        1.0 / table.integral_time_s,
    ];
    let as_told = descend(r, table, &fitted, start, &[2, 3, 4])?;
    let fixed = descend(r, table, &fitted, as_told.theta, &[0, 1, 2, 3, 4])?;
    let judge = |found: &Found, time_s| judged(r, table, &other, &as_told, found, time_s);
    // Whether the integral time is the table's is asked in every case: the position gain takes up what it is off by.
    // It and the position gain may have changed places on the way there: both are tried, and what leaves less is taken.
    let mut swapped = fixed.theta;
    swapped.swap(1, 5);
    let mut ends: Vec<(f64, Found)> = [fixed.theta, swapped, as_told.theta]
        .into_iter()
        .filter_map(|start| descend(r, table, &fitted, start, &[0, 1, 2, 3, 4, 5]).ok())
        .map(|end| (residual(r, table, &fitted, end.theta).0, end))
        .collect();
    ends.sort_by(|(a, _), (b, _)| a.total_cmp(b));
    let (least, free) = ends.first().ok_or_else(|| unknown_time(table))?;
    let elsewhere = |end: &Found| (end.theta[1] / free.theta[1] - 1.0).abs() > UNCERTAIN;
    if (ends.iter()).any(|(left, end)| elsewhere(end) && left * BETTER < *least) {
        // Two that are as good: the table is right, or nothing is known.
        let fit = judge(&fixed, None)?;
        return if fit.contradicts {
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
    let left = |theta| residual(r, table, &other, theta).0;
    if another || left(free.theta) < BETTER * left(fixed.theta) {
        // Written so that an error that is no number is a refusal too.
        let certain = per_s > 0.0 && error_per_s <= UNCERTAIN * per_s;
        if !certain {
            return Err(unknown_time(table));
        }
        let time_s = 1.0 / per_s;
        let fit = judge(
            free,
            Some(Estimate {
                value: time_s,
                standard_error: time_s * libm::hypot(error_per_s * time_s, SAMPLING_OF_THREE),
                naive_error: free.naive[5] * time_s * time_s,
            }),
        )?;
        // Gains stand beside the integral time that they were found with: else those with the table's.
        if fit.contradicts {
            return Ok(fit);
        }
    }
    judge(&fixed, None)
}

fn unknown_time(table: &GainTable) -> String {
    format!(
        "the recording does not say whether the integral time is the {:.2} ms of the table: without it it and the position gain change places",
        1e3 * table.integral_time_s
    )
}

/// What a descent has found, against the table and the half that was not fitted.
fn judged(
    r: &AxisRecord<'_>,
    table: &GainTable,
    other: &[(usize, usize)],
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
        [as_told.theta, found.theta].map(|theta| residual(r, table, other, theta));
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
        velocity_lag_s: found.theta[3],
        not_fitted_rms_a: [told, with],
        // Gains and integral time that were found together belong together.
        another: another.map(|one| contradicts && (one || integral_time_s.is_some())),
        contradicts,
    })
}

/// Where a descent ended.
struct Found {
    theta: [f64; MOST],
    errors: [f64; MOST],
    naive: [f64; MOST],
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

/// Columns of the equation over one stretch: the current that the loops explain, its gradient, and what was measured.
struct Columns {
    model_a: Vec<f64>,
    gradient: [Vec<f64>; MOST],
    measured_a: Vec<f64>,
    instruments: Vec<Vec<f64>>,
}

fn columns(
    r: &AxisRecord<'_>,
    table: &GainTable,
    (from, to): (usize, usize),
    [kv, kx, dead_s, velocity_s, current_s, per_s]: [f64; MOST],
    with_instruments: bool,
) -> Columns {
    let t = r.period_s;
    let corner = CORNERS_PER_S[0] * t;
    let filtered = |y: &[f64]| {
        let once = lagged(y, table.current_time_constant_s / t);
        lagged(&once, table.current_filter_s / t)
    };
    // A signal behind the filters, high-passed, and its integral.
    let both = |y: &[f64]| {
        let f = filtered(y);
        let integral: Vec<f64> = leaked(&f, corner).iter().map(|q| q * t).collect();
        (high(&f, corner), integral)
    };
    let reference = delayed(&r.reference_m[from..to], dead_s / t);
    let x = &r.position_m[from..to];
    let speed = slope(&reference, t);
    let acceleration = slope(&speed, t);
    let seen = lagged(&slope(x, t), velocity_s.max(0.0) / t);
    let minus =
        |a: &[f64], b: &[f64]| -> Vec<f64> { a.iter().zip(b).map(|(a, b)| a - b).collect() };
    let (u, u_int) = both(&minus(&speed, &seen));
    let (e, e_int) = both(&minus(&reference, x));
    let (a, a_int) = both(&slope(&seen, t));
    let (s, s_int) = both(&speed);
    let (b, b_int) = both(&acceleration);
    let n = x.len();
    let each = |of: &dyn Fn(usize) -> f64| -> Vec<f64> { (0..n).map(of).collect() };
    let per_kv = each(&|k| u[k] + kx * e[k] + per_s * (u_int[k] + kx * e_int[k]));
    let change = slope(&per_kv, t);
    let gradient = [
        per_kv.clone(),
        each(&|k| kv * (e[k] + per_s * e_int[k])),
        each(&|k| -kv * (b[k] + kx * s[k] + per_s * (b_int[k] + kx * s_int[k]))),
        each(&|k| kv * (a[k] + per_s * a_int[k])),
        each(&|k| -kv * change[k]),
        each(&|k| kv * (u_int[k] + kx * e_int[k])),
    ];
    let mut instruments = Vec::new();
    if with_instruments {
        let fastest = speed.iter().fold(0.0_f64, |m, v| m.max(v.abs()));
        let direction = each(&|k| speed[k] / (speed[k].abs() + 0.02 * fastest + 1e-9));
        let after = lagged(&direction, 0.02 / t);
        let jerk = slope(&acceleration, t);
        let [low, middle, fast] = CORNERS_PER_S.map(|per_s| per_s * t);
        // No more corners of a derivative: they are what the corners of the signal already say.
        for (y, corner) in [
            (&speed, low),
            (&speed, middle),
            (&speed, fast),
            (&acceleration, low),
            (&jerk, low),
            (&direction, low),
            (&direction, middle),
            (&direction, fast),
            (&after, low),
        ] {
            instruments.push(high(&filtered(y), corner));
        }
    }
    Columns {
        model_a: each(&|k| kv * (per_kv[k] - current_s * change[k])),
        gradient,
        measured_a: high(&r.current_a[from..to], corner),
        instruments,
    }
}

/// Runs the filters from the start of the stretch that `range` is in, and gives `each` the columns and the places that count.
fn over(
    r: &AxisRecord<'_>,
    table: &GainTable,
    ranges: &[(usize, usize)],
    theta: [f64; MOST],
    with_instruments: bool,
    mut each: impl FnMut(&Columns, std::ops::Range<usize>),
) {
    let settle = (SETTLE_S / r.period_s) as usize;
    for &(from, to) in ranges {
        let start = from - settle.min(from);
        let columns = columns(r, table, (start, to), theta, with_instruments);
        // Differences at the very end are one-sided.
        let places = from - start..(to - start).saturating_sub(4);
        if !places.is_empty() {
            each(&columns, places);
        }
    }
}

/// Root mean square of what `theta` leaves, and of what there is (A).
fn residual(
    r: &AxisRecord<'_>,
    table: &GainTable,
    ranges: &[(usize, usize)],
    theta: [f64; MOST],
) -> (f64, f64) {
    let (mut left, mut all, mut n) = (0.0, 0.0, 0.0);
    over(r, table, ranges, theta, false, |c, places| {
        for k in places {
            let off = c.measured_a[k] - c.model_a[k];
            left += off * off;
            all += c.measured_a[k] * c.measured_a[k];
            n += 1.0;
        }
    });
    (libm::sqrt(left / n), libm::sqrt(all / n))
}

/// Gauss and Newton over the parameters `free`.
fn descend(
    r: &AxisRecord<'_>,
    table: &GainTable,
    ranges: &[(usize, usize)],
    mut theta: [f64; MOST],
    free: &[usize],
) -> Result<Found, String> {
    let alike = || {
        "the set-points have too few kinds of motion to tell the gains apart: record moves in csp at several speeds, with acceleration, both ways".to_owned()
    };
    let n = free.len();
    let mut found = None;
    for _ in 0..ROUNDS {
        let (mut z, mut a, mut y) = (Vec::new(), Vec::new(), Vec::new());
        over(r, table, ranges, theta, true, |c, places| {
            for k in places {
                z.extend(c.instruments.iter().map(|one| one[k]));
                a.extend(free.iter().map(|f| c.gradient[*f][k]));
                y.push(c.measured_a[k] - c.model_a[k]);
            }
        });
        let projected = projected(&z, &a, n).ok_or_else(alike)?;
        let mut ls = LeastSquares::new(n);
        for (row, y) in projected.chunks_exact(n).zip(&y) {
            ls.push(row, *y);
        }
        let step = ls.solve().ok_or_else(alike)?;
        for (f, d) in free.iter().zip(&step.x) {
            theta[*f] += d;
        }
        if theta.iter().any(|x| !x.is_finite()) {
            return Err(alike());
        }
        // A set-point is followed within the six cycles of `late_s`.
        theta[2] = theta[2].clamp(0.0, 6.0 * r.period_s);
        // A velocity is seen late or in time; a negative lag would be another drive.
        theta[3] = theta[3].clamp(0.0, 10.0 * r.period_s);
        let scores: Vec<f64> = (projected.chunks_exact(n).zip(&y))
            .flat_map(|(row, y)| row.iter().map(move |p| p * y))
            .collect();
        found = Some((scores, step));
    }
    let (scores, step) = found.ok_or_else(alike)?;
    let (covariance, _) = hac::covariance(&scores, n, &step.inverse_normal);
    let (mut errors, mut naive) = ([0.0; MOST], [0.0; MOST]);
    for (place, f) in free.iter().enumerate() {
        errors[*f] = libm::sqrt(covariance[place * n + place].max(0.0));
        naive[*f] = step.standard_error[place];
    }
    Ok(Found {
        theta,
        errors,
        naive,
    })
}

/// What of the rows `a`, `n` columns, follows from the instruments `z`.
fn projected(z: &[f64], a: &[f64], n: usize) -> Option<Vec<f64>> {
    let mut ls = LeastSquares::new(INSTRUMENTS);
    let mut za = vec![0.0; INSTRUMENTS * n];
    for (row, columns) in z.chunks_exact(INSTRUMENTS).zip(a.chunks_exact(n)) {
        ls.push(row, 0.0);
        for (i, zi) in row.iter().enumerate() {
            for (j, aj) in columns.iter().enumerate() {
                za[i * n + j] += zi * aj;
            }
        }
    }
    let inverse = ls.solve()?.inverse_normal;
    let mut weights = vec![0.0; INSTRUMENTS * n];
    for i in 0..INSTRUMENTS {
        for j in 0..n {
            weights[i * n + j] = (0..INSTRUMENTS)
                .map(|k| inverse[i * INSTRUMENTS + k] * za[k * n + j])
                .sum();
        }
    }
    let mut out = Vec::with_capacity(a.len());
    for row in z.chunks_exact(INSTRUMENTS) {
        for j in 0..n {
            out.push(
                row.iter()
                    .enumerate()
                    .map(|(i, z)| z * weights[i * n + j])
                    .sum(),
            );
        }
    }
    Some(out)
}

#[cfg(test)]
#[path = "drive_gains_tests.rs"]
mod tests;
