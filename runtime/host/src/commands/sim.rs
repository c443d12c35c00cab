//! `twinstep sim`: serves the simulated segment, with the machine behind it, to whatever MainDevice is on the other end.
//!
//! The segment runs in a thread of its own, pinned and before others where that is permitted; this one waits, takes faults
//! from standard input and, where one is asked for, from a control socket, and tells what happens.

use super::load_bus;
use super::simulated::{capture, segment};
use super::typed::{MOST_BYTES, Typed, next_line};
use crate::attached::HostEnds;
use crate::cli::SimArgs;
use crate::control::Place;
use crate::control::faults::{self, Errand, Order};
use crate::error::{Exit, HostError};
use crate::output::Output;
use crate::realtime;
use crate::snapshot::Control;
use crate::trust::Trust;
use hdrhistogram::Histogram;
use serde::Serialize;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use twinstep_config::fault::Fault;
use twinstep_config::machine::Machine;
use twinstep_drivers::bus::ProcessImage;
use twinstep_drivers::link::raw_socket::{RawPair, RawSocket};
use twinstep_drivers::link::{LinkError, OneEnd};
use twinstep_drivers::object_map::Layout;
use twinstep_drivers::segment::Segment;
use twinstep_drivers::segment::application::AlState;
use twinstep_drivers::segment::server::{Turn, serve};
use twinstep_drivers::tsn::devices::Devices;
use twinstep_drivers::tsn::publisher::address_of;

/// Longest answer that is told apart (ns): beyond it a master has given up.
const LONGEST_NS: u64 = 1_000_000_000;
/// Faults and changes that wait for the other thread.
const QUEUE: usize = 256;
/// Turns without a frame between two looks at the states: about ten times a second on a silent cable.
const LOOK_EVERY: u32 = 100;

/// One `sim` line: something has changed.
#[derive(Serialize)]
struct SimLine {
    r#type: &'static str,
    state: &'static str,
    interface: String,
    subdevices: usize,
    /// SubDevices by AL state: INIT, PRE-OP, SAFE-OP, OP.
    in_state: [usize; 4],
    trust: Option<Trust>,
}

/// The summary.
#[derive(Serialize)]
struct Summary {
    r#type: &'static str,
    answered: u64,
    swallowed: u64,
    faults: u64,
    /// Frames of published process data that did not leave.
    unpublished: u64,
    /// From a frame's receipt to its departure.
    answer: Answer,
    trust: Trust,
}

#[derive(Clone, Copy, Serialize)]
struct Answer {
    p50_ns: u64,
    p99_ns: u64,
    p999_ns: u64,
    max_ns: u64,
}

/// What the serving thread tells.
enum News {
    Serving(Trust),
    States([usize; 4]),
    Refused(String),
}

/// What the serving thread leaves behind.
struct Served {
    answers: Histogram<u64>,
    swallowed: u64,
    faults: u64,
    /// Frames of published process data that did not leave.
    unpublished: u64,
    trust: Trust,
}

/// Runs the command.
///
/// # Errors
/// [`HostError`]: a machine that is not simulated, an interface that cannot be had.
pub fn run(args: &SimArgs, output: &Output) -> Result<Exit, HostError> {
    let machine = load_bus(&args.config, args.bus.as_deref())?;
    let ring = args.redundant_interface.is_some();
    let segment = segment(&machine, args.machine_seed, args.seed, ring, &args.inject)?;
    let _claim = realtime::claim_bus(&args.interface)?;
    let _second = (args.redundant_interface.as_deref())
        .map(realtime::claim_bus)
        .transpose()?;
    let not_opened = |error: LinkError| {
        HostError::machine(
            error.to_string(),
            "name one end of a cable that is up: `scripts/veth` makes a virtual one",
        )
    };
    let published = args
        .publish_uadp
        .as_ref()
        .map(|interface| Published::new(&machine, interface))
        .transpose()?;
    if let Some(second) = &args.redundant_interface {
        let both = RawPair::open(&args.interface, second).map_err(not_opened)?;
        return attend((segment, published), both, &machine, args, output);
    }
    let socket = RawSocket::open(&args.interface).map_err(not_opened)?;
    match &args.pcap {
        None => attend((segment, published), OneEnd(socket), &machine, args, output),
        Some(path) => {
            let captured = capture(socket, path)?;
            attend(
                (segment, published),
                OneEnd(captured),
                &machine,
                args,
                output,
            )
        }
    }
}

