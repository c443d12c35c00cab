//! Where a command's output goes: whole lines to standard output, remarks to standard error.
//!
//! A reader that goes away (`twinstep events | head`) is no failure: what follows is dropped, and the command may ask
//! whether anybody still listens. Any other failure, such as a full disk, is kept and reported at the end.

use crate::error::HostError;
use serde::Serialize;
use std::io::{self, IsTerminal, Write};
use std::sync::{Arc, Mutex, PoisonError};

/// A shared handle to the output of the command. Never used by the cycle thread: it takes a lock.
#[derive(Clone)]
pub struct Output {
    json: bool,
    terminal: bool,
    inner: Arc<Mutex<Inner>>,
}

struct Inner {
    sink: Box<dyn Write + Send>,
    state: State,
}

enum State {
    Open,
    /// The reader has gone away.
    Closed,
    Failed(io::Error),
}

impl Output {
    /// Standard output.
    pub fn stdout(json: bool) -> Self {
        let stdout = io::stdout();
        Self::new(json, stdout.is_terminal(), Box::new(stdout))
    }

    /// Any other place, for tests and files.
    pub fn new(json: bool, terminal: bool, sink: Box<dyn Write + Send>) -> Self {
        let inner = Inner {
            sink,
            state: State::Open,
        };
        Self {
            json,
            terminal,
            inner: Arc::new(Mutex::new(inner)),
        }
    }

    /// Whether one JSON object a line was asked for.
    pub const fn json(&self) -> bool {
        self.json
    }

    /// Whether a person looks at a terminal.
    pub const fn is_terminal(&self) -> bool {
        self.terminal
    }

    /// Writes one line (or several, already separated).
    pub fn line(&self, text: &str) {
        // A panic elsewhere while writing leaves at worst half a line; the output goes on.
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        if !matches!(inner.state, State::Open) {
            return;
        }
        let sink = &mut inner.sink;
        let written = sink
            .write_all(text.as_bytes())
            .and_then(|()| sink.write_all(b"\n"))
            .and_then(|()| sink.flush());
        if let Err(error) = written {
            inner.state = match error.kind() {
                io::ErrorKind::BrokenPipe => State::Closed,
                _ => State::Failed(error),
            };
        }
    }

    /// Writes `value` as one line of JSON.
    pub fn json_line<T: Serialize>(&self, value: &T) {
        match serde_json::to_string(value) {
            Ok(text) => self.line(&text),
            Err(error) => self.fail(io::Error::other(error)),
        }
    }

    /// Writes a remark for a person: to standard output, or to standard error when that belongs to JSON.
    pub fn note(&self, text: &str) {
        if self.json {
            // Nobody may be reading standard error either.
            let _ = writeln!(io::stderr(), "{text}");
        } else {
            self.line(text);
        }
    }

    /// Whether the reader has gone away or writing has failed.
    pub fn is_closed(&self) -> bool {
        let inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        !matches!(inner.state, State::Open)
    }

    fn fail(&self, error: io::Error) {
        self.inner
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .state = State::Failed(error);
    }

    /// Says at the end whether all that was written arrived. A reader that went away counts as arrived.
    ///
    /// # Errors
    /// [`HostError::Machine`] when writing failed, for example on a full disk.
    pub fn finish(&self) -> Result<(), HostError> {
        let inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        match &inner.state {
            State::Open | State::Closed => Ok(()),
            State::Failed(error) => Err(HostError::machine(
                format!("cannot write the output: {error}"),
                "free some space where the output goes; stored events are still listed by `twinstep events`",
            )),
        }
    }
}

/// Shows an error to the user on standard error.
pub fn show_error(error: &HostError) {
    let stderr = io::stderr();
    let terminal = stderr.is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let _ = stderr.lock().write_all(error.render(terminal).as_bytes());
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A sink that can be read back, and that fails once `budget` bytes are through.
    #[derive(Clone)]
    pub(crate) struct Buffer {
        pub(crate) bytes: Arc<Mutex<Vec<u8>>>,
        budget: usize,
        kind: io::ErrorKind,
    }

    impl Buffer {
        pub(crate) fn endless() -> Self {
            Self::failing(usize::MAX, io::ErrorKind::Other)
        }

        fn failing(budget: usize, kind: io::ErrorKind) -> Self {
            Self {
                bytes: Arc::default(),
                budget,
                kind,
            }
        }

        pub(crate) fn text(&self) -> String {
            String::from_utf8(self.bytes.lock().unwrap().clone()).unwrap()
        }
    }

    impl Write for Buffer {
        fn write(&mut self, data: &[u8]) -> io::Result<usize> {
            let mut bytes = self.bytes.lock().unwrap();
            if bytes.len() + data.len() > self.budget {
                return Err(self.kind.into());
            }
            bytes.extend_from_slice(data);
            Ok(data.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn lines_are_written_whole() {
        let buffer = Buffer::endless();
        let output = Output::new(true, false, Box::new(buffer.clone()));
        output.json_line(&serde_json::json!({"type": "x"}));
        output.line("second");
        assert_eq!(buffer.text(), "{\"type\":\"x\"}\nsecond\n");
        assert!(output.finish().is_ok() && !output.is_closed());
    }

    #[test]
    fn a_reader_that_goes_away_is_no_failure() {
        let output = Output::new(
            false,
            false,
            Box::new(Buffer::failing(3, io::ErrorKind::BrokenPipe)),
        );
        output.line("longer than three");
        output.note("never panics");
        assert!(output.is_closed());
        assert!(output.finish().is_ok());
    }

    #[test]
    fn a_full_disk_is_reported_at_the_end() {
        let output = Output::new(
            false,
            false,
            Box::new(Buffer::failing(3, io::ErrorKind::StorageFull)),
        );
        output.line("longer than three");
        let error = output.finish().unwrap_err();
        assert_eq!(error.exit(), crate::error::Exit::MachineFailed);
    }
}
