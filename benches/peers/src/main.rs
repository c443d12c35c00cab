//! Runners in Rust: `peers RUNNER SCENARIO BUDGET_MS [--trajectory FILE] [--fmu FILE] [--simd LEVEL]`.
//!
//! What `c/run.c` is for the runners in C: runs the scenario again and again until the budget is used up, prints the median
//! pass in ns per axis and cycle, then sums of what detectors and filters have come to, and writes all states of all cycles in one more run, which must end in the same state.

#![allow(
    clippy::disallowed_methods,
    reason = "this program measures time; the kernel it measures reads no clock"
)]

#[cfg(feature = "fmu")]
mod fmu;
mod ours;
mod rk4;
mod scenario;

use scenario::{Scenario, State};
use std::error::Error;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// Passes that a median is taken over, whatever the budget.
const PASSES_MIN: usize = 3;
/// Passes that are kept at most.
const PASSES_MAX: usize = 10_000;

/// One way of computing all axes.
trait Runner {
    /// Puts all axes at the scenario's start.
    fn start(&mut self, scenario: &Scenario) -> Result<(), Box<dyn Error>>;
    /// Computes cycle `k` of all axes.
    fn cycle(&mut self, scenario: &Scenario, k: usize) -> Result<(), Box<dyn Error>>;
    /// Tells the states of all axes.
    fn states(&mut self, states: &mut [State]) -> Result<(), Box<dyn Error>>;
    /// Sums over the axes of what else was computed; nothing for most.
    fn evidence(&self) -> Vec<f64> {
        Vec::new()
    }
}

struct Arguments {
    runner: String,
    scenario: PathBuf,
    budget: Duration,
    trajectory: Option<PathBuf>,
    fmu: Option<PathBuf>,
    simd: Option<String>,
}

const USAGE: &str =
    "expected RUNNER SCENARIO BUDGET_MS [--trajectory FILE] [--fmu FILE] [--simd LEVEL]";

fn parse(arguments: impl IntoIterator<Item = String>) -> Result<Arguments, Box<dyn Error>> {
    let mut arguments = arguments.into_iter();
    let mut positional = Vec::new();
    let (mut trajectory, mut fmu, mut simd) = (None, None, None);
    while let Some(argument) = arguments.next() {
        let mut value = || {
            arguments
                .next()
                .ok_or(format!("{argument} needs a value: {USAGE}"))
        };
        match argument.as_str() {
            "--trajectory" => trajectory = Some(PathBuf::from(value()?)),
            "--fmu" => fmu = Some(PathBuf::from(value()?)),
            "--simd" => simd = Some(value()?),
            option if option.starts_with("--") => {
                return Err(format!("unknown {option}: {USAGE}").into());
            }
            _ => positional.push(argument),
        }
    }
    let [runner, scenario, budget_ms] = positional.try_into().map_err(|_| USAGE)?;
    let budget_ms: u64 = budget_ms
        .parse()
        .map_err(|_| format!("BUDGET_MS is {budget_ms}, not a whole number: {USAGE}"))?;
    Ok(Arguments {
        runner,
        scenario: PathBuf::from(scenario),
        budget: Duration::from_millis(budget_ms),
        trajectory,
        fmu,
        simd,
    })
}

fn runner(arguments: &Arguments, axes: usize) -> Result<Box<dyn Runner>, Box<dyn Error>> {
    let level = arguments.simd.as_deref();
    match arguments.runner.as_str() {
        "rk4" => Ok(Box::new(rk4::Rk4::default())),
        "ours" => Ok(Box::new(ours::Ours::new(axes, level, false)?)),
        "ours-full" => Ok(Box::new(ours::Ours::new(axes, level, true)?)),
        #[cfg(feature = "fmu")]
        "fmi" => {
            let path = arguments.fmu.as_deref().ok_or("fmi needs --fmu FILE")?;
            Ok(Box::new(fmu::Fmu::new(path, axes)?))
        }
        #[cfg(not(feature = "fmu"))]
        "fmi" => Err(format!(
            "built without the runner fmi, so {:?} cannot be run: build with --features fmu",
            arguments.fmu
        )
        .into()),
        other => Err(format!("no runner {other}: there are rk4, ours, ours-full and fmi").into()),
    }
}

fn run() -> Result<(), Box<dyn Error>> {
    let arguments = parse(std::env::args().skip(1))?;
    let scenario = Scenario::read(&arguments.scenario)?;
    let mut runner = runner(&arguments, scenario.axes)?;
    let steps = (scenario.axes * scenario.cycles) as f64;
    let mut passes = Vec::with_capacity(PASSES_MAX);
    let begin = Instant::now();
    while passes.len() < PASSES_MIN
        || (passes.len() < PASSES_MAX && begin.elapsed() < arguments.budget)
    {
        runner.start(&scenario)?;
        let before = Instant::now();
        for k in 0..scenario.cycles {
            runner.cycle(&scenario, k)?;
        }
        passes.push(before.elapsed().as_nanos() as f64 / steps);
    }
    let mut last = vec![[0.0; scenario::STATES]; scenario.axes];
    runner.states(&mut last)?;
    passes.sort_by(f64::total_cmp);
    println!("{:.3}", passes[passes.len() / 2]);
    for sum in runner.evidence() {
        println!("{sum:.17e}");
    }

    if let Some(path) = &arguments.trajectory {
        let mut file = std::io::BufWriter::new(std::fs::File::create(path)?);
        let mut states = vec![[0.0; scenario::STATES]; scenario.axes];
        runner.start(&scenario)?;
        for k in 0..scenario.cycles {
            runner.cycle(&scenario, k)?;
            runner.states(&mut states)?;
            for value in states.as_flattened() {
                file.write_all(&value.to_le_bytes())?;
            }
        }
        file.flush()?;
        if states != last {
            return Err("the measured run did not end as the written one".into());
        }
    }
    Ok(())
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => {
            eprintln!("peers: {reason}");
            ExitCode::from(2)
        }
    }
}
