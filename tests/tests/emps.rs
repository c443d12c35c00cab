//! The twin judged on a recorded axis: the first half of the EMPS record.
#![allow(
    clippy::unwrap_used,
    reason = "a test fails by panicking, its helpers too"
)]

use serde_json::Value;
use twinstep_tests::run::{Place, Run, number, shipped};
use twinstep_tests::{recordings, release_binary};

fn replay(test: &str) -> Option<Run> {
    let recording = recordings(test)?.join("emps/emps_first_half.csv");
    let args = format!(
        "replay {} {} --json",
        shipped("emps.toml").display(),
        recording.display()
    );
    Some(Place::new().run(release_binary(), &args).fine())
}

/// The line of one channel at one horizon.
fn accuracy(run: &Run, channel: &str, horizon: u64) -> Value {
    let lines = run.of_type("accuracy");
    let found = lines
        .iter()
        .find(|line| line["channel"] == channel && line["horizon_cycles"] == horizon);
    found
        .unwrap_or_else(|| panic!("no {channel} at {horizon} in {lines:#?}"))
        .clone()
}

#[test]
fn one_cycle_ahead_and_free_run_hold_for_one_parameter_set() {
    let Some(run) = replay("one_cycle_ahead_and_free_run_hold_for_one_parameter_set") else {
        return;
    };
    let next = accuracy(&run, "position_next", 1);
    // The goal on the half that is given; the encoder steps by as much.
    println!("one cycle ahead: {next}");
    assert!(number(&next, "twin_rms") <= 0.05e-6, "{next}");
    let free = &run.of_type("free_run")[0];
    assert_eq!(
        (&free["source"], &free["channel"]),
        (&"carriage".into(), &"position".into())
    );
    assert!(number(free, "fit_percent") >= 97.0, "{free}");
    assert_eq!(run.summary()["cycles"], 12_421, "every row is a cycle");
}

#[test]
fn the_twin_beats_what_needs_no_physics() {
    let Some(run) = replay("the_twin_beats_what_needs_no_physics") else {
        return;
    };
    let mut offences = Vec::new();
    for channel in ["position_next", "current_next"] {
        for horizon in [100, 1000] {
            let line = accuracy(&run, channel, horizon);
            let twin = number(&line, "twin_rms");
            for other in ["hold_rms", "linear_rms", "arx10_rms"] {
                // Written so that a figure that is no number is an offence too.
                if twin.is_nan() || twin >= number(&line, other) {
                    offences.push(format!("{channel} at {horizon}: {other}, {line}"));
                }
            }
        }
    }
    assert!(offences.is_empty(), "{}", offences.join("\n"));
}

#[test]
fn the_same_record_has_the_same_digest_and_a_healthy_axis_no_event() {
    let test = "the_same_record_has_the_same_digest_and_a_healthy_axis_no_event";
    let (Some(first), Some(second)) = (replay(test), replay(test)) else {
        return;
    };
    assert_eq!(first.digest(), second.digest());
    assert_eq!(first.of_type("accuracy"), second.of_type("accuracy"));
    assert_eq!(first.summary()["events"], 0, "{first:#?}");
}

/// What `calibrate` says of `text`, a recording, beside a copy of the shipped configuration; and that copy, written.
fn calibrated(place: &Place, text: &str) -> (Value, std::path::PathBuf) {
    let recording = place.file("fit.csv", text);
    let config = place.file("emps.toml", std::fs::read(shipped("emps.toml")).unwrap());
    let args = format!(
        "calibrate {} {} --write --json",
        config.display(),
        recording.display()
    );
    let run = place.run(release_binary(), &args).fine();
    (run.of_type("calibration").remove(0), config)
}

fn estimate(line: &Value, by: &str, key: &str) -> f64 {
    line[by][key][0]
        .as_f64()
        .unwrap_or_else(|| panic!("{by} {key} of {line}"))
}

