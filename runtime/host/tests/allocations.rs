//! After the start the cycle takes no memory: events, recorder, live view, segment and plant included.
#![allow(
    clippy::unwrap_used,
    reason = "a test fails by panicking, its helpers too"
)]
#![allow(unsafe_code)] // An allocator that counts is an allocator.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

use iceoryx2::node::NodeBuilder;
use iceoryx2::service::ipc;
use iceoryx2::service::service_name::ServiceName;
use twinstep_config::fault::Fault;
use twinstep_config::machine::{Controller, Machine, Shared};
use twinstep_cycle::controller::Phase as ControllerPhase;
use twinstep_cycle::setpoint::{ProgramSource, SetpointSource};
use twinstep_drivers::clock::Clock;
use twinstep_drivers::ethercat::EthercatBus;
use twinstep_drivers::link::in_process::InProcess;
use twinstep_drivers::object_map::ObjectMap;
use twinstep_drivers::recording::Writer;
use twinstep_drivers::recording::mcap::Description;
use twinstep_drivers::segment::Segment;
use twinstep_host::control::health::HealthBuffer;
use twinstep_host::control::queue::{self, Answer, Command};
use twinstep_host::control::status::StatusBuffer;
use twinstep_host::crew::{Crew, Hiring};
use twinstep_host::health::keeper;
use twinstep_host::names::{Names, RunInfo};
use twinstep_host::overruns::sentry;
use twinstep_host::pacer::{Pace, Pacer};
use twinstep_host::phases::{Phase, PhaseSettings, PhaseStatistics, Row, Timing};
use twinstep_host::plan::{self, PlanStore};
use twinstep_host::record::ring::Ring;
use twinstep_host::record::sinks::Sinks;
use twinstep_host::recorder::Recorder;
use twinstep_host::runner::{Flow, Outlets, Runner};
use twinstep_host::scribe::Scribe;
use twinstep_host::shared::{self, AxisState, AxisTarget, CycleHeader, RequestHeader};
use twinstep_host::snapshot::{self, Control, Looks};
use twinstep_host::store::StoreWriter;
use twinstep_host::strokes::{StrokeBoard, StrokeWriter};
use twinstep_host::trust::Trust;

/// Hands everything on to the system's allocator and counts per thread: other threads may take memory.
struct Counting;

thread_local! {
    static COUNT: Cell<u64> = const { Cell::new(0) };
}

fn count() -> u64 {
    COUNT.with(Cell::get)
}

fn add_one() {
    COUNT.with(|count| count.set(count.get() + 1));
}

// SAFETY: every call goes to the system's allocator unchanged; the counter is a plain value of the thread, made without
// the heap and never dropped.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        add_one();
        // SAFETY: the caller's promise is passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        add_one();
        // SAFETY: the caller's promise is passed on.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        add_one();
        // SAFETY: the caller's promise is passed on.
        unsafe { System.realloc(pointer, layout, new_size) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // Giving back is counted too: the heap's lock is what the cycle must not meet.
        add_one();
        // SAFETY: the pointer came from `System`, as the caller promises.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Deviations on every kind of source, while they are counted.
const FAULTS: [&str; 5] = [
    "friction:carriage:factor=1.5@1s",
    "leak:gripper:rate=10mbar/s@1s",
    "frame_loss:bus:count=3@2s",
    "wrong_part:press:part=bush-long@3s",
    "drive_fault:lift:code=0x2310@8s",
];

/// Resident memory that the threads beside the cycle may take on (kB): a page cache of SQLite that is still filling.
const GROWTH_KB: u64 = 1024;

/// What goes on beside the cycle.
struct Load {
    faults: &'static [&'static str],
    record: bool,
    /// Workers that share the models.
    workers: usize,
}

/// All that there is.
const EVERYTHING: Load = Load {
    faults: &FAULTS,
    record: true,
    workers: 0,
};

/// What a run did.
struct Seen {
    /// Calls of the heap in the cycle thread.
    calls: u64,
    /// The same in the workers, and sections that they did.
    workers: (u64, u64),
    events: usize,
    /// Resident memory of the process after each tenth of the cycles (kB).
    resident_kb: Vec<u64>,
}

