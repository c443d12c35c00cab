//! A pipeline that starts from the parts of a checkpoint goes on bit for bit as the one that they were taken from; and bytes that are no
//! checkpoint are refused in words.
#![allow(
    clippy::unwrap_used,
    reason = "a test fails by panicking, its helpers too"
)]

use proptest::prelude::*;
use std::sync::OnceLock;
use twinstep_config::machine::{ForceCurve, Machine, Recipe, RegimeBaseline};
use twinstep_cycle::checkpoint::Slot;
use twinstep_cycle::event::{Event, EventState};
use twinstep_cycle::pipeline::Pipeline;
use twinstep_drivers::recording::mcap::Checkpoint;
use twinstep_drivers::rng::Rng;
use twinstep_host::plan::PlanStore;
use twinstep_host::record::checkpoint::{Given, Taken, decode};
use twinstep_models::sample::{
    AxisReading, Context, CycleStamp, DriveState, Missing, Only, Samples, StationReading, Told,
};

const CYCLES: u64 = 7_000;

/// Eight axes, a press and a gripper: two lanes. Some axes have baselines by recipe.
fn cell() -> Machine {
    let mut machine =
        twinstep_config::load(twinstep_config::PRESS_CELL, "press-cell.toml").unwrap();
    machine.recipes.push(Recipe {
        name: "b".to_owned(),
        parts: vec![0],
    });
    for axis in machine.axes.iter_mut().step_by(2) {
        let twin = axis.twin.as_mut().unwrap();
        let of_both = |row: RegimeBaseline| {
            [0, 1].map(|recipe| RegimeBaseline {
                only: Only {
                    recipe: Some(recipe),
                    ..Only::ALWAYS
                },
                ..row.clone()
            })
        };
        twin.baseline = (std::mem::take(&mut twin.baseline).into_iter())
            .flat_map(of_both)
            .collect();
    }
    machine
}

/// The first axis alone.
fn axis() -> Machine {
    let mut machine = cell();
    machine.axes.truncate(1);
    machine.presses.clear();
    machine.stations.clear();
    machine
}

/// The press alone, its health followed by its strokes too.
fn press() -> Machine {
    let mut machine = cell();
    machine.axes.clear();
    machine.stations.clear();
    machine.presses[0].axis.health.gradient_factor = Some(0.8);
    machine
}

/// The same with a part that has a force curve.
fn forming() -> Machine {
    let mut machine = press();
    let part = &mut machine.parts[0];
    part.curve = Some(ForceCurve {
        ways_m: vec![0.0, 1e-3, 3e-3, 6e-3],
        forces_n: vec![0.0, 3000.0, 4000.0, 9000.0],
        elastic_n_per_m: 2e7,
    });
    part.twin.as_mut().unwrap().factor = Some(1.02);
    machine
}

/// What the bus brings in one cycle.
struct Brought {
    axes: Vec<Result<AxisReading, Missing>>,
    stations: Vec<Result<StationReading, Missing>>,
    context: Context,
    bus: Result<(), Missing>,
}

/// Where a ram is: down fast, slowly into the part, a while at the block, and back.
fn ram_m(cycle: u64) -> f64 {
    let t = (cycle % 1_900) as f64;
    let down = (t / 500.0).min(1.0) * 0.105 + ((t - 500.0) / 450.0).clamp(0.0, 1.0) * 0.0105;
    0.04 + down * (1.0 - ((t - 1_150.0) / 400.0).clamp(0.0, 1.0))
}

