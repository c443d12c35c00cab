//! The stable output: each line has a `type`, keys are those of the documentation, the last line is the summary.
#![allow(
    clippy::unwrap_used,
    reason = "a test fails by panicking, its helpers too"
)]

use serde_json::Value;
use twinstep_tests::release_binary;
use twinstep_tests::run::{Place, shipped};

const EVENT: &[&str] = &[
    "action",
    "asset_id",
    "cause",
    "causes",
    "channel",
    "context",
    "cycle",
    "detector",
    "false_alarm_interval_asked_s",
    "false_alarm_interval_demonstrated_s",
    "false_alarm_interval_extrapolated_s",
    "measured",
    "plan",
    "predicted",
    "regime",
    "residual",
    "seq",
    "severity",
    "source",
    "state",
    "time_ns",
    "time_utc_ns",
    "type",
    "unit",
];
const SUMMARY: &[&str] = &[
    "bus",
    "coast",
    "cycles",
    "digest",
    "dropped_events",
    "events",
    "false_alarms",
    "jitter",
    "overrun_causes",
    "overruns",
    "period_ns",
    "phase",
    "phases",
    "trust",
    "type",
];
const BUS: &[&str] = &[
    "duplicate",
    "foreign",
    "late",
    "lost",
    "working_counter_errors",
];
/// In the order of the cycle.
const PHASES: &[&str] = &[
    "wake", "send", "predict", "receive", "compare", "publish", "correct", "acyclic", "slack",
];
const FIGURES: &[&str] = &["max_ns", "p50_ns", "p9999_ns", "p999_ns", "p99_ns"];
const TRUST: &[&str] = &[
    "core",
    "cpu_dma_latency_held",
    "isolated",
    "memory_locked",
    "missing",
    "policy",
    "realtime_kernel",
    "rivals",
    "sched_fifo",
    "throttling_off",
    "timing_valid",
    "virtual_machine",
    "wait",
    "workers",
    "workers_granted",
];
/// Those of them that are yes or no.
const FLAGS: &[&str] = &[
    "cpu_dma_latency_held",
    "isolated",
    "memory_locked",
    "realtime_kernel",
    "sched_fifo",
    "throttling_off",
    "timing_valid",
    "virtual_machine",
];
const ACCURACY: &[&str] = &[
    "arx10_rms",
    "channel",
    "hold_rms",
    "horizon_cycles",
    "linear_rms",
    "samples",
    "source",
    "twin_rms",
    "type",
    "unit",
];
const FREE_RUN: &[&str] = &[
    "channel",
    "fit_percent",
    "fit_percent_offset_less",
    "fit_percent_offset_more",
    "offset_step_n",
    "rms",
    "samples",
    "source",
    "type",
    "unit",
];

/// Keys of an object, sorted.
fn keys(value: &Value) -> Vec<&str> {
    let mut keys: Vec<_> = value
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    keys.sort_unstable();
    keys
}

fn check_summary(summary: &Value) {
    // Not there where everything was judged.
    let mut found = keys(summary);
    found.retain(|key| *key != "not_judged");
    assert_eq!(found, SUMMARY);
    assert_eq!(keys(&summary["bus"]), BUS);
    assert_eq!(keys(&summary["trust"]), TRUST);
    let mut phases = PHASES.to_vec();
    phases.sort_unstable();
    assert_eq!(keys(&summary["phases"]), phases);
    for phase in PHASES {
        assert_eq!(keys(&summary["phases"][phase]), FIGURES, "{phase}");
        let figure = |key: &str| summary["phases"][phase][key].as_u64().unwrap();
        let rising = ["p50_ns", "p99_ns", "p999_ns", "max_ns"].map(figure);
        assert!(rising.is_sorted(), "{phase}: {rising:?}");
    }
    let jitter = &summary["jitter"];
    assert_eq!(
        jitter.is_null(),
        summary["trust"]["wait"].is_null(),
        "in virtual time nothing is late"
    );
    assert!(jitter.is_null() || keys(jitter) == FIGURES, "{jitter}");
    let phase = &summary["phase"];
    assert!(
        phase.is_null() || keys(phase) == ["max_ns", "p50_ns", "p99_ns"],
        "{phase}"
    );
    let digest = summary["digest"].as_str().unwrap();
    assert!(
        digest.len() == 16 && digest.bytes().all(|byte| byte.is_ascii_hexdigit()),
        "{digest}"
    );
    for flag in FLAGS {
        assert!(summary["trust"][flag].is_boolean(), "{flag}");
    }
    for lack in summary["trust"]["missing"].as_array().unwrap() {
        assert_eq!(keys(lack), ["remedy", "what"]);
    }
}

