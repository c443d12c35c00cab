//! Inverse-dynamics least squares of one axis.
use super::hac;
use super::least_squares::{LeastSquares, Solution};
use super::motion::{self, MissingMotion};
use super::regressors::{MARGIN, Row, Rows, average, moving, velocities, whole};
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
    /// Standard error, corrected for the autocorrelation of the residuals (Newey and West); of several recordings see
    /// [`super::errors_between`].
    pub standard_error: f64,
    /// Standard error as if the residuals were white: too small, for comparison.
    pub naive_error: f64,
}

/// Parameters that have a common covariance: inertia, Coulomb, viscous, constant load. Where the load is known: inertia, Coulomb in positive
/// direction, viscous, Coulomb in negative direction.
pub const COMMON: usize = 4;

/// What was found for one axis, in currents.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AxisFit {
    /// Moved mass over force constant (A s2/m).
    pub inertia: Estimate,
    /// Coulomb friction (A), the same in both directions: a difference cannot be told from a constant load. Where that is known, the one in
    /// positive direction.
    pub coulomb_a: Estimate,
    /// Coulomb friction in negative direction (A, a positive number); none where the load was sought.
    pub coulomb_negative_a: Option<Estimate>,
    /// Where the load is known, and the axis moves in one direction alone: which. The other one has the same friction then, and it is no finding.
    pub one_way: Option<bool>,
    /// Viscous friction (A s/m).
    pub viscous: Estimate,
    /// Static minus Coulomb friction (A).
    pub stribeck_a: Estimate,
    /// Stribeck velocity (m/s).
    pub stribeck_velocity_m_per_s: f64,
    /// Its standard error (m/s); none where there is no Stribeck effect, or the recording cannot tell its velocity from the rest.
    pub stribeck_velocity_error_m_per_s: Option<f64>,
    /// Constant load (A); without an error where it was known.
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
    /// Covariance of [`Self::common`], corrected for autocorrelation.
    pub covariance: [[f64; COMMON]; COMMON],
    /// Bandwidth of that correction (s).
    pub bandwidth_s: f64,
    /// How far each of the four is blurred by the others: variance inflation factors, 1 where they are independent.
    pub inflation: [f64; COMMON],
    /// What is poorly identified, and which motion would help.
    pub warnings: Vec<String>,
}

impl AxisFit {
    /// The parameters that have a common covariance, in its order.
    pub fn common(&self) -> [Estimate; COMMON] {
        [
            self.inertia,
            self.coulomb_a,
            self.viscous,
            self.coulomb_negative_a.unwrap_or(self.gravity_a),
        ]
    }

    /// Standard errors of [`Self::common`] are at least these. Their covariance stays what it is within recordings.
    pub fn widen(&mut self, errors: [f64; COMMON]) {
        let last = match &mut self.coulomb_negative_a {
            Some(negative_a) => negative_a,
            None => &mut self.gravity_a,
        };
        let all = [
            &mut self.inertia,
            &mut self.coulomb_a,
            &mut self.viscous,
            last,
        ];
        for (estimate, error) in all.into_iter().zip(errors) {
            estimate.standard_error = estimate.standard_error.max(error);
        }
    }

