//! Recordings in MCAP: a second reader opens them, a cut one is read up to its cut, and a replay does what the run did.
#![allow(
    clippy::unwrap_used,
    reason = "a test fails by panicking, its helpers too"
)]

use serde_json::Value;
use twinstep_tests::cable::python_with;
use twinstep_tests::gateway::Peer;
use twinstep_tests::recording::read;
use twinstep_tests::run::{Place, Run, shipped};

/// The events of a run without what belongs to the store and to the day.
fn events(run: &Run) -> Vec<Value> {
    let mut events = run.of_type("event");
    for event in &mut events {
        if let Some(event) = event.as_object_mut() {
            event.remove("seq");
            event.remove("time_utc_ns");
            event.remove("false_alarm_interval_demonstrated_s");
        }
    }
    events
}

#[test]
fn a_replay_needs_nothing_but_the_file_and_does_what_the_run_did() {
    let test = "a_replay_needs_nothing_but_the_file_and_does_what_the_run_did";
    let place = Place::new();
    let file = place.path("run.mcap");
    let live = place
        .twinstep(&format!(
            "demo --fast --json --cycles 9000 --seed 4 --inject drive_fault:cross:code=0x7305@5s \
             --inject frame_loss:bus:count=3@6s --inject friction:carriage:factor=2@5s --record {}",
            file.display()
        ))
        .fine();
    let replayed = place
        .twinstep(&format!("replay {} --json", file.display()))
        .fine();
    assert_eq!(events(&live), events(&replayed));
    for key in ["cycles", "period_ns", "events", "digest"] {
        assert_eq!(live.summary()[key], replayed.summary()[key], "{key}");
    }
    assert!(
        replayed.stderr.contains("as the run was"),
        "{}",
        replayed.stderr
    );

    // What was cut off is missing, the rest is as it was.
    let bytes = std::fs::read(&file).unwrap();
    let cut = place.path("cut.mcap");
    std::fs::write(&cut, &bytes[..bytes.len() * 3 / 4]).unwrap();
    let part = place
        .twinstep(&format!("replay {} --json", cut.display()))
        .fine();
    assert!(part.stderr.contains("was cut"), "{}", part.stderr);
    assert!(part.stderr.contains("as the run was"), "{}", part.stderr);
    assert!(part.summary()["cycles"].as_u64().unwrap() > 1000);

    // As a table, it is the same run.
    let table = place.path("run.csv");
    let exported = place
        .twinstep(&format!(
            "export {} --csv {} --json",
            file.display(),
            table.display()
        ))
        .fine();
    assert_eq!(exported.of_type("export")[0]["cycles"], 9000);
    let config = shipped("press-cell.toml");
    let again = place
        .twinstep(&format!(
            "replay {} {} --json",
            config.display(),
            table.display()
        ))
        .fine();
    assert_eq!(again.summary()["digest"], live.summary()["digest"]);

    let Some(python) = python_with(test, "mcap_ros1.decoder") else {
        return;
    };
    let seen = read(&place, &python, &file, "");
    let counts = &seen["counts"];
    assert_eq!(counts["/process_data"], 9000, "{counts}");
    assert_eq!(counts["/axes/carriage"], 900, "{counts}");
    assert_eq!(
        counts["/events"].as_u64().unwrap(),
        live.of_type("event").len() as u64,
        "{counts}"
    );
    assert!(counts["/digests"].as_u64().unwrap() >= 8, "{counts}");
    assert_eq!(seen["attachments"], serde_json::json!(["machine.toml"]));
    let facts = &seen["metadata"]["twinstep"];
    assert_eq!(facts["seed"], "4", "{facts}");
    assert_eq!(
        seen["metadata"]["twinstep_end"]["digest"],
        live.summary()["digest"]
    );
    let first = &seen["first"]["/process_data"];
    assert!(first["in_carriage_6064"].is_i64(), "{first}");
    assert!(seen["last"]["/axes/carriage"]["position_m"].is_f64());
    let seen = read(&place, &python, &cut, "cut");
    assert_eq!(
        seen["counts"]["/process_data"],
        part.summary()["cycles"],
        "both readers see the same of a cut file: {seen}"
    );
}

#[test]
fn what_the_operator_told_a_run_is_told_its_replay() {
    let test = "what_the_operator_told_a_run_is_told_its_replay";
    let place = Place::new();
    let file = place.path("run.mcap");
    let run = format!(
        "demo --json --no-page --cycles 8000 --state state --inject frame_loss:bus:count=3@100ms --record {}",
        file.display()
    );
    let mut run = Peer::start(&place, &run);
    run.next("event");
    for command in [
        "inject frame_loss:bus:count=2",
        "budget --set predict=77us --set wake=none",
        "baseline carriage",
    ] {
        let told = place.twinstep(command);
        assert!(told.status.success(), "{told:?}");
    }
    let digest = run.next("summary")["digest"].clone();
    let replayed = place.twinstep(&format!("replay {} --json", file.display()));
    if replayed.stderr.contains("cycles are missing") {
        twinstep_tests::skip(test, "this computer is too slow to record every cycle");
        return;
    }
    let replayed = replayed.fine();
    assert_eq!(replayed.summary()["digest"], digest);
    assert!(
        replayed.stderr.contains("as the run was"),
        "{}",
        replayed.stderr
    );
    // It stands on the page of an event, and in what the ring kept of one.
    let told = [
        " on: budget predict=77000ns</td>",
        " on: budget wake=none</td>",
        " on: baseline carriage</td>",
    ];
    let report = "report 1 --state state --recording run.mcap --out page.html";
    let _ = place.twinstep(report).fine();
    let page = std::fs::read_to_string(place.path("page.html")).unwrap();
    assert!(
        page.contains("<td>command</td>") && told.iter().all(|told| page.contains(told)),
        "{page}"
    );
    let piece = place.twinstep("replay state/events/1.mcap --json").fine();
    assert!(piece.stderr.contains("as the run was"), "{}", piece.stderr);
    let Some(python) = python_with(test, "mcap_ros1.decoder") else {
        return;
    };
    let seen = read(&place, &python, &place.path("state/events/1.mcap"), "");
    assert_eq!(seen["counts"]["/commands"], 4, "{seen}");
    let last = &seen["last"]["/commands"]["command"];
    assert!(last.as_str().unwrap().starts_with("baseline "), "{seen}");
    let cycles = piece.summary()["cycles"].as_u64().unwrap();
    assert_eq!(seen["counts"]["/process_data"], cycles, "{seen}");
}

#[test]
fn recordings_without_a_machine_are_refused_in_words() {
    let place = Place::new();
    let csv = place.path("run.csv");
    std::fs::write(&csv, "cycle\n1\n").unwrap();
    let refused = place.twinstep(&format!("replay {}", csv.display()));
    assert_eq!(refused.status.code(), Some(2));
    assert!(
        refused.stderr.contains("name the configuration"),
        "{}",
        refused.stderr
    );
    let gone = place.twinstep("replay gone.mcap");
    assert_eq!(gone.status.code(), Some(2));
    assert!(
        gone.stderr.contains("cannot read the recording gone.mcap"),
        "{}",
        gone.stderr
    );
    let stranger = place.path("stranger.mcap");
    std::fs::write(&stranger, b"\x89MCAP0\r\nnothing of ours").unwrap();
    let refused = place.twinstep(&format!("replay {}", stranger.display()));
    assert_eq!(refused.status.code(), Some(2));
    assert!(
        refused.stderr.contains("this MCAP file cannot be read"),
        "{}",
        refused.stderr
    );
}
