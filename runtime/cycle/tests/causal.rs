//! Causal: garbage in the input from sample k on changes no prediction for a cycle up to k.
#![allow(
    clippy::unwrap_used,
    reason = "a test fails by panicking, its helpers too"
)]

mod common;

use proptest::prelude::*;
use twinstep_cycle::judge::AxisJudge;
use twinstep_cycle::lanes::LaneState;
use twinstep_cycle::pipeline::Pipeline;
use twinstep_cycle::plan::{
    AxisPlan, Baseline, JudgeLane, MAX_BY_RECIPE, MAX_PARTS, Modes, Plan, SlowPlan, StationPlan,
    Thresholds,
};
use twinstep_cycle::station::StationJudge;
use twinstep_models::axis::{AxisParams, LaneParams};
use twinstep_models::blocks::FEATURES;
use twinstep_models::kalman::{AxisNoise, Steady, steady};
use twinstep_models::press::Contact;
use twinstep_models::regime::RegimeParams;
use twinstep_models::sample::{
    AxisReading, Context, CycleStamp, DriveState, Missing, Samples, StationReading, Told,
};
use twinstep_models::vacuum::{Circuit, VacuumParams};

/// One more than a lane, so that two lanes are in use.
const AXES: usize = 9;
const PERIOD_S: f64 = 1.0e-3;
const PERIOD_NS: u64 = 1_000_000;
/// Long enough for every window, and for judging to begin.
const CYCLES: usize = 700;
const SETTLE_CYCLES: u32 = 100;

type Axis = Result<AxisReading, Missing>;
type Station = Result<StationReading, Missing>;

/// What one cycle brings.
#[derive(Clone, Debug)]
struct Input {
    axes: Vec<Axis>,
    station: Station,
    bus: Result<(), Missing>,
    context: Context,
}

/// What was predicted for one cycle: three figures an axis and a pressure, as bits, and the digest of all so far.
#[derive(Clone, Debug, PartialEq)]
struct Predicted {
    axes: Vec<[u64; 3]>,
    pressure: u64,
    digest: u64,
}

/// Axes of all kinds: sampled and continuous cascades, none at all, and a press.
fn params(n: usize) -> AxisParams {
    AxisParams {
        inertia: 5.0 + n as f64,
        coulomb_positive_a: 0.4,
        coulomb_negative_a: 0.5,
        viscous: 0.2,
        stribeck_a: 0.1,
        stribeck_velocity_m_per_s: 0.01,
        gravity_a: if n.is_multiple_of(2) { 0.0 } else { 0.7 },
        position_gain_per_s: 60.0,
        velocity_gain: 150.0,
        integral_gain: 2000.0,
        // Never reached: a limited drive does not listen to its target.
        limit_a: 1.0e4,
        current_time_constant_s: 4.0e-4,
        current_filter_s: 8.0e-4,
        dead_time_s: 1.5 * PERIOD_S,
        observer: observer(5.0 + n as f64).gains,
        current_delay_s: 0.6 * PERIOD_S,
        sampled: n % 3 == 1,
        cascade_valid: n % 3 != 2,
        ..AxisParams::IDLE
    }
}

fn observer(inertia: f64) -> Steady {
    let noise = AxisNoise::of_bandwidth(100.0, 1e-6, inertia, PERIOD_S);
    steady(PERIOD_S, inertia, &noise).expect("a plain axis")
}

