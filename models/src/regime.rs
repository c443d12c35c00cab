//! What an axis is doing, told from the filtered motion of [`crate::axis::load`], and sums over the stretches in which it does
//! one thing.
//!
//! A segment is a stretch in which regime and directions stay the same. While it lasts, a cycle only adds to its sums, eight
//! axes at a time; what a movement's figures are made of is decided when it ends (see [`crate::blocks`]), a few times a second.
#![allow(
    clippy::needless_range_loop,
    reason = "a lane index runs over many arrays at once: that is what becomes SIMD"
)]

use crate::axis::load::LoadEstimate;
use crate::channel::Regime;
use crate::lane::{LANES, Lane, ZERO};

/// When a motion counts as what.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RegimeParams {
    /// Below this an axis stands (m/s, > 0).
    pub standstill_m_per_s: f64,
    /// Above this it speeds up or slows down (m/s2, > 0).
    pub steady_m_per_s2: f64,
    /// Cycles after a start in the other direction that count as reversal.
    pub reversal_cycles: u32,
    /// Contact current beyond which, in either direction, a press presses (A).
    pub pressing_a: f64,
}

impl RegimeParams {
    /// Fills unused places of a lane.
    pub const IDLE: Self = Self {
        standstill_m_per_s: 1.0,
        steady_m_per_s2: 1.0,
        reversal_cycles: 0,
        pressing_a: 1.0,
    };
}

/// [`RegimeParams`] of eight axes.
#[derive(Clone, Copy, Debug, PartialEq)]
#[repr(align(64))]
pub struct RegimeLane {
    standstill_m_per_s: Lane,
    steady_m_per_s2: Lane,
    reversal_cycles: Lane,
    pressing_a: Lane,
}

impl RegimeLane {
    /// Builds the lane for up to eight axes.
    pub fn new(axes: impl Iterator<Item = RegimeParams>) -> Self {
        let mut lane = Self {
            standstill_m_per_s: [1.0; LANES],
            steady_m_per_s2: [1.0; LANES],
            reversal_cycles: ZERO,
            pressing_a: [1.0; LANES],
        };
        for (l, p) in axes.take(LANES).enumerate() {
            lane.standstill_m_per_s[l] = p.standstill_m_per_s;
            lane.steady_m_per_s2[l] = p.steady_m_per_s2;
            lane.reversal_cycles[l] = f64::from(p.reversal_cycles);
            lane.pressing_a[l] = p.pressing_a;
        }
        lane
    }
}

/// Cycles at rest after which a movement is over.
pub const STILL: f64 = 10.0;

/// Regime and directions as one number: the regime's code times 8, and a bit for each direction that matters in it.
const FORWARD: f64 = 1.0;
const SPEEDING: f64 = 2.0;
const INTO: f64 = 4.0;

/// A stretch of one axis in which regime and directions stayed the same.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Segment {
    /// Regime.
    pub regime: Regime,
    /// The velocity was positive.
    pub forward: bool,
    /// The acceleration was positive (in [`Regime::Acceleration`]).
    pub speeding: bool,
    /// The contact force was positive (in [`Regime::Pressing`]).
    pub into: bool,
    /// Cycles.
    pub cycles: f64,
    /// Sum of the measured current (A).
    pub measured_a: f64,
    /// Sum of the predicted current (A).
    pub predicted_a: f64,
    /// Sum of the inertial share of it (A).
    pub inertial_a: f64,
    /// Sum of the contact share of it (A).
    pub contact_a: f64,
    /// Sum of the velocity (m/s).
    pub velocity_m_per_s: f64,
    /// Largest mean square of the one-cycle innovation of current (A2).
    pub innovation_square: f64,
    /// Sum of the square of the residual, measured minus predicted current (A2).
    pub residual_square: f64,
    /// Sum of the observer's disturbance (A): the current that nothing in the model explains.
    pub disturbance_a: f64,
}

/// The segments in progress of eight axes.
#[derive(Clone, Copy, Debug, PartialEq)]
#[repr(align(64))]
pub struct Segments {
    /// Direction of the last movement: -1, 1, or 0 when it has not moved yet.
    last_direction: Lane,
    /// Direction of the movement in progress, 0 at standstill.
    direction: Lane,
    reversal_left: Lane,
    still: Lane,
    id: Lane,
    cycles: Lane,
    measured_a: Lane,
    predicted_a: Lane,
    inertial_a: Lane,
    contact_a: Lane,
    velocity_m_per_s: Lane,
    innovation_square: Lane,
    residual_square: Lane,
    disturbance_a: Lane,
}

/// One cycle of eight axes, classified.
#[derive(Clone, Copy, Debug, PartialEq)]
#[repr(align(64))]
pub struct Classified {
    id: Lane,
    /// 1 where a segment has ended in this cycle, or a movement has: see [`Segments::movement_ended`].
    pub attention: Lane,
}

const SETTLING: f64 = Regime::Settling as u8 as f64 * 8.0;

