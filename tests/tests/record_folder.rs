//! Recordings as files in a folder, on a disk that becomes full, and as Parquet.
#![allow(
    clippy::unwrap_used,
    reason = "a test fails by panicking, its helpers too"
)]

use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Command;
use twinstep_config::PRESS_CELL;
use twinstep_tests::cable::python_with;
use twinstep_tests::run::Place;
use twinstep_tests::{release_binary, root, skip};

/// The recordings in a folder, the oldest first.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    files.retain(|file| file.extension().is_some_and(|ending| ending == "mcap"));
    files.sort();
    files
}

#[test]
fn a_folder_keeps_within_its_limit_and_each_file_opens_by_itself() {
    let test = "a_folder_keeps_within_its_limit_and_each_file_opens_by_itself";
    let place = Place::new();
    let demo = "demo --fast --json --cycles 150000 --record rec/ --record-limit 16MB --state state";
    let run = place.run(release_binary(), demo).fine();
    let said = &run.summary()["recording"];
    assert_eq!(said["cycles_missing"], 0, "{said}");
    assert!(said["files_removed"].as_u64().unwrap() > 0, "{said}");
    let left = files(&place.path("rec"));
    let gone = said["files"].as_u64().unwrap() - left.len() as u64;
    assert_eq!(said["files_removed"], gone, "{said}");
    let bytes: u64 = left.iter().map(|file| file.metadata().unwrap().len()).sum();
    assert!(bytes <= 16_000_000, "{bytes}");
    // What was before its first cycle is not in the last file; its cycles follow those of the file before.
    let last = left.last().unwrap();
    let table = place.path("last.csv");
    let export = format!("export {} --csv {} --json", last.display(), table.display());
    let export = place.run(release_binary(), &export).fine();
    assert_eq!(export.of_type("export")[0]["missing"], 0);
    let rows = std::fs::read_to_string(table).unwrap();
    let first: u64 = rows
        .lines()
        .nth(1)
        .unwrap()
        .split(',')
        .next()
        .unwrap()
        .parse()
        .unwrap();
    let count = rows.lines().count() as u64 - 1;
    assert_eq!(first + count, 150_000);
    // A reader that nobody here wrote opens it, and the file before it, by itself.
    if let Some(python) = python_with(test, "mcap_ros1.decoder") {
        let script = root().join("tests/recordings/read.py");
        let mut counts = Vec::new();
        for file in &left[left.len() - 2..] {
            let args = format!("{} {}", script.display(), file.display());
            let seen: Value =
                serde_json::from_str(&place.run(&python, &args).fine().stdout).unwrap();
            assert_eq!(seen["trouble"], Value::Null, "{seen}");
            assert_eq!(seen["attachments"], serde_json::json!(["machine.toml"]));
            counts.push(seen["counts"]["/process_data"].as_u64().unwrap());
        }
        let before = left[left.len() - 2].file_stem().unwrap().to_str().unwrap();
        let before: u64 = before.rsplit('-').next().unwrap().parse().unwrap();
        assert_eq!(counts, [first - before, count]);
    }
    let name = last.file_stem().unwrap().to_str().unwrap();
    assert!(name.ends_with(&format!("-{first:012}")), "{name} {first}");

    place.refuse(
        "demo --fast --cycles 10 --record x.mcap --record-limit 1GB",
        2,
        &["bounds a folder"],
    );
    place.refuse(
        "demo --fast --cycles 10 --record y/ --record-limit 1KB",
        2,
        &["500MB or 4GB"],
    );
}

/// A disk of a megabyte; it goes with this.
struct Disk(PathBuf);

impl Disk {
    fn mount(test: &str, path: PathBuf) -> Option<Self> {
        std::fs::create_dir(&path).unwrap();
        let mount = ["-t", "tmpfs", "-o", "size=1m", "tmpfs"];
        let mounted = Command::new("mount").args(mount).arg(&path).output();
        if mounted.is_ok_and(|mounted| mounted.status.success()) {
            return Some(Self(path));
        }
        skip(test, "no file system can be mounted here");
        None
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.0).status();
    }
}

