//! Whatever is wrong with what the user gives: the exit code, a message that names the place and the remedy, no panic
//! ([`Place::run`] looks for one after every run), and nothing on standard output that could pass for a result.
#![allow(
    clippy::unwrap_used,
    reason = "a test fails by panicking, its helpers too"
)]

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use twinstep_tests::binary;
use twinstep_tests::run::{Place, shipped};

fn press_cell() -> String {
    fs::read_to_string(shipped("press-cell.toml")).unwrap()
}

/// The press cell with one text replaced. The replacement must happen.
fn changed(from: &str, to: &str) -> String {
    let text = press_cell();
    assert!(
        text.contains(from),
        "{from:?} is no longer in press-cell.toml"
    );
    text.replacen(from, to, 1)
}

#[test]
fn configurations() {
    let place = Place::new();
    let cases: &[(&str, String, &[&str])] = &[
        (
            "unclosed",
            changed("[cycle]", "[cycle"),
            &["unclosed.toml:", "[cycle", "mend the TOML"],
        ),
        (
            "unit",
            changed("period = \"1ms\"", "period = \"1kg\""),
            &["unit.toml:", "`kg` is not a unit", "allowed units: s, ms"],
        ),
        (
            "unitless",
            changed("period = \"1ms\"", "period = 1"),
            &["unitless.toml:", "`period`", "such as"],
        ),
        (
            "short",
            changed("period = \"1ms\"", "period = \"20us\""),
            &["short.toml:", "out of range", "31.25us to 10ms"],
        ),
        (
            "negative",
            changed("lead = \"150mm\"", "lead = \"-150mm\""),
            &["negative.toml:", "`lead`"],
        ),
        (
            "infinite",
            changed("load_mass = \"8kg\"", "load_mass = \"inf kg\""),
            &["infinite.toml:", "`load_mass`"],
        ),
        (
            "subdevice",
            changed("\"infeed\", \"outfeed\"", "\"nofeed\", \"outfeed\""),
            &["subdevice.toml:", "\"nofeed\"", "did you mean \"infeed\"?"],
        ),
        (
            "missing",
            changed("\"infeed\", \"outfeed\"", "\"outfeed\""),
            &["missing.toml:", "infeed", "list all of them"],
        ),
        (
            "key",
            changed("[cycle]\n", "[cycle]\nspeed = 3\n"),
            &["key.toml:", "`speed` is not a key", "allowed here: period"],
        ),
        (
            "twice",
            changed("name = \"outfeed\"", "name = \"infeed\""),
            &["twice.toml:", "\"infeed\""],
        ),
        (
            "recipe",
            changed("parts = [\"bush-a\"", "parts = [\"bush-x\""),
            &["recipe.toml:", "bush-x"],
        ),
        ("empty", String::new(), &["empty.toml"]),
    ];
    for (name, text, says) in cases {
        let path = place.file(&format!("{name}.toml"), text);
        // The same answer wherever a configuration is read.
        place.refuse(&format!("check {}", path.display()), 2, says);
        place.refuse(
            &format!("demo --fast --cycles 10 --json --config {}", path.display()),
            2,
            says,
        );
    }
    let binary = place.file("binary.toml", [0xff, 0xfe, 0x00]);
    place.refuse(
        &format!("check {}", binary.display()),
        2,
        &["binary.toml", "UTF-8"],
    );
    place.refuse("check none.toml", 2, &["none.toml", "check the path"]);
    place.refuse("check .", 2, &["name a file, not a folder"]);
}

#[test]
fn a_period_that_cannot_hold_its_frames() {
    let place = Place::new();
    let text = changed("period = \"1ms\"", "period = \"31.25us\"");
    let budget = text.find("[cycle.budget]").unwrap();
    let judge = text.find("[judge]").unwrap();
    let text = format!("{}{}", &text[..budget], &text[judge..])
        .replace("frame_shift = \"200us\"", "frame_shift = \"5us\"");
    // The delays of the shipped twins are too many of these short periods, which is another complaint.
    let delays = |line: &&str| line.starts_with("dead_time") || line.starts_with("current_delay");
    let text: String = (text
        .lines()
        .filter(|line| !delays(line))
        .map(|line| format!("{line}\n")))
    .collect();
    let path = place.file("fast.toml", text);
    place.refuse(
        &format!("check {}", path.display()),
        2,
        &["on the wire", "31.2"],
    );
}

