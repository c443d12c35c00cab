//! A lift that carries another load in another recipe: commissioned by `calibrate`, it is judged by rows of each recipe. What goes wrong with
//! rows that hold in both is shown beside it. Each test commissions a machine: they run in processes of their own.
#![allow(
    clippy::unwrap_used,
    reason = "a test fails by panicking, its helpers too"
)]

use serde_json::Value;
use std::path::PathBuf;
use twinstep_tests::cell::{demo, found, general, left_out, raised, tables, without_recipe};
use twinstep_tests::release_binary;
use twinstep_tests::run::{Place, shipped};

/// The recipes of the shipped cell in turn with one in which the lift carries 15 kg more: 60 % of its friction.
const TWO: &str = r#"
[[recipe]]
name = "heavy"
parts = ["bush-a", "bush-b"]

[[schedule]]
recipe = "a"
strokes = 4

[[schedule]]
recipe = "heavy"
strokes = 4
"#;
const PAYLOAD: &str = "[[axis.plant.payload]]\nrecipe = \"heavy\"\nmass = \"15kg\"\n\n";
/// Friction of the lift that is 20 % up.
const FAULT: &str = "--inject friction:lift:factor=1.2@15s";

/// The machine before anybody commissioned it.
fn cell() -> String {
    let text = std::fs::read_to_string(shipped("press-cell.toml")).unwrap();
    let lift = text.find("name = \"lift\"").unwrap();
    let twin = lift + text[lift..].find("[axis.twin]").unwrap();
    format!("{}{PAYLOAD}{}{TWO}", &text[..twin], &text[twin..])
}

/// Recordings of three minutes of commissioning.
fn recorded(place: &Place) -> Vec<PathBuf> {
    let config = place.file("cell.toml", cell());
    let seeds = [101, 102, 103].into_iter();
    let records = seeds.map(|seed| {
        let record = place.path(&format!("{seed}.csv"));
        let args = format!("--seed {seed} --record {}", record.display());
        let _ = demo(place, &config, 60_000, &args);
        record
    });
    records.collect()
}

/// The machine with what `calibrate` learns from these recordings, and what it shows.
fn calibrated(place: &Place, records: &[PathBuf]) -> (String, String) {
    let config = place.file("cell.toml", cell());
    let records: Vec<String> = records.iter().map(|r| r.display().to_string()).collect();
    let args = format!(
        "calibrate {} {} --write",
        config.display(),
        records.join(" ")
    );
    let shown = place.run(release_binary(), &args).fine();
    (std::fs::read_to_string(&config).unwrap(), shown.stdout)
}

/// What a run of a minute raises, and what of the lift was left out for its recipe.
fn run(text: &str, more: &str) -> (Vec<Value>, u64) {
    let place = Place::new();
    let config = place.file("cell.toml", text);
    let run = demo(&place, &config, 60_000, more);
    (raised(&run), left_out(&run, "lift"))
}

/// A row of a twin that is of this recipe.
fn is_row(table: &str, recipe: &str) -> bool {
    let of_twin = table.starts_with("[[axis.twin.") || table.starts_with("[[press.twin.");
    of_twin && table.contains(&format!("\nrecipe = \"{recipe}\"\n"))
}

/// Only this recipe is run.
fn always(text: &str, recipe: &str) -> String {
    let text = tables(text, |table| !table.starts_with("[[schedule]]"));
    format!("{text}\n[[schedule]]\nrecipe = \"{recipe}\"\nstrokes = 1\n")
}

