//! Every vector unit gives the same bits: one machine, the same samples, good and bad, on all that this processor has.

use twinstep_config::machine::{ForceCurve, Machine};
use twinstep_cycle::event::Event;
use twinstep_drivers::rng::Rng;
use twinstep_host::plan::PlanStore;
use twinstep_host::simd;
use twinstep_models::axis::{AxisParams, AxisState, LaneParams, Reference, cascade, stiff};
use twinstep_models::lane::LANES;
use twinstep_models::sample::{
    AxisReading, Context, CycleStamp, DriveState, Missing, Samples, StationReading, Told,
};
use twinstep_models::simd::{Kernel, Level, Vector};

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

/// The same with a part on which the press would swing at 20 Hz: a spring within the cycle.
fn pressing(stiffness_n_per_m: f64) -> Machine {
    let mut machine = forming();
    let part = &mut machine.parts[0];
    part.curve = None;
    part.twin.as_mut().expect("calibrated").stiffness_n_per_m = stiffness_n_per_m;
    machine
}

/// A press behind a crank, whose ram has as much inertia as the rest where it goes fastest: its axis moves on the ways below.
fn crank() -> Machine {
    let text = include_str!("../../../rt-config/machines/servo-crank-press.toml");
    let mut machine = twinstep_config::load(text, "servo-crank-press.toml").expect("shipped");
    let twin = cell().presses[0].axis.twin.clone().expect("calibrated");
    let press = &mut machine.presses[0];
    press.drive_train.ram_mass_kg *= 1.0 / press.drive_train.ram_share(twin.mass_kg);
    press.axis.twin = Some(twin);
    assert!(press.drive_train.linkage.is_some());
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

#[test]
fn they_do_in_a_stiff_part() {
    const STIFF_N_PER_M: f64 = 2e7;
    let machine = pressing(STIFF_N_PER_M);
    let press = &machine.presses[0].axis;
    let kf = press
        .twin
        .as_ref()
        .expect("calibrated")
        .force_constant_n_per_a;
    let plan = PlanStore::new(&machine);
    let place = machine.axes.len();
    let lane = LaneParams::new(&plan.params[place..=place], 1e-3);
    assert!(stiff::swings(&lane, 0, STIFF_N_PER_M / kf));
    assert!(!stiff::swings(&lane, 0, 0.1 * STIFF_N_PER_M / kf));
    for besides in [POSITIONS, MODES] {
        let stiff = all_alike(&machine, &[1, 2], besides);
        assert_ne!(
            stiff,
            all_alike(&pressing(0.1 * STIFF_N_PER_M), &[1, 2], besides)
        );
    }
}

/// A cycle of a lane as the pipeline makes it: one with few axes has a vector of its own.
struct Advance<'a> {
    axes: &'a [AxisParams],
    reference: &'a Reference,
    state: &'a mut AxisState,
}

impl Kernel for Advance<'_> {
    type Output = ();

    #[inline(always)]
    fn run<V: Vector>(self) {
        let lane = LaneParams::new(self.axes, 1e-3);
        if self.axes.len() <= V::Few::WIDTH {
            cascade::advance_on::<V::Few>(&lane, self.reference, self.state, None);
        } else {
            cascade::advance_on::<V>(&lane, self.reference, self.state, None);
        }
    }
}

/// Axes that stand, some of them pushed harder than friction holds, each way: by two, by three, and by eight.
#[test]
fn axes_that_are_let_go_are_the_same_in_lanes_of_any_number() {
    let plan = PlanStore::new(&cell());
    let mut rng = Rng::new(7, 0);
    let reference = Reference::default();
    let mut moved = [0; 2];
    for _ in 0..200 {
        let mut begin = AxisState::REST;
        for l in 0..LANES {
            let p = &plan.params[l];
            let holds = p.coulomb_positive_a + p.stribeck_a;
            let i = p.gravity_a + holds * (4.0 * rng.uniform() - 2.0);
            (begin.current_a[l], begin.integral_a[l], begin.reported_a[l]) = (i, i, i);
        }
        let cycle = |axes: usize, level: Level| {
            let mut state = begin;
            for _ in 0..3 {
                level.run(Advance {
                    axes: &plan.params[..axes],
                    reference: &reference,
                    state: &mut state,
                });
            }
            state
        };
        let expected = cycle(LANES, Level::PORTABLE);
        for v in expected.velocity_m_per_s {
            moved[0] += usize::from(v > 0.0);
            moved[1] += usize::from(v < 0.0);
        }
        for level in simd::available() {
            for axes in [1, 2, 3, 8] {
                let found = cycle(axes, level);
                for l in 0..axes {
                    let of = |s: &AxisState| {
                        [
                            s.position_m[l],
                            s.velocity_m_per_s[l],
                            s.current_a[l],
                            s.integral_a[l],
                            s.reported_a[l],
                        ]
                        .map(f64::to_bits)
                    };
                    let place = format!("{l} of {axes}, {}", level.name());
                    assert_eq!(of(&found), of(&expected), "{place}");
                }
            }
        }
    }
    assert!(moved.iter().all(|n| *n > 100), "{moved:?}");
}

#[test]
fn they_do_with_a_press_behind_a_crank() {
    let known = all_alike(&crank(), &[1, 2], ALL);
    let mut alone = crank();
    alone.presses[0].drive_train.linkage = None;
    // The ram is in the predictions.
    assert_ne!(known, all_alike(&alone, &[1, 2], ALL));
}
