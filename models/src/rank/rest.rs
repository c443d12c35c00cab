//! Which causes explain what holds an axis at rest, where its movements say nothing.
//!
//! # Derivation
//! One figure d has no pattern: how likely a cause is follows from how far it usually moves this figure. With the amplitude of
//! [`super`] integrated out,
//!
//! ```text
//! d = A u + e,  e ~ N(0, V),  A ~ N(0, t^2)   =>   d ~ N(0, V + t^2 u^2)
//! ```
//!
//! | cause | u |
//! |---|---|
//! | load | gravity of a doubled inertia, on an axis that carries weight |
//! | torque constant, current sensor | all that holds |
//! | friction | what holds and is not gravity |
//! | brake, jam, clamped part | friction and gravity: it may take the load off the drive, or push against it |
//!
//! and the side of d says which way. A brake that takes half of the load and half of the load gone look alike: then the ranking has both.

use super::{Facts, GRAVITY_M_PER_S2, LIFTED, Ranking};
use crate::cause::Cause;

/// What holds an axis at rest, against the healthy value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AtRest {
    /// Shift of the current (A).
    pub shift_a: f64,
    /// Its standard deviation (A, > 0).
    pub sigma_a: f64,
    /// Healthy value (A).
    pub healthy_a: f64,
    /// Friction current of its movements (A, >= 0); 0 where none was seen.
    pub friction_a: f64,
    /// Gravity is more than a small share of friction.
    pub carries_weight: bool,
}

/// A cause: what it moves (A), how much of it is usual (1), and what it means where the current goes with u and against it, with priors.
struct Candidate {
    u_a: f64,
    width: f64,
    with: (Cause, f64),
    against: (Cause, f64),
}

/// Ranks the causes of a shift of what holds an axis.
pub fn at_rest(rest: &AtRest, facts: &Facts) -> Ranking {
    let whole_a =
        (facts.inertia).map_or(facts.gravity_a.abs(), |inertia| inertia * GRAVITY_M_PER_S2);
    let load_a = match rest.carries_weight {
        true if facts.gravity_a < 0.0 => -whole_a,
        true => whole_a,
        false => 0.0,
    };
    let all_a = rest.friction_a + facts.gravity_a.abs().max(rest.healthy_a.abs());
    let own_a = rest.healthy_a - facts.gravity_a;
    let candidates = [
        Candidate {
            u_a: load_a,
            width: 0.2,
            with: (Cause::LoadAdded, 0.18 * LIFTED),
            against: (Cause::LoadRemoved, 0.07 * LIFTED),
        },
        Candidate {
            u_a: rest.healthy_a,
            width: 0.07,
            with: (Cause::TorqueConstantChanged, 0.07),
            against: (Cause::TorqueConstantChanged, 0.07),
        },
        Candidate {
            u_a: own_a,
            width: 0.3,
            with: (Cause::FrictionIncreased, 0.30),
            against: (Cause::FrictionDecreased, 0.06),
        },
        Candidate {
            u_a: all_a,
            width: 1.0,
            with: (Cause::HeldAtRest, 0.15),
            against: (Cause::HeldAtRest, 0.15),
        },
    ];
    // What nobody has named yet, as in the ranking of movements.
    let mut found = [(Cause::Disturbance, 0.0); 5];
    let mut most = f64::NEG_INFINITY;
    let mut logs = [f64::NEG_INFINITY; 5];
    for (n, one) in candidates.iter().enumerate() {
        // A cause that moves nothing here is none.
        if one.u_a == 0.0 {
            continue;
        }
        let along = rest.shift_a * one.u_a > 0.0;
        let (cause, prior) = if along { one.with } else { one.against };
        logs[n] = log_density(rest, one.width * one.u_a) + libm::log(prior);
        found[n].0 = cause;
        most = most.max(logs[n]);
    }
    logs[4] = log_density(rest, all_a) + libm::log(0.02);
    most = most.max(logs[4]);
    for (one, log) in found.iter_mut().zip(logs) {
        one.1 = libm::exp(log - most);
    }
    Ranking::of(&found)
}

/// Logarithm of the density of the shift where the cause moves it by `usual_a`, but for a constant.
fn log_density(rest: &AtRest, usual_a: f64) -> f64 {
    let v = rest.sigma_a * rest.sigma_a + usual_a * usual_a;
    -0.5 * (rest.shift_a * rest.shift_a / v + libm::log(v))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A lift: gravity 1.6 A, inertia of which the load is a part, friction 0.5 A; it holds 1.4 A.
    fn lift(shift_a: f64) -> Ranking {
        let rest = AtRest {
            shift_a,
            sigma_a: 0.02,
            healthy_a: 1.4,
            friction_a: 0.5,
            carries_weight: true,
        };
        let facts = Facts {
            gravity_a: 1.6,
            inertia: Some(0.25),
        };
        at_rest(&rest, &facts)
    }

    #[test]
    fn what_a_lift_holds_is_its_load() {
        assert_eq!(lift(0.4).first(), Cause::LoadAdded);
        assert_eq!(lift(-0.4).first(), Cause::LoadRemoved);
        // More than all of it is no load, and neither is what pulls the other way.
        assert_eq!(lift(-3.0).first(), Cause::HeldAtRest);
        assert_eq!(lift(6.0).first(), Cause::HeldAtRest);
        // What may be a brake is in the ranking of a load that has gone.
        let shares = lift(-0.9).0;
        let held = shares.iter().find(|one| one.0 == Cause::HeldAtRest);
        assert!(held.is_some_and(|one| one.1 > 0.05), "{shares:?}");
    }

    #[test]
    fn the_same_way_down_is_told_alike() {
        let of = |sign: f64| {
            let rest = AtRest {
                shift_a: sign * 0.4,
                sigma_a: 0.02,
                healthy_a: sign * 1.4,
                friction_a: 0.5,
                carries_weight: true,
            };
            let facts = Facts {
                gravity_a: sign * 1.6,
                inertia: Some(0.25),
            };
            at_rest(&rest, &facts)
        };
        assert_eq!(of(1.0), of(-1.0));
    }

    #[test]
    fn what_pushes_on_a_horizontal_axis_is_no_load() {
        let rest = |shift_a| AtRest {
            shift_a,
            sigma_a: 0.1,
            healthy_a: 0.2,
            friction_a: 0.8,
            carries_weight: false,
        };
        let facts = Facts {
            gravity_a: 0.02,
            inertia: Some(0.4),
        };
        for shift_a in [1.5, -1.5, 4.0] {
            let found = at_rest(&rest(shift_a), &facts);
            assert_eq!(found.first(), Cause::HeldAtRest, "{shift_a}: {found:?}");
            assert!(found.is_sure());
            let load = |cause| matches!(cause, Cause::LoadAdded | Cause::LoadRemoved);
            assert!(found.0.iter().all(|one| !load(one.0) || one.1 == 0.0));
        }
    }

    #[test]
    fn whatever_is_put_in_the_shares_are_shares() {
        for shift_a in [0.0, 1e-12, -1e9, 1e12] {
            for healthy_a in [0.0, 3.0] {
                let rest = AtRest {
                    shift_a,
                    sigma_a: 1e-6,
                    healthy_a,
                    friction_a: 0.0,
                    carries_weight: healthy_a > 0.0,
                };
                let found = at_rest(&rest, &Facts::default());
                let sum: f64 = found.0.iter().map(|one| one.1).sum();
                assert!(sum.is_finite() && (0.0..=1.0 + 1e-9).contains(&sum));
            }
        }
    }
}