/// Runs the pipeline over `inputs`. Events stay out of the digest: they are findings, not predictions.
fn run(inputs: &[Input]) -> Vec<Predicted> {
    let all: Vec<_> = (0..AXES).map(params).collect();
    let lanes: Vec<_> = all
        .chunks(8)
        .map(|axes| LaneParams::new(axes, PERIOD_S))
        .collect();
    let mut contacts = [Contact::default(); MAX_PARTS];
    contacts[1] = Contact {
        contact_m: 0.05,
        stiffness_a_per_m: 400.0,
        direction: 1.0,
    };
    let axes: Vec<_> = all
        .iter()
        .map(|p| AxisPlan {
            limits: [Some(1.0e-4), Some(0.05), Some(1.0)],
            whitened: [None; 2],
            regime: RegimeParams {
                standstill_m_per_s: 0.001,
                steady_m_per_s2: 0.05,
                reversal_cycles: 30,
                pressing_a: 0.3,
            },
            baseline: [Some(Baseline {
                mean_a: 0.0,
                sigma_a: 0.01,
            }); FEATURES],
            slow: SlowPlan::default(),
            gravity_a: p.gravity_a,
            observer: observer(p.inertia),
            inertia: Some(p.inertia),
            carries_weight: false,
            viscous: p.viscous,
            cycle_way_m: 1.0e-4,
            hop_m: 5.0e-5,
            carried: 0.0,
            contacts,
            drift_limit_m: Some(1e-4),
            by_recipe: [None; MAX_BY_RECIPE],
            movement_m: 5.0e-4,
            modes: Modes::ALL,
        })
        .collect();
    let stations = [StationPlan {
        vacuum: VacuumParams::new(&Circuit {
            final_pressure_pa: 25_000.0,
            time_constant_s: 0.08,
            valve_delay_s: 0.0123,
            leak_pa_per_s: 300.0,
            leak_sigma_pa_per_s: 30.0,
            leak_limit_pa_per_s: Some(1000.0),
            noise_pa: 5.0,
            resolution_pa: 5.0,
            alarm_sigma: 5.0,
            period_s: PERIOD_S,
            settle_s: 0.02,
            least_s: 0.05,
        }),
        limit_pa: Some(500.0),
        leak: Some((300.0, 30.0)),
    }];
    let judge_lanes: Vec<_> = axes.chunks(8).map(JudgeLane::new).collect();
    let plan = Plan {
        stations: &stations,
        thresholds: Thresholds {
            slack: 2.0,
            threshold: 5.0,
            settle_cycles: SETTLE_CYCLES,
            horizon_cycles: 100,
            warm_up: None,
        },
        ..common::plan(PERIOD_NS, &lanes, &judge_lanes, &axes)
    };
    let mut state = vec![LaneState::NEW; lanes.len()];
    let mut judges = vec![AxisJudge::default(); AXES];
    let mut station_judges = vec![StationJudge::default(); 1];
    let mut pipeline = Pipeline::new(plan, &mut state, &mut judges, &mut station_judges, &mut []);
    let mut predicted = Vec::with_capacity(inputs.len());
    for (cycle, input) in inputs.iter().enumerate() {
        let samples = Samples {
            axes: &input.axes,
            stations: &[input.station],
            context: input.context,
            bus: input.bus,
        };
        let stamp = CycleStamp {
            cycle: cycle as u64,
            time_ns: cycle as u64 * PERIOD_NS,
            dc_time_ns: 0,
        };
        pipeline.predict();
        pipeline.compare(stamp, &samples);
        while pipeline.outbox.pop().is_some() {}
        pipeline.correct(stamp, &samples);
        predicted.push(Predicted {
            axes: (0..AXES)
                .map(|n| pipeline.compared(n).unwrap().map(f64::to_bits))
                .collect(),
            pressure: pipeline.predicted_pressure_pa(0).unwrap().to_bits(),
            digest: pipeline.digest(),
        });
    }
    predicted
}

/// A machine in motion: smooth ways there and back with a lag, and a gripper that evacuates and holds.
fn healthy() -> Vec<Input> {
    (0..CYCLES)
        .map(|k| {
            let way = |k: usize, n: usize| {
                let t = ((k + 37 * n) % 400) as f64 / 200.0;
                let t = if t > 1.0 { 2.0 - t } else { t };
                0.1 * t * t * (3.0 - 2.0 * t)
            };
            let axis = |n: usize| {
                let lagging = k.saturating_sub(8);
                let velocity = (way(lagging + 1, n) - way(lagging, n)) / PERIOD_S;
                Ok(AxisReading {
                    position_m: way(lagging, n),
                    velocity_m_per_s: velocity,
                    current_a: 0.5 * velocity.signum() + 0.2 * velocity,
                    target_m: way(k, n),
                    state: DriveState::OperationEnabled,
                    error_code: 0,
                    ..AxisReading::default()
                })
            };
            let ejector_on = k % 300 < 150;
            Input {
                axes: (0..AXES).map(axis).collect(),
                station: Ok(StationReading {
                    pressure_pa: if ejector_on {
                        26_000.0
                    } else {
                        25_500.0 + 0.3 * (k % 300) as f64
                    },
                    ejector_on,
                    blow_off: false,
                }),
                bus: Ok(()),
                context: Context::of(0, 1),
            }
        })
        .collect()
}

/// Whatever a number may be: wrong, huge, not one at all.
fn number() -> impl Strategy<Value = f64> {
    prop_oneof![
        -1.0..1.0_f64,
        any::<f64>(),
        Just(f64::NAN),
        Just(f64::INFINITY),
        Just(f64::MAX)
    ]
}

fn missing() -> impl Strategy<Value = Missing> {
    (0..Missing::ALL.len()).prop_map(|n| Missing::ALL[n])
}

fn state() -> impl Strategy<Value = DriveState> {
    any::<u16>().prop_map(DriveState::from_statusword)
}

