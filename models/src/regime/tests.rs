use super::*;
use crate::simd::Portable;

/// `x` at place 3 of a lane, 0 elsewhere.
fn at_three(x: f64, part: usize) -> Portable {
    let mut lane = ZERO;
    lane[3] = x;
    Portable::load(&lane, part)
}

const P: RegimeParams = RegimeParams {
    standstill_m_per_s: 0.001,
    steady_m_per_s2: 0.1,
    reversal_cycles: 3,
    pressing_a: 0.1,
};

type State = (Course, Segments);

const NEW: State = (Course::NEW, Segments::NEW);

/// Feeds (velocity, acceleration, contact) to one place of a lane.
fn feed((course, segments): &mut State, v: f64, a: f64, c: f64) -> (Regime, Option<Segment>, bool) {
    let lane = RegimeLane::new([P; LANES].into_iter());
    let mut seen = Seen::default();
    for part in 0..Portable::PARTS {
        let motion = Motion {
            velocity_m_per_s: at_three(v, part),
            acceleration_m_per_s2: at_three(a, part),
        };
        seen.put(&lane, &motion, Some(at_three(c, part)), part);
    }
    let classified = course.classify(segments, &lane, &seen, 0);
    let ended = course.ended(segments, &classified, 3);
    course.begin::<Portable>(segments, &classified);
    for part in 0..Portable::PARTS {
        let balance = Balance {
            measured_a: at_three(1.0, part),
            predicted_a: at_three(0.0, part),
            inertial_a: at_three(0.0, part),
        };
        let [v, disturbance] = [v, 0.5].map(|x| at_three(x, part));
        segments.add(&balance, v, disturbance, part);
    }
    let movement_ended = classified.movement_ended & 1 << 3 != 0;
    (course.regime(3), ended, movement_ended)
}

#[test]
fn a_stroke_passes_through_its_regimes() {
    let mut s = NEW;
    let mut seen = Vec::new();
    for (v, a, c) in [
        (0.0, 0.0, 0.0),
        (0.01, 1.0, 0.0),
        (0.1, 0.0, 0.0),
        (0.1, 0.0, 0.5),
        (0.0, 0.0, 0.5),
        (-0.01, -1.0, 0.0),
        (-0.1, -1.0, 0.0),
        (-0.1, -1.0, 0.0),
        (-0.1, -1.0, 0.0),
        (-0.1, 0.0, 0.0),
    ] {
        seen.push(feed(&mut s, v, a, c).0);
    }
    use Regime::*;
    assert_eq!(
        seen,
        [
            Standstill,
            Acceleration,
            ConstantSpeed,
            Pressing,
            Standstill,
            Reversal,
            Reversal,
            Reversal,
            Acceleration,
            ConstantSpeed
        ]
    );
}

#[test]
fn a_start_in_the_same_direction_is_no_reversal() {
    let mut s = NEW;
    feed(&mut s, 0.1, 0.0, 0.0);
    feed(&mut s, 0.0, 0.0, 0.0);
    assert_eq!(feed(&mut s, 0.1, 0.0, 0.0).0, Regime::ConstantSpeed);
}

#[test]
fn a_segment_ends_with_its_regime_and_holds_its_sums() {
    let mut s = NEW;
    feed(&mut s, 0.0, 0.0, 0.0);
    for n in 0..5 {
        let ended = feed(&mut s, 0.1, 0.0, 0.0).1;
        assert_eq!(ended.is_some(), n == 0);
    }
    let ended = feed(&mut s, -0.1, 0.0, 0.0)
        .1
        .expect("the way forward ends");
    assert_eq!(
        (ended.regime, ended.forward, ended.cycles),
        (Regime::ConstantSpeed, true, 5.0)
    );
    assert_eq!(ended.measured_a, 5.0);
    assert_eq!(ended.residual_square, 5.0);
    assert_eq!(ended.disturbance_a, 2.5);
    assert!((ended.velocity_m_per_s - 0.5).abs() < 1e-12);
}

#[test]
fn a_movement_ends_once() {
    let mut s = NEW;
    feed(&mut s, 0.1, 0.0, 0.0);
    let ends = (0..40).filter(|_| feed(&mut s, 0.0, 0.0, 0.0).2).count();
    assert_eq!(ends, 1);
}

#[test]
fn a_rest_is_summed_up_while_it_lasts() {
    let mut s = NEW;
    feed(&mut s, 0.1, 0.0, 0.0);
    for n in 1..=40_u64 {
        feed(&mut s, 0.0, 0.0, 0.0);
        let rest = s.0.rest(&s.1, 3);
        assert_eq!((rest.cycles, rest.measured_a), (n, n as f64));
        assert_eq!(s.0.rested() & 1 << 3 != 0, n >= u64::from(STILL), "{n}");
    }
    feed(&mut s, 0.1, 0.0, 0.0);
    assert_eq!(s.0.rested() & 1 << 3, 0);
}
