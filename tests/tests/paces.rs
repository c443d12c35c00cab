//! A commissioned machine on another program: at speeds and accelerations that the healthy record has none like, figures of movements are
//! left out and counted, and nothing healthy is raised. What the record does hold is judged as ever.
#![allow(
    clippy::unwrap_used,
    reason = "a test fails by panicking, its helpers too"
)]

use std::fmt::Write;
use twinstep_tests::release_binary;
use twinstep_tests::run::{Place, shipped};

const SEEDS: std::ops::Range<u32> = 0..20;

/// The shipped cell.
fn cell() -> String {
    std::fs::read_to_string(shipped("press-cell.toml")).unwrap()
}

/// `text` with `lines` instead of those of the same keys in the `[axis.motion]` of `axis`.
fn with_motion(text: &str, axis: &str, keys: &[(&str, &str)], steps: &[(f64, f64)]) -> String {
    let at = text.find(&format!("name = \"{axis}\"")).unwrap();
    let motion = at + text[at..].find("[axis.motion]").unwrap();
    let program = motion + text[motion..].find("program = [").unwrap();
    let end = program + text[program..].find("]\n").unwrap() + 2;
    let mut new: String = text[motion..program]
        .lines()
        .map(|line| {
            let own = keys
                .iter()
                .find(|(key, _)| line.starts_with(&format!("{key} = ")));
            own.map_or(format!("{line}\n"), |(key, value)| {
                format!("{key} = \"{value}\"\n")
            })
        })
        .collect();
    new.push_str("program = [\n");
    for (to_mm, speed_mm_per_s) in steps {
        writeln!(
            new,
            "    {{ to = \"{to_mm}mm\", velocity = \"{speed_mm_per_s}mm/s\", dwell = \"200ms\" }},"
        )
        .unwrap();
    }
    new.push_str("]\n");
    format!("{}{new}{}", &text[..motion], &text[end..])
}

/// Creeping, slow, half as fast, as fast as ever, and several speeds without a rest between them.
fn several_speeds(text: &str) -> String {
    let infeed = [
        (80.0, 30.0),
        (50.0, 30.0),
        (110.0, 60.0),
        (50.0, 60.0),
        (350.0, 300.0),
        (50.0, 300.0),
        (750.0, 1000.0),
        (50.0, 1000.0),
    ];
    let carriage = [
        (65.0, 10.0),
        (50.0, 10.0),
        (110.0, 60.0),
        (50.0, 60.0),
        (300.0, 250.0),
        (50.0, 250.0),
        (400.0, 600.0),
        (50.0, 600.0),
    ];
    let text = with_motion(text, "infeed", &[], &infeed);
    with_motion(&text, "carriage", &[], &carriage)
}

/// The same ways and speeds with other accelerations (m/s2) and jerks (m/s3) of `infeed` and `carriage`.
fn accelerated(text: &str, [infeed, carriage]: [[&str; 2]; 2]) -> String {
    fn keys([acceleration, jerk]: [&str; 2]) -> [(&str, &str); 2] {
        [("acceleration", acceleration), ("jerk", jerk)]
    }
    let text = with_motion(
        text,
        "infeed",
        &keys(infeed),
        &[(750.0, 1000.0), (50.0, 1000.0)],
    );
    with_motion(
        &text,
        "carriage",
        &keys(carriage),
        &[(400.0, 600.0), (50.0, 600.0)],
    )
}

/// With a third of the acceleration, and with one and a half times of it.
fn other_accelerations(text: &str) -> String {
    accelerated(text, [["2m/s2", "30m/s3"], ["7.5m/s2", "150m/s3"]])
}

/// `text` as a calibration wrote it that knew no paces.
fn without_paces(text: &str) -> String {
    let mut kept = true;
    let lines = text.lines().filter(|line| {
        if line.starts_with('[') {
            kept = !line.ends_with(".twin.pace]]");
        }
        kept
    });
    lines.fold(String::new(), |text, line| text + line + "\n")
}

/// Runs `text` with one seed: what was raised, and the movements of each axis that were left out.
fn run(place: &Place, text: &str, seed: u32, more: &str) -> (Vec<String>, Vec<(String, u64)>) {
    let config = place.file("cell.toml", text);
    let demo = format!(
        "demo --config {} --fast --json --cycles 45000 --seed {seed} --state {} {more}",
        config.display(),
        place.path(&format!("state-{seed}")).display()
    );
    let run = place.run(release_binary(), &demo).fine();
    let raised = (run
        .of_type("event")
        .iter()
        .filter(|event| event["state"] == "raised"))
    .map(|event| {
        format!(
            "seed {seed}: {} {} {} {} at {}",
            event["source"], event["channel"], event["regime"], event["cause"], event["cycle"]
        )
    })
    .collect();
    let summary = run.summary();
    let left_out = summary["not_judged"].as_array().into_iter().flatten();
    let left_out = left_out
        .map(|one| {
            let name = one["source"].as_str().unwrap().to_owned();
            (name, one["not_learnt"].as_u64().unwrap())
        })
        .collect();
    (raised, left_out)
}

/// What 20 healthy machines raise on `text`.
fn healthy(text: &str) -> (Vec<String>, u64) {
    let place = Place::new();
    let (mut all, mut movements) = (Vec::new(), 0);
    for seed in SEEDS {
        let (raised, left_out) = run(&place, text, seed, "");
        all.extend(raised);
        movements += left_out.iter().map(|(_, movements)| movements).sum::<u64>();
    }
    (all, movements)
}

#[test]
fn another_program_raises_nothing_on_a_healthy_machine() {
    let text = several_speeds(&cell());
    let (raised, left_out) = healthy(&text);
    assert!(raised.is_empty(), "{raised:#?}");
    assert!(left_out > 20 * 10, "{left_out}");
    // What the paces keep from being raised: a test that cannot fail would say nothing.
    let place = Place::new();
    let (raised, left_out) = run(&place, &without_paces(&text), 0, "");
    assert!(!raised.is_empty() && left_out.is_empty(), "{left_out:?}");
}

#[test]
fn other_accelerations_raise_nothing_on_a_healthy_machine() {
    let (raised, left_out) = healthy(&other_accelerations(&cell()));
    assert!(raised.is_empty(), "{raised:#?}");
    assert!(left_out > 20 * 10, "{left_out}");
    // Twice as hard as learnt, surprises are those of a belt that swings; its figures raise nothing, and would without the paces.
    let text = accelerated(&cell(), [["12m/s2", "400m/s3"], ["1m/s2", "20m/s3"]]);
    let place = Place::new();
    let figures = |text: &str| {
        let (raised, _) = run(&place, text, 0, "");
        raised.iter().any(|event| event.contains("current_load"))
    };
    assert!(!figures(&text));
    assert!(figures(&without_paces(&text)));
}

#[test]
fn the_program_of_the_record_has_nothing_left_out_and_its_faults_are_found() {
    let place = Place::new();
    let (raised, left_out) = run(&place, &cell(), 3, "");
    assert_eq!((raised, left_out), (Vec::new(), Vec::new()));
    // Of another program what is as fast as ever is judged.
    for axis in ["infeed", "carriage"] {
        let fault = format!("--inject friction:{axis}:factor=1.4@8s");
        let (raised, left_out) = run(&place, &several_speeds(&cell()), 3, &fault);
        assert!(!raised.is_empty(), "{axis}");
        assert!(
            raised.iter().all(|event| event.contains(axis)),
            "{raised:?}"
        );
        assert!(
            left_out.iter().any(|(name, _)| name == axis),
            "{left_out:?}"
        );
    }
}
