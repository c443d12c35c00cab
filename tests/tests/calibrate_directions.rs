//! Coulomb friction by direction: found by `calibrate` where the configuration states gravity, one figure where it does not.
//!
//! A simulated axis whose plant draws the two directions apart, and tables of a motion whose parameters are known.
#![allow(
    clippy::disallowed_methods,
    reason = "a motion of a test need not be the same on every platform"
)]
#![allow(
    clippy::unwrap_used,
    reason = "a test fails by panicking, its helpers too"
)]

use serde_json::Value;
use twinstep_drivers::rng::Rng;
use twinstep_tests::release_binary;
use twinstep_tests::run::Place;

/// Coulomb friction of the builder's table (N).
const COULOMB_N: f64 = 190.0;

/// A carriage on a ball screw without losses, whose static friction is that in motion.
fn carriage(machine_seed: u64) -> String {
    format!(
        r#"[machine]
name = "one carriage"

[cycle]
period = "1ms"

[bus]
frame_shift = "200us"

[simulation]
machine_seed = {machine_seed}

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

[axis.motion]
start = "50mm"
velocity = "0.6m/s"
acceleration = "5m/s2"
jerk = "100m/s3"
program = [
    {{ to = "400mm", dwell = "300ms" }},
    {{ to = "50mm", dwell = "300ms" }},
    {{ to = "250mm", velocity = "0.2m/s", dwell = "300ms" }},
    {{ to = "50mm", velocity = "0.2m/s", dwell = "300ms" }},
]

[axis.plant]
load_mass = "120kg"
motor_inertia = "7kg cm2"
coulomb = "{COULOMB_N}N"
static_ratio = 1
stribeck_velocity = "6mm/s"
viscous = "180N s/m"
stiffness = "90N/um"
efficiency = 1
"#
    )
}

/// What the plant is, as its motor would say it by the torque constant of the table (N).
#[derive(Debug)]
struct Drawn {
    positive_n: f64,
    negative_n: f64,
    /// A constant force, towards smaller positions.
    constant_n: f64,
}

/// The first axis that `machine_seed` draws, in the order of `drivers/src/segment/plant/draw.rs`.
fn drawn(machine_seed: u64) -> Drawn {
    let mut rng = Rng::new(machine_seed, 1 << 32);
    // Masses, friction by direction, seven more of the friction, the constant force, four of screw and gap, the torque constant.
    let all: [f64; 16] = std::array::from_fn(|_| rng.symmetric());
    let torque_constant = 1.0 + 0.02 * all[15];
    Drawn {
        positive_n: COULOMB_N * (1.0 + 0.12 * all[2]) / torque_constant,
        negative_n: COULOMB_N * (1.0 + 0.12 * all[3]) / torque_constant,
        constant_n: COULOMB_N * 0.06 * all[10] / torque_constant,
    }
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("{value}"))
}

