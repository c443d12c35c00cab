//! A press whose part is stiff: what the pipeline predicts in it, beside a force of the part that stands still over a cycle, both against very many
//! small steps.

mod common;

use twinstep_cycle::judge::AxisJudge;
use twinstep_cycle::lanes::LaneState;
use twinstep_cycle::pipeline::Pipeline;
use twinstep_cycle::plan::{
    AxisPlan, JudgeLane, MAX_BY_RECIPE, MAX_PARTS, Modes, PartCurve, Plan, SlowPlan,
};
use twinstep_models::axis::{AxisParams, LaneParams, stiff};
use twinstep_models::blocks::FEATURES;
use twinstep_models::kalman::{AxisNoise, steady};
use twinstep_models::press::Contact;
use twinstep_models::press::workpiece::{Forming, Workpiece};
use twinstep_models::regime::RegimeParams;
use twinstep_models::sample::{AxisReading, Context, CycleStamp, DriveState, Samples};

const PERIOD_S: f64 = 1.0e-3;
const CYCLES: u32 = 4000;
const INERTIA: f64 = 0.4;
const CONTACT_M: f64 = 0.012;
/// The bare axis swings at 35 Hz on it.
const STIFFNESS_A_PER_M: f64 = 20e3;
/// Steps that stand for the exact solution in a cycle.
const STEPS: u32 = 200;
/// Neither dry friction nor a weight: what is off is of the part.
const PARAMS: AxisParams = AxisParams {
    inertia: INERTIA,
    viscous: 0.3,
    position_gain_per_s: 60.0,
    velocity_gain: 120.0,
    integral_gain: 6000.0,
    velocity_feedforward: 1.0,
    limit_a: 30.0,
    current_time_constant_s: 4e-4,
    current_filter_s: 8e-4,
    dead_time_s: PERIOD_S,
    cascade_valid: true,
    ..AxisParams::IDLE
};

/// Into the part and out again, once a second (m).
fn target_m(cycle: u32) -> f64 {
    let angle = 2.0 * core::f64::consts::PI * f64::from(cycle) * PERIOD_S;
    0.0063 * (1.0 - libm::cos(angle))
}

/// The press and its part, in small steps of the midpoint rule: position, velocity, current, integrator, reported current.
fn cycle_of(y: &mut [f64; 5], cycle: u32) {
    let h = PERIOD_S / f64::from(STEPS);
    let (from_m, to_m) = (target_m(cycle.saturating_sub(1)), target_m(cycle));
    let slope = (to_m - from_m) / PERIOD_S;
    let slopes = |y: &[f64; 5], t: f64| {
        let [x, v, i, q, r] = *y;
        let wanted = PARAMS.position_gain_per_s * (from_m + slope * t - x) + slope;
        let asked = PARAMS.velocity_gain * (wanted - v) + q;
        let part_a = STIFFNESS_A_PER_M * (x - CONTACT_M).max(0.0);
        [
            v,
            (i - part_a - PARAMS.viscous * v) / INERTIA,
            (asked - i) / PARAMS.current_time_constant_s,
            PARAMS.integral_gain * (wanted - v),
            (i - r) / PARAMS.current_filter_s,
        ]
    };
    let plus = |y: &[f64; 5], k: &[f64; 5], h: f64| core::array::from_fn(|n| y[n] + h * k[n]);
    for n in 0..STEPS {
        let t = f64::from(n) * h;
        let half = plus(y, &slopes(y, t), 0.5 * h);
        *y = plus(y, &slopes(&half, t + 0.5 * h), h);
    }
}

