//! Lost motion of an axis: two meters, the figure that is told, and how wrong it may be.
//!
//! A start against the last movement shows the lost motion itself, bristles and twist of the screw included, but of a gap only what the load
//! has stayed behind while it was braked. The crossing of the gap under braking shows all that was gained, but only after its
//! kinds of movement are known. What is told is the healthy lost motion of the starts and the gain of the crossings; of the
//! starts alone, as a lower bound, where nothing else is known of an axis that brakes like this. Where the load leaves its flank too early
//! for the meter of crossings, the larger of both is told, as a lower bound.

use super::{AxisHealthPlan, BASELINE, HealthSample};
use twinstep_models::health::backlash::ReversalMeter;
use twinstep_models::health::crossing::{CrossingMeter, Known, LEARN};
use twinstep_models::health::scalar::ScalarTracker;
use twinstep_models::health::scatter::Scatter;
use twinstep_models::health::trend::Reservoir;

/// Error of one lost motion (m) until several have shown how much they scatter: the way of some cycles at the start of a movement.
const EXPECTED_SIGMA_M: f64 = 4.0e-6;
/// What a gain that starts show may be wrong by, relative to itself: a drive meets the load at another speed than before. Gaps of
/// 20 to 100 um at reversals of the press cell are found 6 to 14 % too small.
const START_ERROR: f64 = 0.1;
/// What lost motion changes by from start to start, relative to the scatter of one.
const START_WALK: f64 = 0.1;
/// The same of crossings, which scatter more: a gain shall not lag behind a gap that grows.
const CROSSING_WALK: f64 = 0.3;
/// Crossings that make a figure.
const CROSSINGS: u32 = 4;
/// Widest gain that crossings shall show, relative to the limit of the life.
const WIDEST: f64 = 2.5;
/// Beyond this share of the widest gain it may be wider than it is told.
const NEARLY_WIDEST: f64 = 0.9;

/// One of the two, tracked.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
struct Track {
    now: ScalarTracker,
    scatter: Scatter,
    /// Over what wears.
    trend: Reservoir,
}

impl Track {
    fn new() -> Self {
        Self {
            now: ScalarTracker::default(),
            scatter: Scatter::new(EXPECTED_SIGMA_M),
            trend: Reservoir::default(),
        }
    }

    /// `walk`: what the figure may change by from one measurement to the next, relative to their scatter.
    fn push(&mut self, value_m: f64, walk: f64, worn: f64) {
        if self.now.seen > 0 {
            self.scatter.take(value_m - self.now.x, self.now.p);
        }
        let sigma_m = self.scatter.sigma();
        self.now.push(value_m, sigma_m, walk * sigma_m);
        self.trend.push(worn, value_m, sigma_m);
    }
}

/// Both meters and what they have found.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub(super) struct LostMotion {
    starts: ReversalMeter,
    start: Track,
    healthy: ScalarTracker,
    crossings: CrossingMeter,
    /// What was gained, from crossings.
    crossing: Track,
    /// The gain that is told (m).
    gained_m: f64,
}

/// What is told of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Figure<'a> {
    /// Lost motion (m).
    pub value_m: f64,
    /// Its standard deviation; with a healthy value that of what was gained.
    pub sigma_m: f64,
    /// Healthy lost motion (m); none where it is not known yet.
    pub healthy_m: Option<f64>,
    /// It may be more.
    pub lower_bound: bool,
    /// Trend, and what is healthy in it (m).
    pub trend: &'a Reservoir,
    /// See `trend`.
    pub trend_healthy_m: f64,
    /// What the gain may be wrong by, relative to itself.
    pub error: f64,
    /// Movements that were not used: their kind had no place.
    pub left_out: u32,
}

/// Of both, what is told. `early`: the load leaves its flank so early that a crossing shows a part of the gap.
fn chosen<'a>(start: Figure<'a>, crossing: Figure<'a>, early: bool) -> Figure<'a> {
    let over = start.value_m - crossing.value_m;
    let sigma = libm::hypot(start.sigma_m, crossing.sigma_m);
    // A start cannot show more than there is: then crossings were learnt when a gap was there.
    let start_is_told = over > if early { 0.0 } else { 3.0 * sigma };
    let told = if start_is_told { start } else { crossing };
    Figure {
        lower_bound: told.lower_bound || early,
        ..told
    }
}

