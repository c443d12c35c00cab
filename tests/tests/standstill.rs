//! A lift that stands under a load which changes, or on something that jams it: commissioned with `[judge] standstill`, it is told while it
//! stands, in a step and in a slow ramp. Without the key nothing of it is told before it moves.
#![allow(
    clippy::unwrap_used,
    reason = "a test fails by panicking, its helpers too"
)]

use serde_json::Value;
use twinstep_tests::cell::{self, demo, tables};
use twinstep_tests::release_binary;
use twinstep_tests::run::{Place, Run, shipped};

/// Its program: down and up, and a long rest at the top.
const SHIPPED: &str = r#"program = [
    { to = "350mm", dwell = "350ms" },
    { to = "50mm", dwell = "350ms" },
]
"#;
/// Of the commissioning: it takes ten such rests and more to know how alike they are.
const COMMISSIONED: &str = "20s";
/// Of the run in which something happens while it stands.
const STANDS: &str = "70s";
const INTERVAL: &str = "false_alarm_interval = \"30days\"\n";
/// The long rest begins within the first four seconds and ends behind the run.
const CYCLES: u32 = 60_000;

/// The cell whose lift rests this long at the top.
fn resting(text: &str, dwell: &str) -> String {
    let lift = text.find("name = \"lift\"").unwrap();
    let at = lift + text[lift..].find("program = [").unwrap();
    let end = at + text[at..].find("\n]\n").unwrap() + 3;
    let program = format!(
        "program = [\n    {{ to = \"350mm\", dwell = \"350ms\" }},\n    {{ to = \"50mm\", dwell = \"350ms\" }},\n    \
         {{ to = \"350mm\", dwell = \"{dwell}\" }},\n    {{ to = \"50mm\", dwell = \"350ms\" }},\n]\n"
    );
    format!("{}{program}{}", &text[..at], &text[end..])
}

/// The machine as `calibrate` leaves it, asked to learn rests.
fn commissioned(place: &Place) -> String {
    let shipped = std::fs::read_to_string(shipped("press-cell.toml")).unwrap();
    assert!(shipped.contains(SHIPPED) && shipped.contains(INTERVAL));
    let asked = shipped.replacen(INTERVAL, &format!("{INTERVAL}standstill = true\n"), 1);
    let config = place.file("cell.toml", resting(&asked, COMMISSIONED));
    let records = [101, 102, 103].map(|seed| {
        let record = place.path(&format!("{seed}.mcap"));
        let args = format!("--seed {seed} --record {}", record.display());
        let _ = demo(place, &config, 120_000, &args);
        record.display().to_string()
    });
    let args = format!(
        "calibrate {} {} --write",
        config.display(),
        records.join(" ")
    );
    let _ = place.run(release_binary(), &args).fine();
    std::fs::read_to_string(&config).unwrap()
}

/// What a run raises, its lift standing.
fn raised(text: &str, more: &str) -> Vec<Value> {
    cell::raised(&standing(text, more))
}

/// A run with its lift standing.
fn standing(text: &str, more: &str) -> Run {
    let place = Place::new();
    let config = place.file("cell.toml", resting(text, STANDS));
    demo(&place, &config, CYCLES, more)
}

/// Has the last word of what the lift holds be this cause, after a first one between two cycles, and nobody else be accused.
fn named_at_rest(run: &Run, cycles: std::ops::Range<u64>, cause: &str) {
    let events = run.of_type("event");
    let told: Vec<&Value> = (events.iter())
        .filter(|event| event["channel"] == "current_load" && event["state"] != "cleared")
        .collect();
    let (Some(first), Some(last)) = (told.first(), told.last()) else {
        panic!("{}: {events:#?}", run.args)
    };
    let cycle = first["cycle"].as_u64().unwrap();
    assert!(cycles.contains(&cycle), "{}: {first}", run.args);
    assert_eq!(last["regime"], "standstill", "{}: {last}", run.args);
    assert_eq!(last["cause"], cause, "{}: {told:#?}", run.args);
    assert!(last["action"].as_str().is_some_and(|a| !a.is_empty()));
    for event in &events {
        assert_eq!(event["source"], "lift", "{}: {event}", run.args);
    }
}

