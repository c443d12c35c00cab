//! Other people's MainDevices against `twinstep sim`, on the two ends of a virtual cable.
#![allow(
    clippy::unwrap_used,
    reason = "a test fails by panicking, its helpers too"
)]

use serde_json::Value;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};
use twinstep_tests::cable::{Cable, ENDS, python_of_masters};
use twinstep_tests::run::{Place, json_lines, shipped};
use twinstep_tests::{release_binary, root};

/// Lead of the first drive over its counts (m): 10 mm, 2^20 counts.
const M_PER_COUNT: &str = "9.5367431640625e-9";

/// A running `twinstep sim`.
struct Sim {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Sim {
    /// Starts it and waits until it serves.
    fn start(cable: &Cable, machine: &str, more: &[&str]) -> Self {
        let mut args = vec!["sim", machine, "--interface", ENDS[1], "--json"];
        args.extend_from_slice(more);
        let mut child = cable
            .command(release_binary(), args)
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        let (input, output) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        let mut sim = Self {
            child,
            input,
            output: BufReader::new(output),
        };
        let mut line = String::new();
        sim.output.read_line(&mut line).unwrap();
        let first: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(first["state"], "serving", "{first}");
        sim
    }

    /// Injects a fault now.
    fn inject(&mut self, fault: &str) {
        writeln!(self.input, "{fault}").unwrap();
    }

