//! A machine of several buses: one run with a cycle thread a bus, which is what each bus is alone.
#![allow(
    clippy::unwrap_used,
    reason = "a test fails by panicking, its helpers too"
)]

use serde_json::Value;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, ChildStdout, Command, Stdio};
use twinstep_tests::binary;
use twinstep_tests::cable::{Cable, ENDS, SECOND_ENDS};
use twinstep_tests::pieces::replayed;
use twinstep_tests::run::{Place, json_lines, shipped};
use twinstep_tests::sim::Sim;

const BUSES: [&str; 2] = ["front", "rear"];

fn config() -> String {
    shipped("two-buses.toml").display().to_string()
}

#[test]
fn all_together_each_alone_fast_or_not_and_replayed_are_the_same() {
    let place = Place::new();
    let demo = format!("demo --config {} --json --seed 4", config());
    let faults = "--inject friction:insert:factor=3@500ms --inject friction:pusher:factor=3@500ms \
                  --inject frame_loss:rear:count=3@700ms";
    let all = place
        .twinstep(&format!(
            "{demo} --fast --cycles 1500 --record r.csv {faults}"
        ))
        .fine();
    let summary = all.summary();
    assert_eq!(summary["bus_name"], "front");
    let buses = summary["buses"].as_array().unwrap();
    let names = buses.iter().map(|bus| bus["bus_name"].as_str().unwrap());
    assert_eq!(names.collect::<Vec<_>>(), BUSES);
    // The second cycles twice as fast, for as long.
    assert_eq!(
        (&summary["cycles"], &buses[1]["cycles"]),
        (&Value::from(1500), &Value::from(3000))
    );
    assert_ne!(buses[0]["digest"], buses[1]["digest"]);
    assert_ne!(summary["digest"], buses[0]["digest"]);
    // The twins of both buses have found what was done to them, and nothing else.
    let events = all.of_type("event");
    let judged = |source: &str| {
        let found = events.iter().any(|event| event["source"] == source);
        assert!(found, "{source}: {all:?}");
    };
    ["insert", "pusher"].into_iter().for_each(judged);
    let others = ["infeed", "outfeed", "gripper"];
    assert!(
        !events
            .iter()
            .any(|event| others.contains(&event["source"].as_str().unwrap())),
        "{all:?}"
    );
    // The bus has raised its frames under its own name.
    assert!(
        events
            .iter()
            .any(|event| event["source"] == "rear" && event["channel"] == "frames"),
        "{all:?}"
    );
    assert!(
        events
            .iter()
            .all(|event| event["source"] != "front" && event["source"] != "bus"),
        "{all:?}"
    );
    let numbers = events.iter().map(|event| event["seq"].as_u64().unwrap());
    assert!(numbers.eq(1..=events.len() as u64), "{all:?}");

    let real = place
        .twinstep(&format!("{demo} --no-page --cycles 1500 {faults}"))
        .fine();
    assert_eq!(real.digest(), all.digest());
    for (bus, cycles, faults) in [
        ("front", 1500, "--inject friction:insert:factor=3@500ms"),
        (
            "rear",
            3000,
            "--inject friction:pusher:factor=3@500ms --inject frame_loss:bus:count=3@700ms",
        ),
    ] {
        let found = buses.iter().find(|one| one["bus_name"] == bus).unwrap();
        let alone = place
            .twinstep(&format!(
                "{demo} --fast --bus {bus} --cycles {cycles} {faults}"
            ))
            .fine();
        assert_eq!(alone.summary()["digest"], found["digest"], "{bus}");
        assert_eq!(alone.summary()["buses"], Value::Null);
        let replayed = place
            .twinstep(&format!("replay {} r.{bus}.csv --json", config()))
            .fine();
        assert_eq!(replayed.summary()["digest"], found["digest"], "{bus}");
    }
}

#[test]
fn an_overrun_stops_the_machine_where_its_own_bus_asks_for_that() {
    let text = fs::read_to_string(shipped("two-buses.toml")).unwrap();
    for stops in BUSES {
        let place = Place::new();
        let asked = text.replacen(
            &format!("name = \"{stops}\"\n"),
            &format!("name = \"{stops}\"\noverrun = \"stop\"\n"),
            1,
        );
        assert_ne!(asked, text);
        let config = place.file("two.toml", asked);
        let args = ["run", config.to_str().unwrap(), "--json"];
        let mut run = place.command(binary(), args).spawn().unwrap();
        let id = run.id().to_string();
        // A process that is stopped misses the starts of both buses. On a busy computer it does so by itself.
        let status = loop {
            for name in ["-STOP", "-CONT"] {
                let _ = Command::new("kill")
                    .args([name, &id])
                    .stderr(Stdio::null())
                    .status();
            }
            if let Some(status) = run.try_wait().unwrap() {
                break status;
            }
        };
        let output = run.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        let said: Vec<_> = said
            .split_whitespace()
            .filter(|word| *word != "|")
            .collect();
        let said = said.join(" ");
        assert_eq!(status.code(), Some(1), "{said}");
        let names = |bus: &str| said.contains(&format!("bus {bus}:"));
        assert!(
            said.contains("overran, and [bus] overrun = \"stop\""),
            "{said}"
        );
        for bus in BUSES {
            assert_eq!(names(bus), bus == stops, "{said}");
        }
        // The other one leaves starts out until it is stopped too, in order.
        let lines = json_lines(&String::from_utf8(output.stdout).unwrap());
        let summary = lines.last().unwrap();
        let overran = |at: usize| summary["buses"][at]["overruns"].as_u64().unwrap();
        let (one, other) = (overran(0), overran(1));
        let (one, other) = if stops == "front" {
            (one, other)
        } else {
            (other, one)
        };
        println!("{stops}: {one} overruns, the other bus {other}");
        assert_eq!(one, 1, "{summary}");
    }
}

