//! What an axis is doing, told from the filtered motion of [`crate::axis::load`], and sums over the stretches in which it does
//! one thing.
//!
//! A segment is a stretch in which regime and directions stay the same. While it lasts, a cycle only adds to its sums, eight
//! axes at a time; what a movement's figures are made of is decided when it ends (see [`crate::blocks`]), a few times a second.
//!
//! What an axis does is a bit of a byte for each of the eight, so that a few operations on bytes classify all of them.

mod doing;

use crate::axis::load::{Balance, Motion};
use crate::channel::Regime;
use crate::lane::{LANES, Lane, Narrow, ZERO, rounded_down};
use crate::rest::RestSum;
use crate::simd::{Slim, Vector};
use doing::{Does, Doing};

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
#[repr(C, align(64))]
pub struct RegimeLane {
    standstill_m_per_s: Narrow,
    steady_m_per_s2: Narrow,
    /// Read for presses alone.
    pressing_a: Narrow,
    /// Read when an axis turns around.
    reversal_cycles: [u32; LANES],
}

impl RegimeLane {
    /// Bytes of it that not every cycle reads.
    pub const RARE_BYTES: usize = size_of::<Narrow>() + size_of::<[u32; LANES]>();

    /// Builds the lane for up to eight axes.
    pub fn new(axes: impl Iterator<Item = RegimeParams>) -> Self {
        let mut lane = Self {
            standstill_m_per_s: [1.0; LANES],
            steady_m_per_s2: [1.0; LANES],
            pressing_a: [1.0; LANES],
            reversal_cycles: [0; LANES],
        };
        for (l, p) in axes.take(LANES).enumerate() {
            lane.standstill_m_per_s[l] = rounded_down(p.standstill_m_per_s);
            lane.steady_m_per_s2[l] = rounded_down(p.steady_m_per_s2);
            lane.reversal_cycles[l] = p.reversal_cycles;
            lane.pressing_a[l] = rounded_down(p.pressing_a);
        }
        lane
    }
}

/// Cycles at rest after which a movement is over.
pub const STILL: u8 = 10;

/// What of the motion of eight axes is beyond its bounds: a bit for each axis.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    forward: u8,
    backward: u8,
    speeding: u8,
    slowing: u8,
    pushed: u8,
    pulled: u8,
}

impl Seen {
    /// Takes in a part: its motion and, of presses, the contact current (A).
    #[inline(always)]
    pub fn put<V: Vector>(
        &mut self,
        p: &RegimeLane,
        motion: &Motion<V>,
        contact_a: Option<V>,
        part: usize,
    ) {
        let (above, below) = beyond(motion.velocity_m_per_s, &p.standstill_m_per_s, part);
        self.forward |= above;
        self.backward |= below;
        let (above, below) = beyond(motion.acceleration_m_per_s2, &p.steady_m_per_s2, part);
        self.speeding |= above;
        self.slowing |= below;
        if let Some(contact_a) = contact_a {
            let (above, below) = beyond(contact_a, &p.pressing_a, part);
            self.pushed |= above;
            self.pulled |= below;
        }
    }
}

/// Bits of what is above `bound`, and of what is below `-bound`.
#[inline(always)]
fn beyond<V: Vector>(x: V, bound: &Narrow, part: usize) -> (u8, u8) {
    let bound = V::widen(bound, part);
    let minus = V::splat(0.0) - x;
    (
        V::bits(x.above(bound), part),
        V::bits(minus.above(bound), part),
    )
}

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
    /// Constant load of the axis (A).
    pub gravity_a: f64,
}

/// What eight axes are doing. It is small: a lane has it beside other small things, in one line of the cache.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Course {
    /// Cycles classified so far.
    cycle: u64,
    /// The next cycle in which some reversal is over, or some axis has rested for [`STILL`] cycles, if it goes on.
    next: u64,
    doing: Doing,
    /// The movement in progress goes forward, backward; neither at standstill.
    direction: [u8; 2],
    /// The last movement did; neither when it has not moved yet.
    last_direction: [u8; 2],
    /// Some of the reversal is left.
    reverses: u8,
    /// It rests.
    rests: u8,
    /// It has rested for [`STILL`] cycles.
    rested: u8,
}

/// The segments in progress of eight axes: see [`Course`].
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[repr(align(64))]
pub struct Segments {
    measured_a: Lane,
    predicted_a: Lane,
    inertial_a: Lane,
    velocity_m_per_s: Lane,
    innovation_square: Narrow,
    residual_square: Lane,
    disturbance_a: Lane,
    rare: Rare,
}

/// What of [`Segments`] is touched when something begins or ends; the contact currents in every cycle of presses.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[repr(align(64))]
struct Rare {
    /// First cycle of the segment.
    began: [u64; LANES],
    /// Cycle in which the reversal is over.
    reversal_ends: [u64; LANES],
    /// Cycle in which it has rested for [`STILL`] cycles.
    rest_ends: [u64; LANES],
    /// Contact currents of presses (A).
    contact_a: Lane,
}

