//! The other end of the control socket, for the commands of this program.

use super::lines::PROTOCOL;
use super::place;
use super::status::StatusLine;
use crate::error::HostError;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long an answer is awaited: longer than the server's patience with the cycle.
const PATIENCE: Duration = Duration::from_secs(10);
/// Longest answer (bytes): the status of the largest machine is below 1 MB.
const MAX_ANSWER: u64 = 8 << 20;

/// A connection to a running instance.
#[derive(Debug)]
pub struct Client {
    path: PathBuf,
    stream: BufReader<UnixStream>,
}

impl Client {
    /// Connects to the instance at `control`, or the only one that is running.
    ///
    /// # Errors
    /// [`HostError`] when there is none, several, or it may not be spoken to.
    pub fn connect(control: Option<&Path>) -> Result<Self, HostError> {
        let path = place::find(control)?;
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
        })
    }

    /// The socket.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Sends a request and returns its answer.
    ///
    /// # Errors
    /// [`HostError::Usage`] with what the instance refuses and the remedy; [`HostError::Machine`] when the connection breaks.
    pub fn ask(&mut self, mut request: Value) -> Result<Value, HostError> {
        request["protocol"] = json!(PROTOCOL);
        let text = request.to_string() + "\n";
        let sent = self.stream.get_mut().write_all(text.as_bytes());
        sent.map_err(|error| broken(&self.path, &error))?;
        let answer = self.next()?;
        if answer["type"] == "error" {
            let text = |key: &str| answer[key].as_str().unwrap_or_default().to_owned();
            return Err(HostError::usage(text("error"), text("remedy")));
        }
        Ok(answer)
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
        let answer = self.ask(json!({"request": "status"}))?;
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