/// Movements with rests, noise, jumps, lost samples, drives that are off, strokes, holds and leaks; friction rises on the way.
fn brought(machine: &Machine, seed: u64) -> Vec<Brought> {
    let mut rng = Rng::new(seed, 0);
    let (axes, presses) = (machine.axes.len(), machine.presses.len());
    (0..CYCLES)
        .map(|cycle| {
            let lost = cycle % 2_345 == 1_700;
            let mut reading = |n: usize| {
                let is_press = n >= axes;
                if rng.uniform() < 0.0005 && !is_press {
                    return Err(Missing::NoFrame);
                }
                let way = |k: u64| {
                    if is_press {
                        return ram_m(k);
                    }
                    let t = ((k + 170 * n as u64) % 1600) as f64 / 400.0;
                    let t = if t > 2.0 {
                        (4.0 - t - 0.5).clamp(0.0, 1.0)
                    } else {
                        t.min(1.0)
                    };
                    0.05 + 0.1 * t * t * (3.0 - 2.0 * t)
                };
                let velocity = (way(cycle + 1) - way(cycle)) * 1000.0;
                let part = (way(cycle) - 0.148).max(0.0) * 1500.0 * f64::from(is_press);
                let friction = 1.0 + cycle as f64 / CYCLES as f64;
                let jump = if rng.uniform() < 0.0003 && !is_press {
                    1e-3
                } else {
                    0.0
                };
                let off = !is_press && cycle % 1100 < 60 && n % 7 == 3;
                Ok(AxisReading {
                    position_m: way(cycle) + 1e-7 * rng.uniform() + jump,
                    velocity_m_per_s: velocity,
                    current_a: friction * 2.0 * velocity + part + 0.1 * rng.uniform(),
                    target_m: way(cycle + 2),
                    state: if off {
                        DriveState::SwitchedOn
                    } else {
                        DriveState::OperationEnabled
                    },
                    error_code: 0,
                    // One axis goes through the modes, and another has offsets.
                    told: match (n, cycle / 300 % 3) {
                        (1, 1) => Told::Velocity,
                        (1, 2) => Told::Torque,
                        (2, _) => Told::PositionAndOffsets,
                        _ => Told::Position,
                    },
                    told_m_per_s: if n == 2 { 0.01 * velocity } else { velocity },
                    told_a: 0.5 * velocity,
                })
            };
            let axes = (0..axes + presses).map(&mut reading).collect();
            let stations = (machine.stations.iter())
                .map(|_| {
                    Ok(StationReading {
                        pressure_pa: 40_000.0 + 100.0 * rng.uniform() + (cycle % 900) as f64 * 3.0,
                        ejector_on: cycle % 900 < 300,
                        blow_off: cycle % 900 > 800,
                    })
                })
                .collect();
            Brought {
                axes,
                stations,
                context: Context::of(
                    u8::from(cycle % 3_300 > 1_900),
                    u8::from(cycle % 4_000 > 2_500),
                ),
                bus: if lost { Err(Missing::NoFrame) } else { Ok(()) },
            }
        })
        .collect()
}

/// One cycle, as the host does it; what it found is added to `events`. Returns the strokes that were judged.
fn step(
    pipeline: &mut Pipeline<'_>,
    cycle: u64,
    b: &Brought,
    events: &mut Vec<(u64, Event)>,
) -> u64 {
    let stamp = CycleStamp {
        cycle,
        time_ns: cycle * 1_000_000,
        dc_time_ns: 0,
    };
    let missing: Vec<_> = b.axes.iter().map(|_| Err(Missing::NoFrame)).collect();
    let samples = Samples {
        axes: if b.bus.is_ok() { &b.axes } else { &missing },
        stations: &b.stations,
        context: b.context,
        bus: b.bus,
    };
    pipeline.predict();
    pipeline.compare(stamp, &samples);
    let mut strokes = 0;
    for n in 0..pipeline.plan().presses.len() {
        strokes += u64::from(pipeline.take_stroke(n).is_some());
    }
    events.extend(std::iter::from_fn(|| pipeline.take_event()).map(|event| (cycle, event)));
    if cycle == 3_333 {
        pipeline.renew(0);
    }
    pipeline.correct(stamp, &samples);
    pipeline.track(stamp);
    strokes
}

