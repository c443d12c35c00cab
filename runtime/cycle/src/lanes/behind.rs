//! Where an axis goes slower than it is told to.
//!
//! A figure of a movement is judged at the paces that it was learnt at. A fault that slows an axis takes it out of these, and its figures
//! with it: so what counts is what the axis was told, too. Every 16 ms a lane is looked at, one lane after the other. The reference is
//! that of one look earlier, or the present one where that is less: so an axis that begins to go faster, or slower, as it should is not
//! taken for a slow one, as long as filter and loops lag by less than a look or two (24 ms).

use super::{Correct, LaneState};
use twinstep_models::axis::params::LaneParams;
use twinstep_models::blocks::{BEYOND, Feature};
use twinstep_models::channel::Regime;
use twinstep_models::lane::{LANES, Lane, ZERO};
use twinstep_models::sample::Told;

/// Time between two looks at a lane (ns).
const LOOK_NS: u64 = 16_000_000;

/// Cycles between two looks at a lane, for a period (ns).
#[inline(always)]
pub(super) const fn every(period_ns: u64) -> u64 {
    let period_ns = if period_ns > 0 { period_ns } else { 1 };
    let cycles = LOOK_NS / period_ns;
    if cycles > 0 { cycles } else { 1 }
}

/// What the looks at eight axes have found.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub(super) struct Looks {
    /// Targets at the last look (m).
    target_m: Lane,
    /// Ways of the references between the last looks, the newest first (m).
    ways_m: [Lane; 2],
}

impl Looks {
    /// None yet.
    pub(super) const NEW: Self = Self {
        target_m: ZERO,
        ways_m: [ZERO; 2],
    };
}

impl Looks {
    /// Largest way that the reference of place `l` went between the last three looks (m).
    pub(super) fn largest_way_m(&self, l: usize) -> f64 {
        let [newest, before] = self.ways_m.map(|lane| lane[l].abs());
        if newest > before { newest } else { before }
    }
}

impl Correct<'_, '_> {
    /// Looks at lane `n`, `every` cycles after the last time.
    #[cold]
    #[inline(never)]
    pub(super) fn look(&mut self, n: usize, lane: &mut LaneState, params: &LaneParams, every: u64) {
        let look_s = every as f64 / params.per_s;
        for l in 0..LANES {
            if let Some((feature, pace)) = lane.behind(params, l, look_s)
                && let Some(judge) = self.axes.get_mut(n * LANES + l)
            {
                judge.is_behind(feature, pace);
            }
        }
    }
}

impl LaneState {
    /// Takes in the reference of place `l`. Where the axis goes slower: the pace that it was told to go at (m/s, of an acceleration m/s2), and
    /// the figure that takes it in.
    #[inline]
    fn behind(&mut self, params: &LaneParams, l: usize, look_s: f64) -> Option<(Feature, f64)> {
        let target_m = self.reference.history_m[0][l];
        let looks = &mut self.rare.looks;
        let way_m = match self.told.of(l) {
            Told::Position | Told::PositionAndOffsets => target_m - looks.target_m[l],
            Told::Velocity => self.told.velocity_m_per_s(l) * look_s,
            // Nothing says how fast it is to go.
            Told::Torque | Told::Own => 0.0,
        };
        looks.target_m[l] = target_m;
        let ways_m = looks.ways_m.map(|lane| lane[l]);
        (looks.ways_m[0][l], looks.ways_m[1][l]) = (way_m, ways_m[0]);
        let motion = self.load_motion(params, l);
        let (asked, is, feature) = match self.course.regime(l) {
            Regime::ConstantSpeed if motion.0 > 0.0 => {
                (ways_m[0], motion.0, Feature::ConstantPositive)
            }
            Regime::ConstantSpeed => (ways_m[0], motion.0, Feature::ConstantNegative),
            Regime::Pressing => (ways_m[0], motion.0, Feature::Pressing),
            Regime::Acceleration => (
                (ways_m[0] - ways_m[1]) / look_s,
                motion.1,
                Feature::Acceleration,
            ),
            Regime::Standstill | Regime::Settling | Regime::Reversal => return None,
        };
        // What it is told now must not be less: an axis that is to slow down, or whose acceleration falls, lags behind what it was told.
        let now = match feature {
            Feature::Acceleration => (way_m - ways_m[0]) / look_s,
            _ => way_m,
        };
        let asked = if now.abs() < asked.abs() { now } else { asked } / look_s;
        // In the same direction, and so much more.
        (asked * is > BEYOND * is * is).then_some((feature, asked.abs()))
    }
}
