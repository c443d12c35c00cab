//! Rotary axes: what their keys take and refuse, and that inside they are what a metre for a radian was.

use super::errors::wrong;
use super::*;
use crate::fault::{Fault, FaultKind};
use crate::machine::AxisKind;

/// A simulated rotary table, with everything that an axis can have.
const TABLE: &str = r#"[machine]
name = "x"
[cycle]
period = "1ms"
[simulation]
machine_seed = 1
[[axis]]
name = "table"
kind = "rotary"
[axis.drive]
gear = 50
counts_per_rev = 1048576
rated_current = "5A"
torque_constant = "0.8N m/A"
position_gain = "40/s"
velocity_gain = "30A s/rad"
velocity_integral_time = "10ms"
current_time_constant = "250us"
[axis.calibrate]
gravity = "0.25N m"
[axis.motion]
start = "-45deg"
velocity = "15rpm"
acceleration = "10rad/s2"
jerk = "200rad/s3"
program = [
    { to = "0.25turns", velocity = "60deg/s", dwell = "100ms" },
    { to = "-45deg", dwell = "100ms" },
]
[axis.signature]
screw_lead = "7.2deg"
settle = "100ms"
[axis.health]
backlash_gap = "1arcmin"
[axis.twin]
force_constant = "40N m/A"
mass = "6kg m2"
coulomb_positive = "20N m"
coulomb_negative = "19N m"
viscous = "8N m s/rad"
stribeck = "4N m"
stribeck_velocity = "1deg/s"
gravity = "-0.5N m"
position_limit = "20urad"
velocity_limit = "0.1deg/s"
current_limit = "1A"
[axis.twin.cascade]
position_gain = "40/s"
velocity_gain = "30A s/rad"
integral_gain = "3000A/rad"
limit = "15A"
[axis.twin.noise]
position = "1urad"
position_walk = "1urad"
velocity_walk = "1mrad/s"
disturbance_walk = "0.1A"
[[axis.twin.innovation]]
channel = "drift"
correlation = 0.0
sigma = "0.02deg"
tails = []
[[axis.twin.baseline]]
regime = "acceleration"
mean = "0A"
sigma = "0.1A"
[[axis.twin.pace]]
regime = "acceleration"
least = "1rad/s2"
most = "10rad/s2"
[[axis.twin.pace]]
regime = "constant_speed_positive"
least = "1deg/s"
most = "15rpm"
[axis.plant]
load_mass = "4kg m2"
motor_inertia = "8kg cm2"
coulomb = "20N m"
static_ratio = 1.3
stribeck_velocity = "1deg/s"
viscous = "8N m s/rad"
stiffness = "200kN m/rad"
backlash = "10urad"
efficiency = 0.9
[axis.plant.switches]
home = { from = "-10deg", to = "10deg" }
"#;

/// The same with a metre for every radian: a lead of 2 pi / 50 m, kg, N.
fn in_metres() -> String {
    let lead = format!("lead = \"{}m\"", 2.0 * std::f64::consts::PI / 50.0);
    let deg = |deg: f64| deg * std::f64::consts::PI / 180.0;
    let mut text = TABLE
        .replace("kind = \"rotary\"\n", "")
        .replace("gear = 50", &lead);
    for (rotary, linear) in [
        ("\"-45deg\"", format!("\"{}m\"", deg(-45.0))),
        ("\"10deg\"", format!("\"{}m\"", deg(10.0))),
        ("\"-10deg\"", format!("\"{}m\"", deg(-10.0))),
        ("\"7.2deg\"", format!("\"{}m\"", deg(7.2))),
        ("\"0.02deg\"", format!("\"{}m\"", deg(0.02))),
        (
            "\"0.25turns\"",
            format!("\"{}m\"", 0.5 * std::f64::consts::PI),
        ),
        (
            "\"1arcmin\"",
            format!("\"{}m\"", std::f64::consts::PI / 10_800.0),
        ),
        (
            "\"15rpm\"",
            format!("\"{}m/s\"", 15.0 * std::f64::consts::PI / 30.0),
        ),
        ("\"60deg/s\"", format!("\"{}m/s\"", deg(60.0))),
        ("\"1deg/s\"", format!("\"{}m/s\"", deg(1.0))),
        ("\"0.1deg/s\"", format!("\"{}m/s\"", deg(0.1))),
        ("A s/rad", "A s/m".to_owned()),
        ("A/rad", "A/m".to_owned()),
        ("mrad/s", "mm/s".to_owned()),
        ("rad/s2", "m/s2".to_owned()),
        ("rad/s3", "m/s3".to_owned()),
        ("urad", "um".to_owned()),
        ("kN m/rad", "kN/m".to_owned()),
        ("N m s/rad", "N s/m".to_owned()),
        ("\"40N m/A\"", "\"40N/A\"".to_owned()),
        ("4kg m2", "4kg".to_owned()),
        ("6kg m2", "6kg".to_owned()),
        ("N m\"", "N\"".to_owned()),
    ] {
        assert!(text.contains(rotary), "{rotary}");
        text = text.replace(rotary, &linear);
    }
    text
}

