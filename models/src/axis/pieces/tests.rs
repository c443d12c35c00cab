//! Stretches in which something happens, beside the same equations in very many small steps.

use super::*;
use crate::axis::AxisParams;
use crate::axis::part::Answer;
use crate::axis::tests::DRIVE;
use crate::press::workpiece::Forming;

const PERIOD_S: f64 = 0.004;
const LIMIT_A: f64 = 3.0;
const A: AxisParams = AxisParams {
    coulomb_positive_a: 0.8,
    coulomb_negative_a: 0.7,
    stribeck_a: 0.1,
    stribeck_velocity_m_per_s: 0.01,
    gravity_a: 0.2,
    limit_a: LIMIT_A,
    ..DRIVE
};

/// What is asked in very many small steps: between which bounds it was, and how often it crossed the limit.
struct Asked {
    smallest: f64,
    largest: f64,
    /// Steps in which it was beyond the limit.
    beyond: usize,
    crossings: usize,
}

const STEPS: usize = 200_000;

/// The equations in small steps of the midpoint rule.
fn by_hand(acts: &Acts<'_>, z: [f64; 5], stretch: &Stretch) -> ([f64; 5], Asked) {
    let part = acts.part;
    let h = stretch.length_s / STEPS as f64;
    let slope = stretch.slope();
    let dry = |v: f64, push: f64| {
        let size = |d: f64| {
            let coulomb = if d > 0.0 {
                A.coulomb_positive_a
            } else {
                A.coulomb_negative_a
            };
            let share = v / A.stribeck_velocity_m_per_s;
            coulomb + A.stribeck_a / (1.0 + share * share)
        };
        if v > 0.0 || (v == 0.0 && push > size(1.0)) {
            Some(size(1.0))
        } else if v < 0.0 || push < -size(-1.0) {
            Some(-size(-1.0))
        } else {
            None
        }
    };
    let asked = |t: f64, z: &[f64; 5]| {
        let error = A.position_gain_per_s * (stretch.from_m + slope * t - z[0])
            + A.velocity_feedforward * slope
            - z[1];
        (error, A.velocity_gain * error + z[3])
    };
    let slopes = |t: f64, z: &[f64; 5], deepest_m: f64| {
        let [x, v, i, _, r] = *z;
        let (error, asked) = asked(t, z);
        let part_a = part.map_or(0.0, |part| {
            part.force_a(x, &part.line(part.way_m(x), deepest_m, true))
        });
        let load = acts.burden.load_a + A.gravity_a + part_a;
        let push = i - load;
        let (v, a) = match dry(v, push) {
            None => (0.0, 0.0),
            Some(dry) => (v, (push - A.viscous * v - dry) / A.inertia),
        };
        let free = if asked.abs() > LIMIT_A { 0.0 } else { 1.0 };
        [
            v,
            a,
            (clamp(asked, LIMIT_A) - i) / A.current_time_constant_s,
            free * A.integral_gain * error,
            (i - r) / A.current_filter_s,
        ]
    };
    let plus = |z: &[f64; 5], k: &[f64; 5], h: f64| {
        let mut out = *z;
        out.iter_mut().zip(k).for_each(|(z, k)| *z += h * k);
        out
    };
    let mut found = Asked {
        smallest: f64::INFINITY,
        largest: f64::NEG_INFINITY,
        beyond: 0,
        crossings: 0,
    };
    let (mut z, mut was, mut deepest_m) = (z, None, 0.0);
    for n in 0..STEPS {
        let t = n as f64 * h;
        let (_, now) = asked(t, &z);
        found.smallest = found.smallest.min(now);
        found.largest = found.largest.max(now);
        let beyond = now.abs() > LIMIT_A;
        found.beyond += usize::from(beyond);
        found.crossings += usize::from(was.is_some_and(|was| was != beyond));
        was = Some(beyond);
        if beyond {
            // Of an integrator that holds more than the limit.
            z[3] = clamp(z[3], LIMIT_A);
        }
        let before = z[1];
        let half = plus(&z, &slopes(t, &z, deepest_m), 0.5 * h);
        z = plus(&z, &slopes(t + 0.5 * h, &half, deepest_m), h);
        deepest_m = part.map_or(0.0, |part| larger(deepest_m, part.way_m(z[0])));
        if before * z[1] < 0.0 {
            // Friction stops an axis; what it does then is asked from rest.
            z[1] = 0.0;
        }
    }
    (z, found)
}

/// Along a straight reference from 0, and how deep it was in the part.
fn along(z: [f64; 5], to_m: f64, part: Part<'_>) -> ([f64; 5], f64) {
    let lane = LaneParams::new(&[A], PERIOD_S);
    let loops = Loops::position(&lane, 0);
    let acts = Acts {
        p: &lane,
        l: 0,
        loops: &loops,
        burden: Burden::of(0.0),
        part: Some(part),
    };
    let stretch = Stretch {
        from_m: 0.0,
        to_m,
        length_s: PERIOD_S,
    };
    (acts.along((z, 0.0), &[stretch], &mut { PIECES_MAX })).expect("it converges")
}

