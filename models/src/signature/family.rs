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
use crate::rank::Ranking;

/// Number of families.
pub const FAMILIES: usize = 3;

/// What a direction may be wrong by, relative to its length: another screw may want each of its numbers one higher or lower, and their
/// length is about 2.7.
const SHAPE: f64 = 0.37;

/// A family of faults.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
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

/// The families by how well they explain standardised deviations that were gathered over this many movements, each with its share.
///
/// # Derivation
/// The mean deviation is `m = A u + e`: u the direction of a family with length 1, A > 0 how far the fault has gone, which nobody knows.
/// What `A u` takes out of the square of m is that of the score `q |m|`, where q is the cosine between both, so with a spread s of e
///
/// ```text
/// log p = 1/2 q^2 |m|^2 / s^2 + const, q > 0,   s^2 = 1 + (SHAPE |m|)^2
/// ```
///
/// A spread of 1 stays however many movements there are, because half of it and more lies between runs, and no direction is exact: what is
/// far off in a direction between two families stays between them.
pub fn rank(gathered: &[f64; FIGURES], movements: u32) -> Ranking {
    let square: f64 = gathered.iter().map(|z| z * z).sum();
    // 1 / |m|^2, 0 for what is beyond all numbers.
    let count = f64::from(movements);
    let per_square = count * count / square;
    let share = |family: Family| {
        let score = family.score(gathered);
        let cosine_square = if score > 0.0 {
            score * score / square
        } else {
            0.0
        };
        let exponent = 0.5 * cosine_square / (per_square + SHAPE * SHAPE);
        (family.cause(), libm::exp(exponent))
    };
    Ranking::of(&Family::ALL.map(share))
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
    fn what_lies_between_two_families_stays_between_them() {
        let of = |z: &[f64; FIGURES], movements| rank(z, movements).0;
        for family in Family::ALL {
            let z = family.direction().map(|d| 4.0 * d);
            let [first, second, third] = of(&z, 1);
            assert_eq!(first.0, family.cause());
            assert!(first.1 > 0.7 && second.1 > 0.01, "{first:?} {second:?}");
            assert!((first.1 + second.1 + third.1 - 1.0).abs() < 1e-12);
        }
        // Less friction alone: a lost preload and spalling explain it nearly alike, lack of lubrication not at all.
        let [first, second, third] = of(&[-8.0, 0.0, 0.0, 0.0, 0.0], 1);
        assert_eq!(
            [first.0, second.0, third.0],
            [
                Cause::PreloadLost,
                Cause::Spalling,
                Cause::LubricationLacking
            ]
        );
        assert!(first.1 < 0.6 && third.1 < 0.1, "{first:?} {third:?}");
        // The likeliest family comes first, and the same sum over more movements says less.
        for z in [[9.0, 3.0, -2.0, -2.0, 0.5], [-2.2, 0.3, -0.6, 2.7, 0.8]] {
            assert_eq!(rank(&z, 3).first(), likeliest(&z).cause());
            assert!(of(&z, 1)[0].1 > of(&z, 9)[0].1);
        }
    }

    #[test]
    fn no_deviation_is_too_small_or_too_large_to_be_ranked() {
        for size in [1e-200, 1e-3, 1e15, 1e160] {
            let [first, ..] = rank(&[size, 0.0, 0.0, 0.0, 0.0], 2).0;
            assert!(first.1 >= 1.0 / 3.0 || first.1 == 0.0, "{size}: {first:?}");
            assert!(first.1.is_finite());
        }
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
