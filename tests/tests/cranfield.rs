//! Movement signatures judged on a recorded ball screw: healthy, badly lubricated, with backlash, and spalled.
//!
//! Every run is left out once: the healthy runs but one of both loads are learnt, and that one is judged, so that nothing is
//! judged on what it was learnt from.
#![allow(
    clippy::unwrap_used,
    reason = "a test fails by panicking, its helpers too"
)]

use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use twinstep_tests::run::{Place, Run, shipped};
use twinstep_tests::{recordings, release_binary};

const LUBRICATION: &str = "friction increased as when lubrication is lacking";
const PRELOAD: &str = "backlash increased: the nut has lost its preload";
const SPALLING: &str = "spalling of the screw: ripple once a revolution";
const LOADS: [&str; 2] = ["20kg", "40kg"];
/// A movement out and back has so many rows; a cycle without a row stands between two of them.
const MOVEMENT_CYCLES: u64 = 325;

/// The header and the rows of every run of a recording.
struct Runs {
    header: String,
    rows: BTreeMap<u32, String>,
}

impl Runs {
    fn read(folder: &Path, condition: &str) -> Self {
        let path = folder.join(format!("{condition}_runs1-5.csv"));
        let text =
            std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        let (header, lines) = text.split_once('\n').unwrap();
        let place = header.trim().split(',').position(|c| c == "run").unwrap();
        let mut rows = BTreeMap::<u32, String>::new();
        for line in lines.lines() {
            let run = line.split(',').nth(place).unwrap().parse().unwrap();
            *rows.entry(run).or_default() += &format!("{line}\n");
        }
        Self {
            header: header.to_owned(),
            rows,
        }
    }

    /// A file with these runs, in this order; those that the recording lacks are left out.
    fn file(&self, place: &Place, name: &str, runs: impl IntoIterator<Item = u32>) -> PathBuf {
        let rows = runs.into_iter().filter_map(|run| self.rows.get(&run));
        let rows: String = rows.map(String::as_str).collect();
        place.file(name, format!("{}\n{rows}", self.header))
    }
}

fn folder(test: &str) -> Option<PathBuf> {
    Some(recordings(test)?.join("cranfield_ema"))
}

/// The shipped configuration, calibrated anew on all healthy runs but one.
fn calibrated_without(place: &Place, folder: &Path, held: u32) -> PathBuf {
    let config = place.file(
        "cranfield.toml",
        std::fs::read(shipped("cranfield.toml")).unwrap(),
    );
    let healthy = LOADS.map(|load| {
        let runs = Runs::read(folder, &format!("normal_{load}"));
        runs.file(
            place,
            &format!("{load}.csv"),
            (1..=5).filter(|run| *run != held),
        )
    });
    let [one, other] = healthy.map(|path| path.display().to_string());
    let args = format!("calibrate {} {one} {other} --write", config.display());
    let _ = place.run(release_binary(), &args).fine();
    config
}

fn replay(place: &Place, config: &Path, recording: &Path) -> Run {
    let args = format!("replay {} {} --json", config.display(), recording.display());
    place.run(release_binary(), &args).fine()
}

/// Cycle and cause of the first event.
fn first(run: &Run) -> Option<(u64, String)> {
    let events = run.of_type("event");
    let event: &Value = events.iter().find(|event| event["state"] == "raised")?;
    let cause = event["cause"].as_str().unwrap().to_owned();
    Some((event["cycle"].as_u64().unwrap(), cause))
}

#[test]
fn runs_that_were_not_learnt_raise_nothing_and_faults_are_named_in_three_movements() {
    let test = "runs_that_were_not_learnt_raise_nothing_and_faults_are_named_in_three_movements";
    let Some(folder) = folder(test) else { return };
    let mut offences = Vec::new();
    for held in 1..=5 {
        let place = Place::new();
        let config = calibrated_without(&place, &folder, held);
        for load in LOADS {
            let healthy = Runs::read(&folder, &format!("normal_{load}"));
            let path = healthy.file(&place, "held.csv", [held]);
            let run = replay(&place, &config, &path);
            if let Some(event) = first(&run) {
                offences.push(format!("healthy run {held} at {load}: {event:?}"));
            }
        }
        for (condition, word) in [
            ("lackLubrication1_20kg", LUBRICATION),
            ("lackLubrication1_40kg", LUBRICATION),
            ("backlash1_40kg", PRELOAD),
        ] {
            let faulty = Runs::read(&folder, condition);
            if !faulty.rows.contains_key(&held) {
                continue;
            }
            let path = faulty.file(&place, "fault.csv", [held]);
            let found = first(&replay(&place, &config, &path));
            let named = found
                .as_ref()
                .is_some_and(|(cycle, cause)| *cycle < 3 * MOVEMENT_CYCLES && cause == word);
            if !named {
                offences.push(format!("{condition} run {held}: {found:?}"));
            }
        }
    }
    assert!(offences.is_empty(), "{}", offences.join("\n"));
}

#[test]
fn one_shipped_configuration_names_every_fault_at_both_loads() {
    let test = "one_shipped_configuration_names_every_fault_at_both_loads";
    let Some(folder) = folder(test) else { return };
    let (place, config) = (Place::new(), shipped("cranfield.toml"));
    for load in LOADS {
        for (kind, word) in [
            ("normal", None),
            ("lackLubrication1", Some(LUBRICATION)),
            ("backlash1", Some(PRELOAD)),
            // Its mean current is below the healthy one.
            ("spalling3", Some(SPALLING)),
        ] {
            let path = folder.join(format!("{kind}_{load}_runs1-5.csv"));
            let run = replay(&place, &config, &path);
            let found = first(&run);
            match (word, &found) {
                (None, None) => assert_eq!(run.summary()["events"], 0),
                (Some(word), Some((_, cause))) if cause == word => {}
                _ => panic!("{kind} at {load}: {found:?}"),
            }
        }
    }
}

#[test]
fn the_shipped_signature_is_what_calibration_makes_of_the_healthy_runs() {
    let test = "the_shipped_signature_is_what_calibration_makes_of_the_healthy_runs";
    let Some(folder) = folder(test) else { return };
    let place = Place::new();
    // No run has the number 0.
    let config = calibrated_without(&place, &folder, 0);
    let made = std::fs::read_to_string(config).unwrap();
    let committed = std::fs::read_to_string(shipped("cranfield.toml")).unwrap();
    assert!(made == committed, "calibration makes another file:\n{made}");
}

#[test]
fn every_movement_is_seen_and_its_load_is_told() {
    let test = "every_movement_is_seen_and_its_load_is_told";
    let Some(folder) = folder(test) else { return };
    let (place, config) = (Place::new(), shipped("cranfield.toml"));
    let mean_load = |load: &str| {
        let path = folder.join(format!("normal_{load}_runs1-5.csv"));
        let lines = replay(&place, &config, &path).of_type("movement");
        assert_eq!(lines.len(), 25, "{load}");
        lines
            .iter()
            .map(|line| line["load"].as_f64().unwrap())
            .sum::<f64>()
            / 25.0
    };
    let ratio = mean_load("40kg") / mean_load("20kg");
    assert!(
        (1.8..2.2).contains(&ratio),
        "twice the mass, {ratio} times the load"
    );
}
