//! Other people's MainDevices against `twinstep sim`, on the two ends of a virtual cable.
#![allow(
    clippy::unwrap_used,
    reason = "a test fails by panicking, its helpers too"
)]

use serde_json::Value;
use std::path::Path;
use std::process::Stdio;
use twinstep_tests::cable::{Cable, ENDS, python_of_masters};
use twinstep_tests::run::{Place, json_lines, shipped};
use twinstep_tests::sim::Sim;
use twinstep_tests::{release_binary, root};

/// Lead of the first drive over its counts (m): 10 mm, 2^20 counts.
const M_PER_COUNT: &str = "9.5367431640625e-9";

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

/// Files with the EEPROM images of real devices.
const IMAGES: [&str; 5] = [
    "ek1100.hex",
    "el2004-eeprom-dump.bin",
    "el2828.hex",
    "el2889.hex",
    "akd.hex",
];

/// A machine of the gripper of the press cell and of SubDevices with images: name, file, and what else is in its table.
fn machine_of(images: &[(String, &str, &str)], order: &[String], gripper: &str) -> String {
    let tables: String = images
        .iter()
        .map(|(name, file, more)| {
            format!("[[bus.subdevice]]\nname = \"{name}\"\nsii = \"{file}\"\n{more}\n")
        })
        .collect();
    format!(
        r#"[machine]
name = "terminals"
[cycle]
period = "1ms"
[simulation]
machine_seed = 1
[bus]
subdevices = {order:?}
{tables}
{gripper}
[[station]]
name = "gripper"
pressure_per_count = "5Pa"
evacuate = "600ms"
hold = "1.2s"
release = "400ms"
[station.plant]
final_pressure = "250mbar"
evacuation_time_constant = "80ms"
leak = "3mbar/s"
noise = "8Pa"
"#
    )
}

/// The real images in a folder of the test; skipped aloud where they are not there.
fn images(test: &str) -> Option<(Place, Vec<Vec<u8>>)> {
    let folder = root().join("../shared/data/ethercat");
    let place = Place::new();
    let mut all = Vec::new();
    for file in IMAGES {
        let Ok(bytes) = std::fs::read(folder.join(file)) else {
            twinstep_tests::skip(test, "the images of real devices are not there");
            return None;
        };
        let _ = place.file(file, &bytes);
        all.push(bytes);
    }
    Some((place, all))
}

