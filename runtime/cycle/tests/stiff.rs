//! A press whose part is stiff: what the pipeline predicts in it, known by a stiffness or by a curve, beside a force of the part that stands still
//! over a cycle, all against very many small steps.

mod common;
#[path = "common/rig.rs"]
mod rig;

use twinstep_cycle::judge::AxisJudge;
use twinstep_cycle::lanes::LaneState;
use twinstep_cycle::pipeline::Pipeline;
use twinstep_cycle::plan::{AxisPlan, JudgeLane, Modes, PartCurve, Plan};
use twinstep_models::axis::{AxisParams, LaneParams, stiff};
use twinstep_models::press::Contact;
use twinstep_models::press::workpiece::{Forming, PressFit, Workpiece};
use twinstep_models::sample::{AxisReading, DriveState};

const PERIOD_S: f64 = 1.0e-3;
const CYCLES: u32 = 4000;
const INERTIA: f64 = 0.4;
const CONTACT_M: f64 = 0.012;
/// The bare axis swings at 35 Hz on it.
const STIFFNESS_A_PER_M: f64 = 20e3;
/// What it springs back with, from wherever it was left.
const ELASTIC_A_PER_M: f64 = 2.0 * STIFFNESS_A_PER_M;
/// So far before its contact (m) the next one is in the press.
const CLEAR_M: f64 = 0.001;
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

/// How the twin knows the part.
#[derive(Clone, Copy)]
enum Known {
    /// By its stiffness: on the way in.
    Stiffness,
    /// By its curve: on the way in and back.
    Curve,
    /// As a press fit, which is no table: its force stands still over a cycle.
    Still,
}

impl Known {
    fn workpiece(self) -> Option<Workpiece> {
        match self {
            Self::Stiffness => None,
            Self::Curve => {
                let currents_a = [0.0, 0.1 * STIFFNESS_A_PER_M];
                let table = Forming::new(&[0.0, 0.1], &currents_a, ELASTIC_A_PER_M);
                Some(Workpiece::Forming(table.expect("rises")))
            }
            Self::Still => {
                let mut fit = PressFit {
                    contact_m: 0.0,
                    joint_radius_m: 0.01,
                    hub_radius_m: 0.02,
                    interference_m: 1.0,
                    modulus_pa: 1.0,
                    friction: 1.0,
                    shoulder_m: 1.0,
                    seating_n_per_m: 0.0,
                };
                fit.friction = STIFFNESS_A_PER_M / fit.stiffness_n_per_m();
                Some(Workpiece::Fit(fit))
            }
        }
    }
}

/// What the part asks for (A) at a position (m), pressed as deep as that (m).
fn part_a(x: f64, deepest_m: f64) -> f64 {
    let (way_m, deepest_m) = (x - CONTACT_M, deepest_m.max(x) - CONTACT_M);
    (STIFFNESS_A_PER_M * deepest_m - ELASTIC_A_PER_M * (deepest_m - way_m)).max(0.0)
}

/// The press and its part, in small steps of the midpoint rule: position, velocity, current, integrator, reported current; and how deep it was.
fn cycle_of((y, deepest_m): (&mut [f64; 5], &mut f64), cycle: u32) {
    let h = PERIOD_S / f64::from(STEPS);
    let (from_m, to_m) = (target_m(cycle.saturating_sub(1)), target_m(cycle));
    let slope = (to_m - from_m) / PERIOD_S;
    let slopes = |y: &[f64; 5], t: f64, deepest_m: f64| {
        let [x, v, i, q, r] = *y;
        let wanted = PARAMS.position_gain_per_s * (from_m + slope * t - x) + slope;
        let asked = PARAMS.velocity_gain * (wanted - v) + q;
        let part_a = part_a(x, deepest_m);
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
        let half = plus(y, &slopes(y, t, *deepest_m), 0.5 * h);
        *y = plus(y, &slopes(&half, t + 0.5 * h, *deepest_m), h);
        *deepest_m = deepest_m.max(y[0]);
    }
    if y[0] < CONTACT_M - CLEAR_M {
        *deepest_m = CONTACT_M;
    }
}

