//! Press kinematics: cranks, tables and screws, and what may stand behind them.
#![allow(
    clippy::disallowed_methods,
    reason = "expected values within a tolerance, on whatever platform"
)]

use super::errors::wrong;
use crate::machine::{Machine, Shape};
use crate::{PRESS_CELL, load};

pub(super) const CRANK: &str = include_str!("../../machines/crank-press.toml");
const SIMULATED: &str = include_str!("../../machines/servo-crank-press.toml");

/// A toggle by rows, 0 to 60 mm over 0 to 180 deg of the drive: 30 (1 - cos q).
fn toggle() -> String {
    let rows: Vec<String> = (0..=18)
        .map(|k| {
            let degrees = 10.0 * f64::from(k);
            let ram_mm = 30.0 * (1.0 - degrees.to_radians().cos());
            format!("[\"{degrees}deg\", \"{ram_mm:.6}mm\"],\n")
        })
        .collect();
    let table = format!("kind = \"table\"\ntable = [\n{}]\n", rows.concat());
    CRANK
        .replace(
            "kind = \"crank\"\ncrank_radius = \"60mm\"\nrod_length = \"300mm\"\n",
            &table,
        )
        .replace("tare = [\"70mm\", \"95mm\"]", "tare = [\"30mm\", \"40mm\"]")
        .replace("contact = \"100mm\"", "contact = \"45mm\"")
}

pub(super) fn built(text: &str) -> Machine {
    load(text, "it.toml").unwrap_or_else(|error| panic!("{}", error.plain()))
}

#[test]
fn limits_of_what_strokes_say_are_read_and_checked() {
    let health = |keys: &str| format!("[press.health]\n{keys}\n\n[press.kinematics]");
    let with = |base: &str, keys: &str| base.replacen("[press.kinematics]", &health(keys), 1);
    let open = built(CRANK).presses[0].axis.health;
    assert_eq!((open.gradient_factor, open.tare_n), (None, None));
    let text = with(CRANK, "gradient_factor = 0.85\ntare = \"2.5kN\"");
    let limits = built(&text).presses[0].axis.health;
    assert_eq!(
        (limits.gradient_factor, limits.tare_n),
        (Some(0.85), Some(2500.0))
    );
    for (from, to, words) in [
        (
            "gradient_factor = 0.85",
            "gradient_factor = 1.1",
            "`gradient_factor` must be at least 0.1 and at most 0.99",
        ),
        (
            "tare = \"2.5kN\"",
            "tare = \"0N\"",
            "`tare` must be more than 0",
        ),
        ("tare = \"2.5kN\"", "tare = \"2.5mm\"", "`tare`"),
    ] {
        wrong(&text, from, to, words);
    }
    let untared = CRANK.replace("tare = [\"70mm\", \"95mm\"]\ntare_limit = \"3kN\"\n", "");
    let untared = with(&untared, "gradient_factor = 0.85");
    wrong(
        &untared,
        "gradient_factor = 0.85",
        "tare = \"2.5kN\"",
        "has no meaning without `tare` of [press.curve]",
    );
}

#[test]
fn a_crank_counts_in_angles_and_its_ram_is_where_geometry_puts_it() {
    let machine = built(CRANK);
    let press = &machine.presses[0];
    // 12 turns of the motor of 360 mm each are 360 deg.
    for (at_m, degrees) in [
        (press.stroke.top_m, 10.0),
        (press.stroke.approach_m, 80.0),
        (press.stroke.bottom_m, 170.0_f64),
    ] {
        assert!((at_m - 12e-3 * degrees).abs() < 1e-12, "{at_m}");
        // By the cosine rule.
        let b = 0.06 * degrees.to_radians().cos();
        let ram_m = 0.36 - (b + (b * b + 0.09_f64 - 0.0036).sqrt());
        assert!((press.drive_train.ram_m(at_m) - ram_m).abs() < 1e-12);
    }
    // Without `begin` a stroke is seen from where the ram is at `approach`.
    assert_eq!(
        press.curve.begin_m,
        press.drive_train.ram_m(press.stroke.approach_m)
    );
    let tare = press.curve.tare.unwrap();
    assert_eq!((tare.range_m, tare.limit_n), ([0.07, 0.095], 3000.0));
    let train = &press.drive_train;
    assert_eq!((train.efficiency, train.efficiency_back), (0.92, 0.9));
    assert_eq!(train.counterbalance.constant_n, 1500.0);
}

