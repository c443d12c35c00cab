//! What the parameters of an axis may be: the bounds that a configuration is held to.
//!
//! They are wider than any machine, and narrow enough that nothing the kernel computes leaves the numbers: whatever lies within them, and is
//! measured within [`MEASURED`], is predicted by a finite number (`models/tests/kernel_range.rs`).
//!
//! What counts beside the single figures is how fast the axis is within a period. A rate beyond [`RATE_MAX`] is one that no exact step was
//! made for, and loops that grow by themselves are those of no drive: [`loops`] finds both. They come of a wrong unit as a rule.

use super::params::AxisParams;
use super::transition::{self, RATE_MAX};

/// Bounds of a parameter, both included.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Range {
    /// Smallest.
    pub low: f64,
    /// Largest.
    pub high: f64,
}

const fn range(low: f64, high: f64) -> Range {
    Range { low, high }
}

/// Moved mass (kg; of an axis that turns kg m2).
pub const MASS_KG: Range = range(1e-9, 1e9);
/// Force per current (N/A).
pub const FORCE_CONSTANT_N_PER_A: Range = range(1e-6, 1e9);
/// Coulomb and Stribeck friction, and a constant load in either direction (N).
pub const FORCE_N: Range = range(0.0, 1e9);
/// Viscous friction (N s/m).
pub const VISCOUS_N_S_PER_M: Range = range(0.0, 1e9);
/// Stribeck velocity (m/s).
pub const STRIBECK_VELOCITY_M_PER_S: Range = range(1e-9, 1e3);
/// Position gain (1/s).
pub const POSITION_GAIN_PER_S: Range = range(1e-6, 1e5);
/// Velocity gain (A s/m, or N s/m).
pub const VELOCITY_GAIN: Range = range(1e-9, 1e12);
/// Integral gain of the velocity loop (A/m, or N/m).
pub const INTEGRAL_GAIN: Range = range(0.0, 1e15);
/// Limit of the current (A, or N).
pub const LIMIT_A: Range = range(1e-9, 1e9);
/// Standard deviation of a measured position (m).
pub const POSITION_NOISE_M: Range = range(1e-15, 1e3);
/// Standard deviation of an innovation (its own unit).
pub const SIGMA: Range = range(1e-18, 1e15);
/// Size of what is measured or told, in whatever SI unit: beyond it no quantity of a machine is meant.
pub const MEASURED: f64 = 1e15;

/// Growth of the loops in a period that counts as none: what is left of a rounding, and of loops that stand where they are put.
const GROWTH_MAX: f64 = 1e-4;

/// Which figure makes an axis too fast.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rate {
    /// Viscous friction over mass.
    Viscous,
    /// The velocity loop.
    Velocity,
    /// Its integrator.
    Integral,
    /// The position loop.
    Position,
}

/// Why an axis has no exact step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum LoopsError {
    /// It is too fast for its period.
    TooFast {
        /// By which figure.
        of: Rate,
        /// Its rate (1 per period); [`RATE_MAX`] is allowed.
        per_period: f64,
        /// The lag of the current that it was judged with (s).
        lag_s: f64,
    },
    /// The loops of the drive grow by themselves.
    Unstable {
        /// By this share in a period (1).
        growth: f64,
    },
}

impl core::fmt::Display for LoopsError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::TooFast {
                of,
                per_period,
                lag_s,
            } => write!(
                f,
                "too fast: {of:?} acts {per_period:.1e} times within it with a lag of the current of {lag_s:.1e} s, and {RATE_MAX:e} are followed"
            ),
            Self::Unstable { growth } => {
                write!(f, "the loops grow by {growth:.1e} of themselves in each")
            }
        }
    }
}

/// Whether mass, viscous friction and loops of an axis belong together.
///
/// # Errors
/// [`LoopsError`] with what is too fast, or how much the loops grow.
pub fn loops(a: &AxisParams, period_s: f64) -> Result<(), LoopsError> {
    loops_carrying(a, 0.0, period_s)
}