impl LostMotion {
    pub fn new() -> Self {
        Self {
            starts: ReversalMeter::default(),
            start: Track::new(),
            healthy: ScalarTracker::default(),
            crossings: CrossingMeter::default(),
            crossing: Track::new(),
            gained_m: 0.0,
        }
    }

    /// After a gap in the samples.
    pub fn interrupt(&mut self) {
        self.starts.clear();
        self.crossings.clear();
    }

    /// In the next run: the direction of the last movement is not known any more. `same_limit`: the life ends where it did; else kinds of
    /// movements that were learnt for another widest gain are learnt again, and what was gained stays.
    pub fn resume(&mut self, same_limit: bool) {
        self.starts = ReversalMeter::default();
        if !same_limit {
            self.crossings.forget_kinds();
        }
    }

    /// See [`ReversalMeter::moved`].
    pub fn moved(&mut self, direction: f64) {
        self.starts.moved(direction);
    }

    /// A cycle at rest or right after a start; the lost motion (m) of a reversal.
    #[inline]
    pub fn at_start(&mut self, plan: &AxisHealthPlan, s: &HealthSample) -> Option<f64> {
        self.starts.push(&plan.meter, s.position_m, s.current_a)
    }

    /// A cycle of an axis whose gap can open; what was gained (m), of a movement that has crossed it.
    #[inline]
    pub fn under_braking(&mut self, plan: &AxisHealthPlan, s: &HealthSample) -> Option<f64> {
        let known = Known {
            gained_m: self.gained_m,
            widest_m: WIDEST * plan.backlash_limit_m,
        };
        let (meter, crossing) = (&plan.meter, &plan.crossing);
        (self.crossings).push(meter, crossing, s.position_m, s.current_a, &known)
    }

    /// Takes in the lost motion of a start.
    pub fn take_start(&mut self, plan: &AxisHealthPlan, way_m: f64, worn: f64) {
        self.start.push(way_m, START_WALK, worn);
        if self.healthy.seen < BASELINE {
            self.healthy.push(way_m, self.start.scatter.sigma(), 0.0);
        }
        self.tell(plan);
    }

    /// Takes in the gain that a crossing has shown.
    pub fn take_crossing(&mut self, plan: &AxisHealthPlan, gain_m: f64, worn: f64) {
        self.crossing.push(gain_m, CROSSING_WALK, worn);
        self.tell(plan);
    }

    fn tell(&mut self, plan: &AxisHealthPlan) {
        let told = self.figure(plan, 0.0).and_then(|figure| {
            let healthy_m = figure.healthy_m?;
            Some((figure.value_m - healthy_m).max(0.0))
        });
        self.gained_m = told.unwrap_or(0.0);
    }

