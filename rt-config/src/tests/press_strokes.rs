//! Strokes of presses: their zeros and references, and what is for one recipe alone.

use super::errors::wrong;
use super::presses::{CRANK, built, refused};
use crate::machine::{Demand, Machine};
use crate::patch::{apply_patch, twin_patch};
use crate::{PRESS_CELL, load};
use twinstep_models::press::evaluate::reference::Reference;

/// Two recipes, and every key that is for one of them alone.
fn two_recipes() -> String {
    PRESS_CELL
        .replace(
            "[[recipe]]\nname = \"a\"\n",
            "[[part.recipe_twin]]\nrecipe = \"b\"\ncontact = \"150.1mm\"\nstiffness = \"2N/um\"\n\n\
         [[recipe]]\nname = \"a\"\nparts = [\"bush-a\"]\n\n[[recipe]]\nname = \"b\"\n",
        )
        .replace("kind = \"work\"\n", "kind = \"work\"\nrecipe = \"b\"\n")
        .replace(
            "kind = \"envelope\"\npart = \"bush-b\"\n",
            "kind = \"envelope\"\npart = \"bush-b\"\nrecipe = \"a\"\n",
        )
}

#[test]
fn a_zero_is_taken_in_the_free_part_of_the_way_in() {
    let it = |from, to, words| wrong(CRANK, from, to, words);
    let tare = "tare = [\"70mm\", \"95mm\"]";
    it(
        tare,
        "tare = [\"50mm\", \"95mm\"]",
        "a stroke is seen from 0.055",
    );
    it(
        tare,
        "tare = [\"95mm\", \"70mm\"]",
        "the smallest comes first",
    );
    it(tare, "tare = [\"95mm\"]", "needs two");
    it(tare, "tare = [\"70deg\", \"95deg\"]", "expected a length");
    it(
        "tare_limit = \"3kN\"",
        "tare_limit = \"0N\"",
        "must be more than 0N",
    );
    it(
        "contact = \"100mm\"",
        "contact = \"94mm\"",
        "takes the zero of its strokes up to 0.095m",
    );
    refused(
        CRANK,
        "tare = [\"70mm\", \"95mm\"]\n",
        "",
        "`tare_limit` has no meaning without `tare`",
    );
    let unlimited = built(&CRANK.replace("tare_limit = \"3kN\"\n", ""));
    // The force of contact, unless given: what is more is a part, and no zero.
    assert_eq!(unlimited.presses[0].curve.tare.unwrap().limit_n, 500.0);
}

#[test]
fn what_is_for_one_recipe_is_built_with_its_index() {
    let machine = built(&two_recipes());
    let recipes: Vec<Option<u8>> = (machine.presses[0].evaluations.iter())
        .map(|one| match &one.demand {
            Demand::Object(object) => object.recipe,
            Demand::Envelope(envelope) => envelope.recipe,
        })
        .collect();
    assert_eq!(recipes, [None, None, Some(0), Some(1)]);
    // The last part of the file is the one that the table belongs to.
    let twin = machine.parts[2].twin_of_recipe(1).unwrap();
    assert_eq!((twin.contact_m, twin.stiffness_n_per_m), (0.1501, 2e6));
    assert!(machine.parts[2].twin_of_recipe(0).is_none());
    let text = two_recipes();
    wrong(
        &text,
        "recipe = \"b\"\nx = ",
        "recipe = \"bb\"\nx = ",
        "there is no recipe \"bb\"",
    );
    wrong(
        &text,
        "recipe = \"b\"\ncontact",
        "recipe = \"c\"\ncontact",
        "known: a, b",
    );
    let twice = text.replace(
        "[[recipe]]\nname = \"a\"",
        "[[part.recipe_twin]]\nrecipe = \"b\"\ncontact = \"150mm\"\nstiffness = \"2N/um\"\n\n[[recipe]]\nname = \"a\"",
    );
    let error = load(&twice, "it.toml").expect_err("twice").plain();
    assert!(error.contains("the name \"b\" is taken already"), "{error}");
}

#[test]
fn what_was_learnt_for_one_recipe_goes_through_a_patch() {
    let mut machine = built(&two_recipes());
    let general = machine.parts[0].twin.unwrap();
    machine.parts[0].by_recipe.push((1, general));
    machine.parts[2].by_recipe[0].1.contact_m = 0.1502;
    let merged = apply_patch(&two_recipes(), &twin_patch(&machine)).unwrap();
    let again = built(&merged);
    assert_eq!(again.parts, machine.parts);
    assert!(
        merged.contains("[[part.recipe_twin]]") && merged.contains("[part.recipe_twin.envelope]")
    );
}

#[test]
fn every_reference_can_be_written() {
    let machine = built(CRANK);
    let references: Vec<Reference> = (machine.presses[0].evaluations.iter())
        .filter_map(|one| match &one.demand {
            Demand::Object(object) => Some(object.reference),
            Demand::Envelope(_) => None,
        })
        .collect();
    let expected = [
        Reference::Absolute,
        Reference::Trigger(2000.0),
        Reference::Final,
        Reference::Absolute,
    ];
    assert_eq!(references, expected);
    wrong(
        CRANK,
        "reference = \"final\"",
        "reference = \"line\"",
        "known: absolute, final, trigger",
    );
}

#[test]
fn a_schedule_gives_every_stroke_its_recipe_and_part() {
    let recipes = "\n[[recipe]]\nname = \"b\"\nparts = [\"bush-b\"]\n";
    let usual = load(PRESS_CELL, "usual.toml").unwrap();
    let parts = |machine: &Machine| -> Vec<(u8, u8)> {
        let strokes = machine.stroke_contexts();
        strokes.iter().map(|s| (s.recipe, s.part)).collect()
    };
    assert_eq!(parts(&usual), [(0, 0), (0, 1)]);
    let turns =
        "[[schedule]]\nrecipe = \"b\"\nstrokes = 2\n[[schedule]]\nrecipe = \"a\"\nstrokes = 3\n";
    let machine = load(&format!("{PRESS_CELL}{recipes}{turns}"), "two.toml").unwrap();
    // A turn begins with the first part of its recipe.
    assert_eq!(parts(&machine), [(1, 1), (1, 1), (0, 0), (0, 1), (0, 0)]);
    for (wrong, says) in [
        ("recipe = \"c\"\nstrokes = 2\n", "recipe"),
        ("recipe = \"b\"\nstrokes = 0\n", "1 or more strokes"),
        ("recipe = \"b\"\nstrokes = 100001\n", "100000"),
    ] {
        let text = format!("{PRESS_CELL}{recipes}[[schedule]]\n{wrong}");
        let error = load(&text, "wrong.toml").unwrap_err().to_string();
        assert!(error.contains(says), "{error}");
    }
}
