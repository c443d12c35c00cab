//! An axis that goes from CSP to CSV to CST and back: predicted in each of them, quiet where it is healthy, and its faults are found.
#![allow(
    clippy::unwrap_used,
    reason = "a test fails by panicking, its helpers too"
)]

use serde_json::Value;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use twinstep_tests::release_binary;
use twinstep_tests::run::{Place, Run};

const SEEDS: std::ops::Range<u32> = 0..20;
const MODES: [&str; 3] = ["csp", "csv", "cst"];

/// A carriage on a ball screw, whose program runs there and back in each of `modes`.
fn machine(modes: &[&str]) -> String {
    let mut program = String::new();
    for mode in modes {
        for to_mm in [400, 50] {
            writeln!(
                program,
                "    {{ to = \"{to_mm}mm\", dwell = \"300ms\", mode = \"{mode}\" }},"
            )
            .unwrap();
        }
    }
    format!(
        r#"[machine]
name = "three modes"

[cycle]
period = "1ms"

[judge]
false_alarm_interval = "30days"

[bus]
frame_shift = "200us"

[simulation]
machine_seed = 7

[[axis]]
name = "x"

[axis.drive]
lead = "20mm"
counts_per_rev = 1048576
rated_current = "5.2A"
torque_constant = "0.9N m/A"
max_torque_permille = 2200
position_gain = "80/s"
velocity_gain = "340A s/m"
velocity_integral_time = "12ms"
current_time_constant = "400us"
torque_filter = "600us"
outputs = ["0x6040", "0x607A", "0x60FF", "0x6071", "0x60B1", "0x60B2", "0x6060"]

[axis.motion]
start = "50mm"
velocity = "0.6m/s"
acceleration = "5m/s2"
jerk = "100m/s3"
program = [
{program}]

[axis.plant]
load_mass = "120kg"
motor_inertia = "7kg cm2"
coulomb = "190N"
static_ratio = 1.3
stribeck_velocity = "6mm/s"
viscous = "180N s/m"
stiffness = "90N/um"
backlash = "6um"
cogging = "25mN m"
efficiency = 0.97
"#
    )
}

fn demo(place: &Place, config: &Path, cycles: u32, seed: u32, more: &str) -> Run {
    let args = format!(
        "demo --config {} --fast --json --cycles {cycles} --seed {seed} --state {} {more}",
        config.display(),
        place.path(&format!("state-{seed}")).display()
    );
    place.run(release_binary(), &args).fine()
}

/// A machine commissioned in `modes`: its twin, to be put behind another program.
fn commissioned(place: &Place, modes: &[&str]) -> (PathBuf, String) {
    let config = place.file("modes.toml", machine(modes));
    let mut calibrate = format!("calibrate {} --write", config.display());
    for seed in [101, 102, 103] {
        let record = place.path(&format!("{seed}.csv"));
        let _ = demo(
            place,
            &config,
            60_000,
            seed,
            &format!("--record {}", record.display()),
        );
        write!(calibrate, " {}", record.display()).unwrap();
    }
    let calibrated = place.run(release_binary(), &calibrate).fine();
    (config, calibrated.stdout + &calibrated.stderr)
}

/// The commissioned machine with the program of `modes`.
fn with_program(place: &Place, config: &Path, modes: &[&str]) -> PathBuf {
    let text = std::fs::read_to_string(config).unwrap();
    let program = |text: &str| {
        let from = text.find("program = [").unwrap();
        (from, from + text[from..].find("\n]").unwrap())
    };
    let other = machine(modes);
    let ((from, to), (other_from, other_to)) = (program(&text), program(&other));
    let text = format!(
        "{}{}{}",
        &text[..from],
        &other[other_from..other_to],
        &text[to..]
    );
    place.file("program.toml", text)
}

fn raised(run: &Run) -> Vec<Value> {
    let mut events = run.of_type("event");
    events.retain(|event| event["state"] == "raised");
    events
}

#[test]
fn a_healthy_axis_that_changes_its_mode_raises_nothing_and_a_fault_is_found_in_each() {
    let place = Place::new();
    let (config, said) = commissioned(&place, &MODES);
    let text = std::fs::read_to_string(&config).unwrap();
    assert!(
        text.contains("modes = [\"csp\", \"csv\", \"cst\"]"),
        "{text}\n{said}"
    );
    assert!(text.contains("\nreference_delay = "), "{text}\n{said}");
    for seed in SEEDS {
        let run = demo(&place, &config, 40_000, seed, "");
        assert_eq!(raised(&run), [] as [Value; 0], "seed {seed}");
        let summary = run.summary();
        assert_eq!(summary["not_judged"], Value::Null, "seed {seed}: {summary}");
    }
    for mode in MODES {
        let own = with_program(&place, &config, &[mode]);
        let run = demo(
            &place,
            &own,
            40_000,
            3,
            "--inject friction:x:factor=1.4@10s",
        );
        // The first word on a fault that begins within a movement is of that movement; those that follow name it.
        let events = run.of_type("event");
        let found = events.iter().any(|event| {
            event["channel"] == "current_load" && event["cause"] == "friction increased"
        });
        let raised = raised(&run);
        assert!(found && !raised.is_empty(), "{mode}: {events:?}");
        let early = raised
            .iter()
            .any(|event| event["time_ns"].as_u64() < Some(10_000_000_000));
        assert!(!early, "{mode}: {raised:?}");
    }
}

