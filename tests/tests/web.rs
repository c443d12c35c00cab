//! The page in a real browser.
#![allow(
    clippy::unwrap_used,
    reason = "a test fails by panicking, its helpers too"
)]

use serde_json::Value;
use std::path::Path;
use twinstep_tests::cable::python_with;
use twinstep_tests::gateway::Peer;
use twinstep_tests::run::Place;
use twinstep_tests::{program, root};

#[test]
fn every_view_opens_and_a_fault_goes_from_injection_to_the_shelf() {
    let test = "every_view_opens_and_a_fault_goes_from_injection_to_the_shelf";
    let (Some(python), Some(chromium)) =
        (python_with(test, "playwright"), program(test, "chromium"))
    else {
        return;
    };
    let place = Place::new();
    let run = "demo --json --no-page --cycles 3600000 --state state";
    let _run = Peer::start(&place, run);
    let mut gateway = Peer::start(&place, "gateway --json --listen 127.0.0.1:0 --state state");
    let listening = gateway.next("listening");
    let url = listening["url"].as_str().unwrap();

    // Kept: the picture of the README is one of these.
    let built = std::env::current_exe().unwrap();
    let picture = built.ancestors().nth(3).unwrap().join("page.png");
    let script = root().join("tests/gateway/page.py");
    let args = [script.as_path(), Path::new(url), &chromium, &picture];
    let mut browser = place.command(&python, args);
    // A browser keeps its files where it is told, and asks no session for them.
    browser.env("HOME", place.path("home"));
    let output = browser.output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    let seen: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(seen["wrong"], serde_json::json!([]), "{seen}");
    assert_eq!(seen["wide"], serde_json::json!([]), "{seen}");
    assert_eq!(seen["views"].as_array().unwrap().len(), 8, "{seen}");
    assert_eq!(seen["machine"], "press cell");
    assert_eq!(seen["fault"], "drive_fault:lift:code=0x2310");
    assert!(seen["alarm"].as_str().unwrap().contains("lift"), "{seen}");
    assert_eq!(seen["images"], 0, "a comment became markup: {seen}");
    assert!(
        seen["audit"].as_str().unwrap().contains("<img src=x"),
        "{seen}"
    );
    for done in [
        "inject",
        "acknowledge",
        "shelve",
        "unshelve",
        "reset",
        "refused",
    ] {
        assert!(
            seen["audit"].as_str().unwrap().contains(done),
            "{done}: {seen}"
        );
    }
    assert!(
        seen["what_if"].as_str().unwrap().starts_with("At 2.00 ms"),
        "{seen}"
    );
    let size = std::fs::metadata(picture).unwrap().len();
    assert!((10_000..1_000_000).contains(&size), "{size} bytes");
}
