//! The axis in full in `whatif`, by the real binary: resonance and lost motion, losses by direction, cogging, bristles, and
//! refusals.
#![allow(
    clippy::disallowed_methods,
    reason = "a table is judged by what comes of it, not by its bits"
)]
#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot read its own files has failed"
)]

use serde_json::Value;
use twinstep_config::machine::AxisTwin;
use twinstep_tests::release_binary;
use twinstep_tests::run::{Place, number, shipped};

const MOTOR: &str = "[axis.motor]\nresistance = \"0.8ohm\"\ninductance = \"5mH\"\npole_pairs = 4\ndc_link = \"560V\"\n\
                     thermal_resistance = \"0.5K/W\"\nthermal_time_constant = \"25min\"\n";
/// What the builder's table of the carriage has.
const SPRING: &str = "motor_inertia = \"7kg cm2\"\nstiffness = \"90N/um\"\nbacklash = \"6um\"";

/// The cell with keys of `[axis.servo]`, or `[press.servo]`, for one of its axes.
fn with_servo(axis: &str, servo: &str) -> String {
    let text = std::fs::read_to_string(shipped("press-cell.toml")).unwrap();
    let begin = text.find(&format!("name = \"{axis}\"")).unwrap();
    let kind = if axis == "press" { "press" } else { "axis" };
    let at = begin + text[begin..].find(&format!("[{kind}.motion]")).unwrap();
    let motor = MOTOR.replace("[axis.", &format!("[{kind}."));
    format!(
        "{}{motor}[{kind}.servo]\n{servo}\n{}",
        &text[..at],
        &text[at..]
    )
}

/// The twin of an axis of the cell.
fn twin_of(axis: &str) -> AxisTwin {
    let text = std::fs::read_to_string(shipped("press-cell.toml")).unwrap();
    let machine = twinstep_config::load(&text, "press-cell.toml").unwrap();
    let mut axes = machine.axes.into_iter();
    axes.find(|one| one.name == axis).unwrap().twin.unwrap()
}

/// What an axis in full shows, in the last of the machines.
fn shown(place: &Place, axis: &str, servo: &str, set: &str) -> Value {
    let config = place.file("cell.toml", with_servo(axis, servo));
    let args = format!("whatif {} --json {set}", config.display());
    let run = place.run(release_binary(), &args).fine();
    let lines = run.of_type("what_if_axis");
    let line = lines.iter().rfind(|line| line["source"] == axis).unwrap();
    let shown = line["motor"]["servo"].clone();
    assert!(shown.is_object(), "{line}");
    println!("{axis} {set} {servo:?}: {shown}");
    shown
}

#[test]
fn two_masses_show_their_resonance_and_what_is_lost_between_them() {
    let place = Place::new();
    let one = shown(&place, "carriage", SPRING, "");
    let twin = twin_of("carriage");
    // Two masses on a spring: 7 kg cm2 on 20 mm of lead, and the rest of what moves.
    let lead_m = 0.02 / std::f64::consts::TAU;
    let motor_kg = 7e-4 / (lead_m * lead_m);
    let load_kg = twin.mass_kg - motor_kg;
    let hz = |per_kg: f64| (9e7 * per_kg).sqrt() / std::f64::consts::TAU;
    let near = |a: f64, b: f64| assert!((a / b - 1.0).abs() < 1e-9, "{a} {b}");
    near(
        number(&one, "resonance_hz"),
        hz(1.0 / motor_kg + 1.0 / load_kg),
    );
    near(number(&one, "antiresonance_hz"), hz(1.0 / load_kg));
    // The gap, and what the guide's share of the friction winds up both ways, at the 0.6 m/s of the program.
    let both_n = twin.coulomb_positive_n + twin.coulomb_negative_n;
    let wound_m = 0.8 * (both_n + 2.0 * 0.6 * twin.viscous_n_s_per_m) / 9e7;
    let lost_m = number(&one, "lost_motion_m");
    assert!((lost_m / (6e-6 + wound_m) - 1.0).abs() < 0.01, "{one}");
    let wide = shown(&place, "carriage", SPRING, "--set carriage.backlash=60um");
    let more_m = number(&wide, "lost_motion_m") - lost_m;
    assert!((more_m / 54e-6 - 1.0).abs() < 0.01, "{wide}");
    // It leaves its flank while it brakes, and comes to rest somewhere in the gap.
    assert!(
        number(&wide, "rest_error_m") > 1.5 * number(&one, "rest_error_m"),
        "{wide}"
    );
    assert!(
        number(&wide, "swing_m") > 10.0 * number(&one, "swing_m"),
        "{wide}"
    );
    // Softer by 100: a tenth of the frequency, and it swings more.
    let soft = shown(&place, "carriage", SPRING, "--set carriage.stiffness=x0.01");
    near(
        10.0 * number(&soft, "resonance_hz"),
        number(&one, "resonance_hz"),
    );
    assert!(
        number(&soft, "swing_m") > 5.0 * number(&one, "swing_m"),
        "{soft}"
    );
    // Heavier: it is the load that is.
    let heavy = shown(&place, "carriage", SPRING, "--set carriage.mass=+50kg");
    near(
        number(&heavy, "antiresonance_hz"),
        hz(1.0 / (load_kg + 50.0)),
    );
}

