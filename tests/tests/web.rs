//! The page in a real browser.
#![allow(
    clippy::unwrap_used,
    reason = "a test fails by panicking, its helpers too"
)]

use twinstep_tests::gateway::{Browser, Peer};
use twinstep_tests::run::Place;

#[test]
fn every_view_opens_and_a_fault_goes_from_injection_to_the_shelf() {
    let test = "every_view_opens_and_a_fault_goes_from_injection_to_the_shelf";
    let Some(browser) = Browser::find(test) else {
        return;
    };
    let place = Place::new();
    let run = "demo --json --no-page --cycles 3600000 --state state";
    let _run = Peer::start(&place, run);
    let mut gateway = Peer::start(&place, "gateway --json --listen 127.0.0.1:0 --state state");
    let url = gateway.url();

    // Kept: the picture of the README is one of these.
    let built = std::env::current_exe().unwrap();
    let picture = built.ancestors().nth(3).unwrap().join("page.png");
    let path = picture.display().to_string();
    let seen = browser.look(&place, "page.py", &url, &[&path]);
    assert_eq!(seen["wrong"], serde_json::json!([]), "{seen}");
    assert_eq!(seen["wide"], serde_json::json!([]), "{seen}");
    assert_eq!(seen["views"].as_array().unwrap().len(), 8, "{seen}");
    assert_eq!(seen["machine"], "press cell");
    assert_eq!(
        seen["buses"], true,
        "a machine with one has no choice: {seen}"
    );
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
        "budget",
        "77us",
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
