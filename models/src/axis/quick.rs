//! Axes whose loops turn them around within a step.
//!
//! An exact step takes dry friction as one force, in the direction in which the axis moves: it holds where the axis moves so at its beginning
//! and at its end. Friction that stops an axis at once, under loops that are fast enough to push it back within the same step, leaves it with
//! the direction that it began with, and would have driven it all the time. So such an axis is stepped in shorter steps.

use super::params::AxisParams;
use super::transition::{B, V, exponential, generator, limited, product};

/// Instants of a step that are looked at.
const INSTANTS: u32 = 16;

/// Whether a load that begins with the step moves the axis the other way at some instant of it.
pub(super) fn quick(a: &AxisParams, step_s: f64) -> bool {
    let generator = limited(generator(a, step_s, true));
    let stretch = exponential(&generator, 1.0 / f64::from(INSTANTS));
    let mut until = stretch;
    for _ in 0..INSTANTS {
        let moved = until[V][B];
        if moved.is_nan() || moved > 0.0 {
            return true;
        }
        until = product(&until, &stretch);
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::axis::tests::DRIVE as A;
    use crate::axis::{AxisState, LaneParams, Reference, cascade::advance, observer::lock};
    use crate::lane::ZERO;

    #[test]
    fn an_axis_is_quick_at_a_long_step_and_not_at_a_short_one() {
        assert!(!quick(&A, 1e-3));
        assert!(!quick(&A, 4e-3));
        assert!(quick(&A, 4e-2));
    }

    #[test]
    fn friction_that_stops_an_axis_at_once_does_not_drive_it_on() {
        // Its weight is held, and the other way friction holds it; the loops answer within the period.
        let axis = AxisParams {
            inertia: 2e-13,
            viscous: 0.0,
            coulomb_negative_a: 2e5,
            gravity_a: -2e5,
            position_gain_per_s: 4500.0,
            velocity_gain: 1e-9,
            integral_gain: 4.5e-6,
            velocity_feedforward: 0.0,
            limit_a: 1e9,
            current_time_constant_s: 0.0,
            current_filter_s: 0.0,
            ..A
        };
        assert_eq!(crate::axis::range::loops(&axis, 5.2e-4), Ok(()));
        let p = LaneParams::new(&[axis], 5.2e-4);
        let mut s = AxisState::REST;
        lock(&p, &mut s, 0, 0.0, -0.03, axis.gravity_a);
        advance(&p, &Reference::default(), &mut s, &ZERO);
        // As exact as the numbers are: the last digit of its weight is a velocity of 0.08 m/s.
        let v = s.velocity_m_per_s[0];
        assert!(v.abs() < 1.0, "{v} m/s");
        assert!(s.position_m[0].abs() < 1e-3, "{} m", s.position_m[0]);
    }

    #[test]
    fn nothing_pushes_back_an_axis_whose_current_is_held() {
        let held = AxisParams { sampled: true, ..A };
        assert!(!quick(&held, 4e-2));
    }
}
