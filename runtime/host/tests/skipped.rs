//! Starts of cycles that were left out are no fault of the machine: its drives went on without set-points, and no twin knows
//! what they did meanwhile.
#![allow(
    clippy::unwrap_used,
    reason = "a test fails by panicking, its helpers too"
)]

use std::path::Path;
use std::sync::{Arc, Mutex};

use twinstep_config::fault::Fault;
use twinstep_config::machine::{ClockSource, CycleClock, Machine};
use twinstep_cycle::setpoint::ProgramSource;
use twinstep_drivers::clock::Clock;
use twinstep_drivers::ethercat::EthercatBus;
use twinstep_drivers::frame::{command, datagrams};
use twinstep_drivers::link::in_process::InProcess;
use twinstep_drivers::link::{Link, LinkError};
use twinstep_drivers::object_map::ObjectMap;
use twinstep_drivers::recording::{RecordingBus, Writer};
use twinstep_drivers::segment::Segment;
use twinstep_host::attached::{Attached, HostLink};
use twinstep_host::clock::OtherClock;
use twinstep_host::cycle_clock::Grid;
use twinstep_host::names::{Names, RunInfo};
use twinstep_host::pacer::{Pace, Pacer};
use twinstep_host::phases::{PhaseSettings, PhaseStatistics, Timing};
use twinstep_host::plan::{self, PlanStore};
use twinstep_host::recorder::Recorder;
use twinstep_host::runner::{Flow, Outlets, Runner};
use twinstep_host::scribe::Scribe;
use twinstep_host::snapshot::{self, Control, Looks};
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
    let (snapshots, _receiver) = snapshot::channel(Looks::Never);
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

/// SYNC0 pulses that frames with set-points came before: when each was due (ns), and how many came.
type Pulses = Arc<Mutex<Vec<(u64, u64)>>>;

/// Counts what comes to the segment between two of its SYNC0 pulses.
struct Counting {
    link: InProcess,
    pulses: Pulses,
    period_ns: u64,
}

impl Link for Counting {
    fn send(&mut self, frame: &[u8]) -> Result<(), LinkError> {
        let now_ns = self.link.clock().now_ns();
        let segment = self.link.segment_mut();
        segment.advance(now_ns);
        // Logical datagrams carry process data, and nothing else does.
        let logical = datagrams(frame).any(|datagram| datagram.command == command::LRW);
        if let Some(pulse_ns) = segment.next_pulse_ns(now_ns).filter(|_| logical) {
            let mut pulses = self.pulses.lock().unwrap();
            // Clocks are adjusted by some nanoseconds between two frames.
            match pulses.last_mut() {
                Some((at_ns, count)) if pulse_ns.abs_diff(*at_ns) < self.period_ns / 2 => {
                    *count += 1;
                }
                _ => pulses.push((pulse_ns, 1)),
            }
        }
        self.link.send(frame)
    }

    fn receive(&mut self, buffer: &mut [u8], deadline_ns: u64) -> Result<Option<usize>, LinkError> {
        self.link.receive(buffer, deadline_ns)
    }

    fn clock(&self) -> &Clock {
        self.link.clock()
    }

    fn start_of_operation(&mut self) {
        // What came before was for reaching OP.
        self.pulses.lock().unwrap().clear();
        self.link.start_of_operation();
    }
}

impl HostLink for Counting {}

/// On the simulated segment; as often as `skip` says the processor is away for so many periods after a cycle.
fn on_a_bus(record: Option<&Path>, skip: impl Fn(u64) -> u64) -> Seen {
    counted(record, None, |cycle| 1000 * skip(cycle)).0
}

