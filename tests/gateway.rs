//! A gateway of the real binary beside a run, and plain HTTP to it, for tests.

use crate::cable::python_with;
use crate::run::Place;
use crate::{binary, program, release_binary, root, skip};
use rustix::net::{AddressFamily, SocketType};
use serde_json::Value;
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

/// How long an answer is awaited before the test fails.
const PATIENCE: Duration = Duration::from_secs(20);

/// How often somebody looks who is not told.
const LOOK: Duration = Duration::from_millis(20);

/// Looks until there is what is looked for, fifty times a second at most: who looks all the time takes the processor from what he waits for.
/// The runner of the tests ends what never comes.
pub fn until<T>(mut look: impl FnMut() -> Option<T>) -> T {
    loop {
        if let Some(found) = look() {
            return found;
        }
        std::thread::sleep(LOOK);
    }
}

/// A process of the real binary that prints JSON lines, and goes with this value.
pub struct Peer {
    /// The process.
    pub child: Child,
    lines: Option<BufReader<ChildStdout>>,
}

impl Peer {
    /// Starts `twinstep` with `args`, split at spaces, in `place`.
    ///
    /// # Panics
    /// Where it cannot be started.
    #[must_use]
    pub fn start(place: &Place, args: &str) -> Self {
        Self::of(place.command(binary(), args.split_whitespace()))
    }

    /// The same; what it says on standard error goes into the file `errors` in `place`.
    ///
    /// # Panics
    /// Where it cannot be started.
    #[must_use]
    pub fn heard(place: &Place, program: &Path, args: &str, errors: &str) -> Self {
        let command = place.command(program, args.split_whitespace());
        Self::of_heard(command, &place.path(errors))
    }

    /// The same with `command`.
    ///
    /// # Panics
    /// Where it cannot be started.
    #[must_use]
    pub fn of_heard(command: Command, errors: &Path) -> Self {
        let file = File::create(errors);
        let file = file.unwrap_or_else(|error| panic!("{}: {error}", errors.display()));
        Self::spawn(command, file.into())
    }

    /// Starts `command`.
    ///
    /// # Panics
    /// Where it cannot be started.
    #[must_use]
    pub fn of(command: Command) -> Self {
        Self::spawn(command, Stdio::inherit())
    }

    fn spawn(mut command: Command, errors: Stdio) -> Self {
        let child = command.stderr(errors).spawn();
        let mut child = child.unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let Some(stdout) = child.stdout.take() else {
            panic!("{command:?} has no standard output")
        };
        Self {
            child,
            lines: Some(BufReader::new(stdout)),
        }
    }

    /// The next line.
    ///
    /// # Panics
    /// Where it ends before.
    pub fn line(&mut self) -> String {
        let mut line = String::new();
        let lines = self.lines.as_mut();
        let read = lines.map_or(0, |lines| lines.read_line(&mut line).unwrap_or(0));
        assert!(read > 0, "it has ended: {:?}", self.child.wait());
        line
    }

    /// Its lines are read and forgotten from here on: nobody holds it up who does not read.
    pub fn forget_lines(&mut self) {
        self.follow(drop);
    }

    /// Its lines go to `each` from here on, in a thread of their own.
    pub fn follow(&mut self, each: impl FnMut(String) + Send + 'static) {
        if let Some(lines) = self.lines.take() {
            std::thread::spawn(move || lines.lines().map_while(Result::ok).for_each(each));
        }
    }

    /// The next line of JSON of this type; others are passed over.
    ///
    /// # Panics
    /// Where it ends before.
    pub fn next(&mut self, kind: &str) -> Value {
        loop {
            let line = self.line();
            let value: Value = serde_json::from_str(&line).unwrap_or_default();
            if value["type"] == kind {
                return value;
            }
        }
    }

    /// Where the page is that it says it serves.
    ///
    /// # Panics
    /// Where it ends before.
    pub fn url(&mut self) -> String {
        let listening = self.next("listening");
        listening["url"].as_str().unwrap_or_default().to_owned()
    }

    /// Sends a signal by its name, such as `TERM`.
    ///
    /// # Panics
    /// Where `kill` cannot be called.
    pub fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        let sent = Command::new("kill").args(["-s", name, &id]).status();
        assert!(sent.is_ok_and(|status| status.success()), "kill -s {name}");
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Whether the release binary has OPC UA; says so, where not, that `test` goes without.
///
/// # Panics
/// Where it does neither.
#[must_use]
pub fn has_opcua(test: &str) -> bool {
    let place = Place::new();
    let _ = place.file("g.toml", "[opcua]\n");
    let run = place.run(
        release_binary(),
        "gateway --json --state state --config g.toml --listen 127.0.0.1:0",
    );
    assert_eq!(run.status.code(), Some(2), "{run:#?}");
    let without = run.stderr.contains("without OPC UA");
    if without {
        skip(
            test,
            "the release binary has no OPC UA: build it with `--features opcua`, as scripts/test does",
        );
    }
    !without
}

/// A real Chromium, and a Python that drives it.
pub struct Browser {
    python: PathBuf,
    chromium: PathBuf,
}

impl Browser {
    /// Those of this computer. Without them `test` is skipped aloud.
    #[must_use]
    pub fn find(test: &str) -> Option<Self> {
        Some(Self {
            python: python_with(test, "playwright")?,
            chromium: program(test, "chromium")?,
        })
    }

