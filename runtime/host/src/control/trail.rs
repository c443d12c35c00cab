//! What clients of the control socket change, written down before a cycle is told: one line of JSON a request, in a file beside the event
//! store.
//!
//! The gateway has a trail of its own with the names of people. This one has users and processes of the computer, whichever program they
//! take, the gateway's among them.
//!
//! What is bounded is the rate: of each kind of request so many lines a minute. What is beyond, and what could not be written, is counted,
//! and the count is written once the minute is over. So who asks for resets on end neither fills the disk nor hides what is asked later.

use super::peer::Peer;
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::fd::BorrowedFd;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// File of the trail in the folder of the event store.
const FILE: &str = "commands.jsonl";
/// Lines of one kind of request in a minute: a new baseline for each axis of a large machine fits, and people ask for less.
const MAX_LINES: u32 = 100;
/// The time that they are counted in (ns).
const MINUTE_NS: u64 = 60_000_000_000;
/// Longest text of a request (bytes); of a longer one name and length are kept.
const MAX_TEXT: usize = 1024;

/// One request.
#[derive(Serialize)]
#[serde(tag = "type", rename = "command")]
struct CommandLine<'a> {
    time_utc_ns: u64,
    /// User and process at the other end; null where the system does not say.
    uid: Option<u32>,
    pid: Option<i32>,
    request: Text<'a>,
}

/// What was asked for.
#[derive(Serialize)]
#[serde(untagged)]
enum Text<'a> {
    /// As it came.
    Whole(&'a Value),
    /// The name of one that is too long, and its length as it came.
    Cut { request: &'a str, bytes: usize },
}

/// How many requests of before have no line of their own.
#[derive(Serialize)]
#[serde(tag = "type", rename = "command")]
struct LeftOutLine {
    time_utc_ns: u64,
    left_out: u64,
}

/// The trail of one run. Time is UTC since 1970 (ns) throughout.
pub(super) struct Trail {
    path: PathBuf,
    /// When the minute began.
    began_utc_ns: u64,
    /// Lines in it, by kind of request; there are as many kinds as [`super::request::Wish`] has names.
    lines: BTreeMap<&'static str, u32>,
    /// Requests without a line that no line has counted yet.
    left_out: u64,
    /// That it cannot be written has been said.
    said: bool,
}

impl Trail {
    /// A trail in `folder`; its file is made with the first line.
    pub fn in_folder(folder: &Path) -> Self {
        Self {
            path: folder.join(FILE),
            began_utc_ns: 0,
            lines: BTreeMap::new(),
            left_out: 0,
            said: false,
        }
    }

    /// Notes the request `line` of the kind `name`, of the client at the other end of `peer`. Where that cannot be, nothing is refused for
    /// it: what the user is to be told comes back, once until it can be again.
    pub fn note(
        &mut self,
        (line, name): (&[u8], &'static str),
        peer: BorrowedFd<'_>,
        now_utc_ns: u64,
    ) -> Option<String> {
        let trouble = self.look(now_utc_ns);
        let lines = self.lines.entry(name).or_default();
        if *lines >= MAX_LINES {
            self.left_out += 1;
            return trouble;
        }
        *lines += 1;
        let written = self.write((line, name), peer, now_utc_ns);
        self.left_out += u64::from(written.is_err());
        trouble.or(self.judge(written))
    }

    /// Begins another minute where one is over, and writes down what was left out in it. What the user is to be told comes back.
    pub fn look(&mut self, now_utc_ns: u64) -> Option<String> {
        // A clock that was set back begins another one too.
        if now_utc_ns.abs_diff(self.began_utc_ns) < MINUTE_NS {
            return None;
        }
        self.began_utc_ns = now_utc_ns;
        self.lines.clear();
        self.finish(now_utc_ns)
    }

    /// Writes down what was left out so far: the run is over. What the user is to be told comes back.
    pub fn finish(&mut self, now_utc_ns: u64) -> Option<String> {
        if self.left_out == 0 {
            return None;
        }
        let written = self.append(&LeftOutLine {
            time_utc_ns: now_utc_ns,
            left_out: self.left_out,
        });
        if written.is_ok() {
            self.left_out = 0;
        }
        self.judge(written)
    }

    /// Whether something was left out that is still to be written down.
    pub const fn owes(&self) -> bool {
        self.left_out > 0
    }

    /// What the user is to be told of an attempt to write.
    fn judge(&mut self, written: io::Result<()>) -> Option<String> {
        let Err(why) = written else {
            self.said = false;
            return None;
        };
        let first = !std::mem::replace(&mut self.said, true);
        first.then(|| {
            format!(
                "requests are not written down in {}, and obeyed as before: {why}",
                self.path.display()
            )
        })
    }

    fn write(
        &self,
        (line, name): (&[u8], &str),
        peer: BorrowedFd<'_>,
        now_utc_ns: u64,
    ) -> io::Result<()> {
        let request: Value = serde_json::from_slice(line)?;
        let peer = Peer::of(peer).ok();
        let text = if request.to_string().len() > MAX_TEXT {
            Text::Cut {
                request: name,
                bytes: line.len(),
            }
        } else {
            Text::Whole(&request)
        };
        self.append(&CommandLine {
            time_utc_ns: now_utc_ns,
            uid: peer.map(|peer| peer.uid),
            pid: peer.and_then(|peer| peer.pid),
            request: text,
        })
    }

    /// Adds a line to the file that is there now: it may have been moved away, or have been cut by a full disk or a kill.
    fn append(&self, line: &impl Serialize) -> io::Result<()> {
        let mut file = open(&self.path)?;
        let mut text = String::new();
        if is_torn(&file)? {
            text.push('\n');
        }
        text.push_str(&serde_json::to_string(line)?);
        text.push('\n');
        file.write_all(text.as_bytes())
    }
}

/// Opens the file, which is made where it is not there. What is no file is refused, and never waited for.
fn open(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new()
        .read(true)
        .append(true)
        .create(true)
        .mode(0o640)
        .custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK)
        .open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::other(
            "a file was expected there, and something else was found; move it away",
        ));
    }
    Ok(file)
}

