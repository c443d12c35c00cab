//! The parameters of an axis as a whole, and their check.

use super::cogging::Cogging;
use super::error::{ParamError, within};
use super::friction::{Friction, StaticFriction};
use super::loops::Loops;
use super::mechanics::Mechanics;
use super::motor::Motor;
use super::thermal::{Node, Thermal};
use super::transmission::{Drive, Transmission};

/// Where the position loop's encoder sits. The velocity loop always uses the motor's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Feedback {
    /// On the motor.
    #[default]
    Motor,
    /// On the load: a second encoder.
    Load,
}

/// All parameters of an axis, not yet checked.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ServoParts {
    /// Motor and current loop.
    pub motor: Motor,
    /// Winding and housing.
    pub thermal: Thermal,
    /// Position and velocity loops.
    pub loops: Loops,
    /// Encoder of the position loop.
    pub feedback: Feedback,
    /// What moves, transmission included.
    pub mechanics: Mechanics,
    /// Cogging torque, if any.
    pub cogging: Option<Cogging>,
    /// Longest tick of the drive's loops (s, 1.5e-5 to 1e-3); a drive at 16 kHz has 62.5e-6.
    pub tick_s: f64,
}

impl ServoParts {
    /// A small axis to start from: a load of five times the motor's own inertia, loops tuned to 60/s and 80 Hz.
    pub fn example(drive: Drive) -> Self {
        let transmission = Transmission::lossless(drive);
        let r = transmission.travel_per_rad();
        let rotary = matches!(drive, Drive::Gear { .. } | Drive::Direct);
        let (torque_constant, inertia) = (0.6, 6e-5);
        // The load that the motor sees as five times its own inertia.
        let motor_mass_kg = inertia / (r * r);
        let load_mass_kg = 5.0 * motor_mass_kg;
        let force_per_a = torque_constant / r;
        let gain =
            2.0 * core::f64::consts::PI * 80.0 * (motor_mass_kg + load_mass_kg) / force_per_a;
        let friction = |share: f64| StaticFriction {
            coulomb_positive_n: share * force_per_a,
            coulomb_negative_n: share * force_per_a,
            stribeck_n: 0.25 * share * force_per_a,
            stribeck_velocity_m_per_s: if rotary { 0.1 } else { 0.01 },
            viscous_n_s_per_m: 0.0,
        };
        Self {
            motor: Motor {
                torque_constant_nm_per_a: torque_constant,
                magnet_per_k: -0.001,
                resistance_ohm: 2.0,
                inductance_h: 0.006,
                pole_pairs: 5.0,
                voltage_max_v: 310.0,
                current_max_a: 9.0,
                current_time_constant_s: 4e-4,
                dead_time_s: 1e-4,
            },
            thermal: Thermal {
                winding: Node {
                    capacity_j_per_k: 80.0,
                    resistance_k_per_w: 0.8,
                },
                housing: Some(Node {
                    capacity_j_per_k: 700.0,
                    resistance_k_per_w: 1.2,
                }),
                ambient_c: 20.0,
            },
            loops: Loops {
                position_gain_per_s: 60.0,
                velocity_gain_a_s_per_m: gain,
                integral_gain_a_per_m: 50.0 * gain,
                velocity_feedforward: 1.0,
                acceleration_feedforward_a_s2_per_m: 0.0,
                velocity_max_m_per_s: 400.0 * r,
            },
            feedback: Feedback::Motor,
            mechanics: Mechanics {
                motor_mass_kg,
                load_mass_kg,
                motor_friction: friction(0.1),
                load_friction: Friction::Static(friction(0.2)),
                gravity_n: 0.0,
                compliance: None,
                transmission,
            },
            cogging: None,
            tick_s: 62.5e-6,
        }
    }
}

/// Parameters of an axis that were found to be within their ranges.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ServoParams(ServoParts);

impl ServoParams {
    /// Checks every value against its range.
    ///
    /// # Errors
    /// The first value that is out of range, with its range.
    pub fn new(parts: ServoParts) -> Result<Self, ParamError> {
        parts.motor.check()?;
        parts.thermal.check()?;
        parts.loops.check()?;
        parts.mechanics.check()?;
        within(
            "tick_s",
            parts.tick_s,
            1.5e-5,
            1e-3,
            "1 over the rate of the drive's loops",
        )?;
        Ok(Self(parts))
    }

    /// The values.
    pub fn parts(&self) -> &ServoParts {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_passes_its_check_and_a_wrong_value_does_not() {
        for drive in [
            Drive::BallScrew { lead_m: 0.01 },
            Drive::Belt {
                pinion_radius_m: 0.02,
            },
            Drive::Gear { ratio: 10.0 },
            Drive::Direct,
        ] {
            let mut parts = ServoParts::example(drive);
            assert!(ServoParams::new(parts).is_ok());
            parts.mechanics.transmission.efficiency_forward = 90.0;
            let error = ServoParams::new(parts).unwrap_err();
            assert_eq!((error.name, error.value), ("efficiency_forward", 90.0));
        }
    }
}
