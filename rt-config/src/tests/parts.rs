//! Parts with a force curve.

use super::errors::wrong;
use crate::load;
use crate::machine::{Machine, PartTwin};
use crate::patch::{apply_patch, twin_patch};

const FORMING: &str = include_str!("../../machines/forming-press.toml");
const CRANK: &str = include_str!("../../machines/crank-press.toml");

fn built(text: &str) -> Machine {
    load(text, "it.toml").unwrap_or_else(|error| panic!("{}", error.plain()))
}

#[test]
fn a_part_answers_by_a_table_or_a_press_fit() {
    let machine = built(FORMING);
    let [cap, pin, thick] = &machine.parts[..] else {
        panic!("three parts");
    };
    let curve = cap.curve.as_ref().unwrap();
    assert_eq!(curve.ways_m, [0.0, 0.5e-3, 1.5e-3, 3e-3, 4e-3, 5e-3]);
    assert_eq!(
        curve.forces_n,
        [0.0, 1500.0, 3000.0, 4000.0, 6500.0, 9500.0]
    );
    assert_eq!(curve.elastic_n_per_m, 2e7);
    // To the bottom, 4.8 mm behind the contact, it takes 8900 N.
    assert!((cap.stiffness_n_per_m * 4.8e-3 - 8900.0).abs() < 1e-6);
    assert!((cap.needed_n(4.8e-3) - 8900.0).abs() < 1e-6);
    let fit = pin.curve.as_ref().unwrap();
    assert_eq!(fit.ways_m, [0.0, 4e-3, 5e-3]);
    assert!((fit.forces_n[2] - fit.forces_n[1] - 3000.0).abs() < 1e-6);
    assert!(thick.curve.is_some());
}

#[test]
fn what_was_learnt_of_a_curve_goes_through_a_patch() {
    let mut machine = built(FORMING);
    for (part, factor) in machine.parts.iter_mut().zip([1.02, 0.97, 1.0]) {
        let twin = PartTwin {
            contact_m: 0.150_02,
            stiffness_n_per_m: factor * part.stiffness_n_per_m,
            factor: Some(factor),
            envelope: None,
        };
        part.twin = Some(twin);
        part.by_recipe = vec![(0, twin)];
    }
    let merged = apply_patch(FORMING, &twin_patch(&machine)).unwrap();
    assert_eq!(built(&merged).parts, machine.parts);
}

