//! Cranks and tables against geometry, against each other and against what the configuration says.

use super::*;
use twinstep_config::machine::Machine;

const CRANK: &str = include_str!("../../../../rt-config/machines/crank-press.toml");
const TOGGLE: &str = include_str!("../../../../rt-config/machines/toggle-press.toml");

fn machine(text: &str) -> Machine {
    twinstep_config::load(text, "a-press.toml").expect("shipped")
}

fn mechanism(text: &str) -> Mechanism {
    let press = &machine(text).presses[0];
    press.drive_train.mechanism().expect("a linkage")
}

/// Slope of the place by a difference quotient.
fn slope(link: &Link, x: f64) -> f64 {
    let h = 1e-6;
    (link.at(x + h).0 - link.at(x - h).0) / (2.0 * h)
}

/// A crank of 61 rows, one every 3 deg, is the crank.
#[test]
fn a_table_of_a_crank_is_the_crank() {
    let of_crank = mechanism(CRANK);
    let crank = Link::new(&of_crank);
    let row = |n: i32| {
        let q_rad = f64::from(3 * n).to_radians();
        [
            q_rad,
            crank.at(of_crank.zero_m + q_rad / of_crank.rad_per_m).0,
        ]
    };
    let rows = Link::new(&Mechanism {
        shape: Shape::Rows((0..=60).map(row).collect()),
        ..of_crank.clone()
    });
    let (mut off_m, mut off, mut most) = (0.0_f64, 0.0_f64, 0.0_f64);
    for tenth in 0..=1800 {
        let x = f64::from(tenth).to_radians() / 10.0 / of_crank.rad_per_m;
        let ((s, j), (s_rows, j_rows)) = (crank.at(x), rows.at(x));
        off_m = off_m.max((s - s_rows).abs());
        off = off.max((j - j_rows).abs());
        most = most.max(j);
        for link in [&crank, &rows] {
            // Inside, as a table goes on straight beyond its ends.
            if (1..1800).contains(&tenth) {
                assert!((slope(link, x) - link.at(x).1).abs() < 1e-6, "{tenth}");
            }
        }
    }
    assert!(off_m < 50e-9, "{off_m}");
    assert!(off < 2e-4 * most, "{off} of {most}");
    // The whole stroke is twice the crank, and the dead centres are dead.
    let half_turn_m = std::f64::consts::PI / of_crank.rad_per_m;
    assert!((crank.at(half_turn_m).0 - 0.12).abs() < 1e-12);
    assert!(crank.at(0.0).1 == 0.0 && crank.at(half_turn_m).1.abs() < 1e-12);
}

/// Would show a plant whose ram is elsewhere than the twin's, for whatever reason: neither knows the other's equations.
#[test]
fn the_ram_is_where_the_configuration_has_it() {
    for text in [CRANK, TOGGLE] {
        let machine = machine(text);
        let press = &machine.presses[0];
        let link = Link::new(&mechanism(text));
        let of_twin = press.drive_train.linkage.expect("a linkage");
        let (top_m, bottom_m) = (press.stroke.top_m, press.stroke.bottom_m);
        let mut most = 0.0_f64;
        for n in 0..=1000 {
            let x = top_m + (bottom_m - top_m) * f64::from(n) / 1000.0;
            let ((s, j), (s_twin, j_twin)) = (link.at(x), of_twin.travel(x));
            most = most.max(j);
            assert!((s - s_twin).abs() < 6e-6, "{x}: {s} {s_twin}");
            assert!((j - j_twin).abs() < 5e-3 * most, "{x}: {j} {j_twin}");
        }
    }
}

/// The rows of the toggle are those of two links, and so is what is between them.
#[test]
fn between_its_rows_a_toggle_is_two_links() {
    let link = Link::new(&mechanism(TOGGLE));
    for n in 0..=1450 {
        let x = f64::from(n) * 1e-4;
        let (s, j) = link.at(x);
        let beside = 0.15 - x;
        let height = libm::sqrt(0.04 - beside * beside);
        let exact_m = 2.0 * (height - libm::sqrt(0.04 - 0.0225));
        let exact = 2.0 * beside / height;
        assert!((s - exact_m).abs() < 2e-6, "{x}: {s} {exact_m}");
        assert!((j - exact).abs() < 4e-3 * exact + 1e-4, "{x}: {j} {exact}");
    }
}

#[test]
fn a_spline_has_every_cubic_and_goes_on_straight() {
    let cubic = |x: f64| 1.0 + x * (2.0 + x * (-0.5 + 0.3 * x));
    let places = |count: usize| -> Vec<f64> {
        let at = |n: usize| n as f64 + 0.2 * libm::sin(n as f64);
        (0..count).map(at).collect()
    };
    for (count, of) in [
        (2, &(|x| 3.0 - 2.0 * x) as &dyn Fn(f64) -> f64),
        (3, &|x| 1.0 + x * (2.0 - 0.5 * x)),
        (4, &cubic),
        (9, &cubic),
    ] {
        let x = places(count);
        let last = x[count - 1];
        let spline = Spline::new(x.clone(), x.iter().map(|x| of(*x)).collect());
        for n in 0..=100 {
            let x = last * f64::from(n) / 100.0;
            let (y, slope) = spline.at(x);
            let exact = (of(x + 1e-6) - of(x - 1e-6)) / 2e-6;
            assert!((y - of(x)).abs() < 1e-9, "{count} rows at {x}: {y}");
            assert!((slope - exact).abs() < 1e-6, "{count} rows at {x}: {slope}");
        }
        let (end, slope) = spline.at(last);
        assert!((spline.at(last + 5.0).0 - (end + 5.0 * slope)).abs() < 1e-9);
        assert!(spline.at(f64::NAN).0.is_nan());
    }
}
