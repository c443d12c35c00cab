//! A tap on real captures, on our own run, and on other people's masters: it sees what they see and sends nothing.
#![allow(
    clippy::unwrap_used,
    reason = "a test fails by panicking, its helpers too"
)]

use serde_json::{Value, json};
use std::fs;
use std::path::PathBuf;
use twinstep_tests::cable::{Cable, ENDS, python_of_masters};
use twinstep_tests::listener::{
    Listener, both_found, events, replays, shifted, tripped, undisturbed,
};
use twinstep_tests::pieces::replayed;
use twinstep_tests::run::{Place, Run, json_lines, shipped};
use twinstep_tests::sim::Sim;
use twinstep_tests::{recordings, release_binary, root};

/// Lines of `twinstep scan` on one of the real captures.
fn scan(test: &str, name: &str) -> Option<Run> {
    let file = recordings(test)?.join("ethercat").join(name);
    let args = format!("scan --capture {} --json", file.display());
    let run = Place::new().twinstep(&args).fine();
    let summary = run.summary();
    assert_eq!(summary["unexplained"], 0, "{name}: {summary}");
    Some(run)
}

#[test]
fn an_ethercrab_start_up_is_explained() {
    let name = "replay-ek1100-el2828-el2889.pcapng";
    let Some(run) = scan("an_ethercrab_start_up_is_explained", name) else {
        return;
    };
    let devices = run.of_type("subdevice");
    let names: Vec<_> = devices.iter().map(|line| &line["name"]).collect();
    assert_eq!(names, ["EK1100", "EL2828", "EL2889"]);
    let products: Vec<_> = devices
        .iter()
        .map(|line| line["product_code"].as_u64())
        .collect();
    assert_eq!(products, [0x044c_2c52, 0x0b0c_3052, 0x0b49_3052].map(Some));
    assert!(
        devices.iter().all(|line| line["al_status"] == 8),
        "{devices:?}"
    );
    // Eight and sixteen channels of one bit: no mailbox, so the SII says what they are.
    let data = run.of_type("process_data");
    let bits: Vec<_> = data
        .iter()
        .map(|line| (&line["subdevice"], &line["bits"]))
        .collect();
    assert_eq!(
        bits,
        [
            (&json!(1), &json!(8)),
            (&json!(2), &json!(8)),
            (&json!(2), &json!(8))
        ]
    );
    assert_eq!(data[2]["objects"][7], "0x70F0:01/1");
    // One group each: in OP both answer with the working counter of an output.
    for line in run.of_type("logical") {
        assert_eq!(line["expected_working_counter"], 2, "{line}");
        assert_eq!(line["as_implied"], line["count"], "{line}");
    }
    assert_eq!(run.of_type("logical").len(), 2);
    let frames = &run.summary()["frames"];
    assert_eq!(
        (&frames["outbound"], &frames["returned"]),
        (&json!(1789), &json!(1789))
    );
}

#[test]
fn a_soem_session_is_explained() {
    let Some(run) = scan("a_soem_session_is_explained", "soem-sdinfo-akd.pcapng") else {
        return;
    };
    let device = &run.of_type("subdevice")[0];
    assert_eq!(device["vendor_id"], 0x6a, "Kollmorgen");
    assert_eq!(
        (&device["address"], &device["position"]),
        (&json!(0x1001), &json!(0))
    );
    assert!(device["sdo_transfers"].as_u64().unwrap() > 20, "{device}");
    // SDO uploads of the PDO assignment name the objects.
    let data = run.of_type("process_data");
    let kinds: Vec<_> = data
        .iter()
        .map(|line| (&line["kind"], &line["bits"]))
        .collect();
    assert_eq!(
        kinds,
        [
            (&json!("output"), &json!(136)),
            (&json!("input"), &json!(136))
        ]
    );
    for (line, position) in [(&data[0], "0x607A:00/32"), (&data[1], "0x6064:00/32")] {
        let objects = line["objects"].as_array().unwrap();
        assert!(objects.contains(&json!(position)), "{line}");
        let bits = |object: &Value| {
            object
                .as_str()
                .unwrap()
                .rsplit('/')
                .next()
                .unwrap()
                .parse::<u64>()
        };
        let sum: u64 = objects.iter().map(|object| bits(object).unwrap()).sum();
        assert_eq!(line["bits"], sum);
    }
    // Three requests never came back, each of them beside an ARP of the computer.
    let frames = &run.summary()["frames"];
    assert_eq!(
        (&frames["unanswered"], &frames["protocols"]),
        (&json!(3), &json!([["0x0806", 3]]))
    );
}