#[test]
fn inside_a_radian_takes_the_place_of_a_metre() {
    let rotary = load(TABLE, "table.toml").unwrap();
    let mut linear = load(&in_metres(), "metres.toml").unwrap();
    assert_eq!(rotary.axes[0].kind, AxisKind::Rotary);
    assert_eq!(linear.axes[0].kind, AxisKind::Linear);
    linear.axes[0].kind = AxisKind::Rotary;
    // To the last bit: everything else follows from these numbers.
    assert_eq!(rotary, linear);
    assert_eq!(
        rotary.axes[0].drive.feed_m_per_rev,
        2.0 * std::f64::consts::PI / 50.0
    );
}

#[test]
fn what_calibration_found_of_a_rotary_axis_reads_back_in_its_units() {
    let machine = load(TABLE, "table.toml").unwrap();
    let patch = crate::twin_patch(&machine);
    for line in [
        "force_constant = \"40N m/A\"",
        "mass = \"6kg m2\"",
        "coulomb_positive = \"20N m\"",
        "viscous = \"8N m s/rad\"",
        "gravity = \"-0.5N m\"",
        "velocity_gain = \"30A s/rad\"",
        "integral_gain = \"3000A/rad\"",
        "limit = \"15A\"",
        "position = \"1e-6rad\"",
        "velocity_walk = \"0.001rad/s\"",
        "least = \"1rad/s2\"",
    ] {
        assert!(patch.contains(&format!("{line}\n")), "{line} in {patch}");
    }
    let merged = crate::apply_patch(TABLE, &patch).unwrap();
    assert_eq!(load(&merged, "merged.toml").unwrap(), machine);
}

#[test]
fn units_of_the_other_kind_are_refused_and_told() {
    let rotary = "this axis is rotary (`kind`)";
    for (from, to, words) in [
        ("gravity = \"0.25N m\"", "gravity = \"0.25N\"", "a torque"),
        ("mass = \"6kg m2\"", "mass = \"6kg\"", "an inertia"),
        (
            "coulomb_positive = \"20N m\"",
            "coulomb_positive = \"20N\"",
            "a torque",
        ),
        (
            "viscous = \"8N m s/rad\"\nstribeck =",
            "viscous = \"8N s/m\"\nstribeck =",
            "N m s/rad",
        ),
        (
            "force_constant = \"40N m/A\"",
            "force_constant = \"40N/A\"",
            "N m/A",
        ),
        (
            "start = \"-45deg\"",
            "start = \"-45mm\"",
            "rad, mrad, urad, deg",
        ),
        ("velocity = \"15rpm\"", "velocity = \"15m/s\"", "rad/s"),
        (
            "acceleration = \"10rad/s2\"",
            "acceleration = \"10m/s2\"",
            "rad/s2",
        ),
        ("jerk = \"200rad/s3\"", "jerk = \"200m/s3\"", "rad/s3"),
        (
            "velocity_gain = \"30A s/rad\"\nvelocity_i",
            "velocity_gain = \"30A s/m\"\nvelocity_i",
            "A s/rad",
        ),
        (
            "integral_gain = \"3000A/rad\"",
            "integral_gain = \"3000A/m\"",
            "A/rad",
        ),
        (
            "load_mass = \"4kg m2\"",
            "load_mass = \"4kg\"",
            "an inertia",
        ),
        (
            "stiffness = \"200kN m/rad\"",
            "stiffness = \"200N/um\"",
            "N m/rad",
        ),
        ("backlash = \"10urad\"", "backlash = \"10um\"", "an angle"),
        (
            "backlash_gap = \"1arcmin\"",
            "backlash_gap = \"10um\"",
            "an angle",
        ),
        (
            "screw_lead = \"7.2deg\"",
            "screw_lead = \"5mm\"",
            "an angle",
        ),
        (
            "least = \"1rad/s2\"",
            "least = \"1m/s2\"",
            "an angular acceleration",
        ),
    ] {
        wrong(TABLE, from, to, words);
        wrong(TABLE, from, to, rotary);
    }
    let linear = in_metres();
    let turns = "an axis that turns says so by `kind = \"rotary\"`";
    for (from, to) in [
        ("mass = \"6kg\"", "mass = \"6kg m2\""),
        ("jerk = \"200m/s3\"", "jerk = \"200rad/s3\""),
        ("coulomb_positive = \"20N\"", "coulomb_positive = \"20N m\""),
        ("backlash = \"10um\"", "backlash = \"2arcmin\""),
    ] {
        wrong(&linear, from, to, turns);
    }
    // A unit of neither kind is no hint at the other.
    let text = TABLE.replace("mass = \"6kg m2\"", "mass = \"6A\"");
    let plain = load(&text, "it.toml").unwrap_err().plain();
    assert!(!plain.contains(rotary), "{plain}");
}