#[test]
fn faults() {
    let place = Place::new();
    let cases: &[(&str, &[&str])] = &[
        (
            "%%%",
            &["there is no fault", "allowed forms", "friction:AXIS"],
        ),
        ("friction", &["friction:AXIS:factor"]),
        ("friction:none:factor=2", &["\"none\"", "infeed, outfeed"]),
        (
            "friction:gripper:factor=2",
            &["\"gripper\"", "infeed, outfeed"],
        ),
        ("leak:press:rate=10mbar/s", &["\"press\"", "gripper"]),
        ("wrong_part:press:part=nut", &["nut", "bush-long"]),
        ("wrong_part:carriage:part=bush-long", &["\"carriage\""]),
        ("frame_loss:carriage:count=3", &["\"carriage\"", "bus"]),
        ("frame_loss:bus:count=-3", &["-3"]),
        ("friction:carriage:factor=NaN", &["NaN"]),
        ("friction:carriage:factor=2kg", &["2kg"]),
        ("friction:carriage:mass=2kg", &["mass", "factor"]),
        ("load:carriage:mass=2parsec", &["2parsec", "kg"]),
        ("drive_fault:carriage:code=0x12345", &["0x12345"]),
        ("drive_fault:carriage:code=1,ramp=3s", &["ramp"]),
        ("friction:carriage:factor=2@soon", &["soon"]),
        ("friction:carriage:factor=2@-1s", &["-1s"]),
    ];
    for (fault, says) in cases {
        place.refuse(
            &format!("demo --fast --cycles 10 --json --inject {fault}"),
            2,
            says,
        );
    }
}

#[test]
fn arguments_and_paths() {
    let place = Place::new();
    let config = shipped("press-cell.toml").display().to_string();
    let file = place.file("file", "").display().to_string();
    let folder = place.path("").display().to_string();
    let cases: &[(String, &[&str])] = &[
        ("demo --cycles 0".into(), &["--cycles", "0"]),
        ("demo --cycles many".into(), &["--cycles", "many"]),
        ("demo --sedd 1".into(), &["--sedd", "--seed"]),
        ("dmeo".into(), &["dmeo", "demo"]),
        (
            format!("run {config} --interface lo --fast"),
            &["--interface", "--fast"],
        ),
        (
            format!("run {config} --interface lo --inject frame_loss:bus:count=1"),
            &["--interface", "--inject"],
        ),
        (
            format!("demo --fast --cycles 9 --record {file}/x.csv"),
            &["file/x.csv"],
        ),
        (
            format!("demo --fast --cycles 9 --record {folder}none/x.csv"),
            &["none/x.csv", "check the path"],
        ),
        (
            format!("demo --fast --cycles 9 --record {file}/"),
            &["cannot record into the folder", "file/"],
        ),
        (
            format!("demo --fast --cycles 9 --record {folder}x.csv --record-limit 4GB"),
            &["x.csv", "bounds a folder"],
        ),
        (
            format!("demo --fast --cycles 9 --record {folder} --record-limit 4"),
            &["--record-limit", "500MB"],
        ),
        (
            format!("demo --fast --cycles 9 --pcap {file}/x.pcap"),
            &["file/x.pcap", "folder"],
        ),
        (
            format!("demo --fast --cycles 9 --state {file}/state"),
            &["file/state", "--state"],
        ),
        (
            format!("run {config} --fast --cycles 9 --state {file}"),
            &["file", "--state"],
        ),
        (
            format!("replay {config} none.csv --state {file}"),
            &["none.csv"],
        ),
        (format!("events --state {folder}none"), &["none", "--state"]),
        ("events --since -1".into(), &["-1"]),
        (
            format!("run {} --fast", shipped("emps.toml").display()),
            &["not simulated", "--interface"],
        ),
    ];
    for (args, says) in cases {
        place.refuse(args, 2, says);
    }
}

#[test]
fn a_missing_interface_is_the_bus_failing() {
    let place = Place::new();
    let config = shipped("press-cell.toml").display().to_string();
    for name in ["nosuch0", "a-name-far-too-long-for-an-interface", ".."] {
        place.refuse(
            &format!("run {config} --interface {name} --cycles 10 --json"),
            1,
            &[name, "ip link"],
        );
    }
}

