//! Simulated presses behind a crank and a toggle are commissioned by `calibrate` as on a real machine; the same machine on another day is quiet,
//! and friction of its axis is found and named. Plant and twin share no equation.
#![allow(
    clippy::unwrap_used,
    reason = "a test fails by panicking, its helpers too"
)]

use serde_json::Value;
use std::path::{Path, PathBuf};
use twinstep_tests::linkage::{crank, toggle};
use twinstep_tests::release_binary;
use twinstep_tests::run::{Place, Run};

fn demo(place: &Place, config: &Path, seed: u64, more: &str) -> Run {
    let args = format!(
        "demo --config {} --fast --json --cycles 60000 --seed {seed} --state {} {more}",
        config.display(),
        place.path(&format!("state-{seed}")).display()
    );
    place.run(release_binary(), &args).fine()
}

/// The machine with the twin that three minutes of it have taught.
fn commissioned(place: &Place, machine: &str) -> PathBuf {
    let config = place.file("press.toml", machine);
    let mut calibrate = format!("calibrate {}", config.display());
    for seed in [101, 102, 103] {
        let record = place.path(&format!("healthy-{seed}.csv"));
        let _ = demo(
            place,
            &config,
            seed,
            &format!("--record {}", record.display()),
        );
        calibrate += &format!(" {}", record.display());
    }
    let _ = place
        .run(release_binary(), &format!("{calibrate} --write"))
        .fine();
    config
}

fn raised(run: &Run) -> Vec<Value> {
    let events = run.of_type("event").into_iter();
    events.filter(|event| event["state"] == "raised").collect()
}

fn quiet_and_named(machine: &str) {
    let place = Place::new();
    let config = commissioned(&place, machine);
    for seed in [201, 202] {
        let healthy = demo(&place, &config, seed, "");
        assert_eq!(raised(&healthy), [] as [Value; 0], "seed {seed}");
        for stroke in healthy.of_type("stroke") {
            assert_eq!(stroke["verdict"], "ok", "seed {seed}: {stroke}");
        }
    }
    let rubs = demo(&place, &config, 203, "--inject friction:ram:factor=1.6@20s");
    let events = rubs.of_type("event");
    let told = |event: &&Value| {
        event["channel"] == "current_load"
            && event["state"] != "cleared"
            && event["cause"]
                .as_str()
                .is_some_and(|cause| cause.contains("friction increased"))
    };
    assert!(events.iter().any(|event| told(&event)), "{events:#?}");
    // Nothing before the fault.
    let early = events
        .iter()
        .find(|event| event["time_ns"].as_u64() < Some(20_000_000_000));
    assert_eq!(early, None);
}

#[test]
fn a_commissioned_crank_is_quiet_and_its_friction_is_named() {
    quiet_and_named(&crank());
}

#[test]
fn a_commissioned_toggle_is_quiet_and_its_friction_is_named() {
    quiet_and_named(&toggle());
}