/// A run from the start: digest after every cycle, events, and the rounds that begin after some of the cycles.
struct Run {
    digests: Vec<u64>,
    events: Vec<(u64, Event)>,
    rounds: Vec<Vec<Checkpoint>>,
    strokes: u64,
    /// All that health and judging say at the end.
    end: String,
}

fn said(pipeline: &Pipeline<'_>) -> String {
    let axes = pipeline.plan().axes.len();
    let each = (0..axes).map(|n| (pipeline.health(n), pipeline.judge(n)));
    format!(
        "{:?} {:?} {:?}",
        each.collect::<Vec<_>>(),
        pipeline.station_health(0),
        pipeline.press_health(0)
    )
}

fn run(plan: &PlanStore, all: &[Brought], starts: &[u64]) -> Run {
    let mut state = plan.state();
    let mut pipeline = plan.pipeline(&mut state);
    let mut slot = Box::<Slot>::default();
    let parts = pipeline.parts();
    let mut run = Run {
        digests: Vec::new(),
        events: Vec::new(),
        rounds: vec![Vec::new(); starts.len()],
        strokes: 0,
        end: String::new(),
    };
    for (cycle, b) in (0..).zip(all) {
        run.strokes += step(&mut pipeline, cycle, b, &mut run.events);
        run.digests.push(pipeline.digest());
        for (round, start) in run.rounds.iter_mut().zip(starts) {
            if cycle >= *start && round.len() < parts {
                assert!(pipeline.copy_part(round.len(), &mut slot));
                let taken = Taken {
                    slot: slot.clone(),
                    round: *start,
                    parts,
                };
                round.push(taken.encode().unwrap());
            }
        }
    }
    run.end = said(&pipeline);
    run
}

/// Goes on from a round to the end and compares.
fn goes_on(plan: &PlanStore, all: &[Brought], run: &Run, round: &[Checkpoint]) {
    let given: Vec<Given> = round.iter().map(|part| decode(part).unwrap()).collect();
    let mut state = plan.state();
    let mut pipeline = plan.pipeline(&mut state);
    assert_eq!(given.len(), pipeline.parts());
    let mut given = given.iter().peekable();
    let first = given.peek().unwrap().cycle;
    let mut events = Vec::new();
    let mut whole = None;
    for cycle in first..all.len() as u64 {
        // Before the first cycle there is nothing but what is put back.
        if cycle > first {
            step(&mut pipeline, cycle, &all[cycle as usize], &mut events);
        }
        while let Some(part) = given.next_if(|part| part.cycle == cycle) {
            assert!(pipeline.put_back(part.number, &part.part));
        }
        if given.peek().is_none() {
            if whole.is_none() {
                whole = Some(cycle);
                events.clear();
            }
            let expected = run.digests[cycle as usize];
            assert_eq!(pipeline.digest(), expected, "from {first}: cycle {cycle}");
        }
    }
    let whole = whole.expect("the round is whole before the end");
    let expected: Vec<_> = (run.events.iter().copied())
        .filter(|(cycle, _)| *cycle > whole)
        .collect();
    assert_eq!(events, expected, "from {first}");
    assert_eq!(said(&pipeline), run.end, "from {first}");
}

#[test]
fn a_run_goes_on_from_any_checkpoint_as_it_was() {
    for (name, machine) in [
        ("axis", axis()),
        ("press", press()),
        ("forming", forming()),
        ("cell", cell()),
    ] {
        let plan = PlanStore::new(&machine);
        let all = brought(&machine, 7);
        // In movements, in a stroke, on the way back out of a part, while one is judged, in deviations, while a baseline is learnt, after
        // a lost frame.
        let starts = [1, 640, 1_001, 1_158, 1_702, 2_949, 3_400, 4_900];
        let run = run(&plan, &all, &starts);
        let raised = |from: u64, to: u64| {
            let events = run.events.iter().filter(|(c, _)| (from..to).contains(c));
            events
                .filter(|(_, e)| e.state == EventState::Raised)
                .count()
        };
        println!(
            "{name}: {} parts, {} events, {} strokes",
            run.rounds[0].len(),
            run.events.len(),
            run.strokes
        );
        assert!(raised(0, 4_900) > 0, "{name}");
        let press = matches!(name, "press" | "forming");
        assert!(press || raised(4_950, CYCLES) > 0, "{name}");
        assert_eq!(run.strokes > 0, name != "axis", "{name}");
        for round in &run.rounds {
            goes_on(&plan, &all, &run, round);
        }
    }
}

