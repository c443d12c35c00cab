//! The signature of a movement: a few figures of one way out and back, and what they say about the screw.
//!
//! It needs no model of the axis and no high sampling rate, so it also works where a recording is too coarse for inverse
//! dynamics.
//!
//! # Derivation
//! At constant speed the current of a screw carries friction F and load g: `F + g` on the way to larger positions, `F - g`
//! on the way back, each counted in the direction of the motion. Half their sum is the friction, half their difference is
//! the load. Friction depends on the load, so a movement is compared with healthy ones of the same load, told by that
//! difference.
//!
//! What is left about the mean says how the screw runs, and is compared as a ratio, since it is a size:
//!
//! - hunting: RMS of the following error, smoothed over [`SMOOTHING`] samples. The position loop hunts where friction sticks.
//! - roughness: RMS of the second difference of the following error over sqrt(6), the spread of a white error. Play lets
//!   the carriage shake, a tight or dry screw damps it.
//! - ripple: amplitude of the current once a revolution of the screw.
//! - unrest: RMS of the current about a straight line over the stroke. In play the loop works to and fro, however fast.
//!
//! A fault moves these figures in a direction of its own ([`Family`]), which is what is judged: a figure that strays alone
//! weighs less than the same size in the right directions. Current is not always higher on a worn screw: both play and a
//! spalled raceway mean that preload has gone, and friction with it.

mod family;
mod movement;
mod stroke;
mod student;

pub use family::{FAMILIES, Family, likeliest, rank};
pub use movement::{Movement, Settings};
pub use stroke::SMOOTHING;
pub use student::{quantile, tail};

/// Number of figures.
pub const FIGURES: usize = 5;

/// Rate at which a signature is taken (ns); faster cycles are averaged to it.
pub const SAMPLE_NS: u64 = 40_000_000;

/// One figure of a signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Figure {
    /// Friction current, mean of both directions (A).
    Friction = 0,
    /// Slow part of the following error (m).
    Hunting = 1,
    /// Fast part of the following error (m).
    Roughness = 2,
    /// Current once a revolution (A).
    Ripple = 3,
    /// Current about its line over a stroke (A).
    Unrest = 4,
}

impl Figure {
    /// All figures, in the order of their codes.
    pub const ALL: [Self; FIGURES] = [
        Self::Friction,
        Self::Hunting,
        Self::Roughness,
        Self::Ripple,
        Self::Unrest,
    ];

    /// The word used in configurations.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Friction => "friction",
            Self::Hunting => "hunting",
            Self::Roughness => "roughness",
            Self::Ripple => "ripple",
            Self::Unrest => "unrest",
        }
    }
}

/// Smallest size of a figure whose ratio is taken: far below what any sensor resolves (m or A).
const LEAST_SIZE: f64 = 1.0e-12;

/// What one movement, out and back, shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Signature {
    /// Constant load (A); positive pulls towards smaller positions.
    pub load_a: f64,
    /// The figures in the order of [`Figure::ALL`], as sizes: A, m, m, A, A.
    pub figures: [f64; FIGURES],
    /// Mean speed of the reference, out and back (m/s).
    pub speeds_m_per_s: [f64; 2],
}

impl Signature {
    /// The slower and the faster of both strokes (m/s).
    pub fn pace(&self) -> [f64; 2] {
        let [one, other] = self.speeds_m_per_s;
        [one.min(other), one.max(other)]
    }

    /// Deviation from a healthy signature: friction as a difference (A), the sizes as the logarithm of their ratio (1).
    pub fn deviation(&self, healthy: &Self) -> [f64; FIGURES] {
        let mut deviation = [0.0; FIGURES];
        for figure in Figure::ALL {
            let f = figure as usize;
            deviation[f] = match figure {
                Figure::Friction => self.figures[f] - healthy.figures[f],
                _ => libm::log(floored(self.figures[f]) / floored(healthy.figures[f])),
            };
        }
        deviation
    }
}

fn floored(size: f64) -> f64 {
    if size > LEAST_SIZE { size } else { LEAST_SIZE }
}

/// The healthy signature of the load nearest to `load_a`; none when there is none within `within_a`.
pub fn nearest(healthy: &[Signature], load_a: f64, within_a: f64) -> Option<&Signature> {
    let mut best = None;
    let mut least_a = within_a;
    for one in healthy {
        let away_a = libm::fabs(one.load_a - load_a);
        if away_a <= least_a {
            least_a = away_a;
            best = Some(one);
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_load_is_found_and_a_strange_one_is_not() {
        let at = |load_a| Signature {
            load_a,
            ..Signature::default()
        };
        let healthy = [at(0.1), at(0.3)];
        assert_eq!(nearest(&healthy, 0.25, 0.1), Some(&healthy[1]));
        assert_eq!(nearest(&healthy, 0.12, 0.1), Some(&healthy[0]));
        assert_eq!(nearest(&healthy, 0.5, 0.1), None);
        assert_eq!(nearest(&[], 0.1, 0.1), None);
        assert_eq!(nearest(&healthy, f64::NAN, 0.1), None);
    }

    #[test]
    fn sizes_deviate_by_their_ratio_and_a_size_of_nothing_stays_finite() {
        let healthy = Signature {
            figures: [1.0, 2e-4, 1e-4, 0.01, 0.1],
            ..Signature::default()
        };
        let other = Signature {
            figures: [0.9, 4e-4, 1e-4, 0.0, 0.1],
            ..Signature::default()
        };
        let d = other.deviation(&healthy);
        assert!((d[0] + 0.1).abs() < 1e-12);
        assert!((d[1] - libm::log(2.0)).abs() < 1e-12);
        assert_eq!(d[2], 0.0);
        assert!(d[3].is_finite() && d[3] < -10.0);
    }
}
