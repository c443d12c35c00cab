//! Every kind of fault, as a step and as a slow ramp, through the real binary: where it is, and the cause that its last word names first.
//!
//! The last word counts: a surprise is flagged in the cycle in which it happens, and what it was is known only after a movement or two.
#![allow(
    clippy::unwrap_used,
    reason = "a test fails by panicking, its helpers too"
)]

use serde_json::Value;
use twinstep_tests::release_binary;
use twinstep_tests::run::{Place, shipped};

/// Healthy movements come first: eight of each direction make the values that evidence beside the features is compared with.
const AT_S: u64 = 20;
const SEEDS: [u64; 2] = [3, 8];

fn events(fault: &str, seconds: u64, seed: u64) -> Vec<Value> {
    let place = Place::new();
    let state = place.path("state");
    let at = if fault.contains('@') {
        String::new()
    } else {
        format!("@{AT_S}s")
    };
    let args = format!(
        "demo --fast --json --cycles {} --seed {seed} --state {} --inject {fault}{at}",
        (AT_S + seconds) * 1000,
        state.display()
    );
    let run = place.run(release_binary(), &args).fine();
    run.of_type("event")
}

const FRICTION: &str = "friction increased";
const LUBRICATION: &str = "friction increased as when lubrication is lacking";
const SPALLING: &str = "spalling of the screw: ripple once a revolution";
const LOAD: &str = "more load than calibrated";
const GAIN: &str = "torque constant or current sensor changed";
const BACKLASH: &str = "backlash increased (inferred from one encoder)";
const BRAKE: &str = "friction increased as when the holding brake drags";
const HELD: &str = "something holds or pushes the axis at rest: brake, jam or part";
const SLIP: &str = "the encoder slips or loses counts";

/// Runs `fault` for `seconds`, and has the last event of `channel` that names causes name `cause` first, word for word: some begin
/// alike. Nobody else is accused.
fn named(fault: &str, seconds: u64, channel: &str, cause: &str) {
    named_on_all(fault, seconds, &[(channel, cause)]);
}

/// As [`named`], on each of these channels of the same runs.
fn named_on_all(fault: &str, seconds: u64, told_on: &[(&str, &str)]) {
    let target = fault.split([':', '@']).nth(1).unwrap();
    for seed in SEEDS {
        let events = events(fault, seconds, seed);
        for event in &events {
            assert_eq!(event["source"], target, "{fault}, seed {seed}: {event}");
        }
        for &(channel, cause) in told_on {
            let told = |e: &&Value| e["channel"] == channel && e["state"] != "cleared";
            let Some(last) = events.iter().rfind(told) else {
                panic!("{fault}, seed {seed}: nothing on {channel} in {events:#?}");
            };
            // A stroke names the object behind a colon.
            let mut said = last["cause"].as_str().unwrap();
            if channel == "stroke" {
                said = said.split(": ").next().unwrap();
            }
            assert_eq!(said, cause, "{fault}, seed {seed}: {last}");
            assert!(last["action"].as_str().is_some_and(|a| !a.is_empty()));
        }
    }
}

const RAMP_S: u64 = 25;

/// Every kind of fault of the machine is injected as a step, and each that can grow as a ramp too, here or in the file on standstill.
#[test]
fn every_kind_has_a_step_and_every_kind_that_grows_a_ramp() {
    // What a comment tells of is not injected.
    let lines: Vec<&str> = [include_str!("causes.rs"), include_str!("standstill.rs")]
        .iter()
        .flat_map(|text| text.lines())
        .filter_map(|line| line.split("//").next())
        .collect();
    let injected = |kind: &str, ramp: bool| {
        let start = format!("{kind}:");
        (lines.iter()).any(|line| line.contains(&start) && line.contains("ramp=") == ramp)
    };
    let usage = twinstep_config::fault::Fault::usage();
    let mut seen = 0;
    for form in usage.lines() {
        let mut words = form.splitn(3, ':');
        let (Some(kind), Some(target)) = (words.next(), words.next()) else {
            continue;
        };
        // Faults of the bus are in a table of their own, and a drive that says what it has needs no cause.
        let target = target.split('[').next().unwrap_or_default();
        if !["AXIS", "PRESS", "STATION"].contains(&target) || kind == "drive_fault" {
            continue;
        }
        seen += 1;
        assert!(injected(kind, false), "{kind} as a step");
        assert!(
            !form.contains("ramp=") || injected(kind, true),
            "{kind} as a ramp"
        );
    }
    assert_eq!(seen, 13);
}