/// The process data of the simulated machine, published once a cycle.
struct Published {
    devices: Devices,
    link: RawSocket,
    layout: Layout,
    image: ProcessImage,
    seen: Option<u64>,
}

impl Published {
    fn new(machine: &Machine, interface: &str) -> Result<Self, HostError> {
        let layout = Layout::new(machine)
            .map_err(|error| HostError::usage(error.to_string(), "mend the process data"))?;
        let pubsub = machine.bus.as_ref().and_then(|bus| bus.pubsub.as_ref());
        let priority = pubsub
            .and_then(|all| all.stream.vlan)
            .map(|vlan| vlan.priority);
        Ok(Self {
            devices: Devices::new(machine, &layout, address_of(interface)).map_err(|error| {
                HostError::usage(error.to_string(), "publish fewer fields of this device")
            })?,
            link: RawSocket::open_uadp(interface, priority).map_err(crate::uadp::not_open)?,
            image: layout.image(),
            layout,
            seen: None,
        })
    }

    /// Publishes when the MainDevice has brought new outputs.
    fn turn(&mut self, segment: &Segment) {
        let now = segment.outputs_at();
        if let Some(time_ns) = now
            && now != self.seen
        {
            self.seen = now;
            segment.process_data(&self.layout, &mut self.image);
            self.devices.publish(&self.image, time_ns, &mut self.link);
        }
    }
}

fn attend<E: HostEnds + Send + 'static>(
    (segment, published): (Segment, Option<Published>),
    ends: E,
    machine: &Machine,
    args: &SimArgs,
    output: &Output,
) -> Result<Exit, HostError> {
    let control = Control::default();
    control.stop_on_signals().map_err(|error| {
        HostError::machine(format!("signals cannot be caught: {error}"), "try again")
    })?;
    let subdevices = segment.len();
    let (news_out, news) = sync_channel(QUEUE);
    let (faults_out, faults) = sync_channel(QUEUE);
    let place = args.control.as_deref();
    let place = place.map(|path| Place::at(path, None)).transpose()?;
    if let Some(place) = &place {
        let out = output.clone();
        let say = move |text: &str| out.note(text);
        faults::serve(place, machine.clone(), faults_out.clone(), say)?;
    }
    take_faults(machine.clone(), faults_out);
    let stop = control.stop_flag();
    let served = thread::Builder::new()
        .name("segment".into())
        .spawn(move || serve_until((segment, published), ends, &stop, &news_out, &faults))
        .map_err(|error| {
            HostError::machine(format!("no thread for the segment: {error}"), "try again")
        })?;
    for one in &news {
        tell(one, args, subdevices, output);
    }
    let served = served.join().map_err(|_| {
        HostError::machine(
            "the thread of the segment has failed",
            "please report this with the configuration",
        )
    })??;
    sum_up(&served, output);
    Ok(Exit::Fine)
}

/// The serving thread.
fn serve_until<E: HostEnds>(
    (mut segment, mut published): (Segment, Option<Published>),
    mut ends: E,
    stop: &std::sync::atomic::AtomicBool,
    news: &SyncSender<News>,
    errands: &Receiver<Errand>,
) -> Result<Served, HostError> {
    let trust = realtime::enter_beside();
    // What does not fit into the queue is told with the next change.
    let _ = news.try_send(News::Serving(trust));
    let mut served = Served {
        answers: Histogram::new_with_bounds(1, LONGEST_NS, 3)
            .map_err(|error| HostError::machine(error.to_string(), "please report this"))?,
        swallowed: 0,
        faults: 0,
        unpublished: 0,
        trust,
    };
    let mut states = [0; 4];
    let mut idle = 0;
    let mut watch = |turn: Turn, segment: &mut Segment| {
        match turn {
            Turn::Answered(ns) => {
                served.answers.saturating_record(ns.max(1));
                if let Some(published) = &mut published {
                    published.turn(segment);
                }
            }
            Turn::Swallowed => served.swallowed += 1,
            Turn::Idle => {}
        }
        // A frame waits for nothing but its answer: all else has time until no frame is there.
        idle += 1;
        if turn != Turn::Idle && idle < LOOK_EVERY {
            return;
        }
        idle = 0;
        if let Ok(errand) = errands.try_recv() {
            let result = match &errand.order {
                Order::Inject(fault) => segment.inject_now(fault).inspect(|()| served.faults += 1),
                Order::Clear => {
                    segment.clear_faults();
                    Ok(())
                }
            };
            if let Err(why) = errand.done(result) {
                drop(news.try_send(News::Refused(why)));
            }
        }
        let now = in_states(segment);
        if now != states && news.try_send(News::States(now)).is_ok() {
            states = now;
        }
    };
    serve(&mut segment, &mut ends, stop, &mut watch).map_err(|error| {
        HostError::machine(
            format!("the interface failed: {error}"),
            "see `ip link`: is it still there, and up?",
        )
    })?;
    served.unpublished = published.map_or(0, |published| published.devices.failed());
    if let Some(why) = ends.complete() {
        return Err(HostError::machine(why, "free some space"));
    }
    Ok(served)
}

