//! The free run of `drift`: what it sees of a machine whose motion is known exactly.

mod common;
#[path = "common/rig.rs"]
mod rig;

use twinstep_cycle::event::{EventState, Source};
use twinstep_cycle::judge::AxisJudge;
use twinstep_cycle::lanes::LaneState;
use twinstep_cycle::pipeline::Pipeline;
use twinstep_cycle::plan::{AxisPlan, JudgeLane, MAX_PARTS, Modes};
use twinstep_models::axis::{AxisParams, LaneParams};
use twinstep_models::channel::Channel;
use twinstep_models::press::Contact;
use twinstep_models::sample::{AxisReading, DriveState, Missing};

/// Two lanes.
const AXES: usize = 9;
const PERIOD_S: f64 = 1.0e-3;
const INERTIA: f64 = 0.4;
const COULOMB_A: f64 = 0.8;
const VISCOUS: f64 = 0.3;
const GRAVITY_A: f64 = 0.2;
/// Friction turns around between two samples of this machine: half a cycle of 2 x 0.8 A is 2 mm/s, and 0.2 mm after 0.1 s.
const TURN_M: f64 = 2.2e-4;
const LIMIT_M: f64 = 5.0e-4;

/// What was seen of a run: drift (m) and velocity (m/s) at the end of each that counts, by axis, and events.
#[derive(Default)]
struct Seen {
    drift: Vec<(usize, f64, f64)>,
    raised: Vec<Source>,
    cleared: usize,
    /// How much wider than in steady state the innovation was at its widest after the start, and at the end.
    widening: (f64, f64),
}

/// Runs axes whose Coulomb friction is `factor(axis, cycle)` times that of the twin; `lost` says which samples do not come.
fn run(factor: impl Fn(usize, u64) -> f64, lost: impl Fn(u64) -> bool) -> Seen {
    run_with(factor, lost, 0.0, Contact::default())
}

/// The same with axes that are `zero_m` further, and meet `contact`.
fn run_with(
    factor: impl Fn(usize, u64) -> f64,
    lost: impl Fn(u64) -> bool,
    zero_m: f64,
    contact: Contact,
) -> Seen {
    let observer = rig::observer(INERTIA, PERIOD_S);
    let params = AxisParams {
        inertia: INERTIA,
        coulomb_positive_a: COULOMB_A,
        coulomb_negative_a: COULOMB_A,
        viscous: VISCOUS,
        gravity_a: GRAVITY_A,
        observer: observer.gains,
        ..AxisParams::IDLE
    };
    let axis = AxisPlan {
        gravity_a: GRAVITY_A,
        cycle_way_m: 0.0,
        hop_m: 0.0,
        contacts: [contact; MAX_PARTS],
        drift_limit_m: Some(LIMIT_M),
        modes: Modes::POSITION,
        ..rig::axis(observer, [INERTIA, VISCOUS], [0.05, 0.3])
    };
    let all = [params; AXES];
    let lanes: Vec<_> = all
        .chunks(8)
        .map(|a| LaneParams::new(a, PERIOD_S))
        .collect();
    let axes = [axis; AXES];
    let judges: Vec<_> = axes.chunks(8).map(JudgeLane::new).collect();
    let plan = common::plan(1_000_000, &lanes, &judges, &axes);
    let (mut state, mut judge) = (vec![LaneState::NEW; 2], vec![AxisJudge::default(); AXES]);
    let mut pipeline = Pipeline::new(plan, &mut state, &mut judge, &mut [], &mut []);
    let mut seen = Seen::default();
    for cycle in 0..6000_u64 {
        let w = 2.0 * core::f64::consts::PI / 0.9;
        let reading = |n: usize| {
            let angle = w * cycle as f64 * PERIOD_S + 0.3 * n as f64;
            let (sine, cosine) = (libm::sin(angle), libm::cos(angle));
            let (v, a) = (0.05 * w * sine, 0.05 * w * w * cosine);
            let friction = factor(n, cycle) * COULOMB_A * v.signum();
            Ok(AxisReading {
                position_m: zero_m + 0.05 * (1.0 - cosine),
                velocity_m_per_s: v,
                current_a: INERTIA * a + friction + VISCOUS * v + GRAVITY_A,
                target_m: 0.0,
                state: DriveState::OperationEnabled,
                error_code: 0,
                ..AxisReading::default()
            })
        };
        let readings: Vec<Result<AxisReading, Missing>> = (0..AXES)
            .map(|n| {
                if lost(cycle) {
                    Err(Missing::NoFrame)
                } else {
                    reading(n)
                }
            })
            .collect();
        let samples = rig::samples(&readings);
        let stamp = rig::stamp(cycle, 1_000_000);
        pipeline.predict();
        pipeline.compare(stamp, &samples);
        pipeline.correct(stamp, &samples);
        while let Some(event) = pipeline.take_event() {
            if event.channel == Channel::Drift {
                match event.state {
                    EventState::Raised => seen.raised.push(event.source),
                    EventState::Cleared => seen.cleared += 1,
                    EventState::Updated => {}
                }
            }
        }
        let wide = pipeline.widening(0).expect("an axis");
        let widest = if cycle < 1000 { 1.0 } else { seen.widening.0 };
        seen.widening = (widest.max(wide), wide);
        if let Some(ended) = pipeline.drifted() {
            for l in (0..8).filter(|l| ended.counts & (1 << l) != 0) {
                let n = 8 * ended.lane + l;
                let v = reading(n).expect("measured").velocity_m_per_s;
                seen.drift
                    .push((n, ended.measured_m[l] - ended.free_m[l], v));
            }
        }
    }
    seen
}

