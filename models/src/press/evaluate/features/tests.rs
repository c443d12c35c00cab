use super::*;
use proptest::prelude::*;

fn p(position_m: f64, force_n: f64) -> Point {
    Point {
        position_m,
        force_n,
    }
}

const END: Point = Point {
    position_m: 0.0,
    force_n: 0.0,
};

fn work(l: &Loop, curve: &[Point]) -> Outcome {
    let mut state = LoopState::default();
    for w in curve.windows(2) {
        state.push(l, w[0], w[1]);
    }
    state.finish(l, END, Branch::Forward)
}

#[test]
fn work_is_cut_at_the_ends_of_the_range() {
    let triangle = [p(0.0, 0.0), p(4.0, 8.0)];
    let l = Loop {
        x_m: [1.0, 3.0],
        limits: Limits::between(0.0, 7.5),
    };
    let outcome = work(&l, &triangle);
    assert_eq!(outcome.value, Some(8.0));
    let v = outcome.violation.expect("NOK");
    assert_eq!((v.miss, v.by, v.unit), (Miss::Above, 0.5, Unit::Joule));
    let beyond = Loop {
        x_m: [5.0, 6.0],
        limits: Limits::ANY,
    };
    assert_eq!(
        work(&beyond, &triangle).violation.expect("NOK").miss,
        Miss::NotReached
    );
}

#[test]
fn a_peak_is_found_in_its_range_and_judged_in_both_coordinates() {
    let curve = [p(0.0, 0.0), p(1.0, 9.0), p(2.0, 3.0), p(3.0, 5.0)];
    let judge = |x_m, force, position| {
        let peak = Peak {
            x_m,
            force,
            position,
        };
        let mut state = PeakState::default();
        for w in curve.windows(2) {
            state.push(&peak, w[0], w[1]);
        }
        state.finish(&peak, END)
    };
    let all = [f64::NEG_INFINITY, f64::INFINITY];
    assert_eq!(judge(all, Limits::ANY, Limits::ANY).value, Some(9.0));
    assert_eq!(judge([1.5, 2.5], Limits::ANY, Limits::ANY).value, Some(6.0));
    let late = judge(all, Limits::ANY, Limits::between(1.5, 2.0))
        .violation
        .expect("NOK");
    assert_eq!(
        (late.miss, late.unit, late.by),
        (Miss::Below, Unit::Metre, 0.5)
    );
    assert_eq!(judge([7.0, 8.0], Limits::ANY, Limits::ANY).value, None);
}

#[test]
fn gradient_and_gap_take_the_chord_and_the_difference() {
    let (a, b, c) = (p(0.0, 0.0), p(4.0, 8.0), p(0.0, 0.0));
    let chord = Chord {
        x_m: [1.0, 3.0],
        limits: Limits::between(2.5, 3.0),
    };
    let mut state = ChordState::default();
    state.push(&chord, a, b);
    let outcome = state.finish(&chord, END);
    assert_eq!(outcome.value, Some(2.0));
    assert_eq!(outcome.violation.expect("NOK").unit, Unit::NewtonPerMetre);
    let gap = Gap {
        at_m: 2.0,
        limits: Limits::between(0.0, 1.0),
    };
    let mut state = GapState::default();
    state.push(&gap, Branch::Forward, a, b);
    state.push(&gap, Branch::Return, b, p(3.0, 1.0));
    state.push(&gap, Branch::Return, p(3.0, 1.0), c);
    let outcome = state.finish(&gap, END);
    assert!((outcome.value.expect("both branches") - (4.0 - 2.0 / 3.0)).abs() < 1e-12);
}

#[test]
fn the_rise_of_a_straight_line_is_its_slope() {
    let mut rise = Rise::of_peak(100.0);
    for k in 0..10 {
        rise.push(
            p(f64::from(k), 12.0 * f64::from(k)),
            p(f64::from(k + 1), 12.0 * f64::from(k + 1)),
        );
    }
    assert!((rise.gradient_n_per_m().expect("it rises") - 12.0).abs() < 1e-9);
    assert_eq!(Rise::of_peak(100.0).gradient_n_per_m(), None);
}

proptest! {
    #[test]
    fn work_adds_up_over_ranges(
        curve in prop::collection::vec((0.0..1.0f64, -100.0..1e4f64), 2..50), at in 0.0..1.0f64
    ) {
        let points: Vec<Point> = curve.iter().map(|&(x, f)| p(x, f)).collect();
        let of = |low, high| work(&Loop { x_m: [low, high], limits: Limits::ANY }, &points).value.unwrap_or(0.0);
        let (low, high, all) = (of(-1.0, at), of(at, 2.0), of(-1.0, 2.0));
        prop_assert!((low + high - all).abs() < 1e-7, "{low} {high} {all}");
    }

    #[test]
    fn no_feature_is_ever_no_number(
        curve in prop::collection::vec((-1.0..1.0f64, -1e6..1e6f64), 2..50), x in (-1.0..1.0f64, -1.0..1.0f64)
    ) {
        let x_m = [x.0.min(x.1), x.0.max(x.1)];
        let (peak, l) = (Peak { x_m, force: Limits::ANY, position: Limits::ANY }, Loop { x_m, limits: Limits::ANY });
        let (mut ps, mut ls) = (PeakState::default(), LoopState::default());
        for w in curve.windows(2) {
            ps.push(&peak, p(w[0].0, w[0].1), p(w[1].0, w[1].1));
            ls.push(&l, p(w[0].0, w[0].1), p(w[1].0, w[1].1));
        }
        for value in [ps.finish(&peak, END).value, ls.finish(&l, END, Branch::Forward).value].into_iter().flatten() {
            prop_assert!(value.is_finite() && value.abs() <= 1.1e8);
        }
    }
}
