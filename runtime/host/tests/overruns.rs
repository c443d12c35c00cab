//! Overruns are provoked for real, and their causes named.
//!
//! The press cell runs in real time, with its virtual bus, on one core. Trouble is made by a bus around the bus (frames, memory, a long
//! exchange) or by other threads (a core that is taken, a flood of packets). Each run goes on until enough was provoked, however long
//! that takes: nothing is judged by how long it took. Shares are those of the overruns that were provoked, known from what the test did and
//! when. Two need a figure of the record to tell: a flood is looked for in the time that the counts of the kernel are of, else in the cycle's
//! own, and a budget of models names its group itself. What the computer does by itself beside it is judged by its evidence alone.
#![allow(
    clippy::unwrap_used,
    reason = "a test fails by panicking, its helpers too"
)]
#![allow(unsafe_code)] // Pages are taken out of memory.

mod evidence;

use evidence::shares::{Share, share};
use evidence::{has_what_it_rests_on, only_name};
use std::net::UdpSocket;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use twinstep_config::machine::{Machine, SECOND_AXIS};
use twinstep_drivers::bus::{Bus, BusCause, BusCounters, BusFault, ProcessImage};
use twinstep_drivers::clock::Clock;
use twinstep_drivers::ethercat::EthercatBus;
use twinstep_drivers::link::in_process::InProcess;
use twinstep_drivers::object_map::ObjectMap;
use twinstep_drivers::segment::Segment;
use twinstep_host::attached::Attached;
use twinstep_host::clock::monotonic_ns;
use twinstep_host::names::{Names, RunInfo};
use twinstep_host::overruns::cause::{Kind, Outcome, OverrunCause};
use twinstep_host::overruns::record::{Causes, OverrunLine};
use twinstep_host::overruns::sentry;
use twinstep_host::overruns::watcher::Watcher;
use twinstep_host::pacer::{Pace, Pacer};
use twinstep_host::phases::{Group, PhaseSettings, PhaseStatistics, Timing};
use twinstep_host::plan::PlanStore;
use twinstep_host::runner::{Flow, Outlets, Runner};
use twinstep_host::scribe::Scribe;
use twinstep_host::snapshot::{self, Control, Looks};
use twinstep_host::store::StoreWriter;
use twinstep_host::trust::Trust;
use twinstep_models::sample::CycleStamp;

/// Cycles between two provocations: what one left behind is over.
const EVERY: u64 = 20;
/// Causes of the wanted kind that a run goes on for.
const ENOUGH: u64 = 20;
/// Cycles after which a run has failed to provoke anything.
const AT_MOST: u64 = 120_000;
/// The last part of a wait for the start of a cycle is spun, and is no longer than this (ns).
const SPUN_NS: u64 = 100_000;
/// Packets that are sent at a time, and so many a cycle are a flood: several times what is usual (4).
const BATCH: u64 = 64;
const FLOOD_A_CYCLE: u64 = 16;
/// Pages that are taken out of memory at a time.
const PAGES: usize = 1024;
const PAGE: usize = 4096;

/// The shortest period (ns), and the copies of the press cell's eight drives whose axes are too much for it: nearly as many as a bus takes.
const SHORT_NS: u64 = 31_250;
const CELLS: usize = 31;
/// Cycles until it is known what all phases usually take.
const KNOWN: u64 = 100;

/// What is done to the cycle from within.
#[derive(Clone, Copy, PartialEq)]
enum Trouble {
    None,
    /// Every so often the answer is waited for until after the period, in vain.
    Lost,
    /// Every so often a counter is wrong, and the answer late.
    Counter,
    /// Every so often the answer is late.
    Late,
    /// Every so often memory is touched that is not there.
    Fault,
    /// The exchange takes most of the period, always: the core is busy when somebody else wants it.
    Busy,
}

/// When the exchange of each cycle began (ns).
type Times = Arc<[AtomicU64]>;