impl Segments {
    /// Nothing seen yet: settling.
    pub const NEW: Self = Self {
        last_direction: ZERO,
        direction: ZERO,
        reversal_left: ZERO,
        still: ZERO,
        id: [SETTLING; LANES],
        cycles: ZERO,
        measured_a: ZERO,
        predicted_a: ZERO,
        inertial_a: ZERO,
        contact_a: ZERO,
        velocity_m_per_s: ZERO,
        innovation_square: ZERO,
        residual_square: ZERO,
        disturbance_a: ZERO,
    };

    /// Classifies one cycle. `settling` is 1 where nothing may be judged: it forgets the movement.
    #[inline(always)]
    pub fn classify(&mut self, p: &RegimeLane, s: &LoadEstimate, settling: &Lane) -> Classified {
        let mut out = Classified {
            id: ZERO,
            attention: ZERO,
        };
        for l in 0..LANES {
            let v = s.velocity_m_per_s[l];
            let (a, c) = (s.acceleration_m_per_s2[l], s.contact_a[l]);
            let forward = v > p.standstill_m_per_s[l];
            let backward = v < -p.standstill_m_per_s[l];
            let direction = if forward {
                1.0
            } else if backward {
                -1.0
            } else {
                0.0
            };
            let moves = forward | backward;
            let starts = moves & (direction != self.direction[l]);
            let turns = starts & (self.last_direction[l] == -direction);
            let left = if turns { p.reversal_cycles[l] } else { 0.0 };
            let left = if starts { left } else { self.reversal_left[l] };
            let reverses = moves & (left > 0.0);
            let presses = (c > p.pressing_a[l]) | (c < -p.pressing_a[l]);
            let speeds = (a > p.steady_m_per_s2[l]) | (a < -p.steady_m_per_s2[l]);
            let ahead = if forward { FORWARD } else { 0.0 };
            let regime = |r: Regime| 8.0 * r as u8 as f64;
            let id = if presses {
                regime(Regime::Pressing) + ahead + if c > 0.0 { INTO } else { 0.0 }
            } else if speeds {
                regime(Regime::Acceleration) + ahead + if a > 0.0 { SPEEDING } else { 0.0 }
            } else {
                regime(Regime::ConstantSpeed) + ahead
            };
            let id = if reverses {
                regime(Regime::Reversal)
            } else {
                id
            };
            let id = if moves {
                id
            } else {
                regime(Regime::Standstill)
            };
            let judged = settling[l] == 0.0;
            let id = if judged { id } else { SETTLING };
            let left = if reverses { left - 1.0 } else { 0.0 };
            self.reversal_left[l] = if judged { left } else { 0.0 };
            let last = if starts {
                direction
            } else {
                self.last_direction[l]
            };
            self.last_direction[l] = if judged { last } else { 0.0 };
            self.direction[l] = if judged { direction } else { 0.0 };
            let still = if moves { 0.0 } else { self.still[l] + 1.0 };
            // It stops counting once it has been told: a count without end would lose its last bit one day.
            let still = if still > STILL + 1.0 {
                STILL + 1.0
            } else {
                still
            };
            self.still[l] = if judged { still } else { 0.0 };
            let ends = (id != self.id[l]) | (self.still[l] == STILL);
            out.id[l] = id;
            out.attention[l] = if ends { 1.0 } else { 0.0 };
        }
        out
    }

    /// Adds the cycle to the segments; those that [`Segments::ended`] must be taken before.
    #[inline(always)]
    pub fn add(
        &mut self,
        c: &Classified,
        s: &LoadEstimate,
        innovation_square: &Lane,
        disturbance_a: &Lane,
    ) {
        for l in 0..LANES {
            let same = c.id[l] == self.id[l];
            let kept = |sum: f64| if same { sum } else { 0.0 };
            self.cycles[l] = kept(self.cycles[l]) + 1.0;
            self.measured_a[l] = kept(self.measured_a[l]) + s.measured_a[l];
            self.predicted_a[l] = kept(self.predicted_a[l]) + s.predicted_a[l];
            let residual = s.measured_a[l] - s.predicted_a[l];
            self.residual_square[l] = kept(self.residual_square[l]) + residual * residual;
            self.inertial_a[l] = kept(self.inertial_a[l]) + s.inertial_a[l];
            self.contact_a[l] = kept(self.contact_a[l]) + s.contact_a[l];
            self.velocity_m_per_s[l] = kept(self.velocity_m_per_s[l]) + s.velocity_m_per_s[l];
            let (largest, new) = (kept(self.innovation_square[l]), innovation_square[l]);
            self.innovation_square[l] = if new > largest { new } else { largest };
            self.disturbance_a[l] = kept(self.disturbance_a[l]) + disturbance_a[l];
            self.id[l] = c.id[l];
        }
    }

