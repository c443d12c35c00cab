//! What a fit leaves uncertain: each parameter by itself, at its own measure.

use super::super::axis::Estimate;
use super::*;

/// Standard errors of inertia, Coulomb, viscous friction and load, in shares of what each is measured by.
fn fit(shares: [f64; 4]) -> AxisFit {
    // At 2 m/s the friction is 1 A + 2 m/s 0.5 A s/m = 2 A, and the load is less than that.
    let measures = [0.3, 2.0, 1.0, 2.0];
    let one = |n: usize, value: f64| Estimate {
        value,
        standard_error: shares[n] * measures[n],
        naive_error: 0.0,
    };
    AxisFit {
        inertia: one(0, 0.3),
        coulomb_a: one(1, 1.0),
        viscous: one(2, 0.5),
        gravity_a: one(3, -1.5),
        ..AxisFit::default()
    }
}

#[test]
fn each_parameter_that_is_uncertain_is_named_with_its_remedy_and_no_other() {
    assert_eq!(uncertain(&fit([0.29; 4]), 2.0), [] as [String; 0]);
    for (n, (name, what, remedy)) in [
        ("mass", "it", "more acceleration"),
        ("coulomb", "the friction", "slow and fast moves"),
        ("viscous", "the friction", "two or more speeds"),
        ("gravity", "the load", "in one direction as in the other"),
    ]
    .into_iter()
    .enumerate()
    {
        for share in [0.31, f64::NAN] {
            let mut shares = [0.29; 4];
            shares[n] = share;
            let told = uncertain(&fit(shares), 2.0);
            assert_eq!(told.len(), 1, "{name}: {told:?}");
            let begins = format!("{name} is poorly identified, its standard error is ");
            assert!(told[0].starts_with(&begins), "{told:?}");
            assert!(told[0].contains(&format!("% of {what}: ")), "{told:?}");
            assert!(told[0].contains(remedy), "{told:?}");
        }
    }
}

/// Where the load is known each direction is named by itself.
#[test]
fn an_uncertain_direction_is_named() {
    let mut both = fit([0.29; 4]);
    both.gravity_a.standard_error = 0.0;
    both.coulomb_negative_a = Some(Estimate {
        value: 0.8,
        standard_error: 0.62,
        naive_error: 0.0,
    });
    let told = uncertain(&both, 2.0);
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(
        told[0].starts_with("coulomb in negative direction is poorly identified"),
        "{told:?}"
    );
    both.coulomb_a.standard_error = 0.62;
    let told = uncertain(&both, 2.0);
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(
        told[0].starts_with("coulomb in positive direction is poorly identified"),
        "{told:?}"
    );
}
