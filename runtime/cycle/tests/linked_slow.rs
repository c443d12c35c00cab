//! Slow faults of a press behind a crank, in the whole pipeline: what is healthy is learnt, and friction of the motor or force of the
//! counterbalance that grows is found by `current_load`, with its cause first, whether it comes at once or little by little.

mod common;
#[path = "common/motion.rs"]
mod motion;
#[path = "common/rig.rs"]
mod rig;

use motion::{EVERY_S, WAY_M, motion};
use rig::Chance;
use twinstep_cycle::event::{Event, EventState};
use twinstep_cycle::judge::AxisJudge;
use twinstep_cycle::lanes::LaneState;
use twinstep_cycle::pipeline::Pipeline;
use twinstep_cycle::plan::{AxisPlan, Baseline, JudgeLane, LinkedPress, Plan, SlowPlan};
use twinstep_models::axis::{AxisParams, LaneParams};
use twinstep_models::blocks::FEATURES;
use twinstep_models::cause::Cause;
use twinstep_models::channel::Channel;
use twinstep_models::press::frame::{Counterbalance, Motor};
use twinstep_models::press::kinematics::Kinematics;
use twinstep_models::press::linked::Linked;
use twinstep_models::press::ram::Linkage;
use twinstep_models::sample::{AxisReading, DriveState};

const PERIOD_S: f64 = 1.0e-3;
/// Speed of every movement (m/s).
const SPEED: f64 = 0.5;
/// Force per current (N/A), and what turns with the motor (kg).
const KF: f64 = 50.0;
const MASS_KG: f64 = 20.0;
const COULOMB_A: f64 = 0.8;
const VISCOUS: f64 = 0.3;
/// The crank, from 0.4 to 2.7 rad over the way, and its angle per way of the axis (rad/m).
const FROM_RAD: f64 = 0.4;
const RAD_PER_M: f64 = 2.3 / WAY_M;
const RADIUS_M: f64 = 0.05;
const ROD_M: f64 = 0.2;
/// Ram and tool (kg), up to 0.7 of what turns with the motor, and its counterbalance (N).
const RAM_KG: f64 = 40.0;
const BALANCE_N: f64 = 150.0;
const EFFICIENCY: f64 = 0.92;
const BACK: f64 = 0.85;
/// Friction differs from movement to movement by this share of it.
const SPREAD: f64 = 0.02;
/// When a fault begins, which is at rest, and how long it grows (s).
const BEGINS_S: f64 = 33.5 * EVERY_S;
const GROWS_S: f64 = 120.0;
/// By then a movement each way has shown it (s).
const BOTH_WAYS_S: f64 = 1.5 * EVERY_S;

/// First and second derivative of the place of the ram by the angle, by the cosine rule.
fn derivatives(q: f64) -> [f64; 2] {
    let (sin, cos) = (libm::sin(q), libm::cos(q));
    let (b, db) = (RADIUS_M * cos, -RADIUS_M * sin);
    let rest = ROD_M * ROD_M - RADIUS_M * RADIUS_M;
    let g = libm::sqrt(b * b + rest);
    [
        -db * (1.0 + b / g),
        b * (1.0 + b / g) - db * db * rest / (g * g * g),
    ]
}

/// What is wrong with a machine: its friction over the healthy one, and how much more the counterbalance pushes (N).
#[derive(Clone, Copy)]
struct Fault {
    friction: f64,
    balance_n: f64,
}

const HEALTHY: Fault = Fault {
    friction: 1.0,
    balance_n: 0.0,
};

/// The current of the motor (A).
fn current_a([x, v, a]: [f64; 3], fault: &Fault, direction: f64) -> f64 {
    let [ds, dds] = derivatives(FROM_RAD + RAD_PER_M * x);
    let (j, bend) = (ds * RAD_PER_M, dds * RAD_PER_M * RAD_PER_M);
    let carried_n = BALANCE_N + fault.balance_n;
    let through_n = j * (RAM_KG * (j * a + bend * v * v) + carried_n);
    let paid_n = if through_n * v > 0.0 {
        through_n / EFFICIENCY
    } else if through_n * v < 0.0 {
        through_n * BACK
    } else {
        through_n
    };
    let friction_a = fault.friction * (COULOMB_A * direction + VISCOUS * v);
    MASS_KG / KF * a + friction_a + paid_n / KF
}

