//! `twinstep top` beside a run, on a real terminal of 80x24.
#![allow(
    clippy::unwrap_used,
    reason = "a test fails by panicking, its helpers too"
)]

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, ChildStdout, Command};

use serde_json::Value;
use twinstep_tests::cable::{Cable, ENDS};
use twinstep_tests::run::{Place, json_lines, shipped};
use twinstep_tests::sim::{Sim, interrupt};
use twinstep_tests::tmux::Tmux;
use twinstep_tests::{binary, program};

/// Socket of all runs here, relative to the folder of the test.
const SOCKET: &str = "own.sock";

/// A simulated run with a socket that goes on until it is ended.
struct Demo {
    child: Child,
    out: BufReader<ChildStdout>,
}

impl Demo {
    /// Starts it with a socket of its own name.
    fn start(place: &Place) -> Self {
        Self::with(place, &format!("--control {SOCKET}"))
    }

    /// Starts it; its first event says that its socket is there.
    fn with(place: &Place, more: &str) -> Self {
        Self::of("bus", place, more)
    }

    /// Starts it for a machine whose bus has this name.
    fn of(bus: &str, place: &Place, more: &str) -> Self {
        let args =
            format!("demo --json --cycles 3600000 --inject frame_loss:{bus}:count=3@100ms {more}");
        let mut child = place
            .command(binary(), args.split_whitespace())
            .spawn()
            .unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        out.read_line(&mut line).unwrap();
        assert_eq!(json_lines(&line)[0]["source"], bus);
        Self { child, out }
    }

    fn stop(mut self) {
        signal("TERM", self.child.id());
        let mut rest = String::new();
        self.out.read_to_string(&mut rest).unwrap();
        assert!(self.child.wait().unwrap().success());
    }
}

fn signal(name: &str, process: u32) {
    let told = Command::new("kill")
        .args([format!("-{name}"), process.to_string()])
        .status();
    assert!(told.unwrap().success());
}

#[test]
fn top_shows_asks_freezes_saves_and_gives_the_terminal_back() {
    let test = "top_shows_asks_freezes_saves_and_gives_the_terminal_back";
    let Some(program) = program(test, "tmux") else {
        return;
    };
    let place = Place::new();
    let demo = Demo::start(&place);
    // Twice, and the shell says with what each of them ended.
    let top = format!("{} top --socket {SOCKET}", binary().display());
    let line = format!(
        "echo before; {top}; echo first $?; sh -c 'echo $$ > pid; exec {top}'; echo second $?; read x"
    );
    let tmux = Tmux::start(program, &place, &line);
    let header = ["press cell", "simulated", "timing", "RT kernel", "1000 us"];
    let first = tmux.shows(&header);
    assert_eq!(first.lines().count(), 24);
    // Every phase and group stands against its budget, and every period has its count.
    let _ = tmux.shows(&[
        "wake",
        "send",
        "predict",
        "receive",
        "compare",
        "publish",
        "correct",
        "acyclic",
        "slack",
        "servo",
        "station",
        "busy",
        "overruns",
        "█",
        "p99.99",
        "62.5",
        "would have",
    ]);
    tmux.key("2");
    let _ = tmux.shows(&[
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
        "sigma",
        "bus frames raised",
    ]);
    // A fault that is none is refused in words; one that is one becomes a deviation.
    for fault in ["friction:nobody:factor=2", "drive_fault:gantry:code=0x2310"] {
        tmux.key("i");
        let _ = tmux.shows(&["inject: _"]);
        tmux.text(fault);
        tmux.key("Enter");
        let said = if fault.contains("nobody") {
            "nobody"
        } else {
            "injected drive_fault"
        };
        let _ = tmux.shows(&[said]);
    }
    let _ = tmux.shows(&["gantry drive_state raised"]);
    tmux.key("3");
    let _ = tmux.shows(&["wake (1 of 13", "below us", "warm-up apart"]);
    tmux.key("r");
    let _ = tmux.shows(&["start anew"]);
    // What is too small for the models is told with its cause and what to do, on a picture that stands still when asked to.
    let tight = format!("budget --set predict=1ns --control {SOCKET}");
    let _ = place.twinstep(&tight).fine();
    tmux.key("4");
    let told = [
        "budget: models over budget; predict",
        "busy",
        "-> Give them more",
    ];
    let _ = tmux.shows(&told);
    tmux.key("p");
    let _ = tmux.shows(&["PAUSED", told[0], told[2]]);
    tmux.key("p");
    let wide = format!("budget --set predict=none --control {SOCKET}");
    let _ = place.twinstep(&wide).fine();
    tmux.key("5");
    let seen = tmux.shows(&["working counter", "simulated in the process", "10, "]);
    assert!(!seen.contains("PAUSED"), "{seen}");
    // A deviation freezes the picture.
    for _ in 0..3 {
        tmux.key("f");
    }
    let _ = tmux.shows(&["freezes on deviation"]);
    let inject = format!("inject frame_loss:bus:count=3 --control {SOCKET}");
    let _ = place.twinstep(&inject).fine();
    let _ = tmux.shows(&["FROZEN: deviation"]);
    tmux.key("6");
    let _ = tmux.shows(&["gantry drive_state raised", "measured"]);
    tmux.key("s");
    let _ = tmux.shows(&["saved twinstep-press_cell-"]);
    let files = std::fs::read_dir(place.path("")).unwrap();
    let saved = files
        .map(|file| file.unwrap().path())
        .find(|path| path.extension().is_some_and(|ending| ending == "json"))
        .unwrap();
    let saved: Value = serde_json::from_str(&std::fs::read_to_string(saved).unwrap()).unwrap();
    assert_eq!(
        (&saved["type"], &saved["frozen"]),
        (&"snapshot".into(), &"deviation".into())
    );
    assert_eq!(saved["status"]["axes"].as_array().unwrap().len(), 9);
    tmux.key("f");
    tmux.key("p");
    // It outlives the run, and finds the next one.
    demo.stop();
    let _ = tmux.shows(&["NO ANSWER", "trying again"]);
    let demo = Demo::start(&place);
    let _ = tmux.shows(&["1 deviation ", "bus frames raised"]);
    tmux.key("?");
    let _ = tmux.shows(&["quit; the run goes on"]);
    tmux.key("q");
    // The second one begins with the budgets; the first one has ended on its keys.
    let _ = tmux.shows(&["press cell", "wake late"]);
    let pid = std::fs::read_to_string(place.path("pid")).unwrap();
    signal("TERM", pid.trim().parse().unwrap());
    let last = tmux.shows(&["before", "first 0", "second 0"]);
    assert!(!last.contains("press cell"), "{last}");
    tmux.key("Enter");
    tmux.ends();
    demo.stop();
}

