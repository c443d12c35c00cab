//! `current_load`: the current that the measured motion and the known load explain.
//!
//! # Derivation
//! The inverse dynamics need the acceleration, and nothing but the position is measured well. The second difference over one
//! cycle is, exactly and for any motion, the acceleration averaged with a triangle of one cycle to both sides:
//!
//! ```text
//! (x[k] - 2 x[k-1] + x[k-2]) / T^2  =  sum of  x''(t) (T - |t|) / T^2   around k - 1
//! ```
//!
//! It is mostly noise, so it passes two equal stages of first order, y += share (x - y), and everything else in the balance
//! passes the same two: current minus friction minus contact, sample by sample. A filter is linear, so the two sides differ by
//! what the model does not know, whatever the motion does; friction that changes its sign on the way is averaged just as the
//! acceleration is. The price is a lag: two stages of `(1 - share) / share` cycles, and [`LAG`] cycles before them. It is of no
//! account to slow faults. A recursive filter needs a few numbers per axis, where a window of the same width needs hundreds.
//!
//! The drive reports its current later than its position (torque filter, latch): the current that belongs to a position is read
//! from the reports around it plus the delay.
#![allow(
    clippy::needless_range_loop,
    reason = "a lane index runs over many arrays at once: that is what becomes SIMD"
)]

use super::cascade::dry_friction_a;
use super::params::LaneParams;
use crate::lane::{LANES, Lane, ZERO, clamp};

/// Cycles from a measurement to the sample that it makes known, before the filter.
pub const LAG: usize = 2;
/// Largest delay of the current against the position (cycles); the smallest is -1.
pub const DELAY_MAX: f64 = 2.0;

/// Half width of the triangle over which calibration averages its balance (cycles): it has all samples at hand.
pub const HALF_WIDTH: usize = 8;

/// Share that each of two stages takes in, so that together they lag by `lag_cycles`, 0 to 10 000.
pub fn share(lag_cycles: f64) -> f64 {
    1.0 / (1.0 + 0.5 * lag_cycles.clamp(0.0, 10_000.0))
}

/// Weights of the currents 0, 1, 2 and 3 cycles ago for the one that belongs to the position 2 cycles ago.
///
/// `delay_cycles` is -1 to [`DELAY_MAX`]; beyond that it is limited.
pub fn delay_weights(delay_cycles: f64) -> [f64; 4] {
    // Cycles ago: 0 at the largest delay, 3 at the smallest.
    let ago = DELAY_MAX - delay_cycles.clamp(-1.0, DELAY_MAX);
    core::array::from_fn(|n| {
        let distance = (ago - n as f64).abs();
        if distance < 1.0 { 1.0 - distance } else { 0.0 }
    })
}

/// What the filter says of eight axes.
#[derive(Clone, Copy, Debug, PartialEq)]
#[repr(align(64))]
pub struct LoadEstimate {
    /// Measured current (A).
    pub measured_a: Lane,
    /// Current that model and motion explain (A).
    pub predicted_a: Lane,
    /// Share of the inertia in it (A).
    pub inertial_a: Lane,
    /// Share of the contact force in it (A).
    pub contact_a: Lane,
    /// Position (m): a force that rises with the way is the same function of it.
    pub position_m: Lane,
    /// Velocity (m/s).
    pub velocity_m_per_s: Lane,
    /// Acceleration (m/s2).
    pub acceleration_m_per_s2: Lane,
}

impl LoadEstimate {
    /// Nothing known yet.
    pub const NONE: Self = Self {
        measured_a: ZERO,
        predicted_a: ZERO,
        inertial_a: ZERO,
        contact_a: ZERO,
        position_m: ZERO,
        velocity_m_per_s: ZERO,
        acceleration_m_per_s2: ZERO,
    };
}

/// The last samples of eight axes, and two stages each of what is filtered.
#[derive(Clone, Copy, Debug, PartialEq)]
#[repr(align(64))]
pub struct LoadFilter {
    /// Positions 1, 2 and 3 cycles ago (m).
    position_m: [Lane; 3],
    /// Currents, likewise (A).
    current_a: [Lane; 3],
    /// Contact currents 1 and 2 cycles ago (A).
    contact_a: [Lane; 2],
    /// Position (m).
    position: [Lane; 2],
    /// Way per cycle (m).
    way: [Lane; 2],
    /// Measured current (A).
    measured: [Lane; 2],
    /// Friction, gravity and contact (A).
    explained: [Lane; 2],
    /// Contact alone (A).
    contact: [Lane; 2],
}

impl LoadFilter {
    /// Nothing seen yet.
    pub const EMPTY: Self = Self {
        position_m: [ZERO; 3],
        current_a: [ZERO; 3],
        contact_a: [ZERO; 2],
        position: [ZERO; 2],
        way: [ZERO; 2],
        measured: [ZERO; 2],
        explained: [ZERO; 2],
        contact: [ZERO; 2],
    };