struct Troubled<B> {
    bus: B,
    trouble: Trouble,
    period_ns: u64,
    cycles: u64,
    times: Times,
    memory: Vec<u8>,
    lost: u64,
}

/// Works until `until_ns`.
fn spin(until_ns: u64) {
    while monotonic_ns() < until_ns {
        std::hint::spin_loop();
    }
}

impl<B: Bus> Bus for Troubled<B> {
    fn exchange(
        &mut self,
        image: &mut ProcessImage,
        in_flight: &mut dyn FnMut(),
    ) -> Result<CycleStamp, BusFault> {
        let now_ns = monotonic_ns();
        if let Some(time) = self.times.get(self.cycles as usize) {
            time.store(now_ns, Ordering::Relaxed);
        }
        self.cycles += 1;
        let due = self.cycles.is_multiple_of(EVERY);
        let (trouble, memory) = (self.trouble, &mut self.memory);
        let result = self.bus.exchange(image, &mut || {
            in_flight();
            if due && trouble == Trouble::Fault {
                forget(memory);
                for page in memory.chunks_mut(PAGE) {
                    page[0] = page[0].wrapping_add(1);
                }
            }
        });
        let stamp = result?;
        match trouble {
            Trouble::Busy => spin(now_ns + self.period_ns * 3 / 4),
            Trouble::Lost | Trouble::Counter | Trouble::Late if due => {
                spin(now_ns + self.period_ns * 3 / 2);
            }
            _ => {}
        }
        let cause = match trouble {
            Trouble::Lost if due => {
                self.lost += 1;
                BusCause::NoFrame
            }
            Trouble::Counter if due => BusCause::WorkingCounter {
                expected: 3,
                actual: 2,
            },
            _ => return Ok(stamp),
        };
        Err(BusFault { stamp, cause })
    }

    fn acyclic(&mut self, budget: Duration) {
        self.bus.acyclic(budget);
    }

    fn phase_error_ns(&self) -> Option<i64> {
        self.bus.phase_error_ns()
    }

    fn counters(&self) -> BusCounters {
        BusCounters {
            lost: self.lost,
            ..self.bus.counters()
        }
    }
}

impl<B: Attached> Attached for Troubled<B> {
    fn plant_time_ns(&mut self) -> u64 {
        self.bus.plant_time_ns()
    }

    fn takes_outputs(&self) -> bool {
        false
    }
}

/// Takes whole pages of `memory` out: the next touch of each is a fault.
fn forget(memory: &mut [u8]) {
    let start = memory.as_mut_ptr().align_offset(PAGE);
    let whole = &mut memory[start..];
    let length = whole.len() / PAGE * PAGE;
    // SAFETY: the pages lie within a live, exclusively borrowed slice of bytes; private anonymous memory comes back as zeros.
    let told = unsafe { libc::madvise(whole.as_mut_ptr().cast(), length, libc::MADV_DONTNEED) };
    assert_eq!(told, 0, "{}", std::io::Error::last_os_error());
}

fn press_cell() -> Machine {
    let mut machine =
        twinstep_config::load(twinstep_config::PRESS_CELL, "press-cell.toml").unwrap();
    // Overruns alone are looked at, but for what a test sets itself.
    machine.cycle.budget_ns = [None; 9];
    machine
}

/// What a run has found.
struct Found {
    causes: Causes,
    /// What stands in its file.
    records: Vec<OverrunLine>,
    dumps: Vec<String>,
    /// The cycle came before whatever else ran on its core.
    alone: bool,
}

/// The names that are right for a record whose exchange began at that time (ns); none where it was not provoked.
type Expected<'a> = dyn Fn(&OverrunLine, u64) -> Option<Vec<OverrunCause>> + Sync + 'a;

/// What is done from within is done to every so many cycles.
fn is_due(record: &OverrunLine) -> bool {
    (record.cycle + 1).is_multiple_of(EVERY)
}