#[test]
fn a_mode_that_nobody_has_learnt_is_predicted_and_not_judged() {
    let place = Place::new();
    let (config, _) = commissioned(&place, &["csp"]);
    let text = std::fs::read_to_string(&config).unwrap();
    assert!(!text.contains("modes = ["), "{text}");
    let own = with_program(&place, &config, &MODES);
    let record = place.path("modes.mcap");
    let more = format!("--record {}", record.display());
    let run = demo(&place, &own, 30_000, 5, &more);
    assert_eq!(raised(&run), [] as [Value; 0]);
    let not_judged = &run.summary()["not_judged"][0];
    assert_eq!(not_judged["source"], "x", "{not_judged}");
    // Two of three movements, as far as the axis was enabled.
    let cycles = not_judged["mode_not_learnt"].as_u64().unwrap();
    assert!((15_000..22_000).contains(&cycles), "{not_judged}");
    // A recording holds the modes and what was told in them.
    let replay = format!("replay {} --json", record.display());
    let replayed = place.run(release_binary(), &replay).fine();
    assert_eq!(replayed.digest(), run.digest());
    assert!(replayed.stderr.contains("as the run was"), "{replayed:?}");
}

#[test]
fn an_axis_that_is_never_in_csp_is_commissioned_and_says_what_is_not_seen() {
    let place = Place::new();
    let (config, said) = commissioned(&place, &["csv"]);
    assert!(said.contains("the recordings hold no csp"), "{said}");
    let text = std::fs::read_to_string(&config).unwrap();
    assert!(text.contains("modes = [\"csv\"]"), "{text}");
    assert!(text.contains("[axis.twin.cascade]"), "{text}\n{said}");
    for seed in 0..5 {
        assert_eq!(
            raised(&demo(&place, &config, 30_000, seed, "")),
            [] as [Value; 0]
        );
    }
}

#[test]
fn an_axis_that_friction_slows_out_of_its_paces_is_found() {
    let place = Place::new();
    // No window of the following error stops a drive that is told a velocity.
    let (config, _) = commissioned(&place, &["csv"]);
    let text = std::fs::read_to_string(&config).unwrap();
    assert!(text.contains("[[axis.twin.pace]]"), "{text}");
    // At its current limit it does 0.44 m/s of 0.6 m/s.
    let run = demo(
        &place,
        &config,
        40_000,
        3,
        "--inject friction:x:factor=12@10.8s",
    );
    let raised = raised(&run);
    let early = raised
        .iter()
        .any(|event| event["time_ns"].as_u64() < Some(10_800_000_000));
    assert!(!early, "{raised:?}");
    let of_load = |event: &&Value| event["channel"] == "current_load";
    let found: Vec<&Value> = raised.iter().filter(of_load).collect();
    assert!(!found.is_empty(), "{raised:?}");
    for event in found {
        let cause = event["cause"].as_str().unwrap();
        assert_eq!(event["regime"], "constant_speed", "{event}");
        assert!(cause.contains("friction"), "{event}");
    }
}

#[test]
fn a_step_whose_target_is_not_mapped_is_refused() {
    let place = Place::new();
    let refused = |name: &str, text: String, says: &[&str]| {
        let check = format!("check {}", place.file(name, text).display());
        let run = place.run(release_binary(), &check);
        assert_eq!(run.status.code(), Some(2), "{run:#?}");
        // Messages are folded to the width of a page.
        let words: Vec<_> = (run.stderr.split_whitespace())
            .filter(|word| !["|", "│"].contains(word))
            .collect();
        let said = words.join(" ");
        for text in says {
            assert!(said.contains(text), "{text:?} is not said by {said}");
        }
    };
    refused(
        "unmapped.toml",
        machine(&MODES).replace("\"0x60FF\", \"0x6071\", ", ""),
        &[
            "x has steps in csv, and its outputs do not carry 0x60FF",
            "x has steps in cst, and its outputs do not carry 0x6071",
        ],
    );
    refused(
        "wrong.toml",
        machine(&["pp"]),
        &["there is no mode of operation \"pp\""],
    );
}
