//! The models of a large bus on one core and on several: us a cycle, side by side.
//!
//! The thread that measures and the workers are pinned and scheduled as a run does it. One core and several take turns, batch
//! by batch, so that what else goes on here meets both. What is measured is predict, compare and correct, barriers included.

use std::process::ExitCode;
use std::thread::Scope;
use twinstep_benches::arguments::Mode;
use twinstep_benches::commission::commission;
use twinstep_benches::figures::Figures;
use twinstep_benches::fleet::Fleet;
use twinstep_benches::rig::{Readings, Rig, next_readings};
use twinstep_benches::{environment, machines};
use twinstep_config::machine::Realtime;
use twinstep_cycle::pipeline::Pipeline;
use twinstep_host::clock::{monotonic_ns, sleep_until_ns};
use twinstep_host::crew::{Crew, Hiring};
use twinstep_host::plan::PlanStore;
use twinstep_host::realtime;

/// Seed of machines, noise and start phases.
const SEED: u64 = 1;
/// Cycles of the commissioning run.
const COMMISSIONING_CYCLES: u64 = 6000;
/// Sizes of the bus (axes).
const AXES: [usize; 3] = [100, 300, 1000];
/// Cycles of a batch.
const BATCH: usize = 16;
/// Batches of each number of cores.
const BATCHES: usize = 100;
/// Cycles that are slept before.
const SLEEPING_CYCLES: usize = 600;
/// Time between two of them (ns): the samples of a thousand axes are made in it too.
const PERIOD_NS: u64 = 2_000_000;

fn main() -> ExitCode {
    match Mode::from_process() {
        Mode::List => Mode::list(),
        Mode::Measure => measure_all(),
        Mode::Smoke | Mode::Counted | Mode::Instructions => smoke(),
    }
    ExitCode::SUCCESS
}

/// Several cores find what one finds; nothing is pinned or measured.
fn smoke() {
    let (plan, fleet) = commission(&mut machines::many_axes(24, SEED), SEED, 1500);
    let found = [0, 2].map(|workers| {
        let mut state = plan.state_for(workers + 1);
        let pipeline = plan.pipeline(&mut state);
        std::thread::scope(|scope| {
            let mut rig = rig(scope, pipeline, workers, false);
            let mut fleet = fleet.clone();
            let mut readings = (fleet.axis_readings.clone(), fleet.station_readings.clone());
            for _ in 0..500 {
                next_readings(&mut fleet, &mut readings);
                rig.whole(&readings);
                rig.events();
            }
            rig.pipeline.digest()
        })
    });
    assert_eq!(found[0], found[1], "one core and three");
    println!("digests of one core and three are equal");
}

fn rig<'scope, 'a: 'scope>(
    scope: &'scope Scope<'scope, '_>,
    pipeline: Pipeline<'a>,
    workers: usize,
    real: bool,
) -> Rig<'a> {
    let hiring = Hiring {
        // The thread that measures has the last one.
        cores: (0..workers).collect(),
        real: real.then(|| (Realtime::default(), PERIOD_NS, PERIOD_NS / 10)),
        hook: None,
    };
    match Crew::hire(scope, &hiring) {
        Ok((crew, granted)) => {
            if real && granted.granted < granted.asked {
                println!("{granted:?}: workers without a core or SCHED_FIFO");
            }
            Rig::new(pipeline).with_crew(crew)
        }
        Err(error) => panic!("{}", error.render(false)),
    }
}

