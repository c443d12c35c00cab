//! A press with a twin behind a crank: what it sees of a machine whose motion is known exactly.

mod common;
#[path = "common/rig.rs"]
mod rig;

use twinstep_cycle::judge::AxisJudge;
use twinstep_cycle::lanes::LaneState;
use twinstep_cycle::pipeline::Pipeline;
use twinstep_cycle::plan::{AxisPlan, JudgeLane, LinkedPress, Modes, PartCurve, Plan};
use twinstep_cycle::press::{ForceFrom, PressPlan, StrokeJudge, StrokeRecord};
use twinstep_models::axis::{AxisParams, LaneParams};
use twinstep_models::channel::Regime;
use twinstep_models::press::Contact;
use twinstep_models::press::curve::Sampling;
use twinstep_models::press::frame::{Counterbalance, Frame, Motor};
use twinstep_models::press::kinematics::Kinematics;
use twinstep_models::press::linked::Linked;
use twinstep_models::press::ram::{Linkage, Ram};
use twinstep_models::press::stroke::StrokeParams;
use twinstep_models::press::workpiece::{Forming, Workpiece};
use twinstep_models::sample::{AxisReading, DriveState};

const PERIOD_S: f64 = 1.0e-3;
const CYCLES: u64 = 8000;
/// Force per current (N/A), and what turns with the motor (kg).
const KF: f64 = 50.0;
const MASS_KG: f64 = 20.0;
const COULOMB_A: f64 = 0.8;
const VISCOUS: f64 = 0.3;
const GRAVITY_A: f64 = 0.2;
/// The crank, and its angle per way of the axis (rad/m).
const RADIUS_M: f64 = 0.05;
const ROD_M: f64 = 0.2;
const RAD_PER_M: f64 = 60.0;
/// The axis at angle 0 (m): at 0 it is at the bottom, in the part.
const ZERO_M: f64 = -core::f64::consts::PI / RAD_PER_M;
/// Ram and tool (kg): up to twice what turns with the motor.
const RAM_KG: f64 = 4.0;
const BALANCE_N: f64 = 60.0;
const EFFICIENCY: f64 = 0.92;
const BACK: f64 = 0.85;
/// The part: where the ram meets it (m), its stiffness, and that of its elastic return (N/m).
const CONTACT_M: f64 = 0.07;
const PART_N_PER_M: f64 = 40e3;
const ELASTIC_N_PER_M: f64 = 400e3;

/// Place of the ram, first and second derivative by the angle, by the cosine rule.
fn rod_end(q: f64) -> [f64; 3] {
    let (sin, cos) = (libm::sin(q), libm::cos(q));
    let (b, db) = (RADIUS_M * cos, -RADIUS_M * sin);
    let rest = ROD_M * ROD_M - RADIUS_M * RADIUS_M;
    let g = libm::sqrt(b * b + rest);
    [
        RADIUS_M + ROD_M - (b + g),
        -db * (1.0 + b / g),
        b * (1.0 + b / g) - db * db * rest / (g * g * g),
    ]
}

/// How long a swing takes (s): one that goes fast turns fast.
const SWING_S: f64 = 1.2;
const FAST_S: f64 = 0.4;

/// Position, velocity and acceleration of the axis: a swing from 0.4 to 2.7 rad and back every `swing_s`.
fn motion(t: f64, swing_s: f64) -> [f64; 3] {
    let w = 2.0 * core::f64::consts::PI / swing_s;
    let half_m = 0.5 * 2.3 / RAD_PER_M;
    let (sin, cos) = (libm::sin(w * t), libm::cos(w * t));
    [
        0.4 / RAD_PER_M + half_m * (1.0 - cos),
        half_m * w * sin,
        half_m * w * w * cos,
    ]
}

#[derive(Clone, Copy, PartialEq)]
enum Met {
    Nothing,
    Part,
    /// Half as stiff as the twin knows it.
    SoftPart,
    /// As stiff as the twin knows it, which knows nothing of the way back.
    PlainPart,
}

/// Force of a part that springs back by its elastic line (N).
fn part_n(ram_m: f64, deepest_m: f64, met: Met) -> f64 {
    let factor = match met {
        Met::Nothing => 0.0,
        Met::Part | Met::PlainPart => 1.0,
        Met::SoftPart => 0.5,
    };
    let on_curve = |s: f64| PART_N_PER_M * (s - CONTACT_M).max(0.0);
    let back = on_curve(deepest_m) - ELASTIC_N_PER_M * (deepest_m - ram_m).max(0.0);
    factor
        * if deepest_m > ram_m {
            back.max(0.0)
        } else {
            on_curve(ram_m)
        }
}