#[test]
fn a_twincat_session_is_explained() {
    let Some(run) = scan(
        "a_twincat_session_is_explained",
        "twincat-run-ek1100-el1004.pcapng",
    ) else {
        return;
    };
    let devices = run.of_type("subdevice");
    let addresses: Vec<_> = devices
        .iter()
        .map(|line| line["address"].as_u64())
        .collect();
    assert_eq!(addresses, [Some(1001), Some(1002)]);
    assert!(
        devices.iter().all(|line| line["al_status"] == 2),
        "PRE-OP: {devices:?}"
    );
    let frames = &run.summary()["frames"];
    let (out, back) = (frames["outbound"].as_u64(), frames["returned"].as_u64());
    assert_eq!((out, back), (Some(277), Some(276)));
    assert_eq!(
        frames["under_way"], 1,
        "the capture ends between question and answer"
    );
}

#[test]
fn a_capture_raises_what_the_run_raised() {
    let place = Place::new();
    let capture = place.path("run.pcap");
    let faults = [
        "friction:outfeed:factor=1.2@4s",
        "load:lift:mass=20kg@9s",
        "leak:gripper:rate=10mbar/s@10s",
        "drive_fault:cross:code=0x2310@25s",
    ];
    let inject: Vec<_> = faults
        .iter()
        .map(|fault| format!("--inject {fault}"))
        .collect();
    let args = format!(
        "demo --fast --json --cycles 30000 --pcap {} {}",
        capture.display(),
        inject.join(" ")
    );
    let run = place.run(release_binary(), &args).fine();
    let config = shipped("press-cell.toml");
    let args = format!("replay {} {} --json", config.display(), capture.display());
    let replayed = place.run(release_binary(), &args).fine();
    let (seen, heard) = (events(&run.lines()), events(&replayed.lines()));
    for source in ["outfeed", "lift", "gripper", "cross"] {
        assert!(
            seen.iter().any(|(_, said)| said["source"] == source),
            "{source}: {seen:?}"
        );
    }
    assert_eq!(shifted(&heard, &seen, 30_000), seen);
    let bus = &replayed.summary()["bus"];
    let all_zero = bus.as_object().unwrap().values().all(|count| *count == 0);
    assert!(all_zero, "{bus}");
    assert!(
        replayed.stderr.contains("press is not judged"),
        "{replayed:?}"
    );
}

#[test]
fn a_capture_that_is_broken_in_the_middle_is_judged_up_to_there() {
    let place = Place::new();
    let capture = place.path("run.pcap").display().to_string();
    let demo = format!("demo --fast --json --cycles 500 --pcap {capture}");
    let _ = place.twinstep(&demo).fine();
    let mut bytes = fs::read(&capture).unwrap();
    bytes.extend([0xff; 16]);
    fs::write(&capture, bytes).unwrap();
    let config = shipped("press-cell.toml").display().to_string();
    let run = place.twinstep(&format!("replay {config} {capture} --json"));
    assert_eq!(run.status.code(), Some(1), "{run:?}");
    let said = run.stderr.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(said.contains("impossible length"), "{said}");
    assert!(run.summary()["cycles"].as_u64().unwrap() >= 500, "{run:?}");
}

#[test]
fn what_is_no_capture_of_the_machine_is_refused() {
    let place = Place::new();
    let config = shipped("press-cell.toml").display().to_string();
    let text = place.file("text.pcap", "no capture").display().to_string();
    place.refuse(
        &format!("scan --capture {text}"),
        2,
        &["neither pcap nor pcapng begins like this"],
    );
    let cut = place
        .file("cut.pcap", [0xd4, 0xc3, 0xb2, 0xa1, 2])
        .display()
        .to_string();
    place.refuse(
        &format!("replay {config} {cut}"),
        2,
        &["it ends within its header"],
    );
    place.refuse(
        "scan --capture none.pcap",
        2,
        &["none.pcap", "No such file"],
    );
    let tapped = place.file("tap.toml", tap_config("")).display().to_string();
    place.refuse(&format!("run {tapped}"), 2, &["no interface is named"]);
    place.refuse(
        &format!("run {tapped} --interface ec0 --arm"),
        2,
        &["it knows no --arm"],
    );
    place.refuse(
        &format!("run {tapped} --interface none0"),
        1,
        &["no network interface 'none0'"],
    );
}

