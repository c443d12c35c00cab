//! A running instance and the commands that speak to it.
#![allow(
    clippy::unwrap_used,
    reason = "a test fails by panicking, its helpers too"
)]

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, ChildStdout};

use serde_json::Value;
use twinstep_tests::binary;
use twinstep_tests::run::{Place, json_lines, shipped};

/// A simulated run that goes on until it is ended.
struct Instance {
    child: Child,
    out: BufReader<ChildStdout>,
}

impl Instance {
    /// Runs until its first event: then its socket is there.
    fn start(place: &Place, more: &str) -> Self {
        let args =
            format!("demo --json --cycles 3600000 --inject frame_loss:bus:count=3@100ms {more}");
        let command = place.command(binary(), args.split_whitespace()).spawn();
        let mut child = command.unwrap();
        let out = BufReader::new(child.stdout.take().unwrap());
        let mut instance = Self { child, out };
        assert_eq!(instance.event()["source"], "bus");
        instance
    }

    fn event(&mut self) -> Value {
        let mut line = String::new();
        self.out.read_line(&mut line).unwrap();
        json_lines(&line).remove(0)
    }

    fn signal(&self, name: &str) {
        signal(&self.child, name);
    }

    /// Ends it in order; returns its summary.
    fn stop(mut self) -> Value {
        self.signal("TERM");
        let mut rest = String::new();
        self.out.read_to_string(&mut rest).unwrap();
        assert!(self.child.wait().unwrap().success());
        json_lines(&rest).pop().unwrap()
    }

    fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        // A test that has failed leaves nobody behind; one that has ended cannot be killed, which is as well.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn signal(child: &Child, name: &str) {
    let told = std::process::Command::new("sh")
        .args(["-c", &format!("kill -{name} {}", child.id())])
        .status();
    assert!(told.unwrap().success());
}

#[test]
fn a_running_instance_is_asked_and_told() {
    let place = Place::new();
    let mut run = Instance::start(&place, "");
    // Found without being named.
    let status = place.twinstep("status --json").fine().lines().remove(0);
    assert_eq!(
        (&status["machine"], &status["simulated"]),
        (&"press cell".into(), &true.into())
    );
    assert_eq!(status["pid"], run.child.id());
    assert!(status["cycle"].as_u64().unwrap() >= 100);
    assert_eq!(status["axes"].as_array().unwrap().len(), 9);
    let trust = &status["trust"];
    let granted = |key: &str| trust[key].as_bool().unwrap();
    let policy = ["fifo", "deadline"]
        .iter()
        .any(|one| trust["policy"] == *one);
    let valid = ["realtime_kernel", "memory_locked", "throttling_off"].map(granted) == [true; 3]
        && policy
        && !granted("virtual_machine");
    assert_eq!(granted("timing_valid"), valid, "{trust}");
    let text = place.twinstep("status").fine().stdout;
    assert!(
        text.contains("would have overrun") && text.contains("carriage"),
        "{text}"
    );

    let patch = place.twinstep("budget --set predict=1ns --set servo=2us --set acyclic=none");
    let patch = patch.fine().stdout;
    assert!(
        patch.contains("predict = \"1ns\"") && patch.contains("servo = \"2us\""),
        "{patch}"
    );
    assert!(!patch.contains("acyclic"), "{patch}");
    // Every cycle is over a budget of a nanosecond: they are counted from the next cycle on.
    loop {
        let status = place.twinstep("status --json").fine().lines().remove(0);
        assert_eq!(status["phases"][2]["budget_ns"], 1);
        if status["phases"][2]["over_budget"].as_u64().unwrap() > 0 {
            break;
        }
    }
    place.refuse("budget --set dance=1us", 2, &["dance", "predict"]);
    place.refuse("budget --set wake=2ms", 2, &["longer than the period"]);
    place.refuse("budget --set wake", 2, &["PHASE=TIME"]);

    // The budget that is exceeded every time has a cause.
    loop {
        let status = place.twinstep("status --json").fine().lines().remove(0);
        let causes = &status["overruns"]["budgets_by_cause"];
        if causes["models_over_budget"].as_u64().unwrap_or(0) > 0 {
            let recent = status["overruns"]["recent"].as_array().unwrap();
            assert!(
                !recent.last().unwrap()["next_step"]
                    .as_str()
                    .unwrap()
                    .is_empty()
            );
            break;
        }
    }
    // Once the warm-up is over, what-if counts; after a reset only what came since.
    let status = || place.twinstep("status --json").fine().lines().remove(0);
    let counted = |status: &Value| status["what_if"]["cycles"].as_u64().unwrap();
    let at = |status: &Value| status["cycle"].as_u64().unwrap();
    let before = loop {
        let status = status();
        if counted(&status) > 0 {
            break status;
        }
    };
    let _ = place.twinstep("reset").fine();
    let after = status();
    assert!(
        counted(&after) <= at(&after) - at(&before),
        "{before} {after}"
    );

    let injected = place
        .twinstep("inject drive_fault:lift:code=0x8611 --json")
        .fine();
    assert_eq!(injected.lines()[0]["type"], "done");
    // The frames that were lost at first are cleared when it is time.
    while run.event()["source"] != "lift" {}
    place.refuse("inject drive_fault:nobody:code=0x8611", 2, &["nobody"]);
    let _ = place.twinstep("inject --clear").fine();
    let _ = place.twinstep("arm").fine();
    let summary = run.stop();
    assert_eq!(summary["type"], "summary");
    place.refuse("status", 1, &["no running twinstep answers"]);
}