/// Two machines, one with more friction forward and one with more backward, by a fifth and more.
#[test]
fn directions_that_differ_are_found_where_gravity_is_stated_and_are_load_where_it_is_not() {
    for (machine_seed, forward) in [(52, true), (86, false)] {
        let truth = drawn(machine_seed);
        let ratio = truth.positive_n / truth.negative_n;
        let far = if forward { ratio } else { 1.0 / ratio };
        assert!(far > 1.18, "another seed is needed: {truth:?}");
        let place = Place::new();
        let text = carriage(machine_seed);
        let config = place.file("carriage.toml", &text);
        let record = place.path("run.csv");
        let demo = format!(
            "demo --config {} --fast --json --cycles 60000 --seed 101 --record {} --state {}",
            config.display(),
            record.display(),
            place.path("state").display()
        );
        let _ = place.run(release_binary(), &demo).fine();

        let sought = format!("calibrate {} {} --json", config.display(), record.display());
        let sought = place.run(release_binary(), &sought).fine();
        let sought = sought.of_type("calibration").remove(0);
        let half_n = 0.5 * (truth.positive_n - truth.negative_n);
        let gravity_n = number(&sought["gravity_n"][0]);
        assert!(
            (gravity_n - truth.constant_n - half_n).abs() < 4.0,
            "{truth:?}: {sought}"
        );
        let mean_n = 0.5 * (truth.positive_n + truth.negative_n);
        let coulomb_n = number(&sought["coulomb_n"][0]);
        // A warm axis has up to 3 % less than a cold one.
        assert!(
            (coulomb_n / mean_n - 0.985).abs() < 0.04,
            "{truth:?}: {sought}"
        );
        for key in ["coulomb_negative_n", "gravity_stated"] {
            assert_eq!(sought.get(key), None, "{sought}");
        }

        // What the plant has beside friction is what somebody would state.
        let stated = format!(
            "[axis.calibrate]\ngravity = \"{:.3}N\"\n\n[axis.motion]",
            truth.constant_n
        );
        let config = place.file("stated.toml", text.replace("[axis.motion]", &stated));
        let found = format!(
            "calibrate {} {} --json --write",
            config.display(),
            record.display()
        );
        let found = place.run(release_binary(), &found).fine();
        let found = found.of_type("calibration").remove(0);
        let [positive_n, negative_n] =
            ["coulomb_n", "coulomb_negative_n"].map(|key| number(&found[key][0]));
        for (found_n, truth_n) in [
            (positive_n, truth.positive_n),
            (negative_n, truth.negative_n),
        ] {
            assert!(
                (found_n / truth_n - 0.985).abs() < 0.04,
                "{truth:?}: {found}"
            );
        }
        assert!(
            (positive_n / negative_n / ratio - 1.0).abs() < 0.04,
            "{truth:?}: {found}"
        );
        for key in ["coulomb_n", "coulomb_negative_n"] {
            let error_n = number(&found[key][1]);
            assert!(error_n > 0.0 && error_n < 0.05 * mean_n, "{found}");
            assert!(found["inverse_dynamics"][key].is_array(), "{found}");
        }
        assert_eq!(found["gravity_n"][1], Value::Null, "{found}");
        assert_eq!(found["gravity_stated"], true);

        // The twin has both, the statement stays, and the file is one that is run.
        let written = std::fs::read_to_string(&config).unwrap();
        assert!(written.contains(&stated), "{written}");
        let value = |key: &str| -> f64 {
            let begins = format!("{key} = \"");
            let twin = &written[written.find("[axis.twin]").unwrap()..];
            let line = twin.lines().find_map(|line| line.strip_prefix(&begins));
            line.unwrap().trim_end_matches("N\"").parse().unwrap()
        };
        for (key, found_n) in [
            ("coulomb_positive", positive_n),
            ("coulomb_negative", negative_n),
            ("gravity", number(&found["gravity_n"][0])),
        ] {
            assert!((value(key) - found_n).abs() < 1e-9, "{key}: {found}");
        }
        let check = format!("check {}", config.display());
        let _ = place.run(release_binary(), &check).fine();
    }
}

/// One axis of 20 mm lead and 0.8 N m/A: 251.3 N/A.
const TABLE: &str = r#"[machine]
name = "one axis"
[cycle]
period = "1ms"
[[axis]]
name = "slide"
[axis.drive]
lead = "20mm"
counts_per_rev = 1048576
rated_current = "6A"
torque_constant = "0.8N m/A"
position_gain = "60/s"
velocity_gain = "60A s/m"
velocity_integral_time = "10ms"
current_time_constant = "0.5ms"
[axis.motion]
start = "0mm"
velocity = "1m/s"
acceleration = "10m/s2"
jerk = "200m/s3"
program = []
[recording]
time = { column = "t", unit = "s" }
[[recording.axis]]
axis = "slide"
position = { column = "actual", unit = "m" }
current = { column = "amps", unit = "A" }
"#;
/// Its force per current (N/A).
const N_PER_A: f64 = 2.0 * std::f64::consts::PI * 0.8 / 0.02;
/// A twin by hand, with half as much friction again in positive direction.
const BY_HAND: &str = r#"[axis.twin]
force_constant = "251.3N/A"
mass = "75kg"
coulomb_positive = "150N"
coulomb_negative = "100N"
viscous = "250N s/m"
"#;
/// The axis lies.
const LIES: &str = "[axis.calibrate]\ngravity = \"0N\"\n";

/// A row at `t`: position (m), velocity (m/s) and acceleration (m/s2).
type Motion = fn(f64) -> [f64; 3];

/// Both ways, at many speeds.
fn both(t: f64) -> [f64; 3] {
    [
        0.1 * (4.0 * t).sin() + 0.03 * (9.0 * t).sin(),
        0.4 * (4.0 * t).cos() + 0.27 * (9.0 * t).cos(),
        -1.6 * (4.0 * t).sin() - 2.43 * (9.0 * t).sin(),
    ]
}

/// Forward alone.
fn forward(t: f64) -> [f64; 3] {
    [
        0.2 * t + 0.05 * (3.0 * t).sin(),
        0.2 + 0.15 * (3.0 * t).cos(),
        -0.45 * (3.0 * t).sin(),
    ]
}

