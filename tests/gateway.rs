//! A gateway of its own process, served from a store.

use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStdout, Command};

use serde_json::Value;

use crate::binary;
use crate::run::Place;

/// A running gateway; it is killed when the value goes.
#[derive(Debug)]
pub struct Gateway {
    child: Child,
    out: BufReader<ChildStdout>,
    /// Where its page is, with a slash at the end.
    pub url: String,
}

impl Gateway {
    /// Starts one on a port of its own with more arguments, split at spaces, and waits until it listens.
    ///
    /// # Panics
    /// Where it does not come up.
    #[must_use]
    pub fn start(place: &Place, more: &str) -> Self {
        let args = format!("gateway --json --listen 127.0.0.1:0 {more}");
        let child = place.command(binary(), args.split_whitespace()).spawn();
        let mut child = child.unwrap_or_else(|error| panic!("no gateway: {error}"));
        let Some(out) = child.stdout.take() else {
            panic!("a gateway without an output");
        };
        let mut gateway = Self {
            child,
            out: BufReader::new(out),
            url: String::new(),
        };
        let says = gateway.line(|line| line["type"] == "listening" && line["sink"] == "web");
        gateway.url = says["url"].as_str().unwrap_or_default().to_owned();
        gateway
    }

    /// The next line that it says for which `test` holds.
    ///
    /// # Panics
    /// Where it ends before.
    pub fn line(&mut self, test: impl Fn(&Value) -> bool) -> Value {
        let mut line = String::new();
        loop {
            line.clear();
            let read = self.out.read_line(&mut line).unwrap_or_default();
            if read == 0 {
                let status = self.child.wait();
                let mut said = String::new();
                if let Some(errors) = self.child.stderr.as_mut() {
                    let _ = std::io::Read::read_to_string(errors, &mut said);
                }
                panic!("the gateway has ended: {status:?}: {said}");
            }
            let value =
                serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"));
            if test(&value) {
                return value;
            }
        }
    }

    /// Kills it in the middle of whatever it does.
    ///
    /// # Panics
    /// Where it has gone already.
    pub fn kill(mut self) {
        let ended = self.child.try_wait();
        assert!(matches!(ended, Ok(None)), "it has ended before: {ended:?}");
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Ends it in order.
    ///
    /// # Panics
    /// Where it fails.
    pub fn stop(mut self) {
        let told = Command::new("sh")
            .args(["-c", &format!("kill -TERM {}", self.child.id())])
            .status();
        assert!(told.is_ok_and(|status| status.success()));
        let ended = self.child.wait();
        assert!(
            ended.as_ref().is_ok_and(|status| status.success()),
            "{ended:?}"
        );
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
