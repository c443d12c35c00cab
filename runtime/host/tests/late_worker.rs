//! A worker that is held up costs the cycle time: the overrun says which core it was, and nothing that is found changes.
#![allow(
    clippy::unwrap_used,
    reason = "a test fails by panicking, its helpers too"
)]

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use twinstep_config::machine::Machine;
use twinstep_cycle::setpoint::ProgramSource;
use twinstep_drivers::clock::Clock;
use twinstep_drivers::ethercat::EthercatBus;
use twinstep_drivers::link::in_process::InProcess;
use twinstep_drivers::object_map::ObjectMap;
use twinstep_drivers::segment::Segment;
use twinstep_host::clock::monotonic_ns;
use twinstep_host::crew::{Crew, Hiring, Hook};
use twinstep_host::names::{Names, RunInfo};
use twinstep_host::overruns::cause::{Kind, OverrunCause};
use twinstep_host::overruns::record::Causes;
use twinstep_host::overruns::sentry;
use twinstep_host::overruns::watcher::Watcher;
use twinstep_host::pacer::{Pace, Pacer};
use twinstep_host::phases::{PhaseSettings, PhaseStatistics, Timing};
use twinstep_host::plan::{self, PlanStore};
use twinstep_host::runner::{Flow, Outlets, Runner};
use twinstep_host::scribe::Scribe;
use twinstep_host::snapshot::{self, Control, Looks};
use twinstep_host::store::StoreWriter;
use twinstep_host::trust::Trust;

/// Core that the worker is said to be on.
const CORE: usize = 5;
/// Overruns of the wanted cause that a run goes on for.
const ENOUGH: u64 = 5;
/// Cycles that a run takes at least: the usual durations are known after a second.
const LEAST: u64 = 1_500;
/// Cycles after which a run has failed to provoke anything.
const AT_MOST: u64 = 60_000;
/// Sections between two that are held up.
const EVERY: u64 = 500;
/// For so long (ns).
const HELD_NS: u64 = 3_000_000;

struct Seen {
    cycles: u64,
    digest: u64,
    causes: Causes,
    records: String,
}

fn press_cell() -> Machine {
    let mut machine =
        twinstep_config::load(twinstep_config::PRESS_CELL, "press-cell.toml").unwrap();
    // Overruns alone are looked at.
    machine.cycle.budget_ns = [None; 9];
    machine
}

/// The press cell in real time, with a worker that `hook` may hold up, until `enough`.
fn run(hook: Option<Hook>, timing: Timing, mut enough: impl FnMut(u64, &Causes) -> bool) -> Seen {
    let machine = press_cell();
    let folder = tempfile::tempdir().unwrap();
    let plan = PlanStore::new(&machine);
    let info = Arc::new(RunInfo::new(Names::of(&machine), plan.hash(), 1.0, 0));
    let map = ObjectMap::new(&machine).unwrap();
    let store = StoreWriter::open(folder.path()).unwrap();
    let (events, scribe) = Scribe::start(store, Arc::clone(&info), Box::new(|_, _| {})).unwrap();
    let (snapshots, _receiver) = snapshot::channel(Looks::Never);
    let period_ns = machine.cycle.period_ns;
    let (sentry, post) = sentry::channel(period_ns);
    let watcher = Watcher::start(post, folder.path(), info).unwrap();
    let causes = watcher.causes();
    let outlets = Outlets {
        uadp: None,
        events,
        strokes: None,
        record: None,
        snapshots,
        control: Control::default(),
        commands: None,
        sentry: Some(sentry),
        health: None,
    };
    let segment = Segment::new(&machine, 1, 1).unwrap();
    let link = InProcess::new(segment, Clock::virtual_from(1_000_000_000));
    let bus = EthercatBus::bring_up(link, &machine).unwrap();
    let clock = bus.clock().clone();
    let pace = match timing {
        Timing::Real => Pace::Wall(clock),
        Timing::Virtual => Pace::Virtual(Some(clock)),
    };
    let pacer = Pacer::new(pace, period_ns, bus.next_cycle_ns());
    let phases = PhaseStatistics::new(&PhaseSettings {
        timing,
        period_ns,
        ..PhaseSettings::default()
    })
    .unwrap();
    let mut programs = plan::programs(&machine);
    let (stations, strokes) = (plan::station_programs(&machine), machine.stroke_contexts());
    let source = ProgramSource::new(
        &mut programs,
        &stations,
        &strokes,
        machine.axes.len(),
        period_ns as f64 / 1e9,
        plan::stop_ramp_s(&machine),
        true,
    );
    let workers = usize::from(hook.is_some());
    let hiring = Hiring {
        cores: vec![CORE; workers],
        real: None,
        hook,
    };
    let mut state = plan.state_for(workers + 1);
    let pipeline = plan.pipeline(&mut state);
    let source = Some(Box::new(source) as Box<_>);
    let trust = Trust::observe();
    let (cycles, digest) = std::thread::scope(|scope| {
        let (crew, _) = Crew::hire(scope, &hiring).unwrap();
        let mut runner =
            Runner::new(bus, pacer, map, pipeline, source, outlets, phases, trust).with_crew(crew);
        while !enough(runner.cycles(), &causes.get()) {
            assert_eq!(runner.cycle(), Flow::Next);
        }
        (runner.cycles(), runner.digest())
    });
    let causes = watcher.stop();
    scribe.stop(0).unwrap();
    let records = std::fs::read_to_string(folder.path().join("overruns.jsonl")).unwrap_or_default();
    Seen {
        cycles,
        digest,
        causes,
        records,
    }
}

