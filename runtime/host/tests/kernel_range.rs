//! The whole pipeline over the range that a configuration may have: twins, parts and samples drawn over all of it give finite predictions, and
//! the same bits on every vector unit of this processor.

use proptest::prelude::*;
use twinstep_config::machine::{AxisTwin, ForceCurve, Machine, Press};
use twinstep_drivers::rng::Rng;
use twinstep_host::plan::{PlanStore, axis_params};
use twinstep_host::simd;
use twinstep_models::axis::range::{self, Range};
use twinstep_models::kalman::AxisNoise;
use twinstep_models::press::kinematics::{Kinematics, MAX_NODES, Table};
use twinstep_models::press::linked::RAM_SHARE_MAX;
use twinstep_models::press::ram::Linkage;
use twinstep_models::sample::{
    AxisReading, Context, CycleStamp, DriveState, Missing, Samples, StationReading, Told,
};
use twinstep_models::simd::Level;

const CYCLES: u64 = 250;
/// The first cycles are measured calmly, so that judging begins.
const CALM_CYCLES: u64 = 60;
const TOLD: [Told; 5] = [
    Told::Position,
    Told::PositionAndOffsets,
    Told::Velocity,
    Told::Torque,
    Told::Own,
];

/// A number in a range, as likely in each of its decades.
fn of(range: Range, rng: &mut Rng) -> f64 {
    let low = range.low.max(1e-18);
    let drawn = low * libm::pow(range.high / low, rng.uniform());
    match drawn.clamp(low, range.high) {
        x if range.low == 0.0 && x < 1e-15 => 0.0,
        x => x,
    }
}

fn size(rng: &mut Rng) -> f64 {
    of(
        Range {
            low: 1e-15,
            high: range::MEASURED,
        },
        rng,
    )
}

/// A number of any size and sign.
fn anything(rng: &mut Rng) -> f64 {
    match rng.uniform() {
        u if u < 0.1 => 0.0,
        u if u < 0.55 => size(rng),
        _ => -size(rng),
    }
}

/// Draws what of a twin reaches the kernel.
fn draw(twin: &mut AxisTwin, period_s: f64, rng: &mut Rng) {
    twin.force_constant_n_per_a = of(range::FORCE_CONSTANT_N_PER_A, rng);
    twin.mass_kg = of(range::MASS_KG, rng);
    twin.coulomb_positive_n = of(range::FORCE_N, rng);
    twin.coulomb_negative_n = of(range::FORCE_N, rng);
    twin.viscous_n_s_per_m = of(range::VISCOUS_N_S_PER_M, rng);
    twin.stribeck_n = of(range::FORCE_N, rng);
    twin.stribeck_velocity_m_per_s = of(range::STRIBECK_VELOCITY_M_PER_S, rng);
    twin.gravity_n = of(range::FORCE_N, rng) * if rng.uniform() < 0.5 { -1.0 } else { 1.0 };
    twin.current_delay_s = (3.0 * rng.uniform() - 1.0) * period_s;
    twin.load_lag_s = rng.uniform();
    twin.noise = (rng.uniform() < 0.7).then(|| AxisNoise {
        position_m: of(range::POSITION_NOISE_M, rng),
        position_walk: size(rng),
        velocity_walk: size(rng),
        disturbance_walk: size(rng),
    });
    for healthy in twin.innovations.iter_mut().flatten() {
        healthy.sigma = of(range::SIGMA, rng);
    }
    if let Some(cascade) = &mut twin.cascade {
        let inertia = twin.mass_kg / twin.force_constant_n_per_a;
        // Of most drives gains that belong to the mass.
        let plain = rng.uniform() < 0.7;
        let share = of(
            Range {
                low: 1e-3,
                high: 1e3,
            },
            rng,
        );
        let gain = if plain {
            (inertia * share / period_s).clamp(range::VELOCITY_GAIN.low, range::VELOCITY_GAIN.high)
        } else {
            of(range::VELOCITY_GAIN, rng)
        };
        cascade.position_gain_per_s = of(range::POSITION_GAIN_PER_S, rng);
        cascade.velocity_gain_a_s_per_m = gain;
        cascade.integral_gain_a_per_m = of(range::INTEGRAL_GAIN, rng);
        cascade.limit_a = of(range::LIMIT_A, rng);
        cascade.dead_time_s = 4.0 * rng.uniform() * period_s;
        cascade.current_time_constant_s = if plain { 4e-4 } else { 10.0 * rng.uniform() };
        cascade.current_filter_s = 1e-3 * rng.uniform();
        cascade.sampled = rng.uniform() < 0.1;
    }
}

