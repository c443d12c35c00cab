//! What a person sees of a run: one line a second without a terminal, the live view with one.
#![allow(
    clippy::unwrap_used,
    reason = "a test fails by panicking, its helpers too"
)]

use std::path::Path;
use std::process::Command;

use twinstep_tests::run::Place;
use twinstep_tests::{binary, program};

/// Looks at the screen, each a call of a program that takes milliseconds, before a test gives up.
const LOOKS: usize = 20_000;

#[test]
fn without_a_terminal_there_is_one_line_a_second() {
    let place = Place::new();
    let run = place.twinstep("demo --cycles 2500").fine();
    let seconds: Vec<f64> = run
        .stdout
        .lines()
        .filter(|line| line.contains("p99 us:"))
        .map(|line| line.split_whitespace().next().unwrap().parse().unwrap())
        .collect();
    // A computer that stands still for a while may swallow a line; there is never one too many.
    assert!((1..=2).contains(&seconds.len()), "{run:#?}");
    for (n, second) in seconds.iter().enumerate() {
        assert!(*second >= n as f64 + 1.0, "{seconds:?}");
    }
    assert!(run.stdout.contains("2500 cycles of 1000 us"), "{run:#?}");
    assert!(run.stdout.contains("timing"), "{run:#?}");
    assert!(!run.stdout.contains('\u{1b}'), "no escapes in a pipe");
}

/// A terminal multiplexer's server of our own, which ends with the value.
struct Tmux<'a> {
    program: &'a Path,
    socket: String,
}

impl Tmux<'_> {
    fn command(&self, args: &[&str]) -> Option<String> {
        let output = Command::new(self.program)
            .args(["-f", "/dev/null", "-S", &self.socket])
            .args(args)
            .output()
            .unwrap();
        output
            .status
            .success()
            .then(|| String::from_utf8_lossy(&output.stdout).into_owned())
    }

    fn screen(&self) -> Option<String> {
        self.command(&["capture-pane", "-p", "-t", "demo"])
    }
}

impl Drop for Tmux<'_> {
    fn drop(&mut self) {
        self.command(&["kill-server"]);
    }
}

#[test]
fn the_live_view_shows_axes_and_budgets_and_quits() {
    let Some(program) = program("the_live_view_shows_axes_and_budgets_and_quits", "tmux") else {
        return;
    };
    let place = Place::new();
    let tmux = Tmux {
        program: &program,
        socket: place.path("tmux").display().to_string(),
    };
    let (state, code) = (place.path("state"), place.path("code"));
    let line = format!(
        "{} demo --state {} --inject drive_fault:gantry:code=0x2310@500ms; echo $? > {}",
        binary().display(),
        state.display(),
        code.display()
    );
    let started = tmux.command(&[
        "new-session",
        "-d",
        "-s",
        "demo",
        "-x",
        "80",
        "-y",
        "24",
        &line,
    ]);
    assert!(started.is_some(), "tmux starts no session");

    // All axes, stations and phases fit into 80x24, and the deviation is announced.
    let expected = [
        "twinstep  demo",
        "infeed",
        "outfeed",
        "gantry",
        "carriage",
        "cross",
        "insert",
        "lift",
        "pusher",
        "press",
        "gripper",
        "mbar",
        "measured",
        "predicted",
        "wake",
        "send",
        "predict",
        "receive",
        "compare",
        "publish",
        "correct",
        "acyclic",
        "slack",
        "budget",
        "█",
        "gantry drive_state raised",
        "timing",
        "q quit",
    ];
    let mut last = String::new();
    let mut missing = expected.to_vec();
    for _ in 0..LOOKS {
        last = tmux
            .screen()
            .unwrap_or_else(|| panic!("the session has ended; it showed\n{last}"));
        missing = expected
            .iter()
            .copied()
            .filter(|text| !last.contains(text))
            .collect();
        if missing.is_empty() {
            break;
        }
    }
    assert!(missing.is_empty(), "{missing:?} is missing on\n{last}");
    assert_eq!(last.lines().count(), 24);

    tmux.command(&["send-keys", "-t", "demo", "q"]);
    let ended = (0..LOOKS).any(|_| tmux.screen().is_none());
    assert!(ended, "`q` does not end it:\n{:?}", tmux.screen());
    assert_eq!(
        std::fs::read_to_string(&code).unwrap().trim(),
        "0",
        "exit code"
    );
    // What was seen is stored.
    let events = place.twinstep(&format!("events --state {} --json", state.display()));
    assert_eq!(events.fine().lines()[0]["source"], "gantry");
}