#[test]
fn a_late_worker_is_named_and_the_run_goes_on() {
    let sections = AtomicU64::new(0);
    let hook: Hook = Arc::new(move |_| {
        if sections.fetch_add(1, Ordering::Relaxed) % EVERY == EVERY - 1 {
            let until_ns = monotonic_ns() + HELD_NS;
            while monotonic_ns() < until_ns {
                std::hint::spin_loop();
            }
        }
    });
    let cause = OverrunCause::ModelsOverBudget;
    // The record of an overrun names the worker that was held up. Cycles that only begin late after one have its cause, and no
    // worker; one that waited a little for it, and was long for another reason, is none of this test.
    let named = |record: &serde_json::Value| {
        let worker = &record["evidence"]["worker"];
        let late_ns = worker["late_ns"].as_u64().unwrap_or(0);
        let held_up = late_ns >= HELD_NS / 2 && Some(2 * late_ns) >= record["took_ns"].as_u64();
        record["cause"] == cause.name() && worker["core"] == CORE && held_up
    };
    let (mut found, mut counted) = (BTreeSet::new(), 0);
    let seen = run(Some(hook), Timing::Real, |cycles, causes| {
        let count = causes.count(Kind::Overrun, cause);
        // Only what is new is looked at: this, too, takes time between two cycles.
        let recent = causes.recent.iter().filter(|_| count > counted);
        for line in recent {
            if named(&serde_json::to_value(line).unwrap()) {
                found.insert(line.cycle);
            }
        }
        counted = count;
        cycles >= AT_MOST || (cycles >= LEAST && found.len() as u64 >= ENOUGH)
    });
    let named = |line: &&str| named(&serde_json::from_str(line).unwrap());
    let records: Vec<&str> = seen.records.lines().filter(named).collect();
    println!(
        "{} cycles, {:?}",
        seen.cycles,
        seen.causes.by_cause(Kind::Overrun)
    );
    assert!(records.len() as u64 >= ENOUGH, "{}", seen.records);
    for line in records {
        let record: serde_json::Value = serde_json::from_str(line).unwrap();
        let late_ns = record["evidence"]["worker"]["late_ns"].as_u64().unwrap();
        let phases = ["predict", "compare", "correct", "acyclic"];
        let phase = record["row"].as_str().unwrap();
        if record["follows"] == false {
            assert!(phases.contains(&phase), "{line}");
            let said = record["next_step"].as_str().unwrap();
            let words = format!(
                "The worker on core {CORE} finished {:.0} us late",
                late_ns as f64 / 1000.0
            );
            assert!(said.starts_with(&words), "{said}");
        }
    }
    // The same cycles without workers, and without haste.
    let alone = run(None, Timing::Virtual, |cycles, _| cycles == seen.cycles);
    assert_eq!(alone.digest, seen.digest);
}
