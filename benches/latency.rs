//! ns from frame in memory to a flag that can be read: in the same process and in another one.
//!
//! The bytes of a cycle stand in the process image, and one axis has left its path far enough to trip its fast limit. From
//! then on everything between the frame and the flag is measured: bytes to SI, comparison of all axes and stations, the
//! event into the queue and the other end of the queue seeing it; or the flag into the shared memory, and a program on another
//! core that polls having it. All functions are those of the cycle thread.

use heapless::spsc::{Consumer, Producer, Queue};
use std::collections::HashMap;
use std::process::ExitCode;
use twinstep_benches::arguments::Mode;
use twinstep_benches::before::Before;
use twinstep_benches::disturb::{Flags, SEED, is_flag_of, shots};
use twinstep_benches::figures::{Figures, clock_cost_ns};
use twinstep_benches::subscriber::{self, OtherProcess};
use twinstep_benches::{environment, machines};
use twinstep_config::machine::Machine;
use twinstep_cycle::event::Event;
use twinstep_host::clock::monotonic_ns;
use twinstep_host::overruns::usage::Usage;
use twinstep_host::realtime::Held;
use twinstep_host::scribe::EVENT_QUEUE;
use twinstep_host::tables::trust_text;
use twinstep_host::trust::Trust;

fn main() -> ExitCode {
    if subscriber::was_started() {
        return ExitCode::SUCCESS;
    }
    match Mode::from_process() {
        Mode::List => Mode::list(),
        Mode::Smoke => {
            let cell = machines::press_cell;
            assert_eq!(
                same_process(&mut cell(), 20, Before::Cycle, None).count(),
                20
            );
            assert_eq!(
                other_process(&mut cell(), 20, Before::Cycle, None).count(),
                20
            );
        }
        Mode::Measure => measure(),
        Mode::Instructions | Mode::Counted => {
            eprintln!("instructions are counted by the bench `pipeline`")
        }
    }
    ExitCode::SUCCESS
}

/// Makes a machine.
type Make = fn() -> Machine;

/// Prints all tables.
fn measure() {
    println!("{}", environment::describe());
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    // As the product does: the last one; the subscriber has the first.
    let (own, other) = (cores - 1, 0);
    println!("{}\n", on_a_thread(|| trust_of(own)));
    println!("ns from frame in memory to a flag that can be read");
    println!(
        "{:<62}{:>9}{:>9}{:>9}{:>9}{:>9}",
        "", "median", "p99", "p99.9", "max", "repeats"
    );
    let machines: [(&str, Make); 2] = [
        ("press cell (8 axes, press)", machines::press_cell),
        ("100 axes", || machines::many_axes(100, SEED)),
    ];
    for (machine, make) in machines {
        for before in Before::ALL {
            let repeats = before.repeats();
            let figures = on_a_thread(|| same_process(&mut make(), repeats, before, Some(own)));
            show(
                &format!("same process, {machine}{}", before.name()),
                &figures,
            );
        }
    }
    println!("\nns of what the cycle asks the kernel about itself once a cycle");
    show("RUSAGE_THREAD", &usage(100_000, Before::Nothing));
    let asleep = usage(1000, Before::Asleep);
    show("RUSAGE_THREAD, after 1 ms asleep", &asleep);
    println!();
    if own == other {
        println!("one core only: another process was not measured");
        return;
    }
    for (machine, make) in machines {
        for before in [Before::Nothing, Before::Cycle, Before::Asleep] {
            let repeats = before.repeats().min(5000);
            let pair = Some((own, other));
            let figures = on_a_thread(|| other_process(&mut make(), repeats, before, pair));
            show(
                &format!("other process, {machine}{}", before.name()),
                &figures,
            );
        }
    }
    println!("load now {}", environment::load());
}

