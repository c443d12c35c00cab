//! Inverse-dynamics least squares of one axis.
use super::hac;
use super::least_squares::{LeastSquares, Solution};
use super::motion::{self, MissingMotion};
use super::regressors::{MARGIN, Rows, average, moving, velocities, whole};
use crate::axis::load::HALF_WIDTH;

/// What was recorded of one axis at the rate of the cycle. All slices of the same length.
#[derive(Clone, Copy, Debug)]
pub struct AxisRecord<'a> {
    /// Period (s).
    pub period_s: f64,
    /// Position (m).
    pub position_m: &'a [f64],
    /// Current, or whatever drives the axis (A).
    pub current_a: &'a [f64],
    /// Target or reference (m).
    pub reference_m: &'a [f64],
    /// Whether a sample may be used: enabled, measured, free of contact.
    pub usable: &'a [bool],
}

/// A parameter and its standard error.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Estimate {
    /// Value.
    pub value: f64,
    /// Standard error, corrected for the autocorrelation of the residuals (Newey and West).
    pub standard_error: f64,
    /// Standard error as if the residuals were white: too small, for comparison.
    pub naive_error: f64,
}

/// Parameters that have a common covariance: inertia, Coulomb, viscous, constant load.
pub const COMMON: usize = 4;

/// What was found for one axis, in currents.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AxisFit {
    /// Moved mass over force constant (A s2/m).
    pub inertia: Estimate,
    /// Coulomb friction (A), the same in both directions: a difference cannot be told from a constant load.
    pub coulomb_a: Estimate,
    /// Viscous friction (A s/m).
    pub viscous: Estimate,
    /// Static minus Coulomb friction (A).
    pub stribeck_a: Estimate,
    /// Stribeck velocity (m/s).
    pub stribeck_velocity_m_per_s: f64,
    /// Its standard error (m/s); none where there is no Stribeck effect, or the recording cannot tell its velocity from the rest.
    pub stribeck_velocity_error_m_per_s: Option<f64>,
    /// Constant load (A).
    pub gravity_a: Estimate,
    /// Delay of the current against the position (s); below 0 where a sampled drive reports what it will hold.
    pub current_delay_s: f64,
    /// Its standard error (s); none where the recording cannot tell it from the rest.
    pub current_delay_error_s: Option<f64>,
    /// Half width of the windows that the balance was averaged over (s): wider where the position is too coarse to tell accelerations.
    pub half_width_s: f64,
    /// Lag that `current_load` needs for accelerations that are more than noise (s); 0: the usual one will do.
    pub load_lag_s: f64,
    /// Residual (A, root mean square, averaged over the window).
    pub residual_rms_a: f64,
    /// Rows that were used.
    pub rows: u64,
    /// Covariance of inertia, Coulomb, viscous and constant load, corrected for autocorrelation.
    pub covariance: [[f64; COMMON]; COMMON],
    /// Bandwidth of that correction (s).
    pub bandwidth_s: f64,
    /// How far each of the four is blurred by the others: variance inflation factors, 1 where they are independent.
    pub inflation: [f64; COMMON],
    /// What is poorly identified, and which motion would help.
    pub warnings: Vec<String>,
}

/// Measured and explained current around one sample, both averaged over the window.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Explained {
    /// Number of the sample.
    pub sample: usize,
    /// Measured (A).
    pub measured_a: f64,
    /// Explained by motion and parameters (A).
    pub predicted_a: f64,
    /// Velocity (m/s).
    pub velocity_m_per_s: f64,
    /// Acceleration (m/s2).
    pub acceleration_m_per_s2: f64,
}

/// Standard errors that a Stribeck effect must stand out by.
const SIGNIFICANT: f64 = 3.0;
/// Step of the search over the delay (samples), and what its slope is taken over.
const DELAY_STEP: f64 = 0.05;
/// Stribeck velocities that are tried, at a fastest speed of 0.5 m/s (m/s): each about twice the one before.
const STRIBECK: [f64; 5] = [0.003, 0.006, 0.012, 0.025, 0.05];
/// Change of the Stribeck velocity that its slope is taken over (relative).
const STRIBECK_STEP: f64 = 0.05;