/// Whether the last line has no end: the next one is not to be glued to it.
fn is_torn(file: &File) -> io::Result<bool> {
    let Some(last) = file.metadata()?.len().checked_sub(1) else {
        return Ok(false);
    };
    let mut byte = [0];
    file.read_exact_at(&mut byte, last)?;
    Ok(byte != *b"\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::fd::AsFd;
    use std::os::unix::fs::PermissionsExt;
    use std::os::unix::net::UnixStream;

    const START_NS: u64 = 1_800_000_000_000_000_000;
    const RESET: (&[u8], &str) = (br#"{"request":"reset"}"#, "reset");
    const ARM: (&[u8], &str) = (br#"{"request":"arm"}"#, "arm");

    struct Bench {
        folder: tempfile::TempDir,
        trail: Trail,
        socket: UnixStream,
        _other: UnixStream,
    }

    impl Bench {
        fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let (socket, other) = UnixStream::pair().unwrap();
            Self {
                trail: Trail::in_folder(folder.path()),
                folder,
                socket,
                _other: other,
            }
        }

        fn path(&self) -> PathBuf {
            self.folder.path().join(FILE)
        }

        fn note(&mut self, asked: (&[u8], &'static str), now_utc_ns: u64) -> Option<String> {
            self.trail.note(asked, self.socket.as_fd(), now_utc_ns)
        }

        /// The lines; one that is no JSON is null.
        fn lines(&self) -> Vec<Value> {
            let text = fs::read_to_string(self.path()).unwrap_or_default();
            let lines = text.lines();
            lines
                .map(|line| serde_json::from_str(line).unwrap_or_default())
                .collect()
        }
    }

    #[test]
    fn who_asks_on_end_hides_nothing_that_is_asked_beside_or_later() {
        let mut bench = Bench::new();
        for n in 0..10_001 {
            assert_eq!(bench.note(RESET, START_NS + n), None);
        }
        assert_eq!(bench.note(ARM, START_NS + 10_001), None);
        let lines = bench.lines();
        assert_eq!(lines.len(), MAX_LINES as usize + 1);
        assert_eq!(lines[MAX_LINES as usize]["request"]["request"], "arm");
        // The next minute.
        assert_eq!(bench.note(ARM, START_NS + MINUTE_NS), None);
        let lines = bench.lines();
        assert_eq!(lines.len(), MAX_LINES as usize + 3);
        let left_out = &lines[MAX_LINES as usize + 1];
        assert_eq!(left_out["type"], "command");
        assert_eq!(left_out["left_out"], 10_001 - u64::from(MAX_LINES));
        assert_eq!(left_out["time_utc_ns"], START_NS + MINUTE_NS);
        let last = &lines[MAX_LINES as usize + 2];
        assert_eq!(last["request"]["request"], "arm");
        assert_eq!(last["pid"], std::process::id());
    }

    #[test]
    fn what_was_left_out_is_written_without_another_request_and_once() {
        let mut bench = Bench::new();
        let many = |bench: &mut Bench, now| {
            for _ in 0..MAX_LINES + 2 {
                assert_eq!(bench.note(RESET, now), None);
            }
        };
        many(&mut bench, START_NS);
        assert!(bench.trail.owes());
        assert_eq!(bench.trail.look(START_NS + MINUTE_NS - 1), None);
        assert_eq!(bench.lines().len(), MAX_LINES as usize);
        assert_eq!(bench.trail.look(START_NS + MINUTE_NS), None);
        assert!(!bench.trail.owes());
        assert_eq!(bench.lines()[MAX_LINES as usize]["left_out"], 2);
        assert_eq!(bench.trail.look(START_NS + 2 * MINUTE_NS), None);
        assert_eq!(bench.lines().len(), MAX_LINES as usize + 1);
        // At the end of a run, and after a clock was set back by an hour.
        let back = START_NS - 60 * MINUTE_NS;
        many(&mut bench, back);
        assert_eq!(bench.trail.finish(back + 1), None);
        let lines = bench.lines();
        assert_eq!(lines.len(), 2 * (MAX_LINES as usize + 1));
        assert_eq!(lines[lines.len() - 1]["left_out"], 2);
        assert_eq!(bench.trail.finish(back + 2), None);
        assert_eq!(bench.lines().len(), lines.len());
    }

    #[test]
    fn of_a_long_request_name_and_length_are_kept() {
        let mut bench = Bench::new();
        let of_length = |length: usize| {
            let frame = r#"{"faults":[""],"request":"inject"}"#.len();
            let fault = "x".repeat(length - frame);
            format!(r#"{{"faults":["{fault}"],"request":"inject"}}"#)
        };
        for length in [MAX_TEXT, MAX_TEXT + 1] {
            let line = of_length(length);
            assert_eq!(line.len(), length);
            assert_eq!(bench.note((line.as_bytes(), "inject"), START_NS), None);
        }
        let lines = bench.lines();
        let whole: Value = serde_json::from_str(&of_length(MAX_TEXT)).unwrap();
        assert_eq!(lines[0]["request"], whole);
        let cut = serde_json::json!({"request": "inject", "bytes": MAX_TEXT + 1});
        assert_eq!(lines[1]["request"], cut);
    }

    #[test]
    fn a_line_that_was_torn_spoils_no_other() {
        let mut bench = Bench::new();
        fs::write(bench.path(), "{\"type\":\"comm").unwrap();
        assert_eq!(bench.note(RESET, START_NS), None);
        assert_eq!(bench.note(ARM, START_NS), None);
        // While the run goes on, too.
        let mut file = OpenOptions::new().append(true).open(bench.path()).unwrap();
        file.write_all(b"{").unwrap();
        assert_eq!(bench.note(RESET, START_NS), None);
        let words: Vec<_> = (bench.lines().iter())
            .map(|line| line["request"]["request"].as_str().map(str::to_owned))
            .collect();
        let words: Vec<_> = words.iter().map(Option::as_deref).collect();
        assert_eq!(
            words,
            [None, Some("reset"), Some("arm"), None, Some("reset")]
        );
    }

    #[test]
    fn what_is_no_file_is_said_once_until_there_is_one() {
        let mut bench = Bench::new();
        let pipe = |bench: &Bench| {
            let mode = rustix::fs::Mode::from_raw_mode(0o600);
            rustix::fs::mkfifoat(rustix::fs::CWD, bench.path(), mode).unwrap();
        };
        pipe(&bench);
        let said = bench.note(RESET, START_NS).unwrap();
        assert!(said.contains(FILE), "{said}");
        assert_eq!(bench.note(ARM, START_NS), None);
        fs::remove_file(bench.path()).unwrap();
        assert_eq!(bench.note(ARM, START_NS + MINUTE_NS), None);
        let lines = bench.lines();
        assert_eq!(lines.len(), 2, "{lines:?}");
        assert_eq!(lines[0]["left_out"], 2);
        assert_eq!(lines[1]["request"]["request"], "arm");
        // It is told anew, a link too, and what the link leads to is left alone.
        fs::remove_file(bench.path()).unwrap();
        let elsewhere = bench.folder.path().join("elsewhere");
        fs::write(&elsewhere, "").unwrap();
        std::os::unix::fs::symlink(&elsewhere, bench.path()).unwrap();
        assert!(bench.note(RESET, START_NS + MINUTE_NS).is_some());
        assert_eq!(fs::read_to_string(&elsewhere).unwrap(), "");
    }

    #[test]
    fn a_file_that_was_moved_away_is_begun_anew_and_not_for_everybody() {
        let mut bench = Bench::new();
        assert_eq!(bench.note(RESET, START_NS), None);
        let mode = fs::metadata(bench.path()).unwrap().permissions().mode();
        assert_eq!(mode & 0o137, 0, "{mode:o}");
        fs::rename(bench.path(), bench.folder.path().join("old")).unwrap();
        assert_eq!(bench.note(ARM, START_NS), None);
        let lines = bench.lines();
        assert_eq!(lines.len(), 1);
        assert_eq!(lines[0]["request"]["request"], "arm");
    }
}
