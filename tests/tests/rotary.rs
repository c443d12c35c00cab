//! A rotary table: simulated, commissioned by `calibrate`, and watched. Inside it is the machine in which a metre stands for a radian, to the
//! last bit; what people and other programs read of it is in degrees, radians, kg m2 and N m.
#![allow(
    clippy::unwrap_used,
    reason = "a test fails by panicking, its helpers too"
)]

use serde_json::Value;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use twinstep_tests::release_binary;
use twinstep_tests::run::{Place, Run};

/// Motor turns per turn of the table.
const GEAR: f64 = 300.0;

/// A table behind a worm gear that turns there and back.
const TABLE: &str = r#"[machine]
name = "rotary table"

[cycle]
period = "1ms"

[judge]
false_alarm_interval = "30days"

[bus]
frame_shift = "200us"

[simulation]
machine_seed = 7

[[axis]]
name = "table"
kind = "rotary"

[axis.drive]
gear = 300
counts_per_rev = 1048576
rated_current = "5.2A"
torque_constant = "0.9N m/A"
max_torque_permille = 2200
position_gain = "80/s"
velocity_gain = "340A s/rad"
velocity_integral_time = "12ms"
current_time_constant = "400us"
torque_filter = "600us"

[axis.motion]
start = "50mrad"
velocity = "0.6rad/s"
acceleration = "5rad/s2"
jerk = "100rad/s3"
program = [
    { to = "400mrad", dwell = "300ms" },
    { to = "50mrad", dwell = "300ms" },
]

[axis.plant]
load_mass = "120kg m2"
motor_inertia = "7kg cm2"
coulomb = "190N m"
static_ratio = 1.3
stribeck_velocity = "6mrad/s"
viscous = "180N m s/rad"
stiffness = "90MN m/rad"
backlash = "6urad"
cogging = "25mN m"
efficiency = 0.97
"#;

/// The same with a metre for every radian.
fn in_metres() -> String {
    let lead = format!("lead = \"{}m\"", 2.0 * std::f64::consts::PI / GEAR);
    let mut text = TABLE.replace("kind = \"rotary\"\n", "");
    for (rotary, linear) in [
        ("gear = 300", lead.as_str()),
        ("A s/rad", "A s/m"),
        ("mrad", "mm"),
        ("urad", "um"),
        ("N m s/rad", "N s/m"),
        ("MN m/rad", "N/um"),
        ("rad/s", "m/s"),
        ("120kg m2", "120kg"),
        ("190N m", "190N"),
    ] {
        assert!(text.contains(rotary), "{rotary}");
        text = text.replace(rotary, linear);
    }
    text
}

fn demo(place: &Place, config: &Path, cycles: u32, seed: u32, more: &str) -> Run {
    let args = format!(
        "demo --config {} --fast --cycles {cycles} --seed {seed} --state {} {more}",
        config.display(),
        place.path(&format!("state-{seed}")).display()
    );
    place.run(release_binary(), &args).fine()
}

/// The commissioned machine, and what `calibrate` said.
fn commissioned(place: &Place, text: &str) -> (PathBuf, String) {
    let config = place.file("machine.toml", text);
    let mut calibrate = format!("calibrate {} --write", config.display());
    for seed in [101, 102, 103] {
        let record = place.path(&format!("{seed}.csv"));
        let more = format!("--json --record {}", record.display());
        let _ = demo(place, &config, 60_000, seed, &more);
        write!(calibrate, " {}", record.display()).unwrap();
    }
    let said = place.run(release_binary(), &calibrate).fine();
    (config, said.stdout)
}

/// The unit that a row of the table of `calibrate` ends with.
fn unit_of<'a>(table: &'a str, quantity: &str) -> &'a str {
    let start = format!("{:<16} {quantity:<20} ", "table");
    let row = table.lines().find(|line| line.starts_with(&start));
    let row = row.unwrap_or_else(|| panic!("no {quantity} in {table}"));
    // Three numbers, two blanks, the unit.
    row.rsplit_once("  ").unwrap().1
}

fn raised(run: &Run) -> Vec<Value> {
    let mut events = run.of_type("event");
    events.retain(|event| event["state"] == "raised");
    events
}