/// The user and group that own nothing.
const NOBODY: u32 = 65_534;

/// A copy of the binary that everybody may run: where the tests were built may be closed to others.
fn for_everybody(place: &Place) -> PathBuf {
    let program = place.path("twinstep");
    // Copied by another process: a file that this one has open for writing cannot be run, and a test beside this one
    // may just be starting a process that inherits it.
    let copied = Command::new("cp").arg(binary()).arg(&program).status();
    assert!(copied.unwrap().success());
    for path in [&program, &place.path("")] {
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    }
    program
}

/// Runs `args` as a user without rights; root passes every check that is tested here.
fn as_nobody(place: &Place, program: &Path, args: &str) -> (Option<i32>, String) {
    let root = fs::metadata("/proc/self").unwrap().uid() == 0;
    let mut command = place.command(program, args.split_whitespace());
    if root {
        command.uid(NOBODY).gid(NOBODY);
    }
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!said.contains("panicked"), "{said}");
    (output.status.code(), said)
}

#[test]
fn no_permission() {
    let place = Place::new();
    let closed = place.path("closed");
    fs::create_dir(&closed).unwrap();
    let secret = place.file("secret.toml", press_cell());
    for path in [&closed, &secret] {
        fs::set_permissions(path, fs::Permissions::from_mode(0o000)).unwrap();
    }
    // Anybody's, for stores.
    let shared = place.path("shared");
    fs::create_dir(&shared).unwrap();
    fs::set_permissions(&shared, fs::Permissions::from_mode(0o777)).unwrap();
    let shared = shared.display();
    let config = place.file("cell.toml", press_cell()).display().to_string();
    let cases = [
        (format!("check {}", secret.display()), 2, "read permission"),
        (
            format!(
                "demo --fast --cycles 9 --state {shared}/a --record {}/x.csv",
                closed.display()
            ),
            2,
            "permission",
        ),
        (
            format!(
                "demo --fast --cycles 9 --state {shared}/a --pcap {}/x.pcap",
                closed.display()
            ),
            2,
            "may write",
        ),
        (
            format!("demo --fast --cycles 9 --state {}/s", closed.display()),
            2,
            "--state",
        ),
        (
            format!("events --state {}/s", closed.display()),
            2,
            "--state",
        ),
        (
            format!("run {config} --interface lo --cycles 9 --state {shared}/b"),
            1,
            "CAP_NET_RAW",
        ),
    ];
    let program = for_everybody(&place);
    for (args, code, says) in cases {
        let (ended, said) = as_nobody(&place, &program, &args);
        assert_eq!(ended, Some(code), "{args}: {said}");
        assert!(
            said.contains(says),
            "{args}: {says:?} is not said by {said}"
        );
    }
}

#[test]
fn an_eeprom_image_that_is_none_is_named_with_its_word() {
    let place = Place::new();
    let cell = changed("subdevices = [\n", "subdevices = [\n    \"extra\",\n");
    let table = "\n[[bus.subdevice]]\nname = \"extra\"\nsii = \"extra.bin\"\n";
    let machine = place.file("cell.toml", cell + table);
    let check = format!("check {}", machine.display());
    place.refuse(
        &check,
        2,
        &["SubDevice 'extra', EEPROM image extra.bin", "No such file"],
    );
    let mut image = vec![0_u8; 128];
    let _ = place.file("extra.bin", &image[..100]);
    place.refuse(&check, 2, &["100 bytes", "from 128 to 131072"]);
    image.extend_from_slice(&[41, 0, 9, 0]);
    let _ = place.file("extra.bin", &image);
    place.refuse(
        &check,
        2,
        &["word 0x0040", "category 41 claims 9 words, 0 are left"],
    );
    // It can be read, and nothing can hang behind it: the first axis does.
    image.truncate(128);
    image.extend_from_slice(&[30, 0, 16, 0]);
    image.extend_from_slice(&[0; 32]);
    image[128 + 4 + 16] = 0x01;
    let _ = place.file("extra.bin", &image);
    let demo = format!("demo --config {} --fast --cycles 10", machine.display());
    place.refuse(&demo, 2, &["hangs at port B of 'extra'", "no such port"]);
}
