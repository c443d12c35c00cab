//! Programs in another language at twinstep's shared memory: one that watches, and one that moves the machine.
#![allow(
    clippy::unwrap_used,
    reason = "a test fails by panicking, its helpers too"
)]

use serde_json::Value;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Stdio};
use twinstep_config::PRESS_CELL;
use twinstep_tests::cable::python_with;
use twinstep_tests::gateway::Peer;
use twinstep_tests::run::{Place, json_lines};
use twinstep_tests::sim::interrupt;
use twinstep_tests::{binary, root};

/// The press cell, shared under a name of this test's own.
fn shared_cell(place: &Place, name: &str, more: &str) -> PathBuf {
    let table = format!("[shared]\nname = \"{name}\"\n{more}\n[judge]");
    place.file("cell.toml", PRESS_CELL.replacen("[judge]", &table, 1))
}

/// A name that no other run has.
fn name(test: &str) -> String {
    format!("{test}-{}", std::process::id())
}

fn script(place: &Place, python: &Path, script: &str, name: &str) -> Child {
    let script = root().join("tests/subscribers").join(script);
    let args = [script.to_str().unwrap(), name];
    place.command(python, args).spawn().unwrap()
}

/// A process that does not outlive a test that fails.
struct Kept(Child);

impl Drop for Kept {
    fn drop(&mut self) {
        // One that has ended cannot be killed, which is as well.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What a script printed.
fn said(child: Child) -> Value {
    let output = child.wait_with_output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn a_python_program_sees_every_flag_and_the_cycles() {
    let test = "a_python_program_sees_every_flag_and_the_cycles";
    let Some(python) = python_with(test, "iceoryx2") else {
        return;
    };
    let (place, name) = (Place::new(), name("watch"));
    let cell = shared_cell(&place, &name, "");
    let watcher = script(&place, &python, "watch.py", &name);
    let args = format!(
        "demo --config {} --json --cycles 6000 --inject drive_fault:lift:code=0x2310@4s",
        cell.display()
    );
    let run = place.command(binary(), args.split(' ')).output();
    let run = run.unwrap();
    assert!(run.status.success(), "{run:?}");
    let lines = json_lines(&String::from_utf8(run.stdout).unwrap());
    let seen = said(watcher);
    assert_eq!(seen["axes"], 9, "{seen}");
    assert_eq!(seen["forward"], true, "{seen}");
    assert!(seen["samples"].as_u64().unwrap() > 1000, "{seen}");
    assert_eq!(seen["wrong"], 0, "{seen}");
    assert!(seen["predicted"].as_u64().unwrap() > 1000, "{seen}");
    // The gripper takes a part and lets it go.
    let stations = seen["stations"].as_array().unwrap();
    assert!(stations.len() > 1000, "{}", stations.len());
    assert!(stations.iter().all(|sample| sample[1] == 1), "{seen}");
    let cycles = stations.iter().map(|sample| sample[0].as_u64().unwrap());
    assert!(cycles.is_sorted_by(|a, b| a < b), "{seen}");
    let valves = serde_json::json!([[0, 0], [0, 1], [1, 0]]);
    assert_eq!(seen["valves"], valves, "{seen}");
    let pressure_pa = |n: usize| seen["pressures_pa"][n].as_f64().unwrap();
    let off_pa = seen["off_pa"].as_f64().unwrap();
    assert!(
        pressure_pa(0) < 60_000.0 && pressure_pa(1) > 90_000.0,
        "{seen}"
    );
    // Within the gripper's limit, which is one and a half times the largest of its healthy record.
    assert!(off_pa > 0.0 && off_pa < 1272.0, "{off_pa}");
    assert_eq!(seen["blown"], 0, "nothing is predicted while it blows off");
    // Every event of the store was a flag first, in its cycle.
    let events: Vec<&Value> = lines.iter().filter(|l| l["type"] == "event").collect();
    assert!(!events.is_empty());
    assert!(events.iter().all(|event| event["source"] != "gripper"));
    let flags = seen["flags"].as_array().unwrap();
    assert_eq!(flags.len(), events.len(), "{seen}");
    for (flag, event) in flags.iter().zip(events) {
        assert_eq!(flag[0], event["cycle"], "{flag} {event}");
    }
    assert!(flags.iter().any(|f| f[1] == 0 && f[2] == 6 && f[4] == 0));
    // And once it was stored, it came with its number: none is missing.
    let stored = seen["events"].as_array().unwrap();
    assert_eq!(stored.len(), flags.len(), "{seen}");
    let events = lines.iter().filter(|line| line["type"] == "event");
    for ((shown, event), seq) in stored.iter().zip(events).zip(1..) {
        let state = ["raised", "updated", "cleared"];
        let state = state.iter().position(|state| event["state"] == *state);
        let keys = ["seq", "cycle", "source", "channel", "cause"].map(|key| &event[key]);
        for (n, value) in keys.into_iter().enumerate() {
            assert_eq!(&shown[n], value, "{shown} {event}");
        }
        assert_eq!(shown[0], seq);
        assert_eq!(
            shown[5].as_u64(),
            state.map(|state| state as u64),
            "{shown} {event}"
        );
        assert_eq!(shown[6], event["measured"], "{shown} {event}");
    }
}

#[test]
fn the_example_on_the_page_says_every_flag_and_event() {
    let test = "the_example_on_the_page_says_every_flag_and_event";
    let text = std::fs::read_to_string(root().join("tests/subscribers/example.py")).unwrap();
    let page = std::fs::read_to_string(root().join("docs/shared-memory.md")).unwrap();
    assert!(
        page.contains(&format!("```python\n{text}```")),
        "docs/shared-memory.md shows another example.py than tests/subscribers"
    );
    let Some(python) = python_with(test, "iceoryx2") else {
        return;
    };
    let (place, name) = (Place::new(), name("example"));
    let cell = shared_cell(&place, &name, "");
    let example = script(&place, &python, "example.py", &name);
    let args = format!(
        "demo --config {} --json --cycles 6000 --inject drive_fault:lift:code=0x2310@4s",
        cell.display()
    );
    let run = place.command(binary(), args.split(' ')).output().unwrap();
    assert!(run.status.success(), "{run:?}");
    let example = example.wait_with_output().unwrap();
    let (said, errors) = (example.stdout, example.stderr);
    let [said, errors] = [said, errors].map(|text| String::from_utf8(text).unwrap());
    println!("{said}");
    assert!(example.status.success(), "{errors}");
    let begins = |word: &str| -> Vec<&str> {
        let lines = said.lines().filter(|line| line.starts_with(word));
        lines.collect()
    };
    let lines = json_lines(&String::from_utf8(run.stdout).unwrap());
    let events: Vec<_> = lines.iter().filter(|l| l["type"] == "event").collect();
    assert!(!events.is_empty(), "{lines:?}");
    let flags = begins("cycle ");
    assert_eq!(flags.len(), events.len(), "{said}");
    for (flag, event) in flags.iter().zip(&events) {
        let start = format!("cycle {}: measured ", event["cycle"]);
        assert!(flag.starts_with(&start), "{flag} {event}");
    }
    let told = events.iter().map(|event| {
        let [source, channel, cause] =
            ["source", "channel", "cause"].map(|key| event[key].as_str().unwrap());
        format!("event {}: {source}, {channel}: {cause}", event["seq"])
    });
    assert_eq!(begins("event "), told.collect::<Vec<_>>(), "{said}");
    assert!(said.contains(" s: the first of 9 axes is at "), "{said}");
}

#[test]
fn a_python_program_moves_the_machine_and_its_silence_stops_it() {
    let test = "a_python_program_moves_the_machine_and_its_silence_stops_it";
    let Some(python) = python_with(test, "iceoryx2") else {
        return;
    };
    let (place, name) = (Place::new(), name("control"));
    let cell = shared_cell(&place, &name, "[shared.controller]\nliveness = \"1s\"");
    let controller = script(&place, &python, "control.py", &name);
    let args = format!("demo --config {} --json --cycles 60000", cell.display());
    let mut run = place.command(binary(), args.split(' '));
    let mut run = run.stdout(Stdio::null()).spawn().unwrap();
    let seen = said(controller);
    // It has seen enough; the run ends in order.
    interrupt(&run);
    assert!(run.wait().unwrap().success(), "the machine stops in order");
    assert_eq!(seen["stage"], "done", "{seen}");
    assert_eq!(seen["phases"], serde_json::json!([1, 2, 3, 2, 3]), "{seen}");
    assert!(
        (seen["moved_m"].as_f64().unwrap() - 0.005).abs() < 5e-5,
        "{seen}"
    );
    // Silence, then a step.
    assert_eq!(seen["halts"], serde_json::json!([1, 2]), "{seen}");
    // The 1000 cycles of the liveness limit, and the ramp.
    assert!(seen["halted_after"].as_u64().unwrap() > 1000, "{seen}");
    assert_eq!(seen["still_halted"], true, "{seen}");
    assert!(seen["way_after_step_m"].as_f64().unwrap() < 1e-3, "{seen}");
}

/// The next line; nothing more is none.
fn line(out: &mut BufReader<ChildStdout>) -> Option<String> {
    let mut line = String::new();
    let read = out.read_line(&mut line).unwrap();
    (read > 0).then(|| line.trim_end().to_owned())
}

/// The next event of the run about its set-points.
fn setpoints(out: &mut BufReader<ChildStdout>) -> Value {
    while let Some(line) = line(out) {
        let event: Value = serde_json::from_str(&line).unwrap();
        if event["channel"] == "setpoints" {
            return event;
        }
    }
    panic!("the run has ended without an event about its set-points")
}

#[test]
fn a_controller_that_is_killed_halts_the_machine_and_nothing_restarts_by_itself() {
    let test = "a_controller_that_is_killed_halts_the_machine_and_nothing_restarts_by_itself";
    let Some(python) = python_with(test, "iceoryx2") else {
        return;
    };
    let (place, name) = (Place::new(), name("killed"));
    let cell = shared_cell(&place, &name, "[shared.controller]\nliveness = \"500ms\"");
    let mut first = Kept(script(&place, &python, "drive.py", &name));
    let args = format!("demo --config {} --json --cycles 100000", cell.display());
    let mut run = place.command(binary(), args.split(' '));
    let mut run = Kept(run.spawn().unwrap());
    let mut out = BufReader::new(run.0.stdout.take().unwrap());
    let mut says = BufReader::new(first.0.stdout.take().unwrap());
    assert_eq!(line(&mut says).as_deref(), Some("moving"));

    first.0.kill().unwrap();
    first.0.wait().unwrap();
    let event = setpoints(&mut out);
    assert_eq!(event["source"], "controller", "{event}");
    assert_eq!(event["state"], "raised", "{event}");
    assert_eq!(event["severity"], "fault", "{event}");
    assert!(
        event["cause"].as_str().unwrap().contains("fell silent"),
        "{event}"
    );
    let status = place.twinstep("status --json").fine();
    let controller = &status.lines()[0]["shared"]["controller"];
    assert_eq!(controller["state"], "halted", "{controller}");
    assert_eq!(controller["halt"], "silent", "{controller}");
    let told = place.twinstep("status").fine().stdout;
    assert!(told.contains("controller halted (silent)"), "{told}");

    // A second one has to begin anew, however long it insists.
    let mut second = Kept(script(&place, &python, "drive.py", &name));
    let mut says = BufReader::new(second.0.stdout.take().unwrap());
    for expected in ["refused", "following", "moving"] {
        assert_eq!(line(&mut says).as_deref(), Some(expected));
    }
    let event = setpoints(&mut out);
    assert_eq!(event["state"], "cleared", "{event}");
    assert_eq!(event["source"], "controller", "{event}");

    // The end of the run stops what still moves, and says so.
    interrupt(&run.0);
    assert_eq!(line(&mut says).as_deref(), Some("end of run"));
    let mut rest = String::new();
    out.read_to_string(&mut rest).unwrap();
    assert!(
        run.0.wait().unwrap().success(),
        "the machine stops in order"
    );
    let summary = json_lines(&rest).pop().unwrap();
    assert_eq!(summary["type"], "summary", "{summary}");
    let shared = &summary["shared"];
    assert_eq!(shared["dropped"], 0, "{shared}");
    assert_eq!(shared["controller"]["state"], "following", "{shared}");
    assert_eq!(shared["controller"]["refused"], 0, "{shared}");
    assert!(second.0.wait().unwrap().success());
}

#[test]
fn a_request_that_does_not_fit_is_refused_and_every_reason_is_said_once() {
    let test = "a_request_that_does_not_fit_is_refused_and_every_reason_is_said_once";
    let Some(python) = python_with(test, "iceoryx2") else {
        return;
    };
    let (place, name) = (Place::new(), name("wrong"));
    let cell = shared_cell(&place, &name, "[shared.controller]\nliveness = \"1s\"");
    let controller = script(&place, &python, "wrong.py", &name);
    let args = format!("demo --config {} --json --cycles 60000", cell.display());
    let mut run = place.command(binary(), args.split(' '));
    let run = run.stderr(Stdio::piped()).spawn().unwrap();
    let seen = said(controller);
    interrupt(&run);
    let run = run.wait_with_output().unwrap();
    assert!(run.status.success(), "{run:?}");
    // Nobody was followed: no drive was enabled for it.
    assert_eq!(seen["controllers"], serde_json::json!([1]), "{seen}");
    assert_eq!(seen["enabled"], false, "{seen}");
    let lines = json_lines(&String::from_utf8(run.stdout).unwrap());
    let refused = &lines.last().unwrap()["shared"]["controller"]["refused"];
    assert!(
        (3..=seen["sent"].as_u64().unwrap()).contains(&refused.as_u64().unwrap()),
        "{refused} {seen}"
    );
    let said = String::from_utf8(run.stderr).unwrap();
    for reason in [
        "a target for every axis and press",
        "no such recipe or part",
        "a cycle that has not been",
    ] {
        let first = said
            .lines()
            .filter(|line| line.contains(reason) && line.contains("further ones are counted"));
        assert_eq!(first.count(), 1, "{reason}: {said}");
    }
}

/// The shared cell whose controller tells tool, load (kg) and temperature.
fn told_cell(place: &Place, name: &str) -> PathBuf {
    let more = r#"[shared.controller]
liveness = "200ms"

[context.tool]
names = ["gripper", "welder"]
controller = true
values = [7, 12]

[context.load]
names = ["empty", "full"]
controller = true
values = [0, 15]

[context.temperature]
controller = true
bands = ["10degC", "20degC", "30degC"]
"#;
    shared_cell(place, name, more)
}

/// Tool, load and temperature of the events of a store that `raised` picks.
fn columns(place: &Place, raised: &str) -> Vec<[Option<String>; 3]> {
    let store = rusqlite::Connection::open(place.path("state/events.sqlite")).unwrap();
    let query = format!(
        "SELECT tool, load, temperature FROM events WHERE state = 'raised' AND {raised} ORDER BY seq"
    );
    let mut query = store.prepare(&query).unwrap();
    let rows = query.query_map([], |row| Ok([row.get(0)?, row.get(1)?, row.get(2)?]));
    rows.unwrap().map(Result::unwrap).collect()
}

#[test]
fn a_controller_tells_tool_load_and_temperature_and_one_of_before_is_followed_without() {
    let test = "a_controller_tells_tool_load_and_temperature_and_one_of_before_is_followed_without";
    let Some(python) = python_with(test, "iceoryx2") else {
        return;
    };
    let (place, name) = (Place::new(), name("tells"));
    let cell = told_cell(&place, &name);
    let controller = script(&place, &python, "tells.py", &name);
    let args = format!(
        "demo --config {} --json --cycles 60000 --state state --record run.mcap",
        cell.display()
    );
    let mut run = place.command(binary(), args.split(' '));
    let run = run.stderr(Stdio::piped()).spawn().unwrap();
    let seen = said(controller);
    interrupt(&run);
    let run = run.wait_with_output().unwrap();
    assert!(run.status.success(), "{run:?}");
    assert_eq!(seen["followed"], true, "{seen}");
    let lines = json_lines(&String::from_utf8(run.stdout).unwrap());
    let raised = |channel: &str| -> Vec<&Value> {
        let is = |line: &&Value| line["channel"] == channel && line["state"] == "raised";
        lines.iter().filter(is).collect()
    };
    // The tool that there is not, and then what the other layout lacks: they are close enough to be one event.
    let unknown = raised("context");
    assert_eq!(unknown.len(), 1, "{unknown:?}");
    let context = &unknown[0]["context"];
    assert!(context.get("tool").is_none(), "{context}");
    assert_eq!(context["load"], "full", "{context}");
    assert_eq!(context["temperature"], "20..30degC", "{context}");
    // The silence of the first one: with what it told last.
    let halts = raised("setpoints");
    let context = &halts[0]["context"];
    assert_eq!(context["tool"], "welder", "{context}");
    let band = Some("20..30degC".to_owned());
    let full = Some("full".to_owned());
    assert_eq!(
        columns(&place, "channel = 'context'"),
        [[None, full.clone(), band.clone()]]
    );
    let welder = Some("welder".to_owned());
    assert_eq!(
        columns(&place, "channel = 'setpoints'")[0],
        [welder, full, band]
    );
    let summary = lines.last().unwrap();
    let counted = &summary["shared"]["controller"];
    assert_eq!(counted["layout"], 1, "{counted}");
    assert!(counted["refused"].as_u64().unwrap() > 0, "{counted}");
    assert_eq!(summary["context"]["unknown"], 2, "{summary}");
    let said = String::from_utf8(run.stderr).unwrap();
    let is_said = |words: &str| said.lines().filter(|line| line.contains(words)).count();
    assert_eq!(is_said("requests/1, which have no tool"), 1, "{said}");
    assert!(is_said("another controller is heard") > 0, "{said}");

    // No object tells it: it stands in the recording, of either form.
    let replay = |what: &str| {
        let run = place.twinstep(what).fine();
        let context = |event: &Value| event["channel"] == "context";
        let found = run.of_type("event").into_iter().filter(context);
        let found: Vec<Value> = found.map(|event| event["context"].clone()).collect();
        assert_eq!(found, [unknown[0]["context"].clone()], "{what}");
        run.summary()["digest"].clone()
    };
    let of_cycles = replay("replay run.mcap --json");
    let _ = place.twinstep("export run.mcap --csv run.csv").fine();
    let table = std::fs::read_to_string(place.path("run.csv")).unwrap();
    let mut rows = table.lines();
    assert!(rows.next().unwrap().ends_with(",tool,load,temperature"));
    let rows: Vec<&str> = rows.collect();
    for told in [",255,255,255", ",1,1,1", ",255,1,1"] {
        assert!(rows.iter().any(|row| row.ends_with(told)), "{told}");
    }
    let own = format!("replay {} run.csv --json", cell.display());
    assert_eq!(replay(&own), of_cycles);
}

#[test]
fn in_virtual_time_a_controllers_tool_and_load_are_those_of_the_recipe() {
    let place = Place::new();
    let cell = told_cell(&place, "virtual");
    let text = std::fs::read_to_string(&cell).unwrap();
    let recipe = text.split_once("[[recipe]]").unwrap().1;
    let recipe = recipe.split('"').nth(1).unwrap();
    let told = format!(
        "\n[[simulation.told]]\nrecipe = \"{recipe}\"\ntool = \"welder\"\ntemperature = \"25degC\"\n"
    );
    std::fs::write(&cell, text + &told).unwrap();
    let args = format!(
        "demo --config {} --fast --json --cycles 3000 --inject drive_fault:lift:code=0x2310@1s",
        cell.display()
    );
    let run = place.twinstep(&args).fine();
    let events = run.of_type("event");
    let fault = events.iter().find(|event| event["source"] == "lift");
    let context = &fault.unwrap()["context"];
    assert_eq!(context["tool"], "welder", "{context}");
    assert_eq!(context["load"], "empty", "{context}");
    assert_eq!(context["temperature"], "20..30degC", "{context}");
    assert!(events.iter().all(|event| event["channel"] != "context"));
    let check = place.twinstep(&format!("check {}", cell.display())).fine();
    let words = "tool told by the controller, in shared memory: 7 gripper, 12 welder";
    assert!(check.stdout.contains(words), "{}", check.stdout);
}

#[test]
fn a_name_belongs_to_one_run() {
    let (place, name) = (Place::new(), name("taken"));
    let cell = shared_cell(&place, &name, "");
    let args = |state: &str| {
        format!(
            "demo --config {} --json --no-page --state {state}",
            cell.display()
        )
    };
    let mut first = Peer::start(&place, &args("first"));
    first.next("stroke");
    let second = place.twinstep(&format!("{} --cycles 10", args("second")));
    assert_eq!(second.status.code(), Some(1), "{second:?}");
    let words: Vec<_> = second
        .stderr
        .split_whitespace()
        .filter(|word| *word != "|")
        .collect();
    let said = words.join(" ");
    assert!(
        said.contains("another twinstep may use this name"),
        "{said}"
    );
    assert!(second.stdout.is_empty(), "{second:?}");
    // The first one goes on.
    first.next("stroke");
    interrupt(&first.child);
    first.next("summary");
    assert!(first.child.wait().unwrap().success());
}
