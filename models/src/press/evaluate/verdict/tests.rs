use super::*;
use crate::press::curve::Sampling;
use crate::press::evaluate::features::{Limits, Loop};
use crate::press::evaluate::passage::Sides;
use crate::press::evaluate::reference::Reference;
use crate::press::evaluate::threshold::{Crossing, Line, Threshold};
use crate::press::evaluate::window::window;
use crate::press::evaluate::{Shape, Side};
use crate::press::stroke::{Segmenter, Step, StrokeParams};
use proptest::prelude::*;

const P: StrokeParams = StrokeParams {
    begin_m: 0.0,
    turn_m: 0.01,
    contact_n: 1.0,
};

/// A press-fit stroke: contact at `contact`, `stiffness` from there, elastic return; `n` samples each way.
fn stroke(contact: f64, stiffness: f64, n: usize) -> (Curve, Totals) {
    let (mut curve, mut segmenter) = (Curve::default(), Segmenter::default());
    let force = |x: f64, back: bool| {
        let peak = stiffness * (5.0 - contact);
        let in_n = stiffness * (x - contact).max(0.0);
        if back {
            (peak - 8.0 * stiffness * (5.0 - x)).max(0.0).min(in_n)
        } else {
            in_n
        }
    };
    curve.begin(Sampling::EVERY);
    for k in -1..=2 * n as i64 + 1 {
        let back = k > n as i64;
        let x = 5.0 * (if back { 2 * n as i64 - k } else { k }) as f64 / n as f64;
        let point = Point {
            position_m: x,
            force_n: force(x, back),
        };
        let (step, before) = segmenter.push(&P, point);
        if let Some(before) = before {
            curve.push(before);
        }
        match step {
            Step::Idle => {}
            Step::Began | Step::Goes(_) => curve.push(point),
            Step::Ended => curve.end(point),
        }
    }
    (curve, *segmenter.totals())
}

fn judge(
    objects: &[Object],
    part: u8,
    portion: usize,
    stroke: &(Curve, Totals),
) -> (Verdict, Features, Evaluation) {
    let mut evaluation = Evaluation::default();
    let context = Context::of(3, part);
    evaluation.begin(objects, context, &stroke.0, &stroke.1);
    while !evaluation.step(objects, &stroke.0, portion) {}
    let (verdict, features) = evaluation.finish(objects, &stroke.0, &stroke.1);
    (verdict, features, evaluation)
}

fn object(shape: Shape) -> Object {
    Object {
        shape,
        reference: Reference::Absolute,
        branch: Branch::Forward,
        part: None,
        recipe: None,
    }
}

/// A block window at the deepest point, an online window, work, block position.
fn objects() -> Vec<Object> {
    let (left, right) = (Sides::of(Side::Left), Sides::of(Side::Right));
    vec![
        object(Shape::Passage(window(
            [4.5, 5.5],
            [250.0, 350.0],
            left,
            Sides::WITHIN,
        ))),
        Object {
            reference: Reference::Trigger(50.0),
            ..object(Shape::Passage(window(
                [0.5, 1.5],
                [50.0, 250.0],
                left,
                right,
            )))
        },
        object(Shape::Work(Loop {
            x_m: [f64::NEG_INFINITY, f64::INFINITY],
            limits: Limits::between(400.0, 500.0),
        })),
        Object {
            part: Some(7),
            ..object(Shape::Work(Loop {
                x_m: [0.0, 1.0],
                limits: Limits::between(1.0, 2.0),
            }))
        },
        object(Shape::Block {
            position: Limits::between(4.9, 5.1),
            force: Limits::ANY,
        }),
    ]
}

#[test]
fn a_good_stroke_is_ok_at_every_object() {
    let (verdict, features, _) = judge(&objects(), 0, 64, &stroke(2.0, 100.0, 500));
    assert_eq!((verdict.ok(), verdict.judged), (true, 4));
    // By hand: peak 300 N at 5 m, work 100 * 3^2 / 2, gradient 100, return 300^2 / (2 * 800).
    assert!((features.totals.peak.force_n - 300.0).abs() < 1e-9);
    assert!(
        (features.totals.work_j - 450.0).abs() < 1e-2,
        "{}",
        features.totals.work_j
    );
    assert!((features.totals.hysteresis_j() - (450.0 - 56.25)).abs() < 0.1);
    assert!((features.gradient_n_per_m.expect("it rises") - 100.0).abs() < 1e-6);
    assert!((features.totals.contact_m.expect("met") - 2.01).abs() < 0.011);
}