#[test]
fn a_table_of_angles_and_one_of_positions_are_the_same_drive() {
    let by_angle = built(&toggle());
    let mut text = toggle();
    for k in 0..=18 {
        // 12 mm of the axis are a degree of the drive.
        text = text.replace(
            &format!("[\"{}deg\"", 10 * k),
            &format!("[\"{}mm\"", 120 * k),
        );
    }
    let by_place = built(&text);
    for k in 0..=90 {
        let degrees = 10.0 + 160.0 * f64::from(k) / 90.0;
        let exact_m = 0.03 * (1.0 - degrees.to_radians().cos());
        let [a, b] =
            [&by_angle, &by_place].map(|m| m.presses[0].drive_train.ram_m(12e-3 * degrees));
        // 19 rows of 10 deg: the cubics between them are some 10 um from the cosine.
        assert!((a - exact_m).abs() < 2e-5, "{degrees}: {a} {exact_m}");
        assert!((a - b).abs() < 1e-9, "{a} {b}");
    }
}

#[test]
fn a_screw_stays_what_it_was() {
    let plain = built(PRESS_CELL);
    let named = PRESS_CELL.replace(
        "# Below this force friction and braking are not",
        "[press.kinematics]\nkind = \"screw\"\n\n# Below this force friction and braking are not",
    );
    assert_eq!(built(&named), plain);
}

#[test]
fn every_mistake_in_kinematics_points_at_its_line() {
    let it = |from, to, words| wrong(CRANK, from, to, words);
    it(
        "kind = \"crank\"",
        "kind = \"cranc\"",
        "known: screw, crank, table",
    );
    it("kind = \"crank\"", "kind = \"table\"", "need `table`");
    it(
        "crank_radius = \"60mm\"",
        "table = [[\"0deg\", \"0mm\"], [\"9deg\", \"1mm\"]]",
        "write `kind = \"table\"`",
    );
    it(
        "crank_radius = \"60mm\"",
        "crank_radius = \"60N\"",
        "allowed units: m, cm, mm, um, nm",
    );
    it(
        "rod_length = \"300mm\"",
        "rod_length = \"50mm\"",
        "a rod is longer than the crank of \"60mm\"",
    );
    it("gear = 12", "gear = 0", "`gear` must be more than 0");
    it(
        "efficiency = 0.92",
        "efficiency = 0",
        "`efficiency` must be more than 0",
    );
    it(
        "efficiency_back = 0.9",
        "efficiency_back = 1.1",
        "at least 0 and at most 1",
    );
    it(
        "counterbalance = \"1.5kN\"",
        "counterbalance = \"1.5kg\"",
        "expected a force",
    );
    it(
        "gear = 12",
        "ram_mass = \"0kg\"",
        "`ram_mass` must be more than 0",
    );
    it(
        "bottom = \"170deg\"",
        "bottom = \"250deg\"",
        "the ram goes back before the drive is at `bottom`",
    );
    it(
        "bottom = \"170deg\"",
        "bottom = \"60deg\"",
        "not beyond `approach`",
    );
    it(
        "approach = \"80deg\"",
        "approach = \"80kg\"",
        "expected a length",
    );
    it(
        "contact = \"100mm\"",
        "contact = \"50mm\"",
        "outside the pressing way",
    );
}

/// The text with `from` replaced is refused with all of `words`.
pub(super) fn refused(base: &str, from: &str, to: &str, words: &str) {
    assert!(base.contains(from), "{from} is not there");
    let error = load(&base.replacen(from, to, 1), "it.toml")
        .expect_err(to)
        .plain();
    assert!(
        error.contains(words),
        "{from} -> {to}: expected \"{words}\" in\n{error}"
    );
}