/// Has the lift be told with this cause while it stands, between two cycles, and nothing else of anybody.
fn told_at_rest(events: &[Value], cycles: std::ops::Range<u64>, cause: &str) {
    let at_rest: Vec<&Value> = (events.iter())
        .filter(|event| event["channel"] == "current_load")
        .collect();
    let [event] = at_rest[..] else {
        panic!("{events:#?}")
    };
    assert_eq!(event["regime"], "standstill", "{event}");
    assert_eq!(event["cause"], cause, "{event}");
    let cycle = event["cycle"].as_u64().unwrap();
    assert!(cycles.contains(&cycle), "{event}");
    assert!(event["action"].as_str().is_some_and(|a| !a.is_empty()));
    for event in events {
        assert_eq!(event["source"], "lift", "{event}");
    }
}

/// The machine on two buses is shipped with what holds its axes at rest: it is quiet, and a load that comes is told at its first
/// rest.
#[test]
fn a_shipped_machine_is_judged_at_rest() {
    let shipped = shipped("two-buses.toml");
    let text = std::fs::read_to_string(&shipped).unwrap();
    // Four axes, after movements either way; each rests for a moment alone.
    assert_eq!(text.matches("regime = \"standstill_").count(), 8);
    for seed in [11, 12, 13] {
        let run = demo(&Place::new(), &shipped, 120_000, &format!("--seed {seed}"));
        let found = run.of_type("event");
        assert!(found.is_empty(), "seed {seed}: {found:#?}");
    }
    for seed in [5, 6, 7] {
        let load = format!("--seed {seed} --inject load:insert:mass=5kg@30s");
        let found = cell::raised(&demo(&Place::new(), &shipped, 40_000, &load));
        let first = &found[0];
        assert_eq!(first["source"], "insert", "seed {seed}: {found:#?}");
        assert_eq!(
            (&first["channel"], &first["regime"], &first["cause"]),
            (
                &"current_load".into(),
                &"standstill".into(),
                &"more load than calibrated".into()
            ),
            "seed {seed}: {found:#?}"
        );
        let cycle = first["cycle"].as_u64().unwrap();
        assert!((30_000..31_500).contains(&cycle), "seed {seed}: {first}");
    }
}

#[test]
fn a_lift_is_told_of_while_it_stands() {
    let place = Place::new();
    let machine = commissioned(&place);
    let of_lift = {
        let from = machine.find("name = \"lift\"").unwrap();
        let to = from + machine[from..].find("[[axis]]\n").unwrap();
        &machine[from..to]
    };
    for regime in ["standstill_positive", "standstill_negative"] {
        let rows = of_lift.matches(regime).count();
        // Down it rests for a moment alone.
        assert_eq!(
            rows,
            if regime.ends_with("positive") { 6 } else { 1 },
            "{of_lift}"
        );
    }
    let press = &machine[machine.find("[[press]]").unwrap()..];
    assert!(!press.contains("standstill_"), "a press holds its part");
    // Healthy: neither the long rest nor the short ones of the others.
    for seed in [5, 6, 7, 8] {
        let found = raised(&machine, &format!("--seed {seed}"));
        assert!(found.is_empty(), "seed {seed}: {found:#?}");
    }
    let load = "more load than calibrated";
    for seed in [5, 6] {
        let step = format!("--seed {seed} --inject load:lift:mass=20kg@30s");
        told_at_rest(&raised(&machine, &step), 30_000..34_000, load);
        let ramp = format!("--seed {seed} --inject load:lift:mass=40kg,ramp=30s@25s");
        told_at_rest(&raised(&machine, &ramp), 28_000..50_000, load);
    }
    // What jams it from below and pushes takes the weight off it, nearly all: little of a load is ever taken off. While it is small it may
    // be a load that has gone.
    let held = "something holds or pushes the axis at rest: brake, jam or part";
    for seed in [5, 6] {
        let step = format!("--seed {seed} --inject jam:lift:push=12um@30s");
        named_at_rest(&standing(&machine, &step), 30_000..34_000, held);
        let ramp = format!("--seed {seed} --inject jam:lift:push=30um,ramp=30s@25s");
        named_at_rest(&standing(&machine, &ramp), 25_000..50_000, held);
    }
    // Without its rows nothing is told of the ramp while the lift stands.
    let without = tables(&machine, |table| !table.contains("regime = \"standstill_"));
    let without = without.replacen("standstill = true\n", "", 1);
    let ramp = "--seed 5 --inject load:lift:mass=40kg,ramp=30s@25s";
    let found = raised(&without, ramp);
    let at_rest = found.iter().filter(|event| event["regime"] == "standstill");
    let load = at_rest.filter(|event| event["channel"] == "current_load");
    assert_eq!(load.count(), 0, "{found:#?}");
}
