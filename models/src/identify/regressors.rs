//! The rows of the inverse dynamics: every term averaged with the triangle of `current_load`.
#![allow(
    clippy::needless_range_loop,
    reason = "one sample index runs over several records"
)]

use super::axis::AxisRecord;
use crate::axis::load::HALF_WIDTH;

/// Rows beyond which a fit does not get better.
const MOST_ROWS: usize = 20_000;
/// Samples that a row needs on both sides: the window, and the delay of the current.
pub(super) const MARGIN: usize = HALF_WIDTH + 3;
/// Share of the largest velocity below which a sample is left out: bristles, not surfaces, make the friction there.
pub(super) const SLOW: f64 = 0.02;

/// Kernel-averaged regressors at one sample.
#[derive(Clone, Copy, Debug)]
pub(super) struct Row {
    pub(super) acceleration: f64,
    pub(super) direction: f64,
    pub(super) velocity: f64,
    pub(super) stribeck: f64,
    pub(super) current: f64,
}

impl Row {
    /// Columns in the order of the estimates; the last one is left out where there is no Stribeck effect.
    pub(super) fn columns(&self) -> [f64; 5] {
        [
            self.acceleration,
            self.direction,
            self.velocity,
            1.0,
            self.stribeck,
        ]
    }
}

/// Velocity by the central difference (m/s); 0 at both ends.
pub(super) fn velocities(r: &AxisRecord<'_>) -> Vec<f64> {
    let x = r.position_m;
    let mut v = vec![0.0; x.len()];
    for k in 1..x.len().saturating_sub(1) {
        v[k] = (x[k + 1] - x[k - 1]) * (0.5 / r.period_s);
    }
    v
}

/// Samples that a fit uses: usable, moving, and at most some ten thousand.
pub(super) fn moving(r: &AxisRecord<'_>, v: &[f64], fastest: f64) -> Vec<usize> {
    let n = r.position_m.len();
    // Neighbouring windows overlap; beyond some ten thousand of them nothing is gained.
    (MARGIN..n.saturating_sub(MARGIN))
        .step_by((n / MOST_ROWS).max(2))
        .filter(|k| whole(r, *k) && v[*k].abs() >= SLOW * fastest)
        .collect()
}

/// Whether everything around sample `k` that its row takes in is usable.
pub(super) fn whole(r: &AxisRecord<'_>, k: usize) -> bool {
    r.usable[k - MARGIN..=k + MARGIN].iter().all(|u| *u)
}

/// Averages everything around sample `k` with the triangle.
pub(super) fn average(r: &AxisRecord<'_>, v: &[f64], k: usize, vs: f64, delay: f64) -> Row {
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