#[test]
fn a_rotary_table_is_commissioned_and_judged_in_its_own_units() {
    let place = Place::new();
    let (config, said) = commissioned(&place, TABLE);
    for (quantity, unit) in [
        ("mass", "kg m2"),
        ("coulomb", "N m"),
        ("viscous", "N m s/rad"),
        ("gravity", "N m"),
        ("drift limit", "mdeg"),
    ] {
        assert_eq!(unit_of(&said, quantity), unit, "{said}");
    }
    let text = std::fs::read_to_string(&config).unwrap();
    for (key, unit) in [
        ("force_constant", "N m/A"),
        ("mass", "kg m2"),
        ("coulomb_positive", "N m"),
        ("stribeck_velocity", "rad/s"),
    ] {
        let start = format!("{key} = \"");
        let line = text.lines().find(|line| line.starts_with(&start)).unwrap();
        assert!(line.ends_with(&format!("{unit}\"")), "{line}");
    }
    let page = std::fs::read_to_string(config.with_extension("calibration.html")).unwrap();
    assert!(
        page.contains("<td>kg m2</td>") && page.contains("free run (deg)"),
        "{page}"
    );
    assert!(!page.contains("(mm)") && !page.contains(" mm/s"), "{page}");

    let check = format!("check {}", config.display());
    let check = place.run(release_binary(), &check).fine().stdout;
    let row = check
        .lines()
        .find(|line| line.starts_with("table "))
        .unwrap();
    assert!(row.contains(" rotary ") && row.ends_with(" deg"), "{check}");
    assert!(check.contains("backlash +5.7 mdeg"), "{check}");

    let quiet = demo(&place, &config, 40_000, 4, "--json");
    assert_eq!(raised(&quiet), [] as [Value; 0]);
    let health = quiet.of_type("health");
    let unit = |parameter: &str| {
        let mut lines = health.iter();
        let line = lines.find(|line| line["parameter"] == parameter);
        line.map(|line| line["unit"].as_str().unwrap())
    };
    assert_eq!(unit("coulomb"), Some("N m"), "{health:?}");
    assert_eq!(unit("viscous"), Some("N m s/rad"), "{health:?}");

    let more = "--json --inject friction:table:factor=1.4@10s";
    let run = demo(&place, &config, 40_000, 3, more);
    let events = run.of_type("event");
    let found = events.iter().any(|event| {
        event["channel"] == "current_load"
            && event["cause"] == "friction increased"
            && event["unit"] == "A"
    });
    assert!(found && !raised(&run).is_empty(), "{events:?}");

    // A slip of the encoder is told in radians, in the lines of JSON and in words.
    let slip = "--inject encoder_slip:table:step=300urad@6s";
    let run = demo(&place, &config, 8_000, 5, &format!("--json {slip}"));
    let all = raised(&run);
    let event = all.iter().find(|event| event["channel"] == "position_next");
    let event = event.unwrap_or_else(|| panic!("{all:?}"));
    assert_eq!(event["unit"], "rad", "{event}");
    let measured = event["measured"].as_f64().unwrap();
    assert!((0.04..0.41).contains(&measured), "{event}");
    let words = demo(&place, &config, 8_000, 5, slip).stdout;
    let line = words
        .lines()
        .find(|line| line.contains("table position_next raised"))
        .unwrap_or_else(|| panic!("{words}"));
    assert!(
        line.contains(" rad, predicted ") && !line.contains(" m, "),
        "{line}"
    );
}

#[test]
fn what_if_speaks_of_degrees_and_refuses_metres() {
    let place = Place::new();
    let (config, _) = commissioned(&place, TABLE);
    let whatif = format!("whatif {} --set table", config.display());
    let run = place.run(release_binary(), &format!("{whatif}.velocity=20deg/s"));
    let shown = run.fine().stdout;
    assert!(
        shown.contains("table.velocity: 0.6000rad/s -> 0.3491rad/s"),
        "{shown}"
    );
    assert!(shown.contains("move (deg)"), "{shown}");
    assert!(!shown.contains(" mm"), "{shown}");
    place.refuse(
        &format!("{whatif}.velocity=1m/s"),
        2,
        &["units are rad/s, mrad/s, deg/s"],
    );
    let json = format!("{whatif}.mass=x1.1 --json");
    let lines = place.run(release_binary(), &json).fine();
    let axes = lines.of_type("what_if_axis");
    assert!(!axes.is_empty());
    assert!(axes.iter().all(|axis| axis["axis_kind"] == "rotary"));
}

#[test]
fn inside_a_radian_takes_the_place_of_a_metre_to_the_last_bit() {
    let digests = [TABLE.to_owned(), in_metres()].map(|text| {
        let place = Place::new();
        let (config, _) = commissioned(&place, &text);
        let fault = "--json --inject friction:table:factor=1.4@5s";
        let run = demo(&place, &config, 25_000, 3, fault);
        (run.digest(), run.summary()["events"].clone())
    });
    assert_eq!(digests[0], digests[1]);
    assert!(digests[0].1.as_u64() > Some(0), "{digests:?}");
}

#[test]
fn units_of_the_other_kind_are_refused_with_what_to_write() {
    let place = Place::new();
    for (from, to, says) in [
        (
            "start = \"50mrad\"",
            "start = \"50mm\"",
            "this axis is rotary",
        ),
        ("gear = 300", "lead = \"20mm\"", "write `gear` instead"),
        (
            "load_mass = \"120kg m2\"",
            "load_mass = \"120kg\"",
            "expected an inertia",
        ),
        ("kind = \"rotary\"\n", "", "write `lead` instead"),
    ] {
        assert!(TABLE.contains(from), "{from}");
        let config = place.file("wrong.toml", TABLE.replacen(from, to, 1));
        place.refuse(&format!("check {}", config.display()), 2, &[says]);
    }
}
