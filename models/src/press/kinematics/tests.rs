use super::*;
use proptest::prelude::*;

/// The derivative by central differences, extrapolated twice (Richardson): error of the order of h^6.
fn derivative(f: impl Fn(f64) -> f64, x: f64, h: f64) -> f64 {
    let central = |h: f64| (f(x + h) - f(x - h)) / (2.0 * h);
    let first = |h: f64| (4.0 * central(h / 2.0) - central(h)) / 3.0;
    (16.0 * first(h / 2.0) - first(h)) / 15.0
}

/// Five-point Gauss quadrature over `pieces` pieces.
fn integral(f: impl Fn(f64) -> f64, a: f64, b: f64, pieces: usize) -> f64 {
    let nodes = [0.0, 0.538_469_310_105_683_1, 0.906_179_845_938_664];
    let weights = [
        0.568_888_888_888_888_9,
        0.478_628_670_499_366_47,
        0.236_926_885_056_189_08,
    ];
    let h = (b - a) / pieces as f64;
    (0..pieces)
        .map(|k| {
            let middle = a + (k as f64 + 0.5) * h;
            let mut sum = weights[0] * f(middle);
            for n in 1..3 {
                let d = 0.5 * h * nodes[n];
                sum += weights[n] * (f(middle - d) + f(middle + d));
            }
            0.5 * h * sum
        })
        .sum()
}

/// A knuckle: two links of 0.3 m, each at the angle q to the line they are stretched along; travel from the folded position.
fn knuckle(q: f64) -> f64 {
    0.6 * libm::cos(q) - 0.6 * libm::cos(1.2)
}

fn knuckle_table(nodes: usize, slopes: bool) -> Kinematics {
    let q: Vec<f64> = (0..nodes)
        .map(|k| -1.2 + 1.4 * k as f64 / (nodes - 1) as f64)
        .collect();
    let s: Vec<f64> = q.iter().map(|q| knuckle(*q)).collect();
    let d: Vec<f64> = q.iter().map(|q| -0.6 * libm::sin(*q)).collect();
    Kinematics::Table(Table::new(&q, &s, slopes.then_some(&d[..])).expect("a good table"))
}

#[test]
fn the_dead_centres_of_a_crank_are_where_they_belong() {
    let crank = Kinematics::crank(0.1, 0.4).expect("a crank");
    let (top, at_top) = crank.travel(0.0);
    let (bottom, at_bottom) = crank.travel(PI);
    assert!(top.abs() < 1e-15 && at_top == 0.0);
    assert!((bottom - 0.2).abs() < 1e-15 && at_bottom.abs() < 1e-15);
    // At a right angle: s = r + l - sqrt(l2 - r2), ds/dq = r.
    let (s, d) = crank.travel(PI / 2.0);
    assert!((s - (0.5 - 0.15_f64.sqrt())).abs() < 1e-15 && (d - 0.1).abs() < 1e-15);
}

#[test]
fn the_jacobian_is_the_derivative_to_nine_digits() {
    let crank = Kinematics::crank(0.1, 0.4).expect("a crank");
    let table = knuckle_table(MAX_NODES, true);
    for k in 1..200 {
        let q = -3.0 + 0.031 * f64::from(k);
        let numeric = derivative(|q| crank.travel(q).0, q, 0.02);
        assert!(
            (crank.travel(q).1 - numeric).abs() < 1e-9 * 0.1,
            "crank at {q}"
        );
    }
    for k in 0..200 {
        // The derivative of a cubic piece; steps stay inside of one.
        let q = -1.2 + 1.4 * (f64::from(k % 63) + 0.5) / 63.0;
        let numeric = derivative(|q| table.travel(q).0, q, 0.004);
        assert!((table.travel(q).1 - numeric).abs() < 1e-9, "table at {q}");
    }
}

#[test]
fn what_is_found_at_once_is_what_is_found_apart() {
    let nodes = [0.0, 0.4, 0.9, 1.3];
    let table = Table::new(&nodes, &[0.0, 0.02, 0.09, 0.13], None).expect("rises");
    let all = [
        Kinematics::screw(0.01).expect("a screw"),
        Kinematics::crank(0.06, 0.3).expect("a crank"),
        Kinematics::Table(table),
    ];
    for kinematics in all {
        for n in -400..400 {
            let q = 0.01 * f64::from(n);
            let (s_m, m_per_rad, _) = kinematics.follow(q);
            assert_eq!(kinematics.travel(q), (s_m, m_per_rad), "{q}");
        }
    }
}

#[test]
fn the_bend_is_the_derivative_of_the_jacobian() {
    let crank = Kinematics::crank(0.1, 0.4).expect("a crank");
    let table = knuckle_table(MAX_NODES, true);
    for k in 1..200 {
        let q = -3.0 + 0.031 * f64::from(k);
        let numeric = derivative(|q| crank.travel(q).1, q, 0.02);
        assert!((crank.follow(q).2 - numeric).abs() < 1e-9, "crank at {q}");
        // Inside of one piece.
        let q = -1.2 + 1.4 * (f64::from(k % 63) + 0.5) / 63.0;
        let numeric = derivative(|q| table.travel(q).1, q, 0.004);
        assert!((table.follow(q).2 - numeric).abs() < 1e-8, "table at {q}");
    }
    assert_eq!((table.follow(-2.0).2, table.follow(2.0).2), (0.0, 0.0));
    assert_eq!(Kinematics::screw(0.01).expect("a screw").follow(1.0).2, 0.0);
}

