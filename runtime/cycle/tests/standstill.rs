//! Axes that stand: what holds them is learnt of healthy rests, and judged while they stand, in the whole pipeline.

mod common;
#[path = "common/motion.rs"]
mod motion;
#[path = "common/rig.rs"]
mod rig;

use core::ops::Range;
use motion::{EVERY_S, motion};
use rig::Chance;
use twinstep_cycle::event::{Event, EventState, Source};
use twinstep_cycle::judge::{AxisJudge, RestFigure};
use twinstep_cycle::lanes::LaneState;
use twinstep_cycle::pipeline::Pipeline;
use twinstep_cycle::plan::{AxisPlan, Baseline, JudgeLane, Plan, Rests, SlowPlan, Thresholds};
use twinstep_models::axis::{AxisParams, LaneParams};
use twinstep_models::cause::Cause;
use twinstep_models::channel::{Channel, Regime};
use twinstep_models::detect;
use twinstep_models::rest::{RESTS, STAGES};
use twinstep_models::sample::{AxisReading, DriveState, Missing, Told};

/// Two lanes.
const AXES: usize = 9;
const INERTIA: f64 = 0.4;
const GRAVITY_A: f64 = 1.5;
const COULOMB_A: f64 = 0.4;
const VISCOUS: f64 = 0.3;
/// Speed of every movement (m/s).
const SPEED: f64 = 0.5;
/// Slack of the CUSUM.
const SLACK: f64 = 2.0;
/// What friction takes at rest differs from rest to rest by this share of it.
const SPREAD: f64 = 0.1;

/// What holds lifts at rest, as healthy rests say.
type Rows = [[Rests; RESTS]; AXES];

/// What is run.
struct Run<'a> {
    period_ns: u64,
    seconds: f64,
    /// From here on the axes stand (s).
    stands_s: f64,
    rows: &'a Rows,
    threshold: f64,
    seed: u64,
    /// Load that is added to axis 3 after so many seconds (A).
    added_a: &'a dyn Fn(f64) -> f64,
    /// How far what the drives are told goes on while they stand, after so many seconds (m).
    inched_m: &'a dyn Fn(f64) -> f64,
    /// What holds them creeps by this, with each stop (A).
    creeps_a: f64,
    /// The frames of this time are lost (s).
    lost_s: Range<f64>,
    /// The drive of axis 3 is off for a while around this second.
    off_s: f64,
    told: Told,
}

const QUIET: Run<'_> = Run {
    period_ns: 1_000_000,
    seconds: 0.0,
    stands_s: 1e9,
    rows: &[[[None; STAGES]; RESTS]; AXES],
    threshold: 5.0,
    seed: 1,
    added_a: &|_| 0.0,
    inched_m: &|_| 0.0,
    creeps_a: 0.0,
    lost_s: 0.0..0.0,
    off_s: -1e9,
    told: Told::Position,
};