#[test]
fn the_published_parameters_are_found_and_friction_that_was_added_too() {
    let test = "the_published_parameters_are_found_and_friction_that_was_added_too";
    let Some(folder) = recordings(test) else {
        return;
    };
    let text = std::fs::read_to_string(folder.join("emps/emps_first_half.csv")).unwrap();
    let place = Place::new();
    let (line, config) = calibrated(&place, &text);
    let published = [
        ("mass_kg", 95.1089, 0.01),
        ("coulomb_n", 20.3935, 0.01),
        ("viscous_n_s_per_m", 203.5034, 0.01),
        ("gravity_n", -3.1648, 0.05),
    ];
    for (key, value, within) in published {
        let found = estimate(&line, "inverse_dynamics", key);
        assert!(
            (found / value - 1.0).abs() < within,
            "{key}: {found} for {value}"
        );
        let (se, naive) = (
            line["inverse_dynamics"][key][1].as_f64(),
            line["naive_se"][key].as_f64(),
        );
        assert!(
            se.unwrap() > 2.0 * naive.unwrap(),
            "{key}: residuals are correlated, {line}"
        );
        assert!(line["output_error"][key][1].as_f64().unwrap() > 0.0);
    }
    // From starts 30 % off on either side it comes to the same.
    let apart = line["output_error_restarted_percent"].as_f64().unwrap();
    println!("restarted output error: {apart} % apart");
    assert!(apart < 0.1, "{apart}");
    let warnings = line["warnings"].to_string();
    assert!(!warnings.contains("more than one minimum"), "{warnings}");
    // The free run bends the mass to make up for what the model lacks, and that is said.
    assert!(
        warnings.contains("output error contradicts inverse dynamics, most of all"),
        "{warnings}"
    );
    assert_eq!(line["written"], "inverse_dynamics");
    assert!(place.path("emps.calibration.html").is_file() && place.path("emps.toml.bak").is_file());
    let check = place.run(release_binary(), &format!("check {}", config.display()));
    assert!(check.status.success(), "{check:#?}");
    // A fifth of the friction more, on the drive signal.
    let rows: Vec<Vec<f64>> = (text.lines().skip(1))
        .map(|l| l.split(',').map(|c| c.parse().unwrap()).collect())
        .collect();
    let mut more = String::from("time_s,reference_m,position_m,drive_v\n");
    for k in 0..rows.len() {
        let (a, b) = (k.saturating_sub(1), (k + 1).min(rows.len() - 1));
        let v = (rows[b][2] - rows[a][2]) / (1e-3 * (b - a) as f64);
        let sign = (v / 1e-3).clamp(-1.0, 1.0);
        let added = 0.2 * (20.3935 * sign + 203.5034 * v) / 35.15065188248547;
        more += &format!(
            "{},{},{},{}\n",
            rows[k][0],
            rows[k][1],
            rows[k][2],
            rows[k][3] + added
        );
    }
    let (other, _) = calibrated(&place, &more);
    let moved = |key: &str| {
        100.0
            * (estimate(&other, "inverse_dynamics", key) / estimate(&line, "inverse_dynamics", key)
                - 1.0)
    };
    for key in ["coulomb_n", "viscous_n_s_per_m"] {
        assert!(
            (moved(key) - 20.0).abs() < 3.0,
            "{key} moved by {} %",
            moved(key)
        );
    }
    assert!(moved("mass_kg").abs() < 1.0, "{}", moved("mass_kg"));
}

#[test]
fn fitted_on_one_part_and_judged_on_a_later_one() {
    let Some(folder) = recordings("fitted_on_one_part_and_judged_on_a_later_one") else {
        return;
    };
    let text = std::fs::read_to_string(folder.join("emps/emps_first_half.csv")).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let half = lines.len() / 2;
    let place = Place::new();
    let (_, config) = calibrated(&place, &(lines[..half].join("\n") + "\n"));
    // It begins in the middle of a movement, and not at time 0.
    let later = place.file(
        "later.csv",
        format!("{}\n{}\n", lines[0], lines[half..].join("\n")),
    );
    let args = format!("replay {} {} --json", config.display(), later.display());
    let run = place.run(release_binary(), &args).fine();
    let free = &run.of_type("free_run")[0];
    assert!(number(free, "fit_percent") >= 95.5, "{free}");
    // A tenth of a newton of constant load is seen, and is no more than a few points.
    let moved = ["fit_percent_offset_less", "fit_percent_offset_more"]
        .map(|key| (number(free, key) - number(free, "fit_percent")).abs());
    assert!(moved.iter().any(|by| *by > 0.2), "{free}");
    assert!(moved.iter().all(|by| *by < 3.0), "{free}");
    assert!(number(&accuracy(&run, "position_next", 1), "twin_rms") <= 0.05e-6);
    for horizon in [10, 100, 1000] {
        let force = accuracy(&run, "current_next", horizon);
        for other in ["linear_rms", "arx10_rms"] {
            assert!(
                number(&force, "twin_rms") < number(&force, other),
                "{force}"
            );
        }
    }
    assert_eq!(run.summary()["events"], 0);
}
