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
use twinstep_models::simd::{Kernel, Vector};

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
    #[inline(always)]
    pub(super) fn look<V: Vector>(
        &mut self,
        n: usize,
        lane: &mut LaneState,
        params: &LaneParams,
        every: u64,
    ) {
        let look_s = every as f64 / params.per_s;
        let (behind, asked) = V::apart::<V, _>(Look {
            lane,
            params,
            look_s,
        });
        if behind != 0 {
            self.behind(n, lane, behind, &asked);
        }
    }

    /// Axes of lane `n` that go slower than they are told to: with their bits in `behind`, at paces of `asked` (m/s, m/s2).
    #[cold]
    #[inline(never)]
    fn behind(&mut self, n: usize, lane: &LaneState, behind: u8, asked: &Lane) {
        for l in (0..LANES).filter(|l| behind & (1 << l) != 0) {
            let forward = lane.course.is_forward(l);
            let feature = match lane.course.regime(l) {
                Regime::ConstantSpeed if forward => Feature::ConstantPositive,
                Regime::ConstantSpeed => Feature::ConstantNegative,
                Regime::Pressing => Feature::Pressing,
                Regime::Acceleration => Feature::Acceleration,
                Regime::Standstill | Regime::Settling | Regime::Reversal => continue,
            };
            if let Some(judge) = self.axes.get_mut(n * LANES + l) {
                judge.is_behind(feature, asked[l].abs());
            }
        }
    }
}

/// A look at a lane: it takes in what the references went since the last one, and says which axes are behind it, and the paces that all were
/// told to go at (m/s, of an acceleration m/s2).
struct Look<'a> {
    lane: &'a mut LaneState,
    params: &'a LaneParams,
    /// Time since the last look (s).
    look_s: f64,
}

impl Kernel for Look<'_> {
    type Output = (u8, Lane);

    #[inline(always)]
    fn run<V: Vector>(self) -> (u8, Lane) {
        let Self {
            lane,
            params,
            look_s,
        } = self;
        let (mut behind, mut paces) = (0, ZERO);
        let told = (lane.told_any != 0).then(|| lane.ways_told(look_s));
        let [accelerates, goes] = lane.course.paced();
        let per_look = V::splat(1.0 / look_s);
        for part in 0..V::PARTS {
            let looks = &mut lane.rare.looks;
            let target = V::load(lane.reference.ago_m(0), part);
            let mut way = target - V::load(&looks.target_m, part);
            if let Some((others, ways)) = &told {
                way = V::select(V::mask(*others, part), V::load(ways, part), way);
            }
            let [last, before] = V::each(looks.ways_m.each_ref(), part);
            target.store(&mut looks.target_m, part);
            way.store(&mut looks.ways_m[0], part);
            last.store(&mut looks.ways_m[1], part);
            // What it is told now must not be less: an axis that is to slow down, or whose acceleration falls, lags behind what it was told.
            let accelerates = V::mask(accelerates, part);
            let was = V::select(accelerates, (last - before) * per_look, last);
            let now = V::select(accelerates, (way - last) * per_look, way);
            let less = was.size().above(now.size());
            let asked = V::select(less, now, was) * per_look;
            let motion = lane.filter.moves::<V>(params, part);
            let is = V::select(
                accelerates,
                motion.acceleration_m_per_s2,
                motion.velocity_m_per_s,
            );
            // In the same direction, and so much more.
            let beyond = (asked * is).above(V::splat(BEYOND) * is * is);
            behind |= V::bits(beyond, part) & V::places(part);
            asked.store(&mut paces, part);
        }
        (behind & goes, paces)
    }
}

impl LaneState {
    /// The axes whose references are no positions, and the ways that they are told to go in a time (s, m).
    fn ways_told(&self, look_s: f64) -> (u8, Lane) {
        let (mut others, mut ways) = (0, ZERO);
        for (l, way) in ways.iter_mut().enumerate() {
            match self.told.of(l) {
                Told::Position | Told::PositionAndOffsets => continue,
                Told::Velocity => *way = self.told.velocity_m_per_s(l) * look_s,
                // Nothing says how fast it is to go.
                Told::Torque | Told::Own => {}
            }
            others |= 1 << l;
        }
        (others, ways)
    }
}