#[test]
fn a_table_converges_with_the_fourth_power() {
    let worst = |nodes, slopes| {
        let table = knuckle_table(nodes, slopes);
        (0..1000)
            .map(|k| -1.2 + 1.4 * f64::from(k) / 999.0)
            .map(|q| (table.travel(q).0 - knuckle(q)).abs())
            .fold(0.0, f64::max)
    };
    let (coarse, fine) = (worst(16, true), worst(31, true));
    assert!(coarse / fine > 12.0, "{coarse} {fine}");
    assert!(worst(64, true) < 1e-8);
    assert!(
        worst(64, false) < 1e-4,
        "without slopes: {}",
        worst(64, false)
    );
}

#[test]
fn a_table_without_slopes_stands_still_in_its_dead_centres() {
    let q: Vec<f64> = (0..31).map(|k| PI * f64::from(k) / 30.0).collect();
    let s: Vec<f64> = q.iter().map(|q| 0.1 * (1.0 - libm::cos(*q))).collect();
    let table = Table::new(&q, &s, None).expect("a good table");
    assert_eq!(table.ends_rad(), [0.0, q[30]]);
    for degrees in [3.0, 6.0, 9.0, 91.0, 171.0, 174.0, 177.0] {
        let q = degrees * PI / 180.0;
        let exact = 0.1 * libm::sin(q);
        let (_, slope) = table.travel(q);
        assert!(
            (slope - exact).abs() < 0.002 * exact,
            "{degrees}: {slope} {exact}"
        );
    }
    for end in table.ends_rad() {
        let (_, slope) = table.travel(end);
        // A chord would be 0.1 sin(3 deg) = 5.2 mm/rad.
        assert!(slope.abs() < 1e-4, "{slope}");
    }
}

#[test]
fn the_work_of_the_ram_is_the_work_of_the_motor() {
    let force = |s: f64| 2.0e4 * (1.0 + libm::sin(30.0 * s));
    for drive in [
        Kinematics::screw(0.006).expect("a screw"),
        Kinematics::crank(0.1, 0.35).expect("a crank"),
        knuckle_table(40, true),
        knuckle_table(40, false),
    ] {
        let (q0, q1) = (-1.1, -0.1);
        let motor = integral(
            |q| {
                let (s, d) = drive.travel(q);
                force(s) * d
            },
            q0,
            q1,
            4000,
        );
        let ram = integral(force, drive.travel(q0).0, drive.travel(q1).0, 4000);
        assert!(
            (motor - ram).abs() < 1e-9 * ram.abs().max(1.0),
            "{drive:?}: {motor} {ram}"
        );
    }
}

#[test]
fn a_table_is_refused_with_its_node() {
    use KinematicsError::*;
    assert_eq!(Table::new(&[0.0], &[0.0], None), Err(TooFew { actual: 1 }));
    assert_eq!(
        Table::new(&[0.0; 65], &[0.0; 65], None),
        Err(TooMany { actual: 65 })
    );
    assert_eq!(Table::new(&[0.0, 1.0], &[0.0], None), Err(Lengths));
    assert_eq!(
        Table::new(&[0.0, 0.0], &[0.0, 1.0], None),
        Err(Order { node: 1 })
    );
    assert_eq!(
        Table::new(&[0.0, 1.0], &[0.0, f64::NAN], None),
        Err(NotFinite { node: 1 })
    );
    assert_eq!(Kinematics::crank(0.2, 0.2), Err(Degenerate));
    assert_eq!(Kinematics::screw(0.0), Err(Degenerate));
    assert!(Order { node: 3 }.to_string().contains("node 3"));
}

proptest! {
    #[test]
    fn a_crank_stays_within_its_stroke(r in 1e-3..1.0f64, more in 1.001..20.0f64, q in -1e3..1e3f64) {
        let crank = Kinematics::crank(r, r * more).expect("in range");
        let (s, d) = crank.travel(q);
        prop_assert!(s >= -1e-9 && s <= 2.0 * r + 1e-9, "{s}");
        prop_assert!(d.is_finite() && d.abs() <= r * (1.0 + 1.0 / (more * more - 1.0).sqrt()) + 1e-9);
    }

    #[test]
    fn a_monotone_table_stays_monotone(steps in prop::collection::vec((1e-3..1.0f64, 0.0..1.0f64), 2..MAX_NODES), at in 0.0..1.0f64) {
        let (mut q, mut s) = (vec![0.0], vec![0.0]);
        for (dq, ds) in &steps {
            q.push(q[q.len() - 1] + dq);
            s.push(s[s.len() - 1] + ds);
        }
        let table = Table::new(&q, &s, None).expect("rising");
        let x = at * q[q.len() - 1];
        let (travel, slope) = table.travel(x);
        prop_assert!(slope >= -1e-9, "{slope}");
        prop_assert!(travel >= -1e-9 && travel <= s[s.len() - 1] + 1e-9);
    }
}
