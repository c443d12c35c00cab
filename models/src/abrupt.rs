//! What may be behind an abrupt surprise, named in the cycle in which it is flagged.
//!
//! A surprise says when, and hardly what: the features of the movement decide at its end. Until then causes are ranked by where it
//! happens, and by one thing that mechanics cannot do: jump. The force of the whole current limit moves an axis within a cycle by
//! `1/2 F / m T^2`; a position further than [`JUMP`] times `F / m T^2` from the predicted one has left the mechanics, and the encoder
//! has slipped or lost counts. A crash at speed does the same in its first cycle, which the second place leaves room for. A slip
//! shorter than that is told one cycle later. A blow leaves a velocity: the axis is twice as far off in the next cycle, three or four times
//! where the force is still there, less what its drive takes back. A slip leaves a way: the axis is as far off as it was, or nearer
//! since its drive takes the position for true ([`slipped`]).

use crate::cause::Cause;
use crate::channel::Regime;
use crate::rank::Ranking;

/// Ways of one cycle at the current limit beyond which a position has jumped: frames and gears that are hit swing back faster than their
/// drive could move them.
pub const JUMP: f64 = 3.0;

/// Least hop that is looked at, in ways of one cycle at the current limit: the most that the drive itself could have done.
const HOP: f64 = 0.5;
/// The same in ways of one cycle at friction and weight. What the drive does is predicted, a change of these is not: friction that
/// changes its sign moves the axis by half the way of twice its force.
const HOP_FRICTION: f64 = 1.5;
/// Way in the next cycle over the first one, between which a hop was a slip.
const SLIP: (f64, f64) = (-0.5, 1.3);

/// Least hop that is looked at (m): `limit_way_m` is the way of one cycle at the current limit, `friction_way_m` the one at friction and
/// weight together (m).
pub fn least_hop_m(limit_way_m: f64, friction_way_m: f64) -> f64 {
    let (limit, friction) = (HOP * limit_way_m, HOP_FRICTION * friction_way_m);
    if friction < limit { friction } else { limit }
}

/// Whether a position that was `first_m` off, and would be `second_m` off one cycle later had nobody corrected it, has slipped.
pub fn slipped(first_m: f64, second_m: f64) -> bool {
    let ratio = second_m / first_m;
    ratio > SLIP.0 && ratio < SLIP.1
}

/// The causes of a surprise in `regime`, best first. `jumped`: the position is where mechanics cannot be. `carries_weight`: gravity closes
/// the gaps of the axis.
///
/// A movement begins before its regime, which lags by the filter of `current_load`, says so: a surprise at rest may already be its start.
pub fn rank(regime: Regime, jumped: bool, carries_weight: bool) -> Ranking {
    use Cause::{Backlash, Disturbance, EncoderSlip, FrictionIncreased, LoadAdded, WrongPart};
    if jumped {
        return Ranking::of(&[(EncoderSlip, 0.85), (Disturbance, 0.15)]);
    }
    let gap = |share: f64| if carries_weight { 0.1 * share } else { share };
    // How often each is met there, in the experience of the simulated machine: shares, not probabilities of this one.
    Ranking::of(&match regime {
        Regime::Reversal => [
            (Backlash, gap(0.6)),
            (FrictionIncreased, 0.25),
            (Disturbance, 0.15),
        ],
        Regime::Pressing => [
            (WrongPart, 0.5),
            (Disturbance, 0.35),
            (FrictionIncreased, 0.15),
        ],
        Regime::Acceleration => [(Disturbance, 0.5), (Backlash, gap(0.3)), (LoadAdded, 0.2)],
        Regime::ConstantSpeed | Regime::Standstill | Regime::Settling => [
            (Disturbance, 0.6),
            (FrictionIncreased, 0.25),
            (Backlash, gap(0.15)),
        ],
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hop_is_more_than_friction_and_never_needs_more_than_the_drive() {
        assert!((least_hop_m(190e-6, 7.8e-6) - 11.7e-6).abs() < 1e-12);
        assert!((least_hop_m(10e-6, 7.8e-6) - 5e-6).abs() < 1e-12);
    }

    #[test]
    fn a_slip_stays_and_a_blow_goes_on() {
        for (first, second, is) in [
            (20e-6, 20e-6, true),
            (-20e-6, -11e-6, true),
            // A velocity, a lasting force, and one that began at the end of the first cycle.
            (20e-6, 38e-6, false),
            (-20e-6, -80e-6, false),
            (5e-6, 60e-6, false),
            (20e-6, -30e-6, false),
            (0.0, 0.0, false),
        ] {
            assert_eq!(slipped(first, second), is, "{first} {second}");
        }
    }

    #[test]
    fn a_jump_is_a_slip_wherever_it_happens_and_a_surprise_at_a_reversal_is_a_gap_first() {
        for regime in Regime::ALL {
            assert_eq!(rank(regime, true, false).first(), Cause::EncoderSlip);
            let causes = rank(regime, false, true).0;
            let sum: f64 = causes.iter().map(|c| c.1).sum();
            assert!((sum - 1.0).abs() < 1e-12 && causes[0].1 >= causes[1].1);
            assert!(
                causes
                    .iter()
                    .any(|c| c.0 == Cause::Disturbance && c.1 > 0.0)
            );
        }
        assert_eq!(
            rank(Regime::Reversal, false, false).first(),
            Cause::Backlash
        );
        let hanging = rank(Regime::Reversal, false, true);
        assert_eq!(hanging.first(), Cause::FrictionIncreased);
        assert_eq!(
            rank(Regime::Pressing, false, true).first(),
            Cause::WrongPart
        );
    }
}