#[test]
fn friction() {
    for axis in ["infeed", "lift"] {
        let step = format!("friction:{axis}:factor=1.25");
        named(&step, 8, "current_load", FRICTION);
        let ramp = format!("friction:{axis}:factor=1.5,ramp={RAMP_S}s");
        named(&ramp, RAMP_S, "current_load", FRICTION);
    }
}

/// As after relubrication, or with a guide that has come loose.
#[test]
fn less_friction() {
    let cause = "friction decreased";
    for axis in ["infeed", "lift"] {
        let step = format!("friction:{axis}:factor=0.75");
        named(&step, 8, "current_load", cause);
        let ramp = format!("friction:{axis}:factor=0.5,ramp={RAMP_S}s");
        named(&ramp, RAMP_S, "current_load", cause);
    }
}

/// The observer's disturbance is a witness of its own: it finds what `current_load` finds, and names it alike.
#[test]
fn friction_and_load_on_the_disturbance() {
    for (kind, cause) in [
        ("friction:pusher:factor", FRICTION),
        ("load:lift:mass", LOAD),
    ] {
        let (step, ramp) = match kind {
            "load:lift:mass" => ("9kg", "18kg"),
            _ => ("1.25", "1.5"),
        };
        named(&format!("{kind}={step}"), 10, "disturbance", cause);
        named(
            &format!("{kind}={ramp},ramp={RAMP_S}s"),
            RAMP_S,
            "disturbance",
            cause,
        );
    }
}

#[test]
fn lack_of_lubrication() {
    for axis in ["cross", "pusher"] {
        let step = format!("lubrication:{axis}:factor=2");
        named(&step, 8, "current_load", LUBRICATION);
        let ramp = format!("lubrication:{axis}:factor=3,ramp={RAMP_S}s");
        named(&ramp, RAMP_S, "current_load", LUBRICATION);
    }
}

#[test]
fn spalling_while_the_mean_current_falls() {
    for axis in ["cross", "pusher"] {
        // Beside the movements by a stream of its own, which needs no shift of the mean.
        let told_on = [("current_load", SPALLING), ("ripple", SPALLING)];
        let step = format!("spalling:{axis}:depth=0.6");
        named_on_all(&step, 12, &told_on);
        let ramp = format!("spalling:{axis}:depth=0.8,ramp={RAMP_S}s");
        named_on_all(&ramp, RAMP_S + 10, &told_on);
    }
}

#[test]
fn added_load() {
    for (axis, mass_kg) in [("carriage", 12), ("lift", 9), ("press", 20)] {
        let step = format!("load:{axis}:mass={mass_kg}kg");
        named(&step, 10, "current_load", LOAD);
        let ramp = format!("load:{axis}:mass={}kg,ramp={RAMP_S}s", 2 * mass_kg);
        named(&ramp, RAMP_S, "current_load", LOAD);
    }
}

#[test]
fn torque_constant_or_current_sensor() {
    for axis in ["cross", "lift"] {
        let step = format!("current_gain:{axis}:factor=1.07");
        named(&step, 10, "current_load", GAIN);
        let ramp = format!("current_gain:{axis}:factor=1.12,ramp={RAMP_S}s");
        named(&ramp, RAMP_S, "current_load", GAIN);
    }
}

/// Gravity keeps the gap of a vertical axis closed: only horizontal ones are asked.
#[test]
fn backlash() {
    for axis in ["cross", "carriage"] {
        let step = format!("backlash:{axis}:gap=60um");
        named(&step, 10, "current_next", BACKLASH);
        let ramp = format!("backlash:{axis}:gap=120um,ramp={RAMP_S}s");
        named(&ramp, RAMP_S, "current_next", BACKLASH);
    }
}

/// A ramp is ten slips of a tenth, each of them further than the axis could move in a cycle.
#[test]
fn encoder_slip() {
    for axis in ["cross", "lift"] {
        let step = format!("encoder_slip:{axis}:step=300um");
        named(&step, 6, "position_next", SLIP);
        let ramp = format!("encoder_slip:{axis}:step=3mm,ramp={RAMP_S}s");
        named(&ramp, RAMP_S, "position_next", SLIP);
    }
}

