//! What may be behind a press stroke that is NOK, from the stroke alone.
//!
//! # Derivation
//! Where the twin knows the part, the residual r is measured minus predicted force at the place of the way in where it is largest in size.
//!
//! - What all of the way in shares, before the part is met too, is no part: friction of the ram, or a zero that has moved. Its size over that of
//!   r is the share of friction.
//! - The rest o is the part. With more force than predicted it is another part. With less it is another part, none, or a press that yields:
//!   of `f = -o / predicted` no part leaves 1 with a spread of 0.2, a softer part anything from 0 to 1, and a press that yields a half at
//!   most.
//! - A residual that the twin always may have, 4 %, explains nothing: then something else is the matter.
//!
//! Without a twin it is known whether anything was met, and which side of an object was missed. What both cannot tell apart is ranked as
//! often as it is met ([`crate::abrupt`]).

use crate::cause::Cause;
use crate::rank::Ranking;

/// What the force in a part may be wrong by (relative).
const MODEL_ERROR: f64 = 0.04;
/// Spread of what no part leaves of the predicted force (1).
const NOTHING: f64 = 0.2;
/// Largest fall of the force that a press which yields leaves (1).
const YIELDS: f64 = 0.5;
/// How often a press that yields is met beside a wrong part.
const STIFFNESS: f64 = 0.03 / 0.08;
/// What nothing explains (1).
const ELSE: f64 = 0.15;
/// A part that is so short that it is not met.
const SHORT: f64 = 0.2;

/// What an object missed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missed {
    /// There was more force or work than allowed.
    High,
    /// There was less.
    Low,
    /// The travel was another one.
    Travel,
}

/// Where the residual of the way in is largest in size.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Residual {
    /// Measured there (N).
    pub measured_n: f64,
    /// Predicted there (N).
    pub predicted_n: f64,
    /// What all of the way in shares of it (N).
    pub common_n: f64,
}

/// What a stroke shows beside its verdict.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Signs {
    /// What its first object missed.
    pub missed: Missed,
    /// The ram has met something.
    pub met: bool,
    /// None where the twin knows no part.
    pub residual: Option<Residual>,
}

/// The causes behind a stroke that is NOK, best first.
pub fn rank(s: &Signs) -> Ranking {
    use Cause::{Disturbance, FrictionIncreased, MissingPart, WrongPart};
    match &s.residual {
        Some(residual) => by_residual(residual, s.met),
        None if !s.met && s.missed != Missed::High => {
            Ranking::of(&[(MissingPart, 1.0), (WrongPart, SHORT)])
        }
        None if s.missed == Missed::High => Ranking::of(&[
            (WrongPart, 0.5),
            (Disturbance, 0.35),
            (FrictionIncreased, 0.15),
        ]),
        None => Ranking::of(&[(WrongPart, 0.6), (Disturbance, 0.4)]),
    }
}

fn by_residual(r: &Residual, met: bool) -> Ranking {
    let all_n = r.measured_n - r.predicted_n;
    let common = if all_n == 0.0 {
        0.0
    } else {
        (r.common_n / all_n).clamp(0.0, 1.0)
    };
    let friction = if all_n > 0.0 {
        Cause::FrictionIncreased
    } else {
        Cause::FrictionDecreased
    };
    let size_n = r.predicted_n.abs().max(1e-9);
    let relative = all_n / size_n;
    let as_ever = libm::exp(-0.5 * (relative / MODEL_ERROR) * (relative / MODEL_ERROR));
    let told = 1.0 - as_ever;
    let (part, own) = (1.0 - common, relative * (1.0 - common));
    let fall = if own < 0.0 { -own } else { 0.0 };
    let away = (1.0 - fall) / NOTHING;
    let nothing = if fall > 0.0 {
        libm::exp(-0.5 * away * away) / (NOTHING * libm::sqrt(2.0 * core::f64::consts::PI))
    } else {
        0.0
    };
    let other = if met { 1.0 } else { SHORT };
    let yields = if fall > 0.0 && fall < YIELDS && met {
        STIFFNESS
    } else {
        0.0
    };
    let total = nothing + other + yields;
    Ranking::of(&[
        (friction, told * common),
        (Cause::WrongPart, told * part * other / total),
        (Cause::MissingPart, told * part * nothing / total),
        (Cause::PressStiffness, told * part * yields / total),
        (Cause::Disturbance, ELSE * told + as_ever),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn of(measured_n: f64, predicted_n: f64, common_n: f64, met: bool) -> Ranking {
        rank(&Signs {
            missed: Missed::Low,
            met,
            residual: Some(Residual {
                measured_n,
                predicted_n,
                common_n,
            }),
        })
    }

    #[test]
    fn a_residual_in_the_part_is_the_part_and_one_of_all_the_way_is_friction() {
        for (found, cause, second) in [
            // Stiffer or longer; softer; none; a bit less.
            (
                of(900.0, 600.0, 0.0, true),
                Cause::WrongPart,
                Cause::Disturbance,
            ),
            (
                of(420.0, 600.0, 0.0, true),
                Cause::WrongPart,
                Cause::PressStiffness,
            ),
            (
                of(5.0, 600.0, 0.0, false),
                Cause::MissingPart,
                Cause::Disturbance,
            ),
            (
                of(30.0, 600.0, 0.0, true),
                Cause::MissingPart,
                Cause::WrongPart,
            ),
            // 80 N more from the start on, and a bit in the part.
            (
                of(690.0, 600.0, 80.0, true),
                Cause::FrictionIncreased,
                Cause::Disturbance,
            ),
            (
                of(510.0, 600.0, -85.0, true),
                Cause::FrictionDecreased,
                Cause::Disturbance,
            ),
            // The twin expects what was measured: the object is the matter, or what the twin does not know.
            (
                of(606.0, 600.0, 0.0, true),
                Cause::Disturbance,
                Cause::WrongPart,
            ),
        ] {
            let [first, next, _] = found.0;
            assert_eq!((first.0, next.0), (cause, second), "{found:?}");
            assert!(first.1 > 0.5, "{found:?}");
        }
    }

    #[test]
    fn without_a_twin_the_contact_says_whether_there_was_a_part() {
        let without = |missed, met| {
            rank(&Signs {
                missed,
                met,
                residual: None,
            })
        };
        for missed in [Missed::Low, Missed::Travel] {
            assert_eq!(without(missed, false).first(), Cause::MissingPart);
            assert_eq!(without(missed, true).first(), Cause::WrongPart);
        }
        let high = without(Missed::High, true).0;
        assert_eq!(high[0].0, Cause::WrongPart);
        assert_eq!(high[2].0, Cause::FrictionIncreased);
    }

    proptest! {
        #[test]
        fn shares_are_shares(
            measured_n in -1e15..1e15_f64, predicted_n in -1e15..1e15_f64, common in -2.0..2.0_f64, met: bool,
        ) {
            let small = [(measured_n, predicted_n), (measured_n * 1e-13, 0.0), (0.0, 0.0)];
            for (measured_n, predicted_n) in small {
                let found = of(measured_n, predicted_n, common * (measured_n - predicted_n), met).0;
                let sum: f64 = found.iter().map(|c| c.1).sum();
                prop_assert!(sum > 0.5 && sum < 1.0 + 1e-9, "{found:?}");
                prop_assert!(found.iter().all(|c| c.1 >= 0.0), "{found:?}");
            }
        }
    }
}