/// Serves a machine to a script: what the script has seen.
fn ask(cable: &Cable, python: &Path, machine: &Path, script: &str) -> Value {
    let sim = Sim::start(cable, machine.to_str().unwrap(), &[]);
    let script = root().join("tests/masters").join(script);
    let output = cable
        .command(python, [script.to_str().unwrap(), ENDS[0]])
        .stderr(Stdio::piped())
        .output()
        .unwrap();
    let lines = sim.end();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}\n{lines:#?}");
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn kickcat_takes_the_press_cell_to_op() {
    let test = "kickcat_takes_the_press_cell_to_op";
    let (Some(python), Some(cable)) = (python_of_masters(test), Cable::new(test)) else {
        return;
    };
    if !has_kickcat(test, &python) {
        return;
    }
    let seen = ask(&cable, &python, &shipped("press-cell.toml"), "kickcat.py");
    println!("{seen}");
    assert_eq!(seen["subdevices"], 10);
    assert_eq!(seen["name"], "infeed");
    let sizes: Vec<_> = (0..10)
        .map(|n| if n < 9 { [13, 19] } else { [1, 3] })
        .collect();
    assert_eq!(seen["sizes"], serde_json::json!(sizes));
    assert_eq!(seen["op"], serde_json::json!(vec!["OPERATIONAL"; 10]));
    // Its own check compares working counters; a late answer on a busy computer counts too.
    let right = seen["right"].as_u64().unwrap();
    assert!(right >= 900, "{seen}");
    // Statuswords of drives that nobody has enabled, and the pressure of the surroundings.
    assert_eq!(seen["statusword"].as_u64().unwrap() & 0x4f, 0x40, "{seen}");
    assert_ne!(seen["pressure"], 0);
}

/// Skips `test` aloud where that Python has no KickCAT.
fn has_kickcat(test: &str, python: &Path) -> bool {
    let there = std::process::Command::new(python)
        .args(["-c", "import kickcat"])
        .output();
    let there = there.is_ok_and(|output| output.status.success());
    if !there {
        twinstep_tests::skip(
            test,
            "no kickcat in that Python (scripts/test puts it there)",
        );
    }
    there
}

#[test]
fn soem_reads_real_images_back_as_the_devices_they_are() {
    let test = "soem_reads_real_images_back_as_the_devices_they_are";
    let Some((place, bytes)) = images(test) else {
        return;
    };
    let (Some(python), Some(cable)) = (python_of_masters(test), Cable::new(test)) else {
        return;
    };
    let names = ["coupler", "valves", "lamps", "relays", "drive", "gripper"].map(String::from);
    let with_images: Vec<_> = names
        .iter()
        .zip(IMAGES)
        .map(|(name, file)| (name.clone(), file, ""))
        .collect();
    let machine = place.file("terminals.toml", machine_of(&with_images, &names, ""));
    let mut seen = ask(&cable, &python, &machine, "terminals.py");
    let read = seen["eeprom"].take();
    println!("{seen}");
    assert_eq!(seen["subdevices"], 6);
    let identity = [
        [2, 0x044c_2c52, 0x0012_0000],
        [2, 0x07d4_3052, 0x0010_0000],
        [2, 0x0b0c_3052, 0x0011_0000],
        [2, 0x0b49_3052, 0x0011_0000],
        [0x6a, 0x0041_4b44, 2],
    ];
    let names = ["EK1100", "EL2004", "EL2828", "EL2889", "AKD"];
    // The drive's PDOs as its SII assigns them: two objects each way.
    let sizes = [[0, 0], [1, 0], [1, 0], [2, 0], [6, 6]];
    for (at, bytes) in bytes.iter().enumerate() {
        assert_eq!(seen["identity"][at], serde_json::json!(identity[at]));
        assert_eq!(seen["names"][at], names[at]);
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(
            read[at],
            hex.as_str(),
            "{}: the EEPROM, word by word",
            names[at]
        );
        assert_eq!(
            seen["sizes"][at],
            serde_json::json!(sizes[at]),
            "{}",
            names[at]
        );
        if at < 4 {
            assert_eq!(seen["objects"][at], Value::Null, "no mailbox, no objects");
        }
        assert_eq!(
            (&seen["safe_op"][at], &seen["op"][at]),
            (&4.into(), &8.into()),
            "{}",
            names[at]
        );
    }
    assert_eq!(seen["objects"][4], serde_json::json!(["AKD", 0x0041_4b44]));
    // Five SubDevices with outputs, two with inputs. SOEM itself expects 2 less: it does not count outputs that fill no byte.
    assert_eq!(seen["counter"][0], 5 * 2 + 2, "working counter");
}

#[test]
fn soem_measures_the_delays_of_the_simulated_cable() {
    let test = "soem_measures_the_delays_of_the_simulated_cable";
    let Some((place, _)) = images(test) else {
        return;
    };
    let Some(python) = python_of_masters(test) else {
        return;
    };
    let measured = |machine: String| {
        let cable = Cable::new(test)?;
        let machine = place.file("cable.toml", machine);
        let seen = ask(&cable, &python, &machine, "delays.py");
        assert_eq!(seen["dc"], true);
        Some(seen["delays"].clone())
    };
    // A line: half a microsecond from one to the next.
    let count = 100;
    let mut names: Vec<String> = (0..count).map(|n| format!("terminal-{n}")).collect();
    let line: Vec<_> = names
        .iter()
        .map(|name| (name.clone(), "el2828.hex", ""))
        .collect();
    names.push("gripper".to_owned());
    let Some(found) = measured(machine_of(&line, &names, "")) else {
        return;
    };
    let expected: Vec<u32> = (0..=count).map(|n| 500 * n).collect();
    assert_eq!(found, serde_json::json!(expected));
    // A coupler with two terminals at port B, a second coupler at port C with one terminal, the gripper behind that coupler.
    let one = |name: &str, file, more| (name.to_owned(), file, more);
    let branch = [
        one("coupler", "ek1100.hex", ""),
        one("lamps", "el2828.hex", ""),
        one("relays", "el2889.hex", ""),
        one("second", "ek1100.hex", "behind = \"coupler\"\nport = \"C\""),
        one("valves", "el2004-eeprom-dump.bin", ""),
    ];
    let mut names: Vec<String> = branch.iter().map(|one| one.0.clone()).collect();
    names.push("gripper".to_owned());
    let gripper = "[[bus.subdevice]]\nname = \"gripper\"\nbehind = \"second\"\nport = \"C\"";
    let Some(found) = measured(machine_of(&branch, &names, gripper)) else {
        return;
    };
    // The frame is back at the first coupler after 2 us, and at the second one 1 us after it came there.
    assert_eq!(found, serde_json::json!([0, 500, 1000, 2500, 3000, 4000]));
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