/// The same in thousandths of a period, with what came before each SYNC0. With a drift the starts follow another clock, on which the
/// distributed clocks gain it (ppm) from OP on.
fn counted(
    record: Option<&Path>,
    drift_ppm: Option<i64>,
    skip: impl Fn(u64) -> u64,
) -> (Seen, Vec<(u64, u64)>) {
    let machine = press_cell();
    let period_ns = machine.cycle.period_ns;
    let mut segment = Segment::new(&machine, 1, 1).unwrap();
    if let Some(ppm) = drift_ppm {
        let fault = format!("clock_drift:bus:rate={ppm}ppm");
        let fault = Fault::parse(&fault, &machine).unwrap();
        segment.inject(&fault).unwrap();
    }
    let pulses = Pulses::default();
    let link = Counting {
        link: InProcess::new(segment, Clock::virtual_from(1_000_000_000)),
        pulses: Arc::clone(&pulses),
        period_ns,
    };
    let bus = EthercatBus::bring_up(link, &machine).unwrap();
    let clock = bus.clock().clone();
    let pace = Pace::Bus {
        clock: clock.clone(),
        shift_ns: machine.bus.as_ref().map(|bus| bus.frame_shift_ns),
    };
    let mut pacer = Pacer::new(pace, period_ns, bus.next_cycle_ns());
    if drift_ppm.is_some() {
        let asked = CycleClock {
            source: ClockSource::Tai,
            phase_ns: 0,
            follow: true,
        };
        let other = OtherClock::Virtual(clock.clone());
        pacer.hold_against(Grid::new(other, &asked, period_ns));
    }
    let seen = run(&machine, (bus, pacer), record, |cycle| {
        clock.wait_until_ns(clock.now_ns() + skip(cycle) * period_ns / 1000);
    });
    let pulses = pulses.lock().unwrap().clone();
    (seen, pulses)
}

/// Pauses of all lengths up to four periods, each long after the one before (thousandths of a period).
fn pause(cycle: u64) -> u64 {
    if cycle.is_multiple_of(50) { cycle } else { 0 }
}

/// Pulses that several frames with set-points came before.
fn doubled(pulses: &[(u64, u64)]) -> Vec<(u64, u64)> {
    let several = pulses.iter().filter(|(_, count)| *count > 1);
    several.copied().collect()
}

#[test]
fn two_set_points_never_come_in_one_sync0() {
    let (seen, pulses) = counted(None, None, pause);
    let doubled = doubled(&pulses);
    assert!(doubled.is_empty(), "{doubled:?}");
    assert_eq!(seen.events, Vec::<String>::new());
    // Some were left without any, and no more than the pauses were long.
    let (first_ns, last_ns) = (pulses[0].0, pulses.last().unwrap().0);
    let between = (last_ns - first_ns) / press_cell().cycle.period_ns + 1;
    let left_out = between - pulses.len() as u64;
    let longest: u64 = (1..CYCLES).map(|cycle| pause(cycle).div_ceil(1000)).sum();
    assert!(
        (40..=longest).contains(&left_out),
        "{left_out} of {longest}"
    );
}

#[test]
fn nor_where_the_starts_follow_another_clock() {
    for (drift_ppm, pauses) in [
        (-900, false),
        (-300, false),
        (300, false),
        (900, false),
        (-900, true),
        (300, true),
    ] {
        let skip = |cycle| if pauses { pause(cycle) } else { 0 };
        let (seen, pulses) = counted(None, Some(drift_ppm), skip);
        let context = format!("{drift_ppm} ppm, pauses {pauses}: {:?}", seen.events);
        let doubled = doubled(&pulses);
        assert!(doubled.is_empty(), "{context}: {doubled:?}");
        let frames = pulses.len() as u64;
        assert!(frames >= CYCLES, "{frames}: {context}");
        // Pulses on the clock that is followed, from the first frame to the last.
        let rate = (1_000_000 + drift_ppm).cast_unsigned();
        let pulse_ns = press_cell().cycle.period_ns * 1_000_000 / rate;
        let time_ns = pulses.last().unwrap().0 - pulses[0].0;
        let between = (time_ns + pulse_ns / 2) / pulse_ns + 1;
        let without = between.abs_diff(frames);
        // Slower clocks lose a period now and then, and one start is left out for it: every pulse has its frame all the same. Faster ones
        // have so many pulses more.
        let more = drift_ppm.max(0).cast_unsigned() * CYCLES / 1_000_000;
        if pauses {
            let longest: u64 = (1..CYCLES).map(|cycle| pause(cycle).div_ceil(1000)).sum();
            let most = longest + more + 1;
            assert!((40..=most).contains(&without), "{without}: {context}");
        } else {
            assert!(without.abs_diff(more) <= 1, "{without}: {context}");
        }
    }
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
