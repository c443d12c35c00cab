//! A machine in the morning: its axes are cold, their friction falls from 1.4 times of the healthy one to that, and nothing is wrong.
#![allow(
    clippy::unwrap_used,
    reason = "a test fails by panicking, its helpers too"
)]

use twinstep_tests::release_binary;
use twinstep_tests::run::{Place, Run, shipped};

/// Axes that are cold: all servo axes.
const COLD: [&str; 8] = [
    "infeed", "outfeed", "gantry", "carriage", "cross", "insert", "lift", "pusher",
];
const INTERVAL: &str = "false_alarm_interval = \"30days\"\n";

/// The shipped cell, whose axes are warm after a minute where `keys` say so.
fn cell(keys: &str) -> String {
    let text = std::fs::read_to_string(shipped("press-cell.toml")).unwrap();
    assert!(text.contains(INTERVAL));
    text.replacen(INTERVAL, &format!("{INTERVAL}{keys}\n"), 1)
}

const WARM_UP: &str = "warm_up = \"1min\"\ncool_down = \"2min\"";

/// Two and a half minutes of it in the morning, `more` on the command line.
fn morning(place: &Place, name: &str, keys: &str, more: &str) -> Run {
    let config = place.file(&format!("{name}.toml"), cell(keys));
    let cold: String = COLD
        .iter()
        .map(|axis| {
            format!(
                " --inject friction:{axis}:factor=1.4 --inject friction:{axis}:factor=0.7142857,ramp=50s"
            )
        })
        .collect();
    let demo = format!(
        "demo --config {} --fast --json --cycles 150000 --seed 7 --state {}{cold} {more}",
        config.display(),
        place.path(&format!("state-{name}")).display()
    );
    place.run(release_binary(), &demo).fine()
}

/// Source, channel, cause and cycle of what was raised.
fn raised(run: &Run) -> Vec<(String, String, String, u64)> {
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    (run.of_type("event").iter())
        .filter(|event| event["state"] == "raised")
        .map(|event| {
            let [source, channel, cause] =
                ["source", "channel", "cause"].map(|key| text(&event[key]));
            (source, channel, cause, event["cycle"].as_u64().unwrap())
        })
        .collect()
}

/// Movements that were left out for the cold, by axis.
fn left_out(run: &Run) -> Vec<(String, u64)> {
    (run.summary()["not_judged"].as_array().into_iter().flatten())
        .filter_map(|one| {
            let name = one["source"].as_str().unwrap().to_owned();
            Some((name, one["warm_up"].as_u64()?))
        })
        .collect()
}

#[test]
fn a_cold_machine_raises_nothing_where_it_may_warm_up_and_is_judged_when_it_is_warm() {
    let place = Place::new();
    // What warming up keeps from being raised: a test that cannot fail would say nothing.
    let told = raised(&morning(&place, "without", "", ""));
    for axis in COLD {
        assert!(told.iter().any(|(source, ..)| source == axis), "{told:?}");
    }
    let run = morning(&place, "with", WARM_UP, "");
    assert_eq!(raised(&run), [], "a healthy morning");
    let cold = left_out(&run);
    // Every axis and the press, with what it moves in a minute.
    assert_eq!(cold.len(), 9, "{cold:?}");
    assert!(cold.iter().all(|(_, movements)| *movements > 5), "{cold:?}");
    // Twenty percent more once it is warm.
    let fault = "--inject friction:outfeed:factor=1.2@80s";
    let told = raised(&morning(&place, "fault", WARM_UP, fault));
    let found = |(source, channel, cause, cycle): &(String, String, String, u64)| {
        assert!(*cycle > 80_000, "{told:?}");
        assert_eq!(source, "outfeed", "{told:?}");
        channel == "current_load" && cause == "friction increased"
    };
    assert_eq!(told.iter().filter(|one| found(one)).count(), 1, "{told:?}");
}

#[test]
fn what_surprises_within_a_cycle_is_told_of_a_cold_axis_too_and_a_replay_says_the_same() {
    let place = Place::new();
    let recording = place.path("run.mcap");
    let more = format!(
        "--inject encoder_slip:carriage:step=200um@20s --record {}",
        recording.display()
    );
    let run = morning(&place, "slip", WARM_UP, &more);
    let told = raised(&run);
    let slip = |(source, _, cause, cycle): &(String, String, String, u64)| {
        source == "carriage" && cause.contains("slip") && (20_000..60_000).contains(cycle)
    };
    assert!(told.iter().any(slip), "{told:?}");
    let replay = format!("replay {} --json", recording.display());
    let again = place.run(release_binary(), &replay).fine();
    assert_eq!(again.summary()["digest"], run.summary()["digest"]);
    assert_eq!(left_out(&again), left_out(&run));
}
