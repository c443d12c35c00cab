//! The interval between false alarms that is asked for, counted: thresholds are learnt on one record, an eighth of another is
//! asked for, and the alarms in that one are counted against the Poisson bounds of what was asked.
//!
//! Too few alarms are no fault: detectors of one channel share one alarm, and a threshold beyond the record keeps clear of it.
#![allow(
    clippy::unwrap_used,
    reason = "a test fails by panicking, its helpers too"
)]

use std::path::Path;
use twinstep_tests::run::{Place, shipped};
use twinstep_tests::{recordings, release_binary};

/// The configuration `text` asking for `asked_s`.
fn asking(text: &str, asked_s: f64) -> String {
    let (key, value) = (
        "false_alarm_interval = ",
        format!("false_alarm_interval = \"{asked_s}s\""),
    );
    if text.contains(key) {
        let lines = text
            .lines()
            .map(|line| if line.starts_with(key) { &value } else { line });
        return lines.collect::<Vec<_>>().join("\n");
    }
    text.replacen("[[axis]]", &format!("[judge]\n{value}\n\n[[axis]]"), 1)
}

/// The least count that a Poisson process of this mean (at most 100) stays at or below with 99 %.
fn at_most(mean: f64) -> u64 {
    // Weights mean^n / n!: their sum stands for the exponential.
    let weights: Vec<f64> = (1..=400)
        .scan(1.0, |term, n| {
            let this = *term;
            *term *= mean / f64::from(n);
            Some(this)
        })
        .collect();
    let enough = 0.99 * weights.iter().sum::<f64>();
    let mut below = 0.0;
    let found = weights.iter().position(|weight| {
        below += weight;
        below >= enough
    });
    found.unwrap() as u64
}

/// Learns on `healthy`, asks for an eighth of `judged` and counts in it; then asks for a month and expects nothing.
fn count(place: &Place, config: &str, healthy: &Path, judged: &Path, judged_s: f64) {
    let text = std::fs::read_to_string(shipped(config)).unwrap();
    let learnt = place.file("learnt.toml", &text);
    let calibrate = format!(
        "calibrate {} {} --write",
        learnt.display(),
        healthy.display()
    );
    let _ = place.run(release_binary(), &calibrate).fine();
    let text = std::fs::read_to_string(&learnt).unwrap();
    assert!(text.contains("twin.innovation]]"), "{text}");
    assert!(!text.contains("position_limit"), "{text}");
    let mut counts = Vec::new();
    for asked_s in [judged_s / 8.0, 2_592_000.0] {
        let asked = place.file("asked.toml", asking(&text, asked_s));
        let replay = format!("replay {} {} --json", asked.display(), judged.display());
        let run = place.run(release_binary(), &replay).fine();
        let alarms = (run.of_type("event").iter())
            .filter(|e| e["state"] == "raised")
            .filter(|e| e["channel"].as_str().unwrap().ends_with("_next"))
            .count() as u64;
        let said = &run.summary()["false_alarms"];
        assert_eq!(said["asked_s"], asked_s as u64, "{said}");
        // Whole seconds: what is extrapolated is what was asked, or longer where the record is short.
        let extrapolated_s = said["extrapolated_s"].as_u64().unwrap();
        assert!(extrapolated_s + 1 >= asked_s as u64, "{said}");
        assert!(
            said["extrapolated_low_s"].as_u64().unwrap() <= extrapolated_s,
            "{said}"
        );
        println!(
            "{config}: {alarms} alarms in {judged_s} s, asked one in {asked_s:.3} s, at most {} within 99 %; {said}",
            at_most(judged_s / asked_s)
        );
        counts.push((alarms, at_most(judged_s / asked_s)));
    }
    for (alarms, bound) in counts {
        assert!(
            alarms <= bound,
            "{config}: {alarms} alarms, at most {bound}"
        );
    }
}

#[test]
fn an_eighth_of_a_real_record_is_kept() {
    let Some(folder) = recordings("an_eighth_of_a_real_record_is_kept") else {
        return;
    };
    let all = std::fs::read_to_string(folder.join("emps/emps_first_half.csv")).unwrap();
    let lines: Vec<&str> = all.lines().collect();
    let (head, rows) = lines.split_first().unwrap();
    let (first, second) = rows.split_at(rows.len() / 2);
    let place = Place::new();
    let part =
        |name: &str, rows: &[&str]| place.file(name, format!("{head}\n{}\n", rows.join("\n")));
    let paths = [part("first.csv", first), part("second.csv", second)];
    let seconds = [first.len(), second.len()].map(|rows| rows as f64 / 1e3);
    count(&place, "emps.toml", &paths[0], &paths[1], seconds[1]);
    count(&place, "emps.toml", &paths[1], &paths[0], seconds[0]);
}

#[test]
fn an_eighth_of_a_simulated_record_is_kept() {
    let place = Place::new();
    let config = shipped("press-cell.toml");
    for seed in [101, 102] {
        let demo = format!(
            "demo --config {} --fast --json --cycles 60000 --seed {seed} --record {}",
            config.display(),
            place.path(&format!("{seed}.csv")).display()
        );
        let _ = place.run(release_binary(), &demo).fine();
    }
    let (healthy, judged) = (place.path("101.csv"), place.path("102.csv"));
    count(&place, "press-cell.toml", &healthy, &judged, 60.0);
}
