//! The drive cascade by least squares, for a drive whose gains nobody knows. A drive that closes its loops once a cycle uses
//! the backward difference for its velocity; the better of the two is taken.
//!
//! `i = kv kx (r - x) - kv v (+ kv kff r')`: linear in (kv kx), kv and (kv kff). The dead time is found by search.

use super::axis::AxisRecord;
use super::hac;
use super::least_squares::{LeastSquares, Solution};

/// A fitted cascade.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct CascadeFit {
    /// Position gain (1/s).
    pub position_gain_per_s: f64,
    /// Velocity gain (A s/m).
    pub velocity_gain: f64,
    /// Velocity feed-forward (1).
    pub velocity_feedforward: f64,
    /// Dead time of the reference (cycles).
    pub dead_cycles: f64,
    /// The loops are closed once a cycle.
    pub sampled: bool,
    /// Residual (A, root mean square).
    pub residual_rms_a: f64,
    /// Standard errors of the two gains and the feed-forward, in their units, corrected for autocorrelation.
    pub standard_errors: [f64; 3],
    /// Standard error of the dead time (cycles), the step of its search included; none beside a feed-forward, which moves with it.
    pub dead_error_cycles: Option<f64>,
}

/// Fits the cascade; none where the recording shows no such drive.
pub fn fit_cascade(r: &AxisRecord<'_>, limit_a: f64) -> Option<CascadeFit> {
    let mut best: Option<CascadeFit> = None;
    for (feedforward, sampled) in [(false, false), (false, true), (true, false), (true, true)] {
        for dead in 0..=3_usize {
            let Some(fit) = fit_with(r, limit_a, dead, feedforward, sampled) else {
                continue;
            };
            // A further parameter must earn its place.
            let needed = |b: &CascadeFit| {
                if feedforward && b.velocity_feedforward == 0.0 {
                    0.5
                } else {
                    1.0
                }
            };
            if best.is_none_or(|b| fit.residual_rms_a < needed(&b) * b.residual_rms_a) {
                best = Some(fit);
            }
        }
    }
    best.map(|fit| with_errors(r, limit_a, fit))
}

/// Columns of one equation: error of the position, velocity, and slope of the reference.
fn columns(r: &AxisRecord<'_>, k: usize, dead: usize, sampled: bool) -> [f64; 3] {
    let v = if sampled {
        (r.position_m[k] - r.position_m[k - 1]) / r.period_s
    } else {
        (r.position_m[k + 1] - r.position_m[k - 1]) * (0.5 / r.period_s)
    };
    let reference = r.reference_m[k - dead];
    let slope = (reference - r.reference_m[k - dead - 1]) / r.period_s;
    [reference - r.position_m[k], -v, slope]
}

/// Samples that tell something: measured, and not at the limit.
fn rows(r: &AxisRecord<'_>, limit_a: f64, dead: usize) -> impl Iterator<Item = usize> {
    let last = r.position_m.len().saturating_sub(2);
    (dead + 2..last).filter(move |k| r.usable[*k] && r.current_a[*k].abs() <= 0.98 * limit_a)
}

/// Adds the standard errors: those of the linear parameters, carried over to the gains by their derivatives.
fn with_errors(r: &AxisRecord<'_>, limit_a: f64, mut fit: CascadeFit) -> CascadeFit {
    // Dead times are whole cycles, 0 to 3.
    let dead = fit.dead_cycles as usize;
    let n = if fit.velocity_feedforward == 0.0 {
        2
    } else {
        3
    };
    let Some(s) = solve(r, limit_a, dead, n, fit.sampled) else {
        return fit;
    };
    let mut scores = Vec::new();
    for k in rows(r, limit_a, dead) {
        let columns = columns(r, k, dead, fit.sampled);
        let explained: f64 = columns.iter().zip(&s.x).map(|(a, x)| a * x).sum();
        let residual = r.current_a[k] - explained;
        scores.extend(columns[..n].iter().map(|a| a * residual));
    }
    let (c, _) = hac::covariance(&scores, n, &s.inverse_normal);
    let kv = s.x[1];
    // Of a quotient x[j] / kv.
    let quotient = |j: usize| {
        let q = s.x[j] / kv;
        libm::sqrt((c[j * n + j] - 2.0 * q * c[j * n + 1] + q * q * c[n + 1]).max(0.0)) / kv
    };
    fit.standard_errors = [
        quotient(0),
        libm::sqrt(c[n + 1]),
        if n > 2 { quotient(2) } else { 0.0 },
    ];
    fit.dead_error_cycles = dead_error(r, limit_a, dead, n, &fit, &s);
    fit
}