#[test]
fn a_machine_that_is_as_its_twin_does_not_drift() {
    let seen = run(|_, _| 1.0, |_| false);
    assert!(seen.raised.is_empty(), "{:?}", seen.raised);
    assert_eq!(seen.widening.1, 1.0, "in steady state");
    // Every axis had its turns: a run and what it waits for are 103 cycles, and two lanes take turns.
    for n in 0..AXES {
        let runs = seen.drift.iter().filter(|(axis, ..)| *axis == n).count();
        assert!((20..=29).contains(&runs), "axis {n}: {runs}");
    }
    let worst = seen
        .drift
        .iter()
        .map(|(_, e, _)| e.abs())
        .fold(0.0, f64::max);
    assert!(worst < TURN_M, "{worst}");
}

#[test]
fn friction_that_grew_leaves_the_axis_behind_and_is_cleared_when_it_is_gone() {
    let seen = run(|n, k| if n == 8 && k < 3000 { 1.2 } else { 1.0 }, |_| false);
    assert_eq!(seen.raised, [Source::Axis(8)]);
    assert_eq!(seen.cleared, 1);
    // 0.2 x 0.8 A over 0.4 A s2/m, for 0.1 s: 2 mm behind, where it does not turn around on the way.
    let most = seen
        .drift
        .iter()
        .map(|(_, e, _)| e.abs())
        .fold(0.0, f64::max);
    assert!((0.0018..0.0022).contains(&most), "{most}");
    assert!(
        seen.drift
            .iter()
            .all(|(n, e, _)| *n == 8 || e.abs() < TURN_M)
    );
    let behind = seen
        .drift
        .iter()
        .filter(|(n, e, v)| *n == 8 && e * v < -1e-4)
        .count();
    assert!(behind >= 8, "{behind}");
}

/// Would show a run that is asked where it is before it has begun: these presses have their parts at 0 and never come there.
#[test]
fn a_press_whose_zero_lies_in_its_part_has_a_drift() {
    let contact = Contact {
        contact_m: -0.02,
        stiffness_a_per_m: 1e3,
        direction: 1.0,
    };
    let seen = run_with(|_, _| 1.0, |_| false, -0.15, contact);
    for n in 0..AXES {
        let runs = seen.drift.iter().filter(|(axis, ..)| *axis == n).count();
        assert!((20..=29).contains(&runs), "axis {n}: {runs}");
    }
    assert!(seen.raised.is_empty(), "{:?}", seen.raised);
    // In the part it has none: this one lies all over the way.
    let contact = Contact {
        contact_m: -0.2,
        ..contact
    };
    let seen = run_with(|_, _| 1.0, |_| false, -0.15, contact);
    assert!(seen.drift.is_empty(), "{}", seen.drift.len());
}

#[test]
fn a_run_with_a_lost_sample_does_not_count() {
    // One sample in 90 is lost, and settling takes 100: nothing is ever judged.
    let seen = run(|_, _| 2.0, |cycle| cycle % 90 == 0);
    assert!(seen.drift.is_empty() && seen.raised.is_empty());
    // The covariance widens while the sample is missing, and is as it was before the next one is.
    let (widest, last) = seen.widening;
    assert!(widest > 1.01 && last == 1.0, "{widest}, {last}");
}
