//! `twinstep sim` on one end of a cable, for tests with MainDevices and taps on it.

use crate::cable::{Cable, ENDS};
use crate::release_binary;
use crate::run::json_lines;
use serde_json::Value;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

/// A running `twinstep sim`.
#[derive(Debug)]
pub struct Sim {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    lines: Vec<Value>,
}

impl Sim {
    /// Starts it on the segment's end and waits until it serves.
    ///
    /// # Panics
    /// Where it does not.
    #[must_use]
    pub fn start(cable: &Cable, machine: &str, more: &[&str]) -> Self {
        Self::start_on(cable, release_binary(), ENDS[1], machine, more)
    }

    /// The same with this program, on this end of a cable.
    ///
    /// # Panics
    /// Where it does not serve.
    #[must_use]
    pub fn start_on(
        cable: &Cable,
        program: &Path,
        end: &str,
        machine: &str,
        more: &[&str],
    ) -> Self {
        let mut args = vec!["sim", machine, "--interface", end, "--json"];
        args.extend_from_slice(more);
        let child = cable.command(program, args).stdin(Stdio::piped()).spawn();
        let mut child = child.unwrap_or_else(|error| panic!("sim: {error}"));
        let (Some(input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
            panic!("sim without its pipes")
        };
        let mut sim = Self {
            child,
            input,
            output: BufReader::new(output),
            lines: Vec::new(),
        };
        let first = sim.line();
        assert_eq!(first["state"], "serving", "{first}");
        sim
    }

    fn line(&mut self) -> Value {
        let mut line = String::new();
        let read = self.output.read_line(&mut line);
        assert!(read.is_ok_and(|bytes| bytes > 0), "sim has ended");
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"))
    }

    /// Injects a fault now.
    ///
    /// # Panics
    /// Where it has ended.
    pub fn inject(&mut self, fault: &str) {
        writeln!(self.input, "{fault}").unwrap_or_else(|error| panic!("{fault}: {error}"));
    }

    /// Waits until all SubDevices are in OP.
    ///
    /// # Panics
    /// Where it ends before.
    pub fn wait_for_op(&mut self) {
        self.wait_for_states(|[init, pre, safe, _]| init + pre + safe == 0);
    }

    /// Waits until no SubDevice is in OP.
    ///
    /// # Panics
    /// Where it ends before.
    pub fn wait_until_none_is_in_op(&mut self) {
        self.wait_for_states(|[.., op]| op == 0);
    }

    /// Waits until the SubDevices in INIT, PRE-OP, SAFE-OP and OP are as wanted.
    fn wait_for_states(&mut self, are: impl Fn([u64; 4]) -> bool) {
        loop {
            let line = self.line();
            let count = |n: usize| line["in_state"][n].as_u64();
            let states = [0, 1, 2, 3].map(|n| count(n).unwrap_or_default());
            let wanted = line["state"] == "al_state" && are(states);
            self.lines.push(line);
            if wanted {
                return;
            }
        }
    }

    /// Ends it. Returns all lines but the first; the last is its summary.
    ///
    /// # Panics
    /// Where it does not end well.
    #[must_use]
    pub fn end(mut self) -> Vec<Value> {
        interrupt(&self.child);
        let mut text = String::new();
        let read = self.output.read_to_string(&mut text);
        let status = self.child.wait();
        let fine = read.is_ok() && status.as_ref().is_ok_and(|status| status.success());
        assert!(fine, "{status:?}: {text}");
        self.lines.extend(json_lines(&text));
        std::mem::take(&mut self.lines)
    }
}

impl Drop for Sim {
    fn drop(&mut self) {
        // A test that has failed leaves nobody behind; one that has ended it finds nobody to kill.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Asks a process to end, as Ctrl-C does.
///
/// # Panics
/// Where it has ended already.
pub fn interrupt(child: &Child) {
    let id = child.id().to_string();
    let killed = Command::new("kill").args(["-INT", &id]).status();
    assert!(killed.is_ok_and(|status| status.success()), "{id}");
}
