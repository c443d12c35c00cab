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

/// Time by which the filter lags, the sum of its two equal time constants (s): what is left of the noise of an acceleration is
/// then a fraction of the friction.
const FILTER_LAG_S: f64 = 0.008;
/// Its least lag (cycles): below that nothing is filtered.
const FILTER_LAG_CYCLES: f64 = 2.0;
/// Samples that are remembered: the newest and three before it.
const SAMPLES: usize = 4;

/// Share that each of the two stages takes in, so that together they lag by 8 ms, by two cycles where that is longer, or by `lag_s` where
/// the position is so coarse that more is needed.
pub fn lag_share(period_s: f64, lag_s: f64) -> f64 {
    let lag_s = FILTER_LAG_S.max(FILTER_LAG_CYCLES * period_s).max(lag_s);
    let lag_cycles = lag_s / period_s;
    1.0 / (1.0 + 0.5 * lag_cycles.clamp(0.0, 10_000.0))
}

/// Where the current lies that belongs to the position 2 cycles ago: between the reports of so many cycles ago (0 to 2) and of
/// the one before it, and the weight of the former.
///
/// `delay_cycles` is -1 to [`DELAY_MAX`]; beyond that it is limited.
pub fn delay(delay_cycles: f64) -> (usize, f64) {
    // Cycles ago: 0 at the largest delay, 3 at the smallest.
    let ago = DELAY_MAX - delay_cycles.clamp(-1.0, DELAY_MAX);
    let whole = ago.clamp(0.0, 2.0) as usize;
    (whole, 1.0 - (ago - whole as f64))
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

impl<V: Vector> Motion<V> {
    /// Of the ways of two cycles, the newer one first (m).
    #[inline(always)]
    fn of(p: &LaneParams, way: V, before: V) -> Self {
        Self {
            velocity_m_per_s: V::splat(0.5) * (way + before) * V::splat(p.per_s),
            acceleration_m_per_s2: (way - before) * V::splat(p.per_s * p.per_s),
        }
    }
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

/// Which of the samples of a [`LoadFilter`] is the newest: they are written in turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Newest(u8);

impl Newest {
    /// Before the first sample.
    pub const FIRST: Self = Self(0);

    /// The place of a new sample, which takes that of the oldest.
    #[inline(always)]
    pub const fn next(self) -> Self {
        Self(self.0.wrapping_sub(1))
    }

    /// The place of the sample of so many cycles ago.
    #[inline(always)]
    const fn ago(self, cycles: usize) -> usize {
        (self.0 as usize + cycles) % SAMPLES
    }
}

/// The last samples of eight axes, and two stages each of what is filtered.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[repr(align(64))]
pub struct LoadFilter {
    /// What the filtered position went in the last cycle (m).
    way: Lane,
    /// The same of the cycle before (m).
    before: Lane,
    /// Positions (m).
    position_m: [Lane; SAMPLES],
    /// Currents (A).
    current_a: [Lane; SAMPLES],
    /// Position (m): a way ahead of everything else.
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
        way: ZERO,
        before: ZERO,
        position_m: [ZERO; SAMPLES],
        current_a: [ZERO; SAMPLES],
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
        self.way[l] = 0.0;
    }

    /// The newest sample: position (m) and current (A).
    #[inline(always)]
    pub fn sample(&self, newest: Newest) -> [&Lane; 2] {
        let n = newest.ago(0);
        [&self.position_m[n], &self.current_a[n]]
    }

    /// Writes a part of it.
    #[inline(always)]
    pub fn put<V: Vector>(&mut self, newest: Newest, [position_m, current_a]: [V; 2], part: usize) {
        let n = newest.ago(0);
        position_m.store(&mut self.position_m[n], part);
        current_a.store(&mut self.current_a[n], part);
    }

    /// The positions of axis `l` around the one that a sample makes known: of 1, 2 and 3 cycles ago (m).
    pub fn around(&self, newest: Newest, l: usize) -> [f64; 3] {
        [1, 2, 3].map(|ago| self.position_m[newest.ago(ago)][l])
    }

    /// What a sample makes known before it is filtered: the position [`LAG`] cycles before it (m), and the current (A) that belongs
    /// to that.
    #[inline(always)]
    pub fn aligned<V: Vector>(&self, p: &LaneParams, newest: Newest, part: usize) -> (V, V) {
        let x = V::load(&self.position_m[newest.ago(LAG)], part);
        (x, self.delayed(p, newest, part))
    }

    /// The current that belongs to the position of two cycles ago (A).
    #[inline(always)]
    fn delayed<V: Vector>(&self, p: &LaneParams, newest: Newest, part: usize) -> V {
        let i = &self.current_a;
        let [younger, older] = match p.delayed_alike {
            Some(ago) => {
                let ago = usize::from(ago);
                V::each([&i[newest.ago(ago)], &i[newest.ago(ago + 1)]], part)
            }
            None => {
                let [i0, i1] = V::each([&i[newest.ago(0)], &i[newest.ago(1)]], part);
                let [i2, i3] = V::each([&i[newest.ago(2)], &i[newest.ago(3)]], part);
                let (one, two) = (V::mask(p.delayed[0], part), V::mask(p.delayed[1], part));
                [
                    V::select(two, i2, V::select(one, i1, i0)),
                    V::select(two, i3, V::select(one, i2, i1)),
                ]
            }
        };
        let weight = V::load(&p.delay_weight, part);
        weight * younger + (V::splat(1.0) - weight) * older
    }

    /// The first half of a cycle: the motion that its sample makes known. [`Self::balance`] follows.
    #[inline(always)]
    pub fn motion<V: Vector>(&mut self, p: &LaneParams, newest: Newest, part: usize) -> Motion<V> {
        let x1 = V::load(&self.position_m[newest.ago(1)], part);
        let share = V::splat(p.load_share);
        let [first, second] = V::each(self.position.each_ref(), part);
        let first = first + share * (x1 - first);
        // Of what is filtered, the way to this sample from the one before, and its change to the next: the acceleration.
        let way = share * (first - second);
        first.store(&mut self.position[0], part);
        (second + way).store(&mut self.position[1], part);
        let before = V::load(&self.way, part);
        way.store(&mut self.way, part);
        before.store(&mut self.before, part);
        Motion::of(p, way, before)
    }

    /// The motion that [`Self::motion`] made known last.
    #[inline(always)]
    pub fn moves<V: Vector>(&self, p: &LaneParams, part: usize) -> Motion<V> {
        let [way, before] = V::each([&self.way, &self.before], part);
        Motion::of(p, way, before)
    }

    /// The second half: says what currents the sample makes known, of the motion that the first half did. `contact_a` is the part in the balance:
    /// [`ContactFilter::balanced_a`]; none for axes that never touch one.
    #[inline(always)]
    pub fn balance<V: Vector>(
        &mut self,
        p: &LaneParams,
        newest: Newest,
        motion: &Motion<V>,
        contact_a: Option<V>,
        part: usize,
    ) -> Balance<V> {
        let x = &self.position_m;
        let [x1, x3] = V::each([&x[newest.ago(1)], &x[newest.ago(3)]], part);
        let (zero, one) = (V::splat(0.0), V::splat(1.0));
        // The sample two cycles ago: its velocity needs its neighbours.
        let v = (x1 - x3) * V::splat(0.5 * p.per_s);
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
        let measured = self.delayed(p, newest, part);

        let share = V::splat(p.load_share);
        let explained = filter(&mut self.explained, explained, share, part);
        let measured = filter(&mut self.measured, measured, share, part);
        let inertial = V::load(&p.inertia, part) * motion.acceleration_m_per_s2;
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
        let (way, before) = (self.way[l], self.before[l]);
        LoadEstimate {
            measured_a: self.measured[1][l],
            predicted_a: self.predicted_a[l],
            position_m: self.position[1][l] - way,
            velocity_m_per_s: 0.5 * (way + before) * p.per_s,
            acceleration_m_per_s2: (way - before) * (p.per_s * p.per_s),
        }
    }
}

/// What presses have beside [`LoadFilter`]: the current of the part.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[repr(align(64))]
pub struct ContactFilter {
    /// Contact currents 1 and 2 cycles ago (A).
    contact_a: [Lane; 2],
    /// The one that belongs into the balance of this cycle (A).
    balanced_a: Lane,
    /// Its two stages (A).
    contact: [Lane; 2],
    /// Two stages of what rams behind a crank or a table ask for, and of the losses (A).
    beside: [Lane; 2],
}

impl ContactFilter {
    /// Nothing seen yet.
    pub const EMPTY: Self = Self {
        contact_a: [ZERO; 2],
        balanced_a: ZERO,
        contact: [ZERO; 2],
        beside: [ZERO; 2],
    };

    /// Nothing in the press of axis `l`.
    pub fn lock(&mut self, l: usize) {
        let contact = self.contact_a.iter_mut().chain(&mut self.contact);
        for lane in contact.chain(&mut self.beside) {
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
        filter(&mut self.contact, c2, V::splat(p.load_share), part)
    }

    /// The contact current in the balance of this cycle (A), after [`Self::push`].
    #[inline(always)]
    pub fn balanced_a<V: Vector>(&self, part: usize) -> V {
        V::load(&self.balanced_a, part)
    }

    /// Takes in what rams and losses have in the balance of this cycle (A). Returns it filtered like the rest.
    #[inline(always)]
    pub fn beside<V: Vector>(&mut self, p: &LaneParams, beside_a: V, part: usize) -> V {
        filter(&mut self.beside, beside_a, V::splat(p.load_share), part)
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