#[test]
fn a_lossy_screw_asks_for_more_on_the_way_up_than_it_gives_back_on_the_way_down() {
    let place = Place::new();
    let more = |servo: &str| {
        let as_is = shown(&place, "lift", servo, "");
        let heavy = shown(&place, "lift", servo, "--set lift.mass=+50kg");
        let more_a = |key: &str| number(&heavy, key) - number(&as_is, key);
        (
            number(&as_is, "positive_a"),
            more_a("positive_a"),
            more_a("negative_a"),
        )
    };
    let (lossless_a, up_a, down_a) = more("efficiency = 1");
    // 50 kg over the force constant; magnets are weaker than where the twin was found, and more so with the heat of it.
    assert!(
        (up_a / (50.0 * 9.806_65 / twin_of("lift").force_constant_n_per_a) - 1.0).abs() < 0.15,
        "{up_a}"
    );
    assert!((up_a / down_a - 1.0).abs() < 0.05, "{up_a} {down_a}");
    let (lossy_a, up_a, down_a) = more("efficiency = 0.9");
    let losses = 1.0 / 0.9 / (2.0 - 1.0 / 0.9);
    assert!(
        (up_a / down_a / losses - 1.0).abs() < 0.05,
        "{up_a} {down_a}"
    );
    // What it was found with asks for what it asked for.
    assert!(
        (lossy_a / lossless_a - 1.0).abs() < 0.02,
        "{lossy_a} {lossless_a}"
    );
    // Friction that is set is felt, although the weight's losses were nearly all that was found.
    let more_a = |servo: &str| {
        let set = shown(&place, "lift", servo, "--set lift.coulomb=+252N");
        number(&set, "positive_a") - number(&shown(&place, "lift", servo, ""), "positive_a")
    };
    let (ideal_a, lossy_more_a) = (more_a("efficiency = 1"), more_a("efficiency = 0.82"));
    assert!(
        (lossy_more_a / ideal_a - 1.0).abs() < 0.05,
        "{lossy_more_a} {ideal_a}"
    );
    // A worse screw asks for more of what it drives.
    let worse = shown(
        &place,
        "lift",
        "efficiency = 0.9",
        "--set lift.efficiency=0.8",
    );
    let more = number(&worse, "positive_a") / lossy_a;
    assert!(more > 1.08 && more < 0.9 / 0.8, "{more}");
}

#[test]
fn a_press_asks_for_what_its_part_was_found_with_whatever_its_screw_loses() {
    let place = Place::new();
    let [ideal, lossy] =
        ["efficiency = 1", "efficiency = 0.8"].map(|s| shown(&place, "press", s, ""));
    let (ideal_a, lossy_a) = (number(&ideal, "peak_a"), number(&lossy, "peak_a"));
    // Its peak is where the ram comes to rest: there the screw carries a little of it.
    assert!(
        lossy_a < 1.01 * ideal_a && lossy_a > 0.9 * ideal_a,
        "{lossy} {ideal}"
    );
    // The force of the part is no ripple.
    assert!(
        number(&ideal, "ripple_a") < 0.01 * number(&ideal, "peak_a"),
        "{ideal}"
    );
}