/// What a run raises and clears on `current_load`, and the figures of its rests, each with its axis.
fn run(of: &Run<'_>) -> (Vec<Event>, Vec<(usize, RestFigure)>) {
    let period_s = of.period_ns as f64 / 1e9;
    let observer = rig::observer(INERTIA, period_s);
    let params = AxisParams {
        inertia: INERTIA,
        coulomb_positive_a: COULOMB_A,
        coulomb_negative_a: COULOMB_A,
        viscous: VISCOUS,
        gravity_a: GRAVITY_A,
        observer: observer.gains,
        ..AxisParams::IDLE
    };
    let axes: [AxisPlan; AXES] = core::array::from_fn(|n| AxisPlan {
        slow: SlowPlan {
            rests: true,
            standstill: of.rows[n],
            ..SlowPlan::default()
        },
        gravity_a: GRAVITY_A,
        carries_weight: true,
        ..rig::axis(observer, [INERTIA, VISCOUS], [0.2, 0.3])
    });
    let all = [params; AXES];
    let lanes: Vec<_> = (all.chunks(8))
        .map(|a| LaneParams::new(a, period_s))
        .collect();
    let judges: Vec<_> = axes.chunks(8).map(JudgeLane::new).collect();
    let plan = Plan {
        thresholds: Thresholds {
            slack: SLACK,
            threshold: of.threshold,
            settle_cycles: (0.1 / period_s) as u32,
            horizon_cycles: 100,
            warm_up: None,
        },
        ..common::plan(of.period_ns, &lanes, &judges, &axes)
    };
    let (mut state, mut judge) = (vec![LaneState::NEW; 2], vec![AxisJudge::default(); AXES]);
    let mut pipeline = Pipeline::new(plan, &mut state, &mut judge, &mut [], &mut []);
    let (mut told, mut figures) = (Vec::new(), Vec::new());
    let mut chance = Chance(of.seed);
    let mut taken = [0.0; AXES];
    let (mut direction, mut stopped_s) = (1.0, 0.0);
    for cycle in 0..(of.seconds / period_s) as u64 {
        let time_s = cycle as f64 * period_s;
        let [x, v, a] = motion(time_s.min(of.stands_s), SPEED);
        if v != 0.0 {
            (direction, stopped_s) = (v.signum(), time_s);
            // What friction will take when it stops, drawn in the last cycle of the movement.
            taken =
                core::array::from_fn(|_| direction * COULOMB_A * (0.5 + SPREAD * chance.normal()));
        }
        let crept_a = of.creeps_a * libm::exp(-(time_s - stopped_s) / 3.0);
        let readings: [Result<AxisReading, Missing>; AXES] = core::array::from_fn(|n| {
            let added_a = if n == 3 { (of.added_a)(time_s) } else { 0.0 };
            let friction_a = if v == 0.0 {
                taken[n] + crept_a
            } else {
                direction * COULOMB_A + VISCOUS * v
            };
            let off = n == 3 && (time_s - of.off_s).abs() < 0.5;
            Ok(AxisReading {
                position_m: x,
                velocity_m_per_s: v,
                current_a: GRAVITY_A
                    + added_a
                    + INERTIA * a
                    + friction_a
                    + 0.02 * (chance.uniform() - 0.5),
                target_m: x + (of.inched_m)(time_s),
                told: of.told,
                state: if off {
                    DriveState::SwitchedOn
                } else {
                    DriveState::OperationEnabled
                },
                ..AxisReading::default()
            })
        });
        let readings = if of.lost_s.contains(&time_s) {
            [Err(Missing::NoFrame); AXES]
        } else {
            readings
        };
        let samples = rig::samples(&readings);
        let stamp = rig::stamp(cycle, of.period_ns);
        pipeline.predict();
        pipeline.compare(stamp, &samples);
        pipeline.correct(stamp, &samples);
        for n in 0..AXES {
            if let Some(figure) = pipeline.rest(n) {
                figures.push((n, *figure));
            }
        }
        while let Some(event) = pipeline.take_event() {
            if event.channel == Channel::CurrentLoad {
                told.push(event);
            }
        }
    }
    (told, figures)
}

/// What is healthy of two hundred rests of each axis in each direction.
fn learnt(period_ns: u64) -> Rows {
    let (told, figures) = run(&Run {
        period_ns,
        seconds: 400.0 * EVERY_S,
        seed: 7,
        ..QUIET
    });
    assert!(told.is_empty(), "without rows nothing is judged");
    core::array::from_fn(|n| {
        core::array::from_fn(|direction| {
            let of = figures
                .iter()
                .filter(|one| (one.0, one.1.after as usize) == (n, direction));
            let values: Vec<f64> = of.map(|one| one.1.hold_a).collect();
            let count = values.len() as f64;
            assert!((150.0..=200.0).contains(&count), "{count} rests of {n}");
            let mean_a = values.iter().sum::<f64>() / count;
            let square = values
                .iter()
                .map(|x| (x - mean_a) * (x - mean_a))
                .sum::<f64>();
            let sigma_a = (square / (count - 1.0)).sqrt();
            // Friction was drawn on the side of the movement.
            let sign = [1.0, -1.0][direction];
            assert!(
                (mean_a - GRAVITY_A - sign * 0.5 * COULOMB_A).abs() < 0.02,
                "{mean_a}"
            );
            assert!(
                (sigma_a / (SPREAD * COULOMB_A) - 1.0).abs() < 0.3,
                "{sigma_a}"
            );
            // Nothing creeps here: long rests are as short ones.
            [Some(Baseline { mean_a, sigma_a }); STAGES]
        })
    })
}

#[test]
fn a_load_that_changes_while_the_axis_stands_is_told_while_it_stands() {
    for period_ns in [1_000_000, 4_000_000, 250_000] {
        let rows = learnt(4_000_000);
        let step = |time_s: f64| {
            if (30.0..60.0).contains(&time_s) {
                0.4
            } else {
                0.0
            }
        };
        let ramp = |time_s: f64| ((time_s - 30.0) / 60.0).clamp(0.0, 1.0) * 0.8;
        let loads: [(&dyn Fn(f64) -> f64, bool); 2] = [(&step, true), (&ramp, false)];
        for (added_a, goes) in loads {
            let (told, _) = run(&Run {
                period_ns,
                seconds: 90.0,
                stands_s: 20.0,
                rows: &rows,
                added_a,
                ..QUIET
            });
            let states: Vec<_> = told.iter().map(|event| event.state).collect();
            let expected: &[EventState] = match goes {
                true => &[EventState::Raised, EventState::Cleared],
                false => &[EventState::Raised],
            };
            assert_eq!(states, expected, "{period_ns} ns: {told:?}");
            for event in &told {
                assert_eq!(event.source, Source::Axis(3));
                assert_eq!(event.regime, Regime::Standstill);
                assert_eq!(event.cause, Cause::LoadAdded);
            }
            // A step within two figures, a ramp before half of it is there.
            let found_s = told[0].cycle as f64 * period_ns as f64 / 1e9;
            let latest_s = if goes { 33.0 } else { 60.0 };
            assert!((30.0..latest_s).contains(&found_s), "{found_s} s");
        }
    }
}

