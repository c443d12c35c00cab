//! Health at the end of a run of the real binary: what was made worse is seen, nothing else is, and no life is made up.

use serde_json::Value;
use twinstep_tests::release_binary;
use twinstep_tests::run::Place;

/// All health lines of 100 s of the press cell.
fn health(faults: &str) -> Vec<Value> {
    let place = Place::new();
    let args = format!("demo --fast --json --cycles 100000 --seed 11 {faults}");
    let run = place.run(release_binary(), &args).fine();
    run.of_type("health")
}

fn one<'a>(lines: &'a [Value], source: &str, parameter: &str) -> &'a Value {
    (lines
        .iter()
        .find(|l| l["source"] == source && l["parameter"] == parameter))
    .unwrap_or_else(|| panic!("no {parameter} of {source} in {lines:?}"))
}

fn number(line: &Value, key: &str) -> f64 {
    line[key]
        .as_f64()
        .unwrap_or_else(|| panic!("no {key} in {line}"))
}

/// Value over healthy value, and its standard deviation.
fn ratio(line: &Value) -> (f64, f64) {
    let healthy = number(line, "healthy");
    (
        number(line, "value") / healthy,
        number(line, "sigma") / healthy,
    )
}

fn calm(lines: &[Value], but: &str) {
    for line in lines.iter().filter(|l| l["source"] != but) {
        let (ratio, sigma) = ratio(line);
        assert!((ratio - 1.0).abs() < 3.5 * sigma.max(0.03), "{line}");
    }
}

#[test]
fn a_quiet_machine_is_healthy_and_its_life_is_not_known_yet() {
    let lines = health("");
    for axis in [
        "infeed", "outfeed", "gantry", "carriage", "cross", "insert", "lift", "pusher", "press",
    ] {
        for parameter in ["coulomb", "viscous", "torque_constant"] {
            one(&lines, axis, parameter);
        }
    }
    one(&lines, "press", "stiffness");
    one(&lines, "gripper", "leak_rate");
    calm(&lines, "");
    for line in &lines {
        assert_eq!(line["life"]["state"], "not_yet_known", "{line}");
        assert!(
            line["life"]["reason"]
                .as_str()
                .is_some_and(|r| !r.is_empty()),
            "{line}"
        );
        let inferred = matches!(
            line["parameter"].as_str(),
            Some("backlash" | "torque_constant" | "stiffness")
        );
        assert_eq!(line["inferred"], inferred, "{line}");
    }
}

#[test]
fn risen_friction_is_told_by_how_much() {
    let lines = health("--inject friction:outfeed:factor=1.5,ramp=30s@20s");
    let (ratio, sigma) = ratio(one(&lines, "outfeed", "coulomb"));
    assert!((ratio - 1.5).abs() < 3.0 * sigma, "{ratio} +- {sigma}");
    let torque = one(&lines, "outfeed", "torque_constant");
    let away = (number(torque, "value") - number(torque, "healthy")).abs();
    assert!(away < 2.0 * number(torque, "sigma"), "{torque}");
    calm(&lines, "outfeed");
}

#[test]
fn a_current_gain_is_the_torque_constant() {
    let lines = health("--inject current_gain:carriage:factor=1.05@20s");
    let (found, sigma) = ratio(one(&lines, "carriage", "torque_constant"));
    assert!(
        (found - 1.0 / 1.05).abs() < 2.0 * sigma && found < 1.0 - 3.0 * sigma,
        "{found} +- {sigma}"
    );
    let reason = &one(&lines, "carriage", "coulomb")["life"]["reason"];
    assert!(
        reason
            .as_str()
            .is_some_and(|r| r.contains("torque constant")),
        "{reason}"
    );
    calm(&lines, "carriage");
}

#[test]
fn a_gap_is_inferred_in_its_size() {
    let lines = health("--inject backlash:infeed:gap=50um@40s");
    let gap = one(&lines, "infeed", "backlash");
    let gained = number(gap, "value") - number(gap, "healthy");
    assert!((30e-6..70e-6).contains(&gained), "{gap}");
    calm(&lines, "infeed");
}

#[test]
fn a_leak_is_measured() {
    let lines = health("--inject leak:gripper:rate=10mbar/s@20s");
    let leak = one(&lines, "gripper", "leak_rate");
    let gained = number(leak, "value") - number(leak, "healthy");
    assert!((gained - 1000.0).abs() < 60.0, "{leak}");
    calm(&lines, "gripper");
}