/// SubDevices in INIT, PRE-OP, SAFE-OP and OP.
fn in_states(segment: &Segment) -> [usize; 4] {
    let mut count = [0; 4];
    for n in 0..segment.len() {
        let place = match segment.al_state(n).map(|(state, _)| state) {
            Some(AlState::Op) => 3,
            Some(AlState::SafeOp) => 2,
            Some(AlState::PreOp) => 1,
            _ => 0,
        };
        count[place] += 1;
    }
    count
}

/// Reads faults from standard input, a line each, until it ends.
fn take_faults(machine: Machine, out: SyncSender<Errand>) {
    // The process ends without waiting for a line that nobody types.
    let _ = thread::Builder::new().name("faults".into()).spawn(move || {
        let mut input = std::io::stdin().lock();
        while let Ok(Some(typed)) = next_line(&mut input) {
            let Typed::Line(line) = typed else {
                eprintln!("a line of more than {MOST_BYTES} bytes on standard input: expected a fault, left out");
                continue;
            };
            let text = line.trim();
            if text.is_empty() {
                continue;
            }
            match Fault::parse(text, &machine) {
                Ok(fault) => {
                    let errand = Errand::unattended(Order::Inject(fault));
                    if out.send(errand).is_err() {
                        return;
                    }
                }
                Err(error) => eprintln!("{error:?}"),
            }
        }
    });
}

fn tell(news: News, args: &SimArgs, subdevices: usize, output: &Output) {
    let line = |state, in_state, trust| SimLine {
        r#type: "sim",
        state,
        interface: args.interface.clone(),
        subdevices,
        in_state,
        trust,
    };
    match news {
        News::Serving(trust) if output.json() => {
            output.json_line(&line("serving", [subdevices, 0, 0, 0], Some(trust)));
        }
        News::Serving(_) => output.line(&format!(
            "{subdevices} SubDevices on {}; Ctrl-C ends it",
            args.interface
        )),
        News::States(now) if output.json() => output.json_line(&line("al_state", now, None)),
        News::States([init, pre, safe, op]) => output.line(&format!(
            "INIT {init}, PRE-OP {pre}, SAFE-OP {safe}, OP {op}"
        )),
        News::Refused(why) => output.note(&why),
    }
}

fn sum_up(served: &Served, output: &Output) {
    let at = |quantile| served.answers.value_at_quantile(quantile);
    let summary = Summary {
        r#type: "summary",
        answered: served.answers.len(),
        swallowed: served.swallowed,
        faults: served.faults,
        unpublished: served.unpublished,
        answer: Answer {
            p50_ns: at(0.5),
            p99_ns: at(0.99),
            p999_ns: at(0.999),
            max_ns: served.answers.max(),
        },
        trust: served.trust,
    };
    if output.json() {
        output.json_line(&summary);
        return;
    }
    let us = |ns: u64| ns as f64 / 1000.0;
    let a = summary.answer;
    output.line(&format!(
        "{} frames answered, {} swallowed, {} faults; answer p50 {:.1} us, p99 {:.1}, p99.9 {:.1}, max {:.1}{}",
        summary.answered,
        summary.swallowed,
        summary.faults,
        us(a.p50_ns),
        us(a.p99_ns),
        us(a.p999_ns),
        us(a.max_ns),
        if summary.trust.timing_valid { "" } else { " (not a real-time computer)" }
    ));
    for step in served.answers.iter_log(1000, 2.0) {
        if step.count_since_last_iteration() > 0 {
            output.line(&format!(
                "up to {:>8.0} us {:>10}",
                us(step.value_iterated_to()),
                step.count_since_last_iteration()
            ));
        }
    }
}
