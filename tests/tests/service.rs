//! A cycle that hangs, end to end: the service manager hears of it by silence, the SubDevices by their watchdogs.
//!
//! The cycle's thread alone is held, as a debugger does it, so that the rest of the program could go on to say that all is well. Nothing
//! is judged by how long it took: whoever speaks in the pause has failed, and there is no limit on when the pause begins.
#![allow(
    clippy::unwrap_used,
    reason = "a test fails by panicking, its helpers too"
)]
#![allow(unsafe_code)] // A thread of another process is held, and limited before it starts.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::net::UnixDatagram;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use twinstep_tests::cable::{Cable, ENDS};
use twinstep_tests::run::{Place, json_lines, shipped};
use twinstep_tests::sim::{Sim, interrupt};
use twinstep_tests::{release_binary, skip};

/// What `WatchdogSec` would be (us). The cycle is looked at four times as often.
const PATIENCE_US: u64 = 200_000;
/// Five times that: a service manager would have lost patience long ago.
const SILENCE: Duration = Duration::from_micros(5 * PATIENCE_US);
/// Datagrams that may wait in the socket from before; the kernel keeps fewer.
const WAITING: usize = 1_000;

/// The socket of a service manager.
struct Manager(UnixDatagram);

impl Manager {
    fn new(path: &Path) -> Self {
        let socket = UnixDatagram::bind(path).unwrap();
        Self(socket)
    }

    /// What is said next; none where nothing is for [`SILENCE`].
    fn hear(&self) -> Option<String> {
        self.0.set_read_timeout(Some(SILENCE)).unwrap();
        let mut bytes = [0; 256];
        match self.0.recv(&mut bytes) {
            Ok(length) => Some(String::from_utf8_lossy(&bytes[..length]).trim().to_owned()),
            Err(error) if error.kind() == ErrorKind::WouldBlock => None,
            Err(error) => panic!("{error}"),
        }
    }

    /// Waits until `run` says a word. What it said before it ended waits in the socket.
    fn wait_for(&self, word: &str, run: &mut Running) {
        loop {
            let ended = run.0.try_wait().unwrap();
            match self.hear() {
                Some(said) if said == word => return,
                Some(_) => {}
                None => assert_eq!(ended, None, "ended without {word}"),
            }
        }
    }

    /// Takes what waits, until nothing is said for [`SILENCE`].
    fn wait_for_silence(&self) {
        let told: Vec<_> = (0..WAITING).map_while(|_| self.hear()).collect();
        assert!(told.len() < WAITING, "still told: {:?}", told.last());
    }
}

/// A program that ends when the test does.
struct Running(Child);

impl Running {
    /// Starts `command` as a service manager would.
    fn start(mut command: Command, socket: &Path) -> Self {
        command
            .env("NOTIFY_SOCKET", socket)
            .env("WATCHDOG_USEC", PATIENCE_US.to_string())
            .env_remove("WATCHDOG_PID")
            .stdout(Stdio::null());
        // SAFETY: one system call between fork and exec. An abort that is meant leaves no file behind, also where a program takes such files (0 would
        // not keep it from that).
        unsafe {
            command.pre_exec(|| {
                let none_to_speak_of = libc::rlimit {
                    rlim_cur: 1,
                    rlim_max: 1,
                };
                libc::setrlimit(libc::RLIMIT_CORE, &raw const none_to_speak_of);
                Ok(())
            });
        }
        Self(command.spawn().unwrap())
    }

    /// The process that runs twinstep: `ip netns exec` becomes it.
    fn thread(&self, name: &str) -> i32 {
        let tasks = fs::read_dir(format!("/proc/{}/task", self.0.id())).unwrap();
        let mut ids = tasks.filter_map(|task| {
            let task = task.ok()?;
            let comm = fs::read_to_string(task.path().join("comm")).ok()?;
            (comm.trim() == name).then(|| task.file_name().to_str()?.parse().ok())?
        });
        ids.next().unwrap()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// One thread of a program, held until this goes.
struct Held(i32);

impl Held {
    /// Holds it; none where that is not allowed.
    fn hold(thread: i32) -> Option<Self> {
        let nothing = std::ptr::null_mut::<libc::c_void>();
        // SAFETY: neither request takes memory of ours; a thread that is not there is an error.
        let seized = unsafe {
            libc::ptrace(libc::PTRACE_SEIZE, thread, nothing, nothing) == 0
                && libc::ptrace(libc::PTRACE_INTERRUPT, thread, nothing, nothing) == 0
        };
        if !seized {
            return None;
        }
        let mut status = 0;
        // SAFETY: the pointer is to a live integer.
        let waited = unsafe { libc::waitpid(thread, &raw mut status, libc::__WALL) };
        assert_eq!(waited, thread, "{}", std::io::Error::last_os_error());
        assert!(libc::WIFSTOPPED(status), "{status:x}");
        Some(Self(thread))
    }
}

impl Held {
    /// Waits until it has ended with its process: who holds a thread has to take leave of it before anybody else can.
    fn end(self) {
        let mut status = 0;
        // SAFETY: the pointer is to a live integer.
        let waited = unsafe { libc::waitpid(self.0, &raw mut status, libc::__WALL) };
        assert_eq!(waited, self.0, "{}", std::io::Error::last_os_error());
        assert!(libc::WIFSIGNALED(status), "{status:x}");
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let nothing = std::ptr::null_mut::<libc::c_void>();
        // SAFETY: takes no memory of ours; a thread that has ended meanwhile is an error that nobody needs.
        let _ = unsafe { libc::ptrace(libc::PTRACE_DETACH, self.0, nothing, nothing) };
    }
}

/// Asks the program for its status: the cycle that it tells of, or what it says instead.
fn status(place: &Place, socket: &Path) -> Result<u64, String> {
    let args = ["status", "--json", "--control", socket.to_str().unwrap()];
    let output = place.command(release_binary(), args).output().unwrap();
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned());
    }
    let lines = json_lines(&String::from_utf8(output.stdout).unwrap());
    Ok(lines.last().unwrap()["cycle"].as_u64().unwrap())
}

