//! One-cycle innovations of eight axes: what is surprising now.
//!
//! # Derivation
//! The innovation e of a channel is measured minus predicted, one cycle ahead. A good observer leaves it small, but never white:
//! neighbours are alike. So two of the three detectors look at `y = (e - a e') / sigma`, with e' the innovation before and a
//! learnt from the healthy record, which is close to white with variance one:
//!
//! - **limit**: |e| beyond its limit, for what is abrupt.
//! - **window**: the exponentially weighted mean of y^2 (the normalised innovation squared, chi-square with one degree of
//!   freedom per sample) over some 64 cycles, for what makes the innovation restless.
//! - **CUSUM**: two-sided, slack [`SLACK`], for what shifts it.
//!
//! All thresholds come from the healthy record; a detector without one is off.
//!
//! Innovations are narrow numbers from here on: seven digits of a surprise are enough to see it.

use crate::lane::{LANES, Lane, Narrow, rounded_down};
use crate::simd::{Portable, Slim, Vector};

/// Channels with an innovation: position, velocity, current.
pub const NEXT: usize = 3;
/// Of these, whitened and watched by all three detectors: position and current. The velocity is made of the same positions.
pub const WHITENED: usize = 2;
/// Their places among the channels.
pub const WHITENED_CHANNELS: [usize; WHITENED] = [0, 2];
/// Largest size of a correlation: an innovation that only ever drifts would leave nothing to judge.
pub const CORRELATION_MAX: f64 = 0.99;
/// Weight of the newest cycle in the window.
pub const WINDOW_WEIGHT: f64 = 1.0 / 64.0;
/// Slack of the CUSUM (standard deviations).
pub const SLACK: f64 = 0.5;
/// Weight of the newest cycle in the mean square of the innovation of current: it looks back over some sixteen cycles.
const SQUARE_WEIGHT: f32 = 1.0 / 16.0;
/// Bounds of a square: what is less is nothing (and would in time be less than a number can be without slowing the unit), and no sum of what
/// is more grows beyond all numbers.
const SQUARES: [f32; 2] = [1e-30, 1e30];
/// Largest number that a standard deviation is divided by: the same holds for what is multiplied with it.
const PER_SIGMA_MAX: f64 = 1e30;

/// How the innovation of one channel is whitened, and its thresholds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Whitened {
    /// Correlation with the innovation before (-1 to 1).
    pub correlation: f64,
    /// Standard deviation of what is left (unit of the channel, > 0).
    pub sigma: f64,
    /// Threshold of the window (1).
    pub window: f64,
    /// Threshold of the CUSUM (1).
    pub cusum: f64,
}

/// Thresholds of eight axes; what is off is infinite. They are rounded down: what is beyond the exact threshold is never missed,
/// and whoever is told looks at it exactly.
#[derive(Clone, Copy, Debug, PartialEq)]
#[repr(C)]
pub struct WatchParams {
    correlation: [Narrow; WHITENED],
    per_sigma: [Narrow; WHITENED],
    limit: [Narrow; NEXT],
    window: [Narrow; WHITENED],
    cusum: [Narrow; WHITENED],
}

impl WatchParams {
    /// Everything off.
    pub const OFF: Self = Self {
        correlation: [NOTHING; WHITENED],
        per_sigma: [NOTHING; WHITENED],
        limit: [[f32::INFINITY; LANES]; NEXT],
        window: [[f32::INFINITY; LANES]; WHITENED],
        cusum: [[f32::INFINITY; LANES]; WHITENED],
    };

    /// Sets the thresholds of axis `l`; missing ones are off.
    pub fn put(
        &mut self,
        l: usize,
        limits: &[Option<f64>; NEXT],
        whitened: &[Option<Whitened>; WHITENED],
    ) {
        for (to, limit) in self.limit.iter_mut().zip(limits) {
            to[l] = limit.map_or(f32::INFINITY, rounded_down);
        }
        for (c, whitened) in whitened.iter().enumerate() {
            if let Some(w) = whitened {
                self.correlation[c][l] = w.correlation as f32;
                let per_sigma = 1.0 / w.sigma;
                self.per_sigma[c][l] = if per_sigma < PER_SIGMA_MAX {
                    per_sigma as f32
                } else {
                    PER_SIGMA_MAX as f32
                };
                self.window[c][l] = rounded_down(w.window);
                self.cusum[c][l] = rounded_down(w.cusum);
            }
        }
    }
}

