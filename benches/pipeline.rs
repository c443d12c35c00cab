//! ns per axis and cycle: predict, compare, correct and all of it, on axes in motion, every channel and detector on.
//!
//! The functions measured are those that the cycle thread calls. Samples are made between the batches; a batch is measured
//! either as a whole or in laps, in turn, so that the sum of the laps can be held against the whole.

use heapless::spsc::Queue;
use std::process::ExitCode;
use twinstep_benches::arguments::Mode;
use twinstep_benches::callgrind::collected;
use twinstep_benches::commission::commission;
use twinstep_benches::environment;
use twinstep_benches::figures::{Figures, clock_cost_ns};
use twinstep_benches::fleet::Fleet;
use twinstep_benches::tally::Tally;
use twinstep_benches::{machines, rk4};
use twinstep_config::machine::Machine;
use twinstep_cycle::event::Event;
use twinstep_cycle::pipeline::Pipeline;
use twinstep_host::clock::monotonic_ns;
use twinstep_host::scribe::EVENT_QUEUE;
use twinstep_models::channel::Regime;
use twinstep_models::sample::{AxisReading, CycleStamp, Missing, Samples, StationReading};

/// Seed of machines, noise and start phases.
const SEED: u64 = 1;
/// Cycles of the commissioning run: several movements of every axis.
const COMMISSIONING_CYCLES: u64 = 6000;
/// Readings that a batch holds: they must not push the pipeline's own state out of the cache.
const BATCH_READINGS: usize = 2048;
/// Axes and cycles for counting instructions.
const COUNTED: (usize, u64) = (100, 2000);

type Readings = (
    Vec<Result<AxisReading, Missing>>,
    Vec<Result<StationReading, Missing>>,
);

fn main() -> ExitCode {
    match Mode::from_process() {
        Mode::List => Mode::list(),
        Mode::Measure => measure_all(1.0),
        Mode::Smoke => {
            let mut machine = machines::many_axes(8, SEED);
            let row = measure("smoke", &mut machine, 1500, 1500, false);
            println!(
                "{} events, {:.0} ns per axis and cycle",
                row.events, row.whole
            );
        }
        Mode::Counted => count(&mut machines::many_axes(COUNTED.0, SEED), COUNTED.1),
        Mode::Instructions => return instructions(),
    }
    ExitCode::SUCCESS
}

/// Medians over the batches (ns per axis and cycle).
struct Row {
    name: String,
    axes: usize,
    cycles: u64,
    predict: f64,
    compare: f64,
    correct: f64,
    whole: f64,
    whole_p99: f64,
    tally: Tally,
    events: u64,
}

fn measure_all(effort: f64) {
    println!("{}\n", environment::describe());
    let cycles = |n: u64| (n as f64 * effort) as u64;
    let mut rows = Vec::new();
    for (axes, run) in [(1, 40_000), (8, 40_000), (100, 20_000), (1000, 6000)] {
        let mut machine = machines::many_axes(axes, SEED);
        rows.push(measure(
            &axes.to_string(),
            &mut machine,
            COMMISSIONING_CYCLES,
            cycles(run),
            true,
        ));
    }
    rows.push(measure(
        "press cell",
        &mut machines::press_cell(),
        2 * COMMISSIONING_CYCLES,
        cycles(40_000),
        true,
    ));

    println!("ns per axis and cycle, medians over batches");
    println!(
        "{:<12}{:>9}{:>9}{:>9}{:>9}{:>11}{:>9}{:>9}",
        "axes", "predict", "compare", "correct", "whole", "whole p99", "us/cycle", "cycles"
    );
    for r in &rows {
        let us = r.whole * r.axes as f64 / 1000.0;
        println!(
            "{:<12}{:>9.1}{:>9.1}{:>9.1}{:>9.1}{:>11.1}{us:>9.2}{:>9}",
            r.name, r.predict, r.compare, r.correct, r.whole, r.whole_p99, r.cycles
        );
    }
    println!(
        "(one axis pays for its lane of eight; the press cell is 9 axes and a station, contact of the part included)\n"
    );

    println!(
        "axis cycles by regime, and movements judged by feature, in the quarter of the cycles that was looked at"
    );
    for r in &rows {
        let regimes: Vec<String> = Regime::ALL
            .iter()
            .map(|g| format!("{} {}", g.name(), r.tally.regimes[*g as usize]))
            .collect();
        println!(
            "{:<12}{}; features {:?}; events {}",
            r.name,
            regimes.join(", "),
            r.tally.features,
            r.events
        );
    }

    let yardstick = yardstick();
    println!(
        "\npeer on one axis step: cascade, current lag, tanh friction, RK4 in 4 substeps, scalar Rust, 100 axes"
    );
    println!("RK4 {yardstick:.1} ns per axis step");
    if let Some(r) = rows.iter().find(|r| r.axes == 100) {
        println!(
            "RK4 / predict {:.1}, RK4 / whole pipeline {:.1}",
            yardstick / r.predict,
            yardstick / r.whole
        );
    }
}

