//! Friction: a static map, and LuGre with its bristles as a state.
//!
//! # Derivation
//! The static map is Coulomb (each direction its own), Stribeck and viscous; `d` is the direction of motion:
//!
//! ```text
//! F(v) = d g(v) + b v,   g(v) = Fc(d) + dF exp(-(v / vs)^2)
//! ```
//!
//! At rest anything up to `g(0) = Fs` is balanced; the mechanics decide that, so that an axis sticks exactly.
//!
//! LuGre (Canudas de Wit, Olsson, Astrom, Lischinsky 1995) puts bristles of deflection z between the surfaces:
//!
//! ```text
//! z' = v - a(v) z,   a(v) = s0 |v| / g(v),   F = s0 z + s1 z' + b v
//! ```
//!
//! At constant speed s0 z = d g(v), so that both have the same map. For a frozen v the bristles have an exact step,
//! `z(h) = zss + (z(0) - zss) exp(-a h)` with `zss = d g / s0`; |z| <= max g / s0 holds for all time if it holds once.

use super::error::{ParamError, within};

/// Largest force that a parameter may ask for (N).
pub const FORCE_MAX_N: f64 = 1e6;

/// Asymmetric Coulomb, Stribeck and viscous friction on the axis' coordinate (rotary axes: N m, rad).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StaticFriction {
    /// Coulomb friction in positive direction (N, 0 to 1e6).
    pub coulomb_positive_n: f64,
    /// Coulomb friction in negative direction (N, 0 to 1e6).
    pub coulomb_negative_n: f64,
    /// Break-away minus Coulomb friction (N, 0 to 1e6).
    pub stribeck_n: f64,
    /// Velocity at which the Stribeck part has fallen to 1/e (m/s, 1e-6 to 10).
    pub stribeck_velocity_m_per_s: f64,
    /// Viscous friction (N s/m, 0 to 1e6).
    pub viscous_n_s_per_m: f64,
}

impl StaticFriction {
    /// No friction.
    pub const NONE: Self = Self {
        coulomb_positive_n: 0.0,
        coulomb_negative_n: 0.0,
        stribeck_n: 0.0,
        stribeck_velocity_m_per_s: 1.0,
        viscous_n_s_per_m: 0.0,
    };

    /// Checks every value against its range.
    ///
    /// # Errors
    /// The first value that is out of range.
    pub fn check(&self) -> Result<(), ParamError> {
        let hint = "forces of friction are sizes without sign";
        let n = FORCE_MAX_N;
        within("coulomb_positive_n", self.coulomb_positive_n, 0.0, n, hint)?;
        within("coulomb_negative_n", self.coulomb_negative_n, 0.0, n, hint)?;
        within("stribeck_n", self.stribeck_n, 0.0, n, hint)?;
        within(
            "stribeck_velocity_m_per_s",
            self.stribeck_velocity_m_per_s,
            1e-6,
            10.0,
            "usually 0.001 to 0.1 m/s",
        )?;
        within("viscous_n_s_per_m", self.viscous_n_s_per_m, 0.0, n, hint)
    }

    /// g(v): dry friction against motion in `direction` (> 0 or not) at speed `v` (N, a size without sign).
    #[inline]
    pub fn dry_n(&self, direction: f64, v: f64) -> f64 {
        let coulomb = if direction > 0.0 {
            self.coulomb_positive_n
        } else {
            self.coulomb_negative_n
        };
        if self.stribeck_n == 0.0 {
            return coulomb;
        }
        let ratio = v / self.stribeck_velocity_m_per_s;
        coulomb + self.stribeck_n * libm::exp(-ratio * ratio)
    }

    /// Largest force that is balanced at rest against motion in `direction` (N).
    #[inline]
    pub fn breakaway_n(&self, direction: f64) -> f64 {
        self.dry_n(direction, 0.0)
    }

    /// Friction at the steady velocity `v` != 0, with its sign (N); 0 at rest.
    pub fn force_n(&self, v: f64) -> f64 {
        let dry = if v > 0.0 {
            self.dry_n(v, v)
        } else if v < 0.0 {
            -self.dry_n(v, v)
        } else {
            0.0
        };
        dry + self.viscous_n_s_per_m * v
    }
}

/// LuGre: the static map at constant speed, bristles before that.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LuGre {
    /// What is left at constant speed; Coulomb friction must be > 0 in both directions.
    pub map: StaticFriction,
    /// Stiffness of the bristles s0 (N/m, 1 to 1e10).
    pub bristle_stiffness_n_per_m: f64,
    /// Damping of the bristles s1 (N s/m, 0 to 1e7).
    pub bristle_damping_n_s_per_m: f64,
}