/// Fits one axis.
///
/// # Errors
/// Which motion is missing in the recording.
pub fn fit_axis(r: &AxisRecord<'_>) -> Result<AxisFit, MissingMotion> {
    let v = velocities(r);
    let clean = |k: usize| r.usable[k - 1..=k + 1].iter().all(|u| *u);
    let inner = 1..v.len().saturating_sub(1);
    let fastest = inner
        .filter(|k| clean(*k))
        .fold(0.0_f64, |m, k| m.max(v[k].abs()));
    let rows = moving(r, &v, fastest);
    if let Some(missing) = motion::missing(r, &v, &rows.samples, fastest) {
        return Err(missing);
    }
    // Neighbouring windows overlap: only one row in two half widths is new evidence. Wider windows lie further apart.
    let correlated = libm::sqrt(2.0 * HALF_WIDTH as f64);
    // A search over the delay and a few Stribeck velocities, scaled to the speed of the axis. Where friction does not fall
    // with speed there is no Stribeck effect to be seen, and the term is left out.
    let mut best: Option<(f64, f64, Solution)> = None;
    for vs in STRIBECK {
        let vs = vs * fastest / 0.5;
        for step in -20..=39 {
            let delay = f64::from(step) * DELAY_STEP;
            // What does not stand out of its error, or exceeds the Coulomb friction itself, is a fit to noise.
            let (with, without) = solve(r, &v, &rows, vs, delay);
            let with = with.filter(|s| {
                s.x[1] > 0.0
                    && s.x[4] < s.x[1]
                    && s.x[4] > SIGNIFICANT * correlated * s.standard_error[4]
            });
            let Some(s) = with.or(without) else {
                continue;
            };
            if best
                .as_ref()
                .is_none_or(|(_, _, b)| s.residual_rms < b.residual_rms)
            {
                best = Some((vs, delay, s));
            }
        }
    }
    let Some((vs, delay, s)) = best else {
        return Err(MissingMotion::Variety);
    };
    if s.x[0] <= 0.0 {
        return Err(MissingMotion::Inertia);
    }
    let mut fit = estimates(r, &v, &rows, (vs, delay), &s);
    fit.warnings = motion::uncertain(&fit, fastest);
    if rows.half_width > HALF_WIDTH {
        fit.warnings.push(format!(
            "the position is too coarse to tell accelerations over {:.3} ms to both sides: the balance was averaged over {:.3} ms",
            1e3 * HALF_WIDTH as f64 * r.period_s,
            1e3 * fit.half_width_s,
        ));
    }
    Ok(fit)
}

/// Solves with and without the Stribeck term in one pass over the rows.
fn solve(
    r: &AxisRecord<'_>,
    v: &[f64],
    rows: &Rows,
    vs: f64,
    delay: f64,
) -> (Option<Solution>, Option<Solution>) {
    let mut with = LeastSquares::new(COMMON + 1);
    let mut without = LeastSquares::new(COMMON);
    for k in &rows.samples {
        let row = average(r, v, (*k, rows.half_width), (vs, delay));
        let columns = row.columns();
        with.push(&columns, row.current);
        without.push(&columns[..COMMON], row.current);
    }
    (with.solve(), without.solve())
}

/// Standard errors, covariance and inflation of a solution.
fn estimates(
    r: &AxisRecord<'_>,
    v: &[f64],
    rows: &Rows,
    (vs, delay): (f64, f64),
    s: &Solution,
) -> AxisFit {
    let n = s.x.len();
    let mut scores = Vec::with_capacity(rows.samples.len() * n);
    let mut square = vec![0.0; n];
    for k in &rows.samples {
        let row = average(r, v, (*k, rows.half_width), (vs, delay));
        let columns = &row.columns()[..n];
        let explained: f64 = columns.iter().zip(&s.x).map(|(a, x)| a * x).sum();
        let residual = row.current - explained;
        for (c, a) in columns.iter().enumerate() {
            square[c] += a * a;
            scores.push(a * residual);
        }
    }
    let (covariance, bandwidth) = hac::covariance(&scores, n, &s.inverse_normal);
    let get = |c: usize| Estimate {
        value: s.x.get(c).copied().unwrap_or(0.0),
        standard_error: if c < n {
            libm::sqrt(covariance[c * n + c])
        } else {
            0.0
        },
        naive_error: s.standard_error.get(c).copied().unwrap_or(0.0),
    };
    let mut common = [[0.0; COMMON]; COMMON];
    let mut inflation = [0.0; COMMON];
    for (i, line) in common.iter_mut().enumerate() {
        line.copy_from_slice(&covariance[i * n..i * n + COMMON]);
        inflation[i] = square[i] * s.inverse_normal[i * n + i];
    }
    let (delay_error, velocity_error) = searched(r, v, rows, (vs, delay), s);
    let step = rows
        .samples
        .windows(2)
        .map(|w| w[1] - w[0])
        .min()
        .unwrap_or(1);
    AxisFit {
        inertia: get(0),
        coulomb_a: get(1),
        viscous: get(2),
        stribeck_a: get(4),
        stribeck_velocity_m_per_s: vs,
        stribeck_velocity_error_m_per_s: velocity_error,
        gravity_a: get(3),
        current_delay_s: delay * r.period_s,
        current_delay_error_s: delay_error.map(|error| error * r.period_s),
        half_width_s: rows.half_width as f64 * r.period_s,
        load_lag_s: rows.lag as f64 * r.period_s,
        residual_rms_a: s.residual_rms,
        rows: s.rows,
        covariance: common,
        bandwidth_s: (bandwidth * step) as f64 * r.period_s,
        inflation,
        warnings: Vec::new(),
    }
}