/// Resident memory of this process (kB).
fn resident_kb() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status
        .lines()
        .find(|line| line.starts_with("VmRSS:"))
        .unwrap();
    line.split_ascii_whitespace()
        .nth(1)
        .unwrap()
        .parse()
        .unwrap()
}

/// Runs the press cell as a run does, and looks at `cycles` cycles (a multiple of ten) after `warm_up`.
fn heap_calls(
    machine: &Machine,
    pace: impl Fn(Clock) -> Pace,
    warm_up: u64,
    cycles: u64,
    load: Load,
) -> Seen {
    let folder = tempfile::tempdir().unwrap();
    let plan = PlanStore::new(machine);
    let info = Arc::new(RunInfo::new(
        Names::of(machine),
        plan.hash(),
        machine.judge.false_alarm_interval_s,
        0,
    ));
    let map = ObjectMap::new(machine).unwrap();
    let announced = Arc::new(Mutex::new(0));
    let counted = Arc::clone(&announced);
    let store = StoreWriter::open(folder.path()).unwrap();
    let board = StrokeBoard::of(machine);
    let (strokes, stroke_writer) =
        StrokeWriter::start(Arc::clone(&info), board.clone(), None).unwrap();
    let (events, scribe) = Scribe::start(
        store,
        Arc::clone(&info),
        Box::new(move |_, _| *counted.lock().unwrap() += 1),
    )
    .unwrap();
    let writer = Writer::create(folder.path().join("run.csv"), machine).unwrap();
    // The ring has the cycle copy checkpoints too. Nobody tells it of stored events here: its files are the recorder's work.
    let ring = Ring::new(
        machine,
        Description::default(),
        Arc::clone(&info),
        folder.path().join("events"),
        &map.image(),
        true,
    );
    let sinks = Sinks::new(Some(Box::new(writer)), ring);
    let (record, recorder) = Recorder::start(Box::new(sinks), &map.image()).unwrap();
    let record = load.record.then_some(record);
    let (snapshots, mut receiver) = snapshot::channel(Looks::Live);
    let (mut control, commands) = queue::channel();
    // Nobody takes what it hands over: its queues are bounded.
    let (sentry, _post) = sentry::channel(machine.cycle.period_ns);
    // Health is copied for the next run while it is counted.
    let first_ns = (warm_up + 10) * machine.cycle.period_ns;
    let (health, mut kept) = keeper::channel(&info.names, first_ns);
    let outlets = Outlets {
        uadp: None,
        events,
        strokes: Some(strokes),
        record,
        snapshots,
        control: Control::default(),
        commands: Some(commands),
        sentry: Some(sentry),
        health: Some(health),
    };

    let mut segment = Segment::new(machine, 1, 1).unwrap();
    for fault in load.faults {
        segment
            .inject(&Fault::parse(fault, machine).unwrap())
            .unwrap();
    }
    let link = InProcess::new(segment, Clock::virtual_from(1_000_000_000));
    let bus = EthercatBus::bring_up(link, machine).unwrap();
    let pace = pace(bus.clock().clone());
    let timing = if let Pace::Virtual(_) = pace {
        Timing::Virtual
    } else {
        Timing::Real
    };
    let pacer = Pacer::new(pace, machine.cycle.period_ns, bus.next_cycle_ns());
    let phases = PhaseStatistics::new(&PhaseSettings {
        timing,
        period_ns: machine.cycle.period_ns,
        budget_ns: machine.cycle.budget_ns,
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
    let mut moved = shared::Moved::of(machine);
    let settings = machine.shared.as_ref();
    let (outlet, controller) = shared::open(settings, machine, &mut moved, true).unwrap();
    let sender = controller.as_ref().map(|_| Sender::start(machine));
    let source: Box<dyn SetpointSource> = match controller {
        Some(controller) => Box::new(controller),
        None => Box::new(source),
    };
    let node = NodeBuilder::new().create::<ipc::Service>().unwrap();
    let subscriber = settings.map(|settings| {
        let name = format!("twinstep/{}/axes/1", settings.name);
        let service = node.service_builder(&ServiceName::new(&name).unwrap());
        let service = service.publish_subscribe::<[AxisState]>();
        let service = service.user_header::<CycleHeader>().open().unwrap();
        service.subscriber_builder().create().unwrap()
    });
    let mut state = plan.state_for(load.workers + 1);
    let pipeline = plan.pipeline(&mut state);
    // What the heap of a worker has seen when it begins a section, and how many it has begun.
    let (heap, begun) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let (seen, sections) = (Arc::clone(&heap), Arc::clone(&begun));
    let start = OnceLock::new();
    let hiring = Hiring {
        cores: (0..load.workers).collect(),
        real: None,
        hook: Some(Arc::new(move |_| {
            // What its thread took to start is not counted, even where the first section comes late.
            let first = *start.get_or_init(count);
            seen.store(count() - first, Ordering::Relaxed);
            sections.fetch_add(1, Ordering::Relaxed);
        })),
    };
    let read = || (heap.load(Ordering::Relaxed), begun.load(Ordering::Relaxed));
    let (calls, workers, resident_kb) = std::thread::scope(|scope| {
        let (crew, _) = Crew::hire(scope, &hiring).unwrap();
        let mut runner = Runner::new(
            bus,
            pacer,
            map,
            pipeline,
            Some(source),
            outlets,
            phases,
            Trust::observe(),
        )
        .with_crew(crew);
        if let Some(outlet) = outlet {
            runner.share(outlet);
        }

        for _ in 0..warm_up {
            assert_eq!(runner.cycle(), Flow::Next);
        }
        // What the control socket may ask for, made here; the cycle only passes it back.
        let fault = |text: &str| Box::new(Fault::parse(text, machine).unwrap());
        let (axes, stations) = (
            machine.axes.len() + machine.presses.len(),
            machine.stations.len(),
        );
        for command in [
            Command::Status(Box::new(StatusBuffer::new(axes, stations))),
            Command::Health(Box::new(HealthBuffer::of(&info.names))),
            Command::SetBudget {
                row: Row::Phase(Phase::Predict),
                budget_ns: Some(1),
            },
            Command::Inject(fault(&format!(
                "friction:{}:factor=1.1",
                machine.axes[0].name
            ))),
            Command::Inject(fault("frame_loss:bus:count=1")),
            Command::ClearFaults,
            Command::Arm,
            Command::Reset,
        ] {
            control.send(command).unwrap();
        }
        let (mut calls, mut resident_kb) = (0, Vec::with_capacity(10));
        let before = read();
        for _ in 0..10 {
            let before = count();
            for _ in 0..cycles / 10 {
                runner.cycle();
            }
            calls += count() - before;
            resident_kb.push(self::resident_kb());
        }
        let kept = kept.take().unwrap();
        let followed = info.names.followed_count();
        assert_eq!(kept.copied(), axes + stations + followed);
        let answers: Vec<_> = std::iter::from_fn(|| control.receive()).collect();
        assert!(answers.iter().any(|(_, answer)| {
            matches!(answer, Answer::Status(status) if status.axes.len() == axes)
        }));
        assert!(answers.iter().any(|(_, answer)| {
            matches!(answer, Answer::Health(health) if health.copied() == axes + stations + followed)
        }));
        assert_eq!(answers.len(), 8, "{answers:?}");
        assert_eq!(runner.cycles(), warm_up + cycles);
        assert!(receiver.newest().is_some(), "snapshots were taken");
        if let Some(subscriber) = &subscriber {
            let sample = subscriber.receive().unwrap().expect("the newest are there");
            assert!(sample.user_header().cycle > warm_up, "{sample:?}");
        }
        if let Some(sender) = sender {
            let sent = sender.stop();
            assert!(sent > 1, "{sent} requests");
            let counts = runner.shared_counts().unwrap();
            assert_eq!(counts.dropped, 0);
            let controller = counts.controller.unwrap();
            assert_eq!(controller.refused, 0, "{controller:?}");
            assert_ne!(
                controller.phase,
                ControllerPhase::Waiting,
                "requests were taken"
            );
        }
        let after = read();
        (calls, (after.0 - before.0, after.1 - before.1), resident_kb)
    });
    scribe.stop(0).unwrap();
    recorder.stop().unwrap();
    assert_eq!(stroke_writer.stop(), 0);
    // A controller of this test presses nothing, and a short run ends before the first stroke is judged.
    if machine.shared.is_none() && !machine.presses.is_empty() && cycles >= 10_000 {
        let last = board.lines().pop().expect("the press has pressed");
        let curve = board.curve(&last.source, None).unwrap();
        assert!(curve.position_m.len() > 100, "{curve:?}");
    }
    let announced = *announced.lock().unwrap();
    Seen {
        calls,
        workers,
        events: announced,
        resident_kb,
    }
}

/// A controller on a thread of its own: its heap is not the cycle's.
struct Sender {
    stop: Arc<AtomicBool>,
    thread: std::thread::JoinHandle<u64>,
}

impl Sender {
    /// The first request is sent when this returns.
    fn start(machine: &Machine) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let name = format!(
            "twinstep/{}/requests/1",
            machine.shared.as_ref().unwrap().name
        );
        let axes = machine.axes.len() + machine.presses.len();
        let (begun, first) = std::sync::mpsc::channel();
        let asked = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            let node = NodeBuilder::new().create::<ipc::Service>().unwrap();
            let service = node.service_builder(&ServiceName::new(&name).unwrap());
            let service = service.publish_subscribe::<[AxisTarget]>();
            let service = service.user_header::<RequestHeader>().open().unwrap();
            let publisher = service.publisher_builder().initial_max_slice_len(axes);
            let publisher = publisher.create().unwrap();
            let mut sent = 0;
            while !asked.load(Ordering::Relaxed) {
                // All answer the first cycle: the limit is long.
                let sample = publisher.loan_slice_uninit(axes).unwrap();
                let sample = sample.write_from_fn(|_| AxisTarget::default());
                sample.send().unwrap();
                sent += 1;
                if sent == 1 {
                    begun.send(()).unwrap();
                }
            }
            sent
        });
        first.recv().unwrap();
        Self { stop, thread }
    }

    /// Ends it. Returns how many requests it has sent.
    fn stop(self) -> u64 {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().unwrap()
    }
}

