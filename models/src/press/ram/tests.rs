use super::*;
use core::f64::consts::PI;
use proptest::prelude::*;

/// Crank of 50 mm, rod of 200 mm; the axis counts 12 mm a turn of the motor, ten turns of which are one of the crank.
fn crank() -> Ram {
    let rad_per_m = 2.0 * PI / 0.12;
    let kinematics = Kinematics::crank(0.05, 0.2).expect("a crank");
    Ram {
        linkage: Some(Linkage::new(kinematics, rad_per_m, 0.02, [0.02, 0.08])),
        counterbalance: Counterbalance {
            constant_n: 500.0,
            ..Counterbalance::default()
        },
        ..Ram::screw(2000.0)
    }
}

/// The cosine rule, and not the formula of the model: where the end of the rod is at this angle.
fn rod_end_m(q: f64) -> f64 {
    let (r, l): (f64, f64) = (0.05, 0.2);
    // l2 = r2 + d2 - 2 r d cos(pi - q), solved for the distance d from the shaft; travel counts from r + l.
    let b = r * libm::cos(q);
    r + l - (b + (b * b + l * l - r * r).sqrt())
}

#[test]
fn a_screw_is_its_own_axis_bit_for_bit() {
    let screw = Ram::screw(1_256.637_061_435_917_3);
    for x in [0.1, 0.148_372_91, -3.3e-7] {
        assert_eq!(screw.travel(x), (x, 1.0));
        for (i, v) in [(3.37, 0.015), (-3.37, 0.015), (3.37, 0.0)] {
            assert_eq!(screw.force_n(i, x, v), Ok(1_256.637_061_435_917_3 * i));
        }
    }
}

#[test]
fn position_and_force_behind_a_crank_agree_with_geometry_and_work() {
    let ram = crank();
    for degrees in [20.0, 90.0, 130.0, 170.0] {
        let q = degrees * PI / 180.0;
        let x = 0.02 + 0.12 * degrees / 360.0;
        let (s, _) = ram.travel(x);
        assert!((s - rod_end_m(q)).abs() < 1e-12, "{s} {}", rod_end_m(q));
        // Virtual work: a small way of the axis against the same way of the ram.
        let h = 1e-6;
        let ram_way = rod_end_m(q + h * 2.0 * PI / 0.12) - rod_end_m(q - h * 2.0 * PI / 0.12);
        let expected = 2000.0 * 4.0 * 2.0 * h / ram_way - 500.0;
        let force = ram.force_n(4.0, x, 0.01).expect("no dead centre");
        assert!(
            (force - expected).abs() < 1e-5 * expected.abs(),
            "{degrees}: {force} {expected}"
        );
    }
}

#[test]
fn where_the_ram_goes_slowest_it_still_goes_unless_there_is_a_dead_centre() {
    let linkage = crank().linkage.expect("a crank");
    let at = |degrees: f64| 0.02 + 0.12 * degrees / 360.0;
    let per_way = |degrees: f64| linkage.travel(at(degrees)).1;
    // The way in is not symmetrical: beyond 90 degrees the rod takes from it.
    let (early, late) = (per_way(30.0), per_way(150.0));
    assert!(late < early, "{late} {early}");
    let slowest = linkage.slowest([at(30.0), at(150.0)]);
    assert!((slowest - late).abs() < 1e-12, "{slowest} {late}");
    assert!((linkage.slowest([at(150.0), at(30.0)]) - late).abs() < 1e-12);
    for way in [[0.0, 90.0], [90.0, 180.0], [-20.0, 30.0], [170.0, 190.0]] {
        let slowest = linkage.slowest(way.map(at));
        assert!(slowest < 1e-12, "{way:?}: {slowest}");
    }
}

#[test]
fn in_a_dead_centre_no_force_is_made_up() {
    let ram = crank();
    let dead = Err(ForceUnknown::DeadCentre);
    for x in [0.02, 0.08, 0.14, 0.020_01, 0.079_99] {
        assert_eq!(ram.force_n(4.0, x, 0.01), dead, "{x}");
    }
    // 1 % of the largest Jacobian, which is a little more than the crank: half a degree or so.
    assert!(ram.force_n(4.0, 0.02 + 0.12 * 2.0 / 360.0, 0.01).is_ok());
    assert!(ram.force_n(4.0, 0.02 + 0.12 * 178.0 / 360.0, 0.01).is_ok());
}

#[test]
fn losses_are_paid_by_who_drives() {
    let mut ram = Ram::screw(1000.0);
    (ram.motor.efficiency, ram.motor.efficiency_back) = (0.8, 0.5);
    assert_eq!(ram.force_n(2.0, 0.0, 0.1), Ok(1600.0));
    assert_eq!(ram.force_n(2.0, 0.0, -0.1), Ok(4000.0));
    ram.motor.efficiency_back = 0.0;
    assert_eq!(ram.force_n(2.0, 0.0, -0.1), Err(ForceUnknown::SelfLocking));
}

proptest! {
    #[test]
    fn a_force_is_finite_or_unknown(i in -1e3..1e3f64, x in -10.0..10.0f64, v in -1.0..1.0f64) {
        if let Ok(force) = crank().force_n(i, x, v) {
            // The largest Jacobian of a turn is above the crank times its turn per way: 1 % of it bounds 1 / g.
            let most = 2000.0 * i.abs() / (0.009 * 0.05 * 2.0 * PI / 0.12) + 500.0;
            prop_assert!(force.is_finite() && force.abs() <= most, "{force}");
        }
    }
}
