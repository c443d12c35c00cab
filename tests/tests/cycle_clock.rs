//! `[realtime.clock]` on a bus with distributed clocks: the cycle follows one of the two, and tells how far the other is off.
//!
//! Where starts are planned to lie is judged, never when the computer came to it.
#![allow(
    clippy::unwrap_used,
    reason = "a test fails by panicking, its helpers too"
)]

use serde_json::Value;
use std::fs;
use twinstep_tests::cable::{Cable, ENDS};
use twinstep_tests::release_binary;
use twinstep_tests::run::{Place, json_lines, shipped};
use twinstep_tests::sim::Sim;

/// Drifts are taken over a second.
const CYCLES: &str = "6500";

/// How much faster the distributed clocks are here than this computer's (ppb), and as a fault.
const DC_GAINS_PPB: f64 = 50_000.0;
const DC_GAINS: [&str; 2] = ["--fault", "clock_drift:bus:rate=50ppm"];

/// The summary of a run of the press cell on a cable, with `clock` in its configuration.
fn summary(cable: &Cable, clock: &str) -> Value {
    let place = Place::new();
    let text = fs::read_to_string(shipped("press-cell.toml")).unwrap();
    let config = place.file("cell.toml", format!("{text}\n[realtime.clock]\n{clock}\n"));
    let config = config.display().to_string();
    let mut sim = Sim::start(cable, &config, &DC_GAINS);
    let state = place.path("state").display().to_string();
    let args = ["run", &config, "--interface", ENDS[0], "--json", "--cycles"];
    let args = args.iter().copied().chain([CYCLES, "--state", &state]);
    let run = cable.command(release_binary(), args).spawn().unwrap();
    sim.wait_for_op();
    let run = run.wait_with_output().unwrap();
    let _ = sim.end();
    assert!(run.status.success(), "{run:?}");
    let lines = json_lines(&String::from_utf8(run.stdout).unwrap());
    let summary = lines.last().unwrap().clone();
    println!("{} {}", summary["clock"], summary["phase"]);
    summary
}

/// Whether a drift is what it should be, so near that no clock and the gain are told apart: a computer that is held up moves it.
fn is_near(clock: &Value, key: &str, ppb: f64) {
    let found = clock[key].as_f64().unwrap();
    assert!((found - ppb).abs() < DC_GAINS_PPB / 2.0, "{key}: {clock}");
}

#[test]
fn a_cycle_follows_one_clock_and_tells_of_the_other() {
    let Some(cable) = Cable::new("a_cycle_follows_one_clock_and_tells_of_the_other") else {
        return;
    };
    // The distributed clocks are followed: CLOCK_TAI is only held against the cycle.
    let watched = summary(&cable, "source = \"tai\"\nfollow = false");
    let clock = &watched["clock"];
    assert_eq!(
        (&clock["source"], &clock["follows"]),
        (&"tai".into(), &false.into())
    );
    // Starts follow the distributed clocks, which are faster: the other one loses on them what they gain.
    assert!(clock["phase_error_ns"].is_number(), "{clock}");
    // By how much more depends on how far the starts had to walk to their phase, and on what held this computer up.
    assert!(clock["drift_ppb"].as_f64().unwrap() < 0.0, "{clock}");
    is_near(clock, "dc_drift_ppb", DC_GAINS_PPB);
    assert!(watched["phase"]["p50_ns"].is_u64(), "{watched}");

    let followed = summary(&cable, "source = \"tai\"\nphase = \"300us\"");
    let clock = &followed["clock"];
    assert_eq!(clock["follows"], true);
    assert_eq!(clock["locked"], true, "{clock}");
    // On this computer CLOCK_TAI and CLOCK_MONOTONIC are steered alike.
    is_near(clock, "drift_ppb", 0.0);
    is_near(clock, "dc_drift_ppb", DC_GAINS_PPB);
    let error_ns = clock["phase_error_ns"].as_i64().unwrap();
    assert!(error_ns.abs() < 10_000, "{clock}");
}

#[test]
fn a_clock_that_is_not_there_is_named() {
    let place = Place::new();
    let text = fs::read_to_string(shipped("press-cell.toml")).unwrap();
    let keys = "[realtime.clock]\nsource = \"/dev/no-such-ptp\"\n";
    let config = place.file("cell.toml", format!("{text}\n{keys}"));
    place.refuse(
        &format!("run {} --json --cycles 10", config.display()),
        1,
        &["/dev/no-such-ptp", "/dev/ptp*"],
    );
}
