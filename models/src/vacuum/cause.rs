//! What may be behind a pressure that surprises, and behind a leak rate.
//!
//! # A surprise
//! Two things are known in the cycle of a surprise: what the circuit does, and where the pressure went. Nothing pulls in a hold, so that a
//! pressure which moves away from the ambient one there is no leak: the sensor says something else, or a valve has not closed. While the
//! ejector is on, a pressure that stays behind is an ejector that pulls too little or a leak that it pulls against, and the last hold
//! knows which: its leak rate stands z standard deviations above the healthy one. That of a sound circuit is `N(0, 1)`, that of a leaky one
//! the sum of this and of half a normal distribution of width W, whose density is
//! `2 N(z; 0, 1 + W^2) Phi(W z / sqrt(1 + W^2))`, Phi the normal distribution function.
//!
//! # A leak rate
//! One hold in which the pressure is lost may be a cup that slipped, or a part that was porous; a leak is there in the next hold too.

use super::Phase;
use crate::cause::Cause;
use crate::rank::Ranking;

/// How far a leak may stand above the healthy rate (standard deviations).
const WIDTH: f64 = 5.0;
/// Beyond this nothing becomes surer (standard deviations).
const MOST: f64 = 6.0;
/// Share of holds in which something happens that is over with the hold, where something has happened in the hold before.
const AGAIN: f64 = 0.2;

/// What is known of a circuit when its pressure surprises.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Signs {
    /// What the circuit does.
    pub phase: Phase,
    /// The pressure is nearer to the ambient one than predicted.
    pub lost: bool,
    /// Leak rate of the last hold above the healthy one (standard deviations); none: there was no hold yet.
    pub leak_sigma: Option<f64>,
}

/// By how much the rate of the last hold makes a leak likelier.
fn leaks(sigma: f64) -> f64 {
    let spread = libm::sqrt(1.0 + WIDTH * WIDTH);
    let z = sigma.clamp(-MOST, MOST);
    let toward = WIDTH * z / spread;
    // 2 Phi(x) is erfc(-x / sqrt 2).
    libm::erfc(-toward * core::f64::consts::FRAC_1_SQRT_2) / spread
        * libm::exp(0.5 * toward * toward)
}

/// The causes of a surprise of the pressure, best first. How often each is met is a share, not a probability of this circuit.
pub fn surprise(s: &Signs) -> Ranking {
    use Cause::{Disturbance, Leak, PressureSensor, VacuumNotReached};
    match (s.phase, s.lost) {
        (Phase::Evacuate, true) => Ranking::of(&[
            (VacuumNotReached, 0.65),
            (Leak, 0.25 * s.leak_sigma.map_or(1.0, leaks)),
            (Disturbance, 0.1),
        ]),
        (Phase::Evacuate, false) => Ranking::of(&[(Disturbance, 0.6), (PressureSensor, 0.4)]),
        (Phase::Hold, true) => {
            Ranking::of(&[(Leak, 0.75), (Disturbance, 0.15), (PressureSensor, 0.1)])
        }
        (Phase::Hold, false) => Ranking::of(&[(PressureSensor, 0.75), (Disturbance, 0.25)]),
        (Phase::Release, _) => Ranking::of(&[(Disturbance, 1.0)]),
    }
}

/// The causes of a leak rate, best first; `holds` running have had it, the one that told it included.
pub fn leak(holds: u32) -> Ranking {
    let mut passing = AGAIN;
    for _ in 1..holds.min(8) {
        passing *= AGAIN;
    }
    Ranking::of(&[(Cause::Leak, 1.0 - AGAIN), (Cause::Disturbance, passing)])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(phase: Phase, lost: bool, leak_sigma: Option<f64>) -> Ranking {
        surprise(&Signs {
            phase,
            lost,
            leak_sigma,
        })
    }

    #[test]
    fn the_last_hold_tells_a_leak_from_an_ejector_that_pulls_too_little() {
        for sound in [
            None,
            Some(0.0),
            Some(1.0),
            Some(-3.0),
            Some(f64::NEG_INFINITY),
        ] {
            let ranking = of(Phase::Evacuate, true, sound);
            assert_eq!(ranking.first(), Cause::VacuumNotReached, "{sound:?}");
            assert!(ranking.is_sure(), "{sound:?} {ranking:?}");
        }
        for leaky in [4.0, 1e300] {
            let ranking = of(Phase::Evacuate, true, Some(leaky));
            assert_eq!(ranking.first(), Cause::Leak);
            assert!(ranking.0[0].1 > 0.95 && ranking.0[1].1 > 0.0, "{ranking:?}");
        }
    }

    #[test]
    fn no_leak_pulls() {
        for phase in [Phase::Evacuate, Phase::Hold] {
            let ranking = of(phase, false, Some(9.0));
            assert!(ranking.0.iter().all(|c| c.0 != Cause::Leak), "{ranking:?}");
        }
        assert_eq!(of(Phase::Hold, false, None).first(), Cause::PressureSensor);
        assert_eq!(of(Phase::Hold, true, None).first(), Cause::Leak);
    }

    #[test]
    fn a_leak_is_surer_with_every_hold_that_has_it() {
        let mut before = 0.0;
        for holds in 0..12 {
            let [(first, share), (second, rest), _] = leak(holds).0;
            assert_eq!((first, second), (Cause::Leak, Cause::Disturbance));
            assert!(share >= before && rest > 0.0, "{holds}: {share}");
            before = share;
        }
        assert!((leak(1).0[0].1 - 0.8).abs() < 1e-12 && before > 0.99);
    }
}
