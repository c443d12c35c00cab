//! ns from frame in memory to event readable in the queue.
//!
//! The bytes of a cycle stand in the process image, and one axis has left its path far enough to trip its fast limit. From
//! then on everything between the frame and the flag is measured: bytes to SI, comparison of all axes and stations, the
//! event into the queue, and the other end of the queue seeing it. All functions are those of the cycle thread.

use heapless::spsc::Queue;
use std::process::ExitCode;
use std::time::Duration;
use twinstep_benches::arguments::Mode;
use twinstep_benches::commission::commission;
use twinstep_benches::environment;
use twinstep_benches::figures::{Figures, clock_cost_ns};
use twinstep_benches::{machines, wire::Wire};
use twinstep_config::machine::Machine;
use twinstep_cycle::event::{Detector, Event, EventState, Source};
use twinstep_drivers::object_map::ObjectMap;
use twinstep_host::clock::monotonic_ns;
use twinstep_host::overruns::usage::Usage;
use twinstep_host::scribe::EVENT_QUEUE;
use twinstep_models::channel::Channel;
use twinstep_models::sample::{Context, CycleStamp, Missing, Samples};

/// Seed of machines, noise and start phases.
const SEED: u64 = 1;
/// Cycles of the commissioning run.
const COMMISSIONING_CYCLES: u64 = 6000;
/// Cycles in which an axis that was disturbed is left alone: its limit must clear first, and what comes
/// back soon would not count as new.
const REST_CYCLES: u64 = 4000;
/// The jump, over the axis' limit.
const JUMP: f64 = 10.0;

fn main() -> ExitCode {
    match Mode::from_process() {
        Mode::List => Mode::list(),
        Mode::Smoke => {
            let latency = measure(&mut machines::press_cell(), 20, None);
            assert_eq!(latency.count(), 20);
        }
        Mode::Measure => {
            println!("{}\n", environment::describe());
            println!("ns from frame in memory to event readable in the queue");
            println!(
                "{:<40}{:>9}{:>9}{:>9}{:>9}{:>9}",
                "", "median", "p99", "p99.9", "max", "repeats"
            );
            let pause = Some(Duration::from_millis(1));
            show(
                "press cell, 10 SubDevices",
                &measure(&mut machines::press_cell(), 10_000, None),
            );
            show(
                "press cell, after 1 ms asleep",
                &measure(&mut machines::press_cell(), 1000, pause),
            );
            show(
                "100 axes",
                &measure(&mut machines::many_axes(100, SEED), 10_000, None),
            );
            show(
                "100 axes, after 1 ms asleep",
                &measure(&mut machines::many_axes(100, SEED), 1000, pause),
            );
            println!("\nns of what the cycle asks the kernel about itself once a cycle");
            show("RUSAGE_THREAD", &usage(100_000, None));
            show("RUSAGE_THREAD, after 1 ms asleep", &usage(1000, pause));
        }
        Mode::Instructions | Mode::Counted => {
            eprintln!("instructions are counted by the bench `pipeline`")
        }
    }
    ExitCode::SUCCESS
}

/// What it costs to read the counts of this thread, the clock taken off (ns each).
fn usage(repeats: usize, pause: Option<Duration>) -> Figures {
    let clock = clock_cost_ns();
    let mut figures = Figures::with_capacity(repeats);
    for _ in 0..repeats {
        if let Some(pause) = pause {
            std::thread::sleep(pause);
        }
        let start = monotonic_ns();
        std::hint::black_box(Usage::of_this_thread());
        figures.push((monotonic_ns() - start) as f64 - clock);
    }
    figures
}

fn show(name: &str, latency: &Figures) {
    println!(
        "{name:<40}{:>9.0}{:>9.0}{:>9.0}{:>9.0}{:>9}",
        latency.median(),
        latency.quantile(0.99),
        latency.quantile(0.999),
        latency.max(),
        latency.count()
    );
}

/// Disturbs one axis after the other, `repeats` times in all (ns each). With a `pause` the thread sleeps before the
/// frame of a disturbed cycle, as the cycle thread does before every cycle; without, caches stay warm.
///
/// # Panics
/// When a disturbance raises no event on its axis: then nothing was measured.
#[expect(
    clippy::expect_used,
    reason = "a machine that has no process data cannot be measured"
)]
fn measure(machine: &mut Machine, repeats: usize, pause: Option<Duration>) -> Figures {
    let (plan, mut fleet) = commission(machine, SEED, COMMISSIONING_CYCLES);
    let axes = plan.params.len();
    let map = ObjectMap::new(machine).expect("the machine has process data");
    let wire = Wire::new(machine, &map).expect("the drives map what a reading needs");
    let mut image = map.image();
    let mut state = plan.state();
    let mut pipeline = plan.pipeline(&mut state);
    let mut queue: Queue<Event, EVENT_QUEUE> = Queue::new();
    let (mut producer, mut consumer) = queue.split();
    let mut axis_readings = vec![Err(Missing::NoFrame); axes];
    let mut station_readings = vec![Err(Missing::NoFrame); machine.stations.len()];
    let mut latency = Figures::with_capacity(repeats);
    let clock = clock_cost_ns();

    let settled = 2 * u64::from(plan.plan().thresholds.settle_cycles);
    let every = (REST_CYCLES / axes as u64).max(4);
    let mut cycle = 0;
    while latency.count() < repeats {
        let stamp = CycleStamp {
            cycle,
            time_ns: cycle * machine.cycle.period_ns,
            dc_time_ns: 0,
        };
        pipeline.predict();
        fleet.next();
        wire.fill(
            &map,
            &mut image,
            &fleet.axis_readings,
            &fleet.station_readings,
        );
        let disturbed = if cycle > settled && cycle.is_multiple_of(every) {
            let axis = (cycle / every) as usize % axes;
            let jump = position_limit_m(&plan, axis).zip(fleet.axis_readings[axis].ok());
            if let Some((limit_m, reading)) = jump {
                wire.put_position(&mut image, axis, reading.position_m + JUMP * limit_m);
            }
            Some(axis)
        } else {
            None
        };
        // What the slow channel found in the last cycle is no part of this one's latency.
        while pipeline.take_event().is_some() {}
        if let (Some(pause), Some(_)) = (pause, disturbed) {
            std::thread::sleep(pause);
        }

        let start = monotonic_ns();
        map.read(&image, Ok(()), &mut axis_readings, &mut station_readings);
        let samples = Samples {
            axes: &axis_readings,
            stations: &station_readings,
            context: Context {
                recipe: image.recipe,
                part: image.part,
            },
            bus: Ok(()),
        };
        pipeline.compare(stamp, &samples);
        while let Some(event) = pipeline.take_event() {
            let _ = producer.enqueue(event);
        }
        let seen = consumer.peek().is_some();
        let took = (monotonic_ns() - start) as f64 - clock;

        if let Some(axis) = disturbed {
            let source = Source::Axis(axis as u16);
            let mut found = false;
            while let Some(event) = consumer.dequeue() {
                found |= event.source == source
                    && event.channel == Channel::PositionNext
                    && event.detector == Detector::FastLimit
                    && event.state == EventState::Raised;
            }
            assert!(
                seen && found,
                "cycle {cycle}: the jump of axis {axis} raised no event"
            );
            latency.push(took);
        }
        while consumer.dequeue().is_some() {}
        pipeline.correct(stamp, &samples);
        cycle += 1;
    }
    latency
}

/// The fast limit on the position of an axis (m).
fn position_limit_m(plan: &twinstep_host::plan::PlanStore, axis: usize) -> Option<f64> {
    plan.plan().axes.get(axis)?.limits[0]
}