/// The press cell on a bus that is only listened to.
fn tap_config(keys: &str) -> String {
    let text = fs::read_to_string(shipped("press-cell.toml")).unwrap();
    let tapped = text.replacen("[bus]\n", &format!("[bus]\nkind = \"tap\"\n{keys}"), 1);
    assert_ne!(text, tapped);
    tapped
}

/// Frames that an end of the cable has sent.
fn sent(cable: &Cable, end: &str) -> u64 {
    let output = cable
        .command("ip", ["-s", "-j", "link", "show", end])
        .output()
        .unwrap();
    let links: Value = serde_json::from_slice(&output.stdout).unwrap();
    links[0]["stats64"]["tx"]["packets"].as_u64().unwrap()
}

/// The summary of `sim`: all that went over the cable was a master's frame or its answer.
fn nobody_else_spoke(cable: &Cable, sim: &[Value]) {
    let summary = sim.last().unwrap();
    let count = |key: &str| summary[key].as_u64().unwrap();
    assert_eq!(sent(cable, ENDS[1]), count("answered"), "{summary}");
    assert_eq!(
        sent(cable, ENDS[0]),
        count("answered") + count("swallowed"),
        "{summary}"
    );
}

#[test]
fn the_tap_sees_what_the_main_device_sees_and_sends_nothing() {
    undisturbed(|| tapped("the_tap_sees_what_the_main_device_sees_and_sends_nothing"));
}

/// Whether the machine was not disturbed beyond what was asked for.
fn tapped(test: &str) -> bool {
    let Some(cable) = Cable::new(test) else {
        return true;
    };
    const CYCLES: u64 = 8000;
    let place = Place::new();
    let machine = shipped("press-cell.toml").display().to_string();
    let faults = [
        "--fault",
        "friction:outfeed:factor=1.5@1s",
        "--fault",
        "drive_fault:lift:code=0x2310@6s",
    ];
    let sim = Sim::start(&cable, &machine, &faults);
    // twinstep's own frames pass by where sockets listen on its interface, so each way is heard where it arrives.
    let config = place.file(
        "tap.toml",
        tap_config(&format!("returned_interface = \"{}\"\n", ENDS[0])),
    );
    let listener = Listener::start(&cable, &place, "tap", &config, ENDS[1]);
    let capture = place.path("master.pcap").display().to_string();
    let state = place.path("master.state").display().to_string();
    let cycles = CYCLES.to_string();
    let args = [
        "run",
        &machine,
        "--interface",
        ENDS[0],
        "--arm",
        "--json",
        "--cycles",
        &cycles,
        "--pcap",
        &capture,
        "--state",
        &state,
    ];
    let master = cable.command(release_binary(), args).output().unwrap();
    assert!(master.status.success(), "{master:?}");
    let heard = listener.end();
    let sim = sim.end();
    replays(&place, "tap", &heard);
    // Each keeps the seconds around its events.
    let kept = replayed(&place, &place.path("tap.state"), &heard);
    assert!(kept > 0, "{heard:?}");
    nobody_else_spoke(&cable, &sim);
    let lines = json_lines(&String::from_utf8(master.stdout).unwrap());
    let kept = replayed(&place, &place.path("master.state"), &lines);
    assert!(kept > 0, "{lines:?}");
    let (summary, tap) = (lines.last().unwrap(), heard.last().unwrap());
    assert_eq!(tap["bus"]["foreign"], 0, "{tap}");
    assert_eq!(tap["bus"]["working_counter_errors"], 0, "{tap}");
    assert!(tap["cycles"].as_u64().unwrap() >= CYCLES, "{tap}");
    if tripped(&lines) {
        return false;
    }
    let (seen, told) = (events(&lines), events(&heard));
    // On a busy computer a frame is late for the master that is not for the tap; else they agree to the cycle.
    let bus = &summary["bus"];
    // A pause of several periods is missing frames for the tap, and a late start for the master.
    let paused = heard.iter().any(|line| {
        line["type"] == "event" && line["source"] == "bus" && line["cycle"].as_u64() < Some(CYCLES)
    });
    let clean = bus["lost"] == 0 && bus["late"] == 0 && !paused;
    println!(
        "{bus}; {} deviations; compared to the cycle: {clean}",
        seen.len()
    );
    if !both_found([&seen, &told], clean) {
        return false;
    }
    if clean {
        assert_eq!(shifted(&told, &seen, CYCLES), seen);
    }
    true
}

