//! The observer: takes the measurement in after the prediction was compared with it.
//!
//! Position corrects position, velocity and the disturbance (gains from [`crate::kalman`]); current corrects
//! the current and the integrator of the drive, which nothing else can tell. Where a measurement is missing the axis coasts.

use super::cascade::AxisState;
use super::params::{LaneGains, LaneParams};
use crate::lane::{LANES, Lane};

/// Share of the current innovation that goes into the motor current.
const CURRENT_SHARE: f64 = 0.5;
/// Share of the current innovation that goes into the drive's integrator.
const INTEGRAL_SHARE: f64 = 0.15;

/// Corrects eight axes with their gains: those of steady state are in the parameters. `used` is 1 where the measurement may
/// be used, else 0.
#[inline(always)]
pub fn correct(
    p: &LaneParams,
    gains: &LaneGains,
    s: &mut AxisState,
    position_m: &Lane,
    current_a: &Lane,
    used: &Lane,
) {
    #[allow(clippy::needless_range_loop)]
    for l in 0..LANES {
        let innovation_m = (position_m[l] - s.position_m[l]) * used[l];
        s.position_m[l] += gains.position[l] * innovation_m;
        let kick = gains.velocity_per_s[l] * innovation_m;
        let velocity = s.velocity_m_per_s[l];
        let stopped =
            (p.coulomb_positive_a[l] + p.stribeck_a[l]) * p.acceleration_per_a[l] * p.period_s;
        // At rest, a velocity that friction stops before the next sample has left no trace: it is noise of the encoder.
        let noise = (velocity == 0.0) & (kick <= stopped) & (kick >= -stopped);
        s.velocity_m_per_s[l] = if noise { 0.0 } else { velocity + kick };
        s.disturbance_a[l] -= gains.disturbance_a_per_m[l] * innovation_m;
        let innovation_a = (current_a[l] - s.reported_a[l]) * used[l];
        // Without a cascade the measured current is the best guess for the next cycle.
        // A sampled drive has told what it will hold until the next sample.
        let share = if p.continuous[l] > 0.0 {
            CURRENT_SHARE
        } else {
            1.0
        };
        s.reported_a[l] += share * innovation_a;
        s.current_a[l] += share * innovation_a;
        s.integral_a[l] += INTEGRAL_SHARE * innovation_a * p.continuous[l];
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
    s.integral_a[l] = current_a * p.continuous[l];
    s.disturbance_a[l] = 0.0;
}
