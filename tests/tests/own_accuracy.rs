//! How far twins can be believed on a recording of twinstep's own, and what is odd in it: `replay --accuracy`, `whatif --recording`.
#![allow(
    clippy::unwrap_used,
    reason = "a test fails by panicking, its helpers too"
)]

use serde_json::Value;
use std::path::PathBuf;
use twinstep_tests::release_binary;
use twinstep_tests::run::{Place, shipped};

/// A healthy run of the shipped cell.
fn recorded(place: &Place) -> PathBuf {
    let path = place.path("run.csv");
    let args = format!(
        "demo --fast --cycles 20000 --seed 7 --record {} --json",
        path.display()
    );
    let _ = place.run(release_binary(), &args).fine();
    path
}

fn number(line: &Value, key: &str) -> f64 {
    line[key].as_f64().unwrap_or(f64::NAN)
}

#[test]
fn own_recordings_are_compared_with_what_needs_no_physics_presses_too() {
    let place = Place::new();
    let path = recorded(&place);
    let config = shipped("press-cell.toml");
    let args = format!("replay {} {} --json", config.display(), path.display());
    let plain = place.run(release_binary(), &args).fine();
    assert!(plain.of_type("accuracy").is_empty(), "it was not asked for");
    let run = place
        .run(release_binary(), &format!("{args} --accuracy"))
        .fine();
    assert_eq!(
        run.summary()["digest"],
        plain.summary()["digest"],
        "a comparison changes nothing"
    );
    let lines = run.of_type("accuracy");
    let row = |source: &str, channel: &str, horizon: u64| {
        let mut all = lines.iter();
        all.find(|line| {
            line["source"] == source
                && line["channel"] == channel
                && line["horizon_cycles"] == horizon
        })
    };
    for source in ["carriage", "lift", "insert", "press"] {
        for channel in ["position_next", "current_next"] {
            let line = row(source, channel, 10).unwrap_or_else(|| panic!("{source} {channel}"));
            let twin = number(line, "twin_rms");
            assert!(twin < number(line, "hold_rms"), "{line}");
            assert!(twin < number(line, "linear_rms"), "{line}");
            assert!(number(line, "arx10_rms") > 0.0, "{line}");
            assert!(number(line, "samples") > 100.0, "{line}");
        }
    }
    let free = run.of_type("free_run");
    assert!(free.iter().any(|line| line["source"] == "carriage"));
    assert!(
        free.iter().all(|line| line["source"] != "press"),
        "a part would end it: {free:?}"
    );
}

#[test]
fn what_is_odd_in_an_own_recording_is_said() {
    let place = Place::new();
    let path = recorded(&place);
    // A turn of the press has a thousandth of its increments: positions are a thousand times as large.
    let text = std::fs::read_to_string(shipped("press-cell.toml")).unwrap();
    let key = "counts_per_rev = ";
    let at = text.find("[press.drive]").unwrap();
    let from = at + text[at..].find(key).unwrap() + key.len();
    let end = from + text[from..].find('\n').unwrap();
    let other = format!("{}1048{}", &text[..from], &text[end..]);
    let config = place.file("other.toml", other);
    for args in [
        format!(
            "replay {} {} --accuracy --json",
            config.display(),
            path.display()
        ),
        format!(
            "whatif {} --recording {} --json",
            config.display(),
            path.display()
        ),
    ] {
        let run = place.run(release_binary(), &args);
        assert!(
            run.stderr.contains("run.csv, column `")
                && run.stderr.contains("a factor of a thousand"),
            "{args}: {}",
            run.stderr
        );
    }
    let config = shipped("press-cell.toml");
    let args = format!(
        "whatif {} --recording {} --json",
        config.display(),
        path.display()
    );
    let healthy = place.run(release_binary(), &args).fine();
    assert!(!healthy.stderr.contains("run.csv, "), "{}", healthy.stderr);
}

#[test]
fn a_capture_has_no_columns_to_compare() {
    let place = Place::new();
    // A capture is told by its first bytes.
    let capture = place.file("bus.pcap", [0xd4_u8, 0xc3, 0xb2, 0xa1].repeat(8));
    let args = format!(
        "replay {} {} --accuracy",
        shipped("press-cell.toml").display(),
        capture.display()
    );
    let run = place.run(release_binary(), &args);
    assert_eq!(run.status.code(), Some(2), "{}", run.stderr);
    assert!(run.stderr.contains("--accuracy"), "{}", run.stderr);
}
