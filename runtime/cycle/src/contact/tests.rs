//! What a press feels of its part, and remembers of it.

use super::*;
use twinstep_models::simd::Portable;

#[test]
fn a_part_is_felt_on_the_way_in_and_by_its_own_press_alone() {
    let mut press = PressLane::NEW;
    press.contact_m[5] = 0.25;
    press.stiffness_a_per_m[5] = 100.0;
    press.direction[5] = 1.0;
    let mut felt = |x: f64, v: f64| {
        let mut in_a_part = 0;
        for part in 0..Portable::PARTS {
            press.touch(0.0, &[], Portable::splat(x), Portable::splat(v), part);
            in_a_part |= press.in_a_part(Portable::splat(x), part);
        }
        let others = press.contact_a.iter().enumerate().filter(|(l, _)| *l != 5);
        assert!(others.map(|(_, a)| *a).all(|a| a == 0.0));
        (press.contact_a[5], in_a_part)
    };
    assert_eq!(felt(1.0, 0.1), (75.0, 1 << 5));
    assert_eq!(felt(0.2, 0.1), (0.0, 0));
    // While it holds the velocity is noise; on the way back nothing is known, but the part is there.
    assert_eq!(felt(1.0, -0.5e-4), (75.0, 1 << 5));
    assert_eq!(felt(1.0, -0.1), (0.0, 1 << 5));
}

#[test]
fn a_stiff_part_is_a_spring_on_the_way_in_and_near_it() {
    let p = LaneParams::new(&[], 1e-3);
    let mut press = PressLane::NEW;
    for l in 0..LANES {
        press.contact_m[l] = -0.25;
        press.direction[l] = -1.0;
        press.stiffness_a_per_m[l] = 1e6;
    }
    press.stiff = 0b0111_1111;
    let mut twin = AxisState::REST;
    let of = [
        // In it, and held in it; on the way back; near it, and far from it.
        (-0.26, -0.1),
        (-0.26, 0.5e-4),
        (-0.26, 0.1),
        (-0.2499, -0.1),
        (-0.24, -0.1),
        // So far off that nothing is known; told something else; and one that is soft.
        (-1e9, -0.1),
        (-0.26, -0.1),
        (-0.26, -0.1),
    ];
    for (l, (x, v)) in of.into_iter().enumerate() {
        (twin.position_m[l], twin.velocity_m_per_s[l]) = (x, v);
    }
    let met = press.met(&[], &p, &twin, 0b1011_1111);
    assert_eq!(met.places, 0b0000_1011);
}

/// A press at place 5 with a part that is formed from 0.25 m on: 100 A/m for 10 mm, then 300 A/m; it springs back with 1000 A/m.
fn formed(f: impl FnOnce(&[PartCurve], &mut PressLane)) {
    let table = Forming::new(&[0.0, 0.01, 0.02], &[0.0, 1.0, 4.0], 1000.0);
    let curves = [PartCurve {
        axis: 5,
        part: 0,
        recipe: None,
        workpiece: Workpiece::Forming(table.unwrap()),
        clear_m: 0.05,
    }];
    let mut press = PressLane::NEW;
    press.contact_m[5] = 0.25;
    press.stiffness_a_per_m[5] = 200.0;
    press.direction[5] = 1.0;
    press.formed.presses = 1 << 5;
    f(&curves, &mut press);
}

/// Presses at `x` (m), with `v` (m/s) and `used`, as predicted; the current that is felt (A).
fn felt(press: &mut PressLane, curves: &[PartCurve], x: f64, v: f64, used: u8) -> f64 {
    felt_from(press, curves, [x, v], used, [x, v])
}

/// The same, where another position and velocity were predicted.
fn felt_from(
    press: &mut PressLane,
    curves: &[PartCurve],
    [x, v]: [f64; 2],
    used: u8,
    predicted: [f64; 2],
) -> f64 {
    let mut twin = AxisState::REST;
    (twin.position_m[5], twin.velocity_m_per_s[5]) = predicted.into();
    let predicted = Predicted {
        period_s: 1e-3,
        twin: &twin,
    };
    for part in 0..Portable::PARTS {
        let (x, v) = (Portable::splat(x), Portable::splat(v));
        press.touched(curves, x, v, Remembers::Measured(used, predicted), part);
    }
    let others = press.contact_a.iter().enumerate().filter(|(l, _)| *l != 5);
    assert!(others.map(|(_, a)| *a).all(|a| a == 0.0));
    press.contact_a[5]
}

fn near(a: f64, b: f64) -> bool {
    (a - b) * (a - b) < 1e-20
}

#[test]
fn a_formed_part_follows_its_curve_in_and_its_elastic_line_back() {
    formed(|curves, press| {
        let mut at = |x: f64, v: f64| felt(press, curves, x, v, u8::MAX);
        assert!(near(at(0.255, 0.1), 0.5), "on the first piece");
        assert!(near(at(0.265, 0.1), 2.5), "on the second");
        // Back by 1 mm, and by more than all that springs.
        assert!(near(at(0.264, -0.1), 1.5));
        assert_eq!(at(0.26, -0.1), 0.0);
        // In again: along the line, then on the curve.
        assert!(near(at(0.264, 0.1), 1.5) && near(at(0.267, 0.1), 3.1));
        // The ram leaves; the next part is new.
        assert_eq!((at(0.21, -0.1), at(0.199, -0.1)), (0.0, 0.0));
        assert!(near(at(0.255, 0.1), 0.5));
    });
}