#[test]
fn a_named_socket_is_taken_once_and_a_dead_ones_is_taken_over() {
    let place = Place::new();
    let first = Instance::start(&place, "--control own.sock");
    place.refuse(
        "demo --json --cycles 10 --control own.sock",
        2,
        &["already running", "own.sock"],
    );
    // Simulated machines may stand side by side at the usual place.
    let second = Instance::start(&place, "");
    let third = Instance::start(&place, "");
    place.refuse("status", 2, &["2 instances", "--control"]);
    assert!(
        place
            .twinstep("status --control own.sock")
            .fine()
            .stdout
            .contains("press cell")
    );
    third.stop();
    second.stop();
    // Nothing can be tidied up; the socket stays.
    first.kill();
    assert!(place.path("own.sock").exists());
    place.refuse("status --control own.sock", 1, &["own.sock"]);
    let again = Instance::start(&place, "--control own.sock");
    again.stop();
    assert!(!place.path("own.sock").exists());
}

#[test]
fn virtual_time_has_a_socket_where_one_is_named() {
    let place = Place::new();
    let run = place.twinstep("demo --fast --json --cycles 100").fine();
    assert_eq!(run.summary()["cycles"], 100);
    assert!(!place.path("twinstep").exists(), "none by itself");
    let _ = place.file("taken", "a file");
    place.refuse(
        "demo --fast --json --cycles 10 --control taken",
        2,
        &["no socket", "--control"],
    );
    let args = "demo --fast --json --cycles 3600000000 --control fast.sock";
    let mut child = place
        .command(binary(), args.split_whitespace())
        .spawn()
        .unwrap();
    // The socket is there before the first cycle; until then nobody answers.
    let status = loop {
        let asked = place.twinstep("status --json --control fast.sock");
        if asked.status.success() {
            break asked.lines().remove(0);
        }
        assert!(child.try_wait().unwrap().is_none());
    };
    assert_eq!(status["overruns"]["count"], 0);
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn events_are_followed_without_loss_until_somebody_ends_it() {
    let place = Place::new();
    let run = Instance::start(&place, "--control own.sock");
    let follow = |since: &str| {
        let args = format!("events --follow --json --control own.sock {since}");
        place
            .command(binary(), args.split_whitespace())
            .spawn()
            .unwrap()
    };
    let (mut all, mut new) = (follow("--since 0"), follow(""));
    let lines = |child: &mut Child| BufReader::new(child.stdout.take().unwrap());
    let (mut all_lines, mut new_lines) = (lines(&mut all), lines(&mut new));
    let next = |lines: &mut BufReader<ChildStdout>| {
        let mut line = String::new();
        lines.read_line(&mut line).unwrap();
        json_lines(&line).remove(0)
    };
    assert_eq!(next(&mut all_lines)["seq"], 1);
    // Events until the one that waits for new ones has seen some: it may have begun at any of them.
    let mut code = 0x1000;
    let first_new = std::thread::scope(|scope| {
        let seen = scope.spawn(|| next(&mut new_lines));
        while !seen.is_finished() {
            code += 1;
            let fault = format!("inject emergency:lift:code={code:#x} --control own.sock");
            let _ = place.twinstep(&fault);
        }
        seen.join().unwrap()["seq"].as_u64().unwrap()
    });
    assert!(first_new >= 1);
    for seq in 2..=first_new {
        assert_eq!(next(&mut all_lines)["seq"], seq);
    }
    // One is interrupted, the other's reader goes away.
    signal(&all, "INT");
    assert!(all.wait().unwrap().success());
    drop(new_lines);
    assert!(new.wait().unwrap().success());
    run.stop();
    // A plain list still ends by itself.
    let state = place.path("none").display().to_string();
    place.refuse(&format!("events --follow --state {state}"), 2, &["--state"]);
}

#[test]
fn budgets_are_found_written_and_accepted() {
    let place = Place::new();
    let text = std::fs::read_to_string(shipped("press-cell.toml")).unwrap();
    let config = place.file("cell.toml", &text);
    let config = config.display();
    // Two seconds, of which the first tenth is warm-up; a large probability needs no long tail.
    let run = place.twinstep(&format!(
        "budget {config} --for 2s --probability 0.01 --json"
    ));
    let lines = run.fine().lines();
    let budget = &lines[0];
    assert_eq!((lines.len(), &budget["type"]), (1, &"budget".into()));
    assert_eq!(budget["cycles"], 1800);
    let rows = budget["rows"].as_array().unwrap();
    let names: Vec<_> = rows
        .iter()
        .map(|row| row["name"].as_str().unwrap())
        .collect();
    assert_eq!(
        names.join(" "),
        "wake send predict receive compare publish correct acyclic slack servo press station"
    );
    for row in rows.iter().filter(|row| row["name"] != "slack") {
        assert!(row["budget_ns"].as_u64() >= row["max_ns"].as_u64(), "{row}");
    }
    assert_eq!(budget["what_if"]["cycles"], 1800);
    assert_eq!(budget["what_if"]["periods"].as_array().unwrap().len(), 6);
    // Whether this computer holds the period is its own affair, and nothing is written where it does not; what is written must be
    // taken. (Writing alone is tested where the durations are given.)
    let write = || {
        place.twinstep(&format!(
            "budget {config} --for 2s --probability 0.01 --write"
        ))
    };
    let mut run = write();
    for _ in 0..4 {
        if !run.status.success() {
            assert!(run.stderr.contains("nothing was written"), "{run:#?}");
            run = write();
        }
    }
    let after = std::fs::read_to_string(place.path("cell.toml")).unwrap();
    if run.status.success() {
        assert!(run.stdout.contains("proven"), "{run:#?}");
        assert_ne!(after, text);
        assert_eq!(
            std::fs::read_to_string(place.path("cell.toml.bak")).unwrap(),
            text
        );
        let _ = place.twinstep(&format!("check {config}")).fine();
    } else {
        assert!(run.stderr.contains("nothing was written"), "{run:#?}");
        assert_eq!(after, text);
    }
    place.refuse(&format!("budget {config} --for 1ms"), 2, &["1000 to"]);
    place.refuse(&format!("budget {config} --for soon"), 2, &["no time"]);
    place.refuse(
        &format!("budget {config} --probability 2"),
        2,
        &["no probability"],
    );
    place.refuse("budget --write", 2, &["CONFIG"]);
}