/// First and last integer in a column of a recording, of the rows that have one.
fn column(record: &PathBuf, name: &str) -> (i64, i64) {
    let text = fs::read_to_string(record).unwrap();
    let mut lines = text.lines();
    let at = lines
        .next()
        .unwrap()
        .split(',')
        .position(|head| head == name)
        .unwrap();
    let values: Vec<i64> = lines
        .filter_map(|line| line.split(',').nth(at)?.parse().ok())
        .collect();
    (values[0], values[values.len() - 1])
}

#[test]
fn a_move_that_soem_makes_arrives_at_the_tap() {
    undisturbed(|| moved("a_move_that_soem_makes_arrives_at_the_tap"));
}

/// Whether the drives came to move: a computer that stands still trips them first.
fn moved(test: &str) -> bool {
    let (Some(python), Some(cable)) = (python_of_masters(test), Cable::new(test)) else {
        return true;
    };
    let place = Place::new();
    let machine = shipped("press-cell.toml").display().to_string();
    let mut sim = Sim::start(&cable, &machine, &[]);
    let config = place.file("tap.toml", tap_config(""));
    let early = Listener::start(&cable, &place, "early", &config, ENDS[0]);
    let script = root().join("tests/masters/cell.py").display().to_string();
    // 10 mm and 2^20 counts a turn.
    let args = [script.as_str(), ENDS[0], "12000", "9.5367431640625e-9"];
    let master = cable.command(python, args).spawn().unwrap();
    // This one has not heard the start-up: order and lengths have to show.
    sim.wait_for_op();
    let late = Listener::start(&cable, &place, "late", &config, ENDS[0]);
    let master = master.wait_with_output().unwrap();
    let (early, late) = (early.end(), late.end());
    let sim = sim.end();
    nobody_else_spoke(&cable, &sim);
    assert!(master.status.success(), "{master:?}");
    let seen: Value = serde_json::from_slice(&master.stdout).unwrap();
    let counts = &seen["counts"];
    if seen["enabled"] == false && counts["no_frame"].as_u64() > Some(0) {
        return false;
    }
    assert_eq!(seen["enabled"], true, "{seen}");
    let way = |n: usize| seen["way"][n].as_i64().unwrap();
    for (name, lines) in [("early", &early), ("late", &late)] {
        let summary = lines.last().unwrap();
        println!("{name}: {summary}");
        assert!(
            summary["cycles"].as_u64().unwrap() > 1000,
            "{name}: {summary}"
        );
        assert_eq!(summary["bus"]["foreign"], 0, "{name}: {summary}");
        let from = if name == "early" {
            "start_up"
        } else {
            "configuration"
        };
        assert_eq!(summary["process_data"], from, "{name}: {summary}");
        assert_eq!(
            summary["bus"]["working_counter_errors"], 0,
            "{name}: {summary}"
        );
        let table = place.path(&format!("{name}.csv"));
        let recording = place.path(&format!("{name}.mcap"));
        let export = format!("export {} --csv {}", recording.display(), table.display());
        let _ = place.run(release_binary(), &export).fine();
        let (_, target) = column(&table, "infeed.0x607a");
        let (start, position) = column(&table, "infeed.0x6064");
        assert!(
            (target - position).abs() < 2000,
            "{name}: {target}, {position}"
        );
        if name == "early" {
            // Within 2 um of what the master saw.
            assert!(
                (position - start - way(1)).abs() < 200,
                "{start}, {position}: {}",
                seen["way"]
            );
        }
    }
    true
}

#[test]
fn the_tap_has_no_call_that_sends() {
    let folder = root().join("drivers/src/tap");
    let mut files = vec![folder];
    let mut looked_at = 0;
    while let Some(path) = files.pop() {
        if path.is_dir() {
            // The tests of the tap play masters.
            if path.ends_with("tests") {
                continue;
            }
            files.extend(
                fs::read_dir(&path)
                    .unwrap()
                    .map(|entry| entry.unwrap().path()),
            );
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        looked_at += 1;
        let calls = [
            "libc::send",
            "libc::write",
            "libc::sendto",
            "libc::sendmsg",
            "libc::pwrite",
            "TX_RING",
            "RawSocket",
            ".send(",
        ];
        for call in calls {
            assert!(!text.contains(call), "{}: {call}", path.display());
        }
    }
    assert!(looked_at > 10);
}
