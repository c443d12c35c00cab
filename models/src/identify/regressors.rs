//! The rows of the inverse dynamics: every term averaged with the triangle of `current_load`, or with a wider one.
//!
//! # Derivation
//! A position error of standard deviation s leaves one of `sqrt(6) s / (h T)^2` in an acceleration over half a width of h cycles T.
//! Least squares take the acceleration for exact: noise in it draws the inertia towards 0, by about the share q of its mean
//! square that is noise, and more where velocity tells most of the acceleration. The true acceleration, averaged over
//! many cycles, hardly bends within one, where noise does, so that q is seen in the recording itself:
//!
//! ```text
//! q = mean((a[k-1] - 2 a[k] + a[k+1])^2) / (6 mean(a[k]^2))
//! ```
//!
//! Where q is beyond [`NOISE_SHARE`] the triangle is widened. The balance is linear, and holds for any of them.
#![allow(
    clippy::needless_range_loop,
    reason = "one sample index runs over several records"
)]

use super::axis::AxisRecord;
use super::motion::LEAST_ROWS;
use crate::axis::load::HALF_WIDTH;

/// Rows beyond which a fit does not get better.
const MOST_ROWS: usize = 20_000;
/// Half widths that are tried (cycles), the narrowest first.
const HALF_WIDTHS: [usize; 4] = [HALF_WIDTH, 2 * HALF_WIDTH, 4 * HALF_WIDTH, 8 * HALF_WIDTH];
/// Share of the mean square of the acceleration that may be noise.
const NOISE_SHARE: f64 = 1e-3;
/// The same share where the balance is judged: noise makes it noisier, and does not bend it.
const JUDGED_SHARE: f64 = 0.02;
/// Share of a wider window, relative to its half width, that may be at rest: static friction hides the load there.
const RESTING_SHARE: f64 = 0.125;
/// Samples that the narrowest row needs on both sides.
pub(super) const MARGIN: usize = margin(HALF_WIDTH);
/// Share of the largest velocity below which a sample is left out: bristles, not surfaces, make the friction there.
pub(super) const SLOW: f64 = 0.02;

/// Samples that a row of this half width needs on both sides: the window, and the delay of the current.
pub(super) const fn margin(half_width: usize) -> usize {
    half_width + 3
}

/// The samples that a fit uses, the half width of its windows (cycles), and the lag that judging needs (cycles, 0: the usual one).
pub(super) struct Rows {
    pub(super) samples: Vec<usize>,
    pub(super) half_width: usize,
    pub(super) lag: usize,
}

/// Kernel-averaged regressors at one sample.
#[derive(Clone, Copy, Debug)]
pub(super) struct Row {
    pub(super) acceleration: f64,
    pub(super) direction: f64,
    /// What of the direction is backward (0 or below).
    pub(super) backward: f64,
    pub(super) velocity: f64,
    pub(super) stribeck: f64,
    pub(super) current: f64,
}

impl Row {
    /// Columns in the order of the estimates; the last one is left out where there is no Stribeck effect. Where the constant load is known
    /// (A), friction has a column for each direction, and the load none.
    pub(super) fn columns(&self, known_a: Option<f64>) -> [f64; 5] {
        let (friction, other) = match known_a {
            None => (self.direction, 1.0),
            Some(_) => (self.direction - self.backward, self.backward),
        };
        [
            self.acceleration,
            friction,
            self.velocity,
            other,
            self.stribeck,
        ]
    }

