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

use super::params::LaneParams;
use crate::lane::{Lane, ZERO};
use crate::simd::Vector;

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

/// What the filter says of one axis.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct LoadEstimate {
    /// Measured current (A).
    pub measured_a: f64,
    /// Current that model and motion explain (A).
    pub predicted_a: f64,
    /// Position (m): a force that rises with the way is the same function of it.
    pub position_m: f64,
    /// Velocity (m/s).
    pub velocity_m_per_s: f64,
    /// Acceleration (m/s2).
    pub acceleration_m_per_s2: f64,
}

/// The filtered motion of several axes.
#[derive(Clone, Copy)]
pub struct Motion<V> {
    /// Velocity (m/s).
    pub velocity_m_per_s: V,
    /// Acceleration (m/s2).
    pub acceleration_m_per_s2: V,
}

/// The filtered balance of several axes.
#[derive(Clone, Copy)]
pub struct Balance<V> {
    /// Measured current (A).
    pub measured_a: V,
    /// Current that model and motion explain (A).
    pub predicted_a: V,
    /// Share of the inertia in it (A).
    pub inertial_a: V,
}

/// The last samples of eight axes, and two stages each of what is filtered.
#[derive(Clone, Copy, Debug, PartialEq)]
#[repr(align(64))]
pub struct LoadFilter {
    /// Way per cycle (m).
    way: [Lane; 2],
    /// The filtered way of the cycle before (m).
    before: Lane,
    /// Positions 1, 2 and 3 cycles ago (m).
    position_m: [Lane; 3],
    /// Currents, likewise (A).
    current_a: [Lane; 3],
    /// Position (m).
    position: [Lane; 2],
    /// Measured current (A).
    measured: [Lane; 2],
    /// Friction, gravity and contact (A).
    explained: [Lane; 2],
    /// The current that was explained last (A).
    pub predicted_a: Lane,
}

impl LoadFilter {
    /// Nothing seen yet.
    pub const EMPTY: Self = Self {
        way: [ZERO; 2],
        before: ZERO,
        position_m: [ZERO; 3],
        current_a: [ZERO; 3],
        position: [ZERO; 2],
        measured: [ZERO; 2],
        explained: [ZERO; 2],
        predicted_a: ZERO,
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
        for w in &mut self.way {
            w[l] = 0.0;
        }
    }

    /// What the coming cycle makes known before it is filtered: the position [`LAG`] cycles ago (m), and the current (A) that
    /// belongs to it.
    #[inline(always)]
    pub fn aligned<V: Vector>(&self, p: &LaneParams, current_a: V, part: usize) -> (V, V) {
        let i = V::each(self.current_a.each_ref(), part);
        let current_a = delayed(p, current_a, &i, part);
        (V::load(&self.position_m[1], part), current_a)
    }

    /// The first half of a cycle: the motion that it makes known. [`Self::balance`] follows.
    #[inline(always)]
    pub fn motion<V: Vector>(&mut self, p: &LaneParams, part: usize) -> Motion<V> {
        let step = V::load(&self.position_m[0], part) - V::load(&self.position_m[1], part);
        // The way from the sample before to this one is filtered, and so is its change to the next: the acceleration.
        let before = V::load(&self.way[1], part);
        let way = filter(&mut self.way, step, V::load(&p.load_share, part), part);
        before.store(&mut self.before, part);
        Motion {
            velocity_m_per_s: V::splat(0.5) * (way + before) * V::splat(p.per_s),
            acceleration_m_per_s2: (way - before) * V::splat(p.per_s * p.per_s),
        }
    }

    /// The velocity that [`Self::motion`] made known (m/s).
    #[inline(always)]
    pub fn velocity_m_per_s<V: Vector>(&self, p: &LaneParams, part: usize) -> V {
        let [way, before] = V::each([&self.way[1], &self.before], part);
        V::splat(0.5) * (way + before) * V::splat(p.per_s)
    }

