//! `twinstep run` that only listens, in a cable's namespace, and what its events say.
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test fails by panicking, its helpers too, and asks a clock whether the computer stands still"
)]

use crate::cable::Cable;
use crate::release_binary;
use crate::run::{Place, json_lines, rights_are_given_up, rights_of};
use crate::sim::interrupt;
use serde_json::Value;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, ChildStderr, ChildStdout, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// What an event says, without the store and the day; its cycle apart.
#[must_use]
pub fn events(lines: &[Value]) -> Vec<(u64, Value)> {
    let events = lines.iter().filter(|line| line["type"] == "event");
    // Presses of several parts are not judged on a tap, and frames are no matter of the machine.
    let machine = events.filter(|line| line["source"] != "press" && line["source"] != "bus");
    machine
        .map(|line| {
            let mut said = serde_json::Map::new();
            for key in ["source", "channel", "state", "detector", "cause", "regime"] {
                said.insert(key.into(), line[key].clone());
            }
            (line["cycle"].as_u64().unwrap_or_default(), said.into())
        })
        .collect()
}

/// The events of the tap on the master's cycles: they began to count a little apart.
#[must_use]
pub fn shifted(tap: &[(u64, Value)], master: &[(u64, Value)], cycles: u64) -> Vec<(u64, Value)> {
    let (Some(ours), Some(theirs)) = (tap.first(), master.first()) else {
        return tap.to_vec();
    };
    let offset = ours.0.wrapping_sub(theirs.0);
    let moved = tap
        .iter()
        .map(|(cycle, said)| (cycle.wrapping_sub(offset), said.clone()));
    // A master that stops does not judge any more.
    moved.filter(|(cycle, _)| *cycle < cycles).collect()
}

/// Whether both lists of events have the friction of `outfeed` and the fault of `lift`. Where frames were not all in time (not `clean`)
/// they may not: each gap is a new segment for the twins, and what is slow is not found in many short ones.
///
/// # Panics
/// Where one was not found and frames were in time.
#[must_use]
pub fn both_found(lists: [&[(u64, Value)]; 2], clean: bool) -> bool {
    let wanted = [("outfeed", "current_load"), ("lift", "drive_state")];
    wanted.iter().all(|(source, channel)| {
        lists.iter().all(|list| {
            let is_it = |said: &Value| said["source"] == *source && said["channel"] == *channel;
            let is_found = list.iter().any(|(_, said)| is_it(said));
            assert!(is_found || !clean, "{source} {channel}: {list:?}");
            is_found
        })
    })
}

/// Longest that a thread which sleeps for a millisecond may be away before the computer is said to have stood still.
const STOOD_STILL: Duration = Duration::from_millis(4);

/// How often it must have stood still in each attempt, to explain that nothing was seen.
const DISTURBED: u32 = 10;

/// Counts how often this computer has stood still, or was busy with others, until it is asked.
struct StandStills {
    ends: Arc<AtomicBool>,
    counts: JoinHandle<u32>,
}

impl StandStills {
    fn count() -> Self {
        let ends = Arc::new(AtomicBool::new(false));
        let ended = Arc::clone(&ends);
        let counts = std::thread::spawn(move || {
            let mut count = 0;
            while !ended.load(Ordering::Relaxed) {
                let asleep = Instant::now();
                std::thread::sleep(Duration::from_millis(1));
                count += u32::from(asleep.elapsed() > STOOD_STILL);
            }
            count
        });
        Self { ends, counts }
    }

    fn end(self) -> u32 {
        self.ends.store(true, Ordering::Relaxed);
        self.counts.join().unwrap()
    }
}

/// Tries a scenario in real time until the computer lets it happen, six times at most: where a computer stands still for many
/// cycles, drives trip because their set-points stay away, or twins begin anew too often, and the run shows nothing of what it was made
/// for. Where that was so each time, what the scenario has asserted by itself is all that is known, and this is said.
///
/// `scenario` says whether it was seen; it fails by itself where something is wrong.
///
/// # Panics
/// Where it was not seen although the computer hardly stood still.
pub fn undisturbed(scenario: impl Fn() -> bool) {
    let mut is_disturbed = true;
    for attempt in 1..=6 {
        let stand_stills = StandStills::count();
        let seen = scenario();
        let stood_still = stand_stills.end();
        if seen {
            return;
        }
        println!("attempt {attempt}: not seen; the computer stood still {stood_still} times");
        is_disturbed &= stood_still >= DISTURBED;
    }
    assert!(
        is_disturbed,
        "not seen on a computer that hardly stood still"
    );
    println!("NOT SEEN in six attempts, in each of which the computer stood still often");
}

