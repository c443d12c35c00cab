//! ns per axis and cycle: predict, compare, correct and all of it, on axes in motion, every channel and detector on.
//!
//! The functions measured are those that the cycle thread calls. Samples are made between the batches; a batch is measured
//! either as a whole or in laps, in turn, so that the sum of the laps can be held against the whole.

use std::process::ExitCode;
use twinstep_benches::after_sleep::after_sleep;
use twinstep_benches::arguments::{Mode, Rows};
use twinstep_benches::callgrind::collected;
use twinstep_benches::commission::commission;
use twinstep_benches::environment;
use twinstep_benches::figures::{Figures, clock_cost_ns};
use twinstep_benches::fleet::Fleet;
use twinstep_benches::rig::{Readings, Rig, next_readings};
use twinstep_benches::tally::Tally;
use twinstep_benches::{machines, memory, rk4, sizes};
use twinstep_config::machine::{Machine, OperationMode};
use twinstep_host::clock::monotonic_ns;
use twinstep_host::plan::PlanStore;
use twinstep_host::simd;
use twinstep_models::channel::Regime;
use twinstep_models::simd::Level;

/// Seed of machines, noise and start phases.
const SEED: u64 = 1;
/// Cycles of the commissioning run: several movements of every axis.
const COMMISSIONING_CYCLES: u64 = 6000;
/// Readings that a batch holds: they must not push the pipeline's own state out of the cache.
const BATCH_READINGS: usize = 2048;
/// Cycles that are slept before.
const SLEEPING_CYCLES: usize = 3000;
/// What is aimed at (ns per axis): after the sleep, with warm caches on two units, for a press alone.
const SLEEPING_NS: f64 = 60.0;
const HOT_AVX512_NS: f64 = 15.0;
const HOT_AVX2_NS: f64 = 30.0;
const PRESS_NS: f64 = 80.0;
/// Rows whose instructions are counted: axes, and cycles, of presses four strokes.
const COUNTED: [(&str, usize, u64); 5] = [
    ("100", 100, 2000),
    ("100 csv", 100, 2000),
    ("100 cst", 100, 2000),
    ("press alone", 1, 9972),
    ("crank alone", 1, 9840),
];

fn main() -> ExitCode {
    let mode = Mode::from_process();
    let known = match mode {
        Mode::Instructions | Mode::Counted => Rows::from_process().known(COUNTED.map(|row| row.0)),
        _ => Rows::from_process().known(TABLE.map(|row| row.0)),
    };
    if let Err(refused) = known {
        eprintln!("{refused}");
        return ExitCode::FAILURE;
    }
    match mode {
        Mode::List => Mode::list(),
        Mode::Measure => measure_all(),
        Mode::Smoke => {
            let (plan, fleet) = commission(&mut machines::many_axes(8, SEED), SEED, 1500);
            assert_eq!(after_sleep(&plan, fleet.clone(), 3).count(), 3);
            let row = measure("smoke", &plan, fleet, 1500, false);
            println!(
                "{} events, {:.0} ns per axis and cycle",
                row.events, row.whole
            );
            for mode in [OperationMode::Velocity, OperationMode::Torque] {
                let mut machine = machines::many_axes(8, SEED);
                machines::tell(&mut machine, mode, |n| n % 2 == 0);
                let (plan, fleet) = commission(&mut machine, SEED, 4000);
                measure("smoke", &plan, fleet, 1500, false);
            }
            sizes::print();
        }
        Mode::Counted => {
            let asked = Rows::from_process();
            for (name, _, cycles) in COUNTED.iter().filter(|(name, ..)| asked.has(name)) {
                for (_, commissioned, _) in TABLE.iter().filter(|row| row.0 == *name) {
                    count(&commissioned(), *cycles);
                }
            }
        }
        Mode::Instructions => return instructions(),
    }
    ExitCode::SUCCESS
}

/// A machine in motion, with the plan that watches it.
type Commissioned = (PlanStore, Fleet);

fn many(axes: usize) -> Commissioned {
    commission(
        &mut machines::many_axes(axes, SEED),
        SEED,
        COMMISSIONING_CYCLES,
    )
}

/// Axes that are told a velocity or a torque have steps of their own; a lane in several modes puts its columns together.
fn told(mode: OperationMode, which: fn(usize) -> bool) -> Commissioned {
    let mut machine = machines::many_axes(100, SEED);
    machines::tell(&mut machine, mode, which);
    commission(&mut machine, SEED, COMMISSIONING_CYCLES)
}

fn cell(mut machine: Machine) -> Commissioned {
    commission(&mut machine, SEED, 2 * COMMISSIONING_CYCLES)
}