/// Only what carries weight has a brake. A tenth of its torque is as much as all the friction of these axes.
#[test]
fn brake_that_drags() {
    for axis in ["lift", "insert"] {
        let step = format!("brake:{axis}:share=0.1");
        named(&step, 10, "current_load", BRAKE);
        let ramp = format!("brake:{axis}:share=0.2,ramp={RAMP_S}s");
        named(&ramp, RAMP_S, "current_load", BRAKE);
    }
}

/// What jams an axis, or a brake that does not open at all, is told by the surprise, before the drive gives up. It has no size that could grow,
/// so there is no ramp; what creeps is one that pushes, which the rests of an axis tell (`standstill.rs`).
#[test]
fn what_holds_an_axis_that_should_move() {
    // The lift stands at its top from 20.7 to 21.0 s.
    for fault in ["jam:lift", "jam:cross", "brake:lift@20850ms"] {
        named(fault, 4, "current_next", HELD);
    }
}

#[test]
fn leak() {
    named(
        "leak:gripper:rate=10mbar/s",
        10,
        "leak_rate",
        "vacuum leak increased",
    );
    let ramp = format!("leak:gripper:rate=20mbar/s,ramp={RAMP_S}s");
    named(&ramp, RAMP_S, "leak_rate", "vacuum leak increased");
}

/// A leak that begins while the ejector is on, beside which it does not come to its pressure: that is the first word. The hold says the rest.
#[test]
fn vacuum_that_is_not_reached() {
    for seed in SEEDS {
        let events = events("leak:gripper:rate=2000mbar/s", 4, seed);
        let first = &events[0];
        assert_eq!(
            (&first["source"], &first["channel"], &first["state"]),
            (&"gripper".into(), &"pressure_next".into(), &"raised".into())
        );
        assert_eq!(first["cause"], "vacuum not reached", "seed {seed}: {first}");
        let action = first["action"].as_str().unwrap();
        assert!(action.contains("ejector"), "{action}");
        let leak = events.iter().find(|e| e["channel"] == "leak_rate").unwrap();
        assert_eq!(
            leak["cause"], "vacuum leak increased",
            "seed {seed}: {leak}"
        );
    }
}

/// Slips that are shorter than the axis could move in a few cycles: the cycle after tells them from a blow.
#[test]
fn encoder_that_creeps_in_short_slips() {
    for axis in ["cross", "carriage", "insert"] {
        let step = format!("encoder_slip:{axis}:step=30um");
        named(&step, 6, "position_next", SLIP);
        let ramp = format!("encoder_slip:{axis}:step=300um,ramp={RAMP_S}s");
        named(&ramp, RAMP_S, "position_next", SLIP);
    }
}

/// The whole press yields: every part is met with less, the stiffer one most. Health follows its stiffness down.
#[test]
fn press_stiffness() {
    let cause = "press stiffness fell: frame, screw or tool gives way";
    named("stiffness:press:factor=0.8", 15, "current_load", cause);
    let ramp = format!("stiffness:press:factor=0.7,ramp={RAMP_S}s");
    named(&ramp, RAMP_S + 10, "current_load", cause);
    let place = Place::new();
    let args = format!(
        "demo --fast --json --cycles 60000 --seed 3 --state {} --inject stiffness:press:factor=0.8@{AT_S}s",
        place.path("state").display()
    );
    let lines = place.run(release_binary(), &args).fine().of_type("health");
    let mut health = lines.iter();
    let stiffness = health.find(|l| l["source"] == "press" && l["parameter"] == "stiffness");
    let value = stiffness.and_then(|l| l["value"].as_f64()).unwrap();
    assert!((0.75..0.9).contains(&value), "{stiffness:?}");
}

/// A part is right or wrong, and there or not: it has no size that could grow, so there is no ramp. What creeps in the force over a stroke
/// is the press (above), or a part that wears the tool, which the envelope of `stroke` sees.
#[test]
fn wrong_and_missing_part() {
    let wrong = [
        ("current_load", "the part in the press is not the recipe's"),
        ("stroke", "press stroke NOK, force too high"),
    ];
    named_on_all("wrong_part:press:part=bush-long", 12, &wrong);
    let missing = [
        ("current_load", "no part in the press"),
        ("stroke", "press stroke NOK, force too low"),
    ];
    named_on_all("missing_part:press", 12, &missing);
}

