//! The observer: takes the measurement in after the prediction was compared with it.
//!
//! Position corrects position, velocity and the disturbance (gains from [`crate::kalman`]); current corrects
//! the current and the integrator of the drive, which nothing else can tell. Where a measurement is missing the axis coasts.

use super::cascade::AxisState;
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
    for part in 0..Portable::PARTS {
        let measured = Portable::each([position_m, current_a], part);
        correct_on::<Portable>(p, gains, s, measured, used, part);
    }
}

/// [`correct`] of a part with the vector of a unit: `measured` is position (m) and current (A).
#[inline(always)]
pub fn correct_on<V: Vector>(
    p: &LaneParams,
    gains: &LaneGains,
    s: &mut AxisState,
    measured: [V; 2],
    used: u8,
    part: usize,
) {
    let (zero, used) = (V::splat(0.0), V::mask(used, part));
    let x = V::load(&s.position_m, part);
    let innovation_m = V::select(used, measured[0] - x, zero);
    (x + V::load(&gains.position, part) * innovation_m).store(&mut s.position_m, part);
    let kick = V::load(&gains.velocity_per_s, part) * innovation_m;
    let v = V::load(&s.velocity_m_per_s, part);
    let stopped = (V::load(&p.coulomb_positive_a, part) + V::load(&p.stribeck_a, part))
        * V::load(&p.acceleration_per_a, part)
        * V::splat(p.period_s);
    // At rest, a velocity that friction stops before the next sample has left no trace: it is noise of the encoder.
    let noise = V::both(v.inside(zero), kick.inside(stopped));
    V::select(noise, zero, v + kick).store(&mut s.velocity_m_per_s, part);
    (V::load(&s.disturbance_a, part) - V::load(&gains.disturbance_a_per_m, part) * innovation_m)
        .store(&mut s.disturbance_a, part);
    let reported = V::load(&s.reported_a, part);
    let innovation_a = V::select(used, measured[1] - reported, zero);
    // Without a cascade the measured current is the best guess for the next cycle.
    // A sampled drive has told what it will hold until the next sample.
    let continuous = V::load(&p.continuous, part);
    let share = V::select(
        continuous.above(zero),
        V::splat(CURRENT_SHARE),
        V::splat(1.0),
    );
    let step = share * innovation_a;
    (reported + step).store(&mut s.reported_a, part);
    (V::load(&s.current_a, part) + step).store(&mut s.current_a, part);
    (V::load(&s.integral_a, part) + V::splat(INTEGRAL_SHARE) * innovation_a * continuous)
        .store(&mut s.integral_a, part);
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
    s.integral_a[l] = current_a * p.continuous[l];
    s.disturbance_a[l] = 0.0;
}
