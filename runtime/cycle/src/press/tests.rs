use super::*;
use twinstep_models::press::curve::Branch;
use twinstep_models::press::evaluate::features::{Limits, Loop};
use twinstep_models::press::evaluate::reference::Reference;
use twinstep_models::press::evaluate::{Miss, Shape};

const PLAN: PressPlan = PressPlan {
    axis: 3,
    force_n_per_a: 1.0,
    from_load: true,
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
        context: Context { recipe: 0, part: 2 },
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
        let sample = PressSample {
            position_m: plan.direction * x,
            velocity_m_per_s: plan.direction * velocity,
            force_n: plan.direction * stiffness * x.max(0.0),
            predicted_n: Some(plan.direction * x.max(0.0)),
        };
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
        assert_eq!(out.pop().expect("good again").state, EventState::Cleared);
    }
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
    let sample = |x| PressSample {
        position_m: x,
        velocity_m_per_s: 0.1,
        force_n: x,
        predicted_n: None,
    };
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