#[test]
fn the_first_object_that_is_nok_is_named_with_its_cause() {
    let (verdict, ..) = judge(&objects(), 0, 64, &stroke(2.0, 150.0, 500));
    let (n, v) = verdict.first.expect("NOK");
    assert_eq!((n, v.miss, v.side), (0, Miss::NotEntered, Some(Side::Top)));
    // From the trigger on 50 + 150 * 1.5 N leave the second window through its top, and the work is too large as well.
    assert_eq!(verdict.nok, 3);
    let (verdict, ..) = judge(&objects(), 7, 64, &stroke(2.0, 100.0, 500));
    let (n, v) = verdict.first.expect("NOK");
    assert_eq!((n, v.miss), (3, Miss::Below));
    assert_eq!(verdict.judged, 5);
    // Nothing in the press: no trigger.
    let (_, _, evaluation) = judge(&objects(), 0, 64, &stroke(2.0, 0.0, 500));
    let outcome = evaluation.outcomes()[1].expect("judged");
    assert_eq!(outcome.violation.expect("NOK").miss, Miss::NoReference);
}

#[test]
fn an_object_is_judged_in_its_recipe_and_for_its_part_alone() {
    let work = object(Shape::Work(Loop {
        x_m: [f64::NEG_INFINITY, f64::INFINITY],
        limits: Limits::between(1.0, 2.0),
    }));
    let with = |recipe, part| Object {
        recipe,
        part,
        ..work
    };
    let objects = [
        with(Some(2), None),
        with(Some(3), None),
        with(None, Some(5)),
        with(Some(3), Some(6)),
        with(Some(2), Some(5)),
    ];
    // Recipe 3 with part 5.
    let (verdict, _, evaluation) = judge(&objects, 5, 64, &stroke(2.0, 100.0, 500));
    let judged: Vec<usize> = (0..objects.len())
        .filter(|n| evaluation.outcomes()[*n].is_some())
        .collect();
    assert_eq!(judged, [1, 2]);
    assert_eq!((verdict.judged, verdict.nok), (2, 2));
    assert_eq!(verdict.first.expect("NOK").0, 1);
}

/// Travel and force of a stroke by its corners, all of them exact in binary.
const CORNERS: [(f64, f64); 6] = [
    (0.0, 0.0),
    (1.0, 0.0),
    (3.0, 64.0),
    (5.0, 96.0),
    (4.0, 16.0),
    (-1.0, 0.0),
];

/// The force on the way in at `x`, from the corners and not from the curve.
fn by_hand(x: f64) -> f64 {
    let piece = CORNERS[..4].windows(2).find(|w| x <= w[1].0);
    let [(x0, f0), (x1, f1)] = piece.expect("within the stroke") else {
        panic!("windows of two");
    };
    f0 + (f1 - f0) * (x - x0) / (x1 - x0)
}

#[test]
fn every_reference_counts_from_its_own_place() {
    let mut curve = Curve::default();
    let mut segmenter = Segmenter::default();
    curve.begin(Sampling::EVERY);
    for (position_m, force_n) in CORNERS {
        let point = Point {
            position_m,
            force_n,
        };
        segmenter.push(&P, point);
        curve.push(point);
    }
    let stroke = (curve, *segmenter.totals());
    let force_at = |reference, at| Object {
        reference,
        ..object(Shape::Threshold(Threshold {
            line: Line::X(at),
            crossing: Crossing::Rising,
            limits: Limits::ANY,
        }))
    };
    // 24 N are reached at 1.75; the deepest point is at 5, and 128 N are never reached.
    let objects = [
        force_at(Reference::Absolute, 2.5),
        force_at(Reference::Trigger(24.0), 0.5),
        force_at(Reference::Final, -1.25),
        force_at(Reference::Trigger(128.0), 0.5),
    ];
    let (verdict, _, evaluation) = judge(&objects, 0, 2, &stroke);
    let places = [2.5, 1.75 + 0.5, 5.0 - 1.25];
    for (n, place) in places.into_iter().enumerate() {
        let outcome = evaluation.outcomes()[n].expect("judged");
        assert_eq!(
            (outcome.value, outcome.violation),
            (Some(by_hand(place)), None)
        );
    }
    assert_eq!(places.map(by_hand), [48.0, 40.0, 76.0]);
    let (n, violation) = verdict.first.expect("without its reference");
    assert_eq!((n, violation.miss), (3, Miss::NoReference));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn portions_do_not_matter_and_nothing_is_no_number(
        contact in -1.0..6.0f64, stiffness in 0.0..1e6f64, n in 2usize..3000, portion in 1usize..500
    ) {
        let stroke = stroke(contact, stiffness, n);
        let whole = judge(&objects(), 0, usize::MAX, &stroke);
        let parts = judge(&objects(), 0, portion, &stroke);
        prop_assert_eq!(whole.0, parts.0);
        prop_assert_eq!(whole.1, parts.1);
        prop_assert_eq!(whole.2.outcomes(), parts.2.outcomes());
        for outcome in whole.2.outcomes().iter().flatten() {
            prop_assert!(outcome.value.is_none_or(f64::is_finite));
            if let Some(v) = outcome.violation {
                prop_assert!(v.by.is_finite() && v.by >= 0.0 && v.at.position_m.is_finite() && v.at.force_n.is_finite());
            }
        }
    }
}
