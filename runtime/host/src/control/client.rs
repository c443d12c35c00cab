//! The other end of the control socket, for the commands of this program.

use super::find::find;
use super::lines::PROTOCOL;
use super::status::StatusLine;
use crate::error::HostError;
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long an answer is awaited: longer than the server's patience with the cycle.
const PATIENCE: Duration = Duration::from_secs(10);
/// Longest answer (bytes): that of 8 buses with 1024 axes each, the health of all of them known, is 17.6 MB.
pub(crate) const MAX_ANSWER: u64 = 32 << 20;
/// Most events that are kept between two calls of [`Client::take_events`]; of more, the oldest go.
const MAX_EVENTS: usize = 256;

/// A connection to a running instance.
#[derive(Debug)]
pub struct Client {
    path: PathBuf,
    stream: BufReader<UnixStream>,
    /// Number of the last request: its answer has the same.
    asked: u64,
    /// Events that came between answers.
    events: VecDeque<Value>,
}

impl Client {
    /// Connects to the instance at `control`, or the only one that is running.
    ///
    /// # Errors
    /// [`HostError`] when there is none, several, or it may not be spoken to.
    pub fn connect(control: Option<&Path>) -> Result<Self, HostError> {
        Self::connect_to(find(control)?)
    }

    /// Connects to the instance at `path`.
    ///
    /// # Errors
    /// [`HostError::Machine`] when nobody answers there, or it may not be spoken to.
    pub fn connect_to(path: PathBuf) -> Result<Self, HostError> {
        let stream = UnixStream::connect(&path).map_err(|error| {
            let remedy = match error.kind() {
                std::io::ErrorKind::PermissionDenied => {
                    "run this as the user that runs twinstep, or start that with --control-group"
                }
                std::io::ErrorKind::ConnectionRefused => {
                    "nobody listens there any more: start the run again"
                }
                _ => "is twinstep running? name its socket with --control",
            };
            HostError::machine(
                format!("cannot speak to {}: {error}", path.display()),
                remedy,
            )
        })?;
        let limits = (stream.set_read_timeout(Some(PATIENCE)))
            .and_then(|()| stream.set_write_timeout(Some(PATIENCE)));
        limits.map_err(|error| broken(&path, &error))?;
        Ok(Self {
            path,
            stream: BufReader::new(stream),
            asked: 0,
            events: VecDeque::new(),
        })
    }

    /// The socket.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Sends a request and returns its answer. Events that come before it are kept.
    ///
    /// # Errors
    /// [`HostError::Usage`] with what the instance refuses and the remedy; [`HostError::Machine`] when the connection breaks.
    pub fn ask(&mut self, mut request: Value) -> Result<Value, HostError> {
        self.asked += 1;
        request["protocol"] = json!(PROTOCOL);
        request["id"] = json!(self.asked);
        let text = request.to_string() + "\n";
        let sent = self.stream.get_mut().write_all(text.as_bytes());
        sent.map_err(|error| broken(&self.path, &error))?;
        loop {
            let mut answer = self.next()?;
            let id = answer.as_object_mut().and_then(|keys| keys.remove("id"));
            let mine = id.as_ref().and_then(Value::as_u64) == Some(self.asked);
            match answer["type"].as_str() {
                Some("event") => self.keep(answer),
                // One without a number concerns the connection: too many clients, or events that cannot be read any more.
                Some("error") if mine || id.is_none() => {
                    let text = |key: &str| answer[key].as_str().unwrap_or_default().to_owned();
                    return Err(HostError::usage(text("error"), text("remedy")));
                }
                _ if mine => return Ok(answer),
                // The answer to a request that was given up.
                _ => {}
            }
        }
    }

    fn keep(&mut self, event: Value) {
        if self.events.len() >= MAX_EVENTS {
            self.events.pop_front();
        }
        self.events.push_back(event);
    }

    /// Has every event from now on sent, and the `last` ones before; they come with the answers to later requests.
    ///
    /// # Errors
    /// As [`Self::ask`].
    pub fn follow(&mut self, last: u64) -> Result<(), HostError> {
        self.ask(json!({"request": "events", "last": last}))
            .map(drop)
    }

    /// Events that have come since the last call, in order.
    pub fn take_events(&mut self) -> impl Iterator<Item = Value> + '_ {
        self.events.drain(..)
    }

    /// Reads one line.
    fn next(&mut self) -> Result<Value, HostError> {
        let mut line = String::new();
        let read = (&mut self.stream).take(MAX_ANSWER).read_line(&mut line);
        match read {
            Ok(0) => Err(HostError::machine(
                format!("{} has closed the connection", self.path.display()),
                "the run has ended",
            )),
            Ok(_) => serde_json::from_str(&line).map_err(|error| {
                HostError::machine(
                    format!("{} does not answer in JSON: {error}", self.path.display()),
                    "is it the control socket of twinstep?",
                )
            }),
            Err(error) => Err(broken(&self.path, &error)),
        }
    }

    /// The status.
    ///
    /// # Errors
    /// As [`Self::ask`].
    pub fn status(&mut self) -> Result<StatusLine, HostError> {
        Self::read_status(self.ask(json!({"request": "status"}))?)
    }

    /// An answer as a status.
    ///
    /// # Errors
    /// [`HostError::Machine`] where it is none.
    pub fn read_status(answer: Value) -> Result<StatusLine, HostError> {
        serde_json::from_value(answer).map_err(|error| {
            HostError::machine(
                format!("the status cannot be read: {error}"),
                "use the client of the same version",
            )
        })
    }
}

fn broken(path: &Path, error: &std::io::Error) -> HostError {
    HostError::machine(
        format!("{} does not answer: {error}", path.display()),
        "is the run still alive? look at its output",
    )
}