/// What is found on the way in, or back.
#[derive(Clone, Copy, Debug, Default)]
struct Found {
    squares: [f64; 3],
    cycles: u32,
}

impl Found {
    /// How far the predictions of position (m), velocity (m/s) and current (A) are off, root mean square.
    fn rms(&self) -> [f64; 3] {
        self.squares
            .map(|sum| (sum / f64::from(self.cycles)).sqrt())
    }
}

/// What is found in the part, on the way in and back, and the digest.
fn run(known: Known) -> ([Found; 2], u64) {
    let observer = rig::observer(INERTIA, PERIOD_S);
    let params = AxisParams {
        observer: observer.gains,
        ..PARAMS
    };
    let mut axis = AxisPlan {
        cycle_way_m: 0.0,
        hop_m: 0.0,
        modes: Modes::POSITION,
        ..rig::axis(observer, [INERTIA, PARAMS.viscous], [0.05, 2.0])
    };
    axis.contacts[0] = Contact {
        contact_m: CONTACT_M,
        stiffness_a_per_m: STIFFNESS_A_PER_M,
        direction: 1.0,
    };
    let curves: Vec<PartCurve> = (known.workpiece().into_iter())
        .map(|workpiece| PartCurve {
            axis: 0,
            part: 0,
            recipe: None,
            workpiece,
            clear_m: CLEAR_M,
        })
        .collect();
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
    let (mut found, mut y, mut deepest_m) = ([Found::default(); 2], [0.0; 5], CONTACT_M);
    for cycle in 0..CYCLES {
        let reading = AxisReading {
            position_m: y[0],
            velocity_m_per_s: y[1],
            current_a: y[4],
            target_m: target_m(cycle),
            state: DriveState::OperationEnabled,
            ..AxisReading::default()
        };
        let seen_of = [Ok(reading)];
        let samples = rig::samples(&seen_of);
        let stamp = rig::stamp(u64::from(cycle), 1_000_000);
        pipeline.predict();
        pipeline.compare(stamp, &samples);
        pipeline.correct(stamp, &samples);
        let [x, v, ..] = y;
        // The whole cycle before was on the way in, in the part; on the way back it may begin with the turn.
        let inward = v > 2e-3 && x - 2.0 * PERIOD_S * v > CONTACT_M;
        let back = v < -2e-3 && part_a(x, deepest_m) > 0.0;
        if cycle > 500 && (inward || back) {
            let predicted = pipeline.compared(0).expect("an axis");
            let all = &mut found[usize::from(back)];
            for (n, measured) in [x, v, y[4]].into_iter().enumerate() {
                all.squares[n] += (predicted[n] - measured) * (predicted[n] - measured);
            }
            all.cycles += 1;
        }
        cycle_of((&mut y, &mut deepest_m), cycle);
    }
    (found, pipeline.digest())
}

#[test]
fn in_a_stiff_part_the_pipeline_is_nearer_than_a_force_that_stands_still() {
    let [(spring, digest), (curve, of_curve), (still, of_still)] =
        [Known::Stiffness, Known::Curve, Known::Still].map(run);
    for (of, all) in [("spring", spring), ("curve", curve), ("still", still)] {
        let [inward, back] = all.map(|found| (found.cycles, found.rms()));
        println!("{of}: {inward:?} on the way in, {back:?} on the way back");
    }
    assert!(digest != of_still && digest != of_curve);
    let [inward, back] = curve;
    assert!(inward.cycles > 50 && back.cycles > 10, "{curve:?}");
    assert_eq!(inward.cycles, still[0].cycles);
    let still = still[0].rms();
    for n in 0..3 {
        // What it knows of the way back it knows as well.
        for found in [spring[0], inward, back] {
            assert!(
                found.rms()[n] < 0.5 * still[n],
                "{n}: {:?} beside {still:?}",
                found.rms()
            );
        }
    }
}
