//! Which cause explains the pattern over the features best.
//!
//! Every cause moves the features in a fixed proportion, known from the model's own shares of the current:
//!
//! | cause | constant + | constant - | acceleration | reversal |
//! |---|---|---|---|---|
//! | friction | friction | friction | 0 | ? |
//! | load | gravity | -gravity | inertia | ? |
//! | torque constant, current sensor | friction + gravity | friction - gravity | inertia | ? |
//! | backlash | 0 | 0 | 0 | + |
//!
//! One amplitude per cause is fitted by weighted least squares; the cause that leaves the least is named. The innovation of a
//! reversal grows a little with every cause, in ways that no proportion describes (?): there it counts with a wide spread.

use crate::blocks::{FEATURES, Feature};
use crate::cause::Cause;

/// What is known of one feature.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Shift {
    /// Shift of the residual against its healthy mean (A), 0 where not seen.
    pub shift_a: f64,
    /// Its standard deviation (A, > 0), 0 where not seen.
    pub sigma_a: f64,
    /// Predicted friction current (A).
    pub friction_a: f64,
    /// Predicted inertial current (A).
    pub inertial_a: f64,
    /// Predicted contact current (A).
    pub contact_a: f64,
    /// Healthy value of the feature (A).
    pub healthy_a: f64,
}

/// Spread of the reversal feature under other causes than backlash, relative to its healthy value.
const REVERSAL_SPREAD: f64 = 0.15;

/// Shape of a cause: what one unit of it does to a feature.
fn shape(cause: Cause, feature: Feature, s: &Shift, gravity_a: f64) -> f64 {
    if feature == Feature::Reversal {
        return if cause == Cause::Backlash {
            s.healthy_a
        } else {
            0.0
        };
    }
    let gravity = match feature {
        Feature::ConstantPositive => gravity_a,
        Feature::ConstantNegative => -gravity_a,
        _ => 0.0,
    };
    match (cause, feature) {
        (Cause::FrictionIncreased, Feature::Acceleration) => 0.0,
        (Cause::FrictionIncreased, _) => s.friction_a,
        (Cause::LoadAdded, _) => gravity + s.inertial_a,
        (Cause::TorqueConstantChanged, _) => s.friction_a + gravity + s.inertial_a + s.contact_a,
        (Cause::WrongPart, Feature::Pressing) => s.contact_a,
        _ => 0.0,
    }
}

/// Ranks the causes. Returns the best and what it leaves unexplained (chi-squared).
pub fn likeliest(shifts: &[Shift; FEATURES], gravity_a: f64) -> (Cause, f64) {
    let candidates = [
        Cause::FrictionIncreased,
        Cause::LoadAdded,
        Cause::TorqueConstantChanged,
        Cause::Backlash,
        Cause::WrongPart,
    ];
    let mut best = (Cause::Disturbance, f64::INFINITY);
    for cause in candidates {
        let (mut ss, mut sd, mut dd) = (0.0, 0.0, 0.0);
        for (feature, s) in Feature::ALL.iter().zip(shifts) {
            if s.sigma_a <= 0.0 {
                continue;
            }
            let wide = if *feature == Feature::Reversal {
                REVERSAL_SPREAD * s.healthy_a
            } else {
                0.0
            };
            let w = 1.0 / (s.sigma_a * s.sigma_a + wide * wide);
            let u = shape(cause, *feature, s, gravity_a);
            ss += w * u * u;
            sd += w * u * s.shift_a;
            dd += w * s.shift_a * s.shift_a;
        }
        if ss <= 0.0 {
            continue;
        }
        let amplitude = sd / ss;
        // A gap can only grow.
        if cause == Cause::Backlash && amplitude < 0.0 {
            continue;
        }
        let left = dd - amplitude * sd;
        if left < best.1 {
            best = (signed(cause, amplitude), left);
        }
    }
    best
}

fn signed(cause: Cause, amplitude: f64) -> Cause {
    match cause {
        Cause::FrictionIncreased if amplitude < 0.0 => Cause::FrictionDecreased,
        Cause::LoadAdded if amplitude < 0.0 => Cause::LoadRemoved,
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn features(shift: [f64; FEATURES]) -> [Shift; FEATURES] {
        let mut out = [Shift::default(); FEATURES];
        for (s, d) in out.iter_mut().zip(shift) {
            *s = Shift {
                shift_a: d,
                sigma_a: 0.05,
                friction_a: 1.0,
                ..Shift::default()
            };
        }
        out[2].inertial_a = 4.0;
        out[2].friction_a = 0.0;
        out[3] = Shift {
            shift_a: shift[3],
            sigma_a: 0.005,
            healthy_a: 0.15,
            ..Shift::default()
        };
        out[4].sigma_a = 0.0;
        out
    }

    #[test]
    fn each_cause_is_told_from_the_others() {
        for (shift, gravity, cause) in [
            ([0.2, 0.2, 0.0, 0.02, 0.0], 0.0, Cause::FrictionIncreased),
            ([-0.2, -0.2, 0.0, -0.02, 0.0], 0.0, Cause::FrictionDecreased),
            ([0.0, 0.0, 0.24, 0.01, 0.0], 0.0, Cause::LoadAdded),
            ([0.2, -0.2, 0.4, 0.01, 0.0], 2.0, Cause::LoadAdded),
            (
                [0.05, 0.05, 0.2, 0.01, 0.0],
                0.0,
                Cause::TorqueConstantChanged,
            ),
            ([0.0, 0.0, 0.0, 0.08, 0.0], 0.0, Cause::Backlash),
        ] {
            assert_eq!(likeliest(&features(shift), gravity).0, cause, "{shift:?}");
        }
    }
}