fn press_cell() -> Machine {
    let mut machine =
        twinstep_config::load(twinstep_config::PRESS_CELL, "press-cell.toml").unwrap();
    // Its strokes are followed, and copied with the rest.
    machine.presses[0].axis.health.gradient_factor = Some(0.8);
    machine
}

#[test]
fn ten_thousand_cycles_of_the_press_cell_leave_the_heap_alone() {
    let Seen { calls, events, .. } = heap_calls(
        &press_cell(),
        |clock| Pace::Virtual(Some(clock)),
        100,
        10_000,
        EVERYTHING,
    );
    // Otherwise the way of an event would be untested. Bus and drive at least.
    assert!(events >= 2, "{events} events");
    assert_eq!(calls, 0);
}

#[test]
fn sharing_with_a_subscriber_leaves_the_heap_alone() {
    let mut machine = press_cell();
    machine.shared = Some(Shared {
        name: format!("allocations-{}", std::process::id()),
        axes_every: 1,
        controller: None,
    });
    let pace = |clock| Pace::Virtual(Some(clock));
    let seen = heap_calls(&machine, pace, 100, 10_000, EVERYTHING);
    assert!(seen.events >= 2, "{} events", seen.events);
    assert_eq!(seen.calls, 0);
}

#[test]
fn a_controller_leaves_the_heap_alone() {
    let mut machine = press_cell();
    machine.shared = Some(Shared {
        name: format!("allocations-controller-{}", std::process::id()),
        axes_every: 1,
        controller: Some(Controller {
            liveness_cycles: 1_000_000,
        }),
    });
    let pace = |clock| Pace::Virtual(Some(clock));
    let seen = heap_calls(&machine, pace, 100, 10_000, EVERYTHING);
    assert_eq!(seen.calls, 0);
}