#[test]
fn top_without_a_screen_prints_lines_and_ends_with_the_run() {
    let place = Place::new();
    let demo = Demo::start(&place);
    let mut top = place
        .command(binary(), ["top", "--json", "--control", SOCKET])
        .spawn()
        .unwrap();
    let mut out = BufReader::new(top.stdout.take().unwrap());
    let mut line = || {
        let mut line = String::new();
        out.read_line(&mut line).unwrap();
        json_lines(&line).remove(0)
    };
    let (first, second) = (line(), line());
    assert_eq!(first["type"], "status");
    assert!(first["cycle"].as_u64() < second["cycle"].as_u64());
    assert_eq!(first["bus"]["subdevices"], 10);
    assert!(first["computer"].is_object() && first["bus"]["links"].is_array());
    // A wrong working counter is kept with both figures.
    let inject = format!("inject working_counter:gantry:count=3 --control {SOCKET}");
    let _ = place.twinstep(&inject).fine();
    let wrong = loop {
        let wrong = line()["bus"]["wrong_working_counter"].clone();
        if wrong.is_object() {
            break wrong;
        }
    };
    assert!(
        wrong["actual"].as_u64() < wrong["expected"].as_u64(),
        "{wrong}"
    );
    demo.stop();
    assert!(top.wait().unwrap().success());
    // A pipe is no screen, and nobody watches what does not run.
    let again = Demo::start(&place);
    place.refuse(
        &format!("top --socket {SOCKET}"),
        2,
        &["terminal", "--json"],
    );
    again.stop();
    place.refuse(&format!("top --socket {SOCKET}"), 1, &[SOCKET]);
}