/// Counts records of a cause that is their own and was provoked: what follows from the cycle before says nothing new.
#[derive(Default)]
struct Own {
    last: Option<u64>,
    count: u64,
}

impl Own {
    /// How many there were until now.
    fn count(&mut self, causes: &Causes, is_one: impl Fn(&OverrunLine) -> bool) -> u64 {
        for record in &causes.recent {
            if self.last.is_none_or(|last| record.cycle > last) {
                self.last = Some(record.cycle);
                self.count += u64::from(!record.follows && is_one(record));
            }
        }
        self.count
    }
}

/// Runs on a virtual bus until `cause` was named often enough where it was provoked.
fn run(
    machine: &Machine,
    trouble: Trouble,
    wanted: (Kind, OverrunCause),
    expected: &Expected<'_>,
) -> Found {
    let segment = Segment::new(machine, 1, 1).unwrap();
    let link = InProcess::new(segment, Clock::virtual_from(1_000_000_000));
    let bus = EthercatBus::bring_up(link, machine).unwrap();
    let pacer = Pacer::new(
        Pace::Wall(bus.clock().clone()),
        machine.cycle.period_ns,
        bus.next_cycle_ns(),
    );
    run_on(machine, (bus, pacer), trouble, wanted, expected)
}

/// The same on `bus`.
fn run_on<B: Attached>(
    machine: &Machine,
    (bus, pacer): (B, Pacer),
    trouble: Trouble,
    (kind, cause): (Kind, OverrunCause),
    expected: &Expected<'_>,
) -> Found {
    let folder = tempfile::tempdir().unwrap();
    let plan = PlanStore::new(machine);
    let info = Arc::new(RunInfo::new(Names::of(machine), plan.hash(), 1.0, 0));
    let map = ObjectMap::new(machine).unwrap();
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
    let phases = PhaseStatistics::new(&PhaseSettings {
        timing: Timing::Real,
        period_ns,
        budget_ns: machine.cycle.budget_ns,
        model_budget_ns: machine.cycle.model_budget_ns,
        ..PhaseSettings::default()
    })
    .unwrap();
    let times: Times = (0..=AT_MOST).map(|_| AtomicU64::new(0)).collect();
    let expected = |record: &OverrunLine| {
        let begun = times.get(record.cycle as usize)?;
        expected(record, begun.load(Ordering::Relaxed)).filter(|_| record.kind == kind)
    };
    let bus = Troubled {
        bus,
        trouble,
        period_ns,
        cycles: 0,
        times: Arc::clone(&times),
        memory: vec![1; (PAGES + 1) * PAGE],
        lost: 0,
    };
    let mut state = plan.state();
    let pipeline = plan.pipeline(&mut state);
    let mut runner = Runner::new(
        bus,
        pacer,
        map,
        pipeline,
        None,
        outlets,
        phases,
        Trust::observe(),
    );
    // What is done from within is done to a cycle that nobody else disturbs, where that is allowed. Here, so that the threads that
    // look on stay ordinary ones.
    let by_others = matches!(trouble, Trouble::None | Trouble::Busy) && kind == Kind::Overrun;
    let alone = by_others || real_time(cores().next().unwrap(), 70);
    if !alone {
        let test = std::thread::current();
        skip(
            test.name().unwrap_or(cause.name()),
            "no SCHED_FIFO: how many of what was provoked are named right is not judged",
        );
    }
    let mut own = Own::default();
    let named = |record: &OverrunLine| record.cause == cause && expected(record).is_some();
    let mut enough = || own.count(&causes.get(), named) >= ENOUGH;
    // The usual durations are known after a second.
    while runner.cycles() < AT_MOST && !(runner.cycles() > 1000 && enough()) {
        assert_eq!(runner.cycle(), Flow::Next);
    }
    drop(runner);
    let causes = watcher.stop();
    scribe.stop(0).unwrap();
    let records = std::fs::read_to_string(folder.path().join("overruns.jsonl")).unwrap_or_default();
    let dumps = std::fs::read_dir(folder.path().join("overruns"));
    let dumps = dumps.into_iter().flatten();
    let found = Found {
        causes,
        records: (records.lines())
            .map(|line| serde_json::from_str(line).unwrap())
            .collect(),
        dumps: dumps
            .map(|dump| std::fs::read_to_string(dump.unwrap().path()).unwrap())
            .collect(),
        alone,
    };
    judge(&found, kind, &share(cause, found.records.iter(), expected));
    found
}

