//! A new baseline after a repair, on a machine that runs.
#![allow(
    clippy::unwrap_used,
    reason = "a test fails by panicking, its helpers too"
)]

use serde_json::Value;
use twinstep_tests::gateway::Peer;
use twinstep_tests::run::Place;

/// The next event of this source and channel.
fn event(demo: &mut Peer, channel: &str) -> Value {
    loop {
        let event = demo.next("event");
        if event["source"] == "outfeed" && event["channel"] == channel {
            return event;
        }
    }
}

fn new_baseline(place: &Place) -> Value {
    let status = place.twinstep("status --control cell.sock --json").fine();
    let status: Value = serde_json::from_str(status.stdout.trim()).unwrap();
    let axes = status["axes"].as_array().unwrap();
    let outfeed = axes.iter().find(|axis| axis["name"] == "outfeed").unwrap();
    outfeed["new_baseline"].clone()
}

/// What was called a deviation is healthy once somebody says so; more of it is a deviation again.
#[test]
fn after_a_repair_what_is_there_is_healthy() {
    let place = Place::new();
    let mut demo = Peer::start(
        &place,
        "demo --no-page --json --control cell.sock --state state --inject friction:outfeed:factor=1.2@500ms",
    );
    let raised = event(&mut demo, "current_load");
    assert_eq!(raised["state"], "raised", "{raised}");
    assert_eq!(new_baseline(&place), Value::Null);
    let told = place
        .twinstep("baseline outfeed --control cell.sock")
        .fine();
    assert!(told.stdout.contains("next 8 movements"), "{told:?}");
    // Who has asked is written down, though it went past the gateway.
    let trail = std::fs::read_to_string(place.path("state/commands.jsonl")).unwrap();
    let line: Value = serde_json::from_str(trail.lines().next().unwrap()).unwrap();
    assert_eq!(line["request"]["request"], "baseline", "{trail}");
    assert_eq!(line["request"]["source"], "outfeed", "{trail}");
    assert!(line["uid"].is_u64() && line["pid"].as_u64() > Some(0));
    let cleared = event(&mut demo, "current_load");
    assert_eq!(cleared["state"], "cleared", "{cleared}");
    while new_baseline(&place) != serde_json::json!({"movements": 8, "of": 8}) {
        assert_eq!(new_baseline(&place)["of"], 8);
        std::thread::yield_now();
    }
    // Twice as far from where the machine began, as far again from where it is now.
    let _ = place
        .twinstep("inject friction:outfeed:factor=1.5 --control cell.sock")
        .fine();
    let before = place.twinstep("status --control cell.sock --json").fine();
    let before: Value = serde_json::from_str(before.stdout.trim()).unwrap();
    let again = event(&mut demo, "current_load");
    assert_eq!(again["state"], "raised", "{again}");
    // Between the two nobody was accused of anything.
    assert!(
        again["cycle"].as_u64() > before["cycle"].as_u64(),
        "{again} {}",
        before["cycle"]
    );
    assert_eq!(again["cause"], "friction increased", "{again}");
    place.refuse(
        "baseline nobody --control cell.sock",
        2,
        &["no axis or press is called 'nobody'", "outfeed"],
    );
    place.refuse(
        "baseline outfeed --control gone.sock",
        1,
        &["is twinstep running?"],
    );
}