    /// What is known; friction has changed by `friction` (relative) since it was calibrated.
    pub fn figure(&self, plan: &AxisHealthPlan, friction: f64) -> Option<Figure<'_>> {
        if self.start.now.seen == 0 || !plan.meter.observable() {
            return None;
        }
        let healthy_m = (self.healthy.seen >= BASELINE).then_some(self.healthy.x);
        let start = self.of_starts(healthy_m);
        let Some(healthy_m) = healthy_m.filter(|_| self.crossing.now.seen >= CROSSINGS) else {
            return Some(start);
        };
        let crossing = self.of_crossings(plan, healthy_m, friction);
        Some(chosen(start, crossing, self.crossings.leaves_early()))
    }

    fn of_starts(&self, healthy_m: Option<f64>) -> Figure<'_> {
        let now = &self.start.now;
        let of_gain = healthy_m.map_or(0.0, |healthy| {
            let error = START_ERROR * (now.x - healthy);
            self.healthy.variance() + error * error
        });
        Figure {
            value_m: now.x,
            sigma_m: libm::sqrt(now.variance() + of_gain),
            healthy_m,
            lower_bound: self.crossings.brakes(),
            trend: &self.start.trend,
            trend_healthy_m: self.healthy.x,
            error: START_ERROR,
            left_out: self.crossings.left_out(),
        }
    }

    fn of_crossings(&self, plan: &AxisHealthPlan, healthy_m: f64, friction: f64) -> Figure<'_> {
        let (now, scatter) = (&self.crossing.now, self.crossing.scatter.sigma());
        let error = plan.crossing_error * now.x;
        let of_friction = self.crossings.friction_error_m(&plan.crossing, friction);
        let variance = now.variance()
            + scatter * scatter / f64::from(LEARN)
            + error * error
            + of_friction * of_friction;
        Figure {
            value_m: healthy_m + now.x,
            sigma_m: libm::sqrt(variance),
            healthy_m: Some(healthy_m),
            lower_bound: now.x > NEARLY_WIDEST * WIDEST * plan.backlash_limit_m,
            trend: &self.crossing.trend,
            trend_healthy_m: 0.0,
            error: plan.crossing_error,
            left_out: self.crossings.left_out(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{STANDS, plan};
    use super::super::{AxisHealth, AxisHealthPlan};
    use super::*;
    use twinstep_models::health::backlash::MeterParams;
    use twinstep_models::health::crossing::CrossingParams;

    const PERIOD_S: f64 = 0.001;
    const INERTIA: f64 = 0.4;
    const COULOMB_A: f64 = 0.9;

    fn braking_plan() -> AxisHealthPlan {
        AxisHealthPlan {
            meter: MeterParams {
                inertia: INERTIA,
                coulomb_a: COULOMB_A,
                gravity_a: 0.0,
                delay_cycles: 0.0,
                still_m: 2e-6,
                period_s: PERIOD_S,
            },
            crossing: CrossingParams::new(0.0, 0.025, 0.36, PERIOD_S),
            ..plan()
        }
    }

    /// A movement that brakes hard and has no gap: how many crossings it has shown.
    fn brake(health: &mut AxisHealth) -> u32 {
        let before = health.lost_motion.crossing.now.seen;
        let (mut x, mut v, mut a) = (0.0, 0.0_f64, 0.0_f64);
        for cycle in 0..700 {
            let wanted = match cycle {
                0..10 => 0.0,
                10..150 => 5.0_f64.min(((0.5 - v).max(0.0) * 200.0).sqrt()),
                150..400 => 0.0,
                _ => -5.0_f64.min((v.max(0.0) * 200.0).sqrt()),
            };
            a += (wanted - a).clamp(-0.1, 0.1);
            v = (v + a * PERIOD_S).max(0.0);
            x += v * PERIOD_S;
            let friction_a = if v > 0.0 { COULOMB_A } else { 0.0 };
            health.cycle(&HealthSample {
                position_m: x,
                current_a: INERTIA * a + friction_a,
                ..STANDS
            });
        }
        health.lost_motion.crossing.now.seen - before
    }

    #[test]
    fn where_the_load_leaves_early_the_larger_figure_is_a_lower_bound() {
        let trend = Reservoir::default();
        let figure = |value_m: f64, lower_bound| Figure {
            value_m,
            sigma_m: 5e-6,
            healthy_m: Some(4e-6),
            lower_bound,
            trend: &trend,
            trend_healthy_m: 0.0,
            error: 0.1,
            left_out: 0,
        };
        let cases = [
            // Start, crossing, early; what is told, as a lower bound.
            (35e-6, 104e-6, false, 104e-6, false),
            (35e-6, 104e-6, true, 104e-6, true),
            (35e-6, 30e-6, false, 30e-6, false),
            (35e-6, 30e-6, true, 35e-6, true),
            (35e-6, -60e-6, false, 35e-6, true),
        ];
        for (start_m, crossing_m, early, told_m, lower_bound) in cases {
            let told = chosen(figure(start_m, true), figure(crossing_m, false), early);
            assert_eq!((told.value_m, told.lower_bound), (told_m, lower_bound));
        }
    }

    #[test]
    fn kinds_that_were_learnt_for_another_limit_are_learnt_again_and_the_gain_stays() {
        let mut health = AxisHealth::new(braking_plan());
        let shown: u32 = (0..20).map(|_| brake(&mut health)).sum();
        assert!(shown > 8, "{shown}");
        let gained_m = 40e-6;
        health.lost_motion.gained_m = gained_m;
        let resumed = |plan| {
            let mut next = AxisHealth::new(plan);
            assert!(next.resume(&health, 1));
            assert_eq!(next.lost_motion.gained_m, gained_m);
            brake(&mut next)
        };
        assert_eq!(resumed(braking_plan()), 1);
        let wider = AxisHealthPlan {
            backlash_limit_m: 3e-4,
            ..braking_plan()
        };
        assert_eq!(resumed(wider), 0, "it was read too early for such a gap");
    }
}