/// One cycle of eight axes, classified.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Classified {
    doing: Doing,
    /// A bit for each axis whose segment ends with this cycle.
    ended: u8,
    /// A bit for each axis whose movement does.
    pub movement_ended: u8,
}

impl Classified {
    /// Bits of the axes of which something has ended.
    #[inline(always)]
    pub const fn attention(&self) -> u8 {
        self.ended | self.movement_ended
    }
}

impl Course {
    /// Nothing seen yet: settling.
    pub const NEW: Self = Self {
        cycle: 0,
        next: u64::MAX,
        doing: Doing::NEW,
        direction: [0; 2],
        last_direction: [0; 2],
        reverses: 0,
        rests: 0,
        rested: 0,
    };

    /// Classifies one cycle. `settling` has a bit where nothing may be judged: it forgets the movement.
    ///
    /// Where a segment has ended it must be taken by [`Self::ended`]; then [`Self::begin`] and [`Segments::add`] follow.
    #[inline(always)]
    pub fn classify(
        &mut self,
        segments: &mut Segments,
        p: &RegimeLane,
        seen: &Seen,
        settling: u8,
    ) -> Classified {
        self.cycle += 1;
        let moves = seen.forward | seen.backward;
        let judged = !settling;
        let [forward, backward] = self.direction;
        let starts = moves & ((seen.forward ^ forward) | (seen.backward ^ backward));
        let [last_forward, last_backward] = self.last_direction;
        let turns = starts & ((seen.forward & last_backward) | (seen.backward & last_forward));
        self.direction = [seen.forward & judged, seen.backward & judged];
        let last = |old: u8, new: u8| ((old & !starts) | (new & starts)) & judged;
        self.last_direction = [
            last(last_forward, seen.forward),
            last(last_backward, seen.backward),
        ];
        let stands = judged & !moves;
        let turns = turns & judged;
        let comes_to_rest = stands & !self.rests;
        self.reverses &= moves & judged & !starts;
        self.rests = stands;
        self.rested &= stands;
        let mut movement_ended = 0;
        if turns | comes_to_rest != 0 || self.cycle == self.next {
            movement_ended = self.turn(&mut segments.rare, p, turns, comes_to_rest);
        }
        let reverses = self.reverses;
        let goes = judged & moves & !reverses;
        let pressing = goes & (seen.pushed | seen.pulled);
        let acceleration = goes & !pressing & (seen.speeding | seen.slowing);
        let up = (pressing & seen.pushed) | (acceleration & seen.speeding);
        let doing = Doing::NONE
            .with(Does::Settling, settling)
            .with(Does::Standstill, stands)
            .with(Does::Reversal, reverses)
            .with(Does::Pressing, pressing)
            .with(Does::Acceleration, acceleration)
            .with(Does::Forward, goes & seen.forward)
            .with(Does::Up, up);
        Classified {
            doing,
            ended: doing.differ(self.doing),
            movement_ended,
        }
    }

    /// Some axes turn around or come to rest in this cycle, or what began so is over. Returns those whose movement is over with it.
    #[inline(never)]
    fn turn(&mut self, rare: &mut Rare, p: &RegimeLane, turns: u8, comes_to_rest: u8) -> u8 {
        let now = self.cycle;
        for (l, bit) in each(turns) {
            self.reverses |= bit;
            rare.reversal_ends[l] = now + u64::from(p.reversal_cycles[l]);
        }
        for (l, _) in each(comes_to_rest) {
            rare.rest_ends[l] = now + u64::from(STILL - 1);
        }
        self.next = u64::MAX;
        for (l, bit) in each(self.reverses) {
            if rare.reversal_ends[l] > now {
                self.next = self.next.min(rare.reversal_ends[l]);
            } else {
                self.reverses &= !bit;
            }
        }
        let mut ended = 0;
        for (l, bit) in each(self.rests & !self.rested) {
            if rare.rest_ends[l] > now {
                self.next = self.next.min(rare.rest_ends[l]);
            } else {
                ended |= bit;
            }
        }
        self.rested |= ended;
        ended
    }

    /// Begins new segments where others have ended.
    #[inline(always)]
    pub fn begin<V: Vector>(&mut self, segments: &mut Segments, c: &Classified) {
        self.doing = c.doing;
        if c.ended != 0 {
            for (l, _) in each(c.ended) {
                segments.rare.began[l] = self.cycle;
            }
            for part in 0..V::PARTS {
                let ended = V::mask(c.ended, part);
                for sum in [
                    &mut segments.measured_a,
                    &mut segments.predicted_a,
                    &mut segments.inertial_a,
                    &mut segments.velocity_m_per_s,
                    &mut segments.residual_square,
                    &mut segments.disturbance_a,
                    &mut segments.rare.contact_a,
                ] {
                    V::select(ended, V::splat(0.0), V::load(sum, part)).store(sum, part);
                }
            }
            let goes_on = V::Slim::mask(!c.ended);
            let largest = V::Slim::load(&segments.innovation_square);
            largest.kept(goes_on).store(&mut segments.innovation_square);
        }
    }

