//! A pipeline in sections finds bit for bit what one in a single piece finds, whoever works on them and however long it takes.
#![allow(
    clippy::unwrap_used,
    reason = "a test fails by panicking, its helpers too"
)]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use twinstep_config::machine::{ForceCurve, Machine};
use twinstep_cycle::event::Event;
use twinstep_cycle::section::{Alone, Order, Section};
use twinstep_drivers::rng::Rng;
use twinstep_host::crew::{Crew, Hiring, Hook};
use twinstep_host::plan::PlanStore;
use twinstep_models::sample::{
    AxisReading, Context, CycleStamp, DriveState, Missing, Samples, StationReading,
};

/// Copies of the press cell's eight axes: 41 lanes with its press.
const CELLS: usize = 41;
const CYCLES: u64 = 2_000;

/// A fleet: many axes, the press and the gripper.
fn fleet() -> Machine {
    let mut machine =
        twinstep_config::load(twinstep_config::PRESS_CELL, "press-cell.toml").unwrap();
    let drawings = std::mem::take(&mut machine.axes);
    for cell in 0..CELLS {
        for drawing in &drawings {
            let mut axis = drawing.clone();
            axis.name = format!("{}-{cell}", drawing.name);
            machine.axes.push(axis);
        }
    }
    // The part of the press, in the last section, has a force curve; the ways below reach into it.
    let part = &mut machine.parts[0];
    part.curve = Some(ForceCurve {
        ways_m: vec![0.0, 10e-3, 30e-3],
        forces_n: vec![0.0, 3000.0, 4000.0],
        elastic_n_per_m: 1e6,
    });
    let twin = part.twin.as_mut().unwrap();
    (twin.factor, twin.contact_m) = (Some(1.02), 0.12);
    machine
}

/// Readings of a cycle: smooth ways with rests, noise, lost samples, drives that are off, jumps, and a cycle with more events than
/// fit.
fn readings(cycle: u64, axes: usize, rng: &mut Rng) -> Vec<Result<AxisReading, Missing>> {
    let burst = cycle == 1500;
    (0..axes)
        .map(|n| {
            if rng.uniform() < 0.0005 {
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
            let jump = if rng.uniform() < 0.0002 { 1e-3 } else { 0.0 };
            let state = if burst {
                DriveState::Fault
            } else if cycle % 1100 < 60 && n % 7 == 3 {
                DriveState::SwitchedOn
            } else {
                DriveState::OperationEnabled
            };
            Ok(AxisReading {
                position_m: way(cycle) + 1e-7 * rng.uniform() + jump,
                velocity_m_per_s: velocity,
                current_a: 2.0 * velocity + 0.1 * rng.uniform(),
                target_m: way(cycle + 2),
                state,
                error_code: 0,
                ..AxisReading::default()
            })
        })
        .collect()
}

/// What a run came to: digest, events in their order, events that found no room.
type Found = (u64, Vec<Event>, u64);

/// Runs the fleet over samples drawn from `seed`, in as many sections as `threads` need, by `crew`.
fn run<'a>(
    mut pipeline: twinstep_cycle::pipeline::Pipeline<'a>,
    crew: &mut impl twinstep_cycle::section::Crew<'a>,
    seed: u64,
) -> Found {
    let mut rng = Rng::new(seed, 0);
    let axes = pipeline.plan().axes.len();
    let mut events = Vec::new();
    for cycle in 0..CYCLES {
        let readings = readings(cycle, axes, &mut rng);
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
        pipeline.predict_by(crew, |_| {});
        pipeline.compare_by(crew, stamp, &samples, |_| {});
        events.extend(std::iter::from_fn(|| pipeline.take_event()));
        pipeline.correct_by(crew, stamp, &samples, |_| {});
        pipeline.track_by(crew, stamp);
    }
    events.extend(std::iter::from_fn(|| pipeline.take_event()));
    assert!(pipeline.is_whole());
    (pipeline.digest(), events, pipeline.outbox.dropped())
}

fn in_one_piece(plan: &PlanStore, seed: u64) -> Found {
    run(plan.pipeline(&mut plan.state()), &mut Alone, seed)
}

/// The same by workers in virtual time.
fn by_workers(plan: &PlanStore, workers: usize, seed: u64, hook: Option<Hook>) -> Found {
    let mut state = plan.state_for(workers + 1);
    let pipeline = plan.pipeline(&mut state);
    let hiring = Hiring {
        cores: (0..workers).collect(),
        real: None,
        hook,
    };
    std::thread::scope(|scope| {
        let (mut crew, granted) = Crew::hire(scope, &hiring).unwrap();
        assert_eq!(granted.asked, workers);
        let found = run(pipeline, &mut crew, seed);
        assert_eq!(crew.lost(), None);
        found
    })
}

/// Works on the sections in an order that changes with every stage, and on packed ones as often as not.
struct Shuffled(Rng);

