//! What Prometheus reads of a gateway, with a reader that nobody here wrote.
#![allow(
    clippy::unwrap_used,
    reason = "a test fails by panicking, its helpers too"
)]

use std::collections::BTreeSet;

use serde_json::Value;
use twinstep_tests::cable::python_with;
use twinstep_tests::gateway::Peer;
use twinstep_tests::root;
use twinstep_tests::run::Place;

/// Every metric that a text names.
fn named(text: &str) -> BTreeSet<String> {
    let words = text.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_');
    let words = words.filter(|word| word.starts_with("twinstep_"));
    words.map(str::to_owned).collect()
}

#[test]
fn a_second_reader_takes_the_metrics_and_the_dashboard_and_the_page_name_them_all() {
    let test = "a_second_reader_takes_the_metrics_and_the_dashboard_and_the_page_name_them_all";
    let Some(python) = python_with(test, "prometheus_client") else {
        return;
    };
    let place = Place::new();
    let state = place.path("state").display().to_string();
    let run = format!("demo --json --no-page --cycles 3600000 --state {state} --control cell.sock");
    let run = Peer::start(&place, &run);
    let gateway =
        format!("gateway --json --listen 127.0.0.1:0 --state {state} --control cell.sock");
    let mut gateway = Peer::start(&place, &gateway);
    let url = gateway.next("listening")["url"]
        .as_str()
        .unwrap()
        .to_owned();

    let script = root()
        .join("tests/gateway/metrics.py")
        .display()
        .to_string();
    let read = |wanted: &str| -> Value {
        let args = format!("{script} {url} {wanted}");
        let run = place.run(&python, args.trim_end()).fine();
        serde_json::from_str(&run.stdout).unwrap()
    };
    read("twinstep_axis_valid>8 twinstep_cycles_total>1500");
    let injected = place.twinstep("inject frame_loss:bus:count=3 --control cell.sock");
    assert!(injected.status.success(), "{injected:?}");
    // Held for some milliseconds: an overrun, whatever the computer is like.
    run.signal("STOP");
    run.signal("CONT");
    let seen = read(
        "twinstep_overruns_explained_total>0 twinstep_sink_sent_total>1 twinstep_events_total>0 twinstep_phase_duration_seconds>0 twinstep_bus_frame_faults_total>2 twinstep_axis_valid>8 twinstep_axis_residual_sigma>0 twinstep_health_value>0",
    );

    let values = &seen["values"];
    assert_eq!(values["twinstep_cycle_period_seconds"], 0.001, "{values}");
    assert!(values["twinstep_cycles_total"].as_f64().unwrap() > 0.0);
    assert!(
        values["twinstep_bus_frame_faults_total"].as_f64().unwrap() >= 3.0,
        "{values}"
    );
    assert_eq!(values["twinstep_bus_subdevices"], 10.0, "{values}");
    let of = |name: &str| seen["labels"][name].as_array().unwrap().len();
    assert_eq!(of("twinstep_axis_valid"), 9);
    assert_eq!(of("twinstep_station_pressure_pascals"), 1);
    let tracked = of("twinstep_health_value");
    assert!(tracked > 0 && of("twinstep_health_limit") <= tracked);
    // Nine phases, three groups of models and all of it, with five figures each.
    assert_eq!(of("twinstep_phase_duration_seconds"), 13 * 5);
    assert_eq!(
        of("twinstep_phase_budget_seconds"),
        10,
        "{}",
        seen["labels"]
    );
    let labels = |name: &str| seen["labels"][name].to_string();
    let causes = labels("twinstep_overruns_explained_total");
    assert!(causes.contains("{'cause': '"), "{causes}");
    for name in ["sent_total", "failed_total", "connected", "behind"] {
        let name = format!("twinstep_sink_{name}");
        assert_eq!(labels(&name), "[\"{'sink': 'web'}\"]", "{name}");
    }
    assert_eq!(values["twinstep_sink_connected"], 1.0, "{values}");
    let events = &seen["labels"]["twinstep_events_total"];
    assert!(
        events
            .to_string()
            .contains("'channel': 'frames', 'state': 'raised'"),
        "{events}"
    );

    let families: BTreeSet<String> = seen["families"]
        .as_object()
        .unwrap()
        .keys()
        .cloned()
        .collect();
    let dashboard = std::fs::read_to_string(root().join("docs/grafana/twinstep.json")).unwrap();
    let parsed: Value = serde_json::from_str(&dashboard).unwrap();
    assert!(parsed["panels"].as_array().unwrap().len() > 10);
    let unknown: Vec<_> = named(&dashboard).difference(&families).cloned().collect();
    assert!(unknown.is_empty(), "the dashboard asks for {unknown:?}");
    let page = named(&std::fs::read_to_string(root().join("docs/metrics.md")).unwrap());
    assert_eq!(page, families, "docs/metrics.md against the metrics");
}
