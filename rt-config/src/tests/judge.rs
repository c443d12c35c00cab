//! `[judge]`: how long an axis warms up, and what is judged at rest.

use super::errors::wrong;
use crate::machine::WarmUp;
use crate::{PRESS_CELL, load};

const INTERVAL: &str = "false_alarm_interval = \"30days\"\n";

fn cell(keys: &str) -> String {
    assert!(PRESS_CELL.contains(INTERVAL));
    PRESS_CELL.replacen(INTERVAL, &format!("{INTERVAL}{keys}\n"), 1)
}

#[test]
fn an_axis_warms_up_where_that_is_told_and_cools_in_twice_the_time() {
    let warm_up = |keys: &str| load(&cell(keys), "it.toml").unwrap().judge.warm_up;
    assert_eq!(warm_up(""), None);
    let told = |lasts_s, rest_s| Some(WarmUp { lasts_s, rest_s });
    assert_eq!(warm_up("warm_up = \"20min\""), told(1200.0, 2400.0));
    let both = "warm_up = \"20min\"\ncool_down = \"8h\"";
    assert_eq!(warm_up(both), told(1200.0, 28_800.0));
    // Nothing else is needed in the table.
    let alone = PRESS_CELL.replacen(INTERVAL, "warm_up = \"20min\"\n", 1);
    let judge = load(&alone, "it.toml").unwrap().judge;
    assert_eq!(judge.warm_up, told(1200.0, 2400.0));
    assert_eq!(judge.false_alarm_interval_s, 2_592_000.0);
}

#[test]
fn what_cannot_be_is_named() {
    let base = cell("warm_up = \"20min\"\ncool_down = \"8h\"");
    let at = |from, to, words| wrong(&base, from, to, words);
    at("warm_up = \"20min\"", "warm_up = \"59s\"", "`warm_up`");
    at("warm_up = \"20min\"", "warm_up = \"2days\"", "`warm_up`");
    at(
        "cool_down = \"8h\"",
        "cool_down = \"40days\"",
        "`cool_down`",
    );
    // It would never be warm.
    at(
        "cool_down = \"8h\"",
        "cool_down = \"19min\"",
        "shorter than `warm_up`",
    );
    wrong(
        &cell("cool_down = \"8h\""),
        "cool_down",
        "cool_down",
        "`cool_down` without `warm_up`",
    );
}

#[test]
fn standstill_is_learnt_where_that_is_asked_and_judged_by_its_rows() {
    let asked = |keys: &str| load(&cell(keys), "it.toml").unwrap().judge.standstill;
    assert!(!asked("") && !asked("standstill = false") && asked("standstill = true"));
    let row =
        |keys: &str| format!("[[axis.twin.baseline]]\n{keys}mean = \"1.5A\"\nsigma = \"20mA\"\n\n");
    let with = |rows: &[&str]| {
        let rows: String = rows.iter().map(|keys| row(keys)).collect();
        PRESS_CELL.replacen(
            "[[axis.twin.pace]]",
            &format!("{rows}[[axis.twin.pace]]"),
            1,
        )
    };
    let up = "regime = \"standstill_positive\"\n";
    let long = format!("{up}rest = \"16s\"\n");
    let text = with(&[up, &long, "regime = \"standstill_negative\"\n"]);
    let machine = load(&text, "it.toml").unwrap();
    let twin = machine.axes[0].twin.as_ref().unwrap();
    let rows = twin
        .baseline
        .iter()
        .filter(|row| row.regime.starts_with("standstill"));
    let found: Vec<_> = rows
        .map(|row| (row.regime.as_str(), row.stage, row.mean_a))
        .collect();
    let expected = [
        ("standstill_positive", 0, 1.5),
        ("standstill_positive", 5, 1.5),
        ("standstill_negative", 0, 1.5),
    ];
    assert_eq!(found, expected);
    // Whoever writes a row by hand is told what it may be.
    let stages = "`rest` is 1s, 2s, 4s, 8s or 16s";
    wrong(&text, "rest = \"16s\"", "rest = \"3s\"", stages);
    let moving = text.replacen(&long, &long.replace("standstill_positive", "pressing"), 1);
    wrong(&moving, "rest = \"16s\"", "rest = \"8s\"", stages);
    // Twice the same, and of a channel that has no rests.
    wrong(&text, &long, up, "standstill_positive");
    let other = text.replacen(&long, &format!("channel = \"ripple\"\n{long}"), 1);
    let as_it_is = other.replacen(&long, &long.replace("standstill", "still"), 1);
    wrong(
        &as_it_is,
        "regime = \"still_positive\"",
        up.trim_end(),
        "judged regime",
    );
}
