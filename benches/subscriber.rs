//! The flags of a bench in another process: the bench starts itself once more, as a subscriber on another core.
//!
//! Both sides read CLOCK_MONOTONIC, which is one for the whole computer. The subscriber polls, notes what it read and when, and
//! writes that down when nobody publishes any more.

use crate::disturb::Flags;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdout, Command, Stdio};
use twinstep_config::machine::{Realtime, Shared, Wait};
use twinstep_cycle::event::{Detector, Event, EventState};
use twinstep_host::clock::{monotonic_ns, sleep_until_ns};
use twinstep_host::error::HostError;
use twinstep_host::realtime::{self, Held};
use twinstep_host::shared::{Flag, FlagReader, SharedOutlet, source_kind};
use twinstep_models::channel::Channel;

/// The argument that makes the bench a subscriber: name of the share, core (`-` is any), flags that are expected.
const ARGUMENT: &str = "--subscriber";
/// Time that the subscriber rests after a flag (ns): a core that is never left alone is throttled by the kernel, for 50 ms.
const REST_NS: u64 = 200_000;
/// Shortest time from one flag to the next (ns): then it polls again for long.
const BETWEEN_NS: u64 = 1_000_000;
/// Polls without a flag after which it looks whether somebody still publishes.
const POLLS: u32 = 4096;

/// Whether `flag` is what a disturbance leads to.
fn is_flag(flag: &Flag) -> bool {
    flag.source_kind == source_kind::AXIS
        && flag.channel == Channel::PositionNext as u8
        && flag.detector == Detector::FastLimit as u8
        && flag.state == EventState::Raised as u8
}

/// Makes the calling thread one like the cycle's, on a core of its own; none leaves it as it is.
///
/// # Errors
/// As [`realtime::enter`].
pub fn enter(core: Option<usize>) -> Result<Option<Held>, HostError> {
    let Some(core) = core else { return Ok(None) };
    let settings = Realtime {
        core: Some(core),
        wait: Wait::Sleep,
        ..Realtime::default()
    };
    realtime::enter(&settings, BETWEEN_NS).map(|entered| Some(entered.held))
}

/// Runs as a subscriber where this process was started as one; false where it was not.
///
/// # Panics
/// Where the flags cannot be read: the bench that has started it fails then.
#[expect(clippy::expect_used, reason = "a bench without figures must fail")]
pub fn was_started() -> bool {
    let mut arguments = std::env::args().skip_while(|argument| argument != ARGUMENT);
    if arguments.next().is_none() {
        return false;
    }
    let name = arguments.next().expect("a name");
    let core = arguments.next().expect("a core").parse().ok();
    let capacity = arguments.next().and_then(|count| count.parse().ok());
    let mut seen: Vec<(u64, u16, u64)> = Vec::with_capacity(capacity.expect("a number of flags"));
    let mut flags = FlagReader::open(&name).expect("the flags are there");
    let _held = enter(core).expect("the core is there");
    println!("ready");
    loop {
        let mut polls = 0;
        let flag = loop {
            if let Some(flag) = flags.take() {
                break Some(flag);
            }
            std::hint::spin_loop();
            polls += 1;
            if polls == POLLS {
                polls = 0;
                if !flags.is_alive() {
                    break None;
                }
            }
        };
        let now_ns = monotonic_ns();
        let Some(flag) = flag else { break };
        if is_flag(&flag) {
            seen.push((flag.cycle, flag.source, now_ns));
            sleep_until_ns(now_ns + REST_NS);
        }
    }
    let mut out = std::io::stdout().lock();
    for (cycle, axis, time_ns) in seen {
        writeln!(out, "{cycle} {axis} {time_ns}").expect("the bench reads this");
    }
    true
}

/// Flags into the shared memory, and the process that reads them.
pub struct OtherProcess {
    outlet: SharedOutlet,
    child: Child,
    said: BufReader<ChildStdout>,
    next_ns: u64,
    _held: Option<Held>,
}

impl OtherProcess {
    /// Shares as `name`, and starts the subscriber. `cores` are this thread's and the subscriber's; none: any, and nothing is
    /// real-time.
    ///
    /// # Panics
    /// Where there is no shared memory, or the subscriber does not come.
    #[expect(clippy::expect_used, reason = "a bench without figures must fail")]
    pub fn start(name: &str, axes: usize, repeats: usize, cores: Option<(usize, usize)>) -> Self {
        let settings = Shared {
            name: name.to_owned(),
            axes_every: 1,
            controller: None,
        };
        let outlet = SharedOutlet::new(&settings, (axes, 0)).expect("the memory can be shared");
        let core = cores.map_or("-".to_owned(), |(_, other)| other.to_string());
        let mut child = Command::new(std::env::current_exe().expect("this program has a path"))
            .args([ARGUMENT, name, &core, &repeats.to_string()])
            .stdout(Stdio::piped())
            .spawn()
            .expect("this program starts once more");
        let mut said = BufReader::new(child.stdout.take().expect("its output is piped"));
        let mut line = String::new();
        said.read_line(&mut line).expect("it says that it is ready");
        assert_eq!(line.trim_end(), "ready", "the subscriber did not start");
        // Behind the start of the other process, which would inherit core and policy.
        let held = enter(cores.map(|(own, _)| own)).expect("the core is there");
        Self {
            outlet,
            child,
            said,
            next_ns: 0,
            _held: held,
        }
    }

    /// What the subscriber has read: cycle, axis and time.
    ///
    /// # Panics
    /// Where it has failed.
    #[expect(clippy::expect_used, reason = "a bench without figures must fail")]
    pub fn seen(self) -> Vec<(u64, usize, u64)> {
        let Self {
            outlet,
            mut child,
            said,
            ..
        } = self;
        drop(outlet);
        let seen = said.lines().map(|line| {
            let line = line.expect("text");
            let mut words = line.split(' ').map(|word| word.parse::<u64>());
            let mut next = || words.next().and_then(Result::ok).expect("a number");
            (next(), next() as usize, next())
        });
        let seen = seen.collect();
        let status = child.wait().expect("it ends");
        assert!(status.success(), "the subscriber: {status}");
        seen
    }
}

impl Flags for OtherProcess {
    fn prepare(&mut self) {
        while monotonic_ns() < self.next_ns {
            std::hint::spin_loop();
        }
        self.next_ns = monotonic_ns() + BETWEEN_NS;
    }

    #[inline]
    fn send(&mut self, event: Event) {
        self.outlet.flag(&event);
    }

    fn is_readable(&mut self) -> bool {
        true
    }

    fn finish(&mut self, _disturbed: Option<usize>) -> bool {
        // The other process tells.
        self.outlet.dropped() == 0
    }
}