/// Standard error of the dead time (cycles): as one more column it is what the reference moves by in a cycle. The search takes whole cycles.
fn dead_error(
    r: &AxisRecord<'_>,
    limit_a: f64,
    dead: usize,
    n: usize,
    fit: &CascadeFit,
    s: &Solution,
) -> Option<f64> {
    if n > 2 {
        return None;
    }
    let row = |k: usize| {
        let [error, velocity, slope] = columns(r, k, dead, fit.sampled);
        let moved = -s.x[0] * slope * r.period_s;
        let residual = r.current_a[k] - s.x[0] * error - s.x[1] * velocity;
        ([error, velocity, moved], residual)
    };
    let mut ls = LeastSquares::new(3);
    let mut scores = Vec::new();
    for k in rows(r, limit_a, dead) {
        let (columns, residual) = row(k);
        ls.push(&columns, residual);
        scores.extend(columns.map(|a| a * residual));
    }
    let (c, _) = hac::covariance(&scores, 3, &ls.solve()?.inverse_normal);
    Some(libm::sqrt(c[8] + 1.0 / 12.0))
}

fn solve(
    r: &AxisRecord<'_>,
    limit_a: f64,
    dead: usize,
    n: usize,
    sampled: bool,
) -> Option<Solution> {
    let mut ls = LeastSquares::new(n);
    for k in rows(r, limit_a, dead) {
        ls.push(&columns(r, k, dead, sampled)[..n], r.current_a[k]);
    }
    ls.solve()
}

fn fit_with(
    r: &AxisRecord<'_>,
    limit_a: f64,
    dead: usize,
    feedforward: bool,
    sampled: bool,
) -> Option<CascadeFit> {
    let s = solve(r, limit_a, dead, if feedforward { 3 } else { 2 }, sampled)?;
    let (stiffness, kv) = (s.x[0], s.x[1]);
    if stiffness <= 0.0 || kv <= 0.0 {
        return None;
    }
    Some(CascadeFit {
        position_gain_per_s: stiffness / kv,
        velocity_gain: kv,
        velocity_feedforward: s.x.get(2).map_or(0.0, |f| f / kv),
        dead_cycles: dead as f64,
        sampled,
        residual_rms_a: s.residual_rms,
        standard_errors: [0.0; 3],
        dead_error_cycles: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_known_cascade_comes_back() {
        // A motion of several tones: one tone alone fits any dead time.
        let tone = |t: f64| {
            0.1 * libm::sin(0.01 * t) + 0.02 * libm::sin(0.037 * t) + 0.005 * libm::sin(0.11 * t)
        };
        let times: Vec<f64> = (0..4000).map(f64::from).collect();
        let r: Vec<f64> = times.iter().map(|t| tone(*t)).collect();
        let x: Vec<f64> = times.iter().map(|t| tone(t - 6.0)).collect();
        let velocity = |k: f64| (tone(k - 5.0) - tone(k - 7.0)) / 0.002;
        let i: Vec<f64> = times
            .iter()
            .map(|t| 90.0 * (150.0 * (tone(t - 2.0) - tone(t - 6.0)) - velocity(*t)))
            .collect();
        let usable = vec![true; 4000];
        let record = AxisRecord {
            period_s: 0.001,
            position_m: &x,
            current_a: &i,
            reference_m: &r,
            usable: &usable,
        };
        let fit = fit_cascade(&record, 1e9).expect("well posed");
        assert_eq!(fit.dead_cycles, 2.0);
        // A motion without noise: what is left is the step of the search.
        let error = fit.dead_error_cycles.expect("told from the gains");
        assert!((0.28..0.4).contains(&error), "{fit:?}");
        assert!((fit.velocity_gain / 90.0 - 1.0).abs() < 0.02, "{fit:?}");
        assert!(
            (fit.position_gain_per_s / 150.0 - 1.0).abs() < 0.02,
            "{fit:?}"
        );
    }
}