#[test]
fn what_is_of_one_bus_asks_for_it() {
    let place = Place::new();
    let config = config();
    place.refuse(
        &format!("sim {config} --interface ec0"),
        2,
        &["several buses: front, rear", "--bus"],
    );
    place.refuse(
        &format!("budget {config}"),
        2,
        &["several buses: front, rear"],
    );
    place.refuse(
        &format!("run {config} --interface ec0"),
        2,
        &["into each [[bus]]"],
    );
    place.refuse(
        &format!("run {config} --fast --bus roof"),
        2,
        &["no bus is called 'roof'", "front, rear"],
    );
    place.refuse("demo --fast --bus rear", 2, &["the machine has one"]);
    place.refuse(
        &format!("demo --config {config} --fast --inject frame_loss:bus:count=1"),
        2,
        &["front, rear"],
    );
    let _ = place.file("r.csv", "");
    place.refuse(&format!("replay {config} r.csv"), 2, &["FILE.NAME.csv"]);
    let check = place.twinstep(&format!("check {config} --json")).fine();
    let names: Vec<_> = check
        .of_type("check")
        .iter()
        .map(|line| line["bus_name"].clone())
        .collect();
    assert_eq!(names, BUSES);
}

/// A running `twinstep run`.
struct Run {
    child: Child,
    output: BufReader<ChildStdout>,
    told: Vec<Value>,
}

