//! Starts of cycles that were left out are no fault of the machine: its drives went on without set-points, and no twin knows
//! what they did meanwhile.
#![allow(
    clippy::unwrap_used,
    reason = "a test fails by panicking, its helpers too"
)]

use std::path::Path;
use std::sync::{Arc, Mutex};

use twinstep_config::machine::Machine;
use twinstep_cycle::setpoint::ProgramSource;
use twinstep_drivers::clock::Clock;
use twinstep_drivers::ethercat::EthercatBus;
use twinstep_drivers::link::in_process::InProcess;
use twinstep_drivers::object_map::ObjectMap;
use twinstep_drivers::recording::{RecordingBus, Writer};
use twinstep_drivers::segment::Segment;
use twinstep_host::attached::Attached;
use twinstep_host::names::{Names, RunInfo};
use twinstep_host::pacer::{Pace, Pacer};
use twinstep_host::phases::{PhaseSettings, PhaseStatistics, Timing};
use twinstep_host::plan::{self, PlanStore};
use twinstep_host::recorder::Recorder;
use twinstep_host::runner::{Flow, Outlets, Runner};
use twinstep_host::scribe::Scribe;
use twinstep_host::snapshot::{self, Control};
use twinstep_host::store::StoreWriter;
use twinstep_host::trust::Trust;

/// Cycles of a run.
const CYCLES: u64 = 4000;

/// What a run came to.
#[derive(Debug, PartialEq)]
struct Seen {
    digest: u64,
    events: Vec<String>,
}

fn press_cell() -> Machine {
    twinstep_config::load(twinstep_config::PRESS_CELL, "press-cell.toml").unwrap()
}

/// Runs `machine` on `bus`. After every cycle `between` is told how many there were.
fn run<B: Attached>(
    machine: &Machine,
    (bus, pacer): (B, Pacer),
    record: Option<&Path>,
    between: impl Fn(u64),
) -> Seen {
    let folder = tempfile::tempdir().unwrap();
    let plan = PlanStore::new(machine);
    let info = Arc::new(RunInfo::new(Names::of(machine), plan.hash(), 1.0, 0));
    let map = ObjectMap::new(machine).unwrap();
    let told = Arc::new(Mutex::new(Vec::new()));
    let teller = Arc::clone(&told);
    let store = StoreWriter::open(folder.path()).unwrap();
    let announce = Box::new(move |record: &_, _: &str| {
        let record: &twinstep_host::lines::EventRecord = record;
        let text = format!(
            "{} {} {} {}: {}",
            record.cycle, record.source, record.channel, record.state, record.cause
        );
        teller.lock().unwrap().push(text);
    });
    let (events, scribe) = Scribe::start(store, info, announce).unwrap();
    let (record, recorder) = record
        .map(|path| {
            let writer = Writer::create(path, machine).unwrap();
            Recorder::start(Box::new(writer), &map.image()).unwrap()
        })
        .unzip();
    let (snapshots, _receiver) = snapshot::channel();
    let outlets = Outlets {
        uadp: None,
        events,
        strokes: None,
        record,
        snapshots,
        control: Control::default(),
        commands: None,
        sentry: None,
        health: None,
    };
    let phases = PhaseStatistics::new(&PhaseSettings {
        timing: Timing::Virtual,
        period_ns: machine.cycle.period_ns,
        ..PhaseSettings::default()
    })
    .unwrap();
    let mut programs = plan::programs(machine);
    let stations = plan::station_programs(machine);
    let strokes = machine.stroke_contexts();
    let source = ProgramSource::new(
        &mut programs,
        &stations,
        &strokes,
        machine.axes.len(),
        machine.cycle.period_ns as f64 / 1e9,
        plan::stop_ramp_s(machine),
        true,
    );
    let mut state = plan.state();
    let pipeline = plan.pipeline(&mut state);
    let source = Some(Box::new(source) as Box<_>);
    let trust = Trust::observe();
    let mut runner = Runner::new(bus, pacer, map, pipeline, source, outlets, phases, trust);
    while runner.cycles() < CYCLES && runner.cycle() == Flow::Next {
        between(runner.cycles());
    }
    let digest = runner.digest();
    drop(runner);
    scribe.stop(0).unwrap();
    recorder.map(Recorder::stop).transpose().unwrap();
    let events = told.lock().unwrap().clone();
    Seen { digest, events }
}

/// On the simulated segment; as often as `skip` says the processor is away for so many periods after a cycle.
fn on_a_bus(record: Option<&Path>, skip: impl Fn(u64) -> u64) -> Seen {
    let machine = press_cell();
    let period_ns = machine.cycle.period_ns;
    let segment = Segment::new(&machine, 1, 1).unwrap();
    let link = InProcess::new(segment, Clock::virtual_from(1_000_000_000));
    let bus = EthercatBus::bring_up(link, &machine).unwrap();
    let clock = bus.clock().clone();
    let pacer = Pacer::new(Pace::Bus(clock.clone()), period_ns, bus.next_cycle_ns());
    run(&machine, (bus, pacer), record, |cycle| {
        clock.wait_until_ns(clock.now_ns() + skip(cycle) * period_ns);
    })
}

#[test]
fn starts_that_are_left_out_raise_nothing() {
    assert_eq!(on_a_bus(None, |_| 0).events, Vec::<String>::new());
    for periods in [1, 2, 5, 12] {
        // In the middle of all kinds of movements.
        let seen = on_a_bus(None, |cycle| {
            if cycle.is_multiple_of(700) {
                periods
            } else {
                0
            }
        });
        assert_eq!(seen.events, Vec::<String>::new(), "{periods} left out");
    }
}

#[test]
fn they_replay_to_the_bit() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.csv");
    let live = on_a_bus(Some(&path), |cycle| if cycle == 1500 { 4 } else { 0 });
    let machine = press_cell();
    let bus = RecordingBus::open(&path, &machine).unwrap();
    let pacer = Pacer::new(Pace::Virtual(None), machine.cycle.period_ns, 0);
    assert_ne!(live, on_a_bus(None, |_| 0), "something was left out");
    let replayed = run(&machine, (bus, pacer), None, |_| {});
    assert_eq!(live, replayed);
}