#[test]
fn a_part_that_came_while_nothing_was_seen_is_a_new_one() {
    formed(|curves, press| {
        assert!(near(felt(press, curves, 0.269, 0.1, u8::MAX), 3.7));
        // A drive that is not enabled, or in another mode, is put where it was measured; the ram is in the same part.
        press.lock(5);
        assert_eq!(felt(press, curves, 0.255, 0.1, u8::MAX), 0.0);
        press.out_of_sight(5);
        // Deeper in the last one it would spring back here: nothing would be felt.
        assert!(near(felt(press, curves, 0.255, 0.1, u8::MAX), 0.5));
    });
}

#[test]
fn predictions_and_gaps_are_not_remembered() {
    formed(|curves, press| {
        assert!(near(felt(press, curves, 0.255, 0.1, u8::MAX), 0.5));
        for part in 0..Portable::PARTS {
            let (x, v) = (Portable::splat(0.265), Portable::splat(0.1));
            press.touch(0.0, curves, x, v, part);
        }
        assert!(near(press.contact_a[5], 2.5), "as deep as it is predicted");
        assert!(near(felt(press, curves, 0.265, 0.1, 0), 2.5));
        // It has been as deep as 0.255 m alone.
        assert!(near(felt(press, curves, 0.255, -0.1, u8::MAX), 0.5));
    });
}

#[test]
fn a_part_with_a_curve_is_followed_within_the_cycle_on_both_ways() {
    let p = LaneParams::new(&[], 1e-3);
    formed(|curves, press| {
        press.stiff = 1 << 5;
        let mut places = |deepest_m: f64, x: f64, v: f64| {
            press.formed.deepest_m[5] = deepest_m;
            let mut twin = AxisState::REST;
            (twin.position_m[5], twin.velocity_m_per_s[5]) = (x, v);
            let met = press.met(curves, &p, &twin, u8::MAX);
            assert_eq!(met.places, met.places & (1 << 5));
            assert!(met.formed[5].is_some() || met.places == 0);
            met.places != 0
        };
        // A new one: in it, near it, and far from it.
        assert!(places(0.0, 0.251, 0.1) && places(0.0, 0.2499, 0.1));
        assert!(!places(0.0, 0.24, 0.1) && !places(0.0, 0.2499, -0.1));
        // As deep as 10 mm it springs back by 1 mm.
        assert!(places(0.01, 0.2595, -0.1) && places(0.01, 0.2595, 0.0));
        assert!(!places(0.01, 0.2589, -0.1) && !places(0.01, 0.2585, 0.1));
        assert!(places(0.01, 0.2589, 0.1));
        // So far off that nothing is known.
        assert!(!places(0.01, 1e9, -0.1));
    });
}

#[test]
fn the_deepest_point_of_a_cycle_is_remembered_though_no_sample_shows_it() {
    formed(|curves, press| {
        let mut back_m = ZERO;
        back_m[5] = 0.001;
        press.came_back(back_m);
        assert!(near(felt(press, curves, 0.264, -0.1, u8::MAX), 1.5));
        // That was of one cycle; and where the axis is put anew nothing is known of it.
        press.came_back(ZERO);
        assert!(near(felt(press, curves, 0.2645, 0.1, u8::MAX), 2.0));
        press.came_back(back_m);
        press.lock(5);
        assert!(near(felt(press, curves, 0.266, 0.1, u8::MAX), 2.8));
        assert!(near(press.formed.deepest_m[5], 0.016));
    });
}

/// A ram that comes in at `v0` (m/s) and is braked evenly: where it is after a cycle, how fast, and how deep it was (m from 0.26
/// m).
fn braked(v0: f64) -> [f64; 3] {
    const BRAKING: f64 = 50.0;
    let v = v0 - 1e-3 * BRAKING;
    let deepest_m = v0 * v0 / (2.0 * BRAKING);
    [deepest_m - v * v / (2.0 * BRAKING), v, deepest_m]
}

/// A turn that comes later than predicted, or not at all in this cycle, makes no part deeper than it was pressed.
#[test]
fn a_ram_that_turns_later_than_predicted_has_not_come_back_as_far() {
    // Predicted to turn after 0.4 ms, and 9 um back; in truth earlier, then, and later, up to just now.
    let [predicted_m, v, deepest_m] = braked(0.02);
    for (v0, least_m) in [
        (0.015, -4e-6),
        (0.02, 0.0),
        (0.03, 0.0),
        (0.04, 0.0),
        (0.05, 0.0),
    ] {
        formed(|curves, press| {
            let mut back_m = ZERO;
            back_m[5] = deepest_m - predicted_m;
            press.came_back(back_m);
            let [x, speed, true_m] = braked(v0);
            let at = [0.26 + x, speed];
            let _ = felt_from(press, curves, at, u8::MAX, [0.26 + predicted_m, v]);
            let off_m = press.formed.deepest_m[5] - (0.01 + true_m);
            assert!(off_m < 1e-9 && off_m > least_m - 1e-9, "{v0}: {off_m}");
        });
    }
    // It still goes in.
    formed(|curves, press| {
        let mut back_m = ZERO;
        back_m[5] = deepest_m - predicted_m;
        press.came_back(back_m);
        let at = [0.265, 0.01];
        let _ = felt_from(press, curves, at, u8::MAX, [0.26 + predicted_m, v]);
        assert!(near(press.formed.deepest_m[5], 0.015));
    });
}