const TOLD: [Told; 5] = [
    Told::Position,
    Told::PositionAndOffsets,
    Told::Velocity,
    Told::Torque,
    Told::Own,
];

fn axis() -> impl Strategy<Value = Axis> {
    let reading = (
        number(),
        number(),
        number(),
        number(),
        state(),
        any::<u16>(),
        (0..TOLD.len(), number(), number()),
    )
        .prop_map(
            |(position_m, velocity_m_per_s, current_a, target_m, state, error_code, besides)| {
                AxisReading {
                    position_m,
                    velocity_m_per_s,
                    current_a,
                    target_m,
                    state,
                    error_code,
                    told: TOLD[besides.0],
                    told_m_per_s: besides.1,
                    told_a: besides.2,
                }
            },
        );
    prop_oneof![4 => reading.prop_map(Ok), 1 => missing().prop_map(Err)]
}

fn garbage() -> impl Strategy<Value = Input> {
    let station = prop_oneof![
        4 => (number(), any::<bool>(), any::<bool>())
            .prop_map(|(pressure_pa, ejector_on, blow_off)| Ok(StationReading { pressure_pa, ejector_on, blow_off })),
        1 => missing().prop_map(Err),
    ];
    let bus = prop_oneof![Just(Ok(())), missing().prop_map(Err)];
    (
        prop::collection::vec(axis(), AXES),
        station,
        bus,
        any::<u8>(),
        any::<u8>(),
    )
        .prop_map(|(axes, station, bus, recipe, part)| Input {
            axes,
            station,
            bus,
            context: Context::of(recipe, part),
        })
}

/// Where the garbage begins: anywhere, and at the seams more often.
fn beginning() -> impl Strategy<Value = usize> {
    let settled = SETTLE_CYCLES as usize;
    prop_oneof![
        3 => 0..CYCLES,
        1 => prop::sample::select(vec![0, 1, 2, settled - 1, settled, settled + 1, CYCLES - 2, CYCLES - 1]),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn garbage_changes_no_earlier_prediction(k in beginning(), garbage in prop::collection::vec(garbage(), 1..8)) {
        let good = healthy();
        let mut bad = good.clone();
        // From k on nothing is as it was: the garbage is repeated to the end.
        for (input, wrong) in bad[k..].iter_mut().zip(garbage.iter().cycle()) {
            *input = wrong.clone();
        }
        let (good, bad) = (run(&good), run(&bad));
        // The sample of cycle k itself is garbage; the prediction for it is not.
        for cycle in 0..=k {
            prop_assert_eq!(&good[cycle], &bad[cycle], "cycle {} with garbage from {}", cycle, k);
        }
    }
}

/// The property could hold because nothing ever reaches a prediction: every kind of measurement must, in the next cycle.
#[test]
fn every_measurement_reaches_the_next_prediction() {
    const K: usize = 300;
    let good = healthy();
    let before = run(&good);
    type Change = fn(&mut Input, usize);
    let changes: [(&str, Change); 6] = [
        ("position", |input, n| {
            input.axes[n].as_mut().unwrap().position_m += 1e-6
        }),
        ("target", |input, n| {
            input.axes[n].as_mut().unwrap().target_m += 1e-3
        }),
        ("missing", |input, n| input.axes[n] = Err(Missing::NoFrame)),
        ("disabled", |input, n| {
            input.axes[n].as_mut().unwrap().state = DriveState::SwitchedOn
        }),
        ("torque", |input, n| {
            let axis = input.axes[n].as_mut().unwrap();
            (axis.told, axis.told_a) = (Told::Torque, 0.5);
        }),
        ("mode of its own", |input, n| {
            input.axes[n].as_mut().unwrap().told = Told::Own
        }),
    ];
    for n in 0..AXES {
        for (name, change) in changes {
            let mut changed = good.clone();
            change(&mut changed[K], n);
            let after = run(&changed);
            // A target acts through the dead time; without a cascade it does not act at all.
            let reaction = if name == "target" { 4 } else { 1 };
            let expected = name != "target" || params(n).cascade_valid;
            let differs =
                (K + 1..=K + reaction).any(|cycle| before[cycle].axes[n] != after[cycle].axes[n]);
            assert_eq!(differs, expected, "{name} of axis {n}");
            for other in (0..AXES).filter(|other| *other != n) {
                assert_eq!(
                    before[K + 1].axes[other],
                    after[K + 1].axes[other],
                    "{name} of axis {n} reaches {other}"
                );
            }
        }
    }
    let mut changed = good.clone();
    changed[K].station.as_mut().unwrap().pressure_pa += 100.0;
    assert_ne!(before[K + 1].pressure, run(&changed)[K + 1].pressure);
}