/// Provokes overruns until `cause` was named often enough.
fn provoke(trouble: Trouble, cause: OverrunCause) -> Found {
    let expected = move |record: &OverrunLine, _| is_due(record).then(|| vec![cause]);
    run(&press_cell(), trouble, (Kind::Overrun, cause), &expected)
}

/// Checks that every name rests on its evidence, that what allows one name alone has that one, and that of what was provoked most is named
/// right and next to nothing remains without a name.
fn judge(found: &Found, kind: Kind, share: &Share) {
    println!("{share}; in all {:?}", found.causes.by_cause(kind));
    let own = (found.records.iter()).filter(|record| record.kind == kind && !record.follows);
    for record in own {
        if record.cause == OverrunCause::Unknown {
            println!("{record:?}");
        }
        assert!(has_what_it_rests_on(record), "{record:?}");
        let only = only_name(record);
        assert!(only.is_none_or(|only| only == record.cause), "{record:?}");
    }
    assert!(share.right >= ENOUGH, "{share}");
    // Without the right to come first the computer holds the cycle up in whatever it does. In a flood the cycle is an ordinary thread, as
    // who sends is, and so is one that hardly ever sleeps, which would be throttled else: there nine of ten are not asked.
    let too_much = (Kind::Overrun, OverrunCause::ModelsOverBudget);
    let is_good = if share.cause == OverrunCause::Interrupts || (kind, share.cause) == too_much {
        10 * share.right >= 7 * share.provoked
    } else {
        share.is_good()
    };
    assert!(is_good || !found.alone, "{share}");
    assert!(20 * share.unknown <= share.provoked, "{share}");
}

/// What was done shows in the records of the cycles that it was done to, and in no others.
fn shows_where_it_was_done(
    found: &Found,
    cause: OverrunCause,
    shows: impl Fn(&OverrunLine) -> bool,
) {
    for record in found.records.iter().filter(|record| !record.follows) {
        assert_eq!(shows(record), is_due(record), "{record:?}");
        assert!(is_due(record) || record.cause != cause, "{record:?}");
    }
}

#[test]
fn a_lost_frame_is_named_recorded_and_dumped() {
    let found = provoke(Trouble::Lost, OverrunCause::LostFrame);
    // What the exchange says is decisive.
    let shows = |record: &OverrunLine| record.evidence.exchange == Outcome::NoFrame;
    shows_where_it_was_done(&found, OverrunCause::LostFrame, shows);
    let direct = (found.records.iter())
        .find(|record| record.cause == OverrunCause::LostFrame && !record.follows)
        .unwrap();
    assert_eq!(direct.row, "receive");
    assert!(direct.next_step.contains("cable"));
    assert!(direct.evidence.phases_ns["receive"] > 1_000_000);

    // A dump has the cycles before and after, and marks the one.
    assert!(found.causes.dumps > 0);
    let dump = &found.dumps[0];
    let rows: Vec<_> = dump.lines().skip(1).collect();
    assert!(dump.starts_with("cycle,wake_ns,send_ns,"), "{dump}");
    assert_eq!(rows.iter().filter(|row| row.ends_with(",1")).count(), 1);
    let cycle = |row: &&str| row.split(',').next().unwrap().parse::<u64>().unwrap();
    let cycles: Vec<u64> = rows.iter().map(cycle).collect();
    assert!(cycles.windows(2).all(|pair| pair[1] == pair[0] + 1));
    let marked = rows.iter().position(|row| row.ends_with(",1")).unwrap();
    assert!(
        marked > 0 && marked + 1 < rows.len(),
        "{marked} of {}",
        rows.len()
    );
}

