//! The equation of the parent module, sample by sample: what the loops explain of the current, its gradient, and instruments.

use super::super::axis::AxisRecord;
use super::super::signals::{Lags, delayed, slope};
use super::{GainTable, SETTLE_S};

/// Parameters, in their order: kv, kx, d, tv, ti, 1 / Ti.
pub(super) const MOST: usize = 6;
/// Instruments.
pub(super) const INSTRUMENTS: usize = 9;
/// Corners of their high-passes (1/s); the first is that of the equation.
const CORNERS_PER_S: [f64; 3] = [10.0, 60.0, 200.0];
/// Lag of the direction that is an instrument by itself (s).
const AFTER_S: f64 = 0.02;
/// Samples at the end of a stretch whose differences are one-sided.
const ONE_SIDED: usize = 4;

/// One sample.
#[derive(Clone, Copy)]
pub(super) struct Row {
    /// What changes of the measured current (A).
    pub(super) measured_a: f64,
    /// What of it the loops do not explain (A).
    pub(super) left_a: f64,
    /// What the loops explain, by each parameter.
    pub(super) gradient: [f64; MOST],
    /// What follows from the set-points alone.
    pub(super) instruments: [f64; INSTRUMENTS],
}

impl Row {
    fn finite(&self) -> bool {
        let all = self.gradient.iter().chain(&self.instruments);
        self.left_a.is_finite() && all.fold(true, |finite, x| finite & x.is_finite())
    }
}

/// The equation over a recording, with room for its signals.
pub(super) struct Equation<'a> {
    pub(super) r: &'a AxisRecord<'a>,
    table: &'a GainTable,
    reference: Vec<f64>,
    speed: Vec<f64>,
    acceleration: Vec<f64>,
    jerk: Vec<f64>,
    /// Measured, as the drive sees it.
    seen: Vec<f64>,
    seen_slope: Vec<f64>,
}

/// A sample whose neighbours are awaited.
#[derive(Clone, Copy, Default)]
struct Before {
    per_kv: f64,
    measured_a: f64,
    gradient: [f64; MOST],
    instruments: [f64; INSTRUMENTS],
}

impl<'a> Equation<'a> {
    pub(super) fn new(r: &'a AxisRecord<'a>, table: &'a GainTable) -> Self {
        Self {
            r,
            table,
            reference: Vec::new(),
            speed: Vec::new(),
            acceleration: Vec::new(),
            jerk: Vec::new(),
            seen: Vec::new(),
            seen_slope: Vec::new(),
        }
    }

    /// Every sample of `ranges` with the parameters `theta`; the filters run from the start of the stretch that a range is in.
    pub(super) fn each(
        &mut self,
        ranges: &[(usize, usize)],
        theta: [f64; MOST],
        mut each: impl FnMut(&Row),
    ) {
        let settle = (SETTLE_S / self.r.period_s) as usize;
        for &(from, to) in ranges {
            let start = from - settle.min(from);
            let places = from - start..(to - start).saturating_sub(ONE_SIDED);
            if !places.is_empty() {
                self.stretch((start, to), theta, places, &mut each);
            }
        }
    }

    /// Root mean square of what `theta` leaves, and of what there is (A).
    pub(super) fn residual(&mut self, ranges: &[(usize, usize)], theta: [f64; MOST]) -> (f64, f64) {
        let (mut left, mut all, mut n) = (0.0, 0.0, 0.0);
        self.each(ranges, theta, |row| {
            left += row.left_a * row.left_a;
            all += row.measured_a * row.measured_a;
            n += 1.0;
        });
        (libm::sqrt(left / n), libm::sqrt(all / n))
    }

    /// Set-points, measured velocity and their derivatives over a stretch.
    fn signals(&mut self, (from, to): (usize, usize), dead_s: f64, velocity_s: f64) {
        let t = self.r.period_s;
        let reference = &self.r.reference_m[from..to];
        self.reference.clear();
        let later = (0..to - from).map(|k| delayed(reference, dead_s / t, k));
        self.reference.extend(later);
        slope(&self.reference, t, &mut self.speed);
        slope(&self.speed, t, &mut self.acceleration);
        slope(&self.acceleration, t, &mut self.jerk);
        slope(&self.r.position_m[from..to], t, &mut self.seen);
        let first = self.seen.first().copied().unwrap_or(0.0);
        let mut lag = Lags::new(velocity_s.max(0.0) / t, [first]);
        for v in &mut self.seen {
            [*v] = lag.next([*v]);
        }
        slope(&self.seen, t, &mut self.seen_slope);
    }

