//! Inverse-dynamics least squares of one axis.
#![allow(
    clippy::needless_range_loop,
    reason = "one sample index runs over several records"
)]

use super::least_squares::{LeastSquares, Solution};
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
    /// Standard error; residuals are averaged over the window and correlated, so rows are counted once per window.
    pub standard_error: f64,
}

/// What was found for one axis, in currents.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
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
    /// Constant load (A).
    pub gravity_a: Estimate,
    /// Delay of the current against the position (s); below 0 where a sampled drive reports what it will hold.
    pub current_delay_s: f64,
    /// Residual (A, root mean square, averaged over the window).
    pub residual_rms_a: f64,
    /// Rows that were used.
    pub rows: u64,
}

/// Rows beyond which a fit does not get better.
const MOST_ROWS: usize = 20_000;

/// Share of the largest velocity below which a sample is left out: bristles, not surfaces, make the friction there.
const SLOW: f64 = 0.02;
/// Standard errors that a Stribeck effect must stand out by.
const SIGNIFICANT: f64 = 3.0;

/// Kernel-averaged regressors at one sample.
struct Row {
    acceleration: f64,
    direction: f64,
    velocity: f64,
    stribeck: f64,
    current: f64,
}

/// Fits one axis.
///
/// # Errors
/// In words, which motion is missing in the recording.
pub fn fit_axis(r: &AxisRecord<'_>) -> Result<AxisFit, &'static str> {
    let v = velocities(r);
    let clean = |k: usize| r.usable[k - 1..=k + 1].iter().all(|u| *u);
    let inner = 1..v.len().saturating_sub(1);
    let fastest = inner
        .filter(|k| clean(*k))
        .fold(0.0_f64, |m, k| m.max(v[k].abs()));
    if fastest <= 0.0 {
        return Err("the axis does not move in the recording");
    }
    // Neighbouring windows overlap: only one row in two half widths is new evidence.
    let correlated = libm::sqrt(2.0 * HALF_WIDTH as f64);
    // A search over the delay and a few Stribeck velocities, scaled to the speed of the axis. Where friction does not fall
    // with speed there is no Stribeck effect to be seen, and the term is left out.
    let mut best: Option<(f64, f64, Solution)> = None;
    for vs in [0.003, 0.006, 0.012, 0.025, 0.05] {
        let vs = vs * fastest / 0.5;
        for step in -20..=39 {
            let delay = f64::from(step) * 0.05;
            // What does not stand out of its error, or exceeds the Coulomb friction itself, is a fit to noise.
            let with = solve(r, &v, vs, delay, fastest, true).filter(|s| {
                s.x[1] > 0.0
                    && s.x[4] < s.x[1]
                    && s.x[4] > SIGNIFICANT * correlated * s.standard_error[4]
            });
            let Some(s) = with.or_else(|| solve(r, &v, vs, delay, fastest, false)) else {
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
        return Err(
            "inertia, friction and load cannot be told apart: the recording needs moves in both directions, with constant speed and with acceleration",
        );
    };
    let get = |n: usize| {
        let value = s.x.get(n).copied().unwrap_or(0.0);
        Estimate {
            value,
            standard_error: correlated * s.standard_error.get(n).copied().unwrap_or(0.0),
        }
    };
    if get(0).value <= 0.0 {
        return Err(
            "the fitted inertia is not positive: check the sign of the current against the position",
        );
    }
    Ok(AxisFit {
        inertia: get(0),
        coulomb_a: get(1),
        viscous: get(2),
        stribeck_a: get(4),
        stribeck_velocity_m_per_s: vs,
        gravity_a: get(3),
        current_delay_s: delay * r.period_s,
        residual_rms_a: s.residual_rms,
        rows: s.rows,
    })
}

fn velocities(r: &AxisRecord<'_>) -> Vec<f64> {
    let x = r.position_m;
    let mut v = vec![0.0; x.len()];
    for k in 1..x.len().saturating_sub(1) {
        v[k] = (x[k + 1] - x[k - 1]) * (0.5 / r.period_s);
    }
    v
}

fn solve(
    r: &AxisRecord<'_>,
    v: &[f64],
    vs: f64,
    delay: f64,
    fastest: f64,
    stribeck: bool,
) -> Option<Solution> {
    let mut ls = LeastSquares::new(if stribeck { 5 } else { 4 });
    let margin = HALF_WIDTH + 3;
    let n = r.position_m.len();
    // Neighbouring windows overlap; beyond some ten thousand of them nothing is gained.
    for k in (margin..n.saturating_sub(margin)).step_by((n / MOST_ROWS).max(2)) {
        if !r.usable[k - margin..=k + margin].iter().all(|u| *u) || v[k].abs() < SLOW * fastest {
            continue;
        }
        let row = average(r, v, k, vs, delay);
        if stribeck {
            ls.push(
                &[
                    row.acceleration,
                    row.direction,
                    row.velocity,
                    1.0,
                    row.stribeck,
                ],
                row.current,
            );
        } else {
            ls.push(
                &[row.acceleration, row.direction, row.velocity, 1.0],
                row.current,
            );
        }
    }
    ls.solve()
}

/// Averages everything around sample `k` with the triangle.
fn average(r: &AxisRecord<'_>, v: &[f64], k: usize, vs: f64, delay: f64) -> Row {
    let h = HALF_WIDTH;
    let (x, span) = (r.position_m, h as f64 * r.period_s);
    let mut row = Row {
        acceleration: (x[k + h] - 2.0 * x[k] + x[k - h]) / (span * span),
        direction: 0.0,
        velocity: 0.0,
        stribeck: 0.0,
        current: 0.0,
    };
    let whole = libm::floor(delay) as isize;
    let share = delay - libm::floor(delay);
    for j in k + 1 - h..k + h {
        let distance = j.abs_diff(k);
        let w = (h - distance) as f64 / (h * h) as f64;
        let direction = (v[j] * 100.0 / vs).clamp(-1.0, 1.0);
        row.direction += w * direction;
        row.velocity += w * v[j];
        row.stribeck += w * direction / (1.0 + v[j] * v[j] / (vs * vs));
        // `j` is a window away from both ends and the delay at most two samples.
        let at = j.saturating_add_signed(whole);
        let i = r.current_a[at];
        row.current += w * (i + share * (r.current_a[at + 1] - i));
    }
    row
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A closed form motion with known parameters.
    fn record(delay: f64) -> (Vec<f64>, Vec<f64>) {
        let (t, w) = (0.001, 6.0);
        let current = |time: f64| {
            let v = 0.1 * w * libm::cos(w * time) + 0.04 * 2.3 * w * libm::cos(2.3 * w * time);
            let a = -0.1 * w * w * libm::sin(w * time)
                - 0.04 * 5.29 * w * w * libm::sin(2.3 * w * time);
            let dry = if v > 0.0 { 0.8 } else { -0.7 };
            0.3 * a + dry + 0.5 * v + 1.1
        };
        let x = (0..8000)
            .map(|k| {
                0.1 * libm::sin(w * t * f64::from(k)) + 0.04 * libm::sin(2.3 * w * t * f64::from(k))
            })
            .collect();
        let i = (0..8000)
            .map(|k| current(t * (f64::from(k) - delay)))
            .collect();
        (x, i)
    }

    #[test]
    fn parameters_and_delay_come_back() {
        for delay in [0.0, 0.6, 1.4] {
            let (x, i) = record(delay);
            let usable = vec![true; x.len()];
            let r = AxisRecord {
                period_s: 0.001,
                position_m: &x,
                current_a: &i,
                reference_m: &x,
                usable: &usable,
            };
            let fit = fit_axis(&r).expect("well posed");
            assert!((fit.inertia.value - 0.3).abs() < 0.003, "{fit:?}");
            // 0.8 and 0.7 in the two directions: a Coulomb friction of 0.75 and 0.05 more load.
            assert!((fit.coulomb_a.value - 0.75).abs() < 0.02, "{fit:?}");
            assert!((fit.gravity_a.value - 1.15).abs() < 0.02, "{fit:?}");
            assert!(
                (fit.current_delay_s - delay * 0.001).abs() < 1.1e-4,
                "{fit:?}"
            );
        }
    }

    #[test]
    fn what_is_missing_is_said() {
        let still = vec![0.5; 500];
        let usable = vec![true; 500];
        let r = AxisRecord {
            period_s: 0.001,
            position_m: &still,
            current_a: &still,
            reference_m: &still,
            usable: &usable,
        };
        assert_eq!(fit_axis(&r), Err("the axis does not move in the recording"));
    }
}