/// State of the detectors of eight axes.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[repr(align(64))]
pub struct Watch {
    before: [Narrow; WHITENED],
    /// Weighted mean of y^2.
    pub window: [Narrow; WHITENED],
    /// Upward CUSUM.
    pub up: [Narrow; WHITENED],
    /// Downward CUSUM.
    pub down: [Narrow; WHITENED],
    /// Mean square of the innovation of current over the last cycles (A2).
    pub square: Narrow,
}

const NOTHING: Narrow = [0.0; LANES];

impl Watch {
    /// Nothing seen yet.
    pub const NEW: Self = Self {
        before: [NOTHING; WHITENED],
        window: [NOTHING; WHITENED],
        up: [NOTHING; WHITENED],
        down: [NOTHING; WHITENED],
        square: NOTHING,
    };

    /// Takes in one cycle: innovations of position (m), velocity (m/s) and current (A). `judged` has a bit for each axis that may be
    /// judged; elsewhere the detectors are forgotten. Returns a bit for each axis with a detector beyond its threshold.
    pub fn push(&mut self, p: &WatchParams, innovation: &[Lane; NEXT], judged: u8) -> u8 {
        let narrow = innovation.map(|lane| lane.map(|e| e as f32));
        self.push_on::<Portable>(p, &narrow, judged)
    }

    /// [`Self::push`] with the numbers of a unit.
    #[inline(always)]
    pub fn push_on<V: Vector>(
        &mut self,
        p: &WatchParams,
        innovation: &[Narrow; NEXT],
        judged: u8,
    ) -> u8 {
        let e = [
            V::Slim::load(&innovation[0]),
            V::Slim::load(&innovation[1]),
            V::Slim::load(&innovation[2]),
        ];
        let mut alarm = e[0].size().reaches(V::Slim::load(&p.limit[0]));
        let of_velocity = e[1].size().reaches(V::Slim::load(&p.limit[1]));
        let of_current = e[2].size().reaches(V::Slim::load(&p.limit[2]));
        alarm = V::Slim::either(alarm, V::Slim::either(of_velocity, of_current));
        for w in 0..WHITENED {
            let e = e[WHITENED_CHANNELS[w]];
            let correlated = V::Slim::load(&p.correlation[w]) * V::Slim::load(&self.before[w]);
            let y = (e - correlated) * V::Slim::load(&p.per_sigma[w]);
            let window = toward(V::Slim::load(&self.window[w]), y, WINDOW_WEIGHT as f32);
            let (threshold, slack) = (V::Slim::load(&p.cusum[w]), V::Slim::splat(SLACK as f32));
            let up = bounded(V::Slim::load(&self.up[w]) + y - slack, threshold);
            let down = bounded(V::Slim::load(&self.down[w]) - y - slack, threshold);
            alarm = V::Slim::either(alarm, window.reaches(V::Slim::load(&p.window[w])));
            alarm = V::Slim::either(alarm, up.larger(down).reaches(threshold));
            e.store(&mut self.before[w]);
            window.store(&mut self.window[w]);
            up.store(&mut self.up[w]);
            down.store(&mut self.down[w]);
        }
        let square = V::Slim::load(&self.square);
        toward(square, e[2], SQUARE_WEIGHT).store(&mut self.square);
        if judged != u8::MAX {
            self.forget_others::<V>(square, judged);
        }
        V::Slim::bits(alarm) & judged
    }

    /// Forgets what is not judged; its mean square stays what it was.
    #[inline(always)]
    fn forget_others<V: Vector>(&mut self, square: V::Slim, judged: u8) {
        let (judged, others) = (V::Slim::mask(judged), V::Slim::mask(!judged));
        for w in 0..WHITENED {
            for of in [
                &mut self.before[w],
                &mut self.window[w],
                &mut self.up[w],
                &mut self.down[w],
            ] {
                V::Slim::load(of).kept(judged).store(of);
            }
        }
        let new = V::Slim::load(&self.square).kept(judged);
        (new + square.kept(others)).store(&mut self.square);
    }
}

/// What window and CUSUM of one whitened channel have.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Statistics {
    /// Weighted mean of y^2 (1).
    pub window: f64,
    /// The larger CUSUM (1).
    pub cusum: f64,
}