#[test]
fn a_wrong_working_counter_is_named() {
    let found = provoke(Trouble::Counter, OverrunCause::WorkingCounter);
    let shows = |record: &OverrunLine| record.evidence.exchange == Outcome::WorkingCounter;
    shows_where_it_was_done(&found, OverrunCause::WorkingCounter, shows);
}

#[test]
fn a_late_answer_is_a_bus_round_trip() {
    provoke(Trouble::Late, OverrunCause::BusRoundTrip);
}

#[test]
fn memory_that_is_not_there_is_a_page_fault() {
    let found = provoke(Trouble::Fault, OverrunCause::PageFault);
    for record in found.records.iter().filter(|record| is_due(record)) {
        assert!(record.evidence.minor_faults >= PAGES as u64, "{record:?}");
    }
}

#[test]
fn a_group_of_models_over_its_budget_is_named() {
    let mut machine = press_cell();
    machine.cycle.model_budget_ns[Group::Servo as usize] = Some(100);
    let cause = OverrunCause::ModelsOverBudget;
    let of_the_group = |record: &OverrunLine, _| (record.row == "servo").then(|| vec![cause]);
    let found = run(
        &machine,
        Trouble::None,
        (Kind::Budget, cause),
        &of_the_group,
    );
    assert!(
        found.causes.unexamined > 0,
        "only one in 10 ms is looked at"
    );
    let servo = |record: &&OverrunLine| record.row == "servo";
    assert!(found.records.iter().filter(servo).count() as u64 >= ENOUGH);
}

/// Samples that stand still: all of the cycle is what the twins make of them.
struct Still {
    cycle: u64,
    period_ns: u64,
}

impl Bus for Still {
    fn exchange(
        &mut self,
        image: &mut ProcessImage,
        in_flight: &mut dyn FnMut(),
    ) -> Result<CycleStamp, BusFault> {
        in_flight();
        image.valid.fill(Ok(()));
        let stamp = CycleStamp {
            cycle: self.cycle,
            time_ns: self.cycle * self.period_ns,
            dc_time_ns: 0,
        };
        self.cycle += 1;
        Ok(stamp)
    }

    fn acyclic(&mut self, _budget: Duration) {}

    fn phase_error_ns(&self) -> Option<i64> {
        None
    }

    fn counters(&self) -> BusCounters {
        BusCounters::default()
    }
}

impl Attached for Still {}

/// The press cell with two axes on each drive, and its drives so often that their models take longer than the shortest period.
fn fleet() -> Machine {
    let mut machine = press_cell();
    machine.cycle.period_ns = SHORT_NS;
    let drawings = std::mem::take(&mut machine.axes);
    let bus = machine.bus.as_mut().unwrap();
    let devices = bus.subdevices.clone();
    let is_of_axis = |name: &str| drawings.iter().any(|axis| axis.name == name);
    bus.subdevices.retain(|device| !is_of_axis(&device.name));
    for cell in 0..CELLS {
        for drawing in &drawings {
            let drive = devices.iter().find(|device| device.name == drawing.name);
            let mut drive = drive.unwrap().clone();
            drive.name = format!("{}-{cell}", drawing.name);
            let second = format!("{}-{cell}-second", drawing.name);
            for objects in [&mut drive.outputs, &mut drive.inputs] {
                let mut of_second = objects.clone();
                for object in &mut of_second {
                    object.index += SECOND_AXIS;
                }
                objects.extend(of_second);
            }
            for name in [&drive.name, &second] {
                let mut axis = drawing.clone();
                axis.name.clone_from(name);
                machine.axes.push(axis);
            }
            drive.second = Some(second);
            bus.subdevices.push(drive);
        }
    }
    machine
}

