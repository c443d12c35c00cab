//! Axes that stand: what holds them is looked at while they do.
//!
//! Sums over the rest in progress are those of its segment, so that no cycle does more for it. At the looks at a lane
//! ([`super::behind`]) the axes are found whose rest has settled, or has a figure: about one in a second each. When that is goes by the age of
//! the rest, whatever was lost of it.
//!
//! An axis rests where it was told to. Where its reference goes on, however slowly, and at whatever look once the rest has settled, its friction
//! may have any side from then on: it is judged again after its next movement.

use super::{Correct, LaneState};
use crate::event::Source;
use crate::judge::Occasion;
use twinstep_models::axis::params::LaneParams;
use twinstep_models::lane::LANES;
use twinstep_models::rest::Rhythm;
use twinstep_models::sample::Told;

/// Velocity of a reference that stands (1): so much of that below which an axis does.
const STANDS: f64 = 0.05;

impl Correct<'_, '_> {
    /// Looks at the axes of lane `n` that rest, of those with their bits in `rests`, `every` cycles after the last time.
    #[cold]
    #[inline(never)]
    pub(super) fn rests(
        &mut self,
        n: usize,
        lane: &LaneState,
        params: &LaneParams,
        rests: u8,
        every: u64,
    ) {
        let rhythm = Rhythm::of(self.plan.period_ns);
        let look_s = every as f64 / params.per_s;
        let standing = rests & lane.course.rested();
        for l in (0..LANES).filter(|l| standing & (1 << l) != 0) {
            let axis = n * LANES + l;
            let (Some(plan), Some(judge)) = (self.plan.axes.get(axis), self.axes.get_mut(axis))
            else {
                break;
            };
            let age = judge.rest_age(self.stamp.cycle);
            if !rhythm.is_settled(age) {
                continue;
            }
            let mut way_m = lane.rare.looks.largest_way_m(l);
            let told = match lane.told.of(l) {
                Told::Position | Told::PositionAndOffsets => {
                    let since_m = judge.is_told(lane.reference.ago_m(0)[l]);
                    way_m = if since_m > way_m { since_m } else { way_m };
                    true
                }
                Told::Velocity => true,
                // What holds it then is what it is told, or what nobody knows.
                Told::Torque | Told::Own => false,
            };
            let most_m = STANDS * plan.regime.standstill_m_per_s * look_s;
            if !told || way_m > most_m {
                judge.let_go();
                continue;
            }
            if !rhythm.is_due(age, every) {
                continue;
            }
            let mut sum = lane.course.rest(&lane.segments, l);
            (sum.stage, sum.step) = (rhythm.stage(age), rhythm.step(age));
            let at = Occasion {
                stamp: *self.stamp,
                source: Source::Axis((self.first_axis + axis) as u16),
                context: self.context,
            };
            let own = self.plan.contexts_of(axis);
            judge.rest(plan, own, &self.plan.thresholds, &at, &sum, self.out);
        }
    }
}