/// How far the predictions of position (m), velocity (m/s) and current (A) are off on the way in, root mean square; how many those are; digest.
fn run(knows_a_curve: bool) -> ([f64; 3], usize, u64) {
    let noise = AxisNoise::of_bandwidth(60.0, 1e-7, INERTIA, PERIOD_S);
    let observer = steady(PERIOD_S, INERTIA, &noise).expect("a plain axis");
    let params = AxisParams {
        observer: observer.gains,
        ..PARAMS
    };
    let mut axis = AxisPlan {
        limits: [None; 3],
        whitened: [None; 2],
        regime: RegimeParams {
            standstill_m_per_s: 0.001,
            steady_m_per_s2: 0.05,
            reversal_cycles: 30,
            pressing_a: 2.0,
        },
        baseline: [None; FEATURES],
        slow: SlowPlan::default(),
        gravity_a: 0.0,
        observer,
        inertia: Some(INERTIA),
        viscous: PARAMS.viscous,
        cycle_way_m: 0.0,
        hop_m: 0.0,
        carried: 0.0,
        carries_weight: false,
        contacts: [Contact::default(); MAX_PARTS],
        by_recipe: [None; MAX_BY_RECIPE],
        drift_limit_m: None,
        movement_m: 5e-4,
        modes: Modes::POSITION,
    };
    axis.contacts[0] = Contact {
        contact_m: CONTACT_M,
        stiffness_a_per_m: STIFFNESS_A_PER_M,
        direction: 1.0,
    };
    // A part with a curve keeps one force a cycle: a straight one is the same part.
    let mut curves = Vec::new();
    if knows_a_curve {
        let table = Forming::new(
            &[0.0, 0.1],
            &[0.0, 0.1 * STIFFNESS_A_PER_M],
            2.0 * STIFFNESS_A_PER_M,
        );
        curves.push(PartCurve {
            axis: 0,
            part: 0,
            recipe: None,
            workpiece: Workpiece::Forming(table.expect("rises")),
            clear_m: 0.001,
        });
    }
    let lanes = [LaneParams::new(&[params], PERIOD_S)];
    assert!(stiff::swings(&lanes[0], 0, STIFFNESS_A_PER_M));
    let axes = [axis];
    let mut judges = [JudgeLane::new(&axes)];
    judges[0].presses |= 1;
    let plan = Plan {
        curves: &curves,
        ..common::plan(1_000_000, &lanes, &judges, &axes)
    };
    let (mut state, mut judge) = ([LaneState::NEW], [AxisJudge::default()]);
    let mut pipeline = Pipeline::new(plan, &mut state, &mut judge, &mut [], &mut []);
    let (mut squares, mut seen, mut y) = ([0.0; 3], 0_u32, [0.0; 5]);
    for cycle in 0..CYCLES {
        let reading = AxisReading {
            position_m: y[0],
            velocity_m_per_s: y[1],
            current_a: y[4],
            target_m: target_m(cycle),
            state: DriveState::OperationEnabled,
            ..AxisReading::default()
        };
        let samples = Samples {
            axes: &[Ok(reading)],
            stations: &[],
            context: Context::of(0, 0),
            bus: Ok(()),
        };
        let stamp = CycleStamp {
            cycle: u64::from(cycle),
            time_ns: u64::from(cycle) * 1_000_000,
            dc_time_ns: 0,
        };
        pipeline.predict();
        pipeline.compare(stamp, &samples);
        pipeline.correct(stamp, &samples);
        // The whole cycle before was on the way in, in the part.
        if cycle > 500 && y[1] > 2e-3 && y[0] - 2.0 * PERIOD_S * y[1] > CONTACT_M {
            let found = pipeline.compared(0).expect("an axis");
            for (n, measured) in [y[0], y[1], y[4]].into_iter().enumerate() {
                squares[n] += (found[n] - measured) * (found[n] - measured);
            }
            seen += 1;
        }
        cycle_of(&mut y, cycle);
    }
    let rms = squares.map(|sum| libm::sqrt(sum / f64::from(seen)));
    (rms, seen as usize, pipeline.digest())
}

#[test]
fn in_a_stiff_part_the_pipeline_is_nearer_than_a_force_that_stands_still() {
    let (spring, seen, digest) = run(false);
    let (still, as_many, other) = run(true);
    println!("{spring:?} beside {still:?} in {seen} cycles");
    assert!(seen > 50 && seen == as_many, "{seen} and {as_many}");
    assert_ne!(digest, other);
    for n in 0..3 {
        assert!(
            spring[n] < 0.5 * still[n],
            "{n}: {spring:?} beside {still:?}"
        );
    }
}
