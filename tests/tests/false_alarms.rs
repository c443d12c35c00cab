//! The interval between false alarms that is asked for, counted: thresholds are learnt on one record, an eighth of others is
//! asked for, and the alarms in those are counted against both Poisson bounds of what was asked.
//!
//! Every deviation counts, of whatever detector: all were recorded on healthy machines.
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

/// Counts that a Poisson process of this mean (at most 100) stays below, and at or below, with 1 % and 99 %.
fn bounds(mean: f64) -> (u64, u64) {
    // Weights mean^n / n!: their sum stands for the exponential.
    let weights: Vec<f64> = (1..=400)
        .scan(1.0, |term, n| {
            let this = *term;
            *term *= mean / f64::from(n);
            Some(this)
        })
        .collect();
    let all = weights.iter().sum::<f64>();
    let quantile = |share: f64| {
        let mut below = 0.0;
        let found = weights.iter().position(|weight| {
            below += weight;
            below >= share * all
        });
        found.unwrap() as u64
    };
    (quantile(0.01), quantile(0.99))
}

#[test]
fn bounds_are_those_of_the_tables() {
    // Cumulative Poisson probabilities with mean 8: 0.0030 at 1, 0.0138 at 2; 0.9841 at 14, 0.9918 at 15.
    assert_eq!(bounds(8.0), (2, 15));
}

/// Learns on `healthy`, asks for an eighth of `judged`, which is `seconds` long, and counts in it; then asks for a month and
/// expects nothing. Returns the count, and how many alarms were asked for.
fn count(place: &Place, config: &str, healthy: &Path, judged: &Path, seconds: f64) -> (u64, f64) {
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
    let mut counted = (0, 0.0);
    for asked_s in [seconds / 8.0, 2_592_000.0] {
        let asked = place.file("asked.toml", asking(&text, asked_s));
        let replay = format!("replay {} {} --json", asked.display(), judged.display());
        let run = place.run(release_binary(), &replay).fine();
        let events = run.of_type("event");
        let alarms: Vec<_> = events.iter().filter(|e| e["state"] == "raised").collect();
        let said = &run.summary()["false_alarms"];
        assert_eq!(said["asked_s"], asked_s as u64, "{said}");
        // Whole seconds: what is extrapolated is what was asked, or longer where the record is short.
        let extrapolated_s = said["extrapolated_s"].as_u64().unwrap();
        assert!(extrapolated_s + 1 >= asked_s as u64, "{said}");
        assert!(
            said["extrapolated_low_s"].as_u64().unwrap() <= extrapolated_s,
            "{said}"
        );
        let what: Vec<String> = (alarms.iter())
            .map(|e| format!("{} {} {}", e["source"], e["channel"], e["detector"]))
            .collect();
        println!(
            "{config}: {} alarms in {seconds} s, asked one in {asked_s:.3} s: {what:?}; {said}",
            alarms.len()
        );
        if asked_s < seconds {
            counted = (alarms.len() as u64, seconds / asked_s);
        } else {
            assert!(
                alarms.is_empty(),
                "{config}: {what:?} with a month asked for"
            );
        }
    }
    counted
}

/// The pooled counts are what a Poisson process of what was asked can have.
fn kept(config: &str, counts: &[(u64, f64)]) {
    let alarms: u64 = counts.iter().map(|(alarms, _)| alarms).sum();
    let asked: f64 = counts.iter().map(|(_, asked)| asked).sum();
    let (least, most) = bounds(asked);
    println!("{config}: {alarms} alarms, asked {asked}, {least} to {most} within 98 %");
    assert!(
        (least..=most).contains(&alarms),
        "{config}: {alarms} alarms for {asked} asked, expected {least} to {most}; {counts:?}"
    );
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
    let counts = [(0, 1), (1, 0)].map(|(healthy, judged)| {
        count(
            &place,
            "emps.toml",
            &paths[healthy],
            &paths[judged],
            seconds[judged],
        )
    });
    kept("emps.toml", &counts);
}

#[test]
fn an_eighth_of_a_simulated_record_is_kept() {
    let place = Place::new();
    let config = shipped("press-cell.toml");
    let records = [101, 102, 103, 104].map(|seed| {
        let record = place.path(&format!("{seed}.csv"));
        let demo = format!(
            "demo --config {} --fast --json --cycles 180000 --seed {seed} --record {}",
            config.display(),
            record.display()
        );
        let _ = place.run(release_binary(), &demo).fine();
        record
    });
    // Each learns, and the next is judged: one record has its own parts and noise, and a tail as the record has it.
    let counts: Vec<(u64, f64)> = (0..records.len())
        .map(|n| {
            let judged = &records[(n + 1) % records.len()];
            count(&place, "press-cell.toml", &records[n], judged, 180.0)
        })
        .collect();
    kept("press-cell.toml", &counts);
}