#[test]
fn kinematics_where_they_have_no_meaning_are_refused() {
    refused(
        CRANK,
        "unit = \"deg\" }\ncurrent = { column = \"current_a\" }",
        "unit = \"deg\" }\ncurrent = { column = \"f\", unit = \"kN\" }",
        "`efficiency` has no meaning here: the recording of this press holds the force",
    );
    refused(
        CRANK,
        "kind = \"crank\"\n",
        "",
        "`crank_radius` has no meaning for kinematics of kind \"screw\"",
    );
    refused(
        CRANK,
        "crank_radius = \"60mm\"\n",
        "",
        "a crank needs `crank_radius` and `rod_length`",
    );
    refused(
        PRESS_CELL,
        "[press.plant]",
        "[press.kinematics]\nram_mass = \"40kg\"\n\n[press.plant]",
        "behind a screw the ram moves with the axis, and is in `mass` of [press.twin]",
    );
    // A screw has no angle.
    refused(
        PRESS_CELL,
        "top = \"40mm\"",
        "top = \"40deg\"",
        "allowed units: m, cm, mm, um, nm",
    );
}

/// Would show a simulated ram that weighs nothing, or one that is built from anything else than the drawing.
#[test]
fn a_simulated_press_behind_a_crank_says_what_its_ram_weighs() {
    let train = built(SIMULATED).presses[0].drive_train;
    assert_eq!(train.ram_mass_kg, 180.0);
    let drawn = train.mechanism().expect("a crank");
    let shape = Shape::Crank {
        radius_m: 0.06,
        rod_m: 0.3,
    };
    assert_eq!((&drawn.shape, drawn.zero_m), (&shape, 0.0));
    // A turn of the crank is twelve of the motor.
    let turn_rad = drawn.rad_per_m * 12.0 * 0.36;
    assert!((turn_rad - std::f64::consts::TAU).abs() < 1e-12);
    let rows = built(&toggle()).presses[0].drive_train.mechanism();
    let Some(Shape::Rows(rows)) = rows.map(|rows| rows.shape) else {
        panic!("no rows")
    };
    assert_eq!((rows.len(), rows[9][1]), (19, 0.03));
    assert!((rows[9][0] - std::f64::consts::FRAC_PI_2).abs() < 1e-12);
    assert!(
        built(PRESS_CELL).presses[0]
            .drive_train
            .mechanism()
            .is_none()
    );
    refused(
        SIMULATED,
        "ram_mass = \"180kg\"\n",
        "",
        "a simulated press behind a \"crank\" needs `ram_mass`",
    );
    // A recording asks for none.
    built(CRANK);
}

/// Would show a part that is held against the force of the axis as if there were no crank: 40 A of 35 N/A are 1.4 kN, and 51 kN at the bottom.
#[test]
fn a_part_behind_a_crank_is_as_stiff_as_the_motor_can_press() {
    let stiff = |k: &str| SIMULATED.replacen("stiffness = \"1.5kN/mm\"", k, 1);
    built(&stiff("stiffness = \"2kN/mm\""));
    refused(
        SIMULATED,
        "stiffness = \"1.5kN/mm\"",
        "stiffness = \"3kN/mm\"",
        "N at its largest torque",
    );
}

/// Would show a gravity that is written, and held nowhere.
#[test]
fn a_stated_gravity_behind_a_crank_needs_the_mass_of_the_ram() {
    let told = "[press.calibrate]\ngravity = \"0N\"\n\n[press.kinematics]\n";
    refused(
        CRANK,
        "[press.kinematics]\n",
        told,
        "without `ram_mass` no axis is fitted",
    );
    let explained = format!("{told}ram_mass = \"90kg\"\n");
    let machine = built(&CRANK.replacen("[press.kinematics]\n", &explained, 1));
    assert_eq!(machine.presses[0].axis.stated_gravity_n, Some(0.0));
}