/// Both, and how far they may be apart: of the drift of a midpoint rule where what acts jumps.
fn both(z: [f64; 5], to_m: f64, load_a: f64, part: Option<Part<'_>>) -> ([f64; 5], Asked) {
    let lane = LaneParams::new(&[A], PERIOD_S);
    let loops = Loops::position(&lane, 0);
    let acts = Acts {
        p: &lane,
        l: 0,
        loops: &loops,
        burden: Burden::of(load_a),
        part,
    };
    let stretch = Stretch {
        from_m: 0.0,
        to_m,
        length_s: PERIOD_S,
    };
    let mut left = PIECES_MAX;
    let (found, _) = (acts.along((z, 0.0), &[stretch], &mut left)).expect("it converges");
    let (expected, asked) = by_hand(&acts, z, &stretch);
    let scale = [1e-3, 0.1, 1.0, 1.0, 1.0];
    for n in 0..5 {
        assert!(
            (found[n] - expected[n]).abs() < 2e-5 * scale[n],
            "{n}: {found:?} instead of {expected:?}"
        );
    }
    (found, asked)
}

#[test]
fn the_limit_is_met_and_left_within_a_cycle() {
    // The current has the wrong sign: the axis slows down, and is driven on when the current has come.
    let (_, asked) = both([0.0, 0.1, -3.0, 1.5, -3.0], 4.4e-4, 0.0, None);
    assert!(asked.largest > LIMIT_A + 0.1, "{}", asked.largest);
    assert_eq!(asked.crossings, 2);
    assert!(asked.beyond > STEPS / 10 && asked.beyond < STEPS / 2);
}

#[test]
fn a_current_at_its_limit_comes_back_in_the_middle_of_a_cycle() {
    let (_, asked) = both([-1.0e-4, 0.08, 3.0, 1.0, 3.0], 4.0e-4, 0.0, None);
    assert!(asked.beyond > STEPS / 2 && asked.beyond < STEPS * 9 / 10);
    assert_eq!(asked.crossings, 1);
}

/// The error falls more slowly than the integrator takes it in, so that what is asked would rise below the limit and falls beyond it.
#[test]
fn what_is_asked_slides_along_the_limit() {
    // From below, and from beyond.
    for (q, to_m) in [(-1.0, 4.8e-4), (-2.5, 5.2e-4)] {
        let (found, asked) = both([-1.0e-4, 0.1, 3.0, q, 3.0], to_m, 1.3, None);
        assert!(asked.crossings > 500, "{}", asked.crossings);
        let slope = to_m / PERIOD_S;
        let error = A.position_gain_per_s * (to_m - found[0]) + slope - found[1];
        let slides = A.velocity_gain * error + found[3];
        assert!((slides - LIMIT_A).abs() < 1e-9, "{slides}");
    }
}

#[test]
fn an_axis_stops_and_turns_around_with_its_current_at_the_limit() {
    let (found, asked) = both([0.0, 0.02, -3.0, -1.0, -3.0], -8.0e-4, 0.0, None);
    assert!(found[1] < 0.0 && asked.smallest < -LIMIT_A);
}

#[test]
fn a_part_is_touched_left_and_never_pulls() {
    for direction in [1.0, -1.0] {
        let part = Part {
            contact_m: direction * 1.0e-4,
            direction,
            answer: Answer::Spring(20_000.0),
        };
        let touched = [0.0, direction * 0.1, direction, 0.0, direction];
        let (found, _) = both(touched, direction * 4.0e-4, 0.0, Some(part));
        assert!(part.way_m(found[0]) > 0.0);
        let left = [direction * 1.5e-4, -0.1 * direction, 0.0, 0.0, 0.0];
        let (found, _) = both(left, direction * -4.0e-4, 0.0, Some(part));
        assert!(part.way_m(found[0]) < 0.0);
    }
}

#[test]
fn a_part_with_a_curve_bends_yields_and_springs_back() {
    let ways_m = [0.0, 1.0e-4, 2.0e-4, 3.0e-4];
    let table = Forming::new(&ways_m, &[0.0, 40.0, 50.0, 100.0], 1.0e6).expect("a table");
    for direction in [1.0, -1.0] {
        let part = Part {
            contact_m: direction * 2.0e-5,
            direction,
            answer: Answer::Formed(&table),
        };
        let z = [0.0, direction * 0.15, 0.0, 0.0, 0.0];
        // Over the first row, back from behind it, and out.
        let (found, _) = both(z, direction * 2.0e-4, 0.0, Some(part));
        assert!(direction * found[1] < 0.0, "{found:?}");
        let (_, deepest_m) = along(z, direction * 2.0e-4, part);
        assert!(
            deepest_m > ways_m[1] && deepest_m < ways_m[2],
            "{deepest_m}"
        );
        // It stays deformed.
        let free_m = table.meets_m(deepest_m);
        assert!(
            free_m > 5.0e-5 && part.way_m(found[0]) < free_m,
            "{free_m} {found:?}"
        );
    }
}