#[test]
fn what_is_wrong_with_a_curve_is_said_at_its_line() {
    let forming = |from, to, words| wrong(FORMING, from, to, words);
    forming(
        "elastic = \"20kN/mm\"",
        "elastic = \"2kN/mm\"",
        "more would come back than was put in",
    );
    forming("elastic = \"20kN/mm\"", "elastic = \"2kN/um\"", "at most");
    forming("elastic = \"20kN/mm\"", "elastic = \"20kN\"", "kN");
    forming(
        "[\"0mm\", \"0kN\"],",
        "[\"0.1mm\", \"0kN\"],",
        "expected the way 0",
    );
    forming("[\"0mm\", \"0kN\"],", "[\"0mm\"],", "needs two");
    forming("[\"0mm\", \"0kN\"],", "[\"0mm\", \"-1kN\"],", "at least 0");
    forming(
        "[\"0mm\", \"0kN\"],",
        "[\"0kN\", \"0mm\"],",
        "allowed units",
    );
    forming(
        "[\"1.5mm\", \"3kN\"],",
        "[\"0.5mm\", \"3kN\"],",
        "beyond that of the row before",
    );
    forming(
        "hub_radius = ",
        "hub_radius = \"8mm\"\n#",
        "the joint in it has",
    );
    forming(
        "interference = \"25um\"",
        "interference = \"25mm\"",
        "`interference` must be",
    );
    forming(
        "modulus = \"210GPa\"",
        "modulus = \"210bar\"",
        "allowed units: Pa, MPa, GPa",
    );
    // A force that falls by 2 kN over a micrometre, before a frame of 240 N/um.
    let first = "[\"0mm\", \"0kN\"],";
    let text = FORMING.replacen(first, "[\"0mm\", \"2kN\"], [\"0.001mm\", \"0kN\"],", 1);
    wrong(&text, "force = [", "force = [", "the ram jumps there");
    // One that falls by 200 N/um, and is met five times as strong.
    let text = FORMING.replacen(first, "[\"0mm\", \"2kN\"], [\"0.01mm\", \"0kN\"],", 1);
    assert!(load(&text, "it.toml").is_ok());
    wrong(
        &text,
        "factor = 1.036743102989955",
        "factor = 5",
        "with `factor` 5 the force of cap falls faster",
    );
    // Ends before the bottom of the stroke.
    let text = FORMING.replace("    [\"5mm\", \"9.5kN\"],\n", "");
    wrong(
        &text,
        "force = [",
        "force = [",
        "ends 0.004m behind its contact",
    );
    // A fit that no press presses in, with a simulated press and without one.
    let rigid = FORMING.replace("modulus = \"210GPa\"", "modulus = \"2000GPa\"");
    let rigid = rigid.replace("joint_radius = \"8mm\"", "joint_radius = \"20mm\"");
    let rigid = rigid.replace("interference = \"25um\"", "interference = \"200um\"");
    let rigid = rigid.replace("hub_radius = \"16mm\"", "hub_radius = \"40mm\"");
    let (from, to) = (rigid.find("[press.plant]"), rigid.find("[press.twin]"));
    let real = format!("{}{}", &rigid[..from.unwrap()], &rigid[to.unwrap()..]);
    for text in [rigid, real] {
        wrong(
            &text,
            "friction = 0.12",
            "friction = 2",
            "at most 1000000N/mm count",
        );
    }
    // Two answers, none, and a crank.
    let both = FORMING.replace("elastic = ", "stiffness = \"2N/um\"\nelastic = ");
    wrong(&both, "force = [", "force = [", "this one has several");
    let none = FORMING.replace("[part.press_fit]", "[part.press_fits]");
    assert!(load(&none, "it.toml").is_err());
    wrong(
        CRANK,
        "stiffness = \"1.5kN/mm\"",
        "force = [[\"0mm\", \"0N\"], [\"200mm\", \"1N\"]]\nelastic = \"1N/um\"",
        "needs a press that can have a twin",
    );
}

/// Would show a configuration that is refused for what one press has learnt, because another press would jump that never predicts with it.
#[test]
fn what_was_learnt_is_held_against_the_presses_that_predict_with_it() {
    // A force that falls by 200 N/um, of which a frame of 240 N/um takes 1.1 times as much, and one of 210 N/um does not.
    let first = "[\"0mm\", \"0kN\"],";
    let text = FORMING.replacen(first, "[\"0mm\", \"2kN\"], [\"0.01mm\", \"0kN\"],", 1);
    let text = text.replacen("factor = 1.036743102989955", "factor = 1.1", 1);
    let (head, rest) = text.split_once("[[press]]").unwrap();
    let (press, parts) = rest.split_once("[[part]]").unwrap();
    let head = head.replacen("[\"press\"]", "[\"press\", \"second\"]", 1);
    let second = press.replacen("name = \"press\"", "name = \"second\"", 1);
    let second = second.replacen("\"240N/um\"", "\"210N/um\"", 1);
    assert!(head.contains("second") && second.contains("210N/um"));
    let built = |second: &str, parts: &str| {
        let text = format!("{head}[[press]]{press}[[press]]{second}[[part]]{parts}");
        load(&text, "it.toml").map_err(|error| error.plain().to_string())
    };
    // It predicts with what the first has learnt as long as it has learnt nothing by itself.
    let error = built(&second, parts).unwrap_err();
    let words = "with `factor` 1.1 the force of cap falls faster than the frame of second";
    assert!(error.contains(words), "{error}");
    let own = |factor: &str| {
        let own = "[[part.press_twin]]\npress = \"second\"\ncontact = \"150mm\"\n";
        let pin = "# A pin of 16 mm in";
        parts.replacen(pin, &format!("{own}factor = {factor}\n\n{pin}"), 1)
    };
    assert_eq!(built(&second, &own("1.03")).map(drop), Ok(()));
    let error = built(&second, &own("1.2")).unwrap_err();
    assert!(error.contains("with `factor` 1.2"), "{error}");
    // One without a twin predicts nothing.
    let (bare, _) = second.split_once("[press.twin]").unwrap();
    assert_eq!(built(bare, parts).map(drop), Ok(()));
}
