use super::*;
use twinstep_models::press::curve::Branch;
use twinstep_models::press::evaluate::features::{Limits, Loop};
use twinstep_models::press::evaluate::reference::Reference;
use twinstep_models::press::evaluate::{Miss, Shape};

const PLAN: PressPlan = PressPlan {
    axis: 3,
    force: ForceFrom::Load,
    ram: Ram::screw(1.0),
    direction: 1.0,
    standstill_m_per_s: 1e-3,
    stroke: StrokeParams {
        begin_m: 0.0,
        turn_m: 1e-3,
        contact_n: 1.0,
    },
    sampling: Sampling::EVERY,
    frame: Frame {
        compliance_m_per_n: 0.0,
    },
    tare: None,
    first_object: 0,
    objects: 1,
};

/// Work of 1 N/m over 1 m is 0.5 J.
fn objects() -> [Object; 1] {
    [Object {
        shape: Shape::Work(Loop {
            x_m: [0.0, 1.0],
            limits: Limits::between(0.4, 0.6),
        }),
        reference: Reference::Absolute,
        branch: Branch::Forward,
        part: None,
        recipe: None,
    }]
}

fn occasion(cycle: u64) -> Occasion {
    Occasion {
        stamp: CycleStamp {
            cycle,
            time_ns: cycle * 1_000_000,
            dc_time_ns: 0,
        },
        source: Source::Axis(3),
        context: Context::of(0, 2),
    }
}

/// One stroke of 100 samples each way and a rest; the twin expects 1 N/m.
fn stroke(
    judge: &mut StrokeJudge,
    plan: &PressPlan,
    stiffness: f64,
    rest: u64,
    out: &mut Outbox,
) -> Option<StrokeRecord> {
    let objects = objects();
    let mut record = None;
    for k in 0..202 + rest {
        let x = match k {
            0..=101 => 0.01 * (k as f64 - 1.0),
            102..=201 => 0.01 * (201.0 - k as f64),
            _ => -0.01,
        };
        let velocity = if k > 201 {
            0.0
        } else if k > 101 {
            -0.1
        } else {
            0.1
        };
        let sample = plan.of_current(
            plan.direction * x,
            plan.direction * velocity,
            plan.direction * stiffness * x.max(0.0),
            Some(plan.direction * x.max(0.0)),
        );
        judge.judge(plan, &objects, &occasion(k), out);
        judge.push(plan, &objects, &occasion(k), &sample, out);
        record = judge.take().or(record);
    }
    record
}

#[test]
fn a_good_stroke_is_recorded_and_raises_nothing() {
    let (mut judge, mut out) = (StrokeJudge::default(), Outbox::default());
    let record = stroke(&mut judge, &PLAN, 1.0, 50, &mut out).expect("judged within the rest");
    assert!(record.verdict.ok() && out.pop().is_none());
    assert_eq!((record.stroke, record.context.part), (1, 2));
    assert!((record.features.totals.work_j - 0.5).abs() < 1e-9);
    assert_eq!(record.residual.expect("of a known part").residual_n(), 0.0);
    assert_eq!(
        record.stamp.cycle,
        201 + 201_u64.div_ceil(POINTS_PER_CYCLE as u64)
    );
}

#[test]
fn nok_carries_verdict_and_residual_on_one_event_and_is_cleared_by_a_good_stroke() {
    for direction in [1.0, -1.0] {
        let plan = PressPlan { direction, ..PLAN };
        let (mut judge, mut out) = (StrokeJudge::default(), Outbox::default());
        stroke(&mut judge, &plan, 1.3, 50, &mut out);
        let event = out.pop().expect("raised");
        assert_eq!(
            (event.channel, event.state, event.cause),
            (Channel::Stroke, EventState::Raised, Cause::StrokeForceHigh)
        );
        assert!((event.residual - 0.3).abs() < 1e-9, "{event:?}");
        // The way before the part is as it was: it is the part.
        assert_eq!(event.causes.expect("ranked").first(), Cause::WrongPart);
        let nok = event.nok.expect("why");
        assert_eq!(
            (nok.stroke, nok.object, nok.violation.miss),
            (1, 0, Miss::Above)
        );
        assert!((nok.violation.by - 0.05).abs() < 1e-9);
        stroke(&mut judge, &plan, 1.3, 50, &mut out);
        assert_eq!(out.pop(), None, "the same cause is announced once");
        stroke(&mut judge, &plan, 0.5, 50, &mut out);
        let event = out.pop().expect("another cause");
        assert_eq!(
            (event.state, event.cause),
            (EventState::Updated, Cause::StrokeForceLow)
        );
        stroke(&mut judge, &plan, 1.0, 50, &mut out);
        let good = out.pop().expect("good again");
        assert_eq!((good.state, good.causes), (EventState::Cleared, None));
    }
}