#[test]
fn friction_holds_an_axis_in_a_part_and_lets_it_go() {
    let part = Part {
        contact_m: 0.0,
        direction: 1.0,
        answer: Answer::Spring(5000.0),
    };
    // Of 1 A in the part and 0.2 A of weight friction takes 0.8 A back, and 0.9 A forth; at last the loops push it on.
    for current_a in [1.2, 0.45, 2.3, -2.5] {
        let z = [2.0e-4, 0.0, current_a, current_a, current_a];
        let (found, _) = both(z, 4.0e-4, 0.0, Some(part));
        assert!(found[1] > 0.0, "{found:?}");
    }
}

#[test]
fn loops_that_are_too_fast_for_a_series_are_left_to_others() {
    let stiff = AxisParams {
        current_time_constant_s: 0.0,
        velocity_gain: 1e5,
        ..A
    };
    let lane = LaneParams::new(&[stiff], PERIOD_S);
    let loops = Loops::position(&lane, 0);
    let acts = Acts {
        p: &lane,
        l: 0,
        loops: &loops,
        burden: Burden::of(0.0),
        part: None,
    };
    let stretch = Stretch {
        from_m: 0.0,
        to_m: 1e-4,
        length_s: PERIOD_S,
    };
    assert_eq!(
        acts.along(([0.0; 5], 0.0), &[stretch], &mut { PIECES_MAX }),
        None
    );
}

/// The integrator holds more than the limit, and the error takes less back: what is asked is below the limit as soon as that is gone.
#[test]
fn an_integrator_beyond_the_limit_is_held_at_once() {
    for sign in [1.0, -1.0] {
        let v = sign * (0.1 + 0.3 / A.velocity_gain);
        let z = [0.0, v, 3.0 * sign, 3.5 * sign, 3.0 * sign];
        let balance_a = if sign > 0.0 { 1.95 } else { -2.45 };
        let (found, asked) = both(z, sign * 4.0e-4, balance_a, None);
        assert!(found[3].abs() < LIMIT_A, "{}", found[3]);
        assert!(asked.beyond < STEPS / 4, "{}", asked.beyond);
    }
}

/// What is asked lies by the last digit below the limit and would stay there: it comes back from the limit at the moment at which it meets it.
#[test]
fn what_happens_again_at_its_own_moment_is_not_followed() {
    let lane = LaneParams::new(&[A], PERIOD_S);
    let loops = Loops::position(&lane, 0);
    let acts = Acts {
        p: &lane,
        l: 0,
        loops: &loops,
        burden: Burden::of(2.6),
        part: None,
    };
    let e = 1.0e-4;
    let stretch = Stretch {
        from_m: e,
        to_m: e,
        length_s: PERIOD_S,
    };
    let aim = LIMIT_A * (1.0 - f64::EPSILON);
    let z = [
        0.0,
        0.0,
        LIMIT_A,
        aim - A.velocity_gain * (A.position_gain_per_s * e),
        LIMIT_A,
    ];
    let asked = A.velocity_gain * (A.position_gain_per_s * e) + z[3];
    assert!(asked < LIMIT_A && asked > LIMIT_A - 1e-14, "{asked}");
    let mut left = PIECES_MAX;
    assert_eq!(acts.along((z, 0.0), &[stretch], &mut left), None);
    assert!(left >= PIECES_MAX - 2, "{left} pieces are left");
}

#[test]
fn an_axis_has_so_many_pieces_in_all_its_stretches() {
    let lane = LaneParams::new(&[A], PERIOD_S);
    let loops = Loops::position(&lane, 0);
    let acts = Acts {
        p: &lane,
        l: 0,
        loops: &loops,
        burden: Burden::of(0.0),
        part: None,
    };
    let stretch = Stretch {
        from_m: 0.0,
        to_m: 4.4e-4,
        length_s: PERIOD_S,
    };
    let z = [0.0, 0.1, -3.0, 1.5, -3.0];
    let mut left = PIECES_MAX;
    assert!(acts.along((z, 0.0), &[stretch], &mut left).is_some());
    // The limit is met and left.
    let mut all = PIECES_MAX - left;
    assert!(all >= 3, "{all}");
    assert!(acts.along((z, 0.0), &[stretch], &mut all).is_some());
    assert_eq!((all, acts.along((z, 0.0), &[stretch], &mut all)), (0, None));
}