    fn stretch(
        &mut self,
        (from, to): (usize, usize),
        [kv, kx, dead_s, velocity_s, current_s, per_s]: [f64; MOST],
        places: std::ops::Range<usize>,
        each: &mut impl FnMut(&Row),
    ) {
        self.signals((from, to), dead_s, velocity_s);
        let t = self.r.period_s;
        let (x, i) = (&self.r.position_m[from..to], &self.r.current_a[from..to]);
        let fastest = self.speed.iter().fold(0.0_f64, |m, v| m.max(v.abs()));
        let direction = |k: usize| {
            let v: f64 = self.speed[k];
            v / (v.abs() + 0.02 * fastest + 1e-9)
        };
        let [low, middle, fast] = CORNERS_PER_S.map(|per_s| 1.0 / (per_s * t));
        let mut after = Lags::new(AFTER_S / t, [direction(0)]);
        // Errors of velocity and position, what moves: measured and told; jerk and direction.
        let signals = |k: usize, after: f64| {
            [
                self.speed[k] - self.seen[k],
                self.reference[k] - x[k],
                self.seen_slope[k],
                self.speed[k],
                self.acceleration[k],
                self.jerk[k],
                direction(k),
                after,
            ]
        };
        let first = signals(0, direction(0));
        let mut loops = Lags::new(self.table.current_time_constant_s / t, first);
        let mut filter = Lags::new(self.table.current_filter_s / t, first);
        let mut slow = Lags::new(low, first);
        let instants = [first[3], first[6]];
        let (mut quicker, mut quickest) = (Lags::new(middle, instants), Lags::new(fast, instants));
        let mut drift = Lags::new(low, [i[0]]);
        let mut before = [Before::default(); 2];
        for (k, current_a) in i.iter().enumerate().take(places.end + 1) {
            let [direction_after] = after.next([direction(k)]);
            let f = filter.next(loops.next(signals(k, direction_after)));
            let mean = slow.next(f);
            // High-passed, and the integral of the same.
            let [u, e, a, s, b, jerk, towards, late] = std::array::from_fn(|n| f[n] - mean[n]);
            let [u_int, e_int, a_int, s_int, b_int, ..] = mean.map(|m| m * low * t);
            let (speed, towards_now) = (f[3], f[6]);
            let [s_quicker, d_quicker] = quicker.next([speed, towards_now]);
            let [s_quickest, d_quickest] = quickest.next([speed, towards_now]);
            let [current_mean] = drift.next([*current_a]);
            let per_kv = u + kx * e + per_s * (u_int + kx * e_int);
            let now = Before {
                per_kv,
                measured_a: current_a - current_mean,
                gradient: [
                    per_kv,
                    kv * (e + per_s * e_int),
                    -kv * (b + kx * s + per_s * (b_int + kx * s_int)),
                    kv * (a + per_s * a_int),
                    0.0,
                    kv * (u_int + kx * e_int),
                ],
                // No more corners of a derivative: they are what the corners of the signal already say.
                instruments: [
                    s,
                    speed - s_quicker,
                    speed - s_quickest,
                    b,
                    jerk,
                    towards,
                    towards_now - d_quicker,
                    towards_now - d_quickest,
                    late,
                ],
            };
            let [older, last] = before;
            before = [last, now];
            if k == 0 || !places.contains(&(k - 1)) {
                continue;
            }
            // The lag of the loops that no table knows needs how the sample changes: both its neighbours.
            let change = if k == 1 {
                0.0
            } else {
                (per_kv - older.per_kv) * (0.5 / t)
            };
            let model_a = kv * (last.per_kv - current_s * change);
            let mut row = Row {
                measured_a: last.measured_a,
                left_a: last.measured_a - model_a,
                gradient: last.gradient,
                instruments: last.instruments,
            };
            row.gradient[4] = -kv * change;
            if row.finite() {
                each(&row);
            }
        }
    }
}
