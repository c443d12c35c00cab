//! Families of faults, each with the direction in which it moves the figures of a signature.
//!
//! Directions are small whole numbers: 2 for what shows the fault, 1 for what goes along with it. Signs have the reasons
//! below; figures and weights were chosen with recordings of one ball screw in view (Cranfield, runs 1 to 5, faults
//! included), the 2 of the ripple and of the friction of spalling among them, so that other screws have yet to confirm them.
//!
//! - lubrication: metal touches metal, friction rises both ways; the axis sticks and hunts, and the same friction damps what
//!   is fast: roughness and ripple fall.
//! - backlash: the nut has lost its preload, and with it its share of the friction; in the play the carriage hunts and shakes, and the
//!   current works against it.
//! - spalling: a raceway has local damage that every revolution meets: ripple rises; what has broken off took preload with
//!   it, so that the mean current falls as it does with play, without the unrest of it.

use super::FIGURES;
use crate::cause::Cause;

/// Number of families.
pub const FAMILIES: usize = 3;

/// A family of faults.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Family {
    /// Lubrication is lacking.
    Lubrication = 0,
    /// Preload has gone.
    Backlash = 1,
    /// A raceway or a ball is damaged.
    Spalling = 2,
}

impl Family {
    /// All families, in the order of their codes.
    pub const ALL: [Self; FAMILIES] = [Self::Lubrication, Self::Backlash, Self::Spalling];

    /// The word used in configurations.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Lubrication => "lubrication",
            Self::Backlash => "backlash",
            Self::Spalling => "spalling",
        }
    }

    /// What an event says.
    pub const fn cause(self) -> Cause {
        match self {
            Self::Lubrication => Cause::LubricationLacking,
            Self::Backlash => Cause::PreloadLost,
            Self::Spalling => Cause::Spalling,
        }
    }

    /// Friction, hunting, roughness, ripple, unrest.
    const fn direction(self) -> [f64; FIGURES] {
        match self {
            Self::Lubrication => [2.0, 1.0, -1.0, -1.0, 0.0],
            Self::Backlash => [-2.0, 1.0, 1.0, 0.0, 1.0],
            Self::Spalling => [-2.0, 0.0, 0.0, 2.0, 0.0],
        }
    }

    /// How far standardised deviations go in the direction of this family (1).
    pub fn score(self, z: &[f64; FIGURES]) -> f64 {
        let direction = self.direction();
        let (mut along, mut square) = (0.0, 0.0);
        for (d, z) in direction.iter().zip(z) {
            along += d * z;
            square += d * d;
        }
        along / libm::sqrt(square)
    }
}

/// The family whose direction explains most of these standardised deviations.
pub fn likeliest(z: &[f64; FIGURES]) -> Family {
    let mut best = Family::Lubrication;
    for family in Family::ALL {
        if family.score(z) > best.score(z) {
            best = family;
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_family_explains_its_own_direction_best() {
        for family in Family::ALL {
            assert_eq!(likeliest(&family.direction()), family);
        }
    }

    #[test]
    fn falling_friction_with_unrest_is_preload_and_with_ripple_is_spalling() {
        assert_eq!(likeliest(&[-5.0, 0.5, 0.5, 0.5, 1.0]), Family::Backlash);
        assert_eq!(likeliest(&[-2.0, 0.0, 0.0, 2.5, 0.5]), Family::Spalling);
        assert_eq!(likeliest(&[6.0, 0.0, 0.0, 0.0, 0.0]), Family::Lubrication);
    }

    #[test]
    fn a_score_has_the_spread_of_the_deviations() {
        for family in Family::ALL {
            let d = family.direction();
            let square: f64 = d.iter().map(|d| d * d).sum();
            assert!((family.score(&d) - square.sqrt()).abs() < 1e-12);
        }
    }
}