fn measure_all() {
    println!("{}\n", environment::describe());
    // Asked before this thread is pinned.
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let trust = realtime::enter_beside();
    if !trust.sched_fifo {
        println!("no SCHED_FIFO: other programs are in these figures");
    }
    println!(
        "predict + compare + correct, us a cycle; hot: one cycle after the other; after the sleep: begun right after an absolute sleep"
    );
    println!(
        "{:<8}{:>6}{:>10}{:>9}{:>8}{:>16}{:>9}{:>8}",
        "axes", "cores", "hot", "p99", "ratio", "after sleep", "p99", "ratio"
    );
    for axes in AXES {
        let (plan, fleet) = commission(
            &mut machines::many_axes(axes, SEED),
            SEED,
            COMMISSIONING_CYCLES,
        );
        for workers in 1..cores.min(4) {
            let hot = side_by_side(&plan, &fleet, workers);
            let slept = [0, workers].map(|workers| after_sleep(&plan, fleet.clone(), workers));
            for (n, threads) in [1, workers + 1].into_iter().enumerate() {
                let ratio = |of: &[Figures; 2]| of[0].median() / of[n].median();
                println!(
                    "{axes:<8}{threads:>6}{:>10.2}{:>9.2}{:>8.2}{:>16.2}{:>9.2}{:>8.2}",
                    hot[n].median(),
                    hot[n].quantile(0.99),
                    ratio(&hot),
                    slept[n].median(),
                    slept[n].quantile(0.99),
                    ratio(&slept)
                );
            }
        }
    }
    if cores < 2 {
        println!("this computer has one core");
    }
}

/// Us a cycle on one core and on one more than `workers`, batches in turn.
fn side_by_side(plan: &PlanStore, fleet: &Fleet, workers: usize) -> [Figures; 2] {
    let (mut one, mut more) = (plan.state(), plan.state_for(workers + 1));
    let pipelines = [plan.pipeline(&mut one), plan.pipeline(&mut more)];
    let mut fleet = fleet.clone();
    let readings = (fleet.axis_readings.clone(), fleet.station_readings.clone());
    let mut batch: Vec<Readings> = vec![readings; BATCH];
    std::thread::scope(|scope| {
        let [one, more] = pipelines;
        let mut rigs = [rig(scope, one, 0, true), rig(scope, more, workers, true)];
        let mut figures: [Figures; 2] = std::array::from_fn(|_| Figures::with_capacity(BATCHES));
        for n in 0..BATCHES + BATCHES / 10 {
            for readings in &mut batch {
                next_readings(&mut fleet, readings);
            }
            for (rig, figures) in rigs.iter_mut().zip(&mut figures) {
                // Caches and workers are awake again.
                rig.rest_until(monotonic_ns());
                rig.whole(&batch[0]);
                let start_ns = monotonic_ns();
                for readings in &batch[1..] {
                    rig.whole(readings);
                }
                let took_ns = monotonic_ns() - start_ns;
                rig.events();
                // The first are for warming up.
                if n >= BATCHES / 10 {
                    figures.push(took_ns as f64 / 1000.0 / (BATCH - 1) as f64);
                }
            }
        }
        let [one, more] = rigs;
        assert_eq!(one.pipeline.digest(), more.pipeline.digest(), "bit for bit");
        figures
    })
}

/// Us a cycle that begins right after an absolute sleep; the workers rest as those of a run do.
fn after_sleep(plan: &PlanStore, mut fleet: Fleet, workers: usize) -> Figures {
    let mut state = plan.state_for(workers + 1);
    let pipeline = plan.pipeline(&mut state);
    std::thread::scope(|scope| {
        let mut rig = rig(scope, pipeline, workers, true);
        let mut readings = (fleet.axis_readings.clone(), fleet.station_readings.clone());
        let mut figures = Figures::with_capacity(SLEEPING_CYCLES);
        let mut start_ns = monotonic_ns();
        for _ in 0..SLEEPING_CYCLES {
            rig.events();
            start_ns = (start_ns + PERIOD_NS).max(monotonic_ns());
            rig.rest_until(start_ns);
            next_readings(&mut fleet, &mut readings);
            sleep_until_ns(start_ns);
            let begun_ns = monotonic_ns();
            rig.whole(&readings);
            figures.push((monotonic_ns() - begun_ns) as f64 / 1000.0);
        }
        figures
    })
}
