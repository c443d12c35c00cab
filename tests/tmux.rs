//! A terminal of 80x24 to look at and type into, for tests of what a person sees.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::run::Place;

/// Looks at the screen, each a call of a program that takes milliseconds, before a test gives up.
const LOOKS: usize = 20_000;
/// The only session.
const SESSION: &str = "screen";

/// A terminal multiplexer's server of our own, which ends with the value.
#[derive(Debug)]
pub struct Tmux {
    program: PathBuf,
    socket: String,
}

impl Drop for Tmux {
    fn drop(&mut self) {
        self.command(&["kill-server"]);
    }
}

impl Tmux {
    /// Runs the shell's `line` in it. `place` is its folder, as for every run.
    ///
    /// # Panics
    /// Where it does not start.
    #[must_use]
    pub fn start(program: PathBuf, place: &Place, line: &str) -> Self {
        let socket = place.path("tmux").display().to_string();
        let tmux = Self { program, socket };
        let folder = place.path("").display().to_string();
        let args = [
            "new-session",
            "-d",
            "-s",
            SESSION,
            "-c",
            &folder,
            "-x",
            "80",
            "-y",
            "24",
            line,
        ];
        assert!(tmux.command(&args).is_some(), "tmux starts no session");
        tmux
    }

    fn command(&self, args: &[&str]) -> Option<String> {
        let mut command = Command::new(&self.program);
        command.args(["-f", "/dev/null", "-S", &self.socket]);
        let output = command.args(args).output();
        let output = output.unwrap_or_else(|error| panic!("{}: {error}", self.program.display()));
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        output.status.success().then_some(text)
    }

    /// What stands on the screen; none once the session has ended.
    #[must_use]
    pub fn screen(&self) -> Option<String> {
        self.command(&["capture-pane", "-p", "-t", SESSION])
    }

    /// Types a key by its name, such as `q` or `Enter`.
    pub fn key(&self, key: &str) {
        self.command(&["send-keys", "-t", SESSION, key]);
    }

    /// Types text, letter by letter.
    pub fn text(&self, text: &str) {
        self.command(&["send-keys", "-l", "-t", SESSION, text]);
    }

    /// Looks until all of `expected` stands on the screen at once; returns it.
    ///
    /// # Panics
    /// Where it never does, or the session ends.
    #[must_use]
    pub fn shows(&self, expected: &[&str]) -> String {
        let mut last = String::new();
        let mut missing = expected.to_vec();
        for _ in 0..LOOKS {
            let Some(screen) = self.screen() else {
                panic!("the session has ended; {missing:?} was missing on\n{last}")
            };
            last = screen;
            missing = expected.to_vec();
            missing.retain(|text| !last.contains(text));
            if missing.is_empty() {
                return last;
            }
        }
        panic!("{missing:?} is missing on\n{last}")
    }

    /// The terminal goes away under whoever runs in it. Waits until the process whose number stands in the file `pid` has ended.
    ///
    /// # Panics
    /// Where it does not.
    pub fn hang_up(&self, pid: &Path) {
        let text = std::fs::read_to_string(pid);
        let text = text.unwrap_or_else(|error| panic!("{}: {error}", pid.display()));
        let process = Path::new("/proc").join(text.trim());
        assert!(process.exists(), "{} has ended before", process.display());
        self.command(&["kill-server"]);
        // Each look is a program that takes milliseconds.
        let looks = |_| Command::new("true").status().is_ok() && !process.exists();
        let ended = (0..LOOKS).any(looks);
        if !ended {
            let _ = Command::new("kill").args(["-KILL", text.trim()]).status();
        }
        assert!(ended, "it goes on without its terminal");
    }

    /// Looks until the session has ended.
    ///
    /// # Panics
    /// Where it does not.
    pub fn ends(&self) {
        let ended = (0..LOOKS).any(|_| self.screen().is_none());
        assert!(ended, "it does not end:\n{:?}", self.screen());
    }
}
