use super::*;
use proptest::prelude::*;

const FIT: PressFit = PressFit {
    contact_m: 0.15,
    joint_radius_m: 0.01,
    hub_radius_m: 0.02,
    interference_m: 10e-6,
    modulus_pa: 210e9,
    friction: 0.12,
    shoulder_m: 0.004,
    seating_n_per_m: 50e6,
};

#[test]
fn lame_by_hand() {
    // d E / (2 r) (1 - r2/o2) = 1e-5 * 210e9 / 0.02 * 0.75 = 78.75 MPa.
    assert!((FIT.pressure_pa() - 78.75e6).abs() < 1e-3);
    // mu p pi d = 0.12 * 78.75e6 * pi * 0.02.
    let k = 0.12 * 78.75e6 * core::f64::consts::PI * 0.02;
    assert!((FIT.stiffness_n_per_m() - k).abs() < 1e-6);
    let fit = Workpiece::Fit(FIT);
    assert_eq!(fit.force_n(0.149, 0.149), 0.0);
    assert!((fit.force_n(0.152, 0.152) - 0.002 * k).abs() < 1e-6);
    assert!((fit.force_n(0.1541, 0.1541) - (0.004 * k + 5000.0)).abs() < 1e-6);
    // Back: the shoulder springs, then the joint holds the pin and the ram is free.
    assert!((fit.force_n(0.15405, 0.1541) - 2500.0).abs() < 1e-6);
    assert_eq!(fit.force_n(0.1535, 0.1541), 0.0);
}

#[test]
fn forming_follows_the_table_in_and_the_elastic_line_back() {
    let table = Forming::new(&[0.0, 0.01, 0.02], &[0.0, 1000.0, 1500.0], 1.0e6).expect("a table");
    let mut part = Pressed::new(Workpiece::Forming(table));
    assert_eq!(part.press(-0.01), 0.0);
    assert!((part.press(0.005) - 500.0).abs() < 1e-9);
    assert!((part.press(0.015) - 1250.0).abs() < 1e-9);
    assert!((part.press(0.0145) - 750.0).abs() < 1e-9);
    assert_eq!(part.press(0.013), 0.0);
    // Again: up the same line, then along the curve.
    assert!((part.press(0.0145) - 750.0).abs() < 1e-9);
    assert!((part.press(0.016) - 1300.0).abs() < 1e-9);
    assert_eq!(part.press(0.5), 1500.0);
}

/// Pressed to where it just yields, it gives back what it was pressed with, and no more.
#[test]
fn a_table_that_begins_with_a_force_is_reached_elastically() {
    let table = Forming::new(&[0.01, 0.02], &[1000.0, 1000.0], 1.0e6).expect("a table");
    let mut part = Pressed::new(Workpiece::Forming(table));
    assert_eq!(part.press(0.0085), 0.0);
    let way_in = [0.0095, 0.01].map(|x| part.press(x));
    let way_back = [0.0095, 0.0085].map(|x| part.press(x));
    assert!((way_in[0] - 500.0).abs() < 1e-9 && (way_in[1] - 1000.0).abs() < 1e-9);
    assert_eq!(way_back, [way_in[0], 0.0]);
}

#[test]
fn a_forming_table_is_refused_with_its_node() {
    assert_eq!(
        Forming::new(&[0.0], &[0.0], 1.0),
        Err(FormingError::Nodes { actual: 1 })
    );
    assert_eq!(
        Forming::new(&[0.0, 0.0], &[0.0, 1.0], 1.0),
        Err(FormingError::Node { node: 1 })
    );
    assert_eq!(
        Forming::new(&[0.0, 1.0], &[0.0, -1.0], 1.0),
        Err(FormingError::Node { node: 1 })
    );
    assert_eq!(
        Forming::new(&[0.0, 1.0], &[0.0, 1.0], 0.0),
        Err(FormingError::Elastic)
    );
}

#[test]
fn lines_of_a_table_on_the_way_in_and_back() {
    let table = Forming::new(&[0.0, 0.5, 1.0], &[0.0, 1000.0, 1500.0], 4000.0).expect("a table");
    let ends = |x: f64, deepest: f64, inward: bool| {
        let line = table.line(x, deepest, inward);
        (line.from_m, line.to_m, line.rise_n_per_m)
    };
    let (out, on) = (f64::NEG_INFINITY, f64::INFINITY);
    assert_eq!(ends(-0.1, 0.0, true), (out, 0.0, 0.0));
    assert_eq!(ends(0.0, 0.0, true), (out, 0.5, 2000.0));
    assert_eq!(ends(0.5, 0.5, true), (out, 1.0, 1000.0));
    assert_eq!(ends(3.0, 2.0, true), (out, on, 0.0));
    // Back from there it springs by a quarter of a metre.
    assert_eq!(ends(0.5, 0.5, false), (0.25, 0.5, 4000.0));
    assert_eq!(ends(0.25, 0.5, true), (0.25, 0.5, 4000.0));
    assert_eq!(ends(0.25, 0.5, false), (out, 0.25, 0.0));
    assert_eq!((table.meets_m(0.5), table.meets_m(-1.0)), (0.25, 0.0));
    assert_eq!(table.stiffest_n_per_m(), 4000.0);
}