#[test]
fn no_bit_of_a_number_is_lost() {
    for bits in [0x7ff8_0000_dead_beef, 0xfff4_0000_0000_0001, 1 << 63, 1] {
        let bytes = postcard_bytes(f64::from_bits(bits));
        assert_eq!(bytes, bits.to_le_bytes());
    }
}

fn postcard_bytes(value: f64) -> Vec<u8> {
    postcard::to_stdvec(&value).unwrap()
}

#[test]
fn a_part_of_another_machine_is_refused() {
    // A part is large, and is moved about where nothing is optimised: the stack is that of the thread that replays.
    let thread = std::thread::Builder::new().stack_size(8 << 20);
    let done = thread.spawn(refuses_parts_of_another_machine).unwrap();
    done.join().unwrap();
}

fn refuses_parts_of_another_machine() {
    let (cell, axis) = (PlanStore::new(&cell()), PlanStore::new(&axis()));
    let mut state = cell.state();
    let pipeline = cell.pipeline(&mut state);
    let mut slot = Box::<Slot>::default();
    let mut other = axis.state();
    let mut other = axis.pipeline(&mut other);
    for number in 0..pipeline.parts() {
        assert!(pipeline.copy_part(number, &mut slot));
        let taken = Taken {
            slot: slot.clone(),
            round: 1,
            parts: pipeline.parts(),
        };
        let given = decode(&taken.encode().unwrap()).unwrap();
        let fits = other.put_back(number, &given.part);
        // The first lane alone is of both machines.
        assert_eq!(fits, number == 0, "part {number}");
    }
    assert!(!pipeline.copy_part(pipeline.parts(), &mut slot));
}

/// Real parts of the cell, to be damaged.
fn parts() -> &'static (PlanStore, Vec<Brought>, Vec<Checkpoint>) {
    static PARTS: OnceLock<(PlanStore, Vec<Brought>, Vec<Checkpoint>)> = OnceLock::new();
    PARTS.get_or_init(|| {
        let machine = cell();
        let plan = PlanStore::new(&machine);
        let mut all = brought(&machine, 9);
        all.truncate(1_200);
        let round = run(&plan, &all, &[1_100]).rounds.remove(0);
        (plan, all, round)
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn damaged_bytes_are_refused_or_run(
        number in any::<prop::sample::Index>(),
        cut in any::<prop::sample::Index>(),
        cuts in any::<bool>(),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let (plan, all, round) = parts();
        let mut part = number.get(round).clone();
        for (at, byte) in damage {
            let at = at.index(part.bytes.len());
            part.bytes[at] = byte;
        }
        if cuts {
            part.bytes.truncate(cut.index(part.bytes.len()));
        }
        match decode(&part) {
            Err(why) => prop_assert!(why.contains("cannot be read"), "{why}"),
            Ok(given) => {
                let mut state = plan.state();
                let mut pipeline = plan.pipeline(&mut state);
                pipeline.put_back(given.number, &given.part);
                for cycle in 1_101..1_160 {
                    step(&mut pipeline, cycle, &all[cycle as usize], &mut Vec::new());
                }
            }
        }
    }

    #[test]
    fn strangers_bytes_are_refused_or_run(bytes in prop::collection::vec(any::<u8>(), 0..2000)) {
        let _ = decode(&Checkpoint { parts: 1, bytes, ..Checkpoint::default() });
    }
}
