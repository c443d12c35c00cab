//! Models on several cores: what comes out is bit for bit what one core finds, in virtual and in real time.
#![allow(
    clippy::unwrap_used,
    reason = "a test fails by panicking, its helpers too"
)]

use std::path::{Path, PathBuf};

use twinstep_tests::run::{Place, shipped};

/// Deviations on several channels, in sections of all cores.
const FAULTS: &str = "--inject friction:carriage:factor=1.5@1s --inject drive_fault:lift-3:code=0x2310@2s \
                      --inject frame_loss:bus:count=3@1500ms --inject load:gantry-2:mass=20kg@1s";

/// A fleet after the press cell: its eight axes `cells` times, one press, one gripper.
fn fleet(cells: usize) -> String {
    let text = std::fs::read_to_string(shipped("press-cell.toml")).unwrap();
    let from = text.find("[[axis]]").unwrap();
    let to = text.find("[[press]]").unwrap();
    let axes = &text[from..to];
    let names: Vec<&str> = (axes.lines())
        .zip(axes.lines().skip(1))
        .filter(|(table, _)| *table == "[[axis]]")
        .map(|(_, name)| name.split('"').nth(1).unwrap())
        .collect();
    assert_eq!(names.len(), 8, "{names:?}");
    let mut more = String::new();
    let mut devices = String::new();
    for cell in 1..cells {
        let mut copy = axes.to_owned();
        for name in &names {
            let (old, new) = (
                format!("name = \"{name}\""),
                format!("name = \"{name}-{cell}\""),
            );
            assert!(copy.contains(&old), "{old}");
            copy = copy.replace(&old, &new);
            devices.push_str(&format!("\"{name}-{cell}\", "));
        }
        more.push_str(&copy);
    }
    let text = format!("{}{more}{}", &text[..to], &text[to..]);
    assert!(text.contains("subdevices = [\n"));
    text.replacen(
        "subdevices = [\n",
        &format!("subdevices = [\n    {devices}\n"),
        1,
    )
}

/// The fleet with `[realtime]`.
fn with_cores(place: &Place, name: &str, cells: usize, realtime: &str) -> PathBuf {
    place.file(name, format!("{}\n[realtime]\n{realtime}\n", fleet(cells)))
}

fn run(place: &Place, config: &Path, args: &str) -> twinstep_tests::run::Run {
    place
        .twinstep(&format!("run {} --json {args}", config.display()))
        .fine()
}

#[test]
fn any_number_of_cores_has_one_digest() {
    let place = Place::new();
    let alone = with_cores(&place, "alone.toml", 4, "priority = 80");
    let args = format!("--fast --cycles 3000 --seed 5 {FAULTS}");
    let one = run(&place, &alone, &args);
    assert!(
        one.summary()["events"].as_u64().unwrap() >= 3,
        "{:?}",
        one.summary()
    );
    let told = |run: &twinstep_tests::run::Run| -> Vec<String> {
        // In cycle 0 a run ends what stands of the one before.
        let events = run.of_type("event").into_iter();
        let events = events.filter(|event| event["cycle"] != 0);
        let key =
            |e: &serde_json::Value| format!("{} {} {}", e["cycle"], e["source"], e["channel"]);
        events.map(|event| key(&event)).collect()
    };
    for cores in ["[0]", "[0, 1]", "[1, 2, 3]"] {
        // In virtual time a core is no more than a name.
        let config = with_cores(&place, "shared.toml", 4, &format!("model_cores = {cores}"));
        let found = run(&place, &config, &args);
        assert_eq!(found.digest(), one.digest(), "{cores}");
        assert_eq!(told(&found), told(&one), "{cores}");
    }
}

#[test]
fn real_time_on_two_cores_agrees_and_replays() {
    let test = "real_time_on_two_cores_agrees_and_replays";
    if std::thread::available_parallelism().map_or(1, usize::from) < 2 {
        twinstep_tests::skip(test, "one core");
        return;
    }
    let place = Place::new();
    let alone = with_cores(&place, "alone.toml", 2, "priority = 80");
    let shared = with_cores(&place, "shared.toml", 2, "model_cores = [0]");
    let record = place.path("run.csv").display().to_string();
    let args = "--cycles 400 --seed 3 --inject friction:carriage:factor=2@100ms";
    let real = run(&place, &shared, &format!("{args} --record {record}"));
    assert_eq!(real.summary()["trust"]["workers"], 1);
    assert_ne!(
        real.summary()["trust"]["core"],
        0,
        "the worker's core is not the cycle's"
    );
    let fast = run(&place, &alone, &format!("{args} --fast"));
    assert_eq!(real.digest(), fast.digest());
    assert_eq!(fast.summary()["trust"]["workers"], 0);
    for config in [&alone, &shared] {
        let replay = place
            .twinstep(&format!("replay {} {record} --json", config.display()))
            .fine();
        assert_eq!(replay.digest(), real.digest(), "{}", config.display());
    }
}

#[test]
fn cores_that_cannot_be_had_are_refused() {
    let place = Place::new();
    let cases: &[(&str, &[&str])] = &[
        (
            "model_cores = [4000]",
            &["model_cores has 4000", "cores of this computer are"],
        ),
        (
            "core = 1\nmodel_cores = [1]",
            &["core 1 is that of the cycle", "leave this one out"],
        ),
        ("model_cores = [0, 0]", &["core 0 is named twice"]),
        (
            "model_cores = [0, 1, 2, 3]",
            &["4 lanes of 8", "name at most 3"],
        ),
    ];
    for (realtime, says) in cases {
        // 25 axes and presses are four lanes.
        let config = with_cores(&place, "refused.toml", 3, realtime);
        place.refuse(
            &format!("run {} --json --cycles 10", config.display()),
            2,
            says,
        );
    }
}

#[test]
fn a_core_that_this_process_may_not_run_on_is_refused() {
    let test = "a_core_that_this_process_may_not_run_on_is_refused";
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let taskset = std::process::Command::new("taskset")
        .arg("--version")
        .output();
    if cores < 2 || taskset.is_err() {
        twinstep_tests::skip(test, "one core, or no taskset");
        return;
    }
    let place = Place::new();
    let config = with_cores(&place, "elsewhere.toml", 3, "model_cores = [1]");
    let args = format!(
        "-c 0 {} run {} --json --cycles 10",
        twinstep_tests::binary().display(),
        config.display()
    );
    let run = place.run(Path::new("taskset"), &args);
    assert_eq!(run.status.code(), Some(1), "{run:#?}");
    let said = run.stderr.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(
        said.contains("model_cores has 1, and this process may"),
        "{said}"
    );
}