/// The same of an axis that always moves at least this inertia (A s2/m) behind a linkage, beside that of what turns with the motor: its loops are
/// those of both.
///
/// # Errors
/// As [`loops`].
pub fn loops_carrying(a: &AxisParams, carried: f64, period_s: f64) -> Result<(), LoopsError> {
    let rates = transition::rates(a, period_s);
    let of = [
        Rate::Viscous,
        Rate::Velocity,
        Rate::Integral,
        Rate::Position,
    ];
    for (of, per_period) in of.into_iter().zip(rates) {
        if per_period.is_nan() || per_period > RATE_MAX {
            let lag_s = transition::lag(a.current_time_constant_s, period_s);
            return Err(LoopsError::TooFast {
                of,
                per_period,
                lag_s,
            });
        }
    }
    let both = AxisParams {
        inertia: a.inertia + carried,
        ..*a
    };
    let growth = transition::growth(&both, period_s);
    if growth.is_nan() || growth > GROWTH_MAX {
        return Err(LoopsError::Unstable { growth });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::axis::tests::DRIVE as A;

    #[test]
    fn loops_of_drives_settle_at_every_period() {
        for period_s in [31.25e-6, 1e-3, 1e-2, 0.04] {
            assert_eq!(loops(&A, period_s), Ok(()), "{period_s}");
        }
        for period_s in [31.25e-6, 1e-3, 1e-2] {
            let stiff = AxisParams {
                integral_gain: 0.0,
                velocity_gain: 4000.0,
                ..A
            };
            assert_eq!(loops(&stiff, period_s), Ok(()), "{period_s}");
        }
    }

    /// A drive that closes its loops once a period settles up to twice its inertia over the period.
    #[test]
    fn gains_that_were_tuned_to_a_ram_settle_with_what_is_always_moved_of_it() {
        let sampled = AxisParams {
            sampled: true,
            integral_gain: 0.0,
            velocity_gain: 2.5 * A.inertia / 1e-3,
            ..A
        };
        let grows = |carried: f64| {
            let found = loops_carrying(&sampled, carried, 1e-3);
            matches!(found, Err(LoopsError::Unstable { .. }))
        };
        assert!(grows(0.0) && loops(&sampled, 1e-3).is_err());
        assert!(grows(0.2 * A.inertia));
        assert!(!grows(0.4 * A.inertia));
    }

    #[test]
    fn what_is_too_fast_is_told_by_its_figure() {
        let of = |a: AxisParams| match loops(&a, 1e-3) {
            Err(LoopsError::TooFast { of, .. }) => Some(of),
            _ => None,
        };
        // As the text says it is computed: gain x period / inertia x period / lag.
        let stiff = AxisParams {
            velocity_gain: 1e9,
            current_time_constant_s: 1e-6,
            ..A
        };
        let found = loops(&stiff, 1e-3);
        let expected = LoopsError::TooFast {
            of: Rate::Velocity,
            per_period: 1e9 * 1e-3 / A.inertia * 32.0,
            lag_s: 1e-3 / 32.0,
        };
        assert_eq!(found.map_err(|e| e.to_string()), Err(expected.to_string()));
        let viscous = AxisParams { viscous: 1e12, ..A };
        assert_eq!(of(viscous), Some(Rate::Viscous));
        let without = AxisParams {
            cascade_valid: false,
            ..viscous
        };
        assert_eq!(of(without), Some(Rate::Viscous));
        let velocity = AxisParams {
            velocity_gain: 1e11,
            ..A
        };
        assert_eq!(of(velocity), Some(Rate::Velocity));
        let integral = AxisParams {
            integral_gain: 1e15,
            ..A
        };
        assert_eq!(of(integral), Some(Rate::Integral));
        let position = AxisParams {
            position_gain_per_s: 1e5,
            velocity_gain: 1e5,
            ..A
        };
        assert_eq!(of(position), Some(Rate::Position));
    }

    /// Without a position loop the velocity of a drive that holds its output is multiplied by `1 - kv T / m` in the mean: it settles below 2.
    #[test]
    fn a_sampled_drive_settles_up_to_twice_its_inertia_per_period() {
        let drive = |share: f64, kx: f64| AxisParams {
            sampled: true,
            viscous: 0.0,
            integral_gain: 0.0,
            position_gain_per_s: kx,
            velocity_gain: share * A.inertia / 1e-3,
            ..A
        };
        for (share, kx) in [(0.1, 60.0), (1.0, 60.0), (1.9, 10.0), (1.99, 1e-3)] {
            assert_eq!(loops(&drive(share, kx), 1e-3), Ok(()), "{share} {kx}");
        }
        for (share, kx) in [(2.01, 1e-3), (1.95, 60.0), (3.0, 10.0), (0.1, 5e4)] {
            let found = loops(&drive(share, kx), 1e-3);
            assert!(
                matches!(found, Err(LoopsError::Unstable { growth }) if growth > 1e-3),
                "{share} {kx}: {found:?}"
            );
        }
    }

    #[test]
    fn loops_that_grow_are_told_and_a_drive_that_holds_its_output_has_none() {
        let grows = AxisParams {
            integral_gain: 2e6,
            ..A
        };
        let found = loops(&grows, 1e-3);
        assert!(
            matches!(found, Err(LoopsError::Unstable { growth }) if growth > 0.1),
            "{found:?}"
        );
        for held in [
            AxisParams {
                sampled: true,
                ..grows
            },
            AxisParams {
                cascade_valid: false,
                ..grows
            },
        ] {
            assert_eq!(loops(&held, 1e-3), Ok(()));
        }
    }
}