/// Standard errors of what was searched for: of the delay (samples) and of the Stribeck velocity (m/s).
///
/// Near the solution both are linear: with `i(d) = a(vs) x + e` a delay that is off by dd leaves `-i' dd`, a velocity `(a' x) dvs`. As two more
/// columns beside those of the solution they have its kind of standard error; the step of the search, a uniform distribution, is added.
fn searched(
    r: &AxisRecord<'_>,
    v: &[f64],
    rows: &Rows,
    (vs, delay): (f64, f64),
    s: &Solution,
) -> (Option<f64>, Option<f64>) {
    let n = s.x.len();
    let rounds = n > COMMON;
    let all = n + 1 + usize::from(rounds);
    let explained = |columns: &[f64]| -> f64 { columns.iter().zip(&s.x).map(|(a, x)| a * x).sum() };
    let row = |k: &usize| {
        let of = |vs: f64, delay: f64| average(r, v, (*k, rows.half_width), (vs, delay));
        let here = of(vs, delay);
        let mut columns = here.columns()[..n].to_vec();
        let residual = here.current - explained(&columns);
        // What is explained changes from sample to sample as the current would without its noise, which is no sign of a delay.
        let beside = |k: usize| {
            let row = average(r, v, (k, rows.half_width), (vs, delay));
            explained(&row.columns()[..n])
        };
        let inside = *k > rows.half_width && k + rows.half_width + 4 < r.position_m.len();
        columns.push(if inside {
            0.5 * (beside(k - 1) - beside(k + 1))
        } else {
            0.0
        });
        if rounds {
            let step = STRIBECK_STEP * vs;
            let (less, more) = (of(vs - step, delay), of(vs + step, delay));
            let rise = explained(&more.columns()[..n]) - explained(&less.columns()[..n]);
            columns.push(rise / (2.0 * step));
        }
        (columns, residual)
    };
    let mut ls = LeastSquares::new(all);
    let mut scores = Vec::with_capacity(rows.samples.len() * all);
    for k in &rows.samples {
        let (columns, residual) = row(k);
        ls.push(&columns, residual);
        scores.extend(columns.iter().map(|a| a * residual));
    }
    let Some(solved) = ls.solve() else {
        return (None, None);
    };
    let (covariance, _) = hac::covariance(&scores, all, &solved.inverse_normal);
    let error = |c: usize, step: f64| {
        let variance = covariance[c * all + c] + step * step / 12.0;
        variance.is_finite().then(|| libm::sqrt(variance))
    };
    let velocity = rounds.then(|| error(n + 1, 0.75 * vs)).flatten();
    (error(n, DELAY_STEP), velocity)
}

/// What the fit explains of every usable sample, standstill included.
pub fn explain(r: &AxisRecord<'_>, fit: &AxisFit) -> Vec<Explained> {
    let v = velocities(r);
    let (vs, delay) = (
        fit.stribeck_velocity_m_per_s,
        fit.current_delay_s / r.period_s,
    );
    let x = [
        fit.inertia,
        fit.coulomb_a,
        fit.viscous,
        fit.gravity_a,
        fit.stribeck_a,
    ];
    (MARGIN..r.position_m.len().saturating_sub(MARGIN))
        .filter(|k| whole(r, *k, HALF_WIDTH))
        .map(|k| {
            let row = average(r, &v, (k, HALF_WIDTH), (vs, delay));
            Explained {
                sample: k,
                measured_a: row.current,
                predicted_a: (row.columns().iter().zip(&x))
                    .map(|(a, x)| a * x.value)
                    .sum(),
                velocity_m_per_s: row.velocity,
                acceleration_m_per_s2: row.acceleration,
            }
        })
        .collect()
}

#[cfg(test)]
#[path = "axis_tests.rs"]
mod tests;
