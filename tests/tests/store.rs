//! The event store as its users meet it: numbers without gaps, durable before announced, one writer at a time.
#![allow(
    clippy::unwrap_used,
    reason = "a test fails by panicking, its helpers too"
)]

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command};

use serde_json::Value;
use twinstep_tests::binary;
use twinstep_tests::run::{Place, json_lines, shipped};

/// Deviations on three sources within three seconds.
const FAULTS: &str = "--inject drive_fault:gantry:code=0x2310@1s --inject drive_fault:lift:code=0x8611@2s \
                      --inject frame_loss:bus:count=3@1500ms";

/// A run in real time that goes on until it is ended, with a drive fault soon after its start.
fn start(place: &Place, state: &str) -> Child {
    let args = format!(
        "demo --json --cycles 3600000 --state {state} --inject drive_fault:gantry:code=0x2310@200ms"
    );
    place
        .command(binary(), args.split_whitespace())
        .spawn()
        .unwrap()
}

/// The first event that the run announces.
fn first_event(child: &mut Child) -> String {
    let mut line = String::new();
    BufReader::new(child.stdout.as_mut().unwrap())
        .read_line(&mut line)
        .unwrap();
    assert_eq!(json_lines(&line)[0]["type"], "event", "{line}");
    line
}

/// Stored events, whose numbers must be 1, 2, 3 and so on.
fn stored(place: &Place, state: &str) -> Vec<Value> {
    let events = place
        .twinstep(&format!("events --state {state} --json"))
        .fine()
        .lines();
    for (n, event) in events.iter().enumerate() {
        assert_eq!(event["seq"], n as u64 + 1, "{events:#?}");
    }
    events
}

/// Source and channel of an event.
fn name(event: &Value) -> (String, String) {
    let word = |key: &str| event[key].as_str().unwrap().to_owned();
    (word("source"), word("channel"))
}

/// What the last event of its name does not clear, in the order of those.
fn standing(events: &[Value]) -> Vec<(String, String)> {
    let last = |n: usize| {
        events[n + 1..]
            .iter()
            .all(|later| name(later) != name(&events[n]))
    };
    let stands = |n: &usize| last(*n) && events[*n]["state"] != "cleared";
    (0..events.len())
        .filter(stands)
        .map(|n| name(&events[n]))
        .collect()
}

#[test]
fn what_was_announced_is_stored_word_for_word() {
    let place = Place::new();
    let state = place.path("state").display().to_string();
    let run = |seed: u32| {
        let args =
            format!("demo --fast --json --cycles 3000 --seed {seed} --state {state} {FAULTS}");
        place.twinstep(&args).fine().of_type("event")
    };
    let mut announced = run(1);
    assert!(announced.len() >= 4, "{announced:#?}");
    assert_eq!(stored(&place, &state), announced);
    // The next run on the same store goes on counting, and first ends what stood.
    let next = run(2);
    let standing = standing(&announced);
    assert!(standing.len() >= 2, "{announced:#?}");
    let ended: Vec<_> = next[..standing.len()].iter().map(name).collect();
    assert_eq!(ended, standing);
    for end in &next[..standing.len()] {
        assert_eq!(
            (&end["state"], &end["cycle"]),
            (&"cleared".into(), &0.into())
        );
        assert_eq!(end["cause"], "a new run judges anew");
    }
    announced.extend(next);
    assert_eq!(stored(&place, &state), announced);

    let since = announced.len() - 2;
    let rest = place.twinstep(&format!("events --state {state} --since {since} --json"));
    assert_eq!(rest.fine().lines(), announced[since..]);
    let text = place
        .twinstep(&format!("events --state {state}"))
        .fine()
        .stdout;
    assert_eq!(text.lines().count(), announced.len(), "{text}");
    assert!(
        text.contains("gantry drive_state raised: the drive reports a fault"),
        "{text}"
    );
}

#[test]
fn a_machine_is_refused_a_folder_where_an_alarm_of_its_name_stands_of_another_one() {
    let place = Place::new();
    let text = std::fs::read_to_string(shipped("press-cell.toml")).unwrap();
    let run = |name: &str, more: &str| {
        let file = format!("{name}.toml");
        let own = text.replacen("\"press cell\"", &format!("\"{name}-cell\""), 1);
        let _ = place.file(&file, own);
        let args = format!("demo --config {file} --fast --json --cycles 2000 {more}");
        place.twinstep(&args)
    };
    let events = |name: &str, more: &str| run(name, more).fine().of_type("event");
    let refused_with = |name: &str, by: &str, more: &str| {
        let refused = run(name, more);
        assert_eq!(refused.status.code(), Some(2), "{refused:?}");
        let words = refused.stderr.split_whitespace();
        let said: Vec<_> = words.filter(|word| *word != "|").collect();
        let said = said.join(" ");
        let gantry = format!("machine '{by}-cell', whose alarm gantry drive_state stands");
        assert!(said.contains(&gantry), "{said}");
        assert!(said.contains("--state DIR"), "{said}");
        assert!(said.contains(&format!("--was '{by}-cell'")), "{said}");
    };
    let refused = |name: &str, by: &str| refused_with(name, by, "--state state");
    let fault = "--state state --inject drive_fault:gantry:code=0x2310@1s";
    let left = events("left", fault);
    let stands = standing(&left);
    assert!(!stands.is_empty());
    // Recordings that are there already stay as they are.
    let _ = place.file("kept.mcap", "of an earlier run");
    refused("right", "left");
    let again = run("right", "--state state --record kept.mcap");
    assert_eq!(again.status.code(), Some(2), "{again:?}");
    let kept = std::fs::read_to_string(place.path("kept.mcap")).unwrap();
    assert_eq!(kept, "of an earlier run");
    // Nothing of it has come into the store, and it has another folder.
    assert_eq!(stored(&place, "state").len(), left.len());
    assert!(events("right", "--state another").is_empty());
    // The machine of the folder goes on, and ends its own.
    let ended = events("left", "--state state");
    assert_eq!(ended.iter().map(name).collect::<Vec<_>>(), stands);
    // Now nothing stands that could be mistaken. Their plans are the same.
    let right = events("right", fault);
    assert!(right.iter().all(|event| event["cycle"] != 0), "{right:#?}");
    assert_eq!(right[0]["plan"], left[0]["plan"]);
    refused("left", "right");
    // It is the same machine under a new name.
    refused_with("left", "right", "--state state --was rihgt-cell");
    let ended = events("left", "--state state --was right-cell");
    assert_eq!(ended.iter().map(name).collect::<Vec<_>>(), stands);
    assert!(events("right", "--state state").is_empty());
}