#[test]
fn a_full_disk_ends_the_recording_and_nothing_else() {
    let test = "a_full_disk_ends_the_recording_and_nothing_else";
    let place = Place::new();
    let Some(disk) = Disk::mount(test, place.path("disk")) else {
        return;
    };
    let expected = place
        .twinstep("demo --fast --json --cycles 8000 --state plain")
        .fine();
    for (record, then) in [
        ("disk/run.mcap", "ends there"),
        ("disk/rec/", "tried again"),
    ] {
        let demo = format!("demo --fast --json --cycles 8000 --record {record} --state state");
        let run = place.run(release_binary(), &demo);
        assert_eq!(run.status.code(), Some(1), "{run:#?}");
        assert_eq!(
            run.stderr.matches("nothing can be recorded").count(),
            1,
            "{run:#?}"
        );
        assert!(run.stderr.contains(then), "{run:#?}");
        let summary = run.summary();
        assert_eq!(summary["cycles"], 8000);
        assert_eq!(summary["digest"], expected.summary()["digest"]);
        let said = &summary["recording"];
        assert!(said["cycles_missing"].as_u64().unwrap() > 500, "{said}");
        assert!(
            said["failure"].as_str().unwrap().contains("space"),
            "{said}"
        );
        // What was written before is whole.
        let path = place.path(record);
        let file = if path.is_dir() {
            files(&path).remove(0)
        } else {
            path.clone()
        };
        let replay = format!("replay {} --json", file.display());
        let replayed = place.run(release_binary(), &replay).fine();
        assert!(
            replayed.stderr.contains("as the run was"),
            "{}",
            replayed.stderr
        );
        assert!(replayed.summary()["cycles"].as_u64().unwrap() > 1000);
        let _ = std::fs::remove_file(path);
    }
    drop(disk);
}

#[test]
fn parquet_holds_what_the_table_holds() {
    let test = "parquet_holds_what_the_table_holds";
    let Some(python) = python_with(test, "pyarrow") else {
        return;
    };
    let place = Place::new();
    let told = r#"[[bus.subdevice]]
name = "plc"
inputs = ["0x6000:01/8", "0x6000:02/16"]

[context.tool]
names = ["gripper", "welder"]
subdevice = "plc"
object = "0x6000:01/8"

[context.temperature]
subdevice = "plc"
object = "0x6000:02/16"
bands = ["10degC", "20degC", "30degC"]

[[simulation.told]]
recipe = "a"
tool = "welder"

[simulation]"#;
    let cell = PRESS_CELL
        .replacen("\"gripper\",\n]", "\"gripper\", \"plc\",\n]", 1)
        .replacen("[simulation]", told, 1);
    let cell = place.file("cell.toml", cell).display().to_string();
    let demo = format!(
        "demo --config {cell} --fast --json --cycles 3000 --inject frame_loss:bus:count=3@1s --record run.mcap --state state"
    );
    let _ = place.run(release_binary(), &demo).fine();
    let export = "export run.mcap --csv run.csv --parquet run.parquet --json";
    let run = place.run(release_binary(), export);
    if run.stderr.contains("built without Parquet") {
        skip(
            test,
            "the release binary was built without the feature parquet",
        );
        return;
    }
    let written = run.fine().of_type("export");
    assert_eq!((written.len(), &written[1]["cycles"]), (2, &3000.into()));
    let script = root().join("tests/recordings/parquet.py");
    let read = place.run(
        &python,
        &format!("{} run.parquet run.csv", script.display()),
    );
    let read = read.fine();
    // Told by objects, and of the load nobody tells anything.
    let expected = [
        "tool 1",
        "load None",
        "temperature 0",
        "3000 rows are the same",
    ];
    let said: Vec<&str> = read.stdout.lines().collect();
    assert_eq!(said, expected, "{read:#?}");

    // A binary that cannot says how one comes by one that can.
    let plain = place.twinstep("export run.mcap --parquet plain.parquet");
    assert!(
        plain.status.success() || plain.stderr.contains("--features parquet"),
        "{plain:#?}"
    );
}

