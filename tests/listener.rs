//! `twinstep run` that only listens, in a cable's namespace, and what its events say.
#![allow(
    clippy::unwrap_used,
    reason = "a test fails by panicking, its helpers too"
)]

use crate::cable::Cable;
use crate::release_binary;
use crate::run::{Place, json_lines};
use crate::sim::interrupt;
use serde_json::Value;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, ChildStderr, Stdio};

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

/// A running `twinstep run` on a tap, or on devices that publish.
#[derive(Debug)]
pub struct Listener {
    child: Child,
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
            path("csv"),
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
        Self { child, said }
    }

    /// Ends it. Returns its lines.
    ///
    /// # Panics
    /// Where it does not end well.
    #[must_use]
    pub fn end(mut self) -> Vec<Value> {
        interrupt(&self.child);
        let (mut text, mut said) = (String::new(), String::new());
        let mut output = self.child.stdout.take().unwrap();
        output.read_to_string(&mut text).unwrap();
        self.said.read_to_string(&mut said).unwrap();
        assert!(self.child.wait().unwrap().success(), "{said}{text}");
        json_lines(&text)
    }
}