proptest! {
    /// A line has the force that there is as far as it goes, and the next one goes on with it.
    #[test]
    fn lines_are_the_force_piece_by_piece(
        forces in prop::collection::vec(0.0..1e4f64, 2..20),
        stiffer in 1.0..50.0f64,
        deepest in -0.005..0.03f64,
        x in -0.01..0.03f64,
        inward in prop::bool::ANY,
        way in 0.0..0.01f64,
    ) {
        let nodes: Vec<f64> = (0..forces.len()).map(|k| 0.001 * k as f64).collect();
        let table = Forming::new(&nodes, &forces, stiffer * 1e7).expect("a table");
        let part = Workpiece::Forming(table);
        let force = |line: &Line, x: f64| line.force_n + line.rise_n_per_m * (x - line.at_m);
        let deepest = deepest.max(x);
        let line = table.line(x, deepest, inward);
        prop_assert!(line.from_m <= x && x <= line.to_m, "{line:?}");
        let to = if inward { (x + way).min(line.to_m) } else { (x - way).max(line.from_m) };
        let expected = part.force_n(to, deepest.max(to));
        prop_assert!((force(&line, to) - expected).abs() < 1e-5, "{line:?}: {expected} N at {to} m");
        let end = if inward { line.to_m } else { line.from_m };
        if end.is_finite() {
            let next = table.line(end, deepest.max(end), inward);
            prop_assert!((force(&line, end) - force(&next, end)).abs() < 1e-5, "{line:?} {next:?}");
            prop_assert!(if inward { next.to_m > end } else { next.from_m < end }, "{line:?} {next:?}");
        }
    }

    /// Whatever the ram does, a workpiece never gives back more work than was put in, and its force is bounded.
    #[test]
    fn a_closed_stroke_never_gains(
        ways in prop::collection::vec(-0.01..0.02f64, 2..60),
        forces in prop::collection::vec(0.0..1e4f64, 2..20),
        stiffer in 1.0..50.0f64,
    ) {
        let x: Vec<f64> = (0..forces.len()).map(|k| 0.001 * k as f64).collect();
        let steepest = forces.windows(2).map(|w| (w[1] - w[0]).abs() / 0.001).fold(1e3, f64::max);
        let table = Forming::new(&x, &forces, stiffer * steepest).expect("a table");
        let mut part = Pressed::new(Workpiece::Forming(table));
        let (mut work, mut before) = (0.0, (-0.02, 0.0));
        for way in ways.iter().chain(&[-0.02]) {
            // Small steps, so that the sum is the integral.
            for k in 1..=400 {
                let x = before.0 + (way - before.0) * f64::from(k) / 400.0;
                let f = part.press(x);
                prop_assert!(f.is_finite() && (0.0..=1e4).contains(&f), "{f}");
                let dx = (way - before.0) / 400.0;
                work += f * dx;
            }
            before = (*way, 0.0);
        }
        // A right-hand sum overrates the way in and underrates the way back: the balance stays above zero.
        prop_assert!(work >= -1e-6, "{work} J gained");
    }

    #[test]
    fn a_fit_is_finite_over_its_range(
        way in -0.1..0.1f64, back in 0.0..0.05f64, r in 1e-3..0.2f64, more in 1.01..10.0f64,
        d in 0.0..1e-3f64, mu in 0.0..1.0f64, seat in 0.0..1e9f64,
    ) {
        let fit = PressFit { joint_radius_m: r, hub_radius_m: r * more, interference_m: d, friction: mu, seating_n_per_m: seat, ..FIT };
        let f = Workpiece::Fit(fit).force_n(0.15 + way, 0.15 + way + back);
        prop_assert!(f.is_finite() && f >= 0.0);
        // On the way back it never pushes more than it was pressed with there.
        prop_assert!(f <= Workpiece::Fit(fit).force_n(0.15 + way, 0.15 + way) + 1e-6);
    }
}