#[test]
fn a_cycle_that_hangs_is_vouched_for_by_nobody_until_it_goes_on() {
    let test = "a_cycle_that_hangs_is_vouched_for_by_nobody_until_it_goes_on";
    let place = Place::new();
    let manager = Manager::new(&place.path("notify"));
    let control = place.path("control");
    let args = "demo --no-page --cycles 3600000 --json --control";
    let mut command = place.command(release_binary(), args.split_whitespace());
    command.arg(&control);
    let mut demo = Running::start(command, &place.path("notify"));
    manager.wait_for("READY=1", &mut demo);
    for _ in 0..3 {
        manager.wait_for("WATCHDOG=1", &mut demo);
    }
    let Some(held) = Held::hold(demo.thread("cycle")) else {
        skip(test, "no permission to hold a thread (ptrace)");
        return;
    };
    manager.wait_for_silence();
    // The program is there, and its other threads work.
    let said = status(&place, &control).unwrap_err();
    assert!(said.contains("the cycle has not answered"), "{said}");
    assert_eq!(manager.hear(), None);

    drop(held);
    for _ in 0..3 {
        manager.wait_for("WATCHDOG=1", &mut demo);
    }
    assert!(status(&place, &control).unwrap() > 0);
    interrupt(&demo.0);
    manager.wait_for("STOPPING=1", &mut demo);
    let ended = demo.0.wait().unwrap();
    assert!(ended.success(), "{ended}");
}

#[test]
fn a_cycle_that_hangs_stops_the_machine() {
    let test = "a_cycle_that_hangs_stops_the_machine";
    let Some(cable) = Cable::new(test) else {
        return;
    };
    let place = Place::new();
    let manager = Manager::new(&place.path("notify"));
    let config = shipped("press-cell.toml").display().to_string();
    let mut sim = Sim::start(&cable, &config, &[]);
    let args = ["run", &config, "--interface", ENDS[0], "--arm", "--json"];
    let mut command = cable.command(release_binary(), args);
    command.env("XDG_STATE_HOME", place.path("state"));
    let mut run = Running::start(command, &place.path("notify"));
    sim.wait_for_op();
    manager.wait_for("READY=1", &mut run);
    manager.wait_for("WATCHDOG=1", &mut run);
    let Some(held) = Held::hold(run.thread("cycle")) else {
        skip(test, "no permission to hold a thread (ptrace)");
        return;
    };
    // Nobody speaks on the bus: each SubDevice sees that by itself, and leaves OP.
    sim.wait_until_none_is_in_op();
    manager.wait_for_silence();
    // What systemd does then.
    // SAFETY: takes no memory; the process is a child that has not been waited for.
    let killed = unsafe { libc::kill(run.0.id() as i32, libc::SIGABRT) };
    assert_eq!(killed, 0);
    held.end();
    let ended = run.0.wait().unwrap();
    assert_eq!(ended.signal(), Some(libc::SIGABRT), "{ended}");
    let states = sim.end();
    let last = states
        .iter()
        .rfind(|line| line["state"] == "al_state")
        .unwrap();
    assert_eq!(last["in_state"][3], 0, "{last}");
    // Who starts next finds the bus free.
    let mut sim = Sim::start(&cable, &config, &[]);
    let args = [
        "run",
        &config,
        "--interface",
        ENDS[0],
        "--json",
        "--cycles",
        "100",
    ];
    let output = cable
        .command(release_binary(), args)
        .env("XDG_STATE_HOME", place.path("state"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    sim.wait_for_op();
}