/// Puts a press behind a crank or a table of any shape, with a ram up to the heaviest that is allowed.
fn link(press: &mut Press, rng: &mut Rng) {
    let decades = |low: f64, high: f64, u: f64| low * libm::pow(high / low, u);
    let radius_m = decades(1e-4, 1e2, rng.uniform());
    let kinematics = if rng.uniform() < 0.5 {
        let rod_m = radius_m * (1.0 + decades(1e-3, 1e3, rng.uniform()));
        Kinematics::crank(radius_m, rod_m).expect("a crank")
    } else {
        let rows = 2 + (rng.uniform() * (MAX_NODES - 1) as f64) as usize % (MAX_NODES - 1);
        let (mut q, mut s) = (vec![0.0], vec![0.0]);
        for n in 1..rows {
            q.push(q[n - 1] + 0.01 + rng.uniform());
            s.push(s[n - 1] + radius_m * (1e-3 + rng.uniform()));
        }
        Kinematics::Table(Table::new(&q, &s, None).expect("rises"))
    };
    let way_m = [press.stroke.top_m, press.stroke.bottom_m];
    let rad_per_m = (0.1 + 3.0 * rng.uniform()) / (way_m[1] - way_m[0]);
    let zero_m = way_m[0] - rng.uniform() / rad_per_m;
    let linkage = Linkage::new(kinematics, rad_per_m, zero_m, way_m);
    let mass_kg = press.axis.twin.as_ref().expect("calibrated").mass_kg;
    let train = &mut press.drive_train;
    train.ram_mass_kg = RAM_SHARE_MAX * rng.uniform() * mass_kg / (linkage.most() * linkage.most());
    train.linkage = Some(linkage);
    train.efficiency = decades(1e-2, 1.0, rng.uniform());
    train.efficiency_back = rng.uniform();
    train.counterbalance.constant_n = of(range::FORCE_N, rng);
    train.counterbalance.rate_n_per_m = of(range::FORCE_N, rng);
}

/// The shipped cell with twins and parts drawn over all that `check` lets through.
fn machine(rng: &mut Rng) -> Machine {
    let mut machine = twinstep_config::load(twinstep_config::PRESS_CELL, "press-cell.toml")
        .expect("the shipped machine");
    machine.cycle.period_ns = (31_250.0 * libm::pow(320.0, rng.uniform())) as u64;
    let period_s = machine.cycle.period_ns as f64 / 1e9;
    let presses = machine.presses.iter_mut().map(|press| &mut press.axis);
    for axis in machine.axes.iter_mut().chain(presses) {
        draw(axis.twin.as_mut().expect("calibrated"), period_s, rng);
        // What `check` refuses is not what is looked at here.
        let mut refused = range::loops(&axis_params(axis, period_s), period_s).is_err();
        let twin = axis.twin.as_mut().expect("calibrated");
        if let (true, Some(cascade)) = (refused, &mut twin.cascade) {
            cascade.integral_gain_a_per_m = 0.0;
            cascade.position_gain_per_s = 1e-3;
            refused = range::loops(&axis_params(axis, period_s), period_s).is_err();
        }
        let twin = axis.twin.as_mut().expect("calibrated");
        if refused {
            twin.cascade = None;
            twin.viscous_n_s_per_m = 0.0;
        }
    }
    if rng.uniform() < 0.5 {
        link(&mut machine.presses[0], rng);
    }
    let curved = rng.uniform() < 0.5;
    for part in &mut machine.parts {
        // One of them is the wrong part of a demonstration, which nobody calibrates.
        let Some(twin) = part.twin.as_mut() else {
            continue;
        };
        twin.contact_m = anything(rng);
        twin.stiffness_n_per_m = size(rng);
        if curved {
            let (way_m, force_n) = (size(rng), size(rng));
            part.curve = Some(ForceCurve {
                ways_m: vec![0.0, way_m],
                forces_n: vec![0.0, force_n],
                elastic_n_per_m: 2.0 * force_n / way_m,
            });
            twin.factor = Some(0.1 + 9.9 * rng.uniform());
        }
    }
    machine
}