/// A row: its name, what makes its machine, and for how many cycles it is measured.
type Line = (&'static str, fn() -> Commissioned, usize);

/// The rows: what is measured, and for how many cycles.
const TABLE: [Line; 11] = [
    ("8", || many(8), 40_000),
    ("100", || many(100), 20_000),
    ("1000", || many(1000), 6000),
    (
        "100 csv",
        || told(OperationMode::Velocity, |_| true),
        20_000,
    ),
    ("100 cst", || told(OperationMode::Torque, |_| true), 20_000),
    (
        "1 of 100 csv",
        || told(OperationMode::Velocity, |n| n == 50),
        20_000,
    ),
    ("press cell", || cell(machines::press_cell()), 40_000),
    ("press alone", || cell(machines::press_alone()), 40_000),
    (
        "8 presses",
        || cell(machines::line(machines::press_alone(), 8)),
        40_000,
    ),
    ("crank alone", || cell(machines::crank_alone()), 40_000),
    (
        "8 cranks",
        || cell(machines::line(machines::crank_alone(), 8)),
        40_000,
    ),
];

/// Medians over the batches (ns per axis and cycle).
struct Row {
    name: String,
    level: Level,
    axes: usize,
    cycles: u64,
    predict: f64,
    compare: f64,
    correct: f64,
    whole: f64,
    whole_p99: f64,
    track: f64,
    tally: Tally,
    events: u64,
    digest: u64,
}

fn measure_all() {
    println!("{}\n", environment::describe());
    let asked = Rows::from_process();
    if asked.all() {
        sleeping(&many(100));
    }
    let mut rows: Vec<Row> = Vec::new();
    for (name, commissioned, cycles) in TABLE {
        if !asked.has(name) {
            continue;
        }
        let (plan, fleet) = commissioned();
        for level in simd::available() {
            let (plan, fleet) = (plan.clone().on(level), fleet.clone());
            // The press does all that axes do only among axes.
            let check = plan.params.len() > 1;
            let row = measure(name, &plan, fleet, cycles, check);
            let before = rows.last().filter(|before| before.name == name);
            assert!(
                before.is_none_or(|before| before.digest == row.digest),
                "{name}: {} gives other bits than the level before it",
                level.name()
            );
            rows.push(row);
        }
    }
    println!("caches warm: ns per axis and cycle, medians over batches; health is tracked apart");
    println!(
        "{:<14}{:<10}{:>8}{:>9}{:>9}{:>8}{:>11}{:>10}{:>9}{:>8}",
        "axes",
        "SIMD",
        "predict",
        "compare",
        "correct",
        "whole",
        "whole p99",
        "us/cycle",
        "track",
        "cycles"
    );
    for r in &rows {
        let us = r.whole * r.axes as f64 / 1000.0;
        println!(
            "{:<14}{:<10}{:>8.1}{:>9.1}{:>9.1}{:>8.1}{:>11.1}{us:>10.2}{:>9.1}{:>8}",
            r.name,
            r.level.name(),
            r.predict,
            r.compare,
            r.correct,
            r.whole,
            r.whole_p99,
            r.track,
            r.cycles
        );
    }
    println!("(the press cell is 9 axes and a station; a crank has the mass of its ram)");
    for level in simd::available().into_iter().filter(|_| asked.all()) {
        let whole = |name: &str| {
            let row = rows.iter().find(|r| r.name == name && r.level == level);
            row.map_or(f64::NAN, |r| r.whole)
        };
        let hundred = whole("100");
        println!(
            "whole of 100 axes all in CSP 1.00, {}: 1000 axes {:.2}, all in CSV {:.2}, all in CST {:.2}, one in CSV {:.2}",
            level.name(),
            whole("1000") / hundred,
            whole("100 csv") / hundred,
            whole("100 cst") / hundred,
            whole("1 of 100 csv") / hundred
        );
    }
    println!(
        "targets: 100 axes {HOT_AVX512_NS} with AVX-512, {HOT_AVX2_NS} with AVX2; press alone {PRESS_NS}\n"
    );
    if asked.all() {
        sizes::print();
        for level in simd::available() {
            println!(
                "reading the hot bytes of 100 axes and nothing else, {}: {:.1} ns per axis",
                level.name(),
                memory::read_ns(100, level)
            );
        }
        println!();
    }

    println!(
        "axis cycles by regime, and movements judged by feature, in the quarter of the cycles that was looked at"
    );
    for r in rows.iter().filter(|r| r.level == Level::PORTABLE) {
        let regimes: Vec<String> = Regime::ALL
            .iter()
            .map(|g| format!("{} {}", g.name(), r.tally.regimes[*g as usize]))
            .collect();
        println!(
            "{:<14}{}; features {:?}; events {}; digest {:016x} at all levels",
            r.name,
            regimes.join(", "),
            r.tally.features,
            r.events,
            r.digest
        );
    }

    if !asked.all() {
        return;
    }
    let yardstick = yardstick();
    println!(
        "\npeer on one axis step: cascade, current lag, tanh friction, RK4 in 4 substeps, scalar Rust, 100 axes"
    );
    println!("RK4 {yardstick:.1} ns per axis step");
    if let Some(r) = rows.iter().rfind(|r| r.name == "100") {
        println!(
            "RK4 / predict {:.1}, RK4 / whole pipeline {:.1}, {}",
            yardstick / r.predict,
            yardstick / r.whole,
            r.level.name()
        );
    }
}

/// The first figure: what a cycle costs that begins when the thread wakes up.
fn sleeping((plan, fleet): &(PlanStore, Fleet)) {
    println!(
        "inside a 1 ms cycle, after the sleep: predict + compare + correct, 100 axes, ns per axis"
    );
    println!("{:<12}{:>9}{:>9}{:>9}", "SIMD", "median", "p99", "cycles");
    for level in simd::available() {
        let plan = plan.clone().on(level);
        let figures = after_sleep(&plan, fleet.clone(), SLEEPING_CYCLES);
        println!(
            "{:<12}{:>9.1}{:>9.1}{:>9}",
            level.name(),
            figures.median(),
            figures.quantile(0.99),
            figures.count()
        );
    }
    println!("target: {SLEEPING_NS}\n");
}

fn measure(name: &str, plan: &PlanStore, mut fleet: Fleet, cycles: usize, check: bool) -> Row {
    let axes = plan.params.len();
    let mut state = plan.state();
    let mut bench = Rig::new(plan.pipeline(&mut state));
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
    let batches = (cycles / batch.len()).max(4);
    let mut laps: [Figures; 4] = std::array::from_fn(|_| Figures::with_capacity(batches));
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
                let mut sums = [0; 4];
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
                    bench.track();
                    lap(&mut sums[3]);
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
    // One may be settling just then.
    let judged = (0..axes).filter(|n| bench.pipeline.judged(*n)).count();
    assert!(
        10 * judged >= 9 * axes,
        "{name}: {judged} of {axes} axes were judged"
    );
    if check {
        tally.check(name);
    }
    let [predict, compare, correct, track] = laps.map(|figures| figures.median());
    Row {
        name: name.to_owned(),
        level: plan.plan().level,
        axes,
        cycles: (batches * batch.len()) as u64,
        predict,
        compare,
        correct,
        whole: whole.median(),
        whole_p99: whole.quantile(0.99),
        track,
        tally,
        events,
        digest: bench.pipeline.digest(),
    }
}

/// The scalar scheme on 100 axes in motion (ns per axis step).
fn yardstick() -> f64 {
    const AXES: usize = 100;
    const CYCLES: u32 = 200;
    let plan = PlanStore::new(&machines::many_axes(AXES, SEED));
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
fn count((plan, fleet): &Commissioned, cycles: u64) {
    let mut fleet = fleet.clone();
    let mut state = plan.state();
    let mut bench = Rig::new(plan.pipeline(&mut state));
    let mut readings = (fleet.axis_readings.clone(), fleet.station_readings.clone());
    for _ in 0..cycles {
        next_readings(&mut fleet, &mut readings);
        bench.whole(&readings);
        bench.events();
    }
}

/// Runs this program under callgrind, once a phase and row, and prints instructions per axis and cycle.
fn instructions() -> ExitCode {
    println!(
        "{}\n\ninstructions per axis and cycle\n{:<14}{:>8}{:>9}{:>9}{:>8}",
        environment::describe(),
        "axes",
        "predict",
        "compare",
        "correct",
        "whole"
    );
    let asked = Rows::from_process();
    for (name, axes, cycles) in COUNTED.iter().filter(|(name, ..)| asked.has(name)) {
        let mut each = [0.0; 3];
        for (each, phase) in each.iter_mut().zip(["predict", "compare", "correct"]) {
            match collected(&format!("measured_{phase}"), &["--rows", name]) {
                Ok(count) => *each = count / (*axes as f64 * *cycles as f64),
                Err(reason) => {
                    eprintln!("{name}, {phase}: {reason}");
                    return ExitCode::FAILURE;
                }
            }
        }
        let [predict, compare, correct] = each;
        let whole: f64 = each.iter().sum();
        println!("{name:<14}{predict:>8.1}{compare:>9.1}{correct:>9.1}{whole:>8.1}");
    }
    ExitCode::SUCCESS
}
