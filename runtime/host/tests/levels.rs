//! Every vector unit gives the same bits: one machine, the same samples, good and bad, on all that this processor has.

use twinstep_config::machine::{ForceCurve, Machine};
use twinstep_cycle::event::Event;
use twinstep_drivers::rng::Rng;
use twinstep_host::plan::PlanStore;
use twinstep_host::simd;
use twinstep_models::sample::{
    AxisReading, Context, CycleStamp, DriveState, Missing, Samples, StationReading, Told,
};
use twinstep_models::simd::Level;

const CYCLES: u64 = 6000;

fn cell() -> Machine {
    twinstep_config::load(twinstep_config::PRESS_CELL, "press-cell.toml")
        .expect("the shipped machine")
}

/// The same with a part that has a force curve, and is met on the ways below.
fn forming() -> Machine {
    let mut machine = cell();
    let part = &mut machine.parts[0];
    part.curve = Some(ForceCurve {
        ways_m: vec![0.0, 10e-3, 30e-3],
        forces_n: vec![0.0, 3000.0, 4000.0],
        elastic_n_per_m: 1e6,
    });
    let twin = part.twin.as_mut().expect("calibrated");
    (twin.factor, twin.contact_m) = (Some(1.02), 0.12);
    machine
}

/// What axis `n` is told besides its position.
type Besides = fn(u64, usize) -> (Told, f64, f64);

const POSITIONS: Besides = |_, _| (Told::Position, 0.0, 0.0);

/// Every mode, at one time or another.
const MODES: Besides = |cycle, n| match (n, cycle / 500 % 4) {
    (1, 1) => (Told::Velocity, 0.05, 0.1),
    (1, 2) | (4, 1) => (Told::Torque, 0.0, (cycle % 100) as f64 / 50.0 - 1.0),
    (2, 0..=2) => (Told::PositionAndOffsets, 0.01, (cycle % 7) as f64 / 10.0),
    (6, 3) => (Told::Own, 0.0, 0.0),
    _ => (Told::Position, 0.0, 0.0),
};

/// Every axis in the same mode, each of them for a while: lanes that take its step as a whole.
const ALL: Besides = |cycle, _| {
    let share = (cycle % 100) as f64 / 100.0;
    match cycle / 600 % 4 {
        0 => (Told::Velocity, 0.05 - 0.1 * share, 0.1),
        1 => (Told::Torque, 0.0, 2.0 * share - 1.0),
        2 => (Told::PositionAndOffsets, 0.01 * share, 0.2),
        _ => (Told::Position, 0.0, 0.0),
    }
};

/// Digest and events of a run on `level` over samples drawn from `seed`.
fn run(machine: &Machine, level: Level, seed: u64, besides: Besides) -> (u64, Vec<Event>) {
    let plan = PlanStore::new(machine).on(level);
    let mut state = plan.state();
    let mut pipeline = plan.pipeline(&mut state);
    let mut rng = Rng::new(seed, 0);
    let axes = plan.params.len();
    let mut events = Vec::new();
    for cycle in 0..CYCLES {
        // Smooth ways with rests, noise, now and then a lost sample, a drive that is off, a jump.
        let readings: Vec<Result<AxisReading, Missing>> = (0..axes)
            .map(|n| {
                if rng.uniform() < 0.001 {
                    return Err(Missing::NoFrame);
                }
                let way = |k: u64| {
                    let t = ((k + 170 * n as u64) % 1600) as f64 / 400.0;
                    let t = if t > 2.0 {
                        (4.0 - t - 0.5).clamp(0.0, 1.0)
                    } else {
                        t.min(1.0)
                    };
                    0.05 + 0.1 * t * t * (3.0 - 2.0 * t)
                };
                let velocity = (way(cycle + 1) - way(cycle)) * 1000.0;
                let jump = if rng.uniform() < 0.0005 { 1e-3 } else { 0.0 };
                let off = cycle % 2500 < 60 && n == 3;
                let (told, told_m_per_s, told_a) = besides(cycle, n);
                Ok(AxisReading {
                    position_m: way(cycle) + 1e-7 * rng.uniform() + jump,
                    velocity_m_per_s: velocity,
                    current_a: 2.0 * velocity + 0.1 * rng.uniform(),
                    target_m: way(cycle + 2),
                    state: if off {
                        DriveState::SwitchedOn
                    } else {
                        DriveState::OperationEnabled
                    },
                    error_code: 0,
                    told,
                    told_m_per_s,
                    told_a,
                })
            })
            .collect();
        let stations = [Ok(StationReading {
            pressure_pa: 40_000.0 + 100.0 * rng.uniform(),
            ejector_on: cycle % 900 < 300,
            blow_off: cycle % 900 > 800,
        })];
        let samples = Samples {
            axes: &readings,
            stations: &stations,
            context: Context::of(0, 0),
            bus: Ok(()),
        };
        let stamp = CycleStamp {
            cycle,
            time_ns: cycle * 1_000_000,
            dc_time_ns: 0,
        };
        pipeline.predict();
        pipeline.compare(stamp, &samples);
        pipeline.correct(stamp, &samples);
        events.extend(std::iter::from_fn(|| pipeline.take_event()));
    }
    (pipeline.digest(), events)
}

fn all_alike(machine: &Machine, seeds: &[u64], besides: Besides) -> Vec<u64> {
    let mut digests = Vec::new();
    for &seed in seeds {
        let (digest, events) = run(machine, Level::PORTABLE, seed, besides);
        assert!(
            !events.is_empty(),
            "seed {seed}: nothing was ever beyond a limit"
        );
        for level in simd::available() {
            let (found, others) = run(machine, level, seed, besides);
            assert_eq!(found, digest, "seed {seed}: {} differs", level.name());
            assert_eq!(others, events, "seed {seed}: {} differs", level.name());
        }
        digests.push(digest);
    }
    digests
}

#[test]
fn all_units_of_this_processor_give_the_same_bits() {
    all_alike(&cell(), &[1, 2, 3], POSITIONS);
}

#[test]
fn they_do_with_axes_in_every_mode() {
    let told = all_alike(&cell(), &[1, 2], MODES);
    assert_ne!(told, all_alike(&cell(), &[1, 2], POSITIONS));
}

#[test]
fn they_do_with_all_axes_in_one_mode() {
    let told = all_alike(&cell(), &[1, 2], ALL);
    assert_ne!(told, all_alike(&cell(), &[1, 2], MODES));
}

#[test]
fn they_do_with_a_part_that_has_a_curve() {
    // The digest is that of predictions: the curve is in them.
    let formed = all_alike(&forming(), &[1], MODES);
    let mut linear = forming();
    linear.parts[0].curve = None;
    assert_ne!(formed, all_alike(&linear, &[1], MODES));
}