/// A table of `motion`: 0.3 A s2/m, 0.5 A of Coulomb and 1 A s/m of viscous friction, and a constant load (A).
fn table(motion: Motion, load: f64) -> String {
    let mut text = String::from("t,actual,amps\n");
    for k in 0..6000 {
        let t = f64::from(k) / 1000.0;
        let [x, v, a] = motion(t);
        let i = 0.3 * a + 0.5 * v.signum() + v + load;
        text += &format!("{t},{x},{i}\n");
    }
    text
}

/// `TABLE` with what is put in front of its recording, and the arguments that calibrate it from `table`.
fn told(place: &Place, tables: &[&str], table: &str) -> String {
    let at = TABLE.find("[recording]").unwrap();
    let text = format!("{}{}{}", &TABLE[..at], tables.concat(), &TABLE[at..]);
    let config = place.file("one.toml", text);
    let recording = place.file("run.csv", table);
    format!("calibrate {} {}", config.display(), recording.display())
}

fn calibrated(place: &Place, args: &str) -> Value {
    let run = place.twinstep(&format!("{args} --json")).fine();
    run.of_type("calibration").remove(0)
}

fn warns(line: &Value, words: &str) -> bool {
    let all = line["warnings"].as_array().unwrap();
    all.iter().any(|one| one.as_str().unwrap().contains(words))
}

#[test]
fn two_figures_by_hand_are_shown_and_their_ratio_is_kept() {
    let place = Place::new();
    let args = told(&place, &[BY_HAND], &table(both, 0.2));
    let line = calibrated(&place, &args);
    let [positive_n, negative_n, gravity_n] =
        ["coulomb_n", "coulomb_negative_n", "gravity_n"].map(|key| number(&line[key][0]));
    assert!((positive_n / negative_n - 1.5).abs() < 1e-9, "{line}");
    let mean_n = 0.5 * (positive_n + negative_n);
    assert!((mean_n / (0.5 * N_PER_A) - 1.0).abs() < 0.05, "{line}");
    let load_n = gravity_n + 0.5 * (positive_n - negative_n);
    assert!((load_n - 0.2 * N_PER_A).abs() < 4.0, "{line}");
    assert_eq!(line["before"]["coulomb_n"], 150.0);
    assert_eq!(line["before"]["coulomb_negative_n"], 100.0);
    assert!(warns(&line, "their ratio is kept"), "{line}");
    // People see both too, on the terminal and on the page.
    let page = place.path("page.html");
    let run = place
        .twinstep(&format!("{args} --report {}", page.display()))
        .fine();
    let page = std::fs::read_to_string(page).unwrap();
    for name in ["coulomb positive", "coulomb negative"] {
        assert!(run.stdout.contains(name), "{}", run.stdout);
        assert!(page.contains(&format!("<td>{name}</td>")), "{name}");
    }
}

#[test]
fn one_direction_is_enough_where_gravity_is_stated_and_the_other_is_said_to_be_missing() {
    let place = Place::new();
    let recording = table(forward, 0.0);
    let args = told(&place, &[], &recording);
    let refused = place.twinstep(&args);
    assert_eq!(refused.status.code(), Some(2), "{refused:?}");

    let line = calibrated(&place, &told(&place, &[LIES], &recording));
    assert!((number(&line["coulomb_n"][0]) / (0.5 * N_PER_A) - 1.0).abs() < 0.05);
    assert_eq!(line["coulomb_n"][0], line["coulomb_negative_n"][0]);
    assert_eq!(line["coulomb_negative_n"][1], Value::Null, "{line}");
    assert_eq!(line["inverse_dynamics"].get("coulomb_negative_n"), None);
    let says = "Coulomb friction in negative direction is taken to be the same";
    assert!(warns(&line, says), "{line}");

    let line = calibrated(&place, &told(&place, &[LIES, BY_HAND], &recording));
    assert_eq!(number(&line["coulomb_negative_n"][0]), 100.0, "{line}");
    assert!((number(&line["coulomb_n"][0]) / (0.5 * N_PER_A) - 1.0).abs() < 0.05);
    assert!(warns(&line, "is left at 100.0000 N"), "{line}");
}

/// Stated as lying, and a weight hangs on it that is more than its friction.
#[test]
fn a_stated_gravity_that_cannot_be_is_doubted() {
    let place = Place::new();
    let line = calibrated(&place, &told(&place, &[LIES], &table(both, 0.7)));
    assert!(
        warns(&line, "with the stated gravity of 0.0000 N"),
        "{line}"
    );
    assert_eq!(number(&line["coulomb_negative_n"][0]), 0.0, "{line}");
}