/// Whether drives of `lines` tripped with a following error, which no scenario asks for.
#[must_use]
pub fn tripped(lines: &[Value]) -> bool {
    let is_trip = |line: &Value| {
        line["cause"]
            .as_str()
            .is_some_and(|cause| cause.contains("0x8611"))
    };
    lines.iter().any(is_trip)
}

/// Replays what the listener `name` recorded, which must do what it did: `heard` are its lines.
///
/// # Panics
/// Where it does not.
pub fn replays(place: &Place, name: &str, heard: &[Value]) {
    let replay = format!(
        "replay {} --json",
        place.path(&format!("{name}.mcap")).display()
    );
    let replayed = place.run(release_binary(), &replay).fine();
    let summary = heard.last().unwrap();
    assert_eq!(summary["recording"]["events_missing"], 0, "{summary}");
    // A computer that stands still does not keep up; the replay says so.
    if summary["recording"]["cycles_missing"] == 0 {
        assert_eq!(
            replayed.summary()["digest"],
            summary["digest"],
            "{replayed:?}"
        );
        assert!(replayed.stderr.contains("as the run was"), "{replayed:?}");
    } else {
        assert!(
            replayed.stderr.contains("cycles are missing"),
            "{replayed:?}"
        );
    }
}

/// A running `twinstep run` on a tap, or on devices that publish.
#[derive(Debug)]
pub struct Listener {
    child: Child,
    output: BufReader<ChildStdout>,
    told: Vec<Value>,
    said: BufReader<ChildStderr>,
}

impl Listener {
    /// Starts it and waits until it listens.
    ///
    /// # Panics
    /// Where it does not start.
    #[must_use]
    pub fn start(cable: &Cable, place: &Place, name: &str, config: &Path, interface: &str) -> Self {
        let path = |kind: &str| place.path(&format!("{name}.{kind}")).display().to_string();
        let args = [
            "run".to_owned(),
            config.display().to_string(),
            "--json".to_owned(),
            "--interface".to_owned(),
            interface.to_owned(),
            "--state".to_owned(),
            path("state"),
            "--record".to_owned(),
            path("mcap"),
        ];
        let mut child = cable
            .command(release_binary(), args)
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut said = BufReader::new(child.stderr.take().unwrap());
        let mut line = String::new();
        while !line.contains("listening on") {
            line.clear();
            assert!(said.read_line(&mut line).unwrap() > 0, "it has ended");
        }
        let output = BufReader::new(child.stdout.take().unwrap());
        Self {
            child,
            output,
            told: Vec::new(),
            said,
        }
    }

    /// Waits for a line.
    ///
    /// # Panics
    /// Where it ends before.
    pub fn wait_for(&mut self, is_it: impl Fn(&Value) -> bool) {
        loop {
            let mut line = String::new();
            assert!(
                self.output.read_line(&mut line).unwrap() > 0,
                "it has ended"
            );
            self.told.extend(json_lines(&line));
            if self.told.last().is_some_and(&is_it) {
                return;
            }
        }
    }

    /// Waits for its end, which it finds by itself. Returns its exit code, its lines and what it says besides.
    ///
    /// # Panics
    /// Where a signal ends it.
    #[must_use]
    pub fn ended(mut self) -> (i32, Vec<Value>, String) {
        let (mut text, mut said) = (String::new(), String::new());
        self.output.read_to_string(&mut text).unwrap();
        self.said.read_to_string(&mut said).unwrap();
        let mut told = std::mem::take(&mut self.told);
        told.extend(json_lines(&text));
        (self.child.wait().unwrap().code().unwrap(), told, said)
    }

    /// Ends it, once it has heard cycles. Returns its lines.
    ///
    /// # Panics
    /// Where it does not end well, or has kept rights.
    #[must_use]
    pub fn end(self) -> Vec<Value> {
        let rights = rights_of(self.child.id());
        assert!(rights_are_given_up(&rights), "{rights:?}");
        interrupt(&self.child);
        let (code, told, said) = self.ended();
        assert_eq!(code, 0, "{said}{told:?}");
        told
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        // One that has ended cannot be killed, which is as well.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