#[test]
fn an_encoder_on_the_load_leaves_nothing_at_rest() {
    let place = Place::new();
    let spring = "motor_inertia = \"7kg cm2\"\nstiffness = \"90N/um\"";
    let [motor, load] = ["motor", "load"].map(|on| {
        shown(
            &place,
            "carriage",
            &format!("{spring}\nencoder = \"{on}\""),
            "",
        )
    });
    let (motor_m, load_m) = (
        number(&motor, "rest_error_m"),
        number(&load, "rest_error_m"),
    );
    assert!(load_m < 1e-9 && motor_m > 1e-7, "{motor} {load}");
}

#[test]
fn cogging_bristles_and_a_torque_fed_forward_are_seen() {
    let place = Place::new();
    let plain = shown(&place, "carriage", "", "");
    let points: Vec<String> = (0..96)
        .map(|k| (6.0 * std::f64::consts::TAU * f64::from(k) / 96.0).sin())
        .map(|share| format!("\"{:.3}mN m\"", 60.0 * share))
        .collect();
    let cogging = format!("cogging = [{}]", points.join(", "));
    let cogs = shown(&place, "carriage", &cogging, "");
    let ripple_a = number(&cogs, "ripple_a");
    // At 30 revolutions a second the loops follow 180 Hz only in part: 60 mN m over 0.9 N m/A and the root of 2 is what they
    // would need.
    assert!(
        ripple_a > 4.0 * number(&plain, "ripple_a"),
        "{cogs} {plain}"
    );
    assert!(ripple_a < 0.06 / 0.9 / 2_f64.sqrt() * 1.5, "{cogs}");
    let bristles = "bristle_stiffness = \"30N/um\"\nbristle_damping = \"20kN s/m\"";
    let yields = shown(&place, "carriage", bristles, "");
    let (a, b) = (number(&yields, "positive_a"), number(&plain, "positive_a"));
    assert!((a / b - 1.0).abs() < 0.01, "{yields} {plain}");
    // They give a little before they slide, and the loops see it where the axis turns around.
    let (a, b) = (
        number(&yields, "following_error_m"),
        number(&plain, "following_error_m"),
    );
    assert!(a > 1.01 * b, "{yields} {plain}");
    let fed = shown(
        &place,
        "carriage",
        "",
        "--set carriage.feedforward_mass=194kg",
    );
    let (with_m, without_m) = (
        number(&fed, "following_error_m"),
        number(&plain, "following_error_m"),
    );
    assert!(with_m < 0.6 * without_m, "{fed} {plain}");
}

#[test]
fn tables_that_contradict_each_other_and_keys_of_nothing_are_refused() {
    let place = Place::new();
    let locks = place.file(
        "locks.toml",
        with_servo("lift", "efficiency = 0.3\nefficiency_back = 0"),
    );
    let why = "all the friction that its twin has";
    place.refuse(
        &format!("check {}", locks.display()),
        2,
        &["[axis.servo] of 'lift'", "30 %", why],
    );
    // The twin's own figures are computed all the same.
    let run = place
        .run(
            release_binary(),
            &format!("whatif {} --json", locks.display()),
        )
        .fine();
    let lines = run.of_type("what_if_axis");
    let lift = lines.iter().find(|line| line["source"] == "lift").unwrap();
    assert!(
        lift["motor"]["left_out"].as_str().unwrap().contains(why),
        "{lift}"
    );
    let rigid = place.file("rigid.toml", with_servo("carriage", ""));
    let rigid = rigid.display();
    for (set, says) in [
        ("carriage.backlash=60um", "a `stiffness` in [axis.servo]"),
        ("gantry.efficiency=0.9", "the table [axis.servo]"),
        ("carriage.efficiency=90", "0.05 to 1"),
    ] {
        place.refuse(&format!("whatif {rigid} --set {set}"), 2, &[says]);
    }
}