#[test]
fn real_time_leaves_the_heap_alone() {
    let Seen { calls, .. } = heap_calls(&press_cell(), Pace::Wall, 100, 500, EVERYTHING);
    assert_eq!(calls, 0);
}

#[test]
fn models_on_two_cores_leave_the_heap_alone() {
    for real in [false, true] {
        let pace = |clock| match real {
            false => Pace::Virtual(Some(clock)),
            true => Pace::Wall(clock),
        };
        let load = Load {
            workers: 1,
            ..EVERYTHING
        };
        let cycles = if real { 500 } else { 10_000 };
        let Seen { calls, workers, .. } = heap_calls(&press_cell(), pace, 100, cycles, load);
        let (theirs, sections) = workers;
        assert!(sections > 0, "the worker did nothing");
        assert_eq!((calls, theirs), (0, 0), "{sections} sections");
    }
}

#[test]
fn two_buses_side_by_side_leave_the_heap_alone() {
    let text = include_str!("../../../rt-config/machines/two-buses.toml");
    let machines = twinstep_config::load_buses(text, "two-buses.toml").unwrap();
    std::thread::scope(|scope| {
        let runs = machines.iter().map(|machine| {
            let load = Load {
                faults: &["frame_loss:bus:count=3@2s"],
                ..EVERYTHING
            };
            let pace = |clock| Pace::Virtual(Some(clock));
            scope.spawn(move || heap_calls(machine, pace, 100, 5_000, load))
        });
        let runs: Vec<_> = runs.collect();
        assert_eq!(runs.len(), 2);
        for run in runs {
            let seen = run.join().unwrap();
            assert!(seen.events > 0);
            assert_eq!(seen.calls, 0);
        }
    });
}