#[test]
fn a_drive_fault_is_one_event_with_all_its_keys() {
    let place = Place::new();
    let run = place.twinstep(
        "demo --fast --json --cycles 3000 --seed 1 --inject drive_fault:gantry:code=0x2310@1s",
    );
    let run = run.fine();
    let lines = run.lines();
    let mut kinds: Vec<_> = lines
        .iter()
        .map(|line| line["type"].as_str().unwrap())
        .collect();
    assert_eq!(kinds.pop(), Some("summary"));
    assert!(kinds.iter().all(|kind| *kind == "event"), "{kinds:?}");

    let events = run.of_type("event");
    let mut raised = 0;
    for event in &events {
        assert_eq!(keys(event), EVENT);
        for key in ["measured", "predicted", "residual"] {
            assert!(event[key].is_number() || event[key].is_null(), "{event}");
        }
        for key in ["seq", "cycle", "time_ns", "time_utc_ns"] {
            assert!(event[key].is_u64(), "{event}");
        }
        assert_eq!(
            event["time_ns"].as_u64().unwrap(),
            event["cycle"].as_u64().unwrap() * 1_000_000
        );
        raised += u64::from(event["state"] == "raised");
    }
    let fault = events
        .iter()
        .find(|event| event["source"] == "gantry" && event["channel"] == "drive_state")
        .unwrap_or_else(|| panic!("no such event: {run:#?}"));
    let expected = [
        ("state", Value::from("raised")),
        ("detector", Value::from("state")),
        ("severity", Value::from("fault")),
        ("measured", Value::from(f64::from(0x2310))),
        ("asset_id", Value::from("CELL-07-GANTRY")),
        ("false_alarm_interval_asked_s", Value::from(30 * 86_400)),
    ];
    for (key, value) in expected {
        assert_eq!(fault[key], value, "{key}");
    }
    // Found as soon as the drive says so.
    let cycle = fault["cycle"].as_u64().unwrap();
    assert!((1000..1010).contains(&cycle), "{cycle}");
    assert_eq!(fault["context"]["recipe"], "a");

    let summary = run.summary();
    check_summary(&summary);
    assert_eq!(summary["cycles"], 3000);
    assert_eq!(summary["period_ns"], 1_000_000);
    assert_eq!(summary["events"], raised);
    assert_eq!(summary["dropped_events"], 0);
    assert_eq!(summary["overruns"], 0, "nothing overruns in virtual time");
    for phase in ["wake", "slack"] {
        assert_eq!(summary["phases"][phase]["max_ns"], 0, "{phase}");
    }
    for phase in ["predict", "compare", "correct"] {
        assert_ne!(
            summary["phases"][phase]["max_ns"], 0,
            "{phase} takes real nanoseconds"
        );
    }
}

#[test]
fn phases_stand_in_the_order_of_the_cycle() {
    let place = Place::new();
    let run = place.twinstep("demo --fast --json --cycles 50").fine();
    let line = run.stdout.lines().last().unwrap();
    let places: Vec<_> = PHASES
        .iter()
        .map(|phase| line.find(&format!("\"{phase}\":{{")).unwrap())
        .collect();
    assert!(places.is_sorted(), "{line}");
    assert!(line.starts_with("{\"type\":\"summary\","), "{line}");
}

#[test]
fn a_replayed_table_has_accuracy_and_free_run() {
    let place = Place::new();
    // A few seconds of a made-up axis: what counts here is the form.
    let mut table = String::from("time_s,reference_m,position_m,drive_v\n");
    for k in 0..4000_u32 {
        let phase = f64::from(k % 2000) / 2000.0;
        let way = if k / 2000 % 2 == 0 {
            phase
        } else {
            1.0 - phase
        };
        let reference = 0.1 * way * way * (3.0 - 2.0 * way);
        let position = reference - 1e-5 * (1.0 + way);
        table += &format!(
            "{:.3},{reference:.9},{position:.9},{:.6}\n",
            f64::from(k) / 1000.0,
            0.5 + way
        );
    }
    let table = place.file("table.csv", table);
    let config = shipped("emps.toml");
    let run = place.twinstep(&format!(
        "replay {} {} --json",
        config.display(),
        table.display()
    ));
    let run = run.fine();
    check_summary(&run.summary());
    let accuracy = run.of_type("accuracy");
    assert_eq!(
        accuracy.len(),
        8,
        "position and force at 1, 10, 100 and 1000 cycles: {run:#?}"
    );
    for line in &accuracy {
        assert_eq!(keys(line), ACCURACY);
    }
    let free = run.of_type("free_run");
    assert_eq!(free.len(), 1);
    assert_eq!(keys(&free[0]), FREE_RUN);
}

#[test]
fn every_command_speaks_json() {
    let place = Place::new();
    let config = shipped("press-cell.toml").display().to_string();
    let record = place.path("run.csv").display().to_string();
    let state = place.path("state").display().to_string();
    let runs = [
        format!("demo --fast --cycles 9000 --record {record} --json"),
        format!("run {config} --fast --cycles 50 --state {state} --json"),
        format!("check {config} --json"),
        format!("replay {config} {record} --json"),
        format!("calibrate {config} {record} --json"),
        format!("events --state {state} --json"),
    ];
    for args in runs {
        // Calibration is too much work for a binary that is not optimised.
        for line in place.run(release_binary(), &args).fine().lines() {
            assert!(line["type"].is_string(), "{args}: {line}");
        }
    }
}