#[test]
fn top_finds_the_run_of_a_machine() {
    let place = Place::new();
    // Two runs of the press cell, of which one has a socket that nobody looks for.
    let demos = [Demo::start(&place), Demo::with(&place, "")];
    let mut top = place
        .command(binary(), ["top", "--json"])
        .arg(shipped("press-cell.toml"))
        .spawn()
        .unwrap();
    let mut line = String::new();
    let mut out = BufReader::new(top.stdout.take().unwrap());
    out.read_line(&mut line).unwrap();
    assert_eq!(json_lines(&line)[0]["pid"], demos[1].child.id());
    let other = shipped("crank-press.toml");
    place.refuse(
        &format!("top {}", other.display()),
        1,
        &["no running twinstep with the machine"],
    );
    let wrong = place.file("wrong.toml", "nonsense");
    place.refuse(&format!("top {}", wrong.display()), 2, &["wrong.toml"]);
    demos.into_iter().for_each(Demo::stop);
    assert!(top.wait().unwrap().success());
}

#[test]
fn the_link_of_a_real_bus_is_told_up_and_down() {
    const TEST: &str = "the_link_of_a_real_bus_is_told_up_and_down";
    let Some(cable) = Cable::new(TEST) else {
        return;
    };
    let place = Place::new();
    // Both ends share the processor.
    let text = std::fs::read_to_string(shipped("press-cell.toml")).unwrap();
    let text = text.replacen("period = \"1ms\"", "period = \"4ms\"", 1);
    let config = place.file("cell.toml", text).display().to_string();
    let mut sim = Sim::start(&cable, &config, &[]);
    let socket = place.path(SOCKET).display().to_string();
    let args = [
        "run",
        &config,
        "--interface",
        ENDS[0],
        "--json",
        "--control",
        &socket,
    ];
    let mut run = cable
        .command(binary(), args)
        .env("XDG_STATE_HOME", place.path("state"))
        .spawn()
        .unwrap();
    sim.wait_for_op();
    // Until it cycles it answers that it does not.
    let mut link = |state: &str| {
        loop {
            let asked = place.twinstep(&format!("status --json --control {SOCKET}"));
            if asked.status.success() {
                let status = asked.lines().remove(0);
                let link = status["bus"]["links"][0].clone();
                assert_eq!(link["name"], ENDS[0], "{status}");
                if link["state"] == state {
                    return status;
                }
            }
            assert!(run.try_wait().unwrap().is_none(), "it has ended");
        }
    };
    let status = link("up");
    assert_eq!(status["simulated"], false);
    let down = cable
        .command("ip", ["link", "set", ENDS[0], "down"])
        .output();
    assert!(down.unwrap().status.success());
    link("down");
    interrupt(&run);
    run.wait().unwrap();
}

#[test]
fn top_goes_from_bus_to_bus() {
    let Some(program) = program("top_goes_from_bus_to_bus", "tmux") else {
        return;
    };
    let place = Place::new();
    let config = shipped("two-buses.toml").display().to_string();
    let demo = Demo::of(
        "front",
        &place,
        &format!("--config {config} --control {SOCKET}"),
    );
    let top = format!("{} top --socket {SOCKET}", binary().display());
    let tmux = Tmux::start(program, &place, &top);
    let _ = tmux.shows(&["two lines, front", "1000 us", "wake"]);
    tmux.key("2");
    let _ = tmux.shows(&["infeed", "insert", "gripper"]);
    tmux.key("B");
    let rear = tmux.shows(&["two lines, rear", "500 us", "outfeed", "pusher"]);
    assert!(!rear.contains("infeed"), "{rear}");
    // What is asked for goes to the bus that the fault is of, whichever is shown.
    tmux.key("i");
    let _ = tmux.shows(&["inject: _"]);
    tmux.text("drive_fault:insert:code=0x2310");
    tmux.key("Enter");
    let _ = tmux.shows(&["injected drive_fault", "two lines, rear"]);
    tmux.key("B");
    tmux.key("6");
    let _ = tmux.shows(&["two lines, front", "insert drive_state raised"]);
    tmux.key("q");
    tmux.ends();
    demo.stop();
}

#[test]
fn a_top_whose_terminal_goes_away_ends() {
    let Some(program) = program("a_top_whose_terminal_goes_away_ends", "tmux") else {
        return;
    };
    let place = Place::new();
    let demo = Demo::start(&place);
    let top = format!("{} top --socket {SOCKET}", binary().display());
    let tmux = Tmux::start(program, &place, &format!("echo $$ > pid; exec {top}"));
    let _ = tmux.shows(&["press cell", "wake"]);
    tmux.hang_up(&place.path("pid"));
    demo.stop();
}