    /// The segment of axis `l` that the classified cycle ends, if it does: all but its constant load.
    pub fn ended(&self, segments: &Segments, c: &Classified, l: usize) -> Option<Segment> {
        let (regime, up) = (self.regime(l), self.doing.is(Does::Up, l));
        (c.ended & (1 << l) != 0).then(|| Segment {
            regime,
            forward: self.doing.is(Does::Forward, l),
            speeding: up && regime == Regime::Acceleration,
            into: up && regime == Regime::Pressing,
            cycles: (self.cycle - segments.rare.began[l]) as f64,
            measured_a: segments.measured_a[l],
            predicted_a: segments.predicted_a[l],
            inertial_a: segments.inertial_a[l],
            contact_a: segments.rare.contact_a[l],
            velocity_m_per_s: segments.velocity_m_per_s[l],
            innovation_square: f64::from(segments.innovation_square[l]),
            residual_square: segments.residual_square[l],
            disturbance_a: segments.disturbance_a[l],
            gravity_a: 0.0,
        })
    }

    /// The axes that have rested for [`STILL`] cycles: a bit for each.
    #[inline(always)]
    pub const fn rested(&self) -> u8 {
        self.rested
    }

    /// The rest of axis `l` as it is summed up so far, the cycle that was added last included; its stage and its step are not known here.
    pub fn rest(&self, segments: &Segments, l: usize) -> RestSum {
        let began = segments.rare.began[l];
        RestSum {
            began,
            cycles: (self.cycle + 1).saturating_sub(began),
            measured_a: segments.measured_a[l],
            stage: 0,
            step: 0,
        }
    }

    /// The axes that accelerate, and all that go somewhere in a regime of which a pace is known: a bit for each.
    #[inline(always)]
    pub const fn paced(&self) -> [u8; 2] {
        let has_none = self.doing.bits(Does::Settling)
            | self.doing.bits(Does::Standstill)
            | self.doing.bits(Does::Reversal);
        [self.doing.bits(Does::Acceleration), !has_none]
    }

    /// Whether axis `l` moves forward.
    pub const fn is_forward(&self, l: usize) -> bool {
        self.doing.is(Does::Forward, l)
    }

    /// Regime of axis `l`.
    pub fn regime(&self, l: usize) -> Regime {
        self.doing.regime(l)
    }
}

impl Segments {
    /// Nothing summed up yet.
    pub const NEW: Self = Self {
        measured_a: ZERO,
        predicted_a: ZERO,
        inertial_a: ZERO,
        velocity_m_per_s: ZERO,
        innovation_square: [0.0; LANES],
        residual_square: ZERO,
        disturbance_a: ZERO,
        rare: Rare {
            began: [1; LANES],
            reversal_ends: [0; LANES],
            rest_ends: [0; LANES],
            contact_a: ZERO,
        },
    };

    /// Bytes of it that a cycle does not touch as a rule.
    pub const RARE_BYTES: usize = size_of::<Rare>();

    /// Adds the cycle to the segments in progress: what the load explains, velocity (m/s) and disturbance of the observer (A).
    #[inline(always)]
    pub fn add<V: Vector>(
        &mut self,
        balance: &Balance<V>,
        velocity_m_per_s: V,
        disturbance_a: V,
        part: usize,
    ) {
        plus(&mut self.measured_a, balance.measured_a, part);
        plus(&mut self.predicted_a, balance.predicted_a, part);
        plus(&mut self.inertial_a, balance.inertial_a, part);
        plus(&mut self.velocity_m_per_s, velocity_m_per_s, part);
        plus(&mut self.disturbance_a, disturbance_a, part);
        let residual = balance.measured_a - balance.predicted_a;
        plus(&mut self.residual_square, residual * residual, part);
    }

    /// Takes in the mean square of the innovation of current (A2) of all of them.
    #[inline(always)]
    pub fn add_square<V: Vector>(&mut self, innovation_square: &Narrow) {
        V::Slim::load(innovation_square)
            .larger(V::Slim::load(&self.innovation_square))
            .store(&mut self.innovation_square);
    }

    /// Adds the contact current of presses (A).
    #[inline(always)]
    pub fn add_contact<V: Vector>(&mut self, contact_a: V, part: usize) {
        plus(&mut self.rare.contact_a, contact_a, part);
    }
}

/// The places whose bits are set, each with its bit.
#[inline(always)]
fn each(mut bits: u8) -> impl Iterator<Item = (usize, u8)> {
    core::iter::from_fn(move || {
        let l = bits.trailing_zeros() as usize;
        let bit = bits & bits.wrapping_neg();
        bits ^= bit;
        (bit != 0 && l < LANES).then_some((l, bit))
    })
}

#[inline(always)]
fn plus<V: Vector>(sum: &mut Lane, x: V, part: usize) {
    (V::load(sum, part) + x).store(sum, part);
}

#[cfg(test)]
mod tests;
