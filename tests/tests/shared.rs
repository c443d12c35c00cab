//! Programs in another language at twinstep's shared memory: one that watches, and one that moves the machine.
#![allow(
    clippy::unwrap_used,
    reason = "a test fails by panicking, its helpers too"
)]

use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use twinstep_config::PRESS_CELL;
use twinstep_tests::cable::python_with;
use twinstep_tests::run::{Place, json_lines};
use twinstep_tests::{release_binary, root};

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
    let run = place.command(release_binary(), args.split(' ')).output();
    let run = run.unwrap();
    assert!(run.status.success(), "{run:?}");
    let lines = json_lines(&String::from_utf8(run.stdout).unwrap());
    let seen = said(watcher);
    assert_eq!(seen["axes"], 9, "{seen}");
    assert_eq!(seen["forward"], true, "{seen}");
    assert!(seen["samples"].as_u64().unwrap() > 1000, "{seen}");
    assert_eq!(seen["wrong"], 0, "{seen}");
    // Every event of the store was a flag first, in its cycle.
    let events: Vec<&Value> = lines.iter().filter(|l| l["type"] == "event").collect();
    assert!(!events.is_empty());
    let flags = seen["flags"].as_array().unwrap();
    assert_eq!(flags.len(), events.len(), "{seen}");
    for (flag, event) in flags.iter().zip(events) {
        assert_eq!(flag[0], event["cycle"], "{flag} {event}");
    }
    assert!(flags.iter().any(|f| f[1] == 0 && f[2] == 6 && f[4] == 0));
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
    let mut run = place.command(release_binary(), args.split(' '));
    let mut run = run.stdout(Stdio::null()).spawn().unwrap();
    let seen = said(controller);
    // It has seen enough; the run ends in order.
    let pid = run.id().to_string();
    let told = Command::new("kill").args(["-INT", &pid]).status().unwrap();
    assert!(told.success());
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