#[test]
fn models_that_are_too_much_for_the_period_are_named() {
    let machine = fleet();
    let bus = Still {
        cycle: 0,
        period_ns: SHORT_NS,
    };
    // As on a real bus: starts that have passed are left out, so that no cycle is late because of the one before.
    let pace = Pace::Bus {
        clock: Clock::monotonic(),
        shift_ns: None,
    };
    let pacer = Pacer::new(pace, SHORT_NS, monotonic_ns());
    let cause = OverrunCause::ModelsOverBudget;
    // Every cycle is too long because of them, from when it is known what they take.
    let expected = |record: &OverrunLine, _| (record.cycle >= KNOWN).then(|| vec![cause]);
    let wanted = (Kind::Overrun, cause);
    let found = run_on(&machine, (bus, pacer), Trouble::None, wanted, &expected);
    let named = (found.records.iter()).filter(|record| record.cause == cause);
    for record in named {
        let phases = &record.evidence.phases_ns;
        let models = ["predict", "compare", "correct"].map(|phase| phases[phase]);
        let models_ns: u64 = models.iter().sum();
        assert!(2 * models_ns >= record.busy_ns, "{record:?}");
        assert!(record.busy_ns > SHORT_NS, "{record:?}");
    }
}

/// Gives the calling thread a place on a core and a real-time priority; false where that is not allowed.
fn real_time(core: usize, priority: i32) -> bool {
    let mut set = rustix::thread::CpuSet::new();
    set.set(core);
    let pinned = rustix::thread::sched_setaffinity(None, &set).is_ok();
    let parameter = libc::sched_param {
        sched_priority: priority,
    };
    // SAFETY: the parameter lives through the call; 0 is the calling thread.
    pinned && unsafe { libc::sched_setscheduler(0, libc::SCHED_FIFO, &raw const parameter) } == 0
}

/// Says aloud that a test could not run, as `twinstep_tests::skip` does.
fn skip(test: &str, reason: &str) {
    use std::io::Write;
    let line = format!("skipped: {test}: {reason}\n");
    print!("{line}");
    if let Some(file) = std::env::var_os("TWINSTEP_SKIPS") {
        let file = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(file);
        file.unwrap().write_all(line.as_bytes()).unwrap();
    }
}

/// Cores that this process may use.
fn cores() -> impl DoubleEndedIterator<Item = usize> {
    let set = rustix::thread::sched_getaffinity(None).unwrap();
    (0..rustix::thread::CpuSet::MAX_CPU).filter(move |core| set.is_set(*core))
}

/// The one that is taken: not the first, where there are several.
fn core() -> usize {
    cores().next_back().unwrap()
}

/// Runs `work` again and again on a thread of its own while `body` runs.
fn beside<T: Send>(work: impl Fn() + Send + Sync, body: impl FnOnce() -> T + Send) -> T {
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                work();
            }
        });
        let out = scope.spawn(body).join();
        stop.store(true, Ordering::Relaxed);
        out.unwrap()
    })
}