    /// Looks at the page at `url` with a script of `tests/gateway`, which is given `more`, and returns what it has seen.
    ///
    /// # Panics
    /// Where the script fails.
    #[must_use]
    pub fn look(&self, place: &Place, script: &str, url: &str, more: &[&str]) -> Value {
        let script = root().join("tests/gateway").join(script);
        let mut command = place.command(&self.python, [script]);
        command.arg(url).arg(&self.chromium).args(more);
        // A browser keeps its files where it is told, and asks no session for them.
        command.env("HOME", place.path("home"));
        let output = command.output();
        let output = output.unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{errors}");
        let seen = serde_json::from_slice(&output.stdout);
        seen.unwrap_or_else(|error| panic!("{error}: {errors}"))
    }
}

/// An answer.
#[derive(Debug)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The head, as it came.
    pub head: String,
    /// The body.
    pub body: String,
}

impl Answer {
    /// The body as JSON; null where it is none.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_default()
    }
}

/// `HOST:PORT` of an address such as `http://HOST:PORT/`.
#[must_use]
pub fn host_of(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.trim_end_matches('/')
}

/// A connection to `url` with patience.
///
/// # Panics
/// Where nobody listens there.
#[must_use]
pub fn connect(url: &str) -> TcpStream {
    let host = host_of(url);
    let stream = TcpStream::connect(host).unwrap_or_else(|error| panic!("{host}: {error}"));
    let set = stream.set_read_timeout(Some(PATIENCE));
    set.unwrap_or_else(|error| panic!("{host}: {error}"));
    stream
}

/// Receive buffer of who never reads (bytes): the least that a kernel takes, so that the first message is more than fits.
const DEAF_BUFFER: usize = 4096;

/// Somebody who asks for the live stream and never reads a byte of it. The buffer is set before he connects: a kernel takes megabytes for
/// who does not read otherwise, and nobody would notice for a minute that he does not.
///
/// # Panics
/// Where nobody listens there.
#[must_use]
pub fn deaf(url: &str) -> TcpStream {
    let host = host_of(url);
    let connected = || -> std::io::Result<TcpStream> {
        let address: SocketAddr = host.parse().map_err(std::io::Error::other)?;
        let socket = rustix::net::socket(AddressFamily::INET, SocketType::STREAM, None)?;
        rustix::net::sockopt::set_socket_recv_buffer_size(&socket, DEAF_BUFFER)?;
        rustix::net::connect(&socket, &address)?;
        let mut stream = TcpStream::from(socket);
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.write_all(format!("GET /api/live HTTP/1.1\r\nHost: {host}\r\n\r\n").as_bytes())?;
        Ok(stream)
    };
    connected().unwrap_or_else(|error| panic!("{host}: {error}"))
}

/// Sends `METHOD PATH` with these header lines and this body, and reads the answer to its end.
///
/// # Panics
/// Where the connection breaks before the head of an answer is there.
#[must_use]
pub fn http(url: &str, request: &str, headers: &[&str], body: &str) -> Answer {
    let mut stream = connect(url);
    let mut text = format!("{request} HTTP/1.1\r\nConnection: close\r\n");
    if !headers.iter().any(|line| line.starts_with("Host:")) {
        text += &format!("Host: {}\r\n", host_of(url));
    }
    for line in headers {
        text += line;
        text += "\r\n";
    }
    if !body.is_empty() {
        text += &format!("Content-Length: {}\r\n", body.len());
    }
    text += "\r\n";
    text += body;
    // An answer may come before all of a body that nobody wants is read.
    let _ = stream.write_all(text.as_bytes());
    let mut bytes = Vec::new();
    let _ = stream.read_to_end(&mut bytes);
    let text = String::from_utf8_lossy(&bytes);
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
    let status = head.split(' ').nth(1).and_then(|code| code.parse().ok());
    let Some(status) = status else {
        panic!("{request}: no answer but {text:?}")
    };
    Answer {
        status,
        head: head.to_owned(),
        body: body.to_owned(),
    }
}

/// What the gateway's metrics have as the value of `sample`, such as `twinstep_sink_failed_total{sink="web"}`; none where it has none, or
/// nobody is let in now.
#[must_use]
pub fn metric(url: &str, sample: &str) -> Option<u64> {
    let mut stream = connect(url);
    let host = host_of(url);
    let head = format!("GET /metrics HTTP/1.1\r\nConnection: close\r\nHost: {host}\r\n\r\n");
    let _ = stream.write_all(head.as_bytes());
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    value_of(&String::from_utf8_lossy(&answer), sample)
}

/// The value of `sample` in a text of metrics.
#[must_use]
pub fn value_of(metrics: &str, sample: &str) -> Option<u64> {
    let mut lines = metrics.lines();
    lines.find_map(|line| line.strip_prefix(sample)?.trim().parse().ok())
}

/// Looks at a metric until it is so.
pub fn until_metric(url: &str, sample: &str, wanted: impl Fn(u64) -> bool) {
    until(|| metric(url, sample).filter(|value| wanted(*value)));
}

/// [`http`] with a body of JSON.
#[must_use]
pub fn post(url: &str, path: &str, body: &Value) -> Answer {
    let headers = ["Content-Type: application/json"];
    http(url, &format!("POST {path}"), &headers, &body.to_string())
}