impl Statistics {
    /// Of the whitened channel `w` of axis `l`.
    pub fn of(watch: &Watch, w: usize, l: usize) -> Self {
        let (up, down) = (watch.up[w][l], watch.down[w][l]);
        Self {
            window: f64::from(watch.window[w][l]),
            cusum: f64::from(if up > down { up } else { down }),
        }
    }
}

/// A mean that takes in the square of `x` with a weight.
#[inline(always)]
fn toward<S: Slim>(mean: S, x: S, weight: f32) -> S {
    let [least, most] = SQUARES;
    // What is no number is as much as can be.
    let square = (x * x).smaller(S::splat(most)).larger(S::splat(least));
    mean + S::splat(weight) * (square - mean)
}

/// A sum stays between nothing and twice its threshold, so that what has gone is soon cleared.
#[inline(always)]
fn bounded<S: Slim>(sum: S, threshold: S) -> S {
    sum.larger(S::splat(0.0)).smaller(threshold + threshold)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lane::ZERO;

    const JUDGED: u8 = u8::MAX;

    fn params() -> WatchParams {
        let mut p = WatchParams::OFF;
        let whitened = Whitened {
            correlation: 0.9,
            sigma: 0.1,
            window: 3.0,
            cusum: 10.0,
        };
        p.put(2, &[Some(1.0), None, None], &[Some(whitened), None]);
        p
    }

    fn one(x: f64) -> [Lane; NEXT] {
        let mut e = [ZERO; NEXT];
        e[0][2] = x;
        e
    }

    #[test]
    fn a_limit_is_met_at_once_and_on_its_own_axis_alone() {
        let mut w = Watch::NEW;
        let beyond = w.push(&params(), &one(-1.1), JUDGED);
        assert_eq!(beyond, 1 << 2);
        assert_eq!(w.push(&params(), &one(-1.1), 0), 0);
    }

    #[test]
    fn a_shift_below_the_limit_is_summed_up() {
        let (p, mut w) = (params(), Watch::NEW);
        // An innovation that stays at 1 sigma of what is left: y = (e - 0.9 e) / 0.1.
        let found = (0..200).position(|_| w.push(&p, &one(0.9), JUDGED) & 1 << 2 != 0);
        // y is 0.9 after the first 9; the slack leaves 0.4 a cycle.
        assert!(found.is_some_and(|n| (2..30).contains(&n)), "{found:?}");
        assert!(w.window[0][2] < 3.0);
    }

    #[test]
    fn restlessness_without_a_shift_fills_the_window() {
        let (p, mut w) = (params(), Watch::NEW);
        let found = (0..400).position(|k| {
            let e = if k % 2 == 0 { 0.12 } else { -0.12 };
            w.push(&p, &one(e), JUDGED) & 1 << 2 != 0
        });
        // |y| = 2.28, so y^2 passes 3 soon; the sums never do.
        assert!(found.is_some_and(|n| n < 100), "{found:?}");
        assert!(w.up[0][2] < 5.0 && w.down[0][2] < 5.0);
    }

    #[test]
    fn what_is_no_number_or_beyond_all_is_seen_and_soon_forgotten() {
        for wild in [f64::NAN, f64::INFINITY, -1e300, 1e25] {
            let (p, mut w) = (params(), Watch::NEW);
            assert_eq!(w.push(&p, &one(wild), JUDGED), 1 << 2, "{wild}");
            let silent = (0..8000).find(|_| w.push(&p, &one(0.0), JUDGED) == 0);
            assert!(silent.is_some(), "{wild}: {w:?}");
            let all = [w.window, w.up, w.down].concat();
            assert!(all.iter().flatten().all(|x| x.is_finite()), "{w:?}");
        }
    }

    #[test]
    fn a_mean_square_is_kept_where_nothing_is_judged_and_never_fades_to_nothing() {
        let (p, mut w) = (params(), Watch::NEW);
        let mut e = [ZERO; NEXT];
        e[2] = [0.5; LANES];
        w.push(&p, &e, JUDGED);
        let known = w.square;
        w.push(&p, &e, 0b1111_0000);
        assert_eq!(w.square[..4], known[..4]);
        assert!(w.square[4] > known[4]);
        for _ in 0..5000 {
            w.push(&p, &[ZERO; NEXT], JUDGED);
        }
        assert!(
            w.square.iter().all(|x| x.is_normal() && *x < 1e-20),
            "{w:?}"
        );
    }
}