/// What is healthy of each feature: of `current_load`, and of what the observer holds for a disturbance.
type Rows = [[Option<Baseline>; FEATURES]; 2];

/// Events of `current_load` of a run, and the figures of its movements: those two, for each feature.
type Seen = (Vec<Event>, Vec<[Option<[f64; 2]>; FEATURES]>);

fn run(seconds: f64, rows: &Rows, seed: u64, fault: impl Fn(f64) -> Fault) -> Seen {
    let inertia = MASS_KG / KF;
    let observer = rig::observer(inertia, PERIOD_S);
    let params = AxisParams {
        inertia,
        coulomb_positive_a: COULOMB_A,
        coulomb_negative_a: COULOMB_A,
        viscous: VISCOUS,
        observer: observer.gains,
        ..AxisParams::IDLE
    };
    let axes = [AxisPlan {
        baseline: rows[0],
        slow: SlowPlan {
            disturbance: rows[1],
            ..SlowPlan::default()
        },
        ..rig::axis(observer, [inertia, VISCOUS], [0.25, 2.0])
    }];
    let zero_m = -FROM_RAD / RAD_PER_M;
    let kinematics = Kinematics::crank(RADIUS_M, ROD_M).expect("a crank");
    let linked = [LinkedPress {
        axis: 0,
        linked: Linked {
            linkage: Linkage::new(kinematics, RAD_PER_M, zero_m, [0.0, WAY_M]),
            motor: Motor {
                torque_constant_nm_per_a: KF,
                efficiency: EFFICIENCY,
                efficiency_back: BACK,
            },
            counterbalance: Counterbalance {
                constant_n: BALANCE_N,
                ..Counterbalance::default()
            },
            ram_mass_kg: RAM_KG,
            standstill_m_per_s: 0.001,
        },
    }];
    let lanes = [LaneParams::new(&[params], PERIOD_S)];
    let mut judges = [JudgeLane::new(&axes)];
    judges[0].presses |= 1;
    let plan = Plan {
        linked: &linked,
        ..common::plan(1_000_000, &lanes, &judges, &axes)
    };
    let (mut state, mut judge) = ([LaneState::NEW], [AxisJudge::default()]);
    let mut pipeline = Pipeline::new(plan, &mut state, &mut judge, &mut [], &mut []);
    let mut chance = Chance(seed);
    let (mut seen, mut taken, mut direction): (Seen, f64, f64) = ((vec![], vec![]), 1.0, 1.0);
    for cycle in 0..(seconds / PERIOD_S) as u64 {
        let time_s = cycle as f64 * PERIOD_S;
        let now = motion(time_s, SPEED);
        if now[1] == 0.0 {
            taken = 1.0 + SPREAD * chance.normal();
        } else {
            direction = now[1].signum();
        }
        let is = fault(time_s);
        let is = Fault {
            friction: is.friction * taken,
            ..is
        };
        let reading = AxisReading {
            position_m: now[0],
            velocity_m_per_s: now[1],
            current_a: current_a(now, &is, direction) + 0.02 * (chance.uniform() - 0.5),
            target_m: now[0],
            state: DriveState::OperationEnabled,
            ..AxisReading::default()
        };
        let seen_of = [Ok(reading)];
        let samples = rig::samples(&seen_of);
        let stamp = rig::stamp(cycle, 1_000_000);
        pipeline.predict();
        pipeline.compare(stamp, &samples);
        pipeline.correct(stamp, &samples);
        if let Some(blocks) = pipeline.ended(0) {
            seen.1
                .push(blocks.map(|block| block.map(|b| [b.residual_a, b.disturbance_a])));
        }
        while let Some(event) = pipeline.take_event() {
            if event.channel == Channel::CurrentLoad {
                seen.0.push(event);
            }
        }
    }
    seen
}