#[test]
fn a_store_of_before_gets_tool_load_and_temperature_from_the_next_run_on() {
    let place = Place::new();
    let run =
        "demo --fast --cycles 3000 --inject drive_fault:lift:code=0x2310@1s --json --state state";
    let first = place.twinstep(run).fine().of_type("event").len();
    assert!(first > 0);
    let store = || rusqlite::Connection::open(place.path("state/events.sqlite")).unwrap();
    let columns = ["tool", "load", "temperature"];
    // As it was made before there were the columns; an event of it knows its tool.
    for name in columns {
        let drop = format!("ALTER TABLE events DROP COLUMN {name}");
        store().execute_batch(&drop).unwrap();
    }
    let tool = "UPDATE events SET json = json_set(json, '$.context.tool', 'welder') WHERE seq = 1";
    store().execute_batch(tool).unwrap();
    let tools = "SELECT count(*), (SELECT tool FROM events WHERE seq = 1), count(load), count(temperature) FROM events";
    let error = store().prepare(tools).unwrap_err().to_string();
    assert!(error.contains("no such column"), "{error}");
    let read = place.twinstep("events --json --state state").fine();
    assert_eq!(read.of_type("event").len(), first, "{read:?}");

    let run = place.twinstep(run).fine();
    let all = first + run.of_type("event").len();
    let row = store().query_row(tools, [], |row| {
        Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
    });
    let found: (i64, String, i64, i64) = row.unwrap();
    assert_eq!(found, (all as i64, "welder".to_owned(), 0, 0));
}

#[test]
fn a_killed_run_has_stored_what_it_announced() {
    let place = Place::new();
    let state = place.path("state").display().to_string();
    for round in 1..=3 {
        let mut child = start(&place, &state);
        let line = first_event(&mut child);
        // SIGKILL: nothing can be tidied up any more.
        child.kill().unwrap();
        child.wait().unwrap();
        let stored = stored(&place, &state);
        assert!(
            stored.contains(&json_lines(&line)[0]),
            "round {round}: {line} in {stored:#?}"
        );
        assert!(stored.len() >= round, "earlier rounds are still there");
    }
}

#[test]
fn a_terminated_run_ends_in_order_with_its_summary() {
    let place = Place::new();
    let state = place.path("state").display().to_string();
    let mut child = start(&place, &state);
    let mut reader = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    reader.read_line(&mut line).unwrap();
    let told = Command::new("sh")
        .args(["-c", &format!("kill -TERM {}", child.id())])
        .status();
    assert!(told.unwrap().success());
    let mut rest = String::new();
    reader.read_to_string(&mut rest).unwrap();
    assert!(child.wait().unwrap().success());
    let lines = json_lines(&rest);
    let summary = lines.last().unwrap();
    assert_eq!(summary["type"], "summary");
    assert!(summary["cycles"].as_u64().unwrap() < 3_600_000);
    assert_eq!(stored(&place, &state).len(), lines.len());
}

#[test]
fn a_second_writer_is_refused_and_readers_are_not() {
    let place = Place::new();
    let state = place.path("state").display().to_string();
    let mut child = start(&place, &state);
    let line = first_event(&mut child);
    let second = place.twinstep(&format!("demo --fast --cycles 10 --json --state {state}"));
    let reader = stored(&place, &state);
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(second.status.code(), Some(2), "{second:#?}");
    assert!(second.stderr.contains(&state), "{second:#?}");
    assert!(
        second.stderr.contains("in use") || second.stderr.contains("another"),
        "{second:#?}"
    );
    assert!(second.stderr.contains("--state"), "{second:#?}");
    assert!(second.stdout.is_empty(), "{second:#?}");
    assert!(reader.contains(&json_lines(&line)[0]));
    // The lock went with its owner.
    let third = place.twinstep(&format!("demo --fast --cycles 10 --json --state {state}"));
    assert_eq!(third.fine().summary()["cycles"], 10);
}

#[test]
fn a_demo_keeps_its_events_in_a_fresh_store_and_says_where() {
    let place = Place::new();
    let folder = || {
        let run = place.twinstep(&format!("demo --fast --json --cycles 3000 {FAULTS}"));
        let run = run.fine();
        let first = run.stderr.lines().next().unwrap();
        let (_, folder) = first.split_once("--state ").unwrap();
        assert_eq!(stored(&place, folder), run.of_type("event"));
        folder.to_owned()
    };
    assert_ne!(folder(), folder());
}
