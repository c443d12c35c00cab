//! Gains of drives, identified by `calibrate` from a recording of the simulated cell, whose drives have what its table says: a table that is
//! right stays, one that is wrong is told and not used, and what a recording cannot say is said.
#![allow(
    clippy::unwrap_used,
    reason = "a test fails by panicking, its helpers too"
)]

use serde_json::Value;
use twinstep_tests::release_binary;
use twinstep_tests::run::{Place, shipped};

/// What was identified of an axis.
fn identified<'a>(lines: &'a [Value], axis: &str) -> &'a Value {
    let line = lines.iter().find(|line| line["source"] == axis).unwrap();
    &line["cascade_gains"]["identified"]
}

fn three(of: &Value, key: &str) -> [f64; 3] {
    [0, 1, 2].map(|n| of[key][n].as_f64().unwrap())
}

/// Whether what was identified lies around `truth`, within three standard errors that are themselves small.
fn around(of: &Value, key: &str, truth: f64) -> bool {
    let [_, value, error] = three(of, key);
    (value - truth).abs() < 3.0 * error && error < 0.03 * truth
}

#[test]
fn a_right_table_stays_and_a_wrong_one_does_not() {
    let place = Place::new();
    let text = std::fs::read_to_string(shipped("press-cell.toml")).unwrap();
    let record = place.path("run.csv").display().to_string();
    let args = format!("demo --fast --cycles 30000 --seed 11 --record {record} --json");
    let _ = place.run(release_binary(), &args).fine();

    let right = place.file("right.toml", &text);
    let args = format!("calibrate {} {record} --json", right.display());
    let lines = (place.run(release_binary(), &args).fine()).of_type("calibration");
    assert_eq!(lines.len(), 9, "eight axes and a press");
    for line in &lines {
        let found = &line["cascade_gains"]["identified"];
        let [kx, kv] = ["position_gain_per_s", "velocity_gain"].map(|key| three(found, key));
        println!("{}: {found}", line["source"]);
        assert_eq!(found["written"], false, "{line}");
        assert!(around(found, "position_gain_per_s", kx[0]), "{line}");
        assert!(around(found, "velocity_gain", kv[0]), "{line}");
        assert_eq!(line["cascade_gains"]["velocity_gain"][0], kv[0], "{line}");
    }

    // The drives are as before, and what somebody wrote down of two of them is not: the first has other gains, and of the second, loops that are
    // too fast for the period.
    let wrong = text.replacen(
        "\"60/s\"\nvelocity_gain = \"140A s/m\"",
        "\"80/s\"\nvelocity_gain = \"100A s/m\"",
        1,
    );
    let wrong = wrong.replacen(
        "velocity_gain = \"130A s/m\"\nvelocity_integral_time = \"18ms\"",
        "velocity_gain = \"130A s/m\"\nvelocity_integral_time = \"1ms\"",
        1,
    );
    let wrong = place.file("wrong.toml", wrong);
    let args = format!("calibrate {} {record} --write --json", wrong.display());
    let run = place.run(release_binary(), &args);
    let lines = run.fine().of_type("calibration");
    let infeed = identified(&lines, "infeed");
    println!("with a wrong table: {infeed}");
    assert_eq!(infeed["written"], true, "{infeed}");
    assert_eq!(three(infeed, "position_gain_per_s")[0], 80.0);
    assert!(around(infeed, "position_gain_per_s", 60.0), "{infeed}");
    assert!(around(infeed, "velocity_gain", 140.0), "{infeed}");
    assert!(identified(&lines, "outfeed").is_null(), "{lines:?}");
    assert_eq!(identified(&lines, "gantry")["written"], false);

    // What is written is what was identified, and it is said.
    let written = std::fs::read_to_string(&wrong).unwrap();
    let kx = three(infeed, "position_gain_per_s")[1];
    assert!(
        written.contains(&format!("position_gain = \"{kx}/s\"")),
        "{kx}"
    );
    let warned = |axis: &str, words: &str| {
        let line = lines.iter().find(|line| line["source"] == axis).unwrap();
        let all = line["warnings"].as_array().unwrap();
        all.iter().any(|w| w.as_str().unwrap().starts_with(words))
    };
    assert!(warned(
        "infeed",
        "the gains of the drive's table are not those of the recording: position gain "
    ));
    assert!(warned(
        "outfeed",
        "gains of the drive not identified: its period of 1.00 ms is too long"
    ));
    assert!(!warned("gantry", "the gains of the drive's table"));
    let _ = place
        .twinstep(&format!("check {} --json", wrong.display()))
        .fine();
}