#[test]
fn what_all_of_the_way_in_shares_is_friction_and_no_force_at_all_is_no_part() {
    let more = |x: f64| x.max(0.0) + 0.5;
    let none = |_: f64| 0.0;
    let cases: [(&dyn Fn(f64) -> f64, Cause); 2] = [
        (&more, Cause::FrictionIncreased),
        (&none, Cause::MissingPart),
    ];
    for (force, cause) in cases {
        let (mut judge, mut out) = (StrokeJudge::default(), Outbox::default());
        let _ = triangle(&mut judge, &PLAN, 1.0, |x, _| force(x), &mut out);
        let causes = out.pop().expect("NOK").causes.expect("ranked");
        assert_eq!(causes.first(), cause, "{causes:?}");
        assert!(causes.is_sure() && causes.0[1].1 > 0.0, "{causes:?}");
    }
}

#[test]
fn what_no_twin_predicted_is_told_as_no_prediction() {
    let (mut judge, mut out) = (StrokeJudge::default(), Outbox::default());
    for k in 0..202_u32 {
        let x = 0.01
            * (if k <= 101 {
                f64::from(k)
            } else {
                f64::from(202 - k)
            } - 1.0);
        let velocity = if k > 101 { -0.1 } else { 0.1 };
        let sample = PLAN.of_current(x, velocity, 1.3 * x.max(0.0), None);
        judge.push(&PLAN, &objects(), &occasion(k.into()), &sample, &mut out);
    }
    judge.finish(&PLAN, &objects(), &occasion(300), &mut out);
    assert_eq!(judge.take().expect("a stroke").residual, None);
    let event = out.pop().expect("raised");
    assert!((event.measured - 1.3).abs() < 1e-9, "{event:?}");
    assert!(
        event.predicted.is_nan() && event.residual.is_nan(),
        "{event:?}"
    );
    // It is in the digest: the same bits everywhere.
    assert_eq!(event.predicted.to_bits(), f64::NAN.to_bits());
}

#[test]
fn a_stroke_without_rest_is_judged_before_the_next_one_needs_the_buffer() {
    let (mut judge, mut out) = (StrokeJudge::default(), Outbox::default());
    assert_eq!(stroke(&mut judge, &PLAN, 1.0, 0, &mut out), None);
    let first = stroke(&mut judge, &PLAN, 1.3, 0, &mut out).expect("when the second one began");
    assert!(first.verdict.ok() && first.stroke == 1, "{first:?}");
    assert!((first.features.totals.work_j - 0.5).abs() < 1e-9);
    judge.finish(&PLAN, &objects(), &occasion(999), &mut out);
    assert!(!judge.take().expect("the rest").verdict.ok());
}

#[test]
fn a_gap_throws_the_stroke_away() {
    let (mut judge, mut out) = (StrokeJudge::default(), Outbox::default());
    let sample = |x| PLAN.of_current(x, 0.1, x, None);
    for k in 0..50 {
        judge.push(
            &PLAN,
            &objects(),
            &occasion(k),
            &sample(0.01 * k as f64),
            &mut out,
        );
    }
    judge.clear();
    for k in (0..50).rev() {
        judge.push(
            &PLAN,
            &objects(),
            &occasion(k),
            &sample(0.01 * k as f64),
            &mut out,
        );
        judge.judge(&PLAN, &objects(), &occasion(k), &mut out);
    }
    judge.finish(&PLAN, &objects(), &occasion(99), &mut out);
    assert_eq!(judge.take(), None);
}

