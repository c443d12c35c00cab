//! Recipe and part told from outside: by a terminal on the bus, by the frames of another MainDevice, by the columns of a table.
#![allow(
    clippy::unwrap_used,
    reason = "a test fails by panicking, its helpers too"
)]

use serde_json::{Value, json};
use std::fmt::Write as _;
use std::path::Path;
use twinstep_tests::cable::{Cable, ENDS, python_of_masters};
use twinstep_tests::listener::Listener;
use twinstep_tests::run::{Place, Run, shipped};
use twinstep_tests::sim::Sim;
use twinstep_tests::{release_binary, root};

/// The shipped cell with two recipes, each in force for some strokes, and a terminal of the controller which tells what `context` says.
fn cell(context: &str) -> String {
    let text = std::fs::read_to_string(shipped("press-cell.toml")).unwrap();
    let terminal = "\
[[bus.subdevice]]
name = \"plc\"
inputs = [\"0x6000:01/8\", \"0x6000:02/16\"]
outputs = [\"0x7000:01/8\"]
";
    let (head, tail) = text.split_once("[simulation]").unwrap();
    let head = head.replace("\"gripper\",\n]", "\"gripper\", \"plc\",\n]");
    assert!(head.contains("plc"), "{head}");
    format!(
        "{head}{terminal}\n{context}\n[simulation]{tail}
[[recipe]]
name = \"b\"
parts = [\"bush-b\"]

[[schedule]]
recipe = \"a\"
strokes = 2

[[schedule]]
recipe = \"b\"
strokes = 1
"
    )
}

const CONTEXT: &str = "\
[context]
part = { subdevice = \"plc\", object = \"0x6000:01/8\", values = [11, 12, 13] }
recipe = { subdevice = \"plc\", object = \"0x6000:02/16\", values = [1000, 2000] }
";

fn demo(place: &Place, machine: &Path, more: &str) -> Run {
    let args = format!(
        "demo --config {} --fast --json --cycles 15000 --seed 7 --state {} {more}",
        machine.display(),
        place.path("state").display()
    );
    place.twinstep(&args).fine()
}

fn replay(place: &Place, machine: &Path, recording: &Path) -> Run {
    let args = format!(
        "replay {} {} --json --state {}",
        machine.display(),
        recording.display(),
        place.path("other").display()
    );
    place.twinstep(&args).fine()
}

/// Recipe, part and verdict of every stroke.
fn strokes(run: &Run) -> Vec<(String, String, String)> {
    let word = |line: &Value, key: &str| line[key].as_str().unwrap_or_default().to_owned();
    let lines = run.of_type("stroke");
    let of = |line: &Value| {
        (
            word(line, "recipe"),
            word(line, "part"),
            word(line, "verdict"),
        )
    };
    lines.iter().map(of).collect()
}

/// Events on the channel that says that nobody knows the part.
fn unknown(run: &Run) -> Vec<Value> {
    let events = run.of_type("event").into_iter();
    events
        .filter(|event| event["channel"] == "context")
        .collect()
}

#[test]
fn a_terminal_tells_the_part_of_every_stroke() {
    let place = Place::new();
    let machine = place.file("machine.toml", cell(CONTEXT));
    let check = place
        .twinstep(&format!("check {}", machine.display()))
        .fine();
    for told in [
        "recipe told by plc, input 0x6000:02/16: 1000 a, 2000 b",
        "part told by plc, input 0x6000:01/8: 11 bush-a, 12 bush-b, 13 bush-long",
    ] {
        assert!(check.stdout.contains(told), "{}", check.stdout);
    }
    let (record, capture) = (place.path("run.mcap"), place.path("run.pcap"));
    let more = format!("--record {} --pcap {}", record.display(), capture.display());
    let run = demo(&place, &machine, &more);
    let seen = strokes(&run);
    assert!(seen.len() >= 4, "{seen:?}");
    let round = [("a", "bush-a"), ("a", "bush-b"), ("b", "bush-b")];
    for ((recipe, part, verdict), expected) in seen.iter().zip(round.iter().cycle()) {
        assert_eq!((recipe.as_str(), part.as_str()), *expected, "{seen:?}");
        assert_eq!(verdict, "ok", "{seen:?}");
    }
    assert_eq!(run.of_type("event"), Vec::<Value>::new());
    let never = json!({"unknown_cycles": 0, "unknown": 0});
    assert_eq!(run.summary()["context"], never);
    // The recording has the bytes that told it, and its replay every bit.
    let again = place
        .twinstep(&format!("replay {} --json", record.display()))
        .fine();
    assert_eq!(again.summary()["digest"], run.summary()["digest"]);
    assert!(again.stderr.contains("as the run was"), "{again:?}");
    // A tap has nothing but the frames.
    let tap = replay(&place, &machine, &capture);
    assert!(!tap.stderr.contains("is not judged"), "{tap:?}");
    assert_eq!(strokes(&tap), seen);
    let peaks = |run: &Run| -> Vec<Value> {
        let lines = run.of_type("stroke");
        lines.iter().map(|line| line["peak_n"].clone()).collect()
    };
    assert_eq!(peaks(&tap), peaks(&run));
    // Where nobody tells it, a press of several parts is not judged there.
    let blind = place.file("blind.toml", cell(""));
    let tap = replay(&place, &blind, &capture);
    assert!(tap.stderr.contains("press is not judged"), "{tap:?}");
    assert!(strokes(&tap).is_empty(), "{tap:?}");
    assert_eq!(tap.summary().get("context"), None);
}

#[test]
fn while_the_part_is_unknown_no_stroke_is_judged_and_the_drive_still_is() {
    const FROM: usize = 7000;
    let place = Place::new();
    let machine = place.file("machine.toml", cell(CONTEXT));
    let record = place.path("run.csv");
    let fault = "--inject drive_fault:press:code=0x2310@12s";
    let run = demo(
        &place,
        &machine,
        &format!("{fault} --record {}", record.display()),
    );
    let trip = |run: &Run| -> Vec<Value> {
        let events = run.of_type("event").into_iter();
        let of_drive =
            |event: &Value| event["source"] == "press" && event["channel"] == "drive_state";
        let cycles = events.filter(of_drive).map(|event| event["cycle"].clone());
        cycles.collect()
    };
    assert_eq!(trip(&run).len(), 1, "{run:?}");
    // The same run, with a number that stands for no part from a cycle on.
    let rows = std::fs::read_to_string(&record).unwrap();
    let record = place.file("told.csv", with_numbers(&rows, |n| n >= FROM));
    let replayed = replay(&place, &machine, &record);
    let before = |run: &Run| -> Vec<Value> {
        let judged = run.of_type("stroke").into_iter();
        let before = judged.filter(|stroke| stroke["cycle"].as_u64() < Some(FROM as u64));
        before.map(|stroke| stroke["peak_n"].clone()).collect()
    };
    assert_eq!(before(&replayed), before(&run));
    assert_eq!(replayed.of_type("stroke").len(), before(&run).len());
    assert!(
        run.of_type("stroke").len() > before(&run).len() + 1,
        "{run:?}"
    );
    assert_eq!(trip(&replayed), trip(&run));
    // It is said once, with the number.
    let events = unknown(&replayed);
    let [event] = &events[..] else {
        panic!("{events:?}");
    };
    assert_eq!(event["cycle"], FROM);
    assert_eq!(
        (&event["state"], &event["measured"]),
        (&json!("raised"), &json!(99.0))
    );
    assert_eq!(
        (&event["source"], &event["severity"]),
        (&json!("bus"), &json!("warning"))
    );
    assert_eq!(
        event["context"],
        json!({"recipe": event["context"]["recipe"]})
    );
    let cycles = replayed.summary()["cycles"].as_u64().unwrap() - FROM as u64;
    let expected = json!({"unknown_cycles": cycles, "unknown": 1});
    assert_eq!(replayed.summary()["context"], expected);
    // Nothing else is found in a healthy press that nobody knows the part of.
    let of_press = |event: &&Value| event["source"] == "press" && event["channel"] != "drive_state";
    let surprises = replayed.of_type("event");
    let surprises: Vec<_> = surprises.iter().filter(of_press).collect();
    assert!(surprises.is_empty(), "{surprises:?}");
}

/// Rows of a recording of ours with another number in the column that tells the part, where `changed` says so of the row.
fn with_numbers(rows: &str, changed: impl Fn(usize) -> bool) -> String {
    let header: Vec<&str> = rows.lines().next().unwrap().split(',').collect();
    let column = header
        .iter()
        .position(|name| *name == "plc.0x6000:01")
        .unwrap();
    let mut text = String::new();
    for (n, row) in rows.lines().enumerate() {
        let mut cells: Vec<&str> = row.split(',').collect();
        if n > 0 && changed(n - 1) {
            cells[column] = "99";
        }
        writeln!(text, "{}", cells.join(",")).unwrap();
    }
    text
}

#[test]
fn a_controller_that_has_no_part_between_two_strokes_loses_none() {
    let place = Place::new();
    let machine = place.file("machine.toml", cell(CONTEXT));
    let record = place.path("run.csv");
    let run = demo(&place, &machine, &format!("--record {}", record.display()));
    let rows = std::fs::read_to_string(&record).unwrap();
    let header: Vec<&str> = rows.lines().next().unwrap().split(',').collect();
    let column = header
        .iter()
        .position(|name| *name == "press.0x6064")
        .unwrap();
    let places: Vec<i64> = (rows.lines().skip(1))
        .map(|row| row.split(',').nth(column).unwrap().parse().unwrap())
        .collect();
    // No part is there while the ram has stood at the top for 50 cycles and goes on doing so for as many: some um of noise.
    let near = |at: &i64| (at - places[0]).abs() < 2000;
    let rests = |n: usize| {
        n >= 50
            && places
                .get(n - 50..n + 50)
                .is_some_and(|around| around.iter().all(near))
    };
    let record = place.file("told.csv", with_numbers(&rows, rests));
    let replayed = replay(&place, &machine, &record);
    let unknown_cycles = (0..places.len()).filter(|n| rests(*n)).count();
    let times = (1..places.len())
        .filter(|n| rests(*n) && !rests(*n - 1))
        .count();
    assert!(
        times >= 3 && unknown_cycles > 600,
        "{times}, {unknown_cycles}"
    );
    let expected = json!({"unknown_cycles": unknown_cycles, "unknown": times});
    assert_eq!(replayed.summary()["context"], expected);
    let judged = |run: &Run| -> Vec<Value> {
        let mut lines = run.of_type("stroke");
        for line in &mut lines {
            // The day of the run is another one.
            line.as_object_mut()
                .unwrap()
                .retain(|key, _| !key.contains("utc"));
        }
        lines
    };
    assert_eq!(judged(&replayed), judged(&run));
    let events = unknown(&replayed);
    assert_eq!(events.len(), 1, "{events:?}");
    assert_eq!(replayed.of_type("event").len(), 1, "{replayed:?}");
}

/// A press whose force is measured, with two parts, objects for each of them, and one for a recipe.
fn plunger() -> String {
    let text = std::fs::read_to_string(shipped("switch-force.toml")).unwrap();
    let (head, _) = text.split_once("# The bottom-out of any switch").unwrap();
    format!(
        "{head}
[[press.evaluation]]
name = \"any\"
kind = \"peak\"
y = [\"0.5N\", \"10N\"]

[[press.evaluation]]
name = \"of-soft\"
kind = \"peak\"
part = \"soft\"
y = [\"0.5N\", \"3N\"]

[[press.evaluation]]
name = \"of-hard\"
kind = \"peak\"
part = \"hard\"
y = [\"3N\", \"6N\"]

[[press.evaluation]]
name = \"of-order-b\"
kind = \"peak\"
recipe = \"b\"
y = [\"5N\", \"6N\"]

[[part]]
name = \"soft\"
contact = \"0.1mm\"
stiffness = \"1N/mm\"

[[part]]
name = \"hard\"
contact = \"0.1mm\"
stiffness = \"2N/mm\"

[[recipe]]
name = \"a\"
parts = [\"soft\", \"hard\"]

[[recipe]]
name = \"b\"
parts = [\"hard\"]

[context]
recipe = {{ column = \"order\", values = [100, 200] }}
part = {{ column = \"part\" }}

[recording]
index = true

[[recording.axis]]
axis = \"plunger\"
position = {{ column = \"travel_um\", unit = \"um\" }}
current = {{ column = \"force\", unit = \"N\" }}
"
    )
}

#[test]
fn the_columns_of_a_table_tell_which_objects_judge_a_stroke() {
    // Order, part, and the force at the bottom (N).
    let pressed = [
        ("100", "soft", 2.0),
        ("100", "hard", 4.0),
        ("200", "hard", 4.0),
        ("100", "", 2.0),
        ("100", "1", 4.0),
        ("100", "soft", 4.0),
    ];
    let mut table = "travel_um,force,order,part\n".to_owned();
    let mut rows = 0;
    for (order, part, peak_n) in pressed {
        // From 0.5 mm above the part to 2 mm in it and back, 5 um a row.
        for step in 0..=1000 {
            let travel_um = 5 * i32::min(step, 1000 - step) - 500;
            let force_n = peak_n * f64::from(travel_um.max(0)) / 2000.0;
            writeln!(table, "{travel_um},{force_n},{order},{part}").unwrap();
            rows += 1;
        }
    }
    let place = Place::new();
    let machine = place.file("machine.toml", plunger());
    let record = place.file("strokes.csv", table);
    let run = replay(&place, &machine, &record);
    let judged: Vec<Value> = (run.of_type("stroke").iter())
        .map(|stroke| {
            let objects = stroke["objects"].as_array().unwrap().iter();
            let names: Vec<&Value> = objects.map(|object| &object["name"]).collect();
            json!([
                stroke["recipe"],
                stroke["part"],
                stroke["verdict"],
                stroke["object"],
                names
            ])
        })
        .collect();
    let expected = [
        json!(["a", "soft", "ok", null, ["any", "of-soft"]]),
        json!(["a", "hard", "ok", null, ["any", "of-hard"]]),
        json!([
            "b",
            "hard",
            "nok",
            "of-order-b",
            ["any", "of-hard", "of-order-b"]
        ]),
        json!(["a", "hard", "ok", null, ["any", "of-hard"]]),
        json!(["a", "soft", "nok", "of-soft", ["any", "of-soft"]]),
    ];
    assert_eq!(judged, expected);
    // One stroke nobody knows the part of.
    let events = unknown(&run);
    assert_eq!(events.len(), 1, "{events:?}");
    assert_eq!(
        (&events[0]["cycle"], &events[0]["measured"]),
        (&json!(3003), &json!(-1.0))
    );
    let summary = run.summary();
    assert_eq!(summary["cycles"], rows);
    assert_eq!(
        summary["context"],
        json!({"unknown_cycles": 1001, "unknown": 1})
    );
}

#[test]
fn a_tap_hears_the_part_that_soem_writes() {
    const TEST: &str = "a_tap_hears_the_part_that_soem_writes";
    const EXCHANGES: usize = 400;
    let (Some(python), Some(cable)) = (python_of_masters(TEST), Cable::new(TEST)) else {
        return;
    };
    let place = Place::new();
    let machine = place.file("cell.toml", cell(""));
    let sim = Sim::start(&cable, &machine.display().to_string(), &[]);
    let written = "[context]\npart = { subdevice = \"plc\", object = \"0x7000:01/8\", values = [21, 22, 23] }\n";
    let tapped = cell(written).replacen("[bus]\n", "[bus]\nkind = \"tap\"\n", 1);
    let config = place.file("tap.toml", tapped);
    let listener = Listener::start(&cable, &place, "tap", &config, ENDS[0]);
    let script = root().join("tests/masters/part.py").display().to_string();
    let exchanges = EXCHANGES.to_string();
    let args = [script.as_str(), ENDS[0], &exchanges, "21", "99", "23", "22"];
    let master = cable.command(python, args).output().unwrap();
    assert!(master.status.success(), "{master:?}");
    let heard = listener.end();
    let _ = sim.end();
    let table = place.path("tap.csv");
    let recording = place.path("tap.mcap");
    let export = format!("export {} --csv {}", recording.display(), table.display());
    let _ = place.run(release_binary(), &export).fine();
    let text = std::fs::read_to_string(&table).unwrap();
    let header: Vec<&str> = text.lines().next().unwrap().split(',').collect();
    let column = |name: &str| header.iter().position(|head| *head == name).unwrap();
    let (bus, valid) = (column("bus"), column("valid"));
    let (part, number) = (column("part"), column("plc.0x7000:01"));
    // Every cycle has the part of its own number, and what is no number of a part is none.
    let mut told: Vec<(&str, usize)> = Vec::new();
    for row in text.lines().skip(1) {
        let cells: Vec<&str> = row.split(',').collect();
        // On the way to OP and down again it is there or not.
        if cells[bus] != "ok" || !cells[valid].ends_with('v') {
            continue;
        }
        let expected = match cells[number] {
            "21" => "0",
            "22" => "1",
            "23" => "2",
            _ => "255",
        };
        assert_eq!(cells[part], expected, "{row}");
        match told.last_mut() {
            Some((last, count)) if *last == expected => *count += 1,
            _ => told.push((expected, 1)),
        }
    }
    // Before the first there is 0, which is none; a computer that stands still loses cycles of each.
    let order: Vec<&str> = told.iter().map(|(part, _)| *part).collect();
    assert!(order.ends_with(&["0", "255", "2", "1"]), "{told:?}");
    let last = &told[told.len() - 4..];
    assert!(
        last.iter().all(|(_, count)| *count > EXCHANGES / 2),
        "{told:?}"
    );
    let summary = heard.last().unwrap();
    let unknown = summary["context"]["unknown"].as_u64();
    assert!(unknown >= Some(1), "{summary}");
    assert_eq!(summary["process_data"], "start_up", "{summary}");
}
