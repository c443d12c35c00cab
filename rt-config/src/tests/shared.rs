//! `[shared]`: who may read and who may move.

use super::errors::wrong;
use crate::machine::{Controller, Shared};
use crate::{PRESS_CELL, load};

fn cell(table: &str) -> String {
    PRESS_CELL.replacen("[judge]", &format!("{table}\n[judge]"), 1)
}

#[test]
fn a_share_and_its_controller() {
    let shared = |table: &str| load(&cell(table), "it.toml").unwrap().shared;
    assert_eq!(shared(""), None);
    let mut expected = Shared {
        name: "cell-1".to_owned(),
        axes_every: 1,
        controller: None,
    };
    assert_eq!(
        shared("[shared]\nname = \"cell-1\""),
        Some(expected.clone())
    );
    expected.axes_every = 10;
    expected.controller = Some(Controller { liveness_cycles: 5 });
    let table =
        "[shared]\nname = \"cell-1\"\naxes_every = 10\n[shared.controller]\nliveness = \"5ms\"";
    assert_eq!(shared(table), Some(expected));
}

#[test]
fn what_cannot_be_is_named() {
    let base =
        cell("[shared]\nname = \"cell\"\naxes_every = 1\n[shared.controller]\nliveness = \"5ms\"");
    let at = |from, to, words| wrong(&base, from, to, words);
    at("name = \"cell\"", "name = \"a/b\"", "letters, digits");
    at("name = \"cell\"", "name = \"\"", "letters, digits");
    at("axes_every = 1", "axes_every = 0", "1 to 100000 cycles");
    at("liveness = \"5ms\"", "liveness = \"0.5ms\"", "liveness");
    at("liveness = \"5ms\"", "liveness = \"2s\"", "liveness");
    at("liveness", "livness", "did you mean `liveness`?");
}
