//! A machine of a hundred axes in a real browser.
#![allow(
    clippy::unwrap_used,
    reason = "a test fails by panicking, its helpers too"
)]

use serde_json::json;
use twinstep_tests::belts::belts;
use twinstep_tests::gateway::{Browser, Peer, http};
use twinstep_tests::run::Place;

/// Axes of the machine.
const AXES: usize = 100;

#[test]
fn a_hundred_axes_are_reached_and_what_is_kept_does_not_grow() {
    let test = "a_hundred_axes_are_reached_and_what_is_kept_does_not_grow";
    let Some(browser) = Browser::find(test) else {
        return;
    };
    let place = Place::new();
    // The period is long: here a browser has the processor too.
    let many = belts(AXES, "10ms", |_, belt| belt);
    let _ = place.file("many.toml", many);
    let run = "demo --config many.toml --json --no-page --cycles 3600000 --state state";
    let _run = Peer::start(&place, run);
    let gateway = "gateway --json --listen 127.0.0.1:0 --state state";
    let mut gateway = Peer::start(&place, gateway);
    let url = gateway.url();
    let seen = browser.look(&place, "axes.py", &url, &[&AXES.to_string()]);
    println!("{seen:#}");
    assert_eq!(seen["wrong"], json!([]), "{seen}");
    assert_eq!(seen["reached"], AXES, "{seen}");
    let times = seen["times"].as_array().unwrap();
    let times: Vec<_> = times.iter().map(|time| time.as_f64().unwrap()).collect();
    assert!(times.len() > 10, "{seen}");
    assert!(times.is_sorted_by(|a, b| a < b), "{seen}");
    // Rows are made for those that can be seen.
    assert!(seen["rows"].as_u64() < Some(40), "{seen}");
    let unseen = |n: usize| seen["kept"][n]["unseen"].as_i64().unwrap();
    assert!(unseen(1) < unseen(0) + 1000, "{seen}");
    assert!(seen["kept"][1]["nodes"].as_u64() < Some(20_000), "{seen}");

    // The metrics have every axis, in a size that is known.
    let body = http(&url, "GET /metrics", &[], "").body;
    let axes = body
        .lines()
        .filter(|line| line.starts_with("twinstep_axis_valid{"));
    assert_eq!(axes.count(), AXES);
    assert!(body.len() < 300_000, "{} bytes", body.len());
}
