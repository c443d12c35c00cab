//! What a program asks of a motor, by the real binary: voltage, temperature of the winding, and what is no motor.
#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot read its own files has failed"
)]

use serde_json::Value;
use twinstep_tests::release_binary;
use twinstep_tests::run::{Place, number, shipped};

/// A motor for the carriage of the cell, with a DC link of so many volts.
fn with_motor(dc_link: &str, more: &str) -> String {
    let motor = format!(
        "[axis.motor]\nresistance = \"0.8ohm\"\ninductance = \"5mH\"\npole_pairs = 4\ndc_link = \"{dc_link}\"\n\
         thermal_resistance = \"0.5K/W\"\nthermal_time_constant = \"25min\"\n{more}\n"
    );
    let text = std::fs::read_to_string(shipped("press-cell.toml")).unwrap();
    let begin = text.find("name = \"carriage\"").unwrap();
    let at = begin + text[begin..].find("[axis.motion]").unwrap();
    format!("{}{motor}{}", &text[..at], &text[at..])
}

#[test]
fn a_motor_says_what_voltage_and_what_temperature_a_program_asks_for() {
    let place = Place::new();
    let motor_of = |text: String, more: &str| {
        let config = place.file("cell.toml", text);
        let args = format!("whatif {} --json --judge{more}", config.display());
        let run = place.run(release_binary(), &args);
        let lines = run.of_type("what_if_axis");
        let carriage = lines.iter().rfind(|line| line["source"] == "carriage");
        (run.status.code(), carriage.unwrap().clone())
    };
    let (code, ample) = motor_of(with_motor("560V", ""), "");
    assert_eq!(code, Some(0), "{ample}");
    let motor = &ample["motor"];
    // The magnets are some per cent weaker than where the twin was found.
    assert!(
        (number(motor, "rms_a") / number(&ample, "rms_a") - 1.0).abs() < 0.1,
        "{ample}"
    );
    assert!(
        number(motor, "winding_c") > 40.5 && number(motor, "winding_c") < 155.0,
        "{ample}"
    );
    assert_eq!(motor["limit_after_s"], Value::Null, "{ample}");
    // A faster program needs more of both.
    let set = " --set carriage.velocity=x1.2 --set carriage.acceleration=x1.5";
    let (_, faster) = motor_of(with_motor("560V", ""), set);
    for key in ["voltage_share", "winding_c"] {
        assert!(
            number(&faster["motor"], key) > number(motor, key),
            "{key}: {faster}"
        );
    }
    let low_v = 0.8 * 560.0 * number(motor, "voltage_share");
    let (code, low) = motor_of(with_motor(&format!("{low_v:.1}V"), ""), "");
    assert_eq!(
        (code, &low["exceeds"][0]),
        (Some(3), &"voltage".into()),
        "{low}"
    );
    let limit = "winding_limit = \"50degC\"\nambient = \"45degC\"";
    let (code, warm) = motor_of(with_motor("560V", limit), " --set carriage.mass=x1.5");
    assert_eq!(
        (code, &warm["exceeds"][0]),
        (Some(3), &"winding_temperature".into()),
        "{warm}"
    );
    assert!(number(&warm["motor"], "limit_after_s") > 1.0, "{warm}");
    let verdict = warm["verdict"].as_str().unwrap();
    assert!(
        verdict.contains("the winding reaches 50 degC after"),
        "{verdict}"
    );
    for (more, says) in [
        ("currents = \"peak\"", "known: rms, amplitude"),
        ("ambient = \"40\"", "degC"),
    ] {
        let config = place.file("wrong.toml", with_motor("560V", more));
        let run = place.run(release_binary(), &format!("check {}", config.display()));
        assert_eq!(run.status.code(), Some(2), "{run:#?}");
        assert!(run.stderr.contains(says), "{says}: {run:#?}");
    }
    // A loop cannot be faster than its winding.
    let slow = with_motor("560V", "").replace("\"5mH\"", "\"0.5mH\"");
    let run = place.run(
        release_binary(),
        &format!("check {}", place.file("slow.toml", slow).display()),
    );
    assert!(run.stderr.contains("2.2 times"), "{run:#?}");
}
