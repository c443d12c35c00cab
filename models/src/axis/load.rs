//! `current_load`: the current that the measured motion and the known load explain.
//!
//! # Derivation
//! The inverse dynamics need the acceleration, and nothing but the position is measured well. The second difference over
//! n cycles is, exactly and for any motion, the acceleration averaged with a triangle of width 2 n around its middle:
//!
//! ```text
//! (x[k] - 2 x[k-n] + x[k-2n]) / (n T)^2  =  sum of  x''(t) (n T - |t|) / (n T)^2
//! ```
//!
//! So everything else in the balance is averaged with the same triangle: current minus friction minus contact, sample by
//! sample. The two sides then differ by what the model does not know, whatever the motion does inside the window; friction
//! that changes its sign in the middle of the window is averaged just as the acceleration is. The price is a fixed lag of
//! [`LAG`] cycles, of no account to slow faults.
//!
//! The drive reports its current later than its position (torque filter, latch): sample j of the current is read from the
//! two reports around j + delay.
#![allow(
    clippy::needless_range_loop,
    reason = "a lane index runs over many arrays at once: that is what becomes SIMD"
)]

use super::cascade::dry_friction_a;
use super::params::LaneParams;
use crate::lane::{LANES, Lane, ZERO, clamp};

/// Half width of the triangle (cycles).
pub const HALF_WIDTH: usize = 8;
/// Cycles from a measurement to the middle of the window it completes.
pub const LAG: usize = HALF_WIDTH + DELAY_MAX - 1;
/// Largest delay of the current against the position (cycles).
pub const DELAY_MAX: usize = 2;
/// Places in the rings: a power of two above the window.
const RING: usize = 32;
const MASK: usize = RING - 1;
const _: () = assert!(2 * HALF_WIDTH + DELAY_MAX < RING);

/// Weights of the triangle from its middle outwards; they add up to 1.
const fn weight(distance: usize) -> f64 {
    (HALF_WIDTH - distance) as f64 / (HALF_WIDTH * HALF_WIDTH) as f64
}

/// What the window of eight axes says about its middle sample.
#[derive(Clone, Copy, Debug, PartialEq)]
#[repr(align(64))]
pub struct LoadEstimate {
    /// Measured current, averaged (A).
    pub measured_a: Lane,
    /// Current that model and motion explain (A).
    pub predicted_a: Lane,
    /// Share of the inertia in it (A).
    pub inertial_a: Lane,
    /// Share of the contact force in it (A).
    pub contact_a: Lane,
    /// Position in the middle (m).
    pub position_m: Lane,
    /// Mean velocity over the window (m/s).
    pub velocity_m_per_s: Lane,
    /// Mean acceleration, by the triangle (m/s2).
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

/// The last samples of eight axes.
#[derive(Clone, Copy, Debug, PartialEq)]
#[repr(align(64))]
pub struct LoadWindow {
    position_m: [Lane; RING],
    current_a: [Lane; RING],
    /// Current read where the delay says, one for every sample of the position.
    delayed_a: [Lane; RING],
    /// Friction, gravity and contact at each sample.
    explained_a: [Lane; RING],
    contact_a: [Lane; RING],
    filled: usize,
    head: usize,
}

impl LoadWindow {
    /// Empty.
    pub const EMPTY: Self = Self {
        position_m: [ZERO; RING],
        current_a: [ZERO; RING],
        delayed_a: [ZERO; RING],
        explained_a: [ZERO; RING],
        contact_a: [ZERO; RING],
        filled: 0,
        head: 0,
    };

    /// Takes in one cycle and evaluates the window. `delay_cycles` is -1 to [`DELAY_MAX`].
    ///
    /// Returns false while the window is not full.
    pub fn push(
        &mut self,
        p: &LaneParams,
        delay_cycles: &Lane,
        position_m: &Lane,
        current_a: &Lane,
        contact_a: &Lane,
        out: &mut LoadEstimate,
    ) -> bool {
        let k = self.head;
        let at = |back: usize| (k + RING - back) & MASK;
        self.position_m[k] = *position_m;
        self.current_a[k] = *current_a;
        self.contact_a[k] = *contact_a;
        self.head = (k + 1) & MASK;
        self.filled = if self.filled < RING {
            self.filled + 1
        } else {
            RING
        };

        // The newest sample whose velocity (needs k) is known is k - 1.
        let (newest, middle, oldest) = (at(0), at(1), at(2));
        let per_two_cycles = 0.5 / p.period_s;
        for l in 0..LANES {
            let v = (self.position_m[newest][l] - self.position_m[oldest][l]) * per_two_cycles;
            // Below a hundredth of the Stribeck velocity the sign of the velocity is noise.
            let direction = clamp(v * p.direction_per_v[l], 1.0);
            self.explained_a[middle][l] = dry_friction_a(p, l, v) * direction
                + p.viscous[l] * v
                + p.gravity_a[l]
                + self.contact_a[middle][l];
        }
        // The delay needs at most DELAY_MAX younger samples: each sample is interpolated once, not once per place of the window.
        let (before, i0, i1, i2) = (
            at(DELAY_MAX + 1),
            at(DELAY_MAX),
            at(DELAY_MAX - 1),
            at(DELAY_MAX - 2),
        );
        for l in 0..LANES {
            let d = delay_cycles[l];
            let (c, x, y, z) = (
                self.current_a[before][l],
                self.current_a[i0][l],
                self.current_a[i1][l],
                self.current_a[i2][l],
            );
            let (a, b, share) = if d > 1.0 {
                (y, z, d - 1.0)
            } else if d >= 0.0 {
                (x, y, d)
            } else {
                (c, x, d + 1.0)
            };
            self.delayed_a[i0][l] = a + share * (b - a);
        }
        if self.filled < 2 * HALF_WIDTH + DELAY_MAX {
            return false;
        }

        // Window: positions from centre - n to centre + n, currents up to `delay` later.
        let centre = LAG;
        let span_s = HALF_WIDTH as f64 * p.period_s;
        let (late, mid, early) = (at(centre - HALF_WIDTH), at(centre), at(centre + HALF_WIDTH));
        let mut measured = ZERO;
        let mut explained = ZERO;
        let mut contact = ZERO;
        for n in 0..2 * HALF_WIDTH - 1 {
            let back = centre + HALF_WIDTH - 1 - n;
            let distance = if n + 1 > HALF_WIDTH {
                n + 1 - HALF_WIDTH
            } else {
                HALF_WIDTH - 1 - n
            };
            let w = weight(distance);
            let i0 = at(back);
            for l in 0..LANES {
                measured[l] += w * self.delayed_a[i0][l];
                explained[l] += w * self.explained_a[i0][l];
                contact[l] += w * self.contact_a[i0][l];
            }
        }
        for l in 0..LANES {
            let (x2, x1, x0) = (
                self.position_m[late][l],
                self.position_m[mid][l],
                self.position_m[early][l],
            );
            let a = (x2 - 2.0 * x1 + x0) / (span_s * span_s);
            out.position_m[l] = x1;
            out.velocity_m_per_s[l] = (x2 - x0) / (2.0 * span_s);
            out.acceleration_m_per_s2[l] = a;
            out.inertial_a[l] = p.inertia[l] * a;
            out.contact_a[l] = contact[l];
            out.measured_a[l] = measured[l];
            out.predicted_a[l] = p.inertia[l] * a + explained[l];
        }
        true
    }
}
