//! From the motor's shaft to the axis' coordinate: ball screw, belt, gear or direct, with an efficiency by direction.
//!
//! # Derivation
//! The axis moves by r per radian of the motor: lead / 2 pi for a screw, the pinion's radius for a belt, 1 / ratio for a
//! gear. A force F behind the transmission, positive against positive motion, asks the motor for
//!
//! ```text
//! T = r F k,   k = 1 / eta_f  where power flows to the load (F v > 0),  k = eta_b  where the load drives (F v < 0)
//! ```
//!
//! which for a screw is the textbook's F lead / (2 pi eta) and F lead eta_b / (2 pi). Both lose |r F| (k - 1) sign(F v),
//! always against the motion: the efficiency is a dry friction that grows with the load, and holds at rest as one does.
//! With eta_b = 0 the axis locks itself.

use super::error::{ParamError, within};

/// What turns the motor's angle into the axis' coordinate.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Drive {
    /// Linear axis on a screw.
    BallScrew {
        /// Travel of one revolution (m, 1e-4 to 0.2).
        lead_m: f64,
    },
    /// Linear axis on a belt or a rack.
    Belt {
        /// Pitch radius of the pinion (m, 1e-3 to 1).
        pinion_radius_m: f64,
    },
    /// Rotary axis behind a gear; the axis' coordinate is in rad, forces are torques in N m.
    Gear {
        /// Revolutions of the motor per revolution of the axis (1, 0.1 to 1000).
        ratio: f64,
    },
    /// Rotary axis on the motor's shaft.
    Direct,
}

/// A drive with its losses.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Transmission {
    /// The kind.
    pub drive: Drive,
    /// Efficiency where the motor drives the load (1, 0.05 to 1).
    pub efficiency_forward: f64,
    /// Efficiency where the load drives the motor (1, 0 to 1).
    pub efficiency_backward: f64,
}

impl Transmission {
    /// A drive without losses.
    pub const fn lossless(drive: Drive) -> Self {
        Self {
            drive,
            efficiency_forward: 1.0,
            efficiency_backward: 1.0,
        }
    }

    /// Checks every value against its range.
    ///
    /// # Errors
    /// The first value that is out of range.
    pub fn check(&self) -> Result<(), ParamError> {
        match self.drive {
            Drive::BallScrew { lead_m } => within(
                "lead_m",
                lead_m,
                1e-4,
                0.2,
                "metres per revolution, not millimetres",
            )?,
            Drive::Belt { pinion_radius_m } => within(
                "pinion_radius_m",
                pinion_radius_m,
                1e-3,
                1.0,
                "radius in metres, not the diameter in millimetres",
            )?,
            Drive::Gear { ratio } => within(
                "ratio",
                ratio,
                0.1,
                1000.0,
                "revolutions of the motor per revolution of the axis",
            )?,
            Drive::Direct => {}
        }
        let hint = "a share, not per cent";
        within(
            "efficiency_forward",
            self.efficiency_forward,
            0.05,
            1.0,
            hint,
        )?;
        within(
            "efficiency_backward",
            self.efficiency_backward,
            0.0,
            1.0,
            hint,
        )
    }

    /// r: travel of the axis per radian of the motor (m/rad or rad/rad).
    pub fn travel_per_rad(&self) -> f64 {
        match self.drive {
            Drive::BallScrew { lead_m } => lead_m / (2.0 * core::f64::consts::PI),
            Drive::Belt { pinion_radius_m } => pinion_radius_m,
            Drive::Gear { ratio } => 1.0 / ratio,
            Drive::Direct => 1.0,
        }
    }

    /// k: what the motor feels of the force `force_n` behind the transmission when moving in `direction` (1).
    #[inline]
    pub fn felt(&self, force_n: f64, direction: f64) -> f64 {
        if force_n * direction >= 0.0 {
            1.0 / self.efficiency_forward
        } else {
            self.efficiency_backward
        }
    }

    /// Torque of the motor that balances `force_n` while moving in `direction` at constant speed (N m).
    pub fn motor_torque_nm(&self, force_n: f64, direction: f64) -> f64 {
        self.travel_per_rad() * force_n * self.felt(force_n, direction)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_screw_asks_for_the_textbook_torque() {
        let screw = Transmission {
            drive: Drive::BallScrew { lead_m: 0.01 },
            efficiency_forward: 0.9,
            efficiency_backward: 0.8,
        };
        let ideal = 5000.0 * 0.01 / (2.0 * core::f64::consts::PI);
        assert!((screw.motor_torque_nm(5000.0, 1.0) - ideal / 0.9).abs() < 1e-12);
        assert!((screw.motor_torque_nm(5000.0, -1.0) - ideal * 0.8).abs() < 1e-12);
        assert!((screw.motor_torque_nm(-5000.0, -1.0) + ideal / 0.9).abs() < 1e-12);
    }

    #[test]
    fn every_kind_has_its_travel() {
        let travel = |drive| Transmission::lossless(drive).travel_per_rad();
        assert!(
            (travel(Drive::BallScrew { lead_m: 0.02 }) * 2.0 * core::f64::consts::PI - 0.02).abs()
                < 1e-17
        );
        assert_eq!(
            travel(Drive::Belt {
                pinion_radius_m: 0.03
            }),
            0.03
        );
        assert_eq!(travel(Drive::Gear { ratio: 10.0 }), 0.1);
        assert_eq!(travel(Drive::Direct), 1.0);
    }

    #[test]
    fn millimetres_are_refused() {
        let screw = Transmission::lossless(Drive::BallScrew { lead_m: 10.0 });
        assert_eq!(screw.check().unwrap_err().name, "lead_m");
    }
}
