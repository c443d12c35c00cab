//! What a person sees of a run: one line a second without a terminal, the live view with one.
#![allow(
    clippy::unwrap_used,
    reason = "a test fails by panicking, its helpers too"
)]

use std::io::{BufRead, BufReader, Read};
use std::process::Command;
use twinstep_tests::run::{Place, json_lines};
use twinstep_tests::tmux::Tmux;
use twinstep_tests::{binary, program};

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

#[test]
fn the_live_view_shows_axes_and_budgets_and_quits() {
    let Some(program) = program("the_live_view_shows_axes_and_budgets_and_quits", "tmux") else {
        return;
    };
    let place = Place::new();
    let (state, code) = (place.path("state"), place.path("code"));
    let line = format!(
        "{} demo --state {} --inject drive_fault:gantry:code=0x2310@500ms; echo $? > {}",
        binary().display(),
        state.display(),
        code.display()
    );
    let tmux = Tmux::start(program, &place, &line);

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
    let last = tmux.shows(&expected);
    assert_eq!(last.lines().count(), 24);

    tmux.key("q");
    tmux.ends();
    assert_eq!(
        std::fs::read_to_string(&code).unwrap().trim(),
        "0",
        "exit code"
    );
    // What was seen is stored.
    let events = place.twinstep(&format!("events --state {} --json", state.display()));
    assert_eq!(events.fine().lines()[0]["source"], "gantry");
}

#[test]
fn a_run_whose_terminal_goes_away_ends() {
    let Some(program) = program("a_run_whose_terminal_goes_away_ends", "tmux") else {
        return;
    };
    let place = Place::new();
    let (state, pid) = (place.path("state"), place.path("pid"));
    let line = format!(
        "echo $$ > {}; exec {} demo --state {}",
        pid.display(),
        binary().display(),
        state.display()
    );
    let tmux = Tmux::start(program, &place, &line);
    let _ = tmux.shows(&["twinstep  demo", "infeed"]);
    tmux.hang_up(&pid);
}

#[test]
fn a_hang_up_stops_a_run_in_order() {
    let place = Place::new();
    let args = "demo --json --cycles 3600000 --inject frame_loss:bus:count=3@100ms";
    let mut child = place
        .command(binary(), args.split_whitespace())
        .spawn()
        .unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    let mut lines = String::new();
    // Its first event says that it cycles. Terminals and shells both tell of a hang-up.
    out.read_line(&mut lines).unwrap();
    let pid = child.id().to_string();
    for _ in 0..2 {
        let told = Command::new("kill").args(["-HUP", &pid]).status();
        assert!(told.unwrap().success());
    }
    out.read_to_string(&mut lines).unwrap();
    assert!(child.wait().unwrap().success(), "{lines}");
    let summary = json_lines(&lines).pop().unwrap();
    assert_eq!(summary["type"], "summary", "{lines}");
}
