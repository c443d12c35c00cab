//! A machine of a hundred axes in a real browser.
#![allow(
    clippy::unwrap_used,
    reason = "a test fails by panicking, its helpers too"
)]

use serde_json::json;
use std::fmt::Write as _;
use twinstep_tests::gateway::{Browser, Peer, http};
use twinstep_tests::run::{Place, shipped};

/// Axes of the machine.
const AXES: usize = 100;

/// A machine of belts like the one that brings parts in two-buses.toml. The period is long: here a browser has the processor too.
fn many() -> String {
    let text = std::fs::read_to_string(shipped("two-buses.toml")).unwrap();
    let from = text.find("[[axis]]\nname = \"infeed\"").unwrap();
    let to = from + text[from..].find("\n#").unwrap();
    let belt = text[from..to].replace("bus = \"front\"\n", "");
    let mut machine = "[machine]\nname = \"many axes\"\nasset_id = \"MANY\"\n\n[cycle]\nperiod = \"10ms\"\n\n\
                       [judge]\nfalse_alarm_interval = \"30days\"\n\n[bus]\n\n[simulation]\nmachine_seed = 1\n"
        .to_owned();
    for n in 0..AXES {
        let axis = belt.replace("\"infeed\"", &format!("\"axis-{n:03}\""));
        write!(machine, "\n{axis}").unwrap();
    }
    machine
}

#[test]
fn a_hundred_axes_are_reached_and_what_is_kept_does_not_grow() {
    let test = "a_hundred_axes_are_reached_and_what_is_kept_does_not_grow";
    let Some(browser) = Browser::find(test) else {
        return;
    };
    let place = Place::new();
    let _ = place.file("many.toml", many());
    let run = "demo --config many.toml --json --no-page --cycles 3600000 --state state";
    let _run = Peer::start(&place, run);
    let gateway = "gateway --json --listen 127.0.0.1:0 --state state";
    let mut gateway = Peer::start(&place, gateway);
    let url = gateway.url();
    let seen = browser.look(&place, "axes.py", &url, &[&AXES.to_string()]);
    println!("{seen:#}");
    assert_eq!(seen["wrong"], json!([]), "{seen}");
    assert_eq!(seen["reached"], AXES, "{seen}");
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
    assert!(body.len() < 150_000, "{} bytes", body.len());
}