impl Run {
    /// Reads on until an event that is `wanted`.
    fn wait_for(&mut self, what: &str, wanted: impl Fn(&Value) -> bool) {
        loop {
            let mut line = String::new();
            let read = self.output.read_line(&mut line).unwrap();
            assert!(read > 0, "run has ended without {what}: {:#?}", self.told);
            let line: Value = serde_json::from_str(&line).unwrap();
            assert_ne!(line["type"], "summary", "no {what}: {:#?}", self.told);
            let found = line["type"] == "event" && wanted(&line);
            self.told.push(line);
            if found {
                return;
            }
        }
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        // A test that has failed leaves nobody behind.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Two lines on two cables. A drive of one fails, and the other knows nothing of it; one loses its interface, and the machine stops.
#[test]
fn two_cables_two_segments_one_run() {
    let test = "two_cables_two_segments_one_run";
    let Some(cable) = Cable::new(test) else {
        return;
    };
    cable.lay(SECOND_ENDS);
    let place = Place::new();
    // Longer periods: here the segments share the processor with their masters.
    let text = fs::read_to_string(shipped("two-buses.toml")).unwrap();
    let changed = text
        .replacen("period = \"1ms\"", "period = \"4ms\"", 1)
        .replacen("period = \"500us\"", "period = \"2ms\"", 1);
    assert_ne!(text, changed);
    let config = place.file("sim.toml", &changed).display().to_string();
    let faults = place.path("faults.sock").display().to_string();
    let mut front = Sim::start_on(&cable, binary(), ENDS[1], &config, &["--bus", "front"]);
    let mut rear = Sim::start_on(
        &cable,
        binary(),
        SECOND_ENDS[1],
        &config,
        &["--bus", "rear", "--control", &faults],
    );
    let real = changed
        .replacen(
            "# interface = \"eth1\"",
            &format!("interface = \"{}\"", ENDS[0]),
            1,
        )
        .replacen(
            "# interface = \"eth2\"",
            &format!("interface = \"{}\"", SECOND_ENDS[0]),
            1,
        )
        // One goes by its distributed clocks, the other by CLOCK_TAI.
        .replacen("# core = 3", "[bus.clock]\nsource = \"tai\"", 1);
    let config = place.file("run.toml", &real).display().to_string();
    let state = place.path("state").display().to_string();
    let args = [
        "run", &config, "--json", "--cycles", "60000", "--state", &state,
    ];
    let mut command = cable.command(binary(), args);
    let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
    let mut errors = child.stderr.take().unwrap();
    let output = BufReader::new(child.stdout.take().unwrap());
    let mut run = Run {
        child,
        output,
        told: Vec::new(),
    };
    front.wait_for_op();
    rear.wait_for_op();
    let status = |more: &[&str]| {
        let args = [&["status", "--json"], more].concat();
        let answer = cable
            .command(binary(), args)
            .stderr(Stdio::null())
            .output()
            .unwrap();
        let text = String::from_utf8(answer.stdout).unwrap();
        json_lines(&text).into_iter().next()
    };
    // Both cycle.
    let all = loop {
        assert_eq!(
            run.child.try_wait().unwrap(),
            None,
            "run has ended before its first cycle"
        );
        let Some(all) = status(&[]) else { continue };
        let cycles = all["buses"]
            .as_array()
            .unwrap()
            .iter()
            .map(|bus| bus["cycle"].as_u64().unwrap());
        if cycles.min() > Some(0) {
            break all;
        }
    };
    assert_eq!(
        (&all["bus_name"], &all["buses"][1]["bus_name"]),
        (&"front".into(), &"rear".into())
    );
    assert_eq!(
        (&all["axes"][0]["name"], &all["buses"][1]["axes"][0]["name"]),
        (&"infeed".into(), &"outfeed".into())
    );
    // Nothing is enabled before that is asked for, and an order that names no bus is for all.
    let armed = |all: &Value| {
        let buses = all["buses"].as_array().unwrap();
        let armed = buses.iter().map(|bus| bus["armed"].as_bool().unwrap());
        armed.collect::<Vec<_>>()
    };
    assert_eq!(armed(&all), [false; 2], "{all}");
    let arm = cable.command(binary(), ["arm", "--json"]).output().unwrap();
    assert!(arm.status.success(), "{arm:?}");
    let all = status(&[]).unwrap();
    assert_eq!(armed(&all), [true; 2], "{all}");
    let one = status(&["--bus", "rear"]).unwrap();
    assert_eq!(
        (&one["bus_name"], &one["buses"]),
        (&"rear".into(), &Value::Null)
    );
    assert_eq!(one["bus"]["links"][0]["name"], SECOND_ENDS[0]);

    // The segment takes faults at a socket of its own, and nothing else.
    let inject = |fault: &str| format!("inject {fault} --control {faults}");
    place.refuse(&inject("drive_fault:infeed:code=0x2310"), 2, &["infeed"]);
    place.refuse(
        &format!("status --control {faults}"),
        2,
        &["takes faults alone"],
    );
    let _ = place
        .twinstep(&inject("drive_fault:pusher:code=0x2310"))
        .fine();
    run.wait_for("the fault of the drive", |event| {
        event["source"] == "pusher" && event["channel"] == "drive_state"
    });
    // The drives of the other bus are enabled, and nothing was said of them.
    let of_front = |event: &&Value| {
        ["infeed", "insert"]
            .iter()
            .any(|name| event["source"] == *name)
    };
    let told: Vec<_> = run
        .told
        .iter()
        .filter(of_front)
        .filter(|event| event["channel"] == "drive_state")
        .collect();
    assert!(told.is_empty(), "{told:#?}");

    // An interface that vanishes ends its bus, and the other one with it, in order.
    let gone = cable
        .command("ip", ["link", "del", SECOND_ENDS[0]])
        .status()
        .unwrap();
    assert!(gone.success());
    let mut rest = String::new();
    run.output.read_to_string(&mut rest).unwrap();
    assert_eq!(run.child.wait().unwrap().code(), Some(1));
    let mut said = String::new();
    errors.read_to_string(&mut said).unwrap();
    let said = said
        .split_whitespace()
        .filter(|word| *word != "|")
        .collect::<Vec<_>>()
        .join(" ");
    assert!(
        said.contains("bus rear") && said.contains("interface has gone"),
        "{said}"
    );
    let lines = json_lines(&rest);
    let summary = lines.last().unwrap();
    assert_eq!(summary["type"], "summary");
    assert_eq!(summary["buses"].as_array().unwrap().len(), 2, "{summary}");
    let clock = |bus: usize| &summary["buses"][bus]["clock"];
    assert_eq!(clock(0), &Value::Null, "{summary}");
    assert_eq!(clock(1)["source"], "tai", "{summary}");
    assert_eq!(clock(1)["follows"], true, "{summary}");
    assert!(!said.contains("bus front"), "{said}");
    // The numbers in the store have no gap, whichever bus an event is of.
    let events = place
        .run(binary(), &format!("events --state {state} --json"))
        .fine();
    let numbers = events.of_type("event");
    // The seconds around the fault of the drive are kept, and name their bus.
    assert!(replayed(&place, &place.path("state"), &numbers) > 0);
    let numbers = numbers.iter().map(|event| event["seq"].as_u64().unwrap());
    assert!(
        numbers.enumerate().all(|(n, seq)| seq == n as u64 + 1),
        "{events:?}"
    );
    drop(front.end());
}
