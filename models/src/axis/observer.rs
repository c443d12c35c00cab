//! The observer: takes the measurement in after the prediction was compared with it.
//!
//! Position corrects position, velocity and the disturbance (gains from [`crate::kalman`]); current corrects
//! the current and the integrator of the drive, which nothing else can tell. Where a measurement is missing the axis coasts.

use super::cascade::{AxisState, States};
use super::params::{LaneGains, LaneParams};
use crate::lane::Lane;
use crate::simd::{Portable, Vector};

/// Share of the current innovation that goes into the motor current.
const CURRENT_SHARE: f64 = 0.5;
/// Share of the current innovation that goes into the drive's integrator.
const INTEGRAL_SHARE: f64 = 0.15;

/// Corrects eight axes with their gains: those of steady state are in the parameters. `used` has a bit for each axis whose
/// measurement may be used.
pub fn correct(
    p: &LaneParams,
    gains: &LaneGains,
    s: &mut AxisState,
    position_m: &Lane,
    current_a: &Lane,
    used: u8,
) {
    correct_on::<Portable>(p, gains, s, [position_m, current_a], used);
}

/// [`correct`] with the vector of a unit: `measured` is position (m) and current (A).
#[inline(always)]
pub fn correct_on<V: Vector>(
    p: &LaneParams,
    gains: &LaneGains,
    s: &mut AxisState,
    measured: [&Lane; 2],
    used: u8,
) {
    for part in 0..V::PARTS {
        let measured = V::each(measured, part);
        let before = States::<V>::load(s, part);
        corrected(p, gains, before, measured, used, part).store(s, part);
    }
}

/// What a part of the states is after the measurement, position (m) and current (A), was taken in.
#[inline(always)]
pub fn corrected<V: Vector>(
    p: &LaneParams,
    gains: &LaneGains,
    s: States<V>,
    measured: [V; 2],
    used: u8,
    part: usize,
) -> States<V> {
    let (zero, used) = (V::splat(0.0), V::mask(used, part));
    let innovation_m = V::select(used, measured[0] - s.position_m, zero);
    let kick = V::load(&gains.velocity_per_s, part) * innovation_m;
    let stopped = (V::load(&p.coulomb_positive_a, part) + V::load(&p.stribeck_a, part))
        * V::load(&p.acceleration_per_a, part)
        * V::splat(p.period_s);
    // At rest, a velocity that friction stops before the next sample has left no trace: it is noise of the encoder.
    let noise = V::both(s.velocity_m_per_s.inside(zero), kick.inside(stopped));
    let innovation_a = V::select(used, measured[1] - s.reported_a, zero);
    // Without a cascade the measured current is the best guess for the next cycle.
    // A sampled drive has told what it will hold until the next sample.
    let continuous = V::mask(p.continuous, part);
    let share = V::select(continuous, V::splat(CURRENT_SHARE), V::splat(1.0));
    let step = share * innovation_a;
    let integral = V::select(continuous, V::splat(INTEGRAL_SHARE) * innovation_a, zero);
    States {
        position_m: s.position_m + V::load(&gains.position, part) * innovation_m,
        velocity_m_per_s: V::select(noise, zero, s.velocity_m_per_s + kick),
        current_a: s.current_a + step,
        reported_a: s.reported_a + step,
        integral_a: s.integral_a + integral,
        disturbance_a: s.disturbance_a - V::load(&gains.disturbance_a_per_m, part) * innovation_m,
    }
}

/// Puts an axis where it was measured to be, at the velocity measured, with nothing else known: after a start or a gap.
pub fn lock(
    p: &LaneParams,
    s: &mut AxisState,
    l: usize,
    position_m: f64,
    velocity_m_per_s: f64,
    current_a: f64,
) {
    s.position_m[l] = position_m;
    s.velocity_m_per_s[l] = velocity_m_per_s;
    s.current_a[l] = current_a;
    s.reported_a[l] = current_a;
    s.integral_a[l] = if p.continuous & (1 << l) != 0 {
        current_a
    } else {
        0.0
    };
    s.disturbance_a[l] = 0.0;
}