impl LuGre {
    /// Checks every value against its range.
    ///
    /// # Errors
    /// The first value that is out of range.
    pub fn check(&self) -> Result<(), ParamError> {
        self.map.check()?;
        let hint = "bristles need a force to slide at";
        let (low, high) = (1e-6, FORCE_MAX_N);
        let map = &self.map;
        within(
            "coulomb_positive_n",
            map.coulomb_positive_n,
            low,
            high,
            hint,
        )?;
        within(
            "coulomb_negative_n",
            map.coulomb_negative_n,
            low,
            high,
            hint,
        )?;
        within(
            "bristle_stiffness_n_per_m",
            self.bristle_stiffness_n_per_m,
            1.0,
            1e10,
            "break-away force over the travel before sliding",
        )?;
        within(
            "bristle_damping_n_s_per_m",
            self.bristle_damping_n_s_per_m,
            0.0,
            1e7,
            "about 2 sqrt(stiffness mass)",
        )
    }

    /// a(v): rate at which the bristles forget (1/s).
    #[inline]
    pub fn rate_per_s(&self, v: f64) -> f64 {
        self.bristle_stiffness_n_per_m * v.abs() / self.map.dry_n(v, v)
    }

    /// Friction with bristles at `z_m` and velocity `v` (N).
    #[inline]
    pub fn force_n(&self, z_m: f64, v: f64) -> f64 {
        self.bristle_stiffness_n_per_m * z_m
            + self.bristle_damping_n_s_per_m * (v - self.rate_per_s(v) * z_m)
            + self.map.viscous_n_s_per_m * v
    }

    /// Bristles after `step_s` at the constant velocity `v` (m): exact, for a step of any length.
    pub fn advance(&self, z_m: f64, v: f64, step_s: f64) -> f64 {
        if v == 0.0 {
            return z_m;
        }
        let dry = self.map.dry_n(v, v) / self.bristle_stiffness_n_per_m;
        let steady = if v > 0.0 { dry } else { -dry };
        z_m + (steady - z_m) * -libm::expm1(-self.rate_per_s(v) * step_s)
    }

    /// Largest deflection of the bristles that motion can lead to (m).
    #[inline]
    pub fn bristle_max_m(&self) -> f64 {
        let (p, n) = (self.map.breakaway_n(1.0), self.map.breakaway_n(-1.0));
        (if p > n { p } else { n }) / self.bristle_stiffness_n_per_m
    }
}

/// Friction of the load's guide.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Friction {
    /// The static map: sticks exactly.
    Static(StaticFriction),
    /// Bristles: yields a little before it breaks away.
    LuGre(LuGre),
}

impl Friction {
    /// Checks every value against its range.
    ///
    /// # Errors
    /// The first value that is out of range.
    pub fn check(&self) -> Result<(), ParamError> {
        match self {
            Self::Static(friction) => friction.check(),
            Self::LuGre(friction) => friction.check(),
        }
    }

    /// The map at constant speed.
    #[inline]
    pub fn map(&self) -> &StaticFriction {
        match self {
            Self::Static(friction) => friction,
            Self::LuGre(friction) => &friction.map,
        }
    }

    /// The bristles, where there are any.
    #[inline]
    pub fn bristles(&self) -> Option<&LuGre> {
        match self {
            Self::Static(_) => None,
            Self::LuGre(friction) => Some(friction),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map() -> StaticFriction {
        StaticFriction {
            coulomb_positive_n: 40.0,
            coulomb_negative_n: 30.0,
            stribeck_n: 15.0,
            stribeck_velocity_m_per_s: 0.01,
            viscous_n_s_per_m: 120.0,
        }
    }

    #[test]
    fn the_stribeck_curve_has_its_known_points() {
        let at_vs = 40.0 + 15.0 / core::f64::consts::E + 1.2;
        assert!((map().force_n(0.01) - at_vs).abs() < 1e-12);
        assert!((map().force_n(-1.0) + 150.0).abs() < 1e-12);
        assert_eq!(map().breakaway_n(1.0), 55.0);
        assert_eq!(map().breakaway_n(-1.0), 45.0);
    }

    #[test]
    fn bristles_settle_on_the_map_in_one_step_of_any_length() {
        let lugre = LuGre {
            map: map(),
            bristle_stiffness_n_per_m: 1e7,
            bristle_damping_n_s_per_m: 2e3,
        };
        for v in [0.005, -0.02, 1.0] {
            let z = lugre.advance(0.0, v, 10.0);
            assert!((lugre.force_n(z, v) - map().force_n(v)).abs() < 1e-9);
            assert!(z.abs() <= lugre.bristle_max_m());
        }
        assert_eq!(lugre.advance(3e-6, 0.0, 0.004), 3e-6);
    }

    #[test]
    fn lugre_needs_a_force_to_slide_at() {
        let mut lugre = LuGre {
            map: map(),
            bristle_stiffness_n_per_m: 1e7,
            bristle_damping_n_s_per_m: 2e3,
        };
        lugre.map.coulomb_negative_n = 0.0;
        assert_eq!(lugre.check().unwrap_err().name, "coulomb_negative_n");
    }
}