    /// The segment of axis `l` that the classified cycle ends, if it does.
    pub fn ended(&self, c: &Classified, l: usize) -> Option<Segment> {
        (c.id[l] != self.id[l]).then(|| Segment {
            regime: regime_of(self.id[l]),
            forward: bit(self.id[l], FORWARD),
            speeding: bit(self.id[l], SPEEDING),
            into: bit(self.id[l], INTO),
            cycles: self.cycles[l],
            measured_a: self.measured_a[l],
            predicted_a: self.predicted_a[l],
            inertial_a: self.inertial_a[l],
            contact_a: self.contact_a[l],
            velocity_m_per_s: self.velocity_m_per_s[l],
            innovation_square: self.innovation_square[l],
            residual_square: self.residual_square[l],
            disturbance_a: self.disturbance_a[l],
        })
    }

    /// Axis `l` has been at rest for so long that its movement is over.
    pub fn movement_ended(&self, l: usize) -> bool {
        self.still[l] == STILL
    }

    /// Regime of axis `l`.
    pub fn regime(&self, l: usize) -> Regime {
        regime_of(self.id[l])
    }
}

fn bit(id: f64, bit: f64) -> bool {
    id as u8 & bit as u8 != 0
}

fn regime_of(id: f64) -> Regime {
    let code = usize::from(id as u8 / 8);
    Regime::ALL.get(code).copied().unwrap_or(Regime::Settling)
}

#[cfg(test)]
mod tests {
    use super::*;

    const P: RegimeParams = RegimeParams {
        standstill_m_per_s: 0.001,
        steady_m_per_s2: 0.1,
        reversal_cycles: 3,
        pressing_a: 0.1,
    };

    /// Feeds (velocity, acceleration, contact) to one place of a lane.
    fn feed(segments: &mut Segments, v: f64, a: f64, c: f64) -> (Regime, Option<Segment>) {
        let lane = RegimeLane::new([P; LANES].into_iter());
        let mut s = LoadEstimate::NONE;
        s.velocity_m_per_s[3] = v;
        s.acceleration_m_per_s2[3] = a;
        s.contact_a[3] = c;
        s.measured_a[3] = 1.0;
        let classified = segments.classify(&lane, &s, &ZERO);
        let ended = segments.ended(&classified, 3);
        assert_eq!(
            classified.attention[3] == 1.0,
            ended.is_some() || segments.movement_ended(3)
        );
        segments.add(&classified, &s, &ZERO, &[0.5; LANES]);
        (segments.regime(3), ended)
    }

    #[test]
    fn a_stroke_passes_through_its_regimes() {
        let mut s = Segments::NEW;
        let mut seen = Vec::new();
        for (v, a, c) in [
            (0.0, 0.0, 0.0),
            (0.01, 1.0, 0.0),
            (0.1, 0.0, 0.0),
            (0.1, 0.0, 0.5),
            (0.0, 0.0, 0.5),
            (-0.01, -1.0, 0.0),
            (-0.1, -1.0, 0.0),
            (-0.1, -1.0, 0.0),
            (-0.1, -1.0, 0.0),
            (-0.1, 0.0, 0.0),
        ] {
            seen.push(feed(&mut s, v, a, c).0);
        }
        use Regime::*;
        assert_eq!(
            seen,
            [
                Standstill,
                Acceleration,
                ConstantSpeed,
                Pressing,
                Standstill,
                Reversal,
                Reversal,
                Reversal,
                Acceleration,
                ConstantSpeed
            ]
        );
    }

    #[test]
    fn a_start_in_the_same_direction_is_no_reversal() {
        let mut s = Segments::NEW;
        feed(&mut s, 0.1, 0.0, 0.0);
        feed(&mut s, 0.0, 0.0, 0.0);
        assert_eq!(feed(&mut s, 0.1, 0.0, 0.0).0, Regime::ConstantSpeed);
    }

    #[test]
    fn a_segment_ends_with_its_regime_and_holds_its_sums() {
        let mut s = Segments::NEW;
        feed(&mut s, 0.0, 0.0, 0.0);
        for n in 0..5 {
            let ended = feed(&mut s, 0.1, 0.0, 0.0).1;
            assert_eq!(ended.is_some(), n == 0);
        }
        let ended = feed(&mut s, -0.1, 0.0, 0.0)
            .1
            .expect("the way forward ends");
        assert_eq!(
            (ended.regime, ended.forward, ended.cycles),
            (Regime::ConstantSpeed, true, 5.0)
        );
        assert_eq!(ended.measured_a, 5.0);
        assert_eq!(ended.residual_square, 5.0);
        assert_eq!(ended.disturbance_a, 2.5);
        assert!((ended.velocity_m_per_s - 0.5).abs() < 1e-12);
    }

    #[test]
    fn a_movement_ends_once() {
        let mut s = Segments::NEW;
        feed(&mut s, 0.1, 0.0, 0.0);
        let ends = (0..40)
            .filter(|_| {
                feed(&mut s, 0.0, 0.0, 0.0);
                s.movement_ended(3)
            })
            .count();
        assert_eq!(ends, 1);
    }
}