/// Everything that stands around the pipeline in the cycle thread.
struct Bench<'a> {
    pipeline: Pipeline<'a>,
    queue: Queue<Event, EVENT_QUEUE>,
    period_ns: u64,
    cycle: u64,
}

impl Bench<'_> {
    fn stamp(&self) -> CycleStamp {
        CycleStamp {
            cycle: self.cycle,
            time_ns: self.cycle * self.period_ns,
            dc_time_ns: 0,
        }
    }

    // Never inlined: callgrind counts by function.
    #[inline(never)]
    fn measured_predict(&mut self) {
        self.pipeline.predict();
    }

    #[inline(never)]
    fn measured_compare(&mut self, readings: &Readings) {
        let stamp = self.stamp();
        self.pipeline.compare(stamp, &samples(readings));
        while let Some(event) = self.pipeline.take_event() {
            // What does not fit is counted by the host; here the queue is emptied after every batch.
            let _ = self.queue.enqueue(event);
        }
    }

    #[inline(never)]
    fn measured_correct(&mut self, readings: &Readings) {
        let stamp = self.stamp();
        self.pipeline.correct(stamp, &samples(readings));
        self.cycle += 1;
    }

    fn whole(&mut self, readings: &Readings) {
        self.measured_predict();
        self.measured_compare(readings);
        self.measured_correct(readings);
    }

    fn events(&mut self) -> u64 {
        let mut events = 0;
        while self.queue.dequeue().is_some() {
            events += 1;
        }
        events
    }
}

fn samples(readings: &Readings) -> Samples<'_> {
    Samples {
        axes: &readings.0,
        stations: &readings.1,
        context: Default::default(),
        bus: Ok(()),
    }
}

fn next_readings(fleet: &mut Fleet, readings: &mut Readings) {
    fleet.next();
    readings.0.copy_from_slice(&fleet.axis_readings);
    readings.1.copy_from_slice(&fleet.station_readings);
}

fn measure(name: &str, machine: &mut Machine, commissioning: u64, cycles: u64, check: bool) -> Row {
    let (plan, mut fleet) = commission(machine, SEED, commissioning);
    let axes = plan.params.len();
    let mut state = plan.state();
    let pipeline = plan.pipeline(&mut state);
    let mut bench = Bench {
        pipeline,
        queue: Queue::new(),
        period_ns: machine.cycle.period_ns,
        cycle: 0,
    };
    let mut batch: Vec<Readings> = Vec::new();
    batch.resize(
        (BATCH_READINGS / axes).clamp(2, 64),
        (fleet.axis_readings.clone(), fleet.station_readings.clone()),
    );
    // Warm-up: until everything is judged.
    for _ in 0..2 * plan.plan().thresholds.settle_cycles {
        next_readings(&mut fleet, &mut batch[0]);
        bench.whole(&batch[0]);
    }
    bench.events();

    let clock = clock_cost_ns();
    let batches = (cycles as usize / batch.len()).max(4);
    let mut laps: [Figures; 3] = std::array::from_fn(|_| Figures::with_capacity(batches));
    let mut whole = Figures::with_capacity(batches);
    let mut tally = Tally::default();
    let mut events = 0;
    let per_axis = |ns: f64| ns / (axes * batch.len()) as f64;
    let mut next: Vec<Readings> = batch.clone();
    for n in 0..batches {
        for readings in &mut next {
            next_readings(&mut fleet, readings);
        }
        match n % 4 {
            0 | 2 => {
                let start = monotonic_ns();
                for readings in &next {
                    bench.whole(readings);
                }
                whole.push(per_axis((monotonic_ns() - start) as f64 - clock));
            }
            1 => {
                let mut sums = [0; 3];
                let mut before = monotonic_ns();
                let mut lap = |sum: &mut u64| {
                    let now = monotonic_ns();
                    *sum += now - before;
                    before = now;
                };
                for readings in &next {
                    bench.measured_predict();
                    lap(&mut sums[0]);
                    bench.measured_compare(readings);
                    lap(&mut sums[1]);
                    bench.measured_correct(readings);
                    lap(&mut sums[2]);
                }
                for (figures, sum) in laps.iter_mut().zip(sums) {
                    figures.push(per_axis(sum as f64 - clock * next.len() as f64));
                }
            }
            _ => {
                for readings in &next {
                    bench.whole(readings);
                    tally.look(&bench.pipeline);
                }
            }
        }
        events += bench.events();
    }
    assert_eq!(
        bench.pipeline.outbox.dropped(),
        0,
        "{name}: the outbox overflowed"
    );
    assert!(
        events <= 2 * axes as u64,
        "{name}: {events} events on a healthy machine: the alarms were measured"
    );
    if check {
        tally.check(name);
    }
    let [predict, compare, correct] = laps.map(|figures| figures.median());
    Row {
        name: name.to_owned(),
        axes,
        cycles: (batches * batch.len()) as u64,
        predict,
        compare,
        correct,
        whole: whole.median(),
        whole_p99: whole.quantile(0.99),
        tally,
        events,
    }
}

