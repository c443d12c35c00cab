//! Drives in all their modes, used by SOEM on a virtual cable while tshark listens.
#![allow(
    clippy::unwrap_used,
    reason = "a test fails by panicking, its helpers too"
)]

use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::process::Stdio;
use twinstep_tests::cable::{Cable, ENDS, python_of_masters};
use twinstep_tests::run::Place;
use twinstep_tests::sim::{Sim, interrupt};
use twinstep_tests::{release_binary, root};

/// A capture of one end of a cable, made by tshark.
struct Capture {
    child: std::process::Child,
    file: std::path::PathBuf,
    tshark: std::path::PathBuf,
}

impl Capture {
    /// Captures until it is judged; none, aloud, without tshark.
    fn start(test: &str, cable: &Cable, place: &Place) -> Option<Self> {
        let tshark = twinstep_tests::program(test, "tshark")?;
        let file = place.path("capture.pcapng");
        let args = ["-q", "-i", ENDS[0], "-w", file.to_str().unwrap()];
        let child = cable
            .command(&tshark, args)
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut capture = Self {
            child,
            file,
            tshark,
        };
        // It says when it is ready.
        let mut said = BufReader::new(capture.child.stderr.take().unwrap());
        let mut line = String::new();
        while !line.contains("Capturing on") {
            line.clear();
            assert!(said.read_line(&mut line).unwrap() > 0, "tshark has ended");
        }
        // What else it says is of no interest, but must not fill the pipe.
        std::thread::spawn(move || std::io::copy(&mut said, &mut std::io::sink()));
        Some(capture)
    }

    /// Ends it. Frames in all, and those that tshark calls malformed.
    fn judge(mut self) -> (usize, Vec<String>) {
        interrupt(&self.child);
        assert!(self.child.wait().unwrap().success());
        let lines = |filter: &str| -> Vec<String> {
            let output = std::process::Command::new(&self.tshark)
                .arg("-r")
                .arg(&self.file)
                .args(["-Y", filter])
                .output()
                .unwrap();
            assert!(output.status.success(), "{output:?}");
            let text = String::from_utf8_lossy(&output.stdout).into_owned();
            text.lines().map(str::to_owned).collect()
        };
        (lines("ecat").len(), lines("_ws.malformed"))
    }
}

#[test]
fn soem_uses_the_drives_as_drives() {
    let test = "soem_uses_the_drives_as_drives";
    let (Some(python), Some(cable)) = (python_of_masters(test), Cable::new(test)) else {
        return;
    };
    let place = Place::new();
    let Some(capture) = Capture::start(test, &cable, &place) else {
        return;
    };
    let machine = root().join("tests/masters/drives.toml");
    let sim = Sim::start(&cable, machine.to_str().unwrap(), &[]);
    let script = root().join("tests/masters/drives.py");
    // 1 000 000 increments a revolution of 100 mm.
    let args = [script.to_str().unwrap(), ENDS[0], "10000000"];
    let output = cable
        .command(python, args)
        .stderr(Stdio::piped())
        .output()
        .unwrap();
    let lines = sim.end();
    let (frames, malformed) = capture.judge();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}\n{lines:#?}");
    let seen: Value = serde_json::from_slice(&output.stdout).unwrap();
    println!("{frames} frames; {seen}");
    assert!(frames > 2_000, "{frames}");
    assert_eq!(malformed, Vec::<String>::new());
    assert_eq!(seen["subdevices"], 2);
    assert_eq!(seen["modes"], serde_json::json!([0x3a5, 0x3a5]));
    // A list in use; a homing method without its switch; a second axis that is not there.
    let aborts = [0x0601_0003, 0x0609_0030, 0x0602_0000];
    assert_eq!(seen["aborts"], serde_json::json!(aborts));
    // Two axes of 13 and 19 bytes; what was mapped.
    assert_eq!(seen["sizes"], serde_json::json!([[26, 38], [13, 17]]));
    assert_eq!(
        seen["remapped_abort"], 0x0800_0022,
        "not in SAFE-OP: {seen}"
    );
    assert_eq!(seen["op"], serde_json::json!([8, 8]));
    for what in [
        "dc",
        "safe_op",
        "enabled",
        "homed",
        "taken",
        "halted",
        "arrived",
        "relative",
        "waits",
        "velocity",
        "quick_stop",
        "enabled_again",
        "second_enabled",
    ] {
        assert_eq!(seen[what], true, "{what}: {seen}");
    }
    let near = |value: &Value, expected: f64, tolerance: f64| {
        let value = value.as_f64().unwrap();
        assert!(
            (value - expected).abs() < tolerance,
            "{value}, not {expected}: {seen}"
        );
    };
    // The switch sees the load, the encoder the motor.
    near(&seen["home_mm"], 80.0, 0.1);
    assert!(seen["halt_mm"].as_f64().unwrap() < 150.0, "{seen}");
    near(&seen["arrived_mm"], 205.0, 0.6);
    // 180 mm along the axis are 105 mm from the new zero.
    assert_eq!(seen["probe"][0], 0x0003);
    near(&seen["probe"][1], 105.0, 0.1);
    near(&seen["relative_mm"], 155.0, 0.6);
    near(&seen["velocity_mm_per_s"], -100.0, 8.0);
    near(&seen["way_mm"][0], 0.0, 0.2);
    near(&seen["way_mm"][1], 20.0, 0.2);
    assert_eq!(seen["still_op"], serde_json::json!([8, 8]));
}

#[test]
fn twinstep_drives_the_second_axis_of_a_drive_too() {
    let place = Place::new();
    let (machine, table) = (
        root().join("tests/masters/drives.toml"),
        place.path("run.csv"),
    );
    let args = format!(
        "demo --config {} --fast --cycles 1500 --json --record {}",
        machine.display(),
        table.display()
    );
    let run = place.run(release_binary(), &args).fine();
    assert_eq!(run.summary()["bus"]["working_counter_errors"], 0);
    let text = std::fs::read_to_string(&table).unwrap();
    let mut rows = text.lines().map(|line| line.split(',').collect::<Vec<_>>());
    let head = rows.next().unwrap();
    let rows: Vec<_> = rows.collect();
    let furthest = |column: &str| {
        let at = head.iter().position(|name| *name == column).unwrap();
        let values = rows.iter().map(|row| row[at].parse::<i64>().unwrap());
        values.max().unwrap()
    };
    // It alone has a program: 100 mm there and back, of 10 000 increments a millimetre.
    assert!((furthest("x.0x6864") - 1_000_000).abs() < 10_000);
    assert!(furthest("x.0x6064") < 10_000 && furthest("z.0x6064") < 10_000);
}
