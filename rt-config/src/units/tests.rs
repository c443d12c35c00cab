use super::*;
use proptest::prelude::*;

#[test]
fn the_units_that_are_promised_are_exact() {
    let table: &[(&Dimension, &str, f64)] = &[
        (&TIME, "1ms", 1e-3),
        (&TIME, "250us", 250e-6),
        (&TIME, "31.25us", 31.25e-6),
        (&TIME, "12h", 43_200.0),
        (&TIME, "7d", 604_800.0),
        (&TIME, "30days", 2_592_000.0),
        (&TIME, "1month", 2_592_000.0),
        (&LENGTH, "10mm", 10e-3),
        (&LENGTH, "50um", 50e-6),
        (&LENGTH, "0.1 µm", 0.1e-6),
        (&LENGTH, "-300mm", -300e-3),
        (&LENGTH, "1e3mm", 1.0),
        (&CURRENT, "8.2A", 8.2),
        (&TORQUE_CONSTANT, "0.7N m/A", 0.7),
        (&TORQUE_CONSTANT, "0.7Nm/A", 0.7),
        (&TORQUE_CONSTANT, "0.7 N·m/A", 0.7),
        (&MASS, "25kg", 25.0),
        (&MASS, "350g", 0.35),
        (&FORCE, "120N", 120.0),
        (&VISCOUS, "35N s/m", 35.0),
        (&VISCOUS, "35Ns/m", 35.0),
        (&JERK, "50m/s3", 50.0),
        (&JERK, "50m/s^3", 50.0),
        (&VELOCITY, "1.5m/s", 1.5),
        (&VELOCITY, "90m/min", 1.5),
        (&STIFFNESS, "400N/um", 400e6),
        (&ELASTICITY, "210GPa", 210e9),
        (&ELASTICITY, "70000 N/mm²", 70e9),
        (&PRESSURE_RATE, "10mbar/s", 1000.0),
        (&PRESSURE, "1bar", 1e5),
        (&PRESSURE, "1kPa", 1e3),
        (&PRESSURE, "101325Pa", 101_325.0),
        (&INERTIA, "1.2kg cm2", 1.2e-4),
        (&INERTIA, "1.2 kg·m²", 1.2),
        (&PER_SECOND, "60/s", 60.0),
        (&PER_SECOND, "60 1/s", 60.0),
        (&ANGLE, "180deg", std::f64::consts::PI),
        (&ANGLE, "2rad", 2.0),
        (&ANGLE, "250urad", 250e-6),
        (&ANGLE, "1arcmin", std::f64::consts::PI / 10_800.0),
        (&ANGLE, "1arcsec", std::f64::consts::PI / 648_000.0),
        (&ANGLE, "0.5turns", std::f64::consts::PI),
        (&ANGLE, "1turn", 2.0 * std::f64::consts::PI),
        (&ANGULAR_VELOCITY, "1rpm", std::f64::consts::PI / 30.0),
        (&ANGULAR_VELOCITY, "180deg/s", std::f64::consts::PI),
        (&ANGULAR_ACCELERATION, "12rad/s2", 12.0),
        (&ANGULAR_JERK, "180deg/s3", std::f64::consts::PI),
        (&TORQUE, "1.5kN m", 1500.0),
        (&ROTARY_VISCOUS, "3N m s/rad", 3.0),
        (&ROTARY_VISCOUS, "3 Nms", 3.0),
        (&ROTARY_STIFFNESS, "50kN m/rad", 50e3),
        (&CURRENT_PER_ANGULAR_VELOCITY, "12A s/rad", 12.0),
        (&CURRENT_PER_ANGLE, "600A/rad", 600.0),
        (&NUMBER, "1.2", 1.2),
        (&NUMBER, "5%", 0.05),
    ];
    for (dimension, text, si) in table {
        assert_eq!(dimension.parse(text).as_ref(), Ok(si), "{text}");
    }
}

#[test]
fn what_is_wrong_is_told() {
    assert_eq!(LENGTH.parse("mm"), Err(UnitError::NoNumber));
    assert_eq!(LENGTH.parse(""), Err(UnitError::NoNumber));
    assert_eq!(LENGTH.parse("."), Err(UnitError::NoNumber));
    assert_eq!(LENGTH.parse("1.mm"), Err(UnitError::NoNumber));
    assert_eq!(LENGTH.parse("inf m"), Err(UnitError::NoNumber));
    assert_eq!(LENGTH.parse("NaN"), Err(UnitError::NoNumber));
    assert_eq!(LENGTH.parse("10"), Err(UnitError::NoUnit));
    assert_eq!(
        LENGTH.parse("10kg"),
        Err(UnitError::WrongUnit("kg".to_owned()))
    );
    assert_eq!(LENGTH.parse("1e999m"), Err(UnitError::TooLarge));
    assert_eq!(TIME.parse("1e9999days"), Err(UnitError::TooLarge));
}

#[test]
fn nanoseconds_are_whole() {
    assert_eq!(TIME.parse_scaled("31.25us", 9), Ok(31_250.0));
    assert_eq!(TIME.parse_scaled("0.3ms", 9), Ok(300_000.0));
}

#[test]
fn no_dimension_has_two_readings_of_one_spelling() {
    for dimension in [
        NUMBER,
        TIME,
        LENGTH,
        ANGLE,
        VELOCITY,
        ANGULAR_VELOCITY,
        ACCELERATION,
        JERK,
        MASS,
        INERTIA,
        FORCE,
        TORQUE,
        VISCOUS,
        STIFFNESS,
        ELASTICITY,
        CURRENT,
        TORQUE_CONSTANT,
        FORCE_CONSTANT,
        PER_SECOND,
        CURRENT_PER_VELOCITY,
        CURRENT_PER_LENGTH,
        PRESSURE,
        PRESSURE_RATE,
        ANGULAR_ACCELERATION,
        ANGULAR_JERK,
        ROTARY_VISCOUS,
        ROTARY_STIFFNESS,
        CURRENT_PER_ANGULAR_VELOCITY,
        CURRENT_PER_ANGLE,
    ] {
        for (i, unit) in dimension.units.iter().enumerate() {
            let first = dimension
                .units
                .iter()
                .position(|other| normal(other.name) == normal(unit.name));
            assert_eq!(first, Some(i), "{} of {}", unit.name, dimension.name);
        }
        dimension.parse(dimension.example).unwrap();
    }
}

#[test]
fn every_counterpart_leads_back_and_takes_none_of_the_others_units() {
    for one in &WITH_COUNTERPART {
        let rotary = one.rotary().unwrap();
        assert_eq!(rotary.linear(), Some(one), "{}", one.name);
        // A wrong unit is refused only where no unit is one of both.
        for unit in rotary.units {
            assert_eq!(one.unit(unit.name), None, "{}", unit.name);
        }
    }
    for same in [TIME, NUMBER, CURRENT, PER_SECOND, PRESSURE, TORQUE_CONSTANT] {
        assert_eq!(same.rotary(), None, "{}", same.name);
    }
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused(text in ".{0,24}") {
        for dimension in [&NUMBER, &TIME, &LENGTH] {
            if let Ok(value) = dimension.parse(&text) {
                prop_assert!(value.is_finite());
            }
        }
    }

    #[test]
    fn a_number_in_si_is_read_back(value in proptest::num::f64::NORMAL) {
        prop_assert_eq!(LENGTH.parse(&format!("{value:e}m")), Ok(value));
        prop_assert_eq!(LENGTH.parse(&format!("{value}m")), Ok(value));
    }
}
