//! Recordings as files in a folder, on a disk that becomes full, and as Parquet.
#![allow(
    clippy::unwrap_used,
    reason = "a test fails by panicking, its helpers too"
)]

use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Command;
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
    let demo = "demo --fast --json --cycles 3000 --inject frame_loss:bus:count=3@1s --record run.mcap --state state";
    let _ = place.run(release_binary(), demo).fine();
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
    assert_eq!(read.stdout.trim(), "3000 rows are the same", "{read:#?}");

    // A binary that cannot says how one comes by one that can.
    let plain = place.twinstep("export run.mcap --parquet plain.parquet");
    assert!(
        plain.status.success() || plain.stderr.contains("--features parquet"),
        "{plain:#?}"
    );
}