/// Another thread of a higher priority takes the core for 3 ms, every 10 ms.
fn competed(trouble: Trouble, cause: OverrunCause) -> Option<Found> {
    let core = core();
    let allowed = std::thread::spawn(move || real_time(core, 80))
        .join()
        .unwrap();
    if !allowed {
        return None;
    }
    // When the core was taken, and given back.
    let bursts = Mutex::new(Vec::new());
    let burst = || {
        std::thread::park_timeout(Duration::from_millis(7));
        assert!(real_time(core, 90));
        let from_ns = monotonic_ns();
        // Told before it is over: the cycle that it holds up is judged as soon as it is.
        let until_ns = from_ns + 3_000_000;
        bursts.lock().unwrap().push((from_ns, until_ns));
        spin(until_ns);
    };
    let expected = |record: &OverrunLine, begun_ns: u64| {
        let late_ns = record.evidence.phases_ns["wake"];
        let due_ns = begun_ns.saturating_sub(late_ns);
        let end_ns = due_ns + record.busy_ns;
        let bursts = bursts.lock().unwrap();
        let mut meanwhile = bursts.iter().rev();
        let (from_ns, _) =
            meanwhile.find(|(from_ns, until_ns)| *from_ns < end_ns && *until_ns > due_ns)?;
        // Taken long before the start, within the cycle, or in between: then the thread was spinning, or about to be woken.
        Some(if *from_ns + SPUN_NS < due_ns {
            vec![OverrunCause::LateWake]
        } else if *from_ns > begun_ns {
            vec![OverrunCause::InvoluntarySwitch]
        } else {
            vec![OverrunCause::LateWake, OverrunCause::InvoluntarySwitch]
        })
    };
    Some(beside(burst, || {
        assert!(real_time(core, 80));
        run(&press_cell(), trouble, (Kind::Overrun, cause), &expected)
    }))
}

#[test]
fn a_core_that_is_taken_at_the_start_is_a_late_wake() {
    if competed(Trouble::None, OverrunCause::LateWake).is_none() {
        skip(
            "a_core_that_is_taken_at_the_start_is_a_late_wake",
            "no SCHED_FIFO",
        );
    }
}

#[test]
fn a_core_that_is_taken_within_the_cycle_is_an_involuntary_switch() {
    if competed(Trouble::Busy, OverrunCause::InvoluntarySwitch).is_none() {
        skip(
            "a_core_that_is_taken_within_the_cycle_is_an_involuntary_switch",
            "no SCHED_FIFO",
        );
    }
}

#[test]
fn a_flood_of_packets_on_the_core_is_named() {
    let core = core();
    let receiver = UdpSocket::bind("127.0.0.1:0").unwrap();
    let to = receiver.local_addr().unwrap();
    let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
    // Loopback delivers in a soft interrupt on the core that sends. The sender is an ordinary thread on the cycle's core, and so is the
    // cycle: what does not get through is dropped by the kernel.
    // When each batch had been sent.
    let sent = Mutex::new(Vec::new());
    let flood = || {
        let mut set = rustix::thread::CpuSet::new();
        set.set(core);
        rustix::thread::sched_setaffinity(None, &set).unwrap();
        for _ in 0..BATCH {
            let _ = sender.send_to(&[0; 64], to);
        }
        sent.lock().unwrap().push(monotonic_ns());
    };
    // The counts of the core are those of a longer time: provoked is an overrun with a flood in all of it.
    let expected = |record: &OverrunLine, begun_ns: u64| {
        let counted = record.evidence.kernel.as_ref();
        let end_ns = begun_ns + record.busy_ns - record.evidence.phases_ns["wake"];
        let interval_ns = counted.map_or(record.busy_ns, |counted| counted.interval_ns);
        let cycles = counted.map_or(1, |counted| counted.cycles.max(1));
        let from_ns = end_ns.saturating_sub(interval_ns);
        let sent = sent.lock().unwrap();
        let until = |ns: u64| sent.partition_point(|at| *at < ns) as u64;
        let packets = BATCH * (until(end_ns) - until(from_ns));
        // Who sends is a thread on the core too, and takes it now and then: then both names are right.
        let switched = record.evidence.involuntary_switches > 0;
        let mut names = vec![OverrunCause::Interrupts];
        names.extend(switched.then_some(OverrunCause::InvoluntarySwitch));
        (packets >= FLOOD_A_CYCLE * cycles).then_some(names)
    };
    beside(flood, || {
        let mut set = rustix::thread::CpuSet::new();
        set.set(core);
        rustix::thread::sched_setaffinity(None, &set).unwrap();
        let wanted = (Kind::Overrun, OverrunCause::Interrupts);
        run(&press_cell(), Trouble::None, wanted, &expected)
    });
}
