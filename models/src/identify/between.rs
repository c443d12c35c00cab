//! Standard errors where recordings differ.
//!
//! # Derivation
//! Friction and the zero of a current sensor shift from one recording to the next. Within a recording such a shift is constant, and no
//! correction for autocorrelation sees it: it is one error for the whole recording, and with a motion that is not quite the same in all of
//! them it draws at every parameter. So recordings, not samples, are what is independent. With the rows `a[t]`, residuals `e[t]` and
//! `B = (sum a a')^-1` of all of them, the error that G recordings show between them is
//!
//! ```text
//! u[g] = B sum over recording g of a[t] e[t]
//! variance = G / (G - 1) sum of u[g] u[g]'
//! ```
//!
//! Three recordings are little, and their figure strays; two say nothing.

use super::axis::{AxisFit, AxisRecord, COMMON, fastest};
use super::least_squares::LeastSquares;
use super::regressors::{average, moving, velocities};

/// Recordings that a figure needs.
const LEAST: usize = 3;

/// Standard errors of [`AxisFit::common`] from recording to recording; `starts` are the samples at which recordings begin. None where fewer
/// than three have rows, or where one direction alone was moved.
pub fn errors_between(
    r: &AxisRecord<'_>,
    fit: &AxisFit,
    starts: &[usize],
) -> Option<[f64; COMMON]> {
    if starts.len() < LEAST || fit.one_way.is_some() {
        return None;
    }
    let v = velocities(r);
    let rows = moving(r, &v, fastest(r, &v));
    let delay = fit.current_delay_s / r.period_s;
    let known_a = fit.known_a();
    let n = COMMON + usize::from(fit.stribeck_a.value != 0.0);
    let x = [
        fit.common().map(|e| e.value).as_slice(),
        &[fit.stribeck_a.value],
    ]
    .concat();
    let mut ls = LeastSquares::new(n);
    let mut sums = vec![0.0; starts.len() * n];
    let mut used = vec![false; starts.len()];
    for k in &rows.samples {
        let place = (*k, rows.half_width);
        let row = average(r, &v, place, (fit.stribeck_velocity_m_per_s, delay));
        let columns = &row.columns(known_a)[..n];
        let driven = row.driven(known_a);
        ls.push(columns, driven);
        let explained: f64 = columns.iter().zip(&x).map(|(a, x)| a * x).sum();
        // The recording that began last; `starts` holds the first sample.
        let g = starts.partition_point(|start| start <= k).checked_sub(1)?;
        used[g] = true;
        for (sum, a) in sums[g * n..(g + 1) * n].iter_mut().zip(columns) {
            *sum += a * (driven - explained);
        }
    }
    let count = used.iter().filter(|used| **used).count();
    if count < LEAST {
        return None;
    }
    let bread = ls.solve()?.inverse_normal;
    let few = count as f64 / (count as f64 - 1.0);
    Some(std::array::from_fn(|c| {
        let square = |sum: &[f64]| -> f64 {
            let u: f64 = (bread[c * n..(c + 1) * n].iter().zip(sum))
                .map(|(b, s)| b * s)
                .sum();
            u * u
        };
        libm::sqrt(few * sums.chunks(n).map(square).sum::<f64>())
    }))
}

#[cfg(test)]
#[path = "between_tests.rs"]
mod tests;