    /// The constant load (A), where it was known before the fit.
    pub fn known_a(&self) -> Option<f64> {
        self.coulomb_negative_a.map(|_| self.gravity_a.value)
    }
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
/// Weight of the row that makes both directions alike where one of them was not moved, in rows: far more than its stray ones have.
const ALIKE: f64 = 1e3;

/// What is known of the constant load before a fit.
#[derive(Clone, Copy, Debug)]
struct Load {
    /// The load (A); none: it is sought, and one Coulomb friction for both directions beside it.
    known_a: Option<f64>,
    /// The direction that alone is moved in, where the load is known.
    one_way: Option<bool>,
}

/// Fits one axis.
///
/// # Errors
/// Which motion is missing in the recording.
pub fn fit_axis(r: &AxisRecord<'_>) -> Result<AxisFit, MissingMotion> {
    fit(r, None)
}

/// Fits one axis whose constant load is known (A, positive pulls towards smaller positions): a Coulomb friction for each direction.
///
/// Movement in one direction is enough here. The friction of the other is then said to be the same ([`AxisFit::one_way`]).
///
/// # Errors
/// Which motion is missing in the recording.
pub fn fit_axis_under(r: &AxisRecord<'_>, gravity_a: f64) -> Result<AxisFit, MissingMotion> {
    fit(r, Some(gravity_a))
}

fn fit(r: &AxisRecord<'_>, known_a: Option<f64>) -> Result<AxisFit, MissingMotion> {
    let v = velocities(r);
    let fastest = fastest(r, &v);
    let rows = moving(r, &v, fastest);
    if let Some(missing) = motion::missing(r, &v, &rows.samples, fastest, known_a.is_some()) {
        return Err(missing);
    }
    let one_way = known_a.and_then(|_| motion::one_way(&v, &rows.samples, fastest));
    let load = Load { known_a, one_way };
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
            let (with, without) = solve(r, &v, &rows, (vs, delay), load);
            let with = with.filter(|s| {
                let coulomb_a = load.known_a.map_or(s.x[1], |_| s.x[1].min(s.x[3]));
                coulomb_a > 0.0
                    && s.x[4] < coulomb_a
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
    let mut fit = estimates(r, &v, &rows, (vs, delay), &s, load);
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

/// The highest velocity of usable samples (m/s).
pub(super) fn fastest(r: &AxisRecord<'_>, v: &[f64]) -> f64 {
    let clean = |k: usize| r.usable[k - 1..=k + 1].iter().all(|u| *u);
    let inner = 1..v.len().saturating_sub(1);
    inner
        .filter(|k| clean(*k))
        .fold(0.0_f64, |m, k| m.max(v[k].abs()))
}

/// Solves with and without the Stribeck term in one pass over the rows.
fn solve(
    r: &AxisRecord<'_>,
    v: &[f64],
    rows: &Rows,
    (vs, delay): (f64, f64),
    load: Load,
) -> (Option<Solution>, Option<Solution>) {
    let mut with = LeastSquares::new(COMMON + 1);
    let mut without = LeastSquares::new(COMMON);
    for k in &rows.samples {
        let row = average(r, v, (*k, rows.half_width), (vs, delay));
        let columns = row.columns(load.known_a);
        let current = row.driven(load.known_a);
        with.push(&columns, current);
        without.push(&columns[..COMMON], current);
    }
    if load.one_way.is_some() {
        with.push(&alike(rows, COMMON + 1), 0.0);
        without.push(&alike(rows, COMMON), 0.0);
    }
    (with.solve(), without.solve())
}

/// A row of `n` columns which says that friction is the same in both directions: where one was not moved nothing else says anything of it.
fn alike(rows: &Rows, n: usize) -> Vec<f64> {
    let weight = libm::sqrt(ALIKE * rows.samples.len() as f64);
    let mut row = vec![0.0; n];
    (row[1], row[3]) = (weight, -weight);
    row
}

/// Standard errors, covariance and inflation of a solution.
fn estimates(
    r: &AxisRecord<'_>,
    v: &[f64],
    rows: &Rows,
    (vs, delay): (f64, f64),
    s: &Solution,
    load: Load,
) -> AxisFit {
    let n = s.x.len();
    let mut scores = Vec::with_capacity(rows.samples.len() * n);
    let mut square = vec![0.0; n];
    for k in &rows.samples {
        let row = average(r, v, (*k, rows.half_width), (vs, delay));
        let columns = &row.columns(load.known_a)[..n];
        let explained: f64 = columns.iter().zip(&s.x).map(|(a, x)| a * x).sum();
        let residual = row.driven(load.known_a) - explained;
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
    let (delay_error, velocity_error) = searched(r, v, rows, (vs, delay), s, load);
    let step = rows
        .samples
        .windows(2)
        .map(|w| w[1] - w[0])
        .min()
        .unwrap_or(1);
    AxisFit {
        inertia: get(0),
        coulomb_a: get(1),
        coulomb_negative_a: load.known_a.map(|_| get(3)),
        one_way: load.one_way,
        viscous: get(2),
        stribeck_a: get(4),
        stribeck_velocity_m_per_s: vs,
        stribeck_velocity_error_m_per_s: velocity_error,
        gravity_a: load.known_a.map_or_else(
            || get(3),
            |value| Estimate {
                value,
                ..Estimate::default()
            },
        ),
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
    load: Load,
) -> (Option<f64>, Option<f64>) {
    let n = s.x.len();
    let rounds = n > COMMON;
    let all = n + 1 + usize::from(rounds);
    let explained = |columns: &[f64]| -> f64 { columns.iter().zip(&s.x).map(|(a, x)| a * x).sum() };
    let row = |k: &usize| {
        let of = |vs: f64, delay: f64| average(r, v, (*k, rows.half_width), (vs, delay));
        let here = of(vs, delay);
        let mut columns = here.columns(load.known_a)[..n].to_vec();
        let residual = here.driven(load.known_a) - explained(&columns);
        // What is explained changes from sample to sample as the current would without its noise, which is no sign of a delay.
        let beside = |k: usize| {
            let row = average(r, v, (k, rows.half_width), (vs, delay));
            explained(&row.columns(load.known_a)[..n])
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
            let of = |row: &Row| explained(&row.columns(load.known_a)[..n]);
            let rise = of(&more) - of(&less);
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
    if load.one_way.is_some() {
        ls.push(&alike(rows, all), 0.0);
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
    let [inertia, coulomb, viscous, other] = fit.common();
    let x = [inertia, coulomb, viscous, other, fit.stribeck_a];
    let known_a = fit.known_a();
    (MARGIN..r.position_m.len().saturating_sub(MARGIN))
        .filter(|k| whole(r, *k, HALF_WIDTH))
        .map(|k| {
            let row = average(r, &v, (k, HALF_WIDTH), (vs, delay));
            Explained {
                sample: k,
                measured_a: row.current,
                predicted_a: (row.columns(known_a).iter().zip(&x))
                    .map(|(a, x)| a * x.value)
                    .sum::<f64>()
                    + known_a.unwrap_or(0.0),
                velocity_m_per_s: row.velocity,
                acceleration_m_per_s2: row.acceleration,
            }
        })
        .collect()
}

#[cfg(test)]
#[path = "axis_tests.rs"]
mod tests;