/// What may come of an axis in a cycle, beside what came before.
fn reading(
    cycle: u64,
    modes: bool,
    before: &mut AxisReading,
    rng: &mut Rng,
) -> Result<AxisReading, Missing> {
    before.state = DriveState::OperationEnabled;
    if cycle >= CALM_CYCLES {
        let mut may = |one_in: f64, x: &mut f64| {
            if rng.uniform() * one_in < 1.0 {
                *x = anything(rng);
            }
        };
        may(10.0, &mut before.position_m);
        may(10.0, &mut before.velocity_m_per_s);
        may(10.0, &mut before.current_a);
        may(10.0, &mut before.target_m);
        if modes && rng.uniform() < 0.1 {
            before.told = TOLD[(rng.uniform() * 5.0) as usize % TOLD.len()];
            before.told_m_per_s = anything(rng);
            before.told_a = anything(rng);
        }
        if rng.uniform() < 0.02 {
            before.state = DriveState::SwitchedOn;
        }
        if rng.uniform() < 0.04 {
            return Err(Missing::ALL[(rng.uniform() * 7.0) as usize % 7]);
        }
    } else {
        before.position_m += 1e-6 * rng.uniform();
    }
    Ok(*before)
}

/// Digest of a run; every figure that it predicts must be a number.
fn run(machine: &Machine, level: Level, seed: u64) -> Result<u64, TestCaseError> {
    let plan = PlanStore::new(machine).on(level);
    let mut state = plan.state();
    let mut pipeline = plan.pipeline(&mut state);
    let mut rng = Rng::new(seed, 1);
    let axes = plan.params.len();
    let modes = rng.uniform() < 0.5;
    let mut last = vec![AxisReading::default(); axes];
    let mut context = Context::default();
    for cycle in 0..CYCLES {
        let readings: Vec<_> = (last.iter_mut())
            .map(|before| reading(cycle, modes, before, &mut rng))
            .collect();
        if rng.uniform() < 0.01 {
            context = Context::of((rng.uniform() * 3.0) as u8, (rng.uniform() * 3.0) as u8);
        }
        let stations = vec![
            Ok(StationReading {
                pressure_pa: if rng.uniform() < 0.3 {
                    anything(&mut rng)
                } else {
                    40_000.0
                },
                ejector_on: cycle % 90 < 30,
                blow_off: cycle % 90 > 80,
            });
            machine.stations.len()
        ];
        let samples = Samples {
            axes: &readings,
            stations: &stations,
            context,
            bus: Ok(()),
        };
        let stamp = CycleStamp {
            cycle,
            time_ns: cycle * machine.cycle.period_ns,
            dc_time_ns: 0,
        };
        pipeline.predict();
        pipeline.compare(stamp, &samples);
        pipeline.correct(stamp, &samples);
        while pipeline.take_event().is_some() {}
        for n in 0..machine.stations.len() {
            let predicted = pipeline.predicted_pressure_pa(n);
            prop_assert!(
                predicted.is_none_or(f64::is_finite),
                "cycle {cycle}, station {n}: {predicted:?}"
            );
        }
        for n in 0..axes {
            let (predicted, load) = (pipeline.compared(n), pipeline.load(n));
            let motion = pipeline.load_motion(n);
            let figures = predicted.into_iter().flatten();
            let figures = figures.chain(load.into_iter().flat_map(|(m, p, _)| [m, p]));
            let mut figures = figures.chain(motion.into_iter().flat_map(|(v, a)| [v, a]));
            prop_assert!(
                figures.all(f64::is_finite),
                "cycle {cycle}, axis {n}: {predicted:?} {load:?} {motion:?}\n{:?}",
                plan.params[n]
            );
        }
    }
    Ok(pipeline.digest())
}

/// As many cases as `PROPTEST_CASES` says, 40 without it.
fn config() -> ProptestConfig {
    let asked = std::env::var("PROPTEST_CASES").ok();
    ProptestConfig {
        cases: asked.and_then(|cases| cases.parse().ok()).unwrap_or(40),
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn all_that_is_allowed_is_predicted_by_numbers_that_are_alike_on_all_units(seed in any::<u64>()) {
        let machine = machine(&mut Rng::new(seed, 0));
        let digest = run(&machine, Level::PORTABLE, seed)?;
        for level in simd::available() {
            let found = run(&machine, level, seed)?;
            prop_assert_eq!(found, digest, "{} differs", level.name());
        }
    }
}