    /// What the columns have to explain (A): the current without a constant load that is known.
    pub(super) fn driven(&self, known_a: Option<f64>) -> f64 {
        self.current - known_a.unwrap_or(0.0)
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

/// Samples that a fit uses, usable and moving, with the narrowest window that keeps the noise of the position out of the
/// acceleration; a wider one is not taken where it would leave too few rows.
pub(super) fn moving(r: &AxisRecord<'_>, v: &[f64], fastest: f64) -> Rows {
    let mut best = of_width(r, v, fastest, HALF_WIDTH);
    for half_width in &HALF_WIDTHS[1..] {
        let noise = noise_share(r, &best);
        if noise <= NOISE_SHARE {
            break;
        }
        let wider = of_width(r, v, fastest, *half_width);
        if wider.samples.len() < LEAST_ROWS {
            break;
        }
        let lag = if noise > JUDGED_SHARE {
            *half_width
        } else {
            best.lag
        };
        best = Rows { lag, ..wider };
    }
    best
}

fn of_width(r: &AxisRecord<'_>, v: &[f64], fastest: f64, half_width: usize) -> Rows {
    let (n, margin) = (r.position_m.len(), margin(half_width));
    let resting = (half_width > HALF_WIDTH).then(|| resting(r, SLOW * fastest));
    let most = (RESTING_SHARE * half_width as f64) as u32;
    // Neighbouring windows overlap; beyond some ten thousand of them nothing is gained.
    let step = (n / MOST_ROWS).max(2) * (half_width / HALF_WIDTH);
    let samples = (margin..n.saturating_sub(margin))
        .step_by(step)
        .filter(|k| {
            whole(r, *k, half_width)
                && v[*k].abs() >= SLOW * fastest
                && resting
                    .as_ref()
                    .is_none_or(|until| until[*k + half_width] - until[*k - half_width] <= most)
        })
        .collect();
    Rows {
        samples,
        half_width,
        lag: 0,
    }
}

/// How many samples up to each of them are slower than `slow_m_per_s`, over the narrowest window: one step of an encoder is no speed.
fn resting(r: &AxisRecord<'_>, slow_m_per_s: f64) -> Vec<u32> {
    let (x, h) = (r.position_m, HALF_WIDTH);
    let way_m = slow_m_per_s * 2.0 * h as f64 * r.period_s;
    let mut count = 0;
    (0..x.len())
        .map(|k| {
            let far = x[(k + h).min(x.len() - 1)] - x[k.saturating_sub(h)];
            count += u32::from(far.abs() < way_m);
            count
        })
        .collect()
}

/// Share of the mean square of the acceleration that is noise of the position (0 to about 1).
fn noise_share(r: &AxisRecord<'_>, rows: &Rows) -> f64 {
    let (x, h) = (r.position_m, rows.half_width);
    let second = |k: usize| x[k + h] - 2.0 * x[k] + x[k - h];
    let (mut noise, mut all) = (0.0, 0.0);
    for k in &rows.samples {
        let bend = second(k - 1) - 2.0 * second(*k) + second(k + 1);
        noise += bend * bend;
        all += second(*k) * second(*k);
    }
    if all > 0.0 { noise / (6.0 * all) } else { 0.0 }
}

/// Whether everything around sample `k` that its row takes in is usable.
pub(super) fn whole(r: &AxisRecord<'_>, k: usize, half_width: usize) -> bool {
    let margin = margin(half_width);
    r.usable[k - margin..=k + margin].iter().all(|u| *u)
}

/// Averages everything around sample `k` with the triangle of half width `h`; `vs` is a Stribeck velocity (m/s), and the current comes
/// `delay` later than the position (cycles).
pub(super) fn average(
    r: &AxisRecord<'_>,
    v: &[f64],
    (k, h): (usize, usize),
    (vs, delay): (f64, f64),
) -> Row {
    let (x, span) = (r.position_m, h as f64 * r.period_s);
    let mut row = Row {
        acceleration: (x[k + h] - 2.0 * x[k] + x[k - h]) / (span * span),
        direction: 0.0,
        backward: 0.0,
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
        row.backward += w * direction.min(0.0);
        row.velocity += w * v[j];
        row.stribeck += w * direction / (1.0 + v[j] * v[j] / (vs * vs));
        // `j` is a window away from both ends and the delay at most two samples.
        let at = j.saturating_add_signed(whole);
        let i = r.current_a[at];
        row.current += w * (i + share * (r.current_a[at + 1] - i));
    }
    row
}