/// Each recipe has its rows, nothing holds in all, and the table of `calibrate` says so.
fn has_rows_of_each(machine: &str, shown: &str) {
    for recipe in ["a", "heavy"] {
        for list in ["axis", "press"] {
            for rows in ["baseline", "pace"] {
                let head = format!("[[{list}.twin.{rows}]]");
                let own = tables(machine, |table| {
                    table.starts_with(&head) && is_row(table, recipe)
                });
                let count = own.matches(&head).count();
                assert!(count > 1, "{count} {head} of {recipe}");
            }
        }
        let words = format!("A, healthy in recipe {recipe}");
        let row = |line: &&str| line.starts_with("lift") && line.ends_with(&words);
        let rows = shown.lines().filter(row).count();
        assert!(rows >= 4, "{rows} rows of {recipe}: {shown}");
    }
    let general = tables(machine, |table| {
        let of_twin = table.contains(".twin.baseline]]") || table.contains(".twin.pace]]");
        of_twin && !is_row(table, "a") && !is_row(table, "heavy")
    });
    assert_eq!(general, "");
}

#[test]
fn a_machine_is_judged_by_the_rows_of_each_recipe() {
    let place = Place::new();
    let (machine, shown) = calibrated(&place, &recorded(&place));
    has_rows_of_each(&machine, &shown);
    for seed in [5, 6, 7] {
        let (raised, left_out) = run(&machine, &format!("--seed {seed}"));
        assert!(raised.is_empty(), "seed {seed}: {raised:#?}");
        // At each change of recipe a movement is under way, or none.
        assert!(left_out <= 6, "seed {seed}: {left_out}");
    }
    // Where both recipes are run in turn, and in either alone.
    for (text, seed) in [
        (machine.clone(), 5),
        (always(&machine, "a"), 6),
        (always(&machine, "heavy"), 7),
    ] {
        let (raised, _) = run(&text, &format!("--seed {seed} {FAULT}"));
        assert!(found(&raised, "lift"), "seed {seed}: {raised:#?}");
        for event in &raised {
            assert_eq!(event["source"], "lift", "seed {seed}: {event}");
            assert_eq!(event["cause"], "friction increased", "seed {seed}: {event}");
        }
    }
    // A recipe that was not recorded is not judged, and it is said how often. The other is.
    let one = tables(&machine, |table| !is_row(table, "heavy"));
    let (raised, left_out) = run(&one, "--seed 5");
    assert!(raised.is_empty(), "{raised:#?}");
    assert!(left_out > 10, "{left_out}");
    let (raised, _) = run(&one, &format!("--seed 5 {FAULT}"));
    assert!(found(&raised, "lift"), "{raised:#?}");
    // What goes wrong where the rows of one load hold in both: the other load is taken for a fault.
    let general = general(&one, "recipe", "a");
    let (raised, _) = run(&general, "--seed 5");
    assert!(found(&raised, "lift"), "{raised:#?}");
}

#[test]
fn one_row_over_both_loads_hides_the_fault() {
    let place = Place::new();
    let silent: Vec<PathBuf> = (recorded(&place).iter())
        .map(|record| {
            let text = std::fs::read_to_string(record).unwrap();
            let name = record.file_name().unwrap().to_str().unwrap();
            place.file(&format!("silent-{name}"), without_recipe(&text))
        })
        .collect();
    let (merged, _) = calibrated(&place, &silent);
    assert_eq!(tables(&merged, |table| is_row(table, "heavy")), "");
    let (raised, left_out) = run(&merged, &format!("--seed 5 {FAULT}"));
    assert!(!found(&raised, "lift") && left_out == 0, "{raised:#?}");
}

#[test]
fn a_recipe_that_was_recorded_too_shortly_is_told() {
    let place = Place::new();
    let config = place.file("cell.toml", cell());
    let record = place.path("short.csv");
    let args = format!("--seed 101 --record {}", record.display());
    // Four strokes of the first recipe, and a little of the second.
    let _ = demo(&place, &config, 16_000, &args);
    let args = format!("calibrate {} {}", config.display(), record.display());
    let run = place.run(release_binary(), &args).fine();
    let words: Vec<&str> = run.stdout.split_whitespace().collect();
    let told = "will not be judged in recipe heavy by";
    assert!(words.join(" ").contains(told), "{}", run.stdout);
}
