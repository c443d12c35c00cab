//! Runs of a press cell that a test has changed, its text, and its recordings.

use std::path::Path;

use serde_json::Value;

use crate::release_binary;
use crate::run::{Place, Run};

/// Runs the machine of `config` on a virtual clock for so many cycles; `more` are further arguments.
///
/// # Panics
/// Where the run does not end well.
#[must_use]
pub fn demo(place: &Place, config: &Path, cycles: u32, more: &str) -> Run {
    let args = format!(
        "demo --config {} --fast --json --cycles {cycles} --state {} {more}",
        config.display(),
        place.path("state").display()
    );
    place.run(release_binary(), &args).fine()
}

/// The deviations that a run has raised.
#[must_use]
pub fn raised(run: &Run) -> Vec<Value> {
    let all = run.of_type("event").into_iter();
    all.filter(|event| event["state"] == "raised").collect()
}

/// Whether the load of `source` was told to deviate.
#[must_use]
pub fn found(raised: &[Value], source: &str) -> bool {
    raised
        .iter()
        .any(|event| event["source"] == source && event["channel"] == "current_load")
}

/// How often something of `source` was not judged, since its recipe was not learnt.
///
/// # Panics
/// Where the run has no summary.
#[must_use]
pub fn left_out(run: &Run, source: &str) -> u64 {
    let summary = run.summary();
    let all = summary["not_judged"].as_array().into_iter().flatten();
    all.filter(|one| one["source"] == source)
        .filter_map(|one| one["recipe_not_learnt"].as_u64())
        .sum()
}

/// The tables of `text` that `keep` keeps, each with its head.
#[must_use]
pub fn tables(text: &str, mut keep: impl FnMut(&str) -> bool) -> String {
    let mut starts: Vec<usize> = text.match_indices("\n[").map(|(at, _)| at + 1).collect();
    starts.insert(0, 0);
    starts.push(text.len());
    let all = starts.windows(2).map(|pair| &text[pair[0]..pair[1]]);
    all.filter(|table| keep(table)).collect()
}

/// `text` whose rows of twins do not say any more that they hold for this `key` and `value` alone.
#[must_use]
pub fn general(text: &str, key: &str, value: &str) -> String {
    let only = format!("{key} = \"{value}\"");
    let mut of_twin = false;
    let lines = text.lines().filter(|line| {
        if line.starts_with('[') {
            of_twin = line.contains(".twin.");
        }
        !(of_twin && *line == only)
    });
    lines.fold(String::new(), |text, line| text + line + "\n")
}

/// A recording in which the first recipe is in force all the time.
///
/// # Panics
/// Where it has no column of recipes.
#[must_use]
pub fn without_recipe(text: &str) -> String {
    let mut lines = text.lines();
    let header = lines.next().unwrap_or_default();
    let Some(at) = header.split(',').position(|name| name == "recipe") else {
        panic!("no column recipe in {header:?}")
    };
    let rows = lines.map(|line| {
        let cells = line.split(',').enumerate();
        let cells: Vec<&str> = cells
            .map(|(n, cell)| if n == at { "0" } else { cell })
            .collect();
        cells.join(",")
    });
    std::iter::once(header.to_owned())
        .chain(rows)
        .fold(String::new(), |text, line| text + &line + "\n")
}
