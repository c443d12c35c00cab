//! Health over the end of a run of the real binary: it goes on in the next one, changes nothing that is predicted or found, and a
//! run in virtual time neither reads nor writes it unless it is asked to.

#![allow(
    clippy::unwrap_used,
    reason = "a test fails by panicking, its helpers too"
)]

use serde_json::Value;
use std::fs;
use std::path::PathBuf;
use twinstep_tests::release_binary;
use twinstep_tests::run::{Place, Run};

/// What a run says that puts health back.
const GOES_ON: &str = "health goes on after";

fn kept(place: &Place) -> PathBuf {
    place.path("state/health-press_cell-17fb11bd-simulated.bin")
}

/// A run of the press cell in virtual time; what is asked of it comes out right.
fn fast(place: &Place, more: &str) -> Run {
    let state = place.path("state");
    let args = format!(
        "demo --fast --json --seed 11 --state {} {more}",
        state.display()
    );
    place.run(release_binary(), &args).fine()
}

fn one(run: &Run, source: &str, parameter: &str) -> Value {
    let lines = run.of_type("health");
    let found = (lines.iter()).find(|l| l["source"] == source && l["parameter"] == parameter);
    found
        .unwrap_or_else(|| panic!("no {parameter} of {source} in {lines:?}"))
        .clone()
}

/// Lower end, middle and upper end.
fn life(line: &Value, unit: &str) -> [f64; 3] {
    let life = line["life"][unit].as_array();
    let life = life.unwrap_or_else(|| panic!("no life: {line}"));
    [0, 1, 2].map(|n| life[n].as_f64().unwrap())
}

#[test]
fn wear_over_two_runs_has_the_life_of_one() {
    let place = Place::new();
    let whole = fast(
        &place,
        "--cycles 100000 --inject friction:infeed:factor=1.4,ramp=100s",
    );
    let first = "--cycles 85000 --inject friction:infeed:factor=1.34,ramp=85s";
    let second = "--cycles 15000 --inject friction:infeed:factor=1.34 --inject friction:infeed:factor=1.0447761,ramp=15s";
    let alone = fast(&place, second);
    assert!(!kept(&place).exists(), "nobody asked for it");
    let first = fast(&place, &format!("--keep-health {first}"));
    let second = fast(&place, &format!("--keep-health {second}"));
    assert!(!first.stderr.contains(GOES_ON), "{first:?}");
    // 85 s.
    assert!(
        second.stderr.contains("health goes on after 0.0236 h"),
        "{second:?}"
    );
    let [whole, second, alone] = [&whole, &second, &alone].map(|run| one(run, "infeed", "coulomb"));
    println!("{whole}\n{second}");
    assert_eq!(alone["life"]["reason"], "too few movements yet");
    for unit in ["hours", "metres", "strokes"] {
        let ([_, one, _], [low, two, high]) = (life(&whole, unit), life(&second, unit));
        assert!((two / one - 1.0).abs() < 0.1, "{unit}: {one} {two}");
        assert!(low <= two && two <= high, "{unit}: {low} {two} {high}");
    }
}

#[test]
fn health_that_goes_on_changes_nothing_that_is_found() {
    let place = Place::new();
    let fault = "--cycles 20000 --inject friction:outfeed:factor=1.5@5s";
    let plain = fast(&place, fault);
    assert!(!kept(&place).exists());
    let first = fast(&place, &format!("--keep-health {fault}"));
    let kept_bytes = fs::read(kept(&place)).unwrap();
    let record = place.path("second.mcap");
    let second = format!("--keep-health {fault} --record {}", record.display());
    let second = fast(&place, &second);
    assert_eq!(plain.digest(), first.digest());
    assert_eq!(plain.digest(), second.digest());
    assert_ne!(fs::read(kept(&place)).unwrap(), kept_bytes);
    assert_eq!(first.of_type("health"), plain.of_type("health"));
    assert_ne!(second.of_type("health"), plain.of_type("health"));
    // What was recorded has the same digests from its first cycle, and health is that of the run from a checkpoint on.
    for from in ["", "--from 15000"] {
        let args = format!("replay --json {from} {}", record.display());
        let replay = place.run(release_binary(), &args).fine();
        if from.is_empty() {
            assert_eq!(replay.digest(), plain.digest(), "{replay:?}");
            assert_eq!(replay.of_type("health"), plain.of_type("health"));
        } else {
            assert_eq!(replay.of_type("health"), second.of_type("health"));
        }
    }
}

#[test]
fn a_run_in_real_time_goes_on_by_itself() {
    let place = Place::new();
    let state = place.path("state");
    let args = format!(
        "demo --no-page --json --cycles 1000 --state {}",
        state.display()
    );
    let run = || place.run(release_binary(), &args).fine().stderr;
    assert!(!run().contains(GOES_ON));
    let first = fs::read(kept(&place)).unwrap();
    let said = run();
    assert!(said.contains(GOES_ON), "{said}");
    assert_ne!(fs::read(kept(&place)).unwrap(), first);
}

#[test]
fn what_is_damaged_is_put_aside_and_never_written_over() {
    let place = Place::new();
    let run = || fast(&place, "--keep-health --cycles 1000").stderr;
    assert!(!run().contains("health"));
    let good = fs::read(kept(&place)).unwrap();
    let half = &good[..good.len() / 2];
    let aside = place.path("state/health-press_cell-17fb11bd-simulated.bin.aside");
    fs::write(kept(&place), half).unwrap();
    let said = run();
    assert!(
        said.contains("health begins anew") && said.contains("its checksum is that of other bytes"),
        "{said}"
    );
    assert_eq!(fs::read(&aside).unwrap(), half);
    // It is said once, and what that run has seen is kept.
    let said = run();
    assert!(said.contains(GOES_ON) && !said.contains("anew"), "{said}");
    // Where it cannot be put aside it stays where it is.
    fs::remove_file(&aside).unwrap();
    fs::create_dir(&aside).unwrap();
    fs::write(kept(&place), half).unwrap();
    let said = run();
    assert!(said.contains("health of this run is not kept"), "{said}");
    assert_eq!(fs::read(kept(&place)).unwrap(), half);
}