    /// Puts axis `l` at rest where it was measured: after a start or a gap there is no motion to be filtered.
    pub fn lock(&mut self, l: usize, position_m: f64, current_a: f64, gravity_a: f64) {
        for x in self.position_m.iter_mut().chain(&mut self.position) {
            x[l] = position_m;
        }
        for i in self.current_a.iter_mut().chain(&mut self.measured) {
            i[l] = current_a;
        }
        for e in &mut self.explained {
            e[l] = gravity_a;
        }
        for c in self.contact_a.iter_mut().chain(&mut self.contact) {
            c[l] = 0.0;
        }
        for w in &mut self.way {
            w[l] = 0.0;
        }
    }

    /// What the coming cycle makes known before it is filtered: the position [`LAG`] cycles ago (m), and the current (A) that
    /// belongs to it.
    pub fn aligned(&self, p: &LaneParams, current_a: &Lane) -> (Lane, Lane) {
        let (w, i) = (&p.delay_weight, &self.current_a);
        let aligned = core::array::from_fn(|l| {
            w[0][l] * current_a[l] + w[1][l] * i[0][l] + w[2][l] * i[1][l] + w[3][l] * i[2][l]
        });
        (self.position_m[1], aligned)
    }

    /// Takes in one cycle of eight axes and says what it makes known.
    #[inline(always)]
    pub fn push(
        &mut self,
        p: &LaneParams,
        position_m: &Lane,
        current_a: &Lane,
        contact_a: &Lane,
    ) -> LoadEstimate {
        self.take_in::<true>(p, position_m, current_a, contact_a)
    }

    /// [`Self::push`] of axes none of which ever touches a part.
    #[inline(always)]
    pub fn push_free(
        &mut self,
        p: &LaneParams,
        position_m: &Lane,
        current_a: &Lane,
    ) -> LoadEstimate {
        self.take_in::<false>(p, position_m, current_a, &ZERO)
    }

    #[inline(always)]
    fn take_in<const TOUCHES: bool>(
        &mut self,
        p: &LaneParams,
        position_m: &Lane,
        current_a: &Lane,
        contact_a: &Lane,
    ) -> LoadEstimate {
        let mut out = LoadEstimate::NONE;
        let per_s = p.per_s;
        for l in 0..LANES {
            let [x1, x2, x3] = [
                self.position_m[0][l],
                self.position_m[1][l],
                self.position_m[2][l],
            ];
            let [i1, i2, i3] = [
                self.current_a[0][l],
                self.current_a[1][l],
                self.current_a[2][l],
            ];
            let [c1, c2] = if TOUCHES {
                [self.contact_a[0][l], self.contact_a[1][l]]
            } else {
                [0.0; 2]
            };
            // The sample two cycles ago: its velocity needs its neighbours.
            let v = (x1 - x3) * (0.5 * per_s);
            // Below a hundredth of the Stribeck velocity the sign of the velocity is noise.
            let direction = clamp(v * p.direction_per_v[l], 1.0);
            let explained =
                dry_friction_a(p, l, v) * direction + p.viscous[l] * v + p.gravity_a[l] + c2;
            let w = &p.delay_weight;
            let measured = w[0][l] * current_a[l] + w[1][l] * i1 + w[2][l] * i2 + w[3][l] * i3;

            let share = p.load_share[l];
            let filter = |stages: &mut [Lane; 2], x: f64| {
                let first = stages[0][l] + share * (x - stages[0][l]);
                let second = stages[1][l] + share * (first - stages[1][l]);
                stages[0][l] = first;
                stages[1][l] = second;
                second
            };
            // The way from the sample before to this one is filtered, and so is its change to the next: the acceleration.
            let before = self.way[1][l];
            let way = filter(&mut self.way, x1 - x2);
            let acceleration = (way - before) * (per_s * per_s);
            let contact = if TOUCHES {
                filter(&mut self.contact, c2)
            } else {
                0.0
            };
            out.position_m[l] = filter(&mut self.position, x2);
            let explained = filter(&mut self.explained, explained);
            let measured = filter(&mut self.measured, measured);
            let inertial = p.inertia[l] * acceleration;
            out.measured_a[l] = measured;
            out.predicted_a[l] = inertial + explained;
            out.inertial_a[l] = inertial;
            out.contact_a[l] = contact;
            out.velocity_m_per_s[l] = 0.5 * (way + before) * per_s;
            out.acceleration_m_per_s2[l] = acceleration;

            self.position_m[2][l] = x2;
            self.position_m[1][l] = x1;
            self.position_m[0][l] = position_m[l];
            self.current_a[2][l] = i2;
            self.current_a[1][l] = i1;
            self.current_a[0][l] = current_a[l];
            if TOUCHES {
                self.contact_a[1][l] = c1;
                self.contact_a[0][l] = contact_a[l];
            }
        }
        out
    }
}
