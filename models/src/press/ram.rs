//! From what the axis reports, position and current, to where the ram is and what force is on it.
//!
//! # Derivation
//! The axis counts in metres of its own: a turn of the motor is one lead. Behind a crank or a table the drive's angle is
//! `q = (x - x0) rad_per_m`, the ram is at `s(q)`, and the force of the axis `kf i` is on the ram `kf i / g` with
//! `g = ds/dx = ds/dq rad_per_m`. Losses and the counterbalance are those of [`super::frame`], in these coordinates:
//! `F = kf i eta / g - F_c(s)`. A screw is its own axis: `s = x` and `g = 1`, without rounding.
//!
//! Near a dead centre g goes to 0 and `1 / g` blows up whatever the current has of noise: below a share of the largest g of
//! the way from `top` to `bottom` the force is not known, and that is what is said.

use super::frame::{Counterbalance, ForceUnknown, Motor};
use super::kinematics::Kinematics;
use super::near::Near;

/// Below this share of the largest Jacobian of the stroke the force is not known: noise and friction count a hundredfold there.
pub const DEAD_SHARE: f64 = 0.01;
/// Places at which the largest Jacobian of a stroke is looked for.
const LOOKS: u32 = 1024;

/// A crank or a table between axis and ram.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Linkage {
    kinematics: Kinematics,
    rad_per_m: f64,
    zero_m: f64,
    least: f64,
}

impl Linkage {
    /// A linkage that turns by `rad_per_m` per way of the axis (rad/m, not 0) from angle 0 at `zero_m` (m), for a stroke of
    /// the axis over `way_m` (m).
    pub fn new(kinematics: Kinematics, rad_per_m: f64, zero_m: f64, way_m: [f64; 2]) -> Self {
        let mut new = Self {
            kinematics,
            rad_per_m,
            zero_m,
            least: 0.0,
        };
        let step_m = (way_m[1] - way_m[0]) / f64::from(LOOKS);
        let mut most = 0.0;
        for k in 0..=LOOKS {
            let (_, g) = new.travel(way_m[0] + step_m * f64::from(k));
            let size = if g < 0.0 { -g } else { g };
            if size > most {
                most = size;
            }
        }
        new.least = DEAD_SHARE * most;
        new
    }

    /// Where the ram is (m) and how far it goes per way of the axis (1).
    #[inline]
    pub fn travel(&self, axis_m: f64) -> (f64, f64) {
        let (ram_m, m_per_rad) = self
            .kinematics
            .travel((axis_m - self.zero_m) * self.rad_per_m);
        (ram_m, m_per_rad * self.rad_per_m)
    }

    /// [`Self::travel`], to the last bit, and how much further the ram goes per way of the axis, per way of the axis (1/m): the
    /// derivative of what that says second.
    #[inline]
    pub fn follow(&self, axis_m: f64) -> (f64, f64, f64) {
        let (ram_m, m_per_rad, m_per_rad2) = self
            .kinematics
            .follow((axis_m - self.zero_m) * self.rad_per_m);
        (
            ram_m,
            m_per_rad * self.rad_per_m,
            m_per_rad2 * self.rad_per_m * self.rad_per_m,
        )
    }

    /// The same around a place of the axis (m).
    pub(super) fn near(&self, axis_m: f64) -> Near {
        let near = Near::of(&self.kinematics, (axis_m - self.zero_m) * self.rad_per_m);
        near.of_axis(axis_m, self.rad_per_m)
    }

    /// The largest Jacobian of the stroke (1).
    pub const fn most(&self) -> f64 {
        self.least / DEAD_SHARE
    }

    /// The smallest Jacobian of a stroke of the axis over `way_m` (m), as a size (1); 0 where there is a dead centre in it.
    pub fn slowest(&self, way_m: [f64; 2]) -> f64 {
        let step_m = (way_m[1] - way_m[0]) / f64::from(LOOKS);
        let (_, first) = self.travel(way_m[0]);
        let mut least = first.abs();
        for k in 1..=LOOKS {
            let (_, g) = self.travel(way_m[0] + step_m * f64::from(k));
            if g * first <= 0.0 {
                return 0.0;
            }
            least = least.min(g.abs());
        }
        least
    }

    /// The crank or table.
    pub const fn kinematics(&self) -> &Kinematics {
        &self.kinematics
    }

    /// Turn of the drive per way of the axis (rad/m), and the place of the axis at angle 0 (m).
    pub const fn turn(&self) -> (f64, f64) {
        (self.rad_per_m, self.zero_m)
    }

    /// The Jacobian below which the force is not known (1).
    pub const fn least(&self) -> f64 {
        self.least
    }
}

/// The ram behind its axis.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ram {
    /// Crank or table; none: the axis is the ram, as behind a screw.
    pub linkage: Option<Linkage>,
    /// Force of the axis per current (as a torque constant, N/A, > 0), and the losses.
    pub motor: Motor,
    /// What carries the ram, as far as the current does not have it already.
    pub counterbalance: Counterbalance,
}

impl Ram {
    /// A screw without losses and counterbalance, with this force per current (N/A, > 0).
    pub const fn screw(force_n_per_a: f64) -> Self {
        Self {
            linkage: None,
            motor: Motor {
                torque_constant_nm_per_a: force_n_per_a,
                efficiency: 1.0,
                efficiency_back: 1.0,
            },
            counterbalance: Counterbalance {
                constant_n: 0.0,
                rate_n_per_m: 0.0,
                at_m: 0.0,
            },
        }
    }

    /// Where the ram is (m) and how far it goes per way of the axis (1), with a rigid frame.
    #[inline]
    pub fn travel(&self, axis_m: f64) -> (f64, f64) {
        match &self.linkage {
            None => (axis_m, 1.0),
            Some(linkage) => linkage.travel(axis_m),
        }
    }

    /// Force on the ram (N) from the current of the axis (A) at its position (m) and velocity (m/s).
    ///
    /// # Errors
    /// [`ForceUnknown`] where the current says nothing of it.
    #[inline]
    pub fn force_n(
        &self,
        current_a: f64,
        axis_m: f64,
        axis_m_per_s: f64,
    ) -> Result<f64, ForceUnknown> {
        self.force_at_n(current_a, self.travel(axis_m), axis_m_per_s)
    }

    /// [`Self::force_n`] where the travel is known already: what [`Self::travel`] said of the position.
    ///
    /// # Errors
    /// [`ForceUnknown`] where the current says nothing of it.
    #[inline]
    pub fn force_at_n(
        &self,
        current_a: f64,
        (ram_m, g): (f64, f64),
        axis_m_per_s: f64,
    ) -> Result<f64, ForceUnknown> {
        let least = self.linkage.as_ref().map_or(0.0, Linkage::least);
        let drives_n = self.motor.force_n(current_a, g, least, axis_m_per_s)?;
        Ok(drives_n - self.counterbalance.force_n(ram_m))
    }
}

#[cfg(test)]
mod tests;
