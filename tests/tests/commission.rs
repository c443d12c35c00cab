//! The twins of the shipped machines come out of a commissioning run, not out of the plant's table: doing it again gives the
//! very file that is shipped.
#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot read its own files has failed"
)]

use std::process::Command;
use twinstep_tests::{release_binary, root, run::Place};

#[test]
fn the_shipped_twins_are_those_of_a_commissioning_run() {
    commissioned_again("press-cell.toml");
}

#[test]
fn those_of_the_forming_press_are_too() {
    commissioned_again("forming-press.toml");
}

#[test]
fn those_of_the_crank_press_are_too() {
    commissioned_again("servo-crank-press.toml");
}

fn commissioned_again(name: &str) {
    let place = Place::new();
    let shipped = root().join("rt-config/machines").join(name);
    let text = std::fs::read_to_string(&shipped).unwrap();
    let config = place.file(name, &text);
    let mut calibrate = Command::new(release_binary());
    calibrate.arg("calibrate").arg(&config);
    for seed in ["101", "102", "103"] {
        let record = place.path(&format!("commission-{seed}.csv"));
        let demo = Command::new(release_binary())
            .args([
                "demo", "--fast", "--json", "--cycles", "60000", "--seed", seed, "--record",
            ])
            .arg(&record)
            .arg("--config")
            .arg(&config)
            .arg("--state")
            .arg(place.path("state"))
            .output()
            .unwrap();
        assert!(
            demo.status.success(),
            "seed {seed}: {}",
            String::from_utf8_lossy(&demo.stderr)
        );
        calibrate.arg(record);
    }
    let done = calibrate.arg("--write").output().unwrap();
    assert!(
        done.status.success(),
        "{}",
        String::from_utf8_lossy(&done.stderr)
    );
    let again = std::fs::read_to_string(&config).unwrap();
    for (line, (one, other)) in text.lines().zip(again.lines()).enumerate() {
        assert_eq!(
            one,
            other,
            "{name}:{}: calibrate it again with seeds 101, 102 and 103",
            line + 1
        );
    }
    assert_eq!(text.lines().count(), again.lines().count());
}
