//! Axes and samples drawn over all that is allowed.

use proptest::prelude::*;
use twinstep_models::axis::AxisParams;
use twinstep_models::axis::range::{self, Range};
use twinstep_models::kalman::{AxisNoise, steady};

/// Values from 0 to 1 that become parameters, the borders more often than chance has them.
pub struct Draw<'a>(pub std::slice::Iter<'a, f64>);

/// One of them.
pub fn unit() -> impl Strategy<Value = f64> {
    prop_oneof![1 => Just(0.0), 1 => Just(1.0), 8 => 0.0..1.0f64]
}

impl Draw<'_> {
    fn next(&mut self) -> f64 {
        *self.0.next().expect("enough values")
    }

    fn even(&mut self, low: f64, high: f64) -> f64 {
        (low + (high - low) * self.next()).clamp(low, high)
    }

    fn decades(&mut self, low: f64, high: f64) -> f64 {
        (low * (high / low).powf(self.next())).clamp(low, high)
    }

    fn of(&mut self, range: Range) -> f64 {
        // What may be 0 is so now and then.
        if range.low > 0.0 {
            return self.decades(range.low, range.high);
        }
        match self.decades(1e-18, range.high) {
            x if x <= 1e-15 => 0.0,
            x => x,
        }
    }

    /// Anything that `check` lets through.
    pub fn axis(&mut self, period_s: f64) -> AxisParams {
        let kf = self.of(range::FORCE_CONSTANT_N_PER_A);
        let inertia = self.of(range::MASS_KG) / kf;
        let position_m = self.of(range::POSITION_NOISE_M);
        let mut walk = || self.decades(1e-15, 1e15);
        let noise = AxisNoise {
            position_m,
            position_walk: walk(),
            velocity_walk: walk(),
            disturbance_walk: walk(),
        };
        let observer = steady(period_s, inertia, &noise).expect("gains over the whole range");
        let mut axis = AxisParams {
            inertia,
            coulomb_positive_a: self.of(range::FORCE_N) / kf,
            coulomb_negative_a: self.of(range::FORCE_N) / kf,
            viscous: self.of(range::VISCOUS_N_S_PER_M) / kf,
            stribeck_a: self.of(range::FORCE_N) / kf,
            stribeck_velocity_m_per_s: self.of(range::STRIBECK_VELOCITY_M_PER_S),
            gravity_a: self.of(range::FORCE_N) / kf * if self.next() < 0.5 { -1.0 } else { 1.0 },
            limit_a: self.of(range::LIMIT_A),
            dead_time_s: self.even(0.0, 4.0) * period_s,
            reference_delay_s: match self.even(-1.0, 4.0) {
                cycles if cycles < 0.0 => None,
                cycles => Some(cycles * period_s),
            },
            velocity_feedforward: self.even(0.0, 1.0),
            current_time_constant_s: self.of(range::Range {
                low: 0.0,
                high: 10.0,
            }),
            current_filter_s: self.of(range::Range {
                low: 0.0,
                high: 10.0,
            }),
            observer: observer.gains,
            current_delay_s: self.even(-1.0, 2.0) * period_s,
            load_lag_s: self.even(0.0, 1.0),
            ..AxisParams::IDLE
        };
        // What damps faster than a period can tell is refused.
        if range::loops(&axis, period_s).is_err() {
            axis.viscous = 0.0;
        }
        self.loops(&mut axis, period_s);
        axis
    }

    /// Gains anywhere in their ranges, or those of some bandwidth; a drive that holds its output, or none, where they belong to no machine.
    fn loops(&mut self, axis: &mut AxisParams, period_s: f64) {
        let kind = self.next();
        let wide = kind < 0.4;
        let (kx, kv, ki) = (
            self.of(range::POSITION_GAIN_PER_S),
            self.of(range::VELOCITY_GAIN),
            self.of(range::INTEGRAL_GAIN),
        );
        let share = self.decades(1e-3, 1e3);
        axis.position_gain_per_s = kx;
        (axis.velocity_gain, axis.integral_gain) = if wide {
            (kv, ki)
        } else {
            let gain = axis.inertia * 2.0 * share / period_s;
            let gain = gain.clamp(range::VELOCITY_GAIN.low, range::VELOCITY_GAIN.high);
            (gain, (gain * kx).min(range::INTEGRAL_GAIN.high))
        };
        axis.cascade_valid = true;
        axis.sampled = kind > 0.85;
        if range::loops(axis, period_s).is_err() {
            axis.position_gain_per_s = kx.min(1.0);
            axis.integral_gain = 0.0;
        }
        if range::loops(axis, period_s).is_err() {
            axis.sampled = true;
        }
        if range::loops(axis, period_s).is_err() || self.next() < 0.1 {
            axis.cascade_valid = false;
        }
    }

    /// An axis as machines have them, and the bandwidth of its observer (Hz).
    pub fn plain(&mut self, period_s: f64) -> (AxisParams, f64) {
        let inertia = self.decades(1e-3, 1e3);
        let limit_a = self.decades(0.1, 100.0);
        let fastest_hz = 0.05 / period_s;
        let observer_hz = self.decades(2.0, 200.0).min(fastest_hz);
        let noise = AxisNoise::of_bandwidth(observer_hz, 1e-6, inertia, period_s);
        // A loop that is faster than its period holds the predicted axis against what is wrong, and then it is forgotten slowly.
        let velocity_hz = self.decades(5.0, 200.0).min(0.2 / period_s);
        let velocity_gain = 2.0 * std::f64::consts::PI * velocity_hz * inertia;
        let axis = AxisParams {
            inertia,
            coulomb_positive_a: self.even(0.0, 0.5) * limit_a,
            coulomb_negative_a: self.even(0.0, 0.5) * limit_a,
            viscous: self.even(0.0, 1.0) * limit_a,
            stribeck_velocity_m_per_s: 0.01,
            gravity_a: self.even(-0.4, 0.4) * limit_a,
            position_gain_per_s: velocity_hz * self.decades(0.2, 1.5),
            velocity_gain,
            integral_gain: velocity_gain * velocity_hz * self.even(0.0, 0.5),
            velocity_feedforward: 1.0,
            limit_a,
            current_time_constant_s: self.decades(1e-4, 5e-4),
            current_filter_s: 8e-4,
            dead_time_s: 2.0 * period_s,
            observer: steady(period_s, inertia, &noise)
                .expect("a plain axis")
                .gains,
            cascade_valid: true,
            ..AxisParams::IDLE
        };
        (axis, observer_hz)
    }
}

/// Samples: splitmix64, as a seed that a failure prints makes them again.
pub struct Noise(pub u64);

impl Noise {
    fn word(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let a = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let b = (a ^ (a >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        b ^ (b >> 31)
    }

    fn uniform(&mut self) -> f64 {
        (self.word() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Below `n`.
    pub fn below(&mut self, n: usize) -> usize {
        (self.word() % n as u64) as usize
    }

    /// True once in so many times.
    pub fn one_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    /// A number of any size that may be measured or told, or 0.
    pub fn anything(&mut self) -> f64 {
        let size = (1e-12 * 1e27f64.powf(self.uniform())).min(range::MEASURED);
        match self.below(10) {
            0 => 0.0,
            1..=5 => size,
            _ => -size,
        }
    }

    /// A little beside `x`.
    pub fn near(&mut self, x: f64) -> f64 {
        let off = 1e-9 * 1e8f64.powf(self.uniform());
        (x + if self.one_in(2) { off } else { -off }).clamp(-range::MEASURED, range::MEASURED)
    }
}
