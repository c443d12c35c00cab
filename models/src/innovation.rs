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

use crate::lane::{LANES, Lane, Narrow, ZERO, rounded_down};
use crate::simd::{Portable, Vector};

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
const SQUARE_WEIGHT: f64 = 1.0 / 16.0;

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
    correlation: [Lane; WHITENED],
    per_sigma: [Lane; WHITENED],
    limit: [Narrow; NEXT],
    window: [Narrow; WHITENED],
    cusum: [Narrow; WHITENED],
}

impl WatchParams {
    /// Everything off.
    pub const OFF: Self = Self {
        correlation: [ZERO; WHITENED],
        per_sigma: [ZERO; WHITENED],
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
                self.correlation[c][l] = w.correlation;
                self.per_sigma[c][l] = 1.0 / w.sigma;
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
    before: [Lane; WHITENED],
    /// Weighted mean of y^2.
    pub window: [Lane; WHITENED],
    /// Upward CUSUM.
    pub up: [Lane; WHITENED],
    /// Downward CUSUM.
    pub down: [Lane; WHITENED],
    /// Mean square of the innovation of current over the last cycles (A2).
    pub square: Lane,
}

impl Watch {
    /// Nothing seen yet.
    pub const NEW: Self = Self {
        before: [ZERO; WHITENED],
        window: [ZERO; WHITENED],
        up: [ZERO; WHITENED],
        down: [ZERO; WHITENED],
        square: ZERO,
    };

    /// Takes in one cycle: innovations of position (m), velocity (m/s) and current (A). `judged` has a bit for each axis that may be
    /// judged; elsewhere the detectors are forgotten. Returns a bit for each axis with a detector beyond its threshold.
    pub fn push(&mut self, p: &WatchParams, innovation: &[Lane; NEXT], judged: u8) -> u8 {
        (0..Portable::PARTS).fold(0, |beyond, part| {
            let innovation = Portable::each(innovation.each_ref(), part);
            beyond | self.push_on(p, innovation, judged, part)
        })
    }

    /// [`Self::push`] of a part with the vector of a unit.
    #[inline(always)]
    pub fn push_on<V: Vector>(
        &mut self,
        p: &WatchParams,
        innovation: [V; NEXT],
        judged: u8,
        part: usize,
    ) -> u8 {
        let (zero, judge) = (V::splat(0.0), V::mask(judged, part));
        let [x, v, i] = innovation;
        let mut alarm = V::either(
            x.size().above(V::widen(&p.limit[0], part)),
            v.size().above(V::widen(&p.limit[1], part)),
        );
        alarm = V::either(alarm, i.size().above(V::widen(&p.limit[2], part)));
        for w in 0..WHITENED {
            let e = innovation[WHITENED_CHANNELS[w]];
            let y = (e - V::load(&p.correlation[w], part) * V::load(&self.before[w], part))
                * V::load(&p.per_sigma[w], part);
            let window = V::load(&self.window[w], part);
            let window = window + V::splat(WINDOW_WEIGHT) * (y * y - window);
            let (threshold, slack) = (V::widen(&p.cusum[w], part), V::splat(SLACK));
            let up = bounded(V::load(&self.up[w], part) + y - slack, threshold);
            let down = bounded(V::load(&self.down[w], part) - y - slack, threshold);
            alarm = V::either(alarm, window.above(V::widen(&p.window[w], part)));
            alarm = V::either(alarm, up.larger(down).above(threshold));
            V::select(judge, e, zero).store(&mut self.before[w], part);
            V::select(judge, window, zero).store(&mut self.window[w], part);
            V::select(judge, up, zero).store(&mut self.up[w], part);
            V::select(judge, down, zero).store(&mut self.down[w], part);
        }
        let (e, square) = (innovation[2], V::load(&self.square, part));
        let new = square + V::splat(SQUARE_WEIGHT) * (e * e - square);
        V::select(judge, new, square).store(&mut self.square, part);
        V::bits(alarm, part) & judged
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
            window: watch.window[w][l],
            cusum: if up > down { up } else { down },
        }
    }
}

/// A sum stays between nothing and twice its threshold, so that what has gone is soon cleared.
#[inline(always)]
fn bounded<V: Vector>(sum: V, threshold: V) -> V {
    let top = threshold + threshold;
    top.smaller(V::splat(0.0).larger(sum))
}

#[cfg(test)]
mod tests {
    use super::*;

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
}