#[test]
fn what_is_no_rest_like_the_healthy_ones_is_not_judged() {
    let rows = learnt(4_000_000);
    let far = |time_s: f64| if time_s > 30.0 { 1.0 } else { 0.0 };
    let judged = |of: Run<'_>| {
        let (told, figures) = run(&Run {
            period_ns: 4_000_000,
            seconds: 50.0,
            stands_s: 20.0,
            rows: &rows,
            added_a: &far,
            ..of
        });
        (told.len(), figures.len())
    };
    let (told, figures) = judged(QUIET);
    assert!(told == 1 && figures > 9 * 28, "{told} {figures}");
    // The reference goes on, slower than what counts as standing.
    let (told, fewer) = judged(Run {
        inched_m: &|time_s| 2e-4 * (time_s - 20.0).max(0.0),
        ..QUIET
    });
    assert!(told == 0 && fewer < figures - 9 * 25, "{told} {fewer}");
    // It went on for a moment, between two figures and long before what it held for was other.
    let inched = |time_s: f64| 2e-4 * (time_s - 25.3).clamp(0.0, 0.2);
    let (told, fewer) = judged(Run {
        inched_m: &inched,
        ..QUIET
    });
    assert!(told == 0 && fewer < figures - 9 * 20, "{told} {fewer}");
    // While nobody saw it.
    let (told, fewer) = judged(Run {
        inched_m: &|time_s| if time_s > 25.35 { 1e-4 } else { 0.0 },
        lost_s: 25.3..25.4,
        ..QUIET
    });
    assert!(told == 0 && fewer < figures - 9 * 20, "{told} {fewer}");
    // The drive was off within the rest: nobody knows what friction took then.
    let (told, fewer) = judged(Run {
        off_s: 25.0,
        ..QUIET
    });
    assert!(told == 0 && fewer < figures - 20, "{told} {fewer}");
    // It holds what it was told to.
    let (told, none) = judged(Run {
        told: Told::Torque,
        ..QUIET
    });
    assert_eq!((told, none), (0, 0));
}

#[test]
fn lost_frames_cut_the_figures_that_they_are_in_and_change_no_other() {
    let figures = |lost_s: Range<f64>| {
        let (_, figures) = run(&Run {
            period_ns: 4_000_000,
            seconds: 30.0,
            stands_s: 20.0,
            creeps_a: 0.8,
            lost_s,
            ..QUIET
        });
        figures
    };
    let all = figures(0.0..0.0);
    // The rest began after 19.7 s: before its first figure, within that one, and later.
    for lost_s in [19.78, 19.85, 20.1, 20.79, 20.9, 24.3] {
        let found = figures(lost_s..lost_s + 0.004);
        for (axis, one) in &found {
            let same = all
                .iter()
                .find(|(n, other)| n == axis && other.cycle == one.cycle);
            let (_, same) = same.unwrap_or_else(|| panic!("{lost_s}: {axis} {one:?}"));
            assert!((same.hold_a - one.hold_a).abs() < 1e-9, "{one:?} {same:?}");
            assert_eq!((same.stage, same.after), (one.stage, one.after));
        }
        // One stretch, or two where what settles after the loss is at a mark.
        let cut = all.len() - found.len();
        assert!((AXES..=2 * AXES).contains(&cut), "{lost_s}: {cut}");
    }
}

#[test]
fn healthy_rests_raise_no_more_than_was_asked() {
    let rows = learnt(4_000_000);
    // One in five hundred rests of each axis and direction.
    let asked = 500.0;
    let rounds = 2400.0;
    let (told, figures) = run(&Run {
        period_ns: 4_000_000,
        seconds: rounds * EVERY_S,
        rows: &rows,
        threshold: detect::threshold(SLACK, asked),
        seed: 99,
        ..QUIET
    });
    let raised = told
        .iter()
        .filter(|event| event.state == EventState::Raised);
    let (count, expected) = (raised.count() as f64, figures.len() as f64 / asked);
    assert!(expected > 35.0, "{expected}");
    println!("{count} alarms, {expected:.1} asked");
    assert!(
        (0.4 * expected..1.8 * expected).contains(&count),
        "{count} of {expected}"
    );
    // Standing for ten minutes is one rest, whatever the number of its figures.
    let (told, figures) = run(&Run {
        period_ns: 4_000_000,
        seconds: 620.0,
        stands_s: 20.0,
        rows: &rows,
        threshold: detect::threshold(SLACK, 1e5),
        seed: 5,
        ..QUIET
    });
    assert!(told.is_empty() && figures.len() > 9 * 590, "{told:?}");
}