    /// Ends it. Returns all lines but the first.
    fn end(mut self) -> Vec<Value> {
        let id = self.child.id().to_string();
        let killed = std::process::Command::new("kill")
            .args(["-INT", &id])
            .status();
        assert!(killed.unwrap().success());
        let mut text = String::new();
        std::io::Read::read_to_string(&mut self.output, &mut text).unwrap();
        let status = self.child.wait().unwrap();
        assert!(status.success(), "{status}: {text}");
        json_lines(&text)
    }
}

#[test]
fn soem_takes_the_press_cell_to_op_and_moves_an_axis() {
    let test = "soem_takes_the_press_cell_to_op_and_moves_an_axis";
    let (Some(python), Some(cable)) = (python_of_masters(test), Cable::new(test)) else {
        return;
    };
    let machine = shipped("press-cell.toml");
    let mut sim = Sim::start(&cable, machine.to_str().unwrap(), &[]);
    let script = root().join("tests/masters/cell.py");
    let args = [script.to_str().unwrap(), ENDS[0], "10000", M_PER_COUNT];
    let output = cable
        .command(python, args)
        .stderr(Stdio::piped())
        .output()
        .unwrap();
    sim.inject("friction:infeed:factor=1.2");
    sim.inject("no such thing");
    let lines = sim.end();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    let seen: Value = serde_json::from_slice(&output.stdout).unwrap();
    let axes = [
        "infeed", "outfeed", "gantry", "carriage", "cross", "insert", "lift", "pusher", "press",
        "gripper",
    ];
    assert_eq!(seen["subdevices"], 10);
    assert_eq!(seen["names"], serde_json::json!(axes));
    // The SII says what the registers and the dictionary say.
    assert_eq!(seen["sii"], seen["identity"]);
    let dictionary = |n: usize| (&seen["dictionaries"][n][0], &seen["dictionaries"][n][2]);
    for (n, least) in [(0, 40), (1, 15)] {
        let (objects, wrong) = dictionary(n);
        assert!(objects.as_array().unwrap().len() >= least, "{objects}");
        assert_eq!(
            wrong,
            &serde_json::json!([]),
            "entries that are not as told"
        );
    }
    assert_eq!(seen["complete"][0], 4);
    assert_eq!(seen["complete"][1], seen["identity"][0][0]);
    assert_eq!(seen["abort"], 0x0602_0000, "object does not exist");
    assert_eq!(
        (&seen["dc"], &seen["safe_op"]),
        (&Value::from(true), &Value::from(true))
    );
    assert_eq!(seen["op"], serde_json::json!([8_u8; 10].to_vec()));
    let counts = &seen["counts"];
    let count = |key: &str| counts[key].as_u64().unwrap();
    println!("{counts}; {}", lines.last().unwrap());
    assert!(count("cycles") >= 10_000, "{counts}");
    assert_eq!(count("wrong"), 0, "{counts}");
    // On a busy computer an answer may be late; most are there.
    assert!(count("no_frame") < count("cycles") / 100, "{counts}");
    assert_eq!(seen["enabled"], true, "{seen}");
    assert_eq!(seen["still_op"], true, "{seen}");
    let way = |n: usize| seen["way"][n].as_f64().unwrap();
    // 5 mm; within 5 um of where it was led.
    assert!((way(0) * 9.5367e-9 - 0.005).abs() < 1e-6, "{}", seen["way"]);
    assert!((way(1) - way(0)).abs() < 525.0, "{}", seen["way"]);
    let states: Vec<_> = lines.iter().filter(|l| l["state"] == "al_state").collect();
    let all_in_op = |l: &&Value| l["in_state"] == serde_json::json!([0, 0, 0, 10]);
    assert!(states.iter().any(all_in_op), "{lines:#?}");
    let summary = lines.last().unwrap();
    assert_eq!(summary["type"], "summary");
    assert_eq!(summary["faults"], 1, "{summary}");
    assert!(summary["answered"].as_u64().unwrap() >= 10_000, "{summary}");
}

#[test]
fn a_scan_finds_the_cell_and_writes_a_configuration_for_it() {
    let test = "a_scan_finds_the_cell_and_writes_a_configuration_for_it";
    let Some(cable) = Cable::new(test) else {
        return;
    };
    let machine = shipped("press-cell.toml");
    let sim = Sim::start(&cable, machine.to_str().unwrap(), &[]);
    let place = Place::new();
    let skeleton = place.path("found.toml");
    let scan = |more: &[&str]| {
        let mut args = vec!["scan", "--interface", ENDS[0]];
        args.extend_from_slice(more);
        let output = cable
            .command(release_binary(), args)
            .stderr(Stdio::piped())
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        (
            output.status.code(),
            String::from_utf8(output.stdout).unwrap(),
            said,
        )
    };
    let (code, stdout, said) = scan(&["--json", "--write", skeleton.to_str().unwrap()]);
    assert_eq!(code, Some(0), "{said}");
    let lines = json_lines(&stdout);
    let (summary, found) = lines.split_last().unwrap();
    assert_eq!(
        (&summary["type"], &summary["subdevices"]),
        (&"summary".into(), &10.into())
    );
    let orders: Vec<_> = found
        .iter()
        .map(|line| line["order"].as_str().unwrap())
        .collect();
    let cell = [
        "infeed", "outfeed", "gantry", "carriage", "cross", "insert", "lift", "pusher", "press",
        "gripper",
    ];
    assert_eq!(orders, cell);
    assert_eq!(found[3]["parent"], 2);
    assert_eq!(found[3]["al_state"], "INIT");
    assert_eq!(
        found[9]["inputs"],
        serde_json::json!(["0x6000:01/16", "0x6000:02/8"])
    );
    // A file that exists is not overwritten; without --json it is a table for people.
    let (code, _, said) = scan(&["--write", skeleton.to_str().unwrap()]);
    assert_eq!(code, Some(2), "{said}");
    let (code, stdout, _) = scan(&[]);
    assert_eq!(code, Some(0));
    assert!(
        stdout.contains("gripper") && stdout.contains("10 SubDevices"),
        "{stdout}"
    );
    drop(sim.end());
    let check = place
        .run(
            release_binary(),
            &format!("check {} --json", skeleton.display()),
        )
        .fine();
    assert!(check.stdout.contains("\"check\""), "{check:?}");
    // Nobody is there any more.
    let (code, _, said) = scan(&["--json"]);
    assert_eq!(code, Some(1), "{said}");
}