/// The current of the motor (A).
fn current_a([x, v, a]: [f64; 3], part_n: f64) -> f64 {
    let [_, ds, dds] = rod_end(RAD_PER_M * x);
    let (j, bend) = (ds * RAD_PER_M, dds * RAD_PER_M * RAD_PER_M);
    let through_n = j * (RAM_KG * (j * a + bend * v * v) + BALANCE_N + part_n);
    let paid_n = if through_n * v > 0.0 {
        through_n / EFFICIENCY
    } else {
        through_n * BACK
    };
    let own = MASS_KG / KF * a + COULOMB_A * v.signum() + VISCOUS * v + GRAVITY_A;
    own + paid_n / KF
}

/// What was seen of a run.
#[derive(Default)]
struct Seen {
    /// Measured and explained current (A) at the end of each cycle in which the axis moved, and its regime.
    loads: Vec<(f64, f64, Regime)>,
    /// Largest error of a position one cycle ahead (m).
    ahead_m: f64,
    /// Drift of every free run that counts (m).
    drift: Vec<f64>,
    strokes: Vec<StrokeRecord>,
}

fn run(met: Met, knows_its_ram: bool) -> Seen {
    run_at(SWING_S, met, knows_its_ram)
}

fn run_at(swing_s: f64, met: Met, knows_its_ram: bool) -> Seen {
    let inertia = MASS_KG / KF;
    let observer = rig::observer(inertia, PERIOD_S);
    let params = AxisParams {
        inertia,
        coulomb_positive_a: COULOMB_A,
        coulomb_negative_a: COULOMB_A,
        viscous: VISCOUS,
        gravity_a: GRAVITY_A,
        observer: observer.gains,
        ..AxisParams::IDLE
    };
    let mut axis = AxisPlan {
        gravity_a: GRAVITY_A,
        cycle_way_m: 0.0,
        hop_m: 0.0,
        modes: Modes::POSITION,
        ..rig::axis(observer, [inertia, VISCOUS], [0.05, 2.0])
    };
    let mut curves = Vec::new();
    if met != Met::Nothing {
        axis.contacts[0] = Contact {
            contact_m: CONTACT_M,
            stiffness_a_per_m: PART_N_PER_M / KF,
            direction: 1.0,
        };
    }
    if matches!(met, Met::Part | Met::SoftPart) {
        let table = Forming::new(
            &[0.0, 0.1],
            &[0.0, 0.1 * PART_N_PER_M / KF],
            ELASTIC_N_PER_M / KF,
        );
        curves.push(PartCurve {
            axis: 0,
            part: 0,
            recipe: None,
            workpiece: Workpiece::Forming(table.expect("rises")),
            clear_m: 0.01,
        });
    }
    let lanes = [LaneParams::new(&[params], PERIOD_S)];
    let axes = [axis];
    let mut judges = [JudgeLane::new(&axes)];
    let way = [0.4, 2.7].map(|q| ZERO_M + q / RAD_PER_M);
    let kinematics = Kinematics::crank(RADIUS_M, ROD_M).expect("a crank");
    let linked = [LinkedPress {
        axis: 0,
        linked: Linked {
            linkage: Linkage::new(kinematics, RAD_PER_M, ZERO_M, way),
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
    judges[0].presses |= 1;
    let presses = [PressPlan {
        axis: 0,
        force: ForceFrom::Load,
        ram: Ram {
            linkage: Some(linked[0].linked.linkage),
            ..Ram::screw(KF)
        },
        direction: 1.0,
        standstill_m_per_s: 0.001,
        stroke: StrokeParams {
            begin_m: 0.05,
            turn_m: 1e-4,
            contact_n: 20.0,
        },
        sampling: Sampling::EVERY,
        frame: Frame::default(),
        tare: None,
        first_object: 0,
        objects: 0,
    }];
    let plan = Plan {
        presses: &presses,
        curves: &curves,
        linked: if knows_its_ram { &linked } else { &[] },
        ..common::plan(1_000_000, &lanes, &judges, &axes)
    };
    let (mut state, mut judge) = ([LaneState::NEW], [AxisJudge::default()]);
    let mut strokes = [StrokeJudge::default()];
    let mut pipeline = Pipeline::new(plan, &mut state, &mut judge, &mut [], &mut strokes);
    let (mut seen, mut deepest_m) = (Seen::default(), 0.0_f64);
    for cycle in 0..CYCLES {
        let now = motion(cycle as f64 * PERIOD_S, swing_s);
        let [ram_m, ..] = rod_end(RAD_PER_M * now[0]);
        // Out of the part the next one is put in.
        deepest_m = if ram_m < 0.03 {
            ram_m
        } else {
            deepest_m.max(ram_m)
        };
        let reading = AxisReading {
            position_m: ZERO_M + now[0],
            velocity_m_per_s: now[1],
            current_a: current_a(now, part_n(ram_m, deepest_m, met)),
            state: DriveState::OperationEnabled,
            ..AxisReading::default()
        };
        let seen_of = [Ok(reading)];
        let samples = rig::samples(&seen_of);
        let stamp = rig::stamp(cycle, 1_000_000);
        pipeline.predict();
        pipeline.compare(stamp, &samples);
        pipeline.correct(stamp, &samples);
        if let Some(ended) = pipeline.drifted().filter(|ended| ended.counts & 1 != 0) {
            seen.drift.push(ended.measured_m[0] - ended.free_m[0]);
        }
        seen.strokes.extend(pipeline.take_stroke(0));
        // What the filter still has of a reversal is behind it.
        let moves = [0.0, 0.03].map(|ago| motion(cycle as f64 * PERIOD_S - ago, swing_s)[1]);
        let moves = moves.iter().all(|v| v.abs() > 0.02) && moves[0] * moves[1] > 0.0;
        if cycle > 600 && moves {
            seen.loads.push(pipeline.load(0).expect("an axis"));
            let [ahead_m, ..] = pipeline.compared(0).expect("an axis");
            seen.ahead_m = seen.ahead_m.max((ahead_m - ZERO_M - now[0]).abs());
        }
    }
    seen
}

/// Largest difference of what was measured and explained (A), and largest current (A).
fn worst(seen: &Seen) -> (f64, f64) {
    let all = seen.loads.iter();
    all.fold((0.0, 0.0), |(off, most), (measured, predicted, _)| {
        (
            f64::max(off, (measured - predicted).abs()),
            f64::max(most, measured.abs()),
        )
    })
}

/// Would show a term of the balance that is missing, has the wrong sign, or belongs to another sample.
#[test]
fn the_motion_of_ram_and_part_explains_the_current() {
    for met in [Met::Nothing, Met::Part] {
        let seen = run(met, true);
        let (off, most) = worst(&seen);
        println!(
            "off by {off:.5} A of {most:.2} A, {:.3e} m ahead",
            seen.ahead_m
        );
        assert!(seen.loads.len() > 3000, "{}", seen.loads.len());
        assert!(off < 2e-3 * most, "{off} of {most}");
        assert!(seen.ahead_m < 2e-6, "{}", seen.ahead_m);
        let presses = seen
            .loads
            .iter()
            .any(|(.., regime)| *regime == Regime::Pressing);
        assert_eq!(presses, met == Met::Part, "a ram alone is no part");
    }
    // Without what it knows of its ram the very same twin explains next to nothing.
    let (off, most) = worst(&run(Met::Nothing, false));
    assert!(off > 0.3 * most, "{off} of {most}");
}

#[test]
fn a_softer_part_leaves_a_residual() {
    let (off, most) = worst(&run(Met::SoftPart, true));
    assert!(off > 0.1 * most, "{off} of {most}");
}

#[test]
fn the_free_run_takes_the_ram_along() {
    let seen = run(Met::Nothing, true);
    let most = seen.drift.iter().fold(0.0_f64, |most, x| most.max(x.abs()));
    println!("{} runs, {most:.3e} m", seen.drift.len());
    assert!(seen.drift.len() > 50, "{}", seen.drift.len());
    let alone = run(Met::Nothing, false);
    let far = alone
        .drift
        .iter()
        .fold(0.0_f64, |most, x| most.max(x.abs()));
    assert!(most < 0.1 * far, "{most} {far}");
    // In a part the run does not count, and the part is where the ram is, not the axis.
    let pressing = run(Met::Part, true);
    let count = pressing.drift.len();
    assert!(count > 5 && count < seen.drift.len(), "{count}");
    let most = pressing
        .drift
        .iter()
        .fold(0.0_f64, |most, x| most.max(x.abs()));
    assert!(most < 0.1 * far, "{most} {far}");
}

/// Would show what was expected of the way in, and is only half of it in the filter, held against a ram that turns without a rest.
#[test]
fn the_residual_of_a_stroke_is_that_of_its_way_in() {
    let worst = |met: Met| {
        let seen = run_at(FAST_S, met, true);
        assert!(seen.strokes.len() >= 15, "{}", seen.strokes.len());
        let shares = seen.strokes.iter().map(|stroke| {
            let peak_n = stroke.features.totals.peak.force_n;
            let residual_n = stroke.residual.expect("it has a part").residual_n();
            residual_n.abs() / peak_n
        });
        shares.fold(0.0, f64::max)
    };
    let [healthy, soft] = [Met::PlainPart, Met::SoftPart].map(worst);
    println!("{healthy:.4} of the peak, of a soft part {soft:.4}");
    assert!(healthy < 0.05, "{healthy}");
    assert!(soft > 0.5, "{soft}");
}