/// A triangle over `way_m` each way in steps of 1/1024 m, with `force(x, way in)` on the ram.
fn triangle(
    judge: &mut StrokeJudge,
    plan: &PressPlan,
    way_m: f64,
    force: impl Fn(f64, bool) -> f64,
    out: &mut Outbox,
) -> StrokeRecord {
    let n = (way_m * 1024.0) as i64;
    let objects = objects();
    for k in -2..=2 * n + 2 {
        let (steps, v) = if k <= n { (k, 0.1) } else { (2 * n - k, -0.1) };
        let x = steps as f64 / 1024.0;
        let f = force(x, v > 0.0);
        let sample = plan.of_current(x, v, f, Some(x.max(0.0)));
        judge.push(plan, &objects, &occasion((k + 2) as u64), &sample, out);
    }
    judge.finish(plan, &objects, &occasion(9999), out);
    judge.take().expect("a stroke")
}

const TARED: PressPlan = PressPlan {
    tare: Some(TareParams {
        range_m: [0.125, 0.25],
        limit_n: 2.0,
    }),
    stroke: StrokeParams {
        contact_n: 0.25,
        ..PLAN.stroke
    },
    ..PLAN
};

/// Contact at 0.5 m, 2 N/m from there.
fn fit(x: f64) -> f64 {
    2.0 * (x - 0.5).max(0.0)
}

#[test]
fn friction_that_grew_shifts_a_stroke_without_a_zero_and_not_one_with_it() {
    let (mut judge, mut out) = (StrokeJudge::default(), Outbox::default());
    let healthy = triangle(&mut judge, &PLAN, 1.0, |x, _| fit(x), &mut out);
    let shifted = triangle(&mut judge, &PLAN, 1.0, |x, _| fit(x) + 0.75, &mut out);
    let tared = triangle(&mut judge, &TARED, 1.0, |x, _| fit(x) + 0.75, &mut out);
    assert_eq!((healthy.tare, shifted.tare), (Tare::Off, Tare::Off));
    assert_eq!(tared.tare, Tare::Taken(0.75));
    let peaks = [&healthy, &shifted, &tared].map(|r| r.features.totals.peak.force_n);
    assert_eq!(peaks, [1.0, 1.75, 1.0]);
    let (a, b) = (&healthy.features.totals, &tared.features.totals);
    assert!((a.work_j - b.work_j).abs() < 1e-12 && (a.returned_j - b.returned_j).abs() < 1e-12);
    // By hand: the first sample with 0.25 N is at 0.5 + 0.125 m.
    assert_eq!(b.contact_m, Some(0.625));
    assert_eq!(a.block, b.block);
    let work = |r: &StrokeRecord| r.outcomes[0].expect("judged").value.expect("a value");
    assert!((work(&tared) - 0.25).abs() < 1e-9, "{}", work(&tared));
    assert!((work(&shifted) - 1.0).abs() < 1e-9);
    // What is told of the twin is that of the same zero: 2 (x - 0.5) - x is largest in size at 0.5.
    let r = tared.residual.expect("of a known part");
    assert_eq!((r.position_m, r.residual_n()), (0.5, -0.5));
}

#[test]
fn a_zero_beyond_its_limit_is_told_and_not_taken() {
    let (mut judge, mut out) = (StrokeJudge::default(), Outbox::default());
    let record = triangle(&mut judge, &TARED, 1.0, |x, _| fit(x) + 2.5, &mut out);
    assert_eq!(record.tare, Tare::BeyondLimit(2.5));
    assert_eq!(record.features.totals.peak.force_n, 3.5);
    let event = out.pop().expect("NOK");
    assert_eq!(event.nok.expect("why").tare, Tare::BeyondLimit(2.5));
    // A part that lies in the range becomes no zero either, and its contact is not lost.
    let early = triangle(
        &mut judge,
        &TARED,
        1.0,
        |x, _| 40.0 * (x - 0.125).max(0.0),
        &mut out,
    );
    assert!(matches!(early.tare, Tare::BeyondLimit(mean_n) if (mean_n - 2.5).abs() < 1e-9));
    assert!(early.features.totals.contact_m.expect("met") < 0.26);
}

