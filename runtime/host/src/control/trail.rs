//! What clients of the control socket change, written down before a cycle is told: one line of JSON a request, in a file beside the event
//! store.
//!
//! The gateway has a trail of its own with the names of people. This one has users and processes of the computer, whichever program they
//! take, the gateway's among them.

use crate::clock::utc_ns;
use serde::Serialize;
use serde_json::Value;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::fd::BorrowedFd;
use std::path::{Path, PathBuf};

/// File of the trail in the folder of the event store.
const FILE: &str = "commands.jsonl";
/// Lines that a run writes: more than people ask for in years.
const MAX_LINES: u64 = 10_000;

/// One request.
#[derive(Serialize)]
#[serde(tag = "type", rename = "command")]
struct CommandLine<'a> {
    time_utc_ns: u64,
    /// User and process at the other end; null where the system does not say.
    uid: Option<u32>,
    pid: Option<i32>,
    /// As it came.
    request: &'a Value,
}

/// The trail of one run.
pub(super) struct Trail {
    path: PathBuf,
    file: Option<File>,
    written: u64,
    /// That it cannot be written has been said.
    said: bool,
}

impl Trail {
    /// A trail in `folder`; its file is made with the first line.
    pub fn in_folder(folder: &Path) -> Self {
        Self {
            path: folder.join(FILE),
            file: None,
            written: 0,
            said: false,
        }
    }

    /// Notes the request `line` of the client at the other end of `peer`. Where that cannot be, nothing is refused for it: what the user is
    /// to be told comes back, once.
    pub fn note(&mut self, line: &[u8], peer: BorrowedFd<'_>) -> Option<String> {
        let why = match self.write(line, peer) {
            Ok(()) => return None,
            Err(why) => why,
        };
        let first = !std::mem::replace(&mut self.said, true);
        first.then(|| {
            format!(
                "requests are not written down in {} any more, and obeyed as before: {why}",
                self.path.display()
            )
        })
    }

    fn write(&mut self, line: &[u8], peer: BorrowedFd<'_>) -> io::Result<()> {
        if self.written >= MAX_LINES {
            let full = format!("this run has written {MAX_LINES} lines, which is the limit");
            return Err(io::Error::other(full));
        }
        let request: Value = serde_json::from_slice(line)?;
        let peer = rustix::net::sockopt::socket_peercred(peer).ok();
        let mut text = serde_json::to_string(&CommandLine {
            time_utc_ns: utc_ns(),
            uid: peer.map(|peer| peer.uid.as_raw()),
            pid: peer.map(|peer| peer.pid.as_raw_pid()),
            request: &request,
        })?;
        text.push('\n');
        if self.file.is_none() {
            let mut options = OpenOptions::new();
            self.file = Some(options.create(true).append(true).open(&self.path)?);
        }
        if let Some(file) = &mut self.file {
            file.write_all(text.as_bytes())?;
            self.written += 1;
        }
        Ok(())
    }
}