impl<'a> twinstep_cycle::section::Crew<'a> for Shuffled {
    fn work(&mut self, sections: &mut [Option<Section<'a>>], order: &Order<'_>) {
        let from = (self.0.uniform() * sections.len() as f64) as usize;
        for n in 0..sections.len() {
            let place = (from + sections.len() - n) % sections.len();
            let mut section = sections[place].take().unwrap();
            assert_eq!(section.number(), place);
            if self.0.uniform() < 0.5 {
                section.pack(order);
                section.work_packed();
                // Once is all.
                section.work_packed();
            } else {
                section.work(order);
            }
            sections[place] = Some(section);
        }
    }
}

#[test]
fn whoever_works_on_the_sections_finds_the_same() {
    let plan = PlanStore::new(&fleet());
    for seed in [1, 2] {
        let whole = in_one_piece(&plan, seed);
        assert!(whole.1.len() > 100, "seed {seed}: {} events", whole.1.len());
        assert!(whole.2 > 100, "seed {seed}: no cycle had too many events");
        for threads in [2, 3, 5, 16] {
            let mut state = plan.state_for(threads);
            let alone = run(plan.pipeline(&mut state), &mut Alone, seed);
            assert_eq!(alone, whole, "seed {seed}, sections for {threads} threads");
            let mut state = plan.state_for(threads);
            let mut shuffled = Shuffled(Rng::new(seed, threads as u64));
            let found = run(plan.pipeline(&mut state), &mut shuffled, seed);
            assert_eq!(found, whole, "seed {seed}, sections for {threads} threads");
        }
    }
}

#[test]
fn workers_find_the_same_and_do_their_part() {
    let plan = PlanStore::new(&fleet());
    let whole = in_one_piece(&plan, 3);
    for workers in 1..=3 {
        let begun: Arc<Vec<AtomicU64>> =
            Arc::new((0..workers).map(|_| AtomicU64::new(0)).collect());
        let counts = Arc::clone(&begun);
        let hook: Hook = Arc::new(move |worker| {
            counts[worker].fetch_add(1, Ordering::Relaxed);
        });
        let found = by_workers(&plan, workers, 3, Some(hook));
        assert_eq!(found, whole, "{workers} workers");
        let begun: Vec<u64> = begun.iter().map(|n| n.load(Ordering::Relaxed)).collect();
        println!("sections that each of {workers} workers did: {begun:?}");
        assert!(begun.iter().all(|n| *n > 0), "{begun:?}");
    }
}

#[test]
fn late_workers_cost_time_and_no_figure() {
    let plan = PlanStore::new(&fleet());
    let whole = in_one_piece(&plan, 4);
    let calls = AtomicU64::new(0);
    // Every so often a worker is held up with a section in hand, for longer than all of the others take.
    let hook: Hook = Arc::new(move |_| {
        if calls.fetch_add(1, Ordering::Relaxed) % 97 == 5 {
            std::thread::park_timeout(Duration::from_micros(300));
        }
    });
    assert_eq!(by_workers(&plan, 2, 4, Some(hook)), whole);
}

#[test]
fn a_section_that_does_not_come_back_is_absent_and_told() {
    let plan = PlanStore::new(&fleet());
    let mut state = plan.state_for(2);
    let mut pipeline = plan.pipeline(&mut state);
    let release = Arc::new(std::sync::Barrier::new(2));
    let held = Arc::clone(&release);
    let hiring = Hiring {
        cores: vec![7],
        real: None,
        hook: Some(Arc::new(move |_| {
            held.wait();
        })),
    };
    std::thread::scope(|scope| {
        let (mut crew, _) = Crew::hire(scope, &hiring).unwrap();
        crew.lose_after(50_000_000);
        let axes = plan.params.len();
        // A worker that has begun nothing is not waited for, so that it may take some stages until it holds one.
        while pipeline.is_whole() {
            pipeline.predict_by(&mut crew, |_| {});
        }
        let said = crew.lost().unwrap();
        assert!(said.contains("core 7 has kept its axes"), "{said}");
        let absent = (0..axes)
            .filter(|n| pipeline.compared(*n).is_none())
            .count();
        assert!(absent > 0 && absent < axes, "{absent} of {axes}");
        assert!((0..axes).all(|n| pipeline.judge(n).is_some() == pipeline.compared(n).is_some()));
        // The others go on.
        let readings = readings(0, axes, &mut Rng::new(1, 1));
        let samples = Samples {
            axes: &readings,
            stations: &[],
            context: Context::of(0, 0),
            bus: Ok(()),
        };
        pipeline.compare_by(&mut crew, CycleStamp::default(), &samples, |_| {});
        pipeline.correct_by(&mut crew, CycleStamp::default(), &samples, |_| {});
        pipeline.track_by(&mut crew, CycleStamp::default());
        let _ = pipeline.digest();
        release.wait();
    });
}

#[test]
fn a_worker_that_panics_is_told() {
    let plan = PlanStore::new(&fleet());
    let mut state = plan.state_for(2);
    let mut pipeline = plan.pipeline(&mut state);
    let hiring = Hiring {
        cores: vec![7],
        real: None,
        hook: Some(Arc::new(|_| panic!("on purpose"))),
    };
    std::thread::scope(|scope| {
        let (mut crew, _) = Crew::hire(scope, &hiring).unwrap();
        while crew.lost().is_none() {
            pipeline.predict_by(&mut crew, |_| {});
        }
        let said = crew.lost().unwrap();
        assert!(said.contains("core 7 panicked"), "{said}");
        // Whatever it held is gone; nobody waits for it any more.
        pipeline.predict_by(&mut crew, |_| {});
        assert!(!pipeline.is_whole());
    });
}