/// Numbers of the cycles in a table.
fn cycles(path: &Path) -> Vec<u64> {
    let text = std::fs::read_to_string(path).unwrap();
    let mut lines = text.lines();
    let column = lines
        .next()
        .unwrap()
        .split(',')
        .position(|name| name == "cycle");
    let cycle = |line: &str| line.split(',').nth(column.unwrap()).unwrap().parse();
    lines.map(|line| cycle(line).unwrap()).collect()
}

#[test]
fn a_part_of_a_recording_is_exported_by_time() {
    let test = "a_part_of_a_recording_is_exported_by_time";
    let place = Place::new();
    let demo = "demo --fast --json --cycles 3000 --inject frame_loss:bus:count=3@1s --record run.mcap --state state";
    let run = place.run(release_binary(), demo).fine();
    let event = run.of_type("event").remove(0);
    let (cycle, utc_ns) = (
        event["cycle"].as_u64().unwrap(),
        event["time_utc_ns"].as_u64().unwrap(),
    );
    let export = |more: &str| {
        let args = format!("export run.mcap --csv part.csv --json {more}");
        place.run(release_binary(), &args)
    };
    let part = |more: &str| {
        let run = export(more).fine();
        let found = cycles(&place.path("part.csv"));
        assert_eq!(run.of_type("export")[0]["cycles"], found.len(), "{more}");
        assert_eq!(run.of_type("export")[0]["missing"], 0, "{more}");
        found
    };
    let all = part("");
    assert_eq!(all.len(), 3000);
    // By seconds, the end left out; beyond the end there is nothing more.
    assert_eq!(part("--from 1 --to 1.5"), all[1000..1500]);
    assert_eq!(part("--from 2.999s --to 1000"), all[2999..]);
    // By the time of day at which an event was, here and elsewhere.
    let date = |zone: &str, format: &str| {
        let (s, ns) = (utc_ns / 1_000_000_000, utc_ns % 1_000_000_000);
        let mut date = Command::new("date");
        date.env("TZ", zone)
            .args([&format!("-d@{s}.{ns:09}"), format]);
        let said = String::from_utf8(date.output().unwrap().stdout).unwrap();
        said.trim().to_owned()
    };
    let at = [
        date("UTC", "+%FT%T.%NZ"),
        date("UTC-5:30", "+%FT%T.%N+05:30"),
    ];
    for at in at {
        let found = part(&format!("--from {at}"));
        assert_eq!(found[0], cycle, "{at}");
        assert_eq!(found.last(), all.last());
        assert_eq!(
            part(&format!("--from 0 --to {at}")).last(),
            Some(&(cycle - 1))
        );
    }

    // What cannot be is said before the table is touched.
    let before = std::fs::read(place.path("part.csv")).unwrap();
    for (wrong, says) in [
        ("--from 3", "--from lies behind the end"),
        (
            "--to 1970-01-02T00:00:00Z",
            "--to lies before the first cycle",
        ),
        ("--from 2 --to 2", "--to does not lie behind --from"),
        ("--from yesterday", "expected a time of day with its zone"),
        ("--to 2026-11-29", "expected a time of day with its zone"),
        ("--to -1", "expected 0 to"),
    ] {
        let refused = export(wrong);
        assert_eq!(refused.status.code(), Some(2), "{refused:#?}");
        let words = refused.stderr.replace("│", "");
        let words: Vec<_> = words.split_whitespace().collect();
        assert!(words.join(" ").contains(says), "{wrong}: {refused:#?}");
    }
    assert!(before == std::fs::read(place.path("part.csv")).unwrap());

    let parquet = "--parquet part.parquet --from 1 --to 1.5";
    let run = export(parquet);
    if run.stderr.contains("built without Parquet") {
        skip(
            test,
            "the release binary was built without the feature parquet",
        );
        return;
    }
    assert_eq!(run.fine().of_type("export").len(), 2);
    let Some(python) = python_with(test, "pyarrow") else {
        return;
    };
    let script = root().join("tests/recordings/parquet.py");
    let args = format!("{} part.parquet part.csv", script.display());
    let read = place.run(&python, &args).fine();
    let said = read.stdout.lines().last();
    assert_eq!(said, Some("500 rows are the same"), "{read:#?}");
}
