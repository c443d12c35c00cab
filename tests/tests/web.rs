//! The page in a real browser.
#![allow(
    clippy::unwrap_used,
    reason = "a test fails by panicking, its helpers too"
)]

use serde_json::Value;
use twinstep_tests::gateway::{Browser, Peer, http};
use twinstep_tests::run::Place;

#[test]
fn every_view_opens_and_a_fault_goes_from_injection_to_the_shelf() {
    let test = "every_view_opens_and_a_fault_goes_from_injection_to_the_shelf";
    let Some(browser) = Browser::find(test) else {
        return;
    };
    let place = Place::new();
    let run = "demo --json --no-page --cycles 3600000 --state state --inject wrong_part:press:part=bush-long";
    let mut run = Peer::start(&place, run);
    run.forget_lines();
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
        "1ns",
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
    what_it_says(&seen, &status(&url));
    let size = std::fs::metadata(picture).unwrap().len();
    assert!((10_000..1_000_000).contains(&size), "{size} bytes");
    drop(gateway);

    // The same machine behind a guarded door.
    let token = place.twinstep("token max --role viewer --file tokens.toml --json");
    let token = token.fine().of_type("token").remove(0);
    let token = token["token"].as_str().unwrap();
    let _ = place.file("g.toml", "[web]\ntokens = \"tokens.toml\"\n");
    let args = "gateway --json --listen 127.0.0.1:0 --state state --config g.toml";
    let mut gateway = Peer::start(&place, args);
    let url = gateway.url();
    let id = run.child.id().to_string();
    let binary = twinstep_tests::binary().display().to_string();
    let again = "demo --json --no-page --cycles 3600000 --state state";
    let command: Vec<_> = (again.split(' ')).collect();
    let more = [&[token, &id, &binary], &command[..]].concat();
    let seen = browser.look(&place, "viewer.py", &url, &more);
    assert_eq!(seen["wrong"], serde_json::json!([]), "{seen}");
    assert_eq!(
        seen["before"], "twinstep",
        "nothing without a token: {seen}"
    );
    assert_eq!(seen["who"], "max, viewer", "{seen}");
    assert_eq!(
        seen["disabled"],
        serde_json::json!([true, true, true, true, true, true]),
        "{seen}"
    );
    assert!(seen["report"].as_u64() > Some(0), "{seen}");
    let chips = [&seen["gone"], &seen["back"]];
    assert_eq!(chips, ["chip bad", "chip good"], "{seen}");
}

fn status(url: &str) -> Value {
    http(url, "GET /api/status", &[], "").json()
}

/// What stands on the page is what the machine says.
fn what_it_says(seen: &Value, status: &Value) {
    let valid = status["trust"]["timing_valid"].as_bool().unwrap();
    let trust = match valid {
        true => ["timing valid", "chip good"],
        false => ["timing not valid", "chip bad"],
    };
    assert_eq!(seen["trust"], serde_json::json!(trust), "{seen}");
    let objects = seen["nok"].as_array().unwrap();
    let (nok, ok): (Vec<_>, Vec<_>) = objects.iter().partition(|one| one[0] == "NOK");
    assert!(!nok.is_empty(), "{seen}");
    assert!(
        nok.iter()
            .all(|one| one[1].as_str().unwrap().contains(" by ")),
        "{seen}"
    );
    assert!(ok.iter().all(|one| one[1] == ""), "{seen}");
    let intervals = seen["intervals"].as_str().unwrap();
    for word in ["asked ", "extrapolated ", "demonstrated so far at least "] {
        assert!(intervals.contains(word), "{word}: {seen}");
    }
    let [address, event] = [0, 1].map(|n| seen["report"][n].as_str().unwrap());
    assert!(address.contains("/api/events/"), "{address}");
    let event: Value = serde_json::from_str(event).unwrap();
    assert_eq!(event["source"], "lift");
    assert!(!seen["overrun"][0].as_str().unwrap().is_empty(), "{seen}");
    assert!(seen["overrun"][1].as_str().unwrap().len() > 10, "{seen}");
    // Eight views and the button, dark and light.
    let contrasts = seen["contrast"].as_object().unwrap();
    assert_eq!(contrasts.len(), 18, "{contrasts:?}");
    for (view, found) in contrasts {
        assert!(found["least"].as_f64() >= Some(4.5), "{view}: {found}");
        assert!(found["count"].as_u64() > Some(20), "{view}: {found}");
    }
}