/// What is healthy, of a hundred movements each way.
fn learnt() -> Rows {
    let (told, figures) = run(200.0 * EVERY_S, &[[None; FEATURES]; 2], 7, |_| HEALTHY);
    assert!(told.is_empty(), "without rows nothing is judged");
    core::array::from_fn(|of| {
        core::array::from_fn(|feature| {
            let values = figures
                .iter()
                .filter_map(|blocks| Some(blocks[feature]?[of]));
            let values: Vec<f64> = values.collect();
            let count = values.len() as f64;
            let mean_a = values.iter().sum::<f64>() / count;
            let squares = values.iter().map(|x| (x - mean_a) * (x - mean_a));
            let sigma_a = libm::sqrt(squares.sum::<f64>() / (count - 1.0));
            println!("{feature}: {count} figures, {mean_a:.4} +- {sigma_a:.4} A");
            (count > 50.0).then_some(Baseline { mean_a, sigma_a })
        })
    })
}

/// What a fault of this size makes of the events: at once, and little by little.
fn found(rows: &Rows, whole: Fault, right: &[Cause]) {
    for grows_s in [0.0, GROWS_S] {
        let fault = |time_s: f64| {
            let share = if grows_s > 0.0 {
                ((time_s - BEGINS_S) / grows_s).clamp(0.0, 1.0)
            } else if time_s > BEGINS_S {
                1.0
            } else {
                0.0
            };
            Fault {
                friction: 1.0 + share * (whole.friction - 1.0),
                balance_n: share * whole.balance_n,
            }
        };
        let (told, _) = run(BEGINS_S + GROWS_S, rows, 3, fault);
        let of = format!(
            "friction x {}, {} N more, in {grows_s} s",
            whole.friction, whole.balance_n
        );
        for event in &told {
            println!(
                "{of}: {:6.1} s {:?} {:?} {:?}",
                event.cycle as f64 * PERIOD_S,
                event.state,
                event.cause,
                event.causes
            );
        }
        let first = told
            .first()
            .unwrap_or_else(|| panic!("{of}: nothing is found"));
        let found_s = first.cycle as f64 * PERIOD_S - BEGINS_S;
        assert_eq!(first.state, EventState::Raised, "{of}");
        // A step within three movements each way, a ramp before two thirds of it are there.
        let latest_s = if grows_s > 0.0 {
            0.67 * grows_s
        } else {
            8.0 * EVERY_S
        };
        assert!(
            (0.0..latest_s).contains(&found_s),
            "{of}: after {found_s} s"
        );
        for event in &told {
            // One movement goes one way: what it shows may be friction as well as load.
            let after_s = event.cycle as f64 * PERIOD_S - BEGINS_S;
            if after_s > BOTH_WAYS_S {
                assert!(right.contains(&event.cause), "{of}: {:?}", event.cause);
            }
            assert!(event.state != EventState::Cleared, "{of}: it stays");
        }
        let last = told.last().map(|event| event.cause);
        assert!(last.is_some_and(|cause| right.contains(&cause)), "{of}");
    }
}

#[test]
fn a_healthy_press_behind_a_crank_is_left_alone() {
    let (told, _) = run(200.0, &learnt(), 11, |_| HEALTHY);
    assert!(told.is_empty(), "{told:?}");
}

/// Lubrication that is lacking moves the same features, and is told in turn with friction where few movements say how it goes with the speed.
#[test]
fn friction_that_grows_behind_a_crank_is_found_as_friction() {
    let more = Fault {
        friction: 1.4,
        ..HEALTHY
    };
    let right = [Cause::FrictionIncreased, Cause::LubricationLacking];
    found(&learnt(), more, &right);
}

#[test]
fn a_counterbalance_that_grows_is_found_as_a_load() {
    let more = Fault {
        balance_n: 0.4 * BALANCE_N,
        ..HEALTHY
    };
    found(&learnt(), more, &[Cause::LoadAdded]);
}