/// A twin behind the crank: mass of the ram, and what turns with the motor.
fn with_twin(ram: &str, mass: &str) -> String {
    let twin = format!(
        "[press.twin]\nforce_constant = \"34.9N/A\"\nmass = \"{mass}\"\ncoulomb_positive = \"15N\"\ncoulomb_negative = \"15N\"\nviscous = \"1N s/m\"\n\n[press.kinematics]\n{ram}"
    );
    CRANK.replacen("[press.kinematics]\n", &twin, 1)
}

#[test]
fn a_twin_behind_a_crank_needs_the_mass_of_the_ram_and_not_too_much_of_it() {
    // At most 87 mm of the ram per metre of the axis and its rod: 90 kg are 0.71 kg there.
    let machine = built(&with_twin("ram_mass = \"90kg\"\n", "1.4kg"));
    let press = &machine.presses[0];
    assert_eq!(press.drive_train.ram_mass_kg, 90.0);
    assert!(press.drive_train.is_explained() && press.axis.twin.is_some());
    let share = press.drive_train.ram_share(1.4);
    assert!((share - 0.51).abs() < 0.03, "{share}");
    // At the bottom, 10 degrees before the dead centre, the ram goes at 0.136 of its largest speed per way of the axis.
    let least = press.drive_train.least_ram_kg(&press.stroke) / (share * 1.4);
    assert!((least - 0.136 * 0.136).abs() < 1e-3, "{least}");
    assert!(!built(CRANK).presses[0].drive_train.is_explained());
    for (ram, mass, words) in [
        ("", "1.4kg", "nothing says what the ram weighs"),
        ("ram_mass = \"90kg\"\n", "0.1kg", "a twin holds up to 4"),
    ] {
        let error = load(&with_twin(ram, mass), "it.toml")
            .expect_err(words)
            .plain();
        assert!(error.contains(words), "{error}");
    }
    // What the recording holds is no current of the motor.
    let force = "unit = \"deg\" }\ncurrent = { column = \"f\", unit = \"kN\" }";
    let text = with_twin("", "1.4kg").replace(
        "unit = \"deg\" }\ncurrent = { column = \"current_a\" }",
        force,
    );
    let error = load(&text, "it.toml").expect_err("a force").plain();
    assert!(
        error.contains("goes by the current of the motor"),
        "{error}"
    );
}

#[test]
fn a_stroke_cannot_begin_where_no_force_is_known() {
    let from_dead_centre = CRANK.replace("top = \"10deg\"", "top = \"0deg\"");
    built(&from_dead_centre);
    wrong(
        &from_dead_centre,
        "step = \"0.02mm\"",
        "begin = \"1um\"",
        "a current says nothing of the force",
    );
}

#[test]
fn every_mistake_in_a_table_points_at_its_row() {
    let text = toggle();
    let it = |from, to, words| wrong(&text, from, to, words);
    it(
        "[\"60deg\", \"15.000000mm\"]",
        "[\"60deg\"]",
        "has 1 values, and needs two",
    );
    it(
        "[\"60deg\", \"15.000000mm\"]",
        "[\"40deg\", \"15mm\"]",
        "row 7 of `table`: the drive does not go on",
    );
    it(
        "[\"60deg\", \"15.000000mm\"]",
        "[\"60deg\", \"1.5mm\"]",
        "row 7 of `table`: the ram does not go on",
    );
    it(
        "[\"60deg\", \"15.000000mm\"]",
        "[\"60deg\", \"19.5mm\"]",
        "which is no smooth motion",
    );
    it(
        "[\"60deg\", \"15.000000mm\"]",
        "[\"60N\", \"15mm\"]",
        "expected a length",
    );
    it(
        "[\"60deg\", \"15.000000mm\"]",
        "[\"60deg\", \"15deg\"]",
        "expected a length",
    );
    it(
        "bottom = \"170deg\"",
        "bottom = \"185deg\"",
        "the table goes from 0.000 to 180.000 deg",
    );
    let rows = "[\"1deg\", \"1mm\"], ".repeat(65);
    let many = text.replace("table = [\n", &format!("table = [{rows}\n"));
    let error = load(&many, "it.toml").expect_err("too many").plain();
    assert!(
        error.contains("`table` has 84 rows, and it takes 2 to 64"),
        "{error}"
    );
}