/// What may be behind a verdict on a stroke is ranked beside it, and every channel that knows more than one cause says so.
#[test]
fn every_channel_ranks_its_causes() {
    for (fault, channel, cause) in [
        ("missing_part:press", "stroke", "no part in the press"),
        (
            "wrong_part:press:part=bush-long",
            "stroke",
            "the part in the press is not the recipe's",
        ),
        (
            "leak:gripper:rate=10mbar/s",
            "leak_rate",
            "vacuum leak increased",
        ),
    ] {
        let events = events(fault, 12, SEEDS[0]);
        let raised = |e: &&Value| e["channel"] == channel && e["state"] == "raised";
        let first = events.iter().find(raised).unwrap();
        let causes = first["causes"].as_array().unwrap();
        assert!(causes.len() > 1, "{fault}: {first}");
        assert_eq!(causes[0]["cause"], cause, "{fault}: {first}");
        let weights: Vec<f64> = (causes.iter())
            .map(|c| c["weight"].as_f64().unwrap())
            .collect();
        assert!(weights.is_sorted_by(|a, b| a >= b), "{fault}: {first}");
    }
}

/// What the drift of `fault`'s target is told of, word by word; one false alarm in 100 s is asked for, within the healthy record: a month makes
/// limits of centimetres. Others may be accused by chance then.
fn drift(fault: &str, seconds: u64, seed: u64) -> Vec<Value> {
    let place = Place::new();
    let text = std::fs::read_to_string(shipped("press-cell.toml")).unwrap();
    let asked = "false_alarm_interval = \"30days\"";
    assert!(text.contains(asked));
    let config = text.replace(asked, "false_alarm_interval = \"100s\"");
    let config = place.file("cell.toml", config);
    let args = format!(
        "demo --config {} --fast --json --cycles {} --seed {seed} --state {} --inject {fault}@{AT_S}s",
        config.display(),
        (AT_S + seconds) * 1000,
        place.path("state").display()
    );
    let target = fault.split(':').nth(1).unwrap();
    let events = place.run(release_binary(), &args).fine().of_type("event");
    let own = |e: &Value| e["channel"] == "drift" && e["source"] == target;
    events.into_iter().filter(own).collect()
}

/// A free run is driven by the current that a fault costs: it parts from the axis before a movement has ended. What the movement says comes
/// as `updated`, and what ends at constant speed has a figure of its own already.
#[test]
fn drift_is_told_of_what_the_load_says_and_before_that_by_itself() {
    for (fault, seconds, cause) in [
        ("friction:outfeed:factor=1.4", 10, FRICTION),
        ("friction:cross:factor=1.5", 10, FRICTION),
        ("friction:outfeed:factor=1.8,ramp=25s", 27, FRICTION),
        ("load:carriage:mass=24kg", 10, LOAD),
        ("load:carriage:mass=48kg,ramp=25s", 27, LOAD),
    ] {
        for seed in SEEDS {
            let events = drift(fault, seconds, seed);
            let told = |e: &&Value| e["state"] != "cleared";
            let last = events.iter().rfind(told);
            let last = last.unwrap_or_else(|| panic!("{fault}, seed {seed}: no drift"));
            assert_eq!(last["cause"], cause, "{fault}, seed {seed}: {last}");
            let causes = last["causes"].as_array().unwrap();
            assert_eq!(causes[0]["cause"], cause, "{fault}, seed {seed}: {last}");
        }
    }
    for seed in SEEDS {
        let events = drift("friction:pusher:factor=1.4", 8, seed);
        let first = &events[0];
        assert_eq!(
            (&first["state"], &first["regime"], &first["cause"]),
            (&"raised".into(), &"constant_speed".into(), &FRICTION.into()),
            "seed {seed}: {first}"
        );
        assert!(first["causes"].as_array().unwrap().len() > 1, "{first}");
    }
}

/// The first word on a lift that carries more may be friction or the motor, which move what one movement up shows in the same
/// proportion. The weight at rest, and the way down, know better.
#[test]
fn a_lift_that_carries_more_is_told_once_it_has_stood_still() {
    for seed in SEEDS {
        let events = events("load:lift:mass=9kg", 3, seed);
        let load: Vec<&Value> = (events.iter())
            .filter(|e| e["channel"] == "current_load" && e["state"] != "cleared")
            .collect();
        let first = load[0]["causes"].as_array().unwrap();
        let named = |c: &Value| c["cause"] == LOAD;
        assert!(first.iter().any(named), "seed {seed}: {}", load[0]);
        let last = load[load.len() - 1];
        assert!(named(last), "seed {seed}: {last}");
    }
}