#[test]
fn with_a_zero_the_frame_has_yielded_less() {
    let plan = PressPlan {
        frame: Frame::of_stiffness(64.0),
        ..TARED
    };
    let (mut judge, mut out) = (StrokeJudge::default(), Outbox::default());
    let healthy = triangle(&mut judge, &plan, 1.0, |x, _| fit(x), &mut out);
    let tared = triangle(&mut judge, &plan, 1.0, |x, _| fit(x) + 0.5, &mut out);
    assert_eq!(tared.tare, Tare::Taken(0.5));
    let block = |r: &StrokeRecord| r.features.totals.block.position_m;
    assert_eq!(block(&healthy), 1.0 - 1.0 / 64.0);
    assert_eq!(block(&tared), block(&healthy));
}

#[test]
fn behind_a_crank_the_curve_is_that_of_the_ram_and_has_a_hole_in_the_dead_centre() {
    use twinstep_models::press::kinematics::Kinematics;
    use twinstep_models::press::ram::Linkage;
    let (r, l) = (0.1, 0.4);
    let kinematics = Kinematics::crank(r, l).expect("a crank");
    // The axis counts radians; a stroke goes from 0.2 rad to the lower dead centre.
    let way = [0.0, core::f64::consts::PI];
    let plan = PressPlan {
        force: ForceFrom::Current,
        ram: Ram {
            linkage: Some(Linkage::new(kinematics, 1.0, 0.0, way)),
            ..Ram::screw(1.0)
        },
        stroke: StrokeParams {
            begin_m: 0.02,
            turn_m: 1e-4,
            contact_n: 1.0,
        },
        ..PLAN
    };
    let rod = |q: f64| {
        let b = r * libm::cos(q);
        r + l - (b + (b * b + l * l - r * r).sqrt())
    };
    let part = |s: f64| 4000.0 * (s - 0.15).max(0.0);
    let (mut judge, mut out) = (StrokeJudge::default(), Outbox::default());
    let objects = objects();
    for k in 0..=6000_i64 {
        let q = way[1] * (3000 - (k - 3000).abs()) as f64 / 3000.0;
        let v = if k < 3000 { 1.0 } else { -1.0 };
        // Virtual work gives the current, by a difference quotient and not by the model's Jacobian.
        let h = 1e-5;
        let jacobian = (rod(q + h) - rod(q - h)) / (2.0 * h);
        let current = part(rod(q)) * jacobian;
        let sample = plan.of_current(q, v, current, None);
        judge.push(&plan, &objects, &occasion(k as u64), &sample, &mut out);
    }
    judge.finish(&plan, &objects, &occasion(9999), &mut out);
    let record = judge.take().expect("a stroke");
    let t = &record.features.totals;
    let (unknown, reason) = record.unknown.expect("it was in the dead centre");
    assert_eq!(reason, ForceUnknown::DeadCentre);
    // Both ways through 1 % of the largest Jacobian (0.1030 m): where r (1 - r / l) sin q is less.
    let dead = (0.01 * 0.1030 / (r * (1.0 - r / l)) / way[1] * 3000.0).round();
    assert!(
        (f64::from(unknown) - 2.0 * dead).abs() <= 4.0,
        "{unknown} {dead}"
    );
    // The deepest known point is 13.7 mrad before the dead centre: 7 um above it.
    assert!(t.block.position_m > 0.2 - 1e-5 && t.block.position_m < 0.2);
    assert!(
        (t.peak.force_n - part(t.peak.position_m)).abs() < 0.1,
        "{:?}",
        t.peak
    );
    assert!(
        (t.work_j - 0.5 * 4000.0 * 0.05 * 0.05).abs() < 0.005,
        "{}",
        t.work_j
    );
    for p in judge.curve().points() {
        assert!(
            p.force_n.is_finite() && (p.force_n - part(p.position_m)).abs() < 0.5,
            "{p:?}"
        );
    }
}
