//! What the twin's one mass leaves out: read with its units, and refused with what was expected, what came, where and what to do.

use crate::machine::{Machine, TransmissionKind};
use crate::{PRESS_CELL, load};

const MOTOR: &str = "[axis.motor]\nresistance = \"0.8ohm\"\ninductance = \"5mH\"\npole_pairs = 4\ndc_link = \"560V\"\n\
                     thermal_resistance = \"0.5K/W\"\nthermal_time_constant = \"25min\"\n";

/// The cell with more tables of one axis.
fn with(axis: &str, more: &str) -> String {
    let begin = PRESS_CELL.find(&format!("name = \"{axis}\"")).unwrap();
    let at = begin + PRESS_CELL[begin..].find("[axis.motion]").unwrap();
    format!("{}{more}\n{}", &PRESS_CELL[..at], &PRESS_CELL[at..])
}

fn cell(axis: &str, servo: &str) -> Machine {
    let text = with(axis, &format!("{MOTOR}[axis.servo]\n{servo}"));
    load(&text, "it.toml").unwrap_or_else(|error| panic!("{}", error.plain()))
}

#[test]
fn every_key_is_read() {
    let machine = cell(
        "carriage",
        "transmission = \"ball_screw\"\nefficiency = 0.9\nmotor_inertia = \"7kg cm2\"\nmotor_friction_share = \"30%\"\n\
         stiffness = \"90N/um\"\ndamping = \"8kN s/m\"\nbacklash = \"6um\"\nbristle_stiffness = \"30N/um\"\n\
         bristle_damping = \"2kN s/m\"\ncogging = [\"0N m\", \"25mN m\", \"0N m\", \"-25mN m\"]\nencoder = \"load\"\n\
         feedforward_mass = \"190kg\"",
    );
    let carriage = machine
        .axes
        .iter()
        .find(|axis| axis.name == "carriage")
        .unwrap();
    let servo = carriage.servo.as_ref().unwrap();
    assert_eq!(servo.transmission, TransmissionKind::BallScrew);
    assert!((servo.efficiency_back() - (2.0 - 1.0 / 0.9)).abs() < 1e-12);
    assert_eq!(servo.motor_inertia_kg_m2, Some(7e-4));
    assert_eq!(servo.motor_friction_share, 0.3);
    let spring = servo.spring.unwrap();
    assert_eq!(
        (
            spring.stiffness_n_per_m,
            spring.damping_n_s_per_m,
            spring.backlash_m
        ),
        (9e7, Some(8e3), 6e-6)
    );
    let bristles = servo.bristles.unwrap();
    assert_eq!(
        (bristles.stiffness_n_per_m, bristles.damping_n_s_per_m),
        (3e7, 2e3)
    );
    assert_eq!(servo.cogging_nm, [0.0, 0.025, 0.0, -0.025]);
    assert!(servo.encoder_on_load);
    assert_eq!(servo.feedforward_mass_kg, 190.0);
    // A table without a key is one: rigid, without losses, a screw or a belt by the lead.
    let servo = cell("infeed", "").axes[0].servo.clone().unwrap();
    assert_eq!(servo.efficiency_back(), 1.0);
    assert!(servo.spring.is_none() && servo.bristles.is_none() && !servo.encoder_on_load);
    assert_eq!(servo.transmission, TransmissionKind::BallScrew);
}

/// The table, its line, what is said of it, and what to do.
#[test]
fn what_is_wrong_is_refused_as_it_ever_was() {
    let spring = "motor_inertia = \"7kg cm2\"\nstiffness = \"90N/um\"";
    let wrong = [
        "transmission = \"chain\"",
        "transmission = \"gear\"",
        "transmission = \"belt\"\n# 20 mm of lead are 3.2 mm of radius, which is fine.\nefficiency = 97",
        "efficiency_back = \"-1%\"",
        "motor_inertia = \"7kg\"",
        "motor_inertia = \"70kg cm2\"",
        "motor_friction_share = 1.5",
        "stiffness = \"90N/um\"",
        "backlash = \"6um\"",
        "damping = \"8kN s/m\"",
        &format!("{spring}\nbacklash = \"0.2m\""),
        &format!("{spring}\ndamping = \"0N s/m\""),
        "bristle_damping = \"2kN s/m\"",
        "bristle_stiffness = \"30N/um\"\nmotor_friction_share = 1",
        "cogging = [\"0N m\", \"25mN m\", \"0N m\"]",
        "cogging = [\"0N m\", \"25mN\", \"0N m\", \"1mN m\"]",
        "encoder = \"both\"",
        "feedforward_mass = 190",
        "stifness = \"90N/um\"",
    ];
    let mut table = String::new();
    for servo in wrong {
        let text = with("carriage", &format!("{MOTOR}[axis.servo]\n{servo}"));
        let first = text[..text.find("[axis.servo]").unwrap()]
            .matches('\n')
            .count()
            + 1;
        let error = load(&text, "it.toml").expect_err(servo);
        for told in error.plain().lines() {
            let (line, says) = told.trim_start_matches("it.toml:").split_once(':').unwrap();
            let line: usize = line.parse().unwrap();
            let says = says.split_once(": ").unwrap().1;
            table.push_str(&format!("{}: {says}\n", line - first));
        }
    }
    // What the twin has goes with the next calibration.
    let carriage = load(PRESS_CELL, "cell.toml").unwrap().axes;
    let twin = (carriage.iter().find(|axis| axis.name == "carriage"))
        .and_then(|axis| axis.twin.clone())
        .unwrap();
    let dry_n = twin.coulomb_positive_n.min(twin.coulomb_negative_n);
    let expected = include_str!("servo.txt")
        .replace("MASS", &format!("{:.4}", twin.mass_kg))
        .replace("DRY", &format!("{dry_n:.4}"));
    assert_eq!(table, expected, "\n{table}");
}

#[test]
fn it_needs_its_motor() {
    let text = with("carriage", "[axis.servo]\nefficiency = 0.97");
    let plain = load(&text, "it.toml").unwrap_err().plain();
    assert!(
        plain.contains("carriage needs the table [axis.motor] beside [axis.servo]"),
        "{plain}"
    );
}