/// `scripts/soak` runs this over ten million cycles of a release build.
#[test]
fn memory_stays_as_it_is_over_a_long_run() {
    let cycles = std::env::var("TWINSTEP_SOAK_CYCLES").map_or(100_000, |cycles| {
        cycles
            .parse()
            .expect("TWINSTEP_SOAK_CYCLES is a number of cycles")
    });
    // The machine keeps moving, and a deviation comes and stays.
    let load = Load {
        faults: &[
            "friction:carriage:factor=1.5@1s",
            "leak:gripper:rate=10mbar/s@1s",
        ],
        record: false,
        workers: 0,
    };
    let pace = |clock| Pace::Virtual(Some(clock));
    let seen = heap_calls(&press_cell(), pace, 2_000, cycles, load);
    println!(
        "{cycles} cycles, {} heap calls in the cycle thread, {} events, resident {:?} kB",
        seen.calls, seen.events, seen.resident_kb
    );
    assert_eq!(seen.calls, 0);
    assert!(seen.events > 0);
    // The first fifth fills the caches of the store, whose thread may take memory.
    let (early, last) = (seen.resident_kb[1], seen.resident_kb[9]);
    assert!(last <= early + GROWTH_KB, "{:?} kB", seen.resident_kb);
}

#[test]
fn the_counter_counts() {
    let before = count();
    let mut bytes: Vec<u8> = Vec::with_capacity(std::hint::black_box(1));
    bytes.extend_from_slice(std::hint::black_box(&[1, 2, 3]));
    assert_eq!(
        count() - before,
        2,
        "one for the first byte, one for more room"
    );
    drop(bytes);
    assert_eq!(count() - before, 3);
    // Each thread has a count of its own.
    let before = count();
    let theirs = std::thread::scope(|scope| {
        let other = scope.spawn(|| {
            let before = count();
            drop(std::hint::black_box(vec![0_u8; 100]));
            count() - before
        });
        other.join().unwrap()
    });
    assert_eq!(theirs, 2);
    assert!(count() > before, "a thread is not started without the heap");
}
