//! Runs of the real binary, each in a folder of its own, and what came out of them.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use crate::{binary, root};

/// A folder for one test that goes with it; runs in it keep their temporary stores there too.
#[derive(Debug)]
pub struct Place(TempDir);

impl Place {
    /// A fresh folder.
    ///
    /// # Panics
    /// Where none can be made.
    #[must_use]
    #[expect(
        clippy::new_without_default,
        reason = "it makes a folder, which no default should"
    )]
    pub fn new() -> Self {
        Self(
            TempDir::with_prefix("twinstep-test-")
                .unwrap_or_else(|error| panic!("no folder: {error}")),
        )
    }

    /// A path in the folder.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// The path of a file with this text.
    ///
    /// # Panics
    /// Where it cannot be written.
    #[must_use]
    pub fn file(&self, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        path
    }

    /// `program` with arguments, in this folder; nothing is read from a terminal.
    pub fn command<A: AsRef<OsStr>>(
        &self,
        program: &Path,
        args: impl IntoIterator<Item = A>,
    ) -> Command {
        let mut command = Command::new(program);
        command
            .args(args)
            .current_dir(self.0.path())
            .env("TMPDIR", self.0.path())
            .env("XDG_STATE_HOME", self.0.path())
            .env("XDG_RUNTIME_DIR", self.0.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// Runs the binary of the test profile to its end. Words are split at spaces: no path may hold one.
    #[must_use]
    pub fn twinstep(&self, args: &str) -> Run {
        self.run(binary(), args)
    }

    /// Runs `program` with `args`, split at spaces, to its end.
    ///
    /// # Panics
    /// Where it cannot be started, or a thread of it has panicked.
    #[must_use]
    pub fn run(&self, program: &Path, args: &str) -> Run {
        let output = self.command(program, args.split_whitespace()).output();
        let output = output.unwrap_or_else(|error| panic!("{}: {error}", program.display()));
        let run = Run {
            args: args.to_owned(),
            status: output.status,
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        };
        assert!(!run.stderr.contains("panicked"), "{run:?}");
        run
    }

    /// Runs `args` and expects the exit code `code`, all of `says` on standard error, and no result.
    ///
    /// # Panics
    /// Where it is otherwise.
    pub fn refuse(&self, args: &str, code: i32, says: &[&str]) {
        let run = self.twinstep(args);
        assert_eq!(run.status.code(), Some(code), "{run:#?}");
        // Messages are folded to the width of a page.
        let words: Vec<_> = run
            .stderr
            .split_whitespace()
            .filter(|word| *word != "|")
            .collect();
        let said = words.join(" ");
        for text in says {
            assert!(said.contains(text), "{text:?} is not said by {run:#?}");
        }
        // Without --json the folder of the events is named there before anything is tried.
        let result = run
            .stdout
            .lines()
            .find(|line| !line.starts_with("events: "));
        assert_eq!(result, None, "{run:#?}");
    }
}

/// What a run of the binary left.
#[derive(Debug)]
pub struct Run {
    /// Arguments, for messages.
    pub args: String,
    /// How it ended.
    pub status: ExitStatus,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl Run {
    /// Asserts that the exit code is 0.
    ///
    /// # Panics
    /// Where it is not.
    #[must_use]
    pub fn fine(self) -> Self {
        assert!(self.status.success(), "{self:#?}");
        self
    }

    /// Standard output, line by line, as JSON objects.
    ///
    /// # Panics
    /// Where a line is none.
    #[must_use]
    pub fn lines(&self) -> Vec<Value> {
        json_lines(&self.stdout)
    }

    /// The lines of one type.
    #[must_use]
    pub fn of_type(&self, kind: &str) -> Vec<Value> {
        self.lines()
            .into_iter()
            .filter(|line| line["type"] == kind)
            .collect()
    }

    /// The last line, which is the summary.
    ///
    /// # Panics
    /// Where it is something else.
    #[must_use]
    pub fn summary(&self) -> Value {
        let Some(last) = self.lines().pop().filter(|line| line["type"] == "summary") else {
            panic!("the last line is no summary: {self:#?}");
        };
        last
    }

    /// Digest of the run.
    ///
    /// # Panics
    /// Where the summary has none.
    #[must_use]
    pub fn digest(&self) -> String {
        let summary = self.summary();
        let Some(digest) = summary["digest"].as_str() else {
            panic!("no digest in {summary}")
        };
        digest.to_owned()
    }
}

/// A number of a line, or of an object in it.
///
/// # Panics
/// Where it has none of this key.
#[must_use]
pub fn number(line: &Value, key: &str) -> f64 {
    let number = line[key].as_f64();
    number.unwrap_or_else(|| panic!("no number {key} in {line}"))
}

/// Every line of `text` as a JSON object.
///
/// # Panics
/// Where a line is none.
#[must_use]
pub fn json_lines(text: &str) -> Vec<Value> {
    text.lines()
        .map(|line| {
            let value: Value =
                serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
            assert!(value.is_object(), "{line}");
            value
        })
        .collect()
}

/// Permitted capabilities of every thread of a process, by its name.
#[must_use]
pub fn rights_of(process: u32) -> Vec<(String, u64)> {
    let tasks = std::fs::read_dir(format!("/proc/{process}/task"))
        .into_iter()
        .flatten();
    let status =
        tasks.filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("status")).ok());
    status
        .filter_map(|status| {
            let line = |key: &str| status.lines().find_map(|line| line.strip_prefix(key));
            let mask = u64::from_str_radix(line("CapPrm:")?.trim(), 16).ok()?;
            Some((line("Name:")?.trim().to_owned(), mask))
        })
        .collect()
}

/// Whether no thread has a right left, but for that of locking memory: it is kept where its limit cannot be raised.
#[must_use]
pub fn rights_are_given_up(rights: &[(String, u64)]) -> bool {
    const LOCK_MEMORY: u64 = 1 << 14;
    !rights.is_empty() && rights.iter().all(|(_, mask)| mask & !LOCK_MEMORY == 0)
}

/// A configuration that ships with the product.
#[must_use]
pub fn shipped(name: &str) -> PathBuf {
    root().join("rt-config/machines").join(name)
}