#[test]
fn what_only_the_other_kind_has_is_refused() {
    for (from, to, words) in [
        (
            "gear = 50",
            "lead = \"10mm\"",
            "`lead` is the way of a linear axis",
        ),
        ("gear = 50\ncounts", "counts", "needs the key `gear`"),
        (
            "gear = 50",
            "gear = 0",
            "`gear` is 0, which is out of range",
        ),
        (
            "efficiency = 0.9",
            "gravity = 1\nefficiency = 0.9",
            "simulated in balance",
        ),
        ("kind = \"rotary\"", "kind = \"rotatory\"", "linear, rotary"),
        ("velocity = \"60deg/s\"", "velocity = \"95deg/s\"", "rad/s"),
    ] {
        wrong(TABLE, from, to, words);
    }
    let linear = in_metres();
    let lead = linear
        .lines()
        .find(|line| line.starts_with("lead = "))
        .unwrap();
    wrong(&linear, lead, "gear = 50", "`gear` is the motor's turns");
    let both = format!("gear = 50; {lead}").replace("; ", "\n");
    wrong(&linear, lead, &both, "this one is linear");
}

#[test]
fn a_recording_of_a_rotary_axis_has_angles_and_a_current_or_a_torque() {
    let text = REPLAY
        .replace("name = \"a\"\n", "name = \"a\"\nkind = \"rotary\"\n")
        .replace("10kg", "10kg m2")
        .replace("1N s/m", "1N m s/rad")
        .replace("5N s/m", "5N m s/rad")
        .replace("N\"", "N m\"")
        .replace("1um", "1urad")
        .replace("unit = \"mm\"", "unit = \"mrad\"");
    let machine = load(&text, "replay.toml").unwrap();
    let axis = &machine.axes[0];
    assert_eq!(
        (axis.effort_unit, axis.effort()),
        (EffortUnit::Newton, "N m")
    );
    let map = machine.recording.as_ref().unwrap();
    assert_eq!(map.axes[0].position.factor, 2e-3);
    assert_eq!(map.axes[0].current.factor, -3.5);
    // A turn is one of the axis, not of its motor.
    let turned = text.replace("unit = \"mrad\", factor = 2", "unit = \"rev\"");
    let turned = load(&turned, "replay.toml").unwrap().recording.unwrap();
    assert_eq!(turned.axes[0].position.factor, 2.0 * std::f64::consts::PI);
    let at = "unit = \"mrad\"";
    wrong(&text, at, "unit = \"mm\"", "which this column cannot be in");
    // With a force the effort is a current, and the column no force.
    let at = "factor = -3.5, unit = \"N m\"";
    let to = "factor = -3.5, unit = \"N\"";
    wrong(&text, at, to, "which this column cannot be in");
}

#[test]
fn faults_of_a_rotary_axis_are_read_and_written_in_its_units() {
    let machine = load(TABLE, "table.toml").unwrap();
    let parse = |text: &str| Fault::parse(text, &machine);
    for (text, kind) in [
        (
            "load:table:mass=2kg m2,ramp=60s@1s",
            FaultKind::Load { mass_kg: 2.0 },
        ),
        (
            "backlash:table:gap=200urad",
            FaultKind::Backlash { gap_m: 200e-6 },
        ),
        (
            "encoder_slip:table:step=1mrad",
            FaultKind::EncoderSlip { step_m: 1e-3 },
        ),
    ] {
        let fault = parse(text).unwrap();
        assert_eq!(fault.kind, kind, "{text}");
        let written = fault.of(machine.kind_of("table")).to_string();
        assert_eq!(parse(&written), Ok(fault), "{written}");
    }
    for (text, words) in [
        ("load:table:mass=20kg", "an inertia above 0"),
        ("backlash:table:gap=50um", "an angle above 0"),
        ("encoder_slip:table:step=1mm", "for a rotary axis"),
    ] {
        let error = parse(text).unwrap_err();
        assert!(error.help.contains(words), "{text}: {}", error.help);
    }
}