    /// The second half: takes in the sample, position (m) and current (A), and says what it makes known. `contact_a` is the part in
    /// the balance: [`ContactFilter::balanced_a`]; none for axes that never touch one.
    #[inline(always)]
    pub fn balance<V: Vector>(
        &mut self,
        p: &LaneParams,
        [position_m, current_a]: [V; 2],
        contact_a: Option<V>,
        part: usize,
    ) -> Balance<V> {
        let x = V::each(self.position_m.each_ref(), part);
        let i = V::each(self.current_a.each_ref(), part);
        let (zero, one) = (V::splat(0.0), V::splat(1.0));
        // The sample two cycles ago: its velocity needs its neighbours.
        let v = (x[0] - x[2]) * V::splat(0.5 * p.per_s);
        // Below a hundredth of the Stribeck velocity the sign of the velocity is noise.
        let direction = (v * V::load(&p.direction_per_v, part)).limited(one);
        let coulomb = V::select(
            zero.within(v),
            V::load(&p.coulomb_positive_a, part),
            V::load(&p.coulomb_negative_a, part),
        );
        let dry = coulomb
            + V::load(&p.stribeck_a, part).over(one + v * v * V::load(&p.stribeck_per_v2, part));
        let mut explained =
            dry * direction + V::load(&p.viscous, part) * v + V::load(&p.gravity_a, part);
        if let Some(contact_a) = contact_a {
            explained = explained + contact_a;
        }
        let measured = delayed(p, current_a, &i, part);

        let share = V::load(&p.load_share, part);
        filter(&mut self.position, x[1], share, part);
        let explained = filter(&mut self.explained, explained, share, part);
        let measured = filter(&mut self.measured, measured, share, part);
        let per_s2 = V::splat(p.per_s * p.per_s);
        let inertial = V::load(&p.inertia, part)
            * ((V::load(&self.way[1], part) - V::load(&self.before, part)) * per_s2);
        position_m.store(&mut self.position_m[0], part);
        x[0].store(&mut self.position_m[1], part);
        x[1].store(&mut self.position_m[2], part);
        current_a.store(&mut self.current_a[0], part);
        i[0].store(&mut self.current_a[1], part);
        i[1].store(&mut self.current_a[2], part);
        let predicted = inertial + explained;
        predicted.store(&mut self.predicted_a, part);
        Balance {
            measured_a: measured,
            predicted_a: predicted,
            inertial_a: inertial,
        }
    }

    /// Measured and explained current of axis `l` after a cycle (A).
    pub const fn currents_a(&self, l: usize) -> (f64, f64) {
        (self.measured[1][l], self.predicted_a[l])
    }

    /// What is known of axis `l` after a cycle.
    pub fn estimate(&self, p: &LaneParams, l: usize) -> LoadEstimate {
        let (way, before) = (self.way[1][l], self.before[l]);
        LoadEstimate {
            measured_a: self.measured[1][l],
            predicted_a: self.predicted_a[l],
            position_m: self.position[1][l],
            velocity_m_per_s: 0.5 * (way + before) * p.per_s,
            acceleration_m_per_s2: (way - before) * (p.per_s * p.per_s),
        }
    }
}

/// What presses have beside [`LoadFilter`]: the current of the part.
#[derive(Clone, Copy, Debug, PartialEq)]
#[repr(align(64))]
pub struct ContactFilter {
    /// Contact currents 1 and 2 cycles ago (A).
    contact_a: [Lane; 2],
    /// The one that belongs into the balance of this cycle (A).
    balanced_a: Lane,
    /// Its two stages (A).
    contact: [Lane; 2],
}

impl ContactFilter {
    /// Nothing seen yet.
    pub const EMPTY: Self = Self {
        contact_a: [ZERO; 2],
        balanced_a: ZERO,
        contact: [ZERO; 2],
    };

    /// Nothing in the press of axis `l`.
    pub fn lock(&mut self, l: usize) {
        for lane in self.contact_a.iter_mut().chain(&mut self.contact) {
            lane[l] = 0.0;
        }
    }

    /// Takes in a cycle. Returns the filtered contact current (A).
    #[inline(always)]
    pub fn push<V: Vector>(&mut self, p: &LaneParams, contact_a: V, part: usize) -> V {
        let [c1, c2] = V::each(self.contact_a.each_ref(), part);
        c2.store(&mut self.balanced_a, part);
        c1.store(&mut self.contact_a[1], part);
        contact_a.store(&mut self.contact_a[0], part);
        filter(&mut self.contact, c2, V::load(&p.load_share, part), part)
    }

    /// The contact current in the balance of this cycle (A), after [`Self::push`].
    #[inline(always)]
    pub fn balanced_a<V: Vector>(&self, part: usize) -> V {
        V::load(&self.balanced_a, part)
    }

    /// The filtered contact currents (A).
    pub const fn filtered_a(&self) -> &Lane {
        &self.contact[1]
    }
}

/// Two equal stages of first order.
#[inline(always)]
fn filter<V: Vector>(stages: &mut [Lane; 2], x: V, share: V, part: usize) -> V {
    let [first, second] = V::each(stages.each_ref(), part);
    let first = first + share * (x - first);
    let second = second + share * (first - second);
    first.store(&mut stages[0], part);
    second.store(&mut stages[1], part);
    second
}

/// The current that belongs to the position of two cycles ago, out of the newest one and the three before.
#[inline(always)]
fn delayed<V: Vector>(p: &LaneParams, newest_a: V, before_a: &[V; 3], part: usize) -> V {
    let w = V::each(p.delay_weight.each_ref(), part);
    w[0] * newest_a + w[1] * before_a[0] + w[2] * before_a[1] + w[3] * before_a[2]
}