/// What a thread like the cycle's is granted on `core`, in words.
fn trust_of(core: usize) -> String {
    let text = || trust_text(&Trust::observe());
    match subscriber::enter(Some(core)) {
        Ok(held) => {
            let text = text();
            drop(held);
            text
        }
        Err(error) => format!("{}{}", error.render(false), text()),
    }
}

/// Does `work` on a thread of its own, so that nothing else keeps its core and policy.
fn on_a_thread<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|scope| match scope.spawn(work).join() {
        Ok(result) => result,
        Err(panic) => std::panic::resume_unwind(panic),
    })
}

/// What it costs to read the counts of this thread, the clock taken off (ns each).
fn usage(repeats: usize, before: Before) -> Figures {
    let clock = clock_cost_ns();
    let mut figures = Figures::with_capacity(repeats);
    for _ in 0..repeats {
        before.rest(&mut Vec::new());
        let start = monotonic_ns();
        std::hint::black_box(Usage::of_this_thread());
        figures.push((monotonic_ns() - start) as f64 - clock);
    }
    figures
}

fn show(name: &str, latency: &Figures) {
    println!(
        "{name:<62}{:>9.0}{:>9.0}{:>9.0}{:>9.0}{:>9}",
        latency.median(),
        latency.quantile(0.99),
        latency.quantile(0.999),
        latency.max(),
        latency.count()
    );
}

/// The queue between cycle and scribe, both ends in one thread.
struct InQueue<'a> {
    producer: Producer<'a, Event>,
    consumer: Consumer<'a, Event>,
    _held: Option<Held>,
}

impl Flags for InQueue<'_> {
    #[inline]
    fn send(&mut self, event: Event) {
        // It was emptied after the last cycle.
        let _ = self.producer.enqueue(event);
    }

    #[inline]
    fn is_readable(&mut self) -> bool {
        self.consumer.peek().is_some()
    }

    fn finish(&mut self, disturbed: Option<usize>) -> bool {
        let mut found = false;
        while let Some(event) = self.consumer.dequeue() {
            found |= disturbed.is_some_and(|axis| is_flag_of(&event, axis));
        }
        found
    }
}

/// Latencies to the other end of the queue (ns each), on `core` as the cycle's thread; none: as it is.
#[expect(clippy::expect_used, reason = "a bench without figures must fail")]
fn same_process(
    machine: &mut Machine,
    repeats: usize,
    before: Before,
    core: Option<usize>,
) -> Figures {
    let clock = clock_cost_ns();
    let mut queue: Queue<Event, EVENT_QUEUE> = Queue::new();
    let (producer, consumer) = queue.split();
    let (shots, _) = shots(machine, repeats, before, || InQueue {
        producer,
        consumer,
        _held: subscriber::enter(core).expect("the core is there"),
    });
    let mut latency = Figures::with_capacity(repeats);
    for shot in shots {
        latency.push((shot.end_ns - shot.start_ns) as f64 - clock);
    }
    latency
}

/// Latencies to another process (ns each); `cores` are this thread's and the other's.
///
/// # Panics
/// When a disturbance is not seen there.
fn other_process(
    machine: &mut Machine,
    repeats: usize,
    before: Before,
    cores: Option<(usize, usize)>,
) -> Figures {
    let clock = clock_cost_ns();
    let name = format!("bench-{}", std::process::id());
    let axes = machine.axes.len() + machine.presses.len();
    let (shots, other) = shots(machine, repeats, before, || {
        OtherProcess::start(&name, axes, repeats, cores)
    });
    let seen = other.seen().into_iter();
    let seen: HashMap<_, _> = seen.map(|(cycle, axis, ns)| ((cycle, axis), ns)).collect();
    let mut latency = Figures::with_capacity(repeats);
    for shot in shots {
        let Some(seen_ns) = seen.get(&(shot.cycle, shot.axis)) else {
            panic!(
                "cycle {}: the other process has no flag of axis {}",
                shot.cycle, shot.axis
            )
        };
        latency.push((seen_ns - shot.start_ns) as f64 - clock);
    }
    latency
}
