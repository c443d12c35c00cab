//! What presses of one machine have learnt of the same part.

use crate::load;
use crate::machine::{Machine, PartTwin};
use crate::patch::{apply_patch, twin_patch};
use twinstep_models::press::evaluate::envelope::Envelope;

const CRANK: &str = include_str!("../../machines/crank-press.toml");

/// Two presses alike behind cranks, with `learnt` at the end of their part.
fn two_presses(learnt: &str) -> String {
    let (head, rest) = CRANK.split_once("[[press]]").unwrap();
    let (press, rest) = rest.split_once("[[part]]").unwrap();
    let (part, map) = rest.split_once("[recording]").unwrap();
    let second = press.replacen("name = \"ram\"", "name = \"second\"", 1);
    format!(
        "{head}[[press]]{press}[[press]]{second}[[part]]{part}{learnt}\n[[recipe]]\nname = \"a\"\nparts = [\"blank\"]\n\n\
         [recording]{map}\n[[recording.axis]]\naxis = \"second\"\n\
         position = {{ column = \"motor2_deg\", unit = \"deg\" }}\ncurrent = {{ column = \"current2_a\" }}\n"
    )
}

fn built(text: &str) -> Machine {
    load(text, "it.toml").unwrap_or_else(|error| panic!("{}", error.plain()))
}

const OTHER: &str =
    "[[part.press_twin]]\npress = \"second\"\ncontact = \"100.1mm\"\nstiffness = \"1.4kN/mm\"\n";

#[test]
fn each_press_has_its_own_and_it_goes_through_a_patch() {
    let in_a = OTHER.replace("press = ", "recipe = \"a\"\npress = ");
    let text = two_presses(&format!("{OTHER}{in_a}"));
    let mut machine = built(&text);
    let own = machine.learnt_on(1, 0);
    assert_eq!(own.twin.map(|twin| twin.contact_m), Some(0.1001));
    assert_eq!(
        own.of(Some(0)).map(|twin| twin.stiffness_n_per_m),
        Some(1.4e6)
    );
    assert!(machine.learnt_on(0, 0).is_empty());
    let envelope = Envelope {
        x_min_m: 0.101,
        x_max_m: 0.118,
        lower_n: std::array::from_fn(|n| n as f64 - 0.125),
        upper_n: std::array::from_fn(|n| n as f64 + 0.125),
    };
    let twin = |contact_m| PartTwin {
        contact_m,
        envelope: Some(envelope),
        ..machine.parts[0].as_configured()
    };
    let (first, second) = (twin(0.1), twin(0.1002));
    for (press, learnt) in [(0, first), (1, second)] {
        let (general, by_recipe) = machine.learnt_on_mut(press, 0).unwrap();
        *general = Some(learnt);
        *by_recipe = vec![(0, learnt)];
    }
    let merged = apply_patch(&text, &twin_patch(&machine)).unwrap();
    let again = built(&merged);
    assert_eq!(again.parts, machine.parts, "{merged}");
    // Nothing learnt is nothing written.
    let mut bare = built(&two_presses(""));
    assert!(bare.learnt_on_mut(1, 0).is_some());
    assert_eq!(twin_patch(&bare), "");
}

#[test]
fn what_no_press_can_have_learnt_is_refused() {
    for (learnt, words) in [
        (
            OTHER.replace("\"second\"", "\"third\""),
            "there is no press \"third\"",
        ),
        (
            OTHER.replace("\"second\"", "\"ram\""),
            "what ram learnt of a part stands in `twin` and `recipe_twin`",
        ),
        (
            format!("{OTHER}{OTHER}"),
            "what second learnt of blank is there twice",
        ),
        (
            OTHER.replace("press = ", "recipe = \"z\"\npress = "),
            "there is no recipe \"z\"",
        ),
        (
            OTHER.replace("stiffness = \"1.4kN/mm\"", "factor = 1"),
            "needs `stiffness`, and that alone",
        ),
    ] {
        let error = load(&two_presses(&learnt), "it.toml").expect_err(words);
        let error = error.plain();
        assert!(error.contains(words), "{words} is not in\n{error}");
    }
}

#[test]
fn a_press_learns_one_band_of_a_part_in_a_recipe() {
    let envelope = |name: &str, more: &str| {
        format!(
            "[[press.evaluation]]\nname = \"{name}\"\nkind = \"envelope\"\npart = \"blank\"\nx = [\"101mm\", \"118mm\"]\n{more}\n[[part]]"
        )
    };
    let text = |more: &str| {
        let first = CRANK.replacen("[[part]]", &envelope("one", ""), 1);
        let both = first.replacen("[[part]]", &envelope("two", more), 1);
        format!("{both}\n[[recipe]]\nname = \"a\"\nparts = [\"blank\"]\n")
    };
    built(&text("recipe = \"a\"\n"));
    let error = load(&text("branch = \"return\"\n"), "it.toml").expect_err("twice");
    let error = error.plain();
    assert!(
        error.contains("an envelope of the same part and recipe already"),
        "{error}"
    );
}