/// The scalar scheme on 100 axes in motion (ns per axis step).
fn yardstick() -> f64 {
    const AXES: usize = 100;
    const CYCLES: u32 = 200;
    let plan = twinstep_host::plan::PlanStore::new(&machines::many_axes(AXES, SEED));
    let mut axes: Vec<(rk4::Axis, rk4::State)> = plan
        .params
        .iter()
        .map(|p| (rk4::Axis::new(p), rk4::State::default()))
        .collect();
    let mut figures = Figures::with_capacity(50);
    let mut target_m = 0.0;
    for _ in 0..50 {
        let start = monotonic_ns();
        for _ in 0..CYCLES {
            let from_m = target_m;
            target_m += 0.2e-3;
            for (axis, state) in &mut axes {
                axis.advance(state, from_m, target_m, 0.0, 1.0e-3);
            }
        }
        figures.push((monotonic_ns() - start) as f64 / (AXES as f64 * f64::from(CYCLES)));
    }
    // The axes must have moved with their targets.
    assert!(
        axes.iter()
            .all(|(_, state)| (state.position_m - target_m).abs() < 0.01),
        "the yardstick stands still"
    );
    figures.median()
}

/// Runs so many cycles for callgrind, unmeasured.
fn count(machine: &mut Machine, cycles: u64) {
    let (plan, mut fleet) = commission(machine, SEED, COMMISSIONING_CYCLES / 2);
    let mut state = plan.state();
    let pipeline = plan.pipeline(&mut state);
    let mut bench = Bench {
        pipeline,
        queue: Queue::new(),
        period_ns: machine.cycle.period_ns,
        cycle: 0,
    };
    let mut readings = (fleet.axis_readings.clone(), fleet.station_readings.clone());
    for _ in 0..cycles {
        next_readings(&mut fleet, &mut readings);
        bench.whole(&readings);
        bench.events();
    }
}

/// Runs this program under callgrind, once a phase, and prints instructions per axis and cycle.
fn instructions() -> ExitCode {
    println!(
        "{}\n\ninstructions per axis and cycle, {} axes, {} cycles",
        environment::describe(),
        COUNTED.0,
        COUNTED.1
    );
    let mut sum = 0.0;
    for phase in ["predict", "compare", "correct"] {
        match collected(&format!("measured_{phase}")) {
            Ok(count) => {
                let each = count / (COUNTED.0 as f64 * COUNTED.1 as f64);
                sum += each;
                println!("{phase:<12}{each:>9.1}");
            }
            Err(reason) => {
                eprintln!("{phase}: {reason}");
                return ExitCode::FAILURE;
            }
        }
    }
    println!("{:<12}{sum:>9.1}", "whole");
    ExitCode::SUCCESS
}
