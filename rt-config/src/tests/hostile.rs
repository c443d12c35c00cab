//! Whatever comes, a machine or an error comes out, and errors point into the text.

use super::EMPS;
use crate::{MAX_TEXT, PRESS_CELL, apply_patch, load};
use proptest::prelude::*;

fn never_panics(text: &str) {
    if let Err(error) = load(text, "it.toml") {
        for problem in error.problems() {
            assert!(!problem.message.is_empty());
            let (start, length) = problem.at;
            assert!(text.get(start..start + length).is_some(), "{:?}", problem);
        }
        assert!(!error.plain().is_empty());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn any_text_is_a_machine_or_an_error(text in ".{0,200}") {
        never_panics(&text);
    }

    #[test]
    fn nearly_toml_is_a_machine_or_an_error(
        text in "((\\[\\[?(axis|press|part|cycle|machine|axis\\.twin)\\]\\]?|(name|period|parts|to|lead) = (\"[a-z0-9µ]{0,5}\"|[-0-9.e]{1,5}|\\[\\]|\\{\\}|true))\n){0,12}"
    ) {
        never_panics(&text);
    }

    /// A shipped file with some characters changed, lines doubled, left out, or values swapped.
    #[test]
    fn a_damaged_file_is_a_machine_or_an_error(
        which in 0..2usize,
        at in 0.0..1.0f64,
        length in 0..40usize,
        insert in "[-0-9a-zA-Z\"\\[\\]{}=.,#\n µ]{0,12}",
    ) {
        let base = [PRESS_CELL, EMPS][which];
        let chars: Vec<char> = base.chars().collect();
        let from = (at * chars.len() as f64) as usize;
        let to = (from + length).min(chars.len());
        let text: String = chars[..from]
            .iter()
            .copied()
            .chain(insert.chars())
            .chain(chars[to..].iter().copied())
            .collect();
        never_panics(&text);
    }

    #[test]
    fn a_changed_value_is_a_machine_or_an_error(
        line in 0..1000usize,
        value in "(\"[-+]?[0-9]{0,12}(\\.[0-9]{0,3})?(e[-+]?[0-9]{1,4})?(mm|m|kg|A|N|us|s|/s|N s/m|Pa|days)?\"|-?[0-9]{1,19}|[0-9]\\.[0-9]e[0-9]{1,3}|inf|nan|\\[\\]|\\{\\})",
    ) {
        let mut lines: Vec<String> = PRESS_CELL.lines().map(str::to_owned).collect();
        let line = line % lines.len();
        if let Some((key, _)) = lines[line].split_once(" = ") {
            lines[line] = format!("{key} = {value}");
        }
        never_panics(&lines.join("\n"));
    }

    #[test]
    fn any_patch_is_merged_or_refused(at in 0.0..1.0f64, insert in "[-a-z\"\\[\\]{}=.\n]{0,12}") {
        let patch = "[[axis]]\nname = \"infeed\"\n[axis.twin]\nmass = \"3kg\"\n";
        let from = (at * patch.len() as f64) as usize;
        let patch = format!("{}{insert}{}", &patch[..from], &patch[from..]);
        let _ = apply_patch(PRESS_CELL, &patch);
    }
}

#[test]
fn what_is_far_too_long_is_refused() {
    let error = load(&" ".repeat(MAX_TEXT + 1), "big").unwrap_err();
    assert!(error.plain().contains("at most"));
}
