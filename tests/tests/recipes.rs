//! A machine that changes its recipe by its schedule, end to end: the run records which recipe was in force, `calibrate` learns a part by
//! recipe, and the next run judges by what was learnt.
#![allow(
    clippy::unwrap_used,
    reason = "a test fails by panicking, its helpers too"
)]

use serde_json::Value;
use std::path::Path;
use twinstep_tests::release_binary;
use twinstep_tests::run::{Place, Run, shipped};

/// The shipped cell with a second recipe that has bush-b alone, and wants to know it by itself.
const MORE: &str = r#"
[[recipe]]
name = "b"
parts = ["bush-b"]

[[schedule]]
recipe = "a"
strokes = 6

[[schedule]]
recipe = "b"
strokes = 4
"#;
const ENVELOPE: &str = r#"[[press.evaluation]]
name = "bush-b-in-b"
kind = "envelope"
part = "bush-b"
recipe = "b"
x = ["149.5mm", "154.9mm"]
floor = "300N"

"#;

fn demo(place: &Place, config: &Path, seed: u64, more: &str) -> Run {
    let args = format!(
        "demo --config {} --fast --json --cycles 60000 --seed {seed} --state {} {more}",
        config.display(),
        place.path("state").display()
    );
    place.run(release_binary(), &args).fine()
}

/// Recipe and part of every stroke.
fn strokes(run: &Run) -> Vec<(String, String, Value)> {
    let text = |stroke: &Value, key: &str| stroke[key].as_str().unwrap().to_owned();
    (run.of_type("stroke").into_iter())
        .map(|s| (text(&s, "recipe"), text(&s, "part"), s["verdict"].clone()))
        .collect()
}

#[test]
fn two_recipes_are_run_learnt_and_judged() {
    let place = Place::new();
    let text = std::fs::read_to_string(shipped("press-cell.toml")).unwrap();
    let before = "[[press.evaluation]]\nname = \"work\"";
    assert!(text.contains(before));
    let text = text.replacen(before, &format!("{ENVELOPE}{before}"), 1);
    let config = place.file("two.toml", format!("{text}{MORE}"));
    let mut records = Vec::new();
    for seed in [101, 102, 103] {
        let record = place.path(&format!("{seed}.csv"));
        demo(
            &place,
            &config,
            seed,
            &format!("--record {}", record.display()),
        );
        records.push(record.display().to_string());
    }
    let args = format!(
        "calibrate {} {} --write",
        config.display(),
        records.join(" ")
    );
    let shown = place.run(release_binary(), &args).fine().stdout;
    for (part, recipe) in [("bush-a", None), ("bush-b", None), ("bush-b", Some("b"))] {
        // What is known in one recipe alone says so below its rows.
        let rows: Vec<&str> = shown
            .lines()
            .filter(|line| line.starts_with(part))
            .collect();
        let own = rows
            .iter()
            .position(|line| line.ends_with("by itself in recipe b"));
        let before_it = own.unwrap_or(0);
        let mine = if recipe.is_some() {
            &rows[..before_it]
        } else {
            &rows[..]
        };
        for quantity in ["contact", "stiffness"] {
            let is_it = |line: &&&str| line.split_whitespace().nth(1) == Some(quantity);
            let count = mine.iter().filter(is_it).count();
            let expected = if part == "bush-b" && recipe.is_none() {
                2
            } else {
                1
            };
            assert_eq!(count, expected, "{part} {quantity} {recipe:?}: {shown}");
        }
        assert_eq!(own.is_some(), part == "bush-b", "{shown}");
    }
    let machine = std::fs::read_to_string(&config).unwrap();
    let twin = "[[part.recipe_twin]]\nrecipe = \"b\"";
    assert!(machine.contains(twin), "{machine}");
    let own = machine.split(twin).nth(1).unwrap();
    assert!(own.contains("[part.recipe_twin.envelope]"), "{own}");

    let run = demo(&place, &config, 5, "");
    let told = strokes(&run);
    assert!(told.len() >= 20, "{} strokes", told.len());
    for (n, (recipe, part, verdict)) in told.iter().enumerate() {
        // Six strokes of recipe a, which begins with bush-a, and four of recipe b.
        let at = n % 10;
        let expected = match at {
            0 | 2 | 4 => ("a", "bush-a"),
            1 | 3 | 5 => ("a", "bush-b"),
            _ => ("b", "bush-b"),
        };
        assert_eq!((recipe.as_str(), part.as_str()), expected, "stroke {n}");
        assert_eq!(verdict, "ok", "stroke {n} in recipe {recipe}");
    }
    let events = run.of_type("event");
    assert!(events.is_empty(), "{events:#?}");

    // A wrong part is wrong in either recipe, and the event says in which.
    let run = demo(
        &place,
        &config,
        5,
        "--inject wrong_part:press:part=bush-a@30s",
    );
    let nok: Vec<_> = (strokes(&run).into_iter())
        .filter(|(_, _, verdict)| verdict == "nok")
        .collect();
    assert!(nok.iter().any(|(recipe, ..)| recipe == "b"), "{nok:?}");
    assert!(nok.iter().all(|(_, part, _)| part == "bush-b"), "{nok:?}");
    let events = run.of_type("event");
    let of_b = |e: &&Value| e["channel"] == "current_load" && e["context"]["recipe"] == "b";
    let told = events.iter().find(of_b).unwrap();
    let cause = told["cause"].as_str().unwrap();
    assert!(cause.contains("not the recipe's"), "{told}");
}
